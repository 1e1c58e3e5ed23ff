/* Reports of a run that has a key (docs/formats/keys.md): a first line that says so, then each line as one field. Of
 * use to src/verify alone. */
#pragma once

#include "base/seal.h"
#include "verify/verify.h"

struct report_seal {
    const struct world *world;
    uint8_t run_uid[16];
    bool sealed;
    struct seal_key key;
};

/* Of a verification that begins; one of a spec without a run has no key. */
bool report_seal_find(struct report_seal *ret, const struct verify_input *input, GError **error);
/* The same by the first line of a report (without newline). *ret_first: it is such a line, and no difference. */
bool report_seal_read(struct report_seal *ret, const struct world *world, struct slice first, bool *ret_first,
                      GError **error);

/* With its newline; the caller frees. */
char *report_seal_first(const struct report_seal *seal);
/* A line with its newline; as it was where nothing is sealed. */
void report_seal_line(const struct report_seal *seal, GString *io);
/* The line (without newline) as it was; false: it does not open. */
bool report_seal_open(const struct report_seal *seal, struct slice line, GString *into);
