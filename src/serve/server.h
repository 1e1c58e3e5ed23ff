/* What the files of serve/ share; nobody else includes it. */
#pragma once

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "base/lock.h"
#include "catalog/ledger.h"
#include "metrics/metrics.h"
#include "serve/answer.h"
#include "serve/serve.h"
#include "serve/who.h"
#include "view/look.h"

struct request;
struct desk;

/* --- routes ------------------------------------------------------------------------------------------------------- */

enum how { HOW_HERE, HOW_READ, HOW_KEPT, HOW_ACT, HOW_STREAM };
struct route {
    const char *request; /* "GET /api/v1/runs/{run}" */
    enum right right;
    enum how how;
    const char *query;
    bool (*call)(struct request *, struct desk *, GError **);
    const char *words;
};
#define ROUTE(address, needs, way, asks, name, told) bool serve_##name(struct request *, struct desk *, GError **);
#include "serve/route_rows.h"
#undef ROUTE

/* What stands for {…} in a path, in order. */
#define ROUTE_NAMES 2
struct route_found {
    const struct route *route; /* NULL: none */
    char *names[ROUTE_NAMES];  /* the caller frees */
    char *allow;               /* the methods that the path knows, where `method` is none of them; NULL; freed too */
};
struct route_found route_find(const char *method, const char *path);
json_t *route_openapi(void);

/* --- the server --------------------------------------------------------------------------------------------------- */

struct server {
    struct serve_config config;
    struct MHD_Daemon *daemon;
    struct tokens *tokens;
    struct cache *cache;
    struct hands *reads, *acts;
    struct events *events;
    struct clients *clients;
    struct children *children;
    struct refusals *refusals;
    struct revoked *revoked; /* NULL: no list was given */
    enum role anonymous;
    bool local; /* bound to this machine alone */
    bool tls;
    unsigned connections;        /* at most */
    char *url, *cert, *key, *ca; /* ca: of client certificates; NULL: none is asked for */
    pthread_mutex_t once_lock;   /* `at_work`; a leaf */
    GHashTable *at_work;         /* keys of idempotency whose action is being done */
    struct thread *ticker;
    atomic_bool stop;
};

/* What a thread that answers has of its own. */
struct desk {
    struct server *server;
    struct catalog *catalog; /* for reading */
    struct arena *mem;       /* until the answer is made */
    struct metrics_source metrics;
};
/* A run as /runs/{run} has it, and as events tell of it. */
bool desk_status(struct desk *desk, const struct run_row *run, json_t **ret, GError **error);

/* Answers in the order in which they were asked for, by so many threads. A request that is given is suspended, and goes
 * on when it has its answer. */
struct hands *hands_new(struct server *server, const char *name, size_t n, GError **error);
/* Those that wait are still answered; nothing more is taken. */
void hands_end(struct hands *hands);
void hands_free(struct hands *hands);
/* False: too many wait, or it has ended. */
bool hands_give(struct hands *hands, struct request *request);

/* Answers that were made a moment ago. */
struct cache *cache_new(const struct world *world);
void cache_free(struct cache *cache);
/* True: there is one, and it is in *ret. */
bool cache_get(struct cache *cache, const char *key, struct answer *ret);
/* `took_us`: to make it. It serves ten times as long, at least a tenth of a second and at most ten. */
void cache_put(struct cache *cache, const char *key, const struct answer *answer, int64_t took_us);
/* Something was done: nothing that was made before serves any longer. */
void cache_forget(struct cache *cache);

/* Connections, and since when each of them owes a request: one that takes too long is cut off. */
struct clients *clients_new(const struct world *world);
void clients_free(struct clients *clients);
void clients_tick(struct clients *clients);
struct client *clients_add(struct clients *clients, int fd);
void clients_drop(struct clients *clients, struct client *client);
/* All of a request is here; it owes none while it is answered. */
void clients_serve(struct clients *clients, struct client *client, bool served);

/* Processes that were started here, to be buried. */
struct children *children_new(void);
void children_free(struct children *children);
void children_add(struct children *children, int64_t pid);
void children_tick(struct children *children);

