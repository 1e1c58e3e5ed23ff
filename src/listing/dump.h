/* Listings and skip lists as NDJSON, for people who look for something. */
#pragma once

#include "base/world.h"
#include "record/document.h"

/* The file at `path`, of whichever kind: a line that says what it is, then a line per key, or per state that does not
 * take part. Text without newline, valid during the call. CORRUPT: it is neither, or damaged. */
bool listing_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
