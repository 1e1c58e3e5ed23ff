/* A cluster in memory, with what makes real ones hard: shards that lose the end of their history in a failover,
 * acknowledged or not; slots that move from one shard to another; records that expire by the cluster's own clock;
 * requests that take their time, arrive late or half, and answers that do not come.
 *
 * Records lie in slots, slots on shards. A write of a run and its mark in the run's fence are one step of the record's
 * own slot; so are an application's write and what it knows of it. What a shard loses is the end of its history and
 * nothing before it. Grants of lanes outlive that, as docs/drivers/valkey.md has them do: a takeover is waited for.
 *
 * A run's shadow of a record lies in the record's own slot, and what goes live is moved from there where it still is
 * what it is to be, in one step, or is put there beside it: one or the other all day long.
 *
 * Everything that happens is drawn from the executor's seed. Time is the executor's: the cluster's clock is right,
 * those of the processes may not be. */
#pragma once

#include "sim/executor.h"
#include "store/mem/content.h"
#include "store/mem/mem.h"
#include "store/store.h"

#define CLUSTER_SLOTS  12
#define CLUSTER_SHARDS 3

struct cluster;

/* A write as it takes effect, before it does: what tells whether it may. NULL value: nothing stands, nothing is to. */
struct cluster_write {
    const char *dataset;
    struct slice key;
    const struct keyed_value *stands;
    const struct cas_op *op;
    const struct lane *lane;
    bool in_shadow;  /* it is the run's shadow that is written; `stands` is then what the key shows */
    uint64_t sender; /* which process waits for its answer; 0: none does any more */
};

struct cluster_config {
    struct executor *executor;
    struct world *world; /* by whose wall clock records expire */
    /* Called for each write of a run that takes effect, and when a write to the key has been lost: `token` is what the
     * application's own write was made with, 0 where it was a run's. */
    void (*written)(void *self, const struct cluster_write *write);
    void (*lost)(void *self, const char *dataset, struct slice key, uint64_t token);
    /* With each request that is to write, before it takes effect. */
    void (*request)(void *self);
    void *self;
    bool moves_shadows; /* a promotion takes a record out of its shadow */
};

struct cluster *cluster_new(const struct cluster_config *config);
void cluster_free(struct cluster *cluster);

/* What it met. */
struct cluster_met {
    uint64_t failovers, lost_writes, lost_of_app, lost_of_shadows, moves, late, torn, unanswered, unreachable, slow,
        fenced, writes, into_shadows;
};
const struct cluster_met *cluster_met(const struct cluster *cluster);

/* --- the application: on top of what stands, at once ---------------------------------------------------------------
 */

/* `raw` NULL: removes it. */
struct cluster_put {
    const char *dataset;
    struct slice key;
    const struct slice *raw;
    int64_t expires_at_ms;
    uint64_t token; /* above 0 */
};
void cluster_app(struct cluster *cluster, const struct cluster_put *put);
/* What stands; NULL: absent. Valid until the next write. */
const struct keyed_value *cluster_look(struct cluster *cluster, const char *dataset, struct slice key);

/* How many records of shadows there are. */
size_t cluster_shadows(struct cluster *cluster, const char *dataset, const uint8_t run[16]);

/* All that stands is on every replica by now: no failover loses it. */
void cluster_replicate(struct cluster *cluster);

/* --- what happens to it --------------------------------------------------------------------------------------------
 */

/* Another server has the shard's data, without the newest of its writes, of at most so many. */
void cluster_fail_over(struct cluster *cluster, size_t most_lost);
void cluster_move_slot(struct cluster *cluster);
/* Until then (the executor's time) a shard answers nobody. */
void cluster_cut(struct cluster *cluster, int64_t until_us);
/* A replica that is so far behind; 0: none is. */
void cluster_set_lag_ms(struct cluster *cluster, int64_t lag_ms);
/* What was sent too early to be forgotten: one of those requests arrives. */
void cluster_arrive_late(struct cluster *cluster);
void cluster_arrive_all(struct cluster *cluster);
/* From now on nothing is lost, late or slow. */
void cluster_calm(struct cluster *cluster);
bool cluster_is_calm(const struct cluster *cluster);

/* --- as a store -----------------------------------------------------------------------------------------------------
 */

/* `mem:s` as one process sees it: a table to open stores through. When `*dead` its requests go nowhere, and those that
 * are on their way may yet arrive. */
struct cluster_driver {
    struct store_driver table;
    struct cluster *cluster;
    uint64_t process; /* its number among all that there were */
    const bool *dead;
};
void cluster_driver_init(struct cluster_driver *ret, struct cluster *cluster, const bool *dead);
