/* A spec verified without a run: the hold is that of no run. */
#include "base/file.h"
#include "plan/home.h"
#include "run/check_state.h"
#include "run/planning.h"

static void input_from_spec(struct check *check, const struct run_config *config, const struct plan *plan)
{
    g_autofree char *name =
        g_strdup_printf("%s-%" G_GINT64_FORMAT CHECK_ENDING, plan->spec->name, world_wall_ms(config->world));
    check_from_plan(&check->input, plan);
    check->input.draw_key = digest_bytes(slice_of(plan->digests.spec, sizeof plan->digests.spec), 0).low;
    check->report_path = home_path(config->home, HOME_REPORTS, name);
    check->input.world = config->world;
    check->input.run = plan->spec->name;
    check->input.report_path = check->report_path;
    check->input.sure = config->sure;
    check->input.extra = config->extra;
    check->input.whole = config->sure.confidence <= 0;
    check->input.all_parts = check->input.last = true;
    for (size_t i = 0; i < plan->n_parts; i++) {
        struct part_row row = {
            .part = (uint32_t)i, .of = (uint32_t)i, .bounds = plan->parts[i].bounds, .records = plan->parts[i].records};
        check_add_part(check, check_part_of(&row));
    }
    check_asks_cause(check, plan, 0);
    check_asks_measures(check, plan, config->world);
}

/* A home that has no catalog yet has no flag that could stop it. */
static bool open_home(struct hold *hold, GError **error)
{
    g_autofree char *path = g_build_filename(hold->config->home, "catalog.db", NULL);
    return !file_exists(hold->config->world, path) ||
           catalog_open(&hold->catalog, hold->config->world, hold->config->home, CATALOG_READ_ONLY, error);
}

/* As the spec promises, and as its guards let it. The hold is that of no run. */
static bool verify_guarded(struct hold *hold, struct check *check, struct verify_result *ret, GError **error)
{
    struct checking checking = {.config = hold->config, .hold = hold, .check = check, .ret = ret};
    struct watch watch = {0};
    struct govern_self self = {.what = "a verification", .learned = hold->config->learned};
    if (!open_home(hold, error) ||
        !govern_begin(&hold->shared.govern, hold->config->world, hold->plan, &hold->shared.limits, &self, error))
        return false;
    struct earlier_wish wish = {.world = hold->config->world,
                                .home = hold->config->home,
                                .catalog = hold->catalog,
                                .spec = hold->plan->spec,
                                .asked = hold->config->baseline,
                                .before = INT64_MAX};
    hold->guarding = guarding_new(hold);
    bool ok = checking_wait(&checking, error) && check_find_baseline(check, &wish, error) &&
              checking_verify(&checking, &check->input, &watch, error);
    if (!ok)
        checking_say_end(hold, error);
    return ok;
}

static bool verify_paced(const struct run_config *config, struct plan *plan, struct check *check,
                         struct verify_result *ret, GError **error)
{
    struct hold hold = {.config = config, .plan = plan};
    exec_shared_init(&hold.shared);
    limits_reset(&hold.shared.limits, &plan->limits);
    bool ok = verify_guarded(&hold, check, ret, error);
    g_clear_pointer(&hold.guarding, guarding_free);
    govern_end(hold.shared.govern);
    g_clear_pointer(&hold.catalog, catalog_free);
    exec_shared_done(&hold.shared);
    return ok;
}

static bool may_verify(const struct plan *plan, GError **error)
{
    const char *why = plan->same_dataset ? "its source is its target"
                      : plan->sink       ? "its target is append-only, where a run's files bear its name"
                                         : NULL;
    return !why || error_set(error, SLUICE_ERROR_USAGE, "%s: %s: `sluice verify %s` takes its newest run instead",
                             plan->spec->path, why, plan->spec->name);
}

bool run_verify_spec(const struct run_config *config, struct spec *spec, struct verify_result *ret, GError **error)
{
    auto_(plan) plan = NULL;
    if (!planning_make(&plan, config, spec, may_verify, error)) {
        spec_free(spec);
        return false;
    }
    struct check check = {0};
    input_from_spec(&check, config, plan);
    bool ok = verify_paced(config, plan, &check, ret, error);
    check_done(&check);
    bool kept;
    if (!ok || check_wants_report(config, ret, &kept, error))
        return ok;
    verify_result_done(ret);
    return false;
}
