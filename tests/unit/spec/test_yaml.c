#include "kit/kit.h"
#include "spec/yaml.h"

struct parsed {
    struct diags *diags;
    struct yaml *yaml;
    const struct yaml_node *root;
};

static struct parsed parse_bytes(struct slice text)
{
    struct parsed parsed = {.diags = diags_new()};
    parsed.yaml = yaml_parse("f.yaml", text, parsed.diags);
    parsed.root = parsed.yaml ? yaml_root(parsed.yaml) : NULL;
    return parsed;
}

static struct parsed parse(const char *text)
{
    return parse_bytes(slice_of_text(text));
}

static void done(struct parsed *parsed)
{
    yaml_free(parsed->yaml);
    diags_free(parsed->diags);
}

static void assert_diags(const struct parsed *parsed, const char *expected)
{
    g_autofree char *text = diags_text(parsed->diags);
    assert_string_equal(text, expected);
}

static void assert_refused(const char *text, const char *expected)
{
    struct parsed parsed = parse(text);
    assert_null(parsed.yaml);
    assert_diags(&parsed, expected);
    done(&parsed);
}

static void scalars_follow_the_core_schema(void **state)
{
    static const struct {
        const char *text;
        enum yaml_kind kind;
    } rows[] = {
        {"yes", YAML_TEXT},    {"no", YAML_TEXT},         {"on", YAML_TEXT},        {"true", YAML_BOOL},
        {"False", YAML_BOOL},  {"'true'", YAML_TEXT},     {"~", YAML_NULL},         {"null", YAML_NULL},
        {"", YAML_NULL},       {"''", YAML_TEXT},         {"007", YAML_INT},        {"-5", YAML_INT},
        {"+5", YAML_INT},      {"0x1F", YAML_INT},        {"0o17", YAML_INT},       {"0b11", YAML_TEXT},
        {"1_000", YAML_TEXT},  {"1.", YAML_FLOAT},        {".5", YAML_FLOAT},       {"1e3", YAML_FLOAT},
        {"1e", YAML_TEXT},     {".", YAML_TEXT},          {"-", YAML_LIST},         {".inf", YAML_FLOAT},
        {".NAN", YAML_FLOAT},  {"\"5\"", YAML_TEXT},      {"!!str 5", YAML_TEXT},   {"! 5", YAML_TEXT},
        {"!!int 5", YAML_INT}, {"!!float 5", YAML_FLOAT}, {"!!null ''", YAML_NULL}, {"2026-01-02", YAML_TEXT},
        {"1:30", YAML_TEXT},   {"0x", YAML_TEXT},         {"1.5.2", YAML_TEXT},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct parsed parsed = parse(rows[i].text);
        if (!parsed.root)
            fail_msg("'%s' is not read", rows[i].text);
        if (parsed.root->kind != rows[i].kind)
            fail_msg("'%s' is %d, not %d", rows[i].text, parsed.root->kind, rows[i].kind);
        done(&parsed);
    }
}

static void nodes_know_their_place_in_bytes(void **state)
{
    struct parsed parsed = parse("a: é\nö: {b: \"x\\n\", c: [1, 2]}\r\nempty:\nlast: |\n  abc\n");
    assert_non_null(parsed.root);
    const struct yaml_node *map = yaml_find(parsed.root, "ö");
    assert_int_equal(map->line, 2);
    assert_int_equal(map->column, 5);
    const struct yaml_node *list = yaml_find(map, "c");
    assert_int_equal(list->column, 19);
    assert_int_equal(list->n, 2);
    assert_int_equal(list->items[1]->column, 23);
    assert_string_equal(yaml_find(map, "b")->text, "x\n");
    assert_int_equal(yaml_find(parsed.root, "empty")->line, 3);
    assert_int_equal(yaml_find(parsed.root, "empty")->kind, YAML_NULL);
    assert_string_equal(yaml_find(parsed.root, "last")->text, "abc\n");
    assert_null(yaml_find(parsed.root, "nowhere"));
    done(&parsed);
}

static void a_byte_order_mark_is_passed_over(void **state)
{
    struct parsed parsed = parse("\xEF\xBB\xBFname: x\n");
    assert_non_null(parsed.root);
    assert_non_null(yaml_find(parsed.root, "name"));
    assert_int_equal(yaml_find(parsed.root, "name")->line, 1);
    done(&parsed);
}

