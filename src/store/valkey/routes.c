#include "base/lock.h"
#include "store/valkey/link.h"
#include "store/valkey/refusal.h"
#include "store/valkey/view.h"

struct routes *routes_new(const struct world *world, const struct valkey_uri *uri, struct topology *first)
{
    struct routes *routes = g_new0(struct routes, 1);
    routes->world = world;
    routes->uri = uri;
    pthread_mutex_init(&routes->lock, NULL);
    routes->topology = topology_ref(first);
    routes->epoch = first->epoch;
    return routes;
}

void routes_free(struct routes *routes)
{
    if (!routes)
        return;
    topology_unref(routes->topology);
    pthread_mutex_destroy(&routes->lock);
    g_free(routes);
}

struct topology *routes_topology(struct routes *routes)
{
    auto_hold(&routes->lock);
    return topology_ref(routes->topology);
}

void routes_set_pace(struct routes *routes, struct pace *pace)
{
    auto_hold(&routes->lock);
    routes->pace = pace;
    atomic_fetch_add(&routes->paced, 1);
}

struct pace *routes_pace(struct routes *routes)
{
    auto_hold(&routes->lock);
    return routes->pace;
}

/* Whether the caller is to ask; then *ret_known is what is known, a reference. */
static bool routes_begin(struct routes *routes, const struct topology *seen, struct topology **ret_known)
{
    auto_hold(&routes->lock);
    if (routes->asking || routes->topology != seen)
        return false;
    routes->asking = true;
    *ret_known = topology_ref(routes->topology);
    return true;
}

/* `found` NULL: it was in vain. */
static void routes_end(struct routes *routes, struct topology *found)
{
    auto_hold(&routes->lock);
    routes->asking = false;
    if (!found)
        return;
    topology_unref(routes->topology);
    routes->topology = found;
}

/* --- a cluster that no failover mends ----------------------------------------------------------------------------- */

static char *unowned_text(const struct topology *topology, uint32_t n)
{
    uint32_t slot = 0;
    while (topology->owner[slot] >= 0)
        slot++;
    return n == 1 ? g_strdup_printf("no server owns slot %u", slot)
                  : g_strdup_printf("no server owns slot %u and %u others", slot, n - 1);
}

static char *lost_text(const struct topology *topology)
{
    for (size_t i = 0; i < topology->n; i++) {
        const struct valkey_node *node = &topology->nodes[i];
        if (node->primary && !node->online)
            return g_strdup_printf("%s:%u is lost, no replica has taken its place, and %u slots are without a server",
                                   node->at.host, node->at.port, topology->lost);
    }
    return g_strdup_printf("%u slots are without a server", topology->lost);
}

/* NULL: nothing. The caller frees. */
static char *what_is_wrong(const struct routes *routes, const struct topology *topology)
{
    uint32_t unowned = topology->kind == VALKEY_CLUSTER ? view_unowned(topology) : 0;
    if (unowned > 0)
        return unowned_text(topology, unowned);
    if (topology->lost > 0)
        return lost_text(topology);
    if (topology->epoch < routes->epoch)
        return g_strdup_printf("the cluster's epoch is %" PRIu64 " and was %" PRIu64
                               ": it was made anew, put back from a copy, or is one half of two",
                               topology->epoch, routes->epoch);
    return NULL;
}

/* Whether it is well, or has not been ill for longer than a failover takes. Illness that nobody looked at for so long
 * is another one. */
static bool routes_well(struct routes *routes, const struct topology *topology, GError **error)
{
    auto_hold(&routes->lock);
    g_autofree char *wrong = what_is_wrong(routes, topology);
    int64_t now_us = world_monotonic_us(routes->world), patience_us = routes->uri->failover_ms * 1000;
    routes->epoch = MAX(routes->epoch, topology->epoch);
    if (!wrong) {
        routes->ill_us = 0;
        return true;
    }
    if (routes->ill_us == 0 || now_us - routes->seen_us > patience_us)
        routes->ill_us = now_us;
    routes->seen_us = now_us;
    return now_us - routes->ill_us < patience_us ||
           error_set(error, SLUICE_ERROR_SHARD_LOST,
                     "%s, for %" PRId64
                     " s now, which is more than a failover takes (?failover=): start the lost server again, "
                     "promote its replica (CLUSTER FAILOVER TAKEOVER), or give the slots to another (CLUSTER ADDSLOTS)",
                     wrong, (now_us - routes->ill_us) / 1000000);
}

bool routes_refresh(struct routes *routes, const struct topology *seen, const struct net_wait *wait, GError **error)
{
    struct topology *known, *found = NULL;
    if (!routes_begin(routes, seen, &known))
        return true;
    bool asked = topology_ask(&found, routes->world, routes->uri, known, wait, error);
    routes_end(routes, asked ? topology_ref(found) : NULL);
    bool good = asked && routes_well(routes, found, error);
    topology_unref(known);
    topology_unref(found);
    return good;
}

struct topology *router_topology(struct router *router)
{
    return routes_topology(router->routes);
}

bool router_refresh(struct router *router, const struct call *call, GError **error)
{
    struct net_wait wait = link_wait(router, call, router->uri->timeout_ms * 1000);
    struct topology *seen = routes_topology(router->routes);
    bool asked = routes_refresh(router->routes, seen, &wait, error);
    topology_unref(seen);
    return asked;
}

/* --- a look at one server ----------------------------------------------------------------------------------------- */

struct look {
    const struct valkey_host *at;
    struct node_state *ret;
};

static bool look_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct look *look = self;
    if (reply->type == REPLY_ERROR)
        return refusal_set(reply, look->at, "INFO", error);
    link_state(reply->bytes, look->ret);
    return true;
}

bool router_look(struct router *router, const struct call *call, const struct valkey_host *at, struct node_state *ret,
                 GError **error)
{
    struct look look = {.at = at, .ret = ret};
    struct command command = {
        .args = LINK_LOOK, .n_args = G_N_ELEMENTS(LINK_LOOK), .slot = -1, .at = at, .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .unpaced = true, .answer = look_answer, .self = &look};
    return router_run(router, call, &wish, error);
}
