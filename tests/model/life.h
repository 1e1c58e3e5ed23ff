/* Random lives of a run against a short reference of the promises.
 *
 * One life: records in a store, a spec, workers of which one at a time makes a step, an application that writes between
 * the steps, and deaths: between any two steps, in the middle of a cas, just behind one whose answer is lost, or in the
 * middle of any call that changes a file, those of the catalog included. With the process the machine may lose its
 * power: then the home keeps of what was not synced only a beginning. A dead worker's cas may still arrive, late; a
 * live one's may arrive twice. The seed decides everything.
 *
 * On `mem` all of it is one process and a death is a return; on RocksDB each life of a process is a child that ends
 * itself on the spot (the application then dies with it, and the power stays on). */
#pragma once

#include "kit/scene.h"

#define LIFE_KEYS    60
#define LIFE_WORKERS 3u

enum life_store { LIFE_ON_MEM, LIFE_ON_ROCKSDB };
enum life_mode { LIFE_IN_PLACE, LIFE_FILL, LIFE_OVERWRITE, LIFE_MODES };

/* What the application last did to a key, and what the run may have made of it. */
struct reference {
    int64_t value; /* of the newest write by the application, or of the beginning */
    bool present;
    bool touched; /* the application has written it while the run was at work */
    bool unseen;  /* its newest write removed a key where the run had left nothing: nobody can tell */
    int64_t expires_at_ms;
};

/* What really happened: a race that no life ran was not tested. */
struct met {
    uint64_t deaths, torn, lost, twice, late, fenced, changed, done, resumed;
    uint64_t in_files;  /* deaths in the middle of a call that changes a file */
    uint64_t forgotten; /* such calls that a loss of power took back */
    uint64_t splits;    /* partitions that were split at a checkpoint */
    uint64_t between;   /* deaths between the intents of a batch and its checkpoint */
};

struct life {
    struct fake_world fake; /* first: its clock's `self` is the life */
    struct world_clock clock;
    enum life_store on;
    enum life_mode mode;
    struct mem_space *space;
    struct mem_driver mem;
    const struct store_driver *drivers[2];
    struct store_registry *registry; /* of the process that is alive; NULL between deaths */
    char *dir, *home, *spec_path;
    uint64_t seed;
    struct reference target[LIFE_KEYS], source[LIFE_KEYS];
    bool left_nothing[LIFE_KEYS]; /* the run's newest write to the target's key removed it */
    int64_t next_value;
    enum job_kind job; /* that the process works on */
    struct late late;  /* a dead worker's cas that is still on its way; mem NULL: none */
    struct met met;
};

/* Adds to *met. */
void life_run(enum life_store on, uint64_t seed, struct met *met);
