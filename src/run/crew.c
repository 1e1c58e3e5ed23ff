#include "run/crew.h"

#include "base/thread.h"
#include "run/readable.h"
#include "run/tell.h"
#include "run/watch.h"
#include "run/worker.h"

/* One worker's thread, which has its error for itself until it has ended. */
struct hand {
    struct hands *all;
    struct thread *thread;
    GError *error;
};

/* What they share with the watcher. */
struct hands {
    struct crew *crew;
    struct hand *hands;
    atomic_uint at_work;
    atomic_bool stop, ended, over; /* over: the watcher has seen that all of them have ended */
    struct arena *mem;
};

static void hand_ended(struct hands *all)
{
    if (atomic_fetch_sub(&all->at_work, 1) == 1)
        world_cancel(all->crew->shared->world, &all->ended);
}

static void hand_steps(struct hand *hand, struct exec *exec, struct worker *worker)
{
    struct op op;
    for (;;) {
        if (atomic_load(&hand->all->stop))
            worker_stop(worker);
        exec_begin(exec);
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
    struct crew *crew = hand->all->crew;
    struct exec_shared *shared = crew->shared;
    auto_(exec) exec = NULL;
    if (exec_new(&exec, shared, &hand->error)) {
        auto_(worker) worker = worker_new(shared->job, crew->stage);
        hand_steps(hand, exec, worker);
        if (worker_error(worker))
            hand->error = g_error_copy(worker_error(worker));
    }
    if (hand->error)
        atomic_store(&hand->all->stop, true);
    hand_ended(hand->all);
}

/* --- limits ------------------------------------------------------------------------------------------------------- */

char *crew_limit_passed(struct exec_shared *shared, const struct tally *tally, const char **ret_key)
{
    struct limits_seen seen = {
        .tally = tally, .calls = atomic_load(&shared->calls), .failed = atomic_load(&shared->failed)};
    return shared->job->kind == JOB_FORWARD ? limits_passed(&shared->limits, &seen, ret_key) : NULL;
}

/* A share of few records says nothing yet; at the end of the stage it is looked at whatever their number. */
#define LIMIT_RECORDS 1000u

static void look_at_limits(struct crew *crew, struct watch *watch, const struct tally *tally)
{
    if (crew->lift_limits || crew->limit || tally_sum(tally, OUTCOME_KIND_LISTED) < LIMIT_RECORDS)
        return;
    crew->limit = crew_limit_passed(crew->shared, tally, &crew->limit_key);
    if (crew->limit)
        atomic_store(watch->stop, true);
}

/* --- who has the data -------------------------------------------------------------------------------------------- */

#define TOPOLOGY_US      (INT64_C(2000) * 1000)
#define TOPOLOGY_WAIT_US (INT64_C(1000) * 1000)

/* What is taken back goes wherever the data is now. */
static bool heeds_topology(enum job_kind kind)
{
    return kind == JOB_FORWARD || kind == JOB_PROMOTE;
}

/* Whether other servers have the target's data than when the run was planned, and that is to halt it. A store that does
 * not answer now has not moved for all that is known; its workers will say so. */
static bool topology_moved(struct crew *crew, GError **error)
{
    const struct plan *plan = crew->shared->job->plan;
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct store_info now = {0};
    struct call call = {
        .ds = &plan->target_ds, .mem = mem, .deadline_us = world_monotonic_us(crew->shared->world) + TOPOLOGY_WAIT_US};
    if (!plan->target_topology || !heeds_topology(crew->shared->job->kind) ||
        !limits_topology_halts(&crew->shared->limits) || !store_session_open(&session, plan->target, NULL) ||
        !store_inspect(session, &call, &now, NULL) || g_strcmp0(now.topology, plan->target_topology) == 0)
        return false;
    error_set(
        error, SLUICE_ERROR_HALTED,
        "other servers have the data of %s than when the run was planned, and the spec says `protect: { topology: "
        "halt }`; `sluice set %s " LIMITS_TOPOLOGY
        "=follow`, then `sluice resume %s --reason …` goes on with the new ones",
        plan->target_name, crew->shared->job->run_name, crew->shared->job->run_name);
    return true;
}

static void look_at_topology(struct crew *crew, struct watch *watch)
{
    if (watch->now_us - crew->topology_us < TOPOLOGY_US || crew->moved)
        return;
    crew->topology_us = watch->now_us;
    if (topology_moved(crew, &crew->moved))
        atomic_store(watch->stop, true);
}

/* --- hours -------------------------------------------------------------------------------------------------------- */

static void look_at_hours(struct crew *crew, struct watch *watch)
{
    int64_t now_ms = world_wall_ms(crew->shared->world);
    crew->closed |= crew->closes_ms && (now_ms < crew->opens_ms || now_ms >= crew->closes_ms);
    if (crew->closed)
        atomic_store(watch->stop, true);
}

/* --- its source's time -------------------------------------------------------------------------------------------- */

bool crew_source_passed(struct exec_shared *shared)
{
    int64_t until_ms = limits_source_until_ms(&shared->limits);
    return until_ms && world_wall_ms(shared->world) >= until_ms;
}

/* What is read from now on may be a part of what there was. */
static void look_at_source(struct crew *crew, struct watch *watch)
{
    crew->unreadable |= crew->shared->job->kind == JOB_FORWARD && crew_source_passed(crew->shared);
    if (crew->unreadable)
        atomic_store(watch->stop, true);
}

/* --- guards ------------------------------------------------------------------------------------------------------- */

/* What a server owes an answer to may take its time to come home: the run is paused from now on. */
static void look_at_guards(struct crew *crew, struct watch *watch, const struct run_row *row)
{
    if (crew->guarding && guarding_holds(crew->guarding))
        guarding_pause(crew->guarding, watch->catalog, row, NULL); /* else whoever ended the crew does it */
}

/* --- budget ------------------------------------------------------------------------------------------------------- */

static const unsigned TOLD_PER_CENT[] = {50, 80};

/* `io->run` and `io->act` are ours. False: the catalog could not be asked. */
static bool tell_once(struct crew *crew, const struct run_row *run, struct catalog_telling *io, const char *text)
{
    bool is_new = false;
    io->run = run->id;
    io->act = crew->config->act;
    io->act.reason = NULL;
    bool told = catalog_tell_once(crew->catalog, io, &is_new, NULL);
    if (is_new)
        run_tell_note(crew->config, crew->catalog, run, text);
    return told;
}

static void tell_share(struct crew *crew, const struct budget_share *share, unsigned per_cent)
{
    const struct job *job = crew->shared->job;
    struct run_row row = {.id = job->run, .name = job->run_name, .state = RUN_RUNNING};
    g_autofree char *what = g_strdup_printf("%s %u%% of %" G_GUINT64_FORMAT, share->key, per_cent, share->limit);
    g_autofree char *details = g_strdup_printf("{\"key\":\"%s\",\"per_cent\":%u,\"used\":%" G_GUINT64_FORMAT
                                               ",\"limit\":%" G_GUINT64_FORMAT "}",
                                               share->key, per_cent, share->used, share->limit);
    g_autofree char *text =
        g_strdup_printf("%u %% of its budget is spent: %s (%s)", per_cent, share->words, share->key);
    struct catalog_telling telling = {
        .what = what, .action = "budget-warning", .details = details, .events = SPEC_EVENT(BUDGET_WARNED)};
    tell_once(crew, &row, &telling, text);
}

/* A bit a share and key, so that the catalog is asked once a crew; a budget that is changed meanwhile is told of by the
 * next. */
void crew_tell_budget(struct crew *crew)
{
    struct exec_shared *shared = crew->shared;
    struct spec_budget limit = limits_budget(&shared->limits);
    struct spec_budget used = budget_used(&shared->budget, world_monotonic_us(shared->world));
    struct budget_share shares[BUDGET_KEYS];
    size_t n = budget_shares(&limit, &used, shares);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < G_N_ELEMENTS(TOLD_PER_CENT); k++) {
            unsigned bit = 1u << (i * G_N_ELEMENTS(TOLD_PER_CENT) + k);
            bool reached = (double)shares[i].used >= (double)shares[i].limit * TOLD_PER_CENT[k] / 100;
            if (reached && !(crew->told & bit))
                tell_share(crew, &shares[i], TOLD_PER_CENT[k]);
            crew->told |= reached ? bit : 0;
        }
    budget_shares_done(shares, n);
}

