/* What the conformance suite cannot ask of every driver: directories, other processes, damage, deaths.
 *
 * `test_rocksdb CHILD DIR` is the other process of a test: a row of `children`. */
#include <rocksdb/c.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_rocksdb_kit.h"

/* --- behind the driver's back ----------------------------------------------------------------------------------------
 */

static void must(char *message)
{
    if (message)
        fail_msg("%s", message);
}

static bool row_stands(rocksdb_t *db, rocksdb_column_family_handle_t *family, struct slice key)
{
    char *message = NULL;
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_pinnableslice_t *value = rocksdb_get_pinned_cf(db, read, family, (const char *)key.data, key.len, &message);
    must(message);
    bool stands = value != NULL;
    rocksdb_readoptions_destroy(read);
    if (value)
        rocksdb_pinnableslice_destroy(value);
    return stands;
}

/* With RocksDB alone: whether a row stands, behind a value that is put there (NULL: none is). */
static bool reach_behind(struct desk *desk, const char *family, struct slice key, const struct slice *value)
{
    char *message = NULL;
    size_t n;
    bool stands = false;
    rocksdb_options_t *options = rocksdb_options_create();
    char **names = rocksdb_list_column_families(options, desk->path, &n, &message);
    must(message);
    g_autofree const rocksdb_options_t **all = g_new(const rocksdb_options_t *, n);
    g_autofree rocksdb_column_family_handle_t **handles = g_new(rocksdb_column_family_handle_t *, n);
    for (size_t i = 0; i < n; i++)
        all[i] = options;
    rocksdb_t *db =
        rocksdb_open_column_families(options, desk->path, (int)n, (const char *const *)names, all, handles, &message);
    must(message);
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], family) == 0 && value)
            rocksdb_put_cf(db, write, handles[i], (const char *)key.data, key.len, (const char *)value->data,
                           value->len, &message);
        must(message);
        if (strcmp(names[i], family) == 0)
            stands = row_stands(db, handles[i], key);
        rocksdb_column_family_handle_destroy(handles[i]);
    }
    rocksdb_writeoptions_destroy(write);
    rocksdb_close(db);
    rocksdb_list_column_families_destroy(names, n);
    rocksdb_options_destroy(options);
    return stands;
}

/* Puts a value where no driver would. */
static void plant(struct desk *desk, const char *family, struct slice key, struct slice value)
{
    assert_true(reach_behind(desk, family, key, &value));
}

/* Name and size of every file: what opening for reading must not change. */
static char *inventory(struct desk *desk)
{
    GError *error = NULL;
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(world_real(), desk->path, &names, &error));
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(desk->path, names->pdata[i], NULL);
        struct stat found;
        assert_int_equal(stat(path, &found), 0);
        g_string_append_printf(text, "%s %lld %lld\n", (const char *)names->pdata[i], (long long)found.st_size,
                               (long long)found.st_mtim.tv_nsec);
    }
    return g_string_free(text, false);
}

/* --- other processes -------------------------------------------------------------------------------------------------
 */

struct child {
    GPid pid;
    int to, from;
};

static struct child child_start(const char *what, const char *dir)
{
    struct child child;
    char *argv[] = {"/proc/self/exe", (char *)what, (char *)dir, NULL};
    GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD;
    assert_true(
        g_spawn_async_with_pipes(NULL, argv, NULL, flags, NULL, NULL, &child.pid, &child.to, &child.from, NULL, NULL));
    return child;
}

/* Waits until it says something; false at its end. */
static bool child_says(const struct child *child)
{
    char byte;
    return read(child->from, &byte, 1) == 1;
}

static int child_end(const struct child *child)
{
    int status;
    close(child->to);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    close(child->from);
    return status;
}

static void say(void)
{
    if (write(STDOUT_FILENO, "!", 1) != 1)
        _exit(9);
}

