/* One thread of a verification: a partition of a source elsewhere, from its own scan to classes. */
#include "verify/extras.h"
#include "verify/verify_parts.h"

#define PASS_BYTES        (256u << 20)
#define BATCH_RECORDS     1000u
#define BATCH_BYTES       (8u << 20) /* as they stand in the store; what they are compared by takes several times that */
#define FEWER             8u
#define SOURCE_BYTES      (PASS_BYTES / 8) /* of a batch that was read; the target is as large again, and is shown */
#define PASSED_OVER_BYTES (4u << 20)

bool pass_open(struct pass *pass, struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    *pass = (struct pass){.verification = verification, .input = input};
    pass->mem = arena_new(PASS_BYTES);
    pass->part_mem = arena_new(PASS_BYTES);
    pass->given = g_array_new(FALSE, TRUE, sizeof(struct given));
    pass->room = BATCH_RECORDS;
    if (verification->sketch)
        pass->sketch = sketch_like(verification->sketch);
    return store_session_open(&pass->source, input->source, error) &&
           store_session_open(&pass->target, input->target, error) &&
           (!verification->undo || store_session_open(&pass->undo, verification->undo, error)) &&
           (!input->skip_path || skiplist_open(&pass->skips, input->world, input->skip_path, NULL, error)) &&
           (!input->listing_path ||
            listing_reader_open(&pass->listing, input->world, input->listing_path, NULL, error));
}

void pass_done(struct pass *pass)
{
    g_clear_pointer(&pass->transform, transform_free);
    g_clear_pointer(&pass->source, store_session_close);
    g_clear_pointer(&pass->target, store_session_close);
    g_clear_pointer(&pass->undo, store_session_close);
    g_clear_pointer(&pass->skips, skiplist_free);
    g_clear_pointer(&pass->listing, listing_reader_free);
    g_clear_pointer(&pass->catalog, catalog_free);
    g_clear_pointer(&pass->mem, arena_free);
    g_clear_pointer(&pass->part_mem, arena_free);
    g_clear_pointer(&pass->given, g_array_unref);
    g_clear_pointer(&pass->sketch, sketch_free);
}

struct call pass_call(const struct pass *pass, const struct dataset *ds)
{
    return (struct call){.ds = ds, .mem = pass->mem, .cancel = pass->input->cancel, .no_etag = true};
}

/* --- recorded outcomes
 * ------------------------------------------------------------------------------------------------ */

/* The checkpoint of the last answer is where this one is looked for first: a partition of 100,000 checkpoints costs no
 * more a key than one of ten. */
enum outcome pass_outcome(struct pass *pass, uint64_t i)
{
    const struct checkpoint *rows = pass->checkpoints.rows;
    if (i < pass->checkpoint_first) {
        pass->checkpoint = 0;
        pass->checkpoint_first = 0;
    }
    while (pass->checkpoint < pass->checkpoints.n && i >= rows[pass->checkpoint].index)
        pass->checkpoint_first = rows[pass->checkpoint++].index;
    if (pass->checkpoint == pass->checkpoints.n)
        return OUTCOME_COUNT;
    uint64_t at = i - pass->checkpoint_first;
    struct slice outcomes = rows[pass->checkpoint].outcomes;
    return at / 2 < outcomes.len ? (enum outcome)(outcomes.data[at / 2] >> (at % 2 ? 4 : 0) & 15) : OUTCOME_COUNT;
}

/* Of a checkpoint's batch, a record. */
static uint64_t bytes_of_one(const struct checkpoint *row, uint64_t first)
{
    return MAX(row->bytes_read, row->bytes_written) / MAX(row->index - first, 1u);
}

size_t pass_room(struct pass *pass, uint64_t i)
{
    uint64_t n = 0, bytes = 0;
    (void)pass_outcome(pass, i); /* which finds its checkpoint */
    uint64_t first = pass->checkpoint_first;
    for (size_t k = pass->checkpoint; k < pass->checkpoints.n && n < pass->room; k++) {
        const struct checkpoint *row = &pass->checkpoints.rows[k];
        uint64_t one = bytes_of_one(row, first), many = row->index - MAX(first, i);
        uint64_t fit = one ? (BATCH_BYTES - bytes) / one : many;
        n += MIN(many, fit);
        if (fit < many)
            return (size_t)CLAMP(n, 1u, pass->room);
        bytes += many * one;
        first = row->index;
    }
    return pass->room; /* more than that, or nobody has written down how large they are */
}

