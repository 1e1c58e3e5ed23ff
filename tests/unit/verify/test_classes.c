/* Every class that a verification gives, provoked by what the application does to a run's target; and its report. */
#include "base/file.h"
#include "kit/scene.h"
#include "record/element.h"

#define SAME                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\nworkers: 1\n"
#define ELSEWHERE                                                                                                      \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin, version: at }\ntransform: { lua: t.lua }\n"    \
    "target: { store: \"mem:s\", dataset: items, write: in-place }\nworkers: 1\n"
#define LUA                                                                                                            \
    "function transform(doc, ctx)\n  if doc.skip then return nil end\n  if doc.bad then return ctx.reject('bad') "     \
    "end\n"                                                                                                            \
    "  if doc.same then return doc end\n"                                                                              \
    "  if doc.gone then return ctx.delete() end\n  if doc.turn then return { b = doc.b, turn = doc.turn } end\n"       \
    "  doc.times = doc.times + 1\n  return doc\nend\n"

static void written(struct scene *scene)
{
    struct process process;
    process_first(&process, scene);
    process_done(&process);
}

/* One record of each dataset, and what has been written of it. */
static void begin(struct scene *scene, const char *spec)
{
    scene_init(scene, spec, LUA);
    scene_put(scene, "items", "k", "{\"at\":1,\"times\":0}");
    scene_put(scene, "origin", "k", "{\"at\":5,\"times\":0}");
    written(scene);
}

static void judge(struct scene *scene, enum verify_class class, bool pass)
{
    struct verify_result result;
    scene_verify(scene, &result);
    for (int i = 0; i < VERIFY_CLASS_COUNT; i++)
        if (result.of[i] != (i == (int)class))
            fail_msg("%s was expected: %s", verify_class_row(class)->word, result.sentence);
    assert_int_equal(result.pass, pass);
    assert_non_null(strstr(result.sentence, verify_class_row(class)->word));
    verify_result_done(&result);
}

static void equal_is_what_is_wanted(void **state)
{
    static const char *const SPECS[] = {SAME, ELSEWHERE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        begin(&scene, SPECS[i]);
        judge(&scene, VERIFY_EQUAL, true);
        scene_done(&scene);
    }
}

static void missing_is_the_pre_image_or_nothing(void **state)
{
    struct scene scene;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":0}");
    judge(&scene, VERIFY_MISSING, false);
    scene_done(&scene);
    begin(&scene, ELSEWHERE);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":0}");
    judge(&scene, VERIFY_MISSING, false);
    scene_done(&scene);
}

static void changed_since_is_neither_ours_nor_the_pre_image(void **state)
{
    struct scene scene;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"mine\":true}");
    judge(&scene, VERIFY_CHANGED_SINCE, true);
    scene_done(&scene);
}

static void superseded_is_newer_than_the_source(void **state)
{
    struct scene scene;
    begin(&scene, ELSEWHERE);
    scene_put(&scene, "items", "k", "{\"at\":9}");
    judge(&scene, VERIFY_SUPERSEDED, true);
    scene_done(&scene);
}

/* What the run wrote still stands, but the source wants something else. */
static void differing_is_ours_but_not_what_is_wanted(void **state)
{
    struct scene scene;
    begin(&scene, ELSEWHERE);
    scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":7}");
    judge(&scene, VERIFY_DIFFERING, false);
    scene_done(&scene);
}

static bool decode_some(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(raw, text, NULL));
    *ret = raw;
    return !strstr(text->str, "\"times\":9") || error_set(error, SLUICE_ERROR_BAD_RECORD, "no document of this store");
}

/* --- a store that holds nothing but text ---------------------------------------------------------------------------
 */

static bool encode_texts(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                         GError **error)
{
    struct elements elements;
    struct element element;
    bson_t texts = BSON_INITIALIZER;
    assert_true(elements_of(document, &elements));
    while (element_next(&elements, &element) == ELEMENT_OK) {
        char text[ELEMENT_TEXT];
        struct slice value;
        if (element_as_text(&element, text, &value))
            bson_append_utf8(&texts, (const char *)element.name.data, -1, (const char *)value.data, (int)value.len);
    }
    bool fits = arena_copy(mem, slice_of(bson_get_data(&texts), texts.len), ret);
    bson_destroy(&texts);
    assert_true(fits);
    return true;
}

