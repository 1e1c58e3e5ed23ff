/* What every test needs: cmocka with the headers it forgets, results with their errors, a directory of its own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/slice.h"

/* The call succeeds; else its error is the message. The expression names a GError * called `error`, NULL before. */
#define kit_ok(call) kit_ok_at((call), &error, &(const struct kit_place){#call, __FILE__, __LINE__})

/* The call fails with the code, and its message contains `part`. *error is cleared for the next call. */
#define kit_refused(call, code, part)                                                                                  \
    kit_refused_at((call), &error, SLUICE_ERROR_##code, part, &(const struct kit_place){#call, __FILE__, __LINE__})

struct kit_place {
    const char *call, *file;
    int line;
};

void kit_ok_at(bool ok, GError **error, const struct kit_place *place);
void kit_refused_at(bool ok, GError **error, enum error_code code, const char *part, const struct kit_place *place);

/* Ends the test as skipped; the reason stands in the list of what was skipped. */
#define kit_skip(...)                                                                                                  \
    do {                                                                                                               \
        kit_reason(__VA_ARGS__);                                                                                       \
        skip();                                                                                                        \
    } while (0)
void kit_reason(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* One bit in the middle of the file is another. */
void kit_damage(const char *path);

/* Of a slice and a text. */
#define kit_equal_text(slice, text) kit_equal_text_at((slice), (text), __FILE__, __LINE__)
void kit_equal_text_at(struct slice bytes, const char *text, const char *file, int line);

/* An empty directory below $TMPDIR, as a cmocka setup and teardown: *state is its path. */
int kit_dir_setup(void **state);
int kit_dir_teardown(void **state); /* removes it with all that is in it */
void kit_dir_remove(const char *path);
