#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "kit/certificate.h"
#include "kit/fake_net.h"
#include "kit/kit.h"
#include "kit/peer.h"

enum { PATIENCE_US = 60 * 1000 * 1000, LOTS = 3 * 1000 * 1000 };

static struct net_place place_of(const struct peer *peer)
{
    return (struct net_place){.host = "127.0.0.1", .port = peer_port(peer)};
}

static struct net_wait patience(const struct world *world)
{
    return (struct net_wait){.deadline_us = world_monotonic_us(world) + PATIENCE_US};
}

/* What is read until there is so much, or the stream fails. */
static bool read_all(const struct world *world, struct net_stream *stream, void *into, size_t len, GError **error)
{
    struct net_wait wait = patience(world);
    for (size_t got = 0, more; got < len; got += more) {
        struct net_poll poll = {.stream = stream, .wants = NET_READABLE};
        if (!net_receive(stream, (char *)into + got, len - got, &more, error))
            return false;
        if (!more && !net_poll(world, &poll, 1, &wait, error))
            return false;
    }
    return true;
}

static bool send_all(const struct world *world, struct net_stream *stream, struct slice bytes, GError **error)
{
    struct net_wait wait = patience(world);
    for (size_t sent; bytes.len; bytes = slice_of(bytes.data + sent, bytes.len - sent)) {
        struct net_poll poll = {.stream = stream, .wants = NET_WRITABLE};
        if (!net_send(stream, bytes, &sent, error) || (!sent && !net_poll(world, &poll, 1, &wait, error)))
            return false;
    }
    return true;
}

/* Says back what it hears, until there is no more. */
static void echo(struct peer *peer, int fd)
{
    char byte[4096];
    for (ssize_t got; (got = recv(fd, byte, sizeof byte, 0)) > 0;)
        if (!peer_say(fd, slice_of(byte, (size_t)got)))
            return;
}

static void say_nothing(struct peer *peer, int fd)
{
    char byte;
    while (peer_read(fd, &byte, 1))
        continue;
}

static void say_half(struct peer *peer, int fd)
{
    peer_say_text(fd, "half");
}

static void reset(struct peer *peer, int fd)
{
    char byte;
    if (peer_read(fd, &byte, 1))
        peer_will_reset(fd);
}

/* --- plain -------------------------------------------------------------------------------------------------------- */

static void what_is_sent_arrives_and_what_comes_is_read(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    auto_(peer) peer = peer_start(echo, NULL);
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(world_real());
    char got[5];
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    kit_ok(send_all(world_real(), stream, slice_of_text("hello"), &error));
    kit_ok(read_all(world_real(), stream, got, 5, &error));
    assert_memory_equal(got, "hello", 5);
    net_close(stream);
    net_close(NULL);
}

static void bytes_in_pieces_and_interrupted_calls_are_the_same_bytes(void **state)
{
    static const char *const CALLS[] = {"send", "recv", "poll", "connect"};
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++) {
        GError *error = NULL;
        struct net_stream *stream;
        struct fake_net fake;
        auto_(peer) peer = peer_start(echo, NULL);
        fake_net_init(&fake);
        fake.call = CALLS[i], fake.nth = i < 3, fake.number = EINTR, fake.longest = 3;
        struct net_place place = place_of(peer);
        struct net_wait wait = patience(&fake.world);
        char got[20];
        kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
        struct net_poll poll = {.stream = stream, .wants = NET_WRITABLE}; /* where all else is ready at once */
        kit_ok(net_poll(&fake.world, &poll, 1, &wait, &error));
        kit_ok(send_all(&fake.world, stream, slice_of_text("12345678901234567890"), &error));
        kit_ok(read_all(&fake.world, stream, got, 20, &error));
        assert_memory_equal(got, "12345678901234567890", 20);
        assert_true(fake.calls > 0 && fake.fired == (i < 3));
        net_close(stream);
        assert_int_equal(fake.opened, fake.closed);
    }
}

