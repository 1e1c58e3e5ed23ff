/* Between index.c (what is asked for, counted and told), index_look.c (one look at some records or entries) and
 * index_walk.c (all entries). */
#pragma once

#include "verify/index.h"

#define INDEX_LOOKS 5   /* at a record that claims something else in each, beside the first */
#define INDEX_PAGE  250 /* records that are read at once */

struct indexed {
    struct index_wish wish;
    const struct verify_input *input;
    const struct spec_expect *of;
    struct session *session;
    struct dataset ds; /* of the index */
    struct entry_shape *shape;
    bool members;                     /* it is of sets; else its keys are the entries */
    bool sorted;                      /* of sorted sets, as far as is known */
    GArray *claims;                   /* of struct claim: of the batch */
    GHashTable *told;                 /* digests of dangling entries, so that one that comes twice counts once */
    struct arena *mem;                /* of a look */
    struct portions records, entries; /* the dataset's, and those of an index that is one */
    struct index_counts counts;
    uint64_t claimed;
    int64_t looked_us;                 /* when something was seen that does not agree */
    char *absent;                      /* why there is no such index; NULL: there is */
    GString *missing, *dangling, *odd; /* the first of them */
};

/* An entry that a record has to have. */
struct claim {
    struct slice key;
    struct entry entry;
    bool scored, whole; /* by this score; by no more of it than stands before the point */
    double score;
    const char *why; /* behind a look: what is wrong with it; NULL: it stands as it has to */
};

struct digest claim_digest(const struct claim *claim);

/* index_look.c. Of a record, its claims are appended. */
struct claimant {
    struct slice key, document;
    const char *why; /* it has a value of which no entry can be made, in `mem`; NULL: it has not */
};
bool index_claims(const struct indexed *indexed, struct claimant *io, struct arena *mem, GArray *into, GError **error);
/* Fills in `why` of each. */
bool index_look_claims(struct indexed *indexed, struct arena *mem, GArray *claims, GError **error);
/* The records of these keys (of struct slice) as they stand now, and what they claim, appended. */
bool index_claims_now(struct indexed *indexed, struct arena *mem, GArray *keys, GArray *into, GError **error);

/* An entry that stands in the index. */
struct index_entry {
    struct entry entry;
    struct slice key; /* of the first record of which it may be; empty: of none */
    const char *why;  /* behind a look; NULL: a record claims it */
};
bool index_look_standing(struct indexed *indexed, struct arena *mem, GArray *entries, GError **error);
/* Removes those that do not stand there any more. */
bool index_still_standing(struct indexed *indexed, struct arena *mem, GArray *standing, GError **error);

/* index_walk.c. Calls index_entries() for each page. */
bool index_walk(struct indexed *indexed, GError **error);

/* index.c */
bool index_entries(struct indexed *indexed, struct arena *mem, GArray *standing, GError **error);
bool index_odd(struct indexed *indexed, const struct index_fault *fault, GError **error);
