/* Inside listing/: a file that is written once and then only read: blocks of data, an index of them, an end that says
 * where the index is. What the blocks and the index hold is the caller's. docs/formats/listing.md
 *
 * Written to PATH.tmp and renamed when it is complete, so that a file at PATH is a whole one. What stood there before
 * is replaced. */
#pragma once

#include "base/blockfile.h"
#include "record/digest.h"

#define BLOCKS_UID    16
#define BLOCKS_FIELDS 32 /* of the caller's own, in the end */

struct blocks_draft {
    const struct world *world;
    const char *path;
    const uint8_t *run_uid;
    const struct blockfile_kind *kind;
};

struct blocks_writer;
bool blocks_writer_new(struct blocks_writer **ret, const struct blocks_draft *draft, GError **error);
void blocks_writer_free(struct blocks_writer *writer); /* what was not finished is removed */
AUTO_DEFINE(blocks_writer, blocks_writer_free)

bool blocks_writer_add(struct blocks_writer *writer, struct slice payload, uint64_t *ret_offset, GError **error);
/* Index and end; fsync, rename, fsync of the directory. *ret: of all payloads, the index and the fields. */
bool blocks_writer_finish_durable(struct blocks_writer *writer, struct slice index, const uint8_t fields[BLOCKS_FIELDS],
                                  struct digest *ret, GError **error);

struct blocks_reader;
/* run_uid NULL: of any run. CORRUPT: not finished, damaged, or another run's. */
bool blocks_reader_open(struct blocks_reader **ret, const struct blocks_draft *of, GError **error);
void blocks_reader_free(struct blocks_reader *reader);
AUTO_DEFINE(blocks_reader, blocks_reader_free)

struct slice blocks_reader_index(const struct blocks_reader *reader);  /* as long as the reader */
struct slice blocks_reader_fields(const struct blocks_reader *reader); /* BLOCKS_FIELDS */
struct digest blocks_reader_digest(const struct blocks_reader *reader);
/* The payload of the block at `offset`, until the next call. */
bool blocks_reader_load(struct blocks_reader *reader, uint64_t offset, struct slice *ret, GError **error);
/* The error of a payload that does not decode. */
bool blocks_reader_damaged(const struct blocks_reader *reader, GError **error);
