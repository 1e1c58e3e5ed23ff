/* What the figures of a spec (`measures`) were before a run, and what a sample foretells of them: as the ledger has it,
 * and as the gate finds it again. */
#include "catalog/ledger.h"
#include "kit/failing_step.h"
#include "kit/scene.h"

#define HEAD    "sluice: 1\nname: job\ntransform: { lua: t.lua }\nworkers: 1\n"
#define LIVE    "source: { store: \"mem:s\", dataset: items }\n"
#define FILES   "source: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n"
#define TARGET  "target: { store: \"mem:s\", dataset: items }\n"
#define RECORDS "{ name: records, count: true"
#define LOOSE                                                                                                          \
    "measures: [" RECORDS ", least: 0 }, { name: sums, sum: n, most: 1e40 }, { name: kinds, distinct: n, most: 99 "    \
    "}]\n"
#define LARGEST   "9999999999999999999999999999999999"
#define LUA(what) "function transform(doc, ctx) " what " return doc end\n"
#define ALL(what)                                                                                                      \
    {                                                                                                                  \
        "{\"n\":1}", "{\"n\":2}", what                                                                                 \
    }

static const struct row {
    const char *records[3]; /* a, b, c; NULL: absent */
    const char *lua;
    int status;
    const char *details; /* NULL: nothing was measured */
} ROWS[] = {
    /* written, left as it is, deleted */
    {ALL("{\"n\":3}"), LUA("if doc.n == 1 then doc.n = 5 elseif doc.n == 3 then return ctx.delete() end"), 0,
     "{\"before\":{\"kinds\":\"3\",\"records\":\"3\",\"sums\":\"6\"},"
     "\"forecast\":{\"kinds\":null,\"records\":\"2\",\"sums\":\"7\"}}"},
    /* nothing is written of what is refused */
    {ALL("{\"n\":3}"), LUA("if doc.n == 1 then return ctx.reject('one') end doc.n = doc.n + 1"), 8,
     "{\"before\":{\"kinds\":\"3\",\"records\":\"3\",\"sums\":\"6\"},"
     "\"forecast\":{\"kinds\":null,\"records\":\"3\",\"sums\":\"8\"}}"},
    /* what cannot be added up, before or in the sample, is not foretold */
    {ALL("{\"n\":\"x\"}"), LUA("if doc.n == 1 then doc.n = 5 elseif doc.n == 'x' then doc.n = 7 end"), 0,
     "{\"before\":{\"kinds\":\"3\",\"records\":\"3\",\"sums\":null},"
     "\"forecast\":{\"kinds\":null,\"records\":\"3\",\"sums\":null}}"},
    {ALL("{\"n\":0.5}"), LUA("if doc.n == 1 then doc.n = decimal('" LARGEST "') else doc.times = 1 end"), 4,
     "{\"before\":{\"kinds\":\"3\",\"records\":\"3\",\"sums\":\"3.5\"},"
     "\"forecast\":{\"kinds\":null,\"records\":\"3\",\"sums\":null}}"},
};

/* The details of all of the run's entries of that name, a line each. */
static char *measured(struct scene *scene)
{
    GError *error = NULL;
    struct ledger_entries entries;
    auto_(arena) mem = arena_new(4 << 20);
    auto_(catalog) catalog = NULL;
    GString *found = g_string_new(NULL);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_READ_ONLY, &error));
    kit_ok(ledger_read(catalog, 1, 1000, mem, &entries, &error));
    for (size_t i = 0; i < entries.n; i++)
        if (strcmp(entries.rows[i].action, "measured") == 0)
            g_string_append_printf(found, "%s%s", found->len ? "\n" : "", entries.rows[i].details);
    return g_string_free(found, FALSE);
}

static void a_sample_foretells_what_it_can_add_up(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct ended ended;
        scene_init(&scene, HEAD LIVE TARGET LOOSE, ROWS[i].lua);
        for (int k = 0; k < 3; k++)
            scene_put(&scene, "items", (const char *[]){"a", "b", "c"}[k], ROWS[i].records[k]);
        scene_run(&scene, &ended);
        g_autofree char *found = measured(&scene);
        if (strcmp(found, ROWS[i].details) != 0 || ended.status != ROWS[i].status)
            fail_msg("row %zu: %d: %s\n%s", i, ended.status, ended.text, found);
        ended_done(&ended);
        scene_done(&scene);
    }
}

/* All that was listed has gone since: nobody knows what becomes of it. */
static void of_what_is_not_there_any_more_nothing_is_foretold(void **state)
{
    struct scene scene;
    struct ended ended;
    scene_init(&scene, HEAD LIVE TARGET LOOSE, LUA(""));
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_plan(&scene);
    scene_remove(&scene, "items", "a");
    scene_run(&scene, &ended);
    g_autofree char *found = measured(&scene);
    assert_string_equal(found, "{\"before\":{\"kinds\":\"0\",\"records\":\"0\",\"sums\":\"0\"},"
                               "\"forecast\":{\"kinds\":null,\"records\":null,\"sums\":null}}");
    ended_done(&ended);
    scene_done(&scene);
}