/* Has the directory open until its input ends. */
static void child_holds(struct desk *desk)
{
    char byte;
    desk_open(desk, false);
    say();
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

/* Writes a batch, says so, and so on, until it is killed. */
static void child_writes(struct desk *desk)
{
    desk_open(desk, false);
    open_lane(desk);
    for (int i = 0;; i++) {
        char key[16];
        g_snprintf(key, sizeof(key), "k%06d", i);
        put(desk, key);
        arena_reset(desk->mem);
        say();
    }
}

/* Writes until its files may not grow any more; the exit status says whether that was told as it should be. */
static void child_fills_up(struct desk *desk)
{
    g_autoptr(GError) error = NULL;
    desk_open(desk, false);
    open_lane(desk);
    put(desk, "before");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 1, .rlim_max = 1};
    struct cas_op op = {.outcome = CAS_NOT_SENT};
    bool ok = setrlimit(RLIMIT_FSIZE, &limit) == 0 && !try_put(desk, slice_of_text("over"), &op, &error);
    if (!ok || op.outcome != CAS_UNKNOWN || !error_is(error, SLUICE_ERROR_NO_SPACE))
        _exit(2);
    g_clear_error(&error);
    struct call call = desk_call(desk);
    struct fence fence;
    if (store_fence_read(desk->session, &call, &desk->lane.fence, &fence, &error) ||
        !error_is(error, SLUICE_ERROR_STORE))
        _exit(3);
    g_clear_error(&error);
    if (try_put(desk, slice_of_text("later"), &op, &error) || op.outcome != CAS_NOT_SENT)
        _exit(4);
    _exit(0);
}

static const struct {
    const char *name;
    void (*run)(struct desk *desk);
} children[] = {{"holds", child_holds}, {"writes", child_writes}, {"fills-up", child_fills_up}};

static int child_main(char **argv)
{
    struct desk desk;
    desk_init(&desk, argv[2]);
    for (size_t i = 0; i < G_N_ELEMENTS(children); i++)
        if (strcmp(children[i].name, argv[1]) == 0)
            children[i].run(&desk);
    desk_done(&desk);
    return 0;
}

static void a_directory_open_elsewhere_is_locked_and_says_what_to_do(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    struct child child = child_start("holds", *state);
    assert_true(child_says(&child));
    kit_refused(try_open(&desk, desk.uri, false, &error), LOCKED, "another process has it open");
    assert_int_equal(child_end(&child), 0);
    desk_open(&desk, false);
    desk_done(&desk);
}

/* Killed anywhere: every write that was acknowledged is there, with its mark, and no mark is there without its write.
 */
static void records_and_fence_survive_a_death_together(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    struct child child = child_start("writes", *state);
    int said = 0;
    while (said < 200 && child_says(&child))
        said++;
    kill(child.pid, SIGKILL);
    while (child_says(&child))
        said++;
    assert_true(WIFSIGNALED(child_end(&child)));
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    struct fence fence;
    kit_ok(store_fence_read(desk.session, &call, &desk.lane.fence, &fence, &error));
    for (int i = 0; i < said + 10; i++) {
        char key[16];
        g_snprintf(key, sizeof(key), "k%06d", i);
        bool there = read_one(&desk, slice_of_text(key)).presence == RECORD_PRESENT;
        assert_int_equal(fence_lane_applied(&fence.lanes[0], (uint64_t)i + 1), there);
        assert_true(there || i >= said);
    }
    desk_done(&desk);
}

