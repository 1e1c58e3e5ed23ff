#include "contracts.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
enum { HEAP_IS_COUNTED = 0 };
static unsigned allocations;
#else
/* Every malloc() of the program and its libraries comes by here. */
enum { HEAP_IS_COUNTED = 1 };
static unsigned allocations;
void *__libc_malloc(size_t len);
void *malloc(size_t len);
void *malloc(size_t len)
{
    allocations++;
    return __libc_malloc(len);
}
#endif

#define SIX                                                                                                            \
    FIELDS("  username: { type: string, required: true, pattern: \"^[a-z0-9_]+$\" }\n"                                 \
           "  tier: { type: string, one_of: [bronze, silver, gold, platinum], default: bronze }\n"                     \
           "  balance: { type: decimal, min: 0, nullable: true }\n"                                                    \
           "  updated_at: { type: datetime, required: true }\n"                                                        \
           "  address.zip: { type: string, length: 5 }\n"                                                              \
           "  tags: { type: array, items: { type: int, max: 9 }, length: { max: 3 } }\n")

static void what_is_right_is_the_very_slice_that_came_in(void **state)
{
    passes(FIELDS("  a: { type: string }\n  b: { type: int }\n  c.d: { type: bool, required: true }\n"
                  "  e: { type: array, items: { type: string } }\n  f: { type: decimal }\n"),
           "{\"b\": 5, \"a\": \"x\", \"z\": [1, {}], \"c\": {\"y\": null, \"d\": true}, \"e\": [\"p\", \"q\"], \"f\": "
           "0.10}",
           "=");
}

static void only_what_differs_is_made_anew_and_order_is_kept(void **state)
{
    struct applied applied = applied_new(SIX);
    assert_passes(
        &applied,
        "{\"z\":1,\"updated_at\":\"2026-07-10T12:00:00+02:00\",\"tags\":[\"1\",2,\"3\"],\"username\":\"ann\","
        "\"address\":{\"street\":\"x\",\"zip\":\"00501\"},\"balance\":\"10.50\",\"y\":{\"a\":[1]}}",
        "{\"z\":1,\"updated_at\":\"2026-07-10T10:00:00.000Z\",\"tags\":[1,2,3],\"username\":\"ann\","
        "\"address\":{\"street\":\"x\",\"zip\":\"00501\"},\"balance\":10.50,\"y\":{\"a\":[1]},\"tier\":\"bronze\"}");
    assert_passes(&applied,
                  "{\"username\":\"b\",\"updated_at\":\"2026-07-10T12:00:00Z\",\"tier\":\"gold\",\"balance\":null}",
                  "{\"username\":\"b\",\"updated_at\":\"2026-07-10T12:00:00.000Z\",\"tier\":\"gold\","
                  "\"balance\":null}");
    applied_done(&applied);
}

static void a_refusal_names_everything_that_is_wrong_with_a_record(void **state)
{
    struct applied applied = applied_new(SIX);
    assert_refuses(&applied,
                   "{\"username\": \"Ann!\", \"tier\": \"golld\", \"balance\": -0.01, \"address\": {\"zip\": \"501\"},"
                   " \"tags\": [1, 10, \"x\", 2.5]}",
                   "username: 'Ann!' does not match ^[a-z0-9_]+$\n"
                   "tier: 'golld' is not one of bronze, silver, gold, platinum; did you mean 'gold'?\n"
                   "balance: -0.01 is below the least, 0\n"
                   "address.zip: expected 5 characters, found 3\n"
                   "tags.1: 10 is above the most, 9\n"
                   "tags.2: expected an int, found the string 'x'\n"
                   "tags.3: expected an int, found the number 2.5; it has a fraction\n"
                   "tags: expected at most 3 items, found 4\n"
                   "updated_at: required, and not there");
    assert_refuses(&applied, "{}", "username: required, and not there\nupdated_at: required, and not there");
    assert_refuses(&applied, "{\"username\": null, \"updated_at\": \"2026-07-10T12:00:00Z\", \"address\": 5}",
                   "username: expected a string, found null\naddress: expected an object, found the number 5");
    applied_done(&applied);
}

static void a_field_below_a_path_is_required_even_where_its_object_is_absent(void **state)
{
    static const char by_path[] = FIELDS("  a.b.c: { type: int, required: true }\n  a.d: { type: int }\n");
    refuses(by_path, "{}", "a.b.c: required, and not there");
    refuses(by_path, "{\"a\": {}}", "a.b.c: required, and not there");
    refuses(by_path, "{\"a\": {\"b\": {\"x\": 1}}}", "a.b.c: required, and not there");
    passes(by_path, "{\"a\": {\"b\": {\"c\": 1}}}", "=");
    static const char declared[] = FIELDS("  a: { type: object, fields: { b: { type: int, required: true } } }\n");
    passes(declared, "{}", "=");
    refuses(declared, "{\"a\": {}}", "a.b: required, and not there");
    refuses(declared, "{\"a\": null}", "a: expected an object, found null");
}

