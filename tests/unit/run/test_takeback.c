/* A run is taken back, and something comes meanwhile: a statement of the catalog fails, whichever it is, a guard holds
 * it, somebody has a word with it, its log is damaged. That is told, and the same command goes on. */
#include "kit/failing_step.h"
#include "kit/scene.h"
#include "run/pauser.h"

static const char SPEC[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\nworkers: 1\n";
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = 1\n  return doc\nend\n";

/* How it ended; *ret_met: there was an n-th statement of this thread's. Who is held by a guard does not wait. */
static bool takes_back(struct scene *scene, unsigned nth, bool *ret_met, int *ret_status, GError **error)
{
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    steps_met = 0;
    step_fails = nth;
    bool ok = run_back(&config, scene->run, NULL, &result, error);
    step_fails = 0;
    *ret_met = steps_met >= nth;
    *ret_status = result.exit_status;
    run_result_done(&result);
    store_registry_free(registry);
    return ok;
}

/* Behind the beginning most are looks. */
enum { ALL_UP_TO = 60, THEN_ONE_IN = 5 };

static void each_statement_fails(bool held)
{
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    scene_init(&scene, SPEC, LUA);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_ran(&scene, 0);
    if (held)
        scene_flags(&scene, catalog_stop_put);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (unsigned nth = 1; met; nth += nth < ALL_UP_TO ? 1 : THEN_ONE_IN) {
        g_autoptr(GError) error = NULL;
        int status;
        scene_again(&scene, &kept);
        scene.exit_on_pause = held;
        bool ok = takes_back(&scene, nth, &met, &status, &error);
        if (ok == (error != NULL) || (held && ok && status == 0))
            fail_msg("statement %u: status %d: %s", nth, status, error ? error->message : "nothing is said");
        if (held)
            scene_flags(&scene, catalog_stop_lift);
        if (!ok || status != 0)
            scene_taken_back(&scene, 0);
        scene_holds(&scene, "items", "a", "{\"n\":1}");
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

static void a_statement_that_fails_while_a_run_is_taken_back_is_told(void **state)
{
    each_statement_fails(false);
}

static void a_statement_that_fails_while_a_guard_holds_a_rollback_is_told(void **state)
{
    each_statement_fails(true);
}

/* --- a guard holds it, and something else comes --------------------------------------------------------------------
 */

/* While it waits for the flag to be lifted, or with its write just done once the flag has it paused. */
static const struct held {
    bool under_way;
    enum { LIFTS, SIGNALS, PAUSES, LEAVES, STORE_FAILS } then;
    int status;
    enum run_state state;
    const char *words;
} HELD[] = {
    {false, LIFTS, 0, RUN_ROLLED_BACK, NULL},
    {false, SIGNALS, 3, RUN_INTERRUPTED, "interrupted while it was being rolled back; continue with"},
    {false, PAUSES, 3, RUN_PAUSED, "paused while it was being rolled back; continue with"},
    {false, LEAVES, 3, RUN_PAUSED, "`sluice rollback job.1` goes on then"},
    {true, LIFTS, 0, RUN_ROLLED_BACK, NULL},
    {true, SIGNALS, 3, RUN_INTERRUPTED, "interrupted while it was being rolled back; continue with"},
    {true, STORE_FAILS, 6, RUN_FAILED, "`sluice rollback job.1` goes on"},
};

struct holding {
    struct scene scene; /* first: the world's clock has it as its self */
    const struct held *row;
    atomic_bool flagged, acted;
    atomic_int signals;
};

static bool is_held(struct scene *scene)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row row = scene_row(scene, mem);
    return row.state == RUN_PAUSED && row.guard;
}

static void wish_pause(struct scene *scene)
{
    GError *error = NULL;
    enum run_heard heard;
    struct run_result result = {0};
    struct run_wish wish = {.kind = WISH_PAUSE};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(run_wish(&config, scene->run, &wish, &result, &heard, &error));
    run_result_done(&result);
    store_registry_free(registry);
}

static void then(struct holding *holding)
{
    static const struct fault_row FAILS = {.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_FATAL};
    atomic_store(&holding->acted, true);
    if (holding->row->then == LIFTS)
        scene_flags(&holding->scene, catalog_stop_lift);
    else if (holding->row->then == SIGNALS)
        atomic_store(&holding->signals, 1);
    else if (holding->row->then == PAUSES)
        wish_pause(&holding->scene);
    else if (holding->row->then == STORE_FAILS)
        scene_fault(&holding->scene, &FAILS);
}

/* With a worker at its write there are others who sleep; they do nothing. */
static void on_sleep(struct scene *scene, int64_t us)
{
    struct holding *holding = (struct holding *)scene;
    if (!holding->row->under_way && !atomic_load(&holding->acted) && is_held(scene))
        then(holding);
}

#define HEARD_US (INT64_C(60) * 1000 * 1000)

static void on_point(void *self, const char *name)
{
    struct holding *holding = self;
    if (!holding->row->under_way || strcmp(name, "cas.after") != 0 || atomic_exchange(&holding->flagged, true))
        return;
    scene_flags(&holding->scene, catalog_stop_put);
    for (int64_t until_us = g_get_monotonic_time() + HEARD_US; !is_held(&holding->scene); g_thread_yield())
        assert_true(g_get_monotonic_time() < until_us);
    then(holding);
}

static void whatever_comes_while_a_guard_holds_a_rollback_ends_it_in_its_own_way(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(HELD); i++) {
        struct holding holding = {.row = &HELD[i]};
        struct ended ended;
        auto_(arena) mem = arena_new(1 << 20);
        scene_init(&holding.scene, SPEC, LUA);
        scene_put(&holding.scene, "items", "a", "{\"n\":1}");
        scene_ran(&holding.scene, 0);
        holding.scene.signals = &holding.signals;
        holding.scene.exit_on_pause = HELD[i].then == LEAVES;
        if (!HELD[i].under_way)
            scene_flags(&holding.scene, catalog_stop_put);
        holding.scene.asleep = on_sleep;
        holding.scene.fake.world.point = on_point;
        holding.scene.fake.world.point_self = &holding;
        scene_back(&holding.scene, &ended);
        struct run_row row = scene_row(&holding.scene, mem);
        if (ended.status != HELD[i].status || row.state != HELD[i].state || (HELD[i].then != LEAVES && row.guard) ||
            (HELD[i].words && !strstr(ended.text, HELD[i].words)))
            fail_msg("row %zu ended with %d, %s: %s", i, ended.status, run_state_word(row.state), ended.text);
        ended_done(&ended);
        holding.scene.asleep = NULL;
        holding.scene.fake.world.point = NULL;
        atomic_store(&holding.signals, 0);
        scene_fault(&holding.scene, NULL);
        if (HELD[i].then != LIFTS)
            scene_flags(&holding.scene, catalog_stop_lift);
        scene_taken_back(&holding.scene, 0);
        scene_holds(&holding.scene, "items", "a", "{\"n\":1}");
        scene_done(&holding.scene);
    }
}

/* --- from a stage on -----------------------------------------------------------------------------------------------
 */

#define STAGES                                                                                                         \
    "partitions: { size: 2 }\nstages: [{ name: canary, scope: 1 partitions, order: listed }, { name: full, scope: "    \
    "100% }]\n"
#define HEAD "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"
static const char IN_PLACE[] = HEAD "target: { store: \"mem:s\", dataset: items }\nworkers: 1\n" STAGES;
static const char SHADOW[] = HEAD "target: { store: \"mem:s\", dataset: items, write: shadow }\nworkers: 1\n" STAGES;
static const char INTO_FILES[] = HEAD "target: { store: \"file:out\", dataset: \"o-*.ndjson\" }\nworkers: 1\n" STAGES;

static void from_stage(struct scene *scene, const char *stage, struct ended *ret)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_back(&config, scene->run, stage, &result, &error);
    assert_true(ok == !error);
    *ret = (struct ended){.status = ok ? result.exit_status : error_exit_status(error),
                          .by_error = !ok,
                          .text = g_strdup(ok ? result.text : error->message)};
    g_clear_error(&error);
    run_result_done(&result);
    store_registry_free(registry);
}

