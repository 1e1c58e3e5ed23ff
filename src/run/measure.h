/* The figures of a spec (`measures`) around a run: taken and recorded before its first write, together with what a
 * sample forecasts of them, and read again by whoever judges it. Internal to run/. */
#pragma once

#include "run/hold.h"
#include "verify/measures.h"

/* Asks what is outside: a Prometheus, an address, a program in the folder of the spec. */
struct measure_asking {
    const struct world *world;
    const char *base_dir;
};
bool measure_ask(void *self, const struct spec_measure *measure, const atomic_bool *cancel, double *ret,
                 GError **error);

/* What the ledger has of them; *ret_taken false: nothing. */
bool measure_recorded(struct hold *hold, struct measures *io, bool *ret_taken, GError **error);
/* Takes what they are now, and what a sample says will come of them. Of a thread of its own: it does not touch the
 * hold's catalog, which whoever watches is using. */
bool measure_before(const struct hold *hold, const struct verify_input *input, struct measures *io, GError **error);
/* Records both as one entry (`measured`): durable before the first write, so that they are never taken twice. */
bool measure_record_durable(struct hold *hold, const struct measures *measures, GError **error);