static void defaults_stand_in_for_absent_fields_and_make_the_objects_of_their_paths(void **state)
{
    static const char yaml[] = FIELDS("  a.b.c: { type: int, default: 7 }\n"
                                      "  a.b.d: { type: string }\n"
                                      "  t: { type: datetime, default: 2026-01-01T00:00:00Z }\n"
                                      "  l: { type: array, items: { type: decimal }, default: [1, 0.50] }\n"
                                      "  n: { type: int, nullable: true, default: null }\n"
                                      "  o: { type: object, default: {}, fields: { p: { type: uuid, default: "
                                      "00112233-4455-6677-8899-AABBCCDDEEFF } } }\n");
    struct applied applied = applied_new(yaml);
    assert_passes(&applied, "{}",
                  "{\"a\":{\"b\":{\"c\":7}},\"t\":\"2026-01-01T00:00:00.000Z\",\"l\":[1,0.50],\"n\":null,"
                  "\"o\":{\"p\":\"00112233-4455-6677-8899-aabbccddeeff\"}}");
    assert_passes(&applied, "{\"a\":{\"x\":1},\"t\":\"2026-01-01T00:00:00Z\",\"l\":[],\"n\":5,\"o\":{}}",
                  "{\"a\":{\"x\":1,\"b\":{\"c\":7}},\"t\":\"2026-01-01T00:00:00.000Z\",\"l\":[],\"n\":5,"
                  "\"o\":{\"p\":\"00112233-4455-6677-8899-aabbccddeeff\"}}");
    assert_refuses(&applied, "{\"a\":null}", "a: expected an object, found null");
    applied_done(&applied);
}

static void a_default_holds_the_defaults_of_what_is_declared_after_it(void **state)
{
    passes(FIELDS("  a: { type: object, default: {} }\n  a.b: { type: int, default: 5 }\n"), "{}", "{\"a\":{\"b\":5}}");
}

static void a_null_is_no_absence(void **state)
{
    static const char yaml[] =
        FIELDS("  a: { type: int, default: 1 }\n  b: { type: int, required: true, nullable: true }\n");
    refuses(yaml, "{\"a\": null, \"b\": null}", "a: expected an int, found null");
    passes(yaml, "{\"a\": 2, \"b\": null}", "=");
}

static void an_empty_text_is_a_string_and_nothing_for_all_others(void **state)
{
    static const char yaml[] = FIELDS("  s: { type: string, nullable: true }\n"
                                      "  n: { type: int, nullable: true, default: 3 }\n"
                                      "  d: { type: decimal, default: 0.5 }\n"
                                      "  r: { type: bool }\n");
    passes(yaml, "{\"s\":\"\",\"n\":\"\",\"d\":\"\",\"r\":\"true\"}", "{\"s\":\"\",\"n\":null,\"d\":0.5,\"r\":true}");
    refuses(yaml, "{\"n\":1,\"d\":1,\"r\":\"\"}", "r: expected a bool, found an empty text");
}

static void unknown_fields_are_kept_dropped_or_refused(void **state)
{
    static const char fields[] =
        FIELDS("  a: { type: int }\n  o.b: { type: int }\n  free: { type: object }\n"
               "  l: { type: array, items: { type: object, fields: { c: { type: int } } } }\n");
    static const char record[] = "{\"x\":1,\"a\":1,\"y\":{\"z\":1},\"o\":{\"p\":1,\"b\":2,\"q\":1},\"free\":{\"f\":1},"
                                 "\"l\":[{\"c\":1,\"m\":2}]}";
    g_autofree char *drop = g_strconcat(fields, "unknown: drop\n", NULL);
    g_autofree char *reject = g_strconcat(fields, "unknown: reject\n", NULL);
    passes(fields, record, "=");
    passes(drop, record, "{\"a\":1,\"o\":{\"b\":2},\"free\":{\"f\":1},\"l\":[{\"c\":1}]}");
    passes(drop, "{\"x\":1}", "{}");
    passes(drop, "{\"a\":1}", "=");
    refuses(reject, "{\"fre\":1}", "fre: the contract has no such field; did you mean 'free'?");
    refuses(reject, record,
            "x: the contract has no such field\n"
            "y: the contract has no such field\n"
            "o.p: the contract has no such field\n"
            "o.q: the contract has no such field\n"
            "l.0.m: the contract has no such field");
}

