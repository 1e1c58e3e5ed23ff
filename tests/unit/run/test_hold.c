/* Whose a lock on a dataset is. */
#include "catalog/ledger.h"
#include "catalog/lock.h"
#include "kit/scene.h"

#define SPEC(name)                                                                                                     \
    "sluice: 1\nname: " name "\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"             \
    "target: { store: \"mem:s\", dataset: items }\nworkers: 1\n"
static const char LUA[] = "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n";

/* job.1 is done; who wanted to take it back has locked the dataset, and has not got any further. */
static void is_about_to_be_taken_back(struct scene *scene)
{
    static const struct fault_row UNHEARD = {.op = FAULT_LOCK, .nth = 1, .effect = FAULT_LOST, .lasting = true};
    struct ended ended;
    scene_init(scene, SPEC("job"), LUA);
    scene_put(scene, "items", "a", "{\"times\":0}");
    scene_ran(scene, 0);
    scene_fault(scene, &UNHEARD);
    scene_back(scene, &ended);
    assert_int_equal(ended.status, 6);
    ended_done(&ended);
    scene_fault(scene, NULL);
    scene_file(scene, "job.yaml", SPEC("other"));
    scene->run = "other.1";
}

static void who_took_the_lock_and_died_has_it_no_longer(void **state)
{
    struct scene scene;
    is_about_to_be_taken_back(&scene);
    scene_ran(&scene, 0);
    scene_holds(&scene, "items", "a", "{\"times\":2}");
    scene_done(&scene);
}

static void who_took_the_lock_and_is_still_about_it_has_it(void **state)
{
    struct scene scene;
    struct run_lock *still;
    struct ended ended;
    GError *error = NULL;
    is_about_to_be_taken_back(&scene);
    kit_ok(run_lock_take(&still, &scene.fake.world, scene.home, "job.1", &error));
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 7);
    assert_int_equal(ended.code, SLUICE_ERROR_LOCKED);
    assert_non_null(strstr(ended.text, "locked by run job.1 "));
    ended_done(&ended);
    scene_holds(&scene, "items", "a", "{\"times\":1}");
    run_lock_free(still);
    scene_ran(&scene, 0);
    scene_done(&scene);
}

/* A store in which another has taken what nobody had, by the time that it could be taken over. */
struct quicker {
    struct scene scene;
    bool (*lock)(struct session *, const struct call *, struct store_lock *, bool, GError **);
    bool taken;
    size_t gone; /* of those who have it */
};

static struct quicker *quicker_of(struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct quicker *)(gpointer)(table - offsetof(struct quicker, scene.faulty_mem.table));
}

static bool lock_quicker(struct session *session, const struct call *call, struct store_lock *io, bool force,
                         GError **error)
{
    struct quicker *quicker = quicker_of(session);
    struct store_lock other = {.run = "quick.1", .host = "desk", .home = "/elsewhere", .run_uid = {9}};
    bool ok = quicker->lock(session, call, io, force, error);
    if (!ok && !quicker->taken)
        quicker->taken = quicker->lock(session, call, &other, true, NULL);
    return ok;
}

static void of_two_who_take_over_a_lock_one_has_it(void **state)
{
    struct quicker quicker = {0};
    struct ended ended;
    is_about_to_be_taken_back(&quicker.scene);
    quicker.lock = quicker.scene.faulty_mem.write.lock;
    quicker.scene.faulty_mem.write.lock = lock_quicker;
    scene_run(&quicker.scene, &ended);
    assert_int_equal(ended.status, 7);
    assert_int_equal(ended.code, SLUICE_ERROR_LOCKED);
    assert_non_null(strstr(ended.text, "locked by run quick.1 of host desk, home /elsewhere"));
    ended_done(&ended);
    scene_holds(&quicker.scene, "items", "a", "{\"times\":1}");
    scene_done(&quicker.scene);
}

/* Whose it is nobody can read. */
static bool lock_damaged(struct session *session, const struct call *call, struct store_lock *io, bool force,
                         GError **error)
{
    struct quicker *quicker = quicker_of(session);
    return force ? quicker->lock(session, call, io, force, error)
                 : error_set(error, SLUICE_ERROR_CORRUPT, "the lock is damaged; --force-unlock removes it");
}

static void a_damaged_lock_is_taken_by_force_alone(void **state)
{
    struct quicker quicker = {0};
    struct ended ended;
    scene_init(&quicker.scene, SPEC("job"), LUA);
    scene_put(&quicker.scene, "items", "a", "{\"times\":0}");
    quicker.lock = quicker.scene.faulty_mem.write.lock;
    quicker.scene.faulty_mem.write.lock = lock_damaged;
    scene_run(&quicker.scene, &ended);
    assert_int_equal(ended.code, SLUICE_ERROR_CORRUPT);
    assert_non_null(strstr(ended.text, "--force-unlock"));
    ended_done(&ended);
    scene_holds(&quicker.scene, "items", "a", "{\"times\":0}");
    quicker.scene.force_unlock = true;
    scene_ran(&quicker.scene, 0);
    scene_holds(&quicker.scene, "items", "a", "{\"times\":1}");
    scene_done(&quicker.scene);
}

