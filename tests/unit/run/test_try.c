/* Records that go the whole way of a run, and nothing is written: what is told of each, and that nothing is passed over
 * in silence. */
#include "kit/scene.h"
#include "run/forecast.h"
#include "run/try.h"

static const char SAME[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                           "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
static const char INTO_FILES[] =
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
    "transform: { lua: t.lua }\ntarget: { store: \"file:out\", dataset: \"out.ndjson\" }\n";
static const char INTO_FILES_BY_VERSION[] =
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items, version: n }\n"
    "transform: { lua: t.lua }\ntarget: { store: \"file:out\", dataset: \"out.ndjson\" }\n";
static const char LUA[] = "function transform(doc, ctx)\n"
                          "  if doc.n == 2 then return ctx.delete() end\n"
                          "  if doc.n == 3 then return ctx.reject('three') end\n"
                          "  doc.times = 1\n"
                          "  return doc\nend\n";

struct tried {
    struct scene scene;
    struct store_registry *registry;
    struct plan *plan;
    struct try_result result;
    GString *told; /* a word a record: its key, and what would become of it */
    atomic_int signals;
    bool interrupts; /* after the first that is told of */
};

static bool tell(void *self, const struct try_record *record, GError **error)
{
    struct tried *tried = self;
    g_string_append_printf(tried->told, "%.*s:%s ", (int)record->key.len, (const char *)record->key.data,
                           outcome_row(record->outcome)->word);
    if (tried->interrupts)
        atomic_store(&tried->signals, 1);
    return true;
}

static bool look(struct tried *tried, GError **error)
{
    struct plan_config config = {
        .world = &tried->scene.fake.world, .registry = tried->registry, .home = tried->scene.home};
    struct spec *spec;
    if (!spec_read(&spec, config.world, tried->scene.spec_path, error))
        return false;
    if (plan_look(&tried->plan, &config, spec, error))
        return true;
    spec_free(spec);
    return false;
}

static void begin(struct tried *tried, const char *spec)
{
    *tried = (struct tried){.told = g_string_new(NULL)};
    scene_init(&tried->scene, spec, LUA);
    for (int i = 0; i < 4; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(&tried->scene, "items", key, json);
    }
    tried->registry = store_registry_new(&tried->scene.fake.world, tried->scene.ours);
}

static void end(struct tried *tried)
{
    g_clear_pointer(&tried->plan, plan_free);
    store_registry_free(tried->registry);
    g_string_free(tried->told, TRUE);
    scene_done(&tried->scene);
}

static bool try_these(struct tried *tried, const struct slice *keys, size_t n, bool may_lack, GError **error)
{
    struct try_wish wish = {.keys = keys, .n_keys = n, .may_lack = may_lack, .sample = 10, .each = tell, .self = tried};
    return try_records(tried->plan, &tried->scene.fake.world, &tried->signals, &wish, &tried->result, error);
}

static bool try_sample(struct tried *tried, uint64_t sample, GError **error)
{
    struct try_wish wish = {.sample = sample, .each = tell, .self = tried};
    g_string_truncate(tried->told, 0);
    return try_records(tried->plan, &tried->scene.fake.world, &tried->signals, &wish, &tried->result, error);
}

static void each_record_is_told_with_what_would_become_of_it(void **state)
{
    static const struct {
        const char *spec, *told;
    } ROWS[] = {
        {SAME, "k0:written k1:written k2:deleted k3:rejected "},
        {INTO_FILES_BY_VERSION, "k0:written k1:written k2:unchanged k3:rejected "},
        {INTO_FILES,
         "k0:written k1:written k2:unchanged k3:rejected "}, /* where nothing stands yet nothing is deleted */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin(&tried, ROWS[i].spec);
        g_autofree char *before = scene_image(&tried.scene, "items");
        kit_ok(look(&tried, &error));
        kit_ok(try_these(&tried, NULL, 0, false, &error));
        assert_string_equal(tried.told->str, ROWS[i].told);
        assert_int_equal(tried.result.tally.of[OUTCOME_READ], 4);
        g_autofree char *after = scene_image(&tried.scene, "items");
        assert_string_equal(before, after);
        end(&tried);
    }
}