/* More than the sockets' buffers hold: whoever only sends gets stuck, and says so by 0. */
static void sending_stops_when_nobody_reads_and_goes_on_when_one_does(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    auto_(peer) peer = peer_start(echo, NULL);
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(world_real());
    g_autofree uint8_t *bytes = g_malloc(LOTS), *got = g_malloc(LOTS);
    size_t sent = 0, received = 0, moved;
    for (size_t i = 0; i < LOTS; i++)
        bytes[i] = (uint8_t)(i * 31 >> 4);
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    while (received < LOTS) {
        struct net_poll poll = {.stream = stream, .wants = NET_READABLE | (sent < LOTS ? NET_WRITABLE : 0)};
        kit_ok(net_poll(world_real(), &poll, 1, &wait, &error));
        if (poll.ready & NET_WRITABLE) {
            kit_ok(net_send(stream, slice_of(bytes + sent, LOTS - sent), &moved, &error));
            sent += moved;
        }
        if (poll.ready & NET_READABLE) {
            kit_ok(net_receive(stream, got + received, LOTS - received, &moved, &error));
            received += moved;
        }
    }
    assert_memory_equal(bytes, got, LOTS);
    net_close(stream);
}

static int bound_port(uint16_t *ret)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *ret = ntohs(at.sin_port);
    return fd;
}

static void a_refused_connection_says_so_and_where(void **state)
{
    GError *error = NULL;
    struct net_stream *stream = NULL;
    struct net_place place = {.host = "127.0.0.1"};
    struct net_wait wait = patience(world_real());
    int held = bound_port(&place.port); /* nobody listens, and nobody else can */
    kit_refused(net_connect(&stream, world_real(), &place, &wait, &error), UNREACHABLE, "Connection refused");
    g_autofree char *where = g_strdup_printf("127.0.0.1:%u: cannot connect", place.port);
    kit_refused(net_connect(&stream, world_real(), &place, &wait, &error), UNREACHABLE, where);
    assert_null(stream);
    close(held);
}

static void every_address_is_tried_and_each_is_told(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct fake_net fake;
    auto_(peer) peer = peer_start(echo, NULL);
    fake_net_init(&fake);
    fake.call = "connect", fake.nth = 1, fake.number = ENETUNREACH;
    fake.also = "127.0.0.1";
    struct net_place place = {.host = "127.0.0.9", .port = peer_port(peer)};
    struct net_wait wait = patience(&fake.world);
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    assert_int_equal(fake.calls, 2);
    net_close(stream);
    fake.calls = 0;
    fake.lasting = true;
    kit_refused(net_connect(&stream, &fake.world, &place, &wait, &error), UNREACHABLE,
                "127.0.0.9: Network is unreachable; 127.0.0.1: Network is unreachable");
    assert_int_equal(fake.opened, fake.closed);
}

static void a_name_that_is_nowhere_is_named(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct fake_net fake;
    fake_net_init(&fake);
    fake.call = "resolve", fake.nth = 1, fake.number = EAI_NONAME;
    struct net_place place = {.host = "db.example", .port = 7000};
    struct net_wait wait = patience(&fake.world);
    kit_refused(net_connect(&stream, &fake.world, &place, &wait, &error), UNREACHABLE,
                "db.example:7000: the name is not found");
}

static void a_world_without_sockets_reaches_nothing(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct world world = *world_real();
    struct net_place place = {.host = "127.0.0.1", .port = 1};
    struct net_wait wait = {0};
    world.net = NULL;
    kit_refused(net_connect(&stream, &world, &place, &wait, &error), NOT_PERMITTED, "nothing may be reached");
}

static void failing_calls_are_errors_and_leave_nothing_open(void **state)
{
    static const struct {
        const char *call;
        int number;
        enum error_code code;
    } ROWS[] = {
        {"socket", EMFILE, SLUICE_ERROR_UNREACHABLE},     {"connect", EHOSTUNREACH, SLUICE_ERROR_UNREACHABLE},
        {"connect", EACCES, SLUICE_ERROR_NOT_PERMITTED},  {"connect", ETIMEDOUT, SLUICE_ERROR_TIMED_OUT},
        {"fate", ECONNREFUSED, SLUICE_ERROR_UNREACHABLE}, {"fate", ETIMEDOUT, SLUICE_ERROR_TIMED_OUT},
    };
    auto_(peer) peer = peer_start(echo, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        struct net_stream *stream;
        struct fake_net fake;
        fake_net_init(&fake);
        fake.call = ROWS[i].call, fake.nth = 1, fake.number = ROWS[i].number;
        struct net_place place = place_of(peer);
        struct net_wait wait = patience(&fake.world);
        assert_false(net_connect(&stream, &fake.world, &place, &wait, &error));
        assert_true(error_is(error, ROWS[i].code));
        assert_int_equal(fake.opened, fake.closed);
    }
}

