/* A plan for the records that another run refused, or that a report of its verification names: which run, and how many
 * of its rows were asked for, stand in the frozen text; which records they are stands in the listing, or in the list of
 * the chosen ones; what is to be repaired there, in the list of what the verification saw. */
#include "base/file.h"
#include "base/hex.h"
#include "listing/seen.h"
#include "plan/home.h"
#include "plan/plan_parts.h"

#define KEY "retries"

/* --- the text ----------------------------------------------------------------------------------------------------- */

static json_t *bucket_json(const struct plan_bucket *bucket)
{
    return json_pack("{s:s, s:s, s:I, s:I}", "name", bucket->name, "field", bucket->field, "from_us",
                     (json_int_t)bucket->from_us, "to_us", (json_int_t)bucket->to_us);
}

static bool take_bucket(json_t *object, struct arena *mem, struct plan_bucket *ret)
{
    const char *name, *field;
    json_int_t from_us, to_us;
    if (!object)
        return true;
    if (json_unpack(object, "{s:s, s:s, s:I, s:I}", "name", &name, "field", &field, "from_us", &from_us, "to_us",
                    &to_us) != 0)
        return false;
    *ret = (struct plan_bucket){.name = arena_text(mem, slice_of_text(name)),
                                .field = arena_text(mem, slice_of_text(field)),
                                .from_us = from_us,
                                .to_us = to_us};
    return ret->name && ret->field;
}

static void put_report(const struct plan_retries *retries, json_t *object)
{
    char seen[DIGEST_TEXT];
    json_object_set_new(object, "report", json_string(retries->report));
    json_object_set_new(object, "seen", json_string(digest_text(retries->seen, seen)));
    if (retries->bucket.name)
        json_object_set_new(object, "bucket", bucket_json(&retries->bucket));
    if (retries->extra)
        json_object_set_new(object, "extra", json_true());
}

static bool take_report(json_t *object, struct arena *mem, struct plan_retries *ret)
{
    const char *report = json_string_value(json_object_get(object, "report"));
    const char *seen = json_string_value(json_object_get(object, "seen"));
    uint8_t digest[16];
    if (!report && !seen)
        return true;
    if (!report || !seen || !hex_parse(slice_of_text(seen), digest, sizeof digest))
        return false;
    ret->seen = digest_get(digest);
    ret->extra = json_is_true(json_object_get(object, "extra"));
    ret->report = arena_text(mem, slice_of_text(report));
    return ret->report != NULL && take_bucket(json_object_get(object, "bucket"), mem, &ret->bucket);
}

void plan_retries_put(const struct plan *plan, json_t *root)
{
    const struct plan_retries *retries = plan->retries;
    char digest[HEX_TEXT(sizeof retries->digest)];
    if (!retries)
        return;
    json_object_set_new(root, KEY,
                        json_pack("{s:s, s:I, s:s, s:I, s:I}", "run", retries->run, "rows", (json_int_t)retries->rows,
                                  "digest", hex_text(retries->digest, sizeof retries->digest, digest), "asked",
                                  (json_int_t)retries->asked, "gone", (json_int_t)retries->gone));
    if (retries->report)
        put_report(retries, json_object_get(root, KEY));
}

static bool take(json_t *object, struct arena *mem, struct plan_retries *ret)
{
    const char *run, *digest;
    json_int_t rows, asked, gone;
    if (json_unpack(object, "{s:s, s:I, s:s, s:I, s:I}", "run", &run, "rows", &rows, "digest", &digest, "asked", &asked,
                    "gone", &gone) != 0 ||
        !hex_parse(slice_of_text(digest), ret->digest, sizeof ret->digest))
        return false;
    ret->run = arena_text(mem, slice_of_text(run));
    ret->rows = (uint64_t)rows;
    ret->asked = (uint64_t)asked;
    ret->gone = (uint64_t)gone;
    return ret->run != NULL && take_report(object, mem, ret);
}

