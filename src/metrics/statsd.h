/* The figures of an exposition as lines of StatsD (https://github.com/statsd/statsd/blob/master/docs/metric_types.md)
 * or, with labels as tags, of DogStatsD. What only grows (`_total`) is told as what it grew since the last telling, as
 * these have it; all else as a gauge. */
#pragma once

#include <glib.h>
#include <stdbool.h>

struct statsd;

struct statsd *statsd_new(bool tags);
void statsd_free(struct statsd *statsd);

/* Datagrams of whole lines, each of DATAGRAM_BYTES at most: an array of GString, which it frees. At the first telling
 * counters are only remembered. */
GPtrArray *statsd_tell(struct statsd *statsd, const char *exposition);