static void dots_within_names_are_escaped(void **state)
{
    passes(FIELDS("  'a\\.b': { type: int }\n  'a\\.b\\\\.c': { type: int }\n"), "{\"a.b\": \"5\"}", "{\"a.b\":5}");
}

static void names_that_hold_blanks_or_nothing_known_are_like_any_other(void **state)
{
    passes(FIELDS("  US Gross: { type: int }\n  größe: { type: int }\n"), "{\"US Gross\":\"1\",\"größe\":\"2\",\"\":3}",
           "{\"US Gross\":1,\"größe\":2,\"\":3}");
}

static void lengths_count_characters_and_bytes_and_items(void **state)
{
    static const char yaml[] = FIELDS("  s: { type: string, length: 3 }\n"
                                      "  b: { type: binary, length: { min: 2, max: 3 } }\n"
                                      "  l: { type: array, length: { min: 1 } }\n");
    passes(yaml, "{\"s\":\"äß€\",\"l\":[1]}", "=");
    refuses(yaml, "{\"s\":\"äß\",\"b\":\"AA==\",\"l\":[]}",
            "s: expected 3 characters, found 2\nb: expected at least 2 bytes, found 1\nl: expected at least 1 items, "
            "found 0");
    refuses(yaml, "{\"b\":\"AAAAAA==\"}", "b: expected at most 3 bytes, found 4");
}

static void a_pattern_searches_unless_it_is_bound(void **state)
{
    passes(FIELDS("  a: { type: string, pattern: b }\n"), "{\"a\":\"abc\"}", "=");
    refuses(FIELDS("  a: { type: string, pattern: \"^b\" }\n"), "{\"a\":\"abc\"}", "a: 'abc' does not match ^b");
    refuses(FIELDS("  a: { type: string, pattern: \"^[a-z]+$\" }\n"), "{\"a\":\"abc\\n\"}",
            "a: 'abc\\x0a' does not match ^[a-z]+$");
    passes(FIELDS("  a: { type: string, pattern: \"^.$\" }\n"), "{\"a\":\"€\"}", "=");
}

static void a_pattern_that_explodes_refuses_the_record(void **state)
{
    refuses(FIELDS("  a: { type: string, pattern: \"^(a+)+$\" }\n"),
            "{\"a\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac\"}",
            "a: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac' takes too many steps to match ^(a+)+$; write a pattern that "
            "tries less");
    /* Half a million steps, which PCRE2 takes by itself: the limit is ours. */
    refuses(FIELDS("  a: { type: string, pattern: \"^(a+)+$\" }\n"), "{\"a\":\"aaaaaaaaaaaaaaaaaaac\"}",
            "a: 'aaaaaaaaaaaaaaaaaaac' takes too many steps to match ^(a+)+$; write a pattern that tries less");
    g_autofree char *text = g_strnfill(1000000, 'a');
    g_autofree char *json = g_strdup_printf("{\"a\":\"%s\"}", text);
    struct applied applied = applied_new(FIELDS("  a: { type: string, pattern: \"^(a|b)*$\" }\n"));
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, json);
    kit_refused(contract_apply(applied.check, document, applied.mem, &made, &error), CONTRACT_SAYS,
                "aaaaa…' takes too many steps");
    applied_done(&applied);
}

static void numbers_compare_by_value(void **state)
{
    passes(FIELDS("  a: { type: decimal, one_of: [0.1, 5, 100], min: 0.1, max: 1e2 }\n"), "{\"a\":0.10}", "=");
    refuses(FIELDS("  a: { type: decimal, one_of: [0.1, 5] }\n"), "{\"a\":0.11}", "a: 0.11 is not one of 0.1, 5");
    refuses(FIELDS("  a: { type: double, min: 1, max: 2 }\n"), "{\"a\":2.5}", "a: 2.5 is above the most, 2");
    refuses(FIELDS("  a: { type: datetime, zone: UTC, max: 2012-01-01 }\n"), "{\"a\":\"2012-01-01T00:00:00.001\"}",
            "a: 2012-01-01T00:00:00.001Z is above the most, 2012-01-01");
    refuses(FIELDS("  a: { type: uuid, one_of: [00112233-4455-6677-8899-aabbccddeeff] }\n"),
            "{\"a\":\"00112233-4455-6677-8899-aabbccddee00\"}",
            "a: 00112233-4455-6677-8899-aabbccddee00 is not one of 00112233-4455-6677-8899-aabbccddeeff");
}

