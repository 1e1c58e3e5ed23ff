#include "pace/governor.h"

#include <math.h>
#include <string.h>

#define RECENT_US  4e6
#define MINUTE_US  60e6
#define FRESH_US   1e6
#define AIM        0.47 /* of what the promise allows: windows differ by chance … */
#define AIM_FALLS  0.15 /* … the more, the farther the p99 moves than the body does: by this power of it */
#define GROW_PER_S 0.35 /* at most, of the window's logarithm */
#define FIRST_PER_S                                                                                                    \
    1.2 /* … until it has met what it may, from the trickle to a hundred times that in four seconds, and             \
           below what is usual */
#define RISES_US     10e6 /* what is usual follows a window that is larger so soon, … */
#define FALLS_US     60e6 /* … and one that is smaller so late */
#define SHRINK_PER_S 1.5
#define FELT_FROM    5 /* times the least window: what is felt at less is the world */
#define GAIN_PER_S   0.5
#define SHARE_PER_S  2 /* of how far its window is from the mean: their baselines differ, and each pulls its own way */
#define HOLD_US      500000
#define CHANCE       1e-4  /* that so many samples above the promise are chance */
#define EASED        1e-2  /* … that so many of the newest are as quick */
#define EASED_FEWEST 60    /* … of that many */
#define ADOPTED      0.125 /* of a window that was learnt by other commands … */
#define ADOPTED_MOST 1     /* … and no more of it: one command in flight is one client more */
#define TAIL_FIRST   4
#define TAIL_MOST    40
#define TAIL_BODY    0.02 /* of what is allowed: from a body that has moved less than that less is learnt of the tail */

static const struct {
    const char *name, *words;
} CAUSES[] = {
#define ROW(code, name, words) [GOVERNOR_##code] = {name, words},
#include "pace/governor_rows.h"
#undef ROW
};

const char *governor_cause_name(enum governor_cause cause)
{
    return CAUSES[cause].name;
}

const char *governor_cause_words(enum governor_cause cause)
{
    return CAUSES[cause].words;
}

enum governor_cause governor_cause_of(const char *name)
{
    for (int i = 0; i < GOVERNOR_CAUSES; i++)
        if (strcmp(CAUSES[i].name, name) == 0)
            return (enum governor_cause)i;
    return GOVERNOR_MOST;
}

void governor_init(struct governor *governor, const struct governor_promise *promise, double least, double most,
                   int64_t now_us)
{
    *governor = (struct governor){.promise = *promise,
                                  .least = least,
                                  .most = most,
                                  .window = least,
                                  .felt_window = least,
                                  .usual = least,
                                  .tail = TAIL_FIRST,
                                  .ticked_us = now_us};
    baseline_init(&governor->base);
    baseline_begin(&governor->base, now_us);
}

void governor_lull_begin(struct governor *governor, int64_t now_us)
{
    baseline_begin(&governor->base, now_us);
}

void governor_lull_end(struct governor *governor, int64_t now_us)
{
    baseline_end(&governor->base, now_us);
    governor->ticked_us = now_us;
}

void governor_probe(struct governor *governor, int64_t due_us, int64_t now_us)
{
    struct histogram moment;
    double latency = (double)(now_us - due_us);
    if (governor->base.in_lull) {
        baseline_probe(&governor->base, due_us, now_us);
        return;
    }
    histogram_add(&governor->recent, latency);
    histogram_add(&governor->fresh, latency);
    if (moments_probe(&governor->moments, latency, &moment))
        histogram_merge(&governor->minute, &moment, 1);
}

bool governor_learned(const struct governor *governor, struct governor_learned *ret)
{
    *ret = (struct governor_learned){.base = governor->base, .window = governor->window, .tail = governor->tail};
    ret->base.in_lull = false;
    histogram_reset(&ret->base.now); /* of a lull that has not ended */
    return governor_has_baseline(governor);
}

