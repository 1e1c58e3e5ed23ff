/* Another judge of the same pairs, which says what it likes: whatever is no verdict on each ends the verification. */
#include <glib/gstdio.h>

#include "kit/document.h"
#include "kit/kit.h"
#include "store/calls.h"
#include "verify/theirs.h"

/* A judge that is a script, and what it is asked of. */
struct stage {
    char *dir;
    struct spec spec;
    const char *argv[2];
    struct verify_input input;
    struct verification verification;
    struct pass pass;
    GArray *subjects;
};

static void stage_init(struct stage *stage, const char *script)
{
    GError *error = NULL;
    *stage = (struct stage){.dir = g_dir_make_tmp("sluice-theirs-XXXXXX", NULL), .argv = {"./check"}};
    g_autofree char *path = g_build_filename(stage->dir, "check", NULL);
    g_autofree char *text = g_strconcat("#!/bin/sh\n", script, "\n", NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL) && g_chmod(path, 0755) == 0);
    stage->spec = (struct spec){.path = "job.yaml", .dir = stage->dir};
    stage->spec.judge = (struct spec_judge){.argv = stage->argv, .timeout_ms = 600000};
    stage->input = (struct verify_input){.world = world_real(), .judge = &stage->spec};
    stage->verification.input = &stage->input;
    stage->pass =
        (struct pass){.verification = &stage->verification, .input = &stage->input, .mem = arena_new(64 << 20)};
    stage->subjects = g_array_new(FALSE, TRUE, sizeof(struct subject));
    kit_ok(spec_judge_digest(&stage->spec, world_real(), stage->input.judge_digest, &error));
}

static void stage_done(struct stage *stage)
{
    theirs_free(stage->verification.theirs);
    arena_free(stage->pass.mem);
    g_array_unref(stage->subjects);
    kit_dir_remove(stage->dir);
    g_free(stage->dir);
}

/* Both sides have the same. */
static struct subject *ask_of(struct stage *stage, const char *key, const char *json)
{
    struct slice document = kit_document(json, stage->pass.mem);
    struct subject subject = {.key = slice_of_text(key),
                              .from = slice_of_text(key),
                              .source = document,
                              .document = document,
                              .live_document = document,
                              .live = {.presence = RECORD_PRESENT},
                              .equal = true};
    g_array_append_val(stage->subjects, subject);
    return &g_array_index(stage->subjects, struct subject, stage->subjects->len - 1);
}

static bool judged(struct stage *stage, GError **error)
{
    return theirs_new(&stage->verification.theirs, &stage->input, error) &&
           theirs_judge(&stage->pass, stage->subjects, error);
}

#define EACH(line)   "while read -r pair; do printf '%s\\n' '" line "'; done"
#define ODD_BY(word) EACH("{\"verdict\":\"" word "\"}")
#define FORTY        "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"

static const struct {
    const char *script;
    int pairs;
    const char *words; /* of the verdict, or a part of the error */
    bool refused;
} JUDGES[] = {
    {ODD_BY("equal"), 3, "judged 3 pairs: all equal", false},
    {ODD_BY("equal"), 0, "judged 0 pairs: none was to be judged", false},
    {ODD_BY("equal"), 2000, "judged 2 000 pairs: all equal", false}, /* two batches, and nothing behind them */
    {ODD_BY("off-by_1"), 2, "judged 2 pairs: 2 off-by_1", false},
    {EACH("{\"verdict\":\"odd\",\"why\":\"so\"}"), 1, "judged 1 pair: 1 odd", false},
    {"printf '{\"verdict\":\"odd\"}'", 1, "judged 1 pair: 1 odd", false}, /* without an end of its line */
    {"printf '{\"verdict\":\"equal\"}\\n{\"verdict\":\"a\"}\\n{\"verdict\":\"b\"}\\n{\"verdict\":\"a\"}\\n'", 4,
     "2 a, 1 b", false},
    {ODD_BY(FORTY), 1, "1 " FORTY, false},
    {ODD_BY(FORTY "e"), 1, "line 1 of its answer to 1 pairs is no verdict", true},
    {ODD_BY(""), 1, "is no verdict", true},
    {ODD_BY("Odd"), 1, "is no verdict", true},
    {EACH("{\"verdict\":7}"), 1, "is no verdict", true},
    {EACH("{}"), 1, "is no verdict", true},
    {EACH("[\"equal\"]"), 1, "is no verdict", true},
    {EACH("this is a line of more than sixty characters, and no answer to anything"), 1, "and no answer …'", true},
    {EACH("{\"verdict\":\"equal\",\"key\":\"k1\"}"), 2, "line 1 of its answer to 2 pairs is about another key", true},
    {":", 1, "it gave 0 verdicts on 1 pairs", true},
    {"echo '{\"verdict\":\"equal\"}'; " ODD_BY("equal"), 1, "it gave 2 verdicts on 1 pairs", true},
    {"printf '{\"verdict\":\"equal\"}\\000\\n'", 1, "it printed a byte of zero", true},
    {"head -c 5000 /dev/zero", 1, "it printed more than 1024 bytes a pair", true},
    {"exit 3", 1, "it ended with 3", true},
    {"i=0; while read -r pair; do i=$((i+1)); echo \"{\\\"verdict\\\":\\\"w$i\\\"}\"; done", 32, "1 w32", false},
    {"i=0; while read -r pair; do i=$((i+1)); echo \"{\\\"verdict\\\":\\\"w$i\\\"}\"; done", 33, "more than 32 words",
     true},
};

