#include "sim/machine.h"

#include <unistd.h>

#include "base/person.h"
#include "kit/fake_sqlite.h"
#include "kit/fresh_home.h"
#include "kit/kit.h"
#include "store/calls.h"

static const int64_t BEGIN_MS = INT64_C(1783684800000); /* 2026-07-10T12:00:00Z, a Friday */

#define US_PER_S INT64_C(1000000)

/* --- its world ---------------------------------------------------------------------------------------------------- */

static int64_t monotonic_us(void *self)
{
    const struct process *process = self;
    return executor_now_us(process->machine->executor) + process->after_death_us;
}

static int64_t wall_ms(void *self)
{
    const struct process *process = self;
    return BEGIN_MS + process->machine->skew_ms + monotonic_us(self) / 1000;
}

/* A machine on which nothing happens wakes its sleepers late: a day is over in as many turns as an hour. */
static int64_t nap_us(const struct machine *machine, int64_t us)
{
    int64_t quiet_us = executor_now_us(machine->executor) - machine->quiet_us;
    return MAX(us, MIN(quiet_us / 16, 3 * US_PER_S));
}

/* A file's call in whose middle it died. */
static void look_at_files(struct process *process)
{
    if (process->fake.dead && !process->dead)
        process_kill(process);
}

static void sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct process *process = self;
    struct executor *executor = process->machine->executor;
    look_at_files(process);
    if (cancel && atomic_load(cancel))
        return;
    if (process->dead) {
        process->after_death_us += us;
        executor_yield(executor);
        return;
    }
    executor_sleep_us(executor, nap_us(process->machine, us), cancel);
}

static void on_point(void *self, const char *name)
{
    struct process *process = self;
    struct executor *executor = process->machine->executor;
    look_at_files(process);
    if (process->dead)
        return;
    if (process->dies_at > 0 && --process->dies_at == 0) {
        if (executor_dice(executor, 3) == 0)
            process->fake.dies_in = 1 + executor_dice(executor, 8);
        else
            process_kill(process);
    }
    executor_yield(executor);
}

/* --- its life ----------------------------------------------------------------------------------------------------- */

static void end_with(struct process *process, bool ok, const struct run_result *result, const GError *error)
{
    process->status = ok ? result->exit_status : error_exit_status(error);
    process->by_error = !ok;
    process->text = g_strdup(ok ? result->text : error->message);
    if (!ok)
        return;
    process->row_state = result->run.state;
    memcpy(process->ledger_head, result->ledger_head, sizeof process->ledger_head);
}

static struct run_config config_of(struct process *process, struct store_registry *registry,
                                   const struct person *person)
{
    return (struct run_config){.world = &process->fake.world,
                               .registry = registry,
                               .home = process->machine->home,
                               .person = person,
                               .signals = &process->signals,
                               .act = {.actor = process->user, .reason = "a day"}};
}

static bool begin_and_drive(struct process *process, const struct run_config *config, struct run_result *ret,
                            GError **error)
{
    struct spec *spec = NULL;
    struct run_result planned = {0};
    bool is_new, ok = spec_read(&spec, config->world, process->machine->spec_path, error);
    if (ok && !run_begin(config, spec, &planned, &is_new, error)) {
        spec_free(spec);
        ok = false;
    }
    if (ok)
        g_strlcpy(process->begun, planned.run.name, sizeof process->begun);
    ok = ok && run_forward(config, planned.run.name, false, ret, error);
    run_result_done(&planned);
    return ok;
}

static bool command_repair(struct process *process, const struct run_config *config, struct run_result *ret,
                           GError **error)
{
    auto_(arena) mem = arena_new(4 << 20);
    struct run_config asked = *config;
    struct run_repair repair = {0};
    if (!run_repair_find(config, process->run, mem, &repair, error))
        return false;
    asked.retry = repair.run;
    asked.repair = &repair;
    return begin_and_drive(process, &asked, ret, error);
}

static bool command_pause(struct process *process, const struct run_config *config, struct run_result *ret,
                          GError **error)
{
    struct run_wish wish = {.kind = WISH_PAUSE};
    return run_wish(config, process->run, &wish, ret, &process->heard, error);
}

