#include "kit/kit.h"
#include "store/valkey/view.h"

/* What a server says, in the order of the questions; the rest of them is not asked. */
static bool view_of(const char *const *replies, bool tls, struct topology **ret, GError **error)
{
    static const struct valkey_host at = {.host = (char *)(uintptr_t) "10.0.0.9", .port = 7009};
    auto_(arena) mem = arena_new(1 << 20);
    const struct question *question;
    struct view view;
    bool taken = true;
    view_init(&view, &at, tls);
    for (size_t i = 0; taken && replies[i] && (question = view_question(i)); i++) {
        struct slice bytes = slice_of_text(replies[i]);
        struct resp_scan scan = {0};
        struct reply reply;
        bool whole = false;
        assert_true(resp_scan(&scan, bytes, &(struct resp_limits){0}, &whole, error) && whole);
        assert_true(resp_read(bytes, mem, &reply, error));
        if (!question->cluster || view.topology->kind == VALKEY_CLUSTER)
            taken = question->takes(&view, &reply, error);
    }
    bool good = taken && view_finish(&view, ret, error);
    view_done(&view);
    return good;
}

#define INFO_SERVER     "$59\r\n# Server\nredis_version:7.0.15\nredis_mode:cluster\nrun_id:ab\n\r\n"
#define INFO_MASTER     "$33\r\nrole:master\nmaster_replid:abcdef\n\r\n"
#define INFO_CLUSTER    "$18\r\ncluster_enabled:1\n\r\n"
#define INFO_NO_CLUSTER "$18\r\ncluster_enabled:0\n\r\n"
#define CLUSTER_INFO    "$40\r\ncluster_state:ok\ncluster_current_epoch:6\r\n"
#define REFUSED         "-ERR This instance has cluster support disabled\r\n"
#define NODE_IN(id, host, role, health)                                                                                \
    "*14\r\n$2\r\nid\r\n$1\r\n" id "\r\n$4\r\nport\r\n:7001\r\n$8\r\ntls-port\r\n:8001\r\n$2\r\nip\r\n$1\r\nx\r\n"     \
    "$8\r\nendpoint\r\n" host "\r\n$4\r\nrole\r\n" role "\r\n$6\r\nhealth\r\n" health "\r\n"
#define NODE(id, host, role)   NODE_IN(id, host, role, "$6\r\nonline")
#define MASTER                 "$6\r\nmaster"
#define REPLICA                "$7\r\nreplica"
#define SHARD(from, to, nodes) "*4\r\n$5\r\nslots\r\n*2\r\n:" from "\r\n:" to "\r\n$5\r\nnodes\r\n" nodes

static void check_two_shards(const struct topology *topology)
{
    assert_int_equal(topology->kind, VALKEY_CLUSTER);
    assert_int_equal(topology->n, 3);
    assert_int_equal(topology->epoch, 6);
    assert_int_equal(topology->owner[0], 1); /* the replica is listed first */
    assert_int_equal(topology->owner[8191], 1);
    assert_int_equal(topology->owner[8192], 2);
    assert_int_equal(view_unowned(topology), 1);
    assert_int_equal(topology->owner[16383], -1);
    assert_int_equal(topology->nodes[1].replicas, 1);
    assert_int_equal(topology->nodes[2].replicas, 0);
    assert_false(topology->nodes[0].primary);
    assert_string_equal(topology->nodes[1].at.host, "10.0.0.9"); /* no host: the one that was asked */
    assert_string_equal(topology->nodes[0].at.host, "h1");
    assert_int_equal(topology->asked, 2);
    assert_string_equal(topology->nodes[2].run_id, "ab");
    assert_null(topology->nodes[1].run_id);
    assert_string_equal(topology->version, "7.0.15");
}

#define TWO_SHARDS                                                                                                     \
    "*2\r\n" SHARD("0", "8191", "*2\r\n" NODE("r", "$2\r\nh1", REPLICA) NODE("a", "$0\r\n", MASTER))                   \
        SHARD("8192", "16382", "*1\r\n" NODE("b", "$1\r\n?", MASTER))

