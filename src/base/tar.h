/* A tar archive in memory, as POSIX.1-1988 has it (ustar): regular files, in the order in which they are put. Pure. */
#pragma once

#include <glib.h>

#include "base/slice.h"

struct tar_file {
    const char *path; /* relative; at most 100 bytes, or 255 that a `/` parts into 155 and 100 */
    struct slice bytes;
    int64_t at_ms; /* since 1970 */
};
/* TOO_BIG: the path is too long, or the file has 8 GiB or more; then `into` is as it was. */
bool tar_put(GString *into, const struct tar_file *file, GError **error);
/* What ends it; nothing may be put behind that. */
void tar_end(GString *into);
