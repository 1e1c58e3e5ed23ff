/* JSON → BSON in one pass, without recursion.
 *
 * The output lies in the arena and is grown so that, before each member, it has room for the rest of the text and
 * ROOM more. Strings are never longer in BSON than in JSON; all else that a member adds is below ROOM. So only the
 * step from one member to the next looks at the room. */
#include <glib.h>

#include "base/hex.h"
#include "record/decimal_bits.h"
#include "record/document.h"
#include "record/key_set.h"
#include "record/number.h"
#include "record/text.h"

enum { ROOM = 64 };

struct frame {
    size_t start; /* where the document begins in the output */
    bool array;
    struct key_frame keys; /* of an object */
    uint64_t index;        /* of an array: the next element */
};

struct json_read {
    const uint8_t *text, *end;
    uint8_t *base, *out; /* the output, and where it goes on */
    size_t room;         /* bytes at base */
    size_t type_at;      /* where the type of the value that is read next belongs */
    struct arena *mem;
    bool nul; /* the last string holds a NUL */

    const char *fault; /* what was expected */
    const uint8_t *fault_at;
    enum error_code code;

    size_t depth;
    struct frame frames[DOCUMENT_DEPTH];
    struct key_set keys;
};

/* The functions below take the place in the text and return the one behind what they read, NULL after a fault: so it
 * stays in a register, which a tenth of the time depends on. */

static const uint8_t *fail(struct json_read *read, const uint8_t *at, const char *what)
{
    read->fault = what;
    read->fault_at = at;
    return NULL;
}

static const uint8_t *fail_too_big(struct json_read *read, const uint8_t *at, const char *what)
{
    read->code = SLUICE_ERROR_TOO_BIG;
    return fail(read, at, what);
}

static inline const uint8_t *skip_blanks(const struct json_read *read, const uint8_t *at)
{
    while (at < read->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
        at++;
    return at;
}

/* The byte at hand; 0, which no JSON text holds outside of faults, at the end. */
static inline uint8_t peek(const struct json_read *read, const uint8_t *at)
{
    return at < read->end ? *at : 0;
}

/* Little-endian, whatever the machine; the upper half is cut, which no length here reaches. */
static inline void put_le32(uint8_t *into, size_t value)
{
    uint64_t bits = GUINT64_TO_LE((uint64_t)value);
    memcpy(into, &bits, 4);
}

static inline void put_le64(uint8_t *into, uint64_t value)
{
    uint64_t bits = GUINT64_TO_LE(value);
    memcpy(into, &bits, 8);
}

static bool grow(struct json_read *read, const uint8_t *at, size_t need)
{
    size_t used = (size_t)(read->out - read->base);
    if (used > DOCUMENT_BYTES)
        return fail_too_big(read, at, "expected a record of at most 16 MiB");
    size_t room = MAX(used + need, read->room + read->room / 2);
    uint8_t *base = arena_grow(read->mem, read->base, read->room, room);
    if (!base)
        return fail_too_big(read, at, "expected a record that fits into the memory of a batch");
    read->base = base;
    read->out = base + used;
    read->room = room;
    return true;
}

static inline bool ensure_room(struct json_read *read, const uint8_t *at)
{
    size_t need = (size_t)(read->end - at) + ROOM;
    return read->room - (size_t)(read->out - read->base) >= need || grow(read, at, need);
}

static void frame_open(struct json_read *read, bool array)
{
    struct frame *frame = &read->frames[read->depth++];
    frame->start = (size_t)(read->out - read->base);
    frame->array = array;
    if (array)
        frame->index = 0;
    else
        key_set_open(&read->keys, &frame->keys);
    read->out += 4;
}

static void frame_close(struct json_read *read)
{
    struct frame *frame = &read->frames[--read->depth];
    *read->out++ = 0;
    uint8_t *start = read->base + frame->start;
    put_le32(start, (size_t)(read->out - start));
    if (!frame->array)
        key_set_close(&read->keys, &frame->keys);
}

static bool hex4(const uint8_t *at, const uint8_t *end, unsigned *ret)
{
    uint8_t bytes[2];
    if (end - at < 4 || !hex_parse(slice_of(at, 4), bytes, sizeof bytes))
        return false;
    *ret = (unsigned)bytes[0] << 8 | bytes[1];
    return true;
}

static uint8_t *put_utf8(uint8_t *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (uint8_t)code;
        return out;
    }
    if (code >= 0x10000) {
        *out++ = (uint8_t)(0xf0 | code >> 18);
        *out++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    } else if (code >= 0x800)
        *out++ = (uint8_t)(0xe0 | code >> 12);
    if (code >= 0x800)
        *out++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    else
        *out++ = (uint8_t)(0xc0 | code >> 6);
    *out++ = (uint8_t)(0x80 | (code & 0x3f));
    return out;
}

