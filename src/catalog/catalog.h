/* The catalog: the SQLite database in which sluice keeps runs, plans, partitions, checkpoints and the ledger.
 *
 * HOME/catalog.db, WAL mode, synchronous FULL: what a function here has committed is durable. Schema in numbered,
 * commented migrations (catalog/migrations.c); a newer version is refused, an older one is migrated.
 * Every move of a run or a stage is one transaction together with its ledger entry: a state never exists without the
 * record of how it came about.
 *
 * Threads: one struct catalog (one connection) per thread; they may be open on one home at the same time, from several
 * processes too. A locked database is waited for (10 s), then BUSY. Strings and slices in rows live in the arena given.
 * Nothing here is for one driver or one kind of job. */
#pragma once

#include "base/arena.h"
#include "base/world.h"
#include "record/digest.h"
#include "record/outcome.h"
#include "spec/events.h"

struct catalog;

enum catalog_mode { CATALOG_CREATE /* made when absent */, CATALOG_EXISTING, CATALOG_READ_ONLY };

/* NOT_FOUND when absent (not CREATE); CORRUPT, NOT_PERMITTED (read-only home), NO_SPACE, CATALOG as they come. */
bool catalog_open(struct catalog **ret, const struct world *world, const char *home, enum catalog_mode mode,
                  GError **error);
void catalog_free(struct catalog *catalog);
AUTO_DEFINE(catalog, catalog_free)

/* 32 hex digits made when the home was made; the absolute path of the home. Live as long as the catalog. */
const char *catalog_home_id(const struct catalog *catalog);
const char *catalog_home(const struct catalog *catalog);

/* Moves what stands in the write-ahead log into the database, without keeping anyone from writing. Whoever watches a
 * run calls it every second or so: then no worker has to do it in the middle of a batch. Nothing depends on it. */
bool catalog_tidy(struct catalog *catalog, GError **error);

/* Reads the whole database: CORRUPT names the first thing that is wrong. Not part of opening: it takes time. */
bool catalog_check(struct catalog *catalog, GError **error);

/* --- states ------------------------------------------------------------------------------------------------------ */

enum run_state {
#define STATE(symbol, word, over) RUN_##symbol,
#include "catalog/state_rows.h"
#undef STATE
    RUN_STATE_COUNT
};
const char *run_state_word(enum run_state state);
bool run_state_over(enum run_state state); /* done, rolled back or aborted: no more writes of this run stand open */
bool run_state_may(enum run_state from, enum run_state to);

enum stage_state {
#define STAGE(symbol, word) STAGE_##symbol,
#include "catalog/state_rows.h"
#undef STAGE
    STAGE_STATE_COUNT
};
const char *stage_state_word(enum stage_state state);
bool stage_state_may(enum stage_state from, enum stage_state to);

/* WRITTEN: all its batches are checkpointed. VERIFIED is final: neither read nor written again. */
enum part_state {
#define PART(symbol, word) PART_##symbol,
#include "catalog/state_rows.h"
#undef PART
    PART_STATE_COUNT
};
const char *part_state_word(enum part_state state);
bool part_state_may(enum part_state from, enum part_state to); /* by catalog_parts_move() */

/* Partitions from here on are those of a rollback, "back". (undo/undo.h: UNDO_ROLLBACK_PART; not visible from here.) */
#define CATALOG_BACK_PART UINT32_C(0x80000000)
/* … and from here on those of the promotion of a shadow. (undo/undo.h: UNDO_PROMOTION_PART.) */
#define CATALOG_PROMOTION_PART UINT32_C(0xc0000000)
enum parts_kind { PARTS_FORWARD, PARTS_BACK, PARTS_PROMOTION, PARTS_KIND_COUNT };

/* --- runs -------------------------------------------------------------------------------------------------------- */

/* BLAKE2b-256 of the frozen plan and of what it was made from; all zero: there is none. */
struct plan_digests {
    uint8_t plan[32], spec[32], contract[32], transform[32];
};

