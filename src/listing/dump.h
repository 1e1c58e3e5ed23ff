/* Listings and skip lists as NDJSON, for people who look for something. */
#pragma once

#include "base/world.h"

struct listing_lines {
    bool (*line)(void *self, const char *text, GError **error); /* false, with *error, ends the dump */
    void *self;
};

/* The file at `path`, of whichever kind: a line that says what it is, then a line per key, or per state that does not
 * take part. Text without newline, valid during the call. CORRUPT: it is neither, or damaged. */
bool listing_dump(const struct world *world, const char *path, const struct listing_lines *into, GError **error);
