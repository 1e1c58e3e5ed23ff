/* Records for the bench: COUNT lines of NDJSON of 200 bytes, ten fields, keys shuffled; the same for every SEED.
 *
 *     records COUNT [SEED] >FILE */
#include <stdio.h>

#include "base/int.h"

/* splitmix64: all that is asked of it is that it looks shuffled and is the same everywhere. */
static uint64_t next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint32_t *shuffled(uint64_t count, uint64_t *state)
{
    uint32_t *numbers = g_new(uint32_t, count);
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = (uint32_t)i;
    for (uint64_t i = count - 1; i > 0; i--) {
        uint64_t j = next(state) % (i + 1);
        uint32_t kept = numbers[i];
        numbers[i] = numbers[j];
        numbers[j] = kept;
    }
    return numbers;
}

static void put_record(uint32_t n, uint64_t dice)
{
    static const char *const TIERS[] = {"bronze", "silver", "gold", "platinum"};
    uint64_t cents = dice % 5000000;
    char line[512];
    int len = g_snprintf(line, sizeof line,
                         "{\"id\":\"key%08u\",\"name\":\"customer no %08u\",\"tier\":\"%s\",\"balance\":%u.%02u,"
                         "\"visits\":%u,\"active\":%s,\"zip\":\"%05u\",\"city\":\"Springfield\",\"score\":%u,"
                         "\"updated_at\":\"2026-07-%02uT12:00:00Z\"",
                         n, n, TIERS[n % 4], (unsigned)(cents / 100), (unsigned)(cents % 100), (unsigned)(cents % 9973),
                         cents % 2 ? "true" : "false", (unsigned)(cents % 100000), (unsigned)(cents % 97),
                         (unsigned)(1 + cents % 28));
    printf("%.*s%*s}\n", len, line, MAX(198 - len, 0), "");
}

int main(int argc, char **argv)
{
    uint64_t count = 0, seed = 1;
    if (argc < 2 || argc > 3 || !int_parse_u64(slice_of_text(argv[1]), &count) || count == 0 || count > UINT32_MAX ||
        (argc == 3 && !int_parse_u64(slice_of_text(argv[2]), &seed))) {
        fprintf(stderr, "usage: records COUNT [SEED]\n");
        return 2;
    }
    uint32_t *numbers = shuffled(count, &seed);
    for (uint64_t i = 0; i < count; i++)
        put_record(numbers[i], next(&seed));
    g_free(numbers);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
