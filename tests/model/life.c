#include "model/life.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/int.h"
#include "kit/fake_disk.h"
#include "kit/fake_sqlite.h"
#include "kit/fresh_home.h"
#include "store/rocksdb/rocksdb.h"

/* Virtual time, but other threads are let go on meanwhile: what waits for another connection's lock must not use up its
 * ten virtual seconds before that one has had its turn. */
static void sleep_patiently(void *self, int64_t us, const atomic_bool *cancel)
{
    struct fake_world *fake = self;
    if (cancel && atomic_load(cancel))
        return;
    fake->now_us += us;
    fake->wall_ms += us / 1000;
    world_sleep_us(world_real(), 50, NULL);
}

static void clock_init(struct life *life)
{
    life->clock = *life->fake.world.clock;
    life->clock.sleep_us = sleep_patiently;
    life->fake.world.clock = &life->clock;
}

static const char *const URIS[] = {[LIFE_ON_MEM] = "mem:s", [LIFE_ON_ROCKSDB] = "rocksdb:live"};

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
    struct store_config config = {.uri = URIS[life->on], .base_dir = life->dir};
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
    reference->unseen = deletes && !source && life->left_nothing[key];
    reference->expires_at_ms = dice(life, 4) == 0 ? INT64_C(4102444800000) + life->next_value : 0;
    hand_open(life, registry, &hand, source ? SOURCE : TARGET);
    hand_write(life, &hand, key, reference);
    hand_close(registry, &hand);
}

/* --- the process
 * -------------------------------------------------------------------------------------------------------- */

struct being {
    struct life *life;
    struct run_config config;
    struct hold *hold;
    uint32_t n;
    struct worker *workers[LIFE_WORKERS];
    struct exec *execs[LIFE_WORKERS];
    bool ended[LIFE_WORKERS];
    bool unsettled[LIFE_WORKERS]; /* it has logged intents that no checkpoint of its own accounts for */
};

static struct run_config config_of(struct life *life)
{
    return (struct run_config){.world = &life->fake.world,
                               .registry = life->registry,
                               .home = life->home,
                               .act = {.actor = "model@life", .reason = NULL}};
}

static void being_begin(struct being *being, struct life *life)
{
    static void (*const INITS[])(struct job *, const struct plan *, const struct run_row *) = {
        [JOB_FORWARD] = job_init_forward, [JOB_BACK] = job_init_back};
    GError *error = NULL;
    *being = (struct being){.life = life};
    life->registry = store_registry_new(&life->fake.world, life->drivers);
    being->config = config_of(life);
    kit_ok(hold_take(&being->hold, &being->config, "job", &error));
    kit_ok(hold_open(being->hold, life->job == JOB_BACK ? HOLD_BACK : HOLD_FORWARD, &error));
    INITS[life->job](&being->hold->job, being->hold->plan, &being->hold->run);
    being->hold->job.batch_records = 1 + dice(life, 7);
    being->hold->job.split_batches = 1;
    being->hold->shared.sharing.idle = (unsigned)dice(life, 4); /* some who wait and are never seen */
    being->n = 1 + (uint32_t)dice(life, LIFE_WORKERS);
    for (uint32_t i = 0; i < being->n; i++) {
        being->workers[i] = worker_new(&being->hold->job, UINT32_MAX);
        kit_ok(exec_new(&being->execs[i], &being->hold->shared, &error));
    }
}

static void being_end(struct being *being)
{
    for (uint32_t i = 0; i < being->n; i++) {
        g_clear_pointer(&being->execs[i], exec_free);
        g_clear_pointer(&being->workers[i], worker_free);
    }
    hold_free(being->hold);
    g_clear_pointer(&being->life->registry, store_registry_free);
}

/* Which keys the run's newest write left with nothing, by the writes that the store took: whoever hears of them or not.
 */
static void note_written(struct life *life, const struct cas_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t key = 0;
        if (ops[i].outcome != CAS_WRITTEN)
            continue;
        assert_true(int_parse_u64(slice_of(ops[i].key.data + 1, ops[i].key.len - 1), &key));
        life->left_nothing[key] = ops[i].verb == CAS_DELETE;
    }
}

static void act_on(struct being *being, uint32_t i, struct op *op)
{
    exec_perform(being->execs[i], op);
    if (op->kind == OP_CAS)
        note_written(being->life, op->cas.ops, op->cas.n);
}

/* What is on its way when its sender dies. Of one at a time. */
static void leave_on_the_way(struct life *life, const struct op *op)
{
    if (life->on != LIFE_ON_MEM || life->late.mem || dice(life, 2) == 0)
        return;
    late_copy(&life->late, op);
}

