/* The wrappers around every driver, and the registry of open stores. */
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"
#include "store/fault/fault.h"
#include "store/mem/mem.h"
#include "store/only.h"

struct desk {
    struct fake_world fake;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset ds;
    struct lane lane;
    GPtrArray *points; /* the names that world_point() was given */
};

static void note_point(void *self, const char *name)
{
    g_ptr_array_add(((struct desk *)self)->points, (char *)name);
}

static void desk_init(struct desk *desk, const struct store_driver *const *extra, const char *uri, bool read_only)
{
    GError *error = NULL;
    *desk = (struct desk){.mem = arena_new(1 << 20), .ds = {.name = "d"}, .points = g_ptr_array_new()};
    fake_world_init(&desk->fake);
    desk->fake.world.point = note_point;
    desk->fake.world.point_self = desk;
    desk->registry = store_registry_new(&desk->fake.world, extra);
    desk->lane = (struct lane){.lane = 1};
    kit_ok(
        store_open(&desk->store, desk->registry, &(struct store_config){.uri = uri, .read_only = read_only}, &error));
    kit_ok(store_session_open(&desk->session, desk->store, &error));
}

static void desk_done(struct desk *desk)
{
    store_session_close(desk->session);
    store_release(desk->registry, desk->store);
    store_registry_free(desk->registry);
    arena_free(desk->mem);
    g_ptr_array_unref(desk->points);
}

static struct call desk_call(struct desk *desk)
{
    return (struct call){.ds = &desk->ds, .mem = desk->mem};
}

/* --- wrappers ----------------------------------------------------------------------------------------------------- */

static void a_missing_capability_is_an_error_that_says_so(void **state)
{
    GError *error = NULL;
    struct store_driver lame = mem_driver;
    lame.write = NULL;
    lame.split = NULL;
    struct desk desk;
    desk_init(&desk, (const struct store_driver *const[]){&lame, NULL}, "mem:x", false);
    struct call call = desk_call(&desk);
    struct part_list list = {.mem = desk.mem};
    struct cas_op op = {.outcome = CAS_UNKNOWN};
    kit_refused(store_split(desk.session, &call, &(struct split_wish){.count = 1}, &list, &error), NOT_PERMITTED,
                "be split");
    kit_refused(store_settle(desk.session, &call, &error), NOT_PERMITTED, "make writes durable");
    kit_refused(store_cas(desk.session, &call, &desk.lane, &op, 1, &error), NOT_PERMITTED, "store mem:x");
    assert_int_equal(op.outcome, CAS_NOT_SENT);
    kit_refused(store_sink_drop(desk.session, &call, desk.lane.fence.run, &error), NOT_PERMITTED, "files");
    assert_int_equal(session_counters(desk.session)->errors, 4);
    desk_done(&desk);
}

static void a_store_opened_for_reading_takes_no_writes(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", true);
    struct call call = desk_call(&desk);
    struct fence before;
    struct cas_op op = {.number = 1};
    kit_refused(store_lane_open(desk.session, &call, &desk.lane, &before, &error), REFUSED, "reading only");
    kit_refused(store_cas(desk.session, &call, &desk.lane, &op, 1, &error), REFUSED, "reading only");
    struct record record = {.key = slice_of_text("k")};
    kit_ok(store_read(desk.session, &call, &record, 1, &error));
    desk_done(&desk);
}

static void calls_are_counted(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", false);
    struct call call = desk_call(&desk);
    struct fence before;
    struct cas_op ops[2] = {{.key = slice_of_text("a"), .raw = document_empty(), .number = 1},
                            {.key = slice_of_text("b"), .raw = document_empty(), .number = 2}};
    struct record records[3] = {{.key = slice_of_text("a")}, {.key = slice_of_text("b")}, {.key = slice_of_text("c")}};
    kit_ok(store_lane_open(desk.session, &call, &desk.lane, &before, &error));
    kit_ok(store_cas(desk.session, &call, &desk.lane, ops, 2, &error));
    kit_ok(store_read(desk.session, &call, records, 3, &error));
    kit_ok(store_settle(desk.session, &call, &error));
    const struct store_counters *counters = session_counters(desk.session);
    assert_int_equal(counters->calls, 4);
    assert_int_equal(counters->cas_calls, 1);
    assert_int_equal(counters->cas_ops, 2);
    assert_int_equal(counters->records_read, 3);
    assert_int_equal(counters->bytes_read, 10);
    assert_int_equal(counters->settles, 1);
    assert_int_equal(counters->errors, 0);
    desk_done(&desk);
}

