#include "contract/contract.h"

#include "contract/read.h"
#include "record/path.h"

enum { CONTRACT_MEMORY = 256 << 20 };

void contract_free(struct contract *contract)
{
    if (!contract)
        return;
    g_ptr_array_unref(contract->patterns);
    arena_free(contract->mem);
    g_free(contract);
}

static void free_pattern(void *pattern)
{
    pcre2_code_free(pattern);
}

static struct contract *contract_new(struct slice text)
{
    struct contract *contract = g_new0(struct contract, 1);
    contract->mem = arena_new(CONTRACT_MEMORY);
    contract->patterns = g_ptr_array_new_with_free_func(free_pattern);
    contract->fields = fields_new(contract);
    bool kept = arena_copy(contract->mem, text, &contract->source_text);
    g_assert(kept);
    return contract;
}

static struct field *find_field(const struct contract *contract, const struct path *path)
{
    const struct fields *fields = contract->fields;
    struct field *field = NULL;
    for (size_t i = 0; i < path_count(path); i++) {
        field = fields ? fields_named(fields, path_name(path, i)) : NULL;
        fields = field ? field->fields : NULL;
    }
    return field;
}

static bool check_unique(struct reading *reading, const struct yaml_node *node, const char *text)
{
    g_autoptr(GError) error = NULL;
    auto_(path) path = NULL;
    if (!path_parse(&path, text, &error))
        return yaml_fail(reading->yaml, node, "%s", error->message);
    const struct field *field = find_field(reading->contract, path);
    if (!field)
        return yaml_fail(reading->yaml, node, "'%s' is not among the fields", text);
    if (field->type == FIELD_OBJECT || field->type == FIELD_ARRAY || field->type == FIELD_DOUBLE)
        return yaml_fail(reading->yaml, node, "'%s' is %s, which cannot be unique", text,
                         type_row(field->type)->article);
    return true;
}

void read_unique(struct reading *reading, const struct yaml_node *node)
{
    struct contract *contract = reading->contract;
    if (node->kind != YAML_LIST || node->n == 0) {
        yaml_expected(reading->yaml, node, "a list of fields");
        return;
    }
    contract->unique = reading_take(reading, node->n * sizeof *contract->unique);
    for (size_t i = 0; i < node->n; i++) {
        const char *text;
        if (!yaml_get_text(reading->yaml, node->items[i], &text) || !check_unique(reading, node->items[i], text))
            continue;
        for (size_t j = 0; j < contract->n_unique; j++)
            if (strcmp(contract->unique[j], text) == 0)
                yaml_diag(reading->yaml, node->items[i], "'%s' stands twice in 'unique'", text);
        contract->unique[contract->n_unique++] = reading_keep(reading, text);
    }
}

static void read_root(struct reading *reading)
{
    struct contract_wish wish = {.version = 1};
    struct contract *contract = reading->contract;
    rows_read_map(&reading->rows, "", yaml_root(reading->yaml), &wish);
    contract->name = wish.name;
    contract->version = wish.version;
    contract->unknown = wish.unknown;
    if (wish.fields)
        read_fields(reading, wish.fields);
    if (wish.fields && wish.unique)
        read_unique(reading, wish.unique);
    if (wish.rules)
        read_rules(reading, wish.rules);
}

static bool settle(struct contract **ret, const struct world *world, struct yaml *yaml, struct diags *diags,
                   GError **error)
{
    if (!yaml)
        return diags_settle(diags, SLUICE_ERROR_CONTRACT, error);
    auto_(contract) contract = contract_new(yaml_text(yaml));
    contract->world = world;
    struct reading reading = {.contract = contract, .yaml = yaml, .diags = diags};
    reading.fallbacks = g_array_new(FALSE, FALSE, sizeof(struct fallback_wish));
    rows_init(&reading.rows, yaml, contract_table(), contract->mem, ".");
    read_root(&reading);
    rows_done(&reading.rows);
    g_array_free(reading.fallbacks, TRUE);
    if (!diags_settle(diags, SLUICE_ERROR_CONTRACT, error))
        return false;
    *ret = g_steal_pointer(&contract);
    return true;
}

bool contract_read(struct contract **ret, const struct world *world, const char *path, GError **error)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_read(world, path, diags);
    return settle(ret, world, yaml, diags, error);
}

bool contract_parse(struct contract **ret, const struct world *world, const char *path, struct slice text,
                    GError **error)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse(path, text, diags);
    return settle(ret, world, yaml, diags, error);
}

struct slice contract_source_text(const struct contract *contract)
{
    return contract->source_text;
}

const char *contract_name(const struct contract *contract)
{
    return contract->name;
}

uint64_t contract_version(const struct contract *contract)
{
    return contract->version;
}

const char *const *contract_unique(const struct contract *contract, size_t *ret_n)
{
    *ret_n = contract->n_unique;
    return contract->unique;
}
