#include "pace/servers.h"
#include "pace/sim.h"

#include <glib.h>
#include <math.h>

enum { TWO = 2, IN_FLIGHT = 4096 };

struct member {
    struct pace *pace; /* NULL: it has not come yet */
    struct pace_server *server;
    int64_t comes_us;
    char id[BEACON_ID], text[BEACON_TEXT]; /* its beacon, as it was left at the last tick */
};

struct two {
    struct member of[TWO];
    unsigned char whose[IN_FLIGHT]; /* a ring: micro-batches that are waited for */
    size_t first, waiting;
    unsigned taken, taker, turn, probed; /* what was taken and not sent yet, and by whom; who is asked first */
    double sent;                         /* by the first */
};

static void come(struct member *member, unsigned i, int64_t now)
{
    struct governor_promise promise = {.share = 0.1};
    char id[] = {(char)('a' + i), 0};
    member->pace = pace_new(&promise, now);
    member->server = pace_server(member->pace, "server");
    pace_introduce(member->pace, id, "somebody");
    pace_priority(member->pace, 5);
}

static void two_begin(void *self, const struct sim_world *world, double knob)
{
    struct two *two = self;
    (void)world;
    two->of[1].comes_us = (int64_t)(knob * 1e6);
    come(&two->of[0], 0, 1);
}

static unsigned two_ask(void *self, int64_t now, int64_t *ret_due)
{
    struct two *two = self;
    *ret_due = INT64_MAX;
    for (unsigned i = 0; i < TWO && two->taken == 0; i++) {
        int64_t due = INT64_MAX;
        two->taker = (two->turn + i) % TWO;
        if (two->of[two->taker].pace)
            two->taken = pace_take(two->of[two->taker].server, 0, now, 1, PACER_BATCH_MOST, &due);
        *ret_due = MIN(*ret_due, due);
    }
    return two->taken;
}

static void two_sent(void *self, int64_t now, unsigned commands)
{
    struct two *two = self;
    (void)now;
    two->whose[(two->first + two->waiting++) % IN_FLIGHT] = (unsigned char)two->taker;
    two->sent += two->taker == 0 ? commands : 0;
    two->taken = 0;
    two->turn++;
}

static void two_reply(void *self, int64_t now)
{
    struct two *two = self;
    pace_reply(two->of[two->whose[two->first]].server, 0, now);
    two->first = (two->first + 1) % IN_FLIGHT;
    two->waiting--;
}

/* Each has half of the probes. */
static void two_probe(void *self, int64_t due, int64_t now)
{
    struct two *two = self;
    struct member *member = &two->of[two->probed++ % TWO];
    if (member->pace)
        pace_felt(member->server, due, now);
}

static void no_lull(void *self, bool begins, int64_t now)
{
    (void)self, (void)begins, (void)now;
}

static void read_others(struct two *two, unsigned i, int64_t now)
{
    for (unsigned other = 0; other < TWO; other++)
        if (other != i && *two->of[other].text)
            pace_saw(two->of[i].server, now, two->of[other].id, two->of[other].text);
}

static void two_tick(void *self, int64_t now)
{
    struct two *two = self;
    for (unsigned i = 0; i < TWO; i++) {
        if (!two->of[i].pace && now >= two->of[i].comes_us)
            come(&two->of[i], i, now);
        if (two->of[i].pace)
            read_others(two, i, now);
    }
    for (unsigned i = 0; i < TWO; i++) {
        if (!two->of[i].pace)
            continue;
        pace_tick(two->of[i].pace, now, now);
        pace_beacon(two->of[i].server, now, two->of[i].id, two->of[i].text);
    }
}

/* That of the one that came last. */
static double two_baseline(const void *self)
{
    const struct two *two = self;
    struct pace_look look = {0};
    pace_look(two->of[two->of[1].pace != NULL].pace, 0, &look, 1);
    return look.baseline_us;
}

static double two_first(void *self)
{
    struct two *two = self;
    double sent = two->sent;
    two->sent = 0;
    return sent;
}

static void two_end(void *self)
{
    struct two *two = self;
    for (unsigned i = 0; i < TWO; i++)
        pace_free(two->of[i].pace);
}

const struct sim_policy SIM_TWO = {
    .name = "two",
    .size = sizeof(struct two),
    .begin = two_begin,
    .ask = two_ask,
    .sent = two_sent,
    .reply = two_reply,
    .probe = two_probe,
    .lull = no_lull,
    .tick = two_tick,
    .baseline = two_baseline,
    .first = two_first,
    .end = two_end,
};
