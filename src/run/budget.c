#include "run/budget.h"

void budget_init(struct budget *budget)
{
    *budget = (struct budget){0};
    pthread_mutex_init(&budget->lock, NULL);
}

void budget_done(struct budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

struct spec_budget budget_used_by(const struct run_row *run)
{
    return (struct spec_budget){.records = run->tally.of[OUTCOME_WRITTEN] + run->tally.of[OUTCOME_DELETED],
                                .bytes = run->bytes_written,
                                .time_ms = run->worked_ms};
}

void budget_begin(struct budget *budget, const struct run_row *run, int64_t now_us)
{
    struct spec_budget used = budget_used_by(run);
    auto_hold(&budget->lock);
    budget->records = used.records;
    budget->bytes = used.bytes;
    budget->worked_ms = used.time_ms;
    budget->reserved_records = budget->reserved_bytes = 0;
    budget->since_us = now_us;
    budget->spent = false;
}

/* The lock is held. */
static int64_t uncounted_ms(const struct budget *budget, int64_t now_us)
{
    return budget->since_us ? (now_us - budget->since_us) / 1000 : 0;
}

/* The lock is held. What is below a millisecond stays for the next. */
static int64_t count_ms(struct budget *budget, int64_t now_us)
{
    int64_t ms = uncounted_ms(budget, now_us);
    budget->worked_ms += ms;
    budget->since_us += ms * 1000;
    return ms;
}

int64_t budget_worked_ms(struct budget *budget, int64_t now_us)
{
    auto_hold(&budget->lock);
    return count_ms(budget, now_us);
}

int64_t budget_end(struct budget *budget, int64_t now_us)
{
    auto_hold(&budget->lock);
    int64_t ms = count_ms(budget, now_us);
    budget->since_us = 0;
    return ms;
}

/* --- room --------------------------------------------------------------------------------------------------------- */

/* How much of `wish` there is, and what that means. */
static enum budget_answer room_for(uint64_t limit, uint64_t used, uint64_t reserved, size_t *io)
{
    if (limit == 0)
        return BUDGET_TAKEN;
    if (used >= limit)
        return BUDGET_SPENT;
    if (used + reserved >= limit)
        return BUDGET_LATER;
    *io = (size_t)MIN(*io, limit - used - reserved);
    return BUDGET_TAKEN;
}

enum budget_answer budget_take(struct budget *budget, const struct spec_budget *limit, int64_t now_us,
                               struct budget_room *io)
{
    auto_hold(&budget->lock);
    struct budget_room room = *io;
    enum budget_answer records = room_for(limit->records, budget->records, budget->reserved_records, &room.records);
    enum budget_answer bytes = room_for(limit->bytes, budget->bytes, budget->reserved_bytes, &room.bytes);
    bool late = limit->time_ms && budget->worked_ms + uncounted_ms(budget, now_us) >= limit->time_ms;
    budget->spent |= late || records == BUDGET_SPENT || bytes == BUDGET_SPENT;
    if (budget->spent)
        return BUDGET_SPENT;
    if (records == BUDGET_LATER || bytes == BUDGET_LATER)
        return BUDGET_LATER;
    budget->reserved_records += room.records;
    budget->reserved_bytes += room.bytes;
    *io = room;
    return BUDGET_TAKEN;
}

void budget_give(struct budget *budget, const struct budget_room *room, const struct budget_room *used)
{
    auto_hold(&budget->lock);
    budget->reserved_records -= MIN(room->records, budget->reserved_records);
    budget->reserved_bytes -= MIN(room->bytes, budget->reserved_bytes);
    if (!used)
        return;
    budget->records += used->records;
    budget->bytes += used->bytes;
}

bool budget_is_spent(struct budget *budget)
{
    auto_hold(&budget->lock);
    return budget->spent;
}

struct spec_budget budget_used(struct budget *budget, int64_t now_us)
{
    auto_hold(&budget->lock);
    return (struct spec_budget){.records = budget->records,
                                .bytes = budget->bytes,
                                .time_ms = budget->worked_ms + uncounted_ms(budget, now_us)};
}

/* --- in words ----------------------------------------------------------------------------------------------------- */

static const char *time_text(uint64_t ms, char *into)
{
    return units_duration((int64_t)ms, into);
}

static const struct {
    const char *key, *words;
    const char *(*text)(uint64_t value, char *into);
} KEYS[BUDGET_KEYS] = {
    {BUDGET_RECORDS, "records are written", units_count},
    {BUDGET_BYTES, "are written", units_bytes},
    {BUDGET_TIME, "are worked", time_text},
};

static void values_of(const struct spec_budget *budget, uint64_t ret[BUDGET_KEYS])
{
    ret[0] = budget->records;
    ret[1] = budget->bytes;
    ret[2] = (uint64_t)MAX(budget->time_ms, 0);
}

size_t budget_shares(const struct spec_budget *limit, const struct spec_budget *used,
                     struct budget_share ret[BUDGET_KEYS])
{
    uint64_t limits[BUDGET_KEYS], values[BUDGET_KEYS];
    size_t n = 0;
    values_of(limit, limits);
    values_of(used, values);
    for (size_t i = 0; i < BUDGET_KEYS; i++) {
        struct budget_share share = {.key = KEYS[i].key, .used = values[i], .limit = limits[i]};
        if (limits[i] == 0)
            continue;
        KEYS[i].text(values[i], share.use);
        KEYS[i].text(limits[i], share.most);
        share.words = g_strdup_printf("%s of %s %s", share.use, share.most, KEYS[i].words);
        ret[n++] = share;
    }
    return n;
}

void budget_shares_done(struct budget_share *shares, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g_clear_pointer(&shares[i].words, g_free);
}

const struct budget_share *budget_reached(const struct budget_share *shares, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (shares[i].used >= shares[i].limit)
            return &shares[i];
    return NULL;
}
