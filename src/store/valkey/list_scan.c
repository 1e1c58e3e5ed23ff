#include "base/int.h"
#include "store/valkey/list_parts.h"
#include "store/valkey/refusal.h"

enum { CALLS_MOST = 64 };

enum {
    SCAN_COUNT = 1000,
    SCAN_PACED = 32
}; /* keys looked at in one call: a fraction of a millisecond, of a request's time */

enum { SCAN_ARGS = 6 };

/* SCANs of one place that follow each other. */
struct scanning {
    struct list *list;
    const struct list_place *place;
    size_t found; /* about: what was found, with the keys that are being taken */
    bool ahead;   /* the next one is asked for before the keys of one are taken */
};

static void place_free(struct list_place *place)
{
    g_free(place->at.host);
    g_free(place);
}

/* The place of the server; made where there is none. */
static struct list_place *place_of(GPtrArray *places, const struct valkey_host *at)
{
    for (guint i = 0; i < places->len; i++) {
        struct list_place *place = g_ptr_array_index(places, i);
        if (place->at.port == at->port && g_str_equal(place->at.host, at->host))
            return place;
    }
    struct list_place *place = g_new0(struct list_place, 1);
    place->at = (struct valkey_host){.host = g_strdup(at->host), .port = at->port};
    g_ptr_array_add(places, place);
    return place;
}

/* Slots whose target is not known yet stay for a later time. */
static void add_slot(struct list *list, uint32_t slot)
{
    struct list_scan *scan = &list->scan;
    const struct claim_move *move = claim_moving(&scan->owner.claim, slot);
    const struct valkey_host *target = list_target(scan->topology, move);
    bool large = scan->keys[slot] > list->slot_most || move; /* of one that moves, its other keys count too */
    if (!claim_bit(scan->owner.claim.owned, slot) || (move && !target) || !large)
        return;
    claim_bit_set(place_of(scan->places, scan->owner.at)->wanted, slot);
    if (target)
        claim_bit_set(place_of(scan->places, target)->wanted, slot);
}

static bool take_keys(void *self, size_t moment, size_t slot, const struct reply *reply, GError **error)
{
    struct list_scan *scan = self;
    if (reply->type != REPLY_INTEGER || reply->integer < 0)
        return refusal_set(reply, scan->owner.at, "CLUSTER COUNTKEYSINSLOT", error);
    scan->keys[slot] = MAX((uint64_t)reply->integer, 1);
    return true;
}

static bool look_at_owner(struct list *list, const struct call *call, struct list_moment *owner, GError **error)
{
    struct list_moments of = {.list = list,
                              .call = call,
                              .moments = owner,
                              .n = 1,
                              .arrivals = true,
                              .answer = take_keys,
                              .self = &list->scan};
    return list_ask(&of, error);
}

static bool count_keys(struct list *list, const struct call *call, size_t node, GError **error)
{
    struct list_scan *scan = &list->scan;
    struct slice args[4];
    for (uint32_t slot = list->next; slot < list->to; slot++) {
        bool left = !claim_bit(list->done, slot) && scan->topology->owner[slot] == (int32_t)node;
        size_t n = left ? list_question(list, slot, false, 0, args) : 0;
        if (n && !list_moment_put(list, &scan->owner, slot, args, n, error))
            return false;
    }
    return look_at_owner(list, call, &scan->owner, error);
}

bool list_scan_begin(struct list *list, const struct call *call, struct topology *topology, size_t node, GError **error)
{
    struct list_scan *scan = &list->scan;
    *scan = (struct list_scan){.on = true, .topology = topology_ref(topology), .keys = g_new0(uint64_t, SLOTS)};
    scan->places = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    list_moment_init(&scan->owner, &scan->topology->nodes[node].at);
    if (!count_keys(list, call, node, error)) {
        list_scan_end(list);
        return false;
    }
    for (uint32_t slot = list->next; slot < list->to; slot++) {
        if (!claim_bit(list->done, slot))
            add_slot(list, slot);
    }
    return true;
}

void list_scan_end(struct list *list)
{
    struct list_scan *scan = &list->scan;
    g_clear_pointer(&scan->places, g_ptr_array_unref);
    g_clear_pointer(&scan->topology, topology_unref);
    g_clear_pointer(&scan->keys, g_free);
    list_moment_done(&scan->owner);
    scan->on = scan->known = false;
    scan->place = 0;
    scan->cursor = 0;
    scan->calls = 0;
}

/* --- SCAN --------------------------------------------------------------------------------------------------------- */

