#include <string.h>

#include "base/units.h"
#include "record/key.h"
#include "spec/live.h"
#include "spec/rows.h"
#include "spec/schema_forms.h"

enum { NAME_LONGEST = 63, LIST_LONGEST = 1000 };

static const char *keep(struct rows_reader *reader, const char *text)
{
    const char *kept = arena_text(reader->mem, slice_of_text(text));
    g_assert(kept); /* the arena holds more than a whole file */
    return kept;
}

const char *forms_resolve(struct rows_reader *reader, const char *path)
{
    if (g_path_is_absolute(path) || strcmp(reader->dir, ".") == 0)
        return keep(reader, path);
    g_autofree char *resolved = g_build_filename(reader->dir, path, NULL);
    return keep(reader, resolved);
}

static bool read_map(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    return rows_read_map(reader, row->key, node, into);
}

static bool read_one(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    if (node->kind != YAML_INT || strcmp(node->text, "1") != 0)
        return yaml_expected(reader->yaml, node, "1, the only version of this file's form there is");
    return true;
}

static bool read_words(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!yaml_get_text(reader->yaml, node, &text))
        return false;
    *(const char **)row_field(row, into) = keep(reader, text);
    return true;
}

static bool get_plain(struct rows_reader *reader, const struct yaml_node *node, const char **ret)
{
    const char *text;
    if (!yaml_get_text(reader->yaml, node, &text))
        return false;
    if (strstr(text, "${"))
        return yaml_fail(reader->yaml, node,
                         "expected ${NAME}, a param of the spec; ${env:NAME} and ${file:PATH} stand only in 'store'");
    *ret = text;
    return true;
}

static bool read_text(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!get_plain(reader, node, &text))
        return false;
    *(const char **)row_field(row, into) = keep(reader, text);
    return true;
}

static bool read_name(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!yaml_get_text(reader->yaml, node, &text))
        return false;
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    if (text[len] || len > NAME_LONGEST || text[0] == '-')
        return yaml_expected(reader->yaml, node,
                             "a name of at most 63 small letters, digits and '-', not beginning with '-'");
    *(const char **)row_field(row, into) = keep(reader, text);
    return true;
}

static bool read_file(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!get_plain(reader, node, &text))
        return false;
    *(const char **)row_field(row, into) = forms_resolve(reader, text);
    return true;
}

static bool read_list(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    if (node->kind != YAML_LIST)
        return yaml_expected(reader->yaml, node, "a list");
    if (node->n > LIST_LONGEST)
        return yaml_fail(reader->yaml, node, "a list of more than 1000");
    const char **items = arena_alloc0(reader->mem, (node->n + 1) * sizeof(const char *));
    g_assert(items);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const char *text;
        if (!get_plain(reader, node->items[i], &text))
            ok = false;
        else
            items[i] = row->kind == &form_files ? forms_resolve(reader, text) : keep(reader, text);
    }
    const char ***field = row_field(row, into);
    *field = items;
    *(size_t *)(void *)(field + 1) = node->n;
    return ok;
}

static bool read_bool(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    return yaml_get_bool(reader->yaml, node, row_field(row, into));
}

static bool read_count(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    return yaml_get_u64(reader->yaml, node, row->min, row->max, row_field(row, into));
}

static bool read_count32(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    uint64_t value;
    g_assert(row->max <= UINT32_MAX);
    if (!yaml_get_u64(reader->yaml, node, row->min, row->max, &value))
        return false;
    *(uint32_t *)row_field(row, into) = (uint32_t)value;
    return true;
}

static const struct row_word *find_word(const struct spec_row *row, const char *text)
{
    for (const struct row_word *word = row->choices; word->word; word++)
        if (strcmp(word->word, text) == 0)
            return word;
    return NULL;
}

static bool refuse_word(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node)
{
    const char *words[16];
    size_t n = 0;
    for (const struct row_word *word = row->choices; word->word; word++) {
        g_assert(n < G_N_ELEMENTS(words));
        words[n++] = word->word;
    }
    return yaml_unknown(reader->yaml, node, "value", words, n);
}

static bool read_choice(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    if (node->kind == YAML_LIST || node->kind == YAML_MAP || node->kind == YAML_NULL) {
        g_autofree char *expected = g_strdup_printf("one of %s", row->form);
        return yaml_expected(reader->yaml, node, expected);
    }
    const struct row_word *word = find_word(row, node->text);
    if (!word)
        return refuse_word(reader, row, node);
    if (word->acts)
        return rows_refuse(reader, node, word->word, word->acts);
    G_STATIC_ASSERT(sizeof(enum yaml_kind) == sizeof(int)); /* as every enum of this tree */
    memcpy(row_field(row, into), &word->value, sizeof word->value);
    return true;
}

static struct path *get_path(struct rows_reader *reader, const struct yaml_node *node)
{
    const char *text;
    struct path *path = NULL;
    g_autoptr(GError) error = NULL;
    if (!get_plain(reader, node, &text))
        return NULL;
    if (!path_parse(&path, text, &error))
        yaml_diag(reader->yaml, node, "%s", error->message);
    return path;
}

static bool read_path(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct path *path = get_path(reader, node);
    *(struct path **)row_field(row, into) = path;
    return path != NULL;
}

