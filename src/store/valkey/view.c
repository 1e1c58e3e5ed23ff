#include "store/valkey/view.h"

#include "base/int.h"
#include "store/valkey/info.h"
#include "store/valkey/refusal.h"

static char *view_text(struct slice text)
{
    return g_strndup((const char *)text.data, text.len);
}

static char *view_info(struct slice info, const char *name)
{
    struct slice text;
    return info_text(info, name, &text) && text.len > 0 ? view_text(text) : NULL;
}

void view_init(struct view *view, const struct valkey_host *at, bool tls)
{
    *view = (struct view){.topology = g_new0(struct topology, 1), .at = at, .tls = tls};
    g_atomic_ref_count_init(&view->topology->refs);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        view->topology->owner[slot] = -1;
}

void view_done(struct view *view)
{
    topology_unref(view->topology);
    g_free(view->run_id);
    g_free(view->replid);
    g_free(view->my_id);
}

/* --- INFO --------------------------------------------------------------------------------------------------------- */

static bool takes_server(struct view *view, const struct reply *reply, GError **error)
{
    struct topology *topology = view->topology;
    char *version = view_info(reply->bytes, "valkey_version"), *server = view_info(reply->bytes, "server_name");
    topology->version = version ? version : view_info(reply->bytes, "redis_version");
    topology->server = server ? server : g_strdup("redis");
    view->run_id = view_info(reply->bytes, "run_id");
    view->sentinel =
        info_says(reply->bytes, "redis_mode", "sentinel") || info_says(reply->bytes, "server_mode", "sentinel");
    return true;
}

static bool takes_replication(struct view *view, const struct reply *reply, GError **error)
{
    int64_t offset;
    view->primary = info_says(reply->bytes, "role", "master");
    view->replid = view_info(reply->bytes, "master_replid");
    view->replicas = info_replicas(reply->bytes, &offset);
    return true;
}

static bool takes_kind(struct view *view, const struct reply *reply, GError **error)
{
    bool cluster = info_says(reply->bytes, "cluster_enabled", "1");
    view->topology->kind = cluster ? VALKEY_CLUSTER : VALKEY_STANDALONE;
    return true;
}

static bool takes_cluster(struct view *view, const struct reply *reply, GError **error)
{
    view->up = info_says(reply->bytes, "cluster_state", "ok");
    view->topology->epoch = (uint64_t)MAX(info_number(reply->bytes, "cluster_current_epoch"), 0);
    view->topology->lost = (uint32_t)CLAMP(info_number(reply->bytes, "cluster_slots_fail"), 0, SLOTS);
    return true;
}

static bool takes_my_id(struct view *view, const struct reply *reply, GError **error)
{
    view->my_id = view_text(reply->bytes);
    return true;
}

/* --- nodes -------------------------------------------------------------------------------------------------------- */

struct node_words {
    struct slice id, host;
    uint16_t port;
    bool primary, online, failed;
    uint32_t shard;
};

/* An empty host, and `?`: the one that was asked. */
static void add_node(struct view *view, const struct node_words *words)
{
    struct topology *topology = view->topology;
    bool same = words->host.len == 0 || slice_equal(words->host, slice_of_text("?"));
    topology->nodes = g_renew(struct valkey_node, topology->nodes, topology->n + 1);
    topology->nodes[topology->n++] = (struct valkey_node){
        .at = {.host = same ? g_strdup(view->at->host) : view_text(words->host), .port = words->port},
        .id = view_text(words->id),
        .primary = words->primary,
        .online = words->online,
        .shard = words->shard,
    };
}

/* Of the shard, whatever node of it is listed first. */
static void count_replica(struct topology *topology, uint32_t shard)
{
    for (size_t i = 0; i < topology->n; i++) {
        if (topology->nodes[i].shard == shard && topology->nodes[i].primary)
            topology->nodes[i].replicas++;
    }
}

static bool give_slots(struct topology *topology, size_t node, const struct reply *first, const struct reply *last)
{
    if (node >= topology->n || first->type != REPLY_INTEGER || last->type != REPLY_INTEGER || first->integer < 0 ||
        last->integer >= SLOTS || first->integer > last->integer)
        return false;
    for (int64_t slot = first->integer; slot <= last->integer; slot++)
        topology->owner[slot] = (int32_t)node;
    return true;
}

static bool malformed(const struct view *view, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_STORE, "%s:%u: %s: not as a cluster answers it", view->at->host,
                     view->at->port, what);
}

/* --- CLUSTER SHARDS ----------------------------------------------------------------------------------------------- */

