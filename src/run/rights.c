#include "run/rights.h"

#include "base/person.h"

static const char *user_of(const struct run_config *config)
{
    return config->person ? config->person->user : "nobody";
}

static bool is_one_of(const struct run_config *config, const struct spec_may *may)
{
    for (size_t i = 0; i < may->n; i++)
        if (config->person && person_is(config->person, may->names[i]))
            return true;
    return may->n == 0;
}

static bool refuse(const struct run_config *config, const struct run_row *run, enum spec_may_what what,
                   const struct spec_may *may, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; i < may->n; i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "", may->names[i]);
    return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                     "%s: %s may not %s it; its plan says owner.may.%s: [%s] (users or groups of this system)",
                     run->name, user_of(config), spec_may_word(what), spec_may_word(what), names->str);
}

static bool may(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
                enum spec_may_what what, GError **error)
{
    return is_one_of(config, &rights->may[what]) || refuse(config, run, what, &rights->may[what], error);
}

bool rights_may(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                enum spec_may_what what, struct arena *mem, GError **error)
{
    struct plan_rights rights;
    return plan_rights_read(catalog, run, mem, &rights, error) && may(config, run, &rights, what, error);
}

/* user@host, on whatever host: a person is a person. */
static bool is_author(const struct run_config *config, const struct run_row *run)
{
    const char *at = run->author ? strrchr(run->author, '@') : NULL;
    size_t len = at ? (size_t)(at - run->author) : 0;
    const char *user = user_of(config);
    return len == strlen(user) && memcmp(run->author, user, len) == 0;
}

bool rights_may_approve(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
                        const struct plan_stage *stage, GError **error)
{
    if (!may(config, run, rights, SPEC_MAY_APPROVE, error))
        return false;
    if (!config->person || !person_is(config->person, stage->approve))
        return error_set(
            error, SLUICE_ERROR_NOT_PERMITTED,
            "%s: stage %s waits for the approval of %s (a user or group of this system), and %s is neither", run->name,
            stage->name, stage->approve, user_of(config));
    if (is_author(config, run))
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "%s: %s planned this run; somebody else of %s must approve stage %s", run->name,
                         user_of(config), stage->approve, stage->name);
    return true;
}
