/* Internal to verify/: how the files of this folder share the work. */
#pragma once

#include "base/file.h"
#include "base/lock.h"
#include "listing/duplicates.h"
#include "listing/listing.h"
#include "listing/ordered.h"
#include "verify/verify.h"

/* What is found of a partition, or of all. */
struct found {
    uint64_t of[VERIFY_CLASS_COUNT];
    uint64_t compared;
    struct set_digest wanted, live, stored; /* as struct part_sum */
};

/* What all threads of one verification share. */
struct sweep;
struct pass;
struct verification {
    struct verify_result *result;
    const struct verify_input *input;
    struct store *undo;                              /* NULL: none */
    bool (*work)(struct pass *pass, GError **error); /* of every thread */
    bool unlisted_looked_at;                         /* the sweep has seen to the keys that the listing does not hold */
    struct sweep *sweep;  /* while the target is scanned; has a lock of its own, taken before this one */
    GArray *published;    /* of struct sink_file, ascending: the files of an append-only target; NULL */
    bool *settled;        /* by part: its sum says it all. Written by one thread, between the two rounds of threads */
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct found found;
    struct owners_writer *owners; /* NULL: not wanted; has a lock of its own */
    GArray *sums;                 /* of struct part_sum, `counts` owned */
    struct file *report;          /* opened with the first difference */
    size_t next_part;
    uint64_t seen; /* keys, for the one who watches */
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
    GArray *given;               /* of struct given: of the batch */
    struct arena *mem;           /* of the batch */
    struct arena *part_mem;      /* of the partition */
    /* the partition's recorded outcomes, in listing order */
    struct checkpoints checkpoints;
    uint64_t n_outcomes;
    size_t checkpoint;         /* the one that the last outcome came from, */
    uint64_t checkpoint_first; /* and its first key */
    bool made_keys;            /* of the partition: not every key is one of the listing's */
    struct found found;        /* of the partition; merged when it ends */
    uint64_t shown;            /* of found.compared */
    uint64_t sampled, sample_held;
};

bool pass_open(struct pass *pass, struct verification *verification, GError **error);
void pass_done(struct pass *pass);
bool pass_begin(struct pass *pass, const struct verify_part *part, GError **error); /* checkpoints; transform */
bool pass_part(struct pass *pass, const struct verify_part *part, GError **error);
bool pass_fresh_transform(struct pass *pass, GError **error);
void pass_show(struct pass *pass, uint64_t compared); /* keys since the last time */
void pass_show_found(struct pass *pass);              /* those of pass->found */

/* The recorded outcome of the partition's i-th listed key; OUTCOME_COUNT: none is recorded. Asked along the listing. */
enum outcome pass_outcome(struct pass *pass, uint64_t i);
/* Nothing is written by what the verifier reads. */
struct call pass_call(const struct pass *pass, const struct dataset *ds);

/* One key to compare: what is wanted, and (filled in) what is there. */
struct subject {
    struct slice key;
    bool want_absent;
    struct slice document; /* wanted */
    struct slice raw;      /* the same in the target's own bytes; empty: it cannot hold it */
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
    bool stood;  /* not equal, and the same in two looks: it is not read again */
    bool theirs; /* every reading so far showed a write of the application */
};

/* The wanted document becomes what the target gives back of it, and gets its digest. One that the target cannot hold
 * stays as it is: it equals nothing that stands there. */
bool judge_wanted(const struct pass *pass, struct subject *subject, GError **error);
/* Reads the target for all of them, compares, looks again at what differs, and counts each under its class. */
bool judge_subjects(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error);

/* Counts a key that is not compared. */
void pass_count(struct pass *pass, enum verify_class class);

/* Reads records of `undo:` for a partition until the wanted keys are found; same_dataset.c */
bool pass_same_dataset(struct pass *pass, const struct verify_part *part, GError **error);
bool pass_elsewhere(struct pass *pass, const struct verify_part *part, GError **error);
bool pass_appended(struct pass *pass, const struct verify_part *part, GError **error);

/* What the source gives of a partition: a batch of subjects a call, in pass->mem, in the source's order. */
struct pass_source {
    struct scan *scan;
    uint64_t index; /* listed keys so far */
    bool done;      /* nothing follows */
};
bool pass_source_open(struct pass *pass, const struct verify_part *part, struct pass_source *ret, GError **error);
bool pass_source_next(struct pass *pass, const struct verify_part *part, struct pass_source *source, GArray *into,
                      GError **error);
void pass_source_close(struct pass_source *source);

