#include "base/int.h"
#include "store/valkey/link.h"
#include "store/valkey/refusal.h"

enum {
    SOON_US = 2000,
    SOON_MOST_US = 250000, /* TRYAGAIN and the like */
    SLOW_US = 20000,
    SLOW_MOST_US = 2000000, /* a server that needs air */
    STRAIGHT = 5,           /* redirections that are followed without a pause */
    LOADS = 8,              /* times that a script is loaded for one command */
    SILENT_US = 500000,
    PATIENCE_US = 30000000, /* of a call without a deadline: what holds it up is told after that */
    US_PER_MS = 1000,
    PACED_US = 1000,  /* so soon is a server asked about again that somebody else is waiting for … */
    DUE_US = 10000,   /* … and one that says when: it may be earlier by then */
    STOPS_US = 2000,  /* who is told to stop waits no longer than this for the next micro-batch … */
    GRACE_US = 20000, /* … and sends for no longer than this, what need not wait either */
    MEM_BYTES = 1 << 20,
};

/* A command that is on its way. */
struct pending {
    int64_t due_us; /* not sent before */
    uint32_t tries; /* refusals so far that it waits out */
    uint8_t hops;   /* redirections since it last waited */
    uint8_t loads;  /* refusals because the script was not there */
    bool asking;
    int64_t sent_us;     /* when it was put */
    int64_t ends_us;     /* it ends the micro-batch that was taken then; 0: none */
    uint32_t link_loads; /* of its link, when it went out */
};

/* One router_run(). */
struct run {
    struct router *router;
    struct call call;
    const struct route_wish *wish;
    struct pending *pending;
    size_t left;             /* commands without a fate */
    struct link_queue later; /* waiting for their time */
    int64_t due_us;          /* the earliest of them; INT64_MAX: none */
    int64_t paced_us;        /* when a server may be sent more, as it is paced; INT64_MAX: nothing waits for that */
    bool stale;              /* the topology is not what the servers say */
    int64_t refresh_us;      /* it is not asked before */
    uint32_t refreshes;
    int64_t stopped_us; /* when it was first seen that the call is to stop; 0: not yet */
    bool moved;         /* something went out or came in since the last look */
    bool left_out;      /* a command was not sent, because the call is to stop */
    GError *why;        /* the last thing that held a command up */
};

/* What came of one command. */
struct event {
    struct link *link;
    uint32_t i;
    const struct reply *reply;
    const struct refusal *row;
};

/* --- the router --------------------------------------------------------------------------------------------------- */

static void router_map(struct router *router)
{
    g_free(router->by_node);
    router->by_node = g_new0(struct link *, router->topology->n);
    for (size_t i = 0; i < router->topology->n; i++)
        router->by_node[i] = link_of(router, &router->topology->nodes[i].at);
}

/* false: it is the same as before. */
static bool router_renew(struct router *router)
{
    struct topology *now = routes_topology(router->routes);
    bool same = now == router->topology;
    topology_unref(same ? now : router->topology);
    router->topology = now;
    if (!same)
        router_map(router);
    return !same;
}

struct router *router_new(struct routes *routes)
{
    struct router *router = g_new0(struct router, 1);
    router->routes = routes;
    router->world = routes->world;
    router->uri = routes->uri;
    router->topology = routes_topology(routes);
    router->links = g_ptr_array_new_with_free_func((GDestroyNotify)link_free);
    router->mem = arena_new(MEM_BYTES);
    router->lost = g_string_new(NULL);
    router_map(router);
    return router;
}

