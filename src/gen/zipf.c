#include "gen/zipf.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>

/* No fused multiply-add, which would round once where IEEE 754 rounds twice. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

static_assert(FLT_EVAL_METHOD == 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 16, "doubles must stay doubles");
static_assert(FLT_RADIX == 2 && DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024, "doubles must be those of IEEE 754");
#ifdef __FAST_MATH__
#error "the order of operations must be that of the source"
#endif

static double eighth_root(double x)
{
    return sqrt(sqrt(sqrt(x)));
}

/* x^-9/8: how often rank x comes, but for a factor. */
static double weight(double x)
{
    return 1 / (x * eighth_root(x));
}

/* The integral of weight(), and its inverse. */
static double integral(double x)
{
    return -8 / eighth_root(x);
}

static double integral_inverse(double y)
{
    double root = -8 / y, square = root * root, fourth = square * square;
    return fourth * fourth;
}

void zipf_init(struct zipf *zipf, uint64_t n)
{
    zipf->n = (double)n;
    zipf->integral_first = integral(1.5) - weight(1);
    zipf->integral_last = integral(zipf->n + 0.5);
    zipf->accept = 2 - integral_inverse(integral(2.5) - weight(2));
}

uint64_t zipf_draw(const struct zipf *zipf, struct dice *dice)
{
    while (true) {
        double span = zipf->integral_first - zipf->integral_last;
        double y = zipf->integral_last + dice_share(dice) * span;
        double x = integral_inverse(y), rank = (double)(uint64_t)(x + 0.5);
        rank = rank < 1 ? 1 : rank > zipf->n ? zipf->n : rank;
        if (rank - x <= zipf->accept || y >= integral(rank + 0.5) - weight(rank))
            return (uint64_t)rank - 1;
    }
}
