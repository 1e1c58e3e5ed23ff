/* Where the values of a stream of numbers lie, about: a merging t-digest. Its error is least at the ends, where one
 * looks; least and greatest value are exact.
 *
 * T. Dunning, O. Ertl: "Computing extremely accurate quantiles using t-digests", arXiv 1902.04023: the merging
 * variant with the scale function k1. Pure; bounded: 16 KiB. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define QUANTILES_COMPRESSION 200
#define QUANTILES_CENTROIDS   (2 * QUANTILES_COMPRESSION)
#define QUANTILES_WAITING     600

struct centroid {
    double mean, weight;
};

struct quantiles {
    struct centroid of[QUANTILES_CENTROIDS + QUANTILES_WAITING]; /* first those that are merged, then those that wait */
    size_t n, waiting;
    double count, least, greatest; /* count 0: there is none */
};

void quantiles_add(struct quantiles *quantiles, double value); /* finite */
void quantiles_merge(struct quantiles *into, struct quantiles *from);
/* Each value counts `by` times what it did; all that wait are merged. */
void quantiles_scale(struct quantiles *quantiles, double by);
/* q of 0..1; 0 where nothing was added. */
double quantiles_at(struct quantiles *quantiles, double q);
/* The share of values at or below it. */
double quantiles_share(struct quantiles *quantiles, double value);
