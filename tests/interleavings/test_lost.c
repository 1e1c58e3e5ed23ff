/* Servers that lose what a checkpoint counts, and say that they are others than before. */
#include "interleavings/specs.h"
#include "kit/scene.h"
#include "run/again.h"

/* A store whose servers are replaced: its history is a letter, and how often it was handed on without a loss. */
struct lossy {
    struct scene scene; /* first: the world's clock has it as its self */
    char history[3];
    const char *at;                  /* the kill point at whose `nth` passage … */
    int nth;                         /* … `lose` happens; counted down */
    const char *key, *json;          /* what stands there again then */
    const char *says_yes, *says_no;  /* keys of which the fence tells; of the others it is lost */
    int asked;                       /* of how many writes it was asked whether they stand */
    const struct while_again *again; /* what happens while what was lost is done again; NULL: nothing */
    int moves;                       /* of the run, since it is known … */
    bool known;                      /* … that it was lost */
    int fails;                       /* so many looks fail, … */
    enum error_code fails_with;      /* … with that */
    atomic_int signals;
    atomic_uint looks; /* of who watches, each with a sleep behind it */
    uint64_t sent;     /* cas calls until it happened */
};

struct history {
    struct lossy *lossy;
};

static struct lossy *lossy_of(struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct lossy *)(gpointer)(table - offsetof(struct lossy, scene.faulty_mem.table));
}

static bool note(struct session *session, const struct call *call, const struct witness *witness, struct slice was,
                 const char **ret, GError **error)
{
    struct lossy *lossy = lossy_of(session);
    if (was.len && was.data[0] != lossy->history[0])
        return error_set(error, SLUICE_ERROR_UNSETTLED, "another server");
    *ret = arena_text(call->mem, slice_of_text(lossy->history));
    return true;
}

static bool look(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                 GError **error)
{
    struct lossy *lossy = lossy_of(session);
    if (lossy->fails > 0 && lossy->fails--)
        return error_set(error, lossy->fails_with, "being replaced");
    *ret = g_new0(struct history, 1);
    (*ret)->lossy = lossy;
    return true;
}

static void look_free(struct history *history)
{
    g_free(history);
}

static bool holds(struct history *now, struct slice was, const struct witness *witness, struct arena *mem,
                  const char **ret_where)
{
    assert_true(witness->lane > 0);
    *ret_where = was.data[0] == now->lossy->history[0] ? NULL : "there";
    return true;
}

static bool is_key(const char *key, struct slice bytes)
{
    return key && slice_equal(slice_of_text(key), bytes);
}

static bool stands(struct session *session, const struct call *call, const struct standing_wish *wish, GError **error)
{
    struct lossy *lossy = lossy_of(session);
    assert_string_equal(wish->where, "there");
    for (size_t i = 0; i < wish->n; i++) {
        struct standing_look *look = &wish->io[i];
        look->ret = is_key(lossy->says_yes, look->key)  ? STANDING_YES
                    : is_key(lossy->says_no, look->key) ? STANDING_NO
                                                        : STANDING_UNKNOWN;
    }
    lossy->asked += (int)wish->n;
    return true;
}

static const struct history_ops HISTORY = {
    .note = note, .look = look, .free = look_free, .holds = holds, .stands = stands};

#define ONE_STAGE SAME_DATASET "stages: [{ name: full, scope: \"100%\" }]\n"
#define STAGED    SAME_DATASET "stages: [{ name: canary, scope: \"50%\" }, { name: full, scope: \"100%\" }]\n"

static void replace(struct lossy *lossy)
{
    lossy->history[0]++;
}

static void meanwhile(struct lossy *lossy, const char *name);

static void on_point(void *self, const char *name)
{
    struct lossy *lossy = self;
    meanwhile(lossy, name);
    if (!lossy->at || strcmp(name, lossy->at) != 0 || --lossy->nth != 0)
        return;
    scene_put(&lossy->scene, "items", lossy->key, lossy->json);
    replace(lossy);
    lossy->at = NULL;
}

