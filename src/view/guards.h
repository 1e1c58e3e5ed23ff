/* What `status`, `list` and `watch` tell of a run's guards and of why it does not move. */
#pragma once

#include <jansson.h>

#include "run/run.h"
#include "run/watchdog.h"

struct guards_view {
    struct watchdog dog;
    json_t *signals; /* as guard/guards.h has them; empty where what is known is of the past */
};

/* One look, with what else was found of the run. What is borrowed lives in `mem`. */
struct guards_wish {
    const struct run_row *run;
    bool held;
    const char *limited_by;
};
bool guards_view_look(const struct world *world, struct catalog *catalog, const struct guards_wish *wish,
                      struct arena *mem, struct guards_view *ret, GError **error);
void guards_view_done(struct guards_view *view);

/* One of `signals` for people: its reading against its limit, and what is wrong; its name is apart. The caller frees.
 */
char *guards_view_text(const json_t *signal);
const char *guards_view_name(const json_t *signal);
/* Whether it slows the run, or worse. */
bool guards_view_is_off(const json_t *signal);

/* `watchdog` and `signals`, and who limits the rate. */
void guards_view_shape(json_t *status, const struct guards_view *view);
