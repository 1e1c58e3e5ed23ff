#include "run/crew.h"

#include "base/thread.h"
#include "run/worker.h"

#define WATCH_US (INT64_C(50) * 1000)
#define SHOW_US  (INT64_C(500) * 1000)
#define TIDY_US  (INT64_C(1000) * 1000)

/* One worker's thread. `stop` and `ended` are shared with the watcher; the rest is the thread's own until it has ended. */
struct hand {
    struct crew *crew;
    struct thread *thread;
    atomic_bool *stop;
    atomic_bool ended;
    GError *error;
};

static void hand_steps(struct hand *hand, struct exec *exec, struct worker *worker)
{
    struct op op;
    for (;;) {
        if (atomic_load(hand->stop))
            worker_stop(worker);
        worker_next(worker, &op);
        if (op.kind == OP_END)
            return;
        exec_perform(exec, &op);
        worker_done(worker, &op);
    }
}

static void hand_main(void *data)
{
    struct hand *hand = data;
    struct exec_shared *shared = hand->crew->shared;
    auto_(exec) exec = NULL;
    if (exec_new(&exec, shared, &hand->error)) {
        auto_(worker) worker = worker_new(shared->job, hand->crew->stage);
        hand_steps(hand, exec, worker);
        if (worker_error(worker))
            hand->error = g_error_copy(worker_error(worker));
    }
    if (hand->error)
        atomic_store(hand->stop, true);
    atomic_store(&hand->ended, true);
}

/* --- watching --------------------------------------------------------------------------------------------------------- */

struct watch {
    struct crew *crew;
    struct hand *hands;
    atomic_bool stop;
    bool interrupted;
    int64_t shown_us;
    uint64_t shown_done;
    struct arena *mem;
};

static bool all_ended(const struct watch *watch)
{
    for (uint32_t i = 0; i < watch->crew->workers; i++)
        if (!atomic_load(&watch->hands[i].ended))
            return false;
    return true;
}

static void look_at_signals(struct watch *watch)
{
    if (watch->crew->config->signals && atomic_load(watch->crew->config->signals) > 0) {
        watch->interrupted = true;
        atomic_store(&watch->stop, true);
    }
}

/* A wish that cannot be read now is asked for again at the next look. */
static void look_at_wishes(struct watch *watch)
{
    struct crew *crew = watch->crew;
    if (crew->wish.id != 0)
        return;
    struct wish wish = {0};
    if (!catalog_wish_next(crew->catalog, crew->shared->job->run, crew->mem, &wish, NULL) || wish.id == 0)
        return;
    if (!catalog_wish_taken(crew->catalog, wish.id, NULL))
        return;
    if (wish.kind != WISH_PAUSE && wish.kind != WISH_ABORT && wish.kind != WISH_ROLLBACK)
        return; /* nothing to do for one that already runs */
    crew->wish = wish;
    atomic_store(&watch->stop, true);
}

static uint64_t accounted_for(const struct run_row *row, enum job_kind kind)
{
    return tally_sum(&row->tally, kind == JOB_BACK ? OUTCOME_KIND_BACK : OUTCOME_KIND_LISTED);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

char *crew_limit_passed(const struct job *job, const struct tally *tally)
{
    if (job->kind != JOB_FORWARD)
        return NULL;
    const struct {
        enum outcome outcome;
        double share;
        const char *key;
    } limits[] = {{OUTCOME_REJECTED, job->plan->spec->protect.rejects, "rejects"},
                  {OUTCOME_KEPT_LIVE, job->plan->spec->protect.kept_live, "kept_live"}};
    double done = (double)tally_sum(tally, OUTCOME_KIND_LISTED);
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        double share = done > 0 ? (double)tally->of[limits[i].outcome] / done : 0;
        if (share > limits[i].share)
            return g_strdup_printf("%.3g %% of the records so far are %s, more than protect.%s allows (%.3g %%)",
                                   share * 100, outcome_row(limits[i].outcome)->word, limits[i].key,
                                   limits[i].share * 100);
    }
    return NULL;
}

