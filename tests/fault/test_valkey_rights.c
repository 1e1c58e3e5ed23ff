/* A user with exactly the rights that docs/drivers/valkey.md lists can do all that a run does; without any one of them
 * an error names it, and no record is half written. */
#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"

enum { WORDS_MOST = 40 };

/* What a run needs of each kind of store and form, blanks between; without one of `needed` it names that. `always` are
 * rights that it can do without for a while, or that are asked for before there is anybody to tell. */
static const struct subject {
    const char *name;
    enum dataset_form form;
    unsigned primaries; /* 0: a server alone */
    const char *dataset, *needed;
} SUBJECTS[] = {
#define ALONE                                                                                                          \
    "info time dbsize scan pexpiretime script|load evalsha exists unlink pexpireat hmget hget hdel hset hgetall"
#define CLUSTER "info time pexpiretime script|load evalsha exists unlink pexpireat hmget hget hdel hset hgetall"
    {"a server alone, hashes", FORM_HASH, 0, "customer:{key}", ALONE},
    {"a server alone, JSON", FORM_JSON, 0, "customer:{key}", ALONE " get set"},
    {"a server alone, raw", FORM_RAW, 0, "customer:*", ALONE " dump restore"},
    {"a cluster, hashes", FORM_HASH, 2, "customer:{key}", CLUSTER},
    {"a cluster, JSON", FORM_JSON, 2, "customer:{key}", CLUSTER " get set"},
    {"a cluster, raw", FORM_RAW, 2, "customer:*", CLUSTER " dump restore"},
};
#define ALWAYS "+hello +auth +client|setname +ping +wait +memory|usage"
#define SLOTTED                                                                                                        \
    " +multi +exec +scan +dbsize +cluster|info +cluster|myid +cluster|shards +cluster|slots +cluster|nodes"            \
    " +cluster|countkeysinslot +cluster|getkeysinslot"

struct box {
    struct servers alone, cluster;
    struct servers *servers; /* of the subject */
    const struct subject *subject;
    struct arena *mem;
    struct dataset ds;
    unsigned turns;
};

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    *state = box;
    servers_start_alone(&box->alone);
    if (!box->alone.program)
        return 0;
    box->cluster.program = box->alone.program;
    box->cluster.dir = box->alone.dir;
    servers_start_cluster(&box->cluster, 2);
    box->mem = arena_new(64 << 20);
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    if (box->alone.program) {
        servers_stop(&box->cluster);
        arena_free(box->mem);
    }
    servers_end(&box->alone);
    g_free(box);
    return 0;
}

static void begin(struct box *box, const struct subject *subject)
{
    box->subject = subject;
    box->servers = subject->primaries ? &box->cluster : &box->alone;
    box->ds = (struct dataset){.name = subject->dataset, .form = subject->form};
}

/* To every server of the subject. */
static void tell(struct box *box, const char *command)
{
    for (unsigned i = 0; i < box->servers->n; i++)
        g_free(servers_ask(box->servers, i, command, false));
}

/* A user of its own for every turn: rights that change under a connection are another test's. */
static void user_make(struct box *box, const char *without)
{
    g_autoptr(GString) command = g_string_new(NULL);
    g_auto(GStrv) needed = g_strsplit(box->subject->needed, " ", WORDS_MOST);
    g_string_printf(command, "ACL SETUSER u%u on >secret ~customer:* ~sluice:* -@all " ALWAYS, ++box->turns);
    if (box->subject->primaries)
        g_string_append(command, SLOTTED);
    for (size_t i = 0; needed[i]; i++)
        if (g_strcmp0(needed[i], without) != 0)
            g_string_append_printf(command, " +%s", needed[i]);
    for (unsigned i = 0; i < box->servers->n; i++) {
        g_autofree char *said = servers_ask(box->servers, i, command->str, false);
        assert_string_equal(said, "+OK\r\n");
    }
}

struct turn {
    struct box *box;
    struct session *session;
    struct call call;
    struct lane lane;
    struct cas_op op;
    struct store_lock lock;
};

