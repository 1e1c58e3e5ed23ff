/* Gates and verifications by a sample: what they look at, what they say of it, and what they leave. */
#include <math.h>

#include <jansson.h>

#include "kit/scene.h"
#include "run/check.h"
#include "verify/shift.h"

#define KEYS 400

#define STAGES(gate)                                                                                                   \
    "stages: [{ name: full, scope: 100%, gate: { verify: " gate " } }]\nworkers: 2\npartitions: { count: 4 }\n"
#define SAMPLE "{ confidence: 90%, below: 5% }"
#define TARGET "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"
#define SAME(gate)                                                                                                     \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\n" STAGES(gate)
#define ELSEWHERE(gate)                                                                                                \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n" TARGET STAGES(  \
        gate)
#define FILES(gate)                                                                                                    \
    "sluice: 1\nname: job\nsource: { store: \"file:.\", dataset: in.ndjson, key: id }\ntransform: { lua: t.lua "       \
    "}\n" TARGET                                                                                                       \
    STAGES(gate)
#define MANY_PARTITIONS                                                                                                \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n" TARGET          \
    "stages: [{ name: full, scope: 100%, gate: { verify: full } }]\npartitions: { count: 200 }\n"
#define LUA "function transform(doc, ctx)\n  doc.times = doc.times + 1\n  return doc\nend\n"
/* A record that comes out otherwise whenever it is made: none of them is what is wanted. */
#define REMEMBERS "local n = 0\nfunction transform(doc, ctx)\n  n = n + 1\n  doc.times = n\n  return doc\nend\n"

#define LARGE                                                                                                          \
    "function transform(doc, ctx)\n  doc.times = doc.times + 1\n"                                                      \
    "  if tonumber(doc.id:sub(2)) % 10 == 3 then doc.text = ('x'):rep(900) end\n  return doc\nend\n"
#define TWO "function transform(doc, ctx) return { { id = doc.id .. 'a' }, { id = doc.id .. 'b' } } end\n"

static const char *const SAMPLED[] = {SAME(SAMPLE), ELSEWHERE(SAMPLE), FILES(SAMPLE)};
static const char *const FULL[] = {SAME("full"), ELSEWHERE("full"), FILES("full")};
static const struct sampling_wish SURE = {0.9, 0.05};

static void begin_with(struct scene *scene, const char *spec, const char *lua, int keys)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    scene_init(scene, spec, lua);
    for (int i = 0; i < keys; i++) {
        g_autofree char *key = g_strdup_printf("k%03d", i), *json = g_strdup_printf("{\"id\":\"%s\",\"times\":0}", key);
        g_string_append_printf(lines, "%s\n", json);
        scene_put(scene, "items", key, json);
        scene_put(scene, "origin", key, json);
    }
    scene_file(scene, "in.ndjson", lines->str);
}

static void begin(struct scene *scene, const char *spec, const char *lua)
{
    begin_with(scene, spec, lua, KEYS);
}

static uint64_t verify(struct scene *scene, struct verify_result *ret)
{
    uint64_t before = scene->plan.calls[FAULT_READ];
    scene_verify(scene, ret);
    return scene->plan.calls[FAULT_READ] - before;
}

/* Of 400 keys 44 make one so sure, and of each of four partitions as many, rounded up. */
#define DRAWN(result) assert_in_range((result)->drawn, 44, 48)

static void a_sample_looks_at_so_many_and_says_what_they_prove(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(FULL); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, FULL[i], LUA);
        scene_ran(&scene, 0);
        scene.sure = SURE;
        verify(&scene, &result);
        DRAWN(&result);
        assert_true(result.pass);
        assert_int_equal(result.compared, result.drawn);
        assert_int_equal(result.of[VERIFY_EQUAL], result.drawn);
        assert_int_equal(result.drawn_from, KEYS);
        assert_true(result.below > 0 && result.below <= 0.05);
        assert_int_equal(result.by_sums + result.in_full, 0);
        assert_non_null(strstr(result.sentence, "a sample of 4"));
        assert_non_null(strstr(result.sentence, " of the 400 keys of 4 partitions compared: 0 of 4"));
        assert_non_null(strstr(result.sentence, "; with 90% confidence fewer than 5% of all do, 35"));
        assert_non_null(strstr(result.sentence, " were not looked at"));
        assert_non_null(strstr(result.json, "\"confidence\":0.9"));
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* However many more there are: the figures are of those that are read, and these are few enough. */
static void what_the_values_are_like_is_told_of_all_that_is_drawn(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin_with(&scene, ELSEWHERE("full"), LUA, 2 * SHIFT_RECORDS);
    scene_ran(&scene, 0);
    scene.sure = SURE;
    verify(&scene, &result);
    assert_true(result.drawn >= 44 && result.drawn < 100);
    g_autofree char *records = g_strdup_printf("\"profile\":{\"records\":%" G_GUINT64_FORMAT ",", result.drawn);
    assert_non_null(strstr(result.json, records));
    verify_result_done(&result);
    scene_done(&scene);
}

