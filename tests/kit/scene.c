#include "kit/scene.h"

#include <glib/gstdio.h>

#include "base/hex.h"
#include "base/int.h"
#include "catalog/ledger.h"
#include "kit/fake_sqlite.h"
#include "plan/home.h"
#include "plan/keyring.h"
#include "run/check.h"

/* --- the box
 * ------------------------------------------------------------------------------------------------------------ */

/* How long the others have their turn: who waits for a lock soon looks again, who watches a run need not look a hundred
 * times while one batch is written. */
enum { TURN_LEAST_US = 50, TURN_MOST_US = 500, TURN_SHARE = 8 };

/* Who asks a server how it feels sleeps for so long in between, and who watches a run, as nobody else does. */
enum { ASKER_SLEEPS_US = 1000 * 1000, WATCHER_SLEEPS_US = 4000, WATCHER_FASTER = 5 };

/* By then it has asked again, on a machine that has time for it. */
#define ASKS_AGAIN_US (INT64_C(2) * ASKER_SLEEPS_US)

static void asker_sleeps(struct scene *scene, const atomic_bool *cancel)
{
    atomic_store(&scene->asked_us, scene->fake.now_us);
    if (!cancel || !atomic_load(cancel))
        world_sleep_us(world_real(), TURN_MOST_US, NULL);
    if (cancel && atomic_load(cancel)) /* it was its last */
        atomic_store(&scene->asked_us, 0);
}

/* Who watches would find nothing but that its last answer is old. */
static bool waits_for_asker(struct scene *scene)
{
    int64_t asked_us = atomic_load(&scene->asked_us);
    return asked_us && atomic_load(&scene->feels) != SCENE_SILENT && scene->fake.now_us >= asked_us + ASKS_AGAIN_US;
}

/* Virtual time, but other threads are let go on meanwhile: who waits for another connection's lock must not use up its
 * ten virtual seconds before that one has had its turn. It stands while who asks a server is late. */
static void scene_sleep(void *self, int64_t us, const atomic_bool *cancel)
{
    struct scene *scene = self;
    bool feels = scene->faulty_mem.table.health != NULL;
    if (feels && us == ASKER_SLEEPS_US) {
        asker_sleeps(scene, cancel);
        return;
    }
    if (cancel && atomic_load(cancel))
        return;
    if (!feels || !waits_for_asker(scene)) {
        scene->fake.now_us += feels && us == WATCHER_SLEEPS_US ? WATCHER_FASTER * us : us;
        scene->fake.wall_ms += us / 1000;
    }
    world_sleep_us(world_real(), CLAMP(us / TURN_SHARE, TURN_LEAST_US, TURN_MOST_US), NULL);
    if (scene->asleep)
        scene->asleep(scene, us);
}

/* In memory where there is such a place: what is synced here is synced a million times. */
static char *scratch_dir(void)
{
    GError *error = NULL;
    if (!g_file_test("/dev/shm", G_FILE_TEST_IS_DIR))
        return g_dir_make_tmp("sluice-scene-XXXXXX", &error);
    return g_mkdtemp(g_strdup("/dev/shm/sluice-scene-XXXXXX"));
}

static void set_up(struct scene *scene, char *dir, struct mem_space *space)
{
    *scene = (struct scene){.space = space, .dir = dir, .actor = "someone@test", .run = "job.1"};
    assert_non_null(scene->dir);
    fake_world_init(&scene->fake);
    scene->clock = *scene->fake.world.clock;
    scene->clock.sleep_us = scene_sleep;
    scene->fake.world.clock = &scene->clock;
    fake_sqlite_attach(&scene->fake);
    mem_driver_init(&scene->mem, scene->space);
    fault_plan_init(&scene->plan);
    fault_driver_init(&scene->faulty_mem, &scene->mem.table, &scene->plan);
    fault_driver_init(&scene->faulty_file, store_driver_of("file:", NULL), &scene->plan);
    scene->ours[0] = &scene->faulty_mem.table;
    scene->ours[1] = &scene->faulty_file.table;
    scene->theirs[0] = &scene->mem.table;
    scene->home = g_build_filename(scene->dir, "home", NULL);
    scene->spec_path = g_build_filename(scene->dir, "job.yaml", NULL);
    scene->keyring = keyring_new(&scene->fake.world, scene->home);
    scene->fake.world.seals_self = scene->keyring;
    scene->fake.world.seals = &keyring_seals;
}