static bool look(struct turn *turn, GError **error)
{
    struct store_info info;
    auto_(scan) scan = NULL;
    struct scan_spec spec = {.ds = &turn->box->ds, .max_records = 10, .max_bytes = 10000};
    struct batch batch;
    return store_inspect(turn->session, &turn->call, &info, error) &&
           store_scan_open(&scan, turn->session, &spec, error) && store_scan_next(scan, &turn->call, &batch, error);
}

static bool read_into_op(struct turn *turn, GError **error)
{
    struct record record = {.key = turn->op.key};
    if (!store_read(turn->session, &turn->call, &record, 1, error))
        return false;
    turn->op.etag = record.etag;
    turn->op.number++;
    return true;
}

static bool write_op(struct turn *turn, GError **error)
{
    if (!store_cas(turn->session, &turn->call, &turn->lane, &turn->op, 1, error))
        return false;
    assert_int_equal(turn->op.outcome, CAS_WRITTEN);
    return true;
}

/* Marks of one partition are pruned by another's write: settle, record, settle, write. */
static bool write_all(struct turn *turn, GError **error)
{
    struct fence before;
    for (unsigned round = 0; round < 4; round++) {
        turn->op.expires_at_ms = round ? 0 : INT64_C(4000000000000);
        if (!read_into_op(turn, error) || !write_op(turn, error) || !store_settle(turn->session, &turn->call, error))
            return false;
        turn->lane.fence.part = round % 2;
        turn->lane.lane = round + 2;
        if (!store_lane_open(turn->session, &turn->call, &turn->lane, &before, error))
            return false;
    }
    turn->op.verb = CAS_DELETE;
    return read_into_op(turn, error) && write_op(turn, error);
}

static bool all_of_a_run(struct turn *turn, GError **error)
{
    struct fence before;
    struct slice end;
    return look(turn, error) && store_end_read(turn->session, &turn->call, turn->lock.run_uid, &end, error) &&
           store_lock(turn->session, &turn->call, &turn->lock, false, error) &&
           store_lane_open(turn->session, &turn->call, &turn->lane, &before, error) && write_all(turn, error) &&
           store_end_mark(turn->session, &turn->call, turn->lock.run_uid, slice_of_text("{}"), error) &&
           store_fence_drop(turn->session, &turn->call, turn->lane.fence.run, error) &&
           store_unlock(turn->session, &turn->call, turn->lock.run_uid, error) &&
           store_settle(turn->session, &turn->call, error);
}

/* A raw one is read from what the server was given, and goes again; the others are made of a document. */
static bool some_raw(struct turn *turn, GError **error)
{
    struct box *box = turn->box;
    struct record record = {.key = slice_of_text("customer:anna")};
    bson_t document = BSON_INITIALIZER;
    if (box->ds.form == FORM_RAW) {
        tell(box, "SET customer:anna there");
        bool read = store_read(turn->session, &turn->call, &record, 1, error);
        turn->op = (struct cas_op){.key = record.key, .raw = record.raw};
        tell(box, "DEL customer:anna");
        return read;
    }
    BSON_APPEND_UTF8(&document, "a", "b");
    struct slice bytes = slice_of(bson_get_data(&document), document.len);
    turn->op.key = slice_of_text("anna");
    bool encoded = store_encode(session_driver(turn->session), &box->ds, bytes, box->mem, &turn->op.raw, error);
    bson_destroy(&document);
    return encoded;
}

/* What doctor finds wrong, in lower case; NULL: nothing. */
static bool examine(struct turn *turn, char **ret_lacks, GError **error)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct store_remark));
    g_autoptr(GString) lacks = g_string_new(NULL);
    if (!store_examine(turn->session, &turn->call, true, found, error))
        return false;
    for (size_t i = 0; i < found->len; i++) {
        const struct store_remark *remark = &g_array_index(found, struct store_remark, i);
        if (remark->level == REMARK_FAIL)
            g_string_append_printf(lacks, "%s: %s\n", remark->text, remark->todo);
    }
    *ret_lacks = lacks->len ? g_ascii_strdown(lacks->str, -1) : NULL;
    return true;
}

