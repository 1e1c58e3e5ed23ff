/* The servers of one store, as all threads of a process share them: each with its pacer and its governor, so that a
 * slow one slows only what goes to it. What other processes do on the same servers it knows by their beacons
 * (beacons.h).
 *
 * Whoever sends asks pace_take() before each micro-batch and reports its reply; a probe reports what it feels; one
 * thread turns the outer loop, pace_tick(). In a lull nothing goes to any of the servers. The first begins with the
 * first tick and ends when there is a baseline of each server that is felt; others follow every ten seconds of a clock
 * that all share, so that whoever paces himself there is silent at the same time. Who has no baseline yet says so in
 * its beacon; the others are silent until it has, for six seconds in thirty at most, and it begins once they are. A
 * server that was never felt (one that nobody asks about records) gets a trickle; one whose probe is not answered any
 * more gets nothing until it is.
 *
 * Threads: any, but for pace_tick(): one at a time. Costs: two uncontended locks a micro-batch. Times: microseconds of
 * the world's monotonic clock, given by the caller. */
#pragma once

#include "base/auto.h"
#include "pace/beacons.h"
#include "pace/governor.h"
#include "pace/learned.h"
#include "pace/pacer.h"

enum {
    PACE_LULL_US = 500000,
    PACE_LULL_EVERY_US = 10000000,
    PACE_UNFELT_US = 2000000,   /* so long without an answer: the probe feels nothing */
    PACE_HUNGRY_US = 2000000,   /* so long after it last waited for its window it counts as one that would send more */
    PACE_ACTIVE_US = 5000000,   /* so long after it last sent, or would have, it counts as at work */
    PACE_PATIENCE_US = 3000000, /* so long it waits for others to be silent, before its baseline */
    PACE_YIELD_US = 6000000,    /* so long it is silent for others that have none … */
    PACE_YIELD_EVERY_US = 30000000,        /* … and so seldom */
    PACE_LEARNED_US = 60000000,            /* a baseline whose newest lull is longer ago is not adopted */
    PACE_PROBE_US = 5000,                  /* between two probes of a server, on average */
    PACE_PROBE_SELDOM = 8,                 /* where next to nothing is sent: in one tick of so many, … */
    PACE_PROBE_REST_US = GOVERNOR_TICK_US, /* … and this between two in the others */
};

struct pace;
struct pace_server;

struct pace *pace_new(const struct governor_promise *promise, int64_t now_us);
void pace_free(struct pace *pace);
AUTO_DEFINE(pace, pace_free)

/* The server of that name: made where there is none, and there as long as the pace. */
struct pace_server *pace_server(struct pace *pace, const char *name);

/* How much of that kind (pacer.h) may go to the server now, of `all` that is to go there, in commands as the server
 * feels them; at least the first request, which is worth `first` of them. What is taken counts as sent at `now_us`. 0:
 * nothing before *ret_due_us, or INT64_MAX: before somebody's reply has come. */
unsigned pace_take(struct pace_server *server, uint64_t kind, int64_t now_us, unsigned first, unsigned all,
                   int64_t *ret_due_us);
/* To the micro-batch that was taken at `sent_us`; 0: to the oldest that is waited for. NULL here and below: nothing
 * (what it was paced by has been taken off since). */
void pace_reply(struct pace_server *server, int64_t sent_us, int64_t now_us);
void pace_lost(struct pace_server *server, int64_t sent_us); /* no reply to it will come */
void pace_throttled(struct pace_server *server);             /* it asked for a command again, later */

/* How long it is from one probe of it to the next, on average: PACE_PROBE_US. As long as less than half of the least
 * window is in flight what is felt is the world, and nothing is steered by it: then, but for the lulls, it is that in
 * one tick of PACE_PROBE_SELDOM, and PACE_PROBE_REST_US in the others, of which nothing counts but that there was an
 * answer. (Probes that are spread evenly would each find a server, and whoever asks, asleep, and so feel more than the
 * baseline did, without end.) It changes with pace_tick(). */
int64_t pace_probe_us(struct pace_server *server);
/* A probe that went out at `sent_us` was answered at `now_us`. */
void pace_felt(struct pace_server *server, int64_t sent_us, int64_t now_us);
/* Nobody is to ask it any more, and nobody misses its answers; one that comes back begins as one that was never felt.
 */
void pace_left(struct pace_server *server);
/* The outer loop and the lulls: every GOVERNOR_TICK_US, when `clock_us`, a clock that all processes share, is a
 * multiple of it. */
void pace_tick(struct pace *pace, int64_t now_us, int64_t clock_us);

/* What it has learnt of its servers, for whoever paces himself on them next in this process; NULL: one that is felt has
 * no baseline yet. The caller frees. */
struct pace_learned *pace_learn(struct pace *pace, int64_t now_us);
/* Before the first tick: goes on from there, in place of a baseline of its own, as soon as the very servers that it
 * tells of are felt, if the promise is the same; lulls go on as they were. Otherwise, and where it is older than
 * PACE_LEARNED_US, everything begins as ever. Takes it over; NULL: nothing. */
void pace_go_on(struct pace *pace, struct pace_learned *learned);
bool pace_may_go_on(struct pace *pace); /* it is not known yet whether it does */
bool pace_went_on(struct pace *pace);

/* As whom others shall know it; without that it leaves no beacons, but heeds theirs. `id` is nobody else's. */
void pace_introduce(struct pace *pace, const char *id, const char *who);
void pace_priority(struct pace *pace, uint32_t priority);
/* The beacon that is to be left on the server now, and its id; false: none. */
bool pace_beacon(struct pace_server *server, int64_t now_us, char ret_id[BEACON_ID], char ret_text[BEACON_TEXT]);
/* One that was read there, its own too. false: of somebody long gone, and to be removed. */
bool pace_saw(struct pace_server *server, int64_t now_us, const char *id, const char *text);
/* The one at work on any of the servers whose priority is highest, if it is above `priority`; false: none. */
bool pace_first(struct pace *pace, int64_t now_us, uint32_t priority, struct beacon *ret);

/* From the next tick on. */
void pace_promise(struct pace *pace, const struct governor_promise *promise);

/* A server as it is paced at the last tick. */
struct pace_look {
    const char *name; /* as long as the pace */
    enum governor_cause cause;
    bool in_lull, trickles;              /* trickles: it gets hardly more than the least that anyone gets */
    double window, per_s;                /* commands that may be in flight; that were sent in the last second */
    double baseline_us, p99_us, most_us; /* live p99: without us, now (reckoned), as promised; 0: not known yet */
    double own_us;                       /* of own micro-batches, the median of the newest; 0: none has come back */
    uint64_t throttled;                  /* replies that asked to come again later */
    int64_t felt_us;                     /* when its probe was last answered; 0: never */
    unsigned others;                     /* that are at work there, too … */
    char other[BEACON_WHO];              /* … of which one */
    float before[HISTOGRAM_STEPS];       /* live latency: without us, … */
    float during[HISTOGRAM_STEPS];       /* … and while we work, of about a minute */
};
/* Of each server that was ever felt, in the order in which they were first met; how many there are. */
size_t pace_look(struct pace *pace, int64_t now_us, struct pace_look *ret, size_t room);
