/* Operations in calls of cas.lua. Records of one place that follow each other share a call: one look at the fence, one
 * mark. A call is bounded, because nobody else is served while it runs. */
#include <xxhash.h>

#include "base/int.h"
#include "store/valkey/write_parts.h"

enum { VOLLEY_OPS = 32, VOLLEY_BYTES = 64 << 10, IMAGE_BYTES = 256 << 10, FIELD_BYTES = 16 };

/* A call that is being put together. */
struct loading {
    struct cas *cas;
    struct volley volley;
    uint32_t base;
    size_t bytes;
    uint64_t number;             /* of the operation that came last */
    uint32_t hashes[VOLLEY_OPS]; /* of its keys */
    GByteArray *heads;
    GArray *body; /* of struct slice: of each record its etag and commands */
    GString *key; /* of the fence */
};

/* --- arguments ---------------------------------------------------------------------------------------------------- */

static void text_arg(GArray *into, const char *text)
{
    struct slice arg = slice_of_text(text);
    g_array_append_val(into, arg);
}

static bool bytes_arg(struct cas *cas, const void *bytes, size_t len)
{
    struct slice arg;
    if (!arena_copy(cas->mem, slice_of(bytes, len), &arg))
        return false;
    g_array_append_val(cas->args, arg);
    return true;
}

static bool number_arg(struct cas *cas, int64_t number)
{
    uint8_t text[DECIMAL_MOST];
    return bytes_arg(cas, text, (size_t)(int_put_decimal(text, number) - text));
}

static bool fence_arg(struct cas *cas, uint32_t place, GString *key)
{
    fence_key(cas->store->fences, cas->run, place, key);
    return bytes_arg(cas, key->str, key->len);
}

static bool epoch_arg(struct cas *cas, uint64_t epoch)
{
    char text[FENCE_EPOCH_BYTES];
    fence_epoch_put(cas->store->fences, epoch, text);
    return bytes_arg(cas, text, strlen(text));
}

static bool prune_args(struct cas *cas, const struct volley *volley)
{
    bool fits = number_arg(cas, (int64_t)volley->n_pruned);
    for (size_t i = 0; i < volley->n_pruned && fits; i++) {
        const struct fence_field *field = &g_array_index(cas->pruned, struct fence_field, volley->pruned + i);
        uint8_t head[MARKS_HEAD_BYTES];
        marks_head(field->lane, field->count, head);
        char tick[FENCE_TICK_BYTES];
        fence_tick_put(field->tick, tick);
        fits = number_arg(cas, field->part) && bytes_arg(cas, head, sizeof head) &&
               bytes_arg(cas, tick, FENCE_TICK_BYTES - 1);
    }
    return fits;
}

