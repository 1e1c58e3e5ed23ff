/* The batches of a scan, read ahead: while one is used, a thread of its own asks the store for the next, so that
 * neither waits for the other. */
#pragma once

#include "store/calls.h"

struct ahead;

/* From here until ahead_close() the scan and its session are the thread's alone; they are closed behind it, by the
 * caller. Of `call` its memory is not used: a batch lies in one of two arenas of `mem_bytes` at most. */
bool ahead_open(struct ahead **ret, struct scan *scan, const struct call *call, size_t mem_bytes, GError **error);
/* Waits for the thread, which may be in the middle of a call. Accepts NULL. */
void ahead_close(struct ahead *ahead);
AUTO_DEFINE(ahead, ahead_close)

/* The next batch, until the call after it. Not behind the last one (`done`), nor behind a failure. */
bool ahead_next(struct ahead *ahead, struct batch *ret, GError **error);
