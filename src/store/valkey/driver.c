/* The driver's table: opening, sessions, datasets, places. */
#include "store/valkey/history.h"
#include "store/valkey/pieces.h"
#include "store/valkey/probe.h"
#include "store/valkey/refusal.h"

#define CALL_BYTES ((size_t)1 << 30) /* what one call may need beside its answer: a bound, never taken at once */
#define OPEN_TRIES 2

static bool parse_uri(const struct store_config *config, struct valkey_uri **ret, GError **error)
{
    return valkey_uri_parse(ret, config->uri, config->base_dir, error);
}

static bool locate(const struct store_config *config, const struct world *world, char **ret, GError **error)
{
    auto_(valkey_uri) uri = NULL;
    if (!parse_uri(config, &uri, error))
        return false;
    *ret = valkey_uri_place(uri);
    return true;
}

static void store_free(struct valkey_store *store)
{
    fences_free(store->fences);
    if (store->routes)
        routes_free(store->routes);
    few_done(&store->readers);
    few_done(&store->writers);
    ceiling_done(&store->ceiling);
    valkey_uri_free(store->uri);
    g_free(store->place);
    g_free(store->history);
    lock_mark_done(&store->locked);
    g_free(store);
}

/* One server alone that is a replica: nobody knows of its primary. Through Sentinel it is none. */
static bool can_write(const struct topology *topology, GError **error)
{
    const struct valkey_node *node = &topology->nodes[topology->asked];
    if (topology->kind == VALKEY_CLUSTER || node->primary)
        return true;
    return error_set(error, SLUICE_ERROR_UNREACHABLE,
                     "%s:%u is a replica, which takes no writes; name its primary (INFO replication has it), or the "
                     "sentinels with ?sentinel=NAME",
                     node->at.host, node->at.port);
}

static bool open_store(struct store **ret, const struct store_config *config, const struct world *world, GError **error)
{
    struct topology *topology = NULL;
    auto_(valkey_uri) uri = NULL;
    if (!parse_uri(config, &uri, error))
        return false;
    int64_t patience_us = uri->timeout_ms * 1000 * (int64_t)uri->n_hosts * OPEN_TRIES;
    struct net_wait wait = {.deadline_us = world_monotonic_us(world) + patience_us};
    if (!topology_ask(&topology, world, uri, NULL, &wait, error))
        return false;
    if (!config->read_only && !can_write(topology, error)) {
        topology_unref(topology);
        return false;
    }
    struct valkey_store *store = g_new0(struct valkey_store, 1);
    store->cluster = topology->kind == VALKEY_CLUSTER;
    store->place = valkey_uri_place(uri);
    store->uri = g_steal_pointer(&uri);
    store->routes = routes_new(world, store->uri, topology);
    topology_unref(topology);
    store->fences = fences_new(world, store->cluster ? SLOTS : 1);
    few_init(&store->readers, VALKEY_FEW);
    few_init(&store->writers, VALKEY_FEW);
    ceiling_init(&store->ceiling);
    *ret = (struct store *)store;
    return true;
}

bool valkey_run_of_few(struct session *session, const struct call *call, const struct route_wish *wish, struct few *few,
                       GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct router *router = valkey_session_of(session)->router;
    if (store->cluster || wish->n < VALKEY_MANY_COMMANDS || router_paced(router))
        return router_run(router, call, wish, error);
    few_enter(few);
    bool ran = router_run(router, call, wish, error);
    few_leave(few);
    return ran;
}

static void close_store(struct store *store)
{
    store_free((struct valkey_store *)store);
}

/* --- sessions ----------------------------------------------------------------------------------------------------- */

static void dataset_free(void *at)
{
    struct valkey_dataset *dataset = at;
    key_template_free(dataset->template);
    g_free(dataset);
}

static bool session_open(struct session **ret, struct store *store, GError **error)
{
    struct valkey_session *session = g_new0(struct valkey_session, 1);
    session->router = router_new(((struct valkey_store *)store)->routes);
    session->datasets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, dataset_free);
    session->written = g_hash_table_new(g_direct_hash, g_direct_equal);
    session->due = g_hash_table_new(g_direct_hash, g_direct_equal);
    session->recorded = g_array_new(false, false, sizeof(struct valkey_recorded));
    session->mem = arena_new(CALL_BYTES);
    session->work = form_work_new();
    *ret = (struct session *)session;
    return true;
}

static void session_close(struct session *base)
{
    struct valkey_session *session = valkey_session_of(base);
    router_free(session->router);
    g_hash_table_unref(session->datasets);
    g_hash_table_unref(session->written);
    g_hash_table_unref(session->due);
    g_array_unref(session->recorded);
    arena_free(session->mem);
    form_work_free(session->work);
    g_free(session);
}

