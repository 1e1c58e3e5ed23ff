/* The refused records of a run, and who has taken them once more. */
#pragma once

#include "quarantine/quarantine.h"
#include "run/run.h"

struct refused {
    struct run_row run, by; /* by.id == 0: nobody has retried what `run` refused */
    struct quarantine_reader *reader;
};
/* The run that `name` names and its quarantine; REFUSED where that has expired. `number` NULL: all rows. */
bool refused_find(struct catalog *catalog, const char *name, struct arena *mem, struct refused *ret, GError **error);
bool refused_open(struct refused *io, const struct world *world, const char *home, const uint64_t *number,
                  GError **error);
void refused_done(struct refused *refused);

/* The row as it stands in the file, which is a JSON object, with its type and who has retried it: a document of
 * `quarantine --json`, without a newline. */
void refused_put(GString *into, const struct refused *refused, const struct quarantine_entry *entry);
