/* The other side of a connection, for one test: listens on loopback in a thread of its own and gives one connection
 * after the other to the test's function. What it reads and says blocks; peer_stop() ends whatever it waits for. */
#pragma once

#include "base/slice.h"
#include "base/thread.h"

struct peer;

/* `serve` returns when it is done with the connection; it is closed then. `self` is for peer_self(). */
struct peer *peer_start(void (*serve)(struct peer *peer, int fd), void *self);
void peer_stop(struct peer *peer); /* takes NULL */
AUTO_DEFINE(peer, peer_stop)

uint16_t peer_port(const struct peer *peer);
void *peer_self(const struct peer *peer);
size_t peer_served(struct peer *peer); /* connections taken so far */

/* false: the other side is gone. */
bool peer_say(int fd, struct slice bytes);
bool peer_say_text(int fd, const char *text);
/* Each byte alone. */
bool peer_say_slowly(int fd, struct slice bytes);
bool peer_read(int fd, void *into, size_t len);
/* A command of RESP, its arguments joined by blanks; NULL: the other side is gone. The caller frees. */
char *peer_command(int fd);
/* Closing the connection from now on resets it. */
void peer_will_reset(int fd);
