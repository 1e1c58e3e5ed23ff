/* All that happens, as it happens: streams of server-sent events.
 *
 * One thread looks, ten times a second, and tells all. A stream that has nothing to send is suspended, and goes on
 * when something is put into it; because a connection that is suspended does not notice that its other end has gone, a
 * comment is sent every 15 seconds. */
#include <string.h>

#include "base/int.h"
#include "catalog/pages.h"
#include "serve/server.h"
#include "view/audit.h"
#include "view/shape.h"

#define QUEUED_MOST   (4u << 20) /* bytes: a reader that is so far behind is cut off, and comes again */
#define BACKLOG_MOST  1000u
#define PAGE          250u
#define OPEN_MOST     200u
#define BEAT_US       (INT64_C(15) * 1000 * 1000)
#define LOOK_AGAIN_US (INT64_C(1) * 1000 * 1000)

struct stream {
    struct events *events;
    struct MHD_Connection *connection;
    struct who who;
    char *run;      /* NAME.N; NULL: all */
    uint64_t after; /* what was told so far, when it began */
    bool welcomed, suspended, closing;
    GQueue queue;        /* GBytes */
    size_t queued, sent; /* bytes in all of it; of the first, that have gone */
    int64_t beat_us;
    uint64_t revoked_turn; /* of the lists by which its certificate was looked at last */
};

/* A run, as it was told last. */
struct known {
    char *spec;
    GBytes *message;
    int64_t updated_ms, looked_us;
    uint64_t turn; /* of events_tick(), in which it was looked at last */
    bool over;
};

struct events {
    struct server *server;
    pthread_mutex_t lock; /* streams and what is in them; rank: before the library's own */
    GHashTable *streams;  /* struct stream */
    bool closed;
    /* of the thread that ticks */
    GHashTable *known; /* run → struct known */
    GBytes *stop;
    uint64_t told; /* the ledger's entries up to there */
    uint64_t turn;
};

static void known_free(void *self)
{
    struct known *known = self;
    g_free(known->spec);
    g_bytes_unref(known->message);
    g_free(known);
}

struct events *events_new(struct server *server)
{
    struct events *events = g_new0(struct events, 1);
    events->server = server;
    events->streams = g_hash_table_new(NULL, NULL);
    events->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, known_free);
    pthread_mutex_init(&events->lock, NULL);
    return events;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    g_hash_table_unref(events->streams);
    g_hash_table_unref(events->known);
    g_clear_pointer(&events->stop, g_bytes_unref);
    pthread_mutex_destroy(&events->lock);
    g_free(events);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static int64_t now_us(const struct events *events)
{
    return world_monotonic_us(events->server->config.world);
}

void events_drop(void *self)
{
    struct stream *stream = self;
    pthread_mutex_lock(&stream->events->lock);
    g_hash_table_remove(stream->events->streams, stream);
    pthread_mutex_unlock(&stream->events->lock);
    g_queue_clear_full(&stream->queue, (GDestroyNotify)g_bytes_unref);
    who_done(&stream->who);
    g_free(stream->run);
    g_free(stream);
}

struct stream *events_open(struct events *events, const struct request *request, const char *run, uint64_t after)
{
    auto_hold(&events->lock);
    if (events->closed || g_hash_table_size(events->streams) >= events->server->connections / 3 * 2)
        return NULL;
    struct stream *stream = g_new0(struct stream, 1);
    *stream = (struct stream){.events = events,
                              .connection = request->connection,
                              .who = request->who,
                              .run = g_strdup(run),
                              .after = after,
                              .beat_us = now_us(events)};
    stream->who.name = g_strdup(request->who.name);
    stream->who.only = g_strdup(request->who.only);
    stream->who.groups = NULL;
    if (request->who.chain)
        g_ptr_array_ref(stream->who.chain);
    g_hash_table_add(events->streams, stream);
    return stream;
}

/* The lock is held. */
static void wake(struct stream *stream)
{
    if (!stream->suspended)
        return;
    stream->suspended = false;
    MHD_resume_connection(stream->connection);
}

static void push(struct stream *stream, GBytes *message)
{
    if (stream->closing)
        return;
    stream->queued += g_bytes_get_size(message);
    stream->closing = stream->queued > QUEUED_MOST;
    g_queue_push_tail(&stream->queue, g_bytes_ref(message));
    wake(stream);
}

