/* What a guard holds, slows or halts while it is at work: it stands still and goes on, or ends as the guard says, and
 * given again it ends as if nothing had been. */
#include <sqlite3.h>

#include "interleavings/specs.h"
#include "kit/scene.h"

#define PROTECT "stages: [{ name: full, scope: 100% }]\nprotect: { hold: 10ms }\n"
#define REPAIR  SAME_DATASET PROTECT
#define COPY    OVERWRITE PROTECT
#define GROWING SAME_DATASET "stages: [{ name: full, scope: 100% }]\nprotect: { hold: 10ms, growth: 1GiB }\n"

enum { KEYS = 8, BUSY_MOST_MS = 10000 };

struct guarded {
    struct scene scene; /* first: what happens is told of it */
    const struct guarded_row *row;
    atomic_int moves;    /* of the run, … */
    atomic_int passages; /* … and of the row's point since */
    atomic_bool came;    /* the row's guard … */
    atomic_bool passed;  /* … and what comes then */
    atomic_int signals;
    uint64_t calls; /* until it was told of */
    bool misnamed;  /* the state of the run, by a note */
};

typedef void command(struct scene *scene, struct ended *ret);

struct guarded_row {
    command *give;
    const char *at; /* the kill point that the guard comes at, … */
    int moves;      /* … after so many moves of the run, … */
    int passages;   /* … and so many passages there; NULL: it is there before */
    enum guard_level comes, then;
    bool eases, signal; /* what comes then, instead */
    bool deaf;          /* it eases, but a server has come whose growth the catalog does not take down */
    bool exits;         /* whoever gave it does not wait for a guard */
    bool unshown;       /* nobody says how far it is: it is stopped, and begins again */
    bool idle;          /* nothing is asked of a store behind it */
    int status;
    const char *words;
    struct fault_row fault; /* at the point, too */
};

/* Not on before whoever watches has told of it, and by then the work is stopped. */
static void stops_it(struct scene *scene, enum guard_level comes)
{
    int64_t most_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    atomic_store(&scene->noted, false);
    atomic_store(&scene->feels, (int)comes);
    while (!atomic_load(&scene->noted)) {
        world_sleep_us(world_real(), 500, NULL);
        assert_true(g_get_monotonic_time() < most_us);
    }
}

static void on_point(void *self, const char *name)
{
    struct guarded *guarded = self;
    const struct guarded_row *row = guarded->row;
    int moves = atomic_fetch_add(&guarded->moves, strcmp(name, "run.moved") == 0);
    if (!row || !row->at || moves < row->moves || strcmp(name, row->at) != 0 ||
        atomic_fetch_add(&guarded->passages, 1) < row->passages || atomic_exchange(&guarded->came, true))
        return;
    if (row->fault.nth)
        scene_fault(&guarded->scene, &row->fault);
    if (row->unshown)
        stops_it(&guarded->scene, row->comes);
    else
        scene_worsens(&guarded->scene, (int)row->comes);
}

