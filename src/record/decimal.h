/* Exact decimals: IEEE 754-2008 decimal128 in the BID encoding that BSON carries, computed by Intel's decimal library.
 *
 * Nothing rounds silently: an operation whose exact result needs more than 34 digits fails with BAD_RECORD, except
 * division and decimal_round(), which round half to even. Value and scale are kept: 0.10 + 0.20 = 0.30. A result out of
 * the exponents' range, a division by zero and an operand that is not finite fail with BAD_RECORD too. */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include <bson/bson.h>

#define DECIMAL_TEXT 48

bool decimal_parse(struct slice text, bson_decimal128_t *ret, GError **error); /* JSON number syntax; finite only */
/* Canonical text, which decimal_parse() reads back to the same value and scale: plain digits where the exponent is
 * within -34..0 (0.10, -0, 10), else scientific (1E+40). What is not finite: NaN, Infinity, -Infinity. */
const char *decimal_text(const bson_decimal128_t *decimal, char *into);
/* The shortest text that reads back to the same double, which must be finite: 1.19, 5, 1e+22. */
const char *decimal_double_text(double value, char *into);
/* A double by that text: 1.19 is 1.19, not the 53 binary digits nearest to it. false: it is not finite. */
bool decimal_from_double(double value, bson_decimal128_t *ret);
void decimal_from_i64(int64_t value, bson_decimal128_t *ret);
bool decimal_to_i64(const bson_decimal128_t *decimal, int64_t *ret); /* false: not an integer, or out of range */
bool decimal_is_finite(const bson_decimal128_t *decimal);
/* By value: negative, 0, positive. -0 equals 0; NaN equals NaN and stands before all else. */
int decimal_compare(const bson_decimal128_t *a, const bson_decimal128_t *b);

enum decimal_op { DECIMAL_ADD, DECIMAL_SUBTRACT, DECIMAL_MULTIPLY, DECIMAL_DIVIDE };
bool decimal_compute(enum decimal_op op, const bson_decimal128_t *a, const bson_decimal128_t *b, bson_decimal128_t *ret,
                     GError **error);
/* To `scale` digits behind the point; a negative scale rounds to tens, hundreds … (123, -1 → 1.2E+2). */
bool decimal_round(const bson_decimal128_t *a, int scale, bson_decimal128_t *ret, GError **error);
/* One form per value: no trailing zeros in the coefficient (as far as the exponent can rise), 0 for every zero, one
 * NaN. */
void decimal_normal(const bson_decimal128_t *decimal, bson_decimal128_t *ret);
