/* What a plan decides, refuses and freezes; that it is read back as it was; and what has moved since, by name. */
#include "kit/scene.h"

#define SPEC(source, target)                                                                                           \
    "sluice: 1\nname: job\nsource: { " source " }\ntransform: { lua: t.lua }\ncontract: c.yaml\ntarget: { " target     \
    " }\npartitions: { size: 3 }\n"
#define ITEMS  "store: \"mem:s\", dataset: items"
#define ORIGIN "store: \"mem:s\", dataset: origin"
#define FILES  "store: \"file:in\", dataset: \"*.ndjson\""

static const char LUA[] = "function transform(doc, ctx) return doc end\n";
static const char CONTRACT[] = "contract: 1\nname: c\nversion: 1\nfields:\n  n: { type: int }\n";

struct stage {
    struct scene scene;
    struct store_registry *registry;
    struct plan *plan;
};

static void begin(struct stage *stage, const char *spec)
{
    *stage = (struct stage){0};
    scene_init(&stage->scene, spec, LUA);
    scene_file(&stage->scene, "c.yaml", CONTRACT);
    scene_file(&stage->scene, "in/a.ndjson", "{\"id\":\"a\",\"n\":1,\"at\":1}\n{\"id\":\"a\",\"n\":2,\"at\":2}\n");
    for (int i = 0; i < 7; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(&stage->scene, "items", key, "{\"n\":1}");
        scene_put(&stage->scene, "origin", key, "{\"n\":1}");
    }
    stage->registry = store_registry_new(&stage->scene.fake.world, stage->scene.ours);
}

static void end(struct stage *stage)
{
    plan_free(stage->plan);
    store_registry_free(stage->registry);
    scene_done(&stage->scene);
}

static struct plan_config config_of(const struct stage *stage)
{
    return (struct plan_config){
        .world = &stage->scene.fake.world, .registry = stage->registry, .home = stage->scene.home};
}

static bool make(struct stage *stage, GError **error)
{
    struct spec *spec;
    struct plan_config config = config_of(stage);
    if (!spec_read(&spec, config.world, stage->scene.spec_path, error))
        return false;
    if (plan_make(&stage->plan, &config, spec, error))
        return true;
    spec_free(spec);
    return false;
}

static void made(struct stage *stage, const char *spec)
{
    GError *error = NULL;
    begin(stage, spec);
    kit_ok(make(stage, &error));
}

/* --- decided
 * ------------------------------------------------------------------------------------------------------------ */

static void source_and_target_of_one_store_and_name_are_the_same(void **state)
{
    struct stage stage;
    made(&stage, SPEC(ITEMS, ITEMS));
    assert_true(stage.plan->same_dataset);
    assert_int_equal(stage.plan->write, WRITE_IN_PLACE);
    assert_true(stage.plan->listed);
    assert_false(stage.plan->sink);
    end(&stage);
}

static void another_dataset_is_filled_and_its_live_records_are_kept(void **state)
{
    struct stage stage;
    made(&stage, SPEC(ORIGIN, ITEMS));
    assert_false(stage.plan->same_dataset);
    assert_int_equal(stage.plan->write, WRITE_FILL);
    assert_int_equal(stage.plan->conflict, CONFLICT_KEEP_LIVE);
    end(&stage);
}

static void where_the_source_has_versions_the_newer_wins(void **state)
{
    struct stage stage;
    made(&stage, SPEC(FILES ", key: id, version: at", ITEMS));
    assert_int_equal(stage.plan->conflict, CONFLICT_NEWER_WINS);
    assert_false(stage.plan->listed);
    assert_int_equal(stage.plan->n_listed, 1);
    assert_int_equal(stage.plan->duplicates, 1);
    assert_non_null(stage.plan->skip_path);
    end(&stage);
}

static void a_listing_is_cut_into_partitions_of_the_size_asked_for(void **state)
{
    struct stage stage;
    made(&stage, SPEC(ORIGIN, ITEMS));
    assert_int_equal(stage.plan->n_parts, 3);
    assert_int_equal(stage.plan->n_listed, 7);
    assert_int_equal(stage.plan->parts[0].records, 3);
    assert_int_equal(stage.plan->parts[2].records, 1);
    end(&stage);
}

/* Of a partition a handful of records is looked at for its risk and its age; large ones come a few at a time. */
static void records_too_large_to_be_looked_at_together_are_looked_at_in_portions(void **state)
{
    static const char BY_AGE[] = "source: { store: \"mem:s\", dataset: aged, version: at }\n"
                                 "sluice: 1\nname: job\ntransform: { lua: t.lua }\ncontract: c.yaml\n"
                                 "target: { store: \"mem:s\", dataset: aged }\npartitions: { size: 3 }\n"
                                 "stages: [{ name: all, scope: 100%, order: newest }]\n";
    uint64_t fired = 1;
    for (uint64_t nth = 1; fired; nth++) {
        struct stage stage;
        GError *error = NULL;
        begin(&stage, BY_AGE);
        for (int i = 0; i < 6; i++) {
            g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":1,\"at\":%d}", 100 + i);
            scene_put(&stage.scene, "aged", key, json);
        }
        scene_fault(&stage.scene, &(struct fault_row){.op = FAULT_READ, .nth = nth, .effect = FAULT_TOO_BIG});
        kit_ok(make(&stage, &error));
        fired = stage.scene.plan.fired[FAULT_READ];
        assert_true(fired || nth > 4); /* two of either partition */
        assert_int_equal(stage.plan->n_parts, 2);
        assert_true(stage.plan->parts[0].version.kind != VERSION_NONE);
        assert_true(stage.plan->parts[1].version.kind != VERSION_NONE);
        end(&stage);
    }
}

