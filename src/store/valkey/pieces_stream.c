/* What a stream has beside its entries, in the bytes that dump_stream.c has for it: asked of the server by XINFO, and
 * what is pending by pages of XPENDING. Times are the server's own. When a consumer was last seen counts in the value
 * as it is held whole, and not in what is told apart in pieces: only RESTORE can set it. */
#include "base/int.h"
#include "store/valkey/pieces.h"

enum { PAGE = 200, PAGE_TRIES = 50 };

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

/* --- what is told ------------------------------------------------------------------------------------------------- */

struct consumer {
    GBytes *name;
    uint64_t seen_ms, said, n; /* said: how many it has pending, by XINFO; n: how many were read */
    GByteArray *pending;
};

struct group {
    GBytes *name;
    GByteArray *last; /* id */
    uint64_t read, said, n;
    GArray *consumers; /* of struct consumer, in the server's order */
    GHashTable *named; /* GBytes → 1 + place in `consumers` */
};

struct telling {
    const struct pieces_ask *ask;
    GByteArray *head;  /* last id, highest deleted id, entries ever added */
    GPtrArray *groups; /* of struct group */
    uint64_t n, pending, pending_bytes;
    /* of a page */
    struct group *group;
    int64_t before_ms, after_ms;
    char next[48]; /* where the next one begins */
    size_t page;
    GByteArray *ids;  /* of a page: ids, times and counts, kept once its moment is known */
    GArray *consumer; /* of a page: guint, whose */
};

static void consumer_clear(void *at)
{
    struct consumer *consumer = at;
    g_bytes_unref(consumer->name);
    g_byte_array_unref(consumer->pending);
}

static void group_free(void *at)
{
    struct group *group = at;
    g_bytes_unref(group->name);
    g_byte_array_unref(group->last);
    g_hash_table_unref(group->named);
    g_array_unref(group->consumers);
    g_free(group);
}

/* --- XINFO STREAM FULL -------------------------------------------------------------------------------------------- */

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

static GBytes *name_of(const struct reply *reply)
{
    const struct reply *name = of_name(reply, "name");
    return name && name->type == REPLY_BYTES ? g_bytes_new(name->bytes.data, name->bytes.len) : NULL;
}

static bool take_consumer(struct group *group, const struct reply *reply)
{
    struct consumer consumer = {
        .name = name_of(reply), .seen_ms = number_of(reply, "seen-time"), .said = number_of(reply, "pel-count")};
    if (!consumer.name)
        return false;
    consumer.pending = g_byte_array_new();
    g_array_append_val(group->consumers, consumer);
    g_hash_table_insert(group->named, consumer.name, GUINT_TO_POINTER(group->consumers->len));
    return true;
}

static bool take_group(struct telling *telling, const struct reply *reply)
{
    const struct reply *consumers = of_name(reply, "consumers");
    GBytes *name = name_of(reply);
    if (!name)
        return false;
    struct group *group = g_new0(struct group, 1);
    group->name = name;
    group->last = g_byte_array_new();
    group->consumers = g_array_new(FALSE, FALSE, sizeof(struct consumer));
    g_array_set_clear_func(group->consumers, consumer_clear);
    group->named = g_hash_table_new(g_bytes_hash, g_bytes_equal);
    g_ptr_array_add(telling->groups, group);
    group->read = number_of(reply, "entries-read");
    group->said = number_of(reply, "pel-count");
    if (!consumers || !put_id_of(group->last, reply, "last-delivered-id"))
        return false;
    for (size_t i = 0; i < consumers->n; i++)
        if (!take_consumer(group, &consumers->items[i]))
            return false;
    return true;
}

static bool take_all(struct telling *telling, const struct reply *reply)
{
    const struct reply *groups = of_name(reply, "groups");
    telling->n = number_of(reply, "length");
    if (telling->n == UINT64_MAX || !groups || !put_id_of(telling->head, reply, "last-generated-id") ||
        !put_id_of(telling->head, reply, "max-deleted-entry-id"))
        return false;
    put_varint(telling->head, number_of(reply, "entries-added"));
    for (size_t i = 0; i < groups->n; i++)
        if (!take_group(telling, &groups->items[i]))
            return false;
    return true;
}

static bool take_info(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct telling *telling = self;
    return (reply->type != REPLY_ERROR && take_all(telling, reply)) || pieces_refused(telling->ask, reply, error);
}

