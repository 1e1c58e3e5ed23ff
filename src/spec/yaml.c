#include "spec/yaml.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/int.h"
#include "base/nearest.h"
#include "spec/yaml_node.h"

enum { SHOWN_BYTES = 60, WORDS_SHOWN = 24 };

static char *shown(const char *text)
{
    size_t len = strlen(text);
    size_t cut = len;
    if (len > SHOWN_BYTES)
        for (cut = SHOWN_BYTES; cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80; cut--)
            ;
    g_autofree char *begin = g_strndup(text, cut);
    g_autofree char *escaped = g_strescape(begin, NULL);
    /* Letters beyond ASCII are left as they are: only what would break a line or a terminal is escaped. */
    bool plain = true;
    for (const char *c = begin; *c; c++)
        plain = plain && (unsigned char)*c >= 0x20 && *c != 0x7F;
    return g_strconcat(plain ? begin : escaped, cut < len ? "…" : "", NULL);
}

void yaml_diag(struct yaml *yaml, const struct yaml_node *at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    diags_add(yaml->diags, yaml->file, at->line, at->column, "%s", text);
}

const char *yaml_keep(struct yaml *yaml, const char *text)
{
    return g_string_chunk_insert(yaml->kept, text);
}

const char *yaml_describe(struct yaml *yaml, const struct yaml_node *node)
{
    static const char *const words[] = {
        [YAML_NULL] = "nothing",      [YAML_BOOL] = "the truth value", [YAML_INT] = "the number",
        [YAML_FLOAT] = "the number",  [YAML_TEXT] = "the text",        [YAML_LIST] = "a list",
        [YAML_MAP] = "a map of keys",
    };
    if (node->kind == YAML_NULL || node->kind == YAML_LIST || node->kind == YAML_MAP)
        return words[node->kind];
    g_autofree char *text = shown(node->text);
    g_autofree char *described = node->kind == YAML_TEXT ? g_strdup_printf("%s '%s'", words[node->kind], text)
                                                         : g_strdup_printf("%s %s", words[node->kind], text);
    return yaml_keep(yaml, described);
}

const char *yaml_place(struct yaml *yaml, const struct yaml_node *node)
{
    g_autofree char *text = g_strdup_printf("line %" PRIu32, node->line);
    return yaml_keep(yaml, text);
}

bool yaml_expected(struct yaml *yaml, const struct yaml_node *at, const char *expected)
{
    return yaml_fail(yaml, at, "expected %s, found %s", expected, yaml_describe(yaml, at));
}

bool yaml_unknown(struct yaml *yaml, const struct yaml_node *at, const char *what, const char *const *words, size_t n)
{
    g_autofree char *typed = shown(at->text);
    const char *near = nearest_word(at->text, words, n);
    if (near)
        return yaml_fail(yaml, at, "unknown %s '%s'; did you mean '%s'?", what, typed, near);
    g_autoptr(GString) list = g_string_new(NULL);
    for (size_t i = 0; i < n && i < WORDS_SHOWN; i++)
        g_string_append_printf(list, "%s%s", i ? ", " : "", words[i]);
    return yaml_fail(yaml, at, "unknown %s '%s'; known are %s%s", what, typed, list->str, n > WORDS_SHOWN ? ", …" : "");
}

const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key)
{
    for (size_t i = 0; map->kind == YAML_MAP && i < map->n; i++)
        if (strcmp(map->pairs[i].key->text, key) == 0)
            return map->pairs[i].value;
    return NULL;
}

bool yaml_get_text(struct yaml *yaml, const struct yaml_node *node, const char **ret)
{
    if (node->kind == YAML_TEXT && node->text[0]) {
        *ret = node->text;
        return true;
    }
    if (node->kind == YAML_TEXT)
        return yaml_fail(yaml, node, "expected a text, found an empty one");
    bool scalar = node->kind == YAML_INT || node->kind == YAML_FLOAT || node->kind == YAML_BOOL;
    return yaml_fail(yaml, node, "expected a text, found %s%s", yaml_describe(yaml, node),
                     scalar ? "; put it in quotes if it is meant as text" : "");
}

bool yaml_get_bool(struct yaml *yaml, const struct yaml_node *node, bool *ret)
{
    if (node->kind != YAML_BOOL)
        return yaml_expected(yaml, node, "true or false");
    *ret = node->text[0] == 't' || node->text[0] == 'T';
    return true;
}

/* -?[0-9]+, 0o[0-7]+ and 0x[0-9a-fA-F]+: the forms that make a YAML_INT. */
static bool magnitude_of(const char *digits, uint64_t *ret)
{
    bool octal = strncmp(digits, "0o", 2) == 0, hex = strncmp(digits, "0x", 2) == 0;
    if (!octal && !hex)
        return int_parse_u64(slice_of_text(digits), ret);
    errno = 0;
    uint64_t value = strtoull(digits + 2, NULL, octal ? 8 : 16);
    if (errno)
        return false;
    *ret = value;
    return true;
}

