/* How often a server says that its keys are used. Under a policy of least frequent use it counts (OBJECT FREQ), under
 * any other it knows since when nobody has (OBJECT IDLETIME); the one it keeps it gives, the other it refuses. */
#include "store/valkey/valkey_store.h"

enum { ARGS = 3, KEYS_BYTES = 256 << 20 };

struct asking {
    const struct slice *keys; /* the servers' */
    size_t n;
    struct heat *heat;
    double sign; /* idle for long is cold */
    bool refused;
};

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct asking *asking = self;
    asking->refused |= reply->type == REPLY_ERROR;
    if (reply->type == REPLY_INTEGER)
        asking->heat[i] = (struct heat){.known = true, .value = asking->sign * (double)reply->integer};
    return true;
}

static bool ask(struct session *session, const struct call *call, const char *what, struct asking *asking,
                GError **error)
{
    const struct slice *keys = asking->keys;
    size_t n = asking->n;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct slice *args = g_new(struct slice, n * ARGS + 1);
    for (size_t i = 0; i < n; i++) {
        args[i * ARGS] = slice_of_text("OBJECT");
        args[i * ARGS + 1] = slice_of_text(what);
        args[i * ARGS + 2] = keys[i];
        commands[i] = (struct command){.args = args + i * ARGS,
                                       .n_args = ARGS,
                                       .slot = (int32_t)valkey_place_of(valkey_store_of(session), keys[i]),
                                       .repeatable = true};
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = asking};
    return router_run(valkey_session_of(session)->router, call, &wish, error);
}

bool valkey_heat(struct session *session, const struct call *call, struct heat_wish *io, GError **error)
{
    const struct valkey_dataset *ds;
    auto_(arena) mem = arena_new(KEYS_BYTES);
    g_autofree struct slice *servers = g_new0(struct slice, io->n + 1);
    struct asking often = {.keys = servers, .n = io->n, .heat = io->ret, .sign = 1}, idle = often;
    idle.sign = -1;
    if (!valkey_dataset_of(session, call->ds, &ds, error))
        return false;
    for (size_t i = 0; i < io->n; i++)
        if (!key_template_to_server(ds->template, io->keys[i], mem, &servers[i], error))
            return false;
    io->figure = "OBJECT FREQ, a mean";
    if (!ask(session, call, "FREQ", &often, error))
        return false;
    if (!often.refused)
        return true;
    io->figure = "minus the seconds of OBJECT IDLETIME, a mean";
    if (!ask(session, call, "IDLETIME", &idle, error))
        return false;
    return !idle.refused || error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                                      "the server gives neither OBJECT FREQ nor OBJECT IDLETIME of a key");
}