static bool dataset_make(const struct dataset *ds, struct valkey_dataset **ret, GError **error)
{
    auto_(key_template) template = NULL;
    if (!key_template_parse(&template, ds->name, error))
        return false;
    *ret = g_new0(struct valkey_dataset, 1);
    (*ret)->template = g_steal_pointer(&template);
    (*ret)->form = form_of(ds);
    return true;
}

static bool formless(const struct dataset *ds, GError **error)
{
    return error_set(error, SLUICE_ERROR_SPEC,
                     "dataset '%s': there are no records of this form here; `as` is hash, json or raw", ds->name);
}

bool valkey_dataset_of(struct session *session, const struct dataset *ds, const struct valkey_dataset **ret,
                       GError **error)
{
    GHashTable *all = valkey_session_of(session)->datasets;
    g_autofree char *name = g_strdup_printf("%d/%s", (int)ds->form, ds->name);
    struct valkey_dataset *dataset = g_hash_table_lookup(all, name);
    if (!dataset) {
        if (!dataset_make(ds, &dataset, error))
            return false;
        g_hash_table_insert(all, g_steal_pointer(&name), dataset);
    }
    *ret = dataset;
    return true;
}

bool valkey_records_of(struct session *session, const struct dataset *ds, const struct valkey_dataset **ret,
                       GError **error)
{
    const struct valkey_dataset *dataset;
    if (!valkey_dataset_of(session, ds, &dataset, error))
        return false;
    if (!dataset->form)
        return formless(ds, error);
    *ret = dataset;
    return true;
}

uint32_t valkey_place_of(const struct valkey_store *store, struct slice server_key)
{
    return store->cluster ? slot_of(server_key) : 0;
}

bool valkey_place_near(struct session *session, const struct call *call, struct slice near, uint32_t *ret)
{
    const struct valkey_dataset *dataset;
    struct arena *mem = valkey_session_of(session)->mem;
    struct slice key;
    if (!near.len)
        return false;
    arena_reset(mem);
    if (!valkey_records_of(session, call->ds, &dataset, NULL) ||
        !key_template_to_server(dataset->template, near, mem, &key, NULL))
        return false;
    *ret = valkey_place_of(valkey_store_of(session), key);
    return true;
}

bool valkey_is_right(const struct reply *reply)
{
    static const char *const says[] = {"user executing the script can't", "ACL failure in script", "NOPERM"};
    for (size_t i = 0; i < G_N_ELEMENTS(says); i++)
        if (g_strstr_len((const char *)reply->bytes.data, (gssize)reply->bytes.len, says[i]))
            return true;
    return false;
}

bool valkey_refused(const struct reply *reply, const char *what, GError **error)
{
    const struct refusal *row = refusal_of(reply);
    enum error_code code = row ? row->code : SLUICE_ERROR_STORE;
    return error_set(error, valkey_is_right(reply) ? SLUICE_ERROR_NOT_PERMITTED : code, "%s: the server answers: %.*s",
                     what, (int)MIN(reply->bytes.len, 300u), (const char *)reply->bytes.data);
}

bool valkey_name_right(struct session *session, const struct call *call, GError **error)
{
    g_autoptr(GArray) remarks = g_array_new(false, false, sizeof(struct store_remark));
    if (!error || !error_is(*error, SLUICE_ERROR_NOT_PERMITTED) || !valkey_examine(session, call, true, remarks, NULL))
        return false;
    for (size_t i = 0; i < remarks->len; i++) {
        const struct store_remark *remark = &g_array_index(remarks, struct store_remark, i);
        if (remark->level != REMARK_FAIL || !remark->todo || !strstr(remark->todo, "ACL SETUSER"))
            continue;
        g_autoptr(GError) failed = g_steal_pointer(error);
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "%s; %s: %s", failed->message, remark->text, remark->todo);
    }
    return false;
}

/* The places of a template are the paths that make the key, in their order. */
static bool places_agree(const struct key_template *template, const struct dataset *ds, GError **error)
{
    size_t places = key_template_places(template);
    if (!places || !ds->key)
        return true;
    if (ds->key->n != places)
        return error_set(error, SLUICE_ERROR_SPEC,
                         "dataset '%s': it has %zu placeholders, and `key` has %zu paths: they stand for each other in "
                         "their order",
                         ds->name, places, ds->key->n);
    for (size_t i = 0; i < places; i++)
        if (strcmp(path_text(ds->key->paths[i]), key_template_place(template, i)) != 0)
            return error_set(
                error, SLUICE_ERROR_SPEC,
                "dataset '%s': its placeholder {%s} stands where `key` has '%s'; name the same field in both", ds->name,
                key_template_place(template, i), path_text(ds->key->paths[i]));
    return true;
}

static bool takes(const struct dataset *ds, GError **error)
{
    struct valkey_dataset *dataset = NULL;
    if (!dataset_make(ds, &dataset, error))
        return false;
    bool ok = (dataset->form || formless(ds, error)) && places_agree(dataset->template, ds, error);
    dataset_free(dataset);
    return ok;
}

