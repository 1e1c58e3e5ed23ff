#include "storehost/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum { LOOK_MS = 20, HEAD_BYTES = 4 };

/* --- messages ----------------------------------------------------------------------------------------------------- */

static bool gone(GError **error)
{
    return error_set(error, SLUICE_ERROR_UNREACHABLE, "the other side of the socket is gone");
}

static bool send_all(int fd, const uint8_t *at, size_t len, GError **error)
{
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return gone(error);
        at += sent;
        len -= (size_t)sent;
    }
    return true;
}

bool wire_send(int fd, const GByteArray *body, GError **error)
{
    g_autoptr(GByteArray) head = g_byte_array_new();
    put_u32(head, body->len);
    return send_all(fd, head->data, head->len, error) && send_all(fd, body->data, body->len, error);
}

static bool wait_for_more(int fd, const struct wire_wait *wait, GError **error)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    for (;;) {
        int ready = poll(&poll_fd, 1, wait->goes_on ? LOOK_MS : -1);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return gone(error);
        if (wait->goes_on && !wait->goes_on(wait->user, error))
            return false;
    }
}

static bool receive_all(int fd, const struct wire_wait *wait, uint8_t *at, size_t len, GError **error)
{
    while (len > 0) {
        if (!wait_for_more(fd, wait, error))
            return false;
        ssize_t got = recv(fd, at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return gone(error);
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool wire_receive(int fd, const struct wire_wait *wait, GByteArray *into, GError **error)
{
    uint8_t head[HEAD_BYTES];
    if (!receive_all(fd, wait, head, sizeof(head), error))
        return false;
    struct reader from = reader_of(slice_of(head, sizeof(head)));
    uint32_t len = reader_u32(&from);
    if (len > WIRE_BYTES)
        return error_set(error, SLUICE_ERROR_CORRUPT, "a message of %u bytes: that is no storehost", len);
    g_byte_array_set_size(into, len);
    return receive_all(fd, wait, into->data, len, error);
}

/* --- small things ---------------------------------------------------------------------------------------------------
 */

size_t wire_get_count(struct reader *from, size_t least)
{
    uint64_t n = reader_varint(from);
    if (n > reader_left(from) / least)
        from->ok = false;
    return from->ok ? (size_t)n : 0;
}

void wire_put_text(GByteArray *into, const char *text)
{
    put_u8(into, text != NULL);
    put_prefixed(into, text ? slice_of_text(text) : SLICE_EMPTY);
}

const char *wire_get_text(struct reader *from, struct arena *mem)
{
    bool there = reader_u8(from);
    struct slice text = reader_prefixed(from);
    return from->ok && there ? arena_text(mem, text) : NULL;
}

void wire_put_error(GByteArray *into, const GError *error)
{
    put_u8(into, error == NULL);
    if (!error)
        return;
    put_u32(into, error->domain == SLUICE_ERROR ? (uint32_t)error->code : (uint32_t)SLUICE_ERROR_INTERNAL);
    put_prefixed(into, slice_of_text(error->message));
}

void wire_get_error(struct reader *from, GError **error)
{
    if (reader_u8(from) || !from->ok)
        return;
    uint32_t code = reader_u32(from);
    struct slice text = reader_prefixed(from);
    g_autofree char *message = g_strndup((const char *)text.data, text.len);
    if (from->ok)
        error_set(error, code < SLUICE_ERROR_COUNT ? (enum error_code)code : SLUICE_ERROR_INTERNAL, "%s", message);
}

static void put_etag(GByteArray *into, const struct etag *etag)
{
    put_prefixed(into, slice_of(etag->bytes, etag->len));
}

static struct etag get_etag(struct reader *from)
{
    struct etag etag = {.len = 0};
    struct slice bytes = reader_prefixed(from);
    if (bytes.len > sizeof(etag.bytes))
        from->ok = false;
    if (!from->ok || !bytes.len)
        return etag;
    etag.len = (uint8_t)bytes.len;
    memcpy(etag.bytes, bytes.data, bytes.len);
    return etag;
}

static void put_fault(GByteArray *into, const struct fault *fault)
{
    put_u32(into, (uint32_t)fault->code);
    wire_put_text(into, fault->text);
}

static struct fault get_fault(struct reader *from, struct arena *mem)
{
    uint32_t code = reader_u32(from);
    const char *text = wire_get_text(from, mem);
    bool known = code < SLUICE_ERROR_COUNT;
    return (struct fault){.code = known ? (enum error_code)code : SLUICE_ERROR_INTERNAL,
                          .text = text ? text : "a fault"};
}

/* --- records --------------------------------------------------------------------------------------------------------
 */

void wire_put_record(GByteArray *into, const struct record *record)
{
    put_prefixed(into, record->key);
    put_u8(into, (uint8_t)record->presence);
    put_prefixed(into, record->raw);
    put_etag(into, &record->etag);
    put_i64(into, record->expires_at_ms);
    if (record->presence == RECORD_FAULT)
        put_fault(into, &record->fault);
}

void wire_get_record(struct reader *from, struct record *ret, struct arena *mem)
{
    *ret = (struct record){.key = reader_prefixed(from)};
    uint8_t presence = reader_u8(from);
    if (presence > RECORD_FAULT)
        from->ok = false;
    ret->presence = (enum presence)presence;
    ret->raw = reader_prefixed(from);
    ret->etag = get_etag(from);
    ret->expires_at_ms = reader_i64(from);
    if (ret->presence == RECORD_FAULT)
        ret->fault = get_fault(from, mem);
}

/* --- fences ---------------------------------------------------------------------------------------------------------
 */

void wire_put_fence_id(GByteArray *into, const struct fence_id *id)
{
    put_bytes(into, slice_of(id->run, sizeof(id->run)));
    put_u32(into, id->part);
}

struct fence_id wire_get_fence_id(struct reader *from)
{
    struct fence_id id = {.part = 0};
    struct slice run = reader_bytes(from, sizeof(id.run));
    if (from->ok)
        memcpy(id.run, run.data, sizeof(id.run));
    id.part = reader_u32(from);
    return id;
}

void wire_put_lane(GByteArray *into, const struct lane *lane)
{
    wire_put_fence_id(into, &lane->fence);
    put_u32(into, lane->lane);
    put_u64(into, lane->base);
    put_prefixed(into, lane->near);
}

struct lane wire_get_lane(struct reader *from)
{
    struct lane lane = {.fence = wire_get_fence_id(from)};
    lane.lane = reader_u32(from);
    lane.base = reader_u64(from);
    lane.near = reader_prefixed(from);
    return lane;
}

void wire_put_fence(GByteArray *into, const struct fence *fence)
{
    put_u8(into, fence->present);
    put_u32(into, fence->highest);
    put_varint(into, fence->n);
    for (size_t i = 0; i < fence->n; i++) {
        put_u32(into, fence->lanes[i].lane);
        put_u8(into, fence->lanes[i].open);
        put_u64(into, fence->lanes[i].base);
        put_prefixed(into, fence->lanes[i].bitmap);
    }
}

bool wire_get_fence(struct reader *from, struct arena *mem, struct fence *ret, GError **error)
{
    enum { LANE_LEAST = 14 };
    struct fence fence = {.present = reader_u8(from)};
    fence.highest = reader_u32(from);
    fence.n = wire_get_count(from, LANE_LEAST);
    fence.lanes = arena_alloc(mem, fence.n * sizeof(*fence.lanes));
    bool fits = fence.lanes || !fence.n;
    for (size_t i = 0; i < fence.n && fits; i++) {
        struct fence_lane *lane = &fence.lanes[i];
        *lane = (struct fence_lane){.lane = reader_u32(from)};
        lane->open = reader_u8(from);
        lane->base = reader_u64(from);
        fits = arena_copy(mem, reader_prefixed(from), &lane->bitmap);
    }
    if (!fits)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the fence does not fit into the memory of the call");
    *ret = fence;
    return true;
}

/* --- writes
 * ----------------------------------------------------------------------------------------------------------- */

void wire_put_op(GByteArray *into, const struct cas_op *op)
{
    put_prefixed(into, op->key);
    put_prefixed(into, op->raw);
    put_etag(into, &op->etag);
    put_i64(into, op->expires_at_ms);
    put_u64(into, op->number);
    put_u8(into, (uint8_t)op->verb);
}

void wire_get_op(struct reader *from, struct cas_op *ret)
{
    *ret = (struct cas_op){.key = reader_prefixed(from)};
    ret->raw = reader_prefixed(from);
    ret->etag = get_etag(from);
    ret->expires_at_ms = reader_i64(from);
    ret->number = reader_u64(from);
    uint8_t verb = reader_u8(from);
    if (verb > CAS_DELETE)
        from->ok = false;
    ret->verb = (enum cas_verb)verb;
}

void wire_put_outcome(GByteArray *into, const struct cas_op *op)
{
    put_u8(into, (uint8_t)op->outcome);
    if (op->outcome == CAS_CHANGED)
        wire_put_record(into, &op->live);
    if (op->outcome == CAS_REFUSED)
        put_fault(into, &op->fault);
}

void wire_get_outcome(struct reader *from, struct cas_op *io, struct arena *mem)
{
    uint8_t outcome = reader_u8(from);
    if (outcome > CAS_UNKNOWN)
        from->ok = false;
    if (from->ok && outcome == CAS_CHANGED)
        wire_get_record(from, &io->live, mem);
    if (from->ok && outcome == CAS_REFUSED)
        io->fault = get_fault(from, mem);
    if (from->ok)
        io->outcome = (enum cas_outcome)outcome;
}

void wire_put_lock(GByteArray *into, const struct store_lock *lock)
{
    put_bytes(into, slice_of(lock->run_uid, sizeof(lock->run_uid)));
    wire_put_text(into, lock->run);
    wire_put_text(into, lock->host);
    wire_put_text(into, lock->home);
    put_bytes(into, slice_of(lock->over_uid, sizeof(lock->over_uid)));
}

void wire_get_lock(struct reader *from, struct arena *mem, struct store_lock *ret)
{
    struct slice uid = reader_bytes(from, sizeof(ret->run_uid));
    if (from->ok)
        memcpy(ret->run_uid, uid.data, sizeof(ret->run_uid));
    ret->run = wire_get_text(from, mem);
    ret->host = wire_get_text(from, mem);
    ret->home = wire_get_text(from, mem);
    uid = reader_bytes(from, sizeof(ret->over_uid));
    if (from->ok)
        memcpy(ret->over_uid, uid.data, sizeof(ret->over_uid));
}
