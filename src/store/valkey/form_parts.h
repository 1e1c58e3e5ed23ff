/* Inside the forms: what they have in common. */
#pragma once

#include "base/int.h"
#include "store/valkey/form.h"

/* The table's rows, each in a file of its own. */
extern const struct form form_hash, form_json, form_raw;

/* How many fields a reply to HGETALL, or to HRANDFIELD with values, has. */
size_t form_hash_fields(const struct reply *reply);

/* Raw bytes begin with one of these. */
enum { FORM_RAW_HASH = 'H', FORM_RAW_JSON = 'J', FORM_RAW_OPAQUE = 'R' };

/* --- the etag ----------------------------------------------------------------------------------------------------- */

/* Of an image without an etag (`work` NULL) all of this does nothing.
 *
 * sha1 over what cas.lua hands to sha1hex, fed piece by piece: begin, then arrays and strings as cmsgpack.pack() packs
 * them, then end. */
void form_etag_begin(struct form_work *work, char letter, int64_t expires_at_ms);
void form_etag_array(struct form_work *work, size_t n);
void form_etag_string(struct form_work *work, struct slice bytes);
void form_etag_end(struct form_work *work, struct etag *ret);

/* --- images ------------------------------------------------------------------------------------------------------- */

/* What PEXPIRETIME answered. */
#define FORM_EXPIRY_NONE INT64_C(-1)
#define FORM_EXPIRY_GONE INT64_C(-2)

/* The image but for raw and etag. *ret_more: there is a value, and the probe's reply is neither null nor an error;
 * else *ret is all there is to say. `no_such` is the fault's text where the server says WRONGTYPE. */
bool form_image_begin(const struct reply *replies, struct slice key, const char *no_such, struct record *ret,
                      bool *ret_more, GError **error);
bool form_too_big(struct slice key, GError **error);
bool form_strange_reply(struct slice key, const struct reply *reply, GError **error);

/* --- pairs -------------------------------------------------------------------------------------------------------- */

struct form_pair {
    struct slice name, value;
};

/* Room for `n` pairs: on the stack where they are few. */
enum { FORM_FEW = 48 };
struct form_pairs {
    struct form_pair *at;
    size_t n;
    struct form_pair *many; /* heap */
    struct form_pair few[FORM_FEW];
};
bool form_pairs_init(struct form_pairs *pairs, size_t n, GError **error) must_use;
/* Room for more of them, which stay. */
bool form_pairs_grow(struct form_pairs *pairs, size_t n) must_use;
void form_pairs_done(struct form_pairs *pairs);
void form_pairs_sort(struct form_pairs *pairs);
/* Where there is room: returns what follows. Most are short: these by two words that overlap, without a call. */
static inline uint8_t *form_put(uint8_t *into, struct slice bytes)
{
    enum { LONG = sizeof(uint64_t), SHORT = sizeof(uint32_t) };
    uint64_t word;
    uint32_t half;
    if (bytes.len > 2 * (size_t)LONG)
        memcpy(into, bytes.data, bytes.len);
    else if (bytes.len >= LONG) {
        memcpy(&word, bytes.data, LONG);
        memcpy(into, &word, LONG);
        memcpy(&word, bytes.data + bytes.len - LONG, LONG);
        memcpy(into + bytes.len - LONG, &word, LONG);
    } else if (bytes.len >= SHORT) {
        memcpy(&half, bytes.data, SHORT);
        memcpy(into, &half, SHORT);
        memcpy(&half, bytes.data + bytes.len - SHORT, SHORT);
        memcpy(into + bytes.len - SHORT, &half, SHORT);
    } else
        for (size_t i = 0; i < bytes.len; i++)
            into[i] = bytes.data[i];
    return into + bytes.len;
}
uint8_t *form_put_u32(uint8_t *into, size_t value); /* little-endian, as BSON's lengths */
/* The length before it, as a varint: of most one byte. */
static inline uint8_t *form_put_prefixed(uint8_t *into, struct slice bytes)
{
    if (bytes.len >= 0x80)
        return form_put(int_put_varint(into, bytes.len), bytes);
    *into = (uint8_t)bytes.len;
    return form_put(into + 1, bytes);
}
/* Sorts them by name, and writes `begin`, then name and value of each with their lengths before them. */
bool form_pairs_write(struct form_pairs *pairs, struct slice begin, struct arena *mem, struct slice *ret,
                      GError **error);
