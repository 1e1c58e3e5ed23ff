#include "base/int.h"
#include "store/only.h"
#include "store/valkey/link.h"
#include "store/valkey/list_parts.h"
#include "store/valkey/refusal.h"

enum {
    VERSION = 1,
    CURSOR_SLOTS = 0,
    CURSOR_SCAN = 1,
    SLOT_MOST = 10000,
    FIRST_AHEAD = 64,
    LEAST_KEYS = 1000, /* of one call, sluice's own among them: each slot of a run at work has one */
    MEM_BYTES = 64 << 20,
    PAUSE_US = 5000,
    PAUSE_MOST_US = 250000,
    US_PER_MS = 1000,
};

/* --- bounds and cursors ------------------------------------------------------------------------------------------- */

static bool bad(const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT, "the %s of a listing of keys is damaged, or of a newer sluice", what);
}

/* Bounds: version:u8 from:u16 to:u16. */
static bool read_bounds(struct list *list, struct slice bounds, GError **error)
{
    struct reader reader = reader_of(bounds);
    list->from = 0;
    list->to = SLOTS;
    if (bounds.len == 0)
        return true;
    bool version = reader_u8(&reader) == VERSION;
    list->from = reader_u16(&reader);
    list->to = reader_u16(&reader);
    return (version && reader.ok && reader_left(&reader) == 0 && list->from < list->to && list->to <= SLOTS) ||
           bad("bounds", error);
}

/* Cursor: version:u8 kind:u8, then slot:u16, or position:u64 run_id:prefixed replid:prefixed. */
static bool read_cursor(struct list *list, struct slice cursor, GError **error)
{
    struct reader reader = reader_of(cursor);
    struct node_state *before = &list->scan.before;
    if (cursor.len == 0)
        return true;
    bool version = reader_u8(&reader) == VERSION;
    uint8_t kind = reader_u8(&reader);
    if (kind == CURSOR_SLOTS) {
        list->next = reader_u16(&reader);
        version = version && list->next >= list->from && list->next <= list->to;
    } else {
        list->scan.cursor = reader_u64(&reader);
        struct slice run_id = reader_prefixed(&reader), replid = reader_prefixed(&reader);
        version =
            version && kind == CURSOR_SCAN && run_id.len < sizeof before->run_id && replid.len < sizeof before->replid;
        if (version && run_id.len + replid.len > 0) {
            memcpy(before->run_id, run_id.data, run_id.len);
            memcpy(before->replid, replid.data, replid.len);
        }
    }
    return (version && reader.ok && reader_left(&reader) == 0) || bad("cursor", error);
}

static bool write_cursor(const struct list *list, bool cluster, struct arena *mem, struct slice *ret)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    put_u8(bytes, VERSION);
    put_u8(bytes, cluster ? CURSOR_SLOTS : CURSOR_SCAN);
    if (cluster) {
        put_u16(bytes, (uint16_t)list->next);
    } else {
        put_u64(bytes, list->scan.cursor);
        put_prefixed(bytes, slice_of_text(list->scan.before.run_id));
        put_prefixed(bytes, slice_of_text(list->scan.before.replid));
    }
    return arena_copy(mem, slice_of(bytes->data, bytes->len), ret);
}

/* Where the glob begins with a whole hash tag, all of its keys are in one slot. */
static void narrow(struct list *list)
{
    const char *glob = key_template_glob(list->template);
    size_t plain = strcspn(glob, "*?[\\");
    const char *open = memchr(glob, '{', plain),
               *close = open ? memchr(open, '}', plain - (size_t)(open - glob)) : NULL;
    if (!close || close == open + 1)
        return;
    uint32_t slot = slot_of(slice_of(glob, plain));
    bool within = slot >= list->from && slot < list->to;
    list->from = within ? slot : list->to;
    list->to = within ? slot + 1 : list->to;
}

/* Slots of which nothing is wanted are done before they begin. */
static void leave_out(struct list *list, const struct store_only *only)
{
    for (uint32_t slot = list->next; only && slot < list->to; slot++)
        if (!store_only_slot(only, slot))
            claim_bit_set(list->done, slot);
    while (only && list->next < list->to && claim_bit(list->done, list->next))
        list->next++;
}

bool list_open(struct list **ret, struct router *router, const struct list_wish *wish, GError **error)
{
    auto_(list) list = g_new0(struct list, 1);
    list->router = router;
    list->template = wish->template;
    list->own = wish->own;
    list->max_keys = MAX(wish->max_keys, LEAST_KEYS);
    list->slot_most = wish->slot_most ? wish->slot_most : SLOT_MOST;
    list->ahead = FIRST_AHEAD;
    list->bytes = g_byte_array_new();
    list->found = g_array_new(FALSE, FALSE, sizeof(struct list_found));
    list->mem = arena_new(MEM_BYTES);
    list->key = arena_new(SIZE_MAX);
    if (!read_bounds(list, wish->bounds, error))
        return false;
    narrow(list);
    list->next = list->from;
    if (!read_cursor(list, wish->cursor, error))
        return false;
    for (uint32_t slot = list->from; slot < list->next; slot++)
        claim_bit_set(list->done, slot);
    leave_out(list, wish->only);
    *ret = g_steal_pointer(&list);
    return true;
}

