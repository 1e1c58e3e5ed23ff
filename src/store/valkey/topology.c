#include "store/valkey/topology.h"

#include "base/int.h"
#include "store/valkey/refusal.h"
#include "store/valkey/view.h"

enum { LEAST_US = 100000 }; /* what a host gets at least while there is time */

struct topology *topology_ref(struct topology *topology)
{
    g_atomic_ref_count_inc(&topology->refs);
    return topology;
}

void topology_unref(struct topology *topology)
{
    if (!topology || !g_atomic_ref_count_dec(&topology->refs))
        return;
    for (size_t i = 0; i < topology->n; i++) {
        struct valkey_node *node = &topology->nodes[i];
        g_free(node->at.host);
        g_free(node->id);
        g_free(node->run_id);
        g_free(node->replid);
    }
    g_free(topology->nodes);
    g_free(topology->version);
    g_free(topology->server);
    g_free(topology);
}

bool *topology_owners(const struct topology *topology)
{
    bool *owners = g_new0(bool, topology->n + 1);
    size_t found = 0;
    for (size_t slot = 0; slot < SLOTS && found < topology->n; slot++) {
        int32_t owner = topology->owner[slot];
        if (owner < 0 || owners[owner])
            continue;
        owners[owner] = true;
        found++;
    }
    return owners;
}

/* --- one server --------------------------------------------------------------------------------------------------- */

static void put_words(struct conn *conn, const char *const *words)
{
    struct slice args[4];
    size_t n = 0;
    while (words[n] && n < G_N_ELEMENTS(args)) {
        args[n] = slice_of_text(words[n]);
        n++;
    }
    conn_put(conn, args, n);
}

/* CLUSTER SHARDS takes its refusal itself. */
static bool take(struct view *view, const struct question *question, const struct reply *reply, GError **error)
{
    bool asked = !question->cluster || view->topology->kind == VALKEY_CLUSTER;
    bool last = view_question_slots() == question || g_str_equal(question->words[1], "SHARDS");
    if (!asked)
        return true;
    g_autofree char *what = g_strjoin(" ", question->words[0], question->words[1], NULL);
    if (reply->type == REPLY_ERROR && !last)
        return refusal_set(reply, view->at, what, error);
    return question->takes(view, reply, error);
}

static bool ask_slots(struct conn *conn, const struct net_wait *wait, struct view *view, GError **error)
{
    struct reply reply;
    if (!view->shards_unknown)
        return true;
    put_words(conn, view_question_slots()->words);
    return conn_next(conn, wait, &reply, error) && take(view, view_question_slots(), &reply, error);
}

/* All in one round trip; a standalone server refuses the half that is a cluster's. */
static bool ask_all(struct conn *conn, const struct net_wait *wait, struct view *view, GError **error)
{
    const struct question *question;
    struct reply reply;
    for (size_t i = 0; (question = view_question(i)); i++)
        put_words(conn, question->words);
    for (size_t i = 0; (question = view_question(i)); i++) {
        if (!conn_next(conn, wait, &reply, error) || !take(view, question, &reply, error))
            return false;
    }
    return ask_slots(conn, wait, view, error);
}

/* --- several in turn ---------------------------------------------------------------------------------------------- */

struct asking {
    const struct world *world;
    const struct valkey_uri *uri;
    const struct topology *known; /* NULL: none */
    const struct net_wait *wait;
    size_t left;           /* hosts still to be asked, this one included */
    struct topology *best; /* a view that may be old; NULL: none */
    bool best_up;
    GString *said; /* of each host that was no help: what it said */
    bool denied;
};

/* A host's share of the time that is left. */
static struct net_wait one_wait(const struct asking *asking)
{
    int64_t now_us = world_monotonic_us(asking->world), share_us = asking->uri->timeout_ms * 1000;
    if (asking->wait->deadline_us > 0) {
        int64_t left_us = asking->wait->deadline_us - now_us;
        share_us = MIN(share_us, MAX(left_us / (int64_t)asking->left, MIN(left_us, LEAST_US)));
    }
    return (struct net_wait){.deadline_us = MAX(now_us + share_us, 1), .cancel = asking->wait->cancel};
}

/* Whether the view can be worked by; one that cannot is kept where it is the newest of those. */
static bool is_good(struct asking *asking, struct topology *topology, bool up)
{
    uint64_t known = asking->known ? asking->known->epoch : 0;
    if (topology->kind == VALKEY_STANDALONE)
        return topology->nodes[0].primary;
    return up && topology->epoch >= known && view_unowned(topology) == 0;
}

static void keep_best(struct asking *asking, struct topology *topology, bool up)
{
    struct topology *best = asking->best;
    bool better = !best || (up && !asking->best_up) || (up == asking->best_up && topology->epoch > best->epoch);
    topology_unref(better ? best : topology);
    asking->best = better ? topology : best;
    asking->best_up = better ? up : asking->best_up;
}

/* true: *ret is good. false: an error where it was no help at all, none where it is kept. */
static bool ask_at(struct asking *asking, const struct valkey_host *at, struct topology **ret, GError **error)
{
    struct net_wait wait = one_wait(asking);
    auto_(conn) conn = NULL;
    struct topology *topology = NULL;
    struct view view;
    if (!conn_open(&conn, asking->world, asking->uri, at, &wait, error))
        return false;
    view_init(&view, at, asking->uri->tls);
    bool answered = ask_all(conn, &wait, &view, error) && view_finish(&view, &topology, error), up = view.up;
    view_done(&view);
    if (!answered)
        return false;
    if (asking->known && !view_same(asking->known, topology)) {
        topology_unref(topology);
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u is another store than before", at->host, at->port);
    }
    if (!is_good(asking, topology, up)) {
        keep_best(asking, topology, up);
        return false;
    }
    *ret = topology;
    return true;
}

