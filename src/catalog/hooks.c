/* Hooks: what has to be told to whom. A delivery is journalled in the transaction of the act that it tells of; who
 * holds the run delivers it afterwards (run/hooks.c). */
#include "base/hex.h"
#include "catalog/inside.h"

/* --- which move is which event ------------------------------------------------------------------------------------ */

static const uint32_t RUN_EVENTS[RUN_STATE_COUNT] = {
    [RUN_PLANNED] = SPEC_EVENT(RUN_PLANNED),
    [RUN_WAITING] = SPEC_EVENT(RUN_WAITING),
    [RUN_RUNNING] = SPEC_EVENT(RUN_RUNNING),
    [RUN_VERIFYING] = SPEC_EVENT(RUN_VERIFYING),
    [RUN_PAUSED] = SPEC_EVENT(RUN_PAUSED),
    [RUN_INTERRUPTED] = SPEC_EVENT(RUN_INTERRUPTED),
    [RUN_HALTED] = SPEC_EVENT(RUN_HALTED),
    [RUN_PROMOTING] = SPEC_EVENT(PROMOTION_STARTED),
    [RUN_ROLLING_BACK] = SPEC_EVENT(ROLLBACK_STARTED),
    [RUN_DONE] = SPEC_EVENT(RUN_DONE),
    [RUN_ROLLED_BACK] = SPEC_EVENT(ROLLBACK_DONE),
    [RUN_ABORTED] = SPEC_EVENT(RUN_ABORTED),
    [RUN_FAILED] = SPEC_EVENT(RUN_FAILED),
};

static const uint32_t STAGE_EVENTS[STAGE_STATE_COUNT] = {
    [STAGE_RUNNING] = SPEC_EVENT(STAGE_STARTED), [STAGE_VERIFYING] = SPEC_EVENT(STAGE_VERIFYING),
    [STAGE_WAITING] = SPEC_EVENT(GATE_WAITING),  [STAGE_PASSED] = SPEC_EVENT(STAGE_PASSED),
    [STAGE_FAILED] = SPEC_EVENT(STAGE_FAILED),   [STAGE_ROLLED_BACK] = SPEC_EVENT(STAGE_ROLLED_BACK),
};

static bool goes_forward(enum run_state to)
{
    return to == RUN_RUNNING || to == RUN_VERIFYING || to == RUN_WAITING || to == RUN_PROMOTING;
}

static bool stood_still(enum run_state from)
{
    return from == RUN_PAUSED || from == RUN_INTERRUPTED || from == RUN_HALTED || from == RUN_FAILED;
}

/* A guard's pause is no person's: who is called by run.paused has something to do. */
uint32_t hooks_of_run_move(const struct run_move *move)
{
    enum run_state to = move->to;
    uint32_t events = move->guard ? SPEC_EVENT(GUARD_PAUSED) : RUN_EVENTS[to];
    if (goes_forward(to) && move->from == RUN_PLANNED)
        events |= SPEC_EVENT(RUN_STARTED);
    if (goes_forward(to) && stood_still(move->from))
        events |= SPEC_EVENT(RUN_RESUMED);
    return events;
}

uint32_t hooks_of_stage_move(enum stage_state to)
{
    return STAGE_EVENTS[to];
}

/* --- hooks of a run ----------------------------------------------------------------------------------------------- */

/* ` run.done stage.passed `: a word is found with its blanks. */
static char *event_list(uint32_t events)
{
    GString *list = g_string_new(" ");
    for (int i = 0; i < SPEC_EVENT_COUNT; i++)
        if (events & (UINT32_C(1) << i))
            g_string_append_printf(list, "%s ", spec_event_word((enum spec_event)i));
    return g_string_free(list, FALSE);
}

