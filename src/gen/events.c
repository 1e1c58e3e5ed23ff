#include "gen/lines.h"
#include "gen/people.h"
#include "gen/zipf.h"

enum fault {
#define ROW(symbol, word, per_million, ends, words) FAULT_##symbol,
#include "gen/event_rows.h"
#undef ROW
    FAULT_COUNT,
    FAULT_OF_INDEX = FAULT_ENTRY_MISSING, /* this one and all behind it */
    FAULT_NONE = FAULT_COUNT
};

enum { BY_RULE = 0 };

static const struct gen_fault_row FAULTS[] = {
#define ROW(symbol, word, per_million, ends, words) {word, ends, words, per_million},
#include "gen/event_rows.h"
#undef ROW
};

const struct gen_fault_row *gen_events_fault_at(size_t i)
{
    return i < FAULT_COUNT ? &FAULTS[i] : NULL;
}

/* --- an event
 * --------------------------------------------------------------------------------------------------------- */

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

#define FIRST_MS    INT64_C(1781049600000)                 /* 2026-06-10: received_at of the first line, about */
#define SPAN_MS     (30 * DAY_MS)                          /* until that of the last */
#define BUG_FROM_MS (FIRST_MS + 10 * DAY_MS + 6 * HOUR_MS) /* of currencies: received from then on … */
#define BUG_TO_MS   (BUG_FROM_MS + 36 * HOUR_MS)           /* … to before then */
#define CHANGE_MS   (FIRST_MS + SPAN_MS / 2)               /* received from then on: of the new shape */

#define LATE_LEAST_MS  HOUR_MS
#define LATE_MOST_MS   (7 * DAY_MS)
#define SKEW_LEAST_MS  MINUTE_MS
#define SKEW_MOST_MS   DAY_MS
#define DELAY_LEAST_MS 50 /* of what is not late */
#define DELAY_MOST_MS  10000

enum { EVENTS_A_PERSON = 10 };

enum kind { PAYMENT, REFUND, DELETED, ERASURE };
static const char *const KINDS[] = {"payment", "refund", "deleted", "erasure"};
static const char *const CHANNELS[] = {"android", "ios", "kiosk", "web"};
enum currency { EUR, USD, GBP, CHF, JPY };
static const char *const CURRENCIES[] = {"EUR", "USD", "GBP", "CHF", "JPY"};

struct event {
    uint64_t line, id, rank;
    size_t fault;     /* enum fault */
    uint64_t repeats; /* the line that this one is a copy or a later state of */
    struct people_name name;
    enum kind kind;
    enum currency currency;
    uint64_t cents; /* of JPY: yen */
    const char *channel;
    int64_t occurred_ms, received_ms;
    int64_t right_ms;             /* what the time that is at fault should be */
    struct people_name elsewhere; /* where its entry is misplaced: whose account it stands under */
};

struct stream {
    const struct gen_wish *wish;
    struct gen_wish people; /* the customers whose events they are */
    struct zipf zipf;
    uint64_t changed; /* the line of FAULT_SCHEMA */
};

/* Of what is rolled for events, lest it be what is rolled for customers. */
static uint64_t salted(const struct stream *stream, uint64_t salt)
{
    return dice_mixed(stream->wish->seed + salt);
}

/* Milliseconds from the first line to this one; no more than 2^32 lines are told apart. */
static uint64_t begin_of(const struct stream *stream, uint64_t line)
{
    unsigned shift = 0;
    while (stream->wish->records >> shift > UINT32_MAX)
        shift++;
    return (line >> shift) * SPAN_MS / (stream->wish->records >> shift);
}

static int64_t received_of(const struct stream *stream, uint64_t line, struct dice *dice)
{
    uint64_t begin = begin_of(stream, line), end = begin_of(stream, line + 1);
    return FIRST_MS + (int64_t)(begin + dice_roll(dice, MAX(end - begin, 1)));
}

static int64_t rolled_ms(struct dice *dice, int64_t least, int64_t most)
{
    return least + (int64_t)dice_roll(dice, (uint64_t)(most - least + 1));
}

/* --- the erased: one of each group of ranks, in one line of the group's lines. Both are found from either side, so
 * that each line knows by itself. */

