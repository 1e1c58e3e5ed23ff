/* verify --follow: round and round, at a low rate, until somebody ends it. Internal to cli/. */
#pragma once

#include "cli/cli.h"

#define FOLLOW_PER_S    1000.0 /* keys looked at, where --rate does not say */
#define FOLLOW_EVERY_MS 60000  /* from the end of a round to the next, where --every does not say */

/* One verification of what the first argument names. */
bool cli_verify_once(struct cli *cli, const struct run_config *config, struct verify_result *ret, GError **error);

/* Tells each round, and what becomes of spec, contract and transform between them. A round that cannot be carried out
 * ends it only if it is the first. The status: 0 or 4 as the last round went, 3 where none has come to its end. */
int follow(struct cli *cli, const struct run_config *config, GError **error);
