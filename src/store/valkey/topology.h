/* Which servers there are, which of them is asked for which slot, and what tells that one is another process than
 * before.
 *
 * A topology is immutable and counted: sessions hold the one they work by, a refresh makes another. Asked of the
 * server: INFO server, INFO replication, CLUSTER SHARDS (or SLOTS, NODES for slots on the move), SENTINEL. */
#pragma once

#include "store/valkey/conn.h"
#include "store/valkey/slot.h"

enum valkey_kind { VALKEY_STANDALONE, VALKEY_CLUSTER };

struct valkey_node {
    struct valkey_host at;
    char *id;     /* the cluster's name of it; NULL standalone */
    char *run_id; /* of the node that was asked (see router_look() for the others); NULL: hidden by a managed service */
    char *replid; /* replication id; like run_id */
    bool primary;
    bool online;       /* the cluster takes it for well; true where it does not say */
    uint32_t replicas; /* of a primary: connected ones; in a cluster those that it has not given up */
    uint32_t shard;
};

struct topology {
    enum valkey_kind kind;
    struct valkey_node *nodes;
    size_t n;
    size_t asked;           /* the node whose view this is */
    int32_t owner[SLOTS];   /* node that has the slot; -1: nobody. Standalone: 0 for all */
    uint64_t epoch;         /* cluster_current_epoch; 0 standalone */
    uint32_t lost;          /* slots of servers that the cluster gives up (cluster_slots_fail) */
    char *version, *server; /* "7.0.15", "redis"; "8.0.1", "valkey" */
    gatomicrefcount refs;
};

struct topology *topology_ref(struct topology *topology);
void topology_unref(struct topology *topology); /* takes NULL */
AUTO_DEFINE(topology, topology_unref)

/* Of each node whether it has slots: g_free() it. A primary that died and was replaced has none, and is still known. */
bool *topology_owners(const struct topology *topology);

/* Asks the nodes that are known (`known`, NULL: none), then the hosts of the URI, until one answers whose view can
 * hold: a cluster's that is up, has an owner for every slot and no older an epoch than `known`; standalone a primary.
 * Where none is such, the newest of the views. Through Sentinel: asks the sentinels for the master and checks its role.
 * No host may take longer than the URI's timeout. UNREACHABLE lists every host that was tried and what it said;
 * NOT_PERMITTED where one of them refuses the user. */
bool topology_ask(struct topology **ret, const struct world *world, const struct valkey_uri *uri,
                  const struct topology *known, const struct net_wait *wait, GError **error);
