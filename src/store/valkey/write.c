/* Numbered writes: operations of one place in calls of cas.lua, pipelined to the servers that own their slots. */
#include "store/keyed.h"
#include "store/valkey/together.h"

enum { CAS_ROUNDS = 16, SHADOWED = 3 };

static void record_flight_free(void *at)
{
    struct record_flight *record = at;
    g_byte_array_unref(record->bytes);
    g_free(record);
}

static bool refuse(struct cas_op *op, enum error_code code, const char *text)
{
    op->outcome = CAS_REFUSED;
    op->fault = (struct fault){.code = code, .text = text};
    return false;
}

bool cas_refuse_with(struct cas *cas, struct cas_op *op, GError *failed)
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
    if (!cas->apart && op->verb == CAS_PUT &&
        op->raw.len > (cas->ds->form->form == FORM_RAW ? VALKEY_RAW_BYTES : DOCUMENT_BYTES))
        return refuse(op, SLUICE_ERROR_TOO_BIG, "the value is larger than a record may be");
    if (!key_template_to_server(cas->ds->template, op->key, cas->mem, &cas->server_keys[i], &failed))
        return cas_refuse_with(cas, op, failed);
    if (!cas->shadow_keys)
        return true;
    const uint8_t *run = cas->call->ds->shadow ? cas->call->ds->shadow : cas->call->promotes;
    cas->shadow_keys[i] = valkey_shadow_key(cas->store, run, cas->server_keys[i], cas->mem);
    return cas->shadow_keys[i].data || refuse(op, SLUICE_ERROR_TOO_BIG, "there is no memory for its key");
}

static int by_place(const void *a, const void *b)
{
    const struct flying *x = a, *y = b;
    return x->place != y->place ? (x->place > y->place) - (x->place < y->place) : (x->op > y->op) - (x->op < y->op);
}

