/* Putting a value together under a hidden key of the record's slot. The key expires by itself when nobody works on it
 * any more, and whoever puts the same value together again first takes away what is left of earlier tries, of so many
 * lanes: a process that is killed again and again opens a lane each time. */
#include "base/hex.h"
#include "record/text.h"
#include "store/valkey/pieces_write.h"
#include "store/valkey/refusal.h"

enum { EXPIRES_MS = 120000, NAMES = 4, LANES = 64, US_PER_MS = 1000 };

/* A server hands its replicas, or its file, a command as a whole: above this a string goes in pieces. */
#define WITH_REPLICAS_BYTES (UINT64_C(64) << 20)

struct building {
    const struct pieces_build *build;
    struct pieces_ask ask;
    struct pieces_watch at;
    struct node_state state; /* of the server */
    struct slice hidden;     /* data NULL: none begun */
    struct pieces_head head;
    uint64_t given; /* bytes of a string */
    struct pieces_commands commands;
    struct pieces_stream *stream;
    struct conn *conn; /* a string that is sent as it comes; NULL: it is appended to */
    bool from_memory;
    struct pieces_sum *sum; /* of what was written */
};

static bool build_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct building *building = self;
    if (reply->type != REPLY_ERROR)
        return true;
    if (valkey_is_right(reply))
        return valkey_refused(reply, "a value that is put together in pieces", error);
    if (reply_is_error(reply, "ERR"))
        return error_set(error, SLUICE_ERROR_UNWRITABLE, "the server refuses it: %.*s",
                         (int)MIN(reply->bytes.len, 200u), (const char *)reply->bytes.data);
    return pieces_refused(&building->ask, reply, error);
}

/* As long as somebody works on it, it does not expire. */
static void put_expiry(struct building *building)
{
    pieces_commands_text(&building->commands, "PEXPIRE");
    pieces_commands_bytes(&building->commands, building->hidden);
    pieces_commands_number(&building->commands, EXPIRES_MS);
    pieces_commands_end(&building->commands);
}

static bool send_some(void *self, GError **error)
{
    struct building *building = self;
    const struct pieces_commands *commands = &building->commands;
    if (building->hidden.data)
        put_expiry(building);
    size_t n = commands->ends->len, from = 0;
    g_autofree struct pieces_command *list = g_new0(struct pieces_command, n + 1);
    if (commands->full)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a piece does not fit into memory");
    for (size_t i = 0; i < n; i++) {
        size_t to = g_array_index(commands->ends, size_t, i);
        list[i] = (struct pieces_command){.args = &g_array_index(commands->args, struct slice, from), .n = to - from};
        from = to;
    }
    return pieces_ask(&building->ask, list, n, error);
}

static bool send_all(struct building *building, GError **error)
{
    struct pieces_commands *commands = &building->commands;
    if (commands->failed) {
        g_propagate_error(error, g_steal_pointer(&commands->failed));
        return false;
    }
    commands->sending = true;
    bool sent = send_some(building, error);
    commands->sending = false;
    pieces_commands_reset(commands);
    return sent;
}

/* --- names -------------------------------------------------------------------------------------------------------- */

/* Of lane and try, so that a command of an earlier one that arrives late changes nothing of this. */
static char *name_of(const struct building *building, uint32_t lane, uint32_t try)
{
    const struct pieces_build *build = building->build;
    const struct valkey_store *store = valkey_store_of(build->session);
    char run[33], key[DIGEST_TEXT];
    hex_text(build->lane->fence.run, sizeof build->lane->fence.run, run);
    digest_text(digest_bytes(build->key, 0), key);
    const char *tag = store->cluster ? slot_tag(slot_of(build->key)) : NULL;
    return g_strdup_printf("sluice:big:%s%s%s%s:%s:%u.%u", tag ? "{" : "", tag ? tag : "", tag ? "}:" : "", run, key,
                           lane, try);
}