/* A share of few records says nothing yet; at the end of the stage it is looked at whatever their number. */
#define LIMIT_RECORDS 1000u

static void look_at_limits(struct watch *watch, const struct tally *tally)
{
    struct crew *crew = watch->crew;
    if (crew->lift_limits || crew->limit || tally_sum(tally, OUTCOME_KIND_LISTED) < LIMIT_RECORDS)
        return;
    crew->limit = crew_limit_passed(crew->shared->job, tally);
    if (crew->limit)
        atomic_store(&watch->stop, true);
}

static void show(struct watch *watch, int64_t now_us)
{
    struct crew *crew = watch->crew;
    if (now_us - watch->shown_us < SHOW_US)
        return;
    arena_reset(watch->mem);
    struct run_row row = {.id = crew->shared->job->run};
    if (!catalog_run_reload(crew->catalog, watch->mem, &row, NULL))
        return;
    look_at_limits(watch, &row.tally);
    if (!crew->config->event)
        return;
    uint64_t done = accounted_for(&row, crew->shared->job->kind);
    double seconds = (double)(now_us - watch->shown_us) / 1e6;
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = &row,
                              .done = done,
                              .of = crew->shared->job->kind == JOB_FORWARD ? row.tally.of[OUTCOME_LISTED_] : 0,
                              .records_per_s = watch->shown_us ? (double)(done - watch->shown_done) / seconds : 0,
                              .text = crew->shared->job->kind == JOB_BACK ? "rolling back" : "writing"};
    watch->shown_us = now_us;
    watch->shown_done = done;
    crew->config->event(crew->config->event_self, &event);
}

static void watch_all(struct watch *watch)
{
    const struct world *world = watch->crew->shared->world;
    int64_t asked_us = 0, tidied_us = world_monotonic_us(world);
    while (!all_ended(watch)) {
        int64_t now_us = world_monotonic_us(world);
        look_at_signals(watch);
        if (now_us - asked_us > 4 * WATCH_US) {
            asked_us = now_us;
            look_at_wishes(watch);
        }
        show(watch, now_us);
        if (now_us - tidied_us > TIDY_US) {
            tidied_us = now_us;
            catalog_tidy(watch->crew->catalog, NULL); /* so that no worker has to, in the middle of a batch */
        }
        world_sleep_us(world, WATCH_US, NULL);
    }
}

static void hands_begin(struct watch *watch)
{
    for (uint32_t i = 0; i < watch->crew->workers; i++) {
        struct hand *hand = &watch->hands[i];
        hand->crew = watch->crew;
        hand->stop = &watch->stop;
        if (thread_start(&hand->thread, "worker", hand_main, hand, &hand->error))
            continue;
        atomic_store(&hand->ended, true);
        atomic_store(&watch->stop, true);
    }
}

static GError *hands_end(struct watch *watch)
{
    GError *first = NULL;
    for (uint32_t i = 0; i < watch->crew->workers; i++) {
        thread_join(watch->hands[i].thread);
        error_keep_first(&first, g_steal_pointer(&watch->hands[i].error));
    }
    return first;
}

enum crew_end crew_run(struct crew *crew, GError **error)
{
    struct watch watch = {.crew = crew, .mem = arena_new(1 << 20)};
    watch.hands = g_new0(struct hand, crew->workers);
    crew->wish = (struct wish){0};
    hands_begin(&watch);
    watch_all(&watch);
    GError *failed = hands_end(&watch);
    g_free(watch.hands);
    arena_free(watch.mem);
    if (failed && !(watch.interrupted && error_is(failed, SLUICE_ERROR_CANCELLED))) {
        g_propagate_error(error, failed);
        return CREW_FAILED;
    }
    g_clear_error(&failed);
    if (crew->wish.id)
        return CREW_WISHED;
    if (crew->limit)
        return CREW_LIMITED;
    return watch.interrupted ? CREW_INTERRUPTED : CREW_WRITTEN;
}
