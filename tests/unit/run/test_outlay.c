/* What a run costs, by when it is there, and how fast its budget is used. */
#include "kit/kit.h"
#include "run/budget.h"
#include "run/burn.h"
#include "run/outlay.h"
#include "run/outlook.h"

#define H INT64_C(3600000)

static struct run_row half_done(void)
{
    struct run_row run = {.state = RUN_RUNNING, .started_ms = 100 * H, .updated_ms = 110 * H};
    run.tally.of[OUTCOME_LISTED_] = 1000000;
    run.tally.of[OUTCOME_READ] = 500000;
    run.tally.of[OUTCOME_WRITTEN] = 300000;
    run.tally.of[OUTCOME_UNCHANGED] = 200000;
    run.bytes_read = UINT64_C(2) << 30;
    run.bytes_written = UINT64_C(1) << 30;
    return run;
}

static void what_is_read_written_and_moved_costs_what_it_is_priced_at(void **state)
{
    (void)state;
    struct money_prices prices = {.reads = 2000000, .writes = 10000000, .written = 500000, .egress = 250000};
    static const struct money_use TWICE = {.reads = 2, .writes = 1};
    struct money_rates rates = money_rates_of(&prices, &TWICE), nothing = {0};
    struct run_row run = half_done();
    /* half a million read twice, 0.3 written, 2 GiB out twice, one in */
    assert_int_equal(outlay_cost(&run, &rates), 2000000 + 3000000 + 1000000 + 500000);
    assert_int_equal(outlay_cost(&run, &nothing), 0);
    assert_true(money_given(&rates) && !money_given(&nothing));
}

/* Before it is made live; and of what is taken back, which the budget does not know of. */
static void what_is_made_live_or_taken_back_costs_too(void **state)
{
    static const struct money_use SHADOW = {.reads = 2, .writes = 2, .reads_to_write = 2};
    struct money_prices prices = {.reads = 2000000, .writes = 10000000};
    struct money_rates rates = money_rates_of(&prices, &SHADOW);
    struct run_row run = half_done();
    uint64_t forwards = 2000000 + 2 * (3000000 + 600000);
    assert_int_equal(outlay_cost(&run, &rates), forwards);
    run.tally.of[OUTCOME_RESTORED] = 200000;
    run.tally.of[OUTCOME_LEFT] = 100000;
    assert_int_equal(outlay_cost(&run, &rates), forwards + 600000 + 2000000);
    assert_int_equal(budget_used_by(&run, &rates).cost, forwards);
    struct money_within none = {0};
    assert_int_equal(outlay_of(&run, &rates, &none, 111 * H).in_all, 2 * forwards + 600000 + 2000000);
}

static void the_rest_is_as_dear_and_as_slow_as_what_is_done_and_of_too_little_nothing_is_said(void **state)
{
    (void)state;
    struct money_rates rates = {.read = 10};
    struct money_within complete = {.share = 0.95, .ms = 18 * H}, easy = {.share = 0.95, .ms = 20 * H};
    struct run_row run = half_done();
    struct outlay outlook = outlay_of(&run, &rates, &complete, 110 * H);
    assert_true(outlook.known && !outlook.there && outlook.late);
    assert_int_equal(outlook.cost, 5000000);
    assert_int_equal(outlook.in_all, 10000000);
    assert_int_equal(outlook.due_ms, 118 * H);
    assert_int_equal(outlook.there_ms, 119 * H);
    assert_false(outlay_of(&run, &rates, &easy, 110 * H).late);
    run.tally.of[OUTCOME_WRITTEN] = 9999;
    run.tally.of[OUTCOME_UNCHANGED] = 0;
    assert_false(outlay_of(&run, &rates, &complete, 110 * H).known);
    run.tally.of[OUTCOME_WRITTEN] = 950000;
    outlook = outlay_of(&run, &rates, &complete, 115 * H);
    assert_true(outlook.there && !outlook.late);
    assert_int_equal(outlook.there_ms, 110 * H);
}

/* To before the run began, even: what it has worked tells how fast it is. */
static void a_clock_that_was_set_back_makes_it_no_sooner(void **state)
{
    (void)state;
    struct money_rates rates = {.read = 10};
    struct money_within complete = {.share = 0.95, .ms = 12 * H};
    struct run_row run = half_done();
    run.worked_ms = 10 * H;
    for (int64_t back = 9; back <= 12; back++) {
        struct outlay outlook = outlay_of(&run, &rates, &complete, (110 - back) * H);
        assert_int_equal(outlook.there_ms, (110 - back + 9) * H);
        assert_false(outlook.late);
    }
    complete.ms = 5 * H;
    assert_true(outlay_of(&run, &rates, &complete, 99 * H).late);
}

