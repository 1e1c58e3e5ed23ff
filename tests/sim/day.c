#include "sim/day.h"

#include "catalog/ledger.h"
#include "kit/fake_sqlite.h"
#include "kit/kit.h"
#include "sim/machine.h"
#include "undo/undo.h"

#define US_PER_S INT64_C(1000000)
#define BEGIN_MS INT64_C(1783684800000) /* as of machine.c */

enum { KEYS = 90, SLACK_S = 180, MOST_DAYS = 6, MOST_TRIES = 400 };

static const char *const DATASET = "items", *const RUN = "job.1", *const OPERATOR = "oncall@sim",
                         *const LEAD = "lead@sim";

/* What the application wrote. */
struct state {
    int64_t value, expires_at_ms;
    bool present;
    uint64_t token;
};

struct day {
    struct executor *executor;
    struct cluster *cluster;
    struct world world; /* of the cluster: its clock is right */
    struct world_clock clock;
    struct machine here, elsewhere;
    char *dir, *spec_path;
    bool has_soak, has_approval, has_hours, goes_back;
    GArray *states[KEYS]; /* of struct state, the newest last */
    bool touched[KEYS];   /* the application has written it since the day began */
    uint64_t token;
    atomic_bool over;
    /* What keeps the run from writing, and since when (the executor's time); 0: it may. */
    int64_t lags_us, jumped_us, paused_us;
    GHashTable *stages; /* partition → stage, of those that are known to be allowed */
    GArray *heads;      /* of uint8_t[32]: what was ever told of the ledger */
    struct process *process;
    enum command command; /* what the operator wants done: RUN or BACK */
    int tries;
    struct day_met met;
};

static uint64_t dice(struct day *day, uint64_t sides)
{
    return executor_dice(day->executor, sides);
}

static int64_t now_us(const struct day *day)
{
    return executor_now_us(day->executor);
}

#define broken(day, ...) executor_fail((day)->executor, __VA_ARGS__)

/* --- the application ---------------------------------------------------------------------------------------------- */

static void key_put(int key, char into[16])
{
    g_snprintf(into, 16, "k%03d", key);
}

static int key_of(struct slice key)
{
    return (key.data[1] - '0') * 100 + (key.data[2] - '0') * 10 + (key.data[3] - '0');
}

static struct state *newest(struct day *day, int key)
{
    return &g_array_index(day->states[key], struct state, day->states[key]->len - 1);
}

static void app_puts(struct day *day, int key, const struct state *state)
{
    GError *error = NULL;
    char name[16];
    struct slice raw;
    auto_(arena) mem = arena_new(1 << 16);
    g_autofree char *json = g_strdup_printf("{\"value\": %" PRId64 ", \"times\": 0}", state->value);
    key_put(key, name);
    kit_ok(document_from_json(slice_of_text(json), mem, &raw, NULL, &error));
    struct cluster_put put = {.dataset = DATASET,
                              .key = slice_of_text(name),
                              .raw = state->present ? &raw : NULL,
                              .expires_at_ms = state->expires_at_ms,
                              .token = state->token};
    cluster_app(day->cluster, &put);
    g_array_append_val(day->states[key], *state);
}

static int64_t right_ms(void *self)
{
    const struct day *day = self;
    return BEGIN_MS + now_us(day) / 1000;
}

static void app_writes(struct day *day)
{
    int key = (int)dice(day, KEYS);
    struct state state = {.present = dice(day, 8) != 0};
    state.value = (int64_t)(state.token = ++day->token);
    if (state.present && dice(day, 6) == 0)
        state.expires_at_ms = right_ms(day) + 1000 * (int64_t)(60 + dice(day, 6 * 3600));
    day->touched[key] = true;
    app_puts(day, key, &state);
}

static bool is_there(const struct day *day, const struct state *state)
{
    return state->present && (!state->expires_at_ms || state->expires_at_ms > right_ms((void *)(uintptr_t)day));
}

/* --- the promises, at each write ---------------------------------------------------------------------------------- */

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
    const struct keyed_value *stands = cluster_look(day->cluster, DATASET, key);
    return stands ? seen_of(stands->raw, stands->expires_at_ms) : (struct seen){0};
}

