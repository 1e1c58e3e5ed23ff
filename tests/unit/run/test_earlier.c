/* What the gates of an earlier run kept of its values: which run is meant, and what is believed of its files. */
#include "run/earlier.h"

#include <sodium.h>

#include "base/hex.h"
#include "unit/run/runs.h"

#define NO_GATE "no gate of job.1 says that it kept it"
#define ANOTHER "the digest is another"

/* A judgement of the run's stages: `kept`, the digest that it gives; RIGHT: the file's own. NULL: it kept none. */
struct judged {
    uint32_t stage;
    const char *summary; /* with %s for the digest of the file */
};

#define DIGEST_OF(text) "{\"profile\": {\"kept\": {\"digest\": \"" text "\"}}}"
#define RIGHT           DIGEST_OF("%s")
#define WRONG           DIGEST_OF("1111111111111111111111111111111111111111111111111111111111111111")

static const struct {
    const char *asked; /* NULL: the latest of its own */
    bool filed;        /* the first run has a file of its stage */
    bool another;      /* there is a newer run that has none */
    struct judged judged[2];
    const char *why, *why_not; /* why_not: not because of that */
} ROWS[] = {
    {NULL, false, false, {{0}}, "no earlier run of job in this home"},
    {"nobody", true, false, {{0, RIGHT}}, "no earlier run of nobody in this home"},
    {NULL, true, false, {{0}}, NO_GATE},
    {"job", true, true, {{0}}, NO_GATE},
    {"job.1", true, false, {{0, "{}"}}, NO_GATE},
    {NULL, true, false, {{0, DIGEST_OF("zz")}}, NO_GATE},
    {NULL, true, false, {{1, RIGHT}}, NO_GATE},
    {NULL, true, false, {{0, WRONG}}, ANOTHER},
    {NULL, true, false, {{0, WRONG}, {0, RIGHT}}, "job.1", ANOTHER}, /* the newest of them counts, */
    {NULL, true, false, {{0, RIGHT}, {0, WRONG}}, ANOTHER},
    {NULL, true, false, {{0, RIGHT}, {0, "{}"}}, "job.1", ANOTHER}, /* … of those that kept one, */
    {NULL, true, false, {{0, RIGHT}, {0, DIGEST_OF("11zz")}}, "job.1", ANOTHER},
};

static void judge(struct runs *runs, int64_t run, const struct judged *judged, const char *digest)
{
    GError *error = NULL;
    GString *summary = g_string_new(judged->summary);
    g_string_replace(summary, "%s", digest, 0);
    struct report_row row = {.run = run,
                             .stage = judged->stage,
                             .verdict = "pass",
                             .path = "/r",
                             .summary = slice_of_text(summary->str),
                             .act = {.actor = "ann@desk"}};
    kit_ok(catalog_report_add(runs->catalog, &row, &error));
    g_string_free(summary, TRUE);
}

/* No profile, whatever its digest is. */
static void put_file(struct runs *runs, const char *run, char *ret_digest)
{
    static const char BYTES[] = "none";
    uint8_t digest[32];
    g_autofree char *path = earlier_path(runs->home, run, 0);
    g_autofree char *folder = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
    assert_true(g_file_set_contents(path, BYTES, -1, NULL));
    crypto_generichash(digest, sizeof digest, (const uint8_t *)BYTES, strlen(BYTES), NULL, 0);
    hex_text(digest, sizeof digest, ret_digest);
}

static void a_profile_counts_by_what_its_newest_gate_says_that_it_kept(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        void *own;
        char digest[HEX_TEXT(32)];
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct run_row run = runs_put(runs, &(struct runs_new){.spec = "job", .plan = "{}", .state = RUN_DONE});
        if (ROWS[i].filed)
            put_file(runs, run.name, digest);
        for (size_t k = 0; k < 2 && ROWS[i].judged[k].summary; k++)
            judge(runs, run.id, &ROWS[i].judged[k], digest);
        if (ROWS[i].another)
            runs_put(runs, &(struct runs_new){.spec = "job", .plan = "{}", .state = RUN_DONE});
        struct spec spec = {.name = "job"};
        struct spec_baseline asked = {.of = BASELINE_RUN, .name = ROWS[i].asked};
        struct earlier_wish wish = {.world = &runs->fake.world,
                                    .home = runs->home,
                                    .catalog = runs->catalog,
                                    .spec = &spec,
                                    .asked = ROWS[i].asked ? &asked : NULL,
                                    .before = INT64_MAX};
        auto_(past) found = NULL;
        kit_ok(earlier_find(&wish, &found, &error));
        if (!found->why || !strstr(found->why, ROWS[i].why) || (ROWS[i].why_not && strstr(found->why, ROWS[i].why_not)))
            fail_msg("row %zu: %s", i, found->why);
        if (g_str_has_prefix(found->why, "no earlier run"))
            assert_string_not_equal(found->of ? found->of : "", "job.1");
        runs_teardown(&own);
    }
}

/* Of the newest run that has kept one: where its file is damaged, none that came before it takes its place unasked. */
static void the_profile_of_an_older_run_is_not_taken_for_that_of_the_newest(void **state)
{
    struct runs *runs = *state;
    GError *error = NULL;
    char digest[HEX_TEXT(32)];
    struct runs_new made = {.spec = "job", .plan = "{}", .state = RUN_DONE};
    struct run_row older = runs_put(runs, &made), newest = runs_put(runs, &made);
    put_file(runs, older.name, digest);
    judge(runs, older.id, &(struct judged){0, RIGHT}, digest);
    put_file(runs, newest.name, digest);
    judge(runs, newest.id, &(struct judged){0, WRONG}, digest);
    struct spec spec = {.name = "job"};
    struct earlier_wish wish = {
        .world = &runs->fake.world, .home = runs->home, .catalog = runs->catalog, .spec = &spec, .before = INT64_MAX};
    auto_(past) found = NULL;
    kit_ok(earlier_find(&wish, &found, &error));
    assert_string_equal(found->of, newest.name);
    assert_non_null(strstr(found->why, ANOTHER));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_counts_by_what_its_newest_gate_says_that_it_kept),
        cmocka_unit_test_setup_teardown(the_profile_of_an_older_run_is_not_taken_for_that_of_the_newest, runs_setup,
                                        runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
