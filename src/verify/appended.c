/* An append-only target: what the source gives of a partition against the files that the run published for it.
 *
 * Such a store cannot be asked for a key. Both sides are read from beginning to end and added up: as long as number and
 * sum of the documents' canonical digests are equal, that is all. Where they are not, both are read again, and sorted
 * on disk by key, document and side: what remains on one side only is missing or extra, and of one key on both sides,
 * differing. A third reading tells which records they are. Memory is bounded by batches; of records that differ the
 * wanted side waits for the live one, up to WAITING_BYTES.
 *
 * Where the documents hold no key (the source's records have keys of their own), a record that differs is one missing
 * and one extra. */
#include "base/extsort.h"
#include "verify/verify_parts.h"

#define SORT_BYTES    (16u << 20)
#define WAITING_BYTES (8u << 20)
#define BATCH_RECORDS 1000u

enum side { SIDE_WANTED, SIDE_LIVE };

/* One record of a side, in its order. */
struct entry {
    enum side side;
    uint64_t place; /* from 0 */
    struct slice key, document, raw;
    struct digest digest; /* canonical; of a fault zero */
    const char *fault;    /* why it cannot be read */
};

struct comparing {
    struct pass *pass;
    const struct verify_part *part;
    bool (*see)(struct comparing *, const struct entry *, GError **);
    struct extsort *sort;  /* second reading: entries */
    struct extsort *marks; /* third reading: which of them, and as what */
    const uint8_t *mark;   /* the next one; NULL: none is left */
    GHashTable *waiting;   /* pair → struct slice *, the wanted side */
    struct arena *waiting_mem;
    uint64_t pairs, missing, extra;
};

/* --- reading both sides
 * ----------------------------------------------------------------------------------------------- */

static bool see_subject(struct comparing *comparing, struct subject *subject, uint64_t *io_place, GError **error)
{
    if (subject->want_absent)
        return true; /* nothing is written for it; were it there, it would be extra */
    if (!judge_wanted(comparing->pass, subject, error) || !judge_documents(comparing->pass, subject, error))
        return false;
    struct entry entry = {.side = SIDE_WANTED,
                          .place = (*io_place)++,
                          .key = subject->key,
                          .document = subject->document,
                          .digest = subject->wanted_digest};
    return comparing->see(comparing, &entry, error);
}

static bool see_subjects(struct comparing *comparing, struct pass_source *source, GError **error)
{
    g_autoptr(GArray) subjects = g_array_new(FALSE, TRUE, sizeof(struct subject));
    uint64_t place = 0;
    while (!source->done) {
        if (!pass_source_next(comparing->pass, comparing->part, source, subjects, error))
            return false;
        for (size_t i = 0; i < subjects->len; i++)
            if (!see_subject(comparing, &g_array_index(subjects, struct subject, i), &place, error))
                return false;
    }
    return true;
}

/* With a fresh transform: a reading must not depend on how many there were. */
static bool read_wanted(struct comparing *comparing, GError **error)
{
    struct pass_source source = {0};
    bool ok = pass_fresh_transform(comparing->pass, error) &&
              pass_source_open(comparing->pass, comparing->part, &source, error) &&
              see_subjects(comparing, &source, error);
    pass_source_close(&source);
    return ok;
}

static bool see_record(struct comparing *comparing, const struct record *record, uint64_t *io_place, GError **error)
{
    struct pass *pass = comparing->pass;
    struct entry entry = {.side = SIDE_LIVE, .place = (*io_place)++, .key = record->key, .raw = record->raw};
    if (record->presence == RECORD_FAULT)
        entry.fault = record->fault.text;
    else if (!store_decode(store_driver(pass->input->target), &pass->input->target_ds, record->raw, pass->mem,
                           &entry.document, error) ||
             !digest_canonical(entry.document, pass->input->seed, &entry.digest, error))
        return false;
    return comparing->see(comparing, &entry, error);
}

