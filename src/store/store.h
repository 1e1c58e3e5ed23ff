/* The driver contract: how sluice reads and writes a store.
 *
 * A driver holds protocol only. Retry, batching, pacing, buffering, counting and credentials are done once, by those
 * who call it. **A capability is a non-NULL pointer** in the driver's table; there is no second list. Operations take
 * arrays and answer per key; what they return lives in the caller's arena (call->mem) until the caller resets it; every
 * call has a deadline and can be cancelled. Callers use the store_…() functions of store/calls.h, in which capability
 * checks, counters and fault points live once; only they call through the table.
 *
 * Threads: a `struct store` is opened once per process and identity and shared; a `struct session` belongs to one
 * thread at a time. The conformance suite (tests/conformance) says what every driver must do; docs/drivers.md how to
 * add one. */
#pragma once

#include <stdatomic.h>

#include "base/world.h"
#include "record/digest.h"
#include "record/document.h"
#include "record/key.h"

struct store;
struct store_only;
struct session;
struct scan;
struct store_driver;

/* --- what a user names ------------------------------------------------------------------------------------------- */

enum dataset_form { FORM_DEFAULT, FORM_HASH, FORM_JSON, FORM_RAW, FORM_BSON };

/* A dataset of a store as a spec names it; frozen, shared by all threads for as long as the run. */
struct dataset {
    const char *name;            /* a glob for files, a column family for rocksdb, … */
    enum dataset_form form;      /* `as:` */
    const struct key_paths *key; /* NULL: the store's own keys (a keyed store as a source) */
    /* A value that is too big to be held whole comes as bytes that stand for it (struct big_ops) and is copied in
     * pieces; else it is RECORD_FAULT, TOO_BIG. */
    bool in_pieces;
    /* Of a source: the part of it that is meant (store/only.h); it outlives the scans. NULL: all. */
    const struct store_only *only;
    /* The dataset with the shadow of a run (its 16 bytes) over it: struct shadow_ops. NULL: as it is. Borrowed. */
    const uint8_t *shadow;
};

struct store_config {
    const char *uri;      /* secrets already replaced; never logged */
    const char *base_dir; /* what a relative path is relative to: the spec's folder */
    bool read_only;       /* opened for reading only: nothing is created, nothing is written */
    /* The table through which it is opened, filled in by store_open(): a driver made by a test (mem, fault, remote)
     * finds what it was made with around it. */
    const struct store_driver *driver;
};

/* One call of a driver: by when, unless given up, on which dataset, and where the answer lives. */
struct call {
    int64_t deadline_us;       /* world's monotonic clock; 0: none */
    const atomic_bool *cancel; /* NULL: cannot be cancelled */
    /* Somebody asks for an end: what would have to wait for its pace, or lasts for long, is not sent, and the call ends
     * as CANCELLED when what was sent is answered. What a cas left out is CAS_NOT_SENT. NULL: nobody will. */
    const atomic_bool *stop;
    const struct dataset *ds;
    struct arena *mem;
    /* store_read(): each of these records was small a moment ago, so that a driver need not ask for its size first. */
    bool small;
    /* store_read(): who asks wants values to compare. The etag, or the expiry and with it the etag, need not be found
     * out; they may be left empty. */
    bool no_etag, no_expiry;
    /* Of a cas: who reads the values that bytes stand for, under the same keys, through the same driver; NULL: nobody.
     */
    struct session *from;
    /* Of a cas on the dataset itself: the value of each put stands in this run's shadow of the key as well. A driver
     * may move it from there instead of sending it, where it still is what the op says. NULL: nothing is said. */
    const uint8_t *promotes;
};

/* Whether the call may go on: TIMED_OUT past its deadline, CANCELLED when given up. The wrappers of calls.h ask once
 * before the driver is called; a driver asks again wherever it could be at work for long. */
bool call_goes_on(const struct call *call, const struct world *world, GError **error) must_use;

