/* Internal to verify/: how the files of this folder share the work. */
#pragma once

#include "base/file.h"
#include "base/lock.h"
#include "listing/duplicates.h"
#include "listing/listing.h"
#include "listing/ordered.h"
#include "record/sketch.h"
#include "store/undo/undo_store.h"
#include "verify/picture.h"
#include "verify/preimages.h"
#include "verify/strata.h"
#include "verify/verify.h"

/* What is found of a partition, or of all. */
struct found {
    uint64_t of[VERIFY_CLASS_COUNT];
    uint64_t compared;
    struct set_digest wanted, live, stored; /* as struct part_sum */
};

/* What all threads of one verification share. */
struct sweep;
struct theirs;
struct extras;
struct pass;
struct verification {
    struct verify_result *result;
    const struct verify_input *input;
    struct store *undo;                              /* NULL: none */
    bool (*work)(struct pass *pass, GError **error); /* of every thread */
    bool unlisted_looked_at;                         /* the sweep has seen to the keys that the listing does not hold */
    struct sweep *sweep;   /* while the target is scanned; has a lock of its own, taken before this one */
    struct draw *draw;     /* NULL: no sample. Written before the threads begin */
    GArray *published;     /* of struct sink_file, ascending: the files of an append-only target; NULL */
    struct sketch *sketch; /* of what the target holds, for a gate to keep; NULL. Guarded by `lock`, as made_keys */
    bool made_keys;        /* of some partition: not every key is one of the listing's */
    bool resolved;         /* what differs from the gates is known: */
    GArray *entries;       /* of struct sketch_entry, by key: the digests of that; NULL. Fixed likewise */
    struct differing *differing; /* by part; NULL: nothing is. Written between the two rounds of threads */
    bool *due;            /* by expectation: its key was met. Each written by the thread that has the key's part */
    bool *settled;        /* by part: its sum says it all. Written by one thread, between the two rounds of threads */
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct found found;
    struct strata strata;         /* of a sample */
    struct strata_shards shards;  /* likewise */
    struct owners_writer *owners; /* NULL: not wanted; has a lock of its own */
    GArray *sums;                 /* of struct part_sum, `counts` owned */
    struct file *report;          /* opened with the first difference */
    struct picture *picture;      /* of its lines */
    struct report_seal *seal;     /* by which they are sealed, or not. Written before the threads begin */
    struct shift *shift;          /* has a lock of its own, a leaf */
    bool profile_kept;            /* in input->profile_path, a file of that digest */
    uint8_t profile_digest[32];
    struct theirs *theirs; /* NULL: nobody else judges. Likewise */
    struct extras *extras; /* NULL: nobody asked. Likewise */
    size_t next_part;
    uint64_t seen; /* keys, for the one who watches */
    uint64_t aim;  /* … and of how many; 0: not known. Written before the threads begin */
    struct preimages preimages;
    uint64_t echoes;       /* records of the source that are what the run wrote into the target */
    uint64_t revived;      /* that the run deleted, and that stand there again, and … */
    GString *revived_keys; /* … the first of them, in words */
    GError *error;         /* the first */
};

/* Keys that count against the gate. */
static inline bool verify_class_is_bad(enum verify_class class)
{
    return class == VERIFY_DIFFERING || class == VERIFY_MISSING || class == VERIFY_EXTRA || class == VERIFY_IN_FLIGHT ||
           class == VERIFY_NOT_COMPARABLE || class == VERIFY_IN_DOUBT;
}

static inline uint64_t found_bad(const struct found *found)
{
    uint64_t bad = 0;
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        bad += verify_class_is_bad((enum verify_class)i) ? found->of[i] : 0;
    return bad;
}

/* --- chosen.c: which keys of a partition are looked at ------------------------------------------------------------ */

/* All of them where nothing is said. */
struct chosen {
    const uint64_t *places; /* in the partition, ascending: these; NULL: not given */
    size_t n;
    bool sampled; /* those of which the rank is from … to, without it */
    struct sampling_order order;
    uint64_t from, to;
    bool again; /* those that were not planned were looked at before */
};
bool chosen_has(const struct chosen *chosen, uint64_t place);
uint64_t chosen_next(const struct chosen *chosen, uint64_t place); /* of `places`: from there on; UINT64_MAX: none */

