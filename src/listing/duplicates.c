#include "base/diags.h"
#include "base/extsort.h"
#include "listing/skips.h"
#include "listing/states.h"

/* The two sorts, never at once more than DUPLICATES_BYTES with what the states of one key take. */
enum {
    STATES_BYTES = 20 << 20,
    SKIPS_BYTES = 8 << 20,
    BATCH_RECORDS = 2000,
    BATCH_BYTES = 1 << 20,
    BATCH_MEMORY = 192 << 20,
    ASK_EACH = 65536,
};

#define SKIP_ITEM_BYTES 25 /* part offset reason file line */
#define SKIP_KEY_BYTES  12

struct pass {
    const struct duplicates_wish *wish;
    struct extsort *states, *skips;
    GPtrArray *names; /* of char *: the files, in the order in which they come up */
    struct arena *mem;
    struct duplicates_part *parts;
    uint64_t records, bytes, keys;
    GArray *named;     /* of struct pair: what makes duplicates an error */
    uint64_t too_many; /* keys of that kind */
};

struct pair {
    struct state one, other;
};

/* --- reading --------------------------------------------------------------------------------------------------------
 */

static uint32_t name_number(struct pass *pass, const char *name)
{
    const char *text = name ? name : "";
    if (pass->names->len == 0 || strcmp(pass->names->pdata[pass->names->len - 1], text) != 0)
        g_ptr_array_add(pass->names, g_strdup(text));
    return pass->names->len - 1;
}

static void version_read(const struct path *path, struct slice document, struct state *ret)
{
    static const uint8_t kinds[] = {
        [VERSION_NONE] = STATE_NONE, [VERSION_INTEGER] = STATE_INTEGER, [VERSION_TIME] = STATE_TIME};
    struct version version = {.kind = VERSION_NONE};
    g_autoptr(GError) error = NULL;
    bool readable = !path || version_of(path, document, &version, &error);
    ret->kind = readable ? kinds[version.kind] : STATE_UNREADABLE;
    ret->version = readable && version.kind != VERSION_NONE ? version.value : 0;
}

static bool record_add(struct pass *pass, uint32_t part, uint32_t file, const struct record *record, GError **error)
{
    uint8_t item[STATE_ITEM_BYTES];
    struct state state = {.key = digest_bytes(record->key, 0),
                          .part = part,
                          .offset = record->at.offset,
                          .file = file,
                          .line = record->at.line,
                          .content = digest_bytes(record->raw, 0).low};
    version_read(pass->wish->version, record->raw, &state);
    state_put(&state, item);
    return extsort_add(pass->states, item, error);
}

static bool batch_add(struct pass *pass, uint32_t part, const struct batch *batch, GError **error)
{
    struct duplicates_part *counts = &pass->parts[part];
    const char *name = NULL;
    uint32_t file = 0;
    counts->bytes += batch->bytes;
    pass->bytes += batch->bytes;
    counts->records += batch->n;
    pass->records += batch->n;
    for (size_t i = 0; i < batch->n; i++) {
        const struct record *record = &batch->records[i];
        if (i == 0 || record->at.file != name)
            file = name_number(pass, name = record->at.file);
        if (record->presence == RECORD_FAULT)
            counts->faults++;
        else if (!record_add(pass, part, file, record, error))
            return false;
    }
    if (pass->wish->progress)
        pass->wish->progress(pass->wish->progress_self, pass->records, pass->bytes);
    return true;
}

static bool batch_next(const struct pass *pass, struct scan *scan, struct batch *ret, GError **error)
{
    struct call call = {.cancel = pass->wish->cancel, .ds = pass->wish->ds, .mem = pass->mem};
    arena_reset(pass->mem);
    return store_scan_next(scan, &call, ret, error);
}

static bool part_open(const struct pass *pass, uint32_t part, struct scan **ret, GError **error)
{
    struct scan_spec spec = {.ds = pass->wish->ds,
                             .bounds = pass->wish->bounds[part],
                             .max_records = BATCH_RECORDS,
                             .max_bytes = BATCH_BYTES};
    return store_scan_open(ret, pass->wish->session, &spec, error);
}

static bool part_read(struct pass *pass, uint32_t part, GError **error)
{
    auto_(scan) scan = NULL;
    struct batch batch = {0};
    if (!part_open(pass, part, &scan, error))
        return false;
    while (!batch.done)
        if (!batch_next(pass, scan, &batch, error) || !batch_add(pass, part, &batch, error))
            return false;
    return true;
}

/* --- deciding -------------------------------------------------------------------------------------------------------
 */

