#include "catalog/ledger.h"

#include <sodium.h>

#include "catalog/inside.h"

enum { VERIFY_STEP = 256 };

/* --- what is digested (docs/formats/ledger.md)
 * ------------------------------------------------------------------------ */

static const char MAGIC[] = "sluice ledger 1\n";
#define ABSENT UINT32_MAX

/* Every column of an entry but its own digest, in the order of the row. */
enum {
    FIELD_NUMBER,
    FIELD_AT,
    FIELD_ACTOR,
    FIELD_ACTION,
    FIELD_REASON,
    FIELD_RUN,
    FIELD_PLAN,
    FIELD_SPEC,
    FIELD_CONTRACT,
    FIELD_TRANSFORM,
    FIELD_DETAILS,
    FIELD_PREVIOUS,
    FIELD_COUNT
};

struct field {
    bool absent;
    struct slice bytes;
};

static void digest_field(crypto_generichash_state *state, const struct field *field)
{
    g_assert(field->bytes.len < ABSENT);
    uint32_t len = GUINT32_TO_LE(field->absent ? ABSENT : (uint32_t)field->bytes.len);
    crypto_generichash_update(state, (const uint8_t *)&len, sizeof len);
    if (!field->absent && field->bytes.len > 0)
        crypto_generichash_update(state, field->bytes.data, field->bytes.len);
}

static void digest_fields(const struct field fields[FIELD_COUNT], uint8_t ret[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, (const uint8_t *)MAGIC, sizeof MAGIC - 1);
    for (int i = 0; i < FIELD_COUNT; i++)
        digest_field(&state, &fields[i]);
    crypto_generichash_final(&state, ret, 32);
}

static struct field field_text(const char *text)
{
    return (struct field){.absent = !text, .bytes = text ? slice_of_text(text) : SLICE_EMPTY};
}

static struct field field_digest(const uint8_t digest[32])
{
    return (struct field){.bytes = slice_of(digest, 32)};
}

static void number_put(uint64_t number, uint8_t into[8])
{
    number = GUINT64_TO_LE(number);
    memcpy(into, &number, 8);
}

void ledger_entry_digest(const struct ledger_entry *entry, uint8_t ret[32])
{
    uint8_t number[8], at[8];
    number_put(entry->number, number);
    number_put((uint64_t)entry->at_ms, at);
    struct field fields[FIELD_COUNT] = {
        [FIELD_NUMBER] = {.bytes = slice_of(number, 8)},
        [FIELD_AT] = {.bytes = slice_of(at, 8)},
        [FIELD_ACTOR] = field_text(entry->actor),
        [FIELD_ACTION] = field_text(entry->action),
        [FIELD_REASON] = field_text(entry->reason),
        [FIELD_RUN] = field_text(entry->run),
        [FIELD_PLAN] = field_digest(entry->digests.plan),
        [FIELD_SPEC] = field_digest(entry->digests.spec),
        [FIELD_CONTRACT] = field_digest(entry->digests.contract),
        [FIELD_TRANSFORM] = field_digest(entry->digests.transform),
        [FIELD_DETAILS] = field_text(entry->details),
        [FIELD_PREVIOUS] = field_digest(entry->previous),
    };
    digest_fields(fields, ret);
}

/* --- writing
 * ---------------------------------------------------------------------------------------------------------- */

static bool head_read(struct catalog *catalog, uint64_t *ret_number, uint8_t ret_digest[32], GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_LEDGER_HEAD);
    if (!query_row(query, &row, error))
        return false;
    *ret_number = 0;
    memset(ret_digest, 0, 32);
    if (!row)
        return true;
    *ret_number = query_u64(query);
    query_fixed(query, ret_digest, 32);
    return query_ok(query, error);
}

static bool entry_write(struct catalog *catalog, const struct ledger_entry *entry, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_LEDGER_NEW);
    query_put_u64(query, entry->number);
    query_put_i64(query, entry->at_ms);
    query_put_text(query, entry->actor);
    query_put_text(query, entry->action);
    query_put_text(query, entry->reason);
    query_put_text(query, entry->run);
    plan_digests_put(query, &entry->digests);
    query_put_text(query, entry->details);
    query_put_bytes(query, slice_of(entry->previous, sizeof entry->previous));
    query_put_bytes(query, slice_of(entry->digest, sizeof entry->digest));
    return query_run(query, error);
}

