/* The promises of a day: looked at with each write that takes effect, and at the end. */
#include "catalog/ledger.h"
#include "kit/fake_sqlite.h"
#include "kit/kit.h"
#include "sim/day_parts.h"
#include "undo/undo.h"

/* --- the promises, at each write ---------------------------------------------------------------------------------- */

static int key_of(struct slice key)
{
    return (key.data[1] - '0') * 100 + (key.data[2] - '0') * 10 + (key.data[3] - '0');
}

struct seen {
    bool present;
    int64_t value, times, expires_at_ms;
};

static struct seen seen_of(struct slice raw, int64_t expires_at_ms)
{
    struct seen seen = {.present = true, .expires_at_ms = expires_at_ms};
    bson_t view;
    bson_iter_t iter;
    if (document_view(raw, &view) && bson_iter_init_find(&iter, &view, "value"))
        seen.value = bson_iter_as_int64(&iter);
    if (document_view(raw, &view) && bson_iter_init_find(&iter, &view, "times"))
        seen.times = bson_iter_as_int64(&iter);
    return seen;
}

static struct seen look(struct day *day, struct slice key)
{
    const struct keyed_value *stands = cluster_look(day->cluster, DAY_DATASET, key);
    return stands ? seen_of(stands->raw, stands->expires_at_ms) : (struct seen){0};
}

/* What a write is for, by its partition. */
static bool is_back(const struct cluster_write *write)
{
    return undo_part_is_back(write->lane->fence.part);
}

static bool is_promotion(const struct cluster_write *write)
{
    return write->lane->fence.part >= UNDO_PROMOTION_PART;
}

static void content_is_right(struct day *day, const struct cluster_write *write)
{
    int key = key_of(write->key);
    const struct state *left = day_newest(day, key);
    struct seen to = seen_of(write->op->raw, write->op->expires_at_ms);
    struct seen stands = write->stands ? seen_of(write->stands->raw, write->stands->expires_at_ms) : (struct seen){0};
    if (write->op->verb != CAS_PUT || !stands.present)
        broken(day, "k%03d: nothing is to be removed, nothing made anew", key);
    if (to.value != left->value)
        broken(day, "k%03d: a live write would be lost: %" PRId64 " over %" PRId64, key, to.value, left->value);
    if (to.expires_at_ms != left->expires_at_ms)
        broken(day, "k%03d: its expiry would be changed", key);
    if (!is_back(write) && (stands.times != 0 || to.times != 1))
        broken(day, "k%03d: applied %" PRId64 " times", key, to.times);
    if (is_back(write) && (stands.times != 1 || to.times != 0))
        broken(day, "k%03d: %" PRId64 " is taken back to %" PRId64, key, stands.times, to.times);
    if (day->repairs_up_to && !is_back(write) && left->token > day->repairs_up_to)
        broken(day, "k%03d: a repair writes over what came after its verification", key);
}

/* What is beside the live records, and what may become live. */
static void place_is_right(struct day *day, const struct cluster_write *write)
{
    int key = key_of(write->key);
    if (write->in_shadow && (!day->has_shadow || is_back(write) || is_promotion(write)))
        broken(day, "k%03d: a write into a shadow that is none of a stage's", key);
    if (day->has_shadow && !write->in_shadow && !is_back(write) && !is_promotion(write))
        broken(day, "k%03d: a stage writes what is live, and was to write beside it", key);
    if (is_promotion(write) && !day->may_promote)
        broken(day, "k%03d: goes live, and nobody has said so", key);
    day->met.promoted += is_promotion(write);
    day->met.unpromoted += day->has_shadow && is_back(write);
    day->met.repaired += day->repairs_up_to && !is_back(write) && !write->in_shadow;
}

static bool for_long(const struct day *day, int64_t since_us)
{
    return since_us > 0 && day_now_us(day) - since_us > DAY_SLACK_S * US_PER_S;
}

