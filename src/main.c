/* The program: makes the world, takes the signals, and hands over to the command line. */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include "cli/cli.h"

/* The one thing that a signal handler may touch: how often we were asked to stop. */
static atomic_int asked;

/* The second time stops at once: everything durable is durable already, and the next command goes on from it. */
static void on_signal(int number)
{
    if (atomic_fetch_add(&asked, 1) >= 1)
        _exit(3);
}

static void take_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* By default glibc keeps a heap for each of some sixteen threads, and what one has freed no other one gets: of a load,
 * 30 MiB more, and more the longer it takes. Large blocks (RocksDB's write buffers) go back to the system. */
static void keep_memory_together(void)
{
    enum { HEAPS = 2, LARGE_BYTES = 1 << 20 };
    mallopt(M_ARENA_MAX, HEAPS);
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
}

/* A standard file that was closed would be the number of the next one that is opened, and what is printed would stand
 * in the catalog. In its place stands one with which nothing can be done: what is printed there is missed, and said so.
 */
static void stand_in_for_closed(void)
{
    static const int MODES[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};
    for (int number = STDIN_FILENO; number <= STDERR_FILENO; number++)
        if (fcntl(number, F_GETFD) < 0 && open("/dev/null", MODES[number]) < 0)
            _exit(1);
}

int main(int argc, char **argv)
{
    stand_in_for_closed();
    struct cli_start start = {.world = world_real(), .signals = &asked, .argc = argc, .argv = argv};
    keep_memory_together();
    take_signals();
    return cli_main(&start);
}
