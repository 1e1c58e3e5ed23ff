#include "store/valkey/conn.h"

#include "store/valkey/refusal.h"

enum {
    ROOM_BYTES = 128 * 1024,       /* of the receive buffer, at least */
    ROOM_LEAST_BYTES = 16 * 1024,  /* that a receive is given */
    ROOM_KEPT_BYTES = 1024 * 1024, /* more than this is given back when it is not needed any more */
    OUT_KEPT_BYTES = 4 * 1024 * 1024,
    OUT_CUT_BYTES = 256 * 1024, /* so much that is sent is cut off the queue's front */
    TREE_KEPT_BYTES = 4 * 1024 * 1024,
    TREE_MOST_BYTES = 1024 * 1024 * 1024, /* of what the elements of one reply take */
};

struct conn {
    const struct world *world;
    struct net_stream *stream;
    struct valkey_host at;
    bool broken;

    GByteArray *out; /* the commands that are queued; its first `out_sent` bytes are sent */
    size_t out_sent;
    GArray *ends;       /* size_t: where in `out` each of its commands ends */
    size_t ends_sent;   /* of these, how many are sent whole */
    size_t waiting;     /* replies still to come, */
    GError *unsendable; /* why nothing more can be sent; what the server said before is still read. NULL: it can */

    uint8_t *in; /* what was received: [begin, end) is not handed out yet */
    size_t room, begin, end;
    size_t borrowed; /* bytes from `begin` on that the reply handed out last points into */
    struct resp_scan scan;
    struct arena *tree; /* of the reply handed out last */
};

/* --- out ---------------------------------------------------------------------------------------------------------- */

void conn_put(struct conn *conn, const struct slice *args, size_t n)
{
    resp_put(conn->out, args, n);
    size_t end = conn->out->len;
    g_array_append_val(conn->ends, end);
    conn->waiting++;
}

size_t conn_waiting(const struct conn *conn)
{
    return conn->waiting;
}

size_t conn_sent(const struct conn *conn)
{
    size_t unsent = conn->ends->len - conn->ends_sent;
    return conn->waiting - MIN(unsent, conn->waiting);
}

/* Everything is on its way: the queue begins anew. */
static void out_reset(struct conn *conn)
{
    g_array_set_size(conn->ends, 0);
    conn->ends_sent = conn->out_sent = 0;
    if (conn->out->len <= OUT_KEPT_BYTES) {
        g_byte_array_set_size(conn->out, 0);
        return;
    }
    g_byte_array_unref(conn->out);
    conn->out = g_byte_array_new();
}

/* So that a queue that is never empty does not grow for ever. */
static void out_cut(struct conn *conn)
{
    g_byte_array_remove_range(conn->out, 0, (guint)conn->out_sent);
    g_array_remove_range(conn->ends, 0, (guint)conn->ends_sent);
    for (guint i = 0; i < conn->ends->len; i++)
        g_array_index(conn->ends, size_t, i) -= conn->out_sent;
    conn->ends_sent = conn->out_sent = 0;
}

static void count_sent(struct conn *conn)
{
    while (conn->ends_sent < conn->ends->len && g_array_index(conn->ends, size_t, conn->ends_sent) <= conn->out_sent)
        conn->ends_sent++;
    if (conn->out_sent == conn->out->len)
        out_reset(conn);
    else if (conn->out_sent >= OUT_CUT_BYTES && conn->out_sent >= conn->out->len / 2)
        out_cut(conn);
}

/* What cannot be sent any more is no error as long as the server may have said why. */
static void out_push(struct conn *conn)
{
    size_t sent = 1;
    while (sent > 0 && !conn->unsendable && conn->out_sent < conn->out->len) {
        struct slice rest = slice_of(conn->out->data + conn->out_sent, conn->out->len - conn->out_sent);
        if (!net_send(conn->stream, rest, &sent, &conn->unsendable))
            return;
        conn->out_sent += sent;
        count_sent(conn);
    }
}

static bool break_off(struct conn *conn)
{
    conn->broken = true;
    return false;
}

static bool still_whole(const struct conn *conn, GError **error)
{
    return !conn->broken ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u: the connection is broken", conn->at.host, conn->at.port);
}

bool conn_push(struct conn *conn, GError **error)
{
    if (!still_whole(conn, error))
        return false;
    out_push(conn);
    if (!conn->unsendable || conn->waiting > 0)
        return true;
    g_propagate_error(error, g_error_copy(conn->unsendable));
    return break_off(conn);
}

/* --- in ----------------------------------------------------------------------------------------------------------- */

