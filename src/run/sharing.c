#include "run/sharing.h"

#include "base/lock.h"

void sharing_init(struct sharing *sharing)
{
    pthread_mutex_init(&sharing->lock, NULL);
    pthread_cond_init(&sharing->changed, NULL);
}

void sharing_done(struct sharing *sharing)
{
    pthread_mutex_destroy(&sharing->lock);
    pthread_cond_destroy(&sharing->changed);
}

void sharing_begin(struct sharing *sharing, bool blocks)
{
    auto_hold(&sharing->lock);
    sharing->spare = 0;
    sharing->blocks = blocks;
}

static void be(struct sharing *sharing, enum share *io_now, enum share to)
{
    sharing->at_work -= *io_now == SHARE_WORK;
    sharing->idle -= *io_now == SHARE_IDLE;
    sharing->at_work += to == SHARE_WORK;
    sharing->idle += to == SHARE_IDLE;
    *io_now = to;
    pthread_cond_broadcast(&sharing->changed);
}

void sharing_be(struct sharing *sharing, enum share *io_now, enum share to)
{
    auto_hold(&sharing->lock);
    be(sharing, io_now, to);
}

static enum idle_answer answer(const struct sharing *sharing)
{
    if (sharing->spare > 0)
        return IDLE_WORK;
    return sharing->at_work == 0 ? IDLE_OVER : IDLE_WAITS;
}

enum idle_answer sharing_wait(struct sharing *sharing, enum share *io_now)
{
    static const enum share THEN[] = {[IDLE_WAITS] = SHARE_IDLE, [IDLE_WORK] = SHARE_WORK, [IDLE_OVER] = SHARE_NOTHING};
    auto_hold(&sharing->lock);
    unsigned wakes = sharing->wakes;
    be(sharing, io_now, SHARE_IDLE);
    while (sharing->blocks && answer(sharing) == IDLE_WAITS && wakes == sharing->wakes)
        pthread_cond_wait(&sharing->changed, &sharing->lock);
    enum idle_answer now = answer(sharing);
    be(sharing, io_now, THEN[now]);
    return now;
}

void sharing_wake(struct sharing *sharing)
{
    auto_hold(&sharing->lock);
    sharing->wakes++;
    pthread_cond_broadcast(&sharing->changed);
}

bool sharing_wants(struct sharing *sharing)
{
    auto_hold(&sharing->lock);
    return sharing->idle > sharing->spare;
}

void sharing_add(struct sharing *sharing)
{
    auto_hold(&sharing->lock);
    sharing->spare++;
    sharing->added++;
    pthread_cond_broadcast(&sharing->changed);
}

/* One that a dead process split off was never counted. */
void sharing_take(struct sharing *sharing)
{
    auto_hold(&sharing->lock);
    sharing->spare -= sharing->spare > 0;
}

uint64_t sharing_added(struct sharing *sharing)
{
    auto_hold(&sharing->lock);
    return sharing->added;
}

void sharing_none(struct sharing *sharing, uint64_t added)
{
    auto_hold(&sharing->lock);
    if (sharing->added == added)
        sharing->spare = 0;
}
