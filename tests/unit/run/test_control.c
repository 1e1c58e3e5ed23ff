/* Control from another terminal: what is recorded, what takes effect at once, and what is refused. */
#include "base/hex.h"
#include "base/person.h"
#include "catalog/lock.h"
#include "kit/scene.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "protect: { rate: { max: 1000/s } }\n"
                           "%sstages: [{ name: full, scope: 100%%, gate: { approve: root } }]\n";
static const char MAY[] = "owner: { may: { approve: [root, ops], deny: [ops], pause: [ops], resume: [ops], set: [ops], "
                          "abort: [ops], rollback: [ops] } }\n";

static char *NO_GROUPS[] = {NULL};
static const struct person ROOT = {.user = "root", .groups = NO_GROUPS};

/* A terminal beside the run's, with what came of the last command. */
struct terminal {
    struct scene scene; /* first: the world's clock has it as its self */
    struct store_registry *registry;
    struct run_config config;
    struct run_result result;
    enum run_heard heard;
    struct run_lock *lock; /* of the process that holds the run, where one does */
    bool hears;            /* that process takes wishes */
    bool ends;             /* that process ends without having heard */
    bool is_over;          /* … and the run with it */
    bool yields;           /* somebody else has the last word */
    int64_t slept_us;
};

static void force(struct terminal *at, enum run_state to)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run = scene_row(&at->scene, mem);
    struct run_move move = {.run = run.id, .from = run.state, .to = to, .act = {.actor = "someone@test"}};
    kit_ok(catalog_open(&catalog, &at->scene.fake.world, at->scene.home, CATALOG_EXISTING, &error));
    kit_ok(catalog_run_move(catalog, &move, &error));
}

static void on_sleep(struct scene *scene, int64_t us)
{
    struct terminal *at = (struct terminal *)scene;
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct wish wish;
    at->slept_us += us;
    if (at->is_over && at->lock)
        force(at, RUN_ABORTED);
    if (at->ends)
        g_clear_pointer(&at->lock, run_lock_free);
    if (!at->hears || at->slept_us < 1000000)
        return;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_wish_next(catalog, scene_row(scene, mem).id, mem, &wish, &error));
    if (wish.id)
        kit_ok((at->yields ? catalog_wish_end : catalog_wish_taken)(catalog, wish.id, &error));
}

static void terminal_init(struct terminal *at, const char *may)
{
    g_autofree char *spec = g_strdup_printf(SPEC, may);
    *at = (struct terminal){.hears = true};
    scene_init(&at->scene, spec, "function transform(doc) doc.n = doc.n + 1 return doc end\n");
    at->scene.person = &ROOT;
    at->scene.lifts_nothing = true;
    scene_put(&at->scene, "items", "a", "{\"n\":1}");
    scene_plan(&at->scene);
    at->scene.asleep = on_sleep;
    at->registry = store_registry_new(&at->scene.fake.world, at->scene.ours);
    at->config = scene_config(&at->scene, at->registry);
}

static void terminal_done(struct terminal *at)
{
    run_result_done(&at->result);
    run_lock_free(at->lock);
    store_registry_free(at->registry);
    scene_done(&at->scene);
}

static void begin_command(struct terminal *at)
{
    run_result_done(&at->result);
    at->result = (struct run_result){0};
    at->slept_us = 0;
}

static bool wish(struct terminal *at, enum wish_kind kind, GError **error)
{
    struct run_wish asked = {.kind = kind};
    begin_command(at);
    return run_wish(&at->config, "job.1", &asked, &at->result, &at->heard, error);
}

static bool say(struct terminal *at, bool granted, GError **error)
{
    begin_command(at);
    return run_approve(&at->config, "job.1", granted, &at->result, &at->heard, error);
}

static bool set(struct terminal *at, const char *key, const char *value, GError **error)
{
    struct setting setting = {.key = key, .value = value};
    begin_command(at);
    return run_set(&at->config, "job.1", &(struct run_settings){&setting, 1}, &at->result, &at->heard, error);
}

