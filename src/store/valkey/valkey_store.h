/* What the files of the driver share. */
#pragma once

#include "base/few.h"
#include "base/lock.h"
#include "store/valkey/fence.h"
#include "store/valkey/form.h"
#include "store/valkey/list.h"
#include "store/valkey/script.h"
#include "store/valkey/valkey.h"

/* What is known of the largest thing that lives in any of the servers (ceiling.c). */
struct ceiling {
    pthread_mutex_t lock; /* a leaf; guards what follows */
    struct topology *of;  /* whose servers were asked; NULL: none were */
    int64_t until_us;     /* it counts no longer */
    uint64_t largest;     /* 0: it is not known, or so large that sizes are asked key by key */
    bool asking;
};
void ceiling_init(struct ceiling *ceiling);
void ceiling_done(struct ceiling *ceiling);

/* The lock that this opening of the store was given last: how long it stands, nobody else can tell. */
struct lock_mark {
    uint8_t run[16];
    char *name;      /* of the dataset; NULL: none was given */
    GByteArray *row; /* what stands there while it is ours */
    char *server;    /* the process that took it; empty: it does not say */
};
void lock_mark_done(struct lock_mark *mark);

struct valkey_store {
    struct store_base base;
    struct valkey_uri *uri;
    struct routes *routes;
    struct fences *fences;
    char *place;
    struct lock_mark locked; /* under the lock of `fences` */
    char *history;           /* the newest look at who has the data; under the lock of `fences`; NULL: none */
    bool cluster;
    struct few readers, writers; /* of the server, where there is one */
    struct ceiling ceiling;
};

/* router_run() of a batch's commands. A server that executes one after the other answers all batches late where all
 * workers ask at once, and they are at the other store, or at work themselves, all at once as well, while it has
 * nothing to do. Two at a time are enough for it to be at work. Not where a run is paced, nor of a few commands. */
enum { VALKEY_FEW = 2, VALKEY_MANY_COMMANDS = 16 };
bool valkey_run_of_few(struct session *session, const struct call *call, const struct route_wish *wish, struct few *few,
                       GError **error);

/* What a value may measure: what one command of a server takes, less its frame. */
#define VALKEY_RAW_BYTES (512u << 20)

/* A dataset as a session has met it. */
struct valkey_dataset {
    struct key_template *template;
    const struct form *form; /* NULL: none that there is here */
};

struct valkey_session {
    struct session_base base;
    struct router *router;
    GHashTable *datasets;           /* form and name → struct valkey_dataset */
    GHashTable *written;            /* struct fence_part → how many numbers of it are not settled */
    GArray *recorded;               /* of struct valkey_recorded: records written and not settled */
    GHashTable *due;                /* set of struct fence_part: settled since their record was written */
    bool lost;                      /* a server was replaced; settle has yet to say so */
    bool no_dump;                   /* a server does not permit DUMP: raw records are read in pieces */
    bool no_restore;                /* nor RESTORE: they are written in pieces */
    bool may_set;                   /* raw strings are written by SET, which is less work, */
    bool may_msetnx;                /* or several by one MSETNX, */
    bool may_together;              /* also outside of a script (together.c) */
    bool has_together;              /* whose script the server was given */
    uint32_t rests_together;        /* for so many batches it is not tried: something stood in the way */
    bool asked_dump, asked_restore; /* whether it does, it was asked */
    bool no_getrange;               /* a server does not permit GETRANGE */
    bool no_mget;                   /* nor MGET */
    uint32_t few_strings;           /* so many reads of raw records are not tried as strings */
    bool no_hrandfield;             /* nor HRANDFIELD */
    uint32_t few_hashes;            /* so many reads of hashes are not tried as those of few fields */
    uint32_t mortal;                /* for so many reads nobody asks whether any key of the server expires: some do */
    bool lingered;                  /* something was read in pieces, and took its time: a scan ends its batch */
    uint32_t builds;                /* values put together so far */
    struct form_work *work;
    struct arena *mem; /* of one call */
};

/* A record that has all marks up to an event. */
struct valkey_recorded {
    struct fence_part *part;
    uint64_t event;
};

static inline struct valkey_store *valkey_store_of(const struct session *session)
{
    return (struct valkey_store *)((const struct session_base *)session)->store;
}

static inline struct valkey_session *valkey_session_of(struct session *session)
{
    return (struct valkey_session *)session;
}

/* --- a run's shadow (shadow.c) -------------------------------------------------------------------------------------
 */

/* A record of it has no expiry that its server heeds: the one that it is to have is kept this far in the future, and
 * one exact moment says that it is a deletion. cas.lua has the same number. */
