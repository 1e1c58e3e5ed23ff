/* The limits of a run that a person may change while it is at work (`sluice set RUN KEY=VALUE`): frozen in the plan,
 * overlaid by what was set since. One row a limit, in limits.c. Shared by all workers; its lock guards all of it. */
#pragma once

#include "base/lock.h"
#include "catalog/catalog.h"
#include "guard/guards.h"
#include "plan/plan.h"

#define LIMITS_RATE     "protect.rate.max"
#define LIMITS_TOPOLOGY "protect.topology"
#define LIMITS_LIVE     "protect.live.p99"
#define LIMITS_SIGNAL   "protect.signals." /* and its name */
#define LIMITS_SKEW     "protect.skew"
#define LIMITS_BACK     "rollback.pace"
#define LIMITS_PRIORITY "priority"
#define LIMITS_UNTIL    "source.until"
#define BUDGET_RECORDS  "budget.records"
#define BUDGET_BYTES    "budget.bytes"
#define BUDGET_TIME     "budget.time"
#define BUDGET_COST     "budget.cost"
#define BUDGET_BURN     "budget.burn"

struct limits {
    pthread_mutex_t lock;   /* a leaf */
    struct plan_limits now; /* `workers`: of the next stage */
    double slowed_per_s;    /* what a guard leaves of the pace; 0: all of it */
    bool back;              /* what is at work is taken back */
};

void limits_init(struct limits *limits);
void limits_done(struct limits *limits);
/* As the plan froze them. */
void limits_reset(struct limits *limits, const struct plan_limits *frozen);
/* Overlays what was set since. */
bool limits_take_settings(struct limits *limits, struct catalog *catalog, int64_t run, struct arena *mem,
                          GError **error);

/* The key of the limit that is meant by it, where `protect.` is left out: of rate.max protect.rate.max, of signals.cpu
 * protect.signals.cpu. Any other stays as it is. It lives in `mem`, or as long as `key`. */
const char *limits_full_key(const char *key, struct arena *mem);
/* USAGE: no limit has the key (the nearest is named), or the value is none of it. */
bool limits_set(struct limits *limits, const char *key, const char *value, GError **error);
/* USAGE where the key is a guard's, and what it is set to says nothing (guard_limit_senseless()). What is recorded
 * already is not asked. */
bool limits_sensible(struct limits *limits, const char *key, GError **error);
/* As `set` takes it: `20000/s`, `1%`, `none`. The caller frees; USAGE as above. */
char *limits_get(struct limits *limits, const char *key, GError **error);
const char *limits_key(size_t i); /* those that every run has; NULL: no more */

bool limits_topology_halts(struct limits *limits);
struct spec_budget limits_budget(struct limits *limits);
struct money_rates limits_rates(struct limits *limits); /* as they were planned */
struct money_within limits_complete(struct limits *limits);
int64_t limits_source_until_ms(struct limits *limits); /* wall time; 0: for ever */
struct spec_live limits_live(struct limits *limits);
double limits_rate_max_per_s(struct limits *limits); /* as it was set */
/* What writes may use: less than that where a guard slows them; 0: as much as they can. */
double limits_rate_per_s(struct limits *limits);
/* 0: no longer. */
void limits_slow(struct limits *limits, double rate_per_s);
bool limits_is_slowed(struct limits *limits);
double limits_slowed_per_s(struct limits *limits); /* 0: it is not */
/* From now on what is at work is taken back, or is not. */
void limits_back(struct limits *limits, bool back);
/* It is taken back, and somebody has said that nothing is to hold it: neither rate nor promise nor guard. */
bool limits_hurries(struct limits *limits);
bool limits_goes_back(struct limits *limits); /* what is at work is taken back */
void limits_guards(struct limits *limits, struct guards_limits *ret);
uint32_t limits_workers(struct limits *limits);
uint32_t limits_priority(struct limits *limits);

/* What the shares are of. */
struct limits_seen {
    const struct tally *tally;
    uint64_t calls, failed; /* tries of this process to call a store (op_row()->store); those that failed */
};
/* A share beyond its limit, in words, and the limit's key, which is static; NULL: none. The caller frees. */
char *limits_passed(struct limits *limits, const struct limits_seen *seen, const char **ret_key);
