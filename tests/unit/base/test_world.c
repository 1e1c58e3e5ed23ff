#include <sys/resource.h>
#include <unistd.h>

#include "base/thread.h"
#include "base/world.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

static void the_real_clock_goes_forward_and_knows_the_century(void **state)
{
    const struct world *world = world_real();
    int64_t before_us = world_monotonic_us(world);
    assert_true(world_monotonic_us(world) >= before_us);
    assert_true(world_wall_ms(world) > INT64_C(1700000000000)); /* 2023 */
}

static void a_cancelled_sleep_ends_at_once(void **state)
{
    const struct world *world = world_real();
    atomic_bool cancel = true;
    int64_t before_us = world_monotonic_us(world);
    world_sleep_us(world, INT64_C(3600000000), &cancel);
    assert_true(world_monotonic_us(world) - before_us < 60000000);
}

static void note_wake(void *self)
{
    ++*(int *)self;
}

static void who_cancels_wakes_those_who_sleep(void **state)
{
    int wakes = 0;
    atomic_bool cancel = false;
    struct world_clock clock = {.wake = note_wake};
    world_cancel(&(struct world){.clock = &clock, .clock_self = &wakes}, &cancel);
    assert_true(atomic_load(&cancel));
    assert_int_equal(wakes, 1);
    world_cancel(&(struct world){.clock = &(struct world_clock){0}}, &cancel); /* where they look by themselves */
}

static void sleep_until_cancelled(void *self)
{
    world_sleep_us(world_real(), INT64_C(3600000000), self);
}

static void sleepers_of_the_real_clock_end_when_they_are_cancelled(void **state)
{
    enum { SLEEPERS = 4 };
    GError *error = NULL;
    struct thread *threads[SLEEPERS];
    atomic_bool cancel = false;
    for (size_t i = 0; i < SLEEPERS; i++)
        kit_ok(thread_start(&threads[i], "sleeper", sleep_until_cancelled, &cancel, &error));
    world_cancel(world_real(), &cancel);
    for (size_t i = 0; i < SLEEPERS; i++)
        thread_join(threads[i]);
}

static void a_sleep_lasts_as_long_as_asked(void **state)
{
    const struct world *world = world_real();
    int64_t before_us = world_monotonic_us(world);
    world_sleep_us(world, 2000, NULL);
    assert_true(world_monotonic_us(world) - before_us >= 2000);
    world_sleep_us(world, -5, NULL);
}

static void note_niceness(void *self)
{
    world_give_way(world_real());
    world_give_way(world_real());
    *(int *)self = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static void a_thread_that_gives_way_is_the_nicest_and_no_other_is(void **state)
{
    GError *error = NULL;
    struct thread *thread;
    int before = getpriority(PRIO_PROCESS, (id_t)gettid()), nice = before;
    kit_ok(thread_start(&thread, "nice", note_niceness, &nice, &error));
    thread_join(thread);
    assert_int_equal(nice, 19);
    assert_int_equal(getpriority(PRIO_PROCESS, (id_t)gettid()), before);
    world_give_way(&(struct world){.clock = &(struct world_clock){0}}); /* one that has no processor */
}

static void random_bytes_fill_everything_and_differ(void **state)
{
    uint8_t a[1024] = {0}, b[1024] = {0};
    world_random(world_real(), a, sizeof a);
    world_random(world_real(), b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a + 1000, (uint8_t[24]){0}, 24);
}

static void keep_point(void *self, const char *name)
{
    *(const char **)self = name;
}

static void a_point_is_nothing_unless_someone_listens(void **state)
{
    const char *last = NULL;
    world_point(world_real(), "undo.synced");
    struct world world = *world_real();
    world.point = keep_point;
    world.point_self = &last;
    world_point(&world, "undo.synced");
    assert_string_equal(last, "undo.synced");
}

static void the_fake_clock_moves_only_by_sleeping(void **state)
{
    struct fake_world fake;
    fake_world_init(&fake);
    int64_t before_us = world_monotonic_us(&fake.world), before_ms = world_wall_ms(&fake.world);
    world_sleep_us(&fake.world, 5000, NULL);
    assert_int_equal(world_monotonic_us(&fake.world) - before_us, 5000);
    assert_int_equal(world_wall_ms(&fake.world) - before_ms, 5);
}

static void the_fake_dice_repeat_with_their_seed(void **state)
{
    struct fake_world fake;
    uint64_t a, b;
    fake_world_init(&fake);
    world_random(&fake.world, &a, sizeof a);
    fake_world_init(&fake);
    world_random(&fake.world, &b, sizeof b);
    assert_true(a == b);
    world_random(&fake.world, &b, sizeof b);
    assert_true(a != b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_clock_goes_forward_and_knows_the_century),
        cmocka_unit_test(a_cancelled_sleep_ends_at_once),
        cmocka_unit_test(who_cancels_wakes_those_who_sleep),
        cmocka_unit_test(sleepers_of_the_real_clock_end_when_they_are_cancelled),
        cmocka_unit_test(a_sleep_lasts_as_long_as_asked),
        cmocka_unit_test(a_thread_that_gives_way_is_the_nicest_and_no_other_is),
        cmocka_unit_test(random_bytes_fill_everything_and_differ),
        cmocka_unit_test(a_point_is_nothing_unless_someone_listens),
        cmocka_unit_test(the_fake_clock_moves_only_by_sleeping),
        cmocka_unit_test(the_fake_dice_repeat_with_their_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
