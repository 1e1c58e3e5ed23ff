/* A run in a box: stores in memory (or files in a directory), a spec, an application that writes beside it, and
 * processes that live for as long as a test wants. Everything of the program is real but clock, chance and the store.
 *
 *     struct scene scene;
 *     scene_init(&scene, SPEC, LUA);
 *     scene_put(&scene, "items", "a", "{\"n\": 1}");
 *     scene_ran(&scene, 0);                                     a whole run, in one process
 *     scene_holds(&scene, "items", "a", "{ … }");
 *     scene_done(&scene);
 *
 * or step by step, where what happens between two steps is the test:
 *
 *     struct process process;
 *     process_begin(&process, &scene, JOB_FORWARD);
 *     process_until(&process, 0, OP_CAS);                       the first worker wishes its cas, nothing is sent
 *     scene_put(&scene, "items", "a", "{\"n\": 2}");            the application is faster
 *     process_end(&process);                                    every worker to its end
 *     process_die(&process);                                    or at any other moment
 *
 * One thread at a time, but for the threads of a whole run. */
#pragma once

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "run/hold.h"
#include "run/worker.h"
#include "store/fault/fault.h"
#include "store/mem/mem.h"

struct scene {
    struct fake_world fake; /* first: its clock's `self` is the scene */
    struct world_clock clock;
    /* Called while someone of the run sleeps: the application's chance. NULL: nobody. */
    void (*asleep)(struct scene *scene, int64_t us);
    struct keyring *keyring; /* of the home */
    struct mem_space *space;
    struct mem_driver mem;
    /* Of what the run does with its stores, never of what the application does. */
    struct fault_plan plan;
    struct fault_row rows[2];
    struct fault_driver faulty_mem, faulty_file;
    const struct store_driver *ours[3], *theirs[2];
    char *dir, *home, *spec_path;
    const char *actor;
    const char *run;             /* of whom the functions below speak: job.1, unless a test says otherwise */
    const char *supersede;       /* scene_run, scene_plan: the run to be superseded; NULL: none */
    bool full;                   /* scene_verify: every key with the source */
    struct sampling_wish sure;   /* scene_verify: a sample; none where it is not set */
    bool lifts_nothing;          /* scene_run: as `run` does it, that a pause and a limit hold up; else as `resume` */
    bool exit_on_pause;          /* scene_run: does not wait for a soak to end */
    bool force_unlock;           /* takes a lock on the dataset from whoever has it */
    const struct person *person; /* whose rights are looked at; NULL: nobody's */
    const atomic_int *signals;   /* what comes to the commands; NULL: none does */
    void (*event)(struct scene *scene, const struct run_event *event); /* of the commands; NULL: nobody listens */
    atomic_int feels; /* enum guard_level: where what its server says of itself leads to; see scene_feels() */
#define SCENE_SILENT GUARD_LEVELS /* … it has not answered yet */
    atomic_bool another;          /* a second server has come */
    atomic_uint asked;            /* how often */
    atomic_int_fast64_t asked_us; /* … and when last, by the clock; 0: nobody asks */
    atomic_bool noted, shown;     /* whoever watches has told that a guard holds the work, and acted upon it */
};

/* The spec's stores are `mem:…` or `file:…` below the scene's directory; `lua` is its t.lua, NULL: it has none. */
void scene_init(struct scene *scene, const char *spec, const char *lua);
void scene_done(struct scene *scene);
/* A scene as it stands while nobody is at work in it, to be begun from any number of times: it is then in the same
 * place, at the same time, with the same chances ahead. One at a time. */
struct scene_kept {
    char *dir, *aside;
    struct mem_space *space;
    int64_t now_us, wall_ms;
    uint64_t seed;
};
void scene_keep(struct scene *scene, struct scene_kept *ret); /* the scene itself stays, to be done with */
void scene_again(struct scene *scene, const struct scene_kept *kept);
void scene_kept_done(struct scene_kept *kept);
/* Writes a file below the directory. */
void scene_file(struct scene *scene, const char *name, const char *text);

