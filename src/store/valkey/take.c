/* Fences on the wire: taking places over, reading them, writing records. */
#include "store/valkey/valkey_store.h"

#define TAKE_ROUNDS   8
#define RECORD_ROUNDS 16

/* One command to each of some places: their keys, and what answers. */
struct place_work {
    struct session *session;
    struct fences *fences;
    struct fence_run *run;
    const uint32_t *places; /* NULL: all, in order */
    size_t n;
    struct fence_intake *intake;
    char (*epochs)[FENCE_EPOCH_BYTES]; /* one a place; NULL: HGETALL only */
    bool one_epoch;                    /* only epochs[0], for all */
    bool made;                         /* a place had no fence that we know, and has a new one */
    uint64_t refused;                  /* the highest epoch that was not below ours */
    bool refused_ours;                 /* and it is of this opening of the store */
};

static uint32_t place_at(const struct place_work *work, size_t i)
{
    return work->places ? work->places[i] : (uint32_t)i;
}

static bool name_place(const struct place_work *work, size_t i, GError **error)
{
    g_autoptr(GString) key = g_string_new(NULL);
    fence_key(work->fences, work->run, place_at(work, i), key);
    return error_add(error, "key %s", key->str);
}

static void refused(struct place_work *work, struct slice epoch)
{
    bool ours;
    uint64_t number = fence_epoch_read(work->fences, epoch, &ours);
    if (number < work->refused)
        return;
    work->refused_ours = ours && (number > work->refused || work->refused_ours);
    work->refused = number;
}

/* Whether the fence came to be under an epoch that this process has yet to be granted. */
static bool is_new(const struct place_work *work, uint32_t place, const struct reply *fields)
{
    bool ours;
    auto_hold(&work->fences->lock);
    for (size_t i = 0; i + 1 < fields->n; i += 2)
        if (slice_equal(fields->items[i].bytes, slice_of_text("b")))
            return fence_epoch_read(work->fences, fields->items[i + 1].bytes, &ours) > work->run->places[place].epoch;
    return false;
}

static bool place_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct place_work *work = self;
    const struct reply *fields = reply;
    if (reply->type == REPLY_ERROR) {
        valkey_refused(reply, work->epochs ? "taking a fence over" : "reading a fence", error);
        return name_place(work, i, error);
    }
    if (work->epochs) {
        if (!reply_is_array(reply, 2) || reply->items[0].type != REPLY_INTEGER)
            return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
        if (reply->items[0].integer == 0) {
            refused(work, reply->items[1].bytes);
            return true;
        }
        fields = &reply->items[1];
        work->made = work->made || is_new(work, place_at(work, i), fields);
    }
    return fence_intake_add(work->intake, place_at(work, i), fields, error) || name_place(work, i, error);
}

static void place_args(const struct place_work *work, size_t i, struct slice key, struct slice *into)
{
    if (!work->epochs) {
        into[0] = slice_of_text("HGETALL");
        into[1] = key;
        return;
    }
    into[0] = slice_of_text("EVALSHA");
    into[1] = slice_of_text(script_take.sha);
    into[2] = slice_of_text("1");
    into[3] = key;
    into[4] = slice_of_text(work->epochs[work->one_epoch ? 0 : i]);
}

