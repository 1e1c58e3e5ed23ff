#include "run/outlay.h"

#include <math.h>

#include "base/units.h"

#define LEARNED 0.01 /* of the records */

uint64_t outlay_cost_of(const struct tally *tally, uint64_t bytes_read, uint64_t bytes_written,
                        const struct money_rates *rates)
{
    double writes = (double)tally->of[OUTCOME_WRITTEN] + (double)tally->of[OUTCOME_DELETED];
    return (uint64_t)ceil((double)tally->of[OUTCOME_READ] * rates->read + writes * rates->write +
                          (double)bytes_read * rates->byte_read + (double)bytes_written * rates->byte_written);
}

uint64_t outlay_back(const struct tally *tally, const struct money_rates *rates)
{
    double looked = (double)tally_sum(tally, OUTCOME_KIND_BACK), restored = (double)tally->of[OUTCOME_RESTORED];
    return (uint64_t)ceil(looked * rates->back_read + restored * rates->back_write);
}

uint64_t outlay_cost(const struct run_row *run, const struct money_rates *rates)
{
    return outlay_cost_of(&run->tally, run->bytes_read, run->bytes_written, rates) + outlay_back(&run->tally, rates);
}

/* At the pace from its beginning to now. The wall clock may have been set back since: so long it has worked at least.
 */
static void forecast(struct outlay *io, const struct run_row *run, double done, double wanted, int64_t now_ms)
{
    double ms = (double)MAX(now_ms - run->started_ms, run->worked_ms);
    io->there = done >= wanted;
    io->there_ms = io->there ? MIN(run->updated_ms, now_ms) : now_ms + (int64_t)(ms * (wanted - done) / done);
    io->late = io->due_ms && io->there_ms > io->due_ms;
}

struct outlay outlay_of(const struct run_row *run, const struct money_rates *rates, const struct money_within *complete,
                        int64_t now_ms)
{
    double done = (double)tally_sum(&run->tally, OUTCOME_KIND_LISTED), all = (double)run->tally.of[OUTCOME_LISTED_];
    struct outlay outlook = {.known = done > 0 && done >= all * LEARNED,
                             .cost = outlay_cost(run, rates),
                             .due_ms = complete->ms ? run->started_ms + complete->ms : 0};
    if (!outlook.known)
        return outlook;
    uint64_t back = outlay_back(&run->tally, rates);
    outlook.in_all = (uint64_t)((double)(outlook.cost - back) * fmax(1, all / done)) + back;
    forecast(&outlook, run, done, ceil(complete->share * all), run_state_over(run->state) ? run->updated_ms : now_ms);
    return outlook;
}

char *outlay_words(const struct outlay *outlook, const struct money_within *complete)
{
    char due[UNITS_TEXT], there[UNITS_TEXT];
    units_time(outlook->due_ms, due);
    g_autofree char *wish = g_strdup_printf("%.4g %% by %s", complete->share * 100, due);
    if (!outlook->known)
        return g_strdup_printf("%s: too little is done to say", wish);
    units_time(outlook->there_ms, there);
    return g_strdup_printf("%s: %s %s, which %s", wish,
                           outlook->there ? "it was there by" : "at the pace so far it is there", there,
                           outlook->late ? "is too late" : "is in time");
}
