#include "listing/ordered.h"

#include "base/file.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "store/mem/mem.h"

struct lists {
    void *dir;
    char *path;
    struct fake_world fake;
    struct arena *mem;
};

static const uint8_t uid[16] = {1, 2, 3};
static const uint8_t other_uid[16] = {1, 2, 4};

static int setup(void **state)
{
    struct lists *lists = g_new0(struct lists, 1);
    if (kit_dir_setup(&lists->dir) != 0)
        return -1;
    fake_world_init(&lists->fake);
    lists->path = g_build_filename(lists->dir, "listing", "fix.1.list", NULL);
    lists->mem = arena_new(512 << 20);
    *state = lists;
    return 0;
}

static int teardown(void **state)
{
    struct lists *lists = *state;
    assert_int_equal(lists->fake.opened, lists->fake.closed);
    arena_free(lists->mem);
    g_free(lists->path);
    int result = kit_dir_teardown(&lists->dir);
    g_free(lists);
    return result;
}

static struct listing_writer *writer_new(struct lists *lists)
{
    GError *error = NULL;
    struct listing_draft draft = {.world = &lists->fake.world, .path = lists->path};
    memcpy(draft.run_uid, uid, sizeof uid);
    struct listing_writer *writer = NULL;
    kit_ok(listing_writer_new(&writer, &draft, &error));
    return writer;
}

/* Sorted, and none a prefix of the next by rule only: "user:00000017", with a tail on some. */
static struct slice key_of(unsigned i, char into[64])
{
    int len = g_snprintf(into, 64, "user:%08u%s", i, i % 5 == 0 ? ":a-longer-tail" : "");
    return slice_of(into, (size_t)len);
}

static struct listing_totals make(struct lists *lists, unsigned n, const struct listing_cut *cut)
{
    GError *error = NULL;
    char text[64];
    auto_(listing_writer) writer = writer_new(lists);
    for (unsigned i = 0; i < n; i++)
        kit_ok(listing_writer_add(writer, key_of(i, text), &error));
    struct listing_totals totals = {0};
    kit_ok(listing_writer_finish_durable(writer, cut, &totals, &error));
    return totals;
}

static struct listing_reader *reader_of_lists(struct lists *lists)
{
    GError *error = NULL;
    struct listing_reader *reader = NULL;
    kit_ok(listing_reader_open(&reader, &lists->fake.world, lists->path, uid, &error));
    return reader;
}

static void assert_key(struct slice key, unsigned i)
{
    char text[64];
    key_of(i, text);
    kit_equal_text(key, text);
}

/* From the position on, `n` keys from number `from`, `max` at a time; then nothing. */
static void assert_keys(struct lists *lists, struct listing_reader *reader, unsigned from, uint64_t n, size_t max)
{
    GError *error = NULL;
    struct slice *keys;
    size_t got = 1;
    for (uint64_t seen = 0; got > 0; seen += got) {
        arena_reset(lists->mem);
        kit_ok(listing_reader_next(reader, max, lists->mem, &keys, &got, &error));
        assert_in_range(got, seen < n, MIN(max, n - seen));
        for (size_t i = 0; i < got; i++)
            assert_key(keys[i], from + (unsigned)(seen + i));
        assert_true(got > 0 || seen == n);
    }
}

