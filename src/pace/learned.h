/* What a pace has learnt of its servers (servers.h), from its end to the beginning of the next in the same process: no
 * lock, no clock of its own. */
#pragma once

#include "base/auto.h"
#include "pace/governor.h"

#include <stddef.h>

struct pace_learned {
    struct governor_promise promise; /* under which */
    int64_t turned_us, period;       /* of its lulls */
    struct pace_learned_server *servers;
    size_t n;
};

struct pace_learned *pace_learned_new(const struct governor_promise *promise, int64_t turned_us, int64_t period);
void pace_learned_free(struct pace_learned *learned); /* NULL: nothing */
AUTO_DEFINE(pace_learned, pace_learned_free)
/* To be filled in, before the next one is added. */
struct governor_learned *pace_learned_add(struct pace_learned *learned, const char *name);
const struct governor_learned *pace_learned_of(const struct pace_learned *learned,
                                               const char *name); /* NULL: nothing */
bool pace_learned_fits(const struct pace_learned *learned, const struct governor_promise *promise);
