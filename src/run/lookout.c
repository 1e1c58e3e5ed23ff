#include "run/lookout.h"

#include "base/lock.h"
#include "base/units.h"

static const char *const CAUSES[LAG_CAUSE_COUNT] = {
#define ROW(symbol, word, words) [LAG_##symbol] = word,
#include "run/lag_rows.h"
#undef ROW
};

const char *lag_cause_word(enum lag_cause cause)
{
    return CAUSES[cause];
}

/* --- what is done ------------------------------------------------------------------------------------------------- */

void lookout_init(struct lookout *lookout)
{
    pthread_mutex_init(&lookout->lock, NULL);
    lookout->at_work = g_ptr_array_new();
}

void lookout_done(struct lookout *lookout)
{
    g_assert(lookout->at_work->len == 0);
    g_ptr_array_unref(lookout->at_work);
    pthread_mutex_destroy(&lookout->lock);
}

void lookout_begin(struct lookout *lookout)
{
    auto_hold(&lookout->lock);
    lookout->ended = (struct lookout_part){0};
}

/* One that is at work still, or has been until now. */
static void add(struct lookout_part *to, const struct lookout_part *part, int64_t now_us)
{
    to->done += part->done;
    to->retried += part->retried;
    to->refused += part->refused;
    to->bytes += part->bytes;
    to->again_us += part->again_us;
    to->wait_us += part->wait_us;
    to->work_us += now_us - part->began_us;
    for (size_t i = 0; i < G_N_ELEMENTS(to->step_us); i++)
        to->step_us[i] += part->step_us[i];
}

static void end(struct lookout *lookout, struct lookout_part *mine, int64_t now_us)
{
    if (g_ptr_array_remove(lookout->at_work, mine))
        add(&lookout->ended, mine, now_us);
    *mine = (struct lookout_part){0};
}

void lookout_take(struct lookout *lookout, struct lookout_part *mine, const struct grant *grant, int64_t now_us)
{
    auto_hold(&lookout->lock);
    end(lookout, mine, now_us);
    if (grant->part.part == UINT32_MAX)
        return;
    mine->part = grant->part.part;
    mine->left = grant->part.records - MIN(grant->index, grant->part.records);
    mine->began_us = now_us;
    g_ptr_array_add(lookout->at_work, mine);
}

void lookout_end(struct lookout *lookout, struct lookout_part *mine, int64_t now_us)
{
    auto_hold(&lookout->lock);
    end(lookout, mine, now_us);
}

void lookout_step(struct lookout *lookout, struct lookout_part *mine, size_t step, int64_t now_us)
{
    auto_hold(&lookout->lock);
    mine->step = step;
    mine->step_began_us = now_us;
    mine->step_wait_us = 0;
}

void lookout_stepped(struct lookout *lookout, struct lookout_part *mine, size_t step, int64_t us)
{
    auto_hold(&lookout->lock);
    mine->step_us[step] += us;
    mine->step_began_us = 0;
}

void lookout_waited(struct lookout *lookout, struct lookout_part *mine, int64_t us)
{
    auto_hold(&lookout->lock);
    mine->wait_us += us;
    mine->step_wait_us += us;
}

void lookout_error(struct lookout *lookout, struct lookout_part *mine, const GError *error)
{
    auto_hold(&lookout->lock);
    mine->errors++;
    g_strlcpy(mine->said, error->message, sizeof mine->said);
}

void lookout_again(struct lookout *lookout, struct lookout_part *mine, int64_t us)
{
    auto_hold(&lookout->lock);
    mine->again_us += us;
}

void lookout_checkpoint(struct lookout *lookout, struct lookout_part *mine, const struct checkpoint *row,
                        int64_t now_us)
{
    auto_hold(&lookout->lock);
    mine->checkpoint_us = now_us;
    mine->done += tally_sum(&row->tally, OUTCOME_KIND_LISTED) + tally_sum(&row->tally, OUTCOME_KIND_BACK) +
                  tally_sum(&row->tally, OUTCOME_KIND_PROMOTED);
    mine->retried += row->tally.of[OUTCOME_RETRIED];
    mine->refused += row->tally.of[OUTCOME_REJECTED];
    mine->bytes += row->bytes_read + row->bytes_written;
}

/* --- why ---------------------------------------------------------------------------------------------------------- */

