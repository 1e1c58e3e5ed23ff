#include "quarantine/sealed.h"

#include "base/int.h"
#include "record/digest.h"
#include "record/key.h"

#define LINE_VERSION 1
#define CHECK_OPEN   "{\"check\":\""
#define DOCUMENT     ",\"document\":"
enum { CHECK_LEN = DIGEST_TEXT - 1, FEED_STEP = 256 * 1024 };

char *line_first(const struct line_whose *whose)
{
    char uid[DIGEST_TEXT];
    g_autofree char *sealed = whose->sealed_as ? g_strdup_printf(",\"sealed\":\"%s\"", whose->sealed_as) : g_strdup("");
    return g_strdup_printf("{\"quarantine\":%d,\"run\":\"%s\"%s}\n", LINE_VERSION,
                           digest_text(digest_get(whose->run_uid), uid), sealed);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void append_text(bson_t *into, const char *name, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    BSON_APPEND_UTF8(into, name, valid);
}

static bool append_head(GString *into, const struct line_head *head)
{
    int64_t checkpoint, number;
    if (!int_to_i64(head->checkpoint, &checkpoint) || !int_to_i64(head->number, &number))
        return false;
    g_string_append_printf(into,
                           "\"part\":%u,\"lane\":%u,\"checkpoint\":%" G_GINT64_FORMAT ",\"number\":%" G_GINT64_FORMAT,
                           head->part, head->lane, (gint64)checkpoint, (gint64)number);
    return true;
}

/* Everything but the document and what was read. */
static bool append_row(bson_t *into, const struct quarantine_row *row)
{
    int64_t line;
    if (!int_to_i64(row->line, &line))
        return false;
    if (row->key.len || !row->file) /* of a keyed store it may be the empty one */
        key_show(row->key, "key", into);
    append_text(into, "code", error_row(row->code)->name);
    append_text(into, "reason", row->reason);
    if (row->file)
        append_text(into, "file", row->file);
    if (row->line)
        BSON_APPEND_INT64(into, "line", line);
    if (row->column)
        BSON_APPEND_INT64(into, "column", row->column);
    return true;
}

/* A document that JSON cannot show (bytes of a store that are none) is kept as what was read. */
static bool append_document(GString *into, const struct quarantine_row *row)
{
    gsize before = into->len;
    if (row->document.len == 0)
        return false;
    g_string_append(into, DOCUMENT);
    if (document_to_json(row->document, into, NULL))
        return true;
    g_string_truncate(into, before);
    return false;
}

static void append_raw(GString *into, const struct quarantine_row *row)
{
    struct slice raw = row->document.len ? row->document : row->raw;
    if (raw.len == 0)
        return;
    g_autofree char *text = g_base64_encode(raw.data, MIN(raw.len, QUARANTINE_RAW_BYTES));
    g_string_append_printf(into, ",\"raw_base64\":\"%s\"", text);
}

/* The check stands before what it covers: its place is kept and filled in at the end. */
void line_check(GString *text, gsize begin)
{
    char sum[DIGEST_TEXT];
    gsize covered = begin + strlen(CHECK_OPEN) + CHECK_LEN + strlen("\",");
    digest_text(digest_bytes(slice_of(text->str + covered, text->len - covered), 0), sum);
    memcpy(text->str + begin + strlen(CHECK_OPEN), sum, CHECK_LEN);
}

/* Behind the numbers of the row. */
static bool append_fields(GString *into, const struct quarantine_row *row, GError **error)
{
    bson_t meta;
    gsize brace = into->len;
    bson_init(&meta);
    bool ok = append_row(&meta, row) || error_set(error, SLUICE_ERROR_INTERNAL, "a line's number is out of range");
    ok = ok && document_to_json(slice_of(bson_get_data(&meta), meta.len), into, error);
    bson_destroy(&meta);
    if (!ok)
        return false;
    into->str[brace] = ',';
    g_string_truncate(into, into->len - 1);
    if (!append_document(into, row))
        append_raw(into, row);
    return true;
}

bool line_put(const struct line_whose *whose, const struct line_head *head, const struct quarantine_row *row,
              GString *into, GError **error)
{
    gsize begin = into->len;
    g_string_append_printf(into, CHECK_OPEN "%*s\",", CHECK_LEN, "");
    if (!append_head(into, head))
        return error_set(error, SLUICE_ERROR_INTERNAL,
                         "a number of a quarantined record of partition %u is out of range", head->part);
    gsize fields = into->len;
    if (!append_fields(into, row, error))
        return false;
    line_seal(whose, head, into, fields);
    g_string_append_c(into, '}');
    line_check(into, begin);
    g_string_append_c(into, '\n');
    return true;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static bool skip(struct slice *io, const char *text)
{
    size_t len = strlen(text);
    if (io->len < len || memcmp(io->data, text, len) != 0)
        return false;
    *io = slice_of(io->data + len, io->len - len);
    return true;
}

static bool take_number(struct slice *io, const char *name, uint64_t *ret)
{
    size_t len = 0;
    if (!skip(io, name))
        return false;
    while (len < io->len && g_ascii_isdigit((char)io->data[len]))
        len++;
    if (!int_parse_u64(slice_of(io->data, len), ret))
        return false;
    *io = slice_of(io->data + len, io->len - len);
    return true;
}

/* Behind the check. */
static bool take_head(struct slice *io, struct line_head *ret)
{
    uint64_t part, lane;
    return take_number(io, "\"part\":", &part) && take_number(io, ",\"lane\":", &lane) &&
           take_number(io, ",\"checkpoint\":", &ret->checkpoint) && take_number(io, ",\"number\":", &ret->number) &&
           int_to_u32(part, &ret->part) && int_to_u32(lane, &ret->lane);
}

static bool take_check(struct slice *io, struct slice *ret)
{
    if (!skip(io, CHECK_OPEN) || io->len < CHECK_LEN)
        return false;
    *ret = slice_of(io->data, CHECK_LEN);
    *io = slice_of(io->data + CHECK_LEN, io->len - CHECK_LEN);
    return skip(io, "\",");
}

bool line_get(struct slice line, struct line_head *ret)
{
    struct line_head head;
    struct slice check;
    char text[DIGEST_TEXT];
    if (!take_check(&line, &check) || !slice_equal(check, slice_of_text(digest_text(digest_bytes(line, 0), text))) ||
        !take_head(&line, &head))
        return false;
    *ret = head;
    return true;
}

bool line_rest(struct slice line, struct line_head *ret, struct slice *ret_rest)
{
    struct line_head head;
    struct slice check;
    if (!take_check(&line, &check) || !take_head(&line, &head))
        return false;
    *ret = head;
    *ret_rest = line;
    return true;
}

static const char *text_of(const bson_t *meta, const char *name)
{
    bson_iter_t at;
    return bson_iter_init_find(&at, meta, name) && BSON_ITER_HOLDS_UTF8(&at) ? bson_iter_utf8(&at, NULL) : NULL;
}

static uint64_t number_of(const bson_t *meta, const char *name)
{
    bson_iter_t at;
    bool is = bson_iter_init_find(&at, meta, name) && BSON_ITER_HOLDS_INT64(&at);
    return is ? (uint64_t)bson_iter_int64(&at) : 0;
}

static bool entry_of(const bson_t *meta, struct arena *mem, struct quarantine_entry *ret)
{
    bson_iter_t at;
    ret->number = number_of(meta, "number");
    ret->checkpoint = number_of(meta, "checkpoint");
    ret->line = number_of(meta, "line");
    ret->code = text_of(meta, "code");
    ret->reason = text_of(meta, "reason");
    ret->file = text_of(meta, "file");
    if (bson_iter_init_find(&at, meta, "key") && !key_shown(&at, mem, &ret->key))
        return false;
    return int_to_u32(number_of(meta, "part"), &ret->part) && int_to_u32(number_of(meta, "lane"), &ret->lane) &&
           int_to_u32(number_of(meta, "column"), &ret->column) && ret->code && ret->reason;
}

static bool take_raw(const bson_t *meta, struct arena *mem, struct slice *ret)
{
    const char *text = text_of(meta, "raw_base64");
    if (!text)
        return true;
    size_t len;
    g_autofree uint8_t *raw = g_base64_decode(text, &len);
    return arena_copy(mem, slice_of(raw, len), ret);
}

/* The row without its document, as JSON text of its own. */
static bool cut_document(struct slice text, struct arena *mem, struct slice *ret_meta, struct slice *ret_document)
{
    const uint8_t *at = memmem(text.data, text.len, DOCUMENT, strlen(DOCUMENT));
    if (!at) {
        *ret_meta = text;
        return true;
    }
    size_t len = (size_t)(at - text.data), skipped = len + strlen(DOCUMENT);
    uint8_t *meta = arena_alloc(mem, len + 1);
    if (!meta)
        return false;
    memcpy(meta, text.data, len);
    meta[len] = '}';
    *ret_meta = slice_of(meta, len + 1);
    *ret_document = slice_of(text.data + skipped, text.len - skipped - 1);
    return true;
}

/* The row verified: what cannot be parsed was not written by line_put(), or finds no room. */
static bool not_parsed(struct slice meta, struct arena *mem, struct slice line, GError **error)
{
    if (!arena_alloc(mem, meta.len))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a quarantined record of %zu bytes needs more memory", line.len);
    return error_set(error, SLUICE_ERROR_CORRUPT, "a line of %zu bytes verifies, but is no quarantined record",
                     line.len);
}

bool line_parse(const struct line_whose *whose, struct slice line, struct arena *mem, struct quarantine_entry *ret,
                GError **error)
{
    struct quarantine_entry entry = {.number = 0};
    struct slice text = line, meta;
    bson_t view;
    if (!line_unseal(whose, line, mem, &text, error))
        return false;
    line = text;
    if (!arena_copy(mem, line, &entry.text) || !cut_document(entry.text, mem, &text, &entry.document) ||
        !document_from_json(text, mem, &meta, NULL, NULL) || !document_view(meta, &view) ||
        !entry_of(&view, mem, &entry) || !take_raw(&view, mem, &entry.raw))
        return not_parsed(text, mem, line, error);
    *ret = entry;
    return true;
}

/* --- lines of a file ---------------------------------------------------------------------------------------------- */

void line_feed_init(struct line_feed *feed, struct file *file)
{
    *feed = (struct line_feed){.file = file};
}

void line_feed_done(struct line_feed *feed)
{
    g_free(feed->bytes);
}

uint64_t line_feed_here(const struct line_feed *feed)
{
    return feed->offset + feed->at;
}

/* Goes on reading behind what is held. *ret_more false: there is nothing, or no room. */
static bool feed_fill(struct line_feed *feed, bool *ret_more, GError **error)
{
    if (feed->at) {
        memmove(feed->bytes, feed->bytes + feed->at, feed->len - feed->at);
        feed->offset += feed->at;
        feed->len -= feed->at;
        feed->at = 0;
    }
    if (feed->len == feed->room) {
        size_t room = MIN(MAX(feed->room * 2, (size_t)FEED_STEP), LINE_MOST);
        uint8_t *grown = room > feed->room ? g_try_realloc(feed->bytes, room) : NULL;
        *ret_more = grown;
        if (!grown)
            return true;
        feed->bytes = grown;
        feed->room = room;
    }
    size_t got;
    if (!file_read_at(feed->file, feed->offset + feed->len, feed->bytes + feed->len, feed->room - feed->len, &got,
                      error))
        return false;
    feed->len += got;
    *ret_more = got > 0;
    return true;
}

enum line_result line_next(struct line_feed *feed, struct slice *ret, GError **error)
{
    const uint8_t *end = NULL;
    bool more = true;
    for (size_t seen = 0;;) {
        size_t held = feed->len - feed->at;
        if (held > seen)
            end = memchr(feed->bytes + feed->at + seen, '\n', held - seen);
        if (end || !more)
            break;
        seen = held;
        if (!feed_fill(feed, &more, error))
            return LINE_FAILED;
    }
    const uint8_t *begin = feed->bytes + feed->at;
    size_t len = end ? (size_t)(end - begin) : feed->len - feed->at;
    *ret = slice_of(begin, len);
    feed->at += end ? len + 1 : len;
    if (end || len == LINE_MOST)
        return LINE_OK;
    return len ? LINE_TORN : LINE_END;
}

enum line_result line_open(struct line_feed *feed, const struct line_whose *whose, GError **error)
{
    struct slice line;
    enum line_result result = line_next(feed, &line, error);
    if (result != LINE_OK)
        return result;
    g_autofree char *first = line_first(whose);
    if (slice_equal(line, slice_of(first, strlen(first) - 1)))
        return LINE_OK;
    error_set(error, SLUICE_ERROR_CORRUPT,
              "%s:1: not the quarantine of this run (or of a newer sluice): expected %.*s; move the file away to go on "
              "without it",
              file_path(feed->file), (int)strlen(first) - 1, first);
    return LINE_FAILED;
}
