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

/* Of 100, of which others have what stands before it. */
static void what_a_batch_will_write_takes_the_place_of_what_was_reserved_for_it(void **state)
{
    static const struct {
        uint64_t used, others, need;
        bool must;
        enum budget_answer answer;
        uint64_t held; /* of the batch, afterwards */
    } ROWS[] = {
        {0, 60, 40, false, BUDGET_TAKEN, 40},  /* to the last byte */
        {0, 60, 10, false, BUDGET_TAKEN, 10},  /* what it does not need is for others */
        {0, 60, 41, false, BUDGET_LATER, 0},   /* they may give some back; who waits holds nothing */
        {0, 0, 100, false, BUDGET_TAKEN, 100}, /* more than was reserved */
        {0, 0, 101, false, BUDGET_SPENT, 0},   /* not a byte more */
        {60, 30, 40, false, BUDGET_LATER, 0},  {60, 30, 41, false, BUDGET_SPENT, 0},
        {60, 40, 41, true, BUDGET_TAKEN, 41}, /* some of it is written already */
    };
    static const struct spec_budget LIMITS[] = {{.bytes = 100}, {.cost = 100}};
    static const struct money_rates RATES = {.byte_written = 1};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS) * G_N_ELEMENTS(LIMITS); i++) {
        const struct spec_budget *limit = &LIMITS[i % 2];
        uint64_t used = ROWS[i / 2].used, others = ROWS[i / 2].others, need = ROWS[i / 2].need;
        struct budget budget;
        struct run_row run = {.bytes_written = used};
        struct budget_room other = {1, others}, room = {1, 40}, wish = {.bytes = need, .cost = (double)need};
        budget_init(&budget);
        budget_price(&budget, &RATES);
        budget_begin(&budget, &run, 1);
        if (others)
            assert_int_equal(take(&budget, limit, &other), BUDGET_TAKEN);
        if (used + others < 100)
            assert_int_equal(take(&budget, limit, &room), BUDGET_TAKEN);
        else
            room = (struct budget_room){0};
        enum budget_answer answer = budget_fit(&budget, limit, &wish, ROWS[i / 2].must, &room);
        if (answer != ROWS[i / 2].answer || room.bytes != ROWS[i / 2].held || budget_is_spent(&budget))
            fail_msg("row %zu: %d, %zu", i / 2, (int)answer, room.bytes);
        assert_int_equal(budget.reserved_bytes, others + ROWS[i / 2].held);
        assert_true(budget.reserved_cost == (limit->cost ? (double)others : 0) + (double)ROWS[i / 2].held);
        budget_done(&budget);
    }
}

