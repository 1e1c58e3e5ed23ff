#include "record/path.h"

#include "base/int.h"
#include "record/element.h"
#include "record/path_element.h"

struct segment {
    struct slice name;
    uint64_t index; /* what the name means in an array */
    bool is_index;
};

struct path {
    char *text;
    uint8_t *names; /* what the segments point into */
    size_t n;
    struct segment *segments;
};

static bool parse_fault(GError **error, const char *text, size_t at, const char *what)
{
    return error_set(error, SLUICE_ERROR_SPEC, "the path '%s' is wrong at byte %zu: %s", text, at + 1, what);
}

/* An index is written as BSON writes it: 0, 10, not 01 or +1. */
static void segment_add(GArray *segments, struct slice name)
{
    struct segment segment = {.name = name};
    segment.is_index = int_parse_u64(name, &segment.index) && (name.len == 1 || name.data[0] != '0');
    g_array_append_val(segments, segment);
}

/* Takes the text apart: names without their backslashes go to `names`, one behind the other. */
static bool split(const char *text, uint8_t *names, GArray *segments, GError **error)
{
    uint8_t *out = names, *start = names;
    size_t at = 0;
    for (;; at++) {
        if (text[at] == '.' || text[at] == '\0') {
            if (out == start)
                return parse_fault(error, text, at, "expected a name");
            segment_add(segments, slice_of(start, (size_t)(out - start)));
            start = out;
            if (text[at] == '\0')
                return true;
            continue;
        }
        if (text[at] == '\\' && text[at + 1] != '.' && text[at + 1] != '\\')
            return parse_fault(error, text, at, "expected '.' or '\\' after a backslash");
        at += text[at] == '\\';
        *out++ = (uint8_t)text[at];
    }
}

bool path_parse(struct path **ret, const char *text, GError **error)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(struct segment));
    g_autofree uint8_t *names = g_malloc(strlen(text) + 1);
    if (!g_utf8_validate(text, -1, NULL))
        return error_set(error, SLUICE_ERROR_SPEC, "a path is not UTF-8");
    if (!split(text, names, segments, error))
        return false;
    struct path *path = g_new(struct path, 1);
    path->text = g_strdup(text);
    path->names = g_steal_pointer(&names);
    path->n = segments->len;
    path->segments = (struct segment *)(void *)g_array_free(g_steal_pointer(&segments), FALSE);
    *ret = path;
    return true;
}

void path_free(struct path *path)
{
    if (!path)
        return;
    g_free(path->segments);
    g_free(path->names);
    g_free(path->text);
    g_free(path);
}

size_t path_count(const struct path *path)
{
    return path->n;
}

struct slice path_name(const struct path *path, size_t i)
{
    g_assert(i < path->n);
    return path->segments[i].name;
}

const char *path_text(const struct path *path)
{
    return path->text;
}

/* In an array the place counts, whatever the elements are called. */
static bool segment_find(const struct segment *segment, struct slice document, bool array, struct element *ret)
{
    struct elements elements;
    if (!elements_of(document, &elements))
        return false;
    while (element_next(&elements, ret) == ELEMENT_OK)
        if (array ? segment->is_index && elements.index - 1 == segment->index : slice_equal(ret->name, segment->name))
            return true;
    return false;
}

/* The element, and the object or array that it stands in. */
static bool find(const struct path *path, struct slice document, struct slice *ret_within, struct element *ret)
{
    struct slice within = document;
    bool array = false;
    for (size_t i = 0; i < path->n; i++) {
        if (!segment_find(&path->segments[i], within, array, ret))
            return false;
        if (i + 1 == path->n)
            break;
        array = ret->type == BSON_TYPE_ARRAY;
        if (!array && ret->type != BSON_TYPE_DOCUMENT)
            return false;
        within = ret->value;
    }
    *ret_within = within;
    return true;
}

bool path_element(const struct path *path, struct slice document, struct element *ret)
{
    struct element element;
    struct slice within;
    if (!find(path, document, &within, &element))
        return false;
    *ret = element;
    return true;
}

bool path_find(const struct path *path, struct slice document, bson_iter_t *ret)
{
    struct element element;
    struct slice within;
    uint32_t offset, name_len;
    return find(path, document, &within, &element) &&
           int_to_u32((uint64_t)(element.name.data - 1 - within.data), &offset) &&
           int_to_u32(element.name.len, &name_len) &&
           bson_iter_init_from_data_at_offset(ret, within.data, within.len, offset, name_len);
}
