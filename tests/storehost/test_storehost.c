/* Processes that die: clients of a storehost, and storehosts.
 *
 * `test_storehost client SOCKET` is such a client: it writes batches and says so, until it is killed. */
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/fake_world.h"
#include "kit/kit.h"
#include "storehost/remote.h"
#include "storehost/wire.h"

#include "store/calls.h"

enum { BATCH = 50 };

static const struct store_driver *const drivers[] = {&remote_driver, NULL};

struct client {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset ds;
    struct lane lane;
    uint64_t number;
};

static struct call client_call(struct client *client)
{
    return (struct call){.ds = &client->ds, .mem = client->mem};
}

static void client_open(struct client *client, const char *socket)
{
    GError *error = NULL;
    *client = (struct client){.mem = arena_new(16 << 20), .ds = {.name = "d"}, .lane = {.fence = {.run = "a run"}}};
    client->registry = store_registry_new(world_real(), drivers);
    g_autofree char *uri = g_strconcat("host:", socket, NULL);
    kit_ok(store_open(&client->store, client->registry, &(struct store_config){.uri = uri}, &error));
    kit_ok(store_session_open(&client->session, client->store, &error));
}

static void client_close(struct client *client)
{
    store_session_close(client->session);
    store_release(client->registry, client->store);
    store_registry_free(client->registry);
    arena_free(client->mem);
}

static void open_lane(struct client *client, uint32_t lane)
{
    GError *error = NULL;
    struct call call = client_call(client);
    struct fence before;
    client->lane.lane = lane;
    client->number = 0;
    kit_ok(store_lane_open(client->session, &call, &client->lane, &before, &error));
}

static struct slice key_of(struct client *client, uint32_t lane, uint64_t number)
{
    enum { LEN = 40 };
    char *text = arena_alloc(client->mem, LEN);
    unsigned part = client->lane.fence.part;
    return slice_of(text, (size_t)g_snprintf(text, LEN, "%u/%u/%06u", part, lane, (unsigned)number));
}

static bool write_batch(struct client *client, struct cas_op *ops, GError **error)
{
    struct call call = client_call(client);
    for (size_t i = 0; i < BATCH; i++) {
        ops[i] = (struct cas_op){.raw = document_empty(), .number = ++client->number};
        ops[i].key = key_of(client, client->lane.lane, client->number);
    }
    return store_cas(client->session, &call, &client->lane, ops, BATCH, error);
}

/* --- processes ---------------------------------------------------------------------------------------------------- */

struct process {
    GPid pid;
    int to, from;
};

static struct process start(const char *program, const char *a, const char *b)
{
    g_autoptr(GError) error = NULL;
    struct process process;
    char *argv[] = {(char *)program, (char *)a, (char *)b, NULL};
    if (!g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &process.pid, &process.to,
                                  &process.from, NULL, &error))
        fail_msg("%s: %s", program, error->message);
    return process;
}

static bool says(const struct process *process)
{
    char byte;
    return read(process->from, &byte, 1) == 1;
}

static int end(const struct process *process)
{
    int status;
    close(process->to);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    close(process->from);
    return status;
}

static struct process start_host(const char *dir, const char *store)
{
    g_autofree char *program = g_build_filename(g_getenv("SLUICE_BUILD"), "tests", "storehost", "storehost", NULL);
    g_autofree char *path = g_build_filename(dir, "socket", NULL);
    unlink(path);
    struct process host = start(program, path, store);
    for (int i = 0; i < (int)strlen("ready\n"); i++)
        assert_true(says(&host));
    return host;
}

/* Lane after lane: the number of the first free one is found in the store. */
static int client_main(const char *socket)
{
    GError *error = NULL;
    struct client client;
    client_open(&client, socket);
    struct call call = client_call(&client);
    struct fence fence;
    kit_ok(store_fence_read(client.session, &call, &client.lane.fence, &fence, &error));
    open_lane(&client, fence.highest + 1);
    for (;;) {
        struct cas_op ops[BATCH];
        arena_reset(client.mem);
        kit_ok(write_batch(&client, ops, &error));
        if (write(STDOUT_FILENO, "!", 1) != 1)
            return 1;
    }
}

