#include "store/valkey/resp.h"

#include "base/int.h"

enum { BYTES_MOST = 1 << 30, ELEMENTS_MOST = 64 << 20, DIGITS_MOST = 20 };

/* How what follows an element's first byte is to be read. */
enum shape {
    SHAPE_NONE,
    SHAPE_LINE,
    SHAPE_INTEGER,
    SHAPE_BULK,
    SHAPE_VERBATIM, /* a bulk that begins with `txt:` or another format of three letters */
    SHAPE_ITEMS,
    SHAPE_PAIRS,
    SHAPE_ATTRIBUTE, /* pairs that belong to the element behind them */
};

static const struct kind {
    enum reply_type type;
    enum shape shape;
    const char *letters; /* of a line: what it may consist of; NULL: anything */
} KINDS[128] = {
    ['+'] = {REPLY_STATUS, SHAPE_LINE, NULL},
    ['-'] = {REPLY_ERROR, SHAPE_LINE, NULL},
    [':'] = {REPLY_INTEGER, SHAPE_INTEGER, NULL},
    ['$'] = {REPLY_BYTES, SHAPE_BULK, NULL},
    ['*'] = {REPLY_ARRAY, SHAPE_ITEMS, NULL},
    ['_'] = {REPLY_NULL, SHAPE_LINE, ""},
    ['#'] = {REPLY_BOOL, SHAPE_LINE, "tf"},
    [','] = {REPLY_DOUBLE, SHAPE_LINE, "0123456789+-.eEinfa"},
    ['('] = {REPLY_NUMBER, SHAPE_LINE, "0123456789+-"},
    ['!'] = {REPLY_ERROR, SHAPE_BULK, NULL},
    ['='] = {REPLY_BYTES, SHAPE_VERBATIM, NULL},
    ['~'] = {REPLY_ARRAY, SHAPE_ITEMS, NULL},
    ['%'] = {REPLY_MAP, SHAPE_PAIRS, NULL},
    ['>'] = {REPLY_PUSH, SHAPE_ITEMS, NULL},
    ['|'] = {REPLY_NULL, SHAPE_ATTRIBUTE, NULL},
};

/* One element without what stands in it. */
struct element {
    enum reply_type type;
    enum shape shape;
    struct slice bytes;
    int64_t integer;
    uint64_t children;
    size_t end; /* where the next one begins; where it is not whole: what it takes at least to go on */
};

enum progress { WHOLE, MORE, WRONG };

/* Where something else was expected. */
struct fault {
    size_t at;
    const char *expected;
};