struct part_new {
    uint32_t part; /* 0 … n-1; of rollback and promotion: from their numbers on */
    uint32_t stage;
    struct slice bounds; /* the driver's, or empty where a listing tells */
    uint64_t records;    /* listed keys, or an estimate */
    uint32_t turn;       /* 1 + the number in whose place it is granted, no other's of the run; 0: its own */
};

struct stage_new {
    const char *name;
};

/* Who did something and why: goes into the ledger with the act. */
/* A reason that says something. */
static inline bool reason_says(const char *reason)
{
    return reason && reason[strspn(reason, " \t\r\n")];
}

struct act {
    const char *actor;  /* user@host */
    const char *reason; /* NULL: none given */
    const char *trace;  /* the W3C traceparent of the call, for the details of its entries; NULL: it has none */
};

struct hook_new {
    uint32_t events; /* a set of spec_event */
    bool must;
};

struct run_new {
    const char *spec_name;
    const char *spec_path; /* absolute */
    uint8_t uid[16];
    struct plan_digests digests;
    struct slice plan;  /* the frozen plan, JSON text */
    const char *target; /* identity of the target dataset: store identity + dataset name */
    const struct stage_new *stages;
    size_t n_stages;
    const struct part_new *parts;
    size_t n_parts;
    uint64_t listed;
    uint64_t duplicates;
    const char *details; /* JSON object for the ledger; NULL */
    const struct hook_new *hooks;
    size_t n_hooks;
    struct act act;
};

struct run_row {
    int64_t id;
    const char *name; /* NAME.N */
    const char *spec_name, *spec_path, *target;
    uint8_t uid[16];
    struct plan_digests digests;
    enum run_state state;
    const char *reason; /* of the state; NULL */
    const char *guard;  /* by which it is paused: it goes on by itself; NULL: by none */
    const char *pauser; /* what of the run itself has paused it; NULL: nothing of it */
    int64_t state_ms;   /* when it came into its state; 0: not known */
    const char *actor;  /* of the last move */
    const char *author; /* who planned it */
    uint32_t stage;     /* current */
    int64_t started_ms, updated_ms;
    uint32_t back_stage; /* the stages from here on are taken back, or are being; UINT32_MAX: none */
    struct tally tally;  /* running totals, forward and back */
    uint64_t bytes_read, bytes_written;
    int64_t limited_ms;               /* when its writes last waited for protect.rate.max; 0: never */
    int64_t worked_ms;                /* how long its workers were at work on the stages */
    uint64_t parts[PART_STATE_COUNT]; /* forward partitions by state */
    uint64_t back_parts[PART_STATE_COUNT], promotion_parts[PART_STATE_COUNT];
};

/* Freezes a plan as run NAME.N with its stages and partitions, in one transaction with ledger entry `planned`. */
bool catalog_run_create(struct catalog *catalog, const struct run_new *run, struct arena *mem, struct run_row *ret,
                        GError **error);

/* `name`: NAME.N, or NAME for its newest. NOT_FOUND names the nearest. */
bool catalog_run_get(struct catalog *catalog, const char *name, struct arena *mem, struct run_row *ret, GError **error);
/* For commands that change something: NAME alone must name exactly one run that is not over, or the newest when all
 * are; REFUSED names those that are open. */
bool catalog_run_get_one(struct catalog *catalog, const char *name, struct arena *mem, struct run_row *ret,
                         GError **error);
bool catalog_run_reload(struct catalog *catalog, struct arena *mem, struct run_row *io, GError **error);
/* Newest first. */
bool catalog_runs(struct catalog *catalog, struct arena *mem, struct run_row **ret, size_t *ret_n, GError **error);
/* Those that write, verify or are taken back, by their state: of each id, name and target alone. */
bool catalog_runs_at_work(struct catalog *catalog, struct arena *mem, struct run_row **ret, size_t *ret_n,
                          GError **error);