void scene_init(struct scene *scene, const char *spec, const char *lua)
{
    set_up(scene, scratch_dir(), mem_space_new());
    scene_file(scene, "job.yaml", spec);
    if (lua)
        scene_file(scene, "t.lua", lua);
}

void scene_done(struct scene *scene)
{
    fake_sqlite_attach(NULL);
    keyring_free(scene->keyring);
    kit_dir_remove(scene->dir);
    g_free(scene->dir);
    g_free(scene->home);
    g_free(scene->spec_path);
    fault_plan_done(&scene->plan);
    mem_space_free(scene->space);
}

static void copy_file(const char *from, const char *to)
{
    char *bytes;
    gsize len;
    struct stat found;
    GError *error = NULL;
    assert_int_equal(stat(from, &found), 0);
    kit_ok(g_file_get_contents(from, &bytes, &len, &error));
    kit_ok(g_file_set_contents_full(to, bytes, (gssize)len, G_FILE_SET_CONTENTS_NONE, (int)(found.st_mode & 0777),
                                    &error));
    g_free(bytes);
}

static void copy_tree(const char *from, const char *to)
{
    if (!g_file_test(from, G_FILE_TEST_IS_DIR)) {
        copy_file(from, to);
        return;
    }
    g_autoptr(GDir) dir = g_dir_open(from, 0, NULL);
    assert_non_null(dir);
    assert_int_equal(g_mkdir(to, 0700), 0);
    for (const char *name; (name = g_dir_read_name(dir)) != NULL;) {
        g_autofree char *one = g_build_filename(from, name, NULL), *other = g_build_filename(to, name, NULL);
        copy_tree(one, other);
    }
}

static void copy_anew(const char *from, const char *to)
{
    if (g_file_test(to, G_FILE_TEST_EXISTS))
        kit_dir_remove(to);
    copy_tree(from, to);
}

void scene_keep(struct scene *scene, struct scene_kept *ret)
{
    *ret = (struct scene_kept){.dir = g_strdup(scene->dir),
                               .aside = g_strconcat(scene->dir, "-kept", NULL),
                               .space = mem_space_copy(scene->space),
                               .now_us = scene->fake.now_us,
                               .wall_ms = scene->fake.wall_ms,
                               .seed = scene->fake.seed};
    copy_anew(scene->dir, ret->aside);
}

void scene_again(struct scene *scene, const struct scene_kept *kept)
{
    copy_anew(kept->aside, kept->dir);
    set_up(scene, g_strdup(kept->dir), mem_space_copy(kept->space));
    scene->fake.now_us = kept->now_us;
    scene->fake.wall_ms = kept->wall_ms;
    scene->fake.seed = kept->seed;
}

void scene_kept_done(struct scene_kept *kept)
{
    kit_dir_remove(kept->aside);
    mem_space_free(kept->space);
    g_free(kept->aside);
    g_free(kept->dir);
}

void scene_file(struct scene *scene, const char *name, const char *text)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(scene->dir, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
    if (!g_file_set_contents(path, text, -1, &error))
        fail_msg("%s", error->message);
}

/* --- the application
 * ---------------------------------------------------------------------------------------------------- */

struct client {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset ds;
    struct call call;
};

static void client_open(struct client *ret, struct scene *scene, const char *dataset)
{
    GError *error = NULL;
    struct store_config config = {.uri = "mem:s", .base_dir = scene->dir};
    *ret = (struct client){.mem = arena_new(64 << 20), .ds = {.name = dataset}};
    ret->registry = store_registry_new(&scene->fake.world, scene->theirs);
    ret->call = (struct call){.ds = &ret->ds, .mem = ret->mem};
    kit_ok(store_open(&ret->store, ret->registry, &config, &error));
    kit_ok(store_session_open(&ret->session, ret->store, &error));
}

static void client_close(struct client *client)
{
    store_session_close(client->session);
    store_release(client->registry, client->store);
    store_registry_free(client->registry);
    arena_free(client->mem);
}

static struct record client_read(struct client *client, const char *key)
{
    GError *error = NULL;
    struct record record = {.key = slice_of_text(key)};
    kit_ok(store_read(client->session, &client->call, &record, 1, &error));
    return record;
}

