/* Whether the promise to live requests is larger than what they differ by without us. */
#include <math.h>

#include "doctor/look.h"
#include "pace/servers.h"
#include "store/calls.h"

enum { TRIES = 4, TRY_US = (BASELINE_FIRST + 1) * BASELINE_LULL_US, SERVERS = 64 };

/* The highest p99 of its servers while nobody of us writes, in one try; 0: too few answers. */
static bool feel(const struct look *look, struct store *store, double *ret, GError **error)
{
    const struct world *world = look->config->world;
    const struct probe_ops *probe = store_driver(store)->probe;
    struct governor_promise promise = {.share = 0.1};
    struct pace *pace = pace_new(&promise, world_monotonic_us(world));
    struct live_probe *live = NULL;
    struct call call = {.deadline_us = world_monotonic_us(world) + TRY_US};
    bool ok = probe->open(&live, store, pace, error) && probe->run(live, &call, error);
    struct pace_look servers[SERVERS];
    size_t n = ok ? pace_look(pace, world_monotonic_us(world), servers, SERVERS) : 0;
    *ret = 0;
    for (size_t i = 0; i < MIN(n, (size_t)SERVERS); i++)
        *ret = MAX(*ret, servers[i].baseline_us);
    if (live)
        probe->close(live);
    pace_free(pace);
    return ok;
}

static int by_number(const void *a, const void *b)
{
    const double *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

/* Half as much again as what was seen, in two digits: rounded up. */
static double with_room(double seen)
{
    double wished = seen * 1.5, step = pow(10, floor(log10(MAX(wished, 1e-9))) - 1);
    return ceil(wished / step) * step;
}

/* A share beyond one promises nothing that anybody would call one. */
char *look_live_floor(double middle_us, double spread_us)
{
    double per_cent = with_room(spread_us / middle_us * 100), ms = MAX(with_room(spread_us / 1000), 0.1);
    return per_cent > 100
               ? g_strdup_printf("promise at least \"+%.4gms\": it is too noisy here for a share; or look again "
                                 "when it is quieter",
                                 ms)
               : g_strdup_printf("promise at least \"+%.4g%% or +%.4gms\", or look again when it is quieter",
                                 MAX(per_cent, 1), ms);
}

static void judge(struct look *look, double p99[TRIES])
{
    const struct spec_live *live = &look->spec->protect.live;
    qsort(p99, TRIES, sizeof *p99, by_number);
    double middle = p99[TRIES / 2], spread = p99[TRIES - 1] - p99[0];
    double allowed = live->limit_us > 0 ? live->limit_us - middle : MAX(live->share * middle, live->absolute_us);
    g_autofree char *todo = p99[0] > 0 ? look_live_floor(middle, spread) : NULL;
    if (p99[0] <= 0)
        look_warn(look, "look again", "the probe had too few answers to say how long live requests take");
    else if (live->limit_us > 0 && allowed <= 0)
        look_warn(look, todo,
                  "without us the live p99 is between %.2f and %.2f ms: that is above the %.4g ms of protect.live.p99 "
                  "already, and a run would wait for it",
                  p99[0] / 1000, p99[TRIES - 1] / 1000, live->limit_us / 1000);
    else if (allowed <= spread)
        look_warn(look, todo,
                  "without us the live p99 is between %.2f and %.2f ms: that differs by more than "
                  "protect.live.p99 promises, and a run would be held back for it",
                  p99[0] / 1000, p99[TRIES - 1] / 1000);
    else
        look_ok(look, "without us the live p99 is between %.2f and %.2f ms; the promise leaves %.2f ms", p99[0] / 1000,
                p99[TRIES - 1] / 1000, allowed / 1000);
}

void look_live(struct look *look)
{
    double p99[TRIES];
    GError *error = NULL;
    struct store *felt = look->target && store_driver(look->target)->probe ? look->target : look->source;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    if (!spec_live_given(&look->spec->protect.live)) {
        look_ok(look, "nothing is promised to live requests (protect.live.p99)");
        return;
    }
    if (!look->source || !look->target) {
        look_skip(look, look->source ? "target" : "source");
        return;
    }
    if (!store_driver(felt)->probe) {
        look_ok(look, "there are no live requests: neither source nor target has servers that others use");
        return;
    }
    for (size_t i = 0; i < TRIES; i++)
        if (!feel(look, felt, &p99[i], &error)) {
            look_fail(look, "see what the user may do: `sluice doctor` lists the rights", error);
            return;
        }
    judge(look, p99);
}