static void ends(struct scene *scene, const char *stage, int status, const char *words)
{
    struct ended ended;
    from_stage(scene, stage, &ended);
    if (ended.status != status || (words && (!ended.text || !strstr(ended.text, words))))
        fail_msg("ended with %d: %s; expected %d: %s", ended.status, ended.text, status, words);
    ended_done(&ended);
}

static void staged(struct scene *scene, const char *spec, int status)
{
    scene_init(scene, spec, LUA);
    for (int i = 0; i < 6; i++) {
        char key[] = {'k', (char)('0' + i), 0};
        scene_put(scene, "items", key, "{\"n\":1}");
    }
    scene_ran(scene, status);
}

static void of_one_piece_no_stage_is_taken_back_alone(void **state)
{
    struct scene scene;
    staged(&scene, SHADOW, 3);
    ends(&scene, "full", 7, "a shadow, and what was promoted, is taken back as a whole");
    ends(&scene, "canary", 0, NULL);
    scene_done(&scene);
    staged(&scene, INTO_FILES, 0);
    ends(&scene, "full", 7, "its target is append-only, and is taken back as a whole");
    ends(&scene, "canary", 0, NULL);
    scene_done(&scene);
}

static void what_the_log_cannot_tell_of_a_stage_is_said_beside_what_stands(void **state)
{
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    staged(&scene, IN_PLACE, 0);
    g_autofree char *path = g_build_filename(scene.home, "undo", "job.1", "000001.undo", NULL);
    kit_damage(path);
    ends(&scene, "full", 8, "damaged");
    struct run_row row = scene_row(&scene, mem);
    assert_string_equal(pauser_of(&row), PAUSER_BACK);
    ends(&scene, "full", 8, "those before it stand: `sluice rollback job.1` takes them back too");
    ends(&scene, NULL, 8, "damaged");
    ends(&scene, NULL, 8, "is rolled back already");
    scene_done(&scene);
    staged(&scene, IN_PLACE, 0);
    ends(&scene, "full", 0, NULL);
    ends(&scene, "full", 0, "those before it stand");
    ends(&scene, NULL, 0, NULL);
    ends(&scene, NULL, 0, "is rolled back already");
    scene_done(&scene);
}