static bool drop(struct terminal *at, GError **error)
{
    begin_command(at);
    return run_abort(&at->config, "job.1", &at->result, error);
}

/* Another process (here: another open file) holds the run. */
static void hold_it(struct terminal *at)
{
    GError *error = NULL;
    kit_ok(run_lock_take(&at->lock, &at->scene.fake.world, at->scene.home, "job.1", &error));
}

static enum run_state state_of(struct terminal *at)
{
    auto_(arena) mem = arena_new(1 << 20);
    return scene_row(&at->scene, mem).state;
}

/* --- nobody holds the run ----------------------------------------------------------------------------------------- */

static void a_pause_takes_effect_at_once_and_holds_until_it_is_lifted(void **state)
{
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    kit_ok(wish(&at, WISH_PAUSE, &error));
    assert_int_equal(at.heard, RUN_UNHELD);
    assert_int_equal(at.slept_us, 0);
    assert_int_equal(at.result.run.state, RUN_PAUSED);
    kit_refused(wish(&at, WISH_PAUSE, &error), REFUSED, "job.1 is paused already, by someone@test");
    scene_ran(&at.scene, 3);
    scene_ran(&at.scene, 3);
    assert_int_equal(state_of(&at), RUN_PAUSED);
    at.scene.lifts_nothing = false;
    scene_ran(&at.scene, 3); /* at its gate, now */
    assert_int_equal(state_of(&at), RUN_WAITING);
    terminal_done(&at);
}

static void an_end_is_a_command_of_its_own_and_leaves_no_wish_behind(void **state)
{
    static const enum wish_kind KINDS[] = {WISH_ABORT, WISH_ROLLBACK, WISH_RESUME};
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        kit_ok(wish(&at, KINDS[i], &error));
        assert_int_equal(at.heard, RUN_UNHELD);
        assert_int_equal(state_of(&at), RUN_PLANNED);
    }
    scene_ran(&at.scene, 3); /* not aborted by what was said before it began */
    assert_int_equal(state_of(&at), RUN_WAITING);
    terminal_done(&at);
}

static void what_is_over_takes_no_wish_no_word_and_no_limit(void **state)
{
    static const enum wish_kind KINDS[] = {WISH_PAUSE, WISH_RESUME, WISH_ABORT};
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    kit_ok(drop(&at, &error));
    assert_int_equal(state_of(&at), RUN_ABORTED);
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++)
        kit_refused(wish(&at, KINDS[i], &error), REFUSED, "job.1 is aborted");
    kit_ok(wish(&at, WISH_ROLLBACK, &error)); /* by a command of its own */
    assert_int_equal(at.heard, RUN_UNHELD);
    kit_refused(say(&at, true, &error), REFUSED, "no stage of it waits for an approval");
    kit_refused(set(&at, "workers", "2", &error), REFUSED, "nothing is left to limit");
    kit_refused(drop(&at, &error), REFUSED, "job.1 is aborted: it cannot be aborted");
    terminal_done(&at);
}

static void a_run_that_there_is_not_is_named_with_the_nearest(void **state)
{
    GError *error = NULL;
    struct terminal at;
    struct run_wish asked = {.kind = WISH_PAUSE};
    struct setting setting = {.key = "workers", .value = "2"};
    terminal_init(&at, "");
    kit_refused(run_wish(&at.config, "jbo.1", &asked, &at.result, &at.heard, &error), NOT_FOUND, "'job.1'");
    run_result_done(&at.result);
    kit_refused(run_approve(&at.config, "jbo", true, &at.result, &at.heard, &error), NOT_FOUND, "'job'");
    run_result_done(&at.result);
    kit_refused(run_set(&at.config, "jbo.1", &(struct run_settings){&setting, 1}, &at.result, &at.heard, &error),
                NOT_FOUND, "'job.1'");
    run_result_done(&at.result);
    kit_refused(run_abort(&at.config, "jbo.1", &at.result, &error), NOT_FOUND, "'job.1'");
    at.result = (struct run_result){0};
    terminal_done(&at);
}

