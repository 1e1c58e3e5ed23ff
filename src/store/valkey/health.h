/* How the servers feel: what a governor and `sluice doctor` look at. */
#pragma once

#include "store/valkey/route.h"

struct health_wish {
    struct router *router;
    const struct topology *topology;
    const struct world *world;
    uint32_t db; /* whose keys are counted */
};

/* Asks every primary (PING, INFO, SLOWLOG LEN, TIME) and appends a struct node_health for each; texts in call->mem.
 * What a server refuses to say stays -1. */
bool health_ask(const struct health_wish *wish, const struct call *call, GArray *into, GError **error);