static void alter(const struct scene *scene, const char *sql)
{
    sqlite3 *handle;
    g_autofree char *path = g_build_filename(scene->home, "catalog.db", NULL);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    sqlite3_busy_timeout(handle, BUSY_MOST_MS);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

static void then_comes(struct guarded *guarded)
{
    const struct guarded_row *row = guarded->row;
    atomic_store(&guarded->signals, row->signal);
    if (row->deaf)
        alter(&guarded->scene, "CREATE TRIGGER deaf BEFORE INSERT ON growth BEGIN SELECT RAISE(ABORT, 'growth is "
                               "not taken down'); END");
    atomic_store(&guarded->scene.another, row->deaf);
    if (row->eases || row->deaf)
        scene_eases(&guarded->scene);
    else if (!row->signal)
        atomic_store(&guarded->scene.feels, row->then);
}

static void on_event(struct scene *scene, const struct run_event *event)
{
    struct guarded *guarded = (struct guarded *)scene;
    if (event->kind == RUN_EVENT_NOTE && guarded->calls == 0)
        guarded->calls = scene->plan.calls[FAULT_ANY];
    if (event->kind == RUN_EVENT_NOTE && event->run && g_str_has_prefix(event->text, "guard: ")) {
        auto_(arena) mem = arena_new(1 << 20);
        guarded->misnamed |= event->run->state != scene_row(scene, mem).state;
    }
    if (guarded->row && event->kind == RUN_EVENT_PROGRESS && strstr(event->text, "by a guard") &&
        !atomic_exchange(&guarded->passed, true))
        then_comes(guarded);
}

static void verify_spec(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct verify_result verdict = {0};
    struct spec *spec = NULL;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(spec_read(&spec, &scene->fake.world, scene->spec_path, &error));
    bool ok = run_verify_spec(&config, spec, &verdict, &error);
    *ret = (struct ended){.status = ok ? (verdict.pass ? 0 : 4) : error_exit_status(error),
                          .text = g_strdup(ok ? verdict.sentence : error->message)};
    g_clear_error(&error);
    verify_result_done(&verdict);
    store_registry_free(registry);
}

#define WRITES   "scan.before", 1, 0
#define JUDGES   "store.scan_next", 2, 0
#define SAMPLES  "store.read", 1, 0
#define VERIFIES "store.scan_next", 0, 0
#define COMPARES "store.scan_next", 0, 1 /* behind the plan */
#define BEFORE   NULL, 0, 0
#define PAUSES   .comes = GUARD_LEVEL_PAUSE
#define STAYS    PAUSES, .then = GUARD_LEVEL_PAUSE
#define HALTS    .comes = GUARD_LEVEL_HALT
#define STOPPED  .signal = true, .status = 3
#define DEAF     .deaf = true, .status = 6, .words = "growth is not taken down"
static const struct guarded_row ROWS[] = {
    {scene_run, JUDGES, PAUSES, .status = 0},
    {scene_run, JUDGES, PAUSES, STOPPED, .words = "interrupted"},
    {scene_run, JUDGES, PAUSES, .then = GUARD_LEVEL_HALT, .status = 5, .words = "guard: skew"},
    {scene_run, JUDGES, STAYS, .exits = true, .status = 3, .words = "guard: memory"},
    {scene_run, JUDGES, PAUSES, .eases = true, .exits = true, .status = 0}, /* by the time that it would leave */
    {scene_run, JUDGES, HALTS, .status = 5, .words = "guard: skew"},
    {scene_run, JUDGES, PAUSES, DEAF},
    {scene_run, SAMPLES, PAUSES, .unshown = true, .status = 0},
    {scene_run, SAMPLES, PAUSES, STOPPED, .unshown = true, .words = "interrupted"},
    {scene_run, SAMPLES, HALTS, .unshown = true, .status = 5, .words = "guard: skew"},
    {scene_run, WRITES, PAUSES, .status = 0},
    {scene_run, WRITES, STAYS, .exits = true, .status = 3, .words = "guard: memory"},
    {scene_run, WRITES, HALTS, .status = 5, .words = "guard: skew"},
    /* a batch in flight fails while its run is paused already */
    {scene_run, WRITES, STAYS, .fault = {FAULT_READ, .nth = 1, .effect = FAULT_FATAL}, .status = 6},
    {scene_run, BEFORE, PAUSES, .status = 0},
    {scene_run, BEFORE, HALTS, .status = 5, .words = "guard: skew"},
    {scene_check, VERIFIES, PAUSES, .status = 0},
    {scene_check, VERIFIES, PAUSES, STOPPED},
    {scene_check, VERIFIES, PAUSES, DEAF},
    {scene_check, BEFORE, PAUSES, DEAF, .idle = true},
    {scene_check, VERIFIES, HALTS, .status = 5, .words = "guard: skew"},
    {scene_check, BEFORE, PAUSES, .status = 0},
    {scene_check, BEFORE, PAUSES, STOPPED, .idle = true, .words = "nothing was compared"},
    {scene_check, BEFORE, HALTS, .idle = true, .status = 5, .words = "guard: skew"},
    {verify_spec, COMPARES, PAUSES, .status = 0},
    {verify_spec, BEFORE, PAUSES, .status = 0},
    {verify_spec, BEFORE, PAUSES, STOPPED, .idle = true, .words = "nothing was compared"},
    {verify_spec, BEFORE, HALTS, .idle = true, .status = 5, .words = "guard: skew"},
};

static void begin(struct guarded *guarded, const struct guarded_row *row)
{
    struct scene *scene = &guarded->scene;
    *guarded = (struct guarded){0};
    scene_init(scene, row->give == verify_spec ? COPY : row->deaf ? GROWING : REPAIR, ONCE_MORE);
    scene_feels(scene);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
        scene_put(scene, "origin", key, "{\"times\":0}");
    }
    if (row->give != scene_run)
        scene_ran(scene, 0);
    guarded->row = row;
    scene->full = true;
    scene->exit_on_pause = row->exits;
    scene->signals = &guarded->signals;
    scene->event = on_event;
    scene->fake.world.point = on_point;
    scene->fake.world.point_self = guarded;
    if (!row->at)
        atomic_store(&scene->feels, row->comes);
}

