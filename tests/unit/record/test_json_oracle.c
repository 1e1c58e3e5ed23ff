/* Random documents, whole and mutated, held against json-c and libbson, which share no code with ours. */
#include <json-c/json.h>

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "record/decimal.h"
#include "record/digest.h"

enum { WHOLE = 4000, MUTATED = 30000, BSON_MUTATED = 30000, DEPTH = 6 };

/* --- what is generated --- */

static size_t below(uint64_t *seed, size_t n)
{
    return fake_next(seed) % n;
}

static void blanks(GString *text, uint64_t *seed)
{
    while (below(seed, 6) == 0)
        g_string_append_c(text, " \t\n\r"[below(seed, 4)]);
}

static void any_string(GString *text, uint64_t *seed, bool key)
{
    static const char *const pieces[] = {"a",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\\b\\f\\r\\t",
                                         "é",
                                         "€",
                                         "😀",
                                         "\x7f",
                                         "word ",
                                         "\\u00e9",
                                         "\\u20AC",
                                         "\\ud83d\\ude00",
                                         "\xed\x9f\xbf",
                                         "\xef\xbf\xbf",
                                         "{[,:]}",
                                         "a run of more than sixteen plain bytes"};
    g_string_append_c(text, '"');
    for (size_t n = below(seed, 6); n > 0; n--)
        g_string_append(text, pieces[below(seed, G_N_ELEMENTS(pieces))]);
    if (!key && below(seed, 10) == 0)
        g_string_append(text, "\\u0000");
}

static void any_number(GString *text, uint64_t *seed)
{
    if (below(seed, 2))
        g_string_append_c(text, '-');
    switch (below(seed, 4)) {
    case 0:
        g_string_append_printf(text, "%zu", below(seed, 100));
        return;
    case 1:
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, fake_next(seed) >> below(seed, 64));
        return;
    case 2:
        g_string_append_printf(text, "%zu.%02zu", below(seed, 10000), below(seed, 100));
        return;
    default:
        g_string_append_printf(text, "%zu.%" G_GUINT64_FORMAT "%c%d", below(seed, 10), fake_next(seed),
                               below(seed, 2) ? 'e' : 'E', (int)below(seed, 600) - 300);
    }
}

static void any_value(GString *text, uint64_t *seed, size_t depth);

static void any_container(GString *text, uint64_t *seed, size_t depth, bool array)
{
    g_string_append_c(text, array ? '[' : '{');
    blanks(text, seed);
    size_t n = below(seed, 20) == 0 ? below(seed, 60) : below(seed, 6);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            g_string_append_c(text, ',');
        blanks(text, seed);
        if (!array) {
            any_string(text, seed, true);
            g_string_append_printf(text, "%zu\"", i); /* no key stands twice */
            blanks(text, seed);
            g_string_append_c(text, ':');
            blanks(text, seed);
        }
        any_value(text, seed, depth + 1);
        blanks(text, seed);
    }
    g_string_append_c(text, array ? ']' : '}');
}

static void any_value(GString *text, uint64_t *seed, size_t depth)
{
    static const char *const words[] = {"true", "false", "null"};
    switch (below(seed, depth < DEPTH ? 8 : 6)) {
    case 0:
    case 1:
        any_string(text, seed, false);
        g_string_append_c(text, '"');
        return;
    case 2:
    case 3:
    case 4:
        any_number(text, seed);
        return;
    case 5:
        g_string_append(text, words[below(seed, 3)]);
        return;
    default:
        any_container(text, seed, depth, below(seed, 2));
    }
}

static GString *any_document(uint64_t *seed)
{
    GString *text = g_string_new("");
    blanks(text, seed);
    any_container(text, seed, 1, false);
    blanks(text, seed);
    return text;
}

/* Changes one to three places. */
static void mutate(GString *bytes, uint64_t *seed)
{
    static const char grammar[] = "{}[]:,\"\\0123456789.eE+-truefalsn \n\x80\xc3\xa9\xed\xa0\xff";
    for (size_t n = below(seed, 3) + 1; n > 0 && bytes->len > 0; n--) {
        size_t at = below(seed, bytes->len), len = below(seed, MIN(bytes->len - at, 9)) + 1;
        char byte = below(seed, 3) ? grammar[below(seed, sizeof grammar - 1)] : (char)below(seed, 256);
        switch (below(seed, 5)) {
        case 0:
            bytes->str[at] = byte;
            break;
        case 1:
            g_string_insert_c(bytes, (gssize)at, byte);
            break;
        case 2:
            g_string_erase(bytes, (gssize)at, (gssize)MIN(len, bytes->len - at));
            break;
        case 3:
            bytes->str[at] = (char)(bytes->str[at] ^ 1 << below(seed, 8));
            break;
        default:
            if (below(seed, 4) == 0)
                g_string_truncate(bytes, at);
            else {
                g_autofree char *part = g_memdup2(bytes->str + at, MIN(len, bytes->len - at));
                g_string_insert_len(bytes, (gssize)at, part, (gssize)MIN(len, bytes->len - at));
            }
        }
    }
}

