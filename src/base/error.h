/* One error domain. Its codes are rows of base/error_rows.h: name, class, exit status, words.
 *
 * The class says what the caller may do, the exit status what `main` returns: the retry loop, the quarantine and main
 * hold no list of codes. Functions return bool and set a GError in this domain; nothing below cli/ logs an error. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum error_class {
    ERROR_TRANSIENT, /* trying again may help; a write is never repeated without asking the fence */
    ERROR_RECORD,    /* this record is refused; the work goes on */
    ERROR_FATAL,     /* stop, keep everything, say what to do */
};

enum error_code {
#define ROW(code, name, class, exit_status, words) SLUICE_ERROR_##code,
#include "base/error_rows.h"
#undef ROW
    SLUICE_ERROR_COUNT
};

struct error_row {
    const char *name;
    enum error_class class;
    int exit_status;
    const char *words;
};

#define SLUICE_ERROR (error_domain())
GQuark error_domain(void);

const struct error_row *error_row(enum error_code code);

struct exit_row {
    int status;
    const char *words;
};
const struct exit_row *exit_row_at(size_t i); /* in ascending order; NULL: no more */

/* Of any GError: one from another domain counts as SLUICE_ERROR_INTERNAL. */
enum error_class error_class(const GError *error);
int error_exit_status(const GError *error);
bool error_is(const GError *error, enum error_code code);
/* Takes a failure that is none where it has this code: true, and it is forgotten. Any other becomes *error: false. */
bool error_forgive(GError *failed, enum error_code code, GError **error);

/* Set *error and return false, so that a function can end with `return error_set(error, SLUICE_ERROR_X, "…")`. */
bool error_set(GError **error, enum error_code code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same for a failed system call: ENOSPC, EROFS, EACCES, ENOENT … choose the code, strerror() ends the message. */
bool error_set_errno(GError **error, int saved_errno, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Put "what: " before the message, and return false. Each level adds what it knows. NULL-safe. */
bool error_add(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* While cleaning up, the first error wins: keep *error if it is set, else take `later`. Owns `later`. */
void error_keep_first(GError **error, GError *later);
