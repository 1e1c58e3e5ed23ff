/* Which partitions a stage holds: cumulative scopes, rounded up to whole partitions, by risk or in the source's order.
 */
#include "kit/kit.h"
#include "plan/plan_parts.h"

#define MOST 12

struct deal {
    struct spec_stage stages[3]; /* up to the one without a name */
    uint64_t records[MOST];      /* of each partition; `n` of them */
    double risk[MOST];           /* 0 throughout: none is known */
    size_t n;
    const char *dealt; /* a digit for each partition: its stage */
    const char *turns; /* the partitions as they are granted; NULL: each in its own place */
    const char *names; /* the stages that are left, where some are left out; NULL: all of them */
};

#define TEN                                                                                                            \
    {                                                                                                                  \
        10, 10, 10, 10, 10, 10, 10, 10, 10, 10                                                                         \
    }
#define SHARE(name_, share)                                                                                            \
    {                                                                                                                  \
        .name = (name_), .scope_share = (share), .order = ORDER_LISTED                                                 \
    }
#define RISKY(name_, share)                                                                                            \
    {                                                                                                                  \
        .name = (name_), .scope_share = (share), .order = ORDER_RISKIEST                                               \
    }
#define SMALL(name_, share)                                                                                            \
    {                                                                                                                  \
        .name = (name_), .scope_share = (share), .order = ORDER_SMALLEST                                               \
    }
#define PARTS(name_, parts)                                                                                            \
    {                                                                                                                  \
        .name = (name_), .scope_share = 1, .scope_partitions = (parts), .order = ORDER_LISTED                          \
    }
#define ROWS(name_, rows)                                                                                              \
    {                                                                                                                  \
        .name = (name_), .scope_share = 1, .scope_records = (rows), .order = ORDER_LISTED                              \
    }

