#include "sim/day.h"

#include "kit/fake_sqlite.h"
#include "kit/kit.h"
#include "sim/day_parts.h"

#define BEGIN_MS INT64_C(1783684800000) /* as of machine.c */

enum { MOST_DAYS = 6, MOST_TRIES = 400, MOST_LOST = 20, DAMAGED_TIMES = 2 };

static const char *const FIRST = "job.1", *const OPERATOR = "oncall@sim", *const LEAD = "lead@sim";

static uint64_t dice(struct day *day, uint64_t sides)
{
    return executor_dice(day->executor, sides);
}

int64_t day_now_us(const struct day *day)
{
    return executor_now_us(day->executor);
}

/* --- the application ---------------------------------------------------------------------------------------------- */

void day_key_put(int key, char into[16])
{
    g_snprintf(into, 16, "k%03d", key);
}

const struct state *day_newest(const struct day *day, int key)
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
    day_key_put(key, name);
    kit_ok(document_from_json(slice_of_text(json), mem, &raw, NULL, &error));
    struct cluster_put put = {.dataset = DAY_DATASET,
                              .key = slice_of_text(name),
                              .raw = state->present ? &raw : NULL,
                              .expires_at_ms = state->expires_at_ms,
                              .token = state->token};
    cluster_app(day->cluster, &put);
    g_array_append_val(day->states[key], *state);
}

int64_t day_right_ms(const struct day *day)
{
    return BEGIN_MS + day_now_us(day) / 1000;
}

static int64_t right_ms(void *self)
{
    return day_right_ms(self);
}

