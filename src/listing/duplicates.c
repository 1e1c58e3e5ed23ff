#include "base/diags.h"
#include "base/extsort.h"
#include "listing/gather.h"
#include "listing/skips.h"

enum {
    SKIPS_BYTES = 8 << 20, /* of the second sort; with that of gather.c and a key's states below DUPLICATES_BYTES */
    NAMING_MEMORY = 192 << 20,
    ASK_EACH = 65536,
};

#define SKIP_ITEM_BYTES 25 /* part offset reason other's-part other's-line */
#define SKIP_KEY_BYTES  12

/* Two states of a key that make duplicates an error. */
struct pair {
    struct state one, other;
};

struct pass {
    const struct duplicates_wish *wish;
    struct gather *gather;
    struct gather_part *parts;
    struct extsort *skips;
    uint32_t *number; /* of each part, without those that are not kept: these come behind the others */
    size_t n_kept;
    uint64_t keys;
    GArray *named;     /* of struct pair */
    uint64_t too_many; /* keys of that kind */
};

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
    at = states_bits_put(at, other->part, 4);
    states_bits_put(at, other->line, 8);
    pass->parts[state->part].counts.skipped[reason]++;
    return extsort_add(pass->skips, item, error);
}

/* Whether the states of a key make the whole an error. */
static bool key_is_error(const struct pass *pass, const struct states *states)
{
    return pass->wish->rule == STATES_ERROR || (!pass->wish->version && !states_equal(states));
}