/* At the backslash of \uXXXX. */
static const uint8_t *unicode_escape(struct json_read *read, const uint8_t *at)
{
    const uint8_t *behind = at + 6;
    unsigned code, low;
    if (!hex4(at + 2, read->end, &code))
        return fail(read, at, "expected four hexadecimal digits after \\u");
    if (code >= 0xdc00 && code <= 0xdfff)
        return fail(read, at, "expected the first half of a surrogate pair before its second");
    if (code >= 0xd800 && code <= 0xdbff) {
        bool paired = read->end - behind >= 2 && behind[0] == '\\' && behind[1] == 'u' &&
                      hex4(behind + 2, read->end, &low) && low >= 0xdc00 && low <= 0xdfff;
        if (!paired)
            return fail(read, at, "expected the second half of a surrogate pair after its first");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        behind += 6;
    }
    read->nul |= code == 0;
    read->out = put_utf8(read->out, code);
    return behind;
}

/* At the backslash. */
static const uint8_t *escape(struct json_read *read, const uint8_t *at)
{
    static const uint8_t means[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    uint8_t letter = peek(read, at + 1);
    if (letter == 'u')
        return unicode_escape(read, at);
    if (!means[letter])
        return fail(read, at, "expected one of \" \\ / b f n r t u after a backslash");
    *read->out++ = means[letter];
    return at + 2;
}

static const uint8_t *non_ascii(struct json_read *read, const uint8_t *at)
{
    size_t len = text_utf8(at, read->end);
    if (len == 0)
        return fail(read, at, "expected well-formed UTF-8");
    memcpy(read->out, at, len);
    read->out += len;
    return at + len;
}

/* At the opening quote: the string's bytes go out. */
static const uint8_t *string_body(struct json_read *read, const uint8_t *at)
{
    const uint8_t *opening = at++;
    read->nul = false;
    while (at) {
        size_t plain = text_copy_plain(at, read->end, read->out);
        at += plain;
        read->out += plain;
        if (at == read->end)
            return fail(read, opening, "expected a string to be closed by '\"'");
        if (*at == '"')
            return at + 1;
        if (*at < 0x20)
            return fail(read, at, "expected no control character in a string (write it as an escape)");
        at = *at == '\\' ? escape(read, at) : non_ascii(read, at);
    }
    return NULL;
}

static const uint8_t *string_value(struct json_read *read, const uint8_t *at)
{
    uint8_t *start = read->out;
    read->out += 4;
    at = string_body(read, at);
    *read->out++ = 0;
    put_le32(start, (size_t)(read->out - start - 4));
    read->base[read->type_at] = BSON_TYPE_UTF8;
    return at;
}

static void put_i64(struct json_read *read, int64_t value)
{
    put_le64(read->out, (uint64_t)value);
    read->out += 8;
    read->base[read->type_at] = BSON_TYPE_INT64;
}

static const uint8_t *exact_number(struct json_read *read, const uint8_t *at)
{
    struct number number;
    int64_t whole;
    const char *wrong = number_scan(at, read->end, &number);
    if (wrong)
        return fail(read, number.end, wrong);
    if (number_to_i64(&number, &whole)) {
        put_i64(read, whole);
        return number.end;
    }
    bson_decimal128_t decimal = decimal_pack(number.negative, number.coefficient, number.exponent);
    put_le64(read->out, decimal.low);
    put_le64(read->out + 8, decimal.high);
    read->out += 16;
    read->base[read->type_at] = BSON_TYPE_DECIMAL128;
    return number.end;
}

/* Integers of up to 18 digits are taken here, all else by the exact way. */
static const uint8_t *number_value(struct json_read *read, const uint8_t *from)
{
    bool negative = *from == '-';
    const uint8_t *digits = from + negative, *at = digits;
    uint64_t value = 0;
    for (; at < read->end && *at >= '0' && *at <= '9'; at++)
        value = value * 10 + (*at - (uint64_t)'0');
    bool ends = at == read->end || (*at != '.' && (*at | 0x20) != 'e');
    if (!ends || at == digits || at - digits > 18 || (*digits == '0' && (negative || at - digits > 1)))
        return exact_number(read, from);
    put_i64(read, negative ? -(int64_t)value : (int64_t)value);
    return at;
}

static const uint8_t *word_value(struct json_read *read, const uint8_t *at, const char *word, bson_type_t type)
{
    size_t len = strlen(word);
    if ((size_t)(read->end - at) < len || memcmp(at, word, len) != 0)
        return fail(read, at, "expected a value");
    if (type == BSON_TYPE_BOOL)
        *read->out++ = word[0] == 't';
    read->base[read->type_at] = (uint8_t)type;
    return at + len;
}

/* At the opening bracket. Where members follow, one frame more is open afterwards than before. */
static const uint8_t *container(struct json_read *read, const uint8_t *at, bool array)
{
    if (read->depth == DOCUMENT_DEPTH)
        return fail(read, at, "expected a nesting of at most 100 objects and arrays");
    read->base[read->type_at] = array ? BSON_TYPE_ARRAY : BSON_TYPE_DOCUMENT;
    frame_open(read, array);
    at = skip_blanks(read, at + 1);
    if (peek(read, at) != (array ? ']' : '}'))
        return at;
    frame_close(read);
    return at + 1;
}

static const uint8_t *value_read(struct json_read *read, const uint8_t *at)
{
    at = skip_blanks(read, at);
    switch (peek(read, at)) {
    case '"':
        return string_value(read, at);
    case '{':
        return container(read, at, false);
    case '[':
        return container(read, at, true);
    case 't':
        return word_value(read, at, "true", BSON_TYPE_BOOL);
    case 'f':
        return word_value(read, at, "false", BSON_TYPE_BOOL);
    case 'n':
        return word_value(read, at, "null", BSON_TYPE_NULL);
    case '-':
    case '0' ... '9':
        return number_value(read, at);
    default:
        return fail(read, at, "expected a value");
    }
}

/* A key and its colon. */
static const uint8_t *key_read(struct json_read *read, const uint8_t *at)
{
    const uint8_t *opening = at = skip_blanks(read, at);
    if (peek(read, at) != '"')
        return fail(read, at, "expected a key in double quotes");
    read->type_at = (size_t)(read->out++ - read->base);
    at = string_body(read, at);
    if (!at)
        return NULL;
    if (read->nul)
        return fail(read, opening, "expected a key without the character \\u0000");
    *read->out++ = 0;
    size_t key = read->type_at + 1, len = (size_t)(read->out - read->base) - key - 1;
    switch (key_set_add(&read->keys, &read->frames[read->depth - 1].keys, read->base, key, len)) {
    case KEY_TWICE:
        return fail(read, opening, "expected a key that this object does not have yet");
    case KEY_NO_MEMORY:
        return fail_too_big(read, opening, "expected an object with fewer keys: memory ran out");
    case KEY_NEW:
        break;
    }
    at = skip_blanks(read, at);
    return peek(read, at) == ':' ? at + 1 : fail(read, at, "expected ':' after a key");
}

static void index_write(struct json_read *read)
{
    struct frame *frame = &read->frames[read->depth - 1];
    read->type_at = (size_t)(read->out++ - read->base);
    read->out += decimal_digits_u64(frame->index++, (char *)read->out);
    *read->out++ = 0;
}

/* After a value: a comma leads to the next member; a bracket closes the object or array, which then is such a value. */
static const uint8_t *after_value(struct json_read *read, const uint8_t *at)
{
    while (read->depth) {
        bool array = read->frames[read->depth - 1].array;
        at = skip_blanks(read, at);
        uint8_t byte = peek(read, at);
        if (byte == ',')
            return at + 1;
        if (byte != (array ? ']' : '}'))
            return fail(read, at, array ? "expected ',' or ']' after a value" : "expected ',' or '}' after a value");
        frame_close(read);
        at++;
    }
    return at;
}

static const uint8_t *members_read(struct json_read *read, const uint8_t *at)
{
    while (read->depth && at) {
        if (!ensure_room(read, at))
            return NULL;
        if (read->frames[read->depth - 1].array)
            index_write(read);
        else if (!(at = key_read(read, at)))
            return NULL;
        size_t depth = read->depth;
        at = value_read(read, at);
        if (at && read->depth == depth)
            at = after_value(read, at);
    }
    return at;
}

static const uint8_t *record_read(struct json_read *read)
{
    const uint8_t *at = skip_blanks(read, read->text);
    if (peek(read, at) != '{')
        return fail(read, at, "expected '{': a record is a JSON object");
    read->type_at = 0; /* of the document itself there is none; its length will stand there */
    at = members_read(read, container(read, at, false));
    if (!at)
        return NULL;
    at = skip_blanks(read, at);
    if (at != read->end)
        return fail(read, at, "expected the end of the record");
    if ((size_t)(read->out - read->base) > DOCUMENT_BYTES)
        return fail_too_big(read, at, "expected a record of at most 16 MiB");
    return at;
}

static void fault_report(const struct json_read *read, size_t *ret_at, GError **error)
{
    char quote[TEXT_QUOTE];
    size_t at = (size_t)(read->fault_at - read->text);
    if (ret_at)
        *ret_at = at;
    if (read->fault_at == read->end)
        error_set(error, read->code, "column %zu: %s, at the end", at + 1, read->fault);
    else
        error_set(error, read->code, "column %zu: %s, at '%s'", at + 1, read->fault,
                  text_quote(slice_of(read->fault_at, (size_t)(read->end - read->fault_at)), quote));
}

bool document_from_json(struct slice text, struct arena *mem, struct slice *ret, size_t *ret_at, GError **error)
{
    struct json_read read; /* not cleared as a whole: that would cost more than a small document does */
    read.text = text.data ? text.data : (const uint8_t *)"";
    read.end = read.text + text.len;
    read.mem = mem;
    read.code = SLUICE_ERROR_BAD_RECORD;
    read.depth = 0;
    read.room = text.len + text.len / 4 + ROOM * 2;
    read.base = read.out = text.len <= DOCUMENT_BYTES ? arena_alloc(mem, read.room) : NULL;
    if (!read.base) {
        fail_too_big(&read, read.text,
                     text.len > DOCUMENT_BYTES ? "expected a record of at most 16 MiB"
                                               : "expected a record that fits into the memory of a batch");
        fault_report(&read, ret_at, error);
        return false;
    }
    key_set_init(&read.keys);
    bool ok = record_read(&read) != NULL;
    key_set_done(&read.keys);
    size_t len = ok ? (size_t)(read.out - read.base) : 0;
    arena_trim(mem, read.base, read.room, len);
    if (ok)
        *ret = slice_of(read.base, len);
    else
        fault_report(&read, ret_at, error);
    return ok;
}
