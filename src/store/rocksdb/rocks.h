/* Within the rocksdb driver: an open database, and the steps that its files share. */
#pragma once

#include <rocksdb/c.h>

#include "base/groupsync.h"
#include "store/fence.h"
#include "store/keyed.h"
#include "store/rocksdb/latch.h"
#include "store/rocksdb/put_keys.h"
#include "store/rocksdb/rocksdb.h"

#define ROCKS_FENCE  "sluice.fence"
#define ROCKS_META   "sluice.meta"
#define ROCKS_OWN    "sluice."
#define ROCKS_SHADOW "sluice.shadow."

/* Everything that is set once and handed to RocksDB again and again. */
struct rocks_options {
    rocksdb_options_t *records; /* the database's, and those of a dataset */
    rocksdb_options_t *small;   /* of sluice's own column families */
    rocksdb_cache_t *cache;     /* shared by all column families */
    rocksdb_readoptions_t *read, *scan;
    rocksdb_writeoptions_t *write;
    rocksdb_flushoptions_t *flush;
};

void rocks_options_init(struct rocks_options *ret);
void rocks_options_done(struct rocks_options *options);

struct rocks_store {
    struct store_base base;
    char *path, *identity;
    rocksdb_t *db;
    struct rocks_options options;
    pthread_mutex_t lock; /* leaf; guards the tables that follow; nothing is removed before the store is closed */
    GHashTable *families; /* name → rocksdb_column_family_handle_t */
    GHashTable *made;     /* name → struct put_keys, of the families that were made since the store was opened */
    struct latches latches;
    atomic_uint_fast64_t commits; /* batches in the log, from 1: what was read again when it was opened counts as one */
    struct groupsync syncs;       /* of the log, up to a commit */
    atomic_bool compacts;         /* it was written to */
    /* A write failed in the middle: only the log, read again at the next opening, can say whether it took effect. */
    atomic_bool broken;
};

struct rocks_session {
    struct session_base base;
    rocksdb_writebatch_t *batch;
    GByteArray *envelope;
};

static inline struct rocks_store *rocks_of(struct session *session)
{
    return (struct rocks_store *)((struct session_base *)session)->store;
}

static inline struct slice rocks_slice(const char *data, size_t len)
{
    return slice_of(data, len);
}

/* --- library.c ---------------------------------------------------------------------------------------------------- */

/* Before any function of RocksDB's is called; rocks_open() does it. NOT_FOUND where this machine does not have it. */
bool rocks_library_load(GError **error);

/* --- open.c ------------------------------------------------------------------------------------------------------- */

bool rocks_locate(const struct store_config *config, const struct world *world, char **ret, GError **error);
bool rocks_open(struct store **ret, const struct store_config *config, const struct world *world, GError **error);
void rocks_close(struct store *store);

/* The column family of a dataset or of sluice's own; *ret NULL: there is none. */
rocksdb_column_family_handle_t *rocks_family(struct rocks_store *store, const char *name);
/* That of a dataset, made where it is missing; under a latch of its own, so none may be held. */
bool rocks_family_make(struct rocks_store *store, const struct call *call, rocksdb_column_family_handle_t **ret,
                       GError **error);
/* Of a dataset that was made since the store was opened, what has been put into it; else NULL. */
struct put_keys *rocks_put_keys(struct rocks_store *store, const char *name);
/* The shadow's family of a dataset that names a run; NULL: there is none, or no run is named. The caller frees the
 * name.
 */
char *rocks_shadow_name(const uint8_t run[16], const char *dataset);
rocksdb_column_family_handle_t *rocks_shadow(struct rocks_store *store, const struct dataset *ds,
                                             struct put_keys **ret_keys);
bool rocks_shadow_make(struct rocks_store *store, const struct call *call, rocksdb_column_family_handle_t **ret,
                       GError **error);
bool rocks_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error);
bool rocks_is_small(const char *name); /* one of sluice's own, with few rows */
/* Names that are sluice's own are refused. */
bool rocks_dataset_name(const struct dataset *ds, GError **error);

/* --- compaction.c ------------------------------------------------------------------------------------------------- */

/* Before the first write: from now on RocksDB compacts, which it does not for a store that is only read. */
void rocks_compact(struct rocks_store *store);

/* --- errors.c ----------------------------------------------------------------------------------------------------- */

/* RocksDB's own message becomes an error of ours, and is freed. NULL: true. */
bool rocks_check(char *message, const char *what, GError **error);

