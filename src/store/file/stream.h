/* Inside store/file/: the bytes of a range of a file, unpacked where it is an archive, and the digest of what was read
 * of the file itself. Belongs to one thread. */
#pragma once

#include "base/file.h"
#include "record/digest.h"
#include "store/file/format.h"

struct file_stream;

struct stream_range {
    const char *path;
    enum file_packing packing;
    uint64_t from, to; /* bytes of the file; all of it for an archive */
};

bool file_stream_open(struct file_stream **ret, const struct world *world, const struct stream_range *range,
                      GError **error);
void file_stream_free(struct file_stream *stream);
AUTO_DEFINE(file_stream, file_stream_free)

/* What is left to be given out, where that is known; else UINT64_MAX. */
uint64_t file_stream_left(const struct file_stream *stream);

/* As the file was when it was opened. */
const struct world_stat *file_stream_stat(const struct file_stream *stream);

/* The next bytes, as many as there are room for; *ret_len == 0 only at the end, when every byte of the range has been
 * read. CORRUPT: an archive that is damaged or cut off, with the offset in the file. A range that the file is too short
 * for simply ends early: its digest tells. */
bool file_stream_read(struct file_stream *stream, uint8_t *into, size_t len, size_t *ret_len, GError **error);

/* Of the file's bytes read so far: XXH3-128. */
struct digest file_stream_digest(const struct file_stream *stream);

/* The digest of a range of a file, without anything else. */
bool file_range_digest(const struct world *world, const struct stream_range *range, struct digest *ret, GError **error);
