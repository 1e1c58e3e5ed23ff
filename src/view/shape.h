/* The JSON shapes of command line and server: what other programs read. Fields may be added, never renamed. */
#pragma once

#include <jansson.h>

#include "run/outlay.h"
#include "run/readable.h"
#include "run/run.h"

json_t *
shape_text(const char *text); /* NULL: null; bytes that are not UTF-8 are replaced: JSON can hold nothing else */
json_t *shape_time(int64_t wall_ms);
json_t *shape_digest(const uint8_t digest[32]);
json_t *shape_key(struct slice key); /* a string, or {"base64": …} where it is not UTF-8 */
/* A field of an object that is being written as text - for documents, whose numbers jansson would not keep - with the
 * comma before it where one is needed; takes the value over. */
void shape_put(GString *object, const char *name, json_t *value);
json_t *shape_retries(const struct plan_retries *retries); /* NULL: null */
json_t *shape_stages(const struct stage_row *stages, size_t n);
/* Partitions that lag behind the others, and why. */
json_t *shape_stragglers(const struct straggler *stragglers, size_t n);
/* The same of one, in a line; the caller frees. */
char *shape_straggler_text(const struct straggler *straggler);
/* A run without its stages, and without what limits it: `status` adds them. */
json_t *shape_status(const struct run_row *run);
void shape_limit(json_t *status, const struct run_limit *limit);
/* What it costs and by when it is there: `cost` and `slo`, null where the spec has no prices, or no deadline. */
void shape_outlook(json_t *status, const struct outlay *outlook, const struct run_limit *limit);
/* Until when its source can be read; null where nobody said, or it is needed no longer. */
json_t *shape_readable(const struct readable *readable);
json_t *shape_cost(const struct money_rates *rates, uint64_t used, bool known, uint64_t in_all);
/* Each key of a budget, { "limit", <name> }; null where there is no limit. Time in seconds. */
json_t *shape_budget(const struct spec_budget *limit, const char *name, const struct spec_budget *value);
