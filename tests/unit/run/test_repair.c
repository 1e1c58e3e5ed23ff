/* Which report a repair takes, and what of it: of runs and reports that nobody has made but these tests. */
#include <sodium.h>

#include "base/hex.h"
#include "run/repair.h"
#include "unit/run/runs.h"

static struct run_row put_run(struct runs *runs)
{
    struct runs_new made = {.spec = "job", .plan = "{}", .state = RUN_DONE};
    return runs_put(runs, &made);
}

static void put_report(struct runs *runs, const struct run_row *run, const char *path, const char *summary)
{
    GError *error = NULL;
    struct report_row row = {.run = run->id,
                             .at_ms = 1,
                             .stage = UINT32_MAX,
                             .verdict = "fail",
                             .path = path,
                             .summary = slice_of_text(summary),
                             .act = {.actor = "ann@desk"}};
    kit_ok(catalog_report_add(runs->catalog, &row, &error));
}

static struct run_config config_of(struct runs *runs)
{
    return (struct run_config){.world = &runs->fake.world, .home = runs->home, .act = {.actor = "ann@desk"}};
}

/* The file, in the directory, and the digest of its bytes. */
static char *put_file(struct runs *runs, const char *lines, uint8_t ret_digest[32])
{
    char *path = g_build_filename(runs->dir, "report.ndjson", NULL);
    assert_true(g_file_set_contents(path, lines, -1, NULL));
    crypto_generichash(ret_digest, 32, (const uint8_t *)lines, strlen(lines), NULL, 0);
    return path;
}

/* --- which report ------------------------------------------------------------------------------------------------- */

static void of_a_run_its_newest_report_is_taken_if_it_says_what_stood_there(void **state)
{
    static const struct {
        const char *summary, *bucket; /* summary NULL: there is no report */
        enum error_code code;
        const char *part;
    } ROWS[] = {
        {NULL, NULL, SLUICE_ERROR_NOT_FOUND, "has no report yet of all of it; `sluice verify job."},
        {NULL, "hours", SLUICE_ERROR_NOT_FOUND, "has no report that speaks of time buckets"},
        {"{}", "hours", SLUICE_ERROR_NOT_FOUND, "has no report that speaks of time buckets"},
        {"{}", NULL, SLUICE_ERROR_REFUSED, "its report is from an older sluice"},
        {"{\"report_digest\":\"no digits\"}", NULL, SLUICE_ERROR_REFUSED, "its report is from an older sluice"},
    };
    struct runs *runs = *state;
    struct run_config config = config_of(runs);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct run_row run = put_run(runs);
        struct run_repair repair = {.asked_bucket = ROWS[i].bucket};
        if (ROWS[i].summary)
            put_report(runs, &run, "/elsewhere/a.ndjson", ROWS[i].summary);
        bool ok = run_repair_find(&config, run.name, runs->mem, &repair, &error);
        if (ok || error->code != (int)ROWS[i].code || !strstr(error->message, ROWS[i].part))
            fail_msg("row %zu: %s", i, ok ? "found" : error->message);
        g_clear_error(&error);
    }
}

static void what_is_not_there_is_not_repaired(void **state)
{
    static const struct {
        const char *home, *what; /* home NULL: that of the runs */
        enum error_code code;
    } ROWS[] = {
        {NULL, "nobody.1", SLUICE_ERROR_NOT_FOUND},
        {NULL, "./nobody.ndjson", SLUICE_ERROR_NOT_FOUND},
        {"nowhere", "job.1", SLUICE_ERROR_NOT_FOUND},
        {"nowhere", "./nobody.ndjson", SLUICE_ERROR_NOT_FOUND},
    };
    struct runs *runs = *state;
    put_run(runs);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GError) error = NULL;
        struct run_repair repair = {0};
        struct run_config config = config_of(runs);
        g_autofree char *nowhere = g_build_filename(runs->dir, "nowhere", NULL);
        config.home = ROWS[i].home ? nowhere : config.home;
        bool ok = run_repair_find(&config, ROWS[i].what, runs->mem, &repair, &error);
        if (ok || error->code != (int)ROWS[i].code || g_file_test(nowhere, G_FILE_TEST_EXISTS))
            fail_msg("row %zu: %s", i, ok ? "found" : error->message);
    }
}

static void a_file_is_known_by_its_digest_wherever_it_lies(void **state)
{
    static const char LINES[] = "{\"key\":\"a\",\"kind\":\"missing\",\"seen\":null,\"wanted\":{}}\n";
    struct runs *runs = *state;
    struct run_config config = config_of(runs);
    struct run_repair repair = {0};
    uint8_t digest[32];
    char hex[HEX_TEXT(sizeof digest)];
    GError *error = NULL;
    g_autofree char *path = put_file(runs, LINES, digest);
    struct run_row run = put_run(runs), other = put_run(runs);
    put_report(runs, &other, "/elsewhere/b.ndjson", "{}");
    kit_refused(run_repair_find(&config, path, runs->mem, &repair, &error), REFUSED, "no run of this home has such");
    put_report(runs, &other, path, "{}");
    kit_refused(run_repair_find(&config, path, runs->mem, &repair, &error), CORRUPT, "not any more what the verif");
    digest[0] ^= 1;
    g_autofree char *wrong = g_strdup_printf("{\"report_digest\":\"%s\"}", hex_text(digest, sizeof digest, hex));
    put_report(runs, &run, "/elsewhere/c.ndjson", wrong);
    kit_refused(run_repair_find(&config, path, runs->mem, &repair, &error), CORRUPT, "not any more what the verif");
    digest[0] ^= 1;
    g_autofree char *right = g_strdup_printf("{\"report_digest\":\"%s\"}", hex_text(digest, sizeof digest, hex));
    put_report(runs, &run, "/elsewhere/c.ndjson", right);
    kit_ok(run_repair_find(&config, path, runs->mem, &repair, &error));
    assert_string_equal(repair.run, run.name);
    assert_string_equal(repair.path, path);
    assert_memory_equal(repair.digest, digest, sizeof digest);
}

