/* Internal to run/: the state of a worker, shared by the files that make up its core (worker.c the phases, tail.c what
 * a dead holder left, round.c decide-log-cas, forward.c, back.c and promote.c the jobs). */
#pragma once

#include "run/batch.h"
#include "run/claims.h"
#include "run/worker.h"

enum phase {
    PHASE_GRANT,
    PHASE_IDLE,
    PHASE_LANE,
    PHASE_TAIL,
    PHASE_DOUBT,
    PHASE_STANDS,
    PHASE_LOST,
    PHASE_TAIL_OUTCOME,
    PHASE_CUT,
    PHASE_OPEN,
    PHASE_SCAN,
    PHASE_READ,
    PHASE_ROOM,
    PHASE_LOG,
    PHASE_CAS,
    PHASE_FENCE,
    PHASE_OUTCOME,
    PHASE_WAIT,
    PHASE_LOOK,
    PHASE_REFUSE,
    PHASE_SINK,
    PHASE_PUBLISH,
    PHASE_SETTLE,
    PHASE_SYNC,
    PHASE_CHECKPOINT,
    PHASE_END,
    PHASE_COUNT
};

struct unclaimed {
    uint32_t lane;
    uint64_t number;
    enum undo_verb verb;
    struct digest written;
    int64_t before_expires_at_ms;
    struct unclaimed *next;
};

/* What does not fit into memory is tried again with so many times fewer; what is left behind is read by so many keys.
 */
enum { FEWER = 8, READ_KEYS = 500 };

/* What earlier lanes of the partition did to one key beyond the checkpoint. */
struct applied {
    struct slice key;
    struct unclaimed *left; /* writes not yet matched with an item, the newest first; NULL: none */
    enum undo_verb verb;
    struct digest written; /* by the last of them */
    bool in_doubt;
    bool met; /* a row accounts for one of them, whoever it was */
};

struct claim {
    struct applied *applied;
    struct unclaimed **at, *write; /* what was taken out, and where */
    bool met;                      /* before it */
};

struct worker {
    const struct job *job;
    uint32_t stage;
    enum phase phase;
    bool stopping;
    GError *error;

    /* of the partition */
    struct arena *part_mem;
    struct grant grant;
    struct lane lane;
    struct fence before;
    struct undo_tail tail;
    GHashTable *applied;    /* struct slice * → struct applied *, in part_mem; NULL: none */
    uint64_t applied_left;  /* writes of earlier lanes that no row has matched yet: the next resume needs them too */
    struct claims *claimed; /* those of the tail that rows before the batch account for */
    GArray *settled;        /* of struct undo_outcome: what tail.c found out */
    GArray *doubtful;       /* of size_t: entries of the tail that no fence tells of */
    size_t doubt_from;      /* of these, what is not yet looked at */
    GArray *lost;           /* of size_t: entries of the tail that a server may have lost, by key */
    size_t lost_from;       /* of these, what is not yet looked at */
    GArray *standings;      /* of struct standing_look: one each, what the store says of them */
    GArray *left_images;    /* of struct record: live ones of what is in doubt or may be lost, some at a time */
    size_t read_most;       /* of them at a time */
    struct transform *transform;
    bool copies; /* the records of the source are those of the target */
    uint64_t next_number, index, checkpoint;
    struct undo_position undo_from; /* of the newest batch that logged anything: where the next resume begins to read */
    bool owes_tail;                 /* undo_from is still where the tail of older lanes begins */

    /* of the batch */
    struct batch_work batch;
    struct undo_outcome outcome;
    size_t max_records;
    size_t fewer;    /* the first batch of a partition that is taken anew has no more; 0: as many as any */
    bool anew;       /* the partition is to be taken again, in a new lane */
    bool again;      /* the batch did not fit into its memory before anything of it was logged: fewer of it */
    GArray *claims;  /* of struct claim: those of the batch */
    bool read_first; /* look before the first cas; otherwise the cas itself finds out (`fill` into nothing) */
    bool fences_unknown;
    int64_t now_ms;
    int64_t batch_us;
    uint32_t waits;
    const char *conditions;  /* under which it was settled, in its memory; NULL */
    bool settled_once;       /* in this lane: what an earlier one left is counted with the first checkpoint */
    uint32_t unsettled;      /* times in a row that a batch could not be settled */
    GArray *refused, *notes; /* of struct quarantine_row */
    GArray *sunk;            /* of struct record */

    struct tally total;
};

