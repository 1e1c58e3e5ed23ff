/* What a target has beyond its source, and what is expected of it, by stores that a test turns by hand. */
#include <errno.h>

#include "kit/document.h"
#include "kit/scene.h"
#include "record/path.h"
#include "verify/expect.h"
#include "verify/times.h"
#include "verify/verify_parts.h"

#define AGAIN_US 200000 /* between two looks; whoever watches the run sleeps too */

#define ELSEWHERE                                                                                                      \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, version: at }\ntransform: { lua: t.lua }\n"    \
    "target: { store: \"mem:s\", dataset: items, write: in-place }\nworkers: 1\n"
#define MADE                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, key: [id, n] }\ntransform: { lua: t.lua }\n"   \
    "target: { store: \"mem:s\", dataset: items, write: in-place }\nworkers: 1\n"
#define LUA "function transform(doc, ctx)\n  return doc\nend\n"

/* --- a store that gives some records otherwise -------------------------------------------------------------------- */

static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);
static bool (*next_really)(struct scan *, const struct call *, struct batch *, GError **);

static void tear(struct record *records, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (records[i].presence == RECORD_PRESENT && slice_equal(records[i].key, slice_of_text("torn"))) {
            records[i].presence = RECORD_FAULT;
            records[i].fault.text = "it is of no type that has a form";
        }
}

static bool read_torn(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = read_really(session, call, io, n, error);
    tear(io, ok ? n : 0);
    for (size_t i = 0; i < n; i++) /* expired behind the listing */
        if (slice_equal(io[i].key, slice_of_text("expires")))
            io[i].presence = RECORD_ABSENT;
    return ok;
}

static bool next_torn(struct scan *scan, const struct call *call, struct batch *ret, GError **error)
{
    bool ok = next_really(scan, call, ret, error);
    tear(ret->records, ok ? ret->n : 0);
    return ok;
}

static bool decode_some(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(raw, text, NULL));
    *ret = raw;
    return !strstr(text->str, "\"odd\"") || error_set(error, SLUICE_ERROR_BAD_RECORD, "no document of this store");
}

/* It holds no lists, and nothing that is called odd. */
static bool encode_some(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                        GError **error)
{
    bson_t view, kept = BSON_INITIALIZER;
    bson_iter_t iter;
    bool odd = false;
    assert_true(document_view(document, &view) && bson_iter_init(&iter, &view));
    while (bson_iter_next(&iter)) {
        odd |= strcmp(bson_iter_key(&iter), "odd") == 0;
        if (!BSON_ITER_HOLDS_ARRAY(&iter))
            bson_append_iter(&kept, NULL, 0, &iter);
    }
    assert_true(arena_copy(mem, slice_of(bson_get_data(&kept), kept.len), ret));
    bson_destroy(&kept);
    return !odd || error_set(error, SLUICE_ERROR_BAD_RECORD, "it holds nothing odd");
}

static void turn(struct scene *scene)
{
    read_really = scene->faulty_mem.table.read;
    next_really = scene->faulty_mem.table.scan_next;
    scene->faulty_mem.table.read = read_torn;
    scene->faulty_mem.table.scan_next = next_torn;
    scene->faulty_mem.table.decode = decode_some;
    scene->faulty_mem.table.encode = encode_some;
}

/* --- beyond the source -------------------------------------------------------------------------------------------- */

static void verify_all(struct scene *scene, bool extra, struct verify_result *ret)
{
    GError *error = NULL;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    config.extra = extra;
    config.full = true;
    *ret = (struct verify_result){0};
    kit_ok(run_verify(&config, scene->run, ret, &error));
    store_registry_free(registry);
}

static void verify_extra(struct scene *scene, struct verify_result *ret)
{
    verify_all(scene, true, ret);
}

static void ran(struct scene *scene, const char *spec)
{
    scene_init(scene, spec, LUA);
    scene_put(scene, "origin", "k", "{\"id\":\"k\",\"n\":1,\"at\":\"2026-01-01T00:00:00Z\"}");
    scene_put(scene, "origin", "l", "{\"id\":\"l\",\"n\":2,\"at\":\"2026-01-01T00:00:00Z\"}");
    scene_ran(scene, 0);
}

