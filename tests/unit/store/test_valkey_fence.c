#include "store/valkey/fence.h"

#include "kit/kit.h"

#define RUN ((const uint8_t[16]){0xab, 1})

static struct fences *cluster(void)
{
    return fences_new(world_real(), 16384);
}

/* The partition with its lane open, as a driver has it behind lane_open. */
static struct fence_part *opened(struct fence_run *run, uint32_t number, uint32_t lane)
{
    GError *error = NULL;
    struct fence_part *part = fence_run_part(run, number);
    struct lane open = {.lane = lane, .fence.part = number};
    struct fence_state *state = fence_part_opened(part, &open, &error);
    kit_ok(state != NULL);
    fence_part_take(part, state);
    return part;
}

static void write_in(struct fence_run *run, struct fence_part *part, uint32_t place, uint64_t number)
{
    struct fence_field one = {.part = part->part, .lane = fence_part_open(part)->lane};
    fence_mark(part, one.lane, number);
    fence_note(run, part, place, &one);
}

static size_t prunable(const struct fence_run *run, uint32_t place, uint32_t but)
{
    g_autoptr(GArray) fields = g_array_new(false, false, sizeof(struct fence_field));
    fence_prunable(run, place, but, fields);
    return fields->len;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static void a_key_of_a_place_lies_in_its_slot(void **state)
{
    auto_(fences) fences = cluster();
    g_autoptr(GString) key = g_string_new("what stood there before");
    struct fence_run *run = fences_run(fences, RUN);
    for (uint32_t place = 0; place < 16384; place += 1023) {
        fence_key(fences, run, place, key);
        assert_int_equal(slot_of(slice_of(key->str, key->len)), place);
    }
    assert_true(g_str_has_suffix(key->str, ":ab010000000000000000000000000000"));
}

static void a_server_alone_has_one_place_and_no_tag(void **state)
{
    auto_(fences) fences = fences_new(world_real(), 1);
    g_autoptr(GString) key = g_string_new(NULL);
    fence_key(fences, fences_run(fences, RUN), 0, key);
    assert_string_equal(key->str, "sluice:fence:ab010000000000000000000000000000");
    assert_int_equal(fence_home(fences, 7), 0);
}

/* A program that knows of no other home refuses a field that it has no name for. */
static void a_record_that_lies_elsewhere_than_its_number_says_has_another_name(void **state)
{
    auto_(fences) fences = cluster();
    auto_(fences) alone = fences_new(world_real(), 1);
    char field[FENCE_FIELD_BYTES];
    fence_record_field(fences, 16387, 3, field);
    assert_string_equal(field, "l16387");
    fence_record_field(fences, UINT32_MAX, 4, field);
    assert_string_equal(field, "r4294967295");
    assert_true(fence_is_record(slice_of_text(field)));
    fence_record_field(alone, 7, 0, field);
    assert_string_equal(field, "l7");
}

static void a_home_is_chosen_once(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *near = fence_run_part(run, 3), *nowhere = fence_run_part(run, 16388);
    fence_part_choose(near, 9);
    fence_part_choose(near, 10);
    assert_int_equal(fence_part_home(fences, near), 9);
    assert_int_equal(fence_part_home(fences, nowhere), 4);
    fence_part_choose(nowhere, 10);
    assert_int_equal(fence_part_home(fences, nowhere), 4);
}

static void an_epoch_names_its_number_and_whose_it_is(void **state)
{
    auto_(fences) fences = cluster();
    auto_(fences) others = cluster();
    char text[FENCE_EPOCH_BYTES];
    bool ours;
    fence_epoch_put(fences, UINT64_MAX, text);
    assert_true(fence_epoch_read(fences, slice_of_text(text), &ours) == UINT64_MAX && ours);
    assert_true(fence_epoch_read(others, slice_of_text(text), &ours) == UINT64_MAX && !ours);
}

static void what_is_no_epoch_is_nobodys_and_the_lowest(void **state)
{
    static const char *const BAD[] = {"", "7", "-7", "x-ab", "18446744073709551616-ab"};
    auto_(fences) fences = cluster();
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        bool ours = true;
        assert_int_equal(fence_epoch_read(fences, slice_of_text(BAD[i]), &ours), 0);
        assert_false(ours);
    }
}

static void a_run_that_is_dropped_begins_anew(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    assert_ptr_equal(fences_run(fences, RUN), run);
    run->held = true;
    fences_drop(fences, run);
    assert_false(run->held); /* and may still be pointed at */
    assert_ptr_not_equal(fences_run(fences, RUN), run);
}

/* --- lanes -------------------------------------------------------------------------------------------------------- */

static void a_lane_that_is_not_above_the_last_is_behind(void **state)
{
    auto_(fences) fences = cluster();
    GError *error = NULL;
    struct fence_part *part = opened(fences_run(fences, RUN), 3, 2);
    struct lane same = {.lane = 2, .fence.part = 3};
    kit_refused(fence_part_opened(part, &same, &error) != NULL, BEHIND, "");
    auto_(fence_state) next = fence_part_opened(part, &(struct lane){.lane = 3, .fence.part = 3}, &error);
    assert_false(fence_state_lane(next, 2)->open);
    assert_non_null(fence_part_open(part)); /* nothing was taken */
}

static void places_forget_what_was_asked_for_and_is_settled(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *part = opened(run, 3, 1);
    for (uint64_t number = 1; number <= 10; number++)
        write_in(run, part, 0, number);
    part->asked = 8;
    part->settled = 5;
    fence_part_rebase(part);
    assert_int_equal(fence_part_open(part)->base, 5); /* a failover may undo what is above */
    part->settled = 10;
    fence_part_rebase(part);
    assert_int_equal(fence_part_open(part)->base, 8);
    assert_int_equal(part->highest, 10);
}

