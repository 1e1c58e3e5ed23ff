/* What this process knows of the fences of a cluster's runs, and the protocol by which it is true
 * (docs/drivers/valkey.md, "Numbered writes on a cluster", which has the argument).
 *
 * A fence lies in *places*: one on a standalone server, one per hash slot on a cluster. Whoever goes on with a run
 * takes every place over, under an epoch of its own, and reads what is marked there; from then on nobody else's writes
 * take effect, and the memory of this process is what the places hold.
 *
 * One `struct fences` a store, shared by its sessions. One lock guards all of it (rank: leaf); no I/O under it. Runs
 * and partitions live as long as the store, so that pointers to them may be kept across I/O. */
#pragma once

#include <pthread.h>

#include "base/lock.h"
#include "store/fence.h"
#include "store/valkey/marks.h"
#include "store/valkey/resp.h"
#include "store/valkey/slot.h"

/* Marks of a partition in a place, that may be pruned once the partition's record has them: `event` tells when. */
struct fence_field {
    uint32_t part, lane, count;
    uint64_t event, tick; /* of the run: when it was last added to */
};

struct fence_place {
    uint64_t epoch; /* under which this process may write here; 0: none */
    GArray *fields; /* of struct fence_field; NULL: none */
    bool pruning;   /* a call that prunes some of them is under way */
    bool untold; /* a take of it has failed: of a higher epoch of ours nobody knows whether it may be written under */
    unsigned trials; /* so many threads are taking it, and have yet to hear that it is theirs */
};

/* A write that may be under way although nobody waits for it any more. */
struct fence_unknown {
    uint32_t part, place;
    uint64_t number, epoch; /* that it was sent with: it is dead once the place has a higher one */
};

/* A call that is under way in a lane, and where. */
struct fence_flight {
    uint32_t *places;
    size_t n;
};

struct fence_part {
    uint32_t part;
    struct fence_state *state; /* what was applied; its base is what a place may forget */
    uint64_t born;             /* the epoch under which the run opened its first lane; 0: not known */
    uint32_t partial;          /* lanes up to this one may have lost marks */
    bool known;                /* the store has a fence of it */
    bool homed;                /* the place of its record stands fast: … */
    uint32_t home;             /* … this one */
    bool stale;                /* a server was replaced: what is known may be gone there */
    bool busy;                 /* a lane is being opened or closed */
    bool recording;            /* its record is being written by a cas */
    bool record_unknown;       /* a record may be under way although nobody waits for it */
    uint64_t asked;            /* the base that callers gave the open lane */
    uint64_t settled, highest; /* of the open lane: numbers up to it outlive a server; the highest applied */
    size_t unsettled;          /* numbers applied that no session has settled */
    uint64_t events, durable;  /* marks so far; those that a durable record has */
    GByteArray *kept;          /* the record with all that was settled, when nothing else was marked; NULL: none … */
    uint64_t kept_event;       /* … and the marks that it has */
    GPtrArray *flights;        /* of struct fence_flight, borrowed */
};

struct fence_run {
    uint8_t uid[16];
    char hex[33];
    bool held;       /* this process has taken it over */
    bool superseded; /* and another one since */
    bool taking;     /* a thread is taking it over: others wait */
    unsigned trials; /* so many are taking all places, and have yet to hear that the dataset is still this run's */
    uint64_t epoch;  /* the newest that this process has chosen, and may write under */
    uint64_t tick;   /* counts what is noted of places; above it which takeover it was under */
    struct fence_place *places;
    GHashTable *parts;           /* part → struct fence_part */
    GArray *unknown;             /* of struct fence_unknown */
    struct fence_intake *looked; /* what a look without taking over has read; NULL: none */
    int64_t looked_us;
};

struct fences {
    const struct world *world;
    size_t places;
    char holder[17]; /* of this opening of the store: 16 hex digits */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    GHashTable *runs;
    GPtrArray *dropped; /* runs, kept for those who may still point at them */
};

struct fences *fences_new(const struct world *world, size_t places);
void fences_free(struct fences *fences);
AUTO_DEFINE(fences, fences_free)

/* The functions below want the lock held, and do no I/O. */

/* A server is another one than before: what is known of partitions may be gone there, and is read anew. */
void fences_suspect(struct fences *fences);

struct fence_run *fences_run(struct fences *fences, const uint8_t uid[16]); /* made where there is none */
void fences_drop(struct fences *fences, struct fence_run *run);
struct fence_part *fence_run_part(struct fence_run *run, uint32_t part);
struct fence_part *fence_run_find(const struct fence_run *run, uint32_t part); /* NULL: nothing is known of it */

