#include "kit/kit.h"
#include "record/document.h"

/* Hands `b` over. */
static bson_t *checked(bson_t *b)
{
    GError *error = NULL;
    kit_ok(document_check(slice_of(bson_get_data(b), b->len), &error));
    return b;
}

static void refused(struct slice bytes, const char *part)
{
    GError *error = NULL;
    /* from a buffer that ends with the bytes, so that the sanitizer sees a read beyond them */
    g_autofree uint8_t *copy = g_memdup2(bytes.data, bytes.len);
    kit_refused(document_check(slice_of(copy, bytes.len), &error), BAD_RECORD, part);
}

/* Hands `b` over. */
static void refused_bson(bson_t *b, const char *part)
{
    refused(slice_of(bson_get_data(b), b->len), part);
    bson_destroy(b);
}

static void all_types_that_are_carried_pass(void **state)
{
    bson_decimal128_t decimal = {0};
    bson_t *b = BCON_NEW("d", BCON_DOUBLE(1), "s", "é", "o", "{", "a", BCON_INT32(1), "}", "l", "[", BCON_INT64(1), "]",
                         "b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"x", 1), "u",
                         BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16), "t", BCON_BOOL(true),
                         "w", BCON_DATE_TIME(1), "n", BCON_NULL, "x", BCON_DECIMAL128(&decimal));
    bson_destroy(checked(b));
    bson_destroy(checked(bson_new()));
}

static void every_cut_and_every_longer_text_is_refused(void **state)
{
    bson_t *b = BCON_NEW("d", BCON_DOUBLE(1), "s", "text", "l", "[", BCON_INT64(1), "{", "a", "b", "}", "]");
    g_autofree uint8_t *bytes = g_malloc0(b->len + 1);
    memcpy(bytes, bson_get_data(b), b->len);
    for (size_t len = 0; len <= b->len + 1; len++)
        if (len != b->len)
            refused(slice_of(bytes, len), "not BSON");
    /* and with the length made to fit: the fields then end too early */
    for (uint8_t len = 5; len < b->len; len++) {
        bytes[0] = len;
        uint8_t last = bytes[len - 1];
        bytes[len - 1] = 0;
        GError *error = NULL;
        if (!document_check(slice_of(bytes, len), &error))
            assert_true(error_is(error, SLUICE_ERROR_BAD_RECORD));
        g_clear_error(&error);
        bytes[len - 1] = last;
    }
    bson_destroy(b);
}

static void damage_is_named(void **state)
{
    refused(SLICE_EMPTY, "not BSON");
    refused(slice_of("\x0c\0\0\0\x10"
                     "a\0\1\0\0\0\1",
                     12),
            "not BSON"); /* no NUL at the end */
    refused(slice_of("\x08\0\0\0\x0a"
                     "aa\0",
                     8),
            "not BSON"); /* the name does not end */
    refused(slice_of("\x09\0\0\0\x08"
                     "a\0\2\0",
                     9),
            "not BSON"); /* a bool of 2 */
    refused(slice_of("\x0d\0\0\0\x02"
                     "a\0\0\0\0\0\0",
                     13),
            "not BSON"); /* a string of the length 0 */
    refused(slice_of("\x0e\0\0\0\x02"
                     "a\0\2\0\0\0xy\0",
                     14),
            "not BSON"); /* a string without its NUL */
    refused(slice_of("\x0d\0\0\0\x02"
                     "a\0\xff\xff\xff\xff\0\0",
                     13),
            "not BSON"); /* a string of the length -1 */
    refused(slice_of("\x0d\0\0\0\x03"
                     "a\0\6\0\0\0\0\0",
                     13),
            "not BSON"); /* an object that is longer than what holds it */
    refused(slice_of("\x08\0\0\0\x7f"
                     "a\0\0",
                     8),
            "field 'a' has the BSON type 0x7f");
    refused(slice_of("\x08\0\0\0\x00"
                     "a\0\0",
                     8),
            "field 'a' has the BSON type 0x00");
}

