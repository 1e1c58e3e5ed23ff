#include "gen/lines.h"
#include "gen/people.h"

enum fault {
#define ROW(symbol, word, per_million, ends, words) FAULT_##symbol,
#include "gen/customer_rows.h"
#undef ROW
    FAULT_COUNT,
    FAULT_NONE = FAULT_COUNT
};

static const struct gen_fault_row FAULTS[] = {
#define ROW(symbol, word, per_million, ends, words) {word, ends, words, per_million},
#include "gen/customer_rows.h"
#undef ROW
};

const struct gen_fault_row *gen_customers_fault_at(size_t i)
{
    return i < FAULT_COUNT ? &FAULTS[i] : NULL;
}

/* --- a customer
 * -------------------------------------------------------------------------------------------------------
 */

static const char *const CITIES[] = {"Århus", "Bergen", "Coimbra", "Dresden", "Évora",  "Fremont", "Gdańsk",  "Haarlem",
                                     "İzmir", "Jena",   "Kumasi",  "Leeds",   "Málaga", "Nantes",  "Ostrava", "Porto"};
static const char *const STREETS[] = {"Canal Street", "Lock Lane", "Mill Road", "Quay",
                                      "Station Road", "Towpath",   "Weir Walk", "Wharf Close"};
static const char *const TIERS[] = {"bronze", "silver", "gold", "platinum"};
enum { GOLD = 2 };

#define OLDEST_MS INT64_C(1735689600000) /* 2025-01-01 */
#define NEWEST_MS INT64_C(1783641600000) /* 2026-07-10 */

struct customer {
    uint64_t line;
    size_t fault; /* enum fault */
    struct people_name name;
    const char *tier, *street, *city;
    unsigned tier_cut; /* letters that are left of it, as TIER_CUT has it */
    uint64_t cents, visits, house, zip;
    bool active;
    int64_t updated_ms, newer_ms; /* newer: of the state that supersedes this one */
};

static unsigned weighted_tier(struct dice *dice)
{
    uint64_t rolled = dice_roll(dice, 100);
    return rolled < 55 ? 0 : rolled < 85 ? 1 : rolled < 97 ? GOLD : 3;
}

/* The customer as the line has it, its fault apart. */
static void customer_of(const struct gen_wish *wish, uint64_t line, struct customer *ret)
{
    struct dice dice = dice_of(wish->seed, line);
    *ret = (struct customer){.line = line, .fault = lines_fault_drawn(FAULTS, FAULT_COUNT, &dice)};
    ret->name = people_rolled(&dice, chance_shuffled(wish->seed, wish->records, line));
    ret->tier = TIERS[weighted_tier(&dice)];
    ret->tier_cut = 3 + (unsigned)dice_roll(&dice, strlen(ret->tier) - 3);
    ret->cents = dice_roll(&dice, 5000000);
    ret->visits = dice_roll(&dice, 10000);
    ret->active = dice_roll(&dice, 10) > 0;
    ret->street = STREETS[dice_roll(&dice, G_N_ELEMENTS(STREETS))];
    ret->house = 1 + dice_roll(&dice, 200);
    ret->zip = dice_roll(&dice, 100000);
    ret->city = CITIES[dice_roll(&dice, G_N_ELEMENTS(CITIES))];
    ret->updated_ms = OLDEST_MS + (int64_t)dice_roll(&dice, (uint64_t)(NEWEST_MS - OLDEST_MS));
}

#define FAULTLESS_WITHIN 1000

/* In place of the line's own customer an older state of one who stands in another line, without a fault. Where there is
 * no such line nearby the fault is not planted. */
static void make_older(const struct gen_wish *wish, struct customer *io)
{
    struct customer of;
    for (uint64_t i = 1; i < MIN(wish->records, FAULTLESS_WITHIN); i++) {
        customer_of(wish, (io->line + i) % wish->records, &of);
        if (of.fault != FAULT_NONE)
            continue;
        of.line = io->line;
        of.fault = io->fault;
        of.newer_ms = of.updated_ms;
        of.updated_ms -= (int64_t)(1 + io->visits) * 60000;
        of.cents = io->cents;
        *io = of;
        return;
    }
    io->fault = FAULT_NONE;
}

/* What the record has to be for its fault to be one. */
static void make_fit(const struct gen_wish *wish, struct customer *io)
{
    if (io->fault == FAULT_OLDER_STATE)
        make_older(wish, io);
    else if (io->fault == FAULT_ZIP_SHORT)
        io->zip = io->zip % 9000 + 1000;
    else if (io->fault == FAULT_GOLD_WITHOUT)
        io->tier = TIERS[GOLD];
}

/* --- its line
 * --------------------------------------------------------------------------------------------------------- */

