#include <openssl/evp.h>

#include "base/hex.h"
#include "base/int.h"
#include "kit/kit.h"
#include "store/valkey/form.h"
#include "store/valkey/template.h"

static int arena_setup(void **state)
{
    *state = arena_new(64 << 20);
    return 0;
}

static int arena_teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static const struct dataset HASHES = {.name = "c:{id}"}, JSONS = {.name = "c:{id}", .form = FORM_JSON};

static struct reply bytes_reply(const char *text)
{
    return (struct reply){.type = REPLY_BYTES, .bytes = slice_of_text(text)};
}

static struct reply integer_reply(int64_t integer)
{
    return (struct reply){.type = REPLY_INTEGER, .integer = integer};
}

/* Of texts up to NULL. */
static struct reply array_reply(enum reply_type type, struct reply *items, const char *const *texts)
{
    size_t n = 0;
    for (; texts[n]; n++)
        items[n] = bytes_reply(texts[n]);
    return (struct reply){.type = type, .items = items, .n = n};
}

static struct slice document_of(struct arena *mem, const char *json)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    return document;
}

static void is_json(struct slice document, const char *json)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    kit_ok(document_to_json(document, text, &error));
    assert_string_equal(text->str, json);
}

static struct record image_of(const struct form *form, const struct reply *replies, struct arena *mem)
{
    GError *error = NULL;
    auto_(form_work) work = form_work_new();
    struct record image = {.presence = RECORD_FAULT};
    kit_ok(form->image(replies, slice_of_text("c:7"), work, mem, &image, &error));
    kit_equal_text(image.key, "c:7");
    return image;
}

static void etag_is(const struct record *image, const void *digested, size_t len)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    char text[HEX_TEXT(20)];
    assert_int_equal(EVP_Digest(digested, len, sum, NULL, EVP_sha1(), NULL), 1);
    hex_text(sum, 20, text);
    assert_int_equal(image->etag.len, VALKEY_ETAG_BYTES);
    assert_memory_equal(image->etag.bytes, text, VALKEY_ETAG_BYTES);
}

static void a_datasets_form_is_what_as_says_or_what_its_name_is(void **state)
{
    assert_string_equal(form_of(&HASHES)->name, "hash");
    assert_string_equal(form_of(&JSONS)->name, "json");
    assert_string_equal(form_of(&(struct dataset){.name = "{{a}}:\\{:{id}"})->name, "hash");
    assert_string_equal(form_of(&(struct dataset){.name = "c:*", .form = FORM_HASH})->name, "hash");
    assert_null(form_of(&(struct dataset){.name = "c:*", .form = FORM_BSON}));
    assert_true(valkey_name_is_template("{{{a}"));
    assert_false(valkey_name_is_template("{{a}}*"));
}

static void a_hash_is_sorted_and_its_etag_is_of_the_servers_order(void **state)
{
    struct reply items[8],
        replies[2] = {array_reply(REPLY_ARRAY, items, (const char *const[]){"name", "Anna", "age", "7", NULL}),
                      integer_reply(-1)};
    struct record image = image_of(form_of(&HASHES), replies, *state);
    assert_int_equal(image.presence, RECORD_PRESENT);
    assert_int_equal(image.expires_at_ms, EXPIRES_NEVER);
    kit_equal_text(image.raw, "H\3age\0017\4name\4Anna");
    etag_is(&image,
            "H-1:\x94\xa4name\xa4"
            "Anna\xa3"
            "age\xa1"
            "7",
            21);
    replies[0].type = REPLY_MAP;
    replies[1].integer = 1783684800123;
    image = image_of(form_of(&HASHES), replies, *state);
    assert_int_equal(image.expires_at_ms, 1783684800123);
    etag_is(&image,
            "H1783684800123:\x94\xa4name\xa4"
            "Anna\xa3"
            "age\xa1"
            "7",
            32);
}

static void a_json_string_stays_as_it_stands(void **state)
{
    struct reply replies[2] = {bytes_reply("{ \"a\" : 1 }"), integer_reply(-1)};
    struct record image = image_of(form_of(&JSONS), replies, *state);
    assert_int_equal(image.presence, RECORD_PRESENT);
    kit_equal_text(image.raw, "J{ \"a\" : 1 }");
    etag_is(&image, "G-1:\xab{ \"a\" : 1 }", 16);
}

