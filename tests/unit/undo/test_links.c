/* What a key's entries come to: chains, what earlier rollbacks took off them, what a server lost and the run wrote
 * again. */
#include "kit/kit.h"
#include "undo/links.h"

/* An entry that found `pre` and wrote `written`; 0: nothing. */
static struct undo_link link_of(uint8_t flags, uint64_t pre, uint64_t written)
{
    return (struct undo_link){.flags = flags, .pre = {.low = pre}, .written = {.low = written}};
}
#define ASKED(pre, written)  link_of(UNDO_LINK_ASKED, pre, written)
#define OTHERS(pre, written) link_of(0, pre, written)
#define BACK(written)        link_of(UNDO_LINK_BACK, 0, written)

/* Which entry's pre-image goes back, and what must stand for it; SIZE_MAX: none. */
static void comes_to(const struct undo_link *links, size_t n, size_t bottom, uint64_t must)
{
    struct undo_link used[8];
    struct undo_turn turn;
    assert_true(n <= G_N_ELEMENTS(used));
    for (size_t i = 0; i < n; i++) {
        used[i] = links[i];
        used[i].spot.entry = (uint32_t)i;
    }
    bool any = undo_turn_of(used, n, &turn);
    assert_int_equal(any, bottom != SIZE_MAX);
    if (!any)
        return;
    assert_int_equal(turn.spot.entry, bottom);
    assert_int_equal(turn.written.low, must);
}
#define COMES_TO(bottom, must, ...)                                                                                    \
    comes_to((struct undo_link[]){__VA_ARGS__}, G_N_ELEMENTS(((struct undo_link[]){__VA_ARGS__})), bottom, must)
#define NOTHING SIZE_MAX

static void a_chain_is_undone_from_its_end_to_its_beginning(void **state)
{
    COMES_TO(0, 2, ASKED(1, 2));
    COMES_TO(0, 4, ASKED(1, 2), ASKED(2, 3), ASKED(3, 4));
    COMES_TO(NOTHING, 0, OTHERS(1, 2));
}

static void what_the_application_wrote_in_the_middle_is_where_a_chain_begins(void **state)
{
    COMES_TO(1, 8, ASKED(1, 2), ASKED(7, 8));
    COMES_TO(1, 9, ASKED(1, 2), ASKED(7, 8), ASKED(8, 9));
}

static void entries_that_are_not_asked_for_end_the_walk(void **state)
{
    COMES_TO(1, 3, OTHERS(1, 2), ASKED(2, 3));
    COMES_TO(0, 2, ASKED(1, 2), OTHERS(2, 3));
    COMES_TO(2, 4, ASKED(1, 2), OTHERS(2, 3), ASKED(3, 4));
}

static void what_a_rollback_took_back_stands_no_more(void **state)
{
    COMES_TO(NOTHING, 0, ASKED(1, 2), BACK(1));
    COMES_TO(0, 2, ASKED(1, 2), ASKED(2, 3), BACK(2));
    COMES_TO(NOTHING, 0, ASKED(1, 2), ASKED(2, 3), BACK(1));
    COMES_TO(2, 3, ASKED(1, 2), BACK(1), ASKED(1, 3)); /* done again, and all of it taken back */
}

static void a_rollback_that_none_of_the_entries_explains_leaves_none(void **state)
{
    COMES_TO(NOTHING, 0, ASKED(1, 2), ASKED(2, 3), BACK(9));
    COMES_TO(NOTHING, 0, BACK(1));
}

static void a_pre_image_that_had_expired_was_taken_back_to_nothing(void **state)
{
    struct undo_link expiring = ASKED(1, 2);
    expiring.flags |= UNDO_LINK_PRE_EXPIRES;
    COMES_TO(NOTHING, 0, expiring, BACK(0));
    COMES_TO(0, 2, expiring, ASKED(2, 3), BACK(2));
    COMES_TO(NOTHING, 0, ASKED(5, 6), ASKED(6, 2), BACK(0)); /* without an expiry nothing explains it */
    COMES_TO(3, 5, ASKED(4, 5), expiring, BACK(0), ASKED(4, 5));
}

static void a_rollback_that_was_lost_and_done_again_leaves_what_it_had_left(void **state)
{
    COMES_TO(0, 2, ASKED(1, 2), ASKED(2, 3), BACK(2), BACK(2));
}

static void what_was_lost_and_written_once_more_stands_on_what_stood_before(void **state)
{
    COMES_TO(1, 2, ASKED(1, 2), ASKED(1, 2));
    COMES_TO(1, 3, ASKED(1, 2), ASKED(1, 2), ASKED(2, 3));
}

static void both_halves_of_a_digest_count(void **state)
{
    struct undo_link back = BACK(6), gone = BACK(0), expiring = ASKED(6, 2);
    COMES_TO(0, 6, ASKED(5, 6), ASKED(6, 2), back);
    back.written.high = 1;
    COMES_TO(NOTHING, 0, ASKED(5, 6), ASKED(6, 2), back);
    expiring.flags |= UNDO_LINK_PRE_EXPIRES;
    COMES_TO(0, 6, ASKED(5, 6), expiring, gone);
    gone.written.high = 1;
    COMES_TO(NOTHING, 0, ASKED(5, 6), expiring, gone);
}

