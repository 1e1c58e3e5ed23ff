#include "conformance/stand.h"
#include "kit/servers.h"
#include "store/fault/fault.h"
#include "store/mem/mem.h"
#include "storehost/remote.h"
#include "storehost/serve.h"

#define KEYED                                                                                                          \
    (NEEDS(SCAN) | NEEDS(READ) | NEEDS(SPLIT) | NEEDS(LIST) | NEEDS(CAS) | NEEDS(FENCE) | NEEDS(SETTLE) |              \
     NEEDS(LOCK) | NEEDS(SHADOW) | IN_ORDER)

/* --- mem ---------------------------------------------------------------------------------------------------------- */

static void mem_set_up(struct stand *stand)
{
    struct mem_driver *driver = g_new0(struct mem_driver, 1);
    mem_driver_init(driver, mem_space_new());
    stand->own = driver;
    stand->drivers[0] = &driver->table;
    stand->uri = g_strdup("mem:conformance");
}

static void mem_tear_down(struct stand *stand)
{
    struct mem_driver *driver = stand->own;
    mem_space_free(driver->space);
    g_free(driver);
}

/* --- fault, with nothing planned ------------------------------------------------------------------------------------
 */

struct faulty {
    struct mem_driver mem;
    struct fault_driver driver;
    struct fault_plan plan;
};

static void fault_set_up(struct stand *stand)
{
    struct faulty *faulty = g_new0(struct faulty, 1);
    mem_driver_init(&faulty->mem, mem_space_new());
    fault_plan_init(&faulty->plan);
    fault_driver_init(&faulty->driver, &faulty->mem.table, &faulty->plan);
    stand->own = faulty;
    stand->drivers[0] = &faulty->driver.table;
    stand->uri = g_strdup("mem:conformance");
}

/* Every call of the suite went through it, and none of them was touched. */
static void fault_tear_down(struct stand *stand)
{
    struct faulty *faulty = stand->own;
    for (enum fault_op op = 0; op < FAULT_OP_COUNT; op++)
        if (faulty->plan.fired[op])
            g_error("a fault fired that nobody planned: %s", fault_op_name(op));
    if (!faulty->plan.calls[FAULT_CAS])
        g_error("no cas went through the fault driver");
    mem_space_free(faulty->mem.space);
    fault_plan_done(&faulty->plan);
    g_free(faulty);
}

/* --- rocksdb ------------------------------------------------------------------------------------------------------ */

static void rocksdb_set_up(struct stand *stand)
{
    stand->uri = g_strdup("rocksdb:db"); /* relative to stand->dir */
}

/* --- remote: a storehost in a thread, with the stand's clock
 * ---------------------------------------------------------- */

struct hosted {
    struct store_registry *registry;
    struct store *store;
    struct server *server;
};

static void host_set_up(struct stand *stand, const char *uri)
{
    GError *error = NULL;
    struct hosted *hosted = g_new0(struct hosted, 1);
    g_autofree char *path = g_build_filename(stand->dir, "socket", NULL);
    struct store_config config = {.uri = uri, .base_dir = stand->dir};
    hosted->registry = store_registry_new(&stand->fake.world, NULL);
    if (!store_open(&hosted->store, hosted->registry, &config, &error) ||
        !server_new(&hosted->server, hosted->store, &stand->fake.world, path, &error))
        g_error("%s", error->message);
    stand->own = hosted;
    stand->drivers[0] = &remote_driver;
    stand->uri = g_strconcat("host:", path, NULL);
}

static void remote_mem_set_up(struct stand *stand)
{
    host_set_up(stand, "mem:hosted");
}

static void remote_rocksdb_set_up(struct stand *stand)
{
    host_set_up(stand, "rocksdb:hosted");
}

static void host_tear_down(struct stand *stand)
{
    struct hosted *hosted = stand->own;
    server_free(hosted->server);
    store_release(hosted->registry, hosted->store);
    store_registry_free(hosted->registry);
    g_free(hosted);
}

/* --- file --------------------------------------------------------------------------------------------------------- */

#define APPENDED (NEEDS(SCAN) | NEEDS(SPLIT) | NEEDS(IDENTITY) | NEEDS(SINK))

static void file_set_up(struct stand *stand)
{
    stand->uri = g_strdup("file:files"); /* relative to stand->dir */
}

/* --- undo: the golden log, of five partitions -------------------------------------------------------------------- */

