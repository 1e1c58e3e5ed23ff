/* What stands under keys of servers, as hash, JSON or opaque value: from the replies to reading one to a record, its
 * document, and back. The first byte says which form, the second what the rest is: replies, sluice's own bytes, or a
 * document as JSON. What is taken comes back from the server as it was written there; a document that a form holds it
 * gives back to the same bytes; a digest that is told without a document is that of the document. */
#include "fuzz.h"
#include "parts.h"
#include "record/digest.h"
#include "record/document.h"
#include "store/valkey/form.h"

enum { MEM_BYTES = 16 << 20, PARTS_MOST = 512, SEED = 7 };

static const struct slice KEY = {(const uint8_t *)"k", 1};
static const struct dataset DS = {.name = "d"};

/* --- replies ------------------------------------------------------------------------------------------------------ */

static size_t split(struct slice rest, struct reply *ret)
{
    size_t n = 0;
    while (n < PARTS_MOST && rest.len > 0)
        ret[n++] = (struct reply){.type = REPLY_BYTES, .bytes = next_part(&rest)};
    return n;
}

/* `kind`: of the probe's reply and of the expiry's. */
static void make_replies(uint8_t kind, struct slice rest, struct reply *parts, struct reply ret[2])
{
    static struct reply pairs[PARTS_MOST / 2]; /* one thread */
    static const enum reply_type WHOLE[] = {REPLY_BYTES, REPLY_ERROR, REPLY_STATUS, REPLY_NULL, REPLY_INTEGER};
    static const int64_t EXPIRIES[] = {-1, -2, 0, 1, INT64_C(1790000000123), INT64_MAX, INT64_MIN};
    size_t n = split(rest, parts);
    unsigned way = kind % 8;
    if (way == 0 || way == 1)
        ret[0] = (struct reply){.type = way ? REPLY_MAP : REPLY_ARRAY, .items = parts, .n = way ? n & ~(size_t)1 : n};
    else if (way == 2) {
        for (size_t i = 0; i < n / 2; i++)
            pairs[i] = (struct reply){.type = REPLY_ARRAY, .items = &parts[2 * i], .n = 2};
        ret[0] = (struct reply){.type = REPLY_ARRAY, .items = pairs, .n = n / 2};
    } else
        ret[0] = (struct reply){.type = WHOLE[way - 3], .bytes = rest};
    ret[1] = (struct reply){.type = kind >= 0xf0 ? REPLY_NULL : REPLY_INTEGER,
                            .integer = EXPIRIES[kind / 8 % G_N_ELEMENTS(EXPIRIES)]};
}

/* --- there and back ----------------------------------------------------------------------------------------------- */

/* What a server has that was told so, as it answers the form's probe. */
static struct reply stored(const struct form *form, const GArray *args, struct arena *mem)
{
    const struct slice *words = (const struct slice *)(void *)args->data;
    struct reply reply = {.type = REPLY_ARRAY, .items = arena_alloc(mem, args->len * sizeof *reply.items)};
    if (form->form == FORM_JSON || form->form == FORM_RAW) {
        g_assert(slice_equal(words[0], slice_of_text(form->form == FORM_JSON ? "SET" : "RESTORE")));
        return (struct reply){.type = REPLY_BYTES, .bytes = words[form->form == FORM_JSON ? 2 : 3]};
    }
    g_assert(reply.items);
    for (guint i = 0; i < args->len;) {
        g_autofree char *count = g_strndup((const char *)words[i + 1].data, words[i + 1].len);
        guint n = (guint)g_ascii_strtoull(count, NULL, 10);
        g_assert(slice_equal(words[i], slice_of_text("HSET")) && n > 0 && n % 2 == 0 && n <= 4000);
        g_assert(i + 2 + n <= args->len);
        for (guint at = i + 2; at < i + 2 + n; at++)
            reply.items[reply.n++] = (struct reply){.type = REPLY_BYTES, .bytes = words[at]};
        i += 2 + n;
    }
    return reply;
}

