#include "fault/sweep.h"

#include "kit/fresh_home.h"

static const char *const DATASET = "items";

/* One run and what it met. */
struct life {
    struct scene scene;
    struct site_watch watch;
};

/* --- runs
 * --------------------------------------------------------------------------------------------------------------- */

static void (*const COMMANDS[])(struct scene *, struct ended *) = {
    [SWEEP_RUN] = scene_run, [SWEEP_BACK] = scene_back, [SWEEP_VERIFY] = scene_check};

static void begin(const struct scenario *scenario, struct scene *scene)
{
    scene_init(scene, scenario->spec, scenario->lua);
    scenario->prepare(scene);
}

/* Whether the command that meets the trouble makes the home; where another one has made it, or the trouble is of
 * another kind, there is nothing to be met in that. */
static bool makes_home(const struct scenario *scenario, const struct trouble *trouble)
{
    return trouble->making && scenario->command == SWEEP_RUN && scenario->half == HALF_NONE;
}

/* A process that came so far and no further: the store went away. */
static void leave_half(struct scene *scene, enum sweep_half half)
{
    static const struct fault_row TORN = {.op = FAULT_CAS, .nth = 1, .effect = FAULT_TORN, .applied = 3, .known = 1};
    static const struct fault_row GONE[] = {[HALF_CAS] = {.op = FAULT_FENCE_READ, .nth = 1, .effect = FAULT_FATAL},
                                            [HALF_SETTLE] = {.op = FAULT_SETTLE, .nth = 1, .effect = FAULT_FATAL}};
    struct ended ended;
    scene_fault(scene, &GONE[half]);
    scene->rows[1] = TORN;
    scene->plan.n = half == HALF_CAS ? 2 : 1;
    scene_run(scene, &ended);
    assert_int_equal(ended.status, 6);
    ended_done(&ended);
    scene_fault(scene, NULL);
}

static void reference_make(const struct scenario *scenario, struct reference *ret)
{
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 20);
    begin(scenario, &scene);
    ret->before = scene_image(&scene, DATASET);
    scene_ran(&scene, scenario->status);
    ret->after = scene_image(&scene, DATASET);
    ret->tally = scene_row(&scene, mem).tally;
    assert_string_not_equal(ret->before, ret->after);
    scene_done(&scene);
}

static bool is_done(int status)
{
    return status == 0 || status == 8;
}

static void check_same(const char *what, const char *is, const char *should)
{
    if (strcmp(is, should) != 0)
        fail_msg("%s\n--- is ---\n%s--- should be ---\n%s", what, is, should);
}

static void check_done(struct scene *scene, const struct reference *reference)
{
    auto_(arena) mem = arena_new(16 << 20);
    g_autofree char *after = scene_image(scene, DATASET);
    check_same("the target differs from that of an undisturbed run", after, reference->after);
    struct run_row row = scene_reconciled(scene, mem);
    for (int i = 0; i < OUTCOME_LISTED_; i++)
        assert_int_equal(row.tally.of[i], reference->tally.of[i]);
    assert_int_equal(scene_refusals_of(scene, &row), reference->tally.of[OUTCOME_REJECTED]); /* each once */
}

static void check_back(struct scene *scene, const struct reference *reference)
{
    g_autofree char *after = scene_image(scene, DATASET);
    check_same("the rollback has left something behind", after, reference->before);
    scene_reconciles(scene);
}

static void say_how(const struct scenario *scenario, const struct trouble *trouble, uint64_t n,
                    const struct ended *ended)
{
    print_message("# %s, %s %" PRIu64 ": ended with %d%s%s\n", scenario->name, trouble->name, n, ended->status,
                  ended->text ? ": " : "", ended->text ? ended->text : "");
}

/* A fault is no difference: what fails does not say that what it looked at is wrong. */
static bool may_end(const struct trouble *trouble, bool fired, const struct ended *ended)
{
    if (ended->status == 1 || ended->status == 4)
        return false;
    return !fired || !trouble->status || ended->status == trouble->status ||
           (trouble->or_done && is_done(ended->status));
}

/* The command that meets the n-th, and how it ended; false: there was no n-th. */
static bool meet(struct life *life, const struct scenario *scenario, const struct trouble *trouble, uint64_t n,
                 struct ended *ret)
{
    struct scene *scene = &life->scene;
    trouble->arm(scene, n);
    site_watch_begin(&life->watch);
    COMMANDS[scenario->command](scene, ret);
    bool fired = trouble->fired(scene) > 0;
    site_watch_end(&life->watch);
    if (fired && trouble->halts) /* nothing is written where the log of it may not last */
        assert_int_equal(scene->plan.calls[FAULT_CAS], life->watch.sent);
    trouble->arm(scene, 0);
    if (may_end(trouble, fired, ret))
        return fired;
    say_how(scenario, trouble, n, ret);
    fail_msg("that is no way to end");
    return fired;
}

