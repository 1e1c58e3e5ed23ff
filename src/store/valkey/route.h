/* Commands to the servers that own their slots, pipelined, many at once; redirections and refusals handled by one table
 * (reply_rows.h). One router a session; one thread at a time.
 *
 * Each command has one key's slot (or a node by number). route_run() sends all, at most `depth` at once to each node,
 * and calls `answer` once for every command that got its final reply, in any order; the reply is valid during the call.
 */
#pragma once

#include "store/valkey/topology.h"

struct router;

enum route_fate {
    ROUTE_NOT_SENT, /* it certainly did nothing */
    ROUTE_ANSWERED, /* answer() was called */
    ROUTE_UNKNOWN,  /* it may have been executed, and nobody knows */
};

struct command {
    const struct slice *args;
    size_t n_args;
    int32_t slot; /* -1: to `node` */
    size_t node;
    bool repeatable; /* reads: sent again after a lost connection; a write never is: its fate is then ROUTE_UNKNOWN */
    enum route_fate fate; /* valid whatever route_run() returned */
};

struct route_wish {
    struct command *commands;
    size_t n;
    size_t depth; /* 0: 512 */
    /* Error replies that no row of the table takes care of come here as well. false ends route_run(). */
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
    void *self;
};

/* `shared` is the store's: topology under a lock, refreshed by whoever meets a MOVED first. */
struct routes;
struct routes *routes_new(const struct world *world, const struct valkey_uri *uri, struct topology *first);
void routes_free(struct routes *routes);
struct topology *routes_topology(struct routes *routes); /* a reference */
/* Asks anew, unless another thread has since `seen`. */
bool routes_refresh(struct routes *routes, const struct topology *seen, const struct net_wait *wait, GError **error);

struct router *router_new(struct routes *routes);
void router_free(struct router *router);

/* false: the call as a whole failed (the deadline, a slot without owner, a refusal that stops): every command's fate
 * says what became of it. TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN and the like are waited out until the deadline;
 * the error then names slot, node and what the server said. */
bool router_run(struct router *router, const struct call *call, const struct route_wish *wish, GError **error);

/* The connections that have been written on since the last time: for WAIT. */
bool router_settle(struct router *router, const struct call *call, GError **error);