static void every_key_comes_back_in_its_partition(void **state)
{
    static const struct {
        unsigned keys;
        struct listing_cut cut;
        uint64_t size;
        uint32_t partitions;
    } rows[] = {
        {0, {.size = 10}, 10, 0},       {1, {.size = 10}, 10, 1},          {10, {.size = 10}, 10, 1},
        {11, {.size = 10}, 10, 2},      {100000, {.size = 777}, 777, 129}, {100000, {.count = 7}, 14286, 7},
        {100000, {0}, 100000, 1},       {3, {.count = 10}, 1, 3},          {0, {.count = 4}, 1, 0},
        {20000, {.size = 1}, 1, 20000},
    };
    struct lists *lists = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        GError *error = NULL;
        struct listing_totals totals = make(lists, rows[i].keys, &rows[i].cut);
        auto_(listing_reader) reader = reader_of_lists(lists);
        assert_int_equal(totals.keys, rows[i].keys);
        assert_int_equal(totals.size, rows[i].size);
        assert_int_equal(totals.partitions, rows[i].partitions);
        assert_int_equal(listing_reader_totals(reader)->partitions, totals.partitions);
        assert_int_equal(listing_reader_totals(reader)->bytes, totals.bytes);
        assert_true(digest_equal(listing_reader_totals(reader)->digest, totals.digest));
        unsigned seen = 0;
        for (uint32_t p = 0; p < totals.partitions; p++) {
            kit_ok(listing_reader_seek(reader, p, 0, &error));
            assert_keys(lists, reader, seen, listing_reader_size(reader, p), 1000);
            seen += (unsigned)listing_reader_size(reader, p);
        }
        assert_int_equal(seen, rows[i].keys);
        assert_int_equal(listing_reader_size(reader, totals.partitions), 0);
        kit_ok(file_unlink(&lists->fake.world, lists->path, &error));
    }
}

static void a_cursor_is_an_index_into_its_partition(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    make(lists, 50000, &(struct listing_cut){.size = 9973});
    auto_(listing_reader) reader = reader_of_lists(lists);
    struct slice *keys;
    size_t n;
    kit_ok(listing_reader_next(reader, 10, lists->mem, &keys, &n, &error));
    assert_int_equal(n, 0); /* nothing was sought */
    static const uint64_t indexes[] = {0, 1, 4999, 9972, 9973};
    for (uint32_t p = 5; p-- > 0;)
        for (size_t i = 0; i < G_N_ELEMENTS(indexes); i++) {
            kit_ok(listing_reader_seek(reader, p, indexes[i], &error));
            assert_keys(lists, reader, p * 9973 + (unsigned)indexes[i], 9973 - indexes[i], 4000);
        }
    kit_refused(listing_reader_seek(reader, 5, 9973, &error), CORRUPT, "no key 9973 in partition 5");
    kit_refused(listing_reader_seek(reader, 6, 0, &error), CORRUPT, "partition 6");
    kit_ok(listing_reader_next(reader, 10, lists->mem, &keys, &n, &error));
    assert_int_equal(n, 0);
}

static void a_stretch_ends_where_it_ends(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    make(lists, 50000, &(struct listing_cut){.size = 9973});
    auto_(listing_reader) reader = reader_of_lists(lists);
    const struct listing_stretch rows[] = {{2, 0, 9973}, {2, 0, 1},    {2, 5000, 4973},
                                           {2, 4999, 2}, {2, 9973, 0}, {5, 100, 35}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        unsigned first = (unsigned)(rows[i].partition * 9973 + rows[i].first), half = (unsigned)rows[i].keys / 2;
        kit_ok(listing_reader_seek_in(reader, &rows[i], 0, &error));
        assert_keys(lists, reader, first, rows[i].keys, 4000);
        kit_ok(listing_reader_seek_in(reader, &rows[i], half, &error));
        assert_keys(lists, reader, first + half, rows[i].keys - half, 4000);
        kit_refused(listing_reader_seek_in(reader, &rows[i], rows[i].keys + 1, &error), CORRUPT,
                    "not that of this run");
    }
    const struct listing_stretch beyond = {2, 9000, 974}, wide = {2, 1, UINT64_MAX};
    kit_refused(listing_reader_seek_in(reader, &beyond, 0, &error), CORRUPT, "not that of this run");
    kit_refused(listing_reader_seek_in(reader, &wide, 0, &error), CORRUPT, "not that of this run");
}

static void keys_are_given_out_as_far_as_the_arena_goes(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    make(lists, 5000, &(struct listing_cut){.count = 1});
    auto_(listing_reader) reader = reader_of_lists(lists);
    auto_(arena) small = arena_new(1 << 10);
    kit_ok(listing_reader_seek(reader, 0, 0, &error));
    unsigned seen = 0, calls = 0;
    struct slice *keys;
    for (size_t n = 1; n > 0; calls++, arena_reset(small)) {
        kit_ok(listing_reader_next(reader, 30, small, &keys, &n, &error));
        for (size_t i = 0; i < n; i++)
            assert_key(keys[i], seen++);
    }
    assert_int_equal(seen, 5000);
    assert_true(calls > 170);
    auto_(arena) tiny = arena_new(24);
    kit_ok(listing_reader_seek(reader, 0, 0, &error));
    size_t n;
    kit_refused(listing_reader_next(reader, 1, tiny, &keys, &n, &error), TOO_BIG, "does not fit");
}

