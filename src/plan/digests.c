/* The digests that name a plan and what it was made from: BLAKE2b-256 (they stand in the ledger). */
#include <sodium.h>

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

/* The text, and the values that stand for its params: the same text with other values is another spec. */
static void digest_spec(const struct spec *spec, uint8_t ret[32])
{
    crypto_generichash_state state;
    digest_text_of(spec->source_text, ret);
    if (spec->n_params == 0)
        return;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, ret, 32);
    for (size_t i = 0; i < spec->n_params; i++) {
        digest_prefixed(&state, spec->params[i].name);
        digest_prefixed(&state, spec->params[i].value);
    }
    crypto_generichash_final(&state, ret, 32);
}

bool plan_digests_of(struct plan_digests *ret, const struct spec *spec, const struct recipe *recipe, GError **error)
{
    struct plan_digests digests = {0};
    if (sodium_init() < 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "libsodium does not start");
    digest_spec(spec, digests.spec);
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

void plan_digest_deal(const struct plan *plan, uint8_t ret[32])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, 32);
    for (size_t i = 0; i < plan->n_parts; i++) {
        uint32_t stage = GUINT32_TO_LE(plan->parts[i].stage);
        crypto_generichash_update(&state, (const uint8_t *)&stage, sizeof stage);
    }
    crypto_generichash_final(&state, ret, 32);
}
