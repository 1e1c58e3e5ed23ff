#include "kit/fake_world.h"

#include <errno.h>
#include <fcntl.h>

#include "kit/fake_disk.h"
#include "kit/kit.h"

/* Sebastiano Vigna's splitmix64. */
uint64_t fake_next(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t fake_monotonic_us(void *self)
{
    return ((struct fake_world *)self)->now_us;
}

static int64_t fake_wall_ms(void *self)
{
    return ((struct fake_world *)self)->wall_ms;
}

static void fake_sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    struct fake_world *fake = self;
    if (cancel && atomic_load(cancel))
        return;
    fake->now_us += us;
    fake->wall_ms += us / 1000;
}

static bool fake_random(void *self, void *into, size_t len)
{
    struct fake_world *fake = self;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)into)[i] = (uint8_t)fake_next(&fake->seed);
    return true;
}

/* One of sluice's own calls names its file by a descriptor, mostly. */
static char *path_of(const char *path, int fd)
{
    g_autofree char *link = path ? NULL : g_strdup_printf("/proc/self/fd/%d", fd);
    char *found = link ? g_file_read_link(link, NULL) : g_strdup(path);
    return found ? found : g_strdup("");
}

static bool fits(const struct fake_fault *fault, const char *call, const char *path, bool sqlite)
{
    return fault->sqlite == sqlite && (!fault->call || strcmp(fault->call, call) == 0) &&
           (!fault->path || strstr(path, fault->path));
}

static bool changes(const char *call)
{
    static const char *const CALLS[] = {"pwrite", "fsync", "truncate", "rename", "unlink", "mkdir"};
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++)
        if (strcmp(CALLS[i], call) == 0)
            return true;
    return false;
}

static bool dies(struct fake_world *fake, const char *call)
{
    if (fake->dies_in > 0 && changes(call))
        fake->dead |= --fake->dies_in == 0;
    return fake->dead;
}

static bool fires(struct fake_world *fake, const char *call, const char *path, bool sqlite)
{
    const struct fake_fault *fault = &fake->fault;
    bool chosen = fits(fault, call, path, sqlite);
    if (fake->told)
        fake->told(fake->told_self, call, path, sqlite, chosen);
    if (!chosen)
        return false;
    fake->calls++;
    if (!fault->nth || (fault->lasting ? fake->calls < fault->nth : fake->calls != fault->nth))
        return false;
    fake->fired++;
    return true;
}

static bool asked(struct fake_world *fake, const char *call, const char *path, int fd, bool sqlite)
{
    g_autofree char *found = fake->told || fake->fault.path ? path_of(path, fd) : NULL;
    g_mutex_lock(&fake->lock);
    bool dead = dies(fake, call);
    bool fails = fires(fake, call, found ? found : "", sqlite);
    g_mutex_unlock(&fake->lock);
    if (dead || fails)
        errno = dead ? EIO : fake->fault.number;
    return dead || fails;
}

/* Whether this call is to fail; errno is then set. */
static bool faulty(struct fake_world *fake, const char *call, const char *path, int fd)
{
    return asked(fake, call, path, fd, false);
}

bool fake_world_fails_sqlite(struct fake_world *fake, const char *call, const char *path)
{
    return asked(fake, call, path, -1, true);
}

static const struct world_files *real_files(void)
{
    return world_real()->files;
}

/* --- what is not synced
 * ------------------------------------------------------------------------------------------------ */

static char *file_of(int fd)
{
    struct world_stat stat;
    assert_int_equal(real_files()->stat(NULL, fd, &stat), 0);
    return g_strdup_printf("%" G_GUINT64_FORMAT, stat.inode);
}

/* What stands in so many bytes from there on. */
static GBytes *bytes_of(const char *path, uint64_t offset, uint64_t len, uint64_t size)
{
    uint64_t have = offset < size ? MIN(len, size - offset) : 0;
    uint8_t *bytes = g_malloc(have + 1);
    int fd = have > 0 ? real_files()->open(NULL, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (have > 0)
        assert_int_equal(real_files()->pread(NULL, fd, bytes, have, (int64_t)offset), have);
    if (fd >= 0)
        real_files()->close(NULL, fd);
    return g_bytes_new_take(bytes, have);
}

static void keep_old(struct fake_world *fake, int fd, uint64_t offset, uint64_t len)
{
    struct world_stat stat;
    if (!fake->disk)
        return;
    assert_int_equal(real_files()->stat(NULL, fd, &stat), 0);
    g_autofree char *file = file_of(fd);
    g_autofree char *path = path_of(NULL, fd);
    uint64_t reach = len > 0 ? len : stat.size > offset ? stat.size - offset : 0;
    struct fake_disk_write write = {
        .offset = offset, .len = len, .old = bytes_of(path, offset, reach, stat.size), .size = stat.size};
    fake_disk_writes(fake->disk, file, path, &write);
}

static void keep_made(struct fake_world *fake, const char *path, int flags)
{
    if (fake->disk && (flags & O_CREAT) && !g_file_test(path, G_FILE_TEST_EXISTS))
        fake_disk_makes(fake->disk, path);
}

static void is_synced(struct fake_world *fake, int fd)
{
    struct world_stat stat;
    if (!fake->disk)
        return;
    assert_int_equal(real_files()->stat(NULL, fd, &stat), 0);
    g_autofree char *file = stat.directory ? path_of(NULL, fd) : file_of(fd);
    (stat.directory ? fake_disk_dir_synced : fake_disk_synced)(fake->disk, file);
}

/* --- files
 * ------------------------------------------------------------------------------------------------------------- */

static int fake_open(void *self, const char *path, int flags, unsigned mode)
{
    struct fake_world *fake = self;
    if (!fake->dead)
        keep_made(fake, path, flags);
    int fd = faulty(fake, "open", path, -1) ? -1 : real_files()->open(NULL, path, flags, mode);
    fake->opened += fd >= 0;
    return fd;
}

/* A close that fails has closed all the same, as on Linux. */
static int fake_close(void *self, int fd)
{
    struct fake_world *fake = self;
    bool fails = faulty(fake, "close", NULL, fd);
    int saved_errno = errno;
    int result = real_files()->close(NULL, fd);
    fake->closed++;
    if (!fails)
        return result;
    errno = saved_errno;
    return -1;
}

static size_t cut(const struct fake_world *fake, size_t len)
{
    return fake->longest && len > fake->longest ? fake->longest : len;
}

static int64_t fake_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    struct fake_world *fake = self;
    if (faulty(fake, "pread", NULL, fd))
        return -1;
    fake->reads++;
    return real_files()->pread(NULL, fd, into, cut(fake, len), offset);
}

