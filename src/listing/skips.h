/* Inside listing/: the skip list on disk, as it is written. duplicates.h has the reader. */
#pragma once

#include "listing/blocks.h"
#include "listing/duplicates.h"

extern const struct blockfile_kind skips_kind;

struct skip_entry {
    uint32_t part;
    uint64_t offset;
    uint8_t reason;
    uint32_t other; /* where the other state stands: its part, and the line */
    uint64_t line;
    struct slice field, key; /* of SKIP_UNIQUE: the field, and the (beginning of the) key of the other record */
};

struct skips_writer;
/* Replaces what stands at `path`. */
bool skips_writer_new(struct skips_writer **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                      GError **error);
void skips_writer_free(struct skips_writer *writer);
AUTO_DEFINE(skips_writer, skips_writer_free)
/* Of one that says who takes part: whatever is not in it does not. An entry of SKIP_NOTHING takes part. */
bool skips_writer_new_chosen(struct skips_writer **ret, const struct world *world, const char *path,
                             const uint8_t run_uid[16], GError **error);
/* What was asked for and is nowhere: of char *; borrowed until the writer is finished. */
void skips_writer_gone(struct skips_writer *writer, const GPtrArray *gone);
/* By part, then offset. */
bool skips_writer_add(struct skips_writer *writer, const struct skip_entry *entry, GError **error);
/* `names`: of char *, the file of each part. */
bool skips_writer_finish_durable(struct skips_writer *writer, const GPtrArray *names, struct digest *ret,
                                 GError **error);

/* --- reading ------------------------------------------------------------------------------------------------------ */

uint64_t skiplist_count(const struct skiplist *list);
/* As skiplist_find(), but the entry itself, its slices valid until the next call; *io stays where there is none. */
bool skiplist_entry(struct skiplist *list, uint32_t part, uint64_t offset, struct skip_entry *io, GError **error);
bool skiplist_is_chosen(const struct skiplist *list);
/* Every entry, in order, with the file of the other state. Moves the position. */
bool skiplist_each(struct skiplist *list,
                   bool (*each)(void *user, const struct skip_entry *, const char *file, GError **), void *user,
                   GError **error);
