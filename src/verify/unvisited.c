/* Keys that the listing does not hold: they came up after it, or it missed them. Counted as unvisited where the run
 * would have changed something for them; what the run is not about is not judged. */
#include "verify/verify_parts.h"

#define BATCH_RECORDS 1000u

static bool makes_another(struct slice wanted, struct slice document)
{
    struct digest now, then;
    return !slice_equal(wanted, document) && digest_canonical(wanted, 0, &now, NULL) &&
           digest_canonical(document, 0, &then, NULL) && !digest_equal(now, then);
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
        *ret = result.n == 1 && makes_another(result.wanted[0].document, document);
    else if (result.verdict == TRANSFORM_WANTED)
        *ret = result.n > 0;
    return true;
}

static bool look_at(struct pass *pass, struct slice key, GError **error)
{
    struct call call = pass_call(pass, &pass->input->source_ds);
    struct record record = {.key = key};
    bool changes;
    if (!store_read(pass->source, &call, &record, 1, error) || !would_change(pass, &record, &changes, error))
        return false;
    if (!changes)
        return true;
    struct difference difference = {.class = VERIFY_UNVISITED,
                                    .key = key,
                                    .why = "not in the listing; the run would have changed something for it"};
    pass_count(pass, VERIFY_UNVISITED);
    return report_difference(pass->verification, &difference, error);
}

/* The listing's keys in order, one at a time. */
struct listed {
    struct arena *mem;
    struct slice *keys;
    size_t n, at;
    uint32_t partition;
};

static bool listed_next(struct pass *pass, struct listed *listed, GError **error)
{
    const struct listing_totals *totals = listing_reader_totals(pass->listing);
    listed->at++;
    while (listed->at >= listed->n) {
        arena_reset(listed->mem);
        listed->at = 0;
        if (!listing_reader_next(pass->listing, BATCH_RECORDS, listed->mem, &listed->keys, &listed->n, error))
            return false;
        if (listed->n > 0)
            return true;
        if (++listed->partition >= totals->partitions)
            return true; /* n == 0: the end */
        if (!listing_reader_seek(pass->listing, listed->partition, 0, error))
            return false;
    }
    return true;
}

static bool is_listed(struct pass *pass, struct listed *listed, struct slice key, bool *ret, GError **error)
{
    while (listed->n > 0 && slice_compare(listed->keys[listed->at], key) < 0)
        if (!listed_next(pass, listed, error))
            return false;
    *ret = listed->n > 0 && slice_equal(listed->keys[listed->at], key);
    return true;
}

static bool merge_scan(struct pass *pass, struct scan *scan, struct listed *listed, GError **error)
{
    struct batch batch = {0};
    auto_(arena) mem = arena_new(64 << 20);
    struct call call = {.ds = &pass->input->source_ds, .mem = mem, .cancel = pass->input->cancel};
    while (!batch.done) {
        bool found;
        arena_reset(mem);
        arena_reset(pass->mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n; i++)
            if (!is_listed(pass, listed, batch.records[i].key, &found, error) ||
                (!found && !look_at(pass, batch.records[i].key, error)))
                return false;
    }
    return true;
}

bool pass_unvisited(struct pass *pass, GError **error)
{
    auto_(scan) scan = NULL;
    const struct verify_input *input = pass->input;
    struct transform_config config = {.recipe = input->recipe,
                                      .key = input->key,
                                      .where = input->where,
                                      .run = input->run,
                                      .spec = input->spec,
                                      .planned_at_ms = input->planned_at_ms};
    struct scan_spec spec = {
        .ds = &input->source_ds, .max_records = BATCH_RECORDS, .max_bytes = 1 << 20, .keys_only = true};
    struct listed listed = {.mem = arena_new(64 << 20)};
    bool ok = transform_new(&pass->transform, &config, error) && listing_reader_seek(pass->listing, 0, 0, error) &&
              listed_next(pass, &listed, error) && store_scan_open(&scan, pass->source, &spec, error) &&
              merge_scan(pass, scan, &listed, error);
    arena_free(listed.mem);
    return ok;
}
