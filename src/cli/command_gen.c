/* gen: synthetic data with known faults. */
#include <errno.h>

#include "base/file.h"
#include "cli/cli.h"
#include "gen/gen.h"

struct gen_out {
    struct cli *cli;
    struct file *file; /* NULL: standard output */
};

static bool put_lines(void *self, struct slice bytes, GError **error)
{
    struct gen_out *out = self;
    if (out->cli->signals && atomic_load(out->cli->signals) > 0)
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; what is written is not whole");
    if (out->file)
        return file_append(out->file, bytes, NULL, error);
    return fwrite(bytes.data, 1, bytes.len, out->cli->out) == bytes.len ||
           error_set_errno(error, errno, "standard output");
}

/* A packed name would hold what is not packed, and be read as damaged. */
static bool check_name(const char *option, const char *path, GError **error)
{
    static const char *const PACKED[] = {".gz", ".zst"};
    for (size_t i = 0; i < G_N_ELEMENTS(PACKED); i++)
        if (g_str_has_suffix(path, PACKED[i]))
            return error_set(error, SLUICE_ERROR_USAGE,
                             "--%s %s: what is written is not packed; leave out '%s', or pipe it", option, path,
                             PACKED[i]);
    return true;
}

static bool open_out(struct gen_out *out, struct cli *cli, enum option option, GError **error)
{
    const char *path = cli->values[option];
    out->cli = cli;
    return !path || strcmp(path, "-") == 0 ||
           (check_name(option_name(option), path, error) &&
            file_open(&out->file, cli->world, path, FILE_REPLACE, error));
}

static bool close_out(struct gen_out *out, GError **error)
{
    return !out->file || file_close(g_steal_pointer(&out->file), error);
}

static bool find(struct cli *cli, const struct gen_row **ret, GError **error)
{
    const struct gen_row *near = gen_nearest(cli->args[0]);
    *ret = gen_find(cli->args[0]);
    if (*ret)
        return true;
    if (near)
        return error_set(error, SLUICE_ERROR_USAGE, "gen: there is no '%s'; did you mean '%s'?", cli->args[0],
                         near->name);
    g_autoptr(GString) names = g_string_new(NULL);
    for (size_t i = 0; gen_at(i); i++)
        g_string_append_printf(names, "%s%s (%s)", i ? ", " : "", gen_at(i)->name, gen_at(i)->words);
    return error_set(error, SLUICE_ERROR_USAGE, "gen: there is no '%s'; there is %s", cli->args[0], names->str);
}

static bool read_wish(struct cli *cli, const struct gen_row **ret_row, struct gen_wish *ret, GError **error)
{
    const char *out = cli->values[OPTION_OUT], *faults = cli->values[OPTION_FAULTS];
    if (!find(cli, ret_row, error) || !cli_number(cli, OPTION_RECORDS, 1000, &ret->records, error) ||
        !cli_number(cli, OPTION_SEED, 1, &ret->seed, error))
        return false;
    if (faults && strcmp(faults, "-") == 0 && (!out || strcmp(out, "-") == 0))
        return error_set(error, SLUICE_ERROR_USAGE, "--faults -: standard output takes the records; name a file");
    return g_strcmp0(out, faults) != 0 || !out ||
           error_set(error, SLUICE_ERROR_USAGE, "--faults %s: that file takes the records; name another", faults);
}

static bool generate(struct cli *cli, struct gen_out *records, struct gen_out *faults, GError **error)
{
    const struct gen_row *row;
    struct gen_wish wish;
    if (!read_wish(cli, &row, &wish, error) || !open_out(records, cli, OPTION_OUT, error) ||
        !open_out(faults, cli, OPTION_FAULTS, error))
        return false;
    struct gen_sinks sinks = {.records = {put_lines, records}};
    if (cli_has(cli, OPTION_FAULTS))
        sinks.faults = (struct gen_sink){put_lines, faults};
    return row->run(&wish, &sinks, error) && close_out(records, error) && close_out(faults, error);
}

int command_gen(struct cli *cli, GError **error)
{
    struct gen_out records = {0}, faults = {0};
    bool done = generate(cli, &records, &faults, error);
    file_free(records.file);
    file_free(faults.file);
    return done ? 0 : -1;
}