struct lagging {
    const struct lookout_part *part, *others;
    int64_t work_us;
};

/* What the steps are for. */
static const enum lag_cause STEP_OF[OP_KIND_COUNT + 1] = {
    [OP_GRANT] = LAG_HOME,
    [OP_LANE_OPEN] = LAG_TARGET,
    [OP_TAIL] = LAG_HOME,
    [OP_CUT] = LAG_HOME,
    [OP_OPEN] = LAG_SOURCE,
    [OP_SCAN] = LAG_SOURCE,
    [OP_STANDS] = LAG_TARGET,
    [OP_READ] = LAG_TARGET,
    [OP_LOOK] = LAG_SOURCE,
    [OP_LOG] = LAG_HOME,
    [OP_CAS] = LAG_TARGET,
    [OP_FENCE] = LAG_TARGET,
    [OP_OUTCOME] = LAG_HOME,
    [OP_REFUSE] = LAG_HOME,
    [OP_SINK] = LAG_TARGET,
    [OP_SETTLE] = LAG_TARGET,
    [OP_SYNC] = LAG_HOME,
    [OP_CHECKPOINT] = LAG_HOME,
    [OP_PUBLISH] = LAG_TARGET,
    [OP_WAIT] = LAG_ERRORS,
    [OP_IDLE] = LAG_UNKNOWN,
    [OP_END] = LAG_UNKNOWN,
    [OP_KIND_COUNT] = LAG_TRANSFORM,
};

static double share(uint64_t n, uint64_t of)
{
    return of ? (double)n / (double)of : 0;
}

static int64_t us_of(const struct lookout_part *part, enum lag_cause cause)
{
    int64_t us = cause == LAG_ERRORS ? part->again_us : cause == LAG_WAITING ? part->wait_us : 0;
    for (size_t i = 0; i < G_N_ELEMENTS(STEP_OF); i++)
        us += STEP_OF[i] == cause ? part->step_us[i] : 0;
    return us;
}

/* Of one record; of a partition that has come to no checkpoint yet: of all that it has done. */
static double us_a_record(const struct lookout_part *part, enum lag_cause cause)
{
    return (double)us_of(part, cause) / (double)MAX(part->done, 1);
}

static bool by_errors(const struct lagging *of)
{
    return of->part->errors > 0 && us_of(of->part, LAG_ERRORS) * 5 >= of->work_us;
}

static bool by_contention(const struct lagging *of)
{
    return share(of->part->retried, of->part->done) >= 0.1;
}

static bool by_refusals(const struct lagging *of)
{
    double mine = share(of->part->refused, of->part->done), theirs = share(of->others->refused, of->others->done);
    return mine >= 0.1 && mine >= 2 * theirs;
}

static bool by_size(const struct lagging *of)
{
    double theirs = share(of->others->bytes, of->others->done);
    return theirs > 0 && share(of->part->bytes, of->part->done) >= 2 * theirs;
}

static double excess_of(const struct lagging *of, enum lag_cause cause)
{
    return us_a_record(of->part, cause) - us_a_record(of->others, cause);
}

/* That of which a record of this partition takes most longer than one of the others. */
static enum lag_cause most_time(const struct lagging *of)
{
    enum lag_cause most = LAG_UNKNOWN;
    double longest = 0;
    for (enum lag_cause cause = LAG_SOURCE; cause < LAG_UNKNOWN; cause++)
        if (excess_of(of, cause) > longest) {
            longest = excess_of(of, cause);
            most = cause;
        }
    return most;
}

static char *say_errors(const struct lagging *of, enum lag_cause cause)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT " calls failed and were tried again: %s", of->part->errors,
                           of->part->said);
}

static char *say_contention(const struct lagging *of, enum lag_cause cause)
{
    return g_strdup_printf("keys change under it: %.0f %% of its writes were tried again",
                           100 * share(of->part->retried, of->part->done));
}

static char *say_refusals(const struct lagging *of, enum lag_cause cause)
{
    return g_strdup_printf("%.0f %% of its records are refused", 100 * share(of->part->refused, of->part->done));
}

static char *say_size(const struct lagging *of, enum lag_cause cause)
{
    char mine[UNITS_TEXT], theirs[UNITS_TEXT];
    return g_strdup_printf("its records have %s each, the others' %s",
                           units_bytes(of->part->bytes / MAX(of->part->done, 1), mine),
                           units_bytes(of->others->bytes / MAX(of->others->done, 1), theirs));
}

