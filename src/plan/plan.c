#include "plan/plan_parts.h"

#include "base/file.h"
#include "base/hex.h"
#include "listing/seen.h"
#include "plan/environment.h"
#include "plan/home.h"
#include "plan/keyring.h"

#define PLAN_BYTES (256u << 20) /* bounds of partitions; the data itself never comes here */

const char *plan_copy(struct plan *plan, const char *text)
{
    const char *copy = arena_text(plan->mem, slice_of_text(text));
    g_assert(copy != NULL);
    return copy;
}

struct plan *plan_new(const struct plan_config *config)
{
    struct plan *plan = g_new0(struct plan, 1);
    plan->mem = arena_new(PLAN_BYTES);
    plan->registry = config->registry;
    plan->home = plan_copy(plan, config->home);
    plan->supersedes = config->supersedes ? plan_copy(plan, config->supersedes) : NULL;
    return plan;
}

void plan_free(struct plan *plan)
{
    if (!plan)
        return;
    store_release(plan->registry, plan->source);
    store_release(plan->registry, plan->target);
    g_clear_pointer(&plan->recipe, recipe_free);
    g_clear_pointer(&plan->spec, spec_free);
    seen_list_free(plan->seen);
    arena_free(plan->mem);
    g_free(plan);
}

void plan_discard(const struct plan *plan, const struct world *world)
{
    char uid[HEX_TEXT(sizeof plan->uid)];
    g_autofree char *texts = home_path(plan->home, HOME_TEXTS, hex_text(plan->uid, sizeof plan->uid, uid));
    g_autofree char *unmatched = home_path(plan->home, HOME_UNMATCHED, uid);
    g_autofree char *seen = home_path(plan->home, HOME_SEEN, uid);
    const char *const paths[] = {plan->listing_path, plan->skip_path, texts, unmatched, seen};
    for (size_t i = 0; i < G_N_ELEMENTS(paths); i++)
        if (paths[i])
            file_unlink(world, paths[i], NULL);
    keyring_discard(world, plan->home, plan->uid);
}

bool plan_store_open(struct store **ret, const struct plan_config *config, const char *uri, const char *base_dir,
                     bool read_only, GError **error)
{
    g_autofree char *expanded = NULL;
    if (!spec_secret_expand(config->world, base_dir, uri, &expanded, error))
        return false;
    g_autofree char *absolute = g_canonicalize_filename(base_dir, NULL);
    struct store_config store = {.uri = expanded, .base_dir = absolute, .read_only = read_only};
    return store_open(ret, config->registry, &store, error);
}

/* --- stores
 * ----------------------------------------------------------------------------------------------------------- */

static bool inspect(struct plan *plan, struct store *store, const struct dataset *ds, struct store_info *ret,
                    GError **error)
{
    auto_(session) session = NULL;
    struct call call = {.ds = ds, .mem = plan->mem};
    return store_session_open(&session, store, error) && store_inspect(session, &call, ret, error);
}

static enum dataset_form form_of(enum spec_as as)
{
    static const enum dataset_form FORMS[] = {
        [AS_DEFAULT] = FORM_DEFAULT, [AS_HASH] = FORM_HASH, [AS_JSON] = FORM_JSON, [AS_RAW] = FORM_RAW};
    return FORMS[as];
}

/* A repair names the form once: with the target. */
static enum dataset_form source_form(const struct spec *spec)
{
    bool same_name = g_strcmp0(spec->source.dataset, spec->target.dataset) == 0;
    return form_of(spec->source.as == AS_DEFAULT && same_name ? spec->target.as : spec->source.as);
}

const char *plan_source_uri(const struct plan *plan)
{
    return plan->removes ? plan->spec->target.store : plan->spec->source.store;
}

/* What the spec says a store is. The words of whoever refuses it, with the place; a scheme that no driver has is a
 * fault of the spec. */
static bool open_named(struct store **ret, const struct plan *plan, const struct plan_config *config, const char *key,
                       GError **error)
{
    bool target = strcmp(key, "target.store") == 0;
    const char *uri = target ? plan->spec->target.store : plan_source_uri(plan);
    GError *failed = NULL;
    if (plan_store_open(ret, config, uri, plan->spec->dir, !target || config->look, &failed))
        return true;
    g_autofree char *place = spec_place(plan->spec, key);
    if (error_is(failed, SLUICE_ERROR_USAGE))
        failed->code = SLUICE_ERROR_SPEC;
    error_add(&failed, "%s: %s", place, key);
    g_propagate_error(error, failed);
    return false;
}