#define VALKEY_SHADOW_LATER_MS   (INT64_C(1) << 50)
#define VALKEY_SHADOW_DELETED_MS (INT64_C(1) << 49)

/* About that moment: a slot that moves takes along what is left of an expiry. */
bool valkey_shadow_is_deleted(int64_t expires_at_ms);
/* The key beside a server's key, in its slot; data NULL: `mem` is full. */
struct slice valkey_shadow_key(const struct valkey_store *store, const uint8_t run[16], struct slice server_key,
                               struct arena *mem);
/* An image that was read beside its record's key: expiry and etag as the contract has them. */
void valkey_shadow_image(struct record *io);
bool valkey_shadow_drop(struct session *, const struct call *, const uint8_t run[16], GError **);

/* SPEC where it is no pattern of keys. Lives as long as the session. */
bool valkey_dataset_of(struct session *session, const struct dataset *ds, const struct valkey_dataset **ret,
                       GError **error);
/* The same for who wants records: SPEC too where they are of a form that there is not here. */
bool valkey_records_of(struct session *session, const struct dataset *ds, const struct valkey_dataset **ret,
                       GError **error);
/* The place in which the fence of a server's key lies, and what a command says of where it goes. */
uint32_t valkey_place_of(const struct valkey_store *store, struct slice server_key);
/* That of a record's key, of call->ds; false: it is none of that, or empty. */
bool valkey_place_near(struct session *session, const struct call *call, struct slice near, uint32_t *ret);

/* Records that are to be read: where they stand in `io`. */
struct valkey_reads {
    struct record *io;
    const struct slice *keys; /* the servers' keys of io */
    size_t *asked;            /* places in io and keys, `n` of them */
    size_t n;
    size_t *apart; /* room for as many; what is read in pieces */
    size_t n_apart;
    bool small; /* of `asked`: several may be read in the time of one write */
};
/* What a string is as a raw record. */
static inline bool valkey_is_string(struct slice raw)
{
    return raw.len >= 2 && raw.data[0] == 'R' && raw.data[1] == 's';
}
/* Takes out of `asked` what need not or must not be read so: the absent, those that are read in pieces, and those whose
 * value is too big, which become faults that say so. (weigh.c) */
bool valkey_weigh(struct session *session, const struct call *call, struct valkey_reads *reads, GError **error);
/* How much of a server's memory a record takes at most that is read by one command. What takes more is a fault of the
 * record, or, of raw records, read in pieces. */
size_t valkey_most_bytes(const struct valkey_dataset *ds);
/* How many fields of a hash one command may ask for, with no need to ask for the size before: no more make a record too
 * big, by what all servers have said of themselves within two seconds. 0: it is not known. (ceiling.c) */
uint32_t valkey_fields_most(struct session *session, const struct call *call);
/* Whether all that lives there is known, in the same way, to be so small that one command may ask for 16. */
bool valkey_strings_are_small(struct session *session, const struct call *call);
/* What stands under a server's key and takes so much; into call->mem. */
bool valkey_image_of_large(struct session *session, const struct call *call, struct slice server_key, int64_t bytes,
                           struct record *io, GError **error);
/* Those, each with as much time as it takes. */
bool valkey_read_apart(struct session *session, const struct call *call, const struct valkey_reads *reads,
                       GError **error);

/* What a refusal of the server means: NOT_PERMITTED where its user lacks a right, else STORE. */
bool valkey_refused(const struct reply *reply, const char *what, GError **error);
/* Whether it is a script that was refused, or something within it: the server may not say what. */
bool valkey_is_right(const struct reply *reply);
/* Adds to such an error which rights are missing; returns false. Not from within an answer. */
bool valkey_name_right(struct session *session, const struct call *call, GError **error);

/* --- fences on the wire (take.c): one thread at a time takes a run over; no lock is held by the caller -------------
 */

/* Until this process holds the run: all places, every partition as it stands there. FENCED where another process has
 * taken it since this one did: only opening a lane takes it back (`again`). */
bool fence_take_run(struct session *session, const struct call *call, struct fence_run *run, bool again,
                    GError **error);
/* All places once more, for one partition that may have lost marks with a server. */
bool fence_take_part(struct session *session, const struct call *call, struct fence_run *run, struct fence_part *part,
                     GError **error);
/* Some places once more, with an epoch of their own: what was under way there will never take effect. FENCED too where
 * a fence was made anew in one of them, and the dataset's lock is no longer the run's. */
bool fence_take_places(struct session *session, const struct call *call, struct fence_run *run, const GArray *places,
                       GError **error);
/* All places, without taking anything. */
bool fence_look(struct session *session, const struct call *call, struct fence_run *run, struct fence_intake **ret,
                GError **error);