void router_free(struct router *router)
{
    if (!router)
        return;
    topology_unref(router->topology);
    g_ptr_array_free(router->links, TRUE);
    g_free(router->by_node);
    arena_free(router->mem);
    g_string_free(router->lost, TRUE);
    g_free(router);
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* Half of it fixed, half by chance, so that sessions do not come back together. */
static int64_t backoff_us(const struct run *run, int64_t first_us, int64_t most_us, uint32_t tries)
{
    int64_t wait_us = first_us;
    uint64_t die;
    for (uint32_t i = 0; i < tries && wait_us < most_us; i++)
        wait_us *= 2;
    wait_us = MIN(wait_us, most_us);
    world_random(run->router->world, &die, sizeof die);
    return wait_us / 2 + (int64_t)(die % (uint64_t)(wait_us / 2 + 1));
}

static void put_aside(struct run *run, uint32_t i, int64_t due_us)
{
    run->pending[i].due_us = due_us;
    run->pending[i].hops = 0;
    run->due_us = MIN(run->due_us, due_us);
    link_queue_push(&run->later, i);
}

static void again_soon(struct run *run, uint32_t i)
{
    int64_t wait_us = backoff_us(run, SOON_US, SOON_MOST_US, run->pending[i].tries++);
    put_aside(run, i, world_monotonic_us(run->router->world) + wait_us);
}

static void keep_why(struct run *run, GError *why)
{
    g_clear_error(&run->why);
    run->why = why;
}

/* Where a command goes by the topology: to its slot's owner, or where it says itself. */
static void assign(struct run *run, uint32_t i)
{
    const struct command *command = &run->wish->commands[i];
    const struct topology *topology = run->router->topology;
    GError *why = NULL;
    if (command->slot < 0) {
        link_queue_push(&link_of(run->router, command->at)->todo, i);
        return;
    }
    int32_t owner = topology->owner[command->slot];
    if (owner >= 0) {
        link_queue_push(&run->router->by_node[owner]->todo, i);
        return;
    }
    error_set(&why, SLUICE_ERROR_UNREACHABLE, "no server owns slot %d", command->slot);
    keep_why(run, why);
    run->stale = true;
    again_soon(run, i);
}

/* Those whose time has come; the others stay. */
static void assign_due(struct run *run)
{
    int64_t now_us = world_monotonic_us(run->router->world);
    size_t n = link_queue_count(&run->later);
    if (now_us < run->due_us)
        return;
    run->due_us = INT64_MAX;
    for (size_t k = 0; k < n; k++) {
        uint32_t i = link_queue_pop(&run->later);
        if (run->pending[i].due_us <= now_us)
            assign(run, i);
        else
            put_aside(run, i, run->pending[i].due_us);
    }
    run->moved = true;
}

/* --- what is done about a reply ----------------------------------------------------------------------------------- */

static void describe(const struct run *run, const struct event *event, GError **ret)
{
    int32_t slot = run->wish->commands[event->i].slot;
    g_autofree char *what = slot < 0 ? g_strdup("a command") : g_strdup_printf("slot %d", slot);
    refusal_set(event->reply, &event->link->at, what, ret);
}

static void note_why(struct run *run, const struct event *event)
{
    GError *why = NULL;
    describe(run, event, &why);
    keep_why(run, why);
}

static bool fill(struct run *run, struct link *link, GError **error);

/* A connection that takes nothing any more is found out by who reads from it. */
static void follow(struct run *run, const struct event *event)
{
    const struct route_wish *wish = run->wish;
    size_t next = event->i + 1;
    g_autoptr(GError) failed = NULL;
    if (!wish->follow || next >= wish->n || event->reply->type == REPLY_ERROR ||
        !wish->follow(wish->self, event->i, event->reply, &wish->commands[next]))
        return;
    run->left++;
    assign(run, (uint32_t)next);
    fill(run, event->link, &failed);
}

static bool do_caller(struct run *run, const struct event *event, GError **error)
{
    run->wish->commands[event->i].fate = ROUTE_ANSWERED;
    run->left--;
    follow(run, event);
    return run->wish->answer(run->wish->self, event->i, event->reply, error);
}

static bool do_here(struct run *run, const struct event *event, GError **error)
{
    note_why(run, event);
    pace_throttled(event->link->server);
    again_soon(run, event->i);
    return true;
}

static bool do_refresh(struct run *run, const struct event *event, GError **error)
{
    run->stale = true;
    return do_here(run, event, error);
}

static bool do_slow(struct run *run, const struct event *event, GError **error)
{
    int64_t wait_us = backoff_us(run, SLOW_US, SLOW_MOST_US, run->pending[event->i].tries++);
    note_why(run, event);
    pace_throttled(event->link->server);
    put_aside(run, event->i, world_monotonic_us(run->router->world) + wait_us);
    return true;
}

static bool do_stop(struct run *run, const struct event *event, GError **error)
{
    describe(run, event, error);
    return false;
}

/* To the server that the reply names; after too many of them, servers that contradict each other get time. */
static bool redirect(struct run *run, const struct event *event, bool asking, GError **error)
{
    struct pending *pending = &run->pending[event->i];
    struct valkey_host to;
    note_why(run, event);
    run->router->redirections++;
    arena_reset(run->router->mem);
    if (!refusal_place(event->reply, &event->link->at, run->router->mem, &to))
        return do_stop(run, event, error);
    if (pending->hops >= STRAIGHT) {
        again_soon(run, event->i);
        return true;
    }
    pending->hops++;
    pending->asking = asking;
    link_queue_push(&link_of(run->router, &to)->todo, event->i);
    return true;
}

static bool do_there(struct run *run, const struct event *event, GError **error)
{
    run->stale = true;
    return redirect(run, event, false, error);
}

static bool do_ask(struct run *run, const struct event *event, GError **error)
{
    return redirect(run, event, true, error);
}

/* The script is loaded once for all commands that were on their way already, and again for one that went out behind it
 * and is refused. It goes ahead of whatever needs it next: those that wait there may be thousands. */
static bool do_load(struct run *run, const struct event *event, GError **error)
{
    struct pending *pending = &run->pending[event->i];
    const char *script = run->wish->commands[event->i].script;
    if (!script)
        return do_caller(run, event, error);
    if (pending->loads++ >= LOADS)
        return do_stop(run, event, error);
    if (pending->link_loads == event->link->loads)
        event->link->loaded = NULL;
    if (event->link->loaded != script)
        event->link->lacks = script;
    link_queue_push(&event->link->todo, event->i);
    return true;
}

static bool (*const ACTIONS[])(struct run *, const struct event *, GError **) = {
    [REFUSAL_CALLER] = do_caller, [REFUSAL_THERE] = do_there,     [REFUSAL_ASK] = do_ask,
    [REFUSAL_HERE] = do_here,     [REFUSAL_REFRESH] = do_refresh, [REFUSAL_SLOW] = do_slow,
    [REFUSAL_PAUSE] = do_slow,    [REFUSAL_LOAD] = do_load,       [REFUSAL_STOP] = do_stop,
};

/* Of a command to a named server a redirection says nothing that the router could follow. */
static enum refusal_action action_of(const struct run *run, const struct event *event)
{
    enum refusal_action action = event->row ? event->row->action : REFUSAL_CALLER;
    bool leads = action == REFUSAL_THERE || action == REFUSAL_ASK;
    if (run->wish->bound || run->wish->commands[event->i].gives_way)
        return REFUSAL_CALLER;
    return leads && run->wish->commands[event->i].slot < 0 ? REFUSAL_CALLER : action;
}

/* What is only in the way of a part for a while is in the way of its EXEC, which waits it out. */
static bool take_own(const struct event *event, GError **error)
{
    const char *what = event->i == LINK_LOAD ? "SCRIPT LOAD" : "a command between MULTI and EXEC";
    if (event->i == LINK_OWN || event->reply->type != REPLY_ERROR)
        return true;
    bool waits = event->row && event->row->action != REFUSAL_STOP;
    return waits || refusal_set(event->reply, &event->link->at, what, error);
}

static bool take_reply(struct run *run, struct link *link, const struct reply *reply, GError **error)
{
    struct event event = {.link = link, .i = link_queue_pop(&link->flight), .reply = reply, .row = refusal_of(reply)};
    if (event.i >= LINK_PART)
        return take_own(&event, error);
    link->sent_us = run->pending[event.i].sent_us;
    if (run->pending[event.i].ends_us)
        pace_reply(link->server, run->pending[event.i].ends_us, world_monotonic_us(run->router->world));
    run->pending[event.i].ends_us = 0;
    return ACTIONS[action_of(run, &event)](run, &event, error);
}

/* --- a lost connection -------------------------------------------------------------------------------------------- */

/* A micro-batch of which not all was put. */
static void give_up_units(struct link *link)
{
    if (link->units > 0)
        pace_lost(link->server, link->taken_us);
    link->units = 0;
}

/* What becomes of the commands that are waiting for their replies; the connection is closed. */
static void abandon(struct run *run, struct link *link, bool again)
{
    size_t sent = link->conn ? conn_sent(link->conn) : 0;
    for (size_t k = 0; link_queue_count(&link->flight) > 0; k++) {
        uint32_t i = link_queue_pop(&link->flight);
        if (i >= LINK_PART)
            continue;
        struct command *command = &run->wish->commands[i];
        if (run->pending[i].ends_us)
            pace_lost(link->server, run->pending[i].ends_us);
        run->pending[i].ends_us = 0;
        if (k < sent && !command->repeatable) {
            command->fate = ROUTE_UNKNOWN;
            run->left--;
        } else if (again) {
            again_soon(run, i);
        }
    }
    give_up_units(link);
    link_close(link);
}

/* `failed` is taken over. What was to go there goes where the topology says, in a while. A server that speaks another
 * language, or refuses the user, ends the run. */
static bool lose(struct run *run, struct link *link, GError *failed, GError **error)
{
    abandon(run, link, true);
    while (link_queue_count(&link->todo) > 0)
        again_soon(run, link_queue_pop(&link->todo));
    link->due_us = world_monotonic_us(run->router->world) + backoff_us(run, SOON_US, SOON_MOST_US, link->fails++);
    run->stale |= refusal_lost()->action == REFUSAL_REFRESH;
    if (error_class(failed) != ERROR_TRANSIENT) {
        g_propagate_error(error, failed);
        return false;
    }
    keep_why(run, failed);
    return true;
}

/* --- one server --------------------------------------------------------------------------------------------------- */

/* What was put before the command itself. */
static void put_before(struct run *run, struct link *link, uint32_t i)
{
    struct pending *pending = &run->pending[i];
    const char *script = run->wish->commands[i].script;
    if (script && link->loaded != script && (pending->loads > 0 || link->lacks == script)) {
        struct slice args[] = {slice_of_text("SCRIPT"), slice_of_text("LOAD"), slice_of_text(script)};
        conn_put(link->conn, args, G_N_ELEMENTS(args));
        link_queue_push(&link->flight, LINK_LOAD);
        link->loaded = script;
        link->lacks = NULL;
        link->loads++;
    }
    pending->link_loads = link->loads;
    if (pending->asking) {
        struct slice args[] = {slice_of_text("ASKING")};
        conn_put(link->conn, args, G_N_ELEMENTS(args));
        link_queue_push(&link->flight, LINK_OWN);
        pending->asking = false;
    }
}

static void put_parts(struct link *link, const struct command *command)
{
    const struct slice multi = slice_of_text("MULTI");
    uint32_t part = command->gives_way ? LINK_OWN : LINK_PART;
    if (command->n_parts == 0)
        return;
    conn_put(link->conn, &multi, 1);
    link_queue_push(&link->flight, part);
    for (size_t i = 0; i < command->n_parts; i++) {
        conn_put(link->conn, command->parts[i].args, command->parts[i].n_args);
        link_queue_push(&link->flight, part);
    }
}

static uint32_t weight_of(const struct command *command)
{
    return command->weight ? command->weight : 1 + (uint32_t)command->n_parts;
}

/* What takes about as long as another of it: the same command, or script, of the same weight (FNV-1a, by Fowler, Noll
 * and Vo). */
static uint64_t kind_of(const struct command *command, uint32_t light)
{
    uint64_t kind = 14695981039346656037u ^ weight_of(command) ^ (uint64_t)light << 32;
    size_t names = command->script ? 2 : 1; /* EVALSHA and its digest */
    for (size_t k = 0; k < MIN(names, command->n_args); k++)
        for (size_t i = 0; i < command->args[k].len; i++)
            kind = (kind ^ command->args[k].data[i]) * 1099511628211u;
    return kind;
}

static bool is_stopped(const struct run *run)
{
    return run->call.stop && atomic_load(run->call.stop);
}

/* Of a call that is to stop: what is still waiting there stays unsent. */
static void leave_out(struct run *run, struct link_queue *waiting)
{
    run->left_out |= link_queue_count(waiting) > 0;
    run->left -= link_queue_count(waiting);
    while (link_queue_count(waiting) > 0)
        link_queue_pop(waiting);
}

/* Whether the next command may go now, as the server is paced. */
static bool may_go(struct run *run, struct link *link)
{
    struct pace_server *server = link_pace(run->router, link);
    if (!server || run->wish->unpaced || link->units > 0)
        return true;
    int64_t now_us = world_monotonic_us(run->router->world), due_us;
    const struct command *next = &run->wish->commands[link_queue_first(&link->todo)];
    uint32_t first = weight_of(next), light = MAX(run->wish->light, 1);
    uint32_t all = (uint32_t)MIN((link_queue_count(&link->todo) - 1) / light + 1, UINT32_MAX);
    link->units = light * pace_take(server, kind_of(next, light), now_us, first, MAX(all, first), &due_us);
    link->taken_us = now_us;
    if (link->units > 0)
        return true;
    run->paced_us = MIN(run->paced_us, MIN(due_us, now_us + (due_us == INT64_MAX ? PACED_US : DUE_US)));
    if (is_stopped(run) && due_us != INT64_MAX && due_us - now_us > STOPS_US)
        leave_out(run, &link->todo);
    return false;
}

/* The command has been put: how much of its micro-batch is left. */
static void count_off(struct run *run, struct link *link, uint32_t i)
{
    uint32_t weight = weight_of(&run->wish->commands[i]);
    if (!link->server || run->wish->unpaced)
        return;
    link->units -= MIN(link->units, weight);
    if (link_queue_count(&link->todo) == 0)
        link->units = 0;
    run->pending[i].ends_us = link->units == 0 ? link->taken_us : 0;
}

static bool fill(struct run *run, struct link *link, GError **error)
{
    int64_t now_us = world_monotonic_us(run->router->world);
    size_t most = link_window_most(&link->window), depth = run->wish->depth ? MIN(run->wish->depth, most) : most;
    if (link_queue_count(&link->flight) == 0)
        link->heard_us = now_us;
    while (link_queue_count(&link->todo) > 0 && link_queue_count(&link->flight) < depth && may_go(run, link)) {
        uint32_t i = link_queue_pop(&link->todo);
        const struct command *command = &run->wish->commands[i];
        put_before(run, link, i);
        put_parts(link, command);
        if (!command->repeatable || command->script)
            link_writes(link);
        conn_put(link->conn, command->args, command->n_args);
        link_queue_push(&link->flight, i);
        run->pending[i].sent_us = now_us;
        count_off(run, link, i);
        run->moved = true;
    }
    return conn_push(link->conn, error);
}

/* *ret_lost: the connection failed, not the run. */
static bool take_replies(struct run *run, struct link *link, bool *ret_lost, GError **error)
{
    struct reply reply;
    size_t taken = 0;
    for (bool there = true; link_queue_count(&link->flight) > 0; taken++) {
        if (!conn_try(link->conn, &reply, &there, error)) {
            *ret_lost = true;
            return false;
        }
        if (!there)
            break;
        if (!take_reply(run, link, &reply, error))
            return false;
    }
    if (taken > 0) {
        link->heard_us = world_monotonic_us(run->router->world);
        link_window_answered(&link->window, link->sent_us, link->heard_us, link_queue_count(&link->todo) > 0);
        run->moved = true;
    }
    return true;
}

static bool connect_link(struct run *run, struct link *link, GError **error)
{
    GError *failed = NULL;
    struct net_wait wait = link_wait(run->router, &run->call, run->router->uri->timeout_ms * US_PER_MS);
    if (world_monotonic_us(run->router->world) < link->due_us) {
        while (link_queue_count(&link->todo) > 0)
            put_aside(run, link_queue_pop(&link->todo), link->due_us);
        return true;
    }
    run->moved = true;
    return link_connect(run->router, link, &wait, &failed) || lose(run, link, failed, error);
}

/* A connection that nobody used for a while, and that has something to say: it was closed. Better found before a write
 * is handed to it than after, when nobody knows its fate. */
static bool is_stale(const struct run *run, const struct link *link)
{
    struct net_poll poll = conn_poll(link->conn);
    struct net_wait none = {.deadline_us = world_monotonic_us(run->router->world)};
    return link_queue_count(&link->flight) == 0 && net_poll(run->router->world, &poll, 1, &none, NULL);
}

/* Moves one server's work on as far as it goes without waiting (a connection is waited for). */
static bool step(struct run *run, struct link *link, GError **error)
{
    GError *failed = NULL;
    bool lost = false;
    if (link_queue_count(&link->todo) + link_queue_count(&link->flight) == 0)
        return true;
    if (link->conn && is_stale(run, link))
        link_close(link);
    if (run->wish->bound && (!link->conn || link->serial != run->wish->bound))
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u: the connection was lost", link->at.host,
                         link->at.port);
    if (!link->conn && !connect_link(run, link, error))
        return false;
    if (!link->conn)
        return true;
    if (!fill(run, link, &failed))
        return lose(run, link, failed, error);
    if (take_replies(run, link, &lost, &failed))
        return true;
    if (lost)
        return lose(run, link, failed, error);
    g_propagate_error(error, failed);
    return false;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

/* A refresh in vain is tried again; what it says may be why nothing moves. */
static bool refresh(struct run *run, GError **error)
{
    struct router *router = run->router;
    GError *failed = NULL;
    int64_t now_us = world_monotonic_us(router->world);
    if (!run->stale || now_us < run->refresh_us)
        return true;
    struct net_wait wait = link_wait(router, &run->call, router->uri->timeout_ms * US_PER_MS);
    bool asked = routes_refresh(router->routes, router->topology, &wait, &failed);
    run->stale = !router_renew(router);
    run->refresh_us = now_us + backoff_us(run, SLOW_US, SOON_MOST_US, run->refreshes++);
    if (asked)
        return true;
    if (error_is(failed, SLUICE_ERROR_UNREACHABLE)) {
        keep_why(run, failed);
        return true;
    }
    g_propagate_error(error, failed);
    return false;
}

/* A server that keeps silent for longer than one call may take is as good as lost. */
static bool lose_silent(struct run *run, GError **error)
{
    int64_t now_us = world_monotonic_us(run->router->world), most_us = run->router->uri->timeout_ms * US_PER_MS;
    for (guint k = 0; k < run->router->links->len; k++) {
        struct link *link = g_ptr_array_index(run->router->links, k);
        GError *failed = NULL;
        if (link_queue_count(&link->flight) == 0 || now_us - link->heard_us < most_us)
            continue;
        error_set(&failed, SLUICE_ERROR_TIMED_OUT, "%s:%u has not answered %zu commands for %" PRId64 " ms",
                  link->at.host, link->at.port, link_queue_count(&link->flight), (now_us - link->heard_us) / US_PER_MS);
        if (!lose(run, link, failed, error))
            return false;
    }
    return true;
}

/* Until when nothing need be looked at unless a reply comes. */
static int64_t wake_us(const struct run *run)
{
    int64_t wake_us = run->call.deadline_us > 0 ? run->call.deadline_us : INT64_MAX;
    wake_us = MIN(wake_us, MIN(run->due_us, run->paced_us));
    if (run->stale)
        wake_us = MIN(wake_us, run->refresh_us);
    for (guint k = 0; k < run->router->links->len; k++) {
        const struct link *link = g_ptr_array_index(run->router->links, k);
        if (link_queue_count(&link->flight) > 0)
            wake_us = MIN(wake_us, link->heard_us + run->router->uri->timeout_ms * US_PER_MS);
    }
    return wake_us;
}

static size_t polls_of(const struct run *run, struct net_poll *polls)
{
    size_t n = 0;
    for (guint k = 0; k < run->router->links->len; k++) {
        struct link *link = g_ptr_array_index(run->router->links, k);
        if (link_queue_count(&link->flight) > 0)
            polls[n++] = conn_poll(link->conn);
    }
    return n;
}

/* Until something may go on. What a run waits for its pace is not its servers' fault: it is not taken off its time. */
static bool rest(struct run *run, GError **error)
{
    const struct world *world = run->router->world;
    g_autofree struct net_poll *polls = g_new(struct net_poll, run->router->links->len);
    struct net_wait wait = {.deadline_us = wake_us(run), .cancel = run->call.cancel};
    size_t n = polls_of(run, polls);
    int64_t from_us = world_monotonic_us(world);
    g_autoptr(GError) failed = NULL;
    if (n == 0)
        world_sleep_us(world, MAX(wait.deadline_us - from_us, 0), run->call.stop ? run->call.stop : run->call.cancel);
    else
        net_poll(world, polls, n, &wait, &failed);
    if (run->paced_us != INT64_MAX)
        run->call.deadline_us += world_monotonic_us(world) - from_us;
    if (failed && !error_is(failed, SLUICE_ERROR_TIMED_OUT)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    return lose_silent(run, error);
}

/* The server that is to blame for the deadline: it owes replies, and is silent. */
static const struct link *silent_link(const struct run *run)
{
    int64_t since_us = world_monotonic_us(run->router->world) - (run->why ? SILENT_US : 0);
    for (guint k = 0; k < run->router->links->len; k++) {
        const struct link *link = g_ptr_array_index(run->router->links, k);
        if (link_queue_count(&link->flight) > 0 && link->heard_us <= since_us)
            return link;
    }
    return NULL;
}

/* The deadline: what held things up says more than that it is over. */
static bool goes_on(struct run *run, GError **error)
{
    g_autoptr(GError) over = NULL;
    const struct link *silent;
    if (call_goes_on(&run->call, run->router->world, &over))
        return true;
    if (error_is(over, SLUICE_ERROR_TIMED_OUT) && (silent = silent_link(run)))
        return error_set(error, SLUICE_ERROR_TIMED_OUT, "%s:%u: %zu commands without an answer", silent->at.host,
                         silent->at.port, link_queue_count(&silent->flight));
    if (error_is(over, SLUICE_ERROR_TIMED_OUT) && run->why)
        return error_set(error, (enum error_code)run->why->code, "%s; waited until the deadline", run->why->message);
    g_propagate_error(error, g_steal_pointer(&over));
    return false;
}

/* What waits for better times goes no more; of what could go at once, what goes within its grace. */
static void heed_stop(struct run *run)
{
    int64_t now_us = world_monotonic_us(run->router->world);
    if (!is_stopped(run))
        return;
    run->stopped_us = run->stopped_us ? run->stopped_us : now_us;
    leave_out(run, &run->later);
    for (guint k = 0; now_us - run->stopped_us >= GRACE_US && k < run->router->links->len; k++)
        leave_out(run, &((struct link *)g_ptr_array_index(run->router->links, k))->todo);
}

static bool go(struct run *run, GError **error)
{
    while (run->left > 0) {
        if (!goes_on(run, error))
            return false;
        heed_stop(run);
        run->moved = false;
        run->paced_us = INT64_MAX;
        assign_due(run);
        if (!refresh(run, error))
            return false;
        for (guint k = 0; k < run->router->links->len; k++) {
            if (!step(run, g_ptr_array_index(run->router->links, k), error))
                return false;
        }
        if (run->left > 0 && !run->moved && !rest(run, error))
            return false;
    }
    return !run->left_out || error_set(error, SLUICE_ERROR_CANCELLED, "told to stop before everything was sent");
}

/* Replies that nobody will take any more go with their connections. */
static void run_done(struct run *run)
{
    for (guint k = 0; k < run->router->links->len; k++) {
        struct link *link = g_ptr_array_index(run->router->links, k);
        while (link_queue_count(&link->todo) > 0)
            link_queue_pop(&link->todo);
        if (link_queue_count(&link->flight) > 0)
            abandon(run, link, false);
        give_up_units(link);
    }
    g_free(run->pending);
    g_free(run->later.items);
    g_clear_error(&run->why);
}

bool router_run(struct router *router, const struct call *call, const struct route_wish *wish, GError **error)
{
    size_t first = wish->follow ? MIN(wish->n, 1) : wish->n;
    struct run run = {.router = router, .call = *call, .wish = wish, .left = first, .due_us = INT64_MAX};
    if (run.call.deadline_us == 0)
        run.call.deadline_us = world_monotonic_us(router->world) + PATIENCE_US;
    run.pending = g_new0(struct pending, wish->n);
    if (router_paced(router) && !wish->unpaced)
        world_give_way(router->world); /* who works here may be beside the servers, or those who use them */
    router_renew(router);
    for (size_t i = 0; i < wish->n; i++)
        wish->commands[i].fate = ROUTE_NOT_SENT;
    for (size_t i = 0; i < first; i++)
        assign(&run, (uint32_t)i);
    bool went = go(&run, error);
    run_done(&run);
    return went;
}

/* --- one connection ----------------------------------------------------------------------------------------------- */

static bool bind_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type != REPLY_ERROR || refusal_set(reply, self, "PING", error);
}

bool router_bind(struct router *router, const struct call *call, const struct valkey_host *at, uint64_t *ret,
                 GError **error)
{
    struct slice args[] = {slice_of_text("PING")};
    struct valkey_host host = *at;
    struct command command = {.args = args, .n_args = G_N_ELEMENTS(args), .slot = -1, .at = at, .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .unpaced = true, .answer = bind_answer, .self = &host};
    if (!router_run(router, call, &wish, error))
        return false;
    *ret = link_of(router, at)->serial;
    return true;
}