static void only_a_verdict_on_each_pair_is_one(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(JUDGES); i++) {
        struct stage stage;
        g_autoptr(GError) error = NULL;
        g_autoptr(GString) words = g_string_new(NULL);
        stage_init(&stage, JUDGES[i].script);
        for (int k = 0; k < JUDGES[i].pairs; k++)
            ask_of(&stage, "k0", "{\"n\":1}");
        bool ok = judged(&stage, &error);
        theirs_words(stage.verification.theirs, words);
        if (ok == JUDGES[i].refused || !strstr(ok ? words->str : error->message, JUDGES[i].words))
            fail_msg("row %zu: %s", i, ok ? words->str : error->message);
        assert_true(ok || error_is(error, SLUICE_ERROR_JUDGE));
        stage_done(&stage);
    }
}

/* A word that it has for a pair makes it differing, whatever the verifier says; no word leaves it. */
static void what_it_calls_otherwise_is_differing(void **state)
{
    struct stage stage;
    GError *error = NULL;
    g_autofree char *large = g_strnfill(300, 'x');
    g_autofree char *why = g_strdup_printf("read -r pair; printf '{\"verdict\":\"odd\",\"why\":\"%s\"}\\n'; echo "
                                           "'{\"verdict\":\"equal\"}'",
                                           large);
    stage_init(&stage, why);
    ask_of(&stage, "a", "{}");
    ask_of(&stage, "b", "{}");
    kit_ok(judged(&stage, &error));
    const struct subject *odd = &g_array_index(stage.subjects, struct subject, 0);
    assert_int_equal(judge_class(&stage.pass, odd), VERIFY_DIFFERING);
    assert_int_equal(judge_class(&stage.pass, odd + 1), VERIFY_EQUAL);
    assert_int_equal(g_utf8_strlen(odd->theirs_why, -1), 201); /* cut, and says so */
    assert_true(g_str_has_suffix(odd->theirs_why, "x…"));
    assert_null(odd[1].word);
    stage_done(&stage);
}

/* What the application has written since is not the run's, and is not asked of. */
#define UNTIL ",\"wanted_expires_at\":\"2026-07-10T12:00:00.000Z\",\"found_expires_at\":\"2026-07-10T12:00:00.000Z\""

