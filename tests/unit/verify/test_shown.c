/* What people are shown of a verification, with more of everything than there is room for, and bytes that are no text.
 */
#include "kit/document.h"
#include "kit/scene.h"
#include "record/path.h"
#include "verify/page.h"
#include "verify/picture.h"
#include "verify/plots.h"
#include "verify/rules.h"
#include "verify/times.h"
#include "verify/verify_parts.h"

static void what_comes_from_records_is_escaped(void **state)
{
    static const struct {
        const char *text, *shown;
    } ROWS[] = {
        {"a & <b> \"c\" 'd'", "a &amp; &lt;b&gt; &quot;c&quot; &#39;d&#39;"},
        {"ü", "ü"},
        {"\n", "\\u{a}"},
        {"a\u202eb", "a\\u{202e}b"}, /* turns what follows round */
        {"\xff"
         "a",
         "\\xffa"},
        {"a\xe2\x82", "a\\xe2\\x82"}, /* the beginning of a character */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GString) page = g_string_new(NULL);
        page_escape(page, ROWS[i].text);
        assert_string_equal(page->str, ROWS[i].shown);
    }
}

static void a_key_is_named_by_its_beginning(void **state)
{
    char large[200];
    memset(large, 'k', sizeof large);
    g_autofree char *none = rule_key_text(SLICE_EMPTY), *whole = rule_key_text(slice_of_text("a\xff")),
                    *cut = rule_key_text(slice_of(large, sizeof large));
    assert_string_equal(none, "");
    assert_string_equal(whole, "a\xef\xbf\xbd");
    assert_int_equal(strlen(cut), 80);
}

/* --- differences -------------------------------------------------------------------------------------------------- */

static void there_are_more_differences_than_are_shown(void **state)
{
    enum { FIELDS = PICTURE_FIELDS + 3 };
    auto_(arena) mem = arena_new(1 << 20);
    struct picture *picture = picture_new(false);
    g_autofree char *large = g_strnfill(PICTURE_BYTES - 9, 'x');
    g_autofree char *json = g_strdup_printf("{\"s\": \"%süüü\"}", large);
    struct difference difference = {.class = VERIFY_DIFFERING,
                                    .key = {(const uint8_t *)"\xff\x01", 2},
                                    .wanted = kit_document(json, mem),
                                    .live = kit_document("{\"s\": 1}", mem)};
    json_t *fields = json_array();
    uint64_t more;
    for (int i = 0; i < FIELDS; i++) {
        g_autofree char *name = g_strdup_printf("f%d", i);
        json_array_append_new(fields, json_string(name));
    }
    for (int i = 0; i < PICTURE_LINES + 1; i++)
        picture_add(picture, &difference, fields);
    const GPtrArray *shown = picture_fields(picture, &more), *lines = picture_kept(picture);
    const struct picture_field *field = shown->pdata[0];
    const struct picture_line *line = lines->pdata[0];
    assert_int_equal(shown->len, PICTURE_FIELDS);
    assert_int_equal(more, 3 * (PICTURE_LINES + 1));
    assert_int_equal(field->count, PICTURE_LINES + 1);
    assert_int_equal(field->keys->len, PICTURE_KEYS);
    assert_int_equal(lines->len, PICTURE_LINES);
    assert_string_equal(line->key, "{\"base64\":\"/wE=\"}");
    assert_string_equal(line->live, "{\"s\":1}");
    assert_true(g_utf8_validate(line->wanted, -1, NULL)); /* cut between two characters */
    assert_true(g_str_has_suffix(line->wanted, "x…") || g_str_has_suffix(line->wanted, "ü…"));
    assert_in_range(strlen(line->wanted), PICTURE_BYTES - 2, PICTURE_BYTES + 3);
    json_decref(fields);
    picture_free(picture);
}