enum { GROUP = 200, GROUP_LINES = GROUP * EVENTS_A_PERSON, GROUP_SPARED = 100 };

static uint64_t erased_rank(const struct stream *stream, uint64_t group)
{
    struct dice dice = dice_of(salted(stream, 2), group);
    return group * GROUP + GROUP_SPARED + dice_roll(&dice, GROUP - GROUP_SPARED);
}

static bool rank_is_erased(const struct stream *stream, uint64_t rank)
{
    uint64_t group = rank / GROUP;
    return group < stream->wish->records / GROUP_LINES && rank == erased_rank(stream, group);
}

static bool line_is_erasure(const struct stream *stream, uint64_t line)
{
    struct dice dice = dice_of(salted(stream, 3), line / GROUP_LINES);
    return line / GROUP_LINES < stream->wish->records / GROUP_LINES &&
           line % GROUP_LINES == dice_roll(&dice, GROUP_LINES);
}

/* --- what a line has before its fault is planted */

/* Who is to be erased pays in euros: whatever is in yen can be mended by its time alone. */
static enum currency currency_of(const struct stream *stream, uint64_t rank)
{
    static const enum currency BY_RANK[] = {EUR, USD, EUR, JPY, GBP, EUR, USD, CHF};
    enum currency currency = BY_RANK[rank % G_N_ELEMENTS(BY_RANK)];
    return currency == JPY && rank_is_erased(stream, rank) ? EUR : currency;
}

static bool bug_hits(const struct event *event)
{
    return event->currency == JPY && event->received_ms >= BUG_FROM_MS && event->received_ms < BUG_TO_MS;
}

static size_t fault_by_rule(const struct stream *stream, const struct event *event)
{
    return line_is_erasure(stream, event->line)  ? FAULT_ERASURE
           : rank_is_erased(stream, event->rank) ? FAULT_ERASED
           : bug_hits(event)                     ? FAULT_CURRENCY
           : event->line == stream->changed      ? FAULT_SCHEMA
                                                 : FAULT_NONE;
}

static void event_of(const struct stream *stream, uint64_t line, struct event *ret)
{
    struct dice dice = dice_of(salted(stream, 1), line);
    *ret = (struct event){.line = line, .fault = lines_fault_drawn(FAULTS, FAULT_OF_INDEX, &dice)};
    if (ret->fault == FAULT_OF_INDEX)
        ret->fault = FAULT_NONE;
    ret->id = chance_shuffled(salted(stream, 4), stream->wish->records, line);
    ret->received_ms = received_of(stream, line, &dice);
    ret->occurred_ms = ret->received_ms - rolled_ms(&dice, DELAY_LEAST_MS, DELAY_MOST_MS);
    ret->rank = zipf_draw(&stream->zipf, &dice);
    ret->name = people_named(&stream->people, ret->rank);
    ret->currency = currency_of(stream, ret->rank);
    ret->kind = dice_roll(&dice, 10) == 0 ? REFUND : PAYMENT;
    ret->cents = 1 + dice_roll(&dice, 500000);
    ret->channel = CHANNELS[dice_roll(&dice, G_N_ELEMENTS(CHANNELS))];
    size_t by_rule = fault_by_rule(stream, ret);
    if (by_rule != FAULT_NONE)
        ret->fault = by_rule;
}

/* --- planting
 * --------------------------------------------------------------------------------------------------------- */

static void plant_late(const struct stream *stream, struct event *io)
{
    struct dice dice = dice_of(salted(stream, 5), io->line);
    int64_t late = rolled_ms(&dice, LATE_LEAST_MS, LATE_MOST_MS);
    io->right_ms = io->received_ms - late;
    io->occurred_ms -= late;
}

static void plant_skew(const struct stream *stream, struct event *io)
{
    struct dice dice = dice_of(salted(stream, 5), io->line);
    int64_t skew = rolled_ms(&dice, SKEW_LEAST_MS, SKEW_MOST_MS);
    io->right_ms = io->occurred_ms;
    io->occurred_ms += io->fault == FAULT_CLOCK_AHEAD ? skew : -skew;
}

static void plant_erasure(const struct stream *stream, struct event *io)
{
    io->rank = erased_rank(stream, io->line / GROUP_LINES);
    io->name = people_named(&stream->people, io->rank);
    io->kind = ERASURE;
}