/* --- what it names ------------------------------------------------------------------------------------------------ */

#define LINE(kind, seen)    "{\"key\":\"a\",\"kind\":\"" kind "\"" seen ",\"wanted\":{}}\n"
#define THIS                ",\"seen\":\"00112233445566778899aabbccddeeff\""
#define ABSENT              ",\"seen\":null"
#define UNREAD              ""
#define REFUSED_BY(part)    SLUICE_ERROR_REFUSED, part
#define NOTHING_THERE(part) SLUICE_ERROR_NOT_FOUND, part

static const struct asked {
    const char *lines;
    bool extra, same_dataset, idempotent, sink;
    enum error_code code; /* part NULL: none */
    const char *part;
    size_t keys;
} ASKED[] = {
    {LINE("missing", ABSENT) LINE("differing", THIS), .keys = 1},
    {LINE("missing", ABSENT) LINE("extra", THIS), .extra = true, .keys = 1},
    {LINE("extra", THIS), false, false, false, false, NOTHING_THERE("nothing that differs or is missing")},
    {LINE("missing", ABSENT), true, false, false, false, NOTHING_THERE("beyond the source; `sluice verify job.")},
    {LINE("extra", UNREAD), true, false, false, false, REFUSED_BY("could not be read, and nothing could be put back")},
    {LINE("extra", UNREAD) LINE("extra", THIS), .extra = true, .keys = 1},
    {LINE("differing", UNREAD) LINE("missing", ABSENT), false, false, false, false, REFUSED_BY("could not be read")},
    {LINE("missing", UNREAD), false, false, false, true, REFUSED_BY("wrote files, which are taken back as a whole")},
    {LINE("extra", UNREAD), true, false, false, true, REFUSED_BY("wrote files, which are taken back as a whole")},
    {LINE("differing", THIS), false, true, false, false, REFUSED_BY("would be applied to its own result")},
    {LINE("differing", THIS), .same_dataset = true, .idempotent = true, .keys = 1},
    {LINE("missing", THIS), .same_dataset = true, .keys = 1}, /* it was never applied there */
};

static void what_a_report_names_is_taken_or_refused_by_name(void **state)
{
    struct runs *runs = *state;
    struct run_row run = put_run(runs);
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
        const struct asked *asked = &ASKED[i];
        GError *error = NULL;
        struct run_config config = config_of(runs);
        struct run_repair repair = {.run = run.name, .extra = asked->extra};
        struct spec spec = {.transform.idempotent = asked->idempotent};
        struct plan_was was = {.same_dataset = asked->same_dataset, .sink = asked->sink};
        struct retry retry = {.mem = runs->mem, .old = run};
        g_autofree char *path = put_file(runs, asked->lines, repair.digest);
        repair.path = path;
        config.repair = &repair;
        bool ok = repair_ask(&retry, &config, &spec, &was, &error);
        if (ok != (asked->part == NULL) || (ok && retry.plan.n_keys != asked->keys) ||
            (!ok && (error->code != (int)asked->code || !strstr(error->message, asked->part))))
            fail_msg("row %zu: %s", i, error ? error->message : "taken");
        g_clear_error(&error);
        repair.digest[0] ^= 1;
        kit_refused(repair_ask(&retry, &config, &spec, &was, &error), CORRUPT, "not any more what the verification");
    }
}

static void of_time_buckets_what_was_written_once_is_not_written_twice(void **state)
{
    static const struct {
        struct plan_was was;
        const char *part; /* NULL: it is taken */
    } ROWS[] = {{{.sink = true}, "wrote files, where records of that time would stand twice"},
                {{.same_dataset = true}, "would be applied to its own result"},
                {{0}, NULL}};
    struct runs *runs = *state;
    struct run_config config = config_of(runs);
    struct run_repair repair = {.asked_bucket = "hours", .bucket = {.name = "hours"}};
    struct spec spec = {0};
    config.repair = &repair;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct retry retry = {.mem = runs->mem, .old = {.name = "job.1"}};
        bool ok = repair_ask(&retry, &config, &spec, &ROWS[i].was, &error);
        if (ok != !ROWS[i].part || (!ok && !strstr(error->message, ROWS[i].part)))
            fail_msg("row %zu: %s", i, error ? error->message : "taken");
        g_clear_error(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_a_run_its_newest_report_is_taken_if_it_says_what_stood_there, runs_setup,
                                        runs_teardown),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_not_repaired, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(a_file_is_known_by_its_digest_wherever_it_lies, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(what_a_report_names_is_taken_or_refused_by_name, runs_setup, runs_teardown),
        cmocka_unit_test_setup_teardown(of_time_buckets_what_was_written_once_is_not_written_twice, runs_setup,
                                        runs_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