/* Within the hours, or not long behind them. */
static bool in_hours(const struct day *day)
{
    int64_t minute = (day_right_ms(day) - DAY_SLACK_S * 1000) / 60000;
    int64_t of_day = minute % (24 * 60), later = (minute + DAY_SLACK_S / 60) % (24 * 60);
    return of_day < 6 * 60 || of_day >= 22 * 60 || later < 6 * 60 || later >= 22 * 60;
}

/* A server, since this run began: what it lost is written again. */
static bool was_replaced(const struct day *day)
{
    return cluster_met(day->cluster)->failovers > day->failovers;
}

static void may_write(struct day *day, const struct cluster_write *write)
{
    if (for_long(day, day->lags_us))
        broken(day, "a write, although a replica lags for so long");
    if (for_long(day, day->jumped_us))
        broken(day, "a write, although the clock is wrong for so long");
    if (for_long(day, day->paused_us))
        broken(day, "a write, although a person has paused the run");
    if (day->has_hours && !is_back(write) && !is_promotion(write) && !in_hours(day) && !was_replaced(day))
        broken(day, "a write outside its hours");
}

/* Who waits for the answer; NULL: nobody. A request of that kind may arrive at any time, and nobody is to look into a
 * home of which no process has it open. */
static const struct process *living(const struct day *day, uint64_t sender)
{
    const GPtrArray *processes = day->here.processes;
    for (guint i = 0; i < processes->len; i++)
        if (((const struct process *)processes->pdata[i])->driver.process == sender)
            return processes->pdata[i];
    return NULL;
}

static void all_have_passed(struct day *day, const struct stage_row *stages, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (stages[i].state != STAGE_PASSED)
            broken(day, "a shadow goes live, and stage %s has not passed", stages[i].name);
}

static void stage_allows(struct day *day, const struct stage_row *stages, uint32_t own)
{
    for (uint32_t stage = 0; stage < own; stage++)
        if (stages[stage].state != STAGE_PASSED)
            broken(day, "stage %s is written, %s has not passed", stages[own].name, stages[stage].name);
    if (stages[own].state == STAGE_PASSED && !was_replaced(day))
        broken(day, "stage %s has passed, and is written again", stages[own].name);
}

static struct run_row run_of(struct catalog *catalog, const uint8_t uid[16], struct arena *mem)
{
    GError *error = NULL;
    struct run_row *runs;
    size_t n;
    kit_ok(catalog_runs(catalog, mem, &runs, &n, &error));
    for (size_t i = 0; i < n; i++)
        if (memcmp(runs[i].uid, uid, sizeof runs[i].uid) == 0)
            return runs[i];
    fail_msg("a write of a run that the catalog does not know");
    g_assert_not_reached();
}

static void stages_allow(struct day *day, struct catalog *catalog, const struct cluster_write *write)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(4 << 20);
    struct stage_row *stages;
    struct part_row *parts;
    size_t n_stages, n_parts;
    struct run_row run = run_of(catalog, write->lane->fence.run, mem);
    kit_ok(catalog_stages(catalog, run.id, mem, &stages, &n_stages, &error));
    struct parts_of of = {.run = run.id, .stage = UINT32_MAX};
    kit_ok(catalog_parts(catalog, &of, mem, &parts, &n_parts, &error));
    if (is_promotion(write))
        all_have_passed(day, stages, n_stages);
    for (size_t i = 0; i < n_parts; i++)
        if (parts[i].part == write->lane->fence.part)
            stage_allows(day, stages, parts[i].stage);
}

/* Asked once of each partition of a run. */
static bool is_known(struct day *day, const struct fence_id *fence)
{
    if (memcmp(day->known_run, fence->run, sizeof day->known_run) != 0)
        g_hash_table_remove_all(day->stages);
    memcpy(day->known_run, fence->run, sizeof day->known_run);
    return !g_hash_table_add(day->stages, GUINT_TO_POINTER(fence->part + 1));
}

