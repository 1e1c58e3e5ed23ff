/* What a value in pieces is told apart by, and the commands that put one together. */
#include "kit/kit.h"
#include "record/text.h"
#include "store/valkey/pieces_write.h"

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
#define ROW_BYTES(text)                                                                                                \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }
#define KEY slice_of_text("hidden")

/* --- sums --------------------------------------------------------------------------------------------------------- */

static void sum_of(uint8_t letter, const struct form_pair *pairs, size_t n, uint8_t ret[PIECES_BYTES])
{
    auto_(pieces_sum) sum = pieces_sum_new();
    pieces_sum_begin(sum, letter);
    for (size_t i = 0; i < n; i++) /* however it comes in pieces */
        pieces_sum_add(sum, &pairs[i], 1);
    pieces_sum_end(sum, ret);
}

static void only_where_order_means_something_it_counts(void **state)
{
    struct form_pair there[] = {{BYTES("a"), BYTES("12345678")}, {BYTES("b"), BYTES("abcdefgh")}};
    struct form_pair back[] = {there[1], there[0]};
    static const struct {
        uint8_t letter;
        bool counts;
    } ROWS[] = {{'s', true}, {'l', true}, {'x', true}, {'t', false}, {'h', false}, {'z', false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        uint8_t one[PIECES_BYTES], other[PIECES_BYTES];
        sum_of(ROWS[i].letter, there, 2, one);
        sum_of(ROWS[i].letter, back, 2, other);
        assert_int_equal(memcmp(one, other, sizeof one) != 0, ROWS[i].counts);
        assert_true(pieces_stand_for(slice_of(one, sizeof one)));
        assert_int_equal(one[1], ROWS[i].letter);
        sum_of(ROWS[i].letter, there, 1, other);
        assert_memory_not_equal(one, other, sizeof one);
    }
}

/* `ab` and `c` are not `a` and `bc`, of whatever has a length. */
static void where_one_element_ends_counts(void **state)
{
    struct form_pair one[] = {{BYTES("ab"), BYTES("d")}, {BYTES("c"), BYTES("")}},
                     other[] = {{BYTES("a"), BYTES("bd")}, {BYTES("bc"), BYTES("")}};
    for (const char *letter = "lth"; *letter; letter++) {
        uint8_t a[PIECES_BYTES], b[PIECES_BYTES];
        sum_of((uint8_t)*letter, one, 2, a);
        sum_of((uint8_t)*letter, other, 2, b);
        assert_memory_not_equal(a, b, sizeof a);
    }
}

static void what_stands_for_a_value_is_told_from_values(void **state)
{
    uint8_t bytes[PIECES_BYTES] = "Pl";
    struct etag etag, later;
    assert_true(pieces_stand_for(slice_of(bytes, sizeof bytes)));
    assert_false(pieces_stand_for(slice_of(bytes, sizeof bytes - 1)));
    pieces_etag(bytes, EXPIRES_NEVER, &etag);
    pieces_etag(bytes, 12345, &later);
    assert_true(pieces_is_etag(&etag) && pieces_is_etag(&later));
    assert_memory_not_equal(etag.bytes, later.bytes, etag.len);
    etag.bytes[0] = 'f'; /* as a digest in hex begins */
    assert_false(pieces_is_etag(&etag));
    bytes[1] = '?';
    assert_false(pieces_stand_for(slice_of(bytes, sizeof bytes)));
    bytes[0] = 'R';
    assert_false(pieces_stand_for(slice_of(bytes, sizeof bytes)));
}

static bool is_whole(uint64_t bytes, uint64_t pending)
{
    auto_(pieces_sum) sum = pieces_sum_new();
    static const uint8_t NOTHING[1 << 20];
    pieces_sum_begin(sum, 's');
    for (uint64_t left = bytes; left; left -= MIN(left, sizeof NOTHING)) {
        struct form_pair pair = {.name = slice_of(NOTHING, MIN(left, sizeof NOTHING))};
        pieces_sum_add(sum, &pair, 1);
    }
    pieces_sum_tail(sum, SLICE_EMPTY, pending);
    return pieces_sum_is_whole(sum);
}

static void a_value_is_held_whole_up_to_its_limits(void **state)
{
    assert_true(is_whole(PIECES_WHOLE_BYTES, PIECES_WHOLE_PENDING));
    assert_false(is_whole(PIECES_WHOLE_BYTES + 1, 0));
    assert_false(is_whole(1, PIECES_WHOLE_PENDING + 1));
}

/* --- from memory -------------------------------------------------------------------------------------------------- */

/* Takes a value apart into the commands that write it. */
struct writer {
    struct pieces_commands commands;
    struct pieces_stream *stream;
    struct pieces_head head;
    bool shell;
    size_t pieces, most;
};

static bool write_begin(void *self, const struct pieces_head *head, GError **error)
{
    struct writer *writer = self;
    writer->head = *head;
    if (head->letter != 'x')
        return true;
    writer->stream = pieces_stream_new(head, error);
    return writer->stream &&
           (!writer->shell || pieces_write_shell(writer->stream, &writer->commands, KEY, 1000, error));
}

static bool write_take(void *self, const struct form_pair *pairs, size_t n, GError **error)
{
    struct writer *writer = self;
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += pairs[i].name.len;
    writer->most = MAX(writer->most, bytes);
    writer->pieces++;
    if (writer->stream)
        pieces_write_entries(writer->stream, &writer->commands, KEY, pairs, n);
    else
        pieces_write_members(&writer->commands, KEY, writer->head.letter, pairs, n);
    return true;
}

static char *text_of(const struct pieces_commands *commands)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0, at = 0; i < commands->ends->len; i++, g_string_append_c(text, '\n'))
        for (size_t end = g_array_index(commands->ends, size_t, i); at < end; at++) {
            struct slice arg = g_array_index(commands->args, struct slice, at);
            bool payload = arg.len > 40;
            g_string_append_printf(text, "%s%.*s", text->len && text->str[text->len - 1] != '\n' ? " " : "",
                                   payload ? 1 : (int)arg.len, payload ? "*" : (const char *)arg.data);
        }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static char *written(struct slice raw, bool shell, struct arena *mem)
{
    GError *error = NULL;
    struct writer writer = {.shell = shell};
    struct pieces_taker taker = {.self = &writer, .begin = write_begin, .take = write_take};
    pieces_commands_init(&writer.commands, mem);
    kit_ok(pieces_walk(raw, &taker, &error));
    if (writer.stream)
        pieces_write_tail(writer.stream, &writer.commands, KEY);
    char *text = text_of(&writer.commands);
    assert_false(writer.commands.full);
    pieces_stream_free(writer.stream);
    pieces_commands_done(&writer.commands);
    return text;
}

