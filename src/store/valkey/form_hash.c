/* A hash, a field per top-level field of the document. raw: 'H', then name and value of each field in the order of the
 * names, a varint length before each. */
#include "base/int.h"
#include "record/element.h"
#include "record/text.h"
#include "store/valkey/form_parts.h"

static const uint8_t BEGIN[] = {FORM_RAW_HASH};

/* --- the server's ------------------------------------------------------------------------------------------------- */

static bool is_string(const struct reply *reply)
{
    return reply->type == REPLY_BYTES;
}

/* Name and value in turn; of HRANDFIELD in RESP3 an array of both each. */
static bool in_pairs(const struct reply *reply)
{
    return reply->type == REPLY_ARRAY && reply->n > 0 && reply->items[0].type == REPLY_ARRAY;
}

size_t form_hash_fields(const struct reply *reply)
{
    return in_pairs(reply) ? reply->n : reply->n / 2;
}

static bool pairs_of(const struct reply *reply, struct form_work *work, struct form_pairs *pairs)
{
    bool paired = in_pairs(reply);
    size_t n = form_hash_fields(reply);
    form_etag_array(work, 2 * n);
    for (size_t i = 0; i < n; i++) {
        const struct reply *pair = &reply->items[paired ? i : 2 * i];
        if (paired && !reply_is_array(pair, 2))
            return false;
        const struct reply *name = paired ? pair->items : pair, *value = name + 1;
        if (!is_string(name) || !is_string(value))
            return false;
        form_etag_string(work, name->bytes);
        form_etag_string(work, value->bytes);
        pairs->at[pairs->n++] = (struct form_pair){name->bytes, value->bytes};
    }
    return true;
}

static bool hash_image(const struct reply *replies, struct slice key, struct form_work *work, struct arena *mem,
                       struct record *ret, GError **error)
{
    const struct reply *probe = &replies[0];
    struct form_pairs pairs;
    struct record image;
    bool more;
    if (!form_image_begin(replies, key, "what stands there is no hash", &image, &more, error))
        return false;
    if (more && ((probe->type != REPLY_ARRAY && probe->type != REPLY_MAP) || (probe->n % 2 && !in_pairs(probe))))
        return form_strange_reply(key, probe, error);
    if (more && probe->n) {
        if (!form_pairs_init(&pairs, form_hash_fields(probe), error))
            return false;
        form_etag_begin(work, 'H', replies[1].integer);
        bool ok = pairs_of(probe, work, &pairs) || form_strange_reply(key, probe, error);
        ok = ok && (form_pairs_write(&pairs, slice_of(BEGIN, sizeof BEGIN), mem, &image.raw, NULL) ||
                    form_too_big(key, error));
        form_pairs_done(&pairs);
        if (!ok)
            return false;
        form_etag_end(work, &image.etag);
        image.presence = RECORD_PRESENT;
    } else if (more)
        image.expires_at_ms = EXPIRES_NEVER; /* it was not there yet when its fields were asked for */
    *ret = image;
    return true;
}

/* --- raw and commands --------------------------------------------------------------------------------------------- */

enum { MOST_ARGS = 4000 };

static bool hash_begin(struct slice raw, struct reader *ret, GError **error)
{
    *ret = reader_of(raw);
    return reader_u8(ret) == FORM_RAW_HASH ||
           error_set(error, SLUICE_ERROR_BAD_RECORD, "these are not the bytes of a hash");
}

/* The length of most is one byte. */
static inline bool part_next(const uint8_t **at, const uint8_t *end, struct slice *ret)
{
    if (*at < end && **at < 0x80 && end - *at > **at) {
        *ret = slice_of(*at + 1, **at);
        *at += 1 + ret->len;
        return true;
    }
    struct reader slow = reader_of(slice_of(*at, (size_t)(end - *at)));
    *ret = reader_prefixed(&slow);
    *at = slow.at;
    return slow.ok;
}

static bool hash_next(struct reader *raw, struct form_pair *ret)
{
    if (!raw->ok || raw->at == raw->end)
        return false;
    raw->ok = part_next(&raw->at, raw->end, &ret->name) && part_next(&raw->at, raw->end, &ret->value);
    return raw->ok;
}

