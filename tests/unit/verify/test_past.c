/* What several gates of a run kept, as one. */
#include <math.h>

#include "kit/document.h"
#include "verify/past.h"

/* As many records, all of them of one tier. */
static struct profile *profile_of(const char *tier, int records)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct profile *profile = profile_new();
    g_autofree char *json = g_strdup_printf("{\"tier\":\"%s\",\"n\":%d}", tier, records);
    struct slice document = kit_document(json, mem);
    for (int i = 0; i < records; i++)
        profile_add(profile, document);
    return profile;
}

static void add_part(struct past *past, const char *tier, int records, uint64_t keys)
{
    struct past_part part = {.keys = keys, .profile = profile_of(tier, records)};
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

/* A gate's file: so many records were met of that share of them. */
static void keep(struct past *past, const char *dir, const char *tier, int records, double share)
{
    GError *error = NULL;
    uint8_t digest[32];
    g_autofree char *path = g_build_filename(dir, tier, NULL);
    auto_(profile) profile = profile_of(tier, records);
    struct verify_part part = {.keys.keys = 100000}; /* most of which were filtered, or deleted */
    struct verify_input input = {.world = world_real(),
                                 .run = "nightly.1",
                                 .run_uid = (const uint8_t *)"0123456789abcdef",
                                 .profile_path = path,
                                 .parts = &part,
                                 .n_parts = 1};
    kit_ok(past_keep_durable(&input, profile, share, digest, &error));
    kit_ok(past_add(past, input.world, path, digest, &error));
}

/* However many keys its partitions have. */
static void a_gate_counts_by_what_the_target_holds_of_its_keys(void **state)
{
    char *dir = g_dir_make_tmp("sluice-past-XXXXXX", NULL);
    auto_(past) past = past_new("nightly.1", false);
    keep(past, dir, "canary", 100, 1);
    keep(past, dir, "ramp", 500, 0.5);
    keep(past, dir, "full", 900, 1);
    past_join(past);
    assert_true(fabs(share_of(past, "\"canary\"") - 0.05) < 0.002);
    assert_true(fabs(share_of(past, "\"ramp\"") - 0.5) < 0.002);
    assert_true(fabs(share_of(past, "\"full\"") - 0.45) < 0.002);
    kit_dir_remove(dir);
    g_free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gate_counts_by_its_keys_however_many_records_it_looked_at),
        cmocka_unit_test(one_gate_is_what_it_is),
        cmocka_unit_test(a_gate_counts_by_what_the_target_holds_of_its_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
