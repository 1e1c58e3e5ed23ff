#include "base/int.h"
#include "store/valkey/list.h"
#include "store/valkey/refusal.h"

enum { VERSION = 1 };

/* Numbers asked of several servers at once. */
struct counting {
    GArray *commands; /* of struct command */
    uint64_t *counts; /* one each */
};

static bool take_number(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct counting *counting = self;
    const struct command *command = &g_array_index(counting->commands, struct command, i);
    if (reply->type != REPLY_INTEGER || reply->integer < 0) {
        g_autofree char *what = g_strndup((const char *)command->args[0].data, command->args[0].len);
        return refusal_set(reply, command->at, what, error);
    }
    counting->counts[i] = (uint64_t)reply->integer;
    return true;
}

static bool count_all(struct router *router, const struct call *call, GArray *commands, uint64_t *counts,
                      GError **error)
{
    struct counting counting = {.commands = commands, .counts = counts};
    struct route_wish wish = {
        .commands = (struct command *)(void *)commands->data,
        .n = commands->len,
        .answer = take_number,
        .self = &counting,
    };
    return router_run(router, call, &wish, error);
}

/* counts[i]: the keys of node i; 0 of a replica. */
static bool count_nodes(struct router *router, const struct call *call, const struct topology *topology,
                        uint64_t *counts, GError **error)
{
    static const struct slice words[] = {{.data = (const uint8_t *)"DBSIZE", .len = 6}};
    g_autoptr(GArray) commands = g_array_new(FALSE, FALSE, sizeof(struct command));
    g_autofree uint64_t *found = g_new0(uint64_t, topology->n);
    for (size_t i = 0; i < topology->n; i++) {
        struct command command = {
            .args = words, .n_args = 1, .slot = -1, .at = &topology->nodes[i].at, .repeatable = true};
        if (topology->nodes[i].primary || topology->kind == VALKEY_STANDALONE)
            g_array_append_val(commands, command);
    }
    if (!count_all(router, call, commands, found, error))
        return false;
    for (size_t i = 0, k = 0; i < topology->n; i++) {
        bool asked = topology->nodes[i].primary || topology->kind == VALKEY_STANDALONE;
        counts[i] = asked ? found[k++] : 0;
    }
    return true;
}

bool list_count(struct router *router, const struct call *call, uint64_t *ret, GError **error)
{
    struct topology *topology = router_topology(router);
    g_autofree uint64_t *counts = g_new0(uint64_t, topology->n);
    uint64_t sum = 0;
    bool counted = count_nodes(router, call, topology, counts, error);
    for (size_t i = 0; i < topology->n; i++)
        sum += counts[i];
    topology_unref(topology);
    if (counted)
        *ret = sum;
    return counted;
}

/* --- keys of each slot -------------------------------------------------------------------------------------------- */

/* What a server holds, spread over its slots. */
static bool spread(struct router *router, const struct call *call, const struct topology *topology, uint64_t *slots,
                   GError **error)
{
    g_autofree uint64_t *counts = g_new0(uint64_t, topology->n), *owned = g_new0(uint64_t, topology->n);
    if (!count_nodes(router, call, topology, counts, error))
        return false;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        if (topology->owner[slot] >= 0)
            owned[topology->owner[slot]]++;
    }
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        int32_t owner = topology->owner[slot];
        slots[slot] = owner >= 0 ? counts[owner] / owned[owner] : 0;
    }
    return true;
}

/* As the owners count them. Of a slot without owner nothing is known. */
static bool count_slots(struct router *router, const struct call *call, const struct topology *topology,
                        uint64_t *slots, GError **error)
{
    g_autoptr(GArray) commands = g_array_new(FALSE, FALSE, sizeof(struct command));
    g_autofree struct slice *args = g_new0(struct slice, 3 * SLOTS);
    g_autofree char *numbers = g_malloc(SLOTS * 8);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        int32_t owner = topology->owner[slot];
        struct command command = {.args = args + 3 * slot, .n_args = 3, .slot = -1, .repeatable = true};
        char *number = numbers + 8 * slot;
        g_snprintf(number, 8, "%u", slot);
        args[3 * slot] = slice_of_text("CLUSTER");
        args[3 * slot + 1] = slice_of_text("COUNTKEYSINSLOT");
        args[3 * slot + 2] = slice_of_text(number);
        command.at = &topology->nodes[MAX(owner, 0)].at;
        g_array_append_val(commands, command);
    }
    return count_all(router, call, commands, slots, error);
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

/* Bounds as list.c reads them: version:u8 from:u16 to:u16. */
static bool add_part(struct part_list *into, uint32_t from, uint32_t to, uint64_t records, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct part_bounds part = {.records = records};
    put_u8(bytes, VERSION);
    put_u16(bytes, (uint16_t)from);
    put_u16(bytes, (uint16_t)to);
    if (!arena_copy(into->mem, slice_of(bytes->data, bytes->len), &part.bounds))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the parts of a dataset do not fit into memory");
    g_array_append_val(into->parts, part);
    return true;
}

/* Each part ends where the sum of all before it is nearest to a multiple of `each`. */
static bool cut_parts(const uint64_t *slots, uint64_t each, struct part_list *into, GError **error)
{
    uint32_t from = 0;
    uint64_t sum = 0, before = 0, target = each;
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        sum += slots[slot];
        if (slot + 1 < SLOTS && sum + slots[slot + 1] / 2 < target)
            continue;
        if (!add_part(into, from, slot + 1, sum - before, error))
            return false;
        from = slot + 1;
        before = sum;
        target = ((sum + each / 2) / each + 1) * each;
    }
    return true;
}

static uint64_t part_size(const uint64_t *slots, const struct split_wish *wish)
{
    uint64_t sum = 0, count = MAX(wish->count, 1);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        sum += slots[slot];
    return MAX(wish->records_each ? wish->records_each : (sum + count - 1) / count, 1);
}

bool list_split(struct router *router, const struct call *call, const struct split_wish *wish, struct part_list *into,
                GError **error)
{
    struct topology *topology = router_topology(router);
    g_autofree uint64_t *slots = g_new0(uint64_t, SLOTS);
    bool split;
    if (topology->kind == VALKEY_STANDALONE) {
        uint64_t records;
        split = list_count(router, call, &records, error) && add_part(into, 0, SLOTS, records, error);
    } else {
        split = (wish->rough ? spread(router, call, topology, slots, error)
                             : count_slots(router, call, topology, slots, error)) &&
                cut_parts(slots, part_size(slots, wish), into, error);
    }
    topology_unref(topology);
    return split;
}
