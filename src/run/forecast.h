/* What a run would do, told before it does anything: a sample goes the whole way without writing (run/try.h), and what
 * became of it is taken for what will become of all. */
#pragma once

#include <jansson.h>

#include "plan/plan.h"
#include "record/outcome.h"

struct run_config;

#define FORECAST_RECORDS 1000u

struct forecast {
    uint64_t sampled;               /* records; 0: the source is empty */
    bool spread;                    /* the sample comes from all over the source */
    uint64_t of[OUTCOME_COUNT];     /* of all keys, about; those that were listed alone */
    uint64_t bytes, undo_bytes;     /* to be written into the target, and into the undo log, about */
    uint64_t read_bytes;            /* of the source, once, about */
    uint64_t more_keys, more_bytes; /* that the target has afterwards, about; 0: no more, or less */
    /* At the rate of the newest run of the spec that came to an end, or the limit; 0: not known. */
    double records_per_s;
    int64_t seconds;       /* that writing takes, rounded up; < 0: not known */
    bool limited;          /* it is the limit: that long at least, soaks included, verification not */
    const char *rate_from; /* where the rate is from, in words */
};

/* `catalog` NULL: there is none yet. */
bool forecast_make(const struct run_config *config, const struct plan *plan, struct catalog *catalog,
                   struct forecast *ret, GError **error);

json_t *forecast_json(const struct forecast *forecast);

/* Whether a run would change anything: nothing is listed, or every listed key was sampled and nothing became of it. */
bool forecast_is_idle(const struct forecast *forecast, const struct plan *plan);
