/* Operations in calls of cas.lua. Records of one place that follow each other share a call: one look at the fence, one
 * mark. A call is bounded, because nobody else is served while it runs. */
#include <xxhash.h>

#include "base/int.h"
#include "store/valkey/form_parts.h"
#include "store/valkey/pack.h"
#include "store/valkey/together.h"

enum {
    VOLLEY_OPS = 32,
    VOLLEY_STRINGS = 64,
    VOLLEY_TOGETHER = 128, /* of strings that no script is handed */
    TOGETHER_LEAST = 8,
    PACED_OPS = 4,
    VOLLEY_BYTES = 64 << 10,
    IMAGE_BYTES = 256 << 10
};

/* What a call says of a record. */
struct loaded {
    uint32_t number, commands, hash; /* hash: of its key */
    int64_t expires_at_ms;
    struct slice etag;
    struct slice string; /* it is written by one SET, and this is its value; data NULL: by commands of the body */
};

/* A call that is being put together. */
struct loading {
    struct cas *cas;
    struct volley volley;
    uint32_t base;
    size_t bytes;
    size_t most;                            /* operations in a call */
    uint64_t number;                        /* of the operation that came last */
    struct loaded records[VOLLEY_TOGETHER]; /* as many as the volley has */
    size_t strings;                         /* of these */
    size_t new_strings;                     /* and of them, into nothing */
    GArray *body;                           /* of struct slice: the commands of the others, as struct form has them */
    GString *key;                           /* of the fence */
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

static bool is_beside(const struct cas *cas)
{
    return cas->call->ds->shadow != NULL;
}

/* --- one call ----------------------------------------------------------------------------------------------------- */

/* A raw string: RESTORE would have to take its payload apart, and we to put it together. */
static bool is_string(const struct cas *cas, const struct cas_op *op)
{
    return op->verb == CAS_PUT && cas->ds->form->form == FORM_RAW && valkey_is_string(op->raw) && !cas->apart &&
           !cas->shadow_keys && valkey_session_of(cas->session)->may_set;
}

/* Strings into nothing take a server a small part of what others do. */
static bool is_new_string(const struct cas *cas, const struct cas_op *op)
{
    return op->etag.len == 0 && is_string(cas, op);
}

static size_t most_with(const struct loading *loading, const struct flying *flying)
{
    const struct cas *cas = loading->cas;
    bool strings = loading->new_strings == loading->volley.n && is_new_string(cas, &cas->ops[flying->op]);
    if (!strings || loading->most != VOLLEY_OPS)
        return loading->most;
    return cas->may_together && !flying->called ? VOLLEY_TOGETHER : VOLLEY_STRINGS;
}

/* Two keys of one hash never share a call, nor does a number that is not above the one before it. */
static bool joins(const struct loading *loading, const struct flying *flying, uint32_t hash)
{
    const struct volley *volley = &loading->volley;
    const struct cas_op *op = &loading->cas->ops[flying->op];
    bool room = volley->n > 0 && volley->n < most_with(loading, flying) &&
                loading->bytes + op->raw.len <= VOLLEY_BYTES && !flying->alone;
    if (!room || volley->place != flying->place || op->number <= loading->number)
        return false;
    for (size_t i = 0; i < volley->n; i++)
        if (loading->records[i].hash == hash)
            return false;
    return true;
}

static void loading_begin(struct loading *loading, const struct flying *flying, size_t from)
{
    loading->volley = (struct volley){.from = from, .place = flying->place, .epoch = flying->epoch};
    loading->bytes = flying->alone ? VOLLEY_BYTES + 1 : 0;
    loading->strings = loading->new_strings = 0;
    g_array_set_size(loading->body, 0);
}

/* --- one call, packed -----------------------------------------------------------------------------------------------
 * One argument for all of it: a server takes long for each that it is handed. */

/* How many arguments follow the key of the command at `at`. */
static size_t args_of(const GArray *body, size_t at)
{
    uint64_t args = 0;
    bool counted = int_parse_u64(g_array_index(body, struct slice, at + 1), &args);
    g_assert(counted);
    return (size_t)args;
}

/* How many commands stand there from `at` on. */
static uint32_t commands_from(const GArray *body, size_t at)
{
    uint32_t n = 0;
    for (; at + 1 < body->len; n++)
        at += 2 + args_of(body, at);
    return n;
}

static uint8_t *put_string(uint8_t *into, struct slice text)
{
    return form_put(into + pack_string(into, text.len), text);
}

static uint8_t *put_text(uint8_t *into, const char *text)
{
    return put_string(into, slice_of_text(text));
}

static uint8_t *put_pruned(uint8_t *into, const struct cas *cas, const struct volley *volley)
{
    into += pack_array(into, 3 * volley->n_pruned);
    for (size_t i = 0; i < volley->n_pruned; i++) {
        const struct fence_field *field = &g_array_index(cas->pruned, struct fence_field, volley->pruned + i);
        uint8_t name[DECIMAL_MOST], head[MARKS_HEAD_BYTES];
        char tick[FENCE_TICK_BYTES];
        marks_head(field->lane, field->count, head);
        fence_tick_put(field->tick, tick);
        into = put_string(into, slice_of(name, (size_t)(int_put_decimal(name, field->part) - name)));
        into = put_string(into, slice_of(head, sizeof head));
        into = put_text(into, tick);
    }
    return into;
}

/* What is said of the call as a whole. */
static uint8_t *put_call(uint8_t *into, const struct loading *loading)
{
    const struct cas *cas = loading->cas;
    const struct volley *volley = &loading->volley;
    char epoch[FENCE_EPOCH_BYTES];
    uint8_t part[DECIMAL_MOST];
    fence_epoch_put(cas->store->fences, volley->epoch, epoch);
    into = put_text(into, epoch);
    into = put_string(into, slice_of(part, (size_t)(int_put_decimal(part, cas->lane->fence.part) - part)));
    into += pack_number(into, cas->lane->lane);
    into += pack_number(into, loading->base);
    into = put_text(into, cas->apart ? cas->apart->probe : cas->ds->form->probe);
    into += pack_number(into, IMAGE_BYTES);
    into += pack_number(into, (int64_t)valkey_most_bytes(cas->ds));
    into = put_text(into, is_beside(cas) ? "beside" : cas->shadow_keys ? "live" : "");
    return put_pruned(into, cas, volley);
}

/* Numbers, counts, expiries, etags, a list each; the last two are empty where there is nothing to say. */
static uint8_t *put_records(uint8_t *into, const struct loading *loading)
{
    const struct loaded *records = loading->records;
    size_t n = loading->volley.n, mortal = 0, stand = 0;
    for (size_t i = 0; i < n; i++) {
        mortal = records[i].expires_at_ms ? n : mortal;
        stand = records[i].etag.len ? n : stand;
    }
    into += pack_array(into, n);
    for (size_t i = 0; i < n; i++)
        into += pack_number(into, records[i].number);
    into += pack_array(into, n);
    for (size_t i = 0; i < n; i++)
        into += pack_number(into, records[i].commands);
    into += pack_array(into, mortal);
    for (size_t i = 0; i < mortal; i++)
        into += pack_number(into, records[i].expires_at_ms);
    into += pack_array(into, stand);
    for (size_t i = 0; i < stand; i++)
        into = put_string(into, records[i].etag);
    return into;
}

static size_t packed_bytes(const struct slice *words, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += pack_string_head(words[i].len) + words[i].len;
    return bytes;
}

static uint8_t *put_packed(uint8_t *into, const struct slice *words, size_t n)
{
    into += pack_string(into, packed_bytes(words, n));
    for (size_t i = 0; i < n; i++)
        into = put_string(into, words[i]);
    return into;
}

static uint8_t *put_each(uint8_t *into, const struct loading *loading, bool names, bool large)
{
    const struct slice *words = (const struct slice *)(const void *)loading->body->data;
    size_t at = 0;
    for (size_t i = 0; i < loading->volley.n; i++) {
        const struct loaded *record = &loading->records[i];
        if (record->string.data)
            into = names ? put_text(into, "SET") : put_packed(into, &record->string, 1);
        for (size_t k = record->string.data ? record->commands : 0; k < record->commands; k++) {
            size_t n = args_of(loading->body, at);
            if (names)
                into = put_string(into, words[at]);
            else if (large)
                into += pack_number(into, (int64_t)n);
            else
                into = put_packed(into, words + at + 2, n);
            at += 2 + n;
        }
    }
    return into;
}

static bool all_strings(const struct loading *loading)
{
    return loading->strings == loading->volley.n;
}

/* Names, and what follows their keys; or that all are strings. */
static uint8_t *put_commands(uint8_t *into, const struct loading *loading, bool large)
{
    enum { MIXED, SETS, SETS_TOGETHER };
    bool strings = all_strings(loading), together = valkey_session_of(loading->cas->session)->may_msetnx;
    size_t commands = 0;
    for (size_t i = 0; i < loading->volley.n && !strings; i++)
        commands += loading->records[i].commands;
    for (int names = 1; names >= 0; names--) {
        into += pack_array(into, commands);
        into = commands ? put_each(into, loading, names, large) : into;
    }
    return into + pack_number(into, !strings ? MIXED : together ? SETS_TOGETHER : SETS);
}

/* At most; what is not packed stays as it is. */
static size_t packed_room(const struct loading *loading, bool large)
{
    enum {
        CALL_MOST = FENCE_EPOCH_BYTES + DECIMAL_MOST + 64 + 20 * PACK_NUMBER,
        RECORD_MOST = 3 * PACK_NUMBER + 3 * PACK_HEAD_MOST + sizeof((struct etag *)0)->bytes + 4,
        PRUNED_MOST = 3 * PACK_HEAD_MOST + DECIMAL_MOST + MARKS_HEAD_BYTES + FENCE_TICK_BYTES,
    };
    size_t room = CALL_MOST + loading->volley.n * RECORD_MOST + loading->volley.n_pruned * PRUNED_MOST;
    for (size_t i = 0; i < loading->volley.n && !all_strings(loading); i++)
        room += 2 * PACK_HEAD_MOST + loading->records[i].string.len;
    for (guint i = 0; i < loading->body->len; i++)
        room += 2 * PACK_HEAD_MOST + (large ? 0 : g_array_index(loading->body, struct slice, i).len);
    return room + (large ? loading->body->len * (PACK_NUMBER + DECIMAL_MOST) : 0);
}

static bool packed_arg(struct loading *loading, bool large)
{
    struct cas *cas = loading->cas;
    size_t room = packed_room(loading, large);
    uint8_t *packed = arena_alloc(cas->mem, room);
    if (!packed)
        return false;
    uint8_t *end = put_commands(put_records(put_call(packed, loading), loading), loading, large);
    struct slice arg = slice_of(packed, (size_t)(end - packed));
    g_assert(arg.len <= room);
    arena_trim(cas->mem, packed, room, arg.len);
    g_array_append_val(cas->args, arg);
    return true;
}

/* What is too large to be packed, and the values of strings: a script takes longer to unpack them. */
static void whole_args(struct loading *loading)
{
    for (size_t i = 0; i < loading->volley.n && all_strings(loading); i++)
        g_array_append_val(loading->cas->args, loading->records[i].string);
    for (size_t at = 0; at + 1 < loading->body->len;) {
        size_t n = args_of(loading->body, at);
        g_array_append_vals(loading->cas->args, &g_array_index(loading->body, struct slice, at + 2), (guint)n);
        at += 2 + n;
    }
}

/* --- strings together: no call, but what together.c makes a transaction of ---------------------------------------- */

/* None expires, none takes the place of anything, and no number lacks between the first and the last. */
static bool goes_together(const struct loading *loading)
{
    const struct cas *cas = loading->cas;
    const struct volley *volley = &loading->volley;
    const struct loaded *records = loading->records;
    bool may = cas->may_together && volley->n >= TOGETHER_LEAST && loading->new_strings == volley->n &&
               volley->n_pruned == 0 && records[volley->n - 1].number - records[0].number == volley->n - 1;
    for (size_t i = 0; i < volley->n && may; i++)
        may = records[i].expires_at_ms == 0 && !flying_at(cas, volley->from + i)->called;
    return may;
}

/* What its commands share. */
struct together_words {
    struct slice fence, aside, name, part;
};

static bool together_words(struct loading *loading, struct together_words *ret)
{
    struct cas *cas = loading->cas;
    uint32_t part = cas->lane->fence.part;
    char name[3 * (DECIMAL_MOST + 1)], decimal[DECIMAL_MOST + 1];
    g_snprintf(decimal, sizeof decimal, "%u", part);
    g_snprintf(name, sizeof name, "%u.%u.%u", part, cas->lane->lane, loading->records[0].number);
    fence_key(cas->store->fences, cas->run, loading->volley.place, loading->key);
    bool fits = arena_copy(cas->mem, slice_of(loading->key->str, loading->key->len), &ret->fence);
    g_string_append(loading->key, ":aside");
    return fits && arena_copy(cas->mem, slice_of(loading->key->str, loading->key->len), &ret->aside) &&
           arena_copy(cas->mem, slice_of_text(name), &ret->name) &&
           arena_copy(cas->mem, slice_of_text(decimal), &ret->part);
}

static void script_words(GArray *args, const struct together_words *words)
{
    const struct slice call[] = {slice_of_text("EVALSHA"),
                                 slice_of_text(script_together.sha),
                                 slice_of_text("2"),
                                 words->fence,
                                 words->aside,
                                 words->name,
                                 words->part};
    g_array_append_vals(args, call, G_N_ELEMENTS(call));
}

/* Its five commands, one behind the other, as together_parts() takes them apart. */
static bool together_args(struct loading *loading)
{
    struct cas *cas = loading->cas;
    const struct volley *volley = &loading->volley;
    struct together_words words;
    if (!together_words(loading, &words))
        return false;
    const struct slice stands[] = {slice_of_text("HSET"), words.fence, slice_of_text("o"), slice_of_text("")},
                       sets[] = {slice_of_text("MSETNX"), words.fence, slice_of_text("1")},
                       removes[] = {slice_of_text("HDEL"), words.fence, slice_of_text("o")};
    g_array_append_vals(cas->args, stands, G_N_ELEMENTS(stands));
    script_words(cas->args, &words);
    bool fits = epoch_arg(cas, volley->epoch) && number_arg(cas, cas->lane->lane) && number_arg(cas, loading->base) &&
                number_arg(cas, loading->records[0].number) && number_arg(cas, loading->records[volley->n - 1].number);
    g_array_append_vals(cas->args, sets, G_N_ELEMENTS(sets));
    for (size_t i = 0; i < volley->n; i++) {
        g_array_append_val(cas->args, cas->server_keys[flying_at(cas, volley->from + i)->op]);
        g_array_append_val(cas->args, loading->records[i].string);
    }
    script_words(cas->args, &words);
    g_array_append_vals(cas->args, removes, G_N_ELEMENTS(removes));
    return fits;
}

/* --- its end ------------------------------------------------------------------------------------------------------ */

static bool volley_end(struct loading *loading, bool fits)
{
    struct cas *cas = loading->cas;
    loading->volley.n_args = cas->args->len - loading->volley.first;
    g_array_append_val(cas->volleys, loading->volley);
    loading->volley.n = 0;
    return fits;
}

static bool loading_end(struct loading *loading)
{
    struct cas *cas = loading->cas;
    struct volley *volley = &loading->volley;
    bool large = loading->bytes > VOLLEY_BYTES && !loading->strings;
    if (!volley->n)
        return true;
    volley->first = cas->args->len;
    volley->together = goes_together(loading);
    if (volley->together)
        return volley_end(loading, together_args(loading));
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
    fits = fits && packed_arg(loading, large);
    if (large || all_strings(loading))
        whole_args(loading);
    return volley_end(loading, fits);
}

/* --- what goes into it -------------------------------------------------------------------------------------------- */

static int64_t expiry_of(const struct cas *cas, const struct cas_op *op)
{
    if (op->verb != CAS_PUT)
        return is_beside(cas) ? VALKEY_SHADOW_DELETED_MS : 0;
    bool later = is_beside(cas) && op->expires_at_ms != EXPIRES_NEVER;
    return op->expires_at_ms + (later ? VALKEY_SHADOW_LATER_MS : 0);
}

/* The commands that write it, or what stands for them where its value is there already. */
static bool add_commands(struct loading *loading, const struct cas_op *op, bool moves, GError **error)
{
    struct cas *cas = loading->cas;
    static const char *const DELETION[] = {"SET", "1", ""};
    for (size_t i = 0; op->verb != CAS_PUT && is_beside(cas) && i < G_N_ELEMENTS(DELETION); i++)
        text_arg(loading->body, DELETION[i]);
    if (op->verb != CAS_PUT)
        return true;
    if (!moves && (!cas->apart || !cas->apart->hidden.len))
        return cas->ds->form->write_args(op->raw, cas->mem, loading->body, error);
    text_arg(loading->body, "RENAME");
    text_arg(loading->body, "0");
    return true;
}

/* A single SET behind `before` is taken out of the body again: its value; data NULL: there is none. */
static struct slice take_set(struct loading *loading, size_t before)
{
    enum { SET_WORDS = 3 };
    GArray *body = loading->body;
    if (body->len != before + SET_WORDS ||
        !slice_equal(g_array_index(body, struct slice, before), slice_of_text("SET")))
        return SLICE_EMPTY;
    struct slice value = g_array_index(body, struct slice, body->len - 1);
    g_array_set_size(body, (unsigned)before);
    return value;
}

/* False: its value cannot be written; nothing of it was added. */
static bool loading_add(struct loading *loading, const struct flying *flying, uint32_t hash)
{
    struct cas *cas = loading->cas;
    struct cas_op *op = &cas->ops[flying->op];
    bool watched = cas->apart && cas->apart->watch, string = is_string(cas, op);
    GError *failed = NULL;
    size_t before = loading->body->len;
    bool moves = cas->shadow_keys && !is_beside(cas) && !flying->by_value;
    if (!string && !add_commands(loading, op, moves, &failed)) {
        g_array_set_size(loading->body, (unsigned)before);
        return cas_refuse_with(cas, op, failed);
    }
    struct slice value = string ? slice_of(op->raw.data + 2, op->raw.len - 2) : take_set(loading, before);
    loading->records[loading->volley.n++] =
        (struct loaded){.number = (uint32_t)op->number,
                        .commands = value.data ? 1 : commands_from(loading->body, before),
                        .hash = hash,
                        .expires_at_ms = expiry_of(cas, op),
                        .etag = watched ? slice_of_text("*") : slice_of(op->etag.bytes, op->etag.len),
                        .string = value};
    if (flying->n_pruned) {
        loading->volley.pruned = flying->pruned;
        loading->volley.n_pruned = flying->n_pruned;
    }
    loading->strings += value.data != NULL;
    loading->new_strings += is_new_string(cas, op);
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
        char field[FENCE_FIELD_BYTES];
        fence_record_field(cas->store->fences, record->part->part, record->home, field);
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
    bool paced = routes_pace(cas->store->routes) != NULL;
    cas->may_together = !paced && together_may(cas->session);
    struct loading loading = {.cas = cas,
                              .base = base,
                              .most = paced ? PACED_OPS : VOLLEY_OPS,
                              .body = g_array_new(false, false, sizeof(struct slice)),
                              .key = g_string_new(NULL)};
    g_array_set_size(cas->args, 0);
    g_array_set_size(cas->volleys, 0);
    bool fits = load_all(&loading) && record_args(cas, loading.key);
    g_array_unref(loading.body);
    g_string_free(loading.key, TRUE);
    return fits;
}