#define KEYS 8

static void text_of(char into[2][32], int i, int times)
{
    snprintf(into[0], sizeof into[0], "k%d", i);
    snprintf(into[1], sizeof into[1], "{\"n\":%d,\"times\":%d}", i, times);
}

static void begin_with(struct lossy *lossy, const char *spec)
{
    *lossy = (struct lossy){.history = "a"};
    scene_init(&lossy->scene, spec, ONCE_MORE);
    lossy->scene.faulty_mem.table.history = &HISTORY;
    lossy->scene.fake.world.point = on_point;
    lossy->scene.fake.world.point_self = lossy;
}

static void begin_spec(struct lossy *lossy, const char *spec)
{
    begin_with(lossy, spec);
    for (int i = 0; i < KEYS; i++) {
        char text[2][32];
        text_of(text, i, 0);
        scene_put(&lossy->scene, "items", text[0], text[1]);
    }
}

static void begin(struct lossy *lossy)
{
    begin_spec(lossy, ONE_STAGE);
}

static void each_is(struct lossy *lossy, int times)
{
    for (int i = 0; i < KEYS; i++) {
        char text[2][32];
        text_of(text, i, times);
        scene_holds(&lossy->scene, "items", text[0], text[1]);
    }
}

/* The server is another one, with the key as it was before the run. */
static void lose(struct lossy *lossy, int i)
{
    char text[2][32];
    text_of(text, i, 0);
    scene_put(&lossy->scene, "items", text[0], text[1]);
    replace(lossy);
}

static void all_written(struct lossy *lossy)
{
    struct process process;
    process_first(&process, &lossy->scene);
    process_done(&process);
}

/* Once, and as if nothing had happened: also for the rollback. */
static void ends_well(struct lossy *lossy)
{
    each_is(lossy, 1);
    assert_int_equal(scene_count(&lossy->scene, OUTCOME_WRITTEN), KEYS);
    scene_reconciles(&lossy->scene);
    scene_taken_back(&lossy->scene, 0);
    each_is(lossy, 0);
    scene_done(&lossy->scene);
}