static void a_log_that_cannot_grow_leaves_outcomes_unknown_and_the_store_broken(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    struct child child = child_start("fills-up", *state);
    int status = child_end(&child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    struct fence fence;
    kit_ok(store_fence_read(desk.session, &call, &desk.lane.fence, &fence, &error));
    assert_true(fence_lane_applied(&fence.lanes[0], 1));
    bool over = read_one(&desk, slice_of_text("over")).presence == RECORD_PRESENT;
    assert_int_equal(fence_lane_applied(&fence.lanes[0], 2), over);
    desk_done(&desk);
}

/* --- directories ----------------------------------------------------------------------------------------------------
 */

static void what_is_no_rocksdb_is_refused_and_left_alone(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    kit_ok(file_make_dirs(world_real(), desk.path, &error));
    g_autofree char *file = g_build_filename(desk.path, "letters.txt", NULL);
    assert_true(g_file_set_contents(file, "dear", -1, NULL));
    g_autofree char *before = inventory(&desk);
    kit_refused(try_open(&desk, desk.uri, false, &error), REFUSED, "letters.txt");
    kit_refused(try_open(&desk, desk.uri, true, &error), REFUSED, "not a RocksDB");
    g_autofree char *after = inventory(&desk);
    assert_string_equal(before, after);
    g_autofree char *uri = g_strconcat("rocksdb:", file, NULL);
    kit_refused(try_open(&desk, uri, false, &error), REFUSED, "is a file");
    kit_refused(try_open(&desk, "rocksdb:", false, &error), USAGE, "path");
    desk_done(&desk);
}

static void a_database_that_died_while_it_was_made_is_made_anew(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    kit_ok(file_make_dirs(world_real(), desk.path, &error));
    g_autofree char *lock = g_build_filename(desk.path, "LOCK", NULL);
    assert_true(g_file_set_contents(lock, "", -1, NULL));
    desk_open(&desk, false);
    desk_done(&desk);
}

static void reading_makes_nothing(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    kit_refused(try_open(&desk, desk.uri, true, &error), NOT_FOUND, "no RocksDB");
    assert_false(file_exists(world_real(), desk.path));
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "key");
    desk_close(&desk);
    g_autofree char *before = inventory(&desk);
    desk_open(&desk, true);
    assert_int_equal(read_one(&desk, slice_of_text("key")).presence, RECORD_PRESENT);
    desk.ds.name = "nothing";
    assert_int_equal(read_one(&desk, slice_of_text("key")).presence, RECORD_ABSENT);
    desk_close(&desk);
    g_autofree char *after = inventory(&desk);
    assert_string_equal(before, after);
    desk_done(&desk);
}

/* A database that sluice never wrote has no families of ours, and gets none by being read. */
static void a_foreign_database_can_be_read(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    char *message = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, true);
    rocksdb_column_family_handle_t *handle;
    rocksdb_t *db = rocksdb_open_column_families(options, desk.path, 1, (const char *const[]){"default"},
                                                 (const rocksdb_options_t *const[]){options}, &handle, &message);
    must(message);
    rocksdb_column_family_handle_destroy(handle);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    plant(&desk, "default", slice_of_text("theirs"), slice_of_text("{\"json\": true}"));
    desk_open(&desk, true);
    desk.ds.name = "default";
    struct record record = read_one(&desk, slice_of_text("theirs"));
    assert_int_equal(record.presence, RECORD_FAULT);
    assert_int_equal(record.fault.code, SLUICE_ERROR_BAD_RECORD);
    struct call call = desk_call(&desk);
    struct fence fence;
    kit_ok(store_fence_read(desk.session, &call, &desk.lane.fence, &fence, &error));
    assert_false(fence.present);
    desk_done(&desk);
}

static void every_way_to_a_directory_is_one_store_and_a_copy_is_another(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    g_autofree char *link = g_build_filename(*state, "link", NULL);
    assert_int_equal(symlink(desk.path, link), 0);
    g_autofree char *uri = g_strconcat("rocksdb:", link, "/.", NULL);
    struct store *again = NULL;
    kit_ok(store_open(&again, desk.registry, &(struct store_config){.uri = uri}, &error));
    assert_ptr_equal(again, desk.store);
    store_release(desk.registry, again);
    kit_ok(store_open(&again, desk.registry, &(struct store_config){.uri = "rocksdb:db", .base_dir = *state}, &error));
    assert_ptr_equal(again, desk.store);
    store_release(desk.registry, again);
    struct call call = desk_call(&desk);
    struct store_info info;
    kit_ok(store_inspect(desk.session, &call, &info, &error));
    g_autofree char *identity = g_strdup(info.identity);
    desk_close(&desk);
    g_autofree char *moved = g_build_filename(*state, "moved", NULL);
    g_autofree char *command = g_strdup_printf("cp -r %s %s", desk.path, moved);
    assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_autofree char *copy = g_strconcat("rocksdb:", moved, NULL);
    kit_ok(try_open(&desk, copy, false, &error));
    kit_ok(store_inspect(desk.session, &call, &info, &error));
    assert_string_not_equal(info.identity, identity);
    desk_done(&desk);
}

