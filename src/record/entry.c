#include "record/entry.h"

#include "record/path_element.h"

#define WHOLE_KEY "key"

enum field_is { FIELD_VALUE, FIELD_KEY, FIELD_KEY_PART };

struct entry_field {
    char *name;
    struct path *path;
    enum field_is is;
    size_t part; /* KEY_PART */
};

/* texts[i], then the field fields[i], …, and a last text. */
struct pattern {
    size_t n;
    size_t fields[ENTRY_FIELDS_MOST];
    GString *texts[ENTRY_FIELDS_MOST + 1];
};

struct entry_shape {
    struct entry_field fields[ENTRY_FIELDS_MOST];
    size_t n_fields, key_parts;
    struct pattern place, entry;
};

/* --- what a spec says ----------------------------------------------------------------------------------------------
 */

static enum field_is field_is(const struct entry_texts *texts, const char *name, size_t *ret_part)
{
    if (strcmp(name, WHOLE_KEY) == 0)
        return FIELD_KEY;
    for (size_t i = 0; texts->key && i < texts->key->n; i++)
        if (strcmp(path_text(texts->key->paths[i]), name) == 0) {
            *ret_part = i;
            return FIELD_KEY_PART;
        }
    return FIELD_VALUE;
}

/* Place and entry may both have it. */
static bool field_add(struct entry_shape *shape, const struct entry_texts *texts, const char *name, size_t *ret,
                      GError **error)
{
    auto_(path) path = NULL;
    for (*ret = 0; *ret < shape->n_fields; ++*ret)
        if (strcmp(shape->fields[*ret].name, name) == 0)
            return true;
    if (shape->n_fields == ENTRY_FIELDS_MOST)
        return error_set(error, SLUICE_ERROR_SPEC, "more than %u placeholders", ENTRY_FIELDS_MOST);
    if (!path_parse(&path, name, error))
        return error_add(error, "the placeholder '{%s}'", name);
    struct entry_field *field = &shape->fields[shape->n_fields++];
    field->name = g_strdup(name);
    field->path = g_steal_pointer(&path);
    field->is = field_is(texts, name, &field->part);
    return true;
}

static bool place_read(struct entry_shape *shape, const struct entry_texts *texts, struct pattern *into,
                       const char **at, GError **error)
{
    const char *name = *at + 1, *end = strchr(name, '}');
    size_t field;
    if (!end)
        return error_set(error, SLUICE_ERROR_SPEC, "the '{' at '%s' has no '}'; write {{ for the character", *at);
    if (end == name)
        return error_set(error, SLUICE_ERROR_SPEC,
                         "'{}' names nothing; write the path of a field, such as {status}, or {" WHOLE_KEY
                         "} for the record's key");
    if (into->n && into->texts[into->n]->len == 0)
        return error_set(error, SLUICE_ERROR_SPEC,
                         "two placeholders have nothing between them at '%s': where one ends could not be told", *at);
    if (into->n == ENTRY_FIELDS_MOST)
        return error_set(error, SLUICE_ERROR_SPEC, "more than %u placeholders", ENTRY_FIELDS_MOST);
    g_autofree char *copy = g_strndup(name, (size_t)(end - name));
    if (!field_add(shape, texts, copy, &field, error))
        return false;
    into->fields[into->n++] = field;
    into->texts[into->n] = g_string_new(NULL);
    *at = end + 1;
    return true;
}

/* One character, or one that is written as two, or a byte that is written as four. */
static bool character_read(struct pattern *into, const char **at, GError **error)
{
    char c = **at;
    bool escape = c == '\\', brace = c == '{' || c == '}', doubled = brace && (*at)[1] == c;
    GString *text = into->texts[into->n];
    if (escape && (*at)[1] == 'x' && g_ascii_isxdigit((*at)[2]) && g_ascii_isxdigit((*at)[3])) {
        g_string_append_c(text, (char)(g_ascii_xdigit_value((*at)[2]) * 16 + g_ascii_xdigit_value((*at)[3])));
        *at += 4;
        return true;
    }
    if (escape && !(*at)[1])
        return error_set(error, SLUICE_ERROR_SPEC, "it ends with a '\\' that stands before nothing; write \\\\");
    if (brace && !doubled)
        return error_set(error, SLUICE_ERROR_SPEC, "the '}' at '%s' ends nothing; write }} for the character", *at);
    *at += escape || doubled;
    g_string_append_c(text, **at);
    ++*at;
    return true;
}

