/* Loaded before a program's libraries (LD_PRELOAD): what it appends to files called *.log (RocksDB's write-ahead logs,
 * which nobody reads while they are written) reaches them when it is synced, or when they are closed. A process that is
 * killed loses the rest, as a machine does that loses its power.
 *
 *     SLUICE_LOSES=all     nothing of it reaches the disk before
 *     SLUICE_LOSES=torn    all but the last write, and half of that one
 *     SLUICE_LOST=F        each time that something is held back, the file F says so: nothing was proved where it is
 * empty */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILES = 1024 };

static struct held {
    bool is;
    char *bytes;
    size_t len;
} files[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards them all */

#define REAL(name, type, ...)                                                                                          \
    type (*real_##name)(__VA_ARGS__);                                                                                  \
    void *found_##name = dlsym(RTLD_NEXT, #name);                                                                      \
    memcpy(&real_##name, &found_##name, sizeof real_##name)

static struct held *held_of(int fd)
{
    return fd >= 0 && fd < FILES && files[fd].is ? &files[fd] : NULL;
}

static void put(int fd, const char *bytes, size_t len)
{
    REAL(write, ssize_t, int, const void *, size_t);
    while (len > 0) {
        ssize_t put = real_write(fd, bytes, len);
        if (put <= 0)
            abort();
        bytes += put;
        len -= (size_t)put;
    }
}

static void say_held(void)
{
    REAL(open, int, const char *, int, ...);
    REAL(close, int, int);
    const char *into = getenv("SLUICE_LOST");
    int out = into ? real_open(into, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    if (out < 0)
        return;
    put(out, "held\n", 5);
    real_close(out);
}

static void let_go(int fd, struct held *held)
{
    put(fd, held->bytes, held->len);
    held->len = 0;
}

static void hold(int fd, struct held *held, const char *bytes, size_t len)
{
    const char *how = getenv("SLUICE_LOSES");
    bool torn = how && strcmp(how, "torn") == 0;
    size_t kept = torn ? len / 2 : 0;
    if (torn)
        let_go(fd, held);
    put(fd, bytes, kept);
    held->bytes = realloc(held->bytes, held->len + len - kept + 1);
    if (!held->bytes)
        abort();
    memcpy(held->bytes + held->len, bytes + kept, len - kept);
    held->len += len - kept;
    say_held();
}

static void opened(int fd, const char *path, int flags)
{
    size_t len = strlen(path);
    bool log = len > 4 && strcmp(path + len - 4, ".log") == 0 && (flags & O_ACCMODE) != O_RDONLY;
    if (fd < 0 || fd >= FILES || !getenv("SLUICE_LOSES"))
        return;
    pthread_mutex_lock(&lock);
    files[fd].is = log;
    files[fd].len = 0;
    pthread_mutex_unlock(&lock);
}

/* By either name: which one a library calls is its own affair. */
#define OPEN(function, name)                                                                                           \
    int function(const char *path, int flags, ...) __asm__(name);                                                      \
    int function(const char *path, int flags, ...)                                                                     \
    {                                                                                                                  \
        int (*real)(const char *, int, ...);                                                                           \
        void *found = dlsym(RTLD_NEXT, name);                                                                          \
        memcpy(&real, &found, sizeof real);                                                                            \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        int fd = real(path, flags, va_arg(more, mode_t));                                                              \
        va_end(more);                                                                                                  \
        opened(fd, path, flags);                                                                                       \
        return fd;                                                                                                     \
    }
OPEN(open_plain, "open")
OPEN(open_large, "open64")

ssize_t write(int fd, const void *bytes, size_t len)
{
    REAL(write, ssize_t, int, const void *, size_t);
    pthread_mutex_lock(&lock);
    struct held *held = held_of(fd);
    if (held)
        hold(fd, held, bytes, len);
    pthread_mutex_unlock(&lock);
    return held ? (ssize_t)len : real_write(fd, bytes, len);
}

static void synced(int fd)
{
    pthread_mutex_lock(&lock);
    struct held *held = held_of(fd);
    if (held)
        let_go(fd, held);
    pthread_mutex_unlock(&lock);
}

int fsync(int fd)
{
    REAL(fsync, int, int);
    synced(fd);
    return real_fsync(fd);
}

int fdatasync(int fd)
{
    REAL(fdatasync, int, int);
    synced(fd);
    return real_fdatasync(fd);
}

int ftruncate(int fd, off_t len)
{
    REAL(ftruncate, int, int, off_t);
    synced(fd);
    return real_ftruncate(fd, len);
}

int close(int fd)
{
    REAL(close, int, int);
    synced(fd);
    if (held_of(fd))
        files[fd].is = false;
    return real_close(fd);
}
