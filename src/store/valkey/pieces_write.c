#include "store/valkey/pieces_write.h"

#include "base/int.h"

enum { CLAIMED_AT_ONCE = 100 };

/* --- commands ----------------------------------------------------------------------------------------------------- */

void pieces_commands_init(struct pieces_commands *commands, struct arena *mem)
{
    *commands = (struct pieces_commands){.mem = mem,
                                         .args = g_array_new(FALSE, FALSE, sizeof(struct slice)),
                                         .ends = g_array_new(FALSE, FALSE, sizeof(size_t))};
}

void pieces_commands_done(struct pieces_commands *commands)
{
    g_array_unref(commands->args);
    g_array_unref(commands->ends);
    g_clear_error(&commands->failed);
}

void pieces_commands_reset(struct pieces_commands *commands)
{
    g_array_set_size(commands->args, 0);
    g_array_set_size(commands->ends, 0);
    arena_reset(commands->mem);
    commands->full = false;
}

void pieces_commands_bytes(struct pieces_commands *commands, struct slice bytes)
{
    g_array_append_val(commands->args, bytes);
}

void pieces_commands_text(struct pieces_commands *commands, const char *text)
{
    struct slice copy = SLICE_EMPTY;
    commands->full |= !arena_copy(commands->mem, slice_of_text(text), &copy);
    pieces_commands_bytes(commands, copy);
}

void pieces_commands_number(struct pieces_commands *commands, uint64_t number)
{
    char text[24];
    g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, number);
    pieces_commands_text(commands, text);
}

void pieces_commands_end(struct pieces_commands *commands)
{
    size_t end = commands->args->len;
    g_array_append_val(commands->ends, end);
    if (!commands->send || commands->sending || commands->ends->len < PIECES_PIPELINE)
        return;
    commands->sending = true;
    (void)!(commands->failed || commands->send(commands->self, &commands->failed));
    commands->sending = false;
    pieces_commands_reset(commands);
}

static void begin(struct pieces_commands *into, const char *name, struct slice hidden)
{
    pieces_commands_text(into, name);
    pieces_commands_bytes(into, hidden);
}

/* --- members ------------------------------------------------------------------------------------------------------ */

static void put_score(struct pieces_commands *into, struct slice bytes)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_formatd(text, sizeof text, "%.17g", dump_score(bytes));
    pieces_commands_text(into, text);
}

void pieces_write_members(struct pieces_commands *into, struct slice hidden, uint8_t letter,
                          const struct form_pair *pairs, size_t n)
{
    begin(into, letter == 'l' ? "RPUSH" : letter == 't' ? "SADD" : letter == 'h' ? "HSET" : "ZADD", hidden);
    for (size_t i = 0; i < n; i++) {
        if (letter == 'z')
            put_score(into, pairs[i].value);
        pieces_commands_bytes(into, pairs[i].name);
        if (letter == 'h')
            pieces_commands_bytes(into, pairs[i].value);
    }
    pieces_commands_end(into);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

struct id {
    uint64_t ms, seq;
};

struct pieces_stream {
    GByteArray *told;
    size_t groups;                  /* where in `told` they begin */
    GByteArray *whole;              /* the groups, with when a consumer was seen */
    bool shell;                     /* they are in it already */
    struct id last, deleted, first; /* first: of the entries; none yet: all ones */
    uint64_t added, n, n_consumers;
    GArray *pending; /* of struct id, sorted, each once */
    guint at;        /* of these, those before are behind the entries that were written */
    GArray *ghosts;  /* of struct id: put in, to be taken out */
};

static int compare(struct id a, struct id b)
{
    return a.ms != b.ms ? (a.ms > b.ms) - (a.ms < b.ms) : (a.seq > b.seq) - (a.seq < b.seq);
}

static int by_id(const void *a, const void *b)
{
    return compare(*(const struct id *)a, *(const struct id *)b);
}

static struct id take_id(struct reader *reader)
{
    uint64_t ms = reader_varint(reader);
    return (struct id){ms, reader_varint(reader)};
}

static void put_id(struct pieces_commands *into, struct id id)
{
    char text[48];
    g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, id.ms, id.seq);
    pieces_commands_text(into, text);
}

/* What stands between two places of a reader, appended. */
static void copy(GByteArray *into, const uint8_t *from, const struct reader *to)
{
    put_bytes(into, slice_of(from, (size_t)(to->at - from)));
}

static void gather_consumer(struct pieces_stream *stream, struct reader *tail)
{
    const uint8_t *from = tail->at;
    reader_prefixed(tail);
    copy(stream->told, from, tail);
    reader_varint(tail); /* when it was last seen */
    put_varint(stream->told, 0);
    from = tail->at;
    for (uint64_t n = reader_varint(tail); n > 0 && tail->ok; n--) {
        struct id id = take_id(tail);
        reader_varint(tail);
        reader_varint(tail);
        g_array_append_val(stream->pending, id);
    }
    copy(stream->told, from, tail);
}