/* --- Sentinel ----------------------------------------------------------------------------------------------------- */

static bool master_of(const struct reply *reply, struct valkey_host *ret)
{
    uint64_t port;
    if (!reply_is_array(reply, 2) || reply->items[0].bytes.len == 0 || !int_parse_u64(reply->items[1].bytes, &port) ||
        port == 0 || port > UINT16_MAX)
        return false;
    ret->host = g_strndup((const char *)reply->items[0].bytes.data, reply->items[0].bytes.len);
    ret->port = (uint16_t)port;
    return true;
}

static bool ask_sentinel(const struct asking *asking, const struct valkey_host *at, struct valkey_host *ret,
                         GError **error)
{
    struct net_wait wait = one_wait(asking);
    struct valkey_uri door = *asking->uri; /* its strings stay the URI's */
    struct slice args[] = {slice_of_text("SENTINEL"), slice_of_text("GET-MASTER-ADDR-BY-NAME"),
                           slice_of_text(door.sentinel)};
    struct reply reply;
    auto_(conn) conn = NULL;
    door.user = door.sentinel_user;
    door.password = door.sentinel_password;
    door.db = 0;
    if (!conn_open(&conn, asking->world, &door, at, &wait, error) ||
        !conn_call(conn, &wait, args, G_N_ELEMENTS(args), &reply, error))
        return false;
    if (reply.type == REPLY_NULL)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s:%u: the Sentinel knows no master '%s'", at->host, at->port,
                         door.sentinel);
    return master_of(&reply, ret) || refusal_set(&reply, at, "SENTINEL GET-MASTER-ADDR-BY-NAME", error);
}

/* A Sentinel that names a server which is no primary (any more) is no help. */
static bool ask_through(struct asking *asking, const struct valkey_host *sentinel, struct topology **ret,
                        GError **error)
{
    struct valkey_host master;
    if (!ask_sentinel(asking, sentinel, &master, error))
        return false;
    g_autofree char *host = master.host;
    if (ask_at(asking, &master, ret, error))
        return true;
    if (error && !*error)
        error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u says %s:%u is the master, which is none", sentinel->host,
                  sentinel->port, master.host, master.port);
    g_clear_pointer(&asking->best, topology_unref);
    return false;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static bool host_listed(const GPtrArray *hosts, const struct valkey_host *at)
{
    for (guint i = 0; i < hosts->len; i++) {
        const struct valkey_host *other = g_ptr_array_index(hosts, i);
        if (other->port == at->port && g_str_equal(other->host, at->host))
            return true;
    }
    return false;
}

static void list_host(GPtrArray *hosts, const struct valkey_host *at)
{
    if (!host_listed(hosts, at))
        g_ptr_array_add(hosts, (void *)(uintptr_t)at);
}

/* The one that answered last, then primaries, then replicas, then what the URI names. */
static GPtrArray *hosts_of(const struct asking *asking)
{
    GPtrArray *hosts = g_ptr_array_new();
    const struct topology *known = asking->uri->sentinel ? NULL : asking->known;
    if (known)
        list_host(hosts, &known->nodes[known->asked].at);
    for (size_t i = 0; known && i < 2 * known->n; i++) {
        const struct valkey_node *node = &known->nodes[i % known->n];
        if (node->primary == (i < known->n))
            list_host(hosts, &node->at);
    }
    for (size_t i = 0; i < asking->uri->n_hosts; i++)
        list_host(hosts, &asking->uri->hosts[i]);
    return hosts;
}

static void note(struct asking *asking, const GError *failed)
{
    asking->denied |= error_is(failed, SLUICE_ERROR_NOT_PERMITTED);
    g_string_append_printf(asking->said, "%s%s", asking->said->len ? "; " : "", failed->message);
}

/* What ends the asking, whatever the other hosts would say. */
static bool is_final(const GError *failed)
{
    return error_is(failed, SLUICE_ERROR_CANCELLED) || error_is(failed, SLUICE_ERROR_USAGE);
}

static bool ask_in_turn(struct asking *asking, const GPtrArray *hosts, struct topology **ret, GError **error)
{
    bool through = asking->uri->sentinel != NULL;
    for (guint i = 0; i < hosts->len; i++) {
        const struct valkey_host *at = g_ptr_array_index(hosts, i);
        g_autoptr(GError) failed = NULL;
        asking->left = hosts->len - i;
        if (through ? ask_through(asking, at, ret, &failed) : ask_at(asking, at, ret, &failed))
            return true;
        if (failed && is_final(failed)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        if (failed)
            note(asking, failed);
    }
    if (asking->best) {
        *ret = g_steal_pointer(&asking->best);
        return true;
    }
    return error_set(error, asking->denied ? SLUICE_ERROR_NOT_PERMITTED : SLUICE_ERROR_UNREACHABLE,
                     "no server of the store can be used: %s", asking->said->str);
}

bool topology_ask(struct topology **ret, const struct world *world, const struct valkey_uri *uri,
                  const struct topology *known, const struct net_wait *wait, GError **error)
{
    struct asking asking = {.world = world, .uri = uri, .known = known, .wait = wait, .said = g_string_new(NULL)};
    g_autoptr(GPtrArray) hosts = hosts_of(&asking);
    bool asked = ask_in_turn(&asking, hosts, ret, error);
    topology_unref(asking.best);
    g_string_free(asking.said, TRUE);
    return asked;
}
