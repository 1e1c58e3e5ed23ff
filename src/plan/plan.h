/* The plan: everything that a run freezes, made once before the first write and read again by every resume.
 *
 * plan_make() reads the spec and what it names, opens both stores, decides the defaults that depend on them (same
 * dataset or not, `write`, `conflict`), finds duplicate states of a key in a file source, lists the keys where a scan
 * cannot be repeated, and cuts the work into partitions. It writes nothing but its own listing files below
 * HOME/listing/. plan_load() rebuilds the same struct from the catalog for a resume; it does not plan again: it checks
 * that spec, transform, contract and source are still what was frozen, and refuses by name what has moved.
 *
 * A struct plan is immutable once made and shared by all threads. */
#pragma once

#include <jansson.h>

#include "catalog/catalog.h"
#include "guard/signals.h"
#include "listing/chosen.h"
#include "record/version.h"
#include "spec/spec.h"
#include "store/calls.h"
#include "transform/transform.h"

struct plan_part {
    struct slice bounds; /* the source driver's; empty for a listed partition */
    uint64_t records;    /* listed: exact; else as counted by the duplicates pass, or the driver's estimate */
    uint64_t superseded; /* states of a key that another state supersedes: its keys are skewed */
    uint32_t stage;
    uint32_t turn;                /* 1 + the partition in whose place it is granted; 0: its own */
    double size, skewed, refused; /* plan/risk.c: the figures … */
    double risk;                  /* … and what comes of them: 1 is a partition like any other */
    /* plan/order.c: of a sample, where a stage asks for it. */
    bool heated;
    struct version version; /* the median of its records' versions; of kind NONE: there is none */
    double heat;            /* the mean of what the store says of its keys: the more, the hotter */
};

/* A stage as it is frozen. A stage of the default ones that would hold no partition is not there. */
struct plan_stage {
    enum spec_order order;      /* as it was dealt; not frozen */
    const char *name, *approve; /* approve: a user or group; NULL: no one is asked */
    int64_t soak_ms;
    struct spec_sure sure; /* what a sample must prove; confidence 0: verified in full */
    uint64_t parts, records;
};

/* The limit of a signal of the user's own. */
struct plan_signal {
    char name[64];
    double limit;
};

/* The limits of the spec. `sluice set` overlays them. */
struct plan_limits {
    double errors, rejects, kept_live; /* shares */
    double rate_max_per_s;             /* 0: none */
    struct spec_live live;
    uint32_t workers;
    bool topology_halts;
    bool back_urgent;         /* nothing holds back what is taken back; a plan never says so, `rollback --pace` does */
    uint32_t priority;        /* 0 … 9: those of a higher one go first */
    struct money_rates rates; /* what a record costs */
    struct money_within complete; /* how much is to be done how long after the run began; all zero: nothing */
    int64_t source_until_ms;      /* until when the source can be read, wall time; 0: for ever */
    int64_t skew_ms; /* that the servers' clocks may be from ours before the run is halted; 0: nobody asks */
    struct spec_budget budget;
    double guards[GUARD_COUNT];       /* in the units of spec/guard_rows.h */
    uint32_t guards_given;            /* a set: those that were asked for */
    struct signals_forecast forecast; /* of the target's growth; known where a guard is to hold it against that */
    int64_t guards_hold_ms;
    struct plan_signal signals[SPEC_SIGNALS_MOST]; /* in the order of the spec */
    size_t n_signals;
};

/* What a plan for the refused records of another run says of them, or for those that a report of its verification
 * names. */
#define PLAN_GONE_NAMED 100
/* A stretch of time that a report's time buckets flag: what of the source is of it is run again. */
struct plan_bucket {
    const char *name;  /* of the buckets; NULL: it is none */
    const char *field; /* by which a record is of it: a path */
    int64_t from_us, to_us;
};
struct plan_retries {
    const char *run;
    const char *report;            /* the report that it repairs; NULL: it takes what the run refused */
    struct plan_bucket bucket;     /* of a repair: all that is of it, and no key by name */
    struct digest seen;            /* of a repair of keys: of the list of what the verification saw (listing/seen.h) */
    bool extra;                    /* of a repair: what the target has beyond the source, which is taken out */
    uint64_t rows;                 /* of its quarantine, or lines of the report that are repaired: all there were */
    uint8_t digest[32];            /* BLAKE2b-256 of them; of a report: of all of it */
    uint64_t asked;                /* keys, and places of what had no key */
    uint64_t gone;                 /* of them, what the files no longer hold; a keyed source tells when it is read */
    const char *const *gone_named; /* the first of them */
    size_t n_gone_named;
};

