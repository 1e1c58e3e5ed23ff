/* What the servers say of themselves. */
#include "store/valkey/valkey_store.h"

/* For so long a dataset's first key is looked for; what is rarer counts as present. */
#define LOOK_US INT64_C(3000000)
enum { LOOK_KEYS = 1000 };

static bool any_key(const struct call *call, struct list *list, const struct world *world, bool *ret, GError **error)
{
    struct list_keys listed = {.done = false};
    int64_t until_us = world_monotonic_us(world) + LOOK_US;
    while (!listed.done && world_monotonic_us(world) < until_us) {
        if (!call_goes_on(call, world, error) || !list_next(list, call, &listed, error))
            return false;
        if (listed.n)
            break;
    }
    *ret = listed.n || !listed.done;
    return true;
}

static bool dataset_present(struct session *session, const struct call *call, bool *ret, GError **error)
{
    const struct valkey_dataset *ds;
    auto_(list) list = NULL;
    auto_(arena) mem = arena_new((size_t)1 << 30);
    struct call inner = {.deadline_us = call->deadline_us, .cancel = call->cancel, .ds = call->ds, .mem = mem};
    if (!valkey_dataset_of(session, call->ds, &ds, error))
        return false;
    struct list_wish wish = {.template = ds->template, .max_keys = LOOK_KEYS};
    return list_open(&list, valkey_session_of(session)->router, &wish, error) &&
           any_key(&inner, list, valkey_store_of(session)->base.world, ret, error);
}

static bool take_time(void *self, size_t i, const struct reply *reply, GError **error)
{
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "TIME", error);
    return reply_time_ms(reply, self) ||
           error_set(error, SLUICE_ERROR_STORE, "the server answers TIME with something else");
}

static bool clock_of(struct session *session, const struct call *call, const struct valkey_host *at, int64_t *ret_ms,
                     GError **error)
{
    struct slice args[] = {slice_of_text("TIME")};
    struct command command = {.args = args, .n_args = 1, .slot = -1, .at = at, .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .answer = take_time, .self = ret_ms};
    return router_run(valkey_session_of(session)->router, call, &wish, error);
}

/* Which node has which slots: a digest of their ids in the order of the slots. */
static const char *topology_text(const struct topology *topology, struct arena *mem)
{
    GString *owners = g_string_new(NULL);
    char text[17];
    for (size_t slot = 0; slot < SLOTS; slot++) {
        int32_t owner = topology->owner[slot];
        bool same = slot > 0 && owner == topology->owner[slot - 1];
        if (!same)
            g_string_append_printf(owners, "%zu %s\n", slot, owner < 0 ? "-" : topology->nodes[owner].id);
    }
    g_snprintf(text, sizeof text, "%016" G_GINT64_MODIFIER "x",
               digest_bytes(slice_of(owners->str, owners->len), 0).low);
    g_string_free(owners, TRUE);
    return arena_text(mem, slice_of_text(text));
}

/* Of a cluster the node that owns slot 0 stands for all of it. */
static bool inspect_node(struct session *session, const struct call *call, const struct topology *topology,
                         struct store_info *info, GError **error)
{
    int32_t first = topology->owner[0];
    if (first < 0)
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "nobody owns hash slot 0");
    const struct valkey_node *node = &topology->nodes[first];
    struct node_state state;
    if (!clock_of(session, call, &node->at, &info->clock_ms, error) ||
        !router_look(valkey_session_of(session)->router, call, &node->at, &state, error))
        return false;
    const char *run_id = valkey_store_of(session)->cluster ? node->id : state.run_id;
    info->run_id = run_id && *run_id ? arena_text(call->mem, slice_of_text(run_id)) : NULL;
    g_autofree char *version = g_strdup_printf("%s %s", topology->server, topology->version);
    if (topology->kind == VALKEY_CLUSTER)
        info->topology = topology_text(topology, call->mem);
    info->version = arena_text(call->mem, slice_of_text(version));
    return true;
}

bool valkey_inspect(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct store_info info = {.identity = store->place, .keyed = true};
    struct topology *topology = routes_topology(store->routes);
    bool ok = inspect_node(session, call, topology, &info, error) &&
              list_count(valkey_session_of(session)->router, call, &info.records, error) &&
              dataset_present(session, call, &info.dataset_present, error);
    topology_unref(topology);
    if (ok)
        *ret = info;
    return ok;
}
