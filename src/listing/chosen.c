#include "listing/chosen.h"

#include "base/int.h"
#include "listing/skips.h"

enum { BATCH_RECORDS = 1000, BATCH_BYTES = 1 << 20, BATCH_MEMORY = 256 << 20 };

struct choosing {
    const struct chosen_wish *wish;
    struct chosen_result *ret;
    struct skiplist *skips; /* NULL: none */
    struct skips_writer *writer;
    bool *keys, *places; /* which were met */
    GPtrArray *names;    /* of char *: the file of each part of the bounds */
    struct arena *mem;
    uint64_t records;
};

int chosen_place_compare(const void *a, const void *b)
{
    const struct chosen_place *one = a, *other = b;
    int order = strcmp(one->file, other->file);
    return order ? order : (one->line > other->line) - (one->line < other->line);
}

void chosen_result_done(struct chosen_result *result)
{
    g_clear_pointer(&result->parts, g_array_unref);
    g_clear_pointer(&result->gone, g_ptr_array_unref);
}

static int key_compare(const void *a, const void *b)
{
    const struct slice *one = a, *other = b;
    return slice_compare(*one, *other);
}

/* Marks what asked for it. */
static bool is_asked(struct choosing *choosing, const struct record *record)
{
    const struct chosen_wish *wish = choosing->wish;
    const struct chosen_place place = {.file = record->at.file, .line = record->at.line};
    const struct slice *key = NULL;
    const struct chosen_place *spot = NULL;
    if (record->key.len && wish->n_keys)
        key = bsearch(&record->key, wish->keys, wish->n_keys, sizeof *key, key_compare);
    if (place.file && wish->n_places)
        spot = bsearch(&place, wish->places, wish->n_places, sizeof *spot, chosen_place_compare);
    if (key)
        choosing->keys[key - wish->keys] = true;
    if (spot)
        choosing->places[spot - wish->places] = true;
    return key || spot;
}

/* The part in the list: a new one where this is the first of its part. */
static struct chosen_part *part_of(struct choosing *choosing, size_t part)
{
    GArray *parts = choosing->ret->parts;
    struct chosen_part new = {.of = part};
    if (parts->len == 0 || g_array_index(parts, struct chosen_part, parts->len - 1).of != part)
        g_array_append_val(parts, new);
    return &g_array_index(parts, struct chosen_part, parts->len - 1);
}

static bool add(struct choosing *choosing, size_t part, const struct record *record, GError **error)
{
    struct skip_entry entry = {.reason = SKIP_NOTHING, .other = (uint32_t)part, .line = record->at.line};
    if (choosing->skips && !skiplist_entry(choosing->skips, (uint32_t)part, record->at.offset, &entry, error))
        return false;
    struct chosen_part *into = part_of(choosing, part);
    const struct skip_reason_row *row = skip_reason_row((enum skip_reason)entry.reason);
    bool loses = !row->takes_part && !row->refused;
    into->records++;
    into->losers += loses;
    entry.part = choosing->ret->parts->len - 1;
    entry.offset = record->at.offset;
    return skips_writer_add(choosing->writer, &entry, error);
}

static bool cancelled(const struct choosing *choosing, GError **error)
{
    const atomic_bool *cancel = choosing->wish->cancel;
    if (!cancel || !atomic_load_explicit(cancel, memory_order_relaxed))
        return false;
    error_set(error, SLUICE_ERROR_CANCELLED, "given up on request");
    return true;
}

static bool add_batch(struct choosing *choosing, size_t part, const struct batch *batch, GError **error)
{
    const struct chosen_wish *wish = choosing->wish;
    char **name = (char **)&choosing->names->pdata[part];
    if (cancelled(choosing, error))
        return false;
    if (!*name && batch->n > 0)
        *name = g_strdup(batch->records[0].at.file);
    for (size_t i = 0; i < batch->n; i++)
        if (is_asked(choosing, &batch->records[i]) && !add(choosing, part, &batch->records[i], error))
            return false;
    choosing->records += batch->n;
    if (wish->progress)
        wish->progress(wish->progress_self, choosing->records);
    return true;
}

static bool scan_part(struct choosing *choosing, size_t part, GError **error)
{
    auto_(scan) scan = NULL;
    const struct chosen_wish *wish = choosing->wish;
    struct scan_spec spec = {
        .ds = wish->ds, .bounds = wish->bounds[part], .max_records = BATCH_RECORDS, .max_bytes = BATCH_BYTES};
    struct call call = {.cancel = wish->cancel, .ds = wish->ds, .mem = choosing->mem};
    struct batch batch = {0};
    if (!store_scan_open(&scan, wish->session, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(choosing->mem);
        if (!store_scan_next(scan, &call, &batch, error) || !add_batch(choosing, part, &batch, error))
            return false;
    }
    return true;
}

/* Text: bytes that are not UTF-8 are replaced. */
static void name_gone(struct choosing *choosing)
{
    const struct chosen_wish *wish = choosing->wish;
    GPtrArray *gone = choosing->ret->gone;
    for (size_t i = 0; i < wish->n_keys; i++)
        if (!choosing->keys[i])
            g_ptr_array_add(gone, g_utf8_make_valid((const char *)wish->keys[i].data, (gssize)wish->keys[i].len));
    for (size_t i = 0; i < wish->n_places; i++)
        if (!choosing->places[i])
            g_ptr_array_add(gone, g_strdup_printf("%s:%" G_GUINT64_FORMAT, wish->places[i].file, wish->places[i].line));
}

static bool choose(struct choosing *choosing, GError **error)
{
    const struct chosen_wish *wish = choosing->wish;
    if ((wish->has_skips && !skiplist_open(&choosing->skips, wish->world, wish->path, wish->run_uid, error)) ||
        !skips_writer_new_chosen(&choosing->writer, wish->world, wish->path, wish->run_uid, error))
        return false;
    g_ptr_array_set_size(choosing->names, (gint)wish->n_parts);
    for (size_t i = 0; i < wish->n_parts; i++)
        if (!scan_part(choosing, i, error))
            return error_add(error, "looking for the records that are asked for");
    for (size_t i = 0; i < wish->n_parts; i++)
        if (!choosing->names->pdata[i])
            choosing->names->pdata[i] = g_strdup("");
    name_gone(choosing);
    skips_writer_gone(choosing->writer, choosing->ret->gone);
    return skips_writer_finish_durable(choosing->writer, choosing->names, &choosing->ret->digest, error);
}

bool chosen_find_durable(const struct chosen_wish *wish, struct chosen_result *ret, GError **error)
{
    struct chosen_result result = {.parts = g_array_new(FALSE, TRUE, sizeof(struct chosen_part)),
                                   .gone = g_ptr_array_new_with_free_func(g_free)};
    struct choosing choosing = {.wish = wish,
                                .ret = &result,
                                .keys = g_new0(bool, wish->n_keys + 1),
                                .places = g_new0(bool, wish->n_places + 1),
                                .names = g_ptr_array_new_with_free_func(g_free),
                                .mem = arena_new(BATCH_MEMORY)};
    bool ok = choose(&choosing, error);
    g_clear_pointer(&choosing.writer, skips_writer_free);
    g_clear_pointer(&choosing.skips, skiplist_free);
    g_ptr_array_unref(choosing.names);
    g_free(choosing.keys);
    g_free(choosing.places);
    arena_free(choosing.mem);
    if (ok)
        *ret = result;
    else
        chosen_result_done(&result);
    return ok;
}
