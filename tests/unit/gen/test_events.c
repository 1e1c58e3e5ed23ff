/* Generated events: the same for the same wish, whole lines, faults about as often as planned. What each fault does to
 * its record is looked at from outside, by tests/system/events.py. */
#include "made.h"

static char *made(uint64_t records, uint64_t seed, char **ret_faults)
{
    return made_by("events", (struct gen_wish){.records = records, .seed = seed}, ret_faults);
}

static void the_same_wish_gives_the_same_bytes(void **state)
{
    same_wish_same_bytes("events");
}

/* A change of the bytes changes what people have written down: it is made on purpose or not at all. */
static void the_bytes_of_a_seed_stay(void **state)
{
    g_autofree char *text = made(1, 1, NULL);
    assert_string_equal(
        text, "{\"event\": \"000000000000\", \"account\": \"chloe_quist_0\", \"kind\": \"payment\", \"money\": "
              "{\"amount\": 4657.71, \"currency\": \"EUR\"}, \"channel\": \"android\", \"occurred_at\": "
              "\"2026-06-30T21:23:01.766Z\", \"received_at\": \"2026-06-30T21:23:01.872Z\", \"schema\": 2}\n");
}

static void none_gives_nothing(void **state)
{
    none_gives_none("events");
}

static void few_are_made_too(void **state)
{
    for (uint64_t n = 1; n <= 20; n++)
        for (uint64_t seed = 0; seed < 20; seed++) {
            g_autofree char *text = made(n, seed, NULL);
            assert_int_equal(count(text, "\n"), n);
        }
}

static void every_fault_is_planted_about_as_often_as_its_row_says(void **state)
{
    enum { N = 400000 };
    g_autofree char *faults = NULL;
    g_autofree char *text = made(N, 3, &faults);
    assert_true(count_drawn(gen_find("events"), faults, N) * 1000 < N); /* protect.rejects: 0.1% */
    assert_int_equal(count(faults, "\"fault\": \"schema\""), 1);
    assert_int_equal(count(faults, "\"fault\": \"erasure\""), N / 2000);
}

/* The largest number there may be: begun, and ended by its sink. */
static void as_many_as_can_be_named_are_begun(void **state)
{
    GError *error = NULL;
    struct gathered lines = {.text = g_string_new(NULL), .fail_at = 1};
    struct gen_wish wish = {.records = GEN_RECORDS_MAX, .seed = 1};
    struct gen_sinks sinks = {.records = {gather, &lines}};
    kit_refused(gen_events(&wish, &sinks, &error), NO_SPACE, "the disk is full");
    assert_int_equal(lines.puts, 1);
    assert_int_equal(count(lines.text->str, "\"received_at\": \"2026-06-10T00:00:00."), count(lines.text->str, "\n"));
    g_string_free(lines.text, TRUE);
}

static void more_than_can_be_named_is_refused(void **state)
{
    GError *error = NULL;
    struct gen_wish wish = {.records = GEN_RECORDS_MAX + 1};
    struct gen_sinks sinks = {.records = {gather, NULL}};
    kit_refused(gen_events(&wish, &sinks, &error), USAGE, "at most 1000000000000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_wish_gives_the_same_bytes),
        cmocka_unit_test(the_bytes_of_a_seed_stay),
        cmocka_unit_test(none_gives_nothing),
        cmocka_unit_test(few_are_made_too),
        cmocka_unit_test(every_fault_is_planted_about_as_often_as_its_row_says),
        cmocka_unit_test(as_many_as_can_be_named_are_begun),
        cmocka_unit_test(more_than_can_be_named_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