/* Taking over is safe to repeat: the same epoch of the same holder is taken as it stands. */
static bool place_run(struct place_work *work, const struct call *call, GError **error)
{
    struct valkey_store *store = valkey_store_of(work->session);
    enum { ARGS = 5 };
    size_t n_args = work->epochs ? ARGS : 2;
    g_autofree struct command *commands = g_new0(struct command, work->n);
    g_autofree struct slice *args = g_new(struct slice, work->n * ARGS);
    g_autoptr(GStringChunk) texts = g_string_chunk_new(4096);
    g_autoptr(GString) key = g_string_new(NULL);
    work->refused = 0;
    work->refused_ours = false;
    work->made = false;
    for (size_t i = 0; i < work->n; i++) {
        fence_key(work->fences, work->run, place_at(work, i), key);
        place_args(work, i, slice_of(g_string_chunk_insert(texts, key->str), key->len), args + i * ARGS);
        commands[i] = (struct command){.args = args + i * ARGS,
                                       .n_args = n_args,
                                       .slot = store->cluster ? (int32_t)place_at(work, i) : 0,
                                       .repeatable = true,
                                       .script = work->epochs ? script_take.text : NULL};
    }
    struct route_wish wish = {
        .commands = commands, .n = work->n, .light = ROUTE_LIGHT, .answer = place_answer, .self = work};
    return router_run(valkey_session_of(work->session)->router, call, &wish, error);
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

bool fence_look(struct session *session, const struct call *call, struct fence_run *run, struct fence_intake **ret,
                GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    auto_(fence_intake) intake = fence_intake_new();
    struct place_work work = {.session = session, .fences = fences, .run = run, .n = fences->places, .intake = intake};
    if (!place_run(&work, call, error))
        return false;
    *ret = g_steal_pointer(&intake);
    return true;
}

struct record_look {
    struct fences *fences;
    uint32_t part;
    struct fence_seen seen;
};

static bool record_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct record_look *look = self;
    bool ours;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "reading a fence", error);
    if (!reply_is_array(reply, 2))
        return error_set(error, SLUICE_ERROR_STORE, "the server answers HMGET with something else");
    if (reply->items[0].type == REPLY_BYTES)
        look->seen.epoch = MAX(look->seen.epoch, fence_epoch_read(look->fences, reply->items[0].bytes, &ours));
    struct slice record = reply->items[1].bytes;
    auto_(fence_state) state = NULL;
    if (reply->items[1].type != REPLY_BYTES)
        return true;
    if (record.len < sizeof(uint64_t) ||
        !fence_state_decode(&state, slice_of(record.data + sizeof(uint64_t), record.len - sizeof(uint64_t)), error))
        return error_add(error, "partition %u", look->part);
    look->seen.highest = MAX(look->seen.highest, fence_state_highest(state));
    return true;
}

enum { RECORD_HOMES = 2, RECORD_LOOK_ARGS = 4 };

bool fence_look_record(struct session *session, const struct call *call, struct fence_run *run, const struct lane *lane,
                       struct fence_seen *ret, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    uint32_t part = lane->fence.part;
    struct record_look look = {.fences = store->fences, .part = part};
    uint32_t homes[RECORD_HOMES] = {fence_home(store->fences, part)};
    bool near = valkey_place_near(session, call, lane->near, &homes[1]);
    size_t n = near && homes[0] != homes[1] ? RECORD_HOMES : 1;
    struct slice args[RECORD_HOMES][RECORD_LOOK_ARGS];
    struct command commands[RECORD_HOMES];
    char fields[RECORD_HOMES][FENCE_FIELD_BYTES];
    g_autoptr(GStringChunk) texts = g_string_chunk_new(256);
    g_autoptr(GString) key = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        fence_key(store->fences, run, homes[i], key);
        fence_record_field(store->fences, part, homes[i], fields[i]);
        args[i][0] = slice_of_text("HMGET");
        args[i][1] = slice_of(g_string_chunk_insert(texts, key->str), key->len);
        args[i][2] = slice_of_text("e");
        args[i][3] = slice_of_text(fields[i]);
        commands[i] = (struct command){.args = args[i],
                                       .n_args = RECORD_LOOK_ARGS,
                                       .slot = store->cluster ? (int32_t)homes[i] : 0,
                                       .repeatable = true};
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = record_answer, .self = &look};
    if (!router_run(valkey_session_of(session)->router, call, &wish, error))
        return error_add(error, "key %s", key->str);
    *ret = look.seen;
    return true;
}

/* --- taking over -------------------------------------------------------------------------------------------------- */

static uint64_t step_above(uint64_t epoch)
{
    return (epoch / FENCE_EPOCH_STEP + 1) * FENCE_EPOCH_STEP;
}

