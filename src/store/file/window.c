#include "store/file/window.h"

#include <xxhash.h>

enum { LARGE = 4 * WINDOW_CHUNK, MARGIN = 4096 };

struct window_sum {
    XXH3_state_t *state;
    uint64_t offset; /* summed up to here */
};

void window_init(struct window *window, struct file_stream *stream, uint64_t offset)
{
    size_t first = (size_t)MIN(file_stream_left(stream), WINDOW_CHUNK) + MARGIN;
    *window = (struct window){.stream = stream, .offset = offset, .first = first};
}

void window_done(struct window *window)
{
    g_free(window->data);
    window_sum_free(window->sum);
    *window = (struct window){0};
}

static void sum_to(struct window *window, uint64_t offset)
{
    struct window_sum *sum = window->sum;
    const uint8_t *at = window->data + window->at - (window->offset - sum->offset);
    XXH3_128bits_update(sum->state, at, (size_t)(offset - sum->offset));
    sum->offset = offset;
}

/* Room for a chunk behind what is left, which then lies at the front. */
static bool make_room(struct window *window, GError **error)
{
    size_t left = window->have - window->at;
    size_t cap = MAX(window->cap > LARGE && left < MARGIN ? 0 : window->cap, window->first);
    if (cap - left < window->first / 2)
        cap = MIN(MAX(cap * 2, left + WINDOW_CHUNK), (size_t)WINDOW_MOST);
    if (left > 0 && window->at > 0)
        memmove(window->data, window->data + window->at, left);
    window->at = 0;
    window->have = left;
    if (cap == window->cap)
        return true;
    uint8_t *data = g_try_realloc(window->data, cap);
    if (!data)
        return error_set(error, SLUICE_ERROR_INTERNAL, "no memory for a record of more than %zu bytes", left);
    window->data = data;
    window->cap = cap;
    return true;
}

bool window_more(struct window *window, GError **error)
{
    g_assert(window->have - window->at <= DOCUMENT_BYTES + WINDOW_CHUNK);
    if (window->sum)
        sum_to(window, window->offset);
    if (window->ended)
        return true;
    if (!make_room(window, error))
        return false;
    size_t room = MIN(window->cap - window->have, (size_t)WINDOW_CHUNK);
    while (room > 0) {
        size_t got;
        if (!file_stream_read(window->stream, window->data + window->have, room, &got, error))
            return false;
        window->have += got;
        room -= got;
        window->ended = got == 0;
        if (window->ended)
            break;
    }
    return true;
}

bool window_skip(struct window *window, uint64_t n, GError **error)
{
    while (n > 0) {
        size_t step = (size_t)MIN(n, window->have - window->at);
        window_take(window, step);
        n -= step;
        if (n == 0)
            break;
        if (window->ended)
            return error_set(error, SLUICE_ERROR_CORRUPT, "the data end before the place to go on from");
        if (!window_more(window, error))
            return false;
    }
    return true;
}

struct window_sum *window_sum_new(uint64_t offset)
{
    struct window_sum *sum = g_new0(struct window_sum, 1);
    sum->state = XXH3_createState();
    sum->offset = offset;
    XXH3_128bits_reset(sum->state);
    return sum;
}

void window_sum_free(struct window_sum *sum)
{
    if (!sum)
        return;
    XXH3_freeState(sum->state);
    g_free(sum);
}

bool window_sum_may_end(const struct window *window, uint64_t offset)
{
    return offset >= window->sum->offset;
}

struct digest window_sum_end(struct window *window, uint64_t offset)
{
    sum_to(window, offset);
    XXH128_hash_t hash = XXH3_128bits_digest(window->sum->state);
    XXH3_128bits_reset(window->sum->state);
    return (struct digest){.low = hash.low64, .high = hash.high64};
}