/* The sample of a verification: of each partition the same share; or, where something is asked of each kind of records,
 * in rounds, of all keys together (verify/sampling.h). */
struct draw {
    struct sampling_frame frame; /* of rounds, the first */
    struct sampling_round round;
    uint64_t *first; /* by partition: the keys of those before it */
    uint64_t *ahead; /* by partition: how many the forerun looks at, if it goes to its end: so many are drawn at least;
                        of rounds, how many are drawn up to the end of this one … */
    uint64_t *taken; /* … and how many were looked at before this one, or by the forerun */
    bool stopped;    /* by the forerun: it is worse than it may be */
};
struct draw *draw_new(const struct verify_input *input); /* NULL: everything is compared */
void draw_free(struct draw *draw);
struct chosen draw_chosen(const struct draw *draw, const struct verify_input *input, size_t part);
/* How little of the partition is looked at: the smallest share of any partition against its own. */
double draw_weight(const struct draw *draw, const struct verify_input *input, const struct verify_part *part);
uint64_t draw_size(const struct draw *draw, const struct verify_input *input); /* keys looked at */
double draw_stands_for(const struct draw *draw);          /* how many keys a key that was looked at stands for */
bool draw_looks_at(const struct draw *draw, size_t part); /* at some of its keys, in this round */
bool draw_may_grow(const struct draw *draw);              /* by further rounds */
/* What the keys that were looked at prove: a share that fewer are bad than; 1: nothing. */
double draw_below(const struct draw *draw, const struct verify_input *input, uint64_t bad);
/* Draws the keys of the next round. false: there is none, what was asked is known or cannot be any more. */
bool draw_widen(struct draw *draw, const struct verify_input *input, const struct found *found,
                const struct strata *strata);
/* Looks at a few keys of all partitions in random order, so that a bad sample ends here. */
bool draw_forerun(struct verification *verification, GError **error);

/* One line of the report. Documents may be empty: absent. */
struct difference {
    enum verify_class class;
    struct slice key;
    struct slice from;         /* the source's key, where it is another; empty: it is not */
    struct slice wanted, live; /* documents */
    int64_t wanted_expires_at_ms, live_expires_at_ms;
    bool expiry_differs;
    enum { SAW_NOTHING, SAW_ABSENT, SAW_RECORD } saw; /* in the target; NOTHING: nobody looked, or it cannot be read */
    struct digest seen;                               /* SAW_RECORD: stored, by which a repair knows it again */
    uint32_t looks;                                   /* at the target; 0: not said */
    int64_t age_ms;                                   /* between the first look and the last */
    const char *why;                                  /* NULL */
    const char *theirs, *theirs_why;                  /* the word of another judge, and its reason; NULL */
};
json_t *report_key_json(struct slice key); /* bytes that are no text: {"base64": …} */
/* A member of a line's object, with its name: the first two behind what they stand after, JSON taken over. */
void report_put_document(GString *line, const char *name, struct slice document); /* `,"NAME":…`; empty: null */
void report_put_expiry(GString *line, const char *name, int64_t ms);              /* likewise; never: nothing */
void report_put_json(GString *line, const char *name, json_t *value);             /* `"NAME":…` */
bool report_difference(struct verification *verification, const struct difference *difference, GError **error);
/* Likewise of a rule: an entry of an index. A repair passes over it. */
struct index_fault;
bool report_index(struct verification *verification, const struct spec_expect *of, const struct index_fault *fault,
                  GError **error);

/* Whether what failed says something of one record alone; else it is handed on, and ends the verification. */
static inline bool verify_is_of_record(GError **failed, GError **error)
{
    if (error_class(*failed) == ERROR_RECORD && !error_is(*failed, SLUICE_ERROR_TOO_BIG))
        return true;
    g_propagate_error(error, g_steal_pointer(failed));
    return false;
}

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
    size_t room;                 /* records of a batch, at most: as many as fitted into its memory */
    size_t read_bytes;           /* that the last one took of it */
    struct portions portions;    /* of the target's records, which may be of another size */
    struct arena *mem;           /* of the batch */
    struct arena *part_mem;      /* of the partition */
    /* the partition's recorded outcomes, in listing order */
    struct checkpoints checkpoints;
    uint64_t n_outcomes;
    size_t checkpoint;         /* the one that the last outcome came from, */
    uint64_t checkpoint_first; /* and its first key */
    struct chosen chosen;      /* of the partition */
    struct sketch *sketch;     /* NULL, or what is merged into the verification's */
    bool made_keys;            /* of the partition: not every key is one of the listing's */
    struct found found;        /* of the partition; merged when it ends */
    struct strata strata;      /* of a sample; merged when the pass ends */
    uint64_t shown;            /* of found.compared */
    struct preimages preimages;
    uint64_t echoes; /* records of the source that are what the run wrote into the target */
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
/* How many keys from the partition's i-th on are a batch, by what the run's checkpoints say of their size. */
size_t pass_room(struct pass *pass, uint64_t i);
/* Nothing is written by what the verifier reads. */
struct call pass_call(const struct pass *pass, const struct dataset *ds);

