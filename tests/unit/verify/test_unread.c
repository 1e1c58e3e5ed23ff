/* What nobody can read, or what has gone by the time that it is looked at. */
#include "kit/scene.h"

#define HEAD      "sluice: 1\nname: job\ntransform: { lua: t.lua }\nworkers: 1\ntarget: { store: \"mem:s\", dataset: items"
#define SAME      HEAD " }\nsource: { store: \"mem:s\", dataset: items }\n"
#define ELSEWHERE HEAD ", write: in-place }\nsource: { store: \"mem:s\", dataset: origin, version: at }\n"
#define LUA       "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n"

static bool decode_some(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    static const char WORD[] = "odd";
    *ret = raw;
    return !memmem(raw.data, raw.len, WORD, strlen(WORD)) ||
           error_set(error, SLUICE_ERROR_BAD_RECORD, "no document of this store");
}

/* A run would know which bytes it wrote. */
static void without_a_run_what_has_no_form_cannot_be_compared(void **state)
{
    GError *error = NULL;
    struct scene scene;
    struct spec *spec;
    struct verify_result result = {0};
    scene_init(&scene, ELSEWHERE, LUA);
    scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":0}");
    scene_put(&scene, "origin", "l", "{\"at\":5,\"times\":0}");
    scene_put(&scene, "items", "k", "{\"at\":5,\"odd\":9}");
    scene_put(&scene, "items", "l", "{\"at\":5,\"times\":1}");
    scene.faulty_mem.table.decode = decode_some;
    struct store_registry *registry = store_registry_new(&scene.fake.world, scene.ours);
    struct run_config config = scene_config(&scene, registry);
    kit_ok(spec_read(&spec, &scene.fake.world, scene.spec_path, &error));
    kit_ok(run_verify_spec(&config, spec, &result, &error));
    if (result.of[VERIFY_EQUAL] != 1 || result.of[VERIFY_NOT_COMPARABLE] != 1 || result.pass)
        fail_msg("%s", result.sentence);
    verify_result_done(&result);
    store_registry_free(registry);
    scene_done(&scene);
}

static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);

static bool read_gone(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = read_really(session, call, io, n, error);
    for (size_t i = 0; ok && i < n; i++)
        if (slice_equal(io[i].key, slice_of_text("k")))
            io[i] = (struct record){.key = io[i].key, .presence = RECORD_ABSENT};
    return ok;
}

/* Behind the listing; the run would do nothing for it any more. */
static void what_came_up_and_has_gone_again_is_not_unvisited(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, SAME, LUA);
    scene_put(&scene, "items", "a", "{\"times\":0}");
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "k", "{\"times\":0}");
    scene.full = true;
    read_really = scene.faulty_mem.table.read;
    scene.faulty_mem.table.read = read_gone;
    scene_verify(&scene, &result);
    if (result.of[VERIFY_UNVISITED] != 0 || result.of[VERIFY_APPEARED] != 1)
        fail_msg("%s", result.sentence);
    verify_result_done(&result);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_run_what_has_no_form_cannot_be_compared),
        cmocka_unit_test(what_came_up_and_has_gone_again_is_not_unvisited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