/* Entries 5-1 and 6-0, last 7-0, deleted 3-3, 4 added; group g at 5-1, 2 read, consumer c seen at 7 has 5-1 and 5-9,
 * which is gone, delivered at 99 once, and 6-0 at 99 twice. */
#define STREAM "Rx\2\5\1\1\1a\1x\6\0\1\1a\1y\7\0\3\3\4\1\1g\5\1\2\1\1c\7\3\5\1\x63\1\5\x09\x63\1\6\0\x63\2"

static const struct command_row {
    struct slice raw;
    bool shell;
    const char *commands;
} COMMANDS[] = {
    {ROW_BYTES("Rl\1b\1a\0"), false, "RPUSH hidden b a \n"},
    {ROW_BYTES("Rt\1a\2aa"), false, "SADD hidden a aa\n"},
    {ROW_BYTES("Rh\1a\1y\1b\0"), false, "HSET hidden a y b \n"},
    {ROW_BYTES("Rz\0\0\0\0\0\0\xf8\x3f\1a\0\0\0\0\0\0\xf0\x7f\1b"), false, "ZADD hidden 1.5 a inf b\n"},
    {ROW_BYTES(STREAM), false,
     "XADD hidden 5-1 a x\nXADD hidden 5-9 - -\nXADD hidden 6-0 a y\nXGROUP CREATE hidden g 5-1 ENTRIESREAD 2\n"
     "XGROUP CREATECONSUMER hidden g c\nXCLAIM hidden g c 0 5-1 5-9 TIME 99 RETRYCOUNT 1 FORCE JUSTID\n"
     "XCLAIM hidden g c 0 6-0 TIME 99 RETRYCOUNT 2 FORCE JUSTID\nXDEL hidden 5-9\n"
     "XSETID hidden 7-0 ENTRIESADDED 4 MAXDELETEDID 3-3\n"},
    {ROW_BYTES(STREAM), true,
     "RESTORE hidden 1000 *\nXADD hidden 5-1 a x\nXADD hidden 6-0 a y\n"
     "XSETID hidden 7-0 ENTRIESADDED 4 MAXDELETEDID 3-3\n"},
    {ROW_BYTES("Rx\0\0\0\0\0\0\0"), false,
     "XADD hidden 0-1 - -\nXTRIM hidden MAXLEN 0\nXSETID hidden 0-0 ENTRIESADDED 0 MAXDELETEDID 0-0\n"},
};

static void a_value_becomes_the_commands_that_put_it_together(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++) {
        g_autofree char *text = written(COMMANDS[i].raw, COMMANDS[i].shell, *state);
        assert_string_equal(text, COMMANDS[i].commands);
    }
}

