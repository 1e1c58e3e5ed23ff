/* How long what a run leaves is kept, and what has become of it since. Internal to run/, but for who shows it. */
#pragma once

#include "catalog/expiry.h"
#include "plan/plan.h"

/* When each of it may go, by the end of the run; 0: never. What is read beside undo log and quarantine (listing, notes,
 * samples, reports) never goes before them. */
struct retain_times {
    int64_t at_ms[EXPIRY_COUNT];
};
struct retain_times retain_times(const struct spec_retain *retain, int64_t over_ms);

struct retain_look {
    struct expiries expiries;
    struct retain_times times; /* all 0 while the run is not over */
};
bool retain_look(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct retain_look *ret,
                 GError **error);

/* REFUSED, naming the run, what has expired and when, once its removal has begun. */
bool retain_stands(struct catalog *catalog, const struct run_row *run, enum expiry_what what, GError **error);