static void put_username(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    if (of->fault == FAULT_NAME_SPACED)
        people_put_username_spaced(pen, &of->name);
    else
        people_put_username(pen, &of->name);
}

static void put_balance(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    bool below = of->fault == FAULT_BALANCE_BELOW;
    pen_text(pen, below ? "-" : "");
    pen_cents(pen, of->cents + (below ? 100 : 0));
}

static void put_tier(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    struct slice tier = slice_of_text(of->tier);
    pen_bytes(pen, of->fault == FAULT_TIER_CUT ? slice_of(tier.data, of->tier_cut) : tier);
}

static void put_money(struct pen *pen, const struct customer *of)
{
    const char *quote = of->fault == FAULT_BALANCE_TEXT ? "\"" : "";
    if (of->fault != FAULT_TIER_MISSING) {
        pen_text(pen, ", \"tier\": \"");
        put_tier(pen, of);
        pen_text(pen, "\"");
    }
    if (of->fault != FAULT_GOLD_WITHOUT) {
        pen_text(pen, ", \"balance\": ");
        pen_text(pen, quote);
        put_balance(pen, of);
        pen_text(pen, quote);
    }
}

static void put_address(struct pen *pen, const struct customer *of)
{
    pen_text(pen, ", \"address\": {\"street\": \"");
    pen_text(pen, of->street);
    pen_text(pen, " ");
    pen_number(pen, of->house);
    pen_text(pen, "\", \"zip\": \"");
    pen_digits(pen, of->zip, of->fault == FAULT_ZIP_SHORT ? 4 : 5);
    pen_text(pen, "\", \"city\": \"");
    pen_text(pen, of->city);
    pen_text(pen, "\"}");
}

static void put_line(struct pen *pen, const struct customer *of)
{
    size_t begin = pen->len;
    pen_text(pen, "{\"username\": \"");
    put_username(pen, of);
    pen_text(pen, "\", \"name\": \"");
    people_put_name(pen, &of->name);
    pen_text(pen, "\"");
    put_money(pen, of);
    pen_text(pen, ", \"visits\": ");
    pen_number(pen, of->visits);
    pen_text(pen, of->active ? ", \"active\": true" : ", \"active\": false");
    put_address(pen, of);
    if (of->fault == FAULT_LINE_CUT)
        pen->len = begin + (pen->len - begin) / 2;
    else if (of->fault == FAULT_TIME_MISSING)
        pen_text(pen, "}");
    else {
        pen_text(pen, ", \"updated_at\": \"");
        pen_time(pen, of->updated_ms);
        pen_text(pen, "\"}");
    }
    pen_text(pen, "\n");
}

/* --- the manifest
 * -----------------------------------------------------------------------------------------------------
 */

static void put_right_name(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    people_put_username(pen, &of->name);
}

static void put_right_tier(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_text(pen, of->tier);
}

static void put_right_balance(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_cents(pen, of->cents);
}

static void put_zip(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_digits(pen, of->zip, 4);
}

static void put_right_zip(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_digits(pen, of->zip, 5);
}

static void put_updated(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_time(pen, of->updated_ms);
}

static void put_newer(struct pen *pen, const void *customer)
{
    const struct customer *of = customer;
    pen_time(pen, of->newer_ms);
}

static const struct lines_shown SHOWN[] = {
    [FAULT_TIER_CUT] = {"tier", put_right_tier, put_tier},
    [FAULT_ZIP_SHORT] = {"address.zip", put_right_zip, put_zip},
    [FAULT_TIER_MISSING] = {"tier", put_right_tier, NULL},
    [FAULT_BALANCE_TEXT] = {"balance", put_right_balance, put_balance},
    [FAULT_OLDER_STATE] = {"updated_at", put_newer, put_updated},
    [FAULT_BALANCE_BELOW] = {"balance", put_right_balance, put_balance},
    [FAULT_GOLD_WITHOUT] = {"balance", put_right_balance, NULL},
    [FAULT_TIME_MISSING] = {"updated_at", put_updated, NULL},
    [FAULT_NAME_SPACED] = {"username", put_right_name, put_username},
    [FAULT_LINE_CUT] = {NULL, NULL, NULL},
};

/* --- all of them
 * ------------------------------------------------------------------------------------------------------
 */

static void put_both(const void *wish, uint64_t line, struct lines_pens *pens)
{
    struct customer customer;
    customer_of(wish, line, &customer);
    make_fit(wish, &customer);
    put_line(&pens->records, &customer);
    if (customer.fault == FAULT_NONE)
        return;
    lines_put_fault(&pens->faults, &(struct lines_fault){.line = line,
                                                         .row = &FAULTS[customer.fault],
                                                         .shown = SHOWN[customer.fault],
                                                         .key = put_username,
                                                         .of = &customer});
}

bool gen_customers(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error)
{
    return lines_write(wish, sinks, put_both, wish, error);
}
