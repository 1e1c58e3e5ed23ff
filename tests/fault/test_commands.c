/* The commands that the sweep knows nothing of, and what gates and verifications are asked for beside equality: the
 * n-th call fails, for every n, until the command meets no fault; or somebody has a word with it at its n-th kill
 * point. Given again it ends as an undisturbed one, and leaves the same. With SLUICE_SWEEP=all every n, with
 * SLUICE_STRIDE=N one in so many; else a few, of some faults of each; with SLUICE_COMMAND=NAME of one command alone. */
#include <errno.h>

#include "base/int.h"
#include "fault/sweep.h"
#include "kit/fresh_home.h"
#include "run/prune.h"

enum { KEYS = 12, MOST_DEEDS = 4, OWN_FAULTS = 2, HOUR_MS = 3600 * 1000 };

#define FROM        "source: { store: \"mem:s\", dataset: origin }\n"
#define ONTO        "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"
#define SMALL       "partitions: { size: 7 }\nworkers: 1\n"
#define HEAD        "sluice: 1\nname: job\ntransform: { lua: t.lua }\n"
#define SAMPLE_GATE "{ verify: { confidence: 90%, below: 20% } }"
#define ROUNDS_GATE "{ verify: { confidence: 90%, below: 20%, each: 30% } }" /* all, of so few, in two rounds */

static const char ASKED[] = HEAD FROM ONTO SMALL
    "contract: c.yaml\nretain: { undo: 1h, quarantine: 1h, reports: 1h }\n"
    "stages: [{ name: canary, scope: 1 partitions }, { name: full, scope: 100% }]\n"
    "cause: { id: INC-1, probe: { field: at, where: \"doc.n > 2\" } }\n"
    "expect:\n"
    "  - { name: all, count: 12 }\n  - { name: adds, sum: n, is: 66 }\n  - { name: least, min: n, is: 0 }\n"
    "  - { name: most, max: id, is: k11 }\n  - { name: kinds, distinct: n, is: 12 }\n"
    "  - { name: one, key: k05, fields: { times: 1 } }\n  - { name: none, key: x, absent: true }\n"
    "  - { name: once, unique: n }\n  - { name: known, refers: id, to: origin }\n  - { name: sound, valid: true }\n"
    "  - { name: stays, expires: false }\n"
    "measures:\n  - { name: records, count: true, least: 1 }\n  - { name: sums, sum: n, change: 100% }\n"
    "  - { name: values, distinct: n, most: 12 }\n"
    "buckets: [{ name: hours, field: at, width: 1h, sum: n }]\n";
static const char INDEXED[] = HEAD FROM ONTO SMALL "stages: [{ name: full, scope: 100% }]\n"
                                                   "expect: [{ name: by-n, index: by_n, entry: \"{n}:{key}\" }]\n";
static const char CONTRACT[] = "contract: 1\nname: items\nversion: 1\n"
                               "fields: { id: { type: string }, n: { type: int, min: 0 }, times: { type: int } }\n";
static const char PLAIN[] = HEAD FROM ONTO SMALL;
static const char SAMPLED[] = HEAD FROM ONTO SMALL "stages: [{ name: full, scope: 100%, gate: " SAMPLE_GATE " }]\n";
static const char SAME_SAMPLED[] = HEAD "source: { store: \"mem:s\", dataset: items }\n"
                                        "target: { store: \"mem:s\", dataset: items }\n" SMALL
                                        "stages: [{ name: full, scope: 100%, gate: " ROUNDS_GATE " }]\n";
static const char SHADOW[] = HEAD "source: { store: \"mem:s\", dataset: items }\n"
                                  "target: { store: \"mem:s\", dataset: items, write: shadow }\n" SMALL;
static const char FILES[] = HEAD "source: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n" ONTO SMALL;
static const char APPENDS[] = HEAD FROM SMALL "target: { store: \"file:out\", dataset: \"o-*.ndjson\" }\n";

