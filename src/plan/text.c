/* The frozen plan as JSON: what a resume needs and what the digest covers. Field order is fixed, so that equal plans
 * are equal texts. */
#include <math.h>

#include "plan/plan_parts.h"

#include "base/hex.h"
#include "plan/environment.h"

static const char *const WRITE_WORDS[] = {
    [WRITE_IN_PLACE] = "in-place", [WRITE_FILL] = "fill", [WRITE_SHADOW] = "shadow"};
static const char *const CONFLICT_WORDS[] = {
    [CONFLICT_NEWER_WINS] = "newer-wins", [CONFLICT_KEEP_LIVE] = "keep-live", [CONFLICT_OVERWRITE] = "overwrite"};

static const char *const FAILURE_WORDS[] = {
    [ON_FAILURE_PAUSE] = "pause", [ON_FAILURE_ROLLBACK_STAGE] = "rollback-stage", [ON_FAILURE_ROLLBACK] = "rollback"};

static json_t *hex_json(const uint8_t *bytes, size_t n)
{
    char text[HEX_TEXT(32)];
    g_assert(n <= 32);
    return json_string(hex_text(bytes, n, text));
}

static bool hex_into(const char *text, uint8_t *ret, size_t n)
{
    return text && hex_parse(slice_of_text(text), ret, n);
}

static json_t *source_json(const struct plan *plan)
{
    uint8_t identity[16];
    digest_put(plan->source_identity, identity);
    return json_pack("{s:s, s:s, s:o}", "store", plan_source_uri(plan), "dataset", plan->source_ds.name, "identity",
                     hex_json(identity, sizeof identity));
}

static json_t *target_json(const struct plan *plan)
{
    g_autofree char *dir = g_canonicalize_filename(plan->spec->dir, NULL);
    return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s*}", "store", plan->spec->target.store, "base_dir", dir, "dataset",
                     plan->spec->target.dataset, "form", (int)plan->target_ds.form, "name", plan->target_name,
                     "topology", plan->target_topology);
}

static json_t *decided_json(const struct plan *plan)
{
    return json_pack("{s:b, s:b, s:b, s:s, s:s, s:b}", "same_dataset", plan->same_dataset, "listed", plan->listed,
                     "sink", plan->sink, "write", WRITE_WORDS[plan->write], "conflict", CONFLICT_WORDS[plan->conflict],
                     "skips", plan->skip_path != NULL);
}

static json_t *counts_json(const struct plan *plan)
{
    return json_pack("{s:I, s:I, s:I}", "partitions", (json_int_t)plan->n_parts, "listed", (json_int_t)plan->n_listed,
                     "duplicates", (json_int_t)plan->duplicates);
}

static json_t *budget_json(const struct spec_budget *budget)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:I}", "records", (json_int_t)budget->records, "bytes",
                     (json_int_t)budget->bytes, "time_ms", (json_int_t)budget->time_ms, "cost",
                     (json_int_t)budget->cost, "burn", budget->burn.share, "burn_ms", (json_int_t)budget->burn.ms);
}

/* A plan of an earlier version has none. */
static bool budget_take(json_t *object, struct spec_budget *ret)
{
    json_int_t records = 0, bytes = 0, time_ms = 0, cost = 0, burn_ms = 0;
    double burn = 0;
    if (object && json_unpack(object, "{s:I, s:I, s:I, s?I, s?F, s?I}", "records", &records, "bytes", &bytes, "time_ms",
                              &time_ms, "cost", &cost, "burn", &burn, "burn_ms", &burn_ms) != 0)
        return false;
    *ret = (struct spec_budget){.records = (uint64_t)records,
                                .bytes = (uint64_t)bytes,
                                .time_ms = time_ms,
                                .cost = (uint64_t)cost,
                                .burn = {.share = burn, .ms = burn_ms}};
    return true;
}

void plan_budget_price(struct plan_limits *io)
{
    io->budget.cost_step = (uint64_t)ceil(io->rates.read + io->rates.write);
    g_strlcpy(io->budget.currency, io->rates.currency, sizeof io->budget.currency);
}