/* --- records ----------------------------------------------------------------------------------------------------- */

/* By which the driver can tell whether a record has changed since: type, value and exact expiry, taken in one atomic
 * step. Good for one compare-and-set against the same store; nothing else. */
struct etag {
    uint8_t len; /* 0: absent */
    uint8_t bytes[32];
};

/* Where a record of a file came from, for messages and the quarantine. */
struct origin {
    const char *file; /* NULL for a keyed store */
    uint64_t line;    /* from 1 */
    uint64_t offset;  /* byte offset in the uncompressed data */
    uint32_t column;  /* from 1; 0: not known */
};

/* Why one record cannot be read or written; the others of its batch can. */
struct fault {
    enum error_code code; /* of class ERROR_RECORD */
    const char *text;
};

enum presence { RECORD_ABSENT, RECORD_PRESENT, RECORD_FAULT };

/* A record as it stands in a store: an image. `raw` is the driver's own bytes in sorted form: equal raw, equal record.
 * expires_at_ms is absolute UTC, EXPIRES_NEVER (0) without. A record whose expiry has passed is RECORD_ABSENT. Of a
 * RECORD_FAULT that has no key yet (it could not be parsed, or no key made of it) raw is what was read, or its
 * beginning: what the quarantine shows. */
struct record {
    struct slice key;
    struct slice raw;
    struct etag etag;
    int64_t expires_at_ms;
    enum presence presence;
    struct fault fault; /* RECORD_FAULT only */
    struct origin at;
};

struct batch {
    struct record *records; /* in the arena */
    size_t n;
    uint64_t bytes;      /* read from the store for it */
    struct slice cursor; /* where scan_open() goes on after this batch; opaque, durable meaning. A keyed store's holds a
                          * key: never more than 8 bytes longer than the longest key, 64 bytes where keys are made */
    bool done;           /* nothing follows in this part */
};

/* --- splitting and scanning -------------------------------------------------------------------------------------- */

/* A fixed slice of a dataset. `bounds` is the driver's own and has a durable meaning (it is frozen in the plan). */
struct part_bounds {
    struct slice bounds;
    uint64_t records, bytes; /* estimates, except where the driver counts exactly */
};

struct part_list {
    GArray *parts; /* of struct part_bounds, slices in `mem` */
    struct arena *mem;
};

struct split_wish {
    uint64_t records_each; /* about; 0: see count */
    uint32_t count;
    bool rough; /* with a count: without reading the dataset; parts of any size, one too, and how much each holds may be
                   left out */
};

struct scan_spec {
    const struct dataset *ds;
    struct slice bounds; /* of one part; empty: the whole dataset */
    struct slice cursor; /* empty: from the beginning */
    size_t max_records;  /* of one batch */
    size_t max_bytes;
    bool keys_only;  /* raw, etag and expiry may be left empty; the listing needs keys only */
    bool bytes_only; /* the etag may be left empty, and whether raw is a document need not be found out: digests */
};

/* Who takes the records of a scan where they lie. What a record refers to lasts until take() returns, which calls no
 * store. false: it wants no further one; the call ends well, and the scan is only closed. */
struct scan_taker {
    bool (*take)(void *self, const struct record *record);
    void *self;
};

/* --- writing ------------------------------------------------------------------------------------------------------ */

enum cas_outcome {
    CAS_NOT_SENT, /* nothing happened */
    CAS_WRITTEN,  /* this call wrote it */
    CAS_CHANGED,  /* the etag does not hold; `live` is the image that stands; the number's bit stays clear */
    CAS_DONE,     /* this very number was written before, or is settled: at or below the lane's base */
    CAS_FENCED,   /* the lane is closed, or the store knows no such lane */
    CAS_REFUSED,  /* the store refuses this record: `fault` */
    CAS_UNKNOWN,  /* perhaps written, perhaps not: ask the fence */
};

enum cas_verb { CAS_PUT, CAS_DELETE };