/* Where nothing will be written, a target that is not there yet is an empty one. */
static bool open_target(struct plan *plan, const struct plan_config *config, GError **error)
{
    GError *failed = NULL;
    if (open_named(&plan->target, plan, config, "target.store", &failed)) {
        plan->target_driver = store_driver(plan->target);
        return true;
    }
    if (config->look && error_is(failed, SLUICE_ERROR_NOT_FOUND))
        plan->target_driver = store_driver_of(plan->spec->target.store, NULL);
    if (!plan->target_driver) {
        g_propagate_error(error, failed);
        return false;
    }
    g_error_free(failed);
    return true;
}

/* What is copied as it is, by one driver, from one dataset to another may be larger than a batch. What stands in the
 * target may be so in any case. */
static void may_be_in_pieces(struct plan *plan)
{
    const struct store_driver *driver = plan->target ? store_driver(plan->target) : plan->target_driver;
    plan->target_ds.in_pieces = driver && driver->big && !plan->same_dataset && driver->big->copies(&plan->target_ds);
    if (plan->source)
        plan->source_ds.in_pieces = plan->target_ds.in_pieces && store_driver(plan->source) == driver &&
                                    driver->big->copies(&plan->source_ds) && plan->write != WRITE_SHADOW &&
                                    !recipe_has_transform(plan->recipe) && !recipe_contract(plan->recipe);
}

/* Why the store can have no such index; NULL: it can. */
static const char *index_fault(const struct store_driver *driver, const struct spec_expect *of)
{
    bool sets = store_can(driver, CAN_MEMBERS);
    if (!sets && (!store_can(driver, CAN_SCAN) || !store_can(driver, CAN_READ)))
        return "this store keeps no indexes that could be read by key";
    if (!sets && !of->entry)
        return "an index is a dataset here, and its keys are the entries: say what an 'entry' looks like";
    if (!sets && of->score)
        return "this store has no sorted sets, and so no scores";
    return !sets && strchr(of->index, '{') ? "an index is one dataset here: placeholders stand in its 'entry'" : NULL;
}

static bool takes_indexes(const struct plan *plan, GError **error)
{
    const struct spec *spec = plan->spec;
    const struct store_driver *driver = store_driver_of(spec->target.store, NULL);
    g_autofree char *place = spec_place(spec, "expect");
    for (size_t i = 0; driver && i < spec->n_expects; i++) {
        const struct spec_expect *of = &spec->expects[i];
        if (of->what != SPEC_EXPECT_INDEX)
            continue;
        const char *why = index_fault(driver, of);
        struct dataset ds = {.name = of->index, .form = store_can(driver, CAN_MEMBERS) ? FORM_RAW : FORM_DEFAULT};
        if (why)
            return error_set(error, SLUICE_ERROR_SPEC, "%s: expect '%s': %s", place, of->name, why);
        if (!store_takes(driver, &ds, error))
            return error_add(error, "%s: expect '%s'", place, of->name);
    }
    return true;
}

/* Asked before anything is opened. */
static bool takes(const struct plan *plan, GError **error)
{
    const struct {
        const char *key, *uri;
        const struct dataset *ds;
    } asked[] = {{"source.dataset", plan_source_uri(plan), &plan->source_ds},
                 {"target.dataset", plan->spec->target.store, &plan->target_ds}};
    for (size_t i = 0; i < G_N_ELEMENTS(asked); i++) {
        const struct store_driver *driver = store_driver_of(asked[i].uri, NULL); /* NULL: opening it says so */
        if (driver && !store_takes(driver, asked[i].ds, error)) {
            g_autofree char *place = spec_place(plan->spec, asked[i].key);
            return error_add(error, "%s: %s", place, asked[i].key);
        }
    }
    return takes_indexes(plan, error);
}

struct dataset plan_source_dataset(const struct spec *spec)
{
    return (struct dataset){
        .name = spec->source.dataset, .form = source_form(spec), .key = spec->source.key.n ? &spec->source.key : NULL};
}

