/* Masking, and the rewriting of documents that it stands on: every type of value. */
#include "kit/fake_world.h"
#include "kit/kit.h"

#include "record/decimal.h"
#include "record/mask.h"
#include "record/rewrite.h"

static const uint8_t UUID[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x42, 0xd3, 0xa4, 0x56, 0x42, 0x66, 1, 2, 3, 4};

static void fill(bson_t *into)
{
    bson_decimal128_t decimal;
    bson_t below;
    BSON_APPEND_DATE_TIME(into, "at", INT64_C(1752148800123));
    BSON_APPEND_DOUBLE(into, "d", -120.25);
    BSON_APPEND_INT32(into, "i", 12345);
    BSON_APPEND_INT64(into, "l", INT64_C(9223372036854775807));
    decimal_from_i64(700, &decimal);
    BSON_APPEND_DECIMAL128(into, "n", &decimal);
    BSON_APPEND_BINARY(into, "b", BSON_SUBTYPE_BINARY, UUID, 5);
    BSON_APPEND_BINARY(into, "u", BSON_SUBTYPE_UUID, UUID, 16);
    BSON_APPEND_UTF8(into, "t", "Größe 42 \xE6\x97\xA5\xF0\x9F\x98\x80");
    BSON_APPEND_BOOL(into, "yes", true);
    BSON_APPEND_NULL(into, "z");
    BSON_APPEND_ARRAY_BEGIN(into, "a.b", &below);
    BSON_APPEND_UTF8(&below, "0", "2026-02-28T23:59:59+02:00");
    BSON_APPEND_INT64(&below, "1", 0);
    bson_append_array_end(into, &below);
}

static bson_iter_t value_of(struct slice document, bson_t *view, const char *name)
{
    bson_iter_t at;
    assert_true(document_view(document, view));
    assert_true(bson_iter_init_find(&at, view, name));
    return at;
}

static struct mask *mask_of(struct fake_world *fake, const char *const *fields, size_t n)
{
    struct mask *mask;
    GError *error = NULL;
    kit_ok(mask_new(&mask, &fake->world, fields, n, &error));
    return mask;
}

static void every_type_keeps_its_type_and_shape(void **state)
{
    static const char *const FIELDS[] = {"at", "d", "i", "l", "n", "b", "u", "t", "yes", "z", "a\\.b"};
    struct fake_world fake;
    GError *error = NULL;
    struct slice masked;
    bson_t document = BSON_INITIALIZER, view;
    auto_(arena) mem = arena_new(1 << 20);
    fake_world_init(&fake);
    fill(&document);
    auto_(mask) mask = mask_of(&fake, FIELDS, G_N_ELEMENTS(FIELDS));
    kit_ok(mask_document(mask, slice_of(bson_get_data(&document), document.len), mem, &masked, &error));
    kit_ok(document_check(masked, &error));
    assert_null(mask_unmet(mask));

    bson_iter_t at = value_of(masked, &view, "at");
    int64_t ms = bson_iter_date_time(&at);
    assert_true(ms != INT64_C(1752148800123) && ms >= INT64_C(1735689600000) && ms < INT64_C(1767225600000));
    at = value_of(masked, &view, "d");
    double number = bson_iter_double(&at);
    assert_true(number <= -100 && number > -1000 && !(number > -120.26 && number < -120.24));
    at = value_of(masked, &view, "i");
    assert_true(BSON_ITER_HOLDS_INT32(&at) && bson_iter_int32(&at) >= 10000 && bson_iter_int32(&at) <= 99999);
    at = value_of(masked, &view, "l");
    assert_true(bson_iter_int64(&at) >= INT64_C(1000000000000000000) && bson_iter_int64(&at) != INT64_MAX);
    at = value_of(masked, &view, "n");
    assert_true(BSON_ITER_HOLDS_DECIMAL128(&at));

    const uint8_t *bytes;
    bson_subtype_t subtype;
    uint32_t len;
    at = value_of(masked, &view, "u");
    bson_iter_binary(&at, &subtype, &len, &bytes);
    assert_true(subtype == BSON_SUBTYPE_UUID && len == 16 && memcmp(bytes, UUID, 16) != 0);
    assert_true(bytes[6] >> 4 == 4 && bytes[8] >> 6 == 2);
    at = value_of(masked, &view, "b");
    bson_iter_binary(&at, &subtype, &len, &bytes);
    assert_true(len == 5 && memcmp(bytes, UUID, 5) != 0);
    at = value_of(masked, &view, "t");
    const char *text = bson_iter_utf8(&at, &len);
    assert_int_equal(len, strlen("Größe 42 \xE6\x97\xA5\xF0\x9F\x98\x80"));
    assert_true(g_str_has_suffix(text, "\xF0\x9F\x98\x80") && text[7] == ' ' && g_ascii_isdigit(text[8]));
    assert_null(strstr(text, "\xE6\x97\xA5"));
    at = value_of(masked, &view, "a.b");
    bson_iter_t item;
    assert_true(BSON_ITER_HOLDS_ARRAY(&at) && bson_iter_recurse(&at, &item) && bson_iter_next(&item));
    text = bson_iter_utf8(&item, NULL);
    assert_true(g_str_has_prefix(text, "2026-") && g_str_has_suffix(text, "+02:00") &&
                strcmp(text, "2026-02-28T23:59:59+02:00") != 0);
    assert_true(bson_iter_next(&item) && bson_iter_int64(&item) == 0);
    bson_destroy(&document);
}

static void what_is_not_masked_keeps_its_bytes(void **state)
{
    static const char *const FIELDS[] = {"t"};
    struct fake_world fake;
    GError *error = NULL;
    struct slice masked, again;
    bson_t document = BSON_INITIALIZER;
    auto_(arena) mem = arena_new(1 << 20);
    fake_world_init(&fake);
    fill(&document);
    struct slice bytes = slice_of(bson_get_data(&document), document.len);
    auto_(mask) mask = mask_of(&fake, FIELDS, 1);
    kit_ok(mask_document(mask, bytes, mem, &masked, &error));
    assert_int_equal(masked.len, bytes.len);
    size_t differ = 0;
    for (size_t i = 0; i < bytes.len; i++)
        differ += masked.data[i] != bytes.data[i];
    assert_true(differ > 0 && differ <= strlen("Größe42\xE6\x97\xA5"));
    kit_ok(mask_document(mask, bytes, mem, &again, &error));
    assert_true(slice_equal(masked, again));
    bson_destroy(&document);
}

static void types_that_json_does_not_tell_come_back(void **state)
{
    static const char *const WANTED[] = {"datetime", "double", NULL, NULL, "decimal",
                                         "binary",   "uuid",   NULL, NULL, NULL};
    bson_t document = BSON_INITIALIZER;
    bson_iter_t at;
    fill(&document);
    assert_true(bson_iter_init(&at, &document));
    for (size_t i = 0; i < G_N_ELEMENTS(WANTED); i++) {
        assert_true(bson_iter_next(&at));
        const char *type = rewrite_type_of(&at);
        assert_true(WANTED[i] ? type && strcmp(type, WANTED[i]) == 0 : !type);
    }
    bson_destroy(&document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_keeps_its_type_and_shape),
        cmocka_unit_test(what_is_not_masked_keeps_its_bytes),
        cmocka_unit_test(types_that_json_does_not_tell_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
