/* Inside record/: the syntax of a JSON number, for the reader of documents and of decimals alike. */
#pragma once

#include "base/slice.h"

struct number {
    const uint8_t *end; /* behind the number; where the fault is, if there is one */
    unsigned __int128 coefficient;
    int32_t exponent;
    bool negative;
};

/* The number at `at`: value = ± coefficient × 10^exponent, with the scale that the text shows: at most 34 digits and an
 * exponent that decimal128 has. Returns NULL, or what is wrong. */
const char *number_scan(const uint8_t *at, const uint8_t *end, struct number *ret);

/* Whether it is one of int64 with the scale 0; -0 is not. */
bool number_to_i64(const struct number *number, int64_t *ret);
