/* Many errors of one file, all reported at once: `file:line:column: message`. */
#pragma once

#include "base/auto.h"
#include "base/error.h"

struct diags;

struct diag {
    const char *file; /* owned by the diags */
    uint32_t line;    /* from 1; 0: the file as a whole */
    uint32_t column;  /* from 1, in bytes */
    const char *text; /* what is wrong, what was expected, what to do */
};

struct diags *diags_new(void);
void diags_free(struct diags *diags);
AUTO_DEFINE(diags, diags_free)

void diags_add(struct diags *diags, const char *file, uint32_t line, uint32_t column, const char *format, ...)
    G_GNUC_PRINTF(5, 6);
size_t diags_count(const struct diags *diags);
const struct diag *diags_at(const struct diags *diags, size_t i);

/* Sorted by file, line, column; one line each, joined by newlines. The caller frees. */
char *diags_text(const struct diags *diags);

/* true where there are none; else an error of `code` whose message is diags_text(). */
bool diags_settle(const struct diags *diags, enum error_code code, GError **error) must_use;
