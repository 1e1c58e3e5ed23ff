#include "pace/sim.h"

#include <math.h>

static void no_reply(void *self, int64_t now)
{
    (void)self, (void)now;
}

static void no_sent(void *self, int64_t now, unsigned commands)
{
    (void)self, (void)now, (void)commands;
}

static void no_probe(void *self, int64_t due, int64_t now)
{
    (void)self, (void)due, (void)now;
}

static void no_lull(void *self, bool begins, int64_t now)
{
    (void)self, (void)begins, (void)now;
}

/* --- none -------------------------------------------------------------------------------------------------------- */

static void none_begin(void *self, const struct sim_world *world, double knob)
{
    (void)self, (void)world, (void)knob;
}

static unsigned none_ask(void *self, int64_t now, int64_t *ret_due)
{
    (void)self, (void)now;
    *ret_due = INT64_MAX;
    return 0;
}

const struct sim_policy SIM_NONE = {
    .name = "none",
    .size = 0,
    .begin = none_begin,
    .ask = none_ask,
    .sent = no_sent,
    .reply = no_reply,
    .probe = no_probe,
    .lull = no_lull,
    .tick = no_reply,
};

/* --- what sluice does -------------------------------------------------------------------------------------------- */

struct governed {
    struct governor governor;
    struct pacer pacer;
};

static void governed_begin(void *self, const struct sim_world *world, double knob)
{
    struct governed *it = self;
    (void)world;
    struct governor_promise promise = {.share = knob > 0 ? knob : 0.1};
    governor_init(&it->governor, &promise, 0.02, 32, 0);
    pacer_init(&it->pacer, 0, 0);
}

static unsigned governed_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct governed *it = self;
    return pacer_ask(&it->pacer, 0, now, ret_due);
}

static void governed_sent(void *self, int64_t now, unsigned commands)
{
    struct governed *it = self;
    pacer_sent(&it->pacer, 0, now, commands);
}

static void governed_reply(void *self, int64_t now)
{
    struct governed *it = self;
    pacer_reply(&it->pacer, 0, now);
}

static void governed_probe(void *self, int64_t due, int64_t now)
{
    struct governed *it = self;
    governor_probe(&it->governor, due, now);
}

static void governed_lull(void *self, bool begins, int64_t now)
{
    struct governed *it = self;
    (begins ? governor_lull_begin : governor_lull_end)(&it->governor, now);
}

static void governed_tick(void *self, int64_t now)
{
    struct governed *it = self;
    it->pacer.window = governor_tick(&it->governor, now);
    it->pacer.allowed_us = governor_allowed_us(&it->governor);
}

static double governed_baseline(const void *self)
{
    const struct governed *it = self;
    return governor_baseline_p99_us(&it->governor);
}

const struct sim_policy SIM_GOVERNED = {
    .name = "governed",
    .size = sizeof(struct governed),
    .begin = governed_begin,
    .ask = governed_ask,
    .sent = governed_sent,
    .reply = governed_reply,
    .probe = governed_probe,
    .lull = governed_lull,
    .tick = governed_tick,
    .baseline = governed_baseline,
};

/* --- the same twice ----------------------------------------------------------------------------------------------- */

struct planned {
    struct governed now;
    unsigned heavy;
    bool planned;
};

static void planned_begin(void *self, const struct sim_world *world, double knob)
{
    struct planned *it = self;
    governed_begin(&it->now, world, 0);
    it->heavy = (unsigned)knob;
}

/* What is in flight has been answered when the first has ended. */
static unsigned planned_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct planned *it = self;
    *ret_due = INT64_MAX;
    if (it->planned)
        return it->heavy * governed_ask(&it->now, now, ret_due);
    return now < SIM_PLANNED_S * INT64_C(1000000) - GOVERNOR_TICK_US ? governed_ask(&it->now, now, ret_due) : 0;
}

static void planned_sent(void *self, int64_t now, unsigned commands)
{
    struct planned *it = self;
    governed_sent(&it->now, now, it->planned ? commands / it->heavy : commands);
}

static void planned_tick(void *self, int64_t now)
{
    struct planned *it = self;
    struct governor_learned learned;
    if (!it->planned && now >= SIM_PLANNED_S * INT64_C(1000000)) {
        governor_learned(&it->now.governor, &learned);
        governor_init(&it->now.governor, &it->now.governor.promise, it->now.governor.least, it->now.governor.most, now);
        governor_adopt(&it->now.governor, &learned, now);
        pacer_init(&it->now.pacer, 0, now);
        it->planned = true;
    }
    governed_tick(&it->now, now);
}

const struct sim_policy SIM_PLANNED = {
    .name = "planned",
    .size = sizeof(struct planned),
    .begin = planned_begin,
    .ask = planned_ask,
    .sent = planned_sent,
    .reply = governed_reply,
    .probe = governed_probe,
    .lull = governed_lull,
    .tick = planned_tick,
    .baseline = governed_baseline,
};

/* --- a fixed rate ------------------------------------------------------------------------------------------------- */

struct fixed {
    double gap, due;
};