/* All places under one new epoch, above *io_epoch and all that stand there. */
static bool take_all(struct session *session, const struct call *call, struct fence_run *run, uint64_t *io_epoch,
                     struct fence_intake **ret, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    for (unsigned round = 0; round < TAKE_ROUNDS; round++) {
        char epoch[1][FENCE_EPOCH_BYTES];
        auto_(fence_intake) intake = fence_intake_new();
        struct place_work work = {.session = session,
                                  .fences = fences,
                                  .run = run,
                                  .n = fences->places,
                                  .intake = intake,
                                  .epochs = epoch,
                                  .one_epoch = true};
        *io_epoch = step_above(*io_epoch);
        fence_epoch_put(fences, *io_epoch, epoch[0]);
        if (!place_run(&work, call, error))
            return false;
        if (!work.refused) {
            *ret = g_steal_pointer(&intake);
            return true;
        }
        *io_epoch = work.refused;
    }
    return error_set(error, SLUICE_ERROR_BUSY, "run %s: other processes are taking it over at the same time", run->hex);
}

static void place_granted(struct fence_place *place, uint64_t epoch)
{
    place->untold = place->untold && epoch < place->epoch;
    place->epoch = MAX(place->epoch, epoch);
}

static void hold_places(struct fences *fences, struct fence_run *run, uint64_t epoch)
{
    for (size_t i = 0; i < fences->places; i++)
        place_granted(&run->places[i], epoch);
    run->epoch = MAX(run->epoch, epoch);
    run->tick = MAX(run->tick, fence_tick_of(epoch));
}

/* What is not read again is unknown. */
static bool adopt_all(struct fences *fences, struct fence_run *run, const struct fence_intake *intake, GError **error)
{
    g_autoptr(GArray) parts = g_array_new(false, false, sizeof(uint32_t));
    fence_intake_parts(intake, parts);
    for (size_t i = 0; i < parts->len; i++)
        fence_run_part(run, g_array_index(parts, uint32_t, i));
    for (size_t i = 0; i < fences->places; i++)
        if (run->places[i].fields)
            g_array_set_size(run->places[i].fields, 0);
    GHashTableIter at;
    void *part;
    g_hash_table_iter_init(&at, run->parts);
    while (g_hash_table_iter_next(&at, NULL, &part)) {
        if (!fence_intake_adopt(intake, part, error))
            return false;
        fence_intake_note(intake, run, part);
    }
    return true;
}

/* Becomes the one thread that takes the run over, or waits for it. *ret_mine false: nothing is left to do. */
static bool claim(struct fences *fences, struct fence_run *run, bool again, bool *ret_mine, GError **error)
{
    auto_hold(&fences->lock);
    while (run->taking)
        pthread_cond_wait(&fences->changed, &fences->lock);
    *ret_mine = false;
    if (run->held)
        return true;
    if (run->superseded && !again)
        return error_set(error, SLUICE_ERROR_FENCED, "run %s: another process has taken it over", run->hex);
    run->taking = true;
    *ret_mine = true;
    return true;
}

static void release(struct fences *fences, struct fence_run *run)
{
    auto_hold(&fences->lock);
    run->taking = false;
    pthread_cond_broadcast(&fences->changed);
}

static uint64_t epoch_chosen(struct fences *fences, const struct fence_run *run)
{
    auto_hold(&fences->lock);
    return run->epoch;
}

/* What was read goes into records, which other servers keep: it has to be there for good. */
static bool outlives(struct session *session, const struct call *call, const struct fence_run *run, GError **error)
{
    bool lost;
    if (!valkey_session_settle(session, call, &lost, error))
        return false;
    return !lost || error_set(error, SLUICE_ERROR_UNREACHABLE,
                              "a server was replaced while run %s was being taken over", run->hex);
}

static void trial_begin(struct fences *fences, struct fence_run *run)
{
    auto_hold(&fences->lock);
    run->trials++;
}

/* Another one has the run, or had it and has ended it. */
static void trial_end(struct fences *fences, struct fence_run *run, bool is_anothers)
{
    auto_hold(&fences->lock);
    run->trials--;
    run->held = run->held && !is_anothers;
    run->superseded = run->superseded || is_anothers;
    pthread_cond_broadcast(&fences->changed);
}

/* Where a fence is missing it is made anew, and then nothing in it tells of another holder who has been there and has
 * ended the run. So the dataset's lock is asked: behind it, since who takes the lock later takes these places, too; and
 * before, so that who has slept for long leaves nothing. No thread writes under the new epoch before the answer. */
static bool take_tried(struct session *session, const struct call *call, struct fence_run *run, uint64_t *io_epoch,
                       struct fence_intake **ret, GError **error)
{
    return valkey_lock_stands(session, call, run->uid, error) && take_all(session, call, run, io_epoch, ret, error) &&
           outlives(session, call, run, error) && valkey_lock_stands(session, call, run->uid, error);
}