static void the_page_says_how_many_fields_it_has_no_room_for(void **state)
{
    struct scene scene;
    struct verify_result result;
    g_autoptr(GString) many = g_string_new("{\"mine\":1");
    g_autofree char *page = NULL;
    scene_init(&scene,
               "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"
               "target: { store: \"mem:s\", dataset: items }\n",
               "function transform(doc, ctx)\n  doc.n = 1\n  return doc\nend\n");
    scene_put(&scene, "items", "k", "{}");
    scene_ran(&scene, 0);
    for (int i = 0; i < PICTURE_FIELDS + 5; i++)
        g_string_append_printf(many, ",\"f%d\":1", i);
    g_string_append(many, "}");
    scene_put(&scene, "items", "k", many->str);
    scene_verify(&scene, &result);
    assert_true(g_file_get_contents(result.page_path, &page, NULL, NULL));
    assert_non_null(strstr(page, "<p>7 more, of other fields.</p>")); /* n and mine beside them */
    verify_result_done(&result);
    scene_done(&scene);
}

/* --- values ------------------------------------------------------------------------------------------------------- */

enum { RECORDS = 200 };

static struct past *baseline_of(const char *json)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct past *past = past_new("nightly.1", true);
    struct past_part part = {.keys = RECORDS, .profile = profile_new()};
    for (int i = 0; i < RECORDS; i++)
        profile_add(part.profile, kit_document(json, mem));
    g_array_append_val(past->parts, part);
    past_join(past);
    return past;
}

struct told {
    GString *page, *words;
    char *json;
};

static void told_done(struct told *told)
{
    g_string_free(told->page, TRUE);
    g_string_free(told->words, TRUE);
    free(told->json);
}

static void tell(struct told *ret, const struct past *baseline, const char *before, const char *after)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct verify_input input = {.baseline = (struct past *)(uintptr_t)baseline};
    struct shift *shift = shift_new(&input, RECORDS);
    *ret = (struct told){g_string_new(NULL), g_string_new(NULL), NULL};
    for (int i = 0; i < RECORDS; i++)
        shift_add(shift, kit_document(before, mem), kit_document(after, mem));
    plots_put(ret->page, shift, baseline);
    shift_words(shift, ret->words);
    json_t *json = shift_json(shift);
    ret->json = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    shift_free(shift);
}

/* A field that only one of the three has; more of them moved than are named. */
static void fields_that_come_and_go_are_drawn_and_told(void **state)
{
    static const char BEFORE[] = "{\"gone\": 1, \"stays\": 5, \"o\": {}}";
    static const char AFTER[] = "{\"new\": 1, \"stays\": 5, \"o\": {}, \"a\": 1, \"b\": 1, \"c\": 1}";
    auto_(past) past = baseline_of("{\"once\": \"x\", \"stays\": 5, \"o\": {}}");
    struct told told;
    tell(&told, past, BEFORE, AFTER);
    assert_non_null(strstr(told.page->str, "only in the baseline"));
    assert_non_null(strstr(told.page->str, "only before"));
    assert_non_null(strstr(told.page->str, "only after"));
    assert_non_null(strstr(told.words->str, "; values have shifted of "));
    assert_non_null(strstr(told.words->str, " and 2 more fields"));
    assert_non_null(strstr(told.words->str, "; values have moved against nightly.1 of "));
    assert_null(strstr(told.words->str, "moved again,"));
    assert_non_null(strstr(told.json, "{\"field\":\"once\",\"flagged\":true,\"moved_before\":false"));
    told_done(&told);
}

static void without_a_baseline_each_field_is_drawn_of_the_two(void **state)
{
    struct told told;
    tell(&told, NULL, "{\"n\": 1}", "{\"n\": 1}");
    assert_null(strstr(told.page->str, "baseline,"));
    assert_string_equal(told.words->str, "");
    assert_non_null(strstr(told.json, "\"baseline\":null"));
    told_done(&told);
}