static bool ask_all(struct telling *telling, const struct pieces_command *commands, size_t n,
                    bool (*answer)(void *, size_t, const struct reply *, GError **), GError **error)
{
    struct pieces_ask ask = *telling->ask;
    ask.answer = answer;
    ask.self = telling;
    return pieces_ask(&ask, commands, n, error);
}

/* Groups and consumers are all in it; of entries and of what is pending one each. */
static bool ask_info(struct telling *telling, struct slice key, GError **error)
{
    const struct slice full[] = {slice_of_text("XINFO"), slice_of_text("STREAM"), key,
                                 slice_of_text("FULL"),  slice_of_text("COUNT"),  slice_of_text("1")};
    return ask_all(telling, &(struct pieces_command){full, G_N_ELEMENTS(full)}, 1, take_info, error);
}

/* --- XPENDING ----------------------------------------------------------------------------------------------------- */

/* Who appeared since XINFO has changed the stream. */
static bool moved(GError **error)
{
    return error_set(error, SLUICE_ERROR_BUSY, "the groups of a stream are being changed");
}

/* [id, consumer, for how long it is, how often] */
static bool take_one(struct telling *telling, const struct reply *one, GError **error)
{
    if (!reply_is_array(one, 4) || one->items[2].type != REPLY_INTEGER || one->items[3].type != REPLY_INTEGER)
        return pieces_refused(telling->ask, one, error);
    g_autoptr(GBytes) name = g_bytes_new_static(one->items[1].bytes.data, one->items[1].bytes.len);
    guint whose = GPOINTER_TO_UINT(g_hash_table_lookup(telling->group->named, name));
    if (!whose)
        return moved(error);
    if (!put_id_text(telling->ids, one->items[0].bytes))
        return pieces_refused(telling->ask, one, error);
    put_varint(telling->ids, (uint64_t)(telling->before_ms - one->items[2].integer));
    put_varint(telling->ids, (uint64_t)one->items[3].integer);
    g_array_append_val(telling->consumer, whose);
    return true;
}

static bool take_time(const struct telling *telling, const struct reply *reply, int64_t *ret_ms, GError **error)
{
    return reply_time_ms(reply, ret_ms) || pieces_refused(telling->ask, reply, error);
}

enum { TIME_BEFORE, PENDING, TIME_AFTER, PAGE_COMMANDS };

static bool take_page(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct telling *telling = self;
    if (i == TIME_BEFORE)
        return take_time(telling, reply, &telling->before_ms, error);
    if (i == TIME_AFTER)
        return take_time(telling, reply, &telling->after_ms, error);
    if (reply->type != REPLY_ARRAY)
        return pieces_refused(telling->ask, reply, error);
    telling->page = reply->n;
    for (size_t k = 0; k < reply->n; k++)
        if (!take_one(telling, &reply->items[k], error))
            return false;
    if (reply->n) {
        struct slice id = reply->items[reply->n - 1].items[0].bytes;
        g_snprintf(telling->next, sizeof telling->next, "(%.*s", (int)MIN(id.len, 41u), (const char *)id.data);
    }
    return true;
}

/* XPENDING says for how long an entry is pending, and not since when. Between two TIMEs of the same millisecond both
 * are the same. */
static bool ask_page(struct telling *telling, struct slice key, struct slice from, GError **error)
{
    char count[16];
    gsize len;
    const void *name = g_bytes_get_data(telling->group->name, &len);
    g_snprintf(count, sizeof count, "%d", PAGE);
    const struct slice time[] = {slice_of_text("TIME")},
                       pending[] = {slice_of_text("XPENDING"), key, slice_of(name, len), from, slice_of_text("+"),
                                    slice_of_text(count)};
    const struct pieces_command commands[PAGE_COMMANDS] = {[TIME_BEFORE] = {time, G_N_ELEMENTS(time)},
                                                           [PENDING] = {pending, G_N_ELEMENTS(pending)},
                                                           [TIME_AFTER] = {time, G_N_ELEMENTS(time)}};
    for (unsigned tries = 0; tries < PAGE_TRIES; tries++) {
        g_byte_array_set_size(telling->ids, 0);
        g_array_set_size(telling->consumer, 0);
        if (!ask_all(telling, commands, PAGE_COMMANDS, take_page, error))
            return false;
        if (telling->before_ms == telling->after_ms)
            return true;
    }
    return error_set(error, SLUICE_ERROR_BUSY, "a server with more to do than answers a page in a millisecond");
}

