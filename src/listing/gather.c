#include "listing/gather.h"

#include <stdatomic.h>

#include "base/extsort.h"
#include "base/thread.h"

enum {
    MOST_WORKERS = 16,
    STATES_BYTES = 20 << 20, /* of all workers' sorts */
    BATCH_RECORDS = 2000,
    BATCH_BYTES = 1 << 20,
    BATCH_MEMORY = 192 << 20,
};

/* Takes one part after the other; belongs to one thread. */
struct worker {
    struct gather *gather;
    struct session *session;
    bool own_session;
    struct arena *mem;
    struct extsort *states;
    const uint8_t *top; /* when all is read: the least item that has not been given out */
    struct thread *thread;
    GError *error;
};

struct gather {
    const struct duplicates_wish *wish;
    struct gather_part *parts; /* each is touched by the worker that reads it */
    struct worker workers[MOST_WORKERS];
    size_t n_workers;
    struct worker *given; /* whose top was given out last */
    atomic_size_t next;   /* the part to be read next */
    atomic_bool stop;
    _Atomic uint64_t records, bytes;
};

/* --- one part -------------------------------------------------------------------------------------------------------
 */

bool gather_scan_open(struct gather_scan *ret, const struct duplicates_wish *wish, struct session *session,
                      uint32_t part, GError **error)
{
    struct scan_spec spec = {
        .ds = wish->ds, .bounds = wish->bounds[part], .max_records = BATCH_RECORDS, .max_bytes = BATCH_BYTES};
    *ret = (struct gather_scan){0};
    return store_scan_open(&ret->scan, session, &spec, error);
}

void gather_scan_close(struct gather_scan *scan)
{
    if (scan->scan)
        store_scan_close(scan->scan);
}