bool ledger_add(struct catalog *catalog, const struct ledger_entry *entry, GError **error)
{
    uint64_t head;
    struct ledger_entry next = *entry;
    g_assert(entry->actor && *entry->actor && entry->action && *entry->action);
    if (!head_read(catalog, &head, next.previous, error))
        return false;
    next.number = head + 1;
    next.at_ms = world_wall_ms(catalog->world);
    ledger_entry_digest(&next, next.digest);
    return entry_write(catalog, &next, error);
}

json_t *ledger_json_text(const char *text)
{
    g_autofree char *valid = text ? g_utf8_make_valid(text, -1) : NULL;
    return valid ? json_string(valid) : json_null();
}

/* One form of a JSON object: keys sorted, no blanks. */
static char *canonical(json_t *object)
{
    return json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
}

static bool details_read(const char *given, json_t **ret, GError **error)
{
    json_error_t fault;
    json_t *object = given ? json_loads(given, JSON_REJECT_DUPLICATES, &fault) : json_object();
    if (!object || !json_is_object(object)) {
        json_decref(object);
        return error_set(error, SLUICE_ERROR_INTERNAL, "the details of a ledger entry are no JSON object: %s", given);
    }
    *ret = object;
    return true;
}

/* `own` is taken over. *ret NULL: there are none. */
static bool details_join(const char *given, json_t *own, char **ret, GError **error)
{
    json_t *object = NULL;
    bool ok = details_read(given, &object, error);
    if (ok && own)
        json_object_update(object, own);
    json_decref(own);
    if (!ok)
        return false;
    *ret = json_object_size(object) > 0 ? canonical(object) : NULL;
    json_decref(object);
    return true;
}

bool ledger_act(struct catalog *catalog, const struct run_act *act, GError **error)
{
    g_autofree char *details = NULL;
    json_t *own = act->own ? act->own : json_object();
    if (act->act->trace)
        json_object_set_new(own, "traceparent", ledger_json_text(act->act->trace));
    if (!details_join(act->given, own, &details, error))
        return false;
    struct ledger_entry entry = {.actor = act->act->actor,
                                 .action = act->action,
                                 .reason = act->act->reason,
                                 .run = act->run->name,
                                 .digests = act->run->digests,
                                 .details = details};
    return ledger_add(catalog, &entry, error) && hooks_journal(catalog, act, details, error);
}

bool ledger_append(struct catalog *catalog, const struct ledger_entry *entry, GError **error)
{
    g_autofree char *details = NULL;
    struct ledger_entry canonical_entry = *entry;
    if (!details_join(entry->details, NULL, &details, error))
        return false;
    canonical_entry.details = details;
    return db_begin(catalog->db, error) && db_end(catalog->db, ledger_add(catalog, &canonical_entry, error), error);
}

/* --- reading
 * ---------------------------------------------------------------------------------------------------------- */

bool ledger_head(struct catalog *catalog, uint64_t *ret_number, uint8_t ret_digest[32], GError **error)
{
    uint64_t number;
    uint8_t digest[32];
    if (!head_read(catalog, &number, digest, error))
        return false;
    *ret_number = number;
    memcpy(ret_digest, digest, sizeof digest);
    return true;
}

static void entry_columns(struct query *query, struct arena *mem, struct ledger_entry *ret)
{
    ret->number = query_u64(query);
    ret->at_ms = query_i64(query);
    ret->actor = query_text(query, mem);
    ret->action = query_text(query, mem);
    ret->reason = query_text(query, mem);
    ret->run = query_text(query, mem);
    plan_digests_get(query, &ret->digests);
    ret->details = query_text(query, mem);
    query_fixed(query, ret->previous, sizeof ret->previous);
    query_fixed(query, ret->digest, sizeof ret->digest);
}