void crew_tell_slo(struct crew *crew, const struct run_row *run)
{
    struct exec_shared *shared = crew->shared;
    struct money_within complete = limits_complete(&shared->limits);
    struct money_rates rates = {0};
    struct outlay outlook = outlay_of(run, &rates, &complete, world_wall_ms(shared->world));
    if (!outlook.late || crew->told_late)
        return;
    g_autofree char *words = outlay_words(&outlook, &complete);
    g_autofree char *text = g_strdup_printf("its deadline: %s (slo.complete)", words);
    g_autofree char *what = money_within_text(&complete, "within");
    g_autofree char *details = g_strdup_printf("{\"due_ms\":%" G_GINT64_FORMAT ",\"there_ms\":%" G_GINT64_FORMAT "}",
                                               outlook.due_ms, outlook.there_ms);
    struct catalog_telling telling = {
        .what = what, .action = "slo-warning", .details = details, .events = SPEC_EVENT(SLO_LATE)};
    crew->told_late = tell_once(crew, run, &telling, text);
}

void crew_tell_source(struct crew *crew, const struct run_row *run)
{
    struct exec_shared *shared = crew->shared;
    struct readable readable = readable_of(run, limits_source_until_ms(&shared->limits), world_wall_ms(shared->world));
    if (!readable.late || crew->told_source)
        return;
    g_autofree char *words = readable_words(&readable);
    g_autofree char *text = g_strdup_printf("its source %s (" LIMITS_UNTIL ")", words);
    g_autofree char *what = g_strdup_printf(LIMITS_UNTIL " %" G_GINT64_FORMAT, readable.until_ms);
    g_autofree char *details = g_strdup_printf("{\"until_ms\":%" G_GINT64_FORMAT ",\"there_ms\":%" G_GINT64_FORMAT "}",
                                               readable.until_ms, readable.there_ms);
    struct catalog_telling telling = {
        .what = what, .action = "source-warning", .details = details, .events = SPEC_EVENT(SOURCE_LATE)};
    crew->told_source = tell_once(crew, run, &telling, text);
}

