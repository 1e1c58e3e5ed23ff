/* What the tests of the driver `file` share: a directory, a store on it, files written and scanned. */
#pragma once

#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"

struct files {
    void *dir;
    struct fake_world fake;
    struct arena *mem;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct path *id;
    struct key_paths key;
    struct dataset ds; /* keyed by `id` */
};

static inline int files_setup(void **state)
{
    GError *error = NULL;
    struct files *files = g_new0(struct files, 1);
    if (kit_dir_setup(&files->dir) != 0)
        return -1;
    fake_world_init(&files->fake);
    files->mem = arena_new(256 << 20);
    files->registry = store_registry_new(&files->fake.world, NULL);
    struct store_config config = {.uri = "file:.", .base_dir = files->dir};
    kit_ok(store_open(&files->store, files->registry, &config, &error));
    kit_ok(store_session_open(&files->session, files->store, &error));
    kit_ok(path_parse(&files->id, "id", &error));
    files->key = (struct key_paths){.n = 1, .paths = &files->id};
    files->ds = (struct dataset){.name = "*", .key = &files->key};
    *state = files;
    return 0;
}

static inline int files_teardown(void **state)
{
    struct files *files = *state;
    store_session_close(files->session);
    store_release(files->registry, files->store);
    store_registry_free(files->registry);
    assert_int_equal(files->fake.opened, files->fake.closed);
    arena_free(files->mem);
    path_free(files->id);
    int result = kit_dir_teardown(&files->dir);
    g_free(files);
    return result;
}

static inline char *files_path(const struct files *files, const char *name)
{
    return g_build_filename(files->dir, name, NULL);
}

static inline void files_put(struct files *files, const char *name, struct slice content)
{
    GError *error = NULL;
    struct file *file;
    g_autofree char *path = files_path(files, name), *dir = g_path_get_dirname(path);
    kit_ok(file_make_dirs(&files->fake.world, dir, &error));
    kit_ok(file_open(&file, &files->fake.world, path, FILE_REPLACE, &error));
    kit_ok(file_append(file, content, NULL, &error));
    kit_ok(file_close(file, &error));
}

static inline void files_put_text(struct files *files, const char *name, const char *text)
{
    files_put(files, name, slice_of_text(text));
}

/* One gzip member. */
static inline GByteArray *gzip_of(struct slice text)
{
    z_stream gzip = {0};
    assert_int_equal(deflateInit2(&gzip, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    GByteArray *packed = g_byte_array_new();
    g_byte_array_set_size(packed, (guint)deflateBound(&gzip, text.len));
    gzip.next_in = (Bytef *)(uintptr_t)text.data;
    gzip.avail_in = (uInt)text.len;
    gzip.next_out = packed->data;
    gzip.avail_out = packed->len;
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    g_byte_array_set_size(packed, (guint)gzip.total_out);
    deflateEnd(&gzip);
    return packed;
}

/* One zstd frame, with its checksum. */
static inline GByteArray *zstd_of(struct slice text)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    GByteArray *packed = g_byte_array_new();
    g_byte_array_set_size(packed, (guint)ZSTD_compressBound(text.len));
    size_t len = ZSTD_compress2(zstd, packed->data, packed->len, text.data, text.len);
    assert_false(ZSTD_isError(len));
    g_byte_array_set_size(packed, (guint)len);
    ZSTD_freeCCtx(zstd);
    return packed;
}

static inline struct call files_call(struct files *files)
{
    return (struct call){.ds = &files->ds, .mem = files->mem};
}

/* All records of the dataset, or of the part where spec->bounds says so, in batches of spec->max_records. */
static inline struct record *files_scan_spec(struct files *files, const struct scan_spec *spec, size_t *ret_n)
{
    GError *error = NULL;
    struct scan_spec full = *spec;
    full.ds = &files->ds;
    full.max_records = spec->max_records ? spec->max_records : 100;
    full.max_bytes = spec->max_bytes ? spec->max_bytes : 1 << 20;
    struct call call = files_call(files);
    g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(struct record));
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, files->session, &full, &error));
    for (struct batch batch = {0}; !batch.done;) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        g_array_append_vals(all, batch.records, (guint)batch.n);
    }
    struct slice kept = {0};
    assert_true(arena_copy(files->mem, slice_of(all->data, all->len * sizeof(struct record)), &kept));
    *ret_n = all->len;
    return (struct record *)(uintptr_t)kept.data;
}

static inline struct record *files_scan(struct files *files, const char *dataset, size_t *ret_n)
{
    files->ds.name = dataset;
    return files_scan_spec(files, &(struct scan_spec){0}, ret_n);
}

static inline void assert_document(const struct record *record, const char *json)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    if (record->presence == RECORD_FAULT)
        print_error("%s\n", record->fault.text);
    assert_int_equal(record->presence, RECORD_PRESENT);
    kit_ok(document_to_json(record->raw, text, &error));
    assert_string_equal(text->str, json);
}

/* A fault at that line and column whose text holds `part`. */
static inline void assert_fault_at(const struct record *record, const char *part, uint64_t line, uint32_t column)
{
    assert_int_equal(record->presence, RECORD_FAULT);
    const char *text = record->fault.text ? record->fault.text : "";
    if (!strstr(text, part))
        print_error("unexpected: '%s'\n", text);
    assert_non_null(strstr(text, part));
    assert_int_equal(record->at.line, line);
    assert_int_equal(record->at.column, column);
    assert_int_equal(error_row(record->fault.code)->class, ERROR_RECORD);
}

/* The scan of the dataset, or of a part, ends with the error. */
#define files_scan_fails(files, spec, code, part) kit_refused(files_scan_tries((files), (spec), &error), code, part)

static inline bool files_scan_tries(struct files *files, const struct scan_spec *spec, GError **error)
{
    struct scan_spec full = *spec;
    full.ds = &files->ds;
    full.max_records = spec->max_records ? spec->max_records : 100;
    full.max_bytes = 1 << 20;
    struct call call = files_call(files);
    auto_(scan) scan = NULL;
    bool ok = store_scan_open(&scan, files->session, &full, error);
    for (struct batch batch = {0}; ok && !batch.done;)
        ok = store_scan_next(scan, &call, &batch, error);
    return ok;
}

static inline GArray *files_split(struct files *files, const struct split_wish *wish)
{
    GError *error = NULL;
    struct call call = files_call(files);
    struct part_list list = {.parts = g_array_new(FALSE, FALSE, sizeof(struct part_bounds)), .mem = files->mem};
    kit_ok(store_split(files->session, &call, wish, &list, &error));
    return list.parts;
}

static inline const struct part_bounds *part_at(const GArray *parts, guint i)
{
    return &g_array_index(parts, struct part_bounds, i);
}