static void undo_set_up(struct stand *stand)
{
    static const char *const names[] = {"MANIFEST", "000001.undo", "000002.undo", "000003.undo", "000004.undo"};
    const char *source = g_getenv("SLUICE_SOURCE");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *data = NULL;
        g_autofree char *from =
            g_build_filename(source ? source : "..", "tests", "golden", "undo", "v1", "undo", names[i], NULL);
        g_autofree char *to = g_build_filename(stand->dir, names[i], NULL);
        gsize len;
        if (!g_file_get_contents(from, &data, &len, NULL) || !g_file_set_contents(to, data, (gssize)len, NULL))
            g_error("%s: cannot be copied", from);
    }
    stand->uri = g_strdup("undo:.");
}

/* --- valkey: servers of our own ----------------------------------------------------------------------------------- */

#define LIVE                                                                                                           \
    ((KEYED & ~IN_ORDER) | NEEDS(BIG) | NEEDS(HEALTH) | NEEDS(SLOTS) | NEEDS(HEAT) | NEEDS(PROBE) | NEEDS(MEMBERS))
#define REDIS "redis-server"

enum { PRIMARIES = 3 };

static bool has_redis(void)
{
    g_autofree char *program = servers_find(REDIS, NULL);
    return program != NULL;
}

static bool has_valkey(void)
{
    g_autofree char *program = servers_find("valkey-server", "SLUICE_VALKEY");
    return program != NULL;
}

static struct servers *servers_set_up(struct stand *stand, bool redis)
{
    struct servers *servers = g_new0(struct servers, 1);
    servers->program = redis ? servers_find(REDIS, NULL) : servers_find("valkey-server", "SLUICE_VALKEY");
    servers->dir = stand->dir;
    stand->own = servers;
    stand->fake.world.clock = world_real()->clock;
    stand->fake.world.clock_self = world_real()->clock_self;
    stand->fake.world.net = world_real()->net;
    stand->fake.world.net_self = world_real()->net_self;
    return servers;
}

static void uri_set_up(struct stand *stand, const struct servers *servers)
{
    stand->uri = g_strdup_printf("valkey://127.0.0.1:%u", servers->ports[0]);
}

static void standalone_set_up(struct stand *stand, bool redis)
{
    struct servers *servers = servers_set_up(stand, redis);
    servers_start(servers, NULL);
    uri_set_up(stand, servers);
}

static void cluster_set_up(struct stand *stand, bool redis)
{
    struct servers *servers = servers_set_up(stand, redis);
    servers_start_cluster(servers, PRIMARIES);
    uri_set_up(stand, servers);
}

static void redis_standalone_set_up(struct stand *stand)
{
    standalone_set_up(stand, true);
}

static void valkey_standalone_set_up(struct stand *stand)
{
    standalone_set_up(stand, false);
}

static void redis_cluster_set_up(struct stand *stand)
{
    cluster_set_up(stand, true);
}

static void valkey_cluster_set_up(struct stand *stand)
{
    cluster_set_up(stand, false);
}

static void servers_tear_down(struct stand *stand)
{
    struct servers *servers = stand->own;
    servers_stop(servers);
    g_free((char *)servers->program);
    g_free(servers);
}

const struct subject subjects[] = {
    {"mem", KEYED, mem_set_up, mem_tear_down, NULL},
    {"fault", KEYED, fault_set_up, fault_tear_down, NULL},
    {"rocksdb", KEYED | NEEDS(HEALTH), rocksdb_set_up, NULL, NULL},
    {"remote-mem", KEYED, remote_mem_set_up, host_tear_down, NULL},
    {"remote-rocksdb", KEYED, remote_rocksdb_set_up, host_tear_down, NULL},
    {"file", APPENDED, file_set_up, NULL, "-*.ndjson"},
    {"redis-standalone", LIVE, redis_standalone_set_up, servers_tear_down, ":{key}", .own_time = true,
     .no_empty_key = true, .there = has_redis},
    {"redis-cluster", LIVE, redis_cluster_set_up, servers_tear_down, ":{key}", .own_time = true, .no_empty_key = true,
     .there = has_redis},
    {"valkey-standalone", LIVE, valkey_standalone_set_up, servers_tear_down, ":{key}", .own_time = true,
     .no_empty_key = true, .there = has_valkey},
    {"valkey-cluster", LIVE, valkey_cluster_set_up, servers_tear_down, ":{key}", .own_time = true, .no_empty_key = true,
     .there = has_valkey, .by_hand = true},
    {"undo", NEEDS(SCAN) | NEEDS(SPLIT), undo_set_up, NULL, NULL, .filled = true},
};
const size_t subject_count = G_N_ELEMENTS(subjects);
