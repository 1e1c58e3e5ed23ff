/* Whole runs in which the n-th call of a kind fails, for every n, until a run meets no fault. */
#pragma once

#include "fault/sites.h"

/* The command that meets the faults. */
enum sweep_command { SWEEP_RUN, SWEEP_BACK, SWEEP_VERIFY };

/* In the middle of a write; with all of a batch done but its checkpoint. */
enum sweep_half { HALF_NONE, HALF_CAS, HALF_SETTLE };

/* What is done, and on what. */
struct scenario {
    const char *name, *spec, *lua;
    void (*prepare)(struct scene *scene);
    enum sweep_command command; /* before a rollback and a verification, a run meets none */
    enum sweep_half half;       /* a process before it has ended there; the one that goes on meets them */
    int status;                 /* of an undisturbed run */
};

/* What fails. */
struct trouble {
    const char *name;
    void (*arm)(struct scene *scene, uint64_t nth); /* 0: disarms */
    uint64_t (*fired)(const struct scene *scene);
    int status;   /* the only one that the command may end with once it fired; 0: any but a fault of sluice itself */
    bool or_done; /* besides, it may have come through */
    bool halts;   /* and no write was sent after it */
    bool making;  /* it may meet the making of the home */
    bool sparse;  /* not in every scenario, but for one that runs, one that goes on, and one that takes back */
};

/* What an undisturbed run leaves. */
struct reference {
    char *before, *after;
    struct tally tally;
};

struct swept {
    uint64_t runs, stopped; /* runs with a fault; those that it ended */
    uint64_t last;          /* the n that met none */
};

/* Every n up to there, then one in so many, and each that is the first of its name; of calls that have none (a store's)
 * one in so many of all. */
struct pace {
    uint64_t every, stride, from, nameless;
};

/* `sites` takes the names of the calls. */
void sweep(const struct scenario *scenario, const struct trouble *trouble, const struct pace *pace, struct sites *sites,
           struct swept *ret);
