/* Which earlier run the values of a verification are held against (`baseline` of the spec, verify/past.h), and what
 * its gates kept of theirs. Internal to run/. */
#pragma once

#include "run/run.h"
#include "verify/past.h"

struct earlier_wish {
    const struct world *world;
    const char *home;
    struct catalog *catalog; /* NULL: there is none yet, and no run */
    const struct spec *spec;
    const struct spec_baseline *asked; /* in place of the spec's; NULL: nobody asked */
    int64_t before;    /* this run; runs that were planned later are no baseline. INT64_MAX: all are earlier */
    const char *stage; /* the stage that is judged: the one of that name is asked first; NULL: all of the run */
};
/* *ret NULL: the spec wants none. One that cannot be had says why; false only where the catalog cannot be read. */
bool earlier_find(const struct earlier_wish *wish, struct past **ret, GError **error);
/* Before a run is planned: what the spec names is there. REFUSED, with why, where it is not. */
bool earlier_must(const struct run_config *config, struct catalog *catalog, const struct spec *spec, GError **error);

/* What a run's gate of this stage keeps; the caller frees. */
char *earlier_path(const char *home, const char *run, uint32_t stage);
