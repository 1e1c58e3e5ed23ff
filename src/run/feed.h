/* Where a worker's rows come from: ranges that are scanned (minus the losing states of the skip list), keys of a
 * listing that are read, or chains of the undo log. Belongs to one executor. */
#pragma once

#include "run/job.h"
#include "run/op.h"

struct feed;

struct feed_config {
    const struct world *world;
    const struct job *job;
    struct session *source; /* NULL for a JOB_BACK; of the target for a JOB_PROMOTE */
    const struct undo_config *undo_config;
};

struct feed *feed_new(const struct feed_config *config);
void feed_free(struct feed *feed);
AUTO_DEFINE(feed, feed_free)

/* Positions at a partition and a cursor (empty: its beginning). */
bool feed_open(struct feed *feed, const struct part_row *part, struct slice cursor, GError **error);
/* The partition was split: it ends before its record number `count`, which has not been read. Of listings. */
void feed_end_at(struct feed *feed, uint64_t count);
/* Fills in what comes back in op->scan. */
bool feed_next(struct feed *feed, const struct call *call, struct op_scan *io, GError **error);
