#include "kit/kit.h"
#include "store/valkey/uri.h"

static struct valkey_uri *parsed(const char *text)
{
    GError *error = NULL;
    struct valkey_uri *uri;
    kit_ok(valkey_uri_parse(&uri, text, "/spec", &error));
    return uri;
}

static void a_host_alone_has_defaults(void **state)
{
    auto_(valkey_uri) uri = parsed("valkey://db.example");
    assert_int_equal(uri->n_hosts, 1);
    assert_string_equal(uri->hosts[0].host, "db.example");
    assert_int_equal(uri->hosts[0].port, 6379);
    assert_true(!uri->user && !uri->password && !uri->tls && !uri->sentinel && uri->db == 0 && uri->protocol == 0);
    assert_int_equal(uri->timeout_ms, 5000);
    assert_int_equal(uri->failover_ms, 30000);
    assert_string_equal(uri->client_name, "sluice");
}

static void everything_that_can_be_said_is_understood(void **state)
{
    auto_(valkey_uri) uri = parsed("RedisS://an%20a:p%40ss%2f:w@a:7000,[::1]:7001,[fe80::2],b/3?sentinel=my%20master&"
                                   "sentinel_user=su&sentinel_password=sp%26&ca=tls/ca.crt&cert=/abs/me.crt&key=me.key&"
                                   "server_name=db.example&insecure=1&timeout=1500ms&failover=45s&protocol=2");
    static const struct valkey_host HOSTS[] = {
        {(char *)"a", 7000}, {(char *)"::1", 7001}, {(char *)"fe80::2", 26379}, {(char *)"b", 26379}};
    assert_int_equal(uri->n_hosts, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(uri->hosts[i].host, HOSTS[i].host);
        assert_int_equal(uri->hosts[i].port, HOSTS[i].port);
    }
    assert_string_equal(uri->user, "an a");
    assert_string_equal(uri->password, "p@ss/:w");
    assert_true(uri->tls && uri->tls_files.insecure && uri->db == 3 && uri->protocol == 2 && uri->timeout_ms == 1500);
    assert_int_equal(uri->failover_ms, 45000);
    assert_string_equal(uri->sentinel, "my master");
    assert_string_equal(uri->sentinel_user, "su");
    assert_string_equal(uri->sentinel_password, "sp&");
    assert_string_equal(uri->tls_files.ca_file, "/spec/tls/ca.crt");
    assert_null(uri->tls_files.ca_dir);
    assert_string_equal(uri->tls_files.cert_file, "/abs/me.crt");
    assert_string_equal(uri->tls_files.key_file, "/spec/me.key");
    assert_string_equal(uri->tls_files.server_name, "db.example");
}

static void small_things_have_their_meaning(void **state)
{
    auto_(valkey_uri) password = parsed("redis://:secret@h");
    assert_true(!password->user);
    assert_string_equal(password->password, "secret");
    auto_(valkey_uri) dir = parsed("valkeys://h:1/?ca=certs/");
    assert_null(dir->tls_files.ca_file);
    assert_string_equal(dir->tls_files.ca_dir, "/spec/certs");
    assert_int_equal(dir->db, 0);
    auto_(valkey_uri) at = parsed("redis://u:a@b@h");
    assert_string_equal(at->password, "a@b");
    auto_(valkey_uri) secure = parsed("valkeys://h?insecure=0");
    assert_false(secure->tls_files.insecure);
    valkey_uri_free(NULL);
}

