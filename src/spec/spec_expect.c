/* What a spec expects of the target after a run: pinned records and aggregates. */
#include <jansson.h>

#include "record/decimal.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

#define VALUE "is" /* the one field of the document that holds an expected value */

/* --- values ------------------------------------------------------------------------------------------------------- */

static void put_text(GString *into, const char *text)
{
    json_t *string = json_string(text);
    char *json = json_dumps(string, JSON_ENCODE_ANY);
    g_string_append(into, json);
    free(json);
    json_decref(string);
}

static bool put_number(struct rows_reader *reader, const struct yaml_node *node, GString *into)
{
    int64_t whole;
    bson_decimal128_t decimal;
    char text[DECIMAL_TEXT];
    if (decimal_parse(slice_of_text(node->text), &decimal, NULL)) {
        g_string_append(into, decimal_text(&decimal, text));
        return true;
    }
    if (node->kind != YAML_INT) /* infinity, or a way of writing that JSON has not */
        return yaml_expected(reader->yaml, node, "a number such as 12.50");
    if (!yaml_get_i64(reader->yaml, node, &whole))
        return false;
    g_string_append_printf(into, "%" G_GINT64_FORMAT, whole);
    return true;
}

static bool put_node(struct rows_reader *reader, const struct yaml_node *node, GString *into);

static bool put_map(struct rows_reader *reader, const struct yaml_node *node, GString *into)
{
    bool ok = true;
    g_string_append_c(into, '{');
    for (size_t i = 0; i < node->n; i++) {
        g_string_append(into, i ? "," : "");
        put_text(into, node->pairs[i].key->text);
        g_string_append_c(into, ':');
        ok &= put_node(reader, node->pairs[i].value, into);
    }
    g_string_append_c(into, '}');
    return ok;
}

static bool put_list(struct rows_reader *reader, const struct yaml_node *node, GString *into)
{
    bool ok = true;
    g_string_append_c(into, '[');
    for (size_t i = 0; i < node->n; i++) {
        g_string_append(into, i ? "," : "");
        ok &= put_node(reader, node->items[i], into);
    }
    g_string_append_c(into, ']');
    return ok;
}

static bool put_node(struct rows_reader *reader, const struct yaml_node *node, GString *into)
{
    bool truth = false;
    switch (node->kind) {
    case YAML_NULL:
        g_string_append(into, "null");
        return true;
    case YAML_BOOL:
        if (!yaml_get_bool(reader->yaml, node, &truth))
            return false;
        g_string_append(into, truth ? "true" : "false");
        return true;
    case YAML_INT:
    case YAML_FLOAT:
        return put_number(reader, node, into);
    case YAML_TEXT:
        put_text(into, node->text);
        return true;
    case YAML_LIST:
        return put_list(reader, node, into);
    case YAML_MAP:
        return put_map(reader, node, into);
    }
    return false;
}

/* The JSON of an object, as a document in the reader's memory. */
static bool take_document(struct rows_reader *reader, const struct yaml_node *node, const GString *json,
                          struct slice *ret)
{
    g_autoptr(GError) failed = NULL;
    return document_from_json(slice_of(json->str, json->len), reader->mem, ret, NULL, &failed) ||
           yaml_fail(reader->yaml, node, "%s", failed->message);
}

static bool read_value(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    g_autoptr(GString) json = g_string_new("{\"" VALUE "\":");
    if (node->kind == YAML_MAP || node->kind == YAML_LIST || node->kind == YAML_NULL)
        return yaml_expected(reader->yaml, node, "a number or a text");
    if (!put_node(reader, node, json))
        return false;
    g_string_append_c(json, '}');
    return take_document(reader, node, json, row_field(row, into));
}

static bool read_document(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                          void *into)
{
    g_autoptr(GString) json = g_string_new(NULL);
    if (node->kind != YAML_MAP || node->n == 0)
        return yaml_expected(reader->yaml, node, "a map of fields such as { tier: gold }");
    return put_node(reader, node, json) && take_document(reader, node, json, row_field(row, into));
}

/* --- an expectation ----------------------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    enum spec_expect_what what;
} WHATS[] = {{"key", SPEC_EXPECT_RECORD},      {"count", SPEC_EXPECT_COUNT},   {"sum", SPEC_EXPECT_SUM},
             {"min", SPEC_EXPECT_MIN},         {"max", SPEC_EXPECT_MAX},       {"distinct", SPEC_EXPECT_DISTINCT},
             {"unique", SPEC_EXPECT_UNIQUE},   {"refers", SPEC_EXPECT_REFERS}, {"valid", SPEC_EXPECT_VALID},
             {"expires", SPEC_EXPECT_EXPIRES}, {"evicts", SPEC_EXPECT_EVICTS}, {"index", SPEC_EXPECT_INDEX},
             {"revived", SPEC_EXPECT_REVIVED}};

static bool find_what(struct rows_reader *reader, const struct yaml_node *node, struct spec_expect *io)
{
    size_t n = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(WHATS); i++)
        if (yaml_find(node, WHATS[i].key)) {
            io->what = WHATS[i].what;
            n++;
        }
    return n == 1 || yaml_fail(reader->yaml, node,
                               "an expectation is about one thing: one of 'key', 'count', 'sum', 'min', 'max', "
                               "'distinct', 'unique', 'refers', 'valid', 'expires', 'evicts', 'index' and 'revived'");
}

/* What stands beside the one thing, and beside which. */
static const struct {
    const char *key;
    enum spec_expect_what first, last;
    const char *words;
} BESIDE[] = {
    {"is", SPEC_EXPECT_SUM, SPEC_EXPECT_DISTINCT, "'is' is an expectation of sum, min, max or distinct"},
    {"fields", SPEC_EXPECT_RECORD, SPEC_EXPECT_RECORD, "'fields' is an expectation of a 'key'"},
    {"absent", SPEC_EXPECT_RECORD, SPEC_EXPECT_RECORD, "'absent' is an expectation of a 'key'"},
    {"to", SPEC_EXPECT_REFERS, SPEC_EXPECT_REFERS, "an expectation of 'refers' says 'to' which dataset, and no other"},
    {"entry", SPEC_EXPECT_INDEX, SPEC_EXPECT_INDEX, "'entry' is an expectation of an 'index'"},
    {"score", SPEC_EXPECT_INDEX, SPEC_EXPECT_INDEX, "'score' is an expectation of an 'index'"},
    {"unit", SPEC_EXPECT_INDEX, SPEC_EXPECT_INDEX, "'unit' is an expectation of an 'index' with a 'score'"}};

