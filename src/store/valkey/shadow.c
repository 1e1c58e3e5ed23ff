/* A run's shadow: where its records lie, and how they are dropped. docs/shadow.md */
#include "base/hex.h"
#include "store/valkey/valkey_store.h"

#define PREFIX "sluice:shadow:"

struct slice valkey_shadow_key(const struct valkey_store *store, const uint8_t run[16], struct slice server_key,
                               struct arena *mem)
{
    char hex[HEX_TEXT(16)];
    const char *tag = store->cluster ? slot_tag(slot_of(server_key)) : NULL;
    hex_text(run, 16, hex);
    g_autofree char *head = tag ? g_strdup_printf(PREFIX "{%s}:%s:", tag, hex) : g_strdup_printf(PREFIX "%s:", hex);
    size_t len = strlen(head);
    uint8_t *key = arena_alloc(mem, len + server_key.len + 1);
    if (!key)
        return SLICE_EMPTY;
    memcpy(key, head, len);
    if (server_key.len)
        memcpy(key + len, server_key.data, server_key.len);
    return slice_of(key, len + server_key.len);
}

bool valkey_shadow_is_deleted(int64_t expires_at_ms)
{
    return expires_at_ms > VALKEY_SHADOW_DELETED_MS / 2 &&
           expires_at_ms < VALKEY_SHADOW_DELETED_MS + VALKEY_SHADOW_DELETED_MS / 2;
}

void valkey_shadow_image(struct record *io)
{
    if (io->expires_at_ms != EXPIRES_NEVER)
        io->expires_at_ms -= VALKEY_SHADOW_LATER_MS;
    if (io->etag.len)
        io->etag.bytes[0] = 'S';
}

/* --- dropping ----------------------------------------------------------------------------------------------------- */

struct dropping {
    const struct valkey_store *store;
    struct router *router;
    const struct call *call;
    char *run; /* and a colon, as they stand in the keys */
};

static bool is_of(const struct dropping *dropping, struct slice key)
{
    size_t prefix = strlen(PREFIX), run = strlen(dropping->run);
    if (key.len < prefix + run || memcmp(key.data, PREFIX, prefix) != 0)
        return false;
    const uint8_t *at = key.data + prefix;
    size_t left = key.len - prefix;
    const uint8_t *close = *at == '{' ? memchr(at, '}', left) : NULL;
    if (close) { /* the tag and its colon */
        left -= MIN((size_t)(close + 2 - at), left);
        at = close + 2;
    }
    return left >= run && memcmp(at, dropping->run, run) == 0;
}

static bool dropped(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type == REPLY_INTEGER || valkey_refused(reply, "UNLINK of a shadow", error);
}

static bool drop_keys(struct dropping *dropping, const struct list_keys *listed, GError **error)
{
    g_autofree struct command *commands = g_new0(struct command, listed->n + 1);
    g_autofree struct slice *args = g_new(struct slice, 2 * listed->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < listed->n; i++) {
        if (!is_of(dropping, listed->keys[i]))
            continue;
        args[2 * n] = slice_of_text("UNLINK");
        args[2 * n + 1] = listed->keys[i];
        commands[n] = (struct command){.args = args + 2 * n,
                                       .n_args = 2,
                                       .slot = (int32_t)valkey_place_of(dropping->store, listed->keys[i]),
                                       .repeatable = true};
        n++;
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = dropped};
    return n == 0 || router_run(dropping->router, dropping->call, &wish, error);
}

static bool drop_all(struct dropping *dropping, GError **error)
{
    auto_(key_template) every = NULL;
    auto_(list) list = NULL;
    auto_(arena) mem = arena_new((size_t)1 << 30);
    struct list_keys listed = {0};
    struct call call = *dropping->call;
    call.mem = mem;
    if (!key_template_parse(&every, "*", error))
        return false;
    struct list_wish wish = {.template = every, .own = true, .max_keys = 10000};
    if (!list_open(&list, dropping->router, &wish, error))
        return false;
    while (!listed.done) {
        arena_reset(mem);
        if (!list_next(list, &call, &listed, error) || !drop_keys(dropping, &listed, error))
            return false;
    }
    return true;
}

/* What lies in a slot that moves is listed with it: the shadow's keys are there all the time. */
bool valkey_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    char hex[HEX_TEXT(16)];
    g_autofree char *of_run = g_strconcat(hex_text(run, 16, hex), ":", NULL);
    struct dropping dropping = {
        .store = valkey_store_of(session), .router = valkey_session_of(session)->router, .call = call, .run = of_run};
    return drop_all(&dropping, error);
}