/* Of partitions of which the forerun looks at more keys than their share each still counts for its share alone: the
 * bound is that of as many draws as the sample is large, and no lower. */
static void no_partition_counts_for_more_than_its_share(void **state)
{
    static const struct sampling_wish WISH = {0.9, 0.02};
    struct scene scene;
    struct verify_result result;
    double below = 0;
    begin(&scene, MANY_PARTITIONS, LUA);
    scene_ran(&scene, 0);
    scene.sure = WISH;
    verify(&scene, &result);
    assert_true(result.drawn >= KEYS / 2); /* a key of each, and the forerun's */
    json_t *json = json_loads(result.json, 0, NULL);
    assert_int_equal(json_unpack(json, "{s:{s:[{s:F}]}}", "sample", "by_size", "below", &below), 0);
    assert_true(fabs(below / sampling_share(0, (double)sampling_size(KEYS, true, &WISH), WISH.confidence) - 1) < 1e-6);
    json_decref(json);
    verify_result_done(&result);
    scene_done(&scene);
}

/* The keys of a sample are always the same ones; of those of others nothing is said. */
static void a_difference_is_found_if_it_is_drawn_and_the_draw_stays(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(FULL); i++) {
        struct scene scene;
        struct verify_result result, again;
        begin(&scene, FULL[i], LUA);
        scene_ran(&scene, 0);
        for (int k = 0; k < KEYS; k += 5) { /* the pre-image is back */
            g_autofree char *key = g_strdup_printf("k%03d", k),
                            *json = g_strdup_printf("{\"id\":\"%s\",\"times\":0}", key);
            scene_put(&scene, "items", key, json);
        }
        scene.sure = SURE;
        verify(&scene, &result);
        assert_false(result.pass);
        if (!result.stopped) {
            DRAWN(&result);
            assert_in_range(result.of[VERIFY_MISSING], 1, 20); /* a fifth of them, about */
            double found = (double)result.of[VERIFY_MISSING] / (double)result.drawn;
            struct sampling_frame frame = {KEYS, 44, true};
            uint64_t most = sampling_bound(&frame, result.of[VERIFY_MISSING], SURE.confidence);
            assert_true(result.below > found && result.below == (double)most / KEYS);
        }
        verify(&scene, &again);
        assert_memory_equal(again.of, result.of, sizeof again.of);
        verify_result_done(&again);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* What was not looked at is not taken for known later. */
static void a_gate_by_a_sample_passes_and_leaves_no_sums(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SAMPLED); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, SAMPLED[i], LUA);
        scene_ran(&scene, 0);
        assert_int_equal(scene_sums_kept(&scene), 0);
        scene.plan.calls[FAULT_READ] = 0;
        verify(&scene, &result);
        assert_int_equal(result.by_sums, 0);
        assert_int_equal(result.in_full, 4);
        assert_int_equal(result.drawn, 0);
        assert_int_equal(result.compared, KEYS);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static void a_gate_by_a_sample_fails_where_it_finds_something(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SAMPLED); i++) {
        struct scene scene;
        struct ended ended;
        begin(&scene, SAMPLED[i], REMEMBERS);
        scene_run(&scene, &ended);
        assert_int_equal(ended.status, 4);
        assert_non_null(strstr(ended.text, "a sample of "));
        ended_done(&ended);
        scene_done(&scene);
    }
}

/* Of a listed source elsewhere: sixteen are enough where all of them are bad. */
static void a_bad_stage_ends_its_sample_after_a_few_records(void **state)
{
    struct scene scene;
    struct ended ended;
    begin(&scene, ELSEWHERE(SAMPLE), REMEMBERS);
    scene_run(&scene, &ended);
    assert_int_equal(ended.status, 4);
    assert_non_null(strstr(ended.text, "a sample of 16 of the 400 keys"));
    assert_non_null(strstr(ended.text, "with 90% confidence more than 5% of all do, 384 were not looked at"));
    ended_done(&ended);
    scene_done(&scene);
}

/* Nine in ten of a few keys: then all, whose sums are kept. */
static void a_sample_of_nearly_all_is_all(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SAMPLED); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, FULL[i], LUA);
        scene_ran(&scene, 0);
        scene.sure = (struct sampling_wish){0.999, 0.001};
        verify(&scene, &result);
        assert_int_equal(result.drawn, 0);
        assert_int_equal(result.in_full, 4);
        assert_int_equal(result.compared, KEYS);
        assert_true(result.below <= 0);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* They are of the size of what stands there again. */
