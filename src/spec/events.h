/* What a hook can be called for: one table (spec/hook_rows.h) for the spec, the catalog, what hooks are given and the
 * docs. */
#pragma once

#include <stdint.h>

enum spec_event {
#define EVENT(symbol, word, words) SPEC_EVENT_##symbol,
#include "spec/hook_rows.h"
#undef EVENT
    SPEC_EVENT_COUNT
};
const char *spec_event_word(enum spec_event event);

/* Sets of them. */
#define SPEC_EVENT(symbol) (UINT32_C(1) << SPEC_EVENT_##symbol)
/* Those behind which somebody has to look, and most often to act. */
#define SPEC_EVENTS_PERSON                                                                                             \
    (SPEC_EVENT(RUN_PAUSED) | SPEC_EVENT(RUN_HALTED) | SPEC_EVENT(RUN_FAILED) | SPEC_EVENT(GATE_WAITING) |             \
     SPEC_EVENT(STAGE_FAILED))