static bool pattern_read(struct entry_shape *shape, const struct entry_texts *texts, const char *text,
                         struct pattern *into, GError **error)
{
    into->texts[0] = g_string_new(NULL);
    for (const char *at = text; *at;)
        if (!(*at == '{' && at[1] != '{' ? place_read(shape, texts, into, &at, error)
                                         : character_read(into, &at, error)))
            return error_add(error, "'%s'", text);
    return true;
}

/* An entry that says whose it is has the key, or all parts of it, in itself or by its place. */
static bool check_key(const struct entry_shape *shape, const struct entry_texts *texts, GError **error)
{
    size_t parts = 0;
    for (size_t i = 0; i < shape->n_fields; i++) {
        if (shape->fields[i].is == FIELD_KEY)
            return true;
        parts += shape->fields[i].is == FIELD_KEY_PART;
    }
    return (shape->key_parts && parts == shape->key_parts) ||
           error_set(error, SLUICE_ERROR_SPEC,
                     "the entry '%s' does not say whose it is: it names its record by {" WHOLE_KEY
                     "}, the record's key, or by each field of which `key` is made",
                     texts->entry);
}

bool entry_shape_new(struct entry_shape **ret, const struct entry_texts *texts, GError **error)
{
    auto_(entry_shape) shape = g_new0(struct entry_shape, 1);
    shape->key_parts = texts->key ? texts->key->n : 0;
    if (!pattern_read(shape, texts, texts->place, &shape->place, error) ||
        !pattern_read(shape, texts, texts->entry, &shape->entry, error) || !check_key(shape, texts, error))
        return false;
    *ret = g_steal_pointer(&shape);
    return true;
}

static void pattern_done(struct pattern *pattern)
{
    for (size_t i = 0; i <= pattern->n; i++)
        if (pattern->texts[i])
            g_string_free(pattern->texts[i], TRUE);
}

void entry_shape_free(struct entry_shape *shape)
{
    if (!shape)
        return;
    pattern_done(&shape->place);
    pattern_done(&shape->entry);
    for (size_t i = 0; i < shape->n_fields; i++) {
        g_free(shape->fields[i].name);
        path_free(shape->fields[i].path);
    }
    g_free(shape);
}

size_t entry_places(const struct entry_shape *shape)
{
    return shape->place.n;
}

/* --- from the record -----------------------------------------------------------------------------------------------
 */

static bool too_big(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "entries of an index do not fit into the memory of a batch");
}

static struct slice text_at(const struct pattern *pattern, size_t i)
{
    return slice_of(pattern->texts[i]->str, pattern->texts[i]->len);
}

/* `values` by field. */
static bool glue(const struct pattern *pattern, const struct slice *values, struct arena *mem, struct slice *ret,
                 GError **error)
{
    size_t len = text_at(pattern, pattern->n).len;
    for (size_t i = 0; i < pattern->n; i++)
        len += text_at(pattern, i).len + values[pattern->fields[i]].len;
    uint8_t *bytes = arena_alloc(mem, len + 1), *at = bytes;
    if (!bytes)
        return too_big(error);
    for (size_t i = 0; i <= pattern->n; i++) {
        struct slice text = text_at(pattern, i), value = i < pattern->n ? values[pattern->fields[i]] : SLICE_EMPTY;
        memcpy(at, text.data, text.len);
        at += text.len;
        if (value.len)
            memcpy(at, value.data, value.len);
        at += value.len;
    }
    *ret = slice_of(bytes, len);
    return true;
}

static bool place_of(const struct entry_shape *shape, const struct slice *values, struct arena *mem, struct slice *ret,
                     GError **error)
{
    const struct pattern *place = &shape->place;
    struct slice parts[ENTRY_FIELDS_MOST];
    for (size_t i = 0; i < place->n; i++)
        parts[i] = values[place->fields[i]];
    if (place->n > 1)
        return key_join(parts, place->n, mem, ret, error);
    *ret = place->n ? parts[0] : text_at(place, 0);
    return true;
}