static void what_was_deleted_and_came_back_is_told_by_name_as_long_as_it_is_few(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, ELSEWHERE("full"), "function transform(doc, ctx)\n  return ctx.delete()\nend\n");
    scene_ran(&scene, 0);
    scene.sure = SURE;
    verify(&scene, &result);
    assert_int_equal(result.of[VERIFY_EQUAL], result.drawn);
    assert_null(strstr(result.json, "up to 64 B")); /* what is gone is of no size */
    verify_result_done(&result);
    scene.sure = (struct sampling_wish){0};
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%03d", i);
        scene_put(&scene, "items", key, "{\"back\":1}");
    }
    scene_verify(&scene, &result);
    assert_non_null(strstr(result.sentence, "400 that the run deleted stand there again"));
    verify_result_done(&result);
    scene.sure = SURE;
    verify(&scene, &result);
    assert_in_range(result.drawn, 1, KEYS - 1);
    assert_non_null(strstr(result.json, "up to 64 B"));
    verify_result_done(&result);
    scene_done(&scene);
}

/* What the run kept live or refused is counted among the keys that are looked at, and not beyond. */
static void what_is_set_aside_is_counted_in_the_sample_alone(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(
        &scene, ELSEWHERE("full"),
        "function transform(doc, ctx)\n  if tonumber(doc.id:sub(2)) % 2 == 0 then return nil end\n  return doc\nend\n");
    scene_ran(&scene, 0);
    scene.sure = SURE;
    verify(&scene, &result);
    DRAWN(&result);
    assert_int_equal(result.of[VERIFY_FILTERED] + result.of[VERIFY_EQUAL], result.drawn);
    assert_in_range(result.of[VERIFY_FILTERED], 8, 40);
    assert_int_equal(result.compared, result.of[VERIFY_EQUAL]);
    verify_result_done(&result);
    scene_done(&scene);
}

/* Where so little is asked that a few keys prove it, nothing is looked at before them. */
static void however_little_is_asked_it_is_proven_by_what_is_looked_at(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, ELSEWHERE("full"), LUA);
    scene_ran(&scene, 0);
    scene.sure = (struct sampling_wish){0.9, 0.6};
    verify(&scene, &result);
    assert_in_range(result.drawn, 4, 12);
    assert_true(result.pass);
    verify_result_done(&result);
    scene_done(&scene);
}

