/* Progress: a bar on a terminal, a line every few seconds elsewhere, an object a line with --json. */
#include "base/units.h"
#include "cli/cli.h"

#define LINE_EVERY_US (INT64_C(5) * 1000 * 1000)
#define BAR_CELLS 24

struct progress {
    struct cli *cli;
    bool open; /* a bar stands on the line */
    int64_t shown_us;
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

static void put_eta(const struct run_event *event, char *into, size_t len)
{
    char text[UNITS_TEXT];
    *into = 0;
    if (event->of && event->records_per_s > 0 && event->done * 100 >= event->of && event->done < event->of)
        g_snprintf(into, (gulong)len, ", %s left",
                   units_duration((int64_t)((double)(event->of - event->done) / event->records_per_s * 1000), text));
}

static void put_bar(const struct run_event *event, char into[BAR_CELLS + 1])
{
    size_t full = event->of ? (size_t)(MIN(event->done, event->of) * BAR_CELLS / event->of) : 0;
    for (size_t i = 0; i < BAR_CELLS; i++)
        into[i] = i < full ? '#' : '.';
    into[BAR_CELLS] = 0;
}

static void show_text(struct progress *progress, const struct run_event *event)
{
    struct cli *cli = progress->cli;
    char bar[BAR_CELLS + 1], eta[64], done[UNITS_TEXT], of[UNITS_TEXT], rate[UNITS_TEXT];
    int64_t now_us = world_monotonic_us(cli->world);
    if (!cli->terminal && progress->shown_us && now_us - progress->shown_us < LINE_EVERY_US)
        return;
    progress->shown_us = now_us;
    put_bar(event, bar);
    put_eta(event, eta, sizeof eta);
    units_count(event->done, done);
    units_count((uint64_t)event->records_per_s, rate);
    const char *name = event->run ? event->run->name : "";
    if (cli->terminal)
        fprintf(cli->err, "\r\033[K%s %s [%s] %s%s%s, %s/s%s", name, event->text, bar, done, event->of ? " of " : "",
                event->of ? units_count(event->of, of) : "", rate, eta);
    else
        fprintf(cli->err, "%s %s: %s%s%s, %s/s%s\n", name, event->text, done, event->of ? " of " : "",
                event->of ? units_count(event->of, of) : "", rate, eta);
    progress->open = cli->terminal;
    fflush(cli->err);
}

static void show_json(struct progress *progress, const struct run_event *event)
{
    static const char *const TYPES[] = {
        [RUN_EVENT_STATE] = "state", [RUN_EVENT_PROGRESS] = "progress", [RUN_EVENT_NOTE] = "note"};
    struct cli *cli = progress->cli;
    print_json(cli, json_pack("{s:s, s:o, s:o, s:o, s:I, s:I, s:f}", "type", TYPES[event->kind], "run",
                              json_text_or_null(event->run ? event->run->name : NULL), "state",
                              json_text_or_null(event->run ? run_state_word(event->run->state) : NULL), "text",
                              json_text_or_null(event->text), "done", (json_int_t)event->done, "of",
                              (json_int_t)event->of, "records_per_s", event->records_per_s));
    fflush(cli->out);
}

void progress_event(void *self, const struct run_event *event)
{
    struct progress *progress = self;
    struct cli *cli = progress->cli;
    if (cli_has(cli, OPTION_JSON)) {
        show_json(progress, event);
        return;
    }
    if (cli_has(cli, OPTION_QUIET))
        return;
    if (event->kind == RUN_EVENT_PROGRESS) {
        show_text(progress, event);
        return;
    }
    progress_break(progress);
    if (event->kind == RUN_EVENT_NOTE)
        fprintf(cli->err, "%s\n", event->text);
    else
        fprintf(cli->err, "%s: %s%s%s\n", event->run->name, run_state_word(event->run->state),
                event->text ? ": " : "", event->text ? event->text : "");
}