/* One numbered write. `etag.len == 0` means: only where the key is absent (a delete then has nothing to do, and is
 * CAS_WRITTEN with its mark). Key and raw are borrowed for the call. */
struct cas_op {
    struct slice key, raw;
    struct etag etag;
    int64_t expires_at_ms;
    uint64_t number; /* from 1, dense within a lane */
    enum cas_verb verb;
    enum cas_outcome outcome; /* valid whatever the call returned */
    struct record live;       /* CAS_CHANGED */
    struct fault fault;       /* CAS_REFUSED */
};

/* Which fence: one per run and partition. The run is named by its 16 random bytes, not by its NAME.N, which two homes
 * may both have given. */
struct fence_id {
    uint8_t run[16];
    uint32_t part;
};

struct lane {
    struct fence_id fence;
    uint32_t lane; /* from 1, growing with every grant of the partition */
    uint64_t base; /* every number up to it is settled elsewhere (its undo outcome is durable): the fence forgets it */
    /* To open it: a key of the partition, near whose record the store may keep what it has to say of the lane; empty:
     * none is known, or they are all over the store. Borrowed for the call. A hint: whoever opens the next lane may
     * give another one. */
    struct slice near;
};

/* One lane of a fence as it stands. Numbers up to base are forgotten (settled elsewhere); bit i of the bitmap tells
 * whether number base + 1 + i was applied. */
struct fence_lane {
    uint32_t lane;
    bool open;
    uint64_t base;
    struct slice bitmap; /* least significant bit first; numbers beyond it were not applied */
    bool partial;        /* marks of it were lost: of a number that is not marked nobody knows */
};

struct fence {
    bool present; /* false: the store knows no fence of this id (never opened, dropped, or lost) */
    struct fence_lane *lanes;
    size_t n;
    uint32_t highest; /* the highest lane ever opened */
};

/* Whether `number` of the lane was applied, for a number above base. */
bool fence_lane_applied(const struct fence_lane *lane, uint64_t number);

/* Who holds the right to write a dataset; kept in the store, so that a second home on another machine is refused too.
 */
struct store_lock {
    uint8_t run_uid[16];
    const char *run, *host, *home; /* of the holder; filled in (arena) when the lock is someone else's */
    uint8_t over_uid[16];          /* of a run whose lock is nobody's any more, and is taken over; zeros: none */
};

struct write_ops {
    /* All operations, each on its own or together, atomically with their marks in the fence. Returns false only when
     * the call as a whole failed; outcomes are valid either way. No two ops of one call have the same key. */
    bool (*cas)(struct session *, const struct call *, const struct lane *, struct cas_op *ops, size_t n, GError **);
    /* Makes every acknowledged write of this session as durable as the store can. UNSETTLED: some of them may be lost
     * (a server was replaced between the write and this); only the fences tell which, so that the caller takes its
     * partitions in a new lane. */
    bool (*settle)(struct session *, const struct call *, GError **);
    /* Closes every lower lane of the fence and opens `lane->lane`, atomically; *ret_before is the fence as it stood.
     * A lane not above `highest` is SLUICE_ERROR_BEHIND (the catalog is older than the store): after a lost reply it is
     * therefore never sent again; fence_read tells whether it took effect, and a new grant opens the next lane. */
    bool (*lane_open)(struct session *, const struct call *, const struct lane *, struct fence *ret_before, GError **);
    /* What it says stays true: a cas of this process whose answer was lost is marked, or will never be applied. */
    bool (*fence_read)(struct session *, const struct call *, const struct fence_id *, struct fence *ret, GError **);
    /* Removes all fences of a run that is over. Safe to repeat. */
    bool (*fence_drop)(struct session *, const struct call *, const uint8_t run[16], GError **);
    /* Takes the dataset's lock for the run, or (held by another run) returns false with SLUICE_ERROR_LOCKED and fills
     * in *io with the holder. Already this run's: fine; io->over_uid's: it is taken over from that run alone.
     * `force` takes it from whoever has it. */
    bool (*lock)(struct session *, const struct call *, struct store_lock *io, bool force, GError **);
    bool (*unlock)(struct session *, const struct call *, const uint8_t run_uid[16], GError **);
    /* What is left of a run that is over, where its fences were: opaque bytes, which a home from before its end finds.
     * A later mark takes the place of an earlier one. Both NULL: the store keeps none. */
    bool (*end_mark)(struct session *, const struct call *, const uint8_t run_uid[16], struct slice mark, GError **);
    /* In the call's memory; empty: there is none (any more). Also in a store opened for reading only. */
    bool (*end_read)(struct session *, const struct call *, const uint8_t run_uid[16], struct slice *ret, GError **);
    /* Who holds the dataset's lock, without taking it; also in a store opened for reading only. NULL: cannot be asked.
     */
    bool (*lock_read)(struct session *, const struct call *, struct store_lock *ret, bool *ret_held, GError **);
};

