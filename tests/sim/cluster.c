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

/* The tree of a dataset, or of a run's shadow of it. */
static struct mem_view tree_of(struct cluster *cluster, const char *dataset, const uint8_t *shadow)
{
    struct dataset ds = {.name = dataset, .shadow = shadow};
    struct mem_view view = mem_view(cluster->content, &ds, cluster_now_ms(cluster), true);
    if (shadow)
        view.live = NULL;
    return view;
}

static struct past past_of(struct cluster *cluster, const char *dataset, const uint8_t *shadow, struct slice key)
{
    struct mem_view view = tree_of(cluster, dataset, shadow);
    const struct keyed_value *stands = mem_shown(&view, key);
    return (struct past){.kind = PAST_RECORD,
                         .slot = cluster_slot_of(key),
                         .in_shadow = shadow != NULL,
                         .dataset = g_strdup(dataset),
                         .key = g_strndup((const char *)key.data, key.len),
                         .raw = stands ? g_bytes_new(stands->raw.data, stands->raw.len) : NULL,
                         .expires_at_ms = stands ? stands->expires_at_ms : 0};
}

static void put(struct mem_view view, struct slice key, const struct slice *raw, int64_t expires_at_ms)
{
    GTree *records = view.shadow ? view.shadow : view.live;
    if (!raw)
        mem_remove(records, key);
    else if (view.shadow)
        mem_put_shadow(records, key, raw, expires_at_ms);
    else
        mem_put(records, key, *raw, expires_at_ms);
}

/* Out of its shadow, if it is there what goes live. What comes next is the same step. */
static bool move_out(struct cluster *cluster, const struct aim *aim, const struct lane *lane, const struct cas_op *op)
{
    struct mem_view view = tree_of(cluster, aim->dataset, lane->fence.run);
    const struct keyed_value *there = mem_shown(&view, op->key);
    if (!there || op->verb != CAS_PUT || !slice_equal(there->raw, op->raw))
        return false;
    struct past past = past_of(cluster, aim->dataset, lane->fence.run, op->key);
    past.fence = lane->fence;
    remember(cluster, past.slot, &past);
    put(view, op->key, NULL, 0);
    return true;
}

void cluster_write(struct cluster *cluster, const struct aim *aim, const struct lane *lane, struct cas_op *op,
                   uint64_t sender)
{
    const uint8_t *shadow = aim->in_shadow ? lane->fence.run : NULL;
    struct cluster_write write = {.dataset = aim->dataset,
                                  .key = op->key,
                                  .stands = cluster_shown(cluster, aim, lane, op->key),
                                  .op = op,
                                  .lane = lane,
                                  .in_shadow = aim->in_shadow,
                                  .sender = sender};
    g_assert(!aim->in_shadow || op->verb == CAS_PUT); /* a deletion in a shadow has no history here */
    cluster->config.written(cluster->config.self, &write);
    bool moved = aim->promotes && cluster->config.moves_shadows && move_out(cluster, aim, lane, op);
    struct past past = past_of(cluster, aim->dataset, shadow, op->key);
    struct fence_state *fence = cluster_fence(cluster, &lane->fence, past.slot, false);
    past.joined = moved;
    past.fence = lane->fence;
    past.lane = lane->lane;
    past.number = op->number;
    remember(cluster, past.slot, &past);
    put(tree_of(cluster, aim->dataset, shadow), op->key, op->verb == CAS_PUT ? &op->raw : NULL, op->expires_at_ms);
    lane_state_mark(fence_state_lane(fence, lane->lane), op->number);
    cluster->met.writes++;
    cluster->met.into_shadows += aim->in_shadow;
}

void cluster_app(struct cluster *cluster, const struct cluster_put *wish)
{
    struct past past = past_of(cluster, wish->dataset, NULL, wish->key);
    past.token = wish->token;
    remember(cluster, past.slot, &past);
    put(tree_of(cluster, wish->dataset, NULL), wish->key, wish->raw, wish->expires_at_ms);
}

const struct keyed_value *cluster_look(struct cluster *cluster, const char *dataset, struct slice key)
{
    struct dataset ds = {.name = dataset};
    struct mem_view view = mem_view(cluster->content, &ds, cluster_now_ms(cluster), true);
    return mem_shown(&view, key);
}

const struct keyed_value *cluster_shown(struct cluster *cluster, const struct aim *aim, const struct lane *lane,
                                        struct slice key)
{
    struct dataset ds = {.name = aim->dataset, .shadow = aim->in_shadow ? lane->fence.run : NULL};
    struct mem_view view = mem_view(cluster->content, &ds, cluster_now_ms(cluster), true);
    return mem_shown(&view, key);
}

size_t cluster_shadows(struct cluster *cluster, const char *dataset, const uint8_t run[16])
{
    return (size_t)g_tree_nnodes(tree_of(cluster, dataset, run).shadow);
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
    put(tree_of(cluster, past->dataset, past->in_shadow ? past->fence.run : NULL), key, past->raw ? &raw : NULL,
        past->expires_at_ms);
    if (past->lane)
        unmark(cluster, past);
    cluster->met.lost_writes++;
    cluster->met.lost_of_app += past->token > 0;
    cluster->met.lost_of_shadows += past->in_shadow;
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

/* With what is one step with it. */
static void take_newest_back(struct cluster *cluster, struct shard *shard)
{
    bool joined = true;
    while (joined) {
        const struct past *newest = &g_array_index(shard->past, struct past, shard->past->len - 1);
        joined = newest->joined;
        take_back(cluster, shard, newest);
        g_array_set_size(shard->past, shard->past->len - 1);
    }
}

/* --- what happens to it ------------------------------------------------------------------------------------------- */

void cluster_fail_over(struct cluster *cluster, size_t most_lost)
{
    struct shard *shard = &cluster->shards[executor_dice(cluster->config.executor, CLUSTER_SHARDS)];
    size_t most = MIN(most_lost, shard->past->len);
    size_t lost = most > 0 ? executor_dice(cluster->config.executor, most + 1) : 0;
    while (lost-- > 0 && shard->past->len > 0)
        take_newest_back(cluster, shard);
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

bool cluster_is_calm(const struct cluster *cluster)
{
    return cluster->is_calm;
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