static void a_cluster_is_read_from_its_shards(void **state)
{
    static const char *const replies[] = {INFO_SERVER,   INFO_MASTER, INFO_CLUSTER, CLUSTER_INFO,
                                          "$1\r\nb\r\n", TWO_SHARDS,  NULL};
    g_autoptr(GError) error = NULL;
    struct topology *topology;
    kit_ok(view_of(replies, false, &topology, &error));
    check_two_shards(topology);
    assert_int_equal(topology->nodes[1].at.port, 7001);
    topology_unref(topology);
    kit_ok(view_of(replies, true, &topology, &error));
    assert_int_equal(topology->nodes[1].at.port, 8001);
    topology_unref(topology);
}

/* One that has just come, or whose stream broke, is `loading`, and may be promoted all the same. */
static void a_replica_counts_until_the_cluster_has_given_it_up(void **state)
{
    static const struct {
        const char *health;
        uint32_t replicas;
    } rows[] = {{"$6\r\nonline", 1}, {"$7\r\nloading", 1}, {"$4\r\nfail", 0}, {"$6\r\nfailed", 0}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *said = g_strdup_printf(
            "*1\r\n" SHARD("0", "16383", "*2\r\n" NODE("b", "$1\r\n?", MASTER) NODE_IN("r", "$2\r\nh1", REPLICA, "%s")),
            rows[i].health);
        const char *const replies[] = {INFO_SERVER, INFO_MASTER, INFO_CLUSTER, CLUSTER_INFO, "$1\r\nb\r\n", said, NULL};
        g_autoptr(GError) error = NULL;
        struct topology *topology;
        kit_ok(view_of(replies, false, &topology, &error));
        assert_int_equal(topology->nodes[0].replicas, rows[i].replicas);
        topology_unref(topology);
    }
}

static void a_server_that_is_lost_is_told_with_its_slots(void **state)
{
    static const char *const replies[] = {
        INFO_SERVER,
        INFO_MASTER,
        INFO_CLUSTER,
        "$65\r\ncluster_state:fail\ncluster_slots_fail:77\ncluster_current_epoch:6\n\r\n",
        "$1\r\nb\r\n",
        "*2\r\n" SHARD("0", "9", "*1\r\n" NODE("b", "$1\r\n?", MASTER))
            SHARD("10", "86", "*1\r\n" NODE_IN("a", "$2\r\nh1", MASTER, "$4\r\nfail")),
        NULL};
    g_autoptr(GError) error = NULL;
    struct topology *topology;
    kit_ok(view_of(replies, false, &topology, &error));
    assert_int_equal(topology->lost, 77);
    assert_true(topology->nodes[0].online);
    assert_false(topology->nodes[1].online);
    topology_unref(topology);
}

static void a_server_without_a_cluster_is_a_topology_of_one(void **state)
{
    static const char *const replies[] = {INFO_SERVER, INFO_MASTER, INFO_NO_CLUSTER, REFUSED, REFUSED, REFUSED, NULL};
    g_autoptr(GError) error = NULL;
    struct topology *topology;
    kit_ok(view_of(replies, false, &topology, &error));
    assert_int_equal(topology->kind, VALKEY_STANDALONE);
    assert_int_equal(topology->n, 1);
    assert_true(topology->nodes[0].primary);
    assert_int_equal(view_unowned(topology), 0);
    assert_string_equal(topology->nodes[0].at.host, "10.0.0.9");
    topology_unref(topology);
}

static void a_sentinel_is_no_store(void **state)
{
    static const char *const replies[] = {"$20\r\nredis_mode:sentinel\n\r\n", INFO_MASTER, INFO_NO_CLUSTER, NULL};
    g_autoptr(GError) error = NULL;
    struct topology *topology;
    kit_refused(view_of(replies, false, &topology, &error), USAGE, "?sentinel=NAME");
}

