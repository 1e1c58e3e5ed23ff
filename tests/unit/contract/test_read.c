#include <jansson.h>

#include "contracts.h"

static void assert_wrong(const char *yaml, const char *expected)
{
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    if (contract_parse(&contract, world_real(), "c.yaml", slice_of_text(yaml), &error))
        fail_msg("taken: %s", yaml);
    assert_int_equal(error->code, SLUICE_ERROR_CONTRACT);
    assert_string_equal(error->message, expected);
}

static void a_contract_tells_what_it_is(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    static const char yaml[] = "contract: 1\nname: customer\nversion: 3\nfields:\n  username: { type: string }\n"
                               "  address.zip: { type: string }\nunique: [username, address.zip]\n";
    kit_ok(contract_parse(&contract, world_real(), "c.yaml", slice_of_text(yaml), &error));
    assert_string_equal(contract_name(contract), "customer");
    assert_int_equal(contract_version(contract), 3);
    kit_equal_text(contract_source_text(contract), yaml);
    size_t n;
    const char *const *unique = contract_unique(contract, &n);
    assert_int_equal(n, 2);
    assert_string_equal(unique[1], "address.zip");
}

static void the_contract_of_the_interface_is_read(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    static const char yaml[] =
        "contract: 1\n"
        "name: customer\n"
        "version: 3\n"
        "fields:\n"
        "  username: { type: string, required: true, pattern: \"^[a-z0-9_]+$\" }\n"
        "  tier:     { type: string, one_of: [bronze, silver, gold, platinum], default: bronze }\n"
        "  balance:  { type: decimal, min: 0, nullable: true }\n"
        "  updated_at: { type: datetime, required: true }\n"
        "  address.zip: { type: string, length: 5 }\n"
        "unknown: keep                         # keep | drop | reject\n"
        "unique: [username]\n"
        "rules:\n"
        "  - { name: gold-has-balance, when: \"doc.tier == 'gold'\", expr: \"doc.balance ~= nil\" }\n";
    kit_ok(contract_parse(&contract, world_real(), "c.yaml", slice_of_text(yaml), &error));
}

static void all_errors_of_a_file_are_told_at_once_in_its_order(void **state)
{
    assert_wrong("contract: 2\n"
                 "nmae: c\n"
                 "fields:\n"
                 "  a: { type: strin }\n"
                 "  b: { requierd: true }\n"
                 "  c: 5\n"
                 "unknown: ignore\n",
                 "c.yaml:1:1: the key 'name' is missing: what the contract is called; for example customer\n"
                 "c.yaml:1:11: expected 1, the only version of this file's form there is, found the number 2\n"
                 "c.yaml:2:1: unknown key 'nmae'; did you mean 'name'?\n"
                 "c.yaml:4:14: unknown value 'strin'; did you mean 'string'?\n"
                 "c.yaml:5:6: the key 'fields.*.type' is missing: what its value becomes, without loss, or the record "
                 "is refused; for example string\n"
                 "c.yaml:5:8: unknown key 'requierd'; did you mean 'required'?\n"
                 "c.yaml:6:6: expected a map of keys, found the number 5\n"
                 "c.yaml:7:10: unknown value 'ignore'; known are keep, drop, reject");
}

static void what_is_no_contract_is_refused(void **state)
{
    assert_wrong("", "c.yaml:1:1: expected a map of keys, found nothing");
    assert_wrong("contract: 1\nname: c\nfields: {}\n",
                 "c.yaml:3:9: expected a map of fields such as { username: { type: string } }, found a map of keys");
    assert_wrong("contract: 1\nname: c\nfields: [a]\n",
                 "c.yaml:3:9: expected a map of fields such as { username: { type: string } }, found a list");
    assert_wrong("%{\x80", "c.yaml:1:3: not UTF-8: byte 0x80; save the file as UTF-8");
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    kit_refused(contract_read(&contract, world_real(), "/nonexistent/c.yaml", &error), CONTRACT,
                "/nonexistent/c.yaml: ");
}