bool plan_retries_take(json_t *root, struct arena *mem, struct plan_retries **ret)
{
    json_t *object = json_object_get(root, KEY);
    struct plan_retries *retries = arena_alloc0(mem, sizeof *retries);
    if (!retries || (object && !take(object, mem, retries)))
        return false;
    *ret = object ? retries : NULL;
    return true;
}

bool plan_retries_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_retries **ret,
                       GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok = root && plan_retries_take(root, mem, ret);
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}

/* --- what is asked for
 * ------------------------------------------------------------------------------------------------
 */

static bool no_room(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "what is to be retried does not fit into memory");
}

bool plan_retries_begin(struct plan *plan, const struct plan_retry *retry, GError **error)
{
    struct plan_retries *retries = arena_alloc0(plan->mem, sizeof *retries);
    if (!retries)
        return no_room(error);
    *retries = (struct plan_retries){.run = plan_copy(plan, retry->run),
                                     .report = retry->report ? plan_copy(plan, retry->report) : NULL,
                                     .extra = retry->extra,
                                     .bucket = retry->bucket,
                                     .rows = retry->rows,
                                     .asked = retry->n_keys + retry->n_places};
    memcpy(retries->digest, retry->digest, sizeof retries->digest);
    plan->retries = retries;
    return true;
}

bool plan_retries_check(const struct plan *plan, size_t n_places, GError **error)
{
    const struct contract *contract = recipe_contract(plan->recipe);
    size_t n = 0;
    if (!plan->retries || !plan->listed)
        return true;
    if (n_places > 0)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%zu records that %s refused had no key, only a place in a file, and %s has no files",
                         n_places, plan->retries->run, plan->spec->source.store);
    if (!contract || plan->removes) /* what goes makes nothing stand twice */
        return true;
    contract_unique(contract, &n);
    return n == 0 || error_set(error, SLUICE_ERROR_REFUSED,
                               "%s: its `unique` is decided among all records, and cannot be among a few ones of %s "
                               "alone; run the spec as a whole",
                               plan->spec->contract, plan->retries->run);
}

/* The names stand in the list, which goes when the run's reports do; the frozen text has only their number. */
static bool name_gone(struct plan_retries *retries, const GPtrArray *gone, struct arena *mem)
{
    size_t n = MIN(gone->len, PLAN_GONE_NAMED);
    const char **names = arena_alloc0(mem, (n + 1) * sizeof *names);
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = (names[i] = arena_text(mem, slice_of_text(gone->pdata[i]))) != NULL;
    retries->gone_named = names;
    retries->n_gone_named = ok ? n : 0;
    return ok;
}

bool plan_retries_name(struct plan_retries *io, const struct world *world, const char *home, const uint8_t uid[16],
                       struct arena *mem, GError **error)
{
    auto_(skiplist) list = NULL;
    char hex[HEX_TEXT(16)];
    g_autofree char *path = home_path(home, HOME_SKIPS, hex_text(uid, 16, hex));
    if (!io || io->gone == 0 || !file_exists(world, path))
        return true;
    return skiplist_open(&list, world, path, uid, error) && (name_gone(io, skiplist_gone(list), mem) || no_room(error));
}

/* --- a stretch of time -------------------------------------------------------------------------------------------- */

bool plan_retries_narrow(struct plan *plan, GError **error)
{
    struct spec_range *range = &plan->spec->source.range;
    const struct plan_bucket *bucket = plan->retries ? &plan->retries->bucket : NULL;
    if (!bucket || !bucket->name)
        return true;
    g_autofree char *place = range->field ? spec_place(plan->spec, "source.range") : NULL;
    if (range->field && strcmp(path_text(range->field), bucket->field) != 0)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: source.range is by '%s', and the buckets '%s' are by '%s'; write a spec of the part that "
                         "is meant",
                         place, path_text(range->field), bucket->name, bucket->field);
    g_clear_pointer(&range->field, path_free);
    range->from_us = bucket->from_us;
    range->to_us = bucket->to_us;
    return path_parse(&range->field, bucket->field, error);
}