static void gather_groups(struct pieces_stream *stream, struct reader *tail)
{
    const uint8_t *from = tail->at;
    uint64_t groups = reader_varint(tail);
    copy(stream->told, from, tail);
    for (uint64_t g = 0; g < groups && tail->ok; g++) {
        from = tail->at;
        reader_prefixed(tail);
        take_id(tail);
        reader_varint(tail);
        uint64_t consumers = reader_varint(tail);
        copy(stream->told, from, tail);
        stream->n_consumers += consumers;
        for (uint64_t c = 0; c < consumers && tail->ok; c++)
            gather_consumer(stream, tail);
    }
}

static bool gather(struct pieces_stream *stream, struct slice bytes)
{
    struct reader tail = reader_of(bytes);
    stream->last = take_id(&tail);
    stream->deleted = take_id(&tail);
    stream->added = reader_varint(&tail);
    copy(stream->told, bytes.data, &tail);
    stream->groups = stream->told->len;
    gather_groups(stream, &tail);
    g_array_sort(stream->pending, by_id);
    return tail.ok && reader_left(&tail) == 0;
}

/* From the groups on. */
static void keep_whole(struct pieces_stream *stream, struct slice bytes)
{
    struct reader tail = reader_of(bytes);
    take_id(&tail);
    take_id(&tail);
    reader_varint(&tail);
    put_bytes(stream->whole, reader_bytes(&tail, reader_left(&tail)));
}

struct pieces_stream *pieces_stream_new(const struct pieces_head *head, GError **error)
{
    auto_(pieces_stream) stream = g_new0(struct pieces_stream, 1);
    stream->told = g_byte_array_new();
    stream->whole = g_byte_array_new();
    stream->pending = g_array_new(FALSE, FALSE, sizeof(struct id));
    stream->ghosts = g_array_new(FALSE, FALSE, sizeof(struct id));
    stream->first = (struct id){UINT64_MAX, UINT64_MAX};
    keep_whole(stream, head->whole_tail);
    if (gather(stream, head->tail))
        return g_steal_pointer(&stream);
    error_set(error, SLUICE_ERROR_BAD_RECORD, "these are not the groups of a stream");
    return NULL;
}

void pieces_stream_free(struct pieces_stream *stream)
{
    if (!stream)
        return;
    g_byte_array_unref(stream->told);
    g_byte_array_unref(stream->whole);
    g_array_unref(stream->pending);
    g_array_unref(stream->ghosts);
    g_free(stream);
}

struct slice pieces_stream_told(const struct pieces_stream *stream)
{
    return slice_of(stream->told->data, stream->told->len);
}

uint64_t pieces_stream_pending(const struct pieces_stream *stream)
{
    return stream->pending->len;
}

bool pieces_stream_has_consumers(const struct pieces_stream *stream)
{
    return stream->n_consumers > 0;
}

bool pieces_write_shell(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden,
                        uint64_t expires_ms, GError **error)
{
    static const uint8_t NOTHING[] = {FORM_RAW_OPAQUE, 'x', 0, 0, 0, 0, 0, 0}; /* entries, last, deleted, added */
    g_autoptr(GByteArray) raw = g_byte_array_new();
    struct slice payload;
    put_bytes(raw, slice_of(NOTHING, sizeof NOTHING));
    put_bytes(raw, slice_of(stream->whole->data, stream->whole->len));
    if (!dump_write(slice_of(raw->data, raw->len), into->mem, &payload, error))
        return false;
    begin(into, "RESTORE", hidden);
    pieces_commands_number(into, expires_ms);
    pieces_commands_bytes(into, payload);
    pieces_commands_end(into);
    return stream->shell = true;
}

static void put_ghost(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden, struct id id)
{
    begin(into, "XADD", hidden);
    put_id(into, id);
    pieces_commands_text(into, "-");
    pieces_commands_text(into, "-");
    pieces_commands_end(into);
    g_array_append_val(stream->ghosts, id);
}

/* Those up to `below`, which is an entry (or the end). */
static void put_ghosts(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden, struct id below)
{
    const struct id *ghosts = (const struct id *)(const void *)stream->pending->data;
    for (; !stream->shell && stream->at < stream->pending->len && compare(ghosts[stream->at], below) <= 0;
         stream->at++) {
        struct id id = ghosts[stream->at];
        bool again = stream->at > 0 && compare(ghosts[stream->at - 1], id) == 0;
        if (compare(id, below) < 0 && !again)
            put_ghost(stream, into, hidden, id);
    }
}

