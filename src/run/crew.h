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
    CREW_FAILED,      /* *error is set: the first worker's that failed */
};

struct crew {
    const struct run_config *config;
    struct exec_shared *shared;
    struct catalog *catalog; /* of the calling thread */
    struct arena *mem;       /* the wish's strings */
    uint32_t stage, workers;
    struct wish wish; /* CREW_WISHED */
};

enum crew_end crew_run(struct crew *crew, GError **error);
