/* What costs much to find out, remembered as long as nothing has changed. Internal to metrics/. */
#pragma once

#include "metrics/metrics.h"

struct metrics_memory;
struct metrics_memory *metrics_memory_new(void);
void metrics_memory_free(struct metrics_memory *memory);

/* Rows of the run's quarantine by class (a GHashTable of names to numbers), borrowed; NULL: it cannot be read, or its
 * key cannot be had. */
GHashTable *metrics_memory_rejected(struct metrics_source *source, const struct run_row *run);
/* The ledger's entries, and the share of them whose chain holds. */
bool metrics_memory_audit(struct metrics_source *source, uint64_t *ret_entries, double *ret_share, GError **error);
