/* What a verification saw standing in the target, for the run that repairs it: of each key that is to be repaired the
 * digest of its record, by which that run knows whether the application has written the key since.
 * HOME/listing/UID.seen, docs/formats/listing.md. */
#pragma once

#include "base/blockfile.h"
#include "record/digest.h"
#include "record/document.h"

struct seen {
    struct slice key;     /* in the target; borrowed */
    bool present;         /* there was a record, */
    struct digest stored; /* and this one (digest_stored()) */
};

extern const struct blockfile_kind seen_kind;

struct seen_list;
/* In memory: 33 bytes a key. */
struct seen_list *seen_list_new(const struct seen *seen, size_t n);
void seen_list_free(struct seen_list *list);
AUTO_DEFINE(seen_list, seen_list_free)
/* Replaces what stands at `path`; durable (fsync, rename, fsync of the directory) when the call returns. */
bool seen_list_write_durable(const struct seen_list *list, const struct world *world, const char *path,
                             const uint8_t run_uid[16], GError **error);
/* CORRUPT: it is no such list, or that of another run (run_uid NULL: of any), or damaged. */
bool seen_list_open(struct seen_list **ret, const struct world *world, const char *path, const uint8_t run_uid[16],
                    GError **error);
size_t seen_list_count(const struct seen_list *list);
struct digest seen_list_digest(const struct seen_list *list);

enum seen_what { SEEN_NEVER, SEEN_ABSENT, SEEN_PRESENT };
/* Whether the key is in the list, and what was seen of it; *ret_stored of SEEN_PRESENT. Any thread. */
enum seen_what seen_list_find(const struct seen_list *list, struct slice key, struct digest *ret_stored);

/* A line for each key: its digest, and that of the record. */
bool seen_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
