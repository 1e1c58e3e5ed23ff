#include "base/units.h"
#include "cli/cli.h"

void print_json(struct cli *cli, json_t *value)
{
    if (!value)
        return;
    json_dumpf(value, cli->out, JSON_COMPACT | JSON_ENSURE_ASCII * 0);
    fputc('\n', cli->out);
    json_decref(value);
}

/* What is not UTF-8 is written with its bad bytes replaced: JSON can hold nothing else. */
json_t *json_text_or_null(const char *text)
{
    if (!text)
        return json_null();
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

json_t *json_key(struct slice key)
{
    if (g_utf8_validate((const char *)key.data, (gssize)key.len, NULL))
        return json_stringn((const char *)key.data, key.len);
    g_autofree char *base64 = g_base64_encode(key.data, key.len);
    return json_pack("{s:s}", "base64", base64);
}

json_t *json_time(int64_t wall_ms)
{
    char text[UNITS_TEXT];
    return json_string(units_time(wall_ms, text));
}

json_t *json_tally(const struct tally *tally)
{
    json_t *object = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        json_object_set_new(object, outcome_row((enum outcome)i)->word, json_integer((json_int_t)tally->of[i]));
    return object;
}

static json_t *json_parts(const uint64_t *parts)
{
    uint64_t total = 0;
    json_t *object = json_object();
    for (int i = 0; i < PART_STATE_COUNT; i++)
        total += parts[i];
    json_object_set_new(object, "total", json_integer((json_int_t)total));
    for (int i = 0; i < PART_STATE_COUNT; i++)
        json_object_set_new(object, part_state_word((enum part_state)i), json_integer((json_int_t)parts[i]));
    /* A partition that is verified has been written. */
    json_object_set_new(object, "written", json_integer((json_int_t)(parts[PART_WRITTEN] + parts[PART_VERIFIED])));
    return object;
}

static json_t *json_digest(const uint8_t digest[32])
{
    char text[65];
    for (size_t i = 0; i < 32; i++)
        g_snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return json_string(text);
}

static double rate_of(const struct run_row *run)
{
    double seconds = (double)(run->updated_ms - run->started_ms) / 1000;
    return seconds > 0 ? (double)tally_sum(&run->tally, OUTCOME_KIND_LISTED) / seconds : 0;
}

/* Shown when 1 % is done. */
static json_t *json_eta(const struct run_row *run)
{
    uint64_t done = tally_sum(&run->tally, OUTCOME_KIND_LISTED), of = run->tally.of[OUTCOME_LISTED_];
    double rate = rate_of(run);
    if (run_state_over(run->state) || of == 0 || done * 100 < of || rate <= 0)
        return json_null();
    return json_integer((json_int_t)((double)(of - MIN(done, of)) / rate));
}

json_t *json_status(const struct run_row *run)
{
    json_t *rate = json_pack("{s:f, s:n, s:n}", "records_per_s", rate_of(run), "limit_records_per_s", "limited_by");
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}, s:o, s:o}", "type", "status",
                     "run", run->name, "spec", run->spec_name, "state", run_state_word(run->state), "reason",
                     json_text_or_null(run->reason), "actor", json_text_or_null(run->actor), "plan_digest",
                     json_digest(run->digests.plan), "started_at", json_time(run->started_ms), "updated_at",
                     json_time(run->updated_ms), "partitions", json_parts(run->parts), "records",
                     json_tally(&run->tally), "bytes", "read", (json_int_t)run->bytes_read, "written",
                     (json_int_t)run->bytes_written, "rate", rate, "eta_s", json_eta(run));
}

void print_table(FILE *out, const char *const *cells, size_t columns, size_t rows)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t column = 0; column < columns; column++) {
            glong width = 0;
            for (size_t i = 0; i < rows; i++)
                width = MAX(width, g_utf8_strlen(cells[i * columns + column], -1));
            const char *cell = cells[row * columns + column];
            bool last = column + 1 == columns;
            fprintf(out, "%s%*s%s", cell, last ? 0 : (int)(width - g_utf8_strlen(cell, -1)), "", last ? "\n" : "  ");
        }
}

static void print_counts(FILE *out, const struct tally *tally)
{
    char count[UNITS_TEXT];
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (tally->of[i] || i == OUTCOME_LISTED_)
            fprintf(out, "  %-11s %s\n", outcome_row((enum outcome)i)->word, units_count(tally->of[i], count));
}

void print_run(struct cli *cli, const struct run_row *run)
{
    char bytes[UNITS_TEXT], when[UNITS_TEXT];
    uint64_t done = run->parts[PART_WRITTEN] + run->parts[PART_VERIFIED], total = 0;
    for (int i = 0; i < PART_STATE_COUNT; i++)
        total += run->parts[i];
    fprintf(cli->out, "%s  %s%s%s\n", run->name, run_state_word(run->state), run->reason ? ": " : "",
            run->reason ? run->reason : "");
    fprintf(cli->out, "  home        %s\n  started     %s\n", cli->home, units_time(run->started_ms, when));
    fprintf(cli->out, "  partitions  %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " written, %" G_GUINT64_FORMAT " verified\n",
            done, total, run->parts[PART_VERIFIED]);
    fprintf(cli->out, "  bytes       %s written\n", units_bytes(run->bytes_written, bytes));
    print_counts(cli->out, &run->tally);
}

static void print_end(struct cli *cli, const struct run_result *result)
{
    if (result->verdict)
        fprintf(cli->out, "verified: %s\n", result->verdict);
    print_run(cli, &result->run);
    if (result->run.tally.of[OUTCOME_REJECTED])
        fprintf(cli->out, "refused records: sluice quarantine list %s\n", result->run.name);
    fprintf(cli->out, "ledger head ");
    for (size_t i = 0; i < 32; i++)
        fprintf(cli->out, "%02x", result->ledger_head[i]);
    fputc('\n', cli->out);
    if (result->text)
        fprintf(cli->err, "sluice: %s\n", result->text);
}

int print_result(struct cli *cli, const struct run_result *result)
{
    progress_break(cli->progress);
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o}", "type", "end", "run", result->run.name,
                                  "state", run_state_word(result->run.state), "exit", result->exit_status, "message",
                                  json_text_or_null(result->text), "verdict", json_text_or_null(result->verdict),
                                  "ledger_head", json_digest(result->ledger_head), "status",
                                  json_status(&result->run)));
    else if (!cli_has(cli, OPTION_QUIET))
        print_end(cli, result);
    else if (result->text)
        fprintf(cli->err, "sluice: %s\n", result->text);
    return result->exit_status;
}
