/* Profiles of fields: what has shifted between two, and what has not. */
#include <math.h>

#include "kit/kit.h"
#include "profile/pair.h"

struct pair {
    struct profile *before, *after;
    struct arena *mem;
    GArray *shifts;
};

static void begin(struct pair *pair)
{
    *pair = (struct pair){.before = profile_new(), .after = profile_new(), .mem = arena_new(64 << 20)};
}

static void add(struct pair *pair, struct profile *into, const char *json)
{
    struct slice document;
    assert_true(document_from_json(slice_of_text(json), pair->mem, &document, NULL, NULL));
    profile_add(into, document);
}

/* The field's row, once all is added. */
static const struct profile_shift *shift_of(struct pair *pair, const char *name)
{
    pair->shifts = pair->shifts ? pair->shifts : profile_compare(pair->before, pair->after);
    for (guint i = 0; i < pair->shifts->len; i++)
        if (strcmp(g_array_index(pair->shifts, struct profile_shift, i).name, name) == 0)
            return &g_array_index(pair->shifts, struct profile_shift, i);
    fail_msg("no field %s", name);
    return NULL;
}

static void end(struct pair *pair)
{
    g_clear_pointer(&pair->shifts, g_array_unref);
    profile_free(pair->before);
    profile_free(pair->after);
    arena_free(pair->mem);
}

#define RECORDS 1000

static void fill(struct pair *pair, struct profile *into, double factor, const char *tier, bool lacks)
{
    static const char *const TIERS[] = {"bronze", "silver", "gold"};
    for (int i = 0; i < RECORDS; i++) {
        const char *of = tier && i % 3 == 2 ? tier : TIERS[i % 3];
        g_autofree char *more = lacks && i % 5 == 0 ? g_strdup("") : g_strdup_printf(",\"mail\":\"%d@example.com\"", i);
        g_autofree char *json = g_strdup_printf("{\"id\":\"k%04d\",\"n\":%d.5,\"tier\":\"%s\",\"none\":null%s}", i,
                                                (int)(i * 7919 % RECORDS * factor), of, more);
        add(pair, into, json);
    }
}

static void the_same_values_in_another_order_shift_nothing(void **state)
{
    struct pair pair;
    begin(&pair);
    fill(&pair, pair.before, 1, NULL, false);
    fill(&pair, pair.after, 1, NULL, false);
    for (guint i = 0; i < 5; i++)
        assert_false(shift_of(&pair, (const char *const[]){"id", "n", "tier", "none", "mail"}[i])->flagged);
    assert_int_equal(shift_of(&pair, "n")->how, PROFILE_NUMBERS);
    assert_int_equal(shift_of(&pair, "tier")->how, PROFILE_CLASSES);
    assert_int_equal(shift_of(&pair, "mail")->how, PROFILE_LENGTHS);
    assert_true(fabs(distinct_estimate(&shift_of(&pair, "mail")->after->distinct) - RECORDS) < 50);
    assert_true(shift_of(&pair, "none")->missing_after > 0.999);
    end(&pair);
}

static void numbers_that_grow_and_a_class_that_is_replaced_are_flagged_and_the_rest_is_not(void **state)
{
    struct pair pair;
    begin(&pair);
    fill(&pair, pair.before, 1, NULL, false);
    fill(&pair, pair.after, 1.19, "go", false);
    assert_true(shift_of(&pair, "n")->flagged && shift_of(&pair, "tier")->flagged);
    assert_true(shift_of(&pair, "n")->test.statistic > 0.1 && shift_of(&pair, "n")->test.chance < 1e-3);
    assert_true(shift_of(&pair, "tier")->psi > DRIFT_PSI_LARGE);
    assert_false(shift_of(&pair, "mail")->flagged || shift_of(&pair, "id")->flagged);
    end(&pair);
}

static void a_field_that_a_fifth_of_the_records_has_lost_is_flagged(void **state)
{
    struct pair pair;
    begin(&pair);
    fill(&pair, pair.before, 1, NULL, false);
    fill(&pair, pair.after, 1, NULL, true);
    assert_true(shift_of(&pair, "mail")->flagged);
    assert_true(fabs(shift_of(&pair, "mail")->missing_after - 0.2) < 1e-9);
    end(&pair);
}

static void a_field_that_only_one_side_has_is_flagged_as_missing_there(void **state)
{
    struct pair pair;
    begin(&pair);
    for (int i = 0; i < PROFILE_LEAST; i++) {
        add(&pair, pair.before, "{\"old\":1}");
        add(&pair, pair.after, "{\"new\":1}");
    }
    assert_true(shift_of(&pair, "old")->flagged && !shift_of(&pair, "old")->after);
    assert_true(shift_of(&pair, "new")->flagged && !shift_of(&pair, "new")->before);
    end(&pair);
}

static void few_records_flag_nothing(void **state)
{
    struct pair pair;
    begin(&pair);
    for (int i = 0; i + 1 < PROFILE_LEAST; i++) {
        add(&pair, pair.before, "{\"a\":1}");
        add(&pair, pair.after, "{\"a\":2}");
    }
    assert_false(shift_of(&pair, "a")->flagged);
    end(&pair);
}

