/* Sockets: a stream to a server, plain or TLS, that never blocks without a deadline. The only place that opens one,
 * through the world's door (world->net), so that a test can refuse, cut and tear it.
 *
 * A stream belongs to one thread. Errors: UNREACHABLE (refused, reset, closed, name not found, TLS: who said what),
 * TIMED_OUT, CANCELLED, NOT_PERMITTED (a certificate that does not hold, naming the reason). After an error of a
 * stream it can only be closed. */
#pragma once

#include <stdatomic.h>

#include "base/world.h"

struct net_stream;

struct net_tls {
    const char *ca_file, *ca_dir;     /* NULL, NULL: the system's */
    const char *cert_file, *key_file; /* the client's own; NULL: none */
    const char *server_name;          /* SNI and the name checked; NULL: the host */
    bool insecure;                    /* any certificate is taken; `doctor` warns */
};

struct net_place {
    const char *host; /* a name, IPv4, IPv6 without brackets, or a path of a Unix socket where port is 0 */
    uint16_t port;
    const struct net_tls *tls; /* NULL: plain */
};

/* Until when a call may take. Only the looking up of a name takes what the system's resolver takes for it. */
struct net_wait {
    int64_t deadline_us;       /* world's monotonic clock; 0: none */
    const atomic_bool *cancel; /* NULL: cannot be cancelled; noticed within 50 ms */
};

/* Connects, TLS handshake included. TCP_NODELAY and keepalive are set. All addresses of the name are tried in turn,
 * each with its share of the time; the error says what each of them said. OpenSSL reads the files of `tls` by itself.
 */
bool net_connect(struct net_stream **ret, const struct world *world, const struct net_place *place,
                 const struct net_wait *wait, GError **error);
void net_close(struct net_stream *stream); /* takes NULL */
AUTO_DEFINE(net_stream, net_close)

/* As much as goes without waiting; *ret 0: nothing at present. What did not go is sent again, from its first byte on
 * (TLS has begun a record with it), more behind it perhaps. A closed peer is an error; what it said before it went can
 * still be received after sending has failed. */
bool net_send(struct net_stream *stream, struct slice bytes, size_t *ret, GError **error);
bool net_receive(struct net_stream *stream, void *into, size_t len, size_t *ret, GError **error);

enum net_ready { NET_READABLE = 1, NET_WRITABLE = 2 };

/* Several streams at once: wants[i] says for what (enum net_ready) streams[i] waits, 0 nothing; ret[i] what it is ready
 * for. Returns when at least one is. What TLS has buffered counts as readable. */
struct net_poll {
    struct net_stream *stream;
    unsigned wants, ready;
};
bool net_poll(const struct world *world, struct net_poll *polls, size_t n, const struct net_wait *wait, GError **error);