static bool take_run_claimed(struct session *session, const struct call *call, struct fence_run *run, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    auto_(fence_intake) intake = NULL;
    uint64_t epoch = epoch_chosen(fences, run);
    if (!take_tried(session, call, run, &epoch, &intake, error))
        return false;
    auto_hold(&fences->lock);
    hold_places(fences, run, epoch);
    if (!adopt_all(fences, run, intake, error))
        return false;
    g_array_set_size(run->unknown, 0);
    g_clear_pointer(&run->looked, fence_intake_free);
    run->held = true;
    run->superseded = false;
    return true;
}

bool fence_take_run(struct session *session, const struct call *call, struct fence_run *run, bool again, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    g_autoptr(GError) failed = NULL;
    bool mine;
    if (!claim(fences, run, again, &mine, error))
        return false;
    if (!mine)
        return true;
    trial_begin(fences, run);
    bool ok = take_run_claimed(session, call, run, &failed);
    trial_end(fences, run, error_is(failed, SLUICE_ERROR_FENCED));
    release(fences, run);
    if (failed)
        g_propagate_error(error, g_steal_pointer(&failed));
    return ok;
}

static bool take_part(struct session *session, const struct call *call, struct fence_run *run, struct fence_part *part,
                      GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    auto_(fence_intake) intake = NULL;
    uint64_t epoch = epoch_chosen(fences, run);
    if (!take_tried(session, call, run, &epoch, &intake, error))
        return false;
    auto_hold(&fences->lock);
    hold_places(fences, run, epoch);
    if (!fence_intake_adopt(intake, part, error))
        return false;
    fence_intake_note(intake, run, part);
    return true;
}

bool fence_take_part(struct session *session, const struct call *call, struct fence_run *run, struct fence_part *part,
                     GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    g_autoptr(GError) failed = NULL;
    trial_begin(fences, run);
    bool ok = take_part(session, call, run, part, &failed);
    trial_end(fences, run, error_is(failed, SLUICE_ERROR_FENCED));
    if (failed)
        g_propagate_error(error, g_steal_pointer(&failed));
    return ok;
}

/* --- some places -------------------------------------------------------------------------------------------------- */

static void forget_unknown(struct valkey_session *session, struct fence_run *run, const GArray *places,
                           const uint64_t *numbers)
{
    for (size_t i = run->unknown->len; i > 0; i--) {
        const struct fence_unknown *unknown = &g_array_index(run->unknown, struct fence_unknown, i - 1);
        bool there = false;
        for (size_t k = 0; k < places->len && !there; k++)
            there = g_array_index(places, uint32_t, k) == unknown->place && unknown->epoch < numbers[k];
        if (!there)
            continue;
        struct fence_part *part = fence_run_find(run, unknown->part);
        if (part) { /* applied or not, it is this session that settles it */
            g_hash_table_insert(session->written, part,
                                GSIZE_TO_POINTER(GPOINTER_TO_SIZE(g_hash_table_lookup(session->written, part)) + 1));
            part->unsettled++;
        }
        g_array_remove_index_fast(run->unknown, (unsigned)(i - 1));
    }
}

/* The epochs that the places get: each one more than what is known to stand there. */
static void next_epochs(struct fences *fences, struct fence_run *run, const GArray *places, uint64_t above,
                        char (*into)[FENCE_EPOCH_BYTES], uint64_t *numbers)
{
    auto_hold(&fences->lock);
    for (size_t i = 0; i < places->len; i++) {
        numbers[i] = MAX(run->places[g_array_index(places, uint32_t, i)].epoch, above) + 1;
        fence_epoch_put(fences, numbers[i], into[i]);
    }
}

static bool took_places(struct session *session, struct fence_run *run, const GArray *places, const uint64_t *numbers,
                        const struct fence_intake *intake, GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    auto_hold(&fences->lock);
    for (size_t i = 0; i < places->len; i++) {
        struct fence_place *place = &run->places[g_array_index(places, uint32_t, i)];
        place_granted(place, numbers[i]);
    }
    if (!fence_intake_merge(intake, run, error))
        return false;
    forget_unknown(valkey_session_of(session), run, places, numbers);
    return true;
}

