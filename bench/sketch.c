/* How fast sums and a sketch are made from digests that are there already, on one core.
 *
 *     sketch COUNT       prints the records, the seconds, and of 1,000 changed ones how many were found */
#include <stdio.h>
#include <time.h>

#include "base/int.h"
#include "record/sketch.h"

#define SEED    1u
#define CHANGED 1000u

static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct side {
    struct sketch *sketch;
    struct set_digest sum;
};

/* The first `changed` records are others. */
static double make(struct side *side, const uint64_t *digests, uint64_t count, uint64_t changed)
{
    double began_s = now_s();
    side->sketch = sketch_new(SKETCH_CELLS, SEED, SKETCH_TABLES);
    for (uint64_t i = 0; i < count; i++) {
        struct digest value = {digests[3 * i + 1] ^ (i < changed), digests[3 * i + 2]};
        set_digest_add(&side->sum, value);
        sketch_add(side->sketch, digests[3 * i], value);
    }
    return now_s() - began_s;
}

int main(int argc, char **argv)
{
    uint64_t count = 0, state = 7;
    if (argc != 2 || !int_parse_u64(slice_of_text(argv[1]), &count) || count < CHANGED || count > 1000000000) {
        fprintf(stderr, "usage: sketch COUNT\n");
        return 2;
    }
    uint64_t *digests = g_new(uint64_t, 3 * count);
    for (uint64_t i = 0; i < 3 * count; i++)
        digests[i] = next(&state);
    struct side kept = {0}, live = {0};
    double first_s = make(&kept, digests, count, 0), second_s = make(&live, digests, count, CHANGED);
    GArray *found = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    double began_s = now_s();
    sketch_subtract(kept.sketch, live.sketch);
    bool all = sketch_peel(kept.sketch, found);
    printf("{\"records\": %" G_GUINT64_FORMAT ", \"seconds\": %.6f, \"all\": %s, \"entries\": %u, \"peel_s\": %.6f, "
           "\"bytes\": %u}\n",
           count, MIN(first_s, second_s), all ? "true" : "false", found->len, now_s() - began_s,
           SKETCH_CELLS * SKETCH_CELL_BYTES);
    g_array_unref(found);
    sketch_free(kept.sketch);
    sketch_free(live.sketch);
    g_free(digests);
    return 0;
}
