#include "model/life.h"

#include "base/int.h"
#include "kit/kit.h"

/* Virtual time, but other threads are let go on meanwhile: what waits for another connection's lock must not use up its
 * ten virtual seconds before that one has had its turn. */
static struct world_clock patient_clock;
static const struct world_clock *fake_clock;

static void sleep_patiently(void *self, int64_t us, const atomic_bool *cancel)
{
    fake_clock->sleep_us(self, us, cancel);
    world_sleep_us(world_real(), 50, NULL);
}

static void clock_init(struct life *life)
{
    fake_clock = life->fake.world.clock;
    patient_clock = *fake_clock;
    patient_clock.sleep_us = sleep_patiently;
    life->fake.world.clock = &patient_clock;
}

static const char *const TARGET = "items", *const SOURCE = "origin";

static uint64_t dice(struct life *life, uint64_t sides)
{
    return fake_next(&life->seed) % sides;
}

/* --- the application
 * ---------------------------------------------------------------------------------------------------- */

struct hand {
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset ds;
};

static void hand_open(struct life *life, struct store_registry *registry, struct hand *ret, const char *dataset)
{
    GError *error = NULL;
    struct store_config config = {.uri = "mem:s", .base_dir = life->dir};
    *ret = (struct hand){.mem = arena_new(8 << 20), .ds = {.name = dataset}};
    kit_ok(store_open(&ret->store, registry, &config, &error));
    kit_ok(store_session_open(&ret->session, ret->store, &error));
}

static void hand_close(struct store_registry *registry, struct hand *hand)
{
    store_session_close(hand->session);
    store_release(registry, hand->store);
    arena_free(hand->mem);
}

static struct record hand_read(struct hand *hand, int key)
{
    GError *error = NULL;
    char *name = arena_alloc(hand->mem, 16);
    g_snprintf(name, 16, "k%03d", key);
    struct record record = {.key = slice_of_text(name)};
    struct call call = {.ds = &hand->ds, .mem = hand->mem};
    kit_ok(store_read(hand->session, &call, &record, 1, &error));
    return record;
}

/* As any client: on top of what stands. */
static void hand_write(struct life *life, struct hand *hand, int key, const struct reference *to)
{
    GError *error = NULL;
    struct fence before;
    struct call call = {.ds = &hand->ds, .mem = hand->mem};
    struct lane lane = {.lane = 1};
    g_autofree char *json = g_strdup_printf("{\"value\": %" PRId64 ", \"times\": 0}", to->value);
    struct record live = hand_read(hand, key);
    struct cas_op op = {.key = live.key,
                        .etag = live.etag,
                        .number = 1,
                        .verb = to->present ? CAS_PUT : CAS_DELETE,
                        .expires_at_ms = to->expires_at_ms};
    world_random(&life->fake.world, lane.fence.run, sizeof lane.fence.run);
    kit_ok(document_from_json(slice_of_text(json), hand->mem, (struct slice *)&op.raw, NULL, &error));
    kit_ok(store_lane_open(hand->session, &call, &lane, &before, &error));
    kit_ok(store_cas(hand->session, &call, &lane, &op, 1, &error));
    assert_int_equal(op.outcome, CAS_WRITTEN);
    kit_ok(store_fence_drop(hand->session, &call, lane.fence.run, &error));
}

static void app_writes(struct life *life, struct store_registry *registry)
{
    bool source = life->mode != LIFE_IN_PLACE && dice(life, 3) == 0;
    int key = (int)dice(life, LIFE_KEYS);
    struct reference *reference = source ? &life->source[key] : &life->target[key];
    struct hand hand;
    bool deletes = dice(life, 5) == 0;
    if (deletes && !reference->present)
        return;
    reference->value = ++life->next_value;
    reference->present = !deletes;
    reference->touched = true;
    reference->expires_at_ms = dice(life, 4) == 0 ? INT64_C(4102444800000) + life->next_value : 0;
    hand_open(life, registry, &hand, source ? SOURCE : TARGET);
    hand_write(life, &hand, key, reference);
    hand_close(registry, &hand);
}

