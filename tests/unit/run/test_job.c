/* The tables and the arithmetic of a run: steps, rules of a job, outcomes of a batch. */
#include "kit/kit.h"
#include "run/batch.h"

static void every_step_has_a_name_and_two_points_of_its_own(void **state)
{
    for (int a = 0; a < OP_KIND_COUNT; a++) {
        const struct op_row *row = op_row((enum op_kind)a);
        g_autofree char *before = g_strconcat(row->name, ".before", NULL),
                        *after = g_strconcat(row->name, ".after", NULL);
        assert_string_equal(row->before, before);
        assert_string_equal(row->after, after);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(row->name, op_row((enum op_kind)b)->name);
    }
}

static void what_may_have_taken_effect_is_not_simply_performed_again(void **state)
{
    static const enum op_kind ONCE[] = {OP_LOG, OP_CAS, OP_OUTCOME, OP_REFUSE, OP_SYNC};
    for (size_t i = 0; i < G_N_ELEMENTS(ONCE); i++)
        assert_false(op_row(ONCE[i])->repeatable);
}

static void the_rules_of_a_job_are_the_plans(void **state)
{
    struct spec spec = {.target = {.unversioned = UNVERSIONED_OVERWRITE, .ties = TIES_REPAIR},
                        .protect = {.skew_ms = 7}};
    struct plan plan = {.spec = &spec, .write = WRITE_FILL, .conflict = CONFLICT_OVERWRITE, .listed = true};
    struct run_row run = {.id = 4, .name = "job.1"};
    struct job job;
    job_init_forward(&job, &plan, &run);
    assert_true(job.rules.fill);
    assert_false(job.rules.same_dataset);
    assert_int_equal(job.rules.conflict, DECIDE_OVERWRITE);
    assert_true(job.rules.write_unversioned);
    assert_true(job.rules.repair_ties);
    assert_int_equal(job.rules.skew_ms, 7);
    assert_int_equal(job.run, 4);
    assert_true(job_looks_again(&job));
}

