/* The budget of a run: how room is reserved, given back, and never passed, by several workers in any order. */
#include "kit/scene.h"
#include "run/budget.h"

static const struct run_row NEW;

static enum budget_answer take(struct budget *budget, const struct spec_budget *limit, struct budget_room *io)
{
    return budget_take(budget, limit, 1, io);
}

static void room_is_what_is_left_and_nobody_has_reserved(void **state)
{
    static const struct spec_budget LIMIT = {.records = 100};
    struct budget budget;
    struct budget_room a = {60, 1000}, b = {60, 1000}, c = {60, 1000};
    budget_init(&budget);
    budget_begin(&budget, &NEW, 1);
    assert_int_equal(take(&budget, &LIMIT, &a), BUDGET_TAKEN);
    assert_int_equal(a.records, 60);
    assert_int_equal(take(&budget, &LIMIT, &b), BUDGET_TAKEN);
    assert_int_equal(b.records, 40);
    assert_int_equal(b.bytes, 1000);
    assert_int_equal(take(&budget, &LIMIT, &c), BUDGET_LATER);
    budget_give(&budget, &a, &(struct budget_room){50, 1});
    assert_false(budget_is_spent(&budget));
    assert_int_equal(take(&budget, &LIMIT, &c), BUDGET_TAKEN);
    assert_int_equal(c.records, 10);
    budget_give(&budget, &b, &(struct budget_room){40, 1});
    budget_give(&budget, &c, &(struct budget_room){10, 1});
    assert_int_equal(take(&budget, &LIMIT, &a), BUDGET_SPENT);
    assert_true(budget_is_spent(&budget));
    budget_done(&budget);
}

static void a_batch_that_came_to_nothing_gives_all_of_its_room_back(void **state)
{
    static const struct spec_budget LIMIT = {.records = 10, .bytes = 10};
    struct budget budget;
    struct budget_room room = {10, 10}, again = {10, 10};
    budget_init(&budget);
    budget_begin(&budget, &NEW, 1);
    assert_int_equal(take(&budget, &LIMIT, &room), BUDGET_TAKEN);
    budget_give(&budget, &room, NULL);
    assert_int_equal(take(&budget, &LIMIT, &again), BUDGET_TAKEN);
    assert_int_equal(again.records, 10);
    assert_int_equal(again.bytes, 10);
    budget_done(&budget);
}

static void a_batch_is_as_large_as_can_be_paid_and_money_is_never_passed(void **state)
{
    static const struct spec_budget LIMIT = {.cost = 1000};
    static const struct money_rates RATES = {.read = 1, .write = 2, .byte_written = 0.01};
    struct budget budget;
    struct budget_room a = {200, 20000}, b = {200, 20000}, c = {200, 20000};
    budget_init(&budget);
    budget_price(&budget, &RATES);
    budget_begin(&budget, &NEW, 1);
    assert_int_equal(take(&budget, &LIMIT, &a), BUDGET_TAKEN); /* 600 and 200 */
    assert_int_equal(a.records, 200);
    assert_int_equal(take(&budget, &LIMIT, &b), BUDGET_TAKEN); /* a quarter of it */
    assert_in_range(b.records, 49, 50);
    assert_in_range(b.bytes, 4990, 5000);
    assert_int_equal(take(&budget, &LIMIT, &c), BUDGET_LATER);
    budget_give(&budget, &a, &(struct budget_room){200, 10000, 700});
    assert_int_equal(take(&budget, &LIMIT, &c), BUDGET_TAKEN);
    assert_true(a.cost - 100 + b.cost + c.cost <= 1000);
    budget_give(&budget, &b, &(struct budget_room){50, 5000, 200});
    budget_give(&budget, &c, &(struct budget_room){20, 500, 98});
    assert_int_equal(budget_used(&budget, 1).cost, 998);
    assert_int_equal(take(&budget, &LIMIT, &a), BUDGET_SPENT); /* not one record more */
    budget_done(&budget);
}

