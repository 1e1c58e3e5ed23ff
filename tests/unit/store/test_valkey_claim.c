#include "kit/kit.h"
#include "store/valkey/claim.h"
#include "store/valkey/list.h"

#define OTHER                "07c37dfe 127.0.0.1:30004@31004,host slave e7d1eecc 0 1426238317239 4 connected\n"
#define MYSELF(epoch, slots) "e7d1eecc 127.0.0.1:30001@31001 myself,master - 0 0 " epoch " connected" slots "\n"

static void read_claim(struct claim *claim, const char *nodes)
{
    g_autoptr(GError) error = NULL;
    claim_init(claim);
    kit_ok(claim_read(claim, slice_of_text(nodes), &error));
}

static void a_node_says_which_slots_it_has_and_which_are_leaving(void **state)
{
    struct claim claim;
    read_claim(&claim, OTHER MYSELF("7", " 0-2 5 16383 [5->-67ed2db8] [93-<-292f8b36]"));
    assert_int_equal(claim.config_epoch, 7);
    assert_true(claim_bit(claim.owned, 0) && claim_bit(claim.owned, 2) && claim_bit(claim.owned, 5));
    assert_true(claim_bit(claim.owned, 16383));
    assert_false(claim_bit(claim.owned, 3) || claim_bit(claim.owned, 93));
    assert_string_equal(claim_moving(&claim, 5)->to, "67ed2db8");
    assert_null(claim_moving(&claim, 93)); /* it comes: its owner tells */
    assert_null(claim_moving(&claim, 0));
    claim_done(&claim);
}

static void a_replica_has_no_slots(void **state)
{
    struct claim claim;
    read_claim(&claim, "07c37dfe 127.0.0.1:30004@31004 myself,slave e7d1eecc 0 1426238317239 4 connected\n");
    assert_false(claim_bit(claim.owned, 0));
    claim_done(&claim);
}

static void what_is_no_list_of_nodes_is_refused(void **state)
{
    static const char *const bad[] = {MYSELF("7", " 16384"),
                                      MYSELF("7", " 0-16384"),
                                      MYSELF("x", " 0"),
                                      MYSELF("7", " a"),
                                      MYSELF("7", " [5-x-67ed2db8]"),
                                      MYSELF("7", " ["),
                                      MYSELF("7", " [5->"),
                                      MYSELF("7", " [99999->-67ed]"),
                                      MYSELF("7", " 1-b"),
                                      MYSELF("7", " [5->-0123456789012345678901234567890123456789012345678901]")};
    g_autoptr(GError) error = NULL;
    struct claim claim;
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        claim_init(&claim);
        kit_refused(claim_read(&claim, slice_of_text(bad[i]), &error), STORE, "CLUSTER NODES: what is");
        claim_done(&claim);
    }
    claim_init(&claim);
    kit_refused(claim_read(&claim, slice_of_text(OTHER), &error), STORE, "no line of the node itself");
    kit_refused(claim_read(&claim, SLICE_EMPTY, &error), STORE, "no line of the node itself");
    claim_done(&claim);
}

static bool held(const char *before, const char *after, uint32_t slot)
{
    struct claim a, b;
    read_claim(&a, before);
    read_claim(&b, after);
    bool same = claim_held(&a, &b, slot);
    claim_done(&a);
    claim_done(&b);
    return same;
}

static void a_slot_was_held_only_under_one_epoch_and_on_one_way(void **state)
{
    assert_true(held(MYSELF("7", " 0-5"), MYSELF("7", " 0-5"), 5));
    assert_true(held(MYSELF("7", " 0-5"), MYSELF("7", " 0-4 5"), 5));
    assert_true(held(MYSELF("7", " 0-5 [5->-a]"), MYSELF("7", " 0-5 [5->-a]"), 5));
    assert_false(held(MYSELF("7", " 0-5"), MYSELF("8", " 0-5"), 5)); /* gone, and back again */
    assert_false(held(MYSELF("7", " 0-5"), MYSELF("7", " 0-4"), 5));
    assert_false(held(MYSELF("7", " 0-4"), MYSELF("7", " 0-5"), 5));
    assert_false(held(MYSELF("7", " 0-5"), MYSELF("7", " 0-5 [5->-a]"), 5));
    assert_false(held(MYSELF("7", " 0-5 [5->-a]"), MYSELF("7", " 0-5"), 5));
    assert_false(held(MYSELF("7", " 0-5 [5->-a]"), MYSELF("7", " 0-5 [5->-b]"), 5));
}

