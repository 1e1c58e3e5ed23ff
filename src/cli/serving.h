/* A server beside a command: `serve`, and `run --serve`. */
#pragma once

#include "cli/cli.h"

struct server;
struct serving {
    struct server *server;
    char **environment;
};
/* As the options of the command say; `listen` NULL: this machine, port 8080. serving_end() in any case. */
bool serving_begin(struct cli *cli, const char *listen, struct serving *ret, GError **error);
/* Where it answers. */
void serving_tell(struct cli *cli, const struct serving *serving);
void serving_end(struct serving *serving);
