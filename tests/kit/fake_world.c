#include "kit/fake_world.h"

#include <errno.h>

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

static void tell(const struct fake_world *fake, const char *call, const char *path, int fd)
{
    if (!fake->told)
        return;
    g_autofree char *link = path ? NULL : g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *found = link ? g_file_read_link(link, NULL) : NULL;
    fake->told(fake->told_self, call, path ? path : found ? found : "");
}

/* Whether this call is to fail; errno is then set. */
static bool faulty(struct fake_world *fake, const char *call, const char *path, int fd)
{
    const struct fake_fault *fault = &fake->fault;
    tell(fake, call, path, fd);
    if (fault->call && strcmp(fault->call, call) != 0)
        return false;
    fake->calls++;
    bool fires = fault->nth && (fault->lasting ? fake->calls >= fault->nth : fake->calls == fault->nth);
    if (!fires)
        return false;
    fake->fired++;
    errno = fault->number;
    return true;
}

static const struct world_files *real_files(void)
{
    return world_real()->files;
}

static int fake_open(void *self, const char *path, int flags, unsigned mode)
{
    struct fake_world *fake = self;
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
    if (faulty(fake, "pwrite", NULL, fd)) {
        int saved_errno = errno;
        real_files()->pwrite(NULL, fd, from, len / 2, offset);
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
    fake->synced++;
    return 0; /* tests look at the order of calls, not at the disk */
}

static int fake_truncate(void *self, int fd, int64_t len)
{
    return faulty(self, "truncate", NULL, fd) ? -1 : real_files()->truncate(NULL, fd, len);
}

static int fake_rename(void *self, const char *from, const char *to)
{
    return faulty(self, "rename", to, -1) ? -1 : real_files()->rename(NULL, from, to);
}

static int fake_unlink(void *self, const char *path)
{
    return faulty(self, "unlink", path, -1) ? -1 : real_files()->unlink(NULL, path);
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
