/* What sets and sorted sets hold: page by page, by SSCAN and ZSCAN, and member by member. A cursor means something to
 * the process alone that gave it: all pages come by one connection, and where that is lost they come anew. */
#include "store/valkey/pieces.h"
#include "store/valkey/refusal.h"

enum { TRIES = 6, REST_US = 20000, US_PER_MS = 1000, PAGE = 500, PAGE_PACED = 100, ARGS = 3, WALK_BYTES = 1 << 20 };

static bool is_wrong_type(const struct reply *reply)
{
    return reply->type == REPLY_ERROR && reply_is_error(reply, "WRONGTYPE");
}

static bool no_memory(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "members do not fit into the memory of the call");
}

static bool score_of(const struct reply *reply, double *ret)
{
    char text[64];
    bool is = reply->type == REPLY_BYTES || reply->type == REPLY_DOUBLE;
    if (!is || reply->bytes.len == 0 || reply->bytes.len >= sizeof text)
        return false;
    memcpy(text, reply->bytes.data, reply->bytes.len);
    text[reply->bytes.len] = '\0';
    *ret = g_ascii_strtod(text, NULL);
    return true;
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

struct member_walk {
    struct member_walk_base base;
    struct arena *mem; /* of key and connection */
    struct slice key;  /* the server's */
    struct pieces_watch through;
    bool sorted;
    char cursor[32];
    unsigned tries;
    /* of one page */
    struct pieces_ask ask;
    struct arena *into;
    struct member_page page;
};

static bool open_walk(struct member_walk **ret, struct session *session, const struct dataset *ds, struct slice key,
                      GError **error)
{
    const struct valkey_dataset *met;
    struct slice server;
    auto_(arena) mem = arena_new(WALK_BYTES + key.len);
    if (!valkey_dataset_of(session, ds, &met, error) ||
        !key_template_to_server(met->template, key, mem, &server, error))
        return false;
    struct member_walk *walk = g_new0(struct member_walk, 1);
    if (!arena_copy(mem, server, &walk->key)) {
        g_free(walk);
        return no_memory(error);
    }
    walk->mem = g_steal_pointer(&mem);
    *ret = walk;
    return true;
}

static void close_walk(struct member_walk *walk)
{
    arena_free(walk->mem);
    g_free(walk);
}

static bool take_type(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct member_walk *walk = self;
    if (reply->type != REPLY_STATUS && reply->type != REPLY_BYTES)
        return pieces_refused(&walk->ask, reply, error);
    walk->sorted = slice_equal(reply->bytes, slice_of_text("zset"));
    walk->page.done = !walk->sorted && !slice_equal(reply->bytes, slice_of_text("set"));
    if (!walk->page.done || slice_equal(reply->bytes, slice_of_text("none")))
        return true;
    walk->page.found = arena_text(walk->into, reply->bytes);
    return walk->page.found || no_memory(error);
}

/* A key that has become of another type meanwhile has no members any more. */
static bool take_page(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct member_walk *walk = self;
    size_t each = walk->sorted ? 2 : 1;
    if (is_wrong_type(reply))
        return walk->page.done = true;
    if (!reply_is_array(reply, 2) || reply->items[0].bytes.len >= sizeof walk->cursor || reply->items[1].n % each != 0)
        return pieces_refused(&walk->ask, reply, error);
    const struct reply *items = reply->items[1].items;
    size_t n = reply->items[1].n / each;
    walk->page.members = arena_alloc0(walk->into, n * sizeof *walk->page.members + 1);
    if (!walk->page.members)
        return no_memory(error);
    for (size_t k = 0; k < n; k++) {
        struct member *member = &walk->page.members[k];
        member->scored = walk->sorted;
        if (!arena_copy(walk->into, items[k * each].bytes, &member->name))
            return no_memory(error);
        if (walk->sorted && !score_of(&items[k * each + 1], &member->score))
            return pieces_refused(&walk->ask, reply, error);
    }
    walk->page.n = n;
    memcpy(walk->cursor, reply->items[0].bytes.data, reply->items[0].bytes.len);
    walk->cursor[reply->items[0].bytes.len] = '\0';
    walk->page.done = strcmp(walk->cursor, "0") == 0;
    return true;
}

static bool bind_walk(struct member_walk *walk, const struct call *call, GError **error)
{
    const struct slice args[] = {slice_of_text("TYPE"), walk->key};
    const struct pieces_command type = {args, G_N_ELEMENTS(args)};
    struct call bind = *call;
    bind.mem = walk->mem;
    if (!pieces_bind(walk->base.session, &bind, walk->key, &walk->through, error))
        return false;
    g_strlcpy(walk->cursor, "0", sizeof walk->cursor);
    walk->ask.answer = take_type;
    return pieces_ask(&walk->ask, &type, 1, error);
}

static bool ask_page(struct member_walk *walk, GError **error)
{
    char count[16];
    bool paced = router_paced(valkey_session_of(walk->base.session)->router);
    g_snprintf(count, sizeof count, "%d", paced ? PAGE_PACED : PAGE);
    const struct slice args[] = {slice_of_text(walk->sorted ? "ZSCAN" : "SSCAN"), walk->key,
                                 slice_of_text(walk->cursor), slice_of_text("COUNT"), slice_of_text(count)};
    const struct pieces_command page = {args, G_N_ELEMENTS(args)};
    walk->ask.answer = take_page;
    return pieces_ask(&walk->ask, &page, 1, error);
}

static bool try_page(struct member_walk *walk, const struct call *call, GError **error)
{
    bool bound = walk->through.bound || bind_walk(walk, call, error);
    return bound && (walk->page.done || ask_page(walk, error));
}

/* The connection, the server or the slot is gone: from the first page on, wherever the key is now. */
static bool begin_anew(struct member_walk *walk, const struct call *call, const GError *failed)
{
    bool lost = error_class(failed) == ERROR_TRANSIENT && !error_is(failed, SLUICE_ERROR_CANCELLED);
    if (!lost || ++walk->tries >= TRIES)
        return false;
    const struct valkey_store *store = valkey_store_of(walk->base.session);
    struct call again = {.deadline_us = world_monotonic_us(store->base.world) + store->uri->timeout_ms * US_PER_MS,
                         .cancel = call->cancel};
    g_autoptr(GError) unanswered = NULL; /* the next try says the same */
    world_sleep_us(store->base.world, REST_US << walk->tries, call->cancel);
    (void)!router_refresh(valkey_session_of(walk->base.session)->router, &again, &unanswered);
    walk->through = (struct pieces_watch){0};
    walk->page = (struct member_page){.anew = true};
    return true;
}

static bool next_page(struct member_walk *walk, const struct call *call, struct member_page *ret, GError **error)
{
    walk->into = call->mem;
    walk->page = (struct member_page){0};
    walk->ask =
        (struct pieces_ask){.session = walk->base.session, .call = call, .through = &walk->through, .self = walk};
    for (;;) {
        g_autoptr(GError) failed = NULL;
        if (try_page(walk, call, &failed)) {
            *ret = walk->page;
            return true;
        }
        if (begin_anew(walk, call, failed))
            continue;
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
}

/* --- one by one ----------------------------------------------------------------------------------------------------
 */

struct questions {
    struct member_question *io;
    const size_t *asked; /* places in io */
    bool sorted, *again;
};

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct questions *questions = self;
    size_t at = questions->asked[i];
    struct member_question *question = &questions->io[at];
    questions->again[at] = is_wrong_type(reply);
    if (questions->again[at])
        return true;
    if (reply->type == REPLY_ERROR || (!questions->sorted && reply->type != REPLY_INTEGER))
        return valkey_refused(reply, questions->sorted ? "ZSCORE" : "SISMEMBER", error);
    question->scored = questions->sorted;
    question->stands = questions->sorted ? score_of(reply, &question->score) : reply->integer == 1;
    return true;
}

/* Of the places in io, as of sets or as of sorted sets. */
static bool ask_some(struct session *session, const struct call *call, struct questions *questions,
                     const struct slice *servers, size_t n, GError **error)
{
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct slice *args = g_new(struct slice, n * ARGS + 1);
    for (size_t i = 0; i < n; i++) {
        size_t at = questions->asked[i];
        args[i * ARGS] = slice_of_text(questions->sorted ? "ZSCORE" : "SISMEMBER");
        args[i * ARGS + 1] = servers[at];
        args[i * ARGS + 2] = questions->io[at].name;
        commands[i] = (struct command){.args = args + i * ARGS,
                                       .n_args = ARGS,
                                       .slot = (int32_t)valkey_place_of(valkey_store_of(session), servers[at]),
                                       .repeatable = true};
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = questions};
    return n == 0 || router_run(valkey_session_of(session)->router, call, &wish, error);
}

/* The server's key; a record that cannot be is said to be none. */
static bool place_question(const struct valkey_dataset *met, const struct call *call, struct member_question *io,
                           struct slice *ret, GError **error)
{
    g_autoptr(GError) failed = NULL;
    if (key_template_to_server(met->template, io->key, call->mem, ret, &failed))
        return true;
    if (error_class(failed) != ERROR_RECORD) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    io->found = arena_text(call->mem, slice_of_text(failed->message));
    return io->found || no_memory(error);
}

static bool ask_members(struct session *session, const struct call *call, struct member_question *io, size_t n,
                        GError **error)
{
    const struct valkey_dataset *met;
    g_autofree struct slice *servers = g_new0(struct slice, n + 1);
    g_autofree size_t *asked = g_new(size_t, n + 1);
    g_autofree bool *again = g_new0(bool, n + 1);
    struct questions questions = {.io = io, .asked = asked, .again = again};
    if (!valkey_dataset_of(session, call->ds, &met, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        io[i].stands = io[i].scored = false;
        io[i].found = NULL;
        if (!place_question(met, call, &io[i], &servers[i], error))
            return false;
    }
    for (int round = 0; round < 4; round++) { /* as it was asked for, then as the other */
        bool second = round >= 2;
        size_t k = 0;
        questions.sorted = round % 2;
        for (size_t i = 0; i < n; i++)
            if (!io[i].found &&
                (second ? again[i] && io[i].sorted != questions.sorted : io[i].sorted == questions.sorted))
                asked[k++] = i;
        if (!ask_some(session, call, &questions, servers, k, error))
            return false;
    }
    for (size_t i = 0; i < n; i++)
        if (again[i])
            io[i].found = "neither a set nor a sorted set";
    return true;
}

const struct member_ops valkey_members = {
    .open = open_walk, .next = next_page, .close = close_walk, .ask = ask_members, .examine = valkey_examine_members};
