/* Records by key: how large it is; then when it expires, where that is wanted, and what it is, pipelined. */
#include "base/int.h"
#include "store/valkey/form_parts.h"
#include "store/valkey/info.h"
#include "store/valkey/pieces.h"

enum {
    READ_ROUNDS = 8,
    EACH_MOST = 2,
    ARGS_MOST = 4,
    SMALL_TOGETHER = 4,
    FEW_STRINGS = 64,
    FEW_HASHES = 64,
    MANY_READS = 16,
    MORTAL_READS = 64
};

struct reading {
    struct session *session;
    const struct call *call;
    const struct valkey_dataset *ds;
    struct valkey_reads *reads;
    size_t each;     /* commands for a record: the value is read last */
    bool counts;     /* before all of them it is asked how many keys of the server expire, */
    bool none;       /* and it was none */
    size_t together; /* so many in a command, where several are read by one */
    uint32_t fields; /* of a hash, so many are asked for */
    int64_t *expiries;
    bool *expires_known, *again;
    const uint8_t *shadow; /* what lies beside the keys is read: of this run; NULL: the records themselves */
    bool *stands;          /* shadow, of io: something does, if only a deletion */
};

static struct record *record_at(const struct reading *reading, size_t i)
{
    return &reading->reads->io[reading->reads->asked[i]];
}

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
    size_t at = i / reading->each, behind = i % reading->each;
    if (behind + 1 < reading->each)
        return take_expiry(reading, at, reply, error);
    reading->again[at] = !reading->expires_known[at]; /* redirected, they changed places */
    if (reading->again[at])
        return true;
    struct record *record = record_at(reading, at);
    if (reading->shadow && valkey_shadow_is_deleted(reading->expiries[at])) {
        record->presence = RECORD_ABSENT;
        reading->stands[reading->reads->asked[at]] = true;
        return true;
    }
    struct reply replies[] = {*reply, {.type = REPLY_INTEGER, .integer = reading->expiries[at]}};
    struct form_work *work =
        reading->call->no_etag || reading->call->no_expiry ? NULL : valkey_session_of(reading->session)->work;
    return reading->ds->form->image(replies, record->key, work, reading->call->mem, record, error);
}

/* How a value is read: what stands before and behind the key, and who takes the answers. */
struct reading_way {
    struct slice verb, behind[ARGS_MOST - 2];
    size_t n_behind;
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
};

static size_t put_args(struct slice *args, const struct reading_way *way, bool value, struct slice key)
{
    args[0] = value ? way->verb : slice_of_text("PEXPIRETIME");
    args[1] = key;
    for (size_t i = 0; value && i < way->n_behind; i++)
        args[2 + i] = way->behind[i];
    return 2 + (value ? way->n_behind : 0);
}

/* --- whether anything expires ---------------------------------------------------------------------------------------
 * A server none of whose keys has an expiry says so at once for all that is read behind it: there is no need to ask for
 * that of each record. Of a cluster each node would have to be asked, and a slot may move meanwhile. */

static bool may_count(struct reading *reading)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    bool may = !reading->call->no_expiry && !reading->shadow && !valkey_store_of(reading->session)->cluster &&
               reading->reads->n >= MANY_READS;
    if (!may || own->mortal == 0)
        return may;
    own->mortal--;
    return false;
}

static struct command count_command(void)
{
    static const struct slice INFO[] = {{(const uint8_t *)"INFO", 4}, {(const uint8_t *)"keyspace", 8}};
    return (struct command){.args = INFO, .n_args = G_N_ELEMENTS(INFO), .repeatable = true};
}

/* What was answered before is asked again: it may have come by then. */
static void take_count(struct reading *reading, const struct reply *reply)
{
    uint64_t n = 0;
    uint32_t db = valkey_store_of(reading->session)->uri->db;
    reading->none = reply->type == REPLY_BYTES && info_expiring(reply->bytes, db, &n) && n == 0;
    for (size_t i = 0; i < reading->reads->n && reading->none; i++)
        reading->expires_known[i] = true;
}

struct asking {
    struct reading *reading;
    const struct reading_way *way;
};

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct asking *asking = self;
    struct reading *reading = asking->reading;
    if (!reading->counts)
        return asking->way->answer(reading, i, reply, error);
    if (i > 0)
        return asking->way->answer(reading, i - 1, reply, error);
    take_count(reading, reply);
    return true;
}

