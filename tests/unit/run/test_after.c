/* Who waits for whom, through however many others: each of them is asked once. */
#include "kit/scene.h"
#include "run/after.h"
#include "unit/run/runs.h"

enum { LEVELS = 40, SPECS = 2 }; /* a way through them at each: 2^40 ways */

/* Both of each level wait for both of the next; those of the last one for what is said of it. */
static void put_ladder(struct runs *runs, const char *last)
{
    for (int level = 0; level < LEVELS; level++)
        for (int i = 0; i < SPECS; i++) {
            g_autofree char *spec = g_strdup_printf("level-%d-%d", level, i);
            g_autofree char *plan =
                level + 1 < LEVELS
                    ? g_strdup_printf("{\"after\": [\"level-%d-0\", \"level-%d-1\"]}", level + 1, level + 1)
                    : g_strdup(last);
            runs_put(runs, &(struct runs_new){.spec = spec, .plan = plan});
        }
}

static bool wait_after_the_first_level(struct runs *runs, GError **error)
{
    const char *after[] = {"level-0-0", "level-0-1"};
    struct run_config config = {.world = &runs->fake.world, .home = runs->home, .exit_on_pause = true};
    struct spec spec = {.name = "top", .after = after, .n_after = G_N_ELEMENTS(after)};
    return after_wait(&config, runs->catalog, &spec, error);
}

static void of_many_that_wait_for_the_same_each_is_asked_once(void **state)
{
    GError *error = NULL;
    put_ladder(*state, "{}");
    kit_refused(wait_after_the_first_level(*state, &error), PAUSED, "waits for level-0-0: level-0-0.1 is planned");
}

static void a_circle_is_found_at_the_end_of_all_of_them(void **state)
{
    GError *error = NULL;
    put_ladder(*state, "{\"after\": [\"top\"]}");
    kit_refused(wait_after_the_first_level(*state, &error), REFUSED,
                "top would wait for level-0-0.1, which waits for top");
}

/* Whom they wait for, as the runs of the home stand; of each spec one. */
struct stand {
    struct runs_new runs[4];
    const char *said; /* of why it does not begin; NULL: it does */
    enum error_code code;
};

#define LAST "{\"after\": [\"b\"]}"
static const struct stand STANDS[] = {
    {{{"a", "{}", .state = RUN_DONE}, {"b", "{}", .state = RUN_DONE}}},
    {{{"a", "{}", .state = RUN_PLANNED}, {"b", "{}", .state = RUN_DONE}}, "a.1 is planned", SLUICE_ERROR_PAUSED},
    {{{"a", "{}", .state = RUN_DONE}, {"b", "{}", .state = RUN_RUNNING}}, "b.1 is running", SLUICE_ERROR_PAUSED},
    {{{"a", "{}", .state = RUN_DONE}}, "waits for b, of which there is no run in this home", SLUICE_ERROR_PAUSED},
    {{{"a", "{}", .state = RUN_DONE}, {"b", "{}", .state = RUN_DONE}, {"b", "{}", .state = RUN_HALTED}},
     "b.2 is halted",
     SLUICE_ERROR_PAUSED}, /* the newest is meant */
    /* Others that it would wait for through them: none, done, and one that waits for itself. */
    {{{"a", "{\"after\": [\"none\", \"b\"]}"}, {"b", "{}", .state = RUN_DONE}}, "a.1 is planned", SLUICE_ERROR_PAUSED},
    {{{"a", LAST}, {"b", LAST}}, "a.1 is planned", SLUICE_ERROR_PAUSED},
    {{{"a", "{\"after\": [\"c\", \"b\"]}"}, {"c", "{\"after\": [\"top\"]}"}, {"b", "none"}},
     "a.1, which waits for top",
     SLUICE_ERROR_REFUSED}, /* what is found is not forgotten over what comes behind it */
    {{{"a", "{\"after\": [\"b\", \"c\"]}"}, {"c", "{}"}, {"b", "none"}}, "b.1: its frozen plan", SLUICE_ERROR_CORRUPT},
    {{{"a", "none"}}, "a.1: its frozen plan", SLUICE_ERROR_CORRUPT},
    {{{"a", "none", .state = RUN_ABORTED}}, "a.1 is aborted", SLUICE_ERROR_PAUSED},
};

