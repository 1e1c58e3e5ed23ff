#include "base/portions.h"

#include "kit/kit.h"

#define THINGS 1000u

struct things {
    struct arena *mem;
    size_t size, read, taken, most; /* bytes of one; how often read; in their order; in one portion */
    size_t asked;                   /* the most that were to be read at once */
};

static bool read_some(void *self, size_t first, size_t n, GError **error)
{
    struct things *things = self;
    things->read++;
    things->asked = MAX(things->asked, n);
    for (size_t i = 0; i < n; i++)
        if (!arena_alloc(things->mem, things->size))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "thing %zu does not fit", first + i);
    return true;
}

static bool take_some(void *self, size_t first, size_t n, GError **error)
{
    struct things *things = self;
    assert_int_equal(first, things->taken);
    things->taken += n;
    things->most = MAX(things->most, n);
    return true;
}

static bool each(struct portions *portions, struct things *things, size_t n, GError **error)
{
    const struct portions_way way = {.read = read_some, .take = take_some, .self = things};
    things->read = things->taken = things->most = things->asked = 0;
    arena_reset(things->mem);
    return portions_each(portions, things->mem, n, &way, error);
}

static void what_fits_is_one_portion(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    struct things things = {.mem = mem, .size = 100};
    struct portions portions = {0};
    g_autoptr(GError) error = NULL;
    assert_true(each(&portions, &things, THINGS, &error));
    assert_int_equal(things.read, 1);
    assert_int_equal(things.taken, THINGS);
    assert_true(each(&portions, &things, 0, &error));
    assert_int_equal(things.read, 0);
}

/* Far beyond the arena, and within it but too many for what is made of them. */
static void what_does_not_fit_is_read_again_with_fewer_each_taken_once(void **state)
{
    static const struct {
        size_t size, reads;
    } OF[] = {{450 << 10, 64}, {100 << 10, 16}};
    for (size_t i = 0; i < G_N_ELEMENTS(OF); i++) {
        auto_(arena) mem = arena_new(256 << 20);
        struct things things = {.mem = mem, .size = OF[i].size};
        struct portions portions = {0};
        g_autoptr(GError) error = NULL;
        assert_true(each(&portions, &things, THINGS, &error));
        assert_int_equal(things.taken, THINGS);
        assert_in_range(things.read, 2, OF[i].reads);
        assert_in_range(things.most * things.size, 1 << 20, 16 << 20);
        size_t read = things.read;
        assert_true(each(&portions, &things, THINGS, &error));
        assert_in_range(things.read, 2, read); /* it knows by now */
    }
}

static void small_ones_after_large_ones_go_together_again(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    struct things things = {.mem = mem, .size = 1 << 20};
    struct portions portions = {0};
    g_autoptr(GError) error = NULL;
    assert_true(each(&portions, &things, THINGS, &error));
    things.size = 100;
    for (int i = 0; i < 3; i++)
        assert_true(each(&portions, &things, THINGS, &error));
    assert_int_equal(things.read, 1);
}

/* Twice as many as went, not all that there are: those may be large again. */
static void more_are_tried_step_by_step(void **state)
{
    auto_(arena) mem = arena_new(256 << 20);
    struct things things = {.mem = mem, .size = 1 << 20};
    struct portions portions = {0};
    g_autoptr(GError) error = NULL;
    assert_true(each(&portions, &things, THINGS, &error));
    size_t most = things.most;
    assert_in_range(most, 8, 16);
    things.size = 100;
    assert_true(each(&portions, &things, most, &error));
    assert_int_equal(things.read, 1);
    assert_int_equal(portions.most, 2 * most);
    assert_true(each(&portions, &things, THINGS, &error));
    assert_int_equal(things.taken, THINGS);
    assert_in_range(things.asked, 2 * most, THINGS / 2);
}

static void of_two_that_do_not_fit_each_is_read_alone(void **state)
{
    auto_(arena) mem = arena_new(3 << 20);
    struct things things = {.mem = mem, .size = 2 << 20};
    struct portions portions = {0};
    g_autoptr(GError) error = NULL;
    assert_true(each(&portions, &things, 2, &error));
    assert_int_equal(things.read, 3);
    assert_int_equal(things.taken, 2);
    assert_int_equal(things.most, 1);
}

static void one_that_does_not_fit_alone_is_an_error(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct things things = {.mem = mem, .size = 2 << 20};
    struct portions portions = {0};
    g_autoptr(GError) error = NULL;
    assert_false(each(&portions, &things, THINGS, &error));
    assert_true(error_is(error, SLUICE_ERROR_TOO_BIG));
    assert_int_equal(things.taken, 0);
    assert_in_range(things.read, 2, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_one_portion),
        cmocka_unit_test(what_does_not_fit_is_read_again_with_fewer_each_taken_once),
        cmocka_unit_test(small_ones_after_large_ones_go_together_again),
        cmocka_unit_test(more_are_tried_step_by_step),
        cmocka_unit_test(of_two_that_do_not_fit_each_is_read_alone),
        cmocka_unit_test(one_that_does_not_fit_alone_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
