#include "pace/baseline.h"

#include <stdlib.h>

#define FEWEST  20   /* probes that make a lull count */
#define OUTLIER 1.25 /* times the p95 of the median lull */

void baseline_init(struct baseline *baseline)
{
    *baseline = (struct baseline){0};
}

static int by_number(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void pool(struct baseline *baseline)
{
    double p95[BASELINE_LULLS], sorted[BASELINE_LULLS];
    for (unsigned i = 0; i < baseline->n; i++)
        sorted[i] = p95[i] = histogram_quantile(&baseline->of[i], 0.95);
    qsort(sorted, baseline->n, sizeof *sorted, by_number);
    histogram_reset(&baseline->pooled);
    for (unsigned i = 0; i < baseline->n; i++)
        if (p95[i] <= OUTLIER * sorted[(baseline->n - 1) / 2])
            histogram_merge(&baseline->pooled, &baseline->of[i]);
}

static void keep(struct baseline *baseline)
{
    if (baseline->now.total < FEWEST)
        return;
    unsigned at = (baseline->first + baseline->n) % BASELINE_LULLS;
    baseline->of[at] = baseline->now;
    if (baseline->n < BASELINE_LULLS)
        baseline->n++;
    else
        baseline->first = (baseline->first + 1) % BASELINE_LULLS;
    histogram_reset(&baseline->now);
    pool(baseline);
}

void baseline_begin(struct baseline *baseline, int64_t now_us)
{
    baseline->in_lull = true;
    baseline->from_us = now_us + BASELINE_DRAIN_US;
    histogram_reset(&baseline->now);
}

void baseline_end(struct baseline *baseline, int64_t now_us)
{
    (void)now_us;
    baseline->in_lull = false;
    keep(baseline);
}

void baseline_probe(struct baseline *baseline, int64_t due_us, int64_t now_us)
{
    if (!baseline->in_lull || due_us < baseline->from_us)
        return;
    if (due_us >= baseline->from_us + BASELINE_LULL_US) {
        keep(baseline);
        baseline->from_us = due_us;
    }
    histogram_add(&baseline->now, (double)(now_us - due_us));
}

bool baseline_known(const struct baseline *baseline)
{
    return baseline->n >= BASELINE_FIRST;
}

double baseline_quantile(const struct baseline *baseline, double q)
{
    return histogram_quantile(&baseline->pooled, q);
}