/* Those that are to be sent, and where, place by place; waits while the partition's lanes are being changed. */
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
    if (cas->store->cluster)
        g_array_sort(cas->flying, by_place);
    return true;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void changed(struct cas *cas, struct cas_op *op, const struct reply *answer)
{
    const struct reply *image = answer->items;
    g_autoptr(GError) failed = NULL;
    op->outcome = CAS_CHANGED;
    op->live = (struct record){.key = op->key};
    if (cas->apart)
        return;
    if (cas->ds->form->image(image, op->key, valkey_session_of(cas->session)->work, cas->call->mem, &op->live,
                             &failed)) {
        struct slice key;
        if (arena_copy(cas->call->mem, op->key, &key)) {
            op->live.key = key;
            if (answer->n == SHADOWED)
                valkey_shadow_image(&op->live);
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
        cas_refuse_with(cas, op, failed);
        return;
    }
    valkey_refused(reply, "a numbered write", cas->refused ? NULL : &cas->refused);
}

static void fly_alone(struct cas *cas, const struct volley *volley)
{
    for (size_t i = 0; i < volley->n; i++) {
        struct flying *flying = flying_at(cas, volley->from + i);
        flying->alone = flying->again = true;
    }
}

static void too_large(struct cas *cas, const struct flying *flying, int64_t bytes)
{
    struct large_record large = {flying->op, bytes};
    cas->ops[flying->op].outcome = CAS_CHANGED;
    g_array_append_val(cas->large, large);
}

/* 0 written, 1 done, 4 not looked at; { image, expiry } changed; { bytes } too large; an error. */
static bool take_one(struct cas *cas, struct flying *flying, const struct reply *reply, GError **error)
{
    enum { WRITTEN, DONE, UNSEEN = 4, NO_SHADOW };
    struct cas_op *op = &cas->ops[flying->op];
    if (reply->type == REPLY_ERROR)
        refused_by_server(cas, op, reply);
    else if (reply_is_array(reply, 2) || reply_is_array(reply, SHADOWED))
        changed(cas, op, reply);
    else if (reply_is_array(reply, 1) && reply->items[0].type == REPLY_INTEGER)
        too_large(cas, flying, reply->items[0].integer);
    else if (reply->type != REPLY_INTEGER)
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
    else if (reply->integer == UNSEEN)
        flying->alone = flying->again = true;
    else if (reply->integer == NO_SHADOW)
        flying->by_value = flying->again = true;
    else
        op->outcome = reply->integer == DONE ? CAS_DONE : CAS_WRITTEN;
    return true;
}

static bool take_each(struct cas *cas, struct volley *volley, const struct reply *answers, GError **error)
{
    if (answers->type != REPLY_ARRAY || answers->n != volley->n)
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
    volley->through = true;
    for (size_t i = 0; i < volley->n; i++)
        if (!take_one(cas, flying_at(cas, volley->from + i), &answers->items[i], error))
            return false;
    return true;
}

static void take_all_written(struct cas *cas, struct volley *volley)
{
    volley->through = true;
    for (size_t i = 0; i < volley->n; i++)
        cas->ops[flying_at(cas, volley->from + i)->op].outcome = CAS_WRITTEN;
}

static void take_fenced(struct cas *cas, struct volley *volley, struct slice epoch)
{
    if (!arena_copy(cas->mem, epoch, &volley->answer))
        volley->answer = SLICE_EMPTY;
    if (!volley->answer.data)
        volley->answer.data = (const uint8_t *)"";
}

static bool take_together(struct cas *cas, struct volley *volley, const struct reply *reply, GError **error)
{
    struct slice epoch;
    switch (together_answered(cas->session, reply, &epoch)) {
    case TOGETHER_WRITTEN:
        take_all_written(cas, volley);
        return true;
    case TOGETHER_FENCED:
        take_fenced(cas, volley, epoch);
        return true;
    case TOGETHER_STRANGE:
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a transaction with something else");
    case TOGETHER_NOTHING:
        break;
    }
    for (size_t i = 0; i < volley->n; i++) {
        struct flying *flying = flying_at(cas, volley->from + i);
        flying->called = flying->again = true;
    }
    return true;
}

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    enum { EACH = 2 };
    struct cas *cas = self;
    if (i >= cas->volleys->len) { /* one that is fenced or refused is written another time */
        ((struct record_flight *)cas->records->pdata[i - cas->volleys->len])->written = reply->type == REPLY_INTEGER;
        return true;
    }
    struct volley *volley = volley_at(cas, i);
    if (volley->together)
        return take_together(cas, volley, reply, error);
    if (reply->type == REPLY_INTEGER) {
        take_all_written(cas, volley);
    } else if (reply->type == REPLY_ERROR && volley->n > 1 && !valkey_is_right(reply)) {
        fly_alone(cas, volley);
    } else if (reply->type == REPLY_ERROR) {
        refused_by_server(cas, &cas->ops[flying_at(cas, volley->from)->op], reply);
    } else if (!reply_is_array(reply, 2)) {
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
    } else if (reply->items[0].integer == EACH) {
        return take_each(cas, volley, &reply->items[1], error);
    } else {
        take_fenced(cas, volley, reply->items[1].bytes);
    }
    return true;
}

/* --- one round ---------------------------------------------------------------------------------------------------- */

static int32_t server_of_home(const struct cas *cas, const struct topology *topology, struct fence_part *part)
{
    return topology->owner[fence_part_home(cas->store->fences, part)];
}

/* The servers, by their number, that this call is for; those of nobody's slots are none. The caller frees. */
static bool *servers_met(const struct cas *cas, const struct topology *topology)
{
    bool *met = g_new0(bool, topology->n + 1);
    int32_t home = server_of_home(cas, topology, cas->part);
    if (home >= 0)
        met[home] = true;
    for (size_t i = 0; i < cas->flying->len; i++) {
        int32_t server = topology->owner[flying_at(cas, i)->place];
        if (server >= 0)
            met[server] = true;
    }
    return met;
}

/* Records of partitions of this run that have marks which were settled; only the first round takes them along. One that
 * the session had before waits until it has something for that server again: nobody needs it, and the server may be a
 * slow one. */