/* What was said of it stands in the ledger, behind whatever was said since. */
static void what_the_log_could_not_tell_is_remembered_behind_many_entries(void **state)
{
    GError *error = NULL;
    struct scene scene;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct act act = {.actor = "ann@desk"};
    staged(&scene, IN_PLACE, 0);
    g_autofree char *path = g_build_filename(scene.home, "undo", "job.1", "000001.undo", NULL);
    kit_damage(path);
    ends(&scene, "full", 8, "damaged");
    kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_EXISTING, &error));
    int64_t run = scene_row(&scene, mem).id;
    for (int i = 0; i < 200; i++) {
        struct setting setting = {.key = "protect.rate.max", .value = i % 2 ? "1000/s" : "2000/s"};
        kit_ok(catalog_setting_add(catalog, run, &setting, &act, &error));
    }
    ends(&scene, "full", 8, "those before it stand");
    scene_done(&scene);
}

static void what_a_rollback_of_a_stage_left_is_told_by_the_same_command_again(void **state)
{
    struct scene scene;
    staged(&scene, IN_PLACE, 0);
    scene_put(&scene, "items", "k5", "{\"n\":2}");
    for (int i = 0; i < 2; i++)
        ends(&scene, "full", 8, "those before it stand");
    ends(&scene, NULL, 8, NULL);
    scene_holds(&scene, "items", "k5", "{\"n\":2}");
    scene_done(&scene);
}

/* Of all of it, or of what its second stage wrote. */
static void a_statement_that_fails_while_a_rollback_is_foretold_is_told(void **state)
{
    static const struct {
        const char *stage;
        uint64_t keys;
    } ROWS[] = {{NULL, 6}, {"full", 4}};
    struct scene scene;
    staged(&scene, IN_PLACE, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        bool met = true;
        for (unsigned nth = 1; met; nth++) {
            g_autoptr(GError) error = NULL;
            struct run_back_plan plan = {0};
            struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
            struct run_config config = scene_config(&scene, registry);
            steps_met = 0;
            step_fails = nth;
            bool ok = run_back_preview(&config, scene.run, ROWS[i].stage, &plan, &error);
            step_fails = 0;
            met = steps_met >= nth;
            if (ok == met || ok != !error || (ok && plan.keys != ROWS[i].keys))
                fail_msg("statement %u: %d keys: %s", nth, (int)plan.keys, error ? error->message : "nothing is said");
            store_registry_free(registry);
        }
    }
    scene_done(&scene);
}

/* --- damaged under way ------------------------------------------------------------------------------------------- */

static size_t n_back(struct scene *scene)
{
    size_t n = 0;
    for (int i = 0; i < 6; i++) {
        char key[] = {'k', (char)('0' + i), 0};
        g_autofree char *json = scene_json(scene, "items", key, NULL);
        n += json && strcmp(json, "{\"n\":1}") == 0;
    }
    return n;
}

static char *undo_file(struct scene *scene, const char *name)
{
    return g_build_filename(scene->home, "undo", "job.1", name, NULL);
}