/* The value behind a name in a map, or an array of names and values in turn. */
static const struct reply *member(const struct reply *map, const char *name)
{
    bool is_map = map->type == REPLY_ARRAY || map->type == REPLY_MAP;
    for (size_t i = 0; is_map && i + 1 < map->n; i += 2) {
        if (slice_equal(map->items[i].bytes, slice_of_text(name)))
            return &map->items[i + 1];
    }
    return NULL;
}

static struct slice member_text(const struct reply *map, const char *name)
{
    const struct reply *value = member(map, name);
    return value && (value->type == REPLY_BYTES || value->type == REPLY_STATUS) ? value->bytes : SLICE_EMPTY;
}

static bool member_says(const struct reply *map, const char *name, const char *value)
{
    return slice_equal(member_text(map, name), slice_of_text(value));
}

static uint16_t member_port(const struct reply *map, const char *name)
{
    const struct reply *value = member(map, name);
    bool fits = value && value->type == REPLY_INTEGER && value->integer > 0 && value->integer <= UINT16_MAX;
    return fits ? (uint16_t)value->integer : 0;
}

static bool shard_node(const struct view *view, const struct reply *node, uint32_t shard, struct node_words *ret)
{
    uint16_t plain = member_port(node, "port"), tls = member_port(node, "tls-port");
    *ret = (struct node_words){
        .id = member_text(node, "id"),
        .host = member_text(node, "endpoint"),
        .port = view->tls && tls ? tls
                : plain          ? plain
                                 : tls,
        .primary = member_says(node, "role", "master"),
        .online = member_says(node, "health", "online"),
        .failed = member_says(node, "health", "fail") || member_says(node, "health", "failed"),
        .shard = shard,
    };
    return ret->id.len > 0 && ret->port > 0;
}

static bool is_list(const struct reply *reply)
{
    return reply && reply->type == REPLY_ARRAY;
}

/* A shard that lost its primary to another may still list it, without slots: the owner is the one that is online. */
static bool shard_nodes(struct view *view, const struct reply *nodes, uint32_t shard, size_t *ret_owner)
{
    struct topology *topology = view->topology;
    bool found = false, found_online = false;
    uint32_t replicas = 0;
    for (size_t i = 0; i < nodes->n; i++) {
        struct node_words words;
        if (!shard_node(view, &nodes->items[i], shard, &words))
            return false;
        if (words.primary && (!found || (words.online && !found_online))) {
            *ret_owner = topology->n;
            found = true;
            found_online = words.online;
        }
        replicas += !words.primary && !words.failed; /* one that is `loading` may be promoted, too */
        add_node(view, &words);
    }
    for (uint32_t i = 0; i < replicas; i++)
        count_replica(topology, shard);
    return found || nodes->n == 0;
}

static bool takes_shards(struct view *view, const struct reply *reply, GError **error)
{
    if (reply->type == REPLY_ERROR) {
        view->shards_unknown = true;
        return true;
    }
    if (!is_list(reply))
        return malformed(view, "CLUSTER SHARDS", error);
    for (size_t i = 0; i < reply->n; i++) {
        const struct reply *slots = member(&reply->items[i], "slots"), *nodes = member(&reply->items[i], "nodes");
        size_t owner = 0;
        if (!is_list(slots) || !is_list(nodes))
            return malformed(view, "CLUSTER SHARDS", error);
        bool owned = shard_nodes(view, nodes, (uint32_t)i, &owner);
        if (!owned && slots->n > 0)
            return malformed(view, "CLUSTER SHARDS", error);
        for (size_t k = 0; k + 1 < slots->n; k += 2) {
            if (!give_slots(view->topology, owner, &slots->items[k], &slots->items[k + 1]))
                return malformed(view, "CLUSTER SHARDS", error);
        }
    }
    return true;
}

/* --- CLUSTER SLOTS ------------------------------------------------------------------------------------------------ */

static size_t node_of_id(const struct topology *topology, struct slice id)
{
    for (size_t i = 0; i < topology->n; i++) {
        if (slice_equal(id, slice_of_text(topology->nodes[i].id)))
            return i;
    }
    return topology->n;
}

