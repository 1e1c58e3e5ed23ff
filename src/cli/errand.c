/* A process that a server has started for somebody acts as them. */
#include "base/hex.h"
#include "catalog/access.h"
#include "cli/cli.h"
#include "serve/serve.h"

/* Of a command that has a verb of its own the run stands behind it. */
static bool is_mine(const struct cli *cli, const struct errand *errand)
{
    bool named = false;
    for (size_t i = 0; i < cli->n_args && i < 2; i++)
        named |= strcmp(errand->run, cli->args[i]) == 0;
    return named && strcmp(errand->command, cli->command->name) == 0;
}

bool cli_take_errand(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    uint8_t id[ERRAND_BYTES];
    struct errand errand;
    const char *said = g_getenv(SERVE_ERRAND);
    if (!said)
        return true;
    bool is_id = hex_parse(slice_of_text(said), id, sizeof id);
    g_unsetenv(SERVE_ERRAND); /* for nobody that is started from here */
    if (!is_id)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, SERVE_ERRAND ": it is a server that sets it");
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error) ||
        !catalog_errand_take(catalog, id, mem, &errand, error))
        return false;
    if (!is_mine(cli, &errand))
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, SERVE_ERRAND ": it is for `sluice %s %s`", errand.command,
                         errand.run);
    g_free(cli->actor);
    person_free(cli->person);
    cli->actor = g_strdup(errand.actor);
    cli->person = person_of(errand.user, errand.groups);
    return true;
}