/* Also where it is written in two ways: which of the two is meant nobody knows. */
static void a_key_that_is_set_twice_at_once_is_refused_and_nothing_is_set(void **state)
{
    static const char *const KEYS[][3] = {
        {"rate.max", "workers", "protect.rate.max"},
        {"protect.rate.max", "rate.max", "workers"},
        {"workers", "rate.max", "rate.max"},
    };
    struct terminal at;
    terminal_init(&at, "");
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        GError *error = NULL;
        g_autofree char *value = NULL;
        struct setting settings[3] = {{.value = "1"}, {.value = "2"}, {.value = "3"}};
        for (size_t k = 0; k < 3; k++)
            settings[k].key = KEYS[i][k];
        kit_refused(run_set(&at.config, "job.1", &(struct run_settings){settings, 3}, &at.result, &at.heard, &error),
                    USAGE, "protect.rate.max is set twice");
        run_result_done(&at.result);
        at.result = (struct run_result){0};
        kit_ok(run_setting(&at.config, "job.1", "protect.rate.max", &value, &error));
        assert_string_equal(value, "1000/s");
    }
    terminal_done(&at);
}

static void report_of(struct terminal *at, char digest[HEX_TEXT(32)])
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct stage_row *stages;
    size_t n;
    kit_ok(catalog_open(&catalog, &at->scene.fake.world, at->scene.home, CATALOG_READ_ONLY, &error));
    kit_ok(catalog_stages(catalog, scene_row(&at->scene, mem).id, mem, &stages, &n, &error));
    hex_text(stages[0].report, 32, digest);
}

/* --- words on a gate ---------------------------------------------------------------------------------------------- */

static void only_a_stage_that_waits_takes_a_word(void **state)
{
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    kit_refused(say(&at, true, &error), REFUSED, "job.1 is planned: no stage of it waits for an approval");
    scene_ran(&at.scene, 3);
    kit_ok(say(&at, true, &error));
    assert_int_equal(at.heard, RUN_UNHELD);
    assert_int_equal(state_of(&at), RUN_WAITING); /* nobody has gone on with it yet */
    scene_ran(&at.scene, 0);
    kit_refused(say(&at, true, &error), REFUSED, "no stage of it waits");
    terminal_done(&at);
}

static void a_word_that_names_a_report_is_heard_while_that_one_stands(void **state)
{
    static const struct {
        int digits; /* of the report's digest; 0: `text` */
        const char *text, *words;
        enum error_code code;
    } ROWS[] = {
        {0, "00000000", "it was judged again since", SLUICE_ERROR_REFUSED},
        {7, NULL, "8 to 64 hex digits", SLUICE_ERROR_USAGE},
        {0, "", "8 to 64 hex digits", SLUICE_ERROR_USAGE},
        {0, "approved", "8 to 64 hex digits", SLUICE_ERROR_USAGE},
        {0, "00000000000000000000000000000000000000000000000000000000000000000", "8 to 64 hex digits",
         SLUICE_ERROR_USAGE},
        {8, NULL, NULL, SLUICE_ERROR_INTERNAL},
        {12, NULL, NULL, SLUICE_ERROR_INTERNAL},
        {64, NULL, NULL, SLUICE_ERROR_INTERNAL},
    };
    GError *error = NULL;
    struct terminal at;
    char digest[HEX_TEXT(32)];
    terminal_init(&at, "");
    scene_ran(&at.scene, 3);
    report_of(&at, digest);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *said = ROWS[i].text ? g_strdup(ROWS[i].text) : g_strndup(digest, (size_t)ROWS[i].digits);
        at.config.report = said;
        const struct kit_place place = {said, __FILE__, __LINE__};
        if (ROWS[i].words)
            kit_refused_at(say(&at, true, &error), &error, ROWS[i].code, ROWS[i].words, &place);
        else
            kit_ok_at(say(&at, true, &error), &error, &place);
    }
    terminal_done(&at);
}