/* Append-only targets: a part file per partition and checkpoint, written aside, made durable, then renamed. All that is
 * there before the checkpoint: after a death a file without one is replaced by what the same batch gives again. */
struct sink_file {
    struct fence_id id;
    uint64_t number; /* of the checkpoint that will name it */
};

struct sink_ops {
    /* Writes and fsyncs the hidden file of (run, part, number); an older one of that name is replaced. No records: none
     * is written, and one of that name that a dead holder left goes, hidden or published. */
    bool (*write_durable)(struct session *, const struct call *, const struct sink_file *, const struct record *records,
                          size_t n, GError **);
    /* Renames it into place, over one of that name, and fsyncs the directory; safe to repeat. */
    bool (*publish_durable)(struct session *, const struct call *, const struct sink_file *, GError **);
    /* Appends the published files of the run, each a struct sink_file, ascending by partition and number. What holds
     * no more than these names is bounded by the run's checkpoints, not by its records. None there is no error. */
    bool (*published)(struct session *, const struct call *, const uint8_t run[16], GArray *into, GError **);
    /* The bounds by which scan_open() reads a published file as it stands now; in call->mem. */
    bool (*bounds)(struct session *, const struct call *, const struct sink_file *, struct slice *ret, GError **);
    /* Removes every file, hidden or not, of the run: rollback. Safe to repeat. */
    bool (*drop)(struct session *, const struct call *, const uint8_t run[16], GError **);
};

/* Where a scan cannot be repeated exactly, a partition's keys are listed first (listing/ordered.h). */
struct list_ops {
    /* A keys_only scan of the whole dataset gives keys sorted and without duplicates. false: in any order, a key more
     * than once where the store cannot tell, and each that was there from the beginning to the end at least once. */
    bool sorted;
    /* By what keys are listed before they are listed bytewise, so that neighbours are records that the store takes
     * together. Pure; of any keys, also of such as the dataset cannot have. NULL: by nothing. */
    bool (*rank)(const struct dataset *, const struct slice *keys, size_t n, uint16_t *ret, GError **);
};

/* Stores whose keys lie in numbered slots. */
struct slot_ops {
    uint32_t count;
    /* The slot of a record's key. */
    bool (*of)(struct session *, const struct dataset *, struct slice key, uint32_t *ret, GError **);
    /* The server that has the slot, as the store knows it now, asking nobody: host:port, in call->mem; NULL: all slots
     * are one server's, or nobody's. */
    bool (*server)(struct session *, const struct call *, uint32_t slot, const char **ret, GError **);
};

/* Where servers may lose what was settled: one without replica and file that is killed, a replica that was not in step
 * and is promoted, a restored backup. What a server loses is the end of its history, and nothing before it. So behind
 * the writes that a checkpoint counts a **witness** is put on every server; while it stands nothing of them is lost. */