static const char ONCE[] = "function transform(doc, ctx) doc.times = 1 return doc end\n";
static const char REJECTS[] = "function transform(doc, ctx)\n"
                              "  if doc.n == 3 then return ctx.reject('three') end\n"
                              "  if doc.n == 4 then return ctx.delete() end\n"
                              "  doc.times = doc.times + 1\n  return doc\nend\n";
static const char TWICE[] = "function transform(doc, ctx) doc.times = doc.times + 2 return doc end\n";

/* --- what is done
 * --------------------------------------------------------------------------------------------------------- */

typedef void deed(struct scene *scene, struct ended *ret);

static void ended_by(struct ended *ret, bool ok, int status, GError *error)
{
    if (ok && error)
        fail_msg("it ended well, and says: %s", error->message);
    *ret = (struct ended){.status = ok ? status : error_exit_status(error), .by_error = !ok};
    ret->text = ok ? NULL : g_strdup(error->message);
    g_clear_error(&error);
}

static void do_check_all(struct scene *scene, struct ended *ret)
{
    scene->full = true;
    scene_check(scene, ret);
}

static void do_check_sample(struct scene *scene, struct ended *ret)
{
    scene->sure = (struct sampling_wish){0.9, 0.2};
    scene_check(scene, ret);
}

static void do_check_extra(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct verify_result verdict = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.extra = true;
    bool ok = run_verify(&config, scene->run, &verdict, &error);
    ended_by(ret, ok, verdict.pass ? 0 : 4, error);
    verify_result_done(&verdict);
    store_registry_free(registry);
}

static void do_check_spec(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct verify_result verdict = {0};
    struct spec *spec = NULL;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = spec_read(&spec, &scene->fake.world, scene->spec_path, &error) &&
              run_verify_spec(&config, spec, &verdict, &error);
    ended_by(ret, ok, verdict.pass ? 0 : 4, error);
    verify_result_done(&verdict);
    store_registry_free(registry);
}

static void do_promote(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_promote(&config, scene->run, &result, &error);
    ended_by(ret, ok, result.exit_status, error);
    run_result_done(&result);
    store_registry_free(registry);
}

static void do_prune(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct prune_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    scene->fake.wall_ms += 2 * HOUR_MS;
    bool ok = run_prune(&config, false, &result, &error);
    ended_by(ret, ok, 0, error);
    prune_result_done(&result);
    store_registry_free(registry);
}

/* Another spec's lines, which take the first run back before their own first write. */
static void do_supersede(struct scene *scene, struct ended *ret)
{
    scene_file(scene, "t.lua", TWICE);
    scene->supersede = "job.1";
    scene->run = "job.2";
    scene_run(scene, ret);
}

static void begun(struct scene *scene, struct run_config *config, struct ended *ret)
{
    GError *error = NULL;
    struct spec *spec = NULL;
    struct run_result planned = {0}, result = {0};
    bool is_new, ok = spec_read(&spec, &scene->fake.world, scene->spec_path, &error);
    if (ok && !run_begin(config, spec, &planned, &is_new, &error)) {
        spec_free(spec);
        ok = false;
    }
    ok = ok && run_forward(config, planned.run.name, true, &result, &error);
    ended_by(ret, ok, result.exit_status, error);
    run_result_done(&planned);
    run_result_done(&result);
}

static void do_retry(struct scene *scene, struct ended *ret)
{
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.retry = "job.1";
    scene->run = "job.2";
    begun(scene, &config, ret);
    store_registry_free(registry);
}

static void repaired(struct scene *scene, bool extra, struct ended *ret)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    struct run_repair repair = {.extra = extra};
    scene->run = "job.2";
    if (run_repair_find(&config, "job.1", mem, &repair, &error)) {
        config.retry = repair.run;
        config.repair = &repair;
        begun(scene, &config, ret);
    } else
        ended_by(ret, false, 0, error);
    store_registry_free(registry);
}

static void do_repair(struct scene *scene, struct ended *ret)
{
    repaired(scene, false, ret);
}

static void do_repair_extra(struct scene *scene, struct ended *ret)
{
    repaired(scene, true, ret);
}