/* The newest run that is not over with these spec, contract and transform digests; ret->id == 0: none. */
bool catalog_run_unfinished(struct catalog *catalog, const char *spec_name, const struct plan_digests *digests,
                            struct arena *mem, struct run_row *ret, GError **error);
/* The newest run that is not over and whose writes stand on this target (one that is planned or waits, and of which no
 * partition was ever granted, has written nothing); ret->id == 0: none. */
bool catalog_run_on_target(struct catalog *catalog, const char *target, struct arena *mem, struct run_row *ret,
                           GError **error);
bool catalog_plan(struct catalog *catalog, int64_t run, struct arena *mem, struct slice *ret, GError **error);

/* REFUSED, naming what it is now, unless the run is in `from` and the move is a row (MOVE). */
struct run_move {
    int64_t run;
    enum run_state from, to;
    const char *reason;         /* of the new state, as `status` shows it (`state_reason` in the ledger); NULL */
    const char *guard;          /* PAUSED: the guard that does it; NULL: a person, or something that needs one … */
    const char *pauser;         /* … and what of the run itself that is, run/pauser.h; NULL: a person */
    const char *details;        /* JSON object for the ledger; NULL */
    const uint32_t *back_stage; /* NULL: stays as it is */
    struct act act;
    const char *holder; /* FENCED where somebody else holds the run by now; NULL: that is not asked */
};
bool catalog_run_move(struct catalog *catalog, const struct run_move *move, GError **error);

/* A number of sequences for the undo log, durable before it returns: [*ret_first, *ret_first + n). The first is 1. */
bool catalog_sequences_take(struct catalog *catalog, int64_t run, uint64_t n, uint64_t *ret_first, GError **error);

/* How many keys a look at the whole source found that the listing does not hold. The newest look's number stands:
 * whoever looks again may say it again. */
bool catalog_appeared_put(struct catalog *catalog, int64_t run, uint64_t n, GError **error);

/* Adds to run_row.worked_ms what no checkpoint will count. */
bool catalog_worked_add(struct catalog *catalog, int64_t run, int64_t worked_ms, GError **error);

/* Something that a run is told once, whoever holds it by then: `what` is remembered, and the ledger gets its entry, in
 * one transaction. *ret_new false: it was told before, and nothing is written. */
struct catalog_telling {
    int64_t run;
    const char *what;    /* what makes it the same */
    const char *action;  /* of the ledger's entry */
    const char *details; /* JSON object; NULL */
    uint32_t events;     /* a set of spec_event */
    struct act act;
};
bool catalog_tell_once(struct catalog *catalog, const struct catalog_telling *telling, bool *ret_new, GError **error);

/* What whoever holds a run sees of its guards, for those who only look: put every few seconds, in a statement of its
 * own. */
struct sight {
    int64_t at_ms;         /* 0: there is none */
    const char *slowed_by; /* the guard, or what else holds the pace back; NULL: nothing */
    const char *json;      /* an array: each guard, as guard/guards.h has it */
};
bool catalog_sight_put(struct catalog *catalog, int64_t run, const struct sight *sight, GError **error);
bool catalog_sight(struct catalog *catalog, int64_t run, struct arena *mem, struct sight *ret, GError **error);

/* What a server of the target had when a run first looked at it, from which its growth counts. Of one that is there
 * already nothing changes. A statement of its own, durable when it returns. */
struct growth_base {
    const char *node;
    int64_t data_bytes, keys; /* -1: it did not tell */
    uint64_t wrote;           /* by the run, until then */
};
bool catalog_growth_put(struct catalog *catalog, int64_t run, const struct growth_base *base, GError **error);
bool catalog_growth(struct catalog *catalog, int64_t run, struct arena *mem, struct growth_base **ret, size_t *ret_n,
                    GError **error);

/* The flag that stops every run of the home, those too that begin while it stands; with its ledger entry (`stop-all`,
 * `go-all`), in one transaction. Lifting one that does not stand: REFUSED. */
