/* What tests of the router against a scripted server share. */
#pragma once

#include "kit/kit.h"
#include "kit/peer.h"
#include "store/valkey/link.h"

/* One server on loopback, and nothing else: nobody has asked it yet. */
static inline struct topology *one_server(uint16_t port)
{
    struct topology *topology = g_new0(struct topology, 1);
    topology->nodes = g_new0(struct valkey_node, 1);
    topology->nodes[0] =
        (struct valkey_node){.at = {.host = g_strdup("127.0.0.1"), .port = port}, .primary = true, .online = true};
    topology->n = 1;
    g_atomic_ref_count_init(&topology->refs);
    return topology;
}

/* A router to the peer alone, and what it stands on. */
struct lone_router {
    struct valkey_uri *uri;
    struct topology *topology;
    struct routes *routes;
    struct router *router;
};

static inline void lone_router_init(struct lone_router *lone, const struct world *world, const struct peer *peer)
{
    GError *error = NULL;
    g_autofree char *text = g_strdup_printf("valkey://127.0.0.1:%u?timeout=10m", peer_port(peer));
    kit_ok(valkey_uri_parse(&lone->uri, text, NULL, &error));
    lone->topology = one_server(peer_port(peer));
    lone->routes = routes_new(world, lone->uri, lone->topology);
    lone->router = router_new(lone->routes);
}

static inline void lone_router_done(struct lone_router *lone)
{
    router_free(lone->router);
    routes_free(lone->routes);
    topology_unref(lone->topology);
    valkey_uri_free(lone->uri);
}
