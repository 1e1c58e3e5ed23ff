#include "pace/histogram.h"

#include <math.h>
#include <string.h>

enum { SUB_BITS = 6 };
_Static_assert(HISTOGRAM_SUB == 1 << SUB_BITS, "a bucket is told by so many digits");

/* Below HISTOGRAM_SUB a bucket is a microsecond; then each power of two has HISTOGRAM_SUB of them. */
static int bucket_of(double us)
{
    if (!(us > 0))
        return 0;
    if (us < HISTOGRAM_SUB)
        return (int)us;
    uint64_t bits; /* IEEE 754: the exponent, and of the digits those behind the first that SUB_BITS tell */
    memcpy(&bits, &us, sizeof bits);
    int exponent = (int)(bits >> 52) - 1023 - SUB_BITS;
    if (exponent >= HISTOGRAM_OCTAVES)
        return HISTOGRAM_BUCKETS - 1;
    return HISTOGRAM_SUB * (exponent + 1) + (int)(bits >> (52 - SUB_BITS) & (HISTOGRAM_SUB - 1));
}

static double bucket_from(int bucket)
{
    if (bucket < 2 * HISTOGRAM_SUB)
        return bucket;
    int exponent = bucket / HISTOGRAM_SUB - 1;
    return ldexp(bucket - HISTOGRAM_SUB * exponent, exponent);
}

void histogram_reset(struct histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void histogram_add(struct histogram *histogram, double us)
{
    histogram->of[bucket_of(us)]++;
    histogram->total++;
}

void histogram_merge(struct histogram *into, const struct histogram *other, double weight)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->of[i] += other->of[i] * (float)weight;
    into->total += other->total * weight;
}

void histogram_fade(struct histogram *histogram, double by)
{
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        histogram->of[i] *= (float)by;
    histogram->total *= by;
}

double histogram_quantile(const struct histogram *histogram, double q)
{
    double wanted = q * histogram->total, before = 0;
    int last = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = histogram->of[i];
        if (here <= 0)
            continue;
        last = i;
        if (before + here >= wanted)
            return bucket_from(i) + (bucket_from(i + 1) - bucket_from(i)) * fmax(0, wanted - before) / here;
        before += here;
    }
    return histogram->total > 0 ? bucket_from(last + 1) : 0;
}

void histogram_steps(const struct histogram *histogram, float ret[HISTOGRAM_STEPS])
{
    memset(ret, 0, HISTOGRAM_STEPS * sizeof *ret);
    for (int i = 0; histogram->total > 0 && i < HISTOGRAM_BUCKETS; i++)
        ret[i / (HISTOGRAM_SUB / 2)] += histogram->of[i] / (float)histogram->total;
}

double histogram_step_us(unsigned step)
{
    return bucket_from((int)(step + 1) * HISTOGRAM_SUB / 2);
}

double histogram_above(const struct histogram *histogram, double us)
{
    int bucket = bucket_of(us);
    double width = bucket_from(bucket + 1) - bucket_from(bucket);
    double above = histogram->of[bucket] * fmin(1, fmax(0, (bucket_from(bucket + 1) - us) / width));
    for (int i = bucket + 1; i < HISTOGRAM_BUCKETS; i++)
        above += histogram->of[i];
    return above;
}