/* Keys of digits, of which a byte has ten values only: the middle is looked for again and again. */
static void a_rough_split_finds_parts_of_some_size_without_reading_the_dataset(void **state)
{
    enum { KEYS = 4096, PARTS = 16 };
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    for (unsigned i = 0; i < KEYS; i++) {
        struct cas_op op;
        char key[16];
        g_snprintf(key, sizeof key, "key%08u", i);
        kit_ok(try_put(&desk, slice_of_text(key), &op, &error));
    }
    struct call call = desk_call(&desk);
    struct part_list list = {.parts = g_array_new(false, false, sizeof(struct part_bounds)), .mem = desk.mem};
    kit_ok(store_split(desk.session, &call, &(struct split_wish){.count = PARTS, .rough = true}, &list, &error));
    assert_in_range(list.parts->len, PARTS / 2, PARTS);
    for (unsigned i = 0; i < list.parts->len; i++) {
        struct scan *scan;
        struct batch batch;
        struct scan_spec spec = {.ds = &desk.ds,
                                 .bounds = g_array_index(list.parts, struct part_bounds, i).bounds,
                                 .max_records = KEYS,
                                 .max_bytes = 1 << 20};
        kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        assert_in_range(batch.n, 1, KEYS / 4);
        store_scan_close(scan);
    }
    g_array_unref(list.parts);
    desk_done(&desk);
}

static uint64_t cached(struct desk *desk)
{
    struct rocks_store *store = rocks_of(desk->session);
    return rocks_property(store, rocks_family(store, "d"), "rocksdb.block-cache-usage");
}

/* What is asked for by key is asked for again; what a scan has passed is not. */
static void a_scan_leaves_the_cache_to_what_is_asked_for_by_key(void **state)
{
    enum { KEYS = 4000, KEY_LEN = 64 };
    GError *error = NULL;
    struct desk desk;
    struct batch batch = {.done = false};
    struct scan *scan;
    char key[KEY_LEN + 1];
    uint64_t n = 0;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    for (int i = 0; i < KEYS; i++) {
        g_snprintf(key, sizeof key, "%0*d", KEY_LEN, i);
        put(&desk, key);
    }
    desk_close(&desk);
    desk_open(&desk, false); /* which makes a file of its log */
    struct call call = desk_call(&desk);
    struct scan_spec spec = {.ds = &desk.ds, .max_records = 500, .max_bytes = 1 << 20};
    uint64_t before = cached(&desk);
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    for (; !batch.done; n += batch.n)
        kit_ok(store_scan_next(scan, &call, &batch, &error));
    store_scan_close(scan);
    assert_int_equal(n, KEYS);
    uint64_t scanned = cached(&desk);
    for (int i = 0; i < KEYS; i += 10) {
        g_snprintf(key, sizeof key, "%0*d", KEY_LEN, i);
        assert_int_equal(read_one(&desk, slice_of_text(key)).presence, RECORD_PRESENT);
    }
    assert_true(cached(&desk) > scanned + KEYS * 20); /* the blocks of all */
    assert_true(scanned < before + KEYS * 10);        /* none but the index's */
    desk_done(&desk);
}

struct seen {
    unsigned n, faults;
    size_t bytes;
    struct record last;
};

static bool see(void *self, const struct record *record)
{
    struct seen *seen = self;
    seen->n++;
    seen->faults += record->presence == RECORD_FAULT;
    seen->bytes += record->raw.len;
    seen->last = *record;
    return true;
}