static void put(struct scene *scene, const char *dataset, int i)
{
    g_autofree char *key = g_strdup_printf("k%02d", i);
    g_autofree char *json =
        g_strdup_printf("{\"id\": \"%s\", \"n\": %d, \"at\": \"2026-07-01T%02d:00:00Z\", \"times\": 0}", key, i, i);
    scene_put(scene, dataset, key, json);
}

/* An accident: two stand as they did before, and something that is nobody's. */
static void do_damage(struct scene *scene, struct ended *ret)
{
    put(scene, "items", 2);
    put(scene, "items", 3);
    scene_put(scene, "items", "stray", "{\"id\": \"stray\"}");
    *ret = (struct ended){0};
}

static void entry(struct scene *scene, int n, const char *key)
{
    g_autofree char *name = g_strdup_printf("%d:%s", n, key);
    scene_put(scene, "by_n", name, "{\"id\": \"x\"}");
}

/* One that leads to nobody, one to what has another value by now, and a record that its index does not find. */
static void do_break_index(struct scene *scene, struct ended *ret)
{
    entry(scene, 4, "nobody");
    entry(scene, 9, "k03");
    scene_put(scene, "items", "k05", "{\"id\": \"k05\", \"n\": 7, \"times\": 1}");
    *ret = (struct ended){0};
}

/* --- lives
 * ---------------------------------------------------------------------------------------------------------------- */

/* All deeds but the last are done in peace; the last meets the faults, and is given again. */
struct life {
    const char *name, *spec, *lua;
    struct {
        deed *give;
        int status;
    } deeds[MOST_DEEDS];
    bool has_no_run, appends; /* where what stands is not in the store's image */
};

static const struct life LIVES[] = {
    {"all that can be asked", ASKED, ONCE, {{scene_run, 0}}},
    {"verification of all that can be asked", ASKED, ONCE, {{scene_run, 0}, {do_check_all, 0}}},
    {"rollback of stages", ASKED, ONCE, {{scene_run, 0}, {scene_back, 0}}},
    {"pruning", ASKED, ONCE, {{scene_run, 0}, {do_prune, 0}}},
    {"a sampled gate", SAMPLED, ONCE, {{scene_run, 0}}},
    {"a sampled gate on its own source", SAME_SAMPLED, ONCE, {{scene_run, 0}}},
    {"a sample", FILES, ONCE, {{scene_run, 0}, {do_check_sample, 0}}},
    {"all from files again", FILES, ONCE, {{scene_run, 0}, {do_check_all, 0}}},
    {"what is beyond the source", ASKED, ONCE, {{scene_run, 0}, {do_damage, 0}, {do_check_extra, 4}}},
    {"a spec without a run", FILES, ONCE, {{do_damage, 0}, {do_check_spec, 4}}, .has_no_run = true},
    {"promotion", SHADOW, REJECTS, {{scene_run, 3}, {do_promote, 8}}},
    {"promotion taken back", SHADOW, REJECTS, {{scene_run, 3}, {do_promote, 8}, {scene_back, 0}}},
    {"superseding", SAME_SAMPLED, REJECTS, {{scene_run, 8}, {do_supersede, 0}}},
    {"retry", FILES, REJECTS, {{scene_run, 8}, {do_retry, 8}}},
    {"repair", PLAIN, ONCE, {{scene_run, 0}, {do_damage, 0}, {do_check_all, 4}, {do_repair, 0}}},
    {"repair of what is beyond the source",
     PLAIN,
     ONCE,
     {{scene_run, 0}, {do_damage, 0}, {do_check_extra, 4}, {do_repair_extra, 0}}},
    {"an index", INDEXED, ONCE, {{scene_run, 0}}},
    {"an index that is broken", INDEXED, ONCE, {{scene_run, 0}, {do_break_index, 0}, {do_check_all, 4}}},
    {"files that are appended to", APPENDS, ONCE, {{scene_run, 0}}, .appends = true},
    {"verification of what was appended", APPENDS, ONCE, {{scene_run, 0}, {do_check_all, 0}}},
    {"rollback of what was appended", APPENDS, ONCE, {{scene_run, 0}, {scene_back, 0}}},
};

