#include "verify/progress.h"

#include "base/blockfile.h"
#include "base/int.h"

const struct blockfile_kind progress_kind = {
    .magic = "SLPROG1\n", .version = 1, .block_magic = 0x474f5250, .sealed_as = "reports"};

#define TYPE_PROGRESS 1
#define OLD_MS        3600000
#define PROGRESS_MOST (512u << 20)

static void put_set(GByteArray *into, const struct set_digest *set)
{
    put_u64(into, set->count);
    put_u64(into, set->sum.low);
    put_u64(into, set->sum.high);
}

void progress_put(const struct progress *progress, int64_t now_ms, GByteArray *into)
{
    put_u64(into, progress->of.low);
    put_u64(into, progress->of.high);
    put_i64(into, now_ms);
    put_i64(into, progress->begun_ms);
    put_u64(into, progress->seen);
    put_u64(into, progress->appeared);
    put_u32(into, progress->n_units);
    put_u32(into, progress->n_sums);
    for (uint32_t i = 0; i < progress->n_units; i++) {
        put_u8(into, progress->done[i]);
        put_prefixed(into, progress->bounds[i]);
    }
    for (uint32_t i = 0; i < progress->n_sums; i++)
        put_set(into, &progress->sums[i]);
    if (progress->sketch)
        sketch_put(progress->sketch, into);
}

static bool get_units(struct reader *reader, struct arena *mem, struct progress *ret)
{
    if (ret->n_units > reader_left(reader)) /* each has two bytes at least */
        return false;
    ret->done = arena_alloc0(mem, ret->n_units + 1);
    ret->bounds = arena_alloc0(mem, (ret->n_units + (size_t)1) * sizeof *ret->bounds);
    if (!ret->done || !ret->bounds)
        return false;
    for (uint32_t i = 0; i < ret->n_units; i++) {
        uint8_t done = reader_u8(reader);
        struct slice bounds = reader_prefixed(reader);
        ret->done[i] = done == 1;
        if (!reader->ok || done > 1 || !arena_copy(mem, bounds, &ret->bounds[i]))
            return false;
    }
    return true;
}

static bool get_sums(struct reader *reader, struct arena *mem, struct progress *ret)
{
    if (ret->n_sums > reader_left(reader) / 24)
        return false;
    ret->sums = arena_alloc0(mem, (ret->n_sums + (size_t)1) * sizeof *ret->sums);
    if (!ret->sums)
        return false;
    for (uint32_t i = 0; i < ret->n_sums; i++) {
        ret->sums[i].count = reader_u64(reader);
        ret->sums[i].sum.low = reader_u64(reader);
        ret->sums[i].sum.high = reader_u64(reader);
    }
    return true;
}

bool progress_get(struct slice bytes, const struct sketch *like, struct arena *mem, struct progress *ret,
                  int64_t *ret_kept_ms)
{
    struct reader reader = reader_of(bytes);
    *ret = (struct progress){.of.low = reader_u64(&reader), .of.high = 0};
    ret->of.high = reader_u64(&reader);
    *ret_kept_ms = reader_i64(&reader);
    ret->begun_ms = reader_i64(&reader);
    ret->seen = reader_u64(&reader);
    ret->appeared = reader_u64(&reader);
    ret->n_units = reader_u32(&reader);
    ret->n_sums = reader_u32(&reader);
    if (!reader.ok || !get_units(&reader, mem, ret) || !get_sums(&reader, mem, ret))
        return false;
    size_t left = reader_left(&reader);
    if (left > 0)
        ret->sketch =
            sketch_get(reader_bytes(&reader, left), like ? like->seed : 0, like ? like->layout : SKETCH_RATELESS);
    return left == 0 || ret->sketch;
}

bool progress_keep_durable(const struct world *world, const char *path, const uint8_t run_uid[16], struct slice bytes,
                           GError **error)
{
    auto_(blockfile) file = NULL;
    g_autofree char *aside = g_strconcat(path, ".tmp", NULL), *folder = g_path_get_dirname(path);
    struct block_draft draft = {.type = TYPE_PROGRESS, .payload = bytes};
    return file_make_dirs(world, folder, error) && file_unlink(world, aside, error) &&
           blockfile_create(&file, world, aside, &progress_kind, slice_of(run_uid, 16), error) &&
           blockfile_append(file, &draft, NULL, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(world, aside, path, error);
}

/* Of the same verification, not long ago, and of as many units' sums. */
static bool is_the_same(const struct progress *wanted, const struct progress *found, int64_t kept_ms, int64_t now_ms)
{
    return digest_equal(wanted->of, found->of) && kept_ms <= now_ms && now_ms - kept_ms <= OLD_MS &&
           wanted->n_sums == found->n_sums && !wanted->sketch == !found->sketch &&
           (!wanted->sketch || wanted->sketch->n == found->sketch->n);
}

/* One that is damaged says nothing. */
static bool read_block(const struct world *world, const char *path, struct arena *mem, struct slice *ret,
                       GError **error)
{
    auto_(blockfile) file = NULL;
    g_autoptr(GError) failed = NULL;
    struct block block;
    *ret = SLICE_EMPTY;
    if (!blockfile_open(&file, world, path, &progress_kind, false, &failed)) {
        if (error_is(failed, SLUICE_ERROR_CORRUPT) || error_is(failed, SLUICE_ERROR_NOT_FOUND))
            return true;
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    enum block_result result = blockfile_read(file, blockfile_begin(file), false, mem, &block, error);
    if (result == BLOCK_OK && block.type == TYPE_PROGRESS)
        *ret = block.payload;
    return result != BLOCK_FAILED;
}

bool progress_read(const struct world *world, const char *path, struct arena *mem, struct progress *io, bool *ret_taken,
                   GError **error)
{
    struct slice bytes;
    struct progress found = {0};
    auto_(arena) whole = arena_new(PROGRESS_MOST);
    int64_t kept_ms;
    *ret_taken = false;
    if (!read_block(world, path, whole, &bytes, error))
        return false;
    if (bytes.len > 0 && progress_get(bytes, io->sketch, mem, &found, &kept_ms) &&
        is_the_same(io, &found, kept_ms, world_wall_ms(world))) {
        *ret_taken = true;
        *io = found;
        return true;
    }
    sketch_free(found.sketch);
    return true;
}
