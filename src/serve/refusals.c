/* Refusals, on their way into the ledger. Of those to nobody that is known one entry says how many there were: a
 * stranger must not be able to fill a disk. */
#include "serve/server.h"

#define NOBODY_EVERY_US (INT64_C(10) * 1000 * 1000)
#define WAITING_MOST    1000
#define MEM_BYTES       (1u << 20)

struct waiting {
    char *actor, *run, *details;
};

struct refusals {
    const struct server *server;
    pthread_mutex_t lock; /* all of it; a leaf */
    GQueue waiting;       /* struct waiting */
    uint64_t nobody;      /* that were not told yet */
    int64_t nobody_us;    /* when they were told last */
};

static void waiting_free(void *self)
{
    struct waiting *waiting = self;
    g_free(waiting->actor);
    g_free(waiting->run);
    g_free(waiting->details);
    g_free(waiting);
}

struct refusals *refusals_new(const struct server *server)
{
    struct refusals *refusals = g_new0(struct refusals, 1);
    refusals->server = server;
    pthread_mutex_init(&refusals->lock, NULL);
    return refusals;
}

void refusals_free(struct refusals *refusals)
{
    if (!refusals)
        return;
    g_queue_clear_full(&refusals->waiting, waiting_free);
    pthread_mutex_destroy(&refusals->lock);
    g_free(refusals);
}

static char *text_of(json_t *object)
{
    char *json = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS), *text = g_strdup(json);
    free(json);
    json_decref(object);
    return text;
}

void refusals_add(struct refusals *refusals, const struct refusal *refusal)
{
    auto_hold(&refusals->lock);
    if (!refusal->name || refusals->waiting.length >= WAITING_MOST) {
        refusals->nobody++;
        return;
    }
    struct waiting *waiting = g_new0(struct waiting, 1);
    waiting->actor = g_strdup(refusal->name);
    waiting->run = g_strdup(refusal->run);
    waiting->details = text_of(json_pack("{s:s, s:s}", "what", refusal->what, "why", refusal->why));
    g_queue_push_tail(&refusals->waiting, waiting);
}

/* NULL: nothing is to be told now. */
static struct waiting *next(struct refusals *refusals)
{
    int64_t now_us = world_monotonic_us(refusals->server->config.world);
    auto_hold(&refusals->lock);
    struct waiting *waiting = g_queue_pop_head(&refusals->waiting);
    if (waiting || refusals->nobody == 0 || (refusals->nobody_us && now_us - refusals->nobody_us < NOBODY_EVERY_US))
        return waiting;
    waiting = g_new0(struct waiting, 1);
    waiting->actor = g_strdup("nobody@token");
    waiting->details = text_of(
        json_pack("{s:I, s:s}", "times", (json_int_t)refusals->nobody, "why", "no token, or one that nobody has"));
    refusals->nobody = 0;
    refusals->nobody_us = now_us;
    return waiting;
}

/* An entry of a run names what the run was made from. */
static void append(struct catalog *catalog, const struct waiting *waiting)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct run_row run;
    struct ledger_entry entry = {
        .actor = waiting->actor, .action = "refused", .run = waiting->run, .details = waiting->details};
    if (waiting->run && catalog_run_get(catalog, waiting->run, mem, &run, NULL))
        entry.digests = run.digests;
    ledger_append(catalog, &entry, NULL);
}

/* What cannot be written now is lost: a catalog that cannot be written has said so to whoever acts. */
void refusals_tick(struct refusals *refusals)
{
    auto_(catalog) catalog = NULL;
    struct waiting *waiting;
    while ((waiting = next(refusals))) {
        if (catalog || catalog_open(&catalog, refusals->server->config.world, refusals->server->config.home,
                                    CATALOG_EXISTING, NULL))
            append(catalog, waiting);
        waiting_free(waiting);
    }
}
