/* Tests of distributions against what can be computed by hand. */
#include <float.h>
#include <math.h>

#include "kit/kit.h"
#include "profile/drift.h"

static void near(double found, double wanted, double wrong)
{
    if (fabs(found - wanted) > wrong)
        fail_msg("%.9g; %.9g was expected", found, wanted);
}

static void the_stability_index_is_its_formula_and_0_for_equal_shares(void **state)
{
    const double a[] = {50, 50}, b[] = {60, 40}, twice[] = {120, 80};
    near(drift_psi(a, b, 2), 0.1 * log(0.6 / 0.5) + 0.1 * log(0.5 / 0.4), 1e-12);
    near(drift_psi(b, twice, 2), 0, 1e-12);
    near(drift_psi(b, a, 2), drift_psi(a, b, 2), 1e-12);
}

static void a_class_that_one_side_lacks_makes_a_large_shift_and_not_an_infinite_one(void **state)
{
    const double a[] = {1000, 0}, b[] = {500, 500}, nothing[] = {0, 0};
    double psi = drift_psi(a, b, 2);
    assert_true(isfinite(psi) && psi > DRIFT_PSI_LARGE);
    near(drift_psi(a, nothing, 2), 0, 0);
}

/* What a profile that is damaged, or too large to be summed, might hold. */
static void of_what_is_no_number_no_shift_is_told(void **state)
{
    const double a[] = {1000, 0}, nan[] = {NAN, 500}, inf[] = {INFINITY, 500}, huge[] = {DBL_MAX, DBL_MAX};
    const double *const ODD[] = {nan, inf, huge};
    for (size_t i = 0; i < G_N_ELEMENTS(ODD); i++) {
        assert_true(drift_psi(a, ODD[i], 2) <= 0); /* not by near(): NAN is */
        assert_true(drift_psi(ODD[i], a, 2) <= 0);
    }
}

/* One degree of freedom: erfc(√(x/2)); two: exp(-x/2). */
static void chi_square_is_exact_where_it_has_a_closed_form(void **state)
{
    const double a[] = {50, 50}, b[] = {60, 40};
    struct drift_test test = drift_chi_square(a, b, 2);
    near(test.statistic, 100.0 / 110 + 100.0 / 90, 1e-12);
    near(test.chance, erfc(sqrt(test.statistic / 2)), 1e-12);
    const double c[] = {100, 200, 300}, d[] = {130, 200, 270};
    test = drift_chi_square(c, d, 3);
    near(test.chance, exp(-test.statistic / 2), 1e-12);
    const double e[] = {1, 1000, 1}, f[] = {1000, 1, 1};
    test = drift_chi_square(e, f, 3);
    near(test.chance, exp(-test.statistic / 2), 1e-12);
}

static void chi_square_of_totals_that_differ_and_shares_that_do_not_is_nothing(void **state)
{
    const double a[] = {10, 20, 30}, b[] = {100, 200, 300}, one[] = {5};
    near(drift_chi_square(a, b, 3).statistic, 0, 1e-9);
    near(drift_chi_square(a, b, 3).chance, 1, 1e-9);
    near(drift_chi_square(one, one, 1).chance, 1, 0);
}

/* λ = 1.36 is the textbook's 5 %: 2 (exp(-2 λ²) - exp(-8 λ²) + …). */
static void kolmogorov_s_chance_is_the_textbook_s(void **state)
{
    double n = 1e12, root = sqrt(n / 2);
    near(drift_ks(1.36 / root, n, n).chance, 2 * (exp(-2 * 1.36 * 1.36) - exp(-8 * 1.36 * 1.36)), 1e-6);
    near(drift_ks(0, 1000, 1000).chance, 1, 1e-12);
    near(drift_ks(1, 1000, 1000).chance, 0, 1e-12);
    near(drift_ks(1, 0, 1000).chance, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stability_index_is_its_formula_and_0_for_equal_shares),
        cmocka_unit_test(a_class_that_one_side_lacks_makes_a_large_shift_and_not_an_infinite_one),
        cmocka_unit_test(of_what_is_no_number_no_shift_is_told),
        cmocka_unit_test(chi_square_is_exact_where_it_has_a_closed_form),
        cmocka_unit_test(chi_square_of_totals_that_differ_and_shares_that_do_not_is_nothing),
        cmocka_unit_test(kolmogorov_s_chance_is_the_textbook_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
