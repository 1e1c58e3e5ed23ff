#include "base/int.h"
#include "kit/kit.h"

static struct slice bytes_of(const GByteArray *array)
{
    return slice_of(array->data, array->len);
}

static void what_is_put_is_read(void **state)
{
    g_autoptr(GByteArray) array = g_byte_array_new();
    put_u8(array, 0xfe);
    put_u16(array, 0xfedc);
    put_u32(array, 0xfedcba98);
    put_u64(array, UINT64_C(0xfedcba9876543210));
    put_i64(array, INT64_MIN);
    put_prefixed(array, slice_of_text("slice"));
    put_prefixed(array, SLICE_EMPTY);
    put_bytes(array, slice_of_text("rest"));
    struct reader reader = reader_of(bytes_of(array));
    assert_int_equal(reader_u8(&reader), 0xfe);
    assert_int_equal(reader_u16(&reader), 0xfedc);
    assert_int_equal(reader_u32(&reader), 0xfedcba98);
    assert_true(reader_u64(&reader) == UINT64_C(0xfedcba9876543210));
    assert_true(reader_i64(&reader) == INT64_MIN);
    kit_equal_text(reader_prefixed(&reader), "slice");
    kit_equal_text(reader_prefixed(&reader), "");
    kit_equal_text(reader_bytes(&reader, 4), "rest");
    assert_true(reader.ok);
    assert_int_equal(reader_left(&reader), 0);
}

static void fixed_widths_are_little_endian(void **state)
{
    g_autoptr(GByteArray) array = g_byte_array_new();
    put_u32(array, 0x04030201);
    assert_memory_equal(array->data, "\1\2\3\4", 4);
}

static void varints_of_every_length_survive(void **state)
{
    for (unsigned shift = 0; shift < 64; shift++)
        for (uint64_t value = (UINT64_C(1) << shift) - 1; value <= (UINT64_C(1) << shift); value++) {
            g_autoptr(GByteArray) array = g_byte_array_new();
            put_varint(array, value);
            assert_int_equal(array->len, value < 2 ? 1 : (64 - __builtin_clzll(value) + 6) / 7);
            struct reader reader = reader_of(bytes_of(array));
            assert_true(reader_varint(&reader) == value && reader.ok && reader_left(&reader) == 0);
        }
    g_autoptr(GByteArray) array = g_byte_array_new();
    put_varint(array, UINT64_MAX);
    struct reader reader = reader_of(bytes_of(array));
    assert_true(reader_varint(&reader) == UINT64_MAX && reader.ok);
}

static void a_varint_beyond_64_bits_is_refused(void **state)
{
    static const uint8_t two_bits_too_many[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 2};
    static const uint8_t endless[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 129, 0};
    struct reader reader = reader_of(slice_of(two_bits_too_many, sizeof two_bits_too_many));
    assert_int_equal(reader_varint(&reader), 0);
    assert_false(reader.ok);
    reader = reader_of(slice_of(endless, sizeof endless));
    assert_int_equal(reader_varint(&reader), 0);
    assert_false(reader.ok);
}

static void after_the_end_everything_is_zero(void **state)
{
    struct reader reader = reader_of(slice_of("\1\2\3", 3));
    assert_int_equal(reader_u32(&reader), 0);
    assert_false(reader.ok);
    assert_int_equal(reader_u8(&reader), 0); /* a byte was left, but the structure is broken already */
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(reader_bytes(&reader, 0).len, 0);
    assert_int_equal(reader_varint(&reader), 0);
    assert_false(reader.ok);
}

static void a_length_beyond_the_bytes_is_refused(void **state)
{
    g_autoptr(GByteArray) array = g_byte_array_new();
    put_varint(array, UINT64_MAX);
    put_bytes(array, slice_of_text("abc"));
    struct reader reader = reader_of(bytes_of(array));
    assert_int_equal(reader_prefixed(&reader).len, 0);
    assert_false(reader.ok);
    reader = reader_of(SLICE_EMPTY);
    assert_true(reader.ok);
    assert_int_equal(reader_bytes(&reader, SIZE_MAX).len, 0);
    assert_false(reader.ok);
}

static void narrowing_refuses_and_leaves_ret(void **state)
{
    uint32_t u32 = 7;
    int64_t i64 = 7;
    assert_false(int_to_u32(UINT64_C(1) << 32, &u32));
    assert_false(int_to_i64(UINT64_C(1) << 63, &i64));
    assert_true(u32 == 7 && i64 == 7);
    assert_true(int_to_u32(UINT32_MAX, &u32) && u32 == UINT32_MAX);
    assert_true(int_to_i64(INT64_MAX, &i64) && i64 == INT64_MAX);
}

static void decimal_text_is_parsed_whole_or_not_at_all(void **state)
{
    static const char *const wrong[] = {
        "", "-", "+1", " 1", "1 ", "0x1", "1.0", "18446744073709551616", "99999999999999999999"};
    uint64_t u = 7;
    int64_t i = 7;
    for (size_t n = 0; n < G_N_ELEMENTS(wrong); n++) {
        assert_false(int_parse_u64(slice_of_text(wrong[n]), &u));
        assert_false(int_parse_i64(slice_of_text(wrong[n]), &i));
    }
    assert_false(int_parse_u64(slice_of_text("-1"), &u));
    assert_false(int_parse_i64(slice_of_text("9223372036854775808"), &i));
    assert_false(int_parse_i64(slice_of_text("-9223372036854775809"), &i));
    assert_false(int_parse_i64(slice_of_text("--1"), &i));
    assert_true(u == 7 && i == 7);
    assert_true(int_parse_u64(slice_of_text("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_true(int_parse_i64(slice_of_text("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(int_parse_i64(slice_of_text("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(int_parse_i64(slice_of_text("-0"), &i) && i == 0);
}

static void decimals_are_written_as_they_are_read(void **state)
{
    static const char *const texts[] = {
        "0", "7", "-1", "10", "1795245275850", "9223372036854775807", "-9223372036854775808"};
    for (size_t n = 0; n < G_N_ELEMENTS(texts); n++) {
        uint8_t into[DECIMAL_MOST];
        int64_t i;
        assert_true(int_parse_i64(slice_of_text(texts[n]), &i));
        size_t len = (size_t)(int_put_decimal(into, i) - into);
        assert_true(slice_equal(slice_of(into, len), slice_of_text(texts[n])));
    }
}

static void sums_and_products_say_when_they_overflow(void **state)
{
    uint64_t ret = 7;
    assert_false(int_add_u64(UINT64_MAX, 1, &ret));
    assert_false(int_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &ret));
    assert_true(ret == 7);
    assert_true(int_add_u64(UINT64_MAX - 1, 1, &ret) && ret == UINT64_MAX);
    assert_true(int_mul_u64(UINT64_C(1) << 31, UINT64_C(1) << 32, &ret) && ret == UINT64_C(1) << 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_read),
        cmocka_unit_test(fixed_widths_are_little_endian),
        cmocka_unit_test(varints_of_every_length_survive),
        cmocka_unit_test(a_varint_beyond_64_bits_is_refused),
        cmocka_unit_test(after_the_end_everything_is_zero),
        cmocka_unit_test(a_length_beyond_the_bytes_is_refused),
        cmocka_unit_test(narrowing_refuses_and_leaves_ret),
        cmocka_unit_test(decimal_text_is_parsed_whole_or_not_at_all),
        cmocka_unit_test(decimals_are_written_as_they_are_read),
        cmocka_unit_test(sums_and_products_say_when_they_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