static void a_key_is_found_with_its_place(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    enum { KEYS = 140000, SIZE = 4096 }; /* more blocks than lie between two that are remembered */
    make(lists, KEYS, &(struct listing_cut){.size = SIZE});
    auto_(listing_reader) reader = reader_of_lists(lists);
    struct listing_place place;
    bool found;
    char text[64];
    for (unsigned i = 0; i < KEYS; i += 307) {
        struct slice key = key_of(i, text);
        kit_ok(listing_reader_find(reader, key, &found, &place, &error));
        assert_true(found);
        assert_int_equal(place.partition, i / SIZE);
        assert_int_equal(place.index, i % SIZE);
        kit_ok(listing_reader_find(reader, slice_of(key.data, key.len - 1), &found, &place, &error));
        assert_false(found);
        text[key.len] = '!';
        kit_ok(listing_reader_find(reader, slice_of(key.data, key.len + 1), &found, &place, &error));
        assert_false(found);
    }
    kit_ok(listing_reader_find(reader, slice_of_text("a"), &found, &place, &error));
    assert_false(found);
    kit_ok(listing_reader_find(reader, slice_of_text("z"), &found, &place, &error));
    assert_false(found);
}

/* Of many blocks, from anywhere on to the end. */
static void partitions_are_read_from_any_place_to_the_end(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    enum { KEYS = 140000, SIZE = 5000 };
    make(lists, KEYS, &(struct listing_cut){.size = SIZE});
    auto_(listing_reader) reader = reader_of_lists(lists);
    auto_(arena) mem = arena_new(1 << 20);
    struct slice *keys;
    char text[64];
    for (uint32_t part = 0; part < KEYS / SIZE; part++) {
        size_t n = 1;
        unsigned number = part * SIZE + part * 97 % SIZE;
        kit_ok(listing_reader_seek(reader, part, part * 97 % SIZE, &error));
        while (n > 0) {
            arena_reset(mem);
            kit_ok(listing_reader_next(reader, 1000, mem, &keys, &n, &error));
            for (size_t i = 0; i < n; i++)
                assert_true(slice_equal(keys[i], key_of(number++, text)));
        }
        assert_int_equal(number, (part + 1) * SIZE);
    }
}

/* A way along the listing that begins there meets the key, and less than a block is passed before. */
static void a_way_begins_not_behind_its_key(void **state)
{
    struct lists *lists = *state;
    enum { KEYS = 140000, SIZE = 5000, BLOCK = 4096 };
    make(lists, KEYS, &(struct listing_cut){.size = SIZE});
    auto_(listing_reader) reader = reader_of_lists(lists);
    char text[64];
    GError *error = NULL;
    struct listing_place place;
    uint64_t places = 0, last = UINT64_MAX;
    for (unsigned i = 0; i < KEYS; i += 307) {
        kit_ok(listing_reader_before(reader, key_of(i, text), &place, &error));
        uint64_t number = (uint64_t)place.partition * SIZE + place.index;
        assert_in_range(number, i < BLOCK ? 0 : i - BLOCK + 1, i);
        places += number != last;
        last = number;
    }
    assert_in_range(places, KEYS / BLOCK, KEYS / 307); /* of several blocks */
    kit_ok(listing_reader_before(reader, slice_of_text("a"), &place, &error));
    assert_true(place.partition == 0 && place.index == 0);
    kit_ok(listing_reader_before(reader, slice_of_text("z"), &place, &error));
    assert_in_range((uint64_t)place.partition * SIZE + place.index, KEYS - BLOCK, KEYS - 1);
}