static bool is_repeated(const struct key_paths *paths, const struct path *path)
{
    for (size_t i = 0; i < paths->n; i++)
        if (strcmp(path_text(paths->paths[i]), path_text(path)) == 0)
            return true;
    return false;
}

static bool add_path(struct rows_reader *reader, const struct yaml_node *node, struct key_paths *paths)
{
    auto_(path) path = get_path(reader, node);
    if (!path)
        return false;
    if (is_repeated(paths, path))
        return yaml_fail(reader->yaml, node, "the path '%s' stands twice in the list", path_text(path));
    paths->paths[paths->n++] = g_steal_pointer(&path);
    return true;
}

static bool read_paths(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct key_paths *paths = row_field(row, into);
    if (node->kind == YAML_MAP || (node->kind == YAML_LIST && node->n == 0))
        return yaml_expected(reader->yaml, node, "a path such as user.id, or a list of paths");
    size_t n = node->kind == YAML_LIST ? node->n : 1;
    paths->paths = g_new0(struct path *, n);
    bool ok = true;
    for (size_t i = 0; i < n; i++)
        ok &= add_path(reader, node->kind == YAML_LIST ? node->items[i] : node, paths);
    return ok;
}

const char *forms_quantity(struct rows_reader *reader, const struct yaml_node *node, const char *expected)
{
    if (node->kind == YAML_TEXT || node->kind == YAML_INT || node->kind == YAML_FLOAT)
        return node->text;
    yaml_expected(reader->yaml, node, expected);
    return NULL;
}

static bool refuse_quantity(struct rows_reader *reader, const struct yaml_node *node, const GError *error)
{
    return yaml_fail(reader->yaml, node, "%s", error->message);
}

static bool read_share(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    g_autoptr(GError) error = NULL;
    const char *text = forms_quantity(reader, node, "a share such as 1% or 99.9%");
    if (!text)
        return false;
    double share;
    if (!units_parse_share(text, &share, &error))
        return refuse_quantity(reader, node, error);
    if (share > 1)
        return yaml_expected(reader->yaml, node, "a share of at most 100%");
    *(double *)row_field(row, into) = share;
    return true;
}

static bool read_duration(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    g_autoptr(GError) error = NULL;
    const char *text = forms_quantity(reader, node, "a duration such as 500ms or 30d");
    if (!text)
        return false;
    int64_t ms;
    if (!units_parse_duration_ms(text, &ms, &error))
        return refuse_quantity(reader, node, error);
    *(int64_t *)row_field(row, into) = ms;
    return true;
}

static bool read_rate(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    g_autoptr(GError) error = NULL;
    const char *text = forms_quantity(reader, node, "a rate such as 20000/s");
    if (!text)
        return false;
    double rate;
    if (!units_parse_rate_per_s(text, &rate, &error))
        return refuse_quantity(reader, node, error);
    if (!(rate > 0))
        return yaml_fail(reader->yaml, node, "expected a rate above zero; to stop a run there is `sluice pause`");
    *(double *)row_field(row, into) = rate;
    return true;
}

static bool read_live(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text;
    if (!yaml_get_text(reader->yaml, node, &text))
        return false;
    return spec_live_parse(text, row_field(row, into)) || yaml_expected(reader->yaml, node, SPEC_LIVE_FORM);
}

/* A key with `acts` is refused before its form is asked. */
static bool read_refused(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    return rows_refuse(reader, node, row->key, "it has no reader");
}

const struct row_form form_map = {.read = read_map};
const struct row_form form_one = {.read = read_one, .schema = "{\"const\": 1}"};
const struct row_form form_text = {.read = read_text, .schema = SCHEMA_PLAIN};
const struct row_form form_name = {.read = read_name, .schema = SCHEMA_PATTERN("[a-z0-9][a-z0-9-]{0,62}")};
const struct row_form form_words = {.read = read_words, .schema = SCHEMA_TEXT};
const struct row_form form_file = {.read = read_file, .schema = SCHEMA_PLAIN};
const struct row_form form_files = {.read = read_list, .schema = SCHEMA_LIST(SCHEMA_PLAIN)};
const struct row_form form_texts = {.read = read_list, .schema = SCHEMA_LIST(SCHEMA_PLAIN)};
const struct row_form form_bool = {.read = read_bool, .schema = "{\"type\": \"boolean\"}"};
const struct row_form form_count = {.read = read_count, .schema = "{\"type\": \"integer\"}"};
const struct row_form form_count32 = {.read = read_count32, .schema = "{\"type\": \"integer\"}"};
const struct row_form form_choice = {.read = read_choice};
const struct row_form form_path = {.read = read_path, .schema = SCHEMA_PATH};
const struct row_form form_paths = {
    .read = read_paths,
    .schema = "{\"anyOf\": [" SCHEMA_PATH ", {\"type\": \"array\", \"items\": " SCHEMA_PATH
              ", \"minItems\": 1, \"uniqueItems\": true}]}",
};
const struct row_form form_share = {.read = read_share, .schema = SCHEMA_SHARE};
const struct row_form form_duration = {.read = read_duration, .schema = SCHEMA_DURATION};
const struct row_form form_rate = {.read = read_rate, .schema = SCHEMA_RATE};
const struct row_form form_live = {.read = read_live, .schema = SCHEMA_LIVE};
const struct row_form form_refused = {.read = read_refused};