/* What a record has for each field: of struct slice. */
struct having {
    const struct entry_shape *shape;
    struct slice key;
    struct arena *mem;
    GArray *values[ENTRY_FIELDS_MOST];
};

static bool add_text(struct having *having, size_t field, const struct element *element, GError **error)
{
    char text[ELEMENT_TEXT];
    struct slice value, kept;
    if (element->type == BSON_TYPE_NULL)
        return true;
    if (!element_as_text(element, text, &value))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is %s, of which no entry can be made",
                         having->shape->fields[field].name, element_type_name(element));
    if (!arena_copy(having->mem, value, &kept))
        return too_big(error);
    if (kept.len)
        g_array_append_val(having->values[field], kept);
    return true;
}

static bool add_items(struct having *having, size_t field, struct slice list, GError **error)
{
    struct elements elements;
    struct element element;
    enum element_result result = ELEMENT_DAMAGED;
    if (!elements_of(list, &elements))
        return element_fault(result, NULL, error);
    while ((result = element_next(&elements, &element)) == ELEMENT_OK)
        if (!add_text(having, field, &element, error))
            return false;
    return result == ELEMENT_END || element_fault(result, &element, error);
}

static bool add_key(struct having *having, size_t field, GError **error)
{
    const struct entry_field *of = &having->shape->fields[field];
    size_t n = having->shape->key_parts;
    struct slice value = having->key;
    if (of->is == FIELD_KEY_PART && n > 1) {
        struct slice *parts = arena_alloc(having->mem, n * sizeof *parts);
        if (!parts)
            return too_big(error);
        if (!key_split(having->key, having->mem, parts, n, error))
            return false;
        value = parts[of->part];
    }
    g_array_append_val(having->values[field], value);
    return true;
}

static bool have_all(struct having *having, struct slice document, GError **error)
{
    struct element element;
    for (size_t i = 0; i < having->shape->n_fields; i++) {
        const struct entry_field *field = &having->shape->fields[i];
        if (field->is != FIELD_VALUE) {
            if (!add_key(having, i, error))
                return false;
        } else if (path_element(field->path, document, &element)) {
            bool list = element.type == BSON_TYPE_ARRAY;
            if (!(list ? add_items(having, i, element.value, error) : add_text(having, i, &element, error)))
                return false;
        }
    }
    return true;
}

/* Every choice of one value for each field. */
static bool combine(const struct having *having, GArray *into, GError **error)
{
    const struct entry_shape *shape = having->shape;
    guint at[ENTRY_FIELDS_MOST] = {0};
    struct slice values[ENTRY_FIELDS_MOST];
    for (size_t i = 0; i < shape->n_fields; i++)
        if (having->values[i]->len == 0)
            return true;
    for (size_t turn = 0; turn < shape->n_fields;) {
        struct entry entry;
        for (size_t i = 0; i < shape->n_fields; i++)
            values[i] = g_array_index(having->values[i], struct slice, at[i]);
        if (!place_of(shape, values, having->mem, &entry.place, error) ||
            !glue(&shape->entry, values, having->mem, &entry.name, error))
            return false;
        g_array_append_val(into, entry);
        for (turn = 0; turn < shape->n_fields && ++at[turn] == having->values[turn]->len; turn++)
            at[turn] = 0;
    }
    return true;
}

bool entry_shape_of(const struct entry_shape *shape, struct slice key, struct slice document, struct arena *mem,
                    GArray *into, GError **error)
{
    struct having having = {.shape = shape, .key = key, .mem = mem};
    for (size_t i = 0; i < shape->n_fields; i++)
        having.values[i] = g_array_new(FALSE, FALSE, sizeof(struct slice));
    bool ok = have_all(&having, document, error) && combine(&having, into, error);
    for (size_t i = 0; i < shape->n_fields; i++)
        g_array_unref(having.values[i]);
    return ok;
}

/* --- from the entry ------------------------------------------------------------------------------------------------
 */

struct taking {
    const struct entry_shape *shape;
    struct arena *mem;
    struct slice values[ENTRY_FIELDS_MOST];
    bool known[ENTRY_FIELDS_MOST];
    GArray *keys;
    size_t ways, tries;
};

