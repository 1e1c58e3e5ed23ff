/* What a machine forgets that loses its power: everything that was not synced, or any beginning of it.
 *
 * Keeps, of each file, the bytes that stood where something was written since its last sync; and of each directory what
 * was made or renamed in it since its own. fake_disk_lose() takes back, file by file and directory by directory, all
 * but a beginning of it, with the first write that is lost torn in half. One thread at a time. */
#pragma once

#include <glib.h>

#include "base/slice.h"

struct fake_disk;

struct fake_disk *fake_disk_new(void);
void fake_disk_free(struct fake_disk *disk);

struct fake_disk_write {
    uint64_t offset, len; /* a truncation: to which length, and 0 */
    GBytes *old;          /* what stands there, as far as something does; freed by the disk */
    uint64_t size;        /* of the file, before */
};

/* Before a write. `file` is what a sync will name, whatever the file is called by then. */
void fake_disk_writes(struct fake_disk *disk, const char *file, const char *path, const struct fake_disk_write *write);
void fake_disk_synced(struct fake_disk *disk, const char *file);

/* Before the call. */
void fake_disk_makes(struct fake_disk *disk, const char *path);
void fake_disk_renames(struct fake_disk *disk, const char *from, const char *to);
void fake_disk_dir_synced(struct fake_disk *disk, const char *dir);
/* It is gone, and nothing is to be taken back of it. */
void fake_disk_removed(struct fake_disk *disk, const char *path);

/* No file of it may be open. Returns how many calls were taken back. */
uint64_t fake_disk_lose(struct fake_disk *disk, uint64_t *seed);
