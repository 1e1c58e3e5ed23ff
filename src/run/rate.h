/* How many records a second all workers together may write: a token bucket, a tenth of a second deep. How fast it fills
 * is said at each call, and whoever waits follows a rate that is another one by then. Any thread; a leaf lock. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
    pthread_mutex_t lock;
    double tokens, filled;         /* at hand: below zero, what is owed; that ever came in */
    int64_t at_us;                 /* 0: never */
    atomic_int_fast64_t waited_ms; /* wall time: when somebody last waited for it; 0: never */
};

void rate_init(struct rate *rate);
void rate_done(struct rate *rate);

/* Takes n of them out, whether they are there or not; returns when it is their turn, for rate_left_us(). `per_s` 0: as
 * many as there may be. Times: monotonic. */
double rate_take(struct rate *rate, double per_s, size_t n, int64_t now_us);
int64_t rate_left_us(struct rate *rate, double per_s, double turn, int64_t now_us); /* 0: it is */
void rate_give(struct rate *rate, size_t n);                                        /* they did not go */