/* --- a round ------------------------------------------------------------------------------------------------------ */

static void round_begin(struct reading *reading, bool counts)
{
    reading->counts = counts;
    reading->none = false;
    reading->each = reading->call->no_expiry || counts ? 1 : EACH_MOST;
    for (size_t i = 0; i < reading->reads->n; i++) {
        reading->expiries[i] = FORM_EXPIRY_NONE;
        reading->expires_known[i] = reading->call->no_expiry;
        reading->again[i] = true;
    }
}

/* When a record expires is next to nothing beside what it is. */
static bool round_run(struct reading *reading, const struct reading_way *way, struct command *commands, size_t n,
                      GError **error)
{
    struct asking asking = {reading, way};
    struct valkey_reads *reads = reading->reads;
    struct route_wish wish = {.commands = commands,
                              .n = n,
                              .light = (uint32_t)reading->each * (reads->small ? SMALL_TOGETHER : 1),
                              .answer = take_answer,
                              .self = &asking};
    size_t kept = 0, asked = reads->n;
    struct few *readers = &valkey_store_of(reading->session)->readers;
    if (!valkey_run_of_few(reading->session, reading->call, &wish, readers, error))
        return false;
    for (size_t i = 0; i < asked; i++)
        if (reading->again[i])
            reads->asked[kept++] = reads->asked[i];
    reads->n = kept;
    if (reading->counts && !reading->none)
        valkey_session_of(reading->session)->mortal = MORTAL_READS;
    return true;
}

static bool ask_each(struct reading *reading, const struct reading_way *way, bool counts, GError **error)
{
    struct valkey_store *store = valkey_store_of(reading->session);
    struct valkey_reads *reads = reading->reads;
    round_begin(reading, counts);
    size_t n = reads->n, each = reading->each, commanded = counts;
    g_autofree struct command *commands = g_new0(struct command, n * each + 1);
    g_autofree struct slice *args = g_new(struct slice, n * each * ARGS_MOST + 1);
    if (counts)
        commands[0] = count_command();
    for (size_t i = 0; i < n; i++) {
        struct slice key = reads->keys[reads->asked[i]];
        int32_t slot = (int32_t)valkey_place_of(store, key);
        for (size_t k = i * each; k < (i + 1) * each; k++) {
            struct slice *of = args + k * ARGS_MOST;
            size_t n_args = put_args(of, way, k + 1 == (i + 1) * each, key);
            commands[commanded++] = (struct command){.args = of, .n_args = n_args, .slot = slot, .repeatable = true};
        }
    }
    return round_run(reading, way, commands, commanded, error);
}

/* All that is asked; what is to be asked again stays. */
static bool read_round(struct reading *reading, const struct reading_way *way, GError **error)
{
    if (may_count(reading)) {
        if (!ask_each(reading, way, true, error))
            return false;
        if (reading->none)
            return true;
    }
    return ask_each(reading, way, false, error);
}

/* --- raw strings ----------------------------------------------------------------------------------------------------
 * Of raw records most are strings, as a rule, and GETRANGE gives so much of one and no more: there is no need to ask
 * for its size before. What is none, or too large, or where the answer could mean two things, is read like all else. */

static bool take_string(struct reading *reading, size_t i, struct slice bytes, GError **error)
{
    struct valkey_reads *reads = reading->reads;
    struct record *record = record_at(reading, i);
    int64_t expiry = reading->expiries[i];
    bool nothing = expiry == FORM_EXPIRY_GONE;
    reading->again[i] = false;
    if (bytes.len > PIECES_FROM_BYTES)
        reads->apart[reads->n_apart++] = reads->asked[i];
    if (nothing || bytes.len > PIECES_FROM_BYTES)
        return true;
    uint8_t *raw = arena_alloc(reading->call->mem, 2 + bytes.len);
    if (!raw)
        return form_too_big(record->key, error);
    raw[0] = FORM_RAW_OPAQUE;
    raw[1] = 's';
    form_put(raw + 2, bytes);
    record->raw = slice_of(raw, 2 + bytes.len);
    record->expires_at_ms = expiry == FORM_EXPIRY_NONE ? EXPIRES_NEVER : expiry;
    record->presence = RECORD_PRESENT;
    return true;
}

