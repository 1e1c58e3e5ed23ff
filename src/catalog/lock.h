/* The run lock: who drives a run is one live process.
 *
 * HOME/runs/RUN.lock, held with flock() for as long as the process lives: the kernel lets go of it at its death, so a
 * lock is never stale and never has to be broken. What the file says is for messages only. It is never removed: whoever
 * waited for it would hold a file that has no name. */
#pragma once

#include "base/world.h"

struct run_lock;

/* `run`: NAME.N. LOCKED: "run fix.3 is being run by pid 4711 on host since …". */
bool run_lock_take(struct run_lock **ret, const struct world *world, const char *home, const char *run, GError **error);
void run_lock_free(struct run_lock *lock); /* lets go */
/* Nothing stands in the way any more: whoever has let the process begin need not wait for its end. */
bool run_lock_begins(struct run_lock *lock, GError **error);
AUTO_DEFINE(run_lock, run_lock_free)

struct run_holder {
    bool live; /* a process holds the lock at this moment; the rest is 0 and "" where it has not said */
    int64_t pid;
    char host[256];
    int64_t since_ms;
    bool begins; /* run_lock_begins() */
};
/* Asks without waiting. A run_lock_take() at the same moment is not disturbed: it tries for a fifth of a second. */
bool run_lock_holder(struct run_holder *ret, const struct world *world, const char *home, const char *run,
                     GError **error);