/* How long it takes still: while it goes forwards, and from a hundredth on. By no clock that anybody sets. */
static void of_a_run_that_goes_forwards_it_is_said_when_it_is_through(void **state)
{
    static const struct {
        enum run_state state;
        uint64_t done, of, back;
        int64_t ms, eta_s;
    } ROWS[] = {
        {RUN_RUNNING, 100, 1000, 0, 10000, 90},   {RUN_RUNNING, 1000, 1000, 0, 10000, 0},
        {RUN_RUNNING, 1001, 1000, 0, 10000, 0}, /* what was counted beforehand was too little */
        {RUN_RUNNING, 9, 1000, 0, 10000, -1},     {RUN_RUNNING, 100, 0, 0, 10000, -1},
        {RUN_RUNNING, 100, 1000, 0, 0, -1},       {RUN_RUNNING, 100, 1000, 1, 10000, -1},
        {RUN_VERIFYING, 100, 1000, 0, 10000, -1},
    };
    static const int64_t JUMPS_MS[] = {0, 2 * H, -2 * H};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS) * G_N_ELEMENTS(JUMPS_MS); i++) {
        size_t at = i / G_N_ELEMENTS(JUMPS_MS);
        int64_t now_ms = 5000 + ROWS[at].ms + JUMPS_MS[i % G_N_ELEMENTS(JUMPS_MS)];
        struct run_row run = {
            .state = ROWS[at].state, .started_ms = 5000, .updated_ms = now_ms, .worked_ms = ROWS[at].ms};
        run.tally.of[OUTCOME_WRITTEN] = run.tally.of[OUTCOME_RESTORED] = ROWS[at].done;
        run.tally.of[OUTCOME_LISTED_] = ROWS[at].of;
        run.back_parts[PART_PENDING] = ROWS[at].back;
        struct run_outlook outlook = run_outlook(&run);
        if (outlook.eta_s != ROWS[at].eta_s)
            fail_msg("row %zu: %d s", at, (int)outlook.eta_s);
    }
}

/* What it wished to have done by then, in words; a run that is over is judged by when it ended. */
static void whether_it_is_done_in_time_is_said(void **state)
{
    static const struct money_within WISH = {.share = 0.95, .ms = 100000};
    static const struct {
        uint64_t done;
        enum run_state state;
        const char *words;
    } ROWS[] = {
        {0, RUN_RUNNING, "95 % by 1970-01-01T00:01:40.000Z: too little is done to say"},
        {50, RUN_RUNNING, ": at the pace so far it is there 1970-01-01T00:01:16.000Z, which is in time"},
        {10, RUN_RUNNING, ": at the pace so far it is there 1970-01-01T00:06:20.000Z, which is too late"},
        {96, RUN_RUNNING, ": it was there by 1970-01-01T00:00:39.000Z, which is in time"},
        {50, RUN_DONE, ": at the pace so far it is there 1970-01-01T00:01:14.100Z, which is in time"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        static const struct money_rates RATES = {.read = 1};
        struct run_row run = {.state = ROWS[i].state, .started_ms = 0, .updated_ms = 39000};
        run.tally.of[OUTCOME_WRITTEN] = ROWS[i].done;
        run.tally.of[OUTCOME_LISTED_] = 100;
        struct outlay outlay = outlay_of(&run, &RATES, &WISH, 40000);
        g_autofree char *words = outlay_words(&outlay, &WISH);
        if (!strstr(words, ROWS[i].words))
            fail_msg("row %zu: %s", i, words);
    }
}

static void only_what_was_used_within_the_time_counts(void **state)
{
    (void)state;
    struct spec_budget limit = {.records = 1000, .cost = 100, .burn = {.share = 0.5, .ms = 64000}},
                       used = {.records = 600};
    struct burn burn = {0};
    assert_true(burn_share(&burn, &limit, &used, 0) <= 0); /* used before anyone looked */
    for (int64_t s = 1; s <= 200; s++) {
        used.records++;
        double share = burn_share(&burn, &limit, &used, s * 1000000);
        assert_true(share <= 0.066);
        assert_true(share >= 0.0009 * (double)MIN(s, 64));
    }
    used.cost = 30; /* the larger one counts */
    assert_true(burn_share(&burn, &limit, &used, 201000000) > 0.29);
    assert_true(burn_share(&burn, &limit, &used, 300000000) < 0.29);
}

/* As if the one who looks now had looked then; of what was used before those nobody says when. */
static void what_was_used_before_anybody_looked_is_recalled(void **state)
{
    (void)state;
    struct spec_budget limit = {.records = 1000, .cost = 100, .burn = {.share = 0.5, .ms = 64000}},
                       used = {.records = 700, .cost = 10};
    const struct burnt burnt[] = {{.at_us = -50000000, .used = {.records = 100}},
                                  {.at_us = -20000000, .used = {.records = 200, .cost = 4}}};
    struct burn burn = {0};
    for (int twice = 0; twice < 2; twice++) {
        burn_recall(&burn, &used, burnt, G_N_ELEMENTS(burnt));
        assert_float_equal(burn_share(&burn, &limit, &used, 0), 0.3, 1e-9);
    }
    assert_float_equal(burn_share(&burn, &limit, &used, 15000000), 0.2, 1e-9);
    assert_float_equal(burn_share(&burn, &limit, &used, 45000000), 0, 1e-9);
    burn_recall(&burn, &used, burnt, 0);
    assert_float_equal(burn_share(&burn, &limit, &used, 0), 0, 1e-9);
}

static void more_than_it_has_room_for_is_recalled_from_the_newest(void **state)
{
    (void)state;
    struct spec_budget limit = {.records = 1000, .burn = {.share = 0.5, .ms = 1000000}}, used = {.records = 1000};
    struct burnt burnt[3 * BURN_STEPS];
    struct burn burn = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(burnt); i++)
        burnt[i] = (struct burnt){.at_us = (int64_t)i, .used = {.records = 2}};
    burn_recall(&burn, &used, burnt, G_N_ELEMENTS(burnt));
    assert_float_equal(burn_share(&burn, &limit, &used, G_N_ELEMENTS(burnt)), 0.002 * BURN_STEPS, 1e-9);
}

