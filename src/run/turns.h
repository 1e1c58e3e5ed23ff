/* Whose turn it is: of the runs of one home that are at work on the same servers, those of the highest priority. The
 * others wait, as for any guard. docs/guards.md is the user's page. Internal to run/. */
#pragma once

#include "run/run.h"

struct turns_wish {
    const struct run_config *config;
    struct catalog *catalog;
    int64_t run;
    const char *target; /* as in struct run_row */
    uint32_t priority;
};
/* *ret: which run goes before this one, in words; NULL: none does. The caller frees. A run counts while a process that
 * lives has it and it writes, verifies or is taken back; one that waits or is paused does not. */
bool turns_look(const struct turns_wish *wish, struct arena *mem, char **ret, GError **error);
