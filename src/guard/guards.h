/* The guards of a run: what is watched while it writes, and whether it may go on.
 *
 * A thread of its own reads the servers of the target once a second, one the switch, and one each of the signals from
 * outside, so that none waits for another. Readings of others (a probe, the catalog's flag) are fed in. Whoever watches
 * the run asks for the judgement several times a second: it is what says whether a reading has become too old.
 *
 * Threads: guards_…() may be called by any; the lock is a leaf and held for no I/O. docs/guards.md is the user's page.
 */
#pragma once

#include "guard/judge.h"
#include "guard/signals.h"
#include "spec/spec.h"
#include "store/calls.h"

struct guards;

struct guards_config {
    const struct world *world;
    const char *base_dir; /* of the spec */
    struct store *target;
    const struct dataset *target_ds;
    const struct spec_signal *signals;
    size_t n_signals;
    const struct spec_switch *enabled; /* nothing in it: nobody is asked */
    uint32_t given;                    /* the guards that were asked for: one that nothing measures fails closed */
    const struct signals_forecast *forecast; /* of the target's growth; NULL: nobody knows */
};

/* Borrows what the config points to. Reads nothing before the first guards_judge(). */
struct guards *guards_new(const struct guards_config *config);
void guards_free(struct guards *guards); /* joins its threads: up to the time of a reading that is under way */
AUTO_DEFINE(guards, guards_free)

/* The limits as they stand now. */
struct guards_limits {
    double of[GUARD_COUNT];
    int64_t hold_ms, skew_ms;          /* skew: of the servers' clocks against ours, hard */
    double signals[SPEC_SIGNALS_MOST]; /* in the order of the config */
};

struct guards_verdict {
    enum guard_level level; /* the worst */
    bool ready;             /* everything that is watched was read, or given up */
    bool asked;             /* everything that is watched was read, or has failed once */
    bool beyond;            /* a reading is beyond its limit, be it for a moment: nobody begins to write now */
    bool clears;            /* the guard had paused the run before, and has only to stay within its limit */
    char *name;             /* of the first guard that has this level; NULL: OK */
    char *words;            /* what it is about, in words; NULL: OK */
    int64_t since_ms;       /* wall time */
};
/* Judges all of them. The caller frees the verdict's texts by guards_verdict_done(). */
void guards_judge(struct guards *guards, const struct guards_limits *limits, struct guards_verdict *ret);
void guards_verdict_done(struct guards_verdict *verdict);

/* A reading that somebody else has: `why` in words for what is beyond its limit; NULL: the numbers say it. The guard is
 * there from its first reading on; `name` lives as long as the guards. */
struct guards_feed {
    const char *name, *source; /* source: whose reading it is, static */
    bool steers;               /* the pace follows it, and it is not only stopped at */
    enum guard_unit unit;
    struct guard_rule rule;
    double value; /* NAN: it could not be read, as `why` says */
    const char *why;
};
void guards_feed(struct guards *guards, const struct guards_feed *feed);
/* A guard that had paused the run when its last process ended, because it could not be read or otherwise: with its
 * first reading it holds the run until it is clear, as if it had paused it here. Before the first judgement. */
void guards_recall_pause(struct guards *guards, const char *name, bool unread);
/* From where the growth of a server counts: what is known of an earlier process, before the first judgement; … */
void guards_recall(struct guards *guards, const struct signals_base *base);
/* … and appends what is known now, from the `from`-th on; the caller clears. Whatever was judged is in it. */
void guards_bases(struct guards *guards, size_t from, GArray *into);
/* How many bytes the run has written so far. */
void guards_wrote(struct guards *guards, uint64_t bytes);
/* What was fed is watched no longer; one that never was is fine. */
void guards_drop(struct guards *guards, const char *name);

/* How they stand, as a JSON array for `status`: `name`, `unit`, `source`, `kind` (load: the pace is steered by it;
 * limit: it is only stopped at it), `level`, `unread`, `value`, `limit`, `where`, `since`, `error`. The caller frees.
 */
char *guards_json(struct guards *guards);
