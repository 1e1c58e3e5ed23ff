#include "spec/rows.h"

#include "base/nearest.h"

void rows_init(struct rows_reader *reader, struct yaml *yaml, struct rows rows, struct arena *mem, const char *dir)
{
    *reader = (struct rows_reader){.yaml = yaml, .rows = rows, .mem = mem, .dir = dir};
    reader->seen = g_new0(const struct yaml_node *, rows.n);
}

void rows_done(struct rows_reader *reader)
{
    g_free(reader->seen);
}

const struct spec_row *rows_find(struct rows rows, const char *key)
{
    for (size_t i = 0; i < rows.n; i++)
        if (strcmp(rows.row[i].key, key) == 0)
            return &rows.row[i];
    return NULL;
}

const char *rows_nearest(struct rows rows, const char *key)
{
    g_autofree const char **words = g_new(const char *, rows.n);
    for (size_t i = 0; i < rows.n; i++)
        words[i] = rows.row[i].key;
    return nearest_word(key, words, rows.n);
}

/* --- keys as users type them
 * ------------------------------------------------------------------------------------------ */

/* The length of the name at `at`, without its [] or [2]; *ret_next is behind its dot, NULL where nothing follows. */
static size_t name_at(const char *at, const char **ret_next)
{
    const char *dot = strchr(at, '.');
    size_t len = dot ? (size_t)(dot - at) : strlen(at);
    *ret_next = dot ? dot + 1 : NULL;
    return at[len ? len - 1 : 0] == ']' ? strcspn(at, "[") : len;
}

static bool fits(const char *key, const char *typed)
{
    const char *key_next, *typed_next;
    if (!key || !typed)
        return !key && !typed;
    size_t key_len = name_at(key, &key_next), len = name_at(typed, &typed_next);
    if (len == 0)
        return false;
    if (*key == '*')
        return fits(key_next, typed_next) || (typed_next && fits(key, typed_next));
    return len == key_len && strncmp(key, typed, len) == 0 && fits(key_next, typed_next);
}

bool rows_key_fits(const char *key, const char *typed, bool *ret_whole)
{
    const char *at = key;
    bool found = fits(key, typed);
    if (ret_whole)
        *ret_whole = found;
    while (!found && (at = strchr(at, '.'))) {
        at++;
        found = *at != '*' && fits(at, typed);
    }
    return found;
}

const struct yaml_node *rows_seen(const struct rows_reader *reader, const char *key)
{
    const struct spec_row *row = rows_find(reader->rows, key);
    g_assert(row);
    return reader->seen[row - reader->rows.row];
}

bool rows_refuse(struct rows_reader *reader, const struct yaml_node *at, const char *what, const char *why)
{
    return yaml_fail(reader->yaml, at, "'%s': this version does not act on it: %s", what, why);
}

/* The name of a row right below `prefix`; NULL where it stands elsewhere. */
static const char *child_name(const struct spec_row *row, const char *prefix)
{
    size_t len = strlen(prefix);
    if (len && (strncmp(row->key, prefix, len) != 0 || row->key[len] != '.'))
        return NULL;
    const char *name = row->key + len + (len > 0);
    return strpbrk(name, ".[*") ? NULL : name;
}

static const struct spec_row *find_child(struct rows rows, const char *prefix, const char *name)
{
    for (size_t i = 0; i < rows.n; i++) {
        const char *child = child_name(&rows.row[i], prefix);
        if (child && strcmp(child, name) == 0)
            return &rows.row[i];
    }
    return NULL;
}

/* A key that is known elsewhere: `conflict` at the top belongs below `target`. */
static const struct spec_row *find_elsewhere(struct rows rows, const char *name)
{
    for (size_t i = 0; i < rows.n; i++) {
        const char *dot = strrchr(rows.row[i].key, '.');
        if (strcmp(dot ? dot + 1 : rows.row[i].key, name) == 0)
            return &rows.row[i];
    }
    return NULL;
}

static bool refuse_unknown(struct rows_reader *reader, const char *prefix, const struct yaml_node *key)
{
    g_autofree const char **words = g_new(const char *, reader->rows.n);
    size_t n = 0;
    for (size_t i = 0; i < reader->rows.n; i++) {
        const char *name = child_name(&reader->rows.row[i], prefix);
        if (name)
            words[n++] = name;
    }
    const struct spec_row *elsewhere = find_elsewhere(reader->rows, key->text);
    if (elsewhere && !nearest_word(key->text, words, n))
        return yaml_fail(reader->yaml, key, "unknown key '%s' in this place; it is known as '%s'", key->text,
                         elsewhere->key);
    return yaml_unknown(reader->yaml, key, "key", words, n);
}

static bool read_pair(struct rows_reader *reader, const char *prefix, const struct yaml_pair *pair, void *into)
{
    const struct spec_row *row = find_child(reader->rows, prefix, pair->key->text);
    if (!row)
        return refuse_unknown(reader, prefix, pair->key);
    reader->seen[row - reader->rows.row] = pair->value;
    if (row->acts)
        return rows_refuse(reader, pair->key, row->key, row->acts);
    if (pair->value->broken)
        return false;
    return row->kind->read(reader, row, pair->value, into);
}

/* Defaults go the way of written values: there is no second list of them. */
static void read_fallback(struct rows_reader *reader, const struct spec_row *row, void *into)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse(row->key, slice_of_text(row->fallback), diags);
    g_assert(yaml);
    struct rows_reader inner = *reader;
    inner.yaml = yaml;
    bool ok = row->kind->read(&inner, row, yaml_root(yaml), into);
    g_assert(ok && diags_count(diags) == 0);
}

static void read_fallbacks(struct rows_reader *reader, const char *prefix, void *into);

static void fill_in(struct rows_reader *reader, const struct spec_row *row, void *into)
{
    if (row->kind == &form_map && !row->acts)
        read_fallbacks(reader, row->key, into);
    else if (row->fallback && !row->decided && !row->acts)
        read_fallback(reader, row, into);
}

/* The defaults below a map that the file does not have. */
static void read_fallbacks(struct rows_reader *reader, const char *prefix, void *into)
{
    for (size_t i = 0; i < reader->rows.n; i++)
        if (child_name(&reader->rows.row[i], prefix))
            fill_in(reader, &reader->rows.row[i], into);
}

static bool read_absent(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *map, void *into)
{
    if (row->required)
        return yaml_fail(reader->yaml, map, "the key '%s' is missing: %s; for example %s", row->key, row->words,
                         row->example);
    fill_in(reader, row, into);
    return true;
}

bool rows_read_map(struct rows_reader *reader, const char *prefix, const struct yaml_node *map, void *into)
{
    if (map->kind != YAML_MAP)
        return yaml_expected(reader->yaml, map, "a map of keys");
    bool ok = true;
    for (size_t i = 0; i < map->n; i++)
        ok &= read_pair(reader, prefix, &map->pairs[i], into);
    for (size_t i = 0; i < reader->rows.n; i++) {
        const struct spec_row *row = &reader->rows.row[i];
        const char *name = child_name(row, prefix);
        if (name && !yaml_find(map, name))
            ok &= read_absent(reader, row, map, into);
    }
    return ok;
}
