/* The metrics of one run, kept up where somebody else looks for them: a file that a textfile collector reads, a
 * Pushgateway, a StatsD. For runs that no one scrapes. A thread of its own renders them every few seconds from a
 * catalog of its own and once more at the end, so that the last state stands; nothing of the run waits for it. */
#pragma once

#include "metrics/metrics.h"

struct metrics_keep;

struct metrics_keep_config {
    const struct world *world;
    const char *home, *run; /* NAME.N */
    const char *file;       /* replaced as a whole each time; NULL: none */
    const char *push;       /* of a Pushgateway, secrets not replaced; NULL: none */
    const char *statsd;     /* HOST:PORT of one; NULL: none */
    const char *dogstatsd;  /* of one that knows tags; NULL: none */
};

#define METRICS_KEEP_US (INT64_C(5) * 1000 * 1000)

/* Where they belong, in the gateway's words: one group a run. The caller frees. */
char *metrics_keep_url(const char *gateway, const char *run);

/* Writes and pushes once, so that a place that is wrong is known before the run begins: a file that cannot be written
 * is an error. A gateway that cannot be reached is none: *ret_warning (the caller frees; NULL: nothing to say) says it.
 * The config is borrowed. */
bool metrics_keep_begin(struct metrics_keep **ret, const struct metrics_keep_config *config, char **ret_warning,
                        GError **error);
/* The last state is written; NULL, or what went wrong last and was not mended: the caller frees. NULL is fine. */
char *metrics_keep_end(struct metrics_keep *keep);
