/* The root cause (`cause`): whether records of the target that are newer than some moment still break the contract, and
 * so whoever writes them is not mended. Each record of the dataset is looked at, whoever wrote it: exact, one walk.
 *
 * One thread. Memory is bounded by a batch. */
#pragma once

#include <jansson.h>

#include "verify/verify.h"

#define CAUSE_NAMED 3u

struct cause_found {
    const struct spec_cause *of; /* the spec's */
    int64_t since_us;            /* newer than this is fresh */
    uint64_t fresh, broken;
    uint64_t undated; /* no point in time tells whether they are */
    char *named;      /* the first that break it, with why; empty where what records hold is not to be told */
};
void cause_found_done(struct cause_found *found);

/* `since_us`: of what the spec says, and of what a person has said since, the later. `hidden`: without what stands in
 * records. */
struct cause_wish {
    const struct verify_input *input;
    const struct spec_cause *of;
    int64_t since_us;
    bool hidden;
};
bool cause_probe(const struct cause_wish *wish, struct cause_found *ret, GError **error);

/* "cause INC-1432: 2 of 14 records newer than … break the contract: 'k1': tier: …". The caller frees. */
char *cause_words(const struct cause_found *found);
json_t *cause_json(const struct cause_found *found);
