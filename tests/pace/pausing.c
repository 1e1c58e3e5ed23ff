#include "pace/servers.h"
#include "pace/sim.h"

#include <glib.h>

struct pausing {
    struct pace *pace;
    struct pace_server *server;
    double probes, felt;
    unsigned taken; /* and not sent yet */
};

static void pausing_begin(void *self, const struct sim_world *world, double knob)
{
    struct pausing *it = self;
    struct governor_promise promise = {.share = 0.1};
    (void)world, (void)knob;
    it->pace = pace_new(&promise, 1);
    it->server = pace_server(it->pace, "server");
}

static unsigned pausing_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct pausing *it = self;
    int64_t from = SIM_PAUSES_S * G_USEC_PER_SEC, to = SIM_GOES_ON_S * G_USEC_PER_SEC;
    *ret_due = to;
    if (it->taken == 0 && (now < from || now >= to))
        it->taken = pace_take(it->server, 0, now, 1, PACER_BATCH_MOST, ret_due);
    return it->taken;
}

static void pausing_sent(void *self, int64_t now, unsigned commands)
{
    struct pausing *it = self;
    (void)now, (void)commands;
    it->taken = 0;
}

static void pausing_reply(void *self, int64_t now)
{
    struct pausing *it = self;
    pace_reply(it->server, 0, now);
}

static void pausing_probe(void *self, int64_t due, int64_t now)
{
    struct pausing *it = self;
    it->probes++;
    pace_felt(it->server, due, now);
}

static double pausing_every(void *self)
{
    struct pausing *it = self;
    return (double)pace_probe_us(it->server);
}

static void pausing_lull(void *self, bool begins, int64_t now)
{
    (void)self, (void)begins, (void)now;
}

static void pausing_tick(void *self, int64_t now)
{
    struct pausing *it = self;
    struct pace_look look = {0};
    pace_tick(it->pace, now, now);
    if (pace_look(it->pace, now, &look, 1) == 1 && look.most_us > 0)
        it->felt = MAX(it->felt, look.p99_us / look.most_us);
}

static double pausing_probes(void *self)
{
    struct pausing *it = self;
    double probes = it->probes;
    it->probes = 0;
    return probes;
}

static double pausing_felt(void *self)
{
    struct pausing *it = self;
    double felt = it->felt;
    it->felt = 0;
    return felt;
}

static void pausing_end(void *self)
{
    struct pausing *it = self;
    pace_free(it->pace);
}

const struct sim_policy SIM_PAUSING = {
    .name = "pausing",
    .size = sizeof(struct pausing),
    .begin = pausing_begin,
    .ask = pausing_ask,
    .sent = pausing_sent,
    .reply = pausing_reply,
    .probe = pausing_probe,
    .probe_every = pausing_every,
    .lull = pausing_lull,
    .tick = pausing_tick,
    .probes = pausing_probes,
    .felt = pausing_felt,
    .end = pausing_end,
};
