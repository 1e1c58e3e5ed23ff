/* How large records are, asked before any is read: a value of a gigabyte would keep its server busy for seconds, and
 * fill this process's memory. MEMORY USAGE looks at the length of what it holds and at a few members of it. What is
 * large is read in pieces, behind all that is not. */
#include "base/units.h"
#include "store/valkey/pieces.h"

enum { ARGS = 3, SMALL_BYTES = 4096 };

struct weighing {
    const struct call *call;
    struct valkey_reads *reads;
    bool raw;
    bool *dropped;
};

size_t valkey_most_bytes(const struct valkey_dataset *ds)
{
    return ds->form->form == FORM_RAW ? PIECES_FROM_BYTES : DOCUMENT_BYTES;
}

static void too_big(struct arena *mem, struct record *record, int64_t bytes)
{
    char size[UNITS_TEXT], most[UNITS_TEXT];
    g_autofree char *words = g_strdup_printf("it takes %s of the server's memory; at most %s make a document",
                                             units_bytes((uint64_t)bytes, size), units_bytes(DOCUMENT_BYTES, most));
    const char *text = arena_text(mem, slice_of_text(words));
    record->presence = RECORD_FAULT;
    record->fault = (struct fault){SLUICE_ERROR_TOO_BIG, text ? text : "it takes too much of the server's memory"};
}

static void set_apart(struct weighing *weighing, size_t i)
{
    weighing->dropped[i] = true;
    weighing->reads->apart[weighing->reads->n_apart++] = weighing->reads->asked[i];
}

/* Where the server does not say (a managed one may refuse the command) the record is read. */
static bool weigh_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct weighing *weighing = self;
    struct record *record = &weighing->reads->io[weighing->reads->asked[i]];
    if (reply->type == REPLY_NULL) {
        record->presence = RECORD_ABSENT;
        weighing->dropped[i] = true;
    } else if (weighing->raw && reply->type == REPLY_INTEGER && reply->integer > PIECES_FROM_BYTES) {
        set_apart(weighing, i);
    } else if (reply->type == REPLY_INTEGER && reply->integer > DOCUMENT_BYTES) {
        too_big(weighing->call->mem, record, reply->integer);
        weighing->dropped[i] = true;
    } else {
        weighing->reads->small &= reply->type == REPLY_INTEGER && reply->integer <= SMALL_BYTES;
    }
    return true;
}

static bool weigh_all(struct session *session, struct weighing *weighing, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct valkey_reads *reads = weighing->reads;
    size_t n = reads->n;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct slice *args = g_new(struct slice, n * ARGS + 1);
    for (size_t i = 0; i < n; i++) {
        static const char *const WORDS[ARGS] = {"MEMORY", "USAGE", NULL};
        struct slice key = reads->keys[reads->asked[i]];
        for (size_t a = 0; a < ARGS; a++)
            args[i * ARGS + a] = WORDS[a] ? slice_of_text(WORDS[a]) : key;
        commands[i] = (struct command){
            .args = args + i * ARGS, .n_args = ARGS, .slot = (int32_t)valkey_place_of(store, key), .repeatable = true};
    }
    struct route_wish wish = {
        .commands = commands, .n = n, .light = ROUTE_LIGHT, .answer = weigh_answer, .self = weighing};
    reads->small = true;
    return router_run(valkey_session_of(session)->router, weighing->call, &wish, error);
}

/* --- whether DUMP is permitted ------------------------------------------------------------------------------------ */

static bool dump_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    bool *refused = self;
    *refused = reply->type == REPLY_ERROR;
    return true;
}

/* Asked with a value that is not large. */
static bool learn_dump(struct session *session, const struct call *call, struct slice key, GError **error)
{
    struct valkey_session *own = valkey_session_of(session);
    const struct slice args[] = {slice_of_text("DUMP"), key};
    GError *failed = NULL;
    struct command command = {.args = args,
                              .n_args = G_N_ELEMENTS(args),
                              .slot = (int32_t)valkey_place_of(valkey_store_of(session), key),
                              .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .answer = dump_answer, .self = &own->no_dump};
    if (!router_run(own->router, call, &wish, &failed)) {
        if (!error_is(failed, SLUICE_ERROR_NOT_PERMITTED)) {
            g_propagate_error(error, failed);
            return false;
        }
        own->no_dump = true;
        g_error_free(failed);
    }
    own->asked_dump = true;
    return true;
}

bool valkey_weigh(struct session *session, const struct call *call, struct valkey_reads *reads, GError **error)
{
    struct valkey_session *own = valkey_session_of(session);
    size_t n = reads->n, kept = 0;
    g_autofree bool *dropped = g_new0(bool, n + 1);
    struct weighing weighing = {
        .call = call, .reads = reads, .raw = form_of(call->ds)->form == FORM_RAW, .dropped = dropped};
    if (!(weighing.raw && own->no_dump) && !weigh_all(session, &weighing, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        size_t place = reads->asked[i];
        if (dropped[i])
            continue;
        if (weighing.raw && !own->asked_dump && !learn_dump(session, call, reads->keys[place], error))
            return false;
        if (weighing.raw && own->no_dump)
            reads->apart[reads->n_apart++] = place;
        else
            reads->asked[kept++] = place;
    }
    reads->n = kept;
    return true;
}

/* --- in pieces ---------------------------------------------------------------------------------------------------- */

/* What is small enough to be held whole. */
struct collecting {
    bool in_pieces; /* more than that is fine */
    struct arena *mem;
    struct form_pairs pairs;
    size_t room;
    struct pieces_head head;
    uint64_t bytes, n;
    bool over;
};

static bool no_memory(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
}

static bool collect_begin(void *self, const struct pieces_head *head, GError **error)
{
    struct collecting *collecting = self;
    arena_reset(collecting->mem);
    collecting->pairs.n = collecting->n = 0;
    collecting->over = false;
    collecting->bytes = head->whole_tail.len;
    collecting->head = *head;
    return (arena_copy(collecting->mem, head->whole_tail, &collecting->head.whole_tail)) || no_memory(error);
}

static bool keep(struct collecting *collecting, const struct form_pair *pair)
{
    struct form_pairs *pairs = &collecting->pairs;
    struct form_pair kept;
    if (pairs->n == collecting->room && !form_pairs_grow(pairs, collecting->room *= 2))
        return false;
    if (!arena_copy(collecting->mem, pair->name, &kept.name) || !arena_copy(collecting->mem, pair->value, &kept.value))
        return false;
    pairs->at[pairs->n++] = kept;
    return true;
}

static bool over_size(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG,
                     "the value is larger than 16 MiB, or a stream with more than %u pending entries; such values are "
                     "copied in pieces, as they are, from server to server: `as: raw` in both, neither transform nor "
                     "contract, another dataset",
                     PIECES_WHOLE_PENDING);
}