static bool skip_add(void *user, const struct state *state, enum skip_reason reason, const struct state *other,
                     GError **error)
{
    struct pass *pass = user;
    uint8_t item[SKIP_ITEM_BYTES], *at = item;
    at = states_bits_put(at, state->part, 4);
    at = states_bits_put(at, state->offset, 8);
    at = states_bits_put(at, reason, 1);
    at = states_bits_put(at, other->file, 4);
    states_bits_put(at, other->line, 8);
    pass->parts[state->part].skipped[reason]++;
    return extsort_add(pass->skips, item, error);
}

/* Whether the states of a key make the whole an error. */
static bool key_is_error(const struct pass *pass, const struct states *states)
{
    return pass->wish->rule == STATES_ERROR || (!pass->wish->version && !states_equal(states));
}

static bool key_done(struct pass *pass, struct states *states, GError **error)
{
    pass->keys++;
    if (states_count(states) < 2 || pass->wish->rule == STATES_ALL)
        return true;
    if (!key_is_error(pass, states))
        return states_losers(states, skip_add, pass, error);
    struct pair pair;
    states_two(states, &pair.one, &pair.other);
    if (pass->named->len < DUPLICATES_NAMED)
        g_array_append_val(pass->named, pair);
    pass->too_many++;
    return true;
}

static bool cancelled(const struct pass *pass, GError **error)
{
    const atomic_bool *cancel = pass->wish->cancel;
    if (!cancel || !atomic_load_explicit(cancel, memory_order_relaxed))
        return false;
    error_set(error, SLUICE_ERROR_CANCELLED, "given up on request");
    return true;
}

/* A key begins where the digest is another than before it; most have one state, which is only looked at. */
static bool keys_decide(struct pass *pass, struct states *states, GError **error)
{
    const uint8_t *item;
    struct digest key = {0};
    for (uint64_t n = 0;; n++) {
        if (n % ASK_EACH == 0 && cancelled(pass, error))
            return false;
        if (!extsort_next(pass->states, &item, error))
            return false;
        if (n > 0 && (!item || !digest_equal(key, digest_get(item))) && !key_done(pass, states, error))
            return false;
        if (!item)
            return true;
        struct state state = state_get(item);
        if (n == 0 || !digest_equal(key, state.key))
            states_begin(states);
        key = state.key;
        if (!states_add(states, &state, error))
            return false;
    }
}

static bool decide(struct pass *pass, const char *dir, GError **error)
{
    const struct extsort_shape shape = {
        .item_len = SKIP_ITEM_BYTES, .key_len = SKIP_KEY_BYTES, .memory_bytes = SKIPS_BYTES};
    auto_(states) states = states_new(pass->wish->world, dir);
    return extsort_finish(pass->states, error) && extsort_new(&pass->skips, pass->wish->world, dir, &shape, error) &&
           keys_decide(pass, states, error) && extsort_finish(pass->skips, error);
}

/* --- duplicates that are an error -----------------------------------------------------------------------------------
 */

static int by_place(const void *left, const void *right)
{
    const struct state *a = &((const struct pair *)left)->one, *b = &((const struct pair *)right)->one;
    return a->part != b->part ? (a->part > b->part) - (a->part < b->part)
                              : (a->offset > b->offset) - (a->offset < b->offset);
}

static void name_key(const struct pass *pass, struct diags *diags, const struct pair *pair, struct slice key)
{
    g_autofree char *text = g_utf8_make_valid((const char *)key.data, (gssize)key.len);
    diags_add(diags, pass->names->pdata[pair->one.file], (uint32_t)MIN(pair->one.line, UINT32_MAX), 1,
              "the key '%s' stands again at %s:%" G_GUINT64_FORMAT, text,
              (const char *)pass->names->pdata[pair->other.file], (guint64)pair->other.line);
}

