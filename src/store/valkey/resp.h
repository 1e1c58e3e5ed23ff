/* The wire protocol of Valkey and Redis, RESP2 and RESP3: replies parsed without copying, commands written.
 *
 * Parsing has two steps, so that a large reply is never scanned again and again: resp_scan() walks bytes as they arrive
 * and says when one whole reply is there; resp_read() then builds its tree, slices pointing into those bytes. Both are
 * bounded: depth, elements and bytes of one reply by `struct resp_limits`; what is over is an error, as is what is no
 * RESP (STORE, naming the byte offset and what was expected). RESP3 attributes are skipped, pushes are replies of type
 * REPLY_PUSH. Pure. */
#pragma once

#include "base/arena.h"
#include "base/error.h"

enum reply_type {
    REPLY_NULL,
    REPLY_STATUS,  /* +OK: bytes */
    REPLY_ERROR,   /* -ERR …, !…: bytes */
    REPLY_INTEGER, /* : integer */
    REPLY_BYTES,   /* $, =: bytes */
    REPLY_DOUBLE,  /* , : bytes, its text */
    REPLY_BOOL,    /* # : integer 0 or 1 */
    REPLY_NUMBER,  /* ( : bytes, a big number's text */
    REPLY_ARRAY,   /* *, ~ (set): items */
    REPLY_MAP,     /* %: items, key and value in turn: n is even */
    REPLY_PUSH,    /* > */
};

struct reply {
    enum reply_type type;
    struct slice bytes;
    int64_t integer;
    struct reply *items;
    size_t n;
};

struct resp_limits {
    size_t bytes;    /* of one reply, 0: 1 GiB */
    size_t elements; /* of one reply in all, 0: 64 M */
};

#define RESP_DEPTH 16u /* how deep arrays may stand in arrays */

/* Where scanning has got to within one reply; zeroed it is at a beginning. */
struct resp_scan {
    size_t at;       /* where the first element that is not whole begins; at the end: where the reply ends */
    size_t seen;     /* no line that begins at `at` ends before this */
    size_t need;     /* with fewer bytes than these there is no use in scanning on */
    size_t elements; /* begun */
    uint32_t depth;
    uint64_t left[RESP_DEPTH + 1]; /* elements still to come, per level */
};

/* Walks on in `bytes` (the reply from its first byte; what was seen before is the same). *ret_whole: the reply ends at
 * scan->at, and the next one wants a zeroed scan. Each byte is looked at once, but for the beginning of an element. */
bool resp_scan(struct resp_scan *scan, struct slice bytes, const struct resp_limits *limits, bool *ret_whole,
               GError **error);

/* Of a whole reply as resp_scan() found it; items live in `mem`, slices in `bytes`. TOO_BIG where `mem` is full. */
bool resp_read(struct slice bytes, struct arena *mem, struct reply *ret, GError **error);

/* Both steps at once, for what is whole already, as nearly all replies are: *ret_end is where the reply ends. false: it
 * is not whole, or anything else is odd about it, and resp_scan() is to say what; what was taken of `mem` is of no use.
 */
bool resp_take(struct slice bytes, struct arena *mem, struct reply *ret, size_t *ret_end);

/* A command as the server takes it, appended. `into` stays below 2 GiB: who writes large values sends as it goes. */
void resp_put(GByteArray *into, const struct slice *args, size_t n);

/* Error replies: whether it begins with this word (`MOVED`, `ASK`, …). */
bool reply_is_error(const struct reply *reply, const char *word);
/* An array or a map of exactly so many items. */
bool reply_is_array(const struct reply *reply, size_t n);
/* What TIME is answered by; false: with something else. */
bool reply_time_ms(const struct reply *reply, int64_t *ret_ms);
