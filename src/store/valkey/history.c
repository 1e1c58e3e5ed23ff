#include "store/valkey/history.h"

#include "base/int.h"
#include "store/valkey/fence.h"

#define HIDDEN "-"
#define NO_ID  "0000000000000000"

enum { FIELDS = 8 };

/* --- life --------------------------------------------------------------------------------------------------------- */

static void server_free(void *at)
{
    struct history_server *server = at;
    g_array_unref(server->slots);
    g_hash_table_unref(server->witnesses);
    g_free(server);
}

static struct history_server *server_add(struct history *history)
{
    struct history_server *server = g_new0(struct history_server, 1);
    server->slots = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    server->witnesses = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    g_ptr_array_add(history->servers, server);
    return server;
}

struct history *history_new(void)
{
    struct history *history = g_new0(struct history, 1);
    history->servers = g_ptr_array_new_with_free_func(server_free);
    return history;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    g_ptr_array_unref(history->servers);
    g_free(history);
}

struct history_server *history_add(struct history *history, const char *node, const int32_t owner[SLOTS],
                                   int32_t node_index)
{
    struct history_server *server = server_add(history);
    g_strlcpy(server->node, node ? node : "", sizeof server->node);
    for (uint32_t slot = 0, end; slot < SLOTS; slot = end) {
        for (end = slot + 1; end < SLOTS && owner[end] == owner[slot];)
            end++;
        uint16_t bounds[] = {(uint16_t)slot, (uint16_t)(end - 1)};
        if (owner[slot] == node_index)
            g_array_append_vals(server->slots, bounds, G_N_ELEMENTS(bounds));
    }
    return server;
}

void history_asked(struct history_server *server, const struct node_state *state)
{
    g_strlcpy(server->run_id, state->run_id, sizeof server->run_id);
    g_strlcpy(server->replid, state->replid, sizeof server->replid);
    g_strlcpy(server->replid2, state->replid2, sizeof server->replid2);
    server->offset = state->offset;
    server->second = state->second;
}

static uint16_t bound_at(const struct history_server *server, unsigned i)
{
    return g_array_index(server->slots, uint16_t, i);
}

uint32_t history_place(const struct history_server *server)
{
    return server->slots->len ? bound_at(server, 0) : 0;
}

void history_witness(struct history_server *server, struct slice field, struct slice value)
{
    uint32_t part;
    if (fence_is_witness(field, &part))
        g_hash_table_insert(server->witnesses, GUINT_TO_POINTER(part), g_strndup((const char *)value.data, value.len));
}

/* --- as text ------------------------------------------------------------------------------------------------------ */

static const char *id_or_hidden(const char *id)
{
    return *id ? id : HIDDEN;
}

static void put_slots(const GArray *slots, GString *into)
{
    for (unsigned i = 0; i + 1 < slots->len; i += 2)
        g_string_append_printf(into, "%s%u-%u", i ? "," : "", g_array_index(slots, uint16_t, i),
                               g_array_index(slots, uint16_t, i + 1));
}

void history_put(const struct history *history, GString *into)
{
    char since[FENCE_TICK_BYTES], next[FENCE_TICK_BYTES];
    fence_tick_put(history->since, since);
    fence_tick_put(history->next, next);
    g_string_append_printf(into, "%s %s", since, next);
    for (unsigned i = 0; i < history->servers->len; i++) {
        const struct history_server *server = history->servers->pdata[i];
        g_string_append_printf(into, ";%s %s %s %" PRId64 " %s %" PRId64 " ", id_or_hidden(server->node),
                               id_or_hidden(server->run_id), id_or_hidden(server->replid), server->offset,
                               id_or_hidden(server->replid2), server->second);
        put_slots(server->slots, into);
        g_string_append(into, server->covered ? " 1" : " 0");
    }
}

