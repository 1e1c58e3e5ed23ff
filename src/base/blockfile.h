/* Append-only files of checksummed blocks: undo segments, listings, reports.
 *
 *   file   = header block*
 *   header = magic[8] version:u32 flags:u32 tag[32] checksum:u64                 56 bytes
 *   block  = magic:u32 type:u16 flags:u16 raw_len:u32 stored_len:u32 head_len:u32 head_sum:u64 body_sum:u64
 *            head[head_len] payload[stored_len]
 *
 * All integers little-endian. head_sum = XXH3-64 of the fields before it and of head; body_sum = XXH3-64 of the stored
 * payload; the file header's checksum = XXH3-64 of the 48 bytes before it.
 * `head` is what an index wants to know without unpacking the payload; the payload is zstd where flags bit 0 is
 * set.
 *
 * A file whose run has a key is sealed: bit 0 of the header's flags, and bit 1 of each block's. The payload, packed or
 * not, is then a sealed piece (base/seal.h) about tag, type, flags, raw_len, offset:u64 and head. The sums are of what
 * is stored, so that damage is found without the key. A head is never sealed, nor is a payload of no bytes: nothing of
 * a record stands in them. A block that does not verify is damage; whether that is a torn tail or a loss is for the
 * caller to say, who knows up to which offset everything was durable. */
#pragma once

#include "base/arena.h"
#include "base/file.h"

struct blockfile;

struct blockfile_kind {
    char magic[8];
    uint32_t version;
    uint32_t block_magic;
    const char
        *sealed_as; /* the kind of key that seals it, where the run that its tag begins with has one; NULL: none */
};

/* What is to be written; borrows. */
struct block_draft {
    uint16_t type;
    bool pack; /* compress where that pays */
    struct slice head, payload;
    struct slice packed; /* what block_packer_pack() made of the payload; empty: as `pack` says */
};

/* Packs payloads outside of whatever lock guards the file. Belongs to one thread at a time. */
struct block_packer;
struct block_packer *block_packer_new(void);
void block_packer_free(struct block_packer *packer);
AUTO_DEFINE(block_packer, block_packer_free)
/* Lives until the next call; empty where packing does not pay. */
struct slice block_packer_pack(struct block_packer *packer, struct slice payload);

struct block {
    uint64_t offset, end; /* where it begins, where the next one does */
    uint16_t type;
    struct slice head, payload; /* payload unpacked, in the arena given to blockfile_read */
};

/* The file must not exist. Its name is durable after the call (the directory is fsynced), its header with the first
 * blockfile_sync_durable(). `tag`: up to 32 bytes, filled up with zeros; of a kind that is sealed the run's uid first.
 */
bool blockfile_create(struct blockfile **ret, const struct world *world, const char *path,
                      const struct blockfile_kind *kind, struct slice tag, GError **error);
/* For reading, or (append) for going on at the end. A wrong magic, a newer version, or a header that does not verify (a
 * file shorter than one was never made durable) is SLUICE_ERROR_CORRUPT. One that is sealed and whose key is no more:
 * REFUSED; the errors of finding the key. */
bool blockfile_open(struct blockfile **ret, const struct world *world, const char *path,
                    const struct blockfile_kind *kind, bool append, GError **error);
/* For reading what is left: a header that does not verify is no error, *ret_header tells. (The tag is then zeros, the
 * version taken for that of the kind.) CORRUPT as above where it verifies, or the file is shorter than one. */
bool blockfile_salvage(struct blockfile **ret, const struct world *world, const char *path,
                       const struct blockfile_kind *kind, bool *ret_header, GError **error);
void blockfile_free(struct blockfile *file);
AUTO_DEFINE(blockfile, blockfile_free)

struct slice blockfile_tag(const struct blockfile *file); /* 32 bytes, lives as long as the file */
uint32_t blockfile_version(const struct blockfile *file); /* as written, at most that of the kind */
uint64_t blockfile_begin(const struct blockfile *file);   /* the offset of the first block */
uint64_t blockfile_end(const struct blockfile *file);     /* of the next one appended; when reading, the file's size */

/* Appends one block in one write, and tells where it begins (ret_offset may be NULL); not durable before
 * blockfile_sync_durable(). When it fails the file is cut back to where it was; if that fails too, every later append
 * fails: nothing ever follows a torn block. */
bool blockfile_append(struct blockfile *file, const struct block_draft *draft, uint64_t *ret_offset, GError **error);
bool blockfile_sync_durable(struct blockfile *file, GError **error); /* fdatasync */
bool blockfile_cut(struct blockfile *file, uint64_t end, GError **error);

enum block_result { BLOCK_OK, BLOCK_END, BLOCK_DAMAGED, BLOCK_FAILED /* *error set */ };

/* The block at `offset`, its slices in `mem`. `head_only`: the payload is neither read nor verified (the head is): one
 * read of a few KiB. BLOCK_DAMAGED: it does not verify; ret->offset is set, and ret->end tells where the lengths say it
 * ends, or is 0 where they say nothing possible; only if ret->head is not empty did the head verify. BLOCK_FAILED also
 * where the cap of `mem` would be passed (SLUICE_ERROR_TOO_BIG). */
enum block_result blockfile_read(struct blockfile *file, uint64_t offset, bool head_only, struct arena *mem,
                                 struct block *ret, GError **error);

/* Every block of a file that may be damaged, and every place that is. */
struct block_visit {
    bool (*block)(void *self, const struct block *block, bool *ret_sound, GError **error); /* unsound: damage too */
    bool (*damage)(void *self, uint64_t offset, GError **error);
    void *self;
    struct arena *mem; /* reset before each block */
};
/* CORRUPT at the end where there was damage: how many places, and where the first is. */
bool blockfile_visit(struct blockfile *file, const struct block_visit *visit, GError **error);

/* Past damage that took the lengths along: the first offset from `from` on at which a block's head verifies. Never
 * BLOCK_DAMAGED. `mem` is needed for the heads tried. */
enum block_result blockfile_find(struct blockfile *file, uint64_t from, struct arena *mem, uint64_t *ret_offset,
                                 GError **error);