/* Whatever the store makes of it: it was logged, and whoever comes after asks the fence. */
static void arrive_late(struct life *life)
{
    GError *error = NULL;
    struct hand hand;
    hand_open(life, life->registry, &hand, TARGET);
    struct call call = {.ds = &hand.ds, .mem = life->late.mem};
    kit_ok(store_cas(hand.session, &call, &life->late.lane, life->late.ops, life->late.n, &error));
    note_written(life, life->late.ops, life->late.n);
    for (size_t i = 0; i < life->late.n; i++)
        life->met.fenced += life->late.ops[i].outcome == CAS_FENCED;
    hand_close(life->registry, &hand);
    late_done(&life->late);
    life->late = (struct late){0};
    life->met.late++;
}

/* A cas of which only a beginning arrives, before the process dies. */
static void tear(struct being *being, uint32_t i, struct op *op)
{
    leave_on_the_way(being->life, op);
    op->cas.n = dice(being->life, op->cas.n + 1);
    if (op->cas.n > 0)
        act_on(being, i, op);
    g_clear_error(&op->error);
    being->life->met.torn++;
}

/* The cas arrives, its answer does not. */
static void lose(struct being *being, uint32_t i, struct op *op)
{
    act_on(being, i, op);
    for (size_t k = 0; k < op->cas.n; k++)
        op->cas.ops[k].outcome = CAS_UNKNOWN;
    op->ok = false;
    g_clear_error(&op->error);
    error_set(&op->error, SLUICE_ERROR_TIMED_OUT, "the answer is lost");
    being->life->met.lost++;
}

/* The cas arrives twice, and the second answer is the one that is heard. */
static void repeat(struct being *being, uint32_t i, struct op *op)
{
    act_on(being, i, op);
    g_clear_error(&op->error);
    act_on(being, i, op);
    being->life->met.twice++;
}

static void count_outcomes(struct met *met, const struct op *op)
{
    for (size_t i = 0; op->kind == OP_CAS && i < op->cas.n; i++) {
        met->changed += op->cas.ops[i].outcome == CAS_CHANGED;
        met->done += op->cas.ops[i].outcome == CAS_DONE;
    }
}

static void perform(struct being *being, uint32_t i, struct op *op)
{
    struct life *life = being->life;
    if (op->kind == OP_CAS && dice(life, 6) == 0)
        lose(being, i, op);
    else if (op->kind == OP_CAS && dice(life, 8) == 0)
        repeat(being, i, op);
    else
        act_on(being, i, op);
    count_outcomes(&life->met, op);
    if (op->ok && op->kind == OP_LOG)
        being->unsettled[i] = true;
    if (op->ok && op->kind == OP_CHECKPOINT) {
        being->unsettled[i] = false;
        life->met.splits += op->checkpoint.row.split_at > 0;
    }
}

/* One step of one worker; true: the process dies here. */
static bool step(struct being *being, uint32_t i)
{
    struct life *life = being->life;
    struct op op;
    worker_next(being->workers[i], &op);
    if (op.kind == OP_END) {
        being->ended[i] = true;
        return false;
    }
    if (op.kind == OP_CAS && dice(life, life->on == LIFE_ON_MEM ? 8 : 20) == 0) {
        tear(being, i, &op);
        return true;
    }
    bool dies = dice(life, 80) == 0;
    if (dies && dice(life, 2) == 0)
        return true; /* before it */
    if (dice(life, 60) == 0)
        life->fake.dies_in = 1 + dice(life, 6);
    perform(being, i, &op);
    life->fake.dies_in = 0;
    life->met.in_files += life->fake.dead;
    if (dies || life->fake.dead) /* behind it, or amid it */
        g_clear_error(&op.error);
    else
        worker_done(being->workers[i], &op);
    return dies || life->fake.dead;
}

static bool all_ended(const struct being *being)
{
    for (uint32_t i = 0; i < being->n; i++)
        if (!being->ended[i])
            return false;
    return true;
}

static void count_death(struct being *being)
{
    bool between = false;
    for (uint32_t i = 0; i < being->n; i++)
        between |= being->unsettled[i];
    being->life->met.deaths++;
    being->life->met.between += between;
}

/* Steps until all workers have ended (true) or the process has died (false). */
static bool being_lives(struct being *being)
{
    struct life *life = being->life;
    while (!all_ended(being)) {
        uint32_t i = (uint32_t)dice(life, being->n);
        if (being->ended[i])
            continue;
        if (step(being, i)) {
            count_death(being);
            return false;
        }
        if (dice(life, 3) == 0)
            app_writes(life, life->registry);
        if (life->late.mem && dice(life, 12) == 0)
            arrive_late(life);
    }
    for (uint32_t i = 0; i < being->n; i++)
        if (worker_error(being->workers[i]))
            fail_msg("a worker failed: %s", worker_error(being->workers[i])->message);
    return true;
}

