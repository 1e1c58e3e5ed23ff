/* How everyone above store/ calls a driver: one function per row of its table. Here capability checks, counters and the
 * named fault points (`store.cas`, `store.read` …) live once. */
#pragma once

#include "base/portions.h"
#include "store/store.h"

/* All drivers, NULL-terminated, in an order one can read: store/drivers.c. */
const struct store_driver *const *store_drivers(void);
/* The driver of a URI's scheme; USAGE names the nearest. */
const struct store_driver *store_driver_of(const char *uri, GError **error);

/* What a driver can do, told from the pointers of its table. */
enum capability {
#define ROW(code, name, test, words) CAN_##code,
#include "store/capability_rows.h"
#undef ROW
    CAN_COUNT
};
struct capability_row {
    const char *name, *words;
};
const struct capability_row *capability_row(enum capability capability);
bool store_can(const struct store_driver *driver, enum capability capability);

/* The names that store calls give to world_point(), 0, 1, … until NULL: a point before every call, and one after every
 * call that may have written (`store.cas`, `store.cas.after`). */
const char *store_point(size_t i);

/* The URI without what may be secret in it, as it stands in messages. The caller frees. */
char *store_label(const char *uri);

/* The open stores of this process; any thread. A place opened twice is the same store (counted), so that workers and
 * verifier may share a RocksDB. `extra` drivers, NULL-terminated, go before those of store_drivers(): tests give remote
 * and fault. NULL: none.
 * Whoever wants to write a place opens it for writing before anyone opens it for reading: the readers then share it. */
struct store_registry;
struct store_registry *store_registry_new(const struct world *world, const struct store_driver *const *extra);
void store_registry_free(struct store_registry *registry); /* closes what is still open */
AUTO_DEFINE(store_registry, store_registry_free)
bool store_open(struct store **ret, struct store_registry *registry, const struct store_config *config, GError **error);
void store_release(struct store_registry *registry, struct store *store); /* NULL: nothing */
/* Its last release does not close it: it waits for who opens the place next, and is his as any other. For whoever
 * knows that the same process goes on with it at once. */
void store_linger(struct store_registry *registry, const struct store *store);

/* The driver through which it was opened. */
static inline const struct store_driver *store_driver(const struct store *store)
{
    return ((const struct store_base *)(const void *)store)->driver;
}

bool store_session_open(struct session **ret, struct store *store, GError **error);
void store_session_close(struct session *session);
AUTO_DEFINE(session, store_session_close)
const struct store_driver *session_driver(const struct session *session);
const struct store_counters *session_counters(const struct session *session);

bool store_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error);
/* Nothing is appended where there are no servers. */
bool store_health(struct session *session, const struct call *call, GArray *into, GError **error);
/* Of a driver with history_ops. */
bool store_history_note(struct session *session, const struct call *call, const struct witness *witness,
                        struct slice was, const char **ret, GError **error);
bool store_history_look(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                        GError **error);
bool store_history_stands(struct session *session, const struct call *call, const struct standing_wish *wish,
                          GError **error);
/* Empty where the driver cannot tell. */
bool store_moment(struct session *session, const struct call *call, struct slice *ret, GError **error);
/* Nothing is appended where the driver has nothing to find out. */
bool store_examine(struct session *session, const struct call *call, bool writes, GArray *into, GError **error);

/* Whether the dataset can be one of this driver's, and whether two of one store may have a record in common. */
bool store_takes(const struct store_driver *driver, const struct dataset *ds, GError **error);
bool store_overlap(const struct store_driver *driver, const struct dataset *one, const struct dataset *other);

/* The canonical digest of the document that store_decode() gives, without it. false: the driver cannot tell it so. */
bool store_digest(const struct store_driver *driver, const struct dataset *ds, struct slice raw, uint64_t seed,
                  struct digest *ret);
bool store_decode(const struct store_driver *driver, const struct dataset *ds, struct slice raw, struct arena *mem,
                  struct slice *ret, GError **error);
bool store_encode(const struct store_driver *driver, const struct dataset *ds, struct slice document, struct arena *mem,
                  struct slice *ret, GError **error);
/* The document as the store gives it back once it was put in: encoded and decoded; itself where the driver keeps
 * documents as they are. Whoever compares a wanted document with a live one compares this. */
bool store_keeps(const struct store_driver *driver, const struct dataset *ds, struct slice document, struct arena *mem,
                 struct slice *ret, GError **error);