static bool take_id(const char *word, char into[HISTORY_ID_BYTES])
{
    return g_strlcpy(into, strcmp(word, HIDDEN) == 0 ? "" : word, HISTORY_ID_BYTES) < HISTORY_ID_BYTES;
}

static bool take_slots(const char *word, GArray *into)
{
    g_auto(GStrv) ranges = g_strsplit(word, ",", 0);
    for (gchar **at = ranges; *at && **at; at++) {
        uint64_t first, last;
        const char *dash = strchr(*at, '-');
        if (!dash || !int_parse_u64(slice_of(*at, (size_t)(dash - *at)), &first) ||
            !int_parse_u64(slice_of_text(dash + 1), &last) || first > last || last >= SLOTS)
            return false;
        uint16_t pair[] = {(uint16_t)first, (uint16_t)last};
        g_array_append_vals(into, pair, 2);
    }
    return true;
}

static bool take_server(const char *text, struct history *into)
{
    struct history_server *server = server_add(into);
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    server->covered = g_strv_length(words) == FIELDS && strcmp(words[7], "1") == 0;
    return g_strv_length(words) == FIELDS && take_id(words[0], server->node) && take_id(words[1], server->run_id) &&
           take_id(words[2], server->replid) && int_parse_i64(slice_of_text(words[3]), &server->offset) &&
           take_id(words[4], server->replid2) && int_parse_i64(slice_of_text(words[5]), &server->second) &&
           take_slots(words[6], server->slots);
}

static bool take_moments(const char *text, struct history *into)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    return g_strv_length(words) == 2 && fence_tick_read(slice_of_text(words[0]), &into->since) &&
           fence_tick_read(slice_of_text(words[1]), &into->next);
}

bool history_read(struct slice line, struct history **ret)
{
    auto_(history) history = history_new();
    g_autofree char *text = g_strndup((const char *)line.data, line.len);
    g_auto(GStrv) parts = g_strsplit(text, ";", 0);
    if (!parts[0] || !take_moments(parts[0], history))
        return false;
    for (gchar **at = parts + 1; *at; at++)
        if (!take_server(*at, history))
            return false;
    *ret = g_steal_pointer(&history);
    return true;
}

/* --- one server, then and now ------------------------------------------------------------------------------------- */

static bool is_id(const char *id)
{
    return *id && strcmp(id, NO_ID) != 0;
}

/* A process gets another replication id with its first replica too; not then does it keep a second one. */
static bool same_process(const struct history_server *was, const struct history_server *now)
{
    return strcmp(was->run_id, now->run_id) == 0 &&
           (strcmp(was->replid, now->replid) == 0 || (*now->run_id && !is_id(now->replid2)));
}

/* A replica that had all of it was promoted. */
static bool goes_on(const struct history_server *was, const struct history_server *now)
{
    return is_id(was->replid) && strcmp(was->replid, now->replid2) == 0 && now->second > was->offset;
}

static bool same_slots(const struct history_server *was, const struct history_server *now)
{
    size_t len = was->slots->len * sizeof(uint16_t);
    return was->slots->len == now->slots->len && (len == 0 || memcmp(was->slots->data, now->slots->data, len) == 0);
}

static bool shows(const struct history_server *now, const struct witness *witness)
{
    const char *lanes = g_hash_table_lookup(now->witnesses, GUINT_TO_POINTER(witness->fence.part));
    g_auto(GStrv) words = g_strsplit(lanes ? lanes : "", " ", 0);
    for (gchar **at = words; *at; at++) {
        uint64_t lane, number;
        const char *colon = strchr(*at, ':');
        if (colon && int_parse_u64(slice_of(*at, (size_t)(colon - *at)), &lane) && lane == witness->lane &&
            int_parse_u64(slice_of_text(colon + 1), &number) && number >= witness->number)
            return true;
    }
    return false;
}

static struct history_server *by_node(const struct history *history, const char *node)
{
    for (unsigned i = 0; i < history->servers->len; i++) {
        struct history_server *server = history->servers->pdata[i];
        if (strcmp(server->node, node) == 0)
            return server;
    }
    return NULL;
}

