/* Rollback takes keys, not partitions: all applied entries of one key form a chain in the order of their sequences and
 * are undone from its end.
 *
 * undo_chains_build() reads the whole log twice, memory-bounded (base/extsort), and writes HOME/undo/RUN/chains: one
 * item a key in the order in which its pre-image lies in the log, so that the rollback reads the log forwards. For each
 * key it walks the chain back from the last applied entry for as long as an entry's pre-image is what the one before it
 * wrote; the pre-image where the walk ends is what goes back, and the last entry's digest is what must stand now.
 *
 * What an earlier rollback took back does not stand any more: its own entries, of partitions from UNDO_ROLLBACK_PART
 * on, take those that they undid off the chain. So a stage can be rolled back, done again, and then the run as a whole;
 * a key of which nothing stands has no item. Entries of partitions that are not asked for are not undone, and end the
 * walk.
 *
 * Memory: 48 MiB at 10 million entries (two sorters of 12, outcomes, one block). Disk: 105 bytes an entry meanwhile. */
#pragma once

#include "undo/undo.h"

struct undo_chains;

struct undo_filter {
    const uint32_t *parts; /* sorted */
    size_t n;
    const bool *back;        /* of each of the parts: an earlier rollback is through with it. What it has lost is listed
                                once more, but no key goes back a second time. NULL: none of them */
    const uint64_t *written; /* of each of the parts: how many applied writes are known elsewhere (the catalog counts
                                them); NULL: not known. Where the log shows fewer, it has lost them. */
    const uint32_t *lanes;   /* of each of the parts: its newest, whose opening has settled what the lower ones left. An
                                entry of a lower one that nobody settled came after: its write was refused. NULL: none is
                                known */
    uint32_t own_from; /* the rollback's own partitions, from this one on: made anew in its middle, chains are what they
                          were when it began, with the same indexes, and its own entries are passed over. 0: it has none
                          yet */
};

/* Durable when it returns (written aside, fsync, rename, fsync of the directory). Safe to repeat: chains of the same
 * partitions stay as they are, with all their indexes, unless these have written since; what is damaged, or was left
 * unfinished by a kill, is made anew. Every entry of the partitions must be settled, else INTERNAL names the first one
 * that is not. `filter` NULL: all forward partitions. */
bool undo_chains_build(const struct undo_config *config, const struct undo_filter *filter, GError **error);

/* What the log cannot tell by now of what chains would be made of, appended to `into` (of struct undo_damage): as
 * undo_chains_damage(), whatever the file of chains says. Reads the whole log; writes nothing. */
bool undo_chains_losses(const struct undo_config *config, const struct undo_filter *filter, GArray *into,
                        GError **error);

/* When a rollback is over: a later one of the same partitions begins from what then stands. The directory is fsynced;
 * absent already is fine. */
bool undo_chains_drop_durable(const struct undo_config *config, GError **error);

/* Whether the file stands there as it was made. */
bool undo_chains_whole(const struct undo_config *config, bool *ret, GError **error);
/* NOT_FOUND before the first build; CORRUPT where it is damaged. */
bool undo_chains_open(struct undo_chains **ret, const struct undo_config *config, GError **error);
void undo_chains_free(struct undo_chains *chains);
AUTO_DEFINE(undo_chains, undo_chains_free)
uint64_t undo_chains_count(const struct undo_chains *chains);
/* What cannot be undone, of the partitions asked for: blocks that do not verify, by position; entries whose outcome was
 * in such a block, or was cut off; and applied writes of which no intent can be read (position in segment 0, known by
 * number, or by how many there are). `keys`:
 * of a block whose head can be read, how many of its writes were applied or may have been. Torn blocks of which nothing
 * was sent are no loss and not listed. */
const struct undo_damage *undo_chains_damage(const struct undo_chains *chains, size_t *ret_n);

/* One key to take back. */
struct undo_chain {
    struct slice key;
    struct digest written; /* must stand now; zero: the key must be absent */
    bool pre_present;
    struct slice pre_raw;
    int64_t pre_expires_at_ms;
    bool lost; /* the log became unreadable there after the chains were made: nothing of it is known */
};

struct undo_chain_list {
    struct undo_chain *chains;
    size_t n;
};

/* Up to max of them from index `first` on, in `mem`; fewer at the end, and where `mem` is full; none only at the end.
 * Read forwards, each block of the log is read once. One thread. CORRUPT: the file of chains is damaged. */
bool undo_chains_read(struct undo_chains *chains, uint64_t first, size_t max, struct arena *mem,
                      struct undo_chain_list *ret, GError **error);