/* host, port, id, …: once for each range that it has. */
static bool slots_node(struct view *view, const struct reply *node, bool primary, uint32_t *shard)
{
    if (node->type != REPLY_ARRAY || node->n < 3 || node->items[1].type != REPLY_INTEGER ||
        node->items[1].integer <= 0 || node->items[1].integer > UINT16_MAX || node->items[2].bytes.len == 0)
        return false;
    size_t known = node_of_id(view->topology, node->items[2].bytes);
    if (known < view->topology->n) {
        *shard = primary ? view->topology->nodes[known].shard : *shard;
        return true;
    }
    struct node_words words = {
        .id = node->items[2].bytes,
        .host = node->items[0].type == REPLY_NULL ? SLICE_EMPTY : node->items[0].bytes,
        .port = (uint16_t)node->items[1].integer,
        .primary = primary,
        .online = true,
        .shard = *shard,
    };
    add_node(view, &words);
    if (!primary)
        count_replica(view->topology, *shard);
    return true;
}

static bool slots_range(struct view *view, const struct reply *range, uint32_t shard)
{
    if (range->type != REPLY_ARRAY || range->n < 3)
        return false;
    for (size_t i = 2; i < range->n; i++) {
        if (!slots_node(view, &range->items[i], i == 2, &shard))
            return false;
    }
    size_t owner = node_of_id(view->topology, range->items[2].items[2].bytes);
    return give_slots(view->topology, owner, &range->items[0], &range->items[1]);
}

static bool takes_slots(struct view *view, const struct reply *reply, GError **error)
{
    if (reply->type != REPLY_ARRAY)
        return refusal_set(reply, view->at, "CLUSTER SLOTS", error);
    for (size_t i = 0; i < reply->n; i++) {
        if (!slots_range(view, &reply->items[i], (uint32_t)i))
            return malformed(view, "CLUSTER SLOTS", error);
    }
    return true;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static const char *const INFO_SERVER[] = {"INFO", "server", NULL};
static const char *const INFO_REPLICATION[] = {"INFO", "replication", NULL};
static const char *const INFO_CLUSTER[] = {"INFO", "cluster", NULL};
static const char *const CLUSTER_INFO[] = {"CLUSTER", "INFO", NULL};
static const char *const CLUSTER_MYID[] = {"CLUSTER", "MYID", NULL};
static const char *const CLUSTER_SHARDS[] = {"CLUSTER", "SHARDS", NULL};
static const char *const CLUSTER_SLOTS[] = {"CLUSTER", "SLOTS", NULL};

static const struct question QUESTIONS[] = {
    {INFO_SERVER, false, takes_server}, {INFO_REPLICATION, false, takes_replication},
    {INFO_CLUSTER, false, takes_kind},  {CLUSTER_INFO, true, takes_cluster},
    {CLUSTER_MYID, true, takes_my_id},  {CLUSTER_SHARDS, true, takes_shards},
};

const struct question *view_question(size_t i)
{
    return i < G_N_ELEMENTS(QUESTIONS) ? &QUESTIONS[i] : NULL;
}

const struct question *view_question_slots(void)
{
    static const struct question slots = {CLUSTER_SLOTS, true, takes_slots};
    return &slots;
}

static void finish_standalone(struct view *view)
{
    struct topology *topology = view->topology;
    topology->nodes = g_new0(struct valkey_node, 1);
    topology->nodes[0] = (struct valkey_node){
        .at = {.host = g_strdup(view->at->host), .port = view->at->port},
        .primary = view->primary,
        .online = true,
        .replicas = view->replicas,
    };
    topology->n = 1;
    memset(topology->owner, 0, sizeof topology->owner);
}

bool view_finish(struct view *view, struct topology **ret, GError **error)
{
    struct topology *topology = view->topology;
    if (view->sentinel)
        return error_set(error, SLUICE_ERROR_USAGE, "%s:%u is a Sentinel, which keeps no data: add ?sentinel=NAME",
                         view->at->host, view->at->port);
    if (topology->kind == VALKEY_STANDALONE)
        finish_standalone(view);
    topology->asked = view->my_id ? node_of_id(topology, slice_of_text(view->my_id)) : 0;
    if (topology->asked >= topology->n)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u does not stand in its own list of the cluster's nodes",
                         view->at->host, view->at->port);
    topology->nodes[topology->asked].run_id = g_steal_pointer(&view->run_id);
    topology->nodes[topology->asked].replid = g_steal_pointer(&view->replid);
    *ret = g_steal_pointer(&view->topology);
    return true;
}

uint32_t view_unowned(const struct topology *topology)
{
    uint32_t unowned = 0;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        unowned += topology->owner[slot] < 0;
    return unowned;
}

bool view_same(const struct topology *a, const struct topology *b)
{
    if (a->kind != b->kind || a->kind == VALKEY_STANDALONE)
        return a->kind == b->kind;
    for (size_t i = 0; i < a->n; i++) {
        if (node_of_id(b, slice_of_text(a->nodes[i].id)) < b->n)
            return true;
    }
    return false;
}
