#include "kit/fake_world.h"
#include "kit/kit.h"
#include "record/digest.h"

enum { SEED = 42 };

/* In place of GLib's: what grows with the number of keys is counted. */
static size_t heap_calls;

gpointer g_try_realloc_n(gpointer data, gsize n, gsize size)
{
    heap_calls++;
    return g_realloc_n(data, n, size);
}

static struct digest of_bytes(struct slice document)
{
    GError *error = NULL;
    struct digest digest = {0};
    kit_ok(digest_canonical(document, SEED, &digest, &error));
    return digest;
}

static struct digest of_json(const char *text)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(text), mem, &document, NULL, &error));
    return of_bytes(document);
}

/* Hands `b` over. */
static struct digest of_bson(bson_t *b)
{
    struct digest digest = of_bytes(slice_of(bson_get_data(b), b->len));
    bson_destroy(b);
    return digest;
}

static void same(struct digest a, struct digest b)
{
    char a_text[DIGEST_TEXT], b_text[DIGEST_TEXT];
    assert_string_equal(digest_text(a, a_text), digest_text(b, b_text));
    assert_true(digest_equal(a, b));
}

static void the_canonical_form_is_the_one_on_the_page(void **state)
{
    static const char form[] = "{\5\0\0\0"
                               "\1\0\0\0ai\1\0\0\0\0\0\0\0"
                               "\1\0\0\0bn\5\0\0\0\0\0\0\0\0\0\0\0\0\0\x3e\x30" /* 5 × 10^-1 */
                               "\1\0\0\0c[s\2\0\0\0hiTFZ]"
                               "\1\0\0\0d{\0\0\0\0"
                               "\2\0\0\0eed\0\0\0\0\0\0\xf0\x3f";
    bson_decimal128_t half;
    bson_decimal128_from_string("0.500", &half);
    bson_t *b = BCON_NEW("c", "[", "hi", BCON_BOOL(true), BCON_BOOL(false), BCON_NULL, "]", "a", BCON_INT32(1), "ee",
                         BCON_DOUBLE(1), "d", "{", "}", "b", BCON_DECIMAL128(&half));
    same(of_bson(b), digest_bytes(slice_of(form, sizeof form - 1), SEED));

    static const char others[] = "{\3\0\0\0"
                                 "\1\0\0\0bb\0\3\0\0\0xyz"
                                 "\1\0\0\0tt\xff\xff\xff\xff\xff\xff\xff\xff"
                                 "\1\0\0\0ub\4\20\0\0\0000123456789abcdef";
    b = BCON_NEW("u", BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16), "t", BCON_DATE_TIME(-1),
                 "b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"xyz", 3));
    same(of_bson(b), digest_bytes(slice_of(others, sizeof others - 1), SEED));
}

/* Digests stand in catalogs and reports: they may never change. */
static void digests_stay_what_they_were(void **state)
{
    char text[DIGEST_TEXT];
    assert_string_equal(digest_text(of_json("{}"), text), "d168dc326b495a36159b8afaefd2d20b");
    assert_string_equal(
        digest_text(of_json("{\"name\":\"Ada\",\"born\":1815,\"score\":0.10,\"tags\":[\"a\",null,true,{\"x\":-0}]}"),
                    text),
        "17f1f9348e0aa468c2352fb2d2cc097c");
    assert_string_equal(digest_text(digest_stored(slice_of_text("raw"), EXPIRES_NEVER), text),
                        "18aa3d5641be511c40b5b95139831aa0");
    assert_string_equal(digest_text(digest_keyed(slice_of_text("key"), of_json("{}"), SEED), text),
                        "2baadfcb66f9109c48669706cffed98a");
}

