#include "base/hex.h"
#include "base/int.h"
#include "kit/kit.h"
#include "store/valkey/fence.h"

enum { FIELDS_MOST = 4, HOME = 3 };

struct box {
    struct fences *fences;
    struct fence_run *run;
    struct fence_intake *intake;
    GPtrArray *texts; /* of GByteArray: what the fields borrow */
};

static void begin(struct box *box)
{
    *box = (struct box){.fences = fences_new(world_real(), 16384), .intake = fence_intake_new()};
    box->run = fences_run(box->fences, (const uint8_t[16]){1});
    box->texts = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
}

static void end(struct box *box)
{
    fence_intake_free(box->intake);
    fences_free(box->fences);
    g_ptr_array_unref(box->texts);
}

struct field {
    const char *name;
    struct slice value;
};

static struct slice kept(struct box *box, GByteArray *bytes)
{
    g_ptr_array_add(box->texts, bytes);
    return slice_of(bytes->data, bytes->len);
}

static struct slice mark(struct box *box, uint32_t lane, uint32_t base, uint32_t number)
{
    GByteArray *bytes = g_byte_array_new();
    g_byte_array_set_size(bytes, MARKS_LEAST_BYTES);
    marks_begin(lane, 1, base, bytes->data);
    put_u32(bytes, number);
    put_u32(bytes, number);
    return kept(box, bytes);
}

/* A record with one lane, open, of which these numbers up to `last` are applied. */
static struct slice record(struct box *box, uint64_t born, uint32_t lane, uint64_t last)
{
    GByteArray *bytes = g_byte_array_new();
    GError *error = NULL;
    struct fence_part part = {.born = born};
    auto_(fence_state) state = fence_state_new();
    struct lane open = {.lane = lane};
    kit_ok(fence_state_open(state, &open, &error));
    for (uint64_t number = 1; number <= last; number++)
        lane_state_mark(fence_state_lane(state, lane), number);
    fence_record_put(&part, state, bytes);
    return kept(box, bytes);
}

static bool add(struct box *box, uint32_t place, const struct field *fields, GError **error)
{
    struct reply items[2 * FIELDS_MOST];
    size_t n = 0;
    for (; fields[n / 2].name; n += 2) {
        items[n] = (struct reply){.type = REPLY_BYTES, .bytes = slice_of_text(fields[n / 2].name)};
        items[n + 1] = (struct reply){.type = REPLY_BYTES, .bytes = fields[n / 2].value};
    }
    struct reply reply = {.type = REPLY_ARRAY, .items = items, .n = n};
    return fence_intake_add(box->intake, place, &reply, error);
}

#define ADD(box, place, ...) kit_ok(add(box, place, (const struct field[]){__VA_ARGS__, {.name = NULL}}, &error))

static struct fence_part *adopted(struct box *box, uint32_t number)
{
    GError *error = NULL;
    struct fence_part *part = fence_run_part(box->run, number);
    kit_ok(fence_intake_adopt(box->intake, part, &error));
    return part;
}

static bool applied(const struct fence_part *part, uint32_t lane, uint64_t number)
{
    return lane_state_applied(fence_state_lane(part->state, lane), number);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void a_partition_is_its_record_and_the_marks_of_all_places(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, HOME, {"e", slice_of_text("1048576-ab")}, {"b", slice_of_text("1048576-ab")},
        {"l3", record(&box, FENCE_EPOCH_STEP, 1, 2)});
    ADD(&box, 9, {"3", mark(&box, 1, 0, 5)});
    ADD(&box, 10, {"3", mark(&box, 1, 0, 7)}, {"4", mark(&box, 1, 0, 1)});
    struct fence_part *part = adopted(&box, 3);
    assert_true(part->known && part->partial == 0);
    for (uint64_t number = 1; number <= 8; number++)
        assert_int_equal(applied(part, 1, number), number <= 2 || number == 5 || number == 7);
    assert_int_equal(part->highest, 7);
    end(&box);
}

