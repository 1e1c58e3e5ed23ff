#include "run/burn.h"

#include <glib.h>
#include <math.h>

static size_t place(const struct burn *burn, size_t i)
{
    return (burn->first + i) % G_N_ELEMENTS(burn->at);
}

/* The oldest that is kept is the newest that is old enough. */
static void forget(struct burn *burn, int64_t before_us)
{
    while (burn->n > 1 && burn->at_us[place(burn, 1)] <= before_us) {
        burn->first = place(burn, 1);
        burn->n--;
    }
}

static void keep(struct burn *burn, const struct spec_budget *used, int64_t step_us, int64_t now_us)
{
    if (burn->n > 0 && now_us - burn->at_us[place(burn, burn->n - 1)] < step_us)
        return;
    if (burn->n == G_N_ELEMENTS(burn->at)) {
        burn->first = place(burn, 1);
        burn->n--;
    }
    size_t next = place(burn, burn->n++);
    burn->at[next] = *used;
    burn->at_us[next] = now_us;
}

static uint64_t without(uint64_t all, uint64_t some)
{
    return all - MIN(all, some);
}

static void put(struct burn *burn, const struct spec_budget *used, int64_t at_us)
{
    burn->at[burn->n] = *used;
    burn->at_us[burn->n++] = at_us;
}

/* Backwards, to what was used when the first of them had used nothing yet. */
void burn_recall(struct burn *burn, const struct spec_budget *used, const struct burnt *burnt, size_t n)
{
    struct spec_budget so_far = {.records = used->records, .bytes = used->bytes, .cost = used->cost};
    size_t skipped = n > BURN_STEPS ? n - BURN_STEPS : 0;
    *burn = (struct burn){0};
    for (size_t i = skipped; i < n; i++) {
        so_far.records = without(so_far.records, burnt[i].used.records);
        so_far.bytes = without(so_far.bytes, burnt[i].used.bytes);
        so_far.cost = without(so_far.cost, burnt[i].used.cost);
    }
    if (n > 0)
        put(burn, &so_far, burnt[skipped].at_us - 1);
    for (size_t i = skipped; i < n; i++) {
        so_far.records += burnt[i].used.records;
        so_far.bytes += burnt[i].used.bytes;
        so_far.cost += burnt[i].used.cost;
        put(burn, &so_far, burnt[i].at_us);
    }
}

static double share(uint64_t now, uint64_t then, uint64_t limit)
{
    return limit > 0 && now > then ? (double)(now - then) / (double)limit : 0;
}

double burn_share(struct burn *burn, const struct spec_budget *limit, const struct spec_budget *used, int64_t now_us)
{
    int64_t us = limit->burn.ms * 1000;
    keep(burn, used, us / BURN_STEPS, now_us);
    forget(burn, now_us - us);
    const struct spec_budget *then = &burn->at[burn->first];
    double records = share(used->records, then->records, limit->records);
    return fmax(records,
                fmax(share(used->bytes, then->bytes, limit->bytes), share(used->cost, then->cost, limit->cost)));
}
