/* Group commit: one sync serves everyone whose bytes were appended before it began.
 *
 * Who appends counts what it appended (tickets from 1, in the order of the file, under the caller's own lock) and then
 * waits here for its ticket. The first to come leads: it syncs what has been appended by then, while others append
 * behind it and wait; one of them leads the next. Nothing is synced under a lock: the one inside guards a few words.
 *
 * After a failed sync every waiter and every later call fails with the same error (the kernel may have dropped the
 * pages): halt, do not try again.
 *
 * POSIX mutexes, not GLib's: the thread sanitizer knows only these. */
#pragma once

#include <pthread.h>

#include "base/auto.h"
#include "base/error.h"

struct groupsync {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t done;  /* every ticket up to it is durable */
    uint64_t count; /* syncs so far */
    bool led;
    GError *failed;
};

/* Makes all that is appended durable; *ret_ticket is the highest ticket covered. Called by one thread at a time, which
 * holds no lock. */
struct groupsync_way {
    bool (*sync)(void *self, uint64_t *ret_ticket, GError **error);
    void *self;
};

void groupsync_init(struct groupsync *group);
void groupsync_done(struct groupsync *group);

/* Returns when everything up to `ticket` is durable: at once where it is already. */
bool groupsync_durable(struct groupsync *group, uint64_t ticket, const struct groupsync_way *way,
                       GError **error) must_use;

/* Does `way` once, when nobody syncs: for what takes the file's place. It must leave everything appended durable. */
bool groupsync_alone(struct groupsync *group, const struct groupsync_way *way, GError **error) must_use;

/* false, with the error of the sync that failed: whoever appends asks first. */
bool groupsync_usable(struct groupsync *group, GError **error) must_use;
uint64_t groupsync_count(struct groupsync *group);
