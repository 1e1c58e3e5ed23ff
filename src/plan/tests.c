/* The fixtures that a spec names: a plan needs them green. They are of the plan's text, and not among the digests by
 * which an unfinished run is found: a fixture more does not change what a run writes, and is no reason to refuse going
 * on with it. */
#include <sodium.h>

#include "plan/plan_parts.h"
#include "transform/fixture.h"

static bool read_tests(struct fixtures **ret, const struct plan *plan, const struct world *world, GError **error)
{
    if (fixtures_read(ret, world, plan->spec->transform.tests, error))
        return true;
    g_autofree char *place = spec_place(plan->spec, "transform.tests");
    if (error && error_is(*error, SLUICE_ERROR_NOT_FOUND))
        (*error)->code = SLUICE_ERROR_FIXTURES;
    return error_add(error, "%s: transform.tests", place);
}

static void digest(struct slice text, uint8_t ret[32])
{
    crypto_generichash(ret, 32, text.data, text.len, NULL, 0);
}

static bool keep_text(struct plan *plan, const struct fixtures *fixtures, GError **error)
{
    return arena_copy(plan->mem, fixtures->text, &plan->tests_text) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "%s: the fixtures do not fit into memory", fixtures->path);
}

bool plan_tests_check(struct plan *plan, const struct plan_config *config, GError **error)
{
    auto_(fixtures) fixtures = NULL;
    if (!plan->spec->transform.tests)
        return true;
    if (!read_tests(&fixtures, plan, config->world, error) ||
        !fixtures_check(fixtures, plan->recipe, plan->spec, error))
        return false;
    digest(fixtures->text, plan->tests);
    return keep_text(plan, fixtures, error);
}

bool plan_tests_are(struct plan *plan, const struct world *world, bool *ret, GError **error)
{
    auto_(fixtures) fixtures = NULL;
    uint8_t now[32] = {0};
    if (plan->spec->transform.tests) {
        if (!read_tests(&fixtures, plan, world, error) || !keep_text(plan, fixtures, error))
            return false;
        digest(fixtures->text, now);
    }
    *ret = memcmp(now, plan->tests, sizeof now) == 0;
    return true;
}