/* Nothing is in its way any more. */
static void ease(struct guarded *guarded)
{
    guarded->row = NULL;
    guarded->scene.exit_on_pause = false;
    guarded->scene.fake.world.point = NULL;
    atomic_store(&guarded->scene.feels, GUARD_LEVEL_OK);
    atomic_store(&guarded->signals, 0);
    scene_fault(&guarded->scene, NULL);
    alter(&guarded->scene, "DROP TRIGGER IF EXISTS deaf");
}

static void what_a_guard_stops_ends_as_it_says_and_given_again_as_if_nothing_had_been(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const struct guarded_row *row = &ROWS[i];
        struct guarded guarded;
        struct ended ended;
        auto_(arena) mem = arena_new(1 << 20);
        begin(&guarded, row);
        row->give(&guarded.scene, &ended);
        if (ended.status != row->status || (row->words && !strstr(ended.text, row->words)) ||
            (row->give == scene_run && ended.by_error != row->deaf) || !atomic_load(&guarded.scene.noted) ||
            guarded.misnamed || (row->idle && guarded.scene.plan.calls[FAULT_ANY] != guarded.calls))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        ended_done(&ended);
        if (row->fault.nth) /* it was at work still */
            assert_int_equal(scene_row(&guarded.scene, mem).state, RUN_FAILED);
        ease(&guarded);
        scene_ran_at(&guarded.scene, row->give, 0, __FILE__, __LINE__);
        for (int k = 0; k < KEYS; k++) {
            g_autofree char *key = g_strdup_printf("k%d", k);
            scene_holds(&guarded.scene, "items", key, "{\"times\":1}");
        }
        scene_reconciles(&guarded.scene);
        scene_done(&guarded.scene);
    }
}

/* --- before it has begun -------------------------------------------------------------------------------------------
 */

/* What had become of the run before, by what, and what somebody says then. */
static const struct earlier {
    enum run_state was;
    enum guard_level by; /* OK: nothing */
    struct fault_row fault;
    enum run_state stays;
} EARLIER[] = {
    {RUN_PLANNED, GUARD_LEVEL_OK, {0}, RUN_PLANNED},
    {RUN_HALTED, GUARD_LEVEL_HALT, {0}, RUN_HALTED},
    {RUN_FAILED, GUARD_LEVEL_OK, {FAULT_READ, .nth = 1, .effect = FAULT_FATAL}, RUN_FAILED},
    {RUN_PAUSED, GUARD_LEVEL_PAUSE, {0}, RUN_INTERRUPTED}, /* by the guard, which it waits for again */
};

static void signal_before(struct scene *scene, const struct run_event *event)
{
    struct guarded *guarded = (struct guarded *)scene;
    if (event->kind == RUN_EVENT_PROGRESS && strstr(event->text, "waiting for what its guards say"))
        atomic_store(&guarded->signals, 1);
}

