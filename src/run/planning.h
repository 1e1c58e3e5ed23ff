/* What holds for whoever makes a plan, which lists keys and reads samples: the promise of the spec to live requests
 * (docs/pace.md), and the flag that stops all runs of the home. Internal to run/. */
#pragma once

#include "run/govern.h"
#include "run/run.h"

struct planning_pace {
    const struct run_config *config;
    struct limits limits;
    struct govern *govern;
    atomic_bool measures;                                 /* the live latency, before anything is listed */
    struct plan_around around;                            /* for struct plan_config */
    bool (*may)(const struct plan *plan, GError **error); /* before anything is measured; NULL: it may */
    atomic_bool *stop;                                    /* that ends the work: of whoever plans */
    _Atomic(const char *) held; /* by the flag: what it says; NULL: it is not. For any thread, until the pace is done */
    const char *told;           /* of that; by who watches, or of `alone` by who plans */
    bool alone;                 /* nobody watches: who plans tells it */
    atomic_bool left;           /* the flag stands, and the caller does not wait: *stop is set */
    /* its own, of the thread that plans */
    struct catalog *catalog; /* NULL: there is none yet */
    struct arena *mem;
    GPtrArray *said; /* what `held` points to */
    int64_t looked_us;
};

/* It stays where it is until it is done. */
void planning_pace_init(struct planning_pace *pace, const struct run_config *config);
void planning_pace_done(struct planning_pace *pace);

/* By the thread that plans, at least once a batch: as long as the flag stands it does not return, unless *stop is set.
 */
void planning_heed(struct planning_pace *pace);
/* What holds it, where that is another thing than was told. */
void planning_tell_held(struct planning_pace *pace);
/* Of a plan that was not made: where nobody waited for the flag, *io_error says that. */
void planning_say_left(struct planning_pace *pace, GError **io_error);

/* plan_make() at that pace, of what nobody watches; `may` as above. */
bool planning_make(struct plan **ret, const struct run_config *config, struct spec *spec /* taken over on success */,
                   bool (*may)(const struct plan *plan, GError **error), GError **error);
