#include <sys/ioctl.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/units.h"
#include "cli/cli.h"
#include "view/shape.h"

void print_json(struct cli *cli, json_t *value)
{
    if (!value)
        return;
    json_dumpf(value, cli->out, JSON_COMPACT);
    fputc('\n', cli->out);
    json_decref(value);
}

bool print_ask(struct cli *cli, const char *question, const char *what, bool *ret_yes, GError **error)
{
    char line[16] = {0};
    *ret_yes = cli_has(cli, OPTION_YES);
    if (*ret_yes)
        return true;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return error_set(error, SLUICE_ERROR_USAGE, "%s; nobody is here to be asked: say it with --yes", what);
    fprintf(cli->err, "%s [y/N] ", question);
    fflush(cli->err);
    *ret_yes = fgets(line, sizeof line, stdin) && (line[0] == 'y' || line[0] == 'Y');
    return true;
}

#define NARROW 80 /* columns and rows: what a terminal has that does not say */
#define SHORT  24

long print_columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col : NARROW;
}

size_t print_rows(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_row > 1 ? size.ws_row : SHORT;
}

bool print_is_screen(const struct cli *cli)
{
    return isatty(STDOUT_FILENO) && g_strcmp0(g_getenv("TERM"), "dumb") != 0 && !cli_has(cli, OPTION_JSON);
}

void print_bar(GString *into, size_t cells, const struct bar *bar)
{
    uint64_t of = MAX(bar->of, 1), sure = MIN(bar->sure, of) * cells / of;
    uint64_t full = MIN(bar->sure + bar->done, of) * cells / of;
    g_string_append_c(into, '[');
    for (uint64_t i = 0; i < cells; i++)
        g_string_append_c(into, i < sure ? '#' : i < full ? '=' : '.');
    g_string_append_c(into, ']');
}

void print_table(FILE *out, const char *const *cells, size_t columns, size_t rows)
{
    g_autofree glong *widths = g_new0(glong, columns);
    for (size_t i = 0; i < rows * columns; i++)
        widths[i % columns] = MAX(widths[i % columns], g_utf8_strlen(cells[i], -1));
    for (size_t i = 0; i < rows * columns; i++) {
        bool last = (i + 1) % columns == 0;
        int pad = last ? 0 : (int)(widths[i % columns] - g_utf8_strlen(cells[i], -1));
        fprintf(out, "%s%*s%s", cells[i], pad, "", last ? "\n" : "  ");
    }
}

static void print_counts(FILE *out, const struct tally *tally)
{
    char count[UNITS_TEXT];
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (tally->of[i] || i == OUTCOME_LISTED_)
            fprintf(out, "  %-11s %s\n", outcome_row((enum outcome)i)->word, units_count(tally->of[i], count));
}

static void print_parts(FILE *out, const struct run_row *run)
{
    uint64_t total = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        total += run->parts[i];
    fprintf(out, "  partitions  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " written, %" G_GUINT64_FORMAT " verified",
            run->parts[PART_WRITTEN] + run->parts[PART_VERIFIED], total, run->parts[PART_VERIFIED]);
    const enum part_state others[] = {PART_FAILED, PART_ROLLED_BACK};
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (run->parts[others[i]])
            fprintf(out, ", %" G_GUINT64_FORMAT " %s", run->parts[others[i]], part_state_word(others[i]));
    fputc('\n', out);
}

void print_run(struct cli *cli, const struct run_row *run)
{
    char bytes[UNITS_TEXT], when[UNITS_TEXT];
    fprintf(cli->out, "%s  %s%s%s\n", run->name, run_state_word(run->state), run->reason ? ": " : "",
            run->reason ? run->reason : "");
    fprintf(cli->out, "  home        %s\n  target      %s\n  started     %s\n", cli->home, run->target,
            units_time(run->started_ms, when));
    fprintf(cli->out, "  updated     %s\n", units_time(run->updated_ms, when));
    print_parts(cli->out, run);
    fprintf(cli->out, "  bytes       %s written\n", units_bytes(run->bytes_written, bytes));
    print_counts(cli->out, &run->tally);
}

static void print_end(struct cli *cli, const struct run_result *result)
{
    char head[HEX_TEXT(32)];
    if (result->verdict)
        fprintf(cli->out, "verified%s%s: %s\n", result->verdict_of ? ", stage " : "",
                result->verdict_of ? result->verdict_of : "", result->verdict);
    if (result->exit_status == 4 && result->report)
        print_differences(cli, cli->out, result->report);
    json_t *said = print_said_of(cli, &result->run);
    print_run(cli, &result->run);
    print_said(cli->out, said);
    json_decref(said);
    if (result->run.tally.of[OUTCOME_REJECTED])
        fprintf(cli->out, "refused records: sluice quarantine list %s\n", result->run.name);
    if (result->run.tally.of[OUTCOME_REJECTED] || (result->exit_status == 4 && result->report))
        fprintf(cli->out, "fixtures of them: sluice try %s --keys-from %s -o FILE --mask FIELD,FIELD\n",
                result->run.spec_path, result->run.name);
    fprintf(cli->out, "ledger head %s\n", hex_text(result->ledger_head, 32, head));
}

static json_t *end_json(struct cli *cli, const struct run_result *result)
{
    json_t *status = shape_status(&result->run), *said = print_said_of(cli, &result->run);
    json_object_update(status, said);
    json_decref(said);
    return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "type", "end", "run", result->run.name,
                     "state", run_state_word(result->run.state), "exit", result->exit_status, "message",
                     shape_text(result->text), "verdict", shape_text(result->verdict), "verdict_stage",
                     shape_text(result->verdict_of), "report", shape_text(result->report), "ledger_head",
                     shape_digest(result->ledger_head), "status", status);
}

int print_wish(struct cli *cli, const struct run_result *result, bool taken, const struct wish_words *words)
{
    const struct run_row *run = &result->run;
    if (cli_has(cli, OPTION_JSON)) {
        print_json(cli, json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "type", "wish", "run", run->name, "wish",
                                  cli->command->name, "state", run_state_word(run->state), "taken", taken, "note",
                                  shape_text(result->text)));
        return 0;
    }
    if (taken)
        fprintf(cli->out, "%s: taken; %s\n", run->name, words->heard);
    else
        fprintf(cli->out, "%s: recorded; continue with `sluice %s %s`\n", run->name, words->go_on, run->name);
    if (result->text)
        fprintf(cli->out, "%s: %s\n", run->name, result->text);
    return 0;
}

int print_result(struct cli *cli, const struct run_result *result)
{
    progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, end_json(cli, result));
    else if (!cli_has(cli, OPTION_QUIET))
        print_end(cli, result);
    if (result->text)
        log_error(cli, result->run.name, result->text);
    return result->exit_status;
}
