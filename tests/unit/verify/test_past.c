/* What several gates of a run kept, as one. */
#include <math.h>

#include "kit/kit.h"
#include "verify/past.h"

/* As many records of as many keys, all of them of one tier. */
static void add_part(struct past *past, const char *tier, int records, uint64_t keys)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct slice document;
    g_autofree char *json = g_strdup_printf("{\"tier\":\"%s\",\"n\":%d}", tier, records);
    struct past_part part = {.keys = keys, .profile = profile_new()};
    assert_true(document_from_json(slice_of_text(json), mem, &document, NULL, NULL));
    for (int i = 0; i < records; i++)
        profile_add(part.profile, document);
    g_array_append_val(past->parts, part);
}

static double share_of(struct past *past, const char *json)
{
    const struct top *top = &profile_find(past->profile, "tier")->top;
    for (size_t i = 0; i < top->n; i++)
        if (strcmp(top->of[i].text, json) == 0)
            return (double)top->of[i].count / (double)top->count;
    return 0;
}

static void each_gate_counts_by_its_keys_however_many_records_it_looked_at(void **state)
{
    auto_(past) past = past_new("nightly.1", false);
    add_part(past, "canary", 1000, 1000);
    add_part(past, "full", 1000, 9000);
    past_join(past);
    assert_true(fabs(share_of(past, "\"canary\"") - 0.1) < 0.002);
    assert_true(fabs(share_of(past, "\"full\"") - 0.9) < 0.002);
    assert_true(profile_records(past->profile) <= 1112); /* it says nothing more surely than the worse of the two */
    assert_true(fabs(profile_find(past->profile, "n")->values.count - (double)profile_records(past->profile)) < 1);
}

static void one_gate_is_what_it_is(void **state)
{
    auto_(past) past = past_new("nightly.1", false);
    add_part(past, "full", 500, 90000);
    past_join(past);
    assert_int_equal(profile_records(past->profile), 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gate_counts_by_its_keys_however_many_records_it_looked_at),
        cmocka_unit_test(one_gate_is_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
