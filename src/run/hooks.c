#include "run/hooks.h"

#include "base/retry.h"
#include "base/thread.h"

/* One hook's thread. `stop` and `ending` are the owner's; the rest is the thread's own. */
struct line {
    const struct hooks *hooks;
    uint32_t hook;
    struct thread *thread;
    struct arena *mem;
};

struct hooks {
    const struct run_config *config;
    struct arena *mem;
    struct plan_hooks plan;
    int64_t run;
    const char *name; /* of the run */
    struct line lines[SPEC_HOOKS_MOST];
    atomic_bool stop;   /* at once */
    atomic_bool ending; /* as soon as nothing waits */
    atomic_uint at_work;
};

#define LOOK_US     (INT64_C(50) * 1000)
#define END_US      (INT64_C(10) * 1000 * 1000)
#define WAIT_US     (INT64_C(500) * 1000)
#define WAIT_MOST   (INT64_C(60) * 1000 * 1000)
#define FOR_EVER_US (INT64_C(1) << 60)

/* --- one delivery ------------------------------------------------------------------------------------------------- */

static int64_t backoff_ms(const struct world *world, uint32_t tries)
{
    struct retry retry;
    int64_t wait_us = 0;
    g_autoptr(GError) transient = NULL;
    error_set(&transient, SLUICE_ERROR_UNREACHABLE, "again");
    retry_init(&retry, world, FOR_EVER_US);
    retry.attempts = tries;
    retry.base_us = WAIT_US;
    retry.cap_us = WAIT_MOST;
    retry_again(&retry, world, transient, &wait_us);
    return wait_us / 1000;
}

/* What the ledger and `sluice hooks` say of a try. */
static char *words_of(const GError *failed, const char *said)
{
    bool printed = said && *said;
    if (!failed)
        return printed ? g_strdup(said) : NULL;
    return g_strdup_printf("%s%s%s", failed->message, printed ? ": " : "", printed ? said : "");
}

static void record(struct line *line, struct catalog *catalog, const struct delivery *delivery, const GError *failed,
                   const char *said)
{
    const struct hooks *hooks = line->hooks;
    const struct spec_hook *hook = &hooks->plan.hooks[line->hook];
    const struct world *world = hooks->config->world;
    bool again = failed && delivery->tries + 1 < hook->tries;
    g_autofree char *words = words_of(failed, said);
    struct delivery_try tried = {.run = hooks->run,
                                 .delivery = delivery,
                                 .state = again    ? DELIVERY_WAITING
                                          : failed ? DELIVERY_FAILED
                                                   : DELIVERY_DELIVERED,
                                 .next_ms = again ? world_wall_ms(world) + backoff_ms(world, delivery->tries) : 0,
                                 .said = words,
                                 .act = hooks->config->act};
    tried.act.reason = NULL;
    /* A catalog that cannot be written now leaves it waiting: it is delivered once more, with the same key. */
    if (!catalog_delivery_tried(catalog, &tried, NULL))
        world_sleep_us(world, WAIT_US, &hooks->stop);
}

static void deliver(struct line *line, struct catalog *catalog, const struct delivery *delivery)
{
    const struct hooks *hooks = line->hooks;
    const struct world *world = hooks->config->world;
    g_autofree char *said = NULL;
    g_autoptr(GError) failed = NULL;
    struct hook_try try = {.world = world,
                           .hook = &hooks->plan.hooks[line->hook],
                           .base_dir = hooks->plan.base_dir,
                           .run = hooks->name,
                           .delivery = delivery,
                           .cancel = &hooks->stop};
    world_point(world, "hook.send");
    bool done = hooks_perform(&try, &said, &failed);
    world_point(world, "hook.sent");
    if (!done && error_is(failed, SLUICE_ERROR_CANCELLED))
        return; /* no try of its own: it was we who gave up */
    record(line, catalog, delivery, failed, said);
    world_point(world, "hook.recorded");
}

/* --- a line of them ----------------------------------------------------------------------------------------------- */

/* A catalog that cannot be read now is asked again. */
static void line_step(struct line *line, struct catalog *catalog, bool *ret_empty)
{
    const struct hooks *hooks = line->hooks;
    const struct world *world = hooks->config->world;
    struct delivery next;
    arena_reset(line->mem);
    bool read = catalog_delivery_next(catalog, hooks->run, line->hook, line->mem, &next, NULL);
    *ret_empty = read && next.id == 0;
    if (!read || next.id == 0 || next.next_ms > world_wall_ms(world))
        world_sleep_us(world, LOOK_US, &hooks->stop);
    else
        deliver(line, catalog, &next);
}