static bool superseded(struct fences *fences, struct fence_run *run, GError **error)
{
    auto_hold(&fences->lock);
    run->held = false;
    run->superseded = true;
    return error_set(error, SLUICE_ERROR_FENCED, "run %s: another process has taken it over", run->hex);
}

static bool on_trial(const struct fence_run *run, const struct fence_place *place, uint64_t number)
{
    return (run->trials > 0 && number / FENCE_EPOCH_STEP > run->epoch / FENCE_EPOCH_STEP) ||
           (place->trials > 0 && number > place->epoch);
}

/* Whether a number of this opening of the store may be written under: of one that a thread has on trial the end of that
 * is awaited; of one that came to no end nobody knows. Lock held. */
static bool is_granted(struct fences *fences, const struct fence_run *run, uint32_t at, uint64_t number)
{
    const struct fence_place *place = &run->places[at];
    while (on_trial(run, place, number))
        pthread_cond_wait(&fences->changed, &fences->lock);
    return number / FENCE_EPOCH_STEP <= run->epoch / FENCE_EPOCH_STEP && !(place->untold && number > place->epoch);
}

static void trials_begin(struct fences *fences, struct fence_run *run, const GArray *places)
{
    auto_hold(&fences->lock);
    for (size_t i = 0; i < places->len; i++)
        run->places[g_array_index(places, uint32_t, i)].trials++;
}

static void trials_end(struct fences *fences, struct fence_run *run, const GArray *places, bool ok)
{
    auto_hold(&fences->lock);
    for (size_t i = 0; i < places->len; i++) {
        struct fence_place *place = &run->places[g_array_index(places, uint32_t, i)];
        place->trials--;
        place->untold = place->untold || !ok;
    }
    pthread_cond_broadcast(&fences->changed);
}

static bool take_places(struct session *session, const struct call *call, struct fence_run *run, const GArray *places,
                        GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    uint64_t above = 0;
    for (unsigned round = 0; round < TAKE_ROUNDS; round++) {
        auto_(fence_intake) intake = fence_intake_new();
        g_autofree char(*epochs)[FENCE_EPOCH_BYTES] = g_malloc(places->len * FENCE_EPOCH_BYTES + 1);
        g_autofree uint64_t *numbers = g_new(uint64_t, places->len + 1);
        next_epochs(fences, run, places, above, epochs, numbers);
        struct place_work work = {.session = session,
                                  .fences = fences,
                                  .run = run,
                                  .places = (const uint32_t *)(const void *)places->data,
                                  .n = places->len,
                                  .intake = intake,
                                  .epochs = epochs};
        if (!place_run(&work, call, error) || (work.made && !valkey_lock_stands(session, call, run->uid, error)))
            return false;
        if (!work.refused)
            return took_places(session, run, places, numbers, intake, error);
        if (!work.refused_ours)
            return superseded(fences, run, error);
        above = work.refused;
    }
    return error_set(error, SLUICE_ERROR_BUSY, "run %s: its places are being taken over again and again", run->hex);
}

bool fence_take_places(struct session *session, const struct call *call, struct fence_run *run, const GArray *places,
                       GError **error)
{
    struct fences *fences = valkey_store_of(session)->fences;
    g_autoptr(GError) failed = NULL;
    trials_begin(fences, run, places);
    bool ok = take_places(session, call, run, places, &failed);
    trials_end(fences, run, places, ok);
    if (ok)
        return true;
    if (error_is(failed, SLUICE_ERROR_FENCED))
        superseded(fences, run, NULL);
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

/* --- records ------------------------------------------------------------------------------------------------------ */

enum fence_answer fence_answered(struct fences *fences, struct fence_run *run, uint32_t place, uint64_t sent,
                                 struct slice epoch)
{
    bool ours;
    uint64_t number = fence_epoch_read(fences, epoch, &ours);
    bool granted = !ours || number <= sent || is_granted(fences, run, place, number);
    if (!granted && !run->superseded)
        return FENCE_LOST;
    if (ours && number > sent && granted) {
        run->places[place].epoch = MAX(run->places[place].epoch, number);
        return FENCE_AGAIN;
    }
    if (number < sent)
        return FENCE_LOST;
    run->held = false;
    run->superseded = true;
    return FENCE_ANOTHERS;
}

struct record_write {
    bool fenced;
    GByteArray *epoch;
};

static bool wrote_record(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct record_write *write = self;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "writing a fence", error);
    write->fenced = reply->type != REPLY_INTEGER;
    if (!write->fenced)
        return true;
    if (!reply_is_array(reply, 2))
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
    g_byte_array_set_size(write->epoch, 0);
    g_byte_array_append(write->epoch, reply->items[1].bytes.data, (unsigned)reply->items[1].bytes.len);
    return true;
}

