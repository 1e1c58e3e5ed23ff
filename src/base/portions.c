#include "base/portions.h"

/* As read; what is made of it takes several times that, and has room in the arena of a batch. */
#define PORTION_BYTES (16u << 20)
#define FEWER         8u

/* Whether so many are no more than a portion; how many the next one may have. */
static bool is_portion(struct portions *portions, size_t n, size_t bytes)
{
    if (bytes > PORTION_BYTES && n > 1) {
        portions->most = MAX(n * (PORTION_BYTES / 4 * 3) / bytes, 1u);
        return false;
    }
    if (bytes < PORTION_BYTES / 4 && portions->most <= n)
        portions->most *= 2;
    return true;
}

static bool read_portion(struct portions *portions, struct arena *mem, const struct portions_way *way, size_t first,
                         size_t *io_n, GError **error)
{
    const struct arena_mark mark = arena_mark(mem);
    for (;; arena_rewind(mem, mark)) {
        g_autoptr(GError) failed = NULL;
        *io_n = portions->most ? MIN(*io_n, portions->most) : *io_n;
        bool ok = way->read(way->self, first, *io_n, &failed);
        if (ok && is_portion(portions, *io_n, arena_used(mem) - mark.used))
            return true;
        if (ok)
            continue;
        if (*io_n <= 1 || !error_is(failed, SLUICE_ERROR_TOO_BIG)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        portions->most = MAX(*io_n / FEWER, 1u);
    }
}

/* The memory of the last portion is the caller's, who resets it with the batch: most batches are one portion. */
bool portions_each(struct portions *portions, struct arena *mem, size_t n, const struct portions_way *way,
                   GError **error)
{
    const struct arena_mark mark = arena_mark(mem);
    for (size_t at = 0, some; at < n; at += some) {
        some = n - at;
        if (at > 0)
            arena_rewind(mem, mark);
        if (!read_portion(portions, mem, way, at, &some, error) ||
            (way->take && !way->take(way->self, at, some, error)))
            return false;
    }
    return true;
}
