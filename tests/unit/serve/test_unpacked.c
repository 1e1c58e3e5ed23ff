/* What the page is for whom gzip is nothing. */
#include <string.h>
#include <zlib.h>

#include "kit/kit.h"
#include "serve/unpacked.h"

static void who_takes_gzip_says_so(void **state)
{
    static const struct {
        const char *accepts;
        bool takes;
    } ROWS[] = {
        {NULL, false},
        {"", false},
        {"identity", false},
        {"br, deflate", false},
        {"gzip", true},
        {"br, GZip;q=0.5 ,zstd", true},
        {"x-gzip", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000, *", false},
        {"*", true},
        {"*;q=0", false},
        {"br, *;q=0.1", true},
        {"gzipped", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (unpacked_takes_gzip(ROWS[i].accepts) != ROWS[i].takes)
            fail_msg("row %zu", i);
}

static size_t pack(const char *text, uint8_t *into, size_t len)
{
    z_stream gzip = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)strlen(text)};
    assert_int_equal(deflateInit2(&gzip, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    gzip.next_out = into;
    gzip.avail_out = (uInt)len;
    assert_int_equal(deflate(&gzip, Z_FINISH), Z_STREAM_END);
    deflateEnd(&gzip);
    return gzip.total_out;
}

static void what_was_packed_comes_out_and_what_is_damaged_does_not(void **state)
{
    static const char *const TEXTS[] = {"", "<!doctype html>", "a page, a page, a page, a page, a page"};
    for (size_t i = 0; i < G_N_ELEMENTS(TEXTS); i++) {
        uint8_t packed[256];
        size_t n = pack(TEXTS[i], packed, sizeof packed), len;
        g_autoptr(GBytes) out = unpacked_of(packed, n);
        assert_non_null(out);
        const char *text = g_bytes_get_data(out, &len);
        assert_int_equal(len, strlen(TEXTS[i]));
        assert_true(len == 0 || memcmp(text, TEXTS[i], len) == 0);
        packed[n - 1] ^= 1; /* it says another length */
        assert_null(unpacked_of(packed, n));
        assert_null(unpacked_of(packed, 3));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_takes_gzip_says_so),
        cmocka_unit_test(what_was_packed_comes_out_and_what_is_damaged_does_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
