#include <xxhash.h>

#include "base/int.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/fence.h"

static const struct lane lane_seven = {.lane = 7};

static struct fence_state *sample(void)
{
    struct fence_state *fence = fence_state_new();
    const struct lane first = {.lane = 3, .base = 10};
    assert_true(fence_state_open(fence, &first, NULL));
    lane_state_mark(fence_state_lane(fence, 3), 11);
    lane_state_mark(fence_state_lane(fence, 3), 300);
    assert_true(fence_state_open(fence, &lane_seven, NULL));
    lane_state_mark(fence_state_lane(fence, 7), 2);
    return fence;
}

static void a_fence_survives_its_bytes(void **state)
{
    GError *error = NULL;
    auto_(fence_state) fence = sample();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fence_state_encode(fence, bytes);
    auto_(fence_state) back = NULL;
    kit_ok(fence_state_decode(&back, slice_of(bytes->data, bytes->len), &error));
    g_autoptr(GByteArray) again = g_byte_array_new();
    fence_state_encode(back, again);
    assert_true(slice_equal(slice_of(bytes->data, bytes->len), slice_of(again->data, again->len)));
    struct lane_state *old = fence_state_lane(back, 3), *new = fence_state_lane(back, 7);
    assert_false(old->open);
    assert_true(new->open);
    assert_true(lane_state_applied(old, 11) && lane_state_applied(old, 300) && !lane_state_applied(old, 12));
    assert_true(lane_state_applied(new, 2) && !lane_state_applied(new, 1));
    assert_null(fence_state_lane(back, 4));
    kit_refused(fence_state_open(back, &lane_seven, &error), BEHIND, "lane 7");
}

/* The row as format version 1 has it: another sluice must be able to read it. */
static void the_format_is_the_one_on_the_page(void **state)
{
    auto_(fence_state) fence = sample();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fence_state_encode(fence, bytes);
    static const uint8_t head[] = {1, 7, 2, 3, 0, 10, 37, 1};
    static const uint8_t tail[] = {2, 7, 1, 0, 1, 2};
    assert_memory_equal(bytes->data, head, sizeof(head));
    assert_int_equal(bytes->len, sizeof(head) + 35 + sizeof(tail) + 8);
    assert_memory_equal(bytes->data + sizeof(head) + 35, tail, sizeof(tail));
}

static void no_changed_byte_passes(void **state)
{
    auto_(fence_state) fence = sample();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fence_state_encode(fence, bytes);
    for (size_t i = 0; i < bytes->len; i++) {
        GError *error = NULL;
        struct fence_state *back = NULL;
        bytes->data[i] ^= 0x10;
        kit_refused(fence_state_decode(&back, slice_of(bytes->data, bytes->len), &error), CORRUPT, "fence");
        assert_null(back);
        bytes->data[i] ^= 0x10;
    }
}

static void no_shortened_row_passes(void **state)
{
    auto_(fence_state) fence = sample();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    fence_state_encode(fence, bytes);
    for (size_t len = 0; len < bytes->len; len++) {
        GError *error = NULL;
        struct fence_state *back = NULL;
        kit_refused(fence_state_decode(&back, slice_of(bytes->data, len), &error), CORRUPT, "fence");
    }
}

static struct slice seal(GByteArray *bytes)
{
    put_u64(bytes, XXH3_64bits(bytes->data, bytes->len));
    return slice_of(bytes->data, bytes->len);
}