static void foreign_types_are_refused_by_name(void **state)
{
    bson_oid_t oid = {{0}};
    refused_bson(BCON_NEW("_id", BCON_OID(&oid)), "field '_id' has the BSON type 0x07, which is not carried");
    refused_bson(BCON_NEW("m", BCON_MINKEY), "0xff");
    refused_bson(BCON_NEW("l", "[", BCON_REGEX("a", ""), "]"), "field '0' has the BSON type 0x0b");
    refused_bson(BCON_NEW("b", BCON_BIN(BSON_SUBTYPE_FUNCTION, (const uint8_t *)"x", 1)), "subtype 1");
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    refused_bson(BCON_NEW("a", "\xc0\xaf"), "field 'a': the string is not UTF-8");
    refused_bson(BCON_NEW("o", "{", "a", "\xed\xa0\x80", "}"), "field 'a'");
    refused_bson(BCON_NEW("a\xff", BCON_NULL), "field 'a?': the key is not UTF-8");
}

static void a_key_that_stands_twice_is_refused(void **state)
{
    refused_bson(BCON_NEW("a", BCON_NULL, "b", BCON_NULL, "a", BCON_NULL), "field 'a': the key stands twice");
    refused_bson(BCON_NEW("o", "{", "a", BCON_NULL, "a", BCON_NULL, "}"), "twice");
    bson_destroy(checked(BCON_NEW("a", "{", "a", "{", "a", BCON_NULL, "}", "}", "b", BCON_NULL)));
    bson_t *b = bson_new();
    for (int i = 0; i < 2000; i++) {
        g_autofree char *name = g_strdup_printf("k%d", i % 1999);
        BSON_APPEND_NULL(b, name);
        if (i == 1998)
            checked(b);
    }
    refused_bson(b, "field 'k0': the key stands twice");
}

static void the_names_of_array_elements_do_not_matter(void **state)
{
    bson_t *b = bson_new(), list;
    BSON_APPEND_ARRAY_BEGIN(b, "l", &list);
    BSON_APPEND_NULL(&list, "x");
    BSON_APPEND_NULL(&list, "x");
    bson_append_array_end(b, &list);
    bson_destroy(checked(b));
}

/* `depth` objects within each other, from the innermost. */
static GByteArray *nested(size_t depth)
{
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const uint8_t *)"\5\0\0\0\0", 5);
    for (size_t i = 1; i < depth; i++) {
        uint32_t len = bytes->len + 8;
        uint8_t head[7] = {(uint8_t)len, (uint8_t)(len >> 8), (uint8_t)(len >> 16), (uint8_t)(len >> 24), 3, 'a', 0};
        g_byte_array_prepend(bytes, head, 7);
        g_byte_array_append(bytes, (const uint8_t *)"", 1);
    }
    return bytes;
}

static void a_hundred_levels_pass_and_no_more(void **state)
{
    GError *error = NULL;
    g_autoptr(GByteArray) fits = nested(DOCUMENT_DEPTH), over = nested(DOCUMENT_DEPTH + 1), deep = nested(20000);
    g_autoptr(GString) json = g_string_new("");
    kit_ok(document_check(slice_of(fits->data, fits->len), &error));
    kit_ok(document_to_json(slice_of(fits->data, fits->len), json, &error));
    refused(slice_of(over->data, over->len), "deeper than 100");
    refused(slice_of(deep->data, deep->len), "deeper than 100");
    kit_refused(document_to_json(slice_of(deep->data, deep->len), json, &error), BAD_RECORD, "deeper than 100");
}

static void more_than_sixteen_mebibytes_are_too_big(void **state)
{
    GError *error = NULL;
    g_autofree uint8_t *bytes = g_malloc0(DOCUMENT_BYTES + 1);
    kit_refused(document_check(slice_of(bytes, DOCUMENT_BYTES + 1), &error), TOO_BIG, "16777217 bytes");
}

static void the_empty_document_is_libbsons(void **state)
{
    bson_t b;
    assert_true(document_view(document_empty(), &b));
    assert_true(bson_empty(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_that_are_carried_pass),
        cmocka_unit_test(every_cut_and_every_longer_text_is_refused),
        cmocka_unit_test(damage_is_named),
        cmocka_unit_test(foreign_types_are_refused_by_name),
        cmocka_unit_test(text_that_is_not_utf8_is_refused),
        cmocka_unit_test(a_key_that_stands_twice_is_refused),
        cmocka_unit_test(the_names_of_array_elements_do_not_matter),
        cmocka_unit_test(a_hundred_levels_pass_and_no_more),
        cmocka_unit_test(more_than_sixteen_mebibytes_are_too_big),
        cmocka_unit_test(the_empty_document_is_libbsons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
