/* A scan: keys are listed, then read. */
#include "store/keyed.h"
#include "store/valkey/valkey_store.h"

enum { RECORD_BYTES_FIRST = 512 };

/* Keys that are listed and not given yet; `before` is where the list stood when it gave them. */
struct valkey_scan {
    struct scan_base base;
    struct list *list;
    const struct valkey_dataset *ds;
    struct scan_spec spec; /* its dataset and slices are not used after scan_open */
    struct dataset dataset;
    char *name;
    struct arena *keys_mem, *values_mem;
    struct slice *keys; /* of records */
    size_t n, at;
    GByteArray *before, *behind;
    bool listed; /* the list is at its end */
    uint64_t seen_records, seen_bytes;
};

bool valkey_split(struct session *session, const struct call *call, const struct split_wish *wish,
                  struct part_list *into, GError **error)
{
    return list_split(valkey_session_of(session)->router, call, wish, into, error);
}

static void put_cursor(GByteArray *into, struct slice cursor)
{
    g_byte_array_set_size(into, 0);
    if (cursor.len)
        g_byte_array_append(into, cursor.data, (unsigned)cursor.len);
}

bool valkey_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    const struct valkey_dataset *ds;
    struct list *list = NULL;
    if (!valkey_records_of(session, spec->ds, &ds, error))
        return false;
    struct list_wish wish = {.template = ds->template,
                             .bounds = spec->bounds,
                             .cursor = spec->cursor,
                             .max_keys = spec->max_records,
                             .only = spec->ds->only};
    if (!list_open(&list, valkey_session_of(session)->router, &wish, error))
        return false;
    struct valkey_scan *scan = g_new0(struct valkey_scan, 1);
    scan->list = list;
    scan->ds = ds;
    scan->spec = *spec;
    scan->name = g_strdup(spec->ds->name);
    scan->dataset = (struct dataset){.name = scan->name, .form = spec->ds->form};
    scan->keys_mem = arena_new((size_t)1 << 30);
    scan->values_mem = arena_new((size_t)1 << 30);
    scan->before = g_byte_array_new();
    scan->behind = g_byte_array_new();
    put_cursor(scan->behind, spec->cursor);
    *ret = (struct scan *)scan;
    return true;
}