/* One source document of a batch, and what the undo log says was there before. */
struct given {
    struct slice key, document;
    int64_t expires_at_ms;
    enum outcome outcome;
    bool has_undo, pre_present;
    struct slice pre_raw;
    int64_t pre_expires_at_ms;
    struct digest written;
};
/* Waits until the batch is whole. */
void pass_give(struct pass *pass, const struct given *given);
/* Transforms all that was given, last first, and fills in subjects in the order of the batch. The other way round than
 * the run went: a transform whose result depends on the records that it saw before, and is no function of one record,
 * comes out otherwise here, and the gate shows it. false only for what ends the verification. */
bool pass_transform(struct pass *pass, GArray *into, GError **error);

/* After the partitions of a whole run: keys that the listing does not hold. */
bool pass_unvisited(struct pass *pass, GError **error);
/* A key of the source that is not listed: counted and reported where the run would have changed something for it. */
bool pass_unlisted(struct pass *pass, struct slice key, GError **error);

/* Along the listing, whose ranked keys ascend. */
struct listed {
    struct listing_reader *listing;
    struct arena *mem;
    struct slice *keys; /* ranked */
    size_t n, at;
    uint32_t part;  /* of keys[at], */
    uint64_t first; /* and the place of keys[0] in it */
};
bool listed_begin(struct listed *listed, struct listing_reader *listing, GError **error);
/* So that ranked keys from this one on can be asked for. */
bool listed_begin_at(struct listed *listed, struct listing_reader *listing, struct slice key, GError **error);
void listed_done(struct listed *listed);
/* Ranked keys are asked for in ascending order. *ret_index: its place in partition listed->part. */
bool listed_find(struct listed *listed, struct slice key, bool *ret_found, uint64_t *ret_index, GError **error);

/* --- appended.c: a target that is files of the run --------------------------------------------------------------- */

static inline bool verify_appends(const struct verify_input *input)
{
    return store_driver(input->target)->write == NULL;
}

/* Which files the run has published: verification->published. Nothing where the target is no such one. */
bool appended_list(struct verification *verification, GError **error);
/* Files of partitions that the run does not have; where all of its partitions are looked at. */
bool appended_strays(struct pass *pass, GError **error);

/* --- sums.c, sweep.c: what is kept of a partition, and what the target alone says -------------------------------- */

/* What a record of the target adds to the sum `stored`. By its bytes, not by its document: one store is compared with
 * itself at another time, and other bytes for the same document only cost a comparison in full. */
struct digest sums_entry(const struct verify_input *input, const struct record *record);
/* Whether the run says which expiry a record has to have. */
bool sums_know_expiry(const struct verify_input *input);
void found_merge(struct found *into, const struct found *from);
char *found_counts(const struct found *found);
bool found_of_sum(struct found *ret, const struct part_sum *sum, GError **error);

/* owners.c: whose each key is. Any thread adds; one finishes. */
struct owners_writer;
bool owners_writer_new(struct owners_writer **ret, const struct world *world, const char *path, GError **error);
void owners_writer_free(struct owners_writer *writer);
bool owners_writer_add(struct owners_writer *writer, uint32_t part, const struct digest *keys, size_t n,
                       GError **error);
/* PATH.tmp, fsync, rename, fsync of the directory. */
bool owners_writer_finish_durable(struct owners_writer *writer, GError **error);

struct owner {
    const uint8_t *key; /* digest_put(); until the next call */
    uint32_t part;
};
extern const struct blockfile_kind owners_kind, sample_kind;
#define OWNERS_ITEM_BYTES 20u /* digest[16] partition:u32, big-endian: bytewise order is theirs */
void owners_item_get(const uint8_t *item, struct owner *ret);
struct owners_reader;
/* CORRUPT: not one, damaged. In ascending order of the digests. */
bool owners_reader_open(struct owners_reader **ret, const struct world *world, const char *path, GError **error);
void owners_reader_free(struct owners_reader *reader);
AUTO_DEFINE(owners_reader, owners_reader_free)
bool owners_reader_next(struct owners_reader *reader, struct owner *ret, bool *ret_more, GError **error);

/* Scans the target once, on all threads, and settles the partitions of which the sum is still what it was. Returns at
 * once where no partition has a sum that can be told by the target alone. */
bool sweep_run(struct verification *verification, GError **error);
bool sweep_pass(struct pass *pass, GError **error);

/* verify.c */
bool verification_threads(struct verification *verification, bool (*work)(struct pass *pass, GError **error),
                          GError **error);

struct reader;
struct sampled_key {
    struct slice key;
    struct digest digest; /* canonical, of the document */
};
/* The next item of a block; false: the bytes make no sense. */
bool sample_item_get(struct reader *reader, struct sampled_key *ret);
bool sample_holds(const struct verify_sample *sample, struct slice key, struct slice document, bool *ret_sampled);
