/* Lines of the quarantine: docs/formats/quarantine.md in code. Of use to src/quarantine alone. */
#pragma once

#include "base/file.h"
#include "quarantine/quarantine.h"

struct line_head {
    uint32_t part, lane;
    uint64_t checkpoint, number;
};

struct line_whose;

/* The first line, with its newline. */
char *line_first(const struct line_whose *whose);
/* A row, with its newline. */
bool line_put(const struct line_whose *whose, const struct line_head *head, const struct quarantine_row *row,
              GString *into, GError **error);
/* Fills in the check of the row that begins at `begin` and ends `text`. */
void line_check(GString *text, gsize begin);

/* Whether the line (without newline) is a row that verifies; its JSON is not parsed. */
bool line_get(struct slice line, struct line_head *ret);
/* The same of a row that is known to verify, with what stands behind its numbers. */
bool line_rest(struct slice line, struct line_head *ret, struct slice *ret_rest);
/* All of a row that verified, in `mem`. TOO_BIG where that is too small, CORRUPT where it is not what line_put()
 * writes. */
bool line_parse(const struct line_whose *whose, struct slice line, struct arena *mem, struct quarantine_entry *ret,
                GError **error);

/* The lines of a file from its beginning. */
struct line_feed {
    struct file *file;
    uint8_t *bytes; /* of the file from `offset` on */
    size_t room, len;
    size_t at; /* of the next line, in bytes */
    uint64_t offset;
};

void line_feed_init(struct line_feed *feed, struct file *file);
void line_feed_done(struct line_feed *feed);

enum line_result { LINE_OK, LINE_TORN /* the file ends without a newline */, LINE_END, LINE_FAILED };

/* *ret: without newline, valid until the next call. A line above LINE_MOST comes in pieces, which do not verify. */
#define LINE_MOST (size_t)(256u << 20)
enum line_result line_next(struct line_feed *feed, struct slice *ret, GError **error);
uint64_t line_feed_here(const struct line_feed *feed); /* where the next line begins */

/* Reads the first line: LINE_OK, or LINE_FAILED (CORRUPT) where it is not that of this run's quarantine; LINE_TORN or
 * LINE_END where it was never wholly written. */
enum line_result line_open(struct line_feed *feed, const struct line_whose *whose, GError **error);
