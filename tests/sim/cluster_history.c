/* Who has the cluster's data: a line is a generation a shard, then which shard has which slot: `3,0,1;abcabc…`. A
 * witness counts for its own lane. What is asked for are slots by their numbers. */
#include "sim/cluster_parts.h"

#include "base/int.h"
#include "store/calls.h"

struct history {
    uint64_t generations[CLUSTER_SHARDS];
    uint32_t owner[CLUSTER_SLOTS];
    GArray *witnesses[CLUSTER_SHARDS]; /* copies */
};

static char *line_of(const struct cluster *cluster)
{
    GString *line = g_string_new(NULL);
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        g_string_append_printf(line, "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "", cluster->shards[i].generation);
    g_string_append_c(line, ';');
    for (size_t i = 0; i < CLUSTER_SLOTS; i++)
        g_string_append_c(line, (char)('a' + cluster->owner[i]));
    return g_string_free(line, FALSE);
}

static void line_read(struct slice line, struct history *ret)
{
    g_autofree char *text = g_strndup((const char *)line.data, line.len);
    g_auto(GStrv) halves = g_strsplit(text, ";", 2);
    g_auto(GStrv) numbers = g_strsplit(halves[0], ",", CLUSTER_SHARDS);
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        g_assert(int_parse_u64(slice_of_text(numbers[i]), &ret->generations[i]));
    for (size_t i = 0; i < CLUSTER_SLOTS; i++)
        ret->owner[i] = (uint32_t)(halves[1][i] - 'a');
}

static bool is_same(const struct cluster *cluster, struct slice was, GError **error)
{
    struct history before = {0};
    if (!was.len)
        return true;
    line_read(was, &before);
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        if (before.generations[i] != cluster->shards[i].generation)
            return error_set(error, SLUICE_ERROR_UNSETTLED, "a server was replaced before its writes were settled");
    return true;
}

static bool all_answer(const struct cluster *cluster, GError **error)
{
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        if (cluster->shards[i].cut_until_us > executor_now_us(cluster->config.executor))
            return error_set(error, SLUICE_ERROR_UNREACHABLE, "a shard answers nobody");
    return true;
}

static bool note(struct session *session, const struct call *call, const struct witness *witness, struct slice was,
                 const char **ret, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    if (!cluster_travel(session, call, error) || !all_answer(cluster, error) || !is_same(cluster, was, error))
        return false;
    for (size_t i = 0; witness->lane && i < CLUSTER_SHARDS; i++)
        cluster_witness(cluster, &cluster->shards[i], witness);
    g_autofree char *line = line_of(cluster);
    *ret = arena_text(call->mem, slice_of_text(line));
    return cluster_answer(session, call, error);
}

static bool look(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                 GError **error)
{
    struct cluster *cluster = cluster_of(session);
    if (!cluster_travel(session, call, error) || !all_answer(cluster, error))
        return false;
    struct history *history = g_new0(struct history, 1);
    for (size_t i = 0; i < CLUSTER_SHARDS; i++) {
        history->generations[i] = cluster->shards[i].generation;
        history->witnesses[i] = g_array_copy(cluster->shards[i].witnesses);
    }
    memcpy(history->owner, cluster->owner, sizeof history->owner);
    *ret = history;
    return true;
}

static void look_free(struct history *history)
{
    for (size_t i = 0; i < CLUSTER_SHARDS; i++)
        g_array_unref(history->witnesses[i]);
    g_free(history);
}

bool cluster_is_of(const struct witness *there, const struct witness *wanted)
{
    return there->fence.part == wanted->fence.part && there->lane == wanted->lane &&
           memcmp(there->fence.run, wanted->fence.run, sizeof wanted->fence.run) == 0;
}

static bool stands_behind(const GArray *witnesses, const struct witness *wanted)
{
    for (guint i = 0; i < witnesses->len; i++) {
        const struct witness *there = &g_array_index(witnesses, struct witness, i);
        if (cluster_is_of(there, wanted) && there->number > wanted->number)
            return true;
    }
    return false;
}

static bool holds(struct history *now, struct slice was, const struct witness *witness, struct arena *mem,
                  const char **ret_where)
{
    struct history before = {0};
    g_autoptr(GString) where = g_string_new(NULL);
    line_read(was, &before);
    for (uint32_t slot = 0; slot < CLUSTER_SLOTS; slot++) {
        uint32_t shard = before.owner[slot];
        if (before.generations[shard] != now->generations[shard] && !stands_behind(now->witnesses[shard], witness))
            g_string_append_printf(where, "%c", (char)('A' + slot));
    }
    *ret_where = where->len > 0 ? arena_text(mem, slice_of_text(where->str)) : NULL;
    return where->len == 0 || *ret_where;
}

static enum standing standing_of(struct cluster *cluster, const struct fence_id *id, const struct standing_look *look)
{
    struct fence_state *fence = cluster_fence(cluster, id, cluster_slot_of(look->key), false);
    struct lane_state *lane = fence ? fence_state_lane(fence, look->lane) : NULL;
    if (!lane)
        return STANDING_UNKNOWN;
    return lane_state_applied(lane, look->number) ? STANDING_YES : STANDING_NO;
}

static bool stands(struct session *session, const struct call *call, const struct standing_wish *wish, GError **error)
{
    struct cluster *cluster = cluster_of(session);
    if (!cluster_travel(session, call, error) || !all_answer(cluster, error))
        return false;
    for (size_t i = 0; i < wish->n; i++) {
        char slot = (char)('A' + cluster_slot_of(wish->io[i].key));
        wish->io[i].ret = strchr(wish->where, slot) ? standing_of(cluster, &wish->fence, &wish->io[i]) : STANDING_YES;
    }
    return cluster_answer(session, call, error);
}

const struct history_ops cluster_history_ops = {
    .note = note, .look = look, .free = look_free, .holds = holds, .stands = stands};
