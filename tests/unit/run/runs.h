/* A home with runs that nobody has driven: of each what its catalog says, and no more. */
#pragma once

#include "catalog/catalog.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

struct runs {
    struct fake_world fake;
    void *dir;
    char *home;
    struct catalog *catalog;
    struct arena *mem;
};

static inline int runs_setup(void **state)
{
    GError *error = NULL;
    struct runs *runs = g_new0(struct runs, 1);
    fake_world_init(&runs->fake);
    if (kit_dir_setup(&runs->dir) != 0)
        return -1;
    runs->home = g_build_filename(runs->dir, "home", NULL);
    runs->mem = arena_new(64u << 20);
    kit_ok(catalog_open(&runs->catalog, &runs->fake.world, runs->home, CATALOG_CREATE, &error));
    *state = runs;
    return 0;
}

static inline int runs_teardown(void **state)
{
    struct runs *runs = *state;
    catalog_free(runs->catalog);
    arena_free(runs->mem);
    g_free(runs->home);
    kit_dir_teardown(&runs->dir);
    g_free(runs);
    return 0;
}

/* The way to a state, by moves that there are. */
static inline void runs_go(struct runs *runs, struct run_row *run, enum run_state to)
{
    static const enum run_state BEFORE[RUN_STATE_COUNT] = {
        [RUN_WAITING] = RUN_PLANNED,          [RUN_RUNNING] = RUN_PLANNED, [RUN_VERIFYING] = RUN_RUNNING,
        [RUN_PAUSED] = RUN_RUNNING,           [RUN_HALTED] = RUN_RUNNING,  [RUN_INTERRUPTED] = RUN_RUNNING,
        [RUN_PROMOTING] = RUN_VERIFYING,      [RUN_DONE] = RUN_VERIFYING,  [RUN_FAILED] = RUN_RUNNING,
        [RUN_ROLLED_BACK] = RUN_ROLLING_BACK, [RUN_ABORTED] = RUN_RUNNING, [RUN_ROLLING_BACK] = RUN_RUNNING,
    };
    GError *error = NULL;
    if (run->state == to)
        return;
    runs_go(runs, run, BEFORE[to]);
    struct run_move move = {.run = run->id, .from = run->state, .to = to, .act = {.actor = "ann@desk"}};
    kit_ok(catalog_run_move(runs->catalog, &move, &error));
    run->state = to;
}

struct runs_new {
    const char *spec, *plan;
    const char *target; /* NULL: as the spec */
    enum run_state state;
    bool written; /* a partition of it was granted */
};

/* Planned, and then taken to its state. Its digests but that of the plan are those of all of them. */
static inline struct run_row runs_put(struct runs *runs, const struct runs_new *made)
{
    static const struct stage_new STAGE = {"full"};
    static uint8_t n;
    GError *error = NULL;
    struct run_row row = {0};
    struct part_new part = {0};
    struct grant grant;
    n++;
    struct run_new new = {.spec_name = made->spec,
                          .spec_path = "/specs/one.yaml",
                          .uid = {n},
                          .digests = {.plan = {n}},
                          .plan = slice_of_text(made->plan),
                          .target = made->target ? made->target : made->spec,
                          .stages = &STAGE,
                          .n_stages = 1,
                          .parts = &part,
                          .n_parts = 1};
    new.act = (struct act){.actor = "ann@desk"};
    kit_ok(catalog_run_create(runs->catalog, &new, runs->mem, &row, &error));
    if (made->written) {
        struct grant_wish wish = {.run = row.id, .stage = UINT32_MAX, .holder = "me"};
        kit_ok(catalog_run_hold(runs->catalog, row.id, wish.holder, &error));
        kit_ok(catalog_grant(runs->catalog, &wish, runs->mem, &grant, &error));
    }
    runs_go(runs, &row, made->state);
    kit_ok(catalog_run_reload(runs->catalog, runs->mem, &row, &error));
    return row;
}
