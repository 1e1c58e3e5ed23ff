/* `sluice serve`: the HTTP interface of a home (docs/api.md). It reads the catalog, and does what the command line does
 * by the same functions; what takes a process of its own gets one. */
#pragma once

#include "base/person.h"
#include "run/run.h"

struct server;

/* The variable by which a process that the server starts says for whom: catalog/access.h has the rest. */
#define SERVE_ERRAND "SLUICE_ERRAND"

struct serve_config {
    const struct world *world;
    struct store_registry *registry; /* in which nothing is open */
    char **environment;              /* of processes that are started */
    const char *home;
    const char *listen;             /* HOST:PORT; port 0: any that is free */
    const char *tls_cert, *tls_key; /* files; NULL: no TLS */
    const char *tls_ca;             /* a file: who signs certificates of clients; NULL: none is asked for */
    const char *tls_crl;            /* a file: those of them that were taken back; NULL: none */
    const char *anonymous;          /* the role of whoever shows no token; NULL: viewer on this machine, else none */
    const struct person *person;    /* whom the server runs as, and who acts without a token */
    const char *actor;
};

/* Listens. USAGE, NOT_PERMITTED where it may not listen there: elsewhere than on this machine only with TLS, a token
 * and nobody anonymous. */
bool serve_open(struct server **ret, const struct serve_config *config, GError **error);
/* Lets what is being answered be answered, and ends. */
void serve_close(struct server *server);
AUTO_DEFINE(server, serve_close)
/* Where its page stands: http://127.0.0.1:8080 */
const char *serve_url(const struct server *server);