static bool send_record(struct session *session, const struct call *call, const struct command *made,
                        struct record_write *write, GError **error)
{
    struct command command = *made;
    struct route_wish wish = {.commands = &command, .n = 1, .answer = wrote_record, .self = write};
    if (!router_run(valkey_session_of(session)->router, call, &wish, error))
        return false;
    return command.fate == ROUTE_ANSWERED ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection was lost while a fence was being written");
}

bool fence_lost(struct fences *fences, struct fence_run *run, uint32_t place, GError **error)
{
    g_autoptr(GString) key = g_string_new(NULL);
    fence_key(fences, run, place, key);
    GHashTableIter at;
    void *part;
    g_hash_table_iter_init(&at, run->parts);
    while (g_hash_table_iter_next(&at, NULL, &part))
        ((struct fence_part *)part)->stale = true;
    return error_set(error, SLUICE_ERROR_UNSETTLED,
                     "key %s: it was deleted or is older than it was, by hand, by a restart or with a server: what it "
                     "kept of this run's writes is read anew",
                     key->str);
}

static bool record_answered(struct fences *fences, struct fence_run *run, uint32_t home, uint64_t sent,
                            const struct record_write *write, GError **error)
{
    auto_hold(&fences->lock);
    switch (fence_answered(fences, run, home, sent, slice_of(write->epoch->data, write->epoch->len))) {
    case FENCE_AGAIN:
        return true;
    case FENCE_LOST:
        return fence_lost(fences, run, home, error);
    case FENCE_ANOTHERS:
        break;
    }
    return error_set(error, SLUICE_ERROR_FENCED, "run %s: another process has taken it over", run->hex);
}

static uint64_t epoch_of(struct fences *fences, struct fence_run *run, uint32_t place)
{
    auto_hold(&fences->lock);
    return run->places[place].epoch;
}

static uint32_t home_of(struct fences *fences, struct fence_part *part)
{
    auto_hold(&fences->lock);
    return fence_part_home(fences, part);
}

bool fence_write_record(struct session *session, const struct call *call, struct fence_run *run,
                        struct fence_part *part, const struct fence_state *state, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    uint32_t home = home_of(store->fences, part);
    g_autoptr(GByteArray) record = g_byte_array_new();
    g_autoptr(GByteArray) answered = g_byte_array_new();
    g_autoptr(GString) key = g_string_new(NULL);
    char field[FENCE_FIELD_BYTES], epoch[FENCE_EPOCH_BYTES];
    fence_record_put(part, state, record);
    fence_key(store->fences, run, home, key);
    fence_record_field(store->fences, part->part, home, field);
    for (unsigned round = 0; round < RECORD_ROUNDS; round++) {
        struct record_write write = {.epoch = answered};
        uint64_t sent = epoch_of(store->fences, run, home);
        fence_epoch_put(store->fences, sent, epoch);
        struct slice args[] = {slice_of_text("EVALSHA"),
                               slice_of_text(script_record.sha),
                               slice_of_text("1"),
                               slice_of_text(key->str),
                               slice_of_text(epoch),
                               slice_of_text(field),
                               slice_of(record->data, record->len)};
        struct command command = {.args = args,
                                  .n_args = G_N_ELEMENTS(args),
                                  .slot = store->cluster ? (int32_t)home : 0,
                                  .script = script_record.text};
        if (!send_record(session, call, &command, &write, error))
            return error_add(error, "key %s", key->str);
        if (!write.fenced)
            return true;
        if (!record_answered(store->fences, run, home, sent, &write, error))
            return false;
    }
    return error_set(error, SLUICE_ERROR_BUSY, "key %s: it is being taken over again and again", key->str);
}