static const struct deal DEALS[] = {
    /* shares are of the records, those before included, and rounded up to whole partitions */
    {{SHARE("a", 0.1), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 10, .dealt = "0112222222"},
    {{SHARE("a", 0.11), SHARE("b", 0.3), SHARE("c", 1)}, TEN, .n = 10, .dealt = "0012222222"},
    {{SHARE("a", 0.001), SHARE("b", 0.5), SHARE("c", 1)}, TEN, .n = 4, .dealt = "0122"},
    {{SHARE("a", 1)}, TEN, .n = 3, .dealt = "000"},
    {{SHARE("a", 0.5), SHARE("c", 1)}, {70, 10, 10, 10}, .n = 4, .dealt = "0111"},
    {{SHARE("a", 0.5), SHARE("c", 1)}, {10, 10, 10, 70}, .n = 5, .dealt = "00001"},
    {{SHARE("a", 0.07), SHARE("c", 1)}, {7, 93}, .n = 2, .dealt = "01"}, /* 0.07 times 100 is more than 7 by a hair */
    {{SHARE("a", 0.29), SHARE("c", 1)}, {28, 1, 71}, .n = 3, .dealt = "001"},
    /* so many partitions or records, those before included */
    {{PARTS("a", 1), PARTS("b", 4), SHARE("c", 1)}, TEN, .n = 6, .dealt = "011122"},
    {{PARTS("a", 2), PARTS("b", 99)}, TEN, .n = 4, .dealt = "0011"},
    {{ROWS("a", 1), ROWS("b", 21), SHARE("c", 1)}, TEN, .n = 5, .dealt = "01122"},
    {{ROWS("a", 20), ROWS("b", 1000000)}, TEN, .n = 4, .dealt = "0011"},
    {{ROWS("a", 10), PARTS("b", 3), SHARE("c", 1)}, TEN, .n = 5, .dealt = "01122"},
    /* the highest risk first, or in the source's order; of equal ones the first of the source */
    {{RISKY("a", 0.25), SHARE("c", 1)}, TEN, {1, 3, 2, 1}, 4, "1011"},
    {{RISKY("a", 0.5), SHARE("c", 1)}, TEN, {1, 3, 2, 3}, 4, "1010"},
    {{RISKY("a", 0.5), SHARE("c", 1)}, TEN, {1, 2, 2, 3}, 4, "1010", "0321"},
    {{RISKY("a", 0.5), SHARE("c", 1)}, TEN, {1, 1, 1, 1}, 4, "0011"},
    {{RISKY("a", 1)}, TEN, {1, 3, 2, 3}, 4, "0000", "1320"},
    {{SHARE("a", 0.25), RISKY("b", 0.5), SHARE("c", 1)}, TEN, {9, 1, 2, 3}, 4, "0221"},
    {{RISKY("a", 0.25), RISKY("b", 0.5), SHARE("c", 1)}, TEN, {1, 2, 3, 4}, 4, "2210"},
    {{RISKY("a", 0.25), SHARE("b", 0.5), RISKY("c", 1)}, TEN, {1, 2, 3, 4}, 4, "1220", "0213"},
    /* the smallest first; what holds nothing comes last all the same */
    {{SMALL("a", 0.1), SHARE("c", 1)}, {70, 10, 10, 10}, .n = 4, .dealt = "1011"},
    {{SMALL("a", 1)}, {30, 20, 0, 10}, .n = 4, .dealt = "0000", .turns = "3102"},
    {{SMALL("a", 0.25), SHARE("c", 1)}, {60, 0, 30, 10}, .n = 4, .dealt = "1100", .turns = "0132"},
    /* what seems to hold nothing is the last stage's; a source that holds nothing has one stage all the same */
    {{SHARE("a", 0.5), SHARE("c", 1)}, {10, 10, 0, 0}, .n = 4, .dealt = "0111"},
    {{SHARE("a", 0.01), SHARE("b", 0.5), SHARE("c", 1)}, {0}, .n = 3, .dealt = "000", .names = "c"},
    {{SHARE("a", 0.01), SHARE("b", 0.5), SHARE("c", 1)}, {0}, .n = 0, .dealt = "", .names = "c"},
    /* without `stages` those that would hold nothing are left out */
    {{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 4, .dealt = "0111", .names = "a c"},
    {{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 1, .dealt = "0", .names = "a"},
};

/* A plan of nothing but partitions and stages. */
struct table {
    struct spec spec;
    struct plan plan;
    struct plan_part parts[MOST];
    struct spec_stage stages[3];
};

static void lay(struct table *table, const struct deal *deal, bool given)
{
    *table = (struct table){.plan = {.mem = arena_new(1 << 20), .parts = table->parts, .n_parts = deal->n}};
    for (; table->spec.n_stages < 3 && deal->stages[table->spec.n_stages].name; table->spec.n_stages++)
        table->stages[table->spec.n_stages] = deal->stages[table->spec.n_stages];
    for (size_t i = 0; i < deal->n; i++)
        table->parts[i] = (struct plan_part){.records = deal->records[i], .risk = deal->risk[i], .stage = 77};
    table->spec.stages = table->stages;
    table->spec.stages_given = given;
    table->spec.path = "job.yaml";
    table->spec.source_text = slice_of_text("name: job\nstages: []\n");
    table->plan.spec = &table->spec;
}

static char *dealt(const struct plan *plan)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < plan->n_parts; i++)
        g_string_append_printf(text, "%u", plan->parts[i].stage);
    return g_string_free(text, FALSE);
}

static char *granted(const struct plan *plan)
{
    char *text = g_strnfill(plan->n_parts, '-');
    for (size_t i = 0; i < plan->n_parts; i++)
        text[plan->parts[i].turn ? plan->parts[i].turn - 1 : i] = (char)('0' + i);
    return text;
}

static char *names(const struct plan *plan)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < plan->n_stages; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", plan->stages[i].name);
    return g_string_free(text, FALSE);
}

static char *all_names(const struct table *table)
{
    GString *text = g_string_new(NULL);
    for (size_t i = 0; i < table->spec.n_stages; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "", table->stages[i].name);
    return g_string_free(text, FALSE);
}

static void every_stage_holds_what_its_scope_reaches(void **state)
{
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(DEALS); i++) {
        struct table table;
        lay(&table, &DEALS[i], !DEALS[i].names);
        kit_ok(plan_deal_stages(&table.plan, NULL, &error));
        g_autofree char *found = dealt(&table.plan), *left = names(&table.plan), *all = all_names(&table);
        if (strcmp(found, DEALS[i].dealt) != 0 || strcmp(left, DEALS[i].names ? DEALS[i].names : all) != 0)
            fail_msg("row %zu: dealt as %s to %s, not as %s", i, found, left, DEALS[i].dealt);
        arena_free(table.plan.mem);
    }
}

