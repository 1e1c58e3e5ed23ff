/* A profile that is kept is the one that is read back; what is no whole one is refused. */
#include <math.h>

#include "kit/document.h"
#include "profile/fields.h"

#define RECORDS 1000

static struct profile *profile_of(const char *tier)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct profile *profile = profile_new();
    for (int i = 0; i < RECORDS; i++) {
        g_autofree char *json =
            g_strdup_printf("{\"id\":\"k%d\",\"n\":%d.25,\"tier\":\"%s\",\"none\":null%s}", i * i, i * 7919 % RECORDS,
                            i % 3 ? "gold" : tier, i % 5 ? "" : ",\"some\":true");
        profile_add(profile, kit_document(json, mem));
    }
    profile_find(profile, "tier")->moved = true;
    return profile;
}

static struct profile *read_back(const GByteArray *bytes, size_t len)
{
    struct reader reader = reader_of(slice_of(bytes->data, len));
    struct profile *profile = profile_get(&reader);
    assert_true(!profile || reader_left(&reader) == 0);
    return profile;
}

static void what_is_read_back_is_like_what_was_written_in_every_field(void **state)
{
    auto_(profile) profile = profile_of("silver");
    g_autoptr(GByteArray) bytes = g_byte_array_new(), again = g_byte_array_new();
    profile_put(profile, bytes);
    auto_(profile) found = read_back(bytes, bytes->len);
    assert_non_null(found);
    profile_put(found, again);
    assert_int_equal(again->len, bytes->len);
    assert_memory_equal(again->data, bytes->data, bytes->len);
    assert_int_equal(profile_records(found), RECORDS);
    assert_true(profile_find(found, "tier")->moved && !profile_find(found, "n")->moved);
    g_autoptr(GArray) shifts = profile_compare(found, profile);
    assert_int_equal(shifts->len, 5);
    for (guint i = 0; i < shifts->len; i++) {
        const struct profile_shift *shift = &g_array_index(shifts, struct profile_shift, i);
        assert_true(!shift->flagged && shift->before && shift->after && shift->psi < 1e-9);
        assert_true(shift->test.statistic < 1e-9 && fabs(shift->missing_before - shift->missing_after) < 1e-12);
        assert_true(fabs(distinct_estimate(&shift->before->distinct) - distinct_estimate(&shift->after->distinct)) <
                    1e-9);
    }
}

static void what_is_cut_or_out_of_bounds_is_refused(void **state)
{
    auto_(profile) profile = profile_of("silver");
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    profile_put(profile, bytes);
    for (size_t len = 0; len < bytes->len; len += len < 200 ? 1 : 97)
        assert_null(read_back(bytes, len));
    size_t fields = 8, name = fields + 4 + 1, registers = name + strlen("id") + 1 + 3 * 8;
    const struct {
        size_t at;
        uint8_t value;
    } WRONG[] = {{fields, PROFILE_FIELDS + 1}, {name, 0xff}, {registers, 64}};
    for (size_t i = 0; i < G_N_ELEMENTS(WRONG); i++) {
        uint8_t was = bytes->data[WRONG[i].at];
        bytes->data[WRONG[i].at] = WRONG[i].value;
        assert_null(read_back(bytes, bytes->len));
        bytes->data[WRONG[i].at] = was;
    }
}

static void a_profile_that_counts_less_has_the_same_shares(void **state)
{
    auto_(profile) profile = profile_of("silver");
    auto_(profile) less = profile_of("silver");
    profile_scale(less, 0.25);
    assert_int_equal(profile_records(less), RECORDS / 4);
    assert_true(fabs(profile_find(less, "n")->values.count - RECORDS / 4.0) < 1e-6);
    g_autoptr(GArray) shifts = profile_compare(less, profile);
    for (guint i = 0; i < shifts->len; i++) {
        const struct profile_shift *shift = &g_array_index(shifts, struct profile_shift, i);
        /* of the commonest values: half a record is rounded */
        assert_true(!shift->flagged && (shift->how == PROFILE_CLASSES || shift->test.statistic < 1e-6));
        assert_true(fabs(shift->missing_before - shift->missing_after) < 0.01);
    }
}

static void add(struct profile *profile, struct arena *mem, const char *json)
{
    profile_add(profile, kit_document(json, mem));
}

/* A rare value of which not half a record is left is the same value still. */
static void a_value_that_is_scaled_to_nothing_is_compared_once(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    auto_(profile) before = profile_new();
    auto_(profile) after = profile_new();
    for (int i = 0; i < 4000; i++) {
        add(before, mem, i == 0 ? "{\"tier\":\"new\"}" : i % 2 ? "{\"tier\":\"gold\"}" : "{\"tier\":\"silver\"}");
        add(after, mem, i % 4 == 0 ? "{\"tier\":\"new\"}" : i % 2 ? "{\"tier\":\"gold\"}" : "{\"tier\":\"silver\"}");
    }
    profile_scale(before, 0.1);
    g_autoptr(GArray) shifts = profile_compare(before, after);
    double a[] = {200, 200, 0}, b[] = {2000, 1000, 1000};
    assert_true(fabs(g_array_index(shifts, struct profile_shift, 0).psi - drift_psi(a, b, 3)) < 0.01);
}

static void what_has_a_name_without_end_is_passed_over(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    auto_(profile) profile = profile_new();
    g_autofree char *name = g_strnfill(PROFILE_NAME + 1, 'x');
    g_autofree char *json = g_strdup_printf("{\"%s\":1,\"%s\":2}", name, name + 1);
    add(profile, mem, json);
    assert_int_equal(profile_records(profile), 1);
    assert_int_equal(profile_count(profile), 1);
    assert_non_null(profile_find(profile, name + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_back_is_like_what_was_written_in_every_field),
        cmocka_unit_test(what_is_cut_or_out_of_bounds_is_refused),
        cmocka_unit_test(a_profile_that_counts_less_has_the_same_shares),
        cmocka_unit_test(a_value_that_is_scaled_to_nothing_is_compared_once),
        cmocka_unit_test(what_has_a_name_without_end_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
