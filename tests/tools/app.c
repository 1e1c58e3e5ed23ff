/* "The application": another program that reads and writes a store, for tests and the demo.
 *
 *     app dump STORE DATASET          KEY <tab> DOCUMENT <tab> EXPIRES_AT_MS (0: never), a line a record
 *     app put  STORE DATASET < LINES  the same lines; a document of `-` deletes the key
 *
 * It writes as any client of the store does: what stands is replaced, whoever wrote it. */
#include <stdio.h>

#include "base/int.h"
#include "store/calls.h"
#include "storehost/remote.h"

#define BATCH 500u

static const struct store_driver *const drivers[] = {&remote_driver, NULL};

struct app {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct dataset ds;
    struct arena *mem;
    struct lane lane;
    uint64_t number;
};

static bool app_open(struct app *app, char **argv, bool read_only, GError **error)
{
    g_autofree char *here = g_get_current_dir();
    struct store_config config = {.uri = argv[2], .base_dir = here, .read_only = read_only};
    app->registry = store_registry_new(world_real(), drivers);
    app->ds.name = argv[3];
    app->mem = arena_new(256u << 20);
    return store_open(&app->store, app->registry, &config, error) &&
           store_session_open(&app->session, app->store, error);
}

static struct call app_call(struct app *app)
{
    return (struct call){.ds = &app->ds, .mem = app->mem};
}

/* --- dump
 * ------------------------------------------------------------------------------------------------------------- */

static bool dump_record(struct app *app, const struct record *record, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct slice document;
    if (!store_decode(store_driver(app->store), &app->ds, record->raw, app->mem, &document, error) ||
        !document_to_json(document, text, error))
        return false;
    printf("%.*s\t%s\t%" PRId64 "\n", (int)record->key.len, (const char *)record->key.data, text->str,
           record->expires_at_ms);
    return true;
}

static bool dump(struct app *app, GError **error)
{
    auto_(scan) scan = NULL;
    struct scan_spec spec = {.ds = &app->ds, .max_records = BATCH, .max_bytes = 1 << 20};
    struct batch batch = {0};
    struct call call = app_call(app);
    if (!store_scan_open(&scan, app->session, &spec, error))
        return false;
    while (!batch.done) {
        arena_reset(app->mem);
        if (!store_scan_next(scan, &call, &batch, error))
            return false;
        for (size_t i = 0; i < batch.n; i++)
            if (!dump_record(app, &batch.records[i], error))
                return false;
    }
    return true;
}

/* --- put
 * -------------------------------------------------------------------------------------------------------------- */

static bool take_line(struct app *app, char *line, struct cas_op *ret, GError **error)
{
    g_auto(GStrv) cells = g_strsplit(g_strchomp(line), "\t", 3);
    struct slice json;
    if (!cells[0] || !cells[1])
        return error_set(error, SLUICE_ERROR_USAGE, "KEY <tab> DOCUMENT was expected: %s", line);
    *ret = (struct cas_op){.verb = strcmp(cells[1], "-") == 0 ? CAS_DELETE : CAS_PUT};
    if (cells[2] && !int_parse_i64(slice_of_text(cells[2]), &ret->expires_at_ms))
        return error_set(error, SLUICE_ERROR_USAGE, "not a time in milliseconds: %s", cells[2]);
    if (!arena_copy(app->mem, slice_of_text(cells[0]), &ret->key) ||
        !arena_copy(app->mem, slice_of_text(cells[1]), &json))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "too long: %s", cells[0]);
    if (ret->verb == CAS_DELETE)
        return true;
    struct slice document;
    return document_from_json(json, app->mem, &document, NULL, error) &&
           store_encode(store_driver(app->store), &app->ds, document, app->mem, &ret->raw, error);
}

/* Each record on top of what stands, again and again until nobody came between. */
static bool write_one(struct app *app, struct cas_op *op, GError **error)
{
    struct call call = app_call(app);
    for (;;) {
        struct record live = {.key = op->key};
        if (!store_read(app->session, &call, &live, 1, error))
            return false;
        op->etag = live.etag;
        op->number = ++app->number;
        app->lane.base = op->number - 1;
        if (!store_cas(app->session, &call, &app->lane, op, 1, error))
            return false;
        if (op->outcome == CAS_WRITTEN)
            return true;
        if (op->outcome != CAS_CHANGED)
            return error_set(error, SLUICE_ERROR_STORE, "write: outcome %d", (int)op->outcome);
    }
}

static bool put(struct app *app, GError **error)
{
    struct call call = app_call(app);
    struct fence before;
    char *line = NULL;
    size_t room = 0;
    bool ok = true;
    world_random(world_real(), app->lane.fence.run, sizeof app->lane.fence.run);
    app->lane.lane = 1;
    if (!store_lane_open(app->session, &call, &app->lane, &before, error))
        return false;
    while (ok && getline(&line, &room, stdin) > 0) {
        struct cas_op op;
        arena_reset(app->mem);
        ok = take_line(app, line, &op, error) && write_one(app, &op, error);
    }
    free(line);
    return ok && store_fence_drop(app->session, &call, app->lane.fence.run, error) &&
           store_settle(app->session, &call, error);
}

int main(int argc, char **argv)
{
    struct app app = {0};
    GError *error = NULL;
    bool writes = argc == 4 && strcmp(argv[1], "put") == 0;
    if (argc != 4 || (!writes && strcmp(argv[1], "dump") != 0)) {
        fprintf(stderr, "usage: app dump|put STORE DATASET\n");
        return 2;
    }
    bool ok = app_open(&app, argv, !writes, &error) && (writes ? put(&app, &error) : dump(&app, &error));
    if (error)
        fprintf(stderr, "app: %s\n", error->message);
    g_clear_pointer(&app.session, store_session_close);
    store_release(app.registry, app.store);
    store_registry_free(app.registry);
    arena_free(app.mem);
    return ok ? 0 : 1;
}
