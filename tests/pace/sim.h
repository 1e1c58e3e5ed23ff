/* One server that executes one command at a time, its live traffic, and a backfill beside it, by virtual time.
 *
 * Live requests come open-loop (exponential gaps), in a daily wave with bursts; the server meets stalls of its own and
 * a noisy neighbour; the network has jitter. Everything but the backfill is drawn from streams of its own, so that a
 * run with and one without a backfill meet the very same world: what differs is the backfill's effect. */
#pragma once

#include "pace/governor.h"
#include "pace/histogram.h"
#include "pace/pacer.h"

#include <stddef.h>

struct sim_world {
    uint64_t seed;
    double seconds;
    double live_per_s;   /* at the middle of the wave */
    double wave, wave_s; /* share of it that comes and goes, and in how long */
    double bursts_per_s, burst_s, burst_by;
    double stalls_per_s, stall_us;   /* mean length, exponential */
    double bad_per_s, bad_s, bad_by; /* moments in which they come so many times as often */
    double service_us, own_us;       /* of a live command, of one of the backfill's */
    double rtt_us, jitter_us;        /* constant and mean of the exponential part */
    double probes_per_s;
    double wake_us, sleeps_us; /* what a probe takes more the longer it was silent, up to wake_us; by about when */
    struct {
        double at_s, by, until_s;
    } step; /* from then on the live load is so many times what it was; 0: none, never again what it was */
    double lull_every_s, lull_s;
    double window_s; /* of the results */
};

/* A way of pacing. All times are microseconds. */
struct sim_policy {
    const char *name;
    size_t size;
    void (*begin)(void *self, const struct sim_world *world, double knob);
    /* How many commands may go at `now`; 0: none before *ret_due, or INT64_MAX. */
    unsigned (*ask)(void *self, int64_t now, int64_t *ret_due);
    void (*sent)(void *self, int64_t now, unsigned commands);
    void (*reply)(void *self, int64_t now);
    void (*probe)(void *self, int64_t due, int64_t now);
    double (*probe_every)(void *self); /* how long to the next probe, on average; NULL: as the world has it */
    void (*lull)(void *self, bool begins, int64_t now);
    void (*tick)(void *self, int64_t now); /* every GOVERNOR_TICK_US */
    double (*baseline)(const void *self);  /* the p99 that it holds for that of the world alone; NULL: it holds none */
    double (*first)(void *self);           /* commands of the first of several since it was last asked; NULL: of all */
    double (*probes)(void *self);          /* answered since it was last asked; NULL: they are not counted */
    double (*felt)(void *self); /* the p99 as it reckons it, to what it may be, at most since it was last asked; NULL */
    void (*end)(void *self);    /* NULL: nothing is left */
};
extern const struct sim_policy SIM_NONE, SIM_GOVERNED, SIM_PLANNED, SIM_FIXED, SIM_STOP_AND_GO, SIM_DASHBOARD,
    SIM_PIPELINE;
/* SIM_PLANNED: governed, up to SIM_PLANNED_S; from then on by another governor, which goes on from what that one has
 * learnt, and whose commands are `knob` times as heavy. */
#define SIM_PLANNED_S 25
/* Two that are governed, each for itself, and know of each other by beacons that are a tick old when they are read. The
 * knob says when the second comes, in seconds. Their lulls are their own: the world has none. */
extern const struct sim_policy SIM_TWO;
/* Governed, its lulls its own, with nothing to send for a while. */
#define SIM_PAUSES_S  40
#define SIM_GOES_ON_S 80
extern const struct sim_policy SIM_PAUSING;

enum { SIM_WINDOWS = 400 };
struct sim_window {
    double p50_us, p99_us, p999_us, own, first, baseline_us; /* own: commands done; of those, the first one's */
    double probes, felt;
};
struct sim_result {
    struct sim_window of[SIM_WINDOWS]; /* of world->window_s each */
    size_t n;
    double own_share; /* of the server's time */
    double all_p999_us;
};
void sim_run(const struct sim_world *world, const struct sim_policy *policy, double knob, struct sim_result *ret);
