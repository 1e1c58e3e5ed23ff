/* Numbered writes of values that are moved in pieces: put together out of sight first; and those over a record that was
 * read in pieces, whose etag no script could look at: they are made under WATCH. One at a time. */
#include "store/valkey/apart.h"

#include "store/keyed.h"

enum { TRIES = 6, PATIENCE_S = 30, US_PER_S = 1000000 };
static const char OWN_KEY[] = "sluice:fence:";

/* --- which -------------------------------------------------------------------------------------------------------- */

static bool large(struct slice raw)
{
    return pieces_stand_for(raw) || raw.len > PIECES_FROM_BYTES;
}

static bool goes_apart(const struct valkey_session *session, const struct cas_op *op)
{
    return session->no_dump || pieces_is_etag(&op->etag) ||
           (op->verb == CAS_PUT && (session->no_restore || large(op->raw)));
}

/* --- what the server permits -------------------------------------------------------------------------------------- */

enum { MAY_DUMP, MAY_RESTORE, MAY_SET, MAY_MSETNX, MAY_MULTI, MAY_EXEC, MAY_RENAME, RIGHTS };

struct rights {
    bool answered;
    bool may[RIGHTS];
};

static bool rights_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct rights *rights = self;
    rights->answered = reply->type == REPLY_BYTES && reply->bytes.len == RIGHTS;
    for (size_t k = 0; k < RIGHTS && rights->answered; k++)
        rights->may[k] = reply->bytes.data[k] == '1';
    return true;
}

static void take_rights(struct valkey_session *session, const struct rights *rights)
{
    const bool *may = rights->may;
    session->asked_restore = session->asked_dump = true;
    session->no_dump |= rights->answered && !may[MAY_DUMP];
    session->no_restore = rights->answered && !may[MAY_RESTORE];
    session->may_set = may[MAY_SET];
    session->may_msetnx = may[MAY_SET] && may[MAY_MSETNX];
    session->may_together = session->may_msetnx && may[MAY_MULTI] && may[MAY_EXEC] && may[MAY_RENAME];
}

/* Who may not run scripts is told by what follows. */
bool apart_learn(struct session *base, const struct call *call, struct slice key, GError **error)
{
    struct valkey_session *session = valkey_session_of(base);
    if (session->asked_restore)
        return true;
    const char *const words[] = {"EVALSHA", script_rights.sha,
                                 "0",       "2",
                                 "dump",    NULL,
                                 "4",       "restore",
                                 NULL,      "0",
                                 "x",       "3",
                                 "set",     NULL,
                                 "x",       "3",
                                 "msetnx",  NULL,
                                 "x",       "1",
                                 "multi",   "1",
                                 "exec",    "3",
                                 "rename",  OWN_KEY,
                                 OWN_KEY};
    struct slice args[G_N_ELEMENTS(words)];
    struct rights rights = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        args[i] = words[i] ? slice_of_text(words[i]) : key;
    struct command command = {.args = args,
                              .n_args = G_N_ELEMENTS(args),
                              .slot = (int32_t)valkey_place_of(valkey_store_of(base), key),
                              .repeatable = true,
                              .script = script_rights.text};
    struct route_wish wish = {.commands = &command, .n = 1, .answer = rights_answer, .self = &rights};
    if (!router_run(session->router, call, &wish, error))
        return false;
    take_rights(session, &rights);
    return true;
}

/* --- one write ---------------------------------------------------------------------------------------------------- */

struct apart_write {
    struct session *session;
    struct call call;
    const struct lane *lane;
    struct cas_op *op;
    struct slice key; /* the server's */
    struct arena *mem;
};

static struct call fresh(const struct apart_write *write)
{
    struct call call = write->call;
    call.deadline_us = world_monotonic_us(valkey_store_of(write->session)->base.world) + (int64_t)PATIENCE_S * US_PER_S;
    return call;
}

static bool refuse(struct apart_write *write, GError *failed, GError **error)
{
    const char *text = arena_text(write->call.mem, slice_of_text(failed->message));
    if (error_class(failed) != ERROR_RECORD) {
        g_propagate_error(error, failed);
        return false;
    }
    write->op->outcome = CAS_REFUSED;
    write->op->fault = (struct fault){(enum error_code)failed->code, text ? text : "it cannot be written"};
    g_error_free(failed);
    return true;
}

