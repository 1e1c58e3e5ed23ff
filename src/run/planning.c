#include "run/planning.h"

#include "base/file.h"
#include "run/ending.h"
#include "run/guarding.h"
#include "run/hold.h"
#include "run/tell.h"
#include "run/watch.h"

#define LOOK_US (INT64_C(250) * 1000)

/* --- the flag that stops all -------------------------------------------------------------------------------------- */

/* A home that has no catalog yet has no flag. What cannot be read now is asked again. */
static bool can_look(struct planning_pace *pace)
{
    const struct run_config *config = pace->config;
    g_autofree char *path = g_build_filename(config->home, "catalog.db", NULL);
    return pace->catalog || (file_exists(config->world, path) &&
                             catalog_open(&pace->catalog, config->world, config->home, CATALOG_READ_ONLY, NULL));
}

static void look(struct planning_pace *pace)
{
    struct stop_flag flag;
    arena_reset(pace->mem);
    if (!can_look(pace) || !catalog_stop(pace->catalog, pace->mem, &flag, NULL))
        return;
    char *words = guarding_stop_words(&flag);
    const char *was = atomic_load(&pace->held);
    if (g_strcmp0(words, was) == 0) {
        g_free(words);
        return;
    }
    if (words)
        g_ptr_array_add(pace->said, words);
    atomic_store(&pace->held, words);
}

void planning_tell_held(struct planning_pace *pace)
{
    const char *held = atomic_load(&pace->held);
    if (held == pace->told)
        return;
    pace->told = held;
    g_autofree char *text =
        held ? ending_words("planning is held: %s", held) : g_strdup("nothing holds the planning any more");
    struct run_event event = {.kind = RUN_EVENT_NOTE, .text = text};
    run_tell(pace->config, &event);
}

static void look_and_tell(struct planning_pace *pace)
{
    look(pace);
    if (pace->alone)
        planning_tell_held(pace);
}

static bool is_ended(const struct planning_pace *pace)
{
    if (watch_is_signalled(pace->config))
        atomic_store(pace->stop, true);
    return atomic_load(pace->stop);
}

static void leave(struct planning_pace *pace)
{
    atomic_store(&pace->left, true);
    atomic_store(pace->stop, true);
}

void planning_heed(struct planning_pace *pace)
{
    const struct world *world = pace->config->world;
    int64_t now_us = world_monotonic_us(world);
    if (pace->looked_us && now_us - pace->looked_us < LOOK_US)
        return;
    for (look_and_tell(pace); atomic_load(&pace->held) && !is_ended(pace); look_and_tell(pace)) {
        if (pace->config->exit_on_pause)
            leave(pace);
        else
            world_sleep_us(world, LOOK_US, pace->stop);
    }
    pace->looked_us = world_monotonic_us(world);
}

void planning_say_left(struct planning_pace *pace, GError **io_error)
{
    if (!atomic_load(&pace->left))
        return;
    g_clear_error(io_error);
    error_set(io_error, SLUICE_ERROR_INTERRUPTED, "nothing was planned: %s; the same command begins then",
              atomic_load(&pace->held));
}

/* --- the pace ----------------------------------------------------------------------------------------------------- */

static bool begin(void *self, const struct plan *plan, GError **error)
{
    struct planning_pace *pace = self;
    const struct govern_self who = {
        .what = plan->spec->name, .home = pace->config->home, .learned = pace->config->learned};
    if (pace->may && !pace->may(plan, error))
        return false;
    planning_heed(pace);
    if (is_ended(pace))
        return error_set(error, SLUICE_ERROR_CANCELLED, "it was stopped");
    if (!spec_live_given(&plan->limits.live))
        return true;
    limits_reset(&pace->limits, &plan->limits);
    if (!govern_begin(&pace->govern, pace->config->world, plan, &pace->limits, &who, error))
        return false;
    atomic_store(&pace->measures, pace->govern != NULL);
    return true;
}

static void end(void *self)
{
    struct planning_pace *pace = self;
    g_clear_pointer(&pace->govern, govern_end);
}

void planning_pace_init(struct planning_pace *pace, const struct run_config *config)
{
    *pace = (struct planning_pace){.config = config,
                                   .around = {.begin = begin, .end = end, .self = pace},
                                   .mem = arena_new(1 << 20),
                                   .said = g_ptr_array_new_with_free_func(g_free)};
    limits_init(&pace->limits);
}

void planning_pace_done(struct planning_pace *pace)
{
    limits_done(&pace->limits);
    g_clear_pointer(&pace->catalog, catalog_free);
    arena_free(pace->mem);
    g_ptr_array_unref(pace->said);
}

static void on_planning(void *self, const char *what, uint64_t done, uint64_t of)
{
    planning_heed(self);
}

bool planning_make(struct plan **ret, const struct run_config *config, struct spec *spec,
                   bool (*may)(const struct plan *plan, GError **error), GError **error)
{
    struct planning_pace pace;
    atomic_bool stop = false;
    struct plan_config plan_config = hold_plan_config(config);
    planning_pace_init(&pace, config);
    pace.may = may;
    pace.alone = true;
    pace.stop = &stop;
    plan_config.around = &pace.around;
    plan_config.cancel = &stop;
    plan_config.progress = on_planning;
    plan_config.progress_self = &pace;
    bool made = plan_make(ret, &plan_config, spec, error);
    if (!made)
        planning_say_left(&pace, error);
    planning_pace_done(&pace);
    return made;
}