static void begin_in_texts(struct scene *scene)
{
    scene_init(scene, ELSEWHERE, LUA);
    scene->faulty_mem.table.encode = encode_texts;
    scene_put(scene, "origin", "k", "{\"at\":5,\"times\":0}");
    written(scene);
}

static void what_a_store_of_texts_gives_back_is_what_is_wanted(void **state)
{
    struct scene scene;
    begin_in_texts(&scene);
    scene_holds(&scene, "items", "k", "{\"at\":\"5\",\"times\":\"1\"}");
    judge(&scene, VERIFY_EQUAL, true);
    scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":7}");
    judge(&scene, VERIFY_DIFFERING, false);
    scene_put(&scene, "items", "k", "{\"at\":\"9\"}"); /* and its versions are texts */
    judge(&scene, VERIFY_SUPERSEDED, true);
    scene_done(&scene);
}

/* What the source wants, or what stands there, has no version: nothing is newer than anything. */
static void what_has_no_version_is_not_newer(void **state)
{
    static const struct {
        const char *dataset, *json;
        enum verify_class class;
    } ROWS[] = {{"items", "{\"at\":[1]}", VERIFY_CHANGED_SINCE},
                {"items", "{\"at\":9,\"times\":9}", VERIFY_CHANGED_SINCE}, /* it cannot be read */
                {"origin", "{\"at\":[1],\"times\":0}", VERIFY_DIFFERING}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        begin(&scene, ELSEWHERE);
        scene_put(&scene, ROWS[i].dataset, "k", ROWS[i].json);
        scene.faulty_mem.table.decode = decode_some;
        judge(&scene, ROWS[i].class, ROWS[i].class != VERIFY_DIFFERING);
        scene_done(&scene);
    }
}

#define UNTIL                                                                                                          \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"                 \
    "target: { store: \"mem:s\", dataset: items, write: in-place, expires: { from: until } }\nworkers: 1\n"

#define IN_2030 "{\"until\":\"2030-01-01T00:00:00Z\",\"times\":0}"

/* A source that gives its expiry no more, or another, after the run or before it. */
static void what_is_to_expire_by_no_time_is_refused(void **state)
{
    static const struct {
        const char *before, *json;
        enum verify_class class;
        bool pass, expiry;
    } ROWS[] = {{IN_2030, IN_2030, VERIFY_EQUAL, true, false},
                {IN_2030, "{\"until\":[1],\"times\":0}", VERIFY_REFUSED, true, false},
                {IN_2030, "{\"until\":1893456000,\"times\":0}", VERIFY_REFUSED, true, false},
                {"{\"until\":1893456000,\"times\":0}", IN_2030, VERIFY_REFUSED, true, false},
                {IN_2030, "{\"times\":0}", VERIFY_DIFFERING, false, true},
                {IN_2030, "{\"until\":\"2030-01-01T00:00:00.000Z\",\"times\":0}", VERIFY_DIFFERING, false, false},
                {"{\"times\":0}", IN_2030, VERIFY_DIFFERING, false, true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        g_autofree char *report = NULL;
        scene_init(&scene, UNTIL, LUA);
        scene_put(&scene, "origin", "k", ROWS[i].before);
        written(&scene);
        scene_put(&scene, "origin", "k", ROWS[i].json);
        judge(&scene, ROWS[i].class, ROWS[i].pass);
        scene_verify(&scene, &result);
        assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
        assert_int_equal(strstr(report, "expiry_differs") != NULL, ROWS[i].expiry);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static void kept_is_the_policy_s(void **state)
{
    struct scene scene;
    scene_init(&scene, ELSEWHERE, LUA);
    scene_put(&scene, "items", "k", "{\"at\":9}");
    scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":0}");
    written(&scene);
    judge(&scene, VERIFY_KEPT, true);
    scene_done(&scene);
}

static void one_record(struct scene *scene, const char *json)
{
    scene_init(scene, SAME, LUA);
    scene_put(scene, "items", "k", json);
    written(scene);
}

static void refused_and_filtered_are_said_by_the_run(void **state)
{
    struct scene scene;
    one_record(&scene, "{\"bad\":true}");
    judge(&scene, VERIFY_REFUSED, true);
    scene_done(&scene);
    one_record(&scene, "{\"skip\":true}");
    judge(&scene, VERIFY_FILTERED, true);
    scene_done(&scene);
}

static void gone_is_listed_and_no_longer_there(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME, LUA);
    scene_put(&scene, "items", "k", "{\"times\":0}");
    scene_plan(&scene);
    scene_remove(&scene, "items", "k");
    process_whole(&scene, JOB_FORWARD);
    judge(&scene, VERIFY_GONE, true);
    scene_done(&scene);
}

static void expired_is_no_difference(void **state)
{
    struct scene scene;
    scene_init(&scene, SAME, LUA);
    scene_put_until(&scene, "items", "k", "{\"times\":0}", scene.fake.wall_ms + 60000);
    written(&scene);
    scene.fake.wall_ms += 60000;
    judge(&scene, VERIFY_EXPIRED, true);
    scene_done(&scene);
}

/* --- looking again
 * ------------------------------------------------------------------------------------------------------ */

#define AGAIN_US 200000 /* between two looks; whoever watches the run sleeps too */

static void put_another(struct scene *scene, int64_t us)
{
    if (us != AGAIN_US)
        return;
    g_autofree char *json = g_strdup_printf("{\"moving\":%" PRId64 "}", scene->fake.now_us);
    scene_put(scene, "items", "k", json);
}

/* What the application writes all the time, until it puts back what stood there before. */
static int moves;

static void put_the_pre_image_at_last(struct scene *scene, int64_t us)
{
    if (us == AGAIN_US && ++moves == 3)
        scene_put(scene, "items", "k", "{\"at\":1,\"times\":0}");
    else if (moves < 3)
        put_another(scene, us);
}

static void what_is_not_theirs_in_the_last_look_is_in_flight(void **state)
{
    struct scene scene;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":7}");
    scene.asleep = put_the_pre_image_at_last;
    moves = 0;
    judge(&scene, VERIFY_IN_FLIGHT, false);
    scene_done(&scene);
}

