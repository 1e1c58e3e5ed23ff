#include "kit/fake_net.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

static const struct world_net *real_net(void)
{
    return world_real()->net;
}

static bool faulty(struct fake_net *fake, const char *call)
{
    if (!fake->call || strcmp(fake->call, call) != 0)
        return false;
    uint64_t n = ++fake->calls;
    if (!fake->nth || (fake->lasting ? n < fake->nth : n != fake->nth))
        return false;
    fake->fired++;
    errno = fake->number;
    return true;
}

static int fake_resolve(void *self, const char *host, const char *port, struct addrinfo **ret)
{
    struct fake_net *fake = self;
    if (faulty(fake, "resolve"))
        return fake->number;
    int failure = real_net()->resolve(NULL, host, port, ret);
    struct addrinfo *last = failure ? NULL : *ret;
    while (last && last->ai_next)
        last = last->ai_next;
    return last && fake->also ? real_net()->resolve(NULL, fake->also, port, &last->ai_next) : failure;
}

static void fake_resolved(void *self, struct addrinfo *list)
{
    real_net()->resolved(NULL, list);
}

static int fake_socket(void *self, int family)
{
    struct fake_net *fake = self;
    int fd = faulty(fake, "socket") ? -1 : real_net()->socket(NULL, family);
    fake->opened += fd >= 0;
    if (fd >= 0 && fake->send_buffer)
        real_net()->option(NULL, fd, SOL_SOCKET, SO_SNDBUF, fake->send_buffer);
    return fd;
}

static int fake_connect(void *self, int fd, const struct sockaddr *address, unsigned len)
{
    return faulty(self, "connect") ? -1 : real_net()->connect(NULL, fd, address, len);
}

static int fake_option(void *self, int fd, int level, int name, int value)
{
    return faulty(self, "option") ? -1 : real_net()->option(NULL, fd, level, name, value);
}

static int fake_fate(void *self, int fd)
{
    return faulty(self, "fate") ? ((struct fake_net *)self)->number : real_net()->fate(NULL, fd);
}

static size_t cut(const struct fake_net *fake, size_t len)
{
    return fake->longest && len > fake->longest ? fake->longest : len;
}

static int64_t fake_send(void *self, int fd, const void *from, size_t len)
{
    struct fake_net *fake = self;
    fake->sends++;
    int64_t sent = faulty(fake, "send") ? -1 : real_net()->send(NULL, fd, from, cut(fake, len));
    fake->sent_bytes += sent > 0 ? (uint64_t)sent : 0;
    return sent;
}

static int64_t fake_recv(void *self, int fd, void *into, size_t len)
{
    struct fake_net *fake = self;
    fake->receives++;
    fake->room = len;
    return faulty(fake, "recv") ? -1 : real_net()->recv(NULL, fd, into, cut(fake, len));
}

static int fake_poll(void *self, struct pollfd *polls, size_t n, int64_t timeout_us)
{
    struct fake_net *fake = self;
    if (fake->waits)
        fake->waits(fake->waits_self);
    if (faulty(fake, "poll"))
        return -1;
    int ready = real_net()->poll(NULL, polls, n, fake->jumps ? 0 : timeout_us);
    if (fake->jumps && ready == 0)
        fake->now_us += timeout_us;
    return ready;
}

static int fake_close(void *self, int fd)
{
    ((struct fake_net *)self)->closed++;
    return real_net()->close(NULL, fd);
}

static int64_t fake_monotonic_us(void *self)
{
    const struct fake_net *fake = self;
    return fake->jumps ? (int64_t)fake->now_us : world_monotonic_us(world_real());
}

static int64_t fake_wall_ms(void *self)
{
    return world_wall_ms(world_real());
}

static void fake_sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct fake_net *fake = self;
    if (fake->jumps)
        fake->now_us += us;
    else
        world_sleep_us(world_real(), us, cancel);
}

static const struct world_clock fake_clock = {
    .monotonic_us = fake_monotonic_us,
    .wall_ms = fake_wall_ms,
    .sleep_us = fake_sleep_us,
};

static const struct world_net fake_calls = {
    .resolve = fake_resolve,
    .resolved = fake_resolved,
    .socket = fake_socket,
    .connect = fake_connect,
    .option = fake_option,
    .fate = fake_fate,
    .send = fake_send,
    .recv = fake_recv,
    .poll = fake_poll,
    .close = fake_close,
};

void fake_net_init(struct fake_net *fake)
{
    *fake = (struct fake_net){.world = *world_real(), .now_us = 1000000};
    fake->world.clock = &fake_clock;
    fake->world.net = &fake_calls;
    fake->world.clock_self = fake->world.net_self = fake;
}