/* A client that knows nothing of fences: it has one of its own for a moment. */
static void client_write(struct scene *scene, struct client *client, struct cas_op *op)
{
    GError *error = NULL;
    struct fence before;
    struct lane lane = {.lane = 1};
    world_random(&scene->fake.world, lane.fence.run, sizeof lane.fence.run);
    op->number = 1;
    kit_ok(store_lane_open(client->session, &client->call, &lane, &before, &error));
    kit_ok(store_cas(client->session, &client->call, &lane, op, 1, &error));
    assert_int_equal(op->outcome, CAS_WRITTEN);
    kit_ok(store_fence_drop(client->session, &client->call, lane.fence.run, &error));
}

void scene_put_until(struct scene *scene, const char *dataset, const char *key, const char *json, int64_t expires_at_ms)
{
    GError *error = NULL;
    struct client client;
    client_open(&client, scene, dataset);
    struct record live = client_read(&client, key);
    struct cas_op op = {.key = live.key, .etag = live.etag, .expires_at_ms = expires_at_ms, .verb = CAS_PUT};
    kit_ok(document_from_json(slice_of_text(json), client.mem, &op.raw, NULL, &error));
    client_write(scene, &client, &op);
    client_close(&client);
}

void scene_put(struct scene *scene, const char *dataset, const char *key, const char *json)
{
    scene_put_until(scene, dataset, key, json, EXPIRES_NEVER);
}

void scene_remove(struct scene *scene, const char *dataset, const char *key)
{
    struct client client;
    client_open(&client, scene, dataset);
    struct record live = client_read(&client, key);
    struct cas_op op = {.key = live.key, .etag = live.etag, .verb = CAS_DELETE};
    client_write(scene, &client, &op);
    client_close(&client);
}

static void put_line(GString *into, const struct record *record)
{
    g_string_append_len(into, (const char *)record->key.data, (gssize)record->key.len);
    g_string_append_printf(into, " until %" G_GINT64_FORMAT " ", record->expires_at_ms);
    g_autofree char *raw = g_malloc(HEX_TEXT(record->raw.len));
    g_string_append(into, hex_text(record->raw.data, record->raw.len, raw));
    g_string_append_c(into, '\n');
}

char *scene_image(struct scene *scene, const char *dataset)
{
    GError *error = NULL;
    struct client client;
    struct scan *scan;
    struct batch batch = {0};
    GString *image = g_string_new(NULL);
    client_open(&client, scene, dataset);
    struct scan_spec spec = {.ds = &client.ds, .max_records = 1000, .max_bytes = 1 << 20};
    kit_ok(store_scan_open(&scan, client.session, &spec, &error));
    while (!batch.done) {
        kit_ok(store_scan_next(scan, &client.call, &batch, &error));
        for (size_t i = 0; i < batch.n; i++)
            put_line(image, &batch.records[i]);
    }
    store_scan_close(scan);
    client_close(&client);
    return g_string_free(image, FALSE);
}

char *scene_json(struct scene *scene, const char *dataset, const char *key, int64_t *ret_expires_at_ms)
{
    GError *error = NULL;
    struct client client;
    client_open(&client, scene, dataset);
    struct record live = client_read(&client, key);
    GString *json = live.presence == RECORD_PRESENT ? g_string_new(NULL) : NULL;
    if (json)
        kit_ok(document_to_json(live.raw, json, &error));
    if (ret_expires_at_ms)
        *ret_expires_at_ms = live.expires_at_ms;
    client_close(&client);
    return json ? g_string_free(json, FALSE) : NULL;
}

void scene_holds_at(struct scene *scene, const char *dataset, const char *key, const char *json, const char *file,
                    int line)
{
    g_autofree char *live = scene_json(scene, dataset, key, NULL);
    if (g_strcmp0(live, json) == 0)
        return;
    print_error("%s/%s: %s stands, %s was expected\n", dataset, key, live ? live : "nothing", json ? json : "nothing");
    _fail(file, line);
}

void scene_expires(struct scene *scene, const char *dataset, const char *key, int64_t expires_at_ms)
{
    int64_t live;
    g_autofree char *json = scene_json(scene, dataset, key, &live);
    assert_non_null(json);
    assert_int_equal(live, expires_at_ms);
}

