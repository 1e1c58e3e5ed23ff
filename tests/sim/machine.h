/* A machine of a simulation: a home on its disk, a clock that may be wrong, and the processes that run sluice on it.
 *
 * A process is threads of the executor with a `struct world` of their own. It dies at any turn: from then on none of
 * its calls has an effect, and its threads are taken to their ends, with no time passing, before anybody else goes on
 * (what it leaves behind is what it had done; that its memory is given back is for the test's sake). With a machine's
 * power all of its processes go, and of its files all that was not synced. */
#pragma once

#include "kit/fake_disk.h"
#include "kit/fake_world.h"
#include "run/run.h"
#include "sim/cluster.h"

struct machine {
    struct executor *executor;
    struct cluster *cluster;
    const char *dir, *spec_path;
    char *home;
    struct fake_disk *disk;
    int64_t skew_ms;      /* of its wall clock; may be changed at any time */
    int64_t quiet_us;     /* since when nothing has been written or planned: who sleeps sleeps long then */
    GPtrArray *processes; /* of struct process, those that have not ended */
    uint64_t seed;
};
void machine_init(struct machine *ret, struct executor *executor, struct cluster *cluster, const char *dir,
                  const char *name);
void machine_done(struct machine *machine);

/* What is asked of sluice, as on a command line. */
enum command {
    COMMAND_RUN,
    COMMAND_RESUME,
    COMMAND_PROMOTE,
    COMMAND_REPAIR, /* of what the newest report of `run` names */
    COMMAND_BACK,
    COMMAND_PAUSE,
    COMMAND_APPROVE,
    COMMAND_VERIFY,
    COMMANDS
};

struct process {
    struct fake_world fake; /* first: its clock's `self` is the process */
    struct world_clock clock;
    struct machine *machine;
    struct cluster_driver driver;
    const struct store_driver *drivers[2];
    enum command command;
    const char *run; /* NAME.N */
    const char *user;
    atomic_int signals;
    bool dead, ended;
    uint64_t dies_at;       /* so many points from now; 0: at none */
    int64_t after_death_us; /* what its threads have slept since */
    /* How it ended; of a dead one nothing. */
    int status;
    bool by_error, passed; /* VERIFY: passed */
    enum run_heard heard;
    char *text;
    enum run_state row_state;
    uint8_t ledger_head[32];
    char begun[32]; /* RUN, REPAIR: the run, as soon as it is planned; of a dead process too */
};

/* Begins it; it goes on whenever whoever calls sleeps. */
struct process *process_start(struct machine *machine, enum command command, const char *run, const char *user);
void process_free(struct process *process); /* it has ended */
/* From any thread; its own too, which then has to return at once. */
void process_kill(struct process *process);
void machine_lose_power(struct machine *machine, uint64_t *io_forgotten);