/* They are read without libfyaml: as it reads them, which a line's end behind them shows. */
static void a_few_words_are_what_the_parser_makes_of_them(void **state)
{
    static const char *const WORDS[] = {
        "none", "no limit", "0.1%", "a  b",  "5s",    "0x1F", "0o17", "007",     "1e5",
        "1.5",  "2.",       "true", "False", "null",  "Null", "yes",  "a-b_c.d", "9223372036854775808",
        "1-2",  "12 34",    "0xg",  "e5",    "1_000", "x---", "a ..."};
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++) {
        auto_(diags) diags = diags_new();
        g_autofree char *line = g_strconcat(WORDS[i], "\n", NULL);
        auto_(yaml) words = yaml_parse("words", slice_of_text(WORDS[i]), diags);
        auto_(yaml) parsed = yaml_parse("parsed", slice_of_text(line), diags);
        const struct yaml_node *a = yaml_root(words), *b = yaml_root(parsed);
        assert_string_equal(a->text, WORDS[i]);
        assert_string_equal(a->text, b->text);
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->n, b->n);
        assert_true(a->line == b->line && a->column == b->column);
        assert_true(a->weight == b->weight && a->text_weight == b->text_weight);
    }
}

static void an_empty_file_is_a_null(void **state)
{
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\n\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        struct parsed parsed = parse(texts[i]);
        assert_non_null(parsed.root);
        assert_int_equal(parsed.root->kind, YAML_NULL);
        done(&parsed);
    }
}

static void what_is_not_yaml_is_refused_with_its_place(void **state)
{
    assert_refused("a: [1, 2", "f.yaml:2:1: not YAML: flow sequence without a closing bracket");
    assert_refused("a: b: c", "f.yaml:1:5: not YAML: invalid nested block mapping on the same line");
    assert_refused("\"abc", "f.yaml:1:2: not YAML: double-quoted scalar without closing quote");
    assert_refused("é: @x", "f.yaml:1:5: not YAML: plain scalar cannot start with '@'");
    assert_refused("{a: 1]", "f.yaml:1:6: not YAML: mismatched flow sequence end");
    assert_refused("%YAML 3.0\n---\na", "f.yaml:1:1: not YAML");
    assert_refused("a: 1\n---\nb: 2\n", "f.yaml:3:1: a second document; one file holds one");
}

static void bytes_that_are_not_utf8_are_refused_before_libfyaml_sees_them(void **state)
{
    assert_refused("a: 1\n%{\x80", "f.yaml:2:3: not UTF-8: byte 0x80; save the file as UTF-8");
    assert_refused("\xFF\xFE"
                   "a",
                   "f.yaml:1:1: not UTF-8: byte 0xFF; save the file as UTF-8");
    assert_refused("a: \xED\xA0\x80", "f.yaml:1:4: not UTF-8: byte 0xED; save the file as UTF-8");
    struct parsed parsed = parse_bytes(slice_of("a: 1\0", 5));
    assert_null(parsed.yaml);
    assert_diags(&parsed, "f.yaml:1:5: a byte of zero; is this a text file?");
    done(&parsed);
}

static void a_file_above_the_cap_is_refused(void **state)
{
    g_autofree char *big = g_strnfill(YAML_BYTES + 1, ' ');
    assert_refused(big, "f.yaml: larger than 1 MiB; such a file is read whole, and never that big");
    g_autofree char *fits = g_strnfill(YAML_BYTES, ' ');
    struct parsed parsed = parse(fits);
    assert_non_null(parsed.yaml);
    done(&parsed);
}

static void escapes_that_make_bad_text_are_refused(void **state)
{
    assert_refused("a: \"\\0\"", "f.yaml:1:4: a text with a byte of zero in it");
    assert_refused("a: \"\\uD800\"", "f.yaml:1:5: not YAML: double-quoted scalar has invalid UTF8 escape");
}

static void a_duplicate_key_names_both_places_and_reading_goes_on(void **state)
{
    struct parsed parsed = parse("a: 1\nb: {c: 1, c: 2}\na: 3\n");
    assert_non_null(parsed.root);
    assert_diags(&parsed, "f.yaml:2:11: the key 'c' was there already, at 2:5\n"
                          "f.yaml:3:1: the key 'a' was there already, at 1:1");
    assert_string_equal(yaml_find(parsed.root, "a")->text, "1");
    done(&parsed);
}

static void keys_must_be_scalars(void **state)
{
    assert_refused("? [a, b]\n: 1\n", "f.yaml:1:3: a key must be a plain word or a text");
    assert_refused("a: &x b\n*x : 1\n", "f.yaml:2:1: a key must be a plain word or a text");
}

