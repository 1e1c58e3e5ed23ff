#include "fault/sweep.h"

#include <errno.h>

#include "kit/fresh_home.h"

#define KEYS 12

static const char SAME[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "partitions: { size: 7 }\nworkers: 1\n";
static const char FILL[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                           "partitions: { size: 7 }\nworkers: 1\n";
static const char FROM_FILE[] = "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, "
                                "version: at }\n"
                                "transform: { lua: t.lua }\n"
                                "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"
                                "partitions: { count: 2 }\nworkers: 1\n";

static const char ONE_MORE[] = "function transform(doc, ctx)\n"
                               "  if doc.n == 3 then return ctx.reject('three') end\n"
                               "  if doc.n == 4 then return ctx.delete() end\n"
                               "  doc.times = doc.times + 1\n"
                               "  return doc\n"
                               "end\n";

static void put_all(struct scene *scene, const char *dataset, int first)
{
    for (int i = first; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        g_autofree char *json = g_strdup_printf("{\"n\": %d, \"times\": 0}", i);
        scene_put_until(scene, dataset, key, json, i % 5 == 0 ? INT64_C(4102444800000) + i : 0);
    }
}

static void prepare_same(struct scene *scene)
{
    put_all(scene, "items", 0);
}

static void prepare_fill(struct scene *scene)
{
    put_all(scene, "origin", 0);
    scene_put(scene, "items", "k07", "{\"mine\": true}");
}

static void prepare_file(struct scene *scene)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < KEYS; i++)
        g_string_append_printf(text, "{\"id\": \"k%02d\", \"n\": %d, \"at\": %d, \"times\": 0}\n", i, i, i);
    g_string_append(text, "{\"id\": \"k05\", \"n\": 50, \"at\": 1, \"times\": 0}\n");
    scene_file(scene, "in/a.ndjson", text->str);
    scene_put(scene, "items", "k04", "{\"mine\": true}");
    scene_put(scene, "items", "k09", "{\"mine\": true}");
}

static const struct scenario SCENARIOS[] = {
    {"in place", SAME, ONE_MORE, prepare_same, .status = 8},
    {"in place, going on", SAME, ONE_MORE, prepare_same, .half = HALF_CAS, .status = 8},
    {"rollback in place", SAME, ONE_MORE, prepare_same, .command = SWEEP_BACK, .status = 8},
    /* not for every trouble: */
    {"fill", FILL, ONE_MORE, prepare_fill, .status = 8},
    {"from a file", FROM_FILE, ONE_MORE, prepare_file, .status = 8},
    {"from a file, going on", FROM_FILE, ONE_MORE, prepare_file, .half = HALF_SETTLE, .status = 8},
    {"rollback of a fill", FILL, ONE_MORE, prepare_fill, .command = SWEEP_BACK, .status = 8},
    {"verification in place", SAME, ONE_MORE, prepare_same, .command = SWEEP_VERIFY, .status = 8},
    {"verification of a fill", FILL, ONE_MORE, prepare_fill, .command = SWEEP_VERIFY, .status = 8},
};

enum { SPARSE = 3 };

static void arm_file(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.nth = nth, .number = EIO});
}

static uint64_t file_fired(const struct scene *scene)
{
    return scene->fake.fired;
}

static void arm_file_for_ever(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.nth = nth, .number = EIO, .lasting = true});
}

static void arm_fsync(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.call = "fsync", .nth = nth, .number = EIO});
}

static void arm_full(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.call = "pwrite", .nth = nth, .number = ENOSPC, .lasting = true});
}

static void arm_sqlite(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.sqlite = true, .nth = nth, .number = EIO});
}

static void arm_sqlite_for_ever(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.sqlite = true, .nth = nth, .number = EIO, .lasting = true});
}

static void arm_sqlite_fsync(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){.sqlite = true, .call = "fsync", .nth = nth, .number = EIO});
}

static void arm_sqlite_full(struct scene *scene, uint64_t nth)
{
    fake_world_arm(&scene->fake, (struct fake_fault){
                                     .sqlite = true, .call = "pwrite", .nth = nth, .number = ENOSPC, .lasting = true});
}

static void arm_store(struct scene *scene, const struct fault_row *row, uint64_t nth)
{
    struct fault_row armed = *row;
    armed.nth = nth;
    scene_fault(scene, &armed);
}

static void arm_transient(struct scene *scene, uint64_t nth)
{
    arm_store(scene, &(struct fault_row){.op = FAULT_ANY, .effect = FAULT_TRANSIENT}, nth);
}

static void arm_away(struct scene *scene, uint64_t nth)
{
    arm_store(scene, &(struct fault_row){.op = FAULT_ANY, .effect = FAULT_TRANSIENT, .lasting = true}, nth);
}

static void arm_fatal(struct scene *scene, uint64_t nth)
{
    arm_store(scene, &(struct fault_row){.op = FAULT_ANY, .effect = FAULT_FATAL}, nth);
}

