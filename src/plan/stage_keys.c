/* A stage whose scope is a file of keys: the partitions that hold them. */
#include "listing/listing.h"
#include "listing/ranks.h"
#include "plan/plan_parts.h"
#include "store/only.h"

enum { SCAN_RECORDS = 2000, SCAN_BYTES = 1 << 20, SCAN_MEMORY = 192 << 20, RANKED_MEMORY = 128 << 20 };

struct looking {
    struct plan *plan;
    const struct plan_config *config;
    struct store_only keys;
    bool *has; /* by part */
};

static bool look_in_listing(struct looking *looking, GError **error)
{
    const struct plan *plan = looking->plan;
    auto_(listing_reader) listing = NULL;
    auto_(arena) mem = arena_new(RANKED_MEMORY);
    if (!listing_reader_open(&listing, looking->config->world, plan->listing_path, plan->uid, error))
        return false;
    for (size_t i = 0; i < looking->keys.n_keys; i++) {
        struct listing_place place;
        struct slice ranked = looking->keys.keys[i];
        bool found;
        arena_reset(mem);
        if (!ranks_put(store_driver(plan->source), &plan->source_ds, &ranked, 1, mem, error) ||
            !listing_reader_find(listing, ranked, &found, &place, error))
            return false;
        if (!found)
            continue;
        looking->has[place.partition] = true;
        looking->keys.seen[i] = true;
    }
    return true;
}

/* Files have no keys of their own: all of it is read. */
static bool look_in_part(struct looking *looking, struct session *session, size_t part, struct arena *mem,
                         GError **error)
{
    auto_(scan) scan = NULL;
    const struct dataset *ds = &looking->plan->source_ds;
    struct scan_spec spec = {
        .ds = ds, .bounds = looking->plan->parts[part].bounds, .max_records = SCAN_RECORDS, .max_bytes = SCAN_BYTES};
    struct call call = {.cancel = looking->config->cancel, .ds = ds, .mem = mem};
    struct batch batch = {0};
    if (!store_scan_open(&scan, session, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n; i++) {
            bool takes;
            if (!store_only_takes(&looking->keys, session, ds, batch.records[i].key, &takes, error))
                return false;
            looking->has[part] |= takes;
        }
    }
    return true;
}

static bool look_in_parts(struct looking *looking, GError **error)
{
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(SCAN_MEMORY);
    bool ok = store_session_open(&session, looking->plan->source, error);
    for (size_t i = 0; ok && i < looking->plan->n_parts; i++)
        ok = look_in_part(looking, session, i, mem, error);
    return ok;
}

/* What of them matched nothing; *ret_matched: how many did. */
static json_t *said_of(const struct looking *looking, uint64_t *ret_matched)
{
    json_t *examples = json_array();
    uint64_t matched = 0;
    for (size_t i = 0; i < looking->keys.n_keys; i++) {
        bool seen = looking->keys.seen[i];
        matched += seen;
        if (!seen && json_array_size(examples) < PLAN_EXAMPLES)
            json_array_append_new(examples, plan_key_json(looking->keys.keys[i]));
    }
    *ret_matched = matched;
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "by", "keys", "given", (json_int_t)looking->keys.n_keys, "matched",
                     (json_int_t)matched, "unmatched", (json_int_t)(looking->keys.n_keys - matched), "examples",
                     examples);
}

static bool note(struct looking *looking, const struct spec_stage *stage, GError **error)
{
    struct plan *plan = looking->plan;
    uint64_t matched;
    json_t *all = plan->scopes_said ? json_loads(plan->scopes_said, 0, NULL) : json_object();
    json_object_set_new(all, stage->name, said_of(looking, &matched));
    char *text = json_dumps(all, JSON_COMPACT);
    plan->scopes_said = plan_copy(plan, text);
    free(text);
    json_decref(all);
    if (matched > 0)
        return true;
    g_autofree char *place = spec_place(plan->spec, "stages");
    return error_set(error, SLUICE_ERROR_NOT_FOUND,
                     "%s: stages: the stage '%s': none of the keys of %s is in the source that is meant", place,
                     stage->name, stage->scope_keys);
}

bool plan_stage_keys(struct plan *plan, const struct plan_config *config, const struct spec_stage *stage, bool *has,
                     GError **error)
{
    struct plan_keys keys;
    struct looking looking = {.plan = plan, .config = config, .has = has};
    if (!plan_keys_read(plan, config->world, stage->scope_keys, &keys, error))
        return error_add(error, "the stage '%s'", stage->name);
    looking.keys.keys = keys.keys;
    looking.keys.n_keys = keys.n;
    looking.keys.seen = g_malloc0(keys.n + 1);
    bool ok = (plan->listed ? look_in_listing(&looking, error) : look_in_parts(&looking, error)) &&
              note(&looking, stage, error);
    g_free(looking.keys.seen);
    return ok;
}
