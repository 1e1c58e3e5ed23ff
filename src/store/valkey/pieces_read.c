/* Reading a value in pieces. WATCH on a connection, then its pieces, then an empty transaction: the server refuses it
 * where the value has changed since, and all begins anew. */
#include "store/valkey/pieces.h"
#include "store/valkey/refusal.h"

enum {
    TRIES = 6,
    FIRST_ELEMENTS = 16,
    MOST_ELEMENTS = 1000, /* of one piece: a server is not kept from others for longer */
    REST_US = 20000,
    US_PER_MS = 1000,
    ARGS = 5,
};

/* --- one connection ----------------------------------------------------------------------------------------------- */

bool pieces_ask(const struct pieces_ask *ask, const struct pieces_command *commands, size_t n, GError **error)
{
    const struct valkey_store *store = valkey_store_of(ask->session);
    g_autofree struct command *routed = g_new0(struct command, n);
    struct call call = *ask->call;
    call.deadline_us = world_monotonic_us(store->base.world) + store->uri->timeout_ms * US_PER_MS;
    for (size_t i = 0; i < n; i++)
        routed[i] = (struct command){.args = commands[i].args,
                                     .n_args = commands[i].n,
                                     .slot = -1,
                                     .at = &ask->through->at,
                                     .repeatable = !ask->writes};
    struct route_wish wish = {
        .commands = routed, .n = n, .bound = ask->through->bound, .answer = ask->answer, .self = ask->self};
    if (!router_run(valkey_session_of(ask->session)->router, &call, &wish, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (routed[i].fate != ROUTE_ANSWERED)
            return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u: the connection was lost", ask->through->at.host,
                             ask->through->at.port);
    return true;
}

bool pieces_refused(const struct pieces_ask *ask, const struct reply *reply, GError **error)
{
    const struct refusal *row = refusal_of(reply);
    if (row && (row->action == REFUSAL_THERE || row->action == REFUSAL_ASK || row->action == REFUSAL_REFRESH))
        return error_set(error, SLUICE_ERROR_BUSY, "%s:%u: %s", ask->through->at.host, ask->through->at.port,
                         row->words);
    if (reply->type == REPLY_ERROR)
        return refusal_set(reply, &ask->through->at, "a value in pieces", error);
    return error_set(error, SLUICE_ERROR_STORE, "%s:%u: the reply is of another kind than its command has",
                     ask->through->at.host, ask->through->at.port);
}

bool pieces_bind(struct session *session, const struct call *call, struct slice key, struct pieces_watch *ret,
                 GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct router *router = valkey_session_of(session)->router;
    struct topology *topology = router_topology(router);
    int32_t owner = topology->owner[store->cluster ? slot_of(key) : 0];
    struct call each = *call;
    each.deadline_us = world_monotonic_us(store->base.world) + store->uri->timeout_ms * US_PER_MS;
    struct pieces_watch watch = {0};
    if (owner >= 0)
        watch.at =
            (struct valkey_host){.host = (char *)arena_text(call->mem, slice_of_text(topology->nodes[owner].at.host)),
                                 .port = topology->nodes[owner].at.port};
    topology_unref(topology);
    if (!watch.at.host)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "no server owns slot %u", slot_of(key));
    if (!router_bind(router, &each, &watch.at, &watch.bound, error))
        return false;
    *ret = watch;
    return true;
}

/* --- one try ------------------------------------------------------------------------------------------------------ */

struct reading {
    const struct pieces_wish *wish;
    struct pieces_ask ask;
    struct pieces_watch through;
    struct pieces_sum *sum;
    struct pieces_head head;
    GByteArray *work; /* of one piece: what its pairs borrow beside the reply */
    GArray *pairs;    /* of struct form_pair */
    struct slice at;  /* where a page begins: a cursor, an entry's id; in `position` */
    GByteArray *position;
    bool present, changed, taker_failed, last;
    size_t page;
};

static bool take_done(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    return reply->type != REPLY_ERROR || pieces_refused(&reading->ask, reply, error);
}

