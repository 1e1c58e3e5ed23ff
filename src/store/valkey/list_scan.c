#include "base/int.h"
#include "store/valkey/list_parts.h"

enum { CALLS_MOST = 64 };

#define SCAN_COUNT "1000" /* keys looked at in one call: a fraction of a millisecond */

struct scanning {
    struct list_batch batch;
    const struct list_place *place;
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
static void add_slot(struct list_scan *scan, uint32_t slot)
{
    const struct valkey_node *owner = &scan->topology->nodes[scan->owner];
    const struct claim_move *move = claim_moving(&scan->before, slot);
    const struct valkey_host *target = list_target(scan->topology, move);
    if (!claim_bit(scan->before.owned, slot) || (move && !target))
        return;
    claim_bit_set(place_of(scan->places, &owner->at)->wanted, slot);
    if (target)
        claim_bit_set(place_of(scan->places, target)->wanted, slot);
}

void list_scan_begin(struct list *list, struct topology *topology, size_t owner, struct claim *before)
{
    struct list_scan *scan = &list->scan;
    claim_done(&scan->before);
    *scan = (struct list_scan){.on = true, .owner = owner, .topology = topology, .before = *before};
    claim_init(before);
    scan->places = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    for (uint32_t slot = list->next; slot < list->to; slot++) {
        if (!claim_bit(list->done, slot))
            add_slot(scan, slot);
    }
}

void list_scan_end(struct list *list)
{
    struct list_scan *scan = &list->scan;
    g_clear_pointer(&scan->places, g_ptr_array_unref);
    g_clear_pointer(&scan->topology, topology_unref);
    scan->on = false;
    scan->place = 0;
    scan->cursor = 0;
}

/* --- SCAN --------------------------------------------------------------------------------------------------------- */

static bool take_scan(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct scanning *scanning = self;
    struct list *list = scanning->batch.list;
    if (!reply_is_array(reply, 2) || reply->items[1].type != REPLY_ARRAY ||
        !int_parse_u64(reply->items[0].bytes, &list->scan.cursor))
        return list_refuse(&scanning->batch, i, reply, error);
    const struct reply *keys = &reply->items[1];
    for (size_t k = 0; k < keys->n; k++) {
        uint16_t slot = slot_of(keys->items[k].bytes);
        if (claim_bit(scanning->place->wanted, slot) && !list_keep(list, keys->items[k].bytes, slot, error))
            return false;
    }
    return true;
}

static bool scan_once(struct list *list, const struct call *call, const struct list_place *place, GError **error)
{
    struct slice args[] = {slice_of_text("SCAN"),  list_number(list, list->scan.cursor),
                           slice_of_text("MATCH"), slice_of_text(key_template_glob(list->template)),
                           slice_of_text("COUNT"), slice_of_text(SCAN_COUNT)};
    struct scanning scanning = {.place = place};
    scanning.batch = (struct list_batch){.list = list, .call = call, .answer = take_scan, .self = &scanning};
    return list_put(&scanning.batch, &place->at, args, G_N_ELEMENTS(args), error) && list_send(&scanning.batch, error);
}

/* Until there is enough for one list_next(), or the place is at its end: then *ret_end. */
static bool scan_some(struct list *list, const struct call *call, bool *ret_end, GError **error)
{
    const struct list_place *place = g_ptr_array_index(list->scan.places, list->scan.place);
    *ret_end = false;
    for (size_t i = 0; !*ret_end && i < CALLS_MOST && list->found->len < list->max_keys; i++) {
        if (!scan_once(list, call, place, error))
            return false;
        *ret_end = list->scan.cursor == 0;
    }
    return true;
}

/* --- a server of a cluster ---------------------------------------------------------------------------------------- */

/* All places have been read: the slots that were the owner's all the time are done, the others are left. */
static bool scan_judge(struct list *list, const struct call *call, GError **error)
{
    struct list_scan *scan = &list->scan;
    const struct list_place *first = g_ptr_array_index(scan->places, 0);
    struct list_nodes of = {.topology = scan->topology, .nodes = &scan->owner, .n = 1};
    struct claim after;
    claim_init(&after);
    bool looked = list_look(list, call, &of, &after, error);
    for (uint32_t slot = 0; looked && slot < SLOTS; slot++) {
        if (claim_bit(first->wanted, slot) && claim_held(&scan->before, &after, slot))
            claim_bit_set(list->done, slot);
    }
    while (looked && list->next < list->to && claim_bit(list->done, list->next))
        list->next++;
    claim_done(&after);
    return looked;
}

/* A scan that fails begins anew: who owns what is asked again before it. */
static bool scan_cluster(struct list *list, const struct call *call, GError **error)
{
    struct list_scan *scan = &list->scan;
    bool end = false, good = scan->places->len > 0 && scan_some(list, call, &end, error);
    if (good && end && ++scan->place == scan->places->len) {
        good = scan_judge(list, call, error);
        list_scan_end(list);
    }
    if (!good)
        list_scan_end(list);
    return good;
}

/* --- a standalone server ------------------------------------------------------------------------------------------ */

/* The whole server is one place. A cursor of another process, or of another history, is worth nothing. */
static bool scan_resume(struct list *list, const struct call *call, struct topology *topology, GError **error)
{
    struct list_scan *scan = &list->scan;
    struct list_nodes of = {.topology = topology, .nodes = &(const size_t){0}, .n = 1};
    struct claim now;
    claim_init(&now);
    if (!list_look(list, call, &of, &now, error)) {
        claim_done(&now);
        return false;
    }
    bool same = g_str_equal(now.run_id, scan->before.run_id) && g_str_equal(now.replid, scan->before.replid);
    uint64_t cursor = same ? scan->cursor : 0;
    list_scan_end(list);
    claim_done(&scan->before);
    scan->before = now;
    scan->cursor = cursor;
    scan->places = g_ptr_array_new_with_free_func((GDestroyNotify)place_free);
    struct list_place *place = place_of(scan->places, &topology->nodes[0].at);
    for (uint32_t slot = list->from; slot < list->to; slot++)
        claim_bit_set(place->wanted, slot);
    return true;
}

/* Whether it is still the process, and the history, that it was before the keys were read. */
static bool scan_same(struct list *list, const struct call *call, const struct topology *topology, GError **error)
{
    const struct claim *before = &list->scan.before;
    struct list_nodes of = {.topology = topology, .nodes = &(const size_t){0}, .n = 1};
    struct claim after;
    claim_init(&after);
    bool looked = list_look(list, call, &of, &after, error);
    bool same = looked && g_str_equal(after.run_id, before->run_id) && g_str_equal(after.replid, before->replid);
    claim_done(&after);
    if (looked && !same) {
        g_clear_error(&list->why);
        error_set(&list->why, SLUICE_ERROR_BUSY, "the server was started anew while its keys were listed");
    }
    return same;
}

static bool scan_standalone(struct list *list, const struct call *call, GError **error)
{
    struct topology *topology = router_topology(list->router);
    bool end = false, good = scan_resume(list, call, topology, error);
    uint64_t from = list->scan.cursor;
    if (good && !(scan_some(list, call, &end, error) && scan_same(list, call, topology, error))) {
        list->scan.cursor = from; /* what came meanwhile does not count */
        good = false;
    }
    topology_unref(topology);
    list->over = good && end;
    return good;
}

bool list_scan_try(struct list *list, const struct call *call, GError **error)
{
    return list->scan.on ? scan_cluster(list, call, error) : scan_standalone(list, call, error);
}
