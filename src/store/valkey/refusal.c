#include "store/valkey/refusal.h"

#include "base/int.h"

static const struct refusal ROWS[] = {
#define ROW(word, action, code, words) {word, REFUSAL_##action, SLUICE_ERROR_##code, words},
#include "store/valkey/reply_rows.h"
#undef ROW
};

/* The text up to a blank. */
static struct slice refusal_word(struct slice text)
{
    const uint8_t *end = text.len ? memchr(text.data, ' ', text.len) : NULL;
    return end ? slice_of(text.data, (size_t)(end - text.data)) : text;
}

static const struct refusal *refusal_row(struct slice word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        if (slice_equal(word, slice_of_text(ROWS[i].word)))
            return &ROWS[i];
    }
    return NULL;
}

const struct refusal *refusal_of(const struct reply *reply)
{
    struct slice word = reply->type == REPLY_ERROR ? refusal_word(reply->bytes) : SLICE_EMPTY;
    return word.len > 0 ? refusal_row(word) : NULL;
}

const struct refusal *refusal_lost(void)
{
    return refusal_row(slice_of_text("(nothing)"));
}

bool refusal_place(const struct reply *reply, const struct valkey_host *asked, struct arena *mem,
                   struct valkey_host *ret)
{
    struct slice text = reply->bytes;
    for (uint32_t words = 0; words < 2; words++) { /* the word, the slot */
        struct slice word = refusal_word(text);
        if (word.len == text.len)
            return false;
        text = slice_of(text.data + word.len + 1, text.len - word.len - 1);
    }
    const uint8_t *colon = memrchr(text.data, ':', text.len);
    uint64_t port;
    if (!colon)
        return false;
    struct slice host = slice_of(text.data, (size_t)(colon - text.data));
    if (!int_parse_u64(slice_of(colon + 1, text.len - host.len - 1), &port) || port == 0 || port > UINT16_MAX)
        return false;
    bool same = host.len == 0 || slice_equal(host, slice_of_text("?"));
    const char *name = arena_text(mem, same ? slice_of_text(asked->host) : host);
    *ret = (struct valkey_host){.host = (char *)(uintptr_t)name, .port = (uint16_t)port};
    return name != NULL;
}

bool refusal_set(const struct reply *reply, const struct valkey_host *at, const char *what, GError **error)
{
    const struct refusal *row = refusal_of(reply);
    enum error_code code = row ? row->code : SLUICE_ERROR_STORE;
    if (reply->type != REPLY_ERROR)
        return error_set(error, code, "%s:%u: %s: an answer of another kind than expected", at->host, at->port, what);
    return error_set(error, code, "%s:%u: %s: %.*s%s%s", at->host, at->port, what,
                     (int)MIN(reply->bytes.len, (size_t)300), (const char *)reply->bytes.data, row ? ": " : "",
                     row ? row->words : "");
}
