/* A stage and the gate behind it: every arrow from written to verified, soaked, approved and passed, and what a gate
 * does that fails. What is compared are the ledger's actions: each arrow is a transaction with its entry. */
#include "base/person.h"
#include "catalog/ledger.h"
#include "kit/scene.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items%s }\n"
                           "transform: { lua: t.lua }\ntarget: { %s }\n"
                           "partitions: { size: 2 }\nworkers: 1\non_failure: %s\n%s%s"
                           "stages:\n"
                           "  - { name: canary, scope: 1 partitions, order: listed, gate: { verify: full%s } }\n"
                           "  - { name: full, scope: 100%% }\n";
#define UNTIL     ", until: 2100-01-01T00:00:00Z"
#define PASSED_MS INT64_C(4200000000000)
static const char HOOKS[] = "hooks: [{ must: true, tries: 1, timeout: 1h, %s }]\n";
static const char MEASURES[] = "measures: [{ name: records, count: true, least: 0 }]\n";
static const char LUA[] = "function transform(doc) doc.n = doc.n + 1 return doc end\n";

/* What somebody does, and how the command ends. */
enum deed {
    NOTHING,
    RUN,
    RUN_EXIT,
    RESUME,
    BACK,
    BACK_LATE,
    APPROVE,
    DENY,
    PAUSE,
    ABORT,
    SET,
    PASS /* time passes: a minute */
};
struct step {
    enum deed act;
    int status; /* of those that drive the run */
};

struct way {
    const char *gate;       /* of the first stage, besides its verification */
    const char *on_failure; /* NULL: pause */
    const char *target;     /* NULL: the source's own dataset */
    const char *hook;       /* what must be heard; NULL: nothing */
    bool passes;            /* the time of its source, before its first stage is judged */
    bool stopped;           /* all runs of the home are, once it is planned */
    int spoils; /* before that stage (from 1) is judged, the application puts back a record of it, or its source has
                   another; 0: never */
    enum deed asleep;     /* done while somebody first sleeps through a soak, … */
    enum deed measuring;  /* … or while the measures of its target are taken, when nothing is left to stop */
    struct step steps[8]; /* up to NOTHING */
    const char *state, *stages, *actions;
};

/* Arrows that most ways have in common. */
#define JUDGED     "running stage.running stage.verifying verifying "
#define WAITED     JUDGED "stage.waiting waiting "
#define FAILED     JUDGED "stage.failed "
#define ALL_BACK   "rolling-back stage.rolled-back stage.rolled-back ending rolled-back"
#define FILES_BACK "rolling-back stage.rolled-back stage.rolled-back rolled-back" /* nothing of theirs is locked */
#define THE_REST   "stage.passed " JUDGED "stage.passed ending done"
#define DONE       .state = "done", .stages = "passed passed"
#define BACKED     .state = "rolled-back", .stages = "rolled-back rolled-back"