static void a_denial_takes_effect_at_once_and_a_pause_of_before_it_stands(void **state)
{
    GError *error = NULL;
    for (int paused = 0; paused < 2; paused++) {
        struct terminal at;
        terminal_init(&at, "");
        scene_ran(&at.scene, 3);
        at.config.act.reason = "lunch";
        if (paused)
            kit_ok(wish(&at, WISH_PAUSE, &error));
        at.config.act.reason = "not on a Friday";
        kit_ok(say(&at, false, &error));
        assert_int_equal(at.result.run.state, RUN_PAUSED);
        assert_non_null(strstr(at.result.run.reason, paused ? "lunch" : "not on a Friday"));
        kit_refused(say(&at, true, &error), REFUSED, "no stage of it waits");
        terminal_done(&at);
    }
}

/* --- another process holds the run -------------------------------------------------------------------------------- */

static void a_holder_that_hears_is_told_and_one_that_does_not_is_waited_for_five_seconds(void **state)
{
    static const enum wish_kind KINDS[] = {WISH_PAUSE, WISH_ABORT, WISH_ROLLBACK, WISH_RESUME};
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    hold_it(&at);
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++)
        for (int hears = 0; hears < 2; hears++) {
            at.hears = hears;
            kit_ok(wish(&at, KINDS[i], &error));
            assert_int_equal(at.heard, hears ? RUN_HEARD : RUN_RECORDED);
            assert_in_range(at.slept_us, hears ? 1000000 : 5000000, hears ? 1200000 : 5200000);
            assert_int_equal(state_of(&at), RUN_PLANNED); /* what follows is the holder's */
            at.hears = true;
            on_sleep(&at.scene, 1000000);
        }
    terminal_done(&at);
}

static void a_holder_that_ends_is_not_waited_for(void **state)
{
    static const enum wish_kind KINDS[] = {WISH_ABORT, WISH_ROLLBACK, WISH_PAUSE};
    GError *error = NULL;
    struct terminal at;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct wish left;
    terminal_init(&at, "");
    at.ends = true;
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++) {
        hold_it(&at);
        kit_ok(wish(&at, KINDS[i], &error));
        assert_int_equal(at.heard, RUN_UNHELD);
        assert_in_range(at.slept_us, 0, 100000);
    }
    assert_int_equal(state_of(&at), RUN_PAUSED);
    kit_ok(catalog_open(&catalog, &at.scene.fake.world, at.scene.home, CATALOG_EXISTING, &error));
    kit_ok(catalog_wish_next(catalog, at.result.run.id, mem, &left, &error));
    assert_int_equal(left.kind, WISH_PAUSE); /* the others are their callers' */
    terminal_done(&at);
}

static void a_wish_that_is_set_aside_is_refused_but_a_limit_stands(void **state)
{
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    hold_it(&at);
    at.yields = true;
    kit_refused(wish(&at, WISH_PAUSE, &error), REFUSED, "had the last word meanwhile");
    kit_ok(set(&at, "workers", "2", &error));
    assert_int_equal(at.heard, RUN_RECORDED);
    terminal_done(&at);
}

