#include "record/number.h"

#include "record/decimal_bits.h"

/* Exponents are counted up to here and no further: far outside decimal128, far inside int64_t whatever is added. */
enum { EXPONENT_ENOUGH = 1000000000 };

static bool is_digit(const uint8_t *at, const uint8_t *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

/* Takes digits into the coefficient; *significant counts them from the first that is not zero. */
static const uint8_t *take_digits(const uint8_t *at, const uint8_t *end, unsigned __int128 *coefficient,
                                  size_t *significant)
{
    for (; is_digit(at, end); at++) {
        unsigned digit = *at - (unsigned)'0';
        *significant += *significant || digit;
        if (*significant <= DECIMAL_DIGITS)
            *coefficient = *coefficient * 10 + digit;
    }
    return at;
}

static const uint8_t *take_exponent(const uint8_t *at, const uint8_t *end, int64_t *exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (!is_digit(at, end))
        return NULL;
    int64_t value = 0;
    for (; is_digit(at, end); at++)
        value = value >= EXPONENT_ENOUGH ? value : value * 10 + (*at - '0');
    *exponent += negative ? -value : value;
    return at;
}

static const char *fault(struct number *ret, const uint8_t *at, const char *what)
{
    ret->end = at;
    return what;
}

const char *number_scan(const uint8_t *at, const uint8_t *end, struct number *ret)
{
    struct number number = {.negative = at < end && *at == '-'};
    const uint8_t *from = at, *whole = at + number.negative;
    size_t significant = 0;
    int64_t exponent = 0;
    at = take_digits(whole, end, &number.coefficient, &significant);
    if (at == whole)
        return fault(ret, at, "expected a digit");
    if (*whole == '0' && at > whole + 1)
        return fault(ret, whole, "expected no zero before the other digits of a number");
    if (at < end && *at == '.') {
        const uint8_t *fraction = at + 1;
        at = take_digits(fraction, end, &number.coefficient, &significant);
        exponent = fraction - at;
        if (at == fraction)
            return fault(ret, at, "expected a digit after the point");
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        const uint8_t *sign = at + 1;
        at = take_exponent(sign, end, &exponent);
        if (!at)
            return fault(ret, sign, "expected a digit in the exponent");
    }
    if (significant > DECIMAL_DIGITS)
        return fault(ret, from, "expected a number of at most 34 digits");
    if (exponent < DECIMAL_LEAST_EXPONENT || exponent > DECIMAL_MOST_EXPONENT)
        return fault(ret, from, "expected a number whose last digit stands between 10^-6176 and 10^6111");
    number.exponent = (int32_t)exponent;
    number.end = at;
    *ret = number;
    return NULL;
}

bool number_to_i64(const struct number *number, int64_t *ret)
{
    const unsigned __int128 most = (unsigned __int128)INT64_MAX + number->negative;
    if (number->exponent != 0 || number->coefficient > most || (number->negative && number->coefficient == 0))
        return false;
    uint64_t size = (uint64_t)number->coefficient;
    *ret = number->negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}