bool gather_scan_next(struct gather_scan *scan, const struct duplicates_wish *wish, struct arena *mem, GError **error)
{
    struct call call = {.cancel = wish->cancel, .ds = wish->ds, .mem = mem};
    arena_reset(mem);
    return store_scan_next(scan->scan, &call, &scan->batch, error);
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

static bool record_add(struct worker *worker, uint32_t part, const struct record *record, GError **error)
{
    uint8_t item[STATE_ITEM_BYTES];
    struct state state = {.key = digest_bytes(record->key, 0),
                          .part = part,
                          .offset = record->at.offset,
                          .line = record->at.line,
                          .content = digest_bytes(record->raw, 0).low};
    version_read(worker->gather->wish->version, record->raw, &state);
    state_put(&state, item);
    return extsort_add(worker->states, item, error);
}

static bool batch_add(struct worker *worker, uint32_t part, const struct batch *batch, GError **error)
{
    struct gather *gather = worker->gather;
    struct gather_part *found = &gather->parts[part];
    if (!found->file && batch->n > 0)
        found->file = g_strdup(batch->records[0].at.file);
    found->counts.bytes += batch->bytes;
    found->counts.records += batch->n;
    for (size_t i = 0; i < batch->n; i++)
        if (batch->records[i].presence == RECORD_FAULT)
            found->counts.faults++;
        else if (!record_add(worker, part, &batch->records[i], error))
            return false;
    uint64_t records = atomic_fetch_add(&gather->records, batch->n) + batch->n;
    uint64_t bytes = atomic_fetch_add(&gather->bytes, batch->bytes) + batch->bytes;
    if (gather->wish->progress && worker == gather->workers)
        gather->wish->progress(gather->wish->progress_self, records, bytes);
    return true;
}

static bool part_read(struct worker *worker, uint32_t part, GError **error)
{
    const struct duplicates_wish *wish = worker->gather->wish;
    struct gather_scan scan;
    bool ok = gather_scan_open(&scan, wish, worker->session, part, error);
    while (ok && !scan.batch.done && !worker->gather->stop)
        ok = gather_scan_next(&scan, wish, worker->mem, error) && batch_add(worker, part, &scan.batch, error);
    gather_scan_close(&scan);
    return ok;
}

/* --- all of them ----------------------------------------------------------------------------------------------------
 */

/* Until no part is left, or another worker has failed. */
static void work(void *self)
{
    struct worker *worker = self;
    struct gather *gather = worker->gather;
    bool ok = true;
    for (size_t part; ok && !gather->stop && (part = atomic_fetch_add(&gather->next, 1)) < gather->wish->n_parts;)
        ok = part_read(worker, (uint32_t)part, &worker->error);
    ok = ok && !gather->stop && extsort_finish(worker->states, &worker->error) &&
         extsort_next(worker->states, &worker->top, &worker->error);
    if (!ok)
        gather->stop = true;
}

static bool worker_init(struct gather *gather, struct worker *worker, const char *dir, GError **error)
{
    const struct duplicates_wish *wish = gather->wish;
    const struct extsort_shape shape = {
        .item_len = STATE_ITEM_BYTES, .key_len = STATE_KEY_BYTES, .memory_bytes = STATES_BYTES / gather->n_workers};
    worker->gather = gather;
    worker->mem = arena_new(BATCH_MEMORY);
    worker->session = worker == gather->workers ? wish->session : NULL;
    worker->own_session = !worker->session;
    if (!extsort_new(&worker->states, wish->world, dir, &shape, error))
        return false;
    return worker->session ||
           store_session_open(&worker->session, ((struct session_base *)wish->session)->store, error);
}

static void worker_done(struct worker *worker)
{
    if (worker->own_session)
        store_session_close(worker->session);
    extsort_free(worker->states);
    arena_free(worker->mem);
    g_clear_error(&worker->error);
}

/* The first worker is the calling thread. */
static bool work_all(struct gather *gather, GError **error)
{
    bool started = true;
    for (size_t i = 1; started && i < gather->n_workers; i++)
        started = thread_start(&gather->workers[i].thread, "duplicates", work, &gather->workers[i], error);
    if (!started)
        gather->stop = true;
    work(&gather->workers[0]);
    for (size_t i = 1; i < gather->n_workers; i++)
        thread_join(g_steal_pointer(&gather->workers[i].thread));
    for (size_t i = 0; started && i < gather->n_workers; i++)
        if (gather->workers[i].error) {
            g_propagate_error(error, g_steal_pointer(&gather->workers[i].error));
            return false;
        }
    return started;
}

bool gather_new(struct gather **ret, const struct duplicates_wish *wish, const char *dir, GError **error)
{
    auto_(gather) gather = g_new0(struct gather, 1);
    gather->wish = wish;
    gather->parts = g_new0(struct gather_part, wish->n_parts);
    gather->n_workers = CLAMP(MIN(wish->workers, wish->n_parts), 1, MOST_WORKERS);
    for (size_t i = 0; i < gather->n_workers; i++)
        if (!worker_init(gather, &gather->workers[i], dir, error))
            return false;
    if (!work_all(gather, error))
        return false;
    *ret = g_steal_pointer(&gather);
    return true;
}

void gather_free(struct gather *gather)
{
    if (!gather)
        return;
    for (size_t i = 0; i < gather->n_workers; i++)
        worker_done(&gather->workers[i]);
    for (size_t i = 0; i < gather->wish->n_parts; i++)
        g_free(gather->parts[i].file);
    g_free(gather->parts);
    g_free(gather);
}

struct gather_part *gather_parts(struct gather *gather)
{
    return gather->parts;
}

bool gather_next(struct gather *gather, const uint8_t **ret_item, GError **error)
{
    struct worker *least = NULL;
    if (gather->given && !extsort_next(gather->given->states, &gather->given->top, error))
        return false;
    for (size_t i = 0; i < gather->n_workers; i++) {
        struct worker *worker = &gather->workers[i];
        if (worker->top && (!least || memcmp(worker->top, least->top, STATE_KEY_BYTES) < 0))
            least = worker;
    }
    gather->given = least;
    *ret_item = least ? least->top : NULL;
    return true;
}