/* Connections are closed and files let go by a process that can do nothing any more. The index that connections share
 * lives in memory only. */
static void bury(struct being *being)
{
    struct life *life = being->life;
    g_autofree char *shared = g_build_filename(life->home, "catalog.db-shm", NULL);
    bool power = life->fake.dead && dice(life, 2) == 0;
    life->fake.dead = true;
    being_end(being);
    life->fake.dead = false;
    if (!power)
        return;
    unlink(shared);
    life->met.forgotten += fake_disk_lose(life->fake.disk, &life->seed);
}

/* --- acts: in a child, where a store can only be opened by a process of its own
 * ---------------------------------------- */

enum { ACT_DONE = 40, ACT_DIED };

static int act_live(struct life *life)
{
    struct being being;
    being_begin(&being, life);
    if (being_lives(&being)) {
        being_end(&being);
        return ACT_DONE;
    }
    if (life->on != LIFE_ON_MEM)
        _exit(ACT_DIED);
    bury(&being);
    return ACT_DIED;
}

static int apart(struct life *life, int (*act)(struct life *life))
{
    int status;
    if (life->on == LIFE_ON_MEM)
        return act(life);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(act(life));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    status = WEXITSTATUS(status);
    life->fake.dead = false;
    assert_true(status == ACT_DONE || status == ACT_DIED); /* anything else: a check of the child's failed */
    return status;
}

static int act_app(struct life *life)
{
    struct store_registry *registry = store_registry_new(&life->fake.world, life->drivers);
    for (uint64_t n = dice(life, 4); n > 0; n--)
        app_writes(life, registry);
    store_registry_free(registry);
    return ACT_DONE;
}

static void until_done(struct life *life, enum job_kind job)
{
    life->job = job;
    while (apart(life, act_live) == ACT_DIED) {
        life->met.resumed++;
        apart(life, act_app);
    }
}

/* --- a life
 * ------------------------------------------------------------------------------------------------------------- */

static const char *const SPECS[] = {
    [LIFE_IN_PLACE] =
        "sluice: 1\nname: job\nsource: { store: \"STORE\", dataset: items }\n"
        "transform: { lua: t.lua }\ntarget: { store: \"STORE\", dataset: items }\npartitions: { size: SIZE "
        "}\nworkers: 1\n",
    [LIFE_FILL] = "sluice: 1\nname: job\nsource: { store: \"STORE\", dataset: origin }\n"
                  "transform: { lua: t.lua }\ntarget: { store: \"STORE\", dataset: items }\npartitions: { size: SIZE "
                  "}\nworkers: 1\n",
    [LIFE_OVERWRITE] = "sluice: 1\nname: job\nsource: { store: \"STORE\", dataset: origin }\n"
                       "transform: { lua: t.lua }\n"
                       "target: { store: \"STORE\", dataset: items, write: in-place, conflict: overwrite }\n"
                       "partitions: { size: SIZE }\nworkers: 1\n",
};

static void put_text(const char *path, const char *text)
{
    GError *error = NULL;
    if (!g_file_set_contents(path, text, -1, &error))
        fail_msg("%s", error->message);
}

static int act_seed(struct life *life)
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
    return ACT_DONE;
}

static int act_plan(struct life *life)
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
    return ACT_DONE;
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
     * run had removed its own write (whatever it wrote later), cannot be told from the run. */
    if (reference->unseen)
        return;
    if (seen->present != reference->present || (seen->present && seen->value != reference->value))
        fail_msg("k%03d: %s %" PRId64 " after the rollback, the application left %s %" PRId64, key,
                 seen->present ? "present" : "absent", seen->value, reference->present ? "present" : "absent",
                 reference->value);
    if (seen->present)
        assert_int_equal(seen->expires_at_ms, reference->expires_at_ms);
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

static int along(const void *a, const void *b)
{
    const struct part_row *x = a, *y = b;
    return x->of != y->of ? (x->of > y->of) - (x->of < y->of) : (x->first > y->first) - (x->first < y->first);
}

/* What was split covers what was planned: no key is of two partitions, or of none. */
static void check_stretches(struct part_row *parts, size_t n)
{
    qsort(parts, n, sizeof *parts, along);
    for (size_t i = 0; i < n; i++) {
        bool begins = i == 0 || parts[i].of != parts[i - 1].of;
        assert_int_equal(parts[i].first, begins ? 0 : parts[i - 1].first + parts[i - 1].records);
        assert_true(!begins || parts[i].part == parts[i].of);
    }
}

