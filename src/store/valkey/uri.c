#include "store/valkey/uri.h"

#include "base/int.h"
#include "base/nearest.h"
#include "base/units.h"

enum { PORT = 6379, SENTINEL_PORT = 26379, TIMEOUT_MS = 5000, FAILOVER_MS = 30000, DB_MOST = INT32_MAX };

static const struct {
    const char *name;
    bool tls;
} SCHEMES[] = {{"valkey", false}, {"redis", false}, {"valkeys", true}, {"rediss", true}};

/* Where a URI is being read. */
struct parsing {
    struct valkey_uri *uri;
    const char *base_dir;
    uint16_t port; /* where none is given */
};

/* --- pieces ------------------------------------------------------------------------------------------------------- */

/* Never the text itself where it may be, or may hold, a secret. */
static bool bad(GError **error, const char *what, const char *why)
{
    return error_set(error, SLUICE_ERROR_USAGE, "the store's URI: %s: %s", what, why);
}

/* Percent-decoded. Neither control characters nor bad UTF-8 can be meant. */
static bool decode(const char *text, size_t len, const char *what, char **ret, GError **error)
{
    g_autofree char *decoded = g_uri_unescape_segment(text, text + len, NULL);
    if (!decoded || !g_utf8_validate(decoded, -1, NULL))
        return bad(error, what, "a '%' begins the two hex digits of a byte other than 0; '%25' is the sign itself");
    for (const char *at = decoded; *at; at++)
        if (g_ascii_iscntrl(*at))
            return bad(error, what, "has a control character");
    *ret = g_steal_pointer(&decoded);
    return true;
}

static bool parse_port(const char *text, size_t len, uint16_t *ret, GError **error)
{
    uint64_t port;
    if (!int_parse_u64(slice_of(text, len), &port) || port == 0 || port > UINT16_MAX)
        return bad(error, "a port", "expected a number from 1 to 65535");
    *ret = (uint16_t)port;
    return true;
}

/* --- hosts -------------------------------------------------------------------------------------------------------- */

/* `host`, `host:port`, `[::1]`, `[::1]:port`. */
static bool parse_host(const struct parsing *parsing, const char *text, size_t len, GArray *into, GError **error)
{
    bool bracketed = len > 0 && text[0] == '[';
    const char *end = text + len, *close = bracketed ? memchr(text, ']', len) : NULL;
    const char *name = text + bracketed, *behind = bracketed ? close : memchr(text, ':', len);
    struct valkey_host host = {.port = parsing->port};
    if (bracketed && !close)
        return bad(error, "a host", "a '[' without its ']'");
    if (!behind)
        behind = end;
    const char *colon = behind + bracketed;
    if (behind == name)
        return bad(error, "a host", "expected a name or an address before the port");
    if (colon < end && (*colon != ':' || !parse_port(colon + 1, (size_t)(end - colon - 1), &host.port, error)))
        return error && *error ? false : bad(error, "a host", "expected ':' and a port behind the ']'");
    if (!decode(name, (size_t)(behind - name), "a host", &host.host, error))
        return false;
    g_array_append_val(into, host);
    return true;
}

static bool parse_hosts(const struct parsing *parsing, const char *text, size_t len, GError **error)
{
    g_autoptr(GArray) hosts = g_array_new(FALSE, FALSE, sizeof(struct valkey_host));
    const char *end = text + len;
    bool parsed = true;
    for (bool more = true; parsed && more;) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        parsed = parse_host(parsing, text, (size_t)((comma ? comma : end) - text), hosts, error);
        more = comma != NULL;
        text = comma ? comma + 1 : end;
    }
    parsing->uri->n_hosts = hosts->len;
    parsing->uri->hosts = (struct valkey_host *)(void *)g_array_free(g_steal_pointer(&hosts), FALSE);
    return parsed;
}

/* --- who ---------------------------------------------------------------------------------------------------------- */

/* `user:password`, `:password`. */
static bool parse_who(struct valkey_uri *uri, const char *text, size_t len, GError **error)
{
    const char *colon = memchr(text, ':', len);
    size_t user_len = colon ? (size_t)(colon - text) : 0;
    if (!colon || user_len + 1 == len)
        return bad(error, "user and password", "expected 'user:password@' or ':password@'");
    return (user_len == 0 || decode(text, user_len, "the user", &uri->user, error)) &&
           decode(colon + 1, len - user_len - 1, "the password", &uri->password, error);
}

/* --- options ------------------------------------------------------------------------------------------------------ */

/* Of struct net_tls, whose texts the URI owns. */
static bool take_file(const struct parsing *parsing, const char **into, const char *value)
{
    *into = g_canonicalize_filename(value, parsing->base_dir);
    return true;
}

static bool take_sentinel(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->sentinel = g_strdup(value);
    return true;
}

static bool take_sentinel_user(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->sentinel_user = g_strdup(value);
    return true;
}