static void move_on(struct scene *scene, int64_t us)
{
    if (us != AGAIN_US)
        return;
    scene_remove(scene, "items", "leaves");
    scene_put(scene, "items", "moves", "{\"n\":2}");
}

static void what_is_beyond_the_source_is_looked_at_twice(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autofree char *report = NULL;
    ran(&scene, ELSEWHERE);
    scene_put(&scene, "items", "leaves", "{}");
    scene_put(&scene, "items", "moves", "{\"n\":1}");
    scene_put(&scene, "items", "newer", "{\"at\":\"2100-01-01T00:00:00Z\"}");
    scene_put(&scene, "items", "older", "{\"at\":\"2020-01-01T00:00:00Z\"}");
    scene_put(&scene, "items", "undated", "{\"at\":7}");
    scene_put(&scene, "items", "listed", "{\"at\":[1]}");
    scene_put(&scene, "items", "unread", "{\"odd\":1}");
    scene_put(&scene, "items", "torn", "{\"n\":1}");
    turn(&scene);
    scene.asleep = move_on;
    verify_extra(&scene, &result);
    if (result.of[VERIFY_EXTRA] != 5)
        fail_msg("%s", result.sentence);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
    assert_int_equal(result.of[VERIFY_SUPERSEDED], 1);
    assert_int_equal(result.of[VERIFY_EQUAL], 2);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_non_null(strstr(report, "{\"key\":\"torn\",\"kind\":\"extra\",\"wanted\":null,\"live\":null"));
    assert_non_null(strstr(report, "it is of no type that has a form"));
    assert_non_null(strstr(report, "not in the source; the application writes it"));
    assert_null(strstr(report, "leaves"));
    verify_result_done(&result);
    scene_done(&scene);
}

/* More than are looked at together, and none at all. */
static void however_many_there_are_each_is_told(void **state)
{
    enum { MANY = 1001 };
    struct scene scene;
    struct verify_result result;
    ran(&scene, ELSEWHERE);
    verify_extra(&scene, &result);
    assert_int_equal(result.of[VERIFY_EXTRA], 0);
    assert_true(result.pass);
    verify_result_done(&result);
    for (int i = 0; i < MANY; i++) {
        g_autofree char *key = g_strdup_printf("x%04d", i);
        scene_put(&scene, "items", key, "{}");
    }
    verify_extra(&scene, &result);
    assert_int_equal(result.of[VERIFY_EXTRA], MANY);
    assert_false(result.pass);
    verify_result_done(&result);
    scene_done(&scene);
}

/* Of files that are read from their beginning, all keys are noted on the way. */
static void of_files_what_they_hold_is_noted_as_it_is_read(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"file:.\", dataset: in.ndjson, key: id }\n"
               "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items, write: in-place }\nworkers: 1\n",
               LUA);
    scene_file(&scene, "in.ndjson", "{\"id\":\"k\",\"n\":1}\n{\"id\":\"l\",\"n\":2}\n");
    scene_ran(&scene, 0);
    scene_put(&scene, "items", "stray", "{}");
    verify_extra(&scene, &result);
    if (result.of[VERIFY_EXTRA] != 1 || result.of[VERIFY_EQUAL] != 2)
        fail_msg("%s", result.sentence);
    verify_result_done(&result);
    scene_done(&scene);
}

