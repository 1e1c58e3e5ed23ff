#include "verify/whole.h"

#include "base/file.h"

#define BATCH_RECORDS 1000u
#define BATCH_BYTES   (256u << 20)

static bool take(const struct whole_walk *walk, const struct record *record, GError **error)
{
    struct whole_record whole = {.record = record};
    g_autoptr(GError) failed = NULL;
    if (record->presence == RECORD_ABSENT)
        return true;
    bool read =
        record->presence == RECORD_PRESENT && store_decode(store_driver(walk->input->target), &walk->input->target_ds,
                                                           record->raw, walk->mem, &whole.document, &failed);
    if (!read) {
        whole.document = SLICE_EMPTY;
        whole.unread = failed ? failed->message : "nothing that can be read";
    }
    return walk->record(walk->self, &whole, error);
}

static bool settle(const struct whole_walk *walk, GError **error)
{
    return !walk->settle || walk->settle(walk->self, error);
}

static bool scan_part(const struct whole_walk *walk, struct slice bounds, GError **error)
{
    auto_(scan) scan = NULL;
    struct scan_spec spec = {
        .ds = &walk->input->target_ds, .bounds = bounds, .max_records = BATCH_RECORDS, .max_bytes = 1 << 20};
    struct call call = {
        .ds = &walk->input->target_ds, .mem = walk->mem, .cancel = walk->input->cancel, .no_etag = true};
    struct batch batch = {0};
    bool ok = store_scan_open(&scan, walk->session, &spec, error);
    while (ok && !batch.done) {
        arena_reset(walk->mem);
        ok = store_scan_next(scan, &call, &batch, error);
        for (size_t i = 0; ok && i < batch.n; i++)
            ok = take(walk, &batch.records[i], error);
        ok = ok && settle(walk, error);
    }
    return ok;
}

static bool scan_all(const struct whole_walk *walk, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(FALSE, TRUE, sizeof(struct part_bounds));
    auto_(arena) mem = arena_new(BATCH_BYTES);
    struct call call = {.ds = &walk->input->target_ds, .mem = mem, .cancel = walk->input->cancel};
    struct split_wish wish = {.count = 1, .rough = true};
    struct part_list list = {.parts = parts, .mem = mem};
    if (!store_driver(walk->input->target)->split)
        return scan_part(walk, SLICE_EMPTY, error);
    if (!store_split(walk->session, &call, &wish, &list, error))
        return false;
    for (guint i = 0; i < parts->len; i++)
        if (!scan_part(walk, g_array_index(parts, struct part_bounds, i).bounds, error))
            return false;
    return true;
}

static bool take_portion(void *self, struct record *records, size_t n, GError **error)
{
    const struct whole_walk *walk = self;
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = take(walk, &records[i], error);
    return ok && settle(walk, error);
}

static bool read_listed(const struct whole_walk *walk, struct listing_reader *listing, GError **error)
{
    struct whole_walk to = *walk;
    struct portions portions = {0};
    const struct read_portions by = {.portions = &portions, .take = take_portion, .self = &to};
    struct call call = {
        .ds = &walk->input->target_ds, .mem = walk->mem, .cancel = walk->input->cancel, .no_etag = true};
    const struct listing_totals *totals = listing_reader_totals(listing);
    bool ok = true;
    for (uint32_t part = 0; ok && part < totals->partitions; part++) {
        struct slice *keys;
        size_t n = 1;
        ok = listing_reader_seek(listing, part, 0, error);
        while (ok && n > 0) {
            arena_reset(walk->mem);
            if (!listing_reader_next(listing, BATCH_RECORDS, walk->mem, &keys, &n, error))
                return false;
            g_autofree struct record *records = g_new0(struct record, n + 1);
            for (size_t i = 0; i < n; i++)
                records[i].key = keys[i];
            ok = store_read_portions(walk->session, &call, records, n, &by, error);
        }
    }
    return ok;
}

struct listing_draft verify_draft(const struct verify_input *input, const char *path)
{
    struct listing_draft draft = {.world = input->world, .path = path};
    if (input->run_uid)
        memcpy(draft.run_uid, input->run_uid, sizeof draft.run_uid);
    return draft;
}

/* A scan may give a key twice: its keys are listed first, and taken once. */
static bool list_all(const struct whole_walk *walk, GError **error)
{
    auto_(listing_reader) listing = NULL;
    struct listing_totals totals;
    g_autofree char *path = g_strconcat(walk->input->report_path, ".keys", NULL);
    struct listing_wish wish = {.draft = verify_draft(walk->input, path),
                                .cut = {.size = UINT32_MAX},
                                .session = walk->session,
                                .ds = &walk->input->target_ds,
                                .cancel = walk->input->cancel};
    bool ok = listing_make_durable(&wish, &totals, error) &&
              listing_reader_open(&listing, walk->input->world, path, NULL, error) && read_listed(walk, listing, error);
    g_clear_pointer(&listing, listing_reader_free);
    return file_unlink(walk->input->world, path, ok ? error : NULL) && ok;
}

bool whole_walk(const struct whole_walk *walk, GError **error)
{
    const struct store_driver *driver = store_driver(walk->input->target);
    return driver->list && !driver->list->sorted ? list_all(walk, error) : scan_all(walk, error);
}
