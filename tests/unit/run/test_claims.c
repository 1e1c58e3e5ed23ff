#include "run/claims.h"

#include "base/int.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

enum { LANES = 4, NUMBERS = 40 };

typedef bool reference[LANES][NUMBERS];

static void assert_same(struct claims *claims, reference wanted)
{
    for (uint32_t lane = 0; lane < LANES; lane++)
        for (uint64_t number = 0; number < NUMBERS; number++)
            assert_int_equal(claims_have(claims, lane, number), wanted[lane][number]);
}

static struct slice put(struct claims *claims, GByteArray *into)
{
    g_byte_array_set_size(into, 0);
    claims_put(claims, into);
    return slice_of(into->data, into->len);
}

/* Those of one are put, read into another that has some already, and so on. */
static void a_set_stays_what_it_is_however_often_it_is_put_and_read(void **state)
{
    uint64_t seed = 1;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (int round = 0; round < 200; round++) {
        reference wanted = {{false}};
        auto_(claims) claims = claims_new();
        for (int i = 0; i < 5; i++) {
            auto_(claims) more = claims_new();
            for (uint64_t n = fake_next(&seed) % 30; n > 0; n--) {
                uint32_t lane = (uint32_t)(fake_next(&seed) % LANES);
                uint64_t number = fake_next(&seed) % NUMBERS;
                claims_add(more, lane, number);
                wanted[lane][number] = true;
            }
            assert_true(claims_get(claims, put(more, bytes)));
            assert_same(claims, wanted);
        }
        claims_clear(claims);
        assert_false(claims_have(claims, 1, 1));
    }
}

static void numbers_in_a_row_take_no_more_room_than_one(void **state)
{
    auto_(claims) claims = claims_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (uint64_t i = 1; i <= 100; i++)
        claims_add(claims, 3, 101 - i);
    assert_int_equal(put(claims, bytes).len, 3);
    claims_add(claims, 7, UINT64_MAX - 1);
    auto_(claims) again = claims_new();
    assert_true(claims_get(again, put(claims, bytes)));
    assert_true(claims_have(again, 7, UINT64_MAX - 1));
    assert_false(claims_have(again, 7, UINT64_MAX - 2));
    assert_false(claims_have(again, 6, 1));
    assert_true(claims_have(again, 3, 100));
    assert_false(claims_have(again, 3, 101));
}

/* A lane of which nothing is accounted for is named by number 0, that no write has. */
static void the_lowest_lane_is_known_even_where_nothing_of_it_is_accounted_for(void **state)
{
    static const struct {
        uint32_t lane;
        uint64_t up_to;
    } ROWS[] = {{7, 9}, {4, 0}, {0, 0}};
    auto_(claims) claims = claims_new();
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    assert_int_equal(claims_lowest(claims), UINT32_MAX);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        auto_(claims) read = claims_new();
        claims_add_up_to(claims, ROWS[i].lane, ROWS[i].up_to);
        assert_true(claims_get(read, put(claims, bytes)));
        assert_int_equal(claims_lowest(read), ROWS[i].lane);
        assert_true(claims_have(read, ROWS[i].lane, ROWS[i].up_to));
        assert_false(claims_have(read, ROWS[i].lane, ROWS[i].up_to + 1));
    }
}

static void what_was_never_put_is_refused(void **state)
{
    static const struct {
        uint64_t fields[6];
        size_t n;
    } ROWS[] = {
        {{1, 1}, 2},                     /* cut off */
        {{1, 1, 0}, 3},                  /* none of them */
        {{UINT64_C(1) << 32, 1, 1}, 3},  /* a lane that there cannot be */
        {{1, 5, UINT64_MAX}, 3},         /* beyond the last number */
        {{1, 5, 1, 0, UINT64_MAX, 1}, 6} /* likewise, behind another */
    };
    for (size_t r = 0; r < G_N_ELEMENTS(ROWS); r++) {
        auto_(claims) claims = claims_new();
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        for (size_t i = 0; i < ROWS[r].n; i++)
            put_varint(bytes, ROWS[r].fields[i]);
        assert_false(claims_get(claims, slice_of(bytes->data, bytes->len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_stays_what_it_is_however_often_it_is_put_and_read),
        cmocka_unit_test(numbers_in_a_row_take_no_more_room_than_one),
        cmocka_unit_test(the_lowest_lane_is_known_even_where_nothing_of_it_is_accounted_for),
        cmocka_unit_test(what_was_never_put_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
