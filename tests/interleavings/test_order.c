/* What stands on disk before what: the order of the durable steps, looked at from outside, call by call. */
#include <sqlite3.h>

#include "interleavings/specs.h"
#include "kit/scene.h"
#include "run/worker_state.h"

/* --- files that are written and not synced -------------------------------------------------------------------------
 */

/* Below the home, but for the catalog, which SQLite sees to, and what only living processes lock. */
struct ledger {
    struct scene *scene;
    GHashTable *files, *folders; /* written, or something made or renamed in them, since their last sync */
    GHashTable *absent;          /* opened before they were there */
    bool synced;                 /* anything at all */
};

static bool is_ours(const struct ledger *ledger, const char *path)
{
    return g_str_has_prefix(path, ledger->scene->home) && !strstr(path, "/catalog.db") && !strstr(path, "/runs");
}

/* The sample is synced before it is renamed. What the verifier sees of its records later, behind it, no write rests on:
 * what is lost of that is told as not comparable. */
static bool is_seen_later(const char *path)
{
    return g_str_has_suffix(path, "/sample.0");
}

static void in_folder(struct ledger *ledger, const char *path)
{
    g_hash_table_add(ledger->folders, g_path_get_dirname(path));
}

static void on_rename(struct ledger *ledger, const char *to)
{
    g_autofree char *from = g_strconcat(to, ".tmp", NULL);
    if (g_hash_table_contains(ledger->files, from))
        fail_msg("%s is renamed before it is synced", from);
    in_folder(ledger, to);
}

static void on_call(void *self, const char *call, const char *path, bool sqlite, bool chosen)
{
    struct ledger *ledger = self;
    if (!is_ours(ledger, path))
        return;
    if (strcmp(call, "open") == 0 && !g_file_test(path, G_FILE_TEST_EXISTS))
        g_hash_table_add(ledger->absent, g_strdup(path));
    if (strcmp(call, "pwrite") == 0 && !is_seen_later(path)) {
        if (g_hash_table_remove(ledger->absent, path))
            in_folder(ledger, path);
        g_hash_table_add(ledger->files, g_strdup(path));
    } else if (strcmp(call, "rename") == 0) {
        on_rename(ledger, path);
    } else if (strcmp(call, "mkdir") == 0 && strcmp(path, ledger->scene->home) != 0) {
        in_folder(ledger, path);
    } else if (strcmp(call, "fsync") == 0) {
        ledger->synced |= g_hash_table_remove(ledger->files, path) || g_hash_table_remove(ledger->folders, path);
    }
}

static GHashTable *names_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void ledger_begin(struct ledger *ledger, struct scene *scene)
{
    *ledger = (struct ledger){.scene = scene, .files = names_new(), .folders = names_new(), .absent = names_new()};
    scene->fake.told = on_call;
    scene->fake.told_self = ledger;
}

static void ledger_done(struct ledger *ledger)
{
    assert_true(ledger->synced);
    ledger->scene->fake.told = NULL;
    g_hash_table_unref(ledger->files);
    g_hash_table_unref(ledger->folders);
    g_hash_table_unref(ledger->absent);
}

static void all_synced_of(const struct ledger *ledger, GHashTable *names, const char *but, const char *when)
{
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, names);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        if (!but || !g_str_has_suffix(name, but))
            fail_msg("%s is not synced when %s", (const char *)name + strlen(ledger->scene->home), when);
}

static void all_synced(const struct ledger *ledger, const char *but, const char *when)
{
    all_synced_of(ledger, ledger->files, but, when);
    all_synced_of(ledger, ledger->folders, NULL, when);
}

/* --- runs
 * --------------------------------------------------------------------------------------------------------------- */

#define REFUSES                                                                                                        \
    "function transform(doc, ctx)\n  if doc.n % 3 == 1 then return ctx.reject('third') end\n"                          \
    "  doc.times = doc.times + 1\n  return doc\nend\n"

enum { KEYS = 8 };

static void begin(struct scene *scene, const char *spec, const char *lua)
{
    scene_init(scene, spec, lua);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        g_autofree char *json = g_strdup_printf("{\"n\":%d,\"times\":0,\"to\":\"t%d\"}", i, i / 3);
        scene_put(scene, "items", key, json);
        scene_put(scene, "origin", key, json);
    }
}

