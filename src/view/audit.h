/* The ledger, as other programs read it. */
#pragma once

#include <jansson.h>

#include "catalog/ledger.h"

json_t *audit_entry_json(const struct ledger_entry *entry);

/* Its chain, checked, and the head that it has: the document of `audit verify --json`. `head`: as ledger_verify(). */
struct audit_verdict {
    struct ledger_verdict chain; /* its text lives in the arena */
    uint8_t head[32];
};
bool audit_look(struct catalog *catalog, const uint8_t *head, struct arena *mem, struct audit_verdict *ret,
                GError **error);
json_t *audit_verdict_json(const struct audit_verdict *verdict);