bool ledger_rows(struct query *query, struct arena *mem, struct ledger_entries *ret, GError **error)
{
    bool row, ok;
    struct rows entries = {.size = sizeof(struct ledger_entry)};
    while ((ok = query_row(query, &row, error)) && row) {
        struct ledger_entry *entry = rows_add(&entries, mem, error);
        if (!entry)
            return false;
        entry_columns(query, mem, entry);
        if (!query_ok(query, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = (struct ledger_entries){.rows = entries.at, .n = entries.n};
    return true;
}

bool ledger_read(struct catalog *catalog, uint64_t from, size_t max, struct arena *mem, struct ledger_entries *ret,
                 GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_LEDGER);
    query_put_u64(query, from);
    query_put_u64(query, MIN(max, (size_t)INT64_MAX));
    return ledger_rows(query, mem, ret, error);
}

/* --- verifying
 * -------------------------------------------------------------------------------------------------------- */

struct chain {
    uint64_t entries;
    uint8_t digest[32]; /* of the newest that holds */
    const uint8_t *head;
    bool head_seen;
    const char *fault; /* of the entry after it; NULL: none */
};

/* Digested as the bytes that stand there, not as texts: nothing hides behind a zero byte or in another type. */
static const char *entry_fault(struct query *query, struct chain *chain)
{
    uint8_t number[8], at[8], computed[32];
    struct field fields[FIELD_COUNT] = {0};
    uint64_t stands = (uint64_t)query_i64(query);
    number_put(stands, number);
    number_put((uint64_t)query_i64(query), at);
    fields[FIELD_NUMBER].bytes = slice_of(number, 8);
    fields[FIELD_AT].bytes = slice_of(at, 8);
    for (int i = FIELD_ACTOR; i < FIELD_COUNT; i++) {
        fields[i].absent = query_is_null(query);
        fields[i].bytes = query_borrow(query);
    }
    if (stands != chain->entries + 1)
        return "entries are missing before it";
    if (!slice_equal(fields[FIELD_PREVIOUS].bytes, slice_of(chain->digest, 32)))
        return "it does not continue the entry before it";
    digest_fields(fields, computed);
    if (!slice_equal(query_borrow(query), slice_of(computed, 32)))
        return "its content is not what was digested";
    memcpy(chain->digest, computed, sizeof computed);
    return NULL;
}

static bool chain_step(struct chain *chain, struct query *query, bool *ret_more, GError **error)
{
    bool row, ok;
    size_t n = 0;
    while ((ok = query_row(query, &row, error)) && row) {
        n++;
        chain->fault = entry_fault(query, chain);
        if (chain->fault)
            break;
        chain->entries++;
        chain->head_seen |= chain->head && memcmp(chain->head, chain->digest, 32) == 0;
    }
    *ret_more = !chain->fault && n == VERIFY_STEP;
    return ok;
}

/* In steps, each a read of its own: a run that goes on meanwhile only adds at the end. */
static bool chain_walk(struct catalog *catalog, struct chain *chain, GError **error)
{
    bool more = true;
    while (more) {
        auto_(query) query = query_of(catalog->db, SQL_LEDGER);
        query_put_u64(query, chain->entries + 1);
        query_put_u64(query, VERIFY_STEP);
        if (!chain_step(chain, query, &more, error))
            return false;
    }
    return true;
}

static const char *verdict_text(const struct chain *chain)
{
    if (chain->fault)
        return chain->fault;
    if (chain->head && !chain->head_seen)
        return "the head is not in the chain: entries were removed from its end or written anew, or the head is "
               "another "
               "home's";
    return "every entry continues the one before it";
}

bool ledger_verify(struct catalog *catalog, const uint8_t *head, struct arena *mem, struct ledger_verdict *ret,
                   GError **error)
{
    static const uint8_t none[32];
    struct chain chain = {.head = head, .head_seen = head && memcmp(head, none, 32) == 0};
    if (!chain_walk(catalog, &chain, error))
        return false;
    bool ok = !chain.fault && (!head || chain.head_seen);
    *ret = (struct ledger_verdict){
        .ok = ok, .entries = chain.entries, .number = ok ? 0 : chain.entries + 1, .text = verdict_text(&chain)};
    return true;
}
