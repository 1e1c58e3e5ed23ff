#include "base/groupsync.h"

#include "base/lock.h"

void groupsync_init(struct groupsync *group)
{
    *group = (struct groupsync){.done = 0};
    pthread_mutex_init(&group->lock, NULL);
    pthread_cond_init(&group->changed, NULL);
}

void groupsync_done(struct groupsync *group)
{
    pthread_mutex_destroy(&group->lock);
    pthread_cond_destroy(&group->changed);
    g_clear_error(&group->failed);
}

static bool usable_locked(const struct groupsync *group, GError **error)
{
    if (!group->failed)
        return true;
    if (error)
        *error = g_error_copy(group->failed);
    return false;
}

/* Leads one sync; the lock is held before and after, not meanwhile. */
static void lead(struct groupsync *group, const struct groupsync_way *way)
{
    group->led = true;
    pthread_mutex_unlock(&group->lock);
    uint64_t ticket;
    GError *failed = NULL;
    bool ok = way->sync(way->self, &ticket, &failed);
    pthread_mutex_lock(&group->lock);
    group->led = false;
    group->count++;
    if (ok)
        group->done = MAX(group->done, ticket);
    else
        group->failed = failed;
    pthread_cond_broadcast(&group->changed);
}

bool groupsync_durable(struct groupsync *group, uint64_t ticket, const struct groupsync_way *way, GError **error)
{
    auto_hold(&group->lock);
    while (group->done < ticket && !group->failed) {
        if (group->led)
            pthread_cond_wait(&group->changed, &group->lock);
        else
            lead(group, way);
    }
    return group->done >= ticket || usable_locked(group, error);
}

bool groupsync_alone(struct groupsync *group, const struct groupsync_way *way, GError **error)
{
    auto_hold(&group->lock);
    while (group->led)
        pthread_cond_wait(&group->changed, &group->lock);
    if (!group->failed)
        lead(group, way);
    return usable_locked(group, error);
}

bool groupsync_usable(struct groupsync *group, GError **error)
{
    auto_hold(&group->lock);
    return usable_locked(group, error);
}

uint64_t groupsync_count(struct groupsync *group)
{
    auto_hold(&group->lock);
    return group->count;
}
