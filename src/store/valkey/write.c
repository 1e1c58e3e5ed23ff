/* Numbered writes: each operation one call of cas.lua, all of them pipelined to the servers that own their slots. */
#include "base/hex.h"
#include "base/int.h"
#include "store/keyed.h"
#include "store/valkey/valkey_store.h"

enum { CAS_HEAD_ARGS = 13, CAS_ROUNDS = 16, NUMBER_BYTES = 24 };

/* Arguments that say which fence: most operations in a row have the same. */
struct fence_words {
    uint32_t place;
    uint64_t epoch;
    struct slice key, text; /* of the epoch; data NULL: none yet */
};

/* One operation on its way. */
struct flying {
    size_t op;
    uint32_t place;
    uint64_t epoch;          /* it is sent with */
    struct slice answer;     /* the epoch that the script met instead; data NULL: none */
    size_t pruned, n_pruned; /* which of cas->pruned it takes along */
    size_t first, n;         /* its arguments */
};

/* The record of a partition, with the marks that were settled since it was last written: once it outlives a server as
 * well, places may lose theirs. */
struct record_flight {
    struct fence_part *part;
    uint64_t event, epoch;
    uint32_t home;
    struct fence_flight flight;
    GByteArray *bytes;
    size_t first; /* of its arguments */
    bool written;
};

struct cas {
    struct session *session;
    struct valkey_store *store;
    const struct call *call;
    const struct valkey_dataset *ds;
    const struct lane *lane;
    struct fence_run *run;
    struct fence_part *part;
    struct cas_op *ops;
    struct slice *server_keys; /* one an operation */
    struct arena *mem;
    GArray *flying; /* of struct flying */
    GArray *args;   /* of struct slice */
    GArray *pruned; /* of struct fence_field */
    struct fence_words words;
    struct slice part_text; /* the partition's number; data NULL: none yet */
    struct fence_flight flight;
    GArray *pruning;    /* places in which this call prunes */
    GPtrArray *records; /* of struct record_flight: what goes along */
    GError *refused;    /* by the server, the call as a whole */
};

static void record_flight_free(void *at)
{
    struct record_flight *record = at;
    g_byte_array_unref(record->bytes);
    g_free(record);
}

static struct flying *flying_at(const struct cas *cas, size_t i)
{
    return &g_array_index(cas->flying, struct flying, i);
}

static bool refuse(struct cas_op *op, enum error_code code, const char *text)
{
    op->outcome = CAS_REFUSED;
    op->fault = (struct fault){.code = code, .text = text};
    return false;
}

static bool refuse_with(struct cas *cas, struct cas_op *op, GError *failed)
{
    const char *text = arena_text(cas->call->mem, slice_of_text(failed->message));
    bool big = error_is(failed, SLUICE_ERROR_TOO_BIG);
    refuse(op, big ? SLUICE_ERROR_TOO_BIG : SLUICE_ERROR_UNWRITABLE, text ? text : "it cannot be written");
    g_error_free(failed);
    return false;
}

/* --- what is sent at all ------------------------------------------------------------------------------------------ */

/* Before anything else is asked, as docs/drivers.md has the order: closed, done, refused. */
static bool decide_here(struct cas *cas, struct cas_op *op)
{
    const struct lane_state *open = fence_part_open(cas->part);
    if (!open || open->lane != cas->lane->lane)
        op->outcome = CAS_FENCED;
    else if (op->number <= cas->part->asked || lane_state_applied(open, op->number))
        op->outcome = CAS_DONE;
    else
        return true;
    return false;
}

static bool numbers_fit(const struct cas *cas, size_t n, GError **error)
{
    struct lane_state lane = {.lane = cas->lane->lane, .base = MAX(cas->part->asked, cas->lane->base)};
    for (size_t i = 0; i < n; i++) {
        if (!lane_state_takes(&lane, cas->ops[i].number, error))
            return false;
        if (cas->ops[i].number > UINT32_MAX)
            return error_set(error, SLUICE_ERROR_INTERNAL,
                             "write number %" G_GUINT64_FORMAT " of lane %u: a fence here has no room for it",
                             cas->ops[i].number, cas->lane->lane);
    }
    return true;
}

