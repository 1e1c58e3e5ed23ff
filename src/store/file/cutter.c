#include "store/file/cutter.h"

#include "store/file/csv.h"

enum { KEPT_BYTES = 4096 };

static const struct cutter_kind *const kinds[] = {
    [FORMAT_NDJSON] = &cutter_lines,
    [FORMAT_JSON] = &cutter_json,
    [FORMAT_CSV] = &cutter_csv,
};

bool cutter_init(struct cutter *cutter, const struct cutter_wish *wish, GError **error)
{
    *cutter =
        (struct cutter){.kind = kinds[wish->format], .state = {.line = 1}, .path = wish->path, .member = wish->member};
    if (wish->member)
        cutter->state.expects = EXPECTS_MEMBER;
    window_init(&cutter->window, wish->stream, wish->offset);
    if (!window_more(&cutter->window, error))
        return false;
    struct slice left = window_left(&cutter->window);
    if (wish->offset == 0 && left.len >= 3 && memcmp(left.data, "\xef\xbb\xbf", 3) == 0)
        window_take(&cutter->window, 3);
    cutter->state.line_at = cutter->window.offset;
    return true;
}

void cutter_done(struct cutter *cutter)
{
    window_done(&cutter->window);
    csv_header_free(cutter->header);
    g_free(cutter->kept);
    *cutter = (struct cutter){0};
}

void cutter_pass(struct cutter *cutter, size_t n)
{
    const uint8_t *begin = window_left(&cutter->window).data, *end = begin + n;
    for (const uint8_t *at = begin; at < end && (at = memchr(at, '\n', (size_t)(end - at))); at++) {
        cutter->state.line++;
        cutter->state.line_at = cutter->window.offset + (size_t)(at + 1 - begin);
    }
    window_take(&cutter->window, n);
}

struct piece cutter_piece(const struct cutter *cutter, enum piece_kind kind, size_t len)
{
    return (struct piece){.kind = kind,
                          .text = slice_of(window_left(&cutter->window).data, len),
                          .offset = cutter->window.offset,
                          .line = cutter->state.line,
                          .column = cutter->window.offset - cutter->state.line_at + 1};
}

void cutter_fault(struct piece *piece, const char *what)
{
    piece->kind = PIECE_FAULT;
    piece->code = SLUICE_ERROR_BAD_RECORD;
    piece->what = what;
}

static void pass(struct cutter *cutter, size_t n)
{
    if (cutter->kind->counts_lines)
        cutter_pass(cutter, n);
    else
        window_take(&cutter->window, n);
}

/* Too much of one record: its beginning is kept for the quarantine, the rest goes. */
static void drop(struct cutter *cutter, struct piece *piece, struct slice left)
{
    if (!cutter->kept)
        cutter->kept = g_malloc(KEPT_BYTES);
    if (piece->text.len == 0) {
        memcpy(cutter->kept, left.data, KEPT_BYTES);
        piece->text = slice_of(cutter->kept, KEPT_BYTES);
    }
    pass(cutter, left.len);
}

static void too_big(struct cutter *cutter, struct piece *piece)
{
    g_snprintf(cutter->said, sizeof cutter->said,
               "a record of %" G_GUINT64_FORMAT " bytes; a record has at most 16 MiB",
               (guint64)(cutter->window.offset - piece->offset));
    piece->kind = PIECE_FAULT;
    piece->code = SLUICE_ERROR_TOO_BIG;
    piece->what = cutter->said;
}

bool cutter_cut(struct cutter *cutter, struct piece *ret, GError **error)
{
    struct window *window = &cutter->window;
    *ret = cutter_piece(cutter, PIECE_RECORD, 0);
    cutter->search = (struct cutter_search){0};
    size_t seen = 0, end;
    while (!cutter->kind->find_end(cutter, window_left(window), seen, &end)) {
        seen = end = window->have - window->at;
        if (window->ended)
            break;
        if (seen > DOCUMENT_BYTES) {
            drop(cutter, ret, window_left(window));
            seen = 0;
        }
        if (!window_more(window, error))
            return false;
    }
    if (ret->text.len == 0)
        ret->text = slice_of(window_left(window).data, end);
    pass(cutter, end);
    if (window->offset - ret->offset > ret->text.len)
        too_big(cutter, ret);
    return true;
}

bool cutter_cut_more(struct cutter *cutter, struct piece *ret, GError **error)
{
    if (!cutter_cut(cutter, ret, error))
        return false;
    if (ret->text.len == 0)
        ret->kind = PIECE_END;
    return true;
}

bool cutter_next(struct cutter *cutter, struct piece *ret, GError **error)
{
    return cutter->kind->next(cutter, ret, error);
}

bool cutter_document(const struct cutter *cutter, struct slice text, struct arena *mem, struct slice *ret,
                     size_t *ret_at, GError **error)
{
    return cutter->kind->document(cutter, text, mem, ret, ret_at, error);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static bool line_end(struct cutter *cutter, struct slice left, size_t seen, size_t *ret_end)
{
    const uint8_t *at = left.len > seen ? memchr(left.data + seen, '\n', left.len - seen) : NULL;
    if (at)
        *ret_end = (size_t)(at - left.data) + 1;
    return at != NULL;
}

static bool is_blank(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\r' && text.data[i] != '\n')
            return false;
    return true;
}

static bool line_next(struct cutter *cutter, struct piece *ret, GError **error)
{
    do {
        if (!cutter_cut_more(cutter, ret, error))
            return false;
        if (ret->kind == PIECE_END)
            return true;
        cutter->state.line++;
        cutter->state.line_at = cutter->window.offset;
    } while (ret->kind == PIECE_RECORD && is_blank(ret->text));
    if (ret->text.data[ret->text.len - 1] == '\n')
        ret->text.len--;
    return true;
}

bool cutter_json_document(const struct cutter *cutter, struct slice text, struct arena *mem, struct slice *ret,
                          size_t *ret_at, GError **error)
{
    return document_from_json(text, mem, ret, ret_at, error);
}

const struct cutter_kind cutter_lines = {.next = line_next, .find_end = line_end, .document = cutter_json_document};
