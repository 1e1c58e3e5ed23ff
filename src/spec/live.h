/* What `protect.live.p99` promises to live requests: `+10% or +0.5ms` (the larger of the two, above what they take
 * without sluice), one of them alone, or `20ms`, which they are not to pass however slow they are without it. */
#pragma once

#include "base/error.h"

#define SPEC_LIVE_FORM "+10% or +0.5ms, one of the two, a time such as 20ms that is not to be passed, or none"

/* All zero: nothing is promised. */
struct spec_live {
    double share, absolute_us; /* above what is felt without us; the larger one holds */
    double limit_us;           /* 0: none */
};

bool spec_live_parse(const char *text, struct spec_live *ret);
char *spec_live_text(const struct spec_live *live); /* as it is parsed; the caller frees */
static inline bool spec_live_given(const struct spec_live *live)
{
    return live->share > 0 || live->absolute_us > 0 || live->limit_us > 0;
}