enum { COPY_LINES = 256 };

/* The line that this one may repeat, in the stretch of lines before its own: another for each, so that none is repeated
 * twice. */
static uint64_t repeated_by(const struct stream *stream, uint64_t line)
{
    uint64_t stretch = line / COPY_LINES, key = dice_of(salted(stream, 6), stretch).state;
    return (stretch - 1) * COPY_LINES + (line * (key | 1) + (key >> 32)) % COPY_LINES;
}

/* Only what is without a fault is repeated, and later. Where that cannot be, the fault is not planted. */
static void plant_copy(const struct stream *stream, struct event *io)
{
    struct event of;
    size_t fault = io->fault;
    io->fault = FAULT_NONE;
    if (io->line < COPY_LINES)
        return;
    event_of(stream, repeated_by(stream, io->line), &of);
    if (of.fault != FAULT_NONE)
        return;
    struct event copy = of;
    copy.line = io->line;
    copy.fault = fault;
    copy.repeats = of.line;
    copy.right_ms = of.received_ms;
    copy.kind = fault == FAULT_TOMBSTONE ? DELETED : of.kind;
    copy.received_ms = fault == FAULT_DUPLICATE ? of.received_ms : io->received_ms;
    if (fault == FAULT_DUPLICATE || (copy.received_ms > of.received_ms && !bug_hits(&copy)))
        *io = copy;
}

/* What is not here is planted as the line is written. */
static void (*const PLANTS[FAULT_COUNT])(const struct stream *stream, struct event *io) = {
    [FAULT_LATE] = plant_late,       [FAULT_CLOCK_AHEAD] = plant_skew, [FAULT_CLOCK_BEHIND] = plant_skew,
    [FAULT_DUPLICATE] = plant_copy,  [FAULT_AGAIN] = plant_copy,       [FAULT_TOMBSTONE] = plant_copy,
    [FAULT_ERASURE] = plant_erasure,
};

static void planted(const struct stream *stream, uint64_t line, struct event *ret)
{
    event_of(stream, line, ret);
    if (ret->fault != FAULT_NONE && PLANTS[ret->fault])
        PLANTS[ret->fault](stream, ret);
}

/* --- its line
 * --------------------------------------------------------------------------------------------------------- */

static unsigned schema_of(const struct event *of)
{
    return of->received_ms >= CHANGE_MS ? 2 : 1;
}

static void put_id(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_digits(pen, of->id, 12);
}

static void put_account(struct pen *pen, const void *event)
{
    const struct event *of = event;
    people_put_username(pen, &of->name);
}

static void put_kind(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_text(pen, KINDS[of->kind]);
}

static void put_channel(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_text(pen, of->channel);
}

static void put_entry_of(struct pen *pen, const struct people_name *name, uint64_t id)
{
    people_put_username(pen, name);
    pen_text(pen, ":");
    pen_digits(pen, id, 12);
}

static void put_entry(struct pen *pen, const void *event)
{
    const struct event *of = event;
    put_entry_of(pen, &of->name, of->id);
}

/* Keys are digits alone. */
static void put_dangling(struct pen *pen, const void *event)
{
    put_entry(pen, event);
    pen_text(pen, "x");
}

static void put_misplaced(struct pen *pen, const void *event)
{
    const struct event *of = event;
    put_entry_of(pen, &of->elsewhere, of->id);
}

static void put_right_amount(struct pen *pen, const void *event)
{
    const struct event *of = event;
    if (of->currency == JPY)
        pen_number(pen, of->cents);
    else
        pen_cents(pen, of->cents);
}

static void put_amount(struct pen *pen, const void *event)
{
    const struct event *of = event;
    if (of->fault == FAULT_AMOUNT_TEXT)
        pen_text(pen, "n/a");
    else
        put_right_amount(pen, event);
    if (of->fault == FAULT_CURRENCY)
        pen_text(pen, "00");
}

static void put_money(struct pen *pen, const struct event *of)
{
    const char *quote = of->fault == FAULT_AMOUNT_TEXT ? "\"" : "";
    if (of->kind == DELETED || of->kind == ERASURE)
        return;
    pen_text(pen, schema_of(of) == 1 ? ", " : ", \"money\": {");
    pen_text(pen, "\"amount\": ");
    pen_text(pen, quote);
    put_amount(pen, of);
    pen_text(pen, quote);
    pen_text(pen, ", \"currency\": \"");
    pen_text(pen, CURRENCIES[of->currency]);
    pen_text(pen, schema_of(of) == 1 ? "\"" : "\"}");
}