/* The target is opened first, for writing; a source in the same place then shares it. */
static bool open_both(struct plan *plan, const struct plan_config *config, GError **error)
{
    const struct spec *spec = plan->spec;
    plan->target_ds = (struct dataset){.name = spec->target.dataset,
                                       .form = form_of(spec->target.as),
                                       .key = spec->source.key.n ? &spec->source.key : NULL};
    plan->source_ds = plan->removes ? plan->target_ds : plan_source_dataset(spec);
    return takes(plan, error) && open_target(plan, config, error) &&
           open_named(&plan->source, plan, config, "source.store", error);
}

/* What is wrong with a key's value, as its place says. */
static bool refuse(const struct plan *plan, const char *key, enum error_code code, const char *words, GError **error)
{
    g_autofree char *place = spec_place(plan->spec, key);
    return error_set(error, code, "%s: %s: %s", place, key, words);
}

static bool check_source(const struct plan *plan, const struct store_info *source, GError **error)
{
    const struct spec *spec = plan->spec;
    g_autofree char *none = g_strdup_printf("%s: there is no dataset '%s'", spec->source.store, spec->source.dataset);
    g_autofree char *no_key = g_strdup_printf(
        "records of %s have no keys of their own: name the path of the field that makes the key", spec->source.store);
    if (!source->dataset_present)
        return refuse(plan, "source.dataset", SLUICE_ERROR_NOT_FOUND, none, error);
    return source->keyed || spec->source.key.n > 0 || refuse(plan, "source.key", SLUICE_ERROR_SPEC, no_key, error);
}

static bool check_target(const struct plan *plan, GError **error)
{
    const struct store_driver *driver = plan->target_driver;
    g_autofree char *words = g_strdup_printf("%s can only be read (driver %s)", plan->spec->target.store, driver->name);
    g_autofree char *no_shadow =
        g_strdup_printf("a store of driver '%s' can keep no shadow; `sluice stores` shows which "
                        "can: leave it out",
                        driver->name);
    if (!driver->write && !driver->sink)
        return refuse(plan, "target.store", SLUICE_ERROR_SPEC, words, error);
    return plan->spec->target.write != WRITE_SHADOW || store_can(driver, CAN_SHADOW) ||
           refuse(plan, "target.write", SLUICE_ERROR_SPEC, no_shadow, error);
}

struct dataset plan_written_ds(const struct plan *plan)
{
    struct dataset ds = plan->target_ds;
    ds.shadow = plan->write == WRITE_SHADOW ? plan->uid : NULL;
    return ds;
}

bool plan_is_one_piece(const struct plan *plan)
{
    return plan->sink || plan->write == WRITE_SHADOW;
}

/* A record is read for its write and for its verification, in the target and, where that is another store that is read
 * by its keys, in the source. What is written into a shadow is to be made live: that reads both, and writes. */
static struct money_use use_of(const struct plan *plan)
{
    bool shadow = plan->write == WRITE_SHADOW;
    return (struct money_use){.reads = plan->same_dataset || !plan->listed ? 2 : 4,
                              .writes = shadow ? 2 : 1,
                              .reads_to_write = shadow ? 2 : 0};
}

static int64_t source_until_ms(const struct plan *plan)
{
    const struct spec_until *until = &plan->spec->source.until;
    return until->after_ms ? plan->planned_at_ms + until->after_ms : until->at_ms;
}

static void decide_defaults(struct plan *plan)
{
    const struct spec_target *target = &plan->spec->target;
    plan->write = target->write_given ? target->write : plan->same_dataset ? WRITE_IN_PLACE : WRITE_FILL;
    if (plan->removes) /* what the spec says of its records is not said of these */
        plan->write = WRITE_IN_PLACE;
    if (target->conflict_given)
        plan->conflict = target->conflict;
    else
        plan->conflict = plan->spec->source.version ? CONFLICT_NEWER_WINS : CONFLICT_KEEP_LIVE;
    const struct money_use use = use_of(plan);
    plan->limits = (struct plan_limits){.errors = plan->spec->protect.errors,
                                        .rejects = plan->spec->protect.rejects,
                                        .kept_live = plan->spec->protect.kept_live,
                                        .topology_halts = plan->spec->protect.topology == TOPOLOGY_HALT,
                                        .rate_max_per_s = plan->spec->protect.rate_max_per_s,
                                        .live = plan->spec->protect.live,
                                        .workers = MAX(plan->spec->workers, (uint32_t)PLAN_WORKERS),
                                        .skew_ms = plan->spec->protect.skew_ms,
                                        .priority = plan->spec->priority,
                                        .rates = money_rates_of(&plan->spec->prices, &use),
                                        .complete = plan->spec->complete,
                                        .source_until_ms = source_until_ms(plan),
                                        .budget = plan->spec->budget};
    plan_budget_price(&plan->limits);
    plan_guards_set(plan);
}

