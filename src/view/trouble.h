/* Partitions of a run in which something went wrong, and how fast one of them goes. */
#pragma once

#include <jansson.h>

#include "catalog/pages.h"

/* The worst first, as docs/api.md has them (`…/troubles`). `stages`: of the run. */
struct trouble_wish {
    const struct run_row *run;
    const struct stage_row *stages;
    size_t n_stages, most;
};
bool trouble_json(struct catalog *catalog, const struct trouble_wish *wish, struct arena *mem, json_t **ret,
                  GError **error);

/* Adds `checkpointed_at` and `records_per_s`, while a worker was at it, to what is shown of a partition; null where
 * they are not known. */
void trouble_put_times(json_t *shown, const struct part_times *times);