static void become(struct guarded *guarded, const struct earlier *earlier)
{
    struct scene *scene = &guarded->scene;
    auto_(arena) mem = arena_new(1 << 20);
    struct ended ended;
    scene_plan(scene);
    atomic_store(&scene->feels, earlier->by);
    scene_fault(scene, earlier->fault.nth ? &earlier->fault : NULL);
    scene->exit_on_pause = true;
    if (earlier->was != RUN_PLANNED) {
        scene_run(scene, &ended);
        ended_done(&ended);
    }
    scene->exit_on_pause = false;
    scene_fault(scene, NULL);
    assert_int_equal(scene_row(scene, mem).state, earlier->was);
}

static void who_is_stopped_before_its_guards_have_said_anything_is_interrupted(void **state)
{
    static const struct guarded_row ANY = {scene_run, "nowhere"};
    for (size_t i = 0; i < G_N_ELEMENTS(EARLIER); i++) {
        struct guarded guarded;
        struct ended ended;
        auto_(arena) mem = arena_new(1 << 20);
        begin(&guarded, &ANY);
        become(&guarded, &EARLIER[i]);
        guarded.scene.event = signal_before;
        atomic_store(&guarded.scene.feels, SCENE_SILENT);
        scene_run(&guarded.scene, &ended);
        if (ended.by_error || ended.status != 3 || !strstr(ended.text, "interrupted"))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        assert_int_equal(scene_row(&guarded.scene, mem).state, EARLIER[i].stays);
        ended_done(&ended);
        guarded.scene.event = NULL;
        ease(&guarded);
        scene_ran(&guarded.scene, 0);
        scene_done(&guarded.scene);
    }
}

/* --- slowed ----------------------------------------------------------------------------------------------------------
 */

#define SLOWED                                                                                                         \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\npartitions: { size: 16 }\nworkers: 1\n" PROTECT

enum { SLOW_KEYS = 48, LOOKS = 40, TURN_US = 500 };

struct slowing {
    struct scene scene; /* first: what happens is told of it */
    int passages;
    atomic_uint looks;
    atomic_bool told, slowed;
    int64_t longest_us; /* sleep of anybody, since then */
};

static void on_slow_event(struct scene *scene, const struct run_event *event)
{
    struct slowing *slowing = (struct slowing *)scene;
    if (event->kind == RUN_EVENT_NOTE && strstr(event->text, "guard: slowed"))
        atomic_store(&slowing->told, true);
    if (event->kind != RUN_EVENT_PROGRESS)
        return;
    atomic_fetch_add(&slowing->looks, 1);
    atomic_store(&slowing->slowed, atomic_load(&slowing->told)); /* it is acted upon by then */
}

static void on_slow_sleep(struct scene *scene, int64_t us)
{
    struct slowing *slowing = (struct slowing *)scene;
    if (atomic_load(&slowing->slowed))
        slowing->longest_us = MAX(slowing->longest_us, us);
}

/* Behind the first partition: nothing is compared for so many looks that its pace is next to nothing; then it is slowed
 * to half of that. */
static void on_second_scan(void *self, const char *name)
{
    struct slowing *slowing = self;
    if (strcmp(name, "store.scan_next") != 0 || ++slowing->passages != 2)
        return;
    int64_t most_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    for (unsigned from = atomic_load(&slowing->looks); !atomic_load(&slowing->slowed);
         world_sleep_us(world_real(), TURN_US, NULL)) {
        if (atomic_load(&slowing->looks) - from > LOOKS)
            atomic_store(&slowing->scene.feels, GUARD_LEVEL_SLOW);
        assert_true(g_get_monotonic_time() < most_us);
    }
}

/* A record a second would be sixteen for each of what is left. Nobody stands still for so long: what is lifted
 * meanwhile is heeded after five. A pace that somebody asks for is none that it may go at where its guards leave it
 * less. */
