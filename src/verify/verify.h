/* Verification: compares what the source gives with what the target holds, by code that shares with the code that wrote
 * it only drivers, records, contract and transform: no policy, no undo, no engine.
 *
 * The verifier opens its own sessions, enumerates the source itself, transforms in fresh sandboxes, and gives every key
 * one class (3-semantics.md, "Verification"; verify/class_rows.h is the table). For a run on its own source the source
 * is the store `undo:RUN`, read by its own decoder and held against a sample that verify_sample_take() read before the
 * first write. A difference is looked at again after `again_after_ms` and counts only if the same pair of digests
 * persists.
 *
 * What the gate's verification found of each partition (verify_result.sums) is kept by the caller in the catalog. Given
 * back as verify_part.sum it lets a later verification do with one scan of the target: a partition of which the target
 * still has the same sum is as it was when its gate passed; the others are compared in full. docs/verification.md says
 * what applies when.
 *
 * Writes nothing but the report: NDJSON, a line per difference: key, kind, what the source gives, what the target
 * holds, the fields that differ; and beside it a page for people (verify/page.h). The summary holds the digests of
 * both. Memory is bounded by batches, never by the size of the data. */
#pragma once

#include "catalog/catalog.h"
#include "listing/listing.h"
#include "store/calls.h"
#include "transform/transform.h"
#include "verify/sampling.h"

enum verify_class {
#define ROW(symbol, word, words) VERIFY_##symbol,
#include "verify/class_rows.h"
#undef ROW
    VERIFY_CLASS_COUNT
};

struct verify_class_row {
    const char *word, *words;
};
const struct verify_class_row *verify_class_row(enum verify_class class);

struct verify_part {
    uint32_t part;
    struct slice bounds;         /* of the source driver; unused for a listed source, */
    struct listing_stretch keys; /* whose keys these are; of another only `partition` is, the one that was planned */
    const struct part_sum *sum;  /* of its gate; NULL: every key of it is compared with the source */
};

struct verify_sample;
struct past;
struct cause_found;
struct measures;
struct measures_wish;

struct verify_input {
    const struct world *world;
    struct store *source, *target;
    struct store_registry *registry; /* opens undo_dir as a store; NULL undo_dir: none */
    struct dataset source_ds, target_ds;
    const struct recipe *recipe;
    const struct key_paths *key; /* n == 0: key in = key out */
    const char *where;
    const char *only; /* what of the source was meant, and matched nothing: JSON (struct plan); NULL: all was meant */
    const struct spec_range *range; /* NULL, or without a field: all */
    const struct path *version;     /* of the source's documents; NULL */
    const char *run, *spec, *target_name;
    const uint8_t *run_uid; /* by which an append-only target names the run's files */
    int64_t planned_at_ms;
    bool same_dataset, listed;
    enum spec_expires expires; /* what the run does with expiries, from the spec */
    int64_t expires_after_ms;
    const struct path *expires_from;
    int64_t skew_ms;

