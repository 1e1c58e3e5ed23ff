#include "run/outlook.h"

#include <glib.h>

static bool is_back(const struct run_row *run)
{
    for (int i = 0; i < PART_STATE_COUNT; i++)
        if (run->back_parts[i])
            return true;
    return false;
}

uint64_t run_accounted(const struct run_row *run)
{
    if (is_back(run))
        return tally_sum(&run->tally, OUTCOME_KIND_BACK);
    return tally_sum(&run->tally, run->state == RUN_PROMOTING ? OUTCOME_KIND_PROMOTED : OUTCOME_KIND_LISTED);
}

/* By the clock of its work, which nobody sets. */
static double rate_of(const struct run_row *run)
{
    double seconds = (double)run->worked_ms / 1000;
    bool moves = run->state == RUN_RUNNING && !is_back(run);
    return moves && seconds > 0 ? (double)run_accounted(run) / seconds : 0;
}

struct run_outlook run_outlook(const struct run_row *run)
{
    uint64_t done = run_accounted(run), of = run->tally.of[OUTCOME_LISTED_];
    struct run_outlook outlook = {.records_per_s = rate_of(run), .eta_s = -1};
    if (of > 0 && done * 100 >= of && outlook.records_per_s > 0)
        outlook.eta_s = (int64_t)((double)(of - MIN(done, of)) / outlook.records_per_s);
    return outlook;
}