/* By what the stores say of themselves, however they were reached: the same place, or the same process now. */
static bool same_store(const struct store_info *source, const struct store_info *target)
{
    return g_strcmp0(source->identity, target->identity) == 0 ||
           (source->run_id && g_strcmp0(source->run_id, target->run_id) == 0);
}

/* What a spec asks to be protected somebody must be able to feel. */
static bool check_live(const struct plan *plan, GError **error)
{
    bool felt = (plan->target_driver && plan->target_driver->probe) || store_driver(plan->source)->probe;
    return !spec_live_given(&plan->spec->protect.live) || felt ||
           refuse(plan, "protect.live.p99", SLUICE_ERROR_SPEC,
                  "neither source nor target has servers that others use, whose requests could become slower: leave it "
                  "out",
                  error);
}

static bool check_overlap(const struct plan *plan, const struct store_info *source, const struct store_info *target,
                          GError **error)
{
    if (plan->same_dataset || !plan->target || !same_store(source, target) ||
        !store_overlap(plan->target_driver, &plan->source_ds, &plan->target_ds))
        return true;
    return refuse(plan, "target.dataset", SLUICE_ERROR_SPEC,
                  "source and target are in the same store and may have keys in common without being the same dataset: "
                  "name the same dataset, in the same form, in both",
                  error);
}

static bool check_same(const struct plan *plan, const struct store_info *source, const struct store_info *target,
                       GError **error)
{
    if (plan->same_dataset && plan->write == WRITE_FILL)
        return refuse(plan, "target.write", SLUICE_ERROR_SPEC,
                      "fill cannot fill a dataset from itself; leave it out (in-place)", error);
    if (plan->same_dataset && plan->spec->target.conflict_given && !plan->removes && plan->write != WRITE_SHADOW)
        return refuse(
            plan, "target.conflict", SLUICE_ERROR_SPEC,
            "source and target are the same dataset, where no conflict policy applies: every live change is kept "
            "and repaired; leave it out",
            error);
    return check_overlap(plan, source, target, error) && check_live(plan, error);
}

/* What needs records that can be looked at one by one. */
static bool check_sink(const struct plan *plan, GError **error)
{
    const struct spec *spec = plan->spec;
    if (plan->sink && (spec->judge.shell || spec->judge.argv))
        return refuse(plan, "verify.command", SLUICE_ERROR_SPEC,
                      "an append-only target is compared by the sums of its files, and has no pairs for a judge",
                      error);
    return !plan->sink || !spec->cause.id ||
           refuse(plan, "cause", SLUICE_ERROR_SPEC,
                  "nobody but runs writes an append-only target: there are no fresh records to look at", error);
}

bool plan_open_stores(struct plan *plan, const struct plan_config *config, GError **error)
{
    struct store_info source = {0}, target = {0};
    if (!open_both(plan, config, error) || !inspect(plan, plan->source, &plan->source_ds, &source, error) ||
        !check_source(plan, &source, error) || !check_target(plan, error) ||
        (plan->target && !inspect(plan, plan->target, &plan->target_ds, &target, error)))
        return false;
    g_autofree char *name =
        g_strdup_printf("%s#%s", target.identity ? target.identity : "nothing yet", plan->target_ds.name);
    plan->same_dataset = same_store(&source, &target) && plan->source_ds.form == plan->target_ds.form &&
                         g_strcmp0(plan->source_ds.name, plan->target_ds.name) == 0;
    plan->target_name = plan_copy(plan, name);
    plan->target_topology = target.topology;
    plan->listed = store_can(store_driver(plan->source), CAN_LIST);
    plan->sink = plan->target_driver->write == NULL;
    decide_defaults(plan);
    may_be_in_pieces(plan);
    return check_sink(plan, error) && check_same(plan, &source, &target, error) && plan_shadow_stays(plan, error) &&
           plan_only_set(plan, config, error);
}