/* A source that holds under another key what the run wrote is not fed from the target. */
static void of_made_keys_what_differs_is_no_echo(void **state)
{
    static const struct {
        const char *key;
        bool echo;
    } ROWS[] = {{"id", true}, {"[id, kind]", false}, {"kind", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        g_autofree char *spec = g_strdup_printf(
            "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, key: %s }\ntransform: { lua: t.lua }\n"
            "target: { store: \"mem:s\", dataset: items, write: in-place }\nworkers: 1\n",
            ROWS[i].key);
        scene_init(&scene, spec, "function transform(doc)\n  doc.n = doc.n * 2\n  return doc\nend\n");
        scene_put(&scene, "origin", "k", "{\"id\":\"k\",\"kind\":1,\"n\":1}");
        scene_ran(&scene, 0);
        scene_put(&scene, "origin", "k", "{\"id\":\"k\",\"kind\":1,\"n\":2}");
        verify_all(&scene, false, &result);
        assert_int_equal(result.of[VERIFY_DIFFERING], 1);
        if ((strstr(result.sentence, "its own writes") != NULL) != ROWS[i].echo)
            fail_msg("%s: %s", ROWS[i].key, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Where the transform makes keys, what came up after the listing may be any of them. */
static void of_made_keys_it_is_told_as_long_as_all_of_the_source_was_shown(void **state)
{
    for (int came_up = 0; came_up < 2; came_up++) {
        struct scene scene;
        struct verify_result result;
        ran(&scene, MADE);
        scene_put(&scene, "items", "stray", "{}");
        if (came_up)
            scene_put(&scene, "origin", "m", "{\"id\":\"m\",\"n\":3}");
        verify_extra(&scene, &result);
        assert_int_equal(result.of[VERIFY_EXTRA], !came_up);
        assert_int_equal(strstr(result.sentence, "1 records of the source came up after its listing") != NULL, came_up);
        assert_false(result.pass);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* --- expected ----------------------------------------------------------------------------------------------------- */

struct judged {
    struct store_registry *registry;
    struct store *store;
    struct verify_input input;
    char *report;
    GArray *results;
};

static bool judge_or_fail(struct judged *ret, struct scene *scene, const struct spec_expect *expects, size_t n,
                          bool hidden, GError **error)
{
    *ret = (struct judged){.registry = store_registry_new(&scene->fake.world, scene->ours)};
    struct store_config config = {.uri = "mem:s", .base_dir = scene->dir};
    if (!store_open(&ret->store, ret->registry, &config, error))
        return false;
    ret->report = g_build_filename(scene->dir, "r.ndjson", NULL);
    ret->input = (struct verify_input){.world = &scene->fake.world,
                                       .target = ret->store,
                                       .target_ds = {.name = "items"},
                                       .report_path = ret->report,
                                       .expects = expects,
                                       .n_expects = n};
    struct expect_wish wish = {.input = &ret->input, .hidden = hidden};
    return expect_judge(&wish, &ret->results, error);
}

static void judge(struct judged *ret, struct scene *scene, const struct spec_expect *expects, size_t n, bool hidden)
{
    GError *error = NULL;
    kit_ok(judge_or_fail(ret, scene, expects, n, hidden, &error));
    assert_int_equal(ret->results->len, n);
}

static void judged_done(struct judged *judged)
{
    if (judged->results)
        g_array_unref(judged->results);
    if (judged->store)
        store_release(judged->registry, judged->store);
    store_registry_free(judged->registry);
    g_free(judged->report);
}

static const struct {
    const char *key, *fields; /* expected of it; NULL: that it is absent */
    bool holds;
    const char *found;
} PINNED[] = {
    {"whole", "{\"n\":1,\"list\":[1]}", true, "as expected"}, /* what the store does not hold is held as it is */
    {"whole", "{\"n\":2,\"none\":3}", false, "'whole': n is 1, not 2; none is nothing, not 3"},
    {"whole", "{\"odd\":1,\"n\":1}", false, "'whole': odd is nothing, not 1"},
    {"whole", "{\"n\":\"odd\"}", false, "'whole': n is 1, not \"odd\""},
    {"whole", "{\"\":1}", false, "'whole':  is nothing, not 1"},
    {"unread", "{\"n\":1}", false, "'unread': no document of this store"},
    {"torn", "{\"n\":1}", false, "'torn': it is of no type that has a form"},
    {"nobody", "{\"n\":1}", false, "'nobody' is absent"},
    {"nobody", NULL, true, "absent"},
    {"whole", NULL, false, "'whole' is there"},
    {"torn", NULL, false, "'torn' is there"},
};

static void fill(struct scene *scene)
{
    scene_init(scene, ELSEWHERE, LUA);
    scene_put(scene, "items", "whole", "{\"n\":1,\"list\":[1]}");
    scene_put(scene, "items", "unread", "{\"odd\":1}");
    scene_put(scene, "items", "torn", "{\"n\":1}");
    scene_put(scene, "items", "expires", "{\"n\":1}");
    turn(scene);
}

static void a_pinned_record_is_held_as_its_store_gives_it_back(void **state)
{
    struct scene scene;
    auto_(arena) mem = arena_new(1 << 16);
    struct spec_expect expects[G_N_ELEMENTS(PINNED)];
    fill(&scene);
    for (size_t i = 0; i < G_N_ELEMENTS(PINNED); i++)
        expects[i] =
            (struct spec_expect){.name = "e",
                                 .what = SPEC_EXPECT_RECORD,
                                 .key = PINNED[i].key,
                                 .absent = !PINNED[i].fields,
                                 .fields = PINNED[i].fields ? kit_document(PINNED[i].fields, mem) : SLICE_EMPTY};
    for (int hidden = 0; hidden < 2; hidden++) {
        struct judged judged;
        judge(&judged, &scene, expects, G_N_ELEMENTS(expects), hidden);
        for (guint i = 0; i < judged.results->len; i++) {
            const struct expect_result *result = &g_array_index(judged.results, struct expect_result, i);
            bool told = !hidden || result->holds;
            if (result->holds != PINNED[i].holds || (strcmp(result->found, PINNED[i].found) == 0) != told)
                fail_msg("row %u: %s", i, result->found);
        }
        judged_done(&judged);
    }
    scene_done(&scene);
}

static const struct list_ops UNSORTED = {.sorted = false};

/* How all records are gone through: a scan of each part, or of all; a list, of a store that gives a key twice. */
enum way { BY_PARTS, AT_ONCE, LISTED, OF_NO_ORDER, WAYS };

static void go(struct scene *scene, enum way way)
{
    if (way == LISTED)
        scene->faulty_mem.table.list = &UNSORTED;
    if (way == OF_NO_ORDER)
        scene->faulty_mem.table.list = NULL;
    if (way == AT_ONCE)
        scene->faulty_mem.table.split = NULL;
}

/* Whichever way all records are gone through. Of one that is torn what it holds cannot be said. */
static void of_all_records_it_is_counted_what_can_be_read(void **state)
{
    GError *error = NULL;
    auto_(path) path = NULL;
    auto_(arena) mem = arena_new(1 << 16);
    kit_ok(path_parse(&path, "n", &error));
    const struct spec_expect expects[] = {
        {.name = "revived", .what = SPEC_EXPECT_REVIVED},
        {.name = "all", .what = SPEC_EXPECT_COUNT, .count = 9},
        {.name = "sum", .what = SPEC_EXPECT_SUM, .sum = path, .is = kit_document("{\"is\":1}", mem)},
        {.name = "once", .what = SPEC_EXPECT_UNIQUE, .unique = path},
    };
    static const char *const FOUND[WAYS][4] = {
        [BY_PARTS] = {"no run to ask", "4", "in the record '", "3 of 4 records do not"},
        [AT_ONCE] = {"no run to ask", "4", "in the record '", "3 of 4 records do not"},
        [OF_NO_ORDER] = {"no run to ask", "4", "in the record '", "3 of 4 records do not"},
        [LISTED] = {"no run to ask", "3", "in the record '", "2 of 3 records do not"},
    };
    for (enum way way = 0; way < WAYS; way++) {
        struct scene scene;
        fill(&scene);
        go(&scene, way);
        for (int hidden = 0; hidden < 2; hidden++) {
            struct judged judged;
            judge(&judged, &scene, expects, G_N_ELEMENTS(expects), hidden);
            for (guint i = 0; i < judged.results->len; i++) {
                const struct expect_result *result = &g_array_index(judged.results, struct expect_result, i);
                bool told = !hidden || i < 2; /* a number of records is not of a record */
                assert_int_equal(result->holds, i == 0);
                if ((strstr(result->found, FOUND[way][i]) != NULL) != told)
                    fail_msg("way %u, %s: %s", way, result->of->name, result->found);
            }
            judged_done(&judged);
        }
        scene_done(&scene);
    }
}

/* Nothing is counted of what could not be read to its end. */
static void whichever_call_fails_nothing_is_said_to_hold(void **state)
{
    GError *error = NULL;
    auto_(path) path = NULL;
    kit_ok(path_parse(&path, "id", &error));
    const struct spec_expect expects[] = {
        {.name = "known", .what = SPEC_EXPECT_REFERS, .refers = path, .to = "origin"},
        {.name = "one", .what = SPEC_EXPECT_RECORD, .key = "k", .absent = true},
    };
    for (enum way way = 0; way < WAYS; way++) {
        struct scene scene;
        scene_init(&scene, ELSEWHERE, LUA);
        scene_put(&scene, "items", "k", "{\"id\":\"k\"}");
        scene_put(&scene, "items", "l", "{\"id\":\"l\"}");
        go(&scene, way);
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            struct judged judged;
            struct fault_row row = {.op = FAULT_ANY, .nth = nth, .effect = FAULT_FATAL};
            scene_fault(&scene, &row);
            failed = !judge_or_fail(&judged, &scene, expects, G_N_ELEMENTS(expects), false, &error);
            assert_int_equal(failed, error != NULL);
            assert_true(failed || nth > 5); /* it has a session, a scan, a read of what is referred to, and one of k */
            g_clear_error(&error);
            judged_done(&judged);
        }
        if (way == LISTED) { /* the list that it made does not stay behind */
            struct judged judged;
            scene_fault(&scene, NULL);
            fake_world_arm(
                &scene.fake,
                (struct fake_fault){.call = "unlink", .path = ".keys", .nth = 1, .number = EIO, .lasting = true});
            assert_false(judge_or_fail(&judged, &scene, expects, G_N_ELEMENTS(expects), false, &error));
            fake_world_arm(&scene.fake, (struct fake_fault){0});
            g_clear_error(&error);
            judged_done(&judged);
        }
        scene_done(&scene);
    }
}

/* What cannot be read, or bears no point in time there, is in no bucket, and is counted beside them. */
static void of_times_it_is_counted_which_have_none(void **state)
{
    GError *error = NULL;
    struct scene scene;
    struct judged judged;
    auto_(path) path = NULL;
    GArray *found;
    kit_ok(path_parse(&path, "at", &error));
    struct spec_buckets hours = {.name = "hours", .field = path, .width_ms = 3600000};
    struct spec spec = {.buckets = &hours, .n_buckets = 1};
    fill(&scene);
    scene_put(&scene, "items", "dated", "{\"at\":\"2026-01-01T00:00:00Z\"}");
    scene_put(&scene, "items", "listed", "{\"at\":[1]}");
    judge(&judged, &scene, NULL, 0, false);
    judged.input.judge = &spec;
    kit_ok(times_take(&judged.input, &found, &error));
    assert_int_equal(g_array_index(found, struct times_found, 0).records, 1);
    assert_int_equal(g_array_index(found, struct times_found, 0).undated, 5);
    g_array_unref(found);
    judged_done(&judged);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_beyond_the_source_is_looked_at_twice),
        cmocka_unit_test(of_files_what_they_hold_is_noted_as_it_is_read),
        cmocka_unit_test(of_made_keys_what_differs_is_no_echo),
        cmocka_unit_test(however_many_there_are_each_is_told),
        cmocka_unit_test(of_made_keys_it_is_told_as_long_as_all_of_the_source_was_shown),
        cmocka_unit_test(a_pinned_record_is_held_as_its_store_gives_it_back),
        cmocka_unit_test(whichever_call_fails_nothing_is_said_to_hold),
        cmocka_unit_test(of_times_it_is_counted_which_have_none),
        cmocka_unit_test(of_all_records_it_is_counted_what_can_be_read),
    };
    return cmocka_run_group_tests_name("verify/beyond", tests, NULL, NULL);
}