/* --- what it is held against --- */

/* json-c's integers end at those of 64 bits and its doubles are rounded: what it has must be what ours rounds to. */
static void same_number(json_object *wanted, const bson_iter_t *iter)
{
    char text[DECIMAL_TEXT];
    if (bson_iter_type(iter) == BSON_TYPE_INT64)
        g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, bson_iter_int64(iter));
    else {
        bson_decimal128_t decimal;
        assert_true(bson_iter_decimal128(iter, &decimal));
        decimal_text(&decimal, text);
    }
    double value = g_ascii_strtod(text, NULL);
    if (json_object_is_type(wanted, json_type_double)) {
        assert_true(value == json_object_get_double(wanted));
        return;
    }
    const char *exact = json_object_to_json_string(wanted);
    bool clamped = value >= (double)UINT64_MAX || value < (double)INT64_MIN;
    assert_true(clamped || strcmp(text, exact) == 0 || (strcmp(text, "-0") == 0 && strcmp(exact, "0") == 0));
}

/* json-c 0.16 writes U+FFFD for a code point such as U+1DE00, whose lower half looks like that of a pair. */
static void same_text(const char *wanted, size_t wanted_len, const char *text, size_t len)
{
    if (g_strstr_len(wanted, (gssize)wanted_len, "\xef\xbf\xbd"))
        return;
    assert_int_equal(len, wanted_len);
    assert_memory_equal(text, wanted, len);
}

static void same_members(json_object *wanted, bson_iter_t *iter);

static void same_value(json_object *wanted, const bson_iter_t *iter)
{
    bson_iter_t inner;
    switch (json_object_get_type(wanted)) {
    case json_type_null:
        assert_int_equal(bson_iter_type(iter), BSON_TYPE_NULL);
        return;
    case json_type_boolean:
        assert_int_equal(bson_iter_type(iter), BSON_TYPE_BOOL);
        assert_int_equal(bson_iter_bool(iter), json_object_get_boolean(wanted));
        return;
    case json_type_int:
    case json_type_double:
        same_number(wanted, iter);
        return;
    case json_type_string: {
        uint32_t len;
        const char *text = bson_iter_utf8(iter, &len);
        assert_int_equal(bson_iter_type(iter), BSON_TYPE_UTF8);
        same_text(json_object_get_string(wanted), (size_t)json_object_get_string_len(wanted), text, len);
        return;
    }
    case json_type_object:
    case json_type_array:
        assert_int_equal(bson_iter_type(iter),
                         json_object_is_type(wanted, json_type_array) ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT);
        assert_true(bson_iter_recurse(iter, &inner));
        same_members(wanted, &inner);
        return;
    default:
        fail();
    }
}

static void same_members(json_object *wanted, bson_iter_t *iter)
{
    if (json_object_is_type(wanted, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(wanted); i++) {
            char name[24];
            g_snprintf(name, sizeof name, "%zu", i);
            assert_true(bson_iter_next(iter));
            assert_string_equal(bson_iter_key(iter), name);
            same_value(json_object_array_get_idx(wanted, i), iter);
        }
    } else {
        json_object_object_foreach(wanted, key, value)
        {
            assert_true(bson_iter_next(iter));
            same_text(key, strlen(key), bson_iter_key(iter), bson_iter_key_len(iter));
            same_value(value, iter);
        }
    }
    assert_false(bson_iter_next(iter));
}

static void is_what_json_c_reads(const GString *text, struct slice document)
{
    json_tokener *tokener = json_tokener_new_ex(2 * DOCUMENT_DEPTH);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    json_object *wanted = json_tokener_parse_ex(tokener, text->str, (int)text->len + 1);
    if (!wanted) {
        print_error("json-c: %s: %s\n", json_tokener_error_desc(json_tokener_get_error(tokener)), text->str);
        fail();
    }
    bson_t b;
    bson_iter_t iter;
    size_t at;
    assert_true(document_view(document, &b) && bson_iter_init(&iter, &b));
    assert_true(bson_validate(&b, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, &at));
    same_members(wanted, &iter);
    json_object_put(wanted);
    json_tokener_free(tokener);
}

