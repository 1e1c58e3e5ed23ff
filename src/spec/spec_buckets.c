/* Time buckets of a spec. */
#include "spec/spec_rows.h"

static bool check_name(struct rows_reader *reader, const struct yaml_node *list, const struct spec *spec, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (g_strcmp0(spec->buckets[i].name, spec->buckets[k].name) == 0)
            return yaml_fail(reader->yaml, list->items[i], "time buckets '%s' were there already, on %s",
                             spec->buckets[i].name, yaml_place(reader->yaml, list->items[k]));
    return true;
}

static bool read_buckets(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node,
                             "a list of time buckets such as [{ name: hours, field: updated_at, width: 1h }]");
    if (node->n > SPEC_BUCKETS_MOST)
        return yaml_fail(reader->yaml, node, "more than %u time buckets", SPEC_BUCKETS_MOST);
    spec->buckets = arena_alloc0(reader->mem, node->n * sizeof *spec->buckets);
    g_assert(spec->buckets);
    spec->n_buckets = node->n;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++)
        ok &=
            rows_read_map(reader, "buckets[]", node->items[i], &spec->buckets[i]) && check_name(reader, node, spec, i);
    return ok;
}

const struct row_form form_buckets = {.read = read_buckets};