void list_close(struct list *list)
{
    if (!list)
        return;
    list_scan_end(list);
    g_byte_array_free(list->bytes, TRUE);
    g_array_free(list->found, TRUE);
    arena_free(list->mem);
    arena_free(list->key);
    g_clear_error(&list->why);
    g_free(list);
}

/* --- what was found ----------------------------------------------------------------------------------------------- */

/* A key that cannot be one of the dataset's is its reader's fault to name. */
bool list_keep(struct list *list, struct slice server, uint16_t slot, GError **error)
{
    g_autoptr(GError) failed = NULL;
    struct slice key;
    bool ours = list->own;
    if (valkey_key_is_own(server) != list->own)
        return true;
    arena_reset(list->key);
    if (!ours && !key_template_from_server(list->template, server, list->key, &key, &ours, &failed)) {
        if (error_class(failed) != ERROR_RECORD) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        ours = true;
    }
    if (!ours)
        return true;
    struct list_found found = {.at = list->bytes->len, .slot = slot};
    if (!int_to_u32(server.len, &found.len))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a key of %zu bytes", server.len);
    put_bytes(list->bytes, server);
    g_array_append_val(list->found, found);
    return true;
}

static bool give(struct list *list, bool cluster, struct arena *mem, struct list_keys *ret, GError **error)
{
    struct slice *keys = arena_alloc(mem, MAX(list->found->len, 1) * sizeof *keys), bytes = SLICE_EMPTY, cursor;
    if (!keys || (list->bytes->len > 0 && !arena_copy(mem, slice_of(list->bytes->data, list->bytes->len), &bytes)) ||
        !write_cursor(list, cluster, mem, &cursor))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%u keys of %u bytes do not fit into the batch's memory",
                         list->found->len, list->bytes->len);
    for (guint i = 0; i < list->found->len; i++) {
        const struct list_found *found = &g_array_index(list->found, struct list_found, i);
        keys[i] = slice_of(bytes.data + found->at, found->len);
    }
    *ret = (struct list_keys){
        .keys = keys,
        .n = list->found->len,
        .cursor = cursor,
        .done = cluster ? list->next >= list->to : list->over,
    };
    return true;
}

/* --- going on ----------------------------------------------------------------------------------------------------- */

static void reset(struct list *list)
{
    g_byte_array_set_size(list->bytes, 0);
    g_array_set_size(list->found, 0);
    arena_reset(list->mem);
}

/* One call to a node may take as long as the URI says; then another view of the servers is asked for. */
static struct call short_call(const struct list *list, const struct call *call)
{
    struct call one = *call;
    one.deadline_us = link_wait(list->router, call, list->router->uri->timeout_ms * US_PER_MS).deadline_us;
    return one;
}

static bool attempt(struct list *list, const struct call *call, bool cluster, GError **error)
{
    struct call one = short_call(list, call);
    reset(list);
    if (cluster && list->next >= list->to)
        return true;
    return cluster && !list->scan.on ? list_slots_try(list, &one, error) : list_scan_try(list, &one, error);
}

/* What an attempt failed of is kept for the deadline; false: it is more than a matter of time. */
static bool wait_out(struct list *list, const struct call *call, GError *failed, uint32_t tries, GError **error)
{
    const struct world *world = list->router->world;
    g_autoptr(GError) over = NULL;
    GError *vain = NULL;
    if (failed && error_class(failed) != ERROR_TRANSIENT) {
        g_propagate_error(error, failed);
        return false;
    }
    if (failed) {
        g_clear_error(&list->why);
        list->why = failed;
    }
    world_sleep_us(world, MIN((int64_t)PAUSE_US << MIN(tries, 10u), PAUSE_MOST_US), call->cancel);
    if (!call_goes_on(call, world, &over)) {
        bool told = list->why && error_is(over, SLUICE_ERROR_TIMED_OUT);
        return error_set(error, told ? (enum error_code)list->why->code : (enum error_code)over->code,
                         "listing keys: %s%s", told ? list->why->message : over->message,
                         told ? "; waited until the deadline" : "");
    }
    if (router_refresh(list->router, call, &vain) || error_class(vain) == ERROR_TRANSIENT) {
        g_clear_error(&vain); /* in vain: the next attempt says so, too */
        return true;
    }
    g_propagate_error(error, vain);
    return false;
}

bool list_next(struct list *list, const struct call *call, struct list_keys *ret, GError **error)
{
    struct topology *topology = router_topology(list->router);
    bool cluster = topology->kind == VALKEY_CLUSTER;
    topology_unref(topology);
    for (uint32_t tries = 0;; tries++) {
        GError *failed = NULL;
        if (attempt(list, call, cluster, &failed))
            break;
        if (!wait_out(list, call, failed, tries, error))
            return false;
    }
    g_clear_error(&list->why);
    return give(list, cluster, call->mem, ret, error);
}

/* --- questions ------------------------------------------------------------------------------------------------------
 */

struct slice list_number(struct list *list, uint64_t number)
{
    char text[24];
    struct slice copy = SLICE_EMPTY;
    g_snprintf(text, sizeof text, "%" PRIu64, number);
    return arena_copy(list->mem, slice_of_text(text), &copy) ? copy : SLICE_EMPTY;
}