static void what_is_wrong_is_told_without_telling_secrets(void **state)
{
    static const struct {
        const char *uri, *says;
    } ROWS[] = {
        {"mongodb://h", "expected valkey://"},
        {"valkey:h", "expected valkey://"},
        {"valkey://", "expected a name or an address"},
        {"valkey://a,,b", "expected a name or an address"},
        {"valkey://:7000", "expected a name or an address"},
        {"valkey://::1", "expected a name or an address"},
        {"valkey://h:", "a port: expected a number from 1 to 65535"},
        {"valkey://h:0", "a port"},
        {"valkey://h:65536", "a port"},
        {"valkey://h:70a", "a port"},
        {"valkey://[::1", "a '[' without its ']'"},
        {"valkey://[::1]7000", "expected ':' and a port"},
        {"valkey://h%0ax", "control character"},
        {"valkey://h%zz", "two hex digits"},
        {"valkey://h%00", "two hex digits"},
        {"valkey://h/db", "the number of a database"},
        {"valkey://h/-1", "the number of a database"},
        {"valkey://h/2147483648", "the number of a database"},
        {"valkey://h/1#x", "no fragments"},
        {"valkey://HIDDEN@h", "expected 'user:password@'"},
        {"valkey://u:@h", "expected 'user:password@'"},
        {"valkey://u:HIDDEN%z@h", "the password: a '%'"},
        {"valkey://u:HIDDEN/x@h", "write '/' as %2F"},
        {"valkey://u:HIDDEN?x@h", "write '/' as %2F"},
        {"valkey://u:HIDDEN#x@h", "write '/' as %2F"},
        {"valkey://h?timout=3s", "unknown option 'timout'; did you mean 'timeout'?"},
        {"valkey://h?wholly_else=3s", "unknown option 'wholly_else'"},
        {"valkey://h?timeout=3s&timeout=4s", "timeout: is given twice"},
        {"valkey://h?timeout=0ms", "timeout: expected a duration"},
        {"valkey://h?timeout=soon", "timeout: expected a duration"},
        {"valkey://h?failover=2h", "failover: expected a duration"},
        {"valkey://h?timeout=2h", "timeout: expected a duration"},
        {"valkey://h?timeout", "expected name=value"},
        {"valkey://h?sentinel=", "sentinel: is empty"},
        {"valkey://h?protocol=4", "protocol: expected 2 or 3"},
        {"valkey://h?ca=x", "ca: means something with TLS only"},
        {"valkeys://h?insecure=yes", "insecure: expected 0 or 1"},
        {"valkeys://h?key=x", "there is no cert=FILE"},
        {"valkey://h?sentinel_user=x", "there is no sentinel=NAME"},
        {"valkey://h?sentinel_password=HIDDEN", "there is no sentinel=NAME"},
        {"valkey://h?sentinel=m&sentinel_user=x", "there is no sentinel_password"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        struct valkey_uri *uri = NULL;
        if (valkey_uri_parse(&uri, ROWS[i].uri, NULL, &error) || !strstr(error->message, ROWS[i].says))
            fail_msg("%s: %s", ROWS[i].uri, error ? error->message : "was taken");
        assert_true(error_is(error, SLUICE_ERROR_USAGE));
        assert_null(strstr(error->message, "HIDDEN"));
        assert_null(uri);
    }
}

static void one_place_has_one_text(void **state)
{
    static const struct {
        const char *uri, *place;
    } ROWS[] = {
        {"redis://h", "valkey://h"},
        {"rediss://u:p@H:6379/0?timeout=3s&protocol=2", "valkey://h"},
        {"valkey://b:7001,a,b:7001,[::1]:7000", "valkey://[::1]:7000,a,b:7001"},
        {"valkey://a:6379,b/2", "valkey://a,b/2"},
        {"valkey://b,a:26379?sentinel=the%20one&sentinel_password=x", "valkey://a,b?sentinel=the%20one"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        auto_(valkey_uri) uri = parsed(ROWS[i].uri);
        g_autofree char *place = valkey_uri_place(uri);
        assert_string_equal(place, ROWS[i].place);
        auto_(valkey_uri) again = parsed(place);
        g_autofree char *same = valkey_uri_place(again);
        assert_string_equal(same, place);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_alone_has_defaults),
        cmocka_unit_test(everything_that_can_be_said_is_understood),
        cmocka_unit_test(small_things_have_their_meaning),
        cmocka_unit_test(what_is_wrong_is_told_without_telling_secrets),
        cmocka_unit_test(one_place_has_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
