/* Reading in pieces, from a server that says what the test wants: what changes meanwhile, what breaks off, what is no
 * piece. */
#include "base/int.h"
#include "kit/kit.h"
#include "kit/peer.h"
#include "store/calls.h"
#include "store/valkey/pieces.h"

/* What is asked, and what is said to it so many times (0: always); NULL: the connection is closed. The first row that
 * fits. */
struct line {
    const char *asked, *says;
    unsigned times;
};

enum { LINES = 24 };

struct talk {
    const char *version;
    struct line lines[LINES];
    atomic_uint heard[LINES], connections;
};

#define INFO                                                                                                           \
    "redis_version:%s\r\nrun_id:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nrole:master\r\nconnected_slaves:0\r\n"     \
    "master_replid:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\nmaster_replid2:"                                        \
    "0000000000000000000000000000000000000000\r\n"                                                                     \
    "master_repl_offset:0\r\ncluster_enabled:0\r\naof_enabled:0\r\n"

static bool say_info(const struct talk *talk, int fd)
{
    g_autofree char *info = g_strdup_printf(INFO, talk->version);
    g_autofree char *reply = g_strdup_printf("$%zu\r\n%s\r\n", strlen(info), info);
    return peer_say_text(fd, reply);
}

static bool answer(struct talk *talk, const char *asked, int fd)
{
    if (g_str_has_prefix(asked, "HELLO"))
        return peer_say_text(fd, "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
    if (g_str_has_prefix(asked, "INFO"))
        return say_info(talk, fd);
    if (strcmp(asked, "PING") == 0)
        return peer_say_text(fd, "+PONG\r\n");
    for (size_t i = 0; i < LINES && talk->lines[i].asked; i++) {
        const struct line *line = &talk->lines[i];
        if (strcmp(line->asked, asked) != 0 || (line->times && talk->heard[i] >= line->times))
            continue;
        talk->heard[i]++;
        return line->says && peer_say_text(fd, line->says);
    }
    g_autofree char *wrong = g_strdup_printf("-ERR the test does not expect %s\r\n", asked);
    return peer_say_text(fd, wrong);
}

static void serve(struct peer *peer, int fd)
{
    struct talk *talk = peer_self(peer);
    talk->connections++;
    for (bool more = true; more;) {
        g_autofree char *asked = peer_command(fd);
        more = asked && answer(talk, asked, fd);
    }
}

#define MEMORY                                                                                                         \
    {                                                                                                                  \
        "MEMORY USAGE k", ":2000000\r\n", 0                                                                            \
    }
#define HEAD(type)                                                                                                     \
    MEMORY, {"WATCH k", "+OK\r\n", 0}, {"TYPE k", "+" type "\r\n", 0}, {"PEXPIRETIME k", ":-1\r\n", 0},                \
        {"MULTI", "+OK\r\n", 0},                                                                                       \
    {                                                                                                                  \
        "UNWATCH", "+OK\r\n", 0                                                                                        \
    }
#define HELD                                                                                                           \
    {                                                                                                                  \
        "EXEC", "*0\r\n", 0                                                                                            \
    }
#define CHANGED "_\r\n"

struct desk {
    struct peer *peer;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct record record;
};

static void read_k(struct desk *desk, struct talk *talk)
{
    static const struct dataset RAW = {.name = "*", .form = FORM_RAW, .in_pieces = true};
    GError *error = NULL;
    talk->version = talk->version ? talk->version : "7.0.15";
    *desk = (struct desk){.mem = arena_new(64 << 20), .peer = peer_start(serve, talk)};
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u?timeout=20s", peer_port(desk->peer));
    struct store_config config = {.uri = uri, .base_dir = ".", .read_only = true};
    struct call call = {.ds = &RAW, .mem = desk->mem};
    desk->registry = store_registry_new(world_real(), NULL);
    desk->record.key = slice_of_text("k");
    kit_ok(store_open(&desk->store, desk->registry, &config, &error));
    kit_ok(store_session_open(&desk->session, desk->store, &error));
    kit_ok(store_read(desk->session, &call, &desk->record, 1, &error));
}

static void desk_done(struct desk *desk)
{
    store_session_close(desk->session);
    store_release(desk->registry, desk->store);
    store_registry_free(desk->registry);
    arena_free(desk->mem);
    peer_stop(desk->peer);
}

static void is_raw(const struct desk *desk, struct slice raw)
{
    if (desk->record.presence != RECORD_PRESENT)
        fail_msg("presence %d: %s", (int)desk->record.presence, desk->record.fault.text ? desk->record.fault.text : "");
    assert_int_equal(desk->record.raw.len, raw.len);
    assert_memory_equal(desk->record.raw.data, raw.data, raw.len);
    assert_true(pieces_is_etag(&desk->record.etag));
}

static void is_fault(const struct desk *desk, enum error_code code, const char *words)
{
    assert_int_equal(desk->record.presence, RECORD_FAULT);
    if (desk->record.fault.code != code || !strstr(desk->record.fault.text, words))
        fail_msg("code %d: %s", (int)desk->record.fault.code, desk->record.fault.text);
}

#define BYTES(text) slice_of(text, sizeof text - 1)

/* --- what changes ------------------------------------------------------------------------------------------------- */

static void what_changed_while_it_was_read_is_read_again(void **state)
{
    struct talk talk = {.lines = {HEAD("list"),
                                  {"LLEN k", ":2\r\n", 0},
                                  {"LRANGE k 0 15", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", 1},
                                  {"LRANGE k 0 15", "*2\r\n$1\r\na\r\n$2\r\nbb\r\n", 0},
                                  {"EXEC", CHANGED, 1},
                                  HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_raw(&desk, BYTES("Rl\1a\2bb"));
    desk_done(&desk);
}

/* The list is shorter than it was said to be: no page is empty by itself. */
static void a_length_that_is_not_kept_is_a_change(void **state)
{
    struct talk talk = {.lines = {HEAD("list"),
                                  {"LLEN k", ":3\r\n", 1},
                                  {"LLEN k", ":1\r\n", 0},
                                  {"LRANGE k 0 15", "*1\r\n$1\r\na\r\n", 0},
                                  {"LRANGE k 1 1000", "*0\r\n", 0},
                                  HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_raw(&desk, BYTES("Rl\1a"));
    desk_done(&desk);
}

static void what_never_stands_still_is_contended(void **state)
{
    struct talk talk = {.lines = {HEAD("string"),
                                  {"STRLEN k", ":2\r\n", 0},
                                  {"GETRANGE k 0 262143", "$2\r\nab\r\n", 0},
                                  {"EXEC", CHANGED, 0}}};
    struct desk desk;
    read_k(&desk, &talk);
    is_fault(&desk, SLUICE_ERROR_CONTENDED, "changes again and again");
    assert_int_equal(talk.heard[8], 6);
    desk_done(&desk);
}

static void what_is_gone_meanwhile_is_absent(void **state)
{
    struct talk talk = {.lines = {{"TYPE k", "+none\r\n", 0}, HEAD("string"), HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    assert_int_equal(desk.record.presence, RECORD_ABSENT);
    desk_done(&desk);
}

/* A watch ends with its connection: nothing of what was read before counts. */
static void a_connection_that_breaks_between_pieces_begins_anew(void **state)
{
    struct talk talk = {.lines = {HEAD("set"),
                                  {"SCARD k", ":2\r\n", 0},
                                  {"SSCAN k 0 COUNT 16", "*2\r\n$1\r\n5\r\n*1\r\n$1\r\na\r\n", 1},
                                  {"SSCAN k 5 COUNT 1000", NULL, 1},
                                  {"SSCAN k 0 COUNT 16", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nc\r\n$1\r\nb\r\n", 0},
                                  HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_raw(&desk, BYTES("Rt\1b\1c"));
    assert_int_equal(talk.heard[1], 2); /* watched twice */
    desk_done(&desk);
}

/* --- what is no piece --------------------------------------------------------------------------------------------- */

static void what_is_not_carried_is_refused_by_name(void **state)
{
    struct talk talk = {.lines = {HEAD("ReJSON-RL")}};
    struct desk desk;
    read_k(&desk, &talk);
    is_fault(&desk, SLUICE_ERROR_BAD_RECORD, "ReJSON-RL");
    desk_done(&desk);
}

static void fields_that_may_expire_are_not_read_in_pieces(void **state)
{
    struct talk talk = {.version = "7.4.0", .lines = {HEAD("hash"), {"HLEN k", ":1\r\n", 0}}};
    struct desk desk;
    read_k(&desk, &talk);
    is_fault(&desk, SLUICE_ERROR_TOO_BIG, "may expire");
    desk_done(&desk);
}

static void a_member_is_no_piece_where_it_is_too_large(void **state)
{
    enum { LEN = DOCUMENT_BYTES + 1 };
    g_autofree char *member = g_strnfill(LEN, 'm');
    g_autofree char *reply = g_strdup_printf("*2\r\n$1\r\n0\r\n*1\r\n$%d\r\n%s\r\n", LEN, member);
    struct talk talk = {.lines = {HEAD("set"), {"SCARD k", ":1\r\n", 0}, {"SSCAN k 0 COUNT 16", reply, 0}, HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_fault(&desk, SLUICE_ERROR_TOO_BIG, "one of its elements");
    desk_done(&desk);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

/* One entry, one group, one consumer with so many pending. */
#define STREAM(pending)                                                                                                \
    "*12\r\n$6\r\nlength\r\n:1\r\n$17\r\nlast-generated-id\r\n$3\r\n7-0\r\n$20\r\nmax-deleted-entry-id\r\n$3\r\n3-"    \
    "3\r\n"                                                                                                            \
    "$13\r\nentries-added\r\n:4\r\n$7\r\nentries\r\n*0\r\n$6\r\ngroups\r\n*1\r\n"                                      \
    "*10\r\n$4\r\nname\r\n$1\r\ng\r\n$17\r\nlast-delivered-id\r\n$3\r\n5-1\r\n$12\r\nentries-read\r\n:2\r\n"           \
    "$9\r\npel-count\r\n:" pending "\r\n$9\r\nconsumers\r\n*1\r\n"                                                     \
    "*6\r\n$4\r\nname\r\n$1\r\nc\r\n$9\r\nseen-time\r\n:7\r\n$9\r\npel-count\r\n:" pending "\r\n"
#define ASK_STREAM        "XINFO STREAM k FULL COUNT 1"
#define ASK_PAGE          "XPENDING k g - + 200"
#define PENDING(consumer) "*1\r\n*4\r\n$3\r\n5-1\r\n$1\r\n" consumer "\r\n:30\r\n:2\r\n"
#define TIME(ms)          "*2\r\n$1\r\n1\r\n$6\r\n" ms "000\r\n"
#define ENTRY                                                                                                          \
    {                                                                                                                  \
        "XRANGE k - + COUNT 16", "*1\r\n*2\r\n$3\r\n5-1\r\n*2\r\n$1\r\na\r\n$1\r\nx\r\n", 0                            \
    }
/* Second 1.100 less 30 ms: 1070, as a varint. */
#define WHOLE BYTES("Rx\1\5\1\1\1a\1x\7\0\3\3\4\1\1g\5\1\2\1\1c\7\1\5\1\xae\x08\2")

/* XPENDING says for how long: only within one millisecond of the server's that is a moment. */
static void when_an_entry_was_delivered_is_known_to_the_millisecond(void **state)
{
    struct talk talk = {.lines = {HEAD("stream"),
                                  {ASK_STREAM, STREAM("1"), 0},
                                  {"TIME", TIME("098"), 1},
                                  {ASK_PAGE, PENDING("c"), 0},
                                  {"TIME", TIME("099"), 1},
                                  {"TIME", TIME("100"), 0},
                                  ENTRY,
                                  HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_raw(&desk, WHOLE);
    assert_int_equal(talk.heard[9 - 1], 3); /* the first page twice, behind the entries once */
    desk_done(&desk);
}

static void what_readers_do_between_the_pages_is_a_change(void **state)
{
    struct talk talk = {.lines = {HEAD("stream"),
                                  {ASK_STREAM, STREAM("2"), 1}, /* one was acknowledged */
                                  {ASK_STREAM, STREAM("1"), 0},
                                  {ASK_PAGE, PENDING("d"), 2}, /* whom XINFO did not know */
                                  {ASK_PAGE, PENDING("c"), 0},
                                  {"TIME", TIME("100"), 0},
                                  ENTRY,
                                  HELD}};
    struct desk desk;
    read_k(&desk, &talk);
    is_raw(&desk, WHOLE);
    desk_done(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_changed_while_it_was_read_is_read_again),
        cmocka_unit_test(a_length_that_is_not_kept_is_a_change),
        cmocka_unit_test(what_never_stands_still_is_contended),
        cmocka_unit_test(what_is_gone_meanwhile_is_absent),
        cmocka_unit_test(a_connection_that_breaks_between_pieces_begins_anew),
        cmocka_unit_test(what_is_not_carried_is_refused_by_name),
        cmocka_unit_test(fields_that_may_expire_are_not_read_in_pieces),
        cmocka_unit_test(a_member_is_no_piece_where_it_is_too_large),
        cmocka_unit_test(when_an_entry_was_delivered_is_known_to_the_millisecond),
        cmocka_unit_test(what_readers_do_between_the_pages_is_a_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
