#include <math.h>

#include "record/decimal.h"
#include "record/version.h"
#include "verify/aggregate.h"
#include "verify/index_parts.h"
#include "verify/verify_parts.h"

#define ASKED_AT_ONCE 1000u
#define US_PER_MS     1000.0
#define US_PER_S      1000000.0

static bool too_big(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "entries of an index do not fit into the memory of a batch");
}

/* --- records, each once ---------------------------------------------------------------------------------------------
 */

struct reading {
    struct record *records; /* by key */
    size_t n;
};

static int by_key(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static struct call call_of(const struct indexed *indexed, const struct dataset *ds, struct arena *mem)
{
    return (struct call){.ds = ds, .mem = mem, .cancel = indexed->input->cancel, .no_etag = true, .no_expiry = true};
}

/* Sorts the keys; each of them once. */
static bool once(struct arena *mem, GArray *keys, struct reading *ret, GError **error)
{
    *ret = (struct reading){.records = arena_alloc0(mem, (keys->len + 1) * sizeof *ret->records)};
    if (!ret->records)
        return too_big(error);
    g_array_sort(keys, by_key);
    for (guint i = 0; i < keys->len; i++) {
        struct slice key = g_array_index(keys, struct slice, i);
        if (ret->n == 0 || !slice_equal(ret->records[ret->n - 1].key, key))
            ret->records[ret->n++] = (struct record){.key = key};
    }
    return true;
}

/* NULL: it is not among them. */
static const struct record *read_of(const struct reading *reading, struct slice key)
{
    size_t low = 0, high = reading->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_compare(reading->records[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < reading->n && slice_equal(reading->records[low].key, key) ? &reading->records[low] : NULL;
}

/* Empty: there is none, or it cannot be read. */
static struct slice document_of(const struct indexed *indexed, const struct record *record, struct arena *mem)
{
    const struct verify_input *input = indexed->input;
    struct slice document;
    if (record->presence != RECORD_PRESENT ||
        !store_decode(store_driver(input->target), &input->target_ds, record->raw, mem, &document, NULL))
        return SLICE_EMPTY;
    return document;
}

/* --- what a record claims -------------------------------------------------------------------------------------------
 */

/* A number, or a time in whole units of it. *ret_has false: neither is there. */
static bool score_of(const struct spec_expect *of, struct slice document, struct claim *io, bool *ret_has,
                     GError **error)
{
    struct version time = {0};
    bson_decimal128_t number;
    char text[DECIMAL_TEXT];
    *ret_has = true;
    if (aggregate_number_at(of->score, document, &number)) {
        io->score = g_ascii_strtod(decimal_text(&number, text), NULL);
        return true;
    }
    if (!version_of(of->score, document, &time, error))
        return error_add(error, "its score '%s'", path_text(of->score));
    *ret_has = time.kind == VERSION_TIME;
    io->whole = true;
    io->score = floor((double)time.value / (of->unit == UNIT_S ? US_PER_S : US_PER_MS));
    return true;
}

static bool claims_of(const struct indexed *indexed, struct slice key, struct slice document, struct arena *mem,
                      GArray *into, GError **error)
{
    struct claim claim = {.key = key, .scored = indexed->of->score != NULL};
    bool has = true;
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    if (claim.scored && !score_of(indexed->of, document, &claim, &has, error))
        return false;
    if (has && !entry_shape_of(indexed->shape, key, document, mem, entries, error))
        return false;
    for (guint i = 0; i < entries->len; i++) {
        claim.entry = g_array_index(entries, struct entry, i);
        g_array_append_val(into, claim);
    }
    return true;
}

bool index_claims(const struct indexed *indexed, struct claimant *io, struct arena *mem, GArray *into, GError **error)
{
    g_autoptr(GError) failed = NULL;
    io->why = NULL;
    if (claims_of(indexed, io->key, io->document, mem, into, &failed))
        return true;
    if (!verify_is_of_record(&failed, error))
        return false;
    io->why = arena_text(mem, slice_of_text(failed->message));
    return io->why || too_big(error);
}

bool index_claims_now(struct indexed *indexed, struct arena *mem, GArray *keys, GArray *into, GError **error)
{
    struct reading reading;
    struct call call = call_of(indexed, &indexed->input->target_ds, mem);
    if (!once(mem, keys, &reading, error) || !store_read(indexed->session, &call, reading.records, reading.n, error))
        return false;
    for (size_t i = 0; i < reading.n; i++) {
        struct claimant of = {.key = reading.records[i].key,
                              .document = document_of(indexed, &reading.records[i], mem)};
        if (of.document.len && !index_claims(indexed, &of, mem, into, error))
            return false;
    }
    return true;
}

/* --- whether an entry stands ----------------------------------------------------------------------------------------
 */

/* Of sets: answers to questions, in `mem`. */
static bool ask(struct indexed *indexed, struct arena *mem, struct member_question *questions, size_t n, GError **error)
{
    struct call call = {.ds = &indexed->ds, .mem = mem, .cancel = indexed->input->cancel};
    for (size_t i = 0; i < n; i++)
        questions[i].sorted = indexed->sorted;
    if (!store_members_ask(indexed->session, &call, questions, n, error))
        return error_add(error, "the index '%s'", indexed->of->index);
    for (size_t i = 0; i < n; i++)
        indexed->sorted = questions[i].stands ? questions[i].scored : indexed->sorted;
    return true;
}

static const char *claim_why(const struct claim *claim, const struct member_question *answer, struct arena *mem)
{
    if (answer->found)
        return answer->found;
    if (!answer->stands)
        return "it is not there";
    if (!claim->scored || (answer->scored && (claim->whole ? floor(answer->score) : answer->score) == claim->score))
        return NULL;
    g_autofree char *text = answer->scored
                                ? g_strdup_printf("its score is %.17g, not %.17g", answer->score, claim->score)
                                : g_strdup("it stands in a set, which has no scores");
    const char *kept = arena_text(mem, slice_of_text(text));
    return kept ? kept : "its score is another";
}

static bool look_in_sets(struct indexed *indexed, struct arena *mem, GArray *claims, guint from, guint to,
                         GError **error)
{
    struct member_question *questions = arena_alloc0(mem, (to - from + 1) * sizeof *questions);
    if (!questions)
        return too_big(error);
    for (guint i = from; i < to; i++) {
        const struct claim *claim = &g_array_index(claims, struct claim, i);
        questions[i - from] = (struct member_question){.key = claim->entry.place, .name = claim->entry.name};
    }
    if (!ask(indexed, mem, questions, to - from, error))
        return false;
    for (guint i = from; i < to; i++) {
        struct claim *claim = &g_array_index(claims, struct claim, i);
        claim->why = claim_why(claim, &questions[i - from], mem);
    }
    return true;
}

static bool look_in_keys(struct indexed *indexed, struct arena *mem, GArray *claims, guint from, guint to,
                         GError **error)
{
    struct reading reading;
    struct call call = call_of(indexed, &indexed->ds, mem);
    const struct read_portions by = {.portions = &indexed->entries};
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(struct slice));
    for (guint i = from; i < to; i++)
        g_array_append_val(names, g_array_index(claims, struct claim, i).entry.name);
    if (!once(mem, names, &reading, error) ||
        !store_read_portions(indexed->session, &call, reading.records, reading.n, &by, error))
        return error_add(error, "the index '%s'", indexed->of->index);
    for (guint i = from; i < to; i++) {
        struct claim *claim = &g_array_index(claims, struct claim, i);
        claim->why = read_of(&reading, claim->entry.name)->presence == RECORD_ABSENT ? "it is not there" : NULL;
    }
    return true;
}

bool index_look_claims(struct indexed *indexed, struct arena *mem, GArray *claims, GError **error)
{
    for (guint from = 0; from < claims->len; from += ASKED_AT_ONCE) {
        guint to = MIN(from + ASKED_AT_ONCE, claims->len);
        if (!(indexed->members ? look_in_sets : look_in_keys)(indexed, mem, claims, from, to, error))
            return false;
    }
    return true;
}

/* --- whether a record claims it -------------------------------------------------------------------------------------
 */

static bool claims_it(struct indexed *indexed, const struct record *record, const struct index_entry *standing,
                      struct arena *mem, bool *ret, GError **error)
{
    g_autoptr(GArray) claims = g_array_new(FALSE, FALSE, sizeof(struct claim));
    struct claimant of = {.key = record->key, .document = document_of(indexed, record, mem)};
    if (of.document.len && !index_claims(indexed, &of, mem, claims, error))
        return false;
    for (guint i = 0; i < claims->len && !*ret; i++) {
        const struct entry *entry = &g_array_index(claims, struct claim, i).entry;
        *ret = slice_equal(entry->place, standing->entry.place) && slice_equal(entry->name, standing->entry.name);
    }
    return true;
}

/* Of which records it may be, by its looks; `io->why`: of none. */
static bool keys_of(const struct indexed *indexed, struct index_entry *io, struct arena *mem, GArray *into,
                    GError **error)
{
    g_autoptr(GError) failed = NULL;
    guint from = into->len;
    io->why = NULL;
    if (!entry_shape_keys(indexed->shape, &io->entry, mem, into, &failed)) {
        if (!verify_is_of_record(&failed, error))
            return false;
        g_array_set_size(into, from);
        io->why = arena_text(mem, slice_of_text(failed->message));
    } else if (into->len == from)
        io->why = "it has not the form of an entry";
    io->key = into->len > from ? g_array_index(into, struct slice, from) : SLICE_EMPTY;
    return true;
}

/* Entries, and the records of which they may be; these come a portion at a time. */
struct standings {
    struct indexed *indexed;
    struct arena *mem;
    GArray *entries; /* of struct index_entry */
    GArray *keys;    /* of struct slice: of one entry after the other */
    guint *last;     /* by entry: behind its keys */
    bool *any, *claimed;
};

static bool look_at_entry(struct standings *standing, const struct reading *reading, guint i, GError **error)
{
    const struct index_entry *entry = &g_array_index(standing->entries, struct index_entry, i);
    for (guint k = i ? standing->last[i - 1] : 0; k < standing->last[i] && !standing->claimed[i]; k++) {
        const struct record *record = read_of(reading, g_array_index(standing->keys, struct slice, k));
        if (!record)
            continue;
        standing->any[i] |= record->presence != RECORD_ABSENT;
        if (!claims_it(standing->indexed, record, entry, standing->mem, &standing->claimed[i], error))
            return false;
    }
    return true;
}

static bool look_at_portion(void *self, struct record *records, size_t n, GError **error)
{
    struct standings *standing = self;
    const struct reading reading = {records, n};
    for (guint i = 0; i < standing->entries->len; i++)
        if (!look_at_entry(standing, &reading, i, error))
            return false;
    return true;
}

static bool keys_of_all(struct standings *standing, GError **error)
{
    for (guint i = 0; i < standing->entries->len; i++) {
        struct index_entry *entry = &g_array_index(standing->entries, struct index_entry, i);
        if (!keys_of(standing->indexed, entry, standing->mem, standing->keys, error))
            return false;
        standing->last[i] = standing->keys->len;
    }
    return true;
}

static bool look_at_standing(struct standings *standing, GError **error)
{
    struct indexed *indexed = standing->indexed;
    struct reading reading;
    struct call call = call_of(indexed, &indexed->input->target_ds, standing->mem);
    const struct read_portions by = {.portions = &indexed->records, .take = look_at_portion, .self = standing};
    if (!keys_of_all(standing, error))
        return false;
    g_autoptr(GArray) keys = g_array_copy(standing->keys);
    if (!once(standing->mem, keys, &reading, error) ||
        !store_read_portions(indexed->session, &call, reading.records, reading.n, &by, error))
        return false;
    for (guint i = 0; i < standing->entries->len; i++)
        if (standing->last[i] > (i ? standing->last[i - 1] : 0))
            g_array_index(standing->entries, struct index_entry, i).why = standing->claimed[i] ? NULL
                                                                          : standing->any[i]
                                                                              ? "its record has another value"
                                                                              : "its record is not there";
    return true;
}

bool index_look_standing(struct indexed *indexed, struct arena *mem, GArray *entries, GError **error)
{
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autofree guint *last = g_new0(guint, entries->len + 1);
    g_autofree bool *any = g_new0(bool, entries->len + 1), *claimed = g_new0(bool, entries->len + 1);
    struct standings standing = {indexed, mem, entries, keys, last, any, claimed};
    return look_at_standing(&standing, error);
}

bool index_still_standing(struct indexed *indexed, struct arena *mem, GArray *standing, GError **error)
{
    guint kept = 0;
    g_autoptr(GArray) claims = g_array_new(FALSE, TRUE, sizeof(struct claim));
    for (guint i = 0; i < standing->len; i++) {
        struct claim claim = {.entry = g_array_index(standing, struct index_entry, i).entry};
        g_array_append_val(claims, claim);
    }
    if (!index_look_claims(indexed, mem, claims, error))
        return false;
    for (guint i = 0; i < standing->len; i++)
        if (!g_array_index(claims, struct claim, i).why)
            g_array_index(standing, struct index_entry, kept++) = g_array_index(standing, struct index_entry, i);
    g_array_set_size(standing, kept);
    return true;
}