bool yaml_get_u64(struct yaml *yaml, const struct yaml_node *node, uint64_t min, uint64_t max, uint64_t *ret)
{
    g_autofree char *expected = max == UINT64_MAX
                                    ? g_strdup_printf("a whole number of at least %" PRIu64, min)
                                    : g_strdup_printf("a whole number from %" PRIu64 " to %" PRIu64, min, max);
    const char *digits = node->kind == YAML_INT ? node->text : "";
    uint64_t value;
    if (!magnitude_of(digits + (digits[0] == '+'), &value) || value < min || value > max)
        return yaml_expected(yaml, node, expected);
    *ret = value;
    return true;
}

bool yaml_get_i64(struct yaml *yaml, const struct yaml_node *node, int64_t *ret)
{
    const char *digits = node->kind == YAML_INT ? node->text : "";
    bool negative = digits[0] == '-';
    uint64_t value;
    if (!magnitude_of(digits + (negative || digits[0] == '+'), &value) || value > (uint64_t)INT64_MAX + negative)
        return yaml_expected(yaml, node, "a whole number that fits 64 bits");
    *ret = negative ? (int64_t)(-value) : (int64_t)value;
    return true;
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return yaml->root;
}

const char *yaml_file(const struct yaml *yaml)
{
    return yaml->file;
}

struct slice yaml_text(const struct yaml *yaml)
{
    gsize len;
    const void *data = g_bytes_get_data(yaml->bytes, &len);
    return slice_of(data, len);
}

void yaml_free(struct yaml *yaml)
{
    if (!yaml)
        return;
    arena_free(yaml->mem);
    g_string_chunk_free(yaml->kept);
    g_bytes_unref(yaml->bytes);
    g_free(yaml->file);
    g_free(yaml);
}

static struct yaml *yaml_new(const char *file, GBytes *bytes, struct diags *diags)
{
    struct yaml *yaml = g_new0(struct yaml, 1);
    yaml->file = g_strdup(file);
    yaml->bytes = bytes;
    yaml->diags = diags;
    yaml->mem = arena_new(YAML_MEMORY);
    yaml->kept = g_string_chunk_new(1024);
    return yaml;
}

/* The place of a byte, for faults found before there are nodes. */
static void fail_at(struct yaml *yaml, size_t offset, const char *what)
{
    struct slice text = yaml_text(yaml);
    struct yaml_node at = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset; i++) {
        bool line_ends = text.data[i] == '\n';
        at.line += line_ends;
        at.column = line_ends ? 1 : at.column + 1;
    }
    yaml_diag(yaml, &at, "%s", what);
}

static bool text_is_sound(struct yaml *yaml)
{
    struct slice text = yaml_text(yaml);
    if (text.len > YAML_BYTES) {
        diags_add(yaml->diags, yaml->file, 0, 0, "larger than 1 MiB; such a file is read whole, and never that big");
        return false;
    }
    const char *end;
    if (g_utf8_validate_len((const char *)text.data, text.len, &end))
        return true;
    size_t offset = (size_t)((const uint8_t *)(const void *)end - text.data);
    g_autofree char *what = g_strdup_printf("not UTF-8: byte 0x%02X; save the file as UTF-8", text.data[offset]);
    fail_at(yaml, offset, text.data[offset] ? what : "a byte of zero; is this a text file?");
    return false;
}

static struct yaml *parse_bytes(const char *file, GBytes *bytes, struct diags *diags)
{
    auto_(yaml) yaml = yaml_new(file, bytes, diags);
    if (!text_is_sound(yaml) || !yaml_build(yaml))
        return NULL;
    return g_steal_pointer(&yaml);
}

struct yaml *yaml_parse(const char *file, struct slice text, struct diags *diags)
{
    return parse_bytes(file, g_bytes_new(text.data, text.len), diags);
}

struct yaml *yaml_read(const struct world *world, const char *path, struct diags *diags)
{
    GBytes *bytes;
    g_autoptr(GError) error = NULL;
    if (file_read_all(world, path, YAML_BYTES, &bytes, &error))
        return parse_bytes(path, bytes, diags);
    /* The message begins with the path, as a diag's line does. */
    size_t prefix = strlen(path);
    bool named = strncmp(error->message, path, prefix) == 0 && strncmp(error->message + prefix, ": ", 2) == 0;
    diags_add(diags, path, 0, 0, "%s", error->message + (named ? prefix + 2 : 0));
    return NULL;
}
