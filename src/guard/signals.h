/* What the servers of a store say of themselves, as readings of the guards: of each guard the worst server's, with its
 * name. A counter becomes a rate between two looks.
 *
 * Pure: times are microseconds of any monotonic clock. One thread at a time. */
#pragma once

#include "spec/guard.h"
#include "store/store.h"

enum signal_found {
    SIGNAL_UNTOLD, /* no server tells it: there is nothing to watch */
    SIGNAL_READ,
    SIGNAL_LOST, /* it was told, or should be, and is not: `why` */
};

struct signal_reading {
    enum signal_found found;
    double value;
    char *where; /* the server; NULL: none in particular */
    char *why;
};

/* How far a server's clock is from ours at least, in milliseconds: it was read at some time between the two, which are
 * of our wall clock. -1: it tells no time. */
double signals_clock_ms(const struct node_health *node, int64_t from_ms, int64_t to_ms);

struct signals; /* what is remembered of each server */
struct signals *signals_new(void);
void signals_free(struct signals *signals);
AUTO_DEFINE(signals, signals_free)

/* A replica that a server has lost counts as one that does not answer for so long: it may come back. */
#define SIGNALS_LOST_US (INT64_C(300) * 1000 * 1000)

/* What the run has written so far, in bytes, by the same clock as the next look: what the servers have grown since the
 * first one is held against it. */
void signals_wrote(struct signals *signals, uint64_t bytes);

/* What a server had when it was first looked at, from which growth counts: whoever goes on with a run goes on from
 * there, too. */
struct signals_base {
    char *node;
    int64_t data_bytes, keys; /* -1: it did not tell */
    uint64_t wrote;           /* by the run, until then */
};
void signals_base_clear(void *base); /* of a GArray */
/* Before the first look. */
void signals_recall(struct signals *signals, const struct signals_base *base);
/* Those of all servers so far; the caller clears. */
void signals_bases(const struct signals *signals, GArray *into);

/* By how much all of them together are forecast to grow; without this GUARD_FORECAST is 0. */
struct signals_forecast {
    bool known;
    uint64_t keys, bytes;
};
void signals_expect(struct signals *signals, const struct signals_forecast *forecast);
void signals_take(struct signals *signals, const struct node_health *nodes, size_t n, int64_t now_us,
                  struct signal_reading ret[GUARD_COUNT]);
/* Why a guard is told by no server, in words. */
const char *signals_untold(enum spec_guard guard);
void signals_done(struct signal_reading readings[GUARD_COUNT]);
