/* Rules over a target, and what may be asked of one: policies of servers, references, limits, what is refused. */
#include <errno.h>
#include <math.h>

#include "kit/document.h"
#include "kit/fake_world.h"
#include "record/path.h"
#include "store/calls.h"
#include "verify/extras.h"
#include "verify/measures.h"
#include "verify/rules.h"

/* --- a store whose servers say what a test wants ------------------------------------------------------------------ */

enum { NODES = 2, UNSAID = -1, NO_NODE = -2 };

struct node {
    int any, expiring, evicted;
};

static const struct node *says; /* NODES of them */
static struct session_base session_of_all;

static bool open_session(struct session **ret, struct store *store, GError **error)
{
    *ret = (struct session *)&session_of_all;
    return true;
}

static void close_session(struct session *session)
{
}

static bool say_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    for (int i = 0; i < NODES; i++) {
        struct node_health node = NODE_HEALTH_UNKNOWN;
        node.evicts = says[i].any;
        node.evicts_expiring = says[i].expiring;
        node.evicted = says[i].evicted;
        if (says[i].any != NO_NODE)
            g_array_append_val(into, node);
    }
    return true;
}

static const struct list_ops SORTED = {.sorted = true};
static const struct write_ops WRITES;
static const struct store_driver HEALTHY = {.name = "healthy",
                                            .session_open = open_session,
                                            .session_close = close_session,
                                            .health = say_health,
                                            .list = &SORTED,
                                            .write = &WRITES},
                                 SILENT = {.name = "silent", .write = &WRITES}, FILES = {.name = "files"};

struct target {
    struct fake_world fake;
    struct store_base store;
    struct verify_input input;
};

static void target_init(struct target *target, const struct store_driver *driver)
{
    *target = (struct target){0};
    fake_world_init(&target->fake);
    target->store = (struct store_base){.driver = driver, .world = &target->fake.world, .label = driver->name};
    target->input = (struct verify_input){.world = &target->fake.world, .target = (struct store *)&target->store};
}

/* --- eviction ----------------------------------------------------------------------------------------------------- */

static const struct {
    struct node nodes[NODES];
    bool wanted;
    bool expires;      /* the record */
    const char *found; /* NULL: it holds */
} POLICIES[] = {
    {{{0, 0}, {0, 0}}, false, true, NULL},
    {{{0, 0}, {0, 0}}, true, true, "nothing may go"},
    {{{1, 1}, {1, 1}}, true, false, NULL},
    {{{1, 1}, {0, 0}}, true, true, "nothing may go"},   /* what each shall, all of them have to */
    {{{0, 0}, {1, 1}}, false, false, "any key may go"}, /* what none shall, one is enough for */
    {{{1, 0}, {0, 0}}, false, true, "any key may go"},  /* whichever it is */
    {{{0, 1}, {0, 1}}, true, true, NULL},
    {{{0, 1}, {0, 1}}, true, false, "it has no expiry, and only what has one may go"},
    {{{0, 1}, {0, 0}}, false, true, "it has an expiry, and what has one may go"},
    {{{0, 0}, {0, 1}}, false, true, "it has an expiry, and what has one may go"},
    {{{0, 1}, {0, 0}}, false, false, NULL},
    {{{0, 1}, {0, 0}}, true, true, "nothing may go"},
    {{{UNSAID, 0}, {0, 0}}, false, false, "a server of the target does not say what it evicts"},
    {{{0, 0}, {0, UNSAID}}, false, false, "a server of the target does not say what it evicts"},
};

static void one(struct rule *rule, const struct record *record, struct slice document, const char *found)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 16);
    bool holds;
    g_autofree char *said = NULL;
    kit_ok(rule_record(rule, record, document, mem, &error));
    kit_ok(rule_end(rule, &holds, &said, &error));
    if (holds != !found || (found && !strstr(said, found)))
        fail_msg("%s: '%s', and '%s' was expected", rule_of(rule)->name, said, found ? found : "that it holds");
}

static void what_servers_may_drop_is_told_of_all_of_them(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(POLICIES); i++) {
        struct target target;
        GError *error = NULL;
        auto_(rule) rule = NULL;
        g_autofree char *name = g_strdup_printf("row %zu", i);
        struct spec_expect of = {.name = name, .what = SPEC_EXPECT_EVICTS, .evicts = POLICIES[i].wanted};
        struct record record = {.key = slice_of_text("k"), .expires_at_ms = POLICIES[i].expires ? 1 : EXPIRES_NEVER};
        target_init(&target, &HEALTHY);
        says = POLICIES[i].nodes;
        kit_ok(rule_new(&rule, &target.input, &of, "/", &error));
        one(rule, &record, SLICE_EMPTY, POLICIES[i].found);
    }
}

