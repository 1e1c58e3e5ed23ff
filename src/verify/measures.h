/* Named figures (`measures`): of the target's dataset, by one walk, or asked outside; taken before a run writes and at
 * its last gate, and held against what they may become. Exact, as golden data is (verify/aggregate.h). One thread. */
#pragma once

#include <jansson.h>

#include "verify/aggregate.h"

/* A figure, or why there is none. */
struct measure_value {
    bool known;
    bson_decimal128_t number;
    char *fault; /* NULL: nobody has asked */
};

/* Of the measures of a spec, in their order. */
struct measures {
    const struct spec_measure *of;
    size_t n;
    struct measure_value *before, *forecast, *after; /* n each */
};
struct measures *measures_new(const struct spec *spec);
void measures_free(struct measures *measures);
AUTO_DEFINE(measures, measures_free)

/* What is outside is asked by whoever has the means. */
struct measures_wish {
    const struct verify_input *input; /* its target; its report_path says where there is room */
    bool (*ask)(void *self, const struct spec_measure *measure, const atomic_bool *cancel, double *ret, GError **error);
    void *self;
};
/* Into `into`, n of them. A figure that cannot be had has its fault; false only where the dataset cannot be read. */
bool measures_take(const struct measures *measures, const struct measures_wish *wish, struct measure_value *into,
                   GError **error);

/* Whether the figure is what it may become; *ret_why: where it is not, or cannot be told. The caller frees. Of `after`
 * alone where `before` was never taken. */
bool measures_hold(const struct measures *measures, size_t i, char **ret_why);
uint64_t measures_broken(const struct measures *measures);
/* "12 (before), 15 (forecast), 16"; what is not known is "?". The caller frees. */
char *measures_words(const struct measures *measures, size_t i);
/* [{name, before, forecast, after, holds, why}]: figures as texts, that no digit is lost. */
json_t *measures_json(const struct measures *measures);

/* {NAME: "12.5" or null}, and back: what the ledger has of a moment. */
json_t *measures_values_json(const struct measures *measures, const struct measure_value *values);
void measures_values_take(const struct measures *measures, const json_t *object, struct measure_value *into);
