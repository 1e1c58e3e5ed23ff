/* `rules:`: what must hold between fields, as Lua expressions. */
#include "contract/read.h"
#include "sandbox/sandbox.h"

static bool read_expression(struct reading *reading, const struct yaml_node *node, struct sandbox *sandbox,
                            const char *name, const char **ret)
{
    g_autoptr(GError) error = NULL;
    const char *text;
    int id;
    if (!yaml_get_text(reading->yaml, node, &text))
        return false;
    if (!sandbox_compile(sandbox, name, text, &id, &error))
        return yaml_fail(reading->yaml, node, "%s", error->message);
    *ret = reading_keep(reading, text);
    return true;
}

static void read_rule(struct reading *reading, const struct yaml_node *node, struct sandbox *sandbox)
{
    struct contract *contract = reading->contract;
    struct rule_wish wish = {0};
    struct rule *rule = &contract->rules[contract->n_rules];
    if (!rows_read_map(&reading->rows, "rules[]", node, &wish))
        return;
    for (size_t i = 0; i < contract->n_rules; i++)
        if (strcmp(contract->rules[i].name, wish.name) == 0)
            yaml_diag(reading->yaml, node, "a rule '%s' was there already", wish.name);
    rule->name = wish.name;
    if (read_expression(reading, wish.expr, sandbox, wish.name, &rule->expr) &&
        (!wish.when || read_expression(reading, wish.when, sandbox, wish.name, &rule->when)))
        contract->n_rules++;
}

void read_rules(struct reading *reading, const struct yaml_node *node)
{
    g_autoptr(GError) error = NULL;
    auto_(sandbox) sandbox = NULL;
    if (node->kind != YAML_LIST || node->n == 0) {
        yaml_expected(reading->yaml, node, "a list of rules such as [{ name: paid, expr: doc.paid <= doc.owed }]");
        return;
    }
    if (!sandbox_new(&sandbox, &(struct sandbox_config){.world = reading->contract->world}, &error)) {
        yaml_diag(reading->yaml, node, "%s", error->message);
        return;
    }
    reading->contract->rules = reading_take(reading, node->n * sizeof(struct rule));
    for (size_t i = 0; i < node->n; i++)
        read_rule(reading, node->items[i], sandbox);
}