static void put_times(struct pen *pen, const struct event *of)
{
    pen_text(pen, "\", \"occurred_at\": \"");
    pen_time(pen, of->occurred_ms);
    pen_text(pen, "\", \"received_at\": \"");
    pen_time(pen, of->received_ms);
    pen_text(pen, "\", \"schema\": ");
    pen_number(pen, schema_of(of));
}

static void put_line(struct pen *pen, const struct event *of)
{
    size_t begin = pen->len;
    const char *quote = of->fault == FAULT_JSON_BROKEN ? "" : "\"";
    pen_text(pen, "{");
    if (of->fault != FAULT_ID_MISSING) {
        pen_text(pen, "\"event\": \"");
        put_id(pen, of);
        pen_text(pen, "\", ");
    }
    pen_text(pen, "\"account\": \"");
    put_account(pen, of);
    pen_text(pen, "\", \"kind\": ");
    pen_text(pen, quote);
    put_kind(pen, of);
    pen_text(pen, quote);
    put_money(pen, of);
    pen_text(pen, ", \"channel\": \"");
    pen_text(pen, of->fault == FAULT_UTF8_BROKEN ? "caf\xe9" : of->channel);
    put_times(pen, of);
    pen_text(pen, "}");
    if (of->fault == FAULT_LINE_CUT)
        pen->len = begin + (pen->len - begin) / 2;
    pen_text(pen, "\n");
}

/* --- the manifest
 * -----------------------------------------------------------------------------------------------------
 */

static void put_occurred(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_time(pen, of->occurred_ms);
}

static void put_received(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_time(pen, of->received_ms);
}

static void put_right_time(struct pen *pen, const void *event)
{
    const struct event *of = event;
    pen_time(pen, of->right_ms);
}

static void put_schema(struct pen *pen, const void *event)
{
    pen_number(pen, schema_of(event));
}

static void put_schema_before(struct pen *pen, const void *event)
{
    pen_number(pen, schema_of(event) - 1);
}

static const struct lines_shown SHOWN[] = {
    [FAULT_LATE] = {"received_at", put_right_time, put_received},
    [FAULT_CLOCK_AHEAD] = {"occurred_at", put_right_time, put_occurred},
    [FAULT_CLOCK_BEHIND] = {"occurred_at", put_right_time, put_occurred},
    [FAULT_DUPLICATE] = {NULL, NULL, NULL},
    [FAULT_AGAIN] = {"received_at", put_right_time, put_received},
    [FAULT_TOMBSTONE] = {"kind", NULL, put_kind},
    [FAULT_LINE_CUT] = {NULL, NULL, NULL},
    [FAULT_JSON_BROKEN] = {"kind", put_kind, NULL},
    [FAULT_UTF8_BROKEN] = {"channel", put_channel, NULL},
    [FAULT_AMOUNT_TEXT] = {"amount", put_right_amount, put_amount},
    [FAULT_ID_MISSING] = {"event", put_id, NULL},
    [FAULT_CURRENCY] = {"amount", put_right_amount, put_amount},
    [FAULT_SCHEMA] = {"schema", put_schema_before, put_schema},
    [FAULT_ERASURE] = {"account", NULL, put_account},
    [FAULT_ERASED] = {"account", NULL, put_account},
    [FAULT_ENTRY_MISSING] = {"entry", put_entry, NULL},
    [FAULT_ENTRY_DANGLING] = {"entry", NULL, put_dangling},
    [FAULT_ENTRY_MISPLACED] = {"entry", put_entry, put_misplaced},
};

static void put_fault(struct pen *pen, const struct event *of)
{
    struct lines_fault fault = {
        .line = of->line, .row = &FAULTS[of->fault], .shown = SHOWN[of->fault], .key = put_id, .of = of};
    if (of->fault == FAULT_AMOUNT_TEXT && schema_of(of) == 2)
        fault.shown.field = "money.amount";
    if (PLANTS[of->fault] == plant_copy)
        fault.repeats = &of->repeats;
    lines_put_fault(pen, &fault);
}

