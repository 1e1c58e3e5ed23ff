/* Rollback takes keys, not partitions: all applied entries of one key form a chain in the order of their sequences and
 * are undone from its end.
 *
 * undo_chains_build() reads the whole log once, memory-bounded (base/extsort), and writes HOME/undo/RUN/chains: one
 * item a key in the order in which its pre-image lies in the log, so that the rollback reads the log forwards. For each
 * key it walks the chain back from the last applied entry for as long as an entry's pre-image is what the one before it
 * wrote; the pre-image where the walk ends is what goes back, and the last entry's digest is what must stand now.
 * Blocks that do not verify are damage: counted and listed by position, the rest goes on. */
#pragma once

#include "undo/undo.h"

struct undo_chains;

struct undo_filter {
    const uint32_t *parts; /* sorted; NULL: all forward partitions */
    size_t n;
};

/* Durable when it returns. Safe to repeat: the same log gives the same file. Every forward entry must be settled. */
bool undo_chains_build(const struct undo_config *config, const struct undo_filter *filter, GError **error);

bool undo_chains_open(struct undo_chains **ret, const struct undo_config *config, GError **error);
void undo_chains_free(struct undo_chains *chains);
AUTO_DEFINE(undo_chains, undo_chains_free)
uint64_t undo_chains_count(const struct undo_chains *chains);
const struct undo_damage *undo_chains_damage(const struct undo_chains *chains, size_t *ret_n);

/* One key to take back. */
struct undo_chain {
    struct slice key;
    struct digest written; /* must stand now; zero: the key must be absent */
    bool pre_present;
    struct slice pre_raw;
    int64_t pre_expires_at_ms;
};

/* Up to max of them from index `first` on, in `mem`; *ret_n < max only at the end. */
bool undo_chains_read(struct undo_chains *chains, uint64_t first, size_t max, struct arena *mem,
                      struct undo_chain **ret, size_t *ret_n, GError **error);
