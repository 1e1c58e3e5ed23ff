#include "record/element.h"

#include "kit/kit.h"

static void a_uuid_is_read_from_the_text_that_it_is_written_as(void **state)
{
    static const char text[] = "00112233-4455-6677-8899-aabbccddeeff", big[] = "00112233-4455-6677-8899-AABBCCDDEEFF";
    uint8_t bytes[5 + UUID_BYTES] = {UUID_BYTES, 0, 0, 0, BSON_SUBTYPE_UUID};
    struct element element = {.type = BSON_TYPE_BINARY, .value = slice_of(bytes, sizeof bytes)};
    char back[UUID_TEXT];
    assert_true(element_uuid_parse(slice_of_text(text), bytes + 5));
    for (size_t i = 0; i < UUID_BYTES; i++)
        assert_int_equal(bytes[5 + i], i << 4 | i);
    assert_string_equal(element_uuid_text(&element, back), text);
    memset(bytes + 5, 0, UUID_BYTES);
    assert_true(element_uuid_parse(slice_of_text(big), bytes + 5));
    assert_string_equal(element_uuid_text(&element, back), text);
}

static void what_is_no_uuid_is_refused_and_leaves_all_as_it_was(void **state)
{
    static const char *const wrong[] = {
        "",
        "00112233445566778899aabbccddeeff",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeefg",
        "001122334-455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899aaabbccddeeff",
        "00112233 4455-6677-8899-aabbccddeeff",
        "-0112233-4455-6677-8899-aabbccddeeff",
    };
    uint8_t bytes[UUID_BYTES] = {7}, before[UUID_BYTES] = {7};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        assert_false(element_uuid_parse(slice_of_text(wrong[i]), bytes));
        assert_memory_equal(bytes, before, sizeof bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_read_from_the_text_that_it_is_written_as),
        cmocka_unit_test(what_is_no_uuid_is_refused_and_leaves_all_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