static void records_take_off(struct cas *cas, const struct topology *topology)
{
    GHashTable *due = valkey_session_of(cas->session)->due;
    GHashTableIter at;
    void *key;
    if (cas->apart && cas->apart->watch) /* nothing else goes into the transaction */
        return;
    g_autofree bool *met = servers_met(cas, topology);
    g_hash_table_iter_init(&at, due);
    while (g_hash_table_iter_next(&at, &key, NULL)) {
        struct fence_part *part = key;
        int32_t server = server_of_home(cas, topology, part);
        if (server < 0 || !met[server])
            continue;
        g_hash_table_iter_remove(&at);
        if (fence_run_find(cas->run, part->part) != part || part->busy || part->recording || part->stale)
            continue;
        if (!part->kept) /* its lanes were changed since */
            continue;
        if (part->record_unknown) /* it could still arrive behind a newer one, whose marks are pruned by then */
            continue;
        struct record_flight *record = g_new0(struct record_flight, 1);
        record->part = part;
        record->event = part->kept_event;
        record->home = fence_part_home(cas->store->fences, part);
        record->epoch = cas->run->places[record->home].epoch;
        record->flight = (struct fence_flight){.places = &record->home, .n = 1};
        record->bytes = g_steal_pointer(&part->kept);
        part->recording = true;
        g_ptr_array_add(part->flights, &record->flight);
        g_ptr_array_add(cas->records, record);
    }
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
    auto_(topology) topology = routes_topology(cas->store->routes);
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
        flying->again = false;
        cas->flight.places[cas->flight.n++] = flying->place;
        prune_in(cas, flying);
    }
    g_ptr_array_add(cas->part->flights, &cas->flight);
    records_take_off(cas, topology);
    return true;
}

static void landed(struct cas *cas, const struct flying *flying, enum route_fate fate)
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
}

/* What the script said of the place as a whole. */
static bool volley_fenced(struct cas *cas, const struct volley *volley, GError **error)
{
    enum fence_answer answer =
        fence_answered(cas->store->fences, cas->run, volley->place, volley->epoch, volley->answer);
    for (size_t i = 0; i < volley->n; i++) {
        struct flying *flying = flying_at(cas, volley->from + i);
        if (answer == FENCE_ANOTHERS)
            cas->ops[flying->op].outcome = CAS_FENCED;
        flying->again = answer == FENCE_AGAIN;
    }
    return answer != FENCE_LOST || fence_lost(cas->store->fences, cas->run, volley->place, error);
}

static bool volley_landed(struct cas *cas, const struct volley *volley, enum route_fate fate, size_t *io_written,
                          GError **error)
{
    for (size_t i = 0; i < volley->n; i++) {
        const struct flying *flying = flying_at(cas, volley->from + i);
        enum cas_outcome outcome;
        landed(cas, flying, fate);
        outcome = cas->ops[flying->op].outcome;
        *io_written += outcome == CAS_WRITTEN || outcome == CAS_DONE;
    }
    for (size_t i = 0; i < volley->n_pruned && volley->through; i++)
        fence_pruned(cas->run, volley->place, &g_array_index(cas->pruned, struct fence_field, volley->pruned + i));
    return fate != ROUTE_ANSWERED || !volley->answer.data || volley_fenced(cas, volley, error);
}

static void count_written(struct cas *cas, size_t written)
{
    GHashTable *all = valkey_session_of(cas->session)->written;
    size_t before = GPOINTER_TO_SIZE(g_hash_table_lookup(all, cas->part));
    if (written)
        g_hash_table_insert(all, cas->part, GSIZE_TO_POINTER(before + written));
    cas->part->unsettled += written;
}

