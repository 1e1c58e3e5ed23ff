/* Who waits for whom, through however many others: each of them is asked once. */
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "run/after.h"

enum { LEVELS = 40, SPECS = 2 }; /* a way through them at each: 2^40 ways */

struct home {
    struct fake_world fake;
    void *dir;
    char *path;
    struct catalog *catalog;
    struct arena *mem;
};

/* A planned run of the spec, whose frozen plan has that. */
static void put_run(struct home *home, const char *spec, const char *plan)
{
    static const struct stage_new STAGE = {"full"};
    static uint8_t n;
    GError *error = NULL;
    struct run_row row = {0};
    struct part_new part = {0};
    n++;
    struct run_new new = {.spec_name = spec,
                          .spec_path = "/specs/one.yaml",
                          .uid = {n},
                          .digests = {.plan = {n}},
                          .plan = slice_of_text(plan),
                          .target = spec,
                          .stages = &STAGE,
                          .n_stages = 1,
                          .parts = &part,
                          .n_parts = 1};
    new.act = (struct act){.actor = "ann@desk"};
    kit_ok(catalog_run_create(home->catalog, &new, home->mem, &row, &error));
}

/* Both of each level wait for both of the next; those of the last one for what is said of it. */
static void put_ladder(struct home *home, const char *last)
{
    for (int level = 0; level < LEVELS; level++)
        for (int i = 0; i < SPECS; i++) {
            g_autofree char *spec = g_strdup_printf("level-%d-%d", level, i);
            g_autofree char *plan =
                level + 1 < LEVELS
                    ? g_strdup_printf("{\"after\": [\"level-%d-0\", \"level-%d-1\"]}", level + 1, level + 1)
                    : g_strdup(last);
            put_run(home, spec, plan);
        }
}

static int set_up(void **state)
{
    GError *error = NULL;
    struct home *home = g_new0(struct home, 1);
    fake_world_init(&home->fake);
    if (kit_dir_setup(&home->dir) != 0)
        return -1;
    home->path = g_build_filename(home->dir, "home", NULL);
    home->mem = arena_new(64u << 20);
    kit_ok(catalog_open(&home->catalog, &home->fake.world, home->path, CATALOG_CREATE, &error));
    *state = home;
    return 0;
}

static int tear_down(void **state)
{
    struct home *home = *state;
    catalog_free(home->catalog);
    arena_free(home->mem);
    g_free(home->path);
    kit_dir_teardown(&home->dir);
    g_free(home);
    return 0;
}

static bool wait_after_the_first_level(struct home *home, GError **error)
{
    const char *after[] = {"level-0-0", "level-0-1"};
    struct run_config config = {.world = &home->fake.world, .home = home->path, .exit_on_pause = true};
    struct spec spec = {.name = "top", .after = after, .n_after = G_N_ELEMENTS(after)};
    return after_wait(&config, home->catalog, &spec, error);
}

static void of_many_that_wait_for_the_same_each_is_asked_once(void **state)
{
    GError *error = NULL;
    put_ladder(*state, "{}");
    kit_refused(wait_after_the_first_level(*state, &error), PAUSED, "waits for level-0-0: level-0-0.1 is planned");
}

static void a_circle_is_found_at_the_end_of_all_of_them(void **state)
{
    GError *error = NULL;
    put_ladder(*state, "{\"after\": [\"top\"]}");
    kit_refused(wait_after_the_first_level(*state, &error), REFUSED,
                "top would wait for level-0-0.1, which waits for top");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_many_that_wait_for_the_same_each_is_asked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_circle_is_found_at_the_end_of_all_of_them, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
