#include "record/diff.h"

#include "record/digest.h"
#include "record/element.h"

struct diff {
    struct arena *mem;
    GArray *into;
    GString *path; /* of the object at hand, with the dot behind it */
};

static bool no_room(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "what differs does not fit into its memory");
}

/* One value as JSON: a document of it alone, without what is around it. */
static bool value_text(const struct element *element, struct arena *mem, const char **ret, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(GString) json = g_string_new(NULL);
    const uint8_t head[] = {0, 0, 0, 0, element->type, 'v', 0}, end = 0;
    g_byte_array_append(bytes, head, sizeof head);
    g_byte_array_append(bytes, element->value.data, (guint)element->value.len);
    g_byte_array_append(bytes, &end, 1);
    uint32_t len = GUINT32_TO_LE(bytes->len);
    memcpy(bytes->data, &len, sizeof len);
    if (!document_to_json(slice_of(bytes->data, bytes->len), json, error))
        return false;
    const char *colon = strchr(json->str, ':') + 1;
    *ret = arena_text(mem, slice_of(colon, json->len - (size_t)(colon - json->str) - 1));
    return *ret || no_room(error);
}

static bool add(struct diff *diff, const struct element *before, const struct element *after, GError **error)
{
    struct diff_change change = {.path = arena_text(diff->mem, slice_of(diff->path->str, diff->path->len - 1))};
    if (!change.path)
        return no_room(error);
    change.before_type = before ? element_type_name(before) : NULL;
    change.after_type = after ? element_type_name(after) : NULL;
    if ((before && !value_text(before, diff->mem, &change.before, error)) ||
        (after && !value_text(after, diff->mem, &change.after, error)))
        return false;
    g_array_append_val(diff->into, change);
    return true;
}

/* The fields of an object by name; an empty slice has none. */
static bool fields_of(struct slice document, GArray *into, GError **error)
{
    struct elements elements;
    struct element element;
    enum element_result result = ELEMENT_END;
    if (document.len == 0)
        return true;
    if (!elements_of(document, &elements))
        return element_fault(ELEMENT_DAMAGED, NULL, error);
    while ((result = element_next(&elements, &element)) == ELEMENT_OK)
        g_array_append_val(into, element);
    return result == ELEMENT_END || element_fault(result, &element, error);
}

static void path_push(GString *path, struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '.' || name.data[i] == '\\')
            g_string_append_c(path, '\\');
        g_string_append_c(path, (char)name.data[i]);
    }
    g_string_append_c(path, '.');
}

static guint name_hash(gconstpointer element)
{
    return (guint)digest_bytes(((const struct element *)element)->name, 0).low;
}

static gboolean name_same(gconstpointer a, gconstpointer b)
{
    return slice_equal(((const struct element *)a)->name, ((const struct element *)b)->name);
}

static GHashTable *by_name(GArray *fields)
{
    GHashTable *table = g_hash_table_new(name_hash, name_same);
    for (guint i = 0; i < fields->len; i++)
        g_hash_table_add(table, &g_array_index(fields, struct element, i));
    return table;
}

static bool objects(struct diff *diff, struct slice before, struct slice after, GError **error);

static bool one_field(struct diff *diff, const struct element *before, const struct element *after, GError **error)
{
    bool same = before && after && before->type == after->type;
    if (same && slice_equal(before->value, after->value))
        return true;
    size_t len = diff->path->len;
    path_push(diff->path, after ? after->name : before->name);
    bool ok = same && after->type == BSON_TYPE_DOCUMENT ? objects(diff, before->value, after->value, error)
                                                        : add(diff, before, after, error);
    g_string_truncate(diff->path, len);
    return ok;
}

static bool objects(struct diff *diff, struct slice before, struct slice after, GError **error)
{
    g_autoptr(GArray) old = g_array_new(FALSE, FALSE, sizeof(struct element));
    g_autoptr(GArray) new = g_array_new(FALSE, FALSE, sizeof(struct element));
    if (!fields_of(before, old, error) || !fields_of(after, new, error))
        return false;
    g_autoptr(GHashTable) in_old = by_name(old);
    g_autoptr(GHashTable) in_new = by_name(new);
    for (guint i = 0; i < new->len; i++) {
        const struct element *field = &g_array_index(new, struct element, i);
        if (!one_field(diff, g_hash_table_lookup(in_old, field), field, error))
            return false;
    }
    for (guint i = 0; i < old->len; i++) {
        const struct element *field = &g_array_index(old, struct element, i);
        if (!g_hash_table_contains(in_new, field) && !one_field(diff, field, NULL, error))
            return false;
    }
    return true;
}

bool diff_documents(struct slice before, struct slice after, struct arena *mem, GArray *into, GError **error)
{
    g_autoptr(GString) path = g_string_new(NULL);
    struct diff diff = {.mem = mem, .into = into, .path = path};
    return objects(&diff, before, after, error);
}
