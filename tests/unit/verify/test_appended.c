/* Classes of an append-only target, provoked by what becomes of the files of a run. */
#include <glib/gstdio.h>

#include "base/file.h"
#include "kit/scene.h"

#define FROM_FILE                                                                                                      \
    "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n"                           \
    "transform: { lua: t.lua }\ntarget: { store: \"file:out\", dataset: \"out-*.ndjson\" }\n"                          \
    "partitions: { size: 10 }\nworkers: 2\nprotect: { rejects: 50% }\n"
#define FROM_KEYS                                                                                                      \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"                 \
    "target: { store: \"file:out\", dataset: \"out-*.ndjson\" }\nworkers: 1\n"
#define LUA                                                                                                            \
    "function transform(doc, ctx)\n  if doc.n == 3 then return nil end\n"                                              \
    "  if doc.n == 4 then return ctx.reject('four') end\n  if doc.n == 5 then return ctx.delete() end\n"               \
    "  doc.n = doc.n * 2\n  return doc\nend\n"

enum { KEYS = 40, WANTED = KEYS - 3 };

static void begin(struct scene *scene)
{
    g_autoptr(GString) text = g_string_new(NULL);
    scene_init(scene, FROM_FILE, LUA);
    for (int i = 0; i < KEYS; i++)
        g_string_append_printf(text, "{\"id\": \"k%02d\", \"n\": %d}\n", i, i);
    scene_file(scene, "in/a.ndjson", text->str);
    scene_ran(scene, 8);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The path of the n-th file, by name. */
static char *nth(struct scene *scene, size_t n)
{
    GError *error = NULL;
    g_autofree char *dir = g_build_filename(scene->dir, "out", NULL);
    g_autoptr(GPtrArray) names = NULL;
    kit_ok(file_list(&scene->fake.world, dir, &names, &error));
    g_ptr_array_sort(names, by_text);
    assert_true(n < names->len);
    return g_build_filename(dir, names->pdata[n], NULL);
}

static char *text_of(struct scene *scene, size_t n)
{
    char *text;
    g_autofree char *path = nth(scene, n);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void put_text(struct scene *scene, size_t n, const char *text)
{
    g_autofree char *path = nth(scene, n);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* The n-th file with `from` replaced. */
static void edit(struct scene *scene, size_t n, const char *from, const char *to)
{
    g_autofree char *old = text_of(scene, n);
    g_auto(GStrv) around = g_strsplit(old, from, 2);
    assert_non_null(around[1]);
    g_autofree char *text = g_strjoinv(to, around);
    put_text(scene, n, text);
}

/* The name of the n-th file with another number in it, or another partition. */
static void copy_as(struct scene *scene, size_t n, const char *from, const char *to)
{
    g_autofree char *path = nth(scene, n), *text = text_of(scene, n);
    g_auto(GStrv) around = g_strsplit(path, from, 2);
    assert_non_null(around[1]);
    g_autofree char *other = g_strjoinv(to, around);
    assert_true(g_file_set_contents(other, text, -1, NULL));
}

struct classes {
    uint64_t equal, missing, differing, extra;
};

static char *judge(struct scene *scene, struct classes classes)
{
    struct verify_result result;
    char *report;
    scene_verify(scene, &result);
    assert_int_equal(result.of[VERIFY_EQUAL], classes.equal);
    assert_int_equal(result.of[VERIFY_MISSING], classes.missing);
    assert_int_equal(result.of[VERIFY_DIFFERING], classes.differing);
    assert_int_equal(result.of[VERIFY_EXTRA], classes.extra);
    assert_int_equal(result.of[VERIFY_REFUSED], 1);
    assert_int_equal(result.of[VERIFY_FILTERED], 1);
    assert_int_equal(result.compared, classes.equal + classes.missing + classes.differing);
    assert_int_equal(result.pass, classes.missing + classes.differing + classes.extra == 0);
    assert_true(g_file_get_contents(result.report_path, &report, NULL, NULL));
    verify_result_done(&result);
    return report;
}

static void with_full(struct scene *scene, bool full)
{
    scene->full = full;
}

static void what_the_run_wrote_is_equal_by_sums_and_in_full(void **state)
{
    struct scene scene;
    struct verify_result result;
    begin(&scene);
    for (int full = 0; full < 2; full++) {
        with_full(&scene, full);
        g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED});
        assert_string_equal(report, "");
    }
    with_full(&scene, false);
    scene_verify(&scene, &result);
    assert_int_equal(result.by_sums, 4);
    verify_result_done(&result);
    scene.sure = (struct sampling_wish){0.9, 0.5}; /* of files all is read, whatever is asked */
    scene_verify(&scene, &result);
    assert_int_equal(result.drawn, 0);
    assert_int_equal(result.of[VERIFY_EQUAL], WANTED);
    verify_result_done(&result);
    scene_done(&scene);
}

static void a_file_that_is_gone_is_missing_record_by_record(void **state)
{
    struct scene scene;
    begin(&scene);
    g_autofree char *path = nth(&scene, 1);
    assert_int_equal(g_unlink(path), 0);
    g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED - 10, .missing = 10});
    assert_non_null(strstr(report, "{\"key\":\"k10\",\"kind\":\"missing\",\"wanted\":{\"id\":\"k10\",\"n\":20}"));
    scene_done(&scene);
}