static void options_stand_only_where_they_mean_something(void **state)
{
    assert_wrong(FIELDS("  a: { type: int, pattern: x, length: 3 }\n"
                        "  b: { type: string, min: 1, zone: UTC, items: { type: int } }\n"
                        "  c: { type: object, one_of: [1] }\n"
                        "  d: { type: bool, fields: { e: { type: int } } }\n"),
                 "c.yaml:4:28: 'pattern' is not for an int ('a')\n"
                 "c.yaml:4:39: 'length' is not for an int ('a')\n"
                 "c.yaml:5:27: 'min' is not for a string ('b')\n"
                 "c.yaml:5:36: 'zone' is not for a string ('b')\n"
                 "c.yaml:5:48: 'items' is not for a string ('b')\n"
                 "c.yaml:6:30: 'one_of' is not for an object ('c')\n"
                 "c.yaml:7:28: 'fields' is not for a bool ('d')");
}

static void bounds_that_nothing_can_meet_are_refused(void **state)
{
    assert_wrong(FIELDS("  a: { type: int, min: 5, max: 4 }\n"
                        "  b: { type: decimal, min: 0.11,\n       max: 0.1 }\n"
                        "  c: { type: datetime, min: 2026-01-02T00:00:00Z, max: 2026-01-01T00:00:00Z }\n"
                        "  d: { type: string, length: { min: 5, max: 4 } }\n"
                        "  e: { type: double, min: 1, max: 0.5 }\n"),
                 "c.yaml:4:24: 'min: 5' is above 'max: 4' on line 4\n"
                 "c.yaml:5:28: 'min: 0.11' is above 'max: 0.1' on line 6\n"
                 "c.yaml:7:29: 'min: 2026-01-02T00:00:00Z' is above 'max: 2026-01-01T00:00:00Z' on line 7\n"
                 "c.yaml:8:30: the least length, 5, is above the greatest, 4\n"
                 "c.yaml:9:27: 'min: 1' is above 'max: 0.5' on line 9");
    assert_wrong(FIELDS("  a: { type: int, min: 1.5 }\n"
                        "  b: { type: string, length: -1 }\n"
                        "  c: { type: string, length: { mni: 1 } }\n"
                        "  d: { type: double, min: .inf }\n"),
                 "c.yaml:4:24: expected an int, found the number 1.5; it has a fraction\n"
                 "c.yaml:5:30: expected a whole number from 0 to 4294967295, found the number -1\n"
                 "c.yaml:6:32: unknown key 'mni'; did you mean 'min'?\n"
                 "c.yaml:7:27: expected a number as JSON writes it, of at most 34 digits, found .inf");
}

static void values_of_one_of_are_of_the_type_and_differ(void **state)
{
    assert_wrong(FIELDS("  a: { type: string, one_of: [a, 1, true, b] }\n"
                        "  b: { type: int, one_of: [1, 2, 1] }\n"
                        "  c: { type: int, one_of: [x] }\n"
                        "  d: { type: int, one_of: [] }\n"
                        "  e: { type: decimal, one_of: [0.1, 0.10] }\n"
                        "  f: { type: string, one_of: [abc, de], length: 3 }\n"
                        "  g: { type: int, one_of: [1, 9], max: 5 }\n"
                        "  h: { type: string, one_of: [EUR, ISO 4217] }\n"
                        "  i: { type: int, one_of: [ISO 4217] }\n"),
                 "c.yaml:4:34: expected a string, found the number 1; put it in quotes if it is meant as text\n"
                 "c.yaml:4:37: expected a string, found true; put it in quotes if it is meant as text\n"
                 "c.yaml:5:27: 1 stands twice in 'one_of'\n"
                 "c.yaml:6:28: expected an int, found the string 'x'\n"
                 "c.yaml:7:27: expected a list of values, found a list\n"
                 "c.yaml:8:31: 0.10 stands twice in 'one_of'\n"
                 "c.yaml:9:30: a value of 'one_of' is refused by the field itself: f: expected 3 characters, found 2\n"
                 "c.yaml:10:27: a value of 'one_of' is refused by the field itself: g: 9 is above the most, 5\n"
                 "c.yaml:11:30: 'EUR' stands twice in 'one_of'\n"
                 "c.yaml:12:28: expected an int, found the string 'ISO 4217'");
}

