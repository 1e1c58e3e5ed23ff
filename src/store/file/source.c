#include "store/file/source.h"

#include "store/file/csv.h"

struct file_range source_whole(const struct file_name *file)
{
    return (struct file_range){
        .name = file->name, .to = file->stat.size, .line = 1, .size = file->stat.size, .mtime_ns = file->stat.mtime_ns};
}

static bool moved(const struct source *source, const char *what, GError **error)
{
    return error_set(
        error, SLUICE_ERROR_SOURCE_MOVED,
        "%s: %s after it was listed; put the listed file back and resume, or roll the run back and plan anew",
        source->path, what);
}

static bool bytes_check(const struct source *source, uint64_t from, uint64_t to, struct digest expected, GError **error)
{
    struct stream_range range = {.path = source->path, .from = from, .to = to};
    struct digest found;
    if (!file_range_digest(source->world, &range, &found, error))
        return false;
    return digest_equal(found, expected) || moved(source, "its content has changed", error);
}

/* Size and time of change as they were: the digest will be compared at the end of the range. Only the time differs:
 * now, before anything of it is given out. */
static bool stat_check(struct source *source, GError **error)
{
    const struct world_stat *stat = file_stream_stat(source->stream);
    const struct file_range *range = &source->range;
    if (!source->frozen)
        return true;
    if (stat->size != range->size)
        return moved(source, stat->size < range->size ? "it has become shorter" : "it has become longer", error);
    return stat->mtime_ns == range->mtime_ns || bytes_check(source, range->from, range->to, range->digest, error);
}

/* The header row of a file whose range begins behind it. */
static bool header_elsewhere(struct source *source, GError **error)
{
    const struct file_range *range = &source->range;
    if (!bytes_check(source, 0, range->head, range->head_digest, error))
        return false;
    auto_(file_stream) stream = NULL;
    struct stream_range head = {.path = source->path, .to = range->head};
    struct cutter cutter = {0};
    if (!file_stream_open(&stream, source->world, &head, error))
        return false;
    struct cutter_wish wish = {.format = FORMAT_CSV, .path = source->path, .stream = stream};
    bool ok = cutter_init(&cutter, &wish, error) && csv_header_take(&cutter, source->path, error);
    source->cutter.header = g_steal_pointer(&cutter.header);
    cutter_done(&cutter);
    return ok;
}

static bool header_ready(struct source *source, GError **error)
{
    if (source->form.format != FORMAT_CSV)
        return true;
    return source->range.head > 0 ? header_elsewhere(source, error)
                                  : csv_header_take(&source->cutter, source->path, error);
}

static bool go_on_from(struct source *source, const struct file_place *place, GError **error)
{
    struct cutter *cutter = &source->cutter;
    if (!place)
        return true;
    uint8_t last = source->member ? EXPECTS_NOTHING : EXPECTS_VALUE;
    if (place->offset < cutter->window.offset || place->line_at > place->offset || place->expects > last)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the place to go on from is not in the partition",
                         source->path);
    struct cutter_state state = {.line = place->line, .line_at = place->line_at, .expects = place->expects};
    cutter->state = state;
    return window_skip(&cutter->window, place->offset - cutter->window.offset, error) ||
           error_add(error, "%s", source->path);
}

/* A frozen archive that cannot be unpacked is damaged only if it still is what was listed. */
static bool damage(const struct source *source, GError **error)
{
    GError *other = NULL;
    const struct file_range *range = &source->range;
    if (!source->frozen || !error || !error_is(*error, SLUICE_ERROR_CORRUPT) ||
        bytes_check(source, range->from, range->to, range->digest, &other))
        return false;
    g_clear_error(error);
    g_propagate_error(error, other);
    return false;
}

static bool verify(struct source *source, GError **error)
{
    if (!source->frozen || source->verified || !source->cutter.window.ended)
        return true;
    source->verified = true;
    return digest_equal(file_stream_digest(source->stream), source->range.digest) ||
           moved(source, "its content has changed", error);
}

static bool begin(struct source *source, const struct source_wish *wish, GError **error)
{
    const struct file_range *range = &source->range;
    struct cutter_wish cut = {.format = source->form.format,
                              .path = source->path,
                              .stream = source->stream,
                              .offset = range->from,
                              .member = source->member};
    if (!cutter_init(&source->cutter, &cut, error) || !header_ready(source, error))
        return damage(source, error);
    if (range->from > 0)
        source->cutter.state.line = range->line;
    if (!go_on_from(source, wish->place, error))
        return damage(source, error);
    return verify(source, error);
}

static bool open_stream(struct source *source, GError **error)
{
    GError *cause = NULL;
    struct stream_range range = {
        .path = source->path, .packing = source->form.packing, .from = source->range.from, .to = source->range.to};
    if (file_stream_open(&source->stream, source->world, &range, &cause))
        return true;
    if (source->frozen && error_is(cause, SLUICE_ERROR_NOT_FOUND)) {
        g_clear_error(&cause);
        return moved(source, "it has gone", error);
    }
    g_propagate_error(error, cause);
    return false;
}

bool source_open(struct source *source, const struct source_wish *wish, GError **error)
{
    *source = (struct source){.world = wish->world,
                              .path = wish->path,
                              .form = wish->form,
                              .range = wish->range,
                              .member = wish->member,
                              .frozen = wish->frozen};
    if (open_stream(source, error) && stat_check(source, error) && begin(source, wish, error))
        return true;
    source_close(source);
    return false;
}

void source_close(struct source *source)
{
    cutter_done(&source->cutter);
    g_clear_pointer(&source->stream, file_stream_free);
}

bool source_next(struct source *source, struct piece *ret, GError **error)
{
    if (!cutter_next(&source->cutter, ret, error))
        return damage(source, error);
    return verify(source, error);
}

void source_place(const struct source *source, struct file_place *ret)
{
    ret->offset = source->cutter.window.offset;
    ret->line = source->cutter.state.line;
    ret->line_at = source->cutter.state.line_at;
    ret->expects = source->cutter.state.expects;
}