/* --- wanted
 * ----------------------------------------------------------------------------------------------------------- */

/* false: the record has none that could be read. */
static bool expiry_of(const struct pass *pass, const struct given *given, struct slice document, struct subject *into)
{
    into->expiry_known = sums_know_expiry(pass->input);
    switch (pass->input->expires) {
    case EXPIRES_KEEP:
        into->expires_at_ms = given->expires_at_ms;
        return true;
    case EXPIRES_NONE:
        return true;
    case EXPIRES_AFTER:
        into->expires_at_ms = pass->input->planned_at_ms + pass->input->expires_after_ms;
        return true;
    case EXPIRES_FROM:
        return version_expiry(pass->input->expires_from, document, &into->expires_at_ms, NULL);
    }
    return true;
}

static void count_refusal(struct pass *pass)
{
    pass_count(pass, VERIFY_REFUSED);
}

static void add_wanted(struct pass *pass, const struct given *given, const struct transform_result *result,
                       GArray *into)
{
    struct version version = {0};
    if (pass->input->version && !version_of(pass->input->version, given->document, &version, NULL))
        version = (struct version){0};
    pass->strata.several |= result->n > 1;
    pass->made_keys |= result->n != 1 || !slice_equal(result->wanted[0].key, given->key);
    for (size_t i = 0; i < result->n; i++) {
        struct subject subject = {.key = result->wanted[i].key,
                                  .from = given->key,
                                  .source = given->document,
                                  .before = i == 0 ? given->document : SLICE_EMPTY,
                                  .document = result->wanted[i].document,
                                  .want_absent = result->verdict == TRANSFORM_DELETE,
                                  .version = version,
                                  .outcome = given->outcome,
                                  .has_undo = given->has_undo,
                                  .pre_present = given->pre_present,
                                  .pre_raw = given->pre_raw,
                                  .pre_expires_at_ms = given->pre_expires_at_ms,
                                  .written = given->written};
        if (subject.want_absent || expiry_of(pass, given, subject.document, &subject))
            g_array_append_val(into, subject);
        else
            count_refusal(pass);
    }
}

static bool transform_given(struct pass *pass, const struct given *given, GArray *into, GError **error)
{
    struct transform_result result;
    if (!transform_record(pass->transform, given->key, given->document, pass->mem, &result, error))
        return false;
    switch (result.verdict) {
    case TRANSFORM_FILTERED:
        pass_count(pass, VERIFY_FILTERED);
        return true;
    case TRANSFORM_REJECTED:
        count_refusal(pass);
        return true;
    case TRANSFORM_WANTED:
    case TRANSFORM_DELETE:
        break;
    }
    add_wanted(pass, given, &result, into);
    return true;
}

void pass_give(struct pass *pass, const struct given *given)
{
    g_array_append_val(pass->given, *given);
}

static void reverse(GArray *subjects, guint from)
{
    for (guint i = from, j = subjects->len; i + 1 < j; i++) {
        struct subject *first = &g_array_index(subjects, struct subject, i);
        struct subject *last = &g_array_index(subjects, struct subject, --j);
        struct subject kept = *first;
        *first = *last;
        *last = kept;
    }
}

bool pass_transform(struct pass *pass, GArray *into, GError **error)
{
    guint from = into->len;
    for (guint i = pass->given->len; i-- > 0;)
        if (!transform_given(pass, &g_array_index(pass->given, struct given, i), into, error))
            return false;
    reverse(into, from); /* keys that ascend read fastest */
    g_array_set_size(pass->given, 0);
    return true;
}

/* --- a source elsewhere
 * ----------------------------------------------------------------------------------------------- */

/* Keys of which the run itself says that nothing was to be written: counted by its word, checked where that can be. */
static bool set_aside(struct pass *pass, const struct given *given, const struct record *record)
{
    static const struct {
        enum outcome outcome;
        enum verify_class class;
    } ASIDE[] = {
        {OUTCOME_KEPT_LIVE, VERIFY_KEPT}, {OUTCOME_IN_DOUBT, VERIFY_IN_DOUBT}, {OUTCOME_REJECTED, VERIFY_REFUSED}};
    if (record->presence == RECORD_FAULT || record->presence == RECORD_ABSENT) {
        pass_count(pass, record->presence == RECORD_FAULT ? VERIFY_REFUSED : VERIFY_GONE);
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(ASIDE); i++)
        if (given->outcome == ASIDE[i].outcome) {
            pass_count(pass, ASIDE[i].class);
            return true;
        }
    return false;
}