static void keys_are_any_bytes_of_any_length(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    g_autofree uint8_t *large = g_malloc0(3 << 20);
    const struct slice keys[] = {slice_of("", 0),          slice_of("\0", 1),   slice_of("\0\xff", 2),
                                 slice_of(large, 3 << 20), slice_of("\xff", 1), slice_of("\xff\0", 2)};
    const size_t order[] = {0, 1, 3, 2, 4, 5};
    auto_(listing_writer) writer = writer_new(lists);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        kit_ok(listing_writer_add(writer, keys[order[i]], &error));
    struct listing_totals totals;
    kit_ok(listing_writer_finish_durable(writer, &(struct listing_cut){.size = 100}, &totals, &error));
    auto_(listing_reader) reader = reader_of_lists(lists);
    struct slice *read;
    size_t n;
    kit_ok(listing_reader_seek(reader, 0, 0, &error));
    kit_ok(listing_reader_next(reader, 100, lists->mem, &read, &n, &error));
    assert_int_equal(n, G_N_ELEMENTS(keys));
    for (size_t i = 0; i < n; i++)
        assert_true(slice_equal(read[i], keys[order[i]]));
}

static void keys_out_of_order_are_an_error_that_names_both(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    auto_(listing_writer) writer = writer_new(lists);
    kit_ok(listing_writer_add(writer, slice_of_text("b"), &error));
    kit_refused(listing_writer_add(writer, slice_of_text("a"), &error), INTERNAL, "'a' came after 'b'");
    kit_refused(listing_writer_add(writer, slice_of_text("b"), &error), INTERNAL, "'b' came after 'b'");
}

static size_t files_there(struct lists *lists)
{
    GError *error = NULL;
    g_autofree char *dir = g_path_get_dirname(lists->path);
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(&lists->fake.world, dir, &names, &error));
    return names->len;
}

static void a_listing_is_there_whole_or_not_at_all(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct listing_writer *writer = writer_new(lists);
    kit_ok(listing_writer_add(writer, slice_of_text("b"), &error));
    assert_false(file_exists(&lists->fake.world, lists->path));
    listing_writer_free(writer);
    assert_int_equal(files_there(lists), 0);

    make(lists, 3, &(struct listing_cut){.size = 1});
    assert_int_equal(files_there(lists), 1);
    make(lists, 5, &(struct listing_cut){.size = 1}); /* of a plan that never became a run: replaced */
    auto_(listing_reader) reader = reader_of_lists(lists);
    assert_int_equal(listing_reader_totals(reader)->keys, 5);
}

static void everything_is_on_disk_when_a_listing_is_finished(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    auto_(listing_writer) writer = writer_new(lists);
    kit_ok(listing_writer_add(writer, slice_of_text("a"), &error));
    uint64_t synced = lists->fake.synced;
    struct listing_totals totals;
    kit_ok(listing_writer_finish_durable(writer, &(struct listing_cut){.size = 1}, &totals, &error));
    assert_int_equal(lists->fake.synced - synced, 2); /* the file, and the directory after the rename */
}

static void a_listing_left_by_a_crash_is_written_over(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    g_autofree char *draft = g_strconcat(lists->path, ".tmp", NULL), *dir = g_path_get_dirname(draft);
    kit_ok(file_make_dirs(&lists->fake.world, dir, &error));
    kit_ok(file_replace_durable(&lists->fake.world, draft, slice_of_text("torn"), &error));
    make(lists, 3, &(struct listing_cut){.size = 1});
    auto_(listing_reader) reader = reader_of_lists(lists);
    assert_int_equal(listing_reader_totals(reader)->keys, 3);
}

