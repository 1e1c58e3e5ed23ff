/* Why the window is what it is: code, name (in JSON and events), words. */
ROW(BASELINE, "baseline", "the live latency is measured while nothing is written")
ROW(GROWING, "live.p99", "the live latency allows more")
ROW(STEADY, "live.p99", "the live latency is where it may be")
ROW(SHRINKING, "live.p99", "the live latency is above where it should be")
ROW(BREACH, "live.p99.breach", "the live latency is above its promise")
ROW(UNFELT, "probe", "the probe has no answer")
ROW(MOST, "most", "no more can be in flight")