struct witness {
    struct fence_id fence;
    uint32_t lane;
    uint64_t number; /* all that the lane wrote up to it */
    bool everywhere; /* on every server; else on those that the session has written on since it last settled */
    /* Before a partition's first lane (`lane` is 0): a key of it. Nothing of it was ever written, so that of other
     * servers than that key's it is enough what is known of them already. Empty: all are asked. */
    struct slice near;
};

enum standing {
    STANDING_YES,
    STANDING_NO,      /* the fence says that it is not applied, or no more */
    STANDING_UNKNOWN, /* the fence is lost, and nobody knows */
};
struct standing_look {
    struct slice key;
    uint32_t lane;
    uint64_t number;
    enum standing ret;
};
struct standing_wish {
    struct fence_id fence;
    const char *where; /* what `holds` said, several times with a `;` between them */
    struct standing_look *io;
    size_t n;
};

/* Who has the data, as a look has found it. */
struct history;

struct history_ops {
    /* Which servers have the data, with which history and how much of it: a line of text in call->mem. UNSETTLED where
     * they are not those of `was`, an earlier line (empty: any are fine). Then, where it has a lane, the witness is put
     * where it belongs, also where slots were given to other servers since `was`; store_settle() makes it last. */
    bool (*note)(struct session *, const struct call *, const struct witness *, struct slice was, const char **ret,
                 GError **);
    /* Who has the data now, and which witnesses of the run stand there. */
    bool (*look)(struct session *, const struct call *, const uint8_t run[16], struct history **ret, GError **);
    void (*free)(struct history *);
    /* Is all there that was settled under the line `was`, with its witness? *ret_where NULL: it is; else where it may
     * not be, in words of the driver (for `stands`), in `mem`; false: that is full. Of all lines that there are each is
     * asked twice: what one of them shows counts for the others. Pure. */
    bool (*holds)(struct history *, struct slice was, const struct witness *, struct arena *mem,
                  const char **ret_where);
    /* Which of the writes stand; all do of which `where` says nothing. */
    bool (*stands)(struct session *, const struct call *, const struct standing_wish *, GError **);
};

/* Values too big to be held whole. In their place stand a few bytes: type, size and a digest of the whole content, so
 * that equal bytes still are equal values, in whichever store. Of such a value no pre-image can be logged: who has not
 * written it himself does not overwrite it. A cas with such bytes fetches the value in pieces from call->from, puts it
 * together out of sight, and in its place at once; where it is not what the bytes say any more, the op is CAS_REFUSED.
 */
struct big_ops {
    bool (*stands_for)(struct slice raw); /* whether the bytes stand for a value; pure */
    /* Whether the dataset's records are copies as they are, by its form or, where none is given, by its name; pure. */
    bool (*copies)(const struct dataset *ds);
};

/* A place beside a dataset in which a run writes unseen: no dataset's pattern matches what lies there, and no scan
 * gives it. A dataset that names a run (`shadow`) is read and written **by key** with its shadow over it, and nothing
 * else is done to it:
 *
 *   read  gives the shadow's record of a key where there is one (a deletion: absent), else the live one. A record of
 * the shadow does not expire: it is there with whatever expiry it has, which promotion looks at. cas   asks the same of
 * etags, and writes to the shadow alone: a put makes, or replaces, the shadow's record; a delete puts a deletion in its
 * place. So whoever gave the live record's etag knows that this very record stood there at the moment at which the
 * shadow's was first made.
 *
 * Lanes, numbers and fences are the run's own, as ever. docs/shadow.md */
struct shadow_ops {
    /* REFUSED where the store may drop records of a shadow by itself, NOT_PERMITTED where a right is missing: by name,
     * before anything is written. NULL: neither can be. */
    bool (*check)(struct session *, const struct call *, GError **);
    /* Removes all of the run's shadow of the dataset. Safe to repeat. */
    bool (*drop)(struct session *, const struct call *, const uint8_t run[16], GError **);
    /* By how much the store may change a record's expiry by itself while nobody writes it, in ms: where a record moves
     * to another server, which is told what is left of it. 0: not at all. */
    int64_t drift_ms;
};