void governor_adopt(struct governor *governor, const struct governor_learned *learned, int64_t now_us)
{
    governor->base = learned->base;
    governor->window = fmax(governor->least, fmin(ADOPTED_MOST, ADOPTED * learned->window));
    governor->felt_window = governor->usual = governor->window;
    governor->tail = fmax(TAIL_FIRST, learned->tail);
    governor->ticked_us = now_us;
}

bool governor_has_baseline(const struct governor *governor)
{
    return baseline_known(&governor->base);
}

double governor_baseline_p99_us(const struct governor *governor)
{
    return baseline_quantile(&governor->base, 0.99);
}

static double allowed_us(const struct governor *governor)
{
    const struct governor_promise *promise = &governor->promise;
    double base = governor_baseline_p99_us(governor), allowed = fmax(base * promise->share, promise->absolute_us);
    return promise->limit_us > 0 ? fmin(allowed, fmax(0, promise->limit_us - base)) : allowed;
}

double governor_limit_us(const struct governor *governor)
{
    return governor_baseline_p99_us(governor) + allowed_us(governor);
}

double governor_allowed_us(const struct governor *governor)
{
    return governor_has_baseline(governor) ? allowed_us(governor) : 0;
}

/* How far the body of a distribution lies above that of the baseline. Where part of it lies below (a processor that
 * sluice keeps awake answers sooner, while it makes others wait longer) that makes up for nothing: who waits for the
 * slowest hundredth has nothing of a median that falls. */
static double shift_us(const struct governor *governor, const struct histogram *now)
{
    static const double AT[] = {0.5, 0.6, 0.7, 0.8, 0.9, 0.95};
    double sum = 0;
    for (size_t i = 0; i < sizeof AT / sizeof *AT; i++)
        sum += fmax(0, histogram_quantile(now, AT[i]) - baseline_quantile(&governor->base, AT[i]));
    return sum / (double)(sizeof AT / sizeof *AT);
}

double governor_p99_us(const struct governor *governor)
{
    return governor_baseline_p99_us(governor) + governor->tail * fmax(0, shift_us(governor, &governor->recent));
}

/* Where the body has hardly moved the quotient is chance, and would make much of the next little that it moves. */
static void learn_tail(struct governor *governor)
{
    double body = shift_us(governor, &governor->minute);
    if (governor->idle || governor->minute.total < 1000 || body <= 0 || allowed_us(governor) <= 0)
        return;
    double tail = (histogram_quantile(&governor->minute, 0.99) - governor_baseline_p99_us(governor)) / body;
    double weight = fmin(1, pow(body / (TAIL_BODY * allowed_us(governor)), 2));
    governor->tail += 0.02 * weight * (fmin(TAIL_MOST, fmax(1, tail)) - governor->tail);
}

/* The chance of `k` or more of `n` where each has the chance `p`. */
static double binomial_tail(double n, double k, double p)
{
    double term = pow(1 - p, n), sum = 0;
    for (double i = 0; i < k; i++) {
        sum += term;
        term *= (n - i) / (i + 1) * p / (1 - p);
    }
    return fmax(0, 1 - sum);
}

static bool is_breach(const struct governor *governor)
{
    double above = floor(histogram_above(&governor->fresh, governor_limit_us(governor)));
    return above >= 3 && binomial_tail(ceil(governor->fresh.total), above, 0.01) < CHANCE;
}

/* The newest probes are quicker than those of the last seconds were: what weighed on the server then has gone. */
static bool has_eased(const struct governor *governor)
{
    static const double AT[] = {0.5, 0.8};
    const struct histogram *fresh = &governor->fresh, *recent = &governor->recent;
    bool few = fresh->total < EASED_FEWEST || recent->total < 2 * fresh->total, eased = false;
    for (size_t i = 0; !few && i < sizeof AT / sizeof *AT; i++) {
        double below = fresh->total - histogram_above(fresh, histogram_quantile(recent, AT[i]));
        eased |= binomial_tail(ceil(fresh->total), floor(below), AT[i]) < EASED;
    }
    return eased;
}

