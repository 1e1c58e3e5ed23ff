#include "view/lines.h"

#include <glib.h>
#include <string.h>

#define CELLS_MOST (4u << 20)

struct text {
    char **lines;
    size_t n; /* that are left between what both begin and end with */
};

struct comparison {
    struct text a, b;
    size_t begin; /* lines that both begin with */
    void (*each)(void *self, const struct line_change *change);
    void *self;
};

static void tell(const struct comparison *of, bool added, size_t i)
{
    struct line_change change = {.added = added, .number = of->begin + i + 1, .text = (added ? of->b : of->a).lines[i]};
    of->each(of->self, &change);
}

/* What both begin and end with is set aside. */
static void narrow(struct comparison *io)
{
    struct text *a = &io->a, *b = &io->b;
    while (a->n && b->n && strcmp(a->lines[0], b->lines[0]) == 0) {
        a->lines++, b->lines++;
        a->n--, b->n--;
        io->begin++;
    }
    while (a->n && b->n && strcmp(a->lines[a->n - 1], b->lines[b->n - 1]) == 0)
        a->n--, b->n--;
}

/* longest[i * width + j]: how many lines the rests from i and from j have in common. */
static uint32_t *table_of(const struct text *a, const struct text *b)
{
    size_t width = b->n + 1;
    uint32_t *longest = g_new0(uint32_t, (a->n + 1) * width);
    for (size_t i = a->n; i-- > 0;)
        for (size_t j = b->n; j-- > 0;)
            longest[i * width + j] = strcmp(a->lines[i], b->lines[j]) == 0
                                         ? longest[(i + 1) * width + j + 1] + 1
                                         : MAX(longest[(i + 1) * width + j], longest[i * width + j + 1]);
    return longest;
}

static void walk(const struct comparison *of)
{
    const struct text *a = &of->a, *b = &of->b;
    bool small = (a->n + 1) < CELLS_MOST / (b->n + 1);
    g_autofree uint32_t *longest = small ? table_of(a, b) : NULL;
    size_t i = 0, j = 0, width = b->n + 1;
    while (i < a->n || j < b->n) {
        bool both = i < a->n && j < b->n;
        if (both && small && strcmp(a->lines[i], b->lines[j]) == 0)
            i++, j++;
        else if (i < a->n && (!both || !small || longest[(i + 1) * width + j] >= longest[i * width + j + 1]))
            tell(of, false, i++);
        else
            tell(of, true, j++);
    }
}

/* The newline that ends a text begins no line. One that is not there has none. */
static char **split(struct slice text)
{
    if (text.len == 0)
        return g_new0(char *, 1);
    size_t len = text.len && text.data[text.len - 1] == '\n' ? text.len - 1 : text.len;
    g_autofree char *copy = g_strndup((const char *)text.data, len);
    return g_strsplit(copy, "\n", -1);
}

void lines_compare(struct slice a, struct slice b, void (*each)(void *self, const struct line_change *change),
                   void *self)
{
    g_auto(GStrv) a_lines = split(a), b_lines = split(b);
    struct comparison of = {
        .a = {a_lines, g_strv_length(a_lines)}, .b = {b_lines, g_strv_length(b_lines)}, .each = each, .self = self};
    narrow(&of);
    walk(&of);
}