/* What an answer that does not come, or too late, leaves in the dark is whether something was changed: of calls that
 * change nothing it says no more than that they failed, so of those it is one in five. */
static bool changes(enum fault_op op)
{
    return op == FAULT_CAS || op == FAULT_SETTLE || op == FAULT_LANE_OPEN || op == FAULT_FENCE_DROP ||
           op == FAULT_LOCK || op == FAULT_UNLOCK;
}

enum { OTHERS_STRIDE = 5 };

static struct {
    struct fault_row row;
    uint64_t met, others;
} unanswered;

static struct fault_row answer(void *self, enum fault_op op, size_t ops)
{
    bool all = g_strcmp0(g_getenv("SLUICE_SWEEP"), "all") == 0;
    bool chosen = all || changes(op) || unanswered.others++ % OTHERS_STRIDE == 0;
    unanswered.met += chosen;
    return chosen && unanswered.met == unanswered.row.nth ? unanswered.row : (struct fault_row){.effect = FAULT_NONE};
}

static void arm_unanswered(struct scene *scene, struct fault_row row, uint64_t nth)
{
    scene_fault(scene, NULL);
    unanswered.row = row;
    unanswered.row.nth = nth;
    unanswered.met = unanswered.others = 0;
    scene->plan.decide = nth ? answer : NULL;
}

static void arm_lost(struct scene *scene, uint64_t nth)
{
    arm_unanswered(scene, (struct fault_row){.effect = FAULT_LOST}, nth);
}

static void arm_slow(struct scene *scene, uint64_t nth)
{
    arm_unanswered(scene, (struct fault_row){.effect = FAULT_SLOW, .slow_us = INT64_C(61000000)}, nth);
}

static void arm_torn(struct scene *scene, uint64_t nth)
{
    arm_store(scene, &(struct fault_row){.op = FAULT_CAS, .effect = FAULT_TORN, .applied = 3, .known = 1}, nth);
}

static uint64_t store_fired(const struct scene *scene)
{
    uint64_t fired = 0;
    for (int i = 0; i < FAULT_OP_COUNT; i++)
        fired += scene->plan.fired[i];
    return fired;
}

static const struct trouble TROUBLES[] = {
    {"store call", arm_transient, store_fired},
    {"store away", arm_away, store_fired, .status = 6},
    {"store fatal", arm_fatal, store_fired, .status = 6},
    {"answer lost", arm_lost, store_fired},
    {"answer late", arm_slow, store_fired},
    {"torn", arm_torn, store_fired},
    {"file call", arm_file, file_fired, .making = true},
    {"fsync", arm_fsync, file_fired, .status = 5, .halts = true, .making = true},
    {"full disk", arm_full, file_fired, .status = 5, .halts = true, .making = true},
    /* What fails while the last connection is closed costs nothing: the log stays, and the next one reads it. */
    {"catalog call", arm_sqlite, file_fired, .making = true, .sparse = true},
    {"catalog fsync", arm_sqlite_fsync, file_fired, .status = 5, .or_done = true, .making = true},
    {"catalog on a full disk", arm_sqlite_full, file_fired, .status = 5, .or_done = true, .making = true,
     .sparse = true},
    /* From the n-th on for ever. */
    {"file calls from there on", arm_file_for_ever, file_fired, .making = true},
    {"catalog calls from there on", arm_sqlite_for_ever, file_fired, .making = true},
};

/* --- the sweeps
 * --------------------------------------------------------------------------------------------------------- */

static int sites_setup(void **state)
{
    struct sites *sites = g_new(struct sites, 1);
    sites_init(sites);
    *state = sites;
    return 0;
}

static int sites_teardown(void **state)
{
    sites_done(*state);
    g_free(*state);
    return 0;
}

/* Each n as long as most calls are of their own; from there on they repeat, batch by batch, and some do. Under a
 * sanitizer, which looks for other things and takes its time, few; `SLUICE_SWEEP=all`: each of them. */
static struct pace pace_of(void)
{
    if (g_strcmp0(g_getenv("SLUICE_SWEEP"), "all") == 0)
        return (struct pace){.every = UINT64_MAX, .stride = 1, .nameless = 1};
    return g_getenv("SLUICE_SPARSE") ? (struct pace){.every = 1, .stride = 97, .nameless = 3}
                                     : (struct pace){.every = 4, .stride = 40, .nameless = 1};
}

static bool is_asked_for(const struct scenario *scenario)
{
    const char *pattern = g_getenv("SLUICE_SCENARIO");
    return !pattern || g_pattern_match_simple(pattern, scenario->name);
}

