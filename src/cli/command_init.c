/* init: a starter spec with what it names, and the JSON Schemas. */
#include "base/file.h"
#include "base/nearest.h"
#include "cli/cli.h"
#include "cli/templates.h"
#include "contract/contract.h"
#include "transform/fixture.h"

#define STARTER_FILES 4

/* What puts made-up records where the spec looks for them. */
static const char *const MADE_ARCHIVE[] = {"mkdir -p archive",
                                           "sluice gen customers --records 20000 --out archive/customers.ndjson", NULL};
static const char *const MADE_LIVE[] = {
    "mkdir -p archive", "sluice gen customers --records 20000 --out archive/customers.ndjson",
    "sluice init --template rehydrate --quiet", "sluice run rehydrate.yaml --yes", NULL};
/* Two days do not come through, and what they had comes to light afterwards. */
static const char *const MADE_GAP[] = {"mkdir -p archive",
                                       "sluice gen customers --records 20000 --out all.ndjson",
                                       "grep -av '2026-06-0[12]T' all.ndjson > archive/customers.ndjson",
                                       "sluice init --template rehydrate --quiet",
                                       "sluice run rehydrate.yaml --yes",
                                       "mv all.ndjson archive/customers.ndjson",
                                       NULL};
static const char *const MADE_EVENTS[] = {"mkdir -p archive",
                                          "sluice gen events --records 20000 --out archive/events.ndjson", NULL};

/* Its files stand in templates/, the spec first. */
struct starter {
    const char *name, *words;
    const char *files[STARTER_FILES];
    const char *const *made_up;
};

static const struct starter STARTERS[] = {
    {"repair",
     "mend the records of a live dataset",
     {"repair.yaml", "repair.lua", "repair.tests.ndjson", "customer.contract.yaml"},
     MADE_LIVE},
    {"recompute",
     "derive records anew from an archive of events",
     {"recompute.yaml", "recompute.lua", "recompute.tests.ndjson", "fee.contract.yaml"},
     MADE_EVENTS},
    {"migrate",
     "from one dataset to another, into another shape",
     {"migrate.yaml", "migrate.lua", "migrate.tests.ndjson", "customer-flat.contract.yaml"},
     MADE_LIVE},
    {"rehydrate",
     "fill a lost dataset from an archive",
     {"rehydrate.yaml", "rehydrate.lua", "rehydrate.tests.ndjson", "archive.contract.yaml"},
     MADE_ARCHIVE},
    {"gap",
     "put back what a stretch of time has lost",
     {"gap.yaml", "gap.lua", "gap.tests.ndjson", "gap.contract.yaml"},
     MADE_GAP},
};

const char *starter_name(size_t i)
{
    return i < G_N_ELEMENTS(STARTERS) ? STARTERS[i].name : NULL;
}

static bool find_starter(const char *name, const struct starter **ret, GError **error)
{
    const char *names[G_N_ELEMENTS(STARTERS)];
    g_autoptr(GString) all = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(STARTERS); i++) {
        names[i] = STARTERS[i].name;
        g_string_append_printf(all, "%s%s (%s)", i ? ", " : "", names[i], STARTERS[i].words);
        if (strcmp(names[i], name) == 0) {
            *ret = &STARTERS[i];
            return true;
        }
    }
    const char *near = nearest_word(name, names, G_N_ELEMENTS(names));
    if (near)
        return error_set(error, SLUICE_ERROR_USAGE, "--template: there is no '%s'; did you mean '%s'?", name, near);
    return error_set(error, SLUICE_ERROR_USAGE, "--template: there is no '%s'; there is %s", name, all->str);
}

/* --- writing
 * ----------------------------------------------------------------------------------------------------------- */

/* Nothing is written where one of them is there. */
static bool check_free(const struct world *world, const char *dir, const struct starter *starter, GError **error)
{
    for (size_t i = 0; i < STARTER_FILES; i++) {
        g_autofree char *path = g_build_filename(dir, starter->files[i], NULL);
        if (file_exists(world, path))
            return error_set(error, SLUICE_ERROR_REFUSED,
                             "%s is there already, and init replaces nothing: name another folder, or move it away",
                             path);
    }
    return true;
}

static bool write_file(const struct world *world, const char *path, const char *text, GError **error)
{
    struct file *file;
    if (!file_open(&file, world, path, FILE_CREATE, error))
        return false;
    bool ok = file_append(file, slice_of_text(text), NULL, error) && file_sync_durable(file, error);
    if (!ok) {
        file_free(file);
        file_unlink(world, path, NULL);
        return false;
    }
    return file_close(file, error);
}