static void put_all(struct scene *scene)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (int i = 0; i < KEYS; i++) {
        put(scene, "origin", i);
        put(scene, "items", i);
        g_autofree char *key = g_strdup_printf("k%02d", i);
        entry(scene, i, key);
        g_string_append_printf(lines, "{\"id\": \"k%02d\", \"n\": %d, \"times\": 0}\n", i, i);
    }
    scene_file(scene, "in/a.ndjson", lines->str);
    scene_file(scene, "c.yaml", CONTRACT);
}

static bool is_last(const struct life *life, size_t i)
{
    return i + 1 == MOST_DEEDS || !life->deeds[i + 1].give;
}

static void give(struct scene *scene, const struct life *life, size_t i)
{
    struct ended ended;
    life->deeds[i].give(scene, &ended);
    if (ended.status != life->deeds[i].status)
        fail_msg("%s: deed %zu ended with %d: %s", life->name, i, ended.status, ended.text);
    ended_done(&ended);
}

/* What all its last deeds have in common. */
struct series {
    const struct life *life;
    struct scene_kept kept; /* where the last deed begins */
    size_t last;
    char *image;                  /* what it leaves undisturbed */
    GPtrArray *calls[OWN_FAULTS]; /* by name: what it calls then of what such a fault is of */
    bool asks[FAULT_OP_COUNT];    /* a store */
};

static struct sites sites;

struct fault_of {
    const char *name;
    struct fake_fault call; /* of files and the catalog */
    struct fault_row store; /* effect NONE: of none */
    uint64_t fewer;         /* so many times fewer of these calls are made */
};

static const struct fault_of FAULTS[] = {
    {"file", {.number = EIO}, {0}, 1}, /* these OWN_FAULTS before the store's */
    {"catalog", {.number = EIO, .sqlite = true}, {0}, 1},
    {"store", {0}, {.op = FAULT_ANY, .effect = FAULT_TRANSIENT, .lasting = true}, 10},
    {"store once", {0}, {.op = FAULT_ANY, .effect = FAULT_FATAL}, 10},
};

static void arm(struct scene *scene, const struct fault_of *fault, uint64_t nth)
{
    struct fake_fault call = fault->call;
    struct fault_row store = fault->store;
    call.nth = call.number ? nth : 0;
    store.nth = nth;
    fake_world_arm(&scene->fake, call);
    scene_fault(scene, nth && store.effect != FAULT_NONE ? &store : NULL);
}

static bool has_fired(const struct scene *scene)
{
    uint64_t fired = scene->fake.fired;
    for (int i = 0; i < FAULT_OP_COUNT; i++)
        fired += scene->plan.fired[i];
    return fired > 0;
}

/* Up to the last deed. */
static void prepare(struct series *series)
{
    struct scene scene;
    const struct life *life = series->life;
    scene_init(&scene, life->spec, life->lua);
    put_all(&scene);
    fresh_home_put(&scene.fake, scene.home);
    for (; !is_last(life, series->last); series->last++)
        give(&scene, life, series->last);
    scene_keep(&scene, &series->kept);
    scene_done(&scene);
}

