/* The whole ledger as one file, a line of JSON an entry as a bundle has them (docs/formats/bundle.md): to be kept where
 * nobody of the home can reach it, and checked there by its own bytes. */
#pragma once

#include "catalog/ledger.h"

struct audit_export {
    const struct world *world;
    struct catalog *catalog; /* that may be written: the ledger says who took it */
    const char *path;        /* replaced as a whole */
    struct act act;
};
struct audit_exported {
    uint64_t entries;
    uint8_t head[32];
};
bool audit_export_durable(const struct audit_export *wish, struct audit_exported *ret, GError **error);

/* What does not hold is not an error of the call; CORRUPT, NOT_FOUND: it is no export. `head`: as of ledger_verify().
 */
struct audit_export_verdict {
    struct ledger_verdict chain;
    uint8_t head[32]; /* of the last entry that holds */
};
bool audit_export_verify(const struct world *world, const char *path, const uint8_t *head,
                         struct audit_export_verdict *ret, GError **error);
