#include "plan/texts.h"

#include "base/file.h"
#include "base/hex.h"
#include "plan/home.h"
#include "plan/plan_parts.h"

enum { TEXTS_CAP = 64 << 20 };

static char *path_of(const char *home, const uint8_t uid[16])
{
    char name[HEX_TEXT(16)];
    return home_path(home, HOME_TEXTS, hex_text(uid, 16, name));
}

/* Bytes that are not UTF-8 cannot stand in JSON. */
static void add(json_t *list, const char *what, const char *name, struct slice text)
{
    json_t *one = json_pack("{s:s, s:s}", "what", what, "name", name);
    json_t *plain = json_stringn((const char *)text.data, text.len);
    g_autofree char *base64 = plain ? NULL : g_base64_encode(text.data, text.len);
    json_object_set_new(one, plain ? "text" : "base64", plain ? plain : json_string(base64));
    json_array_append_new(list, one);
}

bool plan_texts_keep_durable(const struct plan *plan, GError **error)
{
    const struct world *world = recipe_world(plan->recipe);
    const struct sandbox_source *sources;
    size_t n = recipe_sources(plan->recipe, &sources);
    g_autofree char *path = path_of(plan->home, plan->uid), *dir = g_path_get_dirname(path);
    json_t *list = json_array();
    add(list, "spec", plan->spec->path, plan->spec->source_text);
    if (recipe_contract(plan->recipe))
        add(list, "contract", plan->spec->contract, contract_source_text(recipe_contract(plan->recipe)));
    for (size_t i = 0; i < n; i++)
        add(list, "transform", sources[i].name, sources[i].text);
    if (plan->tests_text.data)
        add(list, "tests", plan->spec->transform.tests, plan->tests_text);
    char *text = json_dumps(list, JSON_INDENT(1));
    json_decref(list);
    bool ok = text ? file_make_dirs(world, dir, error) && file_replace_durable(world, path, slice_of_text(text), error)
                   : error_set(error, SLUICE_ERROR_INTERNAL, "%s: a name is not UTF-8", path);
    free(text);
    return ok;
}

static bool take(const json_t *one, struct arena *mem, struct plan_text *ret)
{
    const char *what, *name, *text = NULL, *base64 = NULL;
    size_t len = 0;
    if (json_unpack((json_t *)one, "{s:s, s:s, s?s%, s?s}", "what", &what, "name", &name, "text", &text, &len, "base64",
                    &base64) != 0 ||
        !text == !base64)
        return false;
    gsize decoded = 0;
    g_autofree guchar *bytes = base64 ? g_base64_decode(base64, &decoded) : NULL;
    struct slice from = base64 ? slice_of(bytes, decoded) : slice_of(text, len);
    ret->what = arena_text(mem, slice_of_text(what));
    ret->name = arena_text(mem, slice_of_text(name));
    return ret->what && ret->name && arena_copy(mem, from, &ret->text);
}

static bool take_all(const json_t *list, struct arena *mem, struct plan_texts *ret)
{
    size_t n = json_array_size(list);
    struct plan_text *texts = json_is_array(list) ? arena_alloc0(mem, (n + 1) * sizeof *texts) : NULL;
    for (size_t i = 0; texts && i < n; i++)
        if (!take(json_array_get(list, i), mem, &texts[i]))
            return false;
    *ret = (struct plan_texts){.texts = texts, .n = n};
    return texts != NULL;
}

bool plan_texts_read(const struct plan_config *config, const struct run_row *run, struct arena *mem,
                     struct plan_texts *ret, GError **error)
{
    g_autofree char *path = path_of(config->home, run->uid);
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    *ret = (struct plan_texts){0};
    if (!file_exists(config->world, path))
        return true;
    if (!file_read_all(config->world, path, TEXTS_CAP, &bytes, error))
        return false;
    const char *text = g_bytes_get_data(bytes, &len);
    json_t *list = json_loadb(text, len, 0, NULL);
    bool ok = list && take_all(list, mem, ret);
    json_decref(list);
    return ok || error_set(error, SLUICE_ERROR_CORRUPT, "%s: it cannot be read", path);
}

/* --- the spec ----------------------------------------------------------------------------------------------------- */

enum { SPEC_MEM = 128 << 20 };

/* NAME=VALUE each, ends with NULL. */
static GPtrArray *params_of(const json_t *said)
{
    const char *name;
    json_t *value, *params = json_object_get(said, "params");
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    json_object_foreach(params, name, value)
    {
        g_ptr_array_add(list, g_strconcat(name, "=", json_string_value(value), NULL));
    }
    g_ptr_array_add(list, NULL);
    return list;
}

bool plan_texts_spec(const struct plan_config *config, struct catalog *catalog, const struct run_row *run,
                     struct spec **ret, GError **error)
{
    auto_(arena) mem = arena_new(SPEC_MEM);
    const struct plan_text *found = NULL;
    struct plan_texts texts;
    json_t *said;
    if (!plan_texts_read(config, run, mem, &texts, error) || !plan_said_read(catalog, run, mem, &said, error))
        return false;
    g_autoptr(GPtrArray) params = params_of(said);
    json_decref(said);
    for (size_t i = 0; i < texts.n && !found; i++)
        found = strcmp(texts.texts[i].what, "spec") == 0 ? &texts.texts[i] : NULL;
    if (!found)
        return error_set(error, SLUICE_ERROR_NOT_FOUND,
                         "%s: its home has kept no copy of its spec; name the spec's file", run->name);
    return spec_parse_with(ret, found->name, found->text, (const char *const *)params->pdata, error);
}