static bool take_name(struct building *building, GError **error)
{
    uint32_t lane = building->build->lane->lane;
    struct pieces_commands *commands = &building->commands;
    pieces_commands_reset(commands);
    pieces_commands_text(commands, "UNLINK");
    for (uint32_t l = lane > LANES ? lane - LANES : 1; l <= lane; l++)
        for (uint32_t try = 0; try < NAMES; try++) {
            g_autofree char *name = name_of(building, l, try);
            pieces_commands_text(commands, name);
        }
    pieces_commands_end(commands);
    g_autofree char *name = name_of(building, lane, valkey_session_of(building->build->session)->builds++ % NAMES);
    return send_all(building, error) && (arena_copy(building->build->mem, slice_of_text(name), &building->hidden) ||
                                         error_set(error, SLUICE_ERROR_TOO_BIG, "there is no memory for a name"));
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

static struct net_wait patience(const struct building *building)
{
    const struct valkey_store *store = valkey_store_of(building->build->session);
    return (struct net_wait){.deadline_us = world_monotonic_us(store->base.world) + store->uri->timeout_ms * US_PER_MS,
                             .cancel = building->build->call->cancel};
}

/* A string that grows by APPEND is copied by its server every time that it passes a size class, a gigabyte in half a
 * second. One argument of a command is received into the place where it then stays: nothing is copied. Only replicas
 * and an append-only file get it copied, at once. */
static bool begin_string(struct building *building, GError **error)
{
    const struct valkey_store *store = valkey_store_of(building->build->session);
    bool passed_on = building->state.replicas > 0 || building->state.append_only;
    struct net_wait wait = patience(building);
    g_clear_pointer(&building->conn, conn_close);
    if (passed_on && building->head.n > WITH_REPLICAS_BYTES)
        return true;
    if (!conn_open(&building->conn, store->base.world, store->uri, &building->at.at, &wait, error))
        return false;
    struct slice args[] = {slice_of_text("SET"), building->hidden};
    conn_put_head(building->conn, args, G_N_ELEMENTS(args), building->head.n, 2);
    return true;
}

static bool add_string(struct building *building, struct slice part, GError **error)
{
    struct net_wait wait = patience(building);
    building->given += part.len;
    if (building->conn && building->given > building->head.n)
        return error_set(error, SLUICE_ERROR_CONTENDED, "it grows while it is copied");
    if (building->conn)
        return conn_put_part(building->conn, &wait, part, error);
    pieces_commands_text(&building->commands, "APPEND");
    pieces_commands_bytes(&building->commands, building->hidden);
    pieces_commands_bytes(&building->commands, part);
    pieces_commands_end(&building->commands);
    return send_all(building, error);
}

static bool end_string(struct building *building, GError **error)
{
    char text[16];
    g_snprintf(text, sizeof text, "%d", EXPIRES_MS);
    struct slice behind[] = {slice_of_text("PX"), slice_of_text(text)};
    struct net_wait wait = patience(building);
    struct reply reply;
    if (!building->conn)
        return true;
    if (building->given != building->head.n)
        return error_set(error, SLUICE_ERROR_CONTENDED, "it shrinks while it is copied");
    conn_put_behind(building->conn, behind, G_N_ELEMENTS(behind));
    if (!conn_next(building->conn, &wait, &reply, error))
        return false;
    return build_answer(building, 0, &reply, error);
}

/* --- streams ------------------------------------------------------------------------------------------------------ */

static bool begin_stream(struct building *building, GError **error)
{
    const struct valkey_session *session = valkey_session_of(building->build->session);
    building->stream = pieces_stream_new(&building->head, error);
    if (!building->stream)
        return false;
    if (!session->no_restore && building->head.whole_tail.len)
        return pieces_write_shell(building->stream, &building->commands, building->hidden, EXPIRES_MS, error) &&
               send_all(building, error);
    return !building->from_memory || !pieces_stream_has_consumers(building->stream) ||
           error_set(error, SLUICE_ERROR_UNWRITABLE,
                     "when the consumers of a stream were last seen can only be written by RESTORE, which the server "
                     "does not permit");
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static bool build_begin(void *self, const struct pieces_head *head, GError **error)
{
    struct building *building = self;
    building->head = *head;
    building->given = 0;
    pieces_sum_begin(building->sum, head->letter);
    g_clear_pointer(&building->stream, pieces_stream_free);
    if (!take_name(building, error))
        return false;
    if (head->letter == 's')
        return begin_string(building, error);
    return head->letter != 'x' || begin_stream(building, error);
}

static bool build_take(void *self, const struct form_pair *pairs, size_t n, GError **error)
{
    struct building *building = self;
    pieces_commands_reset(&building->commands);
    pieces_sum_add(building->sum, pairs, n);
    if (building->head.letter == 's') {
        for (size_t i = 0; i < n; i++)
            if (!add_string(building, pairs[i].name, error))
                return false;
        return true;
    }
    if (building->stream)
        pieces_write_entries(building->stream, &building->commands, building->hidden, pairs, n);
    else
        pieces_write_members(&building->commands, building->hidden, building->head.letter, pairs, n);
    return send_all(building, error);
}

static bool build_end(struct building *building, GError **error)
{
    if (building->head.letter == 's')
        return end_string(building, error);
    if (!building->stream)
        return true;
    pieces_commands_reset(&building->commands);
    pieces_write_tail(building->stream, &building->commands, building->hidden);
    return send_all(building, error);
}

/* What stands there is read once more: nothing is put in its place that is not what it should be. */
static bool is_whole(struct building *building, GError **error)
{
    struct call call = *building->build->call;
    struct pieces_wish wish = {.session = building->build->session, .call = &call, .key = building->hidden};
    struct pieces_found found;
    uint8_t wanted[PIECES_BYTES];
    call.mem = building->build->mem;
    if (!pieces_read(&wish, &found, error))
        return false;
    if (building->stream)
        pieces_sum_tail(building->sum, pieces_stream_told(building->stream), pieces_stream_pending(building->stream));
    pieces_sum_end(building->sum, wanted);
    return (found.present && memcmp(found.stands_for, wanted, sizeof wanted) == 0) ||
           error_set(error, SLUICE_ERROR_UNWRITABLE,
                     "the server makes something else of it than was put there; it was taken away again");
}

static bool fetch(const struct pieces_build *build, const struct pieces_taker *taker, GError **error)
{
    struct call call = *build->call;
    call.mem = build->mem;
    struct pieces_wish wish = {.session = build->call->from, .call = &call, .key = build->record_key, .taker = taker};
    struct pieces_found found;
    if (!build->call->from)
        return error_set(error, SLUICE_ERROR_UNWRITABLE,
                         "of this value only its digest is known: it cannot be written");
    if (!pieces_read(&wish, &found, error))
        return false;
    if (found.present && slice_equal(slice_of(found.stands_for, PIECES_BYTES), build->raw))
        return true;
    return error_set(error, SLUICE_ERROR_CONTENDED,
                     "it has changed since it was read; retry it when it is quieter (quarantine retry)");
}

bool pieces_build(const struct pieces_build *build, struct slice *ret_hidden, GError **error)
{
    auto_(arena) mem = arena_new((size_t)4 * DOCUMENT_BYTES);
    struct building building = {.build = build, .from_memory = !pieces_stand_for(build->raw), .sum = pieces_sum_new()};
    struct pieces_taker taker = {.self = &building, .begin = build_begin, .take = build_take};
    building.ask = (struct pieces_ask){.session = build->session,
                                       .call = build->call,
                                       .through = &building.at,
                                       .writes = true,
                                       .answer = build_answer,
                                       .self = &building};
    struct router *router = valkey_session_of(build->session)->router;
    pieces_commands_init(&building.commands, mem);
    building.commands.send = send_some;
    building.commands.self = &building;
    bool built = pieces_bind(build->session, build->call, build->key, &building.at, error) &&
                 router_look(router, build->call, &building.at.at, &building.state, error) &&
                 (building.from_memory ? pieces_walk(build->raw, &taker, error) : fetch(build, &taker, error)) &&
                 build_end(&building, error) && is_whole(&building, error);
    pieces_sum_free(building.sum);
    pieces_commands_done(&building.commands);
    pieces_stream_free(building.stream);
    conn_close(building.conn);
    if (built)
        *ret_hidden = building.hidden;
    else if (building.hidden.data)
        pieces_drop(build, building.hidden);
    return built;
}

/* What cannot be taken away now expires. */
void pieces_drop(const struct pieces_build *build, struct slice hidden)
{
    struct pieces_watch at;
    const struct slice args[] = {slice_of_text("UNLINK"), hidden};
    struct pieces_command command = {args, G_N_ELEMENTS(args)};
    struct building building = {.build = build};
    building.ask = (struct pieces_ask){.session = build->session,
                                       .call = build->call,
                                       .through = &at,
                                       .writes = true,
                                       .answer = build_answer,
                                       .self = &building};
    (void)!(pieces_bind(build->session, build->call, build->key, &at, NULL) &&
            pieces_ask(&building.ask, &command, 1, NULL));
}
