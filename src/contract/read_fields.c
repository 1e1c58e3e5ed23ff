/* `fields:`: where each field stands in the tree. */
#include "contract/read.h"
#include "record/path.h"

enum { PATH_LONGEST = 1024 };

void *reading_take(struct reading *reading, size_t len)
{
    void *memory = arena_alloc0(reading->contract->mem, len);
    g_assert(memory); /* what one file of YAML_BYTES can ask for fits */
    return memory;
}

const char *reading_keep(struct reading *reading, const char *text)
{
    const char *kept = arena_text(reading->contract->mem, slice_of_text(text));
    g_assert(kept);
    return kept;
}

/* Where fields are added: the object they are of, and what their paths begin with. */
struct place {
    struct fields *fields;
    const char *path; /* "" at the top */
    size_t depth;
};

static struct field *new_field(struct reading *reading, const struct place *place, struct slice name,
                               const struct yaml_node *at)
{
    struct field *field = reading_take(reading, sizeof *field);
    g_autofree char *text = g_strndup((const char *)name.data, name.len);
    g_autofree char *path = g_strconcat(place->path, place->path[0] ? "." : "", text, NULL);
    *field = (struct field){
        .name = slice_of_text(reading_keep(reading, text)),
        .path = reading_keep(reading, path),
        .line = at->line,
        .column = at->column,
        .type = FIELD_OBJECT,
        .depth = place->depth + 1,
    };
    return field;
}

static struct field *add_field(struct reading *reading, const struct place *place, struct slice name,
                               const struct yaml_node *at)
{
    struct contract *contract = reading->contract;
    if (place->fields->n == FIELDS_MOST || contract->n_fields == FIELDS_TOTAL) {
        yaml_diag(reading->yaml, at, "more than %d fields of one object, or %d in all", FIELDS_MOST, FIELDS_TOTAL);
        return NULL;
    }
    struct field *field = new_field(reading, place, name, at);
    fields_add(contract, place->fields, field);
    contract->n_fields++;
    return field;
}

static struct fields *fields_below(struct reading *reading, struct field *field)
{
    if (!field->fields)
        field->fields = fields_new(reading->contract);
    return field->fields;
}

/* One step down a dotted path. */
static bool descend(struct reading *reading, struct place *place, struct slice name, const struct yaml_node *key)
{
    struct field *field = fields_named(place->fields, name);
    if (field && field->declared && field->type != FIELD_OBJECT)
        return yaml_fail(reading->yaml, key, "'%s' lies below '%s' on line %" G_GUINT32_FORMAT ", which is %s",
                         key->text, field->path, field->line, type_row(field->type)->article);
    if (!field)
        field = add_field(reading, place, name, key);
    if (!field)
        return false;
    *place = (struct place){.fields = fields_below(reading, field), .path = field->path, .depth = field->depth};
    return true;
}

/* The field that a key names: new, or an object that until now only its fields named. */
static struct field *find_place(struct reading *reading, struct place place, const struct yaml_node *key)
{
    g_autoptr(GError) error = NULL;
    auto_(path) path = NULL;
    if (strlen(key->text) > PATH_LONGEST || !path_parse(&path, key->text, &error)) {
        yaml_diag(reading->yaml, key, "%s", error ? error->message : "a path of more than 1024 bytes");
        return NULL;
    }
    size_t last = path_count(path) - 1;
    if (place.depth + last >= DOCUMENT_DEPTH) {
        yaml_diag(reading->yaml, key, "a field deeper than a document may be nested (%d)", DOCUMENT_DEPTH);
        return NULL;
    }
    for (size_t i = 0; i < last; i++)
        if (!descend(reading, &place, path_name(path, i), key))
            return NULL;
    struct field *field = fields_named(place.fields, path_name(path, last));
    if (field && field->declared) {
        yaml_diag(reading->yaml, key, "the field '%s' was there already, on line %" G_GUINT32_FORMAT, field->path,
                  field->line);
        return NULL;
    }
    return field ? field : add_field(reading, &place, path_name(path, last), key);
}

