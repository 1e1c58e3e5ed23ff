/* YAML and the spec's reader: what is taken is a sound tree within its limits; what is refused is refused with words.
 */
#include "fuzz.h"
#include "spec/spec.h"
#include "yaml_leaks.h"

static void check(const struct yaml_node *node, size_t len, unsigned depth)
{
    g_assert(depth <= YAML_DEPTH + 1 && node->line >= 1 && node->line <= len + 1);
    g_assert(node->column >= 1 && node->column <= len + 1 && node->weight <= YAML_NODES);
    g_assert(g_utf8_validate(node->text, -1, NULL));
    for (size_t i = 0; i < node->n && node->kind == YAML_LIST; i++)
        check(node->items[i], len, depth + 1);
    for (size_t i = 0; i < node->n && node->kind == YAML_MAP; i++) {
        check(node->pairs[i].key, len, depth + 1);
        check(node->pairs[i].value, len, depth + 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GError) error = NULL;
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse("f", slice_of(data, len), diags);
    auto_(spec) spec = NULL;
    if (yaml)
        check(yaml_root(yaml), len, 0);
    else
        g_assert(diags_count(diags) >= 1);
    if (spec_parse(&spec, "f", slice_of(data, len), &error))
        g_assert(spec->name && spec->source.store && spec->target.dataset && spec->n_stages > 0);
    else
        g_assert(g_utf8_validate(error->message, -1, NULL));
    return 0;
}
