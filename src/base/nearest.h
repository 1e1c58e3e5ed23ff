/* "did you mean": the known word nearest to what was typed, by Damerau-Levenshtein distance (optimal string alignment).
 * NULL when none is within a third of its length. */
#pragma once

#include <stddef.h>

const char *nearest_word(const char *typed, const char *const *words, size_t n);
