/* Who asks: by header, by cookie, or nobody. */
#include <string.h>

#include "serve/server.h"
#include "view/shape.h"

#define COOKIE        "sluice_session"
#define COOKIE_S      (12 * 3600)
#define TOKEN_LONGEST 200

/* --- who ---------------------------------------------------------------------------------------------------------- */

/* `localhost:8080`, `[::1]`, `127.0.0.1`: a name that stands for this machine and for no other. A page of somebody
 * else's, whose name was made to lead here, has its own name in there. */
static bool is_local_name(const char *host)
{
    if (!host)
        return false;
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    g_autofree char *name = g_strndup(host, len);
    if (strlen(host) > len && host[len] != ':')
        return false;
    return g_ascii_strcasecmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (g_str_has_prefix(name, "127.") && g_hostname_is_ip_address(name));
}

/* The token that is shown; NULL: none. */
static const char *shown(const struct request *request, bool *ret_header)
{
    const char *header = request_header(request, "Authorization");
    *ret_header = header != NULL;
    if (header)
        return g_ascii_strncasecmp(header, "Bearer ", 7) == 0 ? header + 7 : "";
    return MHD_lookup_connection_value(request->connection, MHD_COOKIE_KIND, COOKIE);
}

void session_who(struct request *request)
{
    const struct server *server = request->server;
    struct who *who = &request->who;
    *who = (struct who){.role = ROLE_COUNT};
    const char *token = shown(request, &who->by_header);
    who->shown = token != NULL;
    if (token && *token && strlen(token) <= TOKEN_LONGEST)
        tokens_look(server->tokens, token, who);
    else if (!token && certificate_look(request, who))
        who->shown = who->by_certificate = true;
    else if (!token && is_local_name(request_header(request, "Host")))
        who->role = server->anonymous;
}

/* --- other pages of the same browser ------------------------------------------------------------------------------ */

/* `http://HOST:PORT`, whatever the scheme: behind another server's TLS it is not ours. */
static bool is_same_origin(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");
    return at && host && strcmp(at + 3, host) == 0;
}

bool session_is_own(const struct request *request, const char **ret)
{
    const char *origin = request_header(request, "Origin"), *site = request_header(request, "Sec-Fetch-Site");
    *ret = NULL;
    if (origin && !is_same_origin(origin, request_header(request, "Host")))
        *ret = "it comes from a page of another origin";
    else if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
        *ret = "it comes from a page of another site";
    else if (!request->who.by_header && g_strcmp0(request_header(request, "Sluice-Request"), "1") != 0)
        *ret = "without Authorization it must have the header Sluice-Request: 1";
    return *ret == NULL;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static json_t *rights_json(const struct who *who)
{
    json_t *list = json_array();
    for (int i = RIGHT_OPEN + 1; i < RIGHT_COUNT; i++)
        if (who_may(who, (enum right)i))
            json_array_append_new(list, json_string(right_word((enum right)i)));
    return list;
}

bool serve_session(struct request *request, struct desk *desk, GError **error)
{
    const struct server *server = request->server;
    const struct who *who = &request->who;
    bool knows = who->role != ROLE_COUNT;
    g_autofree char *home = g_canonicalize_filename(server->config.home, NULL);
    const char *name = who->token ? who->name : knows ? server->config.person->user : NULL;
    answer_json(&request->answer,
                json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:s, s:o}", "type", "session", "name",
                          shape_text(name), "role", shape_text(knows ? role_word(who->role) : NULL), "may",
                          rights_json(who), "anonymous", who->token == 0, "expires_at",
                          who->expires_ms ? shape_time(who->expires_ms) : json_null(), "only", shape_text(who->only),
                          "home", shape_text(who_may(who, RIGHT_READ) ? home : NULL), "version", SLUICE_VERSION, "now",
                          shape_time(world_wall_ms(server->config.world))));
    return true;
}

static char *cookie_of(const struct server *server, const char *token, int seconds)
{
    return g_strdup_printf(COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%d%s", token, seconds,
                           server->tls ? "; Secure" : "");
}

bool serve_session_open(struct request *request, struct desk *desk, GError **error)
{
    const char *token = json_string_value(json_object_get(request->json, "token"));
    who_done(&request->who);
    request->who.shown = true;
    if (token && strlen(token) <= TOKEN_LONGEST)
        tokens_look(request->server->tokens, token, &request->who);
    if (!request->who.token) {
        struct refusal refusal = {.what = request->route->request, .why = "the token does not stand"};
        refusals_add(request->server->refusals, &refusal);
        answer_fault(&request->answer, &(struct answer_fault){401, 7, "unauthenticated",
                                                              "the token is not known, has expired or was revoked"});
        return true;
    }
    request->answer.cookie = cookie_of(request->server, token, COOKIE_S);
    return serve_session(request, desk, error);
}

bool serve_session_end(struct request *request, struct desk *desk, GError **error)
{
    request->answer.cookie = cookie_of(request->server, "", 0);
    answer_json(&request->answer, json_pack("{s:s}", "type", "session-end"));
    return true;
}