static void a_partition_of_which_nothing_was_read_is_not_known(void **state)
{
    struct box box;
    begin(&box);
    assert_false(adopted(&box, 3)->known);
    end(&box);
}

static void a_record_stays_where_it_is_found(void **state)
{
    static const struct {
        uint32_t place;
        const char *name;
    } FOUND[] = {{HOME, "l3"}, {9, "r3"}, {9, "l3"}};
    for (size_t i = 0; i < G_N_ELEMENTS(FOUND); i++) {
        struct box box;
        GError *error = NULL;
        begin(&box);
        ADD(&box, FOUND[i].place, {FOUND[i].name, record(&box, FENCE_EPOCH_STEP, 2, 2)});
        struct fence_part *part = adopted(&box, 3);
        fence_part_choose(part, 77);
        assert_int_equal(fence_part_home(box.fences, part), FOUND[i].place);
        end(&box);
    }
}

/* Whichever is read first, and wherever they lie. */
static void of_several_records_the_one_with_the_highest_lane_counts(void **state)
{
    static const struct {
        uint32_t place, lane;
    } RECORDS[] = {{9, 2}, {HOME, 5}, {12, 4}, {14, 5}};
    for (size_t first = 0; first < G_N_ELEMENTS(RECORDS); first++) {
        struct box box;
        GError *error = NULL;
        begin(&box);
        for (size_t i = 0; i < G_N_ELEMENTS(RECORDS); i++) {
            size_t at = (first + i) % G_N_ELEMENTS(RECORDS);
            uint32_t place = RECORDS[at].place;
            ADD(&box, place,
                {place == HOME ? "l3" : "r3", record(&box, (at + 1) * FENCE_EPOCH_STEP, RECORDS[at].lane, place)});
        }
        struct fence_part *part = adopted(&box, 3);
        assert_int_equal(fence_state_highest(part->state), 5);
        assert_int_equal(fence_part_home(box.fences, part), HOME);
        assert_true(part->born == 2 * FENCE_EPOCH_STEP && applied(part, 5, HOME) && !applied(part, 5, HOME + 1));
        end(&box);
    }
}

static void a_home_that_was_chosen_stays_where_no_record_is_found(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    fence_part_choose(fence_run_part(box.run, 3), 77);
    ADD(&box, 9, {"3", mark(&box, 1, 0, 5)});
    assert_int_equal(fence_part_home(box.fences, adopted(&box, 3)), 77);
    end(&box);
}

/* Which lanes are partial where a place of the partition came to be under that epoch. */
static void partial_beside(const char *epoch, uint32_t wanted)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, HOME, {"l3", record(&box, FENCE_EPOCH_STEP, 2, 1)});
    ADD(&box, 9, {"b", slice_of_text(epoch)});
    assert_int_equal(adopted(&box, 3)->partial, wanted);
    end(&box);
}

static void a_place_that_is_younger_than_the_partition_makes_its_lanes_partial(void **state)
{
    partial_beside("2097152-ab", 2);
}

/* Numbers between two takeovers are those of single places: the fence is no younger for that. */
static void a_place_that_was_taken_once_more_is_not_younger(void **state)
{
    partial_beside("1048999-ab", 0);
}

static void a_lane_that_only_marks_tell_of_is_closed_and_partial(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, 9, {"b", slice_of_text("1048576-ab")}, {"3", mark(&box, 4, 0, 6)});
    struct fence_part *part = adopted(&box, 3);
    assert_null(fence_part_open(part));
    assert_true(applied(part, 4, 6) && !applied(part, 4, 5));
    assert_int_equal(part->partial, 4);
    end(&box);
}

static void what_a_mark_says_is_settled_counts_as_applied(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, HOME, {"l3", record(&box, 0, 1, 0)});
    ADD(&box, 9, {"3", mark(&box, 1, 40, 43)});
    struct fence_part *part = adopted(&box, 3);
    assert_true(applied(part, 1, 40) && !applied(part, 1, 41) && applied(part, 1, 43));
    end(&box);
}