static void what_is_not_there_is_absent(void **state)
{
    struct reply hash[2] = {{.type = REPLY_ARRAY}, integer_reply(-2)};
    struct reply string[2] = {{.type = REPLY_NULL}, integer_reply(-2)};
    assert_int_equal(image_of(form_of(&HASHES), hash, *state).presence, RECORD_ABSENT);
    assert_int_equal(image_of(form_of(&JSONS), string, *state).presence, RECORD_ABSENT);
    string[0] = bytes_reply("{}"); /* it expired between both */
    assert_int_equal(image_of(form_of(&JSONS), string, *state).presence, RECORD_ABSENT);
    hash[1] = integer_reply(5); /* it was made between both */
    struct record image = image_of(form_of(&HASHES), hash, *state);
    assert_int_equal(image.presence, RECORD_ABSENT);
    assert_int_equal(image.etag.len, 0);
    assert_int_equal(image.expires_at_ms, EXPIRES_NEVER);
}

static void another_type_is_a_fault_of_the_record(void **state)
{
    struct reply replies[2] = {{.type = REPLY_ERROR, .bytes = slice_of_text("WRONGTYPE Operation against a key")},
                               integer_reply(-1)};
    struct record image = image_of(form_of(&HASHES), replies, *state);
    assert_int_equal(image.presence, RECORD_FAULT);
    assert_int_equal(image.fault.code, SLUICE_ERROR_BAD_RECORD);
    assert_string_equal(image.fault.text, "what stands there is no hash");
    assert_string_equal(image_of(form_of(&JSONS), replies, *state).fault.text, "what stands there is no string");
}

static void replies_that_cannot_be_are_refused(void **state)
{
    GError *error = NULL;
    auto_(form_work) work = form_work_new();
    const struct form *hash = form_of(&HASHES), *json = form_of(&JSONS);
    struct reply items[8], error_reply = {.type = REPLY_ERROR, .bytes = slice_of_text("ERR no")};
    struct reply rows[][2] = {
        {array_reply(REPLY_ARRAY, items, (const char *const[]){"a", "b", "c", NULL}), integer_reply(-1)},
        {bytes_reply("x"), integer_reply(-1)},
        {{.type = REPLY_ARRAY}, bytes_reply("x")},
        {error_reply, integer_reply(-1)},
        {{.type = REPLY_ARRAY}, error_reply},
    };
    struct record image;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        kit_refused(hash->image(rows[i], slice_of_text("c:7"), work, *state, &image, &error), STORE, "key 'c:7'");
    rows[0][0].n = 2;
    items[1] = integer_reply(7);
    kit_refused(hash->image(rows[0], slice_of_text("c:7"), work, *state, &image, &error), STORE, "another kind");
    kit_refused(json->image(rows[0], slice_of_text("c:7"), work, *state, &image, &error), STORE, "another kind");
    kit_refused(json->image(rows[3], slice_of_text("c:7"), work, *state, &image, &error), STORE, "says 'ERR no'");
}

static struct slice encoded(const struct dataset *ds, struct slice document, struct arena *mem)
{
    GError *error = NULL;
    struct slice raw = SLICE_EMPTY;
    kit_ok(form_of(ds)->encode(ds, document, mem, &raw, &error));
    return raw;
}

static struct slice decoded(const struct dataset *ds, struct slice raw, struct arena *mem)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(form_of(ds)->decode(ds, raw, mem, &document, &error));
    kit_ok(document_check(document, &error));
    return document;
}

