/* hooks: what the hooks of a run were told. */
#include "base/units.h"
#include "cli/cli.h"
#include "view/told.h"

static void told_text(struct cli *cli, const struct told *told)
{
    static const char *const HEADS[] = {"AT", "EVENT", "HOOK", "STATE", "TRIES", "SAID"};
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    char text[UNITS_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(HEADS); i++)
        g_ptr_array_add(cells, g_strdup(HEADS[i]));
    for (size_t i = 0; i < told->n; i++) {
        const struct delivery *row = &told->rows[i];
        g_auto(GStrv) lines = g_strsplit(row->said ? row->said : "", "\n", 2);
        g_ptr_array_add(cells, g_strdup(units_time(row->at_ms, text)));
        g_ptr_array_add(cells, g_strdup(row->event));
        g_ptr_array_add(cells, told_name(told, row->hook));
        g_ptr_array_add(cells, g_strdup(delivery_state_word(row->state)));
        g_ptr_array_add(cells, g_strdup_printf("%u", row->tries));
        g_ptr_array_add(cells, g_strdup(lines[0] ? lines[0] : ""));
    }
    print_table(cli->out, (const char *const *)cells->pdata, G_N_ELEMENTS(HEADS), told->n + 1);
}

int command_hooks(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(64 << 20);
    struct told told;
    struct run_config config = cli_run_config(cli);
    if (cli_has(cli, OPTION_RETRY) && !run_hooks_retry(&config, cli->args[0], error))
        return -1;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !cli_find_run(cli, catalog, mem, &told.run, error) || !told_read(catalog, mem, &told, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, told_json(&told));
    else
        told_text(cli, &told);
    return 0;
}
