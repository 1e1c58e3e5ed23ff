#include "pace/moments.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#define OUTLIER 1.25 /* times the p95 of the median moment */

static int by_p95(const void *one, const void *other)
{
    const struct moment *a = one, *b = other;
    return (a->p95_us > b->p95_us) - (a->p95_us < b->p95_us);
}

double moments_most_us(const struct moment of[], unsigned n)
{
    struct moment sorted[MOMENTS_MOST];
    double all = 0, before = 0;
    g_assert(n > 0 && n <= MOMENTS_MOST);
    memcpy(sorted, of, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_p95);
    for (unsigned i = 0; i < n; i++)
        all += sorted[i].weight;
    unsigned median = 0;
    while (median < n - 1 && (before += sorted[median].weight) < all / 2)
        median++;
    return OUTLIER * sorted[median].p95_us;
}

bool moments_probe(struct moments *moments, double us, struct histogram *ret)
{
    histogram_add(&moments->now, us);
    if (moments->now.total < MOMENT_PROBES)
        return false;
    double p95_us = histogram_quantile(&moments->now, 0.95);
    moments->of[moments->next++ % MOMENTS_NEWEST] = (struct moment){p95_us, 1};
    moments->n = MIN(moments->n + 1, MOMENTS_NEWEST);
    *ret = moments->now;
    histogram_reset(&moments->now);
    return p95_us <= moments_most_us(moments->of, moments->n);
}