static void go_on(struct scene *scene, const struct scenario *scenario, const struct ended *ended)
{
    int status = scenario->command == SWEEP_RUN ? scenario->status : 0;
    if (!is_done(ended->status))
        scene_ran_at(scene, COMMANDS[scenario->command], status, __FILE__, __LINE__);
}

/* What all lives of a scenario under a trouble have in common. */
struct series {
    const struct scenario *scenario;
    const struct trouble *trouble;
    const struct pace *pace;
    struct reference reference;
    struct scene_kept prepared; /* where the command begins that meets the trouble */
    struct sites *sites;
    GPtrArray *order; /* as `sites` names them */
    struct swept *swept;
};

/* What comes before that command is the same for every n. */
static void prepare(struct series *series)
{
    const struct scenario *scenario = series->scenario;
    struct scene scene;
    begin(scenario, &scene);
    if (!makes_home(scenario, series->trouble))
        fresh_home_put(&scene.fake, scene.home);
    if (scenario->half != HALF_NONE)
        leave_half(&scene, scenario->half);
    if (scenario->command != SWEEP_RUN)
        scene_ran(&scene, scenario->status);
    scene_keep(&scene, &series->prepared);
    scene_done(&scene);
}

/* One life that meets the n-th; false: there was none. */
static bool one(const struct series *series, uint64_t n, GPtrArray *order)
{
    const struct scenario *scenario = series->scenario;
    const struct trouble *trouble = series->trouble;
    const struct reference *reference = &series->reference;
    struct swept *swept = series->swept;
    struct life life = {.watch = {.scene = &life.scene, .sites = series->sites, .order = order}};
    struct ended ended;
    scene_again(&life.scene, &series->prepared);
    bool fired = meet(&life, scenario, trouble, n, &ended);
    go_on(&life.scene, scenario, &ended);
    swept->stopped += !is_done(ended.status);
    swept->runs += fired;
    if (scenario->command != SWEEP_BACK) {
        check_done(&life.scene, reference);
        scene_taken_back(&life.scene, 0);
    }
    check_back(&life.scene, reference);
    ended_done(&ended);
    scene_done(&life.scene);
    return fired;
}

/* Whether a call is left out: many of its name have failed, and this one's turn has not come. */
static bool is_left_out(const struct series *series, uint64_t n)
{
    const struct pace *pace = series->pace;
    if (series->order->len == 0)
        return n % pace->nameless != pace->from % pace->nameless;
    if (n <= pace->every || (n - pace->every) % pace->stride == pace->from || n > series->order->len)
        return false;
    return g_hash_table_contains(series->sites->failed, g_ptr_array_index(series->order, n - 1));
}

static bool was_met(const struct series *series, uint64_t n)
{
    return n > series->order->len ||
           g_hash_table_contains(series->sites->failed, g_ptr_array_index(series->order, n - 1));
}

/* In a life with threads the n-th call may be another one than it was in the undisturbed life: it is sought around
 * there. */
static void insist(const struct series *series, uint64_t n)
{
    static const uint64_t AROUND[] = {3, 2, 4, 1, 5};
    for (size_t i = 0; i < G_N_ELEMENTS(AROUND) && n > 3 && !was_met(series, n); i++)
        (void)one(series, n + AROUND[i] - 3, NULL);
}

void sweep(const struct scenario *scenario, const struct trouble *trouble, const struct pace *pace, struct sites *sites,
           struct swept *ret)
{
    struct series series = {.scenario = scenario, .trouble = trouble, .pace = pace, .sites = sites, .swept = ret};
    uint64_t n = 1;
    *ret = (struct swept){0};
    reference_make(scenario, &series.reference);
    prepare(&series);
    series.order = g_ptr_array_new_with_free_func(g_free);
    one(&series, UINT64_MAX, series.order);
    for (; is_left_out(&series, n) || one(&series, n, NULL); n++)
        insist(&series, n);
    ret->last = n;
    scene_kept_done(&series.prepared);
    g_ptr_array_unref(series.order);
    g_free(series.reference.before);
    g_free(series.reference.after);
}