bool hooks_insert(struct catalog *catalog, int64_t run, const struct hook_new *hooks, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *events = event_list(hooks[i].events);
        auto_(query) query = query_of(catalog->db, SQL_HOOK_NEW);
        query_put_i64(query, run);
        query_put_i64(query, (int64_t)i);
        query_put_text(query, events);
        query_put_i64(query, hooks[i].must);
        if (!query_run(query, error))
            return false;
    }
    return true;
}

/* --- journal ------------------------------------------------------------------------------------------------------ */

/* What a document says of the run. */
struct hooked {
    const char *uid; /* its first bytes, in hex */
    const char *spec;
    int64_t number, at_ms; /* of the ledger's entry */
};

/* *ret_any false: the run has no hooks, and nothing more is read. */
static bool hooked_read(struct catalog *catalog, int64_t run, struct arena *mem, struct hooked *ret, bool *ret_any,
                        GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_HOOKED);
    query_put_i64(query, run);
    if (!query_row(query, ret_any, error))
        return false;
    if (!*ret_any)
        return true;
    char uid[HEX_TEXT(16)];
    uint8_t bytes[16];
    query_fixed(query, bytes, sizeof bytes);
    ret->uid = arena_text(mem, slice_of_text(hex_text(bytes, 8, uid)));
    ret->spec = query_text(query, mem);
    ret->number = query_i64(query);
    ret->at_ms = query_i64(query);
    return query_ok(query, error);
}

static json_t *document_of(const struct run_act *act, const struct hooked *hooked, const char *event, const char *key,
                           const char *details)
{
    json_t *document = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "type", "hook", "event", event, "key", key,
                                 "run", act->run->name, "spec", hooked->spec, "action", act->action, "ledger",
                                 (json_int_t)hooked->number, "at_ms", (json_int_t)hooked->at_ms);
    json_object_set_new(document, "stage", ledger_json_text(act->stage));
    json_object_set_new(document, "actor", ledger_json_text(act->act->actor));
    json_object_set_new(document, "reason", ledger_json_text(act->act->reason));
    json_t *more = details ? json_loads(details, 0, NULL) : NULL;
    json_object_set_new(document, "details", more ? more : json_object());
    return document;
}

static bool journal_one(struct catalog *catalog, const struct run_act *act, const struct hooked *hooked,
                        const char *event, const char *details, GError **error)
{
    g_autofree char *key = g_strdup_printf("%s/%s/%" G_GINT64_FORMAT, hooked->uid, event, hooked->number);
    json_t *document = document_of(act, hooked, event, key, details);
    char *text = json_dumps(document, JSON_COMPACT);
    json_decref(document);
    auto_(query) query = query_of(catalog->db, SQL_DELIVERY_NEW);
    query_put_i64(query, act->run->id);
    query_put_text(query, event);
    query_put_text(query, key);
    query_put_i64(query, hooked->at_ms);
    query_put_text(query, text);
    bool ok = query_run(query, error);
    query_end(g_steal_pointer(&query)); /* it borrows the text */
    free(text);
    return ok;
}

bool hooks_journal(struct catalog *catalog, const struct run_act *act, const char *details, GError **error)
{
    struct hooked hooked = {0};
    bool any = false;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (act->events == 0)
        return true;
    if (!hooked_read(catalog, act->run->id, mem, &hooked, &any, error))
        return false;
    for (int i = 0; any && i < SPEC_EVENT_COUNT; i++)
        if ((act->events & (UINT32_C(1) << i)) &&
            !journal_one(catalog, act, &hooked, spec_event_word((enum spec_event)i), details, error))
            return false;
    return true;
}

/* --- delivering --------------------------------------------------------------------------------------------------- */

static const char *const DELIVERY_WORDS[] = {
    [DELIVERY_WAITING] = "waiting", [DELIVERY_DELIVERED] = "delivered", [DELIVERY_FAILED] = "failed"};

const char *delivery_state_word(enum delivery_state state)
{
    return DELIVERY_WORDS[state];
}