/* --- who lags ----------------------------------------------------------------------------------------------------- */

#define LAGS_US (INT64_C(5) * 1000 * 1000)

static const struct lag *lag_before(const struct crew *crew, uint32_t part)
{
    for (guint i = 0; crew->lags && i < crew->lags->len; i++)
        if (g_array_index(crew->lags, struct lag, i).part == part)
            return &g_array_index(crew->lags, struct lag, i);
    return NULL;
}

static void tell_lag(struct crew *crew, const struct lag *lag)
{
    struct run_row row = {.id = crew->shared->job->run, .name = crew->shared->job->run_name, .state = RUN_RUNNING};
    g_autofree char *text = g_strdup_printf("partition %u lags behind the others: %s", lag->part, lag->words);
    run_tell_note(crew->config, crew->catalog, &row, text);
}

/* Whether there is something to say that was not said: who lags, or why. Those who did since when. */
static bool lags_are_news(struct crew *crew, GArray *lags)
{
    bool news = lags->len != (crew->lags ? crew->lags->len : 0);
    for (guint i = 0; i < lags->len; i++) {
        struct lag *lag = &g_array_index(lags, struct lag, i);
        const struct lag *before = lag_before(crew, lag->part);
        lag->since_ms = before ? before->since_ms : world_wall_ms(crew->shared->world);
        news |= !before || before->cause != lag->cause;
        if (!before)
            tell_lag(crew, lag);
    }
    return news;
}

static uint64_t per_ks(double per_s)
{
    return (uint64_t)(per_s * 1000);
}

/* What cannot be written now is tried again at the next look. */
static bool put_lags(struct crew *crew, const GArray *lags)
{
    g_autofree struct straggler *rows = g_new0(struct straggler, lags->len + 1);
    for (guint i = 0; i < lags->len; i++) {
        const struct lag *lag = &g_array_index(lags, struct lag, i);
        rows[i] = (struct straggler){.part = lag->part,
                                     .since_ms = lag->since_ms,
                                     .still_ms = lag->still_ms,
                                     .left = lag->left,
                                     .per_ks = per_ks(lag->per_s),
                                     .others_per_ks = per_ks(lag->others_per_s),
                                     .cause = lag_cause_word(lag->cause),
                                     .words = lag->words};
    }
    return catalog_stragglers_put(crew->catalog, crew->shared->job->run, rows, lags->len, NULL);
}

