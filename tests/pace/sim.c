#include "pace/sim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- chance ------------------------------------------------------------------------------------------------------ */

/* splitmix64, a stream for each thing that happens. */
struct stream {
    uint64_t state;
};

static double share(struct stream *stream)
{
    uint64_t z = stream->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

static double exponential(struct stream *stream, double mean)
{
    return -mean * log(share(stream));
}

/* --- the world --------------------------------------------------------------------------------------------------- */

enum { LIVE, PROBE, STALL, BURST, LIVE_NET, PROBE_NET, OWN_NET, STREAMS };
enum { IN_FLIGHT = 4096 };

struct sim {
    const struct sim_world *world;
    const struct sim_policy *policy;
    void *self;
    struct stream stream[STREAMS];
    double free_at; /* the server has done all it was given */
    double live_at, probe_at, probed_at, stall_at, burst_at, burst_until, bad_at, bad_until, tick_at, lull_at;
    bool in_lull;
    double reply_at[IN_FLIGHT], probe_back[IN_FLIGHT], probe_due[IN_FLIGHT]; /* rings */
    size_t replies, reply_first, probes, probe_first;
    struct histogram live, all;
    double own, own_all;
    struct sim_result *result;
};

static bool is_stepped(const struct sim_world *world, double now)
{
    double from = world->step.at_s * 1e6, until = world->step.until_s * 1e6;
    return from > 0 && now >= from && (until <= 0 || now < until);
}

static double live_rate(const struct sim *sim, double now)
{
    const struct sim_world *world = sim->world;
    double rate = world->live_per_s;
    if (world->wave > 0)
        rate *= 1 + world->wave * sin(2 * M_PI * now / 1e6 / world->wave_s);
    if (now < sim->burst_until)
        rate *= world->burst_by;
    if (is_stepped(world, now))
        rate *= world->step.by;
    return rate;
}

static double serve(struct sim *sim, double now, double us)
{
    sim->free_at = fmax(sim->free_at, now) + us;
    return sim->free_at;
}

static double network(struct sim *sim, int stream)
{
    return sim->world->rtt_us + exponential(&sim->stream[stream], sim->world->jitter_us);
}

static void on_live(struct sim *sim, double now)
{
    double latency = serve(sim, now, sim->world->service_us) - now + network(sim, LIVE_NET);
    histogram_add(&sim->live, latency);
    histogram_add(&sim->all, latency);
    sim->live_at = now + exponential(&sim->stream[LIVE], 1e6 / live_rate(sim, now));
}

static double probe_every(const struct sim *sim)
{
    return sim->policy->probe_every ? sim->policy->probe_every(sim->self) : 1e6 / sim->world->probes_per_s;
}

/* Who asks and who answers have gone to sleep since. */
static double wake(const struct sim *sim, double now)
{
    const struct sim_world *world = sim->world;
    return world->wake_us > 0 ? world->wake_us * (1 - exp((sim->probed_at - now) / world->sleeps_us)) : 0;
}

static void on_probe(struct sim *sim, double now)
{
    size_t at = (sim->probe_first + sim->probes) % IN_FLIGHT;
    double back = serve(sim, now, sim->world->service_us) + network(sim, PROBE_NET) + wake(sim, now);
    sim->probed_at = now;
    if (sim->probes < IN_FLIGHT) {
        size_t before = (at + IN_FLIGHT - 1) % IN_FLIGHT;
        sim->probe_due[at] = now;
        sim->probe_back[at] = sim->probes > 0 ? fmax(back, sim->probe_back[before]) : back;
        sim->probes++;
    }
    sim->probe_at = now + exponential(&sim->stream[PROBE], probe_every(sim));
}

static void on_probe_back(struct sim *sim, double now)
{
    sim->policy->probe(sim->self, (int64_t)sim->probe_due[sim->probe_first], (int64_t)now);
    sim->probe_first = (sim->probe_first + 1) % IN_FLIGHT;
    sim->probes--;
}

static void on_stall(struct sim *sim, double now)
{
    serve(sim, now, exponential(&sim->stream[STALL], sim->world->stall_us));
    double by = now < sim->bad_until ? sim->world->bad_by : 1;
    sim->stall_at = now + exponential(&sim->stream[STALL], 1e6 / (by * sim->world->stalls_per_s));
}

/* The next stall is one of its own. */
static void on_bad(struct sim *sim, double now)
{
    sim->bad_until = now + sim->world->bad_s * 1e6;
    sim->bad_at = sim->bad_until + exponential(&sim->stream[STALL], 1e6 / sim->world->bad_per_s);
    sim->stall_at = now;
}

static void on_burst(struct sim *sim, double now)
{
    sim->burst_until = now + exponential(&sim->stream[BURST], sim->world->burst_s * 1e6);
    sim->burst_at = sim->burst_until + exponential(&sim->stream[BURST], 1e6 / sim->world->bursts_per_s);
}

static void on_own(struct sim *sim, double now, unsigned commands)
{
    double us = sim->world->own_us * commands;
    double back = serve(sim, now, us) + network(sim, OWN_NET);
    size_t at = (sim->reply_first + sim->replies) % IN_FLIGHT, before = (at + IN_FLIGHT - 1) % IN_FLIGHT;
    sim->reply_at[at] = sim->replies > 0 ? fmax(back, sim->reply_at[before]) : back;
    sim->replies++;
    sim->own += commands;
    sim->own_all += us;
    sim->policy->sent(sim->self, (int64_t)now, commands);
}

static void on_reply(struct sim *sim, double now)
{
    sim->reply_first = (sim->reply_first + 1) % IN_FLIGHT;
    sim->replies--;
    sim->policy->reply(sim->self, (int64_t)now);
}

static void on_lull(struct sim *sim, double now)
{
    sim->in_lull = !sim->in_lull;
    sim->policy->lull(sim->self, sim->in_lull, (int64_t)now);
    sim->lull_at = now + 1e6 * (sim->in_lull ? sim->world->lull_s : sim->world->lull_every_s);
}

static void end_window(struct sim *sim)
{
    if (sim->result->n == SIM_WINDOWS)
        return;
    sim->result->of[sim->result->n++] =
        (struct sim_window){.p50_us = histogram_quantile(&sim->live, 0.5),
                            .p99_us = histogram_quantile(&sim->live, 0.99),
                            .p999_us = histogram_quantile(&sim->live, 0.999),
                            .own = sim->own,
                            .first = sim->policy->first ? sim->policy->first(sim->self) : sim->own,
                            .baseline_us = sim->policy->baseline ? sim->policy->baseline(sim->self) : 0,
                            .probes = sim->policy->probes ? sim->policy->probes(sim->self) : 0,
                            .felt = sim->policy->felt ? sim->policy->felt(sim->self) : 0};
    histogram_reset(&sim->live);
    sim->own = 0;
}

/* --- the loop ---------------------------------------------------------------------------------------------------- */

/* When the backfill sends next; as many commands as it may then. */
static double own_due(struct sim *sim, double now, unsigned *ret_commands)
{
    int64_t due;
    *ret_commands = 0;
    if (sim->in_lull || sim->replies == IN_FLIGHT)
        return INFINITY;
    *ret_commands = sim->policy->ask(sim->self, (int64_t)now, &due);
    return *ret_commands > 0 ? now : due == INT64_MAX ? INFINITY : (double)due;
}

enum { AT_LIVE, AT_PROBE, AT_PROBE_BACK, AT_STALL, AT_BURST, AT_BAD, AT_REPLY, AT_LULL, AT_TICK, AT_OWN, AT_KINDS };

static double next_of(const struct sim *sim, double own, int *ret_kind)
{
    double at[AT_KINDS] = {[AT_LIVE] = sim->live_at,
                           [AT_PROBE] = sim->probe_at,
                           [AT_PROBE_BACK] = sim->probes > 0 ? sim->probe_back[sim->probe_first] : INFINITY,
                           [AT_STALL] = sim->stall_at,
                           [AT_BURST] = sim->burst_at,
                           [AT_BAD] = sim->bad_at,
                           [AT_REPLY] = sim->replies > 0 ? sim->reply_at[sim->reply_first] : INFINITY,
                           [AT_LULL] = sim->lull_at,
                           [AT_TICK] = sim->tick_at,
                           [AT_OWN] = own};
    *ret_kind = 0;
    for (int i = 1; i < AT_KINDS; i++)
        if (at[i] < at[*ret_kind])
            *ret_kind = i;
    return at[*ret_kind];
}

static void happen(struct sim *sim, int kind, double now, unsigned commands)
{
    static void (*const HAPPENS[])(struct sim *, double) = {
        [AT_LIVE] = on_live,   [AT_PROBE] = on_probe, [AT_PROBE_BACK] = on_probe_back, [AT_STALL] = on_stall,
        [AT_BURST] = on_burst, [AT_BAD] = on_bad,     [AT_REPLY] = on_reply,           [AT_LULL] = on_lull};
    if (kind == AT_TICK) {
        sim->policy->tick(sim->self, (int64_t)now);
        sim->tick_at += GOVERNOR_TICK_US;
        if (sim->policy->probe_every) /* it may be time to probe oftener */
            sim->probe_at = fmin(sim->probe_at, now + probe_every(sim) * 3 / 2);
    } else if (kind == AT_OWN) {
        on_own(sim, now, commands > 0 ? commands : 1);
    } else {
        HAPPENS[kind](sim, now);
    }
}

static void loop(struct sim *sim)
{
    double now = 0, end = sim->world->seconds * 1e6, window = sim->world->window_s * 1e6;
    while (now < end) {
        unsigned commands;
        int kind;
        double own = own_due(sim, now, &commands);
        double at = next_of(sim, own, &kind);
        if (kind == AT_OWN && commands == 0) { /* it is due then, if nothing changes until then */
            now = at;
            continue;
        }
        now = at;
        if (now >= window) {
            end_window(sim);
            window += sim->world->window_s * 1e6;
        }
        happen(sim, kind, now, commands);
    }
}

void sim_run(const struct sim_world *world, const struct sim_policy *policy, double knob, struct sim_result *ret)
{
    struct sim *sim = calloc(1, sizeof *sim);
    *sim = (struct sim){.world = world, .policy = policy, .self = calloc(1, policy->size + 1), .result = ret};
    *ret = (struct sim_result){0};
    for (int i = 0; i < STREAMS; i++)
        sim->stream[i].state = (world->seed * STREAMS + (uint64_t)i) * 0xD1342543DE82EF95u;
    sim->stall_at = world->stalls_per_s > 0 ? exponential(&sim->stream[STALL], 1e6 / world->stalls_per_s) : INFINITY;
    sim->burst_at = world->bursts_per_s > 0 ? exponential(&sim->stream[BURST], 1e6 / world->bursts_per_s) : INFINITY;
    sim->bad_at = world->bad_per_s > 0 ? exponential(&sim->stream[STALL], 1e6 / world->bad_per_s) : INFINITY;
    sim->probe_at = 1;
    sim->tick_at = GOVERNOR_TICK_US;
    sim->in_lull = true; /* the baseline */
    sim->lull_at = world->lull_s > 0 ? 10e6 : 0;
    policy->begin(sim->self, world, knob);
    loop(sim);
    ret->own_share = sim->own_all / (world->seconds * 1e6);
    ret->all_p999_us = histogram_quantile(&sim->all, 0.999);
    if (policy->end)
        policy->end(sim->self);
    free(sim->self);
    free(sim);
}
