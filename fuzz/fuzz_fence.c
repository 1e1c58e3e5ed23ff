/* What stores keep beside the records: fences, locks, ranges, marks, witnesses, the lines of servers' histories. Any
 * bytes, also behind sums that fit. What is taken is whole, and is written back as it was. The first byte says what it
 * is. */
#include <xxhash.h>

#include "base/int.h"
#include "fuzz.h"
#include "store/fence.h"
#include "store/keyrange.h"
#include "store/lock.h"
#include "store/valkey/claim.h"
#include "store/valkey/fence.h"
#include "store/valkey/history.h"
#include "store/valkey/marks.h"

enum { MEM_BYTES = 16 << 20 };

static void look_at_lanes(struct fence_state *fence)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct fence view;
    if (!fence_state_view(fence, mem, &view, NULL))
        return;
    uint32_t before = 0;
    for (size_t i = 0; i < view.n; i++) {
        struct lane_state *lane = fence_state_lane(fence, view.lanes[i].lane);
        g_assert(lane && view.lanes[i].lane > before && view.lanes[i].lane <= fence_state_highest(fence));
        before = view.lanes[i].lane;
        for (uint64_t number = 1; number < 70; number++)
            g_assert(fence_lane_applied(&view.lanes[i], lane->base + number) ==
                     lane_state_applied(lane, lane->base + number));
    }
}

/* What it says of numbers above a new base stays what it was. */
static void rebase(struct fence_state *fence)
{
    struct lane_state *lane = fence_state_lane(fence, fence_state_highest(fence));
    if (!lane)
        return;
    uint64_t base = lane->base + 11;
    bool was[64];
    for (uint64_t i = 0; i < 64; i++)
        was[i] = lane_state_applied(lane, base + 1 + i);
    lane_state_rebase(lane, base);
    for (uint64_t i = 0; i < 64; i++)
        g_assert(lane_state_applied(lane, base + 1 + i) == was[i]);
}

static void fence_of(struct slice bytes)
{
    auto_(fence_state) fence = NULL;
    auto_(fence_state) again = NULL;
    g_autoptr(GByteArray) written = g_byte_array_new();
    if (!fence_state_decode(&fence, bytes, NULL))
        return;
    look_at_lanes(fence);
    fence_state_encode(fence, written);
    g_assert(fence_state_decode(&again, slice_of(written->data, written->len), NULL));
    look_at_lanes(again);
    rebase(fence);
}

static void lock_of(struct slice bytes)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    g_autoptr(GByteArray) written = g_byte_array_new();
    struct store_lock lock = {0};
    if (!store_lock_decode(bytes, mem, &lock, NULL))
        return;
    g_assert(lock.run && lock.host && lock.home);
    store_lock_encode(&lock, written);
    g_assert(store_lock_decode(slice_of(written->data, written->len), mem, &lock, NULL));
}

static void range_of(struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    struct slice bounds = reader_prefixed(&reader), key = reader_prefixed(&reader);
    struct slice cursor = reader_bytes(&reader, reader_left(&reader));
    struct key_range all, narrowed;
    if (!reader.ok || !key_range_decode(&all, bounds, SLICE_EMPTY, NULL))
        return;
    if (key_range_decode(&narrowed, bounds, cursor, NULL) && key_range_holds(&narrowed, key))
        g_assert(key_range_holds(&all, key));
}

static void marks_of(struct slice bytes)
{
    struct marks marks;
    uint32_t first, last, before = 0;
    if (!marks_read(bytes, &marks, NULL))
        return;
    for (size_t i = 0; i < marks_pairs(&marks); i++) {
        marks_pair(&marks, i, &first, &last);
        g_assert(first <= last && (i == 0 || first > before));
        before = last;
    }
}

static void history_of(struct slice bytes)
{
    auto_(history) history = NULL;
    auto_(history) again = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct witness witness = {.lane = 1, .number = 1};
    const char *where = NULL;
    if (!history_read(bytes, &history))
        return;
    g_autoptr(GString) second = g_string_new(NULL);
    history_put(history, text);
    g_assert(history_read(slice_of_text(text->str), &again));
    history_put(again, second);
    g_assert_cmpstr(text->str, ==, second->str);
    history_same(history, again);
    history_slots_stay(history, again);
    if (history_holds(again, slice_of_text(text->str), &witness, mem, &where) && where) {
        g_autofree struct history_where *slots = g_new0(struct history_where, 1);
        history_where(slice_of_text(where), slots);
    }
}

static void places_of(struct slice bytes)
{
    g_autofree struct history_where *where = g_new0(struct history_where, 1);
    struct claim claim;
    uint64_t tick;
    uint32_t part;
    char text[FENCE_TICK_BYTES];
    history_where(bytes, where);
    fence_is_witness(bytes, &part);
    if (fence_tick_read(bytes, &tick)) {
        fence_tick_put(tick, text);
        g_assert(slice_equal(slice_of_text(text), bytes));
    }
    claim_init(&claim);
    if (claim_read(&claim, bytes, NULL))
        g_assert(claim_held(&claim, &claim, 0) || !claim_held(&claim, &claim, 0));
    claim_done(&claim);
}

/* With a sum that fits behind it. */
static void sealed(void (*take)(struct slice), struct slice bytes)
{
    g_autoptr(GByteArray) whole = g_byte_array_new();
    put_bytes(whole, bytes);
    put_u64(whole, XXH3_64bits(bytes.data, bytes.len));
    take(slice_of(whole->data, whole->len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static void (*const TAKES[])(struct slice) = {fence_of, lock_of, range_of, marks_of, history_of, places_of};
    if (len == 0)
        return 0;
    struct slice bytes = slice_of(data + 1, len - 1);
    void (*take)(struct slice) = TAKES[(data[0] & 127) % G_N_ELEMENTS(TAKES)];
    if (data[0] & 128)
        sealed(take, bytes);
    else
        take(bytes);
    return 0;
}