static json_t *rates_json(const struct plan_limits *limits)
{
    const struct money_rates *rates = &limits->rates;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:s, s:f, s:I}", "read", rates->read, "write", rates->write,
                     "byte_read", rates->byte_read, "byte_written", rates->byte_written, "back_read", rates->back_read,
                     "back_write", rates->back_write, "currency", rates->currency, "complete", limits->complete.share,
                     "within_ms", (json_int_t)limits->complete.ms);
}

/* Likewise; and one of those that have, what taking back costs. */
static bool rates_take(json_t *object, struct plan_limits *ret)
{
    struct money_rates *rates = &ret->rates;
    const char *currency = "";
    json_int_t ms = 0;
    if (object && json_unpack(object, "{s:F, s:F, s:F, s:F, s?F, s?F, s:s, s:F, s:I}", "read", &rates->read, "write",
                              &rates->write, "byte_read", &rates->byte_read, "byte_written", &rates->byte_written,
                              "back_read", &rates->back_read, "back_write", &rates->back_write, "currency", &currency,
                              "complete", &ret->complete.share, "within_ms", &ms) != 0)
        return false;
    g_strlcpy(rates->currency, currency, sizeof rates->currency);
    ret->complete.ms = ms;
    return true;
}

static json_t *live_json(const struct spec_live *live)
{
    g_autofree char *text = spec_live_text(live);
    return json_string(text);
}

/* Likewise. */
static bool live_take(json_t *text, struct spec_live *ret)
{
    *ret = (struct spec_live){0};
    return !text || (json_is_string(text) && spec_live_parse(json_string_value(text), ret));
}

static json_t *limits_json(const struct plan *plan)
{
    const struct plan_limits *limits = &plan->limits;
    json_t *object =
        json_pack("{s:f, s:i, s:f, s:f, s:f, s:b, s:I, s:s, s:o, s:o, s:o, s:o, s:i}", "rate_max_per_s",
                  limits->rate_max_per_s, "workers", (int)limits->workers, "errors", limits->errors, "rejects",
                  limits->rejects, "kept_live", limits->kept_live, "topology_halts", limits->topology_halts, "skew_ms",
                  (json_int_t)limits->skew_ms, "on_failure", FAILURE_WORDS[plan->spec->on_failure], "budget",
                  budget_json(&limits->budget), "live", live_json(&limits->live), "guards", plan_guards_json(limits),
                  "money", rates_json(limits), "priority", (int)limits->priority);
    if (limits->source_until_ms)
        json_object_set_new(object, "source_until_ms", json_integer(limits->source_until_ms));
    return object;
}

/* Which partition is in which stage: a digest, for the partitions themselves stand in the catalog. */
static json_t *dealt_json(const struct plan *plan)
{
    uint8_t digest[32];
    plan_digest_deal(plan, digest);
    return hex_json(digest, sizeof digest);
}

bool plan_deal_is(const struct plan *plan)
{
    json_t *root = json_loadb((const char *)plan->text.data, plan->text.len, 0, NULL), *now = dealt_json(plan);
    bool same = root && json_equal(json_object_get(root, "dealt"), now);
    json_decref(root);
    json_decref(now);
    return same;
}