/* --- the index: the entries of what the spec of docs/commands/gen.md ends up with
 * ------------------------------------------------------------------------------------------------------
 */

/* Whether a line below has the event deleted. Of the stretch of lines below each repeats another one of these. */
static bool is_deleted(const struct stream *stream, uint64_t line)
{
    uint64_t below = (line / COPY_LINES + 1) * COPY_LINES, end = below + COPY_LINES;
    struct event event;
    while (below < end && repeated_by(stream, below) != line)
        below++;
    if (below >= stream->wish->records)
        return false;
    planted(stream, below, &event);
    return event.fault == FAULT_TOMBSTONE;
}

/* What came again has the entry of the line that it repeats. */
static bool has_entry(const struct stream *stream, const struct event *event)
{
    static const bool STANDS[FAULT_COUNT + 1] = {
        [FAULT_LATE] = true,     [FAULT_CLOCK_AHEAD] = true, [FAULT_CLOCK_BEHIND] = true,
        [FAULT_CURRENCY] = true, [FAULT_SCHEMA] = true,      [FAULT_NONE] = true,
    };
    return STANDS[event->fault] && !is_deleted(stream, event->line);
}

/* Drawn by dice of their own, so that records and other faults are the same without an index. */
static void plant_in_index(const struct stream *stream, struct event *io)
{
    struct dice dice = dice_of(salted(stream, 7), io->line);
    size_t n = FAULT_COUNT - FAULT_OF_INDEX, drawn = lines_fault_drawn(FAULTS + FAULT_OF_INDEX, n, &dice);
    if (drawn == n || io->fault != FAULT_NONE)
        return;
    uint64_t people = stream->people.records, step = people > 1 ? 1 + dice_roll(&dice, people - 1) : 0;
    if (FAULT_OF_INDEX + drawn == FAULT_ENTRY_MISPLACED && step == 0)
        return;
    io->fault = FAULT_OF_INDEX + drawn;
    io->elsewhere = people_named(&stream->people, (io->rank + step) % people);
}

static void put_entry_line(struct pen *pen, lines_value *entry, const struct event *event)
{
    pen_text(pen, "{\"entry\": \"");
    entry(pen, event);
    pen_text(pen, "\"}\n");
}

/* An entry that is dangling stands beside the event's own. */
static void put_entries(struct pen *pen, const struct event *event)
{
    bool at_fault = event->fault != FAULT_NONE && event->fault >= FAULT_OF_INDEX;
    const struct lines_shown *shown = at_fault ? &SHOWN[event->fault] : NULL;
    if (!shown || !shown->right)
        put_entry_line(pen, put_entry, event);
    if (shown && shown->found)
        put_entry_line(pen, shown->found, event);
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------------
 */

static void put_all(const void *stream, uint64_t line, struct lines_pens *pens)
{
    struct event event;
    planted(stream, line, &event);
    put_line(&pens->records, &event);
    if (pens->index.bytes && has_entry(stream, &event)) {
        plant_in_index(stream, &event);
        put_entries(&pens->index, &event);
    }
    if (event.fault != FAULT_NONE)
        put_fault(&pens->faults, &event);
}

/* The first line of the new shape that no other rule has; `records`: there is none. */
static uint64_t find_changed(const struct stream *stream)
{
    uint64_t low = 0, high = stream->wish->records;
    struct event event;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        event_of(stream, middle, &event);
        if (schema_of(&event) == 2)
            high = middle;
        else
            low = middle + 1;
    }
    for (; low < stream->wish->records; low++) {
        event_of(stream, low, &event);
        if (fault_by_rule(stream, &event) == FAULT_NONE)
            break;
    }
    return low;
}

bool gen_events(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error)
{
    struct stream stream = {.wish = wish, .changed = UINT64_MAX};
    stream.people = (struct gen_wish){.records = MAX(wish->records / EVENTS_A_PERSON, 1), .seed = wish->seed};
    zipf_init(&stream.zipf, stream.people.records);
    if (wish->records <= GEN_RECORDS_MAX)
        stream.changed = find_changed(&stream);
    return lines_write(wish, sinks, put_all, &stream, error);
}
