/* Watching: the thread that holds a run waits here while others work for it. It looks for signals, for wishes from
 * other terminals, shows how far the work has got, and keeps the catalog's log short. Internal to run/. */
#pragma once

#include "run/govern.h"
#include "run/guarding.h"
#include "run/limits.h"
#include "run/paces.h"
#include "run/run.h"

struct watch {
    const struct run_config *config;
    struct catalog *catalog; /* of the calling thread; NULL: there is no run yet, hence no wish */
    struct arena *mem;       /* the wish's strings */
    int64_t run;
    struct govern *govern;     /* whose pace is written down for status; NULL: none */
    struct guarding *guarding; /* whose guards are looked at; NULL: nobody's */
    bool guarded;              /* one of them that holds the run stops the work … */
    bool held;                 /* … and has */
    struct limits *limits;     /* what `sluice set` changes at once; NULL: nothing here heeds them */
    int64_t beside;    /* a run for which this one is taken back: a wish to pause or abort it is an interruption */
    bool at_gate;      /* a denial ends it */
    bool back;         /* of all wishes only a pause ends it: the run is on its way back already */
    atomic_bool *stop; /* set when a signal or a wish asks for an end */
    bool (*ended)(void *self);
    const atomic_bool *until; /* set by world_cancel() when `ended` would say so: noticed at once; NULL: in 4 ms */
    void (*look)(void *self, struct watch *watch); /* about twice a second: shows, judges; NULL: nothing to do */
    void *self;

    /* What came. */
    bool interrupted; /* a signal */
    struct wish wish; /* id 0: none */

    /* Its own. */
    bool owes; /* a wish has stopped the work, and is not written down as heard */
    int64_t now_us, asked_us, tidied_us, shown_us, paced_us;
    uint64_t shown_done;
    struct paces *paces; /* as they were told, where there is no `govern` to keep it; NULL: nobody was */
    double rate_per_s;
};

bool watch_is_signalled(const struct run_config *config);

/* Returns when `ended` says so; what is asked for meanwhile is in `stop`, `interrupted` and `wish`. */
void watch_until_ended(struct watch *watch);

/* The work, on a thread of its own, watched until it ends; `ended` is filled in. The work looks at *stop as any call
 * does at its `cancel`. */
bool watch_work(struct watch *watch, bool (*work)(void *self, GError **error), GError **error);

/* For `look`: records a second, smoothed over the last few looks. 0 at the first. */
double watch_rate_per_s(struct watch *watch, uint64_t done);

/* What has changed of the pace by now (run/paces.h). Where the catalog cannot be read, the next time. */
void watch_tell_pace(struct watch *watch, const char *json);
