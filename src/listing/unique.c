#include "listing/unique.h"

#include "base/extsort.h"
#include "listing/skips.h"
#include "listing/states.h"

enum {
    VALUES_BYTES = 20 << 20,
    LOSERS_BYTES = 8 << 20,
    DIGEST_BYTES = 16,
};

/* A value: field digest | rank: kind version key key-digest part offset || line key-length. The first part is whose
 * value it is; sorted, the first of them is the one that is taken. */
#define SAME_BYTES  (2 + DIGEST_BYTES)
#define VALUE_SORT  (SAME_BYTES + 1 + 8 + UNIQUE_KEY_BYTES + DIGEST_BYTES + 4 + 8)
#define VALUE_BYTES (VALUE_SORT + 8 + 4)

/* A loser: part offset field || the winner's part, line, key-length and key. */
#define LOSER_SORT  (4 + 8 + 2)
#define LOSER_BYTES (LOSER_SORT + 4 + 8 + 4 + UNIQUE_KEY_BYTES)

struct unique {
    struct unique_wish wish;
    char *dir;
    struct extsort *values, *losers;
    uint64_t n_losers;
};

/* A value, taken apart again. */
struct holder {
    uint32_t field, part, key_len;
    uint64_t offset, line;
    const uint8_t *key;
    struct digest key_digest;
};

bool unique_new(struct unique **ret, const struct unique_wish *wish, GError **error)
{
    const struct extsort_shape values = {.item_len = VALUE_BYTES, .key_len = VALUE_SORT, .memory_bytes = VALUES_BYTES};
    const struct extsort_shape losers = {.item_len = LOSER_BYTES, .key_len = LOSER_SORT, .memory_bytes = LOSERS_BYTES};
    auto_(unique) unique = g_new0(struct unique, 1);
    unique->wish = *wish;
    unique->dir = g_path_get_dirname(wish->path);
    if (!file_make_dirs(wish->world, unique->dir, error) ||
        !extsort_new(&unique->values, wish->world, unique->dir, &values, error) ||
        !extsort_new(&unique->losers, wish->world, unique->dir, &losers, error))
        return false;
    *ret = g_steal_pointer(&unique);
    return true;
}

void unique_free(struct unique *unique)
{
    if (!unique)
        return;
    extsort_free(unique->values);
    extsort_free(unique->losers);
    g_free(unique->dir);
    g_free(unique);
}

/* The beginning of a key; what is not there is zero. */
static uint8_t *put_key(uint8_t *into, struct slice key)
{
    size_t len = MIN(key.len, UNIQUE_KEY_BYTES);
    memset(into, 0, UNIQUE_KEY_BYTES);
    if (len > 0)
        memcpy(into, key.data, len);
    return into + UNIQUE_KEY_BYTES;
}

/* Higher versions first; a record without one comes last. */
static uint8_t *put_rank(uint8_t *into, struct version version)
{
    bool none = version.kind == VERSION_NONE;
    uint64_t bits = none ? 0 : (uint64_t)version.value ^ UINT64_C(1) << 63;
    into = states_bits_put(into, none ? 2 : version.kind == VERSION_INTEGER, 1);
    return states_bits_put(into, ~bits, 8);
}

bool unique_add(struct unique *unique, const struct unique_value *value, GError **error)
{
    uint8_t item[VALUE_BYTES], *at = states_bits_put(item, value->field, 2);
    digest_put(value->value, at);
    at = put_key(put_rank(at + DIGEST_BYTES, value->version), value->key);
    digest_put(digest_bytes(value->key, 0), at);
    at = states_bits_put(at + DIGEST_BYTES, value->part, 4);
    at = states_bits_put(at, value->offset, 8);
    at = states_bits_put(at, value->line, 8);
    states_bits_put(at, value->key.len, 4);
    return extsort_add(unique->values, item, error);
}

static struct holder holder_of(const uint8_t *item)
{
    const uint8_t *at = item;
    struct holder holder = {.field = (uint32_t)states_bits_get(&at, 2)};
    at += DIGEST_BYTES + 1 + 8;
    holder.key = at;
    at += UNIQUE_KEY_BYTES;
    holder.key_digest = digest_get(at);
    at += DIGEST_BYTES;
    holder.part = (uint32_t)states_bits_get(&at, 4);
    holder.offset = states_bits_get(&at, 8);
    holder.line = states_bits_get(&at, 8);
    holder.key_len = (uint32_t)states_bits_get(&at, 4);
    return holder;
}

/* --- deciding -------------------------------------------------------------------------------------------------------
 */