/* Whatever call fails, what stands afterwards is whole: the old listing or the new one. */
static void a_call_that_fails_leaves_a_whole_listing(void **state)
{
    static const char *const calls[] = {"pwrite", "fsync", "rename", "open"};
    struct lists *lists = *state;
    unsigned fired = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        for (uint64_t nth = 1, done = 0; !done; nth++) {
            GError *error = NULL;
            make(lists, 2, &(struct listing_cut){.size = 1});
            struct listing_draft draft = {.world = &lists->fake.world, .path = lists->path};
            memcpy(draft.run_uid, uid, sizeof uid);
            struct listing_totals totals;
            auto_(listing_writer) writer = NULL;
            fake_world_arm(&lists->fake, (struct fake_fault){.call = calls[i], .nth = nth, .number = ENOSPC});
            bool ok = listing_writer_new(&writer, &draft, &error) &&
                      listing_writer_add(writer, slice_of_text("a"), &error) &&
                      listing_writer_finish_durable(writer, &(struct listing_cut){.size = 1}, &totals, &error);
            done = lists->fake.fired == 0;
            fired += !ok;
            assert_true(ok || !done);
            fake_world_arm(&lists->fake, (struct fake_fault){0});
            g_clear_error(&error);
            auto_(listing_reader) reader = reader_of_lists(lists);
            assert_in_range(listing_reader_totals(reader)->keys, 1, ok ? 1 : 2);
        }
    assert_true(fired >= 8);
}

