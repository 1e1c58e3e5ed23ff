#include "base/datagram.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/int.h"

struct datagram {
    int fd;
};

/* The caller frees with freeaddrinfo(). */
static bool resolve(const char *place, struct addrinfo **ret, GError **error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    const char *colon = strrchr(place, ':');
    uint64_t port = 0;
    if (!colon || colon == place || !int_parse_u64(slice_of_text(colon + 1), &port) || port == 0 || port > UINT16_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "%s: HOST:PORT was expected, such as 127.0.0.1:8125", place);
    bool bracketed = place[0] == '[' && colon[-1] == ']';
    g_autofree char *host =
        bracketed ? g_strndup(place + 1, (size_t)(colon - place) - 2) : g_strndup(place, (size_t)(colon - place));
    int fault = getaddrinfo(host, colon + 1, &hints, ret);
    return fault == 0 || error_set(error, SLUICE_ERROR_UNREACHABLE, "%s: %s", place, gai_strerror(fault));
}

bool datagram_open(struct datagram **ret, const char *place, GError **error)
{
    struct addrinfo *at = NULL;
    int fd = -1;
    if (!resolve(place, &at, error))
        return false;
    for (const struct addrinfo *one = at; one && fd < 0; one = one->ai_next) {
        fd = socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(at);
    if (fd < 0)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s: %s", place, g_strerror(errno));
    *ret = g_new0(struct datagram, 1);
    (*ret)->fd = fd;
    return true;
}

void datagram_close(struct datagram *datagram)
{
    if (datagram)
        close(datagram->fd);
    g_free(datagram);
}

bool datagram_send(struct datagram *datagram, struct slice bytes, GError **error)
{
    ssize_t sent;
    do
        sent = send(datagram->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent >= 0 || error_set(error, SLUICE_ERROR_UNREACHABLE, "%s", g_strerror(errno));
}
