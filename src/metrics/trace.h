/* What a run does, told batch by batch while it is at work: to whoever wants each of them, and as a trace (run → stage
 * → partition → batch) to an OTLP collector over HTTP.
 *
 * A thread of its own reads the checkpoints and the ledger from a catalog of its own, every second and once more at the
 * end; nothing of the run waits for it. A collector that cannot be reached is asked again; of more than TRACE_MOST
 * spans that wait the oldest are dropped, and counted. The secret of the header is kept until the collector refuses it.
 * Each process that drives a run is a span of its own in the run's trace. */
#pragma once

#include "catalog/pages.h"

struct trace_keep;

#define TRACE_MOST 20000u

struct trace_keep_config {
    const struct world *world;
    const char *home, *run; /* NAME.N */
    const char *collector;  /* its address, secrets not replaced; NULL: no trace is sent */
    const char *header;     /* `Name: value` that the collector asks for, secrets not replaced; NULL: none */
    double share;           /* of the partitions whose spans are sent */
    const char
        *traceparent; /* of the call; NULL: the trace is the run's own. What it says is not recorded is not sent */
    void (*batch)(void *self, const struct run_row *run, const char *stage, const struct batch_row *batch);
    void *batch_self; /* by the thread; `batch` NULL: nobody wants them */
};

/* Where spans are sent: /v1/traces of the address, which may hold that already. The caller frees. */
char *trace_keep_url(const char *collector);

/* The config is borrowed. USAGE: the address, the header or the share is none; SPEC: the secret of the header cannot be
 * had. */
bool trace_keep_begin(struct trace_keep **ret, const struct trace_keep_config *config, GError **error);
/* The rest is sent; NULL, or what went wrong last and was not mended: the caller frees. NULL is fine. */
char *trace_keep_end(struct trace_keep *keep);
