/* Every value of a spec, whether the file says it or not: for whoever asks what is in force, and since where. */
#include <string.h>

#include "spec/params.h"
#include "spec/spec.h"
#include "spec/spec_rows.h"
#include "spec/yaml.h"

struct collecting {
    GArray *values;
    struct rows rows;
    const struct spec *spec;
};

static void free_value(void *value)
{
    struct spec_value *one = value;
    g_free(one->key);
    g_free(one->text);
}

/* --- as the file writes it, on one line
 * ----------------------------------------------------------------------------------- */

static void put_node(GString *into, const struct yaml_node *node)
{
    bool list = node->kind == YAML_LIST;
    if (!list && node->kind != YAML_MAP) {
        g_string_append(into, node->text);
        return;
    }
    g_string_append(into, list ? "[" : "{ ");
    for (size_t i = 0; i < node->n; i++) {
        g_string_append(into, i ? ", " : "");
        if (!list)
            g_string_append_printf(into, "%s: ", node->pairs[i].key->text);
        put_node(into, list ? node->items[i] : node->pairs[i].value);
    }
    g_string_append(into, list ? "]" : " }");
}

/* --- one by one
 * ----------------------------------------------------------------------------------------------------------- */

static void add(struct collecting *to, const struct spec_row *row, const char *key, const struct yaml_node *node)
{
    GString *text = node ? g_string_new(NULL) : NULL;
    if (text)
        put_node(text, node);
    struct spec_value value = {.row = row,
                               .key = g_strdup(key),
                               .text = text ? g_string_free(text, FALSE) : NULL,
                               .line = node ? node->line : 0};
    g_array_append_val(to->values, value);
}

static bool leads_on(struct rows rows, const char *key, char by)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < rows.n; i++)
        if (strncmp(rows.row[i].key, key, len) == 0 && rows.row[i].key[len] == by)
            return true;
    return false;
}

static void collect(struct collecting *to, const char *prefix, const char *shown, const struct yaml_node *map);

static void collect_items(struct collecting *to, const char *key, const char *shown, const struct yaml_node *list)
{
    g_autofree char *prefix = g_strconcat(key, "[]", NULL);
    for (size_t i = 0; i < list->n; i++) {
        g_autofree char *item = g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", shown, i);
        collect(to, prefix, item, list->items[i]);
    }
}

/* Values, not how they are declared. */
static void add_params(struct collecting *to, const struct spec_row *row)
{
    if (to->spec->n_params == 0)
        add(to, row, row->key, NULL);
    for (size_t i = 0; i < to->spec->n_params; i++) {
        const struct spec_param *param = &to->spec->params[i];
        struct spec_value value = {.row = row,
                                   .key = g_strconcat(row->key, ".", param->name, NULL),
                                   .text = g_strdup(param->value),
                                   .line = param->given ? 0 : param->line,
                                   .given = param->given};
        g_array_append_val(to->values, value);
    }
}

/* A map or a list of maps says what stands in it. A map that is not there, and whose own default is a sentence
 * (`transform`), has nothing below it. */
static void collect_row(struct collecting *to, const struct spec_row *row, const char *shown,
                        const struct yaml_node *node)
{
    bool map = leads_on(to->rows, row->key, '.');
    if (row->kind == &form_params) {
        add_params(to, row);
        return;
    }
    if (map && (node ? node->kind == YAML_MAP : !row->fallback))
        collect(to, row->key, shown, node);
    else if (node && node->kind == YAML_LIST && leads_on(to->rows, row->key, '['))
        collect_items(to, row->key, shown, node);
    else
        add(to, row, shown, node);
}

static void collect(struct collecting *to, const char *prefix, const char *shown, const struct yaml_node *map)
{
    size_t len = strlen(prefix);
    for (size_t i = 0; i < to->rows.n; i++) {
        const struct spec_row *row = &to->rows.row[i];
        const char *name = row->key + len + (len > 0);
        if ((len && (strncmp(row->key, prefix, len) != 0 || row->key[len] != '.')) || strpbrk(name, ".["))
            continue;
        g_autofree char *key = g_strconcat(shown, len ? "." : "", name, NULL);
        const struct yaml_node *node = map ? yaml_find(map, name) : NULL;
        if (!row->acts)
            collect_row(to, row, key, node);
    }
}

GArray *spec_values(const struct spec *spec)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse(spec->path, spec->source_text, diags);
    auto_(arena) mem = arena_new(TREE_MEMORY);
    struct collecting to = {
        .values = g_array_new(FALSE, FALSE, sizeof(struct spec_value)), .rows = spec_table(), .spec = spec};
    g_array_set_clear_func(to.values, free_value);
    if (yaml)
        collect(&to, "", "", params_put(yaml, spec, mem));
    return to.values;
}