/* The reply that was handed out is not needed any more. */
static void let_go(struct conn *conn)
{
    conn->begin += conn->borrowed;
    conn->borrowed = 0;
    if (conn->begin == conn->end)
        conn->begin = conn->end = 0;
    if (arena_used(conn->tree) > TREE_KEPT_BYTES) {
        arena_free(conn->tree);
        conn->tree = arena_new(TREE_MOST_BYTES);
    } else if (arena_used(conn->tree) > 0) {
        arena_reset(conn->tree);
    }
}

static bool set_room(struct conn *conn, size_t room, GError **error)
{
    uint8_t *in = g_try_realloc(conn->in, room);
    if (!in)
        return error_set(error, SLUICE_ERROR_STORE, "%s:%u: no memory for an answer of %zu bytes", conn->at.host,
                         conn->at.port, room);
    conn->in = in;
    conn->room = room;
    return true;
}

/* Room behind `end`: by moving what is there to the front, or by growing, twice as large at most and not much larger
 * than the reply that is coming; what was large for one reply shrinks again. */
static bool make_room(struct conn *conn, GError **error)
{
    size_t have = conn->end - conn->begin, need = MAX(conn->scan.need, have + 1);
    bool shrinks = conn->room > ROOM_KEPT_BYTES && need <= ROOM_BYTES / 2;
    if (!shrinks && conn->room - conn->end >= ROOM_LEAST_BYTES)
        return true;
    if (conn->begin > 0 && have > 0)
        memmove(conn->in, conn->in + conn->begin, have);
    conn->begin = 0;
    conn->end = have;
    if (shrinks)
        return set_room(conn, ROOM_BYTES, error);
    if (conn->room - have >= ROOM_LEAST_BYTES)
        return true;
    return set_room(conn, MAX(ROOM_BYTES, MIN(need + ROOM_BYTES / 2, conn->room * 2)), error);
}

/* Takes in what is there without waiting. */
static bool take_in(struct conn *conn, size_t *ret_got, GError **error)
{
    return make_room(conn, error) &&
           net_receive(conn->stream, conn->in + conn->end, conn->room - conn->end, ret_got, error);
}

/* Whether the next reply is whole in the buffer; its end is then scan.at. */
static bool scan_in(struct conn *conn, bool *ret_whole, GError **error)
{
    static const struct resp_limits limits;
    size_t have = conn->end - conn->begin;
    *ret_whole = false;
    if (have == 0 || have < conn->scan.need)
        return true;
    struct slice bytes = slice_of(conn->in + conn->begin, have);
    if (!resp_scan(&conn->scan, bytes, &limits, ret_whole, error))
        return error_add(error, "%s:%u", conn->at.host, conn->at.port);
    return true;
}

static bool hand_out(struct conn *conn, struct reply *ret, GError **error)
{
    struct slice bytes = slice_of(conn->in + conn->begin, conn->scan.at);
    conn->borrowed = conn->scan.at;
    conn->scan = (struct resp_scan){0};
    if (resp_read(bytes, conn->tree, ret, error))
        return true;
    return error_add(error, "%s:%u", conn->at.host, conn->at.port);
}

/* One that is there as a whole when it is first looked at; else it is scanned as it comes. */
static bool take_whole(struct conn *conn, struct reply *ret)
{
    size_t end, have = conn->end - conn->begin;
    if (have == 0 || conn->scan.depth > 0)
        return false;
    if (resp_take(slice_of(conn->in + conn->begin, have), conn->tree, ret, &end)) {
        conn->borrowed = end;
        return true;
    }
    if (arena_used(conn->tree) > 0)
        arena_reset(conn->tree);
    return false;
}

/* The next reply, if it is whole in the buffer. What the server says unasked is passed over. */
static bool reply_in(struct conn *conn, struct reply *ret, bool *ret_there, GError **error)
{
    for (;;) {
        *ret_there = take_whole(conn, ret);
        if (!*ret_there && !scan_in(conn, ret_there, error))
            return false;
        if (!*ret_there)
            return true;
        if (conn->borrowed == 0 && !hand_out(conn, ret, error))
            return false;
        if (ret->type != REPLY_PUSH)
            return true;
        let_go(conn);
    }
}

/* Until a reply is whole or there is nothing more without waiting: a receive that does not fill the room was given all
 * that there is. */
static bool find_reply(struct conn *conn, struct reply *ret, bool *ret_there, GError **error)
{
    size_t got = 0;
    bool full = true;
    while (reply_in(conn, ret, ret_there, error)) {
        if (*ret_there || !full)
            return true;
        out_push(conn);
        if (!take_in(conn, &got, error))
            return false;
        conn->end += got;
        full = got > 0 && conn->end == conn->room;
    }
    return false;
}