/* The last deed meets the n-th call; false: there was none. */
static bool meets(const struct series *series, const struct fault_of *fault, uint64_t n)
{
    struct scene scene;
    struct ended ended;
    const struct life *life = series->life;
    size_t last = series->last;
    struct site_watch watch = {.scene = &scene, .sites = &sites};
    scene_again(&scene, &series->kept);
    arm(&scene, fault, n);
    site_watch_begin(&watch);
    life->deeds[last].give(&scene, &ended);
    site_watch_end(&watch);
    bool fired = has_fired(&scene);
    arm(&scene, fault, 0);
    int wanted = life->deeds[last].status;
    bool made = ended.status == 4 && wanted != 4, hid = ended.status != 4 && wanted == 4 && !ended.by_error;
    if (ended.status == 1 || made || hid) /* a fault makes no difference that is none, and hides none */
        fail_msg("%s, %s %" PRIu64 ": ended with %d: %s", life->name, fault->name, n, ended.status, ended.text);
    give(&scene, life, last);
    g_autofree char *after = scene_image(&scene, "items");
    if (strcmp(after, series->image) != 0)
        fail_msg("%s, %s %" PRIu64 ":\n--- is ---\n%s--- should be ---\n%s", life->name, fault->name, n, after,
                 series->image);
    if (!life->has_no_run)
        scene_reconciles(&scene);
    if (life->appends)
        scene_ran_at(&scene, do_check_all, 0, __FILE__, __LINE__);
    ended_done(&ended);
    scene_done(&scene);
    return fired;
}

/* The last deed undisturbed. */
static void rehearse(struct series *series, size_t fault)
{
    struct scene scene;
    GPtrArray *calls = g_ptr_array_new_with_free_func(g_free);
    struct site_watch watch = {.scene = &scene, .sites = &sites, .order = calls};
    scene_again(&scene, &series->kept);
    arm(&scene, &FAULTS[fault], UINT64_MAX);
    site_watch_begin(&watch);
    give(&scene, series->life, series->last);
    site_watch_end(&watch);
    for (int op = 0; op < FAULT_OP_COUNT; op++)
        series->asks[op] = scene.plan.calls[op] > 0;
    arm(&scene, &FAULTS[fault], 0);
    g_free(series->image);
    series->image = scene_image(&scene, "items");
    series->calls[fault] = calls;
    scene_done(&scene);
}

static void series_init(struct series *ret, const struct life *life)
{
    *ret = (struct series){.life = life};
    prepare(ret);
    for (size_t f = 0; f < OWN_FAULTS; f++)
        rehearse(ret, f);
}

static void series_done(struct series *series)
{
    for (size_t f = 0; f < OWN_FAULTS; f++)
        g_ptr_array_unref(series->calls[f]);
    scene_kept_done(&series->kept);
    g_free(series->image);
}

/* Whether a life takes its turn at a fault: in CI they share them out. */
static bool has_turn(size_t life, size_t fault)
{
    size_t among = g_getenv("SLUICE_SWEEP") || g_getenv("SLUICE_STRIDE") ? 1 : g_getenv("SLUICE_SPARSE") ? 4 : 2;
    return (life + fault) % among == 0;
}

/* --- somebody's word -----------------------------------------------------------------------------------------------
 */

/* What is said to a command that is at work; `ends`: what there was before is to stand in the end. */
struct word {
    const char *name;
    enum wish_kind wish;
    const char *key, *value; /* of a limit that is set; then it is taken off again */
    bool ends;
};

static const struct word WORDS[] = {
    {"signal", WISH_NONE, NULL, NULL, false},
    {"pause", WISH_PAUSE, NULL, NULL, false},
    {"budget", WISH_SET, "budget.records", "1", false},
    {"source", WISH_SET, "source.until", "2001-01-01", false},
    {"abort", WISH_ABORT, NULL, NULL, true},
    {"rollback", WISH_ROLLBACK, NULL, NULL, true},
};

struct speaking {
    struct scene *scene;
    const struct word *word;
    uint64_t nth;
    atomic_uint_fast64_t passed;
    atomic_int signals;
    atomic_bool said;
};

/* False: there is no such run yet. */
static bool record(struct scene *scene, const struct word *word, const char *value)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row run;
    struct act act = {.actor = "ann@desk"};
    struct wish wish = {.kind = word->wish, .act = act};
    struct setting setting = {.key = word->key, .value = value};
    int64_t id;
    if (!catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, NULL) ||
        !catalog_run_get(catalog, scene->run, mem, &run, NULL))
        return false;
    if (word->key)
        kit_ok(catalog_setting_add(catalog, run.id, &setting, &act, &error));
    kit_ok(catalog_wish_add(catalog, run.id, &wish, &id, &error));
    return true;
}

