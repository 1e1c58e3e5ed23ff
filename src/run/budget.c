#include "run/budget.h"

#include <math.h>

void budget_init(struct budget *budget)
{
    *budget = (struct budget){0};
    pthread_mutex_init(&budget->lock, NULL);
}

void budget_done(struct budget *budget)
{
    pthread_mutex_destroy(&budget->lock);
}

void budget_price(struct budget *budget, const struct money_rates *rates)
{
    auto_hold(&budget->lock);
    budget->rates = *rates;
}

struct spec_budget budget_used_by(const struct run_row *run, const struct money_rates *rates)
{
    return (struct spec_budget){.records = run->tally.of[OUTCOME_WRITTEN] + run->tally.of[OUTCOME_DELETED],
                                .bytes = run->bytes_written,
                                .time_ms = run->worked_ms,
                                .cost = outlay_cost_of(&run->tally, run->bytes_read, run->bytes_written, rates)};
}

void budget_begin(struct budget *budget, const struct run_row *run, int64_t now_us)
{
    auto_hold(&budget->lock);
    struct spec_budget used = budget_used_by(run, &budget->rates);
    budget->records = used.records;
    budget->bytes = used.bytes;
    budget->worked_ms = used.time_ms;
    budget->cost = (double)used.cost;
    budget->reserved_cost = 0;
    budget->reserved_records = budget->reserved_bytes = 0;
    budget->since_us = now_us;
    budget->next_bytes = budget->next_cost = 0;
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

/* What a batch may cost: each of its records may be written, each of its bytes too. */
static double most_of(const struct money_rates *rates, const struct budget_room *room)
{
    return (double)room->records * (rates->read + rates->write) +
           (double)room->bytes * (rates->byte_read + rates->byte_written);
}

/* A smaller batch where not all of it can be paid; one record at least, as long as that can be. */
static enum budget_answer room_to_pay(const struct budget *budget, uint64_t limit, struct budget_room *io)
{
    double most = most_of(&budget->rates, io), one = budget->rates.read + budget->rates.write;
    double left = (double)limit - budget->cost - budget->reserved_cost;
    io->cost = 0;
    if (limit == 0 || most <= 0)
        return BUDGET_TAKEN;
    if (left < one || left <= 0)
        return budget->reserved_cost > 0 ? BUDGET_LATER : BUDGET_SPENT;
    if (most > left) {
        io->records = MAX((size_t)((double)io->records * left / most), 1);
        io->bytes = MAX((size_t)((double)io->bytes * left / most), 1);
    }
    io->cost = fmin(left, most_of(&budget->rates, io));
    return BUDGET_TAKEN;
}

enum budget_answer budget_take(struct budget *budget, const struct spec_budget *limit, int64_t now_us,
                               struct budget_room *io)
{
    auto_hold(&budget->lock);
    struct budget_room room = *io;
    enum budget_answer records = room_for(limit->records, budget->records, budget->reserved_records, &room.records);
    enum budget_answer bytes = room_for(limit->bytes, budget->bytes, budget->reserved_bytes, &room.bytes);
    enum budget_answer cost = room_to_pay(budget, limit->cost, &room);
    bool late = limit->time_ms && budget->worked_ms + uncounted_ms(budget, now_us) >= limit->time_ms;
    budget->spent |= late || records == BUDGET_SPENT || bytes == BUDGET_SPENT || cost == BUDGET_SPENT;
    if (budget->spent)
        return BUDGET_SPENT;
    if (records == BUDGET_LATER || bytes == BUDGET_LATER || cost == BUDGET_LATER)
        return BUDGET_LATER;
    budget->reserved_records += room.records;
    budget->reserved_bytes += room.bytes;
    budget->reserved_cost += room.cost;
    *io = room;
    return BUDGET_TAKEN;
}

/* The lock is held. */
static void give_back(struct budget *budget, const struct budget_room *room)
{
    budget->reserved_records -= MIN(room->records, budget->reserved_records);
    budget->reserved_bytes -= MIN(room->bytes, budget->reserved_bytes);
    budget->reserved_cost = fmax(0, budget->reserved_cost - room->cost);
}

static enum budget_answer fits(double limit, double used, double reserved, double need)
{
    if (limit <= 0 || used + reserved + need <= limit)
        return BUDGET_TAKEN;
    return used + need <= limit ? BUDGET_LATER : BUDGET_SPENT;
}

/* Whoever waits holds none of it, so that nobody waits for him. */
enum budget_answer budget_fit(struct budget *budget, const struct spec_budget *limit, const struct budget_room *need,
                              bool must, struct budget_room *io)
{
    auto_hold(&budget->lock);
    struct budget_room held = {.bytes = io->bytes, .cost = io->cost};
    give_back(budget, &held);
    io->bytes = 0;
    io->cost = 0;
    enum budget_answer bytes =
        fits((double)limit->bytes, (double)budget->bytes, (double)budget->reserved_bytes, (double)need->bytes);
    enum budget_answer cost = fits((double)limit->cost, budget->cost, budget->reserved_cost, need->cost);
    enum budget_answer worse = MAX(bytes, cost);
    if (worse != BUDGET_TAKEN && !must)
        return worse;
    io->bytes = need->bytes;
    io->cost = need->cost;
    budget->reserved_bytes += need->bytes;
    budget->reserved_cost += need->cost;
    return BUDGET_TAKEN;
}

void budget_end_before(struct budget *budget, const struct budget_room *need)
{
    auto_hold(&budget->lock);
    budget->next_bytes = (double)need->bytes;
    budget->next_cost = need->cost;
    budget->spent = true;
}

void budget_give(struct budget *budget, const struct budget_room *room, const struct budget_room *used)
{
    auto_hold(&budget->lock);
    give_back(budget, room);
    if (!used)
        return;
    budget->records += used->records;
    budget->bytes += used->bytes;
    budget->cost += used->cost;
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
                                .time_ms = budget->worked_ms + uncounted_ms(budget, now_us),
                                .cost = (uint64_t)budget->cost};
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
    {BUDGET_COST, "are spent", money_text},
};