static void put_right(struct scene *scene, int64_t us)
{
    scene_put(scene, "items", "k", "{\"at\":1,\"times\":1}");
}

static void a_difference_that_goes_away_is_none(void **state)
{
    struct scene scene;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":0}");
    scene.asleep = put_right;
    judge(&scene, VERIFY_EQUAL, true);
    scene_done(&scene);
}

static void what_the_application_writes_all_the_time_is_the_applications(void **state)
{
    static const char *const SPEC[] = {SAME, ELSEWHERE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPEC); i++) {
        struct scene scene;
        begin(&scene, SPEC[i]);
        scene_put(&scene, "items", "k", "{\"at\":1,\"times\":7}");
        scene.asleep = put_another;
        judge(&scene, VERIFY_CHANGED_SINCE, true);
        scene_done(&scene);
    }
}

/* Every other time what stood there before the run. */
static void put_another_or_the_pre_image(struct scene *scene, int64_t us)
{
    int64_t expires_at_ms;
    g_autofree char *now = scene_json(scene, "items", "k", &expires_at_ms);
    if (us == AGAIN_US && strstr(now, "moving"))
        scene_put(scene, "items", "k", "{\"at\":1,\"times\":0}");
    else
        put_another(scene, us);
}

static void what_never_stands_still_and_was_once_not_theirs_is_in_flight_and_counts(void **state)
{
    struct scene scene;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":0}");
    scene.asleep = put_another_or_the_pre_image;
    judge(&scene, VERIFY_IN_FLIGHT, false);
    scene_done(&scene);
}

static void what_is_in_flight_has_its_looks_and_its_age_in_the_report(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autofree char *report = NULL;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":0}");
    scene.asleep = put_another_or_the_pre_image;
    scene_verify(&scene, &result);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_non_null(strstr(report, "\"kind\":\"in_flight\""));
    static const char LOOKED[] = "\"looks\":4,\"age_ms\":";
    const char *looked = strstr(report, LOOKED);
    assert_non_null(looked);
    /* three waits, at least: whoever watches meanwhile moves the clock as well */
    assert_true(g_ascii_strtoll(looked + strlen(LOOKED), NULL, 10) >= 3 * AGAIN_US / 1000);
    verify_result_done(&result);
    scene_done(&scene);
}

/* --- what cannot be read ------------------------------------------------------------------------------------------ */

/* Of what the run recorded the bytes alone tell: it is neither the pre-image nor what was written. */
static void what_has_no_form_any_more_is_the_applications_where_the_run_knows_its_bytes_and_says_why(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autofree char *report = NULL;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":9}");
    scene.faulty_mem.table.decode = decode_some;
    scene_verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_CHANGED_SINCE], 1);
    assert_true(result.pass);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_non_null(strstr(report, "no document of this store"));
    verify_result_done(&result);
    scene_done(&scene);
}