/* As the turn's user; doctor looks first, and what it says is in *ret_lacks. */
static bool run_as_user(struct box *box, char **ret_lacks, GError **error)
{
    g_autofree char *uri = g_strdup_printf("valkey://u%u:secret@127.0.0.1:%u", box->turns, box->servers->ports[0]);
    struct store_registry *registry = store_registry_new(world_real(), NULL);
    struct store_config config = {.uri = uri, .base_dir = box->alone.dir};
    struct store *store = NULL;
    struct turn turn = {.box = box, .lane = {.lane = 1, .fence = {.part = 1}}};
    tell(box, "FLUSHALL");
    tell(box, "SCRIPT FLUSH");
    bool ok = store_open(&store, registry, &config, error);
    if (ok && (ok = store_session_open(&turn.session, store, error))) {
        turn.call = (struct call){.ds = &box->ds, .mem = box->mem};
        turn.lane.fence.run[0] = (uint8_t)box->turns;
        turn.lock = (struct store_lock){.run = "fix.1", .host = "here", .home = "/home"};
        ok = examine(&turn, ret_lacks, error) && some_raw(&turn, error) && all_of_a_run(&turn, error);
        store_session_close(turn.session);
    }
    store_release(registry, store);
    store_registry_free(registry);
    arena_reset(box->mem);
    return ok;
}

static void the_rights_of_the_page_are_enough(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->alone);
    for (size_t i = 0; i < G_N_ELEMENTS(SUBJECTS); i++) {
        GError *error = NULL;
        g_autofree char *lacks = NULL;
        begin(box, &SUBJECTS[i]);
        user_make(box, NULL);
        bool ok = run_as_user(box, &lacks, &error);
        if (!ok || lacks)
            fail_msg("%s: %s; doctor: %s", SUBJECTS[i].name, ok ? "it runs" : error->message,
                     lacks ? lacks : "nothing");
    }
}

static void is_named(struct box *box, const char *right)
{
    GError *error = NULL;
    g_autofree char *lacks = NULL, *command = g_strdup(right);
    command[strcspn(command, "|")] = '\0';
    user_make(box, right);
    if (run_as_user(box, &lacks, &error))
        fail_msg("%s: a run needs no right to %s", box->subject->name, right);
    g_autofree char *message = g_ascii_strdown(error->message, -1);
    if (!error_is(error, SLUICE_ERROR_NOT_PERMITTED) || !strstr(message, command))
        fail_msg("%s, without %s: %s", box->subject->name, right, error->message);
    /* Without INFO it cannot ask the servers anything, without scripts not what else is missing. */
    if (lacks ? !strstr(lacks, command) : strcmp(right, "info") != 0)
        fail_msg("%s, without %s doctor says: %s", box->subject->name, right, lacks ? lacks : "nothing");
    g_clear_error(&error);
}

/* --- rights that make less work ----------------------------------------------------------------------------------- */

static struct record read_so(struct turn *turn, const char *key, bool no_etag, bool no_expiry)
{
    GError *error = NULL;
    struct call call = turn->call;
    struct record record = {.key = slice_of_text(key)};
    call.no_etag = no_etag;
    call.no_expiry = no_expiry;
    kit_ok(store_read(turn->session, &call, &record, 1, &error));
    return record;
}

/* Whoever compares values sees the same as who writes over them. */
static void the_same_in_every_way(struct turn *turn)
{
    static const char *const KEYS[] = {"customer:s",      "customer:empty",  "customer:none", "customer:list",
                                       "customer:mortal", "customer:number", "customer:long"};
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        struct record whole = read_so(turn, KEYS[i], false, false);
        struct record live = read_so(turn, KEYS[i], true, false), bare = read_so(turn, KEYS[i], true, true);
        assert_int_equal(whole.presence, strcmp(KEYS[i], "customer:none") ? RECORD_PRESENT : RECORD_ABSENT);
        assert_int_equal(live.presence, whole.presence);
        assert_int_equal(bare.presence, whole.presence);
        assert_true(slice_equal(live.raw, whole.raw) && slice_equal(bare.raw, whole.raw));
        assert_int_equal(live.expires_at_ms, whole.expires_at_ms);
        assert_true((whole.expires_at_ms != EXPIRES_NEVER) == (strcmp(KEYS[i], "customer:mortal") == 0));
    }
}