static void a_socket_without_an_option_does_as_well(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct fake_net fake;
    auto_(peer) peer = peer_start(echo, NULL);
    fake_net_init(&fake);
    fake.call = "option", fake.nth = 1, fake.number = ENOPROTOOPT, fake.lasting = true;
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(&fake.world);
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    assert_true(fake.fired > 1);
    net_close(stream);
}

static void a_closed_and_a_reset_connection_are_told_apart(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    char got[8];
    auto_(peer) closing = peer_start(say_half, NULL);
    struct net_place place = place_of(closing);
    struct net_wait wait = patience(world_real());
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    kit_refused(read_all(world_real(), stream, got, 8, &error), UNREACHABLE, "the other side closed the connection");
    net_close(stream);

    auto_(peer) resetting = peer_start(reset, NULL);
    place = place_of(resetting);
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    kit_ok(send_all(world_real(), stream, slice_of_text("!"), &error));
    kit_refused(read_all(world_real(), stream, got, 8, &error), UNREACHABLE, "Connection reset by peer");
    net_close(stream);
}

/* The process lives on: no SIGPIPE. */
static void sending_to_who_has_gone_is_an_error(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    char got[8];
    auto_(peer) peer = peer_start(say_half, NULL);
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(world_real());
    bool sent = true;
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    kit_refused(read_all(world_real(), stream, got, 8, &error), UNREACHABLE, "closed");
    for (int i = 0; sent && i < 1000; i++) /* the first may go before the answer to it comes back */
        sent = send_all(world_real(), stream, slice_of_text("more"), &error);
    assert_false(sent);
    assert_true(error_is(error, SLUICE_ERROR_UNREACHABLE));
    g_clear_error(&error);
    net_close(stream);
}

static void who_says_nothing_is_waited_for_until_the_deadline(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct fake_net fake;
    auto_(peer) peer = peer_start(say_nothing, NULL);
    fake_net_init(&fake);
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(&fake.world);
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    fake.jumps = true;
    struct net_poll poll = {.stream = stream, .wants = NET_READABLE};
    wait.deadline_us = fake.now_us + 5 * 1000 * 1000;
    kit_refused(net_poll(&fake.world, &poll, 1, &wait, &error), TIMED_OUT, "no answer in time");
    assert_in_range(fake.now_us, wait.deadline_us, wait.deadline_us + 2000);
    net_close(stream);
}

/* What is there is seen also by who comes late. */
static void past_the_deadline_one_look_is_left(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    auto_(peer) peer = peer_start(say_nothing, NULL);
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(world_real()), over = {.deadline_us = 1};
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    struct net_poll poll = {.stream = stream, .wants = NET_WRITABLE};
    kit_ok(net_poll(world_real(), &poll, 1, &over, &error));
    assert_int_equal(poll.ready, NET_WRITABLE);
    net_close(stream);
}

static int listener_at(const char *host, uint16_t port, int queue)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, host, &at.sin_addr);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, queue), 0);
    return fd;
}

/* Nobody takes the connections of a full queue, and the system then keeps the next one waiting: the first address has
 * its share of the time, then comes the second. */
static void connecting_ends_at_the_deadline_and_shares_it(void **state)
{
    GError *error = NULL;
    struct net_stream *full[8], *stream;
    struct fake_net fake;
    fake_net_init(&fake);
    fake.jumps = true;
    struct net_place place = {.host = "127.0.0.1"};
    int listener = bound_port(&place.port), other;
    assert_int_equal(listen(listener, 0), 0);
    size_t n = 0;
    int64_t began_us;
    struct net_wait wait;
    do {
        began_us = fake.now_us;
        wait = (struct net_wait){.deadline_us = began_us + 1000 * 1000};
    } while (net_connect(&full[n], &fake.world, &place, &wait, &error) && ++n < G_N_ELEMENTS(full));
    kit_refused(false, TIMED_OUT, "127.0.0.1:");
    assert_in_range(fake.now_us - began_us, 1000 * 1000, 1002 * 1000);

    fake.also = "127.0.0.1";
    began_us = fake.now_us;
    wait.deadline_us = began_us + 1000 * 1000;
    kit_refused(net_connect(&stream, &fake.world, &place, &wait, &error), TIMED_OUT,
                "127.0.0.1: no answer in time; 127.0.0.1: no answer in time");
    assert_in_range(fake.now_us - began_us, 1000 * 1000, 1004 * 1000);

    fake.also = "127.0.0.2";
    other = listener_at(fake.also, place.port, 8);
    began_us = fake.now_us;
    wait.deadline_us = began_us + 1000 * 1000;
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    assert_in_range(fake.now_us - began_us, 500 * 1000, 502 * 1000);
    net_close(stream);
    while (n > 0)
        net_close(full[--n]);
    assert_int_equal(fake.opened, fake.closed);
    close(listener);
    close(other);
}