/* A run in which nobody lags writes nothing. */
static void look_at_lags(struct crew *crew, int64_t now_us)
{
    GArray *lags = lookout_lags(&crew->shared->lookout, now_us);
    bool news = lags_are_news(crew, lags), due = lags->len > 0 && now_us - crew->lags_us >= LAGS_US;
    if (!(news || due) || !put_lags(crew, lags)) {
        g_array_unref(lags);
        return;
    }
    g_clear_pointer(&crew->lags, g_array_unref);
    crew->lags = lags;
    crew->lags_us = now_us;
}

/* Nobody is at work, or will be: also what a process said that died. */
static void forget_lags(struct crew *crew)
{
    struct straggler *said;
    size_t n = 0;
    auto_(arena) mem = arena_new(1 << 20);
    g_clear_pointer(&crew->lags, g_array_unref);
    if (crew->catalog && catalog_stragglers(crew->catalog, crew->shared->job->run, mem, &said, &n, NULL) && n > 0)
        catalog_stragglers_put(crew->catalog, crew->shared->job->run, NULL, 0, NULL);
}

/* --- the thread that watches
 * ------------------------------------------------------------------------------------------ */

static bool all_ended(void *self)
{
    struct hands *hands = self;
    if (atomic_load(&hands->stop))
        sharing_wake(&hands->crew->shared->sharing);
    return atomic_load(&hands->ended);
}

/* The first lane may take long: on a cluster every slot is taken over for it. */
static const char *doing(struct exec_shared *shared)
{
    static const char *const WORDS[] = {[JOB_FORWARD] = "writing",
                                        [JOB_BACK] = "rolling back",
                                        [JOB_PROMOTE] = "promoting",
                                        [JOB_SETTLE] = "settling what is unknown"};
    bool opens =
        atomic_load(&shared->times[OP_GRANT].calls) > 0 && atomic_load(&shared->times[OP_LANE_OPEN].calls) == 0;
    return opens ? "opening lanes" : WORDS[shared->job->kind];
}

static void look(void *self, struct watch *watch)
{
    struct hands *hands = self;
    struct crew *crew = hands->crew;
    enum job_kind kind = crew->shared->job->kind;
    struct run_row row = {.id = watch->run};
    arena_reset(hands->mem);
    if (!catalog_run_reload(watch->catalog, hands->mem, &row, NULL))
        return;
    look_at_guards(crew, watch, &row);
    look_at_limits(crew, watch, &row.tally);
    look_at_topology(crew, watch);
    look_at_hours(crew, watch);
    look_at_source(crew, watch);
    look_at_lags(crew, watch->now_us);
    if (kind == JOB_FORWARD) {
        crew_tell_budget(crew);
        crew_tell_slo(crew, &row);
        crew_tell_source(crew, &row);
    }
    static const enum outcome_kind KINDS[] = {[JOB_FORWARD] = OUTCOME_KIND_LISTED,
                                              [JOB_BACK] = OUTCOME_KIND_BACK,
                                              [JOB_PROMOTE] = OUTCOME_KIND_PROMOTED,
                                              [JOB_SETTLE] = OUTCOME_KIND_LISTED};
    uint64_t done = tally_sum(&row.tally, KINDS[kind]);
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = &row,
                              .done = done,
                              .of = kind == JOB_FORWARD ? row.tally.of[OUTCOME_LISTED_] : crew->of,
                              .records_per_s = watch_rate_per_s(watch, done),
                              .text = doing(crew->shared)};
    run_tell(crew->config, &event);
}

static void hands_begin(struct hands *hands)
{
    atomic_store(&hands->at_work, hands->crew->workers);
    for (uint32_t i = 0; i < hands->crew->workers; i++) {
        struct hand *hand = &hands->hands[i];
        hand->all = hands;
        if (thread_start(&hand->thread, "worker", hand_main, hand, &hand->error))
            continue;
        atomic_store(&hands->stop, true);
        hand_ended(hands);
    }
}