/* What a read gives is written under another key, and stands there as it stood. */
static void the_same_when_written(struct turn *turn)
{
    GError *error = NULL;
    struct fence before;
    kit_ok(store_lane_open(turn->session, &turn->call, &turn->lane, &before, &error));
    static const char *const KEYS[] = {"customer:s", "customer:empty", "customer:list", "customer:number"};
    for (size_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        struct record from = read_so(turn, KEYS[i], true, true);
        struct cas_op op = {.key = slice_of_text("customer:copy"), .raw = from.raw, .number = i + 1};
        op.etag = read_so(turn, "customer:copy", false, false).etag;
        kit_ok(store_cas(turn->session, &turn->call, &turn->lane, &op, 1, &error));
        assert_int_equal(op.outcome, CAS_WRITTEN);
        assert_true(slice_equal(read_so(turn, "customer:copy", false, false).raw, from.raw));
    }
    kit_ok(store_fence_drop(turn->session, &turn->call, turn->lane.fence.run, &error));
}

enum { MANY = 40 };

/* Of 40 keys: a string, a list, or nothing. */
static const char *many_put(struct turn *turn, unsigned i, const char *more)
{
    g_autofree char *key = g_strdup_printf("customer:many%02u", i);
    g_autofree char *put = i % 7 == 3 ? g_strdup_printf("RPUSH %s a b", key)
                                      : g_strdup_printf("SET %s value%u%s", key, i, i % 5 == 2 ? more : "");
    if (i % 10 != 9)
        tell(turn->box, put);
    return arena_text(turn->box->mem, slice_of_text(key));
}

/* Read together, each is what it is by itself, whether anything on the server expires or not. */
static void the_same_together(struct turn *turn, const char *more)
{
    GError *error = NULL;
    const char *keys[MANY];
    for (unsigned i = 0; i < MANY; i++)
        keys[i] = many_put(turn, i, more);
    for (unsigned way = 0; way < 8; way++) {
        struct call call = turn->call;
        struct record records[MANY];
        call.no_etag = way & 1;
        call.no_expiry = way & 2;
        call.small = way & 4;
        for (unsigned i = 0; i < MANY; i++)
            records[i] = (struct record){.key = slice_of_text(keys[i])};
        kit_ok(store_read(turn->session, &call, records, MANY, &error));
        for (unsigned i = 0; i < MANY; i++) {
            struct record alone = read_so(turn, keys[i], false, false);
            assert_int_equal(records[i].presence, alone.presence);
            assert_true(slice_equal(records[i].raw, alone.raw));
            assert_true(call.no_expiry || records[i].expires_at_ms == alone.expires_at_ms);
            assert_true(call.no_expiry || call.no_etag ||
                        memcmp(&records[i].etag, &alone.etag, sizeof alone.etag) == 0);
        }
    }
}

/* As they were read, to other keys: where nothing stands, then where some stand and some expire. */
static void the_same_when_written_together(struct turn *turn, const struct record *from, uint64_t first, bool mixed)
{
    GError *error = NULL;
    struct cas_op ops[MANY];
    unsigned of[MANY];
    size_t n = 0;
    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("customer:copy%02u", i);
        if (from[i].presence != RECORD_PRESENT || (!mixed && i % 7 == 3))
            continue;
        ops[n] = (struct cas_op){.key = slice_of_text(arena_text(turn->box->mem, slice_of_text(key))),
                                 .raw = from[i].raw,
                                 .expires_at_ms = mixed ? from[i].expires_at_ms : EXPIRES_NEVER,
                                 .number = first + n};
        of[n++] = i;
    }
    kit_ok(store_cas(turn->session, &turn->call, &turn->lane, ops, n, &error));
    for (size_t i = 0; i < n; i++) {
        g_autofree char *key = g_strndup((const char *)ops[i].key.data, ops[i].key.len);
        struct record stands = read_so(turn, key, false, false);
        bool theirs = of[i] % 3 == 0 && of[i] % 7 != 3, stood = mixed && theirs;
        assert_int_equal(ops[i].outcome, stood ? CAS_CHANGED : CAS_WRITTEN);
        assert_true(stood || (slice_equal(stands.raw, ops[i].raw) && stands.expires_at_ms == ops[i].expires_at_ms));
        g_autofree char *gone = g_strdup_printf("DEL %s", key), *put = g_strdup_printf("SET %s theirs", key);
        tell(turn->box, gone);
        if (theirs)
            tell(turn->box, put);
    }
}

