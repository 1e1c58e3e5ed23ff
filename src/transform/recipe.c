#include "base/file.h"
#include "base/int.h"
#include "transform/transform.h"

enum { SOURCE_BYTES = 1 << 20 };

struct recipe {
    const struct world *world;
    GPtrArray *contents; /* GBytes, of the sources */
    GPtrArray *names;
    GArray *sources; /* struct sandbox_source, libs first */
    bool has_transform;
    struct contract *contract; /* NULL: none */
};

static struct recipe *recipe_new(const struct world *world)
{
    struct recipe *recipe = g_new0(struct recipe, 1);
    recipe->world = world;
    recipe->contents = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    recipe->names = g_ptr_array_new_with_free_func(g_free);
    recipe->sources = g_array_new(FALSE, FALSE, sizeof(struct sandbox_source));
    return recipe;
}

void recipe_free(struct recipe *recipe)
{
    if (!recipe)
        return;
    g_ptr_array_free(recipe->contents, TRUE);
    g_ptr_array_free(recipe->names, TRUE);
    g_array_free(recipe->sources, TRUE);
    contract_free(recipe->contract);
    g_free(recipe);
}

/* As the user wrote it: the spec has put its own folder before it. */
static const char *name_as_written(const struct spec *spec, const char *path)
{
    size_t len = strlen(spec->dir);
    return strncmp(path, spec->dir, len) == 0 && path[len] == '/' ? path + len + 1 : path;
}

/* A file that is not there is a fault of the spec that names it: `key` tells where it does. */
static bool not_read(const struct spec *spec, const char *key, enum error_code code, GError **error)
{
    g_autofree char *place = spec_place(spec, key);
    if (error && error_is(*error, SLUICE_ERROR_NOT_FOUND))
        (*error)->code = (int)code;
    return error_add(error, "%s: %s", place, key);
}

static bool read_source(struct recipe *recipe, const struct spec *spec, const char *path, GError **error)
{
    GBytes *content;
    const char *key = path == spec->transform.lua ? "transform.lua" : "transform.libs";
    if (!file_read_all(recipe->world, path, SOURCE_BYTES, &content, error))
        return not_read(spec, key, SLUICE_ERROR_TRANSFORM, error);
    g_ptr_array_add(recipe->contents, content);
    g_ptr_array_add(recipe->names, g_strdup(name_as_written(spec, path)));
    gsize len;
    const void *text = g_bytes_get_data(content, &len);
    struct sandbox_source source = {.name = recipe->names->pdata[recipe->names->len - 1], .text = slice_of(text, len)};
    g_array_append_val(recipe->sources, source);
    return true;
}

static bool read_sources(struct recipe *recipe, const struct spec *spec, GError **error)
{
    for (size_t i = 0; i < spec->transform.n_libs; i++)
        if (!read_source(recipe, spec, spec->transform.libs[i], error))
            return false;
    recipe->has_transform = spec->transform.lua != NULL;
    if (recipe->has_transform && !read_source(recipe, spec, spec->transform.lua, error))
        return false;
    return true;
}

static bool read_contract(struct recipe *recipe, const struct spec *spec, GError **error)
{
    if (!spec->contract)
        return true;
    if (!file_exists(recipe->world, spec->contract)) {
        error_set(error, SLUICE_ERROR_CONTRACT, "%s: there is no such file", spec->contract);
        return not_read(spec, "contract", SLUICE_ERROR_CONTRACT, error);
    }
    return contract_read(&recipe->contract, recipe->world, spec->contract, error);
}

/* What a worker will do, done once, so that every mistake shows before the first record. */
static bool try_it(const struct recipe *recipe, const struct spec *spec, GError **error)
{
    static const struct key_paths no_key = {0};
    struct transform_config config = {
        .recipe = recipe, .key = &no_key, .where = spec->source.where, .run = spec->name, .spec = spec->name};
    auto_(transform) transform = NULL;
    if (transform_new(&transform, &config, error))
        return true;
    bool in_spec = error && g_str_has_prefix((*error)->message, TRANSFORM_WHERE ":");
    return in_spec ? error_add(error, "%s", spec->path) : false;
}

static bool try_probe(const struct spec *spec, const struct world *world, GError **error)
{
    struct sandbox_config config = {.world = world};
    auto_(sandbox) sandbox = NULL;
    int where;
    return !spec->cause.where ||
           (sandbox_new(&sandbox, &config, error) &&
            sandbox_compile(sandbox, TRANSFORM_PROBE, spec->cause.where, &where, error)) ||
           error_add(error, "%s", spec->path);
}

bool recipe_read(struct recipe **ret, const struct world *world, const struct spec *spec, GError **error)
{
    auto_(recipe) recipe = recipe_new(world);
    if (!read_sources(recipe, spec, error) || !read_contract(recipe, spec, error) || !try_it(recipe, spec, error) ||
        !try_probe(spec, world, error))
        return false;
    *ret = g_steal_pointer(&recipe);
    return true;
}

size_t recipe_sources(const struct recipe *recipe, const struct sandbox_source **ret)
{
    *ret = (const struct sandbox_source *)(const void *)recipe->sources->data;
    return recipe->sources->len;
}

bool recipe_has_transform(const struct recipe *recipe)
{
    return recipe->has_transform;
}

const struct contract *recipe_contract(const struct recipe *recipe)
{
    return recipe->contract;
}

const struct world *recipe_world(const struct recipe *recipe)
{
    return recipe->world;
}
