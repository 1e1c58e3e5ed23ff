/* The bytes of texts: what is UTF-8, what stands for itself in JSON, how a message quotes. */
#pragma once

#include <glib.h>

#include "base/slice.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* text_copy_plain() may write up to this many bytes beyond what it counts. */
#define TEXT_OVERRUN 16

/* What stands for itself in a JSON string: ASCII but controls, '"' and '\'. */
static inline bool text_is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

/* Copies the plain bytes at the head of `at`..`end` and returns their number. `into` has room for the whole text and
 * TEXT_OVERRUN more. */
static inline size_t text_copy_plain(const uint8_t *at, const uint8_t *end, uint8_t *into)
{
    const uint8_t *from = at;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16, into += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        _mm_storeu_si128((__m128i *)(void *)into, bytes);
        /* as signed bytes those from 0x80 on are below the space, as the controls are */
        __m128i special = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, backslash)),
                                       _mm_cmplt_epi8(bytes, space));
        int mask = _mm_movemask_epi8(special);
        if (mask)
            return (size_t)(at - from) + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; at < end && text_is_plain(*at); at++)
        *into++ = *at;
    return (size_t)(at - from);
}

static inline bool text_continues(const uint8_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((at[i] & 0xc0) != 0x80)
            return false;
    return true;
}

/* The length, 2 to 4, of the well-formed sequence at `at`, whose first byte is 0x80 or above; 0 where there is none.
 * Well-formed as in table 3-7 of the Unicode Standard: no overlong forms, no surrogates, nothing above U+10FFFF. */
static inline size_t text_utf8(const uint8_t *at, const uint8_t *end)
{
    size_t left = (size_t)(end - at);
    uint8_t lead = at[0];
    if (lead < 0xc2 || lead > 0xf4 || left < 2)
        return 0;
    if (lead < 0xe0)
        return text_continues(at + 1, 1) ? 2 : 0;
    if (lead < 0xf0) {
        uint8_t least = lead == 0xe0 ? 0xa0 : 0x80, most = lead == 0xed ? 0x9f : 0xbf;
        return left >= 3 && at[1] >= least && at[1] <= most && text_continues(at + 2, 1) ? 3 : 0;
    }
    uint8_t least = lead == 0xf0 ? 0x90 : 0x80, most = lead == 0xf4 ? 0x8f : 0xbf;
    return left >= 4 && at[1] >= least && at[1] <= most && text_continues(at + 2, 2) ? 4 : 0;
}

/* Whether eight bytes are all of ASCII. */
static inline bool text_eight_ascii(const uint8_t *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* Whether the whole slice is well-formed UTF-8; *ret_at (may be NULL) is where it is not. */
static inline bool text_is_utf8(struct slice text, size_t *ret_at)
{
    for (size_t at = 0, len; at < text.len; at += len) {
        if (text.len - at >= 8 && text_eight_ascii(text.data + at)) {
            len = 8;
            continue;
        }
        len = text.data[at] < 0x80 ? 1 : text_utf8(text.data + at, text.data + text.len);
        if (len == 0) {
            if (ret_at)
                *ret_at = at;
            return false;
        }
    }
    return true;
}

/* A few bytes for a message: whole characters only, what cannot be printed as '?', "…" where more follows. */
#define TEXT_QUOTE 64
const char *text_quote(struct slice text, char into[TEXT_QUOTE]);