/* The live image, where the etag does not hold. */
static bool changed(struct apart_write *write, GError **error)
{
    struct cas_op *op = write->op;
    struct call call = fresh(write);
    op->live = (struct record){0};
    if (!arena_copy(call.mem, op->key, &op->live.key) ||
        !pieces_image(write->session, &call, write->key, NULL, &op->live, error))
        return false;
    op->outcome = CAS_CHANGED;
    return true;
}

static bool exists_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    *(bool *)self = reply->type == REPLY_INTEGER && reply->integer > 0;
    return reply->type != REPLY_ERROR || valkey_refused(reply, "EXISTS", error);
}

/* Before a large value is moved for nothing. */
static bool exists(struct apart_write *write, bool *ret, GError **error)
{
    const struct slice args[] = {slice_of_text("EXISTS"), write->key};
    struct command command = {.args = args,
                              .n_args = G_N_ELEMENTS(args),
                              .slot = (int32_t)valkey_place_of(valkey_store_of(write->session), write->key),
                              .repeatable = true};
    struct call call = fresh(write);
    struct route_wish wish = {.commands = &command, .n = 1, .answer = exists_answer, .self = ret};
    return router_run(valkey_session_of(write->session)->router, &call, &wish, error);
}

static bool same_etag(const struct etag *a, const struct etag *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* The script must be there: within a transaction it cannot be loaded. */
static bool load_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type != REPLY_ERROR || valkey_refused(reply, "SCRIPT LOAD", error);
}

static bool load_script(struct apart_write *write, const struct pieces_watch *at, GError **error)
{
    const struct slice args[] = {slice_of_text("SCRIPT"), slice_of_text("LOAD"), slice_of_text(script_cas.text)};
    struct pieces_command command = {args, G_N_ELEMENTS(args)};
    struct pieces_ask ask = {.session = write->session, .call = &write->call, .through = at, .answer = load_answer};
    return pieces_ask(&ask, &command, 1, error);
}

/* Read again under WATCH; where it is what the etag says, written. *ret_again: it changed in between. */
static bool write_watched(struct apart_write *write, struct slice hidden, bool *ret_again, GError **error)
{
    struct cas_op *op = write->op;
    struct pieces_watch watch;
    struct call call = fresh(write);
    struct record now = {.key = op->key};
    *ret_again = false;
    if (!pieces_image(write->session, &call, write->key, &watch, &now, error))
        return false;
    if (now.presence != RECORD_PRESENT || !same_etag(&now.etag, &op->etag)) {
        struct pieces_wish wish = {.session = write->session, .call = &call, .watch = &watch};
        op->outcome = CAS_CHANGED;
        op->live = now;
        return (arena_copy(call.mem, op->key, &op->live.key) ||
                error_set(error, SLUICE_ERROR_TOO_BIG, "the live record does not fit into the memory of the call")) &&
               (now.presence == RECORD_FAULT || pieces_let_go(&wish, error));
    }
    struct valkey_apart apart = {.hidden = hidden, .probe = "TYPE", .watch = &watch};
    struct valkey_writes writes = {.lane = write->lane, .ops = op, .n = 1, .apart = &apart};
    call = fresh(write);
    if (!load_script(write, &watch, error) || !valkey_cas_as(write->session, &call, &writes, error))
        return false;
    *ret_again = op->outcome == CAS_NOT_SENT;
    return true;
}

static bool write_plain(struct apart_write *write, struct slice hidden, GError **error)
{
    bool etag = write->op->etag.len > 0;
    struct call call = fresh(write);
    struct valkey_apart apart = {.hidden = hidden, .probe = etag ? "DUMP" : "TYPE"};
    struct valkey_writes writes = {.lane = write->lane, .ops = write->op, .n = 1, .apart = &apart};
    return valkey_cas_as(write->session, &call, &writes, error) &&
           (write->op->outcome != CAS_CHANGED || changed(write, error));
}

static bool write_op(struct apart_write *write, struct slice hidden, GError **error)
{
    bool again = true;
    if (!pieces_is_etag(&write->op->etag))
        return write_plain(write, hidden, error);
    for (unsigned tries = 0; again && tries < TRIES; tries++)
        if (!write_watched(write, hidden, &again, error))
            return false;
    return !again || changed(write, error);
}

