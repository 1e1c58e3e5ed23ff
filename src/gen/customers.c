#include "gen/pen.h"
#include "record/datetime.h"

static const struct gen_fault_row FAULTS[] = {
#define ROW(symbol, word, per_million, ends, words) {word, ends, words, per_million},
#include "gen/fault_rows.h"
#undef ROW
};

const struct gen_fault_row *gen_fault_row(enum gen_fault fault)
{
    return &FAULTS[fault];
}

/* --- chance
 * ----------------------------------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

struct dice {
    uint64_t state;
};

static uint64_t roll(struct dice *dice, uint64_t below)
{
    dice->state += UINT64_C(0x9e3779b97f4a7c15);
    return mix(dice->state) % below;
}

static struct dice dice_of(uint64_t seed, uint64_t line)
{
    return (struct dice){.state = mix(mix(seed) ^ line)};
}

/* The customer of a line: a permutation of 0..n-1, so that keys come in no order and none comes twice. Four rounds of a
 * Feistel network over the least even number of bits, walked on until it is within. */
static uint64_t shuffled(const struct gen_wish *wish, uint64_t line)
{
    unsigned half = 1;
    while ((UINT64_C(1) << (2 * half)) < wish->records)
        half++;
    uint64_t mask = (UINT64_C(1) << half) - 1, at = line;
    do {
        uint64_t left = at >> half, right = at & mask;
        for (uint64_t round = 1; round <= 4; round++) {
            uint64_t next = left ^ (mix(right ^ mix(wish->seed + round)) & mask);
            left = right;
            right = next;
        }
        at = left << half | right;
    } while (at >= wish->records);
    return at;
}

/* --- a customer
 * -------------------------------------------------------------------------------------------------------
 */

struct word {
    const char *plain, *shown; /* of a username, of a name */
};

static const struct word FIRST[] = {
    {"ada", "Ada"},     {"ben", "Ben"},       {"chloe", "Chloé"}, {"dmitri", "Dmitri"}, {"elif", "Elif"},
    {"femi", "Femi"},   {"grete", "Grete"},   {"hiro", "Hiro"},   {"ines", "Inês"},     {"jonas", "Jonas"},
    {"kofi", "Kofi"},   {"lucia", "Lucía"},   {"mei", "Mei"},     {"noor", "Noor"},     {"olga", "Olga"},
    {"pavel", "Pavel"}, {"quinn", "Quinn"},   {"rosa", "Rosa"},   {"soren", "Søren"},   {"tara", "Tara"},
    {"umar", "Umar"},   {"vera", "Vera"},     {"wen", "Wen"},     {"xavier", "Xavier"}, {"yusuf", "Yusuf"},
    {"zofia", "Zofia"}, {"anke", "Anke"},     {"bjorn", "Björn"}, {"carmen", "Carmen"}, {"desta", "Desta"},
    {"emre", "Emre"},   {"fatima", "Fatima"},
};
static const struct word LAST[] = {
    {"adeyemi", "Adeyemi"}, {"berg", "Berg"},       {"castro", "Castro"},     {"dubois", "Dubois"},
    {"eriksen", "Eriksen"}, {"fischer", "Fischer"}, {"garcia", "García"},     {"hansen", "Hansen"},
    {"ivanov", "Ivanov"},   {"jansen", "Jansen"},   {"kowalski", "Kowalski"}, {"lopez", "López"},
    {"muller", "Müller"},   {"nguyen", "Nguyễn"},   {"okafor", "Okafor"},     {"papadakis", "Papadakis"},
    {"quist", "Quist"},     {"rossi", "Rossi"},     {"sato", "Sato"},         {"tanaka", "Tanaka"},
    {"ueda", "Ueda"},       {"vogel", "Vogel"},     {"wang", "Wang"},         {"yilmaz", "Yılmaz"},
};
static const char *const CITIES[] = {"Århus", "Bergen", "Coimbra", "Dresden", "Évora",  "Fremont", "Gdańsk",  "Haarlem",
                                     "İzmir", "Jena",   "Kumasi",  "Leeds",   "Málaga", "Nantes",  "Ostrava", "Porto"};
