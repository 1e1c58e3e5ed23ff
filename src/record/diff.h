/* What differs between two documents, field by field: for people and programs to read, exact to the byte (10 and 10.0
 * differ here, though they are equal as values). */
#pragma once

#include "record/document.h"

/* A field that only one has, or that both have with different values. Objects are compared by their fields, arrays as a
 * whole. `path` as in record/path.h; the values as JSON, NULL where there is none. In the arena. */
struct diff_change {
    const char *path;
    const char *before, *after;
    const char *before_type, *after_type; /* "a string": two values may look the same */
};

/* Appends to `into` (of struct diff_change): first the fields of `after`, in its order, then those that only `before`
 * has. An empty slice is no document: every field of the other counts. BAD_RECORD as document_to_json() says it;
 * TOO_BIG where the arena is full. Uses the heap: not for the way of every record. */
bool diff_documents(struct slice before, struct slice after, struct arena *mem, GArray *into, GError **error);