static bool overlap(const struct dataset *one, const struct dataset *other)
{
    auto_(key_template) a = NULL;
    auto_(key_template) b = NULL;
    bool both = key_template_parse(&a, one->name, NULL) && key_template_parse(&b, other->name, NULL);
    return !both || key_template_overlap(a, b);
}

/* --- documents ---------------------------------------------------------------------------------------------------- */

static bool digest(const struct dataset *ds, struct slice raw, uint64_t seed, struct digest *ret)
{
    const struct form *form = form_of(ds);
    return form && form->digest && form->digest(raw, seed, ret);
}

static bool decode(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret, GError **error)
{
    const struct form *form = form_of(ds);
    return form ? form->decode(ds, raw, mem, ret, error) : formless(ds, error);
}

static bool encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                   GError **error)
{
    const struct form *form = form_of(ds);
    return form ? form->encode(ds, document, mem, ret, error) : formless(ds, error);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const char *const schemes[] = {"valkey", "redis", "valkeys", "rediss", NULL};

static const struct option_row options[] = {
#define ROW(name, value, take, tls, words) {name, value, words},
#include "store/valkey/uri_rows.h"
#undef ROW
    {NULL, NULL, NULL},
};

static const struct write_ops write_ops = {
    .cas = valkey_cas,
    .settle = valkey_settle,
    .lane_open = valkey_lane_open,
    .fence_read = valkey_fence_read,
    .fence_drop = valkey_fence_drop,
    .lock = valkey_lock,
    .unlock = valkey_unlock,
    .end_mark = valkey_end_mark,
    .end_read = valkey_end_read,
    .lock_read = valkey_lock_read,
};

static const struct history_ops history_ops = {
    .note = valkey_history_note,
    .look = valkey_history_look,
    .free = history_free,
    .holds = history_holds,
    .stands = valkey_history_stands,
};

enum { SLOT_MEMORY = 64 << 20 }; /* of one key */

static bool slot_of_record(struct session *session, const struct dataset *ds, struct slice key, uint32_t *ret,
                           GError **error)
{
    const struct valkey_dataset *met;
    struct slice server;
    auto_(arena) mem = arena_new(SLOT_MEMORY);
    if (!valkey_dataset_of(session, ds, &met, error) ||
        !key_template_to_server(met->template, key, mem, &server, error))
        return false;
    *ret = slot_of(server);
    return true;
}

static bool server_of_slot(struct session *session, const struct call *call, uint32_t slot, const char **ret,
                           GError **error)
{
    const struct valkey_store *store = valkey_store_of(session);
    *ret = NULL;
    if (!store->cluster)
        return true;
    struct topology *topology = routes_topology(store->routes);
    int32_t owner = topology->owner[slot];
    g_autofree char *name =
        owner < 0 ? NULL : g_strdup_printf("%s:%u", topology->nodes[owner].at.host, topology->nodes[owner].at.port);
    topology_unref(topology);
    *ret = name ? arena_text(call->mem, slice_of_text(name)) : NULL;
    return !name || *ret || error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
}

static const struct list_ops list_ops = {.sorted = false, .rank = valkey_rank};
static const struct slot_ops slot_ops = {.count = SLOTS, .of = slot_of_record, .server = server_of_slot};

static bool copies(const struct dataset *ds)
{
    return form_of(ds) == &form_raw;
}

static const struct shadow_ops shadow_ops = {
    .check = valkey_shadow_check, .drop = valkey_shadow_drop, .drift_ms = 10000};

static const struct big_ops big_ops = {.stands_for = pieces_stand_for, .copies = copies};

static const struct probe_ops probe_ops = {
    .set_pace = valkey_set_pace, .open = valkey_probe_open, .run = valkey_probe_run, .close = valkey_probe_close};

const struct store_driver valkey_driver = {
    .name = "valkey",
    .schemes = schemes,
    .words = "Valkey and Redis: standalone, Sentinel or Cluster",
    .options = options,
    .takes = takes,
    .overlap = overlap,
    .locate = locate,
    .open = open_store,
    .close = close_store,
    .session_open = session_open,
    .session_close = session_close,
    .inspect = valkey_inspect,
    .examine = valkey_examine,
    .health = valkey_health,
    .moment = valkey_moment,
    .heat = valkey_heat,
    .decode = decode,
    .digest = digest,
    .encode = encode,
    .split = valkey_split,
    .scan_open = valkey_scan_open,
    .scan_next = valkey_scan_next,
    .scan_close = valkey_scan_close,
    .read = valkey_read,
    .write = &write_ops,
    .list = &list_ops,
    .slots = &slot_ops,
    .history = &history_ops,
    .big = &big_ops,
    .shadow = &shadow_ops,
    .probe = &probe_ops,
    .members = &valkey_members,
};