static void equal_values_have_equal_digests(void **state)
{
    static const char *const rows[][2] = {
        {"{\"a\":10}", "{\"a\":10.0}"},
        {"{\"a\":10}", "{\"a\":1e1}"},
        {"{\"a\":0.10}", "{\"a\":0.1}"},
        {"{\"a\":0.10}", "{\"a\":1e-1}"},
        {"{\"a\":-0}", "{\"a\":0}"},
        {"{\"a\":-0.00}", "{\"a\":0}"},
        {"{\"a\":1e30}", "{\"a\":1000000000000000000000000000000.000}"},
        {"{\"a\":9223372036854775807}", "{\"a\":9223372036854775807.0}"},
        {"{\"a\":-9223372036854775808}", "{\"a\":-9223372036854775808.0}"},
        {"{\"a\":1,\"b\":{\"x\":1,\"y\":[1,2]}}", "{ \"b\": {\"y\":[1.0,2], \"x\":1}, \"a\":1 }"},
        {"{\"\":1,\"a\":2,\"ab\":3}", "{\"ab\":3,\"a\":2,\"\":1}"},
        {"{\"abcdefgh\":1,\"abcdefghi\":2,\"abcdefgha\":3}", "{\"abcdefghi\":2,\"abcdefgha\":3,\"abcdefgh\":1}"},
        {"{\"é\":1,\"z\":2}", "{\"z\":2,\"é\":1}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        same(of_json(rows[i][0]), of_json(rows[i][1]));
    same(of_bson(BCON_NEW("a", BCON_INT32(-5))), of_bson(BCON_NEW("a", BCON_INT64(-5))));
    same(of_bson(BCON_NEW("a", BCON_DOUBLE(0.0))), of_bson(BCON_NEW("a", BCON_DOUBLE(-0.0))));
    same(of_bson(BCON_NEW("a", BCON_DOUBLE(__builtin_nan("")))),
         of_bson(BCON_NEW("a", BCON_DOUBLE(-__builtin_nan("7")))));
}

static void other_values_have_other_digests(void **state)
{
    static const char *const texts[] = {
        "{}",
        "{\"a\":0}",
        "{\"a\":1}",
        "{\"a\":-1}",
        "{\"a\":0.1}",
        "{\"a\":-0.1}",
        "{\"a\":0.01}",
        "{\"a\":9223372036854775808}",
        "{\"a\":\"\"}",
        "{\"a\":\"1\"}",
        "{\"a\":\"0.1\"}",
        "{\"a\":null}",
        "{\"a\":true}",
        "{\"a\":false}",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":[1]}",
        "{\"a\":[1,2]}",
        "{\"a\":[2,1]}",
        "{\"a\":[[1],2]}",
        "{\"a\":[1,[2]]}",
        "{\"a\":[[1,2]]}",
        "{\"a\":{\"0\":1}}",
        "{\"b\":1}",
        "{\"\":1}",
        "{\"a\":1,\"b\":2}",
        "{\"a\":2,\"b\":1}",
        "{\"a\":{\"b\":1},\"c\":2}",
        "{\"a\":{\"b\":1,\"c\":2}}",
        "{\"a\":\"b\",\"c\":\"\"}",
        "{\"a\":\"\",\"c\":\"b\"}",
        "{\"a\":\"}\"}",
        "{\"a\":\"\\u0000\"}",
    };
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    char text[DIGEST_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        assert_true(g_hash_table_add(seen, g_strdup(digest_text(of_json(texts[i]), text))));
    bson_t *others[] = {
        BCON_NEW("a", BCON_DOUBLE(1)),
        BCON_NEW("a", BCON_DOUBLE(0)),
        BCON_NEW("a", BCON_DOUBLE(__builtin_nan(""))),
        BCON_NEW("a", BCON_DOUBLE(__builtin_inf())),
        BCON_NEW("a", BCON_DATE_TIME(1)),
        BCON_NEW("a", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"1", 1)),
        BCON_NEW("a", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"0123456789abcdef", 16)),
        BCON_NEW("a", BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16)),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_true(g_hash_table_add(seen, g_strdup(digest_text(of_bson(others[i]), text))));
}

static void the_seed_matters(void **state)
{
    GError *error = NULL;
    struct digest a, b;
    kit_ok(digest_canonical(document_empty(), 1, &a, &error));
    kit_ok(digest_canonical(document_empty(), 2, &b, &error));
    assert_false(digest_equal(a, b));
    assert_false(digest_equal(digest_bytes(slice_of_text("a"), 1), digest_bytes(slice_of_text("a"), 2)));
    assert_false(digest_equal(digest_keyed(slice_of_text("k"), a, 1), digest_keyed(slice_of_text("k"), a, 2)));
}

/* The fields of `n` in an order that the seed gives, strings of many lengths among them. */
static struct digest shuffled(size_t n, uint64_t seed)
{
    g_autofree size_t *order = g_new(size_t, n);
    g_autoptr(GString) text = g_string_new("{");
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; seed && i > 1; i--) {
        size_t j = fake_next(&seed) % i, swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(text, "%s\"%s%zu\":{\"z\":\"%0*zu\",\"y\":%zu}", i ? "," : "",
                               order[i] % 2 ? "a_common_prefix_" : "", order[i], (int)(order[i] * 37 % 1700 + 1),
                               order[i], order[i]);
    g_string_append(text, "}");
    return of_json(text->str);
}

static void the_order_of_few_and_of_many_fields_does_not_matter(void **state)
{
    static const size_t counts[] = {2, 10, 63, 64, 65, 127, 128, 129, 1000};
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        for (uint64_t seed = 1; seed < 4; seed++)
            same(shuffled(counts[i], 0), shuffled(counts[i], seed));
}

static void only_a_wide_object_takes_from_the_heap(void **state)
{
    g_autoptr(GString) text = g_string_new("{\"list\":[{}");
    for (size_t i = 0; i < 1000; i++)
        g_string_append(text, ",{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":{\"f\":4}}");
    g_string_append(text, "]}");
    heap_calls = 0;
    of_json(text->str);
    assert_int_equal(heap_calls, 0);
    shuffled(1000, 0);
    assert_true(heap_calls > 0);
}

static void documents_longer_than_the_buffer_are_digested_as_one(void **state)
{
    for (size_t len = 400; len < 2200; len += 3) {
        g_autofree char *value = g_strnfill(len, 'v');
        g_autoptr(GByteArray) form = g_byte_array_new();
        uint8_t size[4] = {(uint8_t)len, (uint8_t)(len >> 8), 0, 0};
        for (char name = 'a'; name < 'd'; name++) {
            g_byte_array_append(form, (const uint8_t *)(name == 'a' ? "{\3\0\0\0\1\0\0\0" : "\1\0\0\0"),
                                name == 'a' ? 9 : 4);
            g_byte_array_append(form, (const uint8_t *)&name, 1);
            g_byte_array_append(form, (const uint8_t *)"s", 1);
            g_byte_array_append(form, size, 4);
            g_byte_array_append(form, (const uint8_t *)value, (guint)len);
        }
        same(of_bson(BCON_NEW("c", BCON_UTF8(value), "a", BCON_UTF8(value), "b", BCON_UTF8(value))),
             digest_bytes(slice_of(form->data, form->len), SEED));
    }
}

static void what_is_no_document_has_no_digest(void **state)
{
    GError *error = NULL;
    struct digest digest = {1, 2};
    kit_refused(digest_canonical(SLICE_EMPTY, SEED, &digest, &error), BAD_RECORD, "not BSON");
    bson_t *b = BCON_NEW("a", "[", BCON_REGEX("x", ""), "]");
    kit_refused(digest_canonical(slice_of(bson_get_data(b), b->len), SEED, &digest, &error), BAD_RECORD, "0x0b");
    bson_destroy(b);
    assert_int_equal(digest.low, 1);
    assert_int_equal(digest.high, 2);
}

static void a_stored_digest_covers_bytes_and_expiry(void **state)
{
    struct digest a = digest_stored(slice_of_text("raw"), EXPIRES_NEVER);
    assert_true(digest_equal(a, digest_stored(slice_of_text("raw"), EXPIRES_NEVER)));
    assert_false(digest_equal(a, digest_stored(slice_of_text("raw"), 1)));
    assert_false(digest_equal(a, digest_stored(slice_of_text("rax"), EXPIRES_NEVER)));
    assert_false(digest_equal(digest_stored(slice_of_text("raw"), 1), digest_stored(slice_of_text("raw"), 2)));
    digest_stored(SLICE_EMPTY, EXPIRES_NEVER);
    int64_t found = 0;
    for (int64_t off = -3; off <= 3; off++)
        assert_true(digest_stored_near(slice_of_text("raw"), 1000 + off, 3, digest_stored(slice_of_text("raw"), 1000),
                                       &found) &&
                    found == 1000);
    assert_false(digest_stored_near(slice_of_text("raw"), 1004, 3, digest_stored(slice_of_text("raw"), 1000), &found));
    assert_false(digest_stored_near(slice_of_text("rax"), 1000, 3, digest_stored(slice_of_text("raw"), 1000), &found));
}

static void a_set_does_not_know_its_order_and_forgets(void **state)
{
    enum { N = 1000 };
    struct set_digest forward = {0}, backward = {0}, half[2] = {{0}, {0}}, most = {0};
    uint64_t seed = 3;
    struct digest digests[N];
    for (size_t i = 0; i < N; i++) {
        digests[i] = (struct digest){fake_next(&seed), fake_next(&seed)};
        set_digest_add(&forward, digests[i]);
        set_digest_add(&half[i % 2], digests[i]);
        if (i != 500)
            set_digest_add(&most, digests[i]);
    }
    for (size_t i = N; i > 0; i--)
        set_digest_add(&backward, digests[i - 1]);
    assert_true(set_digest_equal(&forward, &backward));
    set_digest_merge(&half[0], &half[1]);
    assert_true(set_digest_equal(&forward, &half[0]));
    assert_false(set_digest_equal(&forward, &most));
    set_digest_remove(&forward, digests[500]);
    assert_true(set_digest_equal(&forward, &most));
    for (size_t i = 0; i < N; i++)
        if (i != 500)
            set_digest_remove(&forward, digests[i]);
    assert_true(set_digest_equal(&forward, &(struct set_digest){0}));
}

static void a_pair_of_equal_records_does_not_cancel_out(void **state)
{
    struct set_digest set = {0};
    struct digest digest = {UINT64_MAX, 0};
    set_digest_add(&set, digest);
    set_digest_add(&set, digest);
    assert_int_equal(set.count, 2);
    assert_int_equal(set.sum.low, UINT64_MAX - 1);
    assert_int_equal(set.sum.high, 1); /* the carry */
}

static void a_digest_is_written_with_its_high_half_first(void **state)
{
    struct digest digest = {.high = UINT64_C(0x0123456789abcdef), .low = UINT64_C(0xfedcba9876543210)};
    char text[DIGEST_TEXT];
    uint8_t bytes[16];
    assert_string_equal(digest_text(digest, text), "0123456789abcdeffedcba9876543210");
    digest_put(digest, bytes);
    assert_memory_equal(bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef\xfe\xdc\xba\x98\x76\x54\x32\x10", 16);
    assert_true(digest_equal(digest_get(bytes), digest));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_canonical_form_is_the_one_on_the_page),
        cmocka_unit_test(digests_stay_what_they_were),
        cmocka_unit_test(equal_values_have_equal_digests),
        cmocka_unit_test(other_values_have_other_digests),
        cmocka_unit_test(the_seed_matters),
        cmocka_unit_test(the_order_of_few_and_of_many_fields_does_not_matter),
        cmocka_unit_test(only_a_wide_object_takes_from_the_heap),
        cmocka_unit_test(documents_longer_than_the_buffer_are_digested_as_one),
        cmocka_unit_test(what_is_no_document_has_no_digest),
        cmocka_unit_test(a_stored_digest_covers_bytes_and_expiry),
        cmocka_unit_test(a_set_does_not_know_its_order_and_forgets),
        cmocka_unit_test(a_pair_of_equal_records_does_not_cancel_out),
        cmocka_unit_test(a_digest_is_written_with_its_high_half_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
