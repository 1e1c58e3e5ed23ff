#include <jansson.h>

#include "kit/kit.h"
#include "spec/spec.h"

/* What another key asks for, or what asks for it. */
static bool goes_along(const char *key, const char *wanted)
{
    static const char *const ALWAYS[] = {"source.dataset", "params.*.default", "source.range.to", NULL};
#define SIGNAL(name) "protect.signals[]." name
    static const struct {
        const char *const wanted[5], *const along[4];
    } SOME[] = {
        {{"hooks[].url", "hooks[].secret", "hooks[].ca"}, {"hooks[].url", "hooks[].secret"}},
        {{"hooks[].mail"}, {"hooks[].mail"}},
        {{SIGNAL("prometheus"), SIGNAL("query")}, {SIGNAL("prometheus"), SIGNAL("query"), SIGNAL("above")}},
        {{SIGNAL("url"), SIGNAL("token"), SIGNAL("ca")}, {SIGNAL("url"), SIGNAL("above")}},
        {{SIGNAL("below")}, {SIGNAL("run")}},
        {{"expect[].count", "expect[].unique", "expect[].expires", "expect[].evicts"}, {"expect[].name"}},
        {{"expect[].revived"}, {"expect[].name"}},
        {{"expect[].index", "expect[].entry", "expect[].score"}, {"expect[].index"}},
        {{"expect[].unit"}, {"expect[].index", "expect[].score"}},
        {{"expect[].valid"}, {"contract"}},
        {{"expect[].refers", "expect[].to"}, {"expect[].refers", "expect[].to"}},
        {{"expect[].sum", "expect[].min", "expect[].max", "expect[].distinct"}, {"expect[].is"}},
        {{"expect[].is"}, {"expect[].sum"}},
        {{"expect[].key", "expect[].absent"}, {"expect[].key", "expect[].absent"}},
        {{"expect[].fields"}, {"expect[].key"}},
        {{"measures[].sum", "measures[].evicted", "measures[].url", "measures[].run"}, {"source.dataset"}},
        {{"measures[].distinct"}, {"source.dataset"}},
        {{"measures[].prometheus", "measures[].query"},
         {"source.dataset", "measures[].prometheus", "measures[].query"}},
        {{"measures[].timeout"}, {"source.dataset", "measures[].run"}},
        {{"cause", "cause.id", "cause.probe", "cause.probe.field"}, {"source.dataset", "contract"}},
        {{"cause.probe.after", "cause.probe.where"}, {"source.dataset", "contract"}},
        {{"protect.enabled.dataset"}, {"protect.enabled.key"}},
        {{"budget.cost"}, {"source.dataset", "prices"}},
        {{"budget.burn"}, {"source.dataset", "prices", "budget.cost"}},
        {{"protect.enabled.token", "protect.enabled.ca"}, {"protect.enabled.url"}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(SOME); i++)
        if (g_strv_contains(SOME[i].wanted, wanted))
            return g_strv_contains(SOME[i].along, key);
    return g_strv_contains(ALWAYS, key) || g_str_equal(key, "hooks[].run") || g_str_equal(key, SIGNAL("run")) ||
           g_str_equal(key, SIGNAL("above")) || g_str_equal(key, "expect[].count") ||
           g_str_equal(key, "measures[].count");
}

/* A spec with one key set to its row's example, and around it no more than what is required. */
static void emit(GString *into, const char *prefix, const struct spec_row *wanted);

static bool leads_to(const struct spec_row *row, const struct spec_row *wanted)
{
    size_t len = strlen(row->key);
    return strncmp(row->key, wanted->key, len) == 0 && (wanted->key[len] == '.' || wanted->key[len] == '[');
}

static void emit_row(GString *into, const struct spec_row *row, const struct spec_row *wanted)
{
    const char *name = strrchr(row->key, '.');
    name = name ? name + 1 : row->key;
    g_string_append_printf(into, "%s: ", strcmp(name, "*") == 0 ? "any" : name);
    if (row == wanted || !leads_to(row, wanted)) {
        g_string_append(into, row->example);
    } else if (wanted->key[strlen(row->key)] == '[') {
        g_autofree char *items = g_strconcat(row->key, "[]", NULL);
        g_string_append(into, "[");
        emit(into, items, wanted);
        bool not_all = g_str_has_prefix(wanted->key, "stages[].scope."); /* the last one reaches 100% */
        g_string_append(into, not_all ? ", { name: rest, scope: 100% }]" : "]");
    } else {
        emit(into, row->key, wanted);
    }
}

static void emit(GString *into, const char *prefix, const struct spec_row *wanted)
{
    size_t n, len = strlen(prefix);
    const struct spec_row *rows = spec_rows(&n);
    const char *comma = "{ ";
    for (size_t i = 0; i < n; i++) {
        const char *name = rows[i].key + len + (len > 0);
        bool below = len == 0 || (strncmp(rows[i].key, prefix, len) == 0 && rows[i].key[len] == '.');
        if (!below || strpbrk(name, ".["))
            continue;
        bool on_the_way = &rows[i] == wanted || leads_to(&rows[i], wanted);
        if (!on_the_way && !rows[i].required && !goes_along(rows[i].key, wanted->key))
            continue;
        g_string_append(into, comma);
        emit_row(into, &rows[i], wanted);
        comma = ", ";
    }
    g_string_append(into, " }");
}

static void every_row_has_words_and_an_example_that_is_read_or_refused_by_name(void **state)
{
    size_t n, refused = 0;
    const struct spec_row *rows = spec_rows(&n);
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        auto_(spec) spec = NULL;
        if (!rows[i].words || !rows[i].words[0] || !rows[i].example || !rows[i].form)
            fail_msg("%s: has no words, example or form", rows[i].key);
        emit(text, "", &rows[i]);
        bool ok = spec_parse(&spec, "s.yaml", slice_of_text(text->str), &error);
        if (!rows[i].acts && !ok)
            fail_msg("%s: its example is refused: %s\n%s", rows[i].key, error->message, text->str);
        if (!rows[i].acts)
            continue;
        refused++;
        if (ok || !strstr(error->message, "this version does not act on it"))
            fail_msg("%s: is not refused by name: %s", rows[i].key, ok ? text->str : error->message);
    }
    assert_true(refused > 0 && refused < n);
}