static bool damaged(GError **error)
{
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "the bytes of the hash are damaged");
}

static bool count_fields(struct slice raw, size_t *ret, size_t *ret_bytes, GError **error)
{
    struct reader reader;
    struct form_pair pair;
    size_t n = 0, bytes = 0;
    if (!hash_begin(raw, &reader, error))
        return false;
    for (; hash_next(&reader, &pair); n++)
        bytes += pair.name.len + pair.value.len;
    *ret = n;
    *ret_bytes = bytes;
    return (reader.ok && n > 0) || damaged(error);
}

static bool put_count(struct slice *into, size_t n, struct arena *mem, GError **error)
{
    uint8_t *text = arena_alloc(mem, DECIMAL_MOST);
    if (!text)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    *into = slice_of(text, (size_t)(int_put_decimal(text, (int64_t)n) - text));
    return true;
}

/* All in one piece: by itself a word takes longer to be appended than to be sent. */
static bool hash_write_args(struct slice raw, struct arena *mem, GArray *into, GError **error)
{
    static const struct slice HSET = {(const uint8_t *)"HSET", 4};
    struct reader reader;
    struct form_pair pair;
    size_t fields, bytes;
    guint first = into->len;
    if (!count_fields(raw, &fields, &bytes, error) || !hash_begin(raw, &reader, error))
        return false;
    size_t words = 2 * fields, commands = (words + MOST_ARGS - 1) / MOST_ARGS;
    g_array_set_size(into, (guint)(first + words + 2 * commands));
    struct slice *at = &g_array_index(into, struct slice, first);
    for (size_t left = words; hash_next(&reader, &pair); left -= 2) {
        if ((words - left) % MOST_ARGS == 0) {
            *at++ = HSET;
            if (!put_count(at++, MIN(left, (size_t)MOST_ARGS), mem, error))
                return false;
        }
        *at++ = pair.name;
        *at++ = pair.value;
    }
    return true;
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

/* A field of BSON, of the same size whether it is a string or binary. */
enum { FIELD_MORE = 7, DOCUMENT_MORE = 5 };

/* What is larger may be no document at all. */
enum { DIGEST_BYTES = 64 * 1024 };

static uint8_t *put_field(uint8_t *into, const struct form_pair *pair)
{
    bool string = text_is_utf8(pair->value, NULL);
    *into++ = string ? BSON_TYPE_UTF8 : BSON_TYPE_BINARY;
    into = form_put(into, pair->name);
    *into++ = '\0';
    into = form_put_u32(into, pair->value.len + string);
    if (!string)
        *into++ = BSON_SUBTYPE_BINARY;
    into = form_put(into, pair->value);
    if (string)
        *into++ = '\0';
    return into;
}

static bool name_fits(struct slice name, GError **error)
{
    char quoted[TEXT_QUOTE];
    return (text_is_utf8(name, NULL) && (name.len == 0 || !memchr(name.data, '\0', name.len))) ||
           error_set(error, SLUICE_ERROR_BAD_RECORD,
                     "the name of the field '%s' is not UTF-8 or has a NUL, so that no document can hold it; `as: raw` "
                     "copies it",
                     text_quote(name, quoted));
}

static bool hash_decode(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    struct reader reader;
    struct form_pair pair;
    size_t n, bytes;
    if (!count_fields(raw, &n, &bytes, error) || !hash_begin(raw, &reader, error))
        return false;
    size_t len = bytes + n * FIELD_MORE + DOCUMENT_MORE;
    if (len > DOCUMENT_BYTES)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the hash is %zu bytes as a document; at most %u are allowed",
                         len, DOCUMENT_BYTES);
    uint8_t *document = arena_alloc(mem, len);
    if (!document)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    uint8_t *at = form_put_u32(document, len);
    while (hash_next(&reader, &pair)) {
        if (!name_fits(pair.name, error))
            return false;
        at = put_field(at, &pair);
    }
    *at = '\0';
    *ret = slice_of(document, len);
    return true;
}