static void content_is_right(struct day *day, const struct cluster_write *write)
{
    int key = key_of(write->key);
    struct seen stands = look(day, write->key), to = seen_of(write->op->raw, write->op->expires_at_ms);
    bool back = undo_part_is_back(write->lane->fence.part);
    if (write->op->verb != CAS_PUT || !stands.present)
        broken(day, "k%03d: nothing is to be removed, nothing made anew", key);
    if (to.value != newest(day, key)->value)
        broken(day, "k%03d: a live write would be lost: %" PRId64 " over %" PRId64, key, to.value,
               newest(day, key)->value);
    if (to.expires_at_ms != newest(day, key)->expires_at_ms)
        broken(day, "k%03d: its expiry would be changed", key);
    if (!back && (stands.times != 0 || to.times != 1))
        broken(day, "k%03d: applied %" PRId64 " times", key, to.times);
    if (back && (stands.times != 1 || to.times != 0))
        broken(day, "k%03d: %" PRId64 " is taken back to %" PRId64, key, stands.times, to.times);
}

static bool for_long(const struct day *day, int64_t since_us)
{
    return since_us > 0 && now_us(day) - since_us > SLACK_S * US_PER_S;
}

/* Within the hours, or not long behind them. */
static bool in_hours(const struct day *day)
{
    int64_t minute = (right_ms((void *)(uintptr_t)day) - SLACK_S * 1000) / 60000;
    int64_t of_day = minute % (24 * 60), later = (minute + SLACK_S / 60) % (24 * 60);
    return of_day < 6 * 60 || of_day >= 22 * 60 || later < 6 * 60 || later >= 22 * 60;
}

static void may_write(struct day *day, const struct cluster_write *write)
{
    bool back = undo_part_is_back(write->lane->fence.part);
    if (for_long(day, day->lags_us))
        broken(day, "a write, although a replica lags for so long");
    if (for_long(day, day->jumped_us))
        broken(day, "a write, although the clock is wrong for so long");
    if (for_long(day, day->paused_us))
        broken(day, "a write, although a person has paused the run");
    if (day->has_hours && !back && !in_hours(day) && cluster_met(day->cluster)->failovers == 0)
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

static void stages_allow(struct day *day, struct catalog *catalog, uint32_t part)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(4 << 20);
    struct run_row run;
    struct stage_row *stages;
    struct part_row *parts;
    size_t n_stages, n_parts;
    kit_ok(catalog_run_get(catalog, RUN, mem, &run, &error));
    kit_ok(catalog_stages(catalog, run.id, mem, &stages, &n_stages, &error));
    struct parts_of of = {.run = run.id, .stage = UINT32_MAX};
    kit_ok(catalog_parts(catalog, &of, mem, &parts, &n_parts, &error));
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].part != part)
            continue;
        for (uint32_t stage = 0; stage < parts[i].stage; stage++)
            if (stages[stage].state != STAGE_PASSED)
                broken(day, "stage %s is written, %s has not passed", stages[parts[i].stage].name, stages[stage].name);
        if (stages[parts[i].stage].state == STAGE_PASSED && cluster_met(day->cluster)->failovers == 0)
            broken(day, "stage %s has passed, and is written again", stages[parts[i].stage].name);
    }
    g_hash_table_add(day->stages, GUINT_TO_POINTER(part + 1));
}

static void stage_may(struct day *day, const struct cluster_write *write)
{
    GError *error = NULL;
    const struct process *process = living(day, write->sender);
    uint32_t part = write->lane->fence.part;
    struct catalog *catalog;
    if (!process || process->dead || undo_part_is_back(part) ||
        g_hash_table_contains(day->stages, GUINT_TO_POINTER(part + 1)))
        return;
    executor_keep_turn(day->executor, true);
    fake_sqlite_attach(NULL);
    kit_ok(catalog_open(&catalog, world_real(), day->here.home, CATALOG_READ_ONLY, &error));
    stages_allow(day, catalog, part);
    catalog_free(catalog);
    fake_sqlite_attach((struct fake_world *)(uintptr_t)&process->fake);
    executor_keep_turn(day->executor, false);
}

static void on_written(void *self, const struct cluster_write *write)
{
    struct day *day = self;
    day->here.quiet_us = now_us(day);
    content_is_right(day, write);
    if (living(day, write->sender))
        may_write(day, write);
    stage_may(day, write);
}

