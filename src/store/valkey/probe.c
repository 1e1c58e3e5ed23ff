#include "store/valkey/probe.h"

#include "pace/servers.h"
#include "store/valkey/refusal.h"
#include "store/valkey/valkey_store.h"

enum {
    IN_FLIGHT = 256,     /* requests that may wait for an answer: more than a second of them */
    CONNECT_US = 200000, /* what a server that does not answer may hold up the probes of the others */
    AGAIN_US = 1000000,  /* so long it is left alone then */
    ASK_US = 500000,     /* what asking for the servers may take */
    KEPT_US = 600000000, /* the hash's expiry is put off so often … */
    KEPT_MS = 3600000,   /* … by so much */
    ROUND = 5,           /* requests of one at most */
};

/* Before the id of whoever left it: a field of the probe's hash. */
#define BEACON_FIELD "at:"

enum question { FEEL, ASK_TIME, KEEP, LEAVE_BEACON, READ_BEACONS };

/* A request that waits for its answer. */
struct asked {
    int64_t sent_us; /* 0: it counts for nothing */
    enum question question;
};

struct node {
    struct valkey_host at; /* its own */
    char *key;
    struct conn *conn; /* NULL: not connected */
    struct pace_server *server;
    int64_t due_us, again_us, kept_us;
    bool writes; /* the next one */
    bool owes;   /* beacons are to be left and read */
    bool left;   /* its beacon stands there */
    struct asked asked[IN_FLIGHT];
    unsigned first, n;
};

struct live_probe {
    struct valkey_store *store;
    const struct world *world;
    struct pace *pace;
    struct topology *topology; /* whose servers the nodes are */
    struct node *nodes;
    size_t n;
    bool stale;       /* servers are not what the topology says */
    int64_t stale_us; /* it is not asked for before */
    GError *gone;     /* the hash was gone since the call began */
};

void valkey_set_pace(struct store *store, struct pace *pace)
{
    routes_set_pace(((struct valkey_store *)store)->routes, pace);
}

/* As good as it goes: who does not know that this one is gone notices it by its beat. */
static void take_beacon_away(struct node *node)
{
    char id[BEACON_ID], text[BEACON_TEXT];
    if (!node->conn || !node->left || !pace_beacon(node->server, 0, id, text))
        return;
    g_autofree char *field = g_strconcat(BEACON_FIELD, id, NULL);
    struct slice args[] = {slice_of_text("HDEL"), slice_of_text(node->key), slice_of_text(field)};
    conn_put(node->conn, args, G_N_ELEMENTS(args));
    conn_push(node->conn, NULL);
}

static void nodes_free(struct live_probe *probe)
{
    for (size_t i = 0; i < probe->n; i++) {
        take_beacon_away(&probe->nodes[i]);
        conn_close(probe->nodes[i].conn);
        g_free(probe->nodes[i].at.host);
        g_free(probe->nodes[i].key);
    }
    g_clear_pointer(&probe->nodes, g_free);
    probe->n = 0;
}

void valkey_probe_close(struct live_probe *probe)
{
    if (!probe)
        return;
    nodes_free(probe);
    topology_unref(probe->topology);
    g_clear_error(&probe->gone);
    g_free(probe);
}

bool valkey_probe_open(struct live_probe **ret, struct store *store, struct pace *pace, GError **error)
{
    struct live_probe *probe = g_new0(struct live_probe, 1);
    probe->store = (struct valkey_store *)store;
    probe->world = probe->store->base.world;
    probe->pace = pace;
    *ret = probe;
    return true;
}

/* --- which servers ------------------------------------------------------------------------------------------------ */

/* A key in the first slot that the node has; NULL: it has none, and takes no writes. */
static char *key_at(const struct topology *topology, size_t node)
{
    if (topology->kind == VALKEY_STANDALONE)
        return topology->nodes[node].primary ? g_strdup("sluice:probe") : NULL;
    for (uint16_t slot = 0; slot < SLOTS; slot++)
        if (topology->owner[slot] == (int32_t)node)
            return g_strdup_printf("sluice:probe:{%s}", slot_tag(slot));
    return NULL;
}

