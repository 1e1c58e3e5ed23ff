/* The guards of a run that this process holds (guard/guards.h): who watches the run looks at them several times a
 * second; a soft one slows the run, then pauses it until it is clear, a hard one halts it. What is seen is put down in
 * the catalog for `status` and `watch`. docs/guards.md is the user's page. Internal to run/. */
#pragma once

#include "guard/guards.h"
#include "run/limits.h"
#include "run/run.h"

struct hold;

/* Of the thread that watches; only `guards` has threads of its own. */
struct guarding {
    const struct run_config *config;
    struct guards *guards;
    struct limits *limits; /* where they stand, and what is slowed */
    int64_t run;
    struct guards_verdict verdict; /* as of the last look */
    double pace_per_s;             /* of the run, as far as it is known; 0: it is not */
    /* its own */
    struct arena *mem;
    int64_t looked_us, asked_us, put_us;
};

/* Once the plan is loaded; NULL before. The first look begins to read. */
struct guarding *guarding_new(const struct hold *hold);
void guarding_free(struct guarding *guarding);

/* Judges, if it is time to: pace, events, what `status` shows. `catalog` is the calling thread's. */
void guarding_look(struct guarding *guarding, struct catalog *catalog, int64_t now_us);
bool guarding_holds(const struct guarding *guarding); /* as of the last look: nothing may be written */

/* Moves the run to paused, with the guard that holds it and its words; one that it has paused already stays. */
bool guarding_pause(const struct guarding *guarding, struct catalog *catalog, const struct run_row *run,
                    GError **error);

/* Until everything is read and no guard holds it. *ret_go false: it was stopped meanwhile, or halted, and the result
 * says why. The run may be left paused by a guard: the caller's next move takes it on. */
bool guarding_wait(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);
