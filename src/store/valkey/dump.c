#include "store/valkey/dump.h"

#include <math.h>

#include "base/int.h"
#include "store/valkey/crc64_tables.h"
#include "store/valkey/dump_parts.h"

enum { FOOTER = 10, VERSION = 10, LETTER_ROOM = 2 };

static const struct type_row {
    uint8_t letter;
    const char *name;
} TYPES[] = {{'s', "string"}, {'l', "list"}, {'t', "set"}, {'z', "zset"}, {'h', "hash"}, {'x', "stream"}};

const char *dump_type_name(uint8_t letter)
{
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (TYPES[i].letter == letter)
            return TYPES[i].name;
    return NULL;
}

uint8_t dump_type_letter(struct slice name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(TYPES); i++)
        if (slice_equal(slice_of_text(TYPES[i].name), name))
            return TYPES[i].letter;
    return 0;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What a value is made of, in the order of the payload. A list and a set have names only; a sorted set's values are the
 * scores as they are written. */
struct parts {
    struct form_pairs pairs;
    size_t room;
};

static bool parts_add(struct dump *dump, struct parts *parts, struct slice name, struct slice value)
{
    if (!dump->at.ok)
        return false;
    if (parts->pairs.n == parts->room && !form_pairs_grow(&parts->pairs, parts->room *= 2)) {
        dump->full = true;
        return dump_fail(dump);
    }
    parts->pairs.at[parts->pairs.n++] = (struct form_pair){name, value};
    return true;
}

static struct slice score_bytes(struct dump *dump, double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = GUINT64_TO_LE(bits);
    void *at = dump_alloc(dump, sizeof bits);
    if (!at)
        return SLICE_EMPTY;
    memcpy(at, &bits, sizeof bits);
    return slice_of(at, sizeof bits);
}

/* In a listpack a score is an integer, or the text of a double. */
static struct slice score_item(struct dump *dump, const struct listpack_item *item)
{
    char text[128];
    if (item->is_integer)
        return score_bytes(dump, (double)item->integer);
    if (item->bytes.len == 0 || item->bytes.len >= sizeof text) {
        dump_fail(dump);
        return SLICE_EMPTY;
    }
    memcpy(text, item->bytes.data, item->bytes.len);
    text[item->bytes.len] = '\0';
    return score_bytes(dump, g_ascii_strtod(text, NULL));
}

/* Names, or names and values in turn. */
static void read_listpack(struct dump *dump, struct slice bytes, uint8_t letter, struct parts *parts)
{
    struct listpack listpack;
    struct listpack_item name, value;
    bool pairs = letter == 'h' || letter == 'z';
    if (!dump_listpack(dump, bytes, &listpack))
        return;
    while (dump_listpack_next(dump, &listpack, &name)) {
        struct slice second = SLICE_EMPTY, first = dump_item_string(dump, &name);
        if (pairs && !dump_listpack_next(dump, &listpack, &value)) {
            dump_fail(dump);
            return;
        }
        if (pairs)
            second = letter == 'z' ? score_item(dump, &value) : dump_item_string(dump, &value);
        if (!parts_add(dump, parts, first, second))
            return;
    }
}

static void read_items(struct dump *dump, uint8_t letter, struct parts *parts)
{
    uint64_t n = dump_len(dump);
    for (uint64_t i = 0; i < n && dump->at.ok; i++) {
        struct slice name = dump_string(dump), value = SLICE_EMPTY;
        if (letter == 'h')
            value = dump_string(dump);
        else if (letter == 'z')
            value = reader_bytes(&dump->at, sizeof(double));
        parts_add(dump, parts, name, value);
    }
}

static void read_intset(struct dump *dump, struct parts *parts)
{
    struct slice bytes = dump_string(dump);
    struct dump inside = {.at = reader_of(bytes), .mem = dump->mem};
    uint32_t width = reader_u32(&inside.at), n = reader_u32(&inside.at);
    if (!inside.at.ok || (width != 2 && width != 4 && width != 8)) {
        dump_fail(dump);
        return;
    }
    for (uint32_t i = 0; i < n && inside.at.ok; i++)
        parts_add(&inside, parts, dump_integer(&inside, width), SLICE_EMPTY);
    dump->full |= inside.full;
    if (!inside.at.ok)
        dump_fail(dump);
}

/* Nodes, each one element or a listpack of them. */
static void read_quicklist(struct dump *dump, struct parts *parts)
{
    enum { PLAIN = 1, PACKED = 2 };
    uint64_t n = dump_len(dump);
    for (uint64_t i = 0; i < n && dump->at.ok; i++) {
        uint64_t container = dump_len(dump);
        struct slice bytes = dump_string(dump);
        if (container == PLAIN)
            parts_add(dump, parts, bytes, SLICE_EMPTY);
        else if (container == PACKED)
            read_listpack(dump, bytes, 'l', parts);
        else
            dump_fail(dump);
    }
}