static void damage_and_the_listing_of_another_run_are_refused(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    make(lists, 20000, &(struct listing_cut){.size = 1000});
    struct listing_reader *reader = NULL;
    kit_refused(listing_reader_open(&reader, &lists->fake.world, lists->path, other_uid, &error), CORRUPT,
                "of another run");
    kit_ok(listing_reader_open(&reader, &lists->fake.world, lists->path, NULL, &error));
    listing_reader_free(reader);
    g_autoptr(GBytes) bytes = NULL;
    kit_ok(file_read_all(&lists->fake.world, lists->path, 1 << 24, &bytes, &error));
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    unsigned refused = 0;
    for (gsize cut = 0; cut < len; cut += 1 + len / 40) {
        kit_ok(file_replace_durable(&lists->fake.world, lists->path, slice_of(data, cut), &error));
        kit_refused(listing_reader_open(&reader, &lists->fake.world, lists->path, uid, &error), CORRUPT, "fix.1.list");
    }
    g_autofree uint8_t *flipped = g_memdup2(data, len);
    for (gsize at = 0; at < len; at += 1 + len / 60) {
        flipped[at] ^= 0x10;
        kit_ok(file_replace_durable(&lists->fake.world, lists->path, slice_of(flipped, len), &error));
        flipped[at] ^= 0x10;
        auto_(listing_reader) damaged = NULL;
        bool ok = listing_reader_open(&damaged, &lists->fake.world, lists->path, uid, &error);
        struct slice *keys;
        for (uint32_t p = 0; ok && p < 20; p++) {
            size_t n;
            arena_reset(lists->mem);
            ok = listing_reader_seek(damaged, p, 0, &error) &&
                 listing_reader_next(damaged, 1000, lists->mem, &keys, &n, &error);
        }
        refused += !ok;
        assert_true(ok || error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
    }
    assert_true(refused > 50);
}

static void a_listing_of_10_000_partitions_opens_with_few_reads(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    enum { PARTITIONS = 10000, SIZE = 50 };
    make(lists, PARTITIONS * SIZE, &(struct listing_cut){.size = SIZE});
    uint64_t reads = lists->fake.reads;
    auto_(listing_reader) reader = reader_of_lists(lists);
    kit_ok(listing_reader_seek(reader, 7777, 33, &error));
    assert_in_range(lists->fake.reads - reads, 1, 8);
    assert_keys(lists, reader, 7777 * SIZE + 33, SIZE - 33, 100);
}

/* --- from a store ------------------------------------------------------------------------------------------------- */

struct stand {
    struct mem_driver driver;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
};

enum { SHUFFLED = 20000 };

/* As a server gives its keys: in no order, and every third one twice. */
struct shuffled_scan {
    struct scan_base base;
    unsigned next;
};

static bool shuffled_open(struct scan **ret, struct session *session, const struct scan_spec *spec, GError **error)
{
    *ret = (struct scan *)g_new0(struct shuffled_scan, 1);
    return true;
}

static bool shuffled_next(struct scan *base, const struct call *call, struct batch *ret, GError **error)
{
    struct shuffled_scan *scan = (struct shuffled_scan *)base;
    *ret = (struct batch){.records = arena_alloc0(call->mem, 1000 * sizeof *ret->records)};
    for (; ret->n < 999 && scan->next < SHUFFLED; scan->next++)
        for (unsigned again = 0; again <= (scan->next % 3 == 0); again++) {
            char text[64];
            struct slice key = key_of((scan->next + again * (SHUFFLED - 6)) * 7919 % SHUFFLED, text);
            assert_true(arena_copy(call->mem, key, &ret->records[ret->n++].key));
        }
    ret->done = scan->next == SHUFFLED;
    return true;
}

static void shuffled_close(struct scan *scan)
{
    g_free(scan);
}

static void stand_up(struct stand *stand, struct lists *lists, const struct list_ops *list)
{
    GError *error = NULL;
    mem_driver_init(&stand->driver, mem_space_new());
    if (!list || !list->sorted) {
        stand->driver.table.list = list;
        stand->driver.table.scan_open = shuffled_open;
        stand->driver.table.scan_next = shuffled_next;
        stand->driver.table.scan_close = shuffled_close;
    }
    const struct store_driver *drivers[] = {&stand->driver.table, NULL};
    stand->registry = store_registry_new(&lists->fake.world, drivers);
    struct store_config config = {.uri = "mem:x", .base_dir = lists->dir};
    kit_ok(store_open(&stand->store, stand->registry, &config, &error));
    kit_ok(store_session_open(&stand->session, stand->store, &error));
}

static void stand_down(struct stand *stand)
{
    store_session_close(stand->session);
    store_release(stand->registry, stand->store);
    store_registry_free(stand->registry);
    mem_space_free(stand->driver.space);
}

static void put_keys(struct stand *stand, struct lists *lists, const struct dataset *ds, unsigned n)
{
    GError *error = NULL;
    struct call call = {.ds = ds, .mem = lists->mem};
    struct lane lane = {.lane = 1};
    struct fence before;
    kit_ok(store_lane_open(stand->session, &call, &lane, &before, &error));
    for (unsigned i = 0; i < n; i++) {
        char text[64];
        struct cas_op op = {.key = key_of(i * 7919 % n, text), .raw = document_empty(), .number = i + 1};
        kit_ok(store_cas(stand->session, &call, &lane, &op, 1, &error));
        assert_int_equal(op.outcome, CAS_WRITTEN);
    }
}

static struct listing_wish wish_of(struct lists *lists, struct stand *stand, const struct dataset *ds)
{
    struct listing_wish wish = {.draft = {.world = &lists->fake.world, .path = lists->path},
                                .cut = {.size = 1000},
                                .session = stand->session,
                                .ds = ds};
    memcpy(wish.draft.run_uid, uid, sizeof uid);
    return wish;
}

static void count_progress(void *self, uint64_t keys)
{
    *(uint64_t *)self = keys;
}

static void a_dataset_is_listed_in_key_order(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    enum { KEYS = 9000 };
    stand_up(&stand, lists, mem_driver.list);
    put_keys(&stand, lists, &ds, KEYS);
    uint64_t listed = 0;
    struct listing_wish wish = wish_of(lists, &stand, &ds);
    wish.progress = count_progress;
    wish.progress_self = &listed;
    struct listing_totals totals;
    kit_ok(listing_make_durable(&wish, &totals, &error));
    assert_int_equal(totals.keys, KEYS);
    assert_int_equal(listed, KEYS);
    assert_int_equal(totals.partitions, 9);
    auto_(listing_reader) reader = reader_of_lists(lists);
    kit_ok(listing_reader_seek(reader, 8, 0, &error));
    assert_keys(lists, reader, 8000, 1000, 500);
    stand_down(&stand);
}

static void a_listing_given_up_leaves_nothing(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    stand_up(&stand, lists, mem_driver.list);
    const atomic_bool cancel = true;
    struct listing_wish wish = wish_of(lists, &stand, &ds);
    wish.cancel = &cancel;
    struct listing_totals totals;
    kit_refused(listing_make_durable(&wish, &totals, &error), CANCELLED, "request");
    assert_int_equal(files_there(lists), 0);
    stand_down(&stand);
}

static void a_driver_that_cannot_list_is_refused(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    stand_up(&stand, lists, NULL);
    struct listing_wish wish = wish_of(lists, &stand, &ds);
    struct listing_totals totals;
    kit_refused(listing_make_durable(&wish, &totals, &error), NOT_PERMITTED, "driver 'mem'");
    stand_down(&stand);
}

static void keys_in_any_order_are_listed_once_and_sorted(void **state)
{
    static const struct list_ops unsorted = {.sorted = false};
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    stand_up(&stand, lists, &unsorted);
    struct listing_wish wish = wish_of(lists, &stand, &ds);
    struct listing_totals totals;
    kit_ok(listing_make_durable(&wish, &totals, &error));
    assert_int_equal(totals.keys, SHUFFLED);
    auto_(listing_reader) reader = reader_of_lists(lists);
    kit_ok(listing_reader_seek(reader, 0, 0, &error));
    assert_keys(lists, reader, 0, 1000, 500);
    kit_ok(listing_reader_seek(reader, 19, 0, &error));
    assert_keys(lists, reader, 19000, 1000, 500);
    stand_down(&stand);
    assert_int_equal(files_there(lists), 1);
}

static unsigned open_files(void)
{
    unsigned n = 0;
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    while (dir && g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}

/* Some 200 runs of 4 KiB, merged: the same keys as from one, no file is left of them, and few are open at a time: up to
 * seven of each of three levels. */
static void runs_are_merged(void **state)
{
    static const struct list_ops unsorted = {.sorted = false};
    GError *error = NULL;
    enum { RUN_BYTES = 4 << 10, MOST_OPEN = 21 };
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    stand_up(&stand, lists, &unsorted);
    struct ordered_wish wish = {.world = &lists->fake.world,
                                .scratch = lists->path,
                                .session = stand.session,
                                .ds = &ds,
                                .run_bytes = RUN_BYTES};
    auto_(ordered_keys) ordered = NULL;
    unsigned before = open_files();
    kit_ok(ordered_keys_open(&ordered, &wish, &error));
    assert_int_equal(files_there(lists), 0);
    unsigned open = open_files() - before;
    assert_in_range(open, 2, MOST_OPEN);
    const struct slice *keys;
    size_t n = 0;
    unsigned seen = 0;
    do {
        kit_ok(ordered_keys_next(ordered, &keys, &n, &error));
        for (size_t i = 0; i < n; i++) {
            char text[64];
            assert_true(slice_equal(keys[i], key_of(seen++, text)));
        }
    } while (n > 0);
    assert_int_equal(seen, SHUFFLED);
    stand_down(&stand);
}

/* By a key's last digit, the nines first. */
static bool last_digit(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret, GError **error)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint16_t)('9' - keys[i].data[keys[i].len - 1]);
    return true;
}

