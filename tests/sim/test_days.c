/* Days of operation: SLUICE_DAYS of them (else SLUICE_DAYS_USUAL, which the build says, else 3), from SLUICE_DAY on; a
 * single one with SLUICE_DAYS=1 SLUICE_DAY=SEED. */
#include "base/int.h"
#include "kit/kit.h"
#include "sim/day.h"

static uint64_t from_environment(const char *name, uint64_t fallback)
{
    const char *text = g_getenv(name);
    uint64_t value;
    return text && int_parse_u64(slice_of_text(text), &value) ? value : fallback;
}

static void say(uint64_t days, const struct day_met *met)
{
    print_message("# %" PRIu64 " days, %.1f of them virtual, in %" PRIu64 " turns: %" PRIu64 " deaths, %" PRIu64
                  " losses of power (%" PRIu64 " calls forgotten), %" PRIu64 " pauses, %" PRIu64 " resumes, %" PRIu64
                  " approvals, %" PRIu64 " halts, %" PRIu64 " failures, %" PRIu64 " jumps of the clock, %" PRIu64
                  " second homes refused; %" PRIu64 " runs done, %" PRIu64 " taken back\n",
                  days, (double)met->virtual_ms / 86400e3, met->turns, met->deaths, met->powers, met->forgotten,
                  met->pauses, met->resumes, met->approvals, met->halts, met->failures, met->jumps, met->refused,
                  met->done, met->back);
    print_message("# the cluster met %" PRIu64 " failovers, which lost %" PRIu64 " writes (%" PRIu64
                  " of the application's), %" PRIu64 " moves; %" PRIu64 " torn, %" PRIu64 " late, %" PRIu64
                  " unanswered, %" PRIu64 " slow, %" PRIu64 " unreachable, %" PRIu64 " fenced; %" PRIu64 " writes\n",
                  met->cluster.failovers, met->cluster.lost_writes, met->cluster.lost_of_app, met->cluster.moves,
                  met->cluster.torn, met->cluster.late, met->cluster.unanswered, met->cluster.slow,
                  met->cluster.unreachable, met->cluster.fenced, met->cluster.writes);
    print_message("# %" PRIu64 " shadows waited, %" PRIu64 " records written into them (%" PRIu64 " lost), %" PRIu64
                  " went live, %" PRIu64 " were taken back; %" PRIu64 " repairs of %" PRIu64 " records, %" PRIu64
                  " of them taken back; %" PRIu64 " promotions mended\n",
                  met->shadows, met->cluster.into_shadows, met->cluster.lost_of_shadows, met->promoted, met->unpromoted,
                  met->repairs, met->repaired, met->unrepairs, met->mended);
}

static void live(uint64_t seed, struct day_met *met)
{
    g_autofree char *text = day_live(seed, met);
    if (text)
        fail_msg("%s; SLUICE_DAYS=1 SLUICE_DAY=%" PRIu64 " lives it again", text, seed);
}

static uint64_t first_day(void)
{
    return from_environment("SLUICE_DAY", 1);
}

static void add(struct day_met *to, const struct day_met *from)
{
    uint64_t *sum = (uint64_t *)(void *)to;
    const uint64_t *more = (const uint64_t *)(const void *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += more[i];
}

/* *state: what the first of them met. */
static void the_promises_hold_all_day(void **state)
{
    uint64_t days = from_environment("SLUICE_DAYS", from_environment("SLUICE_DAYS_USUAL", 3));
    struct day_met met = {0};
    for (uint64_t i = 0; i < days; i++) {
        struct day_met one = {0};
        live(first_day() + i, &one);
        add(&met, &one);
        if (i == 0)
            memcpy(*state, &one, sizeof one);
    }
    say(days, &met);
    if (days < 20)
        return;
    assert_true(met.deaths >= days && met.powers >= days / 10 && met.cluster.failovers >= days / 2);
    assert_true(met.cluster.lost_writes >= days / 2 && met.cluster.torn + met.cluster.late >= days / 2);
    assert_true(met.virtual_ms / 3600000 >= days && met.done > 0 && met.back > 0);
    assert_true(met.promoted > 0 && met.unpromoted > 0 && met.cluster.lost_of_shadows > 0);
    assert_true(met.repaired > 0 && met.unrepairs > 0);
}

static void a_seed_is_a_day(void **state)
{
    struct day_met again = {0};
    live(first_day(), &again);
    assert_memory_equal(*state, &again, sizeof again);
}

int main(void)
{
    struct day_met first = {0};
    const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(the_promises_hold_all_day, &first),
                                       cmocka_unit_test_prestate(a_seed_is_a_day, &first)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