/* A write that fails has torn: half of it is in the file. */
static int64_t fake_pwrite(void *self, int fd, const void *from, size_t len, int64_t offset)
{
    struct fake_world *fake = self;
    bool was_dead = fake->dead;
    if (!was_dead)
        keep_old(fake, fd, (uint64_t)offset, len);
    if (faulty(fake, "pwrite", NULL, fd)) {
        int saved_errno = errno;
        real_files()->pwrite(NULL, fd, from, was_dead ? 0 : len / 2, offset);
        errno = saved_errno;
        return -1;
    }
    fake->writes++;
    return real_files()->pwrite(NULL, fd, from, cut(fake, len), offset);
}

static int fake_fsync(void *self, int fd, bool data_only)
{
    struct fake_world *fake = self;
    if (faulty(fake, "fsync", NULL, fd))
        return -1;
    is_synced(fake, fd);
    fake->synced++;
    return 0; /* tests look at the order of calls, not at the disk */
}

static int fake_truncate(void *self, int fd, int64_t len)
{
    if (faulty(self, "truncate", NULL, fd))
        return -1;
    keep_old(self, fd, (uint64_t)len, 0);
    return real_files()->truncate(NULL, fd, len);
}

static int fake_rename(void *self, const char *from, const char *to)
{
    struct fake_world *fake = self;
    if (faulty(fake, "rename", to, -1))
        return -1;
    if (fake->disk)
        fake_disk_renames(fake->disk, from, to);
    return real_files()->rename(NULL, from, to);
}

static int fake_unlink(void *self, const char *path)
{
    struct fake_world *fake = self;
    if (faulty(fake, "unlink", path, -1))
        return -1;
    if (fake->disk)
        fake_disk_removed(fake->disk, path);
    return real_files()->unlink(NULL, path);
}

static int fake_mkdir(void *self, const char *path, unsigned mode)
{
    return faulty(self, "mkdir", path, -1) ? -1 : real_files()->mkdir(NULL, path, mode);
}

static int fake_lock(void *self, int fd)
{
    return faulty(self, "lock", NULL, fd) ? -1 : real_files()->lock(NULL, fd);
}

static int fake_stat(void *self, int fd, struct world_stat *ret)
{
    return faulty(self, "stat", NULL, fd) ? -1 : real_files()->stat(NULL, fd, ret);
}

static int fake_list(void *self, const char *path, void (*each)(void *user, const char *name), void *user)
{
    return faulty(self, "list", path, -1) ? -1 : real_files()->list(NULL, path, each, user);
}

static int fake_room(void *self, const char *path, struct world_room *ret)
{
    return real_files()->room(NULL, path, ret);
}

static int fake_locker(void *self, const char *path, int64_t *ret_pid)
{
    return real_files()->locker(NULL, path, ret_pid);
}

static const struct world_clock fake_clock = {
    .monotonic_us = fake_monotonic_us,
    .wall_ms = fake_wall_ms,
    .sleep_us = fake_sleep_us,
};

static const struct world_files fake_files = {
    .open = fake_open,
    .close = fake_close,
    .pread = fake_pread,
    .pwrite = fake_pwrite,
    .fsync = fake_fsync,
    .truncate = fake_truncate,
    .rename = fake_rename,
    .unlink = fake_unlink,
    .mkdir = fake_mkdir,
    .lock = fake_lock,
    .stat = fake_stat,
    .list = fake_list,
    .room = fake_room,
    .locker = fake_locker,
};

void fake_world_init(struct fake_world *fake)
{
    *fake = (struct fake_world){
        .now_us = 1000000,
        .wall_ms = INT64_C(1783684800000), /* 2026-07-10T12:00:00Z */
        .world = {.clock = &fake_clock, .files = &fake_files, .random = fake_random},
    };
    fake->world.clock_self = fake->world.files_self = fake->world.random_self = fake;
}

void fake_world_arm(struct fake_world *fake, struct fake_fault fault)
{
    fake->fault = fault;
    fake->calls = fake->fired = 0;
}