/* Not the lengths of their texts, which are alike. */
static void of_numbers_their_values_are_drawn(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    struct verify_input input = {0};
    struct shift *shift = shift_new(&input, RECORDS);
    g_autoptr(GString) page = g_string_new(NULL);
    for (int i = 0; i < RECORDS; i++) {
        g_autofree char *json = g_strdup_printf("{\"n\": %d}", 700 + i);
        shift_add(shift, kit_document(json, mem), kit_document(json, mem));
    }
    plots_put(page, shift, NULL);
    assert_non_null(strstr(page->str, "<small>701"));
    shift_free(shift);
}

/* --- time buckets ------------------------------------------------------------------------------------------------- */

static void out_of_line(struct times_found *found, int flags)
{
    found->flags = g_array_new(FALSE, FALSE, sizeof(struct bucket_flag));
    for (int i = 0; i < flags; i++) {
        struct bucket_flag flag = {
            .of = i % 2 ? BUCKET_SUM : BUCKET_COUNT, .spike = i % 3 == 0, .from_us = 1000000 * i};
        g_array_append_val(found->flags, flag);
    }
}

static const struct {
    int flags; /* -1: they cannot be judged */
    uint64_t records, undated, summed;
    bool sum;
    const char *words, *page;
} TIMES[] = {
    {0, 9, 0, 9, true, NULL, "nothing is out of line"},
    {0, 9, 0, 0, true, "no record has a number in n to be added up", "nothing is out of line; no record has"},
    {2, 9, 0, 0, true, "; time buckets hours: a spike of counts", "to be added up<br>a spike of counts"},
    {1, 9, 0, 0, false, "; time buckets hours: a spike of counts", "<td>a spike"},
    {5, 9, 0, 9, true, " and 2 more", "<br>a trough of sums"},
    {103, 9, 0, 9, true, " and 100 more", "<br>and 3 more"},
    {-1, 0, 0, 0, true, NULL, "nothing is out of line"},
    {-1, 0, 9, 0, true, "cannot be judged: no record has a point in time there", "no record has a point in time there"},
};

static void as_many_buckets_are_told_as_have_room(void **state)
{
    GError *error = NULL;
    auto_(path) path = NULL;
    kit_ok(path_parse(&path, "n", &error));
    for (size_t i = 0; i < G_N_ELEMENTS(TIMES); i++) {
        struct spec_buckets of = {.name = "hours", .field = path, .sum = TIMES[i].sum ? path : NULL};
        struct times_found found = {.of = &of,
                                    .buckets = buckets_new(1000000),
                                    .records = TIMES[i].records,
                                    .undated = TIMES[i].undated,
                                    .summed = TIMES[i].summed};
        g_autoptr(GString) words = g_string_new(NULL), page = g_string_new(NULL);
        g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof found);
        if (TIMES[i].flags >= 0)
            out_of_line(&found, TIMES[i].flags);
        g_array_append_val(all, found);
        times_words(all, words);
        times_put(page, all);
        json_t *json = times_json(all);
        json_t *flags = json_object_get(json_array_get(json, 0), "flags");
        assert_int_equal(json_array_size(flags), CLAMP(TIMES[i].flags, 0, 100));
        json_decref(json);
        if (!TIMES[i].words ? words->len > 0 : !strstr(words->str, TIMES[i].words))
            fail_msg("row %zu: %s", i, words->str);
        if (!strstr(page->str, TIMES[i].page))
            fail_msg("row %zu: %s", i, page->str);
        g_clear_pointer(&found.flags, g_array_unref);
        buckets_free(found.buckets);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_from_records_is_escaped),
        cmocka_unit_test(a_key_is_named_by_its_beginning),
        cmocka_unit_test(there_are_more_differences_than_are_shown),
        cmocka_unit_test(the_page_says_how_many_fields_it_has_no_room_for),
        cmocka_unit_test(fields_that_come_and_go_are_drawn_and_told),
        cmocka_unit_test(without_a_baseline_each_field_is_drawn_of_the_two),
        cmocka_unit_test(of_numbers_their_values_are_drawn),
        cmocka_unit_test(as_many_buckets_are_told_as_have_room),
    };
    return cmocka_run_group_tests_name("verify/shown", tests, NULL, NULL);
}
