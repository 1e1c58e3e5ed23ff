#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"
#include "base/int.h"
#include "base/thread.h"
#include "serve/libraries.h"
#include "serve/server.h"

#define TICK_US          (INT64_C(100) * 1000)
#define REFRESH_TICKS    10
#define BODY_MOST        (64u << 10)
#define ADDRESS_MOST     4096u
#define HEADERS_MOST     (32u << 10)
#define CONNECTIONS_MOST 3000u
#define FILES_ASIDE      150u /* that are no connections: catalogs, logs */
#define IDLE_S           60u
#define READERS          3
#define ACTORS           4
#define PEM_MOST         (1u << 20)

/* --- requests, as the library has them ---------------------------------------------------------------------------- */

static void *on_uri(void *self, const char *uri, struct MHD_Connection *connection)
{
    struct server *server = self;
    struct request *request = g_new0(struct request, 1);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    request->server = server;
    request->connection = connection;
    request->client = info ? info->socket_context : NULL;
    request->who.role = ROLE_COUNT;
    request->body = g_string_new(NULL);
    if (strlen(uri) > ADDRESS_MOST)
        answer_fault(&request->answer,
                     &(struct answer_fault){414, 2, "usage", "the address is longer than 4096 bytes"});
    else if (strstr(uri, "%00")) /* the library would end the path there */
        answer_fault(&request->answer, &(struct answer_fault){400, 2, "usage", "the address holds a zero byte"});
    return request;
}

static void request_free(struct request *request)
{
    if (request->stream)
        events_drop(request->stream);
    g_free(request->method);
    g_free(request->path);
    for (size_t i = 0; i < ROUTE_NAMES; i++)
        g_free(request->names[i]);
    who_done(&request->who);
    g_string_free(request->body, TRUE);
    json_decref(request->json);
    g_free(request->cache_key);
    answer_done(&request->answer);
    g_free(request);
}

static void on_completed(void *self, struct MHD_Connection *connection, void **at, enum MHD_RequestTerminationCode code)
{
    struct server *server = self;
    struct request *request = *at;
    *at = NULL;
    if (!request)
        return;
    clients_serve(server->clients, request->client, false);
    request_free(request);
}

