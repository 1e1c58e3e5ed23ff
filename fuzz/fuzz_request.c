/* What is asked of `sluice serve`: method and address, headers, an empty line, a body. The library's part, which cuts a
 * request into these, is not ours; what it would tell of them this target tells. Whatever is asked has an answer: a
 * status, and words that are UTF-8, JSON where they say so. Nothing is done for whoever may not: for each action a
 * token was shown whose role may, in a header, or in the cookie with the header that only the page's own scripts can
 * send. Nothing is written: no catalog can be opened but the one that was made before. */
#include <glib/gstdio.h>

#include "catalog/access.h"
#include "fuzz.h"
#include "serve/server.h"

enum { LINES_MOST = 32, PAIRS_MOST = 32, MEM_BYTES = 32 << 20, BODY_MOST = 64 << 10 };

struct pair {
    char *name, *value;
};

struct MHD_Connection { /* opaque to whom it is handed */
    struct pair headers[LINES_MOST], query[PAIRS_MOST];
    size_t n_headers, n_query;
    char *cookie;
};

static struct server server; /* made once; one thread */
static struct catalog *catalog;
static char *home;

/* --- in the place of the library ---------------------------------------------------------------------------------- */

const char *__wrap_MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                               const char *name);
int __wrap_MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                     MHD_KeyValueIterator each, void *self);
const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
                                                               enum MHD_ConnectionInfoType type, ...);
void __wrap_MHD_suspend_connection(struct MHD_Connection *connection);
void __wrap_MHD_resume_connection(struct MHD_Connection *connection);
bool __wrap_hands_give(struct hands *hands, struct request *request);
bool __real_catalog_open(struct catalog **ret, const struct world *world, const char *at, enum catalog_mode mode,
                         GError **error);
bool __wrap_catalog_open(struct catalog **ret, const struct world *world, const char *at, enum catalog_mode mode,
                         GError **error);

