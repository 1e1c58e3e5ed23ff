/* Listings: the keys that a run has to account for, fixed before its first write (3-semantics, "Partitions").
 *
 * They stand in the order in which the store wants to be asked for them: by rank (store_rank()), then bytewise. Where a
 * store has ranks, a *ranked key* is the rank in LISTING_RANK_BYTES, big-endian, and the key behind it, so that ranked
 * keys ascend bytewise; where it has none, a ranked key is the key alone. Whoever merges does it by ranked keys; all
 * others get the keys.
 *
 * Where a scan cannot be repeated exactly, a dataset's keys are listed first: sorted, without duplicates, durable in
 * the home before any value is read. From then on a partition *is* a stretch of that list, and a cursor is an index
 * into it. One file per run, HOME/listing/UID.list (docs/formats/listing.md): blocks of sorted, prefix-compressed keys,
 * then an index of the blocks. Partition p holds the keys numbered p × size … (p + 1) × size - 1 of the whole listing,
 * so where partitions lie is arithmetic, and a listing may be cut when all keys are known.
 *
 * A writer and a reader belong to one thread each; a file that is finished never changes, so every thread may open a
 * reader of its own. Memory: one block (4,096 keys or 64 KiB, or one longer key) and the index, 40 bytes and a key for
 * each block. */
#pragma once

#include "store/calls.h"

#define LISTING_RANK_BYTES 2

/* The key of a ranked key. */
static inline struct slice listing_key(bool ranked, struct slice key)
{
    return ranked ? slice_of(key.data + LISTING_RANK_BYTES, key.len - LISTING_RANK_BYTES) : key;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct listing_draft {
    const struct world *world;
    const char *path;    /* HOME/listing/UID.list; its folder is made when it is absent */
    uint8_t run_uid[16]; /* of whom it is: a reader refuses another run's */
    bool ranked;         /* its keys have ranks */
};

/* How the keys are cut: partitions of `size` keys, or, where size is 0, `count` partitions of equal size. Both 0: one.
 */
struct listing_cut {
    uint64_t size;
    uint32_t count;
};

struct listing_totals {
    uint64_t keys, bytes; /* bytes: of all keys */
    uint64_t size;        /* keys of a partition, but for the last */
    uint32_t partitions;  /* 0 where there is no key */
    bool ranked;
    struct digest digest; /* of all keys in order and of the cut: what a plan freezes */
};

struct listing_writer;

/* Writes to PATH.tmp. What stands at PATH is replaced in the end: it was left by a plan that never became a run. */
bool listing_writer_new(struct listing_writer **ret, const struct listing_draft *draft, GError **error);
/* One that was not finished is removed. */
void listing_writer_free(struct listing_writer *writer);
AUTO_DEFINE(listing_writer, listing_writer_free)

/* Ranked keys in strictly ascending bytewise order; one that is not above the one before it is an error that names
 * both. */
bool listing_writer_add(struct listing_writer *writer, struct slice key, GError **error);

/* Ends the file, fsyncs it, renames it to PATH and fsyncs the directory. Nothing but _free may follow. */
bool listing_writer_finish_durable(struct listing_writer *writer, const struct listing_cut *cut,
                                   struct listing_totals *ret, GError **error);

/* The whole way: lists the keys of a dataset in their order (listing/ordered.h), as the store gives it or sorted on
 * disk beside the draft. A driver that cannot list is refused (NOT_PERMITTED) by name. */
struct listing_wish {
    struct listing_draft draft;
    struct listing_cut cut;
    struct session *session;
    const struct dataset *ds;
    const struct slice *also; /* sorted, without duplicates: listed too, whether the scan finds them or not */
    size_t n_also;
    bool only_also;                              /* the dataset is not scanned: only those are listed */
    const atomic_bool *cancel;                   /* NULL: cannot be cancelled */
    void (*progress)(void *self, uint64_t keys); /* NULL: none; once a batch */
    void *progress_self;
};
bool listing_make_durable(const struct listing_wish *wish, struct listing_totals *ret, GError **error);

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct listing_reader;

/* run_uid NULL: of any run. CORRUPT: not a finished listing, damaged, of a newer version, or of another run.
 * Cost: three reads, whatever the size; under 5 ms for 50 M keys. */
bool listing_reader_open(struct listing_reader **ret, const struct world *world, const char *path,
                         const uint8_t run_uid[16], GError **error);
void listing_reader_free(struct listing_reader *reader);
AUTO_DEFINE(listing_reader, listing_reader_free)

const struct listing_totals *listing_reader_totals(const struct listing_reader *reader);
uint64_t listing_reader_size(const struct listing_reader *reader, uint32_t partition); /* its keys; 0: no such one */

/* The next key is number `index` (from 0) of the partition; index may be its size: nothing follows. A place beyond that
 * is CORRUPT: cursor and listing do not belong together. */
bool listing_reader_seek(struct listing_reader *reader, uint32_t partition, uint64_t index, GError **error);

/* Keys `first` … first + keys - 1 of a partition: what is left of it, or has become of it, where it was split. */
struct listing_stretch {
    uint32_t partition;
    uint64_t first, keys;
};
int listing_stretch_compare(const struct listing_stretch *a, const struct listing_stretch *b); /* along the listing */
/* As listing_reader_seek(), with an index into the stretch, whose end is the end of what is read. */
bool listing_reader_seek_in(struct listing_reader *reader, const struct listing_stretch *stretch, uint64_t index,
                            GError **error);

/* Up to `max` further keys of that partition, copied into `mem`; *ret_n == 0 at its end, and before the first seek.
 * Fewer than max where the cap of `mem` would be passed; if not even one fits, TOO_BIG. */
bool listing_reader_next(struct listing_reader *reader, size_t max, struct arena *mem, struct slice **ret_keys,
                         size_t *ret_n, GError **error);
/* The same, but ranked keys. */
bool listing_reader_next_ranked(struct listing_reader *reader, size_t max, struct arena *mem, struct slice **ret_keys,
                                size_t *ret_n, GError **error);

/* Where a ranked key stands. Moves the position: seek before the next listing_reader_next(). One block is read. */
struct listing_place {
    uint32_t partition;
    uint64_t index;
};
bool listing_reader_find(struct listing_reader *reader, struct slice key, bool *ret_found, struct listing_place *ret,
                         GError **error);
/* A place not behind that ranked key, and at most a block before it. Nothing is read, nothing moves. */
bool listing_reader_before(struct listing_reader *reader, struct slice key, struct listing_place *ret, GError **error);
