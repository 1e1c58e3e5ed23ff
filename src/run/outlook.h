/* How fast a run goes, and how long it will take, from its totals. Pure. */
#pragma once

#include "catalog/catalog.h"

/* Records accounted for, on the way that the run is going: forwards, back, or being made live. */
uint64_t run_accounted(const struct run_row *run);

struct run_outlook {
    double records_per_s; /* of the time that its workers were at work; 0 where nothing moves */
    int64_t eta_s;        /* of such time, that is left; < 0: nothing can be said (less than 1 % is done) */
};
struct run_outlook run_outlook(const struct run_row *run);
