/* A file of any bytes, read by the driver `file` in every way there is: at once, in small batches, in parts, from every
 * cursor. All of them must see the same records at the same places, or the same error. */
#include <fcntl.h>

#include "fuzz.h"
#include "store/calls.h"

/* The first byte says which of these the rest is. */
static const char *const names[] = {
    "a.ndjson", "a.csv", "a.json", "a.ndjson.gz", "a.csv.zst", "a.json.gz", "a.ndjson.zst", "a.csv.gz",
};

struct content {
    const char *name;
    struct slice bytes;
};

enum { FD_FILE = 3, FD_DIR = 4, MOST_CURSORS = 6 };

static int memory_open(void *self, const char *path, int flags, unsigned mode)
{
    return g_str_has_suffix(path, ((const struct content *)self)->name) ? FD_FILE : FD_DIR;
}

static int memory_close(void *self, int fd)
{
    return 0;
}

static int64_t memory_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    struct slice bytes = ((const struct content *)self)->bytes;
    if ((uint64_t)offset >= bytes.len)
        return 0;
    size_t got = MIN(len, bytes.len - (size_t)offset);
    memcpy(into, bytes.data + offset, got);
    return (int64_t)got;
}

static int memory_stat(void *self, int fd, struct world_stat *ret)
{
    *ret = (struct world_stat){.regular = fd == FD_FILE, .directory = fd == FD_DIR};
    if (fd == FD_FILE)
        ret->size = ((const struct content *)self)->bytes.len;
    return 0;
}

static int memory_list(void *self, const char *path, void (*each)(void *user, const char *name), void *user)
{
    each(user, ((const struct content *)self)->name);
    return 0;
}

static const struct world_files memory_files = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .stat = memory_stat,
    .list = memory_list,
};

struct subject {
    struct store *store;
    struct dataset ds;
    struct arena *mem;
    GPtrArray *cursors; /* of GBytes *: where a scan in small batches could go on */
    GArray *at_cursor;  /* of guint: how many records it had given by then */
};

/* What is compared of a record. */
struct seen {
    uint64_t offset, line, presence;
    uint32_t column, code;
    struct digest raw, key;
};

static void see(GArray *all, const struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        const struct record *record = &batch->records[i];
        struct seen seen = {.offset = record->at.offset,
                            .line = record->at.line,
                            .presence = record->presence,
                            .column = record->at.column,
                            .code = record->presence == RECORD_FAULT ? record->fault.code : 0,
                            .raw = digest_bytes(record->raw, 0),
                            .key = digest_bytes(record->key, 0)};
        if (record->presence == RECORD_FAULT)
            g_assert(error_row(record->fault.code)->class == ERROR_RECORD && record->fault.text[0]);
        else
            g_assert(document_check(record->raw, NULL) && record->key.len > 0);
        g_array_append_val(all, seen);
    }
}

static void keep_cursor(struct subject *subject, const struct batch *batch, guint given)
{
    if (!subject->cursors || subject->cursors->len == MOST_CURSORS || batch->done)
        return;
    g_ptr_array_add(subject->cursors, g_bytes_new(batch->cursor.data, batch->cursor.len));
    g_array_append_val(subject->at_cursor, given);
}

/* Appends to `all`; false: the scan ended with an error, which is one of a file. */
static bool scan(struct subject *subject, const struct scan_spec *spec, GArray *all)
{
    g_autoptr(GError) error = NULL;
    struct scan_spec full = *spec;
    full.ds = &subject->ds;
    full.max_bytes = 1 << 20;
    struct call call = {.ds = &subject->ds, .mem = subject->mem};
    auto_(session) session = NULL;
    auto_(scan) scan = NULL;
    bool ok = store_session_open(&session, subject->store, &error) && store_scan_open(&scan, session, &full, &error);
    for (struct batch batch = {0}; ok && !batch.done;) {
        arena_reset(subject->mem);
        ok = store_scan_next(scan, &call, &batch, &error);
        if (!ok)
            break;
        see(all, &batch);
        keep_cursor(subject, &batch, all->len);
    }
    g_assert(ok || error_is(error, SLUICE_ERROR_CORRUPT));
    store_scan_close(g_steal_pointer(&scan));
    return ok;
}

static void assert_same(const GArray *a, guint from, const GArray *b)
{
    g_assert(a->len - from == b->len);
    if (b->len > 0)
        g_assert(memcmp(&g_array_index(a, struct seen, from), b->data, b->len * sizeof(struct seen)) == 0);
}

static void in_parts(struct subject *subject, const GArray *whole, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct seen));
    g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(struct part_bounds));
    auto_(arena) mem = arena_new(64 << 20);
    struct part_list list = {.parts = parts, .mem = mem};
    struct call call = {.ds = &subject->ds, .mem = mem};
    auto_(session) session = NULL;
    bool ok = store_session_open(&session, subject->store, &error) &&
              store_split(session, &call, &(struct split_wish){.records_each = size}, &list, &error);
    g_assert(ok);
    for (guint i = 0; i < parts->len; i++) {
        struct scan_spec spec = {.bounds = g_array_index(parts, struct part_bounds, i).bounds, .max_records = 100};
        g_assert(scan(subject, &spec, all));
    }
    assert_same(whole, 0, all);
}

static void from_cursors(struct subject *subject, const GArray *whole)
{
    g_autoptr(GPtrArray) cursors = g_steal_pointer(&subject->cursors);
    for (guint i = 0; i < cursors->len; i++) {
        gsize len;
        const void *data = g_bytes_get_data(cursors->pdata[i], &len);
        g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(struct seen));
        g_assert(scan(subject, &(struct scan_spec){.cursor = slice_of(data, len), .max_records = 100}, rest));
        assert_same(whole, g_array_index(subject->at_cursor, guint, i), rest);
    }
}

static void read_in_every_way(struct subject *subject, size_t size)
{
    g_autoptr(GArray) whole = g_array_new(FALSE, FALSE, sizeof(struct seen));
    g_autoptr(GArray) small = g_array_new(FALSE, FALSE, sizeof(struct seen));
    bool ok = scan(subject, &(struct scan_spec){.max_records = 500}, whole);
    subject->cursors = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_assert(scan(subject, &(struct scan_spec){.max_records = size}, small) == ok);
    if (ok) {
        assert_same(whole, 0, small);
        from_cursors(subject, whole);
        in_parts(subject, whole, size);
    }
    if (subject->cursors)
        g_ptr_array_unref(subject->cursors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    struct content content = {.name = names[data[0] % G_N_ELEMENTS(names)], .bytes = slice_of(data + 2, len - 2)};
    struct world world = *world_real();
    world.files = &memory_files;
    world.files_self = &content;
    auto_(store_registry) registry = store_registry_new(&world, NULL);
    struct store_config config = {.uri = "file:/", .base_dir = "/", .read_only = true};
    auto_(path) id = NULL;
    struct key_paths key = {.n = 1, .paths = &id};
    struct subject subject = {.ds = {.name = content.name, .key = &key},
                              .mem = arena_new(256 << 20),
                              .at_cursor = g_array_new(FALSE, FALSE, sizeof(guint))};
    g_assert(path_parse(&id, "id", NULL) && store_open(&subject.store, registry, &config, NULL));
    read_in_every_way(&subject, 1 + data[1] % 7);
    store_release(registry, subject.store);
    arena_free(subject.mem);
    g_array_unref(subject.at_cursor);
    return 0;
}
