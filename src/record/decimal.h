/* Exact decimals: IEEE 754-2008 decimal128 in the BID encoding that BSON carries, computed by Intel's decimal library.
 *
 * Nothing rounds silently: an operation whose exact result needs more than 34 digits fails with BAD_RECORD, except
 * division and decimal_round(), which say how they round (half to even). Value and scale are kept: 0.10 + 0.20 = 0.30. */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include <bson/bson.h>

#define DECIMAL_TEXT 48

bool decimal_parse(struct slice text, bson_decimal128_t *ret, GError **error); /* JSON number syntax; finite only */
/* Canonical text: plain digits where the exponent is within -34..0 (0.10, -0, 10), else scientific 1E+40. */
const char *decimal_text(const bson_decimal128_t *decimal, char *into);
void decimal_from_i64(int64_t value, bson_decimal128_t *ret);
bool decimal_to_i64(const bson_decimal128_t *decimal, int64_t *ret); /* false: not an integer, or out of range */
bool decimal_is_finite(const bson_decimal128_t *decimal);
int decimal_compare(const bson_decimal128_t *a, const bson_decimal128_t *b); /* by value */

enum decimal_op { DECIMAL_ADD, DECIMAL_SUBTRACT, DECIMAL_MULTIPLY, DECIMAL_DIVIDE };
bool decimal_compute(enum decimal_op op, const bson_decimal128_t *a, const bson_decimal128_t *b, bson_decimal128_t *ret,
                     GError **error);
bool decimal_round(const bson_decimal128_t *a, int scale, bson_decimal128_t *ret, GError **error);
/* Sign, coefficient without trailing zeros and exponent: one form per value. */
void decimal_normal(const bson_decimal128_t *decimal, bson_decimal128_t *ret);
