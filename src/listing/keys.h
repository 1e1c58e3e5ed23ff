/* Inside listing/: sorted keys one behind the other, each written as what it shares with the one before it and the
 * rest: shared:varint rest:bytes. */
#pragma once

#include "base/blockfile.h"
#include "base/int.h"

extern const struct blockfile_kind listing_kind;

/* `io_last` is the key before it, empty at the beginning; afterwards it is this one. */
void keys_put(GByteArray *into, GByteArray *io_last, struct slice key);
/* The next key: so many bytes of the one before it, and these. false: the bytes are none. */
bool keys_part(struct reader *reader, size_t last_len, size_t *ret_shared, struct slice *ret_rest) must_use;
/* The next key becomes *io_last. false: the bytes are none. */
bool keys_read(struct reader *reader, GByteArray *io_last) must_use;
