#include "store/file/csv.h"
#include "store/file/file_store.h"
#include "store/file/source.h"

/* What a record of a file that is not cut may take, packed or not: for an estimate of how many there are. */
enum { JSON_RECORD_BYTES = 200, PACKED_RECORD_BYTES = 40, ASK_EACH = 4096 };

struct splitter {
    struct file_store *store;
    const struct call *call;
    uint64_t records_each, bytes_each; /* of a part; 0: no limit */
    struct part_list *into;
};

static bool part_add(struct splitter *splitter, const struct file_range *range, uint64_t records, GError **error)
{
    struct part_bounds part = {.records = records, .bytes = range->to - range->from};
    g_autoptr(GByteArray) bounds = g_byte_array_new();
    file_range_encode(range, bounds);
    if (!arena_copy(splitter->into->mem, slice_of(bounds->data, bounds->len), &part.bounds))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the list of partitions does not fit into its memory");
    g_array_append_val(splitter->into->parts, part);
    return true;
}

static bool still_the_same(const struct splitter *splitter, const struct file_name *file, GError **error)
{
    struct world_stat now;
    if (!file_stat_path(splitter->store->base.world, file->path, &now, error))
        return false;
    return (now.size == file->stat.size && now.mtime_ns == file->stat.mtime_ns && now.inode == file->stat.inode) ||
           error_set(error, SLUICE_ERROR_SOURCE_MOVED, "%s: it changes while it is listed; wait until it is complete",
                     file->path);
}

/* --- files that are one part ----------------------------------------------------------------------------------------
 */

static bool whole_file(struct splitter *splitter, const struct file_name *file, GError **error)
{
    struct file_range range = source_whole(file);
    struct stream_range bytes = {.path = file->path, .to = range.to};
    if (!file_range_digest(splitter->store->base.world, &bytes, &range.digest, error) ||
        !still_the_same(splitter, file, error))
        return false;
    uint64_t each = file->form.packing == PACKING_NONE ? JSON_RECORD_BYTES : PACKED_RECORD_BYTES;
    return part_add(splitter, &range, range.to / each + 1, error);
}

/* --- files that are cut ---------------------------------------------------------------------------------------------
 */

struct cutting {
    struct splitter *splitter;
    const struct file_name *file;
    struct source source;
    struct file_range range; /* the part at hand */
    uint64_t records;        /* in it */
};

static bool range_full(const struct cutting *cutting, uint64_t offset)
{
    const struct splitter *splitter = cutting->splitter;
    return cutting->records > 0 && ((splitter->records_each && cutting->records >= splitter->records_each) ||
                                    (splitter->bytes_each && offset - cutting->range.from >= splitter->bytes_each));
}

/* Ends the part before `offset`, on whose line the next one begins. */
static bool range_end(struct cutting *cutting, uint64_t offset, uint64_t line, GError **error)
{
    cutting->range.to = offset;
    cutting->range.digest = window_sum_end(&cutting->source.cutter.window, offset);
    if (cutting->records > 0 && !part_add(cutting->splitter, &cutting->range, cutting->records, error))
        return false;
    cutting->range.from = offset;
    cutting->range.line = line;
    cutting->records = 0;
    return true;
}

static bool cut_all(struct cutting *cutting, GError **error)
{
    struct window *window = &cutting->source.cutter.window;
    for (uint64_t n = 0;; n++) {
        struct piece piece;
        if (n % ASK_EACH == 0 && !call_goes_on(cutting->splitter->call, cutting->source.world, error))
            return false;
        if (!source_next(&cutting->source, &piece, error))
            return false;
        if (piece.kind == PIECE_END)
            return range_end(cutting, window->offset, cutting->source.cutter.state.line, error);
        if (range_full(cutting, piece.offset) && window_sum_may_end(window, piece.offset) &&
            !range_end(cutting, piece.offset, piece.line, error))
            return false;
        cutting->records++;
    }
}

/* The first range begins behind the header row, if there is one, else with the file. */
static bool cutting_begin(struct cutting *cutting, GError **error)
{
    struct window *window = &cutting->source.cutter.window;
    struct stream_range head = {.path = cutting->file->path};
    bool csv = cutting->file->form.format == FORMAT_CSV;
    cutting->range.from = cutting->range.head = csv ? window->offset : 0;
    cutting->range.line = cutting->source.cutter.state.line;
    window->sum = window_sum_new(cutting->range.from);
    head.to = cutting->range.head;
    return !csv || file_range_digest(cutting->source.world, &head, &cutting->range.head_digest, error);
}

static bool cut_opened(struct cutting *cutting, GError **error)
{
    return cutting_begin(cutting, error) && cut_all(cutting, error) &&
           still_the_same(cutting->splitter, cutting->file, error);
}

static bool cut_file(struct splitter *splitter, const struct file_name *file, GError **error)
{
    struct cutting cutting = {.splitter = splitter, .file = file, .range = source_whole(file)};
    struct source_wish wish = {
        .world = splitter->store->base.world, .path = file->path, .form = file->form, .range = cutting.range};
    if (!source_open(&cutting.source, &wish, error))
        return false;
    bool ok = cut_opened(&cutting, error);
    source_close(&cutting.source);
    return ok;
}

/* --- all of them ----------------------------------------------------------------------------------------------------
 */

static uint64_t bytes_of_all(const GPtrArray *files)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < files->len; i++)
        bytes += ((const struct file_name *)files->pdata[i])->stat.size;
    return bytes;
}

bool file_split(struct session *session, const struct call *call, const struct split_wish *wish, struct part_list *into,
                GError **error)
{
    struct file_store *store = file_store_of(session);
    struct splitter splitter = {.store = store, .call = call, .records_each = wish->records_each, .into = into};
    g_autoptr(GPtrArray) files = NULL;
    if (!file_names_some(store->base.world, store->dir, call->ds->name, &files, error))
        return false;
    if (wish->records_each == 0 && wish->count > 0)
        splitter.bytes_each = bytes_of_all(files) / wish->count + 1;
    for (size_t i = 0; i < files->len; i++) {
        const struct file_name *file = files->pdata[i];
        if (file->stat.size == 0 && file->form.packing == PACKING_NONE)
            continue;
        if (!call_goes_on(call, store->base.world, error))
            return false;
        if (!(file_form_splits(file->form) ? cut_file(&splitter, file, error) : whole_file(&splitter, file, error)))
            return false;
    }
    return true;
}