/* The home of a partition's record is where it was found; where there was none it is what whoever opens its first lane
 * chooses, and where nobody does (or before there was a choice) the place of its number. */
uint32_t fence_home(const struct fences *fences, uint32_t part);                /* the last of these */
void fence_part_choose(struct fence_part *part, uint32_t home);                 /* no matter where it has one */
uint32_t fence_part_home(const struct fences *fences, struct fence_part *part); /* and that stands from then on */
/* The record's field. One that does not lie in the place of its number has another name, by which a program that would
 * look for it there alone refuses the fence. */
#define FENCE_FIELD_BYTES 16
void fence_record_field(const struct fences *fences, uint32_t part, uint32_t home, char into[FENCE_FIELD_BYTES]);
bool fence_is_record(struct slice field);
/* The fence's key in a place; `into` is emptied before. */
void fence_key(const struct fences *fences, const struct fence_run *run, uint32_t place, GString *into);

/* The epoch as it stands in the fence: NUMBER-HOLDER. Numbers of a takeover are multiples of FENCE_EPOCH_STEP; between
 * them are those of single places. */
#define FENCE_EPOCH_STEP  (UINT64_C(1) << 20)
#define FENCE_EPOCH_BYTES 40
void fence_epoch_put(const struct fences *fences, uint64_t epoch, char into[FENCE_EPOCH_BYTES]);
/* The number, and whether the holder is this opening of the store. */
uint64_t fence_epoch_read(const struct fences *fences, struct slice text, bool *ret_ours);

/* A moment of the run: under which takeover, and how much was noted since. As text, 16 hex digits, moments have the
 * order of bytes. */
#define FENCE_TICK_SHIFT 40
#define FENCE_TICK_BYTES 17
uint64_t fence_tick_of(uint64_t epoch);
void fence_tick_put(uint64_t tick, char into[FENCE_TICK_BYTES]);
bool fence_tick_read(struct slice text, uint64_t *ret);
/* A field that holds no marks: a witness (history.c), and up to which moment a place's marks were pruned. */
bool fence_is_witness(struct slice field, uint32_t *ret_part);

/* NULL: none is. Valid until another is opened. */
struct lane_state *fence_part_open(const struct fence_part *part);
/* Cuts from the marks of the open lane what its caller has asked for and no failover can undo. */
void fence_part_rebase(struct fence_part *part);
/* A number of a lane was applied; then in which place. seen->count 0: one more there, else what the field says. */
void fence_mark(struct fence_part *part, uint32_t lane, uint64_t number);
void fence_note(struct fence_run *run, const struct fence_part *part, uint32_t place, const struct fence_field *seen);
/* The fields of a place that its fence may lose, other than `but`'s, a few of them; appended. */
void fence_prunable(const struct fence_run *run, uint32_t place, uint32_t but, GArray *into);
void fence_pruned(struct fence_run *run, uint32_t place, const struct fence_field *field);

/* The fence as callers see it, in the arena. `asked`: with the base that callers gave, else with what places forget. */
bool fence_part_view(const struct fence_part *part, bool asked, struct arena *mem, struct fence *ret, GError **error);

/* What stands once `lane` is open and no other; NULL with BEHIND. Then it takes that. */
struct fence_state *fence_part_opened(const struct fence_part *part, const struct lane *lane, GError **error);
void fence_part_take(struct fence_part *part, struct fence_state *state);

/* All that is marked is settled: the record may have it. Another server than a write's keeps the record, and must not
 * tell of a write that is lost with its own. */
void fence_part_keep(struct fence_part *part);

/* The record: born:u64, then what fence_state_encode() gives. */
void fence_record_put(const struct fence_part *part, const struct fence_state *state, GByteArray *into);

/* --- what was read from places ------------------------------------------------------------------------------------ */

struct fence_intake;
struct fence_intake *fence_intake_new(void);
void fence_intake_free(struct fence_intake *intake);
AUTO_DEFINE(fence_intake, fence_intake_free)
/* The fields of a place, as HGETALL gives them. CORRUPT. */
bool fence_intake_add(struct fence_intake *intake, uint32_t place, const struct reply *fields, GError **error);
void fence_intake_parts(const struct fence_intake *intake, GArray *into); /* of uint32_t */
/* The partition is what was read, and nothing else: of all places. Of several records the one with the highest lane
 * counts; where it lies is its home. */
bool fence_intake_adopt(const struct fence_intake *intake, struct fence_part *part, GError **error);
/* Marks that were read in some places are added to what is known of their partitions. */
bool fence_intake_merge(const struct fence_intake *intake, struct fence_run *run, GError **error);
/* Which fields stand where, of a partition that was adopted. */
void fence_intake_note(const struct fence_intake *intake, struct fence_run *run, struct fence_part *part);
