/* A verification at work: at the pace that its guards leave, held where one of them says so, shown to who watches. */
#include "run/check_state.h"
#include "run/tell.h"

#define SLOWED_MOST_US 5e6
#define HELD_US        20000

static bool verify(void *self, GError **error)
{
    struct checking *checking = self;
    return check_find_cause(checking->check, error) &&
           (!checking->at_gate || check_is_mended(checking->check, error)) &&
           verify_run(checking->input, checking->ret, error);
}

/* How long a thread takes for so many keys. */
static double us_for(const struct checking *checking, uint64_t compared, double per_s)
{
    return per_s > 0 ? (double)compared * 1e6 / per_s * MAX(checking->input->workers, 1u) : 0;
}

/* As much slower as the guards leave of its pace, and as whoever asked for it has said. */
static void slow_down(const struct checking *checking, uint64_t compared)
{
    double slowed_per_s = limits_slowed_per_s(&checking->hold->shared.limits);
    double us = MIN(us_for(checking, compared, slowed_per_s), SLOWED_MOST_US);
    if (!checking->at_gate)
        us = MAX(us, us_for(checking, compared, checking->config->verify_per_s));
    world_sleep_us(checking->config->world, (int64_t)us, &checking->stop);
}

/* By the verifier's threads; shown, and held, by the one that watches. */
static void on_progress(void *self, uint64_t compared, uint64_t of)
{
    struct checking *checking = self;
    atomic_store(&checking->of, of);
    uint64_t before = atomic_exchange(&checking->compared, compared);
    slow_down(checking, compared - MIN(before, compared));
    while (atomic_load(&checking->held) && !atomic_load(&checking->stop))
        world_sleep_us(checking->config->world, HELD_US, &checking->stop);
}

/* Work that stands still where it is goes on from there: what was compared is not compared again. One that is halted,
 * that nobody is to wait for, or that waits in vain, ends; so does one whose pause cannot be written down. */
static void hold_back(struct checking *checking)
{
    struct hold *hold = checking->hold;
    bool holds = guarding_holds(hold->guarding), held = atomic_load(&checking->held);
    bool ends = guarding_halts(hold->guarding) || (held && guarding_ends(hold->guarding));
    ends |= holds && hold->config->exit_on_pause && !hold->guarding->verdict.clears;
    if (holds && checking->at_gate)
        ends |= !guarding_pause_here(hold, NULL);
    if (held && guarding_may(hold->guarding)) {
        ends |= checking->at_gate && !hold_move(hold, RUN_VERIFYING, NULL, NULL, NULL);
        atomic_store(&checking->held, false);
    } else if (holds)
        atomic_store(&checking->held, true);
    if (ends)
        atomic_store(&checking->stop, true);
}

static void look_at_guards(struct checking *checking, struct watch *watch)
{
    struct hold *hold = checking->hold;
    if (!watch->catalog) /* nobody has looked yet */
        guarding_look_paced(hold->guarding, hold->catalog, watch->rate_per_s, watch->now_us);
    hold_back(checking);
}

static void show(void *self, struct watch *watch)
{
    struct checking *checking = self;
    look_at_guards(checking, watch);
    struct run_event event = {.kind = RUN_EVENT_PROGRESS,
                              .run = checking->run,
                              .done = atomic_load(&checking->compared),
                              .of = atomic_load(&checking->of),
                              .records_per_s = watch_rate_per_s(watch, atomic_load(&checking->compared)),
                              .text = atomic_load(&checking->held) ? "verifying, held by a guard" : "verifying"};
    run_tell(checking->config, &event);
}

bool checking_verify(struct checking *checking, struct verify_input *input, struct watch *watch, GError **error)
{
    checking->input = input;
    input->cancel = &checking->stop;
    input->progress = on_progress;
    input->progress_self = checking;
    watch->config = checking->config;
    watch->stop = &checking->stop;
    watch->look = show;
    watch->self = checking;
    return watch_work(watch, verify, error);
}

static bool may_begin(void *self)
{
    struct checking *checking = self;
    struct hold *hold = checking->hold;
    guarding_look(hold->guarding, hold->catalog, world_monotonic_us(hold->config->world));
    return atomic_load(&checking->stop) || guarding_is_over(hold->guarding);
}

bool checking_wait(struct checking *checking, GError **error)
{
    struct watch watch = {
        .config = checking->config, .stop = &checking->stop, .ended = may_begin, .look = show, .self = checking};
    watch_until_ended(&watch);
    atomic_store(&checking->held, false);
    if (watch.interrupted || (atomic_load(&checking->stop) && !guarding_ends(checking->hold->guarding)))
        return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted; nothing was compared");
    return guarding_lets(checking->hold->guarding, error);
}

void checking_say_end(struct hold *hold, GError **io_error)
{
    if (!error_is(*io_error, SLUICE_ERROR_CANCELLED) || !guarding_ends(hold->guarding))
        return;
    g_clear_error(io_error);
    guarding_lets(hold->guarding, io_error);
}