/* --- the process
 * -------------------------------------------------------------------------------------------------------- */

#define WORKERS 3u

struct process {
    struct life *life;
    struct met *met;
    struct hold *hold;
    struct worker *workers[WORKERS];
    struct exec *execs[WORKERS];
    bool ended[WORKERS];
};

static struct run_config config_of(struct life *life)
{
    return (struct run_config){.world = &life->fake.world,
                               .registry = life->registry,
                               .home = life->home,
                               .act = {.actor = "model@life", .reason = NULL}};
}

static void process_begin(struct process *process, enum job_kind kind)
{
    GError *error = NULL;
    for (uint32_t i = 0; i < WORKERS; i++) {
        process->workers[i] = worker_new(&process->hold->job, UINT32_MAX);
        kit_ok(exec_new(&process->execs[i], &process->hold->shared, &error));
        process->ended[i] = false;
    }
}

static void process_end(struct process *process)
{
    for (uint32_t i = 0; i < WORKERS; i++) {
        g_clear_pointer(&process->execs[i], exec_free);
        g_clear_pointer(&process->workers[i], worker_free);
    }
}

/* A cas of which only a beginning arrives, before the process dies. */
static void tear(struct process *process, uint32_t i, struct op *op)
{
    op->cas.n = dice(process->life, op->cas.n + 1);
    if (op->cas.n > 0)
        exec_perform(process->execs[i], op);
    g_clear_error(&op->error);
    process->met->torn++;
}

/* The cas arrives, its answer does not. */
static void lose(struct process *process, uint32_t i, struct op *op)
{
    exec_perform(process->execs[i], op);
    for (size_t k = 0; k < op->cas.n; k++)
        op->cas.ops[k].outcome = CAS_UNKNOWN;
    op->ok = false;
    g_clear_error(&op->error);
    error_set(&op->error, SLUICE_ERROR_TIMED_OUT, "the answer is lost");
    process->met->lost++;
}

/* One step of one worker; true: the process dies here. */
static bool step(struct process *process, uint32_t i)
{
    struct life *life = process->life;
    struct op op;
    worker_next(process->workers[i], &op);
    if (op.kind == OP_END) {
        process->ended[i] = true;
        return false;
    }
    bool dies = dice(life, 60) == 0;
    if (op.kind == OP_CAS && dice(life, 8) == 0) {
        tear(process, i, &op);
        return true;
    }
    if (dies && dice(life, 2) == 0)
        return true; /* before it */
    if (op.kind == OP_CAS && dice(life, 6) == 0)
        lose(process, i, &op);
    else
        exec_perform(process->execs[i], &op);
    if (dies)
        g_clear_error(&op.error);
    else
        worker_done(process->workers[i], &op);
    return dies;
}

static bool all_ended(const struct process *process)
{
    for (uint32_t i = 0; i < WORKERS; i++)
        if (!process->ended[i])
            return false;
    return true;
}