/* Whether the driver's listings have an order other than the keys' own. */
bool store_ranks(const struct store_driver *driver);
/* The keys' ranks (struct list_ops); all 0 where the driver has none. */
bool store_rank(const struct store_driver *driver, const struct dataset *ds, const struct slice *keys, size_t n,
                uint16_t *ret, GError **error);
bool store_split(struct session *session, const struct call *call, const struct split_wish *wish,
                 struct part_list *into, GError **error);
/* NOT_PERMITTED where the store keeps no figures of it, or does not give them. */
bool store_heat(struct session *session, const struct call *call, struct heat_wish *io, GError **error);
/* The slot of a record's key; NOT_PERMITTED where keys lie in none. */
bool store_slot_of(struct session *session, const struct dataset *ds, struct slice key, uint32_t *ret, GError **error);
/* The server that has the record's key, as the store knows it now, in call->mem; NULL: there are not several of them.
 */
bool store_server_of(struct session *session, const struct call *call, struct slice key, const char **ret,
                     GError **error);
/* A dataset that is narrowed (store/only.h) gives records of its part alone: batches of none may come before the last.
 */
bool store_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error);
bool store_scan_next(struct scan *scan, const struct call *call, struct batch *ret, GError **error);
/* A batch whose records are handed to the taker one by one, where they lie or as copies of scan_next(); the batch
 * itself has neither records nor a cursor. The time within take() is the call's. */
bool store_scan_each(struct scan *scan, const struct call *call, const struct scan_taker *taker, struct batch *ret,
                     GError **error);
void store_scan_close(struct scan *scan);
AUTO_DEFINE(scan, store_scan_close)
/* The members of a record (struct member_ops). */
bool store_members_open(struct member_walk **ret, struct session *session, const struct dataset *ds, struct slice key,
                        GError **error);
bool store_members_next(struct member_walk *walk, const struct call *call, struct member_page *ret, GError **error);
void store_members_close(struct member_walk *walk);
AUTO_DEFINE(member_walk, store_members_close)
bool store_members_ask(struct session *session, const struct call *call, struct member_question *io, size_t n,
                       GError **error);
bool store_members_examine(struct session *session, const struct call *call, GArray *into, GError **error);
/* An arena too small for all of them fails the call with TOO_BIG, naming the key: fewer keys may pass. */
bool store_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error);
/* The same where nobody knows how large they are: portions that fit into the call's memory, and each is given to take()
 * before the next is read. Behind the call only what is no bytes holds of all of them (`presence`). */
struct read_portions {
    struct portions *portions;
    bool (*take)(void *self, struct record *records, size_t n, GError **error); /* NULL: presence is enough */
    void *self;
};
bool store_read_portions(struct session *session, const struct call *call, struct record *io, size_t n,
                         const struct read_portions *portions, GError **error);
/* A live image (CAS_CHANGED) that no longer fits into the arena is a RECORD_FAULT of code TOO_BIG: read it again. */
bool store_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
               GError **error);
bool store_settle(struct session *session, const struct call *call, GError **error);
bool store_lane_open(struct session *session, const struct call *call, const struct lane *lane,
                     struct fence *ret_before, GError **error);
bool store_fence_read(struct session *session, const struct call *call, const struct fence_id *id, struct fence *ret,
                      GError **error);
bool store_fence_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error);
bool store_lock(struct session *session, const struct call *call, struct store_lock *io, bool force, GError **error);
bool store_lock_read(struct session *session, const struct call *call, struct store_lock *ret, bool *ret_held,
                     GError **error);
bool store_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error);
bool store_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                    GError **error);
bool store_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                    GError **error);
bool store_sink_write_durable(struct session *session, const struct call *call, const struct sink_file *file,
                              const struct record *records, size_t n, GError **error);
bool store_sink_publish_durable(struct session *session, const struct call *call, const struct sink_file *file,
                                GError **error);
bool store_sink_published(struct session *session, const struct call *call, const uint8_t run[16], GArray *into,
                          GError **error);
bool store_sink_bounds(struct session *session, const struct call *call, const struct sink_file *file,
                       struct slice *ret, GError **error);
bool store_sink_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error);
/* Whether the store can keep a shadow of the dataset, for us and for as long as it takes. */
bool store_shadow_check(struct session *session, const struct call *call, GError **error);
bool store_shadow_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error);
