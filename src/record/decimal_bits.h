/* Inside record/: decimal128 in its BID encoding, taken apart and put together (IEEE 754-2008, 3.5.2).
 *
 * One bit of sign, 14 of exponent, 113 of coefficient. The second form, whose two bits below the sign are set, has a
 * coefficient above 10^34 - 1 always, which counts as zero, or is an infinity or NaN. */
#pragma once

#include <bson/bson.h>
#include <stdbool.h>
#include <stdint.h>

enum { DECIMAL_DIGITS = 34, DECIMAL_BIAS = 6176, DECIMAL_LEAST_EXPONENT = -6176, DECIMAL_MOST_EXPONENT = 6111 };

enum decimal_kind { DECIMAL_FINITE, DECIMAL_INFINITE, DECIMAL_NAN };

struct decimal_parts {
    unsigned __int128 coefficient;
    int exponent;
    enum decimal_kind kind;
    bool negative;
};

#define DECIMAL_1E17          UINT64_C(100000000000000000)
#define DECIMAL_1E34          ((unsigned __int128)DECIMAL_1E17 * DECIMAL_1E17)
#define DECIMAL_EXPONENT_BIT  49
#define DECIMAL_EXPONENT_MASK 0x3fffu

static inline struct decimal_parts decimal_unpack(const bson_decimal128_t *decimal)
{
    struct decimal_parts parts = {.negative = decimal->high >> 63};
    unsigned top = (unsigned)(decimal->high >> 58) & 0x1f;
    if (top >= 0x1e) {
        parts.kind = top == 0x1f ? DECIMAL_NAN : DECIMAL_INFINITE;
        return parts;
    }
    bool second_form = top >= 0x18;
    unsigned bit = second_form ? DECIMAL_EXPONENT_BIT - 2 : DECIMAL_EXPONENT_BIT;
    parts.exponent = (int)((decimal->high >> bit) & DECIMAL_EXPONENT_MASK) - DECIMAL_BIAS;
    uint64_t high = decimal->high & ((UINT64_C(1) << DECIMAL_EXPONENT_BIT) - 1);
    unsigned __int128 coefficient = (unsigned __int128)high << 64 | decimal->low;
    parts.coefficient = second_form || coefficient >= DECIMAL_1E34 ? 0 : coefficient;
    return parts;
}

/* Of a finite number: coefficient < 10^34, exponent within its range. */
static inline bson_decimal128_t decimal_pack(bool negative, unsigned __int128 coefficient, int exponent)
{
    bson_decimal128_t decimal;
    decimal.high = (uint64_t)negative << 63 | (uint64_t)(exponent + DECIMAL_BIAS) << DECIMAL_EXPONENT_BIT |
                   (uint64_t)(coefficient >> 64);
    decimal.low = (uint64_t)coefficient;
    return decimal;
}

/* Digits of the value at `into` (20 bytes at most), without sign; returns their number. */
size_t decimal_digits_u64(uint64_t value, char *into);
