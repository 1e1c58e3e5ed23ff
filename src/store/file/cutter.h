/* Inside store/file/: cuts a window's bytes into the texts of records, and makes documents of them. One kind a format:
 * lines (cutter.c), JSON (cut_json.c), CSV (csv.c). */
#pragma once

#include "store/file/window.h"

enum piece_kind {
    PIECE_RECORD, /* text is a record's, to be parsed */
    PIECE_FAULT,  /* there is a record that cannot be read, or something that is none */
    PIECE_END
};

struct piece {
    enum piece_kind kind;
    struct slice text;    /* in the window, until the next call; of a PIECE_FAULT its beginning, or nothing */
    uint64_t offset;      /* of the text in the unpacked data */
    uint64_t line;        /* on which it begins, from 1 … */
    uint64_t column;      /* … and where on it, from 1 */
    enum error_code code; /* of a PIECE_FAULT */
    const char *what;
};

struct csv_header;
struct cutter_kind;
struct path;

/* JSON: what may come next. Durable: it stands in cursors. Without a member, up to EXPECTS_VALUE. */
enum expects {
    EXPECTS_TOP,     /* outside of any array */
    EXPECTS_FIRST,   /* an array has just been opened */
    EXPECTS_COMMA,   /* or the end of the array */
    EXPECTS_VALUE,   /* behind a comma */
    EXPECTS_MEMBER,  /* before the member */
    EXPECTS_NOTHING, /* behind all */
};

/* Where a cutter stands; with the window's offset all that it takes to go on. */
struct cutter_state {
    uint64_t line;
    uint64_t line_at; /* the offset at which it begins */
    uint8_t expects;  /* enum expects */
};

/* How far the end of one record has been looked for. */
struct cutter_search {
    uint64_t depth;
    uint64_t objects[2]; /* which of the lowest 128 levels are objects, the others being arrays */
    bool quoted, escaped, past_quote;
};

struct cutter {
    const struct cutter_kind *kind;
    struct window window;
    struct cutter_state state;
    struct cutter_search search;
    struct csv_header *header; /* CSV: owned */
    const struct path *member; /* JSON: the list that holds the records; NULL: the file itself does; borrowed */
    const char *path;          /* of the file, for faults of the whole; borrowed */
    uint8_t *kept;             /* the beginning of a record that was too big */
    char said[96];             /* the newest fault */
};

struct cutter_kind {
    bool (*next)(struct cutter *, struct piece *ret, GError **);
    /* Looks for the end of the record at the front of `left`, of which the first `seen` bytes have been looked at
     * before. true: *ret_end is behind it and its terminator. */
    bool (*find_end)(struct cutter *, struct slice left, size_t seen, size_t *ret_end);
    bool (*document)(const struct cutter *, struct slice text, struct arena *mem, struct slice *ret, size_t *ret_at,
                     GError **);
    bool counts_lines; /* a record may go over several lines */
};

extern const struct cutter_kind cutter_lines, cutter_json, cutter_csv;

/* At the beginning of a stream whose first byte has that offset. A BOM at offset 0 is passed over. */
struct cutter_wish {
    enum file_format format;
    const char *path;
    struct file_stream *stream;
    uint64_t offset;
    const struct path *member; /* NULL: none */
};
bool cutter_init(struct cutter *cutter, const struct cutter_wish *wish, GError **error);
void cutter_done(struct cutter *cutter);

/* The next record, fault, or the end. */
bool cutter_next(struct cutter *cutter, struct piece *ret, GError **error);

/* The document of a PIECE_RECORD's text. *ret_at: where in the text the fault is. Errors of class record only. */
bool cutter_document(const struct cutter *cutter, struct slice text, struct arena *mem, struct slice *ret,
                     size_t *ret_at, GError **error);

/* --- for the kinds ------------------------------------------------------------------------------------------------ */

/* Cuts off the record at the front, terminator included, with find_end(); one above DOCUMENT_BYTES is a PIECE_FAULT. At
 * the end of the data the record ends too. */
bool cutter_cut(struct cutter *cutter, struct piece *ret, GError **error);
/* The same; where nothing is left, it is a PIECE_END. */
bool cutter_cut_more(struct cutter *cutter, struct piece *ret, GError **error);

/* A piece of the next `len` bytes in the window. */
struct piece cutter_piece(const struct cutter *cutter, enum piece_kind kind, size_t len);

/* Makes a fault of the piece. */
void cutter_fault(struct piece *piece, const char *what);

/* Passes over `n` bytes of what is left in the window, and counts their lines. */
void cutter_pass(struct cutter *cutter, size_t n);

/* cut_json.c: stands at the first byte that is not blank, or at the end. */
bool cutter_json_blanks(struct cutter *cutter, GError **error);

/* cut_member.c. Before the list: goes to it, and behind its '['. CORRUPT, with the place, where the file has no such
 * list. Behind it: passes over the rest, which becomes the end, or a fault where it is not what an object ends with. */
bool cutter_member_seek(struct cutter *cutter, GError **error);
bool cutter_member_rest(struct cutter *cutter, struct piece *ret, GError **error);

bool cutter_json_document(const struct cutter *cutter, struct slice text, struct arena *mem, struct slice *ret,
                          size_t *ret_at, GError **error);
