/* Internal to verify/: how the files of this folder share the work. */
#pragma once

#include "base/file.h"
#include "base/lock.h"
#include "listing/duplicates.h"
#include "listing/listing.h"
#include "verify/verify.h"

/* What all threads of one verification share. */
struct verification {
    const struct verify_input *input;
    struct store *undo;   /* NULL: none */
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct verify_result *result;
    struct file *report; /* opened with the first difference */
    size_t next_part;
    uint64_t sampled, sample_held;
    GError *error; /* the first */
};

/* One line of the report. Documents may be empty: absent. */
struct difference {
    enum verify_class class;
    struct slice key;
    struct slice wanted, live; /* documents */
    int64_t wanted_expires_at_ms, live_expires_at_ms;
    const char *why; /* NULL */
};
bool report_difference(struct verification *verification, const struct difference *difference, GError **error);

/* What one thread has open. */
struct pass {
    struct verification *verification;
    const struct verify_input *input;
    struct catalog *catalog; /* NULL without a run */
    struct session *source, *target, *undo;
    struct skiplist *skips;
    struct listing_reader *listing;
    struct transform *transform; /* of the partition */
    struct arena *mem;           /* of the batch */
    struct arena *part_mem;      /* of the partition */
    /* the partition's recorded outcomes, in listing order */
    struct checkpoints checkpoints;
    uint64_t n_outcomes;
    /* what has been found, merged into the result when the pass ends */
    uint64_t of[VERIFY_CLASS_COUNT];
    uint64_t compared, sampled, sample_held;
    struct set_digest wanted, live;
};

bool pass_open(struct pass *pass, struct verification *verification, GError **error);
void pass_done(struct pass *pass);
bool pass_part(struct pass *pass, const struct verify_part *part, GError **error);

/* The recorded outcome of the partition's i-th listed key; OUTCOME_COUNT: none is recorded. */
enum outcome pass_outcome(const struct pass *pass, uint64_t i);
struct call pass_call(const struct pass *pass, const struct dataset *ds);

/* One key to compare: what is wanted, and (filled in) what is there. */
struct subject {
    struct slice key;
    bool want_absent;
    struct slice document; /* wanted */
    int64_t expires_at_ms;
    bool expiry_known; /* whether expires_at_ms is what must be there */
    struct version version;
    enum outcome outcome; /* recorded */
    bool has_undo;        /* what the run recorded: */
    struct slice pre_raw;
    bool pre_present;
    int64_t pre_expires_at_ms;
    struct digest written;
    struct record live;
    struct slice live_document;
    struct digest wanted_digest, live_digest, first_live;
    bool equal;
};

/* Reads the target for all of them, compares, looks again at what differs, and counts each under its class. */
bool judge_subjects(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error);

/* Counts a key that is not compared. */
void pass_count(struct pass *pass, enum verify_class class);

/* Reads records of `undo:` for a partition until the wanted keys are found; same_dataset.c */
bool pass_same_dataset(struct pass *pass, const struct verify_part *part, GError **error);
bool pass_elsewhere(struct pass *pass, const struct verify_part *part, GError **error);

/* Transforms and fills in subjects for one source document; false only for what ends the verification. */
struct given {
    struct slice key, document;
    int64_t expires_at_ms;
    enum outcome outcome;
};
bool pass_subjects(struct pass *pass, const struct given *given, GArray *into, GError **error);

/* After the partitions of a whole run: keys that the listing does not hold. */
bool pass_unvisited(struct pass *pass, GError **error);

bool sample_holds(const struct verify_sample *sample, struct slice key, struct slice document, bool *ret_sampled);