static const struct list_ops by_digit = {.rank = last_digit};

static bool ranked_before(struct slice a, struct slice b)
{
    uint16_t ranks[2];
    return last_digit(NULL, (struct slice[]){a, b}, 2, ranks, NULL) &&
           (ranks[0] < ranks[1] || (ranks[0] == ranks[1] && slice_compare(a, b) < 0));
}

/* Those that the store takes together stand together; what is listed too (ascending by itself) finds its place. */
static void keys_are_listed_by_rank_and_given_without(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    const struct slice also[] = {slice_of_text("a9"), slice_of_text("b0"), slice_of_text("c5")};
    stand_up(&stand, lists, &by_digit);
    struct listing_wish wish = wish_of(lists, &stand, &ds);
    wish.also = also;
    wish.n_also = G_N_ELEMENTS(also);
    struct listing_totals totals;
    kit_ok(listing_make_durable(&wish, &totals, &error));
    assert_true(totals.ranked);
    assert_int_equal(totals.keys, SHUFFLED + G_N_ELEMENTS(also));
    auto_(listing_reader) reader = reader_of_lists(lists);
    assert_true(listing_reader_totals(reader)->ranked);
    assert_int_equal(listing_reader_totals(reader)->bytes, totals.bytes);
    uint64_t bytes = 0, seen = 0, too = 0;
    GString *last = g_string_new(NULL);
    for (uint32_t part = 0; part < totals.partitions; part++) {
        struct slice *keys;
        size_t n;
        arena_reset(lists->mem);
        kit_ok(listing_reader_seek(reader, part, 0, &error));
        kit_ok(listing_reader_next(reader, 1000, lists->mem, &keys, &n, &error));
        for (size_t i = 0; i < n; i++, seen++) {
            assert_true(seen == 0 || ranked_before(slice_of(last->str, last->len), keys[i]));
            for (size_t k = 0; k < G_N_ELEMENTS(also); k++)
                too += slice_equal(also[k], keys[i]);
            g_string_truncate(last, 0);
            g_string_append_len(last, (const char *)keys[i].data, (gssize)keys[i].len);
            bytes += keys[i].len;
        }
    }
    assert_int_equal(seen, totals.keys);
    assert_int_equal(bytes, totals.bytes);
    assert_int_equal(too, G_N_ELEMENTS(also));
    g_string_free(last, TRUE);
    stand_down(&stand);
}