/* --- late packets
 * ------------------------------------------------------------------------------------------------------- */

static struct slice keep(struct arena *mem, struct slice bytes)
{
    struct slice kept;
    assert_true(arena_copy(mem, bytes, &kept));
    return kept;
}

void late_copy(struct late *ret, const struct op *op)
{
    assert_int_equal(op->kind, OP_CAS);
    *ret = (struct late){.mem = arena_new(16 << 20), .lane = op->cas.lane, .n = op->cas.n};
    ret->ops = arena_alloc0(ret->mem, ret->n * sizeof *ret->ops);
    for (size_t i = 0; i < ret->n; i++) {
        ret->ops[i] = op->cas.ops[i];
        ret->ops[i].key = keep(ret->mem, op->cas.ops[i].key);
        ret->ops[i].raw = keep(ret->mem, op->cas.ops[i].raw);
    }
}

void late_send(struct scene *scene, struct late *late, const char *dataset)
{
    GError *error = NULL;
    struct client client;
    client_open(&client, scene, dataset);
    client.call.mem = late->mem;
    kit_ok(store_cas(client.session, &client.call, &late->lane, late->ops, late->n, &error));
    client_close(&client);
}

void late_done(struct late *late)
{
    arena_free(late->mem);
}

#define HOUR_MS (3600 * 1000)
#define HOLD_US (1000 * 1000)

/* --- what goes wrong
 * ---------------------------------------------------------------------------------------------------- */

void scene_fault(struct scene *scene, const struct fault_row *row)
{
    if (row)
        scene->rows[0] = *row;
    scene->plan.rows = scene->rows;
    scene->plan.n = row ? 1 : 0;
    memset(scene->plan.calls, 0, sizeof scene->plan.calls);
    memset(scene->plan.fired, 0, sizeof scene->plan.fired);
}

static bool health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    const char *table = (const char *)session_driver(session);
    struct scene *scene = (struct scene *)(gpointer)(table - offsetof(struct scene, faulty_mem.table));
    atomic_fetch_add(&scene->asked, 1);
    while (atomic_load(&scene->feels) == SCENE_SILENT)
        if (call->cancel && atomic_load(call->cancel))
            return error_set(error, SLUICE_ERROR_CANCELLED, "nobody waits for it any more");
        else
            world_sleep_us(world_real(), TURN_MOST_US, NULL);
    int feels = atomic_load(&scene->feels);
    struct node_health node = NODE_HEALTH_UNKNOWN;
    node.node = "one";
    node.memory_limit_bytes = 100;
    node.memory_bytes = feels == GUARD_LEVEL_PAUSE ? 90 : 10;
    node.data_bytes = 10;
    node.saving = feels == GUARD_LEVEL_SLOW;
    node.clock_ms = world_wall_ms(&scene->fake.world) + (feels == GUARD_LEVEL_HALT ? HOUR_MS : 0);
    g_array_append_val(into, node);
    node.node = "two";
    if (atomic_load(&scene->another))
        g_array_append_val(into, node);
    return true;
}

void scene_feels(struct scene *scene)
{
    scene->faulty_mem.table.health = health;
}

#define HEARD_US (INT64_C(60) * 1000 * 1000)

void scene_worsens(struct scene *scene, int feels)
{
    int64_t most_us = g_get_monotonic_time() + HEARD_US;
    atomic_store(&scene->noted, false);
    atomic_store(&scene->shown, false);
    atomic_store(&scene->feels, feels);
    while (!atomic_load(&scene->shown)) {
        world_sleep_us(world_real(), TURN_MOST_US, NULL);
        assert_true(g_get_monotonic_time() < most_us);
    }
}

/* Once under way, and once more. */
static void asked_anew(struct scene *scene)
{
    int64_t most_us = g_get_monotonic_time() + HEARD_US;
    for (unsigned from = atomic_load(&scene->asked); atomic_load(&scene->asked) - from < 2;) {
        world_sleep_us(world_real(), TURN_MOST_US, NULL);
        assert_true(g_get_monotonic_time() < most_us);
    }
}

void scene_flags(struct scene *scene, bool (*put)(struct catalog *, const struct act *, GError **))
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct act act = {.actor = "ann@desk"};
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(put(catalog, &act, &error));
}