static const char *const STREETS[] = {"Canal Street", "Lock Lane", "Mill Road", "Quay",
                                      "Station Road", "Towpath",   "Weir Walk", "Wharf Close"};
static const char *const TIERS[] = {"bronze", "silver", "gold", "platinum"};
enum { GOLD = 2 };

#define OLDEST_MS INT64_C(1735689600000) /* 2025-01-01 */
#define NEWEST_MS INT64_C(1783641600000) /* 2026-07-10 */

struct customer {
    uint64_t line, number;
    enum gen_fault fault;
    const struct word *first, *last;
    const char *tier, *street, *city;
    unsigned tier_cut; /* letters that are left of it, as TIER_CUT has it */
    uint64_t cents, visits, house, zip;
    bool active;
    int64_t updated_ms, newer_ms; /* newer: of the state that supersedes this one */
};

static enum gen_fault fault_of(struct dice *dice)
{
    uint64_t rolled = roll(dice, 1000000);
    for (int i = 0; i < GEN_FAULT_COUNT; i++) {
        if (rolled < FAULTS[i].per_million)
            return (enum gen_fault)i;
        rolled -= FAULTS[i].per_million;
    }
    return GEN_FAULT_NONE;
}

static unsigned weighted_tier(struct dice *dice)
{
    uint64_t rolled = roll(dice, 100);
    return rolled < 55 ? 0 : rolled < 85 ? 1 : rolled < 97 ? GOLD : 3;
}

/* The customer as the line has it, its fault apart. */
static void customer_of(const struct gen_wish *wish, uint64_t line, struct customer *ret)
{
    struct dice dice = dice_of(wish->seed, line);
    *ret = (struct customer){.line = line, .number = shuffled(wish, line), .fault = fault_of(&dice)};
    ret->first = &FIRST[roll(&dice, G_N_ELEMENTS(FIRST))];
    ret->last = &LAST[roll(&dice, G_N_ELEMENTS(LAST))];
    ret->tier = TIERS[weighted_tier(&dice)];
    ret->tier_cut = 3 + (unsigned)roll(&dice, strlen(ret->tier) - 3);
    ret->cents = roll(&dice, 5000000);
    ret->visits = roll(&dice, 10000);
    ret->active = roll(&dice, 10) > 0;
    ret->street = STREETS[roll(&dice, G_N_ELEMENTS(STREETS))];
    ret->house = 1 + roll(&dice, 200);
    ret->zip = roll(&dice, 100000);
    ret->city = CITIES[roll(&dice, G_N_ELEMENTS(CITIES))];
    ret->updated_ms = OLDEST_MS + (int64_t)roll(&dice, (uint64_t)(NEWEST_MS - OLDEST_MS));
}

#define FAULTLESS_WITHIN 1000

/* In place of the line's own customer an older state of one who stands in another line, without a fault. Where there is
 * no such line nearby the fault is not planted. */
static void make_older(const struct gen_wish *wish, struct customer *io)
{
    struct customer of;
    for (uint64_t i = 1; i < MIN(wish->records, FAULTLESS_WITHIN); i++) {
        customer_of(wish, (io->line + i) % wish->records, &of);
        if (of.fault != GEN_FAULT_NONE)
            continue;
        of.line = io->line;
        of.fault = io->fault;
        of.newer_ms = of.updated_ms;
        of.updated_ms -= (int64_t)(1 + io->visits) * 60000;
        of.cents = io->cents;
        *io = of;
        return;
    }
    io->fault = GEN_FAULT_NONE;
}

/* What the record has to be for its fault to be one. */
static void make_fit(const struct gen_wish *wish, struct customer *io)
{
    if (io->fault == GEN_FAULT_OLDER_STATE)
        make_older(wish, io);
    else if (io->fault == GEN_FAULT_ZIP_SHORT)
        io->zip = io->zip % 9000 + 1000;
    else if (io->fault == GEN_FAULT_GOLD_WITHOUT)
        io->tier = TIERS[GOLD];
}

