/* So many threads at a time, in the order in which they come: the others wait until one has left. */
#pragma once

#include <pthread.h>
#include <stdint.h>

struct few {
    pthread_mutex_t lock; /* a leaf; guards what follows, not held while a thread is inside */
    pthread_cond_t left;
    uint64_t came, gone; /* threads, so far */
    uint32_t most;       /* inside at a time; at least 1 */
};

void few_init(struct few *few, uint32_t most);
void few_done(struct few *few);
void few_enter(struct few *few); /* waits for as long as it takes */
void few_leave(struct few *few);
