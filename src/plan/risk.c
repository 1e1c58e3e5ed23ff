/* Which partitions are looked at first. Figures, each 0 where there is nothing to say: how much larger a partition is
 * than the mean, how many of its states are superseded ones (its keys are skewed), and the share of a probe's records
 * that transform and contract refuse. A partition like any other has the risk 1. What only a live cluster knows (reads
 * and writes a second, the load of a shard) is not among them here. */
#include "base/portions.h"
#include "listing/listing.h"
#include "plan/plan_parts.h"

#define PROBE_PARTS   64u
#define PROBE_RECORDS 16u
#define PROBE_BYTES   (256u << 20)

#define WEIGHT_SKEWED  4.0
#define WEIGHT_REFUSED 10.0

struct probe {
    struct plan *plan;
    const struct plan_config *config;
    struct session *source;
    struct listing_reader *listing; /* NULL: ranges are scanned */
    struct transform *transform;
    struct portions portions;
    struct arena *mem;
    uint64_t part_seen, part_refused;
    uint64_t seen, refused; /* of all partitions */
};

/* What cannot be judged now will be when it is its turn; the probe only counts. */
static bool is_refused(struct probe *probe, const struct record *record, bool *ret, GError **error)
{
    struct transform_result result;
    struct slice document;
    const struct plan *plan = probe->plan;
    *ret = true;
    if (record->presence != RECORD_PRESENT ||
        !store_decode(store_driver(plan->source), &plan->source_ds, record->raw, probe->mem, &document, NULL))
        return true;
    if (!transform_record(probe->transform, record->key, document, probe->mem, &result, error))
        return false;
    *ret = result.verdict == TRANSFORM_REJECTED;
    return true;
}

static bool take_some(void *self, struct record *records, size_t n, GError **error)
{
    struct probe *probe = self;
    for (size_t i = 0; i < n; i++) {
        bool is;
        if (records[i].presence == RECORD_ABSENT)
            continue;
        if (!is_refused(probe, &records[i], &is, error))
            return false;
        probe->part_seen++;
        probe->part_refused += is;
    }
    return true;
}

static bool scan_some(struct probe *probe, size_t part, GError **error)
{
    auto_(scan) scan = NULL;
    struct batch batch = {0};
    const struct plan *plan = probe->plan;
    struct scan_spec spec = {
        .ds = &plan->source_ds, .bounds = plan->parts[part].bounds, .max_records = PROBE_RECORDS, .max_bytes = 1 << 20};
    struct call call = {.ds = &plan->source_ds, .mem = probe->mem, .cancel = probe->config->cancel};
    return store_scan_open(&scan, probe->source, &spec, error) && store_scan_next(scan, &call, &batch, error) &&
           take_some(probe, batch.records, MIN(batch.n, PROBE_RECORDS), error);
}

static bool read_some(struct probe *probe, size_t part, GError **error)
{
    struct call call = {.ds = &probe->plan->source_ds, .mem = probe->mem, .cancel = probe->config->cancel};
    const struct read_portions by_memory = {.portions = &probe->portions, .take = take_some, .self = probe};
    struct record records[PROBE_RECORDS] = {0};
    struct slice *keys;
    size_t n;
    if (!listing_reader_seek(probe->listing, (uint32_t)part, 0, error) ||
        !listing_reader_next(probe->listing, PROBE_RECORDS, probe->mem, &keys, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        records[i].key = keys[i];
    return store_read_portions(probe->source, &call, records, n, &by_memory, error);
}

static bool probe_part(struct probe *probe, size_t part, GError **error)
{
    probe->part_seen = probe->part_refused = 0;
    arena_reset(probe->mem);
    if (!(probe->listing ? read_some : scan_some)(probe, part, error))
        return false;
    probe->plan->parts[part].refused = probe->part_seen ? (double)probe->part_refused / (double)probe->part_seen : 0;
    probe->seen += probe->part_seen;
    probe->refused += probe->part_refused;
    return true;
}

/* Of 10,000 partitions every 157th is probed; the others are taken to be like all that were. */
static bool probe_parts(struct probe *probe, GError **error)
{
    struct plan *plan = probe->plan;
    size_t step = (plan->n_parts + PROBE_PARTS - 1) / PROBE_PARTS;
    for (size_t i = 0; i < plan->n_parts; i += step)
        if (!probe_part(probe, i, error))
            return false;
    double all = probe->seen ? (double)probe->refused / (double)probe->seen : 0;
    for (size_t i = 0; i < plan->n_parts; i++)
        if (i % step != 0)
            plan->parts[i].refused = all;
    return true;
}

static bool probe_open(struct probe *probe, GError **error)
{
    const struct plan *plan = probe->plan;
    struct transform_config config = plan_transform(plan, plan->spec->name);
    return transform_new(&probe->transform, &config, error) &&
           store_session_open(&probe->source, plan->source, error) &&
           (!plan->listed ||
            listing_reader_open(&probe->listing, probe->config->world, plan->listing_path, plan->uid, error));
}

static void weigh(struct plan *plan)
{
    double records = 0;
    for (size_t i = 0; i < plan->n_parts; i++)
        records += (double)plan->parts[i].records;
    double mean = plan->n_parts ? records / (double)plan->n_parts : 0;
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct plan_part *part = &plan->parts[i];
        double states = (double)(part->records + part->superseded);
        part->size = mean > 0 ? (double)part->records / mean : 0;
        part->skewed = states > 0 ? (double)part->superseded / states : 0;
        part->risk =
            part->records == 0 ? 0 : part->size + WEIGHT_SKEWED * part->skewed + WEIGHT_REFUSED * part->refused;
    }
}

bool plan_risk(struct plan *plan, const struct plan_config *config, GError **error)
{
    struct probe probe = {.plan = plan, .config = config, .mem = arena_new(PROBE_BYTES)};
    bool ok = plan->n_parts == 0 || (probe_open(&probe, error) && probe_parts(&probe, error));
    g_clear_pointer(&probe.listing, listing_reader_free);
    g_clear_pointer(&probe.transform, transform_free);
    g_clear_pointer(&probe.source, store_session_close);
    arena_free(probe.mem);
    if (ok)
        weigh(plan);
    return ok;
}