static bool string_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    size_t at = i / reading->each, behind = i % reading->each;
    if (behind + 1 < reading->each)
        return take_expiry(reading, at, reply, error);
    if (!reading->expires_known[at] || reply_is_error(reply, "WRONGTYPE"))
        return true;
    if (reply->type != REPLY_BYTES)
        return valkey_refused(reply, "GETRANGE", error);
    bool either = reply->bytes.len == 0 && reading->each < EACH_MOST; /* absent, or a string without a byte */
    return either || take_string(reading, at, reply->bytes, error);
}

/* Who may not is read another way: all of them are. */
static bool only_refused(struct reading *reading, GError *failed, bool *ret_may_not, GError **error)
{
    *ret_may_not = error_is(failed, SLUICE_ERROR_NOT_PERMITTED);
    if (!*ret_may_not) {
        g_propagate_error(error, failed);
        return false;
    }
    g_error_free(failed);
    reading->reads->n_apart = 0;
    return true;
}

static bool read_strings(struct reading *reading, GError **error)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    struct reading_way way = {slice_of_text("GETRANGE"), .n_behind = 2, .answer = string_answer};
    uint8_t most[DECIMAL_MOST];
    size_t n = reading->reads->n;
    GError *failed = NULL;
    way.behind[0] = slice_of_text("0");
    way.behind[1] = slice_of(most, (size_t)(int_put_decimal(most, PIECES_FROM_BYTES) - most));
    if (!read_round(reading, &way, &failed))
        return only_refused(reading, failed, &own->no_getrange, error);
    own->few_strings = 2 * reading->reads->n > n ? FEW_STRINGS : 0;
    return true;
}

/* --- several at once ------------------------------------------------------------------------------------------------
 * Of strings that are small, where nothing expires, one command reads several. */

enum { TOGETHER = 16, PACED_TOGETHER = 4 };

/* Where nothing stands, or another type, its own command tells which. */
static bool together_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    size_t first = i * reading->together, n = MIN(reading->reads->n - first, reading->together);
    if (reply->type == REPLY_ERROR) /* it has no such command, or another name for it */
        valkey_session_of(reading->session)->no_mget = true;
    if (!reading->none || !reply_is_array(reply, n))
        return true;
    for (size_t k = 0; k < n; k++)
        if (reply->items[k].type == REPLY_BYTES && !take_string(reading, first + k, reply->items[k].bytes, error))
            return false;
    return true;
}

static bool ask_together(struct reading *reading, GError **error)
{
    struct reading_way way = {.answer = together_answer};
    struct valkey_reads *reads = reading->reads;
    round_begin(reading, true);
    size_t n = reads->n, each = reading->together, calls = (n + each - 1) / each;
    g_autofree struct command *commands = g_new0(struct command, calls + 1);
    g_autofree struct slice *args = g_new(struct slice, n + calls);
    commands[0] = count_command();
    for (size_t i = 0, at = 0; i < n; i++) {
        struct command *command = &commands[1 + i / each];
        if (i % each == 0) {
            *command = (struct command){.args = args + at, .n_args = 1, .repeatable = true};
            args[at++] = slice_of_text("MGET");
        }
        args[at++] = reads->keys[reads->asked[i]];
        command->n_args++;
        command->weight++;
    }
    return round_run(reading, &way, commands, calls + 1, error);
}

/* Who asks knows it of these records, or the servers of all that there are. */
static bool are_small(const struct reading *reading)
{
    bool may_ask = valkey_session_of(reading->session)->mortal == 0 && reading->reads->n >= MANY_READS &&
                   !valkey_store_of(reading->session)->cluster;
    return reading->call->small || (may_ask && valkey_strings_are_small(reading->session, reading->call));
}

static bool read_together(struct reading *reading, GError **error)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    GError *failed = NULL;
    if (own->no_mget || !are_small(reading) || !may_count(reading))
        return true;
    reading->together = router_paced(own->router) ? PACED_TOGETHER : TOGETHER;
    return ask_together(reading, &failed) || only_refused(reading, failed, &own->no_mget, error);
}

