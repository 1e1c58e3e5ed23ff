#include "base/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/net_tls.h"

enum {
    CANCEL_LOOK_US = 40 * 1000, /* nothing wakes a waiting thread when it is to give up: it looks so often */
    POLLS_AT_HAND = 64,
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_EACH_S = 10,
    KEEPALIVE_TRIES = 3,
};

struct net_stream {
    struct net_wire wire;
    struct net_tls_link *tls;      /* NULL: plain */
    short read_event, write_event; /* what poll() waits for so that the one, the other goes on; TLS may swap them */
    bool more; /* TLS: the last receive ended for want of room; what follows may have been taken from the socket */
    char *place;
};

/* Where one is connected to: an address of a name, or a path. */
struct address {
    const struct sockaddr *at;
    unsigned len;
    char text[INET6_ADDRSTRLEN + 1];
};

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static int64_t now_us(const struct world *world)
{
    return world_monotonic_us(world);
}

static bool given_up(const struct net_wait *wait)
{
    return wait->cancel && atomic_load(wait->cancel);
}

/* For how long to poll at once; -1: for ever. */
static int64_t step_us_of(const struct world *world, const struct net_wait *wait)
{
    int64_t step_us = wait->cancel ? CANCEL_LOOK_US : INT64_MAX;
    if (wait->deadline_us)
        step_us = MIN(step_us, MAX(wait->deadline_us - now_us(world), 0));
    return step_us == INT64_MAX ? -1 : step_us;
}

/* Until one of them is ready; with `look` only looks. *ret_ready: how many are. */
static bool wait_for(const struct world *world, struct pollfd *fds, size_t n, const struct net_wait *wait, bool look,
                     GError **error)
{
    for (;;) {
        if (given_up(wait))
            return error_set(error, SLUICE_ERROR_CANCELLED, "given up while waiting for an answer");
        bool late = wait->deadline_us && now_us(world) >= wait->deadline_us;
        int ready = world->net->poll(world->net_self, fds, n, look || late ? 0 : step_us_of(world, wait));
        if (ready < 0 && errno != EINTR && errno != EAGAIN)
            return error_set_errno(error, errno, "waiting for sockets");
        if (ready > 0 || look)
            return true;
        if (late)
            return error_set(error, SLUICE_ERROR_TIMED_OUT, "no answer in time");
    }
}

static bool wait_for_one(struct net_stream *stream, short event, const struct net_wait *wait, GError **error)
{
    struct pollfd fd = {.fd = stream->wire.fd, .events = event};
    return wait_for(stream->wire.world, &fd, 1, wait, false, error);
}

static short events_of(const struct net_poll *poll)
{
    return (short)((poll->wants & NET_READABLE ? poll->stream->read_event : 0) |
                   (poll->wants & NET_WRITABLE ? poll->stream->write_event : 0));
}

/* What is broken is ready for everything: the next call tells why. */
static unsigned ready_of(const struct net_poll *poll, short came)
{
    const short broken = POLLERR | POLLHUP | POLLNVAL;
    unsigned ready = 0;
    if (came & (poll->stream->read_event | broken))
        ready |= NET_READABLE;
    if (came & (poll->stream->write_event | broken))
        ready |= NET_WRITABLE;
    return (ready | (poll->stream->more ? NET_READABLE : 0)) & poll->wants;
}

bool net_poll(const struct world *world, struct net_poll *polls, size_t n, const struct net_wait *wait, GError **error)
{
    struct pollfd at_hand[POLLS_AT_HAND];
    g_autofree struct pollfd *many = n > POLLS_AT_HAND ? g_new(struct pollfd, n) : NULL;
    struct pollfd *fds = many ? many : at_hand;
    bool look = false;
    for (size_t i = 0; i < n; i++) {
        look |= polls[i].wants & NET_READABLE && polls[i].stream->more;
        fds[i] = (struct pollfd){.fd = polls[i].wants ? polls[i].stream->wire.fd : -1, .events = events_of(&polls[i])};
    }
    if (!wait_for(world, fds, n, wait, look, error))
        return false;
    for (size_t i = 0; i < n; i++)
        polls[i].ready = polls[i].wants ? ready_of(&polls[i], fds[i].revents) : 0;
    return true;
}

/* --- bytes -------------------------------------------------------------------------------------------------------- */

static bool stream_fail(struct net_stream *stream, GError **error)
{
    return error_add(error, "%s", stream->place);
}