struct canceller {
    struct fake_net *fake;
    atomic_bool cancel;
    int64_t at_us;
    int waits;
};

static void cancel_at_the_third_wait(void *self)
{
    struct canceller *canceller = self;
    if (++canceller->waits == 3) {
        canceller->at_us = canceller->fake->now_us;
        atomic_store(&canceller->cancel, true);
    }
}

static void giving_up_is_noticed_within_50_ms(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct fake_net fake;
    auto_(peer) peer = peer_start(say_nothing, NULL);
    fake_net_init(&fake);
    struct canceller canceller = {.fake = &fake};
    struct net_place place = place_of(peer);
    struct net_wait wait = patience(&fake.world);
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    fake.jumps = true, fake.waits = cancel_at_the_third_wait, fake.waits_self = &canceller;
    struct net_poll poll = {.stream = stream, .wants = NET_READABLE};
    wait = (struct net_wait){.cancel = &canceller.cancel}; /* no deadline */
    kit_refused(net_poll(&fake.world, &poll, 1, &wait, &error), CANCELLED, "given up");
    assert_int_equal(canceller.waits, 3);
    assert_in_range(fake.now_us - canceller.at_us, 0, 50 * 1000);
    net_close(stream);
}

static void several_streams_are_waited_for_at_once(void **state)
{
    GError *error = NULL;
    enum { MANY = 70 };
    struct net_stream *streams[MANY];
    struct net_poll polls[MANY];
    auto_(peer) silent = peer_start(say_nothing, NULL);
    auto_(peer) talker = peer_start(say_half, NULL);
    struct net_place place = place_of(silent), other = place_of(talker);
    struct net_wait wait = patience(world_real());
    for (size_t i = 0; i < MANY; i++) {
        kit_ok(net_connect(&streams[i], world_real(), i == 66 ? &other : &place, &wait, &error));
        polls[i] = (struct net_poll){.stream = streams[i], .wants = i == 3 ? 0 : NET_READABLE};
    }
    kit_ok(net_poll(world_real(), polls, MANY, &wait, &error));
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(polls[i].ready, i == 66 ? NET_READABLE : 0);
        net_close(streams[i]);
    }
}

struct socket_file {
    int listener;
    struct thread *thread;
};

static void serve_socket_file(void *self)
{
    int fd = accept4(((struct socket_file *)self)->listener, NULL, NULL, SOCK_CLOEXEC);
    echo(NULL, fd);
    close(fd);
}

