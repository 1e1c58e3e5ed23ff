/* Money and deadlines as a spec writes them: prices and caps in units of one currency, kept in millionths of it; a
 * share and a time (`50% in 1h`, `95% within 48h`). docs/budgets.md is the user's page. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MONEY_UNIT       UINT64_C(1000000)
#define MONEY_TEXT       32 /* of money_text() */
#define MONEY_CURRENCY   8
#define MONEY_FORM       "an amount such as 40 or 12.50, above zero"
#define MONEY_PRICE_FORM "a price such as 0.28, or 0 for what costs nothing"
#define MONEY_BURN_FORM  "a share and a time such as 50% in 1h"

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
    double back_read, back_write;   /* of what is taken back: one that is looked at; one that is restored */
    char currency[MONEY_CURRENCY];
};
/* How often that is done to a record in all. */
struct money_use {
    unsigned reads;                  /* each that is read, its verification included */
    unsigned writes, reads_to_write; /* each that is written or deleted, its promotion included; reads beside it */
};
struct money_rates money_rates_of(const struct money_prices *prices, const struct money_use *use);
bool money_given(const struct money_rates *rates); /* anything costs something */

/* `12.50`, up to six digits behind the point; false: it is none, or zero. A price may be zero. */
bool money_parse(const char *text, uint64_t *ret);
bool money_parse_price(const char *text, uint64_t *ret);
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
