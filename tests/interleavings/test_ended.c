/* A run that was ended with another copy of its home: the older one hears of it, and writes nothing. */
#include "catalog/ledger.h"
#include "interleavings/specs.h"
#include "kit/scene.h"

enum { KEYS = 10 };

#define SHADOWED                                                                                                       \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items, write: shadow }\npartitions: { size: 4 }\nworkers: 1\n"

static void begin(struct scene *scene, const char *spec)
{
    scene_init(scene, spec, ONCE_MORE);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
    }
}

static void all_are(struct scene *scene, const char *json)
{
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_holds(scene, "items", key, json);
    }
}

/* A command that scene.h does not have. */
static void command(struct scene *scene, struct ended *ret,
                    bool (*run)(const struct run_config *, const char *, struct run_result *, GError **))
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run(&config, scene->run, &result, &error);
    *ret = (struct ended){.status = ok ? result.exit_status : error_exit_status(error),
                          .text = g_strdup(ok ? result.text : error->message)};
    run_result_done(&result);
    g_clear_error(&error);
    store_registry_free(registry);
}

static void abort_it(struct scene *scene, struct ended *ret)
{
    command(scene, ret, run_abort);
}

static void promote(struct scene *scene, struct ended *ret)
{
    command(scene, ret, run_promote);
}

static bool second_stage_back(const struct run_config *config, const char *name, struct run_result *ret, GError **error)
{
    return run_back(config, name, "second", ret, error);
}

static void ends(struct scene *scene, void (*by)(struct scene *, struct ended *), int status, const char *words)
{
    struct ended ended;
    by(scene, &ended);
    if (ended.status != status || (words && (!ended.text || !strstr(ended.text, words))))
        fail_msg("ended with %d: %s; expected %d: %s", ended.status, ended.text ? ended.text : "", status,
                 words ? words : "");
    ended_done(&ended);
}

/* Another run takes the dataset's lock, ends, and gives it back. false: somebody has it. */
static bool another_run(struct scene *scene, bool force)
{
    GError *error = NULL;
    struct store_lock lock = {.run = "another.1", .host = "h", .home = "/another", .run_uid = {7}};
    struct store_config config = {.uri = "mem:s", .base_dir = scene->dir};
    auto_(arena) mem = arena_new(1 << 20);
    auto_(store_registry) registry = store_registry_new(&scene->fake.world, scene->theirs);
    struct dataset ds = {.name = "items"};
    struct call call = {.ds = &ds, .mem = mem};
    struct store *store;
    struct session *session;
    kit_ok(store_open(&store, registry, &config, &error));
    kit_ok(store_session_open(&session, store, &error));
    bool had = store_lock(session, &call, &lock, force, NULL);
    if (had) {
        kit_ok(store_end_mark(session, &call, lock.run_uid, slice_of_text("{}"), &error));
        kit_ok(store_unlock(session, &call, lock.run_uid, &error));
    }
    store_session_close(session);
    store_release(registry, store);
    return had;
}

/* --- how the home stands when it is copied ------------------------------------------------------------------------ */

static void planned(struct scene *scene)
{
    scene_plan(scene);
}

/* It was stopped: with the lock alone, before a first write, behind one that no checkpoint counts, and in the last of
 * its partitions. */
static void stopped_at(struct scene *scene, enum fault_op op, uint64_t nth)
{
    struct ended ended;
    scene_fault(scene, &(struct fault_row){.op = op, .nth = nth, .effect = FAULT_FATAL});
    scene_run(scene, &ended);
    assert_int_not_equal(ended.status, 0);
    assert_int_equal(scene->plan.fired[op], 1);
    ended_done(&ended);
    scene_fault(scene, NULL);
}

static void locked(struct scene *scene)
{
    stopped_at(scene, FAULT_LANE_OPEN, 1);
}

static void opened(struct scene *scene)
{
    stopped_at(scene, FAULT_CAS, 1);
}

static void wrote(struct scene *scene)
{
    stopped_at(scene, FAULT_SETTLE, 1);
}

static void wrote_more(struct scene *scene)
{
    stopped_at(scene, FAULT_CAS, 3);
}

