/* Parsing, printing and comparing forms are done on the bits; arithmetic is Intel's.
 *
 * The library comes in eight builds; libbidgcc000 is the one that its header declares when nothing is defined: operands
 * by value, the rounding mode an argument by value, the status flags an argument by pointer. */
#include "record/decimal.h"

#include <bid_conf.h>
#include <bid_functions.h>
#include <float.h>
#include <math.h>

#include "record/decimal_bits.h"
#include "record/number.h"
#include "record/text.h"

/* Not named in the library's public headers: README, and IEEE 754's order of the modes. */
enum { HALF_EVEN = 0 };
enum { FLAG_INVALID = 0x01, FLAG_ZERO_DIVIDE = 0x04, FLAG_OVERFLOW = 0x08, FLAG_UNDERFLOW = 0x10, FLAG_INEXACT = 0x20 };

#define E17(n) ((unsigned __int128)DECIMAL_1E17 * UINT64_C(n))
static const unsigned __int128 power_of_ten[DECIMAL_DIGITS + 1] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    DECIMAL_1E17,
    E17(10),
    E17(100),
    E17(1000),
    E17(10000),
    E17(100000),
    E17(1000000),
    E17(10000000),
    E17(100000000),
    E17(1000000000),
    E17(10000000000),
    E17(100000000000),
    E17(1000000000000),
    E17(10000000000000),
    E17(100000000000000),
    E17(1000000000000000),
    E17(10000000000000000),
    E17(100000000000000000),
};

bool decimal_parse(struct slice text, bson_decimal128_t *ret, GError **error)
{
    struct number number;
    char quote[TEXT_QUOTE];
    const uint8_t *end = text.data + text.len;
    const char *wrong = number_scan(text.data, end, &number);
    if (!wrong && number.end != end)
        wrong = "expected nothing behind the number";
    if (wrong)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "'%s' is not a decimal: %s at byte %zu",
                         text_quote(text, quote), wrong, (size_t)(number.end - text.data) + 1);
    *ret = decimal_pack(number.negative, number.coefficient, number.exponent);
    return true;
}

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                  "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

size_t decimal_digits_u64(uint64_t value, char *into)
{
    char digits[20];
    size_t at = sizeof digits;
    for (; value >= 100; value /= 100)
        memcpy(digits + (at -= 2), digit_pairs + value % 100 * 2, 2);
    if (value >= 10)
        memcpy(digits + (at -= 2), digit_pairs + value * 2, 2);
    else
        digits[--at] = (char)('0' + (int)value);
    memcpy(into, digits + at, sizeof digits - at);
    return sizeof digits - at;
}

/* At most 34 digits at `into`; returns their number. */
static size_t coefficient_digits(unsigned __int128 coefficient, char *into)
{
    if (coefficient <= UINT64_MAX)
        return decimal_digits_u64((uint64_t)coefficient, into);
    size_t high = decimal_digits_u64((uint64_t)(coefficient / DECIMAL_1E17), into);
    uint64_t low = (uint64_t)(coefficient % DECIMAL_1E17);
    for (size_t i = high + 17; i > high; low /= 10)
        into[--i] = (char)('0' + (int)(low % 10));
    return high + 17;
}

static char *put(char *into, const char *from, size_t len)
{
    memcpy(into, from, len);
    return into + len;
}

/* With the point `scale` digits before the end, led by zeros where there are fewer digits. */
static char *put_plain(char *into, const char *digits, size_t n, size_t scale)
{
    if (scale == 0)
        return put(into, digits, n);
    if (n > scale) {
        into = put(into, digits, n - scale);
        *into++ = '.';
        return put(into, digits + n - scale, scale);
    }
    into = put(into, "0.", 2);
    memset(into, '0', scale - n);
    return put(into + scale - n, digits, n);
}

static char *put_scientific(char *into, const char *digits, size_t n, int exponent)
{
    *into++ = digits[0];
    if (n > 1) {
        *into++ = '.';
        into = put(into, digits + 1, n - 1);
    }
    exponent += (int)n - 1;
    into = put(into, exponent < 0 ? "E-" : "E+", 2);
    return into + decimal_digits_u64((uint64_t)(exponent < 0 ? -exponent : exponent), into);
}

