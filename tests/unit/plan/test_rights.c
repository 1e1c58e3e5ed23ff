/* Stages, gates and who may do what, as the frozen plan keeps them. */
#include "kit/kit.h"
#include "plan/plan_parts.h"

static const char *LEADS[] = {"data-lead", "on-call"};
static const char *OPS[] = {"ops"};

static json_t *root_of(const struct plan *plan)
{
    return json_pack("{s:o, s:o}", "stages", plan_stages_json(plan), "may", plan_may_json(plan->spec));
}

static void what_is_frozen_is_read_back(void **state)
{
    static const struct plan_stage STAGES[] = {
        {.name = "canary", .soak_ms = 600000, .parts = 1, .records = 10},
        {.name = "full", .approve = "data-lead", .sure = {0.999, 0.0001, 0.05}, .parts = 3, .records = 1234567890123},
    };
    struct spec spec = {0};
    spec.may[SPEC_MAY_APPROVE] = (struct spec_may){.names = LEADS, .n = 2};
    spec.may[SPEC_MAY_ROLLBACK] = (struct spec_may){.names = OPS, .n = 1};
    struct plan plan = {.spec = &spec, .stages = STAGES, .n_stages = 2};
    struct plan_rights found;
    auto_(arena) mem = arena_new(1 << 20);
    json_t *root = root_of(&plan);
    assert_true(plan_rights_take(root, mem, &found));
    json_decref(root);
    assert_int_equal(found.n_stages, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(found.stages[i].name, STAGES[i].name);
        assert_int_equal(g_strcmp0(found.stages[i].approve, STAGES[i].approve), 0);
        assert_int_equal(found.stages[i].soak_ms, STAGES[i].soak_ms);
        assert_memory_equal(&found.stages[i].sure, &STAGES[i].sure, sizeof STAGES[i].sure);
        assert_int_equal(found.stages[i].parts, STAGES[i].parts);
        assert_int_equal(found.stages[i].records, STAGES[i].records);
    }
    for (int what = 0; what < SPEC_MAY_COUNT; what++) {
        assert_int_equal(found.may[what].n, spec.may[what].n);
        for (size_t i = 0; i < found.may[what].n; i++)
            assert_string_equal(found.may[what].names[i], spec.may[what].names[i]);
    }
}

#define STAGE(more) "{\"name\": \"a\", \"partitions\": 1, \"records\": 1, \"sampled\": false, \"soak_ms\": 0" more "}"

static void a_plan_that_says_it_otherwise_is_not_read(void **state)
{
    static const struct {
        const char *text;
        bool reads;
    } ROWS[] = {
        {"{\"stages\": [" STAGE(", \"approve\": null") "], \"may\": {}}", true},
        {"{\"stages\": [" STAGE(", \"approve\": null") "], \"may\": {\"set\": [\"ops\"]}}", true},
        {"{\"stages\": [" STAGE(", \"approve\": null") "]}", false},
        {"{\"stages\": [" STAGE(", \"approve\": null") "], \"may\": []}", false},
        {"{\"stages\": [" STAGE(", \"approve\": null") "], \"may\": {\"set\": [7]}}", false},
        {"{\"stages\": [" STAGE("") "], \"may\": {}}", false},
        {"{\"stages\": [" STAGE(", \"approve\": null") ", {}], \"may\": {}}", false},
        {"{\"stages\": [], \"may\": {}}", false},
        {"{\"stages\": {}, \"may\": {}}", false},
        {"{\"may\": {}}", false},
        {"{}", false},
        {"{\"stages\": [" STAGE(", \"approve\": null, \"sure\": [0.9, 0.1]") "], \"may\": {}}", true},
        {"{\"stages\": [" STAGE(", \"approve\": null, \"sure\": [0.9, 0.1, 0.2]") "], \"may\": {}}", true},
        {"{\"stages\": [" STAGE(", \"approve\": null, \"sure\": [0.9, 0.1, \"a fifth\"]") "], \"may\": {}}", false},
        {"{\"stages\": [" STAGE(", \"approve\": null, \"sure\": [0.9]") "], \"may\": {}}", false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct plan_rights found;
        auto_(arena) mem = arena_new(1 << 20);
        json_t *root = json_loads(ROWS[i].text, 0, NULL);
        assert_non_null(root);
        if (plan_rights_take(root, mem, &found) != ROWS[i].reads)
            fail_msg("%s %s", ROWS[i].text, ROWS[i].reads ? "is not read" : "is read");
        json_decref(root);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_frozen_is_read_back),
        cmocka_unit_test(a_plan_that_says_it_otherwise_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