static void (*const COPIED[])(struct scene *) = {planned, locked, opened, wrote, wrote_more};

/* --- how it is ended ---------------------------------------------------------------------------------------------- */

static const struct ending {
    void (*by)(struct scene *, struct ended *);
    bool back; /* behind its end it is taken back */
} ENDINGS[] = {{scene_run, false}, {scene_run, true}, {scene_back, false}, {abort_it, false}};

static void an_older_home_writes_nothing_once_the_run_was_ended_with_a_copy(void **state)
{
    for (size_t copied = 0; copied < G_N_ELEMENTS(COPIED); copied++)
        for (size_t ending = 0; ending < G_N_ELEMENTS(ENDINGS); ending++) {
            struct scene scene;
            if (COPIED[copied] == planned && ENDINGS[ending].by == scene_back)
                continue; /* there is nothing to take back */
            begin(&scene, SAME_DATASET);
            COPIED[copied](&scene);
            scene_keep_home(&scene);
            ends(&scene, ENDINGS[ending].by, 0, NULL);
            if (ENDINGS[ending].back)
                scene_taken_back(&scene, 0);
            g_autofree char *image = scene_image(&scene, "items");
            scene_restore_home(&scene);
            for (int again = 0; again < 2; again++) {
                ends(&scene, scene_run, 7, "of which this home");
                ends(&scene, scene_back, 7,
                     COPIED[copied] == planned ? "there is nothing to take back" : "of which this home");
            }
            assert_true(another_run(&scene, false));
            ends(&scene, abort_it, 0, "aborted here alone");
            g_autofree char *after = scene_image(&scene, "items");
            assert_string_equal(after, image);
            assert_true(another_run(&scene, false));
            scene_done(&scene);
        }
}

static void acts(struct scene *scene, int times)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct ledger_entry entry = {.actor = "ann@desk", .action = "export"};
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    for (int i = 0; i < times; i++)
        kit_ok(ledger_append(catalog, &entry, &error));
}