static void what_a_checkpoint_names_and_a_write_rests_on_is_synced_before_it(void **state)
{
    static const char *const SPECS[] = {SAME_DATASET, FILL, OVERWRITE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct process process;
        struct ledger ledger;
        uint64_t checkpoints = 0, writes = 0;
        begin(&scene, SPECS[i], REFUSES);
        ledger_begin(&ledger, &scene);
        scene_plan(&scene);
        all_synced(&ledger, NULL, "a plan is frozen");
        process_begin_small(&process, &scene, JOB_FORWARD, 2);
        all_synced(&ledger, NULL, "the first partition is granted");
        for (struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0)) {
            if (op->kind == OP_CAS && ++writes)
                all_synced(&ledger, NULL, "a write is sent");
            if (op->kind == OP_CHECKPOINT && ++checkpoints) /* of outcomes the fence tells until the next intents */
                all_synced(&ledger, op->checkpoint.row.last ? NULL : ".undo", "a checkpoint is taken");
        }
        assert_int_equal(checkpoints, KEYS / 2);
        assert_true(writes > 0);
        process_die(&process);
        ledger_done(&ledger);
        scene_done(&scene);
    }
}

/* Of what a batch does: the steps in the order in which they must be durable. */
static void the_outcomes_of_a_batch_are_in_the_log_and_settled_before_its_checkpoint(void **state)
{
    static const enum op_kind ORDER[] = {OP_LOG, OP_CAS, OP_OUTCOME, OP_SETTLE, OP_CHECKPOINT};
    struct scene scene;
    struct process process;
    size_t at = 0, batches = 0;
    begin(&scene, SAME_DATASET, ONCE_MORE);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 2);
    for (struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0)) {
        bool durable = false;
        for (size_t i = 0; i < G_N_ELEMENTS(ORDER); i++)
            durable |= op->kind == ORDER[i];
        if (!durable)
            continue;
        assert_int_equal(op->kind, ORDER[at]);
        at = (at + 1) % G_N_ELEMENTS(ORDER);
        batches += at == 0;
    }
    assert_int_equal(batches, KEYS / 2);
    process_die(&process);
    scene_done(&scene);
}

/* Settles of the worker until its end, a letter each: Every server is asked, or those that it wrote on. */
static char *settles_until_the_end(struct process *process, size_t most)
{
    GString *settles = g_string_new(NULL);
    struct op *op;
    while (settles->len < most && (op = process_wish(process, 0))->kind != OP_END) {
        if (op->kind == OP_SETTLE)
            g_string_append_c(settles, op->settle.witness.everywhere ? 'E' : '-');
        process_step(process, 0);
    }
    return g_string_free(settles, FALSE);
}

/* What a dead holder wrote may stand on servers that this one has never written on. Once is enough, and of a partition
 * that nobody had before there is nothing to ask for: it would wait for every server of a cluster, batch by batch. */
static void only_the_first_settle_of_a_partition_taken_over_asks_every_server(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, SAME_DATASET, ONCE_MORE);
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 1);
    g_autofree char *fresh = settles_until_the_end(&process, 1);
    assert_string_equal(fresh, "-");
    process_die(&process);
    process_begin_small(&process, &scene, JOB_FORWARD, 1);
    g_autofree char *over = settles_until_the_end(&process, SIZE_MAX);
    assert_true(g_str_has_prefix(over, "E--"));
    assert_int_equal(strrchr(over, 'E') - over, 0);
    process_die(&process);
    scene_done(&scene);
}

static void assert_keys_differ(const struct op *op)
{
    for (size_t i = 0; i < op->cas.n; i++)
        for (size_t k = 0; k < i; k++)
            assert_false(slice_equal(op->cas.ops[i].key, op->cas.ops[k].key));
}

/* A store may apply the operations of one call in any order, or together. */
static void two_writes_of_one_key_never_go_out_in_one_call(void **state)
{
    static const char *const SPECS[] = {KEYED_BY_FIELD(", write: in-place, conflict: overwrite"),
                                        KEYED_BY_FIELD(", write: fill")};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct process process;
        size_t calls = 0;
        begin(&scene, SPECS[i], ONCE_MORE);
        process_first(&process, &scene);
        for (struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0))
            if (op->kind == OP_CAS && ++calls)
                assert_keys_differ(op);
        assert_true(calls > 0);
        process_die(&process);
        scene_done(&scene);
    }
}

