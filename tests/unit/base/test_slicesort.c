#include "base/slicesort.h"
#include "kit/kit.h"

enum { KEYS = 300, LONGEST = 24 };

static uint8_t bytes[KEYS][LONGEST];

/* Of few different bytes, zeros among them, so that keys are alike, begin alike, and are each other's beginnings. */
static void make(struct slice_place *keys, GRand *dice, size_t alike)
{
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = alike + (size_t)g_rand_int_range(dice, 0, (gint32)(LONGEST - alike));
        for (size_t k = 0; k < len; k++)
            bytes[i][k] = k < alike ? 'a' : (uint8_t)(g_rand_int_range(dice, 0, 3) * 127);
        keys[i] = (struct slice_place){.key = slice_of(bytes[i], len), .place = i};
    }
}

static void keys_are_sorted_bytewise_and_equal_ones_by_place(void **state)
{
    GRand *dice = g_rand_new_with_seed(7);
    size_t equal = 0;
    for (size_t round = 0; round < 200; round++) {
        struct slice_place keys[KEYS];
        bool there[KEYS] = {false};
        make(keys, dice, round % 12);
        if (round % 3 == 0) /* one of them is what all begin with, or nothing */
            keys[round % KEYS].key.len = round % 12;
        slicesort(keys, KEYS);
        for (size_t i = 0; i < KEYS; i++) {
            int order = i ? slice_compare(keys[i - 1].key, keys[i].key) : -1;
            assert_true(order < 0 || (order == 0 && keys[i - 1].place < keys[i].place));
            assert_false(there[keys[i].place]);
            there[keys[i].place] = true;
            equal += order == 0;
        }
    }
    assert_true(equal > 100);
    g_rand_free(dice);
}

static void few_are_sorted_too(void **state)
{
    struct slice_place keys[] = {{.key = slice_of_text("b"), .place = 0}, {.key = slice_of_text("a"), .place = 1}};
    slicesort(keys, 0);
    slicesort(keys, 1);
    assert_int_equal(keys[0].place, 0);
    slicesort(keys, 2);
    assert_int_equal(keys[0].place, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_sorted_bytewise_and_equal_ones_by_place),
        cmocka_unit_test(few_are_sorted_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
