/* Readings from outside of the store: a query of Prometheus, an address, a program; and switches, which say true or
 * false. Each call blocks, up to its time; secrets are asked for at each: they may have been changed. */
#pragma once

#include "spec/spec.h"
#include "store/calls.h"

struct outside {
    const struct world *world;
    const char *base_dir;      /* of the spec: where programs run */
    const atomic_bool *cancel; /* NULL: nobody cancels */
};

/* One number: of several results of a query the worst. What gives none fails, in words that hold no secret. */
bool outside_signal(const struct outside *outside, const struct spec_signal *signal, double *ret, GError **error);

/* What a switch is asked with; `target` is of the thread, for one that is a key. */
struct outside_switch {
    const struct spec_switch *of;
    struct session *target;
    const struct dataset *target_ds;
};
bool outside_enabled(const struct outside *outside, const struct outside_switch *asked, bool *ret, GError **error);
/* Which it is, in words: `file /etc/sluice/go`. The caller frees. */
char *outside_switch_name(const struct spec_switch *of);
