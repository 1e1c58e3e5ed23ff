/* prune: what runs have left and whose time is over. */
#include "base/units.h"
#include "cli/cli.h"
#include "run/prune.h"

static json_t *item_json(const struct prune_item *item)
{
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "run", item->run, "what", expiry_word(item->what), "expired_at",
                     item->due_ms ? shape_time(item->due_ms) : json_null(), "files", (json_int_t)item->files, "bytes",
                     (json_int_t)item->bytes, "kept", shape_text(item->kept));
}

static void give_json(struct cli *cli, const struct prune_result *result)
{
    json_t *items = json_array();
    for (size_t i = 0; i < result->n; i++)
        json_array_append_new(items, item_json(&result->items[i]));
    print_json(cli,
               json_pack("{s:s, s:b, s:o, s:o}", "type", "prune", "dry_run", cli_has(cli, OPTION_DRY_RUN), "expired",
                         items, "next_at", result->next_ms ? shape_time(result->next_ms) : json_null()));
}

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
        give_json(cli, &result);
    else if (done && !cli_has(cli, OPTION_QUIET))
        give_text(cli, &result);
    prune_result_done(&result);
    return done ? 0 : -1;
}
