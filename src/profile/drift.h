/* Whether two distributions are the same: three tests, each with the limits that are stated here. Pure.
 *
 * - Population-stability index over shares of classes: Σ (a - b) ln(a / b). Below 0.1 is no shift, from 0.25 on a large
 *   one (N. Siddiqi, "Credit Risk Scorecards", 2006).
 * - Kolmogorov–Smirnov, two samples: the greatest distance between two cumulative shares, and the chance of one as
 * great if both were of one distribution (M. Stephens, "Use of the Kolmogorov–Smirnov … without extensive tables",
 * 1970).
 * - Chi-square of two samples of classes, with totals that differ; the chance by the incomplete gamma function (W.
 * Press et al., "Numerical Recipes", 6.2 and 14.3). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DRIFT_PSI_SHIFT 0.1
#define DRIFT_PSI_LARGE 0.25
#define DRIFT_CHANCE    0.001 /* below it is no accident … */
#define DRIFT_KS_LEAST                                                                                                 \
    0.05 /* … and from this distance on it matters: of many records every difference is no accident */

/* `a` and `b`: counts by class, n each. Classes that one side lacks count as half a record there. */
double drift_psi(const double *a, const double *b, size_t n);

struct drift_test {
    double statistic, chance;
};
struct drift_test drift_ks(double distance, double count_a, double count_b);
struct drift_test drift_chi_square(const double *a, const double *b, size_t n);
