/* How large records are, asked before any is read: a value of a gigabyte would keep its server busy for seconds, and
 * fill this process's memory. MEMORY USAGE looks at the length of what it holds and at one member of it. */
#include "base/units.h"
#include "store/valkey/valkey_store.h"

enum { ARGS = 5 };

struct weighing {
    const struct call *call;
    struct record *io;
    const size_t *asked;
    bool *dropped;
};

static void too_big(const struct weighing *weighing, struct record *record, int64_t bytes)
{
    char size[UNITS_TEXT], most[UNITS_TEXT];
    g_autofree char *words = g_strdup_printf(
        "it takes %s of the server's memory; at most %s are read at once, and values are not read in pieces",
        units_bytes((uint64_t)bytes, size), units_bytes(DOCUMENT_BYTES, most));
    const char *text = arena_text(weighing->call->mem, slice_of_text(words));
    record->presence = RECORD_FAULT;
    record->fault = (struct fault){SLUICE_ERROR_TOO_BIG, text ? text : "it takes too much of the server's memory"};
}

/* Where the server does not say (a managed one may refuse the command) the record is read. */
static bool weigh_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct weighing *weighing = self;
    struct record *record = &weighing->io[weighing->asked[i]];
    weighing->dropped[i] = true;
    if (reply->type == REPLY_NULL)
        record->presence = RECORD_ABSENT;
    else if (reply->type == REPLY_INTEGER && reply->integer > DOCUMENT_BYTES)
        too_big(weighing, record, reply->integer);
    else
        weighing->dropped[i] = false;
    return true;
}

bool valkey_weigh(struct session *session, const struct call *call, struct valkey_reads *reads, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    size_t n = reads->n, kept = 0;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct slice *args = g_new(struct slice, n * ARGS + 1);
    g_autofree bool *dropped = g_new0(bool, n + 1);
    struct weighing weighing = {.call = call, .io = reads->io, .asked = reads->asked, .dropped = dropped};
    for (size_t i = 0; i < n; i++) {
        static const char *const WORDS[ARGS] = {"MEMORY", "USAGE", NULL, "SAMPLES", "1"};
        struct slice key = reads->keys[reads->asked[i]];
        for (size_t a = 0; a < ARGS; a++)
            args[i * ARGS + a] = WORDS[a] ? slice_of_text(WORDS[a]) : key;
        commands[i] = (struct command){
            .args = args + i * ARGS, .n_args = ARGS, .slot = (int32_t)valkey_place_of(store, key), .repeatable = true};
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = weigh_answer, .self = &weighing};
    if (!router_run(valkey_session_of(session)->router, call, &wish, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!dropped[i])
            reads->asked[kept++] = reads->asked[i];
    reads->n = kept;
    return true;
}