/* --- value.c: how a record is stored -------------------------------------------------------------------------------
 */

/* format:u8 [expires_at_ms:u64 big-endian] BSON. Format 1 has no expiry, 2 has one; 3 is a deletion, in a shadow. */
void rocks_value_put(GByteArray *into, struct slice raw, int64_t expires_at_ms);
void rocks_value_put_deleted(GByteArray *into);
/* Its tag is not taken yet. Bytes of no known format are a value of their own, marked as foreign. */
struct keyed_value rocks_value(struct slice stored);
struct keyed_value rocks_value_tagged(struct slice stored); /* the tag covers all of the bytes */

/* --- lookup.c: many keys at once -----------------------------------------------------------------------------------
 */

/* `stored` (data NULL: absent) is good for the call only. */
struct rocks_hit {
    size_t i;
    struct slice stored;
    bool shadow; /* it is the shadow's */
};

/* What the key shows, in *into; NULL: absent. */
const struct keyed_value *rocks_shown(const struct rocks_hit *hit, int64_t now_ms, struct keyed_value *into);

struct rocks_lookup {
    struct rocks_store *store;
    rocksdb_column_family_handle_t *family; /* NULL: nothing is found */
    rocksdb_column_family_handle_t *shadow; /* is looked through first; NULL: none */
    struct put_keys *shadow_keys;           /* NULL: anything may be in the shadow */
    const struct slice *keys;               /* ascending; a key may stand twice */
    size_t n;
    /* Called once for every key; in order, but that what is found in the shadow comes first. false ends the lookup with
     * the error set. */
    bool (*found)(void *user, const struct rocks_hit *hit, GError **error);
    void *user;
};

bool rocks_lookup(const struct rocks_lookup *lookup, const struct call *call, GError **error);

/* --- write.c, fence_ops.c, lock.c ----------------------------------------------------------------------------------
 */

/* One row of sluice's own; *ret NULL: absent. The caller destroys the slice. */
bool rocks_row(struct rocks_store *store, const char *family, struct slice key, rocksdb_pinnableslice_t **ret,
               GError **error);
/* Writes the session's batch, all of it or nothing. After a failure nobody knows: the store counts as broken. */
bool rocks_commit(struct session *session, GError **error);
bool rocks_whole(struct rocks_store *store, GError **error); /* not broken */

/* NULL: no fence. */
bool rocks_fence_load(struct rocks_store *store, const struct fence_id *id, struct fence_state **ret, GError **error);
void rocks_fence_save(struct session *session, const struct fence_id *id, const struct fence_state *fence);

bool rocks_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
               GError **error);
bool rocks_settle(struct session *session, const struct call *call, GError **error);
bool rocks_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                     struct fence *ret_before, GError **error);
bool rocks_fence_read(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                      GError **error);
bool rocks_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error);
bool rocks_lock(struct session *session, const struct call *call, struct store_lock *io, bool force, GError **error);
bool rocks_lock_read(struct session *session, const struct call *call, struct store_lock *ret, bool *ret_held,
                     GError **error);
bool rocks_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error);

/* --- end.c ---------------------------------------------------------------------------------------------------------
 */

bool rocks_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                    GError **error);
bool rocks_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                    GError **error);

/* --- read.c ------------------------------------------------------------------------------------------------------- */

/* A figure of RocksDB's own; 0 where it does not know it. */
uint64_t rocks_property(struct rocks_store *store, rocksdb_column_family_handle_t *family, const char *name);
bool rocks_health(struct session *session, const struct call *call, GArray *into, GError **error);
bool rocks_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error);
bool rocks_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error);
bool rocks_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error);
bool rocks_scan_next(struct scan *scan, const struct call *call, struct batch *ret, GError **error);
bool rocks_scan_each(struct scan *scan, const struct call *call, const struct scan_taker *taker, struct batch *ret,
                     GError **error);
void rocks_scan_close(struct scan *scan);
struct slice rocks_iterator_key(const rocksdb_iterator_t *at);
struct slice rocks_iterator_value(const rocksdb_iterator_t *at);
bool rocks_iterator_check(struct rocks_store *store, const rocksdb_iterator_t *at, GError **error);
int64_t rocks_now_ms(const struct rocks_store *store);

/* --- split.c ------------------------------------------------------------------------------------------------------ */

bool rocks_split(struct session *session, const struct call *call, const struct split_wish *wish,
                 struct part_list *into, GError **error);
