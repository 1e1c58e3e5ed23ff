/* From a source record to what is wanted in the target: range, where → transform → contract → key. Pure: the same
 * record gives the same result on every machine.
 *
 * A struct recipe is what the plan froze (sources, contract): immutable, shared. A struct transform is one
 * thread's fresh sandbox over it, made anew for every partition. */
#pragma once

#include "contract/contract.h"
#include "record/digest.h"
#include "record/key.h"
#include "record/version.h"
#include "sandbox/sandbox.h"
#include "spec/spec.h"

struct recipe;

/* Reads the transform, its libs and the contract that the spec names, and checks that they load, each `where` too. A
 * source has at most 1 MiB; its name, in messages and digests, is the path as the user wrote it. The world must outlive
 * the recipe: it watches that no record takes longer than the sandbox allows. */
bool recipe_read(struct recipe **ret, const struct world *world, const struct spec *spec, GError **error);
void recipe_free(struct recipe *recipe);
AUTO_DEFINE(recipe, recipe_free)

/* What was read, in loading order: the plan digests it with BLAKE2b. Lives as long as the recipe. */
size_t recipe_sources(const struct recipe *recipe, const struct sandbox_source **ret);
bool recipe_has_transform(const struct recipe *recipe);
const struct contract *recipe_contract(const struct recipe *recipe); /* NULL without */
const struct world *recipe_world(const struct recipe *recipe);

#define TRANSFORM_WHERE "source.where"      /* what messages call the expression … */
#define TRANSFORM_PROBE "cause.probe.where" /* … and that of a probe, which nothing but its own reader evaluates */

struct transform_config {
    const struct recipe *recipe;
    const struct key_paths *key; /* how a wanted document's key is made; n == 0: key in = key out */
    /* Where key in = key out: the paths of which the key is made elsewhere. A document in which they give another key
     * than in the source is REJECTED. NULL or n == 0: not checked. */
    const struct key_paths *unchanged;
    const char *where; /* NULL: all */
    /* A record outside of it is FILTERED, one without the field too; one whose field is no point in time REJECTED.
     * NULL, or without a field: all. */
    const struct spec_range *range;
    bool removes; /* each record that is there is to go, under its key: nothing else of this is looked at */
    const char *run, *spec;
    int64_t planned_at_ms;
};

/* As a spec says it, but for `run`, `spec` and the time. `same_dataset`: what is read is written back, so that a record
 * keeps its key. Lives as long as the spec. */
struct transform_config transform_config_of(const struct recipe *recipe, const struct spec *spec, bool same_dataset);

struct transform;
bool transform_new(struct transform **ret, const struct transform_config *config, GError **error);
void transform_free(struct transform *transform);
AUTO_DEFINE(transform, transform_free)

enum transform_verdict { TRANSFORM_WANTED, TRANSFORM_FILTERED, TRANSFORM_DELETE, TRANSFORM_REJECTED };

struct wanted {
    struct slice key;      /* of the target */
    struct slice document; /* BSON; the source's own slice where nothing changed */
};

struct transform_result {
    enum transform_verdict verdict;
    struct wanted *wanted; /* WANTED: n ≥ 1; DELETE: one, with the key only */
    size_t n;
    bool list; /* 1→n: the outputs are counted as `emitted` */
    struct fault_reason {
        enum error_code code;
        const char *text;
    } reason; /* REJECTED */
};

/* One record. false only for what ends the run (a limit passed); a record that is refused is TRANSFORM_REJECTED with
 * its reason. What comes back lives in `mem`, or is the key or the document that was handed in. Of several documents of
 * one record all are wanted or none: one that the contract refuses, or two with one key, refuse the record. DELETE
 * takes its key from the source document. */
bool transform_record(struct transform *transform, struct slice key, struct slice document, struct arena *mem,
                      struct transform_result *ret, GError **error);
