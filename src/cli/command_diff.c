/* diff: what lies between two runs. */
#include "cli/cli.h"
#include "view/diff.h"

#define EXAMPLES_MOST 10u

int command_diff(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct diff_wish wish = {.a = cli->args[0], .b = cli->args[1]};
    json_t *diff;
    if (!cli_number(cli, OPTION_LIMIT, EXAMPLES_MOST, &wish.examples, error) ||
        !catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error))
        return -1;
    struct look_from from = {.world = cli->world, .home = cli->home, .catalog = catalog};
    if (!diff_json(&from, &wish, &diff, error))
        return -1;
    if (cli_has(cli, OPTION_JSON)) {
        print_json(cli, diff);
        return 0;
    }
    print_diff(cli->out, diff);
    json_decref(diff);
    return 0;
}
