#include <hiredis/hiredis.h>

#include "base/int.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/valkey/resp.h"

enum { MEM = 64 << 20 };

static const struct resp_limits NO_LIMITS;

/* A reply as text: `["a" 1 nil {"k" "v"}]`. */
static void show(const struct reply *reply, GString *into)
{
    static const char *const BRACKETS[] = {[REPLY_ARRAY] = "[]", [REPLY_MAP] = "{}", [REPLY_PUSH] = "<>"};
    static const char *const MARKS[] = {
        [REPLY_STATUS] = "+", [REPLY_ERROR] = "-", [REPLY_BYTES] = "'", [REPLY_DOUBLE] = ",", [REPLY_NUMBER] = "("};
    switch (reply->type) {
    case REPLY_NULL:
        g_string_append(into, "nil");
        break;
    case REPLY_INTEGER:
        g_string_append_printf(into, "%" G_GINT64_FORMAT, reply->integer);
        break;
    case REPLY_BOOL:
        g_string_append(into, reply->integer ? "true" : "false");
        break;
    case REPLY_STATUS:
    case REPLY_ERROR:
    case REPLY_BYTES:
    case REPLY_DOUBLE:
    case REPLY_NUMBER:
        g_string_append(into, MARKS[reply->type]);
        g_string_append_len(into, (const char *)reply->bytes.data, (gssize)reply->bytes.len);
        g_string_append(into, reply->type == REPLY_BYTES ? "'" : "");
        break;
    case REPLY_ARRAY:
    case REPLY_MAP:
    case REPLY_PUSH:
        g_string_append_c(into, BRACKETS[reply->type][0]);
        for (size_t i = 0; i < reply->n; i++) {
            g_string_append(into, i ? " " : "");
            show(&reply->items[i], into);
        }
        g_string_append_c(into, BRACKETS[reply->type][1]);
        break;
    }
}

static char *shown(const struct reply *reply)
{
    GString *text = g_string_new("");
    show(reply, text);
    return g_string_free(text, FALSE);
}

/* Taken at once it is the same. Attributes are left to the other way. */
static void taken_so(struct slice bytes, size_t end, const char *reads)
{
    auto_(arena) mem = arena_new(MEM);
    struct reply reply;
    size_t taken;
    if (!resp_take(bytes, mem, &reply, &taken)) {
        assert_non_null(memchr(bytes.data, '|', end));
        return;
    }
    g_autofree char *text = shown(&reply);
    assert_int_equal(taken, end);
    assert_string_equal(text, reads);
}

static void not_taken(struct slice bytes)
{
    auto_(arena) mem = arena_new(MEM);
    struct reply reply;
    size_t end;
    assert_false(resp_take(bytes, mem, &reply, &end));
}

/* What one whole reply reads as, whatever stands behind it. */
static char *read_whole(struct slice bytes, size_t *ret_len)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(MEM);
    struct resp_scan scan = {0};
    struct reply reply;
    bool whole;
    kit_ok(resp_scan(&scan, bytes, &NO_LIMITS, &whole, &error));
    assert_true(whole);
    kit_ok(resp_read(slice_of(bytes.data, scan.at), mem, &reply, &error));
    *ret_len = scan.at;
    char *text = shown(&reply);
    taken_so(bytes, scan.at, text);
    return text;
}

