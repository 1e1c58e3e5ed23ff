/* Which keys were ever put into a column family that this process has made: a Bloom filter in blocks of one cache line
 * (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters, 2007).
 *
 * A database is open in one process only, so whatever the filter does not know is not there, and a load into a new
 * dataset need not search all tables for each of its keys. Of fixed size; beyond the number of keys for which it pays
 * it knows nothing any more. From any thread: a key is noted before it is written, and asked for under its latch. */
#pragma once

#include <stdatomic.h>

#include "base/auto.h"
#include "base/slice.h"

struct put_keys;

struct put_keys *put_keys_new(void);
void put_keys_free(struct put_keys *keys);
AUTO_DEFINE(put_keys, put_keys_free)

void put_keys_note(struct put_keys *keys, struct slice key);
/* true: it was never put. */
bool put_keys_lack(struct put_keys *keys, struct slice key);