/* Nothing more comes, and nothing more goes. */
static bool dried_up(struct conn *conn, GError **error)
{
    g_propagate_error(error, g_error_copy(conn->unsendable));
    return break_off(conn);
}

/* An answer before the question went out whole. An error is the server's reason to hang up: it goes to the first who
 * waits, and nothing else is sent, for whatever came next would be taken for another's answer. */
static bool unasked(struct conn *conn, const struct reply *reply, GError **error)
{
    struct slice said = slice_of(reply->bytes.data, MIN(reply->bytes.len, (size_t)100));
    if (reply->type != REPLY_ERROR)
        return error_set(error, SLUICE_ERROR_STORE, "%s:%u: an answer that nobody asked for", conn->at.host,
                         conn->at.port);
    if (!conn->unsendable)
        error_set(&conn->unsendable, SLUICE_ERROR_UNREACHABLE, "%s:%u: the server hangs up: %.*s", conn->at.host,
                  conn->at.port, (int)said.len, (const char *)said.data);
    return true;
}

bool conn_try(struct conn *conn, struct reply *ret, bool *ret_there, GError **error)
{
    struct reply reply;
    bool there;
    if (!still_whole(conn, error))
        return false;
    let_go(conn);
    *ret_there = false;
    if (conn->waiting == 0)
        return true;
    if (!find_reply(conn, &reply, &there, error))
        return break_off(conn);
    if (!there && conn->unsendable && conn_sent(conn) == 0)
        return dried_up(conn, error);
    if (there && conn_sent(conn) == 0 && !unasked(conn, &reply, error))
        return break_off(conn);
    if (there) {
        conn->waiting--;
        *ret = reply;
    }
    *ret_there = there;
    return true;
}

struct net_poll conn_poll(struct conn *conn)
{
    bool more = !conn->unsendable && conn->out_sent < conn->out->len;
    return (struct net_poll){.stream = conn->stream, .wants = NET_READABLE | (more ? NET_WRITABLE : 0)};
}

bool conn_next(struct conn *conn, const struct net_wait *wait, struct reply *ret, GError **error)
{
    g_assert(conn->waiting > 0);
    for (bool there = false; !there;) {
        if (!conn_try(conn, ret, &there, error))
            return false;
        struct net_poll poll = conn_poll(conn);
        if (!there && !net_poll(conn->world, &poll, 1, wait, error)) {
            error_add(error, "%s:%u", conn->at.host, conn->at.port);
            return break_off(conn);
        }
    }
    return true;
}

/* --- a command in parts ------------------------------------------------------------------------------------------- */

static void put_line(struct conn *conn, char what, uint64_t number)
{
    char line[32];
    int len = g_snprintf(line, sizeof line, "%c%" G_GUINT64_FORMAT "\r\n", what, number);
    g_byte_array_append(conn->out, (const uint8_t *)line, (guint)len);
}

static void put_args(struct conn *conn, const struct slice *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_line(conn, '$', args[i].len);
        g_byte_array_append(conn->out, args[i].data, (guint)args[i].len);
        g_byte_array_append(conn->out, (const uint8_t *)"\r\n", 2);
    }
}

void conn_put_head(struct conn *conn, const struct slice *args, size_t n, uint64_t len, size_t n_behind)
{
    g_assert(conn->waiting == 0);
    put_line(conn, '*', n + 1 + n_behind);
    put_args(conn, args, n);
    put_line(conn, '$', len);
    conn->waiting++;
}

/* A server that answers now refuses it. */
static bool no_answer_yet(struct conn *conn, GError **error)
{
    struct reply reply;
    bool there;
    if (!conn_try(conn, &reply, &there, error))
        return false;
    if (!there)
        return true;
    error_set(error, reply_is_error(&reply, "ERR") ? SLUICE_ERROR_UNWRITABLE : SLUICE_ERROR_STORE,
              "%s:%u does not take it: %.*s", conn->at.host, conn->at.port, (int)MIN(reply.bytes.len, 200u),
              (const char *)reply.bytes.data);
    return break_off(conn);
}