static void a_path_is_a_unix_socket(void **state)
{
    GError *error = NULL;
    struct net_stream *stream;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct socket_file file = {.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    g_snprintf(at.sun_path, sizeof at.sun_path, "%s/socket", (const char *)*state);
    struct net_place place = {.host = at.sun_path};
    struct net_wait wait = patience(world_real());
    char got[2];
    kit_refused(net_connect(&stream, world_real(), &place, &wait, &error), UNREACHABLE, "No such file");
    assert_int_equal(bind(file.listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(file.listener, 4), 0);
    kit_ok(thread_start(&file.thread, "socket", serve_socket_file, &file, &error));
    kit_ok(net_connect(&stream, world_real(), &place, &wait, &error));
    kit_ok(send_all(world_real(), stream, slice_of_text("ok"), &error));
    kit_ok(read_all(world_real(), stream, got, 2, &error));
    net_close(stream);
    thread_join(file.thread);
    close(file.listener);
    g_autofree char *long_path = g_strnfill(200, 'p');
    place.host = long_path;
    kit_refused(net_connect(&stream, world_real(), &place, &wait, &error), USAGE, "at most 107 bytes");
}

/* --- TLS ---------------------------------------------------------------------------------------------------------- */

struct tls_peer {
    const char *dir, *certificate;
    const char *clients_ca; /* NULL: any client */
    int version;            /* the highest; 0: whatever there is */
    char sni[64];           /* what the client asked for */
};

static SSL_CTX *tls_context(const struct tls_peer *peer)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    g_autofree char *certificate = g_strdup_printf("%s/%s.crt", peer->dir, peer->certificate);
    g_autofree char *key = g_strdup_printf("%s/%s.key", peer->dir, peer->certificate);
    SSL_CTX_use_certificate_chain_file(context, certificate);
    SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM);
    SSL_CTX_set_max_proto_version(context, peer->version);
    if (peer->clients_ca) {
        g_autofree char *ca = g_strdup_printf("%s/%s.crt", peer->dir, peer->clients_ca);
        SSL_CTX_load_verify_file(context, ca);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    return context;
}

static void tls_echo(struct peer *peer, int fd)
{
    struct tls_peer *self = peer_self(peer);
    SSL_CTX *context = tls_context(self);
    SSL *ssl = SSL_new(context);
    char bytes[4096];
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        g_strlcpy(self->sni, sni ? sni : "", sizeof self->sni);
        for (int got; (got = SSL_read(ssl, bytes, sizeof bytes)) > 0;)
            if (SSL_write(ssl, bytes, got) <= 0)
                break;
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
}

struct box {
    char *dir, *ca, *cert, *key;
};

static int tls_setup(void **state)
{
    struct box *box = g_new0(struct box, 1);
    void *dir;
    kit_dir_setup(&dir);
    box->dir = dir;
    certificate_make(&(struct certificate){.dir = dir, .stem = "ca"});
    certificate_make(&(struct certificate){.dir = dir, .stem = "other-ca"});
    certificate_make(&(struct certificate){
        .dir = dir, .stem = "server", .signer = "ca", .holds_for = "DNS:db.example,IP:127.0.0.1"});
    certificate_make(
        &(struct certificate){.dir = dir, .stem = "elsewhere", .signer = "ca", .holds_for = "DNS:a.example"});
    certificate_make(&(struct certificate){
        .dir = dir, .stem = "old", .signer = "ca", .holds_for = "IP:127.0.0.1", .from_s = -7200, .to_s = -3600});
    certificate_make(&(struct certificate){.dir = dir, .stem = "client", .signer = "ca"});
    box->ca = g_strdup_printf("%s/ca.crt", box->dir);
    box->cert = g_strdup_printf("%s/client.crt", box->dir);
    box->key = g_strdup_printf("%s/client.key", box->dir);
    *state = box;
    return 0;
}

static int tls_teardown(void **state)
{
    struct box *box = *state;
    void *dir = box->dir;
    g_free(box->ca);
    g_free(box->cert);
    g_free(box->key);
    g_free(box);
    return kit_dir_teardown(&dir);
}

/* Connects, and has a word echoed. Who cannot be told any more may have said why. */
static bool tls_word(const struct world *world, const struct net_place *place, GError **error)
{
    g_autoptr(GError) sending = NULL, reading = NULL;
    struct net_stream *stream;
    struct net_wait wait = patience(world);
    char got[4];
    size_t len;
    if (!net_connect(&stream, world, place, &wait, error))
        return false;
    bool sent = send_all(world, stream, slice_of_text("word"), &sending);
    bool said = sent ? read_all(world, stream, got, 4, &reading) : net_receive(stream, got, 4, &len, &reading);
    net_close(stream);
    if (sent && said)
        assert_memory_equal(got, "word", 4);
    else
        g_propagate_error(error, reading ? g_steal_pointer(&reading) : g_steal_pointer(&sending));
    return sent && said;
}

static void tls_takes_a_certificate_that_holds_for_the_address_or_the_name(void **state)
{
    GError *error = NULL;
    const struct box *box = *state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct tls_peer server = {.dir = box->dir, .certificate = "server", .version = version};
        auto_(peer) peer = peer_start(tls_echo, &server);
        struct net_tls tls = {.ca_file = box->ca};
        struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
        kit_ok(tls_word(world_real(), &place, &error));
        tls.server_name = "db.example";
        kit_ok(tls_word(world_real(), &place, &error));
        peer_stop(g_steal_pointer(&peer));
        assert_string_equal(server.sni, "db.example");
    }
}

