/* A shadow that is made live: what comes between, and what is taken back. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define SHADOW                                                                                                         \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items, write: shadow }\npartitions: { size: 4 }\nworkers: 1\n"
#define TEN_TIMES "function transform(doc, ctx)\n  doc.times = doc.times + 10\n  return doc\nend\n"

enum { KEYS = 10 };

static const char *key_of(int i)
{
    static const char *const NAMES[KEYS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    return NAMES[i];
}

static void all_are(struct scene *scene, const char *json)
{
    for (int i = 0; i < KEYS; i++)
        scene_holds(scene, "items", key_of(i), json);
}

/* Its gates are passed. */
static void waits(struct scene *scene)
{
    scene_init(scene, SHADOW, ONCE_MORE);
    for (int i = 0; i < KEYS; i++)
        scene_put(scene, "items", key_of(i), "{\"times\":0}");
    scene_ran(scene, 3);
    all_are(scene, "{\"times\":0}");
}

/* … and the exit status is this, with these words in what is said. */
static void promoted(struct scene *scene, const char *reason, int status, const char *words)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.act.reason = reason;
    bool ok = run_promote(&config, scene->run, &result, &error);
    int ended = ok ? result.exit_status : error_exit_status(error);
    const char *text = ok ? result.text : error->message;
    if (ended != status || (words && (!text || !strstr(text, words))))
        fail_msg("ended with %d: %s; expected %d: %s", ended, text, status, words);
    run_result_done(&result);
    g_clear_error(&error);
    store_registry_free(registry);
}

static void a_record_goes_live_with_its_expiry(void **state)
{
    static const int64_t THEN_MS = INT64_C(4102444800000);
    struct scene scene;
    scene_init(&scene, SHADOW, ONCE_MORE);
    scene_put_until(&scene, "items", "a", "{\"times\":0}", THEN_MS);
    scene_put(&scene, "items", "b", "{\"times\":0}");
    scene_ran(&scene, 3);
    promoted(&scene, NULL, 0, NULL);
    scene_holds(&scene, "items", "a", "{\"times\":1}");
    scene_expires(&scene, "items", "a", THEN_MS);
    scene_expires(&scene, "items", "b", EXPIRES_NEVER);
    scene_taken_back(&scene, 0);
    scene_expires(&scene, "items", "a", THEN_MS);
    scene_done(&scene);
}

/* Nothing is to be written of it, and nobody has written it: it is promoted as a record that is gone. */
static void a_record_that_expired_before_it_went_live_is_gone(void **state)
{
    struct scene scene;
    scene_init(&scene, SHADOW, ONCE_MORE);
    scene_put_until(&scene, "items", "a", "{\"times\":0}", scene.fake.wall_ms + 3600 * 1000);
    scene_put(&scene, "items", "b", "{\"times\":0}");
    scene_ran(&scene, 3);
    scene.fake.wall_ms += 2 * 3600 * 1000;
    promoted(&scene, NULL, 0, NULL);
    scene_holds(&scene, "items", "a", NULL);
    scene_holds(&scene, "items", "b", "{\"times\":1}");
    assert_int_equal(scene_count(&scene, OUTCOME_PROMOTED), 2);
    scene_done(&scene);
}

/* Whether the n-th call of the stores was met; how the promotion then ended is in *ret_status. */
static bool promoted_with_a_fault(struct scene *scene, uint64_t nth, int *ret_status)
{
    g_autoptr(GError) error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    uint64_t fired = 0;
    scene_fault(scene, &(struct fault_row){.op = FAULT_ANY, .nth = nth, .effect = FAULT_FATAL});
    bool ok = run_promote(&config, scene->run, &result, &error);
    *ret_status = ok ? result.exit_status : error_exit_status(error);
    for (int op = 0; op < FAULT_OP_COUNT; op++)
        fired += scene->plan.fired[op];
    scene_fault(scene, NULL);
    run_result_done(&result);
    store_registry_free(registry);
    return fired > 0;
}

