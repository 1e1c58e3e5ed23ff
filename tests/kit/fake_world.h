/* A world that a test turns by hand: virtual time, numbers from a seed, real files whose n-th call fails.
 *
 *     struct fake_world fake;
 *     fake_world_init(&fake);
 *     fake_world_arm(&fake, (struct fake_fault){.call = "fsync", .nth = 2, .number = EIO});
 *     … hand &fake.world down … */
#pragma once

#include "base/world.h"

struct fake_fault {
    const char *call; /* a member of struct world_files; NULL: any of them */
    uint64_t nth;     /* of those calls, from 1; 0: no fault */
    int number;       /* the errno */
    bool lasting;     /* every later one fails too */
};

struct fake_world {
    struct world world;
    int64_t now_us;  /* what the monotonic clock shows; moves only by sleeping */
    int64_t wall_ms; /* moves with it; a test may make it jump */
    uint64_t seed;   /* of the next random numbers */
    struct fake_fault fault;
    uint64_t calls;                                 /* file calls so far of the kind that `fault` names */
    uint64_t fired;                                 /* how many failed */
    size_t longest;                                 /* no read or write moves more bytes at once; 0: no limit */
    uint64_t synced, opened, closed, reads, writes; /* successful calls so far */
    /* Told of every file call before it is made: its name, and the path of its file. NULL: nobody. */
    void (*told)(void *self, const char *call, const char *path);
    void *told_self;
};

void fake_world_init(struct fake_world *fake);

/* From now on; an empty fault ends it. */
void fake_world_arm(struct fake_world *fake, struct fake_fault fault);

/* The same sequence on every machine: what fake random numbers are made of. */
uint64_t fake_next(uint64_t *seed);
