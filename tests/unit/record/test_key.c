#include "kit/kit.h"
#include "record/key.h"

/* `paths` are joined by blanks. */
static struct key_paths paths_of(const char *paths)
{
    g_auto(GStrv) words = g_strsplit(paths, " ", -1);
    GError *error = NULL;
    struct key_paths key = {.n = g_strv_length(words)};
    key.paths = g_new0(struct path *, key.n);
    for (size_t i = 0; i < key.n; i++)
        kit_ok(path_parse(&key.paths[i], words[i], &error));
    return key;
}

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

static struct slice document_of(struct arena *mem, const char *json)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    return document;
}

static void makes(struct arena *mem, const char *paths, struct slice document, const char *wanted)
{
    GError *error = NULL;
    struct key_paths key = paths_of(paths);
    struct slice made = SLICE_EMPTY;
    kit_ok(key_make(&key, document, mem, &made, &error));
    kit_equal_text(made, wanted);
    key_paths_done(&key);
    assert_int_equal(key.n, 0);
}

static void refused(struct arena *mem, const char *paths, struct slice document, const char *part)
{
    GError *error = NULL;
    struct key_paths key = paths_of(paths);
    struct slice made;
    kit_refused(key_make(&key, document, mem, &made, &error), BAD_RECORD, part);
    key_paths_done(&key);
}

static void each_value_has_its_text(void **state)
{
    struct arena *mem = *state;
    struct slice document =
        document_of(mem, "{\"s\":\"user:7%\",\"i\":-42,\"d\":0.10,\"big\":18446744073709551615,\"t\":true,"
                         "\"f\":false,\"o\":{\"k\":\"inner\"},\"e\":1e40,\"z\":\"a\\u0000b\"}");
    makes(mem, "s", document, "user:7%"); /* a single part is taken as it is */
    makes(mem, "i", document, "-42");
    makes(mem, "d", document, "0.10");
    makes(mem, "big", document, "18446744073709551615");
    makes(mem, "e", document, "1E+40");
    makes(mem, "t", document, "true");
    makes(mem, "f", document, "false");
    makes(mem, "o.k", document, "inner");
    bson_t *b = BCON_NEW("i", BCON_INT32(-7), "w", BCON_DATE_TIME(1783684800123), "u",
                         BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16));
    document = slice_of(bson_get_data(b), b->len);
    makes(mem, "i", document, "-7");
    makes(mem, "w", document, "2026-07-10T12:00:00.123Z");
    makes(mem, "u", document, "30313233-3435-3637-3839-616263646566");
    bson_destroy(b);
}

static void a_key_may_hold_any_byte(void **state)
{
    struct arena *mem = *state;
    struct key_paths key = paths_of("z");
    GError *error = NULL;
    struct slice made = SLICE_EMPTY;
    kit_ok(key_make(&key, document_of(mem, "{\"z\":\"a\\u0000b\"}"), mem, &made, &error));
    assert_true(slice_equal(made, slice_of("a\0b", 3)));
    key_paths_done(&key);
}

static void several_parts_are_joined_so_that_no_two_share_a_key(void **state)
{
    struct arena *mem = *state;
    makes(mem, "a b", document_of(mem, "{\"a\":\"x\",\"b\":7}"), "x:7");
    makes(mem, "a b c", document_of(mem, "{\"a\":\"x:y\",\"b\":\"100%\",\"c\":\"%3A\"}"), "x%3Ay:100%25:%253A");
    makes(mem, "a b", document_of(mem, "{\"a\":\"x:y\",\"b\":\"z\"}"), "x%3Ay:z");
    makes(mem, "a b", document_of(mem, "{\"a\":\"x\",\"b\":\"y:z\"}"), "x:y%3Az");
    makes(mem, "a b", document_of(mem, "{\"a\":\"\",\"b\":\"\"}"), ":");
    makes(mem, "a a", document_of(mem, "{\"a\":\"x\"}"), "x:x");
}

