/* Until when the source of a run can be read (`source.until`), and whether the run is through with it by then. Pure.
 * docs/guards.md is the user's page. */
#pragma once

#include "catalog/catalog.h"

/* Through with its source is a run when all of it is written and verified: both read it. */
struct readable {
    int64_t until_ms; /* wall time; 0: nobody said, or the run needs it no longer */
    bool passed;      /* it is over */
    bool known;       /* enough is done to learn from: a hundredth of the way */
    bool stands;      /* the run is paused, or waits: what is left begins when it goes on */
    int64_t there_ms; /* when it is through, if it goes on now as it did so far (known) */
    int64_t go_on_ms; /* when it has to go on at the latest (known) */
    bool late;        /* it has passed, or the run will not be through by then */
};
struct readable readable_of(const struct run_row *run, int64_t until_ms, int64_t now_ms);

/* What follows "its source"; the caller frees. */
char *readable_words(const struct readable *readable);

/* What is added to the words of a pause, or of a wait until `goes_on_ms` (0: nobody knows when it ends): empty where
 * nobody said until when, or such a wait does not outlive it. The caller frees. */
char *readable_pause_words(const struct run_row *run, int64_t until_ms, int64_t now_ms, int64_t goes_on_ms);
