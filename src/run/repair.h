/* Repairing: a run for the records that a report of a verification names as differing or missing. It is a retry
 * (run/retry.h) in all but where its keys come from, and in what it may write over: a record that still is what the
 * verification saw (listing/seen.h), and nothing else. Internal to run/. */
#pragma once

#include "listing/seen.h"
#include "run/retry.h"

/* Fills io->plan from the report; io->old is the run that it is of. REFUSED where a run on its own source would apply a
 * transform twice; NOT_FOUND where nothing is to be repaired. */
bool repair_ask(struct retry *io, const struct run_config *config, const struct spec *spec, const struct plan_was *was,
                GError **error);

/* stretch.c: the one stretch that `asked` (NAME, or NAME@FROM) means among those that the time buckets of a report's
 * summary flag; texts in `mem`. NOT_FOUND: none; USAGE: several, which are named. */
bool stretch_find(const char *asked, struct slice summary, struct arena *mem, struct plan_bucket *ret, GError **error);
