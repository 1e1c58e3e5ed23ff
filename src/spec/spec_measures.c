/* Named figures of a spec, and what they may become. */
#include <math.h>

#include "record/decimal.h"
#include "spec/spec_rows.h"

/* What a figure is of. */
static bool check_kind(struct rows_reader *reader, const struct yaml_node *node, const struct spec_measure *measure)
{
    static const char *const KINDS[] = {"count", "sum", "distinct", "evicted", "prometheus", "url", "run"};
    const struct yaml_node *query = yaml_find(node, "query"), *timeout = yaml_find(node, "timeout");
    size_t n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++)
        n += yaml_find(node, KINDS[i]) != NULL;
    if (n != 1)
        return yaml_fail(reader->yaml, node,
                         "a measure is of one thing: one of 'count', 'sum', 'distinct', 'evicted', 'prometheus', 'url' "
                         "and 'run'");
    if (yaml_find(node, "count") && !measure->count)
        return yaml_fail(reader->yaml, yaml_find(node, "count"), "a measure of 'count' is true");
    if (yaml_find(node, "evicted") && !measure->evicted)
        return yaml_fail(reader->yaml, yaml_find(node, "evicted"), "a measure of 'evicted' is true");
    if ((query != NULL) != (measure->outside.prometheus != NULL))
        return yaml_fail(reader->yaml, query ? query : node,
                         "a measure of 'prometheus' has a 'query', and no other has");
    if (timeout && !spec_measure_is_outside(measure))
        return yaml_fail(reader->yaml, timeout, "'timeout' is for a measure of what is outside");
    return true;
}

/* Limits that no figure keeps. */
static bool check_limits(struct rows_reader *reader, const struct yaml_node *node)
{
    const struct yaml_node *least = yaml_find(node, "least"), *most = yaml_find(node, "most");
    bson_decimal128_t low, high;
    return !least || !most || !decimal_parse(slice_of_text(least->text), &low, NULL) ||
           !decimal_parse(slice_of_text(most->text), &high, NULL) || decimal_compare(&low, &high) <= 0 ||
           yaml_fail(reader->yaml, least, "'least: %s' is above 'most: %s' on %s", least->text, most->text,
                     yaml_place(reader->yaml, most));
}

static bool check_name(struct rows_reader *reader, const struct yaml_node *list, const struct spec *spec, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (g_strcmp0(spec->measures[i].name, spec->measures[k].name) == 0)
            return yaml_fail(reader->yaml, list->items[i], "a measure '%s' was there already, on %s",
                             spec->measures[i].name, yaml_place(reader->yaml, list->items[k]));
    return true;
}

static bool read_measures(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node,
                             "a list of measures such as [{ name: balances, sum: balance, change: 0.1% }]");
    if (node->n > SPEC_MEASURES_MOST)
        return yaml_fail(reader->yaml, node, "more than %u measures", SPEC_MEASURES_MOST);
    struct spec_measure *measures = arena_alloc0(reader->mem, node->n * sizeof *measures);
    g_assert(measures);
    spec->measures = measures;
    spec->n_measures = node->n;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        measures[i].change = INFINITY;
        ok &= rows_read_map(reader, "measures[]", node->items[i], &measures[i]) &&
              check_kind(reader, node->items[i], &measures[i]) && check_limits(reader, node->items[i]) &&
              check_name(reader, node, spec, i);
        measures[i].outside.name = measures[i].name;
    }
    return ok;
}

const struct row_form form_measures = {.read = read_measures};
