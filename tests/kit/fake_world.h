/* A world that a test turns by hand: virtual time, numbers from a seed, real files whose n-th call fails.
 *
 *     struct fake_world fake;
 *     fake_world_init(&fake);
 *     fake_world_arm(&fake, (struct fake_fault){.call = "fsync", .nth = 2, .number = EIO});
 *     … hand &fake.world down … */
#pragma once

#include <stdatomic.h>

#include "base/world.h"

struct fake_disk;

struct fake_fault {
    const char *call; /* a member of struct world_files; NULL: any of them */
    uint64_t nth;     /* of those calls, from 1; 0: no fault */
    int number;       /* the errno */
    bool lasting;     /* every later one fails too */
    bool sqlite;      /* of the calls that SQLite makes (kit/fake_sqlite.h), not of sluice's own */
    const char *path; /* only of files whose path contains this; NULL: of any */
};

struct fake_world {
    struct world world;
    atomic_int_fast64_t now_us;  /* what the monotonic clock shows; moves only by sleeping */
    atomic_int_fast64_t wall_ms; /* moves with it; a test may make it jump */
    uint64_t seed;               /* of the next random numbers */
    struct fake_fault fault;
    GMutex lock;                /* guards the faults and their counts */
    atomic_uint_fast64_t calls; /* file calls so far of the kind that `fault` names */
    atomic_uint_fast64_t fired; /* how many failed */
    bool dead;                  /* the machine or the process is gone: every file call fails, and leaves nothing */
    uint64_t dies_in; /* so many calls that change something from now; the one it dies in is half done. 0: never */
    struct fake_disk *disk; /* keeps what is not synced; NULL: nobody does */
    size_t longest;         /* no read or write moves more bytes at once; 0: no limit */
    atomic_uint_fast64_t synced, opened, closed, reads, writes; /* successful calls so far, of all threads */
    /* Told of every file call before it is made, under the lock: its name, the path of its file, whether it is
     * SQLite's, and whether it is of the kind that `fault` names. NULL: nobody. */
    void (*told)(void *self, const char *call, const char *path, bool sqlite, bool chosen);
    void *told_self;
};

void fake_world_init(struct fake_world *fake);

/* From now on; an empty fault ends it. */
void fake_world_arm(struct fake_world *fake, struct fake_fault fault);

/* Whether this call of SQLite's is to fail; errno is then set. */
bool fake_world_fails_sqlite(struct fake_world *fake, const char *call, const char *path);

/* The same sequence on every machine: what fake random numbers are made of. */
uint64_t fake_next(uint64_t *seed);