struct stop_flag {
    int64_t at_ms; /* 0: it does not stand */
    const char *actor, *reason;
};
bool catalog_stop_put(struct catalog *catalog, const struct act *act, GError **error);
bool catalog_stop_lift(struct catalog *catalog, const struct act *act, GError **error);
bool catalog_stop(struct catalog *catalog, struct arena *mem, struct stop_flag *ret, GError **error);

/* --- stages and partitions --------------------------------------------------------------------------------------- */

struct stage_row {
    uint32_t stage;
    const char *name;
    enum stage_state state;
    uint32_t attempt;   /* how often it was judged; counted up by each move to VERIFYING */
    int64_t until_ms;   /* WAITING: it soaks until then; 0: it does not */
    uint8_t report[32]; /* digest of what the last judgement found */
    uint64_t parts[PART_STATE_COUNT];
};
bool catalog_stages(struct catalog *catalog, int64_t run, struct arena *mem, struct stage_row **ret, size_t *ret_n,
                    GError **error);
struct stage_move {
    int64_t run;
    uint32_t stage;
    enum stage_state to;
    int64_t until_ms;      /* WAITING for a soak; 0: none */
    const uint8_t *report; /* NULL: stays as it is */
    const char *details;   /* JSON object for the ledger; NULL */
    /* What the run becomes by it, in the same transaction: no one finds a gate that has failed and a run that goes on.
     * NULL: stays as it is. */
    const struct run_move *with;
    struct act act;
};
/* Makes it the run's current stage. REFUSED unless the move is a row (STAGE_MOVE; of `with`: MOVE). */
bool catalog_stage_move(struct catalog *catalog, const struct stage_move *move, GError **error);

struct part_row {
    uint32_t part, stage;
    enum part_state state;
    uint32_t lane; /* the newest granted; 0: never granted */
    struct slice bounds;
    uint64_t records;
    uint32_t parent; /* the partition that it was split off; UINT32_MAX: it was planned */
    /* Of a listed source its keys are numbers first … first + records - 1 of partition `of` of the listing. */
    uint32_t of;
    uint64_t first;
};

struct undo_place { /* as undo/undo.h's struct undo_position; floor 3 is not visible from here */
    uint32_t segment;
    uint64_t offset;
};

/* A partition is worked on under a lease; its grant opens a lane. Takes the partition of the stage whose turn it is
 * first (but see `burden`), of those that are pending, or running under a holder that is dead (`holder` differs), marks
 * it running for `holder` and counts its lane up. ret->part == UINT32_MAX: nothing is left to grant. `here` is where
 * the undo log stands: what the new lane writes lies behind it; an earlier grant of the same partition keeps its own
 * place in ret_from for reading the old lane's tail. */
struct grant {
    struct part_row part;
    bool resumed;           /* it had a lane before */
    uint32_t old_lane;      /* resumed: the lane before this one */
    struct undo_place from; /* from where unsettled entries of older lanes may lie: its newest checkpoint's place,
                             * without one its first grant's `here`; not resumed: `here` */
    struct undo_place here; /* as wished: all that this lane logs lies behind it, all of older ones before */
    struct slice cursor;    /* of its newest checkpoint; empty: from the beginning */
    uint64_t checkpoint;    /* number of the newest; 0: none */
    uint32_t settled_lane;  /* the newest checkpoint's lane and settled number: entries of the tail up to there are */
    uint64_t settled;       /* accounted for; every other one belongs to work that no checkpoint names */
    uint64_t index;         /* listed keys accounted for up to there */
    struct slice claims;    /* the newest checkpoint's */
    const struct lost_lane *lost; /* older lanes of which checkpoints were taken back: catalog_parts_lost() */
    size_t n_lost;
    const char *lost_where; /* where, in the store's words, several with `;` between them; NULL */
};
/* Writes of the lane up to this number were checkpointed once. The store may have lost them since, or not. */
struct lost_lane {
    uint32_t lane;
    uint64_t settled;
};
struct grant_wish {
    int64_t run;
    uint32_t stage; /* UINT32_MAX: any */
    enum parts_kind kind;
    bool only_resumed; /* pass over partitions that were never granted: for settling what dead holders left */
    bool anew;         /* `part`, which this holder has, once more in a new lane */
    uint32_t part;
    const char *holder; /* host:pid:boot:random of this process */
    struct undo_place here;
    /* Of the few that wait and come next the one of which this is the least, of several the first; where that is above
     * `content`, of many more of them, up to the first that is not: what nobody wanted gathers in front. NULL: the
     * first. Called within the transaction, by whichever thread commits it. */
    uint32_t (*burden)(void *self, const struct part_row *candidate);
    uint32_t content;
    void *self;
};
/* FENCED where another holder has taken the run up. */
bool catalog_grant(struct catalog *catalog, const struct grant_wish *wish, struct arena *mem, struct grant *ret,
                   GError **error);

