/* A user with exactly the rights that docs/drivers/valkey.md lists can do all that a run does; without any one of them
 * an error names it, and no record is half written. */
#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"

static const char *const NEEDED[] = {"info",        "time",        "dbsize",  "scan",   "hgetall",
                                     "pexpiretime", "script|load", "evalsha", "exists", "unlink",
                                     "hset",        "pexpireat",   "hmget",   "hget",   "hdel"};
#define ALWAYS "+hello +auth +client|setname +ping +wait +memory|usage"

struct box {
    char *dir;
    struct servers servers;
    struct arena *mem;
    struct dataset ds;
    unsigned turns;
};

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    *state = box;
    box->servers.program = servers_find("redis-server", NULL);
    if (!box->servers.program)
        return 0;
    assert_int_equal(kit_dir_setup((void **)&box->dir), 0);
    box->servers.dir = box->dir;
    servers_start(&box->servers, NULL);
    box->mem = arena_new(64 << 20);
    box->ds = (struct dataset){.name = "customer:{key}"};
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    if (box->servers.program) {
        servers_stop(&box->servers);
        arena_free(box->mem);
        kit_dir_teardown((void **)&box->dir);
    }
    g_free((char *)box->servers.program);
    g_free(box);
    return 0;
}

/* A user of its own for every turn: rights that change under a connection are another test's. */
static void user_make(struct box *box, const char *without)
{
    g_autoptr(GString) command = g_string_new(NULL);
    g_string_printf(command, "ACL SETUSER u%u on >secret ~customer:* ~sluice:* -@all " ALWAYS, ++box->turns);
    for (size_t i = 0; i < G_N_ELEMENTS(NEEDED); i++)
        if (g_strcmp0(NEEDED[i], without) != 0)
            g_string_append_printf(command, " +%s", NEEDED[i]);
    g_autofree char *said = servers_ask(&box->servers, 0, command->str, false);
    assert_string_equal(said, "+OK\r\n");
}

struct turn {
    struct box *box;
    struct session *session;
    struct call call;
    struct lane lane;
    struct cas_op op;
    struct store_lock lock;
};

static bool look(struct turn *turn, GError **error)
{
    struct store_info info;
    auto_(scan) scan = NULL;
    struct scan_spec spec = {.ds = &turn->box->ds, .max_records = 10, .max_bytes = 10000};
    struct batch batch;
    return store_inspect(turn->session, &turn->call, &info, error) &&
           store_scan_open(&scan, turn->session, &spec, error) && store_scan_next(scan, &turn->call, &batch, error);
}

static bool read_into_op(struct turn *turn, GError **error)
{
    struct record record = {.key = turn->op.key};
    if (!store_read(turn->session, &turn->call, &record, 1, error))
        return false;
    turn->op.etag = record.etag;
    turn->op.number++;
    return true;
}

static bool write_op(struct turn *turn, GError **error)
{
    if (!store_cas(turn->session, &turn->call, &turn->lane, &turn->op, 1, error))
        return false;
    assert_int_equal(turn->op.outcome, CAS_WRITTEN);
    return true;
}

/* Marks of one partition are pruned by another's write: settle, record, settle, write. */
static bool write_all(struct turn *turn, GError **error)
{
    struct fence before;
    for (unsigned round = 0; round < 4; round++) {
        turn->op.expires_at_ms = round ? 0 : INT64_C(4000000000000);
        if (!read_into_op(turn, error) || !write_op(turn, error) || !store_settle(turn->session, &turn->call, error))
            return false;
        turn->lane.fence.part = round % 2;
        turn->lane.lane = round + 2;
        if (!store_lane_open(turn->session, &turn->call, &turn->lane, &before, error))
            return false;
    }
    turn->op.verb = CAS_DELETE;
    return read_into_op(turn, error) && write_op(turn, error);
}

static bool all_of_a_run(struct turn *turn, GError **error)
{
    struct fence before;
    return look(turn, error) && store_lock(turn->session, &turn->call, &turn->lock, false, error) &&
           store_lane_open(turn->session, &turn->call, &turn->lane, &before, error) && write_all(turn, error) &&
           store_fence_drop(turn->session, &turn->call, turn->lane.fence.run, error) &&
           store_unlock(turn->session, &turn->call, turn->lock.run_uid, error) &&
           store_settle(turn->session, &turn->call, error);
}

static struct slice some_raw(struct box *box, const struct session *session)
{
    GError *error = NULL;
    bson_t document = BSON_INITIALIZER;
    struct slice raw;
    BSON_APPEND_UTF8(&document, "a", "b");
    struct slice bytes = slice_of(bson_get_data(&document), document.len);
    kit_ok(store_encode(session_driver(session), &box->ds, bytes, box->mem, &raw, &error));
    bson_destroy(&document);
    return raw;
}

static bool run_as_user(struct box *box, GError **error)
{
    g_autofree char *uri = g_strdup_printf("valkey://u%u:secret@127.0.0.1:%u", box->turns, box->servers.ports[0]);
    struct store_registry *registry = store_registry_new(world_real(), NULL);
    struct store_config config = {.uri = uri, .base_dir = box->dir};
    struct store *store = NULL;
    struct turn turn = {.box = box, .lane = {.lane = 1, .fence = {.part = 1}}};
    g_free(servers_ask(&box->servers, 0, "FLUSHALL", false));
    g_free(servers_ask(&box->servers, 0, "SCRIPT FLUSH", false));
    bool ok = store_open(&store, registry, &config, error);
    if (ok && (ok = store_session_open(&turn.session, store, error))) {
        turn.call = (struct call){.ds = &box->ds, .mem = box->mem};
        turn.lane.fence.run[0] = (uint8_t)box->turns;
        turn.lock = (struct store_lock){.run = "fix.1", .host = "here", .home = "/home"};
        turn.op = (struct cas_op){.key = slice_of_text("anna"), .raw = some_raw(box, turn.session)};
        ok = all_of_a_run(&turn, error);
        store_session_close(turn.session);
    }
    store_release(registry, store);
    store_registry_free(registry);
    arena_reset(box->mem);
    return ok;
}

static void the_rights_of_the_page_are_enough(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    if (!box->servers.program)
        skip();
    user_make(box, NULL);
    kit_ok(run_as_user(box, &error));
}

static void a_right_that_is_missing_is_named(void **state)
{
    struct box *box = *state;
    if (!box->servers.program)
        skip();
    for (size_t i = 0; i < G_N_ELEMENTS(NEEDED); i++) {
        GError *error = NULL;
        g_autofree char *command = g_strdelimit(g_strdup(NEEDED[i]), "|", ' ');
        command[strcspn(command, " ")] = '\0';
        user_make(box, NEEDED[i]);
        if (run_as_user(box, &error))
            fail_msg("a run needs no right to %s", NEEDED[i]);
        g_autofree char *message = g_ascii_strdown(error->message, -1);
        if (!error_is(error, SLUICE_ERROR_NOT_PERMITTED) || !strstr(message, command))
            fail_msg("without %s: %s", NEEDED[i], error->message);
        g_clear_error(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rights_of_the_page_are_enough),
        cmocka_unit_test(a_right_that_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
