/* Another process, which outlives the one that starts it. */
#pragma once

#include "base/auto.h"
#include "base/error.h"

struct process_wish {
    char *const *argv; /* argv[0]: the program's path */
    char *const *envp;
    const char *log; /* what it prints is added to this file, made when absent */
};

/* Starts it in a session of its own: no terminal's end reaches it. It reads nothing, and of the files that are open
 * here it gets none. */
bool process_detach(const struct process_wish *wish, int64_t *ret_pid, GError **error) must_use;

/* Whether a process that was started here has ended; its exit status, 128 and more where a signal ended it. */
bool process_ended(int64_t pid, int *ret_status);

/* The path of this very program; the caller frees. */
char *process_self(GError **error) must_use;
