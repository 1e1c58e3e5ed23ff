#include "kit/document.h"

#include "record/diff.h"

/* A line a change: `path before -> after`. */
static char *changes(const char *before, const char *after)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    GString *text = g_string_new(NULL);
    kit_ok(diff_documents(kit_document(before, mem), kit_document(after, mem), mem, found, &error));
    for (guint i = 0; i < found->len; i++) {
        const struct diff_change *change = &g_array_index(found, struct diff_change, i);
        g_string_append_printf(text, "%s %s -> %s\n", change->path, change->before ? change->before : "()",
                               change->after ? change->after : "()");
    }
    return g_string_free(text, FALSE);
}

static void fields_are_told_by_their_paths_and_values(void **state)
{
    static const struct {
        const char *before, *after, *changes;
    } CASES[] = {
        {"{\"a\":1,\"b\":\"x\"}", "{\"a\":1,\"b\":\"x\"}", ""},
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", ""}, /* the order of fields is no change */
        {"{\"a\":1}", "{\"a\":2}", "a 1 -> 2\n"},
        {"{\"a\":10}", "{\"a\":10.0}", "a 10 -> 10.0\n"},
        {"{\"a\":\"1\"}", "{\"a\":1}", "a \"1\" -> 1\n"},
        {"{\"a\":1}", "{\"b\":1}", "b () -> 1\na 1 -> ()\n"},
        {"{\"a\":null}", "{}", "a null -> ()\n"},
        {"{\"a\":{\"b\":{\"c\":1,\"d\":2}}}", "{\"a\":{\"b\":{\"c\":1,\"d\":3}}}", "a.b.d 2 -> 3\n"},
        {"{\"a\":{\"b\":1}}", "{\"a\":[1]}", "a {\"b\":1} -> [1]\n"},
        {"{\"a\":[1,2]}", "{\"a\":[1,3]}", "a [1,2] -> [1,3]\n"},
        {"{\"a.b\":1,\"c\\\\\":{\"d\":1}}", "{\"a.b\":2,\"c\\\\\":{\"d\":2}}", "a\\.b 1 -> 2\nc\\\\.d 1 -> 2\n"},
        {"", "{\"a\":{\"b\":1}}", "a () -> {\"b\":1}\n"},
        {"{\"a\":1}", "", "a 1 -> ()\n"},
        {"{\"a\":\"\\u0001\\\"ü\"}", "{\"a\":true}", "a \"\\u0001\\\"ü\" -> true\n"},
        {"", "", ""},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *found = changes(CASES[i].before, CASES[i].after);
        assert_string_equal(found, CASES[i].changes);
    }
}

static void values_that_look_the_same_have_different_types(void **state)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    bson_t time;
    bson_init(&time);
    bson_append_date_time(&time, "t", 1, 0);
    struct slice text = kit_document("{\"t\":\"1970-01-01T00:00:00.000Z\"}", mem);
    kit_ok(diff_documents(text, slice_of(bson_get_data(&time), time.len), mem, found, &error));
    assert_int_equal(found->len, 1);
    const struct diff_change *change = &g_array_index(found, struct diff_change, 0);
    assert_string_equal(change->before, change->after);
    assert_string_not_equal(change->before_type, change->after_type);
    bson_destroy(&time);
}

static void bytes_that_are_no_document_are_refused(void **state)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    const uint8_t bytes[] = {9, 0, 0, 0, 2, 'a', 0, 9, 0};
    kit_refused(diff_documents(slice_of(bytes, sizeof bytes), SLICE_EMPTY, mem, found, &error), BAD_RECORD, "not BSON");
}

static void what_does_not_fit_is_refused(void **state)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    auto_(arena) small = arena_new(64);
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    g_autofree char *long_text = g_strnfill(1000, 'x');
    g_autofree char *json = g_strdup_printf("{\"a\":\"%s\"}", long_text);
    kit_refused(diff_documents(SLICE_EMPTY, kit_document(json, mem), small, found, &error), TOO_BIG, "does not fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_told_by_their_paths_and_values),
        cmocka_unit_test(values_that_look_the_same_have_different_types),
        cmocka_unit_test(bytes_that_are_no_document_are_refused),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