/* Of a part of the dataset: by its range, and by its name. */
static void an_empty_key_is_a_key_of_the_part_that_has_it(void **state)
{
    const struct slice given[] = {SLICE_EMPTY, slice_of_text("b")};
    const struct only_range ranges[] = {{.to = slice_of_text("b"), .has_to = true}};
    const struct store_only parts[] = {
        {.keys = given, .n_keys = 2}, {.ranges = ranges, .n_ranges = 1}, {.keys = given + 1, .n_keys = 1}};
    static const size_t FOUND[] = {2, 2, 1};
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", false);
    struct call call = desk_call(&desk);
    struct fence before;
    struct cas_op ops[3] = {{.key = SLICE_EMPTY, .raw = document_empty(), .number = 1},
                            {.key = slice_of_text("a"), .raw = document_empty(), .number = 2},
                            {.key = slice_of_text("b"), .raw = document_empty(), .number = 3}};
    kit_ok(store_lane_open(desk.session, &call, &desk.lane, &before, &error));
    kit_ok(store_cas(desk.session, &call, &desk.lane, ops, 3, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        auto_(scan) scan = NULL;
        struct batch batch = {0};
        desk.ds.only = &parts[i];
        struct scan_spec spec = {.ds = &desk.ds, .max_records = 10, .max_bytes = 1 << 16};
        kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        assert_int_equal(batch.n, FOUND[i]);
    }
    desk.ds.only = NULL;
    desk_done(&desk);
}

static void every_writing_call_passes_a_point_before_and_one_after(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", false);
    struct call call = desk_call(&desk);
    g_ptr_array_set_size(desk.points, 0);
    struct record record = {.key = slice_of_text("a")};
    kit_ok(store_settle(desk.session, &call, &error));
    kit_ok(store_read(desk.session, &call, &record, 1, &error));
    assert_int_equal(desk.points->len, 3);
    assert_string_equal(desk.points->pdata[0], "store.settle");
    assert_string_equal(desk.points->pdata[1], "store.settle.after");
    assert_string_equal(desk.points->pdata[2], "store.read");
    desk_done(&desk);
}

static void the_points_are_listed_each_once(void **state)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; store_point(i); i++)
        assert_true(g_hash_table_add(seen, (char *)store_point(i)));
    assert_true(g_hash_table_contains(seen, "store.cas"));
    assert_true(g_hash_table_contains(seen, "store.cas.after"));
    assert_true(g_hash_table_contains(seen, "store.fence_drop.after"));
    assert_false(g_hash_table_contains(seen, "store.read.after"));
}

/* --- drivers and the registry ---------------------------------------------------------------------------------------
 */

static void every_driver_is_named_and_described(void **state)
{
    for (const struct store_driver *const *driver = store_drivers(); *driver; driver++) {
        assert_true((*driver)->name[0] && (*driver)->words[0] && (*driver)->schemes[0]);
        g_autofree char *uri = g_strdup_printf("%s:place", (*driver)->schemes[0]);
        assert_ptr_equal(store_driver_of(uri, NULL), *driver);
    }
}

static void an_unknown_scheme_is_met_with_the_nearest(void **state)
{
    GError *error = NULL;
    kit_refused(store_driver_of("rocksbd:/secret/place", &error), USAGE, "did you mean 'rocksdb:'");
    kit_refused(store_driver_of("no-scheme", &error), USAGE, "SCHEME:PLACE");
    kit_refused(store_driver_of("zzzzzzzzzzzz:x", &error), USAGE, "sluice stores");
    assert_null(store_driver_of("rocksbd:/secret/place", &error));
    assert_null(strstr(error->message, "secret"));
    g_clear_error(&error);
}