/* A key with several states. */
static bool key_done(struct pass *pass, struct states *states, GError **error)
{
    if (pass->wish->rule == STATES_ALL)
        return true;
    if (pass->wish->rule == STATES_BY_VERSION)
        return states_staying(states, skip_add, pass, error);
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

/* The next state is one of the key that `before` is of; most keys have one, which is not looked into. */
static bool state_add(struct states *states, const uint8_t *before, const uint8_t *item, GError **error)
{
    struct state state;
    if (states_count(states) == 0) {
        state = state_get(before);
        if (!states_add(states, &state, error))
            return false;
    }
    state = state_get(item);
    return states_add(states, &state, error);
}

static bool keys_decide(struct pass *pass, struct states *states, GError **error)
{
    uint8_t before[STATE_ITEM_BYTES] = {0};
    const uint8_t *item;
    for (uint64_t n = 0;; n++) {
        if ((n % ASK_EACH == 0 && cancelled(pass, error)) || !gather_next(pass->gather, &item, error))
            return false;
        bool same = n > 0 && item && memcmp(before, item, STATE_DIGEST_BYTES) == 0;
        if (same && !state_add(states, before, item, error))
            return false;
        if (!same && states_count(states) > 0) {
            if (!key_done(pass, states, error))
                return false;
            states_reset(states);
        }
        if (!item)
            return true;
        pass->keys += !same;
        memcpy(before, item, sizeof before);
    }
}

static bool decide(struct pass *pass, const char *dir, GError **error)
{
    const struct extsort_shape shape = {
        .item_len = SKIP_ITEM_BYTES, .key_len = SKIP_KEY_BYTES, .memory_bytes = SKIPS_BYTES};
    auto_(states) states = states_new(pass->wish->world, dir);
    return extsort_new(&pass->skips, pass->wish->world, dir, &shape, error) && keys_decide(pass, states, error) &&
           extsort_finish(pass->skips, error);
}

/* --- duplicates that are an error -----------------------------------------------------------------------------------
 */

static int by_place(const void *left, const void *right)
{
    const struct state *a = &((const struct pair *)left)->one, *b = &((const struct pair *)right)->one;
    return a->part != b->part ? (a->part > b->part) - (a->part < b->part)
                              : (a->offset > b->offset) - (a->offset < b->offset);
}

static const char *file_of(const struct pass *pass, uint32_t part)
{
    return pass->parts[part].file ? pass->parts[part].file : "";
}

static void name_key(const struct pass *pass, struct diags *diags, const struct pair *pair, struct slice key)
{
    g_autofree char *text = g_utf8_make_valid((const char *)key.data, (gssize)key.len);
    diags_add(diags, file_of(pass, pair->one.part), (uint32_t)MIN(pair->one.line, UINT32_MAX), 1,
              "the key '%s' stands again at %s:%" G_GUINT64_FORMAT, text, file_of(pass, pair->other.part),
              (guint64)pair->other.line);
}

/* The keys of a part that are to be named, which stand sorted by place in `pairs`. */
struct naming {
    const struct pair *pairs;
    size_t n;
    struct arena *mem;
    struct diags *diags;
};

/* The keys themselves were not kept: the part is read once more, up to the last of those places. */
static bool part_name_keys(const struct pass *pass, const struct naming *naming, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    struct gather_scan scan;
    size_t done = 0;
    bool ok = gather_scan_open(&scan, wish, wish->session, naming->pairs[0].one.part, error);
    while (ok && !scan.batch.done && done < naming->n) {
        ok = gather_scan_next(&scan, wish, naming->mem, error);
        for (size_t i = 0; ok && i < scan.batch.n && done < naming->n; i++)
            if (scan.batch.records[i].at.offset == naming->pairs[done].one.offset)
                name_key(pass, naming->diags, &naming->pairs[done++], scan.batch.records[i].key);
    }
    gather_scan_close(&scan);
    return ok;
}

static bool name_keys(const struct pass *pass, struct diags *diags, GError **error)
{
    auto_(arena) mem = arena_new(NAMING_MEMORY);
    const struct pair *pairs = (const struct pair *)(const void *)pass->named->data;
    g_array_sort(pass->named, by_place);
    for (size_t i = 0, n; i < pass->named->len; i += n) {
        for (n = 1; i + n < pass->named->len && pairs[i + n].one.part == pairs[i].one.part;)
            n++;
        struct naming naming = {.pairs = pairs + i, .n = n, .mem = mem, .diags = diags};
        if (!part_name_keys(pass, &naming, error))
            return false;
    }
    return true;
}

static bool too_many(const struct pass *pass, GError **error)
{
    bool any = pass->wish->rule == STATES_ERROR;
    auto_(diags) diags = diags_new();
    if (!name_keys(pass, diags, error))
        return false;
    g_autofree char *text = diags_text(diags);
    return error_set(
        error, SLUICE_ERROR_REFUSED, "%" G_GUINT64_FORMAT " keys have several states in the source%s. %s:\n%s",
        (guint64)pass->too_many, any ? "" : ", with other content, and no `version` says which is the newest",
        any ? "Remove them, or set `duplicates: newest`" : "Name a `source.version`, or set `duplicates: all`", text);
}

/* --- the list -------------------------------------------------------------------------------------------------------
 */

/* The kept ones first: what the others superseded still names their files. */
static void number_parts(struct pass *pass)
{
    const struct duplicates_wish *wish = pass->wish;
    uint32_t next = 0;
    pass->number = g_new(uint32_t, wish->n_parts + 1);
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < wish->n_parts; i++)
            if ((!wish->keep || wish->keep(wish->keep_self, i, &pass->parts[i].counts)) == (round == 0))
                pass->number[i] = next++;
        pass->n_kept = round == 0 ? next : pass->n_kept;
    }
}

static bool is_kept(const struct pass *pass, uint32_t part)
{
    return pass->number[part] < pass->n_kept;
}

/* Of the parts, by their numbers. */
static GPtrArray *names_of(const struct pass *pass)
{
    GPtrArray *names = g_ptr_array_new();
    g_ptr_array_set_size(names, (gint)pass->wish->n_parts);
    for (uint32_t i = 0; i < pass->wish->n_parts; i++)
        names->pdata[pass->number[i]] = (char *)(uintptr_t)file_of(pass, i);
    return names;
}