struct plan {
    struct arena *mem; /* owns everything below that is not a pointer to an opened thing */
    struct spec *spec;
    struct recipe *recipe;
    const char *home;
    uint8_t uid[16];
    int64_t planned_at_ms;
    struct plan_digests digests;
    struct slice text;       /* the JSON that is digested */
    struct slice tests_text; /* of the file that `transform.tests` names, green when it was planned; empty: none */
    uint8_t tests[32];       /* its digest; zero: none */
    uint8_t judge[32];       /* of the files of `verify.command`; zero: there is none */

    struct store *source, *target; /* held open by the plan, released by plan_free() */
    const struct store_driver *target_driver;
    struct store_registry *registry;
    struct dataset source_ds, target_ds;
    const char *target_name;       /* identity of the target dataset: store identity and dataset */
    struct digest source_identity; /* files: of all contents; zero otherwise */

    bool same_dataset; /* source and target are one: read it, fix it, write it back */
    bool listed;       /* partitions are listings (`listing_path`), read by key; else ranges that are scanned */
    bool sink;         /* the target is append-only */
    bool sealed;       /* what the run leaves in the home is: it has keys (plan/keyring.h) */
    enum spec_write write;
    enum spec_conflict conflict;

    const char *const *params;     /* as frozen, NAME=VALUE each, ends with NULL */
    const struct store_only *only; /* the part of the source that is meant; NULL: all, or given partitions of files */
    const char *only_said;   /* what matched and what did not: JSON, as `plan --json` shows it; NULL: all is meant */
    const char *scopes_said; /* the same of stages whose scope is a file of keys, by name; NULL: there is none */
    const char *supersedes;  /* the run that is taken back before this one writes; NULL: none */

    struct plan_retries *retries; /* only what that run refused, or did wrong, takes part; NULL: all of the source */
    struct seen_list *seen;       /* of a repair; NULL: it is none. Freed with the plan */
    bool removes; /* retries->extra: the target's dataset is the source, and what is read of it is taken out */

    uint32_t unwatched;                    /* a set of guards: nothing measures them there; not frozen */
    const char *target_topology;           /* as the store told it when the run was planned; NULL: it has none */
    struct plan_limits limits;             /* frozen: a rollback keeps them too */
    const struct environment *environment; /* plan/environment.h; NULL: it is in none */

    bool has_skips;
    const char *target_uri, *target_dir; /* as frozen: for a plan loaded by plan_load_target() */
    const char *listing_path;            /* NULL where not listed */
    const char *skip_path;               /* records that do not take part; NULL: none */
    struct plan_part *parts;
    size_t n_parts;
    const struct plan_stage *stages;
    size_t n_stages;
    const char *heat_figure; /* what struct plan_part's heat is; NULL: nobody asked */
    uint64_t n_listed;       /* keys that the run has to account for; 0 where only the scan tells */
    uint64_t duplicates;
};

/* The refused records of a run, or those that a report of its verification names; borrowed while it is planned. */
struct plan_retry {
    const char *run;
    const char *report;        /* NULL: the refused ones */
    struct plan_bucket bucket; /* of the report this stretch of time, instead of keys */
    bool extra;                /* of the report those that the source does not have, to be taken out of the target */
    const struct seen *seen;
    size_t n_seen;
    uint64_t rows;
    uint8_t digest[32];
    const struct slice *keys; /* sorted, without duplicates */
    size_t n_keys;
    const struct chosen_place *places; /* of those that had no key; sorted, without duplicates */
    size_t n_places;
};

/* What is to last from when a plan's stores are open until it is made, or given up. */
struct plan_around {
    bool (*begin)(void *self, const struct plan *plan, GError **error);
    void (*end)(void *self); /* also where it has not begun */
    void *self;
};

struct plan_config {
    const struct world *world;
    struct store_registry *registry;
    const char *home;
    void (*progress)(void *self, const char *what, uint64_t done, uint64_t of); /* NULL: none */
    void *progress_self;
    const atomic_bool *cancel;
    const char *supersedes;      /* plan_make: a run whose writes go before this one's come; NULL: none */
    const struct slice *deleted; /* the keys that it deleted, sorted: they will be there again */
    size_t n_deleted;
    const struct plan_retry *retry;   /* plan_make: only these records; NULL: all of the source */
    const struct plan_around *around; /* plan_make; NULL: nothing */
    bool look; /* opens both stores for reading only; a target that is not there yet stays closed (plan->target NULL) */
};

/* What a plan decides before it lists anything, and without a write: for `try` and `doctor`. It has no partitions and
 * no text, and opens its stores for reading whatever config->look says. */
