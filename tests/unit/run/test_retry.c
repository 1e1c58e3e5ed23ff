/* Which run has taken what another one refused, or what a report of it names, and which may be superseded: by what is
 * on record of them alone. */
#include "run/retry.h"
#include "run/supersede.h"
#include "unit/run/runs.h"

#define DIGEST  "0000000000000000000000000000000000000000000000000000000000000000"
#define ANOTHER "1111111111111111111111111111111111111111111111111111111111111111"
#define SEEN    ", \"seen\": \"00000000000000000000000000000000\""
#define OF(run, digest, more)                                                                                          \
    "{\"retries\": {\"run\": \"" run "\", \"rows\": 1, \"digest\": \"" digest "\", \"asked\": 1, \"gone\": 0" more "}" \
    "}"
#define REPORT ", \"report\": \"/r\"" SEEN
#define HOURS(field, from, to)                                                                                         \
    REPORT ", \"bucket\": {\"name\": \"hours\", \"field\": \"" field "\", \"from_us\": " from ", \"to_us\": " to "}"

static const struct plan_bucket HOUR = {.name = "hours", .field = "at", .from_us = 1, .to_us = 2};
static const struct plan_bucket NO_BUCKET = {0};

static bool is_open(enum run_state state)
{
    return !run_state_over(state);
}

/* Of a run that is planned: is it the one that does what is asked for? */
static const struct {
    const char *plan, *retry;
    const struct plan_bucket *bucket; /* of a report; NULL: of none, the refused rows */
    bool extra, found;
} ASKED[] = {
    {"{}", NULL, NULL, false, true},
    {"{}", "old.1", NULL, false, false},
    {OF("old.1", DIGEST, ""), NULL, NULL, false, false},
    {OF("old.1", DIGEST, ""), "old.1", NULL, false, true},
    {OF("old.2", DIGEST, ""), "old.1", NULL, false, false},
    {OF("old.1", DIGEST, ""), "old.1", &NO_BUCKET, false, false}, /* rows are no report, */
    {OF("old.1", DIGEST, REPORT), "old.1", NULL, false, false},   /* … and a report no rows */
    {OF("old.1", DIGEST, REPORT), "old.1", &NO_BUCKET, false, true},
    {OF("old.1", ANOTHER, REPORT), "old.1", &NO_BUCKET, false, false},
    {OF("old.1", DIGEST, REPORT), "old.1", &NO_BUCKET, true, false},
    {OF("old.1", DIGEST, REPORT ", \"extra\": true"), "old.1", &NO_BUCKET, true, true},
    {OF("old.1", DIGEST, REPORT), "old.1", &HOUR, false, false},                     /* keys are no stretch of time, */
    {OF("old.1", DIGEST, HOURS("at", "1", "2")), "old.1", &NO_BUCKET, false, false}, /* … nor the reverse */
    {OF("old.1", DIGEST, HOURS("at", "1", "2")), "old.1", &HOUR, false, true},
    {OF("old.1", DIGEST, HOURS("on", "1", "2")), "old.1", &HOUR, false, false},
    {OF("old.1", DIGEST, HOURS("at", "0", "2")), "old.1", &HOUR, false, false},
    {OF("old.1", DIGEST, HOURS("at", "1", "3")), "old.1", &HOUR, false, false},
};

static void the_run_that_does_what_is_asked_for_is_found_and_no_other(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ASKED); i++) {
        GError *error = NULL;
        void *own;
        struct run_row found;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct run_row row = runs_put(runs, &(struct runs_new){.spec = "job", .plan = ASKED[i].plan});
        struct run_repair repair = {.extra = ASKED[i].extra};
        struct run_config config = {.retry = ASKED[i].retry, .repair = ASKED[i].bucket ? &repair : NULL};
        struct retry_wish wish = {.spec_name = "job", .digests = &row.digests, .fits = is_open};
        if (ASKED[i].bucket)
            repair.bucket = *ASKED[i].bucket;
        kit_ok(retry_find(runs->catalog, &config, &wish, runs->mem, &found, &error));
        if ((found.id != 0) != ASKED[i].found)
            fail_msg("row %zu: %s", i, found.id ? "found" : "not found");
        runs_teardown(&own);
    }
}