/* Whoever comes through there has the catalog for itself. */
static bool is_within(const char *point)
{
    return g_str_has_prefix(point, "catalog.") || g_str_has_suffix(point, ".move") || g_str_equal(point, "parts.lost");
}

static void on_point(void *self, const char *point)
{
    struct speaking *speaking = self;
    if (is_within(point) || atomic_fetch_add(&speaking->passed, 1) + 1 != speaking->nth)
        return;
    if (speaking->word->wish == WISH_NONE)
        atomic_store(&speaking->signals, 1);
    atomic_store(&speaking->said,
                 speaking->word->wish == WISH_NONE || record(speaking->scene, speaking->word, speaking->word->value));
}

/* It was said at the n-th point that the last deed came through; false: it came through fewer. */
static bool hears(const struct life *life, struct speaking *speaking, size_t last, struct ended *ret)
{
    struct scene *scene = speaking->scene;
    scene->signals = &speaking->signals;
    scene->fake.world.point = on_point;
    scene->fake.world.point_self = speaking;
    life->deeds[last].give(scene, ret);
    scene->fake.world.point = NULL;
    atomic_store(&speaking->signals, 0);
    return speaking->passed >= speaking->nth;
}

static void stands(struct scene *scene, const char *image)
{
    g_autofree char *after = scene_image(scene, "items");
    if (strcmp(after, image) != 0)
        fail_msg("--- is ---\n%s--- should be ---\n%s", after, image);
}

/* A promotion that somebody paused is gone on with by a command of its own, and so is a rollback. */
static void lift(struct scene *scene, const struct life *life, size_t last)
{
    struct ended ended;
    auto_(arena) mem = arena_new(1 << 20);
    if (life->deeds[last].give != do_promote || scene_row(scene, mem).state != RUN_PAUSED)
        return;
    scene_run(scene, &ended);
    ended_done(&ended);
}

/* Of what the last deed writes: taken back, there stands what did before it. */
static bool goes_back(const struct life *life, size_t last)
{
    deed *by = life->deeds[last].give;
    return by == scene_run || by == do_promote || by == do_retry || by == do_repair || by == do_repair_extra;
}

static bool speaks(const struct series *series, const struct word *word, uint64_t n)
{
    struct scene scene;
    struct ended ended;
    const struct life *life = series->life;
    size_t last = series->last;
    struct speaking speaking = {.scene = &scene, .word = word, .nth = n};
    scene_again(&scene, &series->kept);
    g_autofree char *before = scene_image(&scene, "items");
    bool heard = hears(life, &speaking, last, &ended);
    if (ended.status == 1)
        fail_msg("%s, %s %" PRIu64 ": %s", life->name, word->name, n, ended.text);
    ended_done(&ended);
    if (speaking.said && word->ends) {
        scene_back(&scene, &ended);
        assert_true(ended.status == 0 || ended.status == 7);
        ended_done(&ended);
        stands(&scene, before);
    } else {
        if (speaking.said && word->key)
            record(&scene, word, "none");
        lift(&scene, life, last);
        give(&scene, life, last);
        stands(&scene, series->image);
        if (!life->has_no_run)
            scene_reconciles(&scene);
    }
    scene_done(&scene);
    return heard;
}

static void meet_once(const struct series *series, const struct fault_of *fault, uint64_t n, const char *name)
{
    bool lasting = fault->call.lasting || fault->store.lasting;
    g_autofree char *site = g_strconcat(name, lasting ? SITE_FOR_EVER : NULL, NULL);
    static const int NEAR[] = {0, 0, 1, -1, 2, -2}; /* a call of another thread may come before it, or not */
    for (size_t i = 0; i < G_N_ELEMENTS(NEAR) && site_is_of(site, SITE_COMMANDS); i++)
        if (!g_hash_table_contains(sites.failed, site) && (NEAR[i] >= 0 || n > (uint64_t)-NEAR[i]))
            meets(series, fault, n + (uint64_t)NEAR[i]);
}

