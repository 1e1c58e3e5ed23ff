/* The program: makes the world, takes the signals, and hands over to the command line. */
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

int main(int argc, char **argv)
{
    struct cli_start start = {.world = world_real(), .signals = &asked, .argc = argc, .argv = argv};
    keep_memory_together();
    take_signals();
    return cli_main(&start);
}
