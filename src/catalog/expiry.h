/* What a run has left in the home, and that it has gone.
 *
 * A row of `expiry` is a tombstone: it is committed, with its ledger entry, before the first file of it is removed, and
 * says when the last one was. From it on nobody counts on those files, whatever a death has left of them. */
#pragma once

#include "catalog/catalog.h"

enum expiry_what {
#define EXPIRY(symbol, word, words) EXPIRY_##symbol,
#include "catalog/expiry_rows.h"
#undef EXPIRY
    EXPIRY_COUNT
};
const char *expiry_word(enum expiry_what what);
const char *expiry_words(enum expiry_what what); /* what it is */

struct expiry {
    int64_t at_ms;   /* 0: it stands */
    int64_t done_ms; /* all of it is gone; 0: not yet */
};
struct expiries {
    int64_t over_ms; /* when the run came to its end; 0: it has not */
    struct expiry of[EXPIRY_COUNT];
};
bool catalog_expiries(struct catalog *catalog, int64_t run, struct expiries *ret, GError **error);

/* The tombstone, durable, with the ledger entry `expired`. REFUSED unless the run is over. One that is there stays. */
bool catalog_expire(struct catalog *catalog, int64_t run, enum expiry_what what, const struct act *act, GError **error);
/* Of a run whose reports have expired: keys of records, and words in which some may stand, go out of its rows too. */
bool catalog_expire_rows(struct catalog *catalog, int64_t run, GError **error);
/* What was deleted is nowhere in the catalog's files any more. BUSY while another process reads for too long. */
bool catalog_wipe(struct catalog *catalog, GError **error);
/* All of it is gone. */
bool catalog_expire_done(struct catalog *catalog, int64_t run, enum expiry_what what, GError **error);
