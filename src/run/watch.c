#include "run/watch.h"

#include "base/file.h"
#include "base/thread.h"
#include "run/tell.h"

/* How late it is noticed at most that what is waited for has come. */
#define WATCH_US (INT64_C(4) * 1000)
#define FIRST_US (WATCH_US / 16) /* each pause is twice the one before, up to that: what ends at once ends soon */
#define ASK_US   (INT64_C(25) * 1000)
#define SHOW_US  (INT64_C(500) * 1000)
#define TIDY_US  (INT64_C(1000) * 1000)

bool watch_is_signalled(const struct run_config *config)
{
    return config->signals && atomic_load(config->signals) > 0;
}

static void look_at_signals(struct watch *watch)
{
    if (watch_is_signalled(watch->config)) {
        watch->interrupted = true;
        atomic_store(watch->stop, true);
    }
}

static bool ends(const struct watch *watch, enum wish_kind kind)
{
    return kind == WISH_PAUSE || kind == WISH_ABORT || kind == WISH_ROLLBACK || (kind == WISH_DENY && watch->at_gate);
}

/* What a run that is on its way back is too late for: whoever asked is told so. */
static bool is_late(const struct watch *watch, enum wish_kind kind)
{
    return watch->back && (kind == WISH_ABORT || kind == WISH_ROLLBACK);
}

/* What moves the pace from now on, and who says so. */
static void tell_set(struct watch *watch, const struct wish *wish)
{
    struct run_row known = {.id = watch->run};
    const char *reason = wish->act.reason;
    g_autofree char *text = g_strdup_printf("%s has set %s%s%s", wish->act.actor, wish->value ? wish->value : "a limit",
                                            reason ? ": " : "", reason ? reason : "");
    run_tell_note(watch->config, watch->catalog, &known, text);
}

/* A wish that cannot be read now is asked for again at the next look. Whoever is at work stops, or has the new limits,
 * before it is written down that it was heard: that has to wait for what workers write. */
static void look_at_wishes(struct watch *watch)
{
    struct wish wish = {0};
    if (watch->wish.id != 0 || !catalog_wish_next(watch->catalog, watch->run, watch->mem, &wish, NULL) || wish.id == 0)
        return;
    if (is_late(watch, wish.kind)) {
        catalog_wish_end(watch->catalog, wish.id, NULL);
        return;
    }
    watch->owes = ends(watch, wish.kind);
    if (watch->owes)
        atomic_store(watch->stop, true);
    if (wish.kind == WISH_SET && watch->limits)
        limits_take_settings(watch->limits, watch->catalog, watch->run, watch->mem, NULL);
    if (!catalog_wish_taken(watch->catalog, wish.id, NULL))
        return;
    if (wish.kind == WISH_SET)
        tell_set(watch, &wish);
    watch->owes = false;
    if (ends(watch, wish.kind)) /* else there is nothing to do for one that already runs */
        watch->wish = wish;
}

/* Left open for whoever holds that run, who acts upon it; what asks for nothing now is heard here. */
static void look_beside(struct watch *watch)
{
    struct wish wish = {0};
    if (!watch->beside || !catalog_wish_next(watch->catalog, watch->beside, watch->mem, &wish, NULL) || wish.id == 0)
        return;
    if (wish.kind == WISH_ROLLBACK) /* it has written nothing */
        catalog_wish_end(watch->catalog, wish.id, NULL);
    else if (wish.kind != WISH_PAUSE && wish.kind != WISH_ABORT)
        catalog_wish_taken(watch->catalog, wish.id, NULL);
    else {
        watch->interrupted = true;
        atomic_store(watch->stop, true);
    }
}

static bool is_due(const struct watch *watch, int64_t *last_us, int64_t every_us)
{
    if (*last_us && watch->now_us - *last_us < every_us)
        return false;
    *last_us = watch->now_us;
    return true;
}

double watch_rate_per_s(struct watch *watch, uint64_t done)
{
    double seconds = (double)(watch->now_us - watch->shown_us) / 1e6;
    bool first = watch->shown_us == 0 || seconds <= 0 || done < watch->shown_done;
    double now = first ? 0 : (double)(done - watch->shown_done) / seconds;
    watch->rate_per_s = first || watch->rate_per_s <= 0 ? now : 0.7 * watch->rate_per_s + 0.3 * now;
    watch->shown_us = watch->now_us;
    watch->shown_done = done;
    return watch->rate_per_s;
}

/* A home that somebody has removed: what is written to its open files reaches nobody, and no other command can be
 * heard. It stops as by a signal; what it then writes down says that there is no catalog any more. */
static void look_at_home(struct watch *watch)
{
    g_autofree char *catalog = g_build_filename(watch->config->home, "catalog.db", NULL);
    if (!file_exists(watch->config->world, catalog)) {
        watch->interrupted = true;
        atomic_store(watch->stop, true);
    }
}

