/* What comes to a run while it does again what its servers have lost. */
#include "interleavings/lossy.h"

/* --- while it is done again --------------------------------------------------------------------------------------- */

/* What comes to a run that writes again what a stage that had passed has lost, or verifies it; and how it ends then.
 * Taken up again it ends as if nothing had happened. */
struct while_again {
    const char *at; /* its kill point, … */
    int moves;      /* … after so many moves of the run from when the loss is known */
    enum wish_kind wish;
    const char *key, *value;       /* what is set; taken off afterwards */
    bool idle;                     /* nothing is written after it */
    bool signal, replaced, spoils; /* spoils: all keys stand as before the run */
    bool mute;                     /* the catalog fails from then on */
    struct fault_row fault;
    enum guard_level feels; /* its server; OK: as ever */
    bool eases;             /* … and is well again by the time that whoever does not wait would leave */
    int status;
    const char *words;
};

#define MOVES    "run.move", 1        /* the other stage is verified; the run is about to write this one again, */
#define JUDGES   "store.scan_next", 1 /* the other stage is being verified, */
#define WRITES   "scan.before", 2     /* the other stage is verified; this one runs again, */
#define VERIFIES "store.scan_next", 3 /* … and is verified again */
static const struct while_again WHILE_AGAIN[] = {
    {WRITES, .signal = true, .status = 3, .words = "interrupted"},
    {WRITES, .wish = WISH_PAUSE, .status = 3, .words = "paused by ann@desk"},
    {WRITES, .wish = WISH_SET, .key = "budget.records", .value = "1", .status = 3, .words = "the budget is spent"},
    {WRITES, .wish = WISH_SET, .key = "source.until", .value = "2001-01-01", .status = 3,
     .words = "could be read until"},
    {WRITES, .fault = {.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_FATAL}, .status = 6, .words = "job.1"},
    {WRITES, .replaced = true, .status = 0}, /* … and the next one, too */
    {JUDGES, .idle = true, .wish = WISH_SET, .key = "source.until", .value = "2001-01-01", .status = 3,
     .words = "could be read until"},
    {VERIFIES, .signal = true, .status = 3, .words = "interrupted"},
    {VERIFIES, .wish = WISH_PAUSE, .status = 3, .words = "paused by ann@desk"},
    {VERIFIES, .fault = {.op = FAULT_ANY, .nth = 1, .effect = FAULT_FATAL}, .status = 6, .words = "job.1"},
    {WRITES, .signal = true, .fault = {.op = FAULT_READ, .nth = 1, .effect = FAULT_FATAL}, .status = 6,
     .words = "job.1"},
    {WRITES, .feels = GUARD_LEVEL_PAUSE, .status = 0},
    {WRITES, .feels = GUARD_LEVEL_HALT, .status = 5, .words = "guard: skew"},
    {VERIFIES, .feels = GUARD_LEVEL_PAUSE, .status = 0},
    {VERIFIES, .feels = GUARD_LEVEL_PAUSE, .eases = true, .status = 0},
    {VERIFIES, .feels = GUARD_LEVEL_HALT, .status = 5, .words = "guard: skew"},
    {MOVES, .idle = true, .mute = true, .status = 6, .words = "catalog"},
    {VERIFIES, .spoils = true, .status = 5, .words = "what they lost was written again, and it is not as it was"},
};

#define HEARD_US (INT64_C(60) * 1000 * 1000)

/* `hears`: somebody watches meanwhile, and it is waited for until they have heard it. */
static void say(struct lossy *lossy, bool hears, enum wish_kind kind, const char *key, const char *value)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct wish wish = {.kind = kind, .act = {.actor = "ann@desk"}};
    struct setting setting = {.key = key, .value = value};
    int64_t id, run = scene_row(&lossy->scene, mem).id;
    kit_ok(catalog_open(&catalog, &lossy->scene.fake.world, lossy->scene.home, CATALOG_EXISTING, &error));
    if (key)
        kit_ok(catalog_setting_add(catalog, run, &setting, &wish.act, &error));
    kit_ok(catalog_wish_add(catalog, run, &wish, &id, &error));
    enum wish_fate fate = hears ? WISH_IS_OPEN : WISH_IS_TAKEN;
    for (int64_t until_us = g_get_monotonic_time() + HEARD_US; fate == WISH_IS_OPEN; g_thread_yield()) {
        kit_ok(catalog_wish_fate(catalog, id, &fate, &error));
        assert_true(g_get_monotonic_time() < until_us);
    }
}