static int by_score(const void *a, const void *b)
{
    const struct form_pair *one = a, *two = b;
    double x = dump_score(one->value), y = dump_score(two->value);
    return x < y ? -1 : x > y ? 1 : slice_compare(one->name, two->name);
}

/* One that is no number is in no order with the others; no server has one. */
static bool are_scores(const struct form_pairs *pairs)
{
    for (size_t i = 0; i < pairs->n; i++)
        if (isnan(dump_score(pairs->at[i].value)))
            return false;
    return true;
}

/* Sorted, but for lists; behind the two bytes for the letters. */
static bool write_parts(struct dump *dump, uint8_t letter, struct parts *parts, struct slice *ret)
{
    struct form_pairs *pairs = &parts->pairs;
    if (letter == 'z' && !are_scores(pairs))
        return false;
    if (letter == 'h' || letter == 't')
        form_pairs_sort(pairs);
    else if (letter == 'z')
        qsort(pairs->at, pairs->n, sizeof *pairs->at, by_score);
    size_t room = LETTER_ROOM, each = letter == 'h' ? 2 * VARINT_MOST : VARINT_MOST;
    for (size_t i = 0; i < pairs->n; i++)
        room += pairs->at[i].name.len + pairs->at[i].value.len + each;
    uint8_t *value = dump_alloc(dump, room), *at = value;
    if (!value)
        return false;
    *at++ = FORM_RAW_OPAQUE;
    *at++ = letter;
    for (size_t i = 0; i < pairs->n; i++) {
        if (letter == 'z')
            at = form_put(at, pairs->at[i].value);
        at = form_put_prefixed(at, pairs->at[i].name);
        if (letter == 'h')
            at = form_put_prefixed(at, pairs->at[i].value);
    }
    *ret = slice_of(value, (size_t)(at - value));
    arena_trim(dump->mem, value, room, ret->len);
    return true;
}

bool dump_join(uint8_t letter, struct form_pairs *pairs, struct arena *mem, struct slice *ret)
{
    struct dump dump = {.mem = mem};
    struct parts parts = {.pairs = *pairs};
    return write_parts(&dump, letter, &parts, ret);
}

static bool read_collection(struct dump *dump, uint8_t type, uint8_t letter, struct slice *ret)
{
    struct parts parts = {.room = FORM_FEW};
    parts.pairs.n = 0;
    parts.pairs.many = NULL;
    parts.pairs.at = parts.pairs.few;
    if (type == RDB_INTSET)
        read_intset(dump, &parts);
    else if (type == RDB_LIST_QUICKLIST)
        read_quicklist(dump, &parts);
    else if (type >= RDB_HASH_LISTPACK)
        read_listpack(dump, dump_string(dump), letter, &parts);
    else
        read_items(dump, letter, &parts);
    bool ok = dump->at.ok && reader_left(&dump->at) == 0 && parts.pairs.n > 0 && write_parts(dump, letter, &parts, ret);
    form_pairs_done(&parts.pairs);
    return ok;
}

static bool read_string(struct dump *dump, struct slice *ret)
{
    struct slice bytes = dump_string(dump);
    if (!dump->at.ok || reader_left(&dump->at) != 0)
        return false;
    uint8_t *value = dump_alloc(dump, LETTER_ROOM + bytes.len);
    if (!value)
        return false;
    value[0] = FORM_RAW_OPAQUE;
    value[1] = 's';
    form_put(value + LETTER_ROOM, bytes);
    *ret = slice_of(value, LETTER_ROOM + bytes.len);
    return true;
}

static bool read_stream(struct dump *dump, uint8_t type, struct slice *ret)
{
    g_autoptr(GByteArray) content = g_byte_array_new();
    put_u8(content, FORM_RAW_OPAQUE);
    put_u8(content, 'x');
    if (!dump_read_stream(dump, type, content) || reader_left(&dump->at) != 0)
        return false;
    dump->full = !arena_copy(dump->mem, slice_of(content->data, content->len), ret);
    return !dump->full;
}

static const uint8_t LETTERS[] = {
    [RDB_STRING] = 's',         [RDB_LIST] = 'l',     [RDB_SET] = 't',           [RDB_HASH] = 'h',
    [RDB_ZSET] = 'z',           [RDB_INTSET] = 't',   [RDB_HASH_LISTPACK] = 'h', [RDB_ZSET_LISTPACK] = 'z',
    [RDB_LIST_QUICKLIST] = 'l', [RDB_STREAM_2] = 'x', [RDB_SET_LISTPACK] = 't',  [RDB_STREAM_3] = 'x'};

