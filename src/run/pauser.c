#include "run/pauser.h"

/* The name is what stands between the two marks, or fixed. `whole`: with the first of them before it. */
static const struct row {
    const char *begins, *ends, *name;
    bool first; /* nothing stands before it */
    bool whole;
} ROWS[] = {
    {.begins = PAUSER_GATE, .ends = PAUSER_FAILED, .first = true, .whole = true},
    {.begins = PAUSER_HOOK, .ends = PAUSER_UNHEARD, .first = true, .whole = true},
    {.begins = PAUSER_BUDGET, .name = "its budget", .first = true},
    {.begins = PAUSER_SOURCE, .name = "source.until", .first = true},
    {.begins = PAUSER_BACK, .name = "its rollback", .first = true},
    {.begins = PAUSER_LIMIT, .ends = PAUSER_ALLOWS},
};

static char *named(const struct row *row, const char *reason)
{
    const char *at = strstr(reason, row->begins);
    if (!at || (row->first && at != reason))
        return NULL;
    const char *from = at + strlen(row->begins), *to = row->ends ? strstr(from, row->ends) : NULL;
    if (row->name)
        return g_strdup(row->name);
    if (!to)
        return NULL;
    from = row->whole ? at : from;
    return g_strndup(from, (size_t)(to - from));
}

/* Each of its own reasons names the command that goes on with this very run: few people write that. */
static bool is_its_own(const struct run_row *run)
{
    g_autofree char *back = g_strdup_printf("`sluice rollback %s`", run->name);
    return run->reason && strstr(run->reason, back);
}

char *pauser_of(const struct run_row *run)
{
    char *name = NULL;
    if (run->guard)
        return g_strdup(run->guard);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS) && !name && is_its_own(run); i++)
        name = named(&ROWS[i], run->reason);
    return name ? name : g_strdup(run->actor);
}
