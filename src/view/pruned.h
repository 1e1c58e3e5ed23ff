/* What `prune` removed or would remove, as JSON: `prune --json`. */
#pragma once

#include <jansson.h>

#include "run/prune.h"

json_t *pruned_json(const struct prune_result *result, bool dry_run);
/* The items alone. */
json_t *pruned_items_json(const struct prune_result *result);
