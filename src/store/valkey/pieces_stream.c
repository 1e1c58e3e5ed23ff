/* What a stream has beside its entries, asked of the server by XINFO, in the bytes that dump_stream.c has for it. Times
 * are the server's own. When a consumer was last seen no command can set: it counts in the value as it is held whole,
 * and not in what is told apart in pieces. */
#include "base/int.h"
#include "store/valkey/pieces.h"

enum { MOST_PENDING = 10000, ARGS = 6 };

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static bool put_id_text(GByteArray *into, struct slice text)
{
    const uint8_t *dash = text.len ? memchr(text.data, '-', text.len) : NULL;
    uint64_t ms, seq;
    if (!dash || !int_parse_u64(slice_of(text.data, (size_t)(dash - text.data)), &ms) ||
        !int_parse_u64(slice_of(dash + 1, text.len - (size_t)(dash + 1 - text.data)), &seq))
        return false;
    put_varint(into, ms);
    put_varint(into, seq);
    return true;
}

bool pieces_stream_entry(const struct reply *entry, GByteArray *into)
{
    if (!reply_is_array(entry, 2) || !put_id_text(into, entry->items[0].bytes) || entry->items[1].n % 2 != 0)
        return false;
    const struct reply *fields = &entry->items[1];
    put_varint(into, fields->n / 2);
    for (size_t i = 0; i < fields->n; i++)
        put_prefixed(into, fields->items[i].bytes);
    return true;
}

/* --- XINFO -------------------------------------------------------------------------------------------------------- */

/* The value of a name, in a map or an array of both in turn; NULL: there is none. */
static const struct reply *of_name(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i + 1 < reply->n; i += 2)
        if (slice_equal(reply->items[i].bytes, slice_of_text(name)))
            return &reply->items[i + 1];
    return NULL;
}

static uint64_t number_of(const struct reply *reply, const char *name)
{
    const struct reply *value = of_name(reply, name);
    return value && value->type == REPLY_INTEGER ? (uint64_t)value->integer : UINT64_MAX;
}

static bool put_id_of(GByteArray *into, const struct reply *reply, const char *name)
{
    const struct reply *id = of_name(reply, name);
    return id && put_id_text(into, id->bytes);
}

struct telling {
    const struct pieces_ask *ask;
    GByteArray *told, *whole; /* without and with the times */
    uint64_t n, groups, most; /* entries; the most pending entries of a group */
    bool counted;
};

/* XINFO GROUPS: how many pending entries the full answer would have. */
static bool take_groups(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct telling *telling = self;
    if (reply->type != REPLY_ARRAY)
        return pieces_refused(telling->ask, reply, error);
    uint64_t all = 0;
    telling->groups = reply->n;
    for (size_t k = 0; k < reply->n; k++) {
        uint64_t pending = number_of(&reply->items[k], "pending");
        telling->most = MAX(telling->most, pending);
        all += pending;
    }
    return all <= MOST_PENDING || error_set(error, SLUICE_ERROR_TOO_BIG,
                                            "it is a large stream whose groups have %" G_GUINT64_FORMAT
                                            " pending entries; in pieces at most %d are read",
                                            all, MOST_PENDING);
}

/* A consumer: name, when it was last seen, its pending entries: [id, delivered, how often]. */
static bool put_consumer(const struct reply *consumer, bool whole, GByteArray *into)
{
    const struct reply *name = of_name(consumer, "name"), *pending = of_name(consumer, "pending");
    if (!name || !pending)
        return false;
    put_prefixed(into, name->bytes);
    put_varint(into, whole ? number_of(consumer, "seen-time") : 0);
    put_varint(into, pending->n);
    for (size_t i = 0; i < pending->n; i++) {
        const struct reply *one = &pending->items[i];
        if (!reply_is_array(one, 3) || !put_id_text(into, one->items[0].bytes))
            return false;
        put_varint(into, (uint64_t)one->items[1].integer);
        put_varint(into, (uint64_t)one->items[2].integer);
    }
    return true;
}

static bool put_group(const struct reply *group, bool whole, GByteArray *into)
{
    const struct reply *name = of_name(group, "name"), *consumers = of_name(group, "consumers");
    if (!name || !consumers)
        return false;
    put_prefixed(into, name->bytes);
    if (!put_id_of(into, group, "last-delivered-id"))
        return false;
    put_varint(into, number_of(group, "entries-read"));
    put_varint(into, consumers->n);
    for (size_t i = 0; i < consumers->n; i++)
        if (!put_consumer(&consumers->items[i], whole, into))
            return false;
    return true;
}

static bool put_tail(const struct reply *reply, bool whole, GByteArray *into)
{
    const struct reply *groups = of_name(reply, "groups");
    g_byte_array_set_size(into, 0);
    if (!groups || !put_id_of(into, reply, "last-generated-id") || !put_id_of(into, reply, "max-deleted-entry-id"))
        return false;
    put_varint(into, number_of(reply, "entries-added"));
    put_varint(into, groups->n);
    for (size_t k = 0; k < groups->n; k++)
        if (!put_group(&groups->items[k], whole, into))
            return false;
    return true;
}

/* XINFO STREAM FULL. */
static bool take_full(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct telling *telling = self;
    telling->n = number_of(reply, "length");
    if (telling->n == UINT64_MAX || !put_tail(reply, false, telling->told) || !put_tail(reply, true, telling->whole))
        return pieces_refused(telling->ask, reply, error);
    telling->counted = of_name(reply, "groups")->n == telling->groups;
    return true;
}

static bool ask_one(const struct telling *telling, const struct slice *args, size_t n,
                    bool (*answer)(void *, size_t, const struct reply *, GError **), GError **error)
{
    struct pieces_command command = {.args = args, .n = n};
    struct pieces_ask ask = *telling->ask;
    ask.answer = answer;
    ask.self = (void *)(uintptr_t)telling;
    return pieces_ask(&ask, &command, 1, error);
}

bool pieces_stream_tail(const struct pieces_ask *ask, struct slice key, struct arena *mem, struct pieces_head *ret,
                        GError **error)
{
    g_autoptr(GByteArray) told = g_byte_array_new();
    g_autoptr(GByteArray) whole = g_byte_array_new();
    struct telling telling = {.ask = ask, .told = told, .whole = whole};
    const struct slice groups[] = {slice_of_text("XINFO"), slice_of_text("GROUPS"), key};
    if (!ask_one(&telling, groups, G_N_ELEMENTS(groups), take_groups, error))
        return false;
    /* Of a hundred more, so that what is added meanwhile shows: the answers then differ. */
    g_autofree char *count = g_strdup_printf("%" G_GUINT64_FORMAT, telling.most + 100);
    const struct slice full[] = {slice_of_text("XINFO"), slice_of_text("STREAM"), key,
                                 slice_of_text("FULL"),  slice_of_text("COUNT"),  slice_of_text(count)};
    if (!ask_one(&telling, full, G_N_ELEMENTS(full), take_full, error))
        return false;
    if (!telling.counted)
        return error_set(error, SLUICE_ERROR_BUSY, "the groups of a stream are being changed");
    ret->n = telling.n;
    return (arena_copy(mem, slice_of(told->data, told->len), &ret->tail) &&
            arena_copy(mem, slice_of(whole->data, whole->len), &ret->whole_tail)) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "its groups do not fit into memory");
}