/* --- what a resume takes for its own -------------------------------------------------------------------------------
 */

/* A process that has taken so many checkpoints and dies with the writes of one more batch done (or, `idle`, with none),
 * and the next one when it has read the log. */
static void die_behind(struct scene *scene, struct process *process, size_t checkpoints, bool idle)
{
    process_begin_small(process, scene, JOB_FORWARD, 2);
    for (size_t i = 0; i < checkpoints; i++) {
        process_until(process, 0, OP_CHECKPOINT);
        process_step(process, 0);
    }
    if (!idle)
        process_until(process, 0, OP_CHECKPOINT);
    process_die(process);
    process_begin_small(process, scene, JOB_FORWARD, 2);
    process_until(process, 0, OP_SCAN);
}

static void a_resume_remembers_exactly_the_writes_that_no_checkpoint_accounts_for(void **state)
{
    static const struct {
        size_t checkpoints;
        bool idle, again; /* the next one dies too, with writes of its own lane done */
        uint64_t left;
    } ROWS[] = {{1, true, false, 0}, {1, false, false, 2}, {0, false, false, 2}, {1, true, true, 2}};
    for (size_t r = 0; r < G_N_ELEMENTS(ROWS); r++) {
        struct scene scene;
        struct process process;
        begin(&scene, SAME_DATASET, ONCE_MORE);
        scene_plan(&scene);
        die_behind(&scene, &process, ROWS[r].checkpoints, ROWS[r].idle);
        if (ROWS[r].again) {
            process_die(&process);
            die_behind(&scene, &process, 0, false);
        }
        assert_true(process.workers[0]->tail.n > 0);
        assert_int_equal(process.workers[0]->applied_left, ROWS[r].left);
        process_done(&process);
        for (int i = 0; i < KEYS; i++) {
            g_autofree char *key = g_strdup_printf("k%d", i);
            g_autofree char *json = g_strdup_printf("{\"n\":%d,\"times\":1,\"to\":\"t%d\"}", i, i / 3);
            scene_holds(&scene, "items", key, json);
        }
        scene_done(&scene);
    }
}

/* All of the first batch is written by one who dies before its checkpoint; the next takes that, and dies with intents
 * of its own; a third one goes on. */
static void die_twice(struct scene *scene)
{
    struct process process;
    process_begin_small(&process, scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_die(&process);
    process_begin_small(&process, scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_until(&process, 0, OP_CAS);
    process_die(&process);
}

/* A record behind the checkpoint wants a key that a dead holder wrote, and that the checkpoint has counted. */
static void what_a_checkpoint_has_counted_is_no_later_records_write(void **state)
{
    struct scene scene;
    scene_init(&scene, ALL_STATES, NULL);
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"k\",\"at\":1}\n{\"id\":\"l\",\"at\":1}\n"
               "{\"id\":\"k\",\"at\":9000}\n{\"id\":\"m\",\"at\":1}\n");
    scene_plan(&scene);
    die_twice(&scene);
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "k", "{\"id\":\"k\",\"at\":9000}");
    scene_holds(&scene, "items", "l", "{\"id\":\"l\",\"at\":1}");
    scene_holds(&scene, "items", "m", "{\"id\":\"m\",\"at\":1}");
    scene_reconciles(&scene);
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "k", NULL);
    scene_holds(&scene, "items", "l", NULL);
    scene_done(&scene);
}

/* As it is, and where the process after the next one has gone on from the middle of what the first one left. */
static void what_many_batches_account_for_is_no_later_records_write(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, ALL_STATES, NULL);
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"k\",\"at\":1}\n{\"id\":\"l\",\"at\":1}\n"
               "{\"id\":\"k\",\"at\":9000}\n{\"id\":\"m\",\"at\":1}\n");
    scene_plan(&scene);
    process_begin_small(&process, &scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_die(&process);
    for (size_t i = 0; i < 2; i++) { /* a record each */
        process_begin_small(&process, &scene, JOB_FORWARD, 1);
        process_until(&process, 0, OP_CHECKPOINT);
        process_step(&process, 0);
        process_die(&process);
    }
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "k", "{\"id\":\"k\",\"at\":9000}");
    scene_reconciles(&scene);
    scene_done(&scene);
}

