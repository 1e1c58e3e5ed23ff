#include "record/key.h"

#include "record/decimal.h"
#include "record/path_element.h"
#include "record/text.h"

/* The bytes of one part: borrowed from the document, or written to `text`. false: no key can be made of it. */
static bool part_of(const struct element *element, char text[ELEMENT_TEXT], struct slice *ret)
{
    bson_decimal128_t decimal;
    if (element->type == BSON_TYPE_DOUBLE)
        return false;
    if (element->type == BSON_TYPE_BINARY && element_subtype(element) != BSON_SUBTYPE_UUID)
        return false;
    if (element->type == BSON_TYPE_DECIMAL128) {
        decimal = element_decimal(element);
        if (!decimal_is_finite(&decimal))
            return false;
    }
    return element_as_text(element, text, ret);
}

static bool part_find(const struct path *path, struct slice document, char text[ELEMENT_TEXT], struct slice *ret,
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

/* `io` is the newest allocation of `mem`, or empty before the first part. */
static bool join_part(struct slice *io, bool first, struct slice part, struct arena *mem, GError **error)
{
    size_t longer = io->len + !first + joined_len(part);
    uint8_t *key = first ? arena_alloc(mem, longer) : arena_grow(mem, (void *)(uintptr_t)io->data, io->len, longer);
    if (!key)
        return too_big(error);
    if (!first)
        key[io->len] = ':';
    put_joined(key + io->len + !first, part);
    *io = slice_of(key, longer);
    return true;
}

static bool join(const struct key_paths *paths, struct slice document, struct arena *mem, struct slice *ret,
                 GError **error)
{
    struct slice key = SLICE_EMPTY;
    for (size_t i = 0; i < paths->n; i++) {
        char text[ELEMENT_TEXT];
        struct slice part;
        if (!part_find(paths->paths[i], document, text, &part, error) || !join_part(&key, i == 0, part, mem, error))
            return false;
    }
    *ret = key;
    return true;
}

bool key_join(const struct slice *parts, size_t n, struct arena *mem, struct slice *ret, GError **error)
{
    struct slice key = SLICE_EMPTY;
    for (size_t i = 0; i < n; i++)
        if (!join_part(&key, i == 0, parts[i], mem, error))
            return false;
    *ret = key;
    return true;
}

/* Undoes put_joined(); `part` has no ':'. false: it was not written so. */
static bool part_split(struct slice part, struct arena *mem, struct slice *ret, bool *ret_fits)
{
    *ret = part;
    if (part.len == 0 || !memchr(part.data, '%', part.len))
        return true;
    uint8_t *into = arena_alloc(mem, part.len);
    size_t len = 0;
    if (!into)
        return *ret_fits = false;
    for (size_t i = 0; i < part.len; i++) {
        bool escape = part.data[i] == '%', colon = escape && part.len - i > 2 && memcmp(part.data + i, "%3A", 3) == 0;
        if (escape && !colon && !(part.len - i > 2 && memcmp(part.data + i, "%25", 3) == 0))
            return false;
        into[len++] = colon ? ':' : part.data[i];
        i += escape ? 2 : 0;
    }
    *ret = slice_of(into, len);
    return true;
}

bool key_split(struct slice key, struct arena *mem, struct slice *parts, size_t n, GError **error)
{
    struct slice rest = key;
    bool fits = true, whole = true;
    for (size_t i = 0; i < n && whole; i++) {
        const uint8_t *colon = rest.len ? memchr(rest.data, ':', rest.len) : NULL;
        struct slice part = colon ? slice_of(rest.data, (size_t)(colon - rest.data)) : rest;
        whole = (colon != NULL) == (i + 1 < n) && part_split(part, mem, &parts[i], &fits);
        rest = colon ? slice_of(colon + 1, rest.len - part.len - 1) : SLICE_EMPTY;
    }
    if (!fits)
        return too_big(error);
    char quoted[TEXT_QUOTE];
    return whole || error_set(error, SLUICE_ERROR_BAD_RECORD,
                              "key '%s' is not %zu parts joined by ':' with ':' written %%3A and '%%' written %%25",
                              text_quote(key, quoted), n);
}

bool key_make(const struct key_paths *paths, struct slice document, struct arena *mem, struct slice *ret,
              GError **error)
{
    char text[ELEMENT_TEXT];
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