static bool limits_take(json_t *root, struct plan_limits *ret)
{
    int workers, halts, priority = SPEC_PRIORITY;
    json_int_t skew_ms = 0, until_ms = 0;
    json_t *budget = NULL, *live = NULL, *guards = NULL, *money = NULL;
    struct plan_limits limits = {0};
    if (json_unpack(root, "{s:{s:F, s:i, s:F, s:F, s:F, s:b, s?I, s?o, s?o, s?o, s?o, s?i, s?I}}", "limits",
                    "rate_max_per_s", &limits.rate_max_per_s, "workers", &workers, "errors", &limits.errors, "rejects",
                    &limits.rejects, "kept_live", &limits.kept_live, "topology_halts", &halts, "skew_ms", &skew_ms,
                    "budget", &budget, "live", &live, "guards", &guards, "money", &money, "priority", &priority,
                    "source_until_ms", &until_ms) != 0 ||
        !rates_take(money, &limits) || !budget_take(budget, &limits.budget) || !live_take(live, &limits.live) ||
        !plan_guards_take(guards, &limits))
        return false;
    limits.workers = (uint32_t)MAX(workers, 1);
    limits.topology_halts = halts;
    limits.skew_ms = skew_ms;
    limits.source_until_ms = until_ms;
    limits.priority = (uint32_t)CLAMP(priority, 0, 9);
    plan_budget_price(&limits);
    *ret = limits;
    return true;
}

bool plan_text_write(struct plan *plan, GError **error)
{
    json_t *root = json_pack("{s:i, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "plan", 1,
                             "name", plan->spec->name, "uid", hex_json(plan->uid, sizeof plan->uid), "planned_at_ms",
                             (json_int_t)plan->planned_at_ms, "spec", hex_json(plan->digests.spec, 32), "contract",
                             hex_json(plan->digests.contract, 32), "transform", hex_json(plan->digests.transform, 32),
                             "source", source_json(plan), "target", target_json(plan), "decided", decided_json(plan),
                             "counts", counts_json(plan), "limits", limits_json(plan), "stages", plan_stages_json(plan),
                             "dealt", dealt_json(plan), "may", plan_may_json(plan->spec));
    plan_supersedes_put(plan, root);
    plan_params_put(plan, root);
    plan_only_put(plan, root);
    if (plan->tests_text.data)
        json_object_set_new(root, "tests", hex_json(plan->tests, sizeof plan->tests));
    if (plan->spec->judge.shell || plan->spec->judge.argv)
        json_object_set_new(root, "judge", hex_json(plan->judge, sizeof plan->judge));
    plan_retries_put(plan, root);
    plan_hooks_put(plan, root);
    plan_retain_put(plan, root);
    environment_put(plan->environment, root);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    if (!text)
        return error_set(error, SLUICE_ERROR_INTERNAL, "the plan cannot be written as JSON: is a name not UTF-8?");
    plan->text = slice_of_text(plan_copy(plan, text));
    free(text);
    plan_digest_text(plan);
    return true;
}

static int word_index(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (g_strcmp0(word, words[i]) == 0)
            return (int)i;
    return -1;
}

/* What json_unpack leaves behind points into the document; the plan keeps copies. */
struct frozen {
    const char *uid, *spec, *contract, *transform, *identity, *store, *base_dir, *dataset, *name, *write, *conflict,
        *topology;
    int form, same_dataset, listed, sink, skips;
    json_int_t planned_at_ms, partitions, keys, duplicates;
};

static bool unpack(json_t *root, struct frozen *ret)
{
    return json_unpack(root, "{s:s, s:I, s:s, s:s, s:s, s:{s:s}, s:{s:s, s:s, s:s, s:i, s:s, s?s}}", "uid", &ret->uid,
                       "planned_at_ms", &ret->planned_at_ms, "spec", &ret->spec, "contract", &ret->contract,
                       "transform", &ret->transform, "source", "identity", &ret->identity, "target", "store",
                       &ret->store, "base_dir", &ret->base_dir, "dataset", &ret->dataset, "form", &ret->form, "name",
                       &ret->name, "topology", &ret->topology) == 0 &&
           json_unpack(root, "{s:{s:b, s:b, s:b, s:s, s:s, s:b}, s:{s:I, s:I, s:I}}", "decided", "same_dataset",
                       &ret->same_dataset, "listed", &ret->listed, "sink", &ret->sink, "write", &ret->write, "conflict",
                       &ret->conflict, "skips", &ret->skips, "counts", "partitions", &ret->partitions, "listed",
                       &ret->keys, "duplicates", &ret->duplicates) == 0;
}

