/* Loaded before a program's libraries (LD_PRELOAD): its wall clock is the machine's and as many microseconds more as
 * the file $SLUICE_JUMPS holds at that moment, an int64 as it lies in memory; the monotonic clock goes on as it is.
 * Whoever writes the file lets the clocks jump of all programs that have it, at the same instant. It allocates nothing:
 * servers ask for the time while their own allocator begins. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { US_PER_S = 1000000, NS_PER_US = 1000 };

static _Atomic(const _Atomic int64_t *) shared; /* NULL: not looked for yet */
static const _Atomic int64_t none;

static const _Atomic int64_t *look_for(void)
{
    const char *path = getenv("SLUICE_JUMPS");
    int before = errno, fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    errno = before;
    return mapped == MAP_FAILED ? &none : mapped;
}

static int64_t ahead_us(void)
{
    const _Atomic int64_t *ahead = atomic_load(&shared);
    if (!ahead) {
        ahead = look_for();
        atomic_store(&shared, ahead);
    }
    return atomic_load(ahead);
}

static int64_t wall_us(void)
{
    struct timespec now = {0};
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US + ahead_us();
}

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, ret);
    int64_t us = wall_us();
    *ret = (struct timespec){.tv_sec = us / US_PER_S, .tv_nsec = us % US_PER_S * NS_PER_US};
    return 0;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone)
{
    int64_t us = wall_us();
    (void)zone;
    *ret = (struct timeval){.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S};
    return 0;
}

time_t time(time_t *ret)
{
    time_t s = (time_t)(wall_us() / US_PER_S);
    if (ret)
        *ret = s;
    return s;
}