static void tables_are_named_a_bounded_number_of_times(void **state)
{
    g_autoptr(GString) yaml = g_string_new(FIELDS("  a: { type: string, one_of: [x"));
    for (int i = 0; i < 110; i++)
        g_string_append(yaml, ", tz database");
    g_string_append(yaml, "] }\n");
    assert_wrong(yaml->str, "c.yaml:4:1451: more than 65536 codes of reference tables in a contract");
}

static void a_default_obeys_its_own_field(void **state)
{
    assert_wrong(
        FIELDS("  a: { type: string, one_of: [x, y], default: z }\n"
               "  b: { type: int, default: 1.5 }\n"
               "  c: { type: int, default: null }\n"
               "  d: { type: string, required: true, default: x }\n"
               "  e: { type: array, items: { type: int }, default: [1, x] }\n"
               "  f: { type: object, fields: { g: { type: int, required: true } }, default: {} }\n"),
        "c.yaml:4:47: the default is refused by the field itself: a: 'z' is not one of x, y\n"
        "c.yaml:5:28: the default is refused by the field itself: b: expected an int, found the number 1.5; it "
        "has a fraction\n"
        "c.yaml:6:28: the default is refused by the field itself: c: expected an int, found null\n"
        "c.yaml:7:47: 'd' is required and has a default: where a default is given, it is never missing\n"
        "c.yaml:8:52: the default is refused by the field itself: e.1: expected an int, found the string 'x'\n"
        "c.yaml:9:77: the default is refused by the field itself: f.g: required, and not there");
}

static void patterns_must_compile(void **state)
{
    assert_wrong(FIELDS("  a: { type: string, pattern: \"a(b\" }\n"
                        "  b: { type: string, pattern: 5 }\n"),
                 "c.yaml:4:31: the pattern does not compile, at its byte 4: missing closing parenthesis\n"
                 "c.yaml:5:31: expected a text, found the number 5; put it in quotes if it is meant as text");
    g_autofree char *long_one = g_strnfill(5000, 'a');
    g_autofree char *yaml = g_strdup_printf(FIELDS("  a: { type: string, pattern: %s }\n"), long_one);
    assert_wrong(yaml, "c.yaml:4:31: a pattern of more than 4096 bytes");
}

static void paths_lead_through_objects_only(void **state)
{
    assert_wrong(FIELDS("  address: { type: string }\n"
                        "  address.zip: { type: string }\n"),
                 "c.yaml:5:3: 'address.zip' lies below 'address' on line 4, which is a string");
    assert_wrong(FIELDS("  address.zip: { type: string }\n"
                        "  address: { type: string }\n"),
                 "c.yaml:5:12: 'address' is a string, but 'address.zip' on line 4 lies below it");
    assert_wrong(FIELDS("  tags: { type: array, items: { type: object } }\n"
                        "  tags.0: { type: string }\n"),
                 "c.yaml:5:3: 'tags.0' lies below 'tags' on line 4, which is an array");
    assert_wrong(FIELDS("  a..b: { type: string }\n"),
                 "c.yaml:4:3: the path 'a..b' is wrong at byte 3: expected a name");
}

static void a_field_is_declared_once(void **state)
{
    assert_wrong(FIELDS("  a: { type: string }\n"
                        "  a: { type: int }\n"),
                 "c.yaml:5:3: the key 'a' was there already, at 4:3");
    assert_wrong(FIELDS("  a.b: { type: string }\n"
                        "  a: { type: object, fields: { b: { type: int } } }\n"),
                 "c.yaml:5:32: the field 'a.b' was there already, on line 4");
}