static void a_parent_stands_before_its_children_and_no_key_stands_twice(void **state)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(spec_row_find(rows[i].key), &rows[i]);
        const char *dot = strrchr(rows[i].key, '.');
        if (!dot)
            continue;
        g_autofree char *parent = g_strndup(rows[i].key, (size_t)(dot - rows[i].key));
        if (g_str_has_suffix(parent, "[]"))
            parent[strlen(parent) - 2] = '\0';
        const struct spec_row *row = spec_row_find(parent);
        if (!row || row >= &rows[i])
            fail_msg("%s: its parent does not stand before it", rows[i].key);
        if (row->acts && !rows[i].acts)
            fail_msg("%s: is below a key that is refused", rows[i].key);
    }
}

/* A line of the page's table. */
static char *page_line(const struct spec_row *row)
{
    const char *fallback = row->required ? "**required**" : row->fallback ? row->fallback : "";
    g_autofree char *words = row->acts ? g_strdup_printf("%s — *refused: %s*", row->words, row->acts) : NULL;
    g_autoptr(GString) form = g_string_new(row->form);
    g_string_replace(form, " | ", " \\| ", 0); /* a bar would end the cell */
    return g_strdup_printf("| `%s` | %s | %s | %s |", row->key, form->str, fallback, words ? words : row->words);
}

static void the_page_has_every_row_as_the_table_has_it(void **state)
{
    size_t n;
    const struct spec_row *rows = spec_rows(&n);
    g_autofree char *path = g_build_filename(g_getenv("SLUICE_SOURCE"), "docs", "spec.md", NULL);
    g_autofree char *page = NULL;
    assert_true(g_file_get_contents(path, &page, NULL, NULL));
    for (size_t i = 0; i < n; i++) {
        g_autofree char *line = page_line(&rows[i]);
        if (!strstr(page, line))
            fail_msg("docs/spec.md lacks the line\n%s", line);
    }
}

