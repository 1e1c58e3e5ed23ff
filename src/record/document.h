/* A document is a slice of BSON bytes (libbson's layout, so that bson_init_static() views it without a copy).
 *
 * JSON is read by our own bounded scanner that keeps the value and the scale of every number: int64 where it has the
 * scale 0, fits and is not -0 (so 10, and 1.0e1 which is 10 with another spelling), else decimal128. What needs more
 * than 34 digits or an exponent out of range is a record error, never rounded. So 9007199254740993,
 * 18446744073709551615, 0.10 and -0 survive; 1e6200 is refused.
 * Refused too: invalid UTF-8 (also unpaired surrogate escapes), duplicate keys in one object, nesting above
 * DOCUMENT_DEPTH, more than DOCUMENT_BYTES (of text or of BSON), keys with a NUL (BSON cannot hold them).
 * Blanks around the text are allowed. What was read from JSON is written and read again to the same bytes. */
#pragma once

#include <bson/bson.h>

#include "base/arena.h"
#include "base/error.h"

#define DOCUMENT_DEPTH 100
#define DOCUMENT_BYTES (16u << 20)

/* One JSON object → BSON bytes in `mem`. On failure *ret_at (may be NULL) is the byte offset of the fault in the text;
 * the message has its column, what was expected, and a few bytes of the place. Errors: BAD_RECORD, TOO_BIG.
 * Cost: one pass, one copy into the arena, no heap allocation but for objects with hundreds of keys. */
bool document_from_json(struct slice text, struct arena *mem, struct slice *ret, size_t *ret_at, GError **error);

/* BSON → JSON text, one line, keys in document order, appended to `into`, which is left as it was on failure. Numbers
 * keep value and scale; datetimes, binary, uuid and what JSON lacks are written as docs/formats/documents.md says.
 * Fails with BAD_RECORD on what document_check() refuses, but for size and duplicate keys. */
bool document_to_json(struct slice document, GString *into, GError **error);
/* The same of an array's bytes, as they stand inside of a document. */
bool document_array_to_json(struct slice array, GString *into, GError **error);

/* Checks bytes that came from outside (a store): structure, UTF-8, depth, size, duplicate keys, types we carry. The
 * names of array elements only have to be UTF-8: their place counts. Errors: BAD_RECORD, TOO_BIG. */
bool document_check(struct slice bytes, GError **error);

/* Where dumps of files go, a line of JSON each: text without newline, valid during the call. */
struct document_lines {
    bool (*line)(void *self, const char *text, GError **error); /* false, with *error, ends the dump */
    void *self;
};

static inline bool document_view(struct slice document, bson_t *ret)
{
    return bson_init_static(ret, document.data, document.len);
}

/* The canonical bytes of the empty document. */
struct slice document_empty(void);
