/* Inside store/file/: a view of a stream's bytes that moves along: what is left of the last read, with more behind it
 * as it is asked for. Records are cut and parsed where they lie. */
#pragma once

#include "store/file/stream.h"

/* A record and a read fit, never more. */
#define WINDOW_CHUNK (1u << 20)
#define WINDOW_MOST  (DOCUMENT_BYTES + 3u * WINDOW_CHUNK)

/* The digest of bytes that have been passed, for ranges whose end is known only when it has been reached. */
struct window_sum;

struct window {
    struct file_stream *stream; /* borrowed */
    uint8_t *data;
    size_t cap, at, have;   /* data[at … have) is left */
    size_t first;           /* room made at first */
    uint64_t offset;        /* of data[at] in the unpacked data */
    bool ended;             /* nothing follows data[have] */
    struct window_sum *sum; /* NULL: none */
};

void window_init(struct window *window, struct file_stream *stream, uint64_t offset);
void window_done(struct window *window);

/* Reads more behind what is left, which moves; sets `ended` where nothing more came. No more than DOCUMENT_BYTES and a
 * chunk are left. */
bool window_more(struct window *window, GError **error);

/* Passes over `n` bytes, whether they have been read or not. CORRUPT where there are fewer. */
bool window_skip(struct window *window, uint64_t n, GError **error);

static inline struct slice window_left(const struct window *window)
{
    return slice_of(window->data + window->at, window->have - window->at);
}

/* Passes over what has been looked at; its bytes stay where they are until the next window_more(). */
static inline void window_take(struct window *window, size_t n)
{
    window->at += n;
    window->offset += n;
}

/* Sums begin at `offset`, whose byte is still in the window. */
struct window_sum *window_sum_new(uint64_t offset);
void window_sum_free(struct window_sum *sum);
/* Whether the bytes from `offset` on have not been summed yet, so that a range may end there. */
bool window_sum_may_end(const struct window *window, uint64_t offset);
/* The digest of the bytes from the last end up to `offset`; the next begins there. */
struct digest window_sum_end(struct window *window, uint64_t offset);
