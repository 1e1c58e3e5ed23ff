/* The keys of a dataset, listed by hash slot where there is a cluster, else by SCAN.
 *
 * A part's bounds are a range of slots (a standalone server has one part, which is everything). Every key of the
 * dataset that there is all the time is listed, whatever moves meanwhile; keys may come twice, in any order. Of
 * sluice's own keys none comes. One thread at a time.
 *
 * In a cluster each slot is one bounded GETKEYSINSLOT, in a moment in which its owner says that it has all of the slot;
 * a slot on the move waits until the others are done. Of a server with slots too large for that all of them are read by
 * SCAN at once; those that did not stay there are read again. The cursor names the first slot that is not done; on a
 * standalone server it says where SCAN stands and under which run id: gone on with on another process, it begins anew.
 */
#pragma once

#include "store/valkey/route.h"
#include "store/valkey/template.h"

struct list;

struct list_wish {
    const struct key_template *template; /* borrowed as long as the list */
    struct slice bounds, cursor;         /* of a part; empty: everything, from the beginning. Copied */
    size_t max_keys;                     /* of one list_next(), about: a slot that is read in one call comes whole */
    const struct store_only *only;       /* slots of which nothing is wanted are left out; NULL: none */
    bool own;                            /* sluice's own keys in their place; the template matches everything */
    size_t slot_most;                    /* keys of a slot that one call may read, else SCAN; 0: 10,000 */
};

/* CORRUPT: bounds or cursor that no list_…() has given. */
bool list_open(struct list **ret, struct router *router, const struct list_wish *wish, GError **error);
void list_close(struct list *list); /* takes NULL */
AUTO_DEFINE(list, list_close)

/* The next keys as the server has them (all of the dataset: key_template_from_server() says so), in call->mem. `cursor`
 * is where another list may go on behind them; keys that it would give again may have come already. Possibly none
 * although there is more. What moves, restarts or fails over is waited out until the deadline. */
struct list_keys {
    struct slice *keys;
    size_t n;
    struct slice cursor;
    bool done;
};
bool list_next(struct list *list, const struct call *call, struct list_keys *ret, GError **error);

/* Parts that cover every slot once. What they hold is an estimate from the servers' own counts of all keys. */
bool list_split(struct router *router, const struct call *call, const struct split_wish *wish, struct part_list *into,
                GError **error);
/* How many keys the servers have in all, of every dataset. */
bool list_count(struct router *router, const struct call *call, uint64_t *ret, GError **error);
