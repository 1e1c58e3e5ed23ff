#include "run/rights.h"

#include "base/person.h"
#include "catalog/ledger.h"
#include "plan/environment.h"

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

/* What stops a run or takes it back never waits for words. */
static bool says_why(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
                     enum spec_may_what what, GError **error)
{
    const struct environment *environment = rights->environment;
    return !environment || !environment->reason || !spec_may_widens(what) || reason_says(config->act.reason) ||
           error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                     "%s: it is in the environment '%s', where %s needs a reason: give one with --reason", run->name,
                     environment->name, spec_may_word(what));
}

static bool may(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
                enum spec_may_what what, GError **error)
{
    if (!is_one_of(config, &rights->may[what]))
        return refuse(config, run, what, &rights->may[what], error);
    return says_why(config, run, rights, what, error);
}

/* A refusal stands, whether it can be written down or not. `run` NULL: of none. */
static void note(const struct run_config *config, struct catalog *catalog, const char *run,
                 const struct plan_digests *digests, const char *what, const GError *why)
{
    g_autofree char *valid = g_utf8_make_valid(why->message, -1);
    json_t *object = json_pack("{s:s, s:s}", "what", what, "why", valid);
    char *details = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    struct ledger_entry entry = {.actor = config->act.actor,
                                 .action = "refused",
                                 .reason = config->act.reason,
                                 .run = run,
                                 .digests = *digests,
                                 .details = details};
    ledger_append(catalog, &entry, NULL);
    free(details);
    json_decref(object);
}

static bool told(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                 enum spec_may_what what, GError *refused, GError **error)
{
    if (!refused)
        return true;
    note(config, catalog, run->name, &run->digests, spec_may_word(what), refused);
    g_propagate_error(error, refused);
    return false;
}

bool rights_may_begin(const struct run_config *config, struct catalog *catalog, const struct plan *plan, GError **error)
{
    GError *refused = NULL;
    if (environment_permits(plan, config->act.reason, &refused))
        return true;
    note(config, catalog, NULL, &plan->digests, "run", refused);
    g_propagate_error(error, refused);
    return false;
}

bool rights_may(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                enum spec_may_what what, struct arena *mem, GError **error)
{
    struct plan_rights rights;
    GError *refused = NULL;
    if (!plan_rights_read(catalog, run, mem, &rights, error))
        return false;
    may(config, run, &rights, what, &refused);
    return told(config, catalog, run, what, refused, error);
}

/* user@host, on whatever host: a person is a person. */
static bool is_author(const struct run_config *config, const struct run_row *run)
{
    const char *at = run->author ? strrchr(run->author, '@') : NULL;
    size_t len = at ? (size_t)(at - run->author) : 0;
    const char *user = user_of(config);
    return len == strlen(user) && memcmp(run->author, user, len) == 0;
}

static bool may_approve(const struct run_config *config, const struct run_row *run, const struct plan_rights *rights,
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

bool rights_may_approve(const struct run_config *config, struct catalog *catalog, const struct run_row *run,
                        const struct plan_rights *rights, const struct plan_stage *stage, GError **error)
{
    GError *refused = NULL;
    may_approve(config, run, rights, stage, &refused);
    return told(config, catalog, run, SPEC_MAY_APPROVE, refused, error);
}
