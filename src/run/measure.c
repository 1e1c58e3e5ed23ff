#include "run/measure.h"

#include "catalog/ledger.h"
#include "catalog/pages.h"
#include "guard/outside.h"
#include "run/forecast.h"
#include "run/try.h"

#define ACTION       "measured"
#define PAGE_ENTRIES 200u

bool measure_ask(void *self, const struct spec_measure *measure, const atomic_bool *cancel, double *ret, GError **error)
{
    const struct measure_asking *asking = self;
    struct outside outside = {.world = asking->world, .base_dir = asking->base_dir, .cancel = cancel};
    return outside_signal(&outside, &measure->outside, ret, error);
}

/* --- on record ---------------------------------------------------------------------------------------------------- */

static void take_entry(const struct ledger_entry *entry, struct measures *io)
{
    json_t *details = json_loads(entry->details, 0, NULL);
    measures_values_take(io, json_object_get(details, "before"), io->before);
    measures_values_take(io, json_object_get(details, "forecast"), io->forecast);
    json_decref(details);
}

bool measure_recorded(struct hold *hold, struct measures *io, bool *ret_taken, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct ledger_page page = {.run = hold->run.name, .most = PAGE_ENTRIES};
    struct ledger_entries entries = {.n = PAGE_ENTRIES};
    *ret_taken = false;
    while (entries.n == PAGE_ENTRIES) {
        arena_reset(mem);
        if (!ledger_page(hold->catalog, &page, mem, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++) {
            page.before = entries.rows[i].number;
            if (strcmp(entries.rows[i].action, ACTION) != 0)
                continue;
            take_entry(&entries.rows[i], io);
            return *ret_taken = true;
        }
    }
    return true;
}

bool measure_record_durable(struct hold *hold, const struct measures *measures, GError **error)
{
    json_t *details = json_pack("{s:o, s:o}", "before", measures_values_json(measures, measures->before), "forecast",
                                measures_values_json(measures, measures->forecast));
    g_autofree char *text = json_dumps(details, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(details);
    struct ledger_entry entry = {.actor = hold->config->act.actor,
                                 .action = ACTION,
                                 .run = hold->run.name,
                                 .digests = hold->run.digests,
                                 .details = text};
    return ledger_append(hold->catalog, &entry, error);
}

/* --- a forecast --------------------------------------------------------------------------------------------------- */

/* What a sample would change of them; one that cannot be added up is not known. */
struct changing {
    const struct measures *measures;
    struct measure_value *by; /* n */
};

static void add(struct measure_value *io, enum decimal_op op, const bson_decimal128_t *by)
{
    io->known = io->known && decimal_compute(op, &io->number, by, &io->number, NULL);
}

static void add_item(const struct changing *changing, const struct try_item *item)
{
    bson_decimal128_t one, number;
    decimal_from_i64(1, &one);
    for (size_t i = 0; i < changing->measures->n; i++) {
        const struct spec_measure *of = &changing->measures->of[i];
        const struct {
            struct slice document;
            enum decimal_op op;
        } sides[] = {{item->wanted, DECIMAL_ADD}, {item->live, DECIMAL_SUBTRACT}};
        for (size_t k = 0; k < G_N_ELEMENTS(sides); k++)
            if (of->count && sides[k].document.len)
                add(&changing->by[i], sides[k].op, &one);
            else if (of->sum && aggregate_number_at(of->sum, sides[k].document, &number))
                add(&changing->by[i], sides[k].op, &number);
    }
}

static bool add_record(void *self, const struct try_record *record, GError **error)
{
    for (size_t i = 0; i < record->n_items; i++)
        if (record->items[i].outcome == OUTCOME_WRITTEN || record->items[i].outcome == OUTCOME_DELETED)
            add_item(self, &record->items[i]);
    return true;
}

/* Of all records, where a sample of them says so much: exact where the sample is all of them, else to six digits. */
static bool widen(bson_decimal128_t *io, uint64_t sampled, uint64_t of)
{
    char text[DECIMAL_TEXT], rounded[DECIMAL_TEXT];
    if (sampled == of)
        return true;
    double all = g_ascii_strtod(decimal_text(io, text), NULL) * (double)of / (double)sampled;
    g_snprintf(rounded, sizeof rounded, "%.6g", all);
    return decimal_from_double(g_ascii_strtod(rounded, NULL), io);
}

/* Different values and what is outside nobody can foretell, but that nothing changes them where there is nothing to
 * write. */
static bool foretell(const struct hold *hold, struct measures *io, GError **error)
{
    g_autofree struct measure_value *by = g_new0(struct measure_value, io->n);
    struct changing changing = {.measures = io, .by = by};
    struct try_wish wish = {.sample = FORECAST_RECORDS, .each = add_record, .self = &changing};
    struct try_result tried;
    for (size_t i = 0; i < io->n; i++) {
        by[i].known = io->of[i].count || io->of[i].sum;
        decimal_from_i64(0, &by[i].number);
    }
    if (!try_records(hold->plan, hold->config->world, hold->config->signals, &wish, &tried, error))
        return error_add(error, "a forecast of the measures");
    uint64_t sampled = tried.tally.of[OUTCOME_READ], all = hold->plan->n_listed;
    bool empty = all == 0;
    for (size_t i = 0; i < io->n; i++) {
        struct measure_value *forecast = &io->forecast[i];
        *forecast = io->before[i];
        forecast->fault = NULL;
        bool foretold = by[i].known || (empty && io->of[i].distinct);
        forecast->known =
            foretold && io->before[i].known && (sampled > 0 || empty) && widen(&by[i].number, sampled, all);
        add(forecast, DECIMAL_ADD, &by[i].number);
    }
    return true;
}

bool measure_before(const struct hold *hold, const struct verify_input *input, struct measures *io, GError **error)
{
    struct measure_asking asking = {.world = hold->config->world, .base_dir = hold->plan->spec->dir};
    struct measures_wish wish = {.input = input, .ask = measure_ask, .self = &asking};
    return measures_take(io, &wish, io->before, error) && foretell(hold, io, error);
}
