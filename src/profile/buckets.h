/* Records by the time that they bear: how many, and the sum of a field, in buckets of one width; and which buckets are
 * out of line, as half a backfill leaves them. Counts and sums are exact; memory is bounded (BUCKETS_MOST). Pure.
 *
 * A bucket is a trough where it has at most half of what was expected of it, a spike where it has twice as much or
 * more, if that is also BUCKETS_SPREADS spreads away: of the square root of what was expected, or of the median
 * absolute deviation of what it is held against where that is more. It is held against
 * - its neighbours: the median of the BUCKETS_SIDE next ones on either side (a stretch of nothing counts as one);
 * - the same hour of the two weeks before it and of the two behind it, those that the data has. Where there are two or
 *   more of them it has to be away from each, and the neighbours are not asked: a stretch of any length is found.
 *   Of one, it has to be away from that and from the neighbours;
 * - where the data has no such week, the same hour of two days before and behind likewise, and the neighbours.
 * Fewer than BUCKETS_LEAST records, found or expected, are no reason. Nor are the ends: what has less than half of what
 * most buckets have there, and the outermost bucket that has more, which the data may fill in part. */
#pragma once

#include <glib.h>

#include "record/decimal.h"

#define BUCKETS_MOST    65536u
#define BUCKETS_SIDE    6u
#define BUCKETS_LEAST   20.0
#define BUCKETS_SPREADS 5.0

struct buckets;
struct buckets *buckets_new(int64_t width_us);
void buckets_free(struct buckets *buckets);
/* `value`: what is added up; NULL: nothing of this record. Behind the first false it counts no further:
 * buckets_fault().
 */
bool buckets_add(struct buckets *buckets, int64_t at_us, const bson_decimal128_t *value);
size_t buckets_count(const struct buckets *buckets); /* those that are not empty */
/* Why they cannot be judged; NULL: they can. */
const char *buckets_fault(const struct buckets *buckets);

enum bucket_of { BUCKET_COUNT, BUCKET_SUM };
/* Buckets side by side that are out of line in the same way. */
struct bucket_flag {
    enum bucket_of of;
    bool spike; /* else a trough */
    int64_t from_us, to_us;
    double found, expected; /* of all of them */
};
/* Of struct bucket_flag, in the order of time; the caller's to unref. A sum is not flagged where its count is, in the
 * same direction. */
GArray *buckets_judge(const struct buckets *buckets);
