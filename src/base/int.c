#include "base/int.h"

#include <limits.h>

struct reader reader_of(struct slice bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *data = bytes.data ? bytes.data : nothing;
    return (struct reader){.at = data, .end = data + bytes.len, .ok = true};
}

void reader_fail(struct reader *reader)
{
    reader->ok = false;
    reader->at = reader->end;
}

static uint64_t reader_fixed(struct reader *reader, size_t width)
{
    struct slice bytes = reader_bytes(reader, width);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.len; i++)
        value |= (uint64_t)bytes.data[i] << (8 * i);
    return value;
}

uint8_t reader_u8(struct reader *reader)
{
    return (uint8_t)reader_fixed(reader, 1);
}

uint16_t reader_u16(struct reader *reader)
{
    return (uint16_t)reader_fixed(reader, 2);
}

uint32_t reader_u32(struct reader *reader)
{
    return (uint32_t)reader_fixed(reader, 4);
}

uint64_t reader_u64(struct reader *reader)
{
    return reader_fixed(reader, 8);
}

int64_t reader_i64(struct reader *reader)
{
    return (int64_t)reader_fixed(reader, 8);
}

uint64_t reader_varint_long(struct reader *reader)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MOST; i++) {
        uint8_t byte = reader_u8(reader);
        if (!reader->ok)
            return 0;
        if (i == VARINT_MOST - 1 && byte > 1) /* the tenth byte has room for one bit, and ends the number */
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80)
            return value;
    }
    reader_fail(reader);
    return 0;
}

static void put_fixed(GByteArray *into, uint64_t value, unsigned width)
{
    uint8_t bytes[8];
    for (unsigned i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    g_byte_array_append(into, bytes, width);
}

void put_u8(GByteArray *into, uint8_t value)
{
    put_fixed(into, value, 1);
}

void put_u16(GByteArray *into, uint16_t value)
{
    put_fixed(into, value, 2);
}

void put_u32(GByteArray *into, uint32_t value)
{
    put_fixed(into, value, 4);
}

void put_u64(GByteArray *into, uint64_t value)
{
    put_fixed(into, value, 8);
}

void put_i64(GByteArray *into, int64_t value)
{
    put_fixed(into, (uint64_t)value, 8);
}

uint8_t *int_put_u64(uint8_t *into, uint64_t value)
{
    uint64_t fixed = GUINT64_TO_LE(value);
    memcpy(into, &fixed, sizeof fixed);
    return into + sizeof fixed;
}

uint8_t *int_put_u32(uint8_t *into, uint32_t value)
{
    uint32_t fixed = GUINT32_TO_LE(value);
    memcpy(into, &fixed, sizeof fixed);
    return into + sizeof fixed;
}

uint8_t *int_put_varint(uint8_t *into, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *into++ = (uint8_t)(value | 0x80);
    *into++ = (uint8_t)value;
    return into;
}

uint8_t *int_put_decimal(uint8_t *into, int64_t value)
{
    uint8_t digits[DECIMAL_MOST];
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    size_t n = 0;
    do {
        digits[n++] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *into++ = '-';
    while (n > 0)
        *into++ = digits[--n];
    return into;
}

void put_varint(GByteArray *into, uint64_t value)
{
    uint8_t bytes[VARINT_MOST];
    g_byte_array_append(into, bytes, (guint)(int_put_varint(bytes, value) - bytes));
}

void put_bytes(GByteArray *into, struct slice bytes)
{
    g_assert(bytes.len <= UINT_MAX - into->len); /* GLib counts with guint */
    if (bytes.len)
        g_byte_array_append(into, bytes.data, (guint)bytes.len);
}

void put_prefixed(GByteArray *into, struct slice bytes)
{
    put_varint(into, bytes.len);
    put_bytes(into, bytes);
}

bool int_to_u32(uint64_t value, uint32_t *ret)
{
    if (value > UINT32_MAX)
        return false;
    *ret = (uint32_t)value;
    return true;
}

bool int_to_i64(uint64_t value, int64_t *ret)
{
    if (value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

bool int_add_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
    uint64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *ret = sum;
    return true;
}

bool int_mul_u64(uint64_t a, uint64_t b, uint64_t *ret)
{
    uint64_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *ret = product;
    return true;
}

bool int_parse_u64(struct slice text, uint64_t *ret)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        bool digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (!digit || !int_mul_u64(value, 10, &value) || !int_add_u64(value, text.data[i] - (uint64_t)'0', &value))
            return false;
    }
    if (text.len == 0)
        return false;
    *ret = value;
    return true;
}

bool int_parse_i64(struct slice text, int64_t *ret)
{
    bool negative = text.len > 0 && text.data[0] == '-';
    if (negative)
        text = slice_of(text.data + 1, text.len - 1);
    uint64_t size;
    if (!int_parse_u64(text, &size) || size > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}