/* The document as JSON, read. */
static struct slice written_and_read(struct arena *mem, struct slice document)
{
    GError *error = NULL;
    struct slice again = SLICE_EMPTY;
    g_autoptr(GString) text = g_string_new("");
    kit_ok(document_to_json(document, text, &error));
    kit_ok(document_from_json(slice_of(text->str, text->len), mem, &again, NULL, &error));
    return again;
}

/* A document that came from JSON: written and read again it has the same bytes. */
static void comes_back(struct arena *mem, struct slice document)
{
    GError *error = NULL;
    struct digest before, after;
    struct slice again = written_and_read(mem, document);
    assert_true(slice_equal(document, again));
    kit_ok(digest_canonical(document, 7, &before, &error));
    kit_ok(digest_canonical(again, 7, &after, &error));
    assert_true(digest_equal(before, after));
}

/* From a buffer that ends with the bytes, so that the sanitizer sees a read beyond them. */
static bool read_exact(const GString *text, struct arena *mem, struct slice *ret)
{
    GError *error = NULL;
    size_t at = SIZE_MAX;
    g_autofree uint8_t *copy = g_memdup2(text->str, text->len);
    bool ok = document_from_json(slice_of(copy, text->len), mem, ret, &at, &error);
    assert_true(ok || (at <= text->len && error_is(error, SLUICE_ERROR_BAD_RECORD)));
    g_clear_error(&error);
    return ok;
}

static void documents_are_what_json_c_reads_and_come_back(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    uint64_t seed = 11;
    for (size_t i = 0; i < WHOLE; i++) {
        GError *error = NULL;
        g_autoptr(GString) text = any_document(&seed);
        struct slice document = SLICE_EMPTY;
        arena_reset(mem);
        kit_ok(document_from_json(slice_of(text->str, text->len), mem, &document, NULL, &error));
        kit_ok(document_check(document, &error));
        is_what_json_c_reads(text, document);
        comes_back(mem, document);
    }
}

static void mutated_text_is_refused_or_read_as_json_c_reads_it(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    uint64_t seed = 12;
    size_t read = 0, refused = 0;
    for (size_t i = 0; i < MUTATED; i++) {
        g_autoptr(GString) text = any_document(&seed);
        struct slice document = SLICE_EMPTY;
        mutate(text, &seed);
        arena_reset(mem);
        if (!read_exact(text, mem, &document)) {
            refused++;
            continue;
        }
        read++;
        is_what_json_c_reads(text, document);
        comes_back(mem, document);
    }
    assert_true(read > MUTATED / 20 && refused > MUTATED / 4);
}

static void mutated_bson_is_refused_or_sound(void **state)
{
    auto_(arena) mem = arena_new(64 << 20);
    uint64_t seed = 13;
    size_t sound = 0, refused = 0;
    for (size_t i = 0; i < BSON_MUTATED; i++) {
        g_autoptr(GString) text = any_document(&seed), json = g_string_new("");
        GError *error = NULL;
        struct slice document = SLICE_EMPTY;
        struct digest digest;
        bson_t b;
        arena_reset(mem);
        kit_ok(document_from_json(slice_of(text->str, text->len), mem, &document, NULL, &error));
        g_string_truncate(text, 0);
        g_string_append_len(text, (const char *)document.data, (gssize)document.len);
        if (below(&seed, 4) == 0)
            mutate(text, &seed);
        else
            text->str[below(&seed, text->len)] ^= (char)(1 << below(&seed, 8));
        g_autofree uint8_t *copy = g_memdup2(text->str, text->len);
        document = slice_of(copy, text->len);
        if (document_check(document, &error)) {
            sound++;
            assert_true(document_view(document, &b));
            assert_true(bson_validate(&b, BSON_VALIDATE_UTF8 | BSON_VALIDATE_UTF8_ALLOW_NULL, NULL));
            kit_ok(digest_canonical(document, 1, &digest, &error));
            comes_back(mem, written_and_read(mem, document)); /* doubles have become decimals, and so on */
            continue;
        }
        refused++;
        assert_true(error_is(error, SLUICE_ERROR_BAD_RECORD));
        g_clear_error(&error);
        (void)document_to_json(document, json, NULL);
        (void)digest_canonical(document, 1, &digest, NULL);
    }
    assert_true(sound > BSON_MUTATED / 20 && refused > BSON_MUTATED / 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_what_json_c_reads_and_come_back),
        cmocka_unit_test(mutated_text_is_refused_or_read_as_json_c_reads_it),
        cmocka_unit_test(mutated_bson_is_refused_or_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
