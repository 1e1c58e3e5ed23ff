/* What a sample says of records of one size, and of one age: how many of them it looked at, how many of those are bad,
 * and the share that is proven of each such stratum (sampling_share()). Which records are large or old is known when
 * they are read; so they are not drawn by it, and a stratum is as sure as many of it were met. */
#pragma once

#include <jansson.h>

#include "verify/verify.h"

enum strata_kind { STRATA_SIZE, STRATA_AGE, STRATA_KINDS };
#define STRATA_MOST 7

struct stratum {
    uint64_t looked, bad;
    double weighed_bad, weighed_right; /* each by how little its partition was looked at (sampling_share()) */
};
struct strata {
    struct stratum of[STRATA_KINDS][STRATA_MOST];
    bool several; /* records were made of one key: they are not drawn one by one, and nothing is proven of them */
};

/* A record that was looked at. */
struct strata_record {
    uint64_t bytes;           /* of its value in the target */
    const struct version *at; /* its version, where it has one that is a time; NULL: it has none */
    bool bad;
    double weight;
};
void strata_add(struct strata *strata, const struct verify_input *input, const struct strata_record *record);
void strata_merge(struct strata *into, const struct strata *from);

/* Of one verification by a sample; `stopped`: before its end, so that nothing is proven. */
struct strata_told {
    const struct strata *strata;
    const struct verify_input *input;
    bool stopped;
};
/* "; …" for the verdict: where the bad ones are, or of which the least is proven. */
void strata_words(const struct strata_told *told, GString *into);
/* by_size and by_age, into the sample's object; without ages by_age is null, and age_why says why. */
void strata_put_json(const struct strata_told *told, json_t *sample);
void strata_put(const struct strata_told *told, GString *page); /* the same for people */
