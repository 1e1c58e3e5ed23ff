#include "kit/kit.h"
#include "record/entry.h"

static int arena_setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int arena_teardown(void **state)
{
    arena_free(*state);
    return 0;
}

/* The record's key is made of these, joined by blanks; "" : of nothing. */
static struct key_paths paths_of(const char *paths)
{
    g_auto(GStrv) words = g_strsplit(paths, " ", -1);
    GError *error = NULL;
    struct key_paths key = {.n = *paths ? g_strv_length(words) : 0};
    key.paths = g_new0(struct path *, key.n + 1);
    for (size_t i = 0; i < key.n; i++)
        kit_ok(path_parse(&key.paths[i], words[i], &error));
    return key;
}

static struct entry_shape *shape_of(const char *place, const char *entry, const char *paths)
{
    GError *error = NULL;
    struct entry_shape *shape = NULL;
    struct key_paths key = paths_of(paths);
    kit_ok(entry_shape_new(&shape, &(struct entry_texts){place, entry, &key}, &error));
    key_paths_done(&key);
    return shape;
}

static char *text_of(const GArray *entries)
{
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < entries->len; i++) {
        const struct entry *entry = &g_array_index(entries, struct entry, i);
        g_string_append_printf(text, "%s%.*s|%.*s", i ? " " : "", (int)entry->place.len, entry->place.data,
                               (int)entry->name.len, entry->name.data);
    }
    return g_string_free(text, FALSE);
}

/* What the record has, and that each of it leads back to the record, among others or not. */
static void has(struct arena *mem, struct entry_shape *shape, const char *key, const char *json, const char *wanted)
{
    GError *error = NULL;
    struct slice document;
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    kit_ok(entry_shape_of(shape, slice_of_text(key), document, mem, entries, &error));
    g_autofree char *text = text_of(entries);
    assert_string_equal(text, wanted);
    for (guint i = 0; i < entries->len; i++) {
        bool back = false;
        g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
        kit_ok(entry_shape_keys(shape, &g_array_index(entries, struct entry, i), mem, keys, &error));
        for (guint k = 0; k < keys->len; k++)
            back |= slice_equal(g_array_index(keys, struct slice, k), slice_of_text(key));
        assert_true(back);
    }
    entry_shape_free(shape);
}

static void a_record_has_an_entry_for_each_value_and_each_leads_back(void **state)
{
    struct arena *mem = *state;
    has(mem, shape_of("idx:{a}", "{key}", ""), "k", "{\"a\": \"x\"}", "x|k");
    has(mem, shape_of("all", "{key}", ""), "k", "{}", "all|k");
    has(mem, shape_of("i", "{a}:{key}", ""), "k:1", "{\"a\": \"x:y\"}", "i|x:y:k:1");
    has(mem, shape_of("i", "{a.b}/{key}", ""), "k", "{\"a\": {\"b\": [1, null, true, \"\", 2.50]}}",
        "i|1/k i|true/k i|2.50/k");
    has(mem, shape_of("{a}:{b}", "{key}", ""), "k", "{\"a\": [\"x:\", \"y\"], \"b\": [1, 2]}",
        "x%3A:1|k y:1|k x%3A:2|k y:2|k");
    has(mem, shape_of("i:{r}:{a}", "m-{id}-", "r id"), "e%3Au:7", "{\"a\": 3, \"r\": \"not this\"}", "e%3Au:3|m-7-");
    has(mem, shape_of("i", "{a}\\x2d\\{{{{key}}}\\x7c", ""), "k", "{\"a\": 1}", "i|1-{{k}|");
    has(mem, shape_of("i", "{a}:{key}", ""), "k", "{\"a\": null}", "");
    has(mem, shape_of("i", "{a}:{key}", ""), "k", "{\"a\": \"\"}", "");
    has(mem, shape_of("i", "{a}:{key}", ""), "k", "{\"b\": 1}", "");
}

static void leads_to(struct arena *mem, struct entry_shape *shape, const char *place, const char *name,
                     const char *wanted)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    struct entry entry = {slice_of_text(place), slice_of_text(name)};
    kit_ok(entry_shape_keys(shape, &entry, mem, keys, &error));
    for (guint i = 0; i < keys->len; i++) {
        struct slice key = g_array_index(keys, struct slice, i);
        g_string_append_printf(text, "%s%.*s", i ? " " : "", (int)key.len, key.data);
    }
    assert_string_equal(text->str, wanted);
    entry_shape_free(shape);
}