/* --- tests ----------------------------------------------------------------------------------------------------------
 */

/* What the fence marks is there, what it does not mark is not, for every number that could have been sent. */
static size_t check_lane(struct client *client, const struct fence_lane *lane, uint64_t most)
{
    GError *error = NULL;
    size_t applied = 0;
    for (uint64_t number = 1; number <= most; number += BATCH) {
        arena_reset(client->mem);
        struct call call = client_call(client);
        struct record records[BATCH];
        for (uint64_t i = 0; i < BATCH; i++)
            records[i] = (struct record){.key = key_of(client, lane->lane, number + i)};
        kit_ok(store_read(client->session, &call, records, BATCH, &error));
        for (uint64_t i = 0; i < BATCH; i++) {
            bool there = records[i].presence == RECORD_PRESENT;
            assert_int_equal(fence_lane_applied(lane, number + i), there);
            applied += there;
        }
    }
    return applied;
}

/* Starts a client, kills it somewhere after its `wanted`-th batch, and gives how many it had said. */
static uint64_t live_and_die(const char *socket, uint64_t wanted, uint64_t moments)
{
    struct process client = start("/proc/self/exe", "client", socket);
    uint64_t said = 0;
    for (; said < wanted; said++)
        assert_true(says(&client));
    for (; moments > 0; moments--)
        g_thread_yield();
    kill(client.pid, SIGKILL);
    while (says(&client))
        said++;
    assert_true(WIFSIGNALED(end(&client)));
    return said;
}

/* Closes the dead client's lane by a next one: what was still under way is in, or never will be. Gives how many of its
 * writes are. */
static size_t take_stock(struct client *other, uint64_t said)
{
    GError *error = NULL;
    auto_(arena) kept = arena_new(1 << 20);
    struct call call = {.ds = &other->ds, .mem = kept};
    struct lane next = {.fence = {.run = "a run"}};
    struct fence fence;
    kit_ok(store_fence_read(other->session, &call, &next.fence, &fence, &error));
    next.lane = fence.highest + 1;
    kit_ok(store_lane_open(other->session, &call, &next, &fence, &error));
    uint32_t mine = other->lane.fence.part;
    other->lane.fence.part = next.fence.part;
    size_t applied = check_lane(other, &fence.lanes[fence.n - 1], (said + 2) * BATCH);
    other->lane.fence.part = mine;
    return applied;
}

/* Client after client is killed in the middle of its writes; the store and this client's writes go on. Until enough of
 * them have died between a write and hearing of it. */
static void the_store_outlives_its_clients(void **state)
{
    enum { DEATHS_LEAST = 25, DEATHS_MOST = 500, UNHEARD = 3 };
    GError *error = NULL;
    struct process host = start_host(*state, "mem:x");
    g_autofree char *socket = g_build_filename(*state, "socket", NULL);
    struct client other;
    client_open(&other, socket);
    other.lane.fence.part = 1;
    open_lane(&other, 1);
    uint64_t seed = 3;
    size_t unheard = 0, deaths = 0;
    for (; deaths < DEATHS_LEAST || (unheard < UNHEARD && deaths < DEATHS_MOST); deaths++) {
        uint64_t said = live_and_die(socket, 1 + fake_next(&seed) % 20, fake_next(&seed) % 300);
        struct cas_op ops[BATCH];
        arena_reset(other.mem);
        kit_ok(write_batch(&other, ops, &error));
        assert_int_equal(ops[BATCH - 1].outcome, CAS_WRITTEN);
        size_t applied = take_stock(&other, said);
        assert_true(applied == said * BATCH || applied == (said + 1) * BATCH);
        unheard += applied > said * BATCH;
    }
    print_message("# %zu clients died, %zu of them between a write and hearing of it\n", deaths, unheard);
    assert_true(unheard >= UNHEARD);
    client_close(&other);
    assert_int_equal(end(&host), 0);
}

