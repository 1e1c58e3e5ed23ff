/* What a sample says of the records of one shard, of one size, and of one age: how many of them it looked at, about how
 * many there are, how many were bad, and the share that is proven of each such stratum (sampling_share()). Which
 * records are large or old is known when they are read; so they are not drawn by it, and a stratum is as sure as many
 * of it were met. Where something is asked of each (sampling_wish.each), the sample goes on in rounds until it is known
 * of each that was met, or that it is rarer than matters. */
#pragma once

#include <jansson.h>

#include "verify/verify.h"

enum strata_kind { STRATA_SHARD, STRATA_SIZE, STRATA_AGE, STRATA_KINDS };
#define STRATA_MOST 64 /* shards; behind the last but one all others are the last */

struct stratum {
    uint64_t looked, bad;
    double weighed_bad, weighed_right; /* each by how little its partition was looked at (sampling_share()) */
};
/* The shards that were met, by what their server is called. */
struct strata_shards {
    char *of[STRATA_MOST]; /* own */
    size_t n;
};
/* Which it is, from 1 on; NULL: 0. */
size_t strata_shard(struct strata_shards *shards, const char *name);
void strata_shards_done(struct strata_shards *shards);

struct strata {
    struct stratum of[STRATA_KINDS][STRATA_MOST];
    bool several; /* records were made of one key: they are not drawn one by one, and nothing is proven of them */
};

/* A record that was looked at. */
struct strata_record {
    uint64_t bytes;           /* of its value in the target */
    const struct version *at; /* its version, where it has one that is a time; NULL: it has none */
    size_t shard;             /* strata_shard(); 0: it lies on none */
    bool bad;
    double weight;
};
void strata_add(struct strata *strata, const struct verify_input *input, const struct strata_record *record);
void strata_merge(struct strata *into, const struct strata *from);

/* Of one verification by a sample; `stopped`: before its end, so that nothing is proven. */
struct strata_told {
    const struct strata *strata;
    const struct strata_shards *shards; /* NULL: none */
    const struct verify_input *input;
    struct sampling_round round;
    double stands_for; /* so many keys a key that was looked at stands, where it weighs 1 */
    bool stopped;
};

/* Of the strata of which it is not yet known what was asked, how many were looked at of the rarest. None of them has a
 * bad one. 0: nothing is proven however many they are; STRATA_NONE_OPEN: it is known of all. */
uint64_t strata_open(const struct strata_told *told);
#define STRATA_NONE_OPEN UINT64_MAX

/* "; …" for the verdict: where the bad ones are, that what was asked of each is so, or of which the least is proven. */
void strata_words(const struct strata_told *told, GString *into);
/* by_shard, by_size and by_age, into the sample's object; without shards by_shard is null; without ages by_age is, and
 * age_why says why. */
void strata_put_json(const struct strata_told *told, json_t *sample);
void strata_put(const struct strata_told *told, GString *page); /* the same for people */