/* --- what a store says of itself ---------------------------------------------------------------------------------- */

struct store_info {
    const char *identity; /* of the store itself, not of its URI: the same for every way to reach it */
    const char *run_id;   /* changes when the server process does; NULL where that means nothing */
    const char *version;
    int64_t clock_ms;        /* the server's own, or the world's */
    uint64_t records, bytes; /* of the dataset, estimated; 0 when unknown */
    const char *topology;    /* changes when other servers have the dataset's data than before; NULL: there are none */
    int64_t writer_pid;      /* another process that alone may write the store, as long as it lives; 0: none is known */
    bool dataset_present;
    bool keyed; /* records have keys of the store's own; false: the key is made from the document */
};

/* What a look at a store's servers found that whoever runs a backfill should know before. */
enum remark_level { REMARK_OK, REMARK_WARN, REMARK_FAIL /* a run would be refused, or could not keep its promises */ };
struct store_remark {
    enum remark_level level;
    const char *text, *todo; /* in call->mem; todo NULL: nothing is to be done */
};

/* How one server of a store feels at a moment; -1: it does not say. */
struct node_health {
    const char *node;      /* in call->mem */
    int64_t round_trip_us; /* of the smallest request */
    int64_t ops_per_s, clients, clients_limit;
    int64_t queued_bytes;                     /* that wait for clients: their requests, and the answers to them */
    int64_t memory_bytes, memory_limit_bytes; /* limit 0: none */
    int64_t data_bytes;      /* what its records take: its memory, of a database its live data, as far as it knows */
    int64_t keys;            /* of the database that the store is; not where they are only estimated */
    int64_t evicts;          /* 1: any key may go when memory is full, sluice's own too */
    int64_t evicts_expiring; /* 1: then those may go that are to expire */
    int64_t evicted;         /* keys, since the server was started */
    int64_t expired_ppm;     /* keys that have expired and are still there, in a million, estimated */
    int64_t replicas;        /* connected and in step */
    int64_t lag_bytes;       /* of the replica that is farthest behind; none there: -1 */
    int64_t lag_ms;          /* … by the server's wall clock; NODE_LAG_UNTOLD: that went back since it answered */
    const char *slowest;     /* that replica, as `host:port`, in call->mem; NULL: not told */
    int64_t saving;          /* 1: it saves itself, or rewrites its log, beside its work */
    int64_t cpu_us;          /* that what executes commands has used since the server was started */
    int64_t slow_calls;      /* in its log of slow calls */
    int64_t clock_ms;
    int64_t stalled;          /* 1: it holds writes back, because compaction has fallen behind */
    int64_t compaction_bytes; /* that wait to be compacted */
};
#define NODE_LAG_UNTOLD INT64_C(-2)
#define NODE_HEALTH_UNKNOWN                                                                                            \
    ((struct node_health){.round_trip_us = -1,                                                                         \
                          .ops_per_s = -1,                                                                             \
                          .clients = -1,                                                                               \
                          .clients_limit = -1,                                                                         \
                          .queued_bytes = -1,                                                                          \
                          .memory_bytes = -1,                                                                          \
                          .memory_limit_bytes = -1,                                                                    \
                          .data_bytes = -1,                                                                            \
                          .keys = -1,                                                                                  \
                          .evicts = -1,                                                                                \
                          .evicts_expiring = -1,                                                                       \
                          .evicted = -1,                                                                               \
                          .expired_ppm = -1,                                                                           \
                          .replicas = -1,                                                                              \
                          .lag_bytes = -1,                                                                             \
                          .lag_ms = -1,                                                                                \
                          .saving = -1,                                                                                \
                          .cpu_us = -1,                                                                                \
                          .slow_calls = -1,                                                                            \
                          .clock_ms = -1,                                                                              \
                          .stalled = -1,                                                                               \
                          .compaction_bytes = -1})

