#include "plan/environment.h"

#include <string.h>

#include "base/file.h"
#include "spec/rows.h"

#define FILE_NAME "environments.yaml"
#define KEY       "environment"

/* --- the file ----------------------------------------------------------------------------------------------------- */

struct environments {
    struct environment *rows;
    size_t n;
};

static bool read_environments(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                              void *into)
{
    struct environments *environments = into;
    bool ok = true;
    if (node->kind != YAML_MAP || node->n == 0)
        return yaml_expected(reader->yaml, node, "a map of environments, by name");
    environments->rows = arena_alloc0(reader->mem, node->n * sizeof *environments->rows);
    g_assert(environments->rows); /* the arena holds more than a whole file */
    for (size_t i = 0; i < node->n; i++) {
        struct environment *one = &environments->rows[environments->n++];
        const struct spec_row name = {.kind = &form_name, .offset = offsetof(struct environment, name)};
        ok &= form_name.read(reader, &name, node->pairs[i].key, one) &&
              rows_read_map(reader, "environments.*", node->pairs[i].value, one);
    }
    return ok;
}

static const struct row_form form_environments = {.read = read_environments, .schema = "{\"type\": \"object\"}"};

#define IN(member) .offset = offsetof(struct environment, member)
G_STATIC_ASSERT(offsetof(struct environment, n_targets) == offsetof(struct environment, targets) + sizeof(void *));
G_STATIC_ASSERT(offsetof(struct environment, n_specs) == offsetof(struct environment, specs) + sizeof(void *));

/* clang-format off */
static const struct spec_row ROWS[] = {
    {.key = "environments", .form = "map of environments, by name", .required = true, .kind = &form_environments,
     .words = "what is asked of runs, by where they write", .example = "{ production: { targets: [\"valkey://prod-*\"], reason: true } }"},
    {.key = "environments.*", .form = "map", .kind = &form_map, .words = "one of them", .example = "{ targets: [\"*\"] }"},
    {.key = "environments.*.targets", .form = "list of patterns", .kind = &form_texts, IN(targets),
     .words = "stores, as specs write them in `target.store`", .example = "[\"valkey://prod-*\"]"},
    {.key = "environments.*.specs", .form = "list of patterns", .kind = &form_texts, IN(specs),
     .words = "names of specs", .example = "[\"billing-*\"]"},
    {.key = "environments.*.approve", .form = "user or group", .kind = &form_text, IN(approve),
     .words = "who lets a run past its first stage, who planned it never", .example = "data-lead"},
    {.key = "environments.*.canary", .form = "share", .kind = &form_share, IN(canary),
     .words = "what the first stage may hold at most", .example = "5%"},
    {.key = "environments.*.reason", .form = "bool", .fallback = "false", .kind = &form_bool, IN(reason),
     .words = "whoever widens a run says why", .example = "true"},
};
/* clang-format on */

static bool read_file(const struct world *world, const char *path, struct arena *mem, struct environments *ret,
                      GError **error)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_read(world, path, diags);
    struct rows rows = {.row = ROWS, .n = G_N_ELEMENTS(ROWS)};
    struct rows_reader reader;
    if (!yaml)
        return diags_settle(diags, SLUICE_ERROR_SPEC, error);
    rows_init(&reader, yaml, rows, mem, ".");
    rows_read_map(&reader, "", yaml_root(yaml), ret);
    rows_done(&reader);
    return diags_settle(diags, SLUICE_ERROR_SPEC, error);
}

/* --- which one ---------------------------------------------------------------------------------------------------- */

static bool fits_one(const char *const *patterns, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        if (g_pattern_match_simple(patterns[i], text))
            return true;
    return false;
}

static bool fits(const struct environment *environment, const struct spec *spec)
{
    return fits_one(environment->targets, environment->n_targets, spec->target.store) ||
           fits_one(environment->specs, environment->n_specs, spec->name);
}