static void on_lost(void *self, const char *dataset, struct slice key, uint64_t token)
{
    struct day *day = self;
    GArray *states = day->states[key_of(key)];
    if (token == 0)
        return;
    g_assert(states->len > 1 && newest(day, key_of(key))->token == token);
    g_array_set_size(states, states->len - 1);
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void lag_begins(struct day *day)
{
    cluster_set_lag_ms(day->cluster, 60000);
    day->lags_us = now_us(day);
}

static void lag_ends(struct day *day)
{
    cluster_set_lag_ms(day->cluster, 0);
    day->lags_us = 0;
}

/* With each request that writes: live traffic, and what likes to happen just then. */
static void on_request(void *self)
{
    struct day *day = self;
    if (dice(day, 3) == 0)
        app_writes(day);
    if (dice(day, 10) == 0)
        cluster_arrive_late(day->cluster);
    if (dice(day, 50) == 0)
        cluster_move_slot(day->cluster);
    if (dice(day, 25) == 0)
        cluster_fail_over(day->cluster, 20);
    if (dice(day, 60) == 0)
        cluster_cut(day->cluster, now_us(day) + (int64_t)(1 + dice(day, 200)) * US_PER_S);
}

static void passes(struct day *day, uint64_t most_s)
{
    executor_sleep_us(day->executor, (int64_t)(1 + dice(day, most_s)) * US_PER_S, &day->over);
}

static void traffic_main(void *self)
{
    struct day *day = self;
    while (!atomic_load(&day->over)) {
        app_writes(day);
        passes(day, 300);
    }
}

static void weather_main(void *self)
{
    struct day *day = self;
    while (!atomic_load(&day->over)) {
        passes(day, 3 * 3600);
        if (dice(day, 3) == 0)
            cluster_move_slot(day->cluster);
        if (dice(day, 6) == 0)
            cluster_fail_over(day->cluster, 0); /* what a run has lost behind its end it cannot know */
        if (dice(day, 3) == 0) {
            lag_begins(day);
            passes(day, 1200);
            lag_ends(day);
        }
    }
}

/* --- the operator ------------------------------------------------------------------------------------------------- */

static void take_head(struct day *day, const struct process *process)
{
    static const uint8_t none[32];
    if (memcmp(process->ledger_head, none, sizeof none) != 0)
        g_array_append_vals(day->heads, process->ledger_head, 1);
}

static void begin(struct day *day, enum command command)
{
    if (++day->tries > MOST_TRIES)
        broken(day, "the run comes to no end: %s", day->process && day->process->text ? day->process->text : "killed");
    if (day->process)
        process_free(day->process);
    if (command == COMMAND_RESUME || command == COMMAND_BACK)
        day->paused_us = 0;
    day->process = process_start(&day->here, command, RUN, OPERATOR);
    if (dice(day, 2) == 0)
        day->process->dies_at = 1 + dice(day, 400);
}

/* A command of another terminal, to its end. */
static struct process *beside(struct day *day, struct machine *machine, enum command command, const char *user)
{
    struct process *process = process_start(machine, command, RUN, user);
    while (!process->ended)
        passes(day, 2);
    return process;
}

/* While the run cannot come to its end, and has the dataset. */
static void tries_elsewhere(struct day *day)
{
    struct process *process = beside(day, &day->elsewhere, COMMAND_RUN, OPERATOR);
    if (process->status == 0 || process->status == 8)
        broken(day, "a second home has run over the first one's run");
    day->met.refused += process->status == 7;
    process_free(process);
}

static void pauses(struct day *day)
{
    struct process *process = beside(day, &day->here, COMMAND_PAUSE, OPERATOR);
    if (!process->dead && !process->by_error && process->heard != RUN_RECORDED) {
        day->paused_us = now_us(day);
        day->met.pauses++;
    }
    process_free(process);
    if (day->paused_us && cluster_met(day->cluster)->writes > 0)
        tries_elsewhere(day);
}

static void approves(struct day *day)
{
    struct process *process = beside(day, &day->here, COMMAND_APPROVE, LEAD);
    day->met.approvals += !process->dead && !process->by_error;
    process_free(process);
}

static void jumps(struct day *day)
{
    int64_t skew_ms = day->here.skew_ms;
    int64_t by_ms = dice(day, 2) == 0 ? 1000 : -1000;
    day->here.skew_ms += (int64_t)(5 + dice(day, 100)) * by_ms;
    day->jumped_us = now_us(day);
    day->met.jumps++;
    passes(day, 1200);
    day->here.skew_ms = skew_ms;
    day->jumped_us = 0;
}

static void turns_back(struct day *day)
{
    if (!day->goes_back || day->command == COMMAND_BACK)
        return;
    day->command = COMMAND_BACK;
    atomic_store(&day->process->signals, 1);
}

static void mischief(struct day *day)
{
    switch (dice(day, 14)) {
    case 0:
    case 1:
        process_kill(day->process);
        return;
    case 2:
        day->met.powers++;
        machine_lose_power(&day->here, &day->met.forgotten);
        return;
    case 3:
        atomic_store(&day->process->signals, 1);
        return;
    case 4:
        pauses(day);
        return;
    case 5:
        jumps(day);
        return;
    case 6:
        turns_back(day);
        return;
    default:
        return;
    }
}

/* true: the day's work is done. */
static bool forward_ended(struct day *day)
{
    switch (day->process->status) {
    case 0:
    case 8:
        return true;
    case 3:
        if (day->has_approval)
            approves(day);
        day->met.resumes++;
        begin(day, COMMAND_RESUME);
        return false;
    case 5:
        day->met.halts++;
        begin(day, COMMAND_RESUME);
        return false;
    case 6:
    case 7:
    case 9: /* it died before there was a run */
        day->met.failures++;
        begin(day, COMMAND_RUN);
        return false;
    default:
        broken(day, "ended with %d: %s", day->process->status, day->process->text);
    }
}

static bool back_ended(struct day *day)
{
    switch (day->process->status) {
    case 0:
    case 8:
    case 9: /* there was no run yet */
        return true;
    case 3:
    case 5:
    case 6:
    case 7:
        day->met.failures++;
        begin(day, COMMAND_BACK);
        return false;
    default:
        broken(day, "the rollback ended with %d: %s", day->process->status, day->process->text);
    }
}

static bool ended(struct day *day)
{
    enum command was = day->process->command;
    if (!day->process->dead)
        take_head(day, day->process);
    if (day->process->dead) {
        day->met.deaths++;
        passes(day, 300);
        begin(day, day->command);
        return false;
    }
    if (day->command == COMMAND_BACK && was != COMMAND_BACK) {
        begin(day, COMMAND_BACK);
        return false;
    }
    return was == COMMAND_BACK ? back_ended(day) : forward_ended(day);
}

static void verifies(struct day *day)
{
    struct process *process = process_start(&day->here, COMMAND_VERIFY, RUN, OPERATOR);
    while (!process->ended)
        executor_sleep_us(day->executor, US_PER_S, NULL);
    if (process->by_error || !process->passed)
        broken(day, "the verification says: %s", process->text);
    process_free(process);
}

static void operator_main(void *self)
{
    struct day *day = self;
    bool done = false;
    begin(day, COMMAND_RUN);
    while (!done) {
        if (dice(day, 2) == 0)
            executor_sleep_us(day->executor, (int64_t)dice(day, 5 * US_PER_S), NULL);
        else
            passes(day, 2400);
        if (now_us(day) > MOST_DAYS * 24 * 3600 * US_PER_S)
            broken(day, "the run has not ended for days");
        if (day->process->ended)
            done = ended(day);
        else
            mischief(day);
    }
    atomic_store(&day->over, true);
    cluster_calm(day->cluster);
    cluster_arrive_all(day->cluster);
    if (day->process->command != COMMAND_BACK)
        verifies(day);
}

/* --- the end of the day ------------------------------------------------------------------------------------------- */

static char *check_key(struct day *day, int key)
{
    char name[16];
    key_put(key, name);
    const struct state *state = newest(day, key);
    struct seen seen = look(day, slice_of_text(name));
    bool back = day->process->command == COMMAND_BACK;
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

static char *check_ledger(struct day *day)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    struct ledger_verdict verdict;
    kit_ok(catalog_open(&catalog, world_real(), day->here.home, CATALOG_EXISTING, &error));
    for (guint i = 0; i < day->heads->len; i++) {
        kit_ok(ledger_verify(catalog, (const uint8_t *)day->heads->data + 32 * (size_t)i, mem, &verdict, &error));
        if (!verdict.ok)
            return g_strdup_printf("ledger entry %" PRIu64 ": %s", verdict.number, verdict.text);
    }
    return NULL;
}

static char *check(struct day *day)
{
    for (int key = 0; key < KEYS; key++) {
        char *text = check_key(day, key);
        if (text)
            return text;
    }
    return check_ledger(day);
}

/* --- a day -------------------------------------------------------------------------------------------------------- */

static void put_text(const char *dir, const char *name, const char *text)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(dir, name, NULL);
    kit_ok(g_file_set_contents(path, text, -1, &error));
}

