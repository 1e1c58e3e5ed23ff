#include "verify/measures.h"

#include <math.h>

#define BATCH_BYTES  (256u << 20)
#define HEALTH_BYTES (16u << 20)

struct measures *measures_new(const struct spec *spec)
{
    struct measures *measures = g_new0(struct measures, 1);
    size_t n = spec->n_measures;
    measures->of = spec->measures;
    measures->n = n;
    measures->before = g_new0(struct measure_value, n);
    measures->forecast = g_new0(struct measure_value, n);
    measures->after = g_new0(struct measure_value, n);
    return measures;
}

static void values_free(struct measure_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g_free(values[i].fault);
    g_free(values);
}

void measures_free(struct measures *measures)
{
    if (!measures)
        return;
    values_free(measures->before, measures->n);
    values_free(measures->forecast, measures->n);
    values_free(measures->after, measures->n);
    g_free(measures);
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

struct taking {
    const struct measures *measures;
    struct arena *mem;
    struct aggregate *aggregates; /* n of them; those of what is outside are not begun */
};

static bool is_of_dataset(const struct measures *measures, size_t i)
{
    return spec_measure_is_of_records(&measures->of[i]);
}

static bool take_record(void *self, const struct whole_record *record, GError **error)
{
    struct taking *taking = self;
    for (size_t i = 0; i < taking->measures->n; i++)
        if (is_of_dataset(taking->measures, i) && !aggregate_add(&taking->aggregates[i], record, taking->mem, error))
            return false;
    return true;
}

static bool begin(struct taking *taking, const struct verify_input *input, GError **error)
{
    bool ok = true;
    for (size_t i = 0; i < taking->measures->n; i++) {
        const struct spec_measure *of = &taking->measures->of[i];
        if (!is_of_dataset(taking->measures, i))
            continue;
        taking->aggregates[i] = (struct aggregate){.what = of->count ? AGGREGATE_COUNT
                                                           : of->sum ? AGGREGATE_SUM
                                                                     : AGGREGATE_DISTINCT,
                                                   .path = of->sum ? of->sum : of->distinct};
        ok = aggregate_init(&taking->aggregates[i], input, ok ? error : NULL) && ok;
    }
    return ok;
}

static bool end(struct taking *taking, struct measure_value *into, GError **error)
{
    for (size_t i = 0; i < taking->measures->n; i++) {
        struct aggregate *aggregate = &taking->aggregates[i];
        if (!is_of_dataset(taking->measures, i))
            continue;
        if (!aggregate_end(aggregate, error))
            return false;
        into[i] = (struct measure_value){
            .known = !aggregate->fault, .number = aggregate->number, .fault = g_strdup(aggregate->fault)};
    }
    return true;
}

static bool walk(struct taking *taking, const struct measures_wish *wish, struct measure_value *into, GError **error)
{
    auto_(session) session = NULL;
    struct whole_walk walk = {.input = wish->input, .mem = taking->mem, .record = take_record, .self = taking};
    if (!store_session_open(&session, wish->input->target, error))
        return false;
    walk.session = session;
    return whole_walk(&walk, error) && end(taking, into, error);
}

static void ask(const struct measures *measures, const struct measures_wish *wish, size_t i, struct measure_value *into)
{
    g_autoptr(GError) failed = NULL;
    double value;
    if (wish->ask(wish->self, &measures->of[i], wish->input->cancel, &value, &failed) &&
        decimal_from_double(value, &into->number))
        into->known = true;
    else
        into->fault = g_strdup(failed ? failed->message : "what it gives is no number");
}

/* Of all servers together. One that was started anew, or another that has taken over, counts from nought: then the
 * figure has changed, and nobody knows what it hides. */
static bool count_evicted(const struct verify_input *input, struct measure_value *into, GError **error)
{
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(HEALTH_BYTES);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    struct call call = {.ds = &input->target_ds, .mem = mem, .cancel = input->cancel};
    int64_t evicted = 0;
    bool known = store_can(store_driver(input->target), CAN_HEALTH);
    if (known && (!store_session_open(&session, input->target, error) || !store_health(session, &call, nodes, error)))
        return false;
    for (guint i = 0; i < nodes->len; i++) {
        int64_t of_node = g_array_index(nodes, struct node_health, i).evicted;
        known &= of_node >= 0;
        evicted += MAX(of_node, 0);
    }
    into->known = known && nodes->len > 0;
    if (into->known)
        decimal_from_i64(evicted, &into->number);
    else
        into->fault = g_strdup("the target's store does not say how many keys it has evicted");
    return true;
}

static bool take_besides(const struct measures *measures, const struct measures_wish *wish, struct measure_value *into,
                         GError **error)
{
    bool ok = true;
    for (size_t i = 0; ok && i < measures->n; i++)
        if (spec_measure_is_outside(&measures->of[i]))
            ask(measures, wish, i, &into[i]);
        else if (measures->of[i].evicted)
            ok = count_evicted(wish->input, &into[i], error);
    return ok;
}

bool measures_take(const struct measures *measures, const struct measures_wish *wish, struct measure_value *into,
                   GError **error)
{
    struct taking taking = {.measures = measures, .aggregates = g_new0(struct aggregate, measures->n)};
    bool any = false, ok = take_besides(measures, wish, into, error);
    for (size_t i = 0; i < measures->n; i++)
        any |= is_of_dataset(measures, i);
    any &= ok;
    taking.mem = arena_new(BATCH_BYTES);
    ok = ok && (!any || (begin(&taking, wish->input, error) && walk(&taking, wish, into, error)));
    for (size_t i = 0; i < measures->n && any; i++)
        if (is_of_dataset(measures, i))
            aggregate_done(&taking.aggregates[i]);
    arena_free(taking.mem);
    g_free(taking.aggregates);
    return ok || error_add(error, "measures");
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

static char *value_words(const struct measure_value *value)
{
    char text[DECIMAL_TEXT];
    return g_strdup(value->known ? decimal_text(&value->number, text) : "?");
}

/* |after - before| <= share * |before|, in decimals; false where that needs more digits than there are. */
static bool is_within(const struct measure_value *before, const struct measure_value *after, double share)
{
    bson_decimal128_t moved, most, zero, of, minus;
    decimal_from_i64(0, &zero);
    decimal_from_i64(-1, &minus);
    bool ok = decimal_compute(DECIMAL_SUBTRACT, &after->number, &before->number, &moved, NULL) &&
              decimal_from_double(share, &of) && decimal_compute(DECIMAL_MULTIPLY, &before->number, &of, &most, NULL);
    if (ok && decimal_compare(&moved, &zero) < 0)
        ok = decimal_compute(DECIMAL_MULTIPLY, &moved, &minus, &moved, NULL);
    if (ok && decimal_compare(&most, &zero) < 0)
        ok = decimal_compute(DECIMAL_MULTIPLY, &most, &minus, &most, NULL);
    return ok && decimal_compare(&moved, &most) <= 0;
}

static char *changed_too_much(const struct measures *measures, size_t i)
{
    const struct measure_value *before = &measures->before[i], *after = &measures->after[i];
    double change = measures->of[i].change;
    if (isinf(change) || (!before->known && !before->fault)) /* a spec without a run has no before */
        return NULL;
    if (!before->known)
        return g_strdup_printf("what it was before is not known: %s", before->fault);
    if (is_within(before, after, change))
        return NULL;
    g_autofree char *was = value_words(before), *is = value_words(after);
    return g_strdup_printf("%s before and %s now: more than %.10g%% apart", was, is, change * 100);
}

static char *beyond(const struct measures *measures, size_t i)
{
    const struct spec_measure *of = &measures->of[i];
    const struct measure_value *after = &measures->after[i];
    bson_decimal128_t limit;
    g_autofree char *is = value_words(after);
    bool few = of->least.len && aggregate_number_of(of->least, &limit) && decimal_compare(&after->number, &limit) < 0;
    bool many = of->most.len && aggregate_number_of(of->most, &limit) && decimal_compare(&after->number, &limit) > 0;
    if (!few && !many)
        return NULL;
    g_autofree char *than = aggregate_value_text(few ? of->least : of->most);
    return g_strdup_printf("%s, and %s at %s was expected", is, than, few ? "least" : "most");
}

bool measures_hold(const struct measures *measures, size_t i, char **ret_why)
{
    const struct spec_measure *of = &measures->of[i];
    bool limited = !isinf(of->change) || of->least.len || of->most.len;
    *ret_why = NULL;
    if (!measures->after[i].known)
        *ret_why = g_strdup(measures->after[i].fault ? measures->after[i].fault : "it was not taken");
    else
        *ret_why = changed_too_much(measures, i);
    if (!*ret_why)
        *ret_why = beyond(measures, i);
    return !*ret_why || !limited;
}

uint64_t measures_broken(const struct measures *measures)
{
    uint64_t broken = 0;
    for (size_t i = 0; measures && i < measures->n; i++) {
        g_autofree char *why = NULL;
        broken += !measures_hold(measures, i, &why);
    }
    return broken;
}

/* --- told --------------------------------------------------------------------------------------------------------- */

char *measures_words(const struct measures *measures, size_t i)
{
    g_autofree char *before = value_words(&measures->before[i]), *forecast = value_words(&measures->forecast[i]);
    g_autofree char *after = value_words(&measures->after[i]);
    return g_strdup_printf("%s before, %s forecast, %s now", before, forecast, after);
}

static json_t *value_json(const struct measure_value *value)
{
    g_autofree char *words = value_words(value);
    return value->known ? json_string(words) : json_null();
}

json_t *measures_json(const struct measures *measures)
{
    json_t *list = json_array();
    for (size_t i = 0; i < measures->n; i++) {
        g_autofree char *why = NULL;
        bool holds = measures_hold(measures, i, &why);
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:b, s:s?}", "name", measures->of[i].name, "before",
                                              value_json(&measures->before[i]), "forecast",
                                              value_json(&measures->forecast[i]), "after",
                                              value_json(&measures->after[i]), "holds", holds, "why", why));
    }
    return list;
}

json_t *measures_values_json(const struct measures *measures, const struct measure_value *values)
{
    json_t *object = json_object();
    for (size_t i = 0; i < measures->n; i++)
        json_object_set_new(object, measures->of[i].name, value_json(&values[i]));
    return object;
}

void measures_values_take(const struct measures *measures, const json_t *object, struct measure_value *into)
{
    for (size_t i = 0; i < measures->n; i++) {
        const char *text = json_string_value(json_object_get(object, measures->of[i].name));
        into[i].known = text && decimal_parse(slice_of_text(text), &into[i].number, NULL);
        if (!into[i].known && object && !into[i].fault)
            into[i].fault = g_strdup("it could not be taken then");
    }
}