static void read_map_of_fields(struct reading *reading, const struct place *place, const struct yaml_node *node);

static void check_in_array(struct reading *reading, const struct field_wish *wish, const struct yaml_node *node)
{
    if (wish->required)
        yaml_diag(reading->yaml, node, "'required' has no meaning for what stands in an array; see 'length'");
    if (wish->fallback)
        yaml_diag(reading->yaml, wish->fallback, "'default' has no meaning for what stands in an array");
}

static void build(struct reading *reading, struct field *field, const struct yaml_node *node, bool in_array);

static void read_items(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    g_autofree char *path = g_strconcat(field->path, "[]", NULL);
    struct place place = {.path = "", .depth = field->depth};
    if (field->depth >= DOCUMENT_DEPTH) {
        yaml_diag(reading->yaml, node, "deeper than a document may be nested (%d)", DOCUMENT_DEPTH);
        return;
    }
    field->items = new_field(reading, &place, slice_of_text(path), node);
    build(reading, field->items, node, true);
}

/* Everything about a field but its default, which may need fields that are not there yet. */
static void build(struct reading *reading, struct field *field, const struct yaml_node *node, bool in_array)
{
    struct field_wish wish = {.type = FIELD_STRING};
    const struct field *child = field->fields && field->fields->n ? field->fields->list[0] : NULL;
    size_t faults = diags_count(reading->diags);
    field->declared = true;
    bool read = rows_read_map(&reading->rows, "fields.*", node, &wish);
    field->type = wish.type;
    field->required = wish.required;
    field->nullable = wish.nullable;
    if (read && child && wish.type != FIELD_OBJECT)
        yaml_diag(reading->yaml, node, "'%s' is %s, but '%s' on line %" G_GUINT32_FORMAT " lies below it", field->path,
                  type_row(wish.type)->article, child->path, child->line);
    if (read)
        read_options(reading, field, &wish);
    if (in_array)
        check_in_array(reading, &wish, node);
    if (wish.items && wish.type == FIELD_ARRAY)
        read_items(reading, field, wish.items);
    if (wish.fields && wish.type == FIELD_OBJECT) {
        struct place place = {.fields = fields_below(reading, field), .path = field->path, .depth = field->depth};
        read_map_of_fields(reading, &place, wish.fields);
    }
    field->sound = diags_count(reading->diags) == faults;
    if (wish.fallback && field->sound) {
        struct fallback_wish later = {.field = field, .node = wish.fallback};
        g_array_append_val(reading->fallbacks, later);
    }
}

static void read_map_of_fields(struct reading *reading, const struct place *place, const struct yaml_node *node)
{
    if (node->kind != YAML_MAP || node->n == 0) {
        yaml_expected(reading->yaml, node, "a map of fields such as { username: { type: string } }");
        return;
    }
    for (size_t i = 0; i < node->n; i++) {
        struct field *field = find_place(reading, *place, node->pairs[i].key);
        if (!field)
            continue;
        field->line = node->pairs[i].key->line;
        field->column = node->pairs[i].key->column;
        build(reading, field, node->pairs[i].value, false);
    }
}

static int deepest_first(const void *left, const void *right)
{
    const struct fallback_wish *a = left, *b = right;
    return (a->field->depth < b->field->depth) - (a->field->depth > b->field->depth);
}

void read_fields(struct reading *reading, const struct yaml_node *node)
{
    struct contract *contract = reading->contract;
    struct place top = {.fields = contract->fields, .path = ""};
    read_map_of_fields(reading, &top, node);
    fields_index(contract, contract->fields);
    /* A default may hold fields that have defaults themselves. */
    g_array_sort(reading->fallbacks, deepest_first);
    for (size_t i = 0; i < reading->fallbacks->len; i++) {
        const struct fallback_wish *wish = &g_array_index(reading->fallbacks, struct fallback_wish, i);
        read_fallback(reading, wish->field, wish->node);
    }
    fields_settle(contract->fields);
}