void valkey_scan_close(struct scan *base)
{
    struct valkey_scan *scan = (struct valkey_scan *)base;
    list_close(scan->list);
    arena_free(scan->keys_mem);
    arena_free(scan->values_mem);
    g_byte_array_unref(scan->before);
    g_byte_array_unref(scan->behind);
    g_free(scan->name);
    g_free(scan);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static bool take_keys(struct valkey_scan *scan, const struct list_keys *listed, GError **error)
{
    scan->n = scan->at = 0;
    if (key_template_places(scan->ds->template) == 0) { /* all of them are records' keys as they stand */
        scan->keys = listed->keys;
        scan->n = listed->n;
        return true;
    }
    scan->keys = arena_alloc(scan->keys_mem, listed->n * sizeof *scan->keys + 1);
    for (size_t i = 0; scan->keys && i < listed->n; i++) {
        struct slice key;
        bool ours;
        if (!key_template_from_server(scan->ds->template, listed->keys[i], scan->keys_mem, &key, &ours, error))
            return false;
        if (ours)
            scan->keys[scan->n++] = key;
    }
    return scan->keys || error_set(error, SLUICE_ERROR_TOO_BIG, "a listing's keys do not fit into memory");
}

static bool list_more(struct valkey_scan *scan, const struct call *call, GError **error)
{
    struct list_keys listed;
    struct call inner = {.deadline_us = call->deadline_us, .cancel = call->cancel, .ds = &scan->dataset};
    arena_reset(scan->keys_mem);
    inner.mem = scan->keys_mem;
    if (!list_next(scan->list, &inner, &listed, error))
        return false;
    put_cursor(scan->before, slice_of(scan->behind->data, scan->behind->len));
    put_cursor(scan->behind, listed.cursor);
    scan->listed = listed.done;
    return take_keys(scan, &listed, error);
}

/* --- records ------------------------------------------------------------------------------------------------------ */

/* How many of the keys at hand will about fill the batch. */
static size_t worth_reading(const struct valkey_scan *scan, const struct keyed_filling *filling)
{
    uint64_t each = scan->seen_records ? scan->seen_bytes / scan->seen_records + 1 : RECORD_BYTES_FIRST;
    uint64_t room = scan->spec.max_bytes - MIN(scan->spec.max_bytes, filling->batch.bytes);
    size_t n = MIN(scan->n - scan->at, scan->spec.max_records - filling->batch.n);
    return (size_t)MIN((uint64_t)n, room / each + 1);
}

static bool copy_record(const struct record *from, struct arena *mem, struct record *ret)
{
    *ret = *from;
    return arena_copy(mem, from->key, &ret->key) && arena_copy(mem, from->raw, &ret->raw) &&
           (!from->fault.text || (ret->fault.text = arena_text(mem, slice_of_text(from->fault.text))));
}

/* Into the batch as long as it has room; what has gone meanwhile is passed over. */
static bool fill(struct valkey_scan *scan, struct keyed_filling *filling, const struct record *read, size_t n,
                 GError **error)
{
    struct batch *batch = &filling->batch;
    for (size_t i = 0; i < n && !filling->full; i++) {
        size_t bytes = read[i].key.len + read[i].raw.len;
        if (read[i].presence == RECORD_ABSENT) {
            scan->at++;
            continue;
        }
        bool over = batch->n && batch->bytes + bytes > scan->spec.max_bytes;
        bool fits = !over && copy_record(&read[i], filling->mem, &batch->records[batch->n]);
        if (!fits && !over && !batch->n)
            return keyed_too_big(read[i].key, error);
        filling->full = !fits;
        batch->n += fits;
        batch->bytes += fits ? bytes : 0;
        scan->at += fits;
        scan->seen_records += fits;
        scan->seen_bytes += fits ? bytes : 0;
    }
    filling->full = filling->full || batch->n == scan->spec.max_records;
    return true;
}

/* Nothing is read of them. */
static bool fill_keys(struct valkey_scan *scan, struct keyed_filling *filling, GError **error)
{
    bool good = true;
    for (size_t n = worth_reading(scan, filling); good && n > 0 && !filling->full; n--) {
        struct record record = {.key = scan->keys[scan->at], .presence = RECORD_PRESENT};
        good = fill(scan, filling, &record, 1, error);
    }
    return good;
}

static bool read_some(struct valkey_scan *scan, const struct call *call, struct keyed_filling *filling, GError **error)
{
    if (scan->spec.keys_only)
        return fill_keys(scan, filling, error);
    size_t n = worth_reading(scan, filling);
    struct call inner = {
        .deadline_us = call->deadline_us, .cancel = call->cancel, .ds = &scan->dataset, .mem = scan->values_mem};
    arena_reset(scan->values_mem);
    struct record *read = arena_alloc0(scan->values_mem, n * sizeof *read);
    if (!read)
        return keyed_too_big(scan->keys[scan->at], error);
    for (size_t i = 0; i < n; i++)
        read[i] = (struct record){.key = scan->keys[scan->at + i], .presence = RECORD_PRESENT};
    if (!valkey_read(scan->base.session, &inner, read, n, error))
        return false;
    return fill(scan, filling, read, n, error);
}

bool valkey_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct valkey_scan *scan = (struct valkey_scan *)base;
    struct keyed_filling filling;
    if (!keyed_filling_init(&filling, &scan->spec, call->mem, error))
        return false;
    struct valkey_session *session = valkey_session_of(scan->base.session);
    session->lingered = false;
    while (!filling.full && !(session->lingered && filling.batch.n) && (scan->at < scan->n || !scan->listed)) {
        if (!call_goes_on(call, valkey_store_of(scan->base.session)->base.world, error))
            return false;
        if (scan->at == scan->n && !list_more(scan, call, error))
            return false;
        if (scan->at < scan->n && !read_some(scan, call, &filling, error))
            return false;
    }
    const GByteArray *cursor = scan->at < scan->n ? scan->before : scan->behind;
    filling.batch.done = scan->listed && scan->at == scan->n;
    if (!filling.batch.n)
        arena_trim(call->mem, filling.batch.records, scan->spec.max_records * sizeof *filling.batch.records, 0);
    *ret = filling.batch;
    return arena_copy(call->mem, slice_of(cursor->data, cursor->len), &ret->cursor) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a cursor does not fit into the memory of the call");
}
