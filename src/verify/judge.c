/* Comparing a batch of keys: one read of the target, a second look at what differs, a class for each. */
#include "base/slicesort.h"
#include "store/undo/undo_store.h"
#include "verify/expect.h"
#include "verify/extras.h"
#include "verify/rules.h"
#include "verify/shift.h"
#include "verify/theirs.h"
#include "verify/verify_parts.h"

#define LOOKS 3

void pass_count(struct pass *pass, enum verify_class class)
{
    pass->found.of[class]++;
}

static struct subject *subject_at(GArray *subjects, size_t i)
{
    return &g_array_index(subjects, struct subject, i);
}

/* They are large: their places are sorted; and most sources come in order. */
static void sort_subjects(GArray *subjects)
{
    size_t n = subjects->len;
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = slice_compare(subject_at(subjects, i - 1)->key, subject_at(subjects, i)->key) <= 0;
    if (sorted)
        return;
    g_autofree struct subject *found = g_memdup2(subjects->data, n * sizeof *found);
    g_autofree struct slice_place *order = g_new(struct slice_place, n);
    for (size_t i = 0; i < n; i++)
        order[i] = (struct slice_place){.key = found[i].key, .place = i};
    slicesort(order, n);
    for (size_t i = 0; i < n; i++)
        *subject_at(subjects, i) = found[order[i].place];
}

static bool undecided(const struct subject *subject)
{
    return !subject->equal && !subject->stood;
}

/* Reads the live records of those that are neither equal nor stood still, of which there is one at least. */
static bool read_live(struct pass *pass, GArray *subjects, bool expiry, GError **error)
{
    struct call call = pass_call(pass, &pass->input->target_ds);
    call.no_expiry = !expiry;
    g_autoptr(GArray) records = g_array_new(FALSE, TRUE, sizeof(struct record));
    for (size_t i = 0; i < subjects->len; i++) {
        struct record record = {.key = subject_at(subjects, i)->key};
        if (undecided(subject_at(subjects, i)))
            g_array_append_val(records, record);
    }
    if (!store_read(pass->target, &call, (struct record *)(void *)records->data, records->len, error))
        return false;
    for (size_t i = 0, at = 0; i < subjects->len; i++)
        if (undecided(subject_at(subjects, i))) {
            subject_at(subjects, i)->live = g_array_index(records, struct record, at++);
            subject_at(subjects, i)->looks++;
        }
    return true;
}

static bool same_expiry(const struct subject *subject)
{
    return !subject->expiry_known || subject->live.expires_at_ms == subject->expires_at_ms;
}

static bool decode_target(const struct pass *pass, struct slice raw, struct slice *ret, GError **error)
{
    return store_decode(store_driver(pass->input->target), &pass->input->target_ds, raw, pass->mem, ret, error);
}

static bool digest_target(const struct pass *pass, struct slice raw, struct digest *ret, GError **error)
{
    const struct verify_input *input = pass->input;
    struct slice document;
    return store_digest(store_driver(input->target), &input->target_ds, raw, input->seed, ret) ||
           (decode_target(pass, raw, &document, error) && digest_canonical(document, input->seed, ret, error));
}

bool judge_documents(const struct pass *pass, struct subject *subject, GError **error)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    if (subject->raw.len && !subject->kept && !decode_target(pass, subject->raw, &subject->document, error))
        return false;
    subject->kept = true;
    if (!present || subject->why || subject->live_document.len)
        return true;
    if (subject->raw.len && slice_equal(subject->raw, subject->live.raw)) {
        subject->live_document = subject->document;
        return true;
    }
    return decode_target(pass, subject->live.raw, &subject->live_document, error);
}

/* Bytes first: equal bytes need no canonical form. What differs is shown, and may have a version. */
static bool compare(struct pass *pass, struct subject *subject, GError **error)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    subject->live_digest = (struct digest){0};
    subject->live_document = SLICE_EMPTY;
    if (present && subject->raw.len && slice_equal(subject->raw, subject->live.raw)) {
        subject->live_digest = subject->wanted_digest;
    } else if (present && !digest_target(pass, subject->live.raw, &subject->live_digest, error))
        return false;
    if (subject->want_absent || !present)
        subject->equal = subject->want_absent && !present;
    else
        subject->equal = digest_equal(subject->wanted_digest, subject->live_digest) && same_expiry(subject);
    return subject->equal || judge_documents(pass, subject, error);
}

