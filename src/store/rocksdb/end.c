/* What is left of a run that is over: a row, for as long as a copy of its home may be about. */
#include "base/hex.h"
#include "store/rocksdb/rocks.h"

#define END_ROWS     "ended/"
#define END_LASTS_MS (INT64_C(400) * 24 * 3600 * 1000)

enum { RUN_UID = 16, UNTIL_BYTES = 8, END_KEY_BYTES = sizeof END_ROWS - 1 + HEX_TEXT(RUN_UID) };

static struct slice end_key(const uint8_t run_uid[RUN_UID], char into[END_KEY_BYTES])
{
    memcpy(into, END_ROWS, sizeof END_ROWS - 1);
    hex_text(run_uid, RUN_UID, into + sizeof END_ROWS - 1);
    return slice_of_text(into);
}

/* A row: until when it stays, milliseconds since 1970, u64 little-endian; then the mark. */
static bool stays(struct slice row, int64_t now_ms)
{
    uint64_t until;
    if (row.len < UNTIL_BYTES)
        return false;
    memcpy(&until, row.data, sizeof until);
    return GUINT64_FROM_LE(until) > (uint64_t)now_ms;
}

/* Those whose time is over go with the next one that comes. */
static bool drop_old(struct session *base, GError **error)
{
    struct rocks_session *session = (struct rocks_session *)base;
    struct rocks_store *store = rocks_of(base);
    rocksdb_column_family_handle_t *meta = rocks_family(store, ROCKS_META);
    struct slice rows = slice_of_text(END_ROWS);
    int64_t now_ms = rocks_now_ms(store);
    rocksdb_iterator_t *at = rocksdb_create_iterator_cf(store->db, store->options.read, meta);
    for (rocksdb_iter_seek(at, END_ROWS, rows.len); rocksdb_iter_valid(at); rocksdb_iter_next(at)) {
        struct slice key = rocks_iterator_key(at);
        if (key.len < rows.len || memcmp(key.data, rows.data, rows.len) != 0)
            break;
        if (!stays(rocks_iterator_value(at), now_ms))
            rocksdb_writebatch_delete_cf(session->batch, meta, (const char *)key.data, key.len);
    }
    bool ok = rocks_iterator_check(store, at, error);
    rocksdb_iter_destroy(at);
    if (!ok)
        rocksdb_writebatch_clear(session->batch);
    return ok;
}

bool rocks_end_mark(struct session *base, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                    GError **error)
{
    struct rocks_session *session = (struct rocks_session *)base;
    struct rocks_store *store = rocks_of(base);
    char key[END_KEY_BYTES];
    size_t key_len = end_key(run_uid, key).len;
    uint64_t until = GUINT64_TO_LE((uint64_t)(rocks_now_ms(store) + END_LASTS_MS));
    g_autoptr(GByteArray) row = g_byte_array_new();
    g_byte_array_append(row, (const uint8_t *)&until, sizeof until);
    g_byte_array_append(row, mark.data, (unsigned)mark.len);
    if (!rocks_whole(store, error) || !drop_old(base, error))
        return false;
    rocksdb_writebatch_put_cf(session->batch, rocks_family(store, ROCKS_META), key, key_len, (const char *)row->data,
                              row->len);
    return rocks_commit(base, error);
}

bool rocks_end_read(struct session *base, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                    GError **error)
{
    struct rocks_store *store = rocks_of(base);
    char key[END_KEY_BYTES];
    rocksdb_pinnableslice_t *found = NULL;
    size_t len;
    *ret = SLICE_EMPTY;
    if (!rocks_row(store, ROCKS_META, end_key(run_uid, key), &found, error))
        return false;
    if (!found)
        return true;
    const char *data = rocksdb_pinnableslice_value(found, &len);
    struct slice row = rocks_slice(data, len);
    bool ok = !stays(row, rocks_now_ms(store)) ||
              arena_copy(call->mem, slice_of(row.data + UNTIL_BYTES, row.len - UNTIL_BYTES), ret) ||
              error_set(error, SLUICE_ERROR_TOO_BIG, "the mark of a run's end does not fit into the call's memory");
    rocksdb_pinnableslice_destroy(found);
    return ok;
}
