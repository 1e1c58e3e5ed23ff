/* demo: the story of templates/demo.story, told by commands that are run as somebody would type them.
 *
 * Blocks are parted by blank lines; those of a here-document belong to it. `# …` is said, `#? N` is the exit status
 * that is expected, `#@ app` marks what is not for here (tests/demo/demo.sh, which has an application beside it, reads
 * the same file), `#@ alone` what is for here only. */
#include "base/file.h"
#include "base/process.h"
#include "cli/cli.h"
#include "cli/templates.h"

#define STORY      "demo.story"
#define OUTPUT_MAX (1u << 20)
#define BLOCK_US   (INT64_C(600) * 1000 * 1000)
enum { RECORDS_LEAST = 20000, RECORDS_DEFAULT = 100000, RECORDS_MOST = 10000000 };

struct demo {
    struct cli *cli;
    const char *dir;
    char **envp;
    uint64_t records;
};

struct block {
    GString *said, *command;
    int wanted;
    bool elsewhere;
};

static void block_init(struct block *block)
{
    *block = (struct block){.said = g_string_new(NULL), .command = g_string_new(NULL)};
}

static void block_done(struct block *block)
{
    g_string_free(block->said, TRUE);
    g_string_free(block->command, TRUE);
}

/* The numbers of the story, which follow from how many records there are. */
static char *filled_in(const char *text, uint64_t records)
{
    const struct {
        const char *word;
        uint64_t number;
    } WORDS[] = {{"@COUNT@", records}, {"@RATE@", records / 5}, {"@PART@", records / 40}, {"@STEP@", records / 200}};
    g_autoptr(GString) filled = g_string_new(text);
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++) {
        g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, WORDS[i].number);
        g_string_replace(filled, WORDS[i].word, number, 0);
    }
    return g_string_free(g_steal_pointer(&filled), FALSE);
}

static void block_take(struct block *block, const char *line)
{
    if (g_str_has_prefix(line, "#? "))
        block->wanted = (int)g_ascii_strtoll(line + 3, NULL, 10);
    else if (g_str_has_prefix(line, "#@ "))
        block->elsewhere = strcmp(line, "#@ app") == 0;
    else if (g_str_has_prefix(line, "# "))
        g_string_append_printf(block->said, "%s%s", block->said->len ? "\n# " : "", line + 2);
    else
        g_string_append_printf(block->command, "%s%s", block->command->len ? "\n" : "", line);
}

/* --- telling it --------------------------------------------------------------------------------------------------- */

static void on_output(void *self, const char *text, size_t len)
{
    struct demo *demo = self;
    fwrite(text, 1, len, demo->cli->out);
    fflush(demo->cli->out);
}

static void show(const struct demo *demo, const struct block *block)
{
    if (block->said->len)
        fprintf(demo->cli->out, "\n# %s\n", block->said->str);
    if (block->command->len)
        fprintf(demo->cli->out, "$ %s\n", block->command->str);
    fflush(demo->cli->out);
}

static void show_json(const struct demo *demo, const struct block *block, const struct process_end *end)
{
    g_autofree char *printed = g_utf8_make_valid(end->output ? end->output : "", (gssize)end->output_len);
    print_json(demo->cli, json_pack("{s:s, s:s, s:s, s:i, s:s}", "type", "step", "says", block->said->str, "command",
                                    block->command->str, "exit", end->status, "printed", printed));
}

static bool tell(const struct demo *demo, const struct block *block, GError **error)
{
    bool json = cli_has(demo->cli, OPTION_JSON);
    const char *argv[] = {"/bin/sh", "-c", block->command->str, NULL};
    struct process_call call = {.argv = argv,
                                .envp = (const char *const *)demo->envp,
                                .dir = demo->dir,
                                .timeout_us = BLOCK_US,
                                .signals = demo->cli->signals,
                                .keep_bytes = OUTPUT_MAX,
                                .heard = json ? NULL : on_output,
                                .heard_self = (void *)demo};
    struct process_end end = {0};
    if (!json)
        show(demo, block);
    bool ended = !block->command->len || process_run(demo->cli->world, &call, &end, error);
    g_autofree char *output = end.output;
    if (!ended)
        return error_add(error, "%s: the demo ends here; what it made is left", demo->dir);
    if (json)
        show_json(demo, block, &end);
    return end.status == block->wanted ||
           error_set(error, SLUICE_ERROR_INTERNAL,
                     "%s: `%s` ended with %d where the story has %d; what it made is left", demo->dir,
                     block->command->str, end.status, block->wanted);
}

static bool tell_and_reset(const struct demo *demo, struct block *io, GError **error)
{
    bool told = io->elsewhere || (!io->said->len && !io->command->len) || tell(demo, io, error);
    block_done(io);
    block_init(io);
    return told;
}

static bool tell_all(const struct demo *demo, GError **error)
{
    g_autofree char *story = filled_in(templates_text(STORY), demo->records);
    g_auto(GStrv) lines = g_strsplit(story, "\n", -1);
    struct block block;
    bool inside = false, told = true;
    block_init(&block);
    for (char **line = lines; told && *line; line++) {
        inside = (inside || g_str_has_suffix(*line, "<<'END'")) && strcmp(*line, "END") != 0;
        if (**line || inside)
            block_take(&block, *line);
        else
            told = tell_and_reset(demo, &block, error);
    }
    told = told && tell_and_reset(demo, &block, error);
    block_done(&block);
    return told;
}

/* --- where -------------------------------------------------------------------------------------------------------- */

/* `sluice` is this very program there, and no variable of ours changes what it does. */
static bool surround(struct demo *demo, GError **error)
{
    g_autofree char *self = process_self(error);
    if (!self)
        return false;
    g_autofree char *folder = g_path_get_dirname(self);
    demo->envp = process_environment();
    g_autofree char *path = g_strdup_printf("%s:%s", folder, g_environ_getenv(demo->envp, "PATH"));
    demo->envp = g_environ_setenv(demo->envp, "PATH", path, TRUE);
    return true;
}

static bool make_folder(const struct demo *demo, GError **error)
{
    if (file_exists(demo->cli->world, demo->dir))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s is there already, and the demo replaces nothing: name another folder, or remove it",
                         demo->dir);
    return file_make_dirs(demo->cli->world, demo->dir, error);
}

static bool records_asked(struct cli *cli, uint64_t *ret, GError **error)
{
    *ret = RECORDS_DEFAULT;
    if (cli_has(cli, OPTION_RECORDS) && !cli_number(cli, OPTION_RECORDS, RECORDS_DEFAULT, ret, error))
        return false;
    return (*ret >= RECORDS_LEAST && *ret <= RECORDS_MOST) ||
           error_set(error, SLUICE_ERROR_USAGE, "--records: from %d to %d were expected", RECORDS_LEAST, RECORDS_MOST);
}

int command_demo(struct cli *cli, GError **error)
{
    struct demo demo = {.cli = cli, .dir = cli->n_args ? cli->args[0] : "sluice-demo"};
    bool told = records_asked(cli, &demo.records, error) && make_folder(&demo, error) && surround(&demo, error) &&
                tell_all(&demo, error);
    g_strfreev(demo.envp);
    if (!told)
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:i}", "type", "end", "dir", demo.dir, "exit", 0));
    else
        fprintf(
            cli->out,
            "\n# Done. All of it stands in %s: `cd %s; sluice list`, `sluice audit log`; then `sluice init`, `sluice "
            "help`.\n",
            demo.dir, demo.dir);
    return 0;
}