struct pace;

/* What live requests to a store feel, and that a run's own requests wait for it (pace/servers.h). */
struct live_probe;
struct probe_ops {
    /* From its next call on every session's requests to a server go as the pace lets them, small ones at a time; NULL:
     * as fast as they may. It outlives them. */
    void (*set_pace)(struct store *, struct pace *);
    bool (*open)(struct live_probe **ret, struct store *, struct pace *, GError **);
    /* Until the call's deadline: does what a client does, a read and a write by turns, on a key of its own on every
     * server that takes writes (a store opened for reading is only read), through connections of its own, as often as
     * pace_probe_us() says whatever is answered, and tells the pace what it feels. A server that does not answer is
     * felt no more; which ones there are is asked when it seems to have changed. Errors: what will not pass, such as a
     * missing right. */
    bool (*run)(struct live_probe *, const struct call *, GError **);
    void (*close)(struct live_probe *);
};

/* What a store says of a record's use: the more, the hotter. */
struct heat {
    bool known;
    double value;
};
struct heat_wish {
    const struct slice *keys;
    size_t n;
    struct heat *ret;   /* of each key */
    const char *figure; /* what the values are, for people; static */
};

/* --- records that hold members ------------------------------------------------------------------------------------ */

/* Of a set or a sorted set. */
struct member {
    struct slice name;
    bool scored;
    double score;
};

struct member_page {
    struct member *members; /* in the arena; one may come more than once */
    size_t n;
    bool done;
    bool anew;         /* they come again from the first one on: the record has moved, or its server was replaced */
    const char *found; /* done, and the record is one that holds no members: what it is, in the arena; NULL */
};

/* Whether a record holds a member. */
struct member_question {
    struct slice key, name;
    bool sorted; /* it is asked for as of a sorted set first */
    bool stands, scored;
    double score;
    const char *found; /* as above, or why there can be no such record */
};

struct member_walk;
struct member_ops {
    /* All members of a record, a bounded number at a time: each that is there from the beginning to the end comes. None
     * where there is no such record. */
    bool (*open)(struct member_walk **ret, struct session *, const struct dataset *, struct slice key, GError **);
    bool (*next)(struct member_walk *, const struct call *, struct member_page *ret, GError **);
    void (*close)(struct member_walk *);
    bool (*ask)(struct session *, const struct call *, struct member_question *io, size_t n, GError **);
    /* What stands in the way of both (struct store_remark, texts in call->mem), as far as it can be asked beforehand.
     */
    bool (*examine)(struct session *, const struct call *, GArray *into, GError **);
};

struct option_row {
    const char *name, *value_form, *words; /* of a URI's ?name=value */
};