/* Where a partition was gone on with: each checkpoint begins where the one before ends, and the last at its end. */
static void check_places(struct catalog *catalog, int64_t run)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(8 << 20);
    struct parts_of of = {.run = run, .stage = UINT32_MAX};
    struct part_row *parts;
    size_t n;
    kit_ok(catalog_parts(catalog, &of, mem, &parts, &n, &error));
    for (size_t i = 0; i < n; i++) {
        struct checkpoints rows;
        kit_ok(catalog_checkpoints(catalog, run, parts[i].part, mem, &rows, &error));
        assert_true(rows.n > 0);
        for (size_t k = 0; k < rows.n; k++)
            assert_int_equal((rows.rows[k].index - (k > 0 ? rows.rows[k - 1].index : 0) + 1) / 2,
                             rows.rows[k].outcomes.len);
        assert_int_equal(rows.rows[rows.n - 1].index, parts[i].records);
    }
    check_stretches(parts, n);
}

static int act_check_forward(struct life *life)
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
    check_places(catalog, run.id);
    check_all(life, life->mode == LIFE_IN_PLACE ? check_in_place : check_filled);
    return ACT_DONE;
}

static int act_check_back(struct life *life)
{
    check_all(life, check_back);
    return ACT_DONE;
}

/* What a rollback does before its workers: takeback_prepare(). */
static int act_turn_back(struct life *life)
{
    GError *error = NULL;
    struct hold *hold;
    for (int key = 0; key < LIFE_KEYS; key++)
        life->target[key].touched = false;
    life->registry = store_registry_new(&life->fake.world, life->drivers);
    struct run_config config = config_of(life);
    kit_ok(hold_take(&hold, &config, "job", &error));
    kit_ok(hold_open(hold, HOLD_BACK, &error));
    kit_ok(hold_move(hold, RUN_RUNNING, NULL, NULL, &error));
    kit_ok(hold_move_back(hold, 0, &error));
    kit_ok(takeback_prepare(hold, 0, &error));
    hold_free(hold);
    g_clear_pointer(&life->registry, store_registry_free);
    return ACT_DONE;
}

/* Half of the lives are taken back before they have come to their end. */
static void whole_life(struct life *life)
{
    apart(life, act_seed);
    apart(life, act_plan);
    if (dice(life, 2) == 0) {
        life->job = JOB_FORWARD;
        apart(life, act_live);
    } else {
        until_done(life, JOB_FORWARD);
        apart(life, act_check_forward);
    }
    apart(life, act_turn_back);
    until_done(life, JOB_BACK);
    apart(life, act_check_back);
}

/* In memory where there is such a place: thousands of lives sync thousands of times. */
static char *scratch_dir(void)
{
    GError *error = NULL;
    if (!g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        return g_dir_make_tmp("sluice-life-XXXXXX", &error);
    return g_mkdtemp(g_strdup("/dev/shm/sluice-life-XXXXXX"));
}

/* Where children see it too. */
static struct life *life_new(enum life_store on, uint64_t seed)
{
    struct life *life = mmap(NULL, sizeof *life, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(life, MAP_FAILED);
    fake_world_init(&life->fake);
    clock_init(life);
    life->on = on;
    life->seed = seed * 2654435761u + 1;
    life->fake.seed = seed;
    life->fake.disk = on == LIFE_ON_MEM ? fake_disk_new() : NULL;
    life->space = mem_space_new();
    mem_driver_init(&life->mem, life->space);
    life->drivers[0] = on == LIFE_ON_MEM ? &life->mem.table : &rocksdb_driver;
    life->dir = scratch_dir();
    life->home = g_build_filename(life->dir, "home", NULL);
    life->spec_path = g_build_filename(life->dir, "job.yaml", NULL);
    life->mode = (enum life_mode)dice(life, LIFE_MODES);
    fresh_home_put(&life->fake, life->home);
    return life;
}

static void life_free(struct life *life)
{
    fake_sqlite_attach(NULL);
    kit_dir_remove(life->dir);
    if (life->late.mem)
        late_done(&life->late);
    g_free(life->dir);
    g_free(life->home);
    g_free(life->spec_path);
    mem_space_free(life->space);
    fake_disk_free(life->fake.disk);
    munmap(life, sizeof *life);
}

static void met_add(struct met *to, const struct met *from)
{
    uint64_t *sum = (uint64_t *)(void *)to;
    const uint64_t *more = (const uint64_t *)(const void *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += more[i];
}

void life_run(enum life_store on, uint64_t seed, struct met *met)
{
    struct life *life = life_new(on, seed);
    g_autofree char *lua = g_build_filename(life->dir, "t.lua", NULL);
    g_autoptr(GString) spec = g_string_new(SPECS[life->mode]);
    g_string_replace(spec, "STORE", URIS[on], 0);
    g_string_replace(spec, "SIZE", dice(life, 2) == 0 ? "9" : "45", 0);
    put_text(life->spec_path, spec->str);
    put_text(lua, "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n");
    whole_life(life);
    met_add(met, &life->met);
    life_free(life);
}
