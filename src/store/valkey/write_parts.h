/* Inside the numbered writes: operations on their way (write.c), and the calls of cas.lua that carry them (volley.c).
 */
#pragma once

#include "store/valkey/apart.h"

/* One over a record that no script may read. */
struct large_record {
    size_t op;
    int64_t bytes;
};

/* One operation on its way. */
struct flying {
    size_t op;
    uint32_t place;
    uint64_t epoch;          /* it is sent with */
    size_t pruned, n_pruned; /* which of cas->pruned it takes along */
    bool alone;              /* in a call of its own: what came before it in one was too much for one call */
    bool again;              /* it did nothing, and flies once more */
    bool by_value;           /* there is no shadow to be moved */
    bool called;             /* together it came to nothing: by a call of the script */
};

/* One call of cas.lua: operations that follow each other in cas->flying, all of one place. */
struct volley {
    size_t from, n; /* of cas->flying */
    uint32_t place;
    uint64_t epoch;
    size_t pruned, n_pruned;
    size_t first, n_args; /* of cas->args */
    bool together;        /* no call: the transaction of together.c */
    struct slice answer;  /* the epoch that the script met instead; data NULL: none */
    bool through;         /* the script has done all that it had to do */
};

/* The record of a partition, with the marks that were settled since it was last written: once it outlives a server as
 * well, places may lose theirs. */
struct record_flight {
    struct fence_part *part;
    uint64_t event, epoch;
    uint32_t home;
    struct fence_flight flight;
    GByteArray *bytes;
    size_t first; /* of its arguments */
    bool written;
};

struct cas {
    struct session *session;
    struct valkey_store *store;
    const struct call *call;
    const struct valkey_dataset *ds;
    const struct lane *lane;
    struct fence_run *run;
    struct fence_part *part;
    struct cas_op *ops;
    struct slice *server_keys; /* one an operation */
    struct slice *shadow_keys; /* likewise, where a run's shadow takes part; NULL: none does */
    struct arena *mem;
    GArray *flying;  /* of struct flying */
    GArray *volleys; /* of struct volley */
    GArray *args;    /* of struct slice */
    GArray *pruned;  /* of struct fence_field */
    struct fence_flight flight;
    GArray *pruning;                  /* places in which this call prunes */
    GPtrArray *records;               /* of struct record_flight: what goes along */
    GArray *large;                    /* of struct large_record: CAS_CHANGED, their live images are yet to be read */
    GError *refused;                  /* by the server, the call as a whole */
    bool may_together;                /* strings into nothing may go together */
    const struct valkey_apart *apart; /* what is special with the one operation; NULL: nothing */
};

static inline struct flying *flying_at(const struct cas *cas, size_t i)
{
    return &g_array_index(cas->flying, struct flying, i);
}

static inline struct volley *volley_at(const struct cas *cas, size_t i)
{
    return &g_array_index(cas->volleys, struct volley, i);
}

/* Why an operation is not sent; returns false. */
bool cas_refuse_with(struct cas *cas, struct cas_op *op, GError *failed);

/* The calls of all that flies, with their arguments, and behind them those of the records. What cannot be written is
 * refused and taken out of cas->flying; the order of the others stays. `base` is that of the lane. False: cas->mem is
 * full. */
bool cas_volleys(struct cas *cas, uint32_t base);
