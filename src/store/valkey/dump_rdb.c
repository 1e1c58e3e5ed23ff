/* What RDB is made of: https://rdb.fnordig.de/file_format.html, and rdb.c, listpack.c and lzf_d.c of the servers. */
#include "store/valkey/dump_parts.h"

bool dump_fail(struct dump *dump)
{
    dump->at.ok = false;
    dump->at.at = dump->at.end;
    return false;
}

void *dump_alloc(struct dump *dump, size_t len)
{
    void *at = arena_alloc(dump->mem, len);
    if (!at) {
        dump->full = true;
        dump_fail(dump);
    }
    return at;
}

static uint64_t big_endian(const uint8_t *at, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | at[i];
    return value;
}

uint64_t dump_u64_be(const uint8_t *at)
{
    return big_endian(at, 8);
}

static uint64_t read_be(struct dump *dump, size_t width)
{
    struct slice bytes = reader_bytes(&dump->at, width);
    return dump->at.ok ? big_endian(bytes.data, width) : 0;
}

/* The two high bits of a length's first byte say what follows; 3: no length, but the number of an encoding. */
static uint64_t length(struct dump *dump, bool *ret_encoding)
{
    uint8_t first = reader_u8(&dump->at);
    *ret_encoding = first >> 6 == 3;
    switch (first >> 6) {
    case 0:
    case 3:
        return first & 0x3f;
    case 1:
        return (uint64_t)(first & 0x3f) << 8 | reader_u8(&dump->at);
    default:
        if (first == 0x80 || first == 0x81)
            return read_be(dump, first == 0x80 ? 4 : 8);
        return dump_fail(dump);
    }
}

uint64_t dump_len(struct dump *dump)
{
    bool encoding;
    uint64_t len = length(dump, &encoding);
    return encoding ? dump_fail(dump) : len;
}

/* LZF: a byte below 32 begins a run of so many and one bytes; any other a copy of what was written before: three bits
 * of length, thirteen of distance. */
static bool expand(struct slice packed, uint8_t *into, size_t len)
{
    struct reader at = reader_of(packed);
    size_t n = 0;
    while (reader_left(&at)) {
        size_t first = reader_u8(&at);
        if (first < 32) {
            struct slice run = reader_bytes(&at, first + 1);
            if (!at.ok || run.len > len - n)
                return false;
            memcpy(into + n, run.data, run.len);
            n += run.len;
            continue;
        }
        size_t copied = (first >> 5) + 2;
        if (copied == 9)
            copied += reader_u8(&at);
        size_t back = ((first & 0x1f) << 8 | reader_u8(&at)) + 1;
        if (!at.ok || back > n || copied > len - n)
            return false;
        for (size_t some; copied > 0; copied -= some, n += some) { /* what it writes may be what it copies next */
            some = MIN(copied, back);
            if (back == 1)
                memset(into + n, into[n - 1], some = copied);
            else
                memcpy(into + n, into + n - back, some);
        }
    }
    return at.ok && n == len;
}

static struct slice integer_text(struct dump *dump, int64_t value)
{
    enum { ROOM = 24 };
    char *text = dump_alloc(dump, ROOM);
    if (!text)
        return SLICE_EMPTY;
    return slice_of(text, (size_t)g_snprintf(text, ROOM, "%" G_GINT64_FORMAT, value));
}

static int64_t little_signed(struct reader *at, size_t width)
{
    struct slice bytes = reader_bytes(at, width);
    uint64_t value = 0;
    if (!at->ok)
        return 0;
    for (size_t i = 0; i < width; i++)
        value |= (uint64_t)bytes.data[i] << (8 * i);
    uint64_t sign = UINT64_C(1) << (8 * width - 1);
    return (int64_t)((value ^ sign) - sign);
}

struct slice dump_integer(struct dump *dump, size_t width)
{
    return integer_text(dump, little_signed(&dump->at, width));
}

double dump_score(struct slice bytes)
{
    uint64_t bits;
    double score;
    memcpy(&bits, bytes.data, sizeof bits);
    bits = GUINT64_FROM_LE(bits);
    memcpy(&score, &bits, sizeof score);
    return score;
}

static struct slice expanded(struct dump *dump)
{
    uint64_t packed = dump_len(dump), len = dump_len(dump);
    struct slice bytes = packed <= reader_left(&dump->at) ? reader_bytes(&dump->at, (size_t)packed) : SLICE_EMPTY;
    uint8_t *into = dump->at.ok ? dump_alloc(dump, (size_t)len) : NULL;
    if (!into || bytes.len != packed || !expand(bytes, into, (size_t)len)) {
        dump_fail(dump);
        return SLICE_EMPTY;
    }
    return slice_of(into, (size_t)len);
}

struct slice dump_string(struct dump *dump)
{
    enum { LZF = 3 };
    bool encoding;
    uint64_t len = length(dump, &encoding);
    if (encoding && len < LZF)
        return dump_integer(dump, (size_t)1 << len);
    if (encoding && len == LZF)
        return expanded(dump);
    if (encoding || len > reader_left(&dump->at)) {
        dump_fail(dump);
        return SLICE_EMPTY;
    }
    return reader_bytes(&dump->at, (size_t)len);
}

/* --- listpacks ---------------------------------------------------------------------------------------------------- */

enum { LISTPACK_HEAD = 6, LISTPACK_END = 0xff };

bool dump_listpack(struct dump *dump, struct slice bytes, struct listpack *ret)
{
    struct reader head = reader_of(bytes);
    if (reader_u32(&head) != bytes.len || bytes.len <= LISTPACK_HEAD || bytes.data[bytes.len - 1] != LISTPACK_END)
        return dump_fail(dump);
    ret->at = reader_of(slice_of(bytes.data + LISTPACK_HEAD, bytes.len - LISTPACK_HEAD));
    return dump->at.ok;
}