static struct slice next_pending(struct reader *ids)
{
    const uint8_t *from = ids->at;
    for (int i = 0; i < 4; i++) /* ms and number of the id, when, how often */
        reader_varint(ids);
    return slice_of(from, (size_t)(ids->at - from));
}

static bool keep_page(struct telling *telling, GError **error)
{
    struct group *group = telling->group;
    struct reader ids = reader_of(slice_of(telling->ids->data, telling->ids->len));
    for (guint i = 0; i < telling->consumer->len; i++) {
        guint whose = g_array_index(telling->consumer, guint, i) - 1;
        struct consumer *consumer = &g_array_index(group->consumers, struct consumer, whose);
        put_bytes(consumer->pending, next_pending(&ids));
        consumer->n++;
    }
    group->n += telling->page;
    telling->pending += telling->page;
    telling->pending_bytes += telling->ids->len;
    return telling->pending_bytes <= PIECES_WHOLE_BYTES ||
           error_set(
               error, SLUICE_ERROR_TOO_BIG,
               "it is a stream whose groups have more than 16 MiB of pending entries, some million: those are not "
               "told in pieces");
}

static bool ask_pending(struct telling *telling, struct slice key, GError **error)
{
    char from[sizeof telling->next] = "-"; /* a page may be asked more than once */
    for (telling->page = PAGE; telling->page == PAGE;) {
        if (!ask_page(telling, key, slice_of_text(from), error) || !keep_page(telling, error))
            return false;
        memcpy(from, telling->next, sizeof from);
    }
    for (guint i = 0; i < telling->group->consumers->len; i++) {
        const struct consumer *consumer = &g_array_index(telling->group->consumers, struct consumer, i);
        if (consumer->n != consumer->said)
            return moved(error);
    }
    return telling->group->n == telling->group->said || moved(error);
}

/* --- the tail ----------------------------------------------------------------------------------------------------- */

static void put_name(GByteArray *into, GBytes *name)
{
    gsize len;
    const void *data = g_bytes_get_data(name, &len);
    put_prefixed(into, slice_of(data, len));
}

static void put_group(const struct group *group, bool whole, GByteArray *into)
{
    put_name(into, group->name);
    put_bytes(into, slice_of(group->last->data, group->last->len));
    put_varint(into, group->read);
    put_varint(into, group->consumers->len);
    for (guint i = 0; i < group->consumers->len; i++) {
        const struct consumer *consumer = &g_array_index(group->consumers, struct consumer, i);
        put_name(into, consumer->name);
        put_varint(into, whole ? consumer->seen_ms : 0);
        put_varint(into, consumer->n);
        put_bytes(into, slice_of(consumer->pending->data, consumer->pending->len));
    }
}

static bool put_tail(const struct telling *telling, bool whole, struct arena *mem, struct slice *ret)
{
    g_autoptr(GByteArray) into = g_byte_array_new();
    put_bytes(into, slice_of(telling->head->data, telling->head->len));
    put_varint(into, telling->groups->len);
    for (guint i = 0; i < telling->groups->len; i++)
        put_group(telling->groups->pdata[i], whole, into);
    return arena_copy(mem, slice_of(into->data, into->len), ret);
}

static bool tell(struct telling *telling, struct slice key, struct arena *mem, struct pieces_head *ret, GError **error)
{
    if (!ask_info(telling, key, error))
        return false;
    for (guint i = 0; i < telling->groups->len; i++) {
        telling->group = telling->groups->pdata[i];
        if (telling->group->said && !ask_pending(telling, key, error))
            return false;
    }
    ret->n = telling->n;
    ret->pending = telling->pending;
    ret->whole_tail = SLICE_EMPTY;
    return (put_tail(telling, false, mem, &ret->tail) &&
            (telling->pending > PIECES_WHOLE_PENDING || put_tail(telling, true, mem, &ret->whole_tail))) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "its groups do not fit into memory");
}

bool pieces_stream_tail(const struct pieces_ask *ask, struct slice key, struct arena *mem, struct pieces_head *ret,
                        GError **error)
{
    struct telling telling = {.ask = ask,
                              .head = g_byte_array_new(),
                              .groups = g_ptr_array_new_with_free_func(group_free),
                              .ids = g_byte_array_new(),
                              .consumer = g_array_new(FALSE, FALSE, sizeof(guint))};
    bool told = tell(&telling, key, mem, ret, error);
    g_byte_array_unref(telling.head);
    g_ptr_array_unref(telling.groups);
    g_byte_array_unref(telling.ids);
    g_array_unref(telling.consumer);
    return told;
}
