#include <sys/socket.h>

#include "kit/fake_net.h"
#include "kit/kit.h"
#include "kit/peer.h"
#include "store/valkey/conn.h"

enum { PATIENCE_US = 60 * 1000 * 1000 };

static const char HELLO_3[] = "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n";

/* What a server is asked and says, step by step; a step without `asked` is said unasked. NULL, NULL ends it: the
 * connection is closed. What else is asked is answered `-ERR the test expects …`. */
struct step {
    const char *asked, *says;
};

struct script {
    const struct step *steps;
    bool slowly, reset, once; /* once: a second connection finds nobody */
};

static bool say(const struct script *script, int fd, const char *text)
{
    return script->slowly ? peer_say_slowly(fd, slice_of_text(text)) : peer_say_text(fd, text);
}

static void play(struct peer *peer, int fd)
{
    const struct script *script = peer_self(peer);
    for (const struct step *step = script->steps; step->asked || step->says; step++) {
        g_autofree char *asked = step->asked ? peer_command(fd) : NULL;
        if (step->asked && !asked)
            return;
        if (step->asked && strcmp(asked, step->asked) != 0) {
            g_autofree char *wrong = g_strdup_printf("-ERR the test expects %s, not %s\r\n", step->asked, asked);
            peer_say_text(fd, wrong);
            return;
        }
        if (step->says && !say(script, fd, step->says))
            return;
    }
    if (script->reset)
        peer_will_reset(fd);
}

static struct net_wait patience(void)
{
    return (struct net_wait){.deadline_us = world_monotonic_us(world_real()) + PATIENCE_US};
}

static bool opens(struct conn **ret, const struct world *world, const char *text, struct peer *peer, GError **error)
{
    g_autofree char *port = g_strdup_printf("%u", peer_port(peer));
    g_autoptr(GString) whole = g_string_new(text);
    auto_(valkey_uri) uri = NULL;
    struct net_wait wait = {.deadline_us = world_monotonic_us(world) + PATIENCE_US};
    g_string_replace(whole, "PORT", port, 1);
    return valkey_uri_parse(&uri, whole->str, NULL, error) && conn_open(ret, world, uri, &uri->hosts[0], &wait, error);
}

#define PLAIN "valkey://127.0.0.1:PORT?timeout=1m"

/* --- the handshake ------------------------------------------------------------------------------------------------ */

