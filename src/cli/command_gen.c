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

/* Where lines go, each into its own. */
static const enum option FILES[] = {OPTION_OUT, OPTION_FAULTS, OPTION_INDEX};

static const char *file_of(const struct cli *cli, enum option option)
{
    const char *path = cli->values[option];
    return path ? path : option == OPTION_OUT ? "-" : NULL;
}

static bool check_files(const struct cli *cli, GError **error)
{
    for (size_t i = 1; i < G_N_ELEMENTS(FILES); i++)
        for (size_t k = 0; k < i; k++) {
            const char *path = file_of(cli, FILES[i]), *other = file_of(cli, FILES[k]);
            if (path && g_strcmp0(path, other) == 0)
                return error_set(error, SLUICE_ERROR_USAGE, "--%s %s: %s takes what --%s names; name another file",
                                 option_name(FILES[i]), path, strcmp(path, "-") == 0 ? "standard output" : "that file",
                                 option_name(FILES[k]));
        }
    return true;
}

static bool read_wish(struct cli *cli, const struct gen_row **ret_row, struct gen_wish *ret, GError **error)
{
    if (!find(cli, ret_row, error) || !cli_number(cli, OPTION_RECORDS, 1000, &ret->records, error) ||
        !cli_number(cli, OPTION_SEED, 1, &ret->seed, error) || !check_files(cli, error))
        return false;
    return (*ret_row)->has_index || !cli_has(cli, OPTION_INDEX) ||
           error_set(error, SLUICE_ERROR_USAGE, "--index: there is none of %s; `gen events` has one", (*ret_row)->name);
}

struct gen_outs {
    struct gen_out of[G_N_ELEMENTS(FILES)];
};

static struct gen_sink sink_of(struct gen_outs *outs, size_t i)
{
    struct gen_out *out = &outs->of[i];
    return file_of(out->cli, FILES[i]) ? (struct gen_sink){put_lines, out} : (struct gen_sink){0};
}

static bool generate(struct cli *cli, struct gen_outs *outs, GError **error)
{
    const struct gen_row *row;
    struct gen_wish wish;
    if (!read_wish(cli, &row, &wish, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++)
        if (!open_out(&outs->of[i], cli, FILES[i], error))
            return false;
    struct gen_sinks sinks = {.records = sink_of(outs, 0), .faults = sink_of(outs, 1), .index = sink_of(outs, 2)};
    if (!row->run(&wish, &sinks, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++)
        if (!close_out(&outs->of[i], error))
            return false;
    return true;
}

int command_gen(struct cli *cli, GError **error)
{
    struct gen_outs outs = {0};
    bool done = generate(cli, &outs, error);
    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++)
        file_free(outs.of[i].file);
    return done ? 0 : -1;
}