static bool collect_take(void *self, const struct form_pair *pairs, size_t n, GError **error)
{
    struct collecting *collecting = self;
    for (size_t i = 0; i < n && !collecting->over; i++) {
        collecting->bytes += pairs[i].name.len + pairs[i].value.len;
        collecting->n += collecting->head.letter != 's';
        collecting->over = collecting->bytes + collecting->n * PIECES_ELEMENT_BYTES > PIECES_WHOLE_BYTES;
        if (!collecting->over && !keep(collecting, &pairs[i]))
            return no_memory(error);
    }
    if (!collecting->over)
        return true;
    arena_reset(collecting->mem);
    collecting->pairs.n = 0;
    return collecting->in_pieces || over_size(error);
}

static bool join_whole(const struct collecting *collecting, struct arena *mem, struct slice *ret)
{
    struct form_pairs pairs = collecting->pairs;
    uint8_t letter = collecting->head.letter;
    if (letter != 's' && letter != 'x')
        return dump_join(letter, &pairs, mem, ret);
    uint8_t *raw = arena_alloc(mem, (size_t)collecting->bytes + 2 + 2 * VARINT_MOST), *at = raw;
    if (!raw)
        return false;
    *at++ = FORM_RAW_OPAQUE;
    *at++ = letter;
    if (letter == 'x')
        at = int_put_varint(at, pairs.n);
    for (size_t i = 0; i < pairs.n; i++)
        at = form_put(at, pairs.at[i].name);
    at = form_put(at, collecting->head.whole_tail);
    *ret = slice_of(raw, (size_t)(at - raw));
    return true;
}

static bool take_image(const struct collecting *collecting, const struct pieces_found *found, struct arena *mem,
                       struct record *io, GError **error)
{
    io->presence = found->present ? RECORD_PRESENT : RECORD_ABSENT;
    if (!found->present)
        return true;
    io->expires_at_ms = found->expires_at_ms;
    pieces_etag(found->stands_for, found->expires_at_ms, &io->etag);
    if (!collecting->in_pieces && (collecting->over || !found->whole))
        return over_size(error);
    if (collecting->over || !found->whole)
        return arena_copy(mem, slice_of(found->stands_for, PIECES_BYTES), &io->raw) || no_memory(error);
    return join_whole(collecting, mem, &io->raw) || no_memory(error);
}

static bool as_fault(GError *failed, struct arena *mem, struct record *io, GError **error)
{
    const char *text = arena_text(mem, slice_of_text(failed->message));
    if (error_class(failed) != ERROR_RECORD) {
        g_propagate_error(error, failed);
        return false;
    }
    io->presence = RECORD_FAULT;
    io->fault = (struct fault){(enum error_code)failed->code, text ? text : "it cannot be read in pieces"};
    g_error_free(failed);
    return true;
}

bool pieces_image(struct session *session, const struct call *call, struct slice server_key, struct pieces_watch *watch,
                  struct record *io, GError **error)
{
    auto_(arena) mem = arena_new((size_t)8 * DOCUMENT_BYTES);
    struct collecting collecting = {.in_pieces = call->ds->in_pieces, .mem = mem, .room = FORM_FEW};
    collecting.pairs.at = collecting.pairs.few;
    struct pieces_taker taker = {.self = &collecting, .begin = collect_begin, .take = collect_take};
    struct pieces_wish wish = {.session = session, .call = call, .key = server_key, .taker = &taker, .watch = watch};
    struct pieces_found found;
    GError *failed = NULL;
    *io = (struct record){.key = io->key, .at = io->at};
    bool read = pieces_read(&wish, &found, &failed) && take_image(&collecting, &found, call->mem, io, &failed);
    form_pairs_done(&collecting.pairs);
    return read || as_fault(failed, call->mem, io, error);
}

bool valkey_image_of_large(struct session *session, const struct call *call, struct slice server_key, int64_t bytes,
                           struct record *io, GError **error)
{
    if (form_of(call->ds)->form == FORM_RAW)
        return pieces_image(session, call, server_key, NULL, io, error);
    too_big(call->mem, io, bytes);
    return true;
}

bool valkey_read_apart(struct session *session, const struct call *call, const struct valkey_reads *reads,
                       GError **error)
{
    for (size_t i = 0; i < reads->n_apart; i++) {
        size_t place = reads->apart[i];
        valkey_session_of(session)->lingered = true;
        if (!pieces_image(session, call, reads->keys[place], NULL, &reads->io[place], error))
            return valkey_session_of(session)->no_dump ? error_add(error, "in place of DUMP, which is not permitted")
                                                       : false;
    }
    return true;
}
