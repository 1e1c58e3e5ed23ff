/* A run whose spec promises something to the live requests of others: its servers are felt from the plan on, what they
 * feel is told. */
#include "kit/scene.h"
#include "pace/servers.h"

#define PROMISES(live)                                                                                                 \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\nworkers: 1\nprotect: { live: { p99: \"" live "\" } }\n"
#define TIMES(n) "function transform(doc, ctx)\n  doc.times = " n "\n  return doc\nend\n"

enum { PROBE_US = 5000, TURN_US = 20000, ANSWER_US = 200 };

/* A server that answers at once, whatever goes to it. */
struct live_probe {
    const struct world *world;
    struct pace *pace;
};

static struct scene *felt;
static atomic_uint probes; /* that were opened */

static void no_pace(struct store *store, struct pace *pace)
{
}

static bool probe_open(struct live_probe **ret, struct store *store, struct pace *pace, GError **error)
{
    atomic_fetch_add(&probes, 1);
    *ret = g_new0(struct live_probe, 1);
    **ret = (struct live_probe){.world = &felt->fake.world, .pace = pace};
    return true;
}

/* Virtual time must not run away from those who wait for a lock. */
static bool probe_run(struct live_probe *probe, const struct call *call, GError **error)
{
    struct pace_server *server = pace_server(probe->pace, "one");
    world_sleep_us(world_real(), TURN_US, call->cancel);
    for (int64_t at_us = world_monotonic_us(probe->world); at_us < call->deadline_us; at_us += PROBE_US)
        pace_felt(server, at_us - ANSWER_US, at_us);
    return true;
}

static void probe_close(struct live_probe *probe)
{
    g_free(probe);
}

static const struct probe_ops PROBE = {.set_pace = no_pace, .open = probe_open, .run = probe_run, .close = probe_close};

struct told {
    struct scene scene; /* first: what happens is told of it */
    bool planning, measured;
};

static void on_event(void *self, const struct run_event *event)
{
    struct told *told = self;
    if (event->kind != RUN_EVENT_NOTE)
        return;
    told->planning |= strstr(event->text, "measured before anything is listed") != NULL;
    told->measured |= strstr(event->text, "the live latency is measured, for a few seconds") != NULL;
}

static void begin(struct told *told, const char *spec)
{
    *told = (struct told){0};
    scene_init(&told->scene, spec, TIMES("1"));
    told->scene.faulty_mem.table.probe = &PROBE;
    felt = &told->scene;
    scene_put(&told->scene, "items", "a", "{\"times\":0}");
}

static void run(struct told *told)
{
    GError *error = NULL;
    struct spec *spec;
    struct run_result planned = {0}, result = {0};
    bool is_new;
    struct store_registry *registry = store_registry_new(&told->scene.fake.world, told->scene.ours);
    struct run_config config = scene_config(&told->scene, registry);
    config.event = on_event;
    config.event_self = told;
    kit_ok(spec_read(&spec, config.world, told->scene.spec_path, &error));
    kit_ok(run_begin(&config, spec, &planned, &is_new, &error));
    kit_ok(run_forward(&config, planned.run.name, true, &result, &error));
    if (result.exit_status != 0)
        fail_msg("ended with %d: %s", result.exit_status, result.text);
    run_result_done(&planned);
    run_result_done(&result);
    store_registry_free(registry);
}

static void a_run_with_a_promise_says_that_it_measures_before_it_sends(void **state)
{
    static const struct {
        const char *spec;
        bool promises;
    } ROWS[] = {{PROMISES("+10% or +0.5ms"), true}, {PROMISES("20ms"), true}, {PROMISES("none"), false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct told told;
        begin(&told, ROWS[i].spec);
        run(&told);
        scene_holds(&told.scene, "items", "a", "{\"times\":1}");
        if (told.planning != ROWS[i].promises || told.measured != ROWS[i].promises)
            fail_msg("row %zu: %d %d", i, told.planning, told.measured);
        scene_done(&told.scene);
    }
}

static void what_cannot_be_verified_is_refused_before_anything_is_measured(void **state)
{
    struct told told;
    struct spec *spec;
    struct verify_result result;
    GError *error = NULL;
    begin(&told, PROMISES("+10% or +0.5ms"));
    struct store_registry *registry = store_registry_new(&told.scene.fake.world, told.scene.ours);
    struct run_config config = scene_config(&told.scene, registry);
    kit_ok(spec_read(&spec, config.world, told.scene.spec_path, &error));
    atomic_store(&probes, 0);
    assert_false(run_verify_spec(&config, spec, &result, &error));
    assert_true(error_is(error, SLUICE_ERROR_USAGE));
    assert_int_equal(atomic_load(&probes), 0);
    g_clear_error(&error);
    store_registry_free(registry);
    scene_done(&told.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_with_a_promise_says_that_it_measures_before_it_sends),
        cmocka_unit_test(what_cannot_be_verified_is_refused_before_anything_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