/* Those that met an epoch of this process, or were not looked at, fly once more; the others are through. */
static bool sort_out(struct cas *cas, const struct command *commands, GError **error)
{
    size_t kept = 0, written = 0;
    bool ok = true;
    auto_hold(&cas->store->fences->lock);
    g_ptr_array_remove_fast(cas->part->flights, &cas->flight);
    records_land(cas, commands + cas->volleys->len);
    prune_done(cas);
    for (size_t i = 0; i < cas->volleys->len; i++)
        if (!volley_landed(cas, volley_at(cas, i), commands[i].fate, &written, ok ? error : NULL))
            ok = false;
    for (size_t i = 0; i < cas->flying->len; i++)
        if (flying_at(cas, i)->again)
            *flying_at(cas, kept++) = *flying_at(cas, i);
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

static void op_command(const struct cas *cas, size_t first, size_t n, uint32_t place,
                       const struct valkey_script *script, struct command *ret)
{
    *ret = (struct command){.args = &g_array_index(cas->args, struct slice, first),
                            .n_args = n,
                            .slot = cas->store->cluster ? (int32_t)place : 0,
                            .script = script->text};
}

static void together_command(const struct cas *cas, const struct volley *volley, struct command *parts,
                             struct command *ret)
{
    static const struct slice exec = {.data = (const uint8_t *)"EXEC", .len = 4};
    together_parts(cas, volley, parts);
    *ret = (struct command){.args = &exec, .n_args = 1, .parts = parts, .n_parts = TOGETHER_PARTS, .gives_way = true};
}

enum { RECORD_ARGS = 7 };

/* The reply to EXEC: what the script gave, or nothing where the record has changed. */
struct transaction {
    struct cas *cas;
    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error);
};
enum { MULTI, SCRIPT, EXEC, TRANSACTION };

static bool transaction_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct transaction *transaction = self;
    if (i != EXEC || reply->type == REPLY_NULL)
        return true;
    return transaction->answer(transaction->cas, 0, reply_is_array(reply, 1) ? &reply->items[0] : reply, error);
}

static bool run_transaction(struct cas *cas, struct command *command, GError **error)
{
    const struct pieces_watch *watch = cas->apart->watch;
    const struct slice multi[] = {slice_of_text("MULTI")}, exec[] = {slice_of_text("EXEC")};
    struct command commands[TRANSACTION] = {
        [MULTI] = {.args = multi, .n_args = 1}, [SCRIPT] = *command, [EXEC] = {.args = exec, .n_args = 1}};
    for (size_t i = 0; i < TRANSACTION; i++) {
        commands[i].slot = -1;
        commands[i].at = &watch->at;
    }
    struct transaction transaction = {.cas = cas, .answer = take_answer};
    struct route_wish wish = {.commands = commands,
                              .n = TRANSACTION,
                              .bound = watch->bound,
                              .answer = transaction_answer,
                              .self = &transaction};
    bool ran = router_run(valkey_session_of(cas->session)->router, cas->call, &wish, error);
    command->fate = commands[EXEC].fate;
    return ran;
}

/* What stays as it was when something goes wrong is CAS_NOT_SENT. */
static bool fly(struct cas *cas, GError **error)
{
    size_t volleys = cas->volleys->len, n = volleys + cas->records->len;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct command *parts = g_new0(struct command, volleys * TOGETHER_PARTS + 1);
    for (size_t i = 0; i < volleys; i++) {
        const struct volley *volley = volley_at(cas, i);
        if (volley->together)
            together_command(cas, volley, parts + i * TOGETHER_PARTS, &commands[i]);
        else
            op_command(cas, volley->first, volley->n_args, volley->place, &script_cas, &commands[i]);
        commands[i].weight = (uint32_t)volley->n;
    }
    for (size_t i = 0; i < cas->records->len; i++) {
        const struct record_flight *record = cas->records->pdata[i];
        op_command(cas, record->first, RECORD_ARGS, record->home, &script_record, &commands[volleys + i]);
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = cas};
    bool ran = cas->apart && cas->apart->watch
                   ? run_transaction(cas, commands, error)
                   : valkey_run_of_few(cas->session, cas->call, &wish, &cas->store->writers, error);
    bool unknown = false;
    for (size_t i = 0; i < volleys && ran; i++)
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
        if (!cas_volleys(cas, base))
            return fits_not(cas, error);
        if (!fly(cas, error))
            return false;
        if (cas->apart && cas->apart->watch) /* which was over with the transaction: the caller looks again */
            return true;
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

/* What a script met that would have kept its server from others. With `apart` the caller reads it. */
static bool read_large(struct cas *cas, GError **error)
{
    for (guint i = 0; i < cas->large->len && !cas->apart; i++) {
        const struct large_record *large = &g_array_index(cas->large, struct large_record, i);
        struct cas_op *op = &cas->ops[large->op];
        op->live = (struct record){0};
        if (!arena_copy(cas->call->mem, op->key, &op->live.key))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "the batch does not fit into the memory of the call");
        if (!valkey_image_of_large(cas->session, cas->call, cas->server_keys[large->op], large->bytes, &op->live,
                                   error))
            return false;
    }
    return true;
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
    bool ok = rounds(cas, error) && read_large(cas, error);
    if (ok && cas->refused) {
        g_propagate_error(error, g_steal_pointer(&cas->refused));
        ok = false;
    }
    g_clear_error(&cas->refused);
    return ok;
}