static GPtrArray *servers_of(const struct live_probe *probe)
{
    GPtrArray *servers = g_ptr_array_new();
    for (size_t i = 0; i < probe->n; i++)
        g_ptr_array_add(servers, probe->nodes[i].server);
    return servers;
}

/* Those of before that take no writes any more: another has their place. */
static void leave_former(GPtrArray *before, GPtrArray *now)
{
    for (guint i = 0; i < before->len; i++)
        if (!g_ptr_array_find(now, before->pdata[i], NULL))
            pace_left(before->pdata[i]);
}

static void nodes_make(struct live_probe *probe, const struct topology *now)
{
    probe->nodes = g_new0(struct node, now->n);
    for (size_t i = 0; i < now->n; i++) {
        char *key = key_at(now, i);
        if (!key)
            continue;
        struct node *node = &probe->nodes[probe->n++];
        node->owes = true;
        g_autofree char *name = g_strdup_printf("%s:%u", now->nodes[i].at.host, now->nodes[i].at.port);
        node->key = key;
        node->server = pace_server(probe->pace, name);
        node->at = (struct valkey_host){.host = g_strdup(now->nodes[i].at.host), .port = now->nodes[i].at.port};
    }
}

static void nodes_renew(struct live_probe *probe)
{
    struct topology *now = routes_topology(probe->store->routes);
    if (now == probe->topology) {
        topology_unref(now);
        return;
    }
    g_autoptr(GPtrArray) before = servers_of(probe);
    nodes_free(probe);
    topology_unref(probe->topology);
    probe->topology = now;
    nodes_make(probe, now);
    g_autoptr(GPtrArray) after = servers_of(probe);
    leave_former(before, after);
}

/* In vain: the next time. */
static void ask_again(struct live_probe *probe, int64_t now_us)
{
    struct net_wait wait = {.deadline_us = now_us + ASK_US};
    if (!probe->stale || now_us < probe->stale_us)
        return;
    probe->stale = !routes_refresh(probe->store->routes, probe->topology, &wait, NULL);
    probe->stale_us = world_monotonic_us(probe->world) + AGAIN_US;
}

/* --- one server --------------------------------------------------------------------------------------------------- */

static void forget(struct live_probe *probe, struct node *node)
{
    g_clear_pointer(&node->conn, conn_close);
    node->n = 0;
    node->left = false;
    node->again_us = world_monotonic_us(probe->world) + AGAIN_US;
    probe->stale = true;
}

/* What is waited for while this thread looks elsewhere is answered later than it seems. */
static void discount(struct live_probe *probe)
{
    int64_t now_us = world_monotonic_us(probe->world);
    for (size_t i = 0; i < probe->n; i++) {
        struct node *node = &probe->nodes[i];
        node->due_us = MAX(node->due_us, now_us);
        for (unsigned k = 0; k < node->n; k++)
            node->asked[(node->first + k) % IN_FLIGHT].sent_us = 0;
    }
}

