#include "spec/moment.h"

#include <string.h>

#include "base/units.h"
#include "record/datetime.h"

static bool expected(const char *text, const char *why, GError **error)
{
    return error_set(error, SLUICE_ERROR_SPEC,
                     "'%s': expected a time such as 2026-07-10, 2026-07-10T12:00:00Z, '2026-07-10 Europe/Berlin' or "
                     "'2026-07-10 + 2d'%s%s",
                     text, why ? "; " : "", why ? why : "");
}

/* The words of the text, a sign as one of its own: `+2d` is two. */
static GPtrArray *words_of(const char *text)
{
    GPtrArray *words = g_ptr_array_new_with_free_func(g_free);
    for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " ")) {
        bool sign = *at == '+' || *at == '-';
        size_t len = sign ? 1 : strcspn(at, " ");
        g_ptr_array_add(words, g_strndup(at, len));
        at += len;
    }
    return words;
}

static bool is_sign(const char *word)
{
    return strcmp(word, "+") == 0 || strcmp(word, "-") == 0;
}

static bool add_duration(const char *sign, const char *duration, int64_t *io)
{
    int64_t ms, us;
    return units_parse_duration_ms(duration, &ms, NULL) && !__builtin_mul_overflow(ms, INT64_C(1000), &us) &&
           !(*sign == '+' ? __builtin_add_overflow(*io, us, io) : __builtin_sub_overflow(*io, us, io));
}

/* The time itself: *ret_n words of it. */
static bool take_time(const GPtrArray *words, int64_t *ret, guint *ret_n, GError **error)
{
    bool zone = words->len > 1 && !is_sign(words->pdata[1]);
    struct slice text = slice_of_text(words->pdata[0]);
    *ret_n = zone ? 2 : 1;
    return datetime_parse_us(text, zone ? DATETIME_ZONE_NAMED : DATETIME_ZONE_UTC, zone ? words->pdata[1] : NULL, ret,
                             error);
}

bool moment_parse_us(const char *text, int64_t *ret, GError **error)
{
    g_autoptr(GPtrArray) words = words_of(text);
    g_autoptr(GError) failed = NULL;
    int64_t us = 0;
    guint n = 0;
    if (words->len == 0)
        return expected(text, NULL, error);
    if (!take_time(words, &us, &n, &failed))
        return expected(text, failed->message, error);
    for (guint i = n; i < words->len; i += 2)
        if (!is_sign(words->pdata[i]) || i + 1 == words->len ||
            !add_duration(words->pdata[i], words->pdata[i + 1], &us))
            return expected(text, "after the time stand '+' or '-' and a duration, with blanks between them", error);
    *ret = us;
    return true;
}