static void what_was_lost_behind_its_checkpoint_is_done_again_when_the_run_is_taken_up(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    lose(&lossy, 1);
    lose(&lossy, 6);
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

static void what_is_lost_while_its_gate_judges_is_done_again_before_it_passes(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.at = "stage.moved";
    lossy.nth = 2; /* running, verifying */
    lossy.key = "k2";
    lossy.json = "{\"n\":2,\"times\":0}";
    scene_ran(&lossy.scene, 0);
    assert_null(lossy.at);
    ends_well(&lossy);
}

static void what_a_stage_that_passed_has_lost_is_done_again_and_verified(void **state)
{
    for (int key = 0; key < KEYS; key++) {
        struct lossy lossy;
        char text[2][32];
        text_of(text, key, 0);
        begin_with(&lossy, STAGED);
        for (int i = 0; i < KEYS; i++) {
            char put[2][32];
            text_of(put, i, 0);
            scene_put(&lossy.scene, "items", put[0], put[1]);
        }
        lossy.at = "stage.moved";
        lossy.nth = 4; /* the canary's three, then the next one runs */
        lossy.key = text[0];
        lossy.json = text[1];
        scene_ran(&lossy.scene, 0);
        assert_null(lossy.at);
        ends_well(&lossy);
    }
}

static void what_the_application_wrote_since_is_in_doubt_and_left_as_it_is(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    scene_put(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    lose(&lossy, 1);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    assert_int_equal(lost, 2);
    process_die(&process);
    process_whole(&lossy.scene, JOB_FORWARD);
    scene_holds(&lossy.scene, "items", "k1", "{\"n\":1,\"times\":1}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 1);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_WRITTEN), KEYS - 1);
    assert_true(scene_notes(&lossy.scene, "k3", SLUICE_ERROR_IN_DOUBT));
    scene_reconciles(&lossy.scene);
    scene_done(&lossy.scene);
}

static void a_server_that_has_all_of_it_is_not_asked_again(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    scene_put(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    memcpy(lossy.history, "a1", sizeof lossy.history);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    assert_int_equal(lost, 0);
    process_die(&process);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    scene_done(&lossy.scene);
}

static void a_server_that_is_replaced_between_a_write_and_its_checkpoint_counts_nothing(void **state)
{
    struct lossy lossy;
    struct process process;
    begin(&lossy);
    process_first(&process, &lossy.scene);
    process_until(&process, 0, OP_SETTLE);
    replace(&lossy);
    process_step(&process, 0);
    assert_int_equal(process_wish(&process, 0)->kind, OP_GRANT);
    process_done(&process);
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

static void a_rollback_that_a_server_forgot_is_done_again(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    process_whole(&lossy.scene, JOB_BACK);
    each_is(&lossy, 0);
    scene_put(&lossy.scene, "items", "k4", "{\"n\":4,\"times\":1}");
    replace(&lossy);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_reconciles(&lossy.scene);
    scene_done(&lossy.scene);
}

/* What stands there is not what the run left, whoever put it there. */
static void a_rollback_leaves_and_lists_what_a_server_forgot_before_it(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    lose(&lossy, 5);
    scene_taken_back(&lossy.scene, 8);
    assert_true(scene_notes(&lossy.scene, "k5", SLUICE_ERROR_LEFT));
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

/* --- the fence tells ---------------------------------------------------------------------------------------------- */

/* Written, then the application writes k3 and the server is another one; what the fence says of k3 decides. */
static void told(struct lossy *lossy, const char *live)
{
    struct process process;
    size_t lost;
    GError *error = NULL;
    all_written(lossy);
    if (live)
        scene_put(&lossy->scene, "items", "k3", live);
    else
        scene_remove(&lossy->scene, "items", "k3");
    replace(lossy);
    process_begin(&process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy->scene, JOB_FORWARD);
    assert_int_equal(lossy->asked, KEYS);
    scene_reconciles(&lossy->scene);
}

static void what_the_fence_has_stands_whatever_the_application_wrote_since(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_yes = "k3";
    told(&lossy, "{\"n\":33,\"times\":5}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_WRITTEN), KEYS);
    scene_done(&lossy.scene);
}

static void what_the_fence_lacks_is_done_again_upon_what_the_application_wrote_since(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, "{\"n\":33,\"times\":5}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":6}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    scene_taken_back(&lossy.scene, 0);
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    scene_done(&lossy.scene);
}

static void what_the_fence_lacks_and_yet_stands_is_not_done_twice(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, "{\"n\":3,\"times\":1}");
    each_is(&lossy, 1);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

static void what_was_deleted_is_not_brought_back(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "k3", NULL);
    scene_done(&lossy.scene);
}

/* Without a fence nobody knows whether it was lost or deleted. */
static void what_is_absent_and_had_stood_before_is_in_doubt_where_the_fence_is_lost(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    told(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "k3", NULL);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 1);
    assert_true(scene_notes(&lossy.scene, "k3", SLUICE_ERROR_IN_DOUBT));
    scene_done(&lossy.scene);
}

static void the_log_ends_amid_its_last_block(struct scene *scene)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", "000001.undo", NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)len - 9, NULL));
}

/* Power and servers go at one moment, behind a checkpoint: of k0 a server knows, of k1 the record tells. Both are
 * written into the log, for a rollback goes by it. */
static void what_is_learnt_of_writes_whose_outcomes_are_lost_is_taken_back_too(void **state)
{
    struct lossy lossy;
    struct process process;
    size_t lost;
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    begin(&lossy);
    scene_plan(&lossy.scene);
    process_begin_small(&process, &lossy.scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
    the_log_ends_amid_its_last_block(&lossy.scene);
    scene_drop_fences(&lossy.scene, scene_row(&lossy.scene, mem).uid);
    lossy.says_yes = "k0";
    replace(&lossy);
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy.scene, JOB_FORWARD);
    assert_int_equal(lossy.asked, 2);
    ends_well(&lossy);
}

/* After every number of steps of doing it again. */
static void who_dies_while_it_is_done_again_does_not_do_it_twice(void **state)
{
    bool over = false;
    for (int steps = 0; !over; steps++) {
        struct lossy lossy;
        struct process process;
        size_t lost;
        GError *error = NULL;
        begin(&lossy);
        all_written(&lossy);
        lose(&lossy, 1);
        lose(&lossy, 2);
        process_begin(&process, &lossy.scene, JOB_FORWARD);
        kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
        assert_int_equal(lost, 2);
        for (int i = 0; i < steps && !over; i++) {
            over = process_wish(&process, 0)->kind == OP_END;
            if (!over)
                process_step(&process, 0);
        }
        process_die(&process);
        if (steps % 2)
            replace(&lossy); /* and the next server has got all of it */
        scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
        assert_true(steps < 200);
    }
}

static void made(struct lossy *lossy, const char *says_no)
{
    begin_with(lossy, OVERWRITE);
    lossy->says_no = says_no;
    scene_put(&lossy->scene, "origin", "made", "{\"n\":1,\"times\":0}");
    scene_put(&lossy->scene, "origin", "over", "{\"n\":2,\"times\":0}");
    scene_put(&lossy->scene, "items", "over", "{\"n\":9,\"times\":9}");
    all_written(lossy);
    scene_remove(&lossy->scene, "items", "made");
    scene_put(&lossy->scene, "items", "over", "{\"n\":9,\"times\":9}");
    replace(lossy);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy->scene, JOB_FORWARD);
    scene_holds(&lossy->scene, "items", "over", "{\"n\":2,\"times\":1}");
}

static void of_a_record_that_was_made_nobody_knows_whether_it_was_lost_or_deleted(void **state)
{
    struct lossy lossy;
    made(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "made", NULL);
    assert_true(scene_notes(&lossy.scene, "made", SLUICE_ERROR_IN_DOUBT));
    scene_taken_back(&lossy.scene, 8);
    scene_holds(&lossy.scene, "items", "over", "{\"n\":9,\"times\":9}");
    scene_done(&lossy.scene);
}

static void a_record_that_was_made_is_made_again_where_the_fence_knows_that_it_was_lost(void **state)
{
    struct lossy lossy;
    made(&lossy, "made");
    scene_holds(&lossy.scene, "items", "made", "{\"n\":1,\"times\":1}");
    scene_taken_back(&lossy.scene, 0);
    scene_holds(&lossy.scene, "items", "made", NULL);
    scene_holds(&lossy.scene, "items", "over", "{\"n\":9,\"times\":9}");
    scene_done(&lossy.scene);
}

#define SHADOWED                                                                                                       \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items, write: shadow }\npartitions: { size: 4 }\nworkers: 1\n"               \
    "stages: [{ name: full, scope: \"100%\" }]\n"

static void promote(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_promote(&config, scene->run, &result, &error);
    *ret = (struct ended){.status = ok ? result.exit_status : error_exit_status(error),
                          .text = g_strdup(ok ? result.text : error->message)};
    run_result_done(&result);
    g_clear_error(&error);
    store_registry_free(registry);
}

/* Behind its shadow's drop nothing could bring the new record back. */
static void what_a_promotion_lost_is_promoted_again_before_its_shadow_is_dropped(void **state)
{
    struct lossy lossy;
    begin_spec(&lossy, SHADOWED);
    scene_ran(&lossy.scene, 3);
    each_is(&lossy, 0);
    lossy.at = "checkpoint.after";
    lossy.nth = 1;
    lossy.key = "k1";
    lossy.json = "{\"n\":1,\"times\":0}";
    scene_ran_at(&lossy.scene, promote, 0, __FILE__, __LINE__);
    assert_null(lossy.at);
    each_is(&lossy, 1);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_PROMOTED), KEYS);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

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
    struct fault_row fault;
    int status;
    const char *words;
};

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
    if (again->replaced)
        lose(lossy, 1);
}