bool dump_read(struct slice payload, struct arena *mem, struct slice *ret, GError **error)
{
    bool whole = payload.len > FOOTER;
    uint8_t type = whole ? payload.data[0] : UINT8_MAX;
    uint8_t letter = type < G_N_ELEMENTS(LETTERS) ? LETTERS[type] : 0;
    struct dump dump = {.mem = mem};
    bool ok;
    if (whole && !letter)
        return error_set(
            error, SLUICE_ERROR_BAD_RECORD,
            "it is of a type that sluice does not carry (%u in the RDB format: a module's, or a hash whose "
            "fields expire)",
            type);
    if (whole)
        dump.at = reader_of(slice_of(payload.data + 1, payload.len - 1 - FOOTER));
    if (letter == 's')
        ok = read_string(&dump, ret);
    else if (letter == 'x')
        ok = read_stream(&dump, type, ret);
    else
        ok = whole && read_collection(&dump, type, letter, ret);
    if (dump.full)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the value does not fit into the memory of a batch");
    return ok || error_set(error, SLUICE_ERROR_BAD_RECORD, "what the server's DUMP gave is damaged");
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static uint64_t checksum(struct slice bytes)
{
    const uint8_t *at = bytes.data, *end = bytes.data + bytes.len;
    uint64_t sum = 0;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word = GUINT64_FROM_LE(word) ^ sum;
        sum = 0;
        for (size_t i = 0; i < 8; i++)
            sum ^= STEPS[7 - i][word >> (8 * i) & 0xff];
    }
    for (; at < end; at++)
        sum = STEPS[0][(sum ^ *at) & 0xff] ^ sum >> 8;
    return sum;
}

static bool no_value(GError **error)
{
    return error_set(error, SLUICE_ERROR_BAD_RECORD,
                     "these are not the bytes of a value, or its members are not in their order");
}

/* Counts a collection's members, and looks at their order. */
static bool count(struct reader content, uint8_t letter, uint64_t *ret)
{
    struct form_pair last = {0}, pair;
    uint64_t n = 0;
    for (; content.ok && reader_left(&content); n++, last = pair) {
        pair = (struct form_pair){0};
        if (letter == 'z')
            pair.value = reader_bytes(&content, sizeof(double));
        pair.name = reader_prefixed(&content);
        if (letter == 'h')
            pair.value = reader_prefixed(&content);
        if (!content.ok || (letter == 'z' && isnan(dump_score(pair.value))))
            return false;
        if (n > 0 && letter != 'l' &&
            (letter == 'z' ? by_score(&last, &pair) : slice_compare(last.name, pair.name)) >= 0)
            return false;
    }
    *ret = n;
    return content.ok && n > 0;
}

static void write_items(struct reader content, uint8_t letter, GByteArray *into)
{
    while (reader_left(&content)) {
        struct slice score = letter == 'z' ? reader_bytes(&content, sizeof(double)) : SLICE_EMPTY;
        dump_put_string(into, reader_prefixed(&content));
        if (letter == 'h')
            dump_put_string(into, reader_prefixed(&content));
        put_bytes(into, score);
    }
}

static bool open_value(struct slice value, uint8_t *ret_letter, struct reader *ret)
{
    *ret = reader_of(value);
    bool ours = reader_u8(ret) == FORM_RAW_OPAQUE;
    *ret_letter = reader_u8(ret);
    return ours && ret->ok && dump_type_name(*ret_letter);
}

static bool write_object(struct slice value, GByteArray *into)
{
    static const uint8_t RDB_TYPES[] = {['s'] = RDB_STRING, ['l'] = RDB_LIST, ['t'] = RDB_SET,
                                        ['z'] = RDB_ZSET,   ['h'] = RDB_HASH, ['x'] = RDB_STREAM_2};
    struct reader content;
    uint8_t letter;
    uint64_t n;
    if (!open_value(value, &letter, &content))
        return false;
    put_u8(into, RDB_TYPES[letter]);
    if (letter == 's')
        dump_put_string(into, reader_bytes(&content, reader_left(&content)));
    else if (letter == 'x')
        return dump_write_stream(&content, into);
    else {
        if (!count(content, letter, &n))
            return false;
        dump_put_len(into, n);
        write_items(content, letter, into);
    }
    return true;
}

bool dump_check(struct slice value, GError **error)
{
    g_autoptr(GByteArray) unused = NULL;
    struct reader content;
    uint8_t letter;
    uint64_t n;
    if (!open_value(value, &letter, &content))
        return no_value(error);
    if (letter == 'x')
        return dump_write_stream(&content, unused = g_byte_array_new()) || no_value(error);
    return letter == 's' || count(content, letter, &n) || no_value(error);
}

bool dump_write(struct slice value, struct arena *mem, struct slice *ret, GError **error)
{
    g_autoptr(GByteArray) payload =
        g_byte_array_sized_new((guint)MIN(value.len + value.len / 16 + 64, (size_t)1 << 30));
    if (!write_object(value, payload))
        return no_value(error);
    put_u16(payload, VERSION);
    put_u64(payload, checksum(slice_of(payload->data, payload->len)));
    return arena_copy(mem, slice_of(payload->data, payload->len), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the value does not fit into the memory of a batch");
}
