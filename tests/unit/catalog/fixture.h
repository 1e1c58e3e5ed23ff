/* A home of its own for every test, a run in it, and short ways to do with it what most tests do. */
#pragma once

#include "kit/fake_world.h"
#include "kit/kit.h"

#include "catalog/catalog.h"
#include "catalog/ledger.h"

struct fixture {
    struct fake_world fake;
    const struct world *world;
    void *dir; /* of kit_dir_setup() */
    char *home;
    struct catalog *catalog;
    struct arena *mem;
};

static inline int fixture_setup(void **state)
{
    GError *error = NULL;
    struct fixture *fx = g_new0(struct fixture, 1);
    fake_world_init(&fx->fake);
    fx->world = &fx->fake.world;
    fx->mem = arena_new(256u << 20);
    if (kit_dir_setup(&fx->dir) != 0)
        return -1;
    fx->home = g_build_filename(fx->dir, "home", NULL);
    kit_ok(catalog_open(&fx->catalog, fx->world, fx->home, CATALOG_CREATE, &error));
    *state = fx;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *fx = *state;
    catalog_free(fx->catalog);
    arena_free(fx->mem);
    int result = kit_dir_teardown(&fx->dir);
    g_free(fx->home);
    g_free(fx);
    return result;
}

static const struct act FIXTURE_ACT = {.actor = "ann@desk", .reason = "INC-1432"};

/* Two stages; the first tenth of the partitions (one at least) is the first stage's. */
static inline struct run_row fixture_run_of(struct fixture *fx, const char *spec, const char *target, size_t n_parts)
{
    static const struct stage_new STAGES[] = {{"canary"}, {"full"}};
    GError *error = NULL;
    struct run_row row = {0};
    g_autofree struct part_new *parts = g_new0(struct part_new, n_parts + 1);
    size_t canary = MAX(n_parts / 10, (size_t)1);
    for (size_t i = 0; i < n_parts; i++)
        parts[i] = (struct part_new){.part = (uint32_t)i,
                                     .stage = i >= canary,
                                     .bounds = slice_of(&parts[i].part, sizeof parts[i].part),
                                     .records = 5000};
    struct run_new new = {.spec_name = spec,
                          .spec_path = "/specs/fix.yaml",
                          .uid = {1, 2, 3},
                          .digests = {.plan = {1}, .spec = {2}, .contract = {3}, .transform = {4}},
                          .plan = slice_of_text("{\"plan\":1}"),
                          .target = target,
                          .stages = STAGES,
                          .n_stages = G_N_ELEMENTS(STAGES),
                          .parts = parts,
                          .n_parts = n_parts,
                          .listed = 1000,
                          .duplicates = 7,
                          .act = FIXTURE_ACT};
    kit_ok(catalog_run_create(fx->catalog, &new, fx->mem, &row, &error));
    return row;
}

static inline struct run_row fixture_run(struct fixture *fx, size_t n_parts)
{
    return fixture_run_of(fx, "fix", "mem:a/b", n_parts);
}

static inline struct grant fixture_grant(struct fixture *fx, int64_t run, uint32_t stage, const char *holder)
{
    GError *error = NULL;
    struct grant grant;
    struct grant_wish wish = {.run = run, .stage = stage, .holder = holder, .here = {.segment = 1, .offset = 100}};
    kit_ok(catalog_grant(fx->catalog, &wish, fx->mem, &grant, &error));
    return grant;
}

/* The checkpoint after `number - 1`, with everything in it of some value. */
static inline struct checkpoint fixture_checkpoint(int64_t run, const struct grant *grant, uint64_t number)
{
    struct checkpoint cp = {.run = run,
                            .part = grant->part.part,
                            .lane = grant->part.lane,
                            .number = number,
                            .cursor = slice_of_text("at-k0042"),
                            .index = 10 * number,
                            .bytes_read = 1000,
                            .bytes_written = 500,
                            .read = {.count = 10, .sum = {.low = number, .high = 5}},
                            .written = {.count = 9, .sum = {.low = 6, .high = number}},
                            .settled = 9 * number,
                            .undo = {.segment = 2, .offset = 4096 * number},
                            .outcomes = slice_of_text("\x10\x01\x00\x10\x00"),
                            .conditions = "{\"worker\":1}"};
    cp.tally.of[OUTCOME_WRITTEN] = 9;
    cp.tally.of[OUTCOME_KEPT_LIVE] = 1;
    return cp;
}
