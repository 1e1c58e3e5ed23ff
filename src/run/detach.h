/* A command on a run in a process of its own, in a session of its own: it outlives whoever starts it. What it tells
 * stands in the home (runs/RUN.log). */
#pragma once

#include "base/world.h"

struct detach_wish {
    const struct world *world;
    const char *home, *run; /* NAME.N */
    char *const *argv;      /* argv[0]: the program; ends with NULL */
    char *const *envp;
};

struct detached {
    char *run, *log;
    uint64_t log_bytes; /* what stood in it before */
    int64_t pid;
};
void detached_done(struct detached *detached);

bool detach_start(const struct detach_wish *wish, struct detached *ret, GError **error) must_use;

/* Waits until it drives the run (nothing stands in its way: run_lock_begins()), has come to its end before (*ret_ended,
 * and its exit status), or `wait_us` is over. On failure it goes on. */
bool detach_await(const struct detach_wish *wish, const struct detached *detached, int64_t wait_us, bool *ret_ended,
                  int *ret_status, GError **error) must_use;

/* What it has told since it was started: of more than 16 MiB the end; empty where its log cannot be read. The caller
 * frees. */
char *detach_said(const struct world *world, const struct detached *detached);