/* Whoever is told of a change. */
struct hearer {
    const struct run_config *config;
    const struct run_row *run;
};

static void tell_change(void *self, const struct paces_change *change)
{
    const struct hearer *hearer = self;
    struct run_event event = {.kind = RUN_EVENT_PACE, .run = hearer->run, .text = change->text, .pace = &change->pace};
    run_tell(hearer->config, &event);
}

void watch_tell_pace(struct watch *watch, const char *json)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct run_row row = {.id = watch->run};
    struct hearer hearer = {.config = watch->config, .run = &row};
    if (!watch->config->event || !catalog_run_reload(watch->catalog, mem, &row, NULL))
        return;
    if (!watch->paces && !watch->govern)
        watch->paces = paces_new();
    paces_look(watch->govern ? govern_told(watch->govern) : watch->paces, json, tell_change, &hearer);
}

/* Nobody reads it but to look: what is not written now is the next time. */
static void note_pace(struct watch *watch)
{
    g_autofree char *json = govern_json(watch->govern);
    if (json)
        catalog_pace_put(watch->catalog, watch->run, json, NULL);
    watch_tell_pace(watch, json);
}

static void look_at_guards(struct watch *watch)
{
    struct guarding *guarding = watch->guarding;
    if (!guarding)
        return;
    guarding->stop = watch->guarded ? watch->stop : NULL;
    guarding_look_paced(guarding, watch->catalog, watch->rate_per_s, watch->now_us);
    watch->held |= watch->guarded && guarding_holds(guarding);
    guarding->stop = NULL;
    if (watch->held)
        atomic_store(watch->stop, true);
}

static void look(struct watch *watch)
{
    look_at_signals(watch);
    look_at_guards(watch);
    if (watch->catalog && is_due(watch, &watch->asked_us, ASK_US)) {
        look_at_wishes(watch);
        look_beside(watch);
    }
    if (watch->catalog && watch->govern && is_due(watch, &watch->paced_us, SHOW_US))
        note_pace(watch);
    if (watch->look && watch->now_us - watch->shown_us >= SHOW_US)
        watch->look(watch->self, watch);
    if (!is_due(watch, &watch->tidied_us, TIDY_US))
        return;
    arena_give_back();
    if (!watch->catalog)
        return;
    look_at_home(watch);
    catalog_tidy(watch->catalog, NULL); /* so that no worker has to, in the middle of a batch */
}

/* What stopped the work may have ended it before it was seen here (the crew's listener), or written down: a wish that
 * cannot be stays open, and whoever goes on hears it. */
static void see_why(struct watch *watch)
{
    look_at_signals(watch);
    if (watch->owes)
        look_at_wishes(watch);
    watch->interrupted |= watch->owes;
}

void watch_until_ended(struct watch *watch)
{
    const struct world *world = watch->config->world;
    int64_t pause_us = FIRST_US;
    watch->tidied_us = world_monotonic_us(world);
    while (!watch->ended(watch->self)) {
        watch->now_us = world_monotonic_us(world);
        look(watch);
        world_sleep_us(world, pause_us, watch->until);
        pause_us = MIN(2 * pause_us, WATCH_US);
    }
    if (atomic_load(watch->stop))
        see_why(watch);
    g_clear_pointer(&watch->paces, paces_free);
}

/* --- work on a thread of its own
 * -------------------------------------------------------------------------------------- */

struct task {
    struct watch *watch;
    bool (*work)(void *self, GError **error);
    void *self;
    atomic_bool ended;
    bool ok;
    GError *error;
};

static void task_main(void *data)
{
    struct task *task = data;
    task->ok = task->work(task->self, &task->error);
    world_cancel(task->watch->config->world, &task->ended);
}

static bool task_ended(void *data)
{
    struct task *task = data;
    return atomic_load(&task->ended);
}

static void task_look(void *data, struct watch *watch)
{
    struct task *task = data;
    task->watch->look(task->self, watch);
}

bool watch_work(struct watch *watch, bool (*work)(void *self, GError **error), GError **error)
{
    auto_(thread) thread = NULL;
    struct task task = {.watch = watch, .work = work, .self = watch->self};
    struct watch over = *watch;
    over.ended = task_ended;
    over.until = &task.ended;
    over.look = watch->look ? task_look : NULL;
    over.self = &task;
    if (!thread_start(&thread, "work", task_main, &task, error))
        return false;
    watch_until_ended(&over);
    g_clear_pointer(&thread, thread_join);
    watch->interrupted = over.interrupted;
    watch->wish = over.wish;
    if (task.error)
        g_propagate_error(error, task.error);
    return task.ok;
}