static bool take_record(struct pass *pass, const struct record *record, uint64_t index, GError **error)
{
    struct given given = {.key = record->key,
                          .expires_at_ms = record->expires_at_ms,
                          .outcome = pass->catalog ? pass_outcome(pass, index) : OUTCOME_COUNT};
    g_autoptr(GError) failed = NULL;
    if (set_aside(pass, &given, record))
        return true;
    if (store_decode(store_driver(pass->input->source), &pass->input->source_ds, record->raw, pass->mem,
                     &given.document, &failed)) {
        pass_give(pass, &given);
        return true;
    }
    count_refusal(pass);
    return verify_is_of_record(&failed, error);
}

static bool next_scanned(struct pass *pass, const struct verify_part *part, struct pass_source *source, GError **error)
{
    struct batch batch = {0};
    struct skip skip = {.reason = SKIP_NOTHING};
    struct call call = pass_call(pass, &pass->input->source_ds);
    if (!store_scan_next(source->scan, &call, &batch, error) ||
        !extras_note_source(pass->verification->extras, batch.records, batch.n, error))
        return false;
    for (size_t i = 0; i < batch.n; i++) {
        if (pass->skips && !skiplist_find(pass->skips, part->keys.partition, batch.records[i].at.offset, &skip, error))
            return false;
        if (skip.reason != SKIP_NOTHING && !skip_reason_row(skip.reason)->refused)
            continue;
        if (!chosen_has(&pass->chosen, source->index))
            ;
        else if (skip.reason != SKIP_NOTHING)
            count_refusal(pass);
        else if (!take_record(pass, &batch.records[i], source->index, error))
            return false;
        source->index++;
    }
    source->done = batch.done;
    return true;
}

/* A key of the listing that is looked at. */
struct place {
    struct slice key;
    uint64_t index; /* in the partition */
};

static bool add_places(struct pass *pass, struct pass_source *source, size_t max, GArray *into, GError **error)
{
    struct slice *keys;
    size_t n;
    if (!listing_reader_next(pass->listing, max, pass->mem, &keys, &n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct place place = {keys[i], source->index + i};
        if (chosen_has(&pass->chosen, place.index))
            g_array_append_val(into, place);
    }
    source->index += n;
    source->done = n == 0;
    return true;
}

/* Those that are given are sought one by one. */
static bool add_given(struct pass *pass, const struct verify_part *part, struct pass_source *source, GArray *into,
                      GError **error)
{
    const struct chosen *chosen = &pass->chosen;
    bool ok = true;
    for (; ok && into->len < pass->room && source->chosen < chosen->n; source->chosen++) {
        source->index = chosen->places[source->chosen];
        ok = listing_reader_seek_in(pass->listing, &part->keys, source->index, error) &&
             add_places(pass, source, 1, into, error);
    }
    source->done = source->chosen == chosen->n;
    return ok;
}

/* Of a thin sample many keys are passed over for a batch that is worth a read. */
static bool next_places(struct pass *pass, const struct verify_part *part, struct pass_source *source, GArray *into,
                        GError **error)
{
    bool ok = true;
    if (pass->chosen.places)
        return add_given(pass, part, source, into, error);
    do {
        ok = add_places(pass, source, pass_room(pass, source->index), into, error);
    } while (ok && pass->chosen.sampled && !source->done && into->len < pass->room / 2 &&
             arena_used(pass->mem) < PASSED_OVER_BYTES);
    return ok;
}

static bool take_place(struct pass *pass, const struct verify_part *part, const struct record *record, uint64_t index,
                       GError **error)
{
    struct skip skip = {.reason = SKIP_NOTHING};
    if (pass->skips && !skiplist_find(pass->skips, part->keys.partition, part->keys.first + index, &skip, error))
        return false;
    if (skip.reason == SKIP_NOTHING || record->presence != RECORD_PRESENT)
        return take_record(pass, record, index, error);
    count_refusal(pass);
    return true;
}

static bool next_listed(struct pass *pass, const struct verify_part *part, struct pass_source *source, GError **error)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct place));
    struct call call = pass_call(pass, &pass->input->source_ds);
    call.no_expiry = true; /* what is wanted of it, the source does not say */
    if (!next_places(pass, part, source, places, error))
        return false;
    size_t n = places->len;
    struct record *records = arena_alloc0(pass->mem, (n + 1) * sizeof *records);
    if (!records)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    for (size_t i = 0; i < n; i++)
        records[i].key = g_array_index(places, struct place, i).key;
    if (n > 0 && !store_read(pass->source, &call, records, n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!take_place(pass, part, &records[i], g_array_index(places, struct place, i).index, error))
            return false;
    return true;
}