static void sweep_with(struct sites *sites, size_t first, size_t n)
{
    struct pace pace = pace_of();
    size_t chosen = 0;
    for (size_t t = first; t < first + n; t++)
        for (size_t s = 0; s < (TROUBLES[t].sparse || g_getenv("SLUICE_SPARSE") ? SPARSE : G_N_ELEMENTS(SCENARIOS));
             s++) {
            struct swept swept;
            if (!is_asked_for(&SCENARIOS[s]))
                continue;
            chosen++;
            pace.from = (s + t) % pace.stride; /* what one leaves out another meets */
            sweep(&SCENARIOS[s], &TROUBLES[t], &pace, sites, &swept);
            print_message("# %s, %s: every n to %" PRIu64 ", then one in %" PRIu64 ", to %" PRIu64 "; %" PRIu64
                          " met it, %" PRIu64 " were stopped by it\n",
                          SCENARIOS[s].name, TROUBLES[t].name, pace.every, pace.stride, swept.last, swept.runs,
                          swept.stopped);
        }
    if (chosen == 0)
        kit_skip("no scenario that meets it is called so");
}

static void a_store_that_fails_once_or_stays_away_costs_nothing_but_time(void **state)
{
    sweep_with(*state, 0, 3);
}

static void an_answer_that_is_lost_or_late_or_comes_half_is_settled(void **state)
{
    sweep_with(*state, 3, 3);
}

static void a_file_call_that_fails_costs_nothing_but_time(void **state)
{
    sweep_with(*state, 6, 1);
}

static void a_failed_fsync_and_a_full_disk_halt_the_run(void **state)
{
    sweep_with(*state, 7, 2);
}

static void a_catalog_call_that_fails_costs_nothing_but_time(void **state)
{
    sweep_with(*state, 9, 1);
}

static void a_catalog_that_cannot_be_made_durable_halts_the_run(void **state)
{
    sweep_with(*state, 10, 2);
}

/* A commit that is refused because a call behind it failed may be found all the same by who comes next: then its run
 * has what it was planned with. The calls of a catalog that records a new run are among these. */
static void a_run_that_could_not_be_recorded_and_yet_stands_goes_on(void **state)
{
    bool few = g_getenv("SLUICE_SPARSE");
    for (uint64_t nth = few ? 56 : 30; nth <= (few ? 66 : 110); nth++) {
        struct scene scene;
        struct ended ended;
        scene_init(&scene, SAME, ONE_MORE);
        prepare_same(&scene);
        fresh_home_put(&scene.fake, scene.home);
        fake_world_arm(&scene.fake, (struct fake_fault){.sqlite = true, .nth = nth, .number = EIO, .lasting = true});
        scene_run(&scene, &ended);
        ended_done(&ended);
        fake_world_arm(&scene.fake, (struct fake_fault){0});
        scene_ran(&scene, 8);
        scene_done(&scene);
    }
}

/* What is called first and fails for good mostly ends the run at once: these are many short ones. */
static void sweep_for_ever(struct sites *sites, size_t trouble)
{
    if (g_strcmp0(g_getenv("SLUICE_SWEEP"), "all") != 0)
        kit_skip("by hand, with SLUICE_SWEEP=all: each call, from there on for ever");
    sweep_with(sites, trouble, 1);
}

static void files_that_fail_for_ever_end_the_run_and_cost_nothing_else(void **state)
{
    sweep_for_ever(*state, 12);
}

static void a_catalog_that_fails_for_ever_ends_the_run_and_costs_nothing_else(void **state)
{
    sweep_for_ever(*state, 13);
}

/* Once; and from there on for ever, where each call has been asked for. */
static void every_call_is_named_and_has_failed(void **state)
{
    bool each = g_strcmp0(g_getenv("SLUICE_SWEEP"), "all") == 0;
    bool named = sites_are_named(*state), failed = sites_have_failed(*state, SITE_SWEEP, each);
    assert_true(named);
    assert_true(failed || g_getenv("SLUICE_SPARSE"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_that_fails_once_or_stays_away_costs_nothing_but_time),
        cmocka_unit_test(an_answer_that_is_lost_or_late_or_comes_half_is_settled),
        cmocka_unit_test(a_file_call_that_fails_costs_nothing_but_time),
        cmocka_unit_test(a_failed_fsync_and_a_full_disk_halt_the_run),
        cmocka_unit_test(a_catalog_call_that_fails_costs_nothing_but_time),
        cmocka_unit_test(a_catalog_that_cannot_be_made_durable_halts_the_run),
        cmocka_unit_test(a_run_that_could_not_be_recorded_and_yet_stands_goes_on),
        cmocka_unit_test(files_that_fail_for_ever_end_the_run_and_cost_nothing_else),
        cmocka_unit_test(a_catalog_that_fails_for_ever_ends_the_run_and_costs_nothing_else),
        cmocka_unit_test(every_call_is_named_and_has_failed),
    };
    cmocka_set_test_filter(g_getenv("SLUICE_TROUBLE")); /* of all of them the last one judges */
    return cmocka_run_group_tests(tests, sites_setup, sites_teardown);
}