static void a_slot_was_not_held_by_another_process(void **state)
{
    struct claim a, b;
    read_claim(&a, MYSELF("7", " 0-5"));
    read_claim(&b, MYSELF("7", " 0-5"));
    g_strlcpy(b.run_id, "another", sizeof b.run_id);
    assert_false(claim_held(&a, &b, 5));
    claim_done(&a);
    claim_done(&b);
}

/* --- bounds and cursors of a listing ------------------------------------------------------------------------------ */

static bool opens(struct slice bounds, struct slice cursor, GError **error)
{
    auto_(key_template) template = NULL;
    auto_(list) list = NULL;
    assert_true(key_template_parse(&template, "key:*", NULL));
    struct list_wish wish = {.template = template, .bounds = bounds, .cursor = cursor, .max_keys = 1};
    return list_open(&list, NULL, &wish, error);
}

#define BYTES(text) slice_of(text, sizeof(text) - 1)

static void bounds_and_cursors_are_read_as_they_are_written(void **state)
{
    g_autoptr(GError) error = NULL;
    kit_ok(opens(SLICE_EMPTY, SLICE_EMPTY, &error));
    kit_ok(opens(BYTES("\1\0\0\0\x40"), SLICE_EMPTY, &error));               /* all of them */
    kit_ok(opens(BYTES("\1\5\0\x9\0"), BYTES("\1\0\5\0"), &error));          /* 5 to 8, from 5 on */
    kit_ok(opens(BYTES("\1\5\0\x9\0"), BYTES("\1\0\x9\0"), &error));         /* at its end */
    kit_ok(opens(SLICE_EMPTY, BYTES("\1\1\7\0\0\0\0\0\0\0\2ab\0"), &error)); /* SCAN at 7 of the process ab */
}

static void bounds_and_cursors_that_cannot_be_are_corrupt(void **state)
{
    static const struct slice bad_bounds[] = {
        {(const uint8_t *)"\2\0\0\0\x40", 5}, {(const uint8_t *)"\1\5\0\5\0", 5},
        {(const uint8_t *)"\1\0\0\1\x40", 5}, {(const uint8_t *)"\1\0\0\0", 4},
        {(const uint8_t *)"\1\0\0\5\0\0", 6},
    };
    static const struct slice bad_cursors[] = {
        {(const uint8_t *)"\2\0\5\0", 4}, {(const uint8_t *)"\1\0\4\0", 4},   {(const uint8_t *)"\1\0\xa\0", 4},
        {(const uint8_t *)"\1\0\5", 3},   {(const uint8_t *)"\1\0\5\0\0", 5}, {(const uint8_t *)"\1\2\5\0", 4},
        {(const uint8_t *)"\1\1\5\0", 4}, {(const uint8_t *)"\1", 1},
    };
    struct slice bounds = BYTES("\1\5\0\x9\0");
    g_autoptr(GError) error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(bad_bounds); i++)
        kit_refused(opens(bad_bounds[i], SLICE_EMPTY, &error), CORRUPT, "bounds");
    for (size_t i = 0; i < G_N_ELEMENTS(bad_cursors); i++)
        kit_refused(opens(bounds, bad_cursors[i], &error), CORRUPT, "cursor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_says_which_slots_it_has_and_which_are_leaving),
        cmocka_unit_test(a_replica_has_no_slots),
        cmocka_unit_test(what_is_no_list_of_nodes_is_refused),
        cmocka_unit_test(a_slot_was_held_only_under_one_epoch_and_on_one_way),
        cmocka_unit_test(a_slot_was_not_held_by_another_process),
        cmocka_unit_test(bounds_and_cursors_are_read_as_they_are_written),
        cmocka_unit_test(bounds_and_cursors_that_cannot_be_are_corrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