static bool take(struct plan *plan, const struct frozen *frozen)
{
    uint8_t identity[16];
    int write = word_index(frozen->write, WRITE_WORDS, G_N_ELEMENTS(WRITE_WORDS));
    int conflict = word_index(frozen->conflict, CONFLICT_WORDS, G_N_ELEMENTS(CONFLICT_WORDS));
    if (write < 0 || conflict < 0 || !hex_into(frozen->identity, identity, 16) ||
        !hex_into(frozen->uid, plan->uid, sizeof plan->uid) || !hex_into(frozen->spec, plan->digests.spec, 32) ||
        !hex_into(frozen->contract, plan->digests.contract, 32) ||
        !hex_into(frozen->transform, plan->digests.transform, 32))
        return false;
    plan->source_identity = digest_get(identity);
    plan->planned_at_ms = frozen->planned_at_ms;
    plan->same_dataset = frozen->same_dataset;
    plan->listed = frozen->listed;
    plan->sink = frozen->sink;
    plan->write = (enum spec_write)write;
    plan->conflict = (enum spec_conflict)conflict;
    plan->has_skips = frozen->skips;
    plan->n_listed = (uint64_t)frozen->keys;
    plan->duplicates = (uint64_t)frozen->duplicates;
    plan->target_uri = plan_copy(plan, frozen->store);
    plan->target_dir = plan_copy(plan, frozen->base_dir);
    plan->target_name = plan_copy(plan, frozen->name);
    plan->target_topology = frozen->topology ? plan_copy(plan, frozen->topology) : NULL;
    plan->target_ds =
        (struct dataset){.name = plan_copy(plan, frozen->dataset), .form = (enum dataset_form)frozen->form};
    return true;
}

bool plan_text_read(struct plan *plan, struct slice text, GError **error)
{
    struct frozen frozen = {0};
    json_error_t fault;
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &fault);
    struct plan_rights rights = {0};
    bool ok = root && unpack(root, &frozen) && take(plan, &frozen) && limits_take(root, &plan->limits) &&
              plan_rights_take(root, plan->mem, &rights) && plan_only_take(plan, root) &&
              plan_retries_take(root, plan->mem, &plan->retries);
    plan->removes = plan->retries && plan->retries->extra;
    plan->stages = rights.stages;
    plan->n_stages = rights.n_stages;
    plan->environment = rights.environment;
    plan_supersedes_take(plan, root);
    plan_params_take(plan, root);
    plan_retain_take(plan, root);
    hex_into(json_string_value(json_object_get(root, "tests")), plan->tests, sizeof plan->tests);
    json_decref(root);
    plan->text = text;
    plan_digest_text(plan);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT,
                           "the frozen plan cannot be read; it is of another version or damaged");
}

bool plan_was_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_was *ret,
                   GError **error)
{
    struct slice text;
    int same, sink;
    const char *write = NULL;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok = root && json_unpack(root, "{s:{s:b, s:b, s:s}}", "decided", "same_dataset", &same, "sink", &sink, "write",
                                  &write) == 0;
    if (ok)
        *ret = (struct plan_was){
            .same_dataset = same, .sink = sink, .shadow = strcmp(write, WRITE_WORDS[WRITE_SHADOW]) == 0};
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}

static bool is_felt(const char *uri)
{
    const struct store_driver *driver = store_driver_of(uri, NULL);
    return driver && driver->probe;
}

bool plan_felt_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, bool *ret, GError **error)
{
    struct slice text;
    const char *source = NULL, *target = NULL;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok =
        root && json_unpack(root, "{s:{s:s}, s:{s:s}}", "source", "store", &source, "target", "store", &target) == 0;
    if (ok)
        *ret = is_felt(source) || is_felt(target);
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}

bool plan_limits_read(struct catalog *catalog, const struct run_row *run, struct arena *mem, struct plan_limits *ret,
                      GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, mem, &text, error))
        return false;
    json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
    bool ok = root && limits_take(root, ret);
    json_decref(root);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: its frozen plan cannot be read", run->name);
}
