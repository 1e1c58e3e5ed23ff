/* Serves one open store on a Unix socket: a thread and a session for each connection. */
#pragma once

#include "store/calls.h"

struct server;

/* Binds and listens; the socket must not exist. The store is borrowed until server_free(). */
bool server_new(struct server **ret, struct store *store, const struct world *world, const char *path, GError **error);
/* Ends all connections, waits for their threads, removes the socket. */
void server_free(struct server *server);
AUTO_DEFINE(server, server_free)
