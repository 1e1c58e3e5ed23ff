/* Who may write which dataset: all locks of a server in one hash, so that patterns that overlap are seen. */
#include "store/lock.h"
#include "base/hex.h"
#include "store/valkey/info.h"
#include "store/valkey/valkey_store.h"

#define LOCKS_KEY "sluice:locks"

enum { LOCK_ROUNDS = 16, RUN_UID = 16, VERSION_BYTES = 24 };

/* The locks as they were read: `v` their version, `d` and the dataset's name what holds it. */
struct locks {
    struct session *session;
    const struct call *call;
    char version[VERSION_BYTES];
    struct slice *names, *values; /* of datasets */
    size_t n;
};

static bool take_locks(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct locks *locks = self;
    struct arena *mem = valkey_session_of(locks->session)->mem;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "key " LOCKS_KEY, error);
    locks->names = arena_alloc0(mem, (reply->n + 1) * sizeof *locks->names);
    locks->values = arena_alloc0(mem, (reply->n + 1) * sizeof *locks->values);
    bool fits = locks->names && locks->values;
    locks->n = 0;
    g_strlcpy(locks->version, "0", sizeof locks->version);
    for (size_t k = 0; k + 1 < reply->n && fits; k += 2) {
        struct slice name = reply->items[k].bytes, value = reply->items[k + 1].bytes;
        if (slice_equal(name, slice_of_text("v"))) {
            g_snprintf(locks->version, sizeof locks->version, "%.*s", (int)MIN(value.len, sizeof locks->version - 1),
                       (const char *)value.data);
        } else if (name.len && name.data[0] == 'd') {
            fits = arena_copy(mem, slice_of(name.data + 1, name.len - 1), &locks->names[locks->n]) &&
                   arena_copy(mem, value, &locks->values[locks->n]);
            locks->n++;
        }
    }
    return fits || error_set(error, SLUICE_ERROR_TOO_BIG, "key " LOCKS_KEY ": the locks do not fit into memory");
}

static struct command locks_command(const struct locks *locks, const struct slice *args, size_t n, const char *script)
{
    const struct valkey_store *store = valkey_store_of(locks->session);
    uint32_t slot = valkey_place_of(store, slice_of_text(LOCKS_KEY));
    return (struct command){.args = args, .n_args = n, .slot = (int32_t)slot, .repeatable = !script, .script = script};
}

static bool locks_read(struct locks *locks, GError **error)
{
    struct slice args[] = {slice_of_text("HGETALL"), slice_of_text(LOCKS_KEY)};
    struct command command = locks_command(locks, args, G_N_ELEMENTS(args), NULL);
    struct route_wish wish = {.commands = &command, .n = 1, .answer = take_locks, .self = locks};
    arena_reset(valkey_session_of(locks->session)->mem);
    return router_run(valkey_session_of(locks->session)->router, locks->call, &wish, error);
}

static bool take_changed(void *self, size_t i, const struct reply *reply, GError **error)
{
    bool *changed = self;
    if (reply->type != REPLY_INTEGER)
        return valkey_refused(reply, "key " LOCKS_KEY, error);
    *changed = reply->integer == 1;
    return true;
}

/* Where the answer is lost, what stands is read again, as after any change by another. */
static bool locks_change(struct locks *locks, struct slice name, struct slice value, bool *ret_changed, GError **error)
{
    g_autofree char *field = g_strdup_printf("d%.*s", (int)name.len, (const char *)name.data);
    char after[VERSION_BYTES];
    uint8_t random[8];
    world_random(valkey_store_of(locks->session)->base.world, random, sizeof random);
    hex_text(random, sizeof random, after);
    struct slice args[] = {
        slice_of_text("EVALSHA"),      slice_of_text(script_lock.sha), slice_of_text("1"),   slice_of_text(LOCKS_KEY),
        slice_of_text(locks->version), slice_of_text(after),           slice_of_text(field), value};
    struct command command = locks_command(locks, args, G_N_ELEMENTS(args), script_lock.text);
    struct route_wish wish = {.commands = &command, .n = 1, .answer = take_changed, .self = ret_changed};
    *ret_changed = false;
    return router_run(valkey_session_of(locks->session)->router, locks->call, &wish, error);
}

/* Whose lock is no obstacle where it stands: our own, and one that is taken over where ours takes its place. */
static bool stays(const struct store_lock *wanted, const struct store_lock *holder, bool in_place)
{
    return memcmp(holder->run_uid, wanted->run_uid, RUN_UID) == 0 ||
           (in_place && !store_lock_is_against(wanted, holder->run_uid));
}