static void a_stages_partitions_are_granted_in_its_order(void **state)
{
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(DEALS); i++) {
        struct table table;
        lay(&table, &DEALS[i], !DEALS[i].names);
        kit_ok(plan_deal_stages(&table.plan, NULL, &error));
        g_autofree char *found = granted(&table.plan), *listed = g_strdup("0123456789");
        listed[DEALS[i].n] = '\0';
        if (strcmp(found, DEALS[i].turns ? DEALS[i].turns : listed) != 0)
            fail_msg("row %zu: granted as %s", i, found);
        arena_free(table.plan.mem);
    }
}

static void a_stage_counts_what_it_holds(void **state)
{
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(DEALS); i++) {
        struct table table;
        struct plan_stage held[3] = {0};
        lay(&table, &DEALS[i], !DEALS[i].names);
        kit_ok(plan_deal_stages(&table.plan, NULL, &error));
        for (size_t p = 0; p < table.plan.n_parts; p++) {
            held[table.parts[p].stage].parts++;
            held[table.parts[p].stage].records += table.parts[p].records;
        }
        for (size_t s = 0; s < table.plan.n_stages; s++) {
            assert_int_equal(table.plan.stages[s].parts, held[s].parts);
            assert_int_equal(table.plan.stages[s].records, held[s].records);
        }
        arena_free(table.plan.mem);
    }
}

static void a_gate_is_the_specs(void **state)
{
    static const struct deal ONE = {.stages = {SHARE("a", 1)}, .records = {5}, .n = 1};
    GError *error = NULL;
    struct table table;
    lay(&table, &ONE, true);
    table.stages[0].soak_ms = 600000;
    table.stages[0].approve = "data-lead";
    table.stages[0].sure = (struct spec_sure){0.999, 0.0001};
    kit_ok(plan_deal_stages(&table.plan, NULL, &error));
    assert_int_equal(table.plan.stages[0].soak_ms, 600000);
    assert_string_equal(table.plan.stages[0].approve, "data-lead");
    assert_memory_equal(&table.plan.stages[0].sure, &table.stages[0].sure, sizeof table.stages[0].sure);
    arena_free(table.plan.mem);
}

/* Written by somebody, and a gate on nothing. */
static const struct {
    struct deal deal;
    const char *words;
} EMPTY[] = {
    {{{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 4}, "the stage 'b' would hold no partition"},
    {{{PARTS("a", 2), SHARE("b", 0.5), SHARE("c", 1)}, TEN, .n = 4}, "in whole partitions of 4"},
    {{{SHARE("a", 0.5), PARTS("b", 1), SHARE("c", 1)}, TEN, .n = 4}, "the stage 'b' would hold no partition"},
    {{{SHARE("a", 0.5), ROWS("b", 20), SHARE("c", 1)}, TEN, .n = 4}, "the stage 'b' would hold no partition"},
    {{{SHARE("a", 0.9), SHARE("b", 0.95), SHARE("c", 1)}, TEN, .n = 1}, "the stage 'b' would hold no partition"},
    {{{PARTS("a", 4), SHARE("c", 1)}, TEN, .n = 4}, "the stage 'c' would hold no partition"},
    {{{SHARE("a", 0.5), SHARE("c", 1)}, {0}, .n = 3}, "the stage 'a' would hold no partition"},
};

static void a_stage_that_somebody_wrote_and_that_holds_nothing_is_refused(void **state)
{
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(EMPTY); i++) {
        struct table table;
        lay(&table, &EMPTY[i].deal, true);
        kit_refused(plan_deal_stages(&table.plan, NULL, &error), SPEC, EMPTY[i].words);
        arena_free(table.plan.mem);
        lay(&table, &EMPTY[i].deal, true);
        kit_refused(plan_deal_stages(&table.plan, NULL, &error), SPEC, "job.yaml:2:");
        arena_free(table.plan.mem);
    }
}