/* The live record is of no form that its store gives: what it is, its bytes alone say. Of several it may be that they
 * do not fit into memory together. */
static bool cannot_be_compared(const struct pass *pass, struct subject *subject, bool alone, GError **io,
                               GError **error)
{
    if (error_class(*io) != ERROR_RECORD || (!alone && error_is(*io, SLUICE_ERROR_TOO_BIG))) {
        g_propagate_error(error, g_steal_pointer(io));
        return false;
    }
    subject->why = arena_text(pass->mem, slice_of_text((*io)->message));
    return subject->why || error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

static bool compare_all(struct pass *pass, GArray *subjects, size_t *ret_unequal, GError **error)
{
    *ret_unequal = 0;
    for (size_t i = 0; i < subjects->len; i++) {
        struct subject *subject = subject_at(subjects, i);
        g_autoptr(GError) failed = NULL;
        if (!undecided(subject))
            continue;
        subject->why = subject->live.presence == RECORD_FAULT ? subject->live.fault.text : NULL;
        if (!compare(pass, subject, &failed) && !cannot_be_compared(pass, subject, subjects->len == 1, &failed, error))
            return false;
        *ret_unequal += !subject->equal;
    }
    return true;
}

/* --- what the run recorded
 * -------------------------------------------------------------------------------------------- */

/* Where those that want the key begin, if there are any. */
static size_t find(GArray *subjects, struct slice key)
{
    size_t low = 0, high = subjects->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(subject_at(subjects, middle)->key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of several records that want one key: whether this write is the subject's own. What its checkpoint counts, and what
 * the log says of the write, are what it wants. */
static bool is_own_write(const struct subject *subject, const struct record *record, struct digest written,
                         bool deleted)
{
    bool keeps = !subject->expiry_known && record->presence == RECORD_PRESENT;
    if (subject->want_absent || deleted)
        return subject->want_absent && deleted && subject->outcome == OUTCOME_DELETED;
    return subject->outcome == OUTCOME_WRITTEN &&
           digest_equal(digest_stored(subject->raw, keeps ? record->expires_at_ms : subject->expires_at_ms), written);
}

/* Or whether it found standing there what it wants, as its checkpoint says, and therefore wrote nothing. It may have
 * been written over by the application before the run wrote the newer one. */
static bool found_wanted(const struct subject *subject)
{
    return subject->outcome == OUTCOME_UNCHANGED;
}

/* The writes of a key come in their order. */
static bool take_undo(struct pass *pass, const struct record *record, struct subject *subject, GError **error)
{
    bool deleted;
    if (!undo_record_written(record, &subject->written, &deleted))
        return error_set(error, SLUICE_ERROR_CORRUPT, "undo log: a record without the digest of what was written");
    bool own = is_own_write(subject, record, subject->written, deleted);
    subject->came_to_stand |= found_wanted(subject);
    subject->written_over = subject->came_to_stand && !own;
    subject->came_to_stand |= own;
    subject->deleted_last = deleted;
    if (subject->has_undo)
        return true; /* the first pre-image is the one from before the run */
    subject->has_undo = true;
    subject->pre_present = record->presence == RECORD_PRESENT;
    subject->pre_expires_at_ms = record->expires_at_ms;
    return arena_copy(pass->mem, record->raw, &subject->pre_raw) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

static bool take_record(struct pass *pass, const struct record *record, GArray *subjects, GError **error)
{
    for (size_t i = find(subjects, record->key); i < subjects->len; i++) {
        struct subject *subject = subject_at(subjects, i);
        if (!slice_equal(subject->key, record->key))
            return true;
        if (!subject->equal && !take_undo(pass, record, subject, error))
            return false;
    }
    return true;
}

/* Only where something differs: what the undo log says of those keys. Subjects are sorted by key. */
static bool recorded(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error)
{
    auto_(scan) scan = NULL;
    auto_(arena) mem = arena_new(256 << 20);
    struct dataset ds = {0};
    struct batch batch = {0};
    struct call call = {.ds = &ds, .mem = mem, .cancel = pass->input->cancel};
    if (!pass->undo || pass->input->same_dataset)
        return true;
    struct scan_spec spec = {
        .ds = &ds, .bounds = undo_part_bounds(part->part, pass->mem), .max_records = 1000, .max_bytes = 1 << 20};
    if (!store_scan_open(&scan, pass->undo, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n; i++)
            if (!take_record(pass, &batch.records[i], subjects, error))
                return false;
    }
    return true;
}

/* --- classes
 * ---------------------------------------------------------------------------------------------------------- */

static bool is_pre_image(const struct subject *subject)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    if (!present || !subject->pre_present)
        return present == subject->pre_present;
    return subject->live.expires_at_ms == subject->pre_expires_at_ms &&
           slice_equal(subject->live.raw, subject->pre_raw);
}

static bool is_newer(const struct pass *pass, const struct subject *subject)
{
    struct version live;
    return pass->input->version && subject->live_document.len > 0 &&
           version_of(pass->input->version, subject->live_document, &live, NULL) &&
           version_compare(live, subject->version, pass->input->skew_ms) == VERSION_NEWER;
}

static bool is_last_write(const struct subject *subject)
{
    return subject->has_undo && subject->live.presence == RECORD_PRESENT &&
           digest_equal(digest_stored(subject->live.raw, subject->live.expires_at_ms), subject->written);
}

/* What the subject wants stood there, and then the run itself put there a newer state of the key, or took it away; that
 * this one is right, the record says that wanted it. */
static bool is_superseded_by_own(const struct pass *pass, const struct subject *subject)
{
    bool absent = subject->live.presence == RECORD_ABSENT;
    return subject->written_over &&
           (absent ? subject->deleted_last : is_last_write(subject) && is_newer(pass, subject));
}

static bool expired(const struct pass *pass, const struct subject *subject)
{
    int64_t now_ms = world_wall_ms(pass->input->world);
    return subject->expiry_known && subject->expires_at_ms != EXPIRES_NEVER && subject->expires_at_ms <= now_ms &&
           subject->live.presence != RECORD_PRESENT;
}

/* What the newest reading says by itself; not equal. */
static enum verify_class class_of_reading(const struct pass *pass, const struct subject *subject)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    if (subject->live.presence == RECORD_FAULT || (subject->why && !pass->input->catalog))
        return VERIFY_NOT_COMPARABLE;
    if (expired(pass, subject))
        return VERIFY_EXPIRED;
    if (is_superseded_by_own(pass, subject))
        return VERIFY_SUPERSEDED;
    if (is_last_write(subject))
        return VERIFY_DIFFERING;
    if (subject->has_undo ? is_pre_image(subject) : !present)
        return VERIFY_MISSING;
    if (is_newer(pass, subject))
        return VERIFY_SUPERSEDED;
    /* Without a run there is no record of what was written: what is not equal differs. */
    return pass->input->catalog ? VERIFY_CHANGED_SINCE : VERIFY_DIFFERING;
}

/* --- looking again
 * ------------------------------------------------------------------------------------------------------------ */

/* Neither what the run wrote for this record nor what stood there before. */
static bool is_theirs(enum verify_class class)
{
    return class == VERIFY_CHANGED_SINCE || class == VERIFY_SUPERSEDED;
}

static void note_reading(const struct pass *pass, struct subject *subject)
{
    subject->first_live = subject->live_digest;
    subject->theirs = subject->theirs && is_theirs(class_of_reading(pass, subject));
}

/* One that was looked at once more; whether it moves still. */
static bool looked(struct subject *subject, int64_t first_us, int64_t now_us)
{
    if (undecided(subject))
        subject->age_ms = (now_us - first_us) / 1000;
    subject->stood = !subject->equal && digest_equal(subject->first_live, subject->live_digest);
    return undecided(subject);
}

/* A difference counts only if the same pair of digests persists, from one look to the next. What keeps moving is the
 * application's where every reading showed a write of its own, and in flight else. Where the target has been scanned
 * for what changed, that was a look already. */
static bool look_again(struct pass *pass, GArray *subjects, GError **error)
{
    size_t unequal;
    bool moving = false;
    int64_t first_us = world_monotonic_us(pass->input->world);
    for (size_t i = 0; i < subjects->len; i++) {
        struct subject *subject = subject_at(subjects, i);
        subject->theirs = true;
        subject->stood = !subject->equal && resolve_stood(pass, &subject->live);
        moving |= undecided(subject);
    }
    for (int look = 0; look < LOOKS && moving; look++) {
        for (size_t i = 0; i < subjects->len; i++)
            if (undecided(subject_at(subjects, i)))
                note_reading(pass, subject_at(subjects, i));
        world_sleep_us(pass->input->world, pass->input->again_after_ms * 1000, pass->input->cancel);
        if (!read_live(pass, subjects, true, error) || !compare_all(pass, subjects, &unequal, error))
            return false;
        moving = false;
        for (size_t i = 0; i < subjects->len; i++) {
            moving |= looked(subject_at(subjects, i), first_us, world_monotonic_us(pass->input->world));
        }
    }
    return true;
}

enum verify_class judge_class(const struct pass *pass, const struct subject *subject)
{
    if (subject->equal)
        return subject->word ? VERIFY_DIFFERING : VERIFY_EQUAL;
    enum verify_class class = class_of_reading(pass, subject);
    return subject->stood || (subject->theirs && is_theirs(class)) ? class : VERIFY_IN_FLIGHT;
}

static void add_to_sums(struct pass *pass, const struct subject *subject)
{
    struct found *found = &pass->found;
    uint64_t seed = pass->input->seed;
    found->compared++;
    if (!subject->want_absent)
        set_digest_add(&found->wanted, digest_keyed(subject->key, subject->wanted_digest, seed));
    if (subject->live.presence != RECORD_PRESENT)
        return;
    set_digest_add(&found->live, digest_keyed(subject->key, subject->live_digest, seed));
    struct sketch_entry entry;
    sums_add(pass->input, &subject->live, &found->stored, &entry);
    if (pass->sketch)
        sketch_add(pass->sketch, entry.key, entry.value);
}

static struct difference difference_of(const struct subject *subject, enum verify_class class)
{
    bool present = subject->live.presence == RECORD_PRESENT;
    struct difference difference = {.class = class,
                                    .key = subject->key,
                                    .from = subject->from,
                                    .wanted = subject->document,
                                    .live = subject->live_document,
                                    .wanted_expires_at_ms = subject->expiry_known ? subject->expires_at_ms : 0,
                                    .live_expires_at_ms = subject->live.expires_at_ms,
                                    .expiry_differs = present && !same_expiry(subject),
                                    .saw = present                                   ? SAW_RECORD
                                           : subject->live.presence == RECORD_ABSENT ? SAW_ABSENT
                                                                                     : SAW_NOTHING,
                                    .looks = subject->looks,
                                    .age_ms = subject->age_ms,
                                    .theirs = subject->word,
                                    .theirs_why = subject->theirs_why,
                                    .why = subject->why};
    if (present)
        difference.seen = digest_stored(subject->live.raw, subject->live.expires_at_ms);
    return difference;
}

static void meet_expected(const struct pass *pass, struct slice key)
{
    const struct verify_input *input = pass->input;
    for (size_t i = 0; i < input->n_expects; i++)
        if (input->expects[i].key && slice_equal(slice_of_text(input->expects[i].key), key))
            pass->verification->due[i] = true;
}

/* What the run wrote stands in the target, and in the source too, where something else is made of it once more. */
static bool is_echo(const struct pass *pass, const struct subject *subject, enum verify_class class)
{
    struct digest source;
    return class == VERIFY_DIFFERING && subject->has_undo && !subject->equal && !pass->input->same_dataset &&
           slice_equal(subject->from, subject->key) &&
           digest_canonical(subject->source, pass->input->seed, &source, NULL) &&
           digest_equal(source, subject->live_digest);
}

static bool is_revived(const struct subject *subject)
{
    return subject->want_absent && !subject->written_over && subject->outcome == OUTCOME_DELETED &&
           subject->live.presence == RECORD_PRESENT;
}

/* strata_shard(); of a key that the target cannot have, none. */
static size_t shard_of(struct pass *pass, struct slice key)
{
    struct call call = pass_call(pass, &pass->input->target_ds);
    g_autoptr(GError) failed = NULL;
    const char *name;
    if (!store_server_of(pass->target, &call, key, &name, &failed))
        return 0;
    auto_hold(&pass->verification->lock);
    return strata_shard(&pass->verification->shards, name);
}

/* Of the size that is wanted; of what is to go, that which stands there. One of which nothing is to be seen is of none.
 */
static void add_to_strata(struct pass *pass, const struct verify_part *part, const struct subject *subject,
                          enum verify_class class)
{
    const struct draw *draw = pass->verification->draw;
    const struct slice *value = subject->raw.len ? &subject->raw : &subject->document;
    bool gone = subject->want_absent && subject->live.presence != RECORD_PRESENT;
    if (!draw || gone)
        return;
    struct strata_record record = {.bytes = subject->want_absent ? subject->live.raw.len : value->len,
                                   .at = subject->version.kind == VERSION_TIME ? &subject->version : NULL,
                                   .shard = shard_of(pass, subject->key),
                                   .bad = verify_class_is_bad(class),
                                   .weight = draw_weight(draw, pass->input, part)};
    strata_add(&pass->strata, pass->input, &record);
}

static void note_revived(struct verification *verification, struct slice key)
{
    g_autofree char *shown = rule_key_text(key);
    auto_hold(&verification->lock);
    if (verification->revived++ < EXPECT_NAMED)
        g_string_append_printf(verification->revived_keys, "%s'%s'", verification->revived > 1 ? ", " : "", shown);
}

static bool judge(struct pass *pass, const struct verify_part *part, struct subject *subject, GError **error)
{
    enum verify_class class = judge_class(pass, subject);
    bool sampled = shift_takes(pass->verification->shift, subject->key);
    if ((sampled || class != VERIFY_EQUAL) && !judge_documents(pass, subject, error))
        return false;
    struct difference difference = difference_of(subject, class);
    if (is_echo(pass, subject, class)) {
        difference.why = "the source holds what this run wrote into the target";
        pass->echoes++;
    } else if (is_revived(subject)) {
        difference.why = "the run deleted it, and it stands there again";
        note_revived(pass->verification, subject->key);
    } else if (class == VERIFY_SUPERSEDED && is_superseded_by_own(pass, subject))
        difference.why = "this run wrote a newer state of the key itself";
    pass_count(pass, class);
    add_to_strata(pass, part, subject, class);
    add_to_sums(pass, subject);
    meet_expected(pass, subject->key);
    if (sampled)
        shift_add(pass->verification->shift, subject->before, subject->live_document);
    return class == VERIFY_EQUAL || report_difference(pass->verification, &difference, error);
}

bool judge_wanted(const struct pass *pass, struct subject *subject, GError **error)
{
    const struct verify_input *input = pass->input;
    const struct store_driver *driver = store_driver(input->target);
    g_autoptr(GError) failed = NULL;
    struct slice raw;
    if (subject->want_absent)
        return true;
    if (store_encode(driver, &input->target_ds, subject->document, pass->mem, &raw, &failed) &&
        digest_target(pass, raw, &subject->wanted_digest, &failed)) {
        subject->raw = raw;
        return true;
    }
    if (error_class(failed) != ERROR_RECORD) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    return digest_canonical(subject->document, input->seed, &subject->wanted_digest, error);
}

static bool wanted_digests(const struct pass *pass, GArray *subjects, GError **error)
{
    for (size_t i = 0; i < subjects->len; i++)
        if (!judge_wanted(pass, subject_at(subjects, i), error))
            return false;
    return true;
}

/* Of ranges: each key is this partition's. */
static bool own(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error)
{
    struct owners_writer *owners = pass->verification->owners;
    if (!owners)
        return true;
    g_autofree struct digest *keys = g_new(struct digest, subjects->len);
    for (size_t i = 0; i < subjects->len; i++)
        keys[i] = digest_bytes(subject_at(subjects, i)->key, pass->input->seed);
    return owners_writer_add(owners, part->part, keys, subjects->len, error);
}

/* --- a portion at a time -------------------------------------------------------------------------------------------
 */

/* Of what was transformed together, as many as the target's records let into memory; of those that are not equal once
 * more as many as their pre-images and further looks let. */
struct judging {
    struct pass *pass;
    const struct verify_part *part;
    GArray *all, *copy; /* of struct subject */
    GArray *some;       /* the portion as it is judged: one of them */
    size_t unequal;
};

static void copy_some(struct judging *judging, size_t first, size_t n)
{
    g_array_set_size(judging->copy, 0);
    g_array_append_vals(judging->copy, subject_at(judging->all, first), (guint)n);
    judging->some = judging->copy;
}

/* All of them where they lie: most batches are one portion. Behind one that was too large, as if nobody had looked:
 * what stands of a document's bytes is made of them again. */
static void begin_some(struct judging *judging, size_t first, size_t n)
{
    judging->some = judging->all;
    if (n == judging->all->len)
        return;
    copy_some(judging, first, n);
    for (size_t i = 0; i < n; i++) {
        struct subject *subject = subject_at(judging->some, i);
        subject->looks = 0;
        subject->equal = subject->kept = false;
    }
}

static bool first_look(void *self, size_t first, size_t n, GError **error)
{
    struct judging *judging = self;
    struct pass *pass = judging->pass;
    bool expiry = sums_know_expiry(pass->input);
    begin_some(judging, first, n);
    GArray *some = judging->some;
    if (!read_live(pass, some, expiry, error) || !compare_all(pass, some, &judging->unequal, error))
        return false;
    return judging->unequal == 0 || expiry || /* which tells what differs apart */
           (read_live(pass, some, true, error) && compare_all(pass, some, &judging->unequal, error));
}

static bool further_looks(void *self, size_t first, size_t n, GError **error)
{
    struct judging *judging = self;
    copy_some(judging, first, n);
    return recorded(judging->pass, judging->part, judging->some, error) &&
           look_again(judging->pass, judging->some, error);
}

static bool tell_some(void *self, size_t first, size_t n, GError **error)
{
    const struct judging *judging = self;
    struct pass *pass = judging->pass;
    GArray *some = judging->some;
    if (!theirs_judge(pass, some, error))
        return false;
    for (size_t i = 0; i < some->len; i++)
        if (!judge(pass, judging->part, subject_at(some, i), error))
            return false;
    return extras_note_wanted(pass->verification->extras, some, error) && own(pass, judging->part, some, error);
}

static bool settle_some(void *self, size_t first, size_t n, GError **error)
{
    const struct judging *judging = self;
    g_autoptr(GArray) copy = g_array_new(FALSE, FALSE, sizeof(struct subject));
    struct portions portions = {0};
    struct judging unequal = {.pass = judging->pass, .part = judging->part, .all = judging->some, .copy = copy};
    const struct portions_way way = {.read = further_looks, .take = tell_some, .self = &unequal};
    if (judging->unequal == 0)
        return tell_some(self, first, n, error);
    return portions_each(&portions, judging->pass->mem, n, &way, error);
}

bool judge_subjects(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error)
{
    g_autoptr(GArray) copy = g_array_new(FALSE, FALSE, sizeof(struct subject));
    struct judging judging = {.pass = pass, .part = part, .all = subjects, .copy = copy};
    const struct portions_way way = {.read = first_look, .take = settle_some, .self = &judging};
    sort_subjects(subjects);
    return wanted_digests(pass, subjects, error) &&
           portions_each(&pass->portions, pass->mem, subjects->len, &way, error);
}
