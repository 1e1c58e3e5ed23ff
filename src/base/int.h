/* Every integer from a wire or a disk passes here; no cast narrows except through these. */
#pragma once

#include "base/auto.h"
#include "base/error.h"
#include "base/slice.h"

/* A checked cursor over bytes. After the first read past the end `ok` is false, and every later read gives zero: a
 * decoder may read a whole structure and ask once. */
struct reader {
    const uint8_t *at, *end;
    bool ok;
};

struct reader reader_of(struct slice bytes);
uint8_t reader_u8(struct reader *reader);
uint16_t reader_u16(struct reader *reader); /* fixed widths are little-endian */
uint32_t reader_u32(struct reader *reader);
uint64_t reader_u64(struct reader *reader);
int64_t reader_i64(struct reader *reader);
uint64_t reader_varint_long(struct reader *reader); /* of more than one byte, or none */
/* LEB128, at most 10 bytes, shortest form not required. Lengths are short: a listing has two of them a key. */
static inline uint64_t reader_varint(struct reader *reader)
{
    return reader->ok && reader->at < reader->end && *reader->at < 0x80 ? *reader->at++ : reader_varint_long(reader);
}
void reader_fail(struct reader *reader);

static inline size_t reader_left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static inline struct slice reader_bytes(struct reader *reader, uint64_t len)
{
    if (!reader->ok || len > reader_left(reader)) {
        reader_fail(reader);
        return SLICE_EMPTY;
    }
    struct slice bytes = slice_of(reader->at, (size_t)len);
    reader->at += len;
    return bytes;
}

/* varint length, then bytes */
static inline struct slice reader_prefixed(struct reader *reader)
{
    return reader_bytes(reader, reader_varint(reader));
}

/* A growing byte buffer (GByteArray underneath) with the matching writers. */
void put_u8(GByteArray *into, uint8_t value);
void put_u16(GByteArray *into, uint16_t value);
void put_u32(GByteArray *into, uint32_t value);
void put_u64(GByteArray *into, uint64_t value);
void put_i64(GByteArray *into, int64_t value);
void put_varint(GByteArray *into, uint64_t value);
/* Where there is room for 8 and 4 bytes, for VARINT_MOST; each returns what follows them. */
uint8_t *int_put_u64(uint8_t *into, uint64_t value);
uint8_t *int_put_u32(uint8_t *into, uint32_t value);
#define VARINT_MOST 10
uint8_t *int_put_varint(uint8_t *into, uint64_t value);
/* Decimal, where there is room for DECIMAL_MOST bytes; returns what follows it. */
#define DECIMAL_MOST 20
uint8_t *int_put_decimal(uint8_t *into, int64_t value);
void put_bytes(GByteArray *into, struct slice bytes);
void put_prefixed(GByteArray *into, struct slice bytes);

/* Narrowing. false, with *ret untouched, when the value does not fit. */
bool int_to_u32(uint64_t value, uint32_t *ret) must_use;
bool int_to_i64(uint64_t value, int64_t *ret) must_use;

/* Decimal text of the whole slice, no sign for u64, no blanks. */
bool int_parse_u64(struct slice text, uint64_t *ret) must_use;
bool int_parse_i64(struct slice text, int64_t *ret) must_use;

bool int_add_u64(uint64_t a, uint64_t b, uint64_t *ret) must_use;
bool int_mul_u64(uint64_t a, uint64_t b, uint64_t *ret) must_use;
