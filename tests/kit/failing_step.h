/* SQLite whose n-th statement fails: a program's own functions stand before those of its libraries.
 *
 *     step_fails = n;  …  step_fails = 0;      steps_met < n: there was no n-th
 *     step_gives = rc;                         not as if the disk had failed
 *
 * Of the thread that asks for it alone: what others do meanwhile is not the same each time. Included by the one file of
 * a test. */
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>

static _Thread_local unsigned steps_met, step_fails; /* 0: none */
static _Thread_local int step_gives = SQLITE_IOERR_READ;
static _Thread_local bool inside; /* what SQLite asks itself */

int sqlite3_exec(sqlite3 *handle, const char *sql, int (*each)(void *, int, char **, char **), void *self, char **fault)
{
    static int (*real)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
    if (!real)
        real = (int (*)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **))dlsym(
            RTLD_NEXT, "sqlite3_exec");
    bool was = inside;
    inside = true;
    int rc = real(handle, sql, each, self, fault);
    inside = was;
    return rc;
}

int sqlite3_step(sqlite3_stmt *statement)
{
    static int (*real)(sqlite3_stmt *);
    if (!real)
        real = (int (*)(sqlite3_stmt *))dlsym(RTLD_NEXT, "sqlite3_step");
    if (inside || step_fails == 0 || ++steps_met != step_fails)
        return real(statement);
    errno = EIO;
    return step_gives;
}
