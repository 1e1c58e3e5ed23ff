/* What needs no network of HTTP: signatures, and which addresses are any. */
#include "base/http.h"
#include "kit/kit.h"

static void a_signature_is_the_hmac_of_time_and_body(void **state)
{
    /* HMAC-SHA256 of "what do ya want.for nothing?" with the key Jefe, by `openssl dgst -sha256 -hmac Jefe`. */
    g_autofree char *hex = http_sign(slice_of_text("Jefe"), "what do ya want", slice_of_text("for nothing?"));
    assert_string_equal(hex, "e33f91577b90d4b3bbd73cb61803074f1965d27701b5527942dd9ea9443af37c");
    g_autofree char *other = http_sign(slice_of_text("Jefe"), "what do ya wan", slice_of_text("t.for nothing?"));
    assert_string_not_equal(hex, other);
}

static void an_address_is_http_or_https_with_a_host(void **state)
{
    static const char *const GOOD[] = {"http://h", "https://h:1/x?y", "http://[::1]:8/"};
    static const char *const BAD[] = {"", "h", "ftp://h/", "http://", "https:///x", "file:///etc/passwd"};
    for (size_t i = 0; i < G_N_ELEMENTS(GOOD); i++)
        assert_true(http_url_is(GOOD[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(BAD); i++)
        assert_false(http_url_is(BAD[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature_is_the_hmac_of_time_and_body),
        cmocka_unit_test(an_address_is_http_or_https_with_a_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