static bool scan_put(struct list *list, uint64_t cursor, struct command *ret)
{
    const struct slice args[SCAN_ARGS] = {
        slice_of_text("SCAN"),  list_number(list, cursor),
        slice_of_text("MATCH"), slice_of_text(list->own ? "sluice:*" : key_template_glob(list->template)),
        slice_of_text("COUNT"), list_number(list, router_paced(list->router) ? SCAN_PACED : SCAN_COUNT)};
    struct slice copy;
    if (!arena_copy(list->mem, slice_of(args, sizeof args), &copy))
        return false;
    ret->args = (const struct slice *)(const void *)copy.data;
    ret->n_args = SCAN_ARGS;
    return true;
}

static bool read_scan(const struct reply *reply, uint64_t *ret_cursor)
{
    return reply_is_array(reply, 2) && reply->items[1].type == REPLY_ARRAY &&
           int_parse_u64(reply->items[0].bytes, ret_cursor);
}

static bool take_scan(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct scanning *scanning = self;
    struct list *list = scanning->list;
    if (!read_scan(reply, &list->scan.cursor))
        return refusal_set(reply, &scanning->place->at, "SCAN", error);
    const struct reply *keys = &reply->items[1];
    list->scan.calls++;
    for (size_t k = 0; k < keys->n; k++) {
        uint16_t slot = scanning->place->all ? 0 : slot_of(keys->items[k].bytes);
        if ((scanning->place->all || claim_bit(scanning->place->wanted, slot)) &&
            !list_keep(list, keys->items[k].bytes, slot, error))
            return false;
    }
    return true;
}

/* A reply begins with where the next one goes on. */
static bool next_scan(void *self, size_t i, const struct reply *reply, struct command *next)
{
    struct scanning *scanning = self;
    struct list *list = scanning->list;
    uint64_t cursor;
    if (!scanning->ahead || !read_scan(reply, &cursor) || cursor == 0)
        return false;
    scanning->found += reply->items[1].n;
    return scanning->found < list->max_keys && scan_put(list, cursor, next);
}

/* One, and those behind it that are asked for ahead: `most` at most. */
static bool scan_chain(struct list *list, const struct call *call, const struct list_place *place, size_t most,
                       GError **error)
{
    struct scanning scanning = {
        .list = list, .place = place, .found = list->found->len, .ahead = !router_paced(list->router)};
    struct command commands[CALLS_MOST] = {0};
    for (size_t i = 0; i < most; i++)
        commands[i] = (struct command){.slot = -1, .at = &place->at, .repeatable = true};
    struct route_wish wish = {
        .commands = commands, .n = most, .answer = take_scan, .follow = next_scan, .self = &scanning};
    if (!scan_put(list, list->scan.cursor, &commands[0]))
        return error_set(error, SLUICE_ERROR_INTERNAL, "listing keys: no memory for a question");
    return router_run(list->router, call, &wish, error);
}

/* Until there is enough for one list_next(), or the place is at its end: then *ret_end. */
static bool scan_some(struct list *list, const struct call *call, bool *ret_end, GError **error)
{
    const struct list_place *place = g_ptr_array_index(list->scan.places, list->scan.place);
    size_t until = list->scan.calls + CALLS_MOST;
    *ret_end = false;
    while (!*ret_end && list->scan.calls < until && list->found->len < list->max_keys) {
        if (!scan_chain(list, call, place, until - list->scan.calls, error))
            return false;
        *ret_end = list->scan.cursor == 0;
    }
    return true;
}

/* --- a server of a cluster ---------------------------------------------------------------------------------------- */

/* Where slots move by other ways than MIGRATE, which calls RESTORE for each key. */
static bool moves_unseen(const struct topology *topology)
{
    bool valkey = g_str_equal(topology->server, "valkey");
    guint64 major = topology->version ? g_ascii_strtoull(topology->version, NULL, 10) : UINT64_MAX;
    return major >= (valkey ? 9 : 8);
}

/* Whether the slot was the owner's all the time between two looks. The owner's epoch stays where it was given no slot
 * at all; and where it was given some, a large one that had left would have come back key by key: it did not where
 * fewer keys came than half of what it has (the other half may have been deleted). */
static bool stayed(const struct list_scan *scan, const struct list_moment *now, uint32_t slot)
{
    const struct list_moment *then = &scan->owner;
    struct claim was = then->claim; /* its moves stay the moment's */
    bool counted = now->arrived >= then->arrived && !moves_unseen(scan->topology);
    if (counted && now->arrived - then->arrived < scan->keys[slot] / 2)
        was.config_epoch = now->claim.config_epoch;
    return claim_held(&was, &now->claim, slot);
}