static const struct way WAYS[] = {
    {.steps = {{RUN, 0}, {RUN, 0}}, DONE, .actions = JUDGED THE_REST},
    /* a soak, waited for or left */
    {.gate = ", soak: 10s", .steps = {{RUN, 0}}, DONE, .actions = WAITED THE_REST},
    {.gate = ", soak: 10s", .steps = {{RUN_EXIT, 3}, {RUN_EXIT, 3}, {RUN, 0}}, DONE, .actions = WAITED THE_REST},
    {.gate = ", soak: 10s", .steps = {{RUN_EXIT, 3}, {PASS}, {RUN_EXIT, 0}}, DONE, .actions = WAITED THE_REST},
    /* what must hear of it has heard, or has not: before the next step, and before the one behind that */
    {.hook = "on: run.running, run: \"true\"",
     .steps = {{RUN_EXIT, 0}},
     DONE,
     .actions = "running hook-delivered stage.running stage.verifying verifying stage.passed running hook-delivered "
                "stage.running stage.verifying verifying stage.passed ending done"},
    {.hook = "on: stage.verifying, run: \"false\"",
     .steps = {{RUN, 3}, {RESUME, 3}},
     .state = "paused",
     .stages = "verifying pending",
     .actions = JUDGED "hook-failed paused hook-failed"},
    {.hook = "on: stage.started, run: \"false\"",
     .steps = {{RUN, 3}},
     .state = "paused",
     .stages = "running pending",
     .actions = "running stage.running hook-failed paused"},
    {.hook = "on: gate.waiting, run: \"false\"",
     .gate = ", soak: 10s",
     .steps = {{RUN, 3}},
     .state = "paused",
     .stages = "waiting pending",
     .actions = WAITED "hook-failed paused"},
    {.hook = "on: gate.waiting, run: \"sleep 1000\"",
     .gate = ", soak: 1h",
     .asleep = PAUSE,
     .steps = {{RUN, 3}},
     .state = "paused",
     .stages = "waiting pending",
     .actions = WAITED "wish paused"},
    /* an approval, given at the gate or before it has soaked */
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {RUN, 3}, {APPROVE}, {RUN, 0}},
     DONE,
     .actions = WAITED "approved " THE_REST},
    {.gate = ", soak: 10s, approve: root",
     .steps = {{RUN, 3}, {APPROVE}, {RUN, 0}},
     DONE,
     .actions = WAITED "approved " THE_REST},
    {.gate = ", soak: 10s, approve: root",
     .asleep = APPROVE,
     .steps = {{RUN, 0}},
     DONE,
     .actions = WAITED "approved wish " THE_REST},
    /* what is set meanwhile holds for what is written behind it: more than that is spent already */
    {.gate = ", soak: 10s",
     .asleep = SET,
     .steps = {{RUN, 3}},
     .state = "paused",
     .stages = "passed running",
     .actions = WAITED "set wish stage.passed running stage.running budget-warning budget-warning paused"},
    /* a denial: all of the stage is judged again, and asked again */
    {.gate = ", soak: 1h, approve: root",
     .asleep = DENY,
     .steps = {{RUN, 4}, {RUN, 3}},
     .state = "paused",
     .stages = "failed pending",
     .actions = WAITED "denied wish stage.failed paused"},
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {DENY}, {RUN, 3}, {RESUME, 3}, {APPROVE}, {RUN, 0}},
     DONE,
     .actions = WAITED "denied stage.failed paused " WAITED "approved " THE_REST},
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {APPROVE}, {DENY}, {RESUME, 3}, {RUN, 3}},
     .state = "waiting",
     .stages = "waiting pending",
     .actions = WAITED "approved denied stage.failed paused " JUDGED "stage.waiting waiting"},
    /* a pause: what was verified is not judged again */
    {.gate = ", soak: 60s",
     .asleep = PAUSE,
     .steps = {{RUN, 3}, {RUN, 3}, {RESUME, 0}},
     DONE,
     .actions = WAITED "wish paused waiting " THE_REST},
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {PAUSE}, {RUN, 3}, {RESUME, 3}, {APPROVE}, {RUN, 0}},
     DONE,
     .actions = WAITED "paused waiting approved " THE_REST},
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {PAUSE}, {APPROVE}, {RUN, 3}, {RESUME, 0}},
     DONE,
     .actions = WAITED "paused approved waiting " THE_REST},
    {.gate = ", approve: root",
     .steps = {{RUN, 3}, {PAUSE}, {DENY}, {RUN, 3}, {RESUME, 3}},
     .state = "waiting",
     .stages = "waiting pending",
     .actions = WAITED "paused denied stage.failed " JUDGED "stage.waiting waiting"},
    {.gate = ", approve: root", .steps = {{RUN, 3}, {BACK, 0}}, BACKED, .actions = WAITED ALL_BACK},
    {.measuring = PAUSE,
     .steps = {{RUN, 3}, {RUN, 3}, {RESUME, 0}},
     DONE,
     .actions = "running wish measured paused " JUDGED THE_REST},
    /* what a guard has paused a person pauses, too: it does not go on by itself when that is clear */
    {.stopped = true,
     .asleep = PAUSE,
     .steps = {{RUN, 3}, {RUN, 3}},
     .state = "paused",
     .stages = "pending pending",
     .actions = "stop-all paused wish paused"},
    /* nothing is judged by what may be a part of what there was */
    {.passes = true, .steps = {{RUN, 3}}, .state = "paused", .stages = "verifying pending", .actions = JUDGED "paused"},
    /* it is taken back meanwhile: all of it, or what the application has not written since */
    {.gate = ", soak: 60s", .asleep = BACK, .steps = {{RUN, 3}}, BACKED, .actions = WAITED "wish " ALL_BACK},
    {.gate = ", soak: 60s", .asleep = BACK_LATE, .steps = {{RUN, 8}}, BACKED, .actions = WAITED "wish " ALL_BACK},
    /* it is aborted meanwhile: what is written stands, and of files nothing is to be settled */
    {.gate = ", soak: 60s",
     .asleep = ABORT,
     .steps = {{RUN, 3}},
     .state = "aborted",
     .stages = "waiting pending",
     .actions = WAITED "wish ending aborted"},
    {.gate = ", soak: 60s",
     .target = "store: \"file:out\", dataset: \"others-*.ndjson\"",
     .asleep = ABORT,
     .steps = {{RUN, 3}},
     .state = "aborted",
     .stages = "waiting pending",
     .actions = WAITED "wish aborted"},
    /* a gate that fails: nobody is asked and nothing soaks, and each on_failure has its way */
    {.spoils = 1,
     .steps = {{RUN, 4}, {RUN, 3}, {RESUME, 4}},
     .state = "paused",
     .stages = "failed pending",
     .actions = FAILED "paused " FAILED "paused"},
    {.spoils = 2,
     .steps = {{RUN, 4}, {RESUME, 4}},
     .state = "paused",
     .stages = "passed failed",
     .actions = JUDGED "stage.passed " FAILED "paused " FAILED "paused"},
    {.spoils = 1,
     .gate = ", soak: 1h, approve: root",
     .steps = {{RUN, 4}, {BACK, 8}},
     BACKED,
     .actions = FAILED "paused " ALL_BACK},
    {.spoils = 1, .on_failure = "rollback-stage", .steps = {{RUN, 4}}, BACKED, .actions = FAILED ALL_BACK},
    {.spoils = 2,
     .on_failure = "rollback-stage",
     .steps = {{RUN, 4}, {RUN, 7}, {RESUME, 7}},
     .state = "paused",
     .stages = "passed rolled-back",
     .actions = JUDGED "stage.passed " FAILED "rolling-back stage.rolled-back paused"},
    {.spoils = 2,
     .on_failure = "rollback-stage",
     .steps = {{RUN, 4}, {BACK, 8}},
     BACKED,
     .actions = JUDGED "stage.passed " FAILED "rolling-back stage.rolled-back paused rolling-back stage.rolled-back "
                       "ending rolled-back"},
    {.spoils = 1, .on_failure = "rollback", .steps = {{RUN, 4}}, BACKED, .actions = FAILED ALL_BACK},
    {.spoils = 2,
     .on_failure = "rollback",
     .steps = {{RUN, 4}},
     BACKED,
     .actions = JUDGED "stage.passed " FAILED ALL_BACK},
    /* a shadow goes as a whole */
    {.spoils = 2,
     .target = "store: \"mem:s\", dataset: others, write: shadow",
     .on_failure = "rollback-stage",
     .steps = {{RUN, 4}},
     BACKED,
     .actions = JUDGED "stage.passed " FAILED ALL_BACK},
    /* and files that are appended to */
    {.spoils = 2,
     .target = "store: \"file:out\", dataset: \"others-*.ndjson\"",
     .on_failure = "rollback",
     .steps = {{RUN, 4}},
     BACKED,
     .actions = JUDGED "stage.passed " FAILED FILES_BACK},
    {.spoils = 2,
     .target = "store: \"file:out\", dataset: \"others-*.ndjson\"",
     .on_failure = "rollback-stage",
     .steps = {{RUN, 4}},
     BACKED,
     .actions = JUDGED "stage.passed " FAILED FILES_BACK},
};