/* The keys themselves were not kept: the parts are read once more, up to the last place that is to be named. */
static bool part_name_keys(const struct pass *pass, guint *io_next, struct diags *diags, GError **error)
{
    const struct pair *pairs = &g_array_index(pass->named, struct pair, 0);
    uint32_t part = pairs[*io_next].one.part;
    auto_(scan) scan = NULL;
    struct batch batch = {0};
    if (!part_open(pass, part, &scan, error))
        return false;
    while (!batch.done && *io_next < pass->named->len && pairs[*io_next].one.part == part) {
        if (!batch_next(pass, scan, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n && *io_next < pass->named->len; i++)
            if (pairs[*io_next].one.part == part && batch.records[i].at.offset == pairs[*io_next].one.offset)
                name_key(pass, diags, &pairs[(*io_next)++], batch.records[i].key);
    }
    return *io_next == pass->named->len || pairs[*io_next].one.part != part ||
           error_set(error, SLUICE_ERROR_SOURCE_MOVED, "the source changes while it is read");
}

static bool too_many(const struct pass *pass, GError **error)
{
    auto_(diags) diags = diags_new();
    g_array_sort(pass->named, by_place);
    for (guint next = 0; next < pass->named->len;)
        if (!part_name_keys(pass, &next, diags, error))
            return false;
    g_autofree char *text = diags_text(diags);
    return error_set(
        error, SLUICE_ERROR_REFUSED, "%" G_GUINT64_FORMAT " keys have several states in the source%s. %s:\n%s",
        (guint64)pass->too_many,
        pass->wish->rule == STATES_ERROR ? "" : ", with other content, and no `version` says which is the newest",
        pass->wish->rule == STATES_ERROR ? "Remove them, or set `duplicates: newest`"
                                         : "Name a `source.version`, or set `duplicates: all`",
        text);
}

/* --- the list -------------------------------------------------------------------------------------------------------
 */

static bool write_list(const struct pass *pass, struct digest *ret, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    auto_(skips_writer) writer = NULL;
    if (!skips_writer_new(&writer, wish->world, wish->path, wish->run_uid, error))
        return false;
    for (const uint8_t *item;;) {
        if (!extsort_next(pass->skips, &item, error))
            return false;
        if (!item)
            return skips_writer_finish_durable(writer, pass->names, ret, error);
        struct skip_entry entry = {.part = (uint32_t)states_bits_get(&item, 4)};
        entry.offset = states_bits_get(&item, 8);
        entry.reason = (uint8_t)states_bits_get(&item, 1);
        entry.file = (uint32_t)states_bits_get(&item, 4);
        entry.line = states_bits_get(&item, 8);
        if (!skips_writer_add(writer, &entry, error))
            return false;
    }
}

static void sum_up(struct pass *pass, struct duplicates_result *ret)
{
    for (size_t i = 0; i < ret->n_parts; i++) {
        const struct duplicates_part *part = &ret->parts[i];
        ret->all.records += part->records;
        ret->all.faults += part->faults;
        ret->all.bytes += part->bytes;
        for (size_t reason = 0; reason < SKIP_REASON_COUNT; reason++)
            ret->all.skipped[reason] += part->skipped[reason];
    }
    ret->keys = pass->keys;
}

/* --- the pass -------------------------------------------------------------------------------------------------------
 */

static bool read_all(struct pass *pass, const char *dir, GError **error)
{
    const struct extsort_shape shape = {
        .item_len = STATE_ITEM_BYTES, .key_len = STATE_KEY_BYTES, .memory_bytes = STATES_BYTES};
    if (!file_make_dirs(pass->wish->world, dir, error) ||
        !extsort_new(&pass->states, pass->wish->world, dir, &shape, error))
        return false;
    for (uint32_t part = 0; part < pass->wish->n_parts; part++)
        if (!part_read(pass, part, error))
            return false;
    return true;
}

/* A list of an earlier attempt would be taken for this one's. */
static bool finish(struct pass *pass, struct duplicates_result *ret, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    if (pass->too_many > 0)
        return too_many(pass, error);
    ret->listed = extsort_count(pass->skips) > 0;
    return ret->listed ? write_list(pass, &ret->digest, error) : file_unlink(wish->world, wish->path, error);
}

static void pass_done(struct pass *pass)
{
    extsort_free(pass->states);
    extsort_free(pass->skips);
    g_ptr_array_unref(pass->names);
    g_array_unref(pass->named);
    arena_free(pass->mem);
    g_free(pass->parts);
}

bool duplicates_find_durable(const struct duplicates_wish *wish, struct duplicates_result *ret, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(wish->path);
    struct pass pass = {.wish = wish,
                        .names = g_ptr_array_new_with_free_func(g_free),
                        .named = g_array_new(FALSE, FALSE, sizeof(struct pair)),
                        .mem = arena_new(BATCH_MEMORY),
                        .parts = g_new0(struct duplicates_part, wish->n_parts)};
    struct duplicates_result result = {.n_parts = wish->n_parts};
    bool ok = read_all(&pass, dir, error) && decide(&pass, dir, error) && finish(&pass, &result, error);
    if (ok) {
        result.parts = g_steal_pointer(&pass.parts);
        sum_up(&pass, &result);
        *ret = result;
    }
    pass_done(&pass);
    return ok;
}

void duplicates_result_done(struct duplicates_result *result)
{
    g_free(result->parts);
    *result = (struct duplicates_result){0};
}
