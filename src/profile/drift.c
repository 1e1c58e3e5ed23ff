#include "profile/drift.h"

#include <math.h>

#define LEAST      1e-15
#define ITERATIONS 1000

static double sum_of(const double *counts, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += counts[i];
    return sum;
}

double drift_psi(const double *a, const double *b, size_t n)
{
    double all_a = sum_of(a, n), all_b = sum_of(b, n), psi = 0;
    if (!(all_a > 0 && all_b > 0) || !isfinite(all_a) || !isfinite(all_b))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (a[i] <= 0 && b[i] <= 0)
            continue;
        double left = fmax(a[i], 0.5) / all_a, right = fmax(b[i], 0.5) / all_b;
        psi += (left - right) * log(left / right);
    }
    return psi;
}

/* 2 Σ (-1)^(j-1) exp(-2 j² λ²) */
static double kolmogorov(double lambda)
{
    double sum = 0, sign = 1;
    if (lambda < 0.2) /* the series does not converge, and the answer is 1 to many digits */
        return 1;
    for (int j = 1; j <= 100; j++) {
        double term = exp(-2.0 * j * j * lambda * lambda);
        sum += sign * term;
        sign = -sign;
        if (term < LEAST)
            break;
    }
    return fmin(fmax(2 * sum, 0), 1);
}

struct drift_test drift_ks(double distance, double count_a, double count_b)
{
    if (count_a <= 0 || count_b <= 0)
        return (struct drift_test){.statistic = distance, .chance = 1};
    double root = sqrt(count_a * count_b / (count_a + count_b));
    return (struct drift_test){.statistic = distance, .chance = kolmogorov((root + 0.12 + 0.11 / root) * distance)};
}

/* The regularized upper incomplete gamma function: by its series for small x, by its continued fraction (Lentz) else.
 */
static double gamma_lower_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int n = 1; n < ITERATIONS && fabs(term) > fabs(sum) * LEAST; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(-x + a * log(x) - lgamma(a));
}

static double gamma_upper_fraction(double a, double x)
{
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int n = 1; n < ITERATIONS; n++) {
        double an = -n * (n - a);
        b += 2;
        d = an * d + b;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = b + an / c;
        c = fabs(c) < tiny ? tiny : c;
        h *= d * c;
        if (fabs(d * c - 1) < LEAST)
            break;
    }
    return exp(-x + a * log(x) - lgamma(a)) * h;
}

static double gamma_upper(double a, double x)
{
    if (x <= 0)
        return 1;
    return x < a + 1 ? 1 - gamma_lower_series(a, x) : gamma_upper_fraction(a, x);
}

struct drift_test drift_chi_square(const double *a, const double *b, size_t n)
{
    double all_a = sum_of(a, n), all_b = sum_of(b, n);
    struct drift_test test = {.chance = 1};
    size_t classes = 0;
    if (all_a <= 0 || all_b <= 0)
        return test;
    double weight_a = sqrt(all_b / all_a), weight_b = sqrt(all_a / all_b);
    for (size_t i = 0; i < n; i++) {
        if (a[i] + b[i] <= 0)
            continue;
        double difference = weight_a * a[i] - weight_b * b[i];
        test.statistic += difference * difference / (a[i] + b[i]);
        classes++;
    }
    if (classes > 1)
        test.chance = gamma_upper((double)(classes - 1) / 2, test.statistic / 2);
    return test;
}