bool conn_put_part(struct conn *conn, const struct net_wait *wait, struct slice part, GError **error)
{
    g_byte_array_append(conn->out, part.data, (guint)part.len);
    for (;;) {
        if (!no_answer_yet(conn, error))
            return false;
        if (conn->unsendable)
            return dried_up(conn, error);
        if (conn->out->len - conn->out_sent <= OUT_CUT_BYTES)
            return true;
        struct net_poll poll = conn_poll(conn);
        if (!net_poll(conn->world, &poll, 1, wait, error)) {
            error_add(error, "%s:%u", conn->at.host, conn->at.port);
            return break_off(conn);
        }
    }
}

void conn_put_behind(struct conn *conn, const struct slice *args, size_t n)
{
    g_byte_array_append(conn->out, (const uint8_t *)"\r\n", 2);
    put_args(conn, args, n);
}

bool conn_call(struct conn *conn, const struct net_wait *wait, const struct slice *args, size_t n, struct reply *ret,
               GError **error)
{
    g_assert(conn->waiting == 0);
    conn_put(conn, args, n);
    return conn_next(conn, wait, ret, error);
}

const struct valkey_host *conn_host(const struct conn *conn)
{
    return &conn->at;
}

bool conn_broken(const struct conn *conn)
{
    return conn->broken;
}

/* --- shaking hands ------------------------------------------------------------------------------------------------ */

struct handshake {
    struct conn *conn;
    bool heard; /* a reply has come that was one */
    const struct valkey_uri *uri;
    struct net_wait wait;
};

/* One command: its words, NULL ends them. */
static bool ask(struct handshake *handshake, const char *const *words, struct reply *ret, GError **error)
{
    struct slice args[8];
    size_t n = 0;
    for (; words[n]; n++) {
        g_assert(n < G_N_ELEMENTS(args));
        args[n] = slice_of_text(words[n]);
    }
    bool heard = conn_call(handshake->conn, &handshake->wait, args, n, ret, error);
    handshake->heard |= heard;
    return heard;
}

/* Refusals that only a handshake meets; by how they begin. All others are those of reply_rows.h. */
static const struct {
    const char *begins;
    enum error_code code;
    const char *words;
} REFUSALS[] = {
    {"WRONGPASS", SLUICE_ERROR_NOT_PERMITTED, "check user and password, and that the user is on (ACL LIST)"},
    {"ERR Client sent AUTH,", SLUICE_ERROR_NOT_PERMITTED, "the server has no password, the URI does"},
    {"ERR AUTH", SLUICE_ERROR_NOT_PERMITTED, "the server has no password, the URI does"},
    {"ERR invalid password", SLUICE_ERROR_NOT_PERMITTED, "check the password"},
    {"DENIED", SLUICE_ERROR_NOT_PERMITTED, "the server takes connections from its own machine only (protected-mode)"},
    {"ERR max number of clients reached", SLUICE_ERROR_BUSY, "maxclients; other clients have to leave first"},
    {"ERR SELECT", SLUICE_ERROR_USAGE, "a cluster has no databases; leave the number out of the URI"},
    {"ERR DB index", SLUICE_ERROR_USAGE, "the server has no database of that number"},
};

static bool refused(const struct handshake *handshake, const struct reply *reply, const char *what, GError **error)
{
    const struct valkey_host *at = &handshake->conn->at;
    if (reply->type != REPLY_ERROR)
        return true;
    for (size_t i = 0; i < G_N_ELEMENTS(REFUSALS); i++)
        if (reply_is_error(reply, REFUSALS[i].begins))
            return error_set(error, REFUSALS[i].code, "%s:%u: %s: %.*s: %s", at->host, at->port, what,
                             (int)MIN(reply->bytes.len, (size_t)100), (const char *)reply->bytes.data,
                             REFUSALS[i].words);
    return refusal_set(reply, at, what, error);
}

/* A server that has never heard of HELLO, or of version 3, or whose user may not call it. */
static bool speaks_only_2(const struct reply *reply)
{
    static const char *const WORDS[] = {"ERR unknown command", "NOPROTO", "NOPERM"};
    for (size_t i = 0; i < G_N_ELEMENTS(WORDS); i++)
        if (reply_is_error(reply, WORDS[i]))
            return true;
    return false;
}

static bool hello(struct handshake *handshake, bool *ret_done, GError **error)
{
    const struct valkey_uri *uri = handshake->uri;
    const char *words[8] = {"HELLO", "3"};
    size_t n = 2;
    struct reply reply;
    if (uri->password) {
        words[n++] = "AUTH";
        words[n++] = uri->user ? uri->user : "default";
        words[n++] = uri->password;
    }
    words[n++] = "SETNAME";
    words[n++] = uri->client_name;
    if (!ask(handshake, words, &reply, error))
        return false;
    *ret_done = reply.type != REPLY_ERROR;
    return (uri->protocol == 0 && speaks_only_2(&reply)) || refused(handshake, &reply, "HELLO 3", error);
}