static void only_tags_of_the_core_schema_are_known(void **state)
{
    assert_refused("a: !ruby/object x", "f.yaml:1:17: a tag that is not of YAML's core schema; only !!str, !!int, "
                                        "!!float, !!bool, !!null, !!seq and !!map are known");
    assert_refused("a: !!int x", "f.yaml:1:10: the tag and what it stands before do not fit");
    assert_refused("a: !!map [x]", "f.yaml:1:10: the tag and what it stands before do not fit");
    assert_refused("a: !!binary aGk=", "f.yaml:1:13: a tag that is not of YAML's core schema; only !!str, !!int, "
                                       "!!float, !!bool, !!null, !!seq and !!map are known");
}

static void aliases_stand_for_what_came_before(void **state)
{
    struct parsed parsed = parse("a: &x {b: 1}\nc: *x\n");
    assert_non_null(parsed.root);
    assert_ptr_equal(yaml_find(parsed.root, "a"), yaml_find(parsed.root, "c"));
    done(&parsed);
    assert_refused("a: *zz", "f.yaml:1:4: an alias of an anchor that is not complete before it");
    assert_refused("a: &x [*x]", "f.yaml:1:8: an alias of an anchor that is not complete before it");
}

static void a_bomb_of_aliases_is_refused(void **state)
{
    g_autoptr(GString) bomb = g_string_new("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        g_string_append_printf(bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            g_string_append_printf(bomb, "%s*a%d", j ? ", " : "", i - 1);
        g_string_append(bomb, "]\n");
    }
    struct parsed parsed = parse(bomb->str);
    assert_null(parsed.yaml);
    assert_int_equal(diags_count(parsed.diags), 1);
    assert_string_equal(diags_at(parsed.diags, 0)->text,
                        "more than 100000 nodes or 4 MiB of text, counting what aliases stand for");
    done(&parsed);
}

static void a_bomb_of_one_long_text_is_refused(void **state)
{
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autofree char *first = g_strdup_printf("- &a %s\n", text);
    g_autoptr(GString) bomb = g_string_new(first);
    for (int i = 0; i < 50; i++)
        g_string_append(bomb, "- *a\n");
    assert_refused(bomb->str, "f.yaml:1:6: more than 100000 nodes or 4 MiB of text, counting what aliases stand for");
}

static void many_nodes_are_refused_and_deep_ones_too(void **state)
{
    g_autoptr(GString) wide = g_string_new("[");
    for (int i = 0; i < YAML_NODES; i++)
        g_string_append(wide, "1,");
    g_string_append(wide, "1]");
    assert_refused(wide->str,
                   "f.yaml:1:200000: more than 100000 nodes or 4 MiB of text, counting what aliases stand for");
    g_autofree char *deep = g_strnfill(100000, '[');
    assert_refused(deep, "f.yaml:1:66: nested deeper than 64 levels");
    g_autoptr(GString) stairs = g_string_new(NULL);
    for (int i = 0; i < 200; i++)
        g_string_append_printf(stairs, "%*sa:\n", i, "");
    assert_refused(stairs->str, "f.yaml:66:66: nested deeper than 64 levels");
}

static void getters_say_what_was_expected_and_found(void **state)
{
    struct parsed parsed = parse("n: 12\nt: abc\nb: true\nl: [1]\nm: {a: 1}\ne:\nempty: ''\nbig: 18446744073709551616\n"
                                 "neg: -1\nlong: aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffg\n");
    struct yaml *yaml = parsed.yaml;
    const char *text;
    bool truth;
    uint64_t number;
    int64_t whole;
    assert_true(yaml_get_text(yaml, yaml_find(parsed.root, "t"), &text));
    assert_string_equal(text, "abc");
    assert_true(yaml_get_bool(yaml, yaml_find(parsed.root, "b"), &truth));
    assert_true(truth);
    assert_true(yaml_get_u64(yaml, yaml_find(parsed.root, "n"), 1, 12, &number));
    assert_int_equal(number, 12);
    assert_true(yaml_get_i64(yaml, yaml_find(parsed.root, "neg"), &whole));
    assert_int_equal(whole, -1);
    assert_int_equal(diags_count(parsed.diags), 0);

    assert_false(yaml_get_text(yaml, yaml_find(parsed.root, "n"), &text));
    assert_false(yaml_get_bool(yaml, yaml_find(parsed.root, "t"), &truth));
    assert_false(yaml_get_u64(yaml, yaml_find(parsed.root, "l"), 1, 64, &number));
    assert_false(yaml_get_text(yaml, yaml_find(parsed.root, "m"), &text));
    assert_false(yaml_get_text(yaml, yaml_find(parsed.root, "e"), &text));
    assert_false(yaml_get_text(yaml, yaml_find(parsed.root, "empty"), &text));
    assert_false(yaml_get_u64(yaml, yaml_find(parsed.root, "big"), 0, UINT64_MAX, &number));
    assert_false(yaml_get_u64(yaml, yaml_find(parsed.root, "neg"), 0, UINT64_MAX, &number));
    assert_false(yaml_get_bool(yaml, yaml_find(parsed.root, "long"), &truth));
    assert_diags(&parsed, "f.yaml:1:4: expected a text, found the number 12; put it in quotes if it is meant as text\n"
                          "f.yaml:2:4: expected true or false, found the text 'abc'\n"
                          "f.yaml:4:4: expected a whole number from 1 to 64, found a list\n"
                          "f.yaml:5:4: expected a text, found a map of keys\n"
                          "f.yaml:6:1: expected a text, found nothing\n"
                          "f.yaml:7:8: expected a text, found an empty one\n"
                          "f.yaml:8:6: expected a whole number of at least 0, found the number 18446744073709551616\n"
                          "f.yaml:9:6: expected a whole number of at least 0, found the number -1\n"
                          "f.yaml:10:7: expected true or false, found the text "
                          "'aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff…'");
    done(&parsed);
}