/* Refusals, on their way into the ledger. */
struct refusals *refusals_new(const struct server *server);
void refusals_free(struct refusals *refusals);
struct refusal {
    const char *name, *what, *run, *why; /* name NULL: nobody that is known; run NULL: of none */
};
void refusals_add(struct refusals *refusals, const struct refusal *refusal);
void refusals_tick(struct refusals *refusals);

/* Certificates of clients that were taken back (--tls-crl). USAGE: the file holds no list that an authority of `ca` has
 * signed and whose time has not passed. Texts are borrowed. */
struct revoked_wish {
    const struct world *world;
    const char *path, *ca; /* ca: PEM */
};
bool revoked_open(struct revoked **ret, const struct revoked_wish *wish, GError **error);
void revoked_free(struct revoked *revoked);
/* Looks whether the file is another by now. NULL is fine. */
void revoked_tick(struct revoked *revoked);
/* Whether there is a good list; without one nobody is let in. */
bool revoked_stands(struct revoked *revoked);
/* Whether none of a chain, the client's own first, was taken back. NULL lets everybody in. */
bool revoked_lets(struct revoked *revoked, const gnutls_datum_t *chain, unsigned n);
/* The same of the chain of struct who, for who asks again and again: looked at only where the lists are others than at
 * *io_turn (0: never). NULL revoked or chain: nothing speaks against it. */
bool revoked_still_lets(struct revoked *revoked, const GPtrArray *chain, uint64_t *io_turn);

/* --- requests ----------------------------------------------------------------------------------------------------- */

struct request {
    struct server *server;
    struct MHD_Connection *connection;
    struct client *client; /* NULL: gone */
    const struct route *route;
    char *method, *path;
    char *names[ROUTE_NAMES];
    struct who who;
    GString *body;
    json_t *json; /* the body of an action: an object */
    char *cache_key;
    bool begun;
    struct stream *stream;
    struct answer answer;
};

/* Of the address; NULL: not given. */
const char *request_query(const struct request *request, const char *name);
const char *request_header(const struct request *request, const char *name);
/* A number of the address, at most `most`; USAGE. */
struct number_wish {
    const char *name;
    uint64_t fallback, most;
};
bool request_number(const struct request *request, const struct number_wish *wish, uint64_t *ret, GError **error);
/* The run of that name, if whoever asks may see it: NOT_FOUND otherwise. */
bool request_find(const struct request *request, struct desk *desk, const char *name, struct run_row *ret,
                  GError **error);
/* The same of the run of the path. */
bool request_run(const struct request *request, struct desk *desk, struct run_row *ret, GError **error);
/* Who is asking, as the ledger has it: NAME@token, or the user that the server runs as. The caller frees. */
char *request_actor(const struct request *request);

/* Who asks, by header, cookie or certificate. */
void session_who(struct request *request);
/* Whether the connection has shown a certificate, good or not; whose it is, as of tokens_look(). */
bool certificate_look(const struct request *request, struct who *io);
/* Whether nothing speaks against it but rights: no other page of the same browser has sent it. False: `ret` says why.
 */
bool session_is_own(const struct request *request, const char **ret);

/* Goes on with a request that has all of its body; its answer is there when it returns, or will be. */
void request_begin(struct request *request);

/* --- events ------------------------------------------------------------------------------------------------------- */

struct events *events_new(struct server *server);
void events_free(struct events *events);
/* No more: streams end. */
void events_close(struct events *events);
/* Looks for what is new, and tells it. `desk`: of the thread that ticks. */
void events_tick(struct events *events, struct desk *desk);
/* A new stream of whoever asks, of one run or (NULL) of all; entries behind `after` come first, UINT64_MAX: none of
 * those that are there. NULL: there are too many. */
struct stream *events_open(struct events *events, const struct request *request, const char *run, uint64_t after);
/* Ends with its response, which is the stream's owner from here on. */
struct MHD_Response *events_response(struct stream *stream);
void events_drop(void *stream);
