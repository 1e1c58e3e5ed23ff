#include "store/file/csv.h"

#include "base/int.h"
#include "record/text.h"

struct csv_header {
    size_t n;
    GByteArray *fields; /* for each: the type of a string, the name, a NUL: as BSON wants it */
    size_t *ends;       /* n: where each ends in `fields` */
    GBytes *row;        /* as it stands in the file */
};

void csv_header_free(struct csv_header *header)
{
    if (!header)
        return;
    g_byte_array_unref(header->fields);
    g_clear_pointer(&header->row, g_bytes_unref);
    g_free(header->ends);
    g_free(header);
}

/* --- rows -----------------------------------------------------------------------------------------------------------
 */

/* Outside of quotes a line end ends the row; a quote opens only at the beginning of a cell. `depth` says whether the
 * search is within a cell. */
static bool quoted_row_end(struct cutter_search *search, struct slice left, size_t seen, size_t *ret_end)
{
    for (size_t i = seen; i < left.len; i++) {
        uint8_t byte = left.data[i];
        if (search->quoted) {
            const uint8_t *quote = memchr(left.data + i, '"', left.len - i);
            if (!quote)
                return false;
            i = (size_t)(quote - left.data);
            search->quoted = false;
            search->past_quote = true;
            continue;
        }
        if (byte == '\n') {
            *ret_end = i + 1;
            return true;
        }
        if (byte == '"')
            search->quoted = search->past_quote || search->depth == 0;
        search->past_quote = false;
        search->depth = byte != ',';
    }
    return false;
}

static bool row_end(struct cutter *cutter, struct slice left, size_t seen, size_t *ret_end)
{
    const uint8_t *line_end = seen == 0 && left.len > 0 ? memchr(left.data, '\n', left.len) : NULL;
    if (line_end && !cutter->search.depth && !memchr(left.data, '"', (size_t)(line_end - left.data))) {
        *ret_end = (size_t)(line_end - left.data) + 1;
        return true;
    }
    return quoted_row_end(&cutter->search, left, seen, ret_end);
}

static void strip_line_end(struct slice *text)
{
    if (text->len > 0 && text->data[text->len - 1] == '\n')
        text->len--;
    if (text->len > 0 && text->data[text->len - 1] == '\r')
        text->len--;
}

static bool row_next(struct cutter *cutter, struct piece *ret, GError **error)
{
    do {
        if (!cutter_cut_more(cutter, ret, error))
            return false;
        if (ret->kind == PIECE_END)
            return true;
        strip_line_end(&ret->text);
    } while (ret->text.len == 0);
    return true;
}

/* --- cells ----------------------------------------------------------------------------------------------------------
 */

/* A row being taken apart. */
struct cells {
    const uint8_t *begin, *at, *end;
    const char *what; /* the fault, at `at` */
};

static bool cell_fault(struct cells *cells, const uint8_t *at, const char *what)
{
    cells->at = at;
    cells->what = what;
    return false;
}

/* The inside of a quoted cell, whose opening quote has been passed. */
static uint8_t *quoted_cell(struct cells *cells, uint8_t *out)
{
    const uint8_t *opened = cells->at - 1;
    for (;;) {
        const uint8_t *quote = cells->at < cells->end ? memchr(cells->at, '"', (size_t)(cells->end - cells->at)) : NULL;
        if (!quote) {
            cell_fault(cells, opened, "a quote that is opened here is never closed");
            return NULL;
        }
        size_t len = (size_t)(quote - cells->at);
        bool doubled = quote + 1 < cells->end && quote[1] == '"';
        memcpy(out, cells->at, len + doubled);
        out += len + doubled;
        cells->at = quote + 1 + doubled;
        if (!doubled)
            return out;
    }
}

static uint8_t *plain_cell(struct cells *cells, uint8_t *out)
{
    if (cells->at == cells->end)
        return out;
    size_t left = (size_t)(cells->end - cells->at);
    const uint8_t *comma = memchr(cells->at, ',', left);
    size_t len = comma ? (size_t)(comma - cells->at) : left;
    const uint8_t *quote = memchr(cells->at, '"', len);
    if (quote) {
        cell_fault(cells, quote,
                   "a quote within a cell that does not begin with one; expected it doubled, and the cell in quotes");
        return NULL;
    }
    memcpy(out, cells->at, len);
    cells->at += len;
    return out + len;
}

/* The next cell's bytes to `out`, which has room for all that is left; its end, or NULL for a fault. *ret_last: no
 * comma follows it. */
static uint8_t *cell_take(struct cells *cells, uint8_t *out, bool *ret_last)
{
    bool quoted = cells->at < cells->end && *cells->at == '"';
    cells->at += quoted;
    out = quoted ? quoted_cell(cells, out) : plain_cell(cells, out);
    if (!out)
        return NULL;
    *ret_last = cells->at == cells->end;
    if (!*ret_last && *cells->at != ',') {
        cell_fault(cells, cells->at, "expected ',' or the end of the row after a closing quote");
        return NULL;
    }
    cells->at += !*ret_last;
    return out;
}

/* --- the header -----------------------------------------------------------------------------------------------------
 */

struct names {
    struct csv_header *header;
    GHashTable *seen;
    const char *path;
    uint64_t line;
};

static bool header_fault(const struct names *names, size_t at, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s:%" G_GUINT64_FORMAT ":%zu: the header: %s", names->path,
                     (guint64)names->line, at + 1, what);
}