static enum progress wrong(struct fault *fault, size_t at, const char *expected)
{
    *fault = (struct fault){.at = at, .expected = expected};
    return WRONG;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* The end of a line. */
static enum progress read_break(struct slice bytes, size_t at, size_t *ret_end, struct fault *fault)
{
    *ret_end = at + 2;
    if (at < bytes.len && bytes.data[at] != '\r')
        return wrong(fault, at, "the end of the line");
    if (at + 1 < bytes.len && bytes.data[at + 1] != '\n')
        return wrong(fault, at + 1, "the end of the line");
    return at + 1 < bytes.len ? WHOLE : MORE;
}

/* A decimal number, and the end of its line. */
static enum progress read_number(struct slice bytes, size_t at, int64_t *ret, size_t *ret_end, struct fault *fault)
{
    bool negative = at < bytes.len && bytes.data[at] == '-';
    size_t first = at + (negative || (at < bytes.len && bytes.data[at] == '+')), digit = first;
    uint64_t value = 0, most = (uint64_t)INT64_MAX + negative;
    for (; digit < bytes.len && is_digit(bytes.data[digit]); digit++) {
        unsigned more = bytes.data[digit] - '0';
        if (value > (most - more) / 10)
            return wrong(fault, at, "a number of 64 bits");
        value = value * 10 + more;
    }
    if (digit - first > DIGITS_MOST || (digit == first && digit < bytes.len))
        return wrong(fault, at, "a number");
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return read_break(bytes, digit, ret_end, fault);
}

/* Text up to the end of the line, in which there was none before `seen`. */
static enum progress read_line(struct slice bytes, size_t at, size_t *seen, struct element *ret, struct fault *fault)
{
    size_t from = MAX(at, *seen);
    const uint8_t *end = from < bytes.len ? memchr(bytes.data + from, '\r', bytes.len - from) : NULL;
    size_t len = end ? (size_t)(end - bytes.data) - at : bytes.len - at;
    const uint8_t *odd = from < bytes.len ? memchr(bytes.data + from, '\n', at + len - from) : NULL;
    if (odd)
        return wrong(fault, (size_t)(odd - bytes.data), "no line feed within a line");
    *seen = at + len;
    ret->bytes = slice_of(bytes.data + at, len);
    if (end)
        return read_break(bytes, at + len, &ret->end, fault);
    ret->end = bytes.len + 2;
    return MORE;
}

/* What a line is to consist of. */
static enum progress check_line(const struct kind *kind, struct element *element, size_t at, struct fault *fault)
{
    const struct slice line = element->bytes;
    bool one = kind->type == REPLY_BOOL, empty = kind->type == REPLY_NULL;
    if (!kind->letters)
        return WHOLE;
    for (size_t i = 0; i < line.len; i++)
        if (!line.data[i] || !strchr(kind->letters, line.data[i]))
            return wrong(fault, at + i, "what its type consists of");
    if (one ? line.len != 1 : empty != (line.len == 0))
        return wrong(fault, at, "a value of its type");
    element->integer = one && line.data[0] == 't';
    return WHOLE;
}

/* -1 in place of a length is RESP2's null. */
static enum progress read_length(struct slice bytes, size_t at, struct element *ret, struct fault *fault)
{
    enum progress progress = read_number(bytes, at, &ret->integer, &ret->end, fault);
    if (progress == WHOLE && ret->integer < -1)
        return wrong(fault, at, "a length");
    return progress;
}

static enum progress read_bulk(struct slice bytes, size_t at, struct element *ret, struct fault *fault)
{
    enum progress progress = read_length(bytes, at, ret, fault);
    if (progress != WHOLE || ret->integer < 0)
        return progress;
    size_t body = ret->end, end = body + (size_t)ret->integer;
    ret->bytes = slice_of(bytes.data + body, (size_t)ret->integer);
    ret->integer = 0;
    if (bytes.len < end) {
        ret->end = end + 2;
        return MORE;
    }
    progress = read_break(bytes, end, &ret->end, fault);
    if (progress != WHOLE || ret->shape != SHAPE_VERBATIM)
        return progress;
    if (ret->bytes.len < 4 || ret->bytes.data[3] != ':')
        return wrong(fault, body, "the format of a text");
    ret->bytes = slice_of(ret->bytes.data + 4, ret->bytes.len - 4);
    return WHOLE;
}

static enum progress read_items(struct slice bytes, size_t at, struct element *ret, struct fault *fault)
{
    enum progress progress = read_length(bytes, at, ret, fault);
    if (progress == WHOLE && ret->integer > ELEMENTS_MOST * INT64_C(1024)) /* far above every limit */
        return wrong(fault, at, "a smaller number of elements");
    if (progress == WHOLE && ret->integer >= 0) {
        ret->children = (uint64_t)ret->integer * (ret->shape == SHAPE_ITEMS ? 1 : 2);
        ret->integer = 0;
    }
    return progress;
}

/* Nearly all elements are short whole bulks, or arrays of them: these without the steps of read_bulk() and
 * read_items(). The number behind the mark, of at most six digits; returns what follows its line. NULL: whatever else
 * it is, wrong ones included. */
static inline const uint8_t *quick_number(const uint8_t *from, const uint8_t *end, size_t *ret)
{
    enum { MARK = 1, DIGITS = 6, BREAK = 2 };
    const uint8_t *digit = from + MARK;
    size_t number = 0;
    if (end - from < MARK + DIGITS + 2 * BREAK)
        return NULL;
    for (; digit < from + MARK + DIGITS && is_digit(*digit); digit++)
        number = number * 10 + (size_t)(*digit - '0');
    *ret = number;
    return digit > from + MARK && digit[0] == '\r' && digit[1] == '\n' ? digit + BREAK : NULL;
}

/* false: it is none, or none of these. */
static inline bool quick_bulk(struct slice bytes, size_t at, struct slice *ret)
{
    const uint8_t *from = bytes.data + at, *end = bytes.data + bytes.len;
    size_t len;
    const uint8_t *body = *from == '$' ? quick_number(from, end, &len) : NULL;
    if (!body || (size_t)(end - body) < len + 2 || body[len] != '\r' || body[len + 1] != '\n')
        return false;
    *ret = slice_of(body, len);
    return true;
}

static inline size_t behind_bulk(struct slice bytes, struct slice bulk)
{
    return (size_t)(bulk.data - bytes.data) + bulk.len + 2;
}

static inline bool read_quick(struct slice bytes, size_t at, struct element *ret)
{
    struct slice bulk;
    if (!quick_bulk(bytes, at, &bulk))
        return false;
    *ret = (struct element){.type = REPLY_BYTES, .shape = SHAPE_BULK, .bytes = bulk, .end = behind_bulk(bytes, bulk)};
    return true;
}

/* The element that begins at `at`. */
static enum progress read_any(struct slice bytes, size_t at, size_t *seen, struct element *ret, struct fault *fault)
{
    uint8_t mark = at < bytes.len ? bytes.data[at] : 0;
    const struct kind *kind = &KINDS[mark & 127];
    enum progress progress = MORE;
    *ret = (struct element){.type = kind->type, .shape = kind->shape, .end = at + 3};
    if (at >= bytes.len)
        return MORE;
    switch (mark < 128 ? kind->shape : SHAPE_NONE) {
    case SHAPE_NONE:
        return wrong(fault, at, "the beginning of a reply");
    case SHAPE_LINE:
        progress = read_line(bytes, at + 1, seen, ret, fault);
        return progress == WHOLE ? check_line(kind, ret, at + 1, fault) : progress;
    case SHAPE_INTEGER:
        return read_number(bytes, at + 1, &ret->integer, &ret->end, fault);
    case SHAPE_BULK:
    case SHAPE_VERBATIM:
        progress = read_bulk(bytes, at + 1, ret, fault);
        break;
    case SHAPE_ITEMS:
    case SHAPE_PAIRS:
    case SHAPE_ATTRIBUTE:
        progress = read_items(bytes, at + 1, ret, fault);
        break;
    }
    if (progress == WHOLE && ret->integer < 0)
        *ret = (struct element){.type = REPLY_NULL, .shape = SHAPE_NONE, .end = ret->end};
    return progress;
}

static inline enum progress read_element(struct slice bytes, size_t at, size_t *seen, struct element *ret,
                                         struct fault *fault)
{
    return at < bytes.len && read_quick(bytes, at, ret) ? WHOLE : read_any(bytes, at, seen, ret, fault);
}

/* --- scanning ----------------------------------------------------------------------------------------------------- */

static bool refuse(const struct fault *fault, GError **error)
{
    return error_set(error, SLUICE_ERROR_STORE, "the answer is not the protocol: at its byte %zu: expected %s",
                     fault->at, fault->expected);
}

/* Goes down into an element that has some in it, or up again behind the last of some. */
static bool scan_step(struct resp_scan *scan, const struct element *element, GError **error)
{
    if (element->shape == SHAPE_ATTRIBUTE)
        scan->left[scan->depth - 1]++; /* what it belongs to is still to come */
    if (element->children > 0) {
        if (scan->depth > RESP_DEPTH)
            return error_set(error, SLUICE_ERROR_STORE, "an answer with more than %u levels", RESP_DEPTH);
        scan->left[scan->depth++] = element->children;
        return true;
    }
    while (scan->depth > 0 && --scan->left[scan->depth - 1] == 0)
        scan->depth--;
    return true;
}

static bool scan_limits(const struct resp_scan *scan, const struct element *element, const struct resp_limits *limits,
                        GError **error)
{
    size_t bytes = limits->bytes ? limits->bytes : BYTES_MOST;
    size_t elements = limits->elements ? limits->elements : ELEMENTS_MOST;
    if (element->end > bytes)
        return error_set(error, SLUICE_ERROR_STORE, "an answer of more than %zu bytes", bytes);
    if (element->children > elements || scan->elements > elements - element->children)
        return error_set(error, SLUICE_ERROR_STORE, "an answer of more than %zu elements", elements);
    return true;
}

bool resp_scan(struct resp_scan *scan, struct slice bytes, const struct resp_limits *limits, bool *ret_whole,
               GError **error)
{
    struct element element;
    struct fault fault;
    if (scan->depth == 0) {
        scan->depth = 1;
        scan->left[0] = 1;
        scan->elements = 1;
    }
    while (scan->depth > 0) {
        enum progress progress = read_element(bytes, scan->at, &scan->seen, &element, &fault);
        if (progress == WRONG)
            return refuse(&fault, error);
        if (!scan_limits(scan, &element, limits, error))
            return false;
        if (progress == MORE) {
            scan->need = element.end;
            *ret_whole = false;
            return true;
        }
        scan->at = element.end;
        scan->elements += element.children;
        if (!scan_step(scan, &element, error))
            return false;
    }
    *ret_whole = true;
    return true;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct reading {
    struct slice bytes;
    size_t at;
    struct arena *mem;
};

static void next_element(struct reading *reading, struct element *ret)
{
    struct fault fault;
    size_t seen = 0;
    enum progress progress = read_element(reading->bytes, reading->at, &seen, ret, &fault);
    g_assert(progress == WHOLE); /* resp_scan() has been there */
    reading->at = ret->end;
}

/* The next element that is not, and does not stand in, an attribute. */
static void next_value(struct reading *reading, struct element *ret)
{
    next_element(reading, ret);
    while (ret->shape == SHAPE_ATTRIBUTE) {
        for (uint64_t left = ret->children; left > 0; left--) {
            struct element inner;
            next_element(reading, &inner);
            left += inner.children + (inner.shape == SHAPE_ATTRIBUTE);
        }
        next_element(reading, ret);
    }
}

static bool read_value(struct reading *reading, struct reply *ret)
{
    struct element element;
    next_value(reading, &element);
    *ret = (struct reply){
        .type = element.type, .bytes = element.bytes, .integer = element.integer, .n = (size_t)element.children};
    if (element.children == 0)
        return true;
    if (ret->n > SIZE_MAX / sizeof *ret->items)
        return false;
    ret->items = arena_alloc(reading->mem, ret->n * sizeof *ret->items);
    for (size_t i = 0; ret->items && i < ret->n; i++)
        if (!read_value(reading, &ret->items[i])) /* as deep as resp_scan() allows */
            return false;
    return ret->items != NULL;
}

bool resp_read(struct slice bytes, struct arena *mem, struct reply *ret, GError **error)
{
    struct reading reading = {.bytes = bytes, .mem = mem};
    struct reply reply;
    if (!read_value(&reading, &reply))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "an answer of %zu bytes needs more memory than it may have",
                         bytes.len);
    *ret = reply;
    return true;
}

/* --- both at once --------------------------------------------------------------------------------------------------
 */

enum { ITEM_LEAST = 3, TAKEN_MOST = 1 << 16 }; /* the bytes of an element, elements in one */

static bool take_value(struct reading *reading, unsigned depth, struct reply *ret);

static bool take_items(struct reading *reading, unsigned depth, struct reply *io)
{
    size_t most = MIN((size_t)TAKEN_MOST, (reading->bytes.len - reading->at) / ITEM_LEAST);
    if (depth == RESP_DEPTH || io->n > most)
        return false;
    io->items = arena_alloc(reading->mem, io->n * sizeof *io->items);
    bool taken = io->items != NULL;
    for (size_t i = 0; taken && i < io->n; i++)
        taken = take_value(reading, depth + 1, &io->items[i]);
    return taken;
}

static bool take_any(struct reading *reading, unsigned depth, struct reply *ret)
{
    struct element element;
    struct fault fault;
    size_t seen = 0;
    if (read_any(reading->bytes, reading->at, &seen, &element, &fault) != WHOLE || element.shape == SHAPE_ATTRIBUTE)
        return false;
    reading->at = element.end;
    *ret = (struct reply){
        .type = element.type, .bytes = element.bytes, .integer = element.integer, .n = (size_t)element.children};
    return ret->n == 0 || take_items(reading, depth, ret);
}

static bool take_value(struct reading *reading, unsigned depth, struct reply *ret)
{
    const struct slice bytes = reading->bytes;
    const uint8_t *from = bytes.data + reading->at, *items = NULL;
    struct slice bulk;
    size_t n;
    if (reading->at >= bytes.len)
        return false;
    if (quick_bulk(bytes, reading->at, &bulk)) {
        *ret = (struct reply){.type = REPLY_BYTES, .bytes = bulk};
        reading->at = behind_bulk(bytes, bulk);
        return true;
    }
    if (*from == '*')
        items = quick_number(from, bytes.data + bytes.len, &n);
    if (!items)
        return take_any(reading, depth, ret);
    *ret = (struct reply){.type = REPLY_ARRAY, .n = n};
    reading->at = (size_t)(items - bytes.data);
    return n == 0 || take_items(reading, depth, ret);
}

bool resp_take(struct slice bytes, struct arena *mem, struct reply *ret, size_t *ret_end)
{
    struct reading reading = {.bytes = bytes, .mem = mem};
    struct reply reply;
    if (!take_value(&reading, 0, &reply))
        return false;
    *ret = reply;
    *ret_end = reading.at;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* `*3\r\n`; returns what follows it. */
static uint8_t *put_head(uint8_t *at, uint8_t mark, size_t number)
{
    *at++ = mark;
    at = int_put_decimal(at, (int64_t)number);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

void resp_put(GByteArray *into, const struct slice *args, size_t n)
{
    enum { HEAD_MOST = DECIMAL_MOST + 3, BREAK = 2 };
    size_t room = HEAD_MOST, before = into->len;
    for (size_t i = 0; i < n; i++)
        room += args[i].len + HEAD_MOST + BREAK;
    g_assert(room < G_MAXUINT / 2 - before); /* a queue is not a store */
    g_byte_array_set_size(into, (guint)(before + room));
    uint8_t *at = put_head(into->data + before, '*', n);
    for (size_t i = 0; i < n; i++) {
        at = put_head(at, '$', args[i].len);
        if (args[i].len)
            memcpy(at, args[i].data, args[i].len);
        at += args[i].len;
        *at++ = '\r';
        *at++ = '\n';
    }
    g_byte_array_set_size(into, (guint)(at - into->data));
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

bool reply_is_error(const struct reply *reply, const char *word)
{
    size_t len = strlen(word);
    if (reply->type != REPLY_ERROR || reply->bytes.len < len || memcmp(reply->bytes.data, word, len) != 0)
        return false;
    return reply->bytes.len == len || reply->bytes.data[len] == ' ';
}

bool reply_is_array(const struct reply *reply, size_t n)
{
    return (reply->type == REPLY_ARRAY || reply->type == REPLY_MAP) && reply->n == n;
}

bool reply_time_ms(const struct reply *reply, int64_t *ret_ms)
{
    uint64_t s, us;
    if (!reply_is_array(reply, 2) || !int_parse_u64(reply->items[0].bytes, &s) ||
        !int_parse_u64(reply->items[1].bytes, &us) || s >= (uint64_t)INT64_MAX / 1000 || us >= 1000 * 1000)
        return false;
    *ret_ms = (int64_t)(s * 1000 + us / 1000);
    return true;
}
