#include "record/text.h"
#include "store/calls.h"
#include "verify/index_parts.h"
#include "verify/rules.h"

#define NAMED      3u
#define LOOK_BYTES (256u << 20)
#define TOLD_MOST  65536u /* dangling entries that are known again when they come twice */

/* --- a rule --------------------------------------------------------------------------------------------------------
 */

/* Where an index is a dataset of its own, it has to be there. */
static bool look_for_it(struct indexed *indexed, GError **error)
{
    struct store_info info;
    struct call call = {.ds = &indexed->ds, .mem = indexed->mem, .cancel = indexed->input->cancel};
    if (indexed->members)
        return true;
    if (!store_inspect(indexed->session, &call, &info, error))
        return error_add(error, "the index '%s'", indexed->of->index);
    if (!info.dataset_present)
        indexed->absent = g_strdup_printf("there is no dataset '%s' in the target's store", indexed->of->index);
    return true;
}

static bool begin(struct indexed *indexed, const struct index_wish *wish, GError **error)
{
    const struct verify_input *input = wish->input;
    const struct store_driver *driver = store_driver(input->target);
    struct entry_texts texts = {
        .place = wish->of->index, .entry = wish->of->entry ? wish->of->entry : SPEC_ENTRY, .key = input->target_ds.key};
    indexed->wish = *wish;
    indexed->input = input;
    indexed->of = wish->of;
    indexed->session = wish->session;
    indexed->members = store_can(driver, CAN_MEMBERS);
    indexed->sorted = wish->of->score != NULL;
    indexed->ds = (struct dataset){.name = wish->of->index, .form = indexed->members ? FORM_RAW : FORM_DEFAULT};
    return entry_shape_new(&indexed->shape, &texts, error) && look_for_it(indexed, error);
}

bool indexed_new(struct indexed **ret, const struct index_wish *wish, GError **error)
{
    auto_(indexed) indexed = g_new0(struct indexed, 1);
    indexed->mem = arena_new(LOOK_BYTES);
    indexed->records.most = INDEX_PAGE;
    indexed->claims = g_array_new(FALSE, FALSE, sizeof(struct claim));
    indexed->told = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    indexed->missing = g_string_new(NULL);
    indexed->dangling = g_string_new(NULL);
    indexed->odd = g_string_new(NULL);
    if (!begin(indexed, wish, error))
        return false;
    *ret = g_steal_pointer(&indexed);
    return true;
}

void indexed_free(struct indexed *indexed)
{
    if (!indexed)
        return;
    entry_shape_free(indexed->shape);
    arena_free(indexed->mem);
    g_array_unref(indexed->claims);
    g_hash_table_unref(indexed->told);
    g_string_free(indexed->missing, TRUE);
    g_string_free(indexed->dangling, TRUE);
    g_string_free(indexed->odd, TRUE);
    g_free(indexed->absent);
    g_free(indexed);
}

const struct spec_expect *indexed_of(const struct indexed *indexed)
{
    return indexed->of;
}

/* --- told ----------------------------------------------------------------------------------------------------------
 */

static bool tell(struct indexed *indexed, const struct index_fault *fault, uint64_t *count, GString *named,
                 GError **error)
{
    bool own = fault->entry.len == 0 || slice_equal(fault->entry, fault->key);
    g_autofree char *entry = rule_key_text(own ? fault->key : fault->entry), *place = rule_key_text(fault->place);
    g_autofree char *key = rule_key_text(fault->key);
    if ((*count)++ < NAMED) {
        g_string_append_printf(named, "%s'%s'", named->len ? ", " : "", entry);
        if (fault->place.len && indexed->members)
            g_string_append_printf(named, " in '%s'", place);
        if (!own && fault->key.len)
            g_string_append_printf(named, " of '%s'", key);
        g_string_append_printf(named, "%s%s", fault->why ? ": " : "", fault->why ? fault->why : "");
    }
    return indexed->wish.fault(indexed->wish.self, indexed->of, fault, error);
}

bool index_odd(struct indexed *indexed, const struct index_fault *fault, GError **error)
{
    return tell(indexed, fault, &indexed->counts.odd, indexed->odd, error);
}

static bool tell_missing(struct indexed *indexed, const struct claim *claim, struct arena *mem, GError **error)
{
    struct index_fault fault = {
        .what = "missing_entry", .key = claim->key, .entry = claim->entry.name, .why = claim->why};
    return entry_shape_place(indexed->shape, claim->entry.place, mem, &fault.place, error) &&
           tell(indexed, &fault, &indexed->counts.missing, indexed->missing, error);
}

struct digest claim_digest(const struct claim *claim)
{
    char score[32];
    struct digest digest = digest_bytes(claim->key, 0);
    g_snprintf(score, sizeof score, "%d%.17g", claim->scored, claim->score);
    digest = digest_keyed(claim->entry.place, digest, 0);
    return digest_keyed(slice_of_text(score), digest_keyed(claim->entry.name, digest, 0), 0);
}

