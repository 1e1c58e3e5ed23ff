/* Where a key stands: for what is found out about its value long after the file was read. */
#include <string.h>

#include "spec/spec.h"
#include "spec/yaml.h"

/* The value of the key, or of the longest beginning of it that is there: `source` for a missing `source.key`. */
static const struct yaml_node *find(const struct yaml_node *root, const char *key)
{
    g_auto(GStrv) names = g_strsplit(key, ".", -1);
    const struct yaml_node *at = root, *next = root;
    for (size_t i = 0; names[i] && next && next->kind == YAML_MAP; i++) {
        next = yaml_find(next, names[i]);
        at = next ? next : at;
    }
    return at;
}

char *spec_place(const struct spec *spec, const char *key)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse(spec->path, spec->source_text, diags);
    if (!yaml)
        return g_strdup(spec->path);
    const struct yaml_node *at = find(yaml_root(yaml), key);
    return g_strdup_printf("%s:%u:%u", spec->path, at->line, at->column);
}
