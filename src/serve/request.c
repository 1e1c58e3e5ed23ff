/* A request, from its first line to its answer. */
#include "serve/server.h"

#include <string.h>

#include "base/int.h"
#include "serve/unpacked.h"
#include "serve/web.h"

/* --- what it says ------------------------------------------------------------------------------------------------- */

const char *request_query(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool request_number(const struct request *request, const struct number_wish *wish, uint64_t *ret, GError **error)
{
    const char *text = request_query(request, wish->name);
    *ret = wish->fallback;
    if (!text)
        return true;
    if (!int_parse_u64(slice_of_text(text), ret))
        return error_set(error, SLUICE_ERROR_USAGE, "%s=%s: a number was expected", wish->name, text);
    *ret = MIN(*ret, wish->most);
    return true;
}

bool request_find(const struct request *request, struct desk *desk, const char *name, struct run_row *ret,
                  GError **error)
{
    g_autoptr(GError) failed = NULL;
    bool found = catalog_run_get(desk->catalog, name, desk->mem, ret, &failed);
    if (found && who_sees(&request->who, ret->spec_name))
        return true;
    if (!found && (!error_is(failed, SLUICE_ERROR_NOT_FOUND) || !request->who.only)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no run %s", name); /* and no other one is named */
}

bool request_run(const struct request *request, struct desk *desk, struct run_row *ret, GError **error)
{
    return request_find(request, desk, request->names[0], ret, error);
}

char *request_actor(const struct request *request)
{
    return request->who.token ? who_actor(&request->who) : g_strdup(request->server->config.actor);
}

/* --- what is asked of it ------------------------------------------------------------------------------------------ */

static bool fault(struct request *request, unsigned status, int exit_status, const char *name, const char *message)
{
    answer_fault(&request->answer, &(struct answer_fault){status, exit_status, name, message});
    return false;
}

/* Of whatever would have changed something, into the ledger. */
static void note_refusal(struct request *request, const char *why)
{
    const struct who *who = &request->who;
    g_autofree char *name = who->name ? who_actor(who) : NULL;
    struct refusal refusal = {.name = name, .what = request->route->request, .run = request->names[0], .why = why};
    if (request->route->how == HOW_ACT)
        refusals_add(request->server->refusals, &refusal);
}

static bool changes(const struct request *request)
{
    return strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;
}

static const char *why_nobodys(struct server *server)
{
    return server->revoked && !revoked_stands(server->revoked)
               ? "the list of --tls-crl cannot be read, is not signed, or has expired: no certificate is taken before "
                 "there "
                 "is another"
               : "the certificate is nobody's: not of --tls-ca, expired, revoked, or no token names it";
}

static bool may(struct request *request)
{
    const struct route *route = request->route;
    const char *why;
    if (changes(request) && !session_is_own(request, &why)) {
        note_refusal(request, why);
        return fault(request, 403, 7, "not-permitted", why);
    }
    if (who_may(&request->who, route->right))
        return true;
    bool known = request->who.token != 0;
    g_autofree char *needs = g_strdup_printf("this needs the right to %s; `sluice token create` gives tokens%s",
                                             right_word(route->right), known ? ", and this one has another role" : "");
    note_refusal(request, known ? needs : "the token does not stand");
    return known ? fault(request, 403, 7, "not-permitted", needs)
                 : fault(request, 401, 7, "unauthenticated",
                         request->who.by_certificate ? why_nobodys(request->server)
                         : request->who.shown        ? "the token is not known, has expired or was revoked"
                                                     : needs);
}

static bool has_json_type(const struct request *request)
{
    const char *type = request_header(request, "Content-Type");
    size_t len = type ? strcspn(type, "; ") : 0;
    return type && len == strlen("application/json") && g_ascii_strncasecmp(type, "application/json", len) == 0;
}

static bool read_body(struct request *request)
{
    json_error_t wrong;
    if (!changes(request) || strcmp(request->method, "DELETE") == 0)
        return true;
    if (!has_json_type(request))
        return fault(request, 415, 2, "usage", "Content-Type: application/json was expected");
    request->json = json_loadb(request->body->str, request->body->len, JSON_REJECT_DUPLICATES, &wrong);
    if (json_is_object(request->json))
        return true;
    g_autofree char *message = request->json
                                   ? g_strdup("the body: a JSON object was expected")
                                   : g_strdup_printf("the body:%d:%d: %s", wrong.line, wrong.column, wrong.text);
    return fault(request, 400, 2, "usage", message);
}

struct asked {
    struct request *request;
    const char *unknown;
};

static enum MHD_Result ask(void *self, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct asked *asked = self;
    g_auto(GStrv) known = g_strsplit(asked->request->route->query, " ", -1);
    if (!*name || !g_strv_contains((const char *const *)known, name))
        asked->unknown = name;
    return MHD_YES;
}

static bool read_query(struct request *request)
{
    struct asked asked = {.request = request};
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, ask, &asked);
    if (!asked.unknown)
        return true;
    g_autofree char *message =
        g_strdup_printf("the address: unknown parameter '%s'; %s%s", asked.unknown,
                        *request->route->query ? "there are: " : "there is none here", request->route->query);
    return fault(request, 400, 2, "usage", message);
}

/* --- where it goes ------------------------------------------------------------------------------------------------ */

/* Packed once for all browsers, and anew for whom that is nothing: a health check, or curl by hand. */
static void take_file(struct request *request, const struct web_file *file)
{
    struct answer *answer = &request->answer;
    bool packed = unpacked_takes_gzip(request_header(request, "Accept-Encoding"));
    answer->status = 200;
    answer->type = file->type;
    answer->body = packed ? NULL : unpacked_of(file->bytes, file->n);
    if (answer->body)
        return;
    answer->encoding = "gzip";
    answer->body = g_bytes_new_static(file->bytes, file->n);
}

static bool take_page(struct request *request)
{
    const char *path = request->path;
    if (changes(request))
        return false;
    for (size_t i = 0; i < n_web_files; i++)
        if (strcmp(web_files[i].path, path) == 0) {
            take_file(request, &web_files[i]);
            return true;
        }
    if (strcmp(path, "/") != 0)
        return false;
    answer_text(&request->answer, "sluice " SLUICE_VERSION ": this build has no page. The interface is at /api/v1, and "
                                  "/api/v1/openapi.json describes it.\n");
    return true;
}

static bool find_route(struct request *request)
{
    struct route_found found = route_find(request->method, request->path);
    request->route = found.route;
    memcpy(request->names, found.names, sizeof request->names);
    if (found.route) {
        g_free(found.allow);
        return true;
    }
    if (!found.allow)
        return fault(request, 404, 9, "not-found",
                     "there is nothing at this address; /api/v1/openapi.json lists what is");
    request->answer.allow = g_intern_string(found.allow);
    g_free(found.allow);
    return fault(request, 405, 2, "usage", "this address does not take this method");
}

static void add_query(const char *name, const char *value, GString *into)
{
    g_autofree char *one = g_uri_escape_string(name, NULL, FALSE);
    g_autofree char *other = g_uri_escape_string(value ? value : "", NULL, FALSE);
    g_string_append_printf(into, "&%s=%s", one, other);
}

/* Whoever sees the same gets the same. */
static char *cache_key(const struct request *request)
{
    GString *key = g_string_new(request->path);
    g_auto(GStrv) names = g_strsplit(request->route->query, " ", -1);
    for (size_t i = 0; names[i]; i++)
        if (request_query(request, names[i]))
            add_query(names[i], request_query(request, names[i]), key);
    g_string_append_printf(key, "\n%s", request->who.only ? request->who.only : "*");
    return g_string_free(key, FALSE);
}

/* It is suspended before it is given: whoever answers may be faster than we are. */
static void give(struct request *request, struct hands *hands)
{
    MHD_suspend_connection(request->connection);
    if (hands_give(hands, request))
        return;
    fault(request, 503, 6, "busy", "too many requests wait; try again");
    MHD_resume_connection(request->connection);
}

static void go(struct request *request)
{
    struct server *server = request->server;
    GError *error = NULL;
    switch (request->route->how) {
    case HOW_HERE:
        if (!request->route->call(request, NULL, &error))
            answer_error(&request->answer, error);
        return;
    case HOW_KEPT:
        request->cache_key = cache_key(request);
        if (!cache_get(server->cache, request->cache_key, &request->answer))
            give(request, server->reads);
        return;
    case HOW_STREAM:
    case HOW_READ:
        give(request, server->reads);
        return;
    case HOW_ACT:
        give(request, server->acts);
        return;
    }
}

void request_begin(struct request *request)
{
    if (take_page(request) || !find_route(request))
        return;
    session_who(request);
    if (may(request) && read_query(request) && read_body(request))
        go(request);
}