static bool delivery_columns(struct query *query, struct arena *mem, struct delivery *ret, GError **error)
{
    ret->id = query_i64(query);
    ret->hook = query_u32(query);
    ret->event = query_text(query, mem);
    ret->key = query_text(query, mem);
    ret->at_ms = query_i64(query);
    ret->must = query_i64(query) != 0;
    ret->state = (enum delivery_state)query_word(query, DELIVERY_WORDS, G_N_ELEMENTS(DELIVERY_WORDS));
    ret->tries = query_u32(query);
    ret->next_ms = query_i64(query);
    ret->said = query_text(query, mem);
    ret->document = query_bytes(query, mem);
    return query_ok(query, error);
}

bool catalog_deliveries(struct catalog *catalog, int64_t run, struct arena *mem, struct delivery **ret, size_t *ret_n,
                        GError **error)
{
    bool row, ok;
    struct rows rows = {.size = sizeof(struct delivery)};
    auto_(query) query = query_of(catalog->db, SQL_DELIVERIES);
    query_put_i64(query, run);
    while ((ok = query_row(query, &row, error)) && row) {
        struct delivery *delivery = rows_add(&rows, mem, error);
        if (!delivery || !delivery_columns(query, mem, delivery, error))
            return false;
    }
    if (!ok)
        return false;
    *ret = rows.at;
    *ret_n = rows.n;
    return true;
}

bool catalog_delivery_next(struct catalog *catalog, int64_t run, uint32_t hook, struct arena *mem, struct delivery *ret,
                           GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_DELIVERY_NEXT);
    query_put_i64(query, run);
    query_put_i64(query, hook);
    *ret = (struct delivery){0};
    return query_row(query, &row, error) && (!row || delivery_columns(query, mem, ret, error));
}

bool catalog_delivery_counts(struct catalog *catalog, int64_t run, struct delivery_counts *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_DELIVERY_COUNTS);
    query_put_i64(query, run);
    if (!query_row(query, &row, error))
        return false;
    *ret = (struct delivery_counts){0};
    if (!row)
        return true;
    ret->waiting = query_u64(query);
    ret->failed = query_u64(query);
    ret->must_waiting = query_u64(query);
    ret->must_failed = query_u64(query);
    return query_ok(query, error);
}

static bool tried_write(struct catalog *catalog, const struct delivery_try *tried, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_DELIVERY_TRIED);
    query_put_i64(query, tried->delivery->id);
    query_put_text(query, DELIVERY_WORDS[tried->state]);
    query_put_i64(query, tried->next_ms);
    query_put_text(query, tried->said);
    return query_run(query, error);
}

static bool tried_add(struct catalog *catalog, const struct delivery_try *tried, GError **error)
{
    struct run_brief brief;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    if (!run_brief_read(catalog, tried->run, mem, &brief, error) || !tried_write(catalog, tried, error))
        return false;
    if (tried->state == DELIVERY_WAITING)
        return true;
    struct run_act act = {.run = &brief,
                          .action = tried->state == DELIVERY_DELIVERED ? "hook-delivered" : "hook-failed",
                          .act = &tried->act,
                          .own =
                              json_pack("{s:s, s:s, s:I, s:I, s:o}", "event", tried->delivery->event, "key",
                                        tried->delivery->key, "hook", (json_int_t)tried->delivery->hook + 1, "tries",
                                        (json_int_t)tried->delivery->tries + 1, "said", ledger_json_text(tried->said))};
    return ledger_act(catalog, &act, error);
}

bool catalog_delivery_tried(struct catalog *catalog, const struct delivery_try *tried, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, tried_add(catalog, tried, error), error);
}

static bool retry(struct catalog *catalog, int64_t run, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_DELIVERIES_RETRY);
    query_put_i64(query, run);
    return query_run(query, error);
}

bool catalog_deliveries_retry(struct catalog *catalog, int64_t run, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, retry(catalog, run, error), error);
}