const char *decimal_text(const bson_decimal128_t *decimal, char *into)
{
    static const char *const words[] = {[DECIMAL_INFINITE] = "Infinity", [DECIMAL_NAN] = "NaN"};
    struct decimal_parts parts = decimal_unpack(decimal);
    char digits[DECIMAL_DIGITS + 2], *at = into;
    if (parts.negative && parts.kind != DECIMAL_NAN)
        *at++ = '-';
    if (parts.kind != DECIMAL_FINITE) {
        memcpy(at, words[parts.kind], strlen(words[parts.kind]) + 1);
        return into;
    }
    size_t n = coefficient_digits(parts.coefficient, digits);
    bool plain = parts.exponent <= 0 && parts.exponent >= -DECIMAL_DIGITS;
    at = plain ? put_plain(at, digits, n, (size_t)-parts.exponent) : put_scientific(at, digits, n, parts.exponent);
    *at = '\0';
    return into;
}

const char *decimal_double_text(double value, char *into)
{
    /* Where doubles have their full precision 15 digits always come back, and 17 always do; below that one may. */
    for (int digits = isnormal(value) ? DBL_DIG : 1; digits <= DBL_DECIMAL_DIG; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(into, DECIMAL_TEXT, format, value);
        if (g_ascii_strtod(into, NULL) == value)
            break;
    }
    return into;
}

bool decimal_from_double(double value, bson_decimal128_t *ret)
{
    char text[DECIMAL_TEXT];
    return isfinite(value) && decimal_parse(slice_of_text(decimal_double_text(value, text)), ret, NULL);
}

void decimal_from_i64(int64_t value, bson_decimal128_t *ret)
{
    *ret = decimal_pack(value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 0);
}

/* coefficient × 10^exponent as a whole number; false where it is none, or has more than 34 digits. */
static bool to_whole(unsigned __int128 coefficient, int exponent, unsigned __int128 *ret)
{
    if (coefficient == 0 || exponent == 0) {
        *ret = coefficient;
        return true;
    }
    if (exponent > DECIMAL_DIGITS || exponent < -DECIMAL_DIGITS)
        return false;
    unsigned __int128 power = power_of_ten[exponent < 0 ? -exponent : exponent];
    if (exponent > 0) {
        *ret = coefficient * power;
        return coefficient <= (DECIMAL_1E34 - 1) / power;
    }
    if (coefficient <= UINT64_MAX && power <= UINT64_MAX) { /* a division of 64 bits is many times as fast */
        *ret = (uint64_t)coefficient / (uint64_t)power;
        return (uint64_t)coefficient % (uint64_t)power == 0;
    }
    *ret = coefficient / power;
    return coefficient % power == 0;
}

bool decimal_to_i64(const bson_decimal128_t *decimal, int64_t *ret)
{
    struct decimal_parts parts = decimal_unpack(decimal);
    unsigned __int128 size;
    if (parts.kind != DECIMAL_FINITE || !to_whole(parts.coefficient, parts.exponent, &size) ||
        size > (unsigned __int128)INT64_MAX + parts.negative)
        return false;
    *ret = parts.negative ? (int64_t)(0 - (uint64_t)size) : (int64_t)(uint64_t)size;
    return true;
}

bool decimal_is_finite(const bson_decimal128_t *decimal)
{
    return decimal_unpack(decimal).kind == DECIMAL_FINITE;
}

static BID_UINT128 to_bid(const bson_decimal128_t *decimal)
{
    return (BID_UINT128){.w = {decimal->low, decimal->high}};
}

static bson_decimal128_t from_bid(BID_UINT128 bid)
{
    bson_decimal128_t decimal;
    decimal.low = bid.w[0];
    decimal.high = bid.w[1];
    return decimal;
}

int decimal_compare(const bson_decimal128_t *a, const bson_decimal128_t *b)
{
    bool a_nan = decimal_unpack(a).kind == DECIMAL_NAN, b_nan = decimal_unpack(b).kind == DECIMAL_NAN;
    if (a_nan || b_nan)
        return b_nan - a_nan;
    _IDEC_flags flags = 0;
    return bid128_quiet_greater(to_bid(a), to_bid(b), &flags) - bid128_quiet_less(to_bid(a), to_bid(b), &flags);
}

