/* One connection to one server: handshake, commands out, replies in, in order. One thread at a time.
 *
 * Commands are queued by conn_put() and go out while replies are waited for, so that a pipeline of any length cannot
 * lock up. A reply borrows from the connection's buffer: it and its slices are valid until the next conn_next().
 * Memory: the queued output, and one receive buffer that is as large as the largest reply at hand, given back when it
 * was large. Cost of a small command and its reply at a depth of 512: no allocation, a share of one send() and of a few
 * recv() and poll(), 0.2 µs of the processor (bench/pipeline.c).
 *
 * What a server says before it goes is heard, also when nothing can be sent to it any more. An answer that nobody asked
 * for breaks the connection; an error that comes so is the reply of the first who waits, and nothing else is sent. */
#pragma once

#include "base/net.h"
#include "store/store.h"
#include "store/valkey/resp.h"
#include "store/valkey/uri.h"

struct conn;

/* Connects and shakes hands: HELLO with AUTH and SETNAME (`sluice-RUNNER`), RESP2 with AUTH where the server has no
 * HELLO; SELECT where the URI has a db. Errors: NOT_PERMITTED (WRONGPASS, NOAUTH, NOPERM: says what to check), BUSY
 * (LOADING, too many clients), UNREACHABLE, TIMED_OUT. */
bool conn_open(struct conn **ret, const struct world *world, const struct valkey_uri *uri, const struct valkey_host *at,
               const struct net_wait *wait, GError **error);
void conn_close(struct conn *conn); /* takes NULL */
AUTO_DEFINE(conn, conn_close)

const struct valkey_host *conn_host(const struct conn *conn);
bool conn_broken(const struct conn *conn); /* after an error: only conn_close() may follow */

void conn_put(struct conn *conn, const struct slice *args, size_t n);
size_t conn_waiting(const struct conn *conn); /* replies still to come */
/* Of those, how many may have reached the server: the first so many; the rest has not been handed to the system. */
size_t conn_sent(const struct conn *conn);

/* A command one of whose arguments comes in parts, which are sent as they come: those before it, how long it is, and
 * how many follow it; then that many bytes in parts; then the others. Nothing may wait for a reply before. Memory: a
 * part and a little more. */
void conn_put_head(struct conn *conn, const struct slice *args, size_t n, uint64_t len, size_t n_behind);
bool conn_put_part(struct conn *conn, const struct net_wait *wait, struct slice part, GError **error);
void conn_put_behind(struct conn *conn, const struct slice *args, size_t n);

/* Sends what goes without waiting. */
bool conn_push(struct conn *conn, GError **error);
/* The next reply if it is whole without waiting, else *ret_there false. */
bool conn_try(struct conn *conn, struct reply *ret, bool *ret_there, GError **error);
/* Waits for it. */
bool conn_next(struct conn *conn, const struct net_wait *wait, struct reply *ret, GError **error);
/* What to poll for, so that several connections can be waited for together. */
struct net_poll conn_poll(struct conn *conn);

/* One command and its reply; an error reply is a reply. */
bool conn_call(struct conn *conn, const struct net_wait *wait, const struct slice *args, size_t n, struct reply *ret,
               GError **error);