struct store_driver {
    const char *name;
    const char *const *schemes; /* NULL-terminated; the URI's, without ':' */
    const char *words;          /* one line for `sluice stores` */
    const struct option_row *options;
    bool frozen; /* bounds of a partition hold a digest of what they cover: a scan gives just that, or says SOURCE_MOVED
                  */
    /* Whether a dataset can be one of this driver's: its name, its form, its key. Pure; SPEC says what not. NULL: any.
     */
    bool (*takes)(const struct dataset *, GError **error);
    /* Whether two datasets of one store may have a record in common. Pure. NULL: where they have the same name. */
    bool (*overlap)(const struct dataset *, const struct dataset *);
    /* What the URI leads to, as a text that is the same for every way to write it (a real path), found out before
     * anything is opened: two URIs of one place are one store of this process. NULL: the URI itself. The caller frees.
     */
    bool (*locate)(const struct store_config *, const struct world *, char **ret, GError **);
    bool (*open)(struct store **ret, const struct store_config *, const struct world *, GError **);
    void (*close)(struct store *);
    bool (*session_open)(struct session **ret, struct store *, GError **);
    void (*session_close)(struct session *);
    bool (*inspect)(struct session *, const struct call *, struct store_info *ret, GError **);
    /* Appends struct store_remark: versions, rights (each missing one by name), what stands in the way of a promise;
     * `writes`: for a target. Writes nothing. NULL: there is nothing to find out. */
    bool (*examine)(struct session *, const struct call *, bool writes, GArray *into, GError **);
    /* Appends a struct node_health for every server that takes writes. NULL: there are none. */
    bool (*health)(struct session *, const struct call *, GArray *into, GError **);
    /* Bytes that are the same at two times only if nothing of the dataset was changed between them, by whomever: no
     * record, no expiry, and none expired. In call->mem. Empty: it cannot tell just now. A small question to each
     * server, for who would else read many records once more. NULL: it can never tell. */
    bool (*moment)(struct session *, const struct call *, struct slice *ret, GError **);
    /* How often the store says that records are used; touches nothing. NULL: it keeps no such figures. */
    bool (*heat)(struct session *, const struct call *, struct heat_wish *io, GError **);
    /* raw ⇄ document; pure. decode may return a slice of raw itself. NULL, NULL: raw is BSON already. */
    bool (*decode)(const struct dataset *, struct slice raw, struct arena *, struct slice *ret, GError **);
    /* The canonical digest of what decode gives, without the document; pure. false: not of these bytes, which decode
     * tells about. NULL: of none. */
    bool (*digest)(const struct dataset *, struct slice raw, uint64_t seed, struct digest *ret);
    bool (*encode)(const struct dataset *, struct slice document, struct arena *, struct slice *ret, GError **);
    bool (*split)(struct session *, const struct call *, const struct split_wish *, struct part_list *into, GError **);
    bool (*scan_open)(struct scan **ret, struct session *, const struct scan_spec *, GError **);
    /* After a failure the scan is closed, and another one opened at the cursor of the last batch that came. */
    bool (*scan_next)(struct scan *, const struct call *, struct batch *ret, GError **);
    /* The same, but each record is handed to the taker in place of a copy of it: the batch has neither records nor a
     * cursor. A scan is read by one of the two. NULL: records do not lie still while a scan goes on. */
    bool (*scan_each)(struct scan *, const struct call *, const struct scan_taker *, struct batch *ret, GError **);
    void (*scan_close)(struct scan *);
    /* io[i].key is given; presence, raw, etag, expiry or fault come back. Keys sorted ascending read fastest. */
    bool (*read)(struct session *, const struct call *, struct record *io, size_t n, GError **);
    const struct write_ops *write;
    const struct sink_ops *sink;
    const struct list_ops *list;
    const struct slot_ops *slots;
    const struct history_ops *history; /* NULL: what is settled stays */
    const struct big_ops *big;
    const struct shadow_ops *shadow;
    const struct probe_ops *probe; /* NULL: it has no servers that others use */
    const struct member_ops *members;
};

/* What every driver's `struct store`, `struct session`, `struct scan` and `struct member_walk` begin with. The wrappers
 * of calls.h fill them in as soon as the driver has opened one; a driver may read them in every call but `open` and
 * `session_open`. */
struct store_base {
    const struct store_driver *driver;
    const struct world *world;
    const char *label; /* the URI without what may be secret in it: for messages */
    bool read_only;
};

struct store_counters {
    uint64_t calls, errors, busy_us; /* of every kind, and the time within them */
    uint64_t reads, records_read, bytes_read, cas_calls, cas_ops, settles;
    uint64_t fence_cpu_ns; /* of the processor, for fences within cas, where a driver counts it */
};

struct session_base {
    struct store *store;
    struct store_counters counters;
};

struct member_walk_base {
    struct session *session;
};

struct scan_base {
    struct session *session;
    const struct dataset *narrowed; /* the wrappers': a dataset of which only a part is meant; NULL: all of it */
};
