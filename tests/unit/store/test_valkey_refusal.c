#include "base/arena.h"
#include "kit/kit.h"
#include "store/valkey/info.h"
#include "store/valkey/refusal.h"

static struct reply error_reply(const char *text)
{
    return (struct reply){.type = REPLY_ERROR, .bytes = slice_of_text(text)};
}

static enum refusal_action action_of(const char *text)
{
    struct reply reply = error_reply(text);
    const struct refusal *row = refusal_of(&reply);
    return row ? row->action : REFUSAL_CALLER;
}

static void each_refusal_has_its_row_by_its_whole_first_word(void **state)
{
    assert_int_equal(action_of("MOVED 3999 127.0.0.1:6381"), REFUSAL_THERE);
    assert_int_equal(action_of("ASK 3999 127.0.0.1:6381"), REFUSAL_ASK);
    assert_int_equal(action_of("TRYAGAIN Multiple keys request during rehashing of slot"), REFUSAL_HERE);
    assert_int_equal(action_of("LOADING"), REFUSAL_HERE);
    assert_int_equal(action_of("READONLY You can't write against a read only replica."), REFUSAL_REFRESH);
    assert_int_equal(action_of("CLUSTERDOWN The cluster is down"), REFUSAL_REFRESH);
    assert_int_equal(action_of("NOREPLICAS Not enough good replicas to write."), REFUSAL_SLOW);
    assert_int_equal(action_of("BUSY Redis is busy running a script."), REFUSAL_SLOW);
    assert_int_equal(action_of("BUSYKEY Target key name already exists."), REFUSAL_CALLER);
    assert_int_equal(action_of("OOM command not allowed when used memory > 'maxmemory'."), REFUSAL_PAUSE);
    assert_int_equal(action_of("NOSCRIPT No matching script."), REFUSAL_LOAD);
    assert_int_equal(action_of("NOPERM this user has no permissions"), REFUSAL_STOP);
    assert_int_equal(action_of("WRONGTYPE Operation against a key"), REFUSAL_CALLER);
    assert_int_equal(action_of("ERR unknown command"), REFUSAL_CALLER);
    assert_int_equal(action_of(""), REFUSAL_CALLER);
    assert_int_equal(refusal_lost()->action, REFUSAL_REFRESH);
}

static void what_is_no_error_is_never_refused(void **state)
{
    struct reply reply = {.type = REPLY_BYTES, .bytes = slice_of_text("MOVED 1 a:1")};
    assert_null(refusal_of(&reply));
}

static void leads_to(const char *text, const char *host, uint16_t port)
{
    struct valkey_host asked = {.host = (char *)(uintptr_t) "10.0.0.1", .port = 7000}, found;
    struct reply reply = error_reply(text);
    auto_(arena) mem = arena_new(1000);
    assert_true(refusal_place(&reply, &asked, mem, &found));
    assert_string_equal(found.host, host);
    assert_int_equal(found.port, port);
}

static void a_redirection_names_a_server_and_without_a_host_the_one_that_was_asked(void **state)
{
    leads_to("MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381);
    leads_to("ASK 1 node-3.example:7002", "node-3.example", 7002);
    leads_to("MOVED 1 2001:db8::7:6379", "2001:db8::7", 6379);
    leads_to("MOVED 1 :6381", "10.0.0.1", 6381);
    leads_to("MOVED 1 ?:6381", "10.0.0.1", 6381);
}

static void a_redirection_to_nowhere_leads_nowhere(void **state)
{
    static const char *const bad[] = {"MOVED",         "MOVED 1",     "MOVED 1 ",    "MOVED 1 host",
                                      "MOVED 1 host:", "MOVED 1 h:0", "MOVED 1 h:x", "MOVED 1 h:70000",
                                      "MOVED 1 :",     "MOVED  ",     "ASK 1 h:-1",  "ASK 1 h:1 2:3x"};
    struct valkey_host asked = {.host = (char *)(uintptr_t) "10.0.0.1", .port = 7000}, found;
    auto_(arena) mem = arena_new(1000);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        struct reply reply = error_reply(bad[i]);
        assert_false(refusal_place(&reply, &asked, mem, &found));
    }
}

static void a_refusal_that_nobody_gets_over_says_where_what_and_why(void **state)
{
    g_autoptr(GError) error = NULL;
    struct valkey_host at = {.host = (char *)(uintptr_t) "10.0.0.1", .port = 7000};
    struct reply denied = error_reply("NOPERM no"), odd = error_reply("ERR odd"), number = {.type = REPLY_INTEGER};
    kit_refused(refusal_set(&denied, &at, "SCAN", &error), NOT_PERMITTED, "10.0.0.1:7000: SCAN: NOPERM no: the user");
    kit_refused(refusal_set(&odd, &at, "SCAN", &error), STORE, "10.0.0.1:7000: SCAN: ERR odd");
    kit_refused(refusal_set(&number, &at, "SCAN", &error), STORE, "an answer of another kind");
}

#define REPLICATION                                                                                                    \
    "# Replication\r\nrole:master\r\nconnected_slaves:3\r\nslave_repl_offset:7\r\n"                                    \
    "slave0:ip=127.0.0.1,port=1,state=online,offset=90,lag=0\r\n"                                                      \
    "slave1:ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0\r\n"                                                  \
    "slave12:ip=::1,port=3,state=online,offset=80,lag=1\r\nmaster_repl_offset:100\r\nrun_id"