static void of_a_store_that_says_nothing_nothing_is_taken_for_granted(void **state)
{
    struct target target;
    GError *error = NULL;
    auto_(rule) rule = NULL;
    struct spec_expect of = {.name = "silent", .what = SPEC_EXPECT_EVICTS};
    struct record record = {.key = slice_of_text("k")};
    target_init(&target, &SILENT);
    kit_ok(rule_new(&rule, &target.input, &of, "/", &error));
    one(rule, &record, SLICE_EMPTY, "the target's store does not say what it evicts");
}

/* --- references --------------------------------------------------------------------------------------------------- */

static void only_texts_and_whole_numbers_are_keys(void **state)
{
    struct target target;
    GError *error = NULL;
    auto_(path) path = NULL;
    auto_(arena) mem = arena_new(1 << 16);
    struct record record = {.key = slice_of_text("k")};
    kit_ok(path_parse(&path, "n", &error));
    struct spec_expect of = {.name = "refers", .what = SPEC_EXPECT_REFERS, .refers = path, .to = "others"};
    bson_t real = BSON_INITIALIZER, small = BSON_INITIALIZER, large = BSON_INITIALIZER;
    BSON_APPEND_DOUBLE(&real, "n", 1.5);
    BSON_APPEND_INT32(&small, "n", 7);
    BSON_APPEND_INT64(&large, "n", INT64_C(7000000000));
    const struct {
        struct slice document;
        const char *found;
    } ROWS[] = {
        {slice_of(bson_get_data(&real), real.len), "its value is no key"},
        {slice_of(bson_get_data(&small), small.len), NULL},
        {slice_of(bson_get_data(&large), large.len), NULL},
        {kit_document("{\"n\":\"\"}", mem), "its value is no key"},
        {kit_document("{\"n\":\"a\"}", mem), NULL},
        {kit_document("{\"n\":null}", mem), NULL},
        {kit_document("{}", mem), NULL},
        {SLICE_EMPTY, "it cannot be read"},
    };
    target_init(&target, &HEALTHY);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        auto_(rule) rule = NULL;
        kit_ok(rule_new(&rule, &target.input, &of, "/", &error));
        one(rule, &record, ROWS[i].document, ROWS[i].found);
    }
    bson_destroy(&real);
    bson_destroy(&small);
    bson_destroy(&large);
}

/* --- measures ----------------------------------------------------------------------------------------------------- */

static double asked; /* NAN: no number; below 0: it cannot be had */

static bool ask(void *self, const struct spec_measure *measure, const atomic_bool *cancel, double *ret, GError **error)
{
    *ret = asked;
    return !(asked < 0) || error_set(error, SLUICE_ERROR_UNREACHABLE, "nobody is there");
}

static const struct {
    const struct store_driver *driver;
    struct node nodes[NODES];
    double outside;
    const char *evicted, *of_outside; /* a number, or a part of why there is none */
} MEASURED[] = {
    {&HEALTHY, {{.evicted = 5}, {.evicted = 7}}, 2.5, "12", "2.5"},
    {&HEALTHY, {{.evicted = 5}, {.evicted = -1}}, -1, "does not say how many keys", "nobody is there"},
    {&HEALTHY, {{.any = NO_NODE}, {.any = NO_NODE}}, NAN, "does not say how many keys", "no number"},
    {&SILENT, {{0}, {0}}, 0, "does not say how many keys", "0"},
};

static void is_so(const struct measure_value *value, const char *is, size_t row)
{
    char text[DECIMAL_TEXT];
    const char *found = value->known ? decimal_text(&value->number, text) : value->fault;
    if (value->known ? strcmp(found, is) != 0 : !strstr(found, is))
        fail_msg("row %zu: '%s', and '%s' was expected", row, found, is);
}

static void a_figure_that_cannot_be_had_says_why(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(MEASURED); i++) {
        struct target target;
        GError *error = NULL;
        struct spec_measure of[] = {{.name = "evicted", .evicted = true}, {.name = "outside"}};
        struct measure_value values[2] = {{0}, {0}};
        struct measures measures = {.of = of, .n = 2};
        target_init(&target, MEASURED[i].driver);
        struct measures_wish wish = {.input = &target.input, .ask = ask};
        says = MEASURED[i].nodes;
        asked = MEASURED[i].outside;
        kit_ok(measures_take(&measures, &wish, values, &error));
        is_so(&values[0], MEASURED[i].evicted, i);
        is_so(&values[1], MEASURED[i].of_outside, i);
        g_free(values[0].fault);
        g_free(values[1].fault);
    }
}