static void a_verification_that_is_slowed_looks_up_every_five_seconds(void **state)
{
    enum { MOST_US = 5 * 1000 * 1000 };
    GError *error = NULL;
    struct slowing slowing = {0};
    struct scene *scene = &slowing.scene;
    struct verify_result verdict = {0};
    scene_init(scene, SLOWED, ONCE_MORE);
    for (int i = 0; i < SLOW_KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
    }
    scene_ran(scene, 0);
    scene_feels(scene);
    scene->full = true;
    scene->event = on_slow_event;
    scene->asleep = on_slow_sleep;
    scene->fake.world.point = on_second_scan;
    scene->fake.world.point_self = &slowing;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.verify_per_s = 1e6;
    kit_ok(run_verify(&config, scene->run, &verdict, &error));
    assert_true(verdict.pass);
    assert_true(atomic_load(&slowing.slowed));
    assert_int_equal(slowing.longest_us, MOST_US);
    verify_result_done(&verdict);
    store_registry_free(registry);
    scene_done(scene);
}

/* --- a catalog that does not hear ------------------------------------------------------------------------------- */

/* Who waits for first readings waits for what the catalog says, too: not for ever where it says nothing. What was in
 * its way gone, the command ends as it does else. */
static void ends_with_what_the_catalog_says(struct scene *scene, command *give)
{
    struct ended ended;
    alter(scene, "ALTER TABLE growth RENAME TO away");
    give(scene, &ended);
    assert_true(ended.by_error);
    assert_int_equal(ended.status, 6);
    assert_non_null(strstr(ended.text, "growth"));
    ended_done(&ended);
    alter(scene, "ALTER TABLE away RENAME TO growth");
    scene_ran_at(scene, give, 0, __FILE__, __LINE__);
    scene_holds(scene, "items", "a", "{\"times\":1}");
}

static void who_waits_for_a_catalog_that_does_not_answer_ends_with_what_it_says(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME_DATASET, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"times\":0}");
    scene_plan(&scene);
    ends_with_what_the_catalog_says(&scene, scene_run);
    ends_with_what_the_catalog_says(&scene, scene_check);
    scene_done(&scene);
}

/* From where to count is on record before anything is written, whichever of the guards counts. */
static void whatever_counts_growth_has_where_from(void **state)
{
    static const struct {
        const char *guard;
        size_t nodes;
    } COUNTING[] = {{"", 0}, {", growth: 1GiB", 1}, {", forecast: 9", 1}, {", amplification: 4.5", 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(COUNTING); i++) {
        GError *error = NULL;
        struct scene scene;
        struct growth_base *bases;
        size_t n;
        auto_(arena) mem = arena_new(1 << 20);
        auto_(catalog) catalog = NULL;
        g_autofree char *spec = g_strdup_printf(SAME_DATASET "protect: { hold: 10ms%s }\n", COUNTING[i].guard);
        scene_init(&scene, spec, ONCE_MORE);
        scene_feels(&scene);
        scene_put(&scene, "items", "a", "{\"times\":0}");
        scene_ran(&scene, 0);
        kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_READ_ONLY, &error));
        kit_ok(catalog_growth(catalog, scene_row(&scene, mem).id, mem, &bases, &n, &error));
        if (n != COUNTING[i].nodes)
            fail_msg("row %zu: %zu", i, n);
        g_clear_pointer(&catalog, catalog_free);
        scene_done(&scene);
    }
}

/* --- a limit that is lifted as it stops the work -------------------------------------------------------------------
 */

/* What stops the run, and what somebody sets as soon as it has, before its workers have ended. */
#define PRICES "prices: { currency: EUR, writes: 10 }\n"
static const struct lifted {
    const char *spec, *key, *value;
    bool passes; /* the source's time, then */
    int status;
} LIFTED[] = {
    {"budget: { records: 4 }\n", "budget.records", "100", false, 0},
    {"", "source.until", "none", true, 0},
    /* nor by one that is not spent, where another is that stands as it was */
    {"budget: { records: 4 }\n", "budget.bytes", "1GiB", false, 3},
    {"budget: { records: 4 }\n", "budget.time", "900h", false, 3},
    {"budget: { records: 4 }\n" PRICES, "budget.cost", "1000", false, 3},
};