/* One key to compare: what is wanted, and (filled in) what is there. */
struct subject {
    struct slice key;
    struct slice from;   /* the source's key */
    struct slice source; /* its document there; */
    struct slice before; /* the same, empty of all but the first of several that it became */
    bool want_absent;
    struct slice document; /* wanted; once it is `kept`, as the target gives it back */
    struct slice raw;      /* the same in the target's own bytes; empty: it cannot hold it */
    bool kept;
    int64_t expires_at_ms;
    bool expiry_known; /* whether expires_at_ms is what must be there */
    struct version version;
    enum outcome outcome; /* recorded */
    bool has_undo;        /* what the run recorded: */
    struct slice pre_raw;
    bool pre_present;
    int64_t pre_expires_at_ms;
    struct digest written;
    bool came_to_stand; /* of several records that want the key: what this one wants stood there, by its own write or
                           before it, … */
    bool written_over;  /* … and the run wrote over it, for another one; */
    bool deleted_last;  /* what it wrote last was nothing */
    struct record live;
    struct slice live_document; /* by judge_documents() */
    struct digest wanted_digest, live_digest, first_live;
    bool equal;
    bool stood;                    /* not equal, and the same in two looks: it is not read again */
    bool theirs;                   /* every reading so far showed a write of the application */
    const char *why;               /* it cannot be compared; NULL: it can */
    const char *word, *theirs_why; /* what another judge calls it; NULL: equal, or nobody asked; … and why: NULL */
    uint32_t looks;
    int64_t age_ms; /* from the first look to the last */
};

/* The wanted document gets its bytes in the target, and the digest of what the target gives back of it. One that the
 * target cannot hold stays as it is: it equals nothing that stands there. */
bool judge_wanted(const struct pass *pass, struct subject *subject, GError **error);
/* For whoever looks at documents: the wanted one as the target gives it back, and the live one. What is equal is told
 * without either. */
bool judge_documents(const struct pass *pass, struct subject *subject, GError **error);
/* Reads the target for all of them, compares, looks again at what differs, and counts each under its class. */
bool judge_subjects(struct pass *pass, const struct verify_part *part, GArray *subjects, GError **error);

/* The class of one that was compared, by what is known of it. */
enum verify_class judge_class(const struct pass *pass, const struct subject *subject);

/* Of a partition, where it is known what differs from what its gate left. */
struct differing {
    GArray *places; /* of uint64_t, ascending: these keys of the listing; NULL: none */
    bool whole;     /* or whatever it is: all of it is compared */
};

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
    size_t chosen;  /* of the chosen places: those so far */
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

/* --- sums.c, sweep*.c: what is kept of a partition, and what the target alone says -------------------------------- */

/* What a record of the target adds to the sum `stored`. By its bytes, not by its document: one store is compared with
 * itself at another time, and other bytes for the same document only cost a comparison in full. */
struct digest sums_entry(const struct verify_input *input, const struct record *record);
/* To the sum; *ret is for the sketch. */
void sums_add(const struct verify_input *input, const struct record *record, struct set_digest *into,
              struct sketch_entry *ret);
/* Whether the run says which expiry a record has to have. */
bool sums_know_expiry(const struct verify_input *input);
void found_merge(struct found *into, const struct found *from);
char *found_counts(const struct found *found);
bool found_of_sum(struct found *ret, const struct part_sum *sum, GError **error);

/* owners.c: whose each key is. Any thread adds; one finishes. */
struct owners_writer;
bool owners_writer_new(struct owners_writer **ret, const struct world *world, const char *path,
                       const uint8_t run_uid[16], GError **error);
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
/* Which of the input's partitions, by their number, have keys among them, and how many. Their gates counted as many, or
 * some of the owners are not there: a key that none of them names may be anybody's. */
