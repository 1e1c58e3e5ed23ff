#include "base/few.h"

#include "base/lock.h"

void few_init(struct few *few, uint32_t most)
{
    *few = (struct few){.most = most};
    pthread_mutex_init(&few->lock, NULL);
    pthread_cond_init(&few->left, NULL);
}

void few_done(struct few *few)
{
    pthread_cond_destroy(&few->left);
    pthread_mutex_destroy(&few->lock);
}

void few_enter(struct few *few)
{
    auto_hold(&few->lock);
    uint64_t mine = few->came++;
    while (mine >= few->gone + few->most)
        pthread_cond_wait(&few->left, &few->lock);
}

void few_leave(struct few *few)
{
    auto_hold(&few->lock);
    few->gone++;
    pthread_cond_broadcast(&few->left);
}