static enum error_code refuses;

static bool decode_none(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(raw, text, NULL));
    *ret = raw;
    return !strstr(text->str, "\"times\":9") || error_set(error, refuses, "no room for it");
}

/* One that has no room even alone is one key's word; what is not of a record ends the verification. */
static void what_cannot_be_decoded_is_of_its_key_unless_it_is_of_no_record(void **state)
{
    static const enum error_code CODES[] = {SLUICE_ERROR_TOO_BIG, SLUICE_ERROR_BAD_RECORD, SLUICE_ERROR_STORE};
    for (size_t i = 0; i < G_N_ELEMENTS(CODES); i++) {
        struct scene scene;
        struct ended ended;
        scene_init(&scene, ELSEWHERE, LUA);
        scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":0}");
        scene_put(&scene, "origin", "l", "{\"at\":5,\"times\":0}");
        written(&scene);
        scene_put(&scene, "items", "k", "{\"at\":5,\"times\":9}");
        refuses = CODES[i];
        scene.faulty_mem.table.decode = decode_none;
        scene_check(&scene, &ended);
        assert_int_equal(ended.by_error, i == 2);
        assert_true(i == 2 ? ended.code == CODES[i]
                           : strstr(ended.text, "1 changed_since") && strstr(ended.text, "1 equal"));
        ended_done(&ended);
        scene_done(&scene);
    }
}

static bool encode_none(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                        GError **error)
{
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "it holds nothing any more");
}

static void what_its_store_cannot_hold_any_more_is_wanted_all_the_same(void **state)
{
    struct scene scene;
    begin(&scene, ELSEWHERE);
    scene.faulty_mem.table.encode = encode_none;
    judge(&scene, VERIFY_EQUAL, true);
    scene_put(&scene, "origin", "k", "{\"at\":5,\"times\":7}");
    judge(&scene, VERIFY_DIFFERING, false);
    scene_done(&scene);
}

/* Segments that somebody has removed. */
static void what_counts_as_written_and_is_not_in_the_log_is_in_doubt(void **state)
{
    struct scene scene;
    GError *error = NULL;
    g_autoptr(GPtrArray) names = NULL;
    begin(&scene, SAME);
    g_autofree char *dir = g_build_filename(scene.home, "undo", "job.1", NULL);
    kit_ok(file_list(world_real(), dir, &names, &error));
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(dir, names->pdata[i], NULL);
        if (g_str_has_suffix(path, ".undo"))
            kit_ok(file_unlink(world_real(), path, &error));
    }
    judge(&scene, VERIFY_IN_DOUBT, false);
    scene_done(&scene);
}

/* Nothing was listed, and so nothing compared: what came up is no proof of anything. */
static void a_run_of_nothing_that_missed_something_does_not_pass(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, SAME, LUA);
    scene_put(&scene, "items", "k", "{}");
    scene_remove(&scene, "items", "k"); /* there is such a dataset */
    written(&scene);
    scene_put(&scene, "items", "k", "{\"times\":0}");
    judge(&scene, VERIFY_UNVISITED, false);
    scene.sure =
        (struct sampling_wish){0.9, 0.5}; /* of nothing there is no sample, and nothing is looked for beside one */
    scene_verify(&scene, &result);
    assert_int_equal(result.drawn, 0);
    assert_true(result.pass);
    verify_result_done(&result);
    scene_done(&scene);
}

