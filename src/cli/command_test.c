/* test: the fixtures of a spec's transform, by the code of a run. */
#include "base/file.h"
#include "cli/cli.h"
#include "transform/fixture.h"

struct testing {
    struct cli *cli;
    struct spec *spec;
    struct recipe *recipe;
    struct fixtures *fixtures;
    struct fixture_bench *bench;
    GString *updated; /* the file as it would be if all that came were right */
    size_t failed;
};

/* --- one fixture ---------------------------------------------------------------------------------------------------
 */

static void put_text(const struct testing *testing, const struct fixture *fixture, const struct fixture_result *result)
{
    FILE *out = testing->cli->out;
    if (result->passed)
        return;
    fprintf(out, "%s:%" G_GUINT64_FORMAT ": %s%sfails\n", testing->fixtures->path, fixture->line,
            fixture->name ? fixture->name : "", fixture->name ? ": " : "");
    if (result->why)
        fprintf(out, "  %s\n", result->why);
    for (guint i = 0; i < result->changes->len; i++) {
        const struct diff_change *change = &g_array_index(result->changes, struct diff_change, i);
        bool alike = g_strcmp0(change->before, change->after) == 0;
        fprintf(out, "  %s: expected %s%s%s, came %s%s%s\n", change->path, change->before ? change->before : "nothing",
                alike ? " as " : "", alike ? change->before_type : "", change->after ? change->after : "nothing",
                alike ? " as " : "", alike ? change->after_type : "");
    }
}

static void put_json(const struct testing *testing, const struct fixture *fixture, const struct fixture_result *result)
{
    g_autofree char *expected = fixture_expects(fixture), *came = fixture_came(result);
    g_autoptr(GString) line = g_string_new("{");
    shape_put(line, "type", json_string("fixture"));
    shape_put(line, "file", shape_text(testing->fixtures->path));
    shape_put(line, "line", json_integer((json_int_t)fixture->line));
    shape_put(line, "name", shape_text(fixture->name));
    shape_put(line, "passed", json_boolean(result->passed));
    shape_put(line, "expected", shape_text(expected));
    shape_put(line, "came", shape_text(came));
    shape_put(line, "why", shape_text(result->why));
    g_string_append(line, ",\"changes\":[");
    for (guint i = 0; i < result->changes->len; i++) {
        const struct diff_change *change = &g_array_index(result->changes, struct diff_change, i);
        g_string_append(line, i ? ",{" : "{");
        shape_put(line, "field", shape_text(change->path));
        g_string_append_printf(line, ",\"expected\":%s,\"came\":%s}", change->before ? change->before : "null",
                               change->after ? change->after : "null");
    }
    fprintf(testing->cli->out, "%s]}\n", line->str);
}

/* What stands between the fixtures - blank lines - stays. */
static bool put_update(struct testing *testing, const struct fixture *fixture, const struct fixture_result *result,
                       const uint8_t **io_at, GError **error)
{
    g_string_append_len(testing->updated, (const char *)*io_at, fixture->text.data - *io_at);
    *io_at = fixture->text.data + fixture->text.len;
    if (!result->passed)
        return fixture_put(testing->updated, fixture, result, error);
    g_string_append_len(testing->updated, (const char *)fixture->text.data, (gssize)fixture->text.len);
    return true;
}

static bool interrupted(const struct testing *testing, GError **error)
{
    return testing->cli->signals && atomic_load(testing->cli->signals) > 0 &&
           !error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; nothing was written");
}

static bool run_all(struct testing *testing, GError **error)
{
    const struct fixtures *fixtures = testing->fixtures;
    const uint8_t *at = fixtures->text.data;
    struct fixture_result result;
    for (size_t i = 0; i < fixtures->n; i++) {
        const struct fixture *fixture = &fixtures->fixtures[i];
        if (interrupted(testing, error))
            return false;
        if (!fixture_run(testing->bench, fixture, &result, error) || !put_update(testing, fixture, &result, &at, error))
            return error_add(error, "%s:%" G_GUINT64_FORMAT, fixtures->path, fixture->line);
        testing->failed += !result.passed;
        cli_has(testing->cli, OPTION_JSON) ? put_json(testing, fixture, &result) : put_text(testing, fixture, &result);
    }
    g_string_append_len(testing->updated, (const char *)at, fixtures->text.data + fixtures->text.len - at);
    return true;
}

/* --- the whole file ------------------------------------------------------------------------------------------------
 */

static bool update(struct testing *testing, bool *ret_done, GError **error)
{
    const struct fixtures *fixtures = testing->fixtures;
    GString *text = testing->updated;
    bool yes = false;
    *ret_done = false;
    if (!cli_has(testing->cli, OPTION_UPDATE) || testing->failed == 0)
        return true;
    g_autofree char *question =
        g_strdup_printf("write what came as what is expected, for %zu of %zu fixtures?", testing->failed, fixtures->n);
    fflush(testing->cli->out);
    if (!print_ask(testing->cli, question, "the fixtures would be changed", &yes, error))
        return false;
    *ret_done = yes;
    return !yes || file_replace_durable(testing->cli->world, fixtures->path, slice_of(text->str, text->len), error);
}

static void put_end(const struct testing *testing, bool updated, int status)
{
    const struct fixtures *fixtures = testing->fixtures;
    struct cli *cli = testing->cli;
    size_t failed = testing->failed;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:i, s:o, s:I, s:I, s:I, s:I}", "type", "end", "exit", status, "file",
                                  shape_text(fixtures->path), "fixtures", (json_int_t)fixtures->n, "passed",
                                  (json_int_t)(fixtures->n - failed), "failed", (json_int_t)(updated ? 0 : failed),
                                  "updated", (json_int_t)(updated ? failed : 0)));
    else if (!cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "%s: %zu passed, %zu %s\n", fixtures->path, fixtures->n - failed, failed,
                updated ? "updated: look at them before you keep them" : "failed");
}

static bool open_testing(struct testing *testing, GError **error)
{
    struct cli *cli = testing->cli;
    if (!cli_spec_read(cli, cli->args[0], &testing->spec, error))
        return false;
    if (!testing->spec->transform.tests)
        return error_set(error, SLUICE_ERROR_FIXTURES,
                         "%s: it names no fixtures (`transform: { tests: FILE }`); `sluice try %s --sample 20 -o FILE` "
                         "makes some of records",
                         cli->args[0], cli->args[0]);
    if (!recipe_read(&testing->recipe, cli->world, testing->spec, error))
        return false;
    testing->bench = fixture_bench_new(testing->recipe, testing->spec);
    return fixtures_read(&testing->fixtures, cli->world, testing->spec->transform.tests, error);
}

int command_test(struct cli *cli, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct testing testing = {.cli = cli, .updated = text};
    bool updated = false;
    bool done = open_testing(&testing, error) && run_all(&testing, error) && update(&testing, &updated, error);
    int status = !done ? -1 : testing.failed && !updated ? 4 : 0;
    if (done)
        put_end(&testing, updated, status);
    g_clear_pointer(&testing.bench, fixture_bench_free);
    g_clear_pointer(&testing.fixtures, fixtures_free);
    g_clear_pointer(&testing.recipe, recipe_free);
    g_clear_pointer(&testing.spec, spec_free);
    return status;
}
