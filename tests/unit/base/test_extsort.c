#include "base/extsort.h"

#include <errno.h>

#include "kit/fake_world.h"
#include "kit/kit.h"

/* A key with few values, so that many are equal, and the number in which the item was added. */
struct item {
    uint8_t key[12];
    uint32_t number;
};

enum { LEAST = 0 /* the least memory there is: 256 KiB, some 5,000 items */ };

static struct item item_of(uint64_t *seed, uint32_t number)
{
    struct item item = {.number = number};
    uint64_t value = fake_next(seed) % 1000;
    memcpy(item.key, "same pre", 8);
    item.key[8] = (uint8_t)(value >> 8);
    item.key[9] = (uint8_t)value;
    return item;
}

/* Adds n items and reads them back in order; true when all came. */
static bool round_trip(const struct world *world, const char *dir, uint32_t n, GError **error)
{
    const struct extsort_shape shape = {sizeof(struct item), sizeof(((struct item *)0)->key), LEAST};
    auto_(extsort) sort = NULL;
    if (!extsort_new(&sort, world, dir, &shape, error))
        return false;
    uint64_t seed = 1, sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct item item = item_of(&seed, i);
        if (!extsort_add(sort, &item, error))
            return false;
    }
    assert_int_equal(extsort_count(sort), n);
    if (!extsort_finish(sort, error))
        return false;
    struct item last = {.key = {0}};
    for (uint32_t i = 0;; i++) {
        const uint8_t *bytes;
        if (!extsort_next(sort, &bytes, error))
            return false;
        if (!bytes) {
            assert_int_equal(i, n);
            break;
        }
        struct item item;
        memcpy(&item, bytes, sizeof item);
        int order = memcmp(last.key, item.key, sizeof item.key);
        assert_true(i == 0 || order < 0 || (order == 0 && last.number < item.number));
        sum += item.number;
        last = item;
    }
    assert_true(sum == (uint64_t)n * (n - (n > 0)) / 2);
    return true;
}

static void few_items_are_sorted_without_a_disk(void **state)
{
    GError *error = NULL;
    kit_ok(round_trip(world_real(), "/nonexistent", 0, &error));
    kit_ok(round_trip(world_real(), "/nonexistent", 1, &error));
    kit_ok(round_trip(world_real(), "/nonexistent", 5000, &error));
}

static void many_items_are_merged_stably(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    fake_world_init(&fake);
    kit_ok(round_trip(&fake.world, *state, 6000, &error)); /* two runs */
    assert_true(fake.opened == 1 && fake.closed == 1);
    kit_ok(round_trip(&fake.world, *state, 100000, &error)); /* more runs than can be merged at once */
    assert_true(fake.opened > 2 && fake.opened == fake.closed);
}

static void short_reads_and_writes_change_nothing(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    fake_world_init(&fake);
    fake.longest = 1000;
    kit_ok(round_trip(&fake.world, *state, 20000, &error));
}

static void every_failing_call_is_reported(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        GError *error = NULL;
        struct fake_world fake;
        fake_world_init(&fake);
        fake_world_arm(&fake, (struct fake_fault){.nth = nth, .number = ENOSPC});
        bool ok = round_trip(&fake.world, *state, 20000, &error);
        assert_int_equal(fake.opened, fake.closed);
        if (!fake.fired) {
            kit_ok(ok);
            assert_true(nth > 20);
            break;
        }
        if (!ok)
            kit_refused(false, NO_SPACE, "");
    }
}

static void short_keys_compare_by_their_bytes_only(void **state)
{
    GError *error = NULL;
    auto_(extsort) sort = NULL;
    kit_ok(extsort_new(&sort, world_real(), *state, &(struct extsort_shape){3, 1, LEAST}, &error));
    static const char items[][4] = {"\377za", "azz", "aaa", "\0zz"};
    for (size_t i = 0; i < G_N_ELEMENTS(items); i++)
        kit_ok(extsort_add(sort, items[i], &error));
    kit_ok(extsort_finish(sort, &error));
    static const size_t order[] = {3, 1, 2, 0};
    const uint8_t *item;
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        kit_ok(extsort_next(sort, &item, &error));
        assert_memory_equal(item, items[order[i]], 3);
    }
    for (size_t i = 0; i < 2; i++) {
        kit_ok(extsort_next(sort, &item, &error));
        assert_null(item);
    }
}

static void a_disk_that_is_not_there_is_named(void **state)
{
    GError *error = NULL;
    kit_refused(round_trip(world_real(), "/nonexistent", 6000, &error), NOT_FOUND, "/nonexistent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_items_are_sorted_without_a_disk),    cmocka_unit_test(many_items_are_merged_stably),
        cmocka_unit_test(short_reads_and_writes_change_nothing),  cmocka_unit_test(every_failing_call_is_reported),
        cmocka_unit_test(short_keys_compare_by_their_bytes_only), cmocka_unit_test(a_disk_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, kit_dir_setup, kit_dir_teardown);
}
