/* Latches: a call holds all the keys that it is about to read and write, so that nothing comes between.
 *
 * Taken all at once and in the order of arrival: a call waits only for calls that came before it, so there is no
 * deadlock and nobody starves. Exact: calls wait for each other only where they have a key in common. Held for one
 * batch; whoever holds one waits for nothing but the disk. */
#pragma once

#include "base/lock.h"
#include "store/store.h"

struct latches {
    pthread_mutex_t lock; /* leaf; nothing else is done under it */
    pthread_cond_t released;
    GQueue arrived; /* of struct latch, held or waiting, in order */
};

struct latch {
    const char *family;       /* in which `keys` are */
    const struct slice *keys; /* ascending, each once; borrowed while the latch is held */
    size_t n;
    struct slice fence; /* the fence's key; empty: none */
};

void latches_init(struct latches *latches);
void latches_done(struct latches *latches);

/* Waits until no earlier latch has a key or the fence in common. Fails as call_goes_on() does; nothing is held then. */
bool latch_take(struct latches *latches, struct latch *latch, const struct call *call, const struct world *world,
                GError **error);
void latch_release(struct latches *latches, struct latch *latch);