static void copy_state(struct history_server *server, const struct history_server *then)
{
    memcpy(server->run_id, then->run_id, sizeof server->run_id);
    memcpy(server->replid, then->replid, sizeof server->replid);
    memcpy(server->replid2, then->replid2, sizeof server->replid2);
    server->offset = then->offset;
    server->second = then->second;
}

void history_carried(struct history_server *server, const struct history *was)
{
    const struct history_server *then = by_node(was, server->node);
    if (!then)
        return;
    copy_state(server, then);
    server->offset = INT64_MAX; /* whoever goes on with its history begins below that */
    server->carried = true;
}

void history_remember(struct history *now, const struct history *last)
{
    for (unsigned i = 0; i < now->servers->len; i++) {
        struct history_server *server = now->servers->pdata[i];
        const struct history_server *then = server->carried ? by_node(last, server->node) : NULL;
        if (then)
            copy_state(server, then);
    }
}

/* The same node, or one that was a replica until then: that one has all slots of the other, and no others. */
static bool in_its_place(const struct history *before, const struct history_server *was,
                         const struct history_server *now)
{
    return strcmp(was->node, now->node) == 0 || (!by_node(before, now->node) && same_slots(was, now));
}

static bool is_known_to_be(const struct history_server *was, const struct history_server *now)
{
    return *was->run_id && (same_process(was, now) || goes_on(was, now));
}

/* Who has now all that `was` had; NULL: nobody for certain. */
static struct history_server *heir_of(const struct history *before, const struct history_server *was,
                                      const struct history *now, const struct witness *witness)
{
    for (unsigned i = 0; i < now->servers->len; i++) {
        struct history_server *server = now->servers->pdata[i];
        if (is_known_to_be(was, server))
            return server;
        if (in_its_place(before, was, server) && history_place(was) == history_place(server) && shows(server, witness))
            return server;
    }
    return NULL;
}

bool history_slots_stay(const struct history *was, const struct history *now)
{
    for (unsigned i = 0; i < now->servers->len; i++) {
        const struct history_server *server = now->servers->pdata[i], *then = by_node(was, server->node);
        if (!then || !same_slots(then, server))
            return false;
    }
    return true;
}

bool history_same(const struct history *was, const struct history *now)
{
    for (unsigned i = 0; i < was->servers->len; i++) {
        const struct history_server *server = was->servers->pdata[i], *node = by_node(now, server->node);
        bool there = node && node->carried;
        for (unsigned k = 0; k < now->servers->len && !there; k++)
            there = same_process(server, now->servers->pdata[k]);
        if (!there)
            return false;
    }
    return true;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

struct holding {
    struct history *now;
    struct history *before;
    const struct history_server *owner[SLOTS]; /* now; NULL: nobody */
    bool doubtful[SLOTS];
    bool bare; /* a server has no witness of the run at all: nothing of its fences can be relied upon */
};

static void take_owners(struct holding *holding)
{
    for (unsigned i = 0; i < holding->now->servers->len; i++) {
        const struct history_server *server = holding->now->servers->pdata[i];
        for (unsigned k = 0; k + 1 < server->slots->len; k += 2)
            for (uint32_t slot = bound_at(server, k); slot <= bound_at(server, k + 1); slot++)
                holding->owner[slot] = server;
    }
}

/* Slots that a server got since. One that nobody knew before has lost none of them, as far as later lines that do know
 * it tell; nor has one that is the process it was. */
static bool kept_since(const struct holding *holding, const struct history_server *now)
{
    const struct history_server *was = by_node(holding->before, now->node);
    return now->confirmed || (was ? is_known_to_be(was, now) : !now->suspect);
}

static void suspect(const struct holding *holding, const struct history_server *was)
{
    struct history_server *now = by_node(holding->now, was->node);
    if (now)
        now->suspect = true;
}

static void look_at_server(struct holding *holding, const struct history_server *was, const struct witness *witness)
{
    struct history_server *heir = heir_of(holding->before, was, holding->now, witness);
    if (heir)
        heir->confirmed |= same_slots(was, heir);
    else
        suspect(holding, was);
    for (unsigned k = 0; k + 1 < was->slots->len; k += 2)
        for (uint32_t slot = bound_at(was, k); slot <= bound_at(was, k + 1); slot++) {
            const struct history_server *owner = holding->owner[slot];
            bool there = heir && (!owner || owner == heir || kept_since(holding, owner));
            holding->doubtful[slot] = !there;
            holding->bare |= !there && (!owner || g_hash_table_size(owner->witnesses) == 0);
        }
}

static const char *where_of(const struct holding *holding, struct arena *mem)
{
    g_autoptr(GArray) slots = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    g_autoptr(GString) text = g_string_new(NULL);
    char since[FENCE_TICK_BYTES];
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint16_t pair[] = {(uint16_t)slot, (uint16_t)slot};
        if (!holding->doubtful[slot])
            continue;
        if (slots->len && slot > 0 && holding->doubtful[slot - 1])
            g_array_index(slots, uint16_t, slots->len - 1) = (uint16_t)slot;
        else
            g_array_append_vals(slots, pair, 2);
    }
    fence_tick_put(holding->bare ? 0 : holding->before->since, since);
    g_string_append_printf(text, "%s ", since);
    put_slots(slots, text);
    return slots->len ? arena_text(mem, slice_of(text->str, text->len)) : "";
}

