/* The guards of a run that this process holds (guard/guards.h): who watches the run looks at them several times a
 * second; a soft one slows the run, then pauses it until it is clear, a hard one halts it. What is seen is put down in
 * the catalog for `status` and `watch`. docs/guards.md is the user's page. Internal to run/. */
#pragma once

#include "guard/guards.h"
#include "run/burn.h"
#include "run/limits.h"
#include "run/run.h"

struct budget;
struct hold;

/* Of the thread that watches; only `guards` has threads of its own. */
struct guarding {
    const struct run_config *config;
    struct guards *guards;
    struct limits *limits; /* where they stand, and what is slowed */
    struct govern *govern; /* whose readings are fed in; NULL: nothing is promised */
    struct budget *budget; /* how fast it is used, too */
    struct burn burn;
    int64_t burn_ms;               /* the time that it knows of; 0: none */
    int64_t run;                   /* 0: none */
    char *name, *target;           /* as the catalog names them */
    struct guards_verdict verdict; /* as of the last look */
    char *paused;                  /* the guard that had paused the run when it was taken up; NULL: none, or recalled */
    char *told;                    /* the guard of whose pause the stream has heard; NULL: of none since it was clear */
    atomic_bool *stop;             /* set as soon as one holds the run, by the look that finds it; NULL: nobody's */
    double pace_per_s;             /* of the run, as far as it is known; 0: it is not */
    bool recalled;                 /* from where the servers' growth counts … */
    bool owes;                     /* … and some of that is not written down yet */
    size_t kept;                   /* servers of which it is */
    GError *lost;                  /* why the catalog does not say that, or does not take it; NULL: it does … */
    int64_t lost_us;               /* … since then */
    /* its own */
    struct spec *spec; /* of a run that is taken back, where it can still be read */
    struct arena *mem;
    int64_t looked_us, stop_us, asked_us, put_us;
};

/* What the flag of the home says to whoever is stopped by it; NULL: it does not stand. The caller frees. */
char *guarding_stop_words(const struct stop_flag *flag);

/* Once the plan is loaded and its stores are paced; NULL before. The first look begins to read. Of a run that is taken
 * back, signals and switch are watched where its spec is still there. A hold without a run (id 0) is that of a spec,
 * whose servers, signals, switch and promise are watched, and the flag of the home, where it has a catalog. */
struct guarding *guarding_new(const struct hold *hold);
void guarding_free(struct guarding *guarding);

/* Judges, if it is time to: pace, events, what `status` shows. `catalog` is the calling thread's; NULL where there is
 * neither run nor home. */
void guarding_look(struct guarding *guarding, struct catalog *catalog, int64_t now_us);
/* The same by who knows the pace of the work, of which half is left where it is slowed. */
void guarding_look_paced(struct guarding *guarding, struct catalog *catalog, double per_s, int64_t now_us);
/* As of the last look: nothing may be sent, unless what is taken back is in a hurry. */
bool guarding_holds(const struct guarding *guarding);
bool guarding_halts(const struct guarding *guarding); /* … and only a person lets it go on */
bool guarding_may(const struct guarding *guarding);   /* all is read, and nobody is against it: what stands may go on */

/* What waits for its guards waits in vain: a hard one is against it, or for so long that nobody should wait for it the
 * catalog has not told, or taken, from where growth counts. */
bool guarding_ends(const struct guarding *guarding);
/* Nobody waits for it any longer: it may go on, or waits in vain. */
bool guarding_is_over(const struct guarding *guarding);
/* What it is over by; why it does not go on, as an error. */
bool guarding_lets(const struct guarding *guarding, GError **error);

/* Moves the run to paused, with the guard that holds it and its words; one that it has paused already stays. */
bool guarding_pause(const struct guarding *guarding, struct catalog *catalog, const struct run_row *run,
                    GError **error);
bool guarding_pause_here(struct hold *hold, GError **error);

/* Until everything is read and no guard holds the run, which may be left paused by one: the caller's next move takes it
 * on. */
enum guarding_end {
    GUARDING_CLEAR,
    GUARDING_WISHED,      /* hold->wish */
    GUARDING_INTERRUPTED, /* a signal */
    GUARDING_LEFT,        /* --exit-on-pause: the run's reason says what holds it */
    GUARDING_HALTED,      /* a hard guard */
    GUARDING_ERROR,       /* *error is set */
};
enum guarding_end guarding_clear(struct hold *hold, GError **error);

/* The same for what goes forwards. *ret_go false: it was stopped meanwhile, or halted, and the result says why. */
bool guarding_wait(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);
