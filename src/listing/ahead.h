/* Keys that are made ready ahead: while some are used, a thread of its own gets more, so that neither waits for the
 * other. Of a scan as much is read ahead as comes while a sorted run is made: a store that has to wait meanwhile would
 * be idle for a third of the time. */
#pragma once

#include "store/calls.h"

struct ahead;

/* Of one batch. They are whose they were given, to be changed too. */
struct ahead_keys {
    struct slice *keys;
    size_t n;
    bool done; /* there are no more behind them */
};

/* Where they come from: the next ones, into `mem`. From ahead_open() until ahead_close() it is the thread's alone. */
struct ahead_source {
    bool (*next)(void *self, struct arena *mem, struct ahead_keys *ret, GError **error);
    void *self;
};

/* The keys of each of AHEAD_BATCHES take `mem_bytes` at most. */
enum { AHEAD_BATCHES = 16 };
bool ahead_open(struct ahead **ret, const struct ahead_source *source, size_t mem_bytes, GError **error);
/* Of a scan: it and its session are the thread's alone likewise; they are closed behind it, by the caller. Of `call`
 * its memory is not used: a batch takes `mem_bytes` more. */
bool ahead_open_scan(struct ahead **ret, struct scan *scan, const struct call *call, size_t mem_bytes, GError **error);
/* Waits for the thread, which may be in the middle of a call. Accepts NULL. */
void ahead_close(struct ahead *ahead);
AUTO_DEFINE(ahead, ahead_close)

/* The next keys, until the call after it. Not behind the last ones (`done`), nor behind a failure. */
bool ahead_next(struct ahead *ahead, struct ahead_keys *ret, GError **error);