static void info_is_read_line_by_line(void **state)
{
    struct slice info = slice_of_text(REPLICATION), text;
    int64_t offset;
    assert_true(info_says(info, "role", "master"));
    assert_false(info_says(info, "role", "mast"));
    assert_false(info_text(info, "run_id", &text));
    assert_false(info_text(info, "repl_offset", &text));
    assert_int_equal(info_number(info, "master_repl_offset"), 100);
    assert_int_equal(info_number(info, "role"), 0);
    assert_int_equal(info_replicas(info, &offset), 2); /* one is not in step */
    assert_int_equal(offset, 80);
    assert_int_equal(info_replicas(SLICE_EMPTY, &offset), 0);
    assert_true(offset == INT64_MAX);
}

/* A server subtracts by its wall clock, which may have gone back: then one that is silent looks as if it were ahead. */
static void a_lag_by_a_clock_that_went_back_is_untold(void **state)
{
    static const struct {
        const char *replicas;
        int64_t lag_s;
    } ROWS[] = {
        {"", INFO_LAG_NONE},
        {"slave0:ip=::1,port=1,state=wait_bgsave,offset=0,lag=-5\r\n", INFO_LAG_NONE},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=0\r\n", 0},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=1\r\nslave1:ip=::1,port=2,state=online,offset=9,lag=7\r\n", 7},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=-3600\r\n", INFO_LAG_UNTOLD},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=1\r\nslave1:ip=::1,port=2,state=online,offset=9,lag=-1\r\n",
         INFO_LAG_UNTOLD},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_int_equal(info_replica_lag_s(slice_of_text(ROWS[i].replicas)), ROWS[i].lag_s);
}

static void the_replica_that_is_farthest_behind_is_named(void **state)
{
    static const struct {
        const char *replicas, *name;
    } ROWS[] = {
        {"", NULL},
        {"slave0:ip=10.0.0.7,port=1,state=wait_bgsave,offset=0,lag=9\r\n", NULL},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=1\r\nslave1:ip=10.0.0.7,port=2,state=online,offset=9,lag="
         "7\r\n",
         "10.0.0.7:2"},
        {"slave0:ip=::1,port=1,state=online,offset=5,lag=1\r\nslave1:ip=::1,port=2,state=online,offset=9,lag=1\r\n",
         "::1:1"},
        {"slave0:ip=::1,port=1,state=online,offset=9,lag=1\r\nslave1:ip=::1,port=2,state=online,offset=9,lag=-1\r\n",
         NULL},
        {"slave0:state=online,offset=9,lag=1\r\n", NULL},
    };
    auto_(arena) mem = arena_new(1 << 16);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const char *name = info_slowest(slice_of_text(ROWS[i].replicas), mem);
        if (g_strcmp0(name, ROWS[i].name) != 0)
            fail_msg("row %zu: %s", i, name ? name : "nothing");
    }
}

static void hashes_whose_fields_expire_are_counted_over_all_databases(void **state)
{
    static const char REDIS[] = "# Keyspace\r\ndb0:keys=9,expires=1,avg_ttl=0,subexpiry=4\r\n"
                                "db12:keys=3,expires=0,avg_ttl=0,subexpiry=2\r\ndbsize:subexpiry=100\r\n";
    static const char VALKEY[] = "db0:keys=9,expires=1,avg_ttl=0,keys_with_volatile_items=3\r\n";
    static const char OLDER[] = "db0:keys=9,expires=1,avg_ttl=0\r\n";
    assert_int_equal(info_field_expiries(slice_of_text(REDIS)), 6);
    assert_int_equal(info_field_expiries(slice_of_text(VALKEY)), 3);
    assert_int_equal(info_field_expiries(slice_of_text(OLDER)), 0);
}

static void keys_that_expire_are_counted_in_their_database(void **state)
{
    static const char INFO[] =
        "# Keyspace\r\ndb0:keys=9,expires=1,avg_ttl=0,subexpiry=4\r\ndb1:keys=3,expires=0,avg_ttl=0\r\n";
    uint64_t n = 7;
    assert_true(info_expiring(slice_of_text(INFO), 1, &n));
    assert_int_equal(n, 0);
    assert_true(info_expiring(slice_of_text(INFO), 0, &n));
    assert_int_equal(n, 1);
    assert_false(info_expiring(slice_of_text(INFO), 11, &n)); /* which is empty, or is not told of */
    assert_false(info_expiring(slice_of_text("db0:keys=9\r\n"), 0, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_refusal_has_its_row_by_its_whole_first_word),
        cmocka_unit_test(what_is_no_error_is_never_refused),
        cmocka_unit_test(a_redirection_names_a_server_and_without_a_host_the_one_that_was_asked),
        cmocka_unit_test(a_redirection_to_nowhere_leads_nowhere),
        cmocka_unit_test(a_refusal_that_nobody_gets_over_says_where_what_and_why),
        cmocka_unit_test(info_is_read_line_by_line),
        cmocka_unit_test(a_lag_by_a_clock_that_went_back_is_untold),
        cmocka_unit_test(the_replica_that_is_farthest_behind_is_named),
        cmocka_unit_test(hashes_whose_fields_expire_are_counted_over_all_databases),
        cmocka_unit_test(keys_that_expire_are_counted_in_their_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
