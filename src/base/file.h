/* Durable files: the only place that knows EINTR, short reads and writes, ENOSPC and failing closes.
 *
 * Every function that makes something durable says which fsync does it. After a failed fsync the file is poisoned:
 * every later call on it fails with SLUICE_ERROR_SYNC_FAILED (the kernel may have dropped the pages). */
#pragma once

#include "base/world.h"

/* Only regular files are opened: a directory, a pipe or a device is refused by name, and no open ever waits. */
enum file_mode {
    FILE_READ,
    FILE_CREATE,  /* must not exist */
    FILE_UPDATE,  /* must exist */
    FILE_APPEND,  /* made when absent */
    FILE_REPLACE, /* emptied or made */
};

bool file_open(struct file **ret, const struct world *world, const char *path, enum file_mode mode, GError **error);

/* A file for reading and appending that has no name and goes with its last descriptor. */
bool file_open_unnamed(struct file **ret, const struct world *world, const char *dir, GError **error);

bool file_close(struct file *file, GError **error); /* an error of close() is an error of the write; always frees */
void file_free(struct file *file);                  /* closes, forgets errors */
AUTO_DEFINE(file, file_free)

const char *file_path(const struct file *file);
bool file_size(struct file *file, uint64_t *ret, GError **error);
bool file_stat(struct file *file, struct world_stat *ret, GError **error); /* what says that a file has changed */

/* All of the bytes, at the end of the file; *ret_offset (may be NULL) is where they begin. Not durable yet. On failure
 * nothing is promised about the tail; the caller's format finds out by its checksums. */
bool file_append(struct file *file, struct slice bytes, uint64_t *ret_offset, GError **error);

/* Up to `len` bytes; *ret_len < len only at the end of the file. */
bool file_read_at(struct file *file, uint64_t offset, void *into, size_t len, size_t *ret_len, GError **error);

bool file_sync_durable(struct file *file, GError **error); /* fdatasync of the file */
bool file_truncate(struct file *file, uint64_t len, GError **error);
bool file_lock(struct file *file, GError **error); /* SLUICE_ERROR_LOCKED when another process holds it */

/* Writes PATH.tmp, fsyncs it, renames, fsyncs the directory: after it either the old or the new content stands. */
bool file_replace_durable(const struct world *world, const char *path, struct slice content, GError **error);
bool file_rename_durable(const struct world *world, const char *from, const char *to, GError **error); /* + directory */
bool file_unlink(const struct world *world, const char *path, GError **error);    /* absent already: fine */
bool file_make_dirs(const struct world *world, const char *path, GError **error); /* fsyncs the parent of each made */
bool file_sync_dir_durable(const struct world *world, const char *path, GError **error);
/* More than `cap` bytes: SLUICE_ERROR_REFUSED. */
bool file_read_all(const struct world *world, const char *path, size_t cap, GBytes **ret, GError **error);
bool file_exists(const struct world *world, const char *path); /* whatever it is; false where one may not look */
bool file_stat_path(const struct world *world, const char *path, struct world_stat *ret, GError **error);
/* Of the path or, where it is not there yet, of the nearest directory above it that is: how much may still be written.
 */
bool file_room(const struct world *world, const char *path, struct world_room *ret, GError **error);
/* As world_files.locker(): never of a file that this process itself has locked. */
bool file_locker(const struct world *world, const char *path, int64_t *ret_pid, GError **error);
/* The names in a directory, sorted bytewise; a GPtrArray of char *, which frees them. */
bool file_list(const struct world *world, const char *dir, GPtrArray **ret, GError **error);
