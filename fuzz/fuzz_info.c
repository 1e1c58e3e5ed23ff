/* What servers say of how they are (INFO, SLOWLOG LEN, TIME), look after look, and what the guards make of it. Parts:
 * INFO as it stands (an error reply where it begins with a minus), then the other two replies; of each server in turn.
 * Whatever is said, each figure is one that can be reckoned with, or is not told. */
#include <math.h>

#include "base/arena.h"
#include "fuzz.h"
#include "guard/signals.h"
#include "parts.h"
#include "replies.h"
#include "store/valkey/health.h"
#include "store/valkey/info.h"

enum { MEM_BYTES = 8 << 20, NODES = 2, LOOKS = 4, DBS = 2 };

struct router { /* router_run() is this target's own */
    struct slice rest;
    struct arena *mem;
};

bool __real_router_run(struct router *, const struct call *, const struct route_wish *, GError **);
bool __wrap_router_run(struct router *, const struct call *, const struct route_wish *, GError **);

static void other_readers(struct slice info)
{
    uint64_t expiring;
    int64_t offset;
    struct slice version;
    for (uint32_t db = 0; db < DBS; db++)
        info_expiring(info, db, &expiring);
    info_field_expiries(info);
    info_says(info, "role", "master");
    g_assert(info_replicas(info, &offset) > 0 || offset == INT64_MAX);
    if (info_text(info, "redis_version", &version))
        g_assert(version.data >= info.data && version.data + version.len <= info.data + info.len);
}

static bool answer_of(struct router *router, struct slice word, struct reply *ret)
{
    *ret = (struct reply){.type = REPLY_STATUS, .bytes = slice_of_text("PONG")};
    if (slice_equal(word, slice_of_text("PING")))
        return true;
    struct slice part = next_part(&router->rest);
    if (!slice_equal(word, slice_of_text("INFO")))
        return next_reply(&part, router->mem, ret);
    *ret = (struct reply){.type = part.len && part.data[0] == '-' ? REPLY_ERROR : REPLY_BYTES, .bytes = part};
    other_readers(part);
    return part.len > 0;
}

bool __wrap_router_run(struct router *router, const struct call *call, const struct route_wish *wish, GError **error)
{
    struct reply reply;
    g_assert(wish->n == 1);
    if (!answer_of(router, wish->commands[0].args[0], &reply))
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "it is silent");
    return wish->answer(wish->self, 0, &reply, error);
}

/* As it is written in reports: a whole number that a double holds. */
static void figure(int64_t value)
{
    g_assert(value >= -1 && value <= INT64_C(1) << 53);
}

static void check_node(const struct node_health *node)
{
    const int64_t figures[] = {node->ops_per_s, node->clients,     node->clients_limit, node->memory_bytes,
                               node->keys,      node->data_bytes,  node->evicted,       node->memory_limit_bytes,
                               node->replicas,  node->expired_ppm, node->cpu_us,        node->slow_calls,
                               node->lag_bytes};
    for (size_t i = 0; i < G_N_ELEMENTS(figures); i++)
        figure(figures[i]);
    g_assert(node->lag_ms == NODE_LAG_UNTOLD || node->lag_ms >= -1);
    g_assert(node->evicts >= -1 && node->evicts <= 1 && node->saving >= -1 && node->saving <= 1);
    g_assert(node->clock_ms >= -1 && signals_clock_ms(node, 0, 10) >= -1);
}

static void check_readings(struct signals *signals, const GArray *nodes, int64_t now_us)
{
    struct signal_reading readings[GUARD_COUNT];
    signals_wrote(signals, (uint64_t)now_us);
    signals_take(signals, (const struct node_health *)(void *)nodes->data, nodes->len, now_us, readings);
    for (enum spec_guard guard = 0; guard < GUARD_COUNT; guard++) {
        g_assert(isfinite(readings[guard].value) && readings[guard].value >= 0);
        g_assert(readings[guard].found != SIGNAL_LOST || readings[guard].why);
    }
    signals_done(readings);
}

static bool look(struct router *router, struct topology *topology, struct signals *signals, int64_t now_us)
{
    struct health_wish wish = {
        .router = router, .topology = topology, .world = world_real(), .db = (uint32_t)(now_us % DBS)};
    struct call call = {.mem = router->mem};
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    g_autoptr(GError) failed = NULL;
    bool ok = health_ask(&wish, &call, nodes, &failed);
    g_assert(ok ? nodes->len == topology->n : failed != NULL);
    for (guint i = 0; i < nodes->len; i++)
        check_node(&g_array_index(nodes, struct node_health, i));
    if (nodes->len)
        check_readings(signals, nodes, now_us);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct valkey_node nodes[NODES] = {{.at = {.host = (char *)(uintptr_t) "a", .port = 1}, .primary = true},
                                              {.at = {.host = (char *)(uintptr_t) "b", .port = 2}, .primary = true}};
    static struct topology topology = {.nodes = nodes};
    auto_(arena) mem = arena_new(MEM_BYTES);
    auto_(signals) signals = signals_new();
    struct router router = {.mem = mem};
    if (len == 0)
        return 0;
    topology.n = 1 + data[0] % NODES;
    for (size_t slot = 0; slot < SLOTS; slot++)
        topology.owner[slot] = (int32_t)(slot % topology.n);
    router.rest = slice_of(data + 1, len - 1);
    for (int64_t i = 0; i < LOOKS && look(&router, &topology, signals, i * 7919); i++)
        continue;
    return 0;
}