/* In RESP2, whose words are as old as the server may be. The name is a comfort that a user may be without. */
static bool introduce(struct handshake *handshake, GError **error)
{
    const struct valkey_uri *uri = handshake->uri;
    const char *const with_user[] = {"AUTH", uri->user, uri->password, NULL};
    const char *const alone[] = {"AUTH", uri->password, NULL};
    const char *const name[] = {"CLIENT", "SETNAME", uri->client_name, NULL};
    struct reply reply;
    if (uri->password &&
        (!ask(handshake, uri->user ? with_user : alone, &reply, error) || !refused(handshake, &reply, "AUTH", error)))
        return false;
    if (!ask(handshake, name, &reply, error))
        return false;
    return reply_is_error(&reply, "NOPERM") || reply_is_error(&reply, "ERR unknown command") ||
           reply_is_error(&reply, "ERR Unknown subcommand") || refused(handshake, &reply, "CLIENT SETNAME", error);
}

static bool choose_db(struct handshake *handshake, GError **error)
{
    char number[12];
    const char *const words[] = {"SELECT", number, NULL};
    struct reply reply;
    g_snprintf(number, sizeof number, "%u", handshake->uri->db);
    return handshake->uri->db == 0 ||
           (ask(handshake, words, &reply, error) && refused(handshake, &reply, "SELECT", error));
}

static bool shake_hands(struct handshake *handshake, GError **error)
{
    bool done = false;
    return (handshake->uri->protocol == 2 || hello(handshake, &done, error)) && (done || introduce(handshake, error)) &&
           choose_db(handshake, error);
}

/* What it mostly means that the first answer did not come, or is none. */
static const struct {
    enum error_code code;
    bool without_tls; /* says something only where we came without */
    const char *words;
} SILENCES[] = {
    {SLUICE_ERROR_STORE, false, "what answers there is no Valkey or Redis: check host and port"},
    {SLUICE_ERROR_UNREACHABLE, true, "check host and port; a port that takes TLS only wants valkeys:// (rediss://)"},
    {SLUICE_ERROR_TIMED_OUT, true,
     "the server is stopped, or busy, or the port takes TLS only (valkeys://); ?timeout= waits longer"},
    {SLUICE_ERROR_TIMED_OUT, false, "the server is stopped, or busy; ?timeout= waits longer"},
};

static bool explain(const struct handshake *handshake, GError *failed, GError **error)
{
    for (size_t i = 0; !handshake->heard && i < G_N_ELEMENTS(SILENCES); i++)
        if (error_is(failed, SILENCES[i].code) && !(SILENCES[i].without_tls && handshake->uri->tls)) {
            error_set(error, SILENCES[i].code, "%s: %s", failed->message, SILENCES[i].words);
            g_error_free(failed);
            return false;
        }
    g_propagate_error(error, failed);
    return false;
}

bool conn_open(struct conn **ret, const struct world *world, const struct valkey_uri *uri, const struct valkey_host *at,
               const struct net_wait *wait, GError **error)
{
    struct net_place place = {.host = at->host, .port = at->port, .tls = uri->tls ? &uri->tls_files : NULL};
    struct handshake handshake = {.uri = uri, .wait = *wait};
    int64_t latest_us = world_monotonic_us(world) + uri->timeout_ms * 1000;
    if (!wait->deadline_us || wait->deadline_us > latest_us)
        handshake.wait.deadline_us = latest_us;
    auto_(conn) conn = g_new0(struct conn, 1);
    *conn = (struct conn){.world = world, .at = {.host = g_strdup(at->host), .port = at->port}};
    conn->out = g_byte_array_new();
    conn->ends = g_array_new(FALSE, FALSE, sizeof(size_t));
    conn->tree = arena_new(TREE_MOST_BYTES);
    handshake.conn = conn;
    GError *failed = NULL;
    if (!net_connect(&conn->stream, world, &place, &handshake.wait, error))
        return false;
    if (!shake_hands(&handshake, &failed))
        return explain(&handshake, failed, error);
    *ret = g_steal_pointer(&conn);
    return true;
}

void conn_close(struct conn *conn)
{
    if (!conn)
        return;
    net_close(conn->stream);
    g_clear_error(&conn->unsendable);
    g_byte_array_unref(conn->out);
    g_array_unref(conn->ends);
    arena_free(conn->tree);
    g_free(conn->in);
    g_free(conn->at.host);
    g_free(conn);
}