static bool connect_node(struct live_probe *probe, struct node *node, GError **error)
{
    int64_t now_us = world_monotonic_us(probe->world);
    struct net_wait wait = {.deadline_us = now_us + CONNECT_US};
    g_autoptr(GError) failed = NULL;
    if (node->conn || now_us < node->again_us)
        return true;
    bool connected = conn_open(&node->conn, probe->world, probe->store->uri, &node->at, &wait, &failed);
    discount(probe);
    node->kept_us = 0;
    if (connected)
        return true;
    forget(probe, node);
    if (!error_is(failed, SLUICE_ERROR_NOT_PERMITTED))
        return true;
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

static void put(struct node *node, const struct slice *args, size_t n, struct asked asked)
{
    conn_put(node->conn, args, n);
    node->asked[(node->first + node->n++) % IN_FLIGHT] = asked;
}

/* So that nothing stays when nobody probes any more. By the server's clock: where ours is far behind it, what were to
 * expire by ours would be gone at once. */
static void keep(struct node *node, int64_t now_us)
{
    struct slice args[] = {slice_of_text("TIME")};
    if (!node->writes || (node->kept_us && now_us < node->kept_us))
        return;
    put(node, args, G_N_ELEMENTS(args), (struct asked){.question = ASK_TIME});
    node->kept_us = now_us + KEPT_US;
}

/* Once in each call, so that whoever ticks at the same time knows of it before its next tick. */
static void exchange_beacons(struct live_probe *probe, struct node *node, int64_t now_us)
{
    char id[BEACON_ID], text[BEACON_TEXT];
    struct slice read[] = {slice_of_text("HGETALL"), slice_of_text(node->key)};
    node->owes = false;
    if (!probe->store->base.read_only && pace_beacon(node->server, now_us, id, text)) {
        g_autofree char *field = g_strconcat(BEACON_FIELD, id, NULL);
        struct slice args[] = {slice_of_text("HSET"), slice_of_text(node->key), slice_of_text(field),
                               slice_of_text(text)};
        put(node, args, G_N_ELEMENTS(args), (struct asked){.question = LEAVE_BEACON});
    }
    put(node, read, G_N_ELEMENTS(read), (struct asked){.question = READ_BEACONS});
}

static void ask(struct live_probe *probe, struct node *node, int64_t now_us)
{
    static const char value[] = "what clients feel";
    struct slice args[] = {slice_of_text(node->writes ? "HSET" : "HGET"), slice_of_text(node->key), slice_of_text("f"),
                           slice_of_text(value)};
    int64_t every_us = pace_probe_us(node->server);
    uint64_t die;
    world_random(probe->world, &die, sizeof die);
    node->due_us = MAX(node->due_us, now_us - every_us) + every_us / 2 + (int64_t)(die % (uint64_t)every_us);
    if (node->n + ROUND > IN_FLIGHT)
        return;
    put(node, args, node->writes ? 4 : 3, (struct asked){.sent_us = now_us});
    keep(node, now_us);
    if (node->owes)
        exchange_beacons(probe, node, now_us);
    node->writes = !node->writes && !probe->store->base.read_only;
}

static void felt(struct live_probe *probe, struct node *node, const struct reply *reply, const struct asked *asked)
{
    (void)reply;
    if (asked->sent_us)
        pace_felt(node->server, asked->sent_us, world_monotonic_us(probe->world));
}

/* What is no time, or comes when too much is on its way, is asked for again. */
static void time_told(struct live_probe *probe, struct node *node, const struct reply *reply, const struct asked *asked)
{
    char at[24];
    int64_t time_ms;
    (void)probe, (void)asked;
    if (!reply_time_ms(reply, &time_ms) || node->n + ROUND > IN_FLIGHT) {
        node->kept_us = 0;
        return;
    }
    g_snprintf(at, sizeof at, "%" G_GINT64_FORMAT, time_ms + KEPT_MS);
    struct slice args[] = {slice_of_text("PEXPIREAT"), slice_of_text(node->key), slice_of_text(at)};
    put(node, args, G_N_ELEMENTS(args), (struct asked){.question = KEEP});
}

static void kept(struct live_probe *probe, struct node *node, const struct reply *reply, const struct asked *asked)
{
    (void)probe, (void)node, (void)reply, (void)asked;
}

/* A field that was there is new: the hash was removed in between. */
static void beacon_left(struct live_probe *probe, struct node *node, const struct reply *reply,
                        const struct asked *asked)
{
    (void)asked;
    if (node->left && reply->integer > 0) {
        node->kept_us = 0;
        g_clear_error(&probe->gone);
        error_set(&probe->gone, SLUICE_ERROR_STORE,
                  "%s:%u: the probe's key '%s' is gone again and again: the server evicts keys, or somebody removes "
                  "them; give it more memory, or spare sluice:*",
                  node->at.host, node->at.port, node->key);
    }
    node->left = true;
}

static char *text_of(const struct reply *reply)
{
    return g_strndup((const char *)reply->bytes.data, reply->bytes.len);
}

static void see_beacon(struct live_probe *probe, struct node *node, const struct reply *field,
                       const struct reply *value)
{
    g_autofree char *name = text_of(field), *text = text_of(value);
    struct slice args[] = {slice_of_text("HDEL"), slice_of_text(node->key), slice_of_text(name)};
    if (!g_str_has_prefix(name, BEACON_FIELD))
        return;
    bool fresh = pace_saw(node->server, world_monotonic_us(probe->world), name + strlen(BEACON_FIELD), text);
    if (!fresh && !probe->store->base.read_only && node->n + ROUND <= IN_FLIGHT)
        put(node, args, G_N_ELEMENTS(args), (struct asked){.question = KEEP});
}

static void beacons_seen(struct live_probe *probe, struct node *node, const struct reply *reply,
                         const struct asked *asked)
{
    (void)asked;
    if (reply->type != REPLY_ARRAY && reply->type != REPLY_MAP)
        return;
    for (size_t i = 0; i + 1 < reply->n; i += 2)
        see_beacon(probe, node, &reply->items[i], &reply->items[i + 1]);
}

/* What comes of the answer to each question. */
static void (*const TAKE[])(struct live_probe *, struct node *, const struct reply *, const struct asked *) = {
    [FEEL] = felt, [ASK_TIME] = time_told, [KEEP] = kept, [LEAVE_BEACON] = beacon_left, [READ_BEACONS] = beacons_seen};

/* Beacons that it may not leave or read are none. */
static bool take(struct live_probe *probe, struct node *node, const struct reply *reply, GError **error)
{
    struct asked asked = node->asked[node->first];
    node->first = (node->first + 1) % IN_FLIGHT;
    node->n--;
    if (reply->type != REPLY_ERROR) {
        TAKE[asked.question](probe, node, reply, &asked);
        return true;
    }
    if (asked.question >= LEAVE_BEACON)
        return true;
    const struct refusal *row = refusal_of(reply);
    probe->stale = true;
    return !row || row->action != REFUSAL_STOP || refusal_set(reply, &node->at, "the probe of live requests", error);
}

/* All that can be done without waiting. */
static bool step(struct live_probe *probe, struct node *node, GError **error)
{
    struct reply reply;
    bool there = true;
    if (!connect_node(probe, node, error))
        return false;
    if (!node->conn)
        return true;
    int64_t now_us = world_monotonic_us(probe->world);
    if (now_us >= node->due_us)
        ask(probe, node, now_us);
    bool fine = conn_push(node->conn, NULL);
    while (fine && node->n > 0) {
        fine = conn_try(node->conn, &reply, &there, NULL);
        if (!fine || !there)
            break;
        if (!take(probe, node, &reply, error))
            return false;
    }
    if (!fine)
        forget(probe, node);
    return true;
}

/* Until an answer comes or the next one is due. */
static void rest(struct live_probe *probe, const struct call *call)
{
    g_autofree struct net_poll *polls = g_new(struct net_poll, probe->n + 1);
    struct net_wait wait = {.deadline_us = call->deadline_us, .cancel = call->cancel};
    size_t n = 0;
    for (size_t i = 0; i < probe->n; i++) {
        struct node *node = &probe->nodes[i];
        wait.deadline_us = MIN(wait.deadline_us, node->conn ? node->due_us : node->again_us);
        if (node->conn && node->n > 0)
            polls[n++] = conn_poll(node->conn);
    }
    int64_t left_us = wait.deadline_us - world_monotonic_us(probe->world);
    if (left_us > 0 && n > 0)
        net_poll(probe->world, polls, n, &wait, NULL);
    else if (left_us > 0)
        world_sleep_us(probe->world, left_us, call->cancel);
}

static bool end_call(struct live_probe *probe, GError **error)
{
    if (!probe->gone)
        return true;
    g_propagate_error(error, g_steal_pointer(&probe->gone));
    return false;
}

/* With each tick the beacons are due again, and it may be time to probe oftener. */
static void begin_call(struct live_probe *probe)
{
    int64_t now_us = world_monotonic_us(probe->world);
    for (size_t i = 0; i < probe->n; i++) {
        struct node *node = &probe->nodes[i];
        node->owes = true;
        node->due_us = MIN(node->due_us, now_us + pace_probe_us(node->server) * 3 / 2);
    }
}

bool valkey_probe_run(struct live_probe *probe, const struct call *call, GError **error)
{
    begin_call(probe);
    while (call_goes_on(call, probe->world, NULL)) {
        ask_again(probe, world_monotonic_us(probe->world));
        nodes_renew(probe);
        for (size_t i = 0; i < probe->n; i++)
            if (!step(probe, &probe->nodes[i], error))
                return false;
        rest(probe, call);
    }
    return end_call(probe, error);
}
