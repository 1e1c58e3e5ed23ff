/* Inside store/file/: CSV as of RFC 4180, with a header row. https://www.rfc-editor.org/rfc/rfc4180
 *
 * A row becomes a document with a string for each cell, in the order of the header. Cells may be quoted, and then hold
 * commas, line ends and doubled quotes. A row with more or fewer cells than the header, or with a quote in the middle
 * of a cell, is a fault, and so is one that is the header row again (files put one behind the other), unless it has but
 * one cell; an empty line is no row. */
#pragma once

#include "store/file/cutter.h"

struct csv_header;

/* Takes the header row off the front of the cutter, which keeps it. No data at all: no header, and no rows. CORRUPT,
 * with path:line:column, for a header with an empty name, one that stands twice, or that is not a CSV row. */
bool csv_header_take(struct cutter *cutter, const char *path, GError **error);
bool csv_header_has(const struct csv_header *header, struct slice name);
void csv_header_free(struct csv_header *header);
AUTO_DEFINE(csv_header, csv_header_free)
