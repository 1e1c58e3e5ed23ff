#include "base/lock.h"
#include "store/valkey/link.h"

struct routes *routes_new(const struct world *world, const struct valkey_uri *uri, struct topology *first)
{
    struct routes *routes = g_new0(struct routes, 1);
    routes->world = world;
    routes->uri = uri;
    pthread_mutex_init(&routes->lock, NULL);
    routes->topology = topology_ref(first);
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

bool routes_refresh(struct routes *routes, const struct topology *seen, const struct net_wait *wait, GError **error)
{
    struct topology *known, *found = NULL;
    if (!routes_begin(routes, seen, &known))
        return true;
    bool asked = topology_ask(&found, routes->world, routes->uri, known, wait, error);
    routes_end(routes, asked ? found : NULL);
    topology_unref(known);
    return asked;
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