/* Of a plain socket: what the call has moved; nothing at present is 0. */
static bool plain_moved(struct net_stream *stream, int64_t moved, size_t *ret, GError **error)
{
    if (moved < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        stream->wire.fault = errno;
        return net_wire_fail(&stream->wire, error) || stream_fail(stream, error);
    }
    *ret = moved > 0 ? (size_t)moved : 0;
    return true;
}

static bool plain_send(struct net_stream *stream, struct slice bytes, size_t *ret, GError **error)
{
    const struct world *world = stream->wire.world;
    int64_t sent;
    do
        sent = world->net->send(world->net_self, stream->wire.fd, bytes.data, bytes.len);
    while (sent < 0 && errno == EINTR);
    return plain_moved(stream, sent, ret, error);
}

static bool plain_receive(struct net_stream *stream, void *into, size_t len, size_t *ret, GError **error)
{
    const struct world *world = stream->wire.world;
    int64_t got;
    do
        got = world->net->recv(world->net_self, stream->wire.fd, into, len);
    while (got < 0 && errno == EINTR);
    if (got != 0)
        return plain_moved(stream, got, ret, error);
    stream->wire.closed = true;
    return net_wire_fail(&stream->wire, error) || stream_fail(stream, error);
}

bool net_send(struct net_stream *stream, struct slice bytes, size_t *ret, GError **error)
{
    short event = 0;
    if (bytes.len == 0) {
        *ret = 0;
        return true;
    }
    if (!stream->tls)
        return plain_send(stream, bytes, ret, error);
    if (!net_tls_send(stream->tls, bytes, ret, &event, error))
        return stream_fail(stream, error);
    stream->write_event = event ? event : POLLOUT;
    return true;
}

bool net_receive(struct net_stream *stream, void *into, size_t len, size_t *ret, GError **error)
{
    short event = 0;
    g_assert(len > 0);
    if (!stream->tls)
        return plain_receive(stream, into, len, ret, error);
    if (!net_tls_receive(stream->tls, into, len, ret, &event, error))
        return stream_fail(stream, error);
    stream->more = !event;
    stream->read_event = event ? event : POLLIN;
    return true;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void set_options(const struct world *world, int fd)
{
    static const struct {
        int level, name, value;
    } OPTIONS[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_EACH_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_TRIES},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(OPTIONS); i++) /* a socket that has no such option does as well without it */
        world->net->option(world->net_self, fd, OPTIONS[i].level, OPTIONS[i].name, OPTIONS[i].value);
}

static void stream_hang_up(struct net_stream *stream)
{
    const struct world *world = stream->wire.world;
    if (stream->wire.fd >= 0)
        world->net->close(world->net_self, stream->wire.fd);
    stream->wire.fd = -1;
}

/* An errno of connecting: what one may not do is told apart from what is not there. */
static bool connect_fail(int number, GError **error)
{
    bool refused_here = number == EACCES || number == EPERM;
    enum error_code code = number == ETIMEDOUT ? SLUICE_ERROR_TIMED_OUT
                           : refused_here      ? SLUICE_ERROR_NOT_PERMITTED
                                               : SLUICE_ERROR_UNREACHABLE;
    return error_set(error, code, "%s", g_strerror(number));
}

static bool connect_at(struct net_stream *stream, const struct address *address, const struct net_wait *wait,
                       GError **error)
{
    const struct world *world = stream->wire.world;
    stream->wire.fd = world->net->socket(world->net_self, address->at->sa_family);
    if (stream->wire.fd < 0)
        return connect_fail(errno, error);
    if (address->at->sa_family != AF_UNIX)
        set_options(world, stream->wire.fd);
    if (world->net->connect(world->net_self, stream->wire.fd, address->at, address->len) == 0)
        return true;
    if (errno != EINPROGRESS && errno != EINTR)
        return connect_fail(errno, error);
    if (!wait_for_one(stream, POLLOUT, wait, error))
        return false;
    int fate = world->net->fate(world->net_self, stream->wire.fd);
    return fate == 0 || connect_fail(fate, error);
}

/* The time that is left, shared by the addresses that are. */
static struct net_wait share_of(const struct world *world, const struct net_wait *wait, size_t left)
{
    struct net_wait share = *wait;
    int64_t now = now_us(world);
    if (wait->deadline_us > now)
        share.deadline_us = now + (wait->deadline_us - now) / (int64_t)left;
    return share;
}

