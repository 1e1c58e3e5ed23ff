/* The figures of `order: newest | oldest | hottest`: of ORDER_SAMPLE records of every partition, evenly over a listing,
 * else at its beginning. Asked before anything else reads values: whoever reads a record makes it hot. */
#include "base/portions.h"
#include "listing/listing.h"
#include "plan/plan_parts.h"
#include "record/version.h"

enum { ORDER_SAMPLE = 16, ORDER_BYTES = 256 << 20, SCAN_BYTES = 1 << 20 };

struct sampling {
    struct plan *plan;
    const struct plan_config *config;
    const struct path *path; /* of the versions; NULL: nobody asks */
    bool heat;
    struct session *session;
    struct listing_reader *listing;
    struct portions portions;
    struct arena *mem;
};

static const struct spec_stage *stage_of(const struct plan *plan, enum spec_order order)
{
    for (size_t i = 0; i < plan->spec->n_stages; i++)
        if (plan->spec->stages[i].order == order && !plan->spec->stages[i].scope_keys)
            return &plan->spec->stages[i];
    return NULL;
}

static bool refuse(const struct plan *plan, const struct spec_stage *stage, const char *why, GError **error)
{
    g_autofree char *place = spec_place(plan->spec, "stages");
    return error_set(error, SLUICE_ERROR_SPEC, "%s: stages: the stage '%s' takes the %s partitions first: %s", place,
                     stage->name, spec_order_word(stage->order), why);
}

static bool can_be(struct sampling *sampling, GError **error)
{
    const struct plan *plan = sampling->plan;
    const struct spec_source *source = &plan->spec->source;
    const struct spec_stage *by_age = stage_of(plan, ORDER_NEWEST), *by_heat = stage_of(plan, ORDER_HOTTEST);
    by_age = by_age ? by_age : stage_of(plan, ORDER_OLDEST);
    const struct path *path = source->version ? source->version : source->range.field;
    if (by_age && !path)
        return refuse(plan, by_age, "nothing says how old a record is; name the path in source.version", error);
    g_autofree char *cold = g_strdup_printf("a store of driver %s keeps no figures of how often its records are used",
                                            store_driver(plan->source)->name);
    if (by_heat && (!store_driver(plan->source)->heat || !plan->listed))
        return refuse(plan, by_heat, cold, error);
    sampling->path = by_age ? path : NULL;
    sampling->heat = by_heat != NULL;
    return true;
}

/* --- which records -------------------------------------------------------------------------------------------------
 */

static bool listed_keys(struct sampling *sampling, uint32_t part, struct record *records, size_t *ret_n, GError **error)
{
    uint64_t size = listing_reader_size(sampling->listing, part);
    size_t n = (size_t)MIN(size, ORDER_SAMPLE), got = 0;
    for (size_t i = 0; i < n; i++) {
        struct slice *keys;
        if (!listing_reader_seek(sampling->listing, part, size * i / n, error) ||
            !listing_reader_next(sampling->listing, 1, sampling->mem, &keys, &got, error))
            return false;
        records[i] = (struct record){.key = keys[0]};
    }
    *ret_n = n;
    return true;
}

static bool scan_some(struct sampling *sampling, uint32_t part, struct record *records, size_t *ret_n, GError **error)
{
    auto_(scan) scan = NULL;
    const struct plan *plan = sampling->plan;
    struct batch batch = {0};
    struct scan_spec spec = {.ds = &plan->source_ds,
                             .bounds = plan->parts[part].bounds,
                             .max_records = ORDER_SAMPLE,
                             .max_bytes = SCAN_BYTES};
    struct call call = {.ds = &plan->source_ds, .mem = sampling->mem, .cancel = sampling->config->cancel};
    if (!store_scan_open(&scan, sampling->session, &spec, error))
        return false;
    while (batch.n == 0 && !batch.done)
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
    *ret_n = MIN(batch.n, ORDER_SAMPLE);
    if (batch.n)
        memcpy(records, batch.records, *ret_n * sizeof *records);
    return true;
}

/* --- figures -------------------------------------------------------------------------------------------------------
 */