static void a_hash_holds_texts(void **state)
{
    struct slice raw = encoded(&HASHES,
                               document_of(*state, "{\"z\":1,\"s\":\"x\",\"d\":0.10,\"n\":null,\"t\":true,"
                                                   "\"o\":{\"k\":[1,\"é\"]},\"l\":[],\"e\":\"\"}"),
                               *state);
    static const char wanted[] = "H\1d\0040.10\1e\0\1l\2[]\1o\016{\"k\":[1,\"é\"]}\1s\1x\1t\4true\1z\0011";
    assert_true(slice_equal(raw, slice_of(wanted, sizeof wanted - 1)));
    is_json(decoded(&HASHES, raw, *state),
            "{\"d\":\"0.10\",\"e\":\"\",\"l\":\"[]\",\"o\":\"{\\\"k\\\":[1,\\\"é\\\"]}\","
            "\"s\":\"x\",\"t\":\"true\",\"z\":\"1\"}");
    bson_t *b =
        BCON_NEW("w", BCON_DATE_TIME(1783684800123), "b", BCON_BIN(BSON_SUBTYPE_BINARY, (const uint8_t *)"\xff", 1),
                 "u", BCON_BIN(BSON_SUBTYPE_UUID, (const uint8_t *)"0123456789abcdef", 16), "f", BCON_DOUBLE(1.5), "i",
                 BCON_INT32(-7));
    raw = encoded(&HASHES, slice_of(bson_get_data(b), b->len), *state);
    kit_equal_text(raw, "H\1b\1\xff\1f\0031.5\1i\2-7\1u\x24"
                        "30313233-3435-3637-3839-616263646566\1w\x18"
                        "2026-07-10T12:00:00.123Z");
    is_json(decoded(&HASHES, raw, *state), "{\"b\":\"/w==\",\"f\":\"1.5\",\"i\":\"-7\",\"u\":\"30313233-3435-3637-3839-"
                                           "616263646566\",\"w\":\"2026-07-10T12:00:00.123Z\"}");
    bson_destroy(b);
}

static void what_no_hash_and_no_document_can_hold_is_refused(void **state)
{
    GError *error = NULL;
    const struct form *hash = form_of(&HASHES), *json = form_of(&JSONS);
    struct slice ret;
    kit_refused(hash->encode(&HASHES, document_empty(), *state, &ret, &error), BAD_RECORD, "nothing is left");
    kit_refused(hash->encode(&HASHES, document_of(*state, "{\"a\":null}"), *state, &ret, &error), BAD_RECORD,
                "nothing is left");
    kit_refused(hash->encode(&HASHES, slice_of("x", 1), *state, &ret, &error), BAD_RECORD, "BSON");
    kit_refused(hash->decode(&HASHES, slice_of("H\1\xff\1x", 5), *state, &ret, &error), BAD_RECORD, "not UTF-8");
    kit_refused(hash->decode(&HASHES, slice_of("H\2a\0\1x", 6), *state, &ret, &error), BAD_RECORD, "a NUL");
    kit_refused(hash->decode(&HASHES, slice_of("H\1a\2x", 5), *state, &ret, &error), BAD_RECORD, "damaged");
    g_autofree uint8_t *short_of_a_value = g_memdup2("H\1a", 3); /* whose end is seen where bounds are checked */
    kit_refused(hash->decode(&HASHES, slice_of(short_of_a_value, 3), *state, &ret, &error), BAD_RECORD, "damaged");
    kit_refused(hash->decode(&HASHES, slice_of("H", 1), *state, &ret, &error), BAD_RECORD, "damaged");
    kit_refused(hash->decode(&HASHES, slice_of("J{}", 3), *state, &ret, &error), BAD_RECORD, "not the bytes of a hash");
    kit_refused(json->decode(&JSONS, slice_of("Jx", 2), *state, &ret, &error), BAD_RECORD, "column 1");
    kit_refused(json->decode(&JSONS, SLICE_EMPTY, *state, &ret, &error), BAD_RECORD, "not the bytes of");
}

static void assert_digest(struct slice raw, struct arena *mem)
{
    GError *error = NULL;
    struct digest told, canonical;
    assert_true(form_of(&HASHES)->digest(raw, 7, &told));
    kit_ok(digest_canonical(decoded(&HASHES, raw, mem), 7, &canonical, &error));
    assert_true(digest_equal(told, canonical));
}

/* "H", and `n` fields: names of three digits, each with its value. */
static struct slice wide_hash(size_t n, const char *value, struct arena *mem)
{
    g_autoptr(GString) text = g_string_new("H");
    struct slice raw = SLICE_EMPTY;
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(text, "\3%03zu", i);
        uint8_t head[VARINT_MOST], *end = int_put_varint(head, strlen(value));
        g_string_append_len(text, (const char *)head, end - head);
        g_string_append(text, value);
    }
    assert_true(arena_copy(mem, slice_of(text->str, text->len), &raw));
    return raw;
}