static void a_record_for_which_too_little_is_left_ends_it_and_says_what_it_takes(void **state)
{
    static const struct spec_budget LIMIT = {.records = 9, .bytes = 100, .cost = 3000000}, MORE = {.bytes = 120};
    struct spec_budget used = {.records = 3, .bytes = 60, .cost = 1000000};
    struct budget budget;
    struct budget_share shares[BUDGET_KEYS];
    struct budget_room next = {.bytes = 50, .cost = 2000000};
    budget_init(&budget);
    budget_begin(&budget, &NEW, 1);
    budget_end_before(&budget, &next);
    assert_true(budget_is_spent(&budget));
    size_t n = budget_shares(&LIMIT, &used, shares);
    assert_null(budget_reached(shares, n));
    budget_step(&budget, shares, n);
    g_autofree char *words = budget_reached_words(budget_reached(shares, n));
    assert_string_equal(words, "60 B of 100 B are written, and the next record takes 50 B");
    budget_shares_done(shares, n);
    n = budget_shares(&MORE, &used, shares); /* enough for it */
    budget_step(&budget, shares, n);
    assert_null(budget_reached(shares, n));
    budget_shares_done(shares, n);
    budget_begin(&budget, &NEW, 1);
    assert_false(budget_is_spent(&budget));
    budget_done(&budget);
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

#define ITSELF "store: \"mem:s\", dataset: items"
#define SPEC_OF(target, more)                                                                                          \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"                                             \
    "transform: { lua: t.lua }\ntarget: { " target " }\n"                                                              \
    "partitions: { size: 10 }\nworkers: 1\n" more
static const char SPEC[] = SPEC_OF(ITSELF, "budget: { records: 25 }\n");
static const char LUA[] = "function transform(doc) doc.n = doc.n + 1 return doc end\n";

static void scene_of(struct scene *scene, const char *spec, const char *lua)
{
    scene_init(scene, spec, lua);
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
    scene_of(&scene, SPEC, LUA);
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

/* A record is larger behind it by a kilobyte, and something. */
static const char LARGER[] =
    "function transform(doc) doc.n = doc.n + 1 doc.more = string.rep('x', 1000) return doc end\n";
#define LARGER_LEAST 1000
#define LARGER_MOST  1100

static uint64_t bytes_written(struct scene *scene)
{
    auto_(arena) mem = arena_new(1 << 20);
    return scene_row(scene, mem).bytes_written;
}

/* What is read says nothing of that: it is known before it is written, whoever writes it. */
static void what_a_transform_makes_larger_is_not_written_beyond_the_budget(void **state)
{
    static const struct {
        const char *spec;
        uint64_t bytes;
    } ROWS[] = {
        {SPEC_OF(ITSELF, "budget: { bytes: 1 }\n"), 1},
        {SPEC_OF(ITSELF, "budget: { bytes: 999 }\n"), 999},
        {SPEC_OF(ITSELF, "budget: { bytes: 5500 }\n"), 5500},
        {SPEC_OF(ITSELF, "budget: { bytes: 30000 }\n"), 30000},
        {SPEC_OF(ITSELF, "prices: { written: 1073.741824 }\nbudget: { cost: 0.0055 }\n"), 5500},
        {SPEC_OF("store: \"file:out\", dataset: \"*.ndjson\"", "budget: { bytes: 5500 }\n"), 5500},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        scene_of(&scene, ROWS[i].spec, LARGER);
        scene_ran(&scene, 3);
        uint64_t bytes = bytes_written(&scene), n = scene_count(&scene, OUTCOME_WRITTEN);
        if (bytes > ROWS[i].bytes || bytes + LARGER_MOST < ROWS[i].bytes || bytes < n * LARGER_LEAST)
            fail_msg("row %zu: %" G_GUINT64_FORMAT " records of %" G_GUINT64_FORMAT " bytes", i, n, bytes);
        scene_done(&scene);
    }
}

/* All have read, and none has written: each knows what the others are about to. */
static void workers_side_by_side_write_no_byte_more_than_the_budget(void **state)
{
    struct process process;
    struct scene scene;
    scene_of(&scene, SPEC_OF(ITSELF, "budget: { bytes: 25000 }\n"), LARGER);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 10);
    process_end(&process);
    assert_true(budget_is_spent(&process.hold->shared.budget));
    assert_int_equal(process.hold->shared.budget.reserved_bytes, 0);
    assert_in_range(process.hold->shared.budget.bytes, 25000 - LARGER_MOST, 25000);
    process_die(&process);
    scene_done(&scene);
}

/* A record that is unchanged costs nothing, however large it is. */
static void what_is_not_written_needs_no_room(void **state)
{
    static const char ONE[] = "function transform(doc) if doc.x then return doc end doc.n = doc.n + 1 return doc end\n";
    struct scene scene;
    g_autofree char *large = g_strnfill(20000, 'x');
    g_autofree char *json = g_strdup_printf("{\"n\": 1, \"x\": \"%s\"}", large);
    scene_of(&scene, SPEC_OF(ITSELF, "budget: { bytes: 10000 }\n"), ONE);
    scene_put(&scene, "items", "k00", json);
    scene_put(&scene, "items", "k30", json);
    scene_ran(&scene, 0);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 58);
    assert_int_equal(scene_count(&scene, OUTCOME_UNCHANGED), 2);
    scene_done(&scene);
}

static void what_a_dead_process_wrote_counts_though_no_checkpoint_names_it(void **state)
{
    struct process process;
    struct scene scene;
    scene_of(&scene, SPEC, LUA);
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
        cmocka_unit_test(what_a_batch_will_write_takes_the_place_of_what_was_reserved_for_it),
        cmocka_unit_test(a_record_for_which_too_little_is_left_ends_it_and_says_what_it_takes),
        cmocka_unit_test(what_is_spent_stays_so_until_the_next_crew_begins),
        cmocka_unit_test(without_limits_there_is_always_room_as_wished),
        cmocka_unit_test(time_is_counted_once_whoever_records_it),
        cmocka_unit_test(shares_are_told_of_what_has_a_limit),
        cmocka_unit_test(workers_side_by_side_write_no_record_more_than_the_budget),
        cmocka_unit_test(what_a_transform_makes_larger_is_not_written_beyond_the_budget),
        cmocka_unit_test(workers_side_by_side_write_no_byte_more_than_the_budget),
        cmocka_unit_test(what_is_not_written_needs_no_room),
        cmocka_unit_test(what_a_dead_process_wrote_counts_though_no_checkpoint_names_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