/* The newest that has taken its refused rows, if its writes stand. */
static const struct {
    struct runs_new after[2];
    const char *by; /* NULL: none */
} TAKEN[] = {
    {{{0}}, NULL},
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_DONE, true}}, "job.2"},
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_RUNNING, true}}, "job.2"},
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_ABORTED, true}}, "job.2"},
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_ABORTED, false}}, NULL}, /* of which nothing stands */
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_ROLLED_BACK, true}}, NULL},
    {{{"job", OF("job.2", DIGEST, ""), "t", RUN_DONE, true}}, NULL},
    {{{"job", OF("job.1", DIGEST, REPORT), "t", RUN_DONE, true}}, NULL},
    {{{"other", OF("job.1", DIGEST, ""), "t", RUN_DONE, true}}, NULL},
    {{{"job", OF("job.1", DIGEST, ""), "t", RUN_DONE, true}, {"job", "{}", "t", RUN_DONE, true}}, "job.2"},
};

static void who_has_retried_a_run_is_known_while_its_writes_stand(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(TAKEN); i++) {
        GError *error = NULL;
        void *own;
        struct run_row by;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct run_row old = runs_put(runs, &(struct runs_new){"job", "{}", "t", RUN_DONE, true});
        for (size_t k = 0; k < G_N_ELEMENTS(TAKEN[i].after) && TAKEN[i].after[k].spec; k++)
            runs_put(runs, &TAKEN[i].after[k]);
        kit_ok(run_retried_by(runs->catalog, &old, runs->mem, &by, &error));
        if (g_strcmp0(by.id ? by.name : NULL, TAKEN[i].by) != 0)
            fail_msg("row %zu: %s", i, by.id ? by.name : "none");
        runs_teardown(&own);
    }
}

/* --- may it be retried? ------------------------------------------------------------------------------------------- */

#define DECIDED(same) "{\"decided\": {\"same_dataset\": " same ", \"sink\": false, \"write\": \"in-place\"}}"

/* Beside the old run one that came later; what it refused itself is not there: where it may be retried, that is said.
 */
static const struct {
    const char *same; /* its own source */
    struct runs_new later;
    bool idempotent, again;
    const char *said;
} MAY[] = {
    {"false",
     {"job", OF("job.1", DIGEST, ""), "t", RUN_DONE, true},
     false,
     false,
     "job.2 has retried what job.1 refused; what it"},
    {"false",
     {"job", OF("job.1", DIGEST, ""), "t", RUN_ABORTED, true},
     false,
     false,
     "job.2, which retried what job.1 refused, was aborted"},
    {"false",
     {"job", OF("job.1", DIGEST, ""), "t", RUN_PAUSED, true},
     false,
     false,
     "job.2 retries what job.1 refused already (paused)"},
    {"false", {"job", OF("job.1", DIGEST, ""), "t", RUN_ROLLED_BACK, true}, false, false, NULL},
    {"false", {"job", OF("job.1", DIGEST, ""), "t", RUN_ABORTED, false}, false, false, NULL},
    {"false", {"job", OF("job.7", DIGEST, ""), "t", RUN_DONE, true}, false, false, NULL},
    {"true",
     {"job", OF("job.1", DIGEST, REPORT), "t", RUN_DONE, true},
     false,
     false,
     NULL}, /* what differed, not those */
    {"true", {"other", "{}", "t", RUN_DONE, true}, false, false, "other.1 has transformed t since, those records too"},
    {"true", {"other", "{}", "t", RUN_ABORTED, true}, false, false, "other.1 has transformed t since"},
    {"true", {"other", "{}", "t", RUN_RUNNING, true}, false, false, NULL}, /* whose target is not free */
    {"true", {"other", "{}", "elsewhere", RUN_DONE, true}, false, false, NULL},
    {"true", {"other", "{}", "t", RUN_DONE, true}, true, false, NULL},
    {"true", {"other", "{}", "t", RUN_DONE, true}, false, true, NULL},
    {"false", {"other", "{}", "t", RUN_DONE, true}, false, false, NULL},
};

