#include "verify/lines.h"

#include <jansson.h>
#include <sodium.h>

#include "base/file.h"
#include "base/hex.h"
#include "verify/sealed.h"

#define CHUNK_BYTES (256u << 10)
#define LINE_BYTES  (64u << 20) /* two documents, as text */
#define DOCUMENTS   ",\"wanted\":"

struct reading {
    const struct world *world;
    const char *path;
    const struct report_lines *into;
    crypto_generichash_state digest;
    struct report_seal seal;
    GString *rest, *open; /* of a line whose end has not come yet; a line that was sealed */
    uint64_t number;
};

static bool is_none(const struct reading *reading, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s:%" G_GUINT64_FORMAT ": not a line of a verification's report",
                     reading->path, reading->number);
}

/* Text, or {"base64": …}; the caller frees. */
static uint8_t *bytes_of(const json_t *value, size_t *ret_len)
{
    const char *base64 = json_string_value(json_object_get(value, "base64"));
    if (base64)
        return g_base64_decode(base64, ret_len);
    *ret_len = json_string_length(value);
    return json_is_string(value) ? g_memdup2(json_string_value(value), *ret_len + 1) : NULL;
}

static bool class_of(const char *word, enum verify_class *ret)
{
    for (int i = 0; word && i < VERIFY_CLASS_COUNT; i++)
        if (strcmp(verify_class_row((enum verify_class)i)->word, word) == 0) {
            *ret = (enum verify_class)i;
            return true;
        }
    return false;
}

static bool take_seen(const json_t *seen, struct report_line *io)
{
    uint8_t digest[16];
    io->looked = seen != NULL;
    if (!seen || json_typeof(seen) == JSON_NULL)
        return true;
    const char *text = json_string_value(seen);
    if (!text || !hex_parse(slice_of_text(text), digest, sizeof digest))
        return false;
    io->present = true;
    io->seen = digest_get(digest);
    return true;
}

static bool take_head(struct reading *reading, const json_t *head, GError **error)
{
    struct report_line line = {0};
    const char *kind = json_string_value(json_object_get(head, "kind"));
    const json_t *from = json_object_get(head, "from");
    size_t key_len = 0, from_len = 0;
    g_autofree uint8_t *key = bytes_of(json_object_get(head, "key"), &key_len);
    g_autofree uint8_t *source = from ? bytes_of(from, &from_len) : NULL;
    if (g_strcmp0(kind, REPORT_RULE) == 0)
        return true;
    if (!key || (from && !source) || !class_of(kind, &line.class) || !take_seen(json_object_get(head, "seen"), &line))
        return is_none(reading, error);
    line.key = slice_of(key, key_len);
    line.from = source ? slice_of(source, from_len) : line.key;
    return reading->into->line(reading->into->self, &line, error);
}

/* In a JSON text no quote stands within a string: the first such name is the line's own. */
static bool take_text(struct reading *reading, const char *text, size_t len, GError **error)
{
    const char *documents = g_strstr_len(text, (gssize)len, DOCUMENTS);
    if (!documents || text[len - 1] != '}')
        return is_none(reading, error);
    g_autofree char *head = g_strdup_printf("%.*s}", (int)(documents - text), text);
    json_t *root = json_loads(head, JSON_REJECT_DUPLICATES, NULL);
    bool ok = root ? take_head(reading, root, error) : is_none(reading, error);
    json_decref(root);
    return ok;
}

static bool give(struct reading *reading, const char *text, size_t len, GError **error)
{
    const struct report_lines *into = reading->into;
    if (memchr(text, '\0', len))
        return is_none(reading, error);
    return into->text ? into->text(into->self, text, error) : take_text(reading, text, len, error);
}

/* A first line that says that the others are sealed is none of them. */
static bool take_line(struct reading *reading, const char *text, size_t len, GError **error)
{
    bool first = false;
    if (reading->number++ == 0 && !report_seal_read(&reading->seal, reading->world, slice_of(text, len), &first, error))
        return error_add(error, "%s", reading->path);
    if (first || !reading->seal.sealed)
        return first || give(reading, text, len, error);
    g_string_truncate(reading->open, 0);
    return report_seal_open(&reading->seal, slice_of(text, len), reading->open)
               ? give(reading, reading->open->str, reading->open->len, error)
               : is_none(reading, error);
}

static bool take_chunk(struct reading *reading, const char *bytes, size_t len, GError **error)
{
    const char *end;
    crypto_generichash_update(&reading->digest, (const uint8_t *)bytes, len);
    while ((end = memchr(bytes, '\n', len))) {
        g_string_append_len(reading->rest, bytes, end - bytes);
        if (!take_line(reading, reading->rest->str, reading->rest->len, error))
            return false;
        g_string_truncate(reading->rest, 0);
        len -= (size_t)(end - bytes) + 1;
        bytes = end + 1;
    }
    g_string_append_len(reading->rest, bytes, (gssize)len);
    if (reading->rest->len <= LINE_BYTES)
        return true;
    reading->number++;
    return is_none(reading, error);
}

static bool read_all(struct reading *reading, struct file *file, GError **error)
{
    g_autofree char *chunk = g_malloc(CHUNK_BYTES);
    size_t got = CHUNK_BYTES;
    for (uint64_t at = 0; got == CHUNK_BYTES; at += got)
        if (!file_read_at(file, at, chunk, CHUNK_BYTES, &got, error) || !take_chunk(reading, chunk, got, error))
            return false;
    reading->number++;
    return reading->rest->len == 0 || is_none(reading, error); /* the end of a line was lost */
}

bool report_read(const struct world *world, const char *path, const struct report_lines *into, uint8_t ret_digest[32],
                 GError **error)
{
    auto_(file) file = NULL;
    g_autoptr(GString) rest = g_string_new(NULL), open = g_string_new(NULL);
    struct reading reading = {.world = world, .path = path, .into = into, .rest = rest, .open = open};
    crypto_generichash_init(&reading.digest, NULL, 0, 32);
    bool ok = file_open(&file, world, path, FILE_READ, error) && read_all(&reading, file, error);
    seal_forget(&reading.seal.key);
    if (ok)
        crypto_generichash_final(&reading.digest, ret_digest, 32);
    return ok;
}

bool report_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    uint8_t digest[32];
    struct report_lines lines = {.text = into->line, .self = into->self};
    return report_read(world, path, &lines, digest, error);
}