/* --- one way through ---------------------------------------------------------------------------------------------- */

static char *NO_GROUPS[] = {NULL};
static const struct person ROOT = {.user = "root", .groups = NO_GROUPS};

struct walk {
    struct scene scene; /* first: the world's clock has it as its self */
    const struct way *way;
    int moves;         /* of stages */
    atomic_bool runs;  /* or is about to */
    atomic_bool waits; /* at the gate, or because all are stopped */
    atomic_bool acted; /* while somebody slept, or measured */
};

static void command(struct walk *walk, enum deed act)
{
    GError *error = NULL;
    enum run_heard heard;
    struct run_result result = {0};
    struct run_wish wish = {.kind = act == PAUSE ? WISH_PAUSE : act == ABORT ? WISH_ABORT : WISH_ROLLBACK};
    struct store_registry *registry = store_registry_new(&walk->scene.fake.world, walk->scene.ours);
    struct run_config config = scene_config(&walk->scene, registry);
    struct setting one = {.key = "budget.records", .value = "1"};
    if (act == BACK_LATE) /* the application has written since */
        scene_put(&walk->scene, "items", "k0", "{\"mine\":1}");
    if (act == SET)
        kit_ok(run_set(&config, walk->scene.run, &(struct run_settings){&one, 1}, &result, &heard, &error));
    else if (act == PAUSE || act == ABORT || act == BACK || act == BACK_LATE)
        kit_ok(run_wish(&config, walk->scene.run, &wish, &result, &heard, &error));
    else
        kit_ok(run_approve(&config, walk->scene.run, act == APPROVE, &result, &heard, &error));
    run_result_done(&result);
    store_registry_free(registry);
}