static bool known(GHashTable *of, const struct claim *claim, bool add)
{
    struct digest digest = claim_digest(claim);
    gint64 short_of_it = (gint64)digest.low;
    bool has = g_hash_table_contains(of, &short_of_it);
    if (add && !has)
        g_hash_table_add(of, g_memdup2(&short_of_it, sizeof short_of_it));
    return has;
}

/* One that comes twice is known by what was told already, of as many as have room. */
static bool tell_dangling(struct indexed *indexed, const struct index_entry *standing, struct arena *mem,
                          GError **error)
{
    struct claim claim = {.entry = standing->entry};
    struct index_fault fault = {
        .what = "dangling_entry", .key = standing->key, .entry = standing->entry.name, .why = standing->why};
    if (known(indexed->told, &claim, g_hash_table_size(indexed->told) < TOLD_MOST))
        return true;
    return entry_shape_place(indexed->shape, standing->entry.place, mem, &fault.place, error) &&
           tell(indexed, &fault, &indexed->counts.dangling, indexed->dangling, error);
}

/* --- looking again -------------------------------------------------------------------------------------------------
 */

static void looked(struct indexed *indexed)
{
    indexed->looked_us = world_monotonic_us(indexed->input->world);
}

/* Until what differed in the last look has had its time. */
static void rest(const struct indexed *indexed)
{
    int64_t until_us = indexed->looked_us + indexed->input->again_after_ms * 1000;
    int64_t left_us = until_us - world_monotonic_us(indexed->input->world);
    if (left_us > 0)
        world_sleep_us(indexed->input->world, left_us, indexed->input->cancel);
}

static void keep_wrong(GArray *claims)
{
    guint kept = 0;
    for (guint i = 0; i < claims->len; i++)
        if (g_array_index(claims, struct claim, i).why)
            g_array_index(claims, struct claim, kept++) = g_array_index(claims, struct claim, i);
    g_array_set_size(claims, kept);
}

/* Wrong claims of a few records, as they are now: what was wrong before already is told, the rest is looked at once
 * more. */
static bool sort_out(struct indexed *indexed, struct arena *mem, GHashTable *before, GArray *io, GError **error)
{
    guint kept = 0;
    for (guint i = 0; i < io->len; i++) {
        const struct claim *claim = &g_array_index(io, struct claim, i);
        if (!known(before, claim, false))
            g_array_index(io, struct claim, kept++) = *claim;
        else if (!tell_missing(indexed, claim, mem, error))
            return false;
    }
    g_array_set_size(io, kept);
    return true;
}

/* Claims that were wrong, a portion at a time: as many of them as their records let into memory as they stand now. */
struct again {
    struct indexed *indexed;
    const GArray *all;  /* of struct claim, those of a record together */
    GArray *begin;      /* of guint: where a record's claims begin; behind the last, their end */
    GArray *wrong;      /* of struct claim: of the portion, in the last look */
    GHashTable *before; /* those of the look before it */
};

/* What they claim now, and whether that stands. */
static bool look(struct again *again, GError **error)
{
    struct indexed *indexed = again->indexed;
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_hash_table_remove_all(again->before);
    for (guint i = 0; i < again->wrong->len; i++) {
        known(again->before, &g_array_index(again->wrong, struct claim, i), true);
        g_array_append_val(keys, g_array_index(again->wrong, struct claim, i).key);
    }
    rest(indexed);
    g_array_set_size(again->wrong, 0);
    bool ok = index_claims_now(indexed, indexed->mem, keys, again->wrong, error) &&
              index_look_claims(indexed, indexed->mem, again->wrong, error);
    keep_wrong(again->wrong);
    return ok;
}

static bool look_first(void *self, size_t first, size_t n, GError **error)
{
    struct again *again = self;
    guint from = g_array_index(again->begin, guint, first), to = g_array_index(again->begin, guint, first + n);
    g_array_set_size(again->wrong, 0);
    g_array_append_vals(again->wrong, &g_array_index(again->all, struct claim, from), to - from);
    return look(again, error);
}

static bool look_on(void *self, size_t first, size_t n, GError **error)
{
    struct again *again = self;
    struct indexed *indexed = again->indexed;
    bool ok = sort_out(indexed, indexed->mem, again->before, again->wrong, error);
    for (int more = 1; ok && more < INDEX_LOOKS && again->wrong->len; more++) {
        looked(indexed);
        ok = look(again, error) && sort_out(indexed, indexed->mem, again->before, again->wrong, error);
    }
    if (again->wrong->len)
        looked(indexed);
    indexed->counts.moving += again->wrong->len; /* another claim in every look: the application's */
    return ok;
}

