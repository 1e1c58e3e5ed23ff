#include "record/text.h"

enum { QUOTED = 40 };

static const char more[] = "…";

const char *text_quote(struct slice text, char into[TEXT_QUOTE])
{
    G_STATIC_ASSERT(QUOTED + 4 + sizeof more <= TEXT_QUOTE);
    const uint8_t *end = text.len ? text.data + text.len : text.data;
    size_t n = 0, at = 0;
    while (at < text.len && n < QUOTED) {
        uint8_t byte = text.data[at];
        size_t len = byte < 0x80 ? 1 : text_utf8(text.data + at, end);
        if (len == 0 || byte < 0x20 || byte == 0x7f)
            into[n++] = '?';
        else
            memcpy(into + n, text.data + at, len), n += len;
        at += len ? len : 1;
    }
    memcpy(into + n, at < text.len ? more : "", at < text.len ? sizeof more : 1);
    return into;
}
