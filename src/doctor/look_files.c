/* The checks of what stands in files here: spec, contract, transform, home. */
#include "base/file.h"
#include "base/person.h"
#include "base/units.h"
#include "doctor/look.h"
#include "plan/environment.h"
#include "run/run.h"
#include "transform/fixture.h"

void look_spec(struct look *look)
{
    GError *error = NULL;
    if (!spec_read_with(&look->spec, look->config->world, look->config->spec_path, look->config->params, &error))
        look_fail(look, "mend the spec; `sluice explain KEY` says what a key takes", error);
    else
        look_ok(look, "%s: %s", look->spec->name, look->config->spec_path);
}

void look_contract(struct look *look)
{
    GError *error = NULL;
    auto_(contract) contract = NULL;
    if (!look->spec)
        look_skip(look, "spec");
    else if (!look->spec->contract)
        look_warn(look, "name a contract: it is what keeps a wrong transform from spreading",
                  "the spec names none: records are not checked");
    else if (!file_exists(look->config->world, look->spec->contract)) {
        error_set(&error, SLUICE_ERROR_CONTRACT, "%s: there is no such file", look->spec->contract);
        look_fail(look, "name the contract's file in the spec", error);
    } else if (!contract_read(&contract, look->config->world, look->spec->contract, &error))
        look_fail(look, "mend the contract; `sluice explain contract KEY` says what a key takes", error);
    else
        look_ok(look, "%s, version %" G_GUINT64_FORMAT, contract_name(contract), contract_version(contract));
}

/* Without the contract, which has a line of its own. */
void look_transform(struct look *look)
{
    GError *error = NULL;
    auto_(recipe) recipe = NULL;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    struct spec alone = *look->spec;
    alone.contract = NULL;
    if (!recipe_read(&recipe, look->config->world, &alone, &error)) {
        look_fail(look, "mend the Lua at the place named", error);
        return;
    }
    look->recipe_loads = true;
    if (!look->spec->transform.lua)
        look_ok(look, "none: records stay as they are");
    else
        look_ok(look, "%s loads%s", look->spec->transform.lua,
                look->spec->transform.idempotent ? "" : "; not declared idempotent: it is applied exactly once");
}

void look_tests(struct look *look)
{
    GError *error = NULL;
    auto_(recipe) recipe = NULL;
    auto_(fixtures) fixtures = NULL;
    if (!look->spec)
        look_skip(look, "spec");
    else if (!look->spec->transform.tests)
        look_ok(look, "%s",
                look->spec->transform.lua ? "none: `sluice try SPEC --sample 20 -o FILE` makes some of records"
                                          : "none needed: there is no transform");
    else if (!look->recipe_loads || !recipe_read(&recipe, look->config->world, look->spec, &error)) {
        g_clear_error(&error);
        look_skip(look, look->recipe_loads ? "contract" : "transform");
    } else if (!fixtures_read(&fixtures, look->config->world, look->spec->transform.tests, &error) ||
               !fixtures_check(fixtures, recipe, look->spec, &error))
        look_fail(look, "mend transform or fixture; `sluice test` shows all that fail, `--update` accepts what came",
                  error);
    else
        look_ok(look, "%zu of %s, all green", fixtures->n, fixtures->path);
}

void look_home(struct look *look)
{
    const char *home = look->config->home;
    GError *error = NULL;
    struct world_room room;
    char bytes[UNITS_TEXT];
    if (!file_room(look->config->world, home, &room, &error)) {
        look_fail(look, "name another home with --home", error);
        return;
    }
    if (!room.writable) {
        error_set(&error, SLUICE_ERROR_NOT_PERMITTED, "%s: not writable by this user", home);
        look_fail(look, "name another home with --home, or change its owner", error);
        return;
    }
    look_ok(look, "%s%s, %s free", home, file_exists(look->config->world, home) ? "" : ": will be made",
            units_bytes(room.free_bytes, bytes));
}

/* NULL, without an error: there is no catalog yet. */
static bool open_catalog(struct look *look, struct catalog **ret, GError **error)
{
    GError *failed = NULL;
    *ret = NULL;
    if (catalog_open(ret, look->config->world, look->config->home, CATALOG_READ_ONLY, &failed) ||
        error_is(failed, SLUICE_ERROR_NOT_FOUND)) {
        g_clear_error(&failed);
        return true;
    }
    g_propagate_error(error, failed);
    return false;
}

