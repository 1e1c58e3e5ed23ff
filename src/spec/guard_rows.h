/* GUARD(symbol, word, unit, fallback, below, words, example): what `protect` watches of the target while a run writes.
 * unit: how its limit is written (spec/guard.h); fallback: its limit where the spec gives none;
 * below: a reading under the limit is what breaches it. The words stand in specs, plans and the catalog: they are
 * durable, the order is not. guard/signals.c says what each is measured by, docs/guards.md what it means. */
/* clang-format off */
GUARD(LAG,         "replication_lag",   DURATION, "2s",     false, "how long ago the slowest replica last answered its server",                          "5s")
GUARD(LAG_BYTES,   "replication_bytes", BYTES,    "none",   false, "how far behind its server the slowest replica is",                                   "64MiB")
GUARD(REPLICAS,    "replicas",          COUNT,    "none",   true,  "how many replicas each server that takes writes must have in step, at least",        "1")
GUARD(MEMORY,      "memory",            SHARE,    "75%",    false, "how full a server may become, of what it may use (maxmemory)",                       "85%")
GUARD(GROWTH,      "growth",            BYTES,    "none",   false, "how much the memory of a server may grow from when the run began",                    "4GiB")
GUARD(FORECAST,    "forecast",          TIMES,    "none",   false, "how many times as much as its plan forecasts the target may grow, in keys and in bytes", "2")
GUARD(AMPLIFICATION, "amplification",   TIMES,    "none",   false, "how many bytes the target may grow for each byte that the run writes",               "4")
GUARD(EVICTIONS,   "evictions",         RATE,     "none",   false, "how many keys a server may evict",                                                   "100/s")
GUARD(EXPIRED,     "expired",           SHARE,    "none",   false, "which share of a server's keys may have expired and still be there",                 "10%")
GUARD(CLIENTS,     "clients",           SHARE,    "90%",    false, "how many of the clients that a server lets in may be connected",                     "80%")
GUARD(QUEUES,      "queues",            BYTES,    "none",   false, "how many bytes may wait in a server for its clients: requests it has not executed, answers they have not taken",    "256MiB")
GUARD(CPU,         "cpu",               SHARE,    "none",   false, "how much of a processor the thread that executes a server's commands may use",         "80%")
GUARD(SAVING,      "saving",            WORD,     "slow",   false, "what is done while a server saves itself or rewrites its log (a fork: its memory grows with every write)", "pause")
GUARD(STALLS,      "stalls",            WORD,     "none",   false, "what is done while the store holds writes back because compaction has fallen behind", "slow")
GUARD(COMPACTION,  "compaction",        BYTES,    "none",   false, "how many bytes may wait to be compacted",                                            "64GiB")
/* clang-format on */
