#include "store/valkey/list_parts.h"

enum { SLACK = 64, AHEAD_LEAST = 8, AHEAD_MOST = 1024 };

/* One slot of an attempt. */
struct slot_row {
    uint16_t slot;
    bool held;                        /* its owner says that it has it */
    bool whole;                       /* all that was asked for came: nothing was cut off */
    size_t owner;                     /* of `nodes` of the attempt */
    const struct valkey_host *target; /* where it is moving to; NULL: it stays */
    uint64_t count, arrived;          /* keys at the owner, and at the target */
    uint64_t asked;
};

struct attempt {
    struct list *list;
    const struct call *call;
    struct topology *topology;
    struct slot_row *rows;
    size_t n;
    size_t *nodes; /* of the topology: the owners */
    size_t n_nodes;
    struct claim *before, *after;
    struct list_batch batch;
    size_t *places; /* the row of each command of the batch */
    bool targets;   /* the batch goes to the targets, not to the owners */
};

/* --- which slots, whose ------------------------------------------------------------------------------------------- */

static size_t node_place(struct attempt *attempt, size_t node)
{
    for (size_t i = 0; i < attempt->n_nodes; i++) {
        if (attempt->nodes[i] == node)
            return i;
    }
    attempt->nodes[attempt->n_nodes] = node;
    return attempt->n_nodes++;
}

static void no_owner(struct list *list, uint32_t slot)
{
    g_clear_error(&list->why);
    error_set(&list->why, SLUICE_ERROR_UNREACHABLE, "no server owns slot %u", slot);
}

/* The next slots that are not done and have an owner. */
static void choose(struct attempt *attempt)
{
    struct list *list = attempt->list;
    attempt->rows = g_new0(struct slot_row, list->ahead);
    attempt->nodes = g_new0(size_t, attempt->topology->n);
    attempt->places = g_new0(size_t, list->ahead);
    for (uint32_t slot = list->next; slot < list->to && attempt->n < list->ahead; slot++) {
        int32_t owner = attempt->topology->owner[slot];
        if (claim_bit(list->done, slot))
            continue;
        if (owner < 0) {
            no_owner(list, slot);
            continue;
        }
        attempt->rows[attempt->n++] =
            (struct slot_row){.slot = (uint16_t)slot, .owner = node_place(attempt, (size_t)owner)};
    }
    attempt->before = g_new0(struct claim, attempt->n_nodes);
    attempt->after = g_new0(struct claim, attempt->n_nodes);
    for (size_t i = 0; i < attempt->n_nodes; i++) {
        claim_init(&attempt->before[i]);
        claim_init(&attempt->after[i]);
    }
}

static void attempt_done(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->n_nodes; i++) {
        claim_done(&attempt->before[i]);
        claim_done(&attempt->after[i]);
    }
    g_free(attempt->rows);
    g_free(attempt->nodes);
    g_free(attempt->places);
    g_free(attempt->before);
    g_free(attempt->after);
    topology_unref(attempt->topology);
}

/* By the owners' own words. A slot whose target nobody knows yet waits for a newer topology. */
static void judge_owners(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++) {
        struct slot_row *row = &attempt->rows[i];
        const struct claim *claim = &attempt->before[row->owner];
        const struct claim_move *move = claim_moving(claim, row->slot);
        row->target = list_target(attempt->topology, move);
        row->held = claim_bit(claim->owned, row->slot) && (!move || row->target);
    }
}

/* --- questions about slots ---------------------------------------------------------------------------------------- */

static bool put_question(struct attempt *attempt, struct slot_row *row, const struct valkey_host *at, bool keys,
                         GError **error)
{
    struct list *list = attempt->list;
    struct slice args[] = {slice_of_text("CLUSTER"), slice_of_text(keys ? "GETKEYSINSLOT" : "COUNTKEYSINSLOT"),
                           list_number(list, row->slot), list_number(list, row->asked)};
    attempt->places[attempt->batch.commands ? attempt->batch.commands->len : 0] = (size_t)(row - attempt->rows);
    return list_put(&attempt->batch, at, args, keys ? 4 : 3, error);
}

static bool take_count(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct attempt *attempt = self;
    if (reply->type != REPLY_INTEGER || reply->integer < 0)
        return list_refuse(&attempt->batch, i, reply, error);
    struct slot_row *row = &attempt->rows[attempt->places[i]];
    *(attempt->targets ? &row->arrived : &row->count) = (uint64_t)reply->integer;
    return true;
}

static bool take_keys(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct attempt *attempt = self;
    struct slot_row *row = &attempt->rows[attempt->places[i]];
    if (reply->type != REPLY_ARRAY)
        return list_refuse(&attempt->batch, i, reply, error);
    row->whole = row->whole && reply->n < row->asked;
    for (size_t k = 0; k < reply->n; k++) {
        if (!list_keep(attempt->list, reply->items[k].bytes, row->slot, error))
            return false;
    }
    return true;
}

static const struct valkey_host *owner_of(const struct attempt *attempt, const struct slot_row *row)
{
    return &attempt->topology->nodes[attempt->nodes[row->owner]].at;
}