/* --- refused
 * ------------------------------------------------------------------------------------------------------------ */

static void refused(const char *spec, const char *words)
{
    GError *error = NULL;
    struct stage stage;
    begin(&stage, spec);
    assert_false(make(&stage, &error));
    assert_int_equal(error_exit_status(error), error_is(error, SLUICE_ERROR_NOT_FOUND) ? 9 : 2);
    if (!strstr(error->message, words))
        fail_msg("'%s' does not say '%s'", error->message, words);
    g_clear_error(&error);
    end(&stage);
}

static void what_contradicts_the_stores_is_refused_by_its_key(void **state)
{
    refused(SPEC(ITEMS, ITEMS ", write: fill"), "target.write");
    refused(SPEC(ITEMS, ITEMS ", conflict: keep-live"), "target.conflict");
    refused(SPEC(FILES, ITEMS), "source.key");
    refused(SPEC("store: \"mem:s\", dataset: nowhere", ITEMS), "nowhere");
}

/* --- frozen
 * ------------------------------------------------------------------------------------------------------------- */

static void load(struct stage *stage, bool only_target, struct plan **ret, GError **error)
{
    GError *failed = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct plan_config config = config_of(stage);
    struct run_row row = scene_row(&stage->scene, mem);
    *ret = NULL;
    if (catalog_open(&catalog, config.world, config.home, CATALOG_EXISTING, &failed) &&
        (only_target ? plan_load_target : plan_load)(ret, &config, catalog, &row, &failed))
        return;
    g_propagate_error(error, failed);
}

static void a_plan_is_read_back_as_it_was_frozen(void **state)
{
    GError *error = NULL;
    struct stage stage;
    begin(&stage, SPEC(FILES ", key: id, version: at", ITEMS ", write: in-place, conflict: overwrite"));
    int64_t began_ms = stage.scene.fake.wall_ms;
    scene_plan(&stage.scene);
    int64_t planned_ms = stage.scene.fake.wall_ms;
    stage.scene.fake.wall_ms += 3600000;
    load(&stage, false, &stage.plan, &error);
    if (error)
        fail_msg("%s", error->message);
    struct plan *plan = stage.plan;
    assert_int_equal(plan->write, WRITE_IN_PLACE);
    assert_int_equal(plan->conflict, CONFLICT_OVERWRITE);
    assert_false(plan->same_dataset);
    assert_false(plan->listed);
    assert_int_equal(plan->n_listed, 1);
    assert_int_equal(plan->duplicates, 1);
    assert_non_null(plan->skip_path);
    assert_true(g_file_test(plan->skip_path, G_FILE_TEST_EXISTS));
    assert_true(plan->planned_at_ms >= began_ms && plan->planned_at_ms <= planned_ms);
    assert_string_equal(plan->target_ds.name, "items");
    assert_string_equal(plan->target_name, "mem:s#items");
    end(&stage);
}

static void a_rollback_needs_neither_spec_nor_source(void **state)
{
    GError *error = NULL;
    struct stage stage;
    begin(&stage, SPEC(ORIGIN, ITEMS));
    scene_plan(&stage.scene);
    scene_file(&stage.scene, "job.yaml", "nothing of use");
    load(&stage, true, &stage.plan, &error);
    assert_null(error);
    assert_string_equal(stage.plan->target_name, "mem:s#items");
    assert_null(stage.plan->source);
    end(&stage);
}

static void what_has_moved_since_is_refused_by_its_name(void **state)
{
    static const struct {
        const char *file, *text, *what;
    } MOVED[] = {
        {"job.yaml", SPEC(ORIGIN, ITEMS) "workers: 1\n", "the spec has changed"},
        {"t.lua", "function transform(doc, ctx) return nil end\n", "the transform has changed"},
        {"c.yaml", "contract: 1\nname: c\nversion: 2\nfields:\n  n: { type: int }\n", "the contract has changed"}};
    for (size_t i = 0; i < G_N_ELEMENTS(MOVED); i++) {
        GError *error = NULL;
        struct stage stage;
        begin(&stage, SPEC(ORIGIN, ITEMS));
        scene_plan(&stage.scene);
        scene_file(&stage.scene, MOVED[i].file, MOVED[i].text);
        load(&stage, false, &stage.plan, &error);
        assert_true(error_is(error, SLUICE_ERROR_REFUSED));
        assert_non_null(strstr(error->message, MOVED[i].what));
        assert_non_null(strstr(error->message, "job.1"));
        g_clear_error(&error);
        end(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_and_target_of_one_store_and_name_are_the_same),
        cmocka_unit_test(another_dataset_is_filled_and_its_live_records_are_kept),
        cmocka_unit_test(where_the_source_has_versions_the_newer_wins),
        cmocka_unit_test(a_listing_is_cut_into_partitions_of_the_size_asked_for),
        cmocka_unit_test(records_too_large_to_be_looked_at_together_are_looked_at_in_portions),
        cmocka_unit_test(what_contradicts_the_stores_is_refused_by_its_key),
        cmocka_unit_test(a_plan_is_read_back_as_it_was_frozen),
        cmocka_unit_test(a_rollback_needs_neither_spec_nor_source),
        cmocka_unit_test(what_has_moved_since_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
