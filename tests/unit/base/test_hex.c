#include "base/hex.h"

#include "kit/kit.h"

static void every_byte_comes_back_from_its_two_digits(void **state)
{
    uint8_t bytes[256], back[256];
    char text[HEX_TEXT(sizeof bytes)];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    assert_ptr_equal(hex_text(bytes, sizeof bytes, text), text);
    assert_int_equal(strlen(text), 512);
    assert_memory_equal(text, "000102", 6);
    assert_string_equal(text + 2 * 0xf9, "f9fafbfcfdfeff");
    assert_true(hex_parse(slice_of_text(text), back, sizeof back));
    assert_memory_equal(bytes, back, sizeof bytes);
}

static void digits_are_put_without_an_end(void **state)
{
    char text[] = "....!";
    assert_ptr_equal(hex_put((const uint8_t *)"\x0a\xb0", 2, text), text + 4);
    assert_string_equal(text, "0ab0!");
    assert_ptr_equal(hex_put(NULL, 0, text), text);
    assert_string_equal(text, "0ab0!");
}

static void capitals_are_read_too(void **state)
{
    uint8_t bytes[3];
    assert_true(hex_parse(slice_of_text("aBcDEf"), bytes, 3));
    assert_memory_equal(bytes, "\xab\xcd\xef", 3);
    assert_true(hex_parse(SLICE_EMPTY, bytes, 0));
}

static void what_is_not_just_so_many_digits_is_refused_and_leaves_all_as_it_was(void **state)
{
    static const char *const wrong[] = {"",       "abcde",  "abcd",   "abcdef0", "abcdef01",    "abcdeg",
                                        "xbcdef", "ab cd ", "0xabcd", "-abcde",  "abcd\xc3\xa9"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        uint8_t bytes[3] = {1, 2, 3};
        assert_false(hex_parse(slice_of_text(wrong[i]), bytes, 3));
        assert_memory_equal(bytes, "\1\2\3", 3);
    }
    uint8_t bytes[3] = {1, 2, 3};
    assert_false(hex_parse(slice_of("abcd\0f", 6), bytes, 3));
    assert_memory_equal(bytes, "\1\2\3", 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_comes_back_from_its_two_digits),
        cmocka_unit_test(digits_are_put_without_an_end),
        cmocka_unit_test(capitals_are_read_too),
        cmocka_unit_test(what_is_not_just_so_many_digits_is_refused_and_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
