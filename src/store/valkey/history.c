/* Which servers had the data, with which history and how much of it: what tells later whether they can have lost any.
 *
 * A text names each server that owns slots: RUN_ID REPLID OFFSET REPLID2 SECOND, with `-` for what a service hides. A
 * primary that was a replica keeps its old primary's id as its second, and how far its own history is the same: what
 * was written before that point it has. */
#include "base/int.h"
#include "store/valkey/link.h"
#include "store/valkey/valkey_store.h"

#define HIDDEN  "-"
#define NO_ID   "0000000000000000000000000000000000000000"
#define ID_ROOM 48

enum { FIELDS = 5, LOOK_US = 1000 * 1000, PAUSE_US = 50 * 1000 };

struct line {
    char run_id[ID_ROOM], replid[ID_ROOM], replid2[ID_ROOM];
    int64_t offset, second;
};

/* --- asking ------------------------------------------------------------------------------------------------------- */

static const char *id_or_hidden(const char *id)
{
    return *id ? id : HIDDEN;
}

static void put_line(GString *into, const struct node_state *state)
{
    g_string_append_printf(into, "%s%s %s %" PRId64 " %s %" PRId64, into->len ? ";" : "", id_or_hidden(state->run_id),
                           id_or_hidden(state->replid), state->offset, id_or_hidden(state->replid2), state->second);
}

static bool *owners_of(const struct topology *topology)
{
    bool *owners = g_new0(bool, topology->n + 1);
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (topology->owner[slot] >= 0)
            owners[topology->owner[slot]] = true;
    return owners;
}

static bool look_at_all(struct router *router, const struct call *call, GString *into, GError **error)
{
    struct topology *topology = router_topology(router);
    g_autofree bool *owners = owners_of(topology);
    bool ok = true;
    g_string_truncate(into, 0);
    for (size_t i = 0; i < topology->n && ok; i++) {
        struct node_state state;
        const struct valkey_host *at = &topology->nodes[i].at;
        if (!owners[i])
            continue;
        ok = router_look(router, call, at, &state, error) &&
             (state.primary ||
              error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u: it is a replica by now", at->host, at->port));
        if (ok)
            put_line(into, &state);
    }
    topology_unref(topology);
    return ok;
}

/* What this process knows of fences, it knows of servers that are no longer the same. */
static void notice(struct valkey_store *store, const char *now)
{
    struct fences *fences = store->fences;
    auto_hold(&fences->lock);
    bool same =
        store->history && valkey_history_compare(slice_of_text(store->history), slice_of_text(now)) == HISTORY_SAME;
    if (store->history && !same)
        fences_suspect(fences);
    g_free(store->history);
    store->history = g_strdup(now);
}

/* A server that is gone would be waited for until the deadline, although another has its place. */
static struct call short_call(const struct router *router, const struct call *call)
{
    struct call one = *call;
    one.deadline_us = link_wait(router, call, LOOK_US).deadline_us;
    return one;
}

bool valkey_history(struct session *session, const struct call *call, const char **ret, GError **error)
{
    struct router *router = valkey_session_of(session)->router;
    g_autoptr(GString) text = g_string_new(NULL);
    for (;;) {
        g_autoptr(GError) failed = NULL;
        struct call one = short_call(router, call);
        if (look_at_all(router, &one, text, &failed))
            break;
        world_sleep_us(router->world, PAUSE_US, call->cancel);
        if (error_class(failed) != ERROR_TRANSIENT || !call_goes_on(call, router->world, NULL)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        router_refresh(router, call, NULL); /* another may have its place by now; in vain: the next look says so, too */
    }
    *ret = arena_text(call->mem, slice_of(text->str, text->len));
    if (!*ret)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the names of the servers do not fit into memory");
    notice(valkey_store_of(session), *ret);
    return true;
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

static bool take_id(const char *word, char into[ID_ROOM])
{
    return g_strlcpy(into, strcmp(word, HIDDEN) == 0 ? "" : word, ID_ROOM) < ID_ROOM;
}

static bool line_read(const char *text, struct line *ret)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 0);
    return g_strv_length(words) == FIELDS && take_id(words[0], ret->run_id) && take_id(words[1], ret->replid) &&
           int_parse_i64(slice_of_text(words[2]), &ret->offset) && take_id(words[3], ret->replid2) &&
           int_parse_i64(slice_of_text(words[4]), &ret->second);
}

static bool is_id(const char *id)
{
    return *id && strcmp(id, NO_ID) != 0;
}

/* A process gets another replication id with its first replica too; not then does it keep a second one. */
static enum history_fate line_compare(const struct line *was, const struct line *now)
{
    bool same_run = strcmp(was->run_id, now->run_id) == 0, same_id = strcmp(was->replid, now->replid) == 0;
    if (same_run && (same_id || (*now->run_id && !is_id(now->replid2))))
        return HISTORY_SAME;
    if (is_id(was->replid) && strcmp(was->replid, now->replid2) == 0 && now->second > was->offset)
        return HISTORY_CONTINUED;
    return HISTORY_BROKEN;
}

static enum history_fate best_of(const struct line *was, gchar **now)
{
    enum history_fate best = HISTORY_BROKEN;
    for (; *now; now++) {
        struct line line;
        if (line_read(*now, &line))
            best = MIN(best, line_compare(was, &line));
    }
    return best;
}

enum history_fate valkey_history_compare(struct slice was, struct slice now)
{
    g_autofree char *was_text = g_strndup((const char *)was.data, was.len);
    g_autofree char *now_text = g_strndup((const char *)now.data, now.len);
    g_auto(GStrv) before = g_strsplit(was_text, ";", 0), after = g_strsplit(now_text, ";", 0);
    enum history_fate worst = HISTORY_SAME;
    for (gchar **at = before; *at; at++) {
        struct line line;
        worst = MAX(worst, line_read(*at, &line) ? best_of(&line, after) : HISTORY_BROKEN);
    }
    return worst;
}
