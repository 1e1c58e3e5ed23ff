/* The table of routes, and what is made of it. */
#include <string.h>

#include "serve/acts.h"

static const struct route ROUTES[] = {
#define ROUTE(request, right, how, query, call, words) {request, RIGHT_##right, HOW_##how, query, serve_##call, words},
#include "serve/route_rows.h"
#undef ROUTE
};

/* --- finding ------------------------------------------------------------------------------------------------------ */

static const char *path_of(const struct route *route)
{
    return strchr(route->request, ' ') + 1;
}

static size_t method_len(const struct route *route)
{
    return (size_t)(strchr(route->request, ' ') - route->request);
}

static bool is_method(const struct route *route, const char *method)
{
    const char *asked = strcmp(method, "HEAD") == 0 ? "GET" : method;
    return strlen(asked) == method_len(route) && strncmp(route->request, asked, method_len(route)) == 0;
}

/* Piece by piece; what stands for {…} is not empty. */
static bool is_path(const struct route *route, char *const *pieces, const char **ret_names)
{
    g_auto(GStrv) template = g_strsplit(path_of(route), "/", -1);
    size_t i = 0, names = 0;
    for (; template[i] && pieces[i]; i++) {
        if (*template[i] == '{' && *pieces[i])
            ret_names[names++] = pieces[i];
        else if (strcmp(template[i], pieces[i]) != 0)
            return false;
    }
    return !template[i] && !pieces[i];
}

static void allow(struct route_found *io, const struct route *route)
{
    g_autofree char *method = g_strndup(route->request, method_len(route));
    char *all = g_strjoin(io->allow ? ", " : "", io->allow ? io->allow : "", method,
                          strcmp(method, "GET") == 0 ? ", HEAD" : "", NULL);
    g_free(io->allow);
    io->allow = all;
}

struct route_found route_find(const char *method, const char *path)
{
    g_auto(GStrv) pieces = g_strsplit(path, "/", -1);
    struct route_found found = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(ROUTES) && !found.route; i++) {
        const char *names[ROUTE_NAMES] = {0};
        if (!is_path(&ROUTES[i], pieces, names))
            continue;
        if (!is_method(&ROUTES[i], method)) {
            allow(&found, &ROUTES[i]);
            continue;
        }
        found.route = &ROUTES[i];
        for (size_t k = 0; k < ROUTE_NAMES; k++)
            found.names[k] = g_strdup(names[k]);
    }
    return found;
}

/* --- OpenAPI ------------------------------------------------------------------------------------------------------ */

static json_t *parameter(const char *name, const char *in)
{
    return json_pack("{s:s, s:s, s:b, s:{s:s}}", "name", name, "in", in, "required", strcmp(in, "path") == 0, "schema",
                     "type", "string");
}

static json_t *parameters(const struct route *route)
{
    json_t *list = json_array();
    g_auto(GStrv) pieces = g_strsplit(path_of(route), "/", -1), query = g_strsplit(route->query, " ", -1);
    for (size_t i = 0; pieces[i]; i++)
        if (*pieces[i] == '{') {
            g_autofree char *name = g_strndup(pieces[i] + 1, strlen(pieces[i]) - 2);
            json_array_append_new(list, parameter(name, "path"));
        }
    for (size_t i = 0; query[i]; i++)
        if (*query[i])
            json_array_append_new(list, parameter(query[i], "query"));
    if (route->how == HOW_ACT)
        json_array_append_new(list, parameter("Idempotency-Key", "header"));
    return list;
}

static const char RESPONSES[] =
    "{\"default\":{\"description\":\"an error\",\"content\":{\"application/json\":{\"schema\":"
    "{\"$ref\":\"#/components/schemas/Error\"}}}}}";

static const char COMPONENTS[] =
    "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\"},"
    "\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"sluice_session\"}},"
    "\"schemas\":{\"Error\":{\"type\":\"object\",\"required\":[\"type\",\"error\",\"exit\",\"message\"],"
    "\"properties\":{\"type\":{\"const\":\"error\"},\"error\":{\"type\":\"string\"},"
    "\"exit\":{\"type\":\"integer\"},\"message\":{\"type\":\"string\"}}}}}";

/* What is not JSON. */
static const char *type_of(const struct route *route)
{
    static const struct {
        const char *end, *type;
    } OTHERS[] = {{"/healthz", "text/plain"},       {"/metrics", "text/plain"},
                  {"/alerts", "application/yaml"},  {"/runbook", "text/markdown"},
                  {"/bundle", "application/x-tar"}, {"/reports/{number}", "application/x-ndjson"},
                  {"/events", "text/event-stream"}};
    for (size_t i = 0; i < G_N_ELEMENTS(OTHERS); i++)
        if (g_str_has_suffix(route->request, OTHERS[i].end))
            return OTHERS[i].type;
    return "application/json";
}

static json_t *responses(const struct route *route)
{
    json_t *all = json_loads(RESPONSES, 0, NULL);
    const char *type = type_of(route);
    json_object_set_new(all, "200",
                        json_pack("{s:s, s:{s:{}}}", "description", "as docs/api.md says", "content", type));
    return all;
}

static json_t *operation(const struct route *route)
{
    json_t *op = json_pack("{s:s, s:o, s:s, s:o}", "summary", route->words, "parameters", parameters(route), "x-right",
                           right_word(route->right), "responses", responses(route));
    if (route->how == HOW_ACT)
        json_object_set_new(op, "requestBody",
                            json_pack("{s:b, s:{s:{s:o}}}", "required", true, "content", "application/json", "schema",
                                      act_schema(route)));
    if (route->right != RIGHT_OPEN)
        json_object_set_new(op, "security", json_pack("[{s:[]}, {s:[]}]", "token", "session"));
    return op;
}

json_t *route_openapi(void)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < G_N_ELEMENTS(ROUTES); i++) {
        g_autofree char *upper = g_strndup(ROUTES[i].request, method_len(&ROUTES[i]));
        g_autofree char *method = g_ascii_strdown(upper, -1);
        json_t *path = json_object_get(paths, path_of(&ROUTES[i]));
        if (!path) {
            path = json_object();
            json_object_set_new(paths, path_of(&ROUTES[i]), path);
        }
        json_object_set_new(path, method, operation(&ROUTES[i]));
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o, s:o}", "openapi", "3.1.0", "info", "title", "sluice", "version",
                     SLUICE_VERSION, "paths", paths, "components", json_loads(COMPONENTS, 0, NULL));
}
