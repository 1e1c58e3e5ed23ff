/* URIs of Valkey: what is taken has a place, whose text is taken again and is its own place; what is refused is told in
 * UTF-8, and a password that stands where it should is not in the message. */
#include <string.h>

#include "fuzz.h"
#include "store/valkey/uri.h"

static void comes_back(const struct valkey_uri *uri)
{
    auto_(valkey_uri) again = NULL;
    g_autofree char *place = valkey_uri_place(uri);
    g_assert(uri->n_hosts > 0 && uri->timeout_ms > 0);
    g_assert(valkey_uri_parse(&again, place, "/", NULL));
    g_autofree char *same = valkey_uri_place(again);
    g_assert(g_str_equal(place, same));
    g_assert(again->db == uri->db && again->n_hosts <= uri->n_hosts && !again->password && !again->user);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup(len ? (const char *)data : "", len);
    g_autofree char *secret = g_strdup_printf("valkey://u:HIDDEN@%s", text);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) error = NULL;
        auto_(valkey_uri) uri = NULL;
        if (valkey_uri_parse(&uri, i ? secret : text, "/base", &error))
            comes_back(uri);
        else
            g_assert(g_utf8_validate(error->message, -1, NULL) &&
                     (strstr(text, "HIDDEN") || !strstr(error->message, "HIDDEN")));
    }
    return 0;
}
