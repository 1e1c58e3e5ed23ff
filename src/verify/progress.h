/* How far a scan of the target has got: kept beside the report, so that a verification that dies goes on where it was.
 *
 * The scan goes by units: stretches of the target, or partitions whose keys are asked for. What is kept is of units
 * that are done, and at most a second old whenever a unit ends. It is taken up by the same verification of the same
 * sums, within an hour; by any other it is left alone, and whichever verification ends removes it.
 * docs/formats/progress.md
 *
 * Internal to verify/. */
#pragma once

#include "base/arena.h"
#include "base/world.h"
#include "record/sketch.h"

struct blockfile_kind;
extern const struct blockfile_kind progress_kind;

struct progress {
    struct digest of;        /* which verification of what */
    int64_t begun_ms;        /* when its first unit was begun */
    uint64_t seen, appeared; /* records; of which the run knows nothing, and would change nothing */
    struct slice *bounds;    /* of the units; a partition's are empty */
    bool *done;              /* by unit */
    uint32_t n_units;
    struct set_digest *sums;
    uint32_t n_sums;
    struct sketch *sketch; /* NULL: none */
};

/* As it is now, in bytes; then those to PATH.tmp, fsync, rename, fsync of the directory. */
void progress_put(const struct progress *progress, int64_t now_ms, GByteArray *into);
bool progress_keep_durable(const struct world *world, const char *path, const uint8_t run_uid[16], struct slice bytes,
                           GError **error);
/* What is there of that verification, into `mem` but for the sketch, which the caller frees: n_sums as it is given, and
 * a sketch like the one that is given. *ret_taken false: nothing that could be taken up. */
bool progress_read(const struct world *world, const char *path, struct arena *mem, struct progress *io, bool *ret_taken,
                   GError **error);
/* The bytes of a block. false: they make no sense. Its sketch is like that one; NULL: nobody looks into it. */
bool progress_get(struct slice bytes, const struct sketch *like, struct arena *mem, struct progress *ret,
                  int64_t *ret_kept_ms);
