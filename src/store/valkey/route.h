/* Commands to the servers that own their slots, pipelined, many at once; redirections and refusals handled by one table
 * (reply_rows.h). One router a session; one thread at a time.
 *
 * Each command has one key's slot (or names a server). router_run() sends all, as many at once to each node as it
 * answers soon, and calls `answer` once for every command that got its final reply, in any order; the reply is valid
 * during the call.
 */
#pragma once

#include "store/valkey/topology.h"

struct router;
struct pace;

enum route_fate {
    ROUTE_NOT_SENT, /* it certainly did nothing */
    ROUTE_ANSWERED, /* answer() was called */
    ROUTE_UNKNOWN,  /* a write whose reply was lost: it may have been executed, and nobody knows */
};

struct command {
    const struct slice *args;
    size_t n_args;
    int32_t slot; /* -1: to the server at `at`, whatever it owns */
    const struct valkey_host
        *at; /* for instance of a node of a topology that the caller holds; borrowed for the call */
    /* Sent again after a lost connection: reads, and scripts that may run twice. Of any other its fate is then
     * ROUTE_UNKNOWN. What is settled: all that is not repeatable, and all scripts. */
    bool repeatable;
    /* EVALSHA: what SCRIPT LOAD gives to a server that answers NOSCRIPT, before the command goes there again. NULL: the
     * answer goes to the caller. Borrowed for the call. */
    const char *script;
    /* Executed with nothing in between, in this order, by a server that `at` names, or of which there is one: then the
     * answer is an array of their replies, and `args` are EXEC. Of a part only `args` counts. One that is refused
     * refuses all of them. */
    const struct command *parts;
    size_t n_parts;
    bool gives_way;       /* refused, it is not sent again: whatever the server says is its answer */
    uint32_t weight;      /* how many small commands a server that executes it is busy for; 0: one, and one a part */
    enum route_fate fate; /* valid whatever router_run() returned */
};

/* Commands that look at a key and at little of its value, or at the few marks of a fence: 1 to 6 µs each, where a call
 * that writes four small records takes 50. */
#define ROUTE_LIGHT 8

struct route_wish {
    struct command *commands;
    size_t n;
    size_t depth; /* at most so many; 0: as many as the server answers soon */
    /* What router_bind() gave: commands to that server go through the connection that it was then, or not at all; every
     * error reply is the caller's. 0: through any. */
    uint64_t bound;
    /* So many of its commands, each for one key and of weight 0, take a server no longer than a call that writes four
     * records: they count as one where it is paced, and go together. 0: each counts by itself. */
    uint32_t light;
    bool unpaced; /* a small question on whose answer guards rest: it must be heard however slow the pace is */
    /* Of commands that follow each other only the first goes out at first. What each is told by the answer to the one
     * before: it fills in the next and says true, or there is none. The next one is on its way before answer() is
     * called, so that the server is at work while the answer is taken. NULL: all go out at once. */
    bool (*follow)(void *self, size_t i, const struct reply *reply, struct command *next);
    /* Error replies that no row of the table takes care of come here as well. false ends router_run(). */
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
    void *self;
};

/* `shared` is the store's: topology under a lock, refreshed by whoever meets a MOVED first. */
struct routes;
/* `uri` is borrowed for as long; of `first` it takes a reference of its own. */
struct routes *routes_new(const struct world *world, const struct valkey_uri *uri, struct topology *first);
void routes_free(struct routes *routes);
struct topology *routes_topology(struct routes *routes); /* a reference */
/* From the next router_run() on all commands of all routers go at this pace; NULL: as fast as they may. It outlives
 * every run that begins before the next one is set. */
void routes_set_pace(struct routes *routes, struct pace *pace);
struct pace *routes_pace(struct routes *routes);
/* Asks anew, unless another thread has since `seen`, or is asking at this moment. SHARD_LOST: for longer than the URI
 * gives a failover slots have had no owner, or one that the cluster gives up, or the cluster's epoch has been an older
 * one. */
bool routes_refresh(struct routes *routes, const struct topology *seen, const struct net_wait *wait, GError **error);

struct router *router_new(struct routes *routes);
void router_free(struct router *router);
bool router_paced(const struct router *router);            /* small requests are asked for */
struct topology *router_topology(struct router *router);   /* as all routers of the store have it now; a reference */
uint64_t router_redirections(const struct router *router); /* that its commands have met so far */
bool router_refresh(struct router *router, const struct call *call, GError **error); /* asks anew */

/* true: every command was answered, or is a write that was lost with its connection (ROUTE_UNKNOWN). false: the call as
 * a whole failed (the deadline, a slot without owner, a refusal that stops): every command's fate says what became of
 * it. TRYAGAIN, CLUSTERDOWN, LOADING, MASTERDOWN and the like are waited out until the deadline; the error then names
 * slot, node and what the server said. */
bool router_run(struct router *router, const struct call *call, const struct route_wish *wish, GError **error);

/* The server's connection as it is now, made where there is none: what WATCH and MULTI last for. */
bool router_bind(struct router *router, const struct call *call, const struct valkey_host *at, uint64_t *ret,
                 GError **error);

/* What a server says of itself (INFO), asked anew. Texts are empty where it does not say. */
struct node_state {
    char run_id[48], replid[48];
    char replid2[48];             /* of the history that it went on with when it became a primary … */
    int64_t second;               /* … and the offset from which on its own differs from it */
    int64_t offset, acknowledged; /* of its replication stream; how much of it every replica in step has */
    bool primary, append_only;
    bool followed;     /* another server's data, once in its life: it was a replica before it became what it is */
    uint32_t replicas; /* connected to it and in step */
};
bool router_look(struct router *router, const struct call *call, const struct valkey_host *at, struct node_state *ret,
                 GError **error);

/* Waits for the replicas (and, where there is one, the append-only file) of every server that this router has written
 * on since the last time. TIMED_OUT names the servers and how many of their replicas answered; it may be repeated.
 * UNSETTLED: one of those servers is gone, has been started anew or is no longer a primary, so that writes it had
 * acknowledged may be lost; everything else is settled. It is told once. */
bool router_settle(struct router *router, const struct call *call, GError **error);
/* What was written up to here is settled, on all servers, and has its witness. */
void router_settled(struct router *router);