/* Steps until all workers have ended (true) or the process has died (false). */
static bool process_lives(struct process *process)
{
    while (!all_ended(process)) {
        uint32_t i = (uint32_t)dice(process->life, WORKERS);
        if (process->ended[i])
            continue;
        if (step(process, i)) {
            process->met->deaths++;
            return false;
        }
        if (dice(process->life, 3) == 0)
            app_writes(process->life, process->life->registry);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        if (worker_error(process->workers[i]))
            fail_msg("a worker failed: %s", worker_error(process->workers[i])->message);
    return true;
}

static void count(struct process *process)
{
    GError *error = NULL;
    kit_ok(hold_reload(process->hold, &error));
    process->met->changed += process->hold->run.tally.of[OUTCOME_RETRIED];
}

/* Lives and dies until the work of the job is done. `begin` readies the hold for its job. */
static void until_done(struct life *life, struct met *met, enum hold_for what, enum job_kind kind)
{
    for (bool done = false; !done;) {
        GError *error = NULL;
        struct run_config config;
        struct process process = {.life = life, .met = met};
        life->registry = store_registry_new(&life->fake.world, life->drivers);
        config = config_of(life);
        kit_ok(hold_take(&process.hold, &config, "job", &error));
        kit_ok(hold_open(process.hold, what, &error));
        if (kind == JOB_FORWARD)
            job_init_forward(&process.hold->job, process.hold->plan, &process.hold->run);
        else if (kind == JOB_SETTLE)
            job_init_settle(&process.hold->job, process.hold->plan, &process.hold->run);
        else
            job_init_back(&process.hold->job, process.hold->plan, &process.hold->run);
        process.hold->job.batch_records = 1 + dice(life, 7);
        process_begin(&process, kind);
        done = process_lives(&process);
        process_end(&process);
        if (done)
            count(&process);
        hold_free(process.hold);
        g_clear_pointer(&life->registry, store_registry_free);
        for (uint64_t n = dice(life, 4); n > 0 && !done; n--) {
            struct store_registry *registry = store_registry_new(&life->fake.world, life->drivers);
            app_writes(life, registry);
            store_registry_free(registry);
        }
    }
}

/* --- a life
 * ------------------------------------------------------------------------------------------------------------- */

static const char *const SPECS[] = {
    [LIFE_IN_PLACE] =
        "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
        "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\npartitions: { size: 9 }\n",
    [LIFE_FILL] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"
                  "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\npartitions: { size: 9 }\n",
    [LIFE_OVERWRITE] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"
                       "transform: { lua: t.lua }\n"
                       "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"
                       "partitions: { size: 9 }\n",
};

static void put_text(const char *path, const char *text)
{
    GError *error = NULL;
    if (!g_file_set_contents(path, text, -1, &error))
        fail_msg("%s", error->message);
}

static void seed_records(struct life *life)
{
    struct store_registry *registry = store_registry_new(&life->fake.world, life->drivers);
    struct hand target, source;
    hand_open(life, registry, &target, TARGET);
    hand_open(life, registry, &source, SOURCE);
    for (int key = 0; key < LIFE_KEYS; key++) {
        bool present = life->mode == LIFE_IN_PLACE || dice(life, 3) == 0;
        life->target[key] = (struct reference){.value = ++life->next_value, .present = present};
        if (dice(life, 5) == 0)
            life->target[key].expires_at_ms = INT64_C(4102444800000) + key;
        life->source[key] = (struct reference){.value = ++life->next_value, .present = life->mode != LIFE_IN_PLACE};
        if (present)
            hand_write(life, &target, key, &life->target[key]);
        if (life->source[key].present)
            hand_write(life, &source, key, &life->source[key]);
    }
    hand_close(registry, &target);
    hand_close(registry, &source);
    store_registry_free(registry);
}

static void begin(struct life *life)
{
    GError *error = NULL;
    struct spec *spec;
    struct run_result planned = {0};
    bool is_new;
    life->registry = store_registry_new(&life->fake.world, life->drivers);
    struct run_config config = config_of(life);
    kit_ok(spec_read(&spec, &life->fake.world, life->spec_path, &error));
    kit_ok(run_begin(&config, spec, &planned, &is_new, &error));
    assert_true(is_new);
    run_result_done(&planned);
    g_clear_pointer(&life->registry, store_registry_free);
}

struct seen {
    bool present;
    int64_t value, times, expires_at_ms;
};

static struct seen look(struct hand *hand, int key)
{
    struct record record = hand_read(hand, key);
    struct seen seen = {.present = record.presence == RECORD_PRESENT, .expires_at_ms = record.expires_at_ms};
    bson_t view;
    bson_iter_t iter;
    if (!seen.present)
        return (struct seen){0};
    assert_true(document_view(record.raw, &view));
    assert_true(bson_iter_init_find(&iter, &view, "value"));
    seen.value = bson_iter_as_int64(&iter);
    assert_true(bson_iter_init_find(&iter, &view, "times"));
    seen.times = bson_iter_as_int64(&iter);
    return seen;
}

/* Promise 1 and 2, in place: what the application wrote last stands, repaired at most once; what it did not touch is
 * repaired exactly once. */
static void check_in_place(const struct life *life, int key, const struct seen *seen)
{
    const struct reference *reference = &life->target[key];
    if (seen->present != reference->present)
        fail_msg("k%03d: %s, but the application left it %s", key, seen->present ? "present" : "absent",
                 reference->present ? "present" : "absent");
    if (!seen->present)
        return;
    if (seen->value != reference->value)
        fail_msg("k%03d: a live write is lost: %" PRId64 " stands, %" PRId64 " was written", key, seen->value,
                 reference->value);
    if (seen->times > 1 || (!reference->touched && seen->times != 1))
        fail_msg("k%03d: repaired %" PRId64 " times", key, seen->times);
    assert_int_equal(seen->expires_at_ms, reference->expires_at_ms);
}

/* From elsewhere, filled: what was there stands; what was absent holds the source's, once. */
static void check_filled(const struct life *life, int key, const struct seen *seen)
{
    const struct reference *target = &life->target[key], *source = &life->source[key];
    bool theirs = seen->present && seen->times == 0;
    if (target->present && life->mode == LIFE_FILL && (!theirs || seen->value != target->value))
        fail_msg("k%03d: fill has written over a live record", key);
    if (theirs && seen->value != target->value)
        fail_msg("k%03d: a live write is lost", key);
    if (!theirs && seen->present && seen->times != 1)
        fail_msg("k%03d: written %" PRId64 " times over", key, seen->times);
    if (!theirs && seen->present && !source->touched && seen->value != source->value)
        fail_msg("k%03d: %" PRId64 " stands, the source holds %" PRId64, key, seen->value, source->value);
    if (!target->touched && !source->touched && !seen->present)
        fail_msg("k%03d: was not written", key);
}

/* Promise 3: after a rollback nothing of ours stands, and everything of the application does. */
static void check_back(const struct life *life, int key, const struct seen *seen)
{
    const struct reference *reference = &life->target[key];
    if (seen->present && seen->times != 0)
        fail_msg("k%03d: still repaired after the rollback", key);
    /* The limit that 3-semantics tells: an application that leaves exactly what the run left, here nothing where the
     * run had removed its own write, cannot be told from the run. */
    if (life->left_absent[key] && !reference->present)
        return;
    if (seen->present != reference->present || (seen->present && seen->value != reference->value))
        fail_msg("k%03d: %s %" PRId64 " after the rollback, the application left %s %" PRId64, key,
                 seen->present ? "present" : "absent", seen->value, reference->present ? "present" : "absent",
                 reference->value);
    if (seen->present)
        assert_int_equal(seen->expires_at_ms, reference->expires_at_ms);
}

/* Keys of which the run's last write was a removal: from the undo log's own chains. */
static void note_left(struct life *life, const struct undo_config *config)
{
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(8 << 20);
    struct undo_chain_list found;
    kit_ok(undo_chains_open(&chains, config, &error));
    kit_ok(undo_chains_read(chains, 0, (size_t)undo_chains_count(chains), mem, &found, &error));
    for (size_t i = 0; i < found.n; i++) {
        g_autofree char *name = g_strndup((const char *)found.chains[i].key.data, found.chains[i].key.len);
        uint64_t key = 0;
        assert_true(int_parse_u64(slice_of_text(name + 1), &key));
        life->left_absent[key] = digest_is_zero(found.chains[i].written);
    }
}

static void check_all(struct life *life, void (*check)(const struct life *, int, const struct seen *))
{
    struct store_registry *registry = store_registry_new(&life->fake.world, life->drivers);
    struct hand hand;
    hand_open(life, registry, &hand, TARGET);
    for (int key = 0; key < LIFE_KEYS; key++) {
        struct seen seen = look(&hand, key);
        check(life, key, &seen);
    }
    hand_close(registry, &hand);
    store_registry_free(registry);
}

static void check_counts(struct life *life)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    kit_ok(catalog_open(&catalog, &life->fake.world, life->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_run_get(catalog, "job", mem, &run, &error));
    if (!tally_reconciles(&run.tally))
        fail_msg("%" PRIu64 " keys listed, %" PRIu64 " accounted for", run.tally.of[OUTCOME_LISTED_],
                 tally_sum(&run.tally, OUTCOME_KIND_LISTED));
}

static void forward(struct life *life, struct met *met)
{
    begin(life);
    until_done(life, met, HOLD_FORWARD, JOB_FORWARD);
    check_counts(life);
    check_all(life, life->mode == LIFE_IN_PLACE ? check_in_place : check_filled);
}

/* The steps of a rollback with deaths between them: back_prepare() and the workers. */
static void back(struct life *life, struct met *met)
{
    GError *error = NULL;
    for (int key = 0; key < LIFE_KEYS; key++)
        life->target[key].touched = false;
    life->registry = store_registry_new(&life->fake.world, life->drivers);
    struct run_config config = config_of(life);
    struct hold *hold;
    kit_ok(hold_take(&hold, &config, "job", &error));
    kit_ok(hold_open(hold, HOLD_BACK, &error));
    kit_ok(hold_move(hold, RUN_RUNNING, NULL, NULL, &error));
    kit_ok(hold_move(hold, RUN_ROLLING_BACK, NULL, NULL, &error));
    kit_ok(takeback_prepare(hold, NULL, &error));
    note_left(life, &hold->undo_config);
    hold_free(hold);
    g_clear_pointer(&life->registry, store_registry_free);
    until_done(life, met, HOLD_BACK, JOB_BACK);
    check_all(life, check_back);
}

/* Half of the lives are taken back before they have come to their end. */
static void forward_a_while(struct life *life, struct met *met)
{
    GError *error = NULL;
    struct process process = {.life = life, .met = met};
    begin(life);
    life->registry = store_registry_new(&life->fake.world, life->drivers);
    struct run_config config = config_of(life);
    kit_ok(hold_take(&process.hold, &config, "job", &error));
    kit_ok(hold_open(process.hold, HOLD_FORWARD, &error));
    job_init_forward(&process.hold->job, process.hold->plan, &process.hold->run);
    process.hold->job.batch_records = 1 + dice(life, 7);
    process_begin(&process, JOB_FORWARD);
    process_lives(&process);
    process_end(&process);
    hold_free(process.hold);
    g_clear_pointer(&life->registry, store_registry_free);
}

/* In memory where there is such a place: thousands of lives sync thousands of times. */
static char *scratch_dir(void)
{
    GError *error = NULL;
    if (!g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        return g_dir_make_tmp("sluice-life-XXXXXX", &error);
    return g_mkdtemp(g_strdup("/dev/shm/sluice-life-XXXXXX"));
}

void life_run(uint64_t seed, struct met *met)
{
    struct life life = {.seed = seed * 2654435761u + 1, .space = mem_space_new()};
    fake_world_init(&life.fake);
    clock_init(&life);
    life.fake.seed = seed;
    mem_driver_init(&life.driver, life.space);
    life.drivers[0] = &life.driver.table;
    life.dir = scratch_dir();
    life.home = g_build_filename(life.dir, "home", NULL);
    life.spec_path = g_build_filename(life.dir, "job.yaml", NULL);
    g_autofree char *lua = g_build_filename(life.dir, "t.lua", NULL);
    life.mode = (enum life_mode)dice(&life, LIFE_MODES);
    put_text(life.spec_path, SPECS[life.mode]);
    put_text(lua, "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n");
    seed_records(&life);
    if (dice(&life, 2) == 0)
        forward_a_while(&life, met);
    else
        forward(&life, met);
    back(&life, met);
    kit_dir_remove(life.dir);
    g_free(life.dir);
    g_free(life.home);
    g_free(life.spec_path);
    mem_space_free(life.space);
}