void pieces_write_entries(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden,
                          const struct form_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct reader entry = reader_of(pairs[i].name);
        struct id id = take_id(&entry);
        put_ghosts(stream, into, hidden, id);
        if (stream->n++ == 0)
            stream->first = id;
        begin(into, "XADD", hidden);
        put_id(into, id);
        for (uint64_t left = 2 * reader_varint(&entry); left > 0 && entry.ok; left--)
            pieces_commands_bytes(into, reader_prefixed(&entry));
        pieces_commands_end(into);
    }
}

/* Those that follow each other and were delivered at the same moment, as often. */
static uint64_t write_pending(struct pieces_commands *into, struct slice hidden, const struct slice names[2],
                              uint64_t left, struct reader *tail)
{
    uint64_t n = 0, delivered_ms = 0, times = 0;
    begin(into, "XCLAIM", hidden);
    pieces_commands_bytes(into, names[0]);
    pieces_commands_bytes(into, names[1]);
    pieces_commands_text(into, "0");
    for (; n < MIN(left, (uint64_t)CLAIMED_AT_ONCE) && tail->ok; n++) {
        struct reader next = *tail;
        struct id id = take_id(&next);
        uint64_t at = reader_varint(&next), often = reader_varint(&next);
        if (n > 0 && (at != delivered_ms || often != times))
            break;
        delivered_ms = at;
        times = often;
        put_id(into, id);
        *tail = next;
    }
    pieces_commands_text(into, "TIME");
    pieces_commands_number(into, delivered_ms);
    pieces_commands_text(into, "RETRYCOUNT");
    pieces_commands_number(into, times);
    pieces_commands_text(into, "FORCE");
    pieces_commands_text(into, "JUSTID");
    pieces_commands_end(into);
    return n;
}

static void write_consumer(struct pieces_commands *into, struct slice hidden, struct slice group, struct reader *tail)
{
    struct slice name = reader_prefixed(tail);
    reader_varint(tail); /* when it was last seen */
    pieces_commands_text(into, "XGROUP");
    pieces_commands_text(into, "CREATECONSUMER");
    pieces_commands_bytes(into, hidden);
    pieces_commands_bytes(into, group);
    pieces_commands_bytes(into, name);
    pieces_commands_end(into);
    const struct slice names[] = {group, name};
    for (uint64_t n = reader_varint(tail); n > 0 && tail->ok;)
        n -= write_pending(into, hidden, names, n, tail);
}

static void write_group(struct pieces_commands *into, struct slice hidden, struct reader *tail)
{
    struct slice name = reader_prefixed(tail);
    pieces_commands_text(into, "XGROUP");
    pieces_commands_text(into, "CREATE");
    pieces_commands_bytes(into, hidden);
    pieces_commands_bytes(into, name);
    put_id(into, take_id(tail));
    uint64_t read = reader_varint(tail);
    if (read != UINT64_MAX) {
        pieces_commands_text(into, "ENTRIESREAD");
        pieces_commands_number(into, read);
    }
    pieces_commands_end(into);
    for (uint64_t n = reader_varint(tail); n > 0; n--)
        write_consumer(into, hidden, name, tail);
}

/* Those before the first entry by XTRIM, which leaves no trace of them; between entries there is one already. */
static void remove_ghosts(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden)
{
    bool front = false;
    for (guint i = 0; i < stream->ghosts->len; i++) {
        struct id id = g_array_index(stream->ghosts, struct id, i);
        bool before = compare(id, stream->first) < 0;
        front |= before;
        if (before)
            continue;
        begin(into, "XDEL", hidden);
        put_id(into, id);
        pieces_commands_end(into);
    }
    if (!front)
        return;
    begin(into, "XTRIM", hidden);
    pieces_commands_text(into, stream->n ? "MINID" : "MAXLEN");
    if (stream->n)
        put_id(into, stream->first);
    else
        pieces_commands_text(into, "0");
    pieces_commands_end(into);
}

void pieces_write_tail(struct pieces_stream *stream, struct pieces_commands *into, struct slice hidden)
{
    struct reader tail = reader_of(slice_of(stream->told->data + stream->groups, stream->told->len - stream->groups));
    put_ghosts(stream, into, hidden, (struct id){UINT64_MAX, UINT64_MAX});
    if (!stream->shell && stream->n == 0 && stream->ghosts->len == 0) /* nothing else makes one without entries */
        put_ghost(stream, into, hidden, (struct id){0, 1});
    for (uint64_t n = stream->shell ? 0 : reader_varint(&tail); n > 0; n--)
        write_group(into, hidden, &tail);
    remove_ghosts(stream, into, hidden);
    begin(into, "XSETID", hidden);
    put_id(into, stream->last);
    pieces_commands_text(into, "ENTRIESADDED");
    pieces_commands_number(into, stream->added);
    pieces_commands_text(into, "MAXDELETEDID");
    put_id(into, stream->deleted);
    pieces_commands_end(into);
}