static bool whose(struct taking *taking, GError **error)
{
    const struct entry_shape *shape = taking->shape;
    struct slice parts[ENTRY_FIELDS_MOST], key = SLICE_EMPTY;
    size_t n = 0;
    for (size_t i = 0; i < shape->n_fields; i++) {
        if (shape->fields[i].is == FIELD_KEY_PART) {
            parts[shape->fields[i].part] = taking->values[i];
            n++;
        }
        if (shape->fields[i].is == FIELD_KEY)
            key = taking->values[i];
    }
    if (!key.data && n == 1)
        key = parts[0];
    else if (!key.data && !key_join(parts, n, taking->mem, &key, error))
        return false;
    if (++taking->ways > ENTRY_WAYS_MOST)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "it can be taken apart in more than %u ways", ENTRY_WAYS_MOST);
    g_array_append_val(taking->keys, key);
    return true;
}

static bool take_rest(struct taking *taking, size_t i, struct slice rest, GError **error);

/* `value` for the i-th placeholder of the entry, and what comes behind it. */
static bool take_value(struct taking *taking, size_t i, struct slice value, struct slice rest, GError **error)
{
    size_t field = taking->shape->entry.fields[i];
    bool was = taking->known[field];
    if (++taking->tries > ENTRY_TRIES_MOST)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "it is not taken apart within %u tries", ENTRY_TRIES_MOST);
    if (value.len == 0 || (was && !slice_equal(taking->values[field], value)))
        return true;
    taking->values[field] = value;
    taking->known[field] = true;
    bool ok = i + 1 == taking->shape->entry.n ? whose(taking, error) : take_rest(taking, i + 1, rest, error);
    taking->known[field] = was;
    return ok;
}

/* The i-th placeholder ends wherever the text behind it stands: all of these are tried. */
static bool take_rest(struct taking *taking, size_t i, struct slice rest, GError **error)
{
    const struct pattern *entry = &taking->shape->entry;
    struct slice text = text_at(entry, i + 1);
    if (i + 1 == entry->n) {
        bool ends = rest.len >= text.len &&
                    (text.len == 0 || memcmp(rest.data + rest.len - text.len, text.data, text.len) == 0);
        return !ends || take_value(taking, i, slice_of(rest.data, rest.len - text.len), SLICE_EMPTY, error);
    }
    for (size_t from = 0; from < rest.len;) {
        const uint8_t *at = memmem(rest.data + from, rest.len - from, text.data, text.len);
        if (!at)
            break;
        size_t len = (size_t)(at - rest.data), behind = len + text.len;
        if (!take_value(taking, i, slice_of(rest.data, len), slice_of(rest.data + behind, rest.len - behind), error))
            return false;
        from = len + 1;
    }
    return true;
}

static bool take_place(struct taking *taking, struct slice place, GError **error)
{
    const struct pattern *pattern = &taking->shape->place;
    struct slice parts[ENTRY_FIELDS_MOST] = {place};
    if (pattern->n > 1 && !key_split(place, taking->mem, parts, pattern->n, error))
        return false;
    for (size_t i = 0; i < pattern->n; i++) {
        taking->values[pattern->fields[i]] = parts[i];
        taking->known[pattern->fields[i]] = true;
    }
    return true;
}

bool entry_shape_keys(const struct entry_shape *shape, const struct entry *entry, struct arena *mem, GArray *into,
                      GError **error)
{
    struct taking taking = {.shape = shape, .mem = mem, .keys = into};
    struct slice first = text_at(&shape->entry, 0), name = entry->name;
    if (!take_place(&taking, entry->place, error))
        return false;
    if (name.len < first.len || (first.len && memcmp(name.data, first.data, first.len) != 0))
        return true;
    if (shape->entry.n == 0)
        return name.len != first.len || whose(&taking, error);
    return take_rest(&taking, 0, slice_of(name.data + first.len, name.len - first.len), error);
}

bool entry_shape_place(const struct entry_shape *shape, struct slice place, struct arena *mem, struct slice *ret,
                       GError **error)
{
    struct taking taking = {.shape = shape, .mem = mem};
    return take_place(&taking, place, error) && glue(&shape->place, taking.values, mem, ret, error);
}
