/* Progress: a bar on a terminal, a line every few seconds elsewhere, an object a line with --json. */
#include "base/units.h"
#include "cli/cli.h"

#define LINE_EVERY_US (INT64_C(5) * 1000 * 1000)
#define BAR_CELLS     24

struct progress {
    struct cli *cli;
    bool open; /* a bar stands on the line */
    int64_t shown_us;
    char shown[128]; /* what was being done then */
};

struct progress *progress_new(struct cli *cli)
{
    struct progress *progress = g_new0(struct progress, 1);
    progress->cli = cli;
    return progress;
}

void progress_free(struct progress *progress)
{
    if (progress)
        progress_break(progress);
    g_free(progress);
}

void progress_break(struct progress *progress)
{
    if (progress->open)
        fputc('\n', progress->cli->err);
    progress->open = false;
}

bool progress_tells(const struct cli *cli, const char *level)
{
    static const char *const ORDER = "error warn info debug";
    const char *wanted = cli->values[OPTION_LOG_LEVEL];
    if (cli_has(cli, OPTION_QUIET) || (cli_has(cli, OPTION_JSON) && !log_is_json(cli)))
        return false;
    if (!wanted)
        wanted = "info";
    return strstr(ORDER, level) <= strstr(ORDER, wanted);
}

/* --- words
 * ------------------------------------------------------------------------------------------------------------ */

/* Of a rate that has died away nothing follows. */
static void put_eta(GString *into, const struct run_event *event)
{
    static const double MOST_S = 30.0 * 86400;
    char text[UNITS_TEXT];
    if (!event->of || event->done * 100 < event->of || event->done >= event->of)
        return;
    double left = (double)(event->of - event->done);
    if (left <= event->records_per_s * MOST_S)
        g_string_append_printf(into, ", %s left", units_duration((int64_t)(left / event->records_per_s * 1000), text));
}

static void put_counts(GString *into, const struct run_event *event)
{
    char done[UNITS_TEXT], of[UNITS_TEXT], rate[UNITS_TEXT];
    g_string_append(into, units_count(event->done, done));
    if (event->of)
        g_string_append_printf(into, " of %s", units_count(event->of, of));
    if (event->records_per_s > 0)
        g_string_append_printf(into, ", %s/s", units_count((uint64_t)event->records_per_s, rate));
    put_eta(into, event);
}

static void put_bar(GString *into, const struct run_event *event)
{
    if (event->of == 0)
        return;
    print_bar(into, BAR_CELLS, &(struct bar){.sure = event->done, .of = event->of});
    g_string_append_c(into, ' ');
}

static GString *head_of(const struct run_event *event)
{
    GString *text = g_string_new(event->run ? event->run->name : NULL);
    if (event->run)
        g_string_append_c(text, ' ');
    return g_string_append(text, event->text);
}

/* A line that is wider than the terminal could not be drawn over: the bar goes first, then the end of the words. */
static void show_bar(struct progress *progress, const struct run_event *event)
{
    glong columns = print_columns(progress->cli->err);
    g_autoptr(GString) line = head_of(event);
    gsize bar = line->len + 1;
    g_string_append_c(line, ' ');
    put_bar(line, event);
    gsize bar_len = line->len - bar;
    if (event->done || event->of)
        put_counts(line, event);
    if (g_utf8_strlen(line->str, -1) >= columns)
        g_string_erase(line, (gssize)bar, (gssize)bar_len);
    g_autofree char *fits = g_utf8_substring(line->str, 0, MIN(g_utf8_strlen(line->str, -1), columns - 1));
    fprintf(progress->cli->err, "\r%s\033[K", fits);
    progress->open = true;
}

static void show_line(struct progress *progress, const struct run_event *event)
{
    g_autoptr(GString) line = head_of(event);
    if (event->done || event->of) {
        g_string_append(line, ": ");
        put_counts(line, event);
    }
    fprintf(progress->cli->err, "%s\n", line->str);
}

/* --- showing
 * ---------------------------------------------------------------------------------------------------------- */

/* A line every few seconds, and whenever something else is being done. */
static bool is_shown(struct progress *progress, const struct run_event *event)
{
    struct cli *cli = progress->cli;
    int64_t now_us = world_monotonic_us(cli->world);
    bool same = strncmp(progress->shown, event->text, sizeof progress->shown - 1) == 0;
    if ((!cli->terminal || log_is_json(cli)) && same && now_us - progress->shown_us < LINE_EVERY_US)
        return false;
    progress->shown_us = now_us;
    g_strlcpy(progress->shown, event->text, sizeof progress->shown);
    return true;
}