/* As much of the first message as there is room for. */
static ssize_t take(struct stream *stream, char *into, size_t room)
{
    GBytes *first = g_queue_peek_head(&stream->queue);
    gsize size;
    const char *bytes = g_bytes_get_data(first, &size);
    size_t len = MIN(room, size - stream->sent);
    memcpy(into, bytes + stream->sent, len);
    stream->sent += len;
    if (stream->sent == size) {
        stream->queued -= size;
        stream->sent = 0;
        g_bytes_unref(g_queue_pop_head(&stream->queue));
    }
    return (ssize_t)len;
}

/* Called by the library, in its thread. */
static ssize_t read_stream(void *self, uint64_t at, char *into, size_t room)
{
    struct stream *stream = self;
    auto_hold(&stream->events->lock);
    if (stream->queue.length > 0)
        return take(stream, into, room);
    if (stream->closing || stream->events->closed)
        return MHD_CONTENT_READER_END_OF_STREAM;
    stream->suspended = true;
    MHD_suspend_connection(stream->connection);
    return 0;
}

struct MHD_Response *events_response(struct stream *stream)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, read_stream, stream, events_drop);
    MHD_add_response_header(response, "Content-Type", "text/event-stream");
    MHD_add_response_header(response, "X-Accel-Buffering", "no");
    return response;
}

void events_close(struct events *events)
{
    GHashTableIter iter;
    gpointer stream;
    auto_hold(&events->lock);
    events->closed = true;
    g_hash_table_iter_init(&iter, events->streams);
    while (g_hash_table_iter_next(&iter, &stream, NULL))
        wake(stream);
}

/* --- messages ----------------------------------------------------------------------------------------------------- */

static GBytes *message_of(const char *event, uint64_t id, json_t *value)
{
    char *json = json_dumps(value, JSON_COMPACT);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "event: %s\n", event);
    if (id)
        g_string_append_printf(text, "id: %" G_GUINT64_FORMAT "\n", id);
    g_string_append_printf(text, "data: %s\n\n", json ? json : "{}");
    free(json);
    json_decref(value);
    return g_string_free_to_bytes(text);
}

static GBytes *words(const char *text)
{
    return g_bytes_new_static(text, strlen(text));
}

/* A message about a run (NULL: about none), for those who have been welcomed and may see it. */
static void tell(struct events *events, const char *run, GBytes *message)
{
    GHashTableIter iter;
    gpointer at;
    auto_hold(&events->lock);
    g_hash_table_iter_init(&iter, events->streams);
    while (g_hash_table_iter_next(&iter, &at, NULL)) {
        struct stream *stream = at;
        bool wants = !stream->run || !run || strcmp(stream->run, run) == 0;
        if (stream->welcomed && wants && (!run || who_sees_run(&stream->who, run)))
            push(stream, message);
    }
}

/* --- what is new -------------------------------------------------------------------------------------------------- */

static bool tell_ledger(struct events *events, struct desk *desk, GError **error)
{
    struct ledger_entries entries;
    do {
        if (!ledger_read(desk->catalog, events->told + 1, PAGE, desk->mem, &entries, error))
            return false;
        for (size_t i = 0; i < entries.n; i++) {
            const struct ledger_entry *entry = &entries.rows[i];
            g_autoptr(GBytes) message = message_of("ledger", entry->number, audit_entry_json(entry));
            tell(events, entry->run, message);
            events->told = entry->number;
        }
    } while (entries.n == PAGE);
    return true;
}

static bool tell_run(struct events *events, struct desk *desk, const struct run_row *run, GError **error)
{
    struct known *known = g_hash_table_lookup(events->known, run->name);
    int64_t at_us = now_us(events);
    json_t *status;
    if (known)
        known->turn = events->turn;
    if (known && known->updated_ms == run->updated_ms && at_us - known->looked_us < LOOK_AGAIN_US)
        return true;
    if (!desk_status(desk, run, &status, error))
        return false;
    g_autoptr(GBytes) message = message_of("status", 0, status);
    bool same = known && g_bytes_equal(known->message, message);
    if (!same) {
        known = g_new0(struct known, 1);
        known->spec = g_strdup(run->spec_name);
        known->message = g_bytes_ref(message);
        g_hash_table_replace(events->known, g_strdup(run->name), known);
        tell(events, run->name, message);
    }
    known->turn = events->turn;
    known->updated_ms = run->updated_ms;
    known->looked_us = at_us;
    known->over = run_state_over(run->state);
    return true;
}

static bool is_open(void *self, const char *spec, enum run_state state)
{
    return !run_state_over(state);
}

