/* Money and deadlines as a spec writes them: prices and caps in units of one currency, kept in millionths of it; a
 * share and a time (`50% in 1h`, `95% within 48h`). docs/budgets.md is the user's page. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MONEY_UNIT      UINT64_C(1000000)
#define MONEY_TEXT      32 /* of money_text() */
#define MONEY_CURRENCY  8
#define MONEY_FORM      "an amount such as 40 or 12.50, above zero"
#define MONEY_BURN_FORM "a share and a time such as 50% in 1h"

/* What stores charge, in millionths of the currency; 0: nothing. */
struct money_prices {
    uint64_t reads, writes;   /* of a million records */
    uint64_t written, egress; /* of a GiB: into the target, out of the source */
    char currency[MONEY_CURRENCY];
};

/* What that makes of one record and one byte, with all that goes with it, in millionths. */
struct money_rates {
    double read, write;             /* a record of the source; one that is written or deleted */
    double byte_read, byte_written; /* of them */
    char currency[MONEY_CURRENCY];
};
/* `reads_each`: how often a record is read in all, the verification included. */
struct money_rates money_rates_of(const struct money_prices *prices, unsigned reads_each);
bool money_given(const struct money_rates *rates); /* anything costs something */

/* `12.50`, up to six digits behind the point; false: it is none, or zero. */
bool money_parse(const char *text, uint64_t *ret);
/* `12.50`, or as many digits as a small amount needs; into caller's memory of MONEY_TEXT bytes, which is returned. */
const char *money_text(uint64_t amount, char *into);

/* A share within, or in, a time; all zero: none. */
struct money_within {
    double share;
    int64_t ms;
};
bool money_within_parse(const char *text, const char *word, struct money_within *ret);
/* As it is parsed; the caller frees. */
char *money_within_text(const struct money_within *within, const char *word);
