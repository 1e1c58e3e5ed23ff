/* Servers of the target that take over each other's data while a run works, where the spec says that this halts it. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define HALTS SAME_DATASET "protect: { topology: halt }\n"

struct servers {
    struct scene scene;
    const char *topology; /* what the store says of itself */
    bool (*inspect)(struct session *, const struct call *, struct store_info *, GError **);
};

static struct servers *servers_of(const struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct servers *)(gpointer)(table - offsetof(struct servers, scene.faulty_mem.table));
}

static bool inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    const struct servers *servers = servers_of(session);
    if (!servers->inspect(session, call, ret, error))
        return false;
    ret->topology = servers->topology;
    return true;
}

static void begin(struct servers *servers, const char *spec)
{
    scene_init(&servers->scene, spec, ONCE_MORE);
    servers->topology = "a";
    servers->inspect = servers->scene.faulty_mem.table.inspect;
    servers->scene.faulty_mem.table.inspect = inspect;
    scene_put(&servers->scene, "items", "a", "{\"n\":1,\"times\":0}");
}

static void ends(struct servers *servers, int status, const char *words)
{
    struct ended ended;
    scene_run(&servers->scene, &ended);
    if (ended.status != status)
        fail_msg("ended with %d, not %d: %s", ended.status, status, ended.text ? ended.text : "");
    if (words && (!ended.text || !strstr(ended.text, words)))
        fail_msg("'%s' is not in: %s", words, ended.text);
    ended_done(&ended);
}

static void a_topology_that_is_not_the_plans_halts_the_run_before_it_writes(void **state)
{
    struct servers servers;
    begin(&servers, HALTS);
    scene_plan(&servers.scene);
    servers.topology = "b";
    ends(&servers, 5, "protect.topology=follow");
    scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":0}");
    servers.topology = "a";
    ends(&servers, 0, NULL);
    scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_done(&servers.scene);
}

static void without_the_guard_it_is_followed(void **state)
{
    struct servers servers;
    begin(&servers, SAME_DATASET);
    scene_plan(&servers.scene);
    servers.topology = "b";
    ends(&servers, 0, NULL);
    scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_done(&servers.scene);
}

#define SHADOW_HALTS                                                                                                   \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items, write: shadow }\npartitions: { size: 4 }\nworkers: 1\n"               \
    "protect: { topology: halt }\n"

static void promoted(struct servers *servers, int status, const char *words)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&servers->scene.fake.world, servers->scene.ours);
    struct run_config config = scene_config(&servers->scene, registry);
    config.act.reason = "looked into";
    kit_ok(run_promote(&config, servers->scene.run, &result, &error));
    assert_int_equal(result.exit_status, status);
    assert_true(!words || (result.text && strstr(result.text, words)));
    run_result_done(&result);
    store_registry_free(registry);
}

static void a_promotion_halts_too_before_it_writes(void **state)
{
    struct servers servers;
    begin(&servers, SHADOW_HALTS);
    ends(&servers, 3, "promote");
    servers.topology = "b";
    promoted(&servers, 5, "protect.topology=follow");
    scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":0}");
    servers.topology = "a";
    promoted(&servers, 0, NULL);
    scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":1}");
    scene_done(&servers.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_topology_that_is_not_the_plans_halts_the_run_before_it_writes),
        cmocka_unit_test(without_the_guard_it_is_followed),
        cmocka_unit_test(a_promotion_halts_too_before_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
