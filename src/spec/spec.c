#include "spec/spec.h"

#include "spec/params.h"
#include "spec/spec_rows.h"

enum { SPEC_MEMORY = 32 << 20 }; /* texts of a file of at most YAML_BYTES, some of them with the folder before them */

const char *spec_may_word(enum spec_may_what what)
{
    static const char *const WORDS[SPEC_MAY_COUNT] = {
#define MAY(symbol, word, widens) [SPEC_MAY_##symbol] = word,
#include "spec/may_rows.h"
#undef MAY
    };
    return WORDS[what];
}

bool spec_may_widens(enum spec_may_what what)
{
    static const bool WIDENS[SPEC_MAY_COUNT] = {
#define MAY(symbol, word, widens) [SPEC_MAY_##symbol] = widens,
#include "spec/may_rows.h"
#undef MAY
    };
    return WIDENS[what];
}

static const char *const EVENTS[SPEC_EVENT_COUNT] = {
#define EVENT(symbol, word, words) [SPEC_EVENT_##symbol] = word,
#include "spec/hook_rows.h"
#undef EVENT
};

const char *spec_event_word(enum spec_event event)
{
    return EVENTS[event];
}

void spec_free(struct spec *spec)
{
    if (!spec)
        return;
    key_paths_done(&spec->source.key);
    path_free(spec->source.version);
    path_free(spec->source.range.field);
    path_free(spec->target.expires_from);
    path_free(spec->cause.field);
    for (size_t i = 0; i < spec->n_expects; i++) {
        struct spec_expect *expect = &spec->expects[i];
        path_free(expect->sum);
        path_free(expect->min);
        path_free(expect->max);
        path_free(expect->distinct);
        path_free(expect->unique);
        path_free(expect->refers);
        path_free(expect->score);
    }
    for (size_t i = 0; i < spec->n_measures; i++) {
        path_free(spec->measures[i].sum);
        path_free(spec->measures[i].distinct);
    }
    for (size_t i = 0; i < spec->n_buckets; i++) {
        path_free(spec->buckets[i].field);
        path_free(spec->buckets[i].sum);
    }
    arena_free(spec->mem);
    g_free(spec);
}

static struct spec *spec_new(const char *path, struct slice text)
{
    struct spec *spec = g_new0(struct spec, 1);
    spec->mem = arena_new(SPEC_MEMORY);
    g_autofree char *dir = g_path_get_dirname(path);
    spec->path = arena_text(spec->mem, slice_of_text(path));
    spec->dir = arena_text(spec->mem, slice_of_text(dir));
    bool kept = arena_copy(spec->mem, text, &spec->source_text);
    g_assert(kept && spec->path && spec->dir);
    return spec;
}

/* With the values of its params in it. */
static void read_all(struct rows_reader *reader, struct spec *spec, const char *const *params)
{
    auto_(arena) mem = arena_new(TREE_MEMORY);
    params_read(reader, spec, params);
    const struct yaml_node *root = params_put(reader->yaml, spec, mem);
    if (rows_read_map(reader, "", root, spec) || root->kind == YAML_MAP)
        spec_check(reader, spec);
    rows_done(reader);
}

static bool settle(struct spec **ret, struct yaml *yaml, const char *const *params, const struct diags *diags,
                   GError **error)
{
    if (!yaml)
        return diags_settle(diags, SLUICE_ERROR_SPEC, error);
    auto_(spec) spec = spec_new(yaml_file(yaml), yaml_text(yaml));
    struct rows_reader reader;
    rows_init(&reader, yaml, spec_table(), spec->mem, spec->dir);
    read_all(&reader, spec, params);
    if (!diags_settle(diags, SLUICE_ERROR_SPEC, error))
        return false;
    *ret = g_steal_pointer(&spec);
    return true;
}

bool spec_read_with(struct spec **ret, const struct world *world, const char *path, const char *const *params,
                    GError **error)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_read(world, path, diags);
    return settle(ret, yaml, params, diags, error);
}

bool spec_read(struct spec **ret, const struct world *world, const char *path, GError **error)
{
    return spec_read_with(ret, world, path, NULL, error);
}

bool spec_parse_with(struct spec **ret, const char *path, struct slice text, const char *const *params, GError **error)
{
    auto_(diags) diags = diags_new();
    auto_(yaml) yaml = yaml_parse(path, text, diags);
    return settle(ret, yaml, params, diags, error);
}

bool spec_parse(struct spec **ret, const char *path, struct slice text, GError **error)
{
    return spec_parse_with(ret, path, text, NULL, error);
}