static void a_storehost_that_dies_leaves_outcomes_unknown(void **state)
{
    GError *error = NULL;
    g_autofree char *store = g_strdup_printf("rocksdb:%s/db", (const char *)*state);
    struct process host = start_host(*state, store);
    g_autofree char *socket = g_build_filename(*state, "socket", NULL);
    struct client client;
    struct cas_op ops[BATCH];
    client_open(&client, socket);
    open_lane(&client, 1);
    kit_ok(write_batch(&client, ops, &error));
    kill(host.pid, SIGKILL);
    end(&host);
    kit_refused(write_batch(&client, ops, &error), UNREACHABLE, "host:");
    for (size_t i = 0; i < BATCH; i++)
        assert_true(ops[i].outcome == CAS_UNKNOWN || ops[i].outcome == CAS_NOT_SENT);
    kit_refused(write_batch(&client, ops, &error), UNREACHABLE, "no storehost");
    assert_int_equal(ops[0].outcome, CAS_NOT_SENT);
    host = start_host(*state, store);
    assert_int_equal(take_stock(&client, 1), BATCH);
    client_close(&client);
    assert_int_equal(end(&host), 0);
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Requests whose frame is right and whose content is noise are refused one by one; the storehost goes on. */
static void noise_is_refused_and_hurts_nobody(void **state)
{
    GError *error = NULL;
    struct process host = start_host(*state, "mem:x");
    g_autofree char *socket = g_build_filename(*state, "socket", NULL);
    const struct wire_wait wait = {.goes_on = NULL};
    uint64_t seed = 77;
    int fd = connect_to(socket);
    size_t refused = 0;
    for (int i = 0; i < 3000; i++) {
        g_autoptr(GByteArray) body = g_byte_array_new(), reply = g_byte_array_new();
        put_u8(body, WIRE_VERSION);
        put_u8(body, (uint8_t)(fake_next(&seed) % (WIRE_OPS + 1)));
        put_prefixed(body, slice_of_text("d"));
        put_u8(body, 0);
        put_u64(body, 0);
        for (uint64_t n = fake_next(&seed) % 60; n > 0; n--)
            put_u8(body, (uint8_t)fake_next(&seed));
        kit_ok(wire_send(fd, body, &error));
        kit_ok(wire_receive(fd, &wait, reply, &error));
        refused += reply->len > 1 && reply->data[1] == 0;
    }
    assert_true(refused > 1000);
    close(fd);
    struct client client;
    struct cas_op ops[BATCH];
    client_open(&client, socket);
    open_lane(&client, 1);
    kit_ok(write_batch(&client, ops, &error));
    client_close(&client);
    assert_int_equal(end(&host), 0);
}

static void another_version_and_a_giant_are_refused(void **state)
{
    GError *error = NULL;
    struct process host = start_host(*state, "mem:x");
    g_autofree char *socket = g_build_filename(*state, "socket", NULL);
    const struct wire_wait wait = {.goes_on = NULL};
    g_autoptr(GByteArray) body = g_byte_array_new(), reply = g_byte_array_new();
    int fd = connect_to(socket);
    put_u8(body, WIRE_VERSION + 1);
    kit_ok(wire_send(fd, body, &error));
    kit_ok(wire_receive(fd, &wait, reply, &error));
    assert_int_equal(reply->data[1], 0);
    static const uint8_t giant[] = {0xff, 0xff, 0xff, 0xff};
    assert_int_equal(send(fd, giant, sizeof(giant), MSG_NOSIGNAL), sizeof(giant));
    kit_refused(wire_receive(fd, &wait, reply, &error), UNREACHABLE, "gone");
    close(fd);
    assert_int_equal(end(&host), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(int argc, char **argv)
{
    if (argc == 3)
        return client_main(argv[2]);
    const struct CMUnitTest tests[] = {
        TEST(the_store_outlives_its_clients),
        TEST(a_storehost_that_dies_leaves_outcomes_unknown),
        TEST(noise_is_refused_and_hurts_nobody),
        TEST(another_version_and_a_giant_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