/* Logged by a part while what has a lower sequence than `open_from` had come to its end; a sequence is a place here. */
static struct undo_link by_part(uint32_t part, uint64_t sequence, uint64_t open_from, uint64_t pre, uint64_t written)
{
    struct undo_link link = ASKED(pre, written);
    link.part = part;
    link.sequence = sequence;
    link.open_from = open_from;
    return link;
}

static void what_was_logged_first_may_have_been_written_last(void **state)
{
    COMES_TO(1, 2, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3), by_part(2, 2, 0, 3, 0));
    COMES_TO(1, 4, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3), by_part(2, 2, 0, 3, 0), by_part(1, 3, 3, 2, 4));
    COMES_TO(1, 0, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3), by_part(2, 2, 0, 3, 0), by_part(2, 3, 0, 2, 0));
    COMES_TO(0, 3, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3), by_part(1, 2, 1, 2, 0)); /* the other way round */
    COMES_TO(0, 9, by_part(1, 0, 0, 5, 0), by_part(1, 1, 1, 0, 2), by_part(2, 2, 1, 0, 3), by_part(2, 3, 1, 3, 0),
             by_part(1, 4, 4, 2, 9)); /* upon what stood below both */
}

/* It takes nothing for what stands there that it has not read: what it has logged upon had been written over. */
static void what_was_logged_upon_what_stood_there_no_more_may_have_been_written_later(void **state)
{
    COMES_TO(0, 4, by_part(1, 0, 0, 0, 2), by_part(3, 1, 1, 0, 4), by_part(2, 2, 1, 2, 0));
    COMES_TO(0, 0, by_part(1, 0, 0, 0, 2), by_part(3, 1, 1, 0, 4), by_part(2, 2, 1, 2, 0), by_part(2, 3, 3, 4, 0));
    COMES_TO(2, 0, by_part(1, 0, 0, 0, 2), by_part(3, 1, 1, 0, 4), by_part(2, 2, 2, 2, 0)); /* it had been answered */
    COMES_TO(2, 5, by_part(1, 0, 0, 0, 2), by_part(3, 1, 1, 0, 4), by_part(2, 2, 1, 2, 5)); /* it never could be */
}

static void an_order_that_is_certain_stays_what_the_application_put_back_between(void **state)
{
    COMES_TO(1, 0, by_part(1, 0, 0, 0, 2), by_part(2, 1, 1, 0, 3), by_part(2, 2, 2, 3, 0)); /* had come to its end */
    COMES_TO(1, 0, by_part(1, 0, 0, 0, 2), by_part(1, 1, 0, 0, 3), by_part(1, 2, 0, 3, 0)); /* of one part */
    COMES_TO(1, 3, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3)); /* neither goes back to where both began */
    COMES_TO(2, 8, by_part(1, 0, 0, 0, 2), by_part(2, 1, 0, 0, 3), by_part(2, 2, 0, 7, 8));
}

static void an_item_is_read_as_it_was_put(void **state)
{
    uint8_t bytes[UNDO_LINK_LEN], turned[UNDO_TURN_LEN];
    struct undo_link link = {.key = {1, 2},
                             .sequence = 3,
                             .open_from = 12,
                             .part = 13,
                             .spot = {{4, 5}, 6},
                             .flags = 7,
                             .written = {8, 9},
                             .pre = {10, 11}};
    struct undo_link again;
    undo_link_put(&link, bytes);
    undo_link_get(bytes, &again);
    assert_true(digest_equal(link.key, again.key) && digest_equal(link.written, again.written) &&
                digest_equal(link.pre, again.pre));
    assert_true(again.sequence == 3 && again.spot.at.segment == 4 && again.spot.at.offset == 5 &&
                again.spot.entry == 6 && again.flags == 7 && again.open_from == 12 && again.part == 13);
    struct undo_turn turn = {.spot = {{UINT32_MAX, UINT64_MAX}, UINT32_MAX}, .written = {1, 2}}, back;
    undo_turn_put(&turn, turned);
    undo_turn_get(turned, &back);
    assert_true(digest_equal(turn.written, back.written) && back.spot.at.offset == UINT64_MAX &&
                back.spot.at.segment == UINT32_MAX && back.spot.entry == UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_undone_from_its_end_to_its_beginning),
        cmocka_unit_test(what_the_application_wrote_in_the_middle_is_where_a_chain_begins),
        cmocka_unit_test(entries_that_are_not_asked_for_end_the_walk),
        cmocka_unit_test(what_a_rollback_took_back_stands_no_more),
        cmocka_unit_test(a_rollback_that_none_of_the_entries_explains_leaves_none),
        cmocka_unit_test(a_pre_image_that_had_expired_was_taken_back_to_nothing),
        cmocka_unit_test(a_rollback_that_was_lost_and_done_again_leaves_what_it_had_left),
        cmocka_unit_test(what_was_lost_and_written_once_more_stands_on_what_stood_before),
        cmocka_unit_test(both_halves_of_a_digest_count),
        cmocka_unit_test(what_was_logged_first_may_have_been_written_last),
        cmocka_unit_test(what_was_logged_upon_what_stood_there_no_more_may_have_been_written_later),
        cmocka_unit_test(an_order_that_is_certain_stays_what_the_application_put_back_between),
        cmocka_unit_test(an_item_is_read_as_it_was_put),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