static bool read_file(struct comparing *comparing, const struct sink_file *file, uint64_t *io_place, GError **error)
{
    auto_(scan) scan = NULL;
    struct pass *pass = comparing->pass;
    struct batch batch = {0};
    struct scan_spec spec = {.ds = &pass->input->target_ds, .max_records = BATCH_RECORDS, .max_bytes = 1 << 20};
    struct call call = pass_call(pass, &pass->input->target_ds);
    arena_reset(pass->mem);
    if (!store_sink_bounds(pass->target, &call, file, &spec.bounds, error) ||
        !store_scan_open(&scan, pass->target, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(pass->mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n; i++)
            if (!see_record(comparing, &batch.records[i], io_place, error))
                return false;
    }
    return true;
}

static const struct sink_file *published(const struct pass *pass, size_t i)
{
    const GArray *files = pass->verification->published;
    return i < files->len ? &g_array_index(files, struct sink_file, i) : NULL;
}

/* The first file of the partition, or where it would be. */
static size_t first_of(const struct pass *pass, uint32_t part)
{
    const GArray *files = pass->verification->published;
    size_t low = 0, high = files->len;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (g_array_index(files, struct sink_file, middle).id.part < part)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool read_live(struct comparing *comparing, GError **error)
{
    uint64_t place = 0;
    uint32_t part = comparing->part->part;
    const struct sink_file *file;
    for (size_t i = first_of(comparing->pass, part); (file = published(comparing->pass, i)) && file->id.part == part;
         i++)
        if (!read_file(comparing, file, &place, error))
            return false;
    return true;
}

static bool read_both(struct comparing *comparing, bool (*see)(struct comparing *, const struct entry *, GError **),
                      GError **error)
{
    comparing->see = see;
    return read_wanted(comparing, error) && read_live(comparing, error);
}

/* --- the first reading: sums
 * ------------------------------------------------------------------------------------------ */

static bool add_up(struct comparing *comparing, const struct entry *entry, GError **error)
{
    struct found *found = &comparing->pass->found;
    if (entry->side == SIDE_LIVE) {
        set_digest_add(&found->live, entry->digest);
        set_digest_add(&found->stored, digest_stored(entry->raw, EXPIRES_NEVER));
        return true;
    }
    set_digest_add(&found->wanted, entry->digest);
    if (++found->compared % BATCH_RECORDS == 0)
        pass_show_found(comparing->pass);
    return true;
}

/* A gate passed: as long as the files hold what they held then, the source need not be read. */
static bool still_as_at_gate(struct comparing *comparing, bool *ret, GError **error)
{
    struct pass *pass = comparing->pass;
    const struct part_sum *sum = comparing->part->sum;
    struct found was;
    *ret = false;
    if (!sum)
        return true;
    comparing->see = add_up;
    if (!read_live(comparing, error) || !found_of_sum(&was, sum, error))
        return false;
    *ret = set_digest_equal(&pass->found.stored, &sum->stored);
    pass->found = *ret ? was : (struct found){0};
    if (*ret) {
        auto_hold(&pass->verification->lock);
        pass->verification->result->by_sums++;
    }
    return true;
}

/* --- the second: which of them
 * ---------------------------------------------------------------------------------------- */

/* Sorted by all of it: the key, the document, wanted before live, the order of the side. */
struct sorted {
    uint8_t key[16], document[16], side, place[8];
};

static bool sort_entry(struct comparing *comparing, const struct entry *entry, GError **error)
{
    struct sorted item = {.side = (uint8_t)entry->side};
    uint64_t place = GUINT64_TO_BE(entry->place);
    digest_put(entry->digest, item.document);
    memcpy(item.key, item.document, sizeof item.key);
    if (comparing->pass->input->target_ds.key)
        digest_put(digest_bytes(entry->key, comparing->pass->input->seed), item.key);
    memcpy(item.place, &place, sizeof item.place);
    return extsort_add(comparing->sort, &item, error);
}

/* In the order in which the third reading meets them. */
struct mark {
    uint8_t side, place[8], class, pair[8];
};

static bool mark(struct comparing *comparing, enum side side, const uint8_t place[8], enum verify_class class,
                 GError **error)
{
    struct mark item = {.side = (uint8_t)side, .class = (uint8_t) class};
    uint64_t pair = comparing->pairs;
    memcpy(item.place, place, sizeof item.place);
    memcpy(item.pair, &pair, sizeof item.pair);
    return extsort_add(comparing->marks, &item, error);
}

/* What one side alone has of one key: places, as they were sorted. */
struct alone {
    GByteArray *places[2];
    uint8_t key[16];
};

/* Of one key the first that only one side has goes with the first that only the other has. */
static bool end_key(struct comparing *comparing, struct alone *alone, GError **error)
{
    const GByteArray *wanted = alone->places[SIDE_WANTED], *live = alone->places[SIDE_LIVE];
    guint both = MIN(wanted->len, live->len);
    bool ok = true;
    for (guint i = 0; ok && i < both; i += 8, comparing->pairs++)
        ok = mark(comparing, SIDE_WANTED, wanted->data + i, VERIFY_DIFFERING, error) &&
             mark(comparing, SIDE_LIVE, live->data + i, VERIFY_DIFFERING, error);
    for (guint i = both; ok && i < wanted->len; i += 8, comparing->missing++)
        ok = mark(comparing, SIDE_WANTED, wanted->data + i, VERIFY_MISSING, error);
    for (guint i = both; ok && i < live->len; i += 8, comparing->extra++)
        ok = mark(comparing, SIDE_LIVE, live->data + i, VERIFY_EXTRA, error);
    g_byte_array_set_size(alone->places[SIDE_WANTED], 0);
    g_byte_array_set_size(alone->places[SIDE_LIVE], 0);
    return ok;
}

/* Equal documents of one key, wanted and live, take each other away. */
static void end_document(struct alone *alone, guint wanted_before, guint live_before)
{
    guint both = MIN(alone->places[SIDE_WANTED]->len - wanted_before, alone->places[SIDE_LIVE]->len - live_before);
    for (int side = 0; side < 2; side++)
        g_byte_array_set_size(alone->places[side], alone->places[side]->len - both);
}

static bool match_all(struct comparing *comparing, struct alone *alone, GError **error)
{
    const uint8_t *at;
    struct sorted last = {0};
    guint before[2] = {0};
    bool ok = true;
    for (bool any = false; ok && (ok = extsort_next(comparing->sort, &at, error)); any = true) {
        struct sorted item = last;
        if (at)
            memcpy(&item, at, sizeof item);
        bool new_key = !at || memcmp(item.key, last.key, sizeof item.key) != 0;
        if (any && (new_key || memcmp(item.document, last.document, sizeof item.document) != 0)) {
            end_document(alone, before[SIDE_WANTED], before[SIDE_LIVE]);
            ok = !new_key || end_key(comparing, alone, error);
            before[SIDE_WANTED] = alone->places[SIDE_WANTED]->len;
            before[SIDE_LIVE] = alone->places[SIDE_LIVE]->len;
        }
        if (!at)
            break;
        g_byte_array_append(alone->places[item.side], item.place, sizeof item.place);
        last = item;
    }
    return ok;
}

static bool mark_all(struct comparing *comparing, GError **error)
{
    struct alone alone = {.places = {g_byte_array_new(), g_byte_array_new()}};
    bool ok = extsort_finish(comparing->sort, error) && match_all(comparing, &alone, error) &&
              extsort_finish(comparing->marks, error);
    g_byte_array_unref(alone.places[SIDE_WANTED]);
    g_byte_array_unref(alone.places[SIDE_LIVE]);
    return ok;
}

/* --- the third: to the report
 * ----------------------------------------------------------------------------------------- */

static void keep_waiting(struct comparing *comparing, uint64_t pair, struct slice document)
{
    struct slice *copy = arena_alloc(comparing->waiting_mem, sizeof *copy);
    if (!copy || !arena_copy(comparing->waiting_mem, document, copy))
        return; /* its line in the report does without */
    g_hash_table_insert(comparing->waiting, GSIZE_TO_POINTER(pair + 1), copy);
}

static bool tell_marked(struct comparing *comparing, const struct mark *mark, const struct entry *entry, GError **error)
{
    uint64_t pair;
    struct difference difference = {.class = (enum verify_class)mark->class, .key = entry->key, .why = entry->fault};
    memcpy(&pair, mark->pair, sizeof pair);
    if (entry->side == SIDE_WANTED && difference.class == VERIFY_DIFFERING) {
        keep_waiting(comparing, pair, entry->document);
        return true;
    }
    const struct slice *waiting = difference.class == VERIFY_DIFFERING
                                      ? g_hash_table_lookup(comparing->waiting, GSIZE_TO_POINTER(pair + 1))
                                      : NULL;
    if (entry->side == SIDE_WANTED)
        difference.wanted = entry->document;
    else
        difference.live = entry->document;
    if (waiting)
        difference.wanted = *waiting;
    else if (difference.class == VERIFY_DIFFERING)
        difference.why = "so many differ that what is wanted here was not kept; the source has it";
    return report_difference(comparing->pass->verification, &difference, error);
}

static bool tell(struct comparing *comparing, const struct entry *entry, GError **error)
{
    struct mark mark;
    if (!comparing->mark)
        return true;
    memcpy(&mark, comparing->mark, sizeof mark);
    uint64_t place = GUINT64_TO_BE(entry->place);
    if (mark.side != entry->side || memcmp(mark.place, &place, sizeof place) != 0)
        return true;
    return tell_marked(comparing, &mark, entry, error) && extsort_next(comparing->marks, &comparing->mark, error);
}

/* Everything the verifier's first reading has counted stands; the others only read again. */
static bool resolve(struct comparing *comparing, GError **error)
{
    struct pass *pass = comparing->pass;
    struct found found = pass->found;
    bool ok = read_both(comparing, sort_entry, error) && mark_all(comparing, error) &&
              extsort_next(comparing->marks, &comparing->mark, error) && read_both(comparing, tell, error);
    pass->found = found;
    pass->found.of[VERIFY_DIFFERING] += comparing->pairs;
    pass->found.of[VERIFY_MISSING] += comparing->missing;
    pass->found.of[VERIFY_EXTRA] += comparing->extra;
    return ok;
}

static bool resolve_with_sorts(struct comparing *comparing, GError **error)
{
    const struct verify_input *input = comparing->pass->input;
    struct extsort_shape entries = {
        .item_len = sizeof(struct sorted), .key_len = sizeof(struct sorted), .memory_bytes = SORT_BYTES};
    struct extsort_shape marks = {
        .item_len = sizeof(struct mark), .key_len = offsetof(struct mark, class), .memory_bytes = SORT_BYTES};
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    bool ok = file_make_dirs(input->world, folder, error) &&
              extsort_new(&comparing->sort, input->world, folder, &entries, error) &&
              extsort_new(&comparing->marks, input->world, folder, &marks, error);
    comparing->waiting = g_hash_table_new(g_direct_hash, g_direct_equal);
    comparing->waiting_mem = arena_new(WAITING_BYTES);
    ok = ok && resolve(comparing, error);
    g_hash_table_unref(comparing->waiting);
    arena_free(comparing->waiting_mem);
    g_clear_pointer(&comparing->sort, extsort_free);
    g_clear_pointer(&comparing->marks, extsort_free);
    return ok;
}

/* --- a partition
 * ------------------------------------------------------------------------------------------------------ */

bool pass_appended(struct pass *pass, const struct verify_part *part, GError **error)
{
    struct comparing comparing = {.pass = pass, .part = part};
    struct found *found = &pass->found;
    bool settled;
    if (!still_as_at_gate(&comparing, &settled, error))
        return false;
    if (settled)
        return true;
    if (!read_both(&comparing, add_up, error) ||
        (!set_digest_equal(&found->wanted, &found->live) && !resolve_with_sorts(&comparing, error)))
        return false;
    found->of[VERIFY_EQUAL] += found->compared - comparing.pairs - comparing.missing;
    return true;
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------------ */

bool appended_list(struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct call call = {.ds = &input->target_ds, .mem = mem, .cancel = input->cancel};
    if (!verify_appends(input))
        return true;
    verification->published = g_array_new(FALSE, TRUE, sizeof(struct sink_file));
    return store_session_open(&session, input->target, error) &&
           store_sink_published(session, &call, input->run_uid, verification->published, error);
}

static bool tell_stray(struct comparing *comparing, const struct entry *entry, GError **error)
{
    struct difference difference = {.class = VERIFY_EXTRA,
                                    .key = entry->key,
                                    .live = entry->document,
                                    .why = "in a file of a partition that the run does not have"};
    pass_count(comparing->pass, VERIFY_EXTRA);
    return report_difference(comparing->pass->verification, &difference, error);
}

bool appended_strays(struct pass *pass, GError **error)
{
    const struct verify_input *input = pass->input;
    g_autoptr(GHashTable) known = g_hash_table_new(g_direct_hash, g_direct_equal);
    const struct sink_file *file;
    uint64_t place = 0;
    struct comparing comparing = {.pass = pass, .see = tell_stray};
    for (size_t i = 0; i < input->n_parts; i++)
        g_hash_table_add(known, GUINT_TO_POINTER(input->parts[i].part + 1));
    for (size_t i = 0; (file = published(pass, i)); i++)
        if (!g_hash_table_contains(known, GUINT_TO_POINTER(file->id.part + 1)) &&
            !read_file(&comparing, file, &place, error))
            return false;
    return true;
}
