/* Delivering what hooks are to be told: journalled by the catalog with each act, delivered here by whoever holds the
 * run.
 *
 * A thread a hook, so that one that hangs delays no other; each in the order of the acts. A delivery that fails is
 * tried again with growing pauses (base/retry.h), as often as the spec says, counted across deaths. One that was
 * performed and not recorded when the process died is performed once more, with the same key. docs/hooks.md is the
 * user's page.
 *
 * Kill points: hook.send, before it is performed; hook.sent, performed and not recorded; hook.recorded. */
#pragma once

#include "plan/plan.h"
#include "run/run.h"

struct hooks;

/* Reads the frozen hooks of the run. *ret NULL: it has none. `config` outlives it. */
bool hooks_begin(struct hooks **ret, const struct run_config *config, struct catalog *catalog,
                 const struct run_row *run, GError **error);
/* Gives what still waits a bounded time, then stops: what is left waits for the next process. NULL is fine. */
void hooks_end(struct hooks *hooks);

/* Whether nothing that `must` be heard is left, or all tries of one have failed: *ret_failed is then what to say of it.
 * Cheap. Without hooks: true. */
struct hooks_state {
    bool clear;
    char *failed; /* NULL, or in words … */
    char *hook;   /* … and the hook, as `hook 2 (./tell.sh)` */
};
void hooks_state_done(struct hooks_state *state);
bool hooks_look(const struct hooks *hooks, struct catalog *catalog, struct hooks_state *ret, GError **error);

/* Of a hook: `./notify.sh`, `https://…` without what may be a secret, `mail to …`. The caller frees. */
char *hooks_name(const struct spec_hook *hook);
/* The program that mails go through: `sendmail` of PATH, or where it always was. The caller frees. */
char *hooks_sendmail(void);

/* One try, now. False: the words say why; CANCELLED where `cancel` became true. */
struct hook_try {
    const struct world *world;
    const struct spec_hook *hook;
    const char *base_dir, *run;
    const struct delivery *delivery;
    const atomic_bool *cancel;
};
bool hooks_perform(const struct hook_try *try, char **ret_said, GError **error);