static void a_mistyped_key_has_a_nearest_one(void **state)
{
    assert_string_equal(spec_row_nearest("target.conflcit"), "target.conflict");
    assert_null(spec_row_nearest("zzzzzzzzzz"));
    assert_null(spec_row_find("target.conflcit"));
}

static const json_t *below(const json_t *schema, const char *key)
{
    return json_object_get(json_object_get(schema, "properties"), key);
}

/* A scalar, where no param stands in its place. */
static const json_t *plain(const json_t *schema)
{
    const json_t *any = json_object_get(schema, "anyOf");
    assert_int_equal(json_array_size(any), 2);
    return json_array_get(any, 0);
}

static void the_schema_has_what_the_rows_have(void **state)
{
    json_error_t fault;
    g_autofree char *text = spec_schema_json();
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
    assert_non_null(schema);
    const json_t *required = json_object_get(schema, "required");
    assert_int_equal(json_array_size(required), 4);
    assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
    const json_t *workers = below(schema, "workers");
    assert_null(json_object_get(workers, "default")); /* the plan decides */
    assert_int_equal(json_integer_value(json_object_get(below(schema, "priority"), "default")), 5);
    assert_int_equal(json_integer_value(json_object_get(plain(workers), "maximum")), 64);
    const json_t *write = below(below(schema, "target"), "write");
    assert_int_equal(json_array_size(json_object_get(plain(write), "enum")), 3);
    const json_t *stage = json_object_get(below(schema, "stages"), "items");
    assert_non_null(below(stage, "scope"));
    assert_non_null(below(below(stage, "gate"), "verify"));
    assert_non_null(below(below(schema, "retain"), "undo"));
    json_decref(schema);
}

static void keys_fit_what_users_type(void **state)
{
    static const struct {
        const char *key, *typed;
        bool fits, whole;
    } CASES[] = {
        {"target.conflict", "target.conflict", true, true},
        {"target.conflict", "conflict", true, false},
        {"target.conflict", "target", false, false},
        {"target.conflict", "conflic", false, false},
        {"target.conflict", "get.conflict", false, false},
        {"target.conflict", "target.conflict.x", false, false},
        {"target.conflict", "", false, false},
        {"target.conflict", "target.", false, false},
        {"target.conflict", ".conflict", false, false},
        {"stages[].gate.verify", "stages[].gate.verify", true, true},
        {"stages[].gate.verify", "stages.gate.verify", true, true},
        {"stages[].gate.verify", "stages[2].gate.verify", true, true},
        {"stages[].gate.verify", "gate.verify", true, false},
        {"fields.*.type", "fields.tier.type", true, true},
        {"fields.*.type", "fields.address.zip.type", true, true},
        {"fields.*.type", "fields.type", false, false},
        {"fields.*.type", "type", true, false},
        {"fields.*", "fields.tier", true, true},
        {"fields.*", "tier", false, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        bool whole = !CASES[i].whole;
        if (rows_key_fits(CASES[i].key, CASES[i].typed, &whole) != CASES[i].fits || whole != CASES[i].whole)
            fail_msg("%s as %s", CASES[i].key, CASES[i].typed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_fit_what_users_type),
        cmocka_unit_test(every_row_has_words_and_an_example_that_is_read_or_refused_by_name),
        cmocka_unit_test(a_parent_stands_before_its_children_and_no_key_stands_twice),
        cmocka_unit_test(the_page_has_every_row_as_the_table_has_it),
        cmocka_unit_test(a_mistyped_key_has_a_nearest_one),
        cmocka_unit_test(the_schema_has_what_the_rows_have),
    };
    return cmocka_run_group_tests_name("spec/rows", tests, NULL, NULL);
}
