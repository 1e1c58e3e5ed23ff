/* Holding a run: everything that a process has open while it works on one. Internal to run/.
 *
 * The lock comes first and goes last: between the two this process is the only one that writes for the run. */
#pragma once

#include "catalog/lock.h"
#include "run/crew.h"
#include "run/guarding.h"
#include "run/hooks.h"

/* Rows of partitions, in an arena of whoever asks for them: hold->mem lives as long as the run is held, and gates are
 * many. */
#define HOLD_ROWS_BYTES (64u << 20)

enum hold_for {
    HOLD_FORWARD,
    HOLD_BACK, /* needs neither spec nor source */
    HOLD_LOOK, /* writes nothing: takes no lock of the dataset, opens neither undo log nor quarantine */
};

struct hold {
    const struct run_config *config;
    struct arena *mem;
    struct run_lock *lock;
    struct catalog *catalog;
    struct run_row run;
    struct plan *plan;
    char *undo_dir, *holder;
    struct undo_config undo_config;
    struct undo_log *undo;
    struct quarantine *quarantine, *notes;
    struct session *target; /* of the calling thread: the dataset's lock, fences */
    struct exec_shared shared;
    struct job job;
    bool lift_limits;
    bool elsewhere;                /* the run was ended with another copy of this home (ended.h) */
    const struct run_config *said; /* whose reason stands in the ledger already */
    int64_t mended_us;             /* when a person said so of what had halted the run; 0: nobody has */
    int64_t opens_ms, closes_ms;   /* as in struct crew */
    struct wish wish;
    char *limit;
    const char *limit_key;
    int losses;                /* how often this process found that servers were replaced (again.c) */
    struct hooks *hooks;       /* NULL: the run has none */
    struct guarding *guarding; /* NULL: it is not open */
};

/* Who acts, for an entry of the ledger, with the reason where it is the first move that is made for it: what comes of
 * that later has causes of its own. */
struct act hold_act(const struct hold *hold);

/* Takes the run's lock and reads its row; nothing of the stores is touched. */
bool hold_take(struct hold **ret, const struct run_config *config, const char *name, GError **error);
/* Loads the plan, opens the target and takes the dataset's lock for the run; opens undo log and quarantine. */
bool hold_open(struct hold *hold, enum hold_for what, GError **error);
/* Takes the dataset's lock for the run; one that it has already is fine. */
bool hold_lock_dataset(struct hold *hold, GError **error);
void hold_free(struct hold *hold);
AUTO_DEFINE(hold, hold_free)

/* Moves the run, with the caller as actor. */
bool hold_move(struct hold *hold, enum run_state to, const char *reason, const char *details, GError **error);
/* To paused, by the run itself (run/pauser.h). */
bool hold_pause(struct hold *hold, const char *pauser, const char *reason, const char *details, GError **error);
/* To rolling-back, from this stage on; one that is on that way already goes on. */
bool hold_move_back(struct hold *hold, uint32_t from_stage, GError **error);
/* The stage's partitions that are in one state, into another. */
bool hold_parts_move(struct hold *hold, uint32_t stage, enum part_state from, enum part_state to, GError **error);
bool hold_reload(struct hold *hold, GError **error);
/* A person has had the last word: all wishes are of before it. */
bool hold_end_wishes(struct hold *hold, GError **error);
/* Runs a crew over the stage for the job. A wish that ended it is in hold->wish, a limit in hold->limit. */
enum crew_end hold_crew(struct hold *hold, uint32_t stage, GError **error);
/* The run is over: its shadow goes, its fences, and the dataset's lock. */
bool hold_let_go(struct hold *hold, GError **error);
/* Settles what dead holders left: afterwards every write forwards or of a promotion is known, and every old lane is
 * closed. */
bool hold_settle(struct hold *hold, GError **error);

void hold_event(const struct hold *hold, enum run_event_kind kind, const char *text);
/* Hands the row, the ledger's head and the words over to the caller. */
void hold_result(struct hold *hold, int exit_status, const char *text, struct run_result *ret);
/* NOT_PERMITTED unless the plan lets this person. */
bool hold_may(struct hold *hold, enum spec_may_what what, GError **error);
/* The limits as they stand: frozen, and what was set since. */
bool hold_take_settings(struct hold *hold, GError **error);

/* takeback.c: settles, and makes chains and partitions for going back to the stage, once; a rollback that goes on finds
 * them. */
bool takeback_prepare(struct hold *hold, uint32_t stage, GError **error);
/* takeback.c: back to the beginning of the stage (NULL: of the run), also from a run whose gate has failed. Where an
 * earlier rollback has not come to its end, that one is finished first. What goes wrong is recorded (failed or halted,
 * with what to do), and the result says so. */
bool takeback_drive(struct hold *hold, const char *stage, struct run_result *ret, GError **error);
/* The same for `on_failure`: the call ends with 4, unless taking back fails itself. */
bool takeback_by_failure(struct hold *hold, const char *stage, struct run_result *ret, GError **error);
/* Whether a rollback that `on_failure` began has not come to its end: whoever takes the run up goes on with it. */
bool takeback_is_owed(struct hold *hold, bool *ret, GError **error);

/* takeback.c: the chains of the stage and of those after it, as far as an earlier rollback has not dealt with them
 * (what that one left alone is not left a second time); everything must be settled. */
bool takeback_chains(struct hold *hold, uint32_t stage, struct undo_chains **ret, GError **error);
/* takeback.c: partitions over the keys of chains, so many each. */
struct takeback_parts {
    uint32_t first_part, stage;
    uint64_t keys;
};
bool takeback_add_parts(struct hold *hold, const struct takeback_parts *of, GError **error);
/* takeback.c: REFUSED in a state from which a run cannot be taken back; one that is being taken back goes on. */
bool takeback_may(const struct run_row *run, GError **error);
/* takeback.c: what cannot be taken back, in words; the caller frees. */
char *takeback_damage(const struct undo_damage *damage, size_t n);

struct plan_config hold_plan_config(const struct run_config *config);