static bool is_of_this_plan(const struct look *look, const struct run_row *run, GError **error)
{
    struct plan_digests now;
    return plan_digests_of(&now, look->plan->spec, look->plan->recipe, error) &&
           memcmp(now.spec, run->digests.spec, 32) == 0 && memcmp(now.contract, run->digests.contract, 32) == 0 &&
           memcmp(now.transform, run->digests.transform, 32) == 0;
}

static void judge_run(struct look *look, const struct run_row *run)
{
    GError *error = NULL;
    if (run->id == 0) {
        look_ok(look, "no run's writes stand on it unfinished");
        return;
    }
    if (is_of_this_plan(look, run, &error)) {
        look_ok(look, "%s is %s: `sluice run` goes on with it", run->name, run_state_word(run->state));
        return;
    }
    g_autofree char *todo = g_strdup_printf(
        "`sluice rollback %s` takes it back, `sluice abort %s` lets its writes stand", run->name, run->name);
    if (!error)
        error_set(&error, SLUICE_ERROR_REFUSED, "the writes of %s (%s), of another plan, stand on %s", run->name,
                  run_state_word(run->state), run->target);
    look_fail(look, todo, error);
}

void look_runs(struct look *look)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct run_row run = {0};
    if (!look->plan)
        look_skip(look, "plan");
    else if (!open_catalog(look, &catalog, &error) ||
             (catalog && !catalog_run_on_target(catalog, look->plan->target_name, look->mem, &run, &error)))
        look_fail(look, "is it a home of sluice, and may you read it? Name another with --home", error);
    else
        judge_run(look, &run);
}

/* --- approvals
 * --------------------------------------------------------------------------------------------------------- */

static bool one_is_known(const struct spec_may *may)
{
    for (size_t i = 0; i < may->n; i++)
        if (person_known(may->names[i]))
            return true;
    return may->n == 0;
}

/* What nobody here may give: a gate's approval, or a right that is granted to unknown names only. */
static char *nobody_may(const struct spec *spec, size_t *ret_asked)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < spec->n_stages; i++) {
        const char *approve = spec->stages[i].approve;
        *ret_asked += approve != NULL;
        if (approve && !person_known(approve))
            g_string_append_printf(text, "%sapprove stage %s ('%s')", text->len ? ", " : "", spec->stages[i].name,
                                   approve);
    }
    for (int what = 0; what < SPEC_MAY_COUNT; what++)
        if (!one_is_known(&spec->may[what]))
            g_string_append_printf(text, "%s%s ('%s'%s)", text->len ? ", " : "",
                                   spec_may_word((enum spec_may_what)what), spec->may[what].names[0],
                                   spec->may[what].n > 1 ? " …" : "");
    return g_string_free(text, FALSE);
}

void look_approvals(struct look *look)
{
    GError *error = NULL;
    size_t asked = 0;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    g_autofree char *nobody = nobody_may(look->spec, &asked);
    if (*nobody) {
        error_set(&error, SLUICE_ERROR_REFUSED, "no user or group of this machine may %s", nobody);
        look_fail(look, "name users or groups as this machine's operating system knows them, or make them", error);
    } else if (asked)
        look_ok(look, "%zu stage%s wait%s for an approval that somebody here may give", asked, asked == 1 ? "" : "s",
                asked == 1 ? "s" : "");
    else
        look_ok(look, "no stage waits for one");
}

/* --- environment -------------------------------------------------------------------------------------------------- */

static char *asks_for(const struct environment *environment)
{
    GString *text = g_string_new(environment->name);
    if (environment->approve)
        g_string_append_printf(text, "; %s lets it past its first stage", environment->approve);
    if (environment->canary > 0)
        g_string_append_printf(text, "; its first stage holds at most %g%%", environment->canary * 100);
    if (environment->reason)
        g_string_append(text, "; whoever widens it says why");
    return g_string_free(text, FALSE);
}

void look_environment(struct look *look)
{
    GError *error = NULL;
    const struct environment *environment;
    if (!look->spec)
        look_skip(look, "spec");
    else if (!environment_find(&environment, look->config->world, look->config->home, look->spec, look->mem, &error))
        look_fail(look, "mend the home's environments.yaml, or the spec's `environment`", error);
    else if (!environment)
        look_ok(look, "none");
    else if (environment->approve && !person_known(environment->approve))
        look_warn(look, "a token with `--groups` may; or name one that this machine knows",
                  "%s: no user or group of this machine is called '%s'", environment->name, environment->approve);
    else {
        g_autofree char *text = asks_for(environment);
        look_ok(look, "%s", text);
    }
}
