#include <openssl/evp.h>

#include "base/hex.h"
#include "base/int.h"
#include "record/text.h"
#include "store/valkey/form_parts.h"
#include "store/valkey/pack.h"
#include "store/valkey/template.h"

const struct form *form_of(const struct dataset *ds)
{
    switch (ds->form) {
    case FORM_DEFAULT:
        return valkey_name_is_template(ds->name) ? &form_hash : &form_raw;
    case FORM_HASH:
        return &form_hash;
    case FORM_JSON:
        return &form_json;
    case FORM_RAW:
        return &form_raw;
    case FORM_BSON:
        break;
    }
    return NULL;
}

/* --- the etag ----------------------------------------------------------------------------------------------------- */

/* The digest takes much at a time: small pieces are gathered first. */
struct form_work {
    EVP_MD_CTX *context;
    EVP_MD *sha1;
    size_t n;
    uint8_t gathered[4096];
};

struct form_work *form_work_new(void)
{
    struct form_work *work = g_new0(struct form_work, 1);
    work->context = EVP_MD_CTX_new();
    work->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    g_assert(work->context && work->sha1); /* every libcrypto has it: TLS and the servers' scripts need it */
    return work;
}

void form_work_free(struct form_work *work)
{
    if (!work)
        return;
    EVP_MD_CTX_free(work->context);
    EVP_MD_free(work->sha1);
    g_free(work);
}

/* Its calls fail where memory for a context is short, and where the program hands it nonsense. */
static void checked(int done)
{
    g_assert(done == 1);
}

static void flush(struct form_work *work)
{
    checked(EVP_DigestUpdate(work->context, work->gathered, work->n));
    work->n = 0;
}

static void gather(struct form_work *work, const void *bytes, size_t len)
{
    if (len > sizeof work->gathered - work->n)
        flush(work);
    if (len > sizeof work->gathered) {
        checked(EVP_DigestUpdate(work->context, bytes, len));
        return;
    }
    memcpy(work->gathered + work->n, bytes, len);
    work->n += len;
}

void form_etag_begin(struct form_work *work, char letter, int64_t expires_at_ms)
{
    uint8_t text[DECIMAL_MOST + 2] = {(uint8_t)letter};
    if (!work)
        return;
    uint8_t *end = int_put_decimal(text + 1, expires_at_ms);
    *end++ = ':';
    checked(EVP_DigestInit_ex2(work->context, work->sha1, NULL));
    work->n = 0;
    gather(work, text, (size_t)(end - text));
}

void form_etag_array(struct form_work *work, size_t n)
{
    uint8_t head[PACK_HEAD_MOST];
    if (work)
        gather(work, head, pack_array(head, n));
}

void form_etag_string(struct form_work *work, struct slice bytes)
{
    uint8_t head[PACK_HEAD_MOST];
    if (!work)
        return;
    gather(work, head, pack_string(head, bytes.len));
    gather(work, bytes.data, bytes.len);
}

void form_etag_end(struct form_work *work, struct etag *ret)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    if (!work)
        return;
    flush(work);
    checked(EVP_DigestFinal_ex(work->context, sum, NULL));
    hex_put(sum, VALKEY_ETAG_BYTES / 2, (char *)ret->bytes);
    ret->len = VALKEY_ETAG_BYTES;
}

/* --- images ------------------------------------------------------------------------------------------------------- */

bool form_too_big(struct slice key, GError **error)
{
    char quoted[TEXT_QUOTE];
    return error_set(error, SLUICE_ERROR_TOO_BIG, "key '%s': the record does not fit into the memory of a batch",
                     text_quote(key, quoted));
}

bool form_strange_reply(struct slice key, const struct reply *reply, GError **error)
{
    char quoted[TEXT_QUOTE], said[TEXT_QUOTE];
    if (reply->type == REPLY_ERROR)
        return error_set(error, SLUICE_ERROR_STORE, "key '%s' cannot be read: the server says '%s'",
                         text_quote(key, quoted), text_quote(reply->bytes, said));
    return error_set(error, SLUICE_ERROR_STORE, "key '%s': the server's reply is of another kind than its command has",
                     text_quote(key, quoted));
}

