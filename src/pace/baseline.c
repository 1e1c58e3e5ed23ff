#include "pace/baseline.h"

#include "pace/moments.h"

#define FEWEST 20  /* probes that make a lull count */
#define PART   0.5 /* of a lull */

void baseline_init(struct baseline *baseline)
{
    *baseline = (struct baseline){0};
}

static struct baseline_lull *lull(struct baseline *baseline, unsigned i)
{
    return &baseline->of[(baseline->first + i) % BASELINE_KEPT];
}

static double weight(const struct baseline_lull *lull)
{
    return lull->part ? PART : 1;
}

static void forget_oldest(struct baseline *baseline)
{
    baseline->first = (baseline->first + 1) % BASELINE_KEPT;
    baseline->n--;
}

static double weighs(struct baseline *baseline)
{
    double all = 0;
    for (unsigned i = 0; i < baseline->n; i++)
        all += weight(lull(baseline, i));
    return all;
}

static void pool(struct baseline *baseline)
{
    struct moment of[BASELINE_KEPT];
    for (unsigned i = 0; i < baseline->n; i++)
        of[i] = (struct moment){histogram_quantile(&lull(baseline, i)->felt, 0.95), weight(lull(baseline, i))};
    double most_us = moments_most_us(of, baseline->n);
    histogram_reset(&baseline->pooled);
    for (unsigned i = 0; i < baseline->n; i++)
        if (of[i].p95_us <= most_us)
            histogram_merge(&baseline->pooled, &lull(baseline, i)->felt, of[i].weight);
}

static void keep(struct baseline *baseline)
{
    if (baseline->now.total < FEWEST)
        return;
    if (baseline->n == BASELINE_KEPT)
        forget_oldest(baseline);
    *lull(baseline, baseline->n++) = (struct baseline_lull){.felt = baseline->now, .part = baseline->lasts};
    while (weighs(baseline) > BASELINE_LULLS)
        forget_oldest(baseline);
    histogram_reset(&baseline->now);
    pool(baseline);
}

void baseline_begin(struct baseline *baseline, int64_t now_us)
{
    baseline->in_lull = true;
    baseline->lasts = false;
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
        baseline->lasts = true;
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
