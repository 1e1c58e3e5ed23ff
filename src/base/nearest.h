/* "did you mean": the known word nearest to what was typed, by Damerau-Levenshtein distance (optimal string alignment);
 * case counts for nothing. NULL when none is within a third of the typed length (one slip is always allowed from two
 * letters on). Of equally near words the first. */
#pragma once

#include <stddef.h>

const char *nearest_word(const char *typed, const char *const *words, size_t n);