void worker_fail(struct worker *worker, GError *error);
/* A data-sized allocation did not fit: ends the worker with TOO_BIG. */
void worker_fail_memory(struct worker *worker, struct slice key);

/* tail.c */
void tail_take(struct worker *worker); /* decides the next phase */
void tail_doubts_next(struct worker *worker, struct op *op);
void tail_doubts_done(struct worker *worker, struct op *op);
/* So many live records of what a dead holder left fit into memory at once, as far as anybody knows; a read of more that
 * has failed is to be wished again, of fewer. False: it has not failed. */
bool tail_reads_fewer(struct worker *worker, struct op *op);
/* What earlier lanes did to the key and no row has claimed yet; NULL: nothing. tail_claim() also claims it. */
struct applied *tail_find(struct worker *worker, struct slice key);
struct applied *tail_claim(struct worker *worker, struct slice key);
/* Of several writes to one key, each a record's: claims the oldest that is just what the item wants. NULL: none is. */
struct applied *tail_claim_same(struct worker *worker, const struct item *item);
/* The batch begins again: what its rows have claimed is unclaimed. */
void tail_unclaim(struct worker *worker);
/* As the batch's checkpoint has them, in its memory; empty: none is open. Once it stands they are the partition's. */
bool tail_claims(struct worker *worker, struct slice *ret);
void tail_claims_stand(struct worker *worker);
/* Whether rows before the batch account for the write already. */
bool tail_accounted(struct worker *worker, const struct undo_left *entry);

/* A live record whose version cannot be read has none; forward.c. */
struct version forward_live_version(const struct worker *worker, const struct record *image);
/* A write of an earlier lane was applied: it is counted when its key comes by. */
void tail_remember(struct worker *worker, const struct undo_left *entry, bool in_doubt);
/* What became of it goes into the undo log. */
void tail_settle(struct worker *worker, const struct undo_left *entry);

/* lost.c: a write that was checkpointed once, and that its server may have lost since. */
bool lost_may_be(struct worker *worker, const struct undo_left *entry);
void lost_begin(struct worker *worker); /* decides the next phase: PHASE_STANDS, or beyond */
void lost_stands_next(struct worker *worker, struct op *op);
void lost_stands_done(struct worker *worker, struct op *op);
void lost_next(struct worker *worker, struct op *op);
void lost_done(struct worker *worker, struct op *op);

/* forward.c, back.c: rows of a scan → items, and one item with a known image → its state. */
bool forward_open(struct worker *worker, GError **error);
/* A record that the plan found not to take part: refused, with its document. */
void forward_refuse(struct worker *worker, size_t row, const struct fault *fault);
void forward_row(struct worker *worker, size_t row);
/* The document of a row that is to be shown, where nobody had to look into it before. */
void forward_show(struct worker *worker, struct row *row);
void forward_decide(struct worker *worker, struct item *item);
/* What the store refuses in the place of what this run wrote before: that is not the source's any more, and goes. */
void forward_take_back(struct worker *worker, struct item *item);
/* The partition's rows have all been looked at, and none wants what a dead holder had written: the source says other
 * things by now than it said to him. */
void forward_take_left(struct worker *worker);
/* What the decision about the item is made of; its image is known. */
struct decide_case forward_case(const struct worker *worker, const struct item *item);
/* Whether versions decide. */
bool forward_by_version(const struct decide_rules *rules);
/* Whether a value stands there that is too big to be held: no pre-image of it can be logged. */
bool forward_is_unloggable(const struct worker *worker, const struct item *item);
void forward_looked(struct worker *worker, size_t row, const struct record *now);
void back_row(struct worker *worker, size_t row);
void back_decide(struct worker *worker, struct item *item);
/* promote.c */
void promote_row(struct worker *worker, size_t row);
void promote_decide(struct worker *worker, struct item *item);

/* round.c */
void round_begin(struct worker *worker); /* decides the next phase: READ, ROOM, LOG, or beyond */
void round_room(struct worker *worker, struct op *op);
void round_log(struct worker *worker, struct op *op);
void round_logged(struct worker *worker, struct op *op);
void round_cas(struct worker *worker, struct op *op);
void round_written(struct worker *worker, struct op *op);
void round_fence(struct worker *worker, const struct fence *fence);
bool round_is_applied(const struct item *item);
/* The item cannot be written, and ends so: its row is refused, of a shadow passed over. */
void round_refuse(struct worker *worker, struct item *item, const struct fault *fault);