static void values_of(const struct spec_budget *budget, uint64_t ret[BUDGET_KEYS])
{
    ret[0] = budget->records;
    ret[1] = budget->bytes;
    ret[2] = (uint64_t)MAX(budget->time_ms, 0);
    ret[3] = budget->cost;
}

static void add_currency(const struct spec_budget *limit, struct budget_share *io)
{
    io->step = MAX(limit->cost_step, 1);
    if (!*limit->currency)
        return;
    g_strlcat(io->use, " ", sizeof io->use);
    g_strlcat(io->use, limit->currency, sizeof io->use);
    g_strlcat(io->most, " ", sizeof io->most);
    g_strlcat(io->most, limit->currency, sizeof io->most);
}

size_t budget_shares(const struct spec_budget *limit, const struct spec_budget *used,
                     struct budget_share ret[BUDGET_KEYS])
{
    uint64_t limits[BUDGET_KEYS], values[BUDGET_KEYS];
    size_t n = 0;
    values_of(limit, limits);
    values_of(used, values);
    for (size_t i = 0; i < BUDGET_KEYS; i++) {
        struct budget_share share = {.key = KEYS[i].key, .used = values[i], .limit = limits[i], .step = 1};
        if (limits[i] == 0)
            continue;
        KEYS[i].text(values[i], share.use);
        KEYS[i].text(limits[i], share.most);
        if (strcmp(share.key, BUDGET_COST) == 0)
            add_currency(limit, &share);
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
        if (shares[i].used + shares[i].step > shares[i].limit)
            return &shares[i];
    return NULL;
}

char *budget_reached_words(const struct budget_share *share)
{
    char next[UNITS_TEXT] = "";
    if (share->used >= share->limit)
        return g_strdup(share->words);
    for (size_t i = 0; i < BUDGET_KEYS; i++)
        if (strcmp(KEYS[i].key, share->key) == 0)
            KEYS[i].text(share->step, next);
    const char *currency = strcmp(share->key, BUDGET_COST) == 0 ? strchr(share->most, ' ') : NULL;
    return g_strdup_printf("%s, and the next record takes %s%s", share->words, next, currency ? currency : "");
}

void budget_step(struct budget *budget, struct budget_share *io, size_t n)
{
    auto_hold(&budget->lock);
    for (size_t i = 0; i < n; i++) {
        double next = strcmp(io[i].key, BUDGET_BYTES) == 0  ? budget->next_bytes
                      : strcmp(io[i].key, BUDGET_COST) == 0 ? budget->next_cost
                                                            : 0;
        io[i].step = MAX(io[i].step, (uint64_t)next);
    }
}