/* Of values that no memory of the call holds; what is no record of sluice's among them leaves nothing to the next. */
static void a_scan_that_hands_out_records_copies_none(void **state)
{
    enum { LEN = 1 << 16 };
    GError *error = NULL;
    struct desk desk;
    struct seen seen = {0};
    const struct scan_taker taker = {.take = see, .self = &seen};
    auto_(arena) small = arena_new(256);
    g_autofree uint8_t *value = g_malloc0(LEN);
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "a");
    desk_close(&desk);
    value[0] = 1; /* as sluice stores what does not expire */
    plant(&desk, "d", slice_of_text("b"), slice_of(value, LEN));
    plant(&desk, "d", slice_of_text("c"), slice_of_text("{}"));
    plant(&desk, "d", slice_of_text("d"), slice_of(value, LEN));
    desk_open(&desk, false);
    struct call call = {.ds = &desk.ds, .mem = small};
    struct scan_spec spec = {.ds = &desk.ds, .max_records = 10, .max_bytes = 1 << 20, .bytes_only = true};
    auto_(scan) scan = NULL;
    struct batch batch = {.done = false};
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    kit_ok(store_scan_each(scan, &call, &taker, &batch, &error));
    assert_true(batch.done);
    assert_int_equal(batch.n, 4);
    assert_int_equal(seen.n, 4);
    assert_int_equal(seen.faults, 1);
    assert_true(seen.bytes > 2 * (LEN - 1));
    assert_int_equal(seen.last.presence, RECORD_PRESENT);
    assert_null(seen.last.fault.text);
    store_scan_close(g_steal_pointer(&scan));
    desk_done(&desk);
}

static void sluices_own_families_are_no_datasets(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    static const char *const names[] = {"sluice.fence", "sluice.meta", "sluice.anything"};
    struct call call = desk_call(&desk);
    struct record record = {.key = slice_of_text("k")};
    struct cas_op op;
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        desk.ds.name = names[i];
        kit_refused(store_read(desk.session, &call, &record, 1, &error), REFUSED, names[i]);
        kit_refused(try_put(&desk, record.key, &op, &error), REFUSED, names[i]);
        assert_int_equal(op.outcome, CAS_NOT_SENT);
    }
    desk.ds.name = "";
    kit_refused(store_read(desk.session, &call, &record, 1, &error), USAGE, "name of a dataset");
    desk_done(&desk);
}

/* --- damage ---------------------------------------------------------------------------------------------------------
 */

static void values_that_are_no_documents_are_faults_of_their_keys_only(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "a");
    put(&desk, "z");
    desk_close(&desk);
    plant(&desk, "d", slice_of_text("foreign"), slice_of_text("{}"));
    plant(&desk, "d", slice_of_text("broken"), slice_of("\x01\x07\0\0\0nonsense", 13));
    plant(&desk, "d", slice_of_text("nothing"), slice_of("", 0));
    plant(&desk, "d", slice_of_text("short"), slice_of("\x02\0\0", 3));
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    struct scan_spec spec = {.ds = &desk.ds, .max_records = 100, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    struct batch batch;
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_int_equal(batch.n, 6);
    for (size_t i = 0; i < batch.n; i++) {
        bool ours = batch.records[i].key.len == 1;
        assert_int_equal(batch.records[i].presence, ours ? RECORD_PRESENT : RECORD_FAULT);
        assert_true(batch.records[i].etag.len > 0);
        assert_int_equal(read_one(&desk, batch.records[i].key).presence, batch.records[i].presence);
    }
    store_scan_close(g_steal_pointer(&scan));
    desk_done(&desk);
}

static void a_damaged_fence_is_named_and_nothing_is_written(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    desk_close(&desk);
    uint8_t key[20] = "run";
    plant(&desk, "sluice.fence", slice_of(key, sizeof(key)), slice_of_text("rubbish that is no fence"));
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    struct fence fence;
    struct cas_op op;
    kit_refused(store_fence_read(desk.session, &call, &desk.lane.fence, &fence, &error), CORRUPT,
                "fence of run 72756e00000000000000000000000000, partition 0");
    kit_refused(try_put(&desk, slice_of_text("key"), &op, &error), CORRUPT, "partition 0");
    assert_int_equal(op.outcome, CAS_NOT_SENT);
    desk.lane.lane = 2;
    kit_refused(store_lane_open(desk.session, &call, &desk.lane, &fence, &error), CORRUPT, "partition 0");
    assert_int_equal(read_one(&desk, slice_of_text("key")).presence, RECORD_ABSENT);
    kit_ok(store_fence_drop(desk.session, &call, desk.lane.fence.run, &error));
    desk_done(&desk);
}