static void write_back(const struct form *form, struct slice raw, struct arena *mem)
{
    g_autoptr(GArray) args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    auto_(form_work) work = form_work_new();
    struct record image;
    if (!form->write_args(raw, mem, args, NULL))
        return;
    struct reply replies[] = {stored(form, args, mem), {.type = REPLY_INTEGER, .integer = -1}};
    if (form->image(replies, KEY, work, mem, &image, NULL))
        g_assert(image.presence == RECORD_PRESENT && slice_equal(image.raw, raw));
}

static void check_document(const struct form *form, struct slice document, struct arena *mem)
{
    struct slice raw, back, again;
    if (!form->encode(&DS, document, mem, &raw, NULL))
        return;
    write_back(form, raw, mem);
    g_assert(form->decode(&DS, raw, mem, &back, NULL) || form->form != FORM_HASH || arena_used(mem) > MEM_BYTES / 2);
    if (form->decode(&DS, raw, mem, &back, NULL) && form->encode(&DS, back, mem, &again, NULL))
        g_assert(slice_equal(raw, again));
}

/* `own`: the server gave them, they did not come from elsewhere. */
static void check_raw(const struct form *form, struct slice raw, bool own, struct arena *mem)
{
    struct slice document;
    struct digest quick, slow;
    bool told = form->digest && form->digest(raw, SEED, &quick);
    g_autoptr(GError) failed = NULL;
    if (!form->decode(&DS, raw, mem, &document, &failed)) {
        g_assert(failed && g_utf8_validate(failed->message, -1, NULL));
        g_assert(!told || error_is(failed, SLUICE_ERROR_TOO_BIG));
        return;
    }
    if (document_check(document, &failed)) {
        if (own)
            check_document(form, document, mem);
    } else {
        g_assert(strstr(failed->message, "stands twice")); /* no server has a field twice */
    }
    if (told)
        g_assert(digest_canonical(document, SEED, &slow, NULL) && digest_equal(quick, slow));
}

static void from_replies(const struct form *form, uint8_t kind, struct slice rest, struct arena *mem)
{
    struct reply parts[PARTS_MOST], replies[2];
    auto_(form_work) work = form_work_new();
    struct record image, bare;
    g_autoptr(GError) failed = NULL;
    make_replies(kind, rest, parts, replies);
    bool ok = form->image(replies, KEY, work, mem, &image, &failed);
    g_assert(form->image(replies, KEY, NULL, mem, &bare, NULL) == ok || error_is(failed, SLUICE_ERROR_TOO_BIG));
    if (!ok) {
        g_assert(g_utf8_validate(failed->message, -1, NULL));
        return;
    }
    g_assert(bare.presence == image.presence && bare.expires_at_ms == image.expires_at_ms);
    if (image.presence == RECORD_FAULT)
        g_assert(image.fault.text && g_utf8_validate(image.fault.text, -1, NULL));
    if (image.presence != RECORD_PRESENT)
        return;
    g_assert(image.etag.len == VALKEY_ETAG_BYTES && bare.etag.len == 0 && slice_equal(image.raw, bare.raw));
    if (kind % 8 != 1 || form->form != FORM_HASH)
        write_back(form, image.raw, mem);
    check_raw(form, image.raw, true, mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const enum dataset_form FORMS[] = {FORM_HASH, FORM_JSON, FORM_RAW};
    if (len < 3)
        return 0;
    struct dataset ds = {.name = "d", .form = FORMS[data[0] % G_N_ELEMENTS(FORMS)]};
    const struct form *form = form_of(&ds);
    auto_(arena) mem = arena_new(MEM_BYTES);
    g_autoptr(GArray) args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    struct slice rest = slice_of(data + 3, len - 3), document;
    switch (data[1] % 3) {
    case 0:
        from_replies(form, data[2], rest, mem);
        break;
    case 1:
        check_raw(form, rest, false, mem);
        form->write_args(rest, mem, args, NULL);
        break;
    default:
        if (document_from_json(rest, mem, &document, NULL, NULL))
            check_document(form, document, mem);
        break;
    }
    return 0;
}
