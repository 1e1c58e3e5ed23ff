/* The runbook: what whoever is on call does with a run of this spec. */
#include "base/units.h"
#include "metrics/export.h"

static void put(GString *into, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void put(GString *into, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_string_append_vprintf(into, format, arguments);
    va_end(arguments);
}

static void put_head(const struct spec *spec, GString *into)
{
    put(into, "# Runbook: %s\n\n", spec->name);
    if (spec->reason)
        put(into, "%s\n\n", spec->reason);
    put(into, "| | |\n|---|---|\n| owner | %s |\n| contact | %s |\n", spec->owner_team ? spec->owner_team : "not said",
        spec->owner_contact ? spec->owner_contact : "not said");
    put(into, "| from | `%s` %s |\n| to | `%s` %s |\n", spec->source.store, spec->source.dataset, spec->target.store,
        spec->target.dataset);
    put(into, "| spec | `%s` |\n\n", spec->path);
}

/* Who may; empty: whoever may write the home. */
static void put_may(const struct spec *spec, enum spec_may_what what, GString *into)
{
    const struct spec_may *may = &spec->may[what];
    if (may->n == 0)
        return;
    put(into, "Only ");
    for (size_t i = 0; i < may->n; i++)
        put(into, "%s%s", i ? ", " : "", may->names[i]);
    put(into, " may.\n");
}

static void put_command(GString *into, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void put_command(GString *into, const char *format, ...)
{
    va_list arguments;
    g_string_append(into, "\n    ");
    va_start(arguments, format);
    g_string_append_vprintf(into, format, arguments);
    va_end(arguments);
    g_string_append(into, "\n\n");
}

static void put_stages(const struct spec *spec, GString *into)
{
    put(into, "Its stages, each of which is verified before the next one begins:\n\n");
    for (size_t i = 0; i < spec->n_stages; i++) {
        const struct spec_stage *stage = &spec->stages[i];
        char soak[UNITS_TEXT];
        put(into, "1. %s", stage->name);
        if (stage->soak_ms)
            put(into, ", soaks %s", units_duration(stage->soak_ms, soak));
        if (stage->approve)
            put(into, ", waits for the approval of %s", stage->approve);
        put(into, "\n");
    }
    put(into, "\n");
}

static void put_start(const struct spec *spec, GString *into)
{
    put(into, "## Start\n\nBefore the first run, and whenever something around it has changed:\n");
    put_command(into, "sluice doctor %s && sluice plan %s", spec->path, spec->path);
    put(into, "Then:\n");
    put_command(into, "sluice run %s --yes --detach --reason '...'", spec->path);
    put(into, "The same command goes on with a run that was interrupted.\n\n");
    if (spec->n_stages > 0)
        put_stages(spec, into);
    for (size_t i = 0; i < spec->n_hours; i++)
        put(into, "%s%s%s", i ? ", " : "It writes only within: ", spec->hours[i],
            i + 1 == spec->n_hours ? ".\n\n" : "");
}

static void put_pause(const struct spec *spec, const char *run, GString *into)
{
    put(into,
        "## Pause\n\nAny time, from any terminal; nothing is lost. It holds against everything until `resume`.\n");
    put_command(into, "sluice pause %s --reason '...'", run);
    put(into, "Every run of the home, in an incident:\n");
    put_command(into, "sluice pause --all --hold --reason '...'");
    put_may(spec, SPEC_MAY_PAUSE, into);
    put(into, "\n## Resume\n");
    put_command(into, "sluice resume %s --detach --reason '...'", run);
    put(into, "After `pause --all --hold`: `sluice resume --all`.\n");
    put_may(spec, SPEC_MAY_RESUME, into);
}

static void put_back(const struct spec *spec, const char *run, GString *into)
{
    bool shadow = spec->target.write == WRITE_SHADOW;
    put(into,
        "\n## Roll back\n\nEvery key that the application has not written since is restored, byte for byte; what it\n"
        "has written is left alone and listed. Look first:\n");
    put_command(into, "sluice rollback %s --dry-run", run);
    put_command(into, "sluice rollback %s --yes --reason '...'", run);
    put_may(spec, SPEC_MAY_ROLLBACK, into);
    if (!shadow)
        return;
    put(into, "\n## Promote\n\nIt writes a shadow, which nobody reads before this:\n");
    put_command(into, "sluice promote %s --reason '...'", run);
    put_may(spec, SPEC_MAY_PROMOTE, into);
}

static bool asks_for_approval(const struct spec *spec)
{
    for (size_t i = 0; i < spec->n_stages; i++)
        if (spec->stages[i].approve)
            return true;
    return false;
}

static void put_validate(const struct spec *spec, const char *run, GString *into)
{
    put(into, "\n## Validate\n");
    put_command(into, "sluice verify %s", run);
    put_may(spec, SPEC_MAY_VERIFY, into);
    put_command(into, "sluice quarantine list %s", run);
    if (!asks_for_approval(spec))
        return;
    put(into, "A gate that waits: look at the report that `sluice status %s` names, then\n", run);
    put_command(into, "sluice approve %s --reason '...'", run);
    put(into, "or `sluice deny %s --reason '...'`. Who planned the run may not.\n", run);
    put_may(spec, SPEC_MAY_APPROVE, into);
}

static void put_escalation(const struct spec *spec, GString *into)
{
    char after[UNITS_TEXT];
    put(into, "\n## Escalate\n\n1. At once: %s\n",
        spec->owner_contact ? spec->owner_contact : "the owner's contact is not said");
    for (size_t i = 0; i < spec->n_escalate; i++)
        put(into, "1. After %s: %s\n", units_duration(spec->escalate[i].after_ms, after), spec->escalate[i].to);
    put(into, "\nWith the whole record of the run at hand:\n");
}

static void put_guards(const struct spec *spec, GString *into)
{
    put(into, "\n## What holds it back by itself\n\n| guard | limit | watches |\n|---|---|---|\n");
    for (int i = 0; i < GUARD_COUNT; i++) {
        const struct guard_row *row = guard_row((enum spec_guard)i);
        g_autofree char *limit = guard_limit_text(row->unit, spec->protect.guards[i]);
        if (strcmp(limit, "none") != 0)
            put(into, "| %s | %s | %s |\n", row->word, limit, row->words);
    }
    for (size_t i = 0; i < spec->protect.n_signals; i++) {
        const struct spec_signal *signal = &spec->protect.signals[i];
        put(into, "| %s | %s %g | a signal of the spec's own%s |\n", signal->name, signal->below ? "below" : "above",
            signal->limit, signal->hard ? "; it halts the run" : "");
    }
    put(into, "\n`sluice status` shows each with its reading. `sluice set RUN protect.NAME=...` moves a limit.\n");
}

static char *named(const char *text, const struct spec *spec, const char *run)
{
    g_auto(GStrv) of_run = g_strsplit(text, "RUN", -1);
    g_autofree char *with_run = g_strjoinv(run, of_run);
    g_auto(GStrv) of_spec = g_strsplit(with_run, "SPEC", -1);
    return g_strjoinv(spec->path, of_spec);
}

static void put_alert(const struct alert_row *row, const struct spec *spec, const char *run, GString *into)
{
    g_autofree char *steps = named(row->steps, spec, run);
    g_auto(GStrv) lines = g_strsplit(steps, "\n", -1);
    put(into, "\n### %s\n\n%s: %s.\n\n", row->name, row->severity == ALERT_PAGE ? "Page" : "Ticket", row->says);
    for (char **line = lines; *line; line++)
        put(into, "- %s\n", *line);
}

/* One empty line between two things, whoever put it there. */
static void tidy(GString *text)
{
    gsize to = 0;
    for (gsize i = 0; i < text->len; i++)
        if (text->str[i] != '\n' || to < 2 || text->str[to - 1] != '\n' || text->str[to - 2] != '\n')
            text->str[to++] = text->str[i];
    g_string_truncate(text, to);
}

void export_runbook(const struct spec *spec, const char *run, GString *into)
{
    put_head(spec, into);
    put(into, "How it stands: `sluice status %s`; live: `sluice watch %s`.\n\n", run, run);
    put_start(spec, into);
    put_pause(spec, run, into);
    put_back(spec, run, into);
    put_validate(spec, run, into);
    put_escalation(spec, into);
    put_command(into, "sluice audit bundle %s -o bundle", run);
    put_guards(spec, into);
    put(into, "\n## Alerts\n");
    for (size_t i = 0; alert_row_at(i); i++)
        put_alert(alert_row_at(i), spec, run, into);
    if (spec->n_escalate > 0)
        put(into, "\n### SluiceEscalation\n\nPage: it needs a person, and nobody has come.\n\n- Whoever it names takes "
                  "it over from "
                  "here: the section of the alert before it says what to do.\n");
    tidy(into);
}