static void line_main(void *data)
{
    struct line *line = data;
    struct hooks *hooks = (struct hooks *)line->hooks;
    const struct run_config *config = hooks->config;
    auto_(catalog) catalog = NULL;
    bool empty = false;
    while (!catalog && !atomic_load(&hooks->stop))
        if (!catalog_open(&catalog, config->world, config->home, CATALOG_EXISTING, NULL))
            world_sleep_us(config->world, LOOK_US, &hooks->stop);
    while (catalog && !atomic_load(&hooks->stop)) {
        bool ending = atomic_load(&hooks->ending); /* asked before: what was journalled by then is seen */
        line_step(line, catalog, &empty);
        if (ending && empty)
            break;
    }
    atomic_fetch_sub(&hooks->at_work, 1);
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static void hooks_free(struct hooks *hooks)
{
    for (size_t i = 0; i < hooks->plan.n; i++) {
        thread_join(hooks->lines[i].thread);
        arena_free(hooks->lines[i].mem);
    }
    arena_free(hooks->mem);
    g_free(hooks);
}

static bool line_begin(struct hooks *hooks, uint32_t hook, GError **error)
{
    struct line *line = &hooks->lines[hook];
    *line = (struct line){.hooks = hooks, .hook = hook, .mem = arena_new(16 << 20)};
    atomic_fetch_add(&hooks->at_work, 1);
    if (thread_start(&line->thread, "hook", line_main, line, error))
        return true;
    atomic_fetch_sub(&hooks->at_work, 1);
    return false;
}

bool hooks_begin(struct hooks **ret, const struct run_config *config, struct catalog *catalog,
                 const struct run_row *run, GError **error)
{
    struct hooks *hooks = g_new0(struct hooks, 1);
    hooks->config = config;
    hooks->mem = arena_new(64 << 20);
    hooks->run = run->id;
    hooks->name = arena_text(hooks->mem, slice_of_text(run->name));
    bool ok = plan_hooks_read(catalog, run, hooks->mem, &hooks->plan, error);
    hooks->plan.n = ok ? MIN(hooks->plan.n, SPEC_HOOKS_MOST) : 0;
    for (uint32_t i = 0; ok && i < hooks->plan.n; i++)
        ok = line_begin(hooks, i, error);
    if (ok && hooks->plan.n > 0) {
        *ret = hooks;
        return true;
    }
    world_cancel(hooks->config->world, &hooks->stop);
    hooks_free(hooks);
    *ret = NULL;
    return ok;
}

static bool stopped_at_once(const struct hooks *hooks)
{
    return hooks->config->signals && atomic_load(hooks->config->signals) > 1;
}

void hooks_end(struct hooks *hooks)
{
    if (!hooks)
        return;
    const struct world *world = hooks->config->world;
    int64_t until_us = world_monotonic_us(world) + END_US;
    atomic_store(&hooks->ending, true);
    while (atomic_load(&hooks->at_work) > 0 && world_monotonic_us(world) < until_us && !stopped_at_once(hooks))
        world_sleep_us(world, LOOK_US, NULL);
    world_cancel(hooks->config->world, &hooks->stop);
    hooks_free(hooks);
}

/* --- what must be heard ------------------------------------------------------------------------------------------- */

void hooks_state_done(struct hooks_state *state)
{
    g_clear_pointer(&state->failed, g_free);
    g_clear_pointer(&state->hook, g_free);
}

static void say_failed(const struct hooks *hooks, const struct delivery *delivery, struct hooks_state *ret)
{
    g_autofree char *name = hooks_name(&hooks->plan.hooks[delivery->hook]);
    ret->hook = g_strdup_printf("hook %u (%s)", delivery->hook + 1, name);
    ret->failed = g_strdup_printf("%s must hear of %s, and has failed %u times: %s", ret->hook, delivery->event,
                                  delivery->tries, delivery->said ? delivery->said : "it said nothing");
}

static bool first_failed(const struct hooks *hooks, struct catalog *catalog, struct hooks_state *ret, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct delivery *deliveries;
    size_t n;
    if (!catalog_deliveries(catalog, hooks->run, mem, &deliveries, &n, error))
        return false;
    for (size_t i = 0; i < n && !ret->failed; i++)
        if (deliveries[i].must && deliveries[i].state == DELIVERY_FAILED && deliveries[i].hook < hooks->plan.n)
            say_failed(hooks, &deliveries[i], ret);
    return true;
}

bool hooks_look(const struct hooks *hooks, struct catalog *catalog, struct hooks_state *ret, GError **error)
{
    struct delivery_counts counts;
    *ret = (struct hooks_state){.clear = true};
    if (!hooks)
        return true;
    if (!catalog_delivery_counts(catalog, hooks->run, &counts, error))
        return false;
    ret->clear = counts.must_waiting == 0 && counts.must_failed == 0;
    return counts.must_failed == 0 || first_failed(hooks, catalog, ret, error);
}