static bool take_sentinel_password(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->sentinel_password = g_strdup(value);
    return true;
}

/* A directory of CAs ends in a slash. */
static bool take_ca(struct parsing *parsing, const char *value, GError **error)
{
    struct net_tls *tls = &parsing->uri->tls_files;
    return take_file(parsing, g_str_has_suffix(value, "/") ? &tls->ca_dir : &tls->ca_file, value);
}

static bool take_cert(struct parsing *parsing, const char *value, GError **error)
{
    return take_file(parsing, &parsing->uri->tls_files.cert_file, value);
}

static bool take_key(struct parsing *parsing, const char *value, GError **error)
{
    return take_file(parsing, &parsing->uri->tls_files.key_file, value);
}

static bool take_server_name(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->tls_files.server_name = g_strdup(value);
    return true;
}

static bool take_insecure(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->tls_files.insecure = g_str_equal(value, "1");
    return g_str_equal(value, "1") || g_str_equal(value, "0") || bad(error, "insecure", "expected 0 or 1");
}

static bool take_duration(const char *name, const char *value, int64_t *ret_ms, GError **error)
{
    int64_t ms;
    if (!units_parse_duration_ms(value, &ms, NULL) || ms < 1 || ms > INT64_C(3600) * 1000)
        return bad(error, name, "expected a duration from 1ms to 1h, such as 500ms or 5s");
    *ret_ms = ms;
    return true;
}

static bool take_timeout(struct parsing *parsing, const char *value, GError **error)
{
    return take_duration("timeout", value, &parsing->uri->timeout_ms, error);
}

static bool take_failover(struct parsing *parsing, const char *value, GError **error)
{
    return take_duration("failover", value, &parsing->uri->failover_ms, error);
}

static bool take_protocol(struct parsing *parsing, const char *value, GError **error)
{
    parsing->uri->protocol = g_str_equal(value, "2") ? 2 : 3;
    return g_str_equal(value, "2") || g_str_equal(value, "3") || bad(error, "protocol", "expected 2 or 3");
}

static const struct option {
    const char *name;
    bool (*take)(struct parsing *parsing, const char *value, GError **error);
    bool tls; /* means something with TLS only */
} OPTIONS[] = {
#define ROW(name, value, take, tls, words) {name, take, tls},
#include "store/valkey/uri_rows.h"
#undef ROW
};

