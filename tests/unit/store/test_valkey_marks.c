#include "store/valkey/marks.h"

#include "base/int.h"
#include "kit/kit.h"

#define PAIRS_MOST 4

/* lane, count, base, then the numbers of the pairs: a zero ends them. */
static struct slice field_of(GByteArray *into, const uint32_t *numbers)
{
    g_byte_array_set_size(into, 0);
    for (size_t i = 0; i < 3; i++)
        put_u32(into, numbers[i]);
    for (size_t i = 3; i < 3 + 2 * PAIRS_MOST && numbers[i]; i += 2) {
        put_u32(into, numbers[i]);
        put_u32(into, numbers[i + 1]);
    }
    return slice_of(into->data, into->len);
}

static void a_field_is_read_as_it_was_written(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    static const uint32_t FIELD[3 + 2 * PAIRS_MOST] = {7, 9, 100, 101, 101, 105, 110};
    GError *error = NULL;
    struct marks marks;
    uint32_t first, last;
    kit_ok(marks_read(field_of(bytes, FIELD), &marks, &error));
    assert_true(marks.lane == 7 && marks.count == 9 && marks.base == 100);
    assert_int_equal(marks_pairs(&marks), 2);
    marks_pair(&marks, 1, &first, &last);
    assert_true(first == 105 && last == 110);
}

static void one_without_numbers_is_a_field(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    static const uint32_t FIELD[3 + 2 * PAIRS_MOST] = {1, 0, 0};
    GError *error = NULL;
    struct marks marks;
    kit_ok(marks_read(field_of(bytes, FIELD), &marks, &error));
    assert_int_equal(marks_pairs(&marks), 0);
}

static void a_field_of_one_number_is_one(void **state)
{
    uint8_t bytes[MARKS_ONE_BYTES], head[MARKS_HEAD_BYTES];
    GError *error = NULL;
    struct marks marks;
    uint32_t first, last;
    marks_one(0x01020304, 5, 0xfffffffe, bytes);
    kit_ok(marks_read(slice_of(bytes, sizeof bytes), &marks, &error));
    marks_pair(&marks, 0, &first, &last);
    assert_true(marks.lane == 0x01020304 && marks.count == 1 && marks.base == 5);
    assert_true(first == 0xfffffffe && last == 0xfffffffe);
    marks_head(0x01020304, 1, head);
    assert_memory_equal(bytes, head, sizeof head);
    assert_int_equal(bytes[0], 4); /* little-endian, as cas.lua writes it */
}

static void what_does_not_ascend_is_no_marks(void **state)
{
    static const uint32_t BAD[][3 + 2 * PAIRS_MOST] = {
        {1, 2, 0, 5, 4},        /* ends before it begins */
        {1, 2, 0, 5, 6, 6, 7},  /* meets the one before */
        {1, 2, 0, 9, 10, 3, 4}, /* goes back */
    };
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        GError *error = NULL;
        struct marks marks;
        kit_refused(marks_read(field_of(bytes, BAD[i]), &marks, &error), CORRUPT, "do not ascend");
    }
}

static void number_zero_is_no_mark(void **state)
{
    uint8_t bytes[MARKS_ONE_BYTES];
    GError *error = NULL;
    struct marks marks;
    marks_one(1, 0, 0, bytes);
    kit_refused(marks_read(slice_of(bytes, sizeof bytes), &marks, &error), CORRUPT, "do not ascend");
}

static void a_length_that_no_marks_have_is_refused(void **state)
{
    uint8_t bytes[MARKS_ONE_BYTES];
    marks_one(1, 0, 1, bytes);
    for (size_t len = 0; len < sizeof bytes; len++) {
        GError *error = NULL;
        struct marks marks;
        if (len != MARKS_LEAST_BYTES)
            kit_refused(marks_read(slice_of(bytes, len), &marks, &error), CORRUPT, "length");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_read_as_it_was_written),
        cmocka_unit_test(one_without_numbers_is_a_field),
        cmocka_unit_test(a_field_of_one_number_is_one),
        cmocka_unit_test(what_does_not_ascend_is_no_marks),
        cmocka_unit_test(number_zero_is_no_mark),
        cmocka_unit_test(a_length_that_no_marks_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
