/* Random lives: SLUICE_LIVES of them (300), from SLUICE_LIFE on; a single one with SLUICE_LIVES=1 SLUICE_LIFE=SEED. */
#include "base/int.h"
#include "kit/kit.h"
#include "model/life.h"

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *text = g_getenv(name);
    uint64_t value;
    return text && int_parse_u64(slice_of_text(text), &value) ? value : fallback;
}

static void the_promises_hold_in_every_life(void **state)
{
    uint64_t first = from_environment("SLUICE_LIFE", 1), lives = from_environment("SLUICE_LIVES", 300);
    struct met met = {0};
    for (uint64_t seed = first; seed < first + lives; seed++) {
        print_message("# life %" PRIu64 "\n", seed);
        life_run(seed, &met);
    }
    print_message("# met: %" PRIu64 " deaths, %" PRIu64 " torn and %" PRIu64 " unanswered writes, %" PRIu64
                  " changed\n",
                  met.deaths, met.torn, met.lost, met.changed);
    if (lives < 100)
        return;
    assert_true(met.deaths > lives);
    assert_true(met.torn > lives / 2);
    assert_true(met.lost > lives / 2);
    assert_true(met.changed > lives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_promises_hold_in_every_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
