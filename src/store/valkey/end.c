/* What is left of runs that are over, for as long as a copy of a home may be about: marks in a hash for each period. No
 * key expires, which would cost every reader of the database what is known of one in which none does. */
#include "base/hex.h"
#include "store/valkey/valkey_store.h"

#define END_KEY        "sluice:ended:"
#define END_PERIOD_MS  (INT64_C(200) * 24 * 3600 * 1000)
#define END_FIELD_TEXT HEX_TEXT(16)

/* A mark is looked for in the period to come (somebody's clock is ahead), in this one, and in two before it: it stays
 * for 400 days at least. Those before go with the next mark, however long none came. */
enum { AHEAD = 1, LOOKED_AT = 4, GOES = 3, END_KEY_BYTES = sizeof END_KEY + 24 };

struct end_work {
    struct session *session;
    const struct call *call;
    char keys[LOOKED_AT][END_KEY_BYTES];
    char field[END_FIELD_TEXT];
    struct slice found[LOOKED_AT];
};

/* The key of the period that is so many before the one to come. */
static struct slice end_key(struct end_work *work, size_t i, int before)
{
    int64_t now_ms = world_wall_ms(valkey_store_of(work->session)->base.world);
    g_snprintf(work->keys[i], sizeof work->keys[i], END_KEY "%" PRId64, now_ms / END_PERIOD_MS + AHEAD - before);
    return slice_of_text(work->keys[i]);
}

static bool end_run(struct end_work *work, struct command *commands, size_t n,
                    bool (*answer)(void *self, size_t i, const struct reply *reply, GError **error), GError **error)
{
    struct route_wish wish = {.commands = commands, .n = n, .answer = answer, .self = work};
    return router_run(valkey_session_of(work->session)->router, work->call, &wish, error) ||
           error_add(error, "key " END_KEY "*");
}

static struct command end_command(const struct end_work *work, const struct slice *args, size_t n, struct slice key)
{
    int32_t slot = (int32_t)valkey_place_of(valkey_store_of(work->session), key);
    return (struct command){.args = args, .n_args = n, .slot = slot, .repeatable = true};
}

static bool end_marked(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type != REPLY_ERROR || valkey_refused(reply, "marking the end of a run", error);
}

static bool drop_old(struct end_work *work, GError **error)
{
    struct slice args[GOES][2];
    struct command commands[GOES];
    for (int i = 0; i < GOES; i++) {
        args[i][0] = slice_of_text("UNLINK");
        args[i][1] = end_key(work, (size_t)i, LOOKED_AT + i);
        commands[i] = end_command(work, args[i], G_N_ELEMENTS(args[i]), args[i][1]);
    }
    return end_run(work, commands, GOES, end_marked, error);
}

bool valkey_end_mark(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice mark,
                     GError **error)
{
    struct end_work work = {.session = session, .call = call};
    struct slice key = end_key(&work, 0, AHEAD);
    struct slice args[] = {
        slice_of_text("EVALSHA"),
        slice_of_text(script_end.sha),
        slice_of_text("1"),
        key,
        slice_of_text(hex_text(run_uid, 16, work.field)),
        mark,
    };
    struct command command = end_command(&work, args, G_N_ELEMENTS(args), key);
    command.script = script_end.text;
    if (!end_run(&work, &command, 1, end_marked, error) || !drop_old(&work, error))
        return valkey_name_right(session, call, error);
    return true;
}

static bool end_found(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct end_work *work = self;
    work->found[i] = SLICE_EMPTY;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "reading the end of a run", error);
    return reply->type != REPLY_BYTES || arena_copy(work->call->mem, reply->bytes, &work->found[i]) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the mark of a run's end does not fit into the memory of the call");
}

bool valkey_end_read(struct session *session, const struct call *call, const uint8_t run_uid[16], struct slice *ret,
                     GError **error)
{
    struct end_work work = {.session = session, .call = call};
    struct slice args[LOOKED_AT][3];
    struct command commands[LOOKED_AT];
    for (int i = 0; i < LOOKED_AT; i++) {
        args[i][0] = slice_of_text("HGET");
        args[i][1] = end_key(&work, (size_t)i, i);
        args[i][2] = slice_of_text(hex_text(run_uid, 16, work.field));
        commands[i] = end_command(&work, args[i], G_N_ELEMENTS(args[i]), args[i][1]);
    }
    if (!end_run(&work, commands, LOOKED_AT, end_found, error))
        return false;
    *ret = SLICE_EMPTY;
    for (size_t i = LOOKED_AT; i > 0; i--) /* the newest is what counts */
        if (work.found[i - 1].len > 0)
            *ret = work.found[i - 1];
    return true;
}