/* Whoever merges does it by ranked keys: in the listing and along the store they are the same. */
static void ranked_keys_are_the_same_in_a_listing_and_along_the_store(void **state)
{
    GError *error = NULL;
    struct lists *lists = *state;
    struct stand stand;
    const struct dataset ds = {.name = "d"};
    stand_up(&stand, lists, &by_digit);
    struct listing_wish listing = wish_of(lists, &stand, &ds);
    struct listing_totals totals;
    listing.cut = (struct listing_cut){.count = 1};
    kit_ok(listing_make_durable(&listing, &totals, &error));
    struct ordered_wish wish = {.world = &lists->fake.world,
                                .scratch = lists->path,
                                .session = stand.session,
                                .ds = &ds,
                                .run_bytes = 32 << 10};
    auto_(ordered_keys) ordered = NULL;
    auto_(listing_reader) reader = reader_of_lists(lists);
    kit_ok(listing_reader_seek(reader, 0, 0, &error));
    kit_ok(ordered_keys_open(&ordered, &wish, &error));
    assert_true(ordered_keys_ranked(ordered));
    const struct slice *keys;
    size_t n = 0, seen = 0;
    do {
        struct slice *listed;
        size_t n_listed;
        arena_reset(lists->mem);
        kit_ok(ordered_keys_next(ordered, &keys, &n, &error));
        kit_ok(listing_reader_next_ranked(reader, n, lists->mem, &listed, &n_listed, &error));
        assert_int_equal(n_listed, n);
        for (size_t i = 0; i < n; i++)
            assert_true(slice_equal(keys[i], listed[i]));
        seen += n;
    } while (n > 0);
    assert_int_equal(seen, SHUFFLED);
    stand_down(&stand);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_comes_back_in_its_partition),
        TEST(a_cursor_is_an_index_into_its_partition),
        TEST(a_stretch_ends_where_it_ends),
        TEST(keys_are_given_out_as_far_as_the_arena_goes),
        TEST(a_key_is_found_with_its_place),
        TEST(a_way_begins_not_behind_its_key),
        TEST(partitions_are_read_from_any_place_to_the_end),
        TEST(keys_are_any_bytes_of_any_length),
        TEST(keys_out_of_order_are_an_error_that_names_both),
        TEST(a_listing_is_there_whole_or_not_at_all),
        TEST(everything_is_on_disk_when_a_listing_is_finished),
        TEST(a_listing_left_by_a_crash_is_written_over),
        TEST(a_call_that_fails_leaves_a_whole_listing),
        TEST(damage_and_the_listing_of_another_run_are_refused),
        TEST(a_listing_of_10_000_partitions_opens_with_few_reads),
        TEST(a_dataset_is_listed_in_key_order),
        TEST(a_listing_given_up_leaves_nothing),
        TEST(keys_in_any_order_are_listed_once_and_sorted),
        TEST(runs_are_merged),
        TEST(keys_are_listed_by_rank_and_given_without),
        TEST(ranked_keys_are_the_same_in_a_listing_and_along_the_store),
        TEST(a_driver_that_cannot_list_is_refused),
    };
    return cmocka_run_group_tests_name("listing/listing", tests, NULL, NULL);
}