enum { HEARD_US = 60 * 1000 * 1000, TURN_US = 500 };

/* The wish is the catalog's first. */
static void await_heard(const struct walk *walk)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    int64_t until_us = g_get_monotonic_time() + HEARD_US;
    kit_ok(catalog_open(&catalog, &walk->scene.fake.world, walk->scene.home, CATALOG_EXISTING, &error));
    for (enum wish_fate fate = WISH_IS_OPEN; fate == WISH_IS_OPEN; world_sleep_us(world_real(), TURN_US, NULL)) {
        kit_ok(catalog_wish_fate(catalog, 1, &fate, &error));
        assert_true(g_get_monotonic_time() < until_us);
    }
}

/* The first stage's move to waiting is its third. */
#define WAITS 3

/* A stage is about to be judged at its second move: the canary's at the second of all, the next one's at the fifth. */
static void on_point(void *self, const char *name)
{
    struct walk *walk = self;
    if (strcmp(name, "store.scan_next") == 0 && walk->way->measuring && walk->runs && !walk->acted) {
        walk->acted = true;
        command(walk, walk->way->measuring);
        await_heard(walk);
    }
    if (strcmp(name, "run.moved") == 0) {
        walk->runs = true;
        walk->waits |= walk->way->stopped || walk->moves >= WAITS;
    }
    if (strcmp(name, "stage.moved") == 0 && walk->way->passes && walk->moves == 1)
        walk->scene.fake.wall_ms = PASSED_MS;
    if (strcmp(name, "stage.moved") != 0 || ++walk->moves != 3 * walk->way->spoils - 1)
        return;
    scene_put(&walk->scene, "items", walk->way->spoils == 1 ? "k0" : "k5",
              walk->way->target ? "{\"n\":9}" : "{\"n\":1}");
}

static void on_sleep(struct scene *scene, int64_t us)
{
    struct walk *walk = (struct walk *)scene;
    if (walk->way->asleep == NOTHING || !walk->waits || atomic_exchange(&walk->acted, true))
        return; /* beside it its hooks' threads sleep, too */
    command(walk, walk->way->asleep);
}

static void stop_all(struct walk *walk)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    kit_ok(catalog_open(&catalog, &walk->scene.fake.world, walk->scene.home, CATALOG_CREATE, &error));
    kit_ok(catalog_stop_put(catalog, &(struct act){.actor = "ann@desk"}, &error));
}

