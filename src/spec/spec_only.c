/* `source.only`: which part of the source is meant. */
#include "base/int.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

static bool refuse_span(struct rows_reader *reader, const struct yaml_node *node)
{
    return yaml_expected(reader->yaml, node, "a number such as 7, or two with a dash between them, such as 0-99");
}

/* `7`, `0-99`. */
static bool read_span(struct rows_reader *reader, const struct yaml_node *node, struct spec_span *ret)
{
    uint64_t from, to;
    if (node->kind != YAML_TEXT && node->kind != YAML_INT)
        return refuse_span(reader, node);
    const char *dash = strchr(node->text, '-');
    struct slice first = dash ? slice_of(node->text, (size_t)(dash - node->text)) : slice_of_text(node->text);
    if (!int_parse_u64(first, &from) || !int_parse_u64(dash ? slice_of_text(dash + 1) : first, &to) ||
        !int_to_u32(from, &ret->from) || !int_to_u32(to, &ret->to))
        return refuse_span(reader, node);
    return ret->from <= ret->to || yaml_fail(reader->yaml, node, "'%s' ends before it begins", node->text);
}

static int by_from(const void *a, const void *b)
{
    const struct spec_span *one = a, *other = b;
    return one->from < other->from ? -1 : one->from > other->from;
}

static bool read_spans(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    bool list = node->kind == YAML_LIST;
    size_t n = list ? node->n : 1;
    struct spec_span *spans = arena_alloc0(reader->mem, (n + 1) * sizeof *spans);
    g_assert(spans);
    if (n == 0)
        return refuse_span(reader, node);
    for (size_t i = 0; i < n; i++)
        if (!read_span(reader, list ? node->items[i] : node, &spans[i]))
            return false;
    qsort(spans, n, sizeof *spans, by_from);
    for (size_t i = 1; i < n; i++)
        if (spans[i].from <= spans[i - 1].to)
            return yaml_fail(reader->yaml, node, "the number %u stands in it twice", spans[i].from);
    const struct spec_span **field = row_field(row, into);
    *field = spans;
    *(size_t *)(void *)(field + 1) = n;
    return true;
}

/* A key as it is written; null: an open end. */
static bool read_end(struct rows_reader *reader, const struct yaml_node *node, const char **ret)
{
    if (node->kind == YAML_LIST || node->kind == YAML_MAP)
        return yaml_expected(reader->yaml, node, "a key, or null for an open end");
    *ret = node->kind == YAML_NULL ? NULL : arena_text(reader->mem, slice_of_text(node->text));
    g_assert(node->kind == YAML_NULL || *ret);
    return true;
}

static bool read_ends(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct spec_only *only = into;
    only->ranged = true;
    if (node->kind != YAML_LIST || node->n != 2)
        return yaml_expected(reader->yaml, node, "[from, to]: the first key and the first behind the last");
    if (!read_end(reader, node->items[0], &only->from) || !read_end(reader, node->items[1], &only->to))
        return false;
    if (!only->from && !only->to)
        return yaml_fail(reader->yaml, node, "a range with two open ends is all of the source: leave 'only' out");
    return !only->from || !only->to || strcmp(only->from, only->to) < 0 ||
           yaml_fail(reader->yaml, node,
                     "the range from '%s' to '%s' holds no key: its end is not behind its beginning", only->from,
                     only->to);
}

static bool read_only(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    if (!rows_read_map(reader, row->key, node, row_field(row, into)))
        return false;
    return node->n == 1 ||
           yaml_fail(reader->yaml, node, "one of 'keys', 'slots', 'key_range' and 'partitions' was expected");
}

#define SCHEMA_SPAN                                                                                                    \
    "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 4294967295}, " SCHEMA_PATTERN(                  \
        "[0-9]+(-[0-9]+)?") "]}"

const struct row_form form_only = {.read = read_only, .schema_beside = "{\"minProperties\": 1, \"maxProperties\": 1}"};
const struct row_form form_spans = {.read = read_spans,
                                    .schema = "{\"anyOf\": [" SCHEMA_SPAN
                                              ", {\"type\": \"array\", \"minItems\": 1, \"items\": " SCHEMA_SPAN "}]}"};
const struct row_form form_ends = {
    .read = read_ends,
    .schema = "{\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2, \"items\": {\"type\": [\"string\", \"number\", "
              "\"boolean\", \"null\"]}}"};