static const struct {
    const char *wire, *reads;
} REPLIES[] = {
    {"+OK\r\n", "+OK"},
    {"+\r\n", "+"},
    {"-ERR no\r\n", "-ERR no"},
    {":0\r\n", "0"},
    {":-9223372036854775808\r\n", "-9223372036854775808"},
    {":9223372036854775807\r\n", "9223372036854775807"},
    {":+7\r\n", "7"},
    {"$0\r\n\r\n", "''"},
    {"$4\r\n\r\n\r\n\r\n", "'\r\n\r\n'"},
    {"$-1\r\n", "nil"},
    {"*-1\r\n", "nil"},
    {"*0\r\n", "[]"},
    {"*2\r\n$1\r\na\r\n:1\r\n", "['a' 1]"},
    {"*3\r\n*1\r\n*1\r\n*0\r\n*0\r\n*2\r\n+x\r\n$-1\r\n", "[[[[]]] [] [+x nil]]"},
    {"_\r\n", "nil"},
    {"#t\r\n", "true"},
    {"#f\r\n", "false"},
    {",3.25\r\n", ",3.25"},
    {",-inf\r\n", ",-inf"},
    {",nan\r\n", ",nan"},
    {",1e-7\r\n", ",1e-7"},
    {"(3492890328409238509324850943850943825024385\r\n", "(3492890328409238509324850943850943825024385"},
    {"(-1\r\n", "(-1"},
    {"!8\r\nERR a\r\nb\r\n", "-ERR a\r\nb"},
    {"=15\r\ntxt:Some string\r\n", "'Some string'"},
    {"=4\r\nmkd:\r\n", "''"},
    {"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "{+a 1 +b [2]}"},
    {"%0\r\n", "{}"},
    {"~2\r\n:1\r\n:2\r\n", "[1 2]"},
    {">2\r\n+message\r\n$1\r\nx\r\n", "<+message 'x'>"},
    {"|1\r\n+ttl\r\n:3600\r\n:5\r\n", "5"},
    {"|0\r\n+OK\r\n", "+OK"},
    {"*3\r\n:1\r\n|1\r\n+a\r\n*2\r\n:9\r\n:9\r\n:2\r\n:3\r\n", "[1 2 3]"},
    {"|1\r\n|1\r\n+x\r\n+y\r\n+a\r\n|0\r\n+b\r\n*1\r\n+c\r\n", "[+c]"},
};

static void replies_read_as_they_are(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(REPLIES); i++) {
        size_t len;
        g_autofree char *text = read_whole(slice_of_text(REPLIES[i].wire), &len);
        assert_string_equal(text, REPLIES[i].reads);
        assert_int_equal(len, strlen(REPLIES[i].wire));
    }
}

static void what_follows_a_reply_is_not_its_own(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(REPLIES); i++) {
        size_t len;
        g_autofree char *wire = g_strconcat(REPLIES[i].wire, "+next\r\n", NULL);
        g_autofree char *text = read_whole(slice_of_text(wire), &len);
        assert_string_equal(text, REPLIES[i].reads);
        assert_int_equal(len, strlen(REPLIES[i].wire));
    }
}

/* Fed piece by piece, of sizes that `next` gives: never whole before the end, and the same then. */
static void feed(struct slice bytes, size_t piece, const char *reads)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(MEM);
    struct resp_scan scan = {0};
    struct reply reply;
    bool whole = false;
    for (size_t len = 0; len < bytes.len; whole = false) {
        len = MIN(len + piece, bytes.len);
        g_autofree uint8_t *exact = g_memdup2(bytes.data, len); /* what lies behind is not there */
        kit_ok(resp_scan(&scan, slice_of(exact, len), &NO_LIMITS, &whole, &error));
        assert_int_equal(whole, len == bytes.len);
        if (whole)
            continue;
        assert_in_range(scan.need, len + 1, bytes.len);
        not_taken(slice_of(exact, len));
    }
    assert_int_equal(scan.at, bytes.len);
    kit_ok(resp_read(bytes, mem, &reply, &error));
    g_autofree char *text = shown(&reply);
    assert_string_equal(text, reads);
}

static void however_the_bytes_come_the_reply_is_the_same(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(REPLIES); i++)
        for (size_t piece = 1; piece <= strlen(REPLIES[i].wire); piece++)
            feed(slice_of_text(REPLIES[i].wire), piece, REPLIES[i].reads);
}

