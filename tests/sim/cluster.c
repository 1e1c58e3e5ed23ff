#include "sim/cluster.h"

#include "base/int.h"
#include "kit/kit.h"
#include "sim/cluster_parts.h"
#include "store/calls.h"

/* --- places ------------------------------------------------------------------------------------------------------- */

uint32_t cluster_slot_of(struct slice key)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ key.data[i]) * UINT64_C(0x100000001b3);
    return (uint32_t)((hash >> 20) % CLUSTER_SLOTS);
}

struct shard *cluster_shard_of(struct cluster *cluster, uint32_t slot)
{
    return &cluster->shards[cluster->owner[slot]];
}

int64_t cluster_now_ms(const struct cluster *cluster)
{
    return world_wall_ms(cluster->config.world);
}

struct fence_state *cluster_fence(struct cluster *cluster, const struct fence_id *id, uint32_t slot, bool make)
{
    uint8_t key[FENCE_KEY_BYTES];
    fence_key_put(id, key);
    struct places *places = g_tree_lookup(cluster->fences, key);
    if (!places && make) {
        places = g_new0(struct places, 1);
        for (size_t i = 0; i < CLUSTER_SLOTS; i++)
            places->slots[i] = fence_state_new();
        g_tree_insert(cluster->fences, g_memdup2(key, sizeof key), places);
    }
    return places ? places->slots[slot] : NULL;
}

/* --- history ------------------------------------------------------------------------------------------------------ */

static void entry_clear(void *data)
{
    struct past *past = data;
    g_free(past->dataset);
    g_free(past->key);
    g_clear_pointer(&past->raw, g_bytes_unref);
}

static void remember(struct cluster *cluster, uint32_t slot, const struct past *past)
{
    g_array_append_val(cluster_shard_of(cluster, slot)->past, *past);
}

static struct past past_of(struct cluster *cluster, const char *dataset, struct slice key)
{
    const struct keyed_value *stands = cluster_look(cluster, dataset, key);
    return (struct past){.kind = PAST_RECORD,
                         .slot = cluster_slot_of(key),
                         .dataset = g_strdup(dataset),
                         .key = g_strndup((const char *)key.data, key.len),
                         .raw = stands ? g_bytes_new(stands->raw.data, stands->raw.len) : NULL,
                         .expires_at_ms = stands ? stands->expires_at_ms : 0};
}

static void put(struct cluster *cluster, const char *dataset, struct slice key, const struct slice *raw,
                int64_t expires_at_ms)
{
    GTree *records = mem_dataset(cluster->content, dataset, true);
    if (raw)
        mem_put(records, key, *raw, expires_at_ms);
    else
        mem_remove(records, key);
}

void cluster_write(struct cluster *cluster, const char *dataset, const struct lane *lane, struct cas_op *op,
                   uint64_t sender)
{
    struct past past = past_of(cluster, dataset, op->key);
    struct fence_state *fence = cluster_fence(cluster, &lane->fence, past.slot, false);
    struct cluster_write write = {.dataset = dataset,
                                  .key = op->key,
                                  .stands = cluster_look(cluster, dataset, op->key),
                                  .op = op,
                                  .lane = lane,
                                  .sender = sender};
    cluster->config.written(cluster->config.self, &write);
    past.fence = lane->fence;
    past.lane = lane->lane;
    past.number = op->number;
    remember(cluster, past.slot, &past);
    put(cluster, dataset, op->key, op->verb == CAS_PUT ? &op->raw : NULL, op->expires_at_ms);
    lane_state_mark(fence_state_lane(fence, lane->lane), op->number);
    cluster->met.writes++;
}

void cluster_app(struct cluster *cluster, const struct cluster_put *wish)
{
    struct past past = past_of(cluster, wish->dataset, wish->key);
    past.token = wish->token;
    remember(cluster, past.slot, &past);
    put(cluster, wish->dataset, wish->key, wish->raw, wish->expires_at_ms);
}

const struct keyed_value *cluster_look(struct cluster *cluster, const char *dataset, struct slice key)
{
    struct dataset ds = {.name = dataset};
    struct mem_view view = mem_view(cluster->content, &ds, cluster_now_ms(cluster), true);
    return mem_shown(&view, key);
}