/* The forerun of a large sample has several lots; where the first is bad there is no second. */
static void a_large_sample_ends_with_its_first_lot_where_that_is_bad(void **state)
{
    enum { MANY = 4000 };
    for (int bad = 0; bad < 2; bad++) {
        struct scene scene;
        struct verify_result result;
        begin_with(&scene, ELSEWHERE("full"), LUA, MANY);
        scene_ran(&scene, 0);
        for (int i = 0; bad && i < MANY; i++) {
            g_autofree char *key = g_strdup_printf("k%03d", i);
            g_autofree char *before = g_strdup_printf("{\"id\":\"%s\",\"times\":0}", key);
            scene_put(&scene, "items", key, before);
        }
        scene.sure = (struct sampling_wish){0.999, 0.002};
        verify(&scene, &result);
        assert_int_equal(result.stopped, bad);
        assert_int_equal(result.drawn == 16, bad);
        assert_true(bad || result.drawn > 2016); /* whose forerun is as long as one can be */
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* A tenth of all are large, and that is too few of them for what is asked of each: more are drawn, and none twice. */
static void of_each_size_more_is_drawn_until_it_is_known(void **state)
{
    enum { MANY = 4000 };
    static const char *const SPECS[] = {SAME("full"), ELSEWHERE("full"), FILES("full")};
    for (size_t i = 0; i < G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct verify_result result;
        json_int_t rounds = 0;
        begin_with(&scene, SPECS[i], LARGE, MANY);
        scene_ran(&scene, 0);
        scene.sure = (struct sampling_wish){0.9, 0.02, 0.05};
        verify(&scene, &result);
        assert_true(result.pass);
        assert_true(result.drawn > 400 && result.drawn < 2000);
        assert_int_equal(result.compared, result.drawn);
        assert_int_equal(result.of[VERIFY_EQUAL], result.drawn);
        assert_true(result.below <= 0.02);
        assert_non_null(
            strstr(result.sentence, "; of each size that makes up 2% or more of all, fewer than 5% do; no age is"));
        json_t *json = json_loads(result.json, 0, NULL);
        assert_int_equal(json_unpack(json, "{s:{s:I}}", "sample", "rounds", &rounds), 0);
        assert_true(rounds > 1);
        json_decref(json);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Of two hundred partitions most have none of a round's keys. */
static void of_many_partitions_rounds_draw_from_some(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, MANY_PARTITIONS, LUA);
    scene_ran(&scene, 0);
    scene.sure = (struct sampling_wish){0.9, 0.05, 0.5};
    verify(&scene, &result);
    assert_in_range(result.drawn, 40, 150);
    assert_int_equal(result.of[VERIFY_EQUAL], result.drawn);
    assert_true(result.pass);
    verify_result_done(&result);
    scene_done(&scene);
}

/* --- how far it is -------------------------------------------------------------------------------------------------
 */

#define PATIENCE_US (INT64_C(120) * G_USEC_PER_SEC)

static GMutex lock; /* guards what follows */
static GCond heard;
static bool (*read_really)(struct session *, const struct call *, struct record *, size_t, GError **);
static bool reads, told;
static uint64_t told_of;

/* Whoever watches tells how far it is meanwhile. */
static bool read_when_told(struct session *session, const struct call *call, struct record *io, size_t n,
                           GError **error)
{
    int64_t until_us = g_get_monotonic_time() + PATIENCE_US;
    g_mutex_lock(&lock);
    reads = true;
    while (!told && g_cond_wait_until(&heard, &lock, until_us))
        ;
    g_mutex_unlock(&lock);
    return read_really(session, call, io, n, error);
}

static void note_of(struct scene *scene, const struct run_event *event)
{
    g_mutex_lock(&lock);
    if (event->kind == RUN_EVENT_PROGRESS && reads && !told) {
        told_of = event->of;
        told = true;
        g_cond_broadcast(&heard);
    }
    g_mutex_unlock(&lock);
}

static void how_far_it_is_is_told_of_what_is_drawn_and_of_what_may_grow_not_at_all(void **state)
{
    static const struct {
        struct sampling_wish sure;
        bool grows;
    } ROWS[] = {{{0}, false}, {{0.9, 0.05}, false}, {{0.9, 0.05, 0.5}, true}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct verify_result result;
        begin(&scene, ELSEWHERE("full"), LUA);
        scene_ran(&scene, 0);
        scene.full = true;
        scene.sure = ROWS[i].sure;
        scene.event = note_of;
        read_really = scene.faulty_mem.table.read;
        scene.faulty_mem.table.read = read_when_told;
        reads = told = false;
        scene_verify(&scene, &result);
        assert_true(told);
        assert_int_equal(told_of, ROWS[i].grows ? 0 : result.drawn ? result.drawn : KEYS);
        assert_int_equal(result.drawn > 0, ROWS[i].sure.confidence > 0);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* Several records of a key: nothing can be proven of a size but by all of them. */
static void where_nothing_is_proven_of_a_size_all_are_looked_at(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene, FILES("full"), TWO);
    scene_ran(&scene, 0);
    scene.sure = (struct sampling_wish){0.9, 0.05, 0.5};
    verify(&scene, &result);
    assert_true(result.pass);
    assert_int_equal(result.drawn, KEYS);
    assert_int_equal(result.compared, 2 * KEYS);
    assert_non_null(strstr(result.sentence, "; to say it of each size too, all were looked at"));
    verify_result_done(&result);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_looks_at_so_many_and_says_what_they_prove),
        cmocka_unit_test(what_the_values_are_like_is_told_of_all_that_is_drawn),
        cmocka_unit_test(no_partition_counts_for_more_than_its_share),
        cmocka_unit_test(a_difference_is_found_if_it_is_drawn_and_the_draw_stays),
        cmocka_unit_test(a_gate_by_a_sample_passes_and_leaves_no_sums),
        cmocka_unit_test(a_gate_by_a_sample_fails_where_it_finds_something),
        cmocka_unit_test(a_bad_stage_ends_its_sample_after_a_few_records),
        cmocka_unit_test(a_sample_of_nearly_all_is_all),
        cmocka_unit_test(however_little_is_asked_it_is_proven_by_what_is_looked_at),
        cmocka_unit_test(a_large_sample_ends_with_its_first_lot_where_that_is_bad),
        cmocka_unit_test(of_each_size_more_is_drawn_until_it_is_known),
        cmocka_unit_test(of_many_partitions_rounds_draw_from_some),
        cmocka_unit_test(where_nothing_is_proven_of_a_size_all_are_looked_at),
        cmocka_unit_test(how_far_it_is_is_told_of_what_is_drawn_and_of_what_may_grow_not_at_all),
        cmocka_unit_test(what_was_deleted_and_came_back_is_told_by_name_as_long_as_it_is_few),
        cmocka_unit_test(what_is_set_aside_is_counted_in_the_sample_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
