#include "contract/walk.h"
#include "sandbox/sandbox.h"

enum { NO_CONDITION = -1 };

struct compiled {
    int when, expr; /* ids in the sandbox; when: NO_CONDITION where the rule always holds */
};

struct contract_check {
    const struct contract *contract;
    struct walk walk;
    struct sandbox *sandbox; /* NULL where there are no rules */
    struct compiled *rules;
};

void contract_check_free(struct contract_check *check)
{
    if (!check)
        return;
    walk_done(&check->walk);
    sandbox_free(check->sandbox);
    g_free(check->rules);
    g_free(check);
}

static bool compile_rule(struct sandbox *sandbox, const struct rule *rule, struct compiled *ret, GError **error)
{
    ret->when = NO_CONDITION;
    return (!rule->when || sandbox_compile(sandbox, rule->name, rule->when, &ret->when, error)) &&
           sandbox_compile(sandbox, rule->name, rule->expr, &ret->expr, error);
}

static bool compile_rules(struct contract_check *check, GError **error)
{
    const struct contract *contract = check->contract;
    if (contract->n_rules == 0)
        return true;
    if (!sandbox_new(&check->sandbox, &(struct sandbox_config){.world = contract->world}, error))
        return false;
    check->rules = g_new0(struct compiled, contract->n_rules);
    for (size_t i = 0; i < contract->n_rules; i++)
        if (!compile_rule(check->sandbox, &contract->rules[i], &check->rules[i], error))
            return false;
    return true;
}

bool contract_check_new(struct contract_check **ret, const struct contract *contract, GError **error)
{
    auto_(contract_check) check = g_new0(struct contract_check, 1);
    check->contract = contract;
    walk_init(&check->walk, contract);
    if (!compile_rules(check, error))
        return false;
    *ret = g_steal_pointer(&check);
    return true;
}

static bool evaluate(struct contract_check *check, const struct compiled *rule, struct slice document, bool *ret,
                     GError **error)
{
    bool applies = true;
    *ret = true;
    if (rule->when != NO_CONDITION && !sandbox_evaluate(check->sandbox, rule->when, document, &applies, error))
        return false;
    return !applies || sandbox_evaluate(check->sandbox, rule->expr, document, ret, error);
}

static void refuse_rule(struct contract_check *check, const struct rule *rule, const char *why)
{
    GString *refusal = check->walk.refusal;
    g_string_append_printf(refusal, "%srule %s: %s", refusal->len ? "\n" : "", rule->name, why);
}

/* Rules see the record as it will be. Where fields are wrong already, a rule that cannot be evaluated says nothing new;
 * one that can be and does not hold is named all the same. */
static bool apply_rules(struct contract_check *check, struct slice document, GError **error)
{
    bool sound = check->walk.refusal->len == 0;
    for (size_t i = 0; i < check->contract->n_rules; i++) {
        const struct rule *rule = &check->contract->rules[i];
        g_autoptr(GError) fault = NULL;
        bool holds = true;
        if (evaluate(check, &check->rules[i], document, &holds, &fault)) {
            g_autofree char *why = holds ? NULL : g_strconcat("does not hold: ", rule->expr, NULL);
            if (!holds)
                refuse_rule(check, rule, why);
            continue;
        }
        if (error_class(fault) != ERROR_RECORD) {
            g_propagate_error(error, g_steal_pointer(&fault));
            return error_add(error, "rule %s", rule->name);
        }
        if (sound)
            refuse_rule(check, rule, fault->message);
    }
    return true;
}

bool contract_apply(struct contract_check *check, struct slice document, struct arena *mem, struct slice *ret,
                    GError **error)
{
    struct walk *walk = &check->walk;
    struct slice made;
    walk_document(walk, check->contract->fields, document, mem, &made);
    if (walk->damaged)
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "the record is not BSON, or has a type that is not carried");
    if (walk->no_room || made.len > DOCUMENT_BYTES)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "the record is too large once the contract has been applied");
    if (check->contract->n_rules && !apply_rules(check, made, error))
        return false;
    if (walk->refusal->len)
        return error_set(error, SLUICE_ERROR_CONTRACT_SAYS, "%s", walk->refusal->str);
    *ret = made;
    return true;
}
