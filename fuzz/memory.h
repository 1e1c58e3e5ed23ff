/* A world whose files are in memory, for targets of formats that span several files or are written too. One thread;
 * what is open survives its name. */
#pragma once

#include <errno.h>
#include <fcntl.h>

#include "base/world.h"

enum { MEMORY_FDS = 64 };

struct memory {
    struct world world;
    GHashTable *files; /* path → GByteArray */
    GByteArray *open[MEMORY_FDS];
};

static inline int memory_open(void *self, const char *path, int flags, unsigned mode)
{
    struct memory *memory = self;
    GByteArray *bytes = g_hash_table_lookup(memory->files, path);
    bool temporary = (flags & O_TMPFILE) == O_TMPFILE, directory = flags & O_DIRECTORY && !temporary;
    if ((bytes && flags & O_EXCL) || (!bytes && !(flags & O_CREAT) && !temporary && !directory)) {
        errno = bytes ? EEXIST : ENOENT;
        return -1;
    }
    if (!bytes || temporary) {
        bytes = g_byte_array_new();
        if (!temporary && !directory)
            g_hash_table_insert(memory->files, g_strdup(path), g_byte_array_ref(bytes));
    } else {
        g_byte_array_ref(bytes);
    }
    if (flags & O_TRUNC)
        g_byte_array_set_size(bytes, 0);
    for (int fd = 0; fd < MEMORY_FDS; fd++)
        if (!memory->open[fd]) {
            memory->open[fd] = bytes;
            return fd;
        }
    g_assert_not_reached();
}

static inline int memory_close(void *self, int fd)
{
    struct memory *memory = self;
    g_byte_array_unref(g_steal_pointer(&memory->open[fd]));
    return 0;
}

static inline int64_t memory_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    const GByteArray *bytes = ((struct memory *)self)->open[fd];
    if (offset >= bytes->len)
        return 0;
    size_t got = MIN(len, bytes->len - (size_t)offset);
    memcpy(into, bytes->data + offset, got);
    return (int64_t)got;
}

static inline int64_t memory_pwrite(void *self, int fd, const void *from, size_t len, int64_t offset)
{
    GByteArray *bytes = ((struct memory *)self)->open[fd];
    if (offset + (int64_t)len > bytes->len)
        g_byte_array_set_size(bytes, (guint)(offset + (int64_t)len));
    if (len)
        memcpy(bytes->data + offset, from, len);
    return (int64_t)len;
}

static inline int memory_fsync(void *self, int fd, bool data_only)
{
    return 0;
}

static inline int memory_truncate(void *self, int fd, int64_t len)
{
    g_byte_array_set_size(((struct memory *)self)->open[fd], (guint)len);
    return 0;
}

static inline int memory_rename(void *self, const char *from, const char *to)
{
    struct memory *memory = self;
    GByteArray *bytes = g_hash_table_lookup(memory->files, from);
    g_hash_table_insert(memory->files, g_strdup(to), g_byte_array_ref(bytes));
    g_hash_table_remove(memory->files, from);
    return 0;
}

static inline int memory_unlink(void *self, const char *path)
{
    if (g_hash_table_remove(((struct memory *)self)->files, path))
        return 0;
    errno = ENOENT;
    return -1;
}

static inline int memory_mkdir(void *self, const char *path, unsigned mode)
{
    return 0;
}

static inline int memory_stat(void *self, int fd, struct world_stat *ret)
{
    const struct memory *memory = self;
    *ret = (struct world_stat){.size = memory->open[fd]->len, .regular = true};
    return 0;
}

static const struct world_files memory_files = {
    .open = memory_open,
    .close = memory_close,
    .pread = memory_pread,
    .pwrite = memory_pwrite,
    .fsync = memory_fsync,
    .truncate = memory_truncate,
    .rename = memory_rename,
    .unlink = memory_unlink,
    .mkdir = memory_mkdir,
    .stat = memory_stat,
};

static inline void memory_init(struct memory *memory)
{
    *memory = (struct memory){.world = *world_real()};
    memory->world.files = &memory_files;
    memory->world.files_self = memory;
    memory->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_byte_array_unref);
}

static inline void memory_done(struct memory *memory)
{
    for (int fd = 0; fd < MEMORY_FDS; fd++)
        g_assert(!memory->open[fd]); /* everything opened was closed */
    g_hash_table_unref(memory->files);
}

static inline void memory_put(struct memory *memory, const char *path, const void *data, size_t len)
{
    GByteArray *bytes = g_byte_array_new();
    if (len)
        g_byte_array_append(bytes, data, (guint)len);
    g_hash_table_insert(memory->files, g_strdup(path), bytes);
}
