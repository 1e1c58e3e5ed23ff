/* The workers of one stage: threads, and the one loop that watches them.
 *
 * The calling thread watches: it asks for wishes (pause, abort …), for signals, and shows progress, while each worker
 * thread performs its steps. All have ended when crew_run() returns. */
#pragma once

#include "run/exec.h"
#include "run/run.h"

/* Why the crew ended. */
enum crew_end {
    CREW_WRITTEN,     /* nothing is left to grant */
    CREW_INTERRUPTED, /* a signal */
    CREW_WISHED,      /* a person: see `wish` */
    CREW_LIMITED,     /* a limit of `protect`: see `limit` */
    CREW_CLOSED,      /* its hours are over */
    CREW_SPENT,       /* its budget is */
    CREW_UNREADABLE,  /* the time of its source is (source.until) */
    CREW_GUARDED,     /* a guard holds it, or a limit stopped it that was lifted meanwhile: as soon as all is clear */
    CREW_FAILED,      /* *error is set: the first worker's that failed */
};

struct crew {
    const struct run_config *config;
    struct exec_shared *shared;
    struct catalog *catalog; /* of the calling thread; NULL: no wish is heard, nothing is shown */
    struct arena *mem;       /* the wish's strings */
    uint32_t stage, workers;
    struct guarding *guarding;   /* NULL: no guard holds this work */
    bool lift_limits;            /* a person has looked and said go on */
    int64_t opens_ms, closes_ms; /* its hours, by the wall clock, [opens, closes); closes_ms 0: always */
    uint64_t of;                 /* records in all, to show; 0: as many as are listed, or unknown */
    struct wish wish;            /* CREW_WISHED */
    char *limit;                 /* CREW_LIMITED: which, in words; the caller frees */
    const char *limit_key;       /* … and by its key */
    /* its own */
    int64_t topology_us; /* when the target was last asked who has its data */
    bool closed;
    unsigned told; /* of the budget, see crew.c */
    bool unreadable, told_late, told_source;
    GError *moved; /* what is to end the run: others have its data */
    GArray *lags;  /* of struct lag: who lags, as the catalog says it; NULL: nobody did */
    int64_t lags_us;
};

/* A share of the records accounted for that is beyond what `protect` allows, in words, and its key; NULL: none. The
 * caller frees. */
char *crew_limit_passed(struct exec_shared *shared, const struct tally *tally, const char **ret_key);

/* The time of the source has passed: nothing more is to be read of it. */
bool crew_source_passed(struct exec_shared *shared);

/* Says what of the budget is used up to certain shares: once each, however many processes the run has. */
void crew_tell_budget(struct crew *crew);
/* Says once that its deadline will be missed if it goes on so, and once that it will not be through with its source by
 * source.until. */
void crew_tell_slo(struct crew *crew, const struct run_row *run);
void crew_tell_source(struct crew *crew, const struct run_row *run);

enum crew_end crew_run(struct crew *crew, GError **error);
