#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

enum { FILE_MODE = 0644, DIR_MODE = 0755, UNNAMED_TRIES = 16, READ_STEP = 64 * 1024 };

struct file {
    const struct world *world;
    char *path;
    int fd;
    uint64_t end;         /* where the next append goes; kept only for files that are written */
    atomic_bool poisoned; /* one thread may sync while another appends */
};

/* O_NONBLOCK: the open of a pipe must not wait for its other end; on regular files it means nothing. */
enum { FLAGS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK };

static const struct {
    int flags;
    const char *verb;
} modes[] = {
    [FILE_READ] = {O_RDONLY, "open"},
    [FILE_CREATE] = {O_RDWR | O_CREAT | O_EXCL, "create"},
    [FILE_UPDATE] = {O_RDWR, "open for writing"},
    [FILE_APPEND] = {O_RDWR | O_CREAT, "open for writing"},
    [FILE_REPLACE] = {O_RDWR | O_CREAT | O_TRUNC, "open for writing"},
};

static int open_retrying(const struct world *world, const char *path, int flags)
{
    int fd;
    do
        fd = world->files->open(world->files_self, path, flags | FLAGS, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static void close_quietly(const struct world *world, int fd)
{
    world->files->close(world->files_self, fd);
}

static bool stat_fd(const struct world *world, int fd, const char *path, struct world_stat *ret, GError **error)
{
    if (world->files->stat(world->files_self, fd, ret) != 0)
        return error_set_errno(error, errno, "%s: cannot stat", path);
    return true;
}

/* Takes `fd` over, also when it fails. */
static bool file_from_fd(struct file **ret, const struct world *world, const char *path, int fd, GError **error)
{
    struct world_stat found;
    bool ok = stat_fd(world, fd, path, &found, error);
    if (ok && !found.regular)
        ok = error_set(error, SLUICE_ERROR_REFUSED, "%s: %s, and not a regular file", path,
                       found.directory ? "a directory" : "a pipe or a device");
    if (!ok) {
        close_quietly(world, fd);
        return false;
    }
    struct file *file = g_new0(struct file, 1);
    *file = (struct file){.world = world, .path = g_strdup(path), .fd = fd, .end = found.size};
    *ret = file;
    return true;
}

bool file_open(struct file **ret, const struct world *world, const char *path, enum file_mode mode, GError **error)
{
    int fd = open_retrying(world, path, modes[mode].flags);
    if (fd < 0)
        return error_set_errno(error, errno, "%s: cannot %s", path, modes[mode].verb);
    return file_from_fd(ret, world, path, fd, error);
}

/* Where the file system has no O_TMPFILE: a name that nobody else has, unlinked at once. */
static int open_and_unlink(const struct world *world, const char *dir)
{
    for (int i = 0; i < UNNAMED_TRIES; i++) {
        uint64_t number;
        world_random(world, &number, sizeof number);
        g_autofree char *path = g_strdup_printf("%s/.unnamed-%016" G_GINT64_MODIFIER "x", dir, number);
        int fd = open_retrying(world, path, O_RDWR | O_CREAT | O_EXCL);
        if (fd >= 0 && world->files->unlink(world->files_self, path) != 0) {
            int saved_errno = errno;
            close_quietly(world, fd);
            errno = saved_errno;
            return -1;
        }
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

bool file_open_unnamed(struct file **ret, const struct world *world, const char *dir, GError **error)
{
    int fd = open_retrying(world, dir, O_RDWR | O_TMPFILE);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        fd = open_and_unlink(world, dir);
    if (fd < 0)
        return error_set_errno(error, errno, "%s: cannot make a temporary file there", dir);
    return file_from_fd(ret, world, dir, fd, error);
}

static bool file_usable(const struct file *file, GError **error)
{
    if (!file->poisoned)
        return true;
    return error_set(error, SLUICE_ERROR_SYNC_FAILED, "%s: an earlier sync failed; what was written is in doubt",
                     file->path);
}

bool file_close(struct file *file, GError **error)
{
    bool ok = file_usable(file, error);
    /* After EINTR Linux has closed the descriptor; closing again could hit someone else's. */
    if (file->world->files->close(file->world->files_self, file->fd) != 0 && errno != EINTR && ok)
        ok = error_set_errno(error, errno, "%s: cannot close", file->path);
    g_free(file->path);
    g_free(file);
    return ok;
}

void file_free(struct file *file)
{
    if (file)
        file_close(file, NULL);
}

const char *file_path(const struct file *file)
{
    return file->path;
}

bool file_stat(struct file *file, struct world_stat *ret, GError **error)
{
    return file_usable(file, error) && stat_fd(file->world, file->fd, file->path, ret, error);
}

bool file_size(struct file *file, uint64_t *ret, GError **error)
{
    struct world_stat found;
    if (!file_stat(file, &found, error))
        return false;
    *ret = found.size;
    return true;
}

bool file_append(struct file *file, struct slice bytes, uint64_t *ret_offset, GError **error)
{
    if (!file_usable(file, error))
        return false;
    const struct world_files *files = file->world->files;
    uint64_t begin = file->end;
    while (bytes.len > 0) {
        int64_t done = files->pwrite(file->world->files_self, file->fd, bytes.data, bytes.len, (int64_t)file->end);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return error_set_errno(error, done < 0 ? errno : ENOSPC, "%s: cannot write", file->path);
        file->end += (uint64_t)done;
        bytes = slice_of(bytes.data + done, bytes.len - (size_t)done);
    }
    if (ret_offset)
        *ret_offset = begin;
    return true;
}

bool file_read_at(struct file *file, uint64_t offset, void *into, size_t len, size_t *ret_len, GError **error)
{
    if (!file_usable(file, error))
        return false;
    if (offset > INT64_MAX || len > INT64_MAX - offset)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: offset %" G_GUINT64_FORMAT " is beyond any file", file->path,
                         (guint64)offset);
    const struct world_files *files = file->world->files;
    size_t have = 0;
    while (have < len) {
        int64_t got = files->pread(file->world->files_self, file->fd, (uint8_t *)into + have, len - have,
                                   (int64_t)(offset + have));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(error, errno, "%s: cannot read", file->path);
        if (got == 0)
            break;
        have += (size_t)got;
    }
    *ret_len = have;
    return true;
}

static int sync_retrying(const struct world *world, int fd, bool data_only)
{
    int result;
    do
        result = world->files->fsync(world->files_self, fd, data_only);
    while (result != 0 && errno == EINTR);
    return result;
}

bool file_sync_durable(struct file *file, GError **error)
{
    if (!file_usable(file, error))
        return false;
    if (sync_retrying(file->world, file->fd, true) == 0)
        return true;
    int saved_errno = errno;
    file->poisoned = true;
    return error_set(error, SLUICE_ERROR_SYNC_FAILED, "%s: cannot make it durable: %s", file->path,
                     g_strerror(saved_errno));
}

bool file_truncate(struct file *file, uint64_t len, GError **error)
{
    if (!file_usable(file, error))
        return false;
    int result;
    do
        result = file->world->files->truncate(file->world->files_self, file->fd, (int64_t)len);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return error_set_errno(error, errno, "%s: cannot cut to %" G_GUINT64_FORMAT " bytes", file->path, (guint64)len);
    file->end = len;
    return true;
}

bool file_lock(struct file *file, GError **error)
{
    if (!file_usable(file, error))
        return false;
    if (file->world->files->lock(file->world->files_self, file->fd) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return error_set(error, SLUICE_ERROR_LOCKED, "%s: another process holds the lock", file->path);
    return error_set_errno(error, errno, "%s: cannot lock", file->path);
}

bool file_sync_dir_durable(const struct world *world, const char *path, GError **error)
{
    int fd = open_retrying(world, path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return error_set_errno(error, errno, "%s: cannot open the directory", path);
    int result = sync_retrying(world, fd, false);
    int saved_errno = errno;
    close_quietly(world, fd);
    if (result == 0)
        return true;
    return error_set(error, SLUICE_ERROR_SYNC_FAILED, "%s: cannot make the directory durable: %s", path,
                     g_strerror(saved_errno));
}

bool file_rename_durable(const struct world *world, const char *from, const char *to, GError **error)
{
    if (world->files->rename(world->files_self, from, to) != 0)
        return error_set_errno(error, errno, "%s: cannot rename to %s", from, to);
    g_autofree char *dir = g_path_get_dirname(to);
    return file_sync_dir_durable(world, dir, error);
}

static bool write_whole(const struct world *world, const char *path, struct slice content, GError **error)
{
    struct file *file;
    if (!file_open(&file, world, path, FILE_REPLACE, error))
        return false;
    if (!file_append(file, content, NULL, error) || !file_sync_durable(file, error)) {
        file_free(file);
        return false;
    }
    return file_close(file, error);
}

bool file_replace_durable(const struct world *world, const char *path, struct slice content, GError **error)
{
    g_autofree char *draft = g_strconcat(path, ".tmp", NULL);
    if (!write_whole(world, draft, content, error)) {
        world->files->unlink(world->files_self, draft);
        return false;
    }
    return file_rename_durable(world, draft, path, error);
}

bool file_unlink(const struct world *world, const char *path, GError **error)
{
    if (world->files->unlink(world->files_self, path) == 0 || errno == ENOENT)
        return true;
    return error_set_errno(error, errno, "%s: cannot remove", path);
}

static bool make_dir(const struct world *world, const char *path, GError **error)
{
    if (world->files->mkdir(world->files_self, path, DIR_MODE) == 0) {
        g_autofree char *parent = g_path_get_dirname(path);
        return file_sync_dir_durable(world, parent, error);
    }
    struct world_stat found;
    int saved_errno = errno;
    if (saved_errno == EEXIST && file_stat_path(world, path, &found, NULL) && found.directory)
        return true;
    return error_set_errno(error, saved_errno, "%s: cannot make the directory", path);
}

/* From the leaf up to what is there, then down again: a parent that one may not write need only exist. */
bool file_make_dirs(const struct world *world, const char *path, GError **error)
{
    struct world_stat found;
    if (file_stat_path(world, path, &found, NULL) && found.directory)
        return true;
    g_autofree char *parent = g_path_get_dirname(path);
    if (strcmp(parent, path) != 0 && strcmp(parent, ".") != 0 && !file_make_dirs(world, parent, error))
        return false;
    return make_dir(world, path, error);
}

static bool read_rest(struct file *file, size_t cap, GByteArray *into, GError **error)
{
    uint64_t size;
    if (!file_size(file, &size, error))
        return false;
    size_t got = 1;
    for (size_t step = (size_t)MIN(size, cap) + 1; got > 0; step = READ_STEP) {
        guint have = into->len;
        g_byte_array_set_size(into, have + (guint)MIN(step, cap + 1 - have));
        if (!file_read_at(file, have, into->data + have, into->len - have, &got, error))
            return false;
        g_byte_array_set_size(into, have + (guint)got);
        if (into->len > cap)
            return error_set(error, SLUICE_ERROR_REFUSED, "%s: larger than the %zu bytes that are read of such a file",
                             file->path, cap);
    }
    return true;
}

bool file_read_all(const struct world *world, const char *path, size_t cap, GBytes **ret, GError **error)
{
    g_assert(cap < G_MAXUINT / 2); /* GLib counts with guint */
    auto_(file) file = NULL;
    if (!file_open(&file, world, path, FILE_READ, error))
        return false;
    GByteArray *content = g_byte_array_new();
    if (!read_rest(file, cap, content, error)) {
        g_byte_array_free(content, TRUE);
        return false;
    }
    *ret = g_byte_array_free_to_bytes(content);
    return true;
}

bool file_stat_path(const struct world *world, const char *path, struct world_stat *ret, GError **error)
{
    int fd = open_retrying(world, path, O_RDONLY | O_PATH);
    if (fd < 0)
        return error_set_errno(error, errno, "%s: cannot stat", path);
    bool ok = stat_fd(world, fd, path, ret, error);
    close_quietly(world, fd);
    return ok;
}

bool file_exists(const struct world *world, const char *path)
{
    struct world_stat found;
    return file_stat_path(world, path, &found, NULL);
}

bool file_room(const struct world *world, const char *path, struct world_room *ret, GError **error)
{
    if (world->files->room(world->files_self, path, ret) == 0)
        return true;
    g_autofree char *parent = g_path_get_dirname(path);
    if (errno != ENOENT || strcmp(parent, path) == 0)
        return error_set_errno(error, errno, "%s: cannot look at the file system", path);
    return file_room(world, parent, ret, error);
}

bool file_locker(const struct world *world, const char *path, int64_t *ret_pid, GError **error)
{
    return world->files->locker(world->files_self, path, ret_pid) == 0 ||
           error_set_errno(error, errno, "%s: cannot ask who has it locked", path);
}

static void keep_name(void *user, const char *name)
{
    g_ptr_array_add(user, g_strdup(name));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

bool file_list(const struct world *world, const char *dir, GPtrArray **ret, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    if (world->files->list(world->files_self, dir, keep_name, names) != 0)
        return error_set_errno(error, errno, "%s: cannot list the directory", dir);
    g_ptr_array_sort(names, by_name);
    *ret = g_steal_pointer(&names);
    return true;
}