static void app_writes(struct day *day)
{
    int key = (int)dice(day, DAY_KEYS);
    struct state state = {.present = dice(day, 8) != 0};
    state.value = (int64_t)(state.token = ++day->token);
    if (state.present && dice(day, 6) == 0)
        state.expires_at_ms = day_right_ms(day) + 1000 * (int64_t)(60 + dice(day, 6 * 3600));
    day->touched[key] = true;
    app_puts(day, key, &state);
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void lag_begins(struct day *day)
{
    if (cluster_is_calm(day->cluster))
        return;
    cluster_set_lag_ms(day->cluster, 60000);
    day->lags_us = day_now_us(day);
}

static void lag_ends(struct day *day)
{
    cluster_set_lag_ms(day->cluster, 0);
    day->lags_us = 0;
}

static void calms(struct day *day)
{
    cluster_calm(day->cluster);
    cluster_arrive_all(day->cluster);
    lag_ends(day);
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
        cluster_cut(day->cluster, day_now_us(day) + (int64_t)(1 + dice(day, 200)) * US_PER_S);
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

/* As soon as it is planned its name is told. */
static void hear_of(struct day *day, const struct process *process)
{
    if (process->begun[0])
        g_strlcpy(day->run, process->begun, sizeof day->run);
}

static void begin(struct day *day, enum command command)
{
    if (++day->tries > MOST_TRIES)
        broken(day, "the run comes to no end: %s", day->process && day->process->text ? day->process->text : "killed");
    if (day->process)
        process_free(day->process);
    if (command == COMMAND_RESUME || command == COMMAND_BACK)
        day->paused_us = 0;
    day->may_promote |= command == COMMAND_PROMOTE;
    day->process = process_start(&day->here, command, command == COMMAND_REPAIR ? FIRST : day->run, OPERATOR);
    if (dice(day, 2) == 0)
        day->process->dies_at = 1 + dice(day, 400);
}

/* From now on this is what is wanted. */
static void begin_anew(struct day *day, enum command command)
{
    day->command = command;
    begin(day, command);
}

/* A command of another terminal, to its end. */
static struct process *beside(struct day *day, struct machine *machine, enum command command, const char *user)
{
    hear_of(day, day->process);
    struct process *process = process_start(machine, command, day->run, user);
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
        day->paused_us = day_now_us(day);
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
    day->jumped_us = day_now_us(day);
    day->met.jumps++;
    passes(day, 1200);
    day->here.skew_ms = skew_ms;
    day->jumped_us = 0;
}

static void turns_back(struct day *day)
{
    if (!day->goes_back || day->command == COMMAND_BACK || day->repairs_up_to)
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

/* A person is needed: the last gate of a shadow is passed, a gate waits for a word, or somebody has interrupted it. */
static void goes_on(struct day *day)
{
    if (day->process->row_state == RUN_WAITING && day->has_shadow && strstr(day->process->text, "promote")) {
        if (dice(day, 2) == 0)
            cluster_fail_over(day->cluster, MOST_LOST);
        passes(day, 3600);
        day->met.shadows++;
        if (day->shadows_lost == 0)
            day->shadows_lost = cluster_met(day->cluster)->lost_of_shadows;
        begin_anew(day, COMMAND_PROMOTE);
        return;
    }
    if (day->has_approval)
        approves(day);
    day->met.resumes++;
    begin(day, COMMAND_RESUME);
}

/* true: nothing is left to be done. */
static bool is_done(struct day *day)
{
    if (!day->goes_back || day->repairs_up_to || dice(day, 2) == 0)
        return true;
    passes(day, 3600);
    begin_anew(day, COMMAND_BACK);
    return false;
}

static bool forward_ended(struct day *day)
{
    switch (day->process->status) {
    case 0:
    case 8:
        return is_done(day);
    case 3:
        goes_on(day);
        return false;
    case 5:
        day->met.halts++;
        begin(day, COMMAND_RESUME);
        return false;
    case 6:
    case 7:
    case 9: /* it died before there was a run */
        day->met.failures++;
        begin(day, day->command);
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

/* true: what was wanted is done. */
static bool ended(struct day *day)
{
    enum command was = day->process->command;
    hear_of(day, day->process);
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

static void drives(struct day *day, enum command command)
{
    bool done = false;
    day->failovers = cluster_met(day->cluster)->failovers;
    begin_anew(day, command);
    while (!done) {
        if (dice(day, 2) == 0)
            executor_sleep_us(day->executor, (int64_t)dice(day, 5 * US_PER_S), NULL);
        else
            passes(day, 2400);
        if (day_now_us(day) > MOST_DAYS * 24 * 3600 * US_PER_S)
            broken(day, "the run has not ended for days");
        if (day->process->ended)
            done = ended(day);
        else
            mischief(day);
    }
}

/* --- what is lost behind the end ---------------------------------------------------------------------------------- */

/* Whether nothing differs. A verification that came to no end is begun again. */
static bool verified(struct day *day)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        struct process *process = process_start(&day->here, COMMAND_VERIFY, FIRST, OPERATOR);
        while (!process->ended)
            executor_sleep_us(day->executor, US_PER_S, NULL);
        g_strlcpy(day->verdict, process->text ? process->text : "", sizeof day->verdict);
        bool came_to_an_end = !process->dead && !process->by_error, passed = process->passed;
        if (!came_to_an_end && cluster_is_calm(day->cluster))
            broken(day, "the verification says: %s", process->text);
        process_free(process);
        if (came_to_an_end)
            return passed;
        passes(day, 600);
    }
    broken(day, "the verification comes to no end");
}

static void is_damaged(struct day *day)
{
    for (uint64_t n = 1 + dice(day, 3); n > 0; n--) {
        passes(day, 1200);
        cluster_fail_over(day->cluster, MOST_LOST);
    }
}

/* A repair, which may be taken back: then it is needed once more. */
static void is_repaired(struct day *day)
{
    day->repairs_up_to = day->token;
    for (int writes = dice(day, 2) == 0 ? DAY_KEYS / 2 : 0; writes > 0; writes--)
        app_writes(day);
    day->may_promote = false;
    day->met.repairs++;
    drives(day, COMMAND_REPAIR);
    if (!cluster_is_calm(day->cluster) && dice(day, 3) == 0) {
        day->met.unrepairs++;
        drives(day, COMMAND_BACK);
    }
}

static void loses_and_repairs(struct day *day)
{
    for (int times = 0; times < DAMAGED_TIMES; times++) {
        is_damaged(day);
        if (!verified(day))
            is_repaired(day);
    }
    calms(day);
    if (!verified(day))
        is_repaired(day);
}

/* What servers lose of a shadow while it goes live is passed over and listed: the one thing that is to be mended. */
static void ends_with_a_repair(struct day *day)
{
    if (day->shadows_lost == cluster_met(day->cluster)->lost_of_shadows)
        broken(day, "the verification finds what is not as it should be: %s", day->verdict);
    day->met.mended++;
    is_repaired(day);
    if (!verified(day))
        broken(day, "the verification behind a repair finds what is not as it should be: %s", day->verdict);
}

static void operator_main(void *self)
{
    struct day *day = self;
    g_strlcpy(day->run, FIRST, sizeof day->run);
    drives(day, COMMAND_RUN);
    day->taken_back = day->process->command == COMMAND_BACK;
    if (day->repairs && !day->taken_back)
        loses_and_repairs(day);
    calms(day);
    if (!day->taken_back && !verified(day))
        ends_with_a_repair(day);
    atomic_store(&day->over, true);
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
                                           "target: { store: \"mem:s\", dataset: items");
    g_string_append(spec, day->has_shadow ? ", write: shadow }\n" : " }\n");
    day->has_soak = dice(day, 2) == 0;
    day->has_approval = dice(day, 4) == 0;
    day->has_hours = dice(day, 3) == 0;
    day->goes_back = dice(day, 3) == 0 && !day->repairs;
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
    for (int key = 0; key < DAY_KEYS; key++) {
        struct state state = {.present = true};
        state.value = (int64_t)(state.token = ++day->token);
        day->states[key] = g_array_new(FALSE, FALSE, sizeof(struct state));
        if (dice(day, 6) == 0)
            state.expires_at_ms = day_right_ms(day) + 1000 * (int64_t)(60 + dice(day, 24 * 3600));
        app_puts(day, key, &state);
    }
    cluster_replicate(day->cluster);
}

static void on_turn(void *self, void *owner)
{
    struct process *process = owner;
    fake_sqlite_attach(process ? &process->fake : NULL);
}

/* What kind of day it is: of three one in place, one with a shadow, one whose end is lost and repaired; of the latter
 * every other one has both. */
static void day_kind(struct day *day, uint64_t seed)
{
    day->repairs = seed % 3 == 0;
    day->has_shadow = seed % 3 == 2 || seed % 6 == 0;
}

static void day_begin(struct day *day, uint64_t seed)
{
    day_kind(day, seed);
    day->executor = executor_new(seed * 2654435761u + 1);
    day->clock = (struct world_clock){.wall_ms = right_ms};
    day->world = (struct world){.clock = &day->clock, .clock_self = day};
    struct cluster_config config = {.executor = day->executor,
                                    .world = &day->world,
                                    .written = promises_at_write,
                                    .lost = promises_at_loss,
                                    .request = on_request,
                                    .moves_shadows = seed % 4 < 2,
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
    day->met.virtual_ms = (uint64_t)day_now_us(day) / 1000;
    day->met.turns = executor_turns(day->executor);
    day->met.trace = executor_trace(day->executor);
    *met = day->met;
    fake_sqlite_attach(NULL);
    g_clear_pointer(&day->process, process_free);
    machine_done(&day->here);
    machine_done(&day->elsewhere);
    cluster_free(day->cluster);
    kit_dir_remove(day->dir);
    for (int key = 0; key < DAY_KEYS; key++)
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
        char *text =
            g_strdup_printf("seed %" PRIu64 ", after %" PRId64 " s: %s", seed, day_now_us(day) / US_PER_S, why);
        fake_sqlite_attach(NULL);
        return text;
    }
    char *text = promises_at_end(day);
    char *all = text ? g_strdup_printf("seed %" PRIu64 ": %s", seed, text) : NULL;
    day->met.done += !day->taken_back;
    day->met.back += day->taken_back;
    day_end(day, met);
    g_free(text);
    return all;
}
