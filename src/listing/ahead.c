#include "listing/ahead.h"

#include "base/lock.h"
#include "base/thread.h"

/* Keys that were read, or room for some. */
struct slot {
    struct arena *mem;
    struct ahead_keys keys;
    bool full; /* it is the user's; else the reader's */
};

/* As a source of keys. */
struct ahead_scan {
    struct scan *scan;
    struct call call; /* its memory: a batch as the store gives it */
};

struct ahead {
    struct ahead_source source;
    struct ahead_scan scan; /* of a scan: what the source is made of */
    struct thread *thread;
    struct slot slots[AHEAD_BATCHES];
    size_t next;   /* the user's: the slot of the keys that come next */
    bool has_last; /* the slot before it is in use */

    pthread_mutex_t lock; /* guards `full`, and what follows */
    pthread_cond_t changed;
    bool over;     /* nobody takes another one */
    GError *error; /* why there will be no more */
};

/* False: nobody takes it. */
static bool wait_for_room(struct ahead *ahead, const struct slot *slot)
{
    auto_hold(&ahead->lock);
    while (slot->full && !ahead->over)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    return !ahead->over;
}

static bool read_into(struct ahead *ahead, struct slot *slot)
{
    GError *failed = NULL;
    arena_reset(slot->mem);
    slot->keys = (struct ahead_keys){0};
    bool ok = ahead->source.next(ahead->source.self, slot->mem, &slot->keys, &failed), more = ok && !slot->keys.done;
    auto_hold(&ahead->lock);
    slot->full = ok;
    ahead->error = failed;
    pthread_cond_broadcast(&ahead->changed);
    return more;
}

static void read_all(void *self)
{
    struct ahead *ahead = self;
    for (size_t i = 0; wait_for_room(ahead, &ahead->slots[i]) && read_into(ahead, &ahead->slots[i]);)
        i = (i + 1) % AHEAD_BATCHES;
}

static struct ahead *ahead_new(size_t mem_bytes)
{
    struct ahead *ahead = g_new0(struct ahead, 1);
    for (size_t i = 0; i < AHEAD_BATCHES; i++)
        ahead->slots[i].mem = arena_new(mem_bytes);
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    return ahead;
}

static bool begin(struct ahead *ahead, struct ahead **ret, GError **error)
{
    if (!thread_start(&ahead->thread, "read ahead", read_all, ahead, error)) {
        ahead_close(ahead);
        return false;
    }
    *ret = ahead;
    return true;
}

bool ahead_open(struct ahead **ret, const struct ahead_source *source, size_t mem_bytes, GError **error)
{
    struct ahead *ahead = ahead_new(mem_bytes);
    ahead->source = *source;
    return begin(ahead, ret, error);
}

static void give_up(struct ahead *ahead)
{
    auto_hold(&ahead->lock);
    ahead->over = true;
    pthread_cond_broadcast(&ahead->changed);
}

void ahead_close(struct ahead *ahead)
{
    if (!ahead)
        return;
    give_up(ahead);
    thread_join(ahead->thread);
    arena_free(ahead->scan.call.mem);
    for (size_t i = 0; i < AHEAD_BATCHES; i++)
        arena_free(ahead->slots[i].mem);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    g_clear_error(&ahead->error);
    g_free(ahead);
}

bool ahead_next(struct ahead *ahead, struct ahead_keys *ret, GError **error)
{
    struct slot *slot = &ahead->slots[ahead->next],
                *last = &ahead->slots[(ahead->next + AHEAD_BATCHES - 1) % AHEAD_BATCHES];
    auto_hold(&ahead->lock);
    if (ahead->has_last) {
        last->full = false;
        pthread_cond_broadcast(&ahead->changed);
    }
    while (!slot->full && !ahead->error)
        pthread_cond_wait(&ahead->changed, &ahead->lock);
    if (!slot->full) {
        g_propagate_error(error, g_steal_pointer(&ahead->error));
        return false;
    }
    *ret = slot->keys;
    ahead->has_last = true;
    ahead->next = (ahead->next + 1) % AHEAD_BATCHES;
    return true;
}

/* --- of a scan ------------------------------------------------------------------------------------------------------
 */

/* Their bytes and no more: a batch has room for whole records. */
static bool keep_keys(const struct batch *batch, struct arena *mem, struct ahead_keys *ret, GError **error)
{
    struct slice *keys = arena_alloc(mem, (batch->n + 1) * sizeof *keys);
    bool fits = keys != NULL;
    for (size_t i = 0; fits && i < batch->n; i++)
        fits = arena_copy(mem, batch->records[i].key, &keys[i]);
    *ret = (struct ahead_keys){.keys = keys, .n = batch->n, .done = batch->done};
    return fits || error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of keys does not fit into its memory");
}

static bool next_of_scan(void *self, struct arena *mem, struct ahead_keys *ret, GError **error)
{
    struct ahead_scan *scan = self;
    struct batch batch = {0};
    arena_reset(scan->call.mem);
    return store_scan_next(scan->scan, &scan->call, &batch, error) && keep_keys(&batch, mem, ret, error);
}

bool ahead_open_scan(struct ahead **ret, struct scan *scan, const struct call *call, size_t mem_bytes, GError **error)
{
    struct ahead *ahead = ahead_new(mem_bytes);
    ahead->scan = (struct ahead_scan){.scan = scan, .call = *call};
    ahead->scan.call.mem = arena_new(mem_bytes);
    ahead->source = (struct ahead_source){.next = next_of_scan, .self = &ahead->scan};
    return begin(ahead, ret, error);
}
