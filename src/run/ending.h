/* How a call on a run ends: each function moves the run, durable with its ledger entry, and fills in the result.
 * Internal to run/. */
#pragma once

#include "run/hold.h"

/* The caller frees. */
char *ending_words(const char *format, ...) G_GNUC_PRINTF(1, 2);
/* Of a run that is paused and needs a person: by whom or what, why, and what goes on. The caller frees. */
char *ending_paused_words(const struct run_row *run);
const char *ending_reason_of(const struct run_row *run);

/* A person's wish from another terminal: pause, abort, rollback, deny. */
bool ending_by_wish(struct hold *hold, const struct wish *wish, struct run_result *ret, GError **error);
/* What its last holder had heard, and whoever asked been told so, when it died or failed: it holds. *ret_go: there was
 * nothing. */
bool ending_by_what_was_heard(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);
bool ending_by_signal(struct hold *hold, struct run_result *ret, GError **error);
/* By the exit status of what went wrong: 5 is a hard guard, everything else may be tried again. Of a run that is being
 * taken back the reason says that `rollback` goes on. Takes `failed` over. */
bool ending_by_failure(struct hold *hold, GError *failed, struct run_result *ret, GError **error);
/* A limit of `protect` that only a person may lift: hold->limit. */
bool ending_by_limit(struct hold *hold, struct run_result *ret, GError **error);
/* Its budget is spent: paused until `set` raises it, with everything that was written checkpointed. */
bool ending_by_budget(struct hold *hold, struct run_result *ret, GError **error);
/* The time of its source has passed (source.until): paused until `set` says that it can still be read. */
bool ending_by_source(struct hold *hold, struct run_result *ret, GError **error);
/* Everything is written and verified: done, if every listed key is accounted for; of a shadow, it is to be promoted. */
bool ending_done(struct hold *hold, struct run_result *ret, GError **error);