static void amounts_are_exact_and_read_back_as_they_are_written(void **state)
{
    static const struct {
        const char *text, *shown; /* NULL: refused */
        uint64_t amount;
    } ROWS[] = {{"40", "40.00", 40000000},
                {"12.5", "12.50", 12500000},
                {"0.000001", "0.000001", 1},
                {"1.4000", "1.40", 1400000},
                {"1.", NULL, 0},
                {".5", NULL, 0},
                {"-1", NULL, 0},
                {"1e3", NULL, 0},
                {"0.0000001", NULL, 0},
                {"99999999999999", NULL, 0},
                {"", NULL, 0}};
    char text[MONEY_TEXT];
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        uint64_t amount = 0, price = 0;
        assert_int_equal(money_parse(ROWS[i].text, &amount), ROWS[i].shown != NULL);
        assert_int_equal(amount, ROWS[i].amount);
        assert_int_equal(money_parse_price(ROWS[i].text, &price), ROWS[i].shown != NULL);
        assert_int_equal(price, ROWS[i].amount);
        if (ROWS[i].shown)
            assert_string_equal(money_text(amount, text), ROWS[i].shown);
    }
}

static void a_price_may_be_nothing_and_a_cap_may_not(void **state)
{
    static const char *const NOTHING[] = {"0", "0.0", "0.000000"};
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(NOTHING); i++) {
        uint64_t amount = 7;
        assert_false(money_parse(NOTHING[i], &amount));
        assert_int_equal(amount, 7);
        assert_true(money_parse_price(NOTHING[i], &amount));
        assert_int_equal(amount, 0);
    }
}

static void a_share_and_a_time_are_joined_by_their_own_word(void **state)
{
    (void)state;
    struct money_within within = {0};
    assert_true(money_within_parse("95% within 48h", "within", &within));
    assert_int_equal(within.ms, 48 * H);
    g_autofree char *text = money_within_text(&within, "within");
    struct money_within again = {0};
    assert_true(money_within_parse(text, "within", &again) && memcmp(&within, &again, sizeof within) == 0);
    static const char *const BAD[] = {"95% in 48h",    "95%",          "0% within 1h",   "101% within 1h",
                                      "95% within 0s", "95 within 1h", "95%  within 1h", "95% within 1h now"};
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++)
        assert_false(money_within_parse(BAD[i], "within", &within));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_written_and_moved_costs_what_it_is_priced_at),
        cmocka_unit_test(what_is_made_live_or_taken_back_costs_too),
        cmocka_unit_test(the_rest_is_as_dear_and_as_slow_as_what_is_done_and_of_too_little_nothing_is_said),
        cmocka_unit_test(a_clock_that_was_set_back_makes_it_no_sooner),
        cmocka_unit_test(of_a_run_that_goes_forwards_it_is_said_when_it_is_through),
        cmocka_unit_test(whether_it_is_done_in_time_is_said),
        cmocka_unit_test(only_what_was_used_within_the_time_counts),
        cmocka_unit_test(what_was_used_before_anybody_looked_is_recalled),
        cmocka_unit_test(more_than_it_has_room_for_is_recalled_from_the_newest),
        cmocka_unit_test(amounts_are_exact_and_read_back_as_they_are_written),
        cmocka_unit_test(a_price_may_be_nothing_and_a_cap_may_not),
        cmocka_unit_test(a_share_and_a_time_are_joined_by_their_own_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
