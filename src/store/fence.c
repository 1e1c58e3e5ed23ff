#include "store/fence.h"

#include <xxhash.h>

#include "base/int.h"

enum { FENCE_VERSION = 1, LANE_OPEN = 1, CHECKSUM_BYTES = 8 };

struct fence_state {
    uint32_t highest;
    GArray *lanes; /* of struct lane_state, ascending */
};

static void lane_state_done(void *at)
{
    g_byte_array_unref(((struct lane_state *)at)->bits);
}

struct fence_state *fence_state_new(void)
{
    struct fence_state *fence = g_new0(struct fence_state, 1);
    fence->lanes = g_array_new(false, true, sizeof(struct lane_state));
    g_array_set_clear_func(fence->lanes, lane_state_done);
    return fence;
}

void fence_state_free(struct fence_state *fence)
{
    if (!fence)
        return;
    g_array_unref(fence->lanes);
    g_free(fence);
}

static struct lane_state *lane_at(const struct fence_state *fence, size_t i)
{
    return &g_array_index(fence->lanes, struct lane_state, i);
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

/* Trailing zero bytes say nothing. */
static struct slice trimmed(const GByteArray *bits)
{
    size_t len = bits->len;
    while (len > 0 && bits->data[len - 1] == 0)
        len--;
    return slice_of(bits->data, len);
}

void fence_state_encode(const struct fence_state *fence, GByteArray *into)
{
    size_t begin = into->len;
    put_u8(into, FENCE_VERSION);
    put_varint(into, fence->highest);
    put_varint(into, fence->lanes->len);
    for (size_t i = 0; i < fence->lanes->len; i++) {
        const struct lane_state *lane = lane_at(fence, i);
        put_varint(into, lane->lane);
        put_u8(into, lane->open ? LANE_OPEN : 0);
        put_varint(into, lane->base);
        put_prefixed(into, trimmed(lane->bits));
    }
    put_u64(into, XXH3_64bits(into->data + begin, into->len - begin));
}

static bool damaged(const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "the fence is damaged: %s", what);
}

static bool decode_lane(struct fence_state *fence, struct reader *from, GError **error)
{
    uint64_t number = reader_varint(from);
    uint8_t flags = reader_u8(from);
    uint64_t base = reader_varint(from);
    struct slice bits = reader_prefixed(from);
    if (!from->ok)
        return damaged("it ends within a lane", error);
    uint32_t above = fence->lanes->len ? lane_at(fence, fence->lanes->len - 1)->lane : 0;
    if (number <= above || number > fence->highest)
        return damaged("its lanes do not ascend", error);
    if (flags > LANE_OPEN)
        return damaged("a lane has flags that this version does not know", error);
    if (bits.len > FENCE_SPAN / 8 || base > UINT64_MAX - FENCE_SPAN)
        return damaged("a lane reaches too far", error);
    struct lane_state lane = {
        .lane = (uint32_t)number, .open = flags == LANE_OPEN, .base = base, .bits = g_byte_array_new()};
    put_bytes(lane.bits, bits);
    g_array_append_val(fence->lanes, lane);
    return true;
}

static bool decode_body(struct fence_state *fence, struct reader *from, GError **error)
{
    uint8_t version = reader_u8(from);
    if (version != FENCE_VERSION)
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "the fence is of format %u, this sluice reads %u: use the newer one", version, FENCE_VERSION);
    if (!int_to_u32(reader_varint(from), &fence->highest))
        return damaged("its highest lane is out of range", error);
    uint64_t n = reader_varint(from);
    for (uint64_t i = 0; i < n && from->ok; i++)
        if (!decode_lane(fence, from, error))
            return false;
    if (!from->ok || reader_left(from))
        return damaged("its length is wrong", error);
    return true;
}