static void a_large_value_comes_in_pieces(void **state)
{
    enum { LEN = 3 << 20 };
    GError *error = NULL;
    struct writer writer = {0};
    struct pieces_taker taker = {.self = &writer, .begin = write_begin, .take = write_take};
    g_autofree uint8_t *raw = g_malloc0(LEN);
    memcpy(raw, "Rs", 2);
    pieces_commands_init(&writer.commands, *state);
    kit_ok(pieces_walk(slice_of(raw, LEN), &taker, &error));
    assert_int_equal(writer.head.n, LEN - 2);
    assert_int_equal(writer.pieces, 12);
    assert_in_range(writer.most, 1, PIECE_BYTES);
    pieces_commands_done(&writer.commands);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static void what_is_no_tail_is_refused(void **state)
{
    GError *error = NULL;
    struct pieces_head head = {.letter = 'x', .tail = BYTES("\7\0\3\3\4\1\1g\5")};
    struct pieces_stream *stream = pieces_stream_new(&head, &error);
    kit_refused(stream != NULL, BAD_RECORD, "not the groups of a stream");
}

static void when_a_consumer_was_seen_is_not_told(void **state)
{
    GError *error = NULL;
    struct pieces_head head = {.letter = 'x',
                               .tail = BYTES("\7\0\3\3\4\1\1g\5\1\2\1\1c\7\1\5\1\7\1"),
                               .whole_tail = BYTES("\7\0\3\3\4\1\1g\5\1\2\1\1c\7\1\5\1\7\1")};
    auto_(pieces_stream) stream = pieces_stream_new(&head, &error);
    struct slice told = BYTES("\7\0\3\3\4\1\1g\5\1\2\1\1c\0\1\5\1\7\1");
    assert_true(slice_equal(pieces_stream_told(stream), told));
    assert_int_equal(pieces_stream_pending(stream), 1);
    assert_true(pieces_stream_has_consumers(stream));
}

/* The stream without entries that goes first has all that its groups have. */
static void a_shell_is_a_stream_without_its_entries(void **state)
{
    GError *error = NULL;
    struct writer writer = {.shell = true};
    struct pieces_taker taker = {.self = &writer, .begin = write_begin, .take = write_take};
    struct slice value;
    pieces_commands_init(&writer.commands, *state);
    kit_ok(pieces_walk(BYTES(STREAM), &taker, &error));
    kit_ok(dump_read(g_array_index(writer.commands.args, struct slice, 3), *state, &value, &error));
    assert_true(slice_equal(value, BYTES("Rx\0\0\0\0\0\0\1\1g\5\1\2\1\1c\7\3\5\1\x63\1\5\x09\x63\1\6\0\x63\2")));
    pieces_stream_free(writer.stream);
    pieces_commands_done(&writer.commands);
}

/* --- pipelines ---------------------------------------------------------------------------------------------------- */

struct sent {
    struct pieces_commands *commands;
    size_t calls, n;
    bool fails;
};

static bool count_sent(void *self, GError **error)
{
    struct sent *sent = self;
    sent->calls++;
    sent->n += sent->commands->ends->len;
    return !sent->fails || error_set(error, SLUICE_ERROR_UNREACHABLE, "call %zu", sent->calls);
}

/* 25,000 entries that are pending, all delivered at once: claimed a hundred at a time, sent in pipelines. */
static void what_is_pending_is_never_in_memory_as_commands(void **state)
{
    enum { PENDING = 25000 };
    for (int fails = 0; fails < 2; fails++) {
        GError *error = NULL;
        g_autoptr(GByteArray) tail = g_byte_array_new();
        struct pieces_commands commands;
        struct sent sent = {.commands = &commands, .fails = fails};
        put_bytes(tail, BYTES("\x7f\0\0\0\0\1\1g\0\0\0\1\1c\0"));
        put_varint(tail, PENDING);
        for (uint64_t i = 0; i < PENDING; i++) {
            put_varint(tail, 1);
            put_varint(tail, i + 1);
            put_varint(tail, 7);
            put_varint(tail, 1);
        }
        struct pieces_head head = {.letter = 'x', .tail = slice_of(tail->data, tail->len)};
        auto_(pieces_stream) stream = pieces_stream_new(&head, &error);
        assert_int_equal(pieces_stream_pending(stream), PENDING);
        pieces_commands_init(&commands, *state);
        commands.send = count_sent;
        commands.self = &sent;
        pieces_write_tail(stream, &commands, KEY);
        assert_in_range(commands.ends->len, 0, PIECES_PIPELINE - 1);
        sent.n += commands.ends->len;
        /* An XADD and, before the first entry, one XTRIM for those whose entries are gone. */
        if (!fails)
            assert_int_equal(sent.n, PENDING + 2 + PENDING / 100 + 1 + 1);
        assert_int_equal(sent.calls > 1, !fails);
        assert_int_equal(commands.failed != NULL, fails);
        pieces_commands_done(&commands);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_where_order_means_something_it_counts),
        cmocka_unit_test(where_one_element_ends_counts),
        cmocka_unit_test(what_stands_for_a_value_is_told_from_values),
        cmocka_unit_test(a_value_is_held_whole_up_to_its_limits),
        cmocka_unit_test(a_value_becomes_the_commands_that_put_it_together),
        cmocka_unit_test(a_large_value_comes_in_pieces),
        cmocka_unit_test(what_is_no_tail_is_refused),
        cmocka_unit_test(when_a_consumer_was_seen_is_not_told),
        cmocka_unit_test(a_shell_is_a_stream_without_its_entries),
        cmocka_unit_test(what_is_pending_is_never_in_memory_as_commands),
    };
    return cmocka_run_group_tests(tests, arena_setup, arena_teardown);
}
