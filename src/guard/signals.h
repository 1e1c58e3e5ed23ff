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

struct signals; /* what is remembered of each server */
struct signals *signals_new(void);
void signals_free(struct signals *signals);
AUTO_DEFINE(signals, signals_free)

/* A replica that a server has lost counts as one that does not answer for so long: it may come back. */
#define SIGNALS_LOST_US (INT64_C(300) * 1000 * 1000)

void signals_take(struct signals *signals, const struct node_health *nodes, size_t n, int64_t now_us,
                  struct signal_reading ret[GUARD_COUNT]);
void signals_done(struct signal_reading readings[GUARD_COUNT]);