static GError *hands_end(struct hands *hands)
{
    GError *first = NULL;
    for (uint32_t i = 0; i < hands->crew->workers; i++) {
        thread_join(hands->hands[i].thread);
        error_keep_first(&first, g_steal_pointer(&hands->hands[i].error));
    }
    return first;
}

#define LISTEN_US 4000

/* The watcher may be waiting for what workers write into the catalog, or for its disk, when a signal comes. */
static void hear_signals(void *data)
{
    struct hands *hands = data;
    while (!atomic_load(&hands->over)) {
        if (watch_is_signalled(hands->crew->config))
            atomic_store(&hands->stop, true);
        world_sleep_us(hands->crew->shared->world, LISTEN_US, &hands->over);
    }
}

/* Works while it watches; returns the first worker's error. */
static GError *work(struct crew *crew, struct watch *watch)
{
    struct hands hands = {.crew = crew, .mem = arena_new(1 << 20), .hands = g_new0(struct hand, crew->workers)};
    *watch = (struct watch){.config = crew->config,
                            .catalog = crew->catalog,
                            .mem = crew->mem,
                            .run = crew->shared->job->run,
                            .back = crew->shared->job->kind == JOB_BACK,
                            .beside = crew->config->superseding,
                            .stop = &hands.stop,
                            .guarding = crew->guarding,
                            .guarded = crew->guarding != NULL,
                            .limits = &crew->shared->limits,
                            .govern = crew->shared->govern,
                            .ended = all_ended,
                            .until = &hands.ended,
                            .look = crew->catalog ? look : NULL,
                            .self = &hands};
    crew->shared->stop = &hands.stop;
    hands_begin(&hands);
    struct thread *listener = NULL;
    bool listens = thread_start(&listener, "listener", hear_signals, &hands, NULL); /* else the watcher does, alone */
    watch_until_ended(watch);
    world_cancel(crew->shared->world, &hands.over);
    thread_join(listens ? listener : NULL);
    GError *failed = hands_end(&hands);
    crew->shared->stop = NULL;
    g_free(hands.hands);
    arena_free(hands.mem);
    return failed;
}

static bool same_limits(const struct spec_budget *a, const struct spec_budget *b)
{
    return a->records == b->records && a->bytes == b->bytes && a->time_ms == b->time_ms && a->cost == b->cost;
}

/* What stopped the workers still does: not where somebody has given it more since they began, and that is enough. */
static bool is_spent(struct crew *crew, const struct spec_budget *was)
{
    struct exec_shared *shared = crew->shared;
    struct spec_budget limit = limits_budget(&shared->limits);
    struct spec_budget used = budget_used(&shared->budget, world_monotonic_us(shared->world));
    struct budget_share shares[BUDGET_KEYS];
    if (!budget_is_spent(&shared->budget) || same_limits(&limit, was))
        return budget_is_spent(&shared->budget);
    size_t n = budget_shares(&limit, &used, shares);
    budget_step(&shared->budget, shares, n);
    bool reached = budget_reached(shares, n) != NULL;
    budget_shares_done(shares, n);
    return reached;
}

enum crew_end crew_run(struct crew *crew, GError **error)
{
    struct watch watch;
    struct spec_budget budget = limits_budget(&crew->shared->limits);
    if (topology_moved(crew, error))
        return CREW_FAILED;
    sharing_begin(&crew->shared->sharing, true);
    lookout_begin(&crew->shared->lookout);
    forget_lags(crew);
    GError *failed = work(crew, &watch);
    forget_lags(crew);
    error_keep_first(&failed, g_steal_pointer(&crew->moved));
    crew->wish = watch.wish;
    if (failed && !(watch.interrupted && error_is(failed, SLUICE_ERROR_CANCELLED))) {
        g_propagate_error(error, failed);
        return CREW_FAILED;
    }
    g_clear_error(&failed);
    if (crew->wish.id)
        return CREW_WISHED;
    if (crew->limit)
        return CREW_LIMITED;
    if (watch.interrupted)
        return CREW_INTERRUPTED;
    if (is_spent(crew, &budget))
        return CREW_SPENT;
    if (crew->unreadable && crew_source_passed(crew->shared))
        return CREW_UNREADABLE;
    if (watch.held || crew->unreadable || budget_is_spent(&crew->shared->budget))
        return CREW_GUARDED;
    return crew->closed ? CREW_CLOSED : CREW_WRITTEN;
}