static void put_spec(struct day *day)
{
    g_autoptr(GString) spec = g_string_new("sluice: 1\nname: job\n"
                                           "source: { store: \"mem:s\", dataset: items }\n"
                                           "transform: { lua: t.lua }\n"
                                           "target: { store: \"mem:s\", dataset: items }\n");
    day->has_soak = dice(day, 2) == 0;
    day->has_approval = dice(day, 4) == 0;
    day->has_hours = dice(day, 3) == 0;
    day->goes_back = dice(day, 3) == 0;
    int size = dice(day, 2) == 0 ? 9 : 30, workers = 1 + (int)dice(day, 3);
    g_string_append_printf(spec, "partitions: { size: %d }\nworkers: %d\n", size, workers);
    g_string_append_printf(spec,
                           "stages:\n  - { name: canary, scope: 10%%, gate: { verify: full%s } }\n"
                           "  - { name: ramp, scope: 50%%, gate: { verify: full%s } }\n"
                           "  - { name: full, scope: 100%%, gate: { verify: full } }\n",
                           day->has_soak ? ", soak: 40m" : "", day->has_approval ? ", approve: lead" : "");
    g_string_append_printf(spec, "protect: { errors: 100%%, kept_live: 100%%, rate: { max: %d/s } }\n",
                           (int)(1 + dice(day, 40)));
    if (day->has_hours)
        g_string_append(spec, "hours: [ \"Mon-Sun 22:00-06:00 UTC\" ]\n");
    put_text(day->dir, "job.yaml", spec->str);
    put_text(day->dir, "t.lua", "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n");
}

