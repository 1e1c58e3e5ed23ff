#include "run/watchdog.h"

#include "base/units.h"
#include "run/outlook.h"

static const char *const WORDS[WATCHDOG_KINDS] = {
    [WATCHDOG_FINE] = "fine", [WATCHDOG_PAUSED] = "paused", [WATCHDOG_SLOW] = "slow", [WATCHDOG_STUCK] = "stuck"};

const char *watchdog_word(enum watchdog_kind kind)
{
    g_assert((size_t)kind < WATCHDOG_KINDS);
    return WORDS[kind];
}

/* States in which a run that is held makes checkpoints. */
static bool writes(enum run_state state)
{
    return state == RUN_RUNNING || state == RUN_PROMOTING || state == RUN_ROLLING_BACK;
}

/* … and in which its guards are looked at. */
static bool looks(enum run_state state)
{
    return state == RUN_RUNNING || state == RUN_PROMOTING || state == RUN_VERIFYING;
}

/* … and in which it waits, where a reading is beyond its limit, until that is over or has held. */
static bool is_to_begin(enum run_state state)
{
    return state == RUN_PLANNED || state == RUN_INTERRUPTED;
}

bool watchdog_sees(const struct watchdog_seen *seen)
{
    return seen->held && seen->sight->at_ms > 0 && seen->now_ms - seen->sight->at_ms <= WATCHDOG_BLIND_MS;
}

static struct watchdog stuck(int64_t since_ms, const char *words)
{
    return (struct watchdog){.kind = WATCHDOG_STUCK, .since_ms = since_ms, .words = words};
}

/* Since when it writes; 0: a record is counted, or it has only just begun. */
static int64_t begins_ms(const struct watchdog_seen *seen)
{
    const struct run_row *run = seen->run;
    bool begins = seen->held && run->state == RUN_RUNNING && run_accounted(run) == 0;
    return begins && seen->now_ms - run->state_ms >= WATCHDOG_BEGINS_MS ? run->state_ms : 0;
}

struct watchdog watchdog_look(const struct watchdog_seen *seen)
{
    const struct run_row *run = seen->run;
    const struct watchdog fine = {.kind = WATCHDOG_FINE, .begins_ms = begins_ms(seen)};
    if (run->state == RUN_PAUSED)
        return (struct watchdog){.kind = WATCHDOG_PAUSED, .by = seen->pauser, .since_ms = run->state_ms};
    const char *guard = watchdog_sees(seen) ? seen->sight->slowed_by : NULL;
    if (guard && is_to_begin(run->state))
        return (struct watchdog){.kind = WATCHDOG_SLOW, .by = guard};
    if (!seen->held || !(writes(run->state) || looks(run->state)))
        return fine;
    if (looks(run->state) && seen->sight->at_ms > 0 && !watchdog_sees(seen))
        return stuck(seen->sight->at_ms, "its process has looked at nothing since; it, or its machine, stands still");
    const char *slow_by = guard ? guard : seen->limited_by;
    if (slow_by)
        return (struct watchdog){.kind = WATCHDOG_SLOW, .by = slow_by, .begins_ms = begins_ms(seen)};
    int64_t moved_ms = MAX(run->updated_ms, run->state_ms);
    if (writes(run->state) && seen->now_ms - moved_ms > WATCHDOG_STILL_MS)
        return stuck(moved_ms, "nothing has been checkpointed since, and nothing that is watched says why");
    return fine;
}

char *watchdog_beginning(const struct watchdog *watchdog)
{
    char time[UNITS_TEXT];
    if (!watchdog->begins_ms)
        return NULL;
    return g_strdup_printf("nothing is checkpointed yet since %s: it measures and samples what it will be judged by, "
                           "opens its lanes, and writes a first batch",
                           units_time(watchdog->begins_ms, time));
}

char *watchdog_text(const struct watchdog *watchdog)
{
    char time[UNITS_TEXT];
    g_autofree char *begins = watchdog_beginning(watchdog);
    g_autofree char *since =
        watchdog->since_ms ? g_strdup_printf(" since %s", units_time(watchdog->since_ms, time)) : g_strdup("");
    switch (watchdog->kind) {
    case WATCHDOG_PAUSED:
        return g_strdup_printf("paused by %s%s", watchdog->by, since);
    case WATCHDOG_SLOW:
        return g_strdup_printf("slow because of %s%s%s", watchdog->by, begins ? "; " : "", begins ? begins : "");
    case WATCHDOG_STUCK:
        return g_strdup_printf("stuck%s: %s", since, watchdog->words);
    case WATCHDOG_FINE:
    case WATCHDOG_KINDS:
        break;
    }
    return g_steal_pointer(&begins);
}