/* Most are, names and lengths and all; eight bytes at a time. */
static bool is_ascii(struct slice bytes)
{
    size_t at = 0;
    uint8_t high = 0;
    for (; bytes.len - at >= 8; at += 8)
        if (!text_eight_ascii(bytes.data + at))
            return false;
    for (; at < bytes.len; at++)
        high |= bytes.data[at];
    return high < 0x80;
}

static bool is_text(const struct form_pair *pair, bool ascii)
{
    if (!ascii)
        return name_fits(pair->name, NULL) && text_is_utf8(pair->value, NULL);
    for (size_t i = 0; i < pair->name.len; i++)
        if (pair->name.data[i] == '\0')
            return false;
    return true;
}

/* All texts, in the order of their names: what else there is, and what is no document, its decoding tells. */
static bool hash_digest(struct slice raw, uint64_t seed, struct digest *ret)
{
    struct digest_text texts[FORM_FEW];
    struct reader reader;
    struct form_pair pair;
    size_t n = 0;
    if (raw.len > DIGEST_BYTES || !hash_begin(raw, &reader, NULL))
        return false;
    for (bool ascii = is_ascii(raw); hash_next(&reader, &pair); n++) {
        if (n == FORM_FEW || !is_text(&pair, ascii) || (n > 0 && slice_compare(texts[n - 1].name, pair.name) >= 0))
            return false;
        texts[n] = (struct digest_text){pair.name, pair.value};
    }
    if (!reader.ok || n == 0)
        return false;
    *ret = digest_of_texts(texts, n, seed);
    return true;
}

static bool as_json(const struct element *element, struct arena *mem, struct slice *ret, GError **error)
{
    g_autoptr(GString) text = g_string_sized_new(element->value.len);
    bool array = element->type == BSON_TYPE_ARRAY;
    if (!(array ? document_array_to_json : document_to_json)(element->value, text, error))
        return false;
    return arena_copy(mem, slice_of(text->str, text->len), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
}

/* What stands in the field; a number's text is written to `mem`. */
static bool value_of(const struct element *element, struct arena *mem, struct slice *ret, GError **error)
{
    char text[ELEMENT_TEXT];
    struct slice value;
    if (!element_as_text(element, text, &value))
        return as_json(element, mem, ret, error);
    if (value.data != (const uint8_t *)text) {
        *ret = value;
        return true;
    }
    return arena_copy(mem, value, ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
}

static bool fields_of(struct elements elements, struct form_pairs *pairs, struct arena *mem, GError **error)
{
    struct element element;
    enum element_result result;
    size_t room = FORM_FEW;
    while ((result = element_next(&elements, &element)) == ELEMENT_OK) {
        if (element.type == BSON_TYPE_NULL)
            continue;
        if (pairs->n == room && !form_pairs_grow(pairs, room *= 2))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "there is no memory for %zu fields", room);
        struct form_pair *pair = &pairs->at[pairs->n];
        pair->name = element.name;
        if (!value_of(&element, mem, &pair->value, error))
            return false;
        pairs->n++;
    }
    if (result != ELEMENT_END)
        return element_fault(result, &element, error);
    return pairs->n > 0 ||
           error_set(error, SLUICE_ERROR_BAD_RECORD, "nothing is left of the document: a hash has at least one field");
}

static bool hash_encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                        GError **error)
{
    struct elements elements;
    struct form_pairs pairs;
    if (!elements_of(document, &elements))
        return element_fault(ELEMENT_DAMAGED, NULL, error);
    if (!form_pairs_init(&pairs, FORM_FEW, error))
        return false;
    bool ok = fields_of(elements, &pairs, mem, error) &&
              form_pairs_write(&pairs, slice_of(BEGIN, sizeof BEGIN), mem, ret, error);
    form_pairs_done(&pairs);
    return ok;
}

const struct form form_hash = {
    .form = FORM_HASH,
    .name = "hash",
    .probe = "HGETALL",
    .image = hash_image,
    .write_args = hash_write_args,
    .decode = hash_decode,
    .encode = hash_encode,
    .digest = hash_digest,
};