static void on_connection(void *self, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = self;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = clients_add(server->clients, info->connect_fd);
    else if (*socket_context)
        clients_drop(server->clients, *socket_context);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

/* The page has all that it needs from here; nothing else may be loaded, framed, guessed or told where it came from. */
static const struct {
    const char *name, *value;
} HEADERS[] = {
    {"Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

static void unref(void *bytes)
{
    g_bytes_unref(bytes);
}

static struct MHD_Response *response_of(struct request *request)
{
    gsize len = 0;
    if (request->stream)
        return events_response(g_steal_pointer(&request->stream));
    GBytes *body = request->answer.body ? g_bytes_ref(request->answer.body) : g_bytes_new_static("", 0);
    const void *bytes = g_bytes_get_data(body, &len);
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(len, (void *)(uintptr_t)bytes, unref, body);
    if (request->answer.type)
        MHD_add_response_header(response, "Content-Type", request->answer.type);
    return response;
}

static void add_headers(struct MHD_Response *response, const struct answer *answer)
{
    for (size_t i = 0; i < G_N_ELEMENTS(HEADERS); i++)
        MHD_add_response_header(response, HEADERS[i].name, HEADERS[i].value);
    if (answer->allow)
        MHD_add_response_header(response, "Allow", answer->allow);
    if (answer->encoding)
        MHD_add_response_header(response, "Content-Encoding", answer->encoding);
    if (answer->cookie)
        MHD_add_response_header(response, "Set-Cookie", answer->cookie);
    if (answer->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    if (answer->replayed)
        MHD_add_response_header(response, "Idempotency-Replayed", "true");
    if (answer->download) {
        g_autofree char *value = g_strdup_printf("attachment; filename=\"%s\"", answer->download);
        MHD_add_response_header(response, "Content-Disposition", value);
    }
    if (answer->retry_after_s) {
        g_autofree char *value = g_strdup_printf("%u", answer->retry_after_s);
        MHD_add_response_header(response, "Retry-After", value);
    }
}

static enum MHD_Result send_answer(struct request *request)
{
    unsigned status = request->stream ? 200 : request->answer.status;
    struct MHD_Response *response = response_of(request);
    if (!response)
        return MHD_NO;
    add_headers(response, &request->answer);
    enum MHD_Result sent = MHD_queue_response(request->connection, status, response);
    MHD_destroy_response(response);
    return sent;
}

/* --- a request comes in ------------------------------------------------------------------------------------------- */

/* Before its body is read: whether it may have one like that. */
static bool may_come(struct request *request)
{
    const char *length = request_header(request, "Content-Length");
    uint64_t bytes = 0;
    if (request_header(request, "Transfer-Encoding"))
        answer_fault(&request->answer, &(struct answer_fault){411, 2, "usage", "a body needs a Content-Length"});
    else if (length && (!int_parse_u64(slice_of_text(length), &bytes) || bytes > BODY_MOST))
        answer_fault(&request->answer, &(struct answer_fault){413, 2, "usage", "a body has 64 KiB at most"});
    return request->answer.status == 0;
}

static enum MHD_Result on_request(void *self, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *io_len, void **at)
{
    struct server *server = self;
    struct request *request = *at;
    if (!request->method) {
        request->method = g_strdup(method);
        request->path = g_strdup(url);
        return request->answer.status || !may_come(request) ? send_answer(request) : MHD_YES;
    }
    if (*io_len > 0) {
        if (request->body->len + *io_len > BODY_MOST)
            return MHD_NO;
        g_string_append_len(request->body, upload, (gssize)*io_len);
        *io_len = 0;
        return MHD_YES;
    }
    if (!request->begun) {
        request->begun = true;
        clients_serve(server->clients, request->client, true);
        request_begin(request);
    }
    return request->answer.status || request->stream ? send_answer(request) : MHD_YES;
}

/* --- the clockwork ------------------------------------------------------------------------------------------------ */

static void tick(struct desk *desk, uint64_t turn)
{
    struct server *server = desk->server;
    if (!desk->catalog)
        catalog_open(&desk->catalog, server->config.world, server->config.home, CATALOG_READ_ONLY, NULL);
    if (desk->catalog && turn % REFRESH_TICKS == 0 && !tokens_refresh(server->tokens, desk->catalog, NULL))
        g_clear_pointer(&desk->catalog, catalog_free);
    if (turn % REFRESH_TICKS == 0)
        revoked_tick(server->revoked);
    if (desk->catalog)
        events_tick(server->events, desk);
    clients_tick(server->clients);
    children_tick(server->children);
    refusals_tick(server->refusals);
}

static void ticker(void *self)
{
    struct server *server = self;
    struct desk desk = {.server = server, .mem = arena_new(256 << 20)};
    for (uint64_t turn = 0; !atomic_load(&server->stop); turn++) {
        tick(&desk, turn);
        world_sleep_us(server->config.world, TICK_US, &server->stop);
    }
    g_clear_pointer(&desk.catalog, catalog_free);
    arena_free(desk.mem);
}

/* --- where it listens --------------------------------------------------------------------------------------------- */

/* HOST:PORT, [HOST]:PORT; the caller frees with freeaddrinfo(). */
static bool resolve(const char *listen, struct addrinfo **ret, GError **error)
{
    const char *colon = strrchr(listen, ':');
    uint64_t port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    if (!colon || !int_parse_u64(slice_of_text(colon + 1), &port) || port > UINT16_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "--listen %s: HOST:PORT was expected, such as 127.0.0.1:8080",
                         listen);
    bool bracketed = listen[0] == '[' && colon > listen && colon[-1] == ']';
    g_autofree char *host =
        bracketed ? g_strndup(listen + 1, (size_t)(colon - listen) - 2) : g_strndup(listen, (size_t)(colon - listen));
    int fault = getaddrinfo(*host ? host : NULL, colon + 1, &hints, ret);
    return fault == 0 || error_set(error, SLUICE_ERROR_USAGE, "--listen %s: %s", listen, gai_strerror(fault));
}

static bool is_local(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24) == 127;
    return address->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

/* Elsewhere than on this machine: nobody without a token, and no token in the clear. */
static bool may_listen(const struct server *server, GError **error)
{
    const char *listen = server->config.listen;
    if (server->local)
        return true;
    if (!server->tls)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "--listen %s: others could read along; name --tls-cert and --tls-key, or listen on 127.0.0.1",
                         listen);
    if (server->anonymous != ROLE_COUNT)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "--anonymous %s: only on this machine, and --listen %s is for all",
                         role_word(server->anonymous), listen);
    return tokens_any(server->tokens) ||
           error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                     "--listen %s: nobody has a token yet; `sluice token create NAME --role ROLE` makes one", listen);
}

static bool read_pem(const struct server *server, const char *path, char **ret, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    if (!file_read_all(server->config.world, path, PEM_MOST, &bytes, error))
        return false;
    const char *text = g_bytes_get_data(bytes, &len);
    *ret = g_strndup(text, len);
    return true;
}

static bool read_revoked(struct server *server, GError **error)
{
    struct revoked_wish wish = {.world = server->config.world, .path = server->config.tls_crl, .ca = server->ca};
    if (!wish.path)
        return true;
    if (!wish.ca)
        return error_set(error, SLUICE_ERROR_USAGE,
                         "--tls-crl: it is of the authority of --tls-ca, which is needed too");
    return revoked_open(&server->revoked, &wish, error);
}

static bool read_tls(struct server *server, GError **error)
{
    const struct serve_config *config = &server->config;
    server->tls = config->tls_cert || config->tls_key || config->tls_ca || config->tls_crl;
    if (!server->tls)
        return true;
    if (!config->tls_cert || !config->tls_key)
        return error_set(error, SLUICE_ERROR_USAGE, "--tls-cert and --tls-key: both are needed%s",
                         config->tls_ca ? " for --tls-ca" : ", or none");
    return read_pem(server, config->tls_cert, &server->cert, error) &&
           read_pem(server, config->tls_key, &server->key, error) &&
           (!config->tls_ca || read_pem(server, config->tls_ca, &server->ca, error)) && read_revoked(server, error);
}

/* What the system gives each process by default is less than what it gives where it is asked to. */
static unsigned connections_most(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return CONNECTIONS_MOST / 4;
    files.rlim_cur = MAX(files.rlim_cur, MIN(files.rlim_max, CONNECTIONS_MOST + FILES_ASIDE));
    setrlimit(RLIMIT_NOFILE, &files);
    getrlimit(RLIMIT_NOFILE, &files);
    return (unsigned)CLAMP((int64_t)MIN(files.rlim_cur, INT32_MAX) - FILES_ASIDE, 50, CONNECTIONS_MOST);
}

static bool start_daemon(struct server *server, const struct addrinfo *at, GError **error)
{
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->cert},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
        {server->ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, server->ca},
        {MHD_OPTION_END, 0, NULL}};
    server->connections = connections_most();
    flags |= server->tls ? MHD_USE_TLS : 0;
    flags |= at->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0;
    server->daemon =
        MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR, at->ai_addr,
                         MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                         MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_CONNECTION_LIMIT,
                         server->connections, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)HEADERS_MOST, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                         MHD_OPTION_ARRAY, server->tls ? tls : tls + G_N_ELEMENTS(tls) - 1, MHD_OPTION_END);
    return server->daemon ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "--listen %s: it cannot be listened there (%s)%s",
                     server->config.listen, g_strerror(errno),
                     server->tls ? "; or the certificate, its key or --tls-ca is none" : "");
}

