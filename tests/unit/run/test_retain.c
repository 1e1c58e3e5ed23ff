/* When what a run leaves may go. */
#include <errno.h>

#include "kit/scene.h"
#include "plan/home.h"
#include "plan/keyring.h"
#include "run/prune.h"
#include "run/retain.h"
#include "unit/run/runs.h"

static void each_has_its_time_and_reports_never_go_before_what_needs_them(void **state)
{
    static const struct {
        struct spec_retain retain;
        int64_t over_ms, undo, quarantine, reports;
    } ROWS[] = {
        {{0, 0, 0}, 1000, 0, 0, 0},                            /* no word: for ever */
        {{7, 30, 90}, 0, 0, 0, 0},                             /* not at its end */
        {{7, 30, 90}, 1000, 1007, 1030, 1090},                 /* each its own */
        {{7, 30, 1}, 1000, 1007, 1030, 1030},                  /* the quarantine needs them */
        {{70, 30, 1}, 1000, 1070, 1030, 1070},                 /* the undo log does */
        {{7, 0, 0}, 1000, 1007, 0, 0},                         /* one alone */
        {{0, 0, 90}, 1000, 0, 0, 0},                           /* needed for ever */
        {{7, 0, 90}, 1000, 1007, 0, 0},                        /* so too */
        {{INT64_MAX, 1, 1}, 1000, INT64_MAX, 1001, INT64_MAX}, /* further than time goes */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct retain_times times = retain_times(&ROWS[i].retain, ROWS[i].over_ms);
        assert_int_equal(times.at_ms[EXPIRY_UNDO], ROWS[i].undo);
        assert_int_equal(times.at_ms[EXPIRY_QUARANTINE], ROWS[i].quarantine);
        assert_int_equal(times.at_ms[EXPIRY_REPORTS], ROWS[i].reports);
    }
}

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "retain: { undo: 1h, quarantine: 1h, reports: 1h }\n";
static const char LUA[] = "function transform(doc, ctx)\n  if doc.n == 3 then return ctx.reject('three') end\n"
                          "  doc.times = 1\n  return doc\nend\n";