static void what_makes_no_key_is_refused_naming_its_path(void **state)
{
    struct arena *mem = *state;
    struct slice document = document_of(mem, "{\"n\":null,\"o\":{\"x\":1},\"l\":[1],\"e\":\"\",\"s\":\"x\"}");
    refused(mem, "n", document, "'n' is null; a key is made of");
    refused(mem, "o", document, "'o' is an object");
    refused(mem, "l", document, "'l' is an array");
    refused(mem, "e", document, "'e' is empty");
    refused(mem, "o.y", document, "there is nothing at 'o.y'");
    refused(mem, "s missing", document, "there is nothing at 'missing'");
    refused(mem, "n s", document, "'n' is null");
    bson_decimal128_t nan;
    bson_decimal128_from_string("NaN", &nan);
    bson_t *b = BCON_NEW("d", BCON_DOUBLE(1), "b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"x", 1), "n",
                         BCON_DECIMAL128(&nan));
    document = slice_of(bson_get_data(b), b->len);
    refused(mem, "d", document, "'d' is a double");
    refused(mem, "b", document, "'b' is binary");
    refused(mem, "n", document, "'n' is a decimal");
    bson_destroy(b);
}

static void any_key_is_shown_and_read_back_from_bson_and_json(void **state)
{
    static const struct {
        const char *key;
        size_t len;
        const char *json;
    } rows[] = {
        {"user:7", 6, "{\"key\":\"user:7\"}"},
        {"", 0, "{\"key\":\"\"}"},
        {"a\0b", 3, "{\"key\":\"a\\u0000b\"}"},
        {"é", 2, "{\"key\":\"é\"}"},
        {"\xff\0x", 3, "{\"key\":{\"base64\":\"/wB4\"}}"},
        {"\xc3", 1, "{\"key\":{\"base64\":\"ww==\"}}"},
    };
    struct arena *mem = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        g_autoptr(GString) text = g_string_new("");
        struct slice key = slice_of(rows[i].key, rows[i].len), back = SLICE_EMPTY;
        bson_t shown = BSON_INITIALIZER, again;
        bson_iter_t iter;
        key_show(key, "key", &shown);
        assert_true(bson_iter_init_find(&iter, &shown, "key") && key_shown(&iter, mem, &back));
        assert_true(slice_equal(key, back));
        kit_ok(document_to_json(slice_of(bson_get_data(&shown), shown.len), text, &error));
        assert_string_equal(text->str, rows[i].json);
        assert_true(document_view(document_of(mem, text->str), &again));
        assert_true(bson_iter_init_find(&iter, &again, "key") && key_shown(&iter, mem, &back));
        assert_true(slice_equal(key, back));
        bson_destroy(&shown);
    }
}

static void what_shows_no_key_is_told(void **state)
{
    static const char *const texts[] = {"{\"key\":1}", "{\"key\":null}", "{\"key\":{}}", "{\"key\":{\"base64\":1}}",
                                        "{\"key\":[\"base64\"]}"};
    struct arena *mem = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct slice back;
        bson_t shown;
        bson_iter_t iter;
        assert_true(document_view(document_of(mem, texts[i]), &shown) && bson_iter_init_find(&iter, &shown, "key"));
        assert_false(key_shown(&iter, mem, &back));
    }
}

static void a_full_arena_is_too_big(void **state)
{
    struct arena *mem = *state;
    auto_(arena) small = arena_new(16);
    GError *error = NULL;
    struct slice document = document_of(mem, "{\"a\":\"seventeen letters\",\"b\":\"x\"}"), made;
    struct key_paths one = paths_of("a"), two = paths_of("b a");
    kit_refused(key_make(&one, document, small, &made, &error), TOO_BIG, "the key does not fit");
    kit_refused(key_make(&two, document, small, &made, &error), TOO_BIG, "the key does not fit");
    key_paths_done(&one);
    key_paths_done(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_value_has_its_text, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(a_key_may_hold_any_byte, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(several_parts_are_joined_so_that_no_two_share_a_key, arena_setup,
                                        arena_teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_key_is_refused_naming_its_path, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(any_key_is_shown_and_read_back_from_bson_and_json, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(what_shows_no_key_is_told, arena_setup, arena_teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_too_big, arena_setup, arena_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