/* --- deaths at any step, with batches of any size, of several records of a key -------------------------------------
 */

#define STATES 14
#define LIVES  60
#define PARTS_OF(size)                                                                                                 \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, version: at, duplicates: "    \
    "all }\ntransform: { lua: t.lua }\n"                                                                               \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: newer-wins }\n"                            \
    "partitions: { size: " #size " }\nworkers: 1\n"
#define OF_ODD "function transform(doc, ctx)\n  if doc.at % 2 == 1 then return ctx.delete() end\n  return doc\nend\n"

static const char *const NAMES[] = {"k", "l", "m"};

struct met {
    uint64_t deaths, claimed, applications, removed, refused;
};

struct way {
    const char *spec;
    void (*write)(struct scene *scene, uint64_t *seed, uint64_t newest[G_N_ELEMENTS(NAMES)]);
};

static void add_state(GString *text, size_t key, uint64_t at, uint64_t newest[G_N_ELEMENTS(NAMES)])
{
    newest[key] = MAX(newest[key], at);
    g_string_append_printf(text, "{\"id\":\"%s\",\"at\":%" G_GUINT64_FORMAT "}\n", NAMES[key], at);
}

/* One of an odd version removes its key. */
static void write_states(struct scene *scene, uint64_t *seed, uint64_t newest[G_N_ELEMENTS(NAMES)])
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (uint64_t i = 0; i < STATES; i++) {
        size_t key = fake_next(seed) % G_N_ELEMENTS(NAMES);
        add_state(text, key, (i + 1) * 10000 + (fake_next(seed) % 4 == 0), newest);
    }
    scene_file(scene, "in/a.ndjson", text->str);
}

/* In any order: an older one behind a newer one is kept. */
static void write_states_anyhow(struct scene *scene, uint64_t *seed, uint64_t newest[G_N_ELEMENTS(NAMES)])
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (uint64_t i = 0; i < STATES; i++) {
        size_t key = fake_next(seed) % G_N_ELEMENTS(NAMES);
        add_state(text, key, (fake_next(seed) % STATES + 1) * 10000 + (fake_next(seed) % 4 == 0), newest);
    }
    scene_file(scene, "in/a.ndjson", text->str);
}

/* A newer state than any of the files has: it stays. */
static void application_writes(struct scene *scene, uint64_t *seed, uint64_t newest[G_N_ELEMENTS(NAMES)])
{
    size_t key = fake_next(seed) % G_N_ELEMENTS(NAMES);
    newest[key] = (MAX(newest[key], STATES * 10000) / 10000 + 1) * 10000;
    g_autofree char *json = g_strdup_printf("{\"id\":\"%s\",\"at\":%" G_GUINT64_FORMAT "}", NAMES[key], newest[key]);
    scene_put(scene, "items", NAMES[key], json);
}

static void one_process(struct scene *scene, uint64_t *seed, uint64_t newest[G_N_ELEMENTS(NAMES)], struct met *met)
{
    struct process process;
    size_t steps = fake_next(seed) % 40, at = fake_next(seed) % 4 ? SIZE_MAX : fake_next(seed) % 40;
    process_begin_small(&process, scene, JOB_FORWARD, 1 + fake_next(seed) % 6);
    for (size_t i = 0; i < steps && process_wish(&process, 0)->kind != OP_END; i++) {
        if (i == at) {
            application_writes(scene, seed, newest);
            met->applications++;
        }
        met->claimed += process_wish(&process, 0)->kind == OP_CHECKPOINT && process.workers[0]->applied_left > 0;
        process_step(&process, 0);
    }
    met->deaths++;
    process_die(&process);
}

/* Each state by itself: it stands, or the run itself or the application wrote a newer one. */
static void nothing_differs(struct scene *scene, uint64_t seed)
{
    struct verify_result result;
    scene->full = true;
    scene_verify(scene, &result);
    if (!result.pass)
        fail_msg("life %" G_GUINT64_FORMAT ": %s", seed, result.sentence);
    verify_result_done(&result);
}

