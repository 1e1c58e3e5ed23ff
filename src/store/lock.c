#include "store/lock.h"

#include <xxhash.h>

#include "base/int.h"

enum { LOCK_VERSION = 1, RUN_UID = 16, CHECKSUM_BYTES = 8 };

void store_lock_encode(const struct store_lock *lock, GByteArray *into)
{
    put_u8(into, LOCK_VERSION);
    put_bytes(into, slice_of(lock->run_uid, RUN_UID));
    put_prefixed(into, slice_of_text(lock->run));
    put_prefixed(into, slice_of_text(lock->host));
    put_prefixed(into, slice_of_text(lock->home));
    put_u64(into, XXH3_64bits(into->data, into->len));
}

bool store_lock_is_against(const struct store_lock *wanted, const uint8_t run_uid[16])
{
    static const uint8_t NOBODY[RUN_UID] = {0};
    bool over = memcmp(run_uid, wanted->over_uid, RUN_UID) == 0 && memcmp(run_uid, NOBODY, RUN_UID) != 0;
    return !over && memcmp(run_uid, wanted->run_uid, RUN_UID) != 0;
}

bool store_lock_decode(struct slice bytes, struct arena *mem, struct store_lock *ret, GError **error)
{
    struct reader from = reader_of(bytes);
    uint8_t version = reader_u8(&from);
    struct slice uid = reader_bytes(&from, RUN_UID);
    struct slice run = reader_prefixed(&from), host = reader_prefixed(&from), home = reader_prefixed(&from);
    uint64_t sum = reader_u64(&from);
    if (!from.ok || reader_left(&from) || version != LOCK_VERSION ||
        sum != XXH3_64bits(bytes.data, bytes.len - CHECKSUM_BYTES))
        return error_set(error, SLUICE_ERROR_CORRUPT,
                         "the lock is damaged or of a newer sluice; --force-unlock removes it");
    memcpy(ret->run_uid, uid.data, RUN_UID);
    ret->run = arena_text(mem, run);
    ret->host = arena_text(mem, host);
    ret->home = arena_text(mem, home);
    if (ret->run && ret->host && ret->home)
        return true;
    return error_set(error, SLUICE_ERROR_TOO_BIG, "the lock's holder does not fit into the memory of the call");
}
