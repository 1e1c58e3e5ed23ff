#include "store/file/csv.h"
#include "store/file/file_store.h"
#include "store/file/source.h"

enum {
    BATCH_MOST = 16384, /* records of a batch, whatever is asked for */
    ASK_EACH = 256,     /* records between two looks at the deadline */
    FAULT_RAW_BYTES = 4096,
};

/* Goes over one part, one file as it stands, or over all files of the dataset as they are when it is opened. */
struct file_scan {
    struct scan_base base;
    struct file_session *session;
    const struct dataset *ds;
    char *ds_name;
    GByteArray *bounds; /* as asked for */
    GPtrArray *files;   /* of struct file_name *: of the whole dataset, or one as it stands; NULL for a frozen part */
    struct file_name *only; /* of a part */
    char *only_name;
    struct file_range range; /* of a part */
    size_t max_records, max_bytes;
    struct path *member; /* of the dataset; NULL: none */

    struct source source;
    bool opened;
    struct file_place place; /* behind the last record taken; where the next source is opened */
    bool resumed;            /* place is not the beginning of a file */
    struct piece held;       /* cut off, but did not fit into the last batch */
    bool holds;
    struct file_place given; /* behind the last record given out, to which a batch that fails goes back */
    bool gave;
};

/* --- opening --------------------------------------------------------------------------------------------------------
 */

static size_t scan_files(const struct file_scan *scan)
{
    return scan->files ? scan->files->len : 1;
}

static const struct file_name *scan_file(const struct file_scan *scan, size_t i)
{
    return scan->files ? scan->files->pdata[i] : scan->only;
}

static bool part_open(struct file_scan *scan, struct slice bounds, GError **error)
{
    if (!file_range_decode(&scan->range, &scan->only_name, bounds, error))
        return false;
    scan->only = g_new0(struct file_name, 1);
    scan->only->name = scan->only_name;
    scan->only->path = g_build_filename(file_store_of((struct session *)scan->session)->dir, scan->only_name, NULL);
    return file_form_of(scan->only_name, &scan->only->form, NULL) ||
           error_set(error, SLUICE_ERROR_CORRUPT, "a partition's bounds name the file '%s', which has no known form",
                     scan->only_name);
}

static bool place_open(struct file_scan *scan, struct slice cursor, GError **error)
{
    if (cursor.len == 0)
        return true;
    if (!file_place_decode(&scan->place, cursor, error))
        return false;
    scan->resumed = scan->gave = true;
    scan->given = scan->place;
    if (scan->place.file == scan_files(scan))
        return true;
    if (scan->place.file > scan_files(scan) ||
        file_name_digest(scan_file(scan, scan->place.file)->name) != scan->place.name)
        return error_set(error, SLUICE_ERROR_SOURCE_MOVED,
                         "the files of the dataset '%s' are not those that the scan began with", scan->ds->name);
    return true;
}

static bool begin(struct file_scan *scan, const struct scan_spec *spec, GError **error)
{
    struct file_store *store = file_store_of((struct session *)scan->session);
    g_autofree char *whole = NULL;
    bool ok = file_member(scan->ds_name, &scan->member, error);
    if (ok && spec->bounds.len == 0)
        ok = file_names_some(store->base.world, store->dir, spec->ds->name, &scan->files, error);
    else if (ok && file_whole_decode(&whole, spec->bounds))
        ok = file_names_one(store->base.world, store->dir, whole, &scan->files, error);
    else if (ok)
        ok = part_open(scan, spec->bounds, error);
    return ok && place_open(scan, spec->cursor, error);
}

static bool goes_on_from(const struct file_scan *scan, const struct scan_spec *spec)
{
    uint8_t place[FILE_PLACE_BYTES];
    file_place_encode(&scan->given, place);
    return scan->ds == spec->ds && strcmp(scan->ds_name, spec->ds->name) == 0 &&
           slice_equal(slice_of(scan->bounds->data, scan->bounds->len), spec->bounds) &&
           slice_equal(slice_of(place, sizeof place), spec->cursor);
}

bool file_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct file_session *own = (struct file_session *)session;
    struct file_scan *scan = own->parked;
    if (scan && goes_on_from(scan, spec)) {
        own->parked = NULL;
    } else {
        scan = g_new0(struct file_scan, 1);
        scan->session = own;
        scan->ds = spec->ds;
        scan->ds_name = g_strdup(spec->ds->name);
        scan->bounds = g_byte_array_new();
        put_bytes(scan->bounds, spec->bounds);
        if (!begin(scan, spec, error)) {
            file_scan_free(scan);
            return false;
        }
    }
    scan->max_records = MIN(MAX(spec->max_records, 1), BATCH_MOST);
    scan->max_bytes = spec->max_bytes;
    *ret = (struct scan *)scan;
    return true;
}