static void a_handshake_says_who_we_are_and_what_we_speak(void **state)
{
    static const struct {
        const char *uri;
        struct step steps[5];
    } ROWS[] = {
        {PLAIN, {{"HELLO 3 SETNAME sluice", HELLO_3}}},
        {"valkey://ann:s%3Acret@127.0.0.1:PORT", {{"HELLO 3 AUTH ann s:cret SETNAME sluice", HELLO_3}}},
        {"valkey://:secret@127.0.0.1:PORT", {{"HELLO 3 AUTH default secret SETNAME sluice", HELLO_3}}},
        {"valkey://127.0.0.1:PORT/5", {{"HELLO 3 SETNAME sluice", HELLO_3}, {"SELECT 5", "+OK\r\n"}}},
        {"valkey://ann:secret@127.0.0.1:PORT/1",
         {{"HELLO 3 AUTH ann secret SETNAME sluice", "-ERR unknown command `HELLO`, with args beginning with: `3`\r\n"},
          {"AUTH ann secret", "+OK\r\n"},
          {"CLIENT SETNAME sluice", "+OK\r\n"},
          {"SELECT 1", "+OK\r\n"}}},
        {PLAIN,
         {{"HELLO 3 SETNAME sluice", "-NOPROTO unsupported protocol version\r\n"},
          {"CLIENT SETNAME sluice", "+OK\r\n"}}},
        {"valkey://127.0.0.1:PORT?protocol=2", {{"CLIENT SETNAME sluice", "+OK\r\n"}}},
        {"valkey://:secret@127.0.0.1:PORT?protocol=2",
         {{"AUTH secret", "+OK\r\n"},
          {"CLIENT SETNAME sluice", "-NOPERM this user has no permissions to run the 'client|setname' command\r\n"}}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        for (int slowly = 0; slowly < 2; slowly++) {
            GError *error = NULL;
            struct conn *conn;
            struct script script = {.steps = ROWS[i].steps, .slowly = slowly};
            auto_(peer) peer = peer_start(play, &script);
            kit_ok(opens(&conn, world_real(), ROWS[i].uri, peer, &error));
            assert_int_equal(conn_host(conn)->port, peer_port(peer));
            assert_int_equal(conn_waiting(conn), 0);
            conn_close(conn);
        }
}

static void a_handshake_that_is_refused_says_what_to_check(void **state)
{
#define HELLO_SAYS(text)                                                                                               \
    {                                                                                                                  \
        {                                                                                                              \
            "HELLO 3 SETNAME sluice", text                                                                             \
        }                                                                                                              \
    }
    static const struct {
        const char *uri;
        struct step steps[4];
        enum error_code code;
        const char *says;
    } ROWS[] = {
        {PLAIN, HELLO_SAYS("-NOAUTH HELLO must be called with the client already authenticated\r\n"),
         SLUICE_ERROR_NOT_PERMITTED, "wants a user and a password"},
        {"valkey://ann:HIDDEN@127.0.0.1:PORT",
         {{"HELLO 3 AUTH ann HIDDEN SETNAME sluice",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n"}},
         SLUICE_ERROR_NOT_PERMITTED,
         "check user and password"},
        {"valkey://:HIDDEN@127.0.0.1:PORT?protocol=2",
         {{"AUTH HIDDEN", "-ERR Client sent AUTH, but no password is set\r\n"}},
         SLUICE_ERROR_NOT_PERMITTED,
         "the server has no password"},
        {PLAIN, HELLO_SAYS("-LOADING Redis is loading the dataset in memory\r\n"), SLUICE_ERROR_BUSY, "loading"},
        {PLAIN, HELLO_SAYS("-ERR max number of clients reached\r\n"), SLUICE_ERROR_BUSY, "maxclients"},
        {PLAIN, {{NULL, "-ERR max number of clients reached\r\n"}}, SLUICE_ERROR_BUSY, "maxclients"},
        {PLAIN,
         {{NULL, "-DENIED Redis is running in protected mode because …\r\n"}},
         SLUICE_ERROR_NOT_PERMITTED,
         "protected-mode"},
        {"valkey://127.0.0.1:PORT?protocol=3", HELLO_SAYS("-ERR unknown command 'HELLO'\r\n"), SLUICE_ERROR_STORE,
         "HELLO 3: ERR unknown command"},
        {"valkey://127.0.0.1:PORT/1",
         {{"HELLO 3 SETNAME sluice", HELLO_3}, {"SELECT 1", "-ERR SELECT is not allowed in cluster mode\r\n"}},
         SLUICE_ERROR_USAGE,
         "a cluster has no databases"},
        {"valkey://127.0.0.1:PORT/99",
         {{"HELLO 3 SETNAME sluice", HELLO_3}, {"SELECT 99", "-ERR DB index is out of range\r\n"}},
         SLUICE_ERROR_USAGE,
         "no database of that number"},
        {PLAIN, HELLO_SAYS("HTTP/1.1 400 Bad Request\r\n"), SLUICE_ERROR_STORE, "at its byte 0"},
        {PLAIN, HELLO_SAYS("%1\r\n$6\r\nser"), SLUICE_ERROR_UNREACHABLE, "closed the connection"},
        {PLAIN, {{NULL, NULL}}, SLUICE_ERROR_UNREACHABLE, "127.0.0.1:"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        struct conn *conn = NULL;
        struct script script = {.steps = ROWS[i].steps};
        auto_(peer) peer = peer_start(play, &script);
        assert_false(opens(&conn, world_real(), ROWS[i].uri, peer, &error));
        if (!error_is(error, ROWS[i].code) || !strstr(error->message, ROWS[i].says))
            fail_msg("row %zu: %s", i, error->message);
        assert_null(strstr(error->message, "HIDDEN"));
        assert_null(conn);
    }
}

static void a_server_that_says_nothing_is_given_up_at_the_timeout_of_the_uri(void **state)
{
    GError *error = NULL;
    struct conn *conn;
    struct fake_net fake;
    fake_net_init(&fake);
    fake.jumps = true;
    static const struct step STEPS[] = {{"HELLO 3 SETNAME sluice", NULL}, {"never", NULL}, {NULL, NULL}};
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    int64_t began_us = fake.now_us;
    kit_refused(opens(&conn, &fake.world, "valkey://127.0.0.1:PORT?timeout=2s", peer, &error), TIMED_OUT,
                "no answer in time");
    assert_in_range(fake.now_us - began_us, 2000000, 2002000);
    assert_int_equal(fake.opened, fake.closed);
}

/* --- commands and replies ----------------------------------------------------------------------------------------- */

static struct conn *opened(struct peer *peer, const struct world *world)
{
    GError *error = NULL;
    struct conn *conn;
    kit_ok(opens(&conn, world, PLAIN, peer, &error));
    return conn;
}

static void put(struct conn *conn, const char *a, const char *b)
{
    const struct slice args[] = {slice_of_text(a), b ? slice_of_text(b) : SLICE_EMPTY};
    conn_put(conn, args, b ? 2 : 1);
}

static void replies_come_in_the_order_of_the_commands(void **state)
{
    static const struct step STEPS[] = {{"HELLO 3 SETNAME sluice", HELLO_3},
                                        {"GET a", "$1\r\n1\r\n"},
                                        {"GET b", ">2\r\n+invalidate\r\n_\r\n-WRONGTYPE not a string\r\n"},
                                        {"GET c", "*2\r\n:1\r\n$3\r\nxyz\r\n"},
                                        {"PING", "+PONG\r\n"},
                                        {NULL, NULL}};
    for (int slowly = 0; slowly < 2; slowly++) {
        GError *error = NULL;
        struct script script = {.steps = STEPS, .slowly = slowly};
        auto_(peer) peer = peer_start(play, &script);
        auto_(conn) conn = opened(peer, world_real());
        struct net_wait wait = patience();
        struct reply reply;
        put(conn, "GET", "a");
        put(conn, "GET", "b");
        put(conn, "GET", "c");
        assert_int_equal(conn_waiting(conn), 3);
        assert_int_equal(conn_sent(conn), 0);
        kit_ok(conn_next(conn, &wait, &reply, &error));
        kit_equal_text(reply.bytes, "1");
        kit_ok(conn_next(conn, &wait, &reply, &error)); /* behind what was said unasked */
        assert_true(reply_is_error(&reply, "WRONGTYPE"));
        assert_int_equal(conn_waiting(conn), 1);
        assert_int_equal(conn_sent(conn), 1);
        kit_ok(conn_next(conn, &wait, &reply, &error));
        assert_true(reply_is_array(&reply, 2));
        kit_equal_text(reply.items[1].bytes, "xyz");
        const struct slice ping[] = {slice_of_text("PING")};
        kit_ok(conn_call(conn, &wait, ping, 1, &reply, &error));
        assert_int_equal(reply.type, REPLY_STATUS);
        bool there = true;
        kit_ok(conn_try(conn, &reply, &there, &error));
        assert_false(there);
    }
}

static void without_waiting_a_reply_is_there_or_not(void **state)
{
    static const struct step STEPS[] = {
        {"HELLO 3 SETNAME sluice", HELLO_3}, {"GET a", "$1\r\n1\r\n"}, {"x", NULL}, {NULL, NULL}};
    GError *error = NULL;
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    auto_(conn) conn = opened(peer, world_real());
    struct net_wait wait = patience();
    struct reply reply;
    bool there = false;
    put(conn, "GET", "a");
    assert_int_equal(conn_poll(conn).wants, NET_READABLE | NET_WRITABLE);
    kit_ok(conn_push(conn, &error));
    assert_int_equal(conn_sent(conn), 1);
    while (!there) {
        struct net_poll poll = conn_poll(conn);
        assert_int_equal(poll.wants, NET_READABLE);
        kit_ok(net_poll(world_real(), &poll, 1, &wait, &error));
        kit_ok(conn_try(conn, &reply, &there, &error));
    }
    kit_equal_text(reply.bytes, "1");
}

static void a_connection_that_breaks_in_the_middle_of_a_reply_is_broken(void **state)
{
    static const struct step STEPS[] = {
        {"HELLO 3 SETNAME sluice", HELLO_3}, {"GET a", "$1\r\n1\r\n$5\r\nhal"}, {NULL, NULL}};
    GError *error = NULL;
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    auto_(conn) conn = opened(peer, world_real());
    struct net_wait wait = patience();
    struct reply reply;
    put(conn, "GET", "a");
    kit_ok(conn_push(conn, &error));
    put(conn, "GET", "b");
    kit_ok(conn_next(conn, &wait, &reply, &error));
    kit_equal_text(reply.bytes, "1");
    kit_refused(conn_next(conn, &wait, &reply, &error), UNREACHABLE, "127.0.0.1:");
    assert_true(conn_broken(conn));
    kit_refused(conn_next(conn, &wait, &reply, &error), UNREACHABLE, "the connection is broken");
    kit_refused(conn_push(conn, &error), UNREACHABLE, "the connection is broken");
}

static void garbage_in_place_of_a_reply_names_the_server(void **state)
{
    static const struct step STEPS[] = {
        {"HELLO 3 SETNAME sluice", HELLO_3}, {"GET a", "$1\r\nab"}, {"x", NULL}, {NULL, NULL}};
    GError *error = NULL;
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    auto_(conn) conn = opened(peer, world_real());
    struct net_wait wait = patience();
    struct reply reply;
    put(conn, "GET", "a");
    g_autofree char *says =
        g_strdup_printf("127.0.0.1:%u: the answer is not the protocol: at its byte 5", peer_port(peer));
    kit_refused(conn_next(conn, &wait, &reply, &error), STORE, says);
    assert_true(conn_broken(conn));
}

/* Says back what one command says; false: nobody asks or hears any more. */
static bool echo_one(int fd)
{
    g_autofree char *asked = peer_command(fd);
    if (!asked)
        return false;
    g_autofree char *head = g_strdup_printf("$%zu\r\n", strlen(asked));
    return peer_say_text(fd, head) && peer_say_text(fd, asked) && peer_say_text(fd, "\r\n");
}

/* Reads nothing while it writes. */
static void echo(struct peer *peer, int fd)
{
    g_autofree char *hello = peer_command(fd);
    bool heard = hello && peer_say_text(fd, HELLO_3);
    while (heard)
        heard = echo_one(fd);
}

static char *long_word(size_t i)
{
    return g_strnfill(i % 7 ? i % 300 : i % 3 ? 100 * 1000 : 3 * 1000 * 1000, (char)('a' + i % 26));
}

/* Far more than the sockets hold, both ways, with replies of megabytes between small ones. */
static void a_pipeline_larger_than_all_buffers_does_not_lock_up(void **state)
{
    enum { COMMANDS = 200 };
    GError *error = NULL;
    auto_(peer) peer = peer_start(echo, NULL);
    auto_(conn) conn = opened(peer, world_real());
    struct net_wait wait = patience();
    struct reply reply;
    for (size_t i = 0; i < COMMANDS; i++) {
        g_autofree char *word = long_word(i);
        put(conn, "ECHO", word);
    }
    size_t sent = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        g_autofree char *word = long_word(i), *expected = g_strconcat("ECHO ", word, NULL);
        kit_ok(conn_next(conn, &wait, &reply, &error));
        assert_int_equal(reply.bytes.len, strlen(expected));
        assert_memory_equal(reply.bytes.data, expected, reply.bytes.len);
        assert_true(i + 1 + conn_sent(conn) >= sent); /* it never goes back */
        sent = i + 1 + conn_sent(conn);
    }
    assert_int_equal(sent, COMMANDS);
}

static char *padded(size_t i)
{
    return g_strdup_printf("%0*zu", (int)(1 + i * 7 % 9000), i);
}

/* The length of the command on the wire. */
static uint64_t wire_bytes(const char *word)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    const struct slice args[] = {slice_of_text("ECHO"), slice_of_text(word)};
    resp_put(out, args, 2);
    return out->len;
}

/* A queue that is never empty, since each reply brings another command; which of them are sent is known all the time.
 */
static void a_pipeline_that_never_drains_keeps_its_order_and_its_counts(void **state)
{
    enum { COMMANDS = 5000, DEPTH = 2000 };
    GError *error = NULL;
    struct fake_net fake;
    fake_net_init(&fake);
    fake.send_buffer = 16 * 1024;
    auto_(peer) peer = peer_start(echo, NULL);
    auto_(conn) conn = opened(peer, &fake.world);
    struct net_wait wait = patience();
    struct reply reply;
    g_autofree uint64_t *ends = g_new0(uint64_t, COMMANDS + 1);
    ends[0] = fake.sent_bytes;
    size_t sent = 0, behind = 0;
    for (size_t i = 0; i < COMMANDS + DEPTH; i++) {
        g_autofree char *word = padded(i);
        if (i < COMMANDS) {
            put(conn, "ECHO", word);
            ends[i + 1] = ends[i] + wire_bytes(word);
        }
        if (i < DEPTH)
            continue;
        g_autofree char *answered = padded(i - DEPTH), *expected = g_strconcat("ECHO ", answered, NULL);
        kit_ok(conn_next(conn, &wait, &reply, &error));
        assert_true(slice_equal(reply.bytes, slice_of_text(expected)));
        while (sent < MIN(i + 1, COMMANDS) && ends[sent + 1] <= fake.sent_bytes)
            sent++;
        assert_int_equal(conn_sent(conn), sent - (i - DEPTH + 1));
        behind += sent < MIN(i + 1, COMMANDS);
    }
    assert_int_equal(conn_waiting(conn), 0);
    assert_in_range(behind, 500, COMMANDS); /* else nothing was tried */
}

/* The buffer is hardly larger than the reply, and small again behind it. */
static void what_a_large_reply_took_is_given_back(void **state)
{
    enum { MIB = 1 << 20, LARGE = 17 * MIB };
    GError *error = NULL;
    struct fake_net fake;
    fake_net_init(&fake);
    auto_(peer) peer = peer_start(echo, NULL);
    auto_(conn) conn = opened(peer, &fake.world);
    struct net_wait wait = patience();
    struct reply reply;
    g_autofree char *word = g_strnfill(LARGE, 'x');
    size_t most = 0;
    put(conn, "ECHO", word);
    for (bool there = false; !there;) {
        struct net_poll poll = conn_poll(conn);
        kit_ok(net_poll(&fake.world, &poll, 1, &wait, &error));
        kit_ok(conn_try(conn, &reply, &there, &error));
        most = MAX(most, fake.room);
    }
    assert_int_equal(reply.bytes.len, LARGE + 5);
    assert_in_range(most, MIB, 9 * MIB); /* it was doubled up to 16, then grew by what was missing */
    for (int i = 0; i < 3; i++) {
        put(conn, "ECHO", "small");
        kit_ok(conn_next(conn, &wait, &reply, &error));
    }
    assert_in_range(fake.room, 16 * 1024, 256 * 1024);
}

/* Of 512 commands and replies the system hears a few times only. */
static void many_commands_are_few_calls(void **state)
{
    GError *error = NULL;
    struct fake_net fake;
    fake_net_init(&fake);
    auto_(peer) peer = peer_start(echo, NULL);
    auto_(conn) conn = opened(peer, &fake.world);
    struct net_wait wait = patience();
    struct reply reply;
    uint64_t sends = fake.sends;
    for (size_t i = 0; i < 512; i++)
        put(conn, "GET", "key");
    kit_ok(conn_push(conn, &error));
    assert_int_equal(fake.sends - sends, 1);
    for (size_t i = 0; i < 512; i++)
        kit_ok(conn_next(conn, &wait, &reply, &error));
    assert_int_equal(fake.sends - sends, 1);
}

/* What the server says last is heard, though it takes nothing any more. */
static void who_cannot_send_still_hears(void **state)
{
    static const struct step STEPS[] = {{"HELLO 3 SETNAME sluice", HELLO_3},
                                        {"GET a", "$1\r\n1\r\n"},
                                        {NULL, "-ERR going down\r\n"},
                                        {"x", NULL},
                                        {NULL, NULL}};
    GError *error = NULL;
    struct fake_net fake;
    fake_net_init(&fake);
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    auto_(conn) conn = opened(peer, &fake.world);
    struct net_wait wait = patience();
    struct reply reply;
    put(conn, "GET", "a");
    kit_ok(conn_push(conn, &error));
    fake.call = "send";
    fake.nth = 1;
    fake.number = 32; /* EPIPE */
    put(conn, "GET", "b");
    put(conn, "GET", "c");
    kit_ok(conn_push(conn, &error));
    assert_int_equal(conn_sent(conn), 1);
    kit_ok(conn_next(conn, &wait, &reply, &error));
    kit_equal_text(reply.bytes, "1");
    g_clear_error(&error);
    bool more = conn_next(conn, &wait, &reply, &error);
    if (more) /* it was there already */
        more = conn_next(conn, &wait, &reply, &error);
    kit_refused(more, UNREACHABLE, "Broken pipe");
}

/* Else every later reply would be taken for that of the command before. */
static void what_nobody_asked_for_is_nobodys_reply(void **state)
{
    static const struct step BOTH[] = {{"HELLO 3 SETNAME sluice", "%0\r\n+OK\r\n"}, {"x", NULL}, {NULL, NULL}};
    static const struct step ERROR[] = {
        {"HELLO 3 SETNAME sluice", "%0\r\n-ERR going down\r\n"}, {"x", NULL}, {NULL, NULL}};
    for (int i = 0; i < 2; i++) {
        GError *error = NULL;
        struct fake_net fake;
        fake_net_init(&fake);
        struct script script = {.steps = i ? ERROR : BOTH};
        auto_(peer) peer = peer_start(play, &script);
        auto_(conn) conn = opened(peer, &fake.world);
        struct net_wait wait = patience();
        struct reply reply;
        fake.call = "send"; /* what was said is there before we are heard */
        fake.nth = 1;
        fake.number = 11; /* EAGAIN */
        fake.lasting = true;
        put(conn, "GET", "a");
        put(conn, "GET", "b");
        bool next = conn_next(conn, &wait, &reply, &error);
        if (i == 0) {
            kit_refused(next, STORE, "an answer that nobody asked for");
            continue;
        }
        kit_ok(next);
        assert_true(reply_is_error(&reply, "ERR going down"));
        kit_refused(conn_next(conn, &wait, &reply, &error), UNREACHABLE, "the server hangs up: ERR going down");
    }
}

static void giving_up_breaks_off(void **state)
{
    static const struct step STEPS[] = {
        {"HELLO 3 SETNAME sluice", HELLO_3}, {"GET a", NULL}, {"x", NULL}, {NULL, NULL}};
    GError *error = NULL;
    atomic_bool cancel = true;
    struct script script = {.steps = STEPS};
    auto_(peer) peer = peer_start(play, &script);
    auto_(conn) conn = opened(peer, world_real());
    struct net_wait wait = {.cancel = &cancel};
    struct reply reply;
    put(conn, "GET", "a");
    kit_refused(conn_next(conn, &wait, &reply, &error), CANCELLED, "given up");
    assert_int_equal(conn_sent(conn), 1);
    assert_true(conn_broken(conn));
    conn_close(NULL);
}

/* --- every call that can fail ------------------------------------------------------------------------------------ */

enum { SWEPT = 40 };

/* A conversation of SWEPT commands; *ret_right: so many replies came, each the right one. */
static bool converse(struct fake_net *fake, struct peer *peer, size_t *ret_right, GError **error)
{
    auto_(conn) conn = NULL;
    struct net_wait wait = patience();
    struct reply reply;
    if (!opens(&conn, &fake->world, PLAIN, peer, error))
        return false;
    for (size_t i = 0; i < SWEPT; i++) {
        g_autofree char *word = g_strdup_printf("%0*zu", 500, i);
        put(conn, "ECHO", word);
    }
    for (size_t i = 0; i < SWEPT; i++) {
        g_autofree char *expected = g_strdup_printf("ECHO %0*zu", 500, i);
        size_t waiting = conn_waiting(conn);
        if (!conn_next(conn, &wait, &reply, error)) {
            assert_true(conn_broken(conn) && conn_waiting(conn) == waiting && conn_sent(conn) <= waiting);
            return false;
        }
        assert_true(slice_equal(reply.bytes, slice_of_text(expected)));
        ++*ret_right;
    }
    return true;
}

static void whichever_call_fails_the_replies_before_are_right_and_nothing_stays_open(void **state)
{
    static const struct {
        const char *call;
        int number;
    } ROWS[] = {{"resolve", -2}, {"socket", 24}, {"connect", 111}, {"send", 104}, {"recv", 104}, {"poll", 12}};
    size_t broken = 0, all = 0;
    auto_(peer) peer = peer_start(echo, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        for (uint64_t nth = 1;; nth++) {
            g_autoptr(GError) error = NULL;
            struct fake_net fake;
            size_t right = 0;
            fake_net_init(&fake);
            fake.call = ROWS[i].call;
            fake.nth = nth;
            fake.number = ROWS[i].number;
            fake.longest = 700; /* many calls */
            bool done = converse(&fake, peer, &right, &error);
            assert_int_equal(fake.opened, fake.closed);
            assert_int_equal(done, right == SWEPT);
            if (!fake.fired)
                break; /* it has met every call of that kind */
            assert_true(!done || right == SWEPT);
            all++;
            broken += !done;
        }
    assert_in_range(all, 60, 100000);
    assert_in_range(broken, 60, all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_says_who_we_are_and_what_we_speak),
        cmocka_unit_test(a_handshake_that_is_refused_says_what_to_check),
        cmocka_unit_test(a_server_that_says_nothing_is_given_up_at_the_timeout_of_the_uri),
        cmocka_unit_test(replies_come_in_the_order_of_the_commands),
        cmocka_unit_test(without_waiting_a_reply_is_there_or_not),
        cmocka_unit_test(a_connection_that_breaks_in_the_middle_of_a_reply_is_broken),
        cmocka_unit_test(garbage_in_place_of_a_reply_names_the_server),
        cmocka_unit_test(a_pipeline_larger_than_all_buffers_does_not_lock_up),
        cmocka_unit_test(a_pipeline_that_never_drains_keeps_its_order_and_its_counts),
        cmocka_unit_test(what_a_large_reply_took_is_given_back),
        cmocka_unit_test(many_commands_are_few_calls),
        cmocka_unit_test(who_cannot_send_still_hears),
        cmocka_unit_test(what_nobody_asked_for_is_nobodys_reply),
        cmocka_unit_test(giving_up_breaks_off),
        cmocka_unit_test(whichever_call_fails_the_replies_before_are_right_and_nothing_stays_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
