/* Fixtures made of records: what `try -o FILE` adds to a file, and whose keys `--keys-from RUN` takes. */
#pragma once

#include "cli/cli.h"
#include "run/try.h"

#define HARVEST_DEFAULT 20 /* records of a run, where --sample says nothing */

/* The keys of what the run refused, then of what its newest verification found different; at most `most` of them, in
 * `mem`. NOT_FOUND where there is none. */
bool harvest_keys(struct cli *cli, uint64_t most, GArray *into, struct arena *mem, GError **error);

struct harvest;
bool harvest_new(struct harvest **ret, struct cli *cli, const struct plan *plan, GError **error);
void harvest_free(struct harvest *harvest);
bool harvest_record(struct harvest *harvest, const struct try_record *record, GError **error);
/* Adds what the file does not have yet, and puts it in place whole (fsync, rename). Refuses, and writes nothing, where
 * a field that was to be masked was never met. */
bool harvest_write(struct harvest *harvest, GError **error);
void harvest_tell(const struct harvest *harvest);