/* --- making
 * ----------------------------------------------------------------------------------------------------------- */

/* Before the first file that is sealed: the listing. */
static bool draw_keys(struct plan *plan, const struct plan_config *config, GError **error)
{
    struct keyring_secret secret = {.text = plan->spec->retain.key, .dir = plan->spec->dir};
    GError *failed = NULL;
    plan->sealed = secret.text != NULL;
    if (keyring_make_durable(config->world, plan->home, plan->uid, &secret, &failed))
        return true;
    g_autofree char *place = spec_place(plan->spec, "retain.key");
    error_add(&failed, "%s", place);
    g_propagate_error(error, failed);
    return false;
}

/* What is asked of the other run, as far as the source still says so. */
static bool begin_retry(struct plan *plan, const struct plan_config *config, struct plan_retry *io, GError **error)
{
    if (!config->retry)
        return true;
    *io = *config->retry;
    if (!plan_retries_begin(plan, io, error) || !plan_retries_narrow(plan, error) ||
        !plan_removal_left(plan, config, io, error))
        return false;
    plan->retries->gone = plan->retries->asked - io->n_keys - io->n_places;
    return true;
}

static bool begin_around(const struct plan *plan, const struct plan_config *config, GError **error)
{
    return !config->around || config->around->begin(config->around->self, plan, error);
}

static bool make(struct plan *plan, const struct plan_config *given, GError **error)
{
    struct plan_retry retry;
    struct plan_config asked = *given, *config = &asked;
    asked.retry = given->retry ? &retry : NULL;
    world_random(config->world, plan->uid, sizeof plan->uid);
    plan->removes = given->retry && given->retry->extra;
    plan->planned_at_ms = world_wall_ms(config->world);
    return recipe_read(&plan->recipe, config->world, plan->spec, error) &&
           plan_digests_of(&plan->digests, plan->spec, plan->recipe, error) &&
           environment_find(&plan->environment, config->world, plan->home, plan->spec, plan->mem, error) &&
           spec_judge_digest(plan->spec, config->world, plan->judge, error) && plan_tests_check(plan, config, error) &&
           plan_open_stores(plan, config, error) && plan_guards_check(plan, config, error) &&
           plan_supersedes_check(plan, error) && begin_around(plan, config, error) &&
           begin_retry(plan, given, &retry, error) &&
           plan_retries_check(plan, config->retry ? config->retry->n_places : 0, error) &&
           draw_keys(plan, config, error) && plan_cut(plan, config, error) && plan_order(plan, config, error) &&
           plan_risk(plan, config, error) && plan_deal_stages(plan, config, error) && plan_text_write(plan, error);
}

bool plan_look(struct plan **ret, const struct plan_config *config, struct spec *spec, GError **error)
{
    struct plan_config look = *config;
    look.look = true;
    auto_(plan) plan = plan_new(config);
    plan->spec = spec;
    plan->planned_at_ms = world_wall_ms(config->world);
    if (!recipe_read(&plan->recipe, config->world, spec, error) || !plan_open_stores(plan, &look, error)) {
        plan->spec = NULL; /* still the caller's */
        return false;
    }
    *ret = g_steal_pointer(&plan);
    return true;
}

bool plan_make(struct plan **ret, const struct plan_config *config, struct spec *spec, GError **error)
{
    auto_(plan) plan = plan_new(config);
    plan->spec = spec;
    bool made = make(plan, config, error);
    if (config->around)
        config->around->end(config->around->self);
    if (!made) {
        plan_discard(plan, config->world);
        plan->spec = NULL; /* still the caller's */
        return false;
    }
    *ret = g_steal_pointer(&plan);
    return true;
}

/* --- loading
 * ---------------------------------------------------------------------------------------------------------- */

static bool load_text(struct plan *plan, struct catalog *catalog, const struct run_row *run, GError **error)
{
    struct slice text;
    if (!catalog_plan(catalog, run->id, plan->mem, &text, error) || !plan_text_read(plan, text, error))
        return false;
    if (memcmp(plan->digests.plan, run->digests.plan, 32) == 0)
        return true;
    return error_set(error, SLUICE_ERROR_CORRUPT, "%s: the frozen plan is not the one whose digest the run bears",
                     run->name);
}