static void a_record_with_other_content_is_differing_and_both_sides_are_told(void **state)
{
    struct scene scene;
    begin(&scene);
    edit(&scene, 2, "\"n\":42", "\"n\":43");
    g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED - 1, .differing = 1});
    assert_string_equal(report, "{\"key\":\"k21\",\"kind\":\"differing\",\"wanted\":{\"id\":\"k21\",\"n\":42},"
                                "\"live\":{\"id\":\"k21\",\"n\":43},\"fields\":[\"n\"]}\n");
    scene_done(&scene);
}

/* As a batch that was done again, and published under another number. */
static void a_record_that_stands_twice_is_extra(void **state)
{
    struct scene scene;
    begin(&scene);
    copy_as(&scene, 3, "-00000001", "-00000077");
    g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED, .extra = 10});
    assert_non_null(strstr(report, "{\"key\":\"k30\",\"kind\":\"extra\",\"wanted\":null"));
    scene_done(&scene);
}

static void a_record_that_the_source_does_not_give_is_extra(void **state)
{
    struct scene scene;
    begin(&scene);
    edit(&scene, 0, "{\"id\":\"k02\"", "{\"id\":\"mine\",\"n\":1}\n{\"id\":\"k02\"");
    g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED, .extra = 1});
    assert_non_null(strstr(report, "{\"key\":\"mine\",\"kind\":\"extra\""));
    scene_done(&scene);
}

static void a_line_that_cannot_be_read_is_extra_and_what_stood_there_missing(void **state)
{
    struct scene scene;
    begin(&scene);
    edit(&scene, 0, "\"k02\",", "\"k02\"");
    g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED - 1, .missing = 1, .extra = 1});
    assert_non_null(strstr(report, "\"why\":"));
    scene_done(&scene);
}

static void a_file_of_a_partition_that_the_run_does_not_have_is_extra(void **state)
{
    struct scene scene;
    begin(&scene);
    copy_as(&scene, 1, "-000001-", "-000099-");
    for (int full = 0; full < 2; full++) {
        with_full(&scene, full);
        g_autofree char *report = judge(&scene, (struct classes){.equal = WANTED, .extra = 10});
        assert_non_null(strstr(report, "a partition that the run does not have"));
    }
    scene_done(&scene);
}

static void files_of_others_are_not_looked_at(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "out/out-0123456789abcdef-000000-00000001.ndjson", "{\"id\":\"other\"}\n");
    scene_file(&scene, "out/out-mine.ndjson", "not even JSON\n");
    for (int full = 0; full < 2; full++) {
        with_full(&scene, full);
        g_free(judge(&scene, (struct classes){.equal = WANTED}));
    }
    scene_done(&scene);
}