/* Of 100 that may be spent; `used`: what was read and written before, `taken`: a batch that has its room already. */
static void what_is_priced_at_nothing_is_never_spent_and_what_is_left_may_be_too_little(void **state)
{
    static const struct {
        struct money_rates rates;
        uint64_t bytes;
        struct spec_budget limit;
        struct budget_room taken;
        enum budget_answer answer;
    } ROWS[] = {
        {{0}, 1000000, {.cost = 100}, {0}, BUDGET_TAKEN},
        {{.byte_written = 1}, 40, {.cost = 100}, {0}, BUDGET_TAKEN},
        {{.byte_written = 1}, 100, {.cost = 100}, {0}, BUDGET_SPENT},
        {{.byte_written = 1}, 40, {.cost = 100}, {1, 60}, BUDGET_LATER},
        {{.read = 70}, 40, {.cost = 100}, {1, 1}, BUDGET_LATER},                 /* not for one record more, */
        {{.read = 70, .byte_written = 1}, 40, {.cost = 100}, {0}, BUDGET_SPENT}, /* … and nothing comes back */
        {{0}, 40, {.bytes = 100}, {1, 60}, BUDGET_LATER},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct budget budget;
        struct run_row used = {.bytes_written = ROWS[i].bytes};
        struct budget_room taken = ROWS[i].taken, room = {1, 10};
        budget_init(&budget);
        budget_price(&budget, &ROWS[i].rates);
        budget_begin(&budget, &used, 1);
        if (taken.records)
            assert_int_equal(take(&budget, &ROWS[i].limit, &taken), BUDGET_TAKEN);
        enum budget_answer answer = take(&budget, &ROWS[i].limit, &room);
        if (answer != ROWS[i].answer || budget_is_spent(&budget) != (answer == BUDGET_SPENT))
            fail_msg("row %zu: %d", i, (int)answer);
        budget_done(&budget);
    }
}

/* Of 100; one that has 60 of them may give some back, and is not waited for in vain. */
static void who_needs_more_than_is_left_waits_for_others_and_takes_it_where_there_are_none(void **state)
{
    static const struct spec_budget LIMITS[] = {{.bytes = 100}, {.cost = 100}};
    static const struct money_rates RATES = {.byte_written = 1};
    for (size_t i = 0; i < G_N_ELEMENTS(LIMITS); i++) {
        struct budget budget;
        struct budget_room other = {1, 60}, large = {1, 70, .least_bytes = 70};
        budget_init(&budget);
        budget_price(&budget, &RATES);
        budget_begin(&budget, &NEW, 1);
        assert_int_equal(take(&budget, &LIMITS[i], &other), BUDGET_TAKEN);
        assert_int_equal(take(&budget, &LIMITS[i], &large), BUDGET_LATER);
        assert_false(budget_is_spent(&budget));
        budget_give(&budget, &other, &(struct budget_room){1, 60, 60});
        assert_int_equal(take(&budget, &LIMITS[i], &large), BUDGET_TAKEN);
        assert_int_equal(large.bytes, 40);
        budget_done(&budget);
    }
}

static void what_is_spent_stays_so_until_the_next_crew_begins(void **state)
{
    static const struct spec_budget LIMIT = {.bytes = 10}, MORE = {.bytes = 1000};
    struct budget budget;
    struct budget_room room = {1, 1};
    struct run_row used = {.bytes_written = 10};
    budget_init(&budget);
    budget_begin(&budget, &used, 1);
    assert_int_equal(take(&budget, &LIMIT, &room), BUDGET_SPENT);
    assert_int_equal(take(&budget, &MORE, &room), BUDGET_SPENT);
    budget_begin(&budget, &used, 1);
    assert_int_equal(take(&budget, &MORE, &room), BUDGET_TAKEN);
    budget_done(&budget);
}

static void without_limits_there_is_always_room_as_wished(void **state)
{
    static const struct spec_budget NONE = {0};
    struct budget budget;
    struct run_row used = {.bytes_written = UINT64_C(1) << 60, .worked_ms = INT64_C(1) << 50};
    struct budget_room room = {7, 9};
    used.tally.of[OUTCOME_WRITTEN] = UINT64_C(1) << 60;
    budget_init(&budget);
    budget_begin(&budget, &used, 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(take(&budget, &NONE, &room), BUDGET_TAKEN);
    assert_int_equal(room.records, 7);
    assert_int_equal(room.bytes, 9);
    budget_done(&budget);
}

static void time_is_counted_once_whoever_records_it(void **state)
{
    static const struct spec_budget LIMIT = {.time_ms = 100};
    struct budget budget;
    struct budget_room room = {1, 1};
    struct run_row used = {.worked_ms = 40};
    budget_init(&budget);
    budget_begin(&budget, &used, 1000000);
    assert_int_equal(budget_take(&budget, &LIMIT, 1059999, &room), BUDGET_TAKEN);
    assert_int_equal(budget_worked_ms(&budget, 1020700), 20);
    assert_int_equal(budget_worked_ms(&budget, 1020700), 0);
    assert_int_equal(budget_worked_ms(&budget, 1021000), 1); /* what was below a millisecond is not lost */
    assert_int_equal(budget_used(&budget, 1030000).time_ms, 70);
    assert_int_equal(budget_end(&budget, 1050000), 29);
    assert_int_equal(budget_used(&budget, 9000000).time_ms, 90); /* nobody works now */
    assert_int_equal(budget_take(&budget, &LIMIT, 9000000, &room), BUDGET_TAKEN);
    budget_begin(&budget, &used, 2000000);
    assert_int_equal(budget_take(&budget, &LIMIT, 2060000, &room), BUDGET_SPENT);
    budget_done(&budget);
}

static void shares_are_told_of_what_has_a_limit(void **state)
{
    static const struct spec_budget LIMIT = {.records = 4000, .time_ms = 3600000};
    static const struct spec_budget USED = {.records = 3999, .bytes = 5, .time_ms = 3600000};
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&LIMIT, &USED, shares);
    assert_int_equal(n, 2);
    assert_string_equal(shares[0].key, BUDGET_RECORDS);
    assert_non_null(strstr(shares[0].words, "records are written"));
    assert_string_equal(budget_reached(shares, n)->key, BUDGET_TIME);
    budget_shares_done(shares, n);
}

