/* What a run was made from, word for word: its spec, contract and transform as they were read, kept in the home when
 * the run is made (HOME/texts/UID.json, docs/formats/home.md). The plan holds their digests; these are for people, who
 * ask what the difference was. Nothing is run from here. */
#pragma once

#include "plan/plan.h"

/* Written aside, fsync, rename, before the run is in the catalog: every run that is there has them. */
bool plan_texts_keep_durable(const struct plan *plan, GError **error) must_use;

struct plan_text {
    const char *what; /* spec, contract, transform, tests */
    const char *name; /* the path as it was given */
    struct slice text;
};

struct plan_texts {
    struct plan_text *texts; /* in the order in which they were read; n == 0: none were kept (of an older sluice) */
    size_t n;
};
/* In `mem`. CORRUPT: what is there cannot be read. */
bool plan_texts_read(const struct plan_config *config, const struct run_row *run, struct arena *mem,
                     struct plan_texts *ret, GError **error) must_use;

/* The spec as the run was made from it, with the params that were given then, whatever the file says by now; the
 * caller frees. NOT_FOUND: the home has kept no copy. */
bool plan_texts_spec(const struct plan_config *config, struct catalog *catalog, const struct run_row *run,
                     struct spec **ret, GError **error) must_use;