/* The slots that did not stay are no longer wanted: they are for another pass. */
static bool look_again(struct list *list, const struct call *call, GError **error)
{
    struct list_scan *scan = &list->scan;
    struct list_moment now;
    list_moment_init(&now, scan->owner.at);
    bool looked = look_at_owner(list, call, &now, error);
    for (uint32_t slot = list->next; looked && slot < list->to; slot++) {
        if (!stayed(scan, &now, slot))
            scan->keys[slot] = 0;
    }
    list_moment_done(looked ? &scan->owner : &now);
    if (looked)
        scan->owner = now;
    scan->calls = 0;
    return looked;
}

/* All places have been read: the slots that were the owner's all the time are done, the others are left. */
static void scan_judge(struct list *list)
{
    const struct list_place *first = g_ptr_array_index(list->scan.places, 0);
    for (uint32_t slot = list->next; slot < list->to; slot++) {
        if (claim_bit(first->wanted, slot) && list->scan.keys[slot] > 0)
            claim_bit_set(list->done, slot);
    }
    while (list->next < list->to && claim_bit(list->done, list->next))
        list->next++;
}

/* A scan that fails begins anew: who owns what is asked again before it. */
static bool scan_cluster(struct list *list, const struct call *call, GError **error)
{
    struct list_scan *scan = &list->scan;
    bool end = false, good = scan->places->len > 0 && scan_some(list, call, &end, error);
    bool last = good && end && ++scan->place == scan->places->len;
    if (good && (last || scan->calls >= CALLS_MOST))
        good = look_again(list, call, error);
    if (good && last)
        scan_judge(list);
    if (!good || last)
        list_scan_end(list);
    return good;
}

/* --- a standalone server ------------------------------------------------------------------------------------------ */

/* Whether what the server said of itself behind the keys before is what it is before these: it is asked behind these
 * again, and who is the same then was so all the time. */
static bool scan_goes_on(struct list_scan *scan, const struct valkey_host *at)
{
    const struct list_place *place = scan->known ? g_ptr_array_index(scan->places, 0) : NULL;
    scan->known = false;
    return place && place->at.port == at->port && g_str_equal(place->at.host, at->host);
}

/* The whole server is one place. A cursor of another process, or of another history, is worth nothing. */
static bool scan_resume(struct list *list, const struct call *call, const struct valkey_host *at, GError **error)
{
    struct list_scan *scan = &list->scan;
    struct node_state now;
    if (scan_goes_on(scan, at))
        return true;
    if (!router_look(list->router, call, at, &now, error))
        return false;
    bool same = g_str_equal(now.run_id, scan->before.run_id) && g_str_equal(now.replid, scan->before.replid);
    uint64_t cursor = same ? scan->cursor : 0;
    list_scan_end(list);
    scan->before = now;
    scan->cursor = cursor;
    scan->places = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    struct list_place *place = place_of(scan->places, at);
    for (uint32_t slot = list->from; slot < list->to; slot++)
        claim_bit_set(place->wanted, slot);
    place->all = list->from == 0 && list->to == SLOTS;
    return true;
}

/* Whether it is still the process, and the history, that it was before the keys were read. */
static bool scan_same(struct list *list, const struct call *call, const struct valkey_host *at, GError **error)
{
    const struct node_state *before = &list->scan.before;
    struct node_state after;
    bool looked = router_look(list->router, call, at, &after, error);
    bool same = looked && g_str_equal(after.run_id, before->run_id) && g_str_equal(after.replid, before->replid);
    if (looked && !same) {
        g_clear_error(&list->why);
        error_set(&list->why, SLUICE_ERROR_BUSY, "the server was started anew while its keys were listed");
    }
    return same;
}

static bool scan_standalone(struct list *list, const struct call *call, GError **error)
{
    struct topology *topology = router_topology(list->router);
    bool end = false, good;
    const struct valkey_host *at = &topology->nodes[0].at;
    good = scan_resume(list, call, at, error);
    uint64_t from = list->scan.cursor;
    if (good && !(scan_some(list, call, &end, error) && scan_same(list, call, at, error))) {
        list->scan.cursor = from; /* what came meanwhile does not count */
        good = false;
    }
    list->scan.known = good;
    topology_unref(topology);
    list->over = good && end;
    return good;
}

bool list_scan_try(struct list *list, const struct call *call, GError **error)
{
    return list->scan.on ? scan_cluster(list, call, error) : scan_standalone(list, call, error);
}