static bool unmoved(const struct plan *plan, const struct plan_digests *now, const struct run_row *run, GError **error)
{
    const struct plan_digests *frozen = &plan->digests;
    const char *keys = plan->spec->source.only.keys ? ", with a file of keys" : "";
    const char *judge = plan->spec->judge.shell || plan->spec->judge.argv ? ", with the judge that it names" : "";
    const struct {
        const uint8_t *a, *b;
        const char *what;
    } pairs[] = {{frozen->spec, now->spec, "the spec"},
                 {frozen->contract, now->contract, "the contract"},
                 {frozen->transform, now->transform, "the transform"}};
    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++)
        if (memcmp(pairs[i].a, pairs[i].b, 32) != 0)
            return error_set(
                error, SLUICE_ERROR_REFUSED,
                "%s has changed since the run was planned (%s%s%s); put it back, or take the run back with "
                "`sluice rollback %s` and run the new one",
                pairs[i].what, run->spec_path, keys, judge, run->name);
    return true;
}

static bool parts_from_catalog(struct plan *plan, struct catalog *catalog, const struct run_row *run, GError **error)
{
    auto_(arena) mem = arena_new(PLAN_BYTES);
    struct part_row *rows;
    size_t n;
    struct parts_of of = {.run = run->id, .stage = UINT32_MAX};
    if (!catalog_parts(catalog, &of, mem, &rows, &n, error))
        return false;
    plan->parts = arena_alloc0(plan->mem, (n + 1) * sizeof *plan->parts);
    bool fits = plan->parts != NULL;
    plan->n_parts = 0;
    for (size_t i = 0; fits && i < n; i++) {
        if (rows[i].parent != UINT32_MAX)
            continue;
        struct plan_part *part = &plan->parts[plan->n_parts++];
        *part = (struct plan_part){.records = rows[i].records, .stage = rows[i].stage};
        fits = arena_copy(plan->mem, rows[i].bounds, &part->bounds);
    }
    return fits || error_set(error, SLUICE_ERROR_TOO_BIG, "too many partitions");
}

void plan_paths(struct plan *plan)
{
    char uid[HEX_TEXT(sizeof plan->uid)];
    hex_text(plan->uid, sizeof plan->uid, uid);
    g_autofree char *listing = home_path(plan->home, HOME_LISTING, uid);
    g_autofree char *skips = home_path(plan->home, HOME_SKIPS, uid);
    plan->listing_path = plan->listed ? plan_copy(plan, listing) : NULL;
    plan->skip_path = plan->has_skips ? plan_copy(plan, skips) : NULL;
}

static bool load(struct plan *plan, const struct plan_config *config, struct catalog *catalog,
                 const struct run_row *run, GError **error)
{
    struct plan_digests now = {0};
    if (!load_text(plan, catalog, run, error) ||
        !spec_read_with(&plan->spec, config->world, run->spec_path, plan->params, error) ||
        !recipe_read(&plan->recipe, config->world, plan->spec, error) ||
        !plan_digests_of(&now, plan->spec, plan->recipe, error) || !unmoved(plan, &now, run, error) ||
        !plan_retries_narrow(plan, error) || !spec_judge_digest(plan->spec, config->world, plan->judge, error) ||
        !open_both(plan, config, error))
        return false;
    may_be_in_pieces(plan);
    plan_paths(plan);
    return plan_only_set(plan, config, error) && plan_retries_saw(plan, config, error) &&
           parts_from_catalog(plan, catalog, run, error);
}

bool plan_load(struct plan **ret, const struct plan_config *config, struct catalog *catalog, const struct run_row *run,
               GError **error)
{
    auto_(plan) plan = plan_new(config);
    if (!load(plan, config, catalog, run, error))
        return error_add(error, "%s", run->name);
    *ret = g_steal_pointer(&plan);
    return true;
}

bool plan_load_target(struct plan **ret, const struct plan_config *config, struct catalog *catalog,
                      const struct run_row *run, GError **error)
{
    auto_(plan) plan = plan_new(config);
    if (!load_text(plan, catalog, run, error) ||
        !plan_store_open(&plan->target, config, plan->target_uri, plan->target_dir, false, error))
        return error_add(error, "%s", run->name);
    may_be_in_pieces(plan);
    *ret = g_steal_pointer(&plan);
    return true;
}