static void unmark(struct cluster *cluster, const struct past *past)
{
    struct fence_state *fence = cluster_fence(cluster, &past->fence, past->slot, false);
    struct lane_state *lane = fence ? fence_state_lane(fence, past->lane) : NULL;
    uint64_t bit = past->number - 1;
    if (lane && lane->bits && bit / 8 < lane->bits->len) /* else its run is over */
        lane->bits->data[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

static void take_back(struct cluster *cluster, struct shard *shard, const struct past *past)
{
    if (past->kind == PAST_WITNESS) {
        g_array_index(shard->witnesses, struct witness, past->witness).number = past->number;
        return;
    }
    gsize len = 0;
    const uint8_t *bytes = past->raw ? g_bytes_get_data(past->raw, &len) : NULL;
    struct slice raw = slice_of(bytes, len), key = slice_of_text(past->key);
    put(cluster, past->dataset, key, past->raw ? &raw : NULL, past->expires_at_ms);
    if (past->lane)
        unmark(cluster, past);
    cluster->met.lost_writes++;
    cluster->met.lost_of_app += past->token > 0;
    cluster->config.lost(cluster->config.self, past->dataset, key, past->token);
}

void cluster_witness(struct cluster *cluster, struct shard *shard, const struct witness *witness)
{
    guint at = 0;
    while (at < shard->witnesses->len && !cluster_is_of(&g_array_index(shard->witnesses, struct witness, at), witness))
        at++;
    if (at == shard->witnesses->len) {
        struct witness none = {.fence = witness->fence, .lane = witness->lane};
        g_array_append_val(shard->witnesses, none);
    }
    struct witness *there = &g_array_index(shard->witnesses, struct witness, at);
    struct past past = {.kind = PAST_WITNESS, .witness = at, .number = there->number};
    g_array_append_val(shard->past, past);
    there->number = MAX(there->number, witness->number + 1);
}

/* --- what happens to it ------------------------------------------------------------------------------------------- */

void cluster_fail_over(struct cluster *cluster, size_t most_lost)
{
    struct shard *shard = &cluster->shards[executor_dice(cluster->config.executor, CLUSTER_SHARDS)];
    size_t most = MIN(most_lost, shard->past->len);
    size_t lost = most > 0 ? executor_dice(cluster->config.executor, most + 1) : 0;
    while (lost-- > 0) {
        take_back(cluster, shard, &g_array_index(shard->past, struct past, shard->past->len - 1));
        g_array_set_size(shard->past, shard->past->len - 1);
    }
    shard->generation++;
    cluster->met.failovers++;
}

/* Who gives a slot away and who gets it have all of their history on their replicas by then. */
void cluster_move_slot(struct cluster *cluster)
{
    uint32_t slot = (uint32_t)executor_dice(cluster->config.executor, CLUSTER_SLOTS);
    uint32_t to = (uint32_t)executor_dice(cluster->config.executor, CLUSTER_SHARDS);
    g_array_set_size(cluster->shards[cluster->owner[slot]].past, 0);
    g_array_set_size(cluster->shards[to].past, 0);
    cluster->met.moves += cluster->owner[slot] != to;
    cluster->owner[slot] = to;
}

void cluster_replicate(struct cluster *cluster)
{
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        g_array_set_size(cluster->shards[i].past, 0);
}

void cluster_cut(struct cluster *cluster, int64_t until_us)
{
    cluster->shards[executor_dice(cluster->config.executor, CLUSTER_SHARDS)].cut_until_us = until_us;
}

void cluster_set_lag_ms(struct cluster *cluster, int64_t lag_ms)
{
    cluster->lag_ms = lag_ms;
}

void cluster_calm(struct cluster *cluster)
{
    cluster->is_calm = true;
    cluster->lag_ms = 0;
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        cluster->shards[i].cut_until_us = 0;
}

const struct cluster_met *cluster_met(const struct cluster *cluster)
{
    return &cluster->met;
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

static void places_free(void *data)
{
    struct places *places = data;
    for (size_t i = 0; i < CLUSTER_SLOTS; i++)
        fence_state_free(places->slots[i]);
    g_free(places);
}

static int compare_fences(const void *a, const void *b, void *user)
{
    return memcmp(a, b, FENCE_KEY_BYTES);
}

struct cluster *cluster_new(const struct cluster_config *config)
{
    struct cluster *cluster = g_new0(struct cluster, 1);
    *cluster = (struct cluster){.config = *config, .space = mem_space_new()};
    cluster->fences = g_tree_new_full(compare_fences, NULL, g_free, places_free);
    cluster->on_the_way = g_ptr_array_new();
    for (uint32_t i = 0; i < CLUSTER_SHARDS; i++) {
        cluster->shards[i].past = g_array_new(FALSE, FALSE, sizeof(struct past));
        cluster->shards[i].witnesses = g_array_new(FALSE, FALSE, sizeof(struct witness));
        g_array_set_clear_func(cluster->shards[i].past, entry_clear);
    }
    for (uint32_t i = 0; i < CLUSTER_SLOTS; i++)
        cluster->owner[i] = i % CLUSTER_SHARDS;
    cluster_content_open(cluster);
    return cluster;
}

void cluster_free(struct cluster *cluster)
{
    cluster_content_close(cluster);
    for (uint32_t i = 0; i < CLUSTER_SHARDS; i++) {
        g_array_unref(cluster->shards[i].past);
        g_array_unref(cluster->shards[i].witnesses);
    }
    for (guint i = 0; i < cluster->on_the_way->len; i++)
        request_free(cluster->on_the_way->pdata[i]);
    g_ptr_array_unref(cluster->on_the_way);
    g_tree_unref(cluster->fences);
    mem_space_free(cluster->space);
    g_free(cluster);
}