static void no_more_fields_are_kept_than_there_is_room_for(void **state)
{
    struct pair pair;
    begin(&pair);
    for (int i = 0; i < 3 * PROFILE_FIELDS; i++) {
        g_autofree char *json = g_strdup_printf("{\"f%d\":1}", i);
        add(&pair, pair.before, json);
    }
    assert_int_equal(profile_count(pair.before), PROFILE_FIELDS);
    assert_int_equal(profile_records(pair.before), 3 * PROFILE_FIELDS);
    end(&pair);
}

static void what_is_no_document_is_no_record(void **state)
{
    struct pair pair;
    begin(&pair);
    profile_add(pair.before, SLICE_EMPTY);
    profile_add(pair.before, slice_of_text("not a document"));
    assert_int_equal(profile_records(pair.before), 0);
    end(&pair);
}

/* --- both sides of the same records ------------------------------------------------------------------------------ */

static struct slice document_of(struct pair *pair, const char *json)
{
    struct slice document = SLICE_EMPTY;
    assert_true(!json || document_from_json(slice_of_text(json), pair->mem, &document, NULL, NULL));
    return document;
}

static void add_both(struct pair *pair, struct profile_pair *pairs, const char *before, const char *after)
{
    struct slice left = document_of(pair, before), right = document_of(pair, after);
    profile_add(pair->before, left);
    profile_add(pair->after, right);
    profile_pair_add(pairs, left, right);
}

static void assert_same_field(struct profile_field *one, struct profile_field *other)
{
    assert_int_equal(!one, !other);
    if (!one)
        return;
    assert_true(one->present == other->present && one->nulls == other->nulls && one->numbers == other->numbers);
    assert_memory_equal(&one->distinct, &other->distinct, sizeof one->distinct);
    assert_true(fabs(one->values.count - other->values.count) < 0.5);
    assert_true(fabs(quantiles_at(&one->values, 0.5) - quantiles_at(&other->values, 0.5)) < 5);
    assert_true(fabs(quantiles_at(&one->lengths, 1) - quantiles_at(&other->lengths, 1)) < 1e-9);
    assert_int_equal(one->top.count, other->top.count);
}

/* Whatever is equal on both sides, lacking on one, of another order, type or value: what is told of the fields is what
 * is told where each side is looked at by itself. */
static void what_is_equal_on_both_sides_is_looked_at_once_and_told_of_both(void **state)
{
    struct pair pair;
    begin(&pair);
    struct profile_pair *pairs = profile_pair_new();
    for (int i = 0; i < RECORDS; i++) {
        g_autofree char *before =
            g_strdup_printf("{\"id\":\"%d\",\"n\":%d,\"moved\":%d,\"x\":null,\"only\":1}", i, i, i);
        g_autofree char *after =
            g_strdup_printf("{\"n\":%d,\"moved\":%d,\"id\":\"%d\",\"x\":null,\"new\":\"%d.5\",\"zip\":\"0%d\"}", i,
                            i % 2 ? i : 5 * i, i, i, i);
        add_both(&pair, pairs, i % 10 ? before : NULL, i % 7 ? after : NULL);
    }
    assert_int_equal(profile_pair_records(pairs), RECORDS - RECORDS / 10);
    GArray *shifts = profile_pair_compare(pairs);
    assert_int_equal(shifts->len, 7);
    for (guint i = 0; i < shifts->len; i++) {
        const struct profile_shift *told = &g_array_index(shifts, struct profile_shift, i);
        const struct profile_shift *alone = shift_of(&pair, told->name);
        assert_same_field(told->before, alone->before);
        assert_same_field(told->after, alone->after);
        assert_int_equal(told->flagged, alone->flagged);
        assert_true(fabs(told->missing_after - alone->missing_after) < 1e-9);
    }
    assert_true(shift_of(&pair, "moved")->flagged && !shift_of(&pair, "n")->flagged);
    assert_int_equal(shift_of(&pair, "new")->after->numbers, RECORDS - (RECORDS + 6) / 7);
    assert_int_equal(shift_of(&pair, "zip")->after->numbers, 0); /* a nought before a digit */
    g_array_unref(shifts);
    profile_pair_free(pairs);
    end(&pair);
}

static void a_side_without_records_is_not_compared(void **state)
{
    struct pair pair;
    begin(&pair);
    struct profile_pair *pairs = profile_pair_new();
    add_both(&pair, pairs, "{\"a\":1}", NULL);
    assert_null(profile_pair_compare(pairs));
    profile_pair_free(pairs);
    end(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_values_in_another_order_shift_nothing),
        cmocka_unit_test(numbers_that_grow_and_a_class_that_is_replaced_are_flagged_and_the_rest_is_not),
        cmocka_unit_test(a_field_that_a_fifth_of_the_records_has_lost_is_flagged),
        cmocka_unit_test(a_field_that_only_one_side_has_is_flagged_as_missing_there),
        cmocka_unit_test(few_records_flag_nothing),
        cmocka_unit_test(no_more_fields_are_kept_than_there_is_room_for),
        cmocka_unit_test(what_is_no_document_is_no_record),
        cmocka_unit_test(what_is_equal_on_both_sides_is_looked_at_once_and_told_of_both),
        cmocka_unit_test(a_side_without_records_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
