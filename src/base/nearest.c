#include "base/nearest.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

enum { LONGEST = 64 }; /* longer words are not slips of the finger */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same(char a, char b)
{
    return g_ascii_tolower(a) == g_ascii_tolower(b);
}

/* Optimal string alignment, three rows at a time. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t replaced = above[j - 1] + !same(a[i - 1], b[j - 1]);
            row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = smaller(row[j], above2[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *nearest_word(const char *typed, const char *const *words, size_t n)
{
    size_t len = strlen(typed);
    if (len < 2 || len > LONGEST)
        return NULL;
    size_t best = (len < 6 ? 1 : len / 3) + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t word_len = strlen(words[i]);
        if (word_len > LONGEST)
            continue;
        size_t away = distance(typed, len, words[i], word_len);
        if (away < best) {
            best = away;
            nearest = words[i];
        }
    }
    return nearest;
}
