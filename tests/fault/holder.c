#include "holder.h"

#include "store/valkey/slot.h"

enum { MEMORY = 64 << 20 };

static int set_up(void **state, unsigned servers)
{
    struct box *box = g_new0(struct box, 1);
    servers_find_cluster(&box->servers, servers);
    *state = box;
    return 0;
}

int holder_set_up(void **state)
{
    return set_up(state, HOLDER_SERVERS);
}

int holder_set_up_alone(void **state)
{
    return set_up(state, 1);
}

int holder_tear_down(void **state)
{
    struct box *box = *state;
    servers_end(&box->servers);
    g_clear_pointer(&box->mem, arena_free);
    g_free(box);
    return 0;
}

void holder_begin(struct box *box, uint32_t part)
{
    servers_or_skip(&box->servers);
    g_clear_pointer(&box->mem, arena_free);
    box->mem = arena_new(MEMORY);
    box->ds = (struct dataset){.name = "r:*", .form = FORM_RAW};
    box->id = (struct fence_id){.part = part};
    world_random(world_real(), box->id.run, sizeof box->id.run);
}

struct call holder_call(struct box *box)
{
    return (struct call){
        .ds = &box->ds, .mem = box->mem, .deadline_us = world_monotonic_us(world_real()) + HOLDER_MOST_US};
}

struct holder holder_enter(struct box *box, const struct world *world, unsigned by)
{
    GError *error = NULL;
    struct holder holder = {.registry = store_registry_new(world, NULL), .lane = {.fence = box->id}};
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[by]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    kit_ok(store_open(&holder.store, holder.registry, &config, &error));
    kit_ok(store_session_open(&holder.session, holder.store, &error));
    return holder;
}

void holder_leave(struct holder *holder)
{
    store_session_close(holder->session);
    store_release(holder->registry, holder->store);
    store_registry_free(holder->registry);
    g_free(holder->line);
}

unsigned holder_server_of(uint32_t place)
{
    return place <= 5460 ? 0 : place <= 10921 ? 1 : 2;
}

struct slice holder_key_on(struct box *box, unsigned server)
{
    for (;;) {
        char key[24];
        g_snprintf(key, sizeof key, "r:%u", box->keys++);
        if (holder_server_of(slot_of(slice_of_text(key))) == server)
            return slice_of_text(arena_text(box->mem, slice_of_text(key)));
    }
}

bool holder_open_lane(struct box *box, struct holder *holder, uint32_t lane, struct slice near, GError **error)
{
    struct call call = holder_call(box);
    struct fence before;
    struct lane next = {.fence = holder->lane.fence, .lane = lane, .near = near};
    if (!store_lane_open(holder->session, &call, &next, &before, error))
        return false;
    next.near = SLICE_EMPTY;
    holder->lane = next;
    holder->number = 0;
    return true;
}

enum cas_outcome holder_write_on(struct box *box, struct holder *holder, unsigned server)
{
    GError *error = NULL;
    struct call call = holder_call(box);
    struct cas_op op = {.key = holder_key_on(box, server), .raw = slice_of_text("Rsvalue"), .number = ++holder->number};
    kit_ok(store_cas(holder->session, &call, &holder->lane, &op, 1, &error));
    return op.outcome;
}

bool holder_note(struct box *box, struct holder *holder, uint64_t number, struct slice near, GError **error)
{
    struct call call = holder_call(box);
    struct witness witness = {
        .fence = holder->lane.fence, .lane = number ? holder->lane.lane : 0, .number = number, .near = near};
    struct slice was = holder->line ? slice_of_text(holder->line) : SLICE_EMPTY;
    const char *now;
    if (!store_history_note(holder->session, &call, &witness, was, &now, error))
        return false;
    g_free(holder->line);
    holder->line = g_strdup(now);
    return true;
}

void holder_forget_asked(const struct box *box)
{
    for (unsigned i = 0; i < box->servers.n; i++)
        g_free(servers_ask(&box->servers, i, "CONFIG RESETSTAT", false));
}

unsigned holder_asked(const struct box *box, unsigned server, const char *command)
{
    g_autofree char *stats = servers_ask(&box->servers, server, "INFO commandstats", true);
    g_autofree char *line = g_strdup_printf("cmdstat_%s:calls=", command);
    const char *at = strstr(stats, line);
    return at ? (unsigned)g_ascii_strtoull(at + strlen(line), NULL, 10) : 0;
}