/* A retry or a repair of few records: who is asked at which stage, how long it soaks, and whether a sample will do. */
struct asks {
    int64_t soak_ms;
    const char *approve;
    struct spec_sure sure;
};

#define SURE                                                                                                           \
    {                                                                                                                  \
        0.999, 0.0001                                                                                                  \
    }

static const struct {
    struct deal deal;
    struct asks asks[3];   /* by the spec's stages */
    struct asks joined[3]; /* by those that are left */
} JOINS[] = {
    {{{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 1, .dealt = "0", .names = "a"},
     {{5, NULL, SURE}, {7, "lead", SURE}, {6, NULL, SURE}},
     {{7, "lead", SURE}}},
    {{{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 1, .dealt = "0", .names = "a"},
     {{5, "lead", SURE}, {0, "lead", SURE}, {0, NULL, {0}}},
     {{5, "lead", {0}}}},
    {{{SHARE("a", 0.01), SHARE("b", 0.25), SHARE("c", 1)}, TEN, .n = 4, .dealt = "0111", .names = "a c"},
     {{0, NULL, SURE}, {7, "lead", SURE}, {0, "boss", {0}}},
     {{7, "lead", SURE}, {0, "boss", {0}}}},
    {{{SHARE("a", 0.5), SHARE("b", 0.6), SHARE("c", 1)}, {0}, .n = 2, .dealt = "00", .names = "c"},
     {{9, "lead", SURE}, {3, NULL, SURE}, {4, NULL, SURE}},
     {{9, "lead", SURE}}},
    {{{PARTS("a", 1), PARTS("b", 2)}, TEN, .n = 2, .dealt = "01", .names = "a b"},
     {{9, "lead", SURE}, {3, "boss", {0}}},
     {{9, "lead", SURE}, {3, "boss", {0}}}},
};

static void lay_asks(struct table *table, size_t i)
{
    static struct plan_retries retries;
    lay(table, &JOINS[i].deal, true);
    table->plan.retries = &retries;
    for (size_t s = 0; s < table->spec.n_stages; s++) {
        table->stages[s].soak_ms = JOINS[i].asks[s].soak_ms;
        table->stages[s].approve = JOINS[i].asks[s].approve;
        table->stages[s].sure = JOINS[i].asks[s].sure;
    }
}

static void what_the_gates_of_empty_stages_ask_of_a_retry_is_asked_at_the_one_before(void **state)
{
    GError *error = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(JOINS); i++) {
        struct table table;
        lay_asks(&table, i);
        kit_ok(plan_deal_stages(&table.plan, NULL, &error));
        g_autofree char *found = dealt(&table.plan), *left = names(&table.plan);
        assert_string_equal(found, JOINS[i].deal.dealt);
        assert_string_equal(left, JOINS[i].deal.names);
        for (size_t s = 0; s < table.plan.n_stages; s++) {
            const struct plan_stage *stage = &table.plan.stages[s];
            const struct asks *asks = &JOINS[i].joined[s];
            assert_int_equal(stage->soak_ms, asks->soak_ms);
            assert_string_equal(stage->approve ? stage->approve : "nobody", asks->approve ? asks->approve : "nobody");
            assert_memory_equal(&stage->sure, &asks->sure, sizeof stage->sure);
        }
        arena_free(table.plan.mem);
    }
}

static void two_approvers_do_not_become_one(void **state)
{
    GError *error = NULL;
    struct table table;
    lay_asks(&table, 0);
    table.stages[0].approve = "boss";
    kit_refused(plan_deal_stages(&table.plan, NULL, &error), SPEC,
                "its approver 'lead' is not the 'boss' of stage 'a'");
    arena_free(table.plan.mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_holds_what_its_scope_reaches),
        cmocka_unit_test(a_stages_partitions_are_granted_in_its_order),
        cmocka_unit_test(a_stage_counts_what_it_holds),
        cmocka_unit_test(a_gate_is_the_specs),
        cmocka_unit_test(a_stage_that_somebody_wrote_and_that_holds_nothing_is_refused),
        cmocka_unit_test(what_the_gates_of_empty_stages_ask_of_a_retry_is_asked_at_the_one_before),
        cmocka_unit_test(two_approvers_do_not_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