static void money_is_told_in_its_currency_where_it_has_one(void **state)
{
    static const struct {
        struct spec_budget limit;
        const char *words;
    } ROWS[] = {{{.cost = 40000000, .currency = "EUR"}, "12.50 EUR of 40.00 EUR are spent"},
                {{.cost = 40000000}, "12.50 of 40.00 are spent"}};
    static const struct spec_budget USED = {.cost = 12500000};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct budget_share shares[BUDGET_KEYS];
        size_t n = budget_shares(&ROWS[i].limit, &USED, shares);
        assert_int_equal(n, 1);
        assert_string_equal(shares[0].words, ROWS[i].words);
        assert_null(budget_reached(shares, n));
        budget_shares_done(shares, n);
    }
}

/* --- steps of a run ----------------------------------------------------------------------------------------------- */

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "partitions: { size: 10 }\nworkers: 1\nbudget: { records: 25 }\n";
static const char LUA[] = "function transform(doc) doc.n = doc.n + 1 return doc end\n";

static void scene_of(struct scene *scene)
{
    scene_init(scene, SPEC, LUA);
    for (int i = 0; i < 60; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"n\": 1}");
    }
}

static unsigned written(struct scene *scene)
{
    unsigned n = 0;
    for (int i = 0; i < 60; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        g_autofree char *json = scene_json(scene, "items", key, NULL);
        n += strstr(json, "2") != NULL;
    }
    return n;
}

static void workers_side_by_side_write_no_record_more_than_the_budget(void **state)
{
    struct process process;
    struct scene scene;
    scene_of(&scene);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 10);
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++) /* all have read, none has written: 10, 10 and 5 */
        process_until(&process, i, OP_LOG);
    assert_int_equal(process.hold->shared.budget.reserved_records, 25);
    process_end(&process);
    assert_true(budget_is_spent(&process.hold->shared.budget));
    assert_int_equal(written(&scene), 25);
    process_die(&process);
    scene_done(&scene);
}

static void what_a_dead_process_wrote_counts_though_no_checkpoint_names_it(void **state)
{
    struct process process;
    struct scene scene;
    scene_of(&scene);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 10);
    for (uint32_t i = 0; i < PROCESS_WORKERS; i++)
        process_until(&process, i, OP_CHECKPOINT);
    assert_int_equal(written(&scene), 25);
    process_die(&process);
    scene.lifts_nothing = true;
    scene_ran(&scene, 3);
    assert_int_equal(written(&scene), 25);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 25);
    scene.lifts_nothing = false;
    scene_ran(&scene, 3); /* resume alone does not lift it */
    assert_int_equal(written(&scene), 25);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_what_is_left_and_nobody_has_reserved),
        cmocka_unit_test(a_batch_that_came_to_nothing_gives_all_of_its_room_back),
        cmocka_unit_test(a_batch_is_as_large_as_can_be_paid_and_money_is_never_passed),
        cmocka_unit_test(what_is_priced_at_nothing_is_never_spent_and_what_is_left_may_be_too_little),
        cmocka_unit_test(money_is_told_in_its_currency_where_it_has_one),
        cmocka_unit_test(who_needs_more_than_is_left_waits_for_others_and_takes_it_where_there_are_none),
        cmocka_unit_test(what_is_spent_stays_so_until_the_next_crew_begins),
        cmocka_unit_test(without_limits_there_is_always_room_as_wished),
        cmocka_unit_test(time_is_counted_once_whoever_records_it),
        cmocka_unit_test(shares_are_told_of_what_has_a_limit),
        cmocka_unit_test(workers_side_by_side_write_no_record_more_than_the_budget),
        cmocka_unit_test(what_a_dead_process_wrote_counts_though_no_checkpoint_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
