#include "store/valkey/pieces.h"

#include <xxhash.h>

#include "base/hex.h"
#include "base/int.h"

/* --- telling values apart ----------------------------------------------------------------------------------------- */

struct pieces_sum {
    uint8_t letter;
    uint64_t bytes, count, pending;
    struct set_digest members; /* sets, hashes, sorted sets: in any order */
    XXH3_state_t *inside;      /* the others: in order */
    GByteArray *work;
};

struct pieces_sum *pieces_sum_new(void)
{
    struct pieces_sum *sum = g_new0(struct pieces_sum, 1);
    sum->inside = XXH3_createState();
    sum->work = g_byte_array_new();
    g_assert(sum->inside);
    return sum;
}

void pieces_sum_free(struct pieces_sum *sum)
{
    if (!sum)
        return;
    XXH3_freeState(sum->inside);
    g_byte_array_unref(sum->work);
    g_free(sum);
}

void pieces_sum_begin(struct pieces_sum *sum, uint8_t letter)
{
    sum->letter = letter;
    sum->bytes = sum->count = sum->pending = 0;
    sum->members = (struct set_digest){0};
    XXH3_128bits_reset(sum->inside);
}

static bool in_any_order(uint8_t letter)
{
    return letter == 't' || letter == 'h' || letter == 'z';
}

/* As the value has it when it is held whole (dump.h). */
static void put_pair(GByteArray *into, uint8_t letter, const struct form_pair *pair)
{
    if (letter == 's' || letter == 'x') {
        put_bytes(into, pair->name);
        return;
    }
    if (letter == 'z')
        put_bytes(into, pair->value);
    put_prefixed(into, pair->name);
    if (letter == 'h')
        put_prefixed(into, pair->value);
}

void pieces_sum_add(struct pieces_sum *sum, const struct form_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_byte_array_set_size(sum->work, 0);
        put_pair(sum->work, sum->letter, &pairs[i]);
        if (in_any_order(sum->letter))
            set_digest_add(&sum->members, digest_bytes(slice_of(sum->work->data, sum->work->len), 0));
        else
            XXH3_128bits_update(sum->inside, sum->work->data, sum->work->len);
        sum->bytes += sum->work->len;
    }
    sum->count += sum->letter == 's' ? 0 : n;
    if (sum->work->len > PIECE_BYTES) { /* one large element is not kept room for */
        g_byte_array_unref(sum->work);
        sum->work = g_byte_array_new();
    }
}

void pieces_sum_tail(struct pieces_sum *sum, struct slice tail, uint64_t pending)
{
    sum->pending = pending;
    if (tail.len)
        XXH3_128bits_update(sum->inside, tail.data, tail.len);
    sum->bytes += tail.len;
}

uint64_t pieces_sum_bytes(const struct pieces_sum *sum)
{
    return sum->bytes;
}

uint64_t pieces_sum_count(const struct pieces_sum *sum)
{
    return sum->letter == 's' ? sum->bytes : sum->count;
}

bool pieces_sum_is_whole(const struct pieces_sum *sum)
{
    return sum->bytes + sum->count * PIECES_ELEMENT_BYTES <= PIECES_WHOLE_BYTES && sum->pending <= PIECES_WHOLE_PENDING;
}

static void put_fixed(uint8_t *into, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    memcpy(into, &value, sizeof value);
}

void pieces_sum_end(const struct pieces_sum *sum, uint8_t ret[PIECES_BYTES])
{
    struct digest digest = sum->members.sum;
    if (!in_any_order(sum->letter)) {
        XXH128_hash_t hash = XXH3_128bits_digest(sum->inside);
        digest = (struct digest){.low = hash.low64, .high = hash.high64};
    }
    ret[0] = FORM_RAW_PIECES;
    ret[1] = sum->letter;
    put_fixed(ret + 2, sum->bytes);
    put_fixed(ret + 10, pieces_sum_count(sum));
    digest_put(digest, ret + 18);
}

bool pieces_stand_for(struct slice raw)
{
    return raw.len == PIECES_BYTES && raw.data[0] == FORM_RAW_PIECES && dump_type_name(raw.data[1]);
}

