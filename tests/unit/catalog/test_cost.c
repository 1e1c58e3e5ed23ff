/* What the calls of a running backfill cost, in a run of 10,000 partitions. Times are printed, not asserted: they are
 * the machine's. Asserted are the syncs, which are ours. */
#include "unit/catalog/fixture.h"

#include <stdlib.h>

enum { PARTS = 10000, ROUNDS = 100, WORKERS = 4 }; /* ROUNDS: fewer pages than make a worker tidy */

static int64_t now_us(void)
{
    return world_monotonic_us(world_real());
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void tell(const char *what, int64_t *us, size_t n)
{
    qsort(us, n, sizeof *us, compare);
    print_message("# %s: median %ld us, 90 %% below %ld, longest %ld\n", what, (long)us[n / 2], (long)us[n * 9 / 10],
                  (long)us[n - 1]);
}

/* As a batch of 2,000 records has it. */
static struct checkpoint checkpoint_of(int64_t run, const struct grant *grant, uint64_t number)
{
    static uint8_t outcomes[1000];
    struct checkpoint cp = fixture_checkpoint(run, grant, number);
    cp.outcomes = slice_of(outcomes, sizeof outcomes);
    cp.tally.of[OUTCOME_WRITTEN] = 2000;
    return cp;
}

struct series {
    struct catalog *catalog;
    int64_t run;
    struct grant grant;
    uint64_t number; /* of the newest checkpoint */
};

/* Returns how many syncs it took. */
static unsigned checkpoints(struct series *series, size_t n, const char *what)
{
    GError *error = NULL;
    int64_t us[ROUNDS];
    unsigned before = atomic_load(&fixture_syncs);
    for (size_t i = 0; i < n; i++) {
        struct checkpoint cp = checkpoint_of(series->run, &series->grant, ++series->number);
        int64_t begin_us = now_us();
        kit_ok(catalog_checkpoint(series->catalog, &cp, &error));
        us[i] = now_us() - begin_us;
    }
    if (what)
        tell(what, us, n);
    return atomic_load(&fixture_syncs) - before;
}

static void a_checkpoint_is_one_sync(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, PARTS);
    struct series series = {.catalog = fx->catalog, .run = run.id, .grant = fixture_grant(fx, run.id, 1, "one")};
    kit_ok(catalog_tidy(fx->catalog, &error));
    assert_int_equal(checkpoints(&series, 1, NULL), 2); /* the log begins again: its head, then the row */
    assert_int_equal(checkpoints(&series, ROUNDS, "a checkpoint"), ROUNDS);
    kit_ok(catalog_tidy(fx->catalog, &error));
    atomic_store(&fixture_syncs_really, false);
    checkpoints(&series, ROUNDS, "a checkpoint without its sync");
    atomic_store(&fixture_syncs_really, true);
    struct checkpoint cp = checkpoint_of(run.id, &series.grant, series.number + 1);
    cp.last = true;
    unsigned before = atomic_load(&fixture_syncs);
    kit_ok(catalog_checkpoint(fx->catalog, &cp, &error));
    assert_int_equal(atomic_load(&fixture_syncs) - before, 1);
}

/* What a worker does that nobody tidies up for: once in a few hundred checkpoints it has to do it itself. */
static void a_log_that_nobody_tidies_costs_little(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, PARTS);
    struct series series = {.catalog = fx->catalog, .run = run.id, .grant = fixture_grant(fx, run.id, 1, "one")};
    unsigned taken = 0;
    atomic_store(&fixture_syncs_really, false);
    for (int i = 0; i < 20; i++)
        taken += checkpoints(&series, ROUNDS, i == 19 ? "a checkpoint without its sync, nobody tidies" : NULL);
    atomic_store(&fixture_syncs_really, true);
    print_message("# %u syncs for %d checkpoints\n", taken, 20 * ROUNDS);
    assert_in_range(taken, 20 * ROUNDS, 20 * ROUNDS * 105 / 100);
}