void scene_eases(struct scene *scene)
{
    atomic_store(&scene->feels, GUARD_LEVEL_OK);
    for (int i = 0; i < 2; i++) { /* it has to be so for its hold */
        asked_anew(scene);
        scene->fake.now_us += HOLD_US;
    }
    asked_anew(scene);
}

void scene_drop_fences(struct scene *scene, const uint8_t run[16])
{
    GError *error = NULL;
    struct client client;
    client_open(&client, scene, "items");
    kit_ok(store_fence_drop(client.session, &client.call, run, &error));
    client_close(&client);
}

void scene_keep_home(struct scene *scene)
{
    g_autofree char *aside = g_strconcat(scene->home, "-kept", NULL);
    copy_anew(scene->home, aside);
}

void scene_restore_home(struct scene *scene)
{
    g_autofree char *aside = g_strconcat(scene->home, "-kept", NULL);
    copy_anew(aside, scene->home);
}

/* --- whole runs
 * --------------------------------------------------------------------------------------------------------- */

static void on_event(void *self, const struct run_event *event)
{
    struct scene *scene = self;
    if (event->kind == RUN_EVENT_NOTE && strstr(event->text, "guard: held"))
        atomic_store(&scene->noted, true);
    if (event->kind == RUN_EVENT_PROGRESS)
        atomic_store(&scene->shown, atomic_load(&scene->noted));
    if (scene->event)
        scene->event(scene, event);
}

struct run_config scene_config(struct scene *scene, struct store_registry *registry)
{
    return (struct run_config){.event = scene->event || scene->faulty_mem.table.health ? on_event : NULL,
                               .event_self = scene,
                               .world = &scene->fake.world,
                               .registry = registry,
                               .home = scene->home,
                               .full = scene->full,
                               .sure = scene->sure,
                               .exit_on_pause = scene->exit_on_pause,
                               .person = scene->person,
                               .force_unlock = scene->force_unlock,
                               .signals = scene->signals,
                               .supersede = scene->supersede,
                               .act = {.actor = scene->actor, .reason = "a scene"}};
}

void ended_done(struct ended *ended)
{
    g_clear_pointer(&ended->text, g_free);
}

static void end_with(struct ended *ret, bool ok, struct run_result *result, GError *error)
{
    if (ok && error) /* swallowed on the way: whoever answered so went on without what it is about */
        g_error("it ended well, and says: %s", error->message);
    *ret = (struct ended){.status = ok ? result->exit_status : error_exit_status(error),
                          .by_error = !ok,
                          .code = ok ? SLUICE_ERROR_INTERNAL : (enum error_code)error->code,
                          .text = g_strdup(ok ? result->text : error->message)};
    run_result_done(result);
    g_clear_error(&error);
}

void scene_run(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct spec *spec = NULL;
    struct run_result planned = {0}, result = {0};
    bool is_new;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = spec_read(&spec, &scene->fake.world, scene->spec_path, &error);
    if (ok && !run_begin(&config, spec, &planned, &is_new, &error)) {
        spec_free(spec);
        ok = false;
    }
    ok = ok && run_forward(&config, planned.run.name, !scene->lifts_nothing, &result, &error);
    end_with(ret, ok, &result, error);
    run_result_done(&planned);
    store_registry_free(registry);
}

void scene_back(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_back(&config, scene->run, NULL, &result, &error);
    end_with(ret, ok, &result, error);
    store_registry_free(registry);
}

void scene_ran_at(struct scene *scene, void (*command)(struct scene *, struct ended *), int status, const char *file,
                  int line)
{
    struct ended ended;
    command(scene, &ended);
    if (ended.status != status) {
        print_error("ended with %d instead of %d: %s\n", ended.status, status, ended.text ? ended.text : "no words");
        _fail(file, line);
    }
    ended_done(&ended);
}

void scene_plan(struct scene *scene)
{
    GError *error = NULL;
    struct spec *spec;
    struct run_result planned = {0};
    bool is_new;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    kit_ok(spec_read(&spec, &scene->fake.world, scene->spec_path, &error));
    kit_ok(run_begin(&config, spec, &planned, &is_new, &error));
    assert_true(is_new);
    run_result_done(&planned);
    store_registry_free(registry);
}