static void a_key_that_the_source_does_not_have_is_named_unless_it_may_lack(void **state)
{
    struct tried tried;
    GError *error = NULL;
    struct slice keys[] = {slice_of_text("k1"), slice_of_text("nowhere"), slice_of_text("k3")};
    begin(&tried, SAME);
    kit_ok(look(&tried, &error));
    kit_refused(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error), NOT_FOUND, "the key 'nowhere' is not in");
    g_string_truncate(tried.told, 0);
    kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), true, &error));
    assert_string_equal(tried.told->str, "k1:written k3:rejected ");
    assert_int_equal(tried.result.lacking, 1);
    end(&tried);
}

/* Files are read from their beginning: what was not asked for is passed over, and the newest state of a key is the one.
 */
static void of_files_the_keys_that_were_asked_for_alone_are_told(void **state)
{
    static const char FROM_FILES[] =
        "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id, version: at }\n"
        "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n";
    struct tried tried;
    GError *error = NULL;
    struct slice keys[] = {slice_of_text("a"), slice_of_text("c")};
    begin(&tried, FROM_FILES);
    scene_file(&tried.scene, "in/a.ndjson",
               "{\"id\":\"b\",\"at\":1,\"n\":1}\n{\"id\":\"a\",\"at\":1,\"n\":3}\n"
               "{\"id\":\"c\",\"at\":1,\"n\":1}\n{\"id\":\"a\",\"at\":2,\"n\":1}\n");
    kit_ok(look(&tried, &error));
    kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error));
    assert_string_equal(tried.told->str, "a:written c:written ");
    end(&tried);
}

/* What somebody looks at before they approve must not be less than they think. */
static void whichever_call_of_the_stores_fails_it_is_told(void **state)
{
    bool fired = true;
    for (uint64_t nth = 1; fired; nth++) {
        struct tried tried;
        g_autoptr(GError) error = NULL;
        struct slice keys[] = {slice_of_text("k0"), slice_of_text("k1")};
        begin(&tried, SAME);
        scene_fault(&tried.scene, &(struct fault_row){.op = FAULT_ANY, .nth = nth, .effect = FAULT_FATAL});
        bool ok = look(&tried, &error) && try_these(&tried, NULL, 0, false, &error) &&
                  try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error);
        fired = false;
        for (int op = 0; op < FAULT_OP_COUNT; op++)
            fired |= tried.scene.plan.fired[op] > 0;
        if (ok == fired || ok == (error != NULL))
            fail_msg("call %" PRIu64 ": %s", nth, error ? error->message : "nothing is said");
        end(&tried);
    }
}

/* --- of which store, and by what ---------------------------------------------------------------------------------- */

#define TO_ITEMS  "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
#define OF_ORIGIN "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin"
static const char VERSIONED[] = OF_ORIGIN ", version: n }\n" TO_ITEMS;
static const char OF_KEYS[] = OF_ORIGIN ", only: { keys: keys.txt } }\n" TO_ITEMS;
#define OF_FILES(more)                                                                                                 \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id" more " }\n" TO_ITEMS

/* What the store in memory says otherwise. */
static struct {
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
    bool (*inspect)(struct session *, const struct call *, struct store_info *, GError **);
    bool faulty;    /* nobody can read k1 in `items` */
    uint64_t bytes; /* that it holds */
} odd;

static bool read_oddly(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    if (!odd.read(session, call, io, n, error))
        return false;
    for (size_t i = 0; odd.faulty && i < n; i++)
        if (strcmp(call->ds->name, "items") == 0 && slice_equal(io[i].key, slice_of_text("k1"))) {
            io[i].presence = RECORD_FAULT;
            io[i].fault = (struct fault){.code = SLUICE_ERROR_BAD_RECORD, .text = "a list"};
        }
    return true;
}

static bool inspect_oddly(struct session *session, const struct call *call, struct store_info *ret, GError **error)
{
    bool ok = odd.inspect(session, call, ret, error);
    ret->bytes = odd.bytes ? odd.bytes : ret->bytes;
    return ok;
}

