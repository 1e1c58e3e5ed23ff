/* What a paced run asks of a cluster before its first write, in turns that it waits for: opening its first lane takes
 * all 16,384 places over, and a sample is read. */
#include "kit/kit.h"
#include "kit/patient.h"
#include "kit/servers.h"
#include "store/calls.h"

/* A turn is worth so many commands that look at a key (ROUTE_LIGHT), and so many small records that are read. */
enum { PLACES = 16384, LIGHT = 8, SMALL = 4, RECORDS = 400, LARGE = 20, FEW = 32 };

struct box {
    struct servers servers;
    struct patient patient;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct pace *pace;
    struct dataset ds;
    struct arena *mem;
};

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    servers_find_cluster(&box->servers, 1);
    *state = box;
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    servers_end(&box->servers);
    g_free(box);
    return 0;
}

static void begin(struct box *box)
{
    GError *error = NULL;
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[0]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    patient_init(&box->patient, false);
    box->mem = arena_new(64 << 20);
    box->ds = (struct dataset){.name = "r:{id}", .form = FORM_HASH};
    box->registry = store_registry_new(&box->patient.world, NULL);
    kit_ok(store_open(&box->store, box->registry, &config, &error));
    kit_ok(store_session_open(&box->session, box->store, &error));
    box->pace = pace_new(&(struct governor_promise){.share = 0.1}, 0);
    patient_feel(&box->patient, box->pace, box->servers.ports[0]);
    store_driver(box->store)->probe->set_pace(box->store, box->pace);
}

static void end(struct box *box)
{
    store_driver(box->store)->probe->set_pace(box->store, NULL);
    pace_free(box->pace);
    store_session_close(box->session);
    store_release(box->registry, box->store);
    store_registry_free(box->registry);
    arena_free(box->mem);
}

static struct call call_of(struct box *box)
{
    return (struct call){.ds = &box->ds, .mem = box->mem, .deadline_us = INT64_MAX / 2};
}

static int64_t turns_since(const struct box *box, int64_t slept_us)
{
    return (box->patient.slept_us - slept_us) / PATIENT_GAP_US;
}

static void a_cluster_is_taken_over_in_an_eighth_of_its_places(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct fence before;
    struct lane lane = {.lane = 1, .fence = {.run = {7}, .part = 3}};
    servers_or_skip(&box->servers);
    begin(box);
    struct call call = call_of(box);
    int64_t from_us = box->patient.slept_us;
    kit_ok(store_lane_open(box->session, &call, &lane, &before, &error));
    assert_in_range(turns_since(box, from_us), PLACES / LIGHT - FEW, PLACES / LIGHT + FEW);
    end(box);
}

static void put(struct box *box, unsigned i, size_t bytes)
{
    g_autofree char *value = g_strnfill(bytes, 'v');
    g_autofree char *command = g_strdup_printf("HSET r:%u id %u v %s", i, i, value);
    g_free(servers_ask(&box->servers, 0, command, false));
}

/* How many turns it takes to read `n` of them from `first` on. */
static int64_t read_turns(struct box *box, unsigned first, unsigned n)
{
    GError *error = NULL;
    g_autofree struct record *records = g_new0(struct record, n);
    struct call call = call_of(box);
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *key = g_strdup_printf("%u", first + i);
        assert_true(arena_copy(box->mem, slice_of_text(key), &records[i].key));
    }
    int64_t from_us = box->patient.slept_us;
    kit_ok(store_read(box->session, &call, records, n, &error));
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(records[i].presence, RECORD_PRESENT);
    return turns_since(box, from_us);
}

static void small_records_are_read_several_in_a_turn_and_large_ones_one_by_one(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    for (unsigned i = 0; i < RECORDS; i++)
        put(box, i, 10);
    for (unsigned i = 0; i < LARGE; i++)
        put(box, RECORDS + i, 10000);
    begin(box);
    read_turns(box, 0, SMALL); /* connects, and finds out what its user may */
    assert_in_range(read_turns(box, 0, RECORDS), 1, RECORDS / LIGHT + RECORDS / SMALL + FEW);
    assert_in_range(read_turns(box, RECORDS, LARGE), LARGE, LARGE + FEW);
    end(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_is_taken_over_in_an_eighth_of_its_places),
        cmocka_unit_test(small_records_are_read_several_in_a_turn_and_large_ones_one_by_one),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