void pieces_etag(const uint8_t stands_for[PIECES_BYTES], int64_t expires_at_ms, struct etag *ret)
{
    uint8_t bytes[16];
    char text[33];
    digest_put(digest_stored(slice_of(stands_for, PIECES_BYTES), expires_at_ms), bytes);
    hex_text(bytes, sizeof bytes, text);
    memcpy(ret->bytes, text, VALKEY_ETAG_BYTES);
    ret->bytes[0] = FORM_RAW_PIECES;
    ret->len = VALKEY_ETAG_BYTES;
}

bool pieces_is_etag(const struct etag *etag)
{
    return etag->len == VALKEY_ETAG_BYTES && etag->bytes[0] == FORM_RAW_PIECES;
}

/* --- a value that is held whole ----------------------------------------------------------------------------------- */

enum { WALK_PAIRS = 512, LETTERS = 2 };

struct walk {
    const struct pieces_taker *taker;
    struct pieces_head head;
    struct form_pair pairs[WALK_PAIRS];
    size_t n, bytes;
};

static bool walk_flush(struct walk *walk, GError **error)
{
    size_t n = walk->n;
    walk->n = walk->bytes = 0;
    return n == 0 || walk->taker->take(walk->taker->self, walk->pairs, n, error);
}

static bool walk_add(struct walk *walk, struct slice name, struct slice value, GError **error)
{
    walk->pairs[walk->n++] = (struct form_pair){name, value};
    walk->bytes += name.len + value.len;
    return (walk->n < WALK_PAIRS && walk->bytes < PIECE_BYTES) || walk_flush(walk, error);
}

static bool walk_string(struct walk *walk, struct reader content, GError **error)
{
    while (reader_left(&content)) {
        size_t len = MIN(reader_left(&content), (size_t)PIECE_BYTES);
        if (!walk_add(walk, reader_bytes(&content, len), SLICE_EMPTY, error))
            return false;
    }
    return true;
}

static bool walk_members(struct walk *walk, struct reader content, GError **error)
{
    uint8_t letter = walk->head.letter;
    while (reader_left(&content) && content.ok) {
        struct slice value = letter == 'z' ? reader_bytes(&content, sizeof(double)) : SLICE_EMPTY;
        struct slice name = reader_prefixed(&content);
        if (letter == 'h')
            value = reader_prefixed(&content);
        if (content.ok && !walk_add(walk, name, value, error))
            return false;
    }
    return content.ok;
}

/* An entry: its id, how many fields, those. */
static struct slice stream_entry(struct reader *content)
{
    const uint8_t *from = content->at;
    reader_varint(content);
    reader_varint(content);
    for (uint64_t n = 2 * reader_varint(content); n > 0 && content->ok; n--)
        reader_prefixed(content);
    return slice_of(from, (size_t)(content->at - from));
}

/* The tail stands behind the entries, and is wanted before them. */
static bool walk_stream(struct walk *walk, struct reader content, GError **error)
{
    uint64_t n = reader_varint(&content);
    struct reader behind = content;
    for (uint64_t i = 0; i < n && behind.ok; i++)
        stream_entry(&behind);
    walk->head.n = n;
    walk->head.tail = walk->head.whole_tail = slice_of(behind.at, reader_left(&behind));
    if (!behind.ok || !walk->taker->begin(walk->taker->self, &walk->head, error))
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (!walk_add(walk, stream_entry(&content), SLICE_EMPTY, error))
            return false;
    return walk_flush(walk, error);
}

static uint64_t count_members(struct reader content, uint8_t letter)
{
    uint64_t n = 0;
    for (; reader_left(&content) && content.ok; n++) {
        if (letter == 'z')
            reader_bytes(&content, sizeof(double));
        reader_prefixed(&content);
        if (letter == 'h')
            reader_prefixed(&content);
    }
    return n;
}

bool pieces_walk(struct slice raw, const struct pieces_taker *taker, GError **error)
{
    if (!dump_check(raw, error))
        return false;
    struct reader content = reader_of(slice_of(raw.data + LETTERS, raw.len - LETTERS));
    g_autofree struct walk *walk = g_new0(struct walk, 1);
    walk->taker = taker;
    walk->head.letter = raw.data[1];
    if (walk->head.letter == 'x')
        return walk_stream(walk, content, error);
    walk->head.n = walk->head.letter == 's' ? reader_left(&content) : count_members(content, walk->head.letter);
    if (!taker->begin(taker->self, &walk->head, error))
        return false;
    return (walk->head.letter == 's' ? walk_string : walk_members)(walk, content, error) && walk_flush(walk, error);
}
