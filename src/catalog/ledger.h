/* The ledger: the append-only, hash-chained record of every action.
 *
 * Each entry holds the BLAKE2b-256 digest of the one before it, who, when, what, why, the run and the digests of plan,
 * spec, contract and transform. Any change to an entry before a head that is known from elsewhere is found offline.
 * Bytes that are digested: docs/formats/ledger.md. Entries are written by the catalog inside the transaction of the
 * act. */
#pragma once

#include "catalog/catalog.h"

struct ledger_entry {
    uint64_t number; /* from 1 */
    int64_t at_ms;
    const char *actor, *action, *reason; /* action: planned, running, paused, wish, force-unlock, verified … */
    const char *run;                     /* NAME.N; NULL */
    struct plan_digests digests;
    const char *details; /* canonical JSON object; NULL */
    uint8_t previous[32], digest[32];
};

/* An act that moves no state (force-unlock, report, export …): of `entry` everything but number, at_ms and the two
 * digests of the chain, which the ledger gives. An empty `actor` or `action` is a fault of the caller. */
bool ledger_append(struct catalog *catalog, const struct ledger_entry *entry, GError **error);

/* What `digest` has to be, of everything else in the entry. */
void ledger_entry_digest(const struct ledger_entry *entry, uint8_t ret[32]);

struct ledger_entries {
    struct ledger_entry *rows;
    size_t n;
};
/* Up to `max` entries from number `from` on, in order. */
bool ledger_read(struct catalog *catalog, uint64_t from, size_t max, struct arena *mem, struct ledger_entries *ret,
                 GError **error);
/* The newest entry's number and digest; 0 and zeros where the ledger is empty. */
bool ledger_head(struct catalog *catalog, uint64_t *ret_number, uint8_t ret_digest[32], GError **error);

/* Recomputes the chain. A break is not an error of the call: ret->ok false, ret->number the first bad entry, ret->text
 * what is wrong. `head` (NULL: none): a digest known from elsewhere that must be one of the chain's. */
struct ledger_verdict {
    bool ok;
    uint64_t entries, number;
    const char *text;
};
bool ledger_verify(struct catalog *catalog, const uint8_t *head, struct arena *mem, struct ledger_verdict *ret,
                   GError **error);