static void tls_refuses_a_certificate_that_does_not_hold(void **state)
{
    static const struct {
        const char *certificate, *ca, *name, *says;
    } ROWS[] = {
        {"server", "ca.crt", "localhost", "hostname mismatch"},
        {"elsewhere", "ca.crt", NULL, "IP address mismatch"},
        {"old", "ca.crt", NULL, "certificate has expired"},
        {"server", "other-ca.crt", NULL, "unable to get local issuer"},
        {"server", NULL, NULL, "unable to get local issuer"},
        {"ca", "other-ca.crt", NULL, "self-signed"},
    };
    const struct box *box = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct tls_peer server = {.dir = box->dir, .certificate = ROWS[i].certificate};
        auto_(peer) peer = peer_start(tls_echo, &server);
        g_autofree char *ca = ROWS[i].ca ? g_strdup_printf("%s/%s", box->dir, ROWS[i].ca) : NULL;
        struct net_tls tls = {.ca_file = ca, .server_name = ROWS[i].name};
        struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
        kit_refused(tls_word(world_real(), &place, &error), NOT_PERMITTED, ROWS[i].says);
        tls.insecure = true;
        kit_ok(tls_word(world_real(), &place, &error));
    }
}

static void a_server_that_wants_a_client_certificate_gets_one_or_refuses(void **state)
{
    const struct box *box = *state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        GError *error = NULL;
        struct tls_peer server = {.dir = box->dir, .certificate = "server", .clients_ca = "ca", .version = version};
        auto_(peer) peer = peer_start(tls_echo, &server);
        struct net_tls tls = {.ca_file = box->ca};
        struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
        kit_refused(tls_word(world_real(), &place, &error), NOT_PERMITTED, "a client certificate");
        tls.cert_file = box->cert, tls.key_file = box->key;
        kit_ok(tls_word(world_real(), &place, &error));
    }
}

static void files_of_tls_that_cannot_be_used_are_named(void **state)
{
    const struct box *box = *state;
    const struct {
        struct net_tls tls;
        const char *says;
    } ROWS[] = {
        {{.ca_file = "/nowhere/ca.crt"}, "the CA file '/nowhere/ca.crt'"},
        {{.ca_file = box->key}, "the CA file"},
        {{.ca_file = box->ca, .cert_file = "/nowhere/me.crt"}, "the certificate '/nowhere/me.crt'"},
        {{.ca_file = box->ca, .cert_file = box->cert, .key_file = box->cert}, "the key"},
        {{.ca_file = box->ca, .cert_file = box->ca, .key_file = box->key}, "the key"},
    };
    auto_(peer) peer = peer_start(say_nothing, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &ROWS[i].tls};
        kit_refused(tls_word(world_real(), &place, &error), NOT_PERMITTED, ROWS[i].says);
    }
}

static void say_garbage(struct peer *peer, int fd)
{
    peer_say_text(fd, "-ERR unknown command, and this is no TLS at all\r\n");
    say_nothing(peer, fd);
}

static void what_speaks_no_tls_is_told_so(void **state)
{
    GError *error = NULL;
    const struct box *box = *state;
    struct net_tls tls = {.ca_file = box->ca};
    auto_(peer) peer = peer_start(say_garbage, NULL);
    struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
    kit_refused(tls_word(world_real(), &place, &error), UNREACHABLE, "does not speak TLS");
    auto_(peer) gone = peer_start(say_half, NULL);
    place.port = peer_port(gone);
    kit_refused(tls_word(world_real(), &place, &error), UNREACHABLE, "127.0.0.1:");
}

static void a_silent_handshake_ends_at_the_deadline(void **state)
{
    GError *error = NULL;
    const struct box *box = *state;
    struct net_tls tls = {.ca_file = box->ca};
    struct net_stream *stream;
    auto_(peer) peer = peer_start(say_nothing, NULL);
    struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
    struct net_wait wait = {.deadline_us = world_monotonic_us(world_real()) + 20 * 1000};
    kit_refused(net_connect(&stream, world_real(), &place, &wait, &error), TIMED_OUT,
                "TLS handshake (does this port take TLS?): no answer in time");
}

