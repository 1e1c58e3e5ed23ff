/* sluice itself, in a world that ends: the same object code with a `point` that counts and kills, or puts to sleep.
 *
 *     SLUICE_DIES_AT=NAME:N    SIGKILL when the kill point NAME is passed for the N-th time
 *     SLUICE_SLEEPS_AT=NAME:N  the thread sleeps there: until the pipe SLUICE_ASLEEP is opened for reading, and then
 *                              the pipe SLUICE_AWAKE for writing
 *     SLUICE_POINTS_FILE=F     append the name of every point passed to F, one a line (which points are there?) */
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/int.h"
#include "cli/cli.h"
#include "storehost/remote.h"

struct death {
    char name[64];
    uint64_t nth;
    const char *asleep, *awake; /* pipes; NULL: it dies */
    atomic_uint_fast64_t passed;
    int points; /* a file; -1: none */
};

/* An open of a pipe waits for its other end. */
static void sleep_between(const char *asleep, const char *awake)
{
    int told = open(asleep, O_WRONLY | O_CLOEXEC), woken = open(awake, O_RDONLY | O_CLOEXEC);
    if (told < 0 || woken < 0)
        _exit(99);
    close(told);
    close(woken);
}

static void on_point(void *self, const char *name)
{
    struct death *death = self;
    if (death->points >= 0) {
        char line[96];
        int len = g_snprintf(line, sizeof line, "%s\n", name);
        if (write(death->points, line, (size_t)len) != len)
            _exit(99);
    }
    if (!death->nth || strcmp(name, death->name) != 0 || atomic_fetch_add(&death->passed, 1) + 1 != death->nth)
        return;
    if (death->asleep)
        sleep_between(death->asleep, death->awake);
    else
        kill(getpid(), SIGKILL);
}

static void death_init(struct death *death)
{
    const char *dies = g_getenv("SLUICE_DIES_AT"), *sleeps = g_getenv("SLUICE_SLEEPS_AT");
    const char *at = dies ? dies : sleeps, *points = g_getenv("SLUICE_POINTS_FILE");
    const char *colon = at ? strrchr(at, ':') : NULL;
    *death = (struct death){.asleep = dies ? NULL : g_getenv("SLUICE_ASLEEP"),
                            .awake = g_getenv("SLUICE_AWAKE"),
                            .points = points ? open(points, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1};
    if (!colon)
        return;
    g_strlcpy(death->name, at, MIN(sizeof death->name, (size_t)(colon - at) + 1));
    if (!int_parse_u64(slice_of_text(colon + 1), &death->nth))
        _exit(99);
}

int main(int argc, char **argv)
{
    struct death death;
    struct world world = *world_real();
    death_init(&death);
    world.point = on_point;
    world.point_self = &death;
    static const struct store_driver *const extra[] = {&remote_driver, NULL};
    struct cli_start start = {.world = &world, .argc = argc, .argv = argv, .extra = extra};
    return cli_main(&start);
}
