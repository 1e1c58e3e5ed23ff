#include "profile/distinct.h"

#include <math.h>

#define REST_BITS (64 - DISTINCT_BITS)

void distinct_add(struct distinct *distinct, uint64_t hash)
{
    uint64_t rest = hash << DISTINCT_BITS;
    uint8_t rank = (uint8_t)(rest ? __builtin_clzll(rest) + 1 : REST_BITS + 1);
    uint8_t *place = &distinct->registers[hash >> REST_BITS];
    if (rank > *place)
        *place = rank;
}

void distinct_merge(struct distinct *into, const struct distinct *from)
{
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++)
        if (from->registers[i] > into->registers[i])
            into->registers[i] = from->registers[i];
}

/* x + Σ x^(2^k) 2^(k-1) */
static double sigma(double x)
{
    double y = 1, z = x, before;
    do {
        before = z;
        x *= x;
        z += x * y;
        y += y;
    } while (z > before);
    return z;
}

/* (1 - x - Σ (1 - x^(2^-k))² 2^-k) / 3 */
static double tau(double x)
{
    double y = 1, z = 1 - x, before;
    if (x <= 0 || x >= 1)
        return 0;
    do {
        before = z;
        x = sqrt(x);
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z < before);
    return z / 3;
}

double distinct_estimate(const struct distinct *distinct)
{
    const double m = DISTINCT_REGISTERS;
    uint32_t counts[REST_BITS + 2] = {0};
    for (unsigned i = 0; i < DISTINCT_REGISTERS; i++)
        counts[distinct->registers[i]]++;
    if (counts[0] == DISTINCT_REGISTERS)
        return 0;
    double z = m * tau(1 - counts[REST_BITS + 1] / m);
    for (int k = REST_BITS; k >= 1; k--)
        z = 0.5 * (z + counts[k]);
    z += m * sigma(counts[0] / m);
    return m * m / (2 * M_LN2 * z);
}
