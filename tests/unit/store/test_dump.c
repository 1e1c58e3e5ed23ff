#include "base/hex.h"
#include "kit/kit.h"
#include "store/valkey/dump.h"
#include "store/valkey/form.h"

static const struct dataset RAW = {.name = "*"};

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

#define BYTES(text) slice_of(text, sizeof text - 1)

/* Values as they are kept; of each what is written reads back to the same. */
static const struct value_row {
    const char *name;
    struct slice value;
} VALUES[] = {
    {"string", {(const uint8_t *)"Rsx", 3}},
    {"string", {(const uint8_t *)"Rs", 2}},
    {"list", {(const uint8_t *)"Rl\1b\1a\0", 7}},
    {"set", {(const uint8_t *)"Rt\0\1a\2aa", 8}},
    {"hash", {(const uint8_t *)"Rh\1a\1y\1b\0", 9}},
    {"zset", {(const uint8_t *)"Rz\0\0\0\0\0\0\xf0\xbf\1b\0\0\0\0\0\0\xf0\x3f\1a\0\0\0\0\0\0\xf0\x3f\1b", 32}},
    {"stream", {(const uint8_t *)"Rx\2\5\1\1\1a\1x\6\0\2\1a\1y\1b\1z\7\0\3\3\4\1\1g\5\1\2\1\1c\7\1\5\1\7\1", 41}},
    {"stream", {(const uint8_t *)"Rx\0\0\0\0\0\0\0", 9}},
};

static void what_is_written_reads_back(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(VALUES); i++) {
        GError *error = NULL;
        struct slice payload = SLICE_EMPTY, value = SLICE_EMPTY;
        kit_ok(dump_check(VALUES[i].value, &error));
        kit_ok(dump_write(VALUES[i].value, *state, &payload, &error));
        kit_ok(dump_read(payload, *state, &value, &error));
        assert_true(slice_equal(value, VALUES[i].value));
        assert_string_equal(dump_type_name(value.data[1]), VALUES[i].name);
        assert_int_equal(dump_type_letter(slice_of_text(VALUES[i].name)), value.data[1]);
    }
}

/* What DUMP gave on Redis 7.0.15. */
static const struct dumped_row {
    const char *payload;
    struct slice value;
} DUMPED[] = {
    {"00c00b0a00d0a7178b27ff714f", {(const uint8_t *)"Rs11", 4}},
    {"00c30928016161e01b000161610a00cf092faaae25831d",
     {(const uint8_t *)"Rsaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 42}},
    {"12010212120000000400816202816102c12c028001ff0a00cd98733721884949", {(const uint8_t *)"Rl\1b\1a\003300\0", 11}},
    {"0b140400000003000000d4feffff07000000701101000a002aeeba45e0b0ea71",
     {(const uint8_t *)"Rt\4-300\0017\00570000", 15}},
    {"1018180000000400846e616d650584416e6e6105816e020501ff0a00b45a6a22b00aaf62",
     {(const uint8_t *)"Rh\1n\0015\4name\4Anna", 16}},
    {"1115150000000400816202dffe0281610283312e3504ff0a006c359df633d08b5d",
     {(const uint8_t *)"Rz\0\0\0\0\0\0\0\xc0\1b\0\0\0\0\0\0\xf8\x3f\1a", 22}},
    {"130110000000000000000500000000000000013b3b00000018000201010101018161020001030100010001010104010001000101010201816"
     "10202018162020301080102010101dfff0204010401ff0206000502050103010167000081ffffffffffffffff00000a00d62a101ff238876"
     "f",
     {(const uint8_t
           *)"Rx\2\5\2\2\1a\0012\1b\0013\6\0\1\1a\0014\6\0\5\1\3\1\1g\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0",
      42}},
};

static void what_a_server_gave_is_read(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(DUMPED); i++) {
        GError *error = NULL;
        uint8_t bytes[256];
        struct slice value = SLICE_EMPTY;
        size_t len = strlen(DUMPED[i].payload) / 2;
        assert_true(hex_parse(slice_of_text(DUMPED[i].payload), bytes, len));
        kit_ok(dump_read(slice_of(bytes, len), *state, &value, &error));
        assert_true(slice_equal(value, DUMPED[i].value));
    }
}

static void what_no_value_is_is_refused(void **state)
{
    static const struct slice rows[] = {
        {NULL, 0},
        {(const uint8_t *)"R", 1},
        {(const uint8_t *)"Ry", 2},
        {(const uint8_t *)"Hh\1a\1y", 6},
        {(const uint8_t *)"Rl", 2},
        {(const uint8_t *)"Rl\2a", 4},
        {(const uint8_t *)"Rt\1b\1a", 6},
        {(const uint8_t *)"Rt\1a\1a", 6},
        {(const uint8_t *)"Rh\1a\1y\1a\1z", 10},
        {(const uint8_t *)"Rh\1a", 4},
        {(const uint8_t *)"Rz\0\0\0\0\0\0\xf0\x3f\1a\0\0\0\0\0\0\xf0\xbf\1b", 22},
        {(const uint8_t *)"Rx\2\5\1\1\1a\1x\5\1\1\1a\1x\7\0\0\0\0\0", 22}, /* one id twice */
        {(const uint8_t *)"Rx\1\5\1\0\5\1\0\0\0\0", 12},                   /* an entry without fields */
        {(const uint8_t *)"Rx\0\0\0\0\0\0\0\0", 10},
    };
    GError *error = NULL;
    struct slice ret;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        kit_refused(dump_check(rows[i], &error), BAD_RECORD, "not the bytes of a value");
        kit_refused(dump_write(rows[i], *state, &ret, &error), BAD_RECORD, "not the bytes of a value");
    }
}

