#include "view/fates.h"

#include "base/file.h"
#include "base/hex.h"
#include "plan/home.h"

enum { KEYS_AT_ONCE = 1000, KEYS_ROOM = 64 << 20, ROWS_ROOM = 256 << 20 };

static struct listing_stretch keys_of(const struct part_row *part)
{
    return (struct listing_stretch){.partition = part->of, .first = part->first, .keys = part->records};
}

static int along(const void *a, const void *b)
{
    struct listing_stretch x = keys_of(a), y = keys_of(b);
    return listing_stretch_compare(&x, &y);
}

static bool take_parts(struct fates *fates, GError **error)
{
    struct parts_of of = {.run = fates->run->id, .stage = UINT32_MAX};
    if (!catalog_parts(fates->catalog, &of, fates->all, &fates->parts, &fates->n_parts, error))
        return false;
    if (fates->n_parts > 0)
        qsort(fates->parts, fates->n_parts, sizeof *fates->parts, along);
    return true;
}

bool fates_open(struct fates *fates, const struct world *world, const char *home, const struct run_row *run,
                bool *ret_listed, GError **error)
{
    char uid[HEX_TEXT(16)];
    g_autofree char *path = home_path(home, HOME_LISTING, hex_text(run->uid, 16, uid));
    fates->run = run;
    fates->mem = arena_new(KEYS_ROOM);
    fates->rows = arena_new(ROWS_ROOM);
    fates->all = arena_new(ROWS_ROOM);
    *ret_listed = file_exists(world, path);
    return !*ret_listed ||
           (listing_reader_open(&fates->reader, world, path, run->uid, error) && take_parts(fates, error));
}

void fates_done(struct fates *fates)
{
    g_clear_pointer(&fates->reader, listing_reader_free);
    g_clear_pointer(&fates->mem, arena_free);
    g_clear_pointer(&fates->rows, arena_free);
    g_clear_pointer(&fates->all, arena_free);
}

static bool next_part(struct fates *fates, GError **error)
{
    const struct part_row *part = &fates->parts[fates->next_part++];
    struct listing_stretch keys = keys_of(part);
    fates->checkpoint = 0;
    fates->checkpoint_first = fates->index = 0;
    arena_reset(fates->rows);
    return catalog_checkpoints(fates->catalog, fates->run->id, part->part, fates->rows, &fates->checkpoints, error) &&
           listing_reader_seek_in(fates->reader, &keys, 0, error);
}

/* Further keys: of this partition, or of the next one that has some. */
static bool fill(struct fates *fates, GError **error)
{
    fates->at = fates->n_keys = 0;
    for (;;) {
        arena_reset(fates->mem);
        if (fates->next_part > 0 &&
            !listing_reader_next_ranked(fates->reader, KEYS_AT_ONCE, fates->mem, &fates->keys, &fates->n_keys, error))
            return false;
        if (fates->n_keys > 0 || fates->next_part == fates->n_parts)
            return true;
        if (!next_part(fates, error))
            return false;
    }
}

/* Four bits a key, low ones first. */
static enum outcome outcome_of(struct fates *fates)
{
    const struct checkpoint *rows = fates->checkpoints.rows;
    while (fates->checkpoint < fates->checkpoints.n && fates->index >= rows[fates->checkpoint].index)
        fates->checkpoint_first = rows[fates->checkpoint++].index;
    if (fates->checkpoint == fates->checkpoints.n)
        return OUTCOME_COUNT;
    uint64_t at = fates->index - fates->checkpoint_first;
    struct slice outcomes = rows[fates->checkpoint].outcomes;
    return at / 2 < outcomes.len ? (enum outcome)(outcomes.data[at / 2] >> (at % 2 ? 4 : 0) & 15) : OUTCOME_COUNT;
}

bool fates_ranked(const struct fates *fates)
{
    return listing_reader_totals(fates->reader)->ranked;
}

bool fates_next(struct fates *fates, struct slice *ret_key, enum outcome *ret, bool *ret_more, GError **error)
{
    if (fates->at == fates->n_keys && !fill(fates, error))
        return false;
    *ret_more = fates->at < fates->n_keys;
    if (!*ret_more)
        return true;
    *ret_key = fates->keys[fates->at++];
    *ret = outcome_of(fates);
    fates->index++;
    return true;
}