static void fixed_begin(void *self, const struct sim_world *world, double knob)
{
    struct fixed *it = self;
    (void)world;
    it->gap = 1e6 / knob;
}

static unsigned fixed_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct fixed *it = self;
    *ret_due = (int64_t)ceil(it->due);
    return it->due <= (double)now;
}

static void fixed_sent(void *self, int64_t now, unsigned commands)
{
    struct fixed *it = self;
    it->due = fmax(it->due, (double)now - 100 * it->gap) + it->gap * commands;
}

const struct sim_policy SIM_FIXED = {
    .name = "fixed",
    .size = sizeof(struct fixed),
    .begin = fixed_begin,
    .ask = fixed_ask,
    .sent = fixed_sent,
    .reply = no_reply,
    .probe = no_probe,
    .lull = no_lull,
    .tick = no_reply,
};

/* --- as fast as a pipeline allows -----------------------------------------------------------------------------------
 */

struct pipeline {
    unsigned most, waiting;
};

static void pipeline_begin(void *self, const struct sim_world *world, double knob)
{
    struct pipeline *it = self;
    (void)world;
    it->most = (unsigned)knob;
}

static unsigned pipeline_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct pipeline *it = self;
    (void)now;
    *ret_due = INT64_MAX;
    return it->waiting < it->most;
}

static void pipeline_sent(void *self, int64_t now, unsigned commands)
{
    struct pipeline *it = self;
    (void)now;
    it->waiting += commands;
}

static void pipeline_reply(void *self, int64_t now)
{
    struct pipeline *it = self;
    (void)now;
    it->waiting--;
}

const struct sim_policy SIM_PIPELINE = {
    .name = "pipeline",
    .size = sizeof(struct pipeline),
    .begin = pipeline_begin,
    .ask = pipeline_ask,
    .sent = pipeline_sent,
    .reply = pipeline_reply,
    .probe = no_probe,
    .lull = no_lull,
    .tick = no_reply,
};

/* --- a rate that stops and goes by the live p99
 * ----------------------------------------------------------------------- */

/* The p99 of the newest `over_us` of probes, looked at every `look_us`, as old as `late_us`. */
struct throttle {
    struct fixed fixed;
    struct baseline base;
    struct histogram seen;
    double rate;
    bool stopped;
    int64_t looked_us;
};

static void throttle_begin(void *self, const struct sim_world *world, double knob)
{
    struct throttle *it = self;
    (void)world;
    baseline_init(&it->base);
    baseline_begin(&it->base, 0);
    it->rate = knob;
    it->fixed.gap = 1e6 / knob;
}

static unsigned throttle_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct throttle *it = self;
    *ret_due = INT64_MAX;
    return it->stopped ? 0 : fixed_ask(&it->fixed, now, ret_due);
}

static void throttle_sent(void *self, int64_t now, unsigned commands)
{
    struct throttle *it = self;
    fixed_sent(&it->fixed, now, commands);
}

static void throttle_probe(void *self, int64_t due, int64_t now)
{
    struct throttle *it = self;
    if (it->base.in_lull)
        baseline_probe(&it->base, due, now);
    else
        histogram_add(&it->seen, (double)(now - due));
}

static void throttle_lull(void *self, bool begins, int64_t now)
{
    struct throttle *it = self;
    (begins ? baseline_begin : baseline_end)(&it->base, now);
}

static double ratio_seen(const struct throttle *it)
{
    return histogram_quantile(&it->seen, 0.99) / baseline_quantile(&it->base, 0.99);
}

/* Every second: above the promise it stops, else it goes. */
static void throttle_tick(void *self, int64_t now)
{
    struct throttle *it = self;
    if (it->base.in_lull || now - it->looked_us < 1000000)
        return;
    it->looked_us = now;
    it->stopped = it->seen.total > 0 && ratio_seen(it) > 1.1;
    it->fixed.due = fmax(it->fixed.due, (double)now);
    histogram_reset(&it->seen);
}

const struct sim_policy SIM_STOP_AND_GO = {
    .name = "stop-and-go",
    .size = sizeof(struct throttle),
    .begin = throttle_begin,
    .ask = throttle_ask,
    .sent = throttle_sent,
    .reply = no_reply,
    .probe = throttle_probe,
    .lull = throttle_lull,
    .tick = throttle_tick,
};

/* Every ten seconds, by the p99 of the ten seconds before: a little more, or half. */
static void dashboard_tick(void *self, int64_t now)
{
    struct throttle *it = self;
    if (it->base.in_lull || now - it->looked_us < 10000000)
        return;
    it->looked_us = now;
    it->rate = ratio_seen(it) > 1.1 ? it->rate / 2 : it->rate * 1.1;
    it->fixed.gap = 1e6 / it->rate;
    histogram_reset(&it->seen);
}

const struct sim_policy SIM_DASHBOARD = {
    .name = "dashboard",
    .size = sizeof(struct throttle),
    .begin = throttle_begin,
    .ask = throttle_ask,
    .sent = throttle_sent,
    .reply = no_reply,
    .probe = throttle_probe,
    .lull = throttle_lull,
    .tick = dashboard_tick,
};
