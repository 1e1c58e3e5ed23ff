/* The root cause: which records are fresh, what is said of those that break the contract, and what of those that have
 * no time or cannot be read. */
#include "kit/scene.h"
#include "spec/spec.h"
#include "transform/transform.h"
#include "verify/cause.h"

#define SPEC(probe)                                                                                                    \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\ncontract: items.contract.yaml\nworkers: 1\n"                        \
    "cause: { id: INC-1, probe: " probe " }\n"
#define LUA       "function transform(doc)\n  if doc.tier == 'gld' then doc.tier = 'gold' end\n  return doc\nend\n"
#define CONTRACT  "contract: 1\nname: items\nversion: 1\nfields: { tier: { type: string, one_of: [gold, silver] } }\n"
#define FIELD     "{ field: at }"
#define WHERE     "{ field: at, where: doc.app == 'new' }"
#define FAILS     "{ field: at, where: \"doc.app.version > 1\" }"
#define FRESH     "\"at\":\"2999-01-01T00:00:00Z\""
#define BROKEN    "{\"tier\":\"gld\"," FRESH "}"
#define BROKEN_BY "{\"tier\":\"gld\",\"app\":\"new\"," FRESH "}"
#define SOUND     "{\"tier\":\"gold\"," FRESH "}"
#define OLD       "{\"tier\":\"gld\",\"at\":\"2020-01-01T00:00:00Z\"}"

enum { MOST = 5 };

static const struct {
    const char *spec;
    const char *records[MOST];
    int status;
    const char *said, *unsaid;
} CAUSES[] = {
    {SPEC(FIELD), {OLD, SOUND}, 0, NULL, NULL},
    {SPEC(FIELD), {OLD, BROKEN, SOUND}, 5, "1 of 2 records newer than ", "bear no time"},
    {SPEC(FIELD), {BROKEN, BROKEN, BROKEN, BROKEN}, 5, "'k2': tier: ", "'k3'"},
    {SPEC(FIELD), {BROKEN, BROKEN, BROKEN, BROKEN}, 5, " …", NULL},
    /* what is of no time, or of none that is one, or cannot be read, is not known to be fresh */
    {SPEC(FIELD),
     {BROKEN, "{\"tier\":\"gld\",\"at\":7}", "{\"tier\":\"gld\",\"at\":[1]}", "{\"odd\":1," FRESH "}"},
     5,
     "1 of 1 records newer than ",
     NULL},
    {SPEC(FIELD),
     {BROKEN, "{\"tier\":\"gld\",\"at\":7}", "{\"tier\":\"gld\",\"at\":[1]}", "{\"odd\":1," FRESH "}"},
     5,
     "(3 more bear no time in at)",
     NULL},
    {SPEC(WHERE), {BROKEN, BROKEN_BY}, 5, "1 of 1 records newer than ", "'k0'"},
    {SPEC(WHERE), {BROKEN, OLD}, 0, NULL, NULL},
    /* nothing is let pass by an expression that fails on it */
    {SPEC(FAILS), {BROKEN, OLD}, 5, "1 of 1 records newer than ", NULL},
};

static bool decode_some(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(raw, text, NULL));
    *ret = raw;
    return !strstr(text->str, "\"odd\"") || error_set(error, SLUICE_ERROR_BAD_RECORD, "no document of this store");
}

static void fresh_records_that_break_the_contract_hold_the_run_up(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(CAUSES); i++) {
        struct scene scene;
        struct ended ended;
        scene_init(&scene, CAUSES[i].spec, LUA);
        scene_file(&scene, "items.contract.yaml", CONTRACT);
        scene.faulty_mem.table.decode = decode_some;
        for (int k = 0; k < MOST && CAUSES[i].records[k]; k++) {
            char key[] = {'k', (char)('0' + k), 0};
            scene_put(&scene, "items", key, CAUSES[i].records[k]);
        }
        scene_run(&scene, &ended);
        const char *text = ended.text ? ended.text : "";
        if (ended.status != CAUSES[i].status || (CAUSES[i].said && !strstr(text, CAUSES[i].said)) ||
            (CAUSES[i].unsaid && strstr(text, CAUSES[i].unsaid)))
            fail_msg("row %zu: %d: %s", i, ended.status, text);
        ended_done(&ended);
        scene_done(&scene);
    }
}

static void where_records_are_not_to_be_told_none_is_named(void **state)
{
    for (int hidden = 0; hidden < 2; hidden++) {
        GError *error = NULL;
        struct scene scene;
        auto_(spec) spec = NULL;
        auto_(recipe) recipe = NULL;
        struct cause_found found;
        scene_init(&scene, SPEC(FIELD), LUA);
        scene_file(&scene, "items.contract.yaml", CONTRACT);
        scene_put(&scene, "items", "k0", BROKEN);
        kit_ok(spec_read(&spec, world_real(), scene.spec_path, &error));
        kit_ok(recipe_read(&recipe, world_real(), spec, &error));
        struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
        struct store_config config = {.uri = "mem:s", .base_dir = scene.dir};
        struct verify_input input = {.world = &scene.fake.world, .recipe = recipe, .target_ds = {.name = "items"}};
        kit_ok(store_open(&input.target, registry, &config, &error));
        struct cause_wish wish = {.input = &input, .of = &spec->cause, .hidden = hidden};
        kit_ok(cause_probe(&wish, &found, &error));
        g_autofree char *words = cause_words(&found);
        assert_int_equal(found.broken, 1);
        assert_int_equal(strstr(words, "'k0'") != NULL, !hidden);
        assert_non_null(strstr(words, "1 of 1 records newer than "));
        cause_found_done(&found);
        store_release(registry, input.target);
        store_registry_free(registry);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_records_that_break_the_contract_hold_the_run_up),
        cmocka_unit_test(where_records_are_not_to_be_told_none_is_named),
    };
    return cmocka_run_group_tests_name("verify/cause", tests, NULL, NULL);
}
