/* Strings into nothing that go together in a transaction: whatever is cut, gone or in the way, record and mark are both
 * there or neither is. */
#include "cut.h"

enum { EACH = 128, STRINGS = 3 * EACH };

static struct call begin_strings(struct box *box, struct cas_op *ops)
{
    servers_or_skip(&box->servers);
    box->ds = (struct dataset){.name = "cut:*", .form = FORM_RAW};
    cut_begin(box);
    g_free(servers_ask(&box->servers, 0, "CONFIG RESETSTAT", false));
    for (unsigned i = 0; i < STRINGS; i++)
        ops[i] = (struct cas_op){.key = cut_key_of(box, i), .raw = slice_of_text("Rsvalue"), .number = i + 1};
    return cut_call_of(box);
}

/* The transactions that were executed meanwhile, and no trace of them in the fence. */
static unsigned end_strings(struct box *box)
{
    char key[80] = "HEXISTS sluice:fence:";
    for (size_t i = 0; i < 16; i++)
        g_snprintf(key + strlen(key), 3, "%02x", box->lane.fence.run[i]);
    g_autofree char *field = g_strconcat(key, " o", NULL), *stats = NULL, *keys = NULL;
    g_autofree char *there = servers_ask(&box->servers, 0, field, false);
    assert_string_equal(g_strchomp(there), ":0");
    keys = servers_ask(&box->servers, 0, "KEYS *:aside", true);
    assert_string_equal(keys, "*0\r\n");
    stats = servers_ask(&box->servers, 0, "INFO commandstats", true);
    const char *line = strstr(stats, "cmdstat_exec:calls=");
    cut_end(box);
    box->ds = (struct dataset){.name = "cut:{key}"};
    return line ? (unsigned)g_ascii_strtoull(line + strlen("cmdstat_exec:calls="), NULL, 10) : 0;
}

static unsigned count_outcomes(const struct cas_op *ops, enum cas_outcome outcome)
{
    unsigned n = 0;
    for (unsigned i = 0; i < STRINGS; i++)
        n += ops[i].outcome == outcome;
    return n;
}

static void cut_strings(struct box *box, enum mode mode, const char *command, unsigned nth)
{
    GError *error = NULL;
    struct cas_op ops[STRINGS];
    struct call call = begin_strings(box, ops);
    cut_arm(box, mode, command, nth);
    assert_false(store_cas(box->session, &call, &box->lane, ops, STRINGS, &error));
    assert_true(error_class(error) == ERROR_TRANSIENT);
    g_clear_error(&error);
    unsigned applied = cut_assert_fence_is_right(box, ops, STRINGS);
    assert_int_equal(applied % EACH, 0);
    if (mode == CUT_AFTER)
        assert_int_equal(applied, nth * EACH);
    if (mode == CUT_LATE) {
        cut_let_the_late_one_arrive(box);
        assert_int_equal(cut_assert_fence_is_right(box, ops, STRINGS), applied);
    }
    kit_ok(store_cas(box->session, &call, &box->lane, ops, STRINGS, &error));
    assert_int_equal(count_outcomes(ops, CAS_WRITTEN) + count_outcomes(ops, CAS_DONE), STRINGS);
    assert_int_equal(cut_assert_fence_is_right(box, ops, STRINGS), STRINGS);
    assert_true(end_strings(box) >= STRINGS / EACH - (mode != CUT_AFTER));
}

static void they_are_marked_where_they_arrive(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    for (enum mode mode = CUT_BEFORE; mode <= CUT_LATE; mode++)
        for (unsigned nth = 1; nth <= STRINGS / EACH; nth++)
            cut_strings(box, mode, "EXEC", nth);
}