static bool ask_one(struct reading *reading, const char *const *words, size_t n,
                    bool (*answer)(void *, size_t, const struct reply *, GError **), GError **error)
{
    struct slice args[ARGS + 2];
    g_assert(n <= G_N_ELEMENTS(args));
    for (size_t i = 0; i < n; i++)
        args[i] = words[i] ? slice_of_text(words[i]) : reading->wish->key;
    struct pieces_command command = {.args = args, .n = n};
    struct pieces_ask ask = reading->ask;
    ask.answer = answer;
    return pieces_ask(&ask, &command, 1, error);
}

/* Hands the piece on; the pairs are in the reply. */
static bool hand_on(struct reading *reading, GError **error)
{
    const struct pieces_taker *taker = reading->wish->taker;
    const struct form_pair *pairs = (const struct form_pair *)(const void *)reading->pairs->data;
    size_t n = reading->pairs->len;
    for (size_t i = 0; i < n; i++)
        if (reading->head.letter != 's' && pairs[i].name.len + pairs[i].value.len > DOCUMENT_BYTES)
            return error_set(error, SLUICE_ERROR_TOO_BIG,
                             "one of its elements is larger than 16 MiB: that is no piece");
    pieces_sum_add(reading->sum, pairs, n);
    if (!taker || n == 0)
        return true;
    reading->taker_failed = !taker->take(taker->self, pairs, n, error);
    return !reading->taker_failed;
}