/* The order of the lines is not what is promised, nor how a number is written. */
static void the_same_documents_in_another_order_are_equal(void **state)
{
    struct scene scene;
    begin(&scene);
    put_text(
        &scene, 1,
        "{\"id\":\"k19\",\"n\":38}\n{\"n\":20.0,\"id\":\"k10\"}\n{\"id\":\"k12\",\"n\":24}\n"
        "{\"id\":\"k11\",\"n\":22}\n{\"id\":\"k13\",\"n\":26}\n{\"id\":\"k14\",\"n\":28}\n{\"id\":\"k15\",\"n\":30}\n"
        "{\"id\":\"k16\",\"n\":32}\n{\"id\":\"k17\",\"n\":34}\n{\"id\":\"k18\",\"n\":36}\n");
    with_full(&scene, true);
    g_free(judge(&scene, (struct classes){.equal = WANTED}));
    scene_done(&scene);
}

/* Its own partition's: that it stands in another does not make up for it. */
static void a_record_in_another_partition_is_missing_here_and_extra_there(void **state)
{
    struct scene scene;
    begin(&scene);
    edit(&scene, 0, "{\"id\":\"k00\",\"n\":0}\n", "");
    edit(&scene, 1, "{\"id\":\"k11\"", "{\"id\":\"k00\",\"n\":0}\n{\"id\":\"k11\"");
    g_free(judge(&scene, (struct classes){.equal = WANTED - 1, .missing = 1, .extra = 1}));
    scene_done(&scene);
}

/* Keys of the source's own do not stand in the documents. */
static void without_keys_in_the_documents_one_that_differs_is_missing_and_extra(void **state)
{
    struct scene scene;
    scene_init(&scene, FROM_KEYS, LUA);
    for (int i = 0; i < 6; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i);
        scene_put(&scene, "origin", key, i == 2 ? "{\"n\":3}" : i == 3 ? "{\"n\":4}" : "{\"n\":7}");
    }
    scene_ran(&scene, 8);
    with_full(&scene, true);
    g_free(judge(&scene, (struct classes){.equal = 4}));
    edit(&scene, 0, "{\"n\":14}\n", "{\"n\":15}\n");
    g_free(judge(&scene, (struct classes){.equal = 3, .missing = 1, .extra = 1}));
    scene_done(&scene);
}

static void a_rollback_removes_the_files_and_nothing_else(void **state)
{
    struct scene scene;
    begin(&scene);
    scene_file(&scene, "out/out-mine.ndjson", "{}\n");
    scene_taken_back(&scene, 0);
    g_autofree char *left = text_of(&scene, 0);
    assert_string_equal(left, "{}\n");
    g_autofree char *path = nth(&scene, 0);
    assert_non_null(strstr(path, "out-mine.ndjson"));
    scene_taken_back(&scene, 0);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_run_wrote_is_equal_by_sums_and_in_full),
        cmocka_unit_test(a_file_that_is_gone_is_missing_record_by_record),
        cmocka_unit_test(a_record_with_other_content_is_differing_and_both_sides_are_told),
        cmocka_unit_test(a_record_that_stands_twice_is_extra),
        cmocka_unit_test(a_record_that_the_source_does_not_give_is_extra),
        cmocka_unit_test(a_line_that_cannot_be_read_is_extra_and_what_stood_there_missing),
        cmocka_unit_test(a_file_of_a_partition_that_the_run_does_not_have_is_extra),
        cmocka_unit_test(files_of_others_are_not_looked_at),
        cmocka_unit_test(the_same_documents_in_another_order_are_equal),
        cmocka_unit_test(a_record_in_another_partition_is_missing_here_and_extra_there),
        cmocka_unit_test(without_keys_in_the_documents_one_that_differs_is_missing_and_extra),
        cmocka_unit_test(a_rollback_removes_the_files_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
