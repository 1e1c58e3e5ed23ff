/* How many latencies fell where: buckets of equal width within each power of two (after HdrHistogram), so that a
 * quantile is off by less than one part in 128, from one microsecond to over a minute. Counts are weights, so that old
 * ones can fade. Caller's storage, no allocation; one thread at a time. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_OCTAVES = 21, HISTOGRAM_BUCKETS = HISTOGRAM_SUB * (HISTOGRAM_OCTAVES + 1) };

/* All zero: empty. */
struct histogram {
    float of[HISTOGRAM_BUCKETS];
    double total;
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram,
                   double us); /* less than 0 counts as 0, more than the most as the most */
void histogram_merge(struct histogram *into, const struct histogram *other, double weight);
void histogram_fade(struct histogram *histogram, double by); /* each weight times `by` */
/* The latency that a share `q` (0..1) does not pass, by linear interpolation in its bucket; 0 if empty. */
double histogram_quantile(const struct histogram *histogram, double q);
/* The shares of all by half powers of two, to be drawn; all zero where it is empty. */
enum { HISTOGRAM_STEPS = 2 * (HISTOGRAM_OCTAVES + 1) };
void histogram_steps(const struct histogram *histogram, float ret[HISTOGRAM_STEPS]);
double histogram_step_us(unsigned step); /* up to where it reaches */
/* The weight above a latency; its bucket counts in part. */
double histogram_above(const struct histogram *histogram, double us);
