#include "store/rocksdb/latch.h"

void latches_init(struct latches *latches)
{
    pthread_mutex_init(&latches->lock, NULL);
    pthread_cond_init(&latches->released, NULL);
    g_queue_init(&latches->arrived);
}

void latches_done(struct latches *latches)
{
    g_assert(g_queue_is_empty(&latches->arrived));
    pthread_cond_destroy(&latches->released);
    pthread_mutex_destroy(&latches->lock);
}

static bool keys_apart(const struct latch *a, const struct latch *b)
{
    return !a->n || !b->n || slice_compare(a->keys[a->n - 1], b->keys[0]) < 0 ||
           slice_compare(b->keys[b->n - 1], a->keys[0]) < 0 || strcmp(a->family, b->family) != 0;
}

static bool in_common(const struct latch *a, const struct latch *b)
{
    if (a->fence.len && slice_equal(a->fence, b->fence))
        return true;
    if (keys_apart(a, b))
        return false;
    for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
        int order = slice_compare(a->keys[i], b->keys[j]);
        if (order == 0)
            return true;
        i += order < 0;
        j += order > 0;
    }
    return false;
}

/* Whether one that came before has something in common with this one. */
static bool must_wait(const struct latches *latches, const struct latch *latch)
{
    for (const GList *at = latches->arrived.head; at->data != latch; at = at->next)
        if (in_common(at->data, latch))
            return true;
    return false;
}

bool latch_take(struct latches *latches, struct latch *latch, const struct call *call, const struct world *world,
                GError **error)
{
    auto_hold(&latches->lock);
    g_queue_push_tail(&latches->arrived, latch);
    while (must_wait(latches, latch)) {
        pthread_cond_wait(&latches->released, &latches->lock);
        if (!call_goes_on(call, world, error)) {
            g_queue_remove(&latches->arrived, latch);
            pthread_cond_broadcast(&latches->released);
            return false;
        }
    }
    return true;
}

void latch_release(struct latches *latches, struct latch *latch)
{
    auto_hold(&latches->lock);
    g_queue_remove(&latches->arrived, latch);
    pthread_cond_broadcast(&latches->released);
}