static void a_long_list_of_words_is_searched_and_shown_in_part(void **state)
{
    g_autoptr(GString) yaml = g_string_new(FIELDS("  a: { type: string, one_of: ["));
    for (int i = 0; i < 1000; i++)
        g_string_append_printf(yaml, "%sw%03d", i ? ", " : "", (i * 7) % 1000);
    g_string_append(yaml, "] }\n");
    struct applied applied = applied_new(yaml->str);
    for (int i = 0; i < 1000; i++) {
        g_autofree char *json = g_strdup_printf("{\"a\":\"w%03d\"}", i);
        assert_passes(&applied, json, "=");
        arena_reset(applied.mem);
    }
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, "{\"a\":\"w1000\"}");
    kit_refused(contract_apply(applied.check, document, applied.mem, &made, &error), CONTRACT_SAYS,
                "w154, w161, …; did you mean 'w000'?");
    applied_done(&applied);
}

static void a_reference_table_stands_for_its_codes(void **state)
{
    static const char YAML[] = FIELDS("  c: { type: string, one_of: [ISO 4217, DEM] }\n"
                                      "  l: { type: string, one_of: [ISO 3166] }\n"
                                      "  z: { type: string, one_of: [tz database] }\n");
    passes(YAML, "{\"c\":\"AED\",\"l\":\"ZW\",\"z\":\"Europe/Berlin\"}", "=");
    passes(YAML, "{\"c\":\"ZWG\",\"l\":\"AD\",\"z\":\"US/Eastern\"}", "=");
    passes(YAML, "{\"c\":\"DEM\",\"l\":\"DE\",\"z\":\"UTC\"}", "=");
    refuses(YAML, "{\"c\":\"eur\"}", "c: 'eur' is not one of ISO 4217, DEM; did you mean 'EUR'?");
    refuses(YAML, "{\"c\":\"ISO 4217\"}", "c: 'ISO 4217' is not one of ISO 4217, DEM");
    refuses(YAML, "{\"l\":\"UK\"}", "l: 'UK' is not one of ISO 3166");
    refuses(YAML, "{\"z\":\"Europe/Berln\"}",
            "z: 'Europe/Berln' is not one of tz database; did you mean 'Europe/Berlin'?");
}

static void the_order_of_the_last_record_misleads_no_other(void **state)
{
    struct applied applied = applied_new(FIELDS("  a: { type: int }\n  b: { type: string }\n  c: { type: bool }\n"));
    assert_passes(&applied, "{\"a\":1,\"b\":\"x\",\"c\":true}", "=");
    assert_passes(&applied, "{\"c\":true,\"a\":1,\"b\":\"x\"}", "=");
    assert_passes(&applied, "{\"x\":1,\"c\":true}", "=");
    assert_refuses(&applied, "{\"b\":1,\"c\":\"x\",\"a\":true}",
                   "b: expected a string, found the number 1\nc: expected a bool, found the string 'x'\n"
                   "a: expected an int, found true");
    applied_done(&applied);
}

static void a_record_without_change_takes_no_memory(void **state)
{
    struct applied applied = applied_new(SIX);
    struct slice document = document_of(applied.mem, "{\"username\":\"ann\",\"updated_at\":\"2026-07-10T12:00:00Z\","
                                                     "\"tier\":\"gold\",\"balance\":1.5,\"tags\":[1,2]}");
    g_autoptr(GError) error = NULL;
    auto_(arena) none = arena_new(0);
    struct slice made, again;
    kit_ok(contract_apply(applied.check, document, applied.mem, &made, &error));
    kit_ok(contract_apply(applied.check, made, none, &again, &error));
    assert_ptr_equal(again.data, made.data);
    assert_int_equal(arena_used(none), 0);
    applied_done(&applied);
}

static void a_record_costs_no_heap(void **state)
{
    if (!HEAP_IS_COUNTED)
        kit_skip("this build has an allocator of its own: the heap is counted under gcc");
    struct applied applied = applied_new(SIX);
    g_autoptr(GError) error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct slice made;
    struct slice document = document_of(applied.mem, "{\"username\":\"ann\",\"updated_at\":\"2026-07-10T12:00:00Z\","
                                                     "\"tier\":\"gold\",\"balance\":\"1.5\",\"tags\":[\"1\",2]}");
    kit_ok(contract_apply(applied.check, document, mem, &made, &error)); /* the arena and PCRE2 take what they keep */
    unsigned before = allocations;
    for (int i = 0; i < 1000; i++) {
        arena_reset(mem);
        kit_ok(contract_apply(applied.check, document, mem, &made, &error));
    }
    assert_int_equal(allocations - before, 0);
    applied_done(&applied);
}

