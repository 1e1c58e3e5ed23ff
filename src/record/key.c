#include "record/key.h"

#include "record/datetime.h"
#include "record/decimal.h"
#include "record/path_element.h"
#include "record/text.h"

enum { PART_TEXT = 64 };

/* The bytes of one part: borrowed from the document, or written to `text`. false: no key can be made of it. */
static bool part_of(const struct element *element, char text[PART_TEXT], struct slice *ret)
{
    bson_decimal128_t decimal;
    switch (element->type) {
    case BSON_TYPE_UTF8:
        *ret = element_string(element);
        return true;
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        g_snprintf(text, PART_TEXT, "%" G_GINT64_FORMAT,
                   element->type == BSON_TYPE_INT32 ? element_i32(element) : element_i64(element));
        break;
    case BSON_TYPE_DECIMAL128:
        decimal = element_decimal(element);
        if (!decimal_is_finite(&decimal))
            return false;
        decimal_text(&decimal, text);
        break;
    case BSON_TYPE_DATE_TIME:
        datetime_text(element_i64(element), text);
        break;
    case BSON_TYPE_BOOL:
        g_strlcpy(text, element->value.data[0] ? "true" : "false", PART_TEXT);
        break;
    case BSON_TYPE_BINARY:
        if (element_subtype(element) != BSON_SUBTYPE_UUID)
            return false;
        element_uuid_text(element, text);
        break;
    default:
        return false;
    }
    *ret = slice_of_text(text);
    return true;
}

static bool part_find(const struct path *path, struct slice document, char text[PART_TEXT], struct slice *ret,
                      GError **error)
{
    struct element element;
    if (!path_element(path, document, &element))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "there is nothing at '%s', of which the key is made",
                         path_text(path));
    if (!part_of(&element, text, ret))
        return error_set(error, SLUICE_ERROR_BAD_RECORD,
                         "'%s' is %s; a key is made of a string, integer, decimal, datetime, bool or uuid",
                         path_text(path), element_type_name(&element));
    return true;
}

static bool is_escaped(uint8_t byte)
{
    return byte == ':' || byte == '%';
}

static size_t joined_len(struct slice part)
{
    size_t len = part.len;
    for (size_t i = 0; i < part.len; i++)
        len += is_escaped(part.data[i]) ? 2 : 0;
    return len;
}

static uint8_t *put_joined(uint8_t *into, struct slice part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (is_escaped(part.data[i])) {
            memcpy(into, part.data[i] == ':' ? "%3A" : "%25", 3);
            into += 3;
        } else
            *into++ = part.data[i];
    }
    return into;
}

static bool too_big(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "the key does not fit into the memory of a batch");
}

static bool join(const struct key_paths *paths, struct slice document, struct arena *mem, struct slice *ret,
                 GError **error)
{
    uint8_t *key = NULL;
    size_t len = 0;
    for (size_t i = 0; i < paths->n; i++) {
        char text[PART_TEXT];
        struct slice part;
        if (!part_find(paths->paths[i], document, text, &part, error))
            return false;
        size_t longer = len + (i > 0) + joined_len(part);
        uint8_t *grown = key ? arena_grow(mem, key, len, longer) : arena_alloc(mem, longer);
        if (!grown)
            return too_big(error);
        key = grown;
        if (i > 0)
            key[len++] = ':';
        put_joined(key + len, part);
        len = longer;
    }
    *ret = slice_of(key, len);
    return true;
}

bool key_make(const struct key_paths *paths, struct slice document, struct arena *mem, struct slice *ret,
              GError **error)
{
    char text[PART_TEXT];
    struct slice part;
    g_assert(paths->n > 0);
    if (paths->n > 1)
        return join(paths, document, mem, ret, error);
    if (!part_find(paths->paths[0], document, text, &part, error))
        return false;
    if (part.len == 0)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is empty; a key has at least one byte",
                         path_text(paths->paths[0]));
    return arena_copy(mem, part, ret) || too_big(error);
}

void key_paths_done(struct key_paths *paths)
{
    for (size_t i = 0; i < paths->n; i++)
        path_free(paths->paths[i]);
    g_free(paths->paths);
    *paths = (struct key_paths){0};
}

void key_show(struct slice key, const char *name, bson_t *into)
{
    static const char none[1];
    const char *text = key.len ? (const char *)key.data : none;
    bson_t hidden;
    g_assert(key.len <= DOCUMENT_BYTES); /* what bears it is no larger */
    if (text_is_utf8(key, NULL)) {
        bson_append_utf8(into, name, -1, text, (int)key.len);
        return;
    }
    BSON_APPEND_DOCUMENT_BEGIN(into, name, &hidden);
    BSON_APPEND_BINARY(&hidden, "base64", BSON_SUBTYPE_BINARY, key.data, (uint32_t)key.len);
    bson_append_document_end(into, &hidden);
}

/* A field that holds base64 as text, or the bytes themselves. */
static bool bytes_of(const bson_iter_t *at, struct arena *mem, struct slice *ret)
{
    uint32_t len;
    if (BSON_ITER_HOLDS_BINARY(at)) {
        const uint8_t *data;
        bson_iter_binary(at, NULL, &len, &data);
        return arena_copy(mem, slice_of(data, len), ret);
    }
    if (!BSON_ITER_HOLDS_UTF8(at))
        return false;
    const char *text = bson_iter_utf8(at, &len);
    gint state = 0;
    guint save = 0;
    uint8_t *data = arena_alloc(mem, (size_t)len / 4 * 3 + 3);
    if (!data)
        return false;
    *ret = slice_of(data, g_base64_decode_step(text, len, data, &state, &save));
    return true;
}

bool key_shown(const bson_iter_t *at, struct arena *mem, struct slice *ret)
{
    bson_iter_t inside;
    uint32_t len;
    if (BSON_ITER_HOLDS_DOCUMENT(at))
        return bson_iter_recurse(at, &inside) && bson_iter_find(&inside, "base64") && bytes_of(&inside, mem, ret);
    if (!BSON_ITER_HOLDS_UTF8(at))
        return false;
    const char *text = bson_iter_utf8(at, &len);
    return arena_copy(mem, slice_of(text, len), ret);
}
