/* Other processes: one that outlives the one that starts it, and one that is waited for. */
#pragma once

#include "base/auto.h"
#include "base/error.h"
#include "base/world.h"

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

/* What a child gets of our environment: what programs need to run, and nothing in which the secret of a store may be.
 * The caller frees it, by g_strfreev(). */
char **process_environment(void) must_use;

/* A process that is waited for. */
struct process_call {
    const char *const *argv; /* argv[0]: a path, or a name that PATH is searched for */
    const char *const *envp;
    const char *dir;           /* where it runs, and what a relative argv[0] is relative to */
    struct slice input;        /* what it reads */
    int64_t timeout_us;        /* then it is killed, with its process group */
    const atomic_bool *cancel; /* then too; NULL: nobody cancels */
    const atomic_int *signals; /* the same: how many there were; NULL */
    /* Told what it prints, as it does; NULL: nobody. */
    void (*heard)(void *self, const char *text, size_t len);
    void *heard_self;
    size_t keep_bytes; /* of what it prints, the end */
    bool mute;         /* what it prints on standard error is not kept */
};

struct process_end {
    int status; /* exit status, 128 and more where a signal ended it */
    char *output;
    size_t output_len, printed; /* kept; printed in all */
};

/* Runs it to its end, in a session and process group of its own; nothing but its standard files is open there. False:
 * it could not be started (as errno says), TIMED_OUT, or CANCELLED; then nothing of its group is left, and
 * `ret->output` is what it had printed (NULL where it never ran). The caller frees the output. What it leaves running
 * behind its own end is let be. */
bool process_run(const struct world *world, const struct process_call *call, struct process_end *ret,
                 GError **error) must_use;
