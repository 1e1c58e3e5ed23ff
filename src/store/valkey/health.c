#include "store/valkey/health.h"

#include "base/int.h"
#include "store/valkey/info.h"
#include "store/valkey/refusal.h"

/* The questions to one node, in the order in which they are sent. */
enum question { ASK_PING, ASK_INFO, ASK_SLOWLOG, ASK_TIME, ASK_COUNT };

static const struct {
    const char *words[2];
    size_t n;
} QUESTIONS[ASK_COUNT] = {
    [ASK_PING] = {{"PING"}, 1},
    [ASK_INFO] = {{"INFO"}, 1},
    [ASK_SLOWLOG] = {{"SLOWLOG", "LEN"}, 2},
    [ASK_TIME] = {{"TIME"}, 1},
};

/* Of a figure beyond this, which a double does not hold and sums of which pass a whole number's end, nothing can be
 * reckoned: no server has it, whatever it says. */
#define FIGURE_MOST (INT64_C(1) << 53)

static int64_t figure(int64_t value)
{
    return value >= 0 && value <= FIGURE_MOST ? value : -1;
}

static int64_t number_or_unknown(struct slice info, const char *name)
{
    struct slice text;
    return info_text(info, name, &text) ? figure(info_number(info, name)) : -1;
}

/* `name:12.345678`, times `scale`. */
static int64_t scaled_or_unknown(struct slice info, const char *name, double scale)
{
    struct slice text;
    if (!info_text(info, name, &text))
        return -1;
    g_autofree char *number = g_strndup((const char *)text.data, text.len);
    double value = g_ascii_strtod(number, NULL) * scale;
    return value >= 0 && value <= (double)FIGURE_MOST ? (int64_t)value : -1; /* not a number: neither */
}

/* Without a limit nothing is ever evicted, whatever the policy. */
static int64_t evicts_of(struct slice info, const char *policies)
{
    struct slice policy;
    if (!info_text(info, "maxmemory_policy", &policy))
        return -1;
    return info_number(info, "maxmemory") > 0 && policy.len >= strlen(policies) &&
           memcmp(policy.data, policies, strlen(policies)) == 0;
}

/* A server that does not tell apart the thread that executes commands tells of all of them. */
static int64_t cpu_us(struct slice info)
{
    static const char *const FIELDS[][2] = {{"used_cpu_sys_main_thread", "used_cpu_user_main_thread"},
                                            {"used_cpu_sys", "used_cpu_user"}};
    for (size_t i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        int64_t in_system = scaled_or_unknown(info, FIELDS[i][0], 1e6);
        int64_t in_user = scaled_or_unknown(info, FIELDS[i][1], 1e6);
        if (in_system >= 0 && in_user >= 0)
            return figure(in_system + in_user);
    }
    return -1;
}

/* Either forks, and doubles what is written meanwhile. */
static int64_t is_saving(struct slice info)
{
    int64_t dumps = number_or_unknown(info, "rdb_bgsave_in_progress");
    return dumps < 0 ? -1 : dumps > 0 || info_number(info, "aof_rewrite_in_progress") > 0;
}

