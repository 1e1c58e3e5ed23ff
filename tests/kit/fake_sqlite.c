#include "kit/fake_sqlite.h"

#include <errno.h>
#include <sqlite3.h>

#include "kit/fake_disk.h"

/* One at a time: a test lives in one world. */
static struct fake_world *world_now;
static sqlite3_vfs shim;

struct shim_file {
    sqlite3_file base; /* first: it is SQLite's */
    struct fake_world *fake;
    const char *path;
    sqlite3_int64 real[]; /* the system's own file; SQLite aligns to eight bytes */
};

static sqlite3_vfs *real_vfs(void)
{
    return shim.pAppData;
}

static struct shim_file *shim_of(sqlite3_file *file)
{
    return (struct shim_file *)(void *)file;
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return (sqlite3_file *)(void *)shim_of(file)->real;
}

static bool fails(sqlite3_file *file, const char *call)
{
    struct shim_file *mine = shim_of(file);
    return mine->fake && fake_world_fails_sqlite(mine->fake, call, mine->path);
}

/* --- a file
 * ----------------------------------------------------------------------------------------------------------- */

static int shim_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int shim_read(sqlite3_file *file, void *into, int len, sqlite3_int64 offset)
{
    return fails(file, "pread") ? SQLITE_IOERR_READ : real_of(file)->pMethods->xRead(real_of(file), into, len, offset);
}

/* Read through SQLite's own file: whoever opens and closes another one takes the locks away. */
static GBytes *bytes_of(sqlite3_file *real, uint64_t offset, uint64_t len, uint64_t size)
{
    uint64_t have = offset < size ? MIN(len, size - offset) : 0;
    uint8_t *bytes = g_malloc(have + 1);
    if (have > 0)
        real->pMethods->xRead(real, bytes, (int)have, (sqlite3_int64)offset);
    return g_bytes_new_take(bytes, have);
}

static void keep_old(sqlite3_file *file, uint64_t offset, uint64_t len)
{
    const struct shim_file *mine = shim_of(file);
    sqlite3_int64 size;
    if (!mine->fake || !mine->fake->disk || mine->fake->dead)
        return;
    real_of(file)->pMethods->xFileSize(real_of(file), &size);
    uint64_t reach = len > 0 ? len : (uint64_t)size > offset ? (uint64_t)size - offset : 0;
    struct fake_disk_write write = {.offset = offset,
                                    .len = len,
                                    .old = bytes_of(real_of(file), offset, reach, (uint64_t)size),
                                    .size = (uint64_t)size};
    fake_disk_writes(mine->fake->disk, mine->path, mine->path, &write);
}

/* A write that fails has torn: half of it is in the file. Of the dead there is nothing. */
static int shim_write(sqlite3_file *file, const void *from, int len, sqlite3_int64 offset)
{
    sqlite3_file *real = real_of(file);
    bool was_dead = shim_of(file)->fake && shim_of(file)->fake->dead;
    keep_old(file, (uint64_t)offset, (uint64_t)len);
    if (!fails(file, "pwrite"))
        return real->pMethods->xWrite(real, from, len, offset);
    int number = errno;
    if (!was_dead)
        real->pMethods->xWrite(real, from, len / 2, offset);
    errno = number;
    return number == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int shim_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    if (fails(file, "truncate"))
        return SQLITE_IOERR_TRUNCATE;
    keep_old(file, (uint64_t)len, 0);
    return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int shim_sync(sqlite3_file *file, int flags)
{
    const struct shim_file *mine = shim_of(file);
    if (fails(file, "fsync"))
        return SQLITE_IOERR_FSYNC;
    if (mine->fake && mine->fake->disk)
        fake_disk_synced(mine->fake->disk, mine->path);
    return SQLITE_OK;
}

static int shim_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return fails(file, "stat") ? SQLITE_IOERR_FSTAT : real_of(file)->pMethods->xFileSize(real_of(file), ret);
}

static int shim_lock(sqlite3_file *file, int how)
{
    return real_of(file)->pMethods->xLock(real_of(file), how);
}

static int shim_unlock(sqlite3_file *file, int how)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), how);
}

static int shim_reserved(sqlite3_file *file, int *ret)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), ret);
}

static int shim_control(sqlite3_file *file, int op, void *arg)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int shim_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int shim_character(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int shim_shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, ret);
}

static int shim_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, n, flags);
}

static void shim_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int shim_shm_unmap(sqlite3_file *file, int and_delete)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), and_delete);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2, /* no memory mapping: it would pass by all this */
    .xClose = shim_close,
    .xRead = shim_read,
    .xWrite = shim_write,
    .xTruncate = shim_truncate,
    .xSync = shim_sync,
    .xFileSize = shim_size,
    .xLock = shim_lock,
    .xUnlock = shim_unlock,
    .xCheckReservedLock = shim_reserved,
    .xFileControl = shim_control,
    .xSectorSize = shim_sector,
    .xDeviceCharacteristics = shim_character,
    .xShmMap = shim_shm_map,
    .xShmLock = shim_shm_lock,
    .xShmBarrier = shim_shm_barrier,
    .xShmUnmap = shim_shm_unmap,
};

/* --- the file system
 * -------------------------------------------------------------------------------------------------- */

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
    struct shim_file *mine = shim_of(file);
    *mine = (struct shim_file){.fake = world_now, .path = path ? path : ""};
    if (fails(file, "open"))
        return SQLITE_CANTOPEN;
    int rc = real_vfs()->xOpen(real_vfs(), path, real_of(file), flags, ret_flags);
    if (rc == SQLITE_OK)
        file->pMethods = &METHODS;
    return rc;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
    if (world_now && fake_world_fails_sqlite(world_now, "unlink", path))
        return SQLITE_IOERR_DELETE;
    if (world_now && world_now->disk)
        fake_disk_removed(world_now->disk, path);
    return real_vfs()->xDelete(real_vfs(), path, 0);
}

static int shim_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret)
{
    return real_vfs()->xAccess(real_vfs(), path, flags, ret);
}

static int shim_full_name(sqlite3_vfs *vfs, const char *path, int len, char *into)
{
    return real_vfs()->xFullPathname(real_vfs(), path, len, into);
}

static int shim_last_error(sqlite3_vfs *vfs, int len, char *into)
{
    return errno;
}

/* What is not written here is the system's own, which looks at nothing of the file system it is called with. */
static void shim_register(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* no one asks, and it takes a lock for every allocation */
    sqlite3_vfs *real = sqlite3_vfs_find(NULL);
    shim = *real;
    shim.zName = "fake";
    shim.pNext = NULL;
    shim.szOsFile = (int)sizeof(struct shim_file) + real->szOsFile;
    shim.pAppData = real;
    shim.xOpen = shim_open;
    shim.xDelete = shim_delete;
    shim.xAccess = shim_access;
    shim.xFullPathname = shim_full_name;
    shim.xGetLastError = shim_last_error;
    sqlite3_vfs_register(&shim, 1);
}

void fake_sqlite_attach(struct fake_world *fake)
{
    if (!shim.zName)
        shim_register();
    world_now = fake;
}