static char *say_time(const struct lagging *of, enum lag_cause cause)
{
    static const char *const WHAT[LAG_CAUSE_COUNT] = {[LAG_SOURCE] = "its source takes",
                                                      [LAG_TARGET] = "its target takes",
                                                      [LAG_TRANSFORM] = "the transform takes",
                                                      [LAG_HOME] = "the home takes",
                                                      [LAG_WAITING] = "it waits"};
    return g_strdup_printf("%s %.2f ms a record, of the others %.2f", WHAT[cause], us_a_record(of->part, cause) / 1000,
                           us_a_record(of->others, cause) / 1000);
}

static char *say_nothing(const struct lagging *of, enum lag_cause cause)
{
    return g_strdup("nothing that sluice knows of");
}

static const struct {
    bool (*shown)(const struct lagging *); /* NULL: where none above can be shown, what takes most time */
    char *(*say)(const struct lagging *, enum lag_cause);
} ROWS[LAG_CAUSE_COUNT] = {
    [LAG_ERRORS] = {by_errors, say_errors},
    [LAG_CONTENDED] = {by_contention, say_contention},
    [LAG_REFUSED] = {by_refusals, say_refusals},
    [LAG_LARGE] = {by_size, say_size},
    [LAG_SOURCE] = {NULL, say_time},
    [LAG_TARGET] = {NULL, say_time},
    [LAG_TRANSFORM] = {NULL, say_time},
    [LAG_HOME] = {NULL, say_time},
    [LAG_WAITING] = {NULL, say_time},
    [LAG_UNKNOWN] = {NULL, say_nothing},
};

static enum lag_cause cause_of(const struct lagging *of)
{
    for (enum lag_cause cause = 0; ROWS[cause].shown; cause++)
        if (ROWS[cause].shown(of))
            return cause;
    return most_time(of);
}

/* --- which -------------------------------------------------------------------------------------------------------- */

void lag_done(struct lag *lag)
{
    g_clear_pointer(&lag->words, g_free);
}

static double pace(uint64_t done, int64_t work_us)
{
    return work_us > 0 ? (double)done * 1e6 / (double)work_us : 0;
}

bool lag_of(const struct lookout_part *part, const struct lookout_part *others, int64_t now_us, struct lag *ret)
{
    struct lookout_part now = *part; /* with the step that has not ended */
    if (part->step_began_us)
        now.step_us[part->step] += MAX(now_us - part->step_began_us - part->step_wait_us, 0);
    struct lagging of = {.part = &now, .others = others, .work_us = now_us - part->began_us};
    int64_t still_us = now_us - MAX(part->began_us, part->checkpoint_us);
    struct lag lag = {.part = part->part,
                      .left = part->left - MIN(part->done, part->left),
                      .per_s = pace(part->done, of.work_us),
                      .others_per_s = pace(others->done, others->work_us),
                      .still_ms = still_us / 1000};
    bool slow = of.work_us >= LOOKOUT_WORK_US && lag.per_s * 2 < lag.others_per_s;
    if (!slow && still_us < LOOKOUT_STILL_US)
        return false;
    lag.cause = cause_of(&of);
    lag.words = ROWS[lag.cause].say(&of, lag.cause);
    *ret = lag;
    return true;
}

static int by_part(const void *a, const void *b)
{
    const struct lag *x = a, *y = b;
    return (x->part > y->part) - (x->part < y->part);
}

GArray *lookout_lags(struct lookout *lookout, int64_t now_us)
{
    GArray *lags = g_array_new(FALSE, TRUE, sizeof(struct lag));
    g_array_set_clear_func(lags, (GDestroyNotify)lag_done);
    auto_hold(&lookout->lock);
    for (guint i = 0; i < lookout->at_work->len; i++) {
        struct lookout_part others = lookout->ended;
        struct lag lag;
        for (guint k = 0; k < lookout->at_work->len; k++)
            if (k != i)
                add(&others, lookout->at_work->pdata[k], now_us);
        if (lag_of(lookout->at_work->pdata[i], &others, now_us, &lag))
            g_array_append_val(lags, lag);
    }
    g_array_sort(lags, by_part);
    return lags;
}