/* Bytes whose checksum holds but which say nonsense: the reader trusts no length and no order. */
static void sealed_nonsense_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\x02\x01\x00", 3},                                  /* a newer version */
        {"\x01\x01\x01", 3},                                  /* a lane is missing */
        {"\x01\x01\x01\x02\x00\x00\x00", 7},                  /* a lane above the highest */
        {"\x01\x05\x02\x03\x00\x00\x00\x03\x00\x00\x00", 11}, /* a lane twice */
        {"\x01\x01\x01\x01\x04\x00\x00", 7},                  /* an unknown flag */
        {"\x01\x01\x01\x01\x00\x00\x7f", 7},                  /* a bitmap that ends early */
        {"\x01\x01\x00\x00", 4},                              /* something after the end */
        {"\x01\xff\xff\xff\xff\xff\x01\x00", 8},              /* a highest lane beyond 32 bits */
        {"\x01\x01\xff\xff\xff\xff\xff\xff\xff\x7f", 10},     /* lanes beyond number */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        g_byte_array_append(bytes, (const uint8_t *)rows[i].bytes, (unsigned)rows[i].len);
        struct fence_state *back = NULL;
        kit_refused(fence_state_decode(&back, seal(bytes), &error), CORRUPT, "fence");
        assert_null(back);
    }
}

/* Any bytes at all, sealed or not: an error or a fence, never a crash. */
static void noise_never_crashes_the_reader(void **state)
{
    uint64_t seed = 11;
    unsigned good = 0;
    for (int round = 0; round < 20000; round++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        uint64_t len = fake_next(&seed) % 40;
        for (uint64_t i = 0; i < len; i++) {
            uint8_t byte = (uint8_t)(fake_next(&seed) % (i ? 9 : 2));
            g_byte_array_append(bytes, &byte, 1);
        }
        auto_(fence_state) fence = NULL;
        g_autoptr(GError) error = NULL;
        bool ok = fence_state_decode(&fence, seal(bytes), &error);
        assert_int_equal(ok, error == NULL);
        good += ok;
    }
    assert_true(good > 10);
}

static void a_base_moves_by_any_distance(void **state)
{
    for (uint64_t by = 0; by < 90; by++) {
        auto_(fence_state) fence = fence_state_new();
        assert_true(fence_state_open(fence, &lane_seven, NULL));
        struct lane_state *lane = fence_state_lane(fence, 7);
        for (uint64_t number = 1; number <= 80; number++)
            if (number % 3 == 0 || number % 7 == 1)
                lane_state_mark(lane, number);
        lane_state_rebase(lane, by);
        lane_state_rebase(lane, by / 2);
        assert_int_equal(lane->base, by);
        for (uint64_t number = 1; number <= 100; number++) {
            bool marked = number <= 80 && (number % 3 == 0 || number % 7 == 1);
            assert_int_equal(lane_state_applied(lane, number), number <= by || marked);
        }
    }
}

static void numbers_must_lie_near_the_base(void **state)
{
    GError *error = NULL;
    auto_(fence_state) fence = fence_state_new();
    const struct lane opened = {.lane = 1, .base = 50};
    assert_true(fence_state_open(fence, &opened, NULL));
    struct lane_state *lane = fence_state_lane(fence, 1);
    kit_ok(lane_state_takes(lane, 1, &error));
    kit_ok(lane_state_takes(lane, 50 + FENCE_SPAN, &error));
    kit_refused(lane_state_takes(lane, 51 + FENCE_SPAN, &error), INTERNAL, "too far");
    kit_refused(lane_state_takes(lane, 0, &error), INTERNAL, "number 0");
}

static void fences_of_one_run_lie_together(void **state)
{
    uint8_t a[FENCE_KEY_BYTES], b[FENCE_KEY_BYTES];
    fence_key_put(&(struct fence_id){.run = "run", .part = 255}, a);
    fence_key_put(&(struct fence_id){.run = "run", .part = 256}, b);
    assert_true(memcmp(a, b, sizeof(a)) < 0);
    assert_memory_equal(a, b, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fence_survives_its_bytes),     cmocka_unit_test(the_format_is_the_one_on_the_page),
        cmocka_unit_test(no_changed_byte_passes),         cmocka_unit_test(no_shortened_row_passes),
        cmocka_unit_test(sealed_nonsense_is_refused),     cmocka_unit_test(noise_never_crashes_the_reader),
        cmocka_unit_test(a_base_moves_by_any_distance),   cmocka_unit_test(numbers_must_lie_near_the_base),
        cmocka_unit_test(fences_of_one_run_lie_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