static void name_url(struct server *server)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    const char *listen = server->config.listen;
    g_autofree char *host = g_strndup(listen, (size_t)(strrchr(listen, ':') - listen));
    server->url = g_strdup_printf("%s://%s:%u", server->tls ? "https" : "http", *host ? host : "localhost",
                                  info ? (unsigned)info->port : 0);
}

static bool listen_at(struct server *server, GError **error)
{
    struct addrinfo *at = NULL;
    if (!resolve(server->config.listen, &at, error))
        return false;
    server->local = is_local(at->ai_addr);
    const char *role = server->config.anonymous ? server->config.anonymous : server->local ? "viewer" : "none";
    bool done = (role_find(role, &server->anonymous, error) || error_add(error, "--anonymous")) &&
                read_tls(server, error) && may_listen(server, error) && start_daemon(server, at, error);
    freeaddrinfo(at);
    if (done)
        name_url(server);
    return done;
}

/* --- the server --------------------------------------------------------------------------------------------------- */

static bool know_tokens(struct server *server, GError **error)
{
    auto_(catalog) catalog = NULL;
    return catalog_open(&catalog, server->config.world, server->config.home, CATALOG_CREATE, error) &&
           tokens_refresh(server->tokens, catalog, error);
}

static struct server *server_new(const struct serve_config *config)
{
    struct server *server = g_new0(struct server, 1);
    server->config = *config;
    server->anonymous = ROLE_COUNT;
    server->tokens = tokens_new(config->world);
    server->cache = cache_new(config->world);
    server->events = events_new(server);
    server->clients = clients_new(config->world);
    server->children = children_new();
    server->refusals = refusals_new(server);
    server->at_work = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    pthread_mutex_init(&server->once_lock, NULL);
    return server;
}

bool serve_open(struct server **ret, const struct serve_config *config, GError **error)
{
    auto_(server) server = server_new(config);
    if (!libraries_load(error) || !know_tokens(server, error))
        return false;
    server->reads = hands_new(server, "serve-read", READERS, error);
    server->acts = server->reads ? hands_new(server, "serve-act", ACTORS, error) : NULL;
    if (!server->acts || !thread_start(&server->ticker, "serve-tick", ticker, server, error) ||
        !listen_at(server, error))
        return false;
    *ret = g_steal_pointer(&server);
    return true;
}

/* Nobody new; then those who tell, so that no one is resumed who has gone; then those who answer. */
void serve_close(struct server *server)
{
    if (!server)
        return;
    MHD_socket listening = server->daemon ? MHD_quiesce_daemon(server->daemon) : MHD_INVALID_SOCKET;
    world_cancel(server->config.world, &server->stop);
    thread_join(server->ticker);
    hands_end(server->reads);
    hands_end(server->acts);
    events_close(server->events);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
    refusals_tick(server->refusals);
    hands_free(server->reads);
    hands_free(server->acts);
    events_free(server->events);
    clients_free(server->clients);
    children_free(server->children);
    refusals_free(server->refusals);
    cache_free(server->cache);
    tokens_free(server->tokens);
    g_hash_table_unref(server->at_work);
    pthread_mutex_destroy(&server->once_lock);
    g_free(server->url);
    g_free(server->cert);
    g_free(server->key);
    g_free(server->ca);
    revoked_free(server->revoked);
    g_free(server);
}

const char *serve_url(const struct server *server)
{
    return server->url;
}
