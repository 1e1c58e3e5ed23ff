#include "store/valkey/list_parts.h"
#include "store/valkey/refusal.h"

enum { SLACK = 64, AHEAD_LEAST = 8, AHEAD_MOST = 1024, AHEAD_PACED = 16, OWNERS_PACED = 4 };
/* Slots of few keys that are read at once, and how many those are: what one request takes of a server others wait for.
 */
enum { SMALL_LEAST = 4, SMALL_PACED = 64, KEYS_PACED = 250 };

/* One slot of an attempt. */
struct slot_row {
    uint16_t slot;
    uint32_t turn;                    /* among those of its owner */
    bool held;                        /* its owner says that it has it */
    bool picked;                      /* its keys are asked for */
    bool whole;                       /* all that was asked for came: nothing was cut off */
    size_t owner;                     /* of `owners` of the attempt */
    size_t node;                      /* the owner's, in the topology */
    const struct valkey_host *target; /* where it is moving to; NULL: it stays */
    uint64_t count, arrived;          /* keys at the owner, and at the target */
    uint64_t asked, came;
};

/* Servers that are asked about rows, each once. */
struct servers {
    struct list_moment *moments;
    size_t n;
};

struct attempt {
    struct list *list;
    const struct call *call;
    struct topology *topology;
    struct slot_row *rows;
    size_t n;
    struct servers owners, targets;
    struct servers after; /* the owners, once more: of slots that move */
    bool keys;            /* what is asked for: keys, or how many there are */
    bool arrived;         /* of the targets */
    size_t picked;
    bool emptied;                 /* some slots have no keys, and are done */
    const struct slot_row *large; /* too much for one call, and nothing is picked that would come first */
};

/* --- which slots, whose ------------------------------------------------------------------------------------------- */

static size_t server_place(struct servers *servers, const struct valkey_host *at)
{
    size_t i = 0;
    while (i < servers->n && servers->moments[i].at != at)
        i++;
    if (i == servers->n)
        list_moment_init(&servers->moments[servers->n++], at);
    return i;
}

static void servers_done(struct servers *servers)
{
    for (size_t i = 0; i < servers->n; i++)
        list_moment_done(&servers->moments[i]);
    g_free(servers->moments);
}

static void no_owner(struct list *list, uint32_t slot)
{
    g_clear_error(&list->why);
    error_set(&list->why, SLUICE_ERROR_UNREACHABLE, "no server owns slot %u", slot);
}

static void changes(struct list *list, uint32_t slot)
{
    g_clear_error(&list->why);
    error_set(&list->why, SLUICE_ERROR_BUSY, "slot %u changes while it is listed", slot);
}

static int by_turn(const void *a, const void *b)
{
    const struct slot_row *left = a, *right = b;
    return left->turn != right->turn ? (left->turn < right->turn ? -1 : 1) : left->slot - right->slot;
}

/* Each server has a pace of its own to find, and waits for no other where several are asked at once. */
static uint32_t owners_at_once(const struct list *list)
{
    return router_paced(list->router) ? OWNERS_PACED : 1;
}

/* The next slots that are not done and have an owner; as many of each owner. */
static void choose(struct attempt *attempt)
{
    struct list *list = attempt->list;
    const struct topology *topology = attempt->topology;
    uint32_t most = list->ahead * owners_at_once(list);
    g_autofree uint32_t *turns = g_new0(uint32_t, MAX(topology->n, 1));
    attempt->rows = g_new0(struct slot_row, most);
    attempt->owners.moments = g_new0(struct list_moment, topology->n);
    attempt->targets.moments = g_new0(struct list_moment, topology->n);
    for (uint32_t slot = list->next; slot < list->to && attempt->n < most; slot++) {
        int32_t owner = topology->owner[slot];
        if (claim_bit(list->done, slot))
            continue;
        if (owner < 0) {
            no_owner(list, slot);
            continue;
        }
        if (turns[owner] == list->ahead)
            continue;
        attempt->rows[attempt->n++] =
            (struct slot_row){.slot = (uint16_t)slot,
                              .turn = turns[owner]++,
                              .node = (size_t)owner,
                              .owner = server_place(&attempt->owners, &topology->nodes[owner].at)};
    }
    qsort(attempt->rows, attempt->n, sizeof *attempt->rows, by_turn);
}

static void attempt_done(struct attempt *attempt)
{
    servers_done(&attempt->owners);
    servers_done(&attempt->targets);
    servers_done(&attempt->after);
    g_free(attempt->rows);
    topology_unref(attempt->topology);
}

static const struct claim *claim_of(const struct attempt *attempt, const struct slot_row *row)
{
    return &attempt->owners.moments[row->owner].claim;
}

/* By the owners' own words. A slot whose target nobody knows yet waits for a newer topology. */
static void judge_owners(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->n; i++) {
        struct slot_row *row = &attempt->rows[i];
        const struct claim *claim = claim_of(attempt, row);
        const struct claim_move *move = claim_moving(claim, row->slot);
        row->target = list_target(attempt->topology, move);
        row->held = claim_bit(claim->owned, row->slot) && (!move || row->target);
        if (!row->held)
            changes(attempt->list, row->slot);
    }
}