static bool write_apart(struct apart_write *write, GError **error)
{
    struct cas_op *op = write->op;
    struct slice hidden = SLICE_EMPTY;
    struct pieces_build build = {.session = write->session,
                                 .call = &write->call,
                                 .lane = write->lane,
                                 .record_key = op->key,
                                 .key = write->key,
                                 .raw = op->raw,
                                 .mem = write->mem};
    struct valkey_writes writes = {.lane = write->lane, .ops = op, .n = 1};
    GError *failed = NULL;
    bool there = false, settled;
    if (!valkey_cas_settled(write->session, &write->call, &writes, &settled, error))
        return false;
    if (!settled && op->verb == CAS_PUT && op->etag.len == 0 && !exists(write, &there, error))
        return false;
    if (settled)
        return true;
    if (there)
        return changed(write, error);
    if (op->verb == CAS_PUT && !pieces_build(&build, &hidden, &failed))
        return refuse(write, failed, error);
    bool written = write_op(write, hidden, error);
    if (hidden.len && op->outcome != CAS_WRITTEN && op->outcome != CAS_DONE && op->outcome != CAS_UNKNOWN)
        pieces_drop(&build, hidden);
    return written;
}

/* --- all of a call ------------------------------------------------------------------------------------------------ */

static bool write_each(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops,
                       size_t n, GError **error)
{
    auto_(arena) mem = arena_new(DOCUMENT_BYTES);
    for (size_t i = 0; i < n; i++) {
        struct apart_write write = {
            .session = session, .call = *call, .lane = lane, .op = &ops[i], .key = ops[i].key, .mem = mem};
        arena_reset(mem);
        if (!goes_apart(valkey_session_of(session), &ops[i]))
            continue;
        write.call = fresh(&write);
        if (!call_goes_on(&(struct call){.cancel = call->cancel}, valkey_store_of(session)->base.world, error) ||
            !write_apart(&write, error))
            return false;
    }
    return true;
}

/* Those that go together, in one call; their outcomes are put back where they belong. */
static bool write_together(struct session *session, const struct call *call, const struct lane *lane,
                           struct cas_op *ops, size_t n, GError **error)
{
    g_autofree struct cas_op *together = g_new0(struct cas_op, n);
    size_t m = 0;
    for (size_t i = 0; i < n; i++)
        if (!goes_apart(valkey_session_of(session), &ops[i]))
            together[m++] = ops[i];
    struct valkey_writes writes = {.lane = lane, .ops = together, .n = m};
    bool written = m == 0 || valkey_cas_as(session, call, &writes, error);
    for (size_t i = n; i-- > 0;)
        if (!goes_apart(valkey_session_of(session), &ops[i]))
            ops[i] = together[--m];
    return written;
}

/* Values in pieces, and what stands over such, have no shadow. */
static void refuse_apart(struct session *session, struct cas_op *ops, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (goes_apart(valkey_session_of(session), &ops[i])) {
            ops[i].outcome = CAS_REFUSED;
            ops[i].fault = (struct fault){SLUICE_ERROR_TOO_BIG, "its value would go in pieces, which no shadow holds"};
        }
}

bool valkey_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
                GError **error)
{
    struct valkey_session *own = valkey_session_of(session);
    bool raw = form_of(call->ds) && form_of(call->ds)->form == FORM_RAW, apart = false;
    if (n && raw && !apart_learn(session, call, ops[0].key, error))
        return false;
    for (size_t i = 0; raw && i < n; i++)
        apart |= goes_apart(own, &ops[i]);
    struct valkey_writes writes = {.lane = lane, .ops = ops, .n = n};
    if (!apart)
        return valkey_cas_as(session, call, &writes, error);
    bool written = write_together(session, call, lane, ops, n, error);
    if (call->ds->shadow || call->promotes) {
        refuse_apart(session, ops, n);
        return written;
    }
    if (written && write_each(session, call, lane, ops, n, error))
        return true;
    if (own->no_restore)
        error_add(error, "in place of RESTORE, which is not permitted");
    return valkey_name_right(session, call, error);
}