static void a_full_arena_is_too_big_and_no_crash(void **state)
{
    struct applied applied = applied_new(FIELDS("  a: { type: int }\n  b: { type: binary }\n"));
    g_autoptr(GError) error = NULL;
    auto_(arena) none = arena_new(0);
    struct slice made = SLICE_EMPTY;
    struct slice document = document_of(applied.mem, "{\"a\":\"1\"}");
    kit_refused(contract_apply(applied.check, document, none, &made, &error), TOO_BIG, "too large");
    document = document_of(applied.mem, "{\"b\":\"AAAA\"}");
    kit_refused(contract_apply(applied.check, document, none, &made, &error), TOO_BIG, "too large");
    assert_null(made.data);
    applied_done(&applied);
}

static void a_record_that_grows_above_the_limit_is_too_big(void **state)
{
    g_autoptr(GString) yaml =
        g_string_new(FIELDS("  l: { type: array, items: { type: object, fields: { b: { type: string, default: \""));
    for (int i = 0; i < 100000; i++)
        g_string_append_c(yaml, 'x');
    g_string_append(yaml, "\" } } } }\n");
    g_autoptr(GString) json = g_string_new("{\"l\":[{}");
    for (int i = 0; i < 200; i++)
        g_string_append(json, ",{}");
    g_string_append(json, "]}");
    struct applied applied = applied_new(yaml->str);
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, json->str);
    kit_refused(contract_apply(applied.check, document, applied.mem, &made, &error), TOO_BIG, "too large");
    applied_done(&applied);
}

static void damaged_bytes_are_refused(void **state)
{
    struct applied applied =
        applied_new(FIELDS("  a: { type: int }\n  o: { type: object, fields: { b: { type: int } } }\n"));
    struct slice document = document_of(applied.mem, "{\"a\":1,\"o\":{\"b\":2},\"x\":\"yy\"}"), made;
    g_autofree uint8_t *bytes = g_memdup2(document.data, document.len);
    for (size_t len = 0; len < document.len; len++) {
        g_autoptr(GError) error = NULL;
        if (contract_apply(applied.check, slice_of(bytes, len), applied.mem, &made, &error))
            fail_msg("%zu bytes of %zu pass", len, document.len);
        assert_int_equal(error->code, SLUICE_ERROR_BAD_RECORD);
    }
    for (size_t at = 0; at < document.len; at++) { /* whatever it says, it reads no byte that is not there */
        g_autoptr(GError) error = NULL;
        bytes[at] ^= 0xFF;
        contract_apply(applied.check, slice_of(bytes, document.len), applied.mem, &made, &error);
        bytes[at] ^= 0xFF;
    }
    applied_done(&applied);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_right_is_the_very_slice_that_came_in),
        cmocka_unit_test(only_what_differs_is_made_anew_and_order_is_kept),
        cmocka_unit_test(a_refusal_names_everything_that_is_wrong_with_a_record),
        cmocka_unit_test(a_field_below_a_path_is_required_even_where_its_object_is_absent),
        cmocka_unit_test(defaults_stand_in_for_absent_fields_and_make_the_objects_of_their_paths),
        cmocka_unit_test(a_default_holds_the_defaults_of_what_is_declared_after_it),
        cmocka_unit_test(a_null_is_no_absence),
        cmocka_unit_test(an_empty_text_is_a_string_and_nothing_for_all_others),
        cmocka_unit_test(unknown_fields_are_kept_dropped_or_refused),
        cmocka_unit_test(dots_within_names_are_escaped),
        cmocka_unit_test(names_that_hold_blanks_or_nothing_known_are_like_any_other),
        cmocka_unit_test(lengths_count_characters_and_bytes_and_items),
        cmocka_unit_test(a_pattern_searches_unless_it_is_bound),
        cmocka_unit_test(a_pattern_that_explodes_refuses_the_record),
        cmocka_unit_test(numbers_compare_by_value),
        cmocka_unit_test(a_long_list_of_words_is_searched_and_shown_in_part),
        cmocka_unit_test(a_reference_table_stands_for_its_codes),
        cmocka_unit_test(the_order_of_the_last_record_misleads_no_other),
        cmocka_unit_test(a_record_without_change_takes_no_memory),
        cmocka_unit_test(a_record_costs_no_heap),
        cmocka_unit_test(a_full_arena_is_too_big_and_no_crash),
        cmocka_unit_test(a_record_that_grows_above_the_limit_is_too_big),
        cmocka_unit_test(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests_name("contract/apply", tests, NULL, NULL);
}