static void begin_oddly(struct tried *tried, const char *spec)
{
    begin(tried, spec);
    struct store_driver *mem = &tried->scene.mem.table;
    odd.read = mem->read;
    odd.inspect = mem->inspect;
    odd.faulty = false;
    odd.bytes = 0;
    mem->read = read_oddly;
    mem->inspect = inspect_oddly;
    for (int i = 0; i < 6; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(&tried->scene, "origin", key, json);
    }
    scene_file(&tried->scene, "keys.txt", "k0\nk1\nk4\nk5\n");
    scene_file(&tried->scene, "in/a.ndjson", "{\"id\":\"a\",\"n\":5}\n{\"id\":\"b\",\"n\":1}\nnone\n");
    scene_file(&tried->scene, "in/b.ndjson", "{\"id\":\"a\",\"n\":4}\n{\"id\":\"a\",\"n\":5}\n");
}

/* As a run would do it: what the target holds decides, and what cannot be read there is not written over. */
static void what_stands_in_the_target_decides(void **state)
{
    static const struct {
        const char *spec, *told;
        bool faulty;
    } ROWS[] = {
        {OF_ORIGIN " }\n" TO_ITEMS, "k0:kept_live k1:kept_live k2:kept_live k3:rejected k4:written k5:written ", false},
        {OF_ORIGIN " }\n" TO_ITEMS, "k0:kept_live k1:rejected k2:kept_live k3:rejected k4:written k5:written ", true},
        {VERSIONED, "k0:kept_live k1:kept_live k2:kept_live k3:rejected k4:written k5:written ", false},
        {OF_KEYS, "k0:kept_live k1:kept_live k4:written k5:written ", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin_oddly(&tried, ROWS[i].spec);
        odd.faulty = ROWS[i].faulty;
        kit_ok(look(&tried, &error));
        kit_ok(try_sample(&tried, 10, &error));
        if (strcmp(tried.told->str, ROWS[i].told) != 0)
            fail_msg("row %zu: %s", i, tried.told->str);
        end(&tried);
    }
}

/* One of many is looked at all over the source, where that is no pass over all of it. */
static void a_sample_comes_from_all_over_what_is_not_too_large(void **state)
{
    static const struct {
        const char *spec;
        uint64_t sample, bytes, n;
        bool whole, spread; /* whole: the store cannot be split */
    } ROWS[] = {
        {OF_ORIGIN " }\n" TO_ITEMS, 3, 0, 3, false, true},
        {OF_ORIGIN " }\n" TO_ITEMS, 3, UINT64_C(1) << 31, 3, false, false},
        {OF_ORIGIN " }\n" TO_ITEMS, 3, 0, 3, true, false},
        {OF_ORIGIN " }\n" TO_ITEMS, 10, 0, 6, true, false},
        {OF_KEYS, 2, 0, 2, false, true},
        {OF_ORIGIN ", only: { key_range: [k1, k4] } }\n" TO_ITEMS, 2, 0, 2, false, true},
        {OF_FILES(""), 1, 0, 1, false, true}, /* of two files */
        {OF_FILES(""), 4, 0, 4, false, true},
        {OF_FILES(""), 10, 0, 5, false, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin_oddly(&tried, ROWS[i].spec);
        odd.bytes = ROWS[i].bytes;
        if (ROWS[i].whole)
            tried.scene.faulty_mem.table.split = NULL;
        kit_ok(look(&tried, &error));
        kit_ok(try_sample(&tried, ROWS[i].sample, &error));
        if (tried.result.tally.of[OUTCOME_READ] != ROWS[i].n || tried.result.spread != ROWS[i].spread)
            fail_msg("row %zu: %s", i, tried.told->str);
        end(&tried);
    }
}

static void whoever_interrupts_it_is_heard_at_the_next_record(void **state)
{
    static const char *const SPECS[] = {OF_ORIGIN " }\n" TO_ITEMS, OF_KEYS, OF_FILES("")};
    struct slice keys[] = {slice_of_text("a"), slice_of_text("k0"), slice_of_text("b"), slice_of_text("k1")};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(SPECS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin_oddly(&tried, SPECS[i / 2]);
        kit_ok(look(&tried, &error));
        tried.interrupts = true;
        if (i % 2)
            kit_refused(try_these(&tried, keys, G_N_ELEMENTS(keys), true, &error), INTERRUPTED, "nothing was written");
        else
            kit_refused(try_sample(&tried, 10, &error), INTERRUPTED, "nothing was written");
        assert_int_equal(tried.result.tally.of[OUTCOME_READ], 1);
        end(&tried);
    }
}

/* --- what is refused half-way ------------------------------------------------------------------------------------- */

#define IN_TWO "function transform(doc, ctx)\n  return { { id = 'x', n = doc.n }, { id = 'y', unstorable = 1 } }\nend\n"
#define KEYED  OF_ORIGIN ", key: id }\ntransform: { lua: t.lua }\n"

static bool encode_oddly(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                         GError **error)
{
    static const char WORD[] = "unstorable";
    if (memmem(document.data, document.len, WORD, strlen(WORD)))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "not to be stored");
    *ret = document;
    return true;
}

/* Of a record that makes two, the second of which the target cannot store, nothing would be written. */
static void a_record_of_which_a_part_cannot_be_stored_is_refused_whole(void **state)
{
    static const char *const SPECS[] = {KEYED "target: { store: \"mem:s\", dataset: items }\n",
                                        KEYED "target: { store: \"file:out\", dataset: \"out.ndjson\" }\n"};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct tried tried;
        GError *error = NULL;
        begin_oddly(&tried, SPECS[i]);
        scene_file(&tried.scene, "t.lua", IN_TWO);
        scene_file(&tried.scene, "out/none.txt", "");
        tried.scene.faulty_mem.table.encode = tried.scene.faulty_file.table.encode = encode_oddly;
        kit_ok(look(&tried, &error));
        kit_ok(try_sample(&tried, 1, &error));
        if (strcmp(tried.told->str, "k0:rejected ") != 0)
            fail_msg("row %zu: %s", i, tried.told->str);
        end(&tried);
    }
}