static void begin_while(struct lossy *lossy, const struct while_again *again)
{
    begin_spec(lossy, STAGED);
    lossy->again = again;
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
        begin_while(&lossy, again);
        scene_run(&lossy.scene, &ended);
        if (lossy.again || ended.status != again->status || (again->words && !strstr(ended.text, again->words)))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text ? ended.text : "no words");
        assert_true(!again->idle || lossy.scene.plan.calls[FAULT_CAS] == lossy.sent);
        ended_done(&ended);
        scene_fault(&lossy.scene, NULL);
        atomic_store(&lossy.signals, 0);
        if (again->key)
            say(&lossy, false, WISH_SET, again->key, "none");
        if (again->spoils) { /* it stays so until somebody looks into it */
            scene_ran(&lossy.scene, 5);
            put_all(&lossy, 1);
        }
        if (again->status != 0)
            scene_ran(&lossy.scene, 0);
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
        begin(&lossy);
        all_written(&lossy);
        lose(&lossy, 1);
        lossy.fails = ROWS[i].fails;
        lossy.fails_with = ROWS[i].with;
        scene_ran(&lossy.scene, ROWS[i].status);
        lossy.fails = 0;
        if (ROWS[i].status != 0)
            scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
    }
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

/* Written by a sluice, or to a store, that kept no conditions: nothing tells that it was lost, but for the gate. */
static void checkpoints_without_conditions_are_told_by_the_gate_alone(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.scene.faulty_mem.table.history = NULL;
    all_written(&lossy);
    lossy.scene.faulty_mem.table.history = &HISTORY;
    lose(&lossy, 1);
    scene_ran(&lossy.scene, 4);
    scene_taken_back(&lossy.scene, 8);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lost_behind_its_checkpoint_is_done_again_when_the_run_is_taken_up),
        cmocka_unit_test(what_is_lost_while_its_gate_judges_is_done_again_before_it_passes),
        cmocka_unit_test(what_a_stage_that_passed_has_lost_is_done_again_and_verified),
        cmocka_unit_test(what_the_application_wrote_since_is_in_doubt_and_left_as_it_is),
        cmocka_unit_test(a_server_that_has_all_of_it_is_not_asked_again),
        cmocka_unit_test(a_server_that_is_replaced_between_a_write_and_its_checkpoint_counts_nothing),
        cmocka_unit_test(a_rollback_that_a_server_forgot_is_done_again),
        cmocka_unit_test(a_rollback_leaves_and_lists_what_a_server_forgot_before_it),
        cmocka_unit_test(what_the_fence_has_stands_whatever_the_application_wrote_since),
        cmocka_unit_test(what_the_fence_lacks_is_done_again_upon_what_the_application_wrote_since),
        cmocka_unit_test(what_the_fence_lacks_and_yet_stands_is_not_done_twice),
        cmocka_unit_test(what_was_deleted_is_not_brought_back),
        cmocka_unit_test(what_is_absent_and_had_stood_before_is_in_doubt_where_the_fence_is_lost),
        cmocka_unit_test(what_is_learnt_of_writes_whose_outcomes_are_lost_is_taken_back_too),
        cmocka_unit_test(who_dies_while_it_is_done_again_does_not_do_it_twice),
        cmocka_unit_test(of_a_record_that_was_made_nobody_knows_whether_it_was_lost_or_deleted),
        cmocka_unit_test(a_record_that_was_made_is_made_again_where_the_fence_knows_that_it_was_lost),
        cmocka_unit_test(whatever_comes_while_it_is_done_again_it_ends_as_if_nothing_had),
        cmocka_unit_test(a_look_at_servers_that_are_being_replaced_is_asked_for_again),
        cmocka_unit_test(servers_that_are_replaced_time_and_again_halt_it),
        cmocka_unit_test(checkpoints_without_conditions_are_told_by_the_gate_alone),
        cmocka_unit_test(what_a_promotion_lost_is_promoted_again_before_its_shadow_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
