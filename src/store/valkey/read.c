/* Records by key: how large it is; then when it expires and what it is, pipelined. */
#include "store/keyed.h"
#include "store/valkey/valkey_store.h"

enum { READ_ROUNDS = 8, EACH = 2, ARGS = 2 };

struct reading {
    struct session *session;
    const struct call *call;
    const struct valkey_dataset *ds;
    struct record *io;
    size_t *asked; /* indices of io, one for each pair of commands */
    int64_t *expiries;
    bool *expires_known, *again;
    const uint8_t *shadow; /* what lies beside the keys is read: of this run; NULL: the records themselves */
    bool *stands;          /* shadow, of io: something does, if only a deletion */
};

static bool take_expiry(struct reading *reading, size_t i, const struct reply *reply, GError **error)
{
    if (reply->type != REPLY_INTEGER)
        return valkey_refused(reply, "PEXPIRETIME", error);
    reading->expiries[i] = reply->integer;
    reading->expires_known[i] = true;
    return true;
}

static bool read_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    size_t pair = i / EACH;
    if (i % EACH == 0)
        return take_expiry(reading, pair, reply, error);
    reading->again[pair] = !reading->expires_known[pair]; /* redirected, they changed places */
    if (reading->again[pair])
        return true;
    struct record *record = &reading->io[reading->asked[pair]];
    if (reading->shadow && reading->expiries[pair] == VALKEY_SHADOW_DELETED_MS) {
        record->presence = RECORD_ABSENT;
        reading->stands[reading->asked[pair]] = true;
        return true;
    }
    struct reply replies[] = {*reply, {.type = REPLY_INTEGER, .integer = reading->expiries[pair]}};
    return reading->ds->form->image(replies, record->key, valkey_session_of(reading->session)->work, reading->call->mem,
                                    record, error);
}

static bool read_round(struct reading *reading, const struct slice *keys, size_t *io_n, GError **error)
{
    struct valkey_store *store = valkey_store_of(reading->session);
    size_t n = *io_n, kept = 0;
    g_autofree struct command *commands = g_new0(struct command, n * EACH + 1);
    g_autofree struct slice *args = g_new(struct slice, n * EACH * ARGS + 1);
    for (size_t i = 0; i < n * EACH; i++) {
        struct slice key = keys[reading->asked[i / EACH]];
        args[i * ARGS] = slice_of_text(i % EACH ? reading->ds->form->probe : "PEXPIRETIME");
        args[i * ARGS + 1] = key;
        commands[i] = (struct command){
            .args = args + i * ARGS, .n_args = ARGS, .slot = (int32_t)valkey_place_of(store, key), .repeatable = true};
        reading->expires_known[i / EACH] = false;
        reading->again[i / EACH] = true;
    }
    struct route_wish wish = {.commands = commands, .n = n * EACH, .answer = read_answer, .self = reading};
    if (!router_run(valkey_session_of(reading->session)->router, reading->call, &wish, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (reading->again[i])
            reading->asked[kept++] = reading->asked[i];
    *io_n = kept;
    return true;
}

/* A key that the dataset cannot have is a fault of its own. */
static bool server_key(const struct reading *reading, struct record *record, struct arena *mem, struct slice *ret,
                       GError **error)
{
    g_autoptr(GError) failed = NULL;
    *record = (struct record){.key = record->key};
    if (key_template_to_server(reading->ds->template, record->key, mem, ret, &failed)) {
        if (reading->shadow)
            *ret = valkey_shadow_key(valkey_store_of(reading->session), reading->shadow, *ret, mem);
        return true;
    }
    const char *text = arena_text(reading->call->mem, slice_of_text(failed->message));
    record->presence = RECORD_FAULT;
    record->fault = (struct fault){SLUICE_ERROR_BAD_RECORD, text ? text : "no key of this dataset"};
    return false;
}

/* `shadow`: what lies beside them, and *ret_stands of each whether anything does. */
static bool read_all(struct session *session, const struct call *call, struct record *io, size_t n, bool *ret_stands,
                     GError **error)
{
    struct valkey_session *own = valkey_session_of(session);
    g_autofree struct slice *keys = g_new0(struct slice, n + 1);
    g_autofree size_t *asked = g_new0(size_t, n + 1);
    g_autofree int64_t *expiries = g_new0(int64_t, n + 1);
    g_autofree bool *known = g_new0(bool, n + 1);
    g_autofree bool *again = g_new0(bool, n + 1);
    g_autofree size_t *apart = g_new0(size_t, n + 1);
    struct reading reading = {.session = session,
                              .call = call,
                              .io = io,
                              .asked = asked,
                              .expiries = expiries,
                              .expires_known = known,
                              .again = again,
                              .shadow = ret_stands ? call->ds->shadow : NULL,
                              .stands = ret_stands};
    size_t left = 0;
    if (!valkey_records_of(session, call->ds, &reading.ds, error))
        return false;
    arena_reset(own->mem);
    for (size_t i = 0; i < n; i++)
        if (server_key(&reading, &io[i], own->mem, &keys[i], error))
            asked[left++] = i;
    struct valkey_reads reads = {.io = io, .keys = keys, .asked = asked, .n = left, .apart = apart};
    bool small = ret_stands || (call->small && !own->lingered && !own->no_dump); /* what is read in pieces stays so */
    if (!small && !valkey_weigh(session, call, &reads, error))
        return false;
    left = reads.n;
    for (unsigned round = 0; left && round < READ_ROUNDS; round++)
        if (!read_round(&reading, keys, &left, error))
            return false;
    if (left)
        return error_set(error, SLUICE_ERROR_BUSY, "the slots of what is read are moving again and again");
    return valkey_read_apart(session, call, &reads, error);
}

/* What a run's shadow has of them comes first; the rest is as it is. */
static bool read_over(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    g_autofree bool *stands = g_new0(bool, n + 1);
    g_autofree struct record *rest = g_new0(struct record, n + 1);
    size_t left = 0;
    if (!read_all(session, call, io, n, stands, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (io[i].presence == RECORD_PRESENT)
            valkey_shadow_image(&io[i]);
        stands[i] |= io[i].presence != RECORD_ABSENT;
        if (!stands[i])
            rest[left++] = (struct record){.key = io[i].key};
    }
    if (left && !read_all(session, call, rest, left, NULL, error))
        return false;
    for (size_t i = n; left && i-- > 0;)
        if (!stands[i])
            io[i] = rest[--left];
    return true;
}

bool valkey_read(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    return call->ds->shadow ? read_over(session, call, io, n, error) : read_all(session, call, io, n, NULL, error);
}