static void a_damaged_lock_is_named_and_can_be_forced(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    desk_close(&desk);
    plant(&desk, "sluice.meta", slice_of_text("lock/d"), slice_of_text("nobody knows"));
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    struct store_lock lock = {.run_uid = "uid", .run = "fix.1", .host = "host", .home = "home"}, io = lock;
    kit_refused(store_lock(desk.session, &call, &io, false, &error), CORRUPT, "dataset 'd'");
    kit_refused(store_unlock(desk.session, &call, lock.run_uid, &error), CORRUPT, "--force-unlock");
    kit_ok(store_lock(desk.session, &call, &lock, true, &error));
    kit_ok(store_lock(desk.session, &call, &lock, false, &error));
    desk_done(&desk);
}

/* One of 1970, and one that is none. */
static void the_end_of_a_run_that_is_long_past_is_not_told_and_goes_with_the_next(void **state)
{
    static const uint8_t OLD[16] = {1}, BROKEN[16] = {2}, NEW[16] = {3};
    const struct slice rows[] = {slice_of_text("ended/01000000000000000000000000000000"),
                                 slice_of_text("ended/02000000000000000000000000000000"),
                                 slice_of_text("ended/03000000000000000000000000000000")};
    GError *error = NULL;
    struct desk desk;
    struct slice found;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    desk_close(&desk);
    plant(&desk, "sluice.meta", rows[0], slice_of((const uint8_t *)"\1\0\0\0\0\0\0\0{}", 10));
    plant(&desk, "sluice.meta", rows[1], slice_of_text("x"));
    desk_open(&desk, false);
    struct call call = desk_call(&desk);
    kit_ok(store_end_read(desk.session, &call, OLD, &found, &error));
    assert_int_equal(found.len, 0);
    kit_ok(store_end_read(desk.session, &call, BROKEN, &found, &error));
    assert_int_equal(found.len, 0);
    kit_ok(store_end_mark(desk.session, &call, NEW, slice_of_text("{}"), &error));
    kit_ok(store_end_read(desk.session, &call, NEW, &found, &error));
    assert_int_equal(found.len, 2);
    desk_close(&desk);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(reach_behind(&desk, "sluice.meta", rows[i], NULL), i == 2);
    desk_open(&desk, false);
    desk_done(&desk);
}

static void bookkeeping_of_a_newer_sluice_is_refused(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    desk_close(&desk);
    plant(&desk, "sluice.meta", slice_of_text("format"), slice_of_text("99"));
    kit_refused(try_open(&desk, desk.uri, false, &error), REFUSED, "format 99");
    kit_refused(try_open(&desk, desk.uri, true, &error), REFUSED, "use the newer one");
    desk_done(&desk);
}

/* --- reading --------------------------------------------------------------------------------------------------------
 */

static void a_scan_sees_the_state_of_its_opening(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    put(&desk, "a");
    put(&desk, "b");
    put(&desk, "c");
    struct call call = desk_call(&desk);
    struct scan_spec spec = {.ds = &desk.ds, .max_records = 1, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, desk.session, &spec, &error));
    put(&desk, "aa");
    struct cas_op removal = {.key = slice_of_text("c"), .etag = read_one(&desk, slice_of_text("c")).etag};
    removal.verb = CAS_DELETE;
    removal.number = ++desk.number;
    kit_ok(store_cas(desk.session, &call, &desk.lane, &removal, 1, &error));
    assert_int_equal(removal.outcome, CAS_WRITTEN);
    g_autoptr(GString) seen = g_string_new(NULL);
    struct batch batch = {.done = false};
    while (!batch.done) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        for (size_t i = 0; i < batch.n; i++)
            g_string_append_len(seen, (const char *)batch.records[i].key.data, (gssize)batch.records[i].key.len);
    }
    assert_string_equal(seen->str, "abc");
    store_scan_close(g_steal_pointer(&scan));
    desk_done(&desk);
}

enum { SPACE = 3000, QUERIES = 400 };

/* Some of the keys, from dense to sparse, with gaps; asked for in clumps and alone: walking and multi-get agree with a
 * plain list. */