/* --- questions about slots ---------------------------------------------------------------------------------------- */

static bool put_question(struct attempt *attempt, size_t i, GError **error)
{
    struct slot_row *row = &attempt->rows[i];
    struct list_moment *moment = attempt->arrived
                                     ? &attempt->targets.moments[server_place(&attempt->targets, row->target)]
                                     : &attempt->owners.moments[row->owner];
    struct slice args[4];
    row->asked = row->count + row->arrived + SLACK; /* all of it may have arrived meanwhile */
    size_t n = list_question(attempt->list, row->slot, attempt->keys, row->asked, args);
    return list_moment_put(attempt->list, moment, i, args, n, error);
}

static bool take_keys(struct attempt *attempt, struct slot_row *row, const struct reply *reply, GError **error)
{
    row->whole = row->whole && reply->n < row->asked;
    row->came += reply->n;
    for (size_t k = 0; k < reply->n; k++) {
        if (!list_keep(attempt->list, reply->items[k].bytes, row->slot, error))
            return false;
    }
    return true;
}

static bool take_answer(void *self, size_t server, size_t i, const struct reply *reply, GError **error)
{
    struct attempt *attempt = self;
    struct slot_row *row = &attempt->rows[i];
    const struct servers *servers = attempt->arrived ? &attempt->targets : &attempt->owners;
    if (attempt->keys && reply->type == REPLY_ARRAY)
        return take_keys(attempt, row, reply, error);
    if (attempt->keys || reply->type != REPLY_INTEGER || reply->integer < 0)
        return refusal_set(reply, servers->moments[server].at,
                           attempt->keys ? "CLUSTER GETKEYSINSLOT" : "CLUSTER COUNTKEYSINSLOT", error);
    *(attempt->arrived ? &row->arrived : &row->count) = (uint64_t)reply->integer;
    return true;
}

