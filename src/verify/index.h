/* A secondary index held against its records, both ways: each record of the target has its entries, each entry its
 * record (docs/expect.md). An index is a set or a sorted set for each value where the store has such (struct
 * member_ops), else a dataset whose keys are the entries. Reads only.
 *
 * The application writes record and index one after the other, while this goes: what does not agree is looked at again,
 * and counts where it is the same again. Memory is bounded by a batch of records, or a page of entries. One thread. */
#pragma once

#include "record/entry.h"
#include "verify/verify.h"

/* One thing that does not agree. */
struct index_fault {
    const char *what; /* missing_entry, dangling_entry, no_index */
    struct slice key; /* the record's; empty: of none */
    struct slice place, entry;
    const char *why; /* NULL: `what` says it */
};

struct index_wish {
    const struct verify_input *input;
    const struct spec_expect *of;
    struct session *session; /* of the target */
    bool (*fault)(void *self, const struct spec_expect *of, const struct index_fault *fault, GError **error);
    void *self;
};

struct index_counts {
    uint64_t records, entries, missing, dangling;
    uint64_t again;  /* entries that were looked at once more, since the two sides did not agree */
    uint64_t odd;    /* what is no index, or cannot be read as one */
    uint64_t moving; /* entries of records that claimed others in every look: neither right nor wrong */
};

struct indexed;
bool indexed_new(struct indexed **ret, const struct index_wish *wish, GError **error);
void indexed_free(struct indexed *indexed);
AUTO_DEFINE(indexed, indexed_free)
const struct spec_expect *indexed_of(const struct indexed *indexed);

/* Document empty: it cannot be read. What is borrowed lives until indexed_settle(). */
bool indexed_record(struct indexed *indexed, const struct record *record, struct slice document, struct arena *mem,
                    GError **error);
/* Behind each batch, before its memory goes. */
bool indexed_settle(struct indexed *indexed, struct arena *mem, GError **error);
/* When all records have come: goes through the entries. ret_found: in words; the caller frees. */
bool indexed_end(struct indexed *indexed, bool *ret_holds, char **ret_found, struct index_counts *ret, GError **error);
