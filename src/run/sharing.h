/* Who of a crew has nothing to do, so that who has too much splits it (docs/partitions.md).
 *
 * Shared by the executors of one process. A worker for whom nothing is left to grant waits; as long as more wait than
 * partitions were split off for them, whoever comes to a checkpoint is asked to split. Who ends his partition asks for
 * another one before he counts as not at work: what he split off himself is his, if nobody was faster. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* What a worker counts as. */
enum share { SHARE_NOTHING, SHARE_WORK, SHARE_IDLE };

struct sharing {
    pthread_mutex_t lock; /* a leaf; guards what follows */
    pthread_cond_t changed;
    unsigned at_work; /* have a partition, or ask for one */
    unsigned idle;    /* wait */
    unsigned spare;   /* partitions that were split off and are not granted yet, or were before they were counted */
    uint64_t added;   /* ever */
    unsigned wakes;
    bool blocks; /* those who wait are threads of their own; else they are told to ask again */
};

enum idle_answer {
    IDLE_WAITS, /* ask again */
    IDLE_WORK,  /* there may be something to be granted */
    IDLE_OVER,  /* nobody is at work who could split what he has */
};

void sharing_init(struct sharing *sharing);
void sharing_done(struct sharing *sharing);
/* A new crew: nothing is spare. */
void sharing_begin(struct sharing *sharing, bool blocks);

/* *io_now is what the worker counts as. */
void sharing_be(struct sharing *sharing, enum share *io_now, enum share to);
/* The worker waits, until it is worth its while to ask for a partition, or its crew is at its end, or somebody wakes
 * it. IDLE_WORK: it counts as at work again. */
enum idle_answer sharing_wait(struct sharing *sharing, enum share *io_now);
/* Whoever waits looks up: it may be stopped. */
void sharing_wake(struct sharing *sharing);

/* Whether somebody waits for whom nothing was split off yet. */
bool sharing_wants(struct sharing *sharing);
/* A partition was split off, or such a one was granted. */
void sharing_add(struct sharing *sharing);
void sharing_take(struct sharing *sharing);
/* One may be granted to whoever is faster than its sharing_add(), and then counts as spare for ever: all who wait would
 * ask again and again. So whoever is granted nothing says so, with what sharing_added() was before it asked: if none
 * came since then, none is spare. */
uint64_t sharing_added(struct sharing *sharing);
void sharing_none(struct sharing *sharing, uint64_t added);