static void what_cannot_be_carried_is_named(void **state)
{
    GError *error = NULL;
    struct slice ret;
    kit_refused(dump_read(BYTES("\x07"
                                "xxxxxxxxxxxx"),
                          *state, &ret, &error),
                BAD_RECORD, "(7 in the RDB format");
    kit_refused(dump_read(BYTES("\x16"
                                "xxxxxxxxxxxx"),
                          *state, &ret, &error),
                BAD_RECORD, "(22 in the RDB format");
    kit_refused(dump_read(BYTES("\0\x05"
                                "abc0123456789"),
                          *state, &ret, &error),
                BAD_RECORD, "damaged");
    kit_refused(dump_read(BYTES("\0"), *state, &ret, &error), BAD_RECORD, "damaged");
    kit_refused(dump_read(BYTES("\2\0"
                                "0123456789"),
                          *state, &ret, &error),
                BAD_RECORD, "damaged");
}

static void damage_is_harmless(void **state)
{
    g_autoptr(GRand) dice = g_rand_new_with_seed(3);
    for (int round = 0; round < 20000; round++) {
        struct slice value, payload;
        arena_reset(*state);
        assert_true(dump_write(VALUES[(size_t)round % G_N_ELEMENTS(VALUES)].value, *state, &payload, NULL));
        uint8_t *bytes = g_memdup2(payload.data, payload.len);
        for (int flips = g_rand_int_range(dice, 1, 4); flips > 0; flips--)
            bytes[(size_t)g_rand_int(dice) % payload.len] = (uint8_t)g_rand_int(dice);
        if (dump_read(slice_of(bytes, payload.len), *state, &value, NULL) && dump_check(value, NULL))
            assert_true(dump_write(value, *state, &payload, NULL));
        g_free(bytes);
    }
}

static void a_document_shows_type_and_content(void **state)
{
    GError *error = NULL;
    const struct form *raw = form_of(&RAW);
    struct slice document = SLICE_EMPTY, again = SLICE_EMPTY, wrong;
    g_autoptr(GString) json = g_string_new(NULL);
    kit_ok(raw->decode(&RAW, BYTES("Rh\1a\1y"), *state, &document, &error));
    kit_ok(document_check(document, &error));
    kit_ok(document_to_json(document, json, &error));
    assert_string_equal(json->str, "{\"type\":\"hash\",\"value\":\"AWEBeQ==\"}");
    kit_ok(document_from_json(slice_of(json->str, json->len), *state, &document, NULL, &error));
    kit_ok(raw->encode(&RAW, document, *state, &again, &error));
    assert_true(slice_equal(again, BYTES("Rh\1a\1y")));
    static const char *const bad[] = {"{}",
                                      "{\"type\":\"hash\"}",
                                      "{\"type\":\"hush\",\"value\":\"\"}",
                                      "{\"type\":\"string\",\"value\":\"\",\"more\":1}",
                                      "{\"type\":\"string\",\"value\":1}",
                                      "{\"type\":\"string\",\"value\":\"abc\"}"};
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        kit_ok(document_from_json(slice_of_text(bad[i]), *state, &document, NULL, &error));
        kit_refused(raw->encode(&RAW, document, *state, &wrong, &error), BAD_RECORD, "no copy of a record");
    }
    kit_ok(document_from_json(slice_of_text("{\"type\":\"hash\",\"value\":\"AWEBeQE=\"}"), *state, &document, NULL,
                              &error));
    kit_refused(raw->encode(&RAW, document, *state, &wrong, &error), BAD_RECORD, "not the bytes of a value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
        TEST(what_is_written_reads_back),  TEST(what_a_server_gave_is_read),
        TEST(what_no_value_is_is_refused), TEST(what_cannot_be_carried_is_named),
        TEST(damage_is_harmless),          TEST(a_document_shows_type_and_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
