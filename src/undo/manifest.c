#include "undo/manifest.h"

#include "base/hex.h"
#include "record/document.h"

enum { MANIFEST_MOST = 8 << 20, MANIFEST_VERSION = 1 };

char *undo_path(const struct undo_config *config, const char *name)
{
    return g_build_filename(config->dir, name, NULL);
}

char *undo_segment_path(const struct undo_config *config, uint32_t segment)
{
    char name[UNDO_SEGMENT_TEXT];
    return undo_path(config, undo_segment_name(segment, name));
}

void undo_manifest_done(struct undo_manifest *manifest)
{
    g_clear_pointer(&manifest->segments, g_array_unref);
}

bool undo_manifest_write_durable(const struct undo_manifest *manifest, const struct undo_config *config, GError **error)
{
    char uid[HEX_TEXT(UNDO_UID_LEN)];
    hex_text(config->run_uid, UNDO_UID_LEN, uid);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "{\"undo\": %d, \"run\": \"%s\", \"segments\": [", MANIFEST_VERSION, uid);
    for (uint32_t i = 0; i < manifest->segments->len; i++) {
        char name[UNDO_SEGMENT_TEXT];
        uint64_t bytes = g_array_index(manifest->segments, struct undo_segment, i).bytes;
        g_string_append_printf(text, "%s{\"name\": \"%s\"", i ? ", " : "", undo_segment_name(i + 1, name));
        if (bytes)
            g_string_append_printf(text, ", \"bytes\": %" G_GUINT64_FORMAT, (guint64)bytes);
        g_string_append_c(text, '}');
    }
    g_string_append(text, "]}\n");
    g_autofree char *path = undo_path(config, UNDO_MANIFEST);
    return file_replace_durable(config->world, path, slice_of(text->str, text->len), error);
}

static bool take_i64(const bson_t *document, const char *name, int64_t *ret)
{
    bson_iter_t at;
    if (!bson_iter_init_find(&at, document, name) || !BSON_ITER_HOLDS_INT64(&at))
        return false;
    *ret = bson_iter_int64(&at);
    return true;
}

static bool is_text(const bson_t *document, const char *name, const char *text)
{
    bson_iter_t at;
    uint32_t len;
    if (!bson_iter_init_find(&at, document, name) || !BSON_ITER_HOLDS_UTF8(&at))
        return false;
    const char *found = bson_iter_utf8(&at, &len);
    return slice_equal(slice_of(found, len), slice_of_text(text));
}

/* One of the array: {"name": "000001.undo", "bytes": N}. */
static bool take_segment(const bson_iter_t *at, GArray *into)
{
    const uint8_t *data;
    uint32_t len;
    bson_t row;
    if (!BSON_ITER_HOLDS_DOCUMENT(at))
        return false;
    bson_iter_document(at, &len, &data);
    char name[UNDO_SEGMENT_TEXT];
    if (!bson_init_static(&row, data, len) || !is_text(&row, "name", undo_segment_name(into->len + 1, name)))
        return false;
    int64_t bytes = 0;
    if (bson_has_field(&row, "bytes") && (!take_i64(&row, "bytes", &bytes) || bytes <= 0))
        return false;
    struct undo_segment segment = {.bytes = (uint64_t)bytes};
    g_array_append_val(into, segment);
    return true;
}

static bool take_segments(const bson_t *document, GArray *into)
{
    bson_iter_t at, each;
    if (!bson_iter_init_find(&at, document, "segments") || !BSON_ITER_HOLDS_ARRAY(&at) ||
        !bson_iter_recurse(&at, &each))
        return false;
    while (bson_iter_next(&each))
        if (!take_segment(&each, into))
            return false;
    return true;
}

static bool manifest_take(struct slice document, const struct undo_config *config, const char *path, GArray *into,
                          GError **error)
{
    bson_t view;
    int64_t version;
    char uid[HEX_TEXT(UNDO_UID_LEN)];
    hex_text(config->run_uid, UNDO_UID_LEN, uid);
    if (!document_view(document, &view) || !take_i64(&view, "undo", &version))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: not the manifest of an undo log", path);
    if (version > MANIFEST_VERSION)
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "%s: written by a newer sluice (format %" G_GINT64_FORMAT ", this one knows %d)", path,
                         (gint64)version, MANIFEST_VERSION);
    if (!is_text(&view, "run", uid))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the undo log of another run than %s", path, uid);
    if (!take_segments(&view, into))
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: its list of segments is damaged", path);
    return true;
}

static bool manifest_parse(GBytes *text, const struct undo_config *config, const char *path, GArray *into,
                           GError **error)
{
    size_t len;
    const void *data = g_bytes_get_data(text, &len);
    auto_(arena) mem = arena_new((size_t)4 * MANIFEST_MOST);
    struct slice document;
    GError *cause = NULL;
    if (document_from_json(slice_of(data, len), mem, &document, NULL, &cause))
        return manifest_take(document, config, path, into, error);
    error_set(error, SLUICE_ERROR_CORRUPT, "%s: not the manifest of an undo log: %s", path, cause->message);
    g_error_free(cause);
    return false;
}

bool undo_manifest_read(struct undo_manifest *ret, const struct undo_config *config, GError **error)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(struct undo_segment));
    g_autofree char *path = undo_path(config, UNDO_MANIFEST);
    g_autoptr(GBytes) text = NULL;
    GError *failed = NULL;
    bool there = file_read_all(config->world, path, MANIFEST_MOST, &text, &failed);
    if (there ? !manifest_parse(text, config, path, segments, error)
              : !error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error))
        return false;
    ret->segments = g_steal_pointer(&segments);
    return true;
}

bool undo_segment_open(struct blockfile **ret, const struct undo_config *config, uint32_t segment, GError **error)
{
    g_autofree char *path = undo_segment_path(config, segment);
    auto_(blockfile) file = NULL;
    GError *failed = NULL;
    bool header = false;
    if (!blockfile_salvage(&file, config->world, path, &UNDO_KIND, &header, &failed) &&
        !error_is(failed, SLUICE_ERROR_CORRUPT) && !error_is(failed, SLUICE_ERROR_NOT_FOUND)) {
        g_propagate_error(error, failed);
        return false;
    }
    g_clear_error(&failed);
    uint8_t tag[UNDO_TAG_LEN];
    undo_tag_put(config->run_uid, segment, tag);
    if (header && memcmp(blockfile_tag(file).data, tag, sizeof tag) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: not segment %u of this run's undo log", path, segment);
    *ret = g_steal_pointer(&file);
    return true;
}