static void integers_are_read_in_all_their_forms(void **state)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"+7", true, 7},
        {"007", true, 7},
        {"0x7f", true, 127},
        {"0o17", true, 15},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"0xffffffffffffffffff", false, 0},
        {"1.0", false, 0},
        {"'1'", false, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct parsed parsed = parse(rows[i].text);
        int64_t value = 0;
        if (yaml_get_i64(parsed.yaml, parsed.root, &value) != rows[i].ok || value != rows[i].value)
            fail_msg("%s", rows[i].text);
        done(&parsed);
    }
}

static void an_unknown_word_names_the_nearest_or_all(void **state)
{
    static const char *const words[] = {"size", "count", "every"};
    struct parsed parsed = parse("szie: 1\nwrong: 2\n");
    yaml_unknown(parsed.yaml, parsed.root->pairs[0].key, "key", words, 3);
    yaml_unknown(parsed.yaml, parsed.root->pairs[1].key, "key", words, 3);
    assert_diags(&parsed, "f.yaml:1:1: unknown key 'szie'; did you mean 'size'?\n"
                          "f.yaml:2:1: unknown key 'wrong'; known are size, count, every");
    done(&parsed);
}

static void a_file_that_cannot_be_read_is_a_diag(void **state)
{
    auto_(diags) diags = diags_new();
    assert_null(yaml_read(world_real(), "/nonexistent/x.yaml", diags));
    assert_null(yaml_read(world_real(), "/", diags));
    assert_int_equal(diags_count(diags), 2);
    assert_string_equal(diags_at(diags, 0)->file, "/nonexistent/x.yaml");
    assert_int_equal(diags_at(diags, 0)->line, 0);
    assert_null(strstr(diags_at(diags, 0)->text, "x.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_follow_the_core_schema),
        cmocka_unit_test(nodes_know_their_place_in_bytes),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(a_few_words_are_what_the_parser_makes_of_them),
        cmocka_unit_test(an_empty_file_is_a_null),
        cmocka_unit_test(what_is_not_yaml_is_refused_with_its_place),
        cmocka_unit_test(bytes_that_are_not_utf8_are_refused_before_libfyaml_sees_them),
        cmocka_unit_test(a_file_above_the_cap_is_refused),
        cmocka_unit_test(escapes_that_make_bad_text_are_refused),
        cmocka_unit_test(a_duplicate_key_names_both_places_and_reading_goes_on),
        cmocka_unit_test(keys_must_be_scalars),
        cmocka_unit_test(only_tags_of_the_core_schema_are_known),
        cmocka_unit_test(aliases_stand_for_what_came_before),
        cmocka_unit_test(a_bomb_of_aliases_is_refused),
        cmocka_unit_test(a_bomb_of_one_long_text_is_refused),
        cmocka_unit_test(many_nodes_are_refused_and_deep_ones_too),
        cmocka_unit_test(getters_say_what_was_expected_and_found),
        cmocka_unit_test(integers_are_read_in_all_their_forms),
        cmocka_unit_test(an_unknown_word_names_the_nearest_or_all),
        cmocka_unit_test(a_file_that_cannot_be_read_is_a_diag),
    };
    return cmocka_run_group_tests_name("spec/yaml", tests, NULL, NULL);
}