/* Of all slots, or of those that are picked: of their owners, or of the targets of those that move. */
static bool ask(struct attempt *attempt, bool keys, bool arrived, GError **error)
{
    struct servers *servers = arrived ? &attempt->targets : &attempt->owners;
    bool put = true;
    attempt->keys = keys;
    attempt->arrived = arrived;
    for (size_t i = 0; i < servers->n; i++)
        list_moment_reset(&servers->moments[i]);
    for (size_t i = 0; put && i < attempt->n; i++) {
        const struct slot_row *row = &attempt->rows[i];
        if ((!keys || row->picked) && (!arrived || row->target))
            put = put_question(attempt, i, error);
    }
    struct list_moments of = {.list = attempt->list,
                              .call = attempt->call,
                              .moments = servers->moments,
                              .n = servers->n,
                              .answer = take_answer,
                              .self = attempt};
    return put && list_ask(&of, error);
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

/* Marks the slots whose keys count; the others' are dropped. Whether there is one. */
static bool judge(struct attempt *attempt, bool (*counts)(const struct attempt *attempt, const struct slot_row *row))
{
    bool any = false;
    uint64_t usual = 0;
    for (size_t i = 0; i < attempt->n; i++) {
        const struct slot_row *row = &attempt->rows[i];
        if (!row->picked)
            continue;
        if (row->whole && counts(attempt, row)) {
            claim_bit_set(attempt->list->done, row->slot);
            usual = MAX(usual, row->came);
            any = true;
            continue;
        }
        drop_keys(attempt->list, row->slot);
        changes(attempt->list, row->slot);
        attempt->list->counted = MAX(attempt->list->counted, row->slot + 1u);
    }
    attempt->list->usual = any ? MAX(usual, 1) : attempt->list->usual;
    return any;
}

/* --- slots that stay ---------------------------------------------------------------------------------------------- */

/* What a server is occupied by at one go is to be as little as that by other requests, whatever is in a slot. */
static uint32_t ahead_most(const struct list *list)
{
    uint64_t small = KEYS_PACED / MAX(list->usual, 1);
    if (!router_paced(list->router))
        return AHEAD_MOST;
    return list->usual ? (uint32_t)CLAMP(small, SMALL_LEAST, SMALL_PACED) : AHEAD_PACED;
}

/* As many at a time as give about one call's keys. */
static void adapt(struct list *list, size_t asked, size_t used)
{
    uint32_t most = ahead_most(list);
    if (used >= asked)
        list->ahead = MIN(list->ahead * 2, most);
    else
        list->ahead = CLAMP((uint32_t)used * 2 / owners_at_once(list), MIN(AHEAD_LEAST, most), most);
}

static void pick_row(struct attempt *attempt, struct slot_row *row, bool large)
{
    if (large) {
        attempt->large = row;
        return;
    }
    row->picked = row->whole = true;
    attempt->picked++;
}

/* As many as one call is to give; those without keys are done. Slots that move are put aside. */
static void pick_staying(struct attempt *attempt)
{
    struct list *list = attempt->list;
    uint64_t sum = 0;
    size_t i = 0;
    for (; i < attempt->n && !attempt->large; i++) {
        struct slot_row *row = &attempt->rows[i];
        bool large = row->count > list->slot_most;
        if (sum > 0 && (large || sum + row->count > list->max_keys))
            break;
        if (!row->held || row->target)
            continue;
        sum += row->count;
        if (row->count > 0) {
            pick_row(attempt, row, large);
            continue;
        }
        claim_bit_set(list->done, row->slot);
        attempt->emptied = true;
    }
    adapt(list, attempt->n, i);
}

/* In the moment in which its keys were read the owner had all of them. */
static bool stays(const struct attempt *attempt, const struct slot_row *row)
{
    const struct claim *claim = claim_of(attempt, row);
    return claim_bit(claim->owned, row->slot) && !claim_moving(claim, row->slot);
}

static bool read_staying(struct attempt *attempt, GError **error)
{
    return ask(attempt, true, false, error) && (judge(attempt, stays) || attempt->emptied);
}

/* --- slots as those before ---------------------------------------------------------------------------------------- */

/* Of a server that is paced each look is dear: the keys of slots that are as large as those before are asked for
 * without a count of them. */
static bool guesses(const struct attempt *attempt)
{
    const struct list *list = attempt->list;
    return router_paced(list->router) && list->usual > 0 && list->next >= list->counted &&
           attempt->n * list->usual <= list->max_keys && list->usual * 2 <= list->slot_most;
}

/* What is larger, moves or is another's by now is dropped, and counted the next time. */
static bool read_guessed(struct attempt *attempt, GError **error)
{
    for (size_t i = 0; i < attempt->n; i++) {
        attempt->rows[i].count = attempt->list->usual * 2;
        pick_row(attempt, &attempt->rows[i], false);
    }
    adapt(attempt->list, attempt->n, attempt->n);
    return ask(attempt, true, false, error) && judge(attempt, stays);
}

/* --- slots that move ---------------------------------------------------------------------------------------------- */

static void pick_moving(struct attempt *attempt)
{
    struct list *list = attempt->list;
    uint64_t sum = 0;
    for (size_t i = 0; i < attempt->n && !attempt->large; i++) {
        struct slot_row *row = &attempt->rows[i];
        uint64_t count = row->count + row->arrived;
        bool large = MAX(row->count, row->arrived) > list->slot_most;
        if (!row->held || !row->target || (sum > 0 && (large || sum + count > list->max_keys)))
            continue;
        sum += count;
        pick_row(attempt, row, large);
    }
}

/* Whether it was the owner's all the time, on its way to where its other keys were read. */
static bool moves_on(const struct attempt *attempt, const struct slot_row *row)
{
    return row->held &&
           (!row->target || claim_held(claim_of(attempt, row), &attempt->after.moments[row->owner].claim, row->slot));
}

static bool look_again(struct attempt *attempt, GError **error)
{
    struct servers *after = &attempt->after;
    after->moments = g_new0(struct list_moment, attempt->owners.n);
    for (after->n = 0; after->n < attempt->owners.n; after->n++)
        list_moment_init(&after->moments[after->n], attempt->owners.moments[after->n].at);
    struct list_moments of = {.list = attempt->list, .call = attempt->call, .moments = after->moments, .n = after->n};
    return list_ask(&of, error);
}

/* Source first, then target: a key moves in this direction only. */
static bool read_moving(struct attempt *attempt, GError **error)
{
    if (!ask(attempt, true, false, error))
        return false;
    judge_owners(attempt);
    return ask(attempt, true, true, error) && look_again(attempt, error) && judge(attempt, moves_on);
}

/* --- an attempt --------------------------------------------------------------------------------------------------- */

static bool scan_instead(struct attempt *attempt, GError **error)
{
    return list_scan_begin(attempt->list, attempt->call, attempt->topology, attempt->large->node, error) &&
           list_scan_try(attempt->list, attempt->call, error);
}

static bool go(struct attempt *attempt, GError **error)
{
    if (guesses(attempt))
        return read_guessed(attempt, error);
    if (!ask(attempt, false, false, error))
        return false;
    judge_owners(attempt);
    pick_staying(attempt);
    if (attempt->picked > 0)
        return read_staying(attempt, error);
    if (attempt->large || attempt->emptied)
        return attempt->large ? scan_instead(attempt, error) : true;
    if (!ask(attempt, false, true, error))
        return false;
    pick_moving(attempt);
    return attempt->large ? scan_instead(attempt, error) : read_moving(attempt, error);
}

static void go_on(struct list *list)
{
    while (list->next < list->to && claim_bit(list->done, list->next))
        list->next++;
}

bool list_slots_try(struct list *list, const struct call *call, GError **error)
{
    struct attempt attempt = {.list = list, .call = call, .topology = router_topology(list->router)};
    choose(&attempt);
    bool came = attempt.n > 0 && go(&attempt, error);
    go_on(list);
    attempt_done(&attempt);
    return came;
}