/* The newest state: where it removes the key, nothing stands there, or the quarantine says that it could not. */
static void newest_holds(struct scene *scene, const char *name, uint64_t newest, struct met *met)
{
    g_autofree char *json = g_strdup_printf("{\"id\":\"%s\",\"at\":%" G_GUINT64_FORMAT "}", name, newest);
    bool removed = newest % 2 == 1;
    if (removed && scene_refused(scene, name, SLUICE_ERROR_UNORDERED))
        met->refused++;
    else
        scene_holds(scene, "items", name, newest && !removed ? json : NULL);
    met->removed += removed;
}

static void one_life(const struct way *way, uint64_t seed, struct met *met)
{
    struct scene scene;
    uint64_t random = seed * 7919, newest[G_N_ELEMENTS(NAMES)] = {0};
    scene_init(&scene, way->spec, OF_ODD);
    way->write(&scene, &random, newest);
    scene_plan(&scene);
    for (uint64_t deaths = 1 + fake_next(&random) % 5; deaths > 0; deaths--)
        one_process(&scene, &random, newest, met);
    process_whole(&scene, JOB_FORWARD);
    for (size_t k = 0; k < G_N_ELEMENTS(NAMES); k++)
        newest_holds(&scene, NAMES[k], newest[k], met);
    scene_reconciles(&scene);
    nothing_differs(&scene, seed);
    scene_done(&scene);
}

static void each_state_is_written_once_whoever_dies(void **state)
{
    static const struct way WAYS[] = {
        {PARTS_OF(1000), write_states}, {PARTS_OF(1000), write_states_anyhow}, {PARTS_OF(3), write_states_anyhow}};
    struct met met = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(WAYS); i++)
        for (uint64_t seed = i * LIVES + 1; seed <= (i + 1) * LIVES; seed++)
            one_life(&WAYS[i], seed, &met);
    print_message("# %" G_GUINT64_FORMAT " deaths, %" G_GUINT64_FORMAT " checkpoints amid what one had left, "
                  "%" G_GUINT64_FORMAT " writes of the application, %" G_GUINT64_FORMAT
                  " keys that were removed in the end, of which %" G_GUINT64_FORMAT " were refused\n",
                  met.deaths, met.claimed, met.applications, met.removed, met.refused);
    assert_true(met.claimed >= LIVES / 10 && met.applications >= LIVES / 10);
    assert_true(met.refused >= LIVES / 10 && met.removed - met.refused >= LIVES / 10);
}

/* --- the end
 * ------------------------------------------------------------------------------------------------------------ */

static void lose_a_count(struct scene *scene)
{
    sqlite3 *db;
    g_autofree char *path = g_build_filename(scene->home, "catalog.db", NULL);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "UPDATE run_total SET n_written = n_written - 1", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_changes(db), 1);
    sqlite3_close(db);
}

/* Everything is written, and of one key nobody can say what became of it. */
static void a_run_that_does_not_account_for_every_listed_key_does_not_say_done(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct scene scene;
    struct process process;
    struct ended ended;
    begin(&scene, OVERWRITE, ONCE_MORE);
    process_first(&process, &scene);
    process_done(&process);
    lose_a_count(&scene);
    scene_run(&scene, &ended);
    assert_int_not_equal(ended.status, 0);
    assert_non_null(strstr(ended.text, "finished, but data is missing: 8 keys were listed and 7"));
    assert_int_not_equal(scene_row(&scene, mem).state, RUN_DONE);
    ended_done(&ended);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_checkpoint_names_and_a_write_rests_on_is_synced_before_it),
        cmocka_unit_test(the_outcomes_of_a_batch_are_in_the_log_and_settled_before_its_checkpoint),
        cmocka_unit_test(only_the_first_settle_of_a_partition_taken_over_asks_every_server),
        cmocka_unit_test(two_writes_of_one_key_never_go_out_in_one_call),
        cmocka_unit_test(a_resume_remembers_exactly_the_writes_that_no_checkpoint_accounts_for),
        cmocka_unit_test(what_a_checkpoint_has_counted_is_no_later_records_write),
        cmocka_unit_test(what_many_batches_account_for_is_no_later_records_write),
        cmocka_unit_test(each_state_is_written_once_whoever_dies),
        cmocka_unit_test(a_run_that_does_not_account_for_every_listed_key_does_not_say_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