/* A few records at a time: they are read again, as large as they may have become. */
static bool look_again(struct indexed *indexed, GError **error)
{
    const GArray *all = indexed->claims;
    g_autoptr(GArray) begin = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GArray) wrong = g_array_new(FALSE, FALSE, sizeof(struct claim));
    g_autoptr(GHashTable) before = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    struct again again = {indexed, all, begin, wrong, before};
    const struct portions_way way = {.read = look_first, .take = look_on, .self = &again};
    for (guint i = 0; i < all->len; i++)
        if (i == 0 ||
            !slice_equal(g_array_index(all, struct claim, i).key, g_array_index(all, struct claim, i - 1).key))
            g_array_append_val(begin, i);
    g_array_append_val(begin, all->len);
    arena_reset(indexed->mem);
    return portions_each(&indexed->records, indexed->mem, begin->len - 1, &way, error);
}

/* --- records -------------------------------------------------------------------------------------------------------
 */

bool indexed_record(struct indexed *indexed, const struct record *record, struct slice document, struct arena *mem,
                    GError **error)
{
    struct claimant of = {.key = record->key, .document = document, .why = "it cannot be read"};
    indexed->counts.records++;
    if (document.len && !index_claims(indexed, &of, mem, indexed->claims, error))
        return false;
    struct index_fault fault = {.what = "no_entry", .key = record->key, .why = of.why};
    return !of.why || index_odd(indexed, &fault, error);
}

bool indexed_settle(struct indexed *indexed, struct arena *mem, GError **error)
{
    indexed->claimed += indexed->claims->len;
    arena_reset(indexed->mem);
    bool ok = indexed->absent || index_look_claims(indexed, indexed->mem, indexed->claims, error);
    looked(indexed);
    if (ok && !indexed->absent) {
        keep_wrong(indexed->claims);
        indexed->counts.again += indexed->claims->len;
        ok = look_again(indexed, error);
    }
    g_array_set_size(indexed->claims, 0);
    return ok;
}

/* --- entries -------------------------------------------------------------------------------------------------------
 */

static void keep_dangling(GArray *standing)
{
    guint kept = 0;
    for (guint i = 0; i < standing->len; i++)
        if (g_array_index(standing, struct index_entry, i).why)
            g_array_index(standing, struct index_entry, kept++) = g_array_index(standing, struct index_entry, i);
    g_array_set_size(standing, kept);
}

bool index_entries(struct indexed *indexed, struct arena *mem, GArray *standing, GError **error)
{
    indexed->counts.entries += standing->len;
    if (!index_look_standing(indexed, mem, standing, error))
        return false;
    looked(indexed);
    keep_dangling(standing);
    indexed->counts.again += standing->len;
    if (standing->len == 0)
        return true;
    rest(indexed);
    bool ok = index_still_standing(indexed, mem, standing, error) && index_look_standing(indexed, mem, standing, error);
    keep_dangling(standing);
    for (guint i = 0; ok && i < standing->len; i++)
        ok = tell_dangling(indexed, &g_array_index(standing, struct index_entry, i), mem, error);
    return ok;
}

/* --- the end -------------------------------------------------------------------------------------------------------
 */

static void add_part(GString *into, uint64_t n, const char *one, const char *many, const GString *named)
{
    if (n == 0)
        return;
    g_string_append_printf(into, "%s%" G_GUINT64_FORMAT " %s: %s%s", into->len ? "; " : "", n, n == 1 ? one : many,
                           named->str, n > NAMED ? " …" : "");
}

static char *words_of(const struct indexed *indexed)
{
    const struct index_counts *counts = &indexed->counts;
    GString *text = g_string_new(NULL);
    add_part(text, counts->missing, "entry is missing", "entries are missing", indexed->missing);
    add_part(text, counts->dangling, "entry leads nowhere", "entries lead nowhere", indexed->dangling);
    add_part(text, counts->odd, "cannot be held against the other side", "cannot be held against the other side",
             indexed->odd);
    if (counts->moving)
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " never still", text->len ? "; " : "", counts->moving);
    if (text->len)
        g_string_append_printf(text, " (%" G_GUINT64_FORMAT " entries, %" G_GUINT64_FORMAT " records)", counts->entries,
                               counts->records);
    else
        g_string_append_printf(
            text, "%" G_GUINT64_FORMAT " records have their entries, %" G_GUINT64_FORMAT " entries their record",
            counts->records, counts->entries);
    return g_string_free(text, FALSE);
}

bool indexed_end(struct indexed *indexed, bool *ret_holds, char **ret_found, struct index_counts *ret, GError **error)
{
    const struct index_counts *counts = &indexed->counts;
    if (!indexed->absent && !index_walk(indexed, error))
        return false;
    if (!indexed->absent && counts->records && !indexed->claimed && !counts->entries && !counts->odd)
        indexed->absent = g_strdup("no record has the fields that it is of, and it holds no entry: nothing was held "
                                   "against anything; are their names right?");
    *ret_holds = !indexed->absent && counts->missing + counts->dangling + counts->odd == 0;
    *ret_found = indexed->absent ? g_strdup(indexed->absent) : words_of(indexed);
    *ret = *counts;
    return true;
}