/* Sealed by keys of its own, which the home has: whoever takes it up finds them there. */
static void what_a_run_with_a_key_leaves_is_sealed_and_read_again(void **state)
{
    struct scene scene;
    struct ended ended;
    struct verify_result found;
    g_autofree char *bytes = NULL;
    gsize len;
    g_auto(GStrv) halves = g_strsplit(SPEC, "1h }", 2);
    g_autofree char *spec = g_strjoin("1h, key: \"${file:key}\" }", halves[0], halves[1], NULL);
    scene_init(&scene, spec, LUA);
    scene_file(&scene, "key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    scene_put(&scene, "items", "secret-one", "{\"n\":1}");
    scene_put(&scene, "items", "secret-three", "{\"n\":3}");
    scene_ran(&scene, 8);
    g_autofree char *refused = home_path(scene.home, HOME_QUARANTINE, "job.1");
    assert_true(g_file_get_contents(refused, &bytes, &len, NULL));
    assert_null(memmem(bytes, len, "secret", strlen("secret")));
    assert_int_equal(scene_refusals(&scene), 1);
    scene_verify(&scene, &found);
    assert_int_equal(found.of[VERIFY_DIFFERING], 0);
    verify_result_done(&found);
    scene_back(&scene, &ended);
    if (ended.status != 0)
        fail_msg("%s", ended.text);
    ended_done(&ended);
    scene_holds(&scene, "items", "secret-one", "{\"n\":1}");
    scene_done(&scene);
}

/* Its quarantine has expired, and the key by which that was sealed: the rest of it needs neither. */
static void a_sealed_run_is_taken_back_without_what_has_expired_of_it(void **state)
{
    struct scene scene;
    struct prune_result result = {0};
    GError *error = NULL;
    g_auto(GStrv) halves = g_strsplit(SPEC, "undo: 1h, quarantine: 1h, reports: 1h }", 2);
    g_autofree char *spec =
        g_strjoin("undo: 9h, quarantine: 1h, reports: 9h, key: \"${file:key}\" }", halves[0], halves[1], NULL);
    scene_init(&scene, spec, LUA);
    scene_file(&scene, "key", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
    scene_put(&scene, "items", "one", "{\"n\":1}");
    scene_put(&scene, "items", "three", "{\"n\":3}");
    scene_ran(&scene, 8);
    scene.fake.wall_ms += INT64_C(2) * 3600 * 1000;
    struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
    struct run_config config = scene_config(&scene, registry);
    kit_ok(run_prune(&config, false, &result, &error));
    store_registry_free(registry);
    assert_int_equal(result.n, 1);
    assert_int_equal(result.items[0].what, EXPIRY_QUARANTINE);
    assert_null(result.items[0].kept);
    prune_result_done(&result);
    keyring_free(scene.keyring); /* another process has none of its keys yet */
    scene.fake.world.seals_self = scene.keyring = keyring_new(&scene.fake.world, scene.home);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "one", "{\"n\":1}");
    scene_done(&scene);
}

static void run_that_is_due(struct scene *scene, struct scene_kept *ret)
{
    scene_init(scene, SPEC, LUA);
    for (int i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(scene, "items", key, json);
    }
    scene_ran(scene, 8);
    scene->fake.wall_ms += INT64_C(2) * 3600 * 1000;
    scene_keep(scene, ret);
    scene_done(scene);
}

/* *ret_kept: of what was due something stays, and it is said why. */
static bool prune(struct scene *scene, uint64_t nth, bool *ret_kept, GError **error)
{
    struct prune_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    fake_world_arm(&scene->fake, (struct fake_fault){.nth = nth, .number = EIO});
    bool ok = run_prune(&config, false, &result, error);
    *ret_kept = ok && result.n == 0;
    for (size_t i = 0; ok && i < result.n; i++)
        *ret_kept |= result.items[i].kept != NULL;
    prune_result_done(&result);
    store_registry_free(registry);
    return ok;
}

static bool is_gone(struct scene *scene)
{
    g_autofree char *undo = home_path(scene->home, HOME_UNDO, "job.1"),
                    *refused = home_path(scene->home, HOME_QUARANTINE, "job.1");
    g_autofree char *manifest = g_build_filename(undo, "MANIFEST", NULL);
    return !g_file_test(manifest, G_FILE_TEST_EXISTS) && !g_file_test(refused, G_FILE_TEST_EXISTS);
}

/* Whoever is told that it has gone must be able to rely on it; what a failure left goes with the next one. */
static void whichever_call_fails_what_is_due_is_gone_or_it_is_told(void **state)
{
    struct scene scene;
    struct scene_kept kept;
    bool fired = true;
    run_that_is_due(&scene, &kept);
    for (uint64_t nth = 1; fired; nth++) {
        g_autoptr(GError) error = NULL;
        scene_again(&scene, &kept);
        bool kept_back, ok = prune(&scene, nth, &kept_back, &error);
        fired = scene.fake.fired > 0;
        if (ok ? !is_gone(&scene) && !kept_back : !fired || !error)
            fail_msg("call %" PRIu64 ": %s", nth, ok ? "told as gone" : "failed without a reason");
        g_clear_error(&error);
        kit_ok(prune(&scene, 0, &kept_back, &error));
        assert_true(is_gone(&scene));
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

struct plans {
    struct scene scene; /* first: the world's clock has it as its self */
    bool planned;
};

/* As the first run's time is over, somebody plans one that supersedes the second. */
static void on_point(void *self, const char *name)
{
    struct plans *plans = self;
    if (plans->planned || strcmp(name, "prune.expire") != 0)
        return;
    plans->planned = true;
    scene_file(&plans->scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 3\n  return doc\nend\n");
    plans->scene.supersede = "job.2";
    scene_plan(&plans->scene);
}

static void what_a_run_needs_that_is_planned_meanwhile_is_kept(void **state)
{
    struct plans plans = {0};
    struct scene *scene = &plans.scene;
    GError *error = NULL;
    bool kept = false;
    scene_init(scene, SPEC, LUA);
    scene_put(scene, "items", "k", "{\"n\":1}");
    scene_ran(scene, 0);
    scene_file(scene, "t.lua", "function transform(doc, ctx)\n  doc.times = 2\n  return doc\nend\n");
    scene->run = "job.2";
    scene_ran(scene, 0);
    scene->fake.wall_ms += INT64_C(2) * 3600 * 1000;
    scene->fake.world.point = on_point;
    scene->fake.world.point_self = &plans;
    kit_ok(prune(scene, 0, &kept, &error));
    assert_true(plans.planned && kept);
    g_autofree char *undo = home_path(scene->home, HOME_UNDO, "job.2");
    g_autofree char *manifest = g_build_filename(undo, "MANIFEST", NULL);
    assert_true(g_file_test(manifest, G_FILE_TEST_EXISTS));
    scene_done(scene);
}

/* --- who is needed, and when the next is due ---------------------------------------------------------------------- */

#define HOUR_MS                   (INT64_C(3600) * 1000)
#define FROM(store, more)         "{\"source\":{\"store\":\"" store "\"}" more "}"
#define KEPT(undo, refused, rest) FROM("mem:s", KEEPS(undo, refused, rest))
#define KEEPS(undo, refused, rest)                                                                                     \
    ",\"retain\":{\"undo_ms\":" undo ",\"quarantine_ms\":" refused ",\"reports_ms\":" rest "}"
#define RETRIES(run)                                                                                                   \
    ",\"retries\":{\"run\":\"" run "\",\"rows\":1,\"digest\":"                                                         \
    "\"0000000000000000000000000000000000000000000000000000000000000000\",\"asked\":1,\"gone\":0}"

static struct run_row put(struct runs *runs, const char *plan, enum run_state state)
{
    struct runs_new made = {.spec = "job", .plan = plan, .state = state};
    return runs_put(runs, &made);
}

static void pruned(struct runs *runs, struct prune_result *ret)
{
    GError *error = NULL;
    struct run_config config = {.world = &runs->fake.world, .home = runs->home, .act = {.actor = "ann@desk"}};
    kit_ok(run_prune(&config, false, ret, &error));
}

static void what_an_open_run_needs_is_kept_and_it_is_said_which(void **state)
{
    static const struct {
        const char *plan;
        enum run_state state;
        bool needs;
    } ROWS[] = {
        {FROM("mem:s", ""), RUN_PAUSED, false},
        {FROM("undo:job.1", ""), RUN_PAUSED, true},
        {FROM("undo:../other/undo/job.1", ""), RUN_PAUSED, true}, /* rather one too many */
        {FROM("undo:job.7", ""), RUN_PAUSED, false},
        {FROM("undo:job.1", ""), RUN_DONE, false},
        {FROM("mem:s", ",\"supersedes\":\"job.1\""), RUN_PAUSED, true},
        {FROM("mem:s", ",\"supersedes\":\"job.7\""), RUN_PAUSED, false},
        {FROM("mem:s", RETRIES("job.1")), RUN_PAUSED, true},
        {FROM("mem:s", RETRIES("job.7")), RUN_PAUSED, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        void *home;
        struct prune_result result;
        assert_int_equal(runs_setup(&home), 0);
        struct runs *runs = home;
        put(runs, KEPT("3600000", "3600000", "3600000"), RUN_DONE);
        put(runs, ROWS[i].plan, ROWS[i].state);
        runs->fake.wall_ms += 2 * HOUR_MS;
        pruned(runs, &result);
        assert_int_equal(result.n, EXPIRY_COUNT);
        for (size_t k = 0; k < result.n; k++)
            if (g_strcmp0(result.items[k].kept, ROWS[i].needs ? "job.2 needs it" : NULL) != 0)
                fail_msg("row %zu, %zu: kept for '%s'", i, k, result.items[k].kept);
        prune_result_done(&result);
        runs_teardown(&home);
    }
}

static void the_next_that_is_due_is_the_first_of_all_runs(void **state)
{
    struct runs *runs = *state;
    struct prune_result result;
    int64_t over_ms = runs->fake.wall_ms;
    put(runs, KEPT("18000000", "14400000", "18000000"), RUN_DONE); /* 5, 4 and 5 hours */
    put(runs, KEPT("10800000", "21600000", "21600000"), RUN_DONE); /* 3, 6 and 6 */
    put(runs, KEPT("3600000", "3600000", "3600000"), RUN_DONE);    /* due */
    put(runs, FROM("mem:s", ""), RUN_DONE);                        /* for ever */
    runs->fake.wall_ms += 2 * HOUR_MS;
    pruned(runs, &result);
    assert_int_equal(result.n, EXPIRY_COUNT);
    assert_in_range(result.next_ms, over_ms + 3 * HOUR_MS, over_ms + 3 * HOUR_MS + 60000);
    prune_result_done(&result);
}

struct turning {
    struct runs *runs;
    struct run_row run;
    bool turned;
};

/* As another run's time is over, somebody begins to take this one back. */
static void turn(void *self, const char *name)
{
    GError *error = NULL;
    struct turning *turning = self;
    if (turning->turned || strcmp(name, "prune.expire") != 0)
        return;
    turning->turned = true;
    struct run_move move = {
        .run = turning->run.id, .from = RUN_DONE, .to = RUN_ROLLING_BACK, .act = {.actor = "bob@desk"}};
    kit_ok(catalog_run_move(turning->runs->catalog, &move, &error));
}

/* Of which somebody had begun to remove another part, and died. */
static void what_a_run_left_that_is_taken_back_by_now_stays(void **state)
{
    GError *error = NULL;
    struct runs *runs = *state;
    struct prune_result result;
    struct expiries expiries;
    struct turning turning = {.runs = runs};
    put(runs, KEPT("3600000", "3600000", "3600000"), RUN_DONE);
    turning.run = put(runs, KEPT("3600000", "3600000", "3600000"), RUN_DONE);
    runs->fake.wall_ms += 2 * HOUR_MS;
    kit_ok(
        catalog_expire(runs->catalog, turning.run.id, EXPIRY_QUARANTINE, &(struct act){.actor = "ann@desk"}, &error));
    runs->fake.world.point = turn;
    runs->fake.world.point_self = &turning;
    pruned(runs, &result);
    assert_true(turning.turned);
    assert_int_equal(result.n, EXPIRY_COUNT);
    for (size_t i = 0; i < result.n; i++)
        assert_string_equal(result.items[i].run, "job.1");
    kit_ok(catalog_expiries(runs->catalog, turning.run.id, &expiries, &error));
    assert_int_equal(expiries.of[EXPIRY_UNDO].at_ms, 0);
    prune_result_done(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_time_and_reports_never_go_before_what_needs_them),
        cmocka_unit_test(what_a_run_with_a_key_leaves_is_sealed_and_read_again),
        cmocka_unit_test(a_sealed_run_is_taken_back_without_what_has_expired_of_it),
        cmocka_unit_test(whichever_call_fails_what_is_due_is_gone_or_it_is_told),
        cmocka_unit_test(what_a_run_needs_that_is_planned_meanwhile_is_kept),
        cmocka_unit_test(what_an_open_run_needs_is_kept_and_it_is_said_which),
        cmocka_unit_test_setup_teardown(the_next_that_is_due_is_the_first_of_all_runs, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(what_a_run_left_that_is_taken_back_by_now_stays, runs_setup, runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