static void what_is_no_reply_is_told_with_its_place(void **state)
{
    static const struct {
        const char *wire, *says;
    } ROWS[] = {
        {"hello", "byte 0: expected the beginning of a reply"},
        {"\x80", "byte 0: expected the beginning"},
        {"\r\n", "byte 0: expected the beginning"},
        {"HTTP/1.1 400 Bad Request\r\n", "byte 0: expected the beginning"},
        {":12a\r\n", "byte 3: expected the end of the line"},
        {":\r\n", "byte 1: expected a number"},
        {":a\r\n", "byte 1: expected a number"},
        {":9223372036854775808\r\n", "byte 1: expected a number of 64 bits"},
        {":-9223372036854775809\r\n", "byte 1: expected a number of 64 bits"},
        {":0000000000000000000000000000\r\n", "byte 1: expected a number"},
        {":1\rx", "byte 3: expected the end of the line"},
        {":1\n", "byte 2: expected the end of the line"},
        {"$-2\r\n", "byte 1: expected a length"},
        {"*-2\r\n", "byte 1: expected a length"},
        {"$18446744073709551616\r\n\r\n", "byte 1: expected a number of 64 bits"},
        {"$18446744073709551615\r\n\r\n", "byte 1: expected a number of 64 bits"},
        {"$3\r\nabcd\r\n", "byte 7: expected the end of the line"},
        {"$3\r\nabc\rd", "byte 8: expected the end of the line"},
        {"+a\nb\r\n", "byte 2: expected no line feed"},
        {"+a\rb\r\n", "byte 3: expected the end of the line"},
        {"_x\r\n", "byte 1: expected what its type consists of"},
        {"#x\r\n", "byte 1: expected what its type consists of"},
        {"#tf\r\n", "byte 1: expected a value"},
        {"#\r\n", "byte 1: expected a value"},
        {",\r\n", "byte 1: expected a value"},
        {",one\r\n", "byte 1: expected what its type consists of"},
        {"(12x\r\n", "byte 3: expected what its type consists of"},
        {"=3\r\ntxt\r\n", "byte 4: expected the format of a text"},
        {"=5\r\ntext:\r\n", "byte 4: expected the format of a text"},
        {"$?\r\n", "byte 1: expected a number"},
        {"*99999999999999\r\n", "byte 1: expected a smaller number"},
        {"*2\r\n:1\r\nx", "byte 8: expected the beginning"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        for (size_t piece = 1; piece <= strlen(ROWS[i].wire); piece += strlen(ROWS[i].wire) - 1) {
            GError *error = NULL;
            struct resp_scan scan = {0};
            bool whole = false, sound = true;
            size_t len = 0, most = strlen(ROWS[i].wire);
            while (sound && len < most) {
                len = MIN(len + piece, most);
                sound = resp_scan(&scan, slice_of(ROWS[i].wire, len), &NO_LIMITS, &whole, &error);
                assert_false(sound && whole);
            }
            kit_refused(sound, STORE, ROWS[i].says);
            not_taken(slice_of_text(ROWS[i].wire));
            if (most == 1)
                break;
        }
}

static bool scans(const char *wire, const struct resp_limits *limits, GError **error)
{
    struct resp_scan scan = {0};
    bool whole;
    return resp_scan(&scan, slice_of_text(wire), limits, &whole, error);
}

static char *nested(unsigned depth)
{
    GString *wire = g_string_new("");
    for (unsigned i = 0; i < depth; i++)
        g_string_append(wire, "*1\r\n");
    g_string_append(wire, ":1\r\n");
    return g_string_free(wire, FALSE);
}

static void what_is_too_large_is_refused_before_it_is_there(void **state)
{
    GError *error = NULL;
    const struct resp_limits small = {.bytes = 20, .elements = 5};
    g_autofree char *deepest = nested(RESP_DEPTH), *too_deep = nested(RESP_DEPTH + 1);
    kit_ok(scans(deepest, &NO_LIMITS, &error));
    kit_refused(scans(too_deep, &NO_LIMITS, &error), STORE, "more than 16 levels");
    kit_refused(scans("$1073741824\r\n", &NO_LIMITS, &error), STORE, "more than 1073741824 bytes");
    kit_refused(scans("*67108865\r\n", &NO_LIMITS, &error), STORE, "more than 67108864 elements");
    kit_refused(scans("$9223372036854775807\r\n", &NO_LIMITS, &error), STORE, "more than 1073741824 bytes");
    kit_refused(scans("%9999999999\r\n", &NO_LIMITS, &error), STORE, "more than 67108864 elements");
    kit_ok(scans("$13\r\n0123456789abc\r\n", &small, &error)); /* 20 bytes */
    kit_refused(scans("$14\r\n", &small, &error), STORE, "more than 20 bytes");
    kit_refused(scans("+0123456789abcdefghi", &small, &error), STORE, "more than 20 bytes");
    kit_ok(scans("*4\r\n", &small, &error));
    kit_refused(scans("*5\r\n", &small, &error), STORE, "more than 5 elements");
    kit_refused(scans("%2\r\n*1\r\n", &small, &error), STORE, "more than 5 elements");
    kit_refused(scans("|1\r\n+a\r\n|3\r\n", &small, &error), STORE, "more than 5 elements");
}

static void a_tree_that_has_no_room_is_too_big(void **state)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1024);
    g_autoptr(GString) wire = g_string_new("*100\r\n");
    struct resp_scan scan = {0};
    struct reply reply;
    bool whole;
    for (int i = 0; i < 100; i++)
        g_string_append(wire, ":1\r\n");
    kit_ok(resp_scan(&scan, slice_of(wire->str, wire->len), &NO_LIMITS, &whole, &error));
    assert_true(whole);
    kit_refused(resp_read(slice_of(wire->str, wire->len), mem, &reply, &error), TOO_BIG, "needs more memory");
}

