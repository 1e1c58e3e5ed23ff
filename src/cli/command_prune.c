/* prune: what runs have left and whose time is over. */
#include "base/units.h"
#include "cli/cli.h"
#include "run/prune.h"
#include "view/pruned.h"

static void item_text(struct cli *cli, const struct prune_item *item)
{
    char count[UNITS_TEXT], bytes[UNITS_TEXT];
    fprintf(cli->out, "%s  %s: %s file%s, %s  %s%s\n", item->run, expiry_word(item->what),
            units_count(item->files, count), item->files == 1 ? "" : "s", units_bytes(item->bytes, bytes),
            item->kept                     ? "kept: "
            : cli_has(cli, OPTION_DRY_RUN) ? "would be removed"
                                           : "removed",
            item->kept ? item->kept : "");
}

static void give_text(struct cli *cli, const struct prune_result *result)
{
    char next[UNITS_TEXT];
    for (size_t i = 0; i < result->n; i++)
        item_text(cli, &result->items[i]);
    if (result->n == 0)
        fprintf(cli->out, "%s: nothing has expired\n", cli->home);
    if (result->next_ms)
        fprintf(cli->out, "next: %s\n", units_time(result->next_ms, next));
}

int command_prune(struct cli *cli, GError **error)
{
    struct run_config config = cli_run_config(cli);
    struct prune_result result = {0};
    bool done = run_prune(&config, cli_has(cli, OPTION_DRY_RUN), &result, error);
    if (done && cli_has(cli, OPTION_JSON))
        print_json(cli, pruned_json(&result, cli_has(cli, OPTION_DRY_RUN)));
    else if (done && !cli_has(cli, OPTION_QUIET))
        give_text(cli, &result);
    prune_result_done(&result);
    return done ? 0 : -1;
}
