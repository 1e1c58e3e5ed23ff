/* The steps that a worker wishes and an executor performs. One at a time per worker: worker_next() fills one in, the
 * executor performs it and sets `ok`, `error` and what comes back, worker_done() takes it.
 *
 * What an operation points to lives in the worker's arenas, or (what comes back) in the arena that the operation names.
 */
#pragma once

#include "catalog/catalog.h"
#include "quarantine/quarantine.h"
#include "run/budget.h"
#include "run/sharing.h"
#include "store/calls.h"
#include "undo/chains.h"
#include "undo/undo.h"

/* ROW(symbol, name, repeatable, store): a repeatable one that fails in a transient way is simply performed again; those
 * of a store are the calls that `protect.errors` is a share of. */
#define OP_ROWS(ROW)                                                                                                   \
    ROW(GRANT, "grant", true, false)           /* the next partition */                                                \
    ROW(LANE_OPEN, "lane-open", true, true)    /* close the old lanes, open ours */                                    \
    ROW(TAIL, "tail", true, false)             /* what a dead holder left in the undo log */                           \
    ROW(CUT, "cut", true, false)               /* quarantine rows beyond the checkpoint */                             \
    ROW(OPEN, "open", true, false)             /* position in the source */                                            \
    ROW(SCAN, "scan", false, true)             /* the next records */                                                  \
    ROW(STANDS, "stands", true, true)          /* which checkpointed writes the servers still have */                  \
    ROW(READ, "read", true, true)              /* images in the target */                                              \
    ROW(LOOK, "look", true, true)              /* images in the source, again */                                       \
    ROW(ROOM, "room", true, false)             /* of the budget, for what is about to be written */                    \
    ROW(LOG, "log", false, false)              /* undo intents, durable */                                             \
    ROW(CAS, "cas", false, true)               /* numbered writes */                                                   \
    ROW(FENCE, "fence", true, true)            /* which of them were applied */                                        \
    ROW(OUTCOME, "outcome", false, false)      /* undo outcomes */                                                     \
    ROW(REFUSE, "refuse", false, false)        /* rows for quarantine and notes */                                     \
    ROW(SINK, "sink", true, true)              /* an append-only target's part file */                                 \
    ROW(SETTLE, "settle", true, true)          /* the store's writes, durable */                                       \
    ROW(SYNC, "sync", false, false)            /* the undo log's outcomes, durable */                                  \
    ROW(CHECKPOINT, "checkpoint", true, false) /* one catalog transaction */                                           \
    ROW(PUBLISH, "publish", true, true)        /* the part file, renamed into place */                                 \
    ROW(WAIT, "wait", false, false)            /* before deciding again */                                             \
    ROW(IDLE, "idle", false, false)            /* nothing is left to grant, and others are at work */                  \
    ROW(END, "end", false, false)              /* nothing is left, or the worker was asked to stop */

enum op_kind {
#define ROW(symbol, name, repeatable, store) OP_##symbol,
    OP_ROWS(ROW)
#undef ROW
        OP_KIND_COUNT
};

struct op_row {
    const char *name;
    const char *before, *after; /* kill points */
    bool repeatable, store;
};
const struct op_row *op_row(enum op_kind kind);

/* What came out of the source for one listed key. */
enum scanned_kind {
    SCANNED_RECORD,
    SCANNED_LOSER,    /* another state of the key supersedes it */
    SCANNED_UNASKED,  /* the run is for other records */
    SCANNED_CONFLICT, /* as good as another state, with other content: `rec.fault` says where */
};

struct scanned {
    enum scanned_kind kind;
    const char *stays;   /* forward: why a removal of its key is refused; NULL: it is not */
    struct record rec;   /* back: the pre-image; promotion: the shadow's */
    struct digest must;  /* back: the stored digest that must stand now; zero: the key must be absent. Promotion: the
                          * shadow's; zero: a deletion */
    struct digest noted; /* promotion: the live record's when the shadow's was written; zero: there was none */
};

struct op_scan {
    size_t max_records, max_bytes; /* in */
    bool within;                   /* out: what is to be written needs ROOM, and of more bytes there is one record */
    bool again;                    /* in: from where the newest batch of the partition began, which came to nothing */
    enum budget_answer budget;     /* out: unless there was room for it nothing was read */
    struct arena *mem;
    struct scanned *rows; /* out */
    size_t n;
    struct slice cursor; /* out: where it goes on */
    uint64_t bytes;
    bool done;
};

struct op {
    enum op_kind kind;
    bool ok;
    bool given_up;      /* out, when not ok: the crew is to end, and this would have had to wait; there is no error */
    GError *error;      /* out, when not ok; the worker takes it */
    int64_t now_ms;     /* out: wall time when it was done */
    int64_t elapsed_us; /* out */
    union {
        struct {
            uint32_t stage;
            bool anew; /* the partition that the worker has, in a new lane */
            uint32_t part;
            struct grant ret;
            struct arena *mem;
        } grant;
        struct {
            struct lane lane;
            struct fence ret;
            struct arena *mem;
            bool sent;
        } lane;
        struct {
            uint32_t part;
            struct undo_position from;
            struct undo_tail ret;
            struct arena *mem;
        } tail;
        struct {
            struct quarantine_mark mark;
        } cut;
        struct {
            const struct part_row *part;
            struct slice cursor;
        } open;
        struct op_scan scan;
        struct {
            struct record *io;
            size_t n;
            struct arena *mem;
            bool small;   /* LOOK: as struct call has it */
            bool unmoved; /* out, LOOK: nothing was changed since the batch was scanned, and nothing read */
        } read;           /* READ and LOOK */
        struct {
            struct tally tally; /* what its checkpoint would count: records read, written, deleted … */
            uint64_t bytes_read, bytes_written;
            bool least;                /* … and no smaller batch is possible */
            bool must;                 /* some of it is written: it is finished, whatever is left */
            enum budget_answer answer; /* out. LATER: ask again; SPENT: never, of a batch that is not smaller */
        } room;
        struct {
            struct undo_batch batch;
            struct undo_position ret;
        } log;
        struct {
            struct lane lane;
            struct cas_op *ops;
            size_t n;
            struct arena *mem;
        } cas;
        struct {
            struct fence_id id;
            struct fence ret;
            struct arena *mem;
        } fence;
        struct {
            const struct undo_outcome *outcomes;
            size_t n;
        } outcome;
        struct {
            struct quarantine_batch refused, notes;
        } refuse;
        struct {
            struct sink_file file;
            const struct record *records;
            size_t n;
        } sink; /* SINK and PUBLISH */
        struct standing_wish stands;
        struct {
            struct arena *mem;
            struct witness witness;
            const char *conditions; /* out: the checkpoint's (run/again.h); NULL: none */
        } settle;
        struct {
            struct checkpoint row; /* out: split_at, where it was split */
            uint64_t may_split_at; /* 0: nowhere */
            bool asked;
        } checkpoint;
        struct {
            enum idle_answer answer; /* out */
        } idle;
        struct {
            int64_t us;
        } wait;
    };
};
