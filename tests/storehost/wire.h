/* What a storehost and its clients say to each other on a Unix socket, and how each side reads it with distrust.
 *
 *     message = len:u32 body          at most WIRE_BYTES
 *     request = version:u8 op:u8 call …          call = dataset:prefixed form:u8 shadow:prefixed
 *                                                          left_us:u64 (0: no deadline)
 *     reply   = version:u8 ok:u8 [code:u32 message:prefixed] …      brackets: where ok is 0
 *
 * What follows is the op's (wire_put_…, wire_get_…). After a failure a reply still has what is valid then: the outcomes
 * of a cas, the holder of a lock. Slices that are read borrow from the message. */
#pragma once

#include "base/int.h"
#include "store/store.h"

#define WIRE_BYTES   (256u << 20)
#define WIRE_VERSION 4

enum wire_op {
    WIRE_INSPECT,
    WIRE_SPLIT,
    WIRE_SCAN_OPEN,
    WIRE_SCAN_NEXT,
    WIRE_SCAN_CLOSE,
    WIRE_READ,
    WIRE_CAS,
    WIRE_SETTLE,
    WIRE_LANE_OPEN,
    WIRE_FENCE_READ,
    WIRE_FENCE_DROP,
    WIRE_LOCK,
    WIRE_UNLOCK,
    WIRE_END_MARK,
    WIRE_END_READ,
    WIRE_SHADOW_DROP,
    WIRE_OPS,
};

/* One message, whole. A peer that is gone is UNREACHABLE; one that announces too much, CORRUPT. While nothing comes,
 * `goes_on` is asked several times a second and may end the waiting with its error. */
struct wire_wait {
    bool (*goes_on)(void *user, GError **error); /* NULL: waits as long as it takes */
    void *user;
};
bool wire_send(int fd, const GByteArray *body, GError **error);
bool wire_receive(int fd, const struct wire_wait *wait, GByteArray *into, GError **error);

void wire_put_text(GByteArray *into, const char *text); /* NULL is told from "" */
/* In the arena, for a text must end with a NUL. */
const char *wire_get_text(struct reader *from, struct arena *mem);

void wire_put_error(GByteArray *into, const GError *error);
void wire_get_error(struct reader *from, GError **error);

void wire_put_record(GByteArray *into, const struct record *record);
void wire_get_record(struct reader *from, struct record *ret, struct arena *mem);

void wire_put_lane(GByteArray *into, const struct lane *lane);
struct lane wire_get_lane(struct reader *from);
void wire_put_fence_id(GByteArray *into, const struct fence_id *id);
struct fence_id wire_get_fence_id(struct reader *from);
void wire_put_fence(GByteArray *into, const struct fence *fence);
/* In the arena; false (TOO_BIG) when it does not fit. */
bool wire_get_fence(struct reader *from, struct arena *mem, struct fence *ret, GError **error);

/* What the client asks for, and what came of it. */
void wire_put_op(GByteArray *into, const struct cas_op *op);
void wire_get_op(struct reader *from, struct cas_op *ret);
void wire_put_outcome(GByteArray *into, const struct cas_op *op);
void wire_get_outcome(struct reader *from, struct cas_op *io, struct arena *mem);

void wire_put_lock(GByteArray *into, const struct store_lock *lock);
void wire_get_lock(struct reader *from, struct arena *mem, struct store_lock *ret);

/* How many items may follow, each at least `least` bytes: a count is not believed further than the message reaches. */
size_t wire_get_count(struct reader *from, size_t least);
