#include "run/rate.h"

#include <glib.h>
#include <math.h>

#include "base/lock.h"

#define DEPTH_S 0.1

void rate_init(struct rate *rate)
{
    pthread_mutex_init(&rate->lock, NULL);
}

void rate_done(struct rate *rate)
{
    pthread_mutex_destroy(&rate->lock);
}

/* Where there is no rate nothing is owed either. The lock is held. */
static void fill(struct rate *rate, double per_s, int64_t now_us)
{
    double more = rate->at_us ? (double)(now_us - rate->at_us) * per_s / 1e6 : 0;
    rate->filled += more;
    rate->tokens = per_s > 0 ? MIN(rate->tokens + more, per_s * DEPTH_S) : MAX(rate->tokens, 0);
    rate->at_us = now_us;
}

double rate_take(struct rate *rate, double per_s, size_t n, int64_t now_us)
{
    auto_hold(&rate->lock);
    fill(rate, per_s, now_us);
    if (per_s > 0)
        rate->tokens -= (double)n;
    return rate->filled + MAX(-rate->tokens, 0);
}

int64_t rate_left_us(struct rate *rate, double per_s, double turn, int64_t now_us)
{
    auto_hold(&rate->lock);
    fill(rate, per_s, now_us);
    double left = turn - rate->filled;
    return per_s <= 0 || left <= 0 ? 0 : (int64_t)fmin(ceil(left * 1e6 / per_s), 1e15);
}

void rate_give(struct rate *rate, size_t n)
{
    auto_hold(&rate->lock);
    rate->tokens += (double)n;
}