/* What cannot be read is older and newer than nothing; asked for by its key, it is refused for what it is. */
static bool decode_oddly(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                         GError **error)
{
    *ret = raw;
    return !memmem(raw.data, raw.len, "unreadable", 10) || error_set(error, SLUICE_ERROR_BAD_RECORD, "not to be read");
}

static bool (*scan_next)(struct scan *, const struct call *, struct batch *, GError **);

static bool scan_oddly(struct scan *scan, const struct call *call, struct batch *ret, GError **error)
{
    bool ok = scan_next(scan, call, ret, error);
    for (size_t i = 0; ok && i < ret->n; i++)
        if (memmem(ret->records[i].raw.data, ret->records[i].raw.len, "torn", 4)) {
            ret->records[i].presence = RECORD_FAULT;
            ret->records[i].fault = (struct fault){.code = SLUICE_ERROR_BAD_RECORD, .text = "torn"};
        }
    return ok;
}

static void a_state_that_cannot_be_read_is_refused_by_its_key(void **state)
{
    struct tried tried;
    GError *error = NULL;
    struct slice keys[] = {slice_of_text("a"), slice_of_text("b"), slice_of_text("c")};
    begin_oddly(&tried, OF_FILES(", version: n"));
    scene_file(&tried.scene, "in/a.ndjson",
               "{\"id\":\"a\",\"n\":4,\"unreadable\":1}\n{\"id\":\"a\",\"n\":5}\n"
               "{\"id\":\"b\",\"n\":1,\"unreadable\":1}\n");
    scene_file(&tried.scene, "in/b.ndjson", "{\"id\":\"c\",\"n\":1,\"torn\":1}\n");
    struct store_driver *file = &tried.scene.faulty_file.table;
    scan_next = file->scan_next;
    file->scan_next = scan_oddly;
    file->decode = decode_oddly;
    kit_ok(look(&tried, &error));
    kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error));
    assert_string_equal(tried.told->str, "a:rejected b:rejected c:rejected ");
    end(&tried);
}

/* Of those that are scanned in steps, no more than were asked for. */
static void a_sample_of_many_ends_amid_a_step(void **state)
{
    struct tried tried;
    GError *error = NULL;
    begin_oddly(&tried, OF_ORIGIN " }\n" TO_ITEMS);
    for (int i = 0; i < 1000; i++) {
        g_autofree char *key = g_strdup_printf("m%03d", i);
        scene_put(&tried.scene, "origin", key, "{\"n\":1}");
    }
    tried.scene.faulty_mem.table.split = NULL;
    kit_ok(look(&tried, &error));
    kit_ok(try_sample(&tried, 501, &error));
    assert_int_equal(tried.result.tally.of[OUTCOME_READ], 501);
    end(&tried);
}