/* Of a thousand and a half a thousand is tried; of what is beyond a number nothing is foretold. */
static void a_part_of_the_records_foretells_all_of_them(void **state)
{
    static const char *const EACH[][2] = {{"2", "\"3000\""}, {"1e400", "null"}};
    for (size_t k = 0; k < G_N_ELEMENTS(EACH); k++) {
        struct scene scene;
        g_autoptr(GString) lines = g_string_new(NULL);
        for (int i = 0; i < 1500; i++)
            g_string_append_printf(lines, "{\"id\":\"k%d\",\"n\":%s}\n", i, EACH[k][0]);
        scene_init(&scene, HEAD FILES TARGET LOOSE, LUA(""));
        scene_file(&scene, "in/all.ndjson", lines->str);
        scene_ran(&scene, k == 0 ? 0 : 4);
        g_autofree char *found = measured(&scene);
        g_autofree char *wanted = g_strdup_printf("{\"before\":{\"kinds\":\"0\",\"records\":\"0\",\"sums\":\"0\"},"
                                                  "\"forecast\":{\"kinds\":null,\"records\":\"1500\",\"sums\":%s}}",
                                                  EACH[k][1]);
        assert_string_equal(found, wanted);
        scene_done(&scene);
    }
}

static void where_there_is_no_record_nothing_will_change(void **state)
{
    struct scene scene;
    scene_init(&scene, HEAD FILES TARGET LOOSE, LUA(""));
    scene_put(&scene, "items", "a", "{\"kind\":\"x\",\"n\":4}");
    scene_file(&scene, "in/all.ndjson", "");
    scene_ran(&scene, 0);
    g_autofree char *found = measured(&scene);
    assert_string_equal(found, "{\"before\":{\"kinds\":\"1\",\"records\":\"1\",\"sums\":\"4\"},"
                               "\"forecast\":{\"kinds\":\"1\",\"records\":\"1\",\"sums\":\"4\"}}");
    scene_done(&scene);
}

/* More than its spec allows. */
#define HALVED "measures: [" RECORDS ", change: 10% }]\n", LUA("if doc.n == 1 then return ctx.delete() end doc.n = 0")

enum { MUCH = 250 };

/* Behind what was measured the run does a lot that is on record. */
static void much_happens(void *self, const char *name)
{
    struct scene *scene = self;
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    if (strcmp(name, "stage.moved") != 0)
        return;
    scene->fake.world.point = NULL;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    for (int i = 0; i < MUCH; i++)
        kit_ok(ledger_append(catalog, &(struct ledger_entry){.actor = "ann@desk", .action = "noted", .run = scene->run},
                             &error));
}

static void what_was_measured_is_found_behind_all_that_came_since(void **state)
{
    struct scene scene;
    scene_init(&scene, HEAD LIVE TARGET HALVED);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_put(&scene, "items", "b", "{\"n\":2}");
    scene.fake.world.point = much_happens;
    scene.fake.world.point_self = &scene;
    scene_ran(&scene, 4);
    assert_null(scene.fake.world.point);
    scene_done(&scene);
}

static unsigned failing_step;

/* From when the gate is to judge, of whoever drives the run. */
static void on_judging(void *self, const char *name)
{
    struct scene *scene = self;
    auto_(arena) mem = arena_new(1 << 20);
    if (strcmp(name, "run.moved") != 0 || scene_row(scene, mem).state != RUN_VERIFYING)
        return;
    scene->fake.world.point = NULL;
    steps_met = 0;
    step_fails = failing_step;
}

/* What it was before is among what they read: no gate passes because that could not be. */
static void a_statement_that_fails_while_a_gate_holds_a_figure_against_what_it_was_is_told(void **state)
{
    enum { AT_LEAST = 20 };
    struct scene scene;
    struct scene_kept kept;
    bool met = true;
    scene_init(&scene, HEAD LIVE TARGET HALVED);
    scene_put(&scene, "items", "a", "{\"n\":1}");
    scene_put(&scene, "items", "b", "{\"n\":2}");
    scene_plan(&scene);
    scene_keep(&scene, &kept);
    scene_done(&scene);
    for (failing_step = 1; met; failing_step++) {
        struct ended ended;
        scene_again(&scene, &kept);
        scene.fake.world.point = on_judging;
        scene.fake.world.point_self = &scene;
        scene_run(&scene, &ended);
        step_fails = 0;
        assert_null(scene.fake.world.point);
        met = steps_met >= failing_step;
        if ((ended.status != 4 && (!met || ended.status != 6)) || (!met && failing_step <= AT_LEAST))
            fail_msg("statement %u: ended with %d: %s", failing_step, ended.status, ended.text);
        ended_done(&ended);
        scene_ran(&scene, 4);
        scene_done(&scene);
    }
    scene_kept_done(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_foretells_what_it_can_add_up),
        cmocka_unit_test(where_there_is_no_record_nothing_will_change),
        cmocka_unit_test(a_part_of_the_records_foretells_all_of_them),
        cmocka_unit_test(of_what_is_not_there_any_more_nothing_is_foretold),
        cmocka_unit_test(what_was_measured_is_found_behind_all_that_came_since),
        cmocka_unit_test(a_statement_that_fails_while_a_gate_holds_a_figure_against_what_it_was_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
