/* A verification for people: one HTML page that needs nothing beside itself. No script, no request: its own policy
 * forbids both. Everything that comes from records is shown as text, whatever bytes it is. */
#pragma once

#include "verify/picture.h"
#include "verify/shift.h"
#include "verify/strata.h"

/* Text between tags or in a quoted attribute: what marks up, what is no UTF-8, and what a reader would not see or would
 * see elsewhere (controls, marks that turn the direction of writing) stands as its code. */
void page_escape(GString *page, const char *text);

struct theirs;
struct page {
    const struct verify_input *input;
    const struct verify_result *result;
    const struct picture *picture;
    const struct strata_told *strata; /* NULL: it was no sample */
    struct shift *shift;
    struct theirs *theirs; /* NULL: nobody else judged */
};
/* The caller frees. */
GString *page_of(const struct page *page);