    struct catalog
        *catalog; /* checkpoints: outcomes, digests. NULL (verify SPEC without a run): all keys are compared */
    int64_t run_id;
    uint64_t seed; /* of the run's sums: the same at the gate and later */
    const char *listing_path, *skip_path, *undo_dir, *report_path;
    /* Where a scan gives each key once, but none tells whose it is: where to write that, if they pass (NULL: nowhere),
     * and what the gates wrote of it. */
    const char *owners_path, *const *owners;
    size_t n_owners;
    /* Likewise a sketch of what the target then holds. */
    const char *sketch_path, *const *sketches;
    size_t n_sketches;
    /* What the target's values are held against, beside the source's (verify/past.h); NULL: nothing. And where to
     * write what they are like, if they pass, under the name of the stage; NULL: nowhere. */
    struct past *baseline;
    const char *profile_path, *stage;
    const char *progress_path; /* how far a scan of the target has got, while it goes; NULL: no part has a sum */
    const struct verify_part *parts;
    size_t n_parts;
    const struct verify_sample *sample; /* where source and target are one dataset */
    struct sampling_wish sure;          /* a sample that proves so much; confidence 0: everything */
    uint64_t draw_key;                  /* says which keys: the same draws the same */
    bool whole;                         /* with these parts all of the run is verified: look for unvisited keys too */
    bool all_parts;                     /* the parts are all that the run has */
    bool extra;   /* say what the target has beyond the source, too (verify/extras.h); refused where it cannot be */
    bool removes; /* a run that takes records out: nothing is wanted of any (struct transform_config) */
    const struct spec *judge;            /* whose command judges beside the verifier; NULL: nobody, … */
    uint8_t judge_digest[32];            /* … and its files as they were planned (spec_judge_digest()) */
    struct measures *measures;           /* before and forecast (verify/measures.h); `after` is taken; NULL: none */
    const struct measures_wish *measure; /* how what is outside is asked */
    const struct cause_found *cause;     /* what fresh records said (verify/cause.h); NULL: nobody asked */
    const struct spec_expect *expects;   /* golden data; records are judged with the parts that hold them, and … */
    size_t n_expects;
    bool last; /* … with these parts all of the run is written and judged: then all of them, and the aggregates */
    int64_t again_after_ms;
    uint32_t workers; /* threads over partitions; 0: 1 */
    const atomic_bool *cancel;
    /* By any of the threads, holding nothing; what it waits for they wait for too. `of`: so many keys are looked at in
     * all, as they were planned; 0: nobody knows yet, for a sample in rounds may grow. */
    void (*progress)(void *self, uint64_t compared, uint64_t of);
    void *progress_self;
};

struct verify_result {
    uint64_t of[VERIFY_CLASS_COUNT];
    uint64_t compared;              /* equal + differing + missing + superseded + changed_since … */
    struct set_digest wanted, live; /* of the keys compared */
    size_t by_sums, in_full;        /* partitions */
    size_t by_keys; /* of which only `looked_at` keys, which differ from what the gate left, were compared */
    uint64_t looked_at;
    int64_t since_ms;           /* some of it was found by a verification that began then, and died; 0: none */
    uint64_t drawn, drawn_from; /* of a sample: keys looked at, of so many; 0: there was none */
    bool stopped;               /* the sample was as bad before its end as it must not be */
    double below;               /* the share of which is proven that fewer differ; 0: everything was compared */
    struct part_sum *sums;      /* of those compared in full: what to keep where they pass */
    size_t n_sums;
    bool measured;    /* the input's measures have their `after` */
    GArray *times;    /* of struct times_found (verify/times.h); NULL: no time buckets were asked for, or not yet */
    GArray *expected; /* of struct expect_result (verify/expect.h); NULL: nothing was */
    bool pass;
    char *sentence; /* the verdict in words, with numbers */
    char *report_path;
    char *page_path; /* the same for people: HTML */
    char *json;      /* the summary, as `verify --json` prints it */
};
void verify_result_done(struct verify_result *result);

/* A sample of about n live records of the parts, read before they are written: (key, canonical digest). Kept in a file,
 * so that a resumed run still has it; what glance.h sees of the same keys later is added to it. What is verified may
 * have been sampled at several times: stage by stage. */
bool verify_sample_take(const struct verify_input *input, size_t n, const char *path, GError **error);
struct verify_sample *verify_sample_new(void);
bool verify_sample_add(struct verify_sample *sample, const struct world *world, const char *path, GError **error);
bool verify_sample_has(const struct verify_sample *sample, struct slice key);
void verify_sample_free(struct verify_sample *sample);
AUTO_DEFINE(verify_sample, verify_sample_free)

/* How a verification by sums finds out whose a key of the target is: along the listing where that is in the order of
 * the keys, else by what the gates wrote down; and whether at all: where a scan of the target gives each key once. */
bool verify_in_key_order(const struct verify_input *input);
bool verify_scans_once(const struct verify_input *input);

/* false only where it could not be carried out; differences are in the result. A verification that compared nothing
 * does not pass, unless nothing was listed. */
bool verify_run(const struct verify_input *input, struct verify_result *ret, GError **error);