static void what_no_cluster_would_say_is_refused(void **state)
{
    static const char *const bad[] = {
        "+OK\r\n",
        "*1\r\n:1\r\n",
        "*1\r\n" SHARD("0", "16384", "*1\r\n" NODE("b", "$1\r\n?", MASTER)),
        "*1\r\n" SHARD("5", "4", "*1\r\n" NODE("b", "$1\r\n?", MASTER)),
        "*1\r\n" SHARD("-1", "4", "*1\r\n" NODE("b", "$1\r\n?", MASTER)),
        "*1\r\n" SHARD("0", "4", "*1\r\n" NODE("b", "$1\r\n?", REPLICA)),
        "*1\r\n" SHARD("0", "4", "*0\r\n"),
        "*1\r\n" SHARD("0", "4", "*1\r\n*0\r\n"),
    };
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *const replies[] = {INFO_SERVER,   INFO_MASTER, INFO_CLUSTER, CLUSTER_INFO,
                                       "$1\r\nb\r\n", bad[i],      NULL};
        g_autoptr(GError) error = NULL;
        struct topology *topology;
        kit_refused(view_of(replies, false, &topology, &error), STORE, "CLUSTER SHARDS");
    }
}

static void an_older_server_tells_the_same_by_its_slots(void **state)
{
    static const char slots[] =
        "*2\r\n*4\r\n:0\r\n:8191\r\n*3\r\n$2\r\nh1\r\n:7001\r\n$1\r\na\r\n*3\r\n$-1\r\n:7002\r\n$1\r\nr\r\n"
        "*3\r\n:8192\r\n:16383\r\n*3\r\n$0\r\n\r\n:7003\r\n$1\r\nb\r\n";
    static const struct valkey_host at = {.host = (char *)(uintptr_t) "10.0.0.9", .port = 7009};
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GError) error = NULL;
    struct topology *topology;
    struct reply reply;
    struct view view;
    view_init(&view, &at, false);
    view.topology->kind = VALKEY_CLUSTER;
    view.my_id = g_strdup("b");
    kit_ok(resp_read(slice_of_text(slots), mem, &reply, &error));
    kit_ok(view_question_slots()->takes(&view, &reply, &error));
    kit_ok(view_finish(&view, &topology, &error));
    view_done(&view);
    assert_int_equal(topology->n, 3);
    assert_int_equal(view_unowned(topology), 0);
    assert_int_equal(topology->nodes[0].replicas, 1);
    assert_false(topology->nodes[1].primary);
    assert_string_equal(topology->nodes[1].at.host, "10.0.0.9");
    assert_int_equal(topology->owner[16383], 2);
    assert_int_equal(topology->asked, 2);
    topology_unref(topology);
}

static void another_store_is_not_taken_for_the_same(void **state)
{
    struct valkey_node a[] = {{.id = (char *)(uintptr_t) "a"}, {.id = (char *)(uintptr_t) "b"}},
                       c[] = {{.id = (char *)(uintptr_t) "c"}};
    g_autofree struct topology *three = g_new0(struct topology, 3);
    three[0] = (struct topology){.kind = VALKEY_CLUSTER, .nodes = a, .n = 2};
    three[1] = (struct topology){.kind = VALKEY_CLUSTER, .nodes = a + 1, .n = 1};
    three[2] = (struct topology){.kind = VALKEY_CLUSTER, .nodes = c, .n = 1};
    assert_true(view_same(&three[0], &three[1]));
    assert_false(view_same(&three[0], &three[2]));
    three[2].kind = VALKEY_STANDALONE;
    assert_false(view_same(&three[0], &three[2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cluster_is_read_from_its_shards),
        cmocka_unit_test(a_replica_counts_until_the_cluster_has_given_it_up),
        cmocka_unit_test(a_server_that_is_lost_is_told_with_its_slots),
        cmocka_unit_test(a_server_without_a_cluster_is_a_topology_of_one),
        cmocka_unit_test(a_sentinel_is_no_store),
        cmocka_unit_test(what_no_cluster_would_say_is_refused),
        cmocka_unit_test(an_older_server_tells_the_same_by_its_slots),
        cmocka_unit_test(another_store_is_not_taken_for_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
