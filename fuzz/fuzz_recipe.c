/* What a run is made from, as a person hands it over: spec, transform, contract, a lib and a record as JSON, one behind
 * the other with a byte of zero between them. What is taken is the same when it is read again, and makes of the record
 * sound documents, or refuses it; what is refused is refused with words. */
#include "fuzz.h"
#include "memory.h"
#include "parts.h"
#include "transform/transform.h"
#include "yaml_leaks.h"

#define SPEC "/w/s.yaml"

enum { MEM_BYTES = 16 << 20 };

static const char *const FILES[] = {SPEC, "/w/t.lua", "/w/c.yaml", "/w/l.lua"};

static void check_refusal(const GError *failed)
{
    g_assert(failed && failed->message[0] && g_utf8_validate(failed->message, -1, NULL));
}

static void check_result(const struct transform_result *result)
{
    const char *why = result->reason.text;
    if (result->verdict == TRANSFORM_REJECTED)
        g_assert(why && why[0] && g_utf8_validate(why, -1, NULL));
    for (size_t i = 0; result->verdict == TRANSFORM_WANTED && i < result->n; i++)
        g_assert(document_check(result->wanted[i].document, NULL));
    g_assert(result->verdict != TRANSFORM_WANTED || result->n > 0);
}

static void transform(const struct spec *spec, const struct recipe *recipe, struct slice json)
{
    auto_(arena) mem = arena_new(MEM_BYTES);
    auto_(transform) transform = NULL;
    struct transform_config config = transform_config_of(recipe, spec, false);
    struct transform_result result;
    struct slice document;
    g_autoptr(GError) failed = NULL;
    config.run = config.spec = spec->name;
    if (!transform_new(&transform, &config, &failed))
        check_refusal(failed);
    else if (document_from_json(json, mem, &document, NULL, NULL)) {
        if (transform_record(transform, slice_of_text("k"), document, mem, &result, &failed))
            check_result(&result);
        else
            check_refusal(failed);
    }
}

static bool read_recipe(struct memory *memory, const struct spec *spec, struct recipe **ret)
{
    g_autoptr(GError) failed = NULL;
    bool ok = recipe_read(ret, &memory->world, spec, &failed);
    if (!ok)
        check_refusal(failed);
    return ok;
}

static void check_same(const struct recipe *recipe, const struct recipe *again)
{
    const struct sandbox_source *a, *b;
    size_t n = recipe_sources(recipe, &a);
    g_assert(recipe_sources(again, &b) == n);
    g_assert(n > 0 || !recipe_has_transform(recipe));
    g_assert(!recipe_contract(recipe) == !recipe_contract(again));
    for (size_t i = 0; i < n; i++)
        g_assert(strcmp(a[i].name, b[i].name) == 0 && slice_equal(a[i].text, b[i].text));
    if (recipe_contract(recipe))
        g_assert(
            slice_equal(contract_source_text(recipe_contract(recipe)), contract_source_text(recipe_contract(again))));
}

static void read_all(struct memory *memory, struct slice json)
{
    auto_(spec) spec = NULL;
    auto_(recipe) recipe = NULL;
    auto_(recipe) again = NULL;
    g_autoptr(GError) failed = NULL;
    if (!spec_read(&spec, &memory->world, SPEC, &failed)) {
        check_refusal(failed);
        return;
    }
    bool ok = read_recipe(memory, spec, &recipe);
    g_assert(read_recipe(memory, spec, &again) == ok);
    if (!ok)
        return;
    check_same(recipe, again);
    transform(spec, recipe, json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    struct slice rest = slice_of(data, len);
    memory_init(&memory);
    for (size_t i = 0; i < G_N_ELEMENTS(FILES) && rest.len > 0; i++) {
        struct slice part = next_part(&rest);
        memory_put(&memory, FILES[i], part.data, part.len);
    }
    read_all(&memory, rest);
    memory_done(&memory);
    return 0;
}
