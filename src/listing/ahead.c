#include "listing/ahead.h"

#include "base/lock.h"
#include "base/thread.h"

enum { SLOTS = 2 };

/* A batch that was read, or room for one. */
struct slot {
    struct arena *mem;
    struct batch batch;
    bool full; /* it is the user's; else the reader's */
};

struct ahead {
    struct scan *scan;
    struct call call;
    struct thread *thread;
    struct slot slots[SLOTS];
    size_t next;   /* the user's: the slot of the batch that comes next */
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
    struct call call = ahead->call;
    GError *failed = NULL;
    arena_reset(slot->mem);
    call.mem = slot->mem;
    slot->batch = (struct batch){0};
    bool ok = store_scan_next(ahead->scan, &call, &slot->batch, &failed);
    auto_hold(&ahead->lock);
    slot->full = ok;
    ahead->error = failed;
    pthread_cond_broadcast(&ahead->changed);
    return ok && !slot->batch.done;
}

static void read_all(void *self)
{
    struct ahead *ahead = self;
    for (size_t i = 0; wait_for_room(ahead, &ahead->slots[i]) && read_into(ahead, &ahead->slots[i]);)
        i = (i + 1) % SLOTS;
}

bool ahead_open(struct ahead **ret, struct scan *scan, const struct call *call, size_t mem_bytes, GError **error)
{
    auto_(ahead) ahead = g_new0(struct ahead, 1);
    ahead->scan = scan;
    ahead->call = *call;
    for (size_t i = 0; i < SLOTS; i++)
        ahead->slots[i].mem = arena_new(mem_bytes);
    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->changed, NULL);
    if (!thread_start(&ahead->thread, "read ahead", read_all, ahead, error))
        return false;
    *ret = g_steal_pointer(&ahead);
    return true;
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
    for (size_t i = 0; i < SLOTS; i++)
        arena_free(ahead->slots[i].mem);
    pthread_cond_destroy(&ahead->changed);
    pthread_mutex_destroy(&ahead->lock);
    g_clear_error(&ahead->error);
    g_free(ahead);
}

bool ahead_next(struct ahead *ahead, struct batch *ret, GError **error)
{
    struct slot *slot = &ahead->slots[ahead->next], *last = &ahead->slots[(ahead->next + SLOTS - 1) % SLOTS];
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
    *ret = slot->batch;
    ahead->has_last = true;
    ahead->next = (ahead->next + 1) % SLOTS;
    return true;
}
