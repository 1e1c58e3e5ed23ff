#include "store/valkey/marks.h"

#include "base/int.h"

static bool no_marks(const char *why, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "a field of the fence holds no marks: %s", why);
}

bool marks_read(struct slice field, struct marks *ret, GError **error)
{
    if (field.len < MARKS_LEAST_BYTES || (field.len - MARKS_LEAST_BYTES) % MARKS_PAIR_BYTES)
        return no_marks("its length is wrong", error);
    struct reader from = reader_of(field);
    struct marks marks = {.lane = reader_u32(&from), .count = reader_u32(&from), .base = reader_u32(&from)};
    marks.pairs = reader_bytes(&from, reader_left(&from));
    uint64_t above = 0;
    for (size_t i = 0; i < marks_pairs(&marks); i++) {
        uint32_t first, last;
        marks_pair(&marks, i, &first, &last);
        if (first <= above || last < first)
            return no_marks("its numbers do not ascend", error);
        above = last;
    }
    *ret = marks;
    return true;
}

size_t marks_pairs(const struct marks *marks)
{
    return marks->pairs.len / MARKS_PAIR_BYTES;
}

void marks_pair(const struct marks *marks, size_t i, uint32_t *ret_first, uint32_t *ret_last)
{
    struct reader from = reader_of(slice_of(marks->pairs.data + i * MARKS_PAIR_BYTES, MARKS_PAIR_BYTES));
    *ret_first = reader_u32(&from);
    *ret_last = reader_u32(&from);
}

static uint8_t *little(uint32_t value, uint8_t *into)
{
    for (unsigned i = 0; i < sizeof value; i++)
        *into++ = (uint8_t)(value >> (8 * i));
    return into;
}

void marks_head(uint32_t lane, uint32_t count, uint8_t into[MARKS_HEAD_BYTES])
{
    little(count, little(lane, into));
}

void marks_begin(uint32_t lane, uint32_t count, uint32_t base, uint8_t into[MARKS_LEAST_BYTES])
{
    marks_head(lane, count, into);
    little(base, into + MARKS_HEAD_BYTES);
}