static void an_entry_is_taken_apart_in_every_way(void **state)
{
    struct arena *mem = *state;
    leads_to(mem, shape_of("i", "{a}:{key}", ""), "i", "x:y:z", "y:z z");
    leads_to(mem, shape_of("i", "{a}:{key}", ""), "i", "xyz", "");
    leads_to(mem, shape_of("i", "{a}:{key}", ""), "i", ":z", "");
    leads_to(mem, shape_of("i", "p{key}s", ""), "i", "ps", "");
    leads_to(mem, shape_of("i", "p{key}s", ""), "i", "pks", "k");
    leads_to(mem, shape_of("i:{a}", "{a}:{key}", ""), "x:y", "x:y:z", "z");
    leads_to(mem, shape_of("i", "{id}", "id"), "i", "7", "7");
    leads_to(mem, shape_of("i:{r}", "{id}", "r id"), "e:u", "7%", "e%3Au:7%25");
    GError *error = NULL;
    struct entry_shape *shape = shape_of("i", "{a}:{key}", "");
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autofree char *many = g_strnfill(ENTRY_WAYS_MOST + 3, ':');
    struct entry entry = {slice_of_text("i"), slice_of_text(many)};
    kit_refused(entry_shape_keys(shape, &entry, mem, keys, &error), BAD_RECORD, "more than 64 ways");
    entry_shape_free(shape);
}

/* Of no way that comes to its end, however many begin: nobody waits for all of them. */
static void an_entry_that_fits_nowhere_is_given_up(void **state)
{
    GError *error = NULL;
    struct entry_shape *shape = shape_of("i", "{a}:{b}:{c}:{key}#", "");
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    g_autoptr(GString) name = g_string_new(NULL);
    for (int i = 0; i < 2000; i++)
        g_string_append(name, "x:");
    struct entry entry = {slice_of_text("i"), slice_of_text(name->str)};
    kit_refused(entry_shape_keys(shape, &entry, *state, keys, &error), BAD_RECORD,
                "not taken apart within 10000 tries");
    entry_shape_free(shape);
}

static void refused(const char *place, const char *entry, const char *paths, const char *words)
{
    GError *error = NULL;
    struct entry_shape *shape = NULL;
    struct key_paths key = paths_of(paths);
    kit_refused(entry_shape_new(&shape, &(struct entry_texts){place, entry, &key}, &error), SPEC, words);
    key_paths_done(&key);
}

static void what_names_no_record_is_refused(void **state)
{
    refused("i", "{a}", "", "does not say whose it is");
    refused("i:{r}", "{a}", "r id", "does not say whose it is");
    refused("i", "{a}{key}", "", "nothing between them");
    refused("i", "{a", "", "has no '}'");
    refused("i", "a}", "", "ends nothing");
    refused("i", "{}:{key}", "", "names nothing");
    refused("i", "{key}\\", "", "stands before nothing");
    refused("{a}:{b}:{c}:{d}:{e}", "{f}:{g}:{h}:{key}", "", "more than 8");
}

static void a_value_that_is_no_text_is_named(void **state)
{
    struct arena *mem = *state;
    GError *error = NULL;
    struct slice document;
    struct entry_shape *shape = shape_of("i", "{a}:{key}", "");
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
    kit_ok(document_from_json(slice_of_text("{\"a\": [1, {\"b\": 1}]}"), mem, &document, NULL, &error));
    kit_refused(entry_shape_of(shape, slice_of_text("k"), document, mem, entries, &error), BAD_RECORD,
                "'a' is an object");
    entry_shape_free(shape);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_record_has_an_entry_for_each_value_and_each_leads_back, arena_setup,
                                        arena_teardown),
        cmocka_unit_test_setup_teardown(an_entry_that_fits_nowhere_is_given_up, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(an_entry_is_taken_apart_in_every_way, arena_setup, arena_teardown),
        cmocka_unit_test(what_names_no_record_is_refused),
        cmocka_unit_test_setup_teardown(a_value_that_is_no_text_is_named, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
