/* A run on its own source: what was in the source stands in the undo log, read through `undo:` by its own decoder. The
 * listing says which keys, the checkpoints how each ended, the log what the written ones were before. */
#include "verify/verify_parts.h"

/* Records of the undo log come in the order of the batches, but not sorted within them, and after a crash those of a
 * redone batch come late: what is not wanted yet waits here. Bounded by a batch or two. */
struct undo_feed {
    struct scan *scan;
    struct arena *mem, *spare; /* of what waits; what still does moves from one to the other now and then */
    size_t room_bytes;         /* in `mem`, until it moves */
    struct waiting **slots;    /* open addressing, a power of two of them */
    size_t n_slots, used, waiting;
    bool done;
};

#define ROOM_BYTES (8u << 20)
#define SLOTS      4096u

struct waiting {
    struct record record;
    uint64_t hash;
    bool taken; /* its slot is free only when the table is made anew */
};

static void feed_begin(struct undo_feed *feed, struct scan *scan)
{
    *feed = (struct undo_feed){.scan = scan, .room_bytes = ROOM_BYTES, .n_slots = SLOTS};
    feed->mem = arena_new(256 << 20);
    feed->spare = arena_new(256 << 20);
    feed->slots = g_new0(struct waiting *, feed->n_slots);
}

static void feed_done(struct undo_feed *feed)
{
    g_free(feed->slots);
    arena_free(feed->mem);
    arena_free(feed->spare);
}

/* Where the key waits, or would. */
static struct waiting **slot_of(const struct undo_feed *feed, struct slice key, uint64_t hash)
{
    size_t at = (size_t)hash & (feed->n_slots - 1);
    while (feed->slots[at] &&
           (feed->slots[at]->taken || feed->slots[at]->hash != hash || !slice_equal(feed->slots[at]->record.key, key)))
        at = (at + 1) & (feed->n_slots - 1);
    return &feed->slots[at];
}

/* The table anew, twice as large as what waits needs, without what has been taken. */
static void make_room(struct undo_feed *feed)
{
    size_t n = feed->n_slots;
    struct waiting **old = feed->slots;
    while (feed->n_slots < 4 * feed->waiting)
        feed->n_slots *= 2;
    feed->slots = g_new0(struct waiting *, feed->n_slots);
    for (size_t i = 0; i < n; i++)
        if (old[i] && !old[i]->taken)
            *slot_of(feed, old[i]->record.key, old[i]->hash) = old[i];
    feed->used = feed->waiting;
    g_free(old);
}