bool pass_source_open(struct pass *pass, const struct verify_part *part, struct pass_source *ret, GError **error)
{
    struct scan_spec spec = {
        .ds = &pass->input->source_ds, .bounds = part->bounds, .max_records = BATCH_RECORDS, .max_bytes = 1 << 20};
    *ret = (struct pass_source){0};
    if (pass->input->listed)
        return listing_reader_seek_in(pass->listing, &part->keys, 0, error);
    return store_scan_open(&ret->scan, pass->source, &spec, error);
}

void pass_source_close(struct pass_source *source)
{
    g_clear_pointer(&source->scan, store_scan_close);
}

static bool next_batch(struct pass *pass, const struct verify_part *part, struct pass_source *source, GArray *into,
                       GError **error)
{
    arena_reset(pass->mem);
    g_array_set_size(into, 0);
    g_array_set_size(pass->given, 0);
    bool got = pass->input->listed ? next_listed(pass, part, source, error) : next_scanned(pass, part, source, error);
    return got && pass_transform(pass, into, error);
}

/* Where no run has written down how large records are, it turns out when they are read: then fewer at a time, and no
 * more than fill half of what they may take. */
bool pass_source_next(struct pass *pass, const struct verify_part *part, struct pass_source *source, GArray *into,
                      GError **error)
{
    const struct pass_source from = *source;
    const struct found found = pass->found;
    if (pass->read_bytes <= SOURCE_BYTES / 2)
        pass->room = MIN(2 * pass->room, BATCH_RECORDS);
    for (;; pass->room = MAX(pass->room / FEWER, 1u)) {
        g_autoptr(GError) failed = NULL;
        bool got = next_batch(pass, part, source, into, &failed), again = pass->input->listed && pass->room > 1;
        pass->read_bytes = arena_used(pass->mem);
        if (got && (!again || into->len <= 1 || pass->read_bytes <= SOURCE_BYTES))
            return true;
        if (!again || (!got && !error_is(failed, SLUICE_ERROR_TOO_BIG))) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        *source = from;
        pass->found = found;
        if (!listing_reader_seek_in(pass->listing, &part->keys, source->index, error))
            return false;
    }
}

void pass_show(struct pass *pass, uint64_t compared)
{
    struct verification *verification = pass->verification;
    uint64_t seen;
    {
        auto_hold(&verification->lock);
        seen = verification->seen += compared;
    }
    pass->input->progress(pass->input->progress_self, seen, pass->verification->aim);
}

void pass_show_found(struct pass *pass)
{
    pass_show(pass, pass->found.compared - pass->shown);
    pass->shown = pass->found.compared;
}

static bool judge_source(struct pass *pass, const struct verify_part *part, struct pass_source *source, GError **error)
{
    g_autoptr(GArray) subjects = g_array_new(FALSE, TRUE, sizeof(struct subject));
    while (!source->done) {
        if (!pass_source_next(pass, part, source, subjects, error) ||
            (subjects->len > 0 && !judge_subjects(pass, part, subjects, error)))
            return false;
        pass_show_found(pass);
    }
    return true;
}

bool pass_elsewhere(struct pass *pass, const struct verify_part *part, GError **error)
{
    struct pass_source source;
    bool ok = pass_source_open(pass, part, &source, error) && judge_source(pass, part, &source, error);
    pass_source_close(&source);
    return ok;
}

/* --- a partition
 * ------------------------------------------------------------------------------------------------------ */

