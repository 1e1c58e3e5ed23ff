#include "store/valkey/allocator.h"

#include "base/int.h"
#include "store/valkey/info.h"

enum { SIZE, INDEX, ALLOCATED, COLUMNS };
enum { ROWS_FROM = 4, PAGE_MOST = 1 << 20 };

static bool begins(struct slice line, const char *text)
{
    size_t len = strlen(text);
    return line.len >= len && memcmp(line.data, text, len) == 0;
}

static bool word_next(struct slice *rest, struct slice *ret)
{
    while (rest->len > 0 && *rest->data == ' ')
        *rest = slice_of(rest->data + 1, rest->len - 1);
    size_t len = 0;
    while (len < rest->len && rest->data[len] != ' ')
        len++;
    *ret = slice_of(rest->data, len);
    *rest = slice_of(rest->data + len, rest->len - len);
    return len > 0;
}

/* `large:  size ind  allocated …`: there is another line that begins so, with the sum of them. */
static bool is_head(struct slice line)
{
    static const char *const WORDS[] = {"large:", "size", "ind", "allocated"};
    struct slice word;
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++)
        if (!word_next(&line, &word) || !slice_equal(word, slice_of_text(WORDS[i])))
            return false;
    return true;
}

/* What is smaller than four pages stands in no row. */
static void take_page(struct slice line, uint64_t *io_least)
{
    static const char HEAD[] = "Page size: ";
    uint64_t page;
    if (begins(line, HEAD) && int_parse_u64(slice_of(line.data + strlen(HEAD), line.len - strlen(HEAD)), &page) &&
        page <= PAGE_MOST)
        *io_least = ROWS_FROM * page;
}

/* The table of all arenas: it comes first, and is left out where there is one arena. */
static bool find_table(struct slice *rest, uint64_t *ret_least)
{
    bool known = false, merged = false;
    size_t arenas = 0;
    struct slice table = SLICE_EMPTY;
    for (struct slice line; info_line(rest, &line);) {
        known |= begins(line, "Version: \"5.");
        take_page(line, ret_least);
        merged |= begins(line, "Merged arenas stats:");
        arenas += begins(line, "arenas[");
        if (!table.data && is_head(line))
            table = *rest;
    }
    *rest = table;
    return known && table.data && *ret_least >= ALLOCATOR_LEAST_BYTES && (merged || arenas == 1);
}

/* A row of the table; `---` stands for rows in which nothing ever was. */
static bool take_row(struct slice line, uint64_t least, uint64_t ret[COLUMNS])
{
    struct slice word;
    for (size_t i = 0; i < COLUMNS; i++)
        if (!word_next(&line, &word) || !int_parse_u64(word, &ret[i]))
            return false;
    return ret[SIZE] >= least && ret[ALLOCATED] % ret[SIZE] == 0;
}

static bool is_gap(struct slice line)
{
    struct slice word;
    return word_next(&line, &word) && begins(word, "---");
}

bool allocator_largest(struct slice text, uint64_t table_bytes, uint64_t *ret_bytes)
{
    uint64_t least = 0, largest, row[COLUMNS];
    bool ended = false, left_out = table_bytes == 0;
    if (!find_table(&text, &least))
        return false;
    largest = least;
    for (struct slice line; !ended && info_line(&text, &line);) {
        ended = begins(line, "extents:");
        if (ended || is_gap(line))
            continue;
        if (!take_row(line, least, row))
            return false;
        uint64_t live = row[ALLOCATED] / row[SIZE];
        bool table = live > 0 && !left_out && row[SIZE] >= table_bytes && (row[SIZE] & (row[SIZE] - 1)) == 0;
        left_out |= table;
        if (live > table)
            largest = MAX(largest, row[SIZE]);
    }
    if (!ended || !left_out)
        return false;
    *ret_bytes = largest;
    return true;
}