/* The first that answers. What each of them said stands in the error, whose code is that of the last one. */
static bool connect_any(struct net_stream *stream, const struct address *addresses, size_t n,
                        const struct net_wait *wait, GError **error)
{
    g_autoptr(GString) said = g_string_new("");
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GError) failed = NULL;
        struct net_wait share = share_of(stream->wire.world, wait, n - i);
        if (connect_at(stream, &addresses[i], &share, &failed))
            return true;
        stream_hang_up(stream);
        g_string_append_printf(said, "%s%s%s%s", i ? "; " : "", n > 1 ? addresses[i].text : "", n > 1 ? ": " : "",
                               failed->message);
        if (i + 1 == n || error_is(failed, SLUICE_ERROR_CANCELLED))
            return error_set(error, (enum error_code)failed->code, "cannot connect: %s", said->str);
    }
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "the name has no address");
}

static bool connect_to_path(struct net_stream *stream, const char *path, const struct net_wait *wait, GError **error)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct address address = {.at = (const struct sockaddr *)&at, .len = sizeof at};
    if (strlen(path) >= sizeof at.sun_path)
        return error_set(error, SLUICE_ERROR_USAGE, "the path of a socket has at most %zu bytes",
                         sizeof at.sun_path - 1);
    memcpy(at.sun_path, path, strlen(path) + 1);
    return connect_any(stream, &address, 1, wait, error);
}

static struct address address_of(const struct addrinfo *found)
{
    struct address address = {.at = found->ai_addr, .len = found->ai_addrlen};
    if (getnameinfo(found->ai_addr, found->ai_addrlen, address.text, sizeof address.text, NULL, 0, NI_NUMERICHOST) != 0)
        g_strlcpy(address.text, "?", sizeof address.text);
    return address;
}

static bool connect_to_name(struct net_stream *stream, const struct net_place *place, const struct net_wait *wait,
                            GError **error)
{
    const struct world *world = stream->wire.world;
    char port[8];
    struct addrinfo *list = NULL;
    g_snprintf(port, sizeof port, "%u", place->port);
    int failure = world->net->resolve(world->net_self, place->host, port, &list);
    if (failure != 0)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "the name is not found: %s",
                         failure == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(failure));
    g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(struct address));
    for (const struct addrinfo *found = list; found; found = found->ai_next) {
        struct address address = address_of(found);
        g_array_append_val(addresses, address);
    }
    bool connected = connect_any(stream, (const struct address *)(void *)addresses->data, addresses->len, wait, error);
    world->net->resolved(world->net_self, list);
    return connected;
}

static bool shake_hands(struct net_stream *stream, const struct net_place *place, const struct net_wait *wait,
                        GError **error)
{
    short event = 0;
    if (!place->tls)
        return true;
    if (!net_tls_new(&stream->tls, place, &stream->wire, error))
        return false;
    do {
        if (event && !wait_for_one(stream, event, wait, error))
            return error_add(error, "TLS handshake (does this port take TLS?)");
        if (!net_tls_shake(stream->tls, &event, error))
            return false;
    } while (event);
    return true;
}

static bool stream_open(struct net_stream *stream, const struct net_place *place, const struct net_wait *wait,
                        GError **error)
{
    if (!stream->wire.world->net)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "nothing may be reached from here");
    bool connected = place->port == 0 ? connect_to_path(stream, place->host, wait, error)
                                      : connect_to_name(stream, place, wait, error);
    return connected && shake_hands(stream, place, wait, error);
}

static char *place_text(const struct net_place *place)
{
    if (place->port == 0)
        return g_strdup(place->host);
    return g_strdup_printf(strchr(place->host, ':') ? "[%s]:%u" : "%s:%u", place->host, place->port);
}

bool net_connect(struct net_stream **ret, const struct world *world, const struct net_place *place,
                 const struct net_wait *wait, GError **error)
{
    struct net_stream *stream = g_new0(struct net_stream, 1);
    *stream = (struct net_stream){.wire = {.world = world, .fd = -1},
                                  .read_event = POLLIN,
                                  .write_event = POLLOUT,
                                  .more = place->tls != NULL, /* the handshake may have read on */
                                  .place = place_text(place)};
    if (!stream_open(stream, place, wait, error)) {
        stream_fail(stream, error);
        net_close(stream);
        return false;
    }
    *ret = stream;
    return true;
}

void net_close(struct net_stream *stream)
{
    if (!stream)
        return;
    net_tls_free(stream->tls);
    stream_hang_up(stream);
    g_free(stream->place);
    g_free(stream);
}