bool form_image_begin(const struct reply *replies, struct slice key, const char *no_such, struct record *ret,
                      bool *ret_more, GError **error)
{
    const struct reply *probe = &replies[0], *expiry = &replies[1];
    *ret = (struct record){.key = key, .presence = RECORD_ABSENT};
    *ret_more = false;
    if (reply_is_error(probe, "WRONGTYPE")) {
        ret->presence = RECORD_FAULT;
        ret->fault = (struct fault){SLUICE_ERROR_BAD_RECORD, no_such};
        return true;
    }
    if (probe->type == REPLY_ERROR)
        return form_strange_reply(key, probe, error);
    if (expiry->type != REPLY_INTEGER)
        return form_strange_reply(key, expiry, error);
    if (probe->type == REPLY_NULL || expiry->integer == FORM_EXPIRY_GONE)
        return true;
    ret->expires_at_ms = expiry->integer == FORM_EXPIRY_NONE ? EXPIRES_NEVER : expiry->integer;
    *ret_more = true;
    return true;
}

/* --- pairs -------------------------------------------------------------------------------------------------------- */

bool form_pairs_init(struct form_pairs *pairs, size_t n, GError **error)
{
    pairs->n = 0;
    pairs->many = n > FORM_FEW ? g_try_new(struct form_pair, n) : NULL;
    pairs->at = n > FORM_FEW ? pairs->many : pairs->few;
    return pairs->at || error_set(error, SLUICE_ERROR_TOO_BIG, "there is no memory for %zu fields", n);
}

bool form_pairs_grow(struct form_pairs *pairs, size_t n)
{
    struct form_pair *grown = g_try_renew(struct form_pair, pairs->many, n);
    if (!grown)
        return false;
    if (!pairs->many)
        memcpy(grown, pairs->few, pairs->n * sizeof *grown);
    pairs->many = pairs->at = grown;
    return true;
}

void form_pairs_done(struct form_pairs *pairs)
{
    g_free(pairs->many);
}

static int by_name(const void *a, const void *b)
{
    return slice_compare(((const struct form_pair *)a)->name, ((const struct form_pair *)b)->name);
}

/* What a document was written as comes back sorted; and most have a handful of fields. */
void form_pairs_sort(struct form_pairs *pairs)
{
    struct form_pair *at = pairs->at;
    if (pairs->n > FORM_FEW) {
        qsort(at, pairs->n, sizeof *at, by_name);
        return;
    }
    for (size_t i = 1; i < pairs->n; i++) {
        struct form_pair pair = at[i];
        size_t to = i;
        for (; to > 0 && slice_compare(at[to - 1].name, pair.name) > 0; to--)
            at[to] = at[to - 1];
        at[to] = pair;
    }
}

uint8_t *form_put_u32(uint8_t *into, size_t value)
{
    uint32_t little = GUINT32_TO_LE((uint32_t)value);
    return form_put(into, slice_of(&little, sizeof little));
}

bool form_pairs_write(struct form_pairs *pairs, struct slice begin, struct arena *mem, struct slice *ret,
                      GError **error)
{
    size_t room = begin.len;
    for (size_t i = 0; i < pairs->n; i++)
        room += pairs->at[i].name.len + pairs->at[i].value.len + (size_t)(2 * VARINT_MOST);
    uint8_t *raw = arena_alloc(mem, room), *at = raw;
    if (!raw)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record does not fit into the memory of a batch");
    form_pairs_sort(pairs);
    at = form_put(at, begin);
    for (size_t i = 0; i < pairs->n; i++)
        at = form_put_prefixed(form_put_prefixed(at, pairs->at[i].name), pairs->at[i].value);
    *ret = slice_of(raw, (size_t)(at - raw));
    arena_trim(mem, raw, room, ret->len);
    return true;
}