/* Whoever takes a run up says so before it asks for anything: from then on no earlier holder is granted a lane, and
 * one that sleeps between a grant and the opening of its lane hears it when it wakes (catalog_grant_stands(), asked
 * once the lane is open and before anything is written). So of two holders either the earlier one's lane was open
 * before the later one had the run, which then closes it, or nothing is written in it. */
bool catalog_run_hold(struct catalog *catalog, int64_t run, const char *holder, GError **error);
/* The same under another name. FENCED: somebody else holds it by now. */
bool catalog_run_pass(struct catalog *catalog, int64_t run, const char *holder, const char *next, GError **error);
/* FENCED: somebody else holds it by now. */
bool catalog_run_held(struct catalog *catalog, int64_t run, const char *holder, GError **error);
struct grant_held {
    int64_t run;
    uint32_t part, lane;
    const char *holder;
};
/* FENCED: the grant is not the partition's newest, or somebody else holds the run by now. */
bool catalog_grant_stands(struct catalog *catalog, const struct grant_held *held, GError **error);

/* An immutable, numbered row that says how far a partition has got and under which conditions. */
struct checkpoint {
    int64_t run;
    uint32_t part, lane;
    uint64_t number; /* from 1, dense within a partition */
    struct slice cursor;
    uint64_t index;     /* listed keys accounted for up to here */
    struct tally tally; /* of this batch alone */
    uint64_t bytes_read, bytes_written;
    int64_t limited_ms;              /* when writes of this process last waited for the rate; 0: never */
    int64_t worked_ms;               /* time that the run's workers were at work and no row before this one counts */
    int64_t took_ms;                 /* that the worker was at this batch */
    struct set_digest read, written; /* of this batch */
    uint64_t settled;                /* the highest number of the lane that this row accounts for */
    struct undo_place undo;          /* where its intents begin; the next resume reads the tail from here */
    struct slice outcomes;           /* four bits a listed key, in listing order, low nibble first */
    bool last;                       /* the partition is written */
    struct slice claims; /* of the tail from `undo` on, writes of earlier lanes that are accounted for (run/claims.h) */
    const char *conditions; /* JSON: who had the target's data when it was settled; NULL: the store cannot tell */
    /* 0, or where the partition, of a listed source, is split: its keys from this index on, which is beyond the
     * checkpoint's, become a new one of the same stage, pending, with a ledger entry `split` by `act`. */
    uint64_t split_at;
    struct act act;
};
/* One transaction: the row, the partition's state, the running totals, the partition that is split off. FENCED when the
 * partition's lane is no longer this, or is no longer being worked on. The newest row once more (same lane, cursor,
 * index and settled number) changes nothing and succeeds: it may be repeated after an answer was lost. */
bool catalog_checkpoint(struct catalog *catalog, const struct checkpoint *checkpoint, GError **error);

struct checkpoints {
    struct checkpoint *rows;
    size_t n;
};
/* A partition's checkpoints in order: the verifier reads outcomes and digests. */
bool catalog_checkpoints(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem,
                         struct checkpoints *ret, GError **error);

