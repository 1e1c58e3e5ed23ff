/* The record of one run as a folder that proves itself: for whoever asks, months later and on another machine, who
 * asked for what, who approved it and why, what was read, written and found.
 *
 *     manifest.json     what the folder holds, with a BLAKE2b-256 of each file; of the run, its home, the ledger's
 * slice run.json          how the run stands: state, totals, stages plan.json         the frozen plan, byte for byte as
 * it is digested texts/…           spec, contract, transform and fixtures as they were read reports/…         each
 * verification: its summary and its differences ledger.ndjson     every entry from the run's first to its last, those
 * of other runs between them too: a chain has no gaps timeline.txt      the run's entries for people
 *
 * No secret is in it: texts and plan hold ${…} and not what it stands for. docs/formats/bundle.md has the bytes. */
#pragma once

#include "catalog/ledger.h"

struct audit_bundle {
    const struct world *world;
    struct catalog *catalog; /* that may be written: the ledger says who took the record */
    const char *run;         /* NAME.N, or NAME */
    const char *dir;         /* REFUSED where something stands there */
    GString *archive;        /* the same as a tar archive (ustar) in memory, in a folder DIR; NULL: on disk */
    size_t archive_most;     /* bytes; TOO_BIG: it would be more */
    struct act act;
};
struct bundle_made {
    size_t files;
    uint64_t first, last; /* of the ledger's entries */
    uint8_t manifest[32]; /* its digest: worth keeping elsewhere */
};
/* Whatever comes of it, the manifest is written last: a folder without one is none. */
bool audit_bundle_make(const struct audit_bundle *wish, struct bundle_made *ret, GError **error);

/* One thing that was looked at. */
struct bundle_check {
    bool ok;
    char *name, *words;
};
struct bundle_verdict {
    bool ok;
    char *run;
    uint8_t manifest[32];
    GArray *checks; /* of struct bundle_check */
};
/* Needs nothing but the folder. `head` (NULL: none): a digest known from elsewhere that must be one of the slice's.
 * What does not hold is not an error of the call; NOT_FOUND or CORRUPT: there is no bundle. */
bool audit_bundle_verify(const struct world *world, const char *dir, const uint8_t *head, struct bundle_verdict *ret,
                         GError **error);
void bundle_verdict_done(struct bundle_verdict *verdict);
