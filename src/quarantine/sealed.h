/* Rows that are sealed (docs/formats/quarantine.md): where the run has a key, what a row says of its record stands in
 * it as one field. Of use to src/quarantine alone. */
#pragma once

#include "base/seal.h"
#include "quarantine/line.h"

/* Whose lines they are, and by what they are sealed. */
struct line_whose {
    const struct world *world;
    uint8_t run_uid[16];
    const char *sealed_as; /* NULL: they are not */
    struct seal_key key;
};

bool line_whose_find(struct line_whose *ret, const struct quarantine_config *config, GError **error);
/* The same by the first line of a file (without newline), for who knows nothing else of it. A line that is none:
 * nothing is sealed. */
bool line_whose_read(struct line_whose *ret, const struct world *world, struct slice first, GError **error);

/* `io` from `from` on, the fields of a row behind its numbers, becomes one field. */
void line_seal(const struct line_whose *whose, const struct line_head *head, GString *io, gsize from);
/* A row that verified as it would stand there if nothing were sealed; one that is not sealed as it is. In `mem`.
 * CORRUPT where it does not open, TOO_BIG. */
bool line_unseal(const struct line_whose *whose, struct slice line, struct arena *mem, struct slice *ret,
                 GError **error);