static bool loser_add(struct unique *unique, const struct holder *loser, const struct holder *winner, GError **error)
{
    uint8_t item[LOSER_BYTES], *at = states_bits_put(item, loser->part, 4);
    at = states_bits_put(at, loser->offset, 8);
    at = states_bits_put(at, loser->field, 2);
    at = states_bits_put(at, winner->part, 4);
    at = states_bits_put(at, winner->line, 8);
    at = states_bits_put(at, winner->key_len, 4);
    memcpy(at, winner->key, UNIQUE_KEY_BYTES);
    unique->n_losers++;
    return extsort_add(unique->losers, item, error);
}

/* Two documents of one record with the same value: the record cannot be written as it is. */
static bool excludes(const struct holder *winner, const struct holder *other)
{
    return !digest_equal(winner->key_digest, other->key_digest) ||
           (winner->part == other->part && winner->offset == other->offset);
}

static bool decide(struct unique *unique, GError **error)
{
    uint8_t first[VALUE_BYTES] = {0};
    bool any = false;
    if (!extsort_finish(unique->values, error))
        return false;
    for (const uint8_t *item;;) {
        if (!extsort_next(unique->values, &item, error))
            return false;
        if (!item)
            return extsort_finish(unique->losers, error);
        if (!any || memcmp(first, item, SAME_BYTES) != 0) {
            memcpy(first, item, sizeof first);
            any = true;
            continue;
        }
        struct holder winner = holder_of(first), loser = holder_of(item);
        if (excludes(&winner, &loser) && !loser_add(unique, &loser, &winner, error))
            return false;
    }
}

/* --- the list -------------------------------------------------------------------------------------------------------
 */

/* What is written: the entries that stood there before and the losers, in one order. */
struct merge {
    const struct unique *unique;
    struct skips_writer *writer;
    uint8_t item[LOSER_BYTES]; /* the next loser … */
    bool left;                 /* … if there is one */
};

/* The next loser; a record that loses several fields is listed for the first of them. */
static bool loser_next(struct merge *merge, GError **error)
{
    const uint8_t *item;
    bool had = merge->left;
    do {
        if (!extsort_next(merge->unique->losers, &item, error))
            return false;
    } while (item && had && memcmp(item, merge->item, 4 + 8) == 0);
    merge->left = item != NULL;
    if (item)
        memcpy(merge->item, item, sizeof merge->item);
    return true;
}

static bool loser_write(struct merge *merge, GError **error)
{
    const uint8_t *at = merge->item;
    struct skip_entry entry = {.reason = SKIP_UNIQUE, .part = (uint32_t)states_bits_get(&at, 4)};
    entry.offset = states_bits_get(&at, 8);
    entry.field = slice_of_text(merge->unique->wish.fields[states_bits_get(&at, 2)]);
    entry.other = (uint32_t)states_bits_get(&at, 4);
    entry.line = states_bits_get(&at, 8);
    size_t len = (size_t)states_bits_get(&at, 4);
    entry.key = slice_of(at, MIN(len, UNIQUE_KEY_BYTES));
    return skips_writer_add(merge->writer, &entry, error) && loser_next(merge, error);
}

/* How the next loser stands to the entry. */
static int order(const struct merge *merge, const struct skip_entry *entry)
{
    const uint8_t *at = merge->item;
    uint32_t part = (uint32_t)states_bits_get(&at, 4);
    uint64_t offset = states_bits_get(&at, 8);
    return part != entry->part ? (part > entry->part) - (part < entry->part)
                               : (offset > entry->offset) - (offset < entry->offset);
}

static bool old_write(void *user, const struct skip_entry *entry, const char *file, GError **error)
{
    struct merge *merge = user;
    while (merge->left && order(merge, entry) < 0)
        if (!loser_write(merge, error))
            return false;
    if (merge->left && order(merge, entry) == 0) /* it took part, and does not now */
        return true;
    return skips_writer_add(merge->writer, entry, error);
}

static bool write_all(struct merge *merge, struct skiplist *old, GError **error)
{
    if (!loser_next(merge, error) || (old && !skiplist_each(old, old_write, merge, error)))
        return false;
    while (merge->left)
        if (!loser_write(merge, error))
            return false;
    return true;
}

bool unique_finish_durable(struct unique *unique, const GPtrArray *names, bool *ret_listed, GError **error)
{
    const struct unique_wish *wish = &unique->wish;
    auto_(skiplist) old = NULL;
    auto_(skips_writer) writer = NULL;
    struct digest digest;
    if (!decide(unique, error) ||
        (file_exists(wish->world, wish->path) && !skiplist_open(&old, wish->world, wish->path, wish->run_uid, error)))
        return false;
    *ret_listed = old || unique->n_losers > 0;
    if (unique->n_losers == 0)
        return true;
    struct merge merge = {.unique = unique};
    if (!skips_writer_new(&writer, wish->world, wish->path, wish->run_uid, error))
        return false;
    merge.writer = writer;
    return write_all(&merge, old, error) && skips_writer_finish_durable(writer, names, &digest, error);
}