/* --- hiredis ------------------------------------------------------------------------------------------------------ */

static void put_text(GString *into, char mark, uint64_t *seed)
{
    g_string_append_c(into, mark);
    for (uint64_t left = fake_next(seed) % 30; left > 0; left--)
        g_string_append_c(into, (char)(' ' + fake_next(seed) % 95));
    g_string_append(into, "\r\n");
}

static void put_bulk(GString *into, uint64_t *seed)
{
    uint64_t len = fake_next(seed) % 8 ? fake_next(seed) % 40 : fake_next(seed) % 5000;
    g_string_append_printf(into, "$%" G_GUINT64_FORMAT "\r\n", len);
    for (; len > 0; len--)
        g_string_append_c(into, (char)(fake_next(seed) & 0xff));
    g_string_append(into, "\r\n");
}

static void put_random(GString *into, unsigned depth, uint64_t *seed)
{
    switch (fake_next(seed) % (depth < 6 ? 8 : 6)) {
    case 0:
        put_text(into, '+', seed);
        break;
    case 1:
        put_text(into, '-', seed);
        break;
    case 2:
        g_string_append_printf(into, ":%" G_GINT64_FORMAT "\r\n",
                               (int64_t)(fake_next(seed) >> (fake_next(seed) % 60)) * (fake_next(seed) % 2 ? 1 : -1));
        break;
    case 3:
    case 4:
        put_bulk(into, seed);
        break;
    case 5:
        g_string_append(into, fake_next(seed) % 2 ? "$-1\r\n" : "*-1\r\n");
        break;
    default: {
        uint64_t n = fake_next(seed) % 7;
        g_string_append_printf(into, "*%" G_GUINT64_FORMAT "\r\n", n);
        for (; n > 0; n--)
            put_random(into, depth + 1, seed);
    }
    }
}

static void show_hiredis(const redisReply *reply, GString *into)
{
    struct reply same = {.bytes = slice_of(reply->str, reply->len), .integer = reply->integer};
    static const struct {
        int type;
        enum reply_type ours;
    } TYPES[] = {{REDIS_REPLY_STATUS, REPLY_STATUS},
                 {REDIS_REPLY_ERROR, REPLY_ERROR},
                 {REDIS_REPLY_INTEGER, REPLY_INTEGER},
                 {REDIS_REPLY_STRING, REPLY_BYTES},
                 {REDIS_REPLY_NIL, REPLY_NULL}};
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (TYPES[i].type == reply->type) {
            same.type = TYPES[i].ours;
            show(&same, into);
            return;
        }
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    g_string_append_c(into, '[');
    for (size_t i = 0; i < reply->elements; i++) {
        g_string_append(into, i ? " " : "");
        show_hiredis(reply->element[i], into);
    }
    g_string_append_c(into, ']');
}

/* 200 replies in one stream, fed to both in the same random pieces. */
static void agree_on(uint64_t seed)
{
    g_autoptr(GString) wire = g_string_new("");
    enum { REPLIES_EACH = 200 };
    for (int i = 0; i < REPLIES_EACH; i++)
        put_random(wire, 0, &seed);
    redisReader *reader = redisReaderCreate();
    auto_(arena) mem = arena_new(MEM);
    GError *error = NULL;
    struct resp_scan scan = {0};
    size_t begin = 0, end = 0, seen = 0;
    while (seen < REPLIES_EACH) {
        size_t more = 1 + fake_next(&seed) % 700;
        more = MIN(more, wire->len - end);
        assert_int_equal(redisReaderFeed(reader, wire->str + end, more), REDIS_OK);
        end += more;
        for (bool whole = true; whole;) {
            void *theirs = NULL;
            struct reply ours;
            if (redisReaderGetReply(reader, &theirs) != REDIS_OK)
                fail_msg("hiredis: %s", reader->errstr);
            struct slice bytes = slice_of(wire->str + begin, end - begin);
            kit_ok(resp_scan(&scan, bytes, &NO_LIMITS, &whole, &error));
            assert_int_equal(whole, theirs != NULL);
            if (!whole)
                break;
            kit_ok(resp_read(slice_of(bytes.data, scan.at), mem, &ours, &error));
            g_autoptr(GString) their_text = g_string_new(""), our_text = g_string_new("");
            show_hiredis(theirs, their_text);
            show(&ours, our_text);
            taken_so(bytes, scan.at, our_text->str);
            assert_true(g_string_equal(their_text, our_text));
            freeReplyObject(theirs);
            arena_reset(mem);
            begin += scan.at;
            scan = (struct resp_scan){0};
            seen++;
        }
    }
    assert_int_equal(begin, wire->len);
    redisReaderFree(reader);
}