static bool takes(struct cas *cas, size_t i)
{
    struct cas_op *op = &cas->ops[i];
    GError *failed = NULL;
    if (op->key.len > KEYED_KEY_BYTES)
        return refuse(op, SLUICE_ERROR_TOO_BIG, "the key is longer than 64 KiB");
    if (op->verb == CAS_PUT && op->raw.len > (cas->ds->form->form == FORM_RAW ? VALKEY_RAW_BYTES : DOCUMENT_BYTES))
        return refuse(op, SLUICE_ERROR_TOO_BIG, "the value is larger than a record may be");
    if (!key_template_to_server(cas->ds->template, op->key, cas->mem, &cas->server_keys[i], &failed))
        return refuse_with(cas, op, failed);
    return true;
}

/* Those that are to be sent, and where; waits while the partition's lanes are being changed. */
static bool choose(struct cas *cas, size_t n, GError **error)
{
    struct fences *fences = cas->store->fences;
    auto_hold(&fences->lock);
    while (cas->part->busy)
        pthread_cond_wait(&fences->changed, &fences->lock);
    struct lane_state *open = fence_part_open(cas->part);
    if (open && open->lane == cas->lane->lane) {
        if (!numbers_fit(cas, n, error))
            return false;
        cas->part->asked = MAX(cas->part->asked, cas->lane->base);
        fence_part_rebase(cas->part);
    }
    for (size_t i = 0; i < n; i++) {
        struct flying flying = {.op = i};
        if (!decide_here(cas, &cas->ops[i]) || !takes(cas, i))
            continue;
        flying.place = valkey_place_of(cas->store, cas->server_keys[i]);
        g_array_append_val(cas->flying, flying);
    }
    return true;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static void text_arg(struct cas *cas, const char *text)
{
    struct slice arg = slice_of_text(text);
    g_array_append_val(cas->args, arg);
}

static bool bytes_arg(struct cas *cas, const void *bytes, size_t len)
{
    struct slice arg;
    if (!arena_copy(cas->mem, slice_of(bytes, len), &arg))
        return false;
    g_array_append_val(cas->args, arg);
    return true;
}

static bool number_arg(struct cas *cas, int64_t number)
{
    uint8_t text[DECIMAL_MOST];
    return bytes_arg(cas, text, (size_t)(int_put_decimal(text, number) - text));
}

static bool fence_args(struct cas *cas, uint32_t place, uint64_t epoch, GString *key)
{
    struct fence_words *words = &cas->words;
    char text[FENCE_EPOCH_BYTES];
    if (!words->text.data || words->place != place || words->epoch != epoch) {
        words->text = SLICE_EMPTY;
        fence_key(cas->store->fences, cas->run, place, key);
        fence_epoch_put(cas->store->fences, epoch, text);
        if (!arena_copy(cas->mem, slice_of(key->str, key->len), &words->key) ||
            !arena_copy(cas->mem, slice_of_text(text), &words->text))
            return false;
        words->place = place;
        words->epoch = epoch;
    }
    g_array_append_val(cas->args, words->key);
    g_array_append_val(cas->args, words->text);
    return true;
}

static bool part_arg(struct cas *cas)
{
    uint8_t text[DECIMAL_MOST];
    size_t len = (size_t)(int_put_decimal(text, cas->lane->fence.part) - text);
    if (!cas->part_text.data && !arena_copy(cas->mem, slice_of(text, len), &cas->part_text))
        return false;
    g_array_append_val(cas->args, cas->part_text);
    return true;
}

static bool prune_args(struct cas *cas, const struct flying *flying)
{
    bool fits = number_arg(cas, (int64_t)flying->n_pruned);
    for (size_t i = 0; i < flying->n_pruned && fits; i++) {
        const struct fence_field *field = &g_array_index(cas->pruned, struct fence_field, flying->pruned + i);
        uint8_t head[MARKS_HEAD_BYTES];
        marks_head(field->lane, field->count, head);
        fits = number_arg(cas, field->part) && bytes_arg(cas, head, sizeof head);
    }
    return fits;
}

/* The arguments of one operation; CAS_REFUSED where its value cannot be written. *ret_fits false: the arena is full. */
static bool op_args(struct cas *cas, struct flying *flying, uint32_t base, GString *key, bool *ret_fits)
{
    struct cas_op *op = &cas->ops[flying->op];
    uint8_t mark[MARKS_ONE_BYTES];
    GError *failed = NULL;
    flying->first = cas->args->len;
    text_arg(cas, "EVALSHA");
    text_arg(cas, script_cas.sha);
    text_arg(cas, "2");
    g_array_append_val(cas->args, cas->server_keys[flying->op]);
    marks_one(cas->lane->lane, base, (uint32_t)op->number, mark);
    *ret_fits =
        fence_args(cas, flying->place, flying->epoch, key) && part_arg(cas) && bytes_arg(cas, mark, sizeof mark);
    struct slice etag = slice_of(op->etag.bytes, op->etag.len);
    g_array_append_val(cas->args, etag);
    text_arg(cas, cas->ds->form->probe);
    text_arg(cas, op->verb == CAS_PUT ? "p" : "d");
    *ret_fits = *ret_fits && number_arg(cas, op->verb == CAS_PUT ? op->expires_at_ms : 0) && prune_args(cas, flying);
    if (*ret_fits && op->verb == CAS_PUT && !cas->ds->form->write_args(op->raw, cas->mem, cas->args, &failed)) {
        g_array_set_size(cas->args, (unsigned)flying->first);
        return refuse_with(cas, op, failed);
    }
    flying->n = cas->args->len - flying->first;
    return *ret_fits;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void changed(struct cas *cas, struct cas_op *op, const struct reply *image)
{
    g_autoptr(GError) failed = NULL;
    op->outcome = CAS_CHANGED;
    op->live = (struct record){.key = op->key};
    if (cas->ds->form->image(image, op->key, valkey_session_of(cas->session)->work, cas->call->mem, &op->live,
                             &failed)) {
        struct slice key;
        if (arena_copy(cas->call->mem, op->key, &key)) {
            op->live.key = key;
            return;
        }
    }
    op->live = (struct record){.key = op->key, .presence = RECORD_FAULT};
    op->live.fault = (struct fault){SLUICE_ERROR_TOO_BIG, "the live record does not fit into the memory of the call"};
}

static void refused_by_server(struct cas *cas, struct cas_op *op, const struct reply *reply)
{
    GError *failed = NULL;
    if (reply_is_error(reply, "ERR") && !valkey_is_right(reply)) {
        error_set(&failed, SLUICE_ERROR_UNWRITABLE, "the server refuses it: %.*s", (int)MIN(reply->bytes.len, 200u),
                  (const char *)reply->bytes.data);
        refuse_with(cas, op, failed);
        return;
    }
    valkey_refused(reply, "a numbered write", cas->refused ? NULL : &cas->refused);
}

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct cas *cas = self;
    if (i >= cas->flying->len) { /* one that is fenced or refused is written another time */
        ((struct record_flight *)cas->records->pdata[i - cas->flying->len])->written = reply->type == REPLY_INTEGER;
        return true;
    }
    struct flying *flying = flying_at(cas, i);
    struct cas_op *op = &cas->ops[flying->op];
    if (reply->type == REPLY_INTEGER) {
        op->outcome = reply->integer ? CAS_DONE : CAS_WRITTEN;
    } else if (reply_is_array(reply, 3)) {
        changed(cas, op, reply->items + 1);
    } else if (reply_is_array(reply, 2)) {
        if (!arena_copy(cas->mem, reply->items[1].bytes, &flying->answer))
            flying->answer = SLICE_EMPTY;
        if (!flying->answer.data)
            flying->answer.data = (const uint8_t *)"";
    } else {
        refused_by_server(cas, op, reply);
    }
    return true;
}

/* --- one round ---------------------------------------------------------------------------------------------------- */

/* Records of partitions of this run that have marks which were settled; only the first round takes them along. */
static void records_take_off(struct cas *cas)
{
    GHashTable *due = valkey_session_of(cas->session)->due;
    GHashTableIter at;
    void *key;
    g_hash_table_iter_init(&at, due);
    while (g_hash_table_iter_next(&at, &key, NULL)) {
        struct fence_part *part = key;
        if (fence_run_find(cas->run, part->part) != part || part->busy || part->recording || part->stale)
            continue;
        if (part->record_unknown) /* it could still arrive behind a newer one, whose marks are pruned by then */
            continue;
        struct record_flight *record = g_new0(struct record_flight, 1);
        record->part = part;
        record->event = part->events;
        record->home = fence_home(cas->store->fences, part->part);
        record->epoch = cas->run->places[record->home].epoch;
        record->flight = (struct fence_flight){.places = &record->home, .n = 1};
        record->bytes = g_byte_array_new();
        fence_record_put(part, part->state, record->bytes);
        part->recording = true;
        g_ptr_array_add(part->flights, &record->flight);
        g_ptr_array_add(cas->records, record);
    }
    g_hash_table_remove_all(due);
}

static void records_land(struct cas *cas, const struct command *commands)
{
    for (size_t i = 0; i < cas->records->len; i++) {
        struct record_flight *record = cas->records->pdata[i];
        g_ptr_array_remove_fast(record->part->flights, &record->flight);
        record->part->recording = false;
        if (!commands || commands[i].fate == ROUTE_NOT_SENT)
            continue;
        if (commands[i].fate == ROUTE_UNKNOWN)
            record->part->record_unknown = true;
        struct valkey_recorded recorded = {.part = record->part, .event = record->event};
        if (commands[i].fate == ROUTE_ANSWERED && record->written)
            g_array_append_val(valkey_session_of(cas->session)->recorded, recorded);
    }
    g_ptr_array_set_size(cas->records, 0);
}

static bool record_args(struct cas *cas, GString *key)
{
    bool fits = true;
    for (size_t i = 0; i < cas->records->len && fits; i++) {
        struct record_flight *record = cas->records->pdata[i];
        char field[NUMBER_BYTES];
        g_snprintf(field, sizeof field, "l%u", record->part->part);
        record->first = cas->args->len;
        text_arg(cas, "EVALSHA");
        text_arg(cas, script_record.sha);
        text_arg(cas, "1");
        fits = fence_args(cas, record->home, record->epoch, key) && bytes_arg(cas, field, strlen(field));
        struct slice bytes = slice_of(record->bytes->data, record->bytes->len);
        g_array_append_val(cas->args, bytes);
    }
    return fits;
}

/* One write of a call prunes for all that go to the same place. */
static void prune_in(struct cas *cas, struct flying *flying)
{
    struct fence_place *place = &cas->run->places[flying->place];
    flying->pruned = cas->pruned->len;
    flying->n_pruned = 0;
    if (place->pruning)
        return;
    fence_prunable(cas->run, flying->place, cas->part->part, cas->pruned);
    flying->n_pruned = cas->pruned->len - flying->pruned;
    place->pruning = flying->n_pruned > 0;
    if (place->pruning)
        g_array_append_val(cas->pruning, flying->place);
}

static void prune_done(struct cas *cas)
{
    for (size_t i = 0; i < cas->pruning->len; i++)
        cas->run->places[g_array_index(cas->pruning, uint32_t, i)].pruning = false;
    g_array_set_size(cas->pruning, 0);
}

/* Under the lock: epochs, what may be pruned, and the flight is known to whoever changes lanes. */
static bool take_off(struct cas *cas, uint32_t *ret_base)
{
    struct fences *fences = cas->store->fences;
    auto_hold(&fences->lock);
    while (cas->part->busy)
        pthread_cond_wait(&fences->changed, &fences->lock);
    const struct lane_state *open = fence_part_open(cas->part);
    if (!cas->run->held || !open || open->lane != cas->lane->lane)
        return false;
    *ret_base = (uint32_t)MIN(open->base, UINT32_MAX);
    cas->flight.n = 0;
    g_array_set_size(cas->pruned, 0);
    for (size_t i = 0; i < cas->flying->len; i++) {
        struct flying *flying = flying_at(cas, i);
        flying->epoch = cas->run->places[flying->place].epoch;
        flying->answer = SLICE_EMPTY;
        cas->flight.places[cas->flight.n++] = flying->place;
        prune_in(cas, flying);
    }
    g_ptr_array_add(cas->part->flights, &cas->flight);
    records_take_off(cas);
    return true;
}

static void landed(struct cas *cas, struct flying *flying, enum route_fate fate)
{
    struct cas_op *op = &cas->ops[flying->op];
    if (fate == ROUTE_UNKNOWN) {
        struct fence_unknown unknown = {
            .part = cas->part->part, .place = flying->place, .number = op->number, .epoch = flying->epoch};
        op->outcome = CAS_UNKNOWN;
        g_array_append_val(cas->run->unknown, unknown);
        return;
    }
    if (op->outcome != CAS_WRITTEN && op->outcome != CAS_DONE)
        return;
    fence_mark(cas->part, cas->lane->lane, op->number);
    if (op->outcome == CAS_DONE)
        return;
    struct fence_field seen = {.part = cas->part->part, .lane = cas->lane->lane};
    fence_note(cas->run, cas->part, flying->place, &seen);
    for (size_t i = 0; i < flying->n_pruned; i++)
        fence_pruned(cas->run, flying->place, &g_array_index(cas->pruned, struct fence_field, flying->pruned + i));
}

static void count_written(struct cas *cas, size_t written)
{
    GHashTable *all = valkey_session_of(cas->session)->written;
    size_t before = GPOINTER_TO_SIZE(g_hash_table_lookup(all, cas->part));
    if (written)
        g_hash_table_insert(all, cas->part, GSIZE_TO_POINTER(before + written));
    cas->part->unsettled += written;
}

/* Those that met an epoch of this process fly once more; the others are through. */
static bool sort_out(struct cas *cas, const struct command *commands, GError **error)
{
    size_t kept = 0, written = 0;
    bool ok = true;
    struct fences *fences = cas->store->fences;
    auto_hold(&fences->lock);
    g_ptr_array_remove_fast(cas->part->flights, &cas->flight);
    records_land(cas, commands + cas->flying->len);
    prune_done(cas);
    for (size_t i = 0; i < cas->flying->len; i++) {
        struct flying *flying = flying_at(cas, i);
        struct cas_op *op = &cas->ops[flying->op];
        landed(cas, flying, commands[i].fate);
        written += op->outcome == CAS_WRITTEN || op->outcome == CAS_DONE;
        if (commands[i].fate != ROUTE_ANSWERED || !flying->answer.data)
            continue;
        enum fence_answer answer = fence_answered(fences, cas->run, flying->place, flying->epoch, flying->answer);
        if (answer == FENCE_ANOTHERS)
            op->outcome = CAS_FENCED;
        else if (answer == FENCE_LOST && ok)
            ok = fence_lost(fences, cas->run, flying->place, error);
        else if (answer == FENCE_AGAIN) {
            struct flying again = *flying;
            *flying = *flying_at(cas, kept);
            *flying_at(cas, kept++) = again;
        }
    }
    count_written(cas, written);
    g_array_set_size(cas->flying, (unsigned)kept);
    return ok;
}

static bool fits_not(struct cas *cas, GError **error)
{
    auto_hold(&cas->store->fences->lock);
    g_ptr_array_remove_fast(cas->part->flights, &cas->flight);
    records_land(cas, NULL);
    prune_done(cas);
    return error_set(error, SLUICE_ERROR_TOO_BIG, "the batch does not fit into the memory of the call");
}

/* Arguments of all that fly; what cannot be written is taken out. */
static bool all_args(struct cas *cas, uint32_t base)
{
    g_autoptr(GString) key = g_string_new(NULL);
    size_t kept = 0;
    for (size_t i = 0; i < cas->flying->len; i++) {
        struct flying flying = *flying_at(cas, i);
        bool fits;
        bool made = op_args(cas, &flying, base, key, &fits);
        if (!fits)
            return false;
        *flying_at(cas, i) = *flying_at(cas, kept);
        *flying_at(cas, kept) = flying;
        kept += made;
    }
    g_array_set_size(cas->flying, (unsigned)kept);
    return record_args(cas, key);
}

static void op_command(const struct cas *cas, size_t first, size_t n, uint32_t place,
                       const struct valkey_script *script, struct command *ret)
{
    *ret = (struct command){.args = &g_array_index(cas->args, struct slice, first),
                            .n_args = n,
                            .slot = cas->store->cluster ? (int32_t)place : 0,
                            .script = script->text};
}

enum { RECORD_ARGS = 7 };

/* What stays as it was when something goes wrong is CAS_NOT_SENT. */
static bool fly(struct cas *cas, GError **error)
{
    size_t n = cas->flying->len + cas->records->len;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    for (size_t i = 0; i < cas->flying->len; i++) {
        const struct flying *flying = flying_at(cas, i);
        op_command(cas, flying->first, flying->n, flying->place, &script_cas, &commands[i]);
    }
    for (size_t i = 0; i < cas->records->len; i++) {
        const struct record_flight *record = cas->records->pdata[i];
        op_command(cas, record->first, RECORD_ARGS, record->home, &script_record, &commands[cas->flying->len + i]);
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = cas};
    bool ran = router_run(valkey_session_of(cas->session)->router, cas->call, &wish, error);
    size_t flew = cas->flying->len;
    bool unknown = false;
    for (size_t i = 0; i < flew && ran; i++)
        unknown = unknown || commands[i].fate == ROUTE_UNKNOWN;
    bool sorted = sort_out(cas, commands, ran ? error : NULL);
    if (ran && sorted && unknown)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection was lost before all writes were answered");
    return ran && sorted;
}

static bool rounds(struct cas *cas, GError **error)
{
    for (unsigned round = 0; round < CAS_ROUNDS && cas->flying->len; round++) {
        uint32_t base;
        if (!take_off(cas, &base)) {
            for (size_t i = 0; i < cas->flying->len; i++)
                cas->ops[flying_at(cas, i)->op].outcome = CAS_FENCED;
            return true;
        }
        g_array_set_size(cas->args, 0);
        if (!all_args(cas, base))
            return fits_not(cas, error);
        if (!fly(cas, error))
            return false;
    }
    return !cas->flying->len ||
           error_set(error, SLUICE_ERROR_BUSY, "partition %u: its places are being taken over again and again",
                     cas->lane->fence.part);
}

static void set_all(struct cas_op *ops, size_t n, enum cas_outcome outcome)
{
    for (size_t i = 0; i < n; i++)
        ops[i].outcome = outcome;
}

static bool cas_joined(struct cas *cas, size_t n, GError **error)
{
    {
        auto_hold(&cas->store->fences->lock);
        cas->part = fence_run_part(cas->run, cas->lane->fence.part);
    }
    if (!choose(cas, n, error))
        return false;
    g_autofree uint32_t *places = g_new(uint32_t, n);
    cas->flight.places = places;
    bool ok = rounds(cas, error);
    if (ok && cas->refused) {
        g_propagate_error(error, g_steal_pointer(&cas->refused));
        ok = false;
    }
    g_clear_error(&cas->refused);
    return ok;
}

bool valkey_cas(struct session *session, const struct call *call, const struct lane *lane, struct cas_op *ops, size_t n,
                GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct cas cas = {.session = session, .store = store, .call = call, .lane = lane, .ops = ops};
    if (!n)
        return true;
    if (!valkey_records_of(session, call->ds, &cas.ds, error) || !fence_join(session, call, lane, &cas.run, error))
        return false;
    if (!cas.run) {
        set_all(ops, n, CAS_FENCED);
        return true;
    }
    cas.mem = valkey_session_of(session)->mem;
    arena_reset(cas.mem);
    cas.server_keys = g_new0(struct slice, n);
    cas.flying = g_array_new(false, true, sizeof(struct flying));
    cas.pruned = g_array_new(false, false, sizeof(struct fence_field));
    cas.args = g_array_new(false, false, sizeof(struct slice));
    cas.pruning = g_array_new(false, false, sizeof(uint32_t));
    cas.records = g_ptr_array_new_with_free_func(record_flight_free);
    bool ok = cas_joined(&cas, n, error);
    g_ptr_array_unref(cas.records);
    g_array_unref(cas.args);
    g_array_unref(cas.pruning);
    g_array_unref(cas.pruned);
    g_array_unref(cas.flying);
    g_free(cas.server_keys);
    return ok || valkey_name_right(session, call, error);
}

/* --- settling ----------------------------------------------------------------------------------------------------- */

static void settled_parts(struct valkey_session *session, bool lost)
{
    GHashTableIter at;
    void *key, *count;
    g_hash_table_iter_init(&at, session->written);
    while (g_hash_table_iter_next(&at, &key, &count)) {
        struct fence_part *part = key;
        part->unsettled -= MIN(part->unsettled, GPOINTER_TO_SIZE(count));
        part->stale |= lost;
        if (lost)
            continue;
        if (!part->unsettled)
            part->settled = MAX(part->settled, part->highest);
        g_hash_table_add(session->due, part);
    }
    g_hash_table_remove_all(session->written);
    for (size_t i = 0; i < session->recorded->len && !lost; i++) {
        const struct valkey_recorded *recorded = &g_array_index(session->recorded, struct valkey_recorded, i);
        recorded->part->durable = MAX(recorded->part->durable, recorded->event);
    }
    g_array_set_size(session->recorded, 0);
}

bool valkey_session_settle(struct session *base, const struct call *call, bool *ret_lost, GError **error)
{
    struct valkey_session *session = valkey_session_of(base);
    struct fences *fences = valkey_store_of(base)->fences;
    g_autoptr(GError) failed = NULL;
    bool lost = !router_settle(session->router, call, &failed);
    if (lost && !error_is(failed, SLUICE_ERROR_UNSETTLED)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    auto_hold(&fences->lock);
    session->lost |= lost && g_hash_table_size(session->written) > 0;
    settled_parts(session, lost);
    *ret_lost = lost;
    return true;
}

bool valkey_settle(struct session *base, const struct call *call, GError **error)
{
    struct valkey_session *session = valkey_session_of(base);
    bool lost;
    if (!valkey_session_settle(base, call, &lost, error))
        return false;
    if (!session->lost)
        return true;
    session->lost = false;
    return error_set(error, SLUICE_ERROR_UNSETTLED,
                     "a server was replaced before it was known that its writes outlive it: what it kept of them is "
                     "read anew");
}
