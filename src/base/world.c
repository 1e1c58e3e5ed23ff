#include "base/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { US_PER_S = 1000000, CANCEL_LOOK_US = 20000, NICEST = 19 };

_Static_assert(sizeof(off_t) == 8, "files beyond 4 GiB");

static int64_t real_monotonic_us(void *self)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static int64_t real_wall_ms(void *self)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* How often real_wake() was called: what sleepers wait for a change of. One word for all, since whose *cancel it is
 * nobody needs to know: they are few, and look again. */
static atomic_uint wakes;

static void real_wake(void *self)
{
    (void)self;
    atomic_fetch_add(&wakes, 1);
    syscall(SYS_futex, &wakes, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* `seen` was read before *cancel was, so that nobody sleeps over a wake in between. futex(2) counts the time by the
 * monotonic clock. */
static void doze(const struct timespec *step, unsigned seen)
{
    syscall(SYS_futex, &wakes, FUTEX_WAIT_PRIVATE, seen, step, NULL, 0);
}

/* Not everyone who sets *cancel wakes the sleeper, a signal handler least of all: it looks fifty times a second. */
static void real_sleep_us(void *self, int64_t us, const atomic_bool *cancel)
{
    int64_t end_us = real_monotonic_us(self) + us;
    for (int64_t left_us = us; left_us > 0; left_us = end_us - real_monotonic_us(self)) {
        unsigned seen = atomic_load(&wakes);
        if (cancel && atomic_load(cancel))
            return;
        int64_t step_us = cancel && left_us > CANCEL_LOOK_US ? CANCEL_LOOK_US : left_us;
        struct timespec step = {.tv_sec = step_us / US_PER_S, .tv_nsec = step_us % US_PER_S * 1000};
        if (cancel)
            doze(&step, seen);
        else
            nanosleep(&step, NULL);
    }
}

static int64_t real_thread_cpu_ns(void *self)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 * US_PER_S + used.tv_nsec;
}

/* On Linux a thread's own (setpriority(2)); whoever may not is not nice. */
static void real_give_way(void *self)
{
    (void)self;
    setpriority(PRIO_PROCESS, (id_t)gettid(), NICEST);
}

static int real_open(void *self, const char *path, int flags, unsigned mode)
{
    return open(path, flags, mode);
}

static int real_close(void *self, int fd)
{
    return close(fd);
}

static int64_t real_pread(void *self, int fd, void *into, size_t len, int64_t offset)
{
    return pread(fd, into, len, offset);
}

static int64_t real_pwrite(void *self, int fd, const void *from, size_t len, int64_t offset)
{
    return pwrite(fd, from, len, offset);
}

static int real_fsync(void *self, int fd, bool data_only)
{
    return data_only ? fdatasync(fd) : fsync(fd);
}

static int real_truncate(void *self, int fd, int64_t len)
{
    return ftruncate(fd, len);
}

static int real_rename(void *self, const char *from, const char *to)
{
    return rename(from, to);
}

static int real_unlink(void *self, const char *path)
{
    return unlink(path);
}

static int real_mkdir(void *self, const char *path, unsigned mode)
{
    return mkdir(path, mode);
}

static int real_lock(void *self, int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int real_stat(void *self, int fd, struct world_stat *ret)
{
    struct stat found;
    if (fstat(fd, &found) != 0)
        return -1;
    *ret = (struct world_stat){
        .size = (uint64_t)found.st_size,
        .device = found.st_dev,
        .inode = found.st_ino,
        .mtime_ns = (int64_t)found.st_mtim.tv_sec * 1000000000 + found.st_mtim.tv_nsec,
        .regular = S_ISREG(found.st_mode),
        .directory = S_ISDIR(found.st_mode),
    };
    return 0;
}

static int real_list(void *self, const char *path, void (*each)(void *user, const char *name), void *user)
{
    DIR *dir = opendir(path);
    if (!dir)
        return -1;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            each(user, entry->d_name);
    int saved_errno = errno;
    closedir(dir);
    errno = saved_errno;
    return saved_errno ? -1 : 0;
}

static int real_room(void *self, const char *path, struct world_room *ret)
{
    struct statvfs found;
    if (statvfs(path, &found) != 0)
        return -1;
    *ret = (struct world_room){.free_bytes = (uint64_t)found.f_bavail * found.f_frsize,
                               .writable = access(path, W_OK) == 0};
    return 0;
}

static int real_locker(void *self, const char *path, int64_t *ret_pid)
{
    struct flock found = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fcntl(fd, F_GETLK, &found);
    int saved_errno = errno;
    close(fd);
    errno = saved_errno;
    if (result == 0)
        *ret_pid = found.l_type == F_UNLCK ? 0 : found.l_pid;
    return result;
}

static int real_resolve(void *self, const char *host, const char *port, struct addrinfo **ret)
{
    const struct addrinfo wish = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    return getaddrinfo(host, port, &wish, ret);
}

static void real_resolved(void *self, struct addrinfo *list)
{
    freeaddrinfo(list);
}

static int real_socket(void *self, int family)
{
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int real_connect(void *self, int fd, const struct sockaddr *address, unsigned len)
{
    return connect(fd, address, len);
}

static int real_option(void *self, int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int real_fate(void *self, int fd)
{
    int fate = 0;
    socklen_t len = sizeof fate;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &fate, &len) == 0 ? fate : errno;
}

static int64_t real_send(void *self, int fd, const void *from, size_t len)
{
    return send(fd, from, len, MSG_NOSIGNAL);
}

static int64_t real_recv(void *self, int fd, void *into, size_t len)
{
    return recv(fd, into, len, 0);
}

static int real_poll(void *self, struct pollfd *polls, size_t n, int64_t timeout_us)
{
    struct timespec until = {.tv_sec = timeout_us / US_PER_S, .tv_nsec = timeout_us % US_PER_S * 1000};
    return ppoll(polls, n, timeout_us < 0 ? NULL : &until, NULL);
}

static bool real_random(void *self, void *into, size_t len)
{
    uint8_t *at = into;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno != EINTR)
            return false;
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
    return true;
}

int64_t world_monotonic_us(const struct world *world)
{
    return world->clock->monotonic_us(world->clock_self);
}

int64_t world_wall_ms(const struct world *world)
{
    return world->clock->wall_ms(world->clock_self);
}

void world_sleep_us(const struct world *world, int64_t us, const atomic_bool *cancel)
{
    world->clock->sleep_us(world->clock_self, us, cancel);
}

void world_cancel(const struct world *world, atomic_bool *cancel)
{
    atomic_store(cancel, true);
    if (world->clock->wake)
        world->clock->wake(world->clock_self);
}

/* Without random numbers neither names nor seeds are safe, and no caller could do anything about it. */
int64_t world_thread_cpu_ns(const struct world *world)
{
    return world->clock->thread_cpu_ns ? world->clock->thread_cpu_ns(world->clock_self) : 0;
}

void world_give_way(const struct world *world)
{
    if (world->clock->give_way)
        world->clock->give_way(world->clock_self);
}

void world_random(const struct world *world, void *into, size_t len)
{
    if (!world->random(world->random_self, into, len))
        g_error("the system gives no random numbers");
}

void world_point(const struct world *world, const char *name)
{
    if (world->point)
        world->point(world->point_self, name);
}

bool world_seal_key(const struct world *world, const uint8_t uid[16], const char *what, struct seal_key *ret,
                    bool *ret_found, GError **error)
{
    *ret_found = false;
    return !world->seals || world->seals->find(world->seals_self, uid, what, ret, ret_found, error);
}

static const struct world_clock real_clock = {
    .monotonic_us = real_monotonic_us,
    .wall_ms = real_wall_ms,
    .sleep_us = real_sleep_us,
    .wake = real_wake,
    .thread_cpu_ns = real_thread_cpu_ns,
    .give_way = real_give_way,
};

static const struct world_files real_files = {
    .open = real_open,
    .close = real_close,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .fsync = real_fsync,
    .truncate = real_truncate,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .lock = real_lock,
    .stat = real_stat,
    .list = real_list,
    .room = real_room,
    .locker = real_locker,
};

static const struct world_net real_net = {
    .resolve = real_resolve,
    .resolved = real_resolved,
    .socket = real_socket,
    .connect = real_connect,
    .option = real_option,
    .fate = real_fate,
    .send = real_send,
    .recv = real_recv,
    .poll = real_poll,
    .close = real_close,
};

static const struct world real = {.clock = &real_clock, .files = &real_files, .net = &real_net, .random = real_random};

const struct world *world_real(void)
{
    return &real;
}