static void what_stands_in_an_array_is_neither_required_nor_given(void **state)
{
    assert_wrong(FIELDS("  a: { type: array, items: { type: int, required: true, default: 1 } }\n"),
                 "c.yaml:4:28: 'required' has no meaning for what stands in an array; see 'length'\n"
                 "c.yaml:4:66: 'a[]' is required and has a default: where a default is given, it is never missing\n"
                 "c.yaml:4:66: 'default' has no meaning for what stands in an array");
}

static void zones_and_formats_are_checked(void **state)
{
    assert_wrong(FIELDS("  a: { type: datetime, zone: Mars/Olympus }\n"
                        "  b: { type: datetime, format: \"%b %d %Y\" }\n"
                        "  c: { type: datetime, zone: UTC, format: [\"%b %d %y\", \"%Q\", \"%Y-%m\", \"%Y %Y\", "
                        "\"%d.%m.%Y %M\"] }\n"),
                 "c.yaml:4:30: expected required, UTC or the name of a time zone such as Europe/Berlin, found "
                 "'Mars/Olympus'\n"
                 "c.yaml:5:32: the format '%b %d %Y' has no zone (%z), so 'zone' must say how it is taken, such as "
                 "zone: UTC\n"
                 "c.yaml:6:44: the format '%b %d %y' is wrong: %y has two digits, which do not say the century; make a "
                 "date of it in the transform\n"
                 "c.yaml:6:56: the format '%Q' is wrong: known are %Y %m %b %B %d %e %H %M %S %f %z and %%\n"
                 "c.yaml:6:62: the format '%Y-%m' is wrong: it lacks a year (%Y), a month (%m, %b, %B) or a day (%d, "
                 "%e)\n"
                 "c.yaml:6:71: the format '%Y %Y' is wrong: a part of the date stands in it twice\n"
                 "c.yaml:6:80: the format '%d.%m.%Y %M' is wrong: minutes need hours (%H), seconds need minutes (%M), "
                 "a fraction needs seconds (%S)");
}

static void unique_names_fields_that_can_be(void **state)
{
    assert_wrong(FIELDS("  a: { type: string }\n"
                        "  o: { type: object }\n"
                        "unique: [a, a, b, o, 5]\n"),
                 "c.yaml:6:13: 'a' stands twice in 'unique'\n"
                 "c.yaml:6:16: 'b' is not among the fields\n"
                 "c.yaml:6:19: 'o' is an object, which cannot be unique\n"
                 "c.yaml:6:22: expected a text, found the number 5; put it in quotes if it is meant as text");
    assert_wrong(FIELDS("  a: { type: string }\n") "unique: a\n",
                 "c.yaml:5:9: expected a list of fields, found the text 'a'");
}

static void a_contract_that_is_too_deep_or_too_wide_is_refused(void **state)
{
    g_autoptr(GString) deep = g_string_new(FIELDS("  "));
    for (int i = 0; i < 150; i++)
        g_string_append(deep, "a.");
    g_string_append(deep, "b: { type: int }\n");
    assert_wrong(deep->str, "c.yaml:4:3: a field deeper than a document may be nested (100)");
    g_autoptr(GString) wide = g_string_new(FIELDS(""));
    for (int i = 0; i < 1026; i++)
        g_string_append_printf(wide, "  f%d: { type: int }\n", i);
    assert_wrong(wide->str, "c.yaml:1028:3: more than 1024 fields of one object, or 10000 in all\n"
                            "c.yaml:1029:3: more than 1024 fields of one object, or 10000 in all");
    g_autoptr(GString) many = g_string_new(FIELDS(""));
    for (int i = 0; i < 150; i++) {
        g_string_append_printf(many, "  f%d", i);
        for (int j = 0; j < 90; j++)
            g_string_append(many, ".a");
        g_string_append(many, ": { type: int }\n");
    }
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    kit_refused(contract_parse(&contract, world_real(), "c.yaml", slice_of_text(many->str), &error), CONTRACT,
                "or 10000 in all");
}

