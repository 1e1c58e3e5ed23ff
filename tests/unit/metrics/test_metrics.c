/* What a home tells of its runs. */
#include "kit/scene.h"
#include "metrics/metrics.h"

static const char SPEC[] =
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
    "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
    "partitions: { size: 2 }\nworkers: 1\nbudget: { records: 100 }\nprotect: { rejects: 50% }\n"
    "prices: { currency: EUR, writes: 1000000 }\n"
    "stages: [{ name: canary, scope: 1 partitions, order: listed }, { name: full, scope: 100% }]\n";
static const char APPROVED[] = "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\n"
                               "transform: { lua: t.lua }\ntarget: { store: \"mem:s\", dataset: items }\n"
                               "partitions: { size: 2 }\nworkers: 1\nbudget: { records: 100 }\n"
                               "prices: { currency: EUR, writes: 1000000 }\nslo: { complete: 95% within 48h }\n"
                               "stages: [{ name: canary, scope: 1 partitions, gate: { approve: root } }, { name: full, "
                               "scope: 100% }]\n";
static const char LUA[] =
    "function transform(doc, ctx) if doc.n == 3 then return ctx.reject('odd') end doc.n = doc.n + 1 return "
    "doc end\n";

struct told {
    struct scene scene;
    struct catalog *catalog;
    struct metrics_source source;
    GString *text;
};

static void begin(struct told *told, const char *spec, int status)
{
    *told = (struct told){.text = g_string_new(NULL)};
    scene_init(&told->scene, spec, LUA);
    for (int i = 0; i < 6; i++) {
        g_autofree char *key = g_strdup_printf("k%d", i), *json = g_strdup_printf("{\"n\": %d}", i);
        scene_put(&told->scene, "items", key, json);
    }
    scene_ran(&told->scene, status);
    GError *error = NULL;
    kit_ok(catalog_open(&told->catalog, &told->scene.fake.world, told->scene.home, CATALOG_READ_ONLY, &error));
    told->source = (struct metrics_source){.world = &told->scene.fake.world, .catalog = told->catalog};
}

static void tell(struct told *told)
{
    GError *error = NULL;
    g_string_truncate(told->text, 0);
    kit_ok(metrics_render(&told->source, told->text, &error));
}

static void end(struct told *told)
{
    metrics_source_done(&told->source);
    catalog_free(told->catalog);
    g_string_free(told->text, TRUE);
    scene_done(&told->scene);
}

static void says(const struct told *told, const char *line)
{
    g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);
    if (!strstr(told->text->str, whole))
        fail_msg("'%s' is not in\n%s", line, told->text->str);
}

static void says_nothing_of(const struct told *told, const char *words)
{
    if (strstr(told->text->str, words))
        fail_msg("'%s' is in\n%s", words, told->text->str);
}

#define JOB "{run=\"job.1\",spec=\"job\""

static void a_run_that_is_done_is_told_with_what_became_of_its_records(void **state)
{
    struct told told;
    begin(&told, SPEC, 8);
    tell(&told);
    says(&told, "sluice_run_state" JOB ",state=\"done\"} 1");
    says(&told, "sluice_run_state" JOB ",state=\"running\"} 0");
    says(&told, "sluice_records_total" JOB ",outcome=\"written\"} 5");
    says(&told, "sluice_records_total" JOB ",outcome=\"rejected\"} 1");
    says(&told, "sluice_rejected_records" JOB ",class=\"rejected\"} 1");
    says(&told, "sluice_run_listed_records" JOB "} 6");
    says(&told, "sluice_error_ratio" JOB "} 0.166666666666667");
    says(&told, "sluice_partitions" JOB ",stage=\"full\",state=\"verified\"} 2");
    says(&told, "sluice_stage_state" JOB ",stage=\"canary\",state=\"passed\"} 1");
    says(&told, "sluice_verification_passed" JOB ",stage=\"full\"} 1");
    says(&told, "sluice_verified_records" JOB ",stage=\"full\",class=\"refused\"} 1");
    says(&told, "sluice_verification_difference_ratio" JOB ",stage=\"full\"} 0");
    says(&told, "sluice_run_held" JOB "} 0");
    says(&told, "sluice_run_needs_person" JOB "} 0");
    says(&told, "sluice_audit_completeness_ratio 1");
    says_nothing_of(&told, "k3");
    says(&told, "sluice_cost_total" JOB ",currency=\"EUR\"} 5");
    says_nothing_of(&told, "sluice_budget_used_ratio");
    says_nothing_of(&told, "sluice_rollback_records_total");
    end(&told);
}

static void a_gate_that_waits_for_an_approval_needs_a_person(void **state)
{
    struct told told;
    begin(&told, APPROVED, 3);
    tell(&told);
    says(&told, "sluice_run_state" JOB ",state=\"waiting\"} 1");
    says(&told, "sluice_run_needs_person" JOB "} 1");
    says(&told, "sluice_budget_used_ratio" JOB ",budget=\"records\"} 0.01");
    says(&told, "sluice_cost_total" JOB ",currency=\"EUR\"} 1");
    says(&told, "sluice_slo_late" JOB "} 0");
    end(&told);
}

static void a_run_is_told_for_a_day_after_its_end_and_by_name_always(void **state)
{
    struct told told;
    begin(&told, SPEC, 8);
    atomic_fetch_add(&told.scene.fake.wall_ms, INT64_C(25) * 3600 * 1000);
    tell(&told);
    says_nothing_of(&told, "job.1");
    says(&told, "sluice_home_stopped 0");
    told.source.run = "job.1";
    tell(&told);
    says(&told, "sluice_run_state" JOB ",state=\"done\"} 1");
    GError *error = NULL;
    told.source.run = "job.7";
    assert_false(metrics_render(&told.source, told.text, &error));
    assert_int_equal(error->code, SLUICE_ERROR_NOT_FOUND);
    g_error_free(error);
    end(&told);
}

/* Everything stands once: a name below its head, a sample under its labels. */
static void no_sample_is_told_twice_and_each_stands_below_its_own_head(void **state)
{
    struct told told;
    begin(&told, SPEC, 8);
    told.source.process = true;
    tell(&told);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_auto(GStrv) lines = g_strsplit(told.text->str, "\n", -1);
    const char *name = "";
    for (char **line = lines; **line; line++) {
        size_t head = strlen("# HELP ");
        if (g_str_has_prefix(*line, "# HELP "))
            name = *line + head;
        if (**line == '#') {
            assert_true(g_hash_table_add(seen, g_strdup(*line)));
            continue;
        }
        size_t len = strcspn(*line, "{ ");
        assert_true(strncmp(*line, name, len) == 0 && name[len] == ' ');
        assert_true(g_hash_table_add(seen, g_strndup(*line, (gsize)(strrchr(*line, ' ') - *line))));
    }
    assert_non_null(strstr(told.text->str, "\nprocess_resident_memory_bytes "));
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_that_is_done_is_told_with_what_became_of_its_records),
        cmocka_unit_test(a_gate_that_waits_for_an_approval_needs_a_person),
        cmocka_unit_test(a_run_is_told_for_a_day_after_its_end_and_by_name_always),
        cmocka_unit_test(no_sample_is_told_twice_and_each_stands_below_its_own_head),
    };
    return cmocka_run_group_tests_name("metrics/metrics", tests, NULL, NULL);
}