/* Those that were open a moment ago, and those that somebody wants to see. */
static GPtrArray *names_beside(struct events *events)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iter;
    gpointer name, at;
    g_hash_table_iter_init(&iter, events->known);
    while (g_hash_table_iter_next(&iter, &name, &at))
        if (!((struct known *)at)->over && ((struct known *)at)->turn != events->turn)
            g_ptr_array_add(names, g_strdup(name));
    auto_hold(&events->lock);
    g_hash_table_iter_init(&iter, events->streams);
    while (g_hash_table_iter_next(&iter, &at, NULL))
        if (((struct stream *)at)->run && !g_hash_table_contains(events->known, ((struct stream *)at)->run))
            g_ptr_array_add(names, g_strdup(((struct stream *)at)->run));
    return names;
}

static bool tell_runs(struct events *events, struct desk *desk, GError **error)
{
    struct runs_wish wish = {.most = OPEN_MOST, .take = is_open};
    struct runs_page page = {0};
    struct run_row run;
    bool ok = catalog_runs_page(desk->catalog, &wish, desk->mem, &page, error);
    for (size_t i = 0; ok && i < page.n; i++)
        ok = tell_run(events, desk, &page.rows[i], error);
    g_autoptr(GPtrArray) names = names_beside(events);
    for (guint i = 0; ok && i < names->len; i++)
        ok = catalog_run_get(desk->catalog, names->pdata[i], desk->mem, &run, error) &&
             tell_run(events, desk, &run, error);
    return ok;
}

static json_t *stop_json(const struct stop_flag *flag)
{
    return json_pack("{s:s, s:b, s:o, s:o, s:o}", "type", "stop", "stands", flag->at_ms != 0, "at",
                     flag->at_ms ? shape_time(flag->at_ms) : json_null(), "actor", shape_text(flag->actor), "reason",
                     shape_text(flag->reason));
}

bool serve_stop_flag(struct request *request, struct desk *desk, GError **error)
{
    struct stop_flag flag;
    if (!catalog_stop(desk->catalog, desk->mem, &flag, error))
        return false;
    answer_json(&request->answer, stop_json(&flag));
    return true;
}

static bool tell_stop(struct events *events, struct desk *desk, GError **error)
{
    struct stop_flag flag;
    if (!catalog_stop(desk->catalog, desk->mem, &flag, error))
        return false;
    g_autoptr(GBytes) message = message_of("stop", 0, stop_json(&flag));
    if (events->stop && g_bytes_equal(events->stop, message))
        return true;
    g_clear_pointer(&events->stop, g_bytes_unref);
    events->stop = g_bytes_ref(message);
    tell(events, NULL, message);
    return true;
}

/* --- who is new --------------------------------------------------------------------------------------------------- */

/* What a stream has missed, oldest first; *ret_until: there is more than is told at once, and this is the last entry
 * that was looked at, whether or not it is the stream's; 0: there is not. */
static bool backlog(struct events *events, struct desk *desk, const struct stream *stream, GPtrArray *into,
                    uint64_t *ret_until, GError **error)
{
    struct ledger_entries entries;
    *ret_until = 0;
    if (stream->after >= events->told)
        return true;
    if (!ledger_read(desk->catalog, stream->after + 1, BACKLOG_MOST, desk->mem, &entries, error))
        return false;
    for (size_t i = 0; i < entries.n; i++) {
        const struct ledger_entry *entry = &entries.rows[i];
        bool wants = !stream->run || g_strcmp0(stream->run, entry->run) == 0;
        if (entry->number <= events->told && wants && (!entry->run || who_sees_run(&stream->who, entry->run)))
            g_ptr_array_add(into, message_of("ledger", entry->number, audit_entry_json(entry)));
    }
    if (entries.n == BACKLOG_MOST && entries.rows[entries.n - 1].number < events->told)
        *ret_until = entries.rows[entries.n - 1].number;
    return true;
}

/* An id without data, which is no event: who comes again goes on behind it. */
static void end_behind(struct stream *stream, uint64_t id)
{
    char *text = g_strdup_printf("id: %" G_GUINT64_FORMAT "\n\n", id);
    g_autoptr(GBytes) message = g_bytes_new_take(text, strlen(text));
    push(stream, message);
    stream->closing = true;
}