static bool unknown_option(const char *name, GError **error)
{
    const char *names[G_N_ELEMENTS(OPTIONS)];
    for (size_t i = 0; i < G_N_ELEMENTS(OPTIONS); i++)
        names[i] = OPTIONS[i].name;
    const char *near = nearest_word(name, names, G_N_ELEMENTS(names));
    return error_set(error, SLUICE_ERROR_USAGE, "the store's URI: unknown option '%s'%s%s%s", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool take_option(struct parsing *parsing, const char *name, const char *value, uint32_t *taken, GError **error)
{
    size_t i = 0;
    while (i < G_N_ELEMENTS(OPTIONS) && !g_str_equal(OPTIONS[i].name, name))
        i++;
    if (i == G_N_ELEMENTS(OPTIONS))
        return unknown_option(name, error);
    if (*taken & UINT32_C(1) << i)
        return bad(error, name, "is given twice");
    if (OPTIONS[i].tls && !parsing->uri->tls)
        return bad(error, name, "means something with TLS only: valkeys:// or rediss://");
    if (!*value)
        return bad(error, name, "is empty");
    *taken |= UINT32_C(1) << i;
    return OPTIONS[i].take(parsing, value, error);
}

static bool parse_option(struct parsing *parsing, const char *text, uint32_t *taken, GError **error)
{
    const char *equals = strchr(text, '=');
    g_autofree char *name = NULL, *value = NULL;
    if (!equals)
        return bad(error, "an option", "expected name=value");
    return decode(text, (size_t)(equals - text), "the name of an option", &name, error) &&
           decode(equals + 1, strlen(equals + 1), name, &value, error) &&
           take_option(parsing, name, value, taken, error);
}

static bool parse_options(struct parsing *parsing, const char *text, GError **error)
{
    const struct valkey_uri *uri = parsing->uri;
    g_auto(GStrv) options = g_strsplit(text, "&", -1);
    uint32_t taken = 0;
    for (size_t i = 0; options[i]; i++)
        if (!parse_option(parsing, options[i], &taken, error))
            return false;
    if ((uri->sentinel_user || uri->sentinel_password) && !uri->sentinel)
        return bad(error, "sentinel_user, sentinel_password", "there is no sentinel=NAME for them");
    if (uri->sentinel_user && !uri->sentinel_password)
        return bad(error, "sentinel_user", "there is no sentinel_password for it");
    if (uri->tls_files.key_file && !uri->tls_files.cert_file)
        return bad(error, "key", "there is no cert=FILE for it");
    return true;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static const char *after_scheme(struct valkey_uri *uri, const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SCHEMES); i++) {
        size_t len = strlen(SCHEMES[i].name);
        uri->tls = SCHEMES[i].tls;
        if (g_ascii_strncasecmp(text, SCHEMES[i].name, len) == 0 && g_str_has_prefix(text + len, "://"))
            return text + len + 3;
    }
    return NULL;
}

static bool parse_db(struct valkey_uri *uri, const char *text, size_t len, GError **error)
{
    uint64_t db = 0;
    if (len > 0 && (!int_parse_u64(slice_of(text, len), &db) || db > DB_MOST))
        return bad(error, "behind the '/'", "expected the number of a database");
    uri->db = (uint32_t)db;
    return true;
}

/* A sign that is not encoded in a password would end it early, and what follows would be taken for a host. */
static bool parse_text(struct parsing *parsing, const char *text, GError **error)
{
    size_t len = strcspn(text, "/?#");
    const char *rest = text + len, *at = memrchr(text, '@', len);
    if (strchr(rest, '@') && !at)
        return bad(error, "user and password", "write '/' as %2F, '?' as %3F, '#' as %23 and '@' as %40 in them");
    if (strchr(rest, '#'))
        return bad(error, "'#'", "there are no fragments; write '#' as %23");
    size_t db_len = *rest == '/' ? strcspn(rest + 1, "?") : 0;
    const char *query = *rest == '/' ? rest + 1 + db_len : rest;
    if (!parse_db(parsing->uri, rest + 1, db_len, error) || !parse_options(parsing, *query ? query + 1 : "", error))
        return false;
    parsing->port = parsing->uri->sentinel ? SENTINEL_PORT : PORT;
    const char *hosts = at ? at + 1 : text;
    return (!at || parse_who(parsing->uri, text, (size_t)(at - text), error)) &&
           parse_hosts(parsing, hosts, (size_t)(rest - hosts), error);
}

bool valkey_uri_parse(struct valkey_uri **ret, const char *uri, const char *base_dir, GError **error)
{
    auto_(valkey_uri) made = g_new0(struct valkey_uri, 1);
    struct parsing parsing = {.uri = made, .base_dir = base_dir};
    const char *text = after_scheme(made, uri);
    made->timeout_ms = TIMEOUT_MS;
    made->failover_ms = FAILOVER_MS;
    made->client_name = g_strdup("sluice");
    if (!text)
        return bad(error, "its beginning", "expected valkey://, redis://, valkeys:// or rediss://");
    if (!parse_text(&parsing, text, error))
        return false;
    *ret = g_steal_pointer(&made);
    return true;
}

static void free_secret(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}

void valkey_uri_free(struct valkey_uri *uri)
{
    if (!uri)
        return;
    const struct net_tls *tls = &uri->tls_files;
    const char *const files[] = {tls->ca_file, tls->ca_dir, tls->cert_file, tls->key_file, tls->server_name};
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        g_free((char *)(uintptr_t)files[i]);
    for (size_t i = 0; i < uri->n_hosts; i++)
        g_free(uri->hosts[i].host);
    g_free(uri->hosts);
    g_free(uri->user);
    free_secret(uri->password);
    g_free(uri->sentinel);
    g_free(uri->sentinel_user);
    free_secret(uri->sentinel_password);
    g_free(uri->client_name);
    g_free(uri);
}

static char *host_place(const struct valkey_host *host, uint16_t port)
{
    g_autofree char *name = g_ascii_strdown(host->host, -1);
    bool address = strchr(name, ':') != NULL;
    g_autofree char *number = host->port == port ? g_strdup("") : g_strdup_printf(":%u", host->port);
    g_autofree char *escaped = g_uri_escape_string(name, address ? ":" : NULL, FALSE);
    return g_strdup_printf("%s%s%s%s", address ? "[" : "", escaped, address ? "]" : "", number);
}

static int compare_texts(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void put_hosts(GString *into, const struct valkey_uri *uri)
{
    g_autoptr(GPtrArray) places = g_ptr_array_new_with_free_func(g_free);
    for (size_t i = 0; i < uri->n_hosts; i++)
        g_ptr_array_add(places, host_place(&uri->hosts[i], uri->sentinel ? SENTINEL_PORT : PORT));
    g_ptr_array_sort(places, compare_texts);
    for (guint i = 0; i < places->len; i++)
        if (i == 0 || strcmp(places->pdata[i], places->pdata[i - 1]) != 0)
            g_string_append_printf(into, "%s%s", i ? "," : "", (const char *)places->pdata[i]);
}

char *valkey_uri_place(const struct valkey_uri *uri)
{
    GString *place = g_string_new("valkey://");
    put_hosts(place, uri);
    if (uri->db)
        g_string_append_printf(place, "/%u", uri->db);
    if (uri->sentinel) {
        g_string_append(place, "?sentinel=");
        g_string_append_uri_escaped(place, uri->sentinel, NULL, FALSE);
    }
    return g_string_free(place, FALSE);
}