/* --- the application: on top of what stands, in the store mem:s ----------------------------------------------------
 */

void scene_put(struct scene *scene, const char *dataset, const char *key, const char *json);
void scene_put_until(struct scene *scene, const char *dataset, const char *key, const char *json,
                     int64_t expires_at_ms);
void scene_remove(struct scene *scene, const char *dataset, const char *key);
/* The whole dataset, raw bytes and expiries, a line a key: two that are equal are equal byte for byte. */
char *scene_image(struct scene *scene, const char *dataset);

/* NULL: absent. The caller frees. */
char *scene_json(struct scene *scene, const char *dataset, const char *key, int64_t *ret_expires_at_ms);
/* What stands there: the JSON, or NULL for nothing; and no expiry, unless one is given. */
#define scene_holds(scene, dataset, key, json) scene_holds_at(scene, dataset, key, json, __FILE__, __LINE__)
void scene_holds_at(struct scene *scene, const char *dataset, const char *key, const char *json, const char *file,
                    int line);
void scene_expires(struct scene *scene, const char *dataset, const char *key, int64_t expires_at_ms);

/* What a late packet brings: the cas of someone who is dead by now. Copied before he dies, sent when it suits. */
struct late {
    struct arena *mem;
    struct lane lane;
    struct cas_op *ops;
    size_t n;
};
void late_copy(struct late *ret, const struct op *op); /* an OP_CAS that is wished */
void late_send(struct scene *scene, struct late *late, const char *dataset);
void late_done(struct late *late);

/* The one planned fault of what the run does with its stores, from the next call on; NULL: none. */
void scene_fault(struct scene *scene, const struct fault_row *row);
/* The store in memory has a server that says how it feels, which whoever guards a run asks for. That does not make time
 * pass; but for who watches meanwhile it passes faster. */
void scene_feels(struct scene *scene);
/* From now on like that, and not on before whoever watches the work has acted upon it: by another thread. */
void scene_worsens(struct scene *scene, int feels);
/* The flag that holds all runs of the home: `put` sets it, or takes it away. */
void scene_flags(struct scene *scene, bool (*put)(struct catalog *, const struct act *, GError **));
/* It is well again, and whoever judges next will find it so. */
void scene_eases(struct scene *scene);
/* Behind the run's back. */
void scene_drop_fences(struct scene *scene, const uint8_t run[16]);
/* A copy of the home is put aside; it takes the place of the home that it was. */
void scene_keep_home(struct scene *scene);
void scene_restore_home(struct scene *scene);

/* --- whole runs ----------------------------------------------------------------------------------------------------
 */

/* How a command ended: by a result or by an error, as the command line would say it. */
struct ended {
    int status;
    bool by_error;
    enum error_code code; /* by_error */
    char *text;           /* may be NULL */
};
void ended_done(struct ended *ended);

/* Each is one process: opened, driven, closed. scene_run: run_begin and run_forward, lifting pauses and halts. */
void scene_run(struct scene *scene, struct ended *ret);
void scene_back(struct scene *scene, struct ended *ret);
/* The same, and the exit status must be this. */
#define scene_ran(scene, status)        scene_ran_at(scene, scene_run, status, __FILE__, __LINE__)
#define scene_taken_back(scene, status) scene_ran_at(scene, scene_back, status, __FILE__, __LINE__)
void scene_ran_at(struct scene *scene, void (*command)(struct scene *, struct ended *), int status, const char *file,
                  int line);
/* As all of them see it, for commands that a test gives by itself. */
struct run_config scene_config(struct scene *scene, struct store_registry *registry);
/* Plans the run, drives nothing. */
void scene_plan(struct scene *scene);
/* `verify RUN`: the run must not be open in a process. */
void scene_verify(struct scene *scene, struct verify_result *ret);
/* The same as a command: ends with 0 where it passes, 4 where it does not, or by an error. */
void scene_check(struct scene *scene, struct ended *ret);

