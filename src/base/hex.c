#include "base/hex.h"

#include <glib.h>

char *hex_put(const uint8_t *bytes, size_t n, char *into)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        *into++ = digits[bytes[i] >> 4];
        *into++ = digits[bytes[i] & 15];
    }
    return into;
}

const char *hex_text(const uint8_t *bytes, size_t n, char *into)
{
    *hex_put(bytes, n, into) = '\0';
    return into;
}

static uint8_t digit_of(uint8_t letter)
{
    return (uint8_t)g_ascii_xdigit_value((char)letter);
}

bool hex_parse(struct slice text, uint8_t *ret, size_t n)
{
    if (text.len % 2 != 0 || text.len / 2 != n)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!g_ascii_isxdigit((char)text.data[i]))
            return false;
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint8_t)(digit_of(text.data[2 * i]) << 4 | digit_of(text.data[2 * i + 1]));
    return true;
}
