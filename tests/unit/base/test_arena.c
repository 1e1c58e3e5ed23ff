#include "base/arena.h"
#include "kit/kit.h"

static void allocations_are_aligned_and_apart(void **state)
{
    auto_(arena) arena = arena_new(1 << 20);
    uint8_t *last = NULL;
    for (size_t len = 0; len < 300; len++) {
        uint8_t *data = arena_alloc(arena, len);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % 16, 0);
        memset(data, (int)len, len);
        if (last)
            assert_int_equal(last[len - 2], (uint8_t)(len - 1));
        last = len > 0 ? data : NULL;
    }
}

static void the_cap_holds_over_the_sum(void **state)
{
    auto_(arena) arena = arena_new(1000);
    assert_non_null(arena_alloc(arena, 500));
    assert_null(arena_alloc(arena, 500)); /* 512 + 512 */
    assert_non_null(arena_alloc(arena, 480));
    assert_int_equal(arena_used(arena), 992);
    assert_null(arena_alloc(arena, 1));
    arena_reset(arena);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 992));
}

static void no_length_wraps_around(void **state)
{
    auto_(arena) arena = arena_new(SIZE_MAX);
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_null(arena_alloc(arena, SIZE_MAX - 15));
    assert_null(arena_alloc(arena, SIZE_MAX / 2));
    void *data = arena_alloc(arena, 1);
    assert_null(arena_grow(arena, data, 1, SIZE_MAX));
    assert_null(arena_text(arena, slice_of("", SIZE_MAX)));
}

static void the_newest_grows_in_place(void **state)
{
    auto_(arena) arena = arena_new(1 << 20);
    char *data = arena_alloc(arena, 10);
    memcpy(data, "123456789", 10);
    assert_ptr_equal(arena_grow(arena, data, 10, 100), data);
    assert_int_equal(arena_used(arena), 112);
    assert_non_null(arena_alloc(arena, 1));
    char *moved = arena_grow(arena, data, 100, 200);
    assert_ptr_not_equal(moved, data);
    assert_string_equal(moved, "123456789");
}

static void the_newest_gives_its_tail_back(void **state)
{
    auto_(arena) arena = arena_new(1 << 20);
    char *older = arena_alloc(arena, 100), *data = arena_alloc(arena, 1000);
    memset(data, 'x', 1000);
    arena_trim(arena, data, 1000, 20);
    assert_int_equal(arena_used(arena), 112 + 32);
    assert_int_equal(data[19], 'x');
    arena_trim(arena, older, 100, 1); /* not the newest */
    assert_int_equal(arena_used(arena), 112 + 32);
    assert_ptr_equal(arena_alloc(arena, 1), data + 32);
    arena_trim(arena, data + 32, 1, 0);
    assert_int_equal(arena_used(arena), 112 + 32);
}

static void what_was_taken_since_a_mark_goes_and_what_stood_stays(void **state)
{
    auto_(arena) arena = arena_new(1 << 20);
    struct arena_mark empty = arena_mark(arena);
    char *older = arena_alloc(arena, 10);
    memcpy(older, "123456789", 10);
    struct arena_mark mark = arena_mark(arena);
    void *first = arena_alloc(arena, 100);
    assert_non_null(arena_alloc(arena, 600 << 10)); /* a block of its own */
    assert_null(arena_alloc(arena, 600 << 10));
    arena_rewind(arena, mark);
    assert_int_equal(arena_used(arena), 16);
    assert_string_equal(older, "123456789");
    assert_ptr_equal(arena_alloc(arena, 100), first);
    arena_rewind(arena, empty);
    assert_int_equal(arena_used(arena), 0);
    assert_non_null(arena_alloc(arena, 1 << 20));
}

static void a_refused_growth_leaves_the_old(void **state)
{
    auto_(arena) arena = arena_new(64);
    char *data = arena_alloc(arena, 16);
    memcpy(data, "123456789012345", 16);
    assert_null(arena_grow(arena, data, 16, 100));
    assert_string_equal(data, "123456789012345");
    assert_int_equal(arena_used(arena), 16);
}

static void growth_beyond_a_block_moves_what_was_there(void **state)
{
    auto_(arena) arena = arena_new(16 << 20);
    size_t len = 8;
    uint8_t *data = arena_alloc0(arena, len);
    while (len < 1 << 21) {
        data = arena_grow(arena, data, len, len * 2);
        assert_non_null(data);
        memset(data + len, 7, len);
        len *= 2;
    }
    for (size_t i = 0; i < len; i++)
        assert_int_equal(data[i], i < 8 ? 0 : 7);
}

static void alloc0_is_clear_after_a_reset(void **state)
{
    auto_(arena) arena = arena_new(4096);
    memset(arena_alloc(arena, 1000), 0xff, 1000);
    arena_reset(arena);
    const uint8_t *data = arena_alloc0(arena, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(data[i], 0);
}

static void a_reset_keeps_the_largest_block(void **state)
{
    auto_(arena) arena = arena_new(64 << 20);
    assert_non_null(arena_alloc(arena, 10));
    void *large = arena_alloc(arena, 32 << 20);
    assert_non_null(arena_alloc(arena, 40 << 10));
    arena_reset(arena);
    g_autofree void *squatter = g_malloc(32 << 20); /* takes the place of the block if it was given back */
    assert_non_null(squatter);
    assert_ptr_equal(arena_alloc(arena, 32 << 20), large);
}

static void copies_are_whole_and_texts_end(void **state)
{
    auto_(arena) arena = arena_new(64);
    struct slice copy = SLICE_EMPTY;
    char word[] = "word";
    assert_true(arena_copy(arena, slice_of_text(word), &copy));
    word[0] = '#';
    kit_equal_text(copy, "word");
    assert_true(arena_copy(arena, SLICE_EMPTY, &copy));
    assert_int_equal(copy.len, 0);
    assert_string_equal(arena_text(arena, slice_of("ab\0", 2)), "ab");
    struct slice before = copy;
    char big[100] = {0};
    assert_false(arena_copy(arena, slice_of(big, sizeof big), &copy));
    assert_ptr_equal(copy.data, before.data);
    assert_null(arena_text(arena, slice_of(big, sizeof big)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_and_apart),
        cmocka_unit_test(the_cap_holds_over_the_sum),
        cmocka_unit_test(no_length_wraps_around),
        cmocka_unit_test(the_newest_grows_in_place),
        cmocka_unit_test(the_newest_gives_its_tail_back),
        cmocka_unit_test(what_was_taken_since_a_mark_goes_and_what_stood_stays),
        cmocka_unit_test(a_refused_growth_leaves_the_old),
        cmocka_unit_test(growth_beyond_a_block_moves_what_was_there),
        cmocka_unit_test(alloc0_is_clear_after_a_reset),
        cmocka_unit_test(a_reset_keeps_the_largest_block),
        cmocka_unit_test(copies_are_whole_and_texts_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
