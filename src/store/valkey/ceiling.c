/* How large the largest single thing is that lives in any of the servers: where it is small, sizes need not be asked
 * key by key. A server's allocator tells; what came to be since is as old as what counts as small elsewhere
 * (LOOK_SOON_US of the worker). */
#include "store/valkey/allocator.h"
#include "store/valkey/info.h"
#include "store/valkey/valkey_store.h"

enum { QUESTIONS = 2, FIELDS_MOST = 64, FIELDS_LEAST = 8, FULL_TABLE = 5, SLOT_BYTES = 8 };

#define HOLDS_US  INT64_C(2000000)
#define ASKS_US   INT64_C(2000000) /* longer than that nobody waits for what only saves work */
#define RESTS_US  INT64_C(60000000)
#define PAIR_MOST 2u /* a name and a value */
/* What is larger is of no use: as many as are asked for by one command are to be no larger than a record may be. */
#define LARGEST (DOCUMENT_BYTES / (PAIR_MOST * FIELDS_LEAST))

#define WORD(text)                                                                                                     \
    {                                                                                                                  \
        .data = (const uint8_t *)(text), .len = sizeof(text) - 1                                                       \
    }
static const struct slice INFO[] = {WORD("INFO"), WORD("server"), WORD("keyspace")};
static const struct slice STATS[] = {WORD("MEMORY"), WORD("MALLOC-STATS")};
#undef WORD

void ceiling_init(struct ceiling *ceiling)
{
    *ceiling = (struct ceiling){0};
    pthread_mutex_init(&ceiling->lock, NULL);
}

void ceiling_done(struct ceiling *ceiling)
{
    topology_unref(ceiling->of);
    pthread_mutex_destroy(&ceiling->lock);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

struct asking {
    uint32_t db;
    uint64_t *table_bytes; /* of each server; UINT64_MAX: not heard yet */
    uint64_t largest;      /* of all of them */
    bool tells;            /* each that has answered */
};

/* All keys of a database stand in one table, and one that is full grows to twice its size, or by the time that it has
 * five times as many keys as places. Valkey 8 and Redis 7.4 have a table a slot: small ones. */
static bool has_one_table(struct slice info)
{
    static const char *const VERSIONS[] = {"7.0.", "7.2."};
    struct slice version, name;
    if (info_text(info, "server_name", &name) || !info_text(info, "redis_version", &version))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(VERSIONS); i++)
        if (version.len > strlen(VERSIONS[i]) && memcmp(version.data, VERSIONS[i], strlen(VERSIONS[i])) == 0)
            return true;
    return false;
}

static bool take_info(const struct asking *asking, struct slice info, uint64_t *ret_table_bytes)
{
    int64_t keys = info_keys(info, asking->db);
    bool listed = keys / FULL_TABLE >= (int64_t)(ALLOCATOR_LEAST_BYTES / SLOT_BYTES);
    if (keys < 0)
        return false;
    *ret_table_bytes = listed && has_one_table(info) ? (uint64_t)keys / FULL_TABLE * SLOT_BYTES : 0;
    return true;
}

static bool take_stats(struct asking *asking, struct slice stats, uint64_t table_bytes)
{
    uint64_t largest;
    if (table_bytes == UINT64_MAX || !allocator_largest(stats, table_bytes, &largest))
        return false;
    asking->largest = MAX(asking->largest, largest);
    return true;
}

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct asking *asking = self;
    uint64_t *table_bytes = &asking->table_bytes[i / QUESTIONS];
    bool told = reply->type == REPLY_BYTES && (i % QUESTIONS == 0 ? take_info(asking, reply->bytes, table_bytes)
                                                                  : take_stats(asking, reply->bytes, *table_bytes));
    asking->tells = asking->tells && told;
    return true;
}

static bool ask_owners(struct session *session, const struct call *call, const struct topology *topology,
                       struct asking *asking)
{
    g_autofree bool *owners = topology_owners(topology);
    g_autofree struct command *commands = g_new0(struct command, QUESTIONS * topology->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < topology->n; i++)
        for (size_t q = 0; q < QUESTIONS && owners[i]; q++)
            commands[n++] = (struct command){.args = q == 0 ? INFO : STATS,
                                             .n_args = q == 0 ? G_N_ELEMENTS(INFO) : G_N_ELEMENTS(STATS),
                                             .slot = -1,
                                             .at = &topology->nodes[i].at,
                                             .repeatable = true,
                                             .gives_way = true};
    asking->tells = n > 0;
    struct route_wish wish = {.commands = commands, .n = n, .answer = take_answer, .self = asking};
    return router_run(valkey_session_of(session)->router, call, &wish, NULL) && asking->tells;
}

/* 0: it is not known, or of no use. */
static uint64_t largest_of(struct session *session, const struct call *call, const struct topology *topology,
                           int64_t now_us)
{
    g_autofree uint64_t *table_bytes = g_new(uint64_t, topology->n + 1);
    struct asking asking = {.db = valkey_store_of(session)->uri->db, .table_bytes = table_bytes};
    struct call soon = *call;
    memset(table_bytes, 0xff, (topology->n + 1) * sizeof *table_bytes);
    soon.deadline_us = MIN(call->deadline_us ? call->deadline_us : INT64_MAX, now_us + ASKS_US);
    bool tells = ask_owners(session, &soon, topology, &asking);
    return tells && asking.largest <= LARGEST ? asking.largest : 0;
}

/* --- what is known ------------------------------------------------------------------------------------------------ */

/* true: *ret_largest is to be gone by; while another thread asks sizes are asked as well. Else this one is to ask. */
static bool is_known(struct ceiling *ceiling, const struct topology *topology, int64_t now_us, uint64_t *ret_largest)
{
    auto_hold(&ceiling->lock);
    bool known = ceiling->of == topology && now_us < ceiling->until_us;
    *ret_largest = known ? ceiling->largest : 0;
    if (known || ceiling->asking)
        return true;
    ceiling->asking = true;
    return false;
}

static void note(struct ceiling *ceiling, struct topology *topology, int64_t now_us, uint64_t largest)
{
    auto_hold(&ceiling->lock);
    topology_unref(ceiling->of);
    ceiling->of = topology_ref(topology);
    ceiling->until_us = now_us + (largest ? HOLDS_US : RESTS_US);
    ceiling->largest = largest;
    ceiling->asking = false;
}

/* Likewise. */
static uint64_t largest_known(struct session *session, const struct call *call)
{
    struct router *router = valkey_session_of(session)->router;
    struct ceiling *ceiling = &valkey_store_of(session)->ceiling;
    const struct world *world = valkey_store_of(session)->base.world;
    int64_t now_us = world_monotonic_us(world);
    uint64_t largest;
    if (router_paced(router)) /* what the allocator says takes a server a millisecond */
        return 0;
    struct topology *topology = router_topology(router);
    if (!is_known(ceiling, topology, now_us, &largest)) {
        largest = largest_of(session, call, topology, now_us);
        note(ceiling, topology, now_us, largest);
    }
    topology_unref(topology);
    return largest;
}

uint32_t valkey_fields_most(struct session *session, const struct call *call)
{
    uint64_t largest = largest_known(session, call);
    return largest ? (uint32_t)MIN(DOCUMENT_BYTES / (PAIR_MOST * largest), (uint64_t)FIELDS_MOST) : 0;
}

bool valkey_strings_are_small(struct session *session, const struct call *call)
{
    return largest_known(session, call) > 0;
}