static bool take_heat(struct sampling *sampling, struct plan_part *part, const struct record *records, size_t n,
                      GError **error)
{
    struct call call = {.ds = &sampling->plan->source_ds, .mem = sampling->mem, .cancel = sampling->config->cancel};
    struct slice keys[ORDER_SAMPLE];
    struct heat heat[ORDER_SAMPLE] = {0};
    size_t known = 0;
    for (size_t i = 0; i < n; i++)
        keys[i] = records[i].key;
    struct heat_wish wish = {.keys = keys, .n = n, .ret = heat};
    if (n == 0 || !store_heat(sampling->session, &call, &wish, error))
        return n == 0;
    sampling->plan->heat_figure = wish.figure;
    for (size_t i = 0; i < n; i++) {
        known += heat[i].known;
        part->heat += heat[i].known ? heat[i].value : 0;
    }
    part->heated = known > 0;
    part->heat = known ? part->heat / (double)known : 0;
    return true;
}

static int by_value(const void *a, const void *b)
{
    const struct version *one = a, *other = b;
    return one->value < other->value ? -1 : one->value > other->value;
}

/* Of some records of a partition, as many as fit into memory at a time. */
struct dating {
    const struct sampling *sampling;
    struct version versions[ORDER_SAMPLE];
    size_t known;
};

/* A record whose version cannot be read says nothing of it here. */
static bool take_versions(void *self, struct record *records, size_t n, GError **error)
{
    struct dating *dating = self;
    const struct sampling *sampling = dating->sampling;
    const struct plan *plan = sampling->plan;
    for (size_t i = 0; i < n; i++) {
        struct version version = {0};
        struct slice document;
        if (records[i].presence != RECORD_PRESENT ||
            !store_decode(store_driver(plan->source), &plan->source_ds, records[i].raw, sampling->mem, &document,
                          NULL) ||
            !version_of(sampling->path, document, &version, NULL) || version.kind == VERSION_NONE)
            continue;
        dating->versions[dating->known++] = version;
    }
    return true;
}

static bool date_part(struct sampling *sampling, struct plan_part *part, struct record *records, size_t n,
                      GError **error)
{
    struct dating dating = {.sampling = sampling};
    struct call call = {.ds = &sampling->plan->source_ds, .mem = sampling->mem, .cancel = sampling->config->cancel};
    const struct read_portions by_memory = {.portions = &sampling->portions, .take = take_versions, .self = &dating};
    bool ok = sampling->listing ? store_read_portions(sampling->session, &call, records, n, &by_memory, error)
                                : take_versions(&dating, records, n, error);
    qsort(dating.versions, dating.known, sizeof *dating.versions, by_value);
    part->version = dating.known ? dating.versions[dating.known / 2] : (struct version){0};
    return ok;
}

static bool sample_part(struct sampling *sampling, uint32_t i, GError **error)
{
    struct plan_part *part = &sampling->plan->parts[i];
    struct record records[ORDER_SAMPLE] = {0};
    size_t n = 0;
    arena_reset(sampling->mem);
    return (sampling->listing ? listed_keys : scan_some)(sampling, i, records, &n, error) &&
           (!sampling->heat || take_heat(sampling, part, records, n, error)) &&
           (!sampling->path || n == 0 || date_part(sampling, part, records, n, error));
}

static bool sample_all(struct sampling *sampling, GError **error)
{
    struct plan *plan = sampling->plan;
    if (!store_session_open(&sampling->session, plan->source, error) ||
        (plan->listed &&
         !listing_reader_open(&sampling->listing, sampling->config->world, plan->listing_path, plan->uid, error)))
        return false;
    for (size_t i = 0; i < plan->n_parts; i++)
        if (!sample_part(sampling, (uint32_t)i, error))
            return error_add(error, "sampling for the stages' order");
    return true;
}

bool plan_order(struct plan *plan, const struct plan_config *config, GError **error)
{
    struct sampling sampling = {.plan = plan, .config = config};
    if (!can_be(&sampling, error))
        return false;
    if ((!sampling.path && !sampling.heat) || plan->n_parts == 0)
        return true;
    sampling.mem = arena_new(ORDER_BYTES);
    bool ok = sample_all(&sampling, error);
    g_clear_pointer(&sampling.listing, listing_reader_free);
    g_clear_pointer(&sampling.session, store_session_close);
    arena_free(sampling.mem);
    return ok;
}
