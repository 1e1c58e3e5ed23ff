#include "profile/quantiles.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int by_mean(const void *a, const void *b)
{
    double left = ((const struct centroid *)a)->mean, right = ((const struct centroid *)b)->mean;
    return (left > right) - (left < right);
}

/* k1 and its inverse: how many centroids lie below a share of the values, at most. */
static double scale(double q)
{
    return QUANTILES_COMPRESSION / (2 * M_PI) * asin(fmin(2 * q - 1, 1));
}

static double share_at(double k)
{
    double angle = k * 2 * M_PI / QUANTILES_COMPRESSION;
    return angle >= M_PI / 2 ? 1 : (sin(angle) + 1) / 2;
}

/* What a centroid behind that weight may reach up to; the last one takes all there is: weights add up to their sum but
 * for rounding. */
static double limit_behind(const struct quantiles *quantiles, double before)
{
    double share = share_at(scale(before / quantiles->count) + 1);
    return share < 1 ? quantiles->count * share : INFINITY;
}

/* Of two sorted stretches the lesser one that comes next. */
struct merging {
    const struct centroid *at[2], *end[2];
};

static struct centroid merge_next(struct merging *merging)
{
    bool second = merging->at[0] == merging->end[0] ||
                  (merging->at[1] != merging->end[1] && merging->at[1]->mean < merging->at[0]->mean);
    return *merging->at[second]++;
}

/* All that waits goes in: neighbours become one as long as they span no more than a step of the scale. What is read
 * lies behind what is written. */
static void settle(struct quantiles *quantiles)
{
    struct centroid merged[QUANTILES_CENTROIDS], *of = quantiles->of, *waiting = of + quantiles->n;
    size_t n = quantiles->n + quantiles->waiting, out = 0;
    double before = 0, limit = limit_behind(quantiles, 0);
    if (quantiles->waiting == 0)
        return;
    memcpy(merged, of, quantiles->n * sizeof *of);
    qsort(waiting, quantiles->waiting, sizeof *of, by_mean);
    struct merging merging = {.at = {merged, waiting}, .end = {merged + quantiles->n, of + n}};
    of[0] = merge_next(&merging);
    for (size_t i = 1; i < n; i++) {
        struct centroid one = merge_next(&merging);
        if (before + of[out].weight + one.weight <= limit) {
            of[out].weight += one.weight;
            of[out].mean += (one.mean - of[out].mean) * one.weight / of[out].weight;
            continue;
        }
        before += of[out].weight;
        limit = limit_behind(quantiles, before);
        of[++out] = one;
    }
    quantiles->n = out + 1;
    quantiles->waiting = 0;
}

static void put(struct quantiles *quantiles, struct centroid one, double least, double greatest)
{
    if (quantiles->n + quantiles->waiting == QUANTILES_CENTROIDS + QUANTILES_WAITING)
        settle(quantiles);
    if (quantiles->count <= 0 || least < quantiles->least)
        quantiles->least = least;
    if (quantiles->count <= 0 || greatest > quantiles->greatest)
        quantiles->greatest = greatest;
    quantiles->of[quantiles->n + quantiles->waiting++] = one;
    quantiles->count += one.weight;
}

void quantiles_add(struct quantiles *quantiles, double value)
{
    put(quantiles, (struct centroid){.mean = value, .weight = 1}, value, value);
}

void quantiles_merge(struct quantiles *into, struct quantiles *from)
{
    settle(from);
    for (size_t i = 0; i < from->n; i++)
        put(into, from->of[i], from->least, from->greatest);
}

void quantiles_scale(struct quantiles *quantiles, double by)
{
    settle(quantiles);
    quantiles->count *= by;
    for (size_t i = 0; i < quantiles->n; i++)
        quantiles->of[i].weight *= by;
}

/* Between the middles of two centroids the values are taken to lie evenly. */
static double between(double at, double left_at, double left, double right_at, double right)
{
    return right_at > left_at ? left + (right - left) * (at - left_at) / (right_at - left_at) : right;
}

double quantiles_at(struct quantiles *quantiles, double q)
{
    settle(quantiles);
    double at = q * quantiles->count, left_at = 0, left = quantiles->least, before = 0;
    if (quantiles->count <= 0)
        return 0;
    for (size_t i = 0; i < quantiles->n; i++) {
        const struct centroid *one = &quantiles->of[i];
        double middle = before + one->weight / 2;
        if (at <= middle)
            return between(at, left_at, left, middle, one->mean);
        left_at = middle;
        left = one->mean;
        before += one->weight;
    }
    return between(at, left_at, left, quantiles->count, quantiles->greatest);
}

double quantiles_share(struct quantiles *quantiles, double value)
{
    settle(quantiles);
    double left_at = 0, left = quantiles->least, before = 0;
    if (quantiles->count <= 0 || value < quantiles->least)
        return 0;
    if (value >= quantiles->greatest)
        return 1;
    for (size_t i = 0; i < quantiles->n; i++) {
        const struct centroid *one = &quantiles->of[i];
        double middle = before + one->weight / 2;
        if (value < one->mean)
            return between(value, left, left_at, one->mean, middle) / quantiles->count;
        left_at = middle;
        left = one->mean;
        before += one->weight;
    }
    return between(value, left, left_at, quantiles->greatest, quantiles->count) / quantiles->count;
}