static void while_it_is_taken_back_only_a_pause_is_passed_on(void **state)
{
    static const enum wish_kind KINDS[] = {WISH_RESUME, WISH_ABORT, WISH_ROLLBACK};
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    scene_ran(&at.scene, 3);
    force(&at, RUN_ROLLING_BACK);
    hold_it(&at);
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++)
        kit_refused(wish(&at, KINDS[i], &error), REFUSED, "job.1 is being taken back, by someone@test");
    kit_ok(wish(&at, WISH_PAUSE, &error));
    assert_int_equal(at.heard, RUN_HEARD);
    terminal_done(&at);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static void a_limit_that_was_set_overlays_the_plans(void **state)
{
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    g_autofree char *frozen = NULL, *now = NULL;
    kit_ok(run_setting(&at.config, "job.1", "protect.rate.max", &frozen, &error));
    assert_string_equal(frozen, "1000/s");
    kit_refused(set(&at, "protect.rate.max", "fast", &error), USAGE, "a rate such as");
    kit_refused(set(&at, "protect.rate", "1/s", &error), USAGE, "did you mean 'protect.rate.max'");
    kit_ok(set(&at, "protect.rate.max", "5/s", &error));
    assert_int_equal(at.heard, RUN_UNHELD);
    kit_ok(set(&at, "protect.rate.max", "7/s", &error));
    kit_ok(run_setting(&at.config, "job.1", "protect.rate.max", &now, &error));
    assert_string_equal(now, "7/s");
    hold_it(&at);
    kit_ok(set(&at, "workers", "2", &error));
    assert_int_equal(at.heard, RUN_HEARD);
    terminal_done(&at);
}

static void a_limit_that_a_run_has_not_heard_of_before_its_end_is_refused(void **state)
{
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, "");
    hold_it(&at);
    at.hears = false;
    at.ends = at.is_over = true;
    kit_refused(set(&at, "workers", "2", &error), REFUSED, "job.1 is aborted: it came to its end before it heard");
    terminal_done(&at);
}

