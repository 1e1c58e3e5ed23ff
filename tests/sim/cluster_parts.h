/* What cluster.c, cluster_store.c and cluster_history.c know of each other. */
#pragma once

#include "sim/cluster.h"

/* Where a cas goes: to a dataset, or to the shadow of the run whose lane it is. */
struct aim {
    const char *dataset;
    bool in_shadow, promotes;
};

/* One step of a shard's history, by what it takes to undo it. */
struct past {
    enum { PAST_RECORD, PAST_WITNESS } kind;
    uint32_t slot;
    bool in_shadow; /* of the run's, which `fence` names */
    bool joined;    /* with the one before it one step */
    char *dataset, *key;
    GBytes *raw; /* what stood before; NULL: nothing */
    int64_t expires_at_ms;
    uint64_t token; /* of the application's */
    struct fence_id fence;
    uint32_t lane;   /* 0: no run's */
    uint64_t number; /* its mark; of a witness: what it said before */
    guint witness;
};

struct shard {
    GArray *past; /* of struct past */
    /* Of struct witness; one a run, partition and lane, never fewer. The number is one more than it says; 0: none. */
    GArray *witnesses;
    uint64_t generation;
    int64_t cut_until_us;
};

/* A fence: what each slot knows of it. */
struct places {
    struct fence_state *slots[CLUSTER_SLOTS];
};

/* A cas that nobody waits for any more. */
struct request {
    struct arena *mem;
    uint64_t sender;
    char *dataset;
    struct aim aim; /* with that dataset */
    struct lane lane;
    struct cas_op *ops;
    size_t n;
};
void request_free(struct request *request);

struct cluster {
    struct cluster_config config;
    struct mem_space *space;
    struct store *inner; /* of mem; its clock is the cluster's */
    struct session *session;
    struct mem_content *content;
    GTree *fences;         /* FENCE_KEY_BYTES → struct places */
    GPtrArray *on_the_way; /* of struct request */
    uint32_t owner[CLUSTER_SLOTS];
    struct shard shards[CLUSTER_SHARDS];
    int64_t lag_ms;
    bool is_calm;
    uint64_t processes; /* that have had a driver, so far */
    struct cluster_met met;
};

uint32_t cluster_slot_of(struct slice key);
struct shard *cluster_shard_of(struct cluster *cluster, uint32_t slot);
int64_t cluster_now_ms(const struct cluster *cluster);
struct fence_state *cluster_fence(struct cluster *cluster, const struct fence_id *id, uint32_t slot, bool make);
/* A numbered write takes effect. */
void cluster_write(struct cluster *cluster, const struct aim *aim, const struct lane *lane, struct cas_op *op,
                   uint64_t sender);
/* What the key shows to whoever aims there; NULL: absent. */
const struct keyed_value *cluster_shown(struct cluster *cluster, const struct aim *aim, const struct lane *lane,
                                        struct slice key);
void cluster_witness(struct cluster *cluster, struct shard *shard, const struct witness *witness);

/* Of the same run, partition and lane. */
bool cluster_is_of(const struct witness *there, const struct witness *wanted);

void cluster_content_open(struct cluster *cluster);
void cluster_content_close(struct cluster *cluster);

/* A session of a process, and the store that it is of. */
struct sim_session {
    struct session_base base;
    struct session *inner;
    bool dirty; /* has written since it last settled */
};
struct cluster *cluster_of(struct session *session);
/* To the servers and half of the way back: false, with the error, where nothing of it arrived. */
bool cluster_travel(struct session *session, const struct call *call, GError **error);
/* The other half: false where the answer does not come. */
bool cluster_answer(struct session *session, const struct call *call, GError **error);

extern const struct history_ops cluster_history_ops;