/* The first lock that a dataset of this name may not be beside (`wanted` NULL: anyone's); n: none. */
static bool locks_find(const struct locks *locks, const struct store_lock *wanted, bool blind, size_t *ret,
                       struct store_lock *holder, GError **error)
{
    const struct valkey_dataset *ds;
    if (!valkey_dataset_of(locks->session, locks->call->ds, &ds, error))
        return false;
    for (*ret = 0; *ret < locks->n; ++*ret) {
        g_autofree char *name = g_strndup((const char *)locks->names[*ret].data, locks->names[*ret].len);
        auto_(key_template) other = NULL;
        *holder = (struct store_lock){0};
        bool in_place = strcmp(name, locks->call->ds->name) == 0;
        if (!in_place && (!key_template_parse(&other, name, NULL) || !key_template_overlap(ds->template, other)))
            continue;
        if (!store_lock_decode(locks->values[*ret], locks->call->mem, holder, blind ? NULL : error)) {
            if (blind)
                return true;
            return error_add(error, "dataset '%s'", name);
        }
        if (!wanted || !stays(wanted, holder, in_place))
            return true;
    }
    return true;
}

static bool locked(const struct locks *locks, size_t at, const struct store_lock *holder, GError **error)
{
    return error_set(error, SLUICE_ERROR_LOCKED, "dataset '%s': '%.*s' is locked by run %s of home %s on %s",
                     locks->call->ds->name, (int)locks->names[at].len, (const char *)locks->names[at].data, holder->run,
                     holder->home, holder->host);
}

/* One step: another's lock that is in the way is removed by force, or as one that is taken over; then ours is
 * written. */
static bool lock_step(struct locks *locks, struct store_lock *io, bool force, bool *ret_done, GError **error)
{
    g_autoptr(GByteArray) row = g_byte_array_new();
    struct store_lock holder;
    size_t at;
    bool changed;
    if (!locks_read(locks, error) || !locks_find(locks, io, force, &at, &holder, error))
        return false;
    struct slice own = slice_of_text(locks->call->ds->name);
    bool in_the_way = at < locks->n && !slice_equal(locks->names[at], own);
    if (at < locks->n && !force && store_lock_is_against(io, holder.run_uid)) {
        locked(locks, at, &holder, error);
        *io = holder;
        return false;
    }
    if (in_the_way)
        return locks_change(locks, locks->names[at], SLICE_EMPTY, &changed, error);
    store_lock_encode(io, row);
    return locks_change(locks, own, slice_of(row->data, row->len), ret_done, error);
}

static bool busy(GError **error)
{
    return error_set(error, SLUICE_ERROR_BUSY, "key " LOCKS_KEY ": other processes change it again and again");
}

/* --- whether it stands -------------------------------------------------------------------------------------------- */

void lock_mark_done(struct lock_mark *mark)
{
    g_clear_pointer(&mark->name, g_free);
    g_clear_pointer(&mark->server, g_free);
    g_clear_pointer(&mark->row, g_byte_array_unref);
}

/* A server that does not let itself be asked is one that does not say. */
static bool take_server(void *self, size_t i, const struct reply *reply, GError **error)
{
    char **server = self;
    struct slice id = slice_of_text("");
    if (reply->type != REPLY_ERROR)
        info_text(reply->bytes, "run_id", &id);
    g_free(*server);
    *server = g_strndup((const char *)id.data, id.len);
    return true;
}

/* The process that keeps the locks; the caller frees. */
static bool locks_server(const struct locks *locks, char **ret, GError **error)
{
    struct slice args[] = {slice_of_text("INFO"), slice_of_text("server")};
    struct command command = locks_command(locks, args, G_N_ELEMENTS(args), NULL);
    g_autofree char *server = NULL;
    struct route_wish wish = {.commands = &command, .n = 1, .answer = take_server, .self = &server};
    if (!router_run(valkey_session_of(locks->session)->router, locks->call, &wish, error))
        return false;
    *ret = g_steal_pointer(&server);
    return true;
}

static bool remember(const struct locks *locks, const struct store_lock *lock, GError **error)
{
    struct valkey_store *store = valkey_store_of(locks->session);
    char *server;
    if (!locks_server(locks, &server, error))
        return false;
    auto_hold(&store->fences->lock);
    lock_mark_done(&store->locked);
    memcpy(store->locked.run, lock->run_uid, RUN_UID);
    store->locked.name = g_strdup(locks->call->ds->name);
    store->locked.server = server;
    store->locked.row = g_byte_array_new();
    store_lock_encode(lock, store->locked.row);
    return true;
}

static void forget(const struct locks *locks, const uint8_t run_uid[16])
{
    struct valkey_store *store = valkey_store_of(locks->session);
    auto_hold(&store->fences->lock);
    if (store->locked.name && memcmp(store->locked.run, run_uid, RUN_UID) == 0)
        lock_mark_done(&store->locked);
}

