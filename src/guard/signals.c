#include "guard/signals.h"

/* One server, between two looks. */
struct memory {
    int64_t evicted, at_us;           /* at the last look; -1: there was none */
    int64_t replicas, replicas_at_us; /* the most that it had, and when it last had them */
    bool had_replicas;                /* once */
};

struct signals {
    GHashTable *memories; /* node → struct memory */
};

struct signals *signals_new(void)
{
    struct signals *signals = g_new0(struct signals, 1);
    signals->memories = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return signals;
}

void signals_free(struct signals *signals)
{
    if (!signals)
        return;
    g_hash_table_unref(signals->memories);
    g_free(signals);
}

static struct memory *memory_of(struct signals *signals, const char *node)
{
    struct memory *memory = g_hash_table_lookup(signals->memories, node);
    if (memory)
        return memory;
    memory = g_new0(struct memory, 1);
    memory->at_us = -1;
    g_hash_table_insert(signals->memories, g_strdup(node), memory);
    return memory;
}

/* --- one server --------------------------------------------------------------------------------------------------- */

/* What one look at one server has at hand. */
struct look {
    const struct node_health *node;
    const struct memory *memory; /* of the look before */
    int64_t now_us;
};

static bool share_of(int64_t part, int64_t whole, double *ret)
{
    if (part < 0 || whole <= 0)
        return false;
    *ret = (double)part / (double)whole;
    return true;
}

static bool figure(int64_t value, double scale, double *ret)
{
    if (value < 0)
        return false;
    *ret = (double)value / scale;
    return true;
}

static bool read_lag(const struct look *look, double *ret)
{
    return figure(look->node->lag_ms, 1, ret);
}

static bool read_lag_bytes(const struct look *look, double *ret)
{
    return figure(look->node->lag_bytes, 1, ret);
}

static bool read_replicas(const struct look *look, double *ret)
{
    return figure(look->node->replicas, 1, ret);
}

static bool read_memory(const struct look *look, double *ret)
{
    return share_of(look->node->memory_bytes, look->node->memory_limit_bytes, ret);
}

/* A server that was started anew counts from nothing. */
static bool read_evictions(const struct look *look, double *ret)
{
    const struct memory *was = look->memory;
    int64_t us = look->now_us - was->at_us, keys = look->node->evicted - was->evicted;
    if (look->node->evicted < 0)
        return false;
    *ret = was->at_us < 0 || us <= 0 ? 0 : (double)MAX(keys, 0) * 1e6 / (double)us;
    return true;
}

static bool read_expired(const struct look *look, double *ret)
{
    return figure(look->node->expired_ppm, 1e6, ret);
}

static bool read_clients(const struct look *look, double *ret)
{
    return share_of(look->node->clients, look->node->clients_limit, ret);
}

static bool read_saving(const struct look *look, double *ret)
{
    return figure(look->node->saving, 1, ret);
}

static bool read_stalls(const struct look *look, double *ret)
{
    return figure(look->node->stalled, 1, ret);
}

static bool read_compaction(const struct look *look, double *ret)
{
    return figure(look->node->compaction_bytes, 1, ret);
}

static bool (*const READERS[GUARD_COUNT])(const struct look *, double *ret) = {
    [GUARD_LAG] = read_lag,
    [GUARD_LAG_BYTES] = read_lag_bytes,
    [GUARD_REPLICAS] = read_replicas,
    [GUARD_MEMORY] = read_memory,
    [GUARD_EVICTIONS] = read_evictions,
    [GUARD_EXPIRED] = read_expired,
    [GUARD_CLIENTS] = read_clients,
    [GUARD_SAVING] = read_saving,
    [GUARD_STALLS] = read_stalls,
    [GUARD_COMPACTION] = read_compaction,
};

/* --- all of them -------------------------------------------------------------------------------------------------- */

static void keep_worst(struct signal_reading *io, enum spec_guard guard, const char *node, double value)
{
    bool worse = guard_row(guard)->below ? value < io->value : value > io->value;
    if (io->found == SIGNAL_LOST || (io->found == SIGNAL_READ && !worse))
        return;
    g_free(io->where);
    *io = (struct signal_reading){.found = SIGNAL_READ, .value = value, .where = g_strdup(node)};
}

/* How far a replica is behind that is not there, nobody knows. */
static void miss_replicas(const struct look *look, struct signal_reading *io)
{
    int64_t gone = look->memory->replicas - look->node->replicas;
    if (look->node->replicas < 0 || gone <= 0 || look->now_us - look->memory->replicas_at_us >= SIGNALS_LOST_US)
        return;
    g_free(io->where);
    g_free(io->why);
    *io = (struct signal_reading){.found = SIGNAL_LOST,
                                  .why = g_strdup_printf("%s has lost %" G_GINT64_FORMAT " of its %" G_GINT64_FORMAT
                                                         " replicas",
                                                         look->node->node, gone, look->memory->replicas)};
}

/* One that has none any more has none that is behind. */
static void forget_replicas(const struct look *look, struct signal_reading ret[GUARD_COUNT])
{
    if (!look->memory->had_replicas || look->node->replicas != 0)
        return;
    keep_worst(&ret[GUARD_LAG], GUARD_LAG, look->node->node, 0);
    keep_worst(&ret[GUARD_LAG_BYTES], GUARD_LAG_BYTES, look->node->node, 0);
}

static void remember(struct memory *memory, const struct look *look)
{
    const struct node_health *node = look->node;
    bool forgotten = look->now_us - memory->replicas_at_us >= SIGNALS_LOST_US;
    memory->evicted = node->evicted;
    memory->at_us = look->now_us;
    memory->had_replicas |= node->replicas > 0;
    if (node->replicas < memory->replicas && !forgotten)
        return;
    memory->replicas = MAX(node->replicas, 0);
    memory->replicas_at_us = look->now_us;
}

void signals_take(struct signals *signals, const struct node_health *nodes, size_t n, int64_t now_us,
                  struct signal_reading ret[GUARD_COUNT])
{
    memset(ret, 0, GUARD_COUNT * sizeof *ret);
    for (size_t i = 0; i < n; i++) {
        struct memory *memory = memory_of(signals, nodes[i].node);
        struct look look = {.node = &nodes[i], .memory = memory, .now_us = now_us};
        double value;
        for (enum spec_guard guard = 0; guard < GUARD_COUNT; guard++)
            if (READERS[guard](&look, &value))
                keep_worst(&ret[guard], guard, nodes[i].node, value);
        forget_replicas(&look, ret);
        miss_replicas(&look, &ret[GUARD_LAG]);
        remember(memory, &look);
    }
}

void signals_done(struct signal_reading readings[GUARD_COUNT])
{
    for (size_t i = 0; i < GUARD_COUNT; i++) {
        g_clear_pointer(&readings[i].where, g_free);
        g_clear_pointer(&readings[i].why, g_free);
    }
}