/* As a rule: every server is there, with the slots that it had. */
static bool all_there(const struct history *before, struct history *now, const struct witness *witness)
{
    for (unsigned i = 0; i < before->servers->len; i++) {
        const struct history_server *was = before->servers->pdata[i];
        struct history_server *heir = was->covered ? heir_of(before, was, now, witness) : NULL;
        if (!was->covered)
            continue;
        if (!heir || !same_slots(was, heir))
            return false;
        heir->confirmed = true;
    }
    return true;
}

bool history_holds(struct history *now, struct slice was, const struct witness *witness, struct arena *mem,
                   const char **ret_where)
{
    auto_(history) before = NULL;
    *ret_where = NULL;
    if (!history_read(was, &before)) /* none of ours: nothing can be said, and the gate tells */
        return true;
    if (all_there(before, now, witness))
        return true;
    g_autofree struct holding *holding = g_new0(struct holding, 1);
    holding->now = now;
    holding->before = before;
    take_owners(holding);
    for (unsigned i = 0; i < before->servers->len; i++) {
        const struct history_server *server = before->servers->pdata[i];
        if (server->covered)
            look_at_server(holding, server, witness);
    }
    const char *where = where_of(holding, mem);
    if (where && *where)
        *ret_where = where;
    return where != NULL;
}

static void take_where(const char *text, struct history_where *into)
{
    g_autoptr(GArray) slots = g_array_new(FALSE, FALSE, sizeof(uint16_t));
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    uint64_t since;
    if (g_strv_length(words) != 2 || !fence_tick_read(slice_of_text(words[0]), &since) || !take_slots(words[1], slots))
        return;
    for (unsigned i = 0; i + 1 < slots->len; i += 2)
        for (uint32_t slot = g_array_index(slots, uint16_t, i); slot <= g_array_index(slots, uint16_t, i + 1); slot++) {
            into->since[slot] = into->there[slot] ? MIN(into->since[slot], since) : since;
            into->there[slot] = true;
        }
}

void history_where(struct slice where, struct history_where *ret)
{
    g_autofree char *text = g_strndup((const char *)where.data, where.len);
    g_auto(GStrv) parts = g_strsplit(text, ";", 0);
    memset(ret, 0, sizeof *ret);
    for (gchar **at = parts; *at; at++)
        take_where(*at, ret);
}