static void walk_init(struct walk *walk, const struct way *way)
{
    g_autofree char *hooks = way->hook ? g_strdup_printf(HOOKS, way->hook) : g_strdup("");
    g_autofree char *spec = g_strdup_printf(
        SPEC, way->passes ? UNTIL : "", way->target ? way->target : "store: \"mem:s\", dataset: items",
        way->on_failure ? way->on_failure : "pause", hooks, way->measuring ? MEASURES : "", way->gate ? way->gate : "");
    *walk = (struct walk){.way = way};
    scene_init(&walk->scene, spec, LUA);
    walk->scene.person = &ROOT;
    walk->scene.asleep = on_sleep;
    walk->scene.fake.world.point = on_point;
    walk->scene.fake.world.point_self = walk;
    for (int i = 0; i < 6; i++) {
        char key[3] = {'k', (char)('0' + i), 0};
        scene_put(&walk->scene, "items", key, "{\"n\":1}");
    }
    if (!way->stopped)
        return;
    scene_plan(&walk->scene);
    stop_all(walk);
}

static void walk_step(struct walk *walk, const struct step *step)
{
    walk->scene.lifts_nothing = step->act != RESUME;
    walk->scene.exit_on_pause = step->act == RUN_EXIT;
    if (step->act == BACK)
        scene_taken_back(&walk->scene, step->status);
    else if (step->act == APPROVE || step->act == DENY || step->act == PAUSE)
        command(walk, step->act);
    else if (step->act == PASS)
        walk->scene.fake.wall_ms += 60000;
    else
        scene_ran(&walk->scene, step->status);
}

static char *actions_of(struct scene *scene)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct ledger_entries entries;
    struct ledger_verdict verdict;
    GString *actions = g_string_new(NULL);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(ledger_verify(catalog, NULL, mem, &verdict, &error));
    assert_true(verdict.ok);
    kit_ok(ledger_read(catalog, 2, 1000, mem, &entries, &error)); /* behind `planned` */
    for (size_t i = 0; i < entries.n; i++)
        g_string_append_printf(actions, "%s%s", i ? " " : "", entries.rows[i].action);
    return g_string_free(actions, FALSE);
}

static char *stages_of(struct scene *scene)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct stage_row *rows;
    size_t n;
    GString *stages = g_string_new(NULL);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_stages(catalog, scene_row(scene, mem).id, mem, &rows, &n, &error));
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(stages, "%s%s", i ? " " : "", stage_state_word(rows[i].state));
    return g_string_free(stages, FALSE);
}

static void same(size_t row, const char *what, const char *found, const char *wanted)
{
    if (strcmp(found, wanted) != 0)
        fail_msg("way %zu: %s\n  found  %s\n  wanted %s", row, what, found, wanted);
}

static void every_way_through_a_gate_is_the_tables(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(WAYS); i++) {
        struct walk walk;
        auto_(arena) mem = arena_new(1 << 20);
        walk_init(&walk, &WAYS[i]);
        for (const struct step *step = WAYS[i].steps; step->act != NOTHING; step++)
            walk_step(&walk, step);
        g_autofree char *actions = actions_of(&walk.scene), *stages = stages_of(&walk.scene);
        same(i, "actions", actions, WAYS[i].actions);
        same(i, "stages", stages, WAYS[i].stages);
        same(i, "state", run_state_word(scene_row(&walk.scene, mem).state), WAYS[i].state);
        assert_int_equal(walk.acted, WAYS[i].asleep != NOTHING || WAYS[i].measuring != NOTHING);
        if (strcmp(WAYS[i].state, "done") == 0)
            scene_reconciles(&walk.scene);
        scene_done(&walk.scene);
    }
}

