/* The outer loop of the governor: how large the window of one server's pacer may be.
 *
 * It moves by what a probe feels, which does what a client does at a steady pace of its own, against a baseline taken
 * while no worker writes: before the first write, and again in short lulls of all workers at once. It never takes a
 * latency felt while sluice works for the baseline, so that it cannot learn from its own effect.
 *
 * The promise is about the p99, of which a few seconds hold few samples. So it steers by how far the whole distribution
 * has moved (the mean shift of its quantiles from the median to the p95) times how much farther the p99 moves than they
 * do, which it learns over a minute; and it halves the window at once where so many single samples lie above the
 * promise that chance does not explain them (an exact binomial test).
 *
 * What made it small may go again, live load most of all: what was felt then is forgotten as soon as the newest probes
 * are quicker by more than chance, and up to the window that it usually had it grows as fast as when it began (the slow
 * start threshold of TCP, RFC 5681).
 *
 * Pure: times are microseconds of any monotonic clock. Caller's storage; one thread at a time. */
#pragma once

#include "pace/baseline.h"
#include "pace/moments.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GOVERNOR_TICK_US = 250000,
};

/* The live p99 may rise above its baseline by the larger of the two, and never above `limit_us` (0: none). */
struct governor_promise {
    double share, absolute_us, limit_us;
};

/* What those who pace themselves on the same server say of themselves. Each feels the effect of all, so together they
 * leave what one would; which share each has of it would stay as chance made it, did not each move towards the mean. */
struct governor_others {
    double mean_window; /* of all that would send more, its own among them; 0: there is nobody else, or it does not */
    double allowed_us;  /* the least that any of them has promised; 0: nothing is known */
};

/* What it did last, and why: a row of a table gives name and words. */
enum governor_cause {
#define ROW(code, name, words) GOVERNOR_##code,
#include "pace/governor_rows.h"
#undef ROW
    GOVERNOR_CAUSES
};
const char *governor_cause_name(enum governor_cause cause);
const char *governor_cause_words(enum governor_cause cause);
enum governor_cause governor_cause_of(const char *name); /* the first of that name; MOST: there is none */

struct governor {
    struct governor_promise promise;
    double least, most; /* of the window; least is the trickle that it never goes below by itself */
    double window;
    struct baseline base;
    struct histogram recent, fresh; /* while workers write, faded by seconds; the newest second or two */
    struct moments moments;
    struct histogram minute; /* of usual moments, faded by a minute */
    double tail;             /* how much farther the p99 moves than the body */
    double felt_window;      /* the mean of the windows of which `recent` tells */
    double usual;            /* the window that it had for long enough, lately */
    bool met;                /* it has felt as much as it may */
    bool unused;             /* since the last tick nobody waited for the window, or hardly any of it was used */
    bool idle;               /* next to nothing is in flight */
    bool rests;              /* nothing was felt since the last tick that counts */
    struct governor_others others;
    int64_t ticked_us, held_until_us;
    enum governor_cause cause;
};

void governor_init(struct governor *governor, const struct governor_promise *promise, double least, double most,
                   int64_t now_us);
/* All workers have stopped, or go on. It begins in a lull. What the probe feels in the first moments of one is still
 * the workers' queue, and counts for nothing. */
void governor_lull_begin(struct governor *governor, int64_t now_us);
void governor_lull_end(struct governor *governor, int64_t now_us);
/* A probe that was due at `due_us` was answered at `now_us`; its latency counts from when it was due. */
void governor_probe(struct governor *governor, int64_t due_us, int64_t now_us);
/* Nobody has waited for the window since the last tick, or hardly any of it is in flight: what it might be nobody has
 * tried, and at the next tick it does not grow (as RFC 7661 has it for TCP); who comes back after a pause would begin
 * with a burst. */
void governor_unused(struct governor *governor);
/* Whether next to nothing is in flight: what is felt then is the world, and tells neither how the p99 moves with what
 * is sent nor how much that may be. The window stays what it is, but for a breach. */
void governor_idle(struct governor *governor, bool idle);
/* Whether nothing was felt since the last tick, or nothing that counts: then nothing of what was felt before fades. Of
 * fewer probes the body would lie farther above the baseline by chance alone. */
void governor_rests(struct governor *governor, bool rests);
/* From the next tick on. */
void governor_share(struct governor *governor, const struct governor_others *others);
/* Every GOVERNOR_TICK_US: the window from now on. 0 as long as there is no baseline. */
double governor_tick(struct governor *governor, int64_t now_us);

/* What is learnt of a server, for whoever paces himself there next: the baseline, and what was tried. */
struct governor_learned {
    struct baseline base;
    double window, tail;
};
/* false: there is no baseline yet. */
bool governor_learned(const struct governor *governor, struct governor_learned *ret);
/* In place of a baseline of its own, before anything was sent; it is in no lull afterwards. The window begins with a
 * part of what was tried: the next commands are others, and may be felt more. */
void governor_adopt(struct governor *governor, const struct governor_learned *learned, int64_t now_us);

bool governor_has_baseline(const struct governor *governor);
double governor_baseline_p99_us(const struct governor *governor);
double governor_limit_us(const struct governor *governor);   /* what the p99 may be now */
double governor_allowed_us(const struct governor *governor); /* so much more than the baseline; 0: there is none yet */
double governor_p99_us(const struct governor *governor);     /* what it is reckoned to be now */
