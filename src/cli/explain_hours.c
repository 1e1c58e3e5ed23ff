/* explain hours SPEC --next N: when a run of the spec may write, from now on. */
#include "base/hours.h"
#include "cli/cli.h"

enum { NEXT_MOST = 1000 };

static bool read_hours(struct cli *cli, struct hours **ret, GError **error)
{
    struct spec *read;
    if (cli->n_args != 2 || strcmp(cli->args[0], "hours") != 0)
        return error_set(error, SLUICE_ERROR_USAGE, "explain --next: `explain hours SPEC --next N` was expected");
    if (!cli_spec_read(cli, cli->args[1], &read, error))
        return false;
    auto_(spec) spec = read;
    if (spec->n_hours == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s has no hours: a run of it may write at any time",
                         spec->path);
    return hours_parse(ret, spec->hours, spec->n_hours, error);
}

static void tell_span(struct cli *cli, const struct hours *hours, const struct hours_span *span, json_t *list)
{
    g_autofree char *from = hours_time(hours, span->from_ms), *to = hours_time(hours, span->to_ms);
    if (list)
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "from", shape_time(span->from_ms), "to", shape_time(span->to_ms)));
    else
        fprintf(cli->out, "%s to %s\n", from, to);
}

bool explain_hours(struct cli *cli, GError **error)
{
    struct hours *made;
    struct hours_span span;
    uint64_t n = 0;
    if (!cli_number(cli, OPTION_NEXT, 1, &n, error) || !read_hours(cli, &made, error))
        return false;
    auto_(hours) hours = made;
    json_t *list = cli_has(cli, OPTION_JSON) ? json_array() : NULL;
    int64_t at_ms = world_wall_ms(cli->world);
    for (uint64_t i = 0; i < MIN(n, NEXT_MOST) && hours_span(hours, at_ms, &span); i++) {
        tell_span(cli, hours, &span, list);
        at_ms = span.to_ms;
    }
    if (list)
        print_json(cli, json_pack("{s:s, s:o}", "type", "hours", "next", list));
    return true;
}