static bool choose(const struct environment **ret, const struct environments *all, const struct spec *spec,
                   const char *path, GError **error)
{
    const struct environment *named = NULL, *fitting = NULL;
    for (size_t i = 0; i < all->n; i++) {
        const struct environment *one = &all->rows[i];
        named = spec->environment && strcmp(one->name, spec->environment) == 0 ? one : named;
        fitting = !fitting && fits(one, spec) ? one : fitting;
    }
    if (spec->environment && (!named || (fitting && fitting != named))) {
        g_autofree char *place = spec_place(spec, KEY);
        return named ? error_set(error, SLUICE_ERROR_REFUSED, "%s: it says '%s', but by %s it is in '%s'", place,
                                 named->name, path, fitting->name)
                     : error_set(error, SLUICE_ERROR_SPEC, "%s: there is no environment '%s' in %s", place,
                                 spec->environment, path);
    }
    *ret = named ? named : fitting;
    return true;
}

bool environment_find(const struct environment **ret, const struct world *world, const char *home,
                      const struct spec *spec, struct arena *mem, GError **error)
{
    g_autofree char *path = g_build_filename(home, FILE_NAME, NULL);
    struct environments all = {0};
    if (file_exists(world, path) && !read_file(world, path, mem, &all, error))
        return false;
    return choose(ret, &all, spec, path, error);
}

/* --- what it asks for --------------------------------------------------------------------------------------------- */

static double records_of(const struct plan *plan)
{
    double all = 0;
    for (size_t i = 0; i < plan->n_stages; i++)
        all += (double)plan->stages[i].records;
    return all;
}

/* A stage is whole partitions: what the last of them is too much does not count. */
static bool is_small(const struct plan *plan, double most)
{
    const struct plan_stage *first = &plan->stages[0];
    double all = records_of(plan);
    double share = all > 0 ? (double)first->records / all : (double)first->parts / (double)MAX(plan->n_parts, 1);
    return first->parts <= 1 || share * (double)(first->parts - 1) / (double)first->parts <= most;
}

bool environment_permits(const struct plan *plan, const char *reason, GError **error)
{
    const struct environment *environment = plan->environment;
    bool said = reason_says(reason) || reason_says(plan->spec->reason);
    if (!environment)
        return true;
    if (environment->reason && !said)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "%s: a run in the environment '%s' has a reason: `reason:` in the spec, or --reason",
                         plan->spec->name, environment->name);
    if (environment->canary > 0 && !is_small(plan, environment->canary))
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "%s: a run in the environment '%s' begins with a canary of at most %g%%, and its stage '%s' "
                         "holds %g of %g records; put a smaller one before it, or cut finer with partitions.size",
                         plan->spec->name, environment->name, environment->canary * 100, plan->stages[0].name,
                         (double)plan->stages[0].records, records_of(plan));
    return true;
}

/* --- frozen ------------------------------------------------------------------------------------------------------- */

void environment_put(const struct environment *environment, json_t *root)
{
    if (environment)
        json_object_set_new(root, KEY,
                            json_pack("{s:s, s:s?, s:f, s:b}", "name", environment->name, "approve",
                                      environment->approve, "canary", environment->canary, "reason",
                                      environment->reason));
}

bool environment_take(json_t *root, struct arena *mem, const struct environment **ret)
{
    json_t *object = json_object_get(root, KEY);
    json_t *approve;
    const char *name;
    int reason;
    *ret = NULL;
    if (!object)
        return true;
    struct environment *environment = arena_alloc0(mem, sizeof *environment);
    if (!environment || json_unpack(object, "{s:s, s:o, s:F, s:b}", "name", &name, "approve", &approve, "canary",
                                    &environment->canary, "reason", &reason) != 0)
        return false;
    environment->name = arena_text(mem, slice_of_text(name));
    environment->approve = json_is_string(approve) ? arena_text(mem, slice_of_text(json_string_value(approve))) : NULL;
    environment->reason = reason;
    *ret = environment;
    return environment->name != NULL;
}

bool environment_equal(const struct environment *a, const struct environment *b)
{
    if (!a || !b)
        return a == b;
    return strcmp(a->name, b->name) == 0 && g_strcmp0(a->approve, b->approve) == 0 && a->canary == b->canary &&
           a->reason == b->reason;
}