static void a_hash_of_texts_has_its_digest_without_a_document(void **state)
{
    g_autofree char *lengthy = g_strnfill(3000, 'x'), *huge = g_strnfill(70000, 'x');
    struct digest told;
    const struct form *hash = form_of(&HASHES);
    const struct slice none[] = {
        slice_of("H\1a\1\xff", 5),    /* binary */
        slice_of("H\1\xff\1x", 5),    /* a name that is no text */
        slice_of("H\2a\0\1x", 6),     /* one with a NUL */
        slice_of("H\1b\1x\1a\1x", 9), /* not ascending */
        slice_of("H\1a\1x\1a\1x", 9), /* twice */
        slice_of("H\1a\2x", 5),       /* damaged */
        slice_of("H", 1),
        slice_of("J{}", 3),
        SLICE_EMPTY,
        wide_hash(1, huge, *state),
        wide_hash(1000, "x", *state),
    };
    assert_digest(slice_of_text("H\1a\1x"), *state);
    assert_digest(slice_of_text("H\1a\2\303\244\2aa\1x\1b\1y"), *state);
    assert_digest(slice_of("H\0\1x\1a\3y\0z", 10), *state); /* no name; a NUL in a value */
    assert_digest(wide_hash(1, lengthy, *state), *state);
    assert_digest(wide_hash(40, "of forty", *state), *state);
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        assert_false(hash->digest(none[i], 7, &told));
}

static GArray *args_of(const struct dataset *ds, struct slice raw, struct arena *mem)
{
    GError *error = NULL;
    GArray *args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    kit_ok(form_of(ds)->write_args(raw, mem, args, &error));
    return args;
}

static void args_are(GArray *args, const char *const *texts)
{
    for (size_t i = 0; texts[i]; i++) {
        assert_true(i < args->len);
        kit_equal_text(g_array_index(args, struct slice, i), texts[i]);
    }
    g_array_unref(args);
}

static void a_record_is_written_by_commands(void **state)
{
    args_are(args_of(&HASHES, encoded(&HASHES, document_of(*state, "{\"b\":1,\"a\":\"x\"}"), *state), *state),
             (const char *const[]){"HSET", "4", "a", "x", "b", "1", NULL});
    args_are(args_of(&JSONS, encoded(&JSONS, document_of(*state, "{\"b\":1,\"a\":\"x\"}"), *state), *state),
             (const char *const[]){"SET", "1", "{\"b\":1,\"a\":\"x\"}", NULL});
}

static void a_large_hash_is_written_by_several_commands(void **state)
{
    g_autoptr(GString) json = g_string_new("{\"f0\":0");
    for (size_t i = 1; i < 4500; i++)
        g_string_append_printf(json, ",\"f%zu\":%zu", i, i);
    g_string_append(json, "}");
    g_autoptr(GArray) args = args_of(&HASHES, encoded(&HASHES, document_of(*state, json->str), *state), *state);
    assert_int_equal(args->len, 9000 + 2 * 3);
    kit_equal_text(g_array_index(args, struct slice, 1), "4000");
    kit_equal_text(g_array_index(args, struct slice, 4002), "HSET");
    kit_equal_text(g_array_index(args, struct slice, 8005), "1000");
}

/* --- any document ------------------------------------------------------------------------------------------------- */