/* The run as the catalog has it; strings in `mem`. */
struct run_row scene_row(struct scene *scene, struct arena *mem);
uint64_t scene_count(struct scene *scene, enum outcome outcome);
/* Of how many partitions the catalog keeps the sums. */
size_t scene_sums_kept(struct scene *scene);
/* Every listed key in one word; the ledger an unbroken chain. */
void scene_reconciles(struct scene *scene);
/* The same, and the run's row, at one opening of the catalog. */
struct run_row scene_reconciled(struct scene *scene, struct arena *mem);
/* Whether the notes (or the quarantine) of the run name the key with the code. */
bool scene_notes(struct scene *scene, const char *key, enum error_code code);
bool scene_refused(struct scene *scene, const char *key, enum error_code code);
/* How many rows the quarantine of the run holds. */
uint64_t scene_refusals(struct scene *scene);
uint64_t scene_refusals_of(struct scene *scene, const struct run_row *row);

/* --- a process, step by step ---------------------------------------------------------------------------------------
 */

#define PROCESS_WORKERS 3u

struct process {
    struct scene *scene;
    struct run_config config;
    struct hold *hold;
    struct worker *workers[PROCESS_WORKERS];
    struct exec *execs[PROCESS_WORKERS];
    struct op ops[PROCESS_WORKERS]; /* wished and not yet performed */
    bool wished[PROCESS_WORKERS];
};

/* Takes the run and stands before the first step of every worker. JOB_BACK: chains and partitions are made. */
void process_begin(struct process *process, struct scene *scene, enum job_kind kind);
/* The same, with batches of so many records. Its workers split nothing: each can be taken to its end alone. */
void process_begin_small(struct process *process, struct scene *scene, enum job_kind kind, size_t batch_records);
/* The same, and the workers have so much memory. */
void process_begin_cramped(struct process *process, struct scene *scene, enum job_kind kind, size_t batch_records,
                           size_t memory_bytes);
/* A JOB_FORWARD whose workers split what they have for those that are idle. All of them are taken to their end
 * together.
 */
void process_begin_sharing(struct process *process, struct scene *scene, size_t batch_records);
/* The first of a run: plans it, and takes it forwards. */
void process_first(struct process *process, struct scene *scene);
/* The step that the worker wishes. */
struct op *process_wish(struct process *process, uint32_t worker);
/* Performs it, whatever it is, and hands over what came back. */
void process_step(struct process *process, uint32_t worker);
/* Steps until the worker wishes a step of this kind; the test fails where it ends before. */
struct op *process_until(struct process *process, uint32_t worker, enum op_kind kind);
/* What may become of a cas (or of another step) on its way:
 *   lose:        performed; the answer is lost: every outcome unknown, timed out
 *   drop:        not performed; nobody says so: every outcome unknown, timed out
 *   acknowledge: not performed; the answer says that all was written: what a machine forgets that loses its power
 *   step_unheard: performed; the worker never hears of it, and must be given up */
void process_lose(struct process *process, uint32_t worker);
void process_drop(struct process *process, uint32_t worker);
void process_acknowledge(struct process *process, uint32_t worker);
void process_step_unheard(struct process *process, uint32_t worker);
/* This worker, or all of them in turn, to the end; none may fail. */
void process_finish(struct process *process, uint32_t worker);
void process_end(struct process *process);
/* This worker to an end that is an error of this code. */
#define process_fails(process, worker, code) process_fails_at(process, worker, SLUICE_ERROR_##code, __FILE__, __LINE__)
void process_fails_at(struct process *process, uint32_t worker, enum error_code code, const char *file, int line);
/* As if killed: nothing is finished. */
void process_die(struct process *process);
/* Every worker to its end, and the process with them; the run is not judged. */
void process_done(struct process *process);
/* One of which nothing else is wanted: begun and done. */
void process_whole(struct scene *scene, enum job_kind kind);
