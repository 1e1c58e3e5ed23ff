/* MessagePack as lua-cmsgpack, which the servers' scripts have, packs and unpacks it. */
#pragma once

#include "base/slice.h"

enum { PACK_HEAD_MOST = 5, PACK_NUMBER = 9 };

/* What a length is preceded by: returns how many bytes that are. */
static inline size_t pack_wide(uint8_t into[PACK_HEAD_MOST], uint8_t what, size_t value, size_t width)
{
    into[0] = what;
    for (size_t i = 0; i < width; i++)
        into[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    return 1 + width;
}

static inline size_t pack_array(uint8_t into[PACK_HEAD_MOST], size_t n)
{
    if (n <= 15)
        return pack_wide(into, (uint8_t)(0x90 | n), 0, 0);
    return pack_wide(into, n <= UINT16_MAX ? 0xdc : 0xdd, n, n <= UINT16_MAX ? 2 : 4);
}

static inline size_t pack_string(uint8_t into[PACK_HEAD_MOST], size_t len)
{
    if (len < 32)
        return pack_wide(into, (uint8_t)(0xa0 | len), 0, 0);
    if (len <= UINT8_MAX)
        return pack_wide(into, 0xd9, len, 1);
    return pack_wide(into, len <= UINT16_MAX ? 0xda : 0xdb, len, len <= UINT16_MAX ? 2 : 4);
}

static inline size_t pack_string_head(size_t len)
{
    return len < 32 ? 1 : len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
}

/* A whole number, signed. */
static inline size_t pack_number(uint8_t into[PACK_NUMBER], int64_t number)
{
    if (number >= 0 && number < 128)
        return pack_wide(into, (uint8_t)number, 0, 0);
    if (number >= 0 && number <= UINT32_MAX)
        return pack_wide(into, 0xce, (size_t)number, 4);
    into[0] = 0xd3;
    for (size_t i = 0; i < 8; i++)
        into[1 + i] = (uint8_t)((uint64_t)number >> (8 * (7 - i)));
    return PACK_NUMBER;
}
