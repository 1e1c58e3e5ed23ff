/* Generated customers: the same for the same wish, whole lines, faults as planned. What each fault does to its record
 * is looked at from outside, by tests/system/comfort.py. */
#include "made.h"

static char *made(uint64_t records, uint64_t seed, char **ret_faults)
{
    return made_by("customers", (struct gen_wish){.records = records, .seed = seed}, ret_faults);
}

static void the_same_wish_gives_the_same_bytes(void **state)
{
    same_wish_same_bytes("customers");
}

/* A change of the bytes changes what people have written down: it is made on purpose or not at all. */
static void the_bytes_of_a_seed_stay(void **state)
{
    g_autofree char *text = made(1, 1, NULL);
    assert_string_equal(text,
                        "{\"username\": \"chloe_quist_0\", \"name\": \"Chloé Quist\", \"tier\": \"gold\", \"balance\": "
                        "17595.76, \"visits\": 6506, \"active\": true, \"address\": {\"street\": \"Wharf Close 12\", "
                        "\"zip\": \"37514\", \"city\": \"Ostrava\"}, \"updated_at\": \"2025-08-06T10:30:04.358Z\"}\n");
}

static void none_gives_nothing(void **state)
{
    none_gives_none("customers");
}

static void every_fault_is_planted_about_as_often_as_its_row_says(void **state)
{
    enum { N = 400000 };
    g_autofree char *faults = NULL;
    g_autofree char *text = made(N, 3, &faults);
    assert_true(count_drawn(gen_find("customers"), faults, N) * 1000 < N); /* protect.rejects: 0.1% */
}

static void keys_differ_but_for_older_states(void **state)
{
    enum { N = 50000 };
    g_autofree char *faults = NULL;
    g_autofree char *text = made(N, 5, &faults);
    g_autoptr(GHashTable) keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (size_t i = 0; lines[i] && *lines[i]; i++) {
        const char *name = lines[i] + strlen("{\"username\": \"");
        g_hash_table_add(keys, g_strndup(name, strcspn(name, "\"")));
    }
    assert_int_equal(g_hash_table_size(keys), N - count(faults, "older-state"));
}

static void a_sink_that_fails_ends_it(void **state)
{
    GError *error = NULL;
    struct gathered lines = {.text = g_string_new(NULL), .fail_at = 2};
    struct gen_wish wish = {.records = 100000, .seed = 1};
    struct gen_sinks sinks = {.records = {gather, &lines}};
    kit_refused(gen_customers(&wish, &sinks, &error), NO_SPACE, "the disk is full");
    assert_int_equal(lines.puts, 2);
    assert_true(g_str_has_suffix(lines.text->str, "}\n")); /* whole lines */
    g_string_free(lines.text, TRUE);
}

static void more_than_can_be_named_is_refused(void **state)
{
    GError *error = NULL;
    struct gen_wish wish = {.records = GEN_RECORDS_MAX + 1};
    struct gen_sinks sinks = {.records = {gather, NULL}};
    kit_refused(gen_customers(&wish, &sinks, &error), USAGE, "at most 1000000000000");
}

static void generators_are_found_by_name(void **state)
{
    assert_ptr_equal(gen_find("customers"), gen_at(0));
    assert_null(gen_find("costumers"));
    assert_ptr_equal(gen_nearest("costumers"), gen_at(0));
    assert_null(gen_nearest("weather"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_wish_gives_the_same_bytes),
        cmocka_unit_test(the_bytes_of_a_seed_stay),
        cmocka_unit_test(none_gives_nothing),
        cmocka_unit_test(every_fault_is_planted_about_as_often_as_its_row_says),
        cmocka_unit_test(keys_differ_but_for_older_states),
        cmocka_unit_test(a_sink_that_fails_ends_it),
        cmocka_unit_test(more_than_can_be_named_is_refused),
        cmocka_unit_test(generators_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