static bool is_beside(const struct cas *cas)
{
    return cas->call->ds->shadow != NULL;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

/* Two keys of one hash never share a call, nor does a number that is not above the one before it. */
static bool joins(const struct loading *loading, const struct flying *flying, uint32_t hash)
{
    const struct volley *volley = &loading->volley;
    const struct cas_op *op = &loading->cas->ops[flying->op];
    bool room =
        volley->n > 0 && volley->n < VOLLEY_OPS && loading->bytes + op->raw.len <= VOLLEY_BYTES && !flying->alone;
    if (!room || volley->place != flying->place || op->number <= loading->number)
        return false;
    for (size_t i = 0; i < volley->n; i++)
        if (loading->hashes[i] == hash)
            return false;
    return true;
}

static void loading_begin(struct loading *loading, const struct flying *flying, size_t from)
{
    loading->volley = (struct volley){.from = from, .place = flying->place, .epoch = flying->epoch};
    loading->bytes = flying->alone ? VOLLEY_BYTES + 1 : 0;
    g_byte_array_set_size(loading->heads, 0);
    g_array_set_size(loading->body, 0);
}

static bool loading_end(struct loading *loading)
{
    struct cas *cas = loading->cas;
    struct volley *volley = &loading->volley;
    uint8_t marks[MARKS_LEAST_BYTES];
    if (!volley->n)
        return true;
    volley->first = cas->args->len;
    text_arg(cas->args, "EVALSHA");
    text_arg(cas->args, script_cas.sha);
    bool moves = cas->apart && cas->apart->hidden.len;
    size_t keys = volley->n + 1 + moves + (cas->shadow_keys ? volley->n : 0);
    bool fits = number_arg(cas, (int64_t)keys) && fence_arg(cas, volley->place, loading->key);
    for (size_t i = 0; i < volley->n; i++)
        g_array_append_val(cas->args, cas->server_keys[flying_at(cas, volley->from + i)->op]);
    for (size_t i = 0; cas->shadow_keys && i < volley->n; i++)
        g_array_append_val(cas->args, cas->shadow_keys[flying_at(cas, volley->from + i)->op]);
    if (moves)
        g_array_append_val(cas->args, cas->apart->hidden);
    marks_begin(cas->lane->lane, 0, loading->base, marks);
    fits = fits && epoch_arg(cas, volley->epoch) && number_arg(cas, cas->lane->fence.part) &&
           bytes_arg(cas, marks, sizeof marks);
    text_arg(cas->args, cas->apart ? cas->apart->probe : cas->ds->form->probe);
    fits = fits && bytes_arg(cas, loading->heads->data, loading->heads->len) && number_arg(cas, IMAGE_BYTES) &&
           number_arg(cas, (int64_t)valkey_most_bytes(cas->ds));
    text_arg(cas->args, is_beside(cas) ? "beside" : cas->shadow_keys ? "live" : "");
    fits = fits && prune_args(cas, volley);
    g_array_append_vals(cas->args, loading->body->data, loading->body->len);
    volley->n_args = cas->args->len - volley->first;
    g_array_append_val(cas->volleys, *volley);
    volley->n = 0;
    return fits;
}

/* How many commands the arguments from `at` on are. */
static uint32_t commands_from(const GArray *body, size_t at)
{
    uint32_t n = 0;
    for (; at + 1 < body->len; n++) {
        uint64_t args = 0;
        bool counted = int_parse_u64(g_array_index(body, struct slice, at + 1), &args);
        g_assert(counted);
        at += 2 + (size_t)args;
    }
    return n;
}

static int64_t expiry_of(const struct cas *cas, const struct cas_op *op)
{
    if (op->verb != CAS_PUT)
        return is_beside(cas) ? VALKEY_SHADOW_DELETED_MS : 0;
    bool later = is_beside(cas) && op->expires_at_ms != EXPIRES_NEVER;
    return op->expires_at_ms + (later ? VALKEY_SHADOW_LATER_MS : 0);
}

static void put_head(struct loading *loading, const struct cas_op *op, uint32_t commands)
{
    put_u32(loading->heads, (uint32_t)op->number);
    put_u32(loading->heads, commands);
    put_u64(loading->heads, (uint64_t)expiry_of(loading->cas, op));
}

/* A raw string: RESTORE would have to take its payload apart, and we to put it together. */
static void put_string(struct slice raw, GArray *into)
{
    struct slice value = slice_of(raw.data + 2, raw.len - 2);
    text_arg(into, "SET");
    text_arg(into, "1");
    g_array_append_val(into, value);
}

/* The commands that write it, or what stands for them where its value is there already. */
static bool put_commands(struct loading *loading, const struct cas_op *op, bool moves, GError **error)
{
    struct cas *cas = loading->cas;
    static const char *const DELETION[] = {"SET", "1", ""};
    for (size_t i = 0; op->verb != CAS_PUT && is_beside(cas) && i < G_N_ELEMENTS(DELETION); i++)
        text_arg(loading->body, DELETION[i]);
    if (op->verb != CAS_PUT)
        return true;
    bool string = cas->ds->form->form == FORM_RAW && valkey_is_string(op->raw);
    if (string && !cas->apart && !cas->shadow_keys && valkey_session_of(cas->session)->may_set) {
        put_string(op->raw, loading->body);
        return true;
    }
    if (!moves && (!cas->apart || !cas->apart->hidden.len))
        return cas->ds->form->write_args(op->raw, cas->mem, loading->body, error);
    text_arg(loading->body, "RENAME");
    text_arg(loading->body, "0");
    return true;
}

/* False: its value cannot be written; nothing of it was added. */
static bool loading_add(struct loading *loading, const struct flying *flying, uint32_t hash)
{
    struct cas *cas = loading->cas;
    struct cas_op *op = &cas->ops[flying->op];
    bool watched = cas->apart && cas->apart->watch;
    struct slice etag = watched ? slice_of_text("*") : slice_of(op->etag.bytes, op->etag.len);
    GError *failed = NULL;
    size_t before = loading->body->len;
    g_array_append_val(loading->body, etag);
    bool moves = cas->shadow_keys && !is_beside(cas) && !flying->by_value;
    if (!put_commands(loading, op, moves, &failed)) {
        g_array_set_size(loading->body, (unsigned)before);
        return cas_refuse_with(cas, op, failed);
    }
    put_head(loading, op, commands_from(loading->body, before + 1));
    if (flying->n_pruned) {
        loading->volley.pruned = flying->pruned;
        loading->volley.n_pruned = flying->n_pruned;
    }
    loading->hashes[loading->volley.n++] = hash;
    loading->bytes += op->raw.len;
    loading->number = op->number;
    return true;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

static bool load_all(struct loading *loading)
{
    struct cas *cas = loading->cas;
    size_t kept = 0;
    for (size_t i = 0; i < cas->flying->len; i++) {
        struct flying flying = *flying_at(cas, i);
        struct slice key = cas->server_keys[flying.op];
        uint32_t hash = (uint32_t)XXH3_64bits(key.data, key.len);
        if (!joins(loading, &flying, hash)) {
            if (!loading_end(loading))
                return false;
            loading_begin(loading, &flying, kept);
        }
        bool added = loading_add(loading, &flying, hash);
        *flying_at(cas, i) = *flying_at(cas, kept);
        *flying_at(cas, kept) = flying;
        kept += added;
    }
    g_array_set_size(cas->flying, (unsigned)kept);
    return loading_end(loading);
}

static bool record_args(struct cas *cas, GString *key)
{
    bool fits = true;
    for (size_t i = 0; i < cas->records->len && fits; i++) {
        struct record_flight *record = cas->records->pdata[i];
        char field[FIELD_BYTES];
        g_snprintf(field, sizeof field, "l%u", record->part->part);
        record->first = cas->args->len;
        text_arg(cas->args, "EVALSHA");
        text_arg(cas->args, script_record.sha);
        text_arg(cas->args, "1");
        fits =
            fence_arg(cas, record->home, key) && epoch_arg(cas, record->epoch) && bytes_arg(cas, field, strlen(field));
        struct slice bytes = slice_of(record->bytes->data, record->bytes->len);
        g_array_append_val(cas->args, bytes);
    }
    return fits;
}

bool cas_volleys(struct cas *cas, uint32_t base)
{
    struct loading loading = {.cas = cas,
                              .base = base,
                              .heads = g_byte_array_new(),
                              .body = g_array_new(false, false, sizeof(struct slice)),
                              .key = g_string_new(NULL)};
    g_array_set_size(cas->args, 0);
    g_array_set_size(cas->volleys, 0);
    bool fits = load_all(&loading) && record_args(cas, loading.key);
    g_byte_array_unref(loading.heads);
    g_array_unref(loading.body);
    g_string_free(loading.key, TRUE);
    return fits;
}
