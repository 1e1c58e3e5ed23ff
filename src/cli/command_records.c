/* cat: records for people and programs. */
#include "base/thread.h"
#include "cli/cli.h"
#include "run/govern.h"
#include "sandbox/sandbox.h"

/* --- cat
 * -------------------------------------------------------------------------------------------------------------- */

struct cat {
    struct cli *cli;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct key_paths key;
    struct sandbox *sandbox; /* NULL: no --where */
    int where;
    uint64_t left;   /* records still to print */
    uint64_t faults; /* records that could not be read */
    struct limits limits;
    struct govern *govern; /* NULL: nothing is promised to live requests */
    struct arena *mem;
    struct thread *listener;
    atomic_bool asked, over; /* to end; it has */
};

#define LISTEN_US 20000
#define CALL_US   (INT64_C(30) * 1000 * 1000)

/* Who waits for his pace, or for a server, looks at no signal. */
static void hear_signals(void *self)
{
    struct cat *cat = self;
    while (!atomic_load(&cat->over)) {
        if (cat->cli->signals && atomic_load(cat->cli->signals) > 0)
            world_cancel(cat->cli->world, &cat->asked);
        world_sleep_us(cat->cli->world, LISTEN_US, &cat->over);
    }
}

/* A call waits for its pace as long as that makes it. */
static struct call cat_call(struct cat *cat)
{
    int64_t until_us = cat->govern ? 0 : world_monotonic_us(cat->cli->world) + CALL_US;
    return (struct call){.deadline_us = until_us, .cancel = &cat->asked, .ds = &cat->ds, .mem = cat->mem};
}

static bool cat_open(struct cat *cat, GError **error)
{
    struct cli *cli = cat->cli;
    struct run_config config = cli_run_config(cli);
    struct plan_config plan = {.world = config.world, .registry = config.registry, .home = config.home};
    struct sandbox_config sandbox = {0};
    cat->ds.name = cli->args[1];
    if (cli_has(cli, OPTION_KEY)) {
        cat->key.paths = g_new0(struct path *, 1);
        cat->key.n = 1;
        if (!path_parse(&cat->key.paths[0], cli->values[OPTION_KEY], error))
            return false;
        cat->ds.key = &cat->key;
    }
    if (cli_has(cli, OPTION_WHERE) &&
        (!sandbox_new(&cat->sandbox, &sandbox, error) ||
         !sandbox_compile(cat->sandbox, "--where", cli->values[OPTION_WHERE], &cat->where, error)))
        return false;
    return cli_number(cli, OPTION_LIMIT, UINT64_MAX, &cat->left, error) &&
           thread_start(&cat->listener, "listener", hear_signals, cat, error) &&
           plan_store_open(&cat->store, &plan, cli->args[0], ".", true, error) &&
           store_session_open(&cat->session, cat->store, error);
}

/* What is promised to live requests, it keeps as a run does. */
static bool cat_pace(struct cat *cat, GError **error)
{
    const char *promise = cat->cli->values[OPTION_P99];
    struct plan_limits limits = {.priority = SPEC_PRIORITY};
    struct govern_self self = {.what = "sluice cat"};
    if (!cli_has(cat->cli, OPTION_P99))
        return true;
    if (!spec_live_parse(promise, &limits.live) || !spec_live_given(&limits.live))
        return error_set(error, SLUICE_ERROR_USAGE, "--p99 %s: expected %s", promise, SPEC_LIVE_FORM);
    limits_reset(&cat->limits, &limits);
    return govern_begin_store(&cat->govern, cli_run_config(cat->cli).world, cat->store, &cat->limits, &self, error);
}

static void cat_close(struct cat *cat)
{
    world_cancel(cat->cli->world, &cat->over);
    thread_join(cat->listener);
    g_clear_pointer(&cat->session, store_session_close);
    g_clear_pointer(&cat->govern, govern_end);
    limits_done(&cat->limits);
    store_release(cat->cli->registry, cat->store);
    g_clear_pointer(&cat->sandbox, sandbox_free);
    g_clear_pointer(&cat->mem, arena_free);
    key_paths_done(&cat->key);
}

static void cat_key(struct cat *cat, const struct record *record)
{
    json_t *key = shape_key(record->key);
    json_dumpf(key, cat->cli->out, JSON_COMPACT | JSON_ENCODE_ANY);
    fputc('\n', cat->cli->out);
    json_decref(key);
}

static void cat_fault(struct cat *cat, const struct record *record)
{
    FILE *err = cat->cli->err;
    const struct origin *at = &record->at;
    cat->faults++;
    fputs("sluice: ", err);
    if (at->file)
        fprintf(err, "%s:%" G_GUINT64_FORMAT ":%u: ", at->file, at->line, at->column);
    fprintf(err, "%s\n", record->fault.text);
}

static bool cat_record(struct cat *cat, const struct record *record, GError **error)
{
    struct slice document;
    bool holds = true;
    g_autoptr(GString) text = g_string_new(NULL);
    if (record->presence == RECORD_FAULT) {
        cat_fault(cat, record);
        return true;
    }
    if (record->presence == RECORD_ABSENT) /* of an undo log: there was nothing */
        return true;
    if (!store_decode(store_driver(cat->store), &cat->ds, record->raw, cat->mem, &document, error) ||
        (cat->sandbox && !sandbox_evaluate(cat->sandbox, cat->where, document, &holds, error)))
        return false;
    if (!holds)
        return true;
    cat->left--;
    if (cli_has(cat->cli, OPTION_KEYS)) {
        cat_key(cat, record);
        return true;
    }
    if (!document_to_json(document, text, error))
        return false;
    fprintf(cat->cli->out, "%s\n", text->str);
    return true;
}

static bool cat_all(struct cat *cat, GError **error)
{
    auto_(scan) scan = NULL;
    struct scan_spec spec = {.ds = &cat->ds, .max_records = 500, .max_bytes = 1 << 20};
    struct call call = cat_call(cat);
    struct batch batch = {0};
    struct store_info info;
    if (!store_inspect(cat->session, &call, &info, error))
        return false;
    if (!info.dataset_present)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no dataset '%s'", cat->cli->args[0],
                         cat->cli->args[1]);
    if (!store_scan_open(&scan, cat->session, &spec, error))
        return false;
    while (!batch.done && cat->left > 0 && !ferror(cat->cli->out)) {
        arena_reset(cat->mem);
        call = cat_call(cat);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n && cat->left > 0; i++)
            if (!cat_record(cat, &batch.records[i], error))
                return false;
        if (atomic_load(&cat->asked))
            return error_set(error, SLUICE_ERROR_INTERRUPTED, "interrupted");
    }
    return true;
}

int command_cat(struct cli *cli, GError **error)
{
    if (cli_has(cli, OPTION_FENCES))
        return cat_fences(cli, error) ? 0 : -1;
    struct cat cat = {.cli = cli, .mem = arena_new(256 << 20)};
    limits_init(&cat.limits);
    GError *failed = NULL;
    bool done = cat_open(&cat, &failed) && cat_pace(&cat, &failed) && cat_all(&cat, &failed);
    if (failed && atomic_load(&cat.asked)) {
        g_clear_error(&failed);
        error_set(&failed, SLUICE_ERROR_INTERRUPTED, "interrupted");
    }
    if (failed)
        g_propagate_error(error, failed);
    cat_close(&cat);
    return !done ? -1 : cat.faults ? 8 : 0;
}