/* Who watches sleeps for so long, as nobody else does. */
#define WATCHER_SLEEPS_US 4000

static void on_sleep(struct scene *scene, int64_t us)
{
    struct lossy *lossy = (struct lossy *)scene;
    atomic_fetch_add(&lossy->looks, us == WATCHER_SLEEPS_US);
}

/* Until who watches has looked for it: behind the sleep that may have begun before it came, and one more. */
static void signal_it(struct lossy *lossy)
{
    atomic_store(&lossy->signals, 1);
    unsigned from = atomic_load(&lossy->looks);
    for (int64_t until_us = g_get_monotonic_time() + HEARD_US; atomic_load(&lossy->looks) - from < 2; g_thread_yield())
        assert_true(g_get_monotonic_time() < until_us);
}

static void put_all(struct lossy *lossy, int times)
{
    for (int i = 0; i < KEYS; i++) {
        char text[2][32];
        text_of(text, i, times);
        scene_put(&lossy->scene, "items", text[0], text[1]);
    }
}

static void meanwhile(struct lossy *lossy, const char *name)
{
    const struct while_again *again = lossy->again;
    lossy->known |= strcmp(name, "parts.are_lost") == 0;
    lossy->moves += lossy->known && strcmp(name, "run.moved") == 0;
    if (!again || !lossy->known || lossy->moves < again->moves || strcmp(name, again->at) != 0)
        return;
    lossy->again = NULL;
    lossy->sent = lossy->scene.plan.calls[FAULT_CAS];
    if (again->signal)
        signal_it(lossy);
    if (again->wish != WISH_NONE)
        say(lossy, true, again->wish, again->key, again->value);
    if (again->fault.nth)
        scene_fault(&lossy->scene, &again->fault);
    if (again->spoils)
        put_all(lossy, 0);
    if (again->mute)
        fake_world_arm(&lossy->scene.fake,
                       (struct fake_fault){.sqlite = true, .nth = 1, .number = EIO, .lasting = true});
    if (again->feels != GUARD_LEVEL_OK)
        scene_worsens(&lossy->scene, (int)again->feels);
    if (again->replaced)
        lose(lossy, 1);
}

static void on_event(struct scene *scene, const struct run_event *event)
{
    if (event->kind != RUN_EVENT_PROGRESS || !strstr(event->text, "by a guard"))
        return;
    if (scene->exit_on_pause)
        scene_eases(scene);
    else
        atomic_store(&scene->feels, GUARD_LEVEL_OK);
}

static void begin_while(struct lossy *lossy, const struct while_again *again)
{
    begin_spec(lossy, STAGED "protect: { hold: 10ms }\n");
    lossy->scene.event = on_event;
    lossy->scene.exit_on_pause = again->eases;
    if (again->feels != GUARD_LEVEL_OK)
        scene_feels(&lossy->scene);
    lossy->again = again;
    lossy->meanwhile = meanwhile;
    lossy->scene.signals = &lossy->signals;
    lossy->scene.asleep = on_sleep;
    lossy->at = "stage.moved";
    lossy->nth = 4; /* the canary's three, then the next one runs */
    lossy->key = "k0";
    lossy->json = "{\"n\":0,\"times\":0}";
}

