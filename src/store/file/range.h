/* Inside store/file/: a range of one file, as it is frozen in a part's bounds, and a place within a dataset, as it
 * stands in a cursor. */
#pragma once

#include "base/int.h"
#include "record/digest.h"
#include "store/file/names.h"

/* Bounds: version:u8 name:bytes from:u64 to:u64 line:u64 size:u64 mtime:i64 digest:16 head:u64 head_digest:16 */
struct file_range {
    const char *name;     /* below the directory */
    uint64_t from, to;    /* bytes of the file */
    uint64_t line;        /* on which the range begins, from 1 */
    uint64_t size;        /* of the file, when it was split … */
    int64_t mtime_ns;     /* … and its time of change */
    struct digest digest; /* of the bytes of the range */
    uint64_t head;        /* CSV that is cut into ranges: the header row is the bytes before this one; else 0 */
    struct digest head_digest;
};

void file_range_encode(const struct file_range *range, GByteArray *into);
/* ret->name is copied to *ret_name, which the caller frees. CORRUPT. */
bool file_range_decode(struct file_range *ret, char **ret_name, struct slice bounds, GError **error);

/* Bounds of another version: version:u8 name:bytes. All of a file as it stands when the scan is opened; nothing is
 * frozen.
 */
void file_whole_encode(const char *name, GByteArray *into);
/* false: they are bounds of a range, or none at all. The caller frees *ret_name. */
bool file_whole_decode(char **ret_name, struct slice bounds);

/* Cursor: version:u8 expects:u8 file:u32 name_digest:u64 offset:u64 line:u64 line_at:u64, 38 bytes. */
struct file_place {
    uint32_t file;   /* of those of the scan: 0 for a part */
    uint64_t name;   /* digest of its name */
    uint64_t offset; /* in the unpacked data */
    uint64_t line;
    uint64_t line_at; /* offset at which it begins */
    uint8_t expects;  /* cutter_state */
};

#define FILE_PLACE_BYTES 38
void file_place_encode(const struct file_place *place, uint8_t into[FILE_PLACE_BYTES]);
bool file_place_decode(struct file_place *ret, struct slice cursor, GError **error);

uint64_t file_name_digest(const char *name);