/* All that is known now: what comes after it is told to everybody. The lock is held. */
static void welcome(struct events *events, struct stream *stream, const GPtrArray *missed, uint64_t until)
{
    g_autoptr(GBytes) hello = words("retry: 1000\n\n");
    GHashTableIter iter;
    gpointer name, at;
    push(stream, hello);
    g_hash_table_iter_init(&iter, events->known);
    while (g_hash_table_iter_next(&iter, &name, &at)) {
        const struct known *known = at;
        bool wants = stream->run ? strcmp(stream->run, name) == 0 : !known->over;
        if (wants && who_sees(&stream->who, known->spec))
            push(stream, known->message);
    }
    if (events->stop)
        push(stream, events->stop);
    for (guint i = 0; i < missed->len; i++)
        push(stream, missed->pdata[i]);
    stream->welcomed = true;
    if (until)
        end_behind(stream, until);
}

/* One that waits to be welcomed, and cannot end meanwhile: it is the library's thread that ends one, and what it asks
 * for first is its turn in read_stream(). NULL: none. */
static struct stream *newcomer(struct events *events)
{
    GHashTableIter iter;
    gpointer at;
    auto_hold(&events->lock);
    g_hash_table_iter_init(&iter, events->streams);
    while (g_hash_table_iter_next(&iter, &at, NULL))
        if (!((struct stream *)at)->welcomed && ((struct stream *)at)->suspended)
            return at;
    return NULL;
}

static bool welcome_all(struct events *events, struct desk *desk, GError **error)
{
    struct stream *stream;
    while ((stream = newcomer(events))) {
        g_autoptr(GPtrArray) missed = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
        uint64_t until;
        arena_reset(desk->mem);
        if (!backlog(events, desk, stream, missed, &until, error))
            return false;
        auto_hold(&events->lock);
        welcome(events, stream, missed, until);
    }
    return true;
}

/* Its token stands, and no list names its certificate. */
static bool is_let(struct events *events, struct stream *stream)
{
    struct server *server = events->server;
    return (!stream->who.token || tokens_stands(server->tokens, stream->who.token)) &&
           revoked_still_lets(server->revoked, stream->who.chain, &stream->revoked_turn);
}

/* Comments, and ends of tokens and certificates. */
static void look_after(struct events *events)
{
    GHashTableIter iter;
    gpointer at;
    g_autoptr(GBytes) beat = words(":\n\n");
    int64_t at_us = now_us(events);
    auto_hold(&events->lock);
    g_hash_table_iter_init(&iter, events->streams);
    while (g_hash_table_iter_next(&iter, &at, NULL)) {
        struct stream *stream = at;
        if (stream->welcomed && at_us - stream->beat_us >= BEAT_US) {
            stream->beat_us = at_us;
            push(stream, beat);
        }
        if (!is_let(events, stream)) {
            stream->closing = true;
            wake(stream);
        }
    }
}

static bool look(struct events *events, struct desk *desk, GError **error)
{
    return tell_ledger(events, desk, error) && tell_runs(events, desk, error) && tell_stop(events, desk, error) &&
           welcome_all(events, desk, error);
}

static bool is_quiet(struct events *events)
{
    auto_hold(&events->lock);
    return g_hash_table_size(events->streams) == 0;
}

void events_tick(struct events *events, struct desk *desk)
{
    g_autoptr(GError) error = NULL;
    uint8_t head[32];
    uint64_t number;
    if (is_quiet(events)) {
        g_hash_table_remove_all(events->known);
        events->told = 0;
        return;
    }
    arena_reset(desk->mem);
    events->turn++;
    if (events->told == 0 && ledger_head(desk->catalog, &number, head, NULL))
        events->told = number;
    look(events, desk, &error);
    look_after(events);
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

/* Who has heard nothing yet is told of all that comes from here on, however long it takes until they are welcomed. */
static bool head_now(struct desk *desk, uint64_t *ret, GError **error)
{
    uint8_t digest[32];
    return ledger_head(desk->catalog, ret, digest, error);
}

static bool last_id(const struct request *request, struct desk *desk, uint64_t *ret, GError **error)
{
    const char *text = request_header(request, "Last-Event-ID");
    if (!text || !*text)
        return head_now(desk, ret, error);
    if (int_parse_u64(slice_of_text(text), ret))
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "Last-Event-ID: the number of an entry of the ledger was expected");
}

bool serve_events(struct request *request, struct desk *desk, GError **error)
{
    struct run_row run = {0};
    uint64_t after;
    const char *name = request_query(request, "run");
    if (!last_id(request, desk, &after, error))
        return false;
    if (name && !request_find(request, desk, name, &run, error))
        return false;
    request->stream = events_open(desk->server->events, request, run.name, after);
    return request->stream || error_set(error, SLUICE_ERROR_BUSY, "too many listen already; try again");
}