/* An etag is made of what DUMP gives. */
static bool may_be_strings(struct valkey_session *own, const struct reading *reading)
{
    bool may = reading->ds->form->form == FORM_RAW && reading->call->no_etag && !own->no_dump && !own->no_getrange;
    if (!may || own->few_strings == 0)
        return may;
    own->few_strings--;
    return false;
}

/* --- hashes of few fields -------------------------------------------------------------------------------------------
 * Where nothing that lives in the servers is large, so many fields of a hash are no more than a record may be: their
 * sizes need not be asked. What has as many, or is no hash, is read like all else. */

static bool fields_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    bool value = i % reading->each + 1 == reading->each;
    bool all = reply->type == REPLY_ARRAY && form_hash_fields(reply) < reading->fields;
    return (value && !all) || read_answer(reading, i, reply, error);
}

static bool may_be_few(struct reading *reading)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    bool may = reading->ds->form->form == FORM_HASH && !own->no_hrandfield && reading->reads->n >= MANY_READS;
    if (may && own->few_hashes > 0) {
        own->few_hashes--;
        return false;
    }
    reading->fields = may ? valkey_fields_most(reading->session, reading->call) : 0;
    return reading->fields > 0;
}

static bool read_few_fields(struct reading *reading, GError **error)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    struct reading_way way = {slice_of_text("HRANDFIELD"), .n_behind = 2, .answer = fields_answer};
    uint8_t most[DECIMAL_MOST];
    size_t n = reading->reads->n;
    GError *failed = NULL;
    if (!may_be_few(reading))
        return true;
    way.behind[0] = slice_of(most, (size_t)(int_put_decimal(most, reading->fields) - most));
    way.behind[1] = slice_of_text("WITHVALUES");
    if (!read_round(reading, &way, &failed))
        return only_refused(reading, failed, &own->no_hrandfield, error);
    own->few_hashes = 2 * reading->reads->n > n ? FEW_HASHES : 0;
    return true;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

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

static bool read_rest(struct reading *reading, GError **error)
{
    struct valkey_session *own = valkey_session_of(reading->session);
    struct valkey_reads *reads = reading->reads;
    struct reading_way way = {slice_of_text(reading->ds->form->probe), .answer = read_answer};
    bool may_be_large = own->lingered || own->no_dump; /* what is read in pieces stays so */
    bool small = reading->shadow || (reading->call->small && !may_be_large);
    if (!small && !read_few_fields(reading, error))
        return false;
    reads->small = reading->call->small && !may_be_large;
    if (reads->n && !small && !valkey_weigh(reading->session, reading->call, reads, error))
        return false;
    for (unsigned round = 0; reads->n && round < READ_ROUNDS; round++)
        if (!read_round(reading, &way, error))
            return false;
    if (reads->n)
        return error_set(error, SLUICE_ERROR_BUSY, "the slots of what is read are moving again and again");
    return valkey_read_apart(reading->session, reading->call, reads, error);
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
    struct valkey_reads reads = {.io = io, .keys = keys, .asked = asked, .apart = apart};
    struct reading reading = {.session = session,
                              .call = call,
                              .reads = &reads,
                              .expiries = expiries,
                              .expires_known = known,
                              .again = again,
                              .shadow = ret_stands ? call->ds->shadow : NULL,
                              .stands = ret_stands};
    if (!valkey_records_of(session, call->ds, &reading.ds, error))
        return false;
    arena_reset(own->mem);
    for (size_t i = 0; i < n; i++)
        if (server_key(&reading, &io[i], own->mem, &keys[i], error))
            asked[reads.n++] = i;
    if (reads.n && !reading.shadow && may_be_strings(own, &reading) &&
        (!read_together(&reading, error) || (reads.n && !read_strings(&reading, error))))
        return false;
    return read_rest(&reading, error);
}

/* What a run's shadow has of them comes first; the rest is as it is. */
static bool read_over(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    g_autofree bool *stands = g_new0(bool, n + 1);
    g_autofree struct record *rest = g_new0(struct record, n + 1);
    size_t left = 0;
    struct call whole = *call; /* by its expiry it is told from a deletion */
    whole.no_etag = whole.no_expiry = false;
    if (!read_all(session, &whole, io, n, stands, error))
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
