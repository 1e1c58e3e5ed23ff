/* When what a run leaves may go. */
#include <errno.h>

#include "kit/scene.h"
#include "plan/home.h"
#include "run/prune.h"
#include "run/retain.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_time_and_reports_never_go_before_what_needs_them),
        cmocka_unit_test(what_a_run_with_a_key_leaves_is_sealed_and_read_again),
        cmocka_unit_test(whichever_call_fails_what_is_due_is_gone_or_it_is_told),
        cmocka_unit_test(what_a_run_needs_that_is_planned_meanwhile_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