static bool write_list(const struct pass *pass, struct digest *ret, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    auto_(skips_writer) writer = NULL;
    g_autoptr(GPtrArray) names = names_of(pass);
    if (!skips_writer_new(&writer, wish->world, wish->path, wish->run_uid, error))
        return false;
    for (const uint8_t *item;;) {
        if (!extsort_next(pass->skips, &item, error))
            return false;
        if (!item)
            return skips_writer_finish_durable(writer, names, ret, error);
        struct skip_entry entry = {.part = (uint32_t)states_bits_get(&item, 4)};
        entry.offset = states_bits_get(&item, 8);
        entry.reason = (uint8_t)states_bits_get(&item, 1);
        entry.other = (uint32_t)states_bits_get(&item, 4);
        entry.line = states_bits_get(&item, 8);
        if (!is_kept(pass, entry.part))
            continue;
        entry.part = pass->number[entry.part];
        entry.other = pass->number[entry.other];
        if (!skips_writer_add(writer, &entry, error))
            return false;
    }
}

static void sum_up(const struct pass *pass, struct duplicates_result *ret)
{
    ret->keys = pass->keys;
    ret->n_parts = pass->n_kept;
    ret->parts = g_new(struct duplicates_part, ret->n_parts + 1);
    ret->kept = g_new(uint32_t, ret->n_parts + 1);
    for (uint32_t i = 0; i < pass->wish->n_parts; i++) {
        const struct duplicates_part *part = &pass->parts[i].counts;
        if (!is_kept(pass, i))
            continue;
        ret->parts[pass->number[i]] = *part;
        ret->kept[pass->number[i]] = i;
        ret->all.records += part->records;
        ret->all.faults += part->faults;
        ret->all.bytes += part->bytes;
        for (size_t reason = 0; reason < SKIP_REASON_COUNT; reason++)
            ret->all.skipped[reason] += part->skipped[reason];
    }
}

/* --- the pass -------------------------------------------------------------------------------------------------------
 */

static uint64_t skips_of_kept(const struct pass *pass)
{
    uint64_t skips = 0;
    for (uint32_t i = 0; i < pass->wish->n_parts; i++)
        for (size_t reason = SKIP_SUPERSEDED; is_kept(pass, i) && reason < SKIP_REASON_COUNT; reason++)
            skips += pass->parts[i].counts.skipped[reason];
    return skips;
}

/* A list of an earlier attempt would be taken for this one's. */
static bool finish(struct pass *pass, struct duplicates_result *ret, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    if (pass->too_many > 0)
        return too_many(pass, error);
    number_parts(pass);
    ret->listed = skips_of_kept(pass) > 0;
    return ret->listed ? write_list(pass, &ret->digest, error) : file_unlink(wish->world, wish->path, error);
}

static bool pass_all(struct pass *pass, struct duplicates_result *ret, GError **error)
{
    const struct duplicates_wish *wish = pass->wish;
    g_autofree char *dir = g_path_get_dirname(wish->path);
    if (!file_make_dirs(wish->world, dir, error) || !gather_new(&pass->gather, wish, dir, error))
        return false;
    pass->parts = gather_parts(pass->gather);
    return decide(pass, dir, error) && finish(pass, ret, error);
}

bool duplicates_find_durable(const struct duplicates_wish *wish, struct duplicates_result *ret, GError **error)
{
    struct pass pass = {.wish = wish, .named = g_array_new(FALSE, FALSE, sizeof(struct pair))};
    struct duplicates_result result = {0};
    bool ok = pass_all(&pass, &result, error);
    if (ok) {
        sum_up(&pass, &result);
        *ret = result;
    }
    gather_free(pass.gather);
    extsort_free(pass.skips);
    g_free(pass.number);
    g_array_unref(pass.named);
    return ok;
}

void duplicates_result_done(struct duplicates_result *result)
{
    g_free(result->parts);
    g_free(result->kept);
    *result = (struct duplicates_result){0};
}