/* A copy in the memory of the call; ret->name NULL: the run was given no lock here. */
static bool recall(const struct locks *locks, const uint8_t run_uid[16], struct slice *ret_row, const char **ret_name,
                   const char **ret_server, GError **error)
{
    struct valkey_store *store = valkey_store_of(locks->session);
    struct arena *mem = locks->call->mem;
    auto_hold(&store->fences->lock);
    const struct lock_mark *mark = &store->locked;
    *ret_name = NULL;
    if (!mark->name || memcmp(mark->run, run_uid, RUN_UID) != 0)
        return true;
    *ret_name = arena_text(mem, slice_of_text(mark->name));
    *ret_server = arena_text(mem, slice_of_text(mark->server));
    return (*ret_name && *ret_server && arena_copy(mem, slice_of(mark->row->data, mark->row->len), ret_row)) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the lock does not fit into the memory of the call");
}

static bool is_gone(const char *name, const struct store_lock *by, GError **error)
{
    if (by->run)
        return error_set(error, SLUICE_ERROR_FENCED,
                         "dataset '%s': the lock was taken meanwhile, by run %s of home %s on %s", name, by->run,
                         by->home, by->host);
    return error_set(error, SLUICE_ERROR_FENCED,
                     "dataset '%s': the lock of this run was given back meanwhile: the run was ended by another "
                     "process, with a copy of this home; nothing more is written. Use that home",
                     name);
}

/* A server that is not the process that took the lock may have lost it, with the fences: then it is taken once more,
 * if nobody else has it. */
static bool lock_was_lost(const struct locks *locks, const char *server, struct slice row, GError **error)
{
    struct store_lock mine = {.run = NULL};
    g_autofree char *now = NULL;
    if (!locks_server(locks, &now, error))
        return false;
    if (!*server || !*now || strcmp(server, now) == 0)
        return is_gone(locks->call->ds->name, &mine, error);
    return store_lock_decode(row, locks->call->mem, &mine, error) &&
           valkey_lock(locks->session, locks->call, &mine, false, error);
}

bool valkey_lock_stands(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct locks locks = {.session = session, .call = call};
    struct slice row;
    const char *name, *server;
    if (!recall(&locks, run_uid, &row, &name, &server, error))
        return false;
    if (!name)
        return true;
    if (!locks_read(&locks, error))
        return false;
    for (size_t i = 0; i < locks.n; i++) {
        struct store_lock holder = {.run = NULL};
        if (!slice_equal(locks.names[i], slice_of_text(name)))
            continue;
        return slice_equal(locks.values[i], row) ||
               (store_lock_decode(locks.values[i], call->mem, &holder, error) && is_gone(name, &holder, error));
    }
    return lock_was_lost(&locks, server, row, error);
}

/* --- taking and giving -------------------------------------------------------------------------------------------- */

bool valkey_lock(struct session *session, const struct call *call, struct store_lock *io, bool force, GError **error)
{
    struct locks locks = {.session = session, .call = call};
    bool done = false;
    if (!valkey_keeps(session, call, error))
        return false;
    for (unsigned round = 0; round < LOCK_ROUNDS && !done; round++)
        if (!lock_step(&locks, io, force, &done, error))
            return valkey_name_right(session, call, error);
    return done ? remember(&locks, io, error) : busy(error);
}

static bool unlock_step(struct locks *locks, const uint8_t run_uid[16], bool *ret_done, GError **error)
{
    struct slice own = slice_of_text(locks->call->ds->name);
    if (!locks_read(locks, error))
        return false;
    for (size_t i = 0; i < locks->n; i++) {
        struct store_lock holder;
        if (!slice_equal(locks->names[i], own))
            continue;
        if (!store_lock_decode(locks->values[i], locks->call->mem, &holder, error))
            return error_add(error, "dataset '%s'", locks->call->ds->name);
        if (memcmp(holder.run_uid, run_uid, RUN_UID) == 0)
            return locks_change(locks, own, SLICE_EMPTY, ret_done, error);
    }
    *ret_done = true;
    return true;
}

bool valkey_unlock(struct session *session, const struct call *call, const uint8_t run_uid[16], GError **error)
{
    struct locks locks = {.session = session, .call = call};
    bool done = false;
    for (unsigned round = 0; round < LOCK_ROUNDS && !done; round++)
        if (!unlock_step(&locks, run_uid, &done, error))
            return valkey_name_right(session, call, error);
    if (done)
        forget(&locks, run_uid);
    return done || busy(error);
}

bool valkey_lock_read(struct session *session, const struct call *call, struct store_lock *ret, bool *ret_held,
                      GError **error)
{
    struct locks locks = {.session = session, .call = call};
    struct store_lock holder;
    size_t at;
    if (!locks_read(&locks, error) || !locks_find(&locks, NULL, false, &at, &holder, error))
        return false;
    *ret_held = at < locks.n;
    if (*ret_held)
        *ret = holder;
    return true;
}
