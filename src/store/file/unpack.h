/* Inside store/file/: gzip and zstd, of several members or frames, a piece at a time. */
#pragma once

#include "base/auto.h"
#include "base/error.h"
#include "base/slice.h"
#include "store/file/format.h"

struct unpacker;

struct unpacker *unpacker_new(enum file_packing packing);
void unpacker_free(struct unpacker *unpacker);
AUTO_DEFINE(unpacker, unpacker_free)

/* Takes from the front of *io_from and writes to `into`; *ret_len is how much. At least one of the two moves on, while
 * there is input or output left to give. false: *ret_what is what is wrong, at the front of *io_from. */
bool unpacker_step(struct unpacker *unpacker, struct slice *io_from, uint8_t *into, size_t len, size_t *ret_len,
                   const char **ret_what);

/* After the last input: whether an archive may end there. */
bool unpacker_complete(const struct unpacker *unpacker);
