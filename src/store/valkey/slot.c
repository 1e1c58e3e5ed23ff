#include "store/valkey/slot.h"

#include "store/valkey/slot_tables.h" /* STEPS, TAGS: slot_tables.py writes them at build time */

static uint16_t slot_crc16(struct slice bytes)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.len; i++)
        crc = (uint16_t)((crc << 8) ^ STEPS[(crc >> 8) ^ bytes.data[i]]);
    return crc;
}

/* What stands between the first `{` and the first `}` behind it, if that is anything. */
static struct slice slot_hashed(struct slice key)
{
    const uint8_t *open = key.len ? memchr(key.data, '{', key.len) : NULL;
    if (!open)
        return key;
    const uint8_t *from = open + 1;
    size_t left = (size_t)(key.data + key.len - from);
    const uint8_t *close = left ? memchr(from, '}', left) : NULL;
    return close && close > from ? slice_of(from, (size_t)(close - from)) : key;
}

uint16_t slot_of(struct slice key)
{
    return slot_crc16(slot_hashed(key)) % SLOTS;
}

const char *slot_tag(uint16_t slot)
{
    return TAGS[slot % SLOTS];
}
