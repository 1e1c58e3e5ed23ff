/* MANIFEST: which segments a log has. Of use to src/undo alone. */
#pragma once

#include "undo/format.h"

/* A segment is named by its place: the first is number 1. */
struct undo_segment {
    uint64_t bytes; /* durable length of a segment that was closed; 0: its writer died, or writes */
};

struct undo_manifest {
    GArray *segments; /* of struct undo_segment; empty where there is no log */
};

/* CORRUPT when it is not one, or of another run. No file is an empty one. */
bool undo_manifest_read(struct undo_manifest *ret, const struct undo_config *config, GError **error);
void undo_manifest_done(struct undo_manifest *manifest);

/* fsync of the new file, rename, fsync of the directory. */
bool undo_manifest_write_durable(const struct undo_manifest *manifest, const struct undo_config *config,
                                 GError **error);

static inline uint32_t undo_manifest_last(const struct undo_manifest *manifest)
{
    return manifest->segments->len;
}

char *undo_path(const struct undo_config *config, const char *name);
char *undo_segment_path(const struct undo_config *config, uint32_t segment);

/* Opens a segment for reading; *ret NULL where it is gone, or too short to be one. A header that does not verify costs
 * nothing but itself: blocks verify on their own. CORRUPT when it is not that segment of this run. */
bool undo_segment_open(struct blockfile **ret, const struct undo_config *config, uint32_t segment, GError **error);