/* Each call moves few bytes, so that records come and go in pieces and every call waits in the middle of one. */
static void tls_in_pieces_is_the_same(void **state)
{
    GError *error = NULL;
    const struct box *box = *state;
    struct tls_peer server = {.dir = box->dir, .certificate = "server"};
    struct net_stream *stream;
    struct fake_net fake;
    enum { SOME = 100 * 1000 };
    g_autofree uint8_t *bytes = g_malloc(SOME), *got = g_malloc(SOME);
    for (size_t i = 0; i < SOME; i++)
        bytes[i] = (uint8_t)(i * 131 >> 5);
    fake_net_init(&fake);
    fake.longest = 97;
    auto_(peer) peer = peer_start(tls_echo, &server);
    struct net_tls tls = {.ca_file = box->ca};
    struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
    struct net_wait wait = patience(&fake.world);
    kit_ok(net_connect(&stream, &fake.world, &place, &wait, &error));
    size_t sent = 0, received = 0, moved;
    while (received < SOME) {
        struct net_poll poll = {.stream = stream, .wants = NET_READABLE | (sent < SOME ? NET_WRITABLE : 0)};
        kit_ok(net_poll(&fake.world, &poll, 1, &wait, &error));
        if (poll.ready & NET_WRITABLE) {
            kit_ok(net_send(stream, slice_of(bytes + sent, SOME - sent), &moved, &error));
            sent += moved;
        }
        if (poll.ready & NET_READABLE) {
            kit_ok(net_receive(stream, got + received, MIN(SOME - received, 1000), &moved, &error));
            received += moved;
        }
    }
    assert_memory_equal(bytes, got, SOME);
    net_close(stream);
}

static void a_torn_tls_connection_is_an_error(void **state)
{
    static const char *const CALLS[] = {"send", "recv"};
    const struct box *box = *state;
    struct tls_peer server = {.dir = box->dir, .certificate = "server"};
    auto_(peer) peer = peer_start(tls_echo, &server);
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++)
        for (uint64_t nth = 1;; nth++) {
            g_autoptr(GError) error = NULL;
            struct fake_net fake;
            fake_net_init(&fake);
            fake.call = CALLS[i], fake.nth = nth, fake.number = ECONNRESET;
            struct net_tls tls = {.ca_file = box->ca};
            struct net_place place = {.host = "127.0.0.1", .port = peer_port(peer), .tls = &tls};
            bool said = tls_word(&fake.world, &place, &error);
            assert_int_equal(fake.opened, fake.closed);
            if (said)
                break; /* it met none, or the good-bye alone */
            assert_true(error_is(error, SLUICE_ERROR_UNREACHABLE));
            assert_non_null(strstr(error->message, "reset"));
            assert_true(nth < 100);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_arrives_and_what_comes_is_read),
        cmocka_unit_test(bytes_in_pieces_and_interrupted_calls_are_the_same_bytes),
        cmocka_unit_test(sending_stops_when_nobody_reads_and_goes_on_when_one_does),
        cmocka_unit_test(a_refused_connection_says_so_and_where),
        cmocka_unit_test(every_address_is_tried_and_each_is_told),
        cmocka_unit_test(a_name_that_is_nowhere_is_named),
        cmocka_unit_test(a_world_without_sockets_reaches_nothing),
        cmocka_unit_test(failing_calls_are_errors_and_leave_nothing_open),
        cmocka_unit_test(a_socket_without_an_option_does_as_well),
        cmocka_unit_test(a_closed_and_a_reset_connection_are_told_apart),
        cmocka_unit_test(sending_to_who_has_gone_is_an_error),
        cmocka_unit_test(who_says_nothing_is_waited_for_until_the_deadline),
        cmocka_unit_test(past_the_deadline_one_look_is_left),
        cmocka_unit_test(connecting_ends_at_the_deadline_and_shares_it),
        cmocka_unit_test(giving_up_is_noticed_within_50_ms),
        cmocka_unit_test(several_streams_are_waited_for_at_once),
        cmocka_unit_test_setup_teardown(a_path_is_a_unix_socket, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test(tls_takes_a_certificate_that_holds_for_the_address_or_the_name),
        cmocka_unit_test(tls_refuses_a_certificate_that_does_not_hold),
        cmocka_unit_test(a_server_that_wants_a_client_certificate_gets_one_or_refuses),
        cmocka_unit_test(files_of_tls_that_cannot_be_used_are_named),
        cmocka_unit_test(what_speaks_no_tls_is_told_so),
        cmocka_unit_test(a_silent_handshake_ends_at_the_deadline),
        cmocka_unit_test(tls_in_pieces_is_the_same),
        cmocka_unit_test(a_torn_tls_connection_is_an_error),
    };
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
