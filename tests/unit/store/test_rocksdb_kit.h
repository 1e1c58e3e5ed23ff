/* What the tests of the driver `rocksdb` share: a database in a directory, opened and closed, written and read. */
#pragma once

#include "base/file.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/calls.h"
#include "store/rocksdb/rocks.h"

struct desk {
    struct fake_world fake;
    char *path, *uri;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset ds;
    struct lane lane;
    uint64_t number;
};

static inline struct call desk_call(struct desk *desk)
{
    return (struct call){.ds = &desk->ds, .mem = desk->mem};
}

static inline void desk_init(struct desk *desk, const char *dir)
{
    GError *error = NULL;
    kit_ok(rocks_library_load(&error));
    *desk =
        (struct desk){.mem = arena_new(64 << 20), .ds = {.name = "d"}, .lane = {.lane = 1, .fence = {.run = "run"}}};
    fake_world_init(&desk->fake);
    desk->path = g_build_filename(dir, "db", NULL);
    desk->uri = g_strconcat("rocksdb:", desk->path, NULL);
}

static inline bool try_open(struct desk *desk, const char *uri, bool read_only, GError **error)
{
    desk->registry = store_registry_new(&desk->fake.world, NULL);
    struct store_config config = {.uri = uri, .read_only = read_only};
    if (store_open(&desk->store, desk->registry, &config, error))
        return store_session_open(&desk->session, desk->store, error);
    store_registry_free(g_steal_pointer(&desk->registry));
    return false;
}

static inline void desk_open(struct desk *desk, bool read_only)
{
    GError *error = NULL;
    kit_ok(try_open(desk, desk->uri, read_only, &error));
}

static inline void desk_close(struct desk *desk)
{
    store_session_close(g_steal_pointer(&desk->session));
    store_release(desk->registry, g_steal_pointer(&desk->store));
    store_registry_free(g_steal_pointer(&desk->registry));
}

static inline void desk_done(struct desk *desk)
{
    if (desk->store)
        desk_close(desk);
    arena_free(desk->mem);
    g_free(desk->path);
    g_free(desk->uri);
}

static inline void open_lane(struct desk *desk)
{
    GError *error = NULL;
    struct call call = desk_call(desk);
    struct fence before;
    kit_ok(store_lane_open(desk->session, &call, &desk->lane, &before, &error));
}

static inline struct slice number_document(struct desk *desk, int64_t value)
{
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_INT64(&document, "n", value);
    struct slice kept = SLICE_EMPTY;
    assert_true(arena_copy(desk->mem, slice_of(bson_get_data(&document), document.len), &kept));
    bson_destroy(&document);
    return kept;
}

static inline struct record read_one(struct desk *desk, struct slice key)
{
    GError *error = NULL;
    struct call call = desk_call(desk);
    struct record record = {.key = key};
    kit_ok(store_read(desk->session, &call, &record, 1, &error));
    return record;
}

static inline bool try_put(struct desk *desk, struct slice key, struct cas_op *ret, GError **error)
{
    struct call call = desk_call(desk);
    *ret = (struct cas_op){.key = key, .raw = number_document(desk, 1), .number = ++desk->number};
    return store_cas(desk->session, &call, &desk->lane, ret, 1, error);
}

static inline void put(struct desk *desk, const char *key)
{
    GError *error = NULL;
    struct cas_op op;
    kit_ok(try_put(desk, slice_of_text(key), &op, &error));
    assert_int_equal(op.outcome, CAS_WRITTEN);
}