static bool name_add(struct names *names, struct slice name, size_t at, GError **error)
{
    char quote[TEXT_QUOTE];
    if (name.len == 0)
        return header_fault(names, at, "a column has no name; give each one", error);
    if (memchr(name.data, '\0', name.len))
        return header_fault(names, at, "a name holds a zero byte", error);
    if (!g_hash_table_add(names->seen, g_strndup((const char *)name.data, name.len))) {
        g_autofree char *what =
            g_strdup_printf("the column '%s' stands twice; rename one of them", text_quote(name, quote));
        return header_fault(names, at, what, error);
    }
    struct csv_header *header = names->header;
    put_u8(header->fields, BSON_TYPE_UTF8);
    put_bytes(header->fields, name);
    put_u8(header->fields, 0);
    header->ends = g_renew(size_t, header->ends, header->n + 1);
    header->ends[header->n++] = header->fields->len;
    return true;
}

static bool names_read(struct names *names, struct slice text, GError **error)
{
    g_autofree uint8_t *name = g_malloc(text.len + 1);
    struct cells cells = {.begin = text.data, .at = text.data, .end = text.data + text.len};
    size_t bad;
    if (!text_is_utf8(text, &bad))
        return header_fault(names, bad, "it is not UTF-8", error);
    for (bool last = false; !last;) {
        size_t at = (size_t)(cells.at - cells.begin);
        const uint8_t *end = cell_take(&cells, name, &last);
        if (!end)
            return header_fault(names, (size_t)(cells.at - cells.begin), cells.what, error);
        if (!name_add(names, slice_of(name, (size_t)(end - name)), at, error))
            return false;
    }
    return true;
}

bool csv_header_take(struct cutter *cutter, const char *path, GError **error)
{
    struct piece piece;
    if (!cutter_next(cutter, &piece, error))
        return false;
    if (piece.kind == PIECE_END)
        return true;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    auto_(csv_header) header = g_new0(struct csv_header, 1);
    header->fields = g_byte_array_new();
    struct names names = {.header = header, .seen = seen, .path = path, .line = piece.line};
    if (piece.kind == PIECE_FAULT)
        return header_fault(&names, 0, piece.what, error);
    if (!names_read(&names, piece.text, error))
        return false;
    header->row = g_bytes_new(piece.text.data, piece.text.len);
    cutter->header = g_steal_pointer(&header);
    return true;
}

bool csv_header_has(const struct csv_header *header, struct slice name)
{
    size_t begin = 0;
    for (size_t i = 0; i < header->n; i++) {
        size_t end = header->ends[i] - 1; /* of the name, which a type precedes and a NUL follows */
        if (slice_equal(name, slice_of(header->fields->data + begin + 1, end - begin - 1)))
            return true;
        begin = header->ends[i];
    }
    return false;
}

static bool is_header_again(const struct csv_header *header, struct slice text)
{
    size_t len;
    const void *row = g_bytes_get_data(header->row, &len);
    return header->n > 1 && slice_equal(text, slice_of(row, len));
}

/* --- documents ------------------------------------------------------------------------------------------------------
 */

enum { DOCUMENT_FRAME = 5, STRING_FRAME = 5 }; /* a length and a NUL, each */

static void put_length(uint8_t *at, size_t len)
{
    guint32 little = GUINT32_TO_LE((guint32)len);
    memcpy(at, &little, sizeof little);
}

static bool row_fault(GError **error, size_t *ret_at, size_t at, const char *what)
{
    *ret_at = at;
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "%s", what);
}

static bool count_fault(const struct csv_header *header, size_t cells, bool more, GError **error)
{
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "%s%zu cells, where the header names %zu columns",
                     more ? "more than " : "", cells, header->n);
}

/* The row's elements to `out`; where they end, or NULL for a fault. */
static uint8_t *row_elements(const struct csv_header *header, struct slice text, uint8_t *out, size_t *ret_at,
                             GError **error)
{
    struct cells cells = {.begin = text.data, .at = text.data, .end = text.data + text.len};
    const uint8_t *field = header->fields->data;
    bool last = false;
    size_t i = 0;
    for (; i < header->n && !last; i++) {
        const uint8_t *field_end = header->fields->data + header->ends[i];
        memcpy(out, field, (size_t)(field_end - field));
        uint8_t *length = out + (field_end - field);
        uint8_t *end = cell_take(&cells, length + 4, &last);
        if (!end) {
            row_fault(error, ret_at, (size_t)(cells.at - cells.begin), cells.what);
            return NULL;
        }
        *end = '\0';
        put_length(length, (size_t)(end - length) - 4 + 1);
        out = end + 1;
        field = field_end;
    }
    if (i == header->n && last)
        return out;
    *ret_at = text.len;
    count_fault(header, i, !last, error);
    return NULL;
}

static bool row_document(const struct cutter *cutter, struct slice text, struct arena *mem, struct slice *ret,
                         size_t *ret_at, GError **error)
{
    const struct csv_header *header = cutter->header;
    size_t bad, room = DOCUMENT_FRAME + header->fields->len + header->n * STRING_FRAME + text.len;
    if (!text_is_utf8(text, &bad))
        return row_fault(error, ret_at, bad, "invalid UTF-8");
    *ret_at = 0;
    if (is_header_again(header, text))
        return row_fault(error, ret_at, 0, "the header row stands here again, and is no record");
    uint8_t *begin = room <= DOCUMENT_BYTES ? arena_alloc(mem, room) : NULL;
    if (!begin)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a record of %zu bytes; a record has at most 16 MiB", room);
    uint8_t *end = row_elements(header, text, begin + 4, ret_at, error);
    if (!end) {
        arena_trim(mem, begin, room, 0);
        return false;
    }
    *end++ = '\0';
    size_t len = (size_t)(end - begin);
    put_length(begin, len);
    arena_trim(mem, begin, room, len);
    *ret = slice_of(begin, len);
    return true;
}

const struct cutter_kind cutter_csv = {
    .next = row_next, .find_end = row_end, .document = row_document, .counts_lines = true};