static const struct operation {
    BID_UINT128 (*compute)(BID_UINT128, BID_UINT128, _IDEC_round, _IDEC_flags *);
    const char *sign;
    _IDEC_flags refused;
} operations[] = {
    [DECIMAL_ADD] = {bid128_add, "+", FLAG_INEXACT},
    [DECIMAL_SUBTRACT] = {bid128_sub, "-", FLAG_INEXACT},
    [DECIMAL_MULTIPLY] = {bid128_mul, "*", FLAG_INEXACT},
    [DECIMAL_DIVIDE] = {bid128_div, "/", 0},
};

static const char *why_refused(_IDEC_flags flags)
{
    if (flags & (FLAG_ZERO_DIVIDE | FLAG_INVALID)) /* 0 / 0 is invalid; nothing else finite is */
        return "the divisor is zero";
    if (flags & (FLAG_OVERFLOW | FLAG_UNDERFLOW))
        return "the result is out of the range of a decimal";
    return "the exact result needs more than 34 digits";
}

bool decimal_compute(enum decimal_op op, const bson_decimal128_t *a, const bson_decimal128_t *b, bson_decimal128_t *ret,
                     GError **error)
{
    const struct operation *operation = &operations[op];
    char a_text[DECIMAL_TEXT], b_text[DECIMAL_TEXT];
    if (!decimal_is_finite(a) || !decimal_is_finite(b))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "%s %s %s: only finite numbers can be computed with",
                         decimal_text(a, a_text), operation->sign, decimal_text(b, b_text));
    _IDEC_flags flags = 0;
    BID_UINT128 result = operation->compute(to_bid(a), to_bid(b), HALF_EVEN, &flags);
    flags &= operation->refused | FLAG_ZERO_DIVIDE | FLAG_INVALID | FLAG_OVERFLOW | FLAG_UNDERFLOW;
    if (flags)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "%s %s %s: %s", decimal_text(a, a_text), operation->sign,
                         decimal_text(b, b_text), why_refused(flags));
    *ret = from_bid(result);
    return true;
}

bool decimal_round(const bson_decimal128_t *a, int scale, bson_decimal128_t *ret, GError **error)
{
    char text[DECIMAL_TEXT];
    _IDEC_flags flags = 0;
    bool in_range = scale >= -DECIMAL_MOST_EXPONENT && scale <= -DECIMAL_LEAST_EXPONENT && decimal_is_finite(a);
    BID_UINT128 result = to_bid(a);
    if (in_range) {
        bson_decimal128_t quantum = decimal_pack(false, 1, -scale);
        result = bid128_quantize(to_bid(a), to_bid(&quantum), HALF_EVEN, &flags);
    }
    if (!in_range || flags & FLAG_INVALID)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "%s cannot be rounded to %d digits behind the point: %s",
                         decimal_text(a, text), scale,
                         decimal_is_finite(a) ? "the result would need more than 34 digits" : "it is not finite");
    *ret = from_bid(result);
    return true;
}

/* Takes trailing zeros off by powers of ten, the largest first. */
static void strip_zeros(struct decimal_parts *parts)
{
    for (int step = 16; step >= 1; step /= 2) {
        unsigned __int128 power = power_of_ten[step];
        while (parts->exponent + step <= DECIMAL_MOST_EXPONENT) {
            bool small = parts->coefficient <= UINT64_MAX;
            uint64_t low = (uint64_t)parts->coefficient;
            if (small ? low % (uint64_t)power : parts->coefficient % power)
                break;
            parts->coefficient = small ? low / (uint64_t)power : parts->coefficient / power;
            parts->exponent += step;
        }
    }
}

void decimal_normal(const bson_decimal128_t *decimal, bson_decimal128_t *ret)
{
    struct decimal_parts parts = decimal_unpack(decimal);
    if (parts.kind != DECIMAL_FINITE) {
        ret->low = 0;
        ret->high =
            parts.kind == DECIMAL_NAN ? UINT64_C(0x7c) << 56 : (UINT64_C(0x78) | (uint64_t)parts.negative << 7) << 56;
        return;
    }
    if (parts.coefficient == 0) {
        *ret = decimal_pack(false, 0, 0);
        return;
    }
    strip_zeros(&parts);
    *ret = decimal_pack(parts.negative, parts.coefficient, parts.exponent);
}