/* Where the fence has gone: with its server, or with the run, which another one has ended. FENCED then. */
static bool still_ours(struct session *session, const struct call *call, const struct cas *cas, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (!error || !error_is(*error, SLUICE_ERROR_UNSETTLED) ||
        valkey_lock_stands(session, call, cas->run->uid, &failed) || !error_is(failed, SLUICE_ERROR_FENCED))
        return false;
    g_clear_error(error);
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

bool valkey_cas_as(struct session *session, const struct call *call, const struct valkey_writes *writes, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct cas cas = {.session = session,
                      .store = store,
                      .call = call,
                      .lane = writes->lane,
                      .ops = writes->ops,
                      .apart = writes->apart};
    size_t n = writes->n;
    if (!n)
        return true;
    if (!valkey_records_of(session, call->ds, &cas.ds, error) || !fence_join(session, call, cas.lane, &cas.run, error))
        return false;
    if (!cas.run) {
        set_all(cas.ops, n, CAS_FENCED);
        return true;
    }
    together_learn(session, call);
    cas.mem = valkey_session_of(session)->mem;
    arena_reset(cas.mem);
    cas.server_keys = g_new0(struct slice, n);
    cas.shadow_keys = call->ds->shadow || call->promotes ? g_new0(struct slice, n) : NULL;
    cas.flying = g_array_new(false, true, sizeof(struct flying));
    cas.volleys = g_array_new(false, false, sizeof(struct volley));
    cas.pruned = g_array_new(false, false, sizeof(struct fence_field));
    cas.args = g_array_new(false, false, sizeof(struct slice));
    cas.pruning = g_array_new(false, false, sizeof(uint32_t));
    cas.records = g_ptr_array_new_with_free_func(record_flight_free);
    cas.large = g_array_new(false, false, sizeof(struct large_record));
    bool ok = cas_joined(&cas, n, error) || still_ours(session, call, &cas, error);
    g_ptr_array_unref(cas.records);
    g_array_unref(cas.large);
    g_array_unref(cas.args);
    g_array_unref(cas.pruning);
    g_array_unref(cas.pruned);
    g_array_unref(cas.volleys);
    g_array_unref(cas.flying);
    g_free(cas.server_keys);
    g_free(cas.shadow_keys);
    return ok || valkey_name_right(session, call, error);
}

bool valkey_cas_settled(struct session *session, const struct call *call, const struct valkey_writes *writes, bool *ret,
                        GError **error)
{
    struct cas cas = {.store = valkey_store_of(session), .call = call, .lane = writes->lane};
    if (!fence_join(session, call, cas.lane, &cas.run, error))
        return false;
    if (!cas.run) {
        set_all(writes->ops, 1, CAS_FENCED);
        return *ret = true;
    }
    auto_hold(&cas.store->fences->lock);
    cas.part = fence_run_part(cas.run, cas.lane->fence.part);
    *ret = !decide_here(&cas, writes->ops);
    return true;
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
        if (part->unsettled)
            continue;
        part->settled = MAX(part->settled, part->highest);
        fence_part_keep(part);
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
    if (!lost && !session->lost)
        router_settled(session->router);
    if (!session->lost)
        return true;
    session->lost = false;
    return error_set(error, SLUICE_ERROR_UNSETTLED,
                     "a server was replaced before it was known that its writes outlive it: what it kept of them is "
                     "read anew");
}