void scene_verify(struct scene *scene, struct verify_result *ret)
{
    GError *error = NULL;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    *ret = (struct verify_result){0};
    kit_ok(run_verify(&config, scene->run, ret, &error));
    store_registry_free(registry);
}

void scene_check(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct verify_result verdict = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_verify(&config, scene->run, &verdict, &error);
    struct run_result result = {.exit_status = verdict.pass ? 0 : 4, .text = g_strdup(verdict.sentence)};
    end_with(ret, ok, &result, error);
    verify_result_done(&verdict);
    store_registry_free(registry);
}

/* --- what the home says
 * ------------------------------------------------------------------------------------------------- */

struct run_row scene_row(struct scene *scene, struct arena *mem)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct run_row row;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_run_get(catalog, scene->run, mem, &row, &error));
    return row;
}

uint64_t scene_count(struct scene *scene, enum outcome outcome)
{
    auto_(arena) mem = arena_new(1 << 20);
    return scene_row(scene, mem).tally.of[outcome];
}

size_t scene_sums_kept(struct scene *scene)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct part_sum *sums;
    size_t n;
    struct run_row run = scene_row(scene, mem);
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_READ_ONLY, &error));
    kit_ok(catalog_part_sums(catalog, run.id, mem, &sums, &n, &error));
    return n;
}

struct run_row scene_reconciled(struct scene *scene, struct arena *mem)
{
    GError *error = NULL;
    auto_(catalog) catalog = NULL;
    struct ledger_verdict verdict;
    struct run_row row;
    kit_ok(catalog_open(&catalog, &scene->fake.world, scene->home, CATALOG_EXISTING, &error));
    kit_ok(catalog_run_get(catalog, scene->run, mem, &row, &error));
    if (!tally_reconciles(&row.tally))
        fail_msg("%" PRIu64 " keys listed, %" PRIu64 " accounted for", row.tally.of[OUTCOME_LISTED_],
                 tally_sum(&row.tally, OUTCOME_KIND_LISTED));
    kit_ok(ledger_verify(catalog, NULL, mem, &verdict, &error));
    if (!verdict.ok)
        fail_msg("ledger entry %" PRIu64 ": %s", verdict.number, verdict.text);
    return row;
}

void scene_reconciles(struct scene *scene)
{
    auto_(arena) mem = arena_new(16 << 20);
    scene_reconciled(scene, mem);
}

static bool names(struct scene *scene, enum home_place place, const char *key, enum error_code code)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    auto_(quarantine_reader) reader = NULL;
    struct run_row row = scene_row(scene, mem);
    g_autofree char *path = home_path(scene->home, place, row.name);
    struct quarantine_config config = {.world = &scene->fake.world, .path = path, .sealed_as = "quarantine"};
    struct slice wanted = slice_of_text(key);
    struct quarantine_filter filter = {.key = &wanted, .code = error_row(code)->name};
    struct quarantine_entry *entry;
    memcpy(config.run_uid, row.uid, sizeof row.uid);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return false;
    kit_ok(quarantine_reader_open(&reader, &config, &filter, &error));
    kit_ok(quarantine_next(reader, mem, &entry, &error));
    return entry != NULL;
}

bool scene_notes(struct scene *scene, const char *key, enum error_code code)
{
    return names(scene, HOME_NOTES, key, code);
}

bool scene_refused(struct scene *scene, const char *key, enum error_code code)
{
    return names(scene, HOME_QUARANTINE, key, code);
}

uint64_t scene_refusals_of(struct scene *scene, const struct run_row *row)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    auto_(quarantine_reader) reader = NULL;
    g_autofree char *path = home_path(scene->home, HOME_QUARANTINE, row->name);
    struct quarantine_config config = {.world = &scene->fake.world, .path = path, .sealed_as = "quarantine"};
    struct quarantine_filter all = {0};
    struct quarantine_entry *entry;
    uint64_t n = 0;
    memcpy(config.run_uid, row->uid, sizeof row->uid);
    kit_ok(quarantine_reader_open(&reader, &config, &all, &error));
    for (;; n++) {
        kit_ok(quarantine_next(reader, mem, &entry, &error));
        if (!entry)
            return n;
    }
}

uint64_t scene_refusals(struct scene *scene)
{
    auto_(arena) mem = arena_new(16 << 20);
    struct run_row row = scene_row(scene, mem);
    return scene_refusals_of(scene, &row);
}
