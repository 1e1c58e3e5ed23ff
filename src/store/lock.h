/* A dataset's lock as bytes: what stores keep of who may write.
 *
 *     version:u8  run_uid[16]  run:prefixed  host:prefixed  home:prefixed  checksum:u64 (XXH3-64 of all before it) */
#pragma once

#include "store/store.h"

void store_lock_encode(const struct store_lock *lock, GByteArray *into);
/* Whether a lock of that run keeps `wanted` out. */
bool store_lock_is_against(const struct store_lock *wanted, const uint8_t run_uid[16]);
/* Its texts are copies in `mem`. CORRUPT: damaged, or of a newer sluice; TOO_BIG. */
bool store_lock_decode(struct slice bytes, struct arena *mem, struct store_lock *ret, GError **error);