/* What was felt of what has gone tells nothing of the window as it is. */
static void forget_what_eased(struct governor *governor)
{
    if (!has_eased(governor))
        return;
    governor->recent = governor->fresh;
    governor->felt_window = governor->window;
}

/* As long as nothing was met, nothing is usual. */
static void learn_usual(struct governor *governor, double us)
{
    double after_us = governor->window > governor->usual ? RISES_US : FALLS_US;
    double part = governor->met ? 1 - exp(-us / after_us) : 1;
    governor->usual *= pow(governor->window / governor->usual, part);
}

static void fade(struct governor *governor, double us)
{
    if (governor->rests)
        return;
    governor->felt_window += (1 - exp(-us / RECENT_US)) * (governor->window - governor->felt_window);
    histogram_fade(&governor->recent, exp(-us / RECENT_US));
    histogram_fade(&governor->minute, exp(-us / MINUTE_US));
    histogram_fade(&governor->fresh, exp(-us / FRESH_US));
}

/* What the p99 would be above the baseline at the window as it is. What is felt is of the windows of the last seconds,
 * on average: one that has grown since is felt less than it will be, and would grow far beyond what it may. */
static double expected_us(const struct governor *governor)
{
    double felt = governor->tail * fmax(0.01, shift_us(governor, &governor->recent));
    return felt * governor->window / governor->felt_window;
}

static double move(struct governor *governor, double us)
{
    double allowed = allowed_us(governor), aim = AIM * pow(governor->tail, -AIM_FALLS);
    if (governor->others.allowed_us > 0)
        allowed = fmin(allowed, governor->others.allowed_us);
    double by = GAIN_PER_S * log(aim * allowed / expected_us(governor));
    bool beyond = governor->met && governor->window >= governor->usual;
    by = fmin(beyond ? GROW_PER_S : FIRST_PER_S, fmax(-SHRINK_PER_S, by));
    governor->met |= by <= 0 && governor->window > FELT_FROM * governor->least;
    governor->cause = by > 0.05 ? GOVERNOR_GROWING : by < -0.05 ? GOVERNOR_SHRINKING : GOVERNOR_STEADY;
    return governor->window * exp(by * us / 1e6);
}

void governor_share(struct governor *governor, const struct governor_others *others)
{
    governor->others = *others;
}

/* All of them do it at once, so that the sum stays what it is. */
static void share(struct governor *governor, double us)
{
    if (governor->others.mean_window > 0)
        governor->window += fmin(1, SHARE_PER_S * us / 1e6) * (governor->others.mean_window - governor->window);
}

void governor_unused(struct governor *governor)
{
    governor->unused = true;
}

void governor_idle(struct governor *governor, bool idle)
{
    governor->idle = idle;
}

void governor_rests(struct governor *governor, bool rests)
{
    governor->rests = rests;
}

static double tick(struct governor *governor, int64_t now_us)
{
    double us = (double)(now_us - governor->ticked_us);
    governor->ticked_us = now_us;
    if (governor->base.in_lull || !governor_has_baseline(governor)) {
        governor->cause = GOVERNOR_BASELINE;
        return 0;
    }
    learn_tail(governor);
    if (now_us >= governor->held_until_us) {
        if (is_breach(governor)) {
            governor->met |= governor->window > FELT_FROM * governor->least;
            governor->window /= 2;
            governor->held_until_us = now_us + HOLD_US;
            governor->cause = GOVERNOR_BREACH;
            histogram_reset(&governor->fresh);
        } else {
            double window = move(governor, us);
            governor->window = governor->idle ? governor->window : window;
        }
    }
    share(governor, us);
    forget_what_eased(governor);
    learn_usual(governor, us);
    fade(governor, us);
    if (governor->window > governor->most)
        governor->cause = GOVERNOR_MOST;
    governor->window = fmin(governor->most, fmax(governor->least, governor->window));
    return governor->window;
}

double governor_tick(struct governor *governor, int64_t now_us)
{
    double was = governor->window, window = tick(governor, now_us);
    if (governor->unused && governor->window > was)
        window = governor->window = was;
    governor->unused = false;
    return window;
}