static bool write_starter(const struct world *world, const char *dir, const struct starter *starter, GError **error)
{
    if (!check_free(world, dir, starter, error) || !file_make_dirs(world, dir, error))
        return false;
    for (size_t i = 0; i < STARTER_FILES; i++) {
        g_autofree char *path = g_build_filename(dir, starter->files[i], NULL);
        if (!write_file(world, path, templates_text(starter->files[i]), error))
            return false;
    }
    return true;
}

/* --- what to do next
 * ---------------------------------------------------------------------------------------------------- */

static void add_command(json_t *list, const char *format, const char *spec)
{
    g_auto(GStrv) parts = g_strsplit(format, "SPEC", 2);
    g_autofree char *command = g_strjoinv(spec, parts);
    json_array_append_new(list, json_string(command));
}

static json_t *commands_of(const char *const *lines, const char *spec)
{
    json_t *list = json_array();
    for (size_t i = 0; lines[i]; i++)
        add_command(list, lines[i], spec);
    return list;
}

static json_t *made_up_commands(const struct starter *starter)
{
    return commands_of(starter->made_up, "");
}

static json_t *next_commands(const struct starter *starter)
{
    static const char *const LINES[] = {"sluice test SPEC", "sluice doctor SPEC", "sluice try SPEC --sample 20",
                                        "sluice plan SPEC", "sluice run SPEC",    NULL};
    return commands_of(LINES, starter->files[0]);
}

static void put_commands(struct cli *cli, const char *head, json_t *commands)
{
    fprintf(cli->out, "\n%s\n", head);
    for (size_t i = 0; i < json_array_size(commands); i++)
        fprintf(cli->out, "    %s\n", json_string_value(json_array_get(commands, i)));
    json_decref(commands);
}

static void print_text(struct cli *cli, const char *dir, const struct starter *starter)
{
    bool here = strcmp(dir, ".") == 0;
    for (size_t i = 0; i < STARTER_FILES; i++)
        fprintf(cli->out, "wrote %s%s%s\n", here ? "" : dir, here ? "" : "/", starter->files[i]);
    if (!here)
        fprintf(cli->out, "\nthe commands below are for that folder:\n    cd %s\n", dir);
    put_commands(cli, "on made-up records first:", made_up_commands(starter));
    g_autofree char *head = g_strdup_printf("then, and on your own records once %s names them:", starter->files[0]);
    put_commands(cli, head, next_commands(starter));
    fprintf(cli->out, "\n`sluice explain KEY` says what a key of the spec or the contract means.\n");
}

static void print_starter(struct cli *cli, const char *dir, const struct starter *starter)
{
    json_t *files = json_array();
    for (size_t i = 0; i < STARTER_FILES; i++)
        json_array_append_new(files, json_string(starter->files[i]));
    print_json(cli, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "type", "init", "template", starter->name, "dir",
                              shape_text(dir), "files", files, "made_up", made_up_commands(starter), "next",
                              next_commands(starter)));
}

/* --- the schemas
 * ------------------------------------------------------------------------------------------------------- */

static void print_schemas(struct cli *cli)
{
    g_autofree char *spec = spec_schema_json(), *contract = contract_schema_json(), *fixture = fixture_schema_json();
    json_t *schemas = json_pack("{s:s, s:o, s:o, s:o}", "type", "schemas", "spec", json_loads(spec, 0, NULL),
                                "contract", json_loads(contract, 0, NULL), "fixture", json_loads(fixture, 0, NULL));
    if (cli_has(cli, OPTION_JSON)) {
        print_json(cli, schemas);
        return;
    }
    json_dumpf(schemas, cli->out, JSON_INDENT(2));
    fputc('\n', cli->out);
    json_decref(schemas);
}

int command_init(struct cli *cli, GError **error)
{
    const char *dir = cli->n_args ? cli->args[0] : ".";
    const char *name = cli_has(cli, OPTION_TEMPLATE) ? cli->values[OPTION_TEMPLATE] : "repair";
    const struct starter *starter = &STARTERS[0];
    if (cli_has(cli, OPTION_SCHEMA) && (cli->n_args || cli_has(cli, OPTION_TEMPLATE))) {
        error_set(error, SLUICE_ERROR_USAGE, "--schema only prints; it takes neither a folder nor a template");
        return -1;
    }
    if (cli_has(cli, OPTION_SCHEMA)) {
        print_schemas(cli);
        return 0;
    }
    if (!find_starter(name, &starter, error) || !write_starter(cli->world, dir, starter, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_starter(cli, dir, starter);
    else if (!cli_has(cli, OPTION_QUIET))
        print_text(cli, dir, starter);
    return 0;
}