/* Whichever sort has no room. */
static void measures_that_have_no_room_end_with_the_first_error(void **state)
{
    GError *error = NULL;
    auto_(path) path = NULL;
    kit_ok(path_parse(&path, "n", &error));
    struct target target;
    struct spec_measure of[] = {{.name = "a", .distinct = path}, {.name = "b", .distinct = path}};
    struct measure_value values[2] = {{0}, {0}};
    struct measures measures = {.of = of, .n = 2};
    target_init(&target, &HEALTHY);
    target.input.report_path = "/nowhere/at/all/r.ndjson";
    struct measures_wish wish = {.input = &target.input, .ask = ask};
    fake_world_arm(&target.fake, (struct fake_fault){.nth = 1, .number = EACCES, .lasting = true});
    assert_false(measures_take(&measures, &wish, values, &error));
    assert_true(g_str_has_prefix(error->message, "measures: "));
    g_clear_error(&error);
}

/* --- beyond the source -------------------------------------------------------------------------------------------- */

static const struct spec_range IN_TIME = {.field = (struct path *)(uintptr_t) "not looked at"}, ALWAYS;

static const struct {
    struct verify_input input;
    const char *refused; /* NULL: it may be asked */
} ASKED[] = {
    {{.extra = true, .whole = true, .all_parts = true}, NULL},
    {{.extra = true, .whole = true, .all_parts = true, .range = &ALWAYS}, NULL},
    {{.extra = true, .whole = true, .all_parts = true, .range = &IN_TIME}, "a part of its source (source.range)"},
    {{.extra = true, .whole = true, .all_parts = true, .where = "doc.n"}, "a part of its source (source.where)"},
    {{.extra = true, .whole = true, .all_parts = true, .only = "{}"}, "a part of its source (source.only)"},
    {{.extra = true, .whole = true, .all_parts = true, .sure = {0.9, 0.1}}, "a sample does not look at every key"},
    {{.extra = true, .whole = true, .all_parts = true, .removes = true}, "has not written all of the source yet"},
    {{.extra = true, .all_parts = true}, "has not written all of the source yet"},
    {{.extra = true, .whole = true}, "has not written all of the source yet"},
    {{.extra = true, .whole = true, .all_parts = true, .same_dataset = true}, "nothing in it is beyond the source"},
    {{.extra = true, .whole = true, .all_parts = true, .target_ds = {.shadow = (const uint8_t *)"0123456789abcdef"}},
     "is not live yet"},
};

static bool extra(struct target *target, const char *dir, GError **error)
{
    struct extras *extras = NULL;
    g_autofree char *report = g_build_filename(dir, "r.ndjson", NULL);
    target->input.report_path = report;
    bool ok = extras_new(&extras, &target->input, error);
    if (extras)
        ok = ok && extras_told(extras);
    extras_free(extras);
    return ok;
}

static void what_is_beyond_a_part_of_the_source_cannot_be_told(void **state)
{
    GError *error = NULL;
    struct target target;
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
        target_init(&target, &HEALTHY);
        struct store *store = target.input.target;
        target.input = ASKED[i].input;
        target.input.target = store;
        target.input.world = &target.fake.world;
        bool ok = extra(&target, *state, &error);
        if (ok != !ASKED[i].refused || (!ok && !strstr(error->message, ASKED[i].refused)))
            fail_msg("row %zu: %s", i, ok ? "asked" : error->message);
        g_clear_error(&error);
    }
    target_init(&target, &SILENT);
    target.input.extra = target.input.whole = target.input.all_parts = true;
    kit_refused(extra(&target, *state, &error), USAGE, "the target cannot list its keys");
    target_init(&target, &FILES); /* whose files are told without being asked */
    target.input.extra = true;
    kit_ok(extra(&target, *state, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_servers_may_drop_is_told_of_all_of_them),
        cmocka_unit_test(of_a_store_that_says_nothing_nothing_is_taken_for_granted),
        cmocka_unit_test(only_texts_and_whole_numbers_are_keys),
        cmocka_unit_test(a_figure_that_cannot_be_had_says_why),
        cmocka_unit_test(measures_that_have_no_room_end_with_the_first_error),
        cmocka_unit_test_setup_teardown(what_is_beyond_a_part_of_the_source_cannot_be_told, kit_dir_setup,
                                        kit_dir_teardown),
    };
    return cmocka_run_group_tests_name("verify/rules", tests, NULL, NULL);
}
