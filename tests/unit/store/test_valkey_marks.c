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

static void a_field_begins_as_the_script_writes_it(void **state)
{
    static const uint32_t FIELD[3 + 2 * PAIRS_MOST] = {0x01020304, 1, 5, 0xfffffffe, 0xfffffffe};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint8_t begin[MARKS_LEAST_BYTES], head[MARKS_HEAD_BYTES];
    struct slice field = field_of(bytes, FIELD);
    marks_begin(0x01020304, 1, 5, begin);
    assert_memory_equal(field.data, begin, sizeof begin);
    marks_head(0x01020304, 1, head);
    assert_memory_equal(begin, head, sizeof head);
    assert_int_equal(begin[0], 4); /* little-endian, as cas.lua writes it */
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
    static const uint32_t FIELD[3 + 2 * PAIRS_MOST] = {1, 1, 0};
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    GError *error = NULL;
    struct marks marks;
    field_of(bytes, FIELD);
    put_u64(bytes, 0);
    kit_refused(marks_read(slice_of(bytes->data, bytes->len), &marks, &error), CORRUPT, "do not ascend");
}

static void a_length_that_no_marks_have_is_refused(void **state)
{
    static const uint8_t BYTES[MARKS_LEAST_BYTES + MARKS_PAIR_BYTES] = {1};
    for (size_t len = 0; len < sizeof BYTES; len++) {
        GError *error = NULL;
        struct marks marks;
        if (len != MARKS_LEAST_BYTES)
            kit_refused(marks_read(slice_of(BYTES, len), &marks, &error), CORRUPT, "length");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_is_read_as_it_was_written),
        cmocka_unit_test(one_without_numbers_is_a_field),
        cmocka_unit_test(a_field_begins_as_the_script_writes_it),
        cmocka_unit_test(what_does_not_ascend_is_no_marks),
        cmocka_unit_test(number_zero_is_no_mark),
        cmocka_unit_test(a_length_that_no_marks_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