static void any_mixture_of_keys_is_answered(void **state)
{
    GError *error = NULL;
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    open_lane(&desk);
    bool there[SPACE] = {false};
    uint64_t seed = 5;
    struct call call = desk_call(&desk);
    for (unsigned i = 0; i < SPACE; i++) {
        there[i] = fake_next(&seed) % 100 < (i / 300 % 3) * 45;
        char key[16];
        g_snprintf(key, sizeof(key), "k%06u", i);
        struct cas_op op = {.key = slice_of_text(key), .raw = number_document(&desk, i), .number = ++desk.number};
        if (there[i])
            kit_ok(store_cas(desk.session, &call, &desk.lane, &op, 1, &error));
    }
    for (unsigned round = 0; round < 60; round++) {
        struct record records[QUERIES];
        unsigned asked[QUERIES], step = 1u << (round % 8);
        uint64_t at = fake_next(&seed) % SPACE;
        for (unsigned i = 0; i < QUERIES; i++) {
            at = (at + (fake_next(&seed) % 4 ? step : fake_next(&seed) % 50)) % SPACE;
            asked[i] = (unsigned)at;
            char *key = arena_alloc(desk.mem, 16);
            records[i] = (struct record){.key = slice_of(key, (size_t)g_snprintf(key, 16, "k%06u", asked[i]))};
        }
        kit_ok(store_read(desk.session, &call, records, QUERIES, &error));
        for (unsigned i = 0; i < QUERIES; i++)
            assert_int_equal(records[i].presence, there[asked[i]] ? RECORD_PRESENT : RECORD_ABSENT);
        arena_reset(desk.mem);
    }
    desk_done(&desk);
}

/* --- syncs -----------------------------------------------------------------------------------------------------------
 */

static atomic_uint syncs; /* RocksDB's of its log: a program's own functions stand before those of its libraries */

int fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return (int)syscall(SYS_fdatasync, fd);
}

static unsigned settle(struct desk *desk)
{
    GError *error = NULL;
    struct call call = desk_call(desk);
    unsigned before = atomic_load(&syncs);
    kit_ok(store_settle(desk->session, &call, &error));
    return atomic_load(&syncs) - before;
}

static void a_settle_syncs_what_came_since_the_one_before(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk, false);
    assert_int_not_equal(settle(&desk), 0); /* what was read again when it was opened */
    assert_int_equal(settle(&desk), 0);
    open_lane(&desk);
    assert_int_equal(settle(&desk), 1);
    put(&desk, "a");
    put(&desk, "b");
    assert_int_equal(settle(&desk), 1);
    assert_int_equal(settle(&desk), 0);
    desk_done(&desk);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(int argc, char **argv)
{
    if (argc == 3)
        return child_main(argv);
    const struct CMUnitTest tests[] = {
        TEST(a_directory_open_elsewhere_is_locked_and_says_what_to_do),
        TEST(records_and_fence_survive_a_death_together),
        TEST(a_log_that_cannot_grow_leaves_outcomes_unknown_and_the_store_broken),
        TEST(what_is_no_rocksdb_is_refused_and_left_alone),
        TEST(a_database_that_died_while_it_was_made_is_made_anew),
        TEST(reading_makes_nothing),
        TEST(a_foreign_database_can_be_read),
        TEST(every_way_to_a_directory_is_one_store_and_a_copy_is_another),
        TEST(a_rough_split_finds_parts_of_some_size_without_reading_the_dataset),
        TEST(a_scan_leaves_the_cache_to_what_is_asked_for_by_key),
        TEST(a_scan_that_hands_out_records_copies_none),
        TEST(sluices_own_families_are_no_datasets),
        TEST(values_that_are_no_documents_are_faults_of_their_keys_only),
        TEST(a_damaged_fence_is_named_and_nothing_is_written),
        TEST(a_damaged_lock_is_named_and_can_be_forced),
        TEST(the_end_of_a_run_that_is_long_past_is_not_told_and_goes_with_the_next),
        TEST(bookkeeping_of_a_newer_sluice_is_refused),
        TEST(a_scan_sees_the_state_of_its_opening),
        TEST(any_mixture_of_keys_is_answered),
        TEST(a_settle_syncs_what_came_since_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