static void whatever_comes_while_it_is_done_again_it_ends_as_if_nothing_had(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(WHILE_AGAIN); i++) {
        const struct while_again *again = &WHILE_AGAIN[i];
        struct lossy lossy;
        struct ended ended;
        auto_(arena) mem = arena_new(1 << 20);
        begin_while(&lossy, again);
        scene_run(&lossy.scene, &ended);
        if (lossy.again || ended.status != again->status || (again->words && !strstr(ended.text, again->words)))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text ? ended.text : "no words");
        assert_true(!again->idle || lossy.scene.plan.calls[FAULT_CAS] == lossy.sent);
        ended_done(&ended);
        atomic_store(&lossy.scene.feels, GUARD_LEVEL_OK);
        scene_fault(&lossy.scene, NULL);
        fake_world_arm(&lossy.scene.fake, (struct fake_fault){0});
        atomic_store(&lossy.signals, 0);
        if (again->key)
            say(&lossy, false, WISH_SET, again->key, "none");
        if (again->spoils) { /* it stays so until somebody looks into it */
            scene_ran(&lossy.scene, 5);
            put_all(&lossy, 1);
        }
        if (again->status != 0)
            scene_ran(&lossy.scene, 0);
        assert_int_equal(scene_row(&lossy.scene, mem).state, RUN_DONE);
        ends_well(&lossy);
    }
}

/* A look is asked for again while the servers are replaced, and not where it will not come. */
static void a_look_at_servers_that_are_being_replaced_is_asked_for_again(void **state)
{
    static const struct {
        int fails;
        enum error_code with;
        int status;
    } ROWS[] = {{3, SLUICE_ERROR_UNREACHABLE, 0}, {1, SLUICE_ERROR_STORE, 6}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct lossy lossy;
        struct ended ended;
        begin(&lossy);
        all_written(&lossy);
        lose(&lossy, 1);
        lossy.fails = ROWS[i].fails;
        lossy.fails_with = ROWS[i].with;
        scene_run(&lossy.scene, &ended);
        if (ended.by_error || ended.status != ROWS[i].status)
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        ended_done(&ended);
        lossy.fails = 0;
        if (ROWS[i].status != 0)
            scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
    }
}

static void signal_once(struct scene *scene, int64_t us)
{
    struct lossy *lossy = (struct lossy *)scene;
    atomic_store(&lossy->signals, 1);
}

/* Who asks would ask for half a minute. */
static void who_is_stopped_while_its_servers_are_replaced_does_not_go_on_asking(void **state)
{
    enum { FOR_EVER = 1000000, SOON_US = 5 * 1000 * 1000 };
    struct lossy lossy;
    struct ended ended;
    auto_(arena) mem = arena_new(1 << 20);
    begin(&lossy);
    all_written(&lossy);
    lose(&lossy, 1);
    lossy.fails = FOR_EVER;
    lossy.fails_with = SLUICE_ERROR_UNREACHABLE;
    lossy.scene.signals = &lossy.signals;
    lossy.scene.asleep = signal_once;
    int64_t began_us = lossy.scene.fake.now_us;
    scene_run(&lossy.scene, &ended);
    if (ended.by_error || ended.status != 3 || !strstr(ended.text, "interrupted while its servers were asked"))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    assert_true(lossy.scene.fake.now_us - began_us < SOON_US);
    assert_int_equal(scene_row(&lossy.scene, mem).state, RUN_INTERRUPTED);
    ended_done(&ended);
    lossy.fails = 0;
    lossy.scene.asleep = NULL;
    atomic_store(&lossy.signals, 0);
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

/* A server that is another one each time is somebody's to see to. */
static void lose_always(struct lossy *lossy, const char *name)
{
    if (strcmp(name, "settle.after") == 0 && lossy->known)
        replace(lossy);
    lossy->known |= strcmp(name, "parts.are_lost") == 0;
}

static void on_each_point(void *self, const char *name)
{
    lose_always(self, name);
}

static void servers_that_are_replaced_time_and_again_halt_it(void **state)
{
    struct lossy lossy;
    struct ended ended;
    begin(&lossy);
    all_written(&lossy);
    lose(&lossy, 1);
    lossy.scene.fake.world.point = on_each_point;
    scene_run(&lossy.scene, &ended);
    assert_int_equal(ended.status, 5);
    assert_non_null(strstr(ended.text, "were replaced 8 times while this process was at work"));
    ended_done(&ended);
    lossy.scene.fake.world.point = on_point;
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_comes_while_it_is_done_again_it_ends_as_if_nothing_had),
        cmocka_unit_test(a_look_at_servers_that_are_being_replaced_is_asked_for_again),
        cmocka_unit_test(who_is_stopped_while_its_servers_are_replaced_does_not_go_on_asking),
        cmocka_unit_test(servers_that_are_replaced_time_and_again_halt_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
