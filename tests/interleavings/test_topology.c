/* Servers of the target that take over each other's data while a run works, where the spec says that this halts it. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define HALTS SAME_DATASET "protect: { topology: halt }\n"

struct servers {
    struct scene scene;
    const char *topology; /* what the store says of itself */
    bool (*inspect)(struct session *, const struct call *, struct store_info *, GError **);
    const struct fault_row *fails; /* of what is asked before the workers begin; NULL: nothing */
    const char *moves_at;          /* where it becomes another one, seen to before anybody goes on; NULL: nowhere */
    atomic_uint asked;             /* what it is, since then */
};

#define HEARD_US (INT64_C(60) * 1000 * 1000)
#define LATER_US (INT64_C(5) * 1000 * 1000) /* it would have been asked again */

/* The last move before the workers begin is the stage's, and what is asked before that has been. */
static void on_point(void *self, const char *name)
{
    struct servers *servers = self;
    if (servers->fails && strcmp(name, "stage.moved") == 0)
        scene_fault(&servers->scene, g_steal_pointer(&servers->fails));
    if (!servers->moves_at || strcmp(name, servers->moves_at) != 0)
        return;
    servers->moves_at = NULL;
    servers->topology = "b";
    atomic_store(&servers->asked, 0);
    int64_t most_us = g_get_monotonic_time() + HEARD_US, from_us = servers->scene.fake.now_us;
    while (atomic_load(&servers->asked) == 0 || servers->scene.fake.now_us < from_us + LATER_US) {
        world_sleep_us(world_real(), 500, NULL);
        assert_true(g_get_monotonic_time() < most_us);
    }
}

static struct servers *servers_of(const struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct servers *)(gpointer)(table - offsetof(struct servers, scene.faulty_mem.table));
}

static bool inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    struct servers *servers = servers_of(session);
    atomic_fetch_add(&servers->asked, 1);
    if (!servers->inspect(session, call, ret, error))
        return false;
    ret->topology = servers->topology;
    return true;
}

static void begin(struct servers *servers, const char *spec)
{
    *servers = (struct servers){0};
    scene_init(&servers->scene, spec, ONCE_MORE);
    servers->scene.fake.world.point = on_point;
    servers->scene.fake.world.point_self = servers;
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

/* It has not moved for all that is known; who works with it says more. */
static void a_store_that_does_not_answer_halts_nothing(void **state)
{
    static const struct fault_row FAILS[] = {{FAULT_SESSION_OPEN, .nth = 1, .effect = FAULT_TRANSIENT},
                                             {FAULT_INSPECT, .nth = 1, .effect = FAULT_TRANSIENT}};
    for (size_t i = 0; i < G_N_ELEMENTS(FAILS); i++) {
        struct servers servers;
        begin(&servers, HALTS);
        scene_plan(&servers.scene);
        servers.fails = &FAILS[i];
        ends(&servers, 0, NULL);
        assert_null(servers.fails);
        scene_holds(&servers.scene, "items", "a", "{\"n\":1,\"times\":1}");
        scene_done(&servers.scene);
    }
}

/* Whoever watches looks once in two seconds, also for what has come since the workers began. */
static void a_topology_that_changes_while_it_writes_halts_the_run(void **state)
{
    struct servers servers;
    begin(&servers, HALTS);
    servers.moves_at = "scan.before";
    ends(&servers, 5, "protect.topology=follow");
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
        cmocka_unit_test(a_store_that_does_not_answer_halts_nothing),
        cmocka_unit_test(a_topology_that_changes_while_it_writes_halts_the_run),
        cmocka_unit_test(without_the_guard_it_is_followed),
        cmocka_unit_test(a_promotion_halts_too_before_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
