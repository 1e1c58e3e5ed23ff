/* What a server lost after its checkpoint is done again.
 *
 * Each checkpoint keeps who had the target's data when its writes were settled, with which history and how much of it
 * (store/store.h, history_ops). Before a gate may pass, before a run that waits goes on, when it is taken up again and
 * before a rollback ends, that is held against who has the data now. Checkpoints that cannot be shown to be there still
 * count no longer (catalog_parts_lost), and their partitions are walked once more from the last one that does, in a new
 * lane: lost.c finds out, key by key, what of it stands. */
#pragma once

#include "run/hold.h"
#include "run/job.h"

/* A checkpoint's conditions, as JSON in the arena; NULL: it is full. */
const char *again_conditions(const char *servers, struct arena *mem);

/* Takes checkpoints back that may be lost, of partitions of this kind; *ret_n: of how many partitions. Nobody may be at
 * work on them. HALTED when servers are replaced faster than the run can follow. */
bool again_look(struct hold *hold, enum parts_kind kind, size_t *ret_n, GError **error);

/* Where the store may lack what checkpoints of a partition counted that count no longer: `was`, as it was found when
 * they were taken back, and what servers may have lost since then, of which no checkpoint tells any more. *ret is in
 * the call's arena. */
struct again_asking {
    struct catalog_together *together;
    struct session *target;
    const struct call *call;
    const uint8_t *uid; /* of the run */
    int64_t run;
    uint32_t part;
};
bool again_where(const struct again_asking *asking, const char *was, const char **ret, GError **error);

/* The crew of a rollback or a promotion, until nothing of what its partitions wrote is lost. */
enum crew_end again_crew(struct hold *hold, GError **error);

/* Stages that passed, or wait to: what was lost of them is written again and verified, and they stay what they are.
 * *ret_go false: that was stopped or has failed, and the result says so. A difference found then is a halt. */
bool again_passed(struct hold *hold, struct run_result *ret, bool *ret_go, GError **error);