static void append_any(bson_t *into, const char *name, GRand *dice, int depth)
{
    char text[300];
    bson_decimal128_t decimal;
    bson_t inside;
    int len = g_rand_int_range(dice, 0, 280);
    switch (g_rand_int_range(dice, 0, depth ? 10 : 8)) {
    case 0:
        memset(text, 'a' + len % 26, sizeof text);
        bson_append_utf8(into, name, -1, text, len);
        return;
    case 1:
        bson_append_int64(into, name, -1, (int64_t)((uint64_t)g_rand_int(dice) << 32 | g_rand_int(dice)));
        return;
    case 2:
        g_snprintf(text, sizeof text, "%de%d", g_rand_int(dice), g_rand_int_range(dice, -50, 50));
        assert_true(bson_decimal128_from_string(text, &decimal));
        bson_append_decimal128(into, name, -1, &decimal);
        return;
    case 3:
        bson_append_double(into, name, -1, g_rand_double_range(dice, -1e9, 1e9));
        return;
    case 4:
        bson_append_bool(into, name, -1, len & 1);
        return;
    case 5:
        bson_append_null(into, name, -1);
        return;
    case 6:
        bson_append_date_time(into, name, -1, (int64_t)g_rand_int(dice) * 1000 + len);
        return;
    case 7:
        for (int i = 0; i < len; i++)
            text[i] = (char)g_rand_int_range(dice, 0, 256);
        bson_append_binary(into, name, -1, BSON_SUBTYPE_BINARY, (const uint8_t *)text, (uint32_t)len);
        return;
    case 8:
        bson_append_document_begin(into, name, -1, &inside);
        append_any(&inside, "x", dice, depth - 1);
        bson_append_document_end(into, &inside);
        return;
    default:
        bson_append_array_begin(into, name, -1, &inside);
        append_any(&inside, "0", dice, depth - 1);
        append_any(&inside, "1", dice, depth - 1);
        bson_append_array_end(into, &inside);
    }
}

static void what_is_written_and_read_is_written_the_same(void **state)
{
    g_autoptr(GRand) dice = g_rand_new_with_seed(11);
    for (size_t round = 0; round < 3000; round++) {
        bson_t document = BSON_INITIALIZER;
        BSON_APPEND_UTF8(&document, "id", "7");
        for (int i = 0, n = g_rand_int_range(dice, 0, round % 50 ? 12 : 80); i < n; i++) {
            char name[16];
            g_snprintf(name, sizeof name, "%c%d", 'a' + g_rand_int_range(dice, 0, 26), i);
            append_any(&document, name, dice, 3);
        }
        const struct dataset *sets[] = {&HASHES, &JSONS};
        for (size_t i = 0; i < G_N_ELEMENTS(sets); i++) {
            arena_reset(*state);
            struct slice raw = encoded(sets[i], slice_of(bson_get_data(&document), document.len), *state);
            struct slice again = encoded(sets[i], decoded(sets[i], raw, *state), *state);
            assert_true(slice_equal(raw, again));
        }
        bson_destroy(&document);
    }
}

static void a_full_arena_is_too_big(void **state)
{
    GError *error = NULL;
    auto_(arena) small = arena_new(16);
    auto_(form_work) work = form_work_new();
    const struct form *hash = form_of(&HASHES), *json = form_of(&JSONS);
    struct slice document = document_of(*state, "{\"a\":\"seventeen letters\"}"), ret;
    struct reply items[4],
        hashes[2] = {array_reply(REPLY_ARRAY, items, (const char *const[]){"a", "seventeen letters", NULL}),
                     integer_reply(-1)};
    struct reply strings[2] = {bytes_reply("seventeen letters"), integer_reply(-1)};
    struct record image;
    struct slice key = slice_of_text("c:7");
    kit_refused(hash->image(hashes, key, work, small, &image, &error), TOO_BIG, "key 'c:7'");
    kit_refused(json->image(strings, key, work, small, &image, &error), TOO_BIG, "key 'c:7'");
    kit_refused(hash->encode(&HASHES, document, small, &ret, &error), TOO_BIG, "does not fit");
    kit_refused(json->encode(&JSONS, document, small, &ret, &error), TOO_BIG, "does not fit");
    kit_refused(hash->decode(&HASHES, encoded(&HASHES, document, *state), small, &ret, &error), TOO_BIG, "fit");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
        TEST(a_datasets_form_is_what_as_says_or_what_its_name_is),
        TEST(a_hash_is_sorted_and_its_etag_is_of_the_servers_order),
        TEST(a_json_string_stays_as_it_stands),
        TEST(what_is_not_there_is_absent),
        TEST(another_type_is_a_fault_of_the_record),
        TEST(replies_that_cannot_be_are_refused),
        TEST(a_hash_holds_texts),
        TEST(what_no_hash_and_no_document_can_hold_is_refused),
        TEST(a_hash_of_texts_has_its_digest_without_a_document),
        TEST(a_record_is_written_by_commands),
        TEST(a_large_hash_is_written_by_several_commands),
        TEST(what_is_written_and_read_is_written_the_same),
        TEST(a_full_arena_is_too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
