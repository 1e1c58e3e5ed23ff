#include "guard/signals.h"

/* One server, between two looks. */
struct memory {
    int64_t evicted, cpu_us, at_us;   /* at the last look; -1: there was none */
    int64_t lag_ms;                   /* at the last look, by our clock; -1: it told none */
    int64_t replicas, replicas_at_us; /* the most that it had, and when it last had them */
    int64_t began_bytes, began_keys;  /* at the first look that told it; -1: none has */
    uint64_t began_wrote;             /* by the run, at that look */
    bool began;
};

struct signals {
    GHashTable *memories;        /* node → struct memory */
    uint64_t wrote, began_wrote; /* bytes: by the run, and when it was first said */
    bool said;
    bool had_replicas; /* one of them, once */
    struct signals_forecast forecast;
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
    memory->lag_ms = memory->began_bytes = memory->began_keys = -1;
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

/* A server reckons it by its wall clock, and that may jump: it grows no faster than our monotonic one goes, and as long
 * as nobody has answered since the jump it grows as that does. -1: there is nobody. */
static int64_t lag_ms(const struct look *look)
{
    const struct memory *was = look->memory;
    int64_t told_ms = look->node->lag_ms;
    int64_t most_ms = MAX(was->lag_ms, 0) + (was->at_us < 0 ? 0 : (look->now_us - was->at_us) / 1000);
    if (told_ms == NODE_LAG_UNTOLD)
        return most_ms;
    return was->lag_ms < 0 ? told_ms : MIN(told_ms, most_ms);
}

static bool read_lag(const struct look *look, double *ret)
{
    return figure(lag_ms(look), 1, ret);
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

static bool read_cpu(const struct look *look, double *ret)
{
    const struct memory *was = look->memory;
    int64_t us = look->now_us - was->at_us, used_us = look->node->cpu_us - was->cpu_us;
    if (look->node->cpu_us < 0)
        return false;
    *ret = was->at_us < 0 || us <= 0 ? 0 : MIN((double)MAX(used_us, 0) / (double)us, 1);
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

static bool read_queues(const struct look *look, double *ret)
{
    return figure(look->node->queued_bytes, 1, ret);
}

static bool read_growth(const struct look *look, double *ret)
{
    if (look->node->data_bytes < 0)
        return false;
    bool first = look->memory->began_bytes < 0;
    *ret = first ? 0 : (double)MAX(look->node->data_bytes - look->memory->began_bytes, 0);
    return true;
}

/* Of all servers together: see amplify() and outgrow(). */
static bool read_nothing(const struct look *look, double *ret)
{
    (void)look;
    (void)ret;
    return false;
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
    [GUARD_GROWTH] = read_growth,
    [GUARD_FORECAST] = read_nothing,
    [GUARD_AMPLIFICATION] = read_nothing,
    [GUARD_EVICTIONS] = read_evictions,
    [GUARD_EXPIRED] = read_expired,
    [GUARD_CLIENTS] = read_clients,
    [GUARD_QUEUES] = read_queues,
    [GUARD_CPU] = read_cpu,
    [GUARD_SAVING] = read_saving,
    [GUARD_STALLS] = read_stalls,
    [GUARD_COMPACTION] = read_compaction,
};

double signals_clock_ms(const struct node_health *node, int64_t from_ms, int64_t to_ms)
{
    int64_t apart_ms = MAX(from_ms - node->clock_ms, node->clock_ms - to_ms);
    return node->clock_ms < 0 ? -1 : (double)MAX(apart_ms, 0);
}

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

/* One that has none any more has none that is behind; nor has a replica that was promoted, and has none of its own. */
static void forget_replicas(const struct signals *signals, const struct look *look,
                            struct signal_reading ret[GUARD_COUNT])
{
    if (!signals->had_replicas || look->node->replicas != 0)
        return;
    keep_worst(&ret[GUARD_LAG], GUARD_LAG, look->node->node, 0);
    keep_worst(&ret[GUARD_LAG_BYTES], GUARD_LAG_BYTES, look->node->node, 0);
}

static void begin(struct memory *memory, const struct node_health *node, uint64_t wrote)
{
    if (!memory->began)
        memory->began_wrote = wrote;
    memory->began = true;
    if (memory->began_bytes < 0)
        memory->began_bytes = node->data_bytes;
    if (memory->began_keys < 0)
        memory->began_keys = node->keys;
}

static void remember(struct memory *memory, const struct look *look)
{
    const struct node_health *node = look->node;
    bool forgotten = look->now_us - memory->replicas_at_us >= SIGNALS_LOST_US;
    memory->lag_ms = lag_ms(look);
    memory->evicted = node->evicted;
    memory->cpu_us = node->cpu_us;
    memory->at_us = look->now_us;
    if (node->replicas < memory->replicas && !forgotten)
        return;
    memory->replicas = MAX(node->replicas, 0);
    memory->replicas_at_us = look->now_us;
}

void signals_wrote(struct signals *signals, uint64_t bytes)
{
    if (!signals->said)
        signals->began_wrote = bytes;
    signals->said = true;
    signals->wrote = bytes;
}

void signals_base_clear(void *base)
{
    g_free(((struct signals_base *)base)->node);
}

void signals_recall(struct signals *signals, const struct signals_base *base)
{
    struct memory *memory = memory_of(signals, base->node);
    memory->began_bytes = base->data_bytes;
    memory->began_keys = base->keys;
    memory->began_wrote = base->wrote;
    memory->began = true;
    signals->began_wrote = signals->said ? MIN(signals->began_wrote, base->wrote) : base->wrote;
    signals->said = true;
}

void signals_bases(const struct signals *signals, GArray *into)
{
    GHashTableIter at;
    gpointer node, memory;
    g_hash_table_iter_init(&at, signals->memories);
    while (g_hash_table_iter_next(&at, &node, &memory)) {
        const struct memory *of = memory;
        struct signals_base base = {
            .node = g_strdup(node), .data_bytes = of->began_bytes, .keys = of->began_keys, .wrote = of->began_wrote};
        g_array_append_val(into, base);
    }
}

void signals_expect(struct signals *signals, const struct signals_forecast *forecast)
{
    signals->forecast = *forecast;
}

/* What all of them have now and had at first, together; of each only what it tells. */
struct growth {
    bool told, keys_told;
    int64_t bytes, keys; /* more than at first */
    double began_bytes, began_keys;
};

/* Each was remembered already. */
static struct growth growth_of(struct signals *signals, const struct node_health *nodes, size_t n)
{
    struct growth growth = {0};
    for (size_t i = 0; i < n; i++) {
        const struct memory *memory = memory_of(signals, nodes[i].node);
        bool bytes = nodes[i].data_bytes >= 0, keys = nodes[i].keys >= 0;
        growth.told |= bytes;
        growth.keys_told |= keys;
        growth.bytes += bytes ? nodes[i].data_bytes - memory->began_bytes : 0;
        growth.keys += keys ? nodes[i].keys - memory->began_keys : 0;
        growth.began_bytes += bytes ? (double)memory->began_bytes : 0;
        growth.began_keys += keys ? (double)memory->began_keys : 0;
    }
    return growth;
}

#define WROTE_LEAST (1u << 20) /* bytes: of fewer nothing can be said */

/* What they have grown, by what was written meanwhile. */
static void amplify(const struct signals *signals, const struct growth *growth, struct signal_reading *ret)
{
    uint64_t wrote = signals->wrote - MIN(signals->wrote, signals->began_wrote);
    if (growth->told)
        *ret = (struct signal_reading){
            .found = SIGNAL_READ, .value = wrote < WROTE_LEAST ? 0 : (double)MAX(growth->bytes, 0) / (double)wrote};
}

/* A forecast of nothing, or of little, is not what a single write more makes a multiple of: so much others may do. */
#define OTHERS_SHARE 0.01 /* of what was there */
#define OTHERS_KEYS  1000.0
#define OTHERS_BYTES (16.0 * (1 << 20))

static double times(int64_t grown, uint64_t forecast, double began, double least)
{
    return (double)MAX(grown, 0) / MAX((double)forecast, MAX(began * OTHERS_SHARE, least));
}

/* … by what was forecast: the worse of keys and bytes. */
static void outgrow(const struct signals *signals, const struct growth *growth, struct signal_reading *ret)
{
    const struct signals_forecast *forecast = &signals->forecast;
    double keys = growth->keys_told ? times(growth->keys, forecast->keys, growth->began_keys, OTHERS_KEYS) : 0;
    double bytes = times(growth->bytes, forecast->bytes, growth->began_bytes, OTHERS_BYTES);
    if (!growth->told)
        return;
    *ret = (struct signal_reading){.found = SIGNAL_READ, .value = forecast->known ? MAX(keys, bytes) : 0};
    if (!forecast->known)
        return;
    ret->where = keys > bytes ? g_strdup_printf("all servers together (%" PRId64 " keys more, %" PRIu64 " forecast)",
                                                growth->keys, forecast->keys)
                              : g_strdup_printf("all servers together (%" PRId64 " bytes more, %" PRIu64 " forecast)",
                                                growth->bytes, forecast->bytes);
}

const char *signals_untold(enum spec_guard guard)
{
    static const char *const WORDS[GUARD_COUNT] = {[GUARD_LAG] = "no server of the target has a replica in step",
                                                   [GUARD_LAG_BYTES] = "no server of the target has a replica in step",
                                                   [GUARD_MEMORY] = "no server of the target has a limit (maxmemory)"};
    return WORDS[guard] ? WORDS[guard] : "no server of the target tells it";
}

/* Who is behind is another one than who says so. The caller frees. */
static char *where_of(const struct node_health *node, enum spec_guard guard, double value)
{
    bool behind = (guard == GUARD_LAG || guard == GUARD_LAG_BYTES) && value > 0 && node->slowest;
    return behind ? g_strdup_printf("%s, replica of %s", node->slowest, node->node) : g_strdup(node->node);
}

static void keep_reading(struct signal_reading *io, enum spec_guard guard, const struct node_health *node, double value)
{
    g_autofree char *where = where_of(node, guard, value);
    keep_worst(io, guard, where, value);
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
                keep_reading(&ret[guard], guard, &nodes[i], value);
        forget_replicas(signals, &look, ret);
        miss_replicas(&look, &ret[GUARD_LAG]);
        remember(memory, &look);
        signals->had_replicas |= nodes[i].replicas > 0;
        begin(memory, &nodes[i], signals->wrote);
    }
    struct growth growth = growth_of(signals, nodes, n);
    amplify(signals, &growth, &ret[GUARD_AMPLIFICATION]);
    outgrow(signals, &growth, &ret[GUARD_FORECAST]);
}

void signals_done(struct signal_reading readings[GUARD_COUNT])
{
    for (size_t i = 0; i < GUARD_COUNT; i++) {
        g_clear_pointer(&readings[i].where, g_free);
        g_clear_pointer(&readings[i].why, g_free);
    }
}