static void who_never_settles_does_not_keep_marks_for_ever(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_part *part = opened(fences_run(fences, RUN), 3, 1);
    part->asked = UINT64_C(1) << 19;
    fence_part_rebase(part);
    assert_int_equal(fence_part_open(part)->base, part->asked);
}

static void a_view_has_the_base_that_was_asked_for_and_which_lanes_are_partial(void **state)
{
    auto_(fences) fences = cluster();
    auto_(arena) mem = arena_new(1 << 20);
    GError *error = NULL;
    struct fence seen;
    struct fence_run *run = fences_run(fences, RUN);
    kit_ok(fence_part_view(NULL, true, mem, &seen, &error));
    assert_false(seen.present);
    struct fence_part *part = opened(run, 3, 1);
    write_in(run, part, 0, 1);
    part = opened(run, 3, 2);
    write_in(run, part, 0, 4);
    part->asked = 3;
    part->partial = 1;
    kit_ok(fence_part_view(part, true, mem, &seen, &error));
    assert_true(seen.n == 2 && seen.lanes[0].partial && !seen.lanes[1].partial);
    assert_int_equal(seen.lanes[1].base, 3);
    assert_true(fence_lane_applied(&seen.lanes[1], 4) && !fence_lane_applied(&seen.lanes[1], 5));
    kit_ok(fence_part_view(part, false, mem, &seen, &error));
    assert_int_equal(seen.lanes[1].base, 0);
}

/* --- fields ------------------------------------------------------------------------------------------------------- */

static void a_field_may_go_once_a_durable_record_has_its_marks(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *part = opened(run, 3, 1);
    write_in(run, part, 9, 1);
    assert_int_equal(prunable(run, 9, 4), 0);
    part->durable = part->events;
    assert_int_equal(prunable(run, 9, 4), 1);
    assert_int_equal(prunable(run, 9, 3), 0); /* not with a write of its own partition */
    write_in(run, part, 9, 2);
    assert_int_equal(prunable(run, 9, 4), 0);
}

static void a_field_that_grew_meanwhile_stays(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *part = opened(run, 3, 1);
    write_in(run, part, 9, 1);
    struct fence_field was = {.part = 3, .lane = 1, .count = 1};
    write_in(run, part, 9, 2);
    fence_pruned(run, 9, &was);
    assert_int_equal(run->places[9].fields->len, 1);
    was.count = 2;
    fence_pruned(run, 9, &was);
    assert_int_equal(run->places[9].fields->len, 0);
}

static void a_lower_lane_adds_nothing_to_a_higher_ones_field(void **state)
{
    auto_(fences) fences = cluster();
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *part = opened(run, 3, 1);
    write_in(run, part, 9, 1);
    write_in(run, part, 9, 2);
    part = opened(run, 3, 2);
    write_in(run, part, 9, 1);
    struct fence_field late = {.part = 3, .lane = 1};
    fence_note(run, part, 9, &late);
    const struct fence_field *now = &g_array_index(run->places[9].fields, struct fence_field, 0);
    assert_true(now->lane == 2 && now->count == 1); /* the higher one's marks took the place of the lower one's */
}

/* Another server than the write's keeps the record: it would outlive a write that is lost with its own. */
static void a_record_goes_along_with_what_was_settled_and_nothing_else(void **state)
{
    auto_(fences) fences = cluster();
    auto_(fence_state) recorded = NULL;
    struct fence_run *run = fences_run(fences, RUN);
    struct fence_part *part = opened(run, 3, 1);
    GError *error = NULL;
    write_in(run, part, 9, 1);
    fence_part_keep(part);
    uint64_t settled = part->events;
    write_in(run, part, 9, 2);
    assert_int_equal(part->kept_event, settled);
    kit_ok(fence_state_decode(&recorded, slice_of(part->kept->data + 8, part->kept->len - 8), &error));
    assert_true(lane_state_applied(fence_state_lane(recorded, 1), 1));
    assert_false(lane_state_applied(fence_state_lane(recorded, 1), 2));
    opened(run, 3, 2);
    assert_null(part->kept); /* it would take the place of the new lane's record */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_of_a_place_lies_in_its_slot),
        cmocka_unit_test(a_server_alone_has_one_place_and_no_tag),
        cmocka_unit_test(a_record_that_lies_elsewhere_than_its_number_says_has_another_name),
        cmocka_unit_test(a_home_is_chosen_once),
        cmocka_unit_test(an_epoch_names_its_number_and_whose_it_is),
        cmocka_unit_test(what_is_no_epoch_is_nobodys_and_the_lowest),
        cmocka_unit_test(a_run_that_is_dropped_begins_anew),
        cmocka_unit_test(a_lane_that_is_not_above_the_last_is_behind),
        cmocka_unit_test(places_forget_what_was_asked_for_and_is_settled),
        cmocka_unit_test(who_never_settles_does_not_keep_marks_for_ever),
        cmocka_unit_test(a_view_has_the_base_that_was_asked_for_and_which_lanes_are_partial),
        cmocka_unit_test(a_field_may_go_once_a_durable_record_has_its_marks),
        cmocka_unit_test(a_field_that_grew_meanwhile_stays),
        cmocka_unit_test(a_lower_lane_adds_nothing_to_a_higher_ones_field),
        cmocka_unit_test(a_record_goes_along_with_what_was_settled_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