static void a_batch_is_a_tenth_of_what_may_be_written_a_second(void **state)
{
    static const struct {
        double per_s;
        bool paced;
        size_t records;
    } ROWS[] = {{0, false, JOB_BATCH_RECORDS},
                {0, true, JOB_PACED_RECORDS},
                {1e9, false, JOB_BATCH_RECORDS},
                {1e9, true, JOB_PACED_RECORDS},
                {100, false, 10},
                {9, false, 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_int_equal(job_batch_records(ROWS[i].per_s, ROWS[i].paced), ROWS[i].records);
}

static void only_a_live_source_elsewhere_is_looked_at_again(void **state)
{
    struct spec spec = {0};
    struct plan plan = {.spec = &spec, .write = WRITE_IN_PLACE, .listed = true};
    struct run_row run = {.id = 1};
    struct job job;
    plan.same_dataset = true;
    job_init_forward(&job, &plan, &run);
    assert_false(job_looks_again(&job));
    plan.same_dataset = false;
    plan.sink = true;
    job_init_forward(&job, &plan, &run);
    assert_false(job_looks_again(&job));
    plan.sink = plan.listed = false;
    job_init_forward(&job, &plan, &run);
    assert_false(job_looks_again(&job));
    plan.listed = true;
    job_init_back(&job, &plan, &run);
    assert_false(job_looks_again(&job));
}

/* --- batches
 * ------------------------------------------------------------------------------------------------------------ */

static void add_row(struct batch_work *batch)
{
    struct row row = {0};
    g_array_append_val(batch->rows, row);
}

static void add_item(struct batch_work *batch, size_t row, const char *key, enum outcome outcome)
{
    item_end(batch_item_add(batch, row, slice_of_text(key)), outcome);
}

static void a_row_ends_with_the_weightiest_of_its_items(void **state)
{
    struct batch_work batch;
    batch_init(&batch, JOB_ARENA_BYTES);
    for (int i = 0; i < 4; i++)
        add_row(&batch);
    add_item(&batch, 0, "a", OUTCOME_UNCHANGED);
    add_item(&batch, 0, "b", OUTCOME_WRITTEN);
    add_item(&batch, 0, "c", OUTCOME_KEPT_LIVE);
    add_item(&batch, 1, "d", OUTCOME_WRITTEN);
    add_item(&batch, 1, "e", OUTCOME_IN_DOUBT);
    row_end(batch_row(&batch, 2), OUTCOME_FILTERED);
    row_refuse(batch_row(&batch, 3), SLUICE_ERROR_LUA, "no");
    add_item(&batch, 3, "f", OUTCOME_WRITTEN); /* what the row itself says stands */
    batch_tally(&batch);
    assert_int_equal(batch_row(&batch, 0)->outcome, OUTCOME_WRITTEN);
    assert_int_equal(batch_row(&batch, 1)->outcome, OUTCOME_IN_DOUBT);
    assert_int_equal(batch_row(&batch, 3)->outcome, OUTCOME_REJECTED);
    assert_int_equal(batch.tally.of[OUTCOME_WRITTEN], 1);
    assert_int_equal(batch.tally.of[OUTCOME_FILTERED], 1);
    assert_int_equal(batch.tally.of[OUTCOME_REJECTED], 1);
    assert_int_equal(tally_sum(&batch.tally, OUTCOME_KIND_LISTED), 4);
    batch_done(&batch);
}

static void outcomes_are_four_bits_a_row_the_low_ones_first(void **state)
{
    static const enum outcome ROWS[] = {OUTCOME_KEPT_LIVE, OUTCOME_IN_DOUBT, OUTCOME_GONE};
    struct batch_work batch;
    struct slice bits;
    batch_init(&batch, JOB_ARENA_BYTES);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        add_row(&batch);
        row_end(batch_row(&batch, i), ROWS[i]);
    }
    assert_true(batch_outcomes(&batch, &bits));
    assert_int_equal(bits.len, 2);
    assert_int_equal(bits.data[0], OUTCOME_KEPT_LIVE | OUTCOME_IN_DOUBT << 4);
    assert_int_equal(bits.data[1], OUTCOME_GONE);
    batch_reset(&batch);
    assert_true(batch_outcomes(&batch, &bits));
    assert_int_equal(bits.len, 0);
    batch_done(&batch);
}

static bool any(const struct item *item)
{
    return true;
}

static void items_are_sent_by_key_each_key_once_the_first_of_the_batch(void **state)
{
    static const char *const KEYS[] = {"b", "a", "b", "aa"};
    struct batch_work batch;
    batch_init(&batch, JOB_ARENA_BYTES);
    add_row(&batch);
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++)
        batch_item_add(&batch, 0, slice_of_text(KEYS[i]));
    batch_select(&batch, any, false);
    assert_int_equal(batch.order->len, 4);
    batch_select(&batch, any, true);
    assert_int_equal(batch.order->len, 3);
    static const size_t ORDER[] = {1, 3, 0};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(g_array_index(batch.order, size_t, i), ORDER[i]);
    batch_done(&batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_step_has_a_name_and_two_points_of_its_own),
        cmocka_unit_test(what_may_have_taken_effect_is_not_simply_performed_again),
        cmocka_unit_test(the_rules_of_a_job_are_the_plans),
        cmocka_unit_test(a_batch_is_a_tenth_of_what_may_be_written_a_second),
        cmocka_unit_test(only_a_live_source_elsewhere_is_looked_at_again),
        cmocka_unit_test(a_row_ends_with_the_weightiest_of_its_items),
        cmocka_unit_test(outcomes_are_four_bits_a_row_the_low_ones_first),
        cmocka_unit_test(items_are_sent_by_key_each_key_once_the_first_of_the_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