/* --- its line
 * --------------------------------------------------------------------------------------------------------- */

static void put_username(struct pen *pen, const struct customer *of, bool spaced)
{
    pen_text(pen, spaced ? of->first->shown : of->first->plain);
    pen_text(pen, spaced ? " " : "_");
    pen_text(pen, spaced ? of->last->shown : of->last->plain);
    pen_text(pen, spaced ? " " : "_");
    pen_number(pen, of->number);
}

static void put_balance(struct pen *pen, const struct customer *of)
{
    pen_text(pen, of->fault == GEN_FAULT_BALANCE_BELOW ? "-" : "");
    pen_number(pen, of->cents / 100 + (of->fault == GEN_FAULT_BALANCE_BELOW));
    pen_text(pen, ".");
    pen_digits(pen, of->cents % 100, 2);
}

static void put_tier(struct pen *pen, const struct customer *of)
{
    struct slice tier = slice_of_text(of->tier);
    pen_bytes(pen, of->fault == GEN_FAULT_TIER_CUT ? slice_of(tier.data, of->tier_cut) : tier);
}

static void put_time(struct pen *pen, int64_t ms)
{
    char text[DATETIME_TEXT];
    pen_text(pen, datetime_text(ms, text));
}

static void put_money(struct pen *pen, const struct customer *of)
{
    const char *quote = of->fault == GEN_FAULT_BALANCE_TEXT ? "\"" : "";
    if (of->fault != GEN_FAULT_TIER_MISSING) {
        pen_text(pen, ", \"tier\": \"");
        put_tier(pen, of);
        pen_text(pen, "\"");
    }
    if (of->fault != GEN_FAULT_GOLD_WITHOUT) {
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
    pen_digits(pen, of->zip, of->fault == GEN_FAULT_ZIP_SHORT ? 4 : 5);
    pen_text(pen, "\", \"city\": \"");
    pen_text(pen, of->city);
    pen_text(pen, "\"}");
}

static void put_line(struct pen *pen, const struct customer *of)
{
    size_t begin = pen->len;
    pen_text(pen, "{\"username\": \"");
    put_username(pen, of, of->fault == GEN_FAULT_NAME_SPACED);
    pen_text(pen, "\", \"name\": \"");
    pen_text(pen, of->first->shown);
    pen_text(pen, " ");
    pen_text(pen, of->last->shown);
    pen_text(pen, "\"");
    put_money(pen, of);
    pen_text(pen, ", \"visits\": ");
    pen_number(pen, of->visits);
    pen_text(pen, of->active ? ", \"active\": true" : ", \"active\": false");
    put_address(pen, of);
    if (of->fault == GEN_FAULT_LINE_CUT)
        pen->len = begin + (pen->len - begin) / 2;
    else if (of->fault == GEN_FAULT_TIME_MISSING)
        pen_text(pen, "}");
    else {
        pen_text(pen, ", \"updated_at\": \"");
        put_time(pen, of->updated_ms);
        pen_text(pen, "\"}");
    }
    pen_text(pen, "\n");
}

/* --- the manifest
 * -----------------------------------------------------------------------------------------------------
 */

static void put_customer_name(struct pen *pen, const struct customer *of)
{
    put_username(pen, of, of->fault == GEN_FAULT_NAME_SPACED);
}

static void put_right_name(struct pen *pen, const struct customer *of)
{
    put_username(pen, of, false);
}

static void put_right_tier(struct pen *pen, const struct customer *of)
{
    pen_text(pen, of->tier);
}

static void put_right_balance(struct pen *pen, const struct customer *of)
{
    pen_number(pen, of->cents / 100);
    pen_text(pen, ".");
    pen_digits(pen, of->cents % 100, 2);
}

static void put_zip(struct pen *pen, const struct customer *of)
{
    pen_digits(pen, of->zip, 4);
}

static void put_right_zip(struct pen *pen, const struct customer *of)
{
    pen_digits(pen, of->zip, 5);
}

static void put_updated(struct pen *pen, const struct customer *of)
{
    put_time(pen, of->updated_ms);
}

static void put_newer(struct pen *pen, const struct customer *of)
{
    put_time(pen, of->newer_ms);
}

/* The field, and its value as it should be and as it is; NULL: none. */
static const struct {
    const char *field;
    void (*right)(struct pen *pen, const struct customer *of), (*found)(struct pen *pen, const struct customer *of);
} SHOWN[] = {
    [GEN_FAULT_TIER_CUT] = {"tier", put_right_tier, put_tier},
    [GEN_FAULT_ZIP_SHORT] = {"address.zip", put_right_zip, put_zip},
    [GEN_FAULT_TIER_MISSING] = {"tier", put_right_tier, NULL},
    [GEN_FAULT_BALANCE_TEXT] = {"balance", put_right_balance, put_balance},
    [GEN_FAULT_OLDER_STATE] = {"updated_at", put_newer, put_updated},
    [GEN_FAULT_BALANCE_BELOW] = {"balance", put_right_balance, put_balance},
    [GEN_FAULT_GOLD_WITHOUT] = {"balance", put_right_balance, NULL},
    [GEN_FAULT_TIME_MISSING] = {"updated_at", put_updated, NULL},
    [GEN_FAULT_NAME_SPACED] = {"username", put_right_name, put_customer_name},
    [GEN_FAULT_LINE_CUT] = {NULL, NULL, NULL},
};

static void put_value(struct pen *pen, const char *before, const struct customer *of,
                      void (*value)(struct pen *pen, const struct customer *of))
{
    pen_text(pen, before);
    pen_text(pen, value ? "\"" : "null");
    if (!value)
        return;
    value(pen, of);
    pen_text(pen, "\"");
}

static void put_fault(struct pen *pen, const struct customer *of)
{
    const struct gen_fault_row *row = gen_fault_row(of->fault);
    pen_text(pen, "{\"line\": ");
    pen_number(pen, of->line + 1);
    put_value(pen, ", \"key\": ", of, put_customer_name);
    pen_text(pen, ", \"fault\": \"");
    pen_text(pen, row->word);
    pen_text(pen, "\", \"ends\": \"");
    pen_text(pen, row->ends);
    pen_text(pen, "\", \"field\": ");
    pen_text(pen, SHOWN[of->fault].field ? "\"" : "null");
    pen_text(pen, SHOWN[of->fault].field ? SHOWN[of->fault].field : "");
    pen_text(pen, SHOWN[of->fault].field ? "\"" : "");
    put_value(pen, ", \"right\": ", of, SHOWN[of->fault].right);
    put_value(pen, ", \"found\": ", of, SHOWN[of->fault].found);
    pen_text(pen, "}\n");
}

/* --- all of them
 * ------------------------------------------------------------------------------------------------------
 */

static bool write_all(const struct gen_wish *wish, struct pen *records, struct pen *faults, GError **error)
{
    struct customer customer;
    for (uint64_t line = 0; line < wish->records; line++) {
        if (!pen_room(records, error) || !pen_room(faults, error))
            return false;
        customer_of(wish, line, &customer);
        make_fit(wish, &customer);
        put_line(records, &customer);
        if (customer.fault != GEN_FAULT_NONE && faults->bytes)
            put_fault(faults, &customer);
    }
    return pen_flush(records, error) && pen_flush(faults, error);
}

bool gen_customers(const struct gen_wish *wish, const struct gen_sinks *sinks, GError **error)
{
    struct pen records, faults;
    if (wish->records > GEN_RECORDS_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "at most %" G_GUINT64_FORMAT " records can be made",
                         GEN_RECORDS_MAX);
    pen_init(&records, &sinks->records);
    pen_init(&faults, &sinks->faults);
    bool ok = write_all(wish, &records, &faults, error);
    pen_done(&records);
    pen_done(&faults);
    return ok;
}