/* So many as about fill a piece. */
static size_t page_size(const struct reading *reading)
{
    uint64_t count = pieces_sum_count(reading->sum);
    if (count == 0)
        return FIRST_ELEMENTS;
    return (size_t)CLAMP(PIECE_BYTES / (pieces_sum_bytes(reading->sum) / count + 1), 1, MOST_ELEMENTS);
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static void add_pair(struct reading *reading, struct slice name, struct slice value)
{
    struct form_pair pair = {name, value};
    g_array_append_val(reading->pairs, pair);
}

static bool take_bytes(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    if (reply->type != REPLY_BYTES)
        return pieces_refused(&reading->ask, reply, error);
    reading->last = reply->bytes.len == 0;
    if (!reading->last)
        add_pair(reading, reply->bytes, SLICE_EMPTY);
    return hand_on(reading, error);
}

static bool page_string(struct reading *reading, GError **error)
{
    char from[24], to[24];
    uint64_t at = pieces_sum_bytes(reading->sum);
    if (at >= reading->head.n)
        return reading->last = true;
    g_snprintf(from, sizeof from, "%" G_GUINT64_FORMAT, at);
    g_snprintf(to, sizeof to, "%" G_GUINT64_FORMAT, at + PIECE_BYTES - 1);
    const char *const words[] = {"GETRANGE", NULL, from, to};
    return ask_one(reading, words, G_N_ELEMENTS(words), take_bytes, error);
}

static bool take_elements(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    if (reply->type != REPLY_ARRAY)
        return pieces_refused(&reading->ask, reply, error);
    reading->last = reply->n == 0;
    for (size_t k = 0; k < reply->n; k++)
        add_pair(reading, reply->items[k].bytes, SLICE_EMPTY);
    return hand_on(reading, error);
}

static bool page_list(struct reading *reading, GError **error)
{
    char from[24], to[24];
    uint64_t at = pieces_sum_count(reading->sum);
    if (at >= reading->head.n)
        return reading->last = true;
    g_snprintf(from, sizeof from, "%" G_GUINT64_FORMAT, at);
    g_snprintf(to, sizeof to, "%" G_GUINT64_FORMAT, at + page_size(reading) - 1);
    const char *const words[] = {"LRANGE", NULL, from, to};
    return ask_one(reading, words, G_N_ELEMENTS(words), take_elements, error);
}

static void put_position(struct reading *reading, struct slice at)
{
    g_byte_array_set_size(reading->position, 0);
    g_byte_array_append(reading->position, at.data, (guint)at.len);
    g_byte_array_append(reading->position, (const uint8_t *)"", 1);
    reading->at = slice_of(reading->position->data, at.len);
}

static const char *position(const struct reading *reading)
{
    return (const char *)reading->at.data;
}

static bool add_score(struct reading *reading, const struct reply *member, const struct reply *score)
{
    char text[64];
    uint64_t bits;
    if (score->bytes.len == 0 || score->bytes.len >= sizeof text)
        return false;
    memcpy(text, score->bytes.data, score->bytes.len);
    text[score->bytes.len] = '\0';
    double value = g_ascii_strtod(text, NULL);
    memcpy(&bits, &value, sizeof bits);
    put_u64(reading->work, bits);
    add_pair(reading, member->bytes, slice_of(NULL, sizeof bits)); /* where it lies is known when all are in */
    return true;
}

/* Sets give members, hashes and sorted sets pairs. */
static bool take_scan(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    uint8_t letter = reading->head.letter;
    size_t each = letter == 't' ? 1 : 2;
    if (!reply_is_array(reply, 2) || reply->items[1].n % each != 0)
        return pieces_refused(&reading->ask, reply, error);
    const struct reply *items = reply->items[1].items;
    put_position(reading, reply->items[0].bytes);
    reading->last = slice_equal(reading->at, slice_of_text("0"));
    for (size_t k = 0; k < reply->items[1].n; k += each)
        if (letter != 'z')
            add_pair(reading, items[k].bytes, each == 2 ? items[k + 1].bytes : SLICE_EMPTY);
        else if (!add_score(reading, &items[k], &items[k + 1]))
            return pieces_refused(&reading->ask, reply, error);
    for (guint k = 0; letter == 'z' && k < reading->pairs->len; k++)
        g_array_index(reading->pairs, struct form_pair, k).value.data = reading->work->data + k * sizeof(double);
    return hand_on(reading, error);
}

static bool page_scan(struct reading *reading, GError **error)
{
    char count[24];
    uint8_t letter = reading->head.letter;
    g_snprintf(count, sizeof count, "%zu", page_size(reading));
    const char *const words[] = {letter == 't'   ? "SSCAN"
                                 : letter == 'h' ? "HSCAN"
                                                 : "ZSCAN",
                                 NULL, position(reading), "COUNT", count};
    return ask_one(reading, words, G_N_ELEMENTS(words), take_scan, error);
}

static bool take_entries(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    g_autoptr(GArray) ends = g_array_new(FALSE, FALSE, sizeof(guint));
    if (reply->type != REPLY_ARRAY)
        return pieces_refused(&reading->ask, reply, error);
    reading->last = reply->n == 0;
    for (size_t k = 0; k < reply->n; k++) {
        if (!pieces_stream_entry(&reply->items[k], reading->work))
            return pieces_refused(&reading->ask, reply, error);
        g_array_append_val(ends, reading->work->len);
    }
    for (guint k = 0, from = 0; k < ends->len; k++) {
        guint to = g_array_index(ends, guint, k);
        add_pair(reading, slice_of(reading->work->data + from, to - from), SLICE_EMPTY);
        from = to;
    }
    if (reply->n) {
        struct slice id = reply->items[reply->n - 1].items[0].bytes;
        g_autofree char *next = g_strdup_printf("(%.*s", (int)id.len, (const char *)id.data);
        put_position(reading, slice_of_text(next));
    }
    return hand_on(reading, error);
}

static bool page_stream(struct reading *reading, GError **error)
{
    char count[24];
    g_snprintf(count, sizeof count, "%zu", page_size(reading));
    const char *const words[] = {"XRANGE", NULL, position(reading), "+", "COUNT", count};
    if (pieces_sum_count(reading->sum) >= reading->head.n)
        return reading->last = true;
    return ask_one(reading, words, G_N_ELEMENTS(words), take_entries, error);
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static const struct kind {
    const char *name; /* as TYPE says it */
    uint8_t letter;
    const char *count, *from; /* where the first page begins */
    bool (*page)(struct reading *reading, GError **error);
} KINDS[] = {
    {"string", 's', "STRLEN", "0", page_string}, {"list", 'l', "LLEN", "0", page_list},
    {"set", 't', "SCARD", "0", page_scan},       {"zset", 'z', "ZCARD", "0", page_scan},
    {"hash", 'h', "HLEN", "0", page_scan},       {"stream", 'x', "XLEN", "-", page_stream},
};

static const struct kind *kind_of(uint8_t letter)
{
    for (size_t i = 0; i < G_N_ELEMENTS(KINDS); i++)
        if (KINDS[i].letter == letter)
            return &KINDS[i];
    return NULL;
}

enum { HEAD_WATCH, HEAD_TYPE, HEAD_EXPIRY, HEAD_COMMANDS };

static bool take_head(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    if (reply->type == REPLY_ERROR)
        return pieces_refused(&reading->ask, reply, error);
    if (i == HEAD_EXPIRY)
        reading->head.expires_at_ms = reply->integer == FORM_EXPIRY_NONE ? EXPIRES_NEVER : reply->integer;
    if (i != HEAD_TYPE)
        return true;
    reading->present = !slice_equal(reply->bytes, slice_of_text("none"));
    for (size_t k = 0; k < G_N_ELEMENTS(KINDS); k++)
        if (slice_equal(reply->bytes, slice_of_text(KINDS[k].name)))
            reading->head.letter = KINDS[k].letter;
    if (reading->present && !reading->head.letter)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "it is of a type that sluice does not carry (%.*s)",
                         (int)MIN(reply->bytes.len, (size_t)40), (const char *)reply->bytes.data);
    return true;
}

static bool read_head(struct reading *reading, GError **error)
{
    struct slice key = reading->wish->key;
    const struct slice watch[] = {slice_of_text("WATCH"), key}, type[] = {slice_of_text("TYPE"), key},
                       expiry[] = {slice_of_text("PEXPIRETIME"), key};
    struct pieces_command commands[HEAD_COMMANDS] = {
        [HEAD_WATCH] = {watch, 2}, [HEAD_TYPE] = {type, 2}, [HEAD_EXPIRY] = {expiry, 2}};
    reading->head = (struct pieces_head){0};
    reading->ask.answer = take_head;
    return pieces_ask(&reading->ask, commands, HEAD_COMMANDS, error);
}

static bool take_count(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    if (reply->type != REPLY_INTEGER)
        return pieces_refused(&reading->ask, reply, error);
    reading->head.n = (uint64_t)reply->integer;
    return true;
}

/* From these on fields of a hash may expire by themselves, which no page shows. */
static bool fields_may_expire(struct reading *reading)
{
    struct topology *topology = router_topology(valkey_session_of(reading->wish->session)->router);
    gchar **parts = g_strsplit(topology->version, ".", 3);
    guint64 major = g_ascii_strtoull(parts[0], NULL, 10), minor = parts[1] ? g_ascii_strtoull(parts[1], NULL, 10) : 0;
    bool valkey = g_str_equal(topology->server, "valkey");
    g_strfreev(parts);
    topology_unref(topology);
    return valkey ? major >= 9 : major > 7 || (major == 7 && minor >= 4);
}

static bool read_pages(struct reading *reading, const struct kind *kind, GError **error)
{
    const struct pieces_taker *taker = reading->wish->taker;
    pieces_sum_begin(reading->sum, kind->letter);
    put_position(reading, slice_of_text(kind->from));
    reading->taker_failed = taker && !taker->begin(taker->self, &reading->head, error);
    if (reading->taker_failed)
        return false;
    for (reading->last = false; !reading->last;) {
        g_byte_array_set_size(reading->work, 0);
        g_array_set_size(reading->pairs, 0);
        if (!call_goes_on(&(struct call){.cancel = reading->wish->call->cancel},
                          valkey_store_of(reading->wish->session)->base.world, error) ||
            !kind->page(reading, error))
            return false;
    }
    reading->changed = pieces_sum_count(reading->sum) != reading->head.n;
    return true;
}

/* What consumers do is no change to WATCH: it is looked at once more. */
static bool read_value(struct reading *reading, GError **error)
{
    const struct kind *kind = kind_of(reading->head.letter);
    g_assert(kind); /* the letter came from there */
    const char *const words[] = {kind->count, NULL};
    auto_(arena) mem = arena_new((size_t)4 * DOCUMENT_BYTES);
    struct pieces_head now = {0};
    if (kind->letter == 'h' && fields_may_expire(reading))
        return error_set(error, SLUICE_ERROR_TOO_BIG,
                         "it is a large hash, whose fields may expire on this server; those are not read in pieces");
    if (kind->letter == 'x' ? !pieces_stream_tail(&reading->ask, reading->wish->key, mem, &reading->head, error)
                            : !ask_one(reading, words, G_N_ELEMENTS(words), take_count, error))
        return false;
    if (!read_pages(reading, kind, error))
        return false;
    if (kind->letter != 'x')
        return true;
    if (!pieces_stream_tail(&reading->ask, reading->wish->key, mem, &now, error))
        return false;
    pieces_sum_tail(reading->sum, now.tail, now.pending);
    reading->changed |= now.n != reading->head.n || !slice_equal(now.tail, reading->head.tail);
    return true;
}

static bool take_end(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct reading *reading = self;
    if (reply->type == REPLY_ERROR)
        return pieces_refused(&reading->ask, reply, error);
    reading->changed |= i == 1 && reply->type == REPLY_NULL;
    return true;
}

/* The watch ends; whether it held. */
static bool read_end(struct reading *reading, GError **error)
{
    const struct slice multi[] = {slice_of_text("MULTI")}, exec[] = {slice_of_text("EXEC")};
    struct pieces_command commands[] = {{multi, 1}, {exec, 1}};
    reading->ask.answer = take_end;
    return pieces_ask(&reading->ask, commands, 2, error);
}

static bool try_once(struct reading *reading, GError **error)
{
    const struct pieces_wish *wish = reading->wish;
    reading->changed = reading->taker_failed = reading->present = false;
    if (!pieces_bind(wish->session, wish->call, wish->key, &reading->through, error) || !read_head(reading, error) ||
        (reading->present && !read_value(reading, error)))
        return false;
    if (wish->watch && !reading->changed) {
        *wish->watch = reading->through;
        return true;
    }
    return read_end(reading, error);
}

/* --- again and again ---------------------------------------------------------------------------------------------- */

/* The connection may be left within a watch. */
static void leave(struct reading *reading)
{
    const struct slice unwatch[] = {slice_of_text("UNWATCH")};
    struct pieces_command command = {unwatch, 1};
    reading->ask.answer = take_done;
    if (reading->through.bound)
        (void)!pieces_ask(&reading->ask, &command, 1, NULL);
}

/* Whether it is worth another try. */
static bool goes_again(struct reading *reading, const GError *failed, unsigned tries)
{
    const struct pieces_wish *wish = reading->wish;
    bool lost = failed && !reading->taker_failed && error_class(failed) == ERROR_TRANSIENT &&
                !error_is(failed, SLUICE_ERROR_CANCELLED);
    if (tries + 1 >= TRIES)
        return false;
    if (!lost)
        return !failed;
    const struct valkey_store *store = valkey_store_of(wish->session);
    struct call call = {.deadline_us = world_monotonic_us(store->base.world) + store->uri->timeout_ms * US_PER_MS,
                        .cancel = wish->call->cancel};
    world_sleep_us(store->base.world, REST_US << tries, wish->call->cancel);
    g_autoptr(GError) unanswered = NULL; /* the next try says the same */
    return router_refresh(valkey_session_of(wish->session)->router, &call, &unanswered) || unanswered;
}

static bool try_all(struct reading *reading, GError **error)
{
    for (unsigned tries = 0;; tries++) {
        g_autoptr(GError) failed = NULL;
        bool tried = try_once(reading, &failed);
        if (tried && !reading->changed)
            return true;
        if (!tried)
            leave(reading);
        if (goes_again(reading, failed, tries))
            continue;
        if (failed) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        return error_set(error, SLUICE_ERROR_CONTENDED,
                         "it changes again and again while it is read in pieces; retry it when it is quieter");
    }
}

bool pieces_read(const struct pieces_wish *wish, struct pieces_found *ret, GError **error)
{
    auto_(pieces_sum) sum = pieces_sum_new();
    g_autoptr(GByteArray) work = g_byte_array_new();
    g_autoptr(GByteArray) at = g_byte_array_new();
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct form_pair));
    struct reading reading = {.wish = wish, .sum = sum, .work = work, .pairs = pairs, .position = at};
    reading.ask = (struct pieces_ask){
        .session = wish->session, .call = wish->call, .through = &reading.through, .self = &reading};
    if (!try_all(&reading, error))
        return false;
    *ret = (struct pieces_found){.present = reading.present, .expires_at_ms = reading.head.expires_at_ms};
    if (!reading.present)
        return true;
    pieces_sum_end(sum, ret->stands_for);
    ret->whole = pieces_sum_is_whole(sum);
    return true;
}

bool pieces_let_go(const struct pieces_wish *wish, GError **error)
{
    struct reading reading = {.wish = wish, .through = *wish->watch};
    reading.ask = (struct pieces_ask){
        .session = wish->session, .call = wish->call, .through = &reading.through, .self = &reading};
    leave(&reading);
    return true;
}