/* How many bytes the length of an item takes behind it, for those who walk backwards. */
static size_t back_len(size_t len)
{
    static const size_t LIMITS[] = {128, 16383, 2097151, 268435455};
    size_t width = 0;
    while (width < G_N_ELEMENTS(LIMITS) && len >= LIMITS[width])
        width++;
    return width + 1;
}

static void item_integer(struct listpack_item *ret, int64_t value)
{
    *ret = (struct listpack_item){.is_integer = true, .integer = value};
}

static bool item_read(struct reader *at, uint8_t first, struct listpack_item *ret)
{
    static const uint8_t WIDTHS[] = {2, 3, 4, 8};
    *ret = (struct listpack_item){0};
    if (first < 0x80)
        item_integer(ret, first);
    else if (first < 0xc0)
        ret->bytes = reader_bytes(at, first & 0x3f);
    else if (first < 0xe0) {
        int64_t value = (int64_t)(first & 0x1f) << 8 | reader_u8(at);
        item_integer(ret, value < 4096 ? value : value - 8192);
    } else if (first < 0xf0)
        ret->bytes = reader_bytes(at, (size_t)(first & 0x0f) << 8 | reader_u8(at));
    else if (first == 0xf0)
        ret->bytes = reader_bytes(at, reader_u32(at));
    else if (first <= 0xf4)
        item_integer(ret, little_signed(at, WIDTHS[first - 0xf1]));
    else
        return false;
    return at->ok;
}

bool dump_listpack_next(struct dump *dump, struct listpack *listpack, struct listpack_item *ret)
{
    const uint8_t *begin = listpack->at.at;
    uint8_t first = reader_u8(&listpack->at);
    if (first == LISTPACK_END && listpack->at.ok) {
        if (reader_left(&listpack->at) != 0)
            dump_fail(dump);
        return false;
    }
    if (!item_read(&listpack->at, first, ret))
        return dump_fail(dump);
    reader_bytes(&listpack->at, back_len((size_t)(listpack->at.at - begin)));
    return listpack->at.ok || dump_fail(dump);
}

struct slice dump_item_string(struct dump *dump, const struct listpack_item *item)
{
    return item->is_integer ? integer_text(dump, item->integer) : item->bytes;
}

int64_t dump_item_integer(struct dump *dump, const struct listpack_item *item)
{
    int64_t value = item->integer;
    if (!item->is_integer && !int_parse_i64(item->bytes, &value))
        dump_fail(dump);
    return value;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void put_be(GByteArray *into, uint64_t value, size_t width)
{
    for (size_t i = width; i > 0; i--)
        put_u8(into, (uint8_t)(value >> (8 * (i - 1))));
}

void dump_put_len(GByteArray *into, uint64_t len)
{
    if (len < 1 << 6)
        put_u8(into, (uint8_t)len);
    else if (len < 1 << 14)
        put_be(into, 0x4000 | len, 2);
    else {
        put_u8(into, len <= UINT32_MAX ? 0x80 : 0x81);
        put_be(into, len, len <= UINT32_MAX ? 4 : 8);
    }
}

void dump_put_string(GByteArray *into, struct slice bytes)
{
    dump_put_len(into, bytes.len);
    put_bytes(into, bytes);
}

void dump_put_id(GByteArray *into, uint64_t ms, uint64_t seq)
{
    put_be(into, ms, 8);
    put_be(into, seq, 8);
}

static void put_back_len(GByteArray *into, size_t len)
{
    for (size_t width = back_len(len), i = width; i > 0; i--)
        put_u8(into, (uint8_t)((len >> (7 * (i - 1)) & 0x7f) | (i < width ? 0x80 : 0)));
}

static void put_little(GByteArray *into, uint64_t value, size_t width)
{
    for (size_t i = 0; i < width; i++)
        put_u8(into, (uint8_t)(value >> (8 * i)));
}

void dump_listpack_put_integer(GByteArray *into, int64_t value)
{
    size_t before = into->len;
    if (value >= 0 && value < 128)
        put_u8(into, (uint8_t)value);
    else if (value >= -4096 && value < 4096)
        put_be(into, 0xc000 | ((uint64_t)value & 0x1fff), 2);
    else {
        static const uint8_t WIDTHS[] = {2, 3, 4, 8};
        size_t i = 0;
        while (WIDTHS[i] < 8 && (value >> (8 * WIDTHS[i] - 1)) != (value < 0 ? -1 : 0))
            i++;
        put_u8(into, (uint8_t)(0xf1 + i));
        put_little(into, (uint64_t)value, WIDTHS[i]);
    }
    put_back_len(into, into->len - before);
}

void dump_listpack_put_string(GByteArray *into, struct slice bytes)
{
    size_t before = into->len;
    if (bytes.len < 64)
        put_u8(into, (uint8_t)(0x80 | bytes.len));
    else if (bytes.len < 4096)
        put_be(into, 0xe000 | bytes.len, 2);
    else {
        put_u8(into, 0xf0);
        put_little(into, bytes.len, 4);
    }
    put_bytes(into, bytes);
    put_back_len(into, into->len - before);
}

void dump_put_listpack(GByteArray *into, struct slice items, uint32_t n)
{
    size_t len = LISTPACK_HEAD + items.len + 1;
    dump_put_len(into, len);
    put_little(into, len, 4);
    put_little(into, MIN(n, (uint32_t)UINT16_MAX), 2);
    put_bytes(into, items);
    put_u8(into, LISTPACK_END);
}
