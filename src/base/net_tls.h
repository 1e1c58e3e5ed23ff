/* TLS for a stream of net.c, by OpenSSL over the world's send() and recv(). Only net.c calls this. */
#pragma once

#include "base/net.h"

/* Where the bytes go. The stream owns it; it stays where it is. */
struct net_wire {
    const struct world *world;
    int fd;
    int fault;   /* errno of the call that failed; 0: none did */
    bool closed; /* the other side has */
};

struct net_tls_link;

/* Reads the files of `tls`; nothing is sent. What is wrong with them is NOT_PERMITTED and names the file. */
bool net_tls_new(struct net_tls_link **ret, const struct net_place *place, struct net_wire *wire, GError **error);
void net_tls_free(struct net_tls_link *link); /* says good-bye where that goes without waiting; takes NULL */

/* Each goes as far as it can without waiting. *ret_event is then what poll() has to wait for before it is worth calling
 * again, 0: it went to the end of what was asked. *ret_event is untouched on failure. */
bool net_tls_shake(struct net_tls_link *link, short *ret_event, GError **error);
/* Called again, it must be with the same bytes, more of them perhaps, wherever they lie by then. */
bool net_tls_send(struct net_tls_link *link, struct slice bytes, size_t *ret, short *ret_event, GError **error);
bool net_tls_receive(struct net_tls_link *link, void *into, size_t len, size_t *ret, short *ret_event, GError **error);

/* Why the wire carries no more, as an error. */
bool net_wire_fail(const struct net_wire *wire, GError **error);
