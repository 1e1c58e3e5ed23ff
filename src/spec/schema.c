#include <jansson.h>

#include "spec/rows.h"
#include "spec/schema_forms.h"

static json_t *schema_of_map(struct rows rows, const char *prefix);

static bool has_below(struct rows rows, const char *prefix)
{
    size_t len = strlen(prefix);
    for (size_t i = 0; i < rows.n; i++)
        if (strncmp(rows.row[i].key, prefix, len) == 0 && rows.row[i].key[len] == '.')
            return true;
    return false;
}

static json_t *schema_of_words(const struct spec_row *row)
{
    json_t *words = json_array();
    for (const struct row_word *word = row->choices; word->word; word++)
        if (!word->acts)
            json_array_append_new(words, json_string(word->word));
    return json_pack("{s:o}", "enum", words);
}

static json_t *schema_of_text(const struct spec_row *row)
{
    json_error_t fault;
    json_t *schema = json_loads(row->kind->schema, 0, &fault);
    g_assert(schema); /* it stands in our own table */
    if (row->max) {
        json_object_set_new(schema, "minimum", json_integer((json_int_t)row->min));
        json_object_set_new(schema, "maximum", json_integer((json_int_t)row->max));
    }
    return schema;
}

static json_t *schema_of_value(struct rows rows, const struct spec_row *row)
{
    g_autofree char *items = g_strconcat(row->key, "[]", NULL);
    if (row->acts)
        return json_pack("{s:{}}", "not");
    if (row->choices)
        return schema_of_words(row);
    if (row->kind->schema)
        return schema_of_text(row);
    if (has_below(rows, items))
        return json_pack("{s:s, s:i, s:o}", "type", "array", "minItems", 1, "items", schema_of_map(rows, items));
    return schema_of_map(rows, row->key);
}

static json_t *with_param(json_t *schema);

/* Of what a list or a map holds. */
static void params_within(json_t *schema)
{
    json_t *items = json_object_get(schema, "items"), *properties = json_object_get(schema, "properties"), *one;
    const char *name;
    if (items)
        json_object_set_new(schema, "items", with_param(json_deep_copy(items)));
    void *next;
    json_object_foreach_safe(properties, next, name, one)
        json_object_set_new(properties, name, with_param(json_deep_copy(one)));
}

/* A scalar may be ${name}, or have it in it. Takes the schema over. */
static json_t *with_param(json_t *schema)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    json_t *any = json_object_get(schema, "anyOf"), *one;
    size_t i;
    if (any && !type) {
        json_array_foreach(any, i, one) params_within(one);
        json_array_append_new(any, json_loads(SCHEMA_PARAM, 0, NULL));
        return schema;
    }
    params_within(schema);
    bool scalar = !type || (strcmp(type, "array") != 0 && strcmp(type, "object") != 0);
    return scalar ? json_pack("{s:[o, o]}", "anyOf", schema, json_loads(SCHEMA_PARAM, 0, NULL)) : schema;
}

/* Where a value of the file itself is meant: its version, its name, and how params are declared. */
static bool is_fixed(const struct spec_row *row)
{
    return row->kind == &form_one || strcmp(row->key, "name") == 0 || g_str_has_prefix(row->key, "params");
}

/* A default that is a sentence, or is written as YAML only, is left to the description. */
static void add_default(json_t *schema, const struct spec_row *row)
{
    if (!row->fallback || row->decided || row->acts)
        return;
    json_t *value = json_loads(row->fallback, JSON_DECODE_ANY, NULL);
    if (!value && !strpbrk(row->fallback, "[{"))
        value = json_string(row->fallback);
    if (value)
        json_object_set_new(schema, "default", value);
}

static json_t *schema_of_row(struct rows rows, const struct spec_row *row)
{
    json_t *schema = schema_of_value(rows, row);
    json_t *beside = row->kind->schema_beside ? json_loads(row->kind->schema_beside, 0, NULL) : NULL;
    if (beside)
        json_object_update(schema, beside);
    json_decref(beside);
    if (rows.params && !row->acts && (row->kind->schema || row->choices) && !is_fixed(row))
        schema = with_param(schema);
    g_autofree char *words = row->acts
                                 ? g_strdup_printf("%s (this version does not act on it: %s)", row->words, row->acts)
                             : row->fallback ? g_strdup_printf("%s (default: %s)", row->words, row->fallback)
                                             : g_strdup(row->words);
    json_object_set_new(schema, "description", json_string(words));
    add_default(schema, row);
    return schema;
}

static json_t *schema_of_map(struct rows rows, const char *prefix)
{
    json_t *properties = json_object(), *required = json_array();
    json_t *schema = json_pack("{s:s}", "type", "object");
    size_t len = strlen(prefix);
    const struct spec_row *any = NULL;
    for (size_t i = 0; i < rows.n; i++) {
        const struct spec_row *row = &rows.row[i];
        if (len && (strncmp(row->key, prefix, len) != 0 || row->key[len] != '.'))
            continue;
        const char *name = row->key + len + (len > 0);
        if (strcmp(name, "*") == 0)
            any = row;
        if (strpbrk(name, ".[*"))
            continue;
        json_object_set_new(properties, name, schema_of_row(rows, row));
        if (row->required)
            json_array_append_new(required, json_string(name));
    }
    if (json_object_size(properties))
        json_object_set(schema, "properties", properties);
    if (json_array_size(required))
        json_object_set(schema, "required", required);
    json_object_set_new(schema, "additionalProperties", any ? schema_of_row(rows, any) : json_false());
    json_decref(properties);
    json_decref(required);
    return schema;
}

char *rows_schema_json(struct rows rows, const char *title)
{
    json_t *schema = json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", title);
    json_t *map = schema_of_map(rows, "");
    json_t *beside = rows.schema_beside ? json_loads(rows.schema_beside, 0, NULL) : NULL;
    json_object_update(schema, map);
    json_object_update(schema, beside);
    json_decref(beside);
    char *dumped = json_dumps(schema, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    char *text = g_strdup(dumped);
    free(dumped);
    json_decref(map);
    json_decref(schema);
    return text;
}