/* A default of so many objects, each of which is given a text of 100,000 bytes. */
static void assert_too_large(unsigned n)
{
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    g_autofree char *text = g_strnfill(100000, 'x');
    g_autoptr(GString) yaml = g_string_new(FIELDS("  a:\n    type: array\n"));
    g_string_append_printf(yaml,
                           "    items: { type: object, fields: { b: { type: string, default: \"%s\" } } }\n"
                           "    default: [",
                           text);
    for (unsigned i = 0; i < n; i++)
        g_string_append(yaml, i ? ", {}" : "{}");
    g_string_append(yaml, "]\n");
    kit_refused(contract_parse(&contract, world_real(), "c.yaml", slice_of_text(yaml->str), &error), CONTRACT,
                "c.yaml:7:14: the default is too large");
}

static void defaults_that_multiply_are_refused(void **state)
{
    assert_too_large(200);   /* more than a record may be */
    assert_too_large(20000); /* more than is taken into memory */
}

static void every_row_has_words_and_the_page_has_every_row(void **state)
{
    size_t n;
    const struct spec_row *rows = contract_rows(&n);
    g_autofree char *path = g_build_filename(g_getenv("SLUICE_SOURCE"), "docs", "contracts.md", NULL);
    g_autofree char *page = NULL;
    assert_true(g_file_get_contents(path, &page, NULL, NULL));
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GString) form = g_string_new(rows[i].form);
        g_string_replace(form, " | ", " \\| ", 0);
        g_autofree char *line = g_strdup_printf("| `%s` | %s | %s | %s |", rows[i].key, form->str,
                                                rows[i].required   ? "**required**"
                                                : rows[i].fallback ? rows[i].fallback
                                                                   : "",
                                                rows[i].words);
        assert_non_null(rows[i].example);
        if (!strstr(page, line))
            fail_msg("docs/contracts.md lacks the line\n%s", line);
    }
}

static void the_schema_is_json_and_knows_the_types(void **state)
{
    json_error_t fault;
    g_autofree char *text = contract_schema_json();
    json_t *schema = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
    assert_non_null(schema);
    const json_t *fields = json_object_get(json_object_get(schema, "properties"), "fields");
    const json_t *field = json_object_get(json_object_get(fields, "additionalProperties"), "properties");
    assert_int_equal(json_array_size(json_object_get(json_object_get(field, "type"), "enum")), 10);
    assert_non_null(json_object_get(json_object_get(field, "items"), "$ref"));
    json_decref(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_tells_what_it_is),
        cmocka_unit_test(the_contract_of_the_interface_is_read),
        cmocka_unit_test(all_errors_of_a_file_are_told_at_once_in_its_order),
        cmocka_unit_test(what_is_no_contract_is_refused),
        cmocka_unit_test(options_stand_only_where_they_mean_something),
        cmocka_unit_test(bounds_that_nothing_can_meet_are_refused),
        cmocka_unit_test(values_of_one_of_are_of_the_type_and_differ),
        cmocka_unit_test(tables_are_named_a_bounded_number_of_times),
        cmocka_unit_test(a_default_obeys_its_own_field),
        cmocka_unit_test(patterns_must_compile),
        cmocka_unit_test(paths_lead_through_objects_only),
        cmocka_unit_test(a_field_is_declared_once),
        cmocka_unit_test(what_stands_in_an_array_is_neither_required_nor_given),
        cmocka_unit_test(zones_and_formats_are_checked),
        cmocka_unit_test(unique_names_fields_that_can_be),
        cmocka_unit_test(a_contract_that_is_too_deep_or_too_wide_is_refused),
        cmocka_unit_test(defaults_that_multiply_are_refused),
        cmocka_unit_test(every_row_has_words_and_the_page_has_every_row),
        cmocka_unit_test(the_schema_is_json_and_knows_the_types),
    };
    return cmocka_run_group_tests_name("contract/read", tests, NULL, NULL);
}