static bool wait_for_both(struct runs *runs, bool exits, GError **error)
{
    const char *after[] = {"a", "b"};
    struct run_config config = {.world = &runs->fake.world, .home = runs->home, .exit_on_pause = exits};
    struct spec spec = {.name = "top", .after = after, .n_after = G_N_ELEMENTS(after)};
    return after_wait(&config, runs->catalog, &spec, error);
}

static void all_of_them_have_to_be_done_and_none_may_wait_for_it(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(STANDS); i++) {
        const struct stand *stand = &STANDS[i];
        GError *error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        for (size_t k = 0; k < G_N_ELEMENTS(stand->runs) && stand->runs[k].spec; k++)
            runs_put(own, &stand->runs[k]);
        bool ok = wait_for_both(own, true, &error);
        if (ok != !stand->said || (!ok && (!error_is(error, stand->code) || !strstr(error->message, stand->said))))
            fail_msg("row %zu: %s", i, error ? error->message : "it does not wait");
        g_clear_error(&error);
        runs_teardown(&own);
    }
}

/* Each of them is not done, and does not come to be so by waiting: whoever waits is told at once. */
static void for_one_that_needs_a_person_nobody_waits(void **state)
{
    static const enum run_state STATES[] = {RUN_PAUSED, RUN_HALTED, RUN_FAILED, RUN_ABORTED, RUN_ROLLED_BACK};
    for (size_t i = 0; i < G_N_ELEMENTS(STATES); i++) {
        GError *error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct run_row row = runs_put(runs, &(struct runs_new){.spec = "a", .plan = "{}", .state = STATES[i]});
        int64_t began_us = runs->fake.now_us;
        kit_refused(wait_for_both(runs, false, &error), PAUSED, run_state_word(row.state));
        assert_int_equal(runs->fake.now_us, began_us);
        runs_teardown(&own);
    }
}

/* While it waits the world goes on: done, damaged, or somebody has enough of it. */
struct waiting {
    struct runs *runs;
    struct run_row others[2];
    const char *what;
    atomic_int signals;
    unsigned told;
};

static void while_it_waits(void *self, const struct run_event *event)
{
    struct waiting *waiting = self;
    struct runs *runs = waiting->runs;
    assert_non_null(strstr(event->text, "waits for a: a.1 is running"));
    if (waiting->told++ == 0)
        return;
    if (g_str_equal(waiting->what, "signal"))
        atomic_store(&waiting->signals, 1);
    else if (g_str_equal(waiting->what, "done"))
        runs_go(runs, &waiting->others[0], RUN_DONE);
    else
        runs_put(runs, &(struct runs_new){.spec = "a", .plan = "none"});
}

static bool wait_until(struct runs *runs, const char *what, bool told, GError **error)
{
    const char *after[] = {"a"};
    struct waiting waiting = {.runs = runs, .what = what};
    struct run_config config = {.world = &runs->fake.world,
                                .home = runs->home,
                                .signals = &waiting.signals,
                                .event = told ? while_it_waits : NULL,
                                .event_self = &waiting};
    struct spec spec = {.name = "top", .after = after, .n_after = G_N_ELEMENTS(after)};
    waiting.others[0] = runs_put(runs, &(struct runs_new){.spec = "a", .plan = "{}", .state = RUN_RUNNING});
    atomic_store(&waiting.signals, told ? 0 : 1); /* somebody had enough of it before it began */
    return after_wait(&config, runs->catalog, &spec, error);
}