/* What stands where the home of a lane's partition is to be looked for: in the place of its number, and in that of the
 * key that it is near. */
struct fence_seen {
    uint32_t highest; /* lane of the partition's record; 0: none */
    uint64_t epoch;
};
bool fence_look_record(struct session *session, const struct call *call, struct fence_run *run, const struct lane *lane,
                       struct fence_seen *ret, GError **error);
/* Writes the partition's record as `state`. FENCED: the run is another's. */
bool fence_write_record(struct session *session, const struct call *call, struct fence_run *run,
                        struct fence_part *part, const struct fence_state *state, GError **error);
/* An answer { 3, epoch } of a script, sent with `sent`: whether it may go there again, with the place's new epoch. */
enum fence_answer { FENCE_AGAIN, FENCE_ANOTHERS, FENCE_LOST };
enum fence_answer fence_answered(struct fences *fences, struct fence_run *run, uint32_t place, uint64_t sent,
                                 struct slice epoch);
/* The fence of a place is not what this process left there: UNSETTLED, and all partitions are read anew. Lock held. */
bool fence_lost(struct fences *fences, struct fence_run *run, uint32_t place, GError **error);

/* Whether the store has a fence of the lane's partition; where it has, this process holds the run (*ret, else NULL). */
bool fence_join(struct session *session, const struct call *call, const struct lane *lane, struct fence_run **ret,
                GError **error);
/* What this session has written outlives a server; *ret_lost: perhaps not, and valkey_settle() has yet to say so. */
bool valkey_session_settle(struct session *session, const struct call *call, bool *ret_lost, GError **error);

/* --- the contract's operations ------------------------------------------------------------------------------------ */

bool valkey_lane_open(struct session *, const struct call *, const struct lane *, struct fence *ret_before, GError **);
bool valkey_fence_read(struct session *, const struct call *, const struct fence_id *, struct fence *ret, GError **);
bool valkey_fence_drop(struct session *, const struct call *, const uint8_t run[16], GError **);
bool valkey_cas(struct session *, const struct call *, const struct lane *, struct cas_op *ops, size_t n, GError **);
bool valkey_settle(struct session *, const struct call *, GError **);
bool valkey_lock(struct session *, const struct call *, struct store_lock *io, bool force, GError **);
bool valkey_unlock(struct session *, const struct call *, const uint8_t run_uid[16], GError **);
bool valkey_end_mark(struct session *, const struct call *, const uint8_t run_uid[16], struct slice mark, GError **);
bool valkey_end_read(struct session *, const struct call *, const uint8_t run_uid[16], struct slice *ret, GError **);
bool valkey_lock_read(struct session *, const struct call *, struct store_lock *ret, bool *ret_held, GError **);
bool valkey_inspect(struct session *, const struct call *, struct store_info *ret, GError **);
bool valkey_history_note(struct session *, const struct call *, const struct witness *, struct slice was,
                         const char **ret, GError **);
bool valkey_history_look(struct session *, const struct call *, const uint8_t run[16], struct history **ret, GError **);
bool valkey_history_stands(struct session *, const struct call *, const struct standing_wish *, GError **);
bool valkey_examine(struct session *, const struct call *, bool writes, GArray *into, GError **);
bool valkey_examine_members(struct session *, const struct call *, GArray *into, GError **);
bool valkey_health(struct session *, const struct call *, GArray *into, GError **);
/* Whether the dataset's lock is still the one that this opening of the store was given for the run; true where it was
 * given none. One that a server has lost together with its process is taken once more. FENCED: it is another's, or was
 * given back by who has ended the run. */
bool valkey_lock_stands(struct session *, const struct call *, const uint8_t run_uid[16], GError **);
/* REFUSED where a server may evict fences. */
bool valkey_keeps(struct session *, const struct call *, GError **);
bool valkey_shadow_check(struct session *, const struct call *, GError **);
bool valkey_read(struct session *, const struct call *, struct record *io, size_t n, GError **);
bool valkey_rank(const struct dataset *, const struct slice *keys, size_t n, uint16_t *ret, GError **);
bool valkey_moment(struct session *, const struct call *, struct slice *ret, GError **);
bool valkey_heat(struct session *, const struct call *, struct heat_wish *io, GError **);
bool valkey_split(struct session *, const struct call *, const struct split_wish *, struct part_list *into, GError **);
bool valkey_scan_open(struct scan **ret, struct session *, const struct scan_spec *, GError **);
bool valkey_scan_next(struct scan *, const struct call *, struct batch *ret, GError **);
void valkey_scan_close(struct scan *);
extern const struct member_ops valkey_members;
