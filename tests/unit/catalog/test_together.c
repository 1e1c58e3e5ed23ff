#include "fixture.h"

#include "catalog/together.h"

/* One of several threads that come at once. */
struct comer {
    GThread *thread;
    struct catalog_together *together;
    struct catalog_entry entry;
    struct checkpoint checkpoint;
    struct grant_wish wish;
    struct grant grant;
    struct arena *mem;
    GError *error;
    bool ok;
};

static gpointer come(gpointer data)
{
    struct comer *comer = data;
    comer->ok = catalog_together_commit(comer->together, &comer->entry, &comer->error);
    return NULL;
}

/* A crowd comes while the first transaction stands just before its commit: who of it is behind the door goes together.
 */
enum { CROWD = 6 };

struct crowd {
    struct fixture *fx;
    struct catalog_together together;
    struct comer comers[CROWD];
    struct world world;
    atomic_uint commits;
    int64_t run;
};

static void at_the_door(void *self, const char *name)
{
    struct crowd *crowd = self;
    if (strcmp(name, "catalog.commit") != 0 || atomic_fetch_add(&crowd->commits, 1) > 0)
        return;
    for (int i = 0; i < CROWD; i++)
        crowd->comers[i].thread = g_thread_new("comer", come, &crowd->comers[i]);
    while (catalog_together_waiting(&crowd->together) < CROWD)
        g_thread_yield();
}

static void crowd_init(struct crowd *crowd, struct fixture *fx)
{
    *crowd = (struct crowd){.fx = fx, .run = fixture_run(fx, 2 * CROWD).id};
    catalog_together_init(&crowd->together);
    crowd->world = *world_real();
    crowd->world.point = at_the_door;
    crowd->world.point_self = crowd;
    for (int i = 0; i < CROWD; i++) {
        struct comer *comer = &crowd->comers[i];
        struct grant grant = fixture_grant(fx, crowd->run, UINT32_MAX, "one");
        *comer = (struct comer){.together = &crowd->together};
        comer->mem = arena_new(1 << 20);
        comer->checkpoint = fixture_checkpoint(crowd->run, &grant, 1);
        comer->entry.checkpoint = &comer->checkpoint;
    }
}

static void crowd_wants_grant(struct crowd *crowd, int i)
{
    struct comer *comer = &crowd->comers[i];
    comer->wish = (struct grant_wish){.run = crowd->run, .stage = UINT32_MAX, .holder = "one"};
    comer->entry = (struct catalog_entry){.wish = &comer->wish, .mem = comer->mem, .ret = &comer->grant};
}

static void crowd_comes(struct crowd *crowd)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct grant grant;
    struct grant_wish wish = {.run = crowd->run, .stage = UINT32_MAX, .holder = "one"};
    struct catalog_entry entry = {.wish = &wish, .mem = mem, .ret = &grant};
    kit_ok(catalog_together_open(&crowd->together, &crowd->world, crowd->fx->home, &error));
    kit_ok(catalog_together_commit(&crowd->together, &entry, &error));
    for (int i = 0; i < CROWD; i++)
        g_thread_join(crowd->comers[i].thread);
}

static void crowd_done(struct crowd *crowd)
{
    for (int i = 0; i < CROWD; i++) {
        arena_free(crowd->comers[i].mem);
        g_clear_error(&crowd->comers[i].error);
    }
    catalog_together_done(&crowd->together);
}

static void those_that_wait_share_one_transaction(void **state)
{
    struct fixture *fx = *state;
    struct crowd crowd;
    crowd_init(&crowd, fx);
    crowd_wants_grant(&crowd, 2);
    crowd_comes(&crowd);
    assert_int_equal(atomic_load(&crowd.commits), 2);
    for (int i = 0; i < CROWD; i++)
        assert_true(crowd.comers[i].ok);
    assert_int_equal(crowd.comers[2].grant.part.part, CROWD + 1);
    assert_int_equal(crowd.comers[2].grant.part.lane, 1);
    fixture_rows_are(fx, "SELECT count(*), sum(n_written) FROM checkpoint", "5|45\n");
    fixture_rows_are(fx, "SELECT n_written, bytes_read FROM run_total", "45|5000\n");
    crowd_done(&crowd);
}

static void one_that_is_refused_takes_none_with_it(void **state)
{
    struct fixture *fx = *state;
    struct crowd crowd;
    crowd_init(&crowd, fx);
    crowd.comers[3].checkpoint.lane = 7;
    crowd_wants_grant(&crowd, 4);
    crowd_comes(&crowd);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(crowd.comers[i].ok, i != 3);
    GError *error = g_steal_pointer(&crowd.comers[3].error);
    kit_refused(crowd.comers[3].ok, FENCED, "another holder has taken it over (lane 1, ours is 7)");
    assert_int_equal(crowd.comers[4].grant.part.part, CROWD + 1);
    assert_int_equal(crowd.comers[4].grant.part.lane, 1);
    fixture_rows_are(fx, "SELECT count(*) FROM checkpoint", "4\n");
    fixture_rows_are(fx, "SELECT n_written FROM run_total", "36\n");
    crowd_done(&crowd);
}

static void at_a_commit(void *self, const char *name)
{
    if (strcmp(name, "catalog.commit") == 0)
        atomic_fetch_add((atomic_uint *)self, 1);
}

static void who_has_taken_the_catalog_is_alone_with_it(void **state)
{
    struct fixture *fx = *state;
    struct crowd crowd;
    GError *error = NULL;
    crowd_init(&crowd, fx);
    crowd.world.point = at_a_commit;
    crowd.world.point_self = &crowd.commits;
    kit_ok(catalog_together_open(&crowd.together, &crowd.world, fx->home, &error));
    struct catalog *taken = catalog_together_take(&crowd.together);
    crowd_wants_grant(&crowd, 0);
    crowd.comers[0].thread = g_thread_new("comer", come, &crowd.comers[0]);
    while (catalog_together_waiting(&crowd.together) == 0 && atomic_load(&crowd.commits) == 0)
        g_thread_yield();
    assert_int_equal(atomic_load(&crowd.commits), 0);
    uint64_t first;
    kit_ok(catalog_sequences_take(taken, crowd.run, 1, &first, &error));
    assert_int_equal(catalog_together_waiting(&crowd.together), 1);
    catalog_together_give(&crowd.together);
    g_thread_join(crowd.comers[0].thread);
    assert_true(crowd.comers[0].ok);
    assert_int_equal(atomic_load(&crowd.commits), 2);
    crowd_done(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(those_that_wait_share_one_transaction, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(who_has_taken_the_catalog_is_alone_with_it, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(one_that_is_refused_takes_none_with_it, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