/* Of every slot of the attempt that is held, at its owner; or, of those that move, at the target. */
static bool ask_slots(struct attempt *attempt, bool keys, bool targets, GError **error)
{
    attempt->batch = (struct list_batch){
        .list = attempt->list, .call = attempt->call, .answer = keys ? take_keys : take_count, .self = attempt};
    bool put = true;
    attempt->targets = targets;
    for (size_t i = 0; put && i < attempt->n; i++) {
        struct slot_row *row = &attempt->rows[i];
        if (!row->held || (targets && !row->target))
            continue;
        row->asked = row->count + (targets ? row->arrived : 0) + SLACK; /* all of it may have arrived meanwhile */
        if (!keys || row->count > 0 || row->target)                     /* an empty one is read by its count */
            put = put_question(attempt, row, targets ? row->target : owner_of(attempt, row), keys, error);
    }
    return list_send(&attempt->batch, put ? error : NULL) && put;
}

/* --- how much ----------------------------------------------------------------------------------------------------- */

/* Cuts the attempt behind what one call is to give. *ret_large: its first slot is too much for one call; then it stays
 * the only one. */
static void cut(struct attempt *attempt, bool *ret_large)
{
    uint64_t sum = 0;
    size_t n = 0;
    *ret_large = false;
    for (; n < attempt->n; n++) {
        const struct slot_row *row = &attempt->rows[n];
        bool large = row->held && MAX(row->count, row->arrived) > attempt->list->slot_most;
        if (sum > 0 && (large || sum + row->count > attempt->list->max_keys))
            break;
        if (large) {
            *ret_large = true;
            attempt->rows[0] = *row;
            n = 1;
            break;
        }
        sum += row->held ? row->count : 0;
    }
    attempt->n = n;
}

/* As many at a time as give about one call's keys. */
static void adapt(struct list *list, size_t asked, size_t used)
{
    if (used >= asked)
        list->ahead = MIN(list->ahead * 2, AHEAD_MOST);
    else
        list->ahead = CLAMP((uint32_t)used * 2, AHEAD_LEAST, AHEAD_MOST);
}

/* --- what counts -------------------------------------------------------------------------------------------------- */

static void drop_keys(struct list *list, uint16_t slot)
{
    guint kept = 0;
    for (guint i = 0; i < list->found->len; i++) {
        const struct list_found found = g_array_index(list->found, struct list_found, i);
        if (found.slot != slot)
            g_array_index(list->found, struct list_found, kept++) = found;
    }
    g_array_set_size(list->found, kept);
}

/* Marks the slots that were the same before and after; the others' keys are dropped. Whether there is one. */
static bool judge(struct attempt *attempt)
{
    struct list *list = attempt->list;
    bool any = false;
    for (size_t i = 0; i < attempt->n; i++) {
        const struct slot_row *row = &attempt->rows[i];
        if (row->held && row->whole &&
            claim_held(&attempt->before[row->owner], &attempt->after[row->owner], row->slot)) {
            claim_bit_set(list->done, row->slot);
            any = true;
            continue;
        }
        drop_keys(list, row->slot);
        g_clear_error(&list->why);
        error_set(&list->why, SLUICE_ERROR_BUSY, "slot %u changes while it is listed", row->slot);
    }
    while (list->next < list->to && claim_bit(list->done, list->next))
        list->next++;
    return any;
}

static bool look(struct attempt *attempt, struct claim *claims, GError **error)
{
    struct list_nodes of = {.topology = attempt->topology, .nodes = attempt->nodes, .n = attempt->n_nodes};
    return list_look(attempt->list, attempt->call, &of, claims, error);
}

/* Source first, then target: a key moves in this direction only. */
static bool read_keys(struct attempt *attempt, GError **error)
{
    for (size_t i = 0; i < attempt->n; i++)
        attempt->rows[i].whole = true;
    return ask_slots(attempt, true, false, error) && ask_slots(attempt, true, true, error) &&
           look(attempt, attempt->after, error);
}

static bool go(struct attempt *attempt, GError **error)
{
    struct list *list = attempt->list;
    size_t asked = attempt->n;
    bool large;
    if (!look(attempt, attempt->before, error))
        return false;
    judge_owners(attempt);
    if (!ask_slots(attempt, false, false, error) || !ask_slots(attempt, false, true, error))
        return false;
    cut(attempt, &large);
    adapt(list, asked, attempt->n);
    if (large) {
        const struct slot_row *row = &attempt->rows[0];
        list_scan_begin(list, topology_ref(attempt->topology), attempt->nodes[row->owner],
                        &attempt->before[row->owner]);
        return list_scan_try(list, attempt->call, error);
    }
    return read_keys(attempt, error) && judge(attempt);
}

bool list_slots_try(struct list *list, const struct call *call, GError **error)
{
    struct attempt attempt = {.list = list, .call = call, .topology = router_topology(list->router)};
    choose(&attempt);
    bool came = attempt.n > 0 && go(&attempt, error);
    attempt_done(&attempt);
    return came;
}