bool fence_state_decode(struct fence_state **ret, struct slice bytes, GError **error)
{
    if (bytes.len < CHECKSUM_BYTES)
        return damaged("it is too short", error);
    size_t len = bytes.len - CHECKSUM_BYTES;
    struct reader sum = reader_of(slice_of(bytes.data + len, CHECKSUM_BYTES));
    if (reader_u64(&sum) != XXH3_64bits(bytes.data, len))
        return damaged("its checksum does not hold", error);
    auto_(fence_state) fence = fence_state_new();
    struct reader from = reader_of(slice_of(bytes.data, len));
    if (!decode_body(fence, &from, error))
        return false;
    *ret = g_steal_pointer(&fence);
    return true;
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */

struct lane_state *fence_state_lane(struct fence_state *fence, uint32_t lane)
{
    for (size_t i = fence->lanes->len; i > 0; i--)
        if (lane_at(fence, i - 1)->lane == lane)
            return lane_at(fence, i - 1);
    return NULL;
}

uint32_t fence_state_highest(const struct fence_state *fence)
{
    return fence->highest;
}

bool fence_state_open(struct fence_state *fence, const struct lane *lane, GError **error)
{
    if (lane->lane <= fence->highest)
        return error_set(error, SLUICE_ERROR_BEHIND,
                         "lane %u of partition %u is not above lane %u, which the store has seen: the catalog is older "
                         "than the store; use the home that this run last ran in",
                         lane->lane, lane->fence.part, fence->highest);
    fence_state_close(fence);
    struct lane_state opened = {.lane = lane->lane, .open = true, .base = lane->base, .bits = g_byte_array_new()};
    g_array_append_val(fence->lanes, opened);
    fence->highest = lane->lane;
    return true;
}

void fence_state_close(struct fence_state *fence)
{
    for (size_t i = 0; i < fence->lanes->len; i++)
        lane_at(fence, i)->open = false;
}

static bool bit_is_set(struct slice bits, uint64_t i)
{
    return i / 8 < bits.len && (bits.data[i / 8] >> (i % 8) & 1);
}

bool fence_lane_applied(const struct fence_lane *lane, uint64_t number)
{
    return number > lane->base && bit_is_set(lane->bitmap, number - lane->base - 1);
}

bool lane_state_applied(const struct lane_state *lane, uint64_t number)
{
    return number <= lane->base || bit_is_set(slice_of(lane->bits->data, lane->bits->len), number - lane->base - 1);
}

bool lane_state_takes(const struct lane_state *lane, uint64_t number, GError **error)
{
    if (number > 0 && (number <= lane->base || number - lane->base <= FENCE_SPAN))
        return true;
    return error_set(error, SLUICE_ERROR_INTERNAL,
                     "write number %" G_GUINT64_FORMAT " of lane %u lies too far above its base %" G_GUINT64_FORMAT,
                     number, lane->lane, lane->base);
}

void lane_state_mark(struct lane_state *lane, uint64_t number)
{
    size_t i = (size_t)(number - lane->base - 1);
    size_t before = lane->bits->len;
    if (i / 8 >= before) {
        g_byte_array_set_size(lane->bits, (unsigned)(i / 8 + 1));
        memset(lane->bits->data + before, 0, i / 8 + 1 - before);
    }
    lane->bits->data[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* The bits above the new base move down to it: whole bytes at once, then what is left of a byte. */
void lane_state_rebase(struct lane_state *lane, uint64_t base)
{
    if (base <= lane->base)
        return;
    uint64_t by = base - lane->base;
    lane->base = base;
    if (by / 8 >= lane->bits->len) {
        g_byte_array_set_size(lane->bits, 0);
        return;
    }
    if (by >= 8)
        g_byte_array_remove_range(lane->bits, 0, (unsigned)(by / 8));
    unsigned shift = (unsigned)(by % 8);
    for (size_t i = 0; shift && i < lane->bits->len; i++) {
        unsigned next = i + 1 < lane->bits->len ? lane->bits->data[i + 1] : 0;
        lane->bits->data[i] = (uint8_t)(lane->bits->data[i] >> shift | next << (8 - shift));
    }
}

/* --- what callers see --------------------------------------------------------------------------------------------- */

bool fence_state_view(const struct fence_state *fence, struct arena *mem, struct fence *ret, GError **error)
{
    if (!fence) {
        *ret = (struct fence){.present = false};
        return true;
    }
    size_t n = fence->lanes->len;
    struct fence_lane *lanes = arena_alloc(mem, n * sizeof(*lanes));
    bool fits = lanes || !n;
    for (size_t i = 0; i < n && fits; i++) {
        const struct lane_state *lane = lane_at(fence, i);
        lanes[i] = (struct fence_lane){.lane = lane->lane, .open = lane->open, .base = lane->base};
        fits = arena_copy(mem, trimmed(lane->bits), &lanes[i].bitmap);
    }
    if (!fits)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the fence does not fit into the memory of the call");
    *ret = (struct fence){.present = true, .lanes = lanes, .n = n, .highest = fence->highest};
    return true;
}

void fence_key_put(const struct fence_id *id, uint8_t into[FENCE_KEY_BYTES])
{
    memcpy(into, id->run, sizeof(id->run));
    for (size_t i = 0; i < sizeof(id->part); i++)
        into[sizeof(id->run) + i] = (uint8_t)(id->part >> (24 - 8 * i));
}