static void show_text(struct progress *progress, const struct run_event *event)
{
    struct cli *cli = progress->cli;
    if (!is_shown(progress, event))
        return;
    cli->terminal ? show_bar(progress, event) : show_line(progress, event);
    fflush(cli->err);
}

static void show_steps(struct cli *cli, const struct run_event *event)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < event->n_steps; i++)
        json_array_append_new(steps, json_pack("{s:s, s:I, s:I, s:I}", "step", event->steps[i].name, "calls",
                                               (json_int_t)event->steps[i].calls, "busy_us",
                                               (json_int_t)event->steps[i].busy_us, "cpu_us",
                                               (json_int_t)event->steps[i].cpu_us));
    print_json(cli, json_pack("{s:s, s:s, s:o}", "type", "steps", "run", event->run->name, "steps", steps));
    fflush(cli->out);
}

static void show_json(struct progress *progress, const struct run_event *event)
{
    static const char *const TYPES[] = {[RUN_EVENT_STATE] = "state",
                                        [RUN_EVENT_STAGE] = "stage",
                                        [RUN_EVENT_PROGRESS] = "progress",
                                        [RUN_EVENT_NOTE] = "note",
                                        [RUN_EVENT_PACE] = "pace"};
    struct cli *cli = progress->cli;
    const struct run_pace *pace = event->pace;
    json_t *line =
        json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:f}", "type", TYPES[event->kind], "run",
                  shape_text(event->run ? event->run->name : NULL), "state",
                  shape_text(event->run ? run_state_word(event->run->state) : NULL), "text", shape_text(event->text),
                  "done", (json_int_t)event->done, "of", (json_int_t)event->of, "records_per_s", event->records_per_s);
    if (pace)
        json_object_update_new(line, json_pack("{s:o, s:o, s:f, s:f}", "server", shape_text(pace->server), "limited_by",
                                               shape_text(pace->limited_by), "window", pace->window, "commands_per_s",
                                               pace->commands_per_s));
    print_json(cli, line);
    fflush(cli->out);
}

static void show_words(struct progress *progress, const struct run_event *event)
{
    FILE *err = progress->cli->err;
    progress_break(progress);
    if (event->run && event->run->name) /* what is of no run, such as `verify SPEC`, has none */
        fprintf(err, "%s: ", event->run->name);
    if (event->run && event->kind == RUN_EVENT_STATE)
        fprintf(err, "%s%s", run_state_word(event->run->state), event->text ? ": " : "");
    fprintf(err, "%s\n", event->text ? event->text : "");
}

/* The same of a log that programs read: the counts have names. */
static void show_log(struct progress *progress, const struct run_event *event)
{
    const struct run_row *run = event->run;
    bool counts = event->kind == RUN_EVENT_PROGRESS;
    json_t *fields = json_pack("{s:o, s:o}", "run", shape_text(run ? run->name : NULL), "state",
                               shape_text(run ? run_state_word(run->state) : NULL));
    if (counts && is_shown(progress, event))
        json_object_update_new(fields, json_pack("{s:I, s:I, s:f}", "done", (json_int_t)event->done, "of",
                                                 (json_int_t)event->of, "records_per_s", event->records_per_s));
    else if (counts) {
        json_decref(fields);
        return;
    }
    log_json(progress->cli, event->kind == RUN_EVENT_NOTE ? "warn" : "info", event->text ? event->text : "", fields);
}

static void show_told(struct progress *progress, const struct run_event *event)
{
    if (log_is_json(progress->cli))
        show_log(progress, event);
    else if (event->kind == RUN_EVENT_PROGRESS)
        show_text(progress, event);
    else
        show_words(progress, event);
}

/* A command whose answer is one document has no room for events. */
void progress_event(void *self, const struct run_event *event)
{
    struct progress *progress = self;
    struct cli *cli = progress->cli;
    if (cli_has(cli, OPTION_JSON) && cli->command->json == COMMAND_LINES)
        event->kind == RUN_EVENT_STEPS ? show_steps(cli, event) : show_json(progress, event);
    if (event->kind != RUN_EVENT_STEPS && (event->kind != RUN_EVENT_PACE || log_is_json(cli)) &&
        progress_tells(cli, event->kind == RUN_EVENT_NOTE ? "warn" : "info"))
        show_told(progress, event);
}