static void dies_at(struct scene *scene, enum op_kind kind)
{
    struct process process;
    process_begin(&process, scene, JOB_BACK);
    process_until(&process, 0, kind);
    process_die(&process);
}

/* Of a byte so far from the end. */
static void flip_a_bit(const char *path, gsize from_end)
{
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(from_end > 0 && from_end <= len);
    bytes[len - from_end] ^= 0x10;
    assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

static gsize length(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return len;
}

/* The rollback has died, and what its chains name cannot be read any more: two keys of six, of one block. */
static void what_is_damaged_while_a_rollback_is_under_way_is_listed_and_the_rest_goes_back(void **state)
{
    static const enum op_kind DIES[] = {OP_SCAN, OP_CAS, OP_CHECKPOINT};
    for (size_t i = 0; i < G_N_ELEMENTS(DIES); i++) {
        struct scene scene;
        staged(&scene, IN_PLACE, 0);
        g_autofree char *log = undo_file(&scene, "000001.undo");
        gsize forward = length(log);
        dies_at(&scene, DIES[i]);
        flip_a_bit(log, length(log) - forward / 2);
        ends(&scene, NULL, 8, "2 keys that could not be taken back");
        ends(&scene, NULL, 8, "is rolled back already");
        assert_int_equal(n_back(&scene), DIES[i] == OP_CHECKPOINT ? 6 : 4);
        scene_done(&scene);
    }
}

/* Its partitions are stretches of chains that are gone, or damaged: they are made again as they were, though some of
 * them have gone back since. */
static void chains_that_are_lost_under_way_are_made_again(void **state)
{
    static const enum op_kind DIES[] = {OP_SCAN, OP_OUTCOME, OP_CHECKPOINT};
    for (size_t i = 0; i < 3 * G_N_ELEMENTS(DIES); i++) {
        struct scene scene;
        staged(&scene, IN_PLACE, 0);
        dies_at(&scene, DIES[i / 3]);
        g_autofree char *chains = undo_file(&scene, "chains");
        if (i % 3 == 0)
            assert_int_equal(unlink(chains), 0);
        else
            flip_a_bit(chains, i % 3 == 1 ? length(chains) / 2 : 3);
        ends(&scene, NULL, 0, NULL);
        assert_int_equal(n_back(&scene), 6);
        scene_done(&scene);
    }
}

/* Nothing of its chains is taken for made that is not. */
static void a_call_on_the_log_that_fails_while_a_run_is_taken_back_is_told(void **state)
{
    enum { AT_LEAST = 20 };
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    staged(&scene, IN_PLACE, 0);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (uint64_t nth = 1; met; nth++) {
        struct ended ended;
        scene_again(&scene, &kept);
        fake_world_arm(&scene.fake, (struct fake_fault){.path = "/undo/", .nth = nth, .number = EIO});
        from_stage(&scene, NULL, &ended);
        met = scene.fake.fired > 0;
        fake_world_arm(&scene.fake, (struct fake_fault){0});
        if ((!met && (ended.status != 0 || nth <= AT_LEAST)) || (ended.status == 0 && n_back(&scene) != 6))
            fail_msg("call %d: %d: %s", (int)nth, ended.status, ended.text);
        if (ended.status != 0)
            scene_taken_back(&scene, 0);
        assert_int_equal(n_back(&scene), 6);
        ended_done(&ended);
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

/* Neither of the two is told by the other any more. */
static void chains_that_are_lost_beside_a_damaged_log_are_asked_for_by_name(void **state)
{
    struct scene scene;
    staged(&scene, IN_PLACE, 0);
    dies_at(&scene, OP_SCAN);
    g_autofree char *log = undo_file(&scene, "000001.undo"), *chains = undo_file(&scene, "chains");
    g_autofree char *whole = NULL;
    gsize len;
    assert_true(g_file_get_contents(chains, &whole, &len, NULL));
    assert_int_equal(unlink(chains), 0);
    kit_damage(log);
    for (int i = 0; i < 2; i++)
        ends(&scene, NULL, 6, "from a copy of the home");
    assert_int_equal(n_back(&scene), 0);
    assert_true(g_file_set_contents(chains, whole, (gssize)len, NULL));
    ends(&scene, NULL, 8, "2 keys that could not be taken back");
    assert_int_equal(n_back(&scene), 4);
    scene_done(&scene);
}

/* A store that ends what reads it. */
static struct {
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
    enum error_code fails; /* INTERNAL: it does not */
} odd;

static bool read_oddly(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    return odd.fails == SLUICE_ERROR_INTERNAL ? odd.read(session, call, io, n, error)
                                              : error_set(error, odd.fails, "no more");
}

static void turn_odd(struct scene *scene)
{
    odd.fails = SLUICE_ERROR_INTERNAL;
    odd.read = scene->faulty_mem.table.read;
    scene->faulty_mem.table.read = read_oddly;
}

static void a_stage_whose_rollback_did_not_come_to_its_end_is_taken_back_by_the_same_command(void **state)
{
    static const struct {
        enum error_code fails;
        int status;
        enum run_state state;
    } ROWS[] = {{SLUICE_ERROR_HALTED, 5, RUN_HALTED}, {SLUICE_ERROR_STORE, 6, RUN_FAILED}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        auto_(arena) mem = arena_new(1 << 20);
        staged(&scene, IN_PLACE, 0);
        turn_odd(&scene);
        odd.fails = ROWS[i].fails;
        ends(&scene, "full", ROWS[i].status, "no more");
        assert_int_equal(scene_row(&scene, mem).state, ROWS[i].state);
        odd.fails = SLUICE_ERROR_INTERNAL;
        ends(&scene, "full", 0, "the stages from full on are taken back");
        assert_int_equal(scene_row(&scene, mem).state, RUN_PAUSED);
        scene_holds(&scene, "items", "k5", "{\"n\":1}");
        ends(&scene, NULL, 0, NULL);
        scene_done(&scene);
    }
}

/* --- what its failure asked for ------------------------------------------------------------------------------------
 */

struct failing {
    struct scene scene;
    int moves; /* of stages */
    bool halts;
};

/* The canary is about to be judged: the application has put back a record of it, and the store takes nothing more. */
static void spoil(void *self, const char *name)
{
    static const struct fault_row FAILS = {.op = FAULT_CAS, .nth = 1, .lasting = true, .effect = FAULT_FATAL};
    struct failing *failing = self;
    if (strcmp(name, "stage.moved") != 0)
        return;
    if (++failing->moves == 2)
        scene_put(&failing->scene, "items", "k0", "{\"n\":1}");
    else if (failing->moves == 3 && failing->halts)
        odd.fails = SLUICE_ERROR_HALTED;
    else if (failing->moves == 3)
        scene_fault(&failing->scene, &FAILS);
}

/* How it ended is of more account than that the gate had failed; what is owed is done by `run`, whatever was verified
 * meanwhile, but for what was halted: a person has to want that. */
static void a_rollback_that_a_failure_asked_for_and_that_fails_says_so_and_stays_owed(void **state)
{
    for (int halts = 0; halts < 2; halts++) {
        struct failing failing = {.halts = halts};
        struct verify_result found;
        auto_(arena) mem = arena_new(1 << 20);
        scene_init(&failing.scene, IN_PLACE, LUA);
        g_autofree char *spec = g_strconcat(IN_PLACE, "on_failure: rollback\n", NULL);
        scene_file(&failing.scene, "job.yaml", spec);
        for (int i = 0; i < 6; i++) {
            char key[] = {'k', (char)('0' + i), 0};
            scene_put(&failing.scene, "items", key, "{\"n\":1}");
        }
        turn_odd(&failing.scene);
        failing.scene.fake.world.point = spoil;
        failing.scene.fake.world.point_self = &failing;
        scene_ran(&failing.scene, halts ? 5 : 6);
        assert_int_equal(scene_row(&failing.scene, mem).state, halts ? RUN_HALTED : RUN_FAILED);
        odd.fails = SLUICE_ERROR_INTERNAL;
        scene_fault(&failing.scene, NULL);
        failing.scene.fake.world.point = NULL;
        scene_verify(&failing.scene, &found);
        verify_result_done(&found);
        scene_ran(&failing.scene, halts ? 7 : 4);
        if (halts)
            scene_taken_back(&failing.scene, 8);
        assert_int_equal(scene_row(&failing.scene, mem).state, RUN_ROLLED_BACK);
        scene_holds(&failing.scene, "items", "k1", "{\"n\":1}");
        scene_done(&failing.scene);
    }
}

/* --- what is said of damage ----------------------------------------------------------------------------------------
 */

static void the_first_damage_that_lies_somewhere_is_named(void **state)
{
    const struct undo_damage NOWHERE = {.keys = 3}, FIRST = {.at = {1, 40}, .keys = 2},
                             SECOND = {.at = {2, 60}, .keys = 1};
    const struct {
        struct undo_damage damage[3];
        size_t n;
        const char *words;
    } ROWS[] = {
        {{NOWHERE}, 1, "with 3 keys that could not be taken back: no segment holds their entries any more"},
        {{FIRST},
         1,
         "1 blocks of the undo log are damaged, with 2 keys that could not be taken back; the first is in segment 1 at "
         "offset 40"},
        {{NOWHERE, FIRST, SECOND},
         3,
         "with 6 keys that could not be taken back; the first is in segment 1 at offset 40"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *text = takeback_damage(ROWS[i].damage, ROWS[i].n);
        if (!strstr(text, ROWS[i].words))
            fail_msg("row %zu: %s", i, text);
    }
}

/* --- signals of a spec ---------------------------------------------------------------------------------------------
 */

#define SIGNAL(name)     "{ name: " name ", run: ./there-is-none, above: 1, every: 1s, timeout: 1s }"
#define SIGNALLED(given) HEAD "target: { store: \"mem:s\", dataset: items }\nworkers: 1\n" given

static bool noted;

static void hear_of_the_spec(struct scene *scene, const struct run_event *event)
{
    noted |= event->kind == RUN_EVENT_NOTE && strstr(event->text, "is not there any more as it was");
}

/* The limits of its signals are the plan's, where they are asked the spec's. */
static void signals_are_asked_where_the_spec_is_there_as_it_was(void **state)
{
    static const char AS_IT_WAS[] = SIGNALLED("protect: { signals: [" SIGNAL("a") ", " SIGNAL("b") "] }\n");
    static const struct {
        const char *spec; /* NULL: it is gone */
        bool asked;
    } ROWS[] = {
        {AS_IT_WAS, true},
        {SIGNALLED("protect: { signals: [" SIGNAL("a") ", " SIGNAL("c") "] }\n"), false},
        {SIGNALLED("protect: { signals: [" SIGNAL("a") "] }\n"), false},
        {"sluice: 1\n", false},
        {NULL, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct process process;
        scene_init(&scene, AS_IT_WAS, LUA);
        scene_put(&scene, "items", "a", "{\"n\":1}");
        process_first(&process, &scene);
        process_done(&process);
        scene_holds(&scene, "items", "a", "{\"n\":1,\"times\":1}");
        if (ROWS[i].spec)
            assert_true(g_file_set_contents(scene.spec_path, ROWS[i].spec, -1, NULL));
        else
            assert_int_equal(unlink(scene.spec_path), 0);
        scene.exit_on_pause = true;
        scene.event = hear_of_the_spec;
        noted = false;
        ends(&scene, NULL, ROWS[i].asked ? 3 : 0, ROWS[i].asked ? "guard: a: it cannot be read" : NULL);
        if (noted == ROWS[i].asked)
            fail_msg("row %zu: %s", i, noted ? "told" : "nobody is told that signals are not asked");
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_that_fails_while_a_run_is_taken_back_is_told),
        cmocka_unit_test(a_statement_that_fails_while_a_guard_holds_a_rollback_is_told),
        cmocka_unit_test(a_statement_that_fails_while_a_rollback_is_foretold_is_told),
        cmocka_unit_test(whatever_comes_while_a_guard_holds_a_rollback_ends_it_in_its_own_way),
        cmocka_unit_test(of_one_piece_no_stage_is_taken_back_alone),
        cmocka_unit_test(what_the_log_cannot_tell_of_a_stage_is_said_beside_what_stands),
        cmocka_unit_test(what_the_log_could_not_tell_is_remembered_behind_many_entries),
        cmocka_unit_test(what_is_damaged_while_a_rollback_is_under_way_is_listed_and_the_rest_goes_back),
        cmocka_unit_test(chains_that_are_lost_under_way_are_made_again),
        cmocka_unit_test(a_call_on_the_log_that_fails_while_a_run_is_taken_back_is_told),
        cmocka_unit_test(chains_that_are_lost_beside_a_damaged_log_are_asked_for_by_name),
        cmocka_unit_test(what_a_rollback_of_a_stage_left_is_told_by_the_same_command_again),
        cmocka_unit_test(a_stage_whose_rollback_did_not_come_to_its_end_is_taken_back_by_the_same_command),
        cmocka_unit_test(a_rollback_that_a_failure_asked_for_and_that_fails_says_so_and_stays_owed),
        cmocka_unit_test(the_first_damage_that_lies_somewhere_is_named),
        cmocka_unit_test(signals_are_asked_where_the_spec_is_there_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