bool pass_fresh_transform(struct pass *pass, GError **error)
{
    const struct verify_input *input = pass->input;
    struct transform_config config = {.recipe = input->recipe,
                                      .key = input->key,
                                      .where = input->where,
                                      .range = input->range,
                                      .removes = input->removes,
                                      .run = input->run,
                                      .spec = input->spec,
                                      .planned_at_ms = input->planned_at_ms};
    g_clear_pointer(&pass->transform, transform_free);
    return transform_new(&pass->transform, &config, error);
}

/* Its own connection is opened for the first partition: a pass over what no partition has needs none. */
static bool read_checkpoints(struct pass *pass, uint32_t part, GError **error)
{
    const struct verify_input *input = pass->input;
    if (!pass->catalog &&
        !catalog_open(&pass->catalog, input->world, catalog_home(input->catalog), CATALOG_READ_ONLY, error))
        return false;
    return catalog_checkpoints(pass->catalog, input->run_id, part, pass->part_mem, &pass->checkpoints, error);
}

bool pass_begin(struct pass *pass, const struct verify_part *part, GError **error)
{
    arena_reset(pass->part_mem);
    pass->checkpoints = (struct checkpoints){0};
    pass->checkpoint = 0;
    pass->checkpoint_first = 0;
    return !pass->input->catalog || read_checkpoints(pass, part->part, error);
}

static struct chosen verification_chosen(const struct verification *verification, const struct verify_part *part)
{
    const struct verify_input *input = verification->input;
    size_t at = (size_t)(part - input->parts);
    if (verification->draw)
        return draw_chosen(verification->draw, input, at);
    if (!verification->resolved || verification->differing[at].whole || !verification->differing[at].places)
        return (struct chosen){0};
    GArray *places = verification->differing[at].places;
    return (struct chosen){.places = (const uint64_t *)(void *)places->data, .n = places->len};
}

/* Of keys that the listing does not hold nobody could tell later which of them are this partition's. */
static void keep_sum(struct verification *verification, const struct pass *pass, uint32_t part)
{
    struct part_sum sum = {.part = part,
                           .at_ms = world_wall_ms(pass->input->world),
                           .wanted = pass->found.wanted,
                           .live = pass->found.live,
                           .stored = pass->found.stored};
    bool owned = !verify_in_key_order(pass->input) && verify_scans_once(pass->input);
    if (verification->draw || pass->chosen.places || (pass->made_keys && !owned && !verify_appends(pass->input)))
        return;
    sum.counts = found_counts(&pass->found);
    g_array_append_val(verification->sums, sum);
}

/* The others are what the gate counted, where all of them were equal. Of those that were looked at, what stood there
 * then is what is wanted. */
static bool add_others(struct pass *pass, const struct verify_part *part, GError **error)
{
    struct found others, *found = &pass->found;
    uint64_t n = pass->chosen.n;
    if (!pass->chosen.places)
        return true;
    if (!found_of_sum(&others, part->sum, error))
        return false;
    others.of[VERIFY_EQUAL] -= n;
    others.compared -= n;
    set_digest_without(&others.live, &found->wanted);
    found->wanted = (struct set_digest){0};
    found_merge(found, &others);
    auto_hold(&pass->verification->lock);
    pass->verification->result->by_keys++;
    pass->verification->result->looked_at += n;
    return true;
}

static void end_part(struct pass *pass, const struct verify_part *part)
{
    struct verification *verification = pass->verification;
    auto_hold(&verification->lock);
    verification->made_keys |= pass->made_keys;
    keep_sum(verification, pass, part->part);
    found_merge(&verification->found, &pass->found);
    pass->found = (struct found){0};
    pass->shown = 0;
    pass->made_keys = false;
}

bool pass_part(struct pass *pass, const struct verify_part *part, GError **error)
{
    bool (*compare)(struct pass *, const struct verify_part *, GError **) = verify_appends(pass->input) ? pass_appended
                                                                            : pass->input->same_dataset
                                                                                ? pass_same_dataset
                                                                                : pass_elsewhere;
    pass->chosen = verification_chosen(pass->verification, part);
    if (!pass_begin(pass, part, error) || !pass_fresh_transform(pass, error) || !compare(pass, part, error))
        return error_add(error, "verifying partition %u", part->part);
    pass_show_found(pass);
    if (!add_others(pass, part, error))
        return false;
    end_part(pass, part);
    return true;
}