/* The conditions of each checkpoint that counts writes, by partition and number. */
struct checkpoint_look {
    uint32_t part, lane;
    uint64_t number, settled;
    const char *conditions; /* NULL: none were written down */
};
struct checkpoint_looks {
    struct checkpoint_look *rows;
    size_t n;
};
bool catalog_checkpoint_looks(struct catalog *catalog, int64_t run, enum parts_kind kind, struct arena *mem,
                              struct checkpoint_looks *ret, GError **error);

/* The same of those of a partition that count no longer. */
bool catalog_lost_looks(struct catalog *catalog, int64_t run, uint32_t part, struct arena *mem,
                        struct checkpoint_looks *ret, GError **error);

/* The store may have lost what checkpoints of a partition count: those behind `after` (0: all) count no longer, nor do
 * their tallies, and the partition is pending. What they counted stays known as that: the grants of the partition tell
 * (`lost`). */
struct part_lost {
    uint32_t part;
    uint64_t after;
    const char *where; /* in the store's words */
};
/* One transaction for all, with a ledger entry `lost`. Nobody may be at work on the partitions. */
bool catalog_parts_lost(struct catalog *catalog, int64_t run, const struct part_lost *parts, size_t n,
                        const struct act *act, GError **error);

/* How many writes the checkpoints of each of these partitions count: ret[i] of parts[i], which are sorted. */
bool catalog_part_writes(struct catalog *catalog, int64_t run, const uint32_t *parts, size_t n, uint64_t *ret,
                         GError **error);

struct parts_of {
    int64_t run;
    uint32_t stage; /* UINT32_MAX: of the whole run */
    enum parts_kind kind;
};
/* In order. */
bool catalog_parts(struct catalog *catalog, const struct parts_of *of, struct arena *mem, struct part_row **ret,
                   size_t *ret_n, GError **error);
/* WRITTEN → VERIFIED, any → FAILED, forward → ROLLED_BACK …; one transaction for all: REFUSED names the first partition
 * of which the move is no PART_MOVE row, and then none has moved. */
bool catalog_parts_move(struct catalog *catalog, int64_t run, const uint32_t *parts, size_t n, enum part_state to,
                        GError **error);
/* Adds the partitions of a rollback or a promotion. Replaces none: refused where they exist already. */
bool catalog_parts_add(struct catalog *catalog, int64_t run, const struct part_new *parts, size_t n, GError **error);

/* A partition that lags behind the others: as whoever is at work on the run said last, by the rule of run/lookout.h. */
struct straggler {
    uint32_t part;
    int64_t since_ms;               /* it lags since then */
    int64_t still_ms;               /* so long it had come to no checkpoint when that was said */
    uint64_t left;                  /* records */
    uint64_t per_ks, others_per_ks; /* records in a thousand seconds, of it and of the others */
    const char *cause, *words;      /* a word of run/lag_rows.h; what is known of it, in a line */
};
/* All of a run, in the place of those that were said before. */
bool catalog_stragglers_put(struct catalog *catalog, int64_t run, const struct straggler *stragglers, size_t n,
                            GError **error);
/* In the order of the partitions. */
bool catalog_stragglers(struct catalog *catalog, int64_t run, struct arena *mem, struct straggler **ret, size_t *ret_n,
                        GError **error);

/* When somebody last let the run go on that had halted, by the ledger; 0: it never halted, or is. */
bool catalog_run_lifted(struct catalog *catalog, const char *run, int64_t *ret_ms, GError **error);

/* What the checkpoints of a run accounted for in a stretch of time. */
struct course_of {
    int64_t run, step_ms;
    int64_t after_ms; /* catalog_spent(): only what is later */
};
struct course {
    int64_t at_ms; /* its beginning, a multiple of its length */
    uint64_t done, rejected, retried, bytes_read, bytes_written;
    int64_t slowest_ms; /* the batch that took longest: within that time its records were read and stood */
};
/* In order; stretches without a checkpoint have no row. Reads a row a checkpoint. A rollback and a promotion are not of
 * it. */