static void what_was_refused_is_retried_once_and_not_over_what_came_later(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(MAY); i++) {
        g_autoptr(GError) error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        g_autofree char *plan = g_strdup_printf(DECIDED("%s"), MAY[i].same);
        struct spec spec = {.name = "job", .path = "job.yaml", .transform.idempotent = MAY[i].idempotent};
        struct run_config config = {
            .world = &runs->fake.world, .home = runs->home, .retry = "job.1", .again = MAY[i].again};
        struct retry retry = {.mem = runs->mem};
        runs_put(runs, &(struct runs_new){"job", plan, "t", RUN_DONE, true});
        runs_put(runs, &MAY[i].later);
        assert_false(retry_ask(&retry, &config, runs->catalog, &spec, &error));
        if (!error_is(error, MAY[i].said ? SLUICE_ERROR_REFUSED : SLUICE_ERROR_NOT_FOUND) ||
            !strstr(error->message, MAY[i].said ? MAY[i].said : "job.1"))
            fail_msg("row %zu: %s", i, error->message);
        runs_teardown(&own);
    }
}

static void a_part_is_done_again_of_a_run_that_is_done_by_its_own_spec(void **state)
{
    static const struct {
        enum run_state state;
        const char *spec, *said;
    } ROWS[] = {
        {RUN_ABORTED, "job", "job.1 is aborted: only of a run that is done is a part done again"},
        {RUN_ROLLED_BACK, "job", "job.1 is rolled-back: only of a run that is done"},
        {RUN_PAUSED, "job", "job.1 is paused, and a part of it is done again when it is done"},
        {RUN_DONE, "other", "job.yaml: its name is 'other', and job.1 was a run of 'job'"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct spec spec = {.name = ROWS[i].spec, .path = "job.yaml"};
        struct run_config config = {.world = &runs->fake.world, .home = runs->home, .retry = "job.1"};
        struct retry retry = {.mem = runs->mem};
        runs_put(runs, &(struct runs_new){"job", DECIDED("true"), "t", ROWS[i].state, true});
        kit_refused(retry_ask(&retry, &config, runs->catalog, &spec, &error), REFUSED, ROWS[i].said);
        runs_teardown(&own);
    }
}

static void a_part_is_done_again_where_it_was_done(void **state)
{
    static struct plan_retries of = {.run = "job.1"};
    static const struct {
        struct plan_retries *retries;
        const char *run, *target;
        bool may;
    } ROWS[] = {{NULL, NULL, "other", true},
                {&of, NULL, "other", true},
                {&of, "job.1", "t", true},
                {&of, "job.1", "other", false}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct spec spec = {.path = "job.yaml"};
        struct plan plan = {.retries = ROWS[i].retries, .target_name = ROWS[i].target, .spec = &spec};
        struct retry retry = {.old = {.name = "job.1", .target = "t"}, .plan.run = ROWS[i].run};
        if (ROWS[i].may)
            kit_ok(retry_target(&retry, &plan, &error));
        else
            kit_refused(retry_target(&retry, &plan, &error), REFUSED, "job.1 wrote t, and job.yaml would write other");
    }
}

/* --- may it be superseded? ---------------------------------------------------------------------------------------- */

static void what_has_written_and_is_not_on_its_way_back_may_be_superseded(void **state)
{
    static const struct {
        enum run_state state;
        uint32_t back_stage;
        const char *said; /* NULL: it may */
    } ROWS[] = {
        {RUN_DONE, UINT32_MAX, NULL},
        {RUN_PAUSED, UINT32_MAX, NULL},
        {RUN_ABORTED, UINT32_MAX, NULL},
        {RUN_ROLLED_BACK, 0, "nothing of it stands"},
        {RUN_ROLLING_BACK, UINT32_MAX, "a rollback of it has begun"},
        {RUN_ROLLING_BACK, 0, "a rollback of it has begun"},
        {RUN_PAUSED, 1, "a rollback of it has begun"}, /* of its later stages */
        {RUN_PLANNED, UINT32_MAX, "has written nothing"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct run_row run = {.name = "job.1", .state = ROWS[i].state, .back_stage = ROWS[i].back_stage};
        if (ROWS[i].said)
            kit_refused(supersede_may(&run, &error), REFUSED, ROWS[i].said);
        else
            kit_ok(supersede_may(&run, &error));
    }
}

/* Repeated, it is found by what it was planned by, and by whom it superseded. */
static void who_has_superseded_a_run_is_found_by_the_very_spec_contract_and_transform(void **state)
{
    static const struct {
        enum run_state state;
        const char *spec, *plan;
        int other; /* of its digests; 0: none */
        bool found;
    } ROWS[] = {
        {RUN_DONE, "job", "{\"supersedes\": \"job.1\"}", 0, true},
        {RUN_ABORTED, "job", "{\"supersedes\": \"job.1\"}", 0, false},
        {RUN_DONE, "other", "{\"supersedes\": \"job.1\"}", 0, false},
        {RUN_DONE, "job", "{\"supersedes\": \"job.7\"}", 0, false},
        {RUN_DONE, "job", "{}", 0, false},
        {RUN_DONE, "job", "{\"supersedes\": \"job.1\"}", 1, false},
        {RUN_DONE, "job", "{\"supersedes\": \"job.1\"}", 2, false},
        {RUN_DONE, "job", "{\"supersedes\": \"job.1\"}", 3, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        void *own;
        assert_int_equal(runs_setup(&own), 0);
        struct runs *runs = own;
        struct run_config config = {.world = &runs->fake.world, .home = runs->home, .supersede = "job.1"};
        struct run_result result = {.mem = runs->mem};
        struct supersede supersede = {.mem = runs->mem};
        struct run_new wish = {.spec_name = "job"};
        uint8_t *const digests[] = {NULL, wish.digests.spec, wish.digests.contract, wish.digests.transform};
        runs_put(runs, &(struct runs_new){"job", "{}", "t", RUN_ROLLED_BACK, true});
        struct run_row row = runs_put(runs, &(struct runs_new){ROWS[i].spec, ROWS[i].plan, "t", ROWS[i].state, true});
        if (ROWS[i].other)
            digests[ROWS[i].other][0] = 1;
        bool ok = supersede_ask(&supersede, &config, runs->catalog, &wish, &result, &error);
        if (ok != ROWS[i].found || (ok && result.run.id != row.id) ||
            (!ok && !strstr(error->message, "job.1 is rolled back: nothing of it stands")))
            fail_msg("row %zu: %s", i, ok ? "found" : error->message);
        g_clear_error(&error);
        runs_teardown(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_run_that_does_what_is_asked_for_is_found_and_no_other),
        cmocka_unit_test(who_has_retried_a_run_is_known_while_its_writes_stand),
        cmocka_unit_test(what_was_refused_is_retried_once_and_not_over_what_came_later),
        cmocka_unit_test(a_part_is_done_again_of_a_run_that_is_done_by_its_own_spec),
        cmocka_unit_test(a_part_is_done_again_where_it_was_done),
        cmocka_unit_test(what_has_written_and_is_not_on_its_way_back_may_be_superseded),
        cmocka_unit_test(who_has_superseded_a_run_is_found_by_the_very_spec_contract_and_transform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
