/* The judgement of one guard: a reading against its limit, with a time that it has to hold and a distance that it has
 * to keep, so that what trembles around a limit does not stop and start a run.
 *
 *     ok ──beyond `slow`──▶ slow ──beyond `limit` for `hold`──▶ pause (hard: halt)
 *      ▲                     │                                    │
 *      └──within `clear` for `hold`───────────────────────────────┘
 *
 * What cannot be read for its time fails closed: pause. A halt stays.
 *
 * Pure: times are microseconds of any monotonic clock. Caller's storage; one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* In the order of their weight. */
enum guard_level { GUARD_LEVEL_OK, GUARD_LEVEL_SLOW, GUARD_LEVEL_PAUSE, GUARD_LEVEL_HALT, GUARD_LEVELS };
const char *guard_level_word(enum guard_level level);

struct guard_rule {
    double limit, slow; /* ±infinity: none; `slow` is the nearer one, or the same */
    double clear;       /* from where on a reading is well within: what lies between it and `slow` changes nothing */
    bool below;         /* what lies under the limit is beyond it */
    bool hard;
    bool strict;      /* one reading that fails is enough */
    int64_t hold_us;  /* 0: at once */
    int64_t stale_us; /* without a reading for so long it cannot be read */
};

/* `limit` with a tenth of it as the distance to keep; `hold_us` is the time for staleness too. */
struct guard_rule guard_rule_of(double limit, double slow, bool below, int64_t hold_us);

struct guard_state {
    enum guard_level level;
    bool known;                   /* it was read at least once */
    bool unread;                  /* `level` is PAUSE because it cannot be read */
    double value;                 /* the newest */
    int64_t since_us;             /* of the level */
    int64_t read_us;              /* the newest reading, or the beginning */
    int64_t beyond_us, within_us; /* since when without a break, or GUARD_NEVER */
};
#define GUARD_NEVER INT64_MIN

void guard_begin(struct guard_state *ret, int64_t now_us);
/* A reading; one that is no number is a failure. */
void guard_take(struct guard_state *state, const struct guard_rule *rule, double value, int64_t now_us);
/* One that failed. */
void guard_fail(struct guard_state *state, const struct guard_rule *rule, int64_t now_us);
/* The limits are other ones: what was read last is held against them, as of then. */
void guard_moved(struct guard_state *state, const struct guard_rule *rule);
/* Time has passed, or the rule is another one. */
void guard_look(struct guard_state *state, const struct guard_rule *rule, int64_t now_us);