static void a_pair_says_what_was_wanted_and_what_is_found(void **state)
{
    static const char *const ASKED[] = {
        "{\"key\":\"a\",\"class\":\"equal\",\"before\":{\"n\":1},\"wanted\":{\"n\":1},\"found\":{\"n\":1}" UNTIL "}",
        "{\"key\":\"b\",\"from\":\"B\",\"class\":\"missing\",\"before\":{\"n\":1},\"wanted\":{\"n\":1},\"found\":null}",
        "{\"key\":\"c\",\"class\":\"equal\",\"before\":{\"n\":1},\"wanted\":null,\"found\":null}",
        "{\"key\":\"d\",\"class\":\"differing\",\"before\":{\"n\":1},\"wanted\":{\"n\":1},\"found\":{\"n\":1}}",
    };
    struct stage stage;
    GError *error = NULL;
    g_autofree char *asked = NULL;
    stage_init(&stage, "tee asked | while read -r pair; do echo '{\"verdict\":\"equal\"}'; done");
    struct subject *subject = ask_of(&stage, "a", "{\"n\":1}");
    subject->expiry_known = true;
    subject->expires_at_ms = subject->live.expires_at_ms = INT64_C(1783684800000);
    subject = ask_of(&stage, "b", "{\"n\":1}");
    subject->from = slice_of_text("B");
    subject->equal = false;
    subject->stood = true;
    subject->live.presence = RECORD_ABSENT;
    subject = ask_of(&stage, "c", "{\"n\":1}");
    subject->want_absent = true;
    subject->live.presence = RECORD_ABSENT;
    subject = ask_of(&stage, "d", "{\"n\":1}");
    subject->from = SLICE_EMPTY;
    subject->equal = false;
    subject->stood = true;
    subject = ask_of(&stage, "moving", "{\"n\":1}");
    subject->equal = false;
    kit_ok(judged(&stage, &error));
    g_autofree char *path = g_build_filename(stage.dir, "asked", NULL);
    assert_true(g_file_get_contents(path, &asked, NULL, NULL));
    char **lines = g_strsplit(asked, "\n", -1);
    assert_int_equal(g_strv_length(lines), G_N_ELEMENTS(ASKED) + 1);
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++)
        assert_string_equal(lines[i], ASKED[i]);
    g_strfreev(lines);
    stage_done(&stage);
}

/* A pair that is larger than what is sent at once goes by itself. */
static void large_pairs_are_sent_before_there_are_many(void **state)
{
    struct stage stage;
    GError *error = NULL;
    g_autofree char *large = g_strnfill(1 << 20, 'x');
    g_autofree char *json = g_strdup_printf("{\"s\":\"%s\"}", large), *asked = NULL;
    stage_init(&stage, "echo >>asked; while read -r pair; do echo '{\"verdict\":\"equal\"}'; done");
    ask_of(&stage, "a", json);
    ask_of(&stage, "b", json);
    ask_of(&stage, "c", "{}");
    kit_ok(judged(&stage, &error));
    g_autofree char *path = g_build_filename(stage.dir, "asked", NULL);
    assert_true(g_file_get_contents(path, &asked, NULL, NULL));
    assert_string_equal(asked, "\n\n");
    stage_done(&stage);
}

static void a_judge_that_is_not_the_planned_one_is_not_asked(void **state)
{
    struct stage stage;
    GError *error = NULL;
    stage_init(&stage, ODD_BY("equal"));
    stage.input.judge_digest[0] ^= 1;
    kit_refused(judged(&stage, &error), JUDGE, "its file has changed since the run was planned");
    assert_null(stage.verification.theirs);
    stage_done(&stage);
}

/* That somebody gave up is not the judge's fault. */
static void a_verification_that_is_given_up_says_so(void **state)
{
    struct stage stage;
    GError *error = NULL;
    atomic_bool cancel = true;
    stage_init(&stage, "sleep 600");
    ask_of(&stage, "a", "{}");
    stage.input.cancel = &cancel;
    assert_false(judged(&stage, &error));
    assert_true(error_is(error, SLUICE_ERROR_CANCELLED));
    g_clear_error(&error);
    stage_done(&stage);
}

static void where_nobody_else_judges_nothing_is_said(void **state)
{
    struct verify_input input = {.world = world_real()};
    struct spec spec = {.path = "job.yaml"};
    struct theirs *theirs;
    GError *error = NULL;
    g_autoptr(GString) words = g_string_new(NULL);
    kit_ok(theirs_new(&theirs, &input, &error));
    assert_null(theirs);
    input.judge = &spec;
    kit_ok(theirs_new(&theirs, &input, &error));
    assert_null(theirs);
    theirs_words(theirs, words);
    assert_string_equal(words->str, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_a_verdict_on_each_pair_is_one),
        cmocka_unit_test(what_it_calls_otherwise_is_differing),
        cmocka_unit_test(a_pair_says_what_was_wanted_and_what_is_found),
        cmocka_unit_test(large_pairs_are_sent_before_there_are_many),
        cmocka_unit_test(a_judge_that_is_not_the_planned_one_is_not_asked),
        cmocka_unit_test(a_verification_that_is_given_up_says_so),
        cmocka_unit_test(where_nobody_else_judges_nothing_is_said),
    };
    return cmocka_run_group_tests_name("verify/theirs", tests, NULL, NULL);
}