/* Its ledger has an entry of that number by now, which is another one. */
static void nor_does_one_in_which_more_was_done_since_than_in_the_copy(void **state)
{
    struct scene scene;
    begin(&scene, SAME_DATASET);
    wrote(&scene);
    scene_keep_home(&scene);
    scene_ran(&scene, 0);
    scene_restore_home(&scene);
    acts(&scene, 100);
    ends(&scene, scene_run, 7, "of which this home");
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

/* The process that ends the run dies on the way: fences are gone, the lock is, or is not. */
static void nor_does_one_while_the_run_is_being_ended(void **state)
{
    static const enum fault_op GOES[] = {FAULT_FENCE_DROP, FAULT_UNLOCK};
    for (size_t i = 0; i < G_N_ELEMENTS(GOES); i++) {
        struct scene scene;
        struct ended ended;
        begin(&scene, SAME_DATASET);
        wrote(&scene);
        scene_keep_home(&scene);
        scene_fault(&scene, &(struct fault_row){.op = GOES[i], .nth = 1, .effect = FAULT_LOST});
        scene_run(&scene, &ended);
        assert_int_not_equal(ended.status, 0);
        ended_done(&ended);
        scene_fault(&scene, NULL);
        scene_restore_home(&scene);
        ends(&scene, scene_run, 7, "of which this home");
        all_are(&scene, "{\"times\":1}");
        scene_done(&scene);
    }
}

static void nor_does_one_from_before_a_promotion(void **state)
{
    struct scene scene;
    begin(&scene, SHADOWED);
    scene_ran(&scene, 3);
    scene_keep_home(&scene);
    ends(&scene, promote, 0, NULL);
    all_are(&scene, "{\"times\":1}");
    scene_restore_home(&scene);
    ends(&scene, promote, 7, "of which this home");
    ends(&scene, scene_run, 7, "of which this home");
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

static void back_to_the_second_stage(struct scene *scene, struct ended *ret)
{
    command(scene, ret, second_stage_back);
}

/* A run that was over is taken back in part, and what is left is to stand. It has had an end before, which the older
 * home knows. */
static void nor_one_from_between_two_ends(void **state)
{
    struct scene scene;
    begin(&scene, SAME_DATASET "stages: [{ name: first, scope: 1 partitions }, { name: second, scope: 100% }]\n");
    scene_ran(&scene, 0);
    ends(&scene, back_to_the_second_stage, 0, "those before it stand");
    scene_keep_home(&scene);
    ends(&scene, abort_it, 0, NULL);
    g_autofree char *image = scene_image(&scene, "items");
    scene_restore_home(&scene);
    ends(&scene, scene_back, 7, "of which this home");
    g_autofree char *after = scene_image(&scene, "items");
    assert_string_equal(after, image);
    scene_done(&scene);
}

/* --- whom it does not concern ------------------------------------------------------------------------------------- */

static const enum fault_op AT_THE_END[] = {FAULT_END_MARK, FAULT_FENCE_DROP, FAULT_UNLOCK};
static const enum fault_effect EFFECTS[] = {FAULT_FATAL, FAULT_LOST};

/* The home that ended it goes on wherever its process died, and takes back what it has ended. */
static void the_home_itself_goes_on_behind_every_step_of_the_end(void **state)
{
    for (size_t op = 0; op < G_N_ELEMENTS(AT_THE_END); op++)
        for (size_t effect = 0; effect < G_N_ELEMENTS(EFFECTS); effect++) {
            struct scene scene;
            struct ended ended;
            begin(&scene, SAME_DATASET);
            scene_fault(&scene, &(struct fault_row){.op = AT_THE_END[op], .nth = 1, .effect = EFFECTS[effect]});
            scene_run(&scene, &ended);
            assert_int_not_equal(ended.status, 0);
            ended_done(&ended);
            scene_fault(&scene, NULL);
            scene_ran(&scene, 0);
            all_are(&scene, "{\"times\":1}");
            scene_fault(&scene, &(struct fault_row){.op = AT_THE_END[op], .nth = 1, .effect = EFFECTS[effect]});
            scene_back(&scene, &ended);
            assert_int_not_equal(ended.status, 0);
            ended_done(&ended);
            scene_fault(&scene, NULL);
            scene_taken_back(&scene, 0);
            all_are(&scene, "{\"times\":0}");
            assert_true(another_run(&scene, false));
            scene_done(&scene);
        }
}

/* Copied once it is over, or while it waits: whoever goes on has all that was written. */
static void a_copy_from_behind_the_end_and_a_home_whose_run_is_not_ended_go_on(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COPIED); i++) {
        struct scene scene;
        begin(&scene, SAME_DATASET);
        COPIED[i](&scene);
        scene_keep_home(&scene);
        scene_restore_home(&scene);
        scene_ran(&scene, 0);
        all_are(&scene, "{\"times\":1}");
        scene_keep_home(&scene);
        scene_restore_home(&scene);
        scene_taken_back(&scene, 0);
        all_are(&scene, "{\"times\":0}");
        scene_done(&scene);
    }
}

/* Another run took the dataset by force while this one lay still, and has come to its end. */
static void a_lock_that_another_run_took_and_gave_back_is_no_end_of_this_one(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COPIED); i++) {
        struct scene scene;
        begin(&scene, SAME_DATASET);
        COPIED[i](&scene);
        assert_int_equal(another_run(&scene, false), COPIED[i] == planned);
        assert_true(another_run(&scene, true));
        scene_ran(&scene, 0);
        all_are(&scene, "{\"times\":1}");
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_home_writes_nothing_once_the_run_was_ended_with_a_copy),
        cmocka_unit_test(nor_does_one_in_which_more_was_done_since_than_in_the_copy),
        cmocka_unit_test(nor_does_one_while_the_run_is_being_ended),
        cmocka_unit_test(nor_does_one_from_before_a_promotion),
        cmocka_unit_test(nor_one_from_between_two_ends),
        cmocka_unit_test(the_home_itself_goes_on_behind_every_step_of_the_end),
        cmocka_unit_test(a_copy_from_behind_the_end_and_a_home_whose_run_is_not_ended_go_on),
        cmocka_unit_test(a_lock_that_another_run_took_and_gave_back_is_no_end_of_this_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