/* --- what a verification saw ---------------------------------------------------------------------------------------
 */

static char *seen_path(const struct plan *plan)
{
    char hex[HEX_TEXT(16)];
    return home_path(plan->home, HOME_SEEN, hex_text(plan->uid, sizeof plan->uid, hex));
}

bool plan_retries_see_durable(struct plan *plan, const struct plan_config *config, GError **error)
{
    const struct plan_retry *retry = config->retry;
    if (!retry || !retry->report || retry->bucket.name)
        return true;
    g_autofree char *path = seen_path(plan);
    plan->seen = seen_list_new(retry->seen, retry->n_seen);
    plan->retries->seen = seen_list_digest(plan->seen);
    return seen_list_write_durable(plan->seen, config->world, path, plan->uid, error);
}

bool plan_retries_saw(struct plan *plan, const struct plan_config *config, GError **error)
{
    if (!plan->retries || !plan->retries->report || plan->retries->bucket.name)
        return true;
    g_autofree char *path = seen_path(plan);
    return seen_list_open(&plan->seen, config->world, path, plan->uid, error) &&
           (digest_equal(seen_list_digest(plan->seen), plan->retries->seen) ||
            error_set(error, SLUICE_ERROR_CORRUPT, "%s: it is not the list that the plan was made with", path));
}

/* --- files -------------------------------------------------------------------------------------------------------- */

static void on_records(void *self, uint64_t records)
{
    const struct plan_config *config = self;
    if (config->progress)
        config->progress(config->progress_self, "finding what is retried", records, 0);
}

/* Only the partitions that hold some of it are left. */
static bool take_parts(struct plan *plan, const struct chosen_result *found, GError **error)
{
    struct plan_part *parts = arena_alloc0(plan->mem, (found->parts->len + 1) * sizeof *parts);
    uint64_t records = 0, losers = 0;
    if (!parts)
        return no_room(error);
    for (guint i = 0; i < found->parts->len; i++) {
        const struct chosen_part *part = &g_array_index(found->parts, struct chosen_part, i);
        parts[i].bounds = plan->parts[part->of].bounds;
        parts[i].records = part->records - part->losers;
        parts[i].superseded = part->losers;
        records += parts[i].records;
        losers += part->losers;
    }
    plan->parts = parts;
    plan->n_parts = found->parts->len;
    plan->n_listed = records;
    plan->duplicates = losers;
    plan->has_skips = true;
    return true;
}

static bool choose(struct plan *plan, struct chosen_wish *wish, GError **error)
{
    struct chosen_result found = {0};
    struct slice *bounds = arena_alloc0(plan->mem, (plan->n_parts + 1) * sizeof *bounds);
    if (!bounds)
        return no_room(error);
    for (size_t i = 0; i < plan->n_parts; i++)
        bounds[i] = plan->parts[i].bounds;
    wish->bounds = bounds;
    wish->n_parts = plan->n_parts;
    if (!chosen_find_durable(wish, &found, error))
        return false;
    plan->retries->gone = found.gone->len;
    bool ok = take_parts(plan, &found, error) && (name_gone(plan->retries, found.gone, plan->mem) || no_room(error));
    plan->source_identity = found.digest;
    chosen_result_done(&found);
    return ok;
}

bool plan_retries_choose(struct plan *plan, const struct plan_config *config, struct session *session, GError **error)
{
    const struct plan_retry *retry = config->retry;
    if (!retry || retry->bucket.name || plan->listed)
        return true;
    struct chosen_wish wish = {.world = config->world,
                               .path = plan->skip_path,
                               .has_skips = plan->has_skips,
                               .session = session,
                               .ds = &plan->source_ds,
                               .keys = retry->keys,
                               .n_keys = retry->n_keys,
                               .places = retry->places,
                               .n_places = retry->n_places,
                               .cancel = config->cancel,
                               .progress = on_records,
                               .progress_self = (void *)config};
    memcpy(wish.run_uid, plan->uid, sizeof plan->uid);
    return choose(plan, &wish, error);
}