static void a_label_holds_no_secret(void **state)
{
    static const char *const rows[][2] = {
        {"valkey://user:password@host:1/2", "valkey://host:1/2"},
        {"valkey://:p@ss@host:1", "valkey://host:1"},
        {"valkey://host:1?password=x%40y", "valkey://host:1"},
        {"valkey://user:pass?word@host:1", "valkey://…"},
        {"valkey://user:p@ss?word@host:1", "valkey://…"},
        {"file:a@b", "file:a@b"},
        {"rocksdb:/x/y", "rocksdb:/x/y"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *label = store_label(rows[i][0]);
        assert_string_equal(label, rows[i][1]);
    }
}

static void a_store_stays_open_until_its_last_release(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", false);
    struct call call = desk_call(&desk);
    struct fence before;
    kit_ok(store_lane_open(desk.session, &call, &desk.lane, &before, &error));
    struct store *second = NULL, *other = NULL;
    kit_ok(store_open(&second, desk.registry, &(struct store_config){.uri = "mem:x", .read_only = true}, &error));
    kit_ok(store_open(&other, desk.registry, &(struct store_config){.uri = "mem:y"}, &error));
    assert_ptr_equal(second, desk.store);
    assert_ptr_not_equal(other, desk.store);
    store_release(desk.registry, other);
    store_release(desk.registry, second);
    struct fence fence;
    kit_ok(store_fence_read(desk.session, &call, &desk.lane.fence, &fence, &error));
    assert_true(fence.present);
    desk_done(&desk);
}

static bool fence_stands(struct desk *desk)
{
    GError *error = NULL;
    struct call call = desk_call(desk);
    struct fence fence;
    kit_ok(store_fence_read(desk->session, &call, &desk->lane.fence, &fence, &error));
    return fence.present;
}

static void desk_again(struct desk *desk)
{
    GError *error = NULL;
    store_session_close(g_steal_pointer(&desk->session));
    store_release(desk->registry, g_steal_pointer(&desk->store));
    kit_ok(store_open(&desk->store, desk->registry, &(struct store_config){.uri = "mem:x"}, &error));
    kit_ok(store_session_open(&desk->session, desk->store, &error));
}

/* What mem holds is gone with its closing: that shows which opening it is. */
static void a_store_that_lingers_is_taken_over_by_the_next_opening_alone(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", false);
    struct call call = desk_call(&desk);
    struct fence before;
    kit_ok(store_lane_open(desk.session, &call, &desk.lane, &before, &error));
    store_linger(desk.registry, desk.store);
    desk_again(&desk);
    assert_true(fence_stands(&desk));
    desk_again(&desk);
    assert_false(fence_stands(&desk));
    store_linger(desk.registry, desk.store); /* and is closed with the registry */
    desk_done(&desk);
}

static void writing_must_be_opened_before_reading(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, NULL, "mem:x", true);
    struct store *second = NULL;
    kit_refused(store_open(&second, desk.registry, &(struct store_config){.uri = "mem:x"}, &error), INTERNAL,
                "for writing first");
    assert_null(second);
    desk_done(&desk);
}

struct opener {
    struct store_registry *registry;
    struct store *store;
};

static void *open_in_thread(void *at)
{
    struct opener *opener = at;
    store_open(&opener->store, opener->registry, &(struct store_config){.uri = "mem:shared"}, NULL);
    return NULL;
}

static void threads_that_open_one_place_get_one_store(void **state)
{
    struct fake_world fake;
    fake_world_init(&fake);
    auto_(store_registry) registry = store_registry_new(&fake.world, NULL);
    struct opener openers[8];
    GThread *threads[8];
    for (size_t i = 0; i < 8; i++) {
        openers[i] = (struct opener){.registry = registry};
        threads[i] = g_thread_new("opener", open_in_thread, &openers[i]);
    }
    for (size_t i = 0; i < 8; i++)
        g_thread_join(threads[i]);
    for (size_t i = 0; i < 8; i++) {
        assert_ptr_equal(openers[i].store, openers[0].store);
        assert_non_null(openers[i].store);
        store_release(registry, openers[i].store);
    }
}

/* An opening that fails leaves nothing behind: the next one tries again. */
static void a_failed_opening_may_be_repeated(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    fake_world_init(&fake);
    const struct fault_row rows[] = {{.op = FAULT_OPEN, .nth = 1, .effect = FAULT_TRANSIENT}};
    struct fault_plan plan;
    fault_plan_init(&plan);
    plan.rows = rows;
    plan.n = 1;
    struct fault_driver driver;
    fault_driver_init(&driver, &mem_driver, &plan);
    auto_(store_registry) registry =
        store_registry_new(&fake.world, (const struct store_driver *const[]){&driver.table, NULL});
    struct store *store = NULL;
    kit_refused(store_open(&store, registry, &(struct store_config){.uri = "mem:x"}, &error), UNREACHABLE, "mem:x");
    kit_ok(store_open(&store, registry, &(struct store_config){.uri = "mem:x"}, &error));
    store_release(registry, store);
    fault_plan_done(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_capability_is_an_error_that_says_so),
        cmocka_unit_test(a_store_opened_for_reading_takes_no_writes),
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(an_empty_key_is_a_key_of_the_part_that_has_it),
        cmocka_unit_test(every_writing_call_passes_a_point_before_and_one_after),
        cmocka_unit_test(the_points_are_listed_each_once),
        cmocka_unit_test(every_driver_is_named_and_described),
        cmocka_unit_test(an_unknown_scheme_is_met_with_the_nearest),
        cmocka_unit_test(a_label_holds_no_secret),
        cmocka_unit_test(a_store_stays_open_until_its_last_release),
        cmocka_unit_test(a_store_that_lingers_is_taken_over_by_the_next_opening_alone),
        cmocka_unit_test(writing_must_be_opened_before_reading),
        cmocka_unit_test(threads_that_open_one_place_get_one_store),
        cmocka_unit_test(a_failed_opening_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
