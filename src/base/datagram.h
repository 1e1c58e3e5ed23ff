/* Datagrams to one place (UDP): sent and forgotten. Whoever does not listen is not waited for. One thread at a time. */
#pragma once

#include "base/auto.h"
#include "base/error.h"
#include "base/slice.h"

#define DATAGRAM_BYTES 1400u /* what fits a packet of the usual net, whole */

struct datagram;

/* HOST:PORT, [HOST]:PORT. USAGE where it is none, UNREACHABLE where the name is not known. */
bool datagram_open(struct datagram **ret, const char *place, GError **error) must_use;
void datagram_close(struct datagram *datagram); /* takes NULL */
AUTO_DEFINE(datagram, datagram_close)

/* UNREACHABLE where the system says that nobody is there: of an earlier one, mostly. */
bool datagram_send(struct datagram *datagram, struct slice bytes, GError **error);