struct owned_parts {
    const struct verify_input *input;
    size_t *place_of; /* in the input's parts */
    uint32_t n;
    uint64_t *counted; /* by place */
};
#define OWNED_NOWHERE SIZE_MAX /* the place of one that has no sum, or is none of the input's */
void owned_parts_init(struct owned_parts *parts, const struct verify_input *input);
void owned_parts_done(struct owned_parts *parts);
size_t owned_parts_place(const struct owned_parts *parts, uint32_t part);
void owned_parts_count(struct owned_parts *parts, uint32_t part);
bool owned_parts_whole(const struct owned_parts *parts, bool *ret, GError **error);
/* owned.c: adds what was sorted (OWNED_BYTES each, by the first 16) to the sums of those whose it is. *ret_said false:
 * some owners are not to be had, and so nothing is known of any. */
#define OWNED_BYTES 32u /* digest of the key, what it adds to a sum; as digest_put() */
struct extsort;
bool owned_merge(const struct verify_input *input, struct extsort *sort, struct set_digest *sums, bool *ret_said,
                 GError **error);
/* Whether a file that only saves work is damaged or gone, and so says nothing; what else failed is handed on. */
bool verify_kept_says_nothing(GError **failed, GError **error);

/* resolve.c: what is kept of all partitions of a gate, and which keys differ from it. */
struct kept_sketch {
    struct sketch *sketch;
    struct set_digest stored; /* of the same records */
    bool made_keys;
};
struct block;
extern const struct blockfile_kind sketch_kind; /* its versions are the layouts */
bool sketch_block_get(const struct block *block, enum sketch_layout layout, struct kept_sketch *ret);
/* PATH.tmp, fsync, rename, fsync of the directory. */
bool sketch_keep_durable(const struct verification *verification, GError **error);
/* ret->sketch NULL: there is none of all that the run has written. The caller frees it. */
bool sketch_read_kept(const struct verify_input *input, struct kept_sketch *ret, GError **error);
/* `kept` minus the sketch of the target: says in verification->differing which keys are to be compared. *ret_known
 * false: there are too many, or some are nobody's. */
bool resolve_keys(struct verification *verification, struct kept_sketch *kept, bool *ret_known, GError **error);
void resolve_done(struct verification *verification);
/* A record that is looked at for what the scan found of it: it is what it was then. */
bool resolve_stood(const struct pass *pass, const struct record *live);

/* Keys that the gate compared, by what the run recorded of them. */
static inline bool outcome_was_compared(enum outcome outcome)
{
    return outcome == OUTCOME_WRITTEN || outcome == OUTCOME_UNCHANGED || outcome == OUTCOME_DELETED;
}

/* Scans the target once, on all threads, and settles the partitions of which the sum is still what it was. Returns at
 * once where no partition has a sum that can be told by the target alone. */
bool sweep_run(struct verification *verification, GError **error);

/* verify.c */
bool verification_threads(struct verification *verification, bool (*work)(struct pass *pass, GError **error),
                          GError **error);
/* What the pass has found beside partitions, which are merged when they end. */
void verification_merge(struct verification *verification, const struct pass *pass);

/* --- sample.c ----------------------------------------------------------------------------------------------------- */

enum { SAMPLE_BLOCK = 1, GLANCE_BLOCK = 2 }; /* of its file: items of either kind */

struct reader;
struct sampled_key {
    struct slice key;
    struct digest digest; /* canonical, of the document */
};
/* The next item of a block; false: the bytes make no sense. */
bool sample_item_get(struct reader *reader, struct sampled_key *ret);
/* Of a record that is no document there is none. */
void sample_item_put(struct store *target, const struct dataset *ds, const struct record *record, struct arena *mem,
                     GByteArray *into);
/* What was seen of it before a write, and which one. */
struct glimpsed_key {
    struct sampled_key seen;
    struct undo_nth place;
};
bool sample_glimpsed_get(struct reader *reader, struct glimpsed_key *ret);

/* What the undo log says stood there before a write. */
struct pre_image_logged {
    struct slice key, document;
    struct undo_nth place;
};
enum pre_image sample_says(const struct verify_sample *sample, const struct pre_image_logged *logged);
