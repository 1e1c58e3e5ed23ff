#include "contracts.h"

#define TWO FIELDS("  tier: { type: string }\n  balance: { type: decimal, nullable: true }\n")

static void a_rule_that_does_not_hold_is_named(void **state)
{
    static const char yaml[] =
        TWO "rules:\n"
            "  - { name: gold-has-balance, when: doc.tier == 'gold', expr: doc.balance ~= nil }\n"
            "  - { name: no-debts, expr: doc.balance == nil or doc.balance == null or doc.balance >= 0 }\n";
    struct applied applied = applied_new(yaml);
    assert_passes(&applied, "{\"tier\":\"gold\",\"balance\":1.5}", "=");
    assert_passes(&applied, "{\"tier\":\"bronze\"}", "=");
    assert_refuses(&applied, "{\"tier\":\"gold\"}", "rule gold-has-balance: does not hold: doc.balance ~= nil");
    assert_refuses(&applied, "{\"tier\":\"x\",\"balance\":-0.01}",
                   "rule no-debts: does not hold: doc.balance == nil or doc.balance == null or doc.balance >= 0");
    applied_done(&applied);
}

static void rules_see_the_record_as_it_will_be(void **state)
{
    static const char yaml[] = FIELDS(
        "  a: { type: int }\n  b: { type: int, default: 5 }\n") "unknown: drop\n"
                                                                "rules: [{ name: sum, expr: doc.a + doc.b == 8 and "
                                                                "doc.z == nil }]\n";
    struct applied applied = applied_new(yaml);
    assert_passes(&applied, "{\"a\":\"3\",\"z\":1}", "{\"a\":3,\"b\":5}");
    assert_refuses(&applied, "{\"a\":\"4\"}", "rule sum: does not hold: doc.a + doc.b == 8 and doc.z == nil");
    applied_done(&applied);
}

static void fields_and_rules_that_fail_are_told_together(void **state)
{
    static const char yaml[] =
        FIELDS("  a: { type: int, max: 5 }\n  b: { type: int }\n") "rules:\n"
                                                                   "  - { name: b-is-more, expr: doc.b > doc.a }\n"
                                                                   "  - { name: throws, expr: doc.c.d }\n";
    refuses(yaml, "{\"a\": 9, \"b\": 1, \"c\": {\"d\": 1}}",
            "a: 9 is above the most, 5\nrule b-is-more: does not hold: doc.b > doc.a");
    /* A rule that throws where fields are wrong would tell of them once more. */
    refuses(yaml, "{\"a\": 9, \"b\": \"x\", \"c\": {\"d\": 1}}",
            "a: 9 is above the most, 5\nb: expected an int, found the string 'x'");
}

static void a_rule_that_throws_refuses_the_record(void **state)
{
    struct applied applied = applied_new(TWO "rules: [{ name: deep, expr: doc.a.b.c }]\n");
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, "{}");
    kit_refused(contract_apply(applied.check, document, applied.mem, &made, &error), CONTRACT_SAYS, "rule deep: ");
    assert_passes(&applied, "{\"a\":{\"b\":{\"c\":1}}}", "="); /* and the next one goes on */
    applied_done(&applied);
}

static void a_rule_that_never_ends_ends_the_run(void **state)
{
    struct applied applied =
        applied_new(TWO "rules: [{ name: endless, expr: \"(function() while true do end end)()\" }]\n");
    g_autoptr(GError) error = NULL;
    struct slice made, document = document_of(applied.mem, "{}");
    kit_refused(contract_apply(applied.check, document, applied.mem, &made, &error), TRANSFORM, "rule endless: ");
    applied_done(&applied);
}

static void rules_are_compiled_when_the_contract_is_read(void **state)
{
    g_autoptr(GError) error = NULL;
    auto_(contract) contract = NULL;
    static const char yaml[] = TWO "rules:\n"
                                   "  - { name: a, expr: doc.x == }\n"
                                   "  - { name: b, when: \")\", expr: 'true' }\n"
                                   "  - { name: c, expr: 5 }\n"
                                   "  - { name: d, expr: doc.a }\n"
                                   "  - { name: d, expr: doc.a }\n"
                                   "  - { name: e }\n";
    assert_false(contract_parse(&contract, world_real(), "c.yaml", slice_of_text(yaml), &error));
    assert_int_equal(error->code, SLUICE_ERROR_CONTRACT);
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    static const char *const begin[] = {
        "c.yaml:7:22: a:", "c.yaml:8:22: b:", "c.yaml:9:22: expected a text, found the number 5",
        "c.yaml:11:5: a rule 'd' was there already", "c.yaml:12:5: the key 'rules[].expr' is missing"};
    assert_int_equal(g_strv_length(lines), G_N_ELEMENTS(begin));
    for (size_t i = 0; i < G_N_ELEMENTS(begin); i++)
        if (!g_str_has_prefix(lines[i], begin[i]))
            fail_msg("'%s' does not begin with '%s'", lines[i], begin[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_that_does_not_hold_is_named),
        cmocka_unit_test(rules_see_the_record_as_it_will_be),
        cmocka_unit_test(fields_and_rules_that_fail_are_told_together),
        cmocka_unit_test(a_rule_that_throws_refuses_the_record),
        cmocka_unit_test(a_rule_that_never_ends_ends_the_run),
        cmocka_unit_test(rules_are_compiled_when_the_contract_is_read),
    };
    return cmocka_run_group_tests_name("contract/rules", tests, NULL, NULL);
}