/* Whatever the verifier meets: it is one key's word, and not the end of the verification. */
static void what_cannot_be_read_is_told_of_its_key_alone(void **state)
{
    static const struct {
        const char *spec, *dataset, *before;
        enum verify_class class;
        bool pass;
        const char *line; /* of the report; NULL: it has none */
    } ROWS[] = {
        {ELSEWHERE, "origin", "{\"at\":5,\"times\":0}", VERIFY_REFUSED, true, NULL},
        {SAME, "items", "{\"at\":1,\"same\":true}", VERIFY_CHANGED_SINCE, true, "no document of this store"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        g_autofree char *report = NULL;
        scene_init(&scene, ROWS[i].spec, LUA);
        scene_put(&scene, ROWS[i].dataset, "k", ROWS[i].before);
        scene_put(&scene, ROWS[i].dataset, "l", ROWS[i].before);
        written(&scene);
        scene_put(&scene, ROWS[i].dataset, "k", "{\"at\":5,\"times\":9}");
        scene.faulty_mem.table.decode = decode_some;
        scene_verify(&scene, &result);
        if (result.of[ROWS[i].class] != 1 || result.pass != ROWS[i].pass)
            fail_msg("row %zu: %s", i, result.sentence);
        assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
        assert_true(ROWS[i].line ? strstr(report, ROWS[i].line) != NULL : *report == '\0');
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);

/* Of a type that has no form. */
static bool read_torn(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = read_really(session, call, io, n, error);
    for (size_t i = 0; ok && i < n; i++)
        if (io[i].presence == RECORD_PRESENT && slice_equal(io[i].key, slice_of_text("k"))) {
            io[i].presence = RECORD_FAULT;
            io[i].fault.text = "of another type";
            io[i].raw = SLICE_EMPTY;
        }
    return ok;
}

static void what_is_no_record_any_more_is_not_comparable_and_what_is_gone_is_the_applications(void **state)
{
    static const struct {
        const char *spec, *json;
        bool removed;
        enum verify_class class;
    } ROWS[] = {
        {SAME, "{\"same\":true}", false, VERIFY_NOT_COMPARABLE},
        {SAME, "{\"times\":0}", false, VERIFY_NOT_COMPARABLE},
        {SAME, "{\"same\":true}", true, VERIFY_CHANGED_SINCE},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        scene_init(&scene, ROWS[i].spec, LUA);
        scene_put(&scene, "items", "k", ROWS[i].json);
        scene_put(&scene, "items", "l", ROWS[i].json);
        written(&scene);
        if (ROWS[i].removed)
            scene_remove(&scene, "items", "k");
        read_really = scene.faulty_mem.table.read;
        scene.faulty_mem.table.read = read_torn;
        scene_verify(&scene, &result);
        if (result.of[ROWS[i].class] != 1 || result.pass != ROWS[i].removed)
            fail_msg("row %zu: %s", i, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static size_t reads;

/* No more than two records have room in memory. */
static bool read_two(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    reads++;
    return n <= 2 ? read_really(session, call, io, n, error)
                  : error_set(error, SLUICE_ERROR_TOO_BIG, "it does not fit into the memory of the call");
}

static void what_does_not_fit_together_is_judged_a_portion_at_a_time_each_key_once(void **state)
{
    static const char *const SPECS[] = {SAME, ELSEWHERE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        scene_init(&scene, SPECS[i], LUA);
        for (char key[] = "k0"; key[1] <= '8'; key[1]++) {
            scene_put(&scene, "items", key, key[1] > '5' ? "{\"same\":true}" : "{\"at\":1,\"times\":0}");
            scene_put(&scene, "origin", key, key[1] > '5' ? "{\"same\":true}" : "{\"at\":5,\"times\":0}");
        }
        written(&scene);
        scene_put(&scene, "items", "k1", "{\"mine\":true}");
        scene_put(&scene, "items", "k2", "{\"mine\":true}");
        scene_put(&scene, "items", "k4", "{\"at\":1,\"times\":0}");
        reads = 0;
        read_really = scene.faulty_mem.table.read;
        scene.faulty_mem.table.read = read_two;
        scene_verify(&scene, &result);
        if (result.compared != 9 || result.of[VERIFY_EQUAL] != 6 || result.of[VERIFY_CHANGED_SINCE] != 2 ||
            result.of[VERIFY_MISSING] != 1 || result.pass)
            fail_msg("row %zu: %s", i, result.sentence);
        assert_true(reads > 5);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static bool encode_some(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                        GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    assert_true(document_to_json(document, text, NULL));
    *ret = document;
    return !strstr(text->str, "\"times\":78") || error_set(error, SLUICE_ERROR_BAD_RECORD, "it does not hold that");
}

/* Came up after the listing: counted against the run only where it would have done something. */
static void what_came_up_is_unvisited_where_the_run_would_change_something(void **state)
{
    static const struct {
        const char *spec, *dataset, *json;
        bool unvisited;
    } ROWS[] = {
        {SAME, "items", "{\"times\":0}", true},
        {SAME, "items", "{\"same\":true}", false},
        {SAME, "items", "{\"gone\":true}", true},
        {SAME, "items", "{\"skip\":true}", false},
        {SAME, "items", "{\"turn\":1,\"b\":2}", false},
        {SAME, "items", "{\"times\":9}", false},
        {ELSEWHERE, "origin", "{\"times\":0}", true},
        {ELSEWHERE, "origin", "{\"gone\":true}", true},
        {ELSEWHERE, "origin", "{\"times\":9}", false},
        {SAME, "items", "{\"times\":77}", false}, /* its store cannot hold what the run would make of it */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        scene_init(&scene, ROWS[i].spec, LUA);
        scene_put(&scene, ROWS[i].dataset, "a", "{\"at\":1,\"times\":0}");
        written(&scene);
        scene_put(&scene, ROWS[i].dataset, "b", ROWS[i].json);
        scene.faulty_mem.table.decode = decode_some; /* {"times": 9} is none */
        scene.faulty_mem.table.encode = encode_some;
        scene_verify(&scene, &result);
        if (result.of[VERIFY_UNVISITED] != ROWS[i].unvisited || result.of[VERIFY_APPEARED] != !ROWS[i].unvisited)
            fail_msg("row %zu: %s", i, result.sentence);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* --- report and sample
 * -------------------------------------------------------------------------------------------------- */

static void the_report_names_the_fields_that_differ(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autofree char *report = NULL;
    begin(&scene, SAME);
    scene_put(&scene, "items", "k", "{\"at\":1,\"times\":3,\"new\":true}");
    scene_verify(&scene, &result);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_non_null(strstr(report, "\"key\":\"k\""));
    assert_non_null(strstr(report, "\"kind\":\"changed_since\""));
    assert_non_null(strstr(report, "\"wanted\":{\"at\":1,\"times\":1}"));
    assert_non_null(strstr(report, "\"live\":{\"at\":1,\"times\":3,\"new\":true}"));
    assert_non_null(strstr(report, "\"fields\":[\"times\",\"new\"]"));
    verify_result_done(&result);
    scene_done(&scene);
}

static void the_report_of_equal_sides_is_empty(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autofree char *report = NULL;
    begin(&scene, SAME);
    scene_verify(&scene, &result);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    assert_string_equal(report, "");
    assert_true(set_digest_equal(&result.wanted, &result.live));
    verify_result_done(&result);
    scene_done(&scene);
}

/* What took the place of the sampled records the verifier saw too, right before it was written over. */
static void a_sample_that_the_application_has_overtaken_is_told_and_passes(void **state)
{
    struct scene scene;
    struct process process;
    struct verify_result result;
    scene_init(&scene, SAME, LUA);
    for (int i = 0; i < 40; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(&scene, "items", key, "{\"was\":1,\"times\":0}");
    }
    process_first(&process, &scene); /* reads the sample */
    for (int i = 0; i < 30; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(&scene, "items", key, "{\"was\":2,\"times\":0}");
    }
    process_done(&process);
    scene_verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_EQUAL], 40);
    assert_true(result.pass);
    assert_non_null(strstr(result.sentence, ", 30 of them as the application changed them"));
    assert_non_null(strstr(result.json, "\"agree\":40,\"changed\":30,\"refuted\":0,\"not_comparable\":0"));
    verify_result_done(&result);
    scene_done(&scene);
}

/* What cannot be read before the first write is no pre-image of anything. */
static void what_cannot_be_read_is_not_sampled(void **state)
{
    struct scene scene;
    struct verify_result result;
    scene_init(&scene, SAME, LUA);
    scene_put(&scene, "items", "k", "{\"times\":9}");
    scene_put(&scene, "items", "l", "{\"times\":0}");
    scene.faulty_mem.table.decode = decode_some;
    written(&scene);
    scene_verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_EQUAL], 1);
    assert_int_equal(result.of[VERIFY_REFUSED], 1);
    assert_non_null(strstr(result.sentence, "1 of 1 pre-images sampled"));
    verify_result_done(&result);
    scene_done(&scene);
}

/* A transform that takes from one record into the next is a function of its records' order: the verifier goes the other
 * way round, so that the gate finds what no reading of the records alone could. */
static void a_transform_that_remembers_is_found(void **state)
{
    static const char *const SPECS[] = {SAME, ELSEWHERE};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        scene_init(&scene, SPECS[i],
                   "local last = 0\nfunction transform(doc, ctx)\n  last = last + doc.n\n  doc.sum = last\n"
                   "  return doc\nend\n");
        for (int k = 0; k < 5; k++) {
            char key[2] = {(char)('a' + k), 0};
            scene_put(&scene, "items", key, i ? "{\"at\":1,\"n\":1}" : "{\"at\":5,\"n\":1}");
            scene_put(&scene, "origin", key, "{\"at\":5,\"n\":1}");
        }
        scene_ran(&scene, 4);
        scene_done(&scene);
    }
}

/* Of each batch the first record changes before its cas, so that its entry comes behind the others' in the log; and the
 * log is larger than the room for what waits. */
static void what_waits_for_its_key_outlasts_the_room_it_waits_in(void **state)
{
    enum { KEYS = 120, BYTES = 100000 };
    struct scene scene;
    struct process process;
    struct verify_result result;
    g_autofree char *large = g_strnfill(BYTES, 'x');
    g_autofree char *theirs = g_strdup_printf("{\"times\":1,\"s\":\"%s\"}", large);
    g_autofree char *json = g_strdup_printf("{\"times\":0,\"s\":\"%s\"}", large);
    uint64_t changed = 0;
    scene_init(&scene, SAME, LUA);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(&scene, "items", key, json);
    }
    process_first(&process, &scene);
    for (const struct op *op; (op = process_wish(&process, 0))->kind != OP_END; process_step(&process, 0))
        if (op->kind == OP_CAS && op->cas.n > 1) {
            g_autofree char *key = g_strndup((const char *)op->cas.ops[0].key.data, op->cas.ops[0].key.len);
            scene_put(&scene, "items", key, theirs);
            changed++;
        }
    process_done(&process);
    scene_verify(&scene, &result);
    assert_true(changed > 5);
    assert_true(result.pass);
    assert_int_equal(result.of[VERIFY_EQUAL], KEYS);
    verify_result_done(&result);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_for_its_key_outlasts_the_room_it_waits_in),
        cmocka_unit_test(equal_is_what_is_wanted),
        cmocka_unit_test(what_has_no_version_is_not_newer),
        cmocka_unit_test(what_is_to_expire_by_no_time_is_refused),
        cmocka_unit_test(what_is_not_theirs_in_the_last_look_is_in_flight),
        cmocka_unit_test(what_cannot_be_decoded_is_of_its_key_unless_it_is_of_no_record),
        cmocka_unit_test(what_its_store_cannot_hold_any_more_is_wanted_all_the_same),
        cmocka_unit_test(what_counts_as_written_and_is_not_in_the_log_is_in_doubt),
        cmocka_unit_test(a_run_of_nothing_that_missed_something_does_not_pass),
        cmocka_unit_test(missing_is_the_pre_image_or_nothing),
        cmocka_unit_test(changed_since_is_neither_ours_nor_the_pre_image),
        cmocka_unit_test(superseded_is_newer_than_the_source),
        cmocka_unit_test(differing_is_ours_but_not_what_is_wanted),
        cmocka_unit_test(what_a_store_of_texts_gives_back_is_what_is_wanted),
        cmocka_unit_test(kept_is_the_policy_s),
        cmocka_unit_test(refused_and_filtered_are_said_by_the_run),
        cmocka_unit_test(gone_is_listed_and_no_longer_there),
        cmocka_unit_test(expired_is_no_difference),
        cmocka_unit_test(a_difference_that_goes_away_is_none),
        cmocka_unit_test(what_the_application_writes_all_the_time_is_the_applications),
        cmocka_unit_test(what_never_stands_still_and_was_once_not_theirs_is_in_flight_and_counts),
        cmocka_unit_test(what_is_in_flight_has_its_looks_and_its_age_in_the_report),
        cmocka_unit_test(what_has_no_form_any_more_is_the_applications_where_the_run_knows_its_bytes_and_says_why),
        cmocka_unit_test(what_cannot_be_read_is_told_of_its_key_alone),
        cmocka_unit_test(what_is_no_record_any_more_is_not_comparable_and_what_is_gone_is_the_applications),
        cmocka_unit_test(what_does_not_fit_together_is_judged_a_portion_at_a_time_each_key_once),
        cmocka_unit_test(what_came_up_is_unvisited_where_the_run_would_change_something),
        cmocka_unit_test(the_report_names_the_fields_that_differ),
        cmocka_unit_test(what_cannot_be_read_is_not_sampled),
        cmocka_unit_test(the_report_of_equal_sides_is_empty),
        cmocka_unit_test(a_transform_that_remembers_is_found),
        cmocka_unit_test(a_sample_that_the_application_has_overtaken_is_told_and_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
