/* Keys that the listing does not hold: they came up after it, or it missed them. Counted as unvisited where the run
 * would have changed something for them, else as appeared; neither is judged. */
#include "verify/verify_parts.h"

#define BATCH_RECORDS 1000u

/* Of a run whose source is its target. */
static bool makes_another(const struct pass *pass, struct slice wanted, struct slice document)
{
    const struct verify_input *input = pass->input;
    struct digest now, then;
    return store_keeps(store_driver(input->target), &input->target_ds, wanted, pass->mem, &wanted, NULL) &&
           digest_canonical(wanted, 0, &now, NULL) && digest_canonical(document, 0, &then, NULL) &&
           !digest_equal(now, then);
}

static bool would_change(struct pass *pass, const struct record *record, bool *ret, GError **error)
{
    const struct verify_input *input = pass->input;
    struct slice document;
    struct transform_result result;
    *ret = false;
    if (record->presence != RECORD_PRESENT ||
        !store_decode(store_driver(input->source), &input->source_ds, record->raw, pass->mem, &document, NULL))
        return true;
    if (!transform_record(pass->transform, record->key, document, pass->mem, &result, error))
        return false;
    if (result.verdict == TRANSFORM_DELETE)
        *ret = true;
    else if (result.verdict == TRANSFORM_WANTED && input->same_dataset)
        *ret = makes_another(pass, result.wanted[0].document, document);
    else if (result.verdict == TRANSFORM_WANTED)
        *ret = result.n > 0;
    return true;
}

bool pass_unlisted(struct pass *pass, struct slice key, GError **error)
{
    struct call call = pass_call(pass, &pass->input->source_ds);
    struct record record = {.key = key};
    struct difference difference = {.class = VERIFY_UNVISITED,
                                    .key = key,
                                    .why = "not in the listing; the run would have changed something for it"};
    bool changes;
    if (!store_read(pass->source, &call, &record, 1, error) || !would_change(pass, &record, &changes, error))
        return false;
    pass_count(pass, changes ? VERIFY_UNVISITED : VERIFY_APPEARED);
    return !changes || report_difference(pass->verification, &difference, error);
}

/* --- along the listing
 * ------------------------------------------------------------------------------------------------ */

static bool listed_more(struct listed *listed, GError **error)
{
    const struct listing_totals *totals = listing_reader_totals(listed->listing);
    listed->first += listed->n;
    listed->at = 0;
    do {
        arena_reset(listed->mem);
        if (!listing_reader_next_ranked(listed->listing, BATCH_RECORDS, listed->mem, &listed->keys, &listed->n, error))
            return false;
        if (listed->n > 0 || listed->part + 1 >= totals->partitions)
            return true; /* n == 0: the end */
        listed->first = 0;
    } while (listing_reader_seek(listed->listing, ++listed->part, 0, error));
    return false;
}

static bool listed_seek(struct listed *listed, struct listing_reader *listing, struct listing_place at, GError **error)
{
    *listed = (struct listed){.listing = listing, .mem = arena_new(64 << 20), .part = at.partition, .first = at.index};
    return listing_reader_seek(listing, at.partition, at.index, error) && listed_more(listed, error);
}

bool listed_begin(struct listed *listed, struct listing_reader *listing, GError **error)
{
    return listed_seek(listed, listing, (struct listing_place){0}, error);
}

bool listed_begin_at(struct listed *listed, struct listing_reader *listing, struct slice key, GError **error)
{
    struct listing_place at;
    return listing_reader_before(listing, key, &at, error) && listed_seek(listed, listing, at, error);
}

void listed_done(struct listed *listed)
{
    g_clear_pointer(&listed->mem, arena_free);
}

bool listed_find(struct listed *listed, struct slice key, bool *ret_found, uint64_t *ret_index, GError **error)
{
    int order = 1;
    while (listed->n > 0 && (order = slice_compare(listed->keys[listed->at], key)) < 0)
        if (++listed->at == listed->n && !listed_more(listed, error))
            return false;
    *ret_found = listed->n > 0 && order == 0;
    *ret_index = listed->first + listed->at;
    return true;
}

static bool merge_keys(struct pass *pass, struct ordered_keys *ordered, struct listed *listed, GError **error)
{
    const struct slice *keys;
    size_t n;
    do {
        bool found;
        uint64_t index;
        arena_reset(pass->mem);
        if (!ordered_keys_next(ordered, &keys, &n, error))
            return false;
        for (size_t i = 0; i < n; i++)
            if (!listed_find(listed, keys[i], &found, &index, error) ||
                (!found && !pass_unlisted(pass, listing_key(ordered_keys_ranked(ordered), keys[i]), error)))
                return false;
    } while (n > 0);
    return true;
}

bool pass_unvisited(struct pass *pass, GError **error)
{
    auto_(ordered_keys) ordered = NULL;
    struct listed listed;
    struct ordered_wish wish = {.world = pass->input->world,
                                .scratch = pass->input->report_path,
                                .session = pass->source,
                                .ds = &pass->input->source_ds,
                                .cancel = pass->input->cancel,
                                .no_ranks = !listing_reader_totals(pass->listing)->ranked};
    bool ok = listed_begin(&listed, pass->listing, error) && pass_fresh_transform(pass, error) &&
              ordered_keys_open(&ordered, &wish, error) && merge_keys(pass, ordered, &listed, error);
    listed_done(&listed);
    return ok;
}