static void take_info(struct node_health *health, struct slice info, uint32_t db, struct arena *mem)
{
    int64_t acknowledged, lag_s = info_replica_lag_s(info);
    health->ops_per_s = number_or_unknown(info, "instantaneous_ops_per_sec");
    health->clients = number_or_unknown(info, "connected_clients");
    health->clients_limit = number_or_unknown(info, "maxclients");
    health->queued_bytes = number_or_unknown(info, "mem_clients_normal");
    health->expired_ppm = scaled_or_unknown(info, "expired_stale_perc", 1e4);
    health->cpu_us = cpu_us(info);
    health->saving = is_saving(info);
    health->lag_ms = lag_s >= 0                 ? MIN(lag_s, FIGURE_MOST / 1000) * 1000
                     : lag_s == INFO_LAG_UNTOLD ? NODE_LAG_UNTOLD
                                                : -1;
    health->slowest = info_slowest(info, mem);
    health->memory_bytes = number_or_unknown(info, "used_memory");
    health->memory_limit_bytes = number_or_unknown(info, "maxmemory");
    health->data_bytes = health->memory_bytes;
    health->keys = figure(info_keys(info, db));
    health->evicts = evicts_of(info, "allkeys-");
    health->evicts_expiring = evicts_of(info, "volatile-");
    health->evicted = number_or_unknown(info, "evicted_keys");
    health->replicas = info_replicas(info, &acknowledged);
    int64_t offset = number_or_unknown(info, "master_repl_offset");
    if (acknowledged != INT64_MAX && offset >= 0)
        health->lag_bytes = MAX(offset - MAX(acknowledged, 0), 0);
}

/* One question on its way; a refusal is an answer that says nothing. */
struct asking {
    struct node_health *health;
    uint32_t db;
    struct arena *mem;
    enum question question;
};

static bool take(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct asking *asking = self;
    switch (asking->question) {
    case ASK_INFO:
        if (reply->type == REPLY_BYTES)
            take_info(asking->health, reply->bytes, asking->db, asking->mem);
        break;
    case ASK_SLOWLOG:
        if (reply->type == REPLY_INTEGER)
            asking->health->slow_calls = figure(reply->integer);
        break;
    case ASK_TIME:
        (void)reply_time_ms(reply, &asking->health->clock_ms);
        break;
    case ASK_PING:
    case ASK_COUNT:
        break;
    }
    return true;
}

static bool ask(struct router *router, const struct valkey_host *at, struct asking *asking, const struct call *call,
                GError **error)
{
    struct slice args[2];
    struct command command = {
        .args = args, .n_args = QUESTIONS[asking->question].n, .slot = -1, .at = at, .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .unpaced = true, .answer = take, .self = asking};
    GError *failed = NULL;
    for (size_t i = 0; i < command.n_args; i++)
        args[i] = slice_of_text(QUESTIONS[asking->question].words[i]);
    if (router_run(router, call, &wish, &failed))
        return true;
    if (error_is(failed, SLUICE_ERROR_NOT_PERMITTED)) {
        g_error_free(failed);
        return true;
    }
    g_propagate_error(error, failed);
    return false;
}

static bool ask_node(const struct health_wish *wish, const struct valkey_host *at, const struct call *call,
                     GArray *into, GError **error)
{
    struct router *router = wish->router;
    struct node_health health = NODE_HEALTH_UNKNOWN;
    g_autofree char *name = g_strdup_printf("%s:%u", at->host, at->port);
    struct asking asking = {.health = &health, .db = wish->db, .mem = call->mem, .question = ASK_PING};
    if (!ask(router, at, &asking, call, error)) /* the connection is open behind it */
        return error_add(error, "%s", name);
    int64_t began_us = world_monotonic_us(wish->world);
    if (!ask(router, at, &asking, call, error))
        return error_add(error, "%s", name);
    health.round_trip_us = world_monotonic_us(wish->world) - began_us;
    for (asking.question = ASK_INFO; asking.question < ASK_COUNT; asking.question++)
        if (!ask(router, at, &asking, call, error))
            return error_add(error, "%s", name);
    health.node = arena_text(call->mem, slice_of_text(name));
    if (!health.node)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the names of the servers do not fit into memory");
    g_array_append_val(into, health);
    return true;
}

bool health_ask(const struct health_wish *wish, const struct call *call, GArray *into, GError **error)
{
    const struct topology *topology = wish->topology;
    g_autofree bool *owners = topology_owners(topology);
    for (size_t i = 0; i < topology->n; i++)
        if (topology->nodes[i].primary && owners[i] && !ask_node(wish, &topology->nodes[i].at, call, into, error))
            return false;
    return true;
}
