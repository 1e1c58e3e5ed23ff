/* A home of its own for every test, a run in it, and short ways to do with it what most tests do. */
#pragma once

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kit/fake_world.h"
#include "kit/kit.h"

#include "catalog/catalog.h"
#include "catalog/ledger.h"

/* SQLite's syncs end here: a program's own functions stand before those of its libraries. Counted, and not carried out
 * unless a test asks for it: no test here turns the power off. */
static atomic_uint fixture_syncs;
static atomic_bool fixture_syncs_really, fixture_syncs_fail;

static inline int fixture_sync(long number, int fd)
{
    atomic_fetch_add(&fixture_syncs, 1);
    if (atomic_load(&fixture_syncs_fail)) {
        errno = EIO;
        return -1;
    }
    return atomic_load(&fixture_syncs_really) ? (int)syscall(number, fd) : 0;
}

int fdatasync(int fd)
{
    return fixture_sync(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return fixture_sync(SYS_fsync, fd);
}

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

/* Around the catalog, as another program would. */
static inline sqlite3 *fixture_handle(struct fixture *fx)
{
    sqlite3 *handle;
    g_autofree char *path = g_build_filename(fx->home, "catalog.db", NULL);
    assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
    return handle;
}

static inline void fixture_sql(struct fixture *fx, const char *sql)
{
    char *fault = NULL;
    sqlite3 *handle = fixture_handle(fx);
    sqlite3_exec(handle, sql, NULL, NULL, &fault);
    if (fault)
        fail_msg("%s: %s", sql, fault);
    sqlite3_close(handle);
}

static inline int fixture_append_row(void *into, int n, char **values, char **names)
{
    for (int i = 0; i < n; i++)
        g_string_append_printf(into, "%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    g_string_append_c(into, '\n');
    return 0;
}

/* The rows as text, columns with bars between them; to be freed. */
static inline char *fixture_rows_of(sqlite3 *handle, const char *sql)
{
    GString *rows = g_string_new(NULL);
    assert_int_equal(sqlite3_exec(handle, sql, fixture_append_row, rows, NULL), SQLITE_OK);
    return g_string_free(rows, FALSE);
}

static inline char *fixture_rows(struct fixture *fx, const char *sql)
{
    sqlite3 *handle = fixture_handle(fx);
    char *rows = fixture_rows_of(handle, sql);
    sqlite3_close(handle);
    return rows;
}

static inline void fixture_rows_are(struct fixture *fx, const char *sql, const char *expected)
{
    g_autofree char *rows = fixture_rows(fx, sql);
    assert_string_equal(rows, expected);
}

static const struct act FIXTURE_ACT = {.actor = "ann@desk", .reason = "INC-1432"};

/* Two stages; the first tenth of the partitions (one at least) is the first stage's. */
/* All that states and moves are: what a refused move leaves as it is. */
#define FIXTURE_STATES                                                                                                 \
    "SELECT id, state, reason, actor, back_stage FROM run UNION ALL SELECT stage, state, attempt, until_ms, report "   \
    "FROM stage UNION ALL SELECT part, state, lane, holder, NULL FROM part UNION ALL "                                 \
    "SELECT count(*), NULL, NULL, NULL, NULL FROM ledger"

/* The newest entry of the ledger is of this move. */
static inline void fixture_ledger_says(struct fixture *fx, const char *action, const char *from)
{
    g_autofree char *expected = g_strdup_printf("ann@desk|%s|INC-1432|fix.1|%s\n", action, from);
    fixture_rows_are(fx,
                     "SELECT actor, action, reason, run, json_extract(details, '$.from') FROM ledger "
                     "ORDER BY number DESC LIMIT 1",
                     expected);
}

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