/* A forecast of a retry: those rows alone, each with what was found of it when it was planned. */
static void keep_forecast(void *self, const struct plan *plan, const struct forecast *forecast)
{
    *(struct forecast *)self = *forecast;
}

static void what_is_retried_and_conflicts_still_is_forecast_as_refused(void **state)
{
    struct tried tried;
    GError *error = NULL;
    struct spec *spec;
    struct forecast forecast = {0};
    bool idle;
    begin_oddly(&tried, OF_FILES(", version: n"));
    scene_file(&tried.scene, "in/a.ndjson", "{\"id\":\"a\",\"n\":5}\n{\"id\":\"b\",\"n\":1}\n");
    scene_file(&tried.scene, "in/b.ndjson", "{\"id\":\"a\",\"n\":5,\"other\":1}\n");
    scene_ran(&tried.scene, 8);
    assert_true(scene_refused(&tried.scene, "a", SLUICE_ERROR_BAD_RECORD));
    struct run_config config = scene_config(&tried.scene, tried.registry);
    config.retry = "job.1";
    config.planned = keep_forecast;
    config.planned_self = &forecast;
    kit_ok(spec_read(&spec, config.world, tried.scene.spec_path, &error));
    kit_ok(run_plan(&config, spec, NULL, &idle, &error));
    assert_int_equal(forecast.of[OUTCOME_REJECTED], 2);
    end(&tried);
}

/* A key that went away since the plan was made is none of the sample's. */
static void what_is_not_there_any_more_is_passed_over(void **state)
{
    struct tried tried;
    GError *error = NULL;
    begin_oddly(&tried, OF_KEYS);
    kit_ok(look(&tried, &error));
    scene_remove(&tried.scene, "origin", "k1");
    kit_ok(try_sample(&tried, 10, &error));
    assert_string_equal(tried.told->str, "k0:kept_live k4:written k5:written ");
    end(&tried);
}

/* Of several states of a key: all that take part, and with versions the newest, the first of two that are as old. */
static void of_several_states_those_that_take_part_are_told(void **state)
{
    static const struct {
        const char *spec, *told;
        bool older;
    } ROWS[] = {
        {OF_FILES(", version: n"), "a:written b:written ", true},
        {OF_FILES(", duplicates: all"), "a:written a:written a:written b:written ", false},
        {OF_FILES(""), "a:written a:written a:written b:written ", false}, /* which a run refuses: each is shown */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct tried tried;
        GError *error = NULL;
        struct slice keys[] = {slice_of_text("a"), slice_of_text("none"), slice_of_text("b")};
        begin_oddly(&tried, ROWS[i].spec);
        kit_ok(look(&tried, &error));
        kit_refused(try_these(&tried, keys, G_N_ELEMENTS(keys), false, &error), NOT_FOUND, "the key 'none' is not in");
        g_string_truncate(tried.told, 0);
        kit_ok(try_these(&tried, keys, G_N_ELEMENTS(keys), true, &error));
        assert_string_equal(tried.told->str, ROWS[i].told);
        assert_int_equal(tried.result.lacking, 1);
        assert_int_equal(tried.result.older_states, ROWS[i].older);
        end(&tried);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_is_told_with_what_would_become_of_it),
        cmocka_unit_test(a_key_that_the_source_does_not_have_is_named_unless_it_may_lack),
        cmocka_unit_test(of_files_the_keys_that_were_asked_for_alone_are_told),
        cmocka_unit_test(whichever_call_of_the_stores_fails_it_is_told),
        cmocka_unit_test(what_stands_in_the_target_decides),
        cmocka_unit_test(a_sample_comes_from_all_over_what_is_not_too_large),
        cmocka_unit_test(whoever_interrupts_it_is_heard_at_the_next_record),
        cmocka_unit_test(a_record_of_which_a_part_cannot_be_stored_is_refused_whole),
        cmocka_unit_test(a_state_that_cannot_be_read_is_refused_by_its_key),
        cmocka_unit_test(a_sample_of_many_ends_amid_a_step),
        cmocka_unit_test(what_is_retried_and_conflicts_still_is_forecast_as_refused),
        cmocka_unit_test(what_is_not_there_any_more_is_passed_over),
        cmocka_unit_test(of_several_states_those_that_take_part_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