static void stage_may(struct day *day, const struct cluster_write *write)
{
    GError *error = NULL;
    const struct process *process = living(day, write->sender);
    struct catalog *catalog;
    if (!process || process->dead || is_back(write) || is_known(day, &write->lane->fence))
        return;
    executor_keep_turn(day->executor, true);
    fake_sqlite_attach(NULL);
    kit_ok(catalog_open(&catalog, world_real(), day->here.home, CATALOG_READ_ONLY, &error));
    stages_allow(day, catalog, write);
    catalog_free(catalog);
    fake_sqlite_attach((struct fake_world *)(uintptr_t)&process->fake);
    executor_keep_turn(day->executor, false);
}

void promises_at_write(void *self, const struct cluster_write *write)
{
    struct day *day = self;
    day->here.quiet_us = day_now_us(day);
    content_is_right(day, write);
    place_is_right(day, write);
    if (living(day, write->sender))
        may_write(day, write);
    stage_may(day, write);
}

void promises_at_loss(void *self, const char *dataset, struct slice key, uint64_t token)
{
    struct day *day = self;
    GArray *states = day->states[key_of(key)];
    if (token == 0)
        return;
    g_assert(states->len > 1 && day_newest(day, key_of(key))->token == token);
    g_array_set_size(states, states->len - 1);
}

/* --- the end of the day ------------------------------------------------------------------------------------------- */

static bool is_there(const struct day *day, const struct state *state)
{
    return state->present && (!state->expires_at_ms || state->expires_at_ms > day_right_ms(day));
}

static char *check_key(struct day *day, int key)
{
    char name[16];
    day_key_put(key, name);
    const struct state *state = day_newest(day, key);
    struct seen seen = look(day, slice_of_text(name));
    bool back = day->taken_back;
    if (seen.present != is_there(day, state))
        return g_strdup_printf("%s: %s, and the application left it %s", name, seen.present ? "present" : "absent",
                               is_there(day, state) ? "present" : "absent");
    if (seen.present && (seen.value != state->value || seen.expires_at_ms != state->expires_at_ms))
        return g_strdup_printf("%s: a live write is lost: %" PRId64 " stands, %" PRId64 " was written", name,
                               seen.value, state->value);
    if (seen.present && back && seen.times != 0)
        return g_strdup_printf("%s: still repaired after the rollback", name);
    if (seen.present && !back && (seen.times > 1 || (!day->touched[key] && seen.times != 1)))
        return g_strdup_printf("%s: repaired %" PRId64 " times", name, seen.times);
    return NULL;
}

static char *check_heads(struct day *day, struct catalog *catalog, struct arena *mem)
{
    GError *error = NULL;
    struct ledger_verdict verdict;
    for (guint i = 0; i < day->heads->len; i++) {
        kit_ok(ledger_verify(catalog, (const uint8_t *)day->heads->data + 32 * (size_t)i, mem, &verdict, &error));
        if (!verdict.ok)
            return g_strdup_printf("ledger entry %" PRIu64 ": %s", verdict.number, verdict.text);
    }
    return NULL;
}

static char *check_runs(struct day *day, struct catalog *catalog, struct arena *mem)
{
    GError *error = NULL;
    struct run_row *runs;
    size_t n;
    kit_ok(catalog_runs(catalog, mem, &runs, &n, &error));
    for (size_t i = 0; i < n; i++) {
        size_t left = cluster_shadows(day->cluster, DAY_DATASET, runs[i].uid);
        if (!run_state_over(runs[i].state))
            return g_strdup_printf("%s is %s at the end of the day", runs[i].name, run_state_word(runs[i].state));
        if (left > 0)
            return g_strdup_printf("%s is %s, and %zu records of its shadow are left", runs[i].name,
                                   run_state_word(runs[i].state), left);
    }
    return NULL;
}

static char *check_catalog(struct day *day)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    kit_ok(catalog_open(&catalog, world_real(), day->here.home, CATALOG_EXISTING, &error));
    char *text = check_heads(day, catalog, mem);
    return text ? text : check_runs(day, catalog, mem);
}

char *promises_at_end(struct day *day)
{
    for (int key = 0; key < DAY_KEYS; key++) {
        char *text = check_key(day, key);
        if (text)
            return text;
    }
    return check_catalog(day);
}