static void paused(struct scene *scene)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct run_wish wish = {.kind = WISH_PAUSE};
    enum run_heard heard;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.act.reason = "an incident";
    kit_ok(run_wish(&config, scene->run, &wish, &result, &heard, &error));
    assert_int_equal(heard, RUN_UNHELD);
    run_result_done(&result);
    store_registry_free(registry);
}

static void a_persons_pause_holds_against_a_promotion(void **state)
{
    struct scene scene;
    waits(&scene);
    paused(&scene);
    promoted(&scene, NULL, 3, "an incident; `sluice resume job.1` goes on");
    all_are(&scene, "{\"times\":0}");
    scene_ran(&scene, 3); /* resumed: it waits again */
    promoted(&scene, NULL, 0, NULL);
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

static void whichever_call_of_the_store_fails_a_promotion_goes_on(void **state)
{
    struct scene scene;
    struct scene_kept kept;
    bool fired = true;
    waits(&scene);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (uint64_t nth = 1; fired; nth++) {
        int status;
        scene_again(&scene, &kept);
        fired = promoted_with_a_fault(&scene, nth, &status);
        if (status == 1 || (!fired && status != 0))
            fail_msg("call %" PRIu64 ": ended with %d", nth, status);
        if (status != 0)
            promoted(&scene, "it is there again", 0, NULL);
        all_are(&scene, "{\"times\":1}");
        scene_reconciles(&scene);
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

static void breaks_off(struct scene *scene)
{
    scene_fault(scene, &(struct fault_row){.op = FAULT_CAS, .nth = 1, .effect = FAULT_FATAL});
    promoted(scene, NULL, 6, NULL);
    scene_fault(scene, NULL);
}

/* Its log is read for a run that is to supersede it; that run then finds its source out of reach. */
static void nearly_superseded(struct scene *scene)
{
    struct ended ended;
    scene_file(scene, "t.lua", TEN_TIMES);
    scene->supersede = "job.1";
    scene_fault(scene, &(struct fault_row){.op = FAULT_SCAN_OPEN, .nth = 1, .effect = FAULT_FATAL});
    scene_run(scene, &ended);
    assert_int_equal(ended.status, 6);
    ended_done(&ended);
    scene_fault(scene, NULL);
    scene->supersede = NULL;
    scene_file(scene, "t.lua", ONCE_MORE);
}

static void a_promotion_that_broke_off_goes_on_after_somebody_wanted_to_supersede_it(void **state)
{
    struct scene scene;
    waits(&scene);
    breaks_off(&scene);
    nearly_superseded(&scene);
    promoted(&scene, NULL, 0, NULL);
    all_are(&scene, "{\"times\":1}");
    scene_taken_back(&scene, 0);
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

static void a_shadow_that_is_to_be_superseded_is_not_made_live(void **state)
{
    struct scene scene;
    waits(&scene);
    scene_file(&scene, "t.lua", TEN_TIMES);
    scene.supersede = "job.1";
    scene_plan(&scene);
    scene_file(&scene, "t.lua", ONCE_MORE);
    promoted(&scene, NULL, 7, "job.1 is to be superseded by job.2");
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

static void halt(struct scene *scene)
{
    GError *error = NULL;
    struct hold *hold;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(hold_take(&hold, &config, scene->run, &error));
    kit_ok(hold_move(hold, RUN_PROMOTING, NULL, NULL, &error));
    kit_ok(hold_move(hold, RUN_HALTED, "the log cannot be written", NULL, &error));
    hold_free(hold);
    store_registry_free(registry);
}

static void a_promotion_that_was_halted_wants_a_reason(void **state)
{
    struct scene scene;
    waits(&scene);
    halt(&scene);
    promoted(&scene, NULL, 2, "the log cannot be written; `sluice promote ");
    all_are(&scene, "{\"times\":0}");
    promoted(&scene, "there is room again", 0, NULL);
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

/* --- a log that is damaged, or was cut off where a block ends: it looks whole
 * -----------------------------------------------------
 */

enum { SEGMENT_HEAD = 56, BLOCK_HEAD = 36, INTENTS = 1 };

static uint32_t u32_at(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return GUINT32_FROM_LE(value);
}

/* Where the last block of intents begins. */
static size_t last_intents(const char *bytes, size_t len)
{
    size_t at = SEGMENT_HEAD, last = 0;
    while (at + BLOCK_HEAD <= len) {
        if (bytes[at + 4] == INTENTS)
            last = at;
        at += BLOCK_HEAD + u32_at(bytes + at + 12) + u32_at(bytes + at + 16);
    }
    assert_int_not_equal(last, 0);
    return last;
}

enum spoil { CUT_OFF, FLIP };

/* From the last block of intents on. */
static void spoil(struct scene *scene, enum spoil how)
{
    g_autofree char *folder = g_build_filename(scene->home, "undo", scene->run, NULL);
    GDir *dir = g_dir_open(folder, 0, NULL);
    assert_non_null(dir);
    const char *name;
    while ((name = g_dir_read_name(dir)) && !g_str_has_suffix(name, ".undo"))
        continue;
    assert_non_null(name);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    size_t last = last_intents(bytes, len);
    bytes[last + BLOCK_HEAD + u32_at(bytes + last + 16)] ^= 0x55;
    assert_true(g_file_set_contents(path, bytes, (gssize)(how == CUT_OFF ? last : len), NULL));
    g_dir_close(dir);
}

/* Applied, and no checkpoint says so: the log alone knows which keys they were. */
static void a_promotion_whose_log_is_damaged_at_its_end_does_not_go_on(void **state)
{
    struct scene scene;
    struct ended ended;
    waits(&scene);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_FATAL});
    promoted(&scene, NULL, 6, NULL);
    scene_fault(&scene, NULL);
    all_are(&scene, "{\"times\":1}");
    spoil(&scene, FLIP);
    scene_put(&scene, "items", "a", "{\"times\":7}");
    promoted(&scene, NULL, 6, "10 writes of partition 3221225472 may have been applied");
    scene_back(&scene, &ended);
    assert_int_equal(ended.status, 8);
    assert_non_null(strstr(ended.text, "10 keys that could not be taken back"));
    ended_done(&ended);
    scene_holds(&scene, "items", "a", "{\"times\":7}");
    scene_done(&scene);
}

static void what_a_cut_off_log_has_lost_of_a_promotion_is_counted(void **state)
{
    struct scene scene;
    struct ended ended;
    waits(&scene);
    promoted(&scene, NULL, 0, NULL);
    spoil(&scene, CUT_OFF);
    scene_back(&scene, &ended);
    assert_int_equal(ended.status, 8);
    assert_non_null(strstr(ended.text, "10 keys that could not be taken back"));
    ended_done(&ended);
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

/* --- deletions ---------------------------------------------------------------------------------------------------- */

/* In a shadow they bear no version: what is not what it was is kept, whatever it is. */
static void a_deletion_goes_live_where_the_record_is_what_it_was_alone(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_FILES(", write: shadow, conflict: newer-wins") "transform: { lua: t.lua }\n",
               "function transform(doc, ctx) return ctx.delete() end\n");
    scene_file(&scene, "in/a.ndjson",
               "{\"id\":\"as it was\",\"at\":5}\n{\"id\":\"older still\",\"at\":5}\n"
               "{\"id\":\"newer now\",\"at\":5}\n{\"id\":\"newer before\",\"at\":5}\n");
    scene_put(&scene, "items", "as it was", "{\"at\":1}");
    scene_put(&scene, "items", "older still", "{\"at\":1}");
    scene_put(&scene, "items", "newer now", "{\"at\":1}");
    scene_put(&scene, "items", "newer before", "{\"at\":6}");
    scene_ran(&scene, 3);
    scene_put(&scene, "items", "older still", "{\"at\":2}");
    scene_put(&scene, "items", "newer now", "{\"at\":6}");
    promoted(&scene, NULL, 8, NULL);
    scene_holds(&scene, "items", "as it was", NULL);
    scene_holds(&scene, "items", "older still", "{\"at\":2}");
    assert_true(scene_notes(&scene, "older still", SLUICE_ERROR_PASSED_OVER));
    scene_holds(&scene, "items", "newer now", "{\"at\":6}");
    scene_holds(&scene, "items", "newer before", "{\"at\":6}");
    scene_done(&scene);
}

/* --- values too big to be logged ---------------------------------------------------------------------------------- */

static bool is_huge(struct slice raw)
{
    return memmem(raw.data, raw.len, "huge", 4) != NULL;
}

static bool copies_nothing(const struct dataset *ds)
{
    return false;
}

static const struct big_ops HUGE_VALUES = {.stands_for = is_huge, .copies = copies_nothing};

static void over_what_is_too_big_for_the_undo_log_nothing_goes_live(void **state)
{
    struct scene scene;
    scene_init(&scene, ELSEWHERE(", write: shadow, conflict: overwrite"), ONCE_MORE);
    scene.faulty_mem.table.big = &HUGE_VALUES;
    scene_put(&scene, "origin", "before", "{\"times\":0}");
    scene_put(&scene, "origin", "since", "{\"times\":0}");
    scene_put(&scene, "origin", "small", "{\"times\":0}");
    scene_put(&scene, "items", "before", "{\"mine\":\"huge\"}");
    scene_ran(&scene, 3);
    assert_true(scene_refused(&scene, "before", SLUICE_ERROR_TOO_BIG));
    scene_put(&scene, "items", "since", "{\"mine\":\"huge\"}");
    scene_put(&scene, "items", "small", "{\"mine\":true}");
    promoted(&scene, NULL, 8, NULL);
    scene_holds(&scene, "items", "before", "{\"mine\":\"huge\"}");
    scene_holds(&scene, "items", "since", "{\"mine\":\"huge\"}");
    scene_holds(&scene, "items", "small", "{\"times\":1}");
    assert_true(scene_notes(&scene, "since", SLUICE_ERROR_PASSED_OVER));
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "small", "{\"mine\":true}");
    scene_done(&scene);
}

/* --- what cannot go live, and what need not ------------------------------------------------------------------------
 */

/* A store that has something happen to what is read of its shadow, or written over it. */
struct strange {
    struct scene scene;
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
    bool (*cas)(struct session *, const struct call *, const struct lane *, struct cas_op *, size_t, GError **);
    enum { AS_IT_IS, REFUSES, BREAKS, WRITES } then; /* with what is to go live under `c` */
};

static struct strange *strange_of(struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct strange *)(gpointer)(table - offsetof(struct strange, scene.faulty_mem.table));
}

/* `a` is gone from the shadow, `b` is another one there. */
static bool read_strange(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = strange_of(session)->read(session, call, io, n, error);
    for (size_t i = 0; ok && call->ds->shadow && i < n; i++)
        if (slice_equal(io[i].key, slice_of_text("a")))
            io[i] = (struct record){.key = io[i].key, .presence = RECORD_ABSENT};
        else if (slice_equal(io[i].key, slice_of_text("b")))
            io[i].expires_at_ms = 1;
    return ok;
}

static bool cas_strange(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                        size_t n, GError **error)
{
    struct strange *strange = strange_of(session);
    for (size_t i = 0; strange->then == WRITES && i < n; i++)
        if (slice_equal(ops[i].key, slice_of_text("c"))) {
            strange->then = AS_IT_IS;
            scene_put(&strange->scene, "items", "c", "{\"mine\":true}");
        }
    if (!strange->cas(session, call, lane, ops, n, error))
        return false;
    if (strange->then == BREAKS) /* what came of it nobody hears */
        return error_set(error, SLUICE_ERROR_STORE, "out of order");
    for (size_t i = 0; strange->then == REFUSES && i < n; i++)
        if (slice_equal(ops[i].key, slice_of_text("c"))) {
            ops[i].outcome = CAS_REFUSED;
            ops[i].fault = (struct fault){.code = SLUICE_ERROR_TOO_BIG, .text = "too long"};
        }
    return true;
}

static void strangely_waits(struct strange *strange)
{
    strange->then = AS_IT_IS;
    waits(&strange->scene);
    strange->read = strange->scene.faulty_mem.table.read;
    strange->cas = strange->scene.faulty_mem.write.cas;
    strange->scene.faulty_mem.write.cas = cas_strange;
}

static void what_the_shadow_has_lost_and_what_is_refused_is_passed_over(void **state)
{
    struct strange strange;
    struct scene *scene = &strange.scene;
    strangely_waits(&strange);
    scene->faulty_mem.table.read = read_strange;
    strange.then = REFUSES;
    promoted(scene, NULL, 8, NULL);
    scene_holds(scene, "items", "a", "{\"times\":0}");
    scene_holds(scene, "items", "b", "{\"times\":0}");
    scene_holds(scene, "items", "d", "{\"times\":1}");
    assert_true(scene_notes(scene, "a", SLUICE_ERROR_PASSED_OVER));
    assert_true(scene_notes(scene, "b", SLUICE_ERROR_PASSED_OVER));
    assert_true(scene_notes(scene, "c", SLUICE_ERROR_TOO_BIG));
    assert_int_equal(scene_count(scene, OUTCOME_PASSED_OVER), 3);
    scene_done(scene);
}

/* Between the look at it and the write over it. */
static void what_the_application_writes_under_a_promotion_stands(void **state)
{
    struct strange strange;
    strangely_waits(&strange);
    strange.then = WRITES;
    promoted(&strange.scene, NULL, 8, NULL);
    scene_holds(&strange.scene, "items", "c", "{\"mine\":true}");
    scene_holds(&strange.scene, "items", "d", "{\"times\":1}");
    assert_true(scene_notes(&strange.scene, "c", SLUICE_ERROR_PASSED_OVER));
    scene_done(&strange.scene);
}

static void what_may_have_gone_live_behind_a_lost_fence_is_passed_over_unless_it_stands(void **state)
{
    struct strange strange;
    struct scene *scene = &strange.scene;
    auto_(arena) mem = arena_new(1 << 20);
    strangely_waits(&strange);
    strange.then = BREAKS;
    promoted(scene, NULL, 6, NULL);
    strange.then = AS_IT_IS;
    all_are(scene, "{\"times\":1}");
    scene_drop_fences(scene, scene_row(scene, mem).uid);
    scene_put(scene, "items", "a", "{\"mine\":true}");
    promoted(scene, "it is in order", 8, NULL);
    scene_holds(scene, "items", "a", "{\"mine\":true}");
    scene_holds(scene, "items", "b", "{\"times\":1}");
    assert_int_equal(scene_count(scene, OUTCOME_PASSED_OVER), 1);
    assert_int_equal(scene_count(scene, OUTCOME_PROMOTED), KEYS - 1);
    scene_done(scene);
}

/* The application has written the very content since; where the expiry is another, the policy decides. */
static void what_stands_already_counts_as_promoted(void **state)
{
    struct scene scene;
    waits(&scene);
    scene_put(&scene, "items", "a", "{\"times\":1}");
    promoted(&scene, NULL, 0, NULL);
    assert_int_equal(scene_count(&scene, OUTCOME_PROMOTED), KEYS);
    scene_done(&scene);
    g_autoptr(GString) spec = g_string_new(SHADOW);
    g_string_replace(spec, "write: shadow", "write: shadow, expires: 30d", 1);
    scene_init(&scene, spec->str, ONCE_MORE);
    scene_put(&scene, "items", "a", "{\"times\":0}");
    scene_put(&scene, "items", "b", "{\"times\":0}");
    scene_ran(&scene, 3);
    scene_put(&scene, "items", "a", "{\"times\":1}");
    promoted(&scene, NULL, 8, NULL);
    scene_expires(&scene, "items", "a", EXPIRES_NEVER);
    assert_true(scene_notes(&scene, "a", SLUICE_ERROR_PASSED_OVER));
    scene_done(&scene);
}

/* Before anything of it went live. */
static void of_a_shadow_whose_log_is_damaged_nothing_goes_live(void **state)
{
    struct scene scene;
    waits(&scene);
    spoil(&scene, FLIP);
    promoted(&scene, NULL, 6, "a shadow is not made live in part: drop it with `sluice rollback job.1`");
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

/* … nor where it was damaged behind the making of the chains by which it goes. */
static void of_a_shadow_whose_log_was_damaged_since_its_promotion_began_nothing_goes_live(void **state)
{
    struct scene scene;
    waits(&scene);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_LANE_OPEN, .nth = 1, .effect = FAULT_FATAL});
    promoted(&scene, NULL, 6, NULL);
    scene_fault(&scene, NULL);
    g_autofree char *path = g_build_filename(scene.home, "undo", scene.run, "000001.undo", NULL);
    kit_damage(path);
    promoted(&scene, NULL, 6, "a shadow is not made live in part: take it back with `sluice rollback job.1`");
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

/* --- while a guard holds it ----------------------------------------------------------------------------------------
 */

#define HEARD_US (INT64_C(60) * 1000 * 1000)

static atomic_bool is_to_flag;

/* With the first write just done, until the run is paused by the flag. */
static void flag_at_work(void *self, const char *name)
{
    struct scene *scene = self;
    if (strcmp(name, "cas.after") != 0 || !atomic_exchange(&is_to_flag, false))
        return;
    scene_flags(scene, catalog_stop_put);
    for (int64_t until_us = g_get_monotonic_time() + HEARD_US;; g_thread_yield()) {
        auto_(arena) mem = arena_new(1 << 20);
        struct run_row row = scene_row(scene, mem);
        if (row.state == RUN_PAUSED && row.guard)
            return;
        assert_true(g_get_monotonic_time() < until_us);
    }
}

static void a_promotion_that_a_guard_holds_goes_on_once_it_is_clear(void **state)
{
    for (int at_work = 0; at_work < 2; at_work++) {
        struct scene scene;
        waits(&scene);
        scene.exit_on_pause = true;
        scene.fake.world.point_self = &scene;
        scene.fake.world.point = flag_at_work;
        atomic_store(&is_to_flag, at_work);
        if (!at_work)
            scene_flags(&scene, catalog_stop_put);
        promoted(&scene, NULL, 3, "the same command goes on then");
        scene_flags(&scene, catalog_stop_lift);
        promoted(&scene, NULL, 0, NULL);
        all_are(&scene, "{\"times\":1}");
        scene_done(&scene);
    }
}

/* A process had heard it, and died. */
static void a_pause_that_was_heard_holds_a_promotion(void **state)
{
    GError *error = NULL;
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(catalog) catalog = NULL;
    struct wish wish = {.kind = WISH_PAUSE, .act = {.actor = "ann@desk"}};
    int64_t id;
    waits(&scene);
    kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_EXISTING, &error));
    kit_ok(catalog_wish_add(catalog, scene_row(&scene, mem).id, &wish, &id, &error));
    kit_ok(catalog_wish_taken(catalog, id, &error));
    g_clear_pointer(&catalog, catalog_free);
    promoted(&scene, NULL, 3, "paused by ann@desk");
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

/* Whatever of the run is still on its way finds no fence once the shadow goes, so that nothing is hidden behind that.
 */
static void a_write_that_arrives_while_the_shadow_is_dropped_is_fenced(void **state)
{
    struct scene scene;
    struct process process;
    struct late late;
    scene_init(&scene, SHADOW "stages: [{ name: full, scope: 100% }]\n", ONCE_MORE);
    for (int i = 0; i < KEYS; i++)
        scene_put(&scene, "items", key_of(i), "{\"times\":0}");
    process_first(&process, &scene);
    late_copy(&late, process_until(&process, 0, OP_CAS));
    process_done(&process);
    scene_ran(&scene, 3);
    scene_fault(&scene, &(struct fault_row){.op = FAULT_SHADOW_DROP, .nth = 1, .effect = FAULT_FATAL});
    promoted(&scene, NULL, 6, NULL);
    scene_fault(&scene, NULL);
    for (size_t i = 0; i < late.n; i++)
        late.ops[i].number += 1000; /* none that was applied */
    late_send(&scene, &late, "items");
    for (size_t i = 0; i < late.n; i++)
        assert_int_equal(late.ops[i].outcome, CAS_FENCED);
    promoted(&scene, NULL, 0, NULL);
    all_are(&scene, "{\"times\":1}");
    late_done(&late);
    scene_done(&scene);
}

/* What its chains are made of once more is what went live, and not what it has brought back itself. */
static void a_rollback_that_loses_its_chains_takes_back_all_that_went_live(void **state)
{
    struct scene scene;
    struct process process;
    waits(&scene);
    promoted(&scene, NULL, 0, NULL);
    process_begin_small(&process, &scene, JOB_BACK, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
    g_autofree char *chains = g_build_filename(scene.home, "undo", scene.run, "chains", NULL);
    assert_int_equal(unlink(chains), 0);
    scene_taken_back(&scene, 0);
    all_are(&scene, "{\"times\":0}");
    scene_done(&scene);
}

/* Found amid its promotion, by whoever runs the spec once more: it waits for `promote`, as before. */
static void a_promotion_whose_process_died_is_no_runs_to_go_on_with(void **state)
{
    GError *error = NULL;
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(catalog) catalog = NULL;
    waits(&scene);
    struct run_row run = scene_row(&scene, mem);
    struct run_move move = {.run = run.id, .from = run.state, .to = RUN_PROMOTING, .act = {.actor = "ann@desk"}};
    kit_ok(catalog_open(&catalog, &scene.fake.world, scene.home, CATALOG_EXISTING, &error));
    kit_ok(catalog_run_move(catalog, &move, &error));
    scene.lifts_nothing = true;
    scene_ran(&scene, 3);
    all_are(&scene, "{\"times\":0}");
    promoted(&scene, NULL, 0, NULL);
    all_are(&scene, "{\"times\":1}");
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deletion_goes_live_where_the_record_is_what_it_was_alone),
        cmocka_unit_test(a_write_that_arrives_while_the_shadow_is_dropped_is_fenced),
        cmocka_unit_test(a_rollback_that_loses_its_chains_takes_back_all_that_went_live),
        cmocka_unit_test(what_the_shadow_has_lost_and_what_is_refused_is_passed_over),
        cmocka_unit_test(what_the_application_writes_under_a_promotion_stands),
        cmocka_unit_test(what_may_have_gone_live_behind_a_lost_fence_is_passed_over_unless_it_stands),
        cmocka_unit_test(what_stands_already_counts_as_promoted),
        cmocka_unit_test(of_a_shadow_whose_log_is_damaged_nothing_goes_live),
        cmocka_unit_test(of_a_shadow_whose_log_was_damaged_since_its_promotion_began_nothing_goes_live),
        cmocka_unit_test(a_promotion_that_a_guard_holds_goes_on_once_it_is_clear),
        cmocka_unit_test(a_pause_that_was_heard_holds_a_promotion),
        cmocka_unit_test(over_what_is_too_big_for_the_undo_log_nothing_goes_live),
        cmocka_unit_test(a_record_goes_live_with_its_expiry),
        cmocka_unit_test(a_record_that_expired_before_it_went_live_is_gone),
        cmocka_unit_test(a_persons_pause_holds_against_a_promotion),
        cmocka_unit_test(whichever_call_of_the_store_fails_a_promotion_goes_on),
        cmocka_unit_test(a_promotion_that_broke_off_goes_on_after_somebody_wanted_to_supersede_it),
        cmocka_unit_test(a_shadow_that_is_to_be_superseded_is_not_made_live),
        cmocka_unit_test(a_promotion_that_was_halted_wants_a_reason),
        cmocka_unit_test(a_promotion_whose_process_died_is_no_runs_to_go_on_with),
        cmocka_unit_test(a_promotion_whose_log_is_damaged_at_its_end_does_not_go_on),
        cmocka_unit_test(what_a_cut_off_log_has_lost_of_a_promotion_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
