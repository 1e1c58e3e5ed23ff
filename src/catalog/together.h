/* Group commit in the catalog: grants and checkpoints of several threads in one transaction, made durable by one sync.
 *
 * All have one catalog, which is whoever's turn it is: another connection would have to read the schema, and again what
 * the first has changed. The first to come with an entry commits what waits by then, while others queue up behind it;
 * one of them commits the next. Entries do not know each other: where one of a transaction is refused or fails, all of
 * them are done again, each in a transaction of its own, and each gets its own answer.
 *
 * A thread whose entry another one commits waits meanwhile: what its entry points to may be read and filled in. */
#pragma once

#include <pthread.h>

#include "catalog/catalog.h"

struct catalog_together {
    pthread_mutex_t lock; /* a leaf; guards what follows, not held over a transaction */
    pthread_cond_t changed;
    GPtrArray *waiting; /* of struct catalog_entry * */
    bool taken;
    struct catalog *catalog; /* whoever has taken it uses it, without the lock; NULL: it is not open */
};

/* One of two: a checkpoint, or the wish for a grant. */
struct catalog_entry {
    const struct checkpoint *checkpoint; /* NULL: the wish */
    const struct grant_wish *wish;
    struct arena *mem;
    struct grant *ret;
    /* filled in */
    bool done, ok;
    GError *error;
};

void catalog_together_init(struct catalog_together *together);
void catalog_together_done(struct catalog_together *together);

/* Opens it, an existing one, unless it is open. It stays so to the end. */
bool catalog_together_open(struct catalog_together *together, const struct world *world, const char *home,
                           GError **error);

/* As catalog_checkpoint() and catalog_grant(). */
bool catalog_together_commit(struct catalog_together *together, struct catalog_entry *entry, GError **error);

/* For anything else, once nobody else uses it; for the length of a call of the catalog. */
struct catalog *catalog_together_take(struct catalog_together *together);
void catalog_together_give(struct catalog_together *together);

/* How many wait for the transaction that is being committed to end. */
size_t catalog_together_waiting(struct catalog_together *together);
