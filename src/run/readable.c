#include "run/readable.h"

#include "base/units.h"

#define LEARNED 0.01

static bool needs_source(const struct run_row *run)
{
    return !run_state_over(run->state) && run->state != RUN_ROLLING_BACK && run->state != RUN_PROMOTING &&
           run->back_stage == UINT32_MAX;
}

static bool is_at_work(enum run_state state)
{
    return state == RUN_RUNNING || state == RUN_VERIFYING;
}

/* Of all that is read: once to be written, once to be verified. */
static double share_read(const struct run_row *run)
{
    uint64_t parts = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        parts += run->parts[i];
    double done = (double)tally_sum(&run->tally, OUTCOME_KIND_LISTED), all = (double)run->tally.of[OUTCOME_LISTED_];
    double written = all > 0 ? done / all : 1, verified = parts ? (double)run->parts[PART_VERIFIED] / (double)parts : 1;
    return (MIN(written, 1) + verified) / 2;
}

/* As fast as from its beginning until it last moved. */
struct readable readable_of(const struct run_row *run, int64_t until_ms, int64_t now_ms)
{
    double read = share_read(run);
    if (!until_ms || !needs_source(run) || read >= 1)
        return (struct readable){0};
    bool stands = !is_at_work(run->state);
    struct readable readable = {
        .until_ms = until_ms, .passed = now_ms >= until_ms, .known = read >= LEARNED, .stands = stands};
    int64_t worked_ms = MAX((stands ? MIN(run->updated_ms, now_ms) : now_ms) - run->started_ms, run->worked_ms);
    int64_t left_ms = readable.known ? (int64_t)((double)worked_ms * (1 - read) / read) : 0;
    readable.there_ms = now_ms + left_ms;
    readable.go_on_ms = until_ms - left_ms;
    readable.late = readable.passed || readable.there_ms > until_ms;
    return readable;
}

char *readable_words(const struct readable *readable)
{
    char until[UNITS_TEXT], there[UNITS_TEXT], go_on[UNITS_TEXT];
    units_time(readable->until_ms, until);
    units_time(readable->there_ms, there);
    if (readable->passed)
        return g_strdup_printf("could be read until %s, which has passed", until);
    if (!readable->known)
        return g_strdup_printf("can be read until %s: too little is done to say when the run is through with it",
                               until);
    if (readable->stands && !readable->late)
        return g_strdup_printf("can be read until %s: the run has to go on by %s to be through with it by then", until,
                               units_time(readable->go_on_ms, go_on));
    return g_strdup_printf("can be read until %s: %s the run is through with it by %s, which is %s", until,
                           readable->stands ? "going on now" : "at the pace so far", there,
                           readable->late ? "too late" : "in time");
}

/* As the run stands once it waits. */
char *readable_pause_words(const struct run_row *run, int64_t until_ms, int64_t now_ms, int64_t goes_on_ms)
{
    struct run_row waiting = *run;
    waiting.state = RUN_WAITING;
    waiting.updated_ms = is_at_work(run->state) ? now_ms : run->updated_ms;
    struct readable readable = readable_of(&waiting, until_ms, now_ms);
    if (!readable.until_ms || (goes_on_ms && goes_on_ms < until_ms && goes_on_ms <= readable.go_on_ms))
        return g_strdup("");
    g_autofree char *words = readable_words(&readable);
    bool outlived = goes_on_ms >= until_ms, known = goes_on_ms && !readable.passed;
    return g_strdup_printf("; its source %s%s", words,
                           !known     ? ""
                           : outlived ? ", and it waits for longer than that"
                                      : ", and it waits until later");
}