static void hiredis_reads_the_same(void **state)
{
    for (uint64_t seed = 1; seed <= 100; seed++)
        agree_on(seed);
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void a_command_is_an_array_of_its_arguments(void **state)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    const struct slice set[] = {slice_of_text("SET"), slice_of("k\r\n\0", 4), SLICE_EMPTY};
    const struct slice ping[] = {slice_of_text("PING")};
    static const char WIRE[] = "*3\r\n$3\r\nSET\r\n$4\r\nk\r\n\0\r\n$0\r\n\r\n*1\r\n$4\r\nPING\r\n";
    resp_put(out, set, 3);
    resp_put(out, ping, 1);
    assert_int_equal(out->len, sizeof WIRE - 1);
    assert_memory_equal(out->data, WIRE, out->len);
}

/* Our own words, read by our own parser and by hiredis. */
static void long_commands_come_back(void **state)
{
    uint64_t seed = 7;
    for (size_t n = 1; n < 1200; n += n < 12 ? 1 : 97) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        g_autofree struct slice *args = g_new(struct slice, n);
        g_autofree char *bytes = g_strnfill(100000, 'b');
        GError *error = NULL;
        auto_(arena) mem = arena_new(MEM);
        struct resp_scan scan = {0};
        struct reply reply;
        bool whole;
        for (size_t i = 0; i < n; i++)
            args[i] = slice_of(bytes, fake_next(&seed) % (i % 50 ? 120 : 100000));
        resp_put(out, args, n);
        kit_ok(resp_scan(&scan, slice_of(out->data, out->len), &NO_LIMITS, &whole, &error));
        assert_true(whole && scan.at == out->len);
        kit_ok(resp_read(slice_of(out->data, out->len), mem, &reply, &error));
        assert_true(reply_is_array(&reply, n));
        for (size_t i = 0; i < n; i++)
            assert_true(slice_equal(reply.items[i].bytes, args[i]));
    }
}

static void errors_are_known_by_their_first_words(void **state)
{
    struct reply moved = {.type = REPLY_ERROR, .bytes = slice_of_text("MOVED 3999 127.0.0.1:6381")};
    struct reply bare = {.type = REPLY_ERROR, .bytes = slice_of_text("MOVED")};
    struct reply status = {.type = REPLY_STATUS, .bytes = slice_of_text("MOVED 3999 127.0.0.1:6381")};
    assert_true(reply_is_error(&moved, "MOVED") && reply_is_error(&moved, "MOVED 3999") &&
                reply_is_error(&bare, "MOVED"));
    assert_false(reply_is_error(&moved, "MOVE") || reply_is_error(&bare, "MOVED 3999") ||
                 reply_is_error(&status, "MOVED"));
    assert_false(reply_is_array(&status, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_read_as_they_are),
        cmocka_unit_test(what_follows_a_reply_is_not_its_own),
        cmocka_unit_test(however_the_bytes_come_the_reply_is_the_same),
        cmocka_unit_test(what_is_no_reply_is_told_with_its_place),
        cmocka_unit_test(what_is_too_large_is_refused_before_it_is_there),
        cmocka_unit_test(a_tree_that_has_no_room_is_too_big),
        cmocka_unit_test(hiredis_reads_the_same),
        cmocka_unit_test(a_command_is_an_array_of_its_arguments),
        cmocka_unit_test(long_commands_come_back),
        cmocka_unit_test(errors_are_known_by_their_first_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