/* Calls that are made here alone fail the first time that they are made, whoever's turn it is: once, and for ever. */
static void meet_own(const struct series *series, bool lasting)
{
    for (size_t f = 0; f < OWN_FAULTS; f++) {
        struct fault_of fault = FAULTS[f];
        fault.call.lasting = lasting;
        for (guint i = 0; i < series->calls[f]->len; i++)
            meet_once(series, &fault, i + 1, series->calls[f]->pdata[i]);
    }
    for (int op = 0; op < FAULT_OP_COUNT; op++) {
        struct fault_of fault = {"store's own", {0}, {(enum fault_op)op, .effect = FAULT_TRANSIENT}, 1};
        g_autofree char *name = g_strconcat("store ", fault_op_name((enum fault_op)op), NULL);
        fault.store.lasting = lasting;
        if (series->asks[op])
            meet_once(series, &fault, 1, name);
    }
}

static uint64_t meet_each(const struct series *series, size_t fault, uint64_t stride)
{
    size_t life = (size_t)(series->life - LIVES);
    uint64_t every = 1 + (stride - 1) / FAULTS[fault].fewer, n = 1 + life * 7 % every, met = 0;
    if (!has_turn(life, fault))
        return 0;
    for (; meets(series, &FAULTS[fault], n); n += every)
        met++;
    print_message("# %s, %s: %" PRIu64 " met it, to %" PRIu64 "\n", series->life->name, FAULTS[fault].name, met, n);
    return met;
}

static uint64_t hear_each(const struct series *series, size_t word, uint64_t stride)
{
    size_t life = (size_t)(series->life - LIVES);
    uint64_t n = 1 + life * 29 % stride, heard = 0;
    if (!has_turn(life, word) || (WORDS[word].ends && !goes_back(series->life, series->last)))
        return 0;
    for (; speaks(series, &WORDS[word], n); n += stride)
        heard++;
    print_message("# %s, %s: to %" PRIu64 "\n", series->life->name, WORDS[word].name, n);
    return heard;
}

/* How many faults and words it met. */
static uint64_t one_life(const struct life *life, uint64_t stride)
{
    struct series series;
    uint64_t all = 0;
    series_init(&series, life);
    for (size_t f = 0; f < G_N_ELEMENTS(FAULTS); f++)
        all += meet_each(&series, f, stride);
    for (size_t w = 0; w < G_N_ELEMENTS(WORDS); w++)
        all += hear_each(&series, w, stride);
    for (int lasting = 0; lasting < 2 && !g_getenv("SLUICE_SPARSE"); lasting++)
        meet_own(&series, lasting);
    series_done(&series);
    return all;
}

/* One call in so many of files and of the catalog fails; of the store's, which are fewer, more do. */
static uint64_t stride_of(void)
{
    const char *asked = g_getenv("SLUICE_STRIDE");
    uint64_t stride;
    if (g_strcmp0(g_getenv("SLUICE_SWEEP"), "all") == 0)
        return 1;
    return asked && int_parse_u64(slice_of_text(asked), &stride) && stride > 0 ? stride : 199;
}

static void a_command_that_meets_a_fault_is_given_again_and_ends_well(void **state)
{
    const char *one = g_getenv("SLUICE_COMMAND");
    uint64_t met = 0, lives = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(LIVES); i++)
        if (!one || strcmp(one, LIVES[i].name) == 0) {
            met += one_life(&LIVES[i], stride_of());
            lives++;
        }
    assert_true(lives > 0 && (met >= lives || g_getenv("SLUICE_SPARSE")));
}

static void every_call_is_named_and_has_failed(void **state)
{
    bool all = !g_getenv("SLUICE_SPARSE") && !g_getenv("SLUICE_COMMAND");
    bool named = sites_are_named(&sites), failed = !all || sites_have_failed(&sites, SITE_COMMANDS, true);
    assert_true(named && failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_that_meets_a_fault_is_given_again_and_ends_well),
        cmocka_unit_test(every_call_is_named_and_has_failed),
    };
    sites_init(&sites);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sites_done(&sites);
    return failed;
}
