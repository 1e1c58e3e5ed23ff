/* The driver `undo`: what a run wrote and what stood there before, read from its undo log. `undo:DIR`, read-only.
 *
 * A record is an applied write of a forward partition: its key; its pre-image, as presence, raw and expiry (absent:
 * there was none); and in its etag what was written instead, and as which write. `raw` is the target driver's own
 * bytes, so its decode() shows the document; the expiry is told even when it has passed meanwhile. A key that was
 * written several times comes several times; the records of a partition come in the order of the log, partitions in the
 * order of their numbers. A split gives a part per partition; its number of records counts what was intended. There is
 * no read by key.
 *
 * The log is read by a decoder of its own (docs/formats/undo.md): with src/undo it shares nothing but base/blockfile.
 * It may still be growing: every scan begins with what is there by then.
 *
 * Memory: 24 bytes for each block of the log and 40 for each partition, once for all sessions; of a session one block,
 * and two bits for each write of the partition scanned. */
#pragma once

#include "store/store.h"

extern const struct store_driver undo_driver;

/* A file of this name in the folder says that the log has expired: whatever else stands there is being removed. */
#define UNDO_EXPIRED "expired"

/* What the run wrote in place of the record: its stored digest, or nothing where *ret_deleted. false: not a record of
 * this driver. */
bool undo_record_written(const struct record *record, struct digest *ret, bool *ret_deleted);
/* Which of the run's numbered writes of its key that was; of a record of this driver. */
struct undo_nth {
    uint32_t lane;
    uint64_t number;
};
void undo_record_nth(const struct record *record, struct undo_nth *ret);

/* The bounds of one partition, for a scan. */
struct slice undo_part_bounds(uint32_t part, struct arena *mem);

/* What the scans of a session, together, could not tell of the partitions they scanned. */
struct undo_losses {
    uint64_t unsettled;      /* writes of which the log does not say whether they were applied: passed over */
    uint64_t damaged_blocks; /* that do not verify, and of which it is known or possible that they were acknowledged */
};
void undo_store_losses(const struct session *session, struct undo_losses *ret);
