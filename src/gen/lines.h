/* What all generators share: one line after the other, which fault a line bears, and the line of the manifest that
 * tells of it. Private to gen/. */
#pragma once

#include "gen/chance.h"
#include "gen/pen.h"

struct lines_pens {
    struct pen records, faults, index;
};

/* Writes into each pen what there is to say of the line, up to PEN_LINE_BYTES. */
typedef void lines_put(const void *stream, uint64_t line, struct lines_pens *pens);

/* Lines 0..wish->records-1 into the sinks. */
bool lines_write(const struct gen_wish *wish, const struct gen_sinks *sinks, lines_put *put, const void *stream,
                 GError **error);

/* The fault of a line, drawn by the rows' shares: its place in the table of `n` rows; n: none. */
size_t lines_fault_drawn(const struct gen_fault_row *rows, size_t n, struct dice *dice);

typedef void lines_value(struct pen *pen, const void *of);

/* The field, and its value as it should be and as it is; NULL: none. */
struct lines_shown {
    const char *field;
    lines_value *right, *found;
};

struct lines_fault {
    uint64_t line; /* from 0 */
    const struct gen_fault_row *row;
    struct lines_shown shown;
    lines_value *key;
    const void *of;          /* what key, right and found are given */
    const uint64_t *repeats; /* the line that this one repeats, or is a later state of; NULL: none */
};
void lines_put_fault(struct pen *pen, const struct lines_fault *fault); /* a line of the manifest */
