/* `unique` of the contract: one pass over the source as it is now, each record taken the way it will be written, so
 * that whoever loses is known before the first write. Files stay what they were listed as; records of a live source may
 * change afterwards, and then are what they were decided on. */
#include "listing/unique.h"

#include <bson/bson.h>

#include "contract/contract.h"
#include "listing/listing.h"
#include "plan/plan_parts.h"

enum { BATCH_RECORDS = 1000, BATCH_BYTES = 1 << 20, BATCH_MEMORY = 256 << 20 };

struct deciding {
    struct plan *plan;
    const struct plan_config *config;
    struct session *session;
    GPtrArray *paths; /* of struct path *: the fields */
    GPtrArray *names; /* of char *: the file of each part, "" where there is none */
    struct unique *unique;
    struct skiplist *skips; /* of the duplicates pass; NULL: none */
    struct listing_reader *listing;
    struct transform *transform;
    struct portions portions; /* of a listed source's records */
    struct arena *mem;
    uint64_t records;
};

struct transform_config plan_transform(const struct plan *plan, const char *run)
{
    struct transform_config config = transform_config_of(plan->recipe, plan->spec, plan->same_dataset);
    config.run = run;
    config.spec = plan->spec->name;
    config.planned_at_ms = plan->planned_at_ms;
    config.removes = plan->removes;
    return config;
}

/* --- one record -----------------------------------------------------------------------------------------------------
 */

/* Of the value as a document of its own, so that numbers of one value are one. */
static bool value_digest(const bson_iter_t *iter, struct digest *ret)
{
    bson_t one = BSON_INITIALIZER;
    g_autoptr(GError) error = NULL;
    bool ok =
        bson_append_iter(&one, "", 0, iter) && digest_canonical(slice_of(bson_get_data(&one), one.len), 0, ret, &error);
    bson_destroy(&one);
    return ok;
}

/* The values of one document; what is absent or null is nobody's. */
static bool document_add(struct deciding *deciding, struct slice document, struct unique_value *value, GError **error)
{
    for (guint i = 0; i < deciding->paths->len; i++) {
        bson_iter_t iter;
        value->field = i;
        if (!path_find(deciding->paths->pdata[i], document, &iter) || BSON_ITER_HOLDS_NULL(&iter) ||
            !value_digest(&iter, &value->value))
            continue;
        if (!unique_add(deciding->unique, value, error))
            return false;
    }
    return true;
}

/* A failure that is of this record only will be said when it is its turn. */
static bool of_record(GError *failed, GError **error)
{
    if (error_class(failed) == ERROR_RECORD) {
        g_error_free(failed);
        return true;
    }
    g_propagate_error(error, failed);
    return false;
}

static bool record_add(struct deciding *deciding, const struct record *record, struct unique_value *value,
                       GError **error)
{
    const struct plan *plan = deciding->plan;
    struct transform_result result;
    struct slice document;
    GError *failed = NULL;
    if (!store_decode(store_driver(plan->source), &plan->source_ds, record->raw, deciding->mem, &document, &failed))
        return of_record(failed, error);
    if (!transform_record(deciding->transform, record->key, document, deciding->mem, &result, error))
        return false;
    if (plan->spec->source.version && !version_of(plan->spec->source.version, document, &value->version, NULL))
        value->version = (struct version){0};
    for (size_t i = 0; result.verdict == TRANSFORM_WANTED && i < result.n; i++)
        if (!document_add(deciding, result.wanted[i].document, value, error))
            return false;
    return true;
}

/* Whether the record takes part, as far as is known. */
static bool takes_part(struct deciding *deciding, const struct record *record, const struct unique_value *value,
                       bool *ret, GError **error)
{
    struct skip skip = {.reason = SKIP_NOTHING};
    *ret = false;
    if (record->presence != RECORD_PRESENT)
        return true;
    if (deciding->skips && !skiplist_find(deciding->skips, value->part, value->offset, &skip, error))
        return false;
    *ret = skip.reason == SKIP_NOTHING;
    return true;
}

/* Asked for each record: transforms may be slow, and batches are large. */
static bool cancelled(const struct deciding *deciding, GError **error)
{
    const atomic_bool *cancel = deciding->config->cancel;
    if (!cancel || !atomic_load_explicit(cancel, memory_order_relaxed))
        return false;
    error_set(error, SLUICE_ERROR_CANCELLED, "given up on request");
    return true;
}

static bool batch_add(struct deciding *deciding, const struct record *records, size_t n, struct unique_value *value,
                      GError **error)
{
    const struct plan_config *config = deciding->config;
    for (size_t i = 0; i < n; i++) {
        bool part;
        if (!deciding->plan->listed) {
            value->offset = records[i].at.offset;
            value->line = records[i].at.line;
        }
        value->key = records[i].key;
        value->version = (struct version){0};
        if (cancelled(deciding, error) || !takes_part(deciding, &records[i], value, &part, error) ||
            (part && !record_add(deciding, &records[i], value, error)))
            return false;
        value->offset++;
    }
    deciding->records += n;
    if (config->progress)
        config->progress(config->progress_self, "deciding what is unique", deciding->records, 0);
    return true;
}

/* --- one partition --------------------------------------------------------------------------------------------------
 */

static struct call call_of(const struct deciding *deciding)
{
    return (struct call){.cancel = deciding->config->cancel, .ds = &deciding->plan->source_ds, .mem = deciding->mem};
}