static void marks_that_were_adopted_stand_where_they_were_read(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, 9, {"3", mark(&box, 1, 0, 6)});
    struct fence_part *part = adopted(&box, 3);
    fence_intake_note(box.intake, box.run, part);
    const struct fence_field *field = &g_array_index(box.run->places[9].fields, struct fence_field, 0);
    assert_true(field->part == 3 && field->lane == 1 && field->count == 1);
    assert_null(box.run->places[10].fields);
    end(&box);
}

/* What is not known, or stale, is not made known by a look at some places. */
static void a_look_at_some_places_adds_to_what_is_known_only(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    ADD(&box, HOME, {"l3", record(&box, 0, 1, 0)}, {"l4", record(&box, 0, 1, 0)});
    struct fence_part *known = adopted(&box, 3), *stale = adopted(&box, 4), *unknown = fence_run_part(box.run, 5);
    stale->stale = true;
    fence_intake_free(box.intake);
    box.intake = fence_intake_new();
    ADD(&box, 9, {"3", mark(&box, 1, 0, 2)}, {"4", mark(&box, 1, 0, 2)}, {"5", mark(&box, 1, 0, 2)});
    kit_ok(fence_intake_merge(box.intake, box.run, &error));
    assert_true(applied(known, 1, 2));
    assert_false(applied(stale, 1, 2) || unknown->known);
    end(&box);
}

static void what_somebody_else_wrote_there_is_told(void **state)
{
    static const struct {
        const char *name, *value, *says;
        bool refused_later; /* a record is looked into when it is adopted */
    } BAD[] = {
        {"visits", "7", "none of sluice's", false},
        {"", "7", "none of sluice's", false},
        {"l", "7", "none of sluice's", false},
        {"r", "7", "none of sluice's", false},
        {"4294967296", "7", "none of sluice's", false},
        {"3", "seven", "partition 3", false},
        {"l3", "seven", "too short", false},
        {"l3", "eight bytes, then none", "partition 3", true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++) {
        struct box box;
        GError *error = NULL;
        begin(&box);
        const struct field fields[] = {{BAD[i].name, slice_of_text(BAD[i].value)}, {.name = NULL}};
        bool ok = add(&box, HOME, fields, &error);
        assert_int_equal(ok, BAD[i].refused_later);
        kit_refused(ok && fence_intake_adopt(box.intake, fence_run_part(box.run, 3), &error), CORRUPT, BAD[i].says);
        end(&box);
    }
}

static void an_answer_that_is_no_hash_is_refused(void **state)
{
    struct box box;
    GError *error = NULL;
    begin(&box);
    struct reply odd = {.type = REPLY_ARRAY, .n = 1}, integer = {.type = REPLY_INTEGER};
    kit_refused(fence_intake_add(box.intake, HOME, &odd, &error), STORE, "something else");
    kit_refused(fence_intake_add(box.intake, HOME, &integer, &error), STORE, "something else");
    end(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_is_its_record_and_the_marks_of_all_places),
        cmocka_unit_test(a_partition_of_which_nothing_was_read_is_not_known),
        cmocka_unit_test(a_record_stays_where_it_is_found),
        cmocka_unit_test(of_several_records_the_one_with_the_highest_lane_counts),
        cmocka_unit_test(a_home_that_was_chosen_stays_where_no_record_is_found),
        cmocka_unit_test(a_place_that_is_younger_than_the_partition_makes_its_lanes_partial),
        cmocka_unit_test(a_place_that_was_taken_once_more_is_not_younger),
        cmocka_unit_test(a_lane_that_only_marks_tell_of_is_closed_and_partial),
        cmocka_unit_test(what_a_mark_says_is_settled_counts_as_applied),
        cmocka_unit_test(marks_that_were_adopted_stand_where_they_were_read),
        cmocka_unit_test(a_look_at_some_places_adds_to_what_is_known_only),
        cmocka_unit_test(what_somebody_else_wrote_there_is_told),
        cmocka_unit_test(an_answer_that_is_no_hash_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
