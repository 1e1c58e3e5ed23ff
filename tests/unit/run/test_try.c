/* Records that go the whole way of a run, and nothing is written: what is told of each, and that nothing is passed over
 * in silence. */
#include "kit/scene.h"
#include "run/try.h"

static const char SAME[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
static const char INTO_FILES[] =
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
    "transform: { lua: t.lua }\ntarget: { store: \"file:out\", dataset: \"out.ndjson\" }\n";
static const char LUA[] = "function transform(doc, ctx)\n"
                          "  if doc.n == 2 then return ctx.delete() end\n"
                          "  if doc.n == 3 then return ctx.reject('three') end\n"
                          "  doc.times = 1\n"
                          "  return doc\nend\n";

struct tried {
    struct scene scene;
    struct store_registry *registry;
    struct plan *plan;
    struct try_result result;
    GString *told; /* a word a record: its key, and what would become of it */
};

static bool tell(void *self, const struct try_record *record, GError **error)
{
    struct tried *tried = self;
    g_string_append_printf(tried->told, "%.*s:%s ", (int)record->key.len, (const char *)record->key.data,
                           outcome_row(record->outcome)->word);
    return true;
}

static bool look(struct tried *tried, GError **error)
{
    struct plan_config config = {
        .world = &tried->scene.fake.world, .registry = tried->registry, .home = tried->scene.home};
    struct spec *spec;
    if (!spec_read(&spec, config.world, tried->scene.spec_path, error))
        return false;
    if (plan_look(&tried->plan, &config, spec, error))
        return true;
    spec_free(spec);
    return false;
}

static void begin(struct tried *tried, const char *spec)
{
    *tried = (struct tried){.told = g_string_new(NULL)};
    scene_init(&tried->scene, spec, LUA);
    for (int i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(&tried->scene, "items", key, json);
    }
    tried->registry = store_registry_new(&tried->scene.fake.world, tried->scene.ours);
}

static void end(struct tried *tried)
{
    g_clear_pointer(&tried->plan, plan_free);
    store_registry_free(tried->registry);
    g_string_free(tried->told, TRUE);
    scene_done(&tried->scene);
}

static bool try_these(struct tried *tried, const struct slice *keys, size_t n, bool may_lack, GError **error)
{
    struct try_wish wish = {.keys = keys, .n_keys = n, .may_lack = may_lack, .sample = 10, .each = tell, .self = tried};
    return try_records(tried->plan, &tried->scene.fake.world, NULL, &wish, &tried->result, error);
}

static void each_record_is_told_with_what_would_become_of_it(void **state)
{
    static const struct {
        const char *spec, *told;
    } ROWS[] = {
        {SAME, "k0:written k1:written k2:deleted k3:rejected "},
        {INTO_FILES,
         "k0:written k1:written k2:unchanged k3:rejected "}, /* where nothing stands yet nothing is deleted */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin(&tried, ROWS[i].spec);
        g_autofree char *before = scene_image(&tried.scene, "items");
        kit_ok(look(&tried, &error));
        kit_ok(try_these(&tried, NULL, 0, false, &error));
        assert_string_equal(tried.told->str, ROWS[i].told);
        assert_int_equal(tried.result.tally.of[OUTCOME_READ], 4);
        g_autofree char *after = scene_image(&tried.scene, "items");
        assert_string_equal(before, after);
        end(&tried);
    }
}

static void a_key_that_the_source_does_not_have_is_named_unless_it_may_lack(void **state)
{
    struct tried tried;
    GError *error = NULL;
    struct slice keys[] = {slice_of_text("k1"), slice_of_text("nowhere"), slice_of_text("k3")};
    begin(&tried, SAME);
    kit_ok(look(&tried, &error));
    kit_refused(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error), NOT_FOUND, "the key 'nowhere' is not in");
    g_string_truncate(tried.told, 0);
    kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), true, &error));
    assert_string_equal(tried.told->str, "k1:written k3:rejected ");
    assert_int_equal(tried.result.lacking, 1);
    end(&tried);
}

/* Files are read from their beginning: what was not asked for is passed over, and the newest state of a key is the one.
 */
static void of_files_the_keys_that_were_asked_for_alone_are_told(void **state)
{
    static const char FROM_FILES[] =
        "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, version: at }\n"
        "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
    struct tried tried;
    GError *error = NULL;
    struct slice keys[] = {slice_of_text("a"), slice_of_text("c")};
    begin(&tried, FROM_FILES);
    scene_file(&tried.scene, "in/a.ndjson",
               "{\"id\":\"b\",\"at\":1,\"n\":1}\n{\"id\":\"a\",\"at\":1,\"n\":3}\n"
               "{\"id\":\"c\",\"at\":1,\"n\":1}\n{\"id\":\"a\",\"at\":2,\"n\":1}\n");
    kit_ok(look(&tried, &error));
    kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error));
    assert_string_equal(tried.told->str, "a:written c:written ");
    end(&tried);
}

/* What somebody looks at before they approve must not be less than they think. */
static void whichever_call_of_the_stores_fails_it_is_told(void **state)
{
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        struct tried tried;
        g_autoptr(GError) error = NULL;
        struct slice keys[] = {slice_of_text("k0"), slice_of_text("k1")};
        begin(&tried, SAME);
        scene_fault(&tried.scene, &(struct fault_row){.op = FAULT_ANY, .nth = nth, .effect = FAULT_FATAL});
        bool ok = look(&tried, &error) && try_these(&tried, NULL, 0, false, &error) &&
                  try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error);
        fired = false;
        for (int op = 0; op < FAULT_OP_COUNT; op++)
            fired |= tried.scene.plan.fired[op] > 0;
        if (ok == fired || ok == (error != NULL))
            fail_msg("call %" PRIu64 ": %s", nth, error ? error->message : "nothing is said");
        end(&tried);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_told_with_what_would_become_of_it),
        cmocka_unit_test(a_key_that_the_source_does_not_have_is_named_unless_it_may_lack),
        cmocka_unit_test(of_files_the_keys_that_were_asked_for_alone_are_told),
        cmocka_unit_test(whichever_call_of_the_stores_fails_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