void file_scan_free(struct file_scan *scan)
{
    if (!scan)
        return;
    if (scan->opened)
        source_close(&scan->source);
    if (scan->files)
        g_ptr_array_unref(scan->files);
    if (scan->only)
        g_free(scan->only->path);
    g_free(scan->only);
    g_free(scan->only_name);
    path_free(scan->member);
    g_free(scan->ds_name);
    g_byte_array_unref(scan->bounds);
    g_free(scan);
}

void file_scan_close(struct scan *base)
{
    struct file_scan *scan = (struct file_scan *)base;
    if (!scan->opened || !scan->gave) {
        file_scan_free(scan);
        return;
    }
    file_scan_free(scan->session->parked);
    scan->session->parked = scan;
}

/* --- records --------------------------------------------------------------------------------------------------------
 */

/* A batch being filled. */
struct filling {
    const struct call *call;
    struct record *records;
    size_t n;
    uint64_t bytes;
    const char *file; /* the name of the file at hand, in the arena */
};

static void place_of(const struct piece *piece, size_t at, struct origin *io)
{
    struct slice before = slice_of(piece->text.data, MIN(at, piece->text.len));
    const uint8_t *line_end = before.len ? memrchr(before.data, '\n', before.len) : NULL;
    io->line = piece->line;
    for (size_t i = 0; line_end && i < before.len; i++)
        io->line += before.data[i] == '\n';
    uint64_t column = line_end ? at + 1 - (size_t)(line_end + 1 - before.data) : piece->column + at;
    io->column = (uint32_t)MIN(column, UINT32_MAX);
}

/* document_from_json() says the column, of the record's text; ours is that of the file, and stands beside the message.
 */
static const char *without_column(const char *message)
{
    const char *colon = g_str_has_prefix(message, "column ") ? strchr(message, ':') : NULL;
    return colon && colon[1] == ' ' ? colon + 2 : message;
}

static void fault_of(const struct piece *piece, size_t at, const struct fault *fault, struct arena *mem,
                     struct record *ret)
{
    const char *text = arena_text(mem, slice_of_text(fault->text));
    ret->presence = RECORD_FAULT;
    ret->key = SLICE_EMPTY;
    ret->fault = (struct fault){.code = fault->code, .text = text ? text : error_row(fault->code)->words};
    place_of(piece, at, &ret->at);
    if (!arena_copy(mem, slice_of(piece->text.data, MIN(piece->text.len, FAULT_RAW_BYTES)), &ret->raw))
        ret->raw = SLICE_EMPTY;
}

/* Into what is left of the arena. false: it did not fit, and a larger arena may do. */
static bool record_of(const struct file_scan *scan, const struct piece *piece, struct arena *mem, struct record *ret)
{
    const struct key_paths *key = scan->ds->key;
    size_t at = 0;
    g_autoptr(GError) error = NULL;
    if (piece->kind == PIECE_FAULT) {
        fault_of(piece, 0, &(struct fault){piece->code, piece->what}, mem, ret);
        return true;
    }
    ret->presence = RECORD_PRESENT;
    if (cutter_document(&scan->source.cutter, piece->text, mem, &ret->raw, &at, &error) &&
        (!key || key->n == 0 || key_make(key, ret->raw, mem, &ret->key, &error)))
        return true;
    if (error_is(error, SLUICE_ERROR_TOO_BIG) && piece->text.len <= DOCUMENT_BYTES)
        return false;
    fault_of(piece, at, &(struct fault){(enum error_code)error->code, without_column(error->message)}, mem, ret);
    return true;
}

static void too_big(const struct piece *piece, struct arena *mem, struct record *ret)
{
    fault_of(
        piece, 0,
        &(struct fault){SLUICE_ERROR_TOO_BIG, "as a document it is larger than 16 MiB, or than the memory of a batch"},
        mem, ret);
}

/* --- batches --------------------------------------------------------------------------------------------------------
 */

/* A file without its header row has its first record's cells there: said at once, and not of every record. */
static bool key_is_named(const struct file_scan *scan, const struct file_name *file, GError **error)
{
    const struct csv_header *header = scan->source.cutter.header;
    for (size_t i = 0; header && scan->ds->key && i < scan->ds->key->n; i++) {
        struct slice name = path_name(scan->ds->key->paths[i], 0);
        if (!csv_header_has(header, name))
            return error_set(error, SLUICE_ERROR_CORRUPT,
                             "%s:1:1: the header names no column '%.*s', of which the key is made; is the header row "
                             "missing? Give the file one, or name another key",
                             file->path, (int)name.len, (const char *)name.data);
    }
    return true;
}