bool plan_look(struct plan **ret, const struct plan_config *config, struct spec *spec /* taken over on success */,
               GError **error);

bool plan_make(struct plan **ret, const struct plan_config *config, struct spec *spec /* taken over on success */,
               GError **error);
/* Whether a guard is to hold the target's growth against a forecast that the plan does not have yet. */
bool plan_wants_forecast(const struct plan *plan);
/* From here on it is frozen with the plan, whose digest is another one. */
bool plan_put_forecast(struct plan *plan, uint64_t keys, uint64_t bytes, GError **error);

bool plan_load(struct plan **ret, const struct plan_config *config, struct catalog *catalog, const struct run_row *run,
               GError **error);
/* Only what a rollback needs: the target and what names the run. Neither spec nor source need be there any more. */
bool plan_load_target(struct plan **ret, const struct plan_config *config, struct catalog *catalog,
                      const struct run_row *run, GError **error);
void plan_free(struct plan *plan);
/* Removes the listing files of a plan that never became a run. */
void plan_discard(const struct plan *plan, const struct world *world);
AUTO_DEFINE(plan, plan_free)

/* What the run's frozen plan found: source and target are the same dataset; the target is append-only; it writes a
 * shadow. */
struct plan_was {
    bool same_dataset, sink, shadow;
};
bool plan_was_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_was *ret,
                   GError **error);

/* Whether a store of its frozen plan has servers that others use, whose requests could become slower. */
bool plan_felt_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, bool *ret, GError **error);

/* The run that this one supersedes, by its frozen plan, in `mem`; *ret NULL: none. */
bool plan_supersedes_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, const char **ret,
                          GError **error);

/* Where a shadow is to be written: REFUSED or NOT_PERMITTED, by name, where the target could lose records of it by
 * itself, or lets us write none. */
bool plan_shadow_stays(const struct plan *plan, GError **error);
/* The dataset that the run's stages write and that their gates verify: the target, of a shadow with it over. */
struct dataset plan_written_ds(const struct plan *plan);
/* Whether it can only be taken back as a whole, not stage by stage. */
bool plan_is_one_piece(const struct plan *plan);

/* How long what the run leaves is kept, and the URI of its source, in `mem`. */
bool plan_retain_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct spec_retain *ret,
                      GError **error);
bool plan_source_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, const char **ret,
                      GError **error);

/* Whose refused records the run retries, in `mem`; *ret NULL: nobody's. */
bool plan_retries_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_retries **ret,
                       GError **error);

/* Names what is gone, as long as the list of the run's records stands in the home. io NULL: nothing to do. */
bool plan_retries_name(struct plan_retries *io, const struct world *world, const char *home, const uint8_t uid[16],
                       struct arena *mem, GError **error);

/* The digests by which `run SPEC` finds an unfinished run, without planning. */
bool plan_digests_of(struct plan_digests *ret, const struct spec *spec, const struct recipe *recipe, GError **error);

/* How a record of the source becomes what is wanted: what is borrowed lives as long as plan and `run`. */
struct transform_config plan_transform(const struct plan *plan, const char *run);
/* The frozen stages and who may do what, without opening anything: for approvals. In `mem`. */
struct plan_rights {
    const struct plan_stage *stages;
    size_t n_stages;
    struct spec_may may[SPEC_MAY_COUNT];
    const struct environment *environment; /* NULL: it is in none */
};
bool plan_rights_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_rights *ret,
                      GError **error);

/* What `planned` adds to the ledger: an object, or NULL where there is nothing to add. The caller's. */
json_t *plan_said_json(const struct plan *plan);
/* The store that is read: the spec's source, or, of a run that takes records out, its target. */
const char *plan_source_uri(const struct plan *plan);
/* What a run was asked to do beside its spec, as its frozen plan says it: an object with `only` (what `source.only`
 * matched), `after` (the specs it waits for), `params` (values by name) and `retries` (whose refused records it
 * takes), where there are any. The caller's. */
bool plan_said_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, json_t **ret,
                    GError **error);
/* Who is told of what, as frozen. In `mem`. */
struct plan_hooks {
    const struct spec_hook *hooks;
    size_t n;
    const char *base_dir; /* of the spec: where programs run */
};
bool plan_hooks_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_hooks *ret,
                     GError **error);

bool plan_limits_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_limits *ret,
                      GError **error);

/* Opens the store a spec names, secrets expanded. */
bool plan_store_open(struct store **ret, const struct plan_config *config, const char *uri, const char *base_dir,
                     bool read_only, GError **error);
