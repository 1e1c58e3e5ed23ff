/* Whether anything was changed between two looks. A server counts what its commands change
 * (rdb_changes_since_last_save, from which a save takes off what it has), in whichever database, and it is the only one
 * of whom our reads come, as long as none of them was redirected. What changes without a command is left out: nothing
 * may expire or be evicted meanwhile, and no module is loaded, which may write as it likes. */
#include "store/valkey/info.h"
#include "store/valkey/valkey_store.h"

struct asking {
    uint32_t db;
    struct set_digest sum; /* of what each of them says */
    bool tells;            /* each of those that have answered */
};

#define WORD(text)                                                                                                     \
    {                                                                                                                  \
        .data = (const uint8_t *)(text), .len = sizeof(text) - 1                                                       \
    }
static const struct slice QUESTION[] = {WORD("INFO"),  WORD("server"),   WORD("replication"), WORD("persistence"),
                                        WORD("stats"), WORD("keyspace"), WORD("modules")};
#undef WORD

static const char *const COUNTS[] = {
    "run_id",       "master_replid", "rdb_changes_since_last_save", "rdb_last_save_time", "rdb_saves",
    "expired_keys", "evicted_keys"};

static bool is_quiet(const struct asking *asking, struct slice info)
{
    struct slice module;
    uint64_t expiring;
    return info_says(info, "role", "master") && info_says(info, "loading", "0") &&
           info_expiring(info, asking->db, &expiring) && expiring == 0 && !info_text(info, "module", &module);
}

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct asking *asking = self;
    g_autoptr(GString) text = g_string_new(NULL);
    bool tells = reply->type == REPLY_BYTES && is_quiet(asking, reply->bytes);
    for (size_t k = 0; k < G_N_ELEMENTS(COUNTS) && tells; k++) {
        struct slice count;
        tells = info_text(reply->bytes, COUNTS[k], &count);
        if (tells)
            g_string_append_printf(text, "%.*s ", (int)count.len, (const char *)count.data);
    }
    set_digest_add(&asking->sum, digest_bytes(slice_of(text->str, text->len), i));
    asking->tells = asking->tells && tells;
    return true;
}

static bool ask_owners(struct session *session, const struct call *call, struct asking *asking, GError **error)
{
    struct topology *topology = routes_topology(valkey_store_of(session)->routes);
    g_autofree bool *owners = topology_owners(topology);
    g_autofree struct command *commands = g_new0(struct command, topology->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < topology->n; i++)
        if (owners[i])
            commands[n++] = (struct command){.args = QUESTION,
                                             .n_args = G_N_ELEMENTS(QUESTION),
                                             .slot = -1,
                                             .at = &topology->nodes[i].at,
                                             .repeatable = true};
    asking->tells = n > 0;
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = asking};
    bool asked = router_run(valkey_session_of(session)->router, call, &wish, error);
    topology_unref(topology);
    return asked;
}

/* A read that was redirected came of who knows whom. */
bool valkey_moment(struct session *session, const struct call *call, struct slice *ret, GError **error)
{
    struct asking asking = {.db = valkey_store_of(session)->uri->db};
    if (!ask_owners(session, call, &asking, error))
        return false;
    uint64_t said[] = {asking.sum.count, asking.sum.sum.low, asking.sum.sum.high,
                       router_redirections(valkey_session_of(session)->router)};
    return !asking.tells || arena_copy(call->mem, slice_of(said, sizeof said), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "a moment does not fit into the memory of the call");
}