static void looks_and_grants_do_not_count_rows(void **state)
{
    GError *error = NULL;
    struct fixture *fx = *state;
    int64_t open_us[ROUNDS], grant_us[ROUNDS], status_us[ROUNDS], wish_us[ROUNDS];
    atomic_store(&fixture_syncs_really, false); /* what is ours; a grant has one sync besides */
    int64_t begin_us = now_us();
    struct run_row run = fixture_run(fx, PARTS);
    print_message("# a run of %d partitions made: %ld us\n", PARTS, (long)(now_us() - begin_us));
    for (size_t i = 0; i < ROUNDS; i++) {
        struct catalog *catalog;
        struct stage_row *stages;
        struct wish wish;
        size_t n;
        begin_us = now_us();
        kit_ok(catalog_open(&catalog, world_real(), fx->home, CATALOG_EXISTING, &error));
        open_us[i] = now_us() - begin_us;
        struct grant_wish want = {.run = run.id, .stage = i % 2 ? 1 : UINT32_MAX, .holder = "me"};
        struct grant grant;
        kit_ok(catalog_grant(catalog, &want, fx->mem, &grant, &error));
        grant_us[i] = now_us() - begin_us;
        begin_us = now_us();
        kit_ok(catalog_run_get(catalog, "fix", fx->mem, &run, &error));
        kit_ok(catalog_stages(catalog, run.id, fx->mem, &stages, &n, &error));
        status_us[i] = now_us() - begin_us;
        begin_us = now_us();
        kit_ok(catalog_wish_next(catalog, run.id, fx->mem, &wish, &error));
        wish_us[i] = now_us() - begin_us;
        catalog_free(catalog);
    }
    atomic_store(&fixture_syncs_really, true);
    assert_int_equal(run.parts[PART_RUNNING], ROUNDS);
    tell("opening", open_us, ROUNDS);
    tell("opening and a grant, without its sync", grant_us, ROUNDS);
    tell("what status asks", status_us, ROUNDS);
    tell("a look for wishes", wish_us, ROUNDS);
}

/* --- several workers
 * --------------------------------------------------------------------------------------------------- */

struct hand {
    const char *home;
    int64_t run;
    uint32_t n;
    int64_t us[ROUNDS];
    char *fault;
};

static gpointer work(gpointer data)
{
    GError *error = NULL;
    struct hand *hand = data;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct grant_wish want = {.run = hand->run, .stage = 1, .holder = "me"};
    struct grant grant;
    bool ok = catalog_open(&catalog, world_real(), hand->home, CATALOG_EXISTING, &error) &&
              catalog_grant(catalog, &want, mem, &grant, &error);
    for (size_t i = 0; ok && i < ROUNDS; i++) {
        struct checkpoint cp = checkpoint_of(hand->run, &grant, i + 1);
        int64_t begin_us = now_us();
        ok = catalog_checkpoint(catalog, &cp, &error);
        hand->us[i] = now_us() - begin_us;
    }
    hand->fault = error ? g_strdup(error->message) : NULL;
    g_clear_error(&error);
    return NULL;
}

static void workers_wait_for_each_other_only_briefly(void **state)
{
    struct fixture *fx = *state;
    struct run_row run = fixture_run(fx, PARTS);
    static struct hand hands[WORKERS];
    GThread *threads[WORKERS];
    int64_t begin_us = now_us();
    for (uint32_t i = 0; i < WORKERS; i++) {
        hands[i] = (struct hand){.home = fx->home, .run = run.id, .n = i};
        threads[i] = g_thread_new("worker", work, &hands[i]);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        g_thread_join(threads[i]);
    print_message("# %d workers, %d checkpoints each: %ld us in all\n", WORKERS, ROUNDS, (long)(now_us() - begin_us));
    for (uint32_t i = 0; i < WORKERS; i++) {
        if (hands[i].fault)
            print_error("%s\n", hands[i].fault);
        assert_null(hands[i].fault);
        tell("a checkpoint among four workers", hands[i].us, ROUNDS);
    }
}

int main(void)
{
    atomic_store(&fixture_syncs_really, true);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_checkpoint_is_one_sync, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_log_that_nobody_tidies_costs_little, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(looks_and_grants_do_not_count_rows, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(workers_wait_for_each_other_only_briefly, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
