#include "listing/ahead.h"

#include "kit/fake_world.h"
#include "kit/kit.h"

/* --- a store of numbers: its datasets are named by how many batches they have, and with which call they fail -------
 */

enum { EACH = 3, MEMORY = 1 << 20 };

struct numbers_scan {
    struct scan_base base;
    unsigned batches, fails, next;
};

static bool numbers_open(struct store **ret, const struct store_config *config, const struct world *world,
                         GError **error)
{
    *ret = (struct store *)g_new0(struct store_base, 1);
    return true;
}

static void numbers_close(struct store *store)
{
    g_free(store);
}

static bool numbers_session_open(struct session **ret, struct store *store, GError **error)
{
    *ret = (struct session *)g_new0(struct session_base, 1);
    return true;
}

static void numbers_session_close(struct session *session)
{
    g_free(session);
}

static bool numbers_scan_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    struct numbers_scan *scan = g_new0(struct numbers_scan, 1);
    assert_int_equal(sscanf(spec->ds->name, "%u/%u", &scan->batches, &scan->fails), 2);
    *ret = (struct scan *)scan;
    return true;
}

static bool numbers_scan_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct numbers_scan *scan = (struct numbers_scan *)base;
    unsigned at = scan->next++;
    if (scan->next == scan->fails)
        return error_set(error, SLUICE_ERROR_STORE, "call %u fails", scan->next);
    assert_true(at < scan->batches); /* nobody asks behind the end */
    ret->records = arena_alloc0(call->mem, EACH * sizeof *ret->records);
    ret->n = EACH;
    ret->done = scan->next == scan->batches;
    for (unsigned i = 0; i < EACH; i++) {
        char text[16];
        g_snprintf(text, sizeof text, "%06u", at * EACH + i);
        assert_true(arena_copy(call->mem, slice_of_text(text), &ret->records[i].key));
    }
    return true;
}

static void numbers_scan_close(struct scan *scan)
{
    g_free(scan);
}

static const struct store_driver numbers = {
    .name = "numbers",
    .schemes = (const char *const[]){"numbers", NULL},
    .words = "for this test",
    .open = numbers_open,
    .close = numbers_close,
    .session_open = numbers_session_open,
    .session_close = numbers_session_close,
    .scan_open = numbers_scan_open,
    .scan_next = numbers_scan_next,
    .scan_close = numbers_scan_close,
};

/* --- what is read ahead of ---------------------------------------------------------------------------------------- */

struct box {
    struct fake_world fake;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct scan *scan;
    struct ahead *ahead;
};

static void box_open(struct box *box, const char *name)
{
    GError *error = NULL;
    static const struct store_driver *const drivers[] = {&numbers, NULL};
    *box = (struct box){.ds = {.name = name}};
    fake_world_init(&box->fake);
    box->registry = store_registry_new(&box->fake.world, drivers);
    struct store_config config = {.uri = "numbers:1", .base_dir = "/"};
    struct scan_spec spec = {.ds = &box->ds, .max_records = EACH, .max_bytes = MEMORY};
    struct call call = {.ds = &box->ds};
    kit_ok(store_open(&box->store, box->registry, &config, &error));
    kit_ok(store_session_open(&box->session, box->store, &error));
    kit_ok(store_scan_open(&box->scan, box->session, &spec, &error));
    kit_ok(ahead_open_scan(&box->ahead, box->scan, &call, MEMORY, &error));
}

static void box_close(struct box *box)
{
    ahead_close(box->ahead);
    store_scan_close(box->scan);
    store_session_close(box->session);
    store_release(box->registry, box->store);
    store_registry_free(box->registry);
}

static void batch_is(struct box *box, unsigned at, bool done)
{
    GError *error = NULL;
    struct ahead_keys batch;
    kit_ok(ahead_next(box->ahead, &batch, &error));
    assert_int_equal(batch.n, EACH);
    assert_int_equal(batch.done, done);
    for (unsigned i = 0; i < EACH; i++) {
        char text[16];
        g_snprintf(text, sizeof text, "%06u", at * EACH + i);
        kit_equal_text(batch.keys[i], text);
    }
}

static void batches_come_in_order_and_stay_until_the_next_call(void **state)
{
    struct box box;
    box_open(&box, "200/0");
    for (unsigned i = 0; i < 200; i++)
        batch_is(&box, i, i == 199);
    box_close(&box);
}

static void a_failure_comes_behind_what_was_read_before_it(void **state)
{
    struct box box;
    GError *error = NULL;
    struct ahead_keys batch;
    box_open(&box, "200/6");
    for (unsigned i = 0; i < 5; i++)
        batch_is(&box, i, false);
    kit_refused(ahead_next(box.ahead, &batch, &error), STORE, "call 6 fails");
    box_close(&box);
}

static void who_needs_no_more_does_not_wait_for_the_rest(void **state)
{
    struct box box;
    box_open(&box, "200/0");
    batch_is(&box, 0, false);
    ahead_close(box.ahead);
    box.ahead = NULL;
    assert_in_range(((struct numbers_scan *)box.scan)->next, 1, AHEAD_BATCHES + 1);
    box_close(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_come_in_order_and_stay_until_the_next_call),
        cmocka_unit_test(a_failure_comes_behind_what_was_read_before_it),
        cmocka_unit_test(who_needs_no_more_does_not_wait_for_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