static const char *find(const struct pair *pairs, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (g_ascii_strcasecmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

const char *__wrap_MHD_lookup_connection_value(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                               const char *name)
{
    if (kind == MHD_COOKIE_KIND)
        return connection->cookie;
    return kind == MHD_HEADER_KIND ? find(connection->headers, connection->n_headers, name)
                                   : find(connection->query, connection->n_query, name);
}

int __wrap_MHD_get_connection_values(struct MHD_Connection *connection, enum MHD_ValueKind kind,
                                     MHD_KeyValueIterator each, void *self)
{
    for (size_t i = 0; i < connection->n_query; i++)
        each(self, kind, connection->query[i].name, connection->query[i].value);
    return (int)connection->n_query;
}

const union MHD_ConnectionInfo *__wrap_MHD_get_connection_info(struct MHD_Connection *connection,
                                                               enum MHD_ConnectionInfoType type, ...)
{
    return NULL;
}

void __wrap_MHD_suspend_connection(struct MHD_Connection *connection)
{
}

void __wrap_MHD_resume_connection(struct MHD_Connection *connection)
{
}

bool __wrap_catalog_open(struct catalog **ret, const struct world *world, const char *at, enum catalog_mode mode,
                         GError **error)
{
    return error_set(error, SLUICE_ERROR_CATALOG, "no other catalog is opened here");
}

/* --- who may ------------------------------------------------------------------------------------------------------ */

static const struct {
    const char *text, *role;
    uint32_t rights;
} TOKENS[] = {
#define ROLE(symbol, word, rights, words) {word "_token", word, rights},
#include "serve/right_rows.h"
#undef ROLE
};

/* By what was sent alone. */
static bool shown_may(const struct MHD_Connection *connection, enum right right)
{
    const char *header = find(connection->headers, connection->n_headers, "Authorization");
    const char *own = find(connection->headers, connection->n_headers, "Sluice-Request");
    const char *text = header && g_ascii_strncasecmp(header, "Bearer ", 7) == 0 ? header + 7
                       : !header && g_strcmp0(own, "1") == 0                    ? connection->cookie
                                                                                : NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(TOKENS); i++)
        if (g_strcmp0(text, TOKENS[i].text) == 0)
            return TOKENS[i].rights & (UINT32_C(1) << right);
    return false;
}

bool __wrap_hands_give(struct hands *hands, struct request *request)
{
    struct desk desk = {.server = &server, .catalog = catalog, .mem = arena_new(MEM_BYTES)};
    GError *error = NULL;
    if (request->route->how == HOW_ACT)
        g_assert(shown_may(request->connection, request->route->right));
    if (!request->route->call(request, &desk, &error))
        answer_error(&request->answer, error);
    metrics_source_done(&desk.metrics);
    arena_free(desk.mem);
    return true;
}

/* --- once --------------------------------------------------------------------------------------------------------- */

static void remove_home(void)
{
    GDir *entries = g_dir_open(home, 0, NULL);
    for (const char *name; entries && (name = g_dir_read_name(entries));) {
        g_autofree char *path = g_build_filename(home, name, NULL);
        g_unlink(path);
    }
    g_clear_pointer(&entries, g_dir_close);
    g_rmdir(home);
}

static void make_tokens(void)
{
    struct act act = {.actor = "fuzz"};
    for (size_t i = 0; i < G_N_ELEMENTS(TOKENS); i++) {
        struct token_row row = {.name = TOKENS[i].role, .role = TOKENS[i].role, .author = "fuzz", .made_ms = 1};
        access_digest(TOKENS[i].text, row.digest);
        g_assert(catalog_token_add(catalog, &row, &act, NULL));
    }
    g_assert(tokens_refresh(server.tokens, catalog, NULL));
}

static void make_server(void)
{
    home = g_dir_make_tmp("sluice-fuzz-XXXXXX", NULL);
    g_assert(home && __real_catalog_open(&catalog, world_real(), home, CATALOG_CREATE, NULL));
    atexit(remove_home);
    server.config = (struct serve_config){.world = world_real(),
                                          .home = home,
                                          .listen = "127.0.0.1:0",
                                          .person = person_of("fuzz", NULL),
                                          .actor = "fuzz"};
    server.tokens = tokens_new(world_real());
    server.cache = cache_new(world_real());
    server.events = events_new(&server);
    server.refusals = refusals_new(&server);
    server.anonymous = ROLE_VIEWER;
    server.at_work = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    pthread_mutex_init(&server.once_lock, NULL);
    make_tokens();
}

/* --- one request -------------------------------------------------------------------------------------------------- */

/* What is no escape stands for itself. */
static char *unescaped(const char *text, size_t len)
{
    char *plain = g_uri_unescape_segment(text, text + len, NULL);
    return plain ? plain : g_strndup(text, len);
}

static void take_query(struct MHD_Connection *connection, const char *query)
{
    g_auto(GStrv) pieces = g_strsplit(query, "&", PAIRS_MOST);
    for (size_t i = 0; pieces[i]; i++) {
        const char *sign = strchr(pieces[i], '=');
        size_t len = sign ? (size_t)(sign - pieces[i]) : strlen(pieces[i]);
        connection->query[connection->n_query++] =
            (struct pair){unescaped(pieces[i], len), sign ? unescaped(sign + 1, strlen(sign + 1)) : NULL};
    }
}

static void take_header(struct MHD_Connection *connection, const char *line)
{
    const char *colon = strstr(line, ": ");
    if (!colon || connection->n_headers == LINES_MOST)
        return;
    struct pair header = {g_strndup(line, (size_t)(colon - line)), g_strdup(colon + 2)};
    connection->headers[connection->n_headers++] = header;
    if (!connection->cookie && g_ascii_strcasecmp(header.name, "Cookie") == 0 &&
        g_str_has_prefix(header.value, "sluice_session="))
        connection->cookie = g_strdup(header.value + strlen("sluice_session="));
}

static void connection_done(struct MHD_Connection *connection)
{
    for (size_t i = 0; i < connection->n_headers; i++) {
        g_free(connection->headers[i].name);
        g_free(connection->headers[i].value);
    }
    for (size_t i = 0; i < connection->n_query; i++) {
        g_free(connection->query[i].name);
        g_free(connection->query[i].value);
    }
    g_free(connection->cookie);
}

static void check(const struct request *request)
{
    const struct answer *answer = &request->answer;
    gsize len = 0;
    const char *body = answer->body ? g_bytes_get_data(answer->body, &len) : NULL;
    if (request->stream)
        return;
    g_assert(answer->status >= 200 && answer->status <= 599);
    if (answer->encoding)
        return;
    g_assert(len == 0 || g_utf8_validate(body, (gssize)len, NULL) || strcmp(answer->type, "application/x-tar") == 0);
    if (answer->type && strcmp(answer->type, "application/json") == 0) {
        json_t *json = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
        g_assert(json_is_object(json));
        json_decref(json);
    }
}

static void request_done(struct request *request)
{
    if (request->stream)
        events_drop(request->stream);
    for (size_t i = 0; i < ROUTE_NAMES; i++)
        g_free(request->names[i]);
    g_free(request->method);
    g_free(request->path);
    g_free(request->cache_key);
    g_string_free(request->body, TRUE);
    json_decref(request->json);
    who_done(&request->who);
    answer_done(&request->answer);
}

/* false: the library would not take it. */
static bool take_first(struct request *request, const char *line)
{
    const char *blank = strchr(line, ' ');
    if (!blank || blank == line || blank[1] != '/')
        return false;
    const char *query = strchr(blank, '?');
    request->method = g_strndup(line, (size_t)(blank - line));
    request->path = unescaped(blank + 1, query ? (size_t)(query - blank - 1) : strlen(blank + 1));
    if (query)
        take_query(request->connection, query + 1);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (!home)
        make_server();
    struct MHD_Connection connection = {.n_headers = 0};
    struct request request = {.server = &server, .connection = &connection, .who.role = ROLE_COUNT};
    g_autofree char *text = g_strndup((const char *)data, len);
    char *body = strstr(text, "\n\n");
    if (body) {
        *body = '\0';
        body += 2;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", LINES_MOST);
    request.body = g_string_new_len(body ? body : "", body ? (gssize)MIN(strlen(body), BODY_MOST) : 0);
    bool taken = lines[0] && take_first(&request, lines[0]);
    for (size_t i = 1; taken && lines[i]; i++)
        take_header(&connection, lines[i]);
    if (taken) {
        request_begin(&request);
        check(&request);
    }
    cache_forget(server.cache);
    request_done(&request);
    connection_done(&connection);
    return 0;
}