static bool next_source(struct file_scan *scan, GError **error)
{
    const struct file_name *file = scan_file(scan, scan->place.file);
    struct source_wish wish = {.world = file_store_of((struct session *)scan->session)->base.world,
                               .path = file->path,
                               .form = file->form,
                               .range = scan->files ? source_whole(file) : scan->range,
                               .frozen = !scan->files,
                               .member = scan->member,
                               .place = scan->resumed ? &scan->place : NULL};
    if (!source_open(&scan->source, &wish, error))
        return false;
    if (!key_is_named(scan, file, error)) {
        source_close(&scan->source);
        return false;
    }
    scan->opened = true;
    scan->resumed = false;
    scan->place.name = file_name_digest(file->name);
    source_place(&scan->source, &scan->place);
    return true;
}

static void end_source(struct file_scan *scan)
{
    source_close(&scan->source);
    scan->opened = false;
    scan->place = (struct file_place){.file = scan->place.file + 1};
}

/* The next piece of the source at hand: the one held back, if there is. */
static bool next_piece(struct file_scan *scan, struct piece *ret, GError **error)
{
    if (!scan->holds)
        return source_next(&scan->source, ret, error);
    *ret = scan->held;
    scan->holds = false;
    return true;
}

static bool hold(struct file_scan *scan, const struct piece *piece)
{
    scan->held = *piece;
    scan->holds = true;
    return false;
}

/* false: the piece waits for the next batch. */
static bool take_piece(struct file_scan *scan, struct filling *filling, const struct piece *piece)
{
    struct record *record = &filling->records[filling->n];
    uint64_t bytes = scan->source.cutter.window.offset - piece->offset;
    if (filling->n > 0 && filling->bytes + bytes > scan->max_bytes)
        return hold(scan, piece);
    *record = (struct record){.at = {.file = filling->file,
                                     .line = piece->line,
                                     .column = (uint32_t)MIN(piece->column, UINT32_MAX),
                                     .offset = piece->offset}};
    if (!record_of(scan, piece, filling->call->mem, record)) {
        if (filling->n > 0)
            return hold(scan, piece);
        too_big(piece, filling->call->mem, record);
    }
    filling->n++;
    filling->bytes += bytes;
    source_place(&scan->source, &scan->place);
    return true;
}

static bool no_room(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

/* From one file, until the batch is full or the file has ended. */
static bool fill_from_source(struct file_scan *scan, struct filling *filling, bool *ret_full, GError **error)
{
    const struct world *world = file_store_of((struct session *)scan->session)->base.world;
    filling->file = arena_text(filling->call->mem, slice_of_text(scan_file(scan, scan->place.file)->name));
    if (!filling->file)
        return no_room(error);
    while (filling->n < scan->max_records) {
        struct piece piece;
        if (filling->n % ASK_EACH == 0 && !call_goes_on(filling->call, world, error))
            return false;
        if (!next_piece(scan, &piece, error))
            return false;
        if (piece.kind == PIECE_END) {
            end_source(scan);
            *ret_full = false;
            return true;
        }
        if (!take_piece(scan, filling, &piece))
            break;
    }
    *ret_full = true;
    return true;
}

static bool fill(struct file_scan *scan, struct filling *filling, GError **error)
{
    for (bool full = false; !full && scan->place.file < scan_files(scan);)
        if ((!scan->opened && !next_source(scan, error)) || !fill_from_source(scan, filling, &full, error))
            return false;
    return true;
}

static void go_back(struct file_scan *scan)
{
    if (scan->opened)
        source_close(&scan->source);
    scan->opened = scan->holds = false;
    scan->place = scan->given;
    scan->resumed = scan->gave;
}

/* As many as are wanted, or as fit. */
static struct record *records_alloc(struct file_scan *scan, struct arena *mem)
{
    struct record *records;
    while (!(records = arena_alloc(mem, scan->max_records * sizeof *records)) && scan->max_records > 1)
        scan->max_records /= 2;
    return records;
}

bool file_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct file_scan *scan = (struct file_scan *)base;
    uint8_t *cursor = arena_alloc(call->mem, FILE_PLACE_BYTES);
    struct filling filling = {.call = call, .records = cursor ? records_alloc(scan, call->mem) : NULL};
    if (!filling.records)
        return no_room(error);
    if (!fill(scan, &filling, error)) {
        go_back(scan);
        return false;
    }
    scan->given = scan->place;
    scan->gave = true;
    file_place_encode(&scan->given, cursor);
    *ret = (struct batch){.records = filling.records,
                          .n = filling.n,
                          .bytes = filling.bytes,
                          .cursor = slice_of(cursor, FILE_PLACE_BYTES),
                          .done = scan->place.file == scan_files(scan)};
    return true;
}
