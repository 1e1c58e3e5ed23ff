#include "run/retain.h"

#include "record/datetime.h"

static int64_t later(int64_t over_ms, int64_t kept_ms)
{
    return kept_ms > INT64_MAX - over_ms ? INT64_MAX : over_ms + kept_ms;
}

struct retain_times retain_times(const struct spec_retain *retain, int64_t over_ms)
{
    const int64_t kept[EXPIRY_COUNT] = {[EXPIRY_UNDO] = retain->undo_ms,
                                        [EXPIRY_QUARANTINE] = retain->quarantine_ms,
                                        [EXPIRY_REPORTS] = retain->reports_ms};
    struct retain_times times = {0};
    int64_t last = 0;
    bool all = true;
    for (int i = 0; i < EXPIRY_COUNT; i++) {
        times.at_ms[i] = kept[i] && over_ms ? later(over_ms, kept[i]) : 0;
        last = MAX(last, times.at_ms[i]);
        all &= times.at_ms[i] != 0;
    }
    times.at_ms[EXPIRY_REPORTS] = all ? last : 0;
    return times;
}

bool retain_look(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct retain_look *ret,
                 GError **error)
{
    struct spec_retain retain;
    struct retain_look look = {0};
    if (!plan_retain_read(catalog, run, mem, &retain, error) ||
        !catalog_expiries(catalog, run->id, &look.expiries, error))
        return false;
    look.times = retain_times(&retain, look.expiries.over_ms);
    *ret = look;
    return true;
}

bool retain_stands(struct catalog *catalog, const struct run_row *run, enum expiry_what what, GError **error)
{
    struct expiries expiries;
    char when[DATETIME_TEXT];
    if (!catalog_expiries(catalog, run->id, &expiries, error))
        return false;
    return expiries.of[what].at_ms == 0 ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: %s expired, and `sluice prune` removed it on %s (`retain.%s` of its spec); what needs it is "
                     "not possible any more",
                     run->name, expiry_words(what), datetime_text(expiries.of[what].at_ms, when), expiry_word(what));
}