enum { LOOKED_US = 3 * 1000 * 1000 }; /* whoever watches has looked by then */

struct lifting {
    struct scene scene;
    const struct lifted *row;
    int passages;
    bool was_set;
};

static void set_and_heard(struct scene *scene, const char *key, const char *value)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct wish wish = {.kind = WISH_SET, .act = {.actor = "ann@desk"}};
    struct setting setting = {.key = key, .value = value};
    int64_t id, run = scene_row(scene, mem).id, most_us = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_setting_add(catalog, run, &setting, &wish.act, &error));
    kit_ok(catalog_wish_add(catalog, run, &wish, &id, &error));
    for (enum wish_fate fate = WISH_IS_OPEN; fate == WISH_IS_OPEN; world_sleep_us(world_real(), TURN_US, NULL)) {
        kit_ok(catalog_wish_fate(catalog, id, &fate, &error));
        assert_true(g_get_monotonic_time() < most_us);
    }
}

/* Behind the scan of the second partition, for which there was no room; or behind whoever watches, who has seen that
 * the time has passed. */
static void on_scan(void *self, const char *name)
{
    struct lifting *lifting = self;
    if (strcmp(name, "scan.after") != 0 || ++lifting->passages != 2)
        return;
    if (lifting->row->passes) {
        set_and_heard(&lifting->scene, lifting->row->key, "2001-01-01");
        for (int64_t from_us = lifting->scene.fake.now_us; lifting->scene.fake.now_us < from_us + LOOKED_US;)
            world_sleep_us(world_real(), TURN_US, NULL);
        set_and_heard(&lifting->scene, lifting->row->key, lifting->row->value);
    } else
        set_and_heard(&lifting->scene, lifting->row->key, lifting->row->value);
    lifting->was_set = true;
}

static void a_limit_that_is_lifted_as_it_stops_the_run_does_not_stop_it(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(LIFTED); i++) {
        struct lifting lifting = {.row = &LIFTED[i]};
        struct ended ended;
        g_autofree char *spec =
            g_strconcat(SAME_DATASET "stages: [{ name: full, scope: 100% }]\n", LIFTED[i].spec, NULL);
        scene_init(&lifting.scene, spec, ONCE_MORE);
        for (int k = 0; k < KEYS; k++) {
            g_autofree char *key = g_strdup_printf("k%d", k);
            scene_put(&lifting.scene, "items", key, "{\"times\":0}");
        }
        lifting.scene.fake.world.point = on_scan;
        lifting.scene.fake.world.point_self = &lifting;
        scene_run(&lifting.scene, &ended);
        if (!lifting.was_set || ended.status != LIFTED[i].status)
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        for (int k = 0; k < KEYS; k++) {
            g_autofree char *key = g_strdup_printf("k%d", k);
            bool waits = ended.status != 0 && k >= 4; /* the second partition */
            scene_holds(&lifting.scene, "items", key, waits ? "{\"times\":0}" : "{\"times\":1}");
        }
        if (ended.status == 0)
            scene_reconciles(&lifting.scene);
        ended_done(&ended);
        scene_done(&lifting.scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verification_that_is_slowed_looks_up_every_five_seconds),
        cmocka_unit_test(whatever_counts_growth_has_where_from),
        cmocka_unit_test(a_limit_that_is_lifted_as_it_stops_the_run_does_not_stop_it),
        cmocka_unit_test(who_is_stopped_before_its_guards_have_said_anything_is_interrupted),
        cmocka_unit_test(who_waits_for_a_catalog_that_does_not_answer_ends_with_what_it_says),
        cmocka_unit_test(what_a_guard_stops_ends_as_it_says_and_given_again_as_if_nothing_had_been),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
