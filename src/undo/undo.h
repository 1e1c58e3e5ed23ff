/* The undo log: pre-images, durable before the write that they undo.
 *
 * One log per run, written by the one process that holds the run: HOME/undo/RUN/ with a MANIFEST and append-only
 * segments NNNNNN.undo (docs/formats/undo.md). A process that takes a run over begins a new segment; it never appends
 * to an old one. The design pages sketch a file per partition; one shared log lets the batches of all workers become
 * durable with one fdatasync (group commit), and 10,000 partitions are not 10,000 files. Blocks name their partition,
 * so that an index by partition is a walk over block heads.
 *
 * Rules that everything else leans on:
 *   1. a batch's intents are durable (undo_intents_durable) before its cas is sent;
 *   2. its outcomes are appended (undo_outcomes) before its checkpoint; they become durable with the next sync of
 * anyone, and at the latest in undo_sync_durable() before the partition's last checkpoint;
 *   3. a fence's base moves only with a cas that follows a later intents sync, so whatever outcome is missing here
 * after a crash is still told by the fence.
 *
 * Threads: a struct undo_log is shared by the workers of the process; a reader belongs to one thread. Blocks are put
 * together and written (into the page cache) under the log's append lock, which guards the end of the segment; syncs
 * run under no lock at all (base/groupsync). The two locks are never held together, and no other is taken under either:
 * they are the lowest rank. */
#pragma once

#include "base/world.h"
#include "record/digest.h"
#include "record/document.h"

struct undo_log;

/* Where a block begins. */
struct undo_position {
    uint32_t segment; /* from 1; 0: before everything */
    uint64_t offset;
};

/* Rollback has partitions of its own, numbered from here on; their entries are journalled in the same log. */
#define UNDO_ROLLBACK_PART UINT32_C(0x80000000)
/* So has the promotion of a shadow, above them; what it wrote is taken back like what a run writes in place. */
#define UNDO_PROMOTION_PART UINT32_C(0xc0000000)

static inline bool undo_part_is_back(uint32_t part)
{
    return part >= UNDO_ROLLBACK_PART && part < UNDO_PROMOTION_PART;
}

enum undo_verb { UNDO_PUT, UNDO_DELETE };

/* One write that is about to be sent: what stands now, and what will. */
struct undo_intent {
    struct slice key;
    enum undo_verb verb;
    bool pre_present;
    struct slice pre_raw; /* the pre-image's raw bytes; empty when absent */
    int64_t pre_expires_at_ms;
    struct digest written; /* stored digest of what will be written; zero for a delete */
};

/* The intents of one batch: numbers first_number … first_number + n - 1 of the lane, sequences alike. A sequence is
 * unique in the run and grows with causality: a write that read another's result has the higher one, whatever its lane.
 */
struct undo_batch {
    uint32_t part, lane;
    uint64_t first_number, first_sequence;
    const struct undo_intent *intents;
    size_t n;
};

struct undo_config {
    const struct world *world;
    const char *dir; /* HOME/undo/RUN */
    uint8_t run_uid[16];
    uint64_t segment_bytes; /* a new segment after about so many; 0: 256 MiB */
};

/* A block that does not verify. `proven`: a later sync covered it, so it once held what was acknowledged. Not proven:
 * it may be what a crash tore, of which nothing was ever sent; the fence knows (no number of it is marked there). */
struct undo_damage {
    struct undo_position at;
    uint32_t part; /* UINT32_MAX when the head is unreadable too */
    uint32_t lane;
    uint64_t first_number;
    uint32_t keys; /* how many entries it held or told the outcome of, by its head; 0 unknown */
    bool proven;
    bool cut_off; /* by its lengths it goes on behind the end of its file, as what a crash tears does */
};

/* Makes durable what a dead process left unsynced (one fdatasync of its segment), then begins a new segment (its
 * header, its directory and the manifest synced) after whatever is there. CORRUPT when what is there belongs to another
 * run, or segments stand there without a manifest. */