static void what_limits_a_run_is_said_only_of_one_that_waited_for_it_lately(void **state)
{
    static const struct {
        enum run_state state;
        int64_t waited_ms, now_ms;
        bool limits;
    } ROWS[] = {
        {RUN_RUNNING, 1000, 1000, true},      {RUN_RUNNING, 1000, 6000, true},    {RUN_RUNNING, 1000, 6001, false},
        {RUN_RUNNING, 0, 1000, false},        {RUN_VERIFYING, 1000, 1000, false}, {RUN_PAUSED, 1000, 1000, false},
        {RUN_ROLLING_BACK, 1000, 1000, true}, {RUN_DONE, 1000, 1000, false},
    };
    GError *error = NULL;
    struct terminal at;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    terminal_init(&at, "");
    struct run_row run = scene_row(&at.scene, mem);
    kit_ok(catalog_open(&catalog, &at.scene.fake.world, at.scene.home, CATALOG_READ_ONLY, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_limit limit;
        run.state = ROWS[i].state;
        run.limited_ms = ROWS[i].waited_ms;
        run.updated_ms = ROWS[i].now_ms;
        kit_ok(run_limit_now(catalog, &run, mem, &limit, &error));
        assert_int_equal(limit.by != NULL, ROWS[i].limits);
        assert_int_equal((int)limit.rate_max_per_s, run_state_over(run.state) ? 0 : 1000);
    }
    terminal_done(&at);
}

/* As whoever holds it wrote it down: with figures where there are any, and for so long after. */
static void what_the_servers_hold_back_is_said_while_it_is_news(void **state)
{
    static const char JSON[] = "[{\"server\":\"node a\",\"limited_by\":\"%s\",\"reason\":\"it drains\"%s}]";
    static const struct {
        const char *more, *words;
        int64_t after_ms;
        enum governor_cause cause;
        bool told;
    } ROWS[] = {
        {"", "node a: it drains", 5000, GOVERNOR_BASELINE, true},
        {"", NULL, 5001, GOVERNOR_BASELINE, false},
        {"", NULL, 5000, GOVERNOR_MOST, true}, /* what it feels is told though nothing holds it back */
        {",\"p99_ms\":2.0,\"limit_ms\":1.0,\"baseline_ms\":0.5,\"commands_per_s\":10.0",
         "node a: p99 2.00 ms of 1.00 (0.50 without us), 10 commands/s: it drains", 0, GOVERNOR_BASELINE, true},
    };
    GError *error = NULL;
    struct terminal at;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    terminal_init(&at, "");
    struct run_row run = scene_row(&at.scene, mem);
    kit_ok(catalog_open(&catalog, &at.scene.fake.world, at.scene.home, CATALOG_EXISTING, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct run_limit limit;
        g_autofree char *json = g_strdup_printf(JSON, governor_cause_name(ROWS[i].cause), ROWS[i].more);
        kit_ok(catalog_pace_put(catalog, run.id, json, &error));
        at.scene.fake.wall_ms += ROWS[i].after_ms;
        kit_ok(run_limit_now(catalog, &run, mem, &limit, &error));
        if (g_strcmp0(limit.words, ROWS[i].words) != 0)
            fail_msg("%zu: %s", i, limit.words ? limit.words : "nothing is said");
        assert_int_equal(limit.live != NULL, ROWS[i].told);
    }
    g_clear_pointer(&catalog, catalog_free);
    terminal_done(&at);
}

/* --- who may ------------------------------------------------------------------------------------------------------ */

static void every_command_asks_for_its_own_right(void **state)
{
    static const struct {
        enum wish_kind kind;
        const char *words;
    } ROWS[] = {
        {WISH_PAUSE, "root may not pause it"},
        {WISH_RESUME, "root may not resume it"},
        {WISH_ABORT, "root may not abort it"},
        {WISH_ROLLBACK, "root may not rollback it"},
    };
    GError *error = NULL;
    struct terminal at;
    terminal_init(&at, MAY);
    scene_ran(&at.scene, 3);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        kit_refused(wish(&at, ROWS[i].kind, &error), NOT_PERMITTED, ROWS[i].words);
    kit_refused(say(&at, false, &error), NOT_PERMITTED, "root may not deny it");
    kit_refused(set(&at, "workers", "2", &error), NOT_PERMITTED, "root may not set it");
    kit_refused(drop(&at, &error), NOT_PERMITTED, "root may not abort it");
    assert_int_equal(state_of(&at), RUN_WAITING);
    kit_ok(say(&at, true, &error)); /* who may approve, may */
    terminal_done(&at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_that_is_set_twice_at_once_is_refused_and_nothing_is_set),
        cmocka_unit_test(a_pause_takes_effect_at_once_and_holds_until_it_is_lifted),
        cmocka_unit_test(an_end_is_a_command_of_its_own_and_leaves_no_wish_behind),
        cmocka_unit_test(what_is_over_takes_no_wish_no_word_and_no_limit),
        cmocka_unit_test(a_run_that_there_is_not_is_named_with_the_nearest),
        cmocka_unit_test(only_a_stage_that_waits_takes_a_word),
        cmocka_unit_test(a_word_that_names_a_report_is_heard_while_that_one_stands),
        cmocka_unit_test(a_denial_takes_effect_at_once_and_a_pause_of_before_it_stands),
        cmocka_unit_test(a_holder_that_hears_is_told_and_one_that_does_not_is_waited_for_five_seconds),
        cmocka_unit_test(while_it_is_taken_back_only_a_pause_is_passed_on),
        cmocka_unit_test(a_holder_that_ends_is_not_waited_for),
        cmocka_unit_test(a_wish_that_is_set_aside_is_refused_but_a_limit_stands),
        cmocka_unit_test(a_limit_that_was_set_overlays_the_plans),
        cmocka_unit_test(a_limit_that_a_run_has_not_heard_of_before_its_end_is_refused),
        cmocka_unit_test(what_limits_a_run_is_said_only_of_one_that_waited_for_it_lately),
        cmocka_unit_test(what_the_servers_hold_back_is_said_while_it_is_news),
        cmocka_unit_test(every_command_asks_for_its_own_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
