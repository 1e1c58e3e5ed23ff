#include "listing/dump.h"

#include "listing/keys.h"
#include "listing/listing.h"
#include "listing/skips.h"

enum { KEYS_AT_ONCE = 1024, DUMP_MEMORY = 512 << 20 };

struct dump {
    const struct world *world;
    const char *path;
    const struct document_lines *into;
    GString *text;
};

static void put_number(bson_t *line, const char *name, uint64_t value)
{
    BSON_APPEND_INT64(line, name, (int64_t)MIN(value, INT64_MAX));
}

/* Takes the line over. */
static bool give(const struct dump *dump, bson_t *line, GError **error)
{
    g_string_truncate(dump->text, 0);
    bool ok = document_to_json(slice_of(bson_get_data(line), line->len), dump->text, error);
    bson_destroy(line);
    return ok && dump->into->line(dump->into->self, dump->text->str, error);
}

/* --- listings -------------------------------------------------------------------------------------------------------
 */

static bool give_totals(const struct dump *dump, const struct listing_totals *totals, GError **error)
{
    bson_t line = BSON_INITIALIZER;
    char digest[DIGEST_TEXT];
    BSON_APPEND_UTF8(&line, "type", "listing");
    put_number(&line, "keys", totals->keys);
    put_number(&line, "bytes", totals->bytes);
    put_number(&line, "partitions", totals->partitions);
    put_number(&line, "partition_keys", totals->size);
    if (totals->ranked)
        BSON_APPEND_BOOL(&line, "ranked", true);
    BSON_APPEND_UTF8(&line, "digest", digest_text(totals->digest, digest));
    return give(dump, &line, error);
}

static bool give_key(const struct dump *dump, const struct listing_place *place, bool ranked, struct slice key,
                     GError **error)
{
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "key");
    put_number(&line, "partition", place->partition);
    put_number(&line, "index", place->index);
    if (ranked)
        put_number(&line, "rank", (uint64_t)key.data[0] << 8 | key.data[1]);
    key_show(listing_key(ranked, key), "key", &line);
    return give(dump, &line, error);
}

static bool give_partition(const struct dump *dump, struct listing_reader *reader, uint32_t partition,
                           struct arena *mem, GError **error)
{
    struct listing_place place = {.partition = partition};
    struct slice *keys;
    if (!listing_reader_seek(reader, partition, 0, error))
        return false;
    for (size_t n = 1; n > 0;) {
        arena_reset(mem);
        if (!listing_reader_next_ranked(reader, KEYS_AT_ONCE, mem, &keys, &n, error))
            return false;
        for (size_t i = 0; i < n; i++, place.index++)
            if (!give_key(dump, &place, listing_reader_totals(reader)->ranked, keys[i], error))
                return false;
    }
    return true;
}

static bool dump_listing(const struct dump *dump, GError **error)
{
    auto_(listing_reader) reader = NULL;
    auto_(arena) mem = arena_new(DUMP_MEMORY);
    if (!listing_reader_open(&reader, dump->world, dump->path, NULL, error) ||
        !give_totals(dump, listing_reader_totals(reader), error))
        return false;
    for (uint32_t partition = 0; partition < listing_reader_totals(reader)->partitions; partition++)
        if (!give_partition(dump, reader, partition, mem, error))
            return false;
    return true;
}

/* --- skip lists -----------------------------------------------------------------------------------------------------
 */

static bool give_entry(void *user, const struct skip_entry *entry, const char *file, GError **error)
{
    bson_t line = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&line, "type", "state");
    put_number(&line, "partition", entry->part);
    put_number(&line, "offset", entry->offset);
    BSON_APPEND_UTF8(&line, "reason", skip_reason_row((enum skip_reason)entry->reason)->name);
    BSON_APPEND_UTF8(&line, "other_file", file);
    put_number(&line, "other_line", entry->line);
    if (entry->reason == SKIP_UNIQUE) {
        g_autofree char *key = g_utf8_make_valid((const char *)entry->key.data, (gssize)entry->key.len);
        bson_append_utf8(&line, "field", -1, (const char *)entry->field.data, (int)entry->field.len);
        BSON_APPEND_UTF8(&line, "other_key", key);
    }
    return give(user, &line, error);
}

static bool give_gone(struct dump *dump, const GPtrArray *gone, GError **error)
{
    for (guint i = 0; i < gone->len; i++) {
        bson_t line = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&line, "type", "gone");
        BSON_APPEND_UTF8(&line, "name", gone->pdata[i]);
        if (!give(dump, &line, error))
            return false;
    }
    return true;
}

static bool dump_skips(struct dump *dump, GError **error)
{
    auto_(skiplist) list = NULL;
    bson_t line = BSON_INITIALIZER;
    if (!skiplist_open(&list, dump->world, dump->path, NULL, error)) {
        bson_destroy(&line);
        return false;
    }
    BSON_APPEND_UTF8(&line, "type", "skips");
    put_number(&line, "states", skiplist_count(list));
    if (skiplist_is_chosen(list))
        BSON_APPEND_BOOL(&line, "chosen", true);
    return give(dump, &line, error) && give_gone(dump, skiplist_gone(list), error) &&
           skiplist_each(list, give_entry, dump, error);
}

bool listing_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(blockfile) skips = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    struct dump dump = {.world = world, .path = path, .into = into, .text = text};
    return blockfile_open(&skips, world, path, &skips_kind, false, NULL) ? dump_skips(&dump, error)
                                                                         : dump_listing(&dump, error);
}
