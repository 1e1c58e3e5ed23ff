#include "undo/format.h"

#include <stdio.h>

const struct blockfile_kind UNDO_KIND = {
    .magic = "SLUNDO1\n", .version = 1, .block_magic = 0x4f444e55, .sealed_as = "undo"};

enum {
    HEAD_LEN = 40,
    DIGEST_LEN = 16,
    ENTRY_MOST = 1 + VARINT_MOST + DIGEST_LEN + VARINT_MOST + VARINT_MOST, /* beside key and pre-image */
    ENTRY_LEAST = 1 + 1 + DIGEST_LEN,
    FLAG_PRE = 1,
    FLAG_DELETE = 2,
    PAYLOAD_MOST = 1 << 30, /* GLib counts with guint, and zstd needs room */
};

void undo_tag_put(const uint8_t uid[UNDO_UID_LEN], uint32_t segment, uint8_t into[UNDO_TAG_LEN])
{
    memcpy(into, uid, UNDO_UID_LEN);
    for (unsigned i = 0; i < sizeof segment; i++)
        into[UNDO_UID_LEN + i] = (uint8_t)(segment >> (8 * i));
}

const char *undo_segment_name(uint32_t segment, char into[UNDO_SEGMENT_TEXT])
{
    snprintf(into, UNDO_SEGMENT_TEXT, "%06u.undo", segment);
    return into;
}

void undo_head_put(const struct undo_head *head, GByteArray *into)
{
    put_u32(into, head->part);
    put_u32(into, head->lane);
    put_u64(into, head->first_number);
    put_u64(into, head->first_sequence);
    put_u32(into, head->count);
    put_u32(into, 0);
    put_u64(into, head->durable);
}

bool undo_head_get(struct slice bytes, struct undo_head *ret)
{
    if (bytes.len != HEAD_LEN)
        return false;
    struct reader reader = reader_of(bytes);
    struct undo_head head;
    uint64_t end;
    head.part = reader_u32(&reader);
    head.lane = reader_u32(&reader);
    head.first_number = reader_u64(&reader);
    head.first_sequence = reader_u64(&reader);
    head.count = reader_u32(&reader);
    reader_u32(&reader);
    head.durable = reader_u64(&reader);
    if (!int_add_u64(head.first_number, head.count, &end) || !int_add_u64(head.first_sequence, head.count, &end))
        return false;
    *ret = head;
    return true;
}

static uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t coded)
{
    return (int64_t)(coded >> 1 ^ (coded & 1 ? UINT64_MAX : 0));
}

static uint8_t *prefixed_at(uint8_t *into, struct slice bytes)
{
    into = int_put_varint(into, bytes.len);
    if (bytes.len)
        memcpy(into, bytes.data, bytes.len);
    return into + bytes.len;
}

/* There is room for all of it. Every write of a run passes here, hence no appending field by field. */
static uint8_t *entry_at(uint8_t *into, const struct undo_intent *intent)
{
    bool deletes = intent->verb == UNDO_DELETE;
    *into++ = (uint8_t)((intent->pre_present ? FLAG_PRE : 0) | (deletes ? FLAG_DELETE : 0));
    into = prefixed_at(into, intent->key);
    digest_put(intent->written, into);
    into += DIGEST_LEN;
    if (!intent->pre_present)
        return into;
    return prefixed_at(int_put_varint(into, zigzag(intent->pre_expires_at_ms)), intent->pre_raw);
}

bool undo_intents_put(const struct undo_intent *intents, size_t n, GByteArray *into, GError **error)
{
    size_t room = 0;
    for (size_t i = 0; i < n; i++) {
        if (intents[i].key.len > PAYLOAD_MOST || intents[i].pre_raw.len > PAYLOAD_MOST || room > PAYLOAD_MOST)
            return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of %zu pre-images is larger than an undo block", n);
        room += ENTRY_MOST + intents[i].key.len + intents[i].pre_raw.len;
    }
    if (room > PAYLOAD_MOST)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch of %zu pre-images is larger than an undo block", n);
    g_byte_array_set_size(into, (guint)room);
    uint8_t *at = into->data;
    for (size_t i = 0; i < n; i++)
        at = entry_at(at, &intents[i]);
    g_byte_array_set_size(into, (guint)(at - into->data));
    return true;
}

bool undo_payload_possible(const struct undo_head *head, struct slice payload)
{
    return head->count <= payload.len / ENTRY_LEAST;
}

struct undo_payload undo_payload_of(const struct undo_head *head, struct slice payload)
{
    return (struct undo_payload){.reader = reader_of(payload), .head = *head};
}

bool undo_payload_next(struct undo_payload *payload, struct undo_entry *ret)
{
    struct reader *reader = &payload->reader;
    if (payload->next == payload->head.count || !reader->ok)
        return false;
    uint8_t flags = reader_u8(reader);
    struct undo_entry entry = {
        .part = payload->head.part,
        .lane = payload->head.lane,
        .number = payload->head.first_number + payload->next,
        .sequence = payload->head.first_sequence + payload->next,
        .verb = flags & FLAG_DELETE ? UNDO_DELETE : UNDO_PUT,
        .state = UNDO_UNKNOWN,
        .pre_present = flags & FLAG_PRE,
    };
    entry.key = reader_prefixed(reader);
    struct slice written = reader_bytes(reader, DIGEST_LEN);
    if (entry.pre_present) {
        entry.pre_expires_at_ms = unzigzag(reader_varint(reader));
        entry.pre_raw = reader_prefixed(reader);
    }
    if (!reader->ok)
        return false;
    entry.written = digest_get(written.data);
    payload->next++;
    *ret = entry;
    return true;
}

bool undo_payload_whole(const struct undo_payload *payload)
{
    return payload->reader.ok && payload->next == payload->head.count && reader_left(&payload->reader) == 0;
}

bool undo_outcomes_whole(const struct undo_head *head, struct slice payload)
{
    return payload.len == ((uint64_t)head->count + 7) / 8;
}