static bool command_verify(struct process *process, const struct run_config *config, struct run_result *ret,
                           GError **error)
{
    struct verify_result verdict = {0};
    if (!run_verify(config, process->run, &verdict, error))
        return false;
    process->passed = verdict.pass;
    ret->text = g_strdup(verdict.sentence);
    ret->exit_status = verdict.pass ? 0 : 4;
    verify_result_done(&verdict);
    return true;
}

static bool perform(struct process *process, const struct run_config *config, struct run_result *ret, GError **error)
{
    switch (process->command) {
    case COMMAND_RUN:
        return begin_and_drive(process, config, ret, error);
    case COMMAND_RESUME:
        return run_forward(config, process->run, true, ret, error);
    case COMMAND_PROMOTE:
        return run_promote(config, process->run, ret, error);
    case COMMAND_REPAIR:
        return command_repair(process, config, ret, error);
    case COMMAND_BACK:
        return run_back(config, process->run, NULL, ret, error);
    case COMMAND_PAUSE:
        return command_pause(process, config, ret, error);
    case COMMAND_APPROVE:
        return run_approve(config, process->run, true, ret, &process->heard, error);
    case COMMAND_VERIFY:
        return command_verify(process, config, ret, error);
    case COMMANDS:
        break;
    }
    g_assert_not_reached();
}

static void process_main(void *self)
{
    struct process *process = self;
    GError *error = NULL;
    struct run_result result = {0};
    g_autofree char *user = g_strndup(process->user, strcspn(process->user, "@"));
    auto_(person) person = person_of(user, NULL);
    struct store_registry *registry = store_registry_new(&process->fake.world, process->drivers);
    struct run_config config = config_of(process, registry, person);
    bool ok = perform(process, &config, &result, &error);
    if (!process->dead)
        end_with(process, ok, &result, error);
    g_clear_error(&error);
    run_result_done(&result);
    store_registry_free(registry);
    g_ptr_array_remove(process->machine->processes, process);
    process->ended = true;
}

struct process *process_start(struct machine *machine, enum command command, const char *run, const char *user)
{
    struct process *process = g_new0(struct process, 1);
    fake_world_init(&process->fake);
    process->clock = (struct world_clock){.monotonic_us = monotonic_us, .wall_ms = wall_ms, .sleep_us = sleep_us};
    process->fake.world.clock = &process->clock;
    process->fake.world.point = on_point;
    process->fake.world.point_self = process;
    process->fake.seed = fake_next(&machine->seed);
    process->fake.disk = machine->disk;
    process->machine = machine;
    process->command = command;
    process->run = run;
    process->user = user;
    cluster_driver_init(&process->driver, machine->cluster, &process->dead);
    process->drivers[0] = &process->driver.table;
    g_ptr_array_add(machine->processes, process);
    machine->quiet_us = executor_now_us(machine->executor);
    executor_begin(machine->executor, process_main, process, process);
    return process;
}

void process_free(struct process *process)
{
    g_assert(process->ended);
    g_free(process->text);
    g_free(process);
}

void process_kill(struct process *process)
{
    if (process->dead || process->ended)
        return;
    process->dead = process->fake.dead = true;
    atomic_store(&process->signals, 2);
    executor_bury(process->machine->executor, process);
}

void machine_lose_power(struct machine *machine, uint64_t *io_forgotten)
{
    g_autofree char *shared = g_build_filename(machine->home, "catalog.db-shm", NULL);
    while (machine->processes->len > 0)
        process_kill(machine->processes->pdata[0]);
    unlink(shared);
    *io_forgotten += fake_disk_lose(machine->disk, &machine->seed);
}

void machine_init(struct machine *ret, struct executor *executor, struct cluster *cluster, const char *dir,
                  const char *name)
{
    *ret = (struct machine){.executor = executor,
                            .cluster = cluster,
                            .dir = dir,
                            .home = g_build_filename(dir, name, NULL),
                            .disk = fake_disk_new(),
                            .processes = g_ptr_array_new(),
                            .seed = executor_dice(executor, UINT64_MAX)};
    struct fake_world fake;
    fake_world_init(&fake);
    fresh_home_put(&fake, ret->home);
    fake_sqlite_attach(NULL);
}

void machine_done(struct machine *machine)
{
    fake_disk_free(machine->disk);
    g_ptr_array_unref(machine->processes);
    g_free(machine->home);
}
