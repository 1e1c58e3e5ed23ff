/* What the hooks of a run were told, and what not yet. */
#pragma once

#include "run/hooks.h"

struct told {
    struct run_row run;
    struct plan_hooks plan;
    struct delivery *rows;
    size_t n;
};
/* Of told->run, which the caller sets; the rest lives in `mem`. */
bool told_read(struct catalog *catalog, struct arena *mem, struct told *io, GError **error);
/* What a hook is called; the caller frees. */
char *told_name(const struct told *told, uint32_t hook);
/* The document of `hooks --json`. */
json_t *told_json(const struct told *told);