static void seed_records(struct day *day)
{
    for (int key = 0; key < KEYS; key++) {
        struct state state = {.present = true};
        state.value = (int64_t)(state.token = ++day->token);
        day->states[key] = g_array_new(FALSE, FALSE, sizeof(struct state));
        if (dice(day, 6) == 0)
            state.expires_at_ms = right_ms(day) + 1000 * (int64_t)(60 + dice(day, 24 * 3600));
        app_puts(day, key, &state);
    }
    cluster_replicate(day->cluster);
}

static void on_turn(void *self, void *owner)
{
    struct process *process = owner;
    fake_sqlite_attach(process ? &process->fake : NULL);
}

static void day_begin(struct day *day, uint64_t seed)
{
    day->executor = executor_new(seed * 2654435761u + 1);
    day->clock = (struct world_clock){.wall_ms = right_ms};
    day->world = (struct world){.clock = &day->clock, .clock_self = day};
    struct cluster_config config = {.executor = day->executor,
                                    .world = &day->world,
                                    .written = on_written,
                                    .lost = on_lost,
                                    .request = on_request,
                                    .self = day};
    day->cluster = cluster_new(&config);
    day->dir = g_dir_make_tmp("sluice-day-XXXXXX", NULL);
    day->spec_path = g_build_filename(day->dir, "job.yaml", NULL);
    day->stages = g_hash_table_new(NULL, NULL);
    day->heads = g_array_new(FALSE, FALSE, 32);
    machine_init(&day->here, day->executor, day->cluster, day->dir, "here");
    machine_init(&day->elsewhere, day->executor, day->cluster, day->dir, "elsewhere");
    day->here.spec_path = day->elsewhere.spec_path = day->spec_path;
    day->here.skew_ms = (int64_t)dice(day, 400) - 200;
    day->elsewhere.skew_ms = (int64_t)dice(day, 400) - 200;
    executor_watch(day->executor, on_turn, day);
    put_spec(day);
    seed_records(day);
    executor_begin(day->executor, traffic_main, day, NULL);
    executor_begin(day->executor, weather_main, day, NULL);
    executor_begin(day->executor, operator_main, day, NULL);
}

static void day_end(struct day *day, struct day_met *met)
{
    day->met.cluster = *cluster_met(day->cluster);
    day->met.virtual_ms = (uint64_t)now_us(day) / 1000;
    day->met.turns = executor_turns(day->executor);
    day->met.trace = executor_trace(day->executor);
    *met = day->met;
    fake_sqlite_attach(NULL);
    g_clear_pointer(&day->process, process_free);
    machine_done(&day->here);
    machine_done(&day->elsewhere);
    cluster_free(day->cluster);
    kit_dir_remove(day->dir);
    for (int key = 0; key < KEYS; key++)
        g_array_unref(day->states[key]);
    g_hash_table_unref(day->stages);
    g_array_unref(day->heads);
    g_free(day->dir);
    g_free(day->spec_path);
    executor_free(day->executor);
    g_free(day);
}

/* After a broken promise processes hang where they were: what they hold is left. */
char *day_live(uint64_t seed, struct day_met *met)
{
    struct day *day = g_new0(struct day, 1);
    const char *why;
    day_begin(day, seed);
    if (!executor_run(day->executor, &why)) {
        char *text = g_strdup_printf("seed %" PRIu64 ", after %" PRId64 " s: %s", seed, now_us(day) / US_PER_S, why);
        fake_sqlite_attach(NULL);
        return text;
    }
    char *text = check(day);
    char *all = text ? g_strdup_printf("seed %" PRIu64 ": %s", seed, text) : NULL;
    day->met.done += day->process->command != COMMAND_BACK;
    day->met.back += day->process->command == COMMAND_BACK;
    day_end(day, met);
    g_free(text);
    return all;
}
