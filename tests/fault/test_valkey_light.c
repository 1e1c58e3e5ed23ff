/* What a paced run asks of a cluster before its first write, in turns that it waits for: opening its first lane takes
 * all 16,384 places over, and a sample is read. */
#include "holder.h"
#include "kit/patient.h"

/* A turn is worth so many commands that look at a key (ROUTE_LIGHT), and so many small records that are read. */
enum { PLACES = 16384, LIGHT = 8, SMALL = 4, RECORDS = 400, LARGE = 20, FEW = 32, PART = 3 };

/* Who waits for its turns by a clock that stands. */
struct paced {
    struct box *box;
    struct patient patient;
    struct holder holder;
    struct pace *pace;
};

static void begin(struct paced *paced, struct box *box)
{
    *paced = (struct paced){.box = box};
    holder_begin(box, PART);
    box->ds = (struct dataset){.name = "r:{id}", .form = FORM_HASH};
    patient_init(&paced->patient, false);
    paced->holder = holder_enter(box, &paced->patient.world, 0);
    paced->pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    patient_feel(&paced->patient, paced->pace, box->servers.ports[0]);
    store_driver(paced->holder.store)->probe->set_pace(paced->holder.store, paced->pace);
}

static void end(struct paced *paced)
{
    store_driver(paced->holder.store)->probe->set_pace(paced->holder.store, NULL);
    pace_free(paced->pace);
    holder_leave(&paced->holder);
}

/* By that clock it never ends. */
static struct call call_of(struct paced *paced)
{
    struct call call = holder_call(paced->box);
    call.deadline_us = INT64_MAX / 2;
    return call;
}

static int64_t turns_since(const struct paced *paced, int64_t slept_us)
{
    return (paced->patient.slept_us - slept_us) / PATIENT_GAP_US;
}

static void a_cluster_is_taken_over_in_an_eighth_of_its_places(void **state)
{
    GError *error = NULL;
    struct fence before;
    struct paced paced;
    begin(&paced, *state);
    struct lane lane = {.lane = 1, .fence = paced.box->id};
    struct call call = call_of(&paced);
    int64_t from_us = paced.patient.slept_us;
    kit_ok(store_lane_open(paced.holder.session, &call, &lane, &before, &error));
    assert_in_range(turns_since(&paced, from_us), PLACES / LIGHT - FEW, PLACES / LIGHT + FEW);
    end(&paced);
}

static void put(struct box *box, unsigned i, size_t bytes)
{
    g_autofree char *value = g_strnfill(bytes, 'v');
    g_autofree char *command = g_strdup_printf("HSET r:%u id %u v %s", i, i, value);
    g_free(servers_ask(&box->servers, 0, command, false));
}

/* How many turns it takes to read `n` of them from `first` on. */
static int64_t read_turns(struct paced *paced, unsigned first, unsigned n)
{
    GError *error = NULL;
    g_autofree struct record *records = g_new0(struct record, n);
    struct call call = call_of(paced);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *key = g_strdup_printf("%u", first + i);
        assert_true(arena_copy(paced->box->mem, slice_of_text(key), &records[i].key));
    }
    int64_t from_us = paced->patient.slept_us;
    kit_ok(store_read(paced->holder.session, &call, records, n, &error));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(records[i].presence, RECORD_PRESENT);
    return turns_since(paced, from_us);
}

static void small_records_are_read_several_in_a_turn_and_large_ones_one_by_one(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    for (unsigned i = 0; i < RECORDS; i++)
        put(box, i, 10);
    for (unsigned i = 0; i < LARGE; i++)
        put(box, RECORDS + i, 10000);
    struct paced paced;
    begin(&paced, box);
    read_turns(&paced, 0, SMALL); /* connects, and finds out what its user may */
    assert_in_range(read_turns(&paced, 0, RECORDS), 1, RECORDS / LIGHT + RECORDS / SMALL + FEW);
    assert_in_range(read_turns(&paced, RECORDS, LARGE), LARGE, LARGE + FEW);
    end(&paced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_is_taken_over_in_an_eighth_of_its_places),
        cmocka_unit_test(small_records_are_read_several_in_a_turn_and_large_ones_one_by_one),
    };
    return cmocka_run_group_tests(tests, holder_set_up_alone, holder_tear_down);
}