static void one_stands(struct box *box, unsigned which)
{
    GError *error = NULL;
    struct cas_op ops[STRINGS];
    struct call call = begin_strings(box, ops);
    g_autofree char *set = g_strdup_printf("SET cut:k%u theirs", which), *get = g_strdup_printf("GET cut:k%u", which);
    g_free(servers_ask(&box->servers, 0, set, false));
    kit_ok(store_cas(box->session, &call, &box->lane, ops, STRINGS, &error));
    for (unsigned i = 0; i < STRINGS; i++)
        assert_int_equal(ops[i].outcome, i == which ? CAS_CHANGED : CAS_WRITTEN);
    assert_true(slice_equal(ops[which].live.raw, slice_of_text("Rstheirs")));
    g_autofree char *theirs = servers_ask(&box->servers, 0, get, true);
    assert_string_equal(theirs, "$6\r\ntheirs\r\n");
    struct fence before; /* what another process finds */
    cut_open_next(box, &call, &before);
    for (unsigned i = 0; i < STRINGS; i++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], ops[i].number), i != which);
    assert_int_equal(end_strings(box), STRINGS / EACH);
}

/* With marks before it, and without. */
static void they_go_apart_where_one_stands(void **state)
{
    one_stands(*state, 11);
    one_stands(*state, 99);
}

static void they_go_apart_where_later_ones_are_marked(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[STRINGS];
    struct call call = begin_strings(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops + EACH, EACH, &error));
    kit_ok(store_cas(box->session, &call, &box->lane, ops, EACH, &error));
    kit_ok(store_cas(box->session, &call, &box->lane, ops + 2 * EACH, EACH, &error));
    assert_int_equal(count_outcomes(ops, CAS_WRITTEN), STRINGS);
    assert_int_equal(cut_assert_fence_is_right(box, ops, STRINGS), STRINGS);
    assert_int_equal(end_strings(box), 2); /* and then not for a while */
}

/* Not even where the script is gone as well, as it is with a server that comes back empty. */
static void they_are_nothing_without_their_fence(void **state)
{
    struct box *box = *state;
    for (unsigned flush = 0; flush <= 1; flush++) {
        GError *error = NULL;
        struct cas_op ops[STRINGS];
        struct call call = begin_strings(box, ops);
        kit_ok(store_cas(box->session, &call, &box->lane, ops, EACH, &error));
        g_free(servers_ask(&box->servers, 0, "FLUSHALL", false));
        if (flush)
            g_free(servers_ask(&box->servers, 0, "SCRIPT FLUSH", false));
        kit_refused(store_cas(box->session, &call, &box->lane, ops + EACH, EACH, &error), UNSETTLED, "deleted");
        g_autofree char *keys = servers_ask(&box->servers, 0, "DBSIZE", false);
        assert_string_equal(g_strchomp(keys), ":0");
        assert_int_equal(end_strings(box), 2);
    }
}

static void they_are_called_where_their_script_is_gone(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[STRINGS];
    struct call call = begin_strings(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, EACH, &error));
    g_free(servers_ask(&box->servers, 0, "SCRIPT FLUSH", false));
    kit_ok(store_cas(box->session, &call, &box->lane, ops + EACH, 2 * EACH, &error));
    assert_int_equal(count_outcomes(ops, CAS_WRITTEN), STRINGS);
    assert_int_equal(cut_assert_fence_is_right(box, ops, STRINGS), STRINGS);
    assert_int_equal(end_strings(box), STRINGS / EACH);
}

static void those_of_a_process_that_wakes_are_fenced(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[STRINGS];
    struct call call = begin_strings(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, EACH, &error));
    struct fence before; /* what another process finds */
    cut_open_next(box, &call, &before);
    for (unsigned i = 0; i < STRINGS; i++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], ops[i].number), i < EACH);
    kit_ok(store_cas(box->session, &call, &box->lane, ops + EACH, 2 * EACH, &error));
    assert_int_equal(count_outcomes(ops, CAS_FENCED), 2 * EACH);
    for (unsigned i = EACH; i < STRINGS; i++)
        assert_false(cut_stands(box, i));
    assert_int_equal(end_strings(box), STRINGS / EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_marked_where_they_arrive),
        cmocka_unit_test(they_go_apart_where_one_stands),
        cmocka_unit_test(they_go_apart_where_later_ones_are_marked),
        cmocka_unit_test(they_are_nothing_without_their_fence),
        cmocka_unit_test(they_are_called_where_their_script_is_gone),
        cmocka_unit_test(those_of_a_process_that_wakes_are_fenced),
    };
    return cmocka_run_group_tests(tests, cut_set_up, cut_tear_down);
}