static void it_waits_until_they_are_done_or_somebody_has_enough(void **state)
{
    static const struct {
        const char *what, *said;
        enum error_code code;
        bool told;
    } ROWS[] = {
        {"done", NULL, 0, true},
        {"signal", "top waits for a: a.1 is running; interrupted: nothing is planned yet", SLUICE_ERROR_INTERRUPTED,
         true},
        {"signal", "interrupted: nothing is planned yet", SLUICE_ERROR_INTERRUPTED, false},
        {"damage", "a.2: its frozen plan cannot be read", SLUICE_ERROR_CORRUPT, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        bool ok = wait_until(own, ROWS[i].what, ROWS[i].told, &error);
        if (ok != !ROWS[i].said || (!ok && (!error_is(error, ROWS[i].code) || !strstr(error->message, ROWS[i].said))))
            fail_msg("row %zu: %s", i, error ? error->message : "it went on");
        runs_teardown(&own);
    }
}

/* --- of a run ----------------------------------------------------------------------------------------------------- */

#define WAITS                                                                                                          \
    "sluice: 1\nname: job\nafter: [a]\nsource: { store: \"mem:s\", dataset: items }\n"                                 \
    "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"

/* A run that was planned when `a` was done, which is running once more by now. */
struct planned {
    struct scene scene; /* first: what happens is told of it */
    struct runs runs;   /* of the scene's home */
    struct run_row other;
    const char *what; /* happens while it waits */
    atomic_int signals;
};

static void while_its_run_waits(struct scene *scene, const struct run_event *event)
{
    struct planned *planned = (struct planned *)scene;
    if (event->kind != RUN_EVENT_PROGRESS || !planned->what || !strstr(event->text, "waits for a"))
        return;
    if (g_str_equal(planned->what, "signal"))
        atomic_store(&planned->signals, 1);
    else if (g_str_equal(planned->what, "done"))
        runs_go(&planned->runs, &planned->other, RUN_DONE);
    else
        runs_put(&planned->runs, &(struct runs_new){.spec = "a", .plan = "none"});
    planned->what = NULL;
}

static void plan_one(struct planned *planned, const char *what)
{
    GError *error = NULL;
    struct scene *scene = &planned->scene;
    *planned = (struct planned){.what = what};
    scene_init(scene, WAITS, "function transform(doc, ctx)\n  doc.times = 1\n  return doc\nend\n");
    scene_put(scene, "items", "k", "{\"times\":0}");
    fake_world_init(&planned->runs.fake);
    planned->runs.mem = arena_new(64u << 20);
    kit_ok(catalog_open(&planned->runs.catalog, &scene->fake.world, scene->home, CATALOG_CREATE, &error));
    runs_put(&planned->runs, &(struct runs_new){.spec = "a", .plan = "{}", .state = RUN_DONE});
    scene_plan(scene);
    planned->other = runs_put(&planned->runs, &(struct runs_new){.spec = "a", .plan = "{}", .state = RUN_RUNNING});
    scene->signals = &planned->signals;
    scene->event = while_its_run_waits;
}

static void planned_done(struct planned *planned)
{
    catalog_free(planned->runs.catalog);
    arena_free(planned->runs.mem);
    scene_done(&planned->scene);
}

static void a_run_that_is_planned_waits_too_before_it_begins(void **state)
{
    static const struct {
        const char *what, *said;
        int status;
        enum run_state becomes;
    } ROWS[] = {
        {"done", NULL, 0, RUN_DONE},
        {"signal", "interrupted", 3, RUN_INTERRUPTED},
        {"damage", "a.3: its frozen plan cannot be read", 6, RUN_WAITING},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct planned planned;
        struct ended ended;
        auto_(arena) mem = arena_new(1 << 20);
        plan_one(&planned, ROWS[i].what);
        scene_run(&planned.scene, &ended);
        if (ended.status != ROWS[i].status || (ROWS[i].said && !strstr(ended.text, ROWS[i].said)))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        assert_int_equal(scene_row(&planned.scene, mem).state, ROWS[i].becomes);
        ended_done(&ended);
        planned_done(&planned);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_many_that_wait_for_the_same_each_is_asked_once, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_circle_is_found_at_the_end_of_all_of_them, runs_setup, runs_teardown),
        cmocka_unit_test(all_of_them_have_to_be_done_and_none_may_wait_for_it),
        cmocka_unit_test(for_one_that_needs_a_person_nobody_waits),
        cmocka_unit_test(it_waits_until_they_are_done_or_somebody_has_enough),
        cmocka_unit_test(a_run_that_is_planned_waits_too_before_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