bool catalog_history(struct catalog *catalog, const struct course_of *of, struct arena *mem, struct course **ret,
                     size_t *ret_n, GError **error);

/* What the checkpoints of such a stretch have used of a budget: of the tally only what was read,
 * written and deleted. `at_ms` is the newest checkpoint's. Likewise. */
struct spent {
    int64_t at_ms;
    struct tally tally;
    uint64_t bytes_read, bytes_written;
};
bool catalog_spent(struct catalog *catalog, const struct course_of *of, struct arena *mem, struct spent **ret,
                   size_t *ret_n, GError **error);

/* --- gates: approvals, and limits set on the way ------------------------------------------------------------------ */

/* A person's word on a gate. It names what it was given for: a gate that is judged again asks again. */
struct approval {
    int64_t run;
    uint32_t stage, attempt;
    uint8_t plan[32], report[32]; /* digests */
    bool granted;                 /* false: denied */
    struct act act;
    int64_t at_ms;
};
/* With its ledger entry (`approved`, `denied`), in one transaction. Plan and report are taken from the catalog; REFUSED
 * unless the stage waits, in this attempt. */
bool catalog_approval_add(struct catalog *catalog, const struct approval *approval, GError **error);
/* The newest for the attempt whose digests are those of the plan and the report; ret->at_ms == 0: nobody has said
 * anything. */
bool catalog_approval(struct catalog *catalog, const struct run_row *run, const struct stage_row *stage,
                      struct arena *mem, struct approval *ret, GError **error);

/* What was set with `sluice set`: the newest value of each key. */
struct setting {
    const char *key, *value, *actor;
    int64_t at_ms;
};
/* All of them or none. */
bool catalog_settings_add(struct catalog *catalog, int64_t run, const struct setting *settings, size_t n,
                          const struct act *act, GError **error);
bool catalog_setting_add(struct catalog *catalog, int64_t run, const struct setting *setting, const struct act *act,
                         GError **error);
bool catalog_settings(struct catalog *catalog, int64_t run, struct arena *mem, struct setting **ret, size_t *ret_n,
                      GError **error);

/* --- pace ---------------------------------------------------------------------------------------------------------
 */

int64_t catalog_now_ms(const struct catalog *catalog); /* wall time */
/* How the servers are paced at the moment (run/govern.h), a JSON array; written over. *ret NULL: never was. */
bool catalog_pace_put(struct catalog *catalog, int64_t run, const char *json, GError **error);
bool catalog_pace(struct catalog *catalog, int64_t run, struct arena *mem, const char **ret, int64_t *ret_at_ms,
                  GError **error);

/* --- wishes: control from any terminal --------------------------------------------------------------------------- */

enum wish_kind { WISH_NONE, WISH_PAUSE, WISH_RESUME, WISH_ABORT, WISH_ROLLBACK, WISH_APPROVE, WISH_DENY, WISH_SET };

struct wish {
    int64_t id;
    enum wish_kind kind;
    const char *value;
    struct act act;
    int64_t at_ms;
    bool taken;
};
/* Records the wish (and its ledger entry). */
bool catalog_wish_add(struct catalog *catalog, int64_t run, const struct wish *wish, int64_t *ret_id, GError **error);
/* The oldest neither taken nor over; ret->id == 0: none. Cheap enough to ask several times a second. */
bool catalog_wish_next(struct catalog *catalog, int64_t run, struct arena *mem, struct wish *ret, GError **error);
bool catalog_wish_taken(struct catalog *catalog, int64_t wish, GError **error); /* acknowledges */
/* The run does what all the open wishes of this kind ask for: acknowledges them together. */
bool catalog_wishes_taken(struct catalog *catalog, int64_t run, enum wish_kind kind, GError **error);
/* The oldest that asks for an end, was taken and is not over: what its holder had heard. ret->id == 0: none. */
bool catalog_wish_heard(struct catalog *catalog, int64_t run, struct arena *mem, struct wish *ret, GError **error);
/* One is over, or all of a run, taken or not: somebody has had the last word since. */
bool catalog_wish_end(struct catalog *catalog, int64_t wish, GError **error);
bool catalog_wishes_end(struct catalog *catalog, int64_t run, GError **error);
enum wish_fate { WISH_IS_OPEN, WISH_IS_TAKEN, WISH_IS_SET_ASIDE };
bool catalog_wish_fate(struct catalog *catalog, int64_t wish, enum wish_fate *ret, GError **error);

