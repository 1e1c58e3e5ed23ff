/* What doctor and a governor ask of the servers, as the contract has it. */
#include "store/valkey/apart.h"
#include "store/valkey/examine.h"
#include "store/valkey/health.h"
#include "store/valkey/valkey_store.h"

/* A key that a record of the dataset could have: of a template one with `sluice` in its places, of a glob the glob
 * itself. */
static const char *some_key(const struct valkey_dataset *ds, struct arena *mem)
{
    struct slice key = slice_of_text("sluice"), server;
    if (key_template_places(ds->template) == 1 && key_template_to_server(ds->template, key, mem, &server, NULL))
        return arena_text(mem, server);
    return key_template_glob(ds->template);
}

static bool examine(struct session *session, const struct call *call, bool writes, bool members, GArray *into,
                    GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    const struct valkey_dataset *ds;
    if (!valkey_dataset_of(session, call->ds, &ds, error))
        return false;
    struct topology *topology = routes_topology(store->routes);
    struct examine_wish wish = {.router = valkey_session_of(session)->router,
                                .topology = topology,
                                .user = store->uri->user,
                                .insecure = store->uri->tls_files.insecure,
                                .key = some_key(ds, call->mem),
                                .form = ds->form ? ds->form->form : FORM_DEFAULT,
                                .glob = key_template_glob(ds->template),
                                .writes = writes,
                                .members = members};
    bool ok = (members ? examine_members : examine_servers)(&wish, call, into, error);
    topology_unref(topology);
    return ok;
}

bool valkey_examine(struct session *session, const struct call *call, bool writes, GArray *into, GError **error)
{
    return examine(session, call, writes, false, into, error);
}

bool valkey_examine_members(struct session *session, const struct call *call, GArray *into, GError **error)
{
    return examine(session, call, false, true, into, error);
}

bool valkey_health(struct session *session, const struct call *call, GArray *into, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct topology *topology = routes_topology(store->routes);
    struct health_wish wish = {.router = valkey_session_of(session)->router,
                               .topology = topology,
                               .world = store->base.world,
                               .db = store->uri->db};
    bool ok = health_ask(&wish, call, into, error);
    topology_unref(topology);
    return ok;
}

bool valkey_keeps(struct session *session, const struct call *call, GError **error)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    if (!valkey_health(session, call, nodes, error))
        return false;
    for (guint i = 0; i < nodes->len; i++) {
        const struct node_health *node = &g_array_index(nodes, struct node_health, i);
        if (node->evicts == 1)
            return error_set(
                error, SLUICE_ERROR_REFUSED,
                "%s evicts any key when its memory is full (maxmemory-policy allkeys-…): fences could go, and "
                "with them what tells a write from its repetition; set it to noeviction, or to one of "
                "volatile-*, while a run works",
                node->node);
    }
    return true;
}

/* Records of a shadow keep the expiry that they are to have, and a deletion in it is a key that expires. */
static bool shadow_stays(const struct node_health *node, GError **error)
{
    return node->evicts_expiring != 1 ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s evicts keys that are to expire when its memory is full (maxmemory-policy volatile-…): records "
                     "of a shadow could go with them; set it to noeviction for as long as a shadow stands, or leave "
                     "out `write: shadow`",
                     node->node);
}

static bool may_copy(struct session *session, const struct valkey_dataset *ds, const struct call *call, GError **error)
{
    const struct valkey_session *own = valkey_session_of(session);
    const char *user = valkey_store_of(session)->uri->user;
    if (!ds->form || ds->form->form != FORM_RAW)
        return true;
    if (!apart_learn(session, call, slice_of_text(some_key(ds, call->mem)), error))
        return false;
    return !(own->no_dump || own->no_restore) ||
           error_set(
               error, SLUICE_ERROR_NOT_PERMITTED,
               "user '%s' may not%s%s: without, raw records go by their types, in pieces, and no shadow holds such; "
               "ACL SETUSER %s +dump +restore, or leave out `write: shadow`",
               user ? user : "default", own->no_dump ? " DUMP" : "", own->no_restore ? " RESTORE" : "",
               user ? user : "default");
}

bool valkey_shadow_check(struct session *session, const struct call *call, GError **error)
{
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    const struct valkey_dataset *ds;
    if (!valkey_dataset_of(session, call->ds, &ds, error) || !may_copy(session, ds, call, error) ||
        !valkey_health(session, call, nodes, error))
        return false;
    for (guint i = 0; i < nodes->len; i++)
        if (!shadow_stays(&g_array_index(nodes, struct node_health, i), error))
            return false;
    return true;
}