/* Patterns that overlap, of two runs: the second is in the way once the first is not. */
static bool lock_crowded(struct session *session, const struct call *call, struct store_lock *io, bool force,
                         GError **error)
{
    static const char *const RUNS[] = {"one.1", "two.1"};
    struct quicker *quicker = quicker_of(session);
    quicker->gone += !force && quicker->gone < G_N_ELEMENTS(RUNS) && io->over_uid[0] == quicker->gone + 1;
    if (force || quicker->gone == G_N_ELEMENTS(RUNS))
        return quicker->lock(session, call, io, force, error);
    *io = (struct store_lock){
        .run = RUNS[quicker->gone], .host = "desk", .home = "/elsewhere", .run_uid = {(uint8_t)(quicker->gone + 1)}};
    return error_set(error, SLUICE_ERROR_LOCKED, "locked");
}

/* From whom, as the ledger says. */
static char *forced(struct scene *scene)
{
    GError *error = NULL;
    struct ledger_entries entries;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(catalog) catalog = NULL;
    GString *runs = g_string_new(NULL);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_READ_ONLY, &error));
    kit_ok(ledger_read(catalog, 1, 100, mem, &entries, &error));
    for (size_t i = 0; i < entries.n; i++)
        if (strcmp(entries.rows[i].action, "force-unlock") == 0)
            g_string_append_printf(runs, "%s\n", entries.rows[i].details);
    return g_string_free(runs, FALSE);
}

static void whoever_is_locked_out_by_force_is_on_record(void **state)
{
    struct quicker quicker = {0};
    struct ended ended;
    scene_init(&quicker.scene, SPEC("job"), LUA);
    scene_put(&quicker.scene, "items", "a", "{\"times\":0}");
    quicker.lock = quicker.scene.faulty_mem.write.lock;
    quicker.scene.faulty_mem.write.lock = lock_crowded;
    scene_run(&quicker.scene, &ended);
    assert_int_equal(ended.code, SLUICE_ERROR_LOCKED);
    ended_done(&ended);
    quicker.scene.force_unlock = true;
    scene_ran(&quicker.scene, 0);
    scene_holds(&quicker.scene, "items", "a", "{\"times\":1}");
    g_autofree char *said = forced(&quicker.scene);
    assert_string_equal(said, "{\"held_by\":{\"home\":\"/elsewhere\",\"host\":\"desk\",\"run\":\"one.1\"}}\n"
                              "{\"held_by\":{\"home\":\"/elsewhere\",\"host\":\"desk\",\"run\":\"two.1\"}}\n");
    scene_done(&quicker.scene);
}

/* The dataset is locked by somebody. */
static const struct holder {
    const char *run, *home; /* NULL: this one's */
    bool other_uid;         /* than the run of that name has here */
    bool taken;             /* for it is nobody's */
} HOLDERS[] = {
    {"job.1", NULL, false, true},  {"job.1", NULL, true, false},   {"job.1", "/elsewhere", false, false},
    {"job.7", NULL, false, false}, {"open.1", NULL, false, false}, /* planned, and not over */
};

static void lock_by(struct scene *scene, const struct holder *holder)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(catalog) catalog = NULL;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->theirs);
    struct store *store;
    struct session *session;
    struct dataset ds = {.name = "items"};
    struct run_row row = {0};
    struct call call = {.ds = &ds, .mem = mem};
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_READ_ONLY, &error));
    struct store_lock lock = {
        .run = holder->run, .host = "desk", .home = holder->home ? holder->home : catalog_home(catalog)};
    if (catalog_run_get(catalog, holder->run, mem, &row, NULL))
        memcpy(lock.run_uid, row.uid, sizeof lock.run_uid);
    lock.run_uid[0] ^= holder->other_uid;
    kit_ok(store_open(&store, registry, &(struct store_config){.uri = "mem:s", .base_dir = scene->dir}, &error));
    kit_ok(store_session_open(&session, store, &error));
    kit_ok(store_lock(session, &call, &lock, true, &error));
    store_session_close(session);
    store_release(registry, store);
    store_registry_free(registry);
}

static void of_whom_a_lock_is_decides_and_force_takes_it_from_anybody(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(HOLDERS); i++) {
        struct scene scene;
        struct ended ended;
        scene_init(&scene, SPEC("job"), LUA);
        scene_put(&scene, "items", "a", "{\"times\":0}");
        scene_ran(&scene, 0);
        scene_file(&scene, "job.yaml", SPEC("open"));
        scene.run = "open.1";
        scene_plan(&scene);
        scene_file(&scene, "job.yaml", SPEC("other"));
        scene.run = "other.1";
        lock_by(&scene, &HOLDERS[i]);
        scene_run(&scene, &ended);
        if (ended.status != (HOLDERS[i].taken ? 0 : 7))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        ended_done(&ended);
        scene.force_unlock = true;
        scene_ran(&scene, 0);
        scene_holds(&scene, "items", "a", "{\"times\":2}");
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_took_the_lock_and_died_has_it_no_longer),
        cmocka_unit_test(who_took_the_lock_and_is_still_about_it_has_it),
        cmocka_unit_test(of_two_who_take_over_a_lock_one_has_it),
        cmocka_unit_test(a_damaged_lock_is_taken_by_force_alone),
        cmocka_unit_test(whoever_is_locked_out_by_force_is_on_record),
        cmocka_unit_test(of_whom_a_lock_is_decides_and_force_takes_it_from_anybody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
