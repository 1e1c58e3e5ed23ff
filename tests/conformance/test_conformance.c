/* test_conformance SUBJECT: runs every case that the subject's driver has the capabilities for. */
#include "conformance/stand.h"

/* Cases that are about fences, or about what is left of a run, have runs of their own. */
static const struct {
    const struct conformance_case *rows;
    bool own_run;
} suites[] = {{store_cases, false}, {read_cases, false},  {scan_cases, false},
              {cas_cases, false},   {fence_cases, true},  {race_cases, true},
              {sink_cases, true},   {shadow_cases, true}, {filled_cases, false}};

/* What one cmocka test is given. */
struct turn {
    struct stand *stand;
    const struct conformance_case *row; /* NULL: the list of capabilities itself */
    bool own_run;
};

static void capabilities_are_those_expected(struct stand *stand)
{
    const struct store_driver *driver = session_driver(stand->session);
    for (enum capability i = 0; i < CAN_COUNT; i++) {
        bool expected = stand->subject->expected >> i & 1;
        if (store_can(driver, i) != expected)
            fail_msg("driver %s: capability '%s' is %s", driver->name, capability_row(i)->name,
                     expected ? "missing" : "not in the expected list");
    }
}

static void run_turn(void **state)
{
    struct turn *turn = *state;
    if (turn->row)
        stand_run(turn->stand, turn->row, turn->own_run);
    else
        capabilities_are_those_expected(turn->stand);
}

/* cmocka reports a group's tests by name, so the cases become one group. */
static int run_all(struct stand *stand)
{
    g_autoptr(GArray) tests = g_array_new(false, true, sizeof(struct CMUnitTest));
    g_autoptr(GPtrArray) turns = g_ptr_array_new_with_free_func(g_free);
    struct turn first = {.stand = stand};
    struct CMUnitTest test = {
        .name = "its capabilities are those expected", .test_func = run_turn, .initial_state = &first};
    g_array_append_val(tests, test);
    for (size_t s = 0; s < G_N_ELEMENTS(suites); s++) {
        for (const struct conformance_case *row = suites[s].rows; row->name; row++) {
            bool filled = suites[s].rows == filled_cases;
            if (filled != stand->subject->filled || (row->needs & stand->subject->expected) != row->needs)
                continue;
            struct turn *turn = g_new0(struct turn, 1);
            *turn = (struct turn){.stand = stand, .row = row, .own_run = suites[s].own_run};
            g_ptr_array_add(turns, turn);
            test = (struct CMUnitTest){.name = row->name, .test_func = run_turn, .initial_state = turn};
            g_array_append_val(tests, test);
        }
    }
    struct CMUnitTest *all = (struct CMUnitTest *)(void *)tests->data;
    return _cmocka_run_group_tests(stand->subject->name, all, tests->len, NULL, NULL);
}

static const struct subject *subject_named(const char *name)
{
    for (size_t i = 0; i < subject_count; i++)
        if (strcmp(subjects[i].name, name) == 0)
            return &subjects[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct stand stand = {.subject = argc == 2 ? subject_named(argv[1]) : NULL, .seed = 1};
    if (!stand.subject) {
        g_printerr("expected the name of a subject; the table is in subjects.c\n");
        return 2;
    }
    if (stand.subject->there && !stand.subject->there()) {
        g_print("1..0 # SKIP %s: its server is not installed\n", stand.subject->name);
        return 0;
    }
    if (stand.subject->by_hand && !g_getenv("SLUICE_LIVE_ALL")) {
        g_print("1..0 # SKIP %s: by hand, with SLUICE_LIVE_ALL=1: the other kind of server has had its turn\n",
                stand.subject->name);
        return 0;
    }
    fake_world_init(&stand.fake);
    if (kit_dir_setup((void **)&stand.dir) != 0)
        return 2;
    stand.mem = arena_new(256 << 20);
    stand.shared = stand_other_run(&stand);
    stand.subject->set_up(&stand);
    stand_open(&stand);
    int failed = run_all(&stand);
    stand_close(&stand);
    if (stand.subject->tear_down)
        stand.subject->tear_down(&stand);
    arena_free(stand.mem);
    g_free(stand.uri);
    g_free(stand.ds_name);
    kit_dir_teardown((void **)&stand.dir);
    return failed;
}