static bool does_not_fit(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

static bool put_waiting(struct undo_feed *feed, const struct record *record, GError **error)
{
    uint64_t hash = digest_bytes(record->key, 0).low;
    struct waiting **slot = slot_of(feed, record->key, hash);
    if (*slot)
        return true; /* the first pre-image is the one from before the run */
    *slot = arena_alloc(feed->mem, sizeof **slot);
    if (!*slot)
        return does_not_fit(error);
    **slot = (struct waiting){.record = *record, .hash = hash};
    feed->waiting++;
    if (2 * ++feed->used > feed->n_slots)
        make_room(feed);
    return true;
}

/* What waits, into the other arena; the one it was in begins anew. */
static bool move_waiting(struct undo_feed *feed, GError **error)
{
    struct arena *from = feed->mem, *to = feed->spare;
    for (size_t i = 0; i < feed->n_slots; i++) {
        struct waiting *old = feed->slots[i], *copy;
        if (!old || old->taken)
            continue;
        copy = arena_alloc(to, sizeof *copy);
        if (!copy)
            return does_not_fit(error);
        *copy = *old;
        if (!arena_copy(to, old->record.key, &copy->record.key) || !arena_copy(to, old->record.raw, &copy->record.raw))
            return does_not_fit(error);
        feed->slots[i] = copy;
    }
    make_room(feed);
    arena_reset(from);
    feed->mem = to;
    feed->spare = from;
    feed->room_bytes = MAX(ROOM_BYTES, 2 * arena_used(to));
    return true;
}

static bool feed_more(struct pass *pass, struct undo_feed *feed, GError **error)
{
    struct batch batch = {0};
    struct dataset ds = {0};
    if (arena_used(feed->mem) > feed->room_bytes && !move_waiting(feed, error))
        return false;
    struct call call = {.ds = &ds, .mem = feed->mem, .cancel = pass->input->cancel};
    if (!store_scan_next(feed->scan, &call, &batch, error))
        return false;
    for (size_t i = 0; i < batch.n; i++)
        if (!put_waiting(feed, &batch.records[i], error))
            return false;
    feed->done = batch.done;
    return true;
}

/* The undo record of one key, until the next call; *ret NULL where the log holds none. */
static bool feed_take(struct pass *pass, struct undo_feed *feed, struct slice key, struct waiting **ret, GError **error)
{
    uint64_t hash = digest_bytes(key, 0).low;
    while (!(*ret = *slot_of(feed, key, hash)) && !feed->done)
        if (!feed_more(pass, feed, error))
            return false;
    if (*ret) {
        (*ret)->taken = true;
        feed->waiting--;
    }
    return true;
}

static bool take_written(struct pass *pass, const struct waiting *waiting, struct slice key, enum outcome outcome,
                         GError **error)
{
    const struct verify_input *input = pass->input;
    const struct record *record = &waiting->record;
    struct given given = {.key = key,
                          .expires_at_ms = record->expires_at_ms,
                          .outcome = outcome,
                          .has_undo = true,
                          .pre_present = record->presence == RECORD_PRESENT,
                          .pre_expires_at_ms = record->expires_at_ms};
    bool deleted;
    if (!arena_copy(pass->mem, record->raw, &given.pre_raw))
        return does_not_fit(error);
    if (!store_decode(store_driver(input->target), &input->target_ds, given.pre_raw, pass->mem, &given.document, error))
        return false;
    if (!undo_record_written(record, &given.written, &deleted))
        return error_set(error, SLUICE_ERROR_CORRUPT, "undo log: a record without the digest of what was written");
    struct pre_image_logged logged = {.key = key, .document = given.document};
    undo_record_nth(record, &logged.place);
    pass->preimages.of[sample_says(input->sample, &logged)]++;
    pass_give(pass, &given);
    return true;
}

static bool missing_entry(struct pass *pass, struct slice key, GError **error)
{
    struct difference difference = {
        .class = VERIFY_IN_DOUBT, .key = key, .why = "counted as written, but the undo log holds no entry of it"};
    pass_count(pass, VERIFY_IN_DOUBT);
    return report_difference(pass->verification, &difference, error);
}

static bool take_key(struct pass *pass, struct undo_feed *feed, struct slice key, enum outcome outcome, GError **error)
{
    static const enum verify_class ASIDE[] = {[OUTCOME_KEPT_LIVE] = VERIFY_KEPT,
                                              [OUTCOME_REJECTED] = VERIFY_REFUSED,
                                              [OUTCOME_FILTERED] = VERIFY_FILTERED,
                                              [OUTCOME_GONE] = VERIFY_GONE,
                                              [OUTCOME_IN_DOUBT] = VERIFY_IN_DOUBT};
    struct waiting *waiting;
    if (outcome != OUTCOME_WRITTEN && outcome != OUTCOME_DELETED) {
        pass_count(pass, outcome < G_N_ELEMENTS(ASIDE) ? ASIDE[outcome] : VERIFY_IN_DOUBT);
        return true;
    }
    if (!feed_take(pass, feed, key, &waiting, error))
        return false;
    if (!waiting)
        return missing_entry(pass, key, error);
    return take_written(pass, waiting, key, outcome, error);
}

/* One that needed no change, and is no document any more. Bytes are the application's: the run wrote none. */
static bool tell_unreadable(struct pass *pass, const struct record *record, const char *why, GError **error)
{
    bool present = record->presence == RECORD_PRESENT;
    struct difference difference = {.class = present ? VERIFY_CHANGED_SINCE : VERIFY_NOT_COMPARABLE,
                                    .key = record->key,
                                    .live_expires_at_ms = record->expires_at_ms,
                                    .saw = present ? SAW_RECORD : SAW_NOTHING,
                                    .why = why};
    if (present)
        difference.seen = digest_stored(record->raw, record->expires_at_ms);
    pass_count(pass, difference.class);
    return report_difference(pass->verification, &difference, error);
}

static bool take_one_unchanged(struct pass *pass, const struct record *record, GError **error)
{
    const struct verify_input *input = pass->input;
    g_autoptr(GError) failed = NULL;
    struct given given = {.key = record->key, .expires_at_ms = record->expires_at_ms, .outcome = OUTCOME_UNCHANGED};
    if (record->presence == RECORD_ABSENT) {
        pass_count(pass, VERIFY_CHANGED_SINCE);
        return true;
    }
    if (record->presence == RECORD_FAULT)
        return tell_unreadable(pass, record, record->fault.text, error);
    if (!store_decode(store_driver(input->target), &input->target_ds, record->raw, pass->mem, &given.document, &failed))
        return verify_is_of_record(&failed, error) && tell_unreadable(pass, record, failed->message, error);
    pass_give(pass, &given);
    return true;
}

struct taking {
    struct pass *pass;
    const struct verify_part *part;
    GArray *subjects;
};

/* What was given so far. */
static bool judge_given(const struct taking *taking, GError **error)
{
    struct pass *pass = taking->pass;
    g_array_set_size(taking->subjects, 0);
    return pass_transform(pass, taking->subjects, error) &&
           (taking->subjects->len == 0 || judge_subjects(pass, taking->part, taking->subjects, error));
}

static bool judge_unchanged(void *self, struct record *records, size_t n, GError **error)
{
    const struct taking *taking = self;
    for (size_t i = 0; i < n; i++)
        if (!take_one_unchanged(taking->pass, &records[i], error))
            return false;
    return judge_given(taking, error);
}

/* Keys that needed no change: the transform must still find nothing to do, unless the application has written them, as
 * large as it likes. They are judged with what was written of the batch. */
static bool take_unchanged(struct taking *taking, GArray *keys, GError **error)
{
    struct pass *pass = taking->pass;
    struct call call = pass_call(pass, &pass->input->target_ds);
    const struct read_portions by = {.portions = &pass->portions, .take = judge_unchanged, .self = taking};
    if (keys->len == 0)
        return judge_given(taking, error);
    return store_read_portions(pass->target, &call, (struct record *)(void *)keys->data, keys->len, &by, error);
}

/* A key that is not looked at: what the log holds of it must not wait for ever. */
static bool pass_over(struct pass *pass, struct undo_feed *feed, struct slice key, enum outcome outcome, GError **error)
{
    struct waiting *waiting;
    return (outcome != OUTCOME_WRITTEN && outcome != OUTCOME_DELETED) || feed_take(pass, feed, key, &waiting, error);
}

#define BATCH_KEYS 1000u

static bool take_keys(struct pass *pass, struct undo_feed *feed, const struct verify_part *part, GArray *subjects,
                      GError **error)
{
    struct slice *keys;
    size_t n;
    g_autoptr(GArray) unchanged = g_array_new(FALSE, TRUE, sizeof(struct record));
    struct taking taking = {pass, part, subjects};
    for (uint64_t index = 0;; index += n) {
        arena_reset(pass->mem);
        g_array_set_size(unchanged, 0);
        if (!listing_reader_next(pass->listing, pass_room(pass, index), pass->mem, &keys, &n, error))
            return false;
        if (n == 0)
            return true;
        for (size_t i = 0; i < n; i++) {
            enum outcome outcome = pass_outcome(pass, index + i);
            struct record record = {.key = keys[i]};
            if (!chosen_has(&pass->chosen, index + i)) {
                if (!pass_over(pass, feed, keys[i], outcome, error))
                    return false;
            } else if (outcome == OUTCOME_UNCHANGED)
                g_array_append_val(unchanged, record);
            else if (!take_key(pass, feed, keys[i], outcome, error))
                return false;
        }
        if (!take_unchanged(&taking, unchanged, error))
            return false;
    }
}

bool pass_same_dataset(struct pass *pass, const struct verify_part *part, GError **error)
{
    auto_(scan) scan = NULL;
    struct dataset ds = {0};
    g_autoptr(GArray) subjects = g_array_new(FALSE, TRUE, sizeof(struct subject));
    struct scan_spec spec = {.ds = &ds,
                             .bounds = undo_part_bounds(part->part, pass->part_mem),
                             .max_records = BATCH_KEYS,
                             .max_bytes = 1 << 20};
    if (!store_scan_open(&scan, pass->undo, &spec, error) ||
        !listing_reader_seek_in(pass->listing, &part->keys, 0, error))
        return false;
    struct undo_feed feed;
    feed_begin(&feed, scan);
    bool ok = take_keys(pass, &feed, part, subjects, error);
    feed_done(&feed);
    return ok;
}