static bool check_beside(struct rows_reader *reader, const struct yaml_node *node, const struct spec_expect *expect)
{
    for (size_t i = 0; i < G_N_ELEMENTS(BESIDE); i++) {
        const struct yaml_node *beside = yaml_find(node, BESIDE[i].key);
        if (beside && (expect->what < BESIDE[i].first || expect->what > BESIDE[i].last))
            return yaml_fail(reader->yaml, beside, "%s", BESIDE[i].words);
    }
    const struct yaml_node *unit = yaml_find(node, "unit");
    return !unit || expect->score ||
           yaml_fail(reader->yaml, unit, "'unit' is an expectation of an 'index' with a 'score'");
}

static bool check_expect(struct rows_reader *reader, const struct yaml_node *node, struct spec_expect *io)
{
    const struct yaml_node *valid = yaml_find(node, "valid"), *revived = yaml_find(node, "revived");
    if (!find_what(reader, node, io) || !check_beside(reader, node, io))
        return false;
    if (io->what > SPEC_EXPECT_COUNT && io->what <= SPEC_EXPECT_DISTINCT && !yaml_find(node, "is"))
        return yaml_fail(reader->yaml, node, "an expectation of sum, min, max or distinct says what it 'is'");
    if (io->what == SPEC_EXPECT_REFERS && !io->to)
        return yaml_fail(reader->yaml, node, "an expectation of 'refers' says 'to' which dataset, and no other");
    if (valid && !io->valid)
        return yaml_fail(reader->yaml, valid, "an expectation of 'valid' is true");
    if (revived && io->revived)
        return yaml_fail(reader->yaml, revived, "an expectation of 'revived' is false: what was deleted stays so");
    if (io->what == SPEC_EXPECT_RECORD && (yaml_find(node, "fields") != NULL) == io->absent)
        return yaml_fail(reader->yaml, node, "an expectation of a 'key' has either 'fields' or 'absent: true'");
    return true;
}

static bool is_numeric(struct slice value)
{
    bson_t view;
    bson_iter_t iter;
    return document_view(value, &view) && bson_iter_init_find(&iter, &view, VALUE) &&
           (BSON_ITER_HOLDS_INT64(&iter) || BSON_ITER_HOLDS_DECIMAL128(&iter));
}

static bool read_figure(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    const struct slice *value = row_field(row, into);
    return read_value(reader, row, node, into) &&
           (is_numeric(*value) || yaml_expected(reader->yaml, node, "a number such as 12.50"));
}

static bool check_number(struct rows_reader *reader, const struct yaml_node *node, const struct spec_expect *expect)
{
    bool number = expect->what == SPEC_EXPECT_SUM || expect->what == SPEC_EXPECT_DISTINCT;
    return !number || is_numeric(expect->is) ||
           yaml_expected(reader->yaml, yaml_find(node, "is"), "a number such as 12.50");
}

static bool check_name(struct rows_reader *reader, const struct yaml_node *list, const struct spec_expect *expects,
                       size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (g_strcmp0(expects[i].name, expects[k].name) == 0)
            return yaml_fail(reader->yaml, list->items[i], "an expectation '%s' was there already, on %s",
                             expects[i].name, yaml_place(reader->yaml, list->items[k]));
    return true;
}

static bool read_expect(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node, "a list of expectations such as [{ name: all, count: 1000 }]");
    if (node->n > SPEC_EXPECT_MOST)
        return yaml_fail(reader->yaml, node, "more than %u expectations", SPEC_EXPECT_MOST);
    struct spec_expect *expects = arena_alloc0(reader->mem, node->n * sizeof *expects);
    g_assert(expects);
    spec->expects = expects;
    spec->n_expects = node->n;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++)
        ok &= rows_read_map(reader, "expect[]", node->items[i], &expects[i]) &&
              check_expect(reader, node->items[i], &expects[i]) && check_number(reader, node->items[i], &expects[i]) &&
              check_name(reader, node, expects, i);
    return ok;
}

const struct row_form form_value = {.read = read_value, .schema = "{\"type\": [\"string\", \"number\", \"boolean\"]}"};
const struct row_form form_figure = {.read = read_figure, .schema = "{\"type\": \"number\"}"};
const struct row_form form_document = {.read = read_document, .schema = "{\"type\": \"object\", \"minProperties\": 1}"};
const struct row_form form_expect = {.read = read_expect};
