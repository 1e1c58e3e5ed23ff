#include "base/nearest.h"
#include "kit/kit.h"

static const char *const words[] = {"source", "target", "size", "stages", "partitions", "id", "unversioned"};

static const char *nearest(const char *typed)
{
    return nearest_word(typed, words, G_N_ELEMENTS(words));
}

static void one_slip_finds_the_word(void **state)
{
    assert_string_equal(nearest("szie"), "size"); /* swapped */
    assert_string_equal(nearest("sizee"), "size");
    assert_string_equal(nearest("siz"), "size");
    assert_string_equal(nearest("sixe"), "size");
    assert_string_equal(nearest("Target"), "target");
    assert_string_equal(nearest("partition"), "partitions");
    assert_string_equal(nearest("unverisond"), "unversioned");
}

static void what_is_too_far_finds_nothing(void **state)
{
    assert_null(nearest("zzzz"));
    assert_null(nearest("seiz")); /* two slips in four letters */
    assert_null(nearest("x"));
    assert_null(nearest(""));
    assert_null(nearest_word("size", words, 0));
}

static void of_equally_near_words_the_first_wins(void **state)
{
    static const char *const twins[] = {"cat", "car"};
    assert_string_equal(nearest_word("cas", twins, 2), "cat");
}

static void long_words_do_no_harm(void **state)
{
    char long_word[1000];
    memset(long_word, 's', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(nearest(long_word));
    const char *const long_words[] = {long_word, "size"};
    assert_string_equal(nearest_word("sise", long_words, 2), "size");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_slip_finds_the_word),
        cmocka_unit_test(what_is_too_far_finds_nothing),
        cmocka_unit_test(of_equally_near_words_the_first_wins),
        cmocka_unit_test(long_words_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
