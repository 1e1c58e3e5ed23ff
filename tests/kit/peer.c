#include "kit/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/int.h"
#include "base/lock.h"
#include "kit/kit.h"

struct peer {
    void (*serve)(struct peer *peer, int fd);
    void *self;
    int listener;
    uint16_t port;
    struct thread *thread;
    atomic_size_t served;
    pthread_mutex_t lock; /* guards the two below */
    int fd;               /* of the connection at hand; -1: none */
    bool stopped;
};

static bool take(struct peer *peer, int fd)
{
    auto_hold(&peer->lock);
    peer->fd = fd;
    return !peer->stopped;
}

static void put_away(struct peer *peer)
{
    auto_hold(&peer->lock);
    close(peer->fd);
    peer->fd = -1;
}

static void peer_body(void *self)
{
    struct peer *peer = self;
    for (int fd; (fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        peer->served++;
        if (take(peer, fd))
            peer->serve(peer, fd);
        put_away(peer);
    }
}

struct peer *peer_start(void (*serve)(struct peer *peer, int fd), void *self)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct peer *peer = g_new0(struct peer, 1);
    GError *error = NULL;
    *peer = (struct peer){.serve = serve, .self = self, .fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->listener, (const struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(peer->listener, 128), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&at, &len), 0);
    peer->port = ntohs(at.sin_port);
    kit_ok(thread_start(&peer->thread, "peer", peer_body, peer, &error));
    return peer;
}

static void peer_end(struct peer *peer)
{
    auto_hold(&peer->lock);
    peer->stopped = true;
    shutdown(peer->listener, SHUT_RDWR); /* wakes accept() */
    if (peer->fd >= 0)
        shutdown(peer->fd, SHUT_RDWR);
}

void peer_stop(struct peer *peer)
{
    if (!peer)
        return;
    peer_end(peer);
    thread_join(peer->thread);
    close(peer->listener);
    pthread_mutex_destroy(&peer->lock);
    g_free(peer);
}

uint16_t peer_port(const struct peer *peer)
{
    return peer->port;
}

void *peer_self(const struct peer *peer)
{
    return peer->self;
}

size_t peer_served(struct peer *peer)
{
    return peer->served;
}

bool peer_say(int fd, struct slice bytes)
{
    while (bytes.len) {
        ssize_t sent = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        if (sent > 0)
            bytes = slice_of(bytes.data + sent, bytes.len - (size_t)sent);
    }
    return true;
}

bool peer_say_text(int fd, const char *text)
{
    return peer_say(fd, slice_of_text(text));
}

bool peer_say_slowly(int fd, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        if (!peer_say(fd, slice_of(bytes.data + i, 1)))
            return false;
    return true;
}

bool peer_read(int fd, void *into, size_t len)
{
    for (size_t got = 0; got < len;) {
        ssize_t more = recv(fd, (char *)into + got, len - got, 0);
        if (more == 0 || (more < 0 && errno != EINTR))
            return false;
        if (more > 0)
            got += (size_t)more;
    }
    return true;
}

/* `*12\r\n`: the number behind the mark. */
static bool read_number(int fd, char mark, uint64_t *ret)
{
    char line[32];
    size_t len = 0;
    while (len < 2 || line[len - 1] != '\n')
        if (len == sizeof line || !peer_read(fd, &line[len++], 1))
            return false;
    return line[0] == mark && int_parse_u64(slice_of(line + 1, len - 3), ret);
}

static bool read_argument(int fd, GString *into)
{
    uint64_t len;
    if (!read_number(fd, '$', &len))
        return false;
    g_autofree char *bytes = g_malloc(len + 2);
    if (!peer_read(fd, bytes, len + 2))
        return false;
    if (into->len)
        g_string_append_c(into, ' ');
    g_string_append_len(into, bytes, (gssize)len);
    return true;
}

char *peer_command(int fd)
{
    g_autoptr(GString) command = g_string_new("");
    uint64_t n;
    if (!read_number(fd, '*', &n))
        return NULL;
    for (uint64_t i = 0; i < n; i++)
        if (!read_argument(fd, command))
            return NULL;
    return g_string_free(g_steal_pointer(&command), FALSE);
}

void peer_will_reset(int fd)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}