static void all_together(struct turn *turn)
{
    GError *error = NULL;
    struct record from[MANY];
    struct fence before;
    tell(turn->box, "FLUSHALL");
    the_same_together(turn, "");
    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("customer:many%02u", i);
        from[i] = read_so(turn, arena_text(turn->box->mem, slice_of_text(key)), true, false);
    }
    turn->lane.lane = 2;
    kit_ok(store_lane_open(turn->session, &turn->call, &turn->lane, &before, &error));
    the_same_when_written_together(turn, from, 1, false);
    the_same_together(turn, " PX 90000000");
    for (unsigned i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("customer:many%02u", i);
        from[i] = read_so(turn, arena_text(turn->box->mem, slice_of_text(key)), true, false);
    }
    the_same_when_written_together(turn, from, 1 + MANY, true);
    kit_ok(store_fence_drop(turn->session, &turn->call, turn->lane.fence.run, &error));
}

static void strings_are_copied_with_and_without_the_rights_that_make_it_less_work(void **state)
{
    static const char *const RIGHTS[] = {ALONE " dump restore", ALONE " dump restore getrange set",
                                         ALONE " dump restore getrange set mget msetnx",
                                         ALONE " dump restore getrange set mget msetnx multi exec rename"};
    struct box *box = *state;
    if (!box->alone.program)
        skip();
    for (size_t i = 0; i < G_N_ELEMENTS(RIGHTS); i++) {
        GError *error = NULL;
        struct subject subject = {"raw", FORM_RAW, 0, "customer:*", RIGHTS[i]};
        struct store *store;
        struct turn turn = {.box = box, .lane = {.lane = 1, .fence = {.part = 1}}};
        begin(box, &subject);
        tell(box, "FLUSHALL");
        tell(box, "SET customer:s hello");
        tell(box, "SET customer:empty \"\"");
        tell(box, "SET customer:number 12345");
        tell(box, "SET customer:mortal gone PX 90000000");
        tell(box, "SETRANGE customer:long 300000 x");
        tell(box, "RPUSH customer:list a b");
        user_make(box, NULL);
        g_autofree char *uri = g_strdup_printf("valkey://u%u:secret@127.0.0.1:%u", box->turns, box->servers->ports[0]);
        struct store_registry *registry = store_registry_new(world_real(), NULL);
        struct store_config config = {.uri = uri, .base_dir = box->alone.dir};
        kit_ok(store_open(&store, registry, &config, &error));
        kit_ok(store_session_open(&turn.session, store, &error));
        turn.call = (struct call){.ds = &box->ds, .mem = box->mem};
        turn.lane.fence.run[0] = (uint8_t)box->turns;
        the_same_in_every_way(&turn);
        the_same_when_written(&turn);
        store_session_close(turn.session); /* it has seen that few are strings, and does not try for a while */
        kit_ok(store_session_open(&turn.session, store, &error));
        all_together(&turn);
        store_session_close(turn.session);
        store_release(registry, store);
        store_registry_free(registry);
        arena_reset(box->mem);
    }
}

static void a_right_that_is_missing_is_named_by_doctor_and_by_the_run(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->alone);
    for (size_t i = 0; i < G_N_ELEMENTS(SUBJECTS); i++) {
        g_auto(GStrv) needed = g_strsplit(SUBJECTS[i].needed, " ", WORDS_MOST);
        begin(box, &SUBJECTS[i]);
        for (size_t k = 0; needed[k]; k++)
            is_named(box, needed[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rights_of_the_page_are_enough),
        cmocka_unit_test(strings_are_copied_with_and_without_the_rights_that_make_it_less_work),
        cmocka_unit_test(a_right_that_is_missing_is_named_by_doctor_and_by_the_run),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
