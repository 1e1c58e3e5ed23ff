#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/int.h"
#include "store/rocksdb/rocks.h"

enum { VALUE_PLAIN = 1, VALUE_EXPIRES = 2, VALUE_DELETED = 3, EXPIRY_BYTES = 8 };

void rocks_value_put(GByteArray *into, struct slice raw, int64_t expires_at_ms)
{
    uint8_t head[1 + EXPIRY_BYTES] = {VALUE_PLAIN};
    size_t len = 1;
    if (expires_at_ms != EXPIRES_NEVER) {
        uint64_t bits = GUINT64_TO_BE((uint64_t)expires_at_ms);
        head[0] = VALUE_EXPIRES;
        memcpy(head + 1, &bits, sizeof(bits));
        len += sizeof(bits);
    }
    g_byte_array_append(into, head, (unsigned)len);
    g_byte_array_append(into, raw.data, (unsigned)raw.len);
}

void rocks_value_put_deleted(GByteArray *into)
{
    static const uint8_t deleted[] = {VALUE_DELETED};
    g_byte_array_append(into, deleted, sizeof(deleted));
}

struct keyed_value rocks_value(struct slice stored)
{
    bool any = stored.len >= 1, plain = any && stored.data[0] == VALUE_PLAIN;
    bool expires = stored.len >= 1 + EXPIRY_BYTES && stored.data[0] == VALUE_EXPIRES;
    size_t head = plain ? 1 : expires ? 1 + EXPIRY_BYTES : 0;
    uint64_t bits = 0;
    if (expires)
        memcpy(&bits, stored.data + 1, sizeof(bits));
    return (struct keyed_value){.raw = slice_of(stored.data + head, stored.len - head),
                                .expires_at_ms = (int64_t)GUINT64_FROM_BE(bits),
                                .foreign = head == 0,
                                .deleted = stored.len == 1 && stored.data[0] == VALUE_DELETED};
}

const struct keyed_value *rocks_shown(const struct rocks_hit *hit, int64_t now_ms, struct keyed_value *into)
{
    if (!hit->stored.data)
        return NULL;
    *into = rocks_value_tagged(hit->stored);
    into->shadow = hit->shadow;
    return keyed_shown(hit->shadow ? into : NULL, into, now_ms);
}

struct keyed_value rocks_value_tagged(struct slice stored)
{
    struct keyed_value value = rocks_value(stored);
    XXH128_canonical_t tag;
    XXH128_canonicalFromHash(&tag, XXH3_128bits(stored.data, stored.len));
    memcpy(value.tag, tag.digest, sizeof(value.tag));
    return value;
}
