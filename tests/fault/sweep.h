/* Whole runs in which the n-th call of a kind fails, for every n, until a run meets no fault. */
#pragma once

#include "kit/scene.h"

/* What is done, and on what. */
struct scenario {
    const char *name, *spec, *lua;
    void (*prepare)(struct scene *scene);
    bool back;  /* the faults are in the rollback; the run itself meets none */
    int status; /* of an undisturbed command */
};

/* What fails. */
struct trouble {
    const char *name;
    void (*arm)(struct scene *scene, uint64_t nth); /* 0: disarms */
    uint64_t (*fired)(const struct scene *scene);
    int status; /* the only one that the run may end with once it fired; 0: any but a fault of sluice itself */
    bool halts; /* and no write is sent after it */
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

/* `sites`, a set of char *, takes the name of every call that failed: "fsync home/catalog.db", "store cas". */
void sweep(const struct scenario *scenario, const struct trouble *trouble, GHashTable *sites, struct swept *ret);