static bool scanned_part(struct deciding *deciding, uint32_t part, GError **error)
{
    auto_(scan) scan = NULL;
    const struct plan *plan = deciding->plan;
    struct scan_spec spec = {.ds = &plan->source_ds,
                             .bounds = plan->parts[part].bounds,
                             .max_records = BATCH_RECORDS,
                             .max_bytes = BATCH_BYTES};
    struct call call = call_of(deciding);
    struct batch batch = {0};
    struct unique_value value = {.part = part};
    if (!store_scan_open(&scan, deciding->session, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(deciding->mem);
        if (!store_scan_next(scan, &call, &batch, error) || !batch_add(deciding, batch.records, batch.n, &value, error))
            return false;
        char **name = (char **)&deciding->names->pdata[part];
        if (!*name && batch.n > 0)
            *name = g_strdup(batch.records[0].at.file);
    }
    return true;
}

struct adding {
    struct deciding *deciding;
    struct unique_value value; /* of the next record */
};

static bool add_portion(void *self, struct record *records, size_t n, GError **error)
{
    struct adding *adding = self;
    return batch_add(adding->deciding, records, n, &adding->value, error);
}

static bool listed_part(struct deciding *deciding, uint32_t part, GError **error)
{
    struct call call = call_of(deciding);
    struct adding adding = {deciding, {.part = part}};
    const struct read_portions by = {.portions = &deciding->portions, .take = add_portion, .self = &adding};
    struct slice *keys;
    if (!listing_reader_seek(deciding->listing, part, 0, error))
        return false;
    for (size_t n = 1; n > 0;) {
        arena_reset(deciding->mem);
        if (!listing_reader_next(deciding->listing, BATCH_RECORDS, deciding->mem, &keys, &n, error))
            return false;
        struct record *records = arena_alloc0(deciding->mem, (n + 1) * sizeof *records);
        if (!records)
            return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
        for (size_t i = 0; i < n; i++)
            records[i].key = keys[i];
        if (!store_read_portions(deciding->session, &call, records, n, &by, error))
            return false;
    }
    return true;
}

/* A fresh sandbox for each, as when they are written. */
static bool part_add(struct deciding *deciding, uint32_t part, GError **error)
{
    struct transform_config config = plan_transform(deciding->plan, deciding->plan->spec->name);
    g_clear_pointer(&deciding->transform, transform_free);
    return transform_new(&deciding->transform, &config, error) &&
           (deciding->plan->listed ? listed_part(deciding, part, error) : scanned_part(deciding, part, error));
}

/* --- all of them ----------------------------------------------------------------------------------------------------
 */

static bool fields_begin(struct deciding *deciding, const char *const *fields, size_t n, GError **error)
{
    struct plan *plan = deciding->plan;
    struct unique_wish wish = {
        .world = deciding->config->world, .path = plan->skip_path, .fields = fields, .n_fields = n};
    memcpy(wish.run_uid, plan->uid, sizeof plan->uid);
    for (size_t i = 0; i < n; i++) {
        struct path *path;
        if (!path_parse(&path, fields[i], error))
            return false;
        g_ptr_array_add(deciding->paths, path);
    }
    g_ptr_array_set_size(deciding->names, (gint)plan->n_parts);
    return unique_new(&deciding->unique, &wish, error) &&
           (!plan->has_skips || skiplist_open(&deciding->skips, wish.world, plan->skip_path, plan->uid, error)) &&
           (!plan->listed || listing_reader_open(&deciding->listing, wish.world, plan->listing_path, plan->uid, error));
}

static bool decide(struct deciding *deciding, GError **error)
{
    struct plan *plan = deciding->plan;
    for (size_t i = 0; i < plan->n_parts; i++)
        if (!part_add(deciding, (uint32_t)i, error))
            return error_add(error, "deciding `unique` of the contract");
    for (size_t i = 0; i < plan->n_parts; i++)
        if (!deciding->names->pdata[i])
            deciding->names->pdata[i] = g_strdup("");
    return unique_finish_durable(deciding->unique, deciding->names, &plan->has_skips, error);
}

static void deciding_done(struct deciding *deciding)
{
    g_ptr_array_unref(deciding->paths);
    g_ptr_array_unref(deciding->names);
    unique_free(deciding->unique);
    skiplist_free(deciding->skips);
    listing_reader_free(deciding->listing);
    transform_free(deciding->transform);
    arena_free(deciding->mem);
}

/* Only where a record's place is its own for as long as the run lasts can a loser be named beforehand. */
static bool can_decide(const struct plan *plan, GError **error)
{
    const struct store_driver *driver = store_driver(plan->source);
    if (plan->listed || driver->frozen)
        return true;
    return error_set(
        error, SLUICE_ERROR_SPEC,
        "%s: `unique` cannot be decided for a source of the driver %s, whose records cannot be named before "
        "they are read; leave it out of the contract",
        plan->spec->contract, driver->name);
}

bool plan_unique(struct plan *plan, const struct plan_config *config, struct session *session, GError **error)
{
    const struct contract *contract = plan->removes ? NULL : recipe_contract(plan->recipe);
    size_t n = 0;
    const char *const *fields = contract ? contract_unique(contract, &n) : NULL;
    if (n == 0)
        return true;
    if (!can_decide(plan, error))
        return false;
    struct deciding deciding = {.plan = plan,
                                .config = config,
                                .session = session,
                                .paths = g_ptr_array_new_with_free_func((GDestroyNotify)path_free),
                                .names = g_ptr_array_new_with_free_func(g_free),
                                .mem = arena_new(BATCH_MEMORY)};
    bool ok = fields_begin(&deciding, fields, n, error) && decide(&deciding, error);
    deciding_done(&deciding);
    return ok;
}