/* --- reports ----------------------------------------------------------------------------------------------------- */

struct report_row {
    int64_t id, run, at_ms;
    uint32_t stage;      /* UINT32_MAX: of the whole run */
    const char *verdict; /* pass | fail */
    const char *path;
    struct slice summary; /* JSON */
    struct act act;       /* actor NULL: the ledger has the report by a move that follows */
};
/* With its ledger entry (`report`), which has the summary, in one transaction. */
bool catalog_report_add(struct catalog *catalog, const struct report_row *report, GError **error);
bool catalog_reports(struct catalog *catalog, int64_t run, struct arena *mem, struct report_row **ret, size_t *ret_n,
                     GError **error);

/* --- hooks: what has to be told to whom --------------------------------------------------------------------------- */

/* One event for one hook, journalled with the act that it tells of. Delivered at least once: a death between the
 * delivery and its record makes a second one, with the same key. */
enum delivery_state { DELIVERY_WAITING, DELIVERY_DELIVERED, DELIVERY_FAILED };
const char *delivery_state_word(enum delivery_state state);
struct delivery {
    int64_t id;
    uint32_t hook; /* from 0, in the order of the spec */
    const char *event, *key;
    int64_t at_ms;
    bool must;
    enum delivery_state state;
    uint32_t tries;
    int64_t next_ms;       /* not before then */
    const char *said;      /* by the last try; NULL */
    struct slice document; /* JSON: the same for every try */
};
/* All of a run, in order. */
bool catalog_deliveries(struct catalog *catalog, int64_t run, struct arena *mem, struct delivery **ret, size_t *ret_n,
                        GError **error);
/* The hook's oldest that waits, whether its time has come or not; ret->id == 0: none. */
bool catalog_delivery_next(struct catalog *catalog, int64_t run, uint32_t hook, struct arena *mem, struct delivery *ret,
                           GError **error);
struct delivery_counts {
    uint64_t waiting, failed, must_waiting, must_failed;
};
bool catalog_delivery_counts(struct catalog *catalog, int64_t run, struct delivery_counts *ret, GError **error);
/* One try more. DELIVERED and FAILED are final, with their ledger entry (`hook-delivered`, `hook-failed`). */
struct delivery_try {
    int64_t run;
    const struct delivery *delivery;
    enum delivery_state state; /* WAITING: another try, at next_ms */
    int64_t next_ms;
    const char *said;
    struct act act;
};
bool catalog_delivery_tried(struct catalog *catalog, const struct delivery_try *tried, GError **error);
/* Those that have failed wait again, with all their tries. */
bool catalog_deliveries_retry(struct catalog *catalog, int64_t run, GError **error);

/* --- sums: what the verifier found of a partition when its gate passed -------------------------------------------- */

struct part_sum {
    uint32_t part;
    int64_t at_ms;
    struct set_digest wanted, live; /* by canonical digests: what the source gave, what the target held */
    struct set_digest stored;       /* what the target held, by stored digests: what it must still hold */
    const char *counts;             /* JSON: the verifier's own */
};
/* One transaction for all; a partition's older row is replaced. */
bool catalog_part_sums_put(struct catalog *catalog, int64_t run, const struct part_sum *sums, size_t n, GError **error);
/* In the order of the partitions. */
bool catalog_part_sums(struct catalog *catalog, int64_t run, struct arena *mem, struct part_sum **ret, size_t *ret_n,
                       GError **error);
