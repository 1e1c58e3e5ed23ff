/* The digests that name a plan and what it was made from: BLAKE2b-256 (they stand in the ledger). */
#include <sodium.h>

#include "base/file.h"
#include "plan/plan_parts.h"

static void digest_text_of(struct slice text, uint8_t ret[32])
{
    crypto_generichash(ret, 32, text.data, text.len, NULL, 0);
}

static void digest_sources(const struct recipe *recipe, uint8_t ret[32])
{
    const struct sandbox_source *sources;
    size_t n = recipe_sources(recipe, &sources);
    crypto_generichash_state state;
    memset(ret, 0, 32);
    if (n == 0)
        return;
    crypto_generichash_init(&state, NULL, 0, 32);
    for (size_t i = 0; i < n; i++) {
        uint64_t len = GUINT64_TO_LE((uint64_t)sources[i].text.len);
        crypto_generichash_update(&state, (const uint8_t *)&len, sizeof len);
        crypto_generichash_update(&state, sources[i].text.data, sources[i].text.len);
    }
    crypto_generichash_final(&state, ret, 32);
}

static void digest_prefixed(crypto_generichash_state *state, const char *text)
{
    uint64_t len = GUINT64_TO_LE((uint64_t)strlen(text));
    crypto_generichash_update(state, (const uint8_t *)&len, sizeof len);
    crypto_generichash_update(state, (const uint8_t *)text, strlen(text));
}

static bool digest_keys(crypto_generichash_state *state, const struct spec *spec, const struct world *world,
                        const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    uint8_t digest[32];
    gsize len;
    GError *failed = NULL;
    if (!file_read_all(world, path, KEYS_BYTES, &bytes, &failed)) {
        bool only = path == spec->source.only.keys;
        g_autofree char *place = spec_place(spec, only ? "source.only.keys" : "stages");
        if (error_is(failed, SLUICE_ERROR_NOT_FOUND))
            failed->code = SLUICE_ERROR_SPEC;
        error_add(&failed, "%s: %s: a file of keys", place, only ? "source.only.keys" : "stages");
        g_propagate_error(error, failed);
        return false;
    }
    const void *data = g_bytes_get_data(bytes, &len);
    digest_text_of(slice_of(data, len), digest);
    crypto_generichash_update(state, digest, sizeof digest);
    return true;
}

/* Another file of the judge's is another judge. */
static bool digest_judge(crypto_generichash_state *state, const struct spec *spec, const struct world *world,
                         GError **error)
{
    uint8_t digest[32];
    if (!spec_judge_digest(spec, world, digest, error))
        return false;
    if (!sodium_is_zero(digest, sizeof digest))
        crypto_generichash_update(state, digest, sizeof digest);
    return true;
}

/* The files of keys that it names. */
static GPtrArray *keys_of(const struct spec *spec)
{
    GPtrArray *paths = g_ptr_array_new();
    if (spec->source.only.keys)
        g_ptr_array_add(paths, (char *)spec->source.only.keys);
    for (size_t i = 0; i < spec->n_stages; i++)
        if (spec->stages[i].scope_keys)
            g_ptr_array_add(paths, (char *)spec->stages[i].scope_keys);
    return paths;
}

/* The text, the values that stand for its params, the files of keys, the judge: the same text with others is another
 * spec. */
static bool digest_spec(const struct spec *spec, const struct world *world, uint8_t ret[32], GError **error)
{
    crypto_generichash_state state;
    g_autoptr(GPtrArray) keys = keys_of(spec);
    digest_text_of(spec->source_text, ret);
    if (spec->n_params == 0 && keys->len == 0 && !spec->judge.shell && !spec->judge.argv)
        return true;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, ret, 32);
    for (size_t i = 0; i < spec->n_params; i++) {
        digest_prefixed(&state, spec->params[i].name);
        digest_prefixed(&state, spec->params[i].value);
    }
    for (guint i = 0; i < keys->len; i++)
        if (!digest_keys(&state, spec, world, keys->pdata[i], error))
            return false;
    if (!digest_judge(&state, spec, world, error))
        return false;
    crypto_generichash_final(&state, ret, 32);
    return true;
}

bool plan_digests_of(struct plan_digests *ret, const struct spec *spec, const struct recipe *recipe, GError **error)
{
    struct plan_digests digests = {0};
    if (sodium_init() < 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "libsodium does not start");
    if (!digest_spec(spec, recipe_world(recipe), digests.spec, error))
        return false;
    digest_sources(recipe, digests.transform);
    if (recipe_contract(recipe))
        digest_text_of(contract_source_text(recipe_contract(recipe)), digests.contract);
    *ret = digests;
    return true;
}

void plan_digest_text(struct plan *plan)
{
    digest_text_of(plan->text, plan->digests.plan);
}

/* Where all have their own turn, as in plans of older versions, nothing is added. */
static void digest_turn(crypto_generichash_state *state, uint32_t part, uint32_t turn)
{
    uint32_t pair[] = {GUINT32_TO_LE(part), GUINT32_TO_LE(turn)};
    if (turn)
        crypto_generichash_update(state, (const uint8_t *)pair, sizeof pair);
}

void plan_digest_deal(const struct plan *plan, uint8_t ret[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    for (size_t i = 0; i < plan->n_parts; i++) {
        uint32_t stage = GUINT32_TO_LE(plan->parts[i].stage);
        crypto_generichash_update(&state, (const uint8_t *)&stage, sizeof stage);
    }
    for (size_t i = 0; i < plan->n_parts; i++)
        digest_turn(&state, (uint32_t)i, plan->parts[i].turn);
    crypto_generichash_final(&state, ret, 32);
}