bool undo_open(struct undo_log **ret, const struct undo_config *config, GError **error);
void undo_free(struct undo_log *log);
AUTO_DEFINE(undo_log, undo_free)

/* Appends and syncs (group commit: one fdatasync may serve several callers). *ret is where the block begins: the undo
 * position of the batch's checkpoint. After a failed sync every call fails with SYNC_FAILED; after a failed append
 * (NO_SPACE …) that call's block is not in the log, and others may go on. */
bool undo_intents_durable(struct undo_log *log, const struct undo_batch *batch, struct undo_position *ret,
                          GError **error);

/* applied: one bit per number, least significant first; (n + 7) / 8 bytes. Also used by whoever settles the batch of a
 * dead process. */
struct undo_outcome {
    uint32_t part, lane;
    uint64_t first_number;
    size_t n;
    struct slice applied;
};
bool undo_outcomes(struct undo_log *log, const struct undo_outcome *outcome, GError **error);
bool undo_sync_durable(struct undo_log *log, GError **error);

/* Where the next block would begin: the position that a grant records. */
struct undo_position undo_here(struct undo_log *log);

uint64_t undo_bytes(struct undo_log *log); /* written by this process */
uint64_t undo_syncs(struct undo_log *log); /* group commits so far */

/* --- reading what a dead process left ----------------------------------------------------------------------------- */

enum undo_state { UNDO_UNKNOWN, UNDO_APPLIED, UNDO_NOT_APPLIED };

struct undo_entry {
    uint32_t part, lane;
    uint64_t number, sequence;
    enum undo_verb verb;
    enum undo_state state;
    bool pre_present;
    struct slice key, pre_raw;
    int64_t pre_expires_at_ms;
    struct digest written;
};

/* An entry of a tail. What is to go back is not in it: of a tail nothing is undone. */
struct undo_left {
    uint32_t part, lane;
    uint64_t number, sequence;
    enum undo_verb verb;
    enum undo_state state;
    struct slice key;
    struct digest before, written; /* stored digests; zero: no record */
    int64_t before_expires_at_ms;  /* of what stood there; EXPIRES_NEVER where nothing did */
};

struct undo_nameless {
    uint32_t lane;
    uint64_t first_number;
    uint32_t n;
};

struct undo_tail {
    struct undo_left *entries; /* in the order of the log */
    size_t n;
    struct undo_nameless *nameless; /* by lane and number: applied, as an outcome says, and no entry that can be read */
    size_t n_nameless;
    struct undo_damage *damage; /* of this partition, or of none that can be told: entries that are missing above */
    size_t n_damage;
};

/* All entries of one partition from a position to the end of the log (all segments). Entries live in `mem`, a hundred
 * bytes each and their keys, however large pre-images are; what lies before `from` is not read. A torn block at the end
 * of a segment is damage that is not proven. CORRUPT when the log ends before the segment of `from`: the home was put
 * together from copies of different age. No log at all is an empty one. */
bool undo_tail_read(struct undo_tail *ret, const struct undo_config *config, uint32_t part, struct undo_position from,
                    struct arena *mem, GError **error);

/* --- looking ------------------------------------------------------------------------------------------------------ */

/* The whole log as NDJSON, for people who look for something: a line per segment; then a line per block, with its
 * entries or outcomes, in the order of the log; then a line per damage. Text without newline, valid during the call. */
bool undo_dump(const struct undo_config *config, const struct document_lines *into, GError **error);
/* One segment, or the chains of a rollback, by itself. CORRUPT at the end where some of it does not verify: the first
 * place is named; the rest has been given, with a line for each place. */
bool undo_dump_segment(const struct world *world, const char *path, const struct document_lines *into, GError **error);
bool undo_dump_chains(const struct world *world, const char *path, const struct document_lines *into, GError **error);