/* It would be over, and its fences and its lock would stand in the store for ever. */
static void a_run_that_cannot_let_go_of_its_store_is_not_aborted(void **state)
{
    static const struct way WHILE[] = {{.gate = ", soak: 60s", .asleep = ABORT}, {.measuring = ABORT}};
    static const enum fault_op LETS_GO[] = {FAULT_FENCE_DROP, FAULT_UNLOCK};
    for (size_t i = 0; i < G_N_ELEMENTS(LETS_GO) * G_N_ELEMENTS(WHILE); i++) {
        struct walk walk;
        auto_(arena) mem = arena_new(1 << 20);
        struct fault_row fails = {.op = LETS_GO[i / 2], .nth = 1, .effect = FAULT_FATAL};
        walk_init(&walk, &WHILE[i % 2]);
        walk.scene.lifts_nothing = true;
        scene_fault(&walk.scene, &fails);
        scene_ran(&walk.scene, 6);
        assert_true(walk.acted);
        assert_int_not_equal(scene_row(&walk.scene, mem).state, RUN_ABORTED);
        scene_fault(&walk.scene, NULL);
        scene_ran(&walk.scene, 3);
        assert_int_equal(scene_row(&walk.scene, mem).state, RUN_ABORTED);
        scene_done(&walk.scene);
    }
}

/* What is in doubt, or was passed over, is for a person as well as what was refused. */
static void a_run_that_is_done_says_by_its_exit_status_whether_all_went_as_asked(void **state)
{
    static const enum outcome REFUSED[] = {OUTCOME_REJECTED, OUTCOME_KEPT_LIVE, OUTCOME_IN_DOUBT, OUTCOME_PASSED_OVER};
    for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        struct run_row row = {.state = RUN_DONE};
        bool refused = false;
        row.tally.of[outcome] = 1;
        for (size_t i = 0; i < G_N_ELEMENTS(REFUSED); i++)
            refused |= outcome == REFUSED[i];
        assert_int_equal(run_done_status(&row), refused ? 8 : 0);
        row.state = RUN_PAUSED;
        assert_int_equal(run_done_status(&row), 0);
    }
}

/* --- hooks -------------------------------------------------------------------------------------------------------- */

static void hooked(struct scene *scene, const char *hooks)
{
    g_autofree char *all = g_strdup_printf("hooks: [%s]\n", hooks);
    g_autofree char *spec = g_strdup_printf(SPEC, "", "store: \"mem:s\", dataset: items", "pause", all, "", "");
    scene_init(scene, spec, LUA);
    for (int i = 0; i < 6; i++) {
        char key[3] = {'k', (char)('0' + i), 0};
        scene_put(scene, "items", key, "{\"n\":1}");
    }
}

#define HOOK(run, must) "{ on: run.running, run: \"" run "\", tries: 1, timeout: 1h, must: " must " }"

static void of_hooks_that_must_hear_the_first_that_has_failed_is_named(void **state)
{
    struct scene scene;
    struct ended ended;
    hooked(&scene,
           HOOK("exit 1", "false") ", " HOOK("true", "true") ", " HOOK("exit 3", "true") ", " HOOK("exit 4", "true"));
    scene_run(&scene, &ended);
    if (ended.status != 3 || !strstr(ended.text, "must hear of run.running, and has failed 1 times") ||
        !(strstr(ended.text, "hook 3 (exit 3)") || strstr(ended.text, "hook 4 (exit 4)")))
        fail_msg("ended with %d: %s", ended.status, ended.text);
    ended_done(&ended);
    scene_done(&scene);
}

/* It has the run wait for ten seconds; whoever goes on delivers it. */
static void a_hook_that_hangs_lets_the_run_end(void **state)
{
    GError *error = NULL;
    struct scene scene;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct delivery *deliveries;
    size_t n;
    hooked(&scene, HOOK("exec sleep 1000", "false"));
    scene_ran(&scene, 0);
    kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_EXISTING, &error));
    kit_ok(catalog_deliveries(catalog, scene_row(&scene, mem).id, mem, &deliveries, &n, &error));
    assert_int_equal(n, 2); /* of both stages */
    for (size_t i = 0; i < n; i++)
        assert_true(deliveries[i].state == DELIVERY_WAITING && deliveries[i].tries == 0); /* it was we who gave up */
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_is_done_says_by_its_exit_status_whether_all_went_as_asked),
        cmocka_unit_test(a_run_that_cannot_let_go_of_its_store_is_not_aborted),
        cmocka_unit_test(every_way_through_a_gate_is_the_tables),
        cmocka_unit_test(of_hooks_that_must_hear_the_first_that_has_failed_is_named),
        cmocka_unit_test(a_hook_that_hangs_lets_the_run_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
